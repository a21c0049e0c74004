//! How does a number of any length lie in one string of bytes, so that the bytes of two compare as the numbers do?
//!
//! Contract. A NUMERIC without digits is a value and a display scale: how many digits after the point are shown, though they
//! be zeros. The value comes first, in the one form that it has; the scale behind it takes no part in comparisons, so 1.0 and
//! 1.00 are equal:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | 1 -Infinity, 2 a negative number, 3 zero, 4 a positive number, 5 Infinity, 6 NaN |
//! | 1 or 5 | of a positive number `0.ddd * 100^e`: `e + 128` for -100..=100; F0 and `e`, 0F and `e + 2^31` beyond, as `u32` |
//! | 1 a pair | two digits, plus one; neither the first nor the last pair is 00 |
//! | 2 | the display scale, `u16` |
//!
//! Numbers are big-endian. The bytes of a negative number's magnitude are turned over (all bits), and FF follows them. Files
//! keep these bytes. No bytes at all stand in a column for NULL, and read as zero.
//!
//! Holds: the scale covers all digits after the point that are not zero; at most [`WHOLE_DIGITS_MAX`] digits stand before the
//! point and [`SCALE_MAX`] after it, as in PostgreSQL.
//! Not here: arithmetic (`number`), roots and logarithms (`curve`), what SQL calls (`func::big_numeric`).

use crate::{func::Fault, value::Decimal};
use std::{cmp::Ordering, fmt, str::FromStr};

pub(crate) mod curve;
pub(crate) mod number;
mod read;

pub(crate) use read::read;

/// The most digits before the point.
pub const WHOLE_DIGITS_MAX: usize = 131_072;
/// The most digits after the point.
pub const SCALE_MAX: u32 = 16_383;
/// The most digits, and the furthest scale in both directions, that a type can be declared with.
pub const DECLARED_MAX: u16 = 1000;

const MINUS_INFINITY: u8 = 1;
const NEGATIVE: u8 = 2;
const ZERO: u8 = 3;
const POSITIVE: u8 = 4;
const INFINITY: u8 = 5;
const NAN: u8 = 6;
const SCALE_BYTES: usize = 2;
/// Below all pairs, and turned over above all that were turned over.
const NEGATIVE_END: u8 = 0xff;

/// A number of any length, or NaN, or an infinity.
///
/// Two are equal here when they look alike; [`BigNumeric::compare`] compares their values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BigNumeric(Vec<u8>);

/// A text that is no number, or a number past the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is no number.
    #[error("invalid input syntax for type numeric")]
    NoNumber,
    /// It has too many digits.
    #[error("value overflows numeric format")]
    OutOfRange,
}

impl BigNumeric {
    /// The number that the bytes are, which [`is_big_numeric`] has found whole.
    pub fn from_bytes(bytes: Vec<u8>) -> BigNumeric {
        BigNumeric(bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Is it NaN?
    pub fn is_nan(&self) -> bool {
        self.0.first() == Some(&NAN)
    }

    /// Is it zero?
    pub fn is_zero(&self) -> bool {
        sign(&self.0) == 0
    }

    /// Is it below zero?
    pub fn is_negative(&self) -> bool {
        sign(&self.0) < 0
    }

    /// Is it a number, neither NaN nor an infinity?
    pub fn is_finite(&self) -> bool {
        is_finite(&self.0)
    }

    /// How many digits after the point it shows.
    pub fn scale(&self) -> u32 {
        scale(&self.0)
    }

    /// Which value comes first? NaN is the greatest and equals itself.
    pub fn compare(&self, other: &BigNumeric) -> Ordering {
        value_bytes(&self.0).cmp(value_bytes(&other.0))
    }

    /// The decimal, if it has at most 38 digits.
    pub fn to_decimal(&self) -> Option<Decimal> {
        let (units, scale) = small(&self.0)?;
        let scale = u8::try_from(scale).ok().filter(|scale| *scale <= 38)?;
        let end = crate::func::arith::POWERS[38];
        (-end < units && units < end).then_some(Decimal { units, scale })
    }
}

impl From<Decimal> for BigNumeric {
    fn from(decimal: Decimal) -> BigNumeric {
        let mut out = Vec::new();
        push_small(decimal.units, u32::from(decimal.scale), &mut out);
        BigNumeric(out)
    }
}

impl From<i64> for BigNumeric {
    fn from(integer: i64) -> BigNumeric {
        BigNumeric::from(Decimal { units: i128::from(integer), scale: 0 })
    }
}

impl FromStr for BigNumeric {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<BigNumeric, ParseError> {
        let mut out = Vec::new();
        match read(text, &mut out) {
            Fault::Ok => Ok(BigNumeric(out)),
            Fault::OutOfRange => Err(ParseError::OutOfRange),
            _ => Err(ParseError::NoNumber),
        }
    }
}

/// Prints it as PostgreSQL does, with all digits of its scale.
impl fmt::Display for BigNumeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        write(&self.0, &mut out);
        f.write_str(&out)
    }
}

/// The bytes that are the value, without the scale: they compare as the numbers do.
#[inline]
pub fn value_bytes(bytes: &[u8]) -> &[u8] {
    match bytes.len() {
        0 => &[ZERO],
        len => &bytes[..len - SCALE_BYTES],
    }
}

/// The display scale.
#[inline]
pub(crate) fn scale(bytes: &[u8]) -> u32 {
    match bytes.last_chunk::<SCALE_BYTES>() {
        Some(scale) => u32::from(u16::from_be_bytes(*scale)),
        None => 0,
    }
}

/// A number, neither NaN nor an infinity?
pub(crate) fn is_finite(bytes: &[u8]) -> bool {
    matches!(bytes.first(), None | Some(&(NEGATIVE | ZERO | POSITIVE)))
}

/// NaN?
pub(crate) fn is_nan(bytes: &[u8]) -> bool {
    bytes.first() == Some(&NAN)
}

/// -1, 0 or 1; of NaN 1.
pub(crate) fn sign(bytes: &[u8]) -> i32 {
    match bytes.first() {
        Some(&(MINUS_INFINITY | NEGATIVE)) => -1,
        None | Some(&ZERO) => 0,
        Some(_) => 1,
    }
}

/// The value with the smallest scale that shows it all: what value bytes from a key say.
pub(crate) fn from_value_bytes(bytes: &[u8]) -> Option<BigNumeric> {
    let mut whole = bytes.to_vec();
    whole.extend_from_slice(&[0, 0]);
    let scale = match magnitude_checked(bytes)? {
        Some(magnitude) => u16::try_from(magnitude.scale_min()).ok()?,
        None => 0,
    };
    let at = whole.len() - SCALE_BYTES;
    whole[at..].copy_from_slice(&scale.to_be_bytes());
    is_big_numeric(&whole).then_some(BigNumeric(whole))
}

pub(crate) fn push_nan(out: &mut Vec<u8>) {
    out.extend_from_slice(&[NAN, 0, 0]);
}

pub(crate) fn push_infinity(negative: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(&[if negative { MINUS_INFINITY } else { INFINITY }, 0, 0]);
}

fn push_scale(scale: u32, out: &mut Vec<u8>) {
    let scale = u16::try_from(scale).expect("a scale is bounded");
    out.extend_from_slice(&scale.to_be_bytes());
}

/// Appends a number of pairs of digits `0.pairs * 100^exponent`.
///
/// # Errors
/// It has too many digits before the point.
fn push_pairs(negative: bool, pairs: &[u8], exponent: i64, scale: u32, out: &mut Vec<u8>) -> Fault {
    let lead = pairs.iter().take_while(|pair| **pair == 0).count();
    let tail = pairs.iter().rev().take_while(|pair| **pair == 0).count();
    if lead == pairs.len() {
        out.push(ZERO);
        push_scale(scale, out);
        return Fault::Ok;
    }
    let (pairs, exponent) = (&pairs[lead..pairs.len() - tail], exponent - lead as i64);
    if exponent * 2 > WHOLE_DIGITS_MAX as i64 {
        return Fault::OutOfRange;
    }
    out.push(if negative { NEGATIVE } else { POSITIVE });
    let start = out.len();
    match exponent {
        -100..=100 => out.push((exponent + 128) as u8),
        101.. => {
            out.push(0xf0);
            out.extend_from_slice(&(exponent as u32).to_be_bytes());
        }
        _ => {
            out.push(0x0f);
            out.extend_from_slice(&((exponent + (1 << 31)) as u32).to_be_bytes());
        }
    }
    out.extend(pairs.iter().map(|pair| pair + 1));
    if negative {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
        out.push(NEGATIVE_END);
    }
    push_scale(scale, out);
    Fault::Ok
}

/// Appends a number of units that fit 128 bits.
pub(crate) fn push_small(units: i128, scale: u32, out: &mut Vec<u8>) {
    let odd = scale % 2;
    let magnitude = units.unsigned_abs();
    let Some(mut rest) = magnitude.checked_mul(if odd == 1 { 10 } else { 1 }) else {
        let fault = number::Exact { units: units.into(), scale }.push(out);
        debug_assert_eq!(fault, Fault::Ok, "39 digits fit");
        return;
    };
    let mut pairs = [0u8; 20];
    let mut at = pairs.len();
    // Divisions of 64 bits are several times cheaper than those of 128.
    while rest > u128::from(u64::MAX) {
        at -= 1;
        pairs[at] = (rest % 100) as u8;
        rest /= 100;
    }
    let mut rest = rest as u64;
    while rest > 0 {
        at -= 1;
        pairs[at] = (rest % 100) as u8;
        rest /= 100;
    }
    let exponent = (pairs.len() - at) as i64 - i64::from((scale + odd) / 2);
    let fault = push_pairs(units < 0, &pairs[at..], exponent, scale, out);
    debug_assert_eq!(fault, Fault::Ok, "39 digits fit");
}

/// The digits of a finite number that is not zero.
pub(crate) struct Magnitude<'a> {
    negative: bool,
    exponent: i64,
    /// Pairs as they lie, turned over where the number is negative.
    pairs: &'a [u8],
}

impl Magnitude<'_> {
    /// The pair of a place.
    #[inline]
    fn pair(&self, place: usize) -> u8 {
        let byte = self.pairs[place];
        (if self.negative { !byte } else { byte }) - 1
    }

    fn pairs(&self) -> impl DoubleEndedIterator<Item = u8> + '_ {
        (0..self.pairs.len()).map(|place| self.pair(place))
    }

    /// The digits after the point that show all.
    fn scale_min(&self) -> i64 {
        let last_is_ten = self.pair(self.pairs.len() - 1).is_multiple_of(10);
        (2 * (self.pairs.len() as i64 - self.exponent) - i64::from(last_is_ten)).max(0)
    }
}

/// The digits of a finite number that is not zero; `None` for any other.
pub(crate) fn magnitude(bytes: &[u8]) -> Option<Magnitude<'_>> {
    let value = value_bytes(bytes);
    let (negative, rest) = match value[0] {
        NEGATIVE => (true, &value[1..value.len() - 1]),
        POSITIVE => (false, &value[1..]),
        _ => return None,
    };
    let plain = |byte: u8| if negative { !byte } else { byte };
    let (exponent, pairs) = match plain(rest[0]) {
        0x0f | 0xf0 => {
            let far = u32::from_be_bytes([plain(rest[1]), plain(rest[2]), plain(rest[3]), plain(rest[4])]);
            let shift = if plain(rest[0]) == 0x0f { 1 << 31 } else { 0 };
            (i64::from(far) - shift, &rest[5..])
        }
        near => (i64::from(near) - 128, &rest[1..]),
    };
    Some(Magnitude { negative, exponent, pairs })
}

/// As [`magnitude`], of value bytes from outside; `None` where they are not in the one form.
fn magnitude_checked(value: &[u8]) -> Option<Option<Magnitude<'_>>> {
    let (negative, rest) = match value {
        [MINUS_INFINITY | ZERO | INFINITY | NAN] => return Some(None),
        [NEGATIVE, rest @ .., NEGATIVE_END] => (true, rest),
        [POSITIVE, rest @ ..] => (false, rest),
        _ => return None,
    };
    let plain = |byte: u8| if negative { !byte } else { byte };
    let (first, after) = rest.split_first()?;
    let (exponent, pairs) = match plain(*first) {
        near @ 28..=228 => (i64::from(near) - 128, after),
        side @ (0x0f | 0xf0) => {
            let (far, pairs) = after.split_first_chunk::<4>()?;
            let far = i64::from(u32::from_be_bytes(far.map(plain))) - if side == 0x0f { 1 << 31 } else { 0 };
            let is_far = if side == 0x0f { far < -100 } else { far > 100 };
            if !is_far || !(-(SCALE_MAX as i64)..=WHOLE_DIGITS_MAX as i64 / 2).contains(&far) {
                return None;
            }
            (far, pairs)
        }
        _ => return None,
    };
    let is_pair = |byte: &u8| (1..=100).contains(&plain(*byte));
    let ends = [*pairs.first()?, *pairs.last()?];
    let sound = pairs.iter().all(is_pair) && ends.iter().all(|byte| plain(*byte) != 1);
    sound.then_some(Some(Magnitude { negative, exponent, pairs }))
}

/// Are bytes from outside a number, in the one form that it has?
pub fn is_big_numeric(bytes: &[u8]) -> bool {
    let Some((value, scale)) = bytes.split_last_chunk::<SCALE_BYTES>() else { return false };
    let scale = u32::from(u16::from_be_bytes(*scale));
    match magnitude_checked(value) {
        None => false,
        Some(None) => scale <= if value == [ZERO] { SCALE_MAX } else { 0 },
        Some(Some(magnitude)) => scale <= SCALE_MAX && magnitude.scale_min() <= i64::from(scale),
    }
}

/// Units and scale of a finite number whose units fit 128 bits.
#[inline]
pub(crate) fn small(bytes: &[u8]) -> Option<(i128, u32)> {
    let scale = scale(bytes);
    let Some(magnitude) = magnitude(bytes) else {
        return if is_finite(bytes) { Some((0, scale)) } else { None };
    };
    let count = magnitude.pairs.len();
    if count > 19 {
        return None;
    }
    let units = if count <= 9 {
        i128::from(magnitude.pairs().fold(0u64, |units, pair| units * 100 + u64::from(pair)))
    } else {
        magnitude.pairs().fold(0i128, |units, pair| units * 100 + i128::from(pair))
    };
    let power = 2 * (magnitude.exponent - count as i64) + i64::from(scale);
    let units = match power {
        0 => units,
        -1 => units / 10,
        power => units.checked_mul(*crate::func::arith::POWERS.get(usize::try_from(power).ok()?)?)?,
    };
    Some((if magnitude.negative { -units } else { units }, scale))
}

/// Appends the number's text.
pub fn write(bytes: &[u8], out: &mut String) {
    match bytes.first() {
        Some(&MINUS_INFINITY) => return out.push_str("-Infinity"),
        Some(&INFINITY) => return out.push_str("Infinity"),
        Some(&NAN) => return out.push_str("NaN"),
        _ => {}
    }
    let scale = scale(bytes) as usize;
    let Some(magnitude) = magnitude(bytes) else {
        out.push('0');
        if scale > 0 {
            out.push('.');
            out.extend(std::iter::repeat_n('0', scale));
        }
        return;
    };
    if magnitude.negative {
        out.push('-');
    }
    let digit = |digit: u8| char::from(b'0' + digit);
    // Places of digits, of which the first stands for 10^(2 * exponent - 1).
    let whole = 2 * magnitude.exponent;
    let at = |place: i64| match usize::try_from(place) {
        Ok(place) if place / 2 < magnitude.pairs.len() => {
            let pair = magnitude.pair(place / 2);
            if place % 2 == 0 { pair / 10 } else { pair % 10 }
        }
        _ => 0,
    };
    let first = i64::from(magnitude.pair(0) < 10);
    if whole <= first {
        out.push('0');
    }
    out.extend((first..whole).map(|place| digit(at(place))));
    if scale > 0 {
        out.push('.');
        out.extend((whole..whole + scale as i64).map(|place| digit(at(place))));
    }
}

#[cfg(test)]
mod tests;
