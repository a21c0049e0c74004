//! When does one row of the right side tell whether there is a partner?
//!
//! A semi or anti join with nothing but equalities and one comparison by size: whether some `x > 5` is there is known from the
//! greatest `x`, of each key. So the right side is grouped by its keys, and each left row is compared with one value. `ALL` and
//! `NOT IN` ask whether the comparison is true or unknown: then a NULL on the right, of which the greatest knows nothing, is
//! counted besides.
//!
//! Holds: the comparison is asked where it was not asked before only if it cannot fail there (`can_be_key`).
//! Not here: two comparisons that make a period (`join`), which are looked up.

use super::{
    join::{can_be_key, is_of},
    replace,
};
use crate::{
    bind::{function::call_named, unnest::call},
    plan::{Expr, ExprKind, Field, Join, JoinKind, Node, NodeKind},
    span::Span,
    stack,
};
use spectradb_kernel::{
    Type, Value,
    agg::{self, Aggregate},
    ty::TypeClass,
};

/// Groups the right sides of which only the greatest or least row matters, in a node and below it.
pub(super) fn node(node: &mut Node) {
    node.for_each_input_mut(&mut |input| stack::deeper(|| self::node(input)));
    let NodeKind::Join(join) = &node.kind else { return };
    if found(join).is_some() {
        replace(node, |node| {
            let Node { kind: NodeKind::Join(join), fields } = node else { unreachable!("it was a join a moment ago") };
            Node { kind: NodeKind::Join(Box::new(grouped(*join))), fields }
        });
    }
}

/// What is compared by size.
struct Comparison<'e> {
    /// `<` and its kin, as it is written.
    call: &'e Expr,
    /// Which of its arguments is of the right side.
    right_at: usize,
    /// `min` or `max`.
    aggregate: &'static Aggregate,
    /// Is a row a partner also where the comparison is unknown?
    or_unknown: bool,
}

fn found(join: &Join) -> Option<Comparison<'_>> {
    if !matches!(join.kind, JoinKind::Semi | JoinKind::Anti) || join.period.is_some() {
        return None;
    }
    let residual = join.residual.as_ref()?;
    let (call, or_unknown) = match but_not_false(residual) {
        Some(call) => (call, true),
        None => (residual, false),
    };
    let ExprKind::Call { function, args } = &call.kind else { return None };
    let [one, other] = args.as_slice() else { return None };
    let left_width = join.left.fields.len();
    let right_at = match (is_of(one, left_width, false), is_of(other, left_width, true)) {
        (true, true) => 1,
        (false, false) if is_of(one, left_width, true) && is_of(other, left_width, false) => 0,
        _ => return None,
    };
    let greatest = match function.name {
        "<" | "<=" => right_at == 1,
        ">" | ">=" => right_at == 0,
        _ => return None,
    };
    let class = args[right_at].ty.class();
    // The order of arrays is not that of their bytes.
    if matches!(class, TypeClass::Array | TypeClass::Json) || !can_be_key(call) {
        return None;
    }
    let aggregate = agg::find(if greatest { "max" } else { "min" }, Some(class))?;
    let keys_are_safe = join.keys.iter().chain(&join.same).all(|(_, right)| can_be_key(right));
    keys_are_safe.then_some(Comparison { call, right_at, aggregate, or_unknown })
}

/// `NOT (condition IS FALSE)`
pub(super) fn but_not_false(expr: &Expr) -> Option<&Expr> {
    let argument_of = |expr: &'_ Expr, name: &str| match &expr.kind {
        ExprKind::Call { function, args } if function.name == name => Some(0).filter(|_| args.len() == 1),
        _ => None,
    };
    argument_of(expr, "not")?;
    let ExprKind::Call { args, .. } = &expr.kind else { return None };
    argument_of(&args[0], "$is_false")?;
    let ExprKind::Call { args, .. } = &args[0].kind else { return None };
    args.first()
}

/// The join with one right row for each key.
fn grouped(join: Join) -> Join {
    let comparison = found(&join).expect("it was found a moment ago");
    let span = Span::default();
    let left_width = join.left.fields.len();
    let ExprKind::Call { function, args } = &comparison.call.kind else { unreachable!("a comparison is a call") };
    let mut value = args[comparison.right_at].clone();
    value.map_columns(&mut |column| column - left_width);
    let (ty, is_nullable) = (value.ty, value.nullable);
    let pairs = || join.keys.iter().chain(&join.same);
    let group: Vec<Expr> = pairs().map(|(_, right)| right.clone()).collect();
    let key_count = group.len();
    let names = (1..).map(|at| format!("?key{at}?"));
    let mut fields: Vec<Field> =
        (names.zip(&group)).map(|(name, key)| Field { name, ty: key.ty, nullable: key.nullable }).collect();
    fields.push(Field { name: comparison.aggregate.name.to_owned(), ty, nullable: true });
    let mut aggregates = vec![call(comparison.aggregate, Some(value.clone()), ty, span)];
    if comparison.or_unknown {
        let count = |class| agg::find("count", class).expect("every class is counted");
        aggregates.push(call(count(None), None, Type::Integer, span));
        aggregates.push(call(count(Some(ty.class())), Some(value), Type::Integer, span));
        let field = |name: &str| Field { name: name.to_owned(), ty: Type::Integer, nullable: false };
        fields.extend([field("rows"), field("known")]);
    }
    let beside = |at: usize| {
        let field = &fields[key_count + at];
        let kind = ExprKind::Column(left_width + key_count + at);
        Expr { kind, ty: field.ty, nullable: field.nullable, span }
    };
    let mut args = args.clone();
    args[comparison.right_at] = beside(0);
    let kind = ExprKind::Call { function, args };
    let compared = Expr { kind, nullable: true, ..comparison.call.clone() };
    let boolean = |name: &str, args: Vec<Expr>| call_named(name, args, Type::Boolean, span);
    let residual = match comparison.or_unknown {
        false => compared,
        true => {
            let unknown = boolean("<", vec![beside(2), beside(1)]);
            let mut partner = boolean("not", vec![boolean("$is_false", vec![compared])]);
            if is_nullable {
                partner = Expr { kind: ExprKind::Or(vec![unknown, partner]), ty: Type::Boolean, nullable: false, span };
            }
            // Without keys there is a row even where there is none to be counted.
            let zero = Expr::constant(Value::Integer(0), Type::Integer, span);
            let is_there = boolean(">", vec![beside(1), zero]);
            Expr { kind: ExprKind::And(vec![is_there, partner]), ty: Type::Boolean, nullable: false, span }
        }
    };
    let column = |at: usize| {
        let field = &fields[at];
        Expr { kind: ExprKind::Column(at), ty: field.ty, nullable: field.nullable, span }
    };
    let mut keys: Vec<(Expr, Expr)> = pairs().enumerate().map(|(at, (left, _))| (left.clone(), column(at))).collect();
    let same = keys.split_off(join.keys.len());
    let kind = NodeKind::Aggregate { input: Box::new(join.right), group, aggregates };
    let right = Node { kind, fields };
    Join {
        kind: join.kind,
        left: join.left,
        right,
        keys,
        same,
        period: None,
        residual: Some(residual),
        bindings: join.bindings,
    }
}
