//! In which order do the leaves of a commit stand?
//!
//! In that of table, key, beginning of validity and kind of leaf. They are listed and sorted; but a large write comes as one
//! batch whose rows lie in the order of their keys, and then the rows are the leaves as they lie. Where a batch is all there is
//! and its key one integer, numbers are sorted and not keys.
//!
//! Holds: both ways give the same leaves in the same order.
//! Not here: hashing them (`chain`).

use super::{BatchShape, Op};
use crate::{
    fact::{FactBatch, Write},
    format::bytes::Put,
};
use spectradb_kernel::{Column, Period, column::Vals, key, radix, schema::TableId, time::Micros, ty::LaneKind};
use std::cmp::Ordering;

/// The leaves of a commit in their order, some at a time.
pub(super) enum Order<'a> {
    /// They were listed and sorted; the first so many have been asked for.
    Listed(Entries, usize),
    /// The rows of the only batch, as they lie or by numbers that order them.
    Straight(Straight<'a>),
}

/// Rows of one integer key each are leaves: nothing is listed but those that are asked for.
pub(super) struct Straight<'a> {
    batch: &'a FactBatch,
    integers: Vals<'a, i64>,
    /// The rows in the order of their keys, where they do not lie in it.
    rows: Option<Vec<(u64, u32)>>,
    next: usize,
    some: Vec<Entry>,
    keys: Vec<u8>,
}

impl<'a> Order<'a> {
    pub(super) fn of(write: &'a Write, shapes: &[BatchShape]) -> Order<'a> {
        if let ([batch], [shape]) = (write.facts.as_slice(), shapes)
            && write.metadata.is_none()
            && write.retractions.iter().all(|retraction| retraction.periods.is_empty())
            && write.superseded.iter().all(|superseded| superseded.facts.is_empty())
            && let [only] = shape.key.as_slice()
            && batch.columns[*only].ty().lane() == LaneKind::I64
            && !batch.columns[*only].has_nulls()
        {
            let integers = batch.columns[*only].i64s();
            let place = |row: usize| (integers.at(row), batch.periods[row].from());
            let rises = match &integers {
                Vals::Many(keys) => keys.windows(2).all(|pair| pair[0] < pair[1]),
                Vals::One(_) => false,
            };
            let rises = rises || (1..batch.periods.len()).all(|row| place(row - 1) < place(row));
            let rows = (!rises).then(|| rows_by_key(&integers, &batch.periods));
            let (some, keys) = (Vec::new(), Vec::new());
            return Order::Straight(Straight { batch, integers, rows, next: 0, some, keys });
        }
        let mut entries = Entries::default();
        entries.gather(write, shapes);
        Order::Listed(entries, 0)
    }

    pub(super) fn count(&self) -> usize {
        match self {
            Order::Listed(entries, _) => entries.sorted.len(),
            Order::Straight(straight) => straight.batch.periods.len(),
        }
    }

    /// The next leaves, at most so many, and the bytes in which their keys lie.
    pub(super) fn next(&mut self, count: usize) -> (&[Entry], &[u8]) {
        match self {
            Order::Listed(entries, next) => {
                let start = *next;
                *next = entries.sorted.len().min(start + count);
                (&entries.sorted[start..*next], &entries.keys)
            }
            Order::Straight(straight) => straight.next(count),
        }
    }
}

/// Rows in the order of their keys, those of one key by the beginnings of their periods.
fn rows_by_key(integers: &Vals<'_, i64>, periods: &[Period]) -> Vec<(u64, u32)> {
    // The order of signed numbers is that of unsigned ones once the sign is turned.
    let number = |row: u32| integers.at(row as usize).cast_unsigned() ^ (1 << 63);
    let mut rows: Vec<(u64, u32)> = (0..periods.len() as u32).map(|row| (number(row), row)).collect();
    radix::sort(&mut rows);
    for alike in rows.chunk_by_mut(|a, b| a.0 == b.0).filter(|alike| alike.len() > 1) {
        alike.sort_by_key(|(_, row)| periods[*row as usize].from());
    }
    rows
}

impl Straight<'_> {
    fn next(&mut self, count: usize) -> (&[Entry], &[u8]) {
        let places = self.next..self.batch.periods.len().min(self.next + count);
        self.next = places.end;
        self.some.clear();
        self.keys.clear();
        for place in places {
            let row = self.rows.as_ref().map_or(place, |rows| rows[place].1 as usize);
            let key_start = self.keys.len();
            self.keys.extend_from_slice(&key::i64_bytes(self.integers.at(row)));
            self.some.push(Entry {
                valid_from: self.batch.periods[row].from(),
                key_start,
                key_len: 8,
                table: self.batch.table,
                source: 0,
                row: row as u32,
                op: Op::Assert,
            });
        }
        (&self.some, &self.keys)
    }
}

/// One leaf before it is hashed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) valid_from: Micros,
    key_start: usize,
    key_len: u32,
    pub(super) table: TableId,
    /// Which batch, deletion or list of identities it comes from.
    pub(super) source: u32,
    pub(super) row: u32,
    pub(super) op: Op,
}

impl Entry {
    /// Its key, where the keys of all lie.
    pub(super) fn key_in<'k>(&self, keys: &'k [u8]) -> &'k [u8] {
        &keys[self.key_start..self.key_start + self.key_len as usize]
    }
}

/// All leaves of a commit, sorted.
#[derive(Debug, Default)]
pub(super) struct Entries {
    keys: Vec<u8>,
    pub(super) sorted: Vec<Entry>,
}

impl Entries {
    pub(super) fn key(&self, entry: &Entry) -> &[u8] {
        entry.key_in(&self.keys)
    }

    pub(super) fn gather(&mut self, write: &Write, shapes: &[BatchShape]) {
        if write.metadata.is_some() {
            self.push(TableId(0), Op::Metadata, 0, 0, 0, |_| {});
        }
        for (source, (batch, shape)) in (0..).zip(write.facts.iter().zip(shapes)) {
            let keys: Vec<Column> = shape.key.iter().map(|position| batch.columns[*position].clone()).collect();
            self.gather_rows(batch.table, Op::Assert, source, &keys, batch.periods.iter().map(|period| period.from()));
        }
        for (source, retraction) in (0..).zip(&write.retractions) {
            let froms = retraction.periods.iter().map(|period| period.from());
            self.gather_rows(retraction.table, Op::Retract, source, &retraction.keys, froms);
        }
        for (source, superseded) in (0..).zip(&write.superseded) {
            for (row, fact) in (0..).zip(&superseded.facts) {
                self.push(superseded.table, Op::Supersede, source, row, fact.valid_from, |out| out.put(&fact.key));
            }
        }
        let keys = &self.keys;
        let key = |entry: &Entry| entry.key_in(keys);
        // An identity may name a key and instant that a new fact has too; its commit makes the order total.
        let commit = |entry: &Entry| match entry.op {
            Op::Supersede => write.superseded[entry.source as usize].facts[entry.row as usize].commit,
            Op::Metadata | Op::Assert | Op::Retract | Op::Catalog => 0,
        };
        let order = |a: &Entry, b: &Entry| -> Ordering {
            let places = (a.table, key(a), a.valid_from, a.op).cmp(&(b.table, key(b), b.valid_from, b.op));
            places.then_with(|| commit(a).cmp(&commit(b)))
        };
        // Bulk loads mostly come sorted.
        if !self.sorted.is_sorted_by(|a, b| order(a, b) != Ordering::Greater) {
            self.sorted.sort_unstable_by(order);
        }
    }

    fn gather_rows(
        &mut self,
        table: TableId,
        op: Op,
        source: u32,
        keys: &[Column],
        froms: impl ExactSizeIterator<Item = Micros>,
    ) {
        self.sorted.reserve(froms.len());
        // One 64-bit column is by far the commonest key, and its bytes are computed without a look at each row's kind.
        if let [only] = keys
            && only.ty().lane() == LaneKind::I64
            && !only.has_nulls()
        {
            let values = only.i64s();
            for (row, valid_from) in (0..).zip(froms) {
                let bytes = key::i64_bytes(values.at(row as usize));
                self.push(table, op, source, row, valid_from, |out| out.put(&bytes));
            }
            return;
        }
        for (row, valid_from) in (0..).zip(froms) {
            self.push(table, op, source, row, valid_from, |out| key::encode(keys, row as usize, out));
        }
    }

    fn push(
        &mut self,
        table: TableId,
        op: Op,
        source: u32,
        row: u32,
        valid_from: Micros,
        put_key: impl FnOnce(&mut Vec<u8>),
    ) {
        let key_start = self.keys.len();
        put_key(&mut self.keys);
        let key_len = u32::try_from(self.keys.len() - key_start).expect("a key is shorter than 4 GiB");
        self.sorted.push(Entry { valid_from, key_start, key_len, table, source, row, op });
    }
}
