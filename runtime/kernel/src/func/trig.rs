//! What are the angles, roots, divisors and bits of numbers?
//!
//! As in PostgreSQL: an argument outside of a function's domain is an error, not a NaN; shifts take their count modulo the
//! width. Not here: rounding, powers and logarithms of one argument (`math`).

use super::{Fault, lift::functions};
use std::f64::consts::PI;

macro_rules! total {
    ($($(#[$doc:meta])* $name:ident |$a:ident| $e:expr;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name($a: f64) -> f64 {
            $e
        }
    )*};
}

total! {
    /// Cube root.
    cbrt |a| a.cbrt();
    /// Inverse tangent.
    atan |a| a.atan();
    /// Inverse tangent in degrees.
    atand |a| degrees_of(a.atan());
    /// Hyperbolic sine; past the range of reals it is infinite, as in PostgreSQL.
    sinh |a| a.sinh();
    /// Hyperbolic cosine; past the range of reals it is infinite.
    cosh |a| a.cosh();
    /// Hyperbolic tangent.
    tanh |a| a.tanh();
    /// Inverse hyperbolic sine.
    asinh |a| a.asinh();
    /// Degrees as radians.
    radians |a| a.to_radians();
    /// The real itself, without its sign.
    magnitude |a| a.abs();
}

/// PostgreSQL divides by it, which is not the product with its inverse to the last digit.
const RADIANS_OF_DEGREE: f64 = std::f64::consts::PI / 180.0;

fn checked(value: f64, fits: bool) -> (f64, Fault) {
    (value, if fits { Fault::Ok } else { Fault::OutOfRange })
}

macro_rules! fallible {
    ($($(#[$doc:meta])* $name:ident |$a:ident| $e:expr, $fits:expr;)*) => {$(
        $(#[$doc])*
        #[inline]
        pub fn $name($a: f64) -> (f64, Fault) {
            checked($e, $fits)
        }
    )*};
}

/// The exact value of the angles that have one: multiples of thirty and ninety degrees.
fn sine_of_degrees(a: f64) -> f64 {
    let turned = a.rem_euclid(360.0);
    let (half, sign) = if turned >= 180.0 { (turned - 180.0, -1.0) } else { (turned, 1.0) };
    let quarter = if half > 90.0 { 180.0 - half } else { half };
    let sine = if quarter == 0.0 {
        0.0
    } else if quarter == 30.0 {
        0.5
    } else if quarter == 90.0 {
        1.0
    } else {
        quarter.to_radians().sin()
    };
    if sine == 0.0 { 0.0 } else { sign * sine }
}

fallible! {
    /// Sine.
    sin |a| a.sin(), !a.is_infinite();
    /// Cosine.
    cos |a| a.cos(), !a.is_infinite();
    /// Tangent.
    tan |a| a.tan(), !a.is_infinite();
    /// Cotangent.
    cot |a| 1.0 / a.tan(), !a.is_infinite();
    /// Inverse sine.
    asin |a| a.asin(), a.is_nan() || a.abs() <= 1.0;
    /// Inverse cosine.
    acos |a| a.acos(), a.is_nan() || a.abs() <= 1.0;
    /// Inverse sine in degrees.
    asind |a| arc_sine(a), a.is_nan() || a.abs() <= 1.0;
    /// Inverse cosine in degrees.
    acosd |a| if a >= 0.0 { 90.0 - arc_sine(a) } else { 90.0 + arc_sine(-a) }, a.is_nan() || a.abs() <= 1.0;
    /// Sine of degrees.
    sind |a| sine_of_degrees(a), !a.is_infinite();
    /// Cosine of degrees.
    cosd |a| sine_of_degrees(a + 90.0), !a.is_infinite();
    /// Tangent of degrees.
    tand |a| sine_of_degrees(a) / sine_of_degrees(a + 90.0), !a.is_infinite();
    /// Radians as degrees.
    degrees |a| a / RADIANS_OF_DEGREE, a.is_infinite() || !(a / RADIANS_OF_DEGREE).is_infinite();
    /// Inverse hyperbolic cosine.
    acosh |a| a.acosh(), a.is_nan() || a >= 1.0;
    /// Inverse hyperbolic tangent.
    atanh |a| a.atanh(), a.is_nan() || a.abs() <= 1.0;
}

/// The angle of a point (y, x).
#[inline]
pub fn atan2(a: f64, b: f64) -> f64 {
    a.atan2(b)
}

/// The angle of a point (y, x) in degrees.
#[inline]
pub fn atan2d(a: f64, b: f64) -> f64 {
    degrees_of(a.atan2(b))
}

/// An angle in degrees, so that what is 45 of them is exactly that.
fn degrees_of(angle: f64) -> f64 {
    angle / 1f64.atan() * 45.0
}

/// The inverse sine in degrees, exact where it is 30 or 90 of them.
fn arc_sine(a: f64) -> f64 {
    let of = |a: f64| {
        if a <= 0.5 { a.asin() / 0.5f64.asin() * 30.0 } else { 90.0 - a.acos() / 0.5f64.acos() * 60.0 }
    };
    if a < 0.0 { -of(-a) } else { of(a) }
}

/// Logarithm of the second to the base of the first.
pub fn log_base(base: f64, a: f64) -> (f64, Fault) {
    if base <= 0.0 || a <= 0.0 {
        return (0.0, Fault::InvalidArgument);
    }
    if base == 1.0 {
        return (0.0, Fault::DivisionByZero);
    }
    (a.ln() / base.ln(), Fault::Ok)
}

/// Quotient without its fraction.
#[inline]
pub fn div_f64(a: f64, b: f64) -> (f64, Fault) {
    ((a / b).trunc(), if b == 0.0 { Fault::DivisionByZero } else { Fault::Ok })
}

/// Greatest common divisor.
pub fn gcd(a: i64, b: i64) -> (i64, Fault) {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    match i64::try_from(a) {
        Ok(divisor) => (divisor, Fault::Ok),
        Err(_) => (0, Fault::OutOfRange),
    }
}

/// Least common multiple.
pub fn lcm(a: i64, b: i64) -> (i64, Fault) {
    if a == 0 || b == 0 {
        return (0, Fault::Ok);
    }
    match gcd(a, b) {
        (divisor, Fault::Ok) => match (a / divisor).checked_mul(b).and_then(i64::checked_abs) {
            Some(multiple) => (multiple, Fault::Ok),
            None => (0, Fault::OutOfRange),
        },
        fault => fault,
    }
}

/// In which of so many stretches of one width between two bounds a number lies: 0 below, one more above.
pub fn width_bucket(a: f64, low: f64, high: f64, count: i64) -> (i64, Fault) {
    if count <= 0 || low == high || a.is_nan() || !low.is_finite() || !high.is_finite() {
        return (0, Fault::InvalidArgument);
    }
    let (a, low, high) = if low < high { (a, low, high) } else { (-a, -low, -high) };
    if a < low {
        (0, Fault::Ok)
    } else if a >= high {
        match count.checked_add(1) {
            Some(above) => (above, Fault::Ok),
            None => (0, Fault::OutOfRange),
        }
    } else {
        // Bounds may lie further apart than the greatest number is from zero.
        let width = high - low;
        let share =
            if width.is_finite() { (a - low) / width } else { (a / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) };
        (((share * count as f64) as i64).min(count - 1) + 1, Fault::Ok)
    }
}

/// The bits that both have.
#[inline]
pub fn bit_and(a: i64, b: i64) -> i64 {
    a & b
}

/// The bits that one has.
#[inline]
pub fn bit_or(a: i64, b: i64) -> i64 {
    a | b
}

/// The bits that only one has.
#[inline]
pub fn bit_xor(a: i64, b: i64) -> i64 {
    a ^ b
}

/// All bits turned over.
#[inline]
pub fn bit_not(a: i64) -> i64 {
    !a
}

/// Bits moved up; the count is taken modulo 64.
#[inline]
pub fn shift_left(a: i64, by: i64) -> i64 {
    a.wrapping_shl(by as u32)
}

/// Bits moved down, keeping the sign; the count is taken modulo 64.
#[inline]
pub fn shift_right(a: i64, by: i64) -> i64 {
    a.wrapping_shr(by as u32)
}

/// The ratio of a circle's length to its width, whatever the argument.
#[inline]
pub fn pi(_: i64) -> f64 {
    PI
}

functions! { "func::trig";
    "cbrt" (Real) -> Real, Total, cbrt, "Cube root.";
    "||/" (Real) -> Real, Total, cbrt, "Cube root.";
    "|/" (Real) -> Real, Fallible, square_root, "Square root.";
    "@" (Integer) -> Integer, Fallible, magnitude_i64, "Magnitude.";
    "@" (Real) -> Real, Total, magnitude, "Magnitude.";
    "@" (Numeric) -> Numeric, Total, magnitude_i128, "Magnitude.";
    "^" (Real, Real) -> Real, Fallible, power, "The first to the power of the second.";
    "sin" (Real) -> Real, Fallible, sin, "Sine.";
    "cos" (Real) -> Real, Fallible, cos, "Cosine.";
    "tan" (Real) -> Real, Fallible, tan, "Tangent.";
    "cot" (Real) -> Real, Fallible, cot, "Cotangent.";
    "asin" (Real) -> Real, Fallible, asin, "Inverse sine.";
    "acos" (Real) -> Real, Fallible, acos, "Inverse cosine.";
    "atan" (Real) -> Real, Total, atan, "Inverse tangent.";
    "atan2" (Real, Real) -> Real, Total, atan2, "The angle of the point (second, first).";
    "sind" (Real) -> Real, Fallible, sind, "Sine of degrees.";
    "cosd" (Real) -> Real, Fallible, cosd, "Cosine of degrees.";
    "tand" (Real) -> Real, Fallible, tand, "Tangent of degrees.";
    "asind" (Real) -> Real, Fallible, asind, "Inverse sine in degrees.";
    "acosd" (Real) -> Real, Fallible, acosd, "Inverse cosine in degrees.";
    "atand" (Real) -> Real, Total, atand, "Inverse tangent in degrees.";
    "atan2d" (Real, Real) -> Real, Total, atan2d, "The angle of the point (second, first) in degrees.";
    "sinh" (Real) -> Real, Total, sinh, "Hyperbolic sine.";
    "cosh" (Real) -> Real, Total, cosh, "Hyperbolic cosine.";
    "tanh" (Real) -> Real, Total, tanh, "Hyperbolic tangent.";
    "asinh" (Real) -> Real, Total, asinh, "Inverse hyperbolic sine.";
    "acosh" (Real) -> Real, Fallible, acosh, "Inverse hyperbolic cosine.";
    "atanh" (Real) -> Real, Fallible, atanh, "Inverse hyperbolic tangent.";
    "degrees" (Real) -> Real, Fallible, degrees, "Radians as degrees.";
    "radians" (Real) -> Real, Total, radians, "Degrees as radians.";
    "log" (Real, Real) -> Real, Fallible, log_base, "Logarithm of the second to the base of the first.";
    "div" (Integer, Integer) -> Integer, Fallible, div_i64, "Quotient without its fraction.";
    "div" (Real, Real) -> Real, Fallible, div_f64, "Quotient without its fraction.";
    "gcd" (Integer, Integer) -> Integer, Fallible, gcd, "Greatest common divisor.";
    "lcm" (Integer, Integer) -> Integer, Fallible, lcm, "Least common multiple.";
    "width_bucket" (Real, Real, Real, Integer) -> Integer, Fallible, width_bucket, "In which of so many equal stretches between two bounds a number lies; 0 below, one more above.";
    "&" (Integer, Integer) -> Integer, Total, bit_and, "The bits that both have.";
    "|" (Integer, Integer) -> Integer, Total, bit_or, "The bits that one has.";
    "#" (Integer, Integer) -> Integer, Total, bit_xor, "The bits that only one has.";
    "~" (Integer) -> Integer, Total, bit_not, "All bits turned over.";
    "<<" (Integer, Integer) -> Integer, Total, shift_left, "Bits moved up.";
    ">>" (Integer, Integer) -> Integer, Total, shift_right, "Bits moved down, keeping the sign.";
    "$pi" (Integer) -> Real, Total, pi, "The ratio of a circle's length to its width.";
}

/// Quotient without its fraction.
#[inline]
pub fn div_i64(a: i64, b: i64) -> (i64, Fault) {
    super::arith::div_i64(a, b)
}

/// Square root; a negative number has none.
#[inline]
pub fn square_root(a: f64) -> (f64, Fault) {
    super::math::sqrt_f64(a)
}

/// Magnitude of an integer.
#[inline]
pub fn magnitude_i64(a: i64) -> (i64, Fault) {
    super::math::abs_i64(a)
}

/// Magnitude of a decimal.
#[inline]
pub fn magnitude_i128(a: i128) -> i128 {
    super::math::abs_i128(a)
}

/// A power.
#[inline]
pub fn power(a: f64, b: f64) -> (f64, Fault) {
    super::math::power_f64(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisors_and_products() {
        assert_eq!(gcd(-12, 18), (6, Fault::Ok));
        assert_eq!(gcd(i64::MIN, 0).1, Fault::OutOfRange);
        assert_eq!(lcm(4, -6), (12, Fault::Ok));
    }

    #[test]
    fn angles_in_degrees_are_exact_where_they_can_be() {
        assert_eq!(
            [sind(30.0).0, sind(150.0).0, cosd(60.0).0, cosd(90.0).0, sind(-30.0).0],
            [0.5, 0.5, 0.5, 0.0, -0.5]
        );
        assert_eq!(asin(1.5).1, Fault::OutOfRange);
        assert_eq!(sin(f64::INFINITY).1, Fault::OutOfRange);
    }

    #[test]
    fn buckets_count_from_their_low_bound() {
        assert_eq!(width_bucket(5.35, 0.024, 10.06, 5).0, 3);
        assert_eq!([-1.0, 0.0, 9.9, 10.0].map(|a| width_bucket(a, 0.0, 10.0, 5).0), [0, 1, 5, 6]);
        assert_eq!([10.0, 0.1, 0.0].map(|a| width_bucket(a, 10.0, 0.0, 5).0), [1, 5, 6]);
        assert_eq!(width_bucket(1.0, 0.0, 10.0, 0).1, Fault::InvalidArgument);
    }
}
