//! How are numbers rounded, and what are their roots, powers and logarithms?
//!
//! As in PostgreSQL: a REAL is rounded half to even, a NUMERIC half away from zero. The scale of a NUMERIC is known to
//! the binder only, so what needs it is an internal function that gets it as an INTEGER:
//!
//! | SQL | internal function | scale of the result |
//! |---|---|---|
//! | `round(x, digits)` | `$numeric_round(x, scale, digits)` | that of `x`: what was rounded away is zeros |
//! | `trunc(x, digits)` | `$numeric_trunc(x, scale, digits)` | that of `x` |
//! | `floor(x)`, `ceil(x)` | `$numeric_floor(x, scale)`, `$numeric_ceil(x, scale)` | 0 |
//!
//! `digits` may be negative and may differ from row to row. Where it is a constant `0 <= digits < scale`, the binder
//! drops the zeros with `$numeric_rescale(x, digits - scale)`, which rounds likewise and so can stand alone for `round`.

use super::{
    Fault,
    arith::{POWERS, drop_digits, fit},
    lift::functions,
};

/// Magnitude of an integer.
#[inline]
pub fn abs_i64(a: i64) -> (i64, Fault) {
    (a.wrapping_abs(), if a == i64::MIN { Fault::OutOfRange } else { Fault::Ok })
}

/// Magnitude of a real.
#[inline]
pub fn abs_f64(a: f64) -> f64 {
    a.abs()
}

/// Magnitude of a decimal.
#[inline]
pub fn abs_i128(a: i128) -> i128 {
    a.wrapping_abs()
}

/// An integer is whole already.
#[inline]
pub fn whole_i64(a: i64) -> i64 {
    a
}

/// The nearest whole number; of two equally near the even one.
#[inline]
pub fn round_f64(a: f64) -> f64 {
    a.round_ties_even()
}

/// Rounds to digits after (or, negative, before) the point, half away from zero.
#[inline]
pub fn round_digits_f64(a: f64, digits: i64) -> f64 {
    at_digits(a, digits, f64::round)
}

/// Cuts off what comes after that many digits after the point.
#[inline]
pub fn trunc_digits_f64(a: f64, digits: i64) -> f64 {
    at_digits(a, digits, f64::trunc)
}

fn at_digits(a: f64, digits: i64, to_whole: impl Fn(f64) -> f64) -> f64 {
    let power = 10f64.powi(digits.unsigned_abs().min(400) as i32);
    if digits >= 0 {
        let raised = a * power;
        // Past 2^52 there is nothing after the point.
        if raised.is_finite() && raised.abs() < 4_503_599_627_370_496.0 { to_whole(raised) / power } else { a }
    } else {
        let lowered = to_whole(a / power);
        if lowered == 0.0 { 0.0 } else { lowered * power }
    }
}

/// The greatest whole number not above.
#[inline]
pub fn floor_f64(a: f64) -> f64 {
    a.floor()
}

/// The smallest whole number not below.
#[inline]
pub fn ceil_f64(a: f64) -> f64 {
    a.ceil()
}

/// The whole part.
#[inline]
pub fn trunc_f64(a: f64) -> f64 {
    a.trunc()
}

/// Rounds an integer to tens, hundreds and so on when `digits` is negative, half away from zero.
#[inline]
pub fn round_digits_i64(a: i64, digits: i64) -> (i64, Fault) {
    let (units, _) = round_i128(i128::from(a), 0, digits);
    match i64::try_from(units) {
        Ok(rounded) => (rounded, Fault::Ok),
        Err(_) => (0, Fault::OutOfRange),
    }
}

/// Rounds a decimal of a scale to digits after the point, half away from zero; the scale stays.
#[inline]
pub fn round_i128(a: i128, scale: i64, digits: i64) -> (i128, Fault) {
    let dropped = scale.saturating_sub(digits);
    if dropped <= 0 {
        return (a, Fault::Ok);
    }
    let kept = drop_digits(a, dropped.unsigned_abs());
    // `kept` is 0 where `dropped` is past the powers we have; one more digit than fits is caught by the product.
    match usize::try_from(dropped).ok().and_then(|dropped| POWERS.get(dropped)) {
        Some(power) => match kept.checked_mul(*power) {
            Some(units) => fit(units),
            None => (0, Fault::OutOfRange),
        },
        None => (0, Fault::Ok),
    }
}

/// Cuts a decimal of a scale after that many digits after the point; the scale stays.
#[inline]
pub fn trunc_i128(a: i128, scale: i64, digits: i64) -> i128 {
    let dropped = scale.saturating_sub(digits);
    if dropped <= 0 {
        return a;
    }
    match usize::try_from(dropped).ok().and_then(|dropped| POWERS.get(dropped)) {
        Some(power) => a - a % power,
        None => 0,
    }
}

fn one_of(scale: i64) -> i128 {
    let scale = usize::try_from(scale).expect("a scale is not negative");
    *POWERS.get(scale).expect("a scale is at most 38")
}

/// The greatest whole number not above a decimal of a scale; its scale is 0.
#[inline]
pub fn floor_i128(a: i128, scale: i64) -> i128 {
    a.div_euclid(one_of(scale))
}

/// The smallest whole number not below a decimal of a scale; its scale is 0.
#[inline]
pub fn ceil_i128(a: i128, scale: i64) -> i128 {
    let one = one_of(scale);
    a.div_euclid(one) + i128::from(a.rem_euclid(one) != 0)
}

/// -1, 0 or 1.
#[inline]
pub fn sign_i64(a: i64) -> i64 {
    a.signum()
}

/// -1, 0 or 1; NaN for NaN.
#[inline]
pub fn sign_f64(a: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a.signum() }
}

/// -1, 0 or 1.
#[inline]
pub fn sign_i128(a: i128) -> i64 {
    a.signum() as i64
}

/// Square root; a negative number has none.
#[inline]
pub fn sqrt_f64(a: f64) -> (f64, Fault) {
    (a.sqrt(), if a < 0.0 { Fault::InvalidArgument } else { Fault::Ok })
}

/// A power; what is not a real number, and what leaves the range of finite arguments, is an error.
#[inline]
pub fn power_f64(a: f64, b: f64) -> (f64, Fault) {
    if (a == 0.0 && b < 0.0) || (a < 0.0 && b.is_finite() && b.fract() != 0.0) {
        return (0.0, Fault::InvalidArgument);
    }
    let power = a.powf(b);
    let finite = a.is_finite() && b.is_finite();
    let is_out = finite && (power.is_infinite() || (power == 0.0 && a != 0.0));
    (power, if is_out { Fault::OutOfRange } else { Fault::Ok })
}

/// Natural logarithm of a positive number.
#[inline]
pub fn ln_f64(a: f64) -> (f64, Fault) {
    (a.ln(), if a <= 0.0 { Fault::InvalidArgument } else { Fault::Ok })
}

/// Logarithm to base 10 of a positive number.
#[inline]
pub fn log10_f64(a: f64) -> (f64, Fault) {
    (a.log10(), if a <= 0.0 { Fault::InvalidArgument } else { Fault::Ok })
}

/// e to a power.
#[inline]
pub fn exp_f64(a: f64) -> (f64, Fault) {
    let power = a.exp();
    let is_out = a.is_finite() && (power.is_infinite() || power == 0.0);
    (power, if is_out { Fault::OutOfRange } else { Fault::Ok })
}

/// From here on the tail is what is computed.
const TAIL_MIN: f64 = 2.0;

/// The error function up to the tail: a sum without a subtraction, `2/sqrt(pi) e^(-x^2) sum 2^n x^(2n+1) / (2n+1)!!`.
fn erf_sum(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
        if term.abs() < sum.abs() * 1e-17 {
            break;
        }
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

/// Its tail by its continued fraction (DLMF 7.9.1), from the last denominator to the first.
fn erfc_tail(x: f64) -> f64 {
    let below = (1..=80).rev().fold(x, |below, n| x + f64::from(n) / 2.0 / below);
    (-x * x).exp() / below / std::f64::consts::PI.sqrt()
}

/// The error function.
pub fn erf(x: f64) -> f64 {
    if x.is_nan() {
        x
    } else if x.abs() < TAIL_MIN {
        erf_sum(x)
    } else {
        (1.0 - erfc_tail(x.abs())).copysign(x)
    }
}

/// 1 less the error function, exact where that is small.
pub fn erfc(x: f64) -> f64 {
    if x.is_nan() {
        x
    } else if x < TAIL_MIN {
        1.0 - erf(x)
    } else {
        erfc_tail(x)
    }
}

functions! { "func::math";
    "erf" (Real) -> Real, Total, erf, "The error function.";
    "erfc" (Real) -> Real, Total, erfc, "1 less the error function, exact where that is small.";
    "abs" (Integer) -> Integer, Fallible, abs_i64, "Magnitude.";
    "abs" (Real) -> Real, Total, abs_f64, "Magnitude.";
    "abs" (Numeric) -> Numeric, Total, abs_i128, "Magnitude.";
    "round" (Integer) -> Integer, Total, whole_i64, "The number itself.";
    "round" (Real) -> Real, Total, round_f64, "The nearest whole number; of two equally near the even one.";
    "round" (Integer, Integer) -> Integer, Fallible, round_digits_i64, "Rounds to tens, hundreds and so on when the digits are negative, half away from zero.";
    "round" (Real, Integer) -> Real, Total, round_digits_f64, "Rounds to that many digits after the point, half away from zero.";
    "floor" (Integer) -> Integer, Total, whole_i64, "The number itself.";
    "floor" (Real) -> Real, Total, floor_f64, "The greatest whole number not above.";
    "ceil" (Integer) -> Integer, Total, whole_i64, "The number itself.";
    "ceil" (Real) -> Real, Total, ceil_f64, "The smallest whole number not below.";
    "ceiling" (Integer) -> Integer, Total, whole_i64, "The number itself.";
    "ceiling" (Real) -> Real, Total, ceil_f64, "The smallest whole number not below.";
    "trunc" (Integer) -> Integer, Total, whole_i64, "The number itself.";
    "trunc" (Real) -> Real, Total, trunc_f64, "The whole part.";
    "trunc" (Real, Integer) -> Real, Total, trunc_digits_f64, "Cuts off what comes after that many digits after the point.";
    "sign" (Integer) -> Integer, Total, sign_i64, "-1, 0 or 1.";
    "sign" (Real) -> Real, Total, sign_f64, "-1, 0 or 1.";
    "sign" (Numeric) -> Integer, Total, sign_i128, "-1, 0 or 1.";
    "sqrt" (Real) -> Real, Fallible, sqrt_f64, "Square root.";
    "power" (Real, Real) -> Real, Fallible, power_f64, "The first to the power of the second.";
    "pow" (Real, Real) -> Real, Fallible, power_f64, "The first to the power of the second.";
    "ln" (Real) -> Real, Fallible, ln_f64, "Natural logarithm.";
    "log" (Real) -> Real, Fallible, log10_f64, "Logarithm to base 10.";
    "log10" (Real) -> Real, Fallible, log10_f64, "Logarithm to base 10.";
    "exp" (Real) -> Real, Fallible, exp_f64, "e to that power.";
    "$numeric_round" (Numeric, Integer, Integer) -> Numeric, Fallible, round_i128, "round(x, digits) of a decimal: x, its scale, digits; the scale stays.";
    "$numeric_trunc" (Numeric, Integer, Integer) -> Numeric, Total, trunc_i128, "trunc(x, digits) of a decimal: x, its scale, digits; the scale stays.";
    "$numeric_floor" (Numeric, Integer) -> Numeric, Total, floor_i128, "floor(x) of a decimal: x, its scale; the scale of the result is 0.";
    "$numeric_ceil" (Numeric, Integer) -> Numeric, Total, ceil_i128, "ceil(x) of a decimal: x, its scale; the scale of the result is 0.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reals_round_to_even_and_digits_away() {
        assert_eq!([0.5, 1.5, 2.5, -0.5, -2.5].map(round_f64), [0.0, 2.0, 2.0, -0.0, -2.0]);
        assert_eq!(round_digits_f64(2.675, 2), 2.68);
        assert_eq!(round_digits_f64(1234.5, -2), 1200.0);
        assert_eq!(round_digits_f64(1e300, 20), 1e300);
        assert_eq!(round_digits_f64(1.0, -400), 0.0);
        assert_eq!(trunc_digits_f64(-1.789, 1), -1.7);
    }

    #[test]
    fn decimals_round_at_any_digit() {
        assert_eq!(round_i128(12_345, 2, 1), (12_350, Fault::Ok));
        assert_eq!(round_i128(-12_345, 2, 1), (-12_350, Fault::Ok));
        assert_eq!(round_i128(12_345, 2, -1), (12_000, Fault::Ok));
        assert_eq!(round_i128(12_345, 2, 5), (12_345, Fault::Ok));
        assert_eq!(round_i128(12_345, 2, -60), (0, Fault::Ok));
        assert_eq!(round_i128(POWERS[38] - 1, 0, -1).1, Fault::OutOfRange);
        assert_eq!(trunc_i128(-12_399, 2, 0), -12_300);
        assert_eq!((floor_i128(-150, 2), ceil_i128(-150, 2)), (-2, -1));
        assert_eq!((floor_i128(100, 2), ceil_i128(100, 2)), (1, 1));
        assert_eq!(round_digits_i64(1250, -2), (1300, Fault::Ok));
        assert_eq!(round_digits_i64(i64::MAX, -1).1, Fault::OutOfRange);
    }

    #[test]
    fn the_error_function_is_that_of_the_tables() {
        // Abramowitz and Stegun, table 7.1, and known values of the tail.
        let near = |a: f64, b: f64| assert!((a - b).abs() <= 4e-16 * b.abs().max(1e-300), "{a} {b}");
        near(erf(0.5), 0.520_499_877_813_046_5);
        near(erf(1.0), 0.842_700_792_949_714_9);
        near(erf(-2.5), -0.999_593_047_982_555);
        assert!((erfc(5.0) / 1.537_459_794_428_035e-12 - 1.0).abs() < 1e-14);
        assert_eq!((erf(f64::INFINITY), erfc(f64::INFINITY), erf(0.0), erfc(f64::NEG_INFINITY)), (1.0, 0.0, 0.0, 2.0));
    }

    #[test]
    fn powers_and_logarithms_refuse_what_is_no_real_number() {
        assert_eq!(power_f64(2.0, 10.0), (1024.0, Fault::Ok));
        assert_eq!(power_f64(-8.0, 3.0), (-512.0, Fault::Ok));
        assert_eq!(power_f64(-8.0, 0.5).1, Fault::InvalidArgument);
        assert_eq!(power_f64(0.0, -1.0).1, Fault::InvalidArgument);
        assert_eq!(power_f64(10.0, 400.0).1, Fault::OutOfRange);
        assert_eq!(ln_f64(0.0).1, Fault::InvalidArgument);
        assert_eq!(sqrt_f64(-1.0).1, Fault::InvalidArgument);
        assert_eq!(sqrt_f64(9.0), (3.0, Fault::Ok));
        assert_eq!(exp_f64(1000.0).1, Fault::OutOfRange);
    }
}
