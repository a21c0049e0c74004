//! In which order do rows come?
//!
//! All rows are held, and their numbers sorted by a key that compares as integers or bytes do: keys that are numbers become one
//! integer (`packed`), anything else the sort key of `spectradb_kernel::key`, of which the first eight bytes are compared as a
//! number. The row's number stands behind the key, so equal rows keep their order.
//! Where only the first rows are wanted, the rest is thrown away every time enough has come together; and once there are as many
//! as wanted, a row whose first key alone puts it behind the last of them is not even held.
//!
//! Not here: computing keys (`Eval` stages beneath), cutting the result to its exact length (`limit`).

mod packed;

use super::{
    BoxSource, ExecError, Given, Source, Tuning,
    rows::{Rows, RowsBuilder},
};
use packed::{Packed, order_numbers};
use spectradb_kernel::{
    Batch, Column, Type,
    key::{self, SortOrder},
};
use std::cmp::Ordering;

/// An order and what it gives.
#[derive(Clone, Debug, PartialEq)]
pub struct SortSpec {
    /// First key first.
    pub keys: Vec<SortColumn>,
    /// The columns that it gives.
    pub out: Vec<Given>,
    /// So many rows are wanted of the order, where a limit stands right above it.
    pub row_count_max: Option<u64>,
}

/// A key of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortColumn {
    /// A column of the input with its type.
    pub column: Given,
    /// Its direction, and where NULLs go.
    pub order: SortOrder,
}

/// The rows in order.
pub struct Sort {
    input: BoxSource,
    is_read: bool,
    spec: SortSpec,
    tuning: Tuning,
    rows: Option<Rows>,
    order: Vec<u32>,
    given: usize,
}

impl Sort {
    /// The input's rows in an order.
    pub fn new(input: BoxSource, spec: SortSpec, tuning: Tuning) -> Sort {
        Sort { input, is_read: false, spec, tuning, rows: None, order: Vec::new(), given: 0 }
    }

    /// Reads everything; with a limit, what cannot be among the first rows is dropped on the way.
    fn read(&mut self) -> Result<(), ExecError> {
        let mut held = self.spec.out.clone();
        held.extend(self.spec.keys.iter().map(|key| key.column));
        let wanted = self.spec.row_count_max.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(usize::MAX);
        let mut builder = RowsBuilder::new(held.clone(), &self.tuning.budget);
        // Enough rows that sorting them costs little for each, and never so few that nothing is thrown away.
        let full = wanted.saturating_mul(2).max(PRUNE_ROWS_MIN);
        // The first key's number of the last row that is wanted so far.
        let mut cut = None;
        while wanted > 0
            && let Some(mut batch) = self.input.next()?
        {
            if let (Some(cut), [first, ..]) = (cut, self.spec.keys.as_slice()) {
                let key = batch.column(first.column.column_idx);
                if let Some(rows) = rows_up_to(&key, first.order, cut) {
                    batch = batch.select(rows);
                }
            }
            builder.push(&batch)?;
            if builder.len() >= full {
                let rows = builder.finish();
                let order = self.order_of(&rows, wanted);
                let columns = rows.take(0..held.len(), &order);
                if let ([first, ..], true) = (self.spec.keys.as_slice(), order.len() == wanted) {
                    let last = columns[self.spec.out.len()].slice(wanted - 1..wanted);
                    cut = if last.has_nulls() { None } else { order_numbers(&last, first.order).map(|last| last[0]) };
                }
                let renumbered = held.iter().enumerate().map(|(column_idx, given)| Given { column_idx, ..*given });
                let mut kept = RowsBuilder::new(renumbered.collect(), &self.tuning.budget);
                kept.push(&Batch::new(columns, order.len()))?;
                builder = kept.reading(held.clone());
            }
        }
        let mut rows = builder.finish();
        rows.hold_beside(ORDER_ROW_BYTES)?;
        self.order = self.order_of(&rows, wanted);
        self.rows = Some(rows);
        Ok(())
    }

    fn order_of(&self, rows: &Rows, wanted: usize) -> Vec<u32> {
        let out_count = self.spec.out.len();
        let keys: Vec<Column> = (0..self.spec.keys.len()).map(|idx| rows.whole_column(out_count + idx)).collect();
        let orders: Vec<SortOrder> = self.spec.keys.iter().map(|key| key.order).collect();
        sorted_rows(&keys, &orders, rows.len(), wanted)
    }
}

/// What sorting takes beside the rows: a key's head and a number for each.
const ORDER_ROW_BYTES: usize = 16;

/// Fewer rows than this are not worth a sort to throw some away.
const PRUNE_ROWS_MIN: usize = 65_536;

impl Source for Sort {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        if !self.is_read {
            self.is_read = true;
            self.read()?;
        }
        let Some(rows) = &self.rows else { return Ok(None) };
        let next = &self.order[self.given..self.order.len().min(self.given + self.tuning.batch_rows)];
        if next.is_empty() {
            self.rows = None;
            return Ok(None);
        }
        self.given += next.len();
        Ok(Some(Batch::new(rows.take(0..self.spec.out.len(), next), next.len())))
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        (self.is_read, self.rows, self.given) = (false, None, 0);
        self.order.clear();
        self.input.rewind()
    }
}

/// The numbers of the first `wanted` of `len` rows in the order of their keys; rows with equal keys keep theirs.
pub(super) fn sorted_rows(keys: &[Column], orders: &[SortOrder], len: usize, wanted: usize) -> Vec<u32> {
    if keys.iter().all(|key| key.as_const().is_some()) {
        return (0..len.min(wanted) as u32).collect();
    }
    match Packed::new(keys, orders, len) {
        Some(packed) => packed.first(wanted).rows(),
        None => SortKeys::new(keys, orders, len).sorted(len, wanted),
    }
}

/// Rows in order, and where runs of equal rows begin.
pub(super) struct Arranged {
    /// The rows' numbers.
    pub(super) rows: Vec<u32>,
    /// Does the row at a place differ from the one before in the keys asked about? The first row differs from none.
    pub(super) differs_in_some: Vec<bool>,
    /// And in all keys?
    pub(super) differs: Vec<bool>,
}

/// All rows in the order of their keys, and where the first `some` keys change, and where any does.
pub(super) fn arranged(keys: &[Column], orders: &[SortOrder], some: usize, len: usize) -> Arranged {
    if let Some(packed) = Packed::new(keys, orders, len) {
        let sorted = packed.first(len);
        return Arranged {
            rows: sorted.rows(),
            differs_in_some: sorted.differs(some),
            differs: sorted.differs(keys.len()),
        };
    }
    let all = SortKeys::new(keys, orders, len);
    let rows = all.sorted(len, len);
    let differs_in = |bytes: &SortKeys| {
        let pairs = rows.windows(2).map(|pair| bytes.of(pair[0] as usize) != bytes.of(pair[1] as usize));
        rows.first().map(|_| false).into_iter().chain(pairs).collect()
    };
    let differs_in_some = differs_in(&SortKeys::new(&keys[..some], &orders[..some], len));
    let differs = differs_in(&all);
    Arranged { rows, differs_in_some, differs }
}

/// The first `wanted` items in order. No two are equal.
fn smallest<T>(mut items: Vec<T>, wanted: usize, compare: impl Fn(&T, &T) -> Ordering + Copy) -> Vec<T> {
    if wanted == 0 {
        return Vec::new();
    }
    if wanted < items.len() {
        items.select_nth_unstable_by(wanted - 1, compare);
        items.truncate(wanted);
    }
    if !items.is_sorted_by(|a, b| compare(a, b).is_lt()) {
        items.sort_unstable_by(compare);
    }
    items
}

/// The rows of a batch that a key does not put behind a number; NULLs are among them. `None` where that is not known of them,
/// or where they are nearly all.
fn rows_up_to(key: &Column, order: SortOrder, cut: u64) -> Option<Vec<u32>> {
    let numbers = order_numbers(key, order)?;
    let is_kept = |row: usize, number: u64| number <= cut || key.is_null(row);
    let rows: Vec<u32> =
        numbers.iter().enumerate().filter(|(row, number)| is_kept(*row, **number)).map(|(row, _)| row as u32).collect();
    (rows.len() < numbers.len() / 2).then_some(rows)
}

/// The sort keys of rows, one after another.
pub(super) struct SortKeys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl SortKeys {
    pub(super) fn new(keys: &[Column], orders: &[SortOrder], len: usize) -> SortKeys {
        let (mut bytes, mut ends) = (Vec::with_capacity(len * keys.len() * 9), Vec::with_capacity(len + 1));
        ends.push(0);
        for row in 0..len {
            key::sort_key(keys, orders, row, &mut bytes);
            ends.push(bytes.len());
        }
        SortKeys { bytes, ends }
    }

    /// The key of a row.
    pub(super) fn of(&self, row: usize) -> &[u8] {
        &self.bytes[self.ends[row]..self.ends[row + 1]]
    }

    /// The first `wanted` of `len` rows in order.
    fn sorted(&self, len: usize, wanted: usize) -> Vec<u32> {
        let order = (0..len).map(|row| (self.head(row), row as u32)).collect();
        let compare = |(head_a, a): &(u64, u32), (head_b, b): &(u64, u32)| {
            head_a.cmp(head_b).then_with(|| self.of(*a as usize).cmp(self.of(*b as usize))).then(a.cmp(b))
        };
        smallest(order, wanted, compare).into_iter().map(|(_, row)| row).collect()
    }

    /// The first eight bytes as a number; shorter keys as if zeros followed.
    fn head(&self, row: usize) -> u64 {
        let key = self.of(row);
        let mut head = [0; 8];
        let len = key.len().min(8);
        head[..len].copy_from_slice(&key[..len]);
        u64::from_be_bytes(head)
    }
}

impl SortColumn {
    /// A column in SQL's default order.
    pub fn ascending(column_idx: usize, ty: Type) -> SortColumn {
        SortColumn { column: Given { column_idx, ty }, order: SortOrder::ASCENDING }
    }
}

#[cfg(test)]
mod tests;
