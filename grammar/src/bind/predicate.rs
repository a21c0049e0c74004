//! What do IN, BETWEEN, LIKE, CASE and EXTRACT compute?
//!
//! IN a list is a disjunction of equalities and BETWEEN a conjunction of two comparisons, so that rewrites and executors see
//! nothing new; the short CASE is the long one with equalities.

use super::{
    Binder,
    convert::{Bound, Degree, Open},
    expr::Ctx,
    function,
};
use crate::{
    ast::{self, Name},
    diag::{Diag, code, nearest},
    plan::{Expr, ExprKind},
    span::Span,
};
use spectradb_kernel::{Type, Value, func::fields, ty::TypeClass};

/// Fields of EXTRACT that are whole numbers, as PostgreSQL's manual lists them.
const WHOLE_FIELDS: [&str; 14] = [
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "quarter",
    "week",
    "dow",
    "doy",
    "isodow",
    "isoyear",
    "century",
    "decade",
    "millennium",
];
/// Fields of EXTRACT with digits after the point.
const FRACTION_FIELDS: [&str; 5] = ["second", "milliseconds", "microseconds", "epoch", "julian"];

const FRACTION: Type = Type::Numeric { precision: 24, scale: 6 };

impl Binder<'_> {
    pub(super) fn in_list(
        &mut self,
        operand: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        if let ast::ExprKind::Row(parts) = &operand.kind {
            let found = self.row_in_list(parts, list, span, ctx)?;
            return Ok(if negated { function::not(found) } else { found });
        }
        let needle = self.expr(operand, ctx)?;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            items.push(self.expr(item, ctx)?);
        }
        // All sides meet in one type first: 1 IN (1.5, 2) compares decimals, 'a' IN (column) texts.
        let needle = match needle.open {
            None => needle,
            Some(_) => {
                let ty = self.common_type(std::iter::once(&needle).chain(&items), "IN")?;
                Bound::known(self.coerce(needle, ty, Degree::Implicit)?)
            }
        };
        // As in PostgreSQL several numbers that are written out are a list of the FLOAT4's own type.
        let is_exact = |item: &Bound| {
            item.expr.columns().is_empty() && matches!(item.class(), Some(TypeClass::Integer | TypeClass::Numeric))
        };
        if needle.expr.ty == Type::Float4 && items.len() > 1 && items.iter().all(is_exact) {
            for item in &mut items {
                *item = Bound::known(self.coerce(item.clone(), Type::Float4, Degree::Implicit)?);
            }
        }
        self.count_copies(&needle.expr, items.len())?;
        let mut arms = Vec::with_capacity(items.len());
        for item in items {
            let at = item.span();
            arms.push(self.compare("=", needle.clone(), item, at, span)?);
        }
        let nullable = arms.iter().any(|arm| arm.nullable);
        let found = match arms.len() {
            1 => arms.pop().expect("there is one"),
            _ => Expr { kind: ExprKind::Or(arms), ty: Type::Boolean, nullable, span },
        };
        Ok(if negated { function::not(found) } else { found })
    }

    pub(super) fn between(
        &mut self,
        operand: &ast::Expr,
        low: &ast::Expr,
        high: &ast::Expr,
        symmetric: bool,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        let value = self.expr(operand, ctx)?;
        let (low, high) = (self.expr(low, ctx)?, self.expr(high, ctx)?);
        let value = match value.open {
            None => value,
            Some(_) => {
                let ty = self.common_type([&value, &low, &high], "BETWEEN")?;
                Bound::known(self.coerce(value, ty, Degree::Implicit)?)
            }
        };
        self.count_copies(&value.expr, if symmetric { 4 } else { 2 })?;
        let mut inside = |low: Bound, high: Bound| {
            let above = self.compare(">=", value.clone(), low, span, span)?;
            let below = self.compare("<=", value.clone(), high, span, span)?;
            let nullable = above.nullable || below.nullable;
            Ok::<Expr, Diag>(Expr { kind: ExprKind::And(vec![above, below]), ty: Type::Boolean, nullable, span })
        };
        if !symmetric {
            return inside(low, high);
        }
        let either = vec![inside(low.clone(), high.clone())?, inside(high, low)?];
        let nullable = either.iter().any(|arm| arm.nullable);
        Ok(Expr { kind: ExprKind::Or(either), ty: Type::Boolean, nullable, span })
    }

    pub(super) fn like(
        &mut self,
        operand: Bound,
        pattern: Bound,
        escape: Option<Bound>,
        case_insensitive: bool,
        span: Span,
    ) -> Result<Expr, Diag> {
        let sign = if case_insensitive { "ILIKE" } else { "LIKE" };
        let (operand, pattern) = match (operand.class(), pattern.class()) {
            (Some(TypeClass::Blob), Some(TypeClass::Blob) | None) | (None, Some(TypeClass::Blob))
                if !case_insensitive =>
            {
                (self.bytes_as_letters(operand)?, self.bytes_as_letters(pattern)?)
            }
            _ => (operand, pattern),
        };
        for side in [&operand, &pattern] {
            if !matches!(side.class(), None | Some(TypeClass::Text | TypeClass::Json)) {
                return Err(super::operator::no_operator(sign, &operand, &pattern, span));
            }
        }
        let mut args = vec![
            self.coerce(with_blanks(operand), Type::Text, Degree::Implicit)?,
            self.coerce(pattern, Type::Text, Degree::Implicit)?,
        ];
        let name = match (escape, case_insensitive) {
            (None, false) => "$like",
            (None, true) => "$ilike",
            (Some(escape), _) => {
                args.push(self.coerce(escape, Type::Text, Degree::Implicit)?);
                if case_insensitive { "$ilike_escape" } else { "$like_escape" }
            }
        };
        Ok(function::call_named(name, args, Type::Boolean, span))
    }

    /// Each byte as the letter of its number, so that patterns see bytes.
    fn bytes_as_letters(&mut self, bytes: Bound) -> Result<Bound, Diag> {
        let span = bytes.span();
        let bytes = self.coerce(bytes, Type::Blob, Degree::Implicit)?;
        let encoding = Expr::constant(Value::Text("LATIN1".to_owned()), Type::Text, span);
        Ok(Bound::known(function::call_named("convert_from", vec![bytes, encoding], Type::Text, span)))
    }

    /// `~`, `~*`, `~~` (which is LIKE), `~~*` (ILIKE) and their opposites.
    pub(super) fn matched(
        &mut self,
        sign: &str,
        text: Bound,
        pattern: Bound,
        at: Span,
        span: Span,
    ) -> Result<Expr, Diag> {
        if !sign.contains("~~") {
            return self.named_operator(sign, vec![with_blanks(text), pattern], at, span);
        }
        let like = self.like(text, pattern, None, sign.ends_with('*'), span)?;
        Ok(if sign.starts_with('!') { function::not(like) } else { like })
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        arms: &[(ast::Expr, ast::Expr)],
        otherwise: Option<&ast::Expr>,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Bound, Diag> {
        let operand = match operand {
            Some(operand) => Some(self.expr(operand, ctx)?),
            None => None,
        };
        if let Some(operand) = &operand {
            self.count_copies(&operand.expr, arms.len())?;
        }
        let mut conditions = Vec::with_capacity(arms.len());
        let mut values = Vec::with_capacity(arms.len() + 1);
        for (condition, value) in arms {
            let condition = match &operand {
                None => {
                    let bound = self.expr(condition, ctx)?;
                    self.truth_of(bound, "CASE/WHEN")?
                }
                Some(operand) => {
                    let item = self.expr(condition, ctx)?;
                    let at = item.span();
                    self.compare("=", operand.clone(), item, at, at)?
                }
            };
            conditions.push(condition);
            values.push(self.expr(value, ctx)?);
        }
        values.push(match otherwise {
            Some(otherwise) => self.expr(otherwise, ctx)?,
            None => Bound { expr: Expr::constant(Value::Null, Type::Text, span), open: Some(Open::Null) },
        });
        let (mut values, _) = self.common(values, "CASE")?;
        let last = values.pop().expect("the ELSE was pushed");
        Ok(Bound::known(case_of(conditions.into_iter().zip(values).collect(), last, span)))
    }

    /// Values in the type that they meet in.
    pub(super) fn common(&mut self, bounds: Vec<Bound>, what: &str) -> Result<(Vec<Expr>, Type), Diag> {
        let ty = self.common_type(&bounds, what)?;
        let mut exprs = Vec::with_capacity(bounds.len());
        for bound in bounds {
            exprs.push(self.coerce(bound, ty, Degree::Implicit)?);
        }
        Ok((exprs, ty))
    }

    pub(super) fn extract(&mut self, field: &Name, operand: Bound, span: Span) -> Result<Expr, Diag> {
        let class = match operand.class() {
            Some(TypeClass::Date) => TypeClass::Date,
            Some(TypeClass::Timestamp) | None => TypeClass::Timestamp,
            Some(class @ (TypeClass::TimestampTz | TypeClass::Time | TypeClass::Interval)) => class,
            Some(other) => {
                let message = format!("function extract({}, {other}) does not exist", field.text);
                return Err(Diag::new(code::UNDEFINED_FUNCTION, message, span)
                    .help("extract reads dates, times, timestamps and intervals"));
            }
        };
        let canonical = match field.text.as_str() {
            "years" => "year",
            "months" => "month",
            "days" => "day",
            "hours" => "hour",
            "minutes" => "minute",
            "seconds" | "sec" | "secs" => "second",
            "millisecond" | "msec" | "msecs" | "ms" => "milliseconds",
            "microsecond" | "usec" | "usecs" | "us" => "microseconds",
            "min" | "mins" => "minute",
            "hr" | "hrs" => "hour",
            "weeks" => "week",
            "mon" | "mons" => "month",
            "qtr" => "quarter",
            "yr" | "yrs" => "year",
            "decades" => "decade",
            "centuries" => "century",
            "millennia" => "millennium",
            other => other,
        };
        if let "timezone" | "timezone_hour" | "timezone_minute" | "timezone_h" | "timezone_m" = canonical {
            if class != TypeClass::TimestampTz {
                let message = format!("unit \"{}\" not supported for type {class}", field.text);
                return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, field.span));
            }
            return self.zone_field(canonical, operand, span);
        }
        let whole = WHOLE_FIELDS.contains(&canonical);
        if !whole && !FRACTION_FIELDS.contains(&canonical) {
            let message = format!("unit \"{}\" not recognized for type {class}", field.text);
            let diag = Diag::new(code::INVALID_PARAMETER, message, field.span);
            let fields = WHOLE_FIELDS.into_iter().chain(FRACTION_FIELDS);
            return Err(match nearest(canonical, fields) {
                Some(near) => diag.help(format!("a unit named \"{near}\" exists")),
                None => diag,
            });
        }
        let has = match class {
            TypeClass::Time => fields::time_has(canonical),
            TypeClass::Interval => fields::interval_has(canonical),
            // A day has no time of day; its seconds since 1970 are asked for all the same.
            TypeClass::Date => canonical == "epoch" || !fields::time_has(canonical),
            _ => true,
        };
        if !has {
            let message = format!("unit \"{}\" not supported for type {class}", field.text);
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, field.span));
        }
        let operand = self.coerce_class(operand, class, Degree::Implicit)?;
        let operand = if canonical == "epoch" { operand } else { super::zone::local(operand) };
        // Its fraction has more digits than a FRACTION.
        if canonical == "julian" && matches!(class, TypeClass::Timestamp | TypeClass::TimestampTz) {
            return Ok(function::call_named("$julian", vec![operand], Type::BigNumeric, span));
        }
        let field = Expr::constant(Value::Text(canonical.to_owned()), Type::Text, field.span);
        let (name, ty) = if whole {
            ("$extract_int", Type::Integer)
        } else if class == TypeClass::Date {
            // Of a day all fields are whole.
            let of_day = function::call_named("$extract", vec![field, operand], FRACTION, span);
            return super::convert::convert(of_day, Type::Numeric { precision: 24, scale: 0 }, Degree::Explicit);
        } else {
            ("$extract", FRACTION)
        };
        let part = function::call_named(name, vec![field, operand], ty, span);
        // No more digits than the unit leaves of microseconds.
        match canonical {
            "microseconds" if !whole => {
                super::convert::convert(part, Type::Numeric { precision: 24, scale: 0 }, Degree::Explicit)
            }
            "milliseconds" => {
                super::convert::convert(part, Type::Numeric { precision: 24, scale: 3 }, Degree::Explicit)
            }
            _ => Ok(part),
        }
    }
}

impl Binder<'_> {
    /// How far the session's clocks are from UTC at an instant: in seconds, or their hours or minutes.
    fn zone_field(&mut self, field: &str, instant: Bound, span: Span) -> Result<Expr, Diag> {
        let instant = self.coerce_class(instant, TypeClass::TimestampTz, Degree::Implicit)?;
        self.count_copies(&instant, 2)?;
        let utc = super::convert::convert(instant.clone(), Type::Timestamp, Degree::Explicit)?;
        let local = super::zone::local(instant);
        let local = super::convert::convert(local, Type::Timestamp, Degree::Explicit)?;
        let away = function::call_named("-", vec![local, utc], Type::Interval, span);
        let name = Name { text: "epoch".to_owned(), span };
        let seconds = self.extract(&name, Bound::known(away), span)?;
        let seconds = super::convert::convert(seconds, Type::Integer, Degree::Explicit)?;
        let number = |number| super::literal::integer(number, span);
        let call = |name, a, b| function::call_named(name, vec![a, b], Type::Integer, span);
        Ok(match field {
            "timezone" => seconds,
            "timezone_hour" | "timezone_h" => call("/", seconds, number(3600)),
            _ => call("/", call("%", seconds, number(3600)), number(60)),
        })
    }
}

/// A CASE over values of one type. A value that its own condition says is not NULL cannot make the CASE NULL.
pub(super) fn case_of(arms: Vec<(Expr, Expr)>, otherwise: Expr, span: Span) -> Expr {
    let nullable =
        otherwise.nullable || arms.iter().any(|(condition, value)| value.nullable && !condition.proves_not_null(value));
    let ty = otherwise.ty;
    Expr { kind: ExprKind::Case { arms, otherwise: Some(Box::new(otherwise)) }, ty, nullable, span }
}

/// A CHAR that is looked through has its blanks; any other value is as it is.
fn with_blanks(value: Bound) -> Bound {
    if value.open.is_some() || !matches!(value.expr.ty, Type::Char { .. }) {
        return value;
    }
    let span = value.span();
    let nothing = Expr::constant(Value::Text(String::new()), Type::Text, span);
    Bound::known(function::call_named("||", vec![value.expr, nothing], Type::Text, span))
}
