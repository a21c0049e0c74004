//! How does a plan become fast without changing what it answers?
//!
//! In this order: constants are computed (`fold`), conditions sink towards the scans (`sink`), subqueries that are only
//! asked for a partner make no pairs (`partner`), NOT IN of rows parts with those that have no NULL (`not_in`), joins
//! that are equal in one way or in another part with each (`either`), joins find their keys and periods (`join`) or need only the greatest or least of their rows (`extreme`), scans find their
//! keys and skippable blocks (`scan`), columns nobody reads go away (`prune`), what has become trivial is dropped
//! (`tidy`), and long lists are searched instead of compared with (`listed`).
//!
//! Holds: the rows stay the same, and no statement fails that did not fail before: a condition that may fail is never
//! evaluated for rows it was not evaluated for (`can_move`), folding leaves a failing call where it is. An error may vanish
//! with the row that would have raised it. Keys of joins are an exception: they are computed for all rows of a side. So is a
//! subquery that stands alone: a condition that asks it goes down like any other, as in PostgreSQL, and its fault comes of the first row that asks there.
//! Not here: what the plan means (`bind`).

mod either;
mod extreme;
mod fold;
mod join;
mod listed;
mod not_in;
mod partner;
mod prune;
mod scan;
mod sink;
mod tidy;

use crate::plan::{Expr, ExprKind, Node, QueryPlan, Statement, visit::divides_safely};
use spectradb_kernel::{
    func::{Function, Shape},
    ty::TypeClass,
};

/// Rewrites a statement's plan.
pub(crate) fn statement(statement: &mut Statement) {
    statement.for_each_query_mut(&mut query);
}

fn query(plan: &mut QueryPlan) {
    for subplan in &mut plan.subplans {
        rewrite(subplan);
    }
    rewrite(&mut plan.root);
}

fn rewrite(node: &mut Node) {
    fold::node(node);
    replace(node, |node| sink::node(node, Vec::new()));
    partner::node(node);
    not_in::node(node);
    either::node(node);
    join::node(node);
    extreme::node(node);
    tidy::node(node);
    scan::node(node);
    prune::root(node);
    tidy::node(node);
    listed::node(node);
}

/// Lets `f` make another node of this one.
fn replace(node: &mut Node, f: impl FnOnce(Node) -> Node) {
    let empty = Node { kind: crate::plan::NodeKind::Values { rows: Vec::new() }, fields: Vec::new() };
    let owned = std::mem::replace(node, empty);
    *node = f(owned);
}

/// May the expression be evaluated for rows that it was not evaluated for so far? Not if it can fail there. A subplan is run
/// once wherever it is asked.
fn can_move(expr: &Expr) -> bool {
    !has_call(expr, &may_fail)
}

/// Is a test true of a call somewhere in an expression?
fn has_call(expr: &Expr, test: &dyn Fn(&Function, &[Expr]) -> bool) -> bool {
    expr.any(&mut |part| matches!(&part.kind, ExprKind::Call { function, args } if test(function, args)))
}

/// May a call fail? Changing the scale of a decimal and a day to an instant can only fail at the ends of their ranges, where no
/// other expression would work either.
fn may_fail(function: &Function, args: &[Expr]) -> bool {
    let widens = matches!(
        (function.name, args.first().map(|arg| arg.ty.class())),
        ("$numeric_rescale", _) | ("$cast", Some(TypeClass::Date | TypeClass::Integer | TypeClass::Numeric))
    );
    function.shape == Shape::Fallible && !widens && !divides_safely(function, args)
}
