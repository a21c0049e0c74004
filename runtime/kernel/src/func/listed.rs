//! Is a value one of many that are known?
//!
//! `x IN (1, 2, ..)` compares x with one after another; a long list is an array instead, in rising order and without NULLs
//! (the rewrites see to it), in which x is searched for by halves. Equal is what [`super::compare`] calls equal.
//! Not here: `= ANY (array)` over arrays of any order, with NULLs, that may be told by a row (`array_set`).

use super::{
    RowFault,
    lift::{self, Call, class, functions},
};
use crate::{array::View, column::Column, ty::LaneKind, value::Value};
use std::cmp::Ordering;

/// The search by halves: of so many values, which `of` gives by their places.
#[inline]
fn has<T: Ord>(x: &T, len: usize, of: impl Fn(usize) -> T) -> bool {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        match of(middle).cmp(x) {
            Ordering::Less => low = middle + 1,
            Ordering::Equal => return true,
            Ordering::Greater => high = middle,
        }
    }
    false
}

/// How many values of a lane an array has: none of another lane.
fn len_of(list: View<'_>, lane: LaneKind) -> usize {
    if list.element().lane() == lane { list.len() } else { 0 }
}

macro_rules! leaves {
    ($($what:literal $name:ident $ty:ty, $lane:ident, $of:ident;)*) => {$(
        #[doc = concat!("Is the ", $what, " one of a rising array?")]
        pub fn $name(x: $ty, list: &[u8]) -> bool {
            let list = View::new(list);
            has(&x, len_of(list, LaneKind::$lane), |at| list.$of(at))
        }
    )*};
}

leaves! {
    "number" has_i64 i64, I64, i64;
    "wide number" has_i128 i128, I128, i128;
    "text" has_text &str, Bytes, text;
}

/// A list that is the same for all rows is read once for all of them.
macro_rules! batches {
    ($($name:ident: $leaf:ident, $class:ident, $lane:ident, $of:ident;)*) => {$(
        fn $name(columns: &[Column], len: usize) -> Result<Column, RowFault> {
            let function = "$listed";
            let Some(Value::Array(list)) = columns.get(1).and_then(Column::as_const) else {
                let call = Call { function, columns, len };
                return lift::total::<(class::$class, class::Array), class::Boolean>(call, |(x, list)| $leaf(x, list));
            };
            let view = list.view();
            let list: Vec<_> = (0..len_of(view, LaneKind::$lane)).map(|at| view.$of(at)).collect();
            let call = Call { function, columns: &columns[..1], len };
            lift::total::<(class::$class,), class::Boolean>(call, |(x,)| has(&x, list.len(), |at| list[at]))
        }
    )*};
}

batches! {
    integers: has_i64, Integer, I64, i64;
    dates: has_i64, Date, I64, i64;
    times: has_i64, Time, I64, i64;
    timestamps: has_i64, Timestamp, I64, i64;
    instants: has_i64, TimestampTz, I64, i64;
    numerics: has_i128, Numeric, I128, i128;
    uuids: has_i128, Uuid, I128, i128;
    texts: has_text, Text, Bytes, text;
}

functions! { "func::listed";
    "$listed" (Integer, Array) -> Boolean, Total, has_i64 by integers, "Is it one of a rising array?";
    "$listed" (Date, Array) -> Boolean, Total, has_i64 by dates, "Is it one of a rising array?";
    "$listed" (Time, Array) -> Boolean, Total, has_i64 by times, "Is it one of a rising array?";
    "$listed" (Timestamp, Array) -> Boolean, Total, has_i64 by timestamps, "Is it one of a rising array?";
    "$listed" (TimestampTz, Array) -> Boolean, Total, has_i64 by instants, "Is it one of a rising array?";
    "$listed" (Numeric, Array) -> Boolean, Total, has_i128 by numerics, "Is it one of a rising array?";
    "$listed" (Uuid, Array) -> Boolean, Total, has_i128 by uuids, "Is it one of a rising array?";
    "$listed" (Text, Array) -> Boolean, Total, has_text by texts, "Is it one of a rising array?";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Type, array::Array, ty::ElementType};

    #[test]
    fn what_is_listed_is_found_and_nothing_else() {
        for len in 0..20_i64 {
            let values: Vec<Value> = (0..len).map(|at| Value::Integer(at * 3 - 9)).collect();
            let list = Array::of(ElementType::of(Type::Integer).expect("it is plain"), &values);
            let texts: Vec<Value> = (0..len).map(|at| Value::from(format!("{:03}", at * 3))).collect();
            let texts = Array::of(ElementType::of(Type::Text).expect("it is plain"), &texts);
            for x in -12..60_i64 {
                let listed = x >= -9 && x < len * 3 - 9 && x % 3 == 0;
                assert_eq!(has_i64(x, list.bytes()), listed, "{x} of {len}");
                let text = format!("{x:03}");
                assert_eq!(has_text(&text, texts.bytes()), x >= 0 && x < len * 3 && x % 3 == 0, "{text} of {len}");
            }
        }
    }
}
