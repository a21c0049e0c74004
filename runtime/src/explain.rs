//! What would be done? The plan as text, one operator a line.
//!
//! Not here: how a plan is written (`spectradb_grammar::plan`).

use spectradb_grammar::plan::Statement;

/// The lines of EXPLAIN, each a row of one column.
pub(crate) fn lines(statement: &Statement) -> Vec<Vec<String>> {
    format!("{statement:#?}").lines().map(|line| vec![line.to_owned()]).collect()
}
