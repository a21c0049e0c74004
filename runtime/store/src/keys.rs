//! How are keys written and compared?
//!
//! A key is a row's key columns in the order-preserving codec of the kernel: comparing two keys is comparing bytes. A
//! [`Probe`] is a key to look for, decoded once, so that a search inside a run compares it with the columns themselves:
//! one integer with an integer lane, one string with a string, and encoded bytes only for keys of other shapes.
//!
//! Holds: comparing decoded parts gives the order of the encoded keys.
//! Not here: the codec (`spectradb_kernel::key`).

use crate::{
    begun::{Hints, begun_at},
    error::Result,
    manifest::SLOT_COUNT,
    run::{Run, i64_at},
    visible::Wanted,
};
use spectradb_kernel::{
    Column, Type, Value,
    column::{Codes, Data, Vals},
    key::{decode, encode, i64_from_bytes},
    ty::LaneKind,
};
use std::{
    cmp::Ordering,
    ops::{ControlFlow, Range},
};
use xxhash_rust::xxh64::xxh64;

/// The hash of a key, in filters on disk and in the memtable's index.
pub(crate) fn hash_of(key: &[u8]) -> u64 {
    xxh64(key, 0)
}

/// The slot of a key of this hash: one of [`SLOT_COUNT`], for ever. The hash is mixed once more, so that the keys of one
/// slot are still spread over filters and indexes, which look at some of its bits.
pub(crate) fn slot_of(hash: u64) -> usize {
    // The product's highest bits depend on all bits of the hash; the factor is 2^64 divided by the golden ratio.
    const _: () = assert!(SLOT_COUNT == 1 << 12, "twelve bits name a slot");
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - 12)) as usize
}

/// A key to look for.
#[derive(Debug)]
pub(crate) struct Probe<'a> {
    /// The encoded key.
    pub(crate) bytes: &'a [u8],
    /// Its hash.
    pub(crate) hash: u64,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// One column of 64-bit integers.
    Integer(i64),
    /// One column of strings.
    String(Vec<u8>),
    /// Anything else: rows are encoded to be compared.
    Encoded,
}

impl Form {
    fn of(bytes: &[u8], ty: Type) -> Form {
        match ty.lane() {
            LaneKind::I64 => bytes.try_into().map_or(Form::Encoded, |bytes| Form::Integer(i64_from_bytes(bytes))),
            LaneKind::Bytes => match decode(bytes, &[ty]).ok().and_then(|mut values| values.pop()) {
                Some(Value::Text(text)) => Form::String(text.into_bytes()),
                Some(Value::Blob(blob)) => Form::String(blob),
                _ => Form::Encoded,
            },
            LaneKind::Bool | LaneKind::F64 | LaneKind::I128 => Form::Encoded,
        }
    }
}

impl<'a> Probe<'a> {
    /// A key of columns of these types.
    pub(crate) fn new(bytes: &'a [u8], types: &mut dyn ExactSizeIterator<Item = Type>) -> Probe<'a> {
        let hash = hash_of(bytes);
        let form = match (types.len(), types.next()) {
            (1, Some(ty)) => Form::of(bytes, ty),
            _ => Form::Encoded,
        };
        Probe { bytes, hash, form }
    }

    /// The key, if it is one integer.
    pub(crate) fn integer(&self) -> Option<i64> {
        match &self.form {
            Form::Integer(value) => Some(*value),
            Form::String(_) | Form::Encoded => None,
        }
    }

    /// How the key of a row compares with this one.
    pub(crate) fn compare_row(&self, run: &Run, key: &[usize], row: usize) -> Ordering {
        match &self.form {
            Form::Integer(value) => i64_at(&run.columns[key[0]], row).cmp(value),
            Form::String(value) => run.columns[key[0]].byte_vals().at(row).cmp(value.as_slice()),
            Form::Encoded => {
                let mut encoded = Vec::with_capacity(self.bytes.len() + 16);
                encode_row(&run.columns, key, row, &mut encoded);
                encoded.as_slice().cmp(self.bytes)
            }
        }
    }

    /// The rows of a sorted run that have this key.
    pub(crate) fn rows_in(&self, run: &Run, key: &[usize]) -> Range<usize> {
        let Form::Integer(value) = self.form else {
            let first = partition_point(run.len, |row| self.compare_row(run, key, row) == Ordering::Less);
            let has_key = |row: usize| row < run.len && self.compare_row(run, key, row) == Ordering::Equal;
            return match (has_key(first), has_key(first + 1)) {
                (false, _) => first..first,
                (true, false) => first..first + 1,
                (true, true) => first..first + partition_point(run.len - first, |row| has_key(first + row)),
            };
        };
        // Keys of one integer are most keys: search their lane as it lies.
        let numbers = &run.columns[key[0]];
        if let Data::Dictionary { codes: Codes::Runs(runs), values } = numbers.data() {
            // A key of many facts is a run.
            if let Some(first_key) = run.hints.as_deref().and_then(|hints| hints.first_key) {
                let number = value.checked_sub(first_key).map(usize::try_from);
                let Some(Ok(number)) = number else { return 0..0 };
                return runs.start(number)..runs.start(number.saturating_add(1));
            }
            // One search finds both of its ends. Neighbours may have the same value.
            let first = first_integer(values, values.len(), value);
            let same = (first..values.len()).take_while(|run| i64_at(values, *run) == value).count();
            return runs.start(first)..runs.start(first + same);
        }
        let first = first_integer(numbers, run.len, value);
        let has_key = |row: usize| row < run.len && i64_at(numbers, row) == value;
        match (has_key(first), has_key(first + 1)) {
            (false, _) => first..first,
            // Most keys have one fact.
            (true, false) => first..first + 1,
            (true, true) => {
                first..value.checked_add(1).map_or(run.len, |next| first_integer(numbers, run.len, next).max(first))
            }
        }
    }

    /// Visits the wanted facts of this key in a run sorted by key and beginning of validity, where the facts of a key are
    /// disjoint in validity. `end_of` is the end noted for a row.
    pub(crate) fn visit_sorted(
        &self,
        run: &Run,
        key: &[usize],
        wanted: &Wanted,
        end_of: &dyn Fn(usize) -> i64,
        found: &mut dyn FnMut(usize) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if !wanted.meets(&run.bounds) {
            return ControlFlow::Continue(());
        }
        let rows = self.rows_in(run, key);
        let begun = match run.bounds.from_max <= wanted.from_max {
            true => rows.len(),
            false => begun_at(run, rows.clone(), wanted.from_max),
        };
        let behind = rows.start + begun;
        // The last to have begun lasts until the next one begins, where there is one and no gap: that is after `from_max`, which
        // no wanted part of valid time has before its `to_above`.
        let lasting = if begun < rows.len() && Hints::are_gapless(run) { behind } else { 0 };
        // Disjoint facts that begin earlier also end earlier: the first that ends too early ends the walk.
        for row in (rows.start..behind).rev() {
            let may_have_ended = run.bounds.to_min <= wanted.to_above && row + 1 != lasting;
            if may_have_ended && i64_at(&run.valid_to, row) <= wanted.to_above {
                break;
            }
            if wanted.holds_system(run, row, end_of(row)) {
                found(row)?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Keys of which it is to be found out whether there may be facts at all. Each place is asked for all of them before the
/// next one is: so they wait for memory together, and most keys of new facts need not be looked for any further.
#[derive(Debug)]
pub(crate) struct AskedKeys<'k> {
    keys: Vec<AskedKey<'k>>,
}

#[derive(Debug)]
struct AskedKey<'k> {
    bytes: &'k [u8],
    hash: u64,
    may_be: bool,
}

impl<'k> AskedKeys<'k> {
    /// Keys of which nothing is known yet.
    pub(crate) fn new(keys: impl Iterator<Item = (&'k [u8], u64)>) -> AskedKeys<'k> {
        AskedKeys { keys: keys.map(|(bytes, hash)| AskedKey { bytes, hash, may_be: false }).collect() }
    }

    /// Asks a place, given a key's bytes and hash, for those that no other place may have.
    ///
    /// # Errors
    /// What the place gives.
    pub(crate) fn note(&mut self, may_hold: &mut dyn FnMut(&[u8], u64) -> Result<bool>) -> Result<()> {
        for key in self.keys.iter_mut().filter(|key| !key.may_be) {
            key.may_be = may_hold(key.bytes, key.hash)?;
        }
        Ok(())
    }

    /// May there be facts of each, in the order in which they were asked for?
    pub(crate) fn answers(&self) -> impl Iterator<Item = bool> {
        self.keys.iter().map(|key| key.may_be)
    }
}

/// How many of `0..len` come first for which `before` holds; it never holds again once it does not.
pub(crate) fn partition_point(len: usize, mut before: impl FnMut(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Appends the encoded key of a row.
pub(crate) fn encode_row(columns: &[Column], key: &[usize], row: usize, out: &mut Vec<u8>) {
    for column_idx in key {
        encode(std::slice::from_ref(&columns[*column_idx]), row, out);
    }
}

/// The numbers of a key that is one column of 64-bit integers: most keys, and those that need no bytes to be compared.
pub(crate) fn integer_key<'c>(columns: &'c [Column], key: &[usize]) -> Option<Vals<'c, i64>> {
    let [only] = key else { return None };
    let column = &columns[*only];
    (column.ty().lane() == LaneKind::I64 && !column.has_nulls()).then(|| column.i64s())
}

/// How many of the first numbers of a rising column are below `value`?
pub(crate) fn first_integer(column: &Column, len: usize, value: i64) -> usize {
    match column.data() {
        Data::I64(lane) => first_at_least(lane.as_slice(), value),
        Data::FrameOfReference { base, codes } => {
            let offset = i128::from(value) - i128::from(*base);
            let Ok(offset) = i64::try_from(offset) else { return if offset < 0 { 0 } else { len } };
            match codes {
                Codes::U8(lane) => first_at_least(lane.as_slice(), offset),
                Codes::U16(lane) => first_at_least(lane.as_slice(), offset),
                Codes::U32(lane) => first_at_least(lane.as_slice(), offset),
                Codes::Runs(runs) => usize::try_from(offset).map_or(0, |run| runs.start(run)),
            }
        }
        // Its numbers rise, so those of the runs do.
        Data::Dictionary { codes: Codes::Runs(runs), values } => runs.start(first_integer(values, values.len(), value)),
        _ => partition_point(len, |row| i64_at(column, row) < value),
    }
}

/// How many numbers of a rising lane are below `value`? It is looked for where it would be if the numbers lay evenly, and
/// from there in doubling steps.
fn first_at_least<T: Copy + Into<i64>>(lane: &[T], value: i64) -> usize {
    let (Some(first), Some(last)) = (lane.first(), lane.last()) else { return 0 };
    let (first, last): (i64, i64) = ((*first).into(), (*last).into());
    if value <= first {
        return 0;
    }
    if value > last {
        return lane.len();
    }
    /// The first step: a cache line of the widest lane.
    const NEAR: usize = 8;
    let share = value.abs_diff(first) as f64 / last.abs_diff(first) as f64;
    let guess = ((share * (lane.len() - 1) as f64) as usize).min(lane.len() - 1);
    let below = |row: usize| lane[row].into() < value;
    let (mut at, mut step) = (guess, NEAR);
    if below(guess) {
        // The last number is not below.
        loop {
            let high = (at + step).min(lane.len() - 1);
            if !below(high) {
                return at + 1 + lane[at + 1..high].partition_point(|number| (*number).into() < value);
            }
            (at, step) = (high, step * 2);
        }
    }
    // The first one is.
    loop {
        let low = at.saturating_sub(step);
        if below(low) {
            return low + lane[low..at].partition_point(|number| (*number).into() < value);
        }
        (at, step) = (low, step * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_and_uneven_lanes_are_searched_alike() {
        let lanes: [Vec<i64>; 7] = [
            (0..100).collect(),
            (0..100).map(|i| i * i * i).collect(),
            (0..100).map(|i| i / 7).collect(),
            (0..1_000).map(|i| i / 100 * 3).collect(),
            (0..300).map(|i| if i < 290 { i } else { i << 30 }).collect(),
            vec![i64::MIN, -1, 0, 0, 0, 1, i64::MAX],
            vec![5; 40],
        ];
        for lane in lanes {
            for value in lane.iter().flat_map(|value| [value.saturating_sub(1), *value, value.saturating_add(1)]) {
                assert_eq!(first_at_least(&lane, value), lane.partition_point(|number| *number < value), "{value}");
            }
        }
        assert_eq!(first_at_least::<i64>(&[], 3), 0);
    }
}
