//! What are roots, powers and logarithms of numbers of any length?
//!
//! With PostgreSQL's display scales, which give some 16 significant digits and no fewer digits after the point than the
//! arguments have. Values are computed as integers times a power of two with some twenty digits to spare, and rounded once.
//!
//! Holds: a result is the true value rounded half away from zero, but for one whose further digits are 5 and twenty zeros.

use super::{
    is_finite, is_nan,
    number::{Exact, SIGNIFICANT_MIN, chosen_scale, copy, divide_rounded, ten_to},
    push_infinity, push_nan, push_small, sign,
};
use crate::func::Fault;
use num_bigint::BigInt;

/// Beyond this many digits a result is surely past the range, or zero.
const EXPONENT_MAX: f64 = 6000.0;
/// `log10(e)` and `ln(10)`, as PostgreSQL guesses sizes with.
#[expect(clippy::approx_constant, reason = "the digits that the guess is made with")]
const LOG10_E: f64 = 0.434_294_481_903_252;
const LN_10: f64 = std::f64::consts::LN_10;
/// Digits to spare.
const SPARE_DIGITS: i64 = 20;

fn one() -> Exact {
    Exact { units: BigInt::from(1), scale: 0 }
}

fn integer(value: i64) -> Exact {
    Exact { units: value.into(), scale: 0 }
}

/// Bits that hold so many digits.
fn bits_of(digits: i64) -> u64 {
    (digits.max(0) as f64 * std::f64::consts::LOG2_10) as u64 + 16
}

/// The number times `2^bits`.
fn to_fixed(number: &Exact, bits: u64) -> BigInt {
    (&number.units << bits) / ten_to(number.scale)
}

/// What is `value * 2^-bits`, rounded at a scale.
fn from_fixed(value: &BigInt, bits: u64, scale: u32) -> Exact {
    Exact { units: divide_rounded(&(value * ten_to(scale)), &(BigInt::from(1) << bits)), scale }
}

/// `2 * atanh(x)` of a small fixed number.
fn twice_atanh(x: &BigInt, bits: u64) -> BigInt {
    let square = (x * x) >> bits;
    let (mut power, mut sum) = (x.clone(), x.clone());
    let mut divisor = 3u32;
    loop {
        power = (power * &square) >> bits;
        // A negative number shifts towards minus infinity and would stay -1 for ever.
        if power.magnitude().bits() <= 1 {
            break;
        }
        sum += &power / divisor;
        divisor += 2;
    }
    sum << 1u8
}

/// `ln(2)` as a fixed number.
fn ln_2(bits: u64) -> BigInt {
    let spare = bits + 16;
    twice_atanh(&((BigInt::from(1) << spare) / 3), spare) >> 16u8
}

/// The natural logarithm of a positive number as a fixed number.
fn ln_fixed(number: &Exact, bits: u64) -> BigInt {
    let halvings = 8 + (bits / 256).min(24);
    let spare = bits + halvings + 64;
    // m * 2^power, with m near 1.
    let scaled = |power: i64| {
        let shift = spare as i64 - power;
        if shift >= 0 {
            (&number.units << shift as u64) / ten_to(number.scale)
        } else {
            &number.units / (ten_to(number.scale) << shift.unsigned_abs())
        }
    };
    let mut power = number.units.bits() as i64 - (f64::from(number.scale) * std::f64::consts::LOG2_10) as i64;
    let unit = BigInt::from(1) << spare;
    let (low, high) = (&unit * 3 / 4, &unit * 3 / 2);
    let mut m = scaled(power);
    while m < low || m > high {
        power += if m < low { -1 } else { 1 };
        m = scaled(power);
    }
    for _ in 0..halvings {
        m = (m << spare).sqrt();
    }
    let x = ((&m - &unit) << spare) / (&m + &unit);
    let mut ln = twice_atanh(&x, spare) << halvings;
    if power != 0 {
        ln += ln_2(spare) * power;
    }
    ln >> (spare - bits)
}

/// e to a fixed number, as a fixed number near 1 and a power of two.
fn exp_fixed(x: &BigInt, bits: u64) -> (BigInt, i64) {
    let ln_2 = ln_2(bits);
    let power = divide_rounded(x, &ln_2);
    let halvings = 8 + (bits / 256).min(24);
    let spare = bits + 2 * halvings + 16;
    let rest = (x - &power * ln_2) << (spare - bits);
    let x = rest >> halvings;
    let unit = BigInt::from(1) << spare;
    let (mut term, mut sum) = (unit.clone(), unit);
    let mut divisor = 1u32;
    loop {
        term = ((term * &x) >> spare) / divisor;
        if term.magnitude().bits() <= 1 {
            break;
        }
        sum += &term;
        divisor += 1;
    }
    for _ in 0..halvings {
        sum = (&sum * &sum) >> spare;
    }
    (sum >> (spare - bits), i64::try_from(power).expect("the exponent was bounded"))
}

/// The fixed number times a power of two, rounded at a scale.
fn shifted(value: &BigInt, bits: u64, power: i64, scale: u32) -> Exact {
    if power >= 0 {
        from_fixed(&(value << power.unsigned_abs()), bits, scale)
    } else {
        from_fixed(value, bits + power.unsigned_abs(), scale)
    }
}

/// The power of ten of the first digit of a logarithm.
fn ln_size(number: &Exact) -> i64 {
    let near_one = |tenths: i64| number.minus(&Exact { units: tenths.into(), scale: 1 });
    if !near_one(9).is_negative() && (near_one(11).is_negative() || near_one(11).is_zero()) {
        let distance = number.minus(&one());
        return if distance.is_zero() { 0 } else { distance.first_digit_power() };
    }
    // The first eight digits or so, of whole groups of four.
    let weight = number.first_digit_power().div_euclid(4);
    let has_more = !number.minus(&number.truncated(-4 * weight)).is_zero();
    let power = if has_more { 4 * weight - 4 } else { 4 * weight };
    let digits = number.truncated(-power).to_f64() / 10f64.powi(power.clamp(-300, 300) as i32);
    let digits = if power.abs() > 300 { leading(number, power) } else { digits.round() };
    let ln = digits.ln() + power as f64 * LN_10;
    ln.abs().log10() as i64
}

/// The whole part of a number by a power of ten.
fn leading(number: &Exact, power: i64) -> f64 {
    let shift = power + i64::from(number.scale);
    let units = if shift >= 0 { &number.units / ten_to(shift as u32) } else { &number.units * ten_to(-shift as u32) };
    u64::try_from(units).map_or(1.0, |units| units as f64)
}

/// The natural logarithm of a positive number at a scale.
fn ln_at(number: &Exact, scale: u32) -> Exact {
    let bits = bits_of(i64::from(scale) + SPARE_DIGITS);
    from_fixed(&ln_fixed(number, bits), bits, scale)
}

/// Square root.
pub(crate) fn sqrt(a: &[u8], out: &mut Vec<u8>) -> Fault {
    if is_nan(a) {
        push_nan(out);
        return Fault::Ok;
    }
    if sign(a) < 0 {
        return Fault::InvalidArgument;
    }
    if !is_finite(a) {
        return copy(a, out);
    }
    let number = Exact::read(a);
    let weight = if number.is_zero() { 0 } else { number.first_digit_power().div_euclid(4) };
    let scale = chosen_scale(SIGNIFICANT_MIN - (weight * 2 + 1), &[number.scale]);
    root(&number, scale).push(out)
}

/// The square root at a scale.
pub(crate) fn root(number: &Exact, scale: u32) -> Exact {
    // One digit more than is kept, and the rest below it is never half.
    let shift = 2 * (i64::from(scale) + 1) - i64::from(number.scale);
    let units = if shift >= 0 { &number.units * ten_to(shift as u32) } else { &number.units / ten_to(-shift as u32) };
    Exact { units: units.sqrt(), scale: scale + 1 }.rounded(i64::from(scale))
}

/// e to a power.
pub(crate) fn exp(a: &[u8], out: &mut Vec<u8>) -> Fault {
    if !is_finite(a) {
        if sign(a) < 0 {
            push_small(0, 0, out);
            return Fault::Ok;
        }
        return copy(a, out);
    }
    let number = Exact::read(a);
    let size = (number.to_f64() * LOG10_E).clamp(-2000.0, 2000.0) as i64;
    let scale = chosen_scale(SIGNIFICANT_MIN - size, &[number.scale]);
    match exp_at(&number, scale) {
        Some(result) => result.push(out),
        None => Fault::OutOfRange,
    }
}

/// e to a power at a scale; `None` past the range.
fn exp_at(number: &Exact, scale: u32) -> Option<Exact> {
    let value = number.to_f64();
    if value.abs() >= EXPONENT_MAX {
        return if value > 0.0 { None } else { Some(Exact { units: BigInt::ZERO, scale }) };
    }
    let digits = i64::from(scale) + (value * LOG10_E) as i64 + SPARE_DIGITS;
    let bits = bits_of(digits.max(SPARE_DIGITS) + 8);
    let (fixed, power) = exp_fixed(&to_fixed(number, bits), bits);
    Some(shifted(&fixed, bits, power, scale))
}

/// Natural logarithm.
pub(crate) fn ln(a: &[u8], out: &mut Vec<u8>) -> Fault {
    if let Some(fault) = without_logarithm(a, out) {
        return fault;
    }
    let number = Exact::read(a);
    let scale = chosen_scale(SIGNIFICANT_MIN - ln_size(&number), &[number.scale]);
    ln_at(&number, scale).push(out)
}

/// What is to be said where a number has no finite logarithm.
fn without_logarithm(a: &[u8], out: &mut Vec<u8>) -> Option<Fault> {
    if is_nan(a) {
        push_nan(out);
        return Some(Fault::Ok);
    }
    if sign(a) <= 0 {
        return Some(Fault::InvalidArgument);
    }
    if !is_finite(a) {
        return Some(copy(a, out));
    }
    None
}

/// Logarithm to base 10.
pub(crate) fn log10(a: &[u8], out: &mut Vec<u8>) -> Fault {
    if let Some(fault) = without_logarithm(a, out) {
        return fault;
    }
    log_of(&integer(10), &Exact::read(a), out)
}

/// Logarithm of the second to the base of the first.
pub(crate) fn log(base: &[u8], a: &[u8], out: &mut Vec<u8>) -> Fault {
    if is_nan(base) || is_nan(a) {
        push_nan(out);
        return Fault::Ok;
    }
    if sign(base) <= 0 || sign(a) <= 0 {
        return Fault::InvalidArgument;
    }
    match (is_finite(base), is_finite(a)) {
        (true, true) => log_of(&Exact::read(base), &Exact::read(a), out),
        (false, true) => {
            push_small(0, 0, out);
            Fault::Ok
        }
        (true, false) => {
            push_infinity(false, out);
            Fault::Ok
        }
        (false, false) => {
            push_nan(out);
            Fault::Ok
        }
    }
}

fn log_of(base: &Exact, number: &Exact, out: &mut Vec<u8>) -> Fault {
    if base.minus(&one()).is_zero() {
        return Fault::DivisionByZero;
    }
    let size = ln_size(number) - ln_size(base);
    let scale = chosen_scale(SIGNIFICANT_MIN - size, &[base.scale, number.scale]);
    // Logarithms near zero need digits beyond the scale.
    let digits = i64::from(scale) + size.abs() + ln_size(base).abs() + ln_size(number).abs() + SPARE_DIGITS;
    let bits = bits_of(digits);
    let (top, bottom) = (ln_fixed(number, bits), ln_fixed(base, bits));
    Exact { units: divide_rounded(&(top * ten_to(scale)), &bottom), scale }.push(out)
}

/// Is it a whole number?
fn is_whole(a: &[u8]) -> bool {
    is_finite(a) && super::number::scale_min(a) == 0
}

/// A power: [`Fault::InvalidArgument`] where it is no real number.
pub(crate) fn power(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Fault {
    if !is_finite(a) || !is_finite(b) {
        return special_power(a, b, out);
    }
    if (sign(a) == 0 && sign(b) < 0) || (sign(a) < 0 && !is_whole(b)) {
        return Fault::InvalidArgument;
    }
    let (base, exponent) = (Exact::read(a), Exact::read(b));
    if is_whole(b)
        && let Ok(whole) = i32::try_from(exponent.truncated(0).units)
    {
        return match whole_power(&base, whole, exponent.scale) {
            Ok(result) => result.push(out),
            Err(fault) => fault,
        };
    }
    if base.is_zero() {
        push_small(0, SIGNIFICANT_MIN as u32, out);
        return Fault::Ok;
    }
    // A negative base has a whole exponent here: the sign is that of an odd one.
    let is_odd = exponent.truncated(0).units.bit(0);
    let negative = base.is_negative() && is_odd;
    let base = Exact { units: base.units.into_parts().1.into(), scale: base.scale };
    match curved_power(&base, &exponent) {
        Some(mut result) => {
            if negative {
                result.units = -result.units;
            }
            result.push(out)
        }
        None => Fault::OutOfRange,
    }
}

/// A power of a positive base; `None` past the range.
fn curved_power(base: &Exact, exponent: &Exact) -> Option<Exact> {
    let size = ln_size(base);
    let guess = ln_at(base, (8 - size).max(0) as u32).times(exponent).rounded((8 - size).max(0)).to_f64();
    if guess.abs() > EXPONENT_MAX * 1.003_333 {
        return if guess > 0.0 { None } else { Some(Exact { units: BigInt::ZERO, scale: 1000 }) };
    }
    let decimal_size = (guess * LOG10_E) as i64;
    let scale = chosen_scale(SIGNIFICANT_MIN - decimal_size, &[base.scale, exponent.scale]);
    let digits = (i64::from(scale) + decimal_size).max(0);
    let bits = bits_of(digits + size.abs() + 2 * SPARE_DIGITS);
    // The exponent multiplies the logarithm's error.
    let spare = bits + exponent.units.bits();
    let product = ln_fixed(base, spare) * &exponent.units / ten_to(exponent.scale);
    let product = product >> (spare - bits);
    let value = guess.clamp(-2.0 * EXPONENT_MAX, 2.0 * EXPONENT_MAX);
    if value.abs() >= EXPONENT_MAX {
        return if value > 0.0 { None } else { Some(Exact { units: BigInt::ZERO, scale }) };
    }
    let (fixed, power) = exp_fixed(&product, bits);
    Some(shifted(&fixed, bits, power, scale))
}

/// A power with a whole exponent.
fn whole_power(base: &Exact, exponent: i32, exponent_scale: u32) -> Result<Exact, Fault> {
    let size = if base.is_zero() {
        0.0
    } else {
        // base is about digits * 10^power
        let power = base.first_digit_power() - 15;
        let magnitude = Exact { units: base.units.magnitude().clone().into(), scale: base.scale };
        f64::from(exponent) * (leading(&magnitude, power).log10() + power as f64)
    };
    if size > super::WHOLE_DIGITS_MAX as f64 {
        return Err(Fault::OutOfRange);
    }
    if size + 1.0 < -1000.0 {
        return Ok(Exact { units: BigInt::ZERO, scale: 1000 });
    }
    let scale = chosen_scale(SIGNIFICANT_MIN - size as i64, &[base.scale, exponent_scale]);
    match exponent {
        0 => return Ok(one().rounded(i64::from(scale))),
        1 => return Ok(base.rounded(i64::from(scale))),
        2 => return Ok(base.times(base).rounded(i64::from(scale))),
        _ if base.is_zero() => {
            return if exponent < 0 { Err(Fault::DivisionByZero) } else { Ok(Exact { units: BigInt::ZERO, scale }) };
        }
        -1 => return Ok(one().over(base, scale, true)),
        _ => {}
    }
    let times = exponent.unsigned_abs();
    let digits = i64::from(scale) + size.max(0.0) as i64 + SPARE_DIGITS + 12;
    let bits = bits_of(digits);
    if base.units.bits().saturating_mul(u64::from(times)) <= 4 * bits + 4096
        && u64::from(base.scale) * u64::from(times) < 20_000
    {
        let power = Exact { units: base.units.pow(times), scale: base.scale * times };
        return Ok(if exponent < 0 { one().over(&power, scale, true) } else { power.rounded(i64::from(scale)) });
    }
    // A mantissa of some more bits than are needed, and a power of two.
    let bits = bits + 64;
    let cut = |mantissa: BigInt, power: i64| {
        let dropped = mantissa.bits().saturating_sub(bits);
        (mantissa >> dropped, power + dropped as i64)
    };
    let shift = bits + bits_of(i64::from(base.scale));
    let (mut square, mut square_power) = cut(to_fixed(base, shift), -(shift as i64));
    let (mut result, mut result_power) = (BigInt::from(1), 0i64);
    let mut rest = times;
    while rest > 0 {
        if rest % 2 == 1 {
            (result, result_power) = cut(&result * &square, result_power + square_power);
        }
        rest /= 2;
        if rest > 0 {
            (square, square_power) = cut(&square * &square, 2 * square_power);
        }
    }
    if exponent < 0 {
        let shift = 2 * bits;
        result = (BigInt::from(1) << shift) / result;
        result_power = -result_power - shift as i64;
    }
    Ok(shifted(&result, 0, result_power, scale))
}

/// Powers with an infinity or NaN, by POSIX.
fn special_power(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Fault {
    let is_one = |bytes: &[u8], value: i64| is_finite(bytes) && Exact::read(bytes).minus(&integer(value)).is_zero();
    let (a_sign, b_sign) = (sign(a), sign(b));
    if is_nan(a) || is_nan(b) {
        if is_one(a, 1) || (is_finite(b) && b_sign == 0) {
            push_small(1, 0, out);
        } else {
            push_nan(out);
        }
        return Fault::Ok;
    }
    // An infinity is a whole number, and an even one.
    if (a_sign == 0 && b_sign < 0) || (a_sign < 0 && is_finite(b) && !is_whole(b)) {
        return Fault::InvalidArgument;
    }
    if is_one(a, 1) || b_sign == 0 {
        push_small(1, 0, out);
    } else if a_sign == 0 {
        push_small(0, 0, out);
    } else if !is_finite(b) {
        if is_one(a, -1) {
            push_small(1, 0, out);
            return Fault::Ok;
        }
        let is_large = !is_finite(a) || {
            let number = Exact::read(a);
            number.units.magnitude() > ten_to(number.scale).magnitude()
        };
        if is_large == (b_sign > 0) {
            push_infinity(false, out);
        } else {
            push_small(0, 0, out);
        }
    } else if b_sign < 0 {
        push_small(0, 0, out);
    } else {
        let is_odd = Exact::read(b).truncated(0).units.bit(0);
        push_infinity(a_sign < 0 && is_odd, out);
    }
    Fault::Ok
}
