//! What do the predicates over periods ask?
//!
//! A period is `PERIOD(a, b)`, a row `(a, b)`, or a table's own: `t.VALID_TIME`, `t.SYSTEM_TIME`. All are half-open. The
//! predicates of SQL:2011 become comparisons of the ends; `CONTAINS` takes an instant on its right side as well. A row
//! beside OVERLAPS is PostgreSQL's: its ends may stand in any order, and equal ends are an instant.

use super::{
    Binder,
    convert::{Bound, Degree, Open},
    expr::Ctx,
    function,
    predicate::case_of,
    scope::PSEUDO_COLUMNS,
};
use crate::{
    ast::{self, ExprKind as Ast, Name, PeriodOp},
    diag::{Diag, code},
    plan::{Expr, ExprKind},
    span::Span,
};
use spectradb_kernel::{Type, Value, ty::TypeClass};

/// The two ends of a period.
struct Period {
    from: Bound,
    to: Bound,
}

/// What is wrong with the name of a period's end is wrong with the period's.
fn of_period(mut diag: Diag, name: &Name) -> Diag {
    if diag.code == code::AMBIGUOUS_COLUMN {
        diag.message = format!("\"{}\" is ambiguous: more than one table has it", name.text);
        diag.help = diag.help.map(|help| {
            PSEUDO_COLUMNS
                .iter()
                .fold(help, |help, column| help.replace(&format!(".{column}"), &format!(".{}", name.text)))
        });
    }
    diag
}

/// What stands beside a period predicate.
enum Side {
    Period(Period),
    /// Ends that may stand in any order.
    Row(Period),
    Instant(Bound),
}

impl Side {
    /// The ends of a period that is written as one.
    fn period(self, op: PeriodOp) -> Result<Period, Diag> {
        match self {
            Side::Period(period) | Side::Row(period) => Ok(period),
            Side::Instant(instant) => {
                let message = format!("{} takes a period, not type {}", word(op), instant.type_name());
                Err(Diag::new(code::DATATYPE_MISMATCH, message, instant.span())
                    .help("write PERIOD(from, to), or a table's VALID_TIME or SYSTEM_TIME"))
            }
        }
    }
}

fn word(op: PeriodOp) -> &'static str {
    match op {
        PeriodOp::Overlaps => "OVERLAPS",
        PeriodOp::Contains => "CONTAINS",
        PeriodOp::Equals => "EQUALS",
        PeriodOp::Precedes => "PRECEDES",
        PeriodOp::Succeeds => "SUCCEEDS",
        PeriodOp::ImmediatelyPrecedes => "IMMEDIATELY PRECEDES",
        PeriodOp::ImmediatelySucceeds => "IMMEDIATELY SUCCEEDS",
    }
}

impl Binder<'_> {
    pub(super) fn period_test(
        &mut self,
        op: PeriodOp,
        left: &ast::Expr,
        right: &ast::Expr,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        let (left, right) = (self.period_side(left, ctx)?, self.period_side(right, ctx)?);
        let mut parts = Vec::new();
        match (op, left, right) {
            (PeriodOp::Overlaps, Side::Row(left), Side::Row(right)) => return self.row_overlaps(left, right, span),
            (PeriodOp::Contains, left, Side::Instant(instant)) => {
                let left = left.period(op)?;
                self.count_copies(&instant.expr, 1)?;
                parts.push(self.compare("<=", left.from, instant.clone(), span, span)?);
                parts.push(self.compare("<", instant, left.to, span, span)?);
            }
            (op, left, right) => {
                let (left, right) = (left.period(op)?, right.period(op)?);
                let ends = match op {
                    PeriodOp::Overlaps => vec![(left.from, "<", right.to), (right.from, "<", left.to)],
                    PeriodOp::Contains => vec![(left.from, "<=", right.from), (right.to, "<=", left.to)],
                    PeriodOp::Equals => vec![(left.from, "=", right.from), (left.to, "=", right.to)],
                    PeriodOp::Precedes => vec![(left.to, "<=", right.from)],
                    PeriodOp::Succeeds => vec![(left.from, ">=", right.to)],
                    PeriodOp::ImmediatelyPrecedes => vec![(left.to, "=", right.from)],
                    PeriodOp::ImmediatelySucceeds => vec![(left.from, "=", right.to)],
                };
                for (one, sign, other) in ends {
                    parts.push(self.compare(sign, one, other, span, span)?);
                }
            }
        }
        let mut expr = Expr::conjunction(parts).expect("every predicate compares something");
        expr.span = span;
        Ok(expr)
    }

    fn period_side(&mut self, side: &ast::Expr, ctx: &mut Ctx<'_>) -> Result<Side, Diag> {
        match &side.kind {
            Ast::Row(ends) => match ends.as_slice() {
                [from, to] => Ok(Side::Row(self.ends(from, to, ctx)?)),
                _ => Err(Diag::new(code::SYNTAX, "a period has two ends", side.span)),
            },
            Ast::Call { name, args, star: false, distinct: false, more: None } if name.text == "period" => {
                match args.as_slice() {
                    [from, to] => Ok(Side::Period(self.ends(from, to, ctx)?)),
                    _ => {
                        Err(Diag::new(code::SYNTAX, "a period has two ends", side.span).help("write PERIOD(from, to)"))
                    }
                }
            }
            Ast::Path(path) => match self.own_period(path, ctx)? {
                Some(period) => Ok(Side::Period(period)),
                None => self.instant_side(side, ctx),
            },
            _ => self.instant_side(side, ctx),
        }
    }

    fn instant_side(&mut self, side: &ast::Expr, ctx: &mut Ctx<'_>) -> Result<Side, Diag> {
        let bound = self.expr(side, ctx)?;
        self.point(bound).map(Side::Instant)
    }

    fn ends(&mut self, from: &ast::Expr, to: &ast::Expr, ctx: &mut Ctx<'_>) -> Result<Period, Diag> {
        let (from, mut to) = (self.expr(from, ctx)?, self.expr(to, ctx)?);
        // A period may be told by its length.
        if to.class() == Some(TypeClass::Interval) && from.class() != Some(TypeClass::Interval) {
            let (at, begin) = (to.span(), from.clone());
            self.count_copies(&begin.expr, 1)?;
            to = Bound::known(self.arithmetic(ast::BinaryOp::Add, begin, to, at, at)?);
        }
        Ok(Period { from: self.point(from)?, to: self.point(to)? })
    }

    /// An end of a period: an instant or a day, which is its beginning; INTEGERs make periods of numbers.
    fn point(&mut self, bound: Bound) -> Result<Bound, Diag> {
        match (bound.open, bound.class()) {
            (Some(Open::Text | Open::Param | Open::Null), _) => {
                self.coerce(bound, Type::Timestamp, Degree::Implicit).map(Bound::known)
            }
            (None, Some(TypeClass::Boolean | TypeClass::Text | TypeClass::Blob | TypeClass::Json) | None) => {
                let message = format!("a period has instants as its ends, not type {}", bound.type_name());
                Err(Diag::new(code::DATATYPE_MISMATCH, message, bound.span()))
            }
            (None, Some(_)) => Ok(bound),
        }
    }

    /// `VALID_TIME`, `t.SYSTEM_TIME`: the pseudo-columns of a table, where no column is called so.
    fn own_period(&mut self, path: &[Name], ctx: &mut Ctx<'_>) -> Result<Option<Period>, Diag> {
        let (last, table) = path.split_last().expect("a path has names");
        let (from, to) = match last.text.as_str() {
            "system_time" | "_system_time" => (PSEUDO_COLUMNS[1], PSEUDO_COLUMNS[2]),
            "valid_time" | "_valid_time" => (PSEUDO_COLUMNS[3], PSEUDO_COLUMNS[4]),
            _ => return Ok(None),
        };
        if ctx.scope.resolve(path).is_ok() {
            return Ok(None);
        }
        let mut end = |name: &str| {
            let mut path = table.to_vec();
            path.push(Name { text: name.to_owned(), span: last.span });
            let span = path[0].span.to(last.span);
            self.expr(&ast::Expr { kind: Ast::Path(path), span }, ctx).map_err(|diag| of_period(diag, last))
        };
        Ok(Some(Period { from: end(from)?, to: end(to)? }))
    }

    /// PostgreSQL's `(a, b) OVERLAPS (c, d)`. An end that is NULL is the later one; what depends on it is unknown.
    fn row_overlaps(&mut self, left: Period, right: Period, span: Span) -> Result<Expr, Diag> {
        let ordered = |binder: &mut Self, period: Period| -> Result<(Bound, Bound), Diag> {
            let (ends, ty) = binder.common(vec![period.from, period.to], "OVERLAPS")?;
            let [from, to] = <[Expr; 2]>::try_from(ends).expect("two went in");
            binder.count_copies(&from, 10)?;
            binder.count_copies(&to, 10)?;
            let known = Bound::known;
            let reversed = binder.compare(">", known(from.clone()), known(to.clone()), span, span)?;
            let missing = function::call_named("$is_null", vec![from.clone()], Type::Boolean, span);
            let unknown = Expr::constant(Value::Null, ty, span);
            let first =
                case_of(vec![(reversed.clone(), to.clone()), (missing.clone(), to.clone())], from.clone(), span);
            let last = case_of(vec![(reversed, from), (missing, unknown)], to, span);
            Ok((known(first), known(last)))
        };
        let (left_from, left_to) = ordered(self, left)?;
        let (right_from, right_to) = ordered(self, right)?;
        let all = |kind: fn(Vec<Expr>) -> ExprKind, arms: Vec<Expr>| {
            let nullable = arms.iter().any(|arm| arm.nullable);
            Expr { kind: kind(arms), ty: Type::Boolean, nullable, span }
        };
        // They share an instant if the one that begins later begins before the other ends; two that begin together do.
        let mut arms = Vec::with_capacity(3);
        for (from, to, other_from, other_to) in
            [(&left_from, &left_to, &right_from, &right_to), (&right_from, &right_to, &left_from, &left_to)]
        {
            let later = self.compare(">", from.clone(), other_from.clone(), span, span)?;
            let within = self.compare("<", from.clone(), other_to.clone(), span, span)?;
            // False, or unknown where the end is.
            let open = self.compare("<>", to.clone(), to.clone(), span, span)?;
            arms.push(all(ExprKind::And, vec![later, all(ExprKind::Or, vec![within, open])]));
        }
        let together = self.compare("=", left_from, right_from, span, span)?;
        let left_ends = self.compare("=", left_to.clone(), left_to, span, span)?;
        let right_ends = self.compare("=", right_to.clone(), right_to, span, span)?;
        arms.push(all(ExprKind::And, vec![together, left_ends, right_ends]));
        Ok(all(ExprKind::Or, arms))
    }
}
