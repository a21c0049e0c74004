//! What are ranks of rows that are not there, and counts of rows of several values?
//!
//! `rank(x) WITHIN GROUP (ORDER BY y)` is the rank that a row with `x` would have among the group's rows: how many stand before
//! it, and one. So these aggregates are counts with a FILTER, put together from what the call says before anything is
//! bound. What is given is the group's, not a row's: where a grouping set leaves a key out, it is NULL in `x` and a value in `y`, so
//! a given value with columns stands aside (`Binder::given`) until the groups are known. `count(DISTINCT (a, b))` counts rows, NULLs among them being values like any other: it counts their arrays of JSON.
//!
//! Not here: ordered-set aggregates over the group's own rows (`aggregate`).

use super::{
    Binder,
    call::Call,
    convert::Bound,
    expr::{Ctx, GIVEN_BASE},
};
use crate::{
    ast::{BinaryOp, CallMore, Expr, ExprKind, IsTest, Name, OrderItem, TypeName},
    diag::{Diag, code},
    plan,
    span::Span,
};

/// What the call is named that a given value is put into: no name that can be written.
pub(super) const GIVEN: &str = "?given?";

/// Another expression that means the same as the call; `None` where the call stands for itself.
pub(super) fn rewritten(call: &Call<'_>) -> Result<Option<Expr>, Diag> {
    let name = call.name.text.as_str();
    if let ("count", [Expr { kind: ExprKind::Row(parts), .. }]) = (name, call.args) {
        return Ok(Some(row_count(parts, call)));
    }
    let Some(CallMore { within: Some(keys), filter, .. }) = call.more else { return Ok(None) };
    if let ("percentile_cont" | "percentile_disc", [Expr { kind: ExprKind::Array(fractions), .. }]) = (name, call.args)
    {
        return Ok(Some(percentiles(fractions, call)));
    }
    if !matches!(name, "rank" | "dense_rank" | "percent_rank" | "cume_dist") {
        return Ok(None);
    }
    if call.args.len() != keys.len() {
        let message = format!(
            "function {name} with {} arguments and {} expressions in WITHIN GROUP does not exist",
            call.args.len(),
            keys.len()
        );
        return Err(Diag::new(code::UNDEFINED_FUNCTION, message, call.span)
            .help("give a value for each expression of ORDER BY"));
    }
    let made = Made { span: call.span, filter: filter.as_ref() };
    let values: Vec<Expr> = call.args.iter().map(|value| made.given(value)).collect();
    let before = made.before(&values, keys);
    let number = |text: &str| made.expr(ExprKind::Number(text.to_owned()));
    let add_one = |count: Expr| made.binary(BinaryOp::Add, count, number("1"));
    Ok(Some(match name {
        "rank" => add_one(made.count(None, Some(before))),
        "dense_rank" => {
            let row = keys.iter().map(|key| key.expr.clone()).collect();
            add_one(made.count(Some(row), Some(before)))
        }
        "percent_rank" => {
            let all = made.count(None, None);
            let none = made.binary(BinaryOp::Eq, all.clone(), number("0"));
            let share = made.binary(BinaryOp::Div, made.real(made.count(None, Some(before))), all);
            let kind = ExprKind::Case {
                operand: None,
                arms: vec![(none, made.real(number("0")))],
                otherwise: Some(Box::new(share)),
            };
            made.expr(kind)
        }
        _ => {
            let same = made.same(&values, keys);
            let up_to = made.binary(BinaryOp::Or, before, same);
            let count = add_one(made.count(None, Some(up_to)));
            made.binary(BinaryOp::Div, made.real(count), add_one(made.count(None, None)))
        }
    }))
}

impl Binder<'_> {
    /// A value that is given to the rows of a group.
    pub(super) fn given(&mut self, value: &Expr, ctx: &mut Ctx<'_>) -> Result<Bound, Diag> {
        let bound = self.expr(value, ctx)?;
        let is_around = |part: &plan::Expr| matches!(part.kind, plan::ExprKind::Outer(_));
        if bound.open.is_some() || !bound.expr.has_columns() || bound.expr.any(&mut { is_around }) {
            return Ok(bound);
        }
        let expr = self.settled(bound)?;
        let at = self.givens.iter().position(|given| given.same(&expr)).unwrap_or_else(|| {
            self.givens.push(expr.clone());
            self.givens.len() - 1
        });
        Ok(Bound::known(plan::Expr { kind: plan::ExprKind::Column(GIVEN_BASE + at), ..expr }))
    }
}

/// `percentile_cont(ARRAY[a, b]) WITHIN GROUP (..)`: an array of what each fraction gives.
fn percentiles(fractions: &[Expr], call: &Call<'_>) -> Expr {
    let of = |fraction: &Expr| match &fraction.kind {
        ExprKind::Array(inner) => percentiles(inner, call),
        _ => {
            let (name, args) = (call.name.clone(), vec![fraction.clone()]);
            let more = call.more.cloned().map(Box::new);
            let kind = ExprKind::Call { name, args, star: false, distinct: call.distinct, more };
            Expr { kind, span: call.span }
        }
    };
    Expr { kind: ExprKind::Array(fractions.iter().map(of).collect()), span: call.span }
}

/// `count([DISTINCT] (a, b))`
fn row_count(parts: &[Expr], call: &Call<'_>) -> Expr {
    let made = Made { span: call.span, filter: None };
    let (args, star) = if call.distinct { (vec![made.array(parts.to_vec())], false) } else { (Vec::new(), true) };
    let more = call.more.cloned().map(Box::new);
    made.expr(ExprKind::Call { name: call.name.clone(), args, star, distinct: call.distinct, more })
}

/// Makes expressions at the place of a call.
struct Made<'f> {
    span: Span,
    filter: Option<&'f Expr>,
}

impl Made<'_> {
    fn expr(&self, kind: ExprKind) -> Expr {
        Expr { kind, span: self.span }
    }

    fn binary(&self, op: BinaryOp, left: Expr, right: Expr) -> Expr {
        let (left, right) = (Box::new(left), Box::new(right));
        self.expr(ExprKind::Binary { op, op_span: self.span, left, right })
    }

    fn real(&self, operand: Expr) -> Expr {
        let ty = TypeName { name: "float8".to_owned(), args: Vec::new(), array: false, span: self.span };
        self.expr(ExprKind::Cast { operand: Box::new(operand), ty })
    }

    /// A value that is given, which is bound where the rows are.
    fn given(&self, value: &Expr) -> Expr {
        let name = Name { text: GIVEN.to_owned(), span: value.span };
        let args = vec![value.clone()];
        Expr { kind: ExprKind::Call { name, args, star: false, distinct: false, more: None }, span: value.span }
    }

    fn array(&self, args: Vec<Expr>) -> Expr {
        let name = Name { text: "jsonb_build_array".to_owned(), span: self.span };
        self.expr(ExprKind::Call { name, args, star: false, distinct: false, more: None })
    }

    fn is_null(&self, operand: &Expr, negated: bool) -> Expr {
        let operand = Box::new(operand.clone());
        self.expr(ExprKind::Is { operand, test: IsTest::Null, negated })
    }

    /// `count(*)`, or of distinct rows, of those that the filter and a condition let through.
    fn count(&self, distinct: Option<Vec<Expr>>, condition: Option<Expr>) -> Expr {
        let filter = match (self.filter, condition) {
            (Some(filter), Some(condition)) => Some(self.binary(BinaryOp::And, filter.clone(), condition)),
            (Some(filter), None) => Some(filter.clone()),
            (None, condition) => condition,
        };
        let more = filter.map(|filter| Box::new(CallMore { filter: Some(filter), ..CallMore::default() }));
        let name = Name { text: "count".to_owned(), span: self.span };
        let is_distinct = distinct.is_some();
        let args = distinct.map(|row| vec![self.array(row)]).unwrap_or_default();
        self.expr(ExprKind::Call { name, args, star: !is_distinct, distinct: is_distinct, more })
    }

    /// Does a row of the group have these values?
    fn same(&self, values: &[Expr], keys: &[OrderItem]) -> Expr {
        let parts = keys.iter().zip(values).map(|(key, value)| {
            let (left, right) = (Box::new(key.expr.clone()), Box::new(value.clone()));
            self.expr(ExprKind::IsDistinct { left, right, negated: true })
        });
        parts.reduce(|all, part| self.binary(BinaryOp::And, all, part)).expect("WITHIN GROUP has an order")
    }

    /// Does a row of the group stand before one with these values?
    fn before(&self, values: &[Expr], keys: &[OrderItem]) -> Expr {
        let ((value, values), (key, keys)) = match (values.split_first(), keys.split_first()) {
            (Some(value), Some(key)) => (value, key),
            _ => unreachable!("WITHIN GROUP has an order"),
        };
        let op = if key.descending { BinaryOp::Gt } else { BinaryOp::Lt };
        let less = self.binary(op, key.expr.clone(), value.clone());
        let nulls_first = key.nulls_first.unwrap_or(key.descending);
        let (null, other) = if nulls_first { (&key.expr, value) } else { (value, &key.expr) };
        let by_null = self.binary(BinaryOp::And, self.is_null(null, false), self.is_null(other, true));
        let first = self.binary(BinaryOp::Or, less, by_null);
        if keys.is_empty() {
            return first;
        }
        let same = self.same(std::slice::from_ref(value), std::slice::from_ref(key));
        let rest = self.binary(BinaryOp::And, same, self.before(values, keys));
        self.binary(BinaryOp::Or, first, rest)
    }
}
