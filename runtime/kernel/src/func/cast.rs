//! How does a datum become one of another type?
//!
//! One function `$cast` for each pair of classes that SQL casts between; [`super::cast()`] finds it. A NUMERIC needs what
//! only its type says, so the argument is followed by INTEGERs that the binder supplies:
//!
//! | cast | arguments |
//! |---|---|
//! | NUMERIC to any other class | x, scale of x |
//! | any other class to NUMERIC(p, s) | x, p, s |
//! | NUMERIC(_, t) to NUMERIC(p, s) | x, s - t, p |
//!
//! As in PostgreSQL: REAL to INTEGER rounds half to even, everything to NUMERIC half away from zero, REAL to NUMERIC
//! counts 15 digits. JSON is read as the type asked for; where it is of another kind, the result is NULL (PostgreSQL
//! raises an error there).
//! Not here: casts that change nothing but the type's name (the binder drops them), and reading dates (`datetime`).

use super::{
    Fault,
    arith::{POWERS, drop_digits, rescale_i128},
    datetime::{self, DAYS_INFINITY, DAYS_MINUS_INFINITY, midnight},
    json::{self, as_boolean, as_integer, as_numeric, as_real},
    lift::functions,
};
use crate::{
    time::{Date, MICROS_MAX, MICROS_MIN, MICROS_PER_DAY, Timestamp},
    value::{Decimal, write_real},
};
use std::fmt::Write;

const NEVER_FAILS: &str = "a String takes all that is written";

/// Rounds a decimal to fewer or more digits after the point, of at most `precision` digits in all.
#[inline]
pub fn numeric_to_numeric(a: i128, digits: i64, precision: i64) -> (i128, Fault) {
    match rescale_i128(a, digits) {
        (units, Fault::Ok) => within(units, precision),
        fault => fault,
    }
}

/// The units if they have at most that many digits.
#[inline]
fn within(units: i128, precision: i64) -> (i128, Fault) {
    let end = usize::try_from(precision).ok().and_then(|precision| POWERS.get(precision));
    match end {
        Some(end) if units.unsigned_abs() < end.unsigned_abs() => (units, Fault::Ok),
        Some(_) | None => (0, Fault::OutOfRange),
    }
}

/// An integer as a decimal.
#[inline]
pub fn i64_to_numeric(a: i64, precision: i64, scale: i64) -> (i128, Fault) {
    numeric_to_numeric(i128::from(a), scale, precision)
}

/// A decimal of a scale as an integer, rounded half away from zero.
#[inline]
pub fn numeric_to_i64(a: i128, scale: i64) -> (i64, Fault) {
    match i64::try_from(drop_digits(a, scale.unsigned_abs())) {
        Ok(value) => (value, Fault::Ok),
        Err(_) => (0, Fault::OutOfRange),
    }
}

/// A decimal of a scale as the nearest real.
#[inline]
pub fn numeric_to_f64(a: i128, scale: i64) -> f64 {
    // Both are exact below, and a quotient of exact numbers is correctly rounded.
    if a.unsigned_abs() <= 1 << 53 && (0..=22).contains(&scale) {
        return a as f64 / POWERS[scale as usize] as f64;
    }
    let scale = u8::try_from(scale).expect("a scale is at most 38");
    Decimal { units: a, scale }.to_string().parse().expect("a decimal is a number")
}

/// A real as a decimal, by its first 15 digits.
pub fn f64_to_numeric(a: f64, precision: i64, scale: i64) -> (i128, Fault) {
    if !a.is_finite() {
        return (0, Fault::OutOfRange);
    }
    // PostgreSQL takes 15 significant digits: those that a double is sure of.
    text_to_numeric(&format!("{a:.14e}"), precision, scale)
}

/// An integer as the nearest real.
#[inline]
pub fn i64_to_f64(a: i64) -> f64 {
    a as f64
}

/// A real as an integer, rounded half to even.
#[inline]
pub fn f64_to_i64(a: f64) -> (i64, Fault) {
    let whole = a.round_ties_even();
    // The bounds are exact doubles; a NaN fails both comparisons.
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole);
    (whole as i64, if fits { Fault::Ok } else { Fault::OutOfRange })
}

/// 1 for true, 0 for false.
#[inline]
pub fn bool_to_i64(a: bool) -> i64 {
    i64::from(a)
}

/// False for 0, true for all else.
#[inline]
pub fn i64_to_bool(a: i64) -> bool {
    a != 0
}

/// The instant at which a day begins.
#[inline]
pub fn date_to_timestamp(days: i64) -> (i64, Fault) {
    match midnight(days) {
        Some(micros) => (micros, Fault::Ok),
        None => (0, Fault::DatetimeRange),
    }
}

/// The day of an instant; an infinity stays one.
#[inline]
pub fn timestamp_to_date(micros: i64) -> i64 {
    match micros {
        MICROS_MAX => DAYS_INFINITY,
        MICROS_MIN => DAYS_MINUS_INFINITY,
        _ => micros.div_euclid(MICROS_PER_DAY),
    }
}

/// `true` or `false`.
pub fn bool_to_text(a: bool, out: &mut String) {
    out.push_str(if a { "true" } else { "false" });
}

/// An integer's digits.
pub fn i64_to_text(a: i64, out: &mut String) {
    write!(out, "{a}").expect(NEVER_FAILS);
}

/// The shortest digits that read back as the same real.
pub fn f64_to_text(a: f64, out: &mut String) {
    write_real(a, out).expect(NEVER_FAILS);
}

/// A decimal of a scale, with all digits of the scale.
pub fn numeric_to_text(a: i128, scale: i64, out: &mut String) {
    let scale = u8::try_from(scale).expect("a scale is at most 38");
    write!(out, "{}", Decimal { units: a, scale }).expect(NEVER_FAILS);
}

/// `\x` and two hexadecimal digits a byte.
pub fn blob_to_text(a: &[u8], out: &mut String) {
    out.push_str("\\x");
    a.iter().for_each(|byte| write!(out, "{byte:02x}").expect(NEVER_FAILS));
}

/// A day as `YYYY-MM-DD`.
pub fn date_to_text(days: i64, out: &mut String) {
    let days = i32::try_from(days).expect("days fit 32 bits");
    write!(out, "{}", Date(days)).expect(NEVER_FAILS);
}

/// An instant as `YYYY-MM-DD HH:MM:SS[.ffffff]`.
pub fn timestamp_to_text(micros: i64, out: &mut String) {
    write!(out, "{}", Timestamp(micros)).expect(NEVER_FAILS);
}

/// A JSON text as it was written.
pub fn json_to_text(a: &str, out: &mut String) {
    out.push_str(a);
}

/// Beginnings of true, yes, on and 1, of false, no, off and 0, in any case.
pub fn text_to_bool(a: &str) -> (bool, Fault) {
    let text = a.trim_ascii();
    let begins = |word: &str, least: usize| {
        text.len() >= least && word.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text))
    };
    if begins("true", 1) || begins("yes", 1) || begins("on", 2) || text == "1" {
        (true, Fault::Ok)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || text == "0" {
        (false, Fault::Ok)
    } else {
        (false, Fault::InvalidText)
    }
}

/// An integer from its digits.
pub fn text_to_i64(a: &str) -> (i64, Fault) {
    let text = a.trim_ascii();
    match text.parse::<i64>() {
        Ok(value) => (value, Fault::Ok),
        Err(_) => {
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { (0, Fault::OutOfRange) } else { unusual_i64(text) }
        }
    }
}

/// An integer with underscores between its digits, or of base 16, 8 or 2: `0x1F`, `-0b11`, `1_000`.
#[cold]
fn unusual_i64(text: &str) -> (i64, Fault) {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes().get(..2) {
        Some(b"0x" | b"0X") => (16, &digits[2..]),
        Some(b"0o" | b"0O") => (8, &digits[2..]),
        Some(b"0b" | b"0B") => (2, &digits[2..]),
        _ => (10, digits),
    };
    // An underscore stands before a digit, and behind one or behind the base.
    let is_loose = digits.contains("__") || digits.ends_with('_') || radix == 10 && digits.starts_with('_');
    let digits = digits.replace('_', "");
    let is_number = !is_loose && !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    if !is_number {
        return (0, Fault::InvalidText);
    }
    match i128::from_str_radix(&digits, radix)
        .ok()
        .and_then(|value| i64::try_from(if negative { -value } else { value }).ok())
    {
        Some(value) => (value, Fault::Ok),
        None => (0, Fault::OutOfRange),
    }
}

/// A number of hexadecimal digits, which C reads: `0x1F`, `-0x1.8p3`.
fn hexadecimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"))?;
    let (mantissa, power) = digits.split_once(['p', 'P']).unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut power = power.parse::<i32>().ok()?.clamp(-20_000, 20_000) - 4 * i32::try_from(fraction.len()).ok()?;
    let mut value = 0u64;
    for digit in whole.chars().chain(fraction.chars()) {
        let digit = u64::from(digit.to_digit(16)?);
        if value >> 59 == 0 {
            value = value << 4 | digit;
        } else {
            // What no double holds only says on which side of a half the rest is.
            value |= u64::from(digit != 0);
            power += 4;
        }
    }
    // In two steps, as one alone may leave the range that both stay within.
    let half = power / 2;
    let value = value as f64 * 2f64.powi(half) * 2f64.powi(power - half);
    let is_number = !(whole.is_empty() && fraction.is_empty());
    is_number.then_some(if text.starts_with('-') { -value } else { value })
}

/// A real from a number, `NaN` or `Infinity`; a number past the range, or too near to zero, is an error.
pub fn text_to_f64(a: &str) -> (f64, Fault) {
    let text = a.trim_ascii();
    let Some(value) = text.parse::<f64>().ok().or_else(|| hexadecimal(text)) else {
        return (0.0, Fault::InvalidText);
    };
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let has = |range: std::ops::RangeInclusive<u8>| mantissa.bytes().any(|byte| range.contains(&byte));
    let over = value.is_infinite() && has(b'0'..=b'9');
    let under = value == 0.0 && has(b'1'..=b'9');
    (value, if over || under { Fault::OutOfRange } else { Fault::Ok })
}

/// A decimal from a number with an optional exponent; digits past the scale round half away from zero.
pub fn text_to_numeric(a: &str, precision: i64, scale: i64) -> (i128, Fault) {
    match read_decimal(a.trim_ascii(), scale) {
        Ok(units) => within(units, precision),
        Err(fault) => (0, fault),
    }
}

/// The number times `10^scale`, rounded half away from zero.
pub(crate) fn read_decimal(text: &str, scale: i64) -> Result<i128, Fault> {
    let (negative, magnitude) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match magnitude.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(Fault::InvalidText);
            }
            let far = if exponent.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 };
            (mantissa, exponent.parse::<i64>().unwrap_or(far).clamp(i64::MIN / 4, i64::MAX / 4))
        }
        None => (magnitude, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if (whole.is_empty() && fraction.is_empty()) || !digits().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::InvalidText);
    }
    let Some(first) = digits().position(|digit| digit != b'0') else { return Ok(0) };
    let count = (whole.len() + fraction.len() - first) as i64;
    // The number is its digits, from the first that is not zero, times 10^shift.
    let shift = exponent.saturating_add(scale).saturating_sub(fraction.len() as i64);
    let kept = count.saturating_add(shift);
    if kept > 38 {
        return Err(Fault::OutOfRange);
    }
    if kept < 0 {
        return Ok(0);
    }
    let mut digits = digits().skip(first).map(|digit| i128::from(digit - b'0'));
    let mut units = digits.by_ref().take(kept.min(count) as usize).fold(0, |units, digit| units * 10 + digit);
    units = units * POWERS[shift.max(0) as usize] + i128::from(digits.next().is_some_and(|digit| digit >= 5));
    Ok(if negative { -units } else { units })
}

/// Bytes from `\x` and hexadecimal digits, or from text where `\\` is a backslash and `\nnn` an octal byte.
pub fn text_to_blob(a: &str, out: &mut Vec<u8>) -> Fault {
    if let Some(hex) = a.strip_prefix("\\x") {
        let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
        let mut digits = hex.bytes().filter(|byte| !byte.is_ascii_whitespace());
        while let Some(high) = digits.next() {
            match (digit(high), digits.next().and_then(digit)) {
                (Some(high), Some(low)) => out.push(high << 4 | low),
                _ => return Fault::InvalidText,
            }
        }
        return Fault::Ok;
    }
    let mut rest = a.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'\\', [b'\\', after @ ..]) => {
                out.push(b'\\');
                rest = after;
            }
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            (b'\\', _) => return Fault::InvalidText,
            (byte, _) => out.push(*byte),
        }
    }
    Fault::Ok
}

/// A result as leaves give it.
pub(super) fn flagged(result: Result<i64, Fault>) -> (i64, Fault) {
    match result {
        Ok(value) => (value, Fault::Ok),
        Err(fault) => (0, fault),
    }
}

/// A date from an ISO text.
pub fn text_to_date(a: &str) -> (i64, Fault) {
    flagged(datetime::read_date(a))
}

/// An instant from an ISO text; without an offset it is UTC.
pub fn text_to_timestamp(a: &str) -> (i64, Fault) {
    flagged(datetime::read_timestamp(a))
}

/// JSON from its text, kept as written but for white space around it.
pub fn text_to_json(a: &str, out: &mut String) -> Fault {
    if json::is_json(a) {
        out.push_str(a.trim_ascii());
        Fault::Ok
    } else {
        Fault::InvalidJson
    }
}

/// A JSON number; what is no number becomes a string.
pub fn f64_to_json(a: f64, out: &mut String) {
    if a.is_finite() {
        f64_to_text(a, out);
    } else {
        out.push('"');
        f64_to_text(a, out);
        out.push('"');
    }
}

functions! { "func::cast";
    "$cast" (Boolean) -> Text, Total, bool_to_text, "true or false.";
    "$cast" (Integer) -> Text, Total, i64_to_text, "The digits.";
    "$cast" (Real) -> Text, Total, f64_to_text, "The shortest digits that read back as the same number.";
    "$cast" (Numeric, Integer) -> Text, Total, numeric_to_text, "All digits: x, its scale.";
    "$cast" (Blob) -> Text, Total, blob_to_text, "\\x and two hexadecimal digits a byte.";
    "$cast" (Date) -> Text, Total, date_to_text, "YYYY-MM-DD.";
    "$cast" (Timestamp) -> Text, Total, timestamp_to_text, "YYYY-MM-DD HH:MM:SS and a fraction if there is one, in UTC.";
    "$cast" (Json) -> Text, Total, json_to_text, "The text as it was written.";
    "$cast" (Text) -> Boolean, Fallible, text_to_bool, "Beginnings of true, yes, on, 1 and of false, no, off, 0.";
    "$cast" (Text) -> Integer, Fallible, text_to_i64, "Digits with an optional sign.";
    "$cast" (Text) -> Real, Fallible, text_to_f64, "A number, NaN or Infinity.";
    "$cast" (Text, Integer, Integer) -> Numeric, Fallible, text_to_numeric, "A number with an optional exponent, rounded to the scale: x, precision, scale.";
    "$cast" (Text) -> Blob, Fallible, text_to_blob, "\\x and hexadecimal digits, or text with \\\\ and octal \\nnn.";
    "$cast" (Text) -> Date, Fallible, text_to_date, "ISO 8601.";
    "$cast" (Text) -> Timestamp, Fallible, text_to_timestamp, "ISO 8601, infinity or -infinity; without an offset in UTC.";
    "$cast" (Text) -> Json, Fallible, text_to_json, "JSON, kept as written, nested up to 127 levels.";
    "$cast" (Boolean) -> Integer, Total, bool_to_i64, "1 or 0.";
    "$cast" (Integer) -> Boolean, Total, i64_to_bool, "False for 0, true for all else.";
    "$cast" (Integer) -> Real, Total, i64_to_f64, "The nearest real.";
    "$cast" (Integer, Integer, Integer) -> Numeric, Fallible, i64_to_numeric, "x, precision, scale.";
    "$cast" (Real) -> Integer, Fallible, f64_to_i64, "Rounded half to even.";
    "$cast" (Real, Integer, Integer) -> Numeric, Fallible, f64_to_numeric, "By the first 15 digits: x, precision, scale.";
    "$cast" (Numeric, Integer) -> Integer, Fallible, numeric_to_i64, "Rounded half away from zero: x, its scale.";
    "$cast" (Numeric, Integer) -> Real, Total, numeric_to_f64, "The nearest real: x, its scale.";
    "$cast" (Numeric, Integer, Integer) -> Numeric, Fallible, numeric_to_numeric, "Rounded half away from zero: x, by how much the scale grows, precision.";
    "$cast" (Date) -> Timestamp, Fallible, date_to_timestamp, "The day's begin.";
    "$cast" (Timestamp) -> Date, Total, timestamp_to_date, "The day of the instant.";
    "$cast" (Boolean) -> Json, Total, bool_to_text, "true or false.";
    "$cast" (Integer) -> Json, Total, i64_to_text, "A number.";
    "$cast" (Real) -> Json, Total, f64_to_json, "A number, or a string for NaN and the infinities.";
    "$cast" (Numeric, Integer) -> Json, Total, numeric_to_text, "A number: x, its scale.";
    "$cast" (Json) -> Boolean, Partial, as_boolean, "true or false; NULL for another kind.";
    "$cast" (Json) -> Integer, Partial, as_integer, "A number, rounded half away from zero; NULL for another kind.";
    "$cast" (Json) -> Real, Partial, as_real, "A number; NULL for another kind.";
    "$cast" (Json, Integer, Integer) -> Numeric, Partial, as_numeric, "A number: x, precision, scale; NULL for another kind or when it does not fit.";
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVALID: Fault = Fault::InvalidText;
    const OUT: Fault = Fault::OutOfRange;

    #[test]
    fn booleans_are_read_by_their_beginnings() {
        for text in ["t", "TRUE", " yes ", "y", "on", "1", "tru"] {
            assert_eq!(text_to_bool(text), (true, Fault::Ok), "{text}");
        }
        for text in ["f", "False", "no", "N", "of", "off", "0"] {
            assert_eq!(text_to_bool(text), (false, Fault::Ok), "{text}");
        }
        for text in ["", "o", "2", "truer", "ja"] {
            assert_eq!(text_to_bool(text).1, INVALID, "{text}");
        }
    }

    #[test]
    fn numbers_are_read_or_refused() {
        assert_eq!(text_to_i64(" -42 "), (-42, Fault::Ok));
        assert_eq!(text_to_i64("9223372036854775808").1, OUT);
        for text in ["", "-", "1.0", "1e3", "x", "１"] {
            assert_eq!(text_to_i64(text).1, INVALID, "{text}");
        }
        assert_eq!(text_to_f64("1e3"), (1000.0, Fault::Ok));
        assert_eq!(text_to_f64("-Infinity"), (f64::NEG_INFINITY, Fault::Ok));
        assert_eq!(text_to_f64("0e5"), (0.0, Fault::Ok));
        assert_eq!(text_to_f64("1e999").1, OUT);
        assert_eq!(text_to_f64("1e-999").1, OUT);
        assert_eq!(text_to_f64("1,5").1, INVALID);
    }

    #[test]
    fn decimals_are_read_to_their_scale() {
        let read = |text, precision, scale| text_to_numeric(text, precision, scale);
        assert_eq!(read("1.005", 5, 2), (101, Fault::Ok));
        assert_eq!(read("-1.005", 5, 2), (-101, Fault::Ok));
        assert_eq!(read("1.0049999", 5, 2), (100, Fault::Ok));
        assert_eq!(read("12.5e1", 5, 0), (125, Fault::Ok));
        assert_eq!(read("125e-3", 5, 2), (13, Fault::Ok));
        assert_eq!(read(".5", 5, 0), (1, Fault::Ok));
        assert_eq!(read("5.", 5, 1), (50, Fault::Ok));
        assert_eq!(read("0e999999999999999999999", 5, 1), (0, Fault::Ok));
        assert_eq!(read("1e-999999999999999999999", 5, 1), (0, Fault::Ok));
        assert_eq!(read("0.05", 5, 0), (0, Fault::Ok));
        assert_eq!(read("999.995", 5, 2).1, OUT);
        assert_eq!(read("1e40", 38, 0).1, OUT);
        assert_eq!(read("99999999999999999999999999999999999999", 38, 0), (POWERS[38] - 1, Fault::Ok));
        for text in ["", ".", "-", "e5", "1e", "1e+", "1.2.3", "NaN", "0x10"] {
            assert_eq!(read(text, 5, 0).1, INVALID, "{text}");
        }
    }

    #[test]
    fn numbers_change_type_with_rounding() {
        assert_eq!(f64_to_i64(2.5), (2, Fault::Ok));
        assert_eq!(f64_to_i64(3.5), (4, Fault::Ok));
        assert_eq!(f64_to_i64(9.3e18).1, OUT);
        assert_eq!(f64_to_i64(f64::NAN).1, OUT);
        assert_eq!(f64_to_i64(i64::MIN as f64), (i64::MIN, Fault::Ok));
        assert_eq!(f64_to_numeric(0.1, 5, 2), (10, Fault::Ok));
        assert_eq!(f64_to_numeric(2.675, 5, 2), (268, Fault::Ok));
        assert_eq!(f64_to_numeric(f64::INFINITY, 5, 2).1, OUT);
        assert_eq!(numeric_to_i64(-250, 2), (-3, Fault::Ok));
        assert_eq!(numeric_to_f64(1, 1), 0.1);
        assert_eq!(numeric_to_f64(123_456_789_012_345_678_901, 20), 1.234_567_890_123_456_8);
        assert_eq!(numeric_to_numeric(12_345, -1, 4), (1235, Fault::Ok));
        assert_eq!(numeric_to_numeric(12_345, 0, 4).1, OUT);
        assert_eq!(i64_to_numeric(12, 4, 2), (1200, Fault::Ok));
        assert_eq!(i64_to_numeric(123, 4, 2).1, OUT);
    }

    #[test]
    fn bytes_are_read_in_both_forms() {
        let read = |text: &str| {
            let mut out = Vec::new();
            (text_to_blob(text, &mut out), out)
        };
        assert_eq!(read("\\xDE ad"), (Fault::Ok, vec![0xde, 0xad]));
        assert_eq!(read("a\\\\b\\001"), (Fault::Ok, vec![b'a', b'\\', b'b', 1]));
        assert_eq!(read("\\xabc").0, INVALID);
        assert_eq!(read("\\9").0, INVALID);
    }

    #[test]
    fn days_and_instants() {
        assert_eq!(timestamp_to_date(-1), -1);
        assert_eq!(timestamp_to_date(i64::MAX), DAYS_INFINITY);
        assert_eq!(date_to_timestamp(DAYS_MINUS_INFINITY), (i64::MIN, Fault::Ok));
        assert_eq!(date_to_timestamp(1), (MICROS_PER_DAY, Fault::Ok));
        assert_eq!(date_to_timestamp(200_000_000).1, Fault::DatetimeRange);
    }
}
