//! What do parts of WITH mean that write?
//!
//! `WITH gone AS (DELETE .. RETURNING *) INSERT INTO archive SELECT * FROM gone`: each change is carried out once, in the order of
//! the text, whether or not anybody reads what it returns, and all of them read the state before the statement. Its rows
//! are then there as often as they are named.
//!
//! Holds: a change stands in the WITH of a whole statement only.
//! Not here: parts that are queries (`query`), what a change means (`dml`, `merge`).

use super::{Binder, Means};
use crate::{
    ast::{self, Cte, CteBody, StatementKind},
    diag::Diag,
    plan::{Node, NodeKind, Statement},
};

/// The WITH of a statement.
fn with_of(kind: &StatementKind) -> &[Cte] {
    match kind {
        StatementKind::Query(query) => &query.with,
        StatementKind::Insert(insert) => &insert.with,
        StatementKind::Update(update) => &update.with,
        StatementKind::Delete(delete) => &delete.with,
        StatementKind::Merge(merge) => &merge.with,
        _ => &[],
    }
}

/// Does a part of the statement's WITH write?
pub(super) fn changes(kind: &StatementKind) -> bool {
    with_of(kind).iter().any(|cte| matches!(cte.body, CteBody::Change(_)))
}

impl Binder<'_> {
    /// A statement with changes in its WITH.
    pub(super) fn with_changes(&mut self, kind: &StatementKind) -> Result<Statement, Diag> {
        let first_cte = self.ctes.len();
        let mut changes = Vec::new();
        for cte in with_of(kind) {
            self.refuse_second(cte, first_cte)?;
            let means = match &cte.body {
                CteBody::Query(query) => Means::Query(query.clone()),
                CteBody::Change(kind) => {
                    let change = self.change(kind)?;
                    let rows = change.returning().map(|rows| rows.root.fields.clone());
                    changes.push(change);
                    rows.map_or(Means::Nothing, |fields| {
                        let columns = (0..fields.len()).collect();
                        Means::Rows(Node { kind: NodeKind::Given { change: Some(changes.len() - 1), columns }, fields })
                    })
                }
            };
            self.name_cte(cte, means);
        }
        let body = match kind {
            StatementKind::Query(query) => {
                let query = ast::Query { with: Vec::new(), ..query.clone() };
                let root = self.query(&query, None)?;
                Statement::Query(self.query_plan(root)?)
            }
            kind => self.written(kind)?,
        };
        self.check_unused(first_cte)?;
        Ok(Statement::With { changes, body: Box::new(body) })
    }

    /// An INSERT, UPDATE, DELETE or MERGE, with the names of its WITH in view.
    pub(super) fn change(&mut self, kind: &StatementKind) -> Result<Statement, Diag> {
        let first_cte = self.ctes.len();
        self.declare(with_of(kind))?;
        let statement = self.written(kind)?;
        self.check_unused(first_cte)?;
        self.ctes.truncate(first_cte);
        Ok(statement)
    }

    fn written(&mut self, kind: &StatementKind) -> Result<Statement, Diag> {
        match kind {
            StatementKind::Insert(insert) => self.insert(insert),
            StatementKind::Update(update) => self.update(update),
            StatementKind::Delete(delete) => self.delete(delete),
            StatementKind::Merge(merge) => self.merge(merge),
            _ => unreachable!("only a change writes"),
        }
    }
}
