//! Which aggregate does a call mean, and may it stand where it stands?
//!
//! An aggregate's argument is bound over the rows of the FROM; the call itself becomes a column of the Aggregate node that
//! the block is put together with (`group`). The same call twice is folded once.

use super::{
    Binder,
    call::Call,
    convert::{Bound, Degree, allows},
    expr::{AGGREGATE_BASE, Ctx},
};
use crate::{
    diag::{Diag, code},
    plan::{AggregateCall, Expr, ExprKind},
};
use spectradb_kernel::{
    agg::{self, Aggregate},
    ty::TypeClass,
};

impl Binder<'_> {
    pub(super) fn aggregate(&mut self, call: &Call<'_>, ctx: &mut Ctx<'_>) -> Result<Expr, Diag> {
        if ctx.in_aggregate {
            return Err(Diag::new(code::GROUPING, "aggregate function calls cannot be nested", call.span)
                .help("compute the inner one in a subquery in FROM"));
        }
        let Some(aggregates) = ctx.aggregates.take() else {
            let message = format!("aggregate functions are not allowed in {}", ctx.clause);
            let diag = Diag::new(code::GROUPING, message, call.span);
            return Err(if ctx.clause == "WHERE" {
                diag.help("conditions on aggregates stand in HAVING")
            } else {
                diag
            });
        };
        let bound = self.aggregate_arg(call, ctx);
        let (aggregate, arg) = match bound {
            Ok(bound) => bound,
            Err(diag) => {
                ctx.aggregates = Some(aggregates);
                return Err(diag);
            }
        };
        let ty = (aggregate.ret)(arg.as_ref().map_or(spectradb_kernel::Type::Integer, |arg| arg.ty));
        let new = AggregateCall { aggregate, arg, distinct: call.distinct, ty, span: call.span };
        let idx = match aggregates.iter().position(|old| old.same(&new)) {
            Some(idx) => idx,
            None => {
                aggregates.push(new);
                aggregates.len() - 1
            }
        };
        ctx.aggregates = Some(aggregates);
        // Whether it may be NULL depends on the groups: the block settles it.
        let nullable = aggregate.null_when_empty;
        Ok(Expr { kind: ExprKind::Column(AGGREGATE_BASE + idx), ty, nullable, span: call.span })
    }

    /// The aggregate with its argument, which is bound without aggregates and windows.
    fn aggregate_arg(&mut self, call: &Call<'_>, ctx: &Ctx<'_>) -> Result<(&'static Aggregate, Option<Expr>), Diag> {
        let mut inner = Ctx {
            scope: ctx.scope,
            clause: "an aggregate function's argument",
            aggregates: None,
            windows: None,
            in_aggregate: true,
            in_window: ctx.in_window,
        };
        self.fold_of(call, &mut inner)
    }

    /// The aggregate that a call names, with its argument bound in `ctx`.
    pub(super) fn fold_of(
        &mut self,
        call: &Call<'_>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(&'static Aggregate, Option<Expr>), Diag> {
        let name = call.name.text.as_str();
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
            return Ok((aggregate, None));
        }
        let [arg] = call.args else {
            let message = format!("function {name} with {} arguments does not exist", call.args.len());
            return Err(
                Diag::new(code::UNDEFINED_FUNCTION, message, call.name.span).help(format!("{name} takes one argument"))
            );
        };
        let arg = self.expr(arg, ctx)?;
        let Some(aggregate) = resolve(name, &arg) else {
            let message = format!("function {name}({}) does not exist", arg.type_name());
            let classes: Vec<&str> =
                candidates(name).filter_map(|aggregate| aggregate.arg).map(TypeClass::name).collect();
            return Err(Diag::new(code::UNDEFINED_FUNCTION, message, call.name.span)
                .help(format!("{name} takes {}", classes.join(", "))));
        };
        let class = aggregate.arg.expect("an aggregate with an argument was looked for");
        let arg = self.coerce_class(arg, class, Degree::Implicit)?;
        Ok((aggregate, Some(arg)))
    }
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
