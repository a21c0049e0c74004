//! Which rows of a run lie in a range of keys?
//!
//! For a key of one integer the bounds become numbers and the key's lane is compared with them as it lies; other keys
//! are encoded row by row.

use super::KeyRange;
use crate::{
    keys::encode_row,
    run::{Run, mask_above, mask_at_most},
};
use spectradb_kernel::{
    Type,
    key::{self, i64_from_bytes},
    schema::TableSchema,
    ty::LaneKind,
};
use std::ops::Bound;

/// A range of keys, ready to be compared with.
#[derive(Clone, Debug)]
pub(crate) enum KeyBounds {
    /// Every key.
    All,
    /// No key.
    Nothing,
    /// Keys of one integer, both ends included.
    Integers { low: i64, high: i64, bytes: Range },
    /// Other keys.
    Bytes(Range),
}

/// A range of encoded keys.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    pub(crate) low: Bound<Vec<u8>>,
    pub(crate) high: Bound<Vec<u8>>,
}

impl Range {
    fn holds(&self, key: &[u8]) -> bool {
        let above = match &self.low {
            Bound::Included(low) => key >= low.as_slice(),
            Bound::Excluded(low) => key > low.as_slice(),
            Bound::Unbounded => true,
        };
        above
            && match &self.high {
                Bound::Included(high) => key <= high.as_slice(),
                Bound::Excluded(high) => key < high.as_slice(),
                Bound::Unbounded => true,
            }
    }

    /// Can a key between these two lie in it?
    fn meets(&self, min: &[u8], max: &[u8]) -> bool {
        let low = match &self.low {
            Bound::Included(low) => max >= low.as_slice(),
            Bound::Excluded(low) => max > low.as_slice(),
            Bound::Unbounded => true,
        };
        low && match &self.high {
            Bound::Included(high) => min <= high.as_slice(),
            Bound::Excluded(high) => min < high.as_slice(),
            Bound::Unbounded => true,
        }
    }
}

/// What all keys of a range begin with: the data of as many of the key's first columns as the range fixes, but not of all.
pub(crate) fn common_prefix(keys: &KeyRange, schema: &TableSchema) -> Option<Vec<u8>> {
    let KeyRange::Between { low: Bound::Included(low) | Bound::Excluded(low), high } = keys else { return None };
    let types: Vec<Type> = schema.key_types().collect();
    let within = |len: &usize| {
        // The first key that does not begin so: none of the range lies behind it.
        let after = after_all(&low[..*len]);
        match (high, &after) {
            (Bound::Unbounded, _) => false,
            (Bound::Included(_) | Bound::Excluded(_), None) => true,
            (Bound::Included(high), Some(after)) => high < after,
            (Bound::Excluded(high), Some(after)) => high <= after,
        }
    };
    let mut lens = (1..types.len()).rev().filter_map(|columns| key::prefix_len(low, &types[..columns]));
    lens.find(within).map(|len| low[..len].to_vec())
}

/// The smallest byte string that is greater than every one that begins with these bytes.
fn after_all(bytes: &[u8]) -> Option<Vec<u8>> {
    let last = bytes.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut after = bytes[..=last].to_vec();
    after[last] += 1;
    Some(after)
}

impl KeyBounds {
    /// The bounds of a range over keys of a table. Named keys have none: they are looked up.
    pub(crate) fn new(keys: &KeyRange, schema: &TableSchema) -> KeyBounds {
        let KeyRange::Between { low, high } = keys else { return KeyBounds::All };
        let bytes = Range { low: low.clone(), high: high.clone() };
        let one_integer = schema.key_types().len() == 1 && schema.key_types().all(|ty| ty.lane() == LaneKind::I64);
        if !one_integer {
            return KeyBounds::Bytes(bytes);
        }
        let number = |key: &Vec<u8>| key.as_slice().try_into().ok().map(i64_from_bytes);
        let low = match low {
            Bound::Unbounded => Some(Some(i64::MIN)),
            Bound::Included(low) => number(low).map(Some),
            Bound::Excluded(low) => number(low).map(|low| low.checked_add(1)),
        };
        let high = match high {
            Bound::Unbounded => Some(Some(i64::MAX)),
            Bound::Included(high) => number(high).map(Some),
            Bound::Excluded(high) => number(high).map(|high| high.checked_sub(1)),
        };
        match (low, high) {
            (Some(Some(low)), Some(Some(high))) if low <= high => KeyBounds::Integers { low, high, bytes },
            (Some(_), Some(_)) => KeyBounds::Nothing,
            _ => KeyBounds::Bytes(bytes),
        }
    }

    /// Can keys between these two lie in it?
    pub(crate) fn meets(&self, min: &[u8], max: &[u8]) -> bool {
        match self {
            KeyBounds::All => true,
            KeyBounds::Nothing => false,
            KeyBounds::Integers { bytes, .. } | KeyBounds::Bytes(bytes) => bytes.meets(min, max),
        }
    }

    /// Do all keys between these two lie in it?
    pub(crate) fn covers(&self, min: &[u8], max: &[u8]) -> bool {
        match self {
            KeyBounds::All => true,
            KeyBounds::Nothing => false,
            KeyBounds::Integers { bytes, .. } | KeyBounds::Bytes(bytes) => bytes.holds(min) && bytes.holds(max),
        }
    }

    /// The rows of a run whose keys lie in it; `None` when that is not a question.
    pub(crate) fn mask(&self, run: &Run, key: &[usize]) -> Option<Vec<u8>> {
        match self {
            KeyBounds::All => None,
            KeyBounds::Nothing => Some(vec![0; run.len]),
            KeyBounds::Integers { low, high, .. } => {
                let mut mask = vec![1; run.len];
                let column = &run.columns[key[0]];
                if *high < i64::MAX {
                    mask_at_most(&mut mask, column, *high);
                }
                if let Some(below) = low.checked_sub(1) {
                    mask_above(&mut mask, column, below);
                }
                Some(mask)
            }
            KeyBounds::Bytes(range) => {
                let mut encoded = Vec::new();
                let holds = |row: usize| {
                    encoded.clear();
                    encode_row(&run.columns, key, row, &mut encoded);
                    u8::from(range.holds(&encoded))
                };
                Some((0..run.len).map(holds).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spectradb_kernel::{
        Value,
        key::encode_values,
        schema::{ColumnId, ColumnSchema, TableId, TableKind},
    };

    fn schema() -> TableSchema {
        let column = |id: u32, ty| ColumnSchema {
            id: ColumnId(id),
            name: format!("c{id}"),
            ty,
            nullable: false,
            default: None,
            hidden: false,
        };
        TableSchema {
            id: TableId(7),
            name: "t".to_owned(),
            kind: TableKind::Typed,
            version: 1,
            columns: vec![column(1, Type::Text), column(2, Type::Integer), column(3, Type::Integer)],
            key: vec![0, 1, 2],
        }
    }

    fn bytes(text: &str, numbers: &[i64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_values(&[Value::from(text)], &[Type::Text], &mut bytes);
        numbers.iter().for_each(|number| encode_values(&[Value::from(*number)], &[Type::Integer], &mut bytes));
        bytes
    }

    #[test]
    fn a_range_within_a_prefix_is_told_from_one_beyond() {
        let schema = schema();
        let prefix = |low: Vec<u8>, high: Bound<Vec<u8>>| {
            common_prefix(&KeyRange::Between { low: Bound::Included(low), high }, &schema)
        };
        let after = |bytes: Vec<u8>| Bound::Excluded(after_all(&bytes).expect("there is one"));
        // c1 = 'a'; c1 = 'a' AND c2 = 5; c1 = 'a' AND c2 > 5; c1 = 'a' AND c2 BETWEEN 5 AND 6
        assert_eq!(prefix(bytes("a", &[]), after(bytes("a", &[]))), Some(bytes("a", &[])));
        assert_eq!(prefix(bytes("a", &[5]), after(bytes("a", &[5]))), Some(bytes("a", &[5])));
        assert_eq!(prefix(bytes("a", &[6]), after(bytes("a", &[]))), Some(bytes("a", &[])));
        assert_eq!(prefix(bytes("a", &[5]), after(bytes("a", &[6]))), Some(bytes("a", &[])));
        assert_eq!(prefix(bytes("a", &[5, 1]), Bound::Included(bytes("a", &[5, 9]))), Some(bytes("a", &[5])));
        // c1 >= 'a'; c1 BETWEEN 'a' AND 'b'
        assert_eq!(prefix(bytes("a", &[]), Bound::Unbounded), None);
        assert_eq!(prefix(bytes("a", &[]), after(bytes("b", &[]))), None);
    }
}
