//! When is a value searched for in a list, instead of being compared with each of its values?
//!
//! `x IN (1, 2, ..)`, or as many equalities written with OR, whose values are known now and of one class: from so many values on
//! one search in the list, in rising order and each once, is less than the comparisons. An arm with a NULL, or with a value
//! that only a row knows, stays an arm.
//! Keys and skippable blocks were found before (`scan`): this is about what is left to be asked for each row.

use crate::{
    bind::function,
    plan::{Expr, ExprKind, Node},
    stack,
};
use spectradb_kernel::{
    Type, Value,
    array::Array,
    ty::{ElementType, TypeClass},
};

/// A list of fewer values is compared one by one.
const LISTED_MIN: usize = 24;

/// Lists in all expressions of a node and of those below it.
pub(super) fn node(node: &mut Node) {
    node.for_each_input_mut(&mut |input| stack::deeper(|| self::node(input)));
    node.for_each_expr_mut(&mut |expr| expr.walk_mut(&mut listed));
}

/// `x = value`, with a value that can stand in a list.
fn equality(arm: &Expr) -> Option<(&Expr, &Value)> {
    let ExprKind::Call { function, args } = &arm.kind else { return None };
    let ("=", [x, Expr { kind: ExprKind::Const(value), .. }]) = (function.name, args.as_slice()) else { return None };
    (has_order(value) && value.class() == Some(x.ty.class())).then_some((x, value))
}

fn listed(expr: &mut Expr) {
    let ExprKind::Or(arms) = &mut expr.kind else { return };
    if arms.len() < LISTED_MIN {
        return;
    }
    let Some((at, (x, _))) = arms.iter().enumerate().find_map(|(at, arm)| Some((at, equality(arm)?))) else { return };
    if x.has_chance() {
        return;
    }
    let x = x.clone();
    let is_listed = |arm: &Expr| equality(arm).is_some_and(|(one, _)| one.same(&x));
    if arms.iter().filter(|arm| is_listed(arm)).count() < LISTED_MIN {
        return;
    }
    let (these, mut rest): (Vec<Expr>, Vec<Expr>) = std::mem::take(arms).into_iter().partition(is_listed);
    let span = these[0].span;
    let mut values: Vec<Value> = these.iter().filter_map(|arm| Some(equality(arm)?.1.clone())).collect();
    values.sort_unstable_by(|a, b| order(a).cmp(&order(b)));
    values.dedup();
    let element = ElementType::of(x.ty.plain()).expect("there are arrays of such values");
    let list = Expr::constant(Value::Array(Array::of(element, &values)), Type::Array(element), span);
    let found = function::call_named("$listed", vec![x, list], Type::Boolean, span);
    if rest.is_empty() {
        *expr = found;
        return;
    }
    // Where the first of them was: what came before it is still asked before it.
    rest.insert(at, found);
    let nullable = rest.iter().any(|arm| arm.nullable);
    *expr = Expr { kind: ExprKind::Or(rest), ty: Type::Boolean, nullable, span: expr.span };
}

/// Has it an order of its own that is the order of numbers or of bytes? An INTERVAL has not, nor has -0.0.
fn has_order(value: &Value) -> bool {
    let is_plain = |class| !matches!(class, TypeClass::Boolean | TypeClass::Interval);
    let is_number = value.lane_i64().is_some() || value.lane_i128().is_some();
    (is_number && value.class().is_some_and(is_plain)) || matches!(value, Value::Text(_))
}

/// How the values of one class follow each other, as the kernel's comparisons say.
fn order(value: &Value) -> (Option<i64>, Option<i128>, &str) {
    let text = if let Value::Text(text) = value { text.as_str() } else { "" };
    (value.lane_i64(), value.lane_i128(), text)
}
