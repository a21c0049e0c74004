//! Which bytes are the keys that a scan asks for?
//!
//! Values become keys of the codec in `spectradb_kernel::key`. In it no key is a prefix of another, and the keys that begin
//! with some values are exactly those whose bytes begin with theirs; so "greater than all of them" is the next byte
//! string that does not begin so.
//!
//! Holds: a NULL in a key or a bound names no row, as no comparison with it is true.

use spectradb_kernel::{Type, Value, key};
use spectradb_store::scan::KeyRange;
use std::ops::Bound;

/// No key at all.
pub fn no_keys() -> KeyRange {
    KeyRange::Exact(Vec::new())
}

/// So many keys are looked up at most; more of them are one scan, which the plan filters.
const KEYS_MAX: usize = 65_536;

/// Whole keys, each of values of the key's types in key order (a NUMERIC in its column's scale). An array stands for each of
/// its elements.
pub fn exact_keys(tuples: &[Vec<Value>], types: &[Type]) -> KeyRange {
    let mut keys: Vec<Vec<u8>> = Vec::with_capacity(tuples.len());
    for tuple in tuples {
        if !push_keys(tuple, types, &mut keys) {
            return KeyRange::All;
        }
    }
    keys.sort_unstable();
    keys.dedup();
    KeyRange::Exact(keys)
}

/// Appends the keys of a tuple, unless they are too many.
fn push_keys(tuple: &[Value], types: &[Type], keys: &mut Vec<Vec<u8>>) -> bool {
    if tuple.iter().any(Value::is_null) {
        return true;
    }
    let mut begun = vec![Vec::new()];
    for (value, ty) in tuple.iter().zip(types) {
        let elements: Vec<Value> = match value {
            Value::Array(array) if !matches!(ty, Type::Array(_)) => {
                array.view().values().filter(|element| !element.is_null()).collect()
            }
            value => vec![value.clone()],
        };
        if keys.len() + begun.len() * elements.len() > KEYS_MAX {
            return false;
        }
        let more = |bytes: &Vec<u8>, element: &Value| {
            let mut bytes = bytes.clone();
            key::encode_values(std::slice::from_ref(element), std::slice::from_ref(ty), &mut bytes);
            bytes
        };
        begun = begun.iter().flat_map(|bytes| elements.iter().map(move |element| more(bytes, element))).collect();
    }
    keys.append(&mut begun);
    true
}

/// Keys that begin with `prefix` and whose next column lies between the bounds (a value, and whether it is included).
pub fn key_range(
    prefix: &[Value],
    low: Option<(&Value, bool)>,
    high: Option<(&Value, bool)>,
    types: &[Type],
) -> KeyRange {
    let bounds = low.iter().chain(&high).map(|(value, _)| *value);
    if prefix.iter().chain(bounds).any(Value::is_null) {
        return no_keys();
    }
    let mut begin = Vec::new();
    key::encode_values(prefix, &types[..prefix.len()], &mut begin);
    let with = |value: &Value| {
        let mut bytes = begin.clone();
        key::encode_values(std::slice::from_ref(value), &types[prefix.len()..=prefix.len()], &mut bytes);
        bytes
    };
    let low = match low {
        None if begin.is_empty() => Bound::Unbounded,
        None => Bound::Included(begin.clone()),
        Some((value, true)) => Bound::Included(with(value)),
        Some((value, false)) => match after_all(with(value)) {
            Some(next) => Bound::Included(next),
            None => return no_keys(),
        },
    };
    let high = match high {
        None => after_all(begin).map_or(Bound::Unbounded, Bound::Excluded),
        Some((value, true)) => after_all(with(value)).map_or(Bound::Unbounded, Bound::Excluded),
        Some((value, false)) => Bound::Excluded(with(value)),
    };
    if let (Bound::Included(low), Bound::Excluded(high)) = (&low, &high)
        && low >= high
    {
        return no_keys();
    }
    KeyRange::Between { low, high }
}

/// The smallest byte string that is greater than every one that begins with these bytes.
fn after_all(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    while let Some(last) = bytes.pop() {
        if last < u8::MAX {
            bytes.push(last + 1);
            return Some(bytes);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPES: [Type; 2] = [Type::Text, Type::Integer];

    fn key_of(text: &str, number: i64) -> Vec<u8> {
        let KeyRange::Exact(keys) = exact_keys(&[vec![text.into(), number.into()]], &TYPES) else { panic!("exact") };
        keys[0].clone()
    }

    fn holds(range: &KeyRange, key: &Vec<u8>) -> bool {
        match range {
            KeyRange::All => true,
            KeyRange::Exact(keys) => keys.contains(key),
            KeyRange::Between { low, high } => {
                std::ops::RangeBounds::<Vec<u8>>::contains(&(low.as_ref(), high.as_ref()), key)
            }
        }
    }

    proptest! {
        #[test]
        fn ranges_hold_the_keys_that_satisfy_them(
            (text, number) in ("[ab\u{0}\u{ff}]{0,3}", -3..3i64),
            (low_text, high_text) in ("[ab\u{0}\u{ff}]{0,3}", "[ab\u{0}\u{ff}]{0,3}"),
            (low_number, high_number) in (-3..3i64, -3..3i64),
            (low_in, high_in) in (any::<bool>(), any::<bool>()),
        ) {
            let key = key_of(&text, number);
            let above = |ordering: std::cmp::Ordering, included| ordering.is_gt() || included && ordering.is_eq();
            let (low, high) = (Value::from(low_text.as_str()), Value::from(high_text.as_str()));
            let by_text = key_range(&[], Some((&low, low_in)), Some((&high, high_in)), &TYPES);
            prop_assert_eq!(
                holds(&by_text, &key),
                above(text.cmp(&low_text), low_in) && above(high_text.cmp(&text), high_in)
            );
            let (low, high) = (Value::from(low_number), Value::from(high_number));
            let by_number = key_range(&[low_text.as_str().into()], Some((&low, low_in)), Some((&high, high_in)), &TYPES);
            prop_assert_eq!(
                holds(&by_number, &key),
                text == low_text && above(number.cmp(&low_number), low_in) && above(high_number.cmp(&number), high_in)
            );
            let from = key_range(&[low_text.as_str().into()], Some((&low, low_in)), None, &TYPES);
            prop_assert_eq!(holds(&from, &key), text == low_text && above(number.cmp(&low_number), low_in));
            let open = key_range(&[low_text.as_str().into()], None, None, &TYPES);
            prop_assert_eq!(holds(&open, &key), text == low_text);
        }
    }

    #[test]
    fn null_names_no_key() {
        assert_eq!(exact_keys(&[vec!["a".into(), Value::Null]], &TYPES), no_keys());
        assert_eq!(key_range(&[Value::Null], None, None, &TYPES), no_keys());
        assert_eq!(key_range(&[], Some((&Value::Null, true)), None, &TYPES), no_keys());
    }
}
