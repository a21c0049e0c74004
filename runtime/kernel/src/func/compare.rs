//! How do two data of one class compare?
//!
//! As in PostgreSQL: NaN equals NaN and is greater than every number, -0.0 equals 0.0, texts and blobs compare byte by
//! byte, false comes before true, JSON has the total order of [`super::json_order::compare`]. Decimals come with one scale.
//! The order here and the order of keys ([`crate::key`]) are the same.

use super::{
    RowFault,
    lift::{self, Call, class, functions},
};
use crate::{bitmap::Bitmap, column::Column, interval::span, ty::Type, value::Value};

macro_rules! ordered {
    ($($what:literal $ty:ty: $eq:ident $ne:ident $lt:ident $le:ident $gt:ident $ge:ident;)*) => {$(
        ordered!(@leaf $what, "equal", $eq, $ty, ==);
        ordered!(@leaf $what, "different", $ne, $ty, !=);
        ordered!(@leaf $what, "in rising order", $lt, $ty, <);
        ordered!(@leaf $what, "equal or in rising order", $le, $ty, <=);
        ordered!(@leaf $what, "in falling order", $gt, $ty, >);
        ordered!(@leaf $what, "equal or in falling order", $ge, $ty, >=);
    )*};
    (@leaf $what:literal, $how:literal, $name:ident, $ty:ty, $op:tt) => {
        #[doc = concat!("Are two ", $what, " ", $how, "?")]
        #[inline]
        pub fn $name(a: $ty, b: $ty) -> bool {
            a $op b
        }
    };
}

ordered! {
    "booleans" bool: eq_bool ne_bool lt_bool le_bool gt_bool ge_bool;
    "integers, dates or timestamps" i64: eq_i64 ne_i64 lt_i64 le_i64 gt_i64 ge_i64;
    "decimals of one scale" i128: eq_i128 ne_i128 lt_i128 le_i128 gt_i128 ge_i128;
    "texts" &str: eq_text ne_text lt_text le_text gt_text ge_text;
    "blobs" &[u8]: eq_blob ne_blob lt_blob le_blob gt_blob ge_blob;
}

/// Are two reals equal? NaN equals NaN.
#[inline]
pub fn eq_f64(a: f64, b: f64) -> bool {
    (a == b) | (a.is_nan() & b.is_nan())
}

/// Are two reals different?
#[inline]
pub fn ne_f64(a: f64, b: f64) -> bool {
    !eq_f64(a, b)
}

/// Are two reals in rising order? NaN is the greatest.
#[inline]
pub fn lt_f64(a: f64, b: f64) -> bool {
    (a < b) | (b.is_nan() & !a.is_nan())
}

/// Are two reals equal or in rising order?
#[inline]
pub fn le_f64(a: f64, b: f64) -> bool {
    (a <= b) | b.is_nan()
}

/// Are two reals in falling order?
#[inline]
pub fn gt_f64(a: f64, b: f64) -> bool {
    lt_f64(b, a)
}

/// The place of a real among all reals, as an integer: places are ordered and equal as the reals are, and none is the least
/// or the greatest of the integers.
#[inline]
pub fn place_f64(a: f64) -> i64 {
    let a = if a.is_nan() { f64::NAN } else { a + 0.0 };
    let bits = a.abs().to_bits() as i64;
    if a.is_sign_negative() && !a.is_nan() { -bits } else { bits }
}

/// The units of a decimal of no more than 18 digits.
#[inline]
pub fn place_i128(a: i128) -> i64 {
    i64::try_from(a).unwrap_or(if a < 0 { i64::MIN + 1 } else { i64::MAX - 1 })
}

/// Are two reals equal or in falling order?
#[inline]
pub fn ge_f64(a: f64, b: f64) -> bool {
    le_f64(b, a)
}

/// Are both the same? Intervals as their lane's numbers.
#[inline]
pub fn eq_span(a: i128, b: i128) -> bool {
    span(a) == span(b)
}

/// Do both differ? Intervals as their lane's numbers.
#[inline]
pub fn ne_span(a: i128, b: i128) -> bool {
    span(a) != span(b)
}

/// Is the first smaller? Intervals as their lane's numbers.
#[inline]
pub fn lt_span(a: i128, b: i128) -> bool {
    span(a) < span(b)
}

/// Is the first not greater? Intervals as their lane's numbers.
#[inline]
pub fn le_span(a: i128, b: i128) -> bool {
    span(a) <= span(b)
}

/// Is the first greater? Intervals as their lane's numbers.
#[inline]
pub fn gt_span(a: i128, b: i128) -> bool {
    span(a) > span(b)
}

/// Is the first not smaller? Intervals as their lane's numbers.
#[inline]
pub fn ge_span(a: i128, b: i128) -> bool {
    span(a) >= span(b)
}

macro_rules! distinct {
    ($($name:ident $ty:ty, $ne:ident;)*) => {$(
        /// Do two data differ, where NULL differs from all but NULL?
        #[inline]
        pub fn $name(a: Option<$ty>, b: Option<$ty>) -> bool {
            match (a, b) {
                (Some(a), Some(b)) => $ne(a, b),
                (None, None) => false,
                (Some(_), None) | (None, Some(_)) => true,
            }
        }
    )*};
}

distinct! {
    distinct_bool bool, ne_bool;
    distinct_i64 i64, ne_i64;
    distinct_f64 f64, ne_f64;
    distinct_i128 i128, ne_i128;
    distinct_span i128, ne_span;
    distinct_text &str, ne_text;
    distinct_blob &[u8], ne_blob;
}

/// Is there no value?
#[inline]
pub fn is_null<T>(a: Option<T>) -> bool {
    a.is_none()
}

/// Is there a value?
#[inline]
pub fn is_not_null<T>(a: Option<T>) -> bool {
    a.is_some()
}

/// Texts compare as their bytes do, so the loops need not know that they are UTF-8.
macro_rules! bytewise {
    ($($batch:ident $name:literal $leaf:ident;)*) => {$(
        fn $batch(columns: &[Column], len: usize) -> Result<Column, RowFault> {
            let call = Call { function: $name, columns, len };
            lift::total::<(class::Blob, class::Blob), class::Boolean>(call, |(a, b)| $leaf(a, b))
        }
    )*};
}

bytewise! {
    eq_bytes "=" eq_blob;
    ne_bytes "<>" ne_blob;
    lt_bytes "<" lt_blob;
    le_bytes "<=" le_blob;
    gt_bytes ">" gt_blob;
    ge_bytes ">=" ge_blob;
}

fn distinct_bytes(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    let call = Call { function: "$is_distinct", columns, len };
    lift::null_aware::<(class::Blob, class::Blob), class::Boolean>(call, |(a, b)| distinct_blob(a, b))
}

/// 0 or 1 for each bit, turned over if asked.
fn bytes_of(bits: &Bitmap, flip: bool) -> Vec<u8> {
    bits.iter().map(|bit| u8::from(bit != flip)).collect()
}

fn nulls(columns: &[Column], len: usize, is_null: bool) -> Column {
    let column = &columns[0];
    if let Some(value) = column.as_const() {
        return Column::constant(Type::Boolean, Value::Boolean(value.is_null() == is_null), len);
    }
    match column.validity() {
        None => Column::constant(Type::Boolean, Value::Boolean(!is_null), len),
        Some(bits) => Column::from_bools(bytes_of(bits, is_null)),
    }
}

fn null_rows(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    Ok(nulls(columns, len, true))
}

fn value_rows(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    Ok(nulls(columns, len, false))
}

functions! { "func::compare";
    "$place" (Real) -> Integer, Total, place_f64, "The place of a number among all, by which joins look ranges up.";
    "$place" (Numeric) -> Integer, Total, place_i128, "The place of a number of 18 digits among all, by which joins look ranges up.";
    "=" (Boolean, Boolean) -> Boolean, Total, eq_bool, "Are both the same?";
    "=" (Integer, Integer) -> Boolean, Total, eq_i64, "Are both the same?";
    "=" (Real, Real) -> Boolean, Total, eq_f64, "Are both the same? NaN equals NaN.";
    "=" (Numeric, Numeric) -> Boolean, Total, eq_i128, "Are both (of one scale) the same?";
    "=" (Text, Text) -> Boolean, Total, eq_text by eq_bytes, "Are both the same?";
    "=" (Blob, Blob) -> Boolean, Total, eq_blob, "Are both the same?";
    "=" (Date, Date) -> Boolean, Total, eq_i64, "Are both the same?";
    "=" (Timestamp, Timestamp) -> Boolean, Total, eq_i64, "Are both the same?";
    "<>" (Boolean, Boolean) -> Boolean, Total, ne_bool, "Do both differ?";
    "<>" (Integer, Integer) -> Boolean, Total, ne_i64, "Do both differ?";
    "<>" (Real, Real) -> Boolean, Total, ne_f64, "Do both differ? NaN equals NaN.";
    "<>" (Numeric, Numeric) -> Boolean, Total, ne_i128, "Do both (of one scale) differ?";
    "<>" (Text, Text) -> Boolean, Total, ne_text by ne_bytes, "Do both differ?";
    "<>" (Blob, Blob) -> Boolean, Total, ne_blob, "Do both differ?";
    "<>" (Date, Date) -> Boolean, Total, ne_i64, "Do both differ?";
    "<>" (Timestamp, Timestamp) -> Boolean, Total, ne_i64, "Do both differ?";
    "<" (Boolean, Boolean) -> Boolean, Total, lt_bool, "Is the first smaller? False is smaller than true.";
    "<" (Integer, Integer) -> Boolean, Total, lt_i64, "Is the first smaller?";
    "<" (Real, Real) -> Boolean, Total, lt_f64, "Is the first smaller? NaN is the greatest.";
    "<" (Numeric, Numeric) -> Boolean, Total, lt_i128, "Is the first (of one scale) smaller?";
    "<" (Text, Text) -> Boolean, Total, lt_text by lt_bytes, "Does the first come before, byte by byte?";
    "<" (Blob, Blob) -> Boolean, Total, lt_blob, "Does the first come before, byte by byte?";
    "<" (Date, Date) -> Boolean, Total, lt_i64, "Is the first earlier?";
    "<" (Timestamp, Timestamp) -> Boolean, Total, lt_i64, "Is the first earlier?";
    "<=" (Boolean, Boolean) -> Boolean, Total, le_bool, "Is the first not greater?";
    "<=" (Integer, Integer) -> Boolean, Total, le_i64, "Is the first not greater?";
    "<=" (Real, Real) -> Boolean, Total, le_f64, "Is the first not greater? NaN is the greatest.";
    "<=" (Numeric, Numeric) -> Boolean, Total, le_i128, "Is the first (of one scale) not greater?";
    "<=" (Text, Text) -> Boolean, Total, le_text by le_bytes, "Does the first not come after, byte by byte?";
    "<=" (Blob, Blob) -> Boolean, Total, le_blob, "Does the first not come after, byte by byte?";
    "<=" (Date, Date) -> Boolean, Total, le_i64, "Is the first not later?";
    "<=" (Timestamp, Timestamp) -> Boolean, Total, le_i64, "Is the first not later?";
    ">" (Boolean, Boolean) -> Boolean, Total, gt_bool, "Is the first greater? True is greater than false.";
    ">" (Integer, Integer) -> Boolean, Total, gt_i64, "Is the first greater?";
    ">" (Real, Real) -> Boolean, Total, gt_f64, "Is the first greater? NaN is the greatest.";
    ">" (Numeric, Numeric) -> Boolean, Total, gt_i128, "Is the first (of one scale) greater?";
    ">" (Text, Text) -> Boolean, Total, gt_text by gt_bytes, "Does the first come after, byte by byte?";
    ">" (Blob, Blob) -> Boolean, Total, gt_blob, "Does the first come after, byte by byte?";
    ">" (Date, Date) -> Boolean, Total, gt_i64, "Is the first later?";
    ">" (Timestamp, Timestamp) -> Boolean, Total, gt_i64, "Is the first later?";
    ">=" (Boolean, Boolean) -> Boolean, Total, ge_bool, "Is the first not smaller?";
    ">=" (Integer, Integer) -> Boolean, Total, ge_i64, "Is the first not smaller?";
    ">=" (Real, Real) -> Boolean, Total, ge_f64, "Is the first not smaller? NaN is the greatest.";
    ">=" (Numeric, Numeric) -> Boolean, Total, ge_i128, "Is the first (of one scale) not smaller?";
    ">=" (Text, Text) -> Boolean, Total, ge_text by ge_bytes, "Does the first not come before, byte by byte?";
    ">=" (Blob, Blob) -> Boolean, Total, ge_blob, "Does the first not come before, byte by byte?";
    ">=" (Date, Date) -> Boolean, Total, ge_i64, "Is the first not earlier?";
    ">=" (Timestamp, Timestamp) -> Boolean, Total, ge_i64, "Is the first not earlier?";
    "$is_distinct" (Boolean, Boolean) -> Boolean, NullAware, distinct_bool, "IS DISTINCT FROM.";
    "$is_distinct" (Integer, Integer) -> Boolean, NullAware, distinct_i64, "IS DISTINCT FROM.";
    "$is_distinct" (Real, Real) -> Boolean, NullAware, distinct_f64, "IS DISTINCT FROM.";
    "$is_distinct" (Numeric, Numeric) -> Boolean, NullAware, distinct_i128, "IS DISTINCT FROM, for decimals of one scale.";
    "$is_distinct" (Text, Text) -> Boolean, NullAware, distinct_text by distinct_bytes, "IS DISTINCT FROM.";
    "$is_distinct" (Blob, Blob) -> Boolean, NullAware, distinct_blob, "IS DISTINCT FROM.";
    "$is_distinct" (Date, Date) -> Boolean, NullAware, distinct_i64, "IS DISTINCT FROM.";
    "$is_distinct" (Timestamp, Timestamp) -> Boolean, NullAware, distinct_i64, "IS DISTINCT FROM.";
    "$is_null" (Boolean) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_null" (Integer) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_null" (Real) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_null" (Numeric) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_null" (Text) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_null" (Blob) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_null" (Date) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_null" (Timestamp) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_null" (Json) -> Boolean, NullAware, is_null by null_rows, "IS NULL; JSON's null is a value.";
    "$is_not_null" (Boolean) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "$is_not_null" (Integer) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "$is_not_null" (Real) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "$is_not_null" (Numeric) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "$is_not_null" (Text) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "$is_not_null" (Blob) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "$is_not_null" (Date) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "$is_not_null" (Timestamp) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "$is_not_null" (Json) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL; JSON's null is a value.";
    "=" (Time, Time) -> Boolean, Total, eq_i64, "Are both the same?";
    "<>" (Time, Time) -> Boolean, Total, ne_i64, "Do both differ?";
    "<" (Time, Time) -> Boolean, Total, lt_i64, "Is the first earlier?";
    "<=" (Time, Time) -> Boolean, Total, le_i64, "Is the first not later?";
    ">" (Time, Time) -> Boolean, Total, gt_i64, "Is the first later?";
    ">=" (Time, Time) -> Boolean, Total, ge_i64, "Is the first not earlier?";
    "$is_distinct" (Time, Time) -> Boolean, NullAware, distinct_i64, "IS DISTINCT FROM.";
    "$is_null" (Time) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_not_null" (Time) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "=" (TimestampTz, TimestampTz) -> Boolean, Total, eq_i64, "Are both the same?";
    "<>" (TimestampTz, TimestampTz) -> Boolean, Total, ne_i64, "Do both differ?";
    "<" (TimestampTz, TimestampTz) -> Boolean, Total, lt_i64, "Is the first earlier?";
    "<=" (TimestampTz, TimestampTz) -> Boolean, Total, le_i64, "Is the first not later?";
    ">" (TimestampTz, TimestampTz) -> Boolean, Total, gt_i64, "Is the first later?";
    ">=" (TimestampTz, TimestampTz) -> Boolean, Total, ge_i64, "Is the first not earlier?";
    "$is_distinct" (TimestampTz, TimestampTz) -> Boolean, NullAware, distinct_i64, "IS DISTINCT FROM.";
    "$is_null" (TimestampTz) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_not_null" (TimestampTz) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "=" (Uuid, Uuid) -> Boolean, Total, eq_i128, "Are both the same?";
    "<>" (Uuid, Uuid) -> Boolean, Total, ne_i128, "Do both differ?";
    "<" (Uuid, Uuid) -> Boolean, Total, lt_i128, "Is the first smaller?";
    "<=" (Uuid, Uuid) -> Boolean, Total, le_i128, "Is the first not greater?";
    ">" (Uuid, Uuid) -> Boolean, Total, gt_i128, "Is the first greater?";
    ">=" (Uuid, Uuid) -> Boolean, Total, ge_i128, "Is the first not smaller?";
    "$is_distinct" (Uuid, Uuid) -> Boolean, NullAware, distinct_i128, "IS DISTINCT FROM.";
    "$is_null" (Uuid) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_not_null" (Uuid) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "=" (Interval, Interval) -> Boolean, Total, eq_span, "Are both the same? A month is 30 days, a day 24 hours.";
    "<>" (Interval, Interval) -> Boolean, Total, ne_span, "Do both differ? A month is 30 days, a day 24 hours.";
    "<" (Interval, Interval) -> Boolean, Total, lt_span, "Is the first smaller? A month is 30 days, a day 24 hours.";
    "<=" (Interval, Interval) -> Boolean, Total, le_span, "Is the first not greater? A month is 30 days, a day 24 hours.";
    ">" (Interval, Interval) -> Boolean, Total, gt_span, "Is the first greater? A month is 30 days, a day 24 hours.";
    ">=" (Interval, Interval) -> Boolean, Total, ge_span, "Is the first not smaller? A month is 30 days, a day 24 hours.";
    "$is_distinct" (Interval, Interval) -> Boolean, NullAware, distinct_span, "IS DISTINCT FROM.";
    "$is_null" (Interval) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_not_null" (Interval) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "$is_null" (Array) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_null" (BigNumeric) -> Boolean, NullAware, is_null by null_rows, "IS NULL.";
    "$is_not_null" (BigNumeric) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
    "$is_not_null" (Array) -> Boolean, NullAware, is_not_null by value_rows, "IS NOT NULL.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ordered_as_the_reals_are() {
        let reals = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.5,
            -f64::MIN_POSITIVE,
            -5e-324,
            -0.0,
            0.0,
            5e-324,
            1.0,
            1.0 + f64::EPSILON,
            f64::MAX,
            f64::INFINITY,
            f64::NAN,
            -f64::NAN,
        ];
        for a in reals {
            assert!(place_f64(a) > i64::MIN && place_f64(a) < i64::MAX);
            for b in reals {
                assert_eq!(
                    (place_f64(a) < place_f64(b), place_f64(a) == place_f64(b)),
                    (lt_f64(a, b), eq_f64(a, b)),
                    "{a} {b}"
                );
            }
        }
    }
}
