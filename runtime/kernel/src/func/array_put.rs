//! What does an array become when some of its elements are assigned: `SET a[1] = x`, `SET a[2:3] = b`?
//!
//! As in PostgreSQL: an array of one dimension grows to hold what is put beside it, with NULLs between; one of more keeps its
//! bounds; an empty one takes the bounds that are written. An element comes as an array of one; what is put into a slice is
//! read in order, whatever its shape.
//!
//! Not here: reading by subscripts (`array`), which column is assigned (the binder).

use super::{Fault, lift::functions};
use crate::array::{DIMENSIONS_MAX, Dimension, ELEMENTS_MAX, View, Writer};

/// From one subscript to another, both included.
type Range = (i64, i64);

/// Bounds that are wide enough for subscripts, and few enough elements.
fn dimension(lower: i64, upper: i64) -> Result<Dimension, Fault> {
    let len = upper.checked_sub(lower).and_then(|len| len.checked_add(1)).ok_or(Fault::TooLarge)?;
    let fits = len <= ELEMENTS_MAX as i64 && i32::try_from(upper).is_ok_and(|upper| upper < i32::MAX);
    match (u32::try_from(len), i32::try_from(lower)) {
        (Ok(len), Ok(lower)) if fits => Ok(Dimension { len, lower }),
        (_, _) => Err(Fault::TooLarge),
    }
}

/// Puts the elements of `source` between bounds, in order.
fn put(view: View<'_>, ranges: &[Range], source: View<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    let count = ranges.iter().try_fold(1i64, |count, (lower, upper)| {
        let len = upper.checked_sub(*lower)?.checked_add(1)?;
        count.checked_mul(len).filter(|count| *count <= ELEMENTS_MAX as i64)
    });
    let count = count.ok_or(Fault::TooLarge)?;
    if count > source.len() as i64 {
        return Err(Fault::ArraySource);
    }
    let mut writer = Writer::new(if view.is_empty() { source.element() } else { view.element() });
    let old: Vec<Dimension> = view.dimensions().collect();
    match (old.as_slice(), ranges) {
        ([], _) => {
            let dimensions: Vec<Dimension> =
                ranges.iter().map(|(lower, upper)| dimension(*lower, *upper)).collect::<Result<_, _>>()?;
            (0..count as usize).for_each(|element| writer.push_from(source, element));
            writer.finish(&dimensions, out);
        }
        ([only], [(lower, upper)]) => {
            let first = i64::from(only.lower);
            let grown = dimension(first.min(*lower), only.upper().max(*upper))?;
            for at in i64::from(grown.lower)..=grown.upper() {
                if (*lower..=*upper).contains(&at) {
                    writer.push_from(source, (at - lower) as usize);
                } else if (first..=only.upper()).contains(&at) {
                    writer.push_from(view, (at - first) as usize);
                } else {
                    writer.push_null();
                }
            }
            writer.finish(&[grown], out);
        }
        (old, ranges) => {
            let inside = |(dimension, (lower, upper)): (&Dimension, &Range)| {
                i64::from(dimension.lower) <= *lower && *upper <= dimension.upper()
            };
            if !old.iter().zip(ranges).all(inside) {
                return Err(Fault::ArrayRange);
            }
            let mut taken = 0;
            let mut at: Vec<i64> = old.iter().map(|dimension| i64::from(dimension.lower)).collect();
            for element in 0..view.len() {
                if at.iter().zip(ranges).all(|(at, (lower, upper))| (lower..=upper).contains(&at)) {
                    writer.push_from(source, taken);
                    taken += 1;
                } else {
                    writer.push_from(view, element);
                }
                for (at, dimension) in at.iter_mut().zip(old).rev() {
                    *at += 1;
                    if *at <= dimension.upper() {
                        break;
                    }
                    *at = i64::from(dimension.lower);
                }
            }
            writer.finish(old, out);
        }
    }
    Ok(())
}

fn fault_of(result: Result<(), Fault>) -> Fault {
    result.err().unwrap_or(Fault::Ok)
}

/// With an element (in an array of one) at subscripts.
pub fn put_element(a: &[u8], subscripts: &[u8], element: &[u8], out: &mut Vec<u8>) -> Fault {
    let (view, subscripts) = (View::new(a), View::new(subscripts));
    if subscripts.has_nulls() {
        return Fault::InvalidArgument;
    }
    let depth = view.dimensions().len();
    if subscripts.len() > DIMENSIONS_MAX || (depth > 0 && depth != subscripts.len()) {
        return Fault::ArrayShape;
    }
    let ranges: Vec<Range> = (0..subscripts.len()).map(|i| (subscripts.i64(i), subscripts.i64(i))).collect();
    fault_of(put(view, &ranges, View::new(element), out))
}

/// With the elements of another array between bounds; `i64::MIN` and `i64::MAX` leave a bound out.
pub fn put_slice(a: &[u8], lowers: &[u8], uppers: &[u8], source: &[u8], out: &mut Vec<u8>) -> Fault {
    let (view, lowers, uppers) = (View::new(a), View::new(lowers), View::new(uppers));
    if lowers.has_nulls() || uppers.has_nulls() {
        return Fault::InvalidArgument;
    }
    let given = lowers.len().min(uppers.len());
    let depth = view.dimensions().len();
    if given > DIMENSIONS_MAX || (depth > 0 && depth < given) {
        return Fault::ArrayShape;
    }
    let mut ranges: Vec<Range> = (0..given).map(|i| (lowers.i64(i), uppers.i64(i))).collect();
    if depth == 0 && ranges.iter().any(|(lower, upper)| *lower == i64::MIN || *upper == i64::MAX) {
        return Fault::ArrayBounds;
    }
    for (i, dimension) in view.dimensions().enumerate() {
        let whole = (i64::from(dimension.lower), dimension.upper());
        match ranges.get_mut(i) {
            None => ranges.push(whole),
            Some((lower, upper)) => {
                *lower = if *lower == i64::MIN { whole.0 } else { *lower };
                *upper = if *upper == i64::MAX { whole.1 } else { *upper };
            }
        }
    }
    if ranges.iter().any(|(lower, upper)| lower > upper) {
        return Fault::ArrayBounds;
    }
    fault_of(put(view, &ranges, View::new(source), out))
}

functions! { "func::array_put";
    "$array_put" (Array, Array, Array) -> Array, Fallible, put_element, "An array with an element at subscripts: x, the subscripts, the element in an array of one.";
    "$array_put" (Array, Array, Array, Array) -> Array, Fallible, put_slice, "An array with elements between bounds: x, the lower ones, the upper ones, the elements.";
}
