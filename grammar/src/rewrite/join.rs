//! By what can a join look its rows up instead of searching?
//!
//! Equalities between an expression of one side and one of the other become keys. `from <= until` and `since < to`, with `from`
//! and `to` of the right side, become a period match, whichever way they are written: a point that lies in a period, two
//! periods that overlap, a period that holds points.

use super::{has_call, may_fail};
use crate::plan::{Expr, ExprKind, Node, NodeKind, PeriodEnds, PeriodMatch};
use crate::stack;
use spectradb_kernel::ty::{LaneKind, TypeClass};

/// Finds keys and periods of all joins.
pub(super) fn node(node: &mut Node) {
    node.for_each_input_mut(&mut |input| stack::deeper(|| self::node(input)));
    let NodeKind::Join(join) = &mut node.kind else { return };
    let left_width = join.left.fields.len();
    let Some(residual) = join.residual.take() else { return };
    let mut rest = Vec::new();
    for condition in residual.into_conjuncts() {
        match key(condition, left_width) {
            Ok(pair) => join.keys.push(pair),
            Err(condition) => rest.push(condition),
        }
    }
    if join.period.is_none() {
        join.period = period(&mut rest, left_width);
    }
    join.residual = Expr::conjunction(rest);
}

/// Does the expression read columns, and only of one side?
fn is_of(expr: &Expr, left_width: usize, right: bool) -> bool {
    let columns = expr.columns();
    !columns.is_empty() && columns.iter().all(|column| (*column >= left_width) == right)
}

fn moved_left(mut expr: Expr, by: usize) -> Expr {
    expr.map_columns(&mut |column| column - by);
    expr
}

/// May the expression be evaluated for all rows of a side, also where it has no partner to be compared with? Sums, differences
/// and products of numbers and times can only fail at the ends of their ranges.
fn can_be_key(expr: &Expr) -> bool {
    let is_number = |arg: &Expr| matches!(arg.ty.lane(), LaneKind::I64 | LaneKind::F64 | LaneKind::I128);
    !has_call(expr, &|function, args| match function.name {
        "+" | "-" | "*" => !args.iter().all(is_number),
        _ => may_fail(function, args),
    })
}

/// A condition as a pair of keys: the left one over the left fields, the right one over the right fields.
fn key(condition: Expr, left_width: usize) -> Result<(Expr, Expr), Expr> {
    let Expr { kind: ExprKind::Call { function, args }, .. } = &condition else { return Err(condition) };
    if function.name != "=" || !args.iter().all(can_be_key) || args[0].ty.class() == TypeClass::Json {
        return Err(condition);
    }
    let straight = is_of(&args[0], left_width, false) && is_of(&args[1], left_width, true);
    let crossed = is_of(&args[0], left_width, true) && is_of(&args[1], left_width, false);
    if !straight && !crossed {
        return Err(condition);
    }
    let ExprKind::Call { args, .. } = condition.kind else { unreachable!("it was a call a moment ago") };
    let Ok([one, other]) = <[Expr; 2]>::try_from(args) else { unreachable!("an equality has two sides") };
    let (left, right) = if straight { (one, other) } else { (other, one) };
    Ok((left, moved_left(right, left_width)))
}

/// `smaller <= greater` or `smaller < greater`, whichever way it is written.
struct InOrder<'e> {
    smaller: &'e Expr,
    greater: &'e Expr,
    /// May both be equal?
    included: bool,
    /// Is it also true of a `greater` that is NULL?
    null_is_never: bool,
}

fn order(condition: &Expr) -> Option<InOrder<'_>> {
    match &condition.kind {
        ExprKind::Call { function, args } => {
            let [one, other] = args.as_slice() else { return None };
            if one.ty.lane() != LaneKind::I64 || other.ty.lane() != LaneKind::I64 {
                return None;
            }
            let (smaller, greater, included) = match function.name {
                "<=" => (one, other, true),
                "<" => (one, other, false),
                ">=" => (other, one, true),
                ">" => (other, one, false),
                _ => return None,
            };
            Some(InOrder { smaller, greater, included, null_is_never: false })
        }
        ExprKind::Or(arms) => {
            let [none, some] = arms.as_slice() else { return None };
            let ExprKind::Call { function, args } = &none.kind else { return None };
            let found = order(some).filter(|found| !found.null_is_never)?;
            let is_it = function.name == "$is_null" && args[0].same(found.greater);
            is_it.then_some(InOrder { null_is_never: true, ..found })
        }
        _ => None,
    }
}

/// Takes a period match out of the conditions: of one point rather than of two, where there is a choice.
fn period(conditions: &mut Vec<Expr>, left_width: usize) -> Option<PeriodMatch> {
    let of = |right: bool| {
        let mut found = Vec::new();
        for (at, condition) in conditions.iter().enumerate() {
            if let Some(order) = order(condition)
                && is_of(order.smaller, left_width, right)
                && is_of(order.greater, left_width, !right)
                && can_be_key(condition)
            {
                found.push((at, order));
            }
        }
        found
    };
    let (begins, ends) = (of(true), of(false));
    let pairs = || begins.iter().flat_map(|begin| ends.iter().map(move |end| (begin, end)));
    let is_point = |begin: &InOrder<'_>, end: &InOrder<'_>| begin.greater.same(end.smaller);
    let point = pairs().find(|((_, begin), (_, end))| !begin.null_is_never && is_point(begin, end));
    let ((begin_at, begin), (end_at, end)) =
        point.or_else(|| pairs().find(|((_, begin), (_, end))| !begin.null_is_never && !end.null_is_never))?;
    let right = |expr: &Expr| moved_left(expr.clone(), left_width);
    let found = PeriodMatch {
        since: end.smaller.clone(),
        until: begin.greater.clone(),
        from: right(begin.smaller),
        to: right(end.greater),
        ends: PeriodEnds { from_included: begin.included, to_included: end.included, null_is_never: end.null_is_never },
    };
    let (begin_at, end_at) = (*begin_at, *end_at);
    conditions.remove(begin_at.max(end_at));
    conditions.remove(begin_at.min(end_at));
    Some(found)
}
