//! What is an array made of, and what is found in it by its place?
//!
//! Leaves work on the bytes of [`crate::array`] and know no element type but where a value goes in (`$array_of`) or comes out
//! (`$array_get`): an element beside an array comes as an array of one. The binder sees to it that two arrays of a call have
//! elements of one type.
//!
//! Not here: which elements are the same (`array_set`), texts (`array_cast`).

use super::{Fault, lift::functions};
use crate::{
    array::{self, Dimension, ELEMENTS_MAX, View, Writer},
    pause::{self, Pace},
    ty::Type,
};

macro_rules! wraps {
    ($($leaf:ident: $arg:ty, $class:ident, |$value:ident| $raw:expr;)*) => {$(
        /// An array of one element.
        pub fn $leaf($value: $arg, out: &mut Vec<u8>) {
            let mut writer = Writer::new(Type::$class);
            writer.push_raw($raw);
            writer.finish(&[Dimension::of(1)], out);
        }
    )*};
}
wraps! {
    of_boolean: bool, Boolean, |a| &[u8::from(a)];
    of_integer: i64, Integer, |a| &a.to_le_bytes();
    of_real: f64, Real, |a| &a.to_le_bytes();
    of_text: &str, Text, |a| a.as_bytes();
    of_blob: &[u8], Blob, |a| a;
    of_big_numeric: &[u8], BigNumeric, |a| a;
    of_date: i64, Date, |a| &a.to_le_bytes();
    of_timestamp: i64, Timestamp, |a| &a.to_le_bytes();
    of_json: &str, Json, |a| a.as_bytes();
    of_time: i64, Time, |a| &a.to_le_bytes();
    of_timestamptz: i64, TimestampTz, |a| &a.to_le_bytes();
    of_interval: i128, Interval, |a| &a.to_le_bytes();
    of_uuid: i128, Uuid, |a| &a.to_le_bytes();
}

/// An array of one decimal.
pub fn of_numeric(a: i128, scale: i64, out: &mut Vec<u8>) {
    let mut writer = Writer::new(Type::Numeric { precision: 38, scale: scale.clamp(0, 38) as u8 });
    writer.push_raw(&a.to_le_bytes());
    writer.finish(&[Dimension::of(1)], out);
}

/// An array as the only element of a dimension around it; of an empty one an empty one.
pub fn nest(a: &[u8], out: &mut Vec<u8>) -> Fault {
    let view = View::new(a);
    let mut dimensions = vec![Dimension::of(1)];
    dimensions.extend(view.dimensions());
    if dimensions.len() > array::DIMENSIONS_MAX {
        return Fault::TooLarge;
    }
    copy(view, &dimensions, 0..view.len(), out);
    Fault::Ok
}

fn copy(view: View<'_>, dimensions: &[Dimension], elements: impl Iterator<Item = usize>, out: &mut Vec<u8>) {
    let mut writer = Writer::new(view.element());
    let mut pace = Pace::default();
    elements.take_while(|_| pace.goes_on()).for_each(|element| writer.push_from(view, element));
    if !pause::has_stopped() {
        writer.finish(dimensions, out);
    }
}

/// The element's number that subscripts lead to.
fn place(view: View<'_>, subscripts: View<'_>) -> Option<usize> {
    let dimensions = view.dimensions();
    if view.is_empty() || subscripts.len() != dimensions.len() || subscripts.has_nulls() {
        return None;
    }
    let mut place = 0;
    for (dimension, at) in dimensions.enumerate().map(|(i, dimension)| (dimension, subscripts.i64(i))) {
        let offset = at.checked_sub(i64::from(dimension.lower))?;
        let offset = usize::try_from(offset).ok().filter(|offset| *offset < dimension.len as usize)?;
        place = place * dimension.len as usize + offset;
    }
    Some(place)
}

macro_rules! gets {
    ($($get:ident, $at:ident: $native:ty, |$raw:ident| $value:expr;)*) => {$(
        /// The element at subscripts, if there is one and it is not NULL.
        pub fn $get(a: &[u8], subscripts: &[u8]) -> Option<$native> {
            let view = View::new(a);
            let element = place(view, View::new(subscripts)).filter(|element| !view.is_null(*element))?;
            let $raw = view.raw(element);
            Some($value)
        }

        /// The element of a number from 0 on, if there is one and it is not NULL.
        pub fn $at(a: &[u8], number: i64) -> Option<$native> {
            let view = View::new(a);
            let element = usize::try_from(number).ok().filter(|element| *element < view.len() && !view.is_null(*element))?;
            let $raw = view.raw(element);
            Some($value)
        }
    )*};
}
gets! {
    get_bool, at_bool: bool, |raw| raw[0] != 0;
    get_i64, at_i64: i64, |raw| i64::from_le_bytes(raw.try_into().ok()?);
    get_f64, at_f64: f64, |raw| f64::from_le_bytes(raw.try_into().ok()?);
    get_i128, at_i128: i128, |raw| i128::from_le_bytes(raw.try_into().ok()?);
}

fn push_raw(view: View<'_>, element: Option<usize>, out: &mut Vec<u8>) -> bool {
    match element.filter(|element| *element < view.len() && !view.is_null(*element)) {
        Some(element) => {
            out.extend_from_slice(view.raw(element));
            true
        }
        None => false,
    }
}

fn push_text(view: View<'_>, element: Option<usize>, out: &mut String) -> bool {
    match element.filter(|element| *element < view.len() && !view.is_null(*element)) {
        Some(element) => {
            match std::str::from_utf8(view.raw(element)) {
                Ok(text) => out.push_str(text),
                Err(_) => return false,
            }
            true
        }
        None => false,
    }
}

/// The text at subscripts, if there is one and it is not NULL.
pub fn get_text(a: &[u8], subscripts: &[u8], out: &mut String) -> bool {
    let view = View::new(a);
    push_text(view, place(view, View::new(subscripts)), out)
}

/// The text of a number from 0 on, if there is one and it is not NULL.
pub fn at_text(a: &[u8], number: i64, out: &mut String) -> bool {
    push_text(View::new(a), usize::try_from(number).ok(), out)
}

/// The bytes at subscripts, if there are any and they are not NULL.
pub fn get_blob(a: &[u8], subscripts: &[u8], out: &mut Vec<u8>) -> bool {
    let view = View::new(a);
    push_raw(view, place(view, View::new(subscripts)), out)
}

/// The bytes of a number from 0 on, if there are any and they are not NULL.
pub fn at_blob(a: &[u8], number: i64, out: &mut Vec<u8>) -> bool {
    push_raw(View::new(a), usize::try_from(number).ok(), out)
}

/// The numbers of the elements of a box within dimensions, in order.
fn within(dimensions: &[Dimension], ranges: &[(usize, usize)]) -> Vec<usize> {
    let mut places = vec![0];
    for (dimension, (start, end)) in dimensions.iter().zip(ranges) {
        let len = dimension.len as usize;
        places = places.iter().flat_map(|place| (*start..*end).map(move |offset| place * len + offset)).collect();
    }
    places
}

/// `a[l1:u1][l2:u2]`: the part between bounds, counted from 1; `i64::MIN` and `i64::MAX` leave a bound out. NULL where a bound
/// is NULL, empty where nothing is between them.
pub fn slice(a: &[u8], lowers: &[u8], uppers: &[u8], out: &mut Vec<u8>) -> bool {
    let (view, lowers, uppers) = (View::new(a), View::new(lowers), View::new(uppers));
    if lowers.has_nulls() || uppers.has_nulls() || lowers.len() != uppers.len() {
        return false;
    }
    let dimensions: Vec<Dimension> = view.dimensions().collect();
    let mut ranges = Vec::with_capacity(dimensions.len());
    for (i, dimension) in dimensions.iter().enumerate() {
        let lower = i64::from(dimension.lower);
        let (from, to) = if i < lowers.len() {
            (lowers.i64(i).max(lower), uppers.i64(i).min(dimension.upper()))
        } else {
            (lower, dimension.upper())
        };
        if from > to {
            ranges.clear();
            break;
        }
        ranges.push(((from - lower) as usize, (to - lower) as usize + 1));
    }
    if ranges.is_empty() || lowers.len() > dimensions.len() {
        copy(view, &[], std::iter::empty(), out);
        return true;
    }
    let kept: Vec<Dimension> = ranges.iter().map(|(start, end)| Dimension::of(end - start)).collect();
    copy(view, &kept, within(&dimensions, &ranges).into_iter(), out);
    true
}

/// Two arrays one after the other, or one within the other's outermost dimension.
pub fn cat(a: &[u8], b: &[u8], out: &mut Vec<u8>) -> Fault {
    let (one, two) = (View::new(a), View::new(b));
    if one.is_empty() || two.is_empty() {
        out.extend_from_slice(if one.is_empty() { b } else { a });
        return Fault::Ok;
    }
    let (mut left, mut right): (Vec<Dimension>, Vec<Dimension>) =
        (one.dimensions().collect(), two.dimensions().collect());
    let outer = if right.len() > left.len() { right[0] } else { left[0] };
    if left.len() + 1 == right.len() {
        left.insert(0, Dimension::of(1));
    } else if right.len() + 1 == left.len() {
        right.insert(0, Dimension::of(1));
    }
    let inner = |dimension: &Dimension| (dimension.len, dimension.lower);
    if left.len() != right.len() || !left[1..].iter().map(inner).eq(right[1..].iter().map(inner)) {
        return Fault::ArrayShape;
    }
    if one.len() + two.len() > ELEMENTS_MAX {
        return Fault::TooLarge;
    }
    let mut dimensions = if two.dimensions().len() > one.dimensions().len() { right.clone() } else { left.clone() };
    dimensions[0] = Dimension { len: left[0].len + right[0].len, lower: outer.lower };
    let mut writer = Writer::new(one.element());
    (0..one.len()).for_each(|element| writer.push_from(one, element));
    (0..two.len()).for_each(|element| writer.push_from(two, element));
    writer.finish(&dimensions, out);
    Fault::Ok
}

/// An element (in an array of one) behind an array.
pub fn append(a: &[u8], element: &[u8], out: &mut Vec<u8>) -> Fault {
    if View::new(a).dimensions().len() > 1 {
        return Fault::ArrayShape;
    }
    cat(a, element, out)
}

/// An element (in an array of one) before an array, whose first subscript stays.
pub fn prepend(element: &[u8], a: &[u8], out: &mut Vec<u8>) -> Fault {
    let (first, view) = (View::new(element), View::new(a));
    let lower = match view.dimensions().next() {
        Some(_) if view.dimensions().len() > 1 => return Fault::ArrayShape,
        Some(dimension) => dimension.lower,
        None => 1,
    };
    let mut writer = Writer::new(first.element());
    writer.push_from(first, 0);
    (0..view.len()).for_each(|element| writer.push_from(view, element));
    let len = Dimension::of(writer.len()).len;
    writer.finish(&[Dimension { len, lower }], out);
    Fault::Ok
}

/// The row of a number from 0 on, without the outermost dimension; of one dimension there are no rows.
pub fn row(a: &[u8], number: i64, out: &mut Vec<u8>) -> bool {
    let view = View::new(a);
    let dimensions: Vec<Dimension> = view.dimensions().collect();
    let [outer, inner @ ..] = dimensions.as_slice() else { return false };
    let Some(number) = usize::try_from(number).ok().filter(|number| *number < outer.len as usize) else { return false };
    let len = view.len() / outer.len as usize;
    copy(view, inner, number * len..(number + 1) * len, out);
    !inner.is_empty()
}

fn dimension(a: &[u8], number: i64) -> Option<Dimension> {
    let number = usize::try_from(number).ok()?.checked_sub(1)?;
    View::new(a).dimensions().nth(number)
}

/// How many elements a dimension has.
pub fn length(a: &[u8], number: i64) -> Option<i64> {
    dimension(a, number).map(|dimension| i64::from(dimension.len))
}

/// The first subscript of a dimension.
pub fn lower(a: &[u8], number: i64) -> Option<i64> {
    dimension(a, number).map(|dimension| i64::from(dimension.lower))
}

/// The last subscript of a dimension.
pub fn upper(a: &[u8], number: i64) -> Option<i64> {
    dimension(a, number).map(Dimension::upper)
}

/// How many dimensions there are.
pub fn ndims(a: &[u8]) -> Option<i64> {
    Some(View::new(a).dimensions().len() as i64).filter(|count| *count > 0)
}

/// How many elements there are in all.
pub fn cardinality(a: &[u8]) -> i64 {
    View::new(a).len() as i64
}

/// The bounds of all dimensions: `[1:2][0:3]`.
pub fn dims(a: &[u8], out: &mut String) -> bool {
    let view = View::new(a);
    for dimension in view.dimensions() {
        out.push_str(&format!("[{}:{}]", dimension.lower, dimension.upper()));
    }
    !view.is_empty()
}

/// Without so many elements at the end.
pub fn trim(a: &[u8], count: i64, out: &mut Vec<u8>) -> Fault {
    let view = View::new(a);
    let mut dimensions: Vec<Dimension> = view.dimensions().collect();
    let first = dimensions.first().map_or(0, |dimension| i64::from(dimension.len));
    if !(0..=first).contains(&count) {
        return Fault::ArrayShape;
    }
    if first == count {
        copy(view, &[], std::iter::empty(), out);
        return Fault::Ok;
    }
    let row_len = view.len() / first as usize;
    dimensions.iter_mut().for_each(|dimension| dimension.lower = 1);
    dimensions[0].len -= count as u32;
    copy(view, &dimensions, 0..view.len() - row_len * count as usize, out);
    Fault::Ok
}

/// An array of a length in each dimension, filled with an element (in an array of one), counted from lower bounds.
pub fn fill(element: &[u8], lens: &[u8], lowers: &[u8], out: &mut Vec<u8>) -> Fault {
    let (element, lens, lowers) = (View::new(element), View::new(lens), View::new(lowers));
    if lens.has_nulls() || lowers.has_nulls() || lens.len() > array::DIMENSIONS_MAX {
        return Fault::InvalidArgument;
    }
    if lens.dimensions().len() > 1 || lowers.dimensions().len() > 1 {
        return Fault::ArrayShape;
    }
    if !lowers.is_empty() && lowers.len() != lens.len() {
        return Fault::ArrayShape;
    }
    let mut dimensions = Vec::with_capacity(lens.len());
    let mut count: i64 = i64::from(!lens.is_empty());
    for i in 0..lens.len() {
        let (Ok(len), lower) = (u32::try_from(lens.i64(i)), if lowers.is_empty() { 1 } else { lowers.i64(i) }) else {
            return Fault::TooLarge;
        };
        count = count.saturating_mul(i64::from(len));
        match i32::try_from(lower) {
            Ok(lower) if count <= ELEMENTS_MAX as i64 && lower.checked_add_unsigned(len).is_some() => {
                dimensions.push(Dimension { len, lower });
            }
            _ => return Fault::TooLarge,
        }
    }
    // An element takes eight bytes at least, or as many as it says.
    if !pause::stops(count as usize * 8) {
        copy(element, &dimensions, std::iter::repeat_n(0, count as usize), out);
    }
    Fault::Ok
}

macro_rules! orders {
    ($($leaf:ident: $test:ident, $doc:literal;)*) => {$(
        #[doc = $doc]
        pub fn $leaf(a: &[u8], b: &[u8]) -> bool {
            array::compare(a, b).$test()
        }
    )*};
}
orders! {
    eq_array: is_eq, "Are both the same, element by element?";
    ne_array: is_ne, "Do both differ?";
    lt_array: is_lt, "Does the first come before?";
    le_array: is_le, "Does the first not come after?";
    gt_array: is_gt, "Does the first come after?";
    ge_array: is_ge, "Does the first not come before?";
}

/// Are two arrays different, where NULL is like NULL?
pub fn distinct_array(a: Option<&[u8]>, b: Option<&[u8]>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => ne_array(a, b),
        (a, b) => a.is_some() != b.is_some(),
    }
}

functions! { "func::array";
    "$array_of" (Boolean) -> Array, Total, of_boolean, "An array of one element.";
    "$array_of" (Integer) -> Array, Total, of_integer, "An array of one element.";
    "$array_of" (Real) -> Array, Total, of_real, "An array of one element.";
    "$array_of" (Numeric, Integer) -> Array, Total, of_numeric, "An array of one element: x, its scale.";
    "$array_of" (Text) -> Array, Total, of_text, "An array of one element.";
    "$array_of" (Blob) -> Array, Total, of_blob, "An array of one element.";
    "$array_of" (BigNumeric) -> Array, Total, of_big_numeric, "An array of one element.";
    "$array_of" (Date) -> Array, Total, of_date, "An array of one element.";
    "$array_of" (Timestamp) -> Array, Total, of_timestamp, "An array of one element.";
    "$array_of" (Json) -> Array, Total, of_json, "An array of one element.";
    "$array_of" (Time) -> Array, Total, of_time, "An array of one element.";
    "$array_of" (TimestampTz) -> Array, Total, of_timestamptz, "An array of one element.";
    "$array_of" (Interval) -> Array, Total, of_interval, "An array of one element.";
    "$array_of" (Uuid) -> Array, Total, of_uuid, "An array of one element.";
    "$array_of" (Array) -> Array, Fallible, nest, "An array in one dimension more.";
    "$array_get" (Array, Array) -> Boolean, Partial, get_bool, "The element at subscripts.";
    "$array_get" (Array, Array) -> Integer, Partial, get_i64, "The element at subscripts.";
    "$array_get" (Array, Array) -> Real, Partial, get_f64, "The element at subscripts.";
    "$array_get" (Array, Array) -> Numeric, Partial, get_i128, "The element at subscripts.";
    "$array_get" (Array, Array) -> Text, Partial, get_text, "The element at subscripts.";
    "$array_get" (Array, Array) -> Blob, Partial, get_blob, "The element at subscripts.";
    "$array_get" (Array, Array) -> BigNumeric, Partial, get_blob, "The element at subscripts.";
    "$array_get" (Array, Array) -> Date, Partial, get_i64, "The element at subscripts.";
    "$array_get" (Array, Array) -> Timestamp, Partial, get_i64, "The element at subscripts.";
    "$array_get" (Array, Array) -> Json, Partial, get_text, "The element at subscripts.";
    "$array_get" (Array, Array) -> Time, Partial, get_i64, "The element at subscripts.";
    "$array_get" (Array, Array) -> TimestampTz, Partial, get_i64, "The element at subscripts.";
    "$array_get" (Array, Array) -> Interval, Partial, get_i128, "The element at subscripts.";
    "$array_get" (Array, Array) -> Uuid, Partial, get_i128, "The element at subscripts.";
    "$array_at" (Array, Integer) -> Boolean, Partial, at_bool, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> Integer, Partial, at_i64, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> Real, Partial, at_f64, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> Numeric, Partial, at_i128, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> Text, Partial, at_text, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> Blob, Partial, at_blob, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> BigNumeric, Partial, at_blob, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> Date, Partial, at_i64, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> Timestamp, Partial, at_i64, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> Json, Partial, at_text, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> Time, Partial, at_i64, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> TimestampTz, Partial, at_i64, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> Interval, Partial, at_i128, "The element of a number from 0 on.";
    "$array_at" (Array, Integer) -> Uuid, Partial, at_i128, "The element of a number from 0 on.";
    "$array_slice" (Array, Array, Array) -> Array, Partial, slice, "The part between bounds: x, the lower ones, the upper ones.";
    "$array_row" (Array, Integer) -> Array, Partial, row, "The row of a number from 0 on.";
    "array_cat" (Array, Array) -> Array, Fallible, cat, "Two arrays one after the other.";
    "array_append" (Array, Array) -> Array, Fallible, append, "An element behind an array.";
    "array_prepend" (Array, Array) -> Array, Fallible, prepend, "An element before an array.";
    "array_length" (Array, Integer) -> Integer, Partial, length, "How many elements a dimension has.";
    "array_lower" (Array, Integer) -> Integer, Partial, lower, "The first subscript of a dimension.";
    "array_upper" (Array, Integer) -> Integer, Partial, upper, "The last subscript of a dimension.";
    "array_ndims" (Array) -> Integer, Partial, ndims, "How many dimensions there are.";
    "array_dims" (Array) -> Text, Partial, dims, "The bounds of all dimensions.";
    "cardinality" (Array) -> Integer, Total, cardinality, "How many elements there are in all dimensions.";
    "trim_array" (Array, Integer) -> Array, Fallible, trim, "Without so many elements at the end.";
    "array_fill" (Array, Array, Array) -> Array, Fallible, fill, "An array filled with one element: of these lengths, counted from these subscripts.";
    "=" (Array, Array) -> Boolean, Total, eq_array, "Are both the same, element by element?";
    "<>" (Array, Array) -> Boolean, Total, ne_array, "Do both differ?";
    "<" (Array, Array) -> Boolean, Total, lt_array, "Does the first come before, element by element?";
    "<=" (Array, Array) -> Boolean, Total, le_array, "Does the first not come after, element by element?";
    ">" (Array, Array) -> Boolean, Total, gt_array, "Does the first come after, element by element?";
    ">=" (Array, Array) -> Boolean, Total, ge_array, "Does the first not come before, element by element?";
    "$is_distinct" (Array, Array) -> Boolean, NullAware, distinct_array, "IS DISTINCT FROM.";
}
