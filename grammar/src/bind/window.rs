//! Which window does a call with OVER mean?
//!
//! Arguments, partition and order are bound over the rows of the block after grouping: they may hold aggregates, not other
//! windows. The call becomes a column of the block's Window node (`group`).

use super::{
    Binder,
    call::Call,
    convert::Degree,
    expr::{Ctx, WINDOW_BASE},
    literal, order,
};
use crate::{
    ast,
    diag::{Diag, code},
    plan::{Expr, ExprKind, SortKey, WindowCall, WindowFunction},
};
use spectradb_kernel::{Type, agg};

/// Is it a function that has no meaning without OVER?
pub(super) fn is_window_only(name: &str) -> bool {
    matches!(name, "row_number" | "rank" | "dense_rank" | "lead" | "lag")
}

impl Binder<'_> {
    pub(super) fn window(&mut self, call: &Call<'_>, ctx: &mut Ctx<'_>) -> Result<Expr, Diag> {
        let name = call.name.text.as_str();
        if ctx.in_aggregate {
            return Err(Diag::new(
                code::GROUPING,
                "aggregate function calls cannot contain window function calls",
                call.span,
            ));
        }
        if ctx.in_window {
            return Err(Diag::new(code::WINDOWING, "window function calls cannot be nested", call.span)
                .help("compute the inner one in a subquery in FROM"));
        }
        let Some(windows) = ctx.windows.take() else {
            let message = format!("window functions are not allowed in {}", ctx.clause);
            return Err(Diag::new(code::WINDOWING, message, call.span)
                .help("compute it in a subquery in FROM and use its column here"));
        };
        let is_aggregate = agg::all().any(|aggregate| aggregate.name == name);
        let bound = if !is_window_only(name) && !is_aggregate {
            let message = format!("OVER specified, but {name} is not a window function nor an aggregate function");
            Err(Diag::new(code::WRONG_OBJECT_TYPE, message, call.span))
        } else {
            let mut inner = Ctx {
                scope: ctx.scope,
                clause: "a window function's argument",
                aggregates: ctx.aggregates.as_deref_mut(),
                windows: None,
                in_aggregate: false,
                in_window: true,
            };
            self.window_call(call, &mut inner)
        };
        let expr = bound.map(|new| {
            let (ty, nullable) = (new.ty, new.nullable);
            let idx = match windows.iter().position(|old| same(old, &new)) {
                Some(idx) => idx,
                None => {
                    windows.push(new);
                    windows.len() - 1
                }
            };
            Expr { kind: ExprKind::Column(WINDOW_BASE + idx), ty, nullable, span: call.span }
        });
        ctx.windows = Some(windows);
        expr
    }

    fn window_call(&mut self, call: &Call<'_>, ctx: &mut Ctx<'_>) -> Result<WindowCall, Diag> {
        let name = call.name.text.as_str();
        if call.distinct {
            let message = "DISTINCT is not supported for window functions";
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, call.span));
        }
        let spec = call.over.expect("a window call has OVER");
        let no_args = |function: WindowFunction| {
            if call.args.is_empty() && !call.star {
                Ok((function, Type::Integer, false))
            } else {
                let message = format!("function {name} with arguments does not exist");
                Err(Diag::new(code::UNDEFINED_FUNCTION, message, call.span).help(format!("write {name}()")))
            }
        };
        let (function, ty, nullable) = match name {
            "row_number" => no_args(WindowFunction::RowNumber)?,
            "rank" => no_args(WindowFunction::Rank)?,
            "dense_rank" => no_args(WindowFunction::DenseRank)?,
            "lead" | "lag" => self.shift(call, ctx)?,
            _ => {
                let (aggregate, arg) = self.fold_of(call, ctx)?;
                let ty = (aggregate.ret)(arg.as_ref().map_or(Type::Integer, |arg| arg.ty));
                // The frame always holds the row itself.
                let nullable = aggregate.null_when_empty && arg.as_ref().is_some_and(|arg| arg.nullable);
                (WindowFunction::Aggregate { aggregate, arg: arg.map(Box::new) }, ty, nullable)
            }
        };
        let mut partition = Vec::with_capacity(spec.partition_by.len());
        for expr in &spec.partition_by {
            let bound = self.expr(expr, ctx)?;
            partition.push(self.settled(bound)?);
        }
        let order = self.window_order(&spec.order_by, ctx)?;
        Ok(WindowCall { function, partition, order, ty, nullable, span: call.span })
    }

    fn window_order(&mut self, items: &[ast::OrderItem], ctx: &mut Ctx<'_>) -> Result<Vec<SortKey>, Diag> {
        let mut keys = Vec::with_capacity(items.len());
        for item in items {
            let bound = self.expr(&item.expr, ctx)?;
            keys.push(order::key(item, self.settled(bound)?));
        }
        Ok(keys)
    }

    /// `lag(value [, offset [, default]])` and `lead`
    fn shift(&mut self, call: &Call<'_>, ctx: &mut Ctx<'_>) -> Result<(WindowFunction, Type, bool), Diag> {
        let name = call.name.text.as_str();
        let (value, rest) = match call.args {
            [value, rest @ ..] if rest.len() <= 2 && !call.star => (value, rest),
            _ => {
                let message = format!("function {name} with {} arguments does not exist", call.args.len());
                return Err(Diag::new(code::UNDEFINED_FUNCTION, message, call.span)
                    .help(format!("write {name}(value), {name}(value, offset) or {name}(value, offset, default)")));
            }
        };
        let value = self.expr(value, ctx)?;
        let offset = match rest.first() {
            None => literal::integer(1, call.span),
            Some(offset) => {
                let offset = self.expr(offset, ctx)?;
                self.coerce(offset, Type::Integer, Degree::Implicit)?
            }
        };
        let (value, default) = match rest.get(1) {
            None => (self.settled(value)?, None),
            Some(default) => {
                let default = self.expr(default, ctx)?;
                let (mut both, _) = self.common(vec![value, default], &name.to_uppercase())?;
                let default = both.pop().expect("two went in");
                (both.pop().expect("two went in"), Some(default))
            }
        };
        // An offset that is NULL gives NULL.
        let nullable = value.nullable || offset.nullable || default.as_ref().is_none_or(|default| default.nullable);
        let ty = match &default {
            Some(default) => super::convert::numeric_or(value.ty, default.ty),
            None => value.ty,
        };
        let function = WindowFunction::Shift {
            value: Box::new(value),
            offset: Box::new(offset),
            default: default.map(Box::new),
            forward: name == "lead",
        };
        Ok((function, ty, nullable))
    }
}

/// Do both compute the same?
fn same(a: &WindowCall, b: &WindowCall) -> bool {
    fn parts(call: &WindowCall) -> Vec<&Expr> {
        let mut parts = Vec::new();
        crate::plan::visit::window_exprs(call, &mut |expr| parts.push(expr));
        parts
    }
    let same_function = match (&a.function, &b.function) {
        (WindowFunction::RowNumber, WindowFunction::RowNumber)
        | (WindowFunction::Rank, WindowFunction::Rank)
        | (WindowFunction::DenseRank, WindowFunction::DenseRank) => true,
        (
            WindowFunction::Shift { forward: a, default: x, .. },
            WindowFunction::Shift { forward: b, default: y, .. },
        ) => a == b && x.is_some() == y.is_some(),
        (WindowFunction::Aggregate { aggregate: a, .. }, WindowFunction::Aggregate { aggregate: b, .. }) => a == b,
        _ => false,
    };
    let orders = a.order.len() == b.order.len()
        && a.order.iter().zip(&b.order).all(|(a, b)| (a.descending, a.nulls_first) == (b.descending, b.nulls_first));
    let (a_parts, b_parts) = (parts(a), parts(b));
    same_function
        && orders
        && a.partition.len() == b.partition.len()
        && a_parts.len() == b_parts.len()
        && a_parts.iter().zip(b_parts).all(|(a, b)| a.same(b))
}
