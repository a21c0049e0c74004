//! How do subqueries that name columns around them become joins?
//!
//! Two steps. [`Unnest::lift`] takes every subplan with arguments out of the expression that asks it: the node's input is joined with
//! the subplan's answers, and the expression reads a column. A condition `EXISTS` or `IN` becomes a semi join, its negation
//! an anti join, anything else a left join with one row for each combination of arguments.
//!
//! [`Unnest::push`] makes of a subplan with arguments a plan that answers for all of them at once (Neumann and Kemper,
//! "Unnesting arbitrary queries"): it gives the subplan's columns and, behind them, the arguments that the row answers for.
//! Where a subtree reads no argument, it is joined with [`NodeKind::Bindings`], the distinct arguments that the outer rows
//! have; everything above carries them along: groups, partitions and sets have them as further keys. Where a filter says
//! that an argument equals an expression, and nothing can fail, that expression takes the argument's place and no
//! bindings are needed: the outer rows are looked up in groups.
//!
//! Holds: afterwards no expression has an `Outer` and no subplan an argument. A subquery is computed for arguments that
//! outer rows have, and for others only if it cannot fail. Not here: finding out what a name means (`outer`).

mod lift;
mod loosen;
mod nearest;
mod push;

use super::{cardinality, function, literal};
use crate::{
    diag::Diag,
    plan::{AggregateCall, Expr, ExprKind, Field, Node, NodeKind, QueryPlan, SubplanAsk},
    span::Span,
};
use spectradb_kernel::{Type, agg::Aggregate};
use std::collections::BTreeSet;

/// The subplans of a statement while they become joins.
struct Unnest {
    subplans: Vec<Node>,
    /// The recursions whose working rows carry arguments.
    carrying: BTreeSet<usize>,
    /// May the subplan that is being pushed be computed for arguments that no outer row has?
    infallible: bool,
    /// Is it asked once? Then looking through its rows is cheaper than sorting them.
    is_asked_once: bool,
    /// The bindings of the join whose right side is being pushed, where it has some of its own.
    nested: Vec<Field>,
}

/// A query whose subplans all stand alone. Expressions `beside` it ask them too, without arguments.
pub(super) fn query(root: Node, subplans: Vec<Node>, beside: &mut [&mut Expr]) -> Result<QueryPlan, Diag> {
    let (root, subplans) = asked_for(root, subplans, beside);
    let asks = |node: &Node| {
        let mut found = false;
        node.walk(&mut |node| {
            node.for_each_expr(&mut |expr| {
                found = found || expr.any(&mut |part| is_dependent(part));
            });
            found |= matches!(&node.kind, NodeKind::Join(join) if !join.bindings.is_empty());
        });
        found
    };
    if !asks(&root) && !subplans.iter().any(asks) {
        return Ok(QueryPlan { root, subplans });
    }
    let count = subplans.len();
    let mut unnest =
        Unnest { subplans, carrying: BTreeSet::new(), infallible: false, is_asked_once: false, nested: Vec::new() };
    // A subplan asks only earlier ones.
    for idx in 0..count {
        let node = std::mem::replace(&mut unnest.subplans[idx], nothing());
        unnest.subplans[idx] = unnest.lift(node)?;
    }
    let root = unnest.lift(root)?;
    // What was made a join is no subplan any more, unless somebody asks the same one without arguments.
    let (mut root, mut subplans) = asked_for(root, unnest.subplans, beside);
    let mut fields: Vec<Vec<Field>> = Vec::with_capacity(subplans.len());
    for subplan in &mut subplans {
        loosen::node(subplan, loosen::Around::query(&fields));
        fields.push(subplan.fields.clone());
    }
    loosen::node(&mut root, loosen::Around::query(&fields));
    Ok(QueryPlan { root, subplans })
}

/// Without the subplans that nobody asks: they became joins, or stood where an expression turned out to need no more than its beginning.
fn asked_for(mut root: Node, subplans: Vec<Node>, beside: &mut [&mut Expr]) -> (Node, Vec<Node>) {
    let mut asked = vec![false; subplans.len()];
    let note = |node: &Node, asked: &mut Vec<bool>| {
        node.walk(&mut |node| {
            if let NodeKind::Shared { subplan_idx, .. } = node.kind {
                asked[subplan_idx] = true;
            }
            node.for_each_expr(&mut |expr| note_expr(expr, asked));
        });
    };
    note(&root, &mut asked);
    beside.iter().for_each(|expr| note_expr(expr, &mut asked));
    // A subplan asks only earlier ones.
    for (idx, subplan) in subplans.iter().enumerate().rev() {
        if asked[idx] {
            note(subplan, &mut asked);
        }
    }
    if asked.iter().all(|asked| *asked) {
        return (root, subplans);
    }
    let mut places = vec![0; subplans.len()];
    let mut kept: Vec<Node> = Vec::new();
    for (idx, mut subplan) in subplans.into_iter().enumerate().filter(|(idx, _)| asked[*idx]) {
        places[idx] = kept.len();
        renumber(&mut subplan, &places);
        kept.push(subplan);
    }
    renumber(&mut root, &places);
    beside.iter_mut().for_each(|expr| renumber_expr(expr, &places));
    (root, kept)
}

/// Is it a subplan with arguments, or one that only becomes a join?
fn is_dependent(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Subplan { ask, args, .. } if !args.is_empty() || matches!(ask, SubplanAsk::Any(_)))
}

fn renumber(node: &mut Node, places: &[usize]) {
    node.for_each_input_mut(&mut |input| crate::stack::deeper(|| renumber(input, places)));
    if let NodeKind::Shared { subplan_idx, .. } = &mut node.kind {
        *subplan_idx = places[*subplan_idx];
    }
    node.for_each_expr_mut(&mut |expr| renumber_expr(expr, places));
}

fn renumber_expr(expr: &mut Expr, places: &[usize]) {
    expr.walk_mut(&mut |part| {
        if let ExprKind::Subplan { subplan_idx, .. } = &mut part.kind {
            *subplan_idx = places[*subplan_idx];
        }
    });
}

fn note_expr(expr: &Expr, asked: &mut [bool]) {
    expr.walk(&mut |part| {
        if let ExprKind::Subplan { subplan_idx, .. } = part.kind {
            asked[subplan_idx] = true;
        }
    });
}

fn nothing() -> Node {
    Node { kind: NodeKind::Values { rows: Vec::new() }, fields: Vec::new() }
}

fn has_outer_expr(expr: &Expr) -> bool {
    expr.any(&mut |part| matches!(part.kind, ExprKind::Outer(_)))
}

/// An expression with its arguments replaced by columns.
pub(super) fn with_args(expr: &Expr, arg: &dyn Fn(usize) -> Expr) -> Expr {
    let mut copy = expr.clone();
    copy.walk_mut(&mut |part| {
        if let ExprKind::Outer(at) = part.kind {
            let span = part.span;
            *part = Expr { span, ..arg(at) };
        }
    });
    copy
}

fn column(fields: &[Field], at: usize) -> Expr {
    let field = &fields[at];
    Expr { kind: ExprKind::Column(at), ty: field.ty, nullable: field.nullable, span: Span::default() }
}

/// The columns of a node as expressions with their names.
fn passed(node: &Node, columns: impl Iterator<Item = usize>) -> Vec<(String, Expr)> {
    columns.map(|at| (node.fields[at].name.clone(), column(&node.fields, at))).collect()
}

/// The value where it is there, and something else where it is NULL.
fn or_else(value: Expr, otherwise: Expr) -> Expr {
    let span = value.span;
    if !value.nullable {
        return value;
    }
    let is_there = super::call::is_not_null(value.clone(), span);
    super::predicate::case_of(vec![(is_there, value)], otherwise, span)
}

fn boolean_call(name: &str, arg: Expr) -> Expr {
    let span = arg.span;
    function::call_named(name, vec![arg], Type::Boolean, span)
}

fn integer_call(name: &str, args: Vec<Expr>, span: Span) -> Expr {
    function::call_named(name, args, Type::Integer, span)
}

/// May anything below be an error: a call, or a sum that passes its range?
pub(crate) fn can_fail(node: &Node) -> bool {
    let mut fails = false;
    node.walk(&mut |node| {
        node.for_each_expr(&mut |expr| fails = fails || expr.is_fallible());
        fails |= match &node.kind {
            NodeKind::Aggregate { aggregates, .. } => aggregates
                .iter()
                .any(|call| !matches!(call.aggregate.name, "count" | "min" | "max" | "bool_and" | "bool_or")),
            NodeKind::Window { calls, .. } => !calls.is_empty(),
            _ => false,
        };
    });
    fails
}

/// An aggregate of all rows as they come.
pub(crate) fn call(aggregate: &'static Aggregate, arg: Option<Expr>, ty: Type, span: Span) -> AggregateCall {
    AggregateCall { aggregate, arg, more: Vec::new(), distinct: false, order: Vec::new(), ty, span }
}

fn is_one_row(node: &Node) -> bool {
    cardinality::of_node(node) != crate::plan::Cardinality::Many
}

fn zero(span: Span) -> Expr {
    literal::integer(0, span)
}
