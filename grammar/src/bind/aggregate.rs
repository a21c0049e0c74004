//! Which aggregate does a call mean, and may it stand where it stands?
//!
//! An aggregate's argument is bound over the rows of the FROM; the call itself becomes a column of the Aggregate node that
//! the block is put together with (`group`). The same call twice is folded once.

use super::{
    Binder,
    call::Call,
    convert::{Bound, Degree, allows},
    expr::{AGGREGATE_BASE, Ctx},
    order,
    predicate::case_of,
};
use crate::{
    ast,
    diag::{Diag, code},
    plan::{AggregateCall, Expr, ExprKind, SortKey},
    span::Span,
};
use spectradb_kernel::{
    Type, Value,
    agg::{self, Aggregate},
    array::Array,
    ty::TypeClass,
};

impl Binder<'_> {
    pub(super) fn aggregate(&mut self, call: &Call<'_>, ctx: &mut Ctx<'_>) -> Result<Expr, Diag> {
        if ctx.in_aggregate {
            return Err(Diag::new(code::GROUPING, "aggregate function calls cannot be nested", call.span)
                .help("compute the inner one in a subquery in FROM"));
        }
        if ctx.aggregates.is_none() && self.outer.is_empty() {
            return Err(not_allowed(ctx.clause, call.span));
        }
        let asked_before: Vec<usize> = self.outer.iter().map(|frame| frame.args.len()).collect();
        let mut fold = self.aggregate_arg(call, ctx)?;
        if let Some(at) = self.owner_of(&mut fold, &asked_before) {
            let frame = &mut self.outer[at];
            let Some(aggregates) = &mut frame.aggregates else { return Err(not_allowed(frame.clause, call.span)) };
            let column = collected(fold, call, aggregates)?;
            return Ok(self.through(at, column));
        }
        match ctx.aggregates.as_deref_mut() {
            Some(aggregates) => collected(fold, call, aggregates),
            None => Err(not_allowed(ctx.clause, call.span)),
        }
    }

    /// The block around whose rows an aggregate folds: it names columns of that block, and none further in. What it folds
    /// is over that block's rows then, and the subqueries between need not ask for it.
    fn owner_of(&mut self, fold: &mut Fold, asked_before: &[usize]) -> Option<usize> {
        let is_around = |expr: &Expr| expr.any(&mut |part| matches!(part.kind, ExprKind::Outer(_)));
        let mut at = self.outer.len();
        while fold.exprs().any(is_around) && !fold.exprs().any(Expr::has_columns) {
            at -= 1;
            let args = self.outer[at].args.clone();
            fold.for_each_expr_mut(&mut |expr| *expr = super::unnest::with_args(expr, &|arg| args[arg].clone()));
            self.outer[at].args.truncate(asked_before[at]);
        }
        (at < self.outer.len()).then_some(at)
    }

    /// The aggregate with its argument, which is bound without aggregates and windows.
    fn aggregate_arg(&mut self, call: &Call<'_>, ctx: &Ctx<'_>) -> Result<Fold, Diag> {
        let mut inner = Ctx {
            scope: ctx.scope,
            clause: "an aggregate function's argument",
            aggregates: None,
            windows: None,
            groupings: None,
            aliases: &[],
            named_windows: &[],
            in_aggregate: true,
            in_window: ctx.in_window,
        };
        self.fold_of(call, &mut inner)
    }

    /// The aggregate that a call names, with its arguments bound in `ctx`. All aggregates leave NULLs out, so a FILTER is a
    /// CASE around the argument.
    pub(super) fn fold_of(&mut self, call: &Call<'_>, ctx: &mut Ctx<'_>) -> Result<Fold, Diag> {
        let name = call.name.text.as_str();
        let nothing = ast::CallMore::default();
        let said = call.more.unwrap_or(&nothing);
        let filter = match &said.filter {
            Some(filter) => {
                let clause = std::mem::replace(&mut ctx.clause, "FILTER");
                let filter = self.condition(filter, ctx);
                ctx.clause = clause;
                Some(filter?)
            }
            None => None,
        };
        if call.star || (call.args.is_empty() && name == "count") {
            let Some(aggregate) = agg::find(name, None).filter(|_| call.star) else {
                let message = if call.star {
                    format!("function {name}(*) does not exist")
                } else {
                    format!("{name}(*) must be used to call a parameterless aggregate function")
                };
                let code = if call.star { code::UNDEFINED_FUNCTION } else { code::WRONG_OBJECT_TYPE };
                return Err(Diag::new(code, message, call.span));
            };
            // Rows that a filter lets through are counted by a value that the others do not have.
            let Some(filter) = filter else {
                return Ok(Fold { aggregate, arg: None, more: Vec::new(), order: Vec::new() });
            };
            let yes = Expr::constant(Value::Boolean(true), Type::Boolean, call.span);
            let arg = Some(filtered(Some(&filter), yes));
            let aggregate = agg::find(name, Some(TypeClass::Boolean)).expect("count takes a BOOLEAN");
            return Ok(Fold { aggregate, arg, more: Vec::new(), order: Vec::new() });
        }
        if let "json_agg" | "jsonb_agg" | "json_object_agg" | "jsonb_object_agg" = name
            && call.args.len() == if name.contains("object") { 2 } else { 1 }
        {
            return self.json_fold(call, said, filter.as_ref(), ctx);
        }
        if name == "array_agg"
            && let [arg] = call.args
        {
            return self.array_fold(arg, said, filter.as_ref(), call.span, ctx);
        }
        if is_ordered_set(name) {
            return self.ordered_set(call, said, filter.as_ref(), ctx);
        }
        if said.within.is_some() {
            let message = format!("{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP");
            return Err(Diag::new(code::WRONG_OBJECT_TYPE, message, call.span));
        }
        let (arg, rest) = match call.args {
            [arg, rest @ ..] if candidates(name).any(|aggregate| aggregate.more.len() == rest.len()) => (arg, rest),
            _ => {
                let message = format!("function {name} with {} arguments does not exist", call.args.len());
                let takes = candidates(name).map(|aggregate| aggregate.more.len() + 1).min().unwrap_or(1);
                let help = match takes {
                    1 => format!("{name} takes one argument"),
                    count => format!("{name} takes {count} arguments"),
                };
                return Err(Diag::new(code::UNDEFINED_FUNCTION, message, call.name.span).help(help));
            }
        };
        let mut arg = self.expr(arg, ctx)?;
        // A time of day is added up as the time since midnight that it is.
        if matches!(name, "sum" | "avg") && arg.class() == Some(TypeClass::Time) {
            arg = Bound::known(self.coerce(arg, Type::Interval, Degree::Explicit)?);
        }
        // A quoted text is a number or an INTERVAL to the same degree.
        if matches!(name, "sum" | "avg")
            && arg.class().is_none()
            && matches!(super::literal::value(&arg.expr), Some(Value::Text(_)))
        {
            let message = format!("function {name}(unknown) is not unique");
            return Err(Diag::new(code::AMBIGUOUS_FUNCTION, message, call.name.span)
                .help("say the type of the argument: '1'::INTEGER"));
        }
        let Some(aggregate) = resolve(name, &arg) else {
            let message = format!("function {name}({}) does not exist", arg.type_name());
            let mut classes: Vec<&str> =
                candidates(name).filter_map(|aggregate| aggregate.arg).map(TypeClass::name).collect();
            classes.dedup();
            return Err(Diag::new(code::UNDEFINED_FUNCTION, message, call.name.span)
                .help(format!("{name} takes {}", classes.join(", "))));
        };
        let class = aggregate.arg.expect("an aggregate with an argument was looked for");
        let arg = self.coerce_class(arg, class, Degree::Implicit)?;
        let mut more = Vec::with_capacity(rest.len());
        for (arg, class) in rest.iter().zip(aggregate.more) {
            let arg = self.expr(arg, ctx)?;
            more.push(self.coerce_class(arg, *class, Degree::Implicit)?);
        }
        let order = self.keys(&said.order_by, ctx)?;
        Ok(Fold { aggregate, arg: Some(filtered(filter.as_ref(), arg)), more, order })
    }

    /// Values as JSON, of which an array or an object is made.
    fn json_fold(
        &mut self,
        call: &Call<'_>,
        said: &ast::CallMore,
        filter: Option<&Expr>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Fold, Diag> {
        let name = call.name.text.as_str();
        let last = self.expr(call.args.last().expect("there is one"), ctx)?;
        let value = self.json_or_null(last, name.starts_with("jsonb"), call.span)?;
        let order = self.keys(&said.order_by, ctx)?;
        let found = |class| agg::find(name, Some(class)).expect("the kernel has the aggregates of JSON");
        if call.args.len() == 1 {
            let arg = Some(filtered(filter, value));
            return Ok(Fold { aggregate: found(TypeClass::Json), arg, more: Vec::new(), order });
        }
        let key = self.expr(&call.args[0], ctx)?;
        let key = self.object_key(key, name.starts_with("jsonb"), call.span)?;
        let arg = Some(filtered(filter, key));
        Ok(Fold { aggregate: found(TypeClass::Text), arg, more: vec![value], order })
    }

    /// Values as arrays of one, of which an array is made.
    fn array_fold(
        &mut self,
        arg: &ast::Expr,
        said: &ast::CallMore,
        filter: Option<&Expr>,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Fold, Diag> {
        let value = self.expr(arg, ctx)?;
        let value = self.settled(value)?;
        let given = match value.ty {
            // An array that is NULL has no shape, as an empty one has none.
            Type::Array(element) => {
                let none = Expr::constant(Value::Array(Array::of(element, &[])), value.ty, span);
                self.coalesce(vec![value.clone(), none], span)?
            }
            _ => value.clone(),
        };
        let one = self.one(given, span)?;
        let one = filtered(filter, one);
        let mut order = Vec::with_capacity(said.order_by.len());
        for mut key in self.keys(&said.order_by, ctx)? {
            // Arrays of one are ordered as their elements, but for NULL where the order says so.
            if key.expr.same(&value) {
                if key.nulls_first != key.descending {
                    let is_null = super::function::call_named("$is_null", vec![value.clone()], Type::Boolean, span);
                    order.push(SortKey { expr: is_null, descending: key.nulls_first, nulls_first: false });
                }
                key.expr = one.clone();
            }
            order.push(key);
        }
        let aggregate = agg::find("array_agg", Some(TypeClass::Array)).expect("the kernel gathers arrays");
        Ok(Fold { aggregate, arg: Some(one), more: Vec::new(), order })
    }

    fn keys(&mut self, items: &[ast::OrderItem], ctx: &mut Ctx<'_>) -> Result<Vec<SortKey>, Diag> {
        let mut keys = Vec::with_capacity(items.len());
        for item in items {
            let bound = self.expr(&item.expr, ctx)?;
            keys.push(order::key(item, self.settled(bound)?));
        }
        Ok(keys)
    }

    /// `percentile_cont(f) WITHIN GROUP (ORDER BY x)` and its kin: what is ordered is folded.
    fn ordered_set(
        &mut self,
        call: &Call<'_>,
        said: &ast::CallMore,
        filter: Option<&Expr>,
        ctx: &mut Ctx<'_>,
    ) -> Result<Fold, Diag> {
        let name = call.name.text.as_str();
        let Some([item]) = said.within.as_deref() else {
            let message = format!("WITHIN GROUP is required for ordered-set aggregate {name}");
            return Err(Diag::new(code::WRONG_OBJECT_TYPE, message, call.span)
                .help(format!("write {name}(...) WITHIN GROUP (ORDER BY x), with one expression")));
        };
        if call.distinct || !said.order_by.is_empty() {
            let message = "an ordered-set aggregate has its order in WITHIN GROUP, and no DISTINCT";
            return Err(Diag::new(code::SYNTAX, message, call.span));
        }
        let value = self.expr(&item.expr, ctx)?;
        let Some(aggregate) = resolve(name, &value) else {
            let message = format!("function {name}({}) does not exist", value.type_name());
            return Err(Diag::new(code::UNDEFINED_FUNCTION, message, call.name.span));
        };
        if call.args.len() != aggregate.more.len() {
            let message = format!("function {name} with {} arguments does not exist", call.args.len());
            return Err(Diag::new(code::UNDEFINED_FUNCTION, message, call.name.span)
                .help(format!("{name} takes {} before WITHIN GROUP", aggregate.more.len())));
        }
        let class = aggregate.arg.expect("an ordered set is of values");
        let value = filtered(filter, self.coerce_class(value, class, Degree::Implicit)?);
        let mut more = Vec::with_capacity(call.args.len());
        for (arg, class) in call.args.iter().zip(aggregate.more) {
            let bound = self.expr(arg, ctx)?;
            let bound = self.coerce_class(bound, *class, Degree::Implicit)?;
            if bound.has_columns() && call.more.is_some_and(|more| more.over.is_some()) {
                let message = format!("the argument of {name} must be the same for all rows of a group");
                return Err(Diag::new(code::GROUPING, message, arg.span).help("give a constant or a parameter"));
            }
            more.push(bound);
        }
        let order = vec![order::key(item, value.clone())];
        Ok(Fold { aggregate, arg: Some(value), more, order })
    }
}

/// An aggregate with what it folds.
pub(super) struct Fold {
    pub(super) aggregate: &'static Aggregate,
    pub(super) arg: Option<Expr>,
    pub(super) more: Vec<Expr>,
    pub(super) order: Vec<SortKey>,
}

impl Fold {
    fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.arg.iter().chain(&self.more).chain(self.order.iter().map(|key| &key.expr))
    }

    fn for_each_expr_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        self.arg.iter_mut().chain(&mut self.more).for_each(&mut *f);
        self.order.iter_mut().for_each(|key| f(&mut key.expr));
    }
}

fn not_allowed(clause: &str, span: Span) -> Diag {
    let diag = Diag::new(code::GROUPING, format!("aggregate functions are not allowed in {clause}"), span);
    if clause == "WHERE" { diag.help("conditions on aggregates stand in HAVING") } else { diag }
}

/// The column of a call among the aggregates of its block.
fn collected(fold: Fold, call: &Call<'_>, aggregates: &mut Vec<AggregateCall>) -> Result<Expr, Diag> {
    let Fold { aggregate, arg, more, order } = fold;
    let ty = (aggregate.ret)(arg.as_ref().map_or(Type::Integer, |arg| arg.ty));
    let new = AggregateCall { aggregate, arg, more, distinct: call.distinct, order, ty, span: call.span };
    // Whether an argument is NULL is part of it.
    let is_of = |arg: &Expr, key: &Expr| match &key.kind {
        ExprKind::Call { function, args } if function.name == "$is_null" => arg.any(&mut |part| part.same(&args[0])),
        _ => arg.same(key),
    };
    if new.distinct && new.order.iter().any(|key| new.arg.as_ref().is_none_or(|arg| !is_of(arg, &key.expr))) {
        let message = "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list";
        return Err(Diag::new(code::INVALID_COLUMN_REFERENCE, message, call.span));
    }
    let idx = match aggregates.iter().position(|old| old.same(&new)) {
        Some(idx) => idx,
        None => {
            aggregates.push(new);
            aggregates.len() - 1
        }
    };
    // Whether it may be NULL depends on the groups: the block settles it.
    let nullable = aggregate.null_when_empty;
    Ok(Expr { kind: ExprKind::Column(AGGREGATE_BASE + idx), ty, nullable, span: call.span })
}

/// The value for rows that a filter lets through, NULL for others.
fn filtered(filter: Option<&Expr>, value: Expr) -> Expr {
    let Some(filter) = filter else { return value };
    let (ty, span) = (value.ty, value.span);
    case_of(vec![(filter.clone(), value)], Expr::constant(Value::Null, ty, span), span)
}

pub(super) fn is_ordered_set(name: &str) -> bool {
    matches!(name, "percentile_cont" | "percentile_disc" | "mode")
}

/// The aggregate that keeps the first value.
pub(super) fn find_first(class: TypeClass) -> &'static Aggregate {
    agg::find("first", Some(class)).expect("every class has a first value")
}

fn candidates(name: &str) -> impl Iterator<Item = &'static Aggregate> {
    agg::all().filter(move |aggregate| aggregate.name == name && aggregate.arg.is_some())
}

/// The aggregate of exactly the argument's class, else one that it becomes implicitly: REAL and TEXT are preferred.
fn resolve(name: &str, arg: &Bound) -> Option<&'static Aggregate> {
    let Some(class) = arg.class() else {
        return agg::find(name, Some(TypeClass::Text)).or_else(|| candidates(name).next());
    };
    agg::find(name, Some(class)).or_else(|| {
        [TypeClass::Real, TypeClass::Numeric, TypeClass::Timestamp, TypeClass::Text, TypeClass::Boolean]
            .into_iter()
            .filter(|wanted| allows(class, *wanted, Degree::Implicit))
            .find_map(|wanted| agg::find(name, Some(wanted)))
    })
}
