//! Which value and type does a literal have?
//!
//! Numbers as in PostgreSQL: INTEGER if they fit, else NUMERIC; with a point or an exponent NUMERIC, of any length where 38
//! digits are not enough. A quoted text has no type of its own: it takes the one that its surroundings demand, and is read by
//! the same function that a cast from TEXT would call.

use super::{constant, function};
use crate::{
    diag::{Diag, code},
    plan::{Expr, ExprKind},
    span::Span,
};
use spectradb_kernel::{
    Type, Value,
    big_numeric::{BigNumeric, ParseError},
    ty::{NUMERIC_PRECISION_MAX, TypeClass},
    value::Decimal,
};

/// A number as written.
pub(super) fn number(text: &str, span: Span) -> Result<Expr, Diag> {
    let plain: String;
    let text = if text.contains('_') {
        plain = text.replace('_', "");
        &plain
    } else {
        text
    };
    let (sign, unsigned) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let radix = match unsigned.get(..2) {
        Some("0x" | "0X") => 16,
        Some("0o" | "0O") => 8,
        Some("0b" | "0B") => 2,
        _ => 10,
    };
    if radix != 10 {
        return match i128::from_str_radix(&unsigned[2..], radix) {
            Ok(units) => number(&(sign * units).to_string(), span),
            Err(_) => long_number(text, span),
        };
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Ok(Expr::constant(Value::Integer(integer), Type::Integer, span));
    }
    if let Some(decimal) = decimal(text) {
        return Ok(Expr::constant(Value::Numeric(decimal), type_of(decimal), span));
    }
    long_number(text, span)
}

/// A number that 38 digits are not enough for.
fn long_number(text: &str, span: Span) -> Result<Expr, Diag> {
    match text.parse::<BigNumeric>() {
        Ok(number) => Ok(Expr::constant(Value::BigNumeric(number), Type::BigNumeric, span)),
        Err(ParseError::OutOfRange) => {
            Err(Diag::new(code::OUT_OF_RANGE, format!("the number {} is out of range", shortened(text)), span))
        }
        Err(ParseError::NoNumber) => Err(Diag::new(code::SYNTAX, format!("{} is not a number", shortened(text)), span)),
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push_str("...");
    }
    short
}

/// The smallest NUMERIC that holds a decimal.
pub(super) fn type_of(decimal: Decimal) -> Type {
    let digits = decimal.units.unsigned_abs().checked_ilog10().map_or(1, |log| log as u8 + 1);
    Type::Numeric { precision: digits.max(decimal.scale).max(1), scale: decimal.scale }
}

/// The exact value of a text that is a decimal number of at most 38 digits.
pub(super) fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut units = 0i128;
    for digit in whole.bytes().chain(fraction.bytes()) {
        if !digit.is_ascii_digit() {
            return None;
        }
        units = units.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    while scale < 0 {
        units = units.checked_mul(10)?;
        scale += 1;
        // Zero has no digits to move: any exponent is the same zero.
        if units == 0 {
            scale = 0;
        }
    }
    let end = 10i128.pow(u32::from(NUMERIC_PRECISION_MAX));
    if scale > i32::from(NUMERIC_PRECISION_MAX) || units >= end {
        return None;
    }
    Some(Decimal { units: if negative { -units } else { units }, scale: scale as u8 })
}

/// A quoted text as a value of a type.
///
/// # Errors
/// The text is not of the type's form.
pub(super) fn read(text: &str, ty: Type, span: Span) -> Result<Expr, Diag> {
    if ty == Type::Text {
        return Ok(Expr::constant(Value::Text(text.to_owned()), ty, span));
    }
    if ty == Type::TimestampTz
        && let Some(read) = super::zone::read(text, span)
    {
        return read;
    }
    let function = function::cast(TypeClass::Text, ty.class()).expect("every type is read from text");
    let mut args = vec![Expr::constant(Value::Text(text.to_owned()), Type::Text, span)];
    if let Type::Numeric { precision, scale } = ty {
        args.extend([precision, scale].map(|digits| integer(i64::from(digits), span)));
    }
    if let Type::Array(element) = ty {
        if element.class() == TypeClass::TimestampTz {
            // In the session's zone.
            let text = args.pop().expect("there is one");
            return super::convert::convert(text, ty, super::convert::Degree::Assignment);
        }
        args.push(integer(element.code(), span));
    }
    match constant::evaluate(function, &args, ty).expect("all arguments are constants") {
        Ok(value) => Ok(Expr::constant(value, ty, span)),
        Err(fault) => Err(Diag::new(fault.sqlstate(), fault.message(), span)),
    }
}

/// A quoted text as a value of a class: a NUMERIC has the digits that are written.
pub(super) fn read_class(text: &str, class: TypeClass, span: Span) -> Result<Expr, Diag> {
    match (class, decimal(text)) {
        (TypeClass::Numeric, Some(decimal)) => Ok(Expr::constant(Value::Numeric(decimal), type_of(decimal), span)),
        (TypeClass::Numeric, None) => read(text, super::convert::NUMERIC_WIDE, span),
        (other, _) => read(text, other.plain_type(), span),
    }
}

/// An INTEGER constant.
pub(super) fn integer(value: i64, span: Span) -> Expr {
    Expr::constant(Value::Integer(value), Type::Integer, span)
}

/// A constant's value.
pub(super) fn value(expr: &Expr) -> Option<&Value> {
    match &expr.kind {
        ExprKind::Const(value) => Some(value),
        ExprKind::Column(_)
        | ExprKind::Param(_)
        | ExprKind::Context(_)
        | ExprKind::Call { .. }
        | ExprKind::And(_)
        | ExprKind::Or(_)
        | ExprKind::Case { .. }
        | ExprKind::Outer(_)
        | ExprKind::Subplan { .. } => None,
    }
}
