//! Which rows can be among the first of those that a subquery asks for?
//!
//! `(SELECT .. FROM x WHERE x.at <= outer.at ORDER BY x.at DESC LIMIT 3)` pairs every argument with every earlier row to keep
//! three. In the order that is asked for, the row three places before one says which arguments it is kept for: those between
//! the two. So x gets that row's value as a column (a window call), and the condition that the argument does not reach it makes
//! a period of the inequality, which joins look up. `max(x.at)` and `min(x.at)` are the first of such an order.
//!
//! Holds: no row is left out that the order and the limit above would keep; they stay.
//! Not here: subqueries of equalities alone, which are grouped (`push`), and orders that begin with something else.

use super::{boolean_call, column, has_outer_expr, push::has_outer};
use crate::{
    bind::{function, literal},
    plan::{AggregateCall, Expr, ExprKind, Field, Frame, Node, NodeKind, SortKey, WindowCall, WindowFunction},
    span::Span,
};
use spectradb_kernel::{Type, Value, ty::LaneKind};
use std::collections::BTreeSet;

/// No more rows than this are asked for: a row is before so many others.
const ROWS_MAX: i64 = 1_000;

/// Leaves rows out of a subquery of which only the first are wanted, where one inequality says which are first.
pub(super) fn first_rows(input: &mut Node, limit: Option<&Expr>, offset: Option<&Expr>) {
    let number = |expr: &Expr| match literal::value(expr) {
        Some(Value::Integer(number)) if (0..=ROWS_MAX).contains(number) => Some(*number),
        _ => None,
    };
    let Some(limit) = limit.and_then(number) else { return };
    let Some(offset) = offset.map_or(Some(0), number) else { return };
    within(input, None, limit + offset);
}

/// Likewise where only the greatest or least value is wanted.
pub(super) fn extreme(input: &mut Node, group: &[Expr], aggregates: &[AggregateCall]) {
    let [AggregateCall { aggregate, arg: Some(arg), .. }] = aggregates else { return };
    let descending = match aggregate.name {
        "max" => true,
        "min" => false,
        _ => return,
    };
    if group.is_empty() {
        within(input, Some(&[SortKey { expr: arg.clone(), descending, nulls_first: false }]), 1);
    }
}

/// Follows the order down to the condition.
fn within(node: &mut Node, order: Option<&[SortKey]>, count: i64) {
    match (&mut node.kind, order) {
        (NodeKind::Sort { input, keys }, None) => within(input, Some(keys), count),
        (NodeKind::Project { input, exprs }, Some(order)) => {
            let below: Vec<SortKey> =
                order.iter().map(|key| SortKey { expr: key.expr.substitute(exprs), ..key.clone() }).collect();
            within(input, Some(&below), count);
        }
        (NodeKind::Project { input, .. }, None) => within(input, None, count),
        (NodeKind::Filter { input, predicate }, Some(order)) => {
            if let Some((ranked, narrowed)) = nearest(input, predicate, order, count) {
                let width = input.fields.len();
                *node = ranked.filter(narrowed).narrow(width, Span::default());
            }
        }
        _ => {}
    }
}

/// Rows with the value of the row that is so many places nearer, and the condition that asks for it as well.
fn nearest(input: &Node, predicate: &Expr, order: &[SortKey], count: i64) -> Option<(Node, Expr)> {
    let is_safe = |expr: &Expr| !has_outer_expr(expr) && !expr.is_fallible();
    if count == 0 || has_outer(input, &BTreeSet::new()) || !order.iter().all(|key| is_safe(&key.expr)) {
        return None;
    }
    let first = order.first()?;
    let (mut partition, mut alone, mut asking, mut inequality) = (Vec::new(), Vec::new(), Vec::new(), None);
    for condition in predicate.clone().into_conjuncts() {
        if is_safe(&condition) {
            alone.push(condition);
            continue;
        }
        let ExprKind::Call { function, args } = &condition.kind else { return None };
        let [one, other] = args.as_slice() else { return None };
        // The row's side first.
        let (value, point, turned) = match (one.has_columns(), other.has_columns()) {
            (true, false) => (one, other, false),
            (false, true) => (other, one, true),
            (true, true) | (false, false) => return None,
        };
        if !is_safe(value) || point.has_subplans() {
            return None;
        }
        let sign = match (function.name, turned) {
            ("=", _) => "=",
            ("<", false) | (">", true) => "<",
            ("<=", false) | (">=", true) => "<=",
            (">", false) | ("<", true) => ">",
            (">=", false) | ("<=", true) => ">=",
            _ => return None,
        };
        if sign == "=" {
            if !value.ty.is_ordered_bytewise() {
                return None;
            }
            partition.push(value.clone());
        } else {
            let is_first = inequality.is_none() && value.same(&first.expr) && value.ty.lane() == LaneKind::I64;
            let descending = matches!(sign, "<" | "<=");
            if !is_first || first.descending != descending {
                return None;
            }
            inequality = Some((value.clone(), point.clone(), sign));
        }
        asking.push(condition);
    }
    let (value, point, sign) = inequality?;
    let span = Span::default();
    let mut keys = order.to_vec();
    // The inequality is true of no NULL.
    keys[0].nulls_first = false;
    let call = WindowCall {
        function: WindowFunction::Shift {
            value: Box::new(value.clone()),
            offset: Box::new(literal::integer(count, span)),
            default: None,
            forward: false,
        },
        partition,
        order: keys,
        frame: Frame::running(),
        ty: value.ty,
        nullable: true,
        span,
    };
    let rows = match Expr::conjunction(alone) {
        Some(predicate) => input.clone().filter(predicate),
        None => input.clone(),
    };
    let width = rows.fields.len();
    let mut fields = rows.fields.clone();
    fields.push(Field { name: "nearer".to_owned(), ty: value.ty, nullable: true });
    let ranked = Node { kind: NodeKind::Window { input: Box::new(rows), calls: vec![call] }, fields };
    let nearer = column(&ranked.fields, width);
    let beyond = match sign {
        "<" => "<=",
        "<=" => "<",
        ">" => ">=",
        _ => ">",
    };
    let is_none = boolean_call("$is_null", nearer.clone());
    let reaches = function::call_named(beyond, vec![point, nearer], Type::Boolean, span);
    asking.push(Expr { kind: ExprKind::Or(vec![is_none, reaches]), ty: Type::Boolean, nullable: true, span });
    Some((ranked, Expr::conjunction(asking)?))
}
