//! Which parts of expressions are known now?
//!
//! Calls of constants are computed by the kernel's own loops; AND, OR and CASE drop arms that constants decide. A call that
//! fails stays: it fails when, and only if, a row asks for it.

use crate::{
    bind::constant,
    plan::{Expr, ExprKind, Node},
    stack,
};
use spectradb_kernel::{Type, Value};

/// Folds all expressions of a node and of those below it.
pub(super) fn node(node: &mut Node) {
    node.for_each_input_mut(&mut |input| stack::deeper(|| self::node(input)));
    node.for_each_expr_mut(&mut expr);
}

pub(super) fn expr(expr: &mut Expr) {
    expr.walk_mut(&mut fold);
}

fn truth(expr: &Expr) -> Option<Option<bool>> {
    match &expr.kind {
        ExprKind::Const(Value::Boolean(value)) => Some(Some(*value)),
        ExprKind::Const(Value::Null) => Some(None),
        _ => None,
    }
}

fn fold(expr: &mut Expr) {
    match &mut expr.kind {
        ExprKind::Column(_)
        | ExprKind::Param(_)
        | ExprKind::Context(_)
        | ExprKind::Const(_)
        | ExprKind::Outer(_)
        | ExprKind::Subplan { .. } => {}
        ExprKind::Call { function, args } => {
            if let Some(Ok(value)) = constant::evaluate(function, args, expr.ty) {
                *expr = Expr::constant(value, expr.ty, expr.span);
                return;
            }
            // What cannot be NULL is not asked whether it is.
            let certain = match (function.name, args.as_slice()) {
                ("$is_null", [arg]) if !arg.nullable && !arg.is_fallible() => Some(false),
                ("$is_not_null", [arg]) if !arg.nullable && !arg.is_fallible() => Some(true),
                _ => None,
            };
            if let Some(value) = certain {
                *expr = Expr::constant(Value::Boolean(value), Type::Boolean, expr.span);
            }
        }
        ExprKind::And(_) | ExprKind::Or(_) => fold_arms(expr),
        ExprKind::Case { .. } => fold_case(expr),
    }
}

/// AND and OR: a neutral arm goes, a deciding one ends the list, nested ones are spread.
fn fold_arms(expr: &mut Expr) {
    let (arms, deciding) = match &mut expr.kind {
        ExprKind::And(arms) => (std::mem::take(arms), false),
        ExprKind::Or(arms) => (std::mem::take(arms), true),
        _ => unreachable!("only AND and OR have arms"),
    };
    let mut kept: Vec<Expr> = Vec::with_capacity(arms.len());
    for arm in arms {
        match arm.kind {
            ExprKind::And(inner) if !deciding => kept.extend(inner),
            ExprKind::Or(inner) if deciding => kept.extend(inner),
            kind => kept.push(Expr { kind, ..arm }),
        }
    }
    kept.retain(|arm| truth(arm) != Some(Some(!deciding)));
    if let Some(end) = kept.iter().position(|arm| truth(arm) == Some(Some(deciding))) {
        kept.truncate(end + 1);
        // Arms before the deciding one may fail; only if none does is the whole known.
        if !kept.iter().any(Expr::is_fallible) {
            *expr = Expr::constant(Value::Boolean(deciding), Type::Boolean, expr.span);
            return;
        }
    }
    match kept.len() {
        0 => *expr = Expr::constant(Value::Boolean(!deciding), Type::Boolean, expr.span),
        1 => *expr = kept.pop().expect("there is one"),
        _ => {
            expr.nullable = kept.iter().any(|arm| arm.nullable);
            expr.kind = if deciding { ExprKind::Or(kept) } else { ExprKind::And(kept) };
        }
    }
}

fn fold_case(expr: &mut Expr) {
    let ExprKind::Case { arms, otherwise } = &mut expr.kind else { unreachable!("a CASE is folded") };
    arms.retain(|(condition, _)| !matches!(truth(condition), Some(Some(false) | None)));
    if let Some(certain) = arms.iter().position(|(condition, _)| truth(condition) == Some(Some(true))) {
        arms.truncate(certain + 1);
        let (_, value) = arms.pop().expect("the certain arm is the last one");
        *otherwise = Some(Box::new(value));
    }
    if arms.is_empty() {
        let (ty, span) = (expr.ty, expr.span);
        let value = otherwise.take().map_or_else(|| Expr::constant(Value::Null, ty, span), |otherwise| *otherwise);
        // The CASE may promise more than its last arm does (its condition was proof): then it stays.
        if !value.nullable || expr.nullable {
            *expr = value;
        } else {
            *otherwise = Some(Box::new(value));
            expr.nullable = true;
        }
    }
}
