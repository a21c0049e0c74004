//! When can the keys of a row, and the row's number, be one integer?
//!
//! When all keys are numbers whose ranges, side by side, leave room for the row's number in 128 bits: most orders by integers,
//! dates, instants, reals and decimals are of that kind. Each key is counted from the column's least value, turned around where
//! it descends, with one place more for NULL; the first key has the highest bits. Then sorting compares integers, equal rows
//! keep their order because their numbers differ, and whether neighbours are equal in their first keys is a shift.
//!
//! Not here: keys that are strings, JSON, or too wide (`sort` compares their bytes).

use super::smallest;
use spectradb_kernel::{
    Column,
    column::Vals,
    key::{self, SortOrder},
    ty::LaneKind,
};

/// Rows that are sorted by one integer each.
pub(super) struct Packed {
    /// The first key in the highest bits, the row's number in the lowest.
    keys: PackedKeys,
    row_bits: u32,
    /// How many bits stand behind each key, the last key's being those of the row.
    behind: Vec<u32>,
}

enum PackedKeys {
    Narrow(Vec<u64>),
    Wide(Vec<u128>),
}

/// A number for each row that is ordered as the key is, and equal only where the key is; NULLs have any number. `None` for a
/// column whose keys are not numbers of 64 bits.
pub(super) fn order_numbers(key: &Column, order: SortOrder) -> Option<Vec<u64>> {
    let ordered = |bits: u64| if order.descending { !bits } else { bits };
    let integer = |value: &i64| ordered(u64::from_be_bytes(key::i64_bytes(*value)));
    let real = |value: &f64| ordered(u64::from_be_bytes(key::f64_bytes(*value)));
    let one = |number: u64| vec![number; key.len()];
    Some(match key.ty().lane() {
        LaneKind::I64 => match key.i64s() {
            Vals::One(value) => one(integer(&value)),
            Vals::Many(values) => values.iter().map(integer).collect(),
        },
        LaneKind::Bool => match key.bools() {
            Vals::One(value) => one(ordered(u64::from(value))),
            Vals::Many(values) => values.iter().map(|value| ordered(u64::from(*value))).collect(),
        },
        LaneKind::F64 => match key.f64s() {
            Vals::One(value) => one(real(&value)),
            Vals::Many(values) => values.iter().map(real).collect(),
        },
        LaneKind::I128 | LaneKind::Bytes => return None,
    })
}

/// As [`order_numbers`], for decimals as well, if their range has 64 bits: these numbers compare within this column only.
fn column_numbers(key: &Column, order: SortOrder) -> Option<Vec<u64>> {
    if key.ty().lane() != LaneKind::I128 {
        return order_numbers(key, order);
    }
    let Vals::Many(values) = key.i128s() else { return Some(vec![0; key.len()]) };
    let low = values.iter().copied().min().unwrap_or(0);
    let high = values.iter().copied().max().unwrap_or(0);
    let range = u64::try_from(high.checked_sub(low)?).ok()?;
    let number = |value: &i128| {
        let above = (value - low) as u64;
        if order.descending { range - above } else { above }
    };
    Some(values.iter().map(number).collect())
}

impl Packed {
    /// The rows of some columns; `None` when they do not fit.
    pub(super) fn new(columns: &[Column], orders: &[SortOrder], len: usize) -> Option<Packed> {
        let row_bits = usize::BITS - len.leading_zeros();
        let (mut parts, mut widths) = (Vec::new(), Vec::new());
        for (column, order) in columns.iter().zip(orders) {
            let (numbers, width) = ranked(column, *order)?;
            parts.push(numbers);
            widths.push(width);
        }
        let bits = widths.iter().sum::<u32>() + row_bits;
        let mut behind = Vec::with_capacity(widths.len());
        let mut rest = bits;
        for width in &widths {
            rest -= width;
            behind.push(rest);
        }
        let keys = match bits {
            0..=64 => {
                let mut packed: Vec<u64> = (0..len as u64).collect();
                for (numbers, behind) in parts.iter().zip(&behind) {
                    // A key of no bits says nothing, and may stand behind all 64.
                    let at = |number: u64| number.checked_shl(*behind).unwrap_or(0);
                    packed.iter_mut().zip(numbers).for_each(|(packed, number)| *packed |= at(*number));
                }
                PackedKeys::Narrow(packed)
            }
            65..=128 => {
                let mut packed: Vec<u128> = (0..len as u128).collect();
                for (numbers, behind) in parts.iter().zip(&behind) {
                    let at = |number: u64| u128::from(number).checked_shl(*behind).unwrap_or(0);
                    packed.iter_mut().zip(numbers).for_each(|(packed, number)| *packed |= at(*number));
                }
                PackedKeys::Wide(packed)
            }
            _ => return None,
        };
        Some(Packed { keys, row_bits, behind })
    }

    /// The first `wanted` rows in order.
    pub(super) fn first(self, wanted: usize) -> Packed {
        let keys = match self.keys {
            PackedKeys::Narrow(keys) => PackedKeys::Narrow(smallest(keys, wanted, Ord::cmp)),
            PackedKeys::Wide(keys) => PackedKeys::Wide(smallest(keys, wanted, Ord::cmp)),
        };
        Packed { keys, ..self }
    }

    /// The rows' numbers, in the order in which the keys stand now.
    pub(super) fn rows(&self) -> Vec<u32> {
        let mask = (1u64 << self.row_bits) - 1;
        match &self.keys {
            PackedKeys::Narrow(keys) => keys.iter().map(|key| (key & mask) as u32).collect(),
            PackedKeys::Wide(keys) => keys.iter().map(|key| (*key as u64 & mask) as u32).collect(),
        }
    }

    /// Does the row at each place differ from the one before in the first `key_count` keys?
    pub(super) fn differs(&self, key_count: usize) -> Vec<bool> {
        let Some(behind) = key_count.checked_sub(1).map(|last| self.behind[last]) else {
            return vec![false; self.rows().len()];
        };
        fn each<T: Copy + PartialEq>(keys: &[T], first: impl Fn(T) -> T) -> Vec<bool> {
            let pairs = keys.windows(2).map(|pair| first(pair[0]) != first(pair[1]));
            keys.first().map(|_| false).into_iter().chain(pairs).collect()
        }
        match &self.keys {
            PackedKeys::Narrow(keys) => each(keys, |key| key.checked_shr(behind).unwrap_or(0)),
            PackedKeys::Wide(keys) => each(keys, |key| key.checked_shr(behind).unwrap_or(0)),
        }
    }
}

/// The numbers of a column counted from the least on, NULL among them, and how many bits they need.
fn ranked(column: &Column, order: SortOrder) -> Option<(Vec<u64>, u32)> {
    let mut numbers = column_numbers(column, order)?;
    let validity = column.validity().filter(|_| column.has_nulls());
    let is_value = |row: usize| validity.is_none_or(|bits| bits.is_set(row));
    let (low, high) = match validity {
        None => numbers.iter().fold((u64::MAX, 0), |(low, high), number| (low.min(*number), high.max(*number))),
        Some(_) => {
            let values = numbers.iter().enumerate().filter(|(row, _)| is_value(*row)).map(|(_, number)| *number);
            values.fold((u64::MAX, 0), |(low, high), number| (low.min(number), high.max(number)))
        }
    };
    if low > high {
        // No value at all: the rows are equal.
        return Some((vec![0; numbers.len()], 0));
    }
    let range = high - low;
    let Some(_) = validity else {
        numbers.iter_mut().for_each(|number| *number -= low);
        return Some((numbers, u64::BITS - range.leading_zeros()));
    };
    let top = range.checked_add(1)?;
    for (row, number) in numbers.iter_mut().enumerate() {
        *number = match (is_value(row), order.nulls_first) {
            (true, true) => *number - low + 1,
            (true, false) => *number - low,
            (false, true) => 0,
            (false, false) => top,
        };
    }
    Some((numbers, u64::BITS - top.leading_zeros()))
}
