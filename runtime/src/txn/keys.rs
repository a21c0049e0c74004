//! How are the keys of many rows kept?
//!
//! As the bytes of one after another in one buffer: a key costs no allocation of its own.
//!
//! Holds: key `row` is that of row `row` of the columns they were made from.
//! Not here: the codec (`spectradb_kernel::key`).

use spectradb_kernel::{Column, key, radix, schema::TableSchema, ty::LaneKind};
use std::ops::{Index, Range};

/// The encoded keys of some rows.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    bytes: Vec<u8>,
    ends: Ends,
}

#[derive(Clone, Debug)]
enum Ends {
    /// All keys have eight bytes.
    Eight,
    At(Vec<usize>),
}

/// What a key of eight bytes takes.
const EIGHT: usize = 8;

impl Keys {
    /// The keys of the rows of a table's columns.
    pub(super) fn of(table: &TableSchema, columns: &[Column], row_count: usize) -> Keys {
        let parts: Vec<Column> = table.key.iter().map(|column_idx| columns[*column_idx].clone()).collect();
        Keys::of_parts(&parts, row_count)
    }

    /// The keys that are made of some columns.
    pub(super) fn of_parts(parts: &[Column], row_count: usize) -> Keys {
        if let [only] = parts
            && only.ty().lane() == LaneKind::I64
            && !only.has_nulls()
        {
            let (values, mut bytes) = (only.i64s(), Vec::with_capacity(row_count * EIGHT));
            (0..row_count).for_each(|row| bytes.extend_from_slice(&key::i64_bytes(values.at(row))));
            return Keys { bytes, ends: Ends::Eight };
        }
        let (mut bytes, mut ends) = (Vec::with_capacity(row_count * 16), Vec::with_capacity(row_count));
        for row in 0..row_count {
            key::encode(parts, row, &mut bytes);
            ends.push(bytes.len());
        }
        Keys { bytes, ends: Ends::At(ends) }
    }

    /// Adds a key to those that were pushed so.
    pub(super) fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        if let Ends::At(ends) = &mut self.ends {
            ends.push(self.bytes.len());
        }
    }

    /// About how many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        let ends = match &self.ends {
            Ends::Eight => 0,
            Ends::At(ends) => ends.capacity() * size_of::<usize>(),
        };
        self.bytes.capacity() + ends
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match &self.ends {
            Ends::Eight => self.bytes.len() / EIGHT,
            Ends::At(ends) => ends.len(),
        }
    }

    fn place(&self, row: usize) -> Range<usize> {
        match &self.ends {
            Ends::Eight => row * EIGHT..(row + 1) * EIGHT,
            Ends::At(ends) => {
                let start = if row == 0 { 0 } else { ends[row - 1] };
                start..ends[row]
            }
        }
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|row| &self[row])
    }

    /// The same, each on its own.
    pub(super) fn to_vecs(&self) -> Vec<Vec<u8>> {
        self.iter().map(<[u8]>::to_vec).collect()
    }

    /// The keys of some rows.
    pub(super) fn take(&self, rows: &[u32]) -> Keys {
        let mut taken = Keys {
            bytes: Vec::with_capacity(self.bytes.len() / self.len().max(1) * rows.len()),
            ends: match &self.ends {
                Ends::Eight => Ends::Eight,
                Ends::At(_) => Ends::At(Vec::with_capacity(rows.len())),
            },
        };
        for row in rows {
            taken.bytes.extend_from_slice(&self[*row as usize]);
            if let Ends::At(ends) = &mut taken.ends {
                ends.push(taken.bytes.len());
            }
        }
        taken
    }

    /// Is each greater than the one before?
    pub(super) fn rise(&self) -> bool {
        if matches!(self.ends, Ends::Eight) {
            // Compared as numbers: the order of big-endian bytes.
            let keys = self.bytes.as_chunks::<EIGHT>().0;
            return keys.windows(2).all(|pair| u64::from_be_bytes(pair[0]) < u64::from_be_bytes(pair[1]));
        }
        (1..self.len()).all(|row| self[row - 1] < self[row])
    }

    /// The rows in the order of their keys; those of one key in their own order.
    pub(super) fn order(&self) -> Vec<u32> {
        let prefix = |key: &[u8]| {
            let mut prefix = [0; EIGHT];
            let len = key.len().min(EIGHT);
            prefix[..len].copy_from_slice(&key[..len]);
            u64::from_be_bytes(prefix)
        };
        let mut order: Vec<(u64, u32)> = (0..).zip(self.iter()).map(|(row, key)| (prefix(key), row)).collect();
        radix::sort(&mut order);
        if matches!(self.ends, Ends::At(_)) {
            for alike in order.chunk_by_mut(|a, b| a.0 == b.0).filter(|alike| alike.len() > 1) {
                alike.sort_by(|a, b| self[a.1 as usize].cmp(&self[b.1 as usize]));
            }
        }
        order.into_iter().map(|(_, row)| row).collect()
    }
}

impl Default for Keys {
    /// None, to which any may be added.
    fn default() -> Keys {
        Keys { bytes: Vec::new(), ends: Ends::At(Vec::new()) }
    }
}

impl Index<usize> for Keys {
    type Output = [u8];

    fn index(&self, row: usize) -> &[u8] {
        &self.bytes[self.place(row)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spectradb_kernel::{Type, Value};

    #[test]
    fn keys_are_what_the_codec_writes_whatever_their_kind() {
        let numbers = Column::from_i64s(Type::Integer, vec![5, -1, 5, 0]);
        let texts = ["prefixes b", "prefixes a", "prefixes", ""].map(Value::from);
        let texts = Column::from_values(Type::Text, &texts);
        for (parts, order) in [
            (vec![numbers.clone()], [1, 3, 0, 2]),
            (vec![texts.clone()], [3, 2, 1, 0]),
            (vec![numbers, texts], [1, 3, 2, 0]),
        ] {
            let keys = Keys::of_parts(&parts, 4);
            let expected: Vec<Vec<u8>> = (0..4)
                .map(|row| {
                    let mut bytes = Vec::new();
                    key::encode(&parts, row, &mut bytes);
                    bytes
                })
                .collect();
            assert_eq!(keys.to_vecs(), expected);
            assert_eq!(keys.order(), order);
            assert!(!keys.rise());
            let taken = keys.take(&[3, 0]);
            assert_eq!(taken.to_vecs(), [expected[3].clone(), expected[0].clone()]);
        }
    }
}
