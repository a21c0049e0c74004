//! How does a plan say which keys a scan reads?
//!
//! Not here: what else a scan says (`display`).

use super::{Printer, SHOWN_MAX};
use crate::plan::{Expr, KeyAccess, Scan};
use spectradb_kernel::Type;

impl Printer<'_> {
    fn key_value(&self, value: &Expr) -> String {
        match value.ty {
            Type::Array(_) => format!("ANY ({})", self.expr(value, &[])),
            _ => self.expr(value, &[]),
        }
    }

    pub(super) fn keys(&self, scan: &Scan) -> String {
        let name = |at: usize| scan.table.columns[scan.table.key[at]].name.as_str();
        match &scan.keys {
            KeyAccess::All => String::new(),
            KeyAccess::Exact(tuples) => {
                let shown: Vec<String> = tuples
                    .iter()
                    .take(SHOWN_MAX)
                    .map(|tuple| match tuple.as_slice() {
                        [value] => self.key_value(value),
                        values => {
                            let values: Vec<String> = values.iter().map(|value| self.key_value(value)).collect();
                            format!("({})", values.join(", "))
                        }
                    })
                    .collect();
                let names: Vec<&str> = (0..scan.table.key.len()).map(name).collect();
                let key = if names.len() == 1 { names.join("") } else { format!("({})", names.join(", ")) };
                match (shown.as_slice(), tuples.len().saturating_sub(SHOWN_MAX)) {
                    ([only], 0) => format!(", key {key} = {only}"),
                    (shown, 0) => format!(", keys {key} IN ({})", shown.join(", ")),
                    (shown, more) => format!(", keys {key} IN ({} and {more} more)", shown.join(", ")),
                }
            }
            KeyAccess::Range { prefix, low, high } => {
                let mut parts: Vec<String> = prefix
                    .iter()
                    .enumerate()
                    .map(|(at, value)| format!("{} = {}", name(at), self.expr(value, &[])))
                    .collect();
                for (bound, signs) in [(low, [">", ">="]), (high, ["<", "<="])] {
                    if let Some(bound) = bound {
                        let sign = signs[usize::from(bound.included)];
                        parts.push(format!("{} {sign} {}", name(prefix.len()), self.expr(&bound.value, &[])));
                    }
                }
                format!(", keys where {}", parts.join(" AND "))
            }
        }
    }
}
