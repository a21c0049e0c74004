//! What is asked of the session, and how is a plan told?
//!
//! Which settings and prepared statements there are is the session's to know; here tables and types get their meaning. The
//! statement of a PREPARE is bound by the session, with parameters of its own.

use super::{Binder, types};
use crate::{
    ast::{self, ExplainOptions, SessionKind},
    diag::{Diag, code},
    plan::{Session, Statement},
};

impl Binder<'_> {
    pub(super) fn explain(&mut self, statement: &ast::Statement, options: ExplainOptions) -> Result<Statement, Diag> {
        if options.analyze
            && !matches!(statement.kind, ast::StatementKind::Query(_) | ast::StatementKind::Execute { .. })
        {
            let message = "EXPLAIN ANALYZE of a statement that is no query is not supported";
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, statement.span)
                .help("it would be carried out; EXPLAIN without ANALYZE shows its plan"));
        }
        Ok(Statement::Explain { statement: Box::new(self.statement(statement)?), options })
    }

    pub(super) fn session(&mut self, kind: &SessionKind) -> Result<Session, Diag> {
        Ok(match kind {
            SessionKind::Set { name, value, local } => {
                Session::Set { name: name.clone(), value: value.clone(), local: *local }
            }
            SessionKind::Reset(name) => Session::Reset(name.clone()),
            SessionKind::Show(name) => Session::Show(name.clone()),
            SessionKind::ShowStats => Session::ShowStats,
            SessionKind::ShowTableStats(name) => {
                Session::ShowTableStats(name.as_ref().map(|name| self.existing_table(name)).transpose()?)
            }
            SessionKind::ShowStorage => Session::ShowStorage,
            SessionKind::Prepare { name, types, statement } => {
                let types = types
                    .iter()
                    .map(|ty| types::refuse_fields(ty).and_then(|()| types::written(ty)))
                    .collect::<Result<_, _>>()?;
                Session::Prepare { name: name.clone(), types, statement: *statement }
            }
            SessionKind::Deallocate(name) => Session::Deallocate(name.clone()),
        })
    }
}
