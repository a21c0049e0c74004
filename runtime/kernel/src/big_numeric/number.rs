//! How do numbers of any length add, multiply, divide and round?
//!
//! With PostgreSQL's display scales: a sum has the larger scale, a product the sum of both, a quotient at least 16
//! significant digits. What fits 128 bits is computed there; all else as integers of any length.
//!
//! Holds: results are exact, or rounded half away from zero at their scale.

use super::{
    SCALE_MAX, is_finite, is_nan, magnitude, push_infinity, push_nan, push_pairs, push_small, scale, sign, small,
};
use crate::func::{Fault, arith::POWERS};
use num_bigint::{BigInt, BigUint, Sign};
use std::cmp::Ordering;

/// The least significant digits of a quotient, a root, a logarithm.
pub(crate) const SIGNIFICANT_MIN: i64 = 16;
/// The most digits after the point that a quotient or a root chooses for itself.
pub(crate) const CHOSEN_SCALE_MAX: i64 = 1000;
/// The furthest digit that rounding takes.
const ROUND_MAX: i64 = 2000;

/// A finite number: `units * 10^-scale`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exact {
    pub(crate) units: BigInt,
    pub(crate) scale: u32,
}

/// `10^power`.
pub(crate) fn ten_to(power: u32) -> BigInt {
    match POWERS.get(power as usize) {
        Some(power) => BigInt::from(*power),
        None => BigInt::from(10u8).pow(power),
    }
}

impl Exact {
    /// Reads a finite number.
    pub(crate) fn read(bytes: &[u8]) -> Exact {
        let scale = scale(bytes);
        if let Some((units, scale)) = small(bytes) {
            return Exact { units: units.into(), scale };
        }
        let Some(magnitude) = magnitude(bytes) else { return Exact { units: BigInt::ZERO, scale } };
        let pairs: Vec<u8> = magnitude.pairs().collect();
        let units = BigUint::from_radix_be(&pairs, 100).expect("pairs are below 100");
        let power = 2 * (magnitude.exponent - pairs.len() as i64) + i64::from(scale);
        let mut units = BigInt::from_biguint(if magnitude.negative { Sign::Minus } else { Sign::Plus }, units);
        if power < 0 {
            units /= 10;
        } else {
            units *= ten_to(power as u32);
        }
        Exact { units, scale }
    }

    /// Appends it; [`Fault::OutOfRange`] where it has too many digits.
    pub(crate) fn push(&self, out: &mut Vec<u8>) -> Fault {
        if self.scale > SCALE_MAX {
            return Fault::OutOfRange;
        }
        if let Ok(units) = i128::try_from(&self.units)
            && units.unsigned_abs() < 10u128.pow(37)
        {
            push_small(units, self.scale, out);
            return Fault::Ok;
        }
        let odd = self.scale % 2;
        // Far past the range nothing is converted.
        if self.units.bits() > 500_000 {
            return Fault::OutOfRange;
        }
        let magnitude = if odd == 1 { self.units.magnitude() * 10u8 } else { self.units.magnitude().clone() };
        let pairs = magnitude.to_radix_be(100);
        let exponent = pairs.len() as i64 - i64::from((self.scale + odd) / 2);
        push_pairs(self.is_negative(), &pairs, exponent, self.scale, out)
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.units.sign() == Sign::Minus
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.units.sign() == Sign::NoSign
    }

    /// The units at a scale that is not smaller.
    fn units_at(&self, scale: u32) -> BigInt {
        if scale == self.scale { self.units.clone() } else { &self.units * ten_to(scale - self.scale) }
    }

    /// Rounded half away from zero to digits after the point, or (negative) before it.
    pub(crate) fn rounded(&self, digits: i64) -> Exact {
        self.at(digits, divide_rounded)
    }

    /// Cut off after digits after the point, or (negative) before it.
    pub(crate) fn truncated(&self, digits: i64) -> Exact {
        self.at(digits, |units, power| units / power)
    }

    fn at(&self, digits: i64, drop: impl Fn(&BigInt, &BigInt) -> BigInt) -> Exact {
        let shown = digits.max(0) as u32;
        let dropped = i64::from(self.scale) - digits;
        if dropped <= 0 {
            return Exact { units: self.units_at(shown), scale: shown };
        }
        // Past all digits nothing is left, and no power need be made.
        if dropped as u64 > self.units.bits() / 3 + 2 {
            return Exact { units: BigInt::ZERO, scale: shown };
        }
        let mut units = drop(&self.units, &ten_to(dropped as u32));
        if digits < 0 {
            units *= ten_to(digits.unsigned_abs() as u32);
        }
        Exact { units, scale: shown }
    }

    /// Exact sum.
    pub(crate) fn plus(&self, other: &Exact) -> Exact {
        let scale = self.scale.max(other.scale);
        Exact { units: self.units_at(scale) + other.units_at(scale), scale }
    }

    /// Exact difference.
    pub(crate) fn minus(&self, other: &Exact) -> Exact {
        let scale = self.scale.max(other.scale);
        Exact { units: self.units_at(scale) - other.units_at(scale), scale }
    }

    /// Exact product.
    pub(crate) fn times(&self, other: &Exact) -> Exact {
        Exact { units: &self.units * &other.units, scale: self.scale + other.scale }
    }

    /// The quotient at a scale, rounded or cut off; the divisor is not zero.
    pub(crate) fn over(&self, divisor: &Exact, scale: u32, rounds: bool) -> Exact {
        let shift = i64::from(scale) + i64::from(divisor.scale) - i64::from(self.scale);
        let (mut top, mut bottom) = (self.units.clone(), divisor.units.clone());
        if shift >= 0 {
            top *= ten_to(shift as u32);
        } else {
            bottom *= ten_to(shift.unsigned_abs() as u32);
        }
        Exact { units: if rounds { divide_rounded(&top, &bottom) } else { top / bottom }, scale }
    }

    /// The nearest double, infinite past the range.
    pub(crate) fn to_f64(&self) -> f64 {
        let mut out = Vec::new();
        if self.scale <= SCALE_MAX && self.push(&mut out) == Fault::Ok {
            return to_f64(&out);
        }
        if self.is_negative() { f64::NEG_INFINITY } else { f64::INFINITY }
    }

    /// The power of ten of the first digit; 0 of zero.
    pub(crate) fn first_digit_power(&self) -> i64 {
        digit_count(&self.units) as i64 - 1 - i64::from(self.scale)
    }
}

/// How many digits; 1 of zero.
fn digit_count(units: &BigInt) -> u64 {
    if let Ok(units) = i128::try_from(units) {
        return u64::from(units.unsigned_abs().checked_ilog10().unwrap_or(0)) + 1;
    }
    let bits = units.bits();
    // So many digits, or one more.
    let least = ((bits - 1) as f64 * std::f64::consts::LOG10_2) as u64;
    let end = BigUint::from(10u8).pow(least as u32 + 1);
    if *units.magnitude() >= end {
        least + 2
    } else if units.magnitude() * 10u8 >= end {
        least + 1
    } else {
        least
    }
}

/// The quotient rounded half away from zero.
pub(crate) fn divide_rounded(top: &BigInt, bottom: &BigInt) -> BigInt {
    let (quotient, rest) = (top / bottom, top % bottom);
    if rest.magnitude() * 2u8 >= *bottom.magnitude() && rest.sign() != Sign::NoSign {
        if (top.sign() == Sign::Minus) == (bottom.sign() == Sign::Minus) { quotient + 1 } else { quotient - 1 }
    } else {
        quotient
    }
}

/// The nearest double.
pub(crate) fn to_f64(bytes: &[u8]) -> f64 {
    let mut text = String::new();
    super::write(bytes, &mut text);
    text.parse().expect("a number reads as a double")
}

fn push_small_or(result: Option<(i128, u32)>, out: &mut Vec<u8>, slow: impl FnOnce() -> Exact) -> Fault {
    match result {
        Some((units, scale)) => {
            push_small(units, scale, out);
            Fault::Ok
        }
        None => slow().push(out),
    }
}

/// Both numbers at one scale, where they fit 128 bits.
#[inline]
fn aligned(a: &[u8], b: &[u8]) -> Option<(i128, i128, u32)> {
    let ((a, s), (b, t)) = (small(a)?, small(b)?);
    let raise = |units: i128, by: u32| units.checked_mul(*POWERS.get(by as usize)?);
    let scale = s.max(t);
    Some((raise(a, scale - s)?, raise(b, scale - t)?, scale))
}

/// An infinity or NaN that comes of a sum.
fn special_sum(a: &[u8], b: &[u8], b_negated: bool, out: &mut Vec<u8>) {
    let of = |bytes: &[u8]| if is_finite(bytes) { 0 } else { sign(bytes) };
    let (a_sign, b_sign) = (of(a), if b_negated { -of(b) } else { of(b) });
    if is_nan(a) || is_nan(b) || a_sign * b_sign < 0 {
        push_nan(out);
    } else {
        push_infinity(a_sign + b_sign < 0, out);
    }
}

/// Sum.
pub(crate) fn add(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Fault {
    if !is_finite(a) || !is_finite(b) {
        special_sum(a, b, false, out);
        return Fault::Ok;
    }
    let fast = aligned(a, b).and_then(|(a, b, scale)| Some((a.checked_add(b)?, scale)));
    push_small_or(fast, out, || Exact::read(a).plus(&Exact::read(b)))
}

/// Difference.
pub(crate) fn subtract(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Fault {
    if !is_finite(a) || !is_finite(b) {
        special_sum(a, b, true, out);
        return Fault::Ok;
    }
    let fast = aligned(a, b).and_then(|(a, b, scale)| Some((a.checked_sub(b)?, scale)));
    push_small_or(fast, out, || Exact::read(a).minus(&Exact::read(b)))
}

/// Product.
pub(crate) fn multiply(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Fault {
    if !is_finite(a) || !is_finite(b) {
        let negative = sign(a) * sign(b) < 0;
        if is_nan(a) || is_nan(b) || sign(a) * sign(b) == 0 {
            push_nan(out);
        } else {
            push_infinity(negative, out);
        }
        return Fault::Ok;
    }
    let fast = match (small(a), small(b)) {
        (Some((a, s)), Some((b, t))) if s + t <= SCALE_MAX => a.checked_mul(b).map(|units| (units, s + t)),
        _ => None,
    };
    push_small_or(fast, out, || {
        let product = Exact::read(a).times(&Exact::read(b));
        if product.scale > SCALE_MAX { product.rounded(i64::from(SCALE_MAX)) } else { product }
    })
}

/// Weight and first digit to base 10,000, by which PostgreSQL guesses the size of a quotient.
fn weight(number: &Exact) -> (i64, u64) {
    if number.is_zero() {
        return (0, 0);
    }
    let power = number.first_digit_power();
    let weight = power.div_euclid(4);
    // The whole part of number / 10000^weight.
    let shift = weight * 4 + i64::from(number.scale);
    let magnitude = BigInt::from(number.units.magnitude().clone());
    let digit =
        if shift >= 0 { magnitude / ten_to(shift as u32) } else { magnitude * ten_to(shift.unsigned_abs() as u32) };
    (weight, u64::try_from(digit).expect("it is below 10,000"))
}

/// The digits after the point of a quotient: at least 16 significant ones, and no fewer than either operand has.
pub(crate) fn quotient_scale(a: &Exact, b: &Exact) -> u32 {
    let ((a_weight, a_digit), (b_weight, b_digit)) = (weight(a), weight(b));
    let weight = a_weight - b_weight - i64::from(a_digit <= b_digit);
    chosen_scale(SIGNIFICANT_MIN - weight * 4, &[a.scale, b.scale])
}

/// A scale that is asked for, but no fewer digits than operands have, and no more than are ever chosen.
pub(crate) fn chosen_scale(asked: i64, least: &[u32]) -> u32 {
    let least = least.iter().copied().max().unwrap_or(0);
    asked.max(i64::from(least)).clamp(0, CHOSEN_SCALE_MAX) as u32
}

/// Quotient at a scale that both choose.
pub(crate) fn quotient(a: &Exact, b: &Exact) -> Exact {
    a.over(b, quotient_scale(a, b), true)
}

fn is_zero(bytes: &[u8]) -> bool {
    sign(bytes) == 0
}

/// A quotient of which one is no number.
fn special_quotient(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Fault {
    if is_nan(a) || is_nan(b) {
        push_nan(out);
    } else if is_finite(a) {
        push_small(0, 0, out);
    } else if is_zero(b) {
        return Fault::DivisionByZero;
    } else if is_finite(b) {
        push_infinity(sign(a) * sign(b) < 0, out);
    } else {
        push_nan(out);
    }
    Fault::Ok
}

/// Quotient.
pub(crate) fn divide(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Fault {
    if !is_finite(a) || !is_finite(b) {
        return special_quotient(a, b, out);
    }
    if is_zero(b) {
        return Fault::DivisionByZero;
    }
    quotient(&Exact::read(a), &Exact::read(b)).push(out)
}

/// The whole part of a quotient.
pub(crate) fn divide_whole(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Fault {
    if !is_finite(a) || !is_finite(b) {
        return special_quotient(a, b, out);
    }
    if is_zero(b) {
        return Fault::DivisionByZero;
    }
    Exact::read(a).over(&Exact::read(b), 0, false).push(out)
}

/// Remainder, with the sign of the dividend.
pub(crate) fn remainder(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Fault {
    if !is_finite(a) || !is_finite(b) {
        if is_nan(a) || is_nan(b) {
            push_nan(out);
        } else if is_finite(a) {
            out.extend_from_slice(a);
            // No bytes stand for zero, and are none.
            if a.is_empty() {
                push_small(0, 0, out);
            }
        } else if is_zero(b) {
            return Fault::DivisionByZero;
        } else {
            push_nan(out);
        }
        return Fault::Ok;
    }
    if is_zero(b) {
        return Fault::DivisionByZero;
    }
    let fast = aligned(a, b).map(|(a, b, scale)| (a % b, scale));
    push_small_or(fast, out, || {
        let (a, b) = (Exact::read(a), Exact::read(b));
        let scale = a.scale.max(b.scale);
        Exact { units: a.units_at(scale) % b.units_at(scale), scale }
    })
}

/// The number with the other sign, or as it is: `flips` says of which sign.
fn with_sign(a: &[u8], flips: impl Fn(i32) -> bool, out: &mut Vec<u8>) -> Fault {
    if is_nan(a) || !flips(sign(a)) {
        return copy(a, out);
    }
    if !is_finite(a) {
        push_infinity(sign(a) > 0, out);
        return Fault::Ok;
    }
    let Some(magnitude) = magnitude(a) else { return copy(a, out) };
    let pairs: Vec<u8> = magnitude.pairs().collect();
    push_pairs(!magnitude.negative, &pairs, magnitude.exponent, scale(a), out)
}

/// The number as it is.
pub(crate) fn copy(a: &[u8], out: &mut Vec<u8>) -> Fault {
    if a.is_empty() {
        push_small(0, 0, out);
    } else {
        out.extend_from_slice(a);
    }
    Fault::Ok
}

/// Negation.
pub(crate) fn negate(a: &[u8], out: &mut Vec<u8>) -> Fault {
    with_sign(a, |sign| sign != 0, out)
}

/// Magnitude.
pub(crate) fn absolute(a: &[u8], out: &mut Vec<u8>) -> Fault {
    with_sign(a, |sign| sign < 0, out)
}

/// -1, 0 or 1; NaN of NaN.
pub(crate) fn signum(a: &[u8], out: &mut Vec<u8>) -> Fault {
    if is_nan(a) {
        push_nan(out);
    } else {
        push_small(i128::from(sign(a)), 0, out);
    }
    Fault::Ok
}

/// Rounds or cuts at a digit.
pub(crate) fn round(a: &[u8], digits: i64, cuts: bool, out: &mut Vec<u8>) -> Fault {
    if !is_finite(a) {
        return copy(a, out);
    }
    let digits = digits.clamp(-ROUND_MAX, ROUND_MAX);
    let number = Exact::read(a);
    if cuts { number.truncated(digits).push(out) } else { number.rounded(digits).push(out) }
}

/// The nearest whole number not above, or not below.
pub(crate) fn whole(a: &[u8], up: bool, out: &mut Vec<u8>) -> Fault {
    if !is_finite(a) {
        return copy(a, out);
    }
    let number = Exact::read(a);
    let mut cut = number.truncated(0);
    let cut_at = cut.minus(&number);
    if up && cut_at.is_negative() {
        cut.units += 1;
    } else if !up && !cut_at.is_negative() && !cut_at.is_zero() {
        cut.units -= 1;
    }
    cut.push(out)
}

/// A number of a declared precision and scale; an infinity has no digits to fit.
pub(crate) fn fit(a: &[u8], precision: u16, digits: i16, out: &mut Vec<u8>) -> Fault {
    if is_nan(a) {
        return copy(a, out);
    }
    if !is_finite(a) {
        return Fault::OutOfRange;
    }
    let rounded = Exact::read(a).rounded(i64::from(digits));
    // The digits from the declared place on.
    let count = rounded.first_digit_power() + 1 + i64::from(digits);
    if !rounded.is_zero() && count > i64::from(precision) {
        return Fault::OutOfRange;
    }
    rounded.push(out)
}

/// Greatest common divisor.
pub(crate) fn gcd(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Fault {
    if !is_finite(a) || !is_finite(b) {
        push_nan(out);
        return Fault::Ok;
    }
    common_divisor(&Exact::read(a), &Exact::read(b)).push(out)
}

fn common_divisor(a: &Exact, b: &Exact) -> Exact {
    let scale = a.scale.max(b.scale);
    let (mut one, mut other) = (a.units_at(scale).into_parts().1, b.units_at(scale).into_parts().1);
    while other != BigUint::ZERO {
        (one, other) = (other.clone(), one % &other);
    }
    Exact { units: one.into(), scale }
}

/// Least common multiple.
pub(crate) fn lcm(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Fault {
    if !is_finite(a) || !is_finite(b) {
        push_nan(out);
        return Fault::Ok;
    }
    let (a, b) = (Exact::read(a), Exact::read(b));
    let scale = a.scale.max(b.scale);
    if a.is_zero() || b.is_zero() {
        return Exact { units: BigInt::ZERO, scale }.push(out);
    }
    let times = a.over(&common_divisor(&a, &b), 0, false);
    let product = times.times(&b);
    let units = BigInt::from(product.units.into_parts().1);
    Exact { units, scale: product.scale }.rounded(i64::from(scale)).push(out)
}

/// The product of the numbers up to one.
pub(crate) fn factorial(a: i64, out: &mut Vec<u8>) -> Fault {
    // What comes after has more digits than there may be.
    if !(0..=32_177).contains(&a) {
        return Fault::OutOfRange;
    }
    fn product(from: u64, to: u64) -> BigUint {
        if to - from < 8 {
            return (from..=to).fold(BigUint::from(1u8), |product, factor| product * factor);
        }
        let middle = from.midpoint(to);
        product(from, middle) * product(middle + 1, to)
    }
    let units = if a < 2 { BigUint::from(1u8) } else { product(2, a.unsigned_abs()) };
    Exact { units: units.into(), scale: 0 }.push(out)
}

/// The digits after the point that show the whole value.
pub(crate) fn scale_min(a: &[u8]) -> i64 {
    magnitude(a).map_or(0, |magnitude| magnitude.scale_min())
}

/// The number with the fewest digits that show its value.
pub(crate) fn trim_scale(a: &[u8], out: &mut Vec<u8>) -> Fault {
    let start = out.len();
    copy(a, out);
    let at = out.len() - 2;
    debug_assert!(at >= start, "a number ends in its scale");
    out[at..].copy_from_slice(&(scale_min(a) as u16).to_be_bytes());
    Fault::Ok
}

/// In which of so many equal stretches between two bounds a number lies: 0 below, one more above.
pub(crate) fn width_bucket(a: &[u8], low: &[u8], high: &[u8], count: i64) -> (i64, Fault) {
    let order = super::value_bytes(low).cmp(super::value_bytes(high));
    if count <= 0 || is_nan(a) || !is_finite(low) || !is_finite(high) || order == Ordering::Equal {
        return (0, Fault::InvalidArgument);
    }
    let (below, above) = match order {
        Ordering::Less => {
            (super::value_bytes(a) < super::value_bytes(low), super::value_bytes(a) >= super::value_bytes(high))
        }
        _ => (super::value_bytes(a) > super::value_bytes(low), super::value_bytes(a) <= super::value_bytes(high)),
    };
    if below {
        return (0, Fault::Ok);
    }
    if above {
        return match count.checked_add(1) {
            Some(above) => (above, Fault::Ok),
            None => (0, Fault::OutOfRange),
        };
    }
    let (low, high) = (Exact::read(low), Exact::read(high));
    let (from_low, width) = (Exact::read(a).minus(&low), high.minus(&low));
    let share = from_low.times(&Exact { units: count.into(), scale: 0 }).over(&width, 0, false);
    (i64::try_from(share.units).map_or(count, |share| share + 1), Fault::Ok)
}

/// A whole number of 64 bits, rounded half away from zero.
pub(crate) fn to_i64(a: &[u8]) -> (i64, Fault) {
    if !is_finite(a) {
        return (0, Fault::OutOfRange);
    }
    match i64::try_from(Exact::read(a).rounded(0).units) {
        Ok(integer) => (integer, Fault::Ok),
        Err(_) => (0, Fault::OutOfRange),
    }
}

/// Units of a scale that fit a precision of at most 38 digits, rounded half away from zero.
pub(crate) fn to_i128(a: &[u8], precision: i64, scale: i64) -> (i128, Fault) {
    if !is_finite(a) {
        return (0, Fault::OutOfRange);
    }
    let end = usize::try_from(precision).ok().and_then(|precision| POWERS.get(precision));
    let units = i128::try_from(Exact::read(a).rounded(scale).units).ok();
    match (units, end) {
        (Some(units), Some(end)) if units.unsigned_abs() < end.unsigned_abs() => (units, Fault::Ok),
        _ => (0, Fault::OutOfRange),
    }
}
