//! What do parts of WITH mean that write?
//!
//! `WITH gone AS (DELETE .. RETURNING *) INSERT INTO archive SELECT * FROM gone`: each change is carried out once, in the order of
//! the text, whether or not anybody reads what it returns, and all of them read the state before the statement. Its rows
//! are then there as often as they are named.
//!
//! A part that is MATERIALIZED, or that comes out differently each time (`random()`), is computed once as well: before the changes
//! of a statement, or as a subplan whose rows all readers share.
//!
//! Holds: a change stands in the WITH of a whole statement only.
//! Not here: parts that are queries (`query`), what a change means (`dml`, `merge`).

use super::{Binder, Means};
use crate::{
    ast::{self, Cte, CteBody, StatementKind},
    diag::{Diag, code},
    plan::{ExprKind, Node, NodeKind, Statement},
};
use spectradb_kernel::func::random as chance;
use std::{collections::HashSet, rc::Rc};

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

/// Does a part of the statement's WITH write, or stand for rows that all queries of a change must see alike?
pub(super) fn changes(kind: &StatementKind, sql: &str) -> bool {
    let writes = !matches!(kind, StatementKind::Query(_));
    with_of(kind).iter().any(|cte| match &cte.body {
        CteBody::Change(_) => true,
        CteBody::Query(query) => writes && may_be_once(cte, query, sql),
    })
}

/// Is a part asked to be computed once, or may it be one that comes out differently each time? Its text says so.
fn may_be_once(cte: &Cte, query: &ast::Query, sql: &str) -> bool {
    let text = || query.span.of(sql).to_ascii_lowercase();
    cte.materialized == Some(true) || chance::names().any(|name| text().contains(name))
}

/// Does a plan hold what comes out differently each time?
pub(super) fn is_by_chance(node: &Node) -> bool {
    let mut found = false;
    node.walk(&mut |node| {
        node.for_each_expr(&mut |expr| {
            found = found
                || expr.any(&mut |part| {
                    matches!(&part.kind, ExprKind::Call { function, .. } if chance::is_by_chance(function.name))
                });
        });
    });
    found
}

/// Does a plan name columns around it? A subplan says so by its arguments, the right side of a join that lends it some by what it
/// is lent.
fn is_dependent(node: &Node) -> bool {
    let mut found = false;
    node.for_each_expr(&mut |expr| {
        found = found || expr.any(&mut |part| matches!(part.kind, ExprKind::Outer(_)));
    });
    match &node.kind {
        NodeKind::Join(join) if !join.bindings.is_empty() => found || is_dependent(&join.left),
        _ => {
            node.for_each_input(&mut |input| found = found || is_dependent(input));
            found
        }
    }
}

/// The words of a text.
fn words(text: &str) -> HashSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

impl Binder<'_> {
    /// The parts of a WITH RECURSIVE so that each comes behind those that it names, otherwise in the order of the text. Which it
    /// names is told by its words: one that names none of them is at most moved. Parts that name each other stay, and whoever
    /// names a later one is told.
    pub(super) fn ordered<'c>(&mut self, with: &'c [Cte]) -> Vec<&'c Cte> {
        if with.len() < 2 || !with.iter().any(|cte| cte.recursive) {
            return with.iter().collect();
        }
        let words: Vec<HashSet<String>> = with
            .iter()
            .map(|cte| match &cte.body {
                CteBody::Query(query) => words(query.span.of(self.sql)),
                CteBody::Change(_) => HashSet::new(),
            })
            .collect();
        let names = |at: usize, other: usize| at != other && words[at].contains(&with[other].name.text.to_lowercase());
        let mut rest: Vec<usize> = (0..with.len()).collect();
        let mut ordered = Vec::with_capacity(with.len());
        while !rest.is_empty() {
            let is_free = |at: &usize| rest.iter().all(|other| !names(*at, *other));
            let next = rest.iter().position(is_free).unwrap_or_else(|| {
                self.mutual.extend(rest.iter().map(|at| with[*at].name.text.clone()));
                0
            });
            ordered.push(&with[rest.remove(next)]);
        }
        ordered
    }

    /// The rows of a part that is computed once: one that is MATERIALIZED, or comes out differently each time. Others are bound
    /// where they are read.
    pub(super) fn once(&mut self, cte: &Cte, query: &ast::Query) -> Result<Option<Node>, Diag> {
        if !may_be_once(cte, query, self.sql) {
            return Ok(None);
        }
        let subplan_count = self.subplans.len();
        let named = Rc::new(self.named(cte, Means::Query(query.clone())));
        let node = self.cte_node(&named, self.times.clone())?;
        let materialized = cte.materialized == Some(true);
        let dependent = is_dependent(&node);
        let by_chance = self.subplans[subplan_count..].iter().chain([&node]).any(is_by_chance);
        if dependent {
            if materialized {
                let message = "a part that is MATERIALIZED and names columns around it is not supported";
                return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, cte.name.span)
                    .help("leave MATERIALIZED out, or name it outside of the subquery"));
            }
        } else if materialized || by_chance {
            return Ok(Some(node));
        }
        self.subplans.truncate(subplan_count);
        Ok(None)
    }

    /// A statement with changes in its WITH.
    pub(super) fn with_changes(&mut self, kind: &StatementKind) -> Result<Statement, Diag> {
        let first_cte = self.ctes.len();
        let mut changes = Vec::new();
        for cte in self.ordered(with_of(kind)) {
            self.refuse_second(cte, first_cte)?;
            let means = match &cte.body {
                CteBody::Query(query) => match self.once(cte, query)? {
                    Some(node) => {
                        let columns = (0..node.fields.len()).collect();
                        let fields = node.fields.clone();
                        changes.push(Statement::Query(self.query_plan(node)?));
                        let kind = NodeKind::Given { change: Some(changes.len() - 1), columns };
                        let materialized = cte.materialized == Some(true);
                        let (rows, times) = (Node { kind, fields }, self.times.clone());
                        Means::Once(Box::new(super::Once { rows, times, query: query.clone(), materialized }))
                    }
                    None => Means::Query(query.clone()),
                },
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
