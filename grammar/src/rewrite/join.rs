//! By what can a join look its rows up instead of searching?
//!
//! Equalities between an expression of one side and one of the other become keys. `from <= until` and `since < to`, with `from`
//! and `to` of the right side, become a period match, whichever way they are written: a point that lies in a period, two
//! periods that overlap, a period that holds points.

use super::{has_call, may_fail};
use crate::bind::function::call_named;
use crate::plan::{Expr, ExprKind, Node, NodeKind, PeriodEnds, PeriodMatch};
use crate::stack;
use spectradb_kernel::{
    Type, Value,
    ty::{LaneKind, TypeClass},
};

/// Finds keys and periods of all joins.
pub(super) fn node(node: &mut Node) {
    node.for_each_input_mut(&mut |input| stack::deeper(|| self::node(input)));
    let NodeKind::Join(join) = &mut node.kind else { return };
    let left_width = join.left.fields.len();
    let Some(residual) = join.residual.take() else { return };
    let mut rest = Vec::new();
    for condition in residual.into_conjuncts() {
        match key(condition, left_width, &can_be_key) {
            Ok(pair) => join.keys.push(pair),
            Err(condition) => rest.push(condition),
        }
    }
    if join.period.is_none() {
        join.period = period(&mut rest, left_width);
    }
    if join.keys.is_empty() && join.same.is_empty() && join.period.is_none() {
        join.keys.extend(last_resort(&mut rest, left_width));
    }
    join.residual = Expr::conjunction(rest);
}

/// Does the expression read columns, and only of one side?
pub(super) fn is_of(expr: &Expr, left_width: usize, right: bool) -> bool {
    let columns = expr.columns();
    !columns.is_empty() && columns.iter().all(|column| (*column >= left_width) == right)
}

fn moved_left(mut expr: Expr, by: usize) -> Expr {
    expr.map_columns(&mut |column| column - by);
    expr
}

/// May the expression be evaluated for all rows of a side, also where it has no partner to be compared with? Sums, differences
/// and products of numbers and times can only fail at the ends of their ranges.
pub(super) fn can_be_key(expr: &Expr) -> bool {
    let is_number = |arg: &Expr| matches!(arg.ty.lane(), LaneKind::I64 | LaneKind::F64 | LaneKind::I128);
    !has_call(expr, &|function, args| match function.name {
        "+" | "-" | "*" => !args.iter().all(is_number),
        _ => may_fail(function, args),
    })
}

/// Is it a comparison of one side with the other that rows can be looked up by?
pub(super) fn compares_sides(condition: &Expr, left_width: usize) -> bool {
    let are_sides = |one: &Expr, other: &Expr| {
        is_of(one, left_width, false) && is_of(other, left_width, true)
            || is_of(one, left_width, true) && is_of(other, left_width, false)
    };
    match &condition.kind {
        ExprKind::Call { function, args } if function.name == "=" => are_sides(&args[0], &args[1]),
        _ => order(condition).is_some_and(|found| are_sides(found.smaller, found.greater)),
    }
}

/// An equality whose sides may fail, where there is nothing else to look up by: the alternative is to compute both for every
/// pair. As in PostgreSQL a side is computed for all its rows, but for those of which a condition that cannot fail says no.
fn last_resort(rest: &mut Vec<Expr>, left_width: usize) -> Option<(Expr, Expr)> {
    let at = rest.iter().position(|condition| {
        !condition.has_chance() && key(condition.clone(), left_width, &|side| !side.has_subplans()).is_ok()
    })?;
    let (left, right) = key(rest.remove(at), left_width, &|_| true).ok()?;
    let guarded = |side: Expr, of_right: bool| {
        if can_be_key(&side) {
            return side;
        }
        let guards = rest.iter().filter(|guard| !guard.is_fallible() && is_of(guard, left_width, of_right));
        let guards = guards.map(|guard| if of_right { moved_left(guard.clone(), left_width) } else { guard.clone() });
        let Some(condition) = Expr::conjunction(guards.collect()) else { return side };
        let (ty, span) = (side.ty, side.span);
        let none = Box::new(Expr::constant(Value::Null, ty, span));
        Expr { kind: ExprKind::Case { arms: vec![(condition, side)], otherwise: Some(none) }, ty, nullable: true, span }
    };
    Some((guarded(left, false), guarded(right, true)))
}

/// A condition as a pair of keys: the left one over the left fields, the right one over the right fields.
pub(super) fn key(condition: Expr, left_width: usize, may_be: &dyn Fn(&Expr) -> bool) -> Result<(Expr, Expr), Expr> {
    let Expr { kind: ExprKind::Call { function, args }, .. } = &condition else { return Err(condition) };
    if function.name != "=" || !args.iter().all(may_be) || args[0].ty.class() == TypeClass::Json {
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
    /// Is it also true of a `smaller` that is NULL?
    null_is_always: bool,
    /// Is it also true of a `greater` that is NULL?
    null_is_never: bool,
}

impl InOrder<'_> {
    /// Is it true of no NULL?
    fn is_plain(&self) -> bool {
        !self.null_is_always && !self.null_is_never
    }
}

/// A number has a place among 64-bit integers by which ranges are looked up: itself, a real's by its bits, the units of a decimal
/// that is short enough.
fn have_places(one: Type, other: Type) -> bool {
    match (one, other) {
        (Type::Numeric { precision, scale }, Type::Numeric { precision: also, scale: same }) => {
            scale == same && precision.max(also) <= PLACE_DIGITS_MAX
        }
        _ => one.lane() == other.lane() && matches!(one.lane(), LaneKind::I64 | LaneKind::F64),
    }
}

/// Decimals of so many digits fit 64 bits.
const PLACE_DIGITS_MAX: u8 = 18;

/// A number as its place.
fn placed(expr: Expr) -> Expr {
    let span = expr.span;
    match expr.ty.lane() {
        LaneKind::F64 | LaneKind::I128 => call_named("$place", vec![expr], Type::Integer, span),
        _ => expr,
    }
}

fn order(condition: &Expr) -> Option<InOrder<'_>> {
    match &condition.kind {
        ExprKind::Call { function, args } => {
            let [one, other] = args.as_slice() else { return None };
            if !have_places(one.ty, other.ty) {
                return None;
            }
            let (smaller, greater, included) = match function.name {
                "<=" => (one, other, true),
                "<" => (one, other, false),
                ">=" => (other, one, true),
                ">" => (other, one, false),
                _ => return None,
            };
            Some(InOrder { smaller, greater, included, null_is_always: false, null_is_never: false })
        }
        ExprKind::Or(arms) => {
            let [none, some] = arms.as_slice() else { return None };
            let ExprKind::Call { function, args } = &none.kind else { return None };
            let found = order(some).filter(InOrder::is_plain)?;
            let is_of = |expr: &Expr| function.name == "$is_null" && args[0].same(expr);
            let (null_is_always, null_is_never) = (is_of(found.smaller), is_of(found.greater));
            (null_is_always != null_is_never).then_some(InOrder { null_is_always, null_is_never, ..found })
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
    // A side whose ends may be missing is asked about points of the other.
    let is_point = |(begin, end): &(&(usize, InOrder<'_>), &(usize, InOrder<'_>))| {
        let (begin, end) = (&begin.1, &end.1);
        let left_is_point = begin.greater.same(end.smaller) && !begin.null_is_never && !end.null_is_always;
        let right_is_point = begin.smaller.same(end.greater) && !begin.null_is_always && !end.null_is_never;
        let both_missing = begin.null_is_always && end.null_is_never || begin.null_is_never && end.null_is_always;
        (left_is_point || right_is_point) && !both_missing
    };
    let ((begin_at, begin), (end_at, end)) =
        pairs().find(is_point).or_else(|| pairs().find(|((_, begin), (_, end))| begin.is_plain() && end.is_plain()))?;
    let right = |expr: &Expr| placed(moved_left(expr.clone(), left_width));
    let found = PeriodMatch {
        since: placed(end.smaller.clone()),
        until: placed(begin.greater.clone()),
        from: right(begin.smaller),
        to: right(end.greater),
        ends: PeriodEnds {
            from_included: begin.included,
            to_included: end.included,
            open_since: end.null_is_always,
            open_until: begin.null_is_never,
            open_from: begin.null_is_always,
            open_to: end.null_is_never,
        },
    };
    let (begin_at, end_at) = (*begin_at, *end_at);
    conditions.remove(begin_at.max(end_at));
    conditions.remove(begin_at.min(end_at));
    Some(found)
}
