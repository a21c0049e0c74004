//! What is a call of constants worth?
//!
//! The kernel's own loop computes it over columns of one row, so a constant cannot differ from what a query would compute.

use crate::plan::{Expr, ExprKind};
use spectradb_kernel::{
    Column, Type, Value,
    func::{Function, RowFault},
    pause,
};

/// The value of a call of constants; `None` when an argument is no constant.
pub(crate) fn evaluate(function: &Function, args: &[Expr], ty: Type) -> Option<Result<Value, RowFault>> {
    // What needs no argument comes by chance.
    if args.is_empty() {
        return None;
    }
    let mut columns = Vec::with_capacity(args.len());
    for arg in args {
        let ExprKind::Const(value) = &arg.kind else { return None };
        columns.push(Column::constant(arg.ty, value.clone(), 1));
    }
    let called = (function.batch)(&columns, 1);
    // What was stopped stays a call.
    (!pause::has_stopped()).then(|| {
        called.map(|column| {
            let column = if ty == column.ty() { column } else { column.with_ty(ty) };
            column.value(0)
        })
    })
}

/// The expression with its calls of constants computed, as far as they can be without a fault.
pub(super) fn fold(mut expr: Expr) -> Expr {
    // An arm of CASE that is NULL is never NULL behind its own condition; folded, nothing would tell.
    if expr.any(&mut |part| matches!(part.kind, ExprKind::Case { .. })) {
        return expr;
    }
    expr.walk_mut(&mut |part| {
        if let ExprKind::Call { function, args } = &part.kind
            && let Some(Ok(value)) = evaluate(function, args, part.ty)
        {
            *part = Expr::constant(value, part.ty, part.span);
        }
    });
    expr
}
