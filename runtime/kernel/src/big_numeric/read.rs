//! Which number is a text?
//!
//! As PostgreSQL reads NUMERIC: digits with an optional point and exponent, an underscore between two digits, hexadecimal,
//! octal and binary integers, NaN and the infinities. The digits that are written after the point are the scale.

use super::{SCALE_MAX, number::Exact, push_infinity, push_nan, push_pairs};
use crate::func::Fault;
use num_bigint::{BigInt, BigUint};

/// Appends the number that a text is: [`Fault::InvalidText`] or [`Fault::OutOfRange`] where it is none.
pub(crate) fn read(text: &str, out: &mut Vec<u8>) -> Fault {
    let text = text.trim_matches(|char: char| char.is_ascii_whitespace() || char == '\x0b');
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if unsigned.eq_ignore_ascii_case("nan") && unsigned.len() == text.len() {
        push_nan(out);
        return Fault::Ok;
    }
    if unsigned.eq_ignore_ascii_case("infinity") || unsigned.eq_ignore_ascii_case("inf") {
        push_infinity(negative, out);
        return Fault::Ok;
    }
    let radix = match unsigned.as_bytes().get(..2) {
        Some(b"0x" | b"0X") => 16,
        Some(b"0o" | b"0O") => 8,
        Some(b"0b" | b"0B") => 2,
        _ => return read_decimal(negative, unsigned, out),
    };
    // An underscore may follow the prefix.
    let digits = unsigned[2..].strip_prefix('_').unwrap_or(&unsigned[2..]);
    let Some(digits) = without_underscores(digits.as_bytes()) else { return Fault::InvalidText };
    // Hexadecimal digits past the range are not converted first: that would take long.
    if digits.len() > 450_000 {
        return Fault::OutOfRange;
    }
    match BigUint::parse_bytes(&digits, radix) {
        Some(units) if digits.iter().all(u8::is_ascii_alphanumeric) => {
            let units = BigInt::from(units);
            Exact { units: if negative { -units } else { units }, scale: 0 }.push(out)
        }
        Some(_) | None => Fault::InvalidText,
    }
}

/// The text without underscores, each of which must stand between two digits.
fn without_underscores(text: &[u8]) -> Option<Vec<u8>> {
    let is_digit = |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    let stands_well = |at: usize| text[at] != b'_' || (is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)));
    if text.is_empty() || !(0..text.len()).all(stands_well) {
        return None;
    }
    Some(text.iter().copied().filter(|byte| *byte != b'_').collect())
}

fn read_decimal(negative: bool, text: &str, out: &mut Vec<u8>) -> Fault {
    let plain: Vec<u8>;
    let text = if text.contains('_') {
        match without_underscores(text.as_bytes()) {
            Some(without) if well_placed(text) => {
                plain = without;
                std::str::from_utf8(&plain).unwrap_or("")
            }
            Some(_) | None => return Fault::InvalidText,
        }
    } else {
        text
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Fault::InvalidText;
            }
            (mantissa, exponent.parse::<i64>().unwrap_or(i64::MAX))
        }
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if (whole.is_empty() && fraction.is_empty()) || !digits().all(|byte| byte.is_ascii_digit()) {
        return Fault::InvalidText;
    }
    if exponent.unsigned_abs() >= i64::from(i32::MAX / 2).unsigned_abs() {
        return Fault::OutOfRange;
    }
    let scale = (fraction.len() as i64 - exponent).max(0);
    if scale > i64::from(SCALE_MAX) {
        return Fault::OutOfRange;
    }
    // The number is 0.digits * 10^power; an odd power needs a zero before the first digit.
    let lead = digits().take_while(|digit| *digit == b'0').count();
    let power = whole.len() as i64 + exponent - lead as i64;
    let odd = power.rem_euclid(2) == 1;
    let mut places = std::iter::repeat_n(0, usize::from(odd)).chain(digits().skip(lead).map(|digit| digit - b'0'));
    let mut pairs = Vec::with_capacity((whole.len() + fraction.len()) / 2 + 1);
    while let Some(high) = places.next() {
        pairs.push(high * 10 + places.next().unwrap_or(0));
    }
    push_pairs(negative, &pairs, (power + i64::from(odd)) / 2, scale as u32, out)
}

/// Do underscores stand between digits, not beside the letter of an exponent?
fn well_placed(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).all(|at| bytes[at] != b'_' || (is_digit(at.checked_sub(1)) && is_digit(Some(at + 1))))
}
