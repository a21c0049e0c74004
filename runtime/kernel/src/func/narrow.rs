//! How does a value keep the promise of a narrower type?
//!
//! SMALLINT and INT4 check a range; VARCHAR(n) and CHAR(n) a length, and CHAR fills up with blanks; FLOAT4 and TIMESTAMP(p) round; JSONB is
//! written in one way (`json_tree`). What is
//! written must fit, but for blanks at its end; a cast cuts, as in PostgreSQL. Each is an internal function of the plain
//! class, so the rest of the engine does not know the narrower type. [`to`] and [`from`] name them for whoever converts.
//!
//! A FLOAT4 lies as the double that its shortest decimal reads as: it prints as what was written, and becomes the exact
//! value of its 32 bits only when it becomes a REAL.

use super::{Fault, lift::functions};
use crate::{
    interval::Interval,
    ty::{LENGTH_MAX, Type},
};

/// A call that narrows or widens: the function's name and its second argument.
pub type Step = (&'static str, Option<i64>);

/// What makes a plain value of the class one of this type. `cuts`: an explicit cast cuts what is too long.
pub const fn to(ty: Type, cuts: bool) -> Option<Step> {
    match ty {
        Type::SmallInt => Some(("$fit_integer", Some(16))),
        Type::Int4 => Some(("$fit_integer", Some(32))),
        Type::Float4 => Some(("$to_float4", None)),
        Type::Varchar { length } => Some((if cuts { "$cut_text" } else { "$fit_text" }, Some(length as i64))),
        Type::Char { length } => Some((if cuts { "$cut_char" } else { "$fit_char" }, Some(length as i64))),
        Type::WideNumeric { precision, scale } => {
            Some(("$fit_numeric", Some((precision as i64) << 16 | scale as u16 as i64)))
        }
        Type::Rounded { digits, .. } => Some(("$to_digits", Some(digits as i64))),
        Type::Jsonb => Some(("$json_tidied", None)),
        _ => None,
    }
}

/// What makes a value of this type a plain one.
pub const fn from(ty: Type) -> Option<&'static str> {
    match ty {
        Type::Float4 => Some("$from_float4"),
        Type::Char { .. } => Some("$from_char"),
        _ => None,
    }
}

/// Is every value of one type one of another, as it lies?
pub fn is_within(from: Type, to: Type) -> bool {
    from == to
        || match (from, to) {
            (Type::SmallInt, Type::Int4 | Type::Integer) | (Type::Int4, Type::Integer) => true,
            (Type::Varchar { length }, Type::Varchar { length: to }) => length <= to,
            (Type::Varchar { .. }, Type::Text) | (Type::Jsonb, Type::Json) => true,
            (Type::WideNumeric { .. }, Type::BigNumeric) => true,
            (Type::Rounded { class, .. }, to) if class.plain_type() == to => true,
            (Type::Rounded { class, digits }, Type::Rounded { class: of, digits: to }) => class == of && digits <= to,
            (Type::WideNumeric { precision, scale }, Type::WideNumeric { precision: to, scale: at }) => {
                scale == at && precision <= to
            }
            _ => false,
        }
}

/// An integer of at most so many bits.
#[inline]
pub fn fit_integer(a: i64, bits: i64) -> (i64, Fault) {
    let out = match bits {
        16 => i16::try_from(a).is_err(),
        _ => i32::try_from(a).is_err(),
    };
    (a, if out { Fault::OutOfRange } else { Fault::Ok })
}

/// The nearest FLOAT4 of a real.
#[inline]
pub fn to_float4(a: f64) -> (f64, Fault) {
    let narrow = a as f32;
    let is_out = (narrow.is_infinite() && a.is_finite()) || (narrow == 0.0 && a != 0.0);
    (shortest(narrow), if is_out { Fault::OutOfRange } else { Fault::Ok })
}

/// The double that the shortest decimal of a 32-bit float reads as.
pub fn shortest(a: f32) -> f64 {
    if !a.is_finite() || f64::from(a).fract() == 0.0 && a.abs() < 16_777_216.0 {
        return f64::from(a);
    }
    format!("{a:e}").parse().expect("a float prints as a number")
}

/// The exact value of a FLOAT4.
#[inline]
pub fn from_float4(a: f64) -> f64 {
    f64::from(a as f32)
}

/// Where the text's first characters end, if it has more.
fn cut_at(text: &str, length: i64) -> Option<usize> {
    let length = usize::try_from(length).unwrap_or(0);
    if text.len() <= length {
        return None;
    }
    text.char_indices().nth(length).map(|(at, _)| at)
}

/// A text of at most so many characters; blanks beyond them are cut off.
pub fn fit_text(a: &str, length: i64, out: &mut String) -> Fault {
    match cut_at(a, length) {
        None => out.push_str(a),
        Some(at) if a[at..].bytes().all(|byte| byte == b' ') => out.push_str(&a[..at]),
        Some(_) => return Fault::TooLong,
    }
    Fault::Ok
}

/// The first characters of a text.
pub fn cut_text(a: &str, length: i64, out: &mut String) {
    out.push_str(&a[..cut_at(a, length).unwrap_or(a.len())]);
}

fn fill(start: usize, length: i64, out: &mut String) {
    let count = out[start..].chars().count();
    let blanks = usize::try_from(length.min(i64::from(LENGTH_MAX))).unwrap_or(0).saturating_sub(count);
    out.extend(std::iter::repeat_n(' ', blanks));
}

/// A text of at most so many characters, filled up with blanks.
pub fn fit_char(a: &str, length: i64, out: &mut String) -> Fault {
    let start = out.len();
    let fault = fit_text(a, length, out);
    fill(start, length, out);
    fault
}

/// The first characters of a text, filled up with blanks.
pub fn cut_char(a: &str, length: i64, out: &mut String) {
    let start = out.len();
    cut_text(a, length, out);
    fill(start, length, out);
}

/// A CHAR's text without the blanks at its end.
pub fn from_char(a: &str, out: &mut String) {
    out.push_str(a.trim_end_matches(' '));
}

/// Microseconds rounded to so many digits of a second, half away from zero.
fn rounded(micros: i64, digits: i64) -> i64 {
    if micros == i64::MIN || micros == i64::MAX {
        return micros;
    }
    let step = 10i64.pow(6 - digits.clamp(0, 6) as u32);
    let half = step / 2;
    let moved = if micros < 0 { micros.saturating_sub(half) } else { micros.saturating_add(half) };
    moved / step * step
}

/// A time with so many digits of a second.
pub fn to_digits(micros: i64, digits: i64) -> (i64, Fault) {
    (rounded(micros, digits), Fault::Ok)
}

/// Microseconds from 1970 to 2000, from where PostgreSQL counts: half a digit is rounded away from there.
const SINCE_2000: i64 = 946_684_800_000_000;

/// An instant with so many digits of a second.
pub fn instant_to_digits(micros: i64, digits: i64) -> (i64, Fault) {
    match micros.checked_sub(SINCE_2000) {
        Some(since) if micros != i64::MAX => (rounded(since, digits).saturating_add(SINCE_2000), Fault::Ok),
        Some(_) | None => (rounded(micros, digits), Fault::Ok),
    }
}

/// An interval with so many digits of a second.
pub fn interval_to_digits(lane: i128, digits: i64) -> (i128, Fault) {
    let interval = Interval::from_lane(lane);
    let micros = rounded(interval.micros(), digits);
    match Interval::new(interval.months(), interval.days(), micros) {
        Some(interval) => (interval.lane(), Fault::Ok),
        None => (lane, Fault::DatetimeRange),
    }
}

functions! { "func::narrow";
    "$to_digits" (Time, Integer) -> Time, Fallible, to_digits, "With so many digits of a second.";
    "$to_digits" (Timestamp, Integer) -> Timestamp, Fallible, instant_to_digits, "With so many digits of a second.";
    "$to_digits" (TimestampTz, Integer) -> TimestampTz, Fallible, instant_to_digits, "With so many digits of a second.";
    "$to_digits" (Interval, Integer) -> Interval, Fallible, interval_to_digits, "With so many digits of a second.";
    "$fit_integer" (Integer, Integer) -> Integer, Fallible, fit_integer, "The integer, if it has at most that many bits.";
    "$to_float4" (Real) -> Real, Fallible, to_float4, "The nearest 32-bit float.";
    "$from_float4" (Real) -> Real, Total, from_float4, "The exact value of a 32-bit float.";
    "$fit_text" (Text, Integer) -> Text, Fallible, fit_text, "The text, if it has at most that many characters but for blanks at its end.";
    "$cut_text" (Text, Integer) -> Text, Total, cut_text, "That many characters of the text.";
    "$fit_char" (Text, Integer) -> Text, Fallible, fit_char, "As $fit_text, filled up with blanks.";
    "$cut_char" (Text, Integer) -> Text, Total, cut_char, "As $cut_text, filled up with blanks.";
    "$from_char" (Text) -> Text, Total, from_char, "The text without blanks at its end.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_keep_their_shortest_decimal() {
        assert_eq!(to_float4(0.1), (0.1, Fault::Ok));
        assert_eq!(to_float4(16_777_217.0), (16_777_216.0, Fault::Ok));
        assert_eq!(from_float4(0.1), 0.100_000_001_490_116_12);
        assert_eq!(to_float4(1e300).1, Fault::OutOfRange);
        assert_eq!(to_float4(1e-300).1, Fault::OutOfRange);
        assert!(to_float4(f64::NAN).0.is_nan());
    }

    #[test]
    fn texts_are_cut_or_refused() {
        let fitted = |text: &str, length| {
            let mut out = String::new();
            (fit_char(text, length, &mut out), out)
        };
        assert_eq!(fitted("ab", 4), (Fault::Ok, "ab  ".to_owned()));
        assert_eq!(fitted("ab   ", 3), (Fault::Ok, "ab ".to_owned()));
        assert_eq!(fitted("äöü", 2).0, Fault::TooLong);
        let mut out = String::new();
        cut_char("äöü", 2, &mut out);
        assert_eq!(out, "äö");
    }
}
