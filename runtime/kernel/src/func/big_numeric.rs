//! What does SQL ask of numbers of any length?
//!
//! The functions of NUMERIC without digits, with PostgreSQL's answers. A leaf takes and appends the bytes that
//! [`crate::big_numeric`] tells of. The loops call leaves through pointers: what a leaf does takes far longer than a call, and
//! one loop serves all leaves of a form.
//!
//! Not here: NUMERIC(p,s), whose units are numbers of 128 bits (`arith`, `math`, `cast`).

use super::{
    Fault, RowFault,
    json::number_text,
    lift::{self, Call, class, functions},
};
use crate::{
    big_numeric::{self, curve, number, value_bytes},
    column::Column,
    value::write_real,
};

const NEVER_FAILS: &str = "a String takes all that is written";

macro_rules! leaves {
    ($($doc:literal $name:ident ($($arg:ident: $ty:ty),*) = $call:expr;)*) => {$(
        #[doc = $doc]
        pub fn $name($($arg: $ty,)* out: &mut Vec<u8>) -> Fault {
            $call($($arg,)* out)
        }
    )*};
}

leaves! {
    "Sum." add(a: &[u8], b: &[u8]) = number::add;
    "Difference." sub(a: &[u8], b: &[u8]) = number::subtract;
    "Product." mul(a: &[u8], b: &[u8]) = number::multiply;
    "Quotient." div(a: &[u8], b: &[u8]) = number::divide;
    "The whole part of a quotient." div_whole(a: &[u8], b: &[u8]) = number::divide_whole;
    "Remainder, with the sign of the dividend." rem(a: &[u8], b: &[u8]) = number::remainder;
    "Negation." neg(a: &[u8]) = number::negate;
    "Magnitude." abs(a: &[u8]) = number::absolute;
    "-1, 0 or 1; NaN of NaN." sign(a: &[u8]) = number::signum;
    "The nearest whole number, half away from zero." round(a: &[u8]) = |a, out| number::round(a, 0, false, out);
    "Rounded to digits, half away from zero." round_digits(a: &[u8], digits: i64) = |a, digits, out| number::round(a, digits, false, out);
    "The whole part." trunc(a: &[u8]) = |a, out| number::round(a, 0, true, out);
    "Cut off after digits." trunc_digits(a: &[u8], digits: i64) = |a, digits, out| number::round(a, digits, true, out);
    "The greatest whole number not above." floor(a: &[u8]) = |a, out| number::whole(a, false, out);
    "The smallest whole number not below." ceil(a: &[u8]) = |a, out| number::whole(a, true, out);
    "Square root." sqrt(a: &[u8]) = curve::sqrt;
    "e to a power." exp(a: &[u8]) = curve::exp;
    "Natural logarithm." ln(a: &[u8]) = curve::ln;
    "Logarithm to base 10." log10(a: &[u8]) = curve::log10;
    "Logarithm of the second to the base of the first." log(base: &[u8], a: &[u8]) = curve::log;
    "The first to the power of the second." power(a: &[u8], b: &[u8]) = curve::power;
    "Greatest common divisor." gcd(a: &[u8], b: &[u8]) = number::gcd;
    "Least common multiple." lcm(a: &[u8], b: &[u8]) = number::lcm;
    "The number with the fewest digits that show its value." trim_scale(a: &[u8]) = number::trim_scale;
    "The product of the numbers up to one." factorial(a: i64) = number::factorial;
    "A number from its text." text_to_big(a: &str) = big_numeric::read;
}

/// The number in a declared precision (high bits) and scale (low 16 bits).
pub fn fit(a: &[u8], declared: i64, out: &mut Vec<u8>) -> Fault {
    number::fit(a, (declared >> 16) as u16, declared as i16, out)
}

/// How many digits after the point are shown; none of NaN and the infinities.
pub fn scale(a: &[u8]) -> Option<i64> {
    big_numeric::is_finite(a).then(|| i64::from(big_numeric::scale(a)))
}

/// How many digits after the point show the whole value; none of NaN and the infinities.
pub fn min_scale(a: &[u8]) -> Option<i64> {
    big_numeric::is_finite(a).then(|| number::scale_min(a))
}

/// In which of so many stretches of one width between two bounds a number lies: 0 below, one more above.
pub fn width_bucket(a: &[u8], low: &[u8], high: &[u8], count: i64) -> (i64, Fault) {
    number::width_bucket(a, low, high, count)
}

/// The number's text.
pub fn big_to_text(a: &[u8], out: &mut String) {
    big_numeric::write(a, out);
}

/// A JSON number; what is no number becomes a string.
pub fn big_to_json(a: &[u8], out: &mut String) {
    let quote = if big_numeric::is_finite(a) { "" } else { "\"" };
    out.push_str(quote);
    big_numeric::write(a, out);
    out.push_str(quote);
}

/// A JSON number; nothing for another kind, or past the range.
pub fn json_to_big(json: &str, out: &mut Vec<u8>) -> bool {
    number_text(json).is_some_and(|text| big_numeric::read(text, out) == Fault::Ok)
}

/// An integer as a number.
pub fn i64_to_big(a: i64, out: &mut Vec<u8>) {
    big_numeric::push_small(i128::from(a), 0, out);
}

/// Units of a scale as a number.
pub fn i128_to_big(a: i128, scale: i64, out: &mut Vec<u8>) {
    big_numeric::push_small(a, u32::try_from(scale).expect("a scale is at most 38"), out);
}

/// A real as a number, by its first 15 digits.
pub fn f64_to_big(a: f64, out: &mut Vec<u8>) -> Fault {
    let mut text = String::new();
    if a.is_finite() {
        // PostgreSQL takes 15 significant digits, those that a double is sure of, and no zeros behind them.
        let shown: f64 = format!("{a:.14e}").parse().expect("a number reads back");
        write_real(shown, &mut text).expect(NEVER_FAILS);
    } else {
        write_real(a, &mut text).expect(NEVER_FAILS);
    }
    big_numeric::read(&text, out)
}

/// An integer, rounded half away from zero.
pub fn big_to_i64(a: &[u8]) -> (i64, Fault) {
    number::to_i64(a)
}

/// The nearest real; a number past the range, or too near to zero, is an error.
pub fn big_to_f64(a: &[u8]) -> (f64, Fault) {
    let real = number::to_f64(a);
    let is_out = big_numeric::is_finite(a) && (real.is_infinite() || (real == 0.0 && big_numeric::sign(a) != 0));
    (real, if is_out { Fault::OutOfRange } else { Fault::Ok })
}

/// Units of a scale, of at most `precision` digits in all, rounded half away from zero.
pub fn big_to_i128(a: &[u8], precision: i64, scale: i64) -> (i128, Fault) {
    number::to_i128(a, precision, scale)
}

macro_rules! compared {
    ($($doc:literal $name:ident $op:tt;)*) => {$(
        #[doc = $doc]
        #[inline]
        pub fn $name(a: &[u8], b: &[u8]) -> bool {
            value_bytes(a) $op value_bytes(b)
        }
    )*};
}

compared! {
    "Are both the same value?" eq_big ==;
    "Do both differ in value?" ne_big !=;
    "Is the first smaller? NaN is the greatest." lt_big <;
    "Is the first not greater?" le_big <=;
    "Is the first greater?" gt_big >;
    "Is the first not smaller?" ge_big >=;
}

/// Do two differ, where NULL differs from all but NULL?
pub fn distinct_big(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    a.map(value_bytes) != b.map(value_bytes)
}

fn one(call: Call<'_>, leaf: fn(&[u8], &mut Vec<u8>) -> Fault) -> Result<Column, RowFault> {
    lift::strings::<(class::BigNumeric,), class::BigNumeric, _>(call, false, |(a,), out| leaf(a, out))
}

fn two(call: Call<'_>, leaf: fn(&[u8], &[u8], &mut Vec<u8>) -> Fault) -> Result<Column, RowFault> {
    lift::strings::<(class::BigNumeric, class::BigNumeric), class::BigNumeric, _>(call, false, |(a, b), out| {
        leaf(a, b, out)
    })
}

fn counted(call: Call<'_>, leaf: fn(&[u8], i64, &mut Vec<u8>) -> Fault) -> Result<Column, RowFault> {
    lift::strings::<(class::BigNumeric, class::Integer), class::BigNumeric, _>(call, false, |(a, b), out| {
        leaf(a, b, out)
    })
}

fn compared(call: Call<'_>, leaf: fn(&[u8], &[u8]) -> bool) -> Result<Column, RowFault> {
    lift::total::<(class::BigNumeric, class::BigNumeric), class::Boolean>(call, |(a, b)| leaf(a, b))
}

fn digits(call: Call<'_>, leaf: fn(&[u8]) -> Option<i64>) -> Result<Column, RowFault> {
    lift::partial::<(class::BigNumeric,), class::Integer>(call, |(a,)| leaf(a))
}

macro_rules! loops {
    ($($batch:ident $form:ident $name:literal $leaf:ident;)*) => {$(
        fn $batch(columns: &[Column], len: usize) -> Result<Column, RowFault> {
            $form(Call { function: $name, columns, len }, $leaf)
        }
    )*};
}

loops! {
    adds two "+" add;
    subs two "-" sub;
    muls two "*" mul;
    divs two "/" div;
    whole_divs two "div" div_whole;
    rems two "%" rem;
    mods two "mod" rem;
    negs one "-" neg;
    abses one "abs" abs;
    magnitudes one "@" abs;
    signs one "sign" sign;
    rounds one "round" round;
    rounds_digits counted "round" round_digits;
    truncs one "trunc" trunc;
    truncs_digits counted "trunc" trunc_digits;
    floors one "floor" floor;
    ceils one "ceil" ceil;
    ceilings one "ceiling" ceil;
    sqrts one "sqrt" sqrt;
    exps one "exp" exp;
    lns one "ln" ln;
    logs_10 one "log" log10;
    logs_ten one "log10" log10;
    logs two "log" log;
    powers two "power" power;
    pows two "pow" power;
    carets two "^" power;
    gcds two "gcd" gcd;
    lcms two "lcm" lcm;
    trims one "trim_scale" trim_scale;
    fits counted "$fit_numeric" fit;
    scales digits "scale" scale;
    min_scales digits "min_scale" min_scale;
    equal compared "=" eq_big;
    different compared "<>" ne_big;
    less compared "<" lt_big;
    not_greater compared "<=" le_big;
    greater compared ">" gt_big;
    not_less compared ">=" ge_big;
}

functions! { "func::big_numeric";
    "+" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, add by adds, "Sum.";
    "-" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, sub by subs, "Difference.";
    "*" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, mul by muls, "Product.";
    "/" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, div by divs, "Quotient of at least 16 significant digits.";
    "%" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, rem by rems, "Remainder, with the sign of the dividend.";
    "mod" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, rem by mods, "Remainder, with the sign of the dividend.";
    "div" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, div_whole by whole_divs, "Quotient without its fraction.";
    "-" (BigNumeric) -> BigNumeric, Fallible, neg by negs, "Negation.";
    "abs" (BigNumeric) -> BigNumeric, Fallible, abs by abses, "Magnitude.";
    "@" (BigNumeric) -> BigNumeric, Fallible, abs by magnitudes, "Magnitude.";
    "sign" (BigNumeric) -> BigNumeric, Fallible, sign by signs, "-1, 0 or 1; NaN of NaN.";
    "round" (BigNumeric) -> BigNumeric, Fallible, round by rounds, "The nearest whole number, half away from zero.";
    "round" (BigNumeric, Integer) -> BigNumeric, Fallible, round_digits by rounds_digits, "Rounded to that many digits after the point, half away from zero.";
    "trunc" (BigNumeric) -> BigNumeric, Fallible, trunc by truncs, "The whole part.";
    "trunc" (BigNumeric, Integer) -> BigNumeric, Fallible, trunc_digits by truncs_digits, "Cuts off what comes after that many digits after the point.";
    "floor" (BigNumeric) -> BigNumeric, Fallible, floor by floors, "The greatest whole number not above.";
    "ceil" (BigNumeric) -> BigNumeric, Fallible, ceil by ceils, "The smallest whole number not below.";
    "ceiling" (BigNumeric) -> BigNumeric, Fallible, ceil by ceilings, "The smallest whole number not below.";
    "sqrt" (BigNumeric) -> BigNumeric, Fallible, sqrt by sqrts, "Square root.";
    "exp" (BigNumeric) -> BigNumeric, Fallible, exp by exps, "e to that power.";
    "ln" (BigNumeric) -> BigNumeric, Fallible, ln by lns, "Natural logarithm.";
    "log" (BigNumeric) -> BigNumeric, Fallible, log10 by logs_10, "Logarithm to base 10.";
    "log10" (BigNumeric) -> BigNumeric, Fallible, log10 by logs_ten, "Logarithm to base 10.";
    "log" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, log by logs, "Logarithm of the second to the base of the first.";
    "power" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, power by powers, "The first to the power of the second.";
    "pow" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, power by pows, "The first to the power of the second.";
    "^" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, power by carets, "The first to the power of the second.";
    "gcd" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, gcd by gcds, "Greatest common divisor.";
    "lcm" (BigNumeric, BigNumeric) -> BigNumeric, Fallible, lcm by lcms, "Least common multiple.";
    "factorial" (Integer) -> BigNumeric, Fallible, factorial, "The product of the numbers up to one.";
    "scale" (BigNumeric) -> Integer, Partial, scale by scales, "How many digits after the point are shown.";
    "min_scale" (BigNumeric) -> Integer, Partial, min_scale by min_scales, "How many digits after the point show the whole value.";
    "trim_scale" (BigNumeric) -> BigNumeric, Fallible, trim_scale by trims, "The number without zeros at the end of its fraction.";
    "width_bucket" (BigNumeric, BigNumeric, BigNumeric, Integer) -> Integer, Fallible, width_bucket, "In which of so many equal stretches between two bounds a number lies; 0 below, one more above.";
    "$fit_numeric" (BigNumeric, Integer) -> BigNumeric, Fallible, fit by fits, "In a declared precision (high bits) and scale (low 16 bits).";
    "$cast" (BigNumeric) -> Text, Total, big_to_text, "All digits of the scale.";
    "$cast" (BigNumeric) -> Json, Total, big_to_json, "A number, or a string for NaN and the infinities.";
    "$cast" (BigNumeric) -> Integer, Fallible, big_to_i64, "Rounded half away from zero.";
    "$cast" (BigNumeric) -> Real, Fallible, big_to_f64, "The nearest real.";
    "$cast" (BigNumeric, Integer, Integer) -> Numeric, Fallible, big_to_i128, "Rounded half away from zero: x, precision, scale.";
    "$cast" (Text) -> BigNumeric, Fallible, text_to_big, "A number with an optional exponent, NaN or Infinity.";
    "$cast" (Integer) -> BigNumeric, Total, i64_to_big, "The number.";
    "$cast" (Real) -> BigNumeric, Fallible, f64_to_big, "By the first 15 digits.";
    "$cast" (Numeric, Integer) -> BigNumeric, Total, i128_to_big, "The number: x, its scale.";
    "$json_as_big_numeric" (Json) -> BigNumeric, Partial, json_to_big, "A number; NULL for another kind.";
    "=" (BigNumeric, BigNumeric) -> Boolean, Total, eq_big by equal, "Are both the same value?";
    "<>" (BigNumeric, BigNumeric) -> Boolean, Total, ne_big by different, "Do both differ in value?";
    "<" (BigNumeric, BigNumeric) -> Boolean, Total, lt_big by less, "Is the first smaller? NaN is the greatest.";
    "<=" (BigNumeric, BigNumeric) -> Boolean, Total, le_big by not_greater, "Is the first not greater?";
    ">" (BigNumeric, BigNumeric) -> Boolean, Total, gt_big by greater, "Is the first greater?";
    ">=" (BigNumeric, BigNumeric) -> Boolean, Total, ge_big by not_less, "Is the first not smaller?";
    "$is_distinct" (BigNumeric, BigNumeric) -> Boolean, NullAware, distinct_big, "IS DISTINCT FROM.";
}
