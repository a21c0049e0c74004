//! How is `NOT IN` of rows that may be NULL looked up?
//!
//! `(x, y) NOT IN (SELECT u, v ..)` keeps a row unless some `x = u AND y = v` is true or unknown. Where neither side has a NULL, it
//! is unknown of none: an anti join by keys. What is left of that is asked of the right rows that have a NULL, and the left rows
//! that have one are asked of all right rows, as before; of both there are few, as a rule.
//!
//! Holds: the right side is read up to three times, so it must give the same rows each time. Left rows keep their order.
//! Not here: one column (`IN` of a subplan that is run once knows NULLs), and what names columns around it.

use super::{
    extreme::but_not_false,
    join::{can_be_key, compares_sides, is_of},
    replace,
};
use crate::{
    bind::{function::call_named, unnest::can_fail},
    plan::{Expr, ExprKind, Join, JoinKind, Node, NodeKind},
    span::Span,
    stack,
};
use spectradb_kernel::{Type, Value, ty::TypeClass};

/// Takes the pairs without NULLs out of anti joins, in a node and below it.
pub(super) fn node(node: &mut Node) {
    node.for_each_input_mut(&mut |input| stack::deeper(|| self::node(input)));
    let NodeKind::Join(join) = &node.kind else { return };
    if let Some(equalities) = equalities(join) {
        replace(node, |node| {
            let Node { kind: NodeKind::Join(join), .. } = node else { unreachable!("it was a join a moment ago") };
            apart(*join, equalities)
        });
    }
}

/// The equalities of an anti join that is asked whether they are true or unknown, and nothing else.
fn equalities(join: &Join) -> Option<Vec<Expr>> {
    let stands_alone = join.keys.is_empty() && join.same.is_empty() && join.bindings.is_empty();
    if join.kind != JoinKind::Anti || !stands_alone || join.period.is_some() {
        return None;
    }
    let ExprKind::And(arms) = &but_not_false(join.residual.as_ref()?)?.kind else { return None };
    let left_width = join.left.fields.len();
    let is_equality = |arm: &Expr| {
        matches!(&arm.kind, ExprKind::Call { function, args } if function.name == "=" && args[0].ty.class() != TypeClass::Json)
            && can_be_key(arm)
            && compares_sides(arm, left_width)
    };
    let mut by_chance = false;
    join.right.walk(&mut |node| node.for_each_expr(&mut |expr| by_chance = by_chance || expr.has_chance()));
    let is_same_again = !by_chance && !can_fail(&join.right) && !join.right.changes_by_round();
    (is_same_again && arms.iter().all(is_equality)).then(|| arms.clone())
}

fn apart(join: Join, equalities: Vec<Expr>) -> Node {
    let span = Span::default();
    let left_width = join.left.fields.len();
    let sides = |right: bool| {
        let args = equalities.iter().flat_map(|equality| match &equality.kind {
            ExprKind::Call { args, .. } => args.as_slice(),
            _ => unreachable!("an equality is a call"),
        });
        let of_side = args.filter(move |arg| arg.nullable && is_of(arg, left_width, right));
        let is_null = |arg: &Expr| call_named("$is_null", vec![arg.clone()], Type::Boolean, span);
        any(of_side.map(is_null).collect())
    };
    let (left_null, right_null) = (sides(false), sides(true));
    let residual = join.residual.clone();
    let anti = |join: Join| {
        let fields = join.left.fields.clone();
        Node { kind: NodeKind::Join(Box::new(join)), fields }
    };
    let keyed = Join::on(JoinKind::Anti, join.left, join.right.clone(), Expr::conjunction(equalities.clone()));
    let mut node = anti(keyed);
    if let Some(mut is_null) = right_null {
        is_null.map_columns(&mut |column| column - left_width);
        let right = join.right.clone().filter(is_null);
        node = anti(Join::on(JoinKind::Anti, node, right, residual.clone()));
    }
    if let Some(is_null) = left_null {
        // A row without NULLs has no key, so it is not compared with anything.
        let truth = Expr::constant(Value::Boolean(true), Type::Boolean, span);
        let kind = ExprKind::Case { arms: vec![(is_null, truth.clone())], otherwise: None };
        let key = Expr { kind, ty: Type::Boolean, nullable: true, span };
        let asked = Join::on(JoinKind::Anti, node, join.right, residual);
        node = anti(Join { keys: vec![(key, truth)], ..asked });
    }
    node
}

fn any(mut conditions: Vec<Expr>) -> Option<Expr> {
    match conditions.len() {
        0 | 1 => conditions.pop(),
        _ => {
            let kind = ExprKind::Or(conditions);
            Some(Expr { kind, ty: Type::Boolean, nullable: false, span: Span::default() })
        }
    }
}
