//! What does BEGIN tell of a transaction?
//!
//! Not here: what its modes do (the runtime).

use super::Binder;
use crate::{
    ast,
    diag::{Diag, code, nearest},
    plan::{self, TransactionOption},
};

const OPTIONS: [(&str, TransactionOption); 6] = [
    ("actor", TransactionOption::Actor),
    ("reason", TransactionOption::Reason),
    ("request_id", TransactionOption::RequestId),
    ("metadata", TransactionOption::Metadata),
    ("system_time", TransactionOption::SystemTime),
    ("durability", TransactionOption::Durability),
];

impl Binder<'_> {
    pub(super) fn begin(&mut self, begin: &ast::Begin) -> Result<plan::Statement, Diag> {
        let mut options = Vec::new();
        for name in &begin.names {
            let Some((_, option)) = OPTIONS.iter().find(|(known, _)| *known == name.text) else {
                let message = format!("a transaction has no option \"{}\"", name.text);
                let diag = Diag::new(code::SYNTAX, message, name.span);
                return Err(match nearest(&name.text, OPTIONS.map(|(known, _)| known)) {
                    Some(near) => diag.help(format!("an option named \"{near}\" exists")),
                    None => diag.help("what is neither actor, reason nor request_id goes into metadata, a JSON object"),
                });
            };
            if options.contains(option) {
                let message = format!("the option \"{}\" is given twice", name.text);
                return Err(Diag::new(code::SYNTAX, message, name.span));
            }
            options.push(*option);
        }
        let values = match &begin.values {
            Some(values) => {
                let root = self.query(values, None)?;
                Some(self.query_plan(root)?)
            }
            None => None,
        };
        Ok(plan::Statement::Begin(Box::new(plan::Begin { modes: begin.modes, options, values })))
    }
}
