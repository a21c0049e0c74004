//! How do numbers add, subtract, multiply and divide?
//!
//! As in PostgreSQL: what leaves the type's range is an error, so is division by zero, integer division truncates.
//! A NUMERIC is units of a scale that the binder knows: sums want equal scales, a product has the sum of the scales,
//! and a quotient is asked for with the power of ten that gives its scale. All results stay within 38 digits.
//!
//! Not here: rounding to digits (`math`), changes of type (`cast`).

use super::{Fault, lift::functions};

/// Powers of ten that an `i128` holds.
pub(crate) const POWERS: [i128; 39] = {
    let mut powers = [1i128; 39];
    let mut i = 1;
    while i < 39 {
        powers[i] = powers[i - 1] * 10;
        i += 1;
    }
    powers
};

/// One past the largest magnitude of a NUMERIC.
const NUMERIC_END: i128 = POWERS[38];

#[inline(always)]
const fn out_of_range_if(is_out: bool) -> Fault {
    if is_out { Fault::OutOfRange } else { Fault::Ok }
}

/// The units if they have at most 38 digits.
#[inline]
pub(crate) fn fit(units: i128) -> (i128, Fault) {
    (units, out_of_range_if(units <= -NUMERIC_END || units >= NUMERIC_END))
}

/// Integer sum.
#[inline]
pub fn add_i64(a: i64, b: i64) -> (i64, Fault) {
    // The sign of the sum differs from both: this form vectorises, overflowing_add does not.
    let sum = a.wrapping_add(b);
    (sum, out_of_range_if((a ^ sum) & (b ^ sum) < 0))
}

/// Integer difference.
#[inline]
pub fn sub_i64(a: i64, b: i64) -> (i64, Fault) {
    let difference = a.wrapping_sub(b);
    (difference, out_of_range_if((a ^ b) & (a ^ difference) < 0))
}

/// Integer product.
#[inline]
pub fn mul_i64(a: i64, b: i64) -> (i64, Fault) {
    let (product, is_out) = a.overflowing_mul(b);
    (product, out_of_range_if(is_out))
}

/// Integer quotient, truncated towards zero.
#[inline]
pub fn div_i64(a: i64, b: i64) -> (i64, Fault) {
    if b == 0 {
        return (0, Fault::DivisionByZero);
    }
    let (quotient, is_out) = a.overflowing_div(b);
    (quotient, out_of_range_if(is_out))
}

/// Integer remainder, with the sign of the dividend.
#[inline]
pub fn rem_i64(a: i64, b: i64) -> (i64, Fault) {
    if b == 0 { (0, Fault::DivisionByZero) } else { (a.wrapping_rem(b), Fault::Ok) }
}

/// Integer negation.
#[inline]
pub fn neg_i64(a: i64) -> (i64, Fault) {
    (a.wrapping_neg(), out_of_range_if(a == i64::MIN))
}

/// Real sum; infinite only where an argument is.
#[inline]
pub fn add_f64(a: f64, b: f64) -> (f64, Fault) {
    let sum = a + b;
    (sum, out_of_range_if(sum.is_infinite() & a.is_finite() & b.is_finite()))
}

/// Real difference; infinite only where an argument is.
#[inline]
pub fn sub_f64(a: f64, b: f64) -> (f64, Fault) {
    let difference = a - b;
    (difference, out_of_range_if(difference.is_infinite() & a.is_finite() & b.is_finite()))
}

/// Real product; infinite or zero only where an argument is.
#[inline]
pub fn mul_f64(a: f64, b: f64) -> (f64, Fault) {
    let product = a * b;
    let over = product.is_infinite() & a.is_finite() & b.is_finite();
    let under = (product == 0.0) & (a != 0.0) & (b != 0.0);
    (product, out_of_range_if(over | under))
}

/// Real quotient; division by zero is an error, but not of NaN.
#[inline]
pub fn div_f64(a: f64, b: f64) -> (f64, Fault) {
    let quotient = a / b;
    let over = quotient.is_infinite() & a.is_finite() & (b != 0.0);
    let under = (quotient == 0.0) & (a != 0.0) & b.is_finite();
    let fault = if (b == 0.0) & !a.is_nan() { Fault::DivisionByZero } else { out_of_range_if(over | under) };
    (quotient, fault)
}

/// Real negation.
#[inline]
pub fn neg_f64(a: f64) -> f64 {
    -a
}

/// Sum of decimals of one scale.
#[inline]
pub fn add_i128(a: i128, b: i128) -> (i128, Fault) {
    fit(a.wrapping_add(b))
}

/// Difference of decimals of one scale.
#[inline]
pub fn sub_i128(a: i128, b: i128) -> (i128, Fault) {
    fit(a.wrapping_sub(b))
}

/// Product of decimals; its scale is the sum of theirs.
#[inline]
pub fn mul_i128(a: i128, b: i128) -> (i128, Fault) {
    // Most decimals are small, and a 64-bit product is several times cheaper than a checked 128-bit one.
    if let (Ok(a), Ok(b)) = (i64::try_from(a), i64::try_from(b)) {
        return fit(i128::from(a) * i128::from(b));
    }
    match a.checked_mul(b) {
        Some(product) => fit(product),
        None => (0, Fault::OutOfRange),
    }
}

/// Remainder of decimals of one scale, with the sign of the dividend.
#[inline]
pub fn rem_i128(a: i128, b: i128) -> (i128, Fault) {
    if b == 0 { (0, Fault::DivisionByZero) } else { (a.wrapping_rem(b), Fault::Ok) }
}

/// Decimal negation.
#[inline]
pub fn neg_i128(a: i128) -> i128 {
    a.wrapping_neg()
}

/// `a * 10^shift / b`, rounded half away from zero. With scales `s` and `t` of the arguments the result has scale
/// `s + shift - t`.
#[inline]
pub fn div_i128(a: i128, b: i128, shift: i64) -> (i128, Fault) {
    if b == 0 {
        return (0, Fault::DivisionByZero);
    }
    let (top, bottom) = (a.unsigned_abs(), b.unsigned_abs());
    let raised = usize::try_from(shift).ok().and_then(|shift| POWERS.get(shift)).and_then(|power| {
        let power = power.unsigned_abs();
        top.checked_mul(power)
    });
    let (quotient, rest) = match raised {
        Some(top) => (top / bottom, top % bottom),
        None => match long_division(top, bottom, shift) {
            Some(result) => result,
            None => return (0, Fault::OutOfRange),
        },
    };
    // `rest >= bottom - rest` says `2 * rest >= bottom` without passing the range.
    let rounded = quotient + u128::from(rest >= bottom - rest);
    let Ok(magnitude) = i128::try_from(rounded) else { return (0, Fault::OutOfRange) };
    fit(if (a < 0) == (b < 0) { magnitude } else { -magnitude })
}

/// Quotient and rest of `top * 10^shift / bottom`, a digit at a time; `None` when the quotient passes 38 digits.
fn long_division(top: u128, bottom: u128, shift: i64) -> Option<(u128, u128)> {
    let (mut quotient, mut rest) = (top / bottom, top % bottom);
    for _ in 0..shift {
        // Ten times the rest may pass 128 bits, but twice the rest never does: 10r = 8r + 2r, reduced at each doubling.
        let double = |(quotient, rest): (u128, u128)| (2 * quotient + 2 * rest / bottom, 2 * rest % bottom);
        let two = double((0, rest));
        let eight = double(double(two));
        let digit = eight.0 + two.0 + (eight.1 + two.1) / bottom;
        rest = (eight.1 + two.1) % bottom;
        quotient = quotient.checked_mul(10)?.checked_add(digit)?;
        if quotient >= NUMERIC_END.unsigned_abs() {
            return None;
        }
    }
    Some((quotient, rest))
}

/// Moves the point: digits after it grow by `digits`, or shrink with rounding half away from zero.
#[inline]
pub fn rescale_i128(a: i128, digits: i64) -> (i128, Fault) {
    if digits >= 0 {
        let power = usize::try_from(digits).ok().and_then(|digits| POWERS.get(digits));
        return match power.and_then(|power| a.checked_mul(*power)) {
            Some(units) => fit(units),
            None => (0, out_of_range_if(a != 0)),
        };
    }
    (drop_digits(a, digits.unsigned_abs()), Fault::Ok)
}

/// `a / 10^digits`, rounded half away from zero.
#[inline]
pub(crate) fn drop_digits(a: i128, digits: u64) -> i128 {
    let Some(power) = usize::try_from(digits).ok().and_then(|digits| POWERS.get(digits)) else { return 0 };
    let (quotient, rest) = (a / power, a % power);
    // Half of a power of ten above 1 is whole; of 1 itself there is no rest.
    if rest != 0 && rest.abs() >= power / 2 { quotient + a.signum() } else { quotient }
}

/// A LIMIT that is not negative.
pub fn limit(rows: i64) -> (i64, Fault) {
    (rows, if rows < 0 { Fault::InvalidArgument } else { Fault::Ok })
}

/// An OFFSET that is not negative.
pub fn offset(rows: i64) -> (i64, Fault) {
    limit(rows)
}

functions! { "func::arith";
    "$limit" (Integer) -> Integer, Fallible, limit, "A number of rows that is not negative.";
    "$offset" (Integer) -> Integer, Fallible, offset, "A number of rows to skip that is not negative.";
    "+" (Integer, Integer) -> Integer, Fallible, add_i64, "Sum.";
    "+" (Real, Real) -> Real, Fallible, add_f64, "Sum.";
    "+" (Numeric, Numeric) -> Numeric, Fallible, add_i128, "Sum of decimals of one scale.";
    "-" (Integer, Integer) -> Integer, Fallible, sub_i64, "Difference.";
    "-" (Real, Real) -> Real, Fallible, sub_f64, "Difference.";
    "-" (Numeric, Numeric) -> Numeric, Fallible, sub_i128, "Difference of decimals of one scale.";
    "*" (Integer, Integer) -> Integer, Fallible, mul_i64, "Product.";
    "*" (Real, Real) -> Real, Fallible, mul_f64, "Product.";
    "*" (Numeric, Numeric) -> Numeric, Fallible, mul_i128, "Product of decimals; its scale is the sum of theirs.";
    "/" (Integer, Integer) -> Integer, Fallible, div_i64, "Quotient, truncated towards zero.";
    "/" (Real, Real) -> Real, Fallible, div_f64, "Quotient.";
    "%" (Integer, Integer) -> Integer, Fallible, rem_i64, "Remainder, with the sign of the dividend.";
    "%" (Numeric, Numeric) -> Numeric, Fallible, rem_i128, "Remainder of decimals of one scale, with the sign of the dividend.";
    "mod" (Integer, Integer) -> Integer, Fallible, rem_i64, "Remainder, with the sign of the dividend.";
    "mod" (Numeric, Numeric) -> Numeric, Fallible, rem_i128, "Remainder of decimals of one scale, with the sign of the dividend.";
    "-" (Integer) -> Integer, Fallible, neg_i64, "Negation.";
    "-" (Real) -> Real, Total, neg_f64, "Negation.";
    "-" (Numeric) -> Numeric, Total, neg_i128, "Negation.";
    "$numeric_div" (Numeric, Numeric, Integer) -> Numeric, Fallible, div_i128, "a * 10^shift / b, rounded half away from zero; the scale of the result is that of a, plus shift, less that of b.";
    "$numeric_rescale" (Numeric, Integer) -> Numeric, Fallible, rescale_i128, "Moves the point: the scale grows by the second argument, or shrinks with rounding half away from zero.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OUT: Fault = Fault::OutOfRange;

    #[test]
    fn edges_of_integers() {
        assert_eq!(add_i64(i64::MAX, 1).1, OUT);
        assert_eq!(sub_i64(i64::MIN, 1).1, OUT);
        assert_eq!(sub_i64(-1, i64::MIN), (i64::MAX, Fault::Ok));
        assert_eq!(sub_i64(0, i64::MIN).1, OUT);
        assert_eq!(mul_i64(i64::MIN, -1).1, OUT);
        assert_eq!(div_i64(i64::MIN, -1).1, OUT);
        assert_eq!(rem_i64(i64::MIN, -1), (0, Fault::Ok));
        assert_eq!(div_i64(-7, 2), (-3, Fault::Ok));
        assert_eq!(rem_i64(-7, 2), (-1, Fault::Ok));
        assert_eq!(div_i64(1, 0).1, Fault::DivisionByZero);
        assert_eq!(neg_i64(i64::MIN).1, OUT);
    }

    #[test]
    fn edges_of_reals() {
        assert_eq!(add_f64(f64::MAX, f64::MAX).1, OUT);
        assert_eq!(add_f64(f64::INFINITY, 1.0).1, Fault::Ok);
        assert_eq!(mul_f64(1e-200, 1e-200).1, OUT);
        assert_eq!(mul_f64(0.0, 1e-200).1, Fault::Ok);
        assert_eq!(div_f64(1.0, 0.0).1, Fault::DivisionByZero);
        assert_eq!(div_f64(f64::NAN, 0.0).1, Fault::Ok);
        assert_eq!(div_f64(1.0, f64::INFINITY), (0.0, Fault::Ok));
    }

    #[test]
    fn decimals_divide_and_round_half_away() {
        assert_eq!(div_i128(1, 3, 16), (3_333_333_333_333_333, Fault::Ok));
        assert_eq!(div_i128(2, 3, 2), (67, Fault::Ok));
        assert_eq!(div_i128(-1, 8, 2), (-13, Fault::Ok));
        assert_eq!(div_i128(1, 2, 0), (1, Fault::Ok));
        assert_eq!(div_i128(NUMERIC_END - 1, NUMERIC_END - 1, 37), (POWERS[37], Fault::Ok));
        assert_eq!(div_i128(NUMERIC_END - 1, 1, 1).1, OUT);
        assert_eq!(rescale_i128(125, -1), (13, Fault::Ok));
        assert_eq!(rescale_i128(-125, -1), (-13, Fault::Ok));
        assert_eq!(rescale_i128(124, -1), (12, Fault::Ok));
        assert_eq!(rescale_i128(5, 3), (5000, Fault::Ok));
        assert_eq!(rescale_i128(5, 38).1, OUT);
        assert_eq!(rescale_i128(0, 99), (0, Fault::Ok));
        assert_eq!(rescale_i128(7, -60), (0, Fault::Ok));
        assert_eq!(add_i128(NUMERIC_END - 1, 1).1, OUT);
        assert_eq!(mul_i128(POWERS[20], POWERS[20]).1, OUT);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn branchless_sums_agree_with_checked_ones(a: i64, b: i64) {
            let faulty = |checked: Option<i64>, (value, fault): (i64, Fault)| match checked {
                Some(right) => fault == Fault::Ok && value == right,
                None => fault == OUT,
            };
            prop_assert!(faulty(a.checked_add(b), add_i64(a, b)));
            prop_assert!(faulty(a.checked_sub(b), sub_i64(a, b)));
        }

        #[test]
        fn long_division_agrees_with_short(a in 0u128..1 << 90, b in 1u128..1 << 100, shift in 0i64..11) {
            let raised = a * POWERS[shift as usize].unsigned_abs();
            prop_assert_eq!(long_division(a, b, shift), Some((raised / b, raised % b)));
        }
    }
}
