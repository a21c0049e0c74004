//! Which window does a call with OVER mean?
//!
//! Arguments, partition and order are bound over the rows of the block after grouping: they may hold aggregates, not other
//! windows. The call becomes a column of the block's Window node (`group`). Not here: frames (`frame`).

use super::{
    Binder,
    call::Call,
    convert::{Bound, Degree},
    expr::{Ctx, WINDOW_BASE},
    literal, order,
};
use crate::{
    ast,
    diag::{Diag, code, nearest},
    plan::{Expr, ExprKind, Frame, FrameBound, SortKey, WindowCall, WindowFunction},
};
use spectradb_kernel::{Type, agg};

/// Is it a function that has no meaning without OVER?
pub(super) fn is_window_only(name: &str) -> bool {
    matches!(
        name,
        "row_number"
            | "rank"
            | "dense_rank"
            | "lead"
            | "lag"
            | "ntile"
            | "percent_rank"
            | "cume_dist"
            | "first_value"
            | "last_value"
            | "nth_value"
    )
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
            let (code, message) = if super::call::is_known(name) {
                let message = format!("OVER specified, but {name} is not a window function nor an aggregate function");
                (code::WRONG_OBJECT_TYPE, message)
            } else {
                (code::UNDEFINED_FUNCTION, format!("function {name} does not exist"))
            };
            Err(Diag::new(code, message, call.span))
        } else {
            let mut inner = Ctx {
                scope: ctx.scope,
                clause: "a window function's argument",
                aggregates: ctx.aggregates.as_deref_mut(),
                windows: None,
                groupings: ctx.groupings.as_deref_mut(),
                aliases: ctx.aliases,
                named_windows: ctx.named_windows,
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
        let more = call.more.expect("a window call has OVER");
        let over = more.over.as_ref().expect("a window call has OVER");
        let spec = named(over, ctx.named_windows)?;
        if !more.order_by.is_empty() || more.within.is_some() {
            let message = "aggregate ORDER BY is not supported for window functions";
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, call.span).help("order the window"));
        }
        if more.filter.is_some() && is_window_only(name) {
            let message = "FILTER is not supported for window functions that are no aggregates";
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, call.span));
        }
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
            "percent_rank" | "cume_dist" => {
                let which = if name == "cume_dist" { WindowFunction::CumeDist } else { WindowFunction::PercentRank };
                let (function, _, nullable) = no_args(which)?;
                (function, Type::Real, nullable)
            }
            "lead" | "lag" => self.shift(call, ctx)?,
            "ntile" => {
                let count = self.window_arg(call, 0, 1, ctx)?;
                let count = self.coerce(count, Type::Integer, Degree::Implicit)?;
                let nullable = count.nullable;
                (WindowFunction::Ntile(Box::new(count)), Type::Integer, nullable)
            }
            "first_value" | "last_value" | "nth_value" => {
                let arg_count = if name == "nth_value" { 2 } else { 1 };
                let value = self.window_arg(call, 0, arg_count, ctx)?;
                let value = self.settled(value)?;
                let (ty, nullable) = (value.ty, value.nullable || name == "nth_value" || spec.frame.is_some());
                let value = Box::new(value);
                let function = match name {
                    "first_value" => WindowFunction::FirstValue(value),
                    "last_value" => WindowFunction::LastValue(value),
                    _ => {
                        let n = self.window_arg(call, 1, arg_count, ctx)?;
                        let n = Box::new(self.coerce(n, Type::Integer, Degree::Implicit)?);
                        WindowFunction::NthValue { value, n }
                    }
                };
                (function, ty, nullable)
            }
            _ => {
                let super::aggregate::Fold { aggregate, arg, more, order } = self.fold_of(call, ctx)?;
                if !order.is_empty() {
                    let message = format!("OVER is not supported for ordered-set aggregate {name}");
                    return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, call.span));
                }
                let ty = (aggregate.ret)(arg.as_ref().map_or(Type::Integer, |arg| arg.ty));
                // The default frame always holds the row itself.
                let is_default = spec.frame.is_none();
                let nullable =
                    aggregate.null_when_empty && (!is_default || arg.as_ref().is_some_and(|arg| arg.nullable));
                (WindowFunction::Aggregate { aggregate, arg: arg.map(Box::new), more }, ty, nullable)
            }
        };
        let mut partition = Vec::with_capacity(spec.partition_by.len());
        for expr in &spec.partition_by {
            let bound = self.expr(expr, ctx)?;
            partition.push(self.settled(bound)?);
        }
        let mut order = self.window_order(&spec.order_by, ctx)?;
        let frame = match &spec.frame {
            Some(frame) => self.frame(frame, &mut order, &spec, ctx)?,
            None => Frame::running(),
        };
        Ok(WindowCall { function, partition, order, frame, ty, nullable, span: call.span })
    }

    fn window_arg(&mut self, call: &Call<'_>, at: usize, count: usize, ctx: &mut Ctx<'_>) -> Result<Bound, Diag> {
        let name = call.name.text.as_str();
        if call.args.len() != count || call.star {
            let message = format!("function {name} with {} arguments does not exist", call.args.len());
            let help = if count == 1 { "it takes one".to_owned() } else { format!("it takes {count}") };
            return Err(Diag::new(code::UNDEFINED_FUNCTION, message, call.span).help(help));
        }
        self.expr(&call.args[at], ctx)
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

/// The window that OVER means: its own words, on top of those of the named window that it builds on.
fn named(over: &ast::Over, windows: &[(ast::Name, ast::WindowSpec)]) -> Result<ast::WindowSpec, Diag> {
    let find = |name: &ast::Name, windows: &[(ast::Name, ast::WindowSpec)]| {
        let at = windows.iter().position(|(other, _)| other.text == name.text);
        at.ok_or_else(|| {
            let message = format!("window \"{}\" does not exist", name.text);
            let diag = Diag::new(code::UNDEFINED_OBJECT, message, name.span);
            match nearest(&name.text, windows.iter().map(|(other, _)| other.text.as_str())) {
                Some(near) => diag.help(format!("a window named \"{near}\" exists")),
                None => diag,
            }
        })
    };
    // A named window builds on earlier ones only.
    let (mut spec, mut visible) = match over {
        ast::Over::Name(name) => {
            let at = find(name, windows)?;
            (windows[at].1.clone(), at)
        }
        ast::Over::Spec(spec) => (spec.clone(), windows.len()),
    };
    while let Some(base) = spec.base.take() {
        let at = find(&base, &windows[..visible])?;
        let below = &windows[at].1;
        let refuse = |what: &str| {
            let message = format!("cannot override {what} of window \"{}\"", base.text);
            Err(Diag::new(code::WINDOWING, message, base.span))
        };
        if !spec.partition_by.is_empty() {
            return refuse("PARTITION BY clause");
        }
        if !spec.order_by.is_empty() && !below.order_by.is_empty() {
            return refuse("ORDER BY clause");
        }
        if below.frame.is_some() {
            let message = format!("cannot copy window \"{}\" because it has a frame clause", base.text);
            return Err(Diag::new(code::WINDOWING, message, base.span).help("write OVER with the name alone"));
        }
        spec.partition_by = below.partition_by.clone();
        if spec.order_by.is_empty() {
            spec.order_by = below.order_by.clone();
        }
        spec.base = below.base.clone();
        visible = at;
    }
    Ok(spec)
}

/// Do both compute the same?
fn same(a: &WindowCall, b: &WindowCall) -> bool {
    fn parts(call: &WindowCall) -> Vec<&Expr> {
        let mut parts = Vec::new();
        crate::plan::parts::window_exprs(call, &mut |expr| parts.push(expr));
        parts
    }
    let same_function = match (&a.function, &b.function) {
        (WindowFunction::PercentRank, WindowFunction::PercentRank)
        | (WindowFunction::CumeDist, WindowFunction::CumeDist)
        | (WindowFunction::Ntile(_), WindowFunction::Ntile(_))
        | (WindowFunction::FirstValue(_), WindowFunction::FirstValue(_))
        | (WindowFunction::LastValue(_), WindowFunction::LastValue(_))
        | (WindowFunction::NthValue { .. }, WindowFunction::NthValue { .. })
        | (WindowFunction::RowNumber, WindowFunction::RowNumber)
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
    let kind = |bound: &FrameBound| std::mem::discriminant(bound);
    let frames = (a.frame.unit, a.frame.exclude) == (b.frame.unit, b.frame.exclude)
        && kind(&a.frame.start) == kind(&b.frame.start)
        && kind(&a.frame.end) == kind(&b.frame.end);
    same_function
        && frames
        && orders
        && a.partition.len() == b.partition.len()
        && a_parts.len() == b_parts.len()
        && a_parts.iter().zip(b_parts).all(|(a, b)| a.same(b))
}
