//! When does a subquery that is only asked for a partner give no pairs?
//!
//! `EXISTS (SELECT .. FROM x WHERE x.k = outer.k AND x.n > outer.n)` comes (from `bind::unnest`) as answers for all arguments at
//! once: x joined with the distinct arguments, which are [`NodeKind::Bindings`], and the outer rows looked up in that. It has a
//! row for every pair of an argument and a row of x, which may be more than memory holds. Where nothing but filters and
//! projections stands above the pairs, the arguments that have a partner in x, by the same conditions, are a semi join: its
//! search ends with the first partner, and it makes no row. What the outer rows compare besides (`IN`, `> ALL`) becomes an
//! argument as well.
//!
//! Holds: each condition is asked of no pair of values that it was not asked of before, in the order in which it was.
//! Not here: subqueries that count or add (they need all their pairs), and what an equality alone decides (`bind::unnest::push`).

use super::{replace, sink::must_stay};
use crate::{
    bind::unnest::can_fail,
    plan::{Expr, ExprKind, Field, Join, JoinKind, Node, NodeKind},
    span::Span,
    stack,
};

/// Asks for partners only, wherever that is possible, in a node and below it.
pub(super) fn node(node: &mut Node) {
    node.for_each_input_mut(&mut |input| stack::deeper(|| self::node(input)));
    let NodeKind::Join(join) = &node.kind else { return };
    if is_question(join) && has_pairs(&join.right) {
        replace(node, |node| {
            let Node { kind: NodeKind::Join(join), fields } = node else { unreachable!("it was a join a moment ago") };
            Node { kind: NodeKind::Join(Box::new(asking(*join))), fields }
        });
    }
}

/// Does it only ask for partners among answers, each looked up by just the arguments that it answers for?
fn is_question(join: &Join) -> bool {
    matches!(join.kind, JoinKind::Semi | JoinKind::Anti)
        && !join.bindings.is_empty()
        && join.bindings.iter().all(|argument| matches!(argument.kind, ExprKind::Column(_)))
        && join.keys.is_empty()
        && join.period.is_none()
        && (0..join.bindings.len()).all(|at| join.same.iter().any(|pair| answers_for(join, pair) == Some(at)))
        && join.same.iter().all(|pair| answers_for(join, pair).is_some())
}

/// The argument that a pair of `same` looks up.
fn answers_for(join: &Join, (argument, answer): &(Expr, Expr)) -> Option<usize> {
    let at = argument_of(&join.right, answer)?;
    join.bindings.get(at)?.same(argument).then_some(at)
}

/// The argument that an expression over a node's fields is.
fn argument_of(node: &Node, expr: &Expr) -> Option<usize> {
    let ExprKind::Column(column) = expr.kind else { return None };
    match &node.kind {
        NodeKind::Filter { input, .. } => argument_of(input, expr),
        NodeKind::Project { input, exprs } => argument_of(input, &exprs[column]),
        NodeKind::Join(join) => column.checked_sub(join.left.fields.len()),
        _ => None,
    }
}

/// Are these filters and projections over the pairs of some rows with all arguments?
fn has_pairs(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Filter { input, predicate } => !predicate.has_chance() && has_pairs(input),
        NodeKind::Project { input, exprs } => !exprs.iter().any(Expr::has_chance) && has_pairs(input),
        NodeKind::Join(join) => {
            join.kind == JoinKind::Inner
                && matches!(join.right.kind, NodeKind::Bindings)
                && join.keys.is_empty()
                && join.same.is_empty()
                && join.period.is_none()
                && join.bindings.is_empty()
                && !join.residual.as_ref().is_some_and(Expr::has_chance)
                && !join.left.changes_by_round()
                // The rows are read whether or not there is an argument.
                && !can_fail(&join.left)
        }
        _ => false,
    }
}

/// The outer rows looked up among the arguments that have a partner.
fn asking(mut join: Join) -> Join {
    let span = Span::default();
    let left_width = join.left.fields.len();
    let Some((rows, exprs, mut conditions, mut arguments)) = taken_apart(&join) else { return join };
    // What is compared besides is an argument, too: of each outer column the number of the argument that it is.
    let compared: Vec<usize> = join.residual.iter().flat_map(Expr::columns).filter(|at| *at < left_width).collect();
    let mut argument_at = vec![0; left_width];
    for column in compared {
        let value = join.left.column(column, span);
        argument_at[column] = join.bindings.iter().position(|argument| argument.same(&value)).unwrap_or_else(|| {
            join.bindings.push(value);
            arguments.push(join.left.fields[column].clone());
            join.bindings.len() - 1
        });
    }
    let arguments = Node { kind: NodeKind::Bindings, fields: arguments };
    let width = arguments.fields.len();
    let argument_exprs = exprs_of(&arguments, 0);
    // Over the arguments and the rows, where the pairs were of a row and the arguments.
    let mut over = exprs_of(&rows, width);
    over.extend(argument_exprs.iter().cloned());
    conditions.iter_mut().for_each(|condition| *condition = condition.substitute(&over));
    if let Some(residual) = &join.residual {
        let mut both: Vec<Expr> = argument_at.iter().map(|at| argument_exprs[*at].clone()).collect();
        both.extend(exprs.iter().map(|expr| expr.substitute(&over)));
        conditions.push(residual.substitute(&both));
    }
    let fields = arguments.fields.clone();
    let answers = Join::on(JoinKind::Semi, arguments, rows, Expr::conjunction(conditions));
    let right = Node { kind: NodeKind::Join(Box::new(answers)), fields };
    let same =
        join.bindings.iter().enumerate().map(|(at, argument)| (argument.clone(), right.column(at, span))).collect();
    Join { same, bindings: join.bindings, ..Join::on(join.kind, join.left, right, None) }
}

/// The columns of a node that stands behind so many other columns.
fn exprs_of(node: &Node, before: usize) -> Vec<Expr> {
    let column = |at| {
        let mut column = node.column(at, Span::default());
        column.map_columns(&mut |at| before + at);
        column
    };
    (0..node.fields.len()).map(column).collect()
}

/// Pairs of rows and arguments: the rows, fields and conditions over the rows' columns and then the arguments, the arguments' fields.
type Pairs = (Node, Vec<Expr>, Vec<Expr>, Vec<Field>);

/// The pairs that are looked up; nothing where expressions would grow too large.
fn taken_apart(join: &Join) -> Option<Pairs> {
    let pairs = pairs_of(&join.right)?;
    let residual: Vec<Expr> = join.residual.iter().cloned().collect();
    let mut both = exprs_of(&join.left, 0);
    both.extend(pairs.1.iter().cloned());
    (!must_stay(&residual, &both)).then_some(pairs)
}

fn pairs_of(node: &Node) -> Option<Pairs> {
    match &node.kind {
        NodeKind::Filter { input, predicate } => {
            let (rows, exprs, mut conditions, arguments) = pairs_of(input)?;
            if must_stay(std::slice::from_ref(predicate), &exprs) {
                return None;
            }
            conditions.push(predicate.substitute(&exprs));
            Some((rows, exprs, conditions, arguments))
        }
        NodeKind::Project { input, exprs } => {
            let (rows, below, conditions, arguments) = pairs_of(input)?;
            if must_stay(exprs, &below) {
                return None;
            }
            let exprs = exprs.iter().map(|expr| expr.substitute(&below)).collect();
            Some((rows, exprs, conditions, arguments))
        }
        NodeKind::Join(join) => {
            let conditions = join.residual.iter().cloned().collect();
            Some((join.left.clone(), exprs_of(node, 0), conditions, join.right.fields.clone()))
        }
        _ => None,
    }
}
