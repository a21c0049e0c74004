//! Where in a history segment do the facts of a key lie?
//!
//! History is sorted by end, so the facts of a key are all over the file. The directory lists the keys in order and for
//! each the numbers of its rows, which rise, and so do their ends: who looks for a key at a commit finds the key once, and
//! its first fact that ended later by a search among a few numbers.
//!
//! Keys of one 64-bit integer are a lane of numbers, which is nothing where none is missing; other keys are their bytes.
//!
//! Holds: each row of the file is listed once, under its key.
//! Not here: which of the rows a reader sees (`reader`).

use super::block::{Bad, decode_lane, encode_lane};
use crate::{
    format::sst_v1::{ArchivedDirectoryV1, ArchivedLaneV1, DirectoryV1, LaneV1},
    keys::{Probe, first_integer, partition_point},
    run::i64_at,
};
use bytes::Bytes;
use rkyv::rancor;
use spectradb_kernel::{Column, Type, key::i64_bytes};
use std::ops::Range;

/// The directory of a segment, in the file's pages as far as it can be.
#[derive(Debug)]
pub(crate) struct Directory {
    key_count: usize,
    row_count: usize,
    keys: Keys,
    starts: Numbers,
    rows: Numbers,
}

#[derive(Debug)]
enum Keys {
    Integers(Numbers),
    Bytes(Column),
}

/// A lane of numbers of any length.
#[derive(Debug)]
enum Numbers {
    /// From this one on, each one more than the one before.
    Rising(i64),
    Listed(Column),
}

impl Numbers {
    fn at(&self, place: usize) -> i64 {
        match self {
            Numbers::Rising(first) => first.wrapping_add_unsigned(place as u64),
            Numbers::Listed(column) => i64_at(column, place),
        }
    }

    fn decode(archive: &Bytes, lane: &ArchivedLaneV1, len: usize) -> Result<Numbers, Bad> {
        if let ArchivedLaneV1::Rising { base } = lane {
            let first = base.to_native();
            return match i64::try_from(len).ok().and_then(|len| first.checked_add(len)) {
                Some(_) => Ok(Numbers::Rising(first)),
                None => Err("the directory counts too far"),
            };
        }
        let column = decode_lane(archive, lane, Type::Integer, len, None)?;
        if column.has_nulls() { Err("the directory has a gap") } else { Ok(Numbers::Listed(column)) }
    }

    /// How many of the first numbers are below `value`? They rise.
    fn below(&self, len: usize, value: i64) -> usize {
        match self {
            Numbers::Rising(first) => value.saturating_sub(*first).clamp(0, len as i64) as usize,
            Numbers::Listed(column) => first_integer(column, len, value),
        }
    }
}

impl Directory {
    /// The directory of a part whose checksum holds, for a file of so many facts.
    pub(super) fn read(archive: &Bytes, row_count: u64) -> Result<Directory, Bad> {
        let part = rkyv::access::<ArchivedDirectoryV1, rancor::Error>(archive);
        let part = part.map_err(|_| "the directory's archive is damaged")?;
        let (key_count, row_count) = (part.key_count.to_native() as usize, row_count as usize);
        if key_count == 0 || key_count > row_count {
            return Err("the directory has more keys than facts, or none");
        }
        let keys = match &part.keys {
            lane @ ArchivedLaneV1::Bytes { .. } => {
                Keys::Bytes(decode_lane(archive, lane, Type::Blob, key_count, None)?)
            }
            lane => Keys::Integers(Numbers::decode(archive, lane, key_count)?),
        };
        let starts = Numbers::decode(archive, &part.starts, key_count)?;
        let rows = Numbers::decode(archive, &part.rows, row_count)?;
        let directory = Directory { key_count, row_count, keys, starts, rows };
        let starts_rise = (1..key_count).all(|key| directory.starts.at(key - 1) < directory.starts.at(key));
        let last = usize::try_from(directory.starts.at(key_count - 1));
        if directory.starts.at(0) != 0 || !starts_rise || last.is_ok_and(|last| last >= row_count) {
            return Err("the directory's keys have no rows");
        }
        let in_file = |place: usize| (0..row_count as i64).contains(&directory.rows.at(place));
        if !(0..row_count).all(in_file) {
            return Err("the directory names a row that the file does not have");
        }
        Ok(directory)
    }

    /// Are the keys numbers, which are found where another structure would only say maybe?
    pub(super) fn has_numbers(&self) -> bool {
        matches!(self.keys, Keys::Integers(_))
    }

    /// The places of a key's rows; `None` when the file has none.
    pub(super) fn places_of(&self, probe: &Probe<'_>) -> Option<Range<usize>> {
        let key = match &self.keys {
            Keys::Integers(numbers) => {
                let value = probe.integer()?;
                let key = numbers.below(self.key_count, value);
                (key < self.key_count && numbers.at(key) == value).then_some(key)?
            }
            Keys::Bytes(column) => {
                let keys = column.byte_vals();
                let key = partition_point(self.key_count, |key| keys.at(key) < probe.bytes);
                (key < self.key_count && keys.at(key) == probe.bytes).then_some(key)?
            }
        };
        Some(self.places(key))
    }

    fn places(&self, key: usize) -> Range<usize> {
        let end = if key + 1 < self.key_count { self.starts.at(key + 1) as usize } else { self.row_count };
        self.starts.at(key) as usize..end
    }

    /// The row at a place.
    pub(super) fn row(&self, place: usize) -> u64 {
        self.rows.at(place).cast_unsigned()
    }

    /// Does it list just these facts, given by the keys of the file's rows?
    pub(super) fn lists(&self, keys: &[Vec<u8>]) -> bool {
        let mut last: Option<Vec<u8>> = None;
        for key in 0..self.key_count {
            let bytes = match &self.keys {
                Keys::Integers(numbers) => i64_bytes(numbers.at(key)).to_vec(),
                Keys::Bytes(column) => column.byte_vals().at(key).to_vec(),
            };
            let places = self.places(key);
            let rises = places.clone().skip(1).all(|place| self.row(place - 1) < self.row(place));
            if !rises || last.is_some_and(|last| last >= bytes) {
                return false;
            }
            if places.into_iter().any(|place| keys.get(self.row(place) as usize) != Some(&bytes)) {
                return false;
            }
            last = Some(bytes);
        }
        // Rows of different keys differ and those of a key rise, so none is listed twice.
        keys.len() == self.row_count
    }
}

/// Collects the keys of a segment's rows, in the order of the rows.
#[derive(Debug, Default)]
pub(super) struct DirectoryBuilder {
    integers: Vec<i64>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// What a directory is written as, and its keys.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) part: DirectoryV1,
    /// The distinct keys, where they are numbers.
    pub(super) integers: Vec<i64>,
}

impl DirectoryBuilder {
    /// The next row's key is one number.
    pub(super) fn push_integer(&mut self, key: i64) {
        self.integers.push(key);
    }

    /// The next row's key.
    pub(super) fn push_bytes(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
    }

    pub(super) fn finish(self) -> Listed {
        let mut starts: Vec<i64> = Vec::new();
        let rows: Vec<i64>;
        let mut integers = Vec::new();
        let keys = if self.ends.is_empty() {
            let mut order: Vec<(i64, u32)> = self.integers.iter().copied().zip(0..).collect();
            order.sort_unstable();
            for (place, (key, _)) in order.iter().enumerate() {
                if integers.last() != Some(key) {
                    integers.push(*key);
                    starts.push(place as i64);
                }
            }
            rows = order.iter().map(|(_, row)| i64::from(*row)).collect();
            encode_lane(&Column::from_i64s(Type::Integer, integers.clone()))
        } else {
            let key = |row: u32| {
                let row = row as usize;
                let start = if row == 0 { 0 } else { self.ends[row - 1] };
                &self.bytes[start..self.ends[row]]
            };
            let mut order: Vec<u32> = (0..self.ends.len() as u32).collect();
            // Stable: a key's rows stay in their order.
            order.sort_by(|a, b| key(*a).cmp(key(*b)));
            let (mut offsets, mut bytes) = (vec![0u32], Vec::new());
            let mut last = None;
            for (place, row) in order.iter().enumerate() {
                let key = key(*row);
                if last != Some(key) {
                    bytes.extend_from_slice(key);
                    offsets.push(u32::try_from(bytes.len()).expect("a segment holds less than 4 GiB of keys"));
                    starts.push(place as i64);
                    last = Some(key);
                }
            }
            rows = order.iter().map(|row| i64::from(*row)).collect();
            LaneV1::Bytes { offsets, bytes }
        };
        let key_count = starts.len() as u32;
        let lane = |numbers: Vec<i64>| encode_lane(&Column::from_i64s(Type::Integer, numbers));
        let part = DirectoryV1 { key_count, keys, starts: lane(starts), rows: lane(rows) };
        Listed { part, integers }
    }
}

impl Listed {
    /// The bytes of the part.
    pub(super) fn archive(&self) -> rkyv::util::AlignedVec {
        rkyv::to_bytes::<rancor::Error>(&self.part).expect("an archive in memory takes everything")
    }

    /// Are the keys numbers of which none is missing between the first and the last?
    pub(super) fn is_whole(&self) -> bool {
        match (self.integers.first(), self.integers.last()) {
            (Some(first), Some(last)) => last.abs_diff(*first) == self.integers.len() as u64 - 1,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;

    /// Reads what was written, and finds each key's rows in it.
    fn check(listed: &Listed, keys: &[Vec<u8>], ty: Type, strangers: &[Vec<u8>]) {
        let archive = Bytes::from_owner(listed.archive());
        let directory = Directory::read(&archive, keys.len() as u64).expect("it was written here");
        assert!(directory.lists(keys));
        for key in keys.iter().chain(strangers) {
            let expected: Vec<u64> = (0..).zip(keys).filter(|(_, other)| *other == key).map(|(row, _)| row).collect();
            let places = directory.places_of(&Probe::new(key, &mut iter::once(ty)));
            let found: Vec<u64> = places.into_iter().flatten().map(|place| directory.row(place)).collect();
            assert_eq!(found, expected, "{key:?}");
        }
        let mut others = keys.to_vec();
        others.swap(0, keys.len() - 1);
        assert_eq!(directory.lists(&others), others == keys);
        assert!(Directory::read(&archive, listed.part.key_count as u64 - 1).is_err());
    }

    #[test]
    fn numbers_are_found_whether_one_is_missing_or_none() {
        let lists: [Vec<i64>; 6] = [
            vec![7],
            vec![3, 3, 3],
            (0..100).map(|row| row * 37 % 10).collect(),
            (0..1000).map(|row| row * 7919 % 1000).collect(),
            (0..500).map(|row| (row * 7919 % 100) * 1_000_000_007).collect(),
            vec![i64::MIN, 5, i64::MAX, 5, i64::MIN],
        ];
        for list in lists {
            let mut builder = DirectoryBuilder::default();
            list.iter().for_each(|key| builder.push_integer(*key));
            let listed = builder.finish();
            let mut sorted = list.clone();
            sorted.sort_unstable();
            assert_eq!(listed.is_whole(), sorted.windows(2).all(|pair| pair[1].abs_diff(pair[0]) <= 1), "{list:?}");
            let bytes = |keys: &[i64]| keys.iter().map(|key| i64_bytes(*key).to_vec()).collect::<Vec<_>>();
            check(&listed, &bytes(&list), Type::Integer, &bytes(&[-1, 1, 4, 50, 2_000, i64::MIN, i64::MAX]));
        }
    }

    #[test]
    fn other_keys_are_found_by_their_bytes() {
        let keys: Vec<Vec<u8>> = (0..200u32).map(|row| format!("k{:03}", row * 31 % 70).into_bytes()).collect();
        let mut builder = DirectoryBuilder::default();
        keys.iter().for_each(|key| builder.push_bytes(key));
        check(&builder.finish(), &keys, Type::Blob, &[b"a".to_vec(), b"k9".to_vec(), b"z".to_vec(), Vec::new()]);
    }
}
