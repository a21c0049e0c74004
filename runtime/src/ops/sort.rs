//! In which order do rows come?
//!
//! All rows are held, and their numbers sorted by a key that compares as integers or bytes do: a lone column of one width
//! becomes one number with the NULLs put before or behind, anything else the sort key of `spectradb_kernel::key`, of which
//! the first eight bytes are compared as a number. The row's number stands behind the key, so equal rows keep their order.
//! Where only the first rows are wanted, the rest is thrown away every time enough has come together; and once there are as many
//! as wanted, a row whose first key alone puts it behind the last of them is not even held.
//!
//! Not here: computing keys (`Eval` stages beneath), cutting the result to its exact length (`limit`).

use super::{
    BoxSource, ExecError, Given, Source, Tuning,
    rows::{Rows, RowsBuilder},
};
use spectradb_kernel::{
    Batch, Column, Type,
    column::Vals,
    key::{self, SortOrder},
    ty::LaneKind,
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
    input: Option<BoxSource>,
    spec: SortSpec,
    batch_rows: usize,
    rows: Option<Rows>,
    order: Vec<u32>,
    given: usize,
}

impl Sort {
    /// The input's rows in an order.
    pub fn new(input: BoxSource, spec: SortSpec, tuning: Tuning) -> Sort {
        Sort { input: Some(input), spec, batch_rows: tuning.batch_rows, rows: None, order: Vec::new(), given: 0 }
    }

    /// Reads everything; with a limit, what cannot be among the first rows is dropped on the way.
    fn read(&mut self, mut input: BoxSource) -> Result<(), ExecError> {
        let mut held = self.spec.out.clone();
        held.extend(self.spec.keys.iter().map(|key| key.column));
        let wanted = self.spec.row_count_max.and_then(|rows| usize::try_from(rows).ok()).unwrap_or(usize::MAX);
        let mut builder = RowsBuilder::new(held.clone());
        // Enough rows that sorting them costs little for each, and never so few that nothing is thrown away.
        let full = wanted.saturating_mul(2).max(PRUNE_ROWS_MIN);
        // The first key's number of the last row that is wanted so far.
        let mut cut = None;
        while wanted > 0
            && let Some(mut batch) = input.next()?
        {
            if let (Some(cut), [first, ..]) = (cut, self.spec.keys.as_slice()) {
                let key = batch.column(first.column.column_idx);
                if let Some(rows) = rows_up_to(&key, first.order, cut) {
                    batch = batch.select(rows);
                }
            }
            builder.push(&batch);
            if builder.len() >= full {
                let rows = builder.finish();
                let order = self.order_of(&rows, wanted);
                let columns = rows.take(0..held.len(), &order);
                if let ([first, ..], true) = (self.spec.keys.as_slice(), order.len() == wanted) {
                    let last = columns[self.spec.out.len()].slice(wanted - 1..wanted);
                    cut = if last.has_nulls() { None } else { order_numbers(&last, first.order).map(|last| last[0]) };
                }
                let renumbered = held.iter().enumerate().map(|(column_idx, given)| Given { column_idx, ..*given });
                let mut kept = RowsBuilder::new(renumbered.collect());
                kept.push(&Batch::new(columns, order.len()));
                builder = kept.reading(held.clone());
            }
        }
        let rows = builder.finish();
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

/// Fewer rows than this are not worth a sort to throw some away.
const PRUNE_ROWS_MIN: usize = 65_536;

impl Source for Sort {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        if let Some(input) = self.input.take() {
            self.read(input)?;
        }
        let Some(rows) = &self.rows else { return Ok(None) };
        let next = &self.order[self.given..self.order.len().min(self.given + self.batch_rows)];
        if next.is_empty() {
            self.rows = None;
            return Ok(None);
        }
        self.given += next.len();
        Ok(Some(Batch::new(rows.take(0..self.spec.out.len(), next), next.len())))
    }
}

/// The numbers of the first `wanted` of `len` rows in the order of their keys; rows with equal keys keep theirs.
pub(super) fn sorted_rows(keys: &[Column], orders: &[SortOrder], len: usize, wanted: usize) -> Vec<u32> {
    if keys.iter().all(|key| key.as_const().is_some()) {
        return (0..len.min(wanted) as u32).collect();
    }
    if let ([key], [order]) = (keys, orders)
        && let Some(rows) = sorted_by_number(key, *order, wanted)
    {
        return rows;
    }
    let bytes = SortKeys::new(keys, orders, len);
    let order = (0..len).map(|row| (bytes.head(row), row as u32)).collect();
    let compare = |(head_a, a): &(u64, u32), (head_b, b): &(u64, u32)| {
        head_a.cmp(head_b).then_with(|| bytes.of(*a as usize).cmp(bytes.of(*b as usize))).then(a.cmp(b))
    };
    smallest(order, wanted, compare).into_iter().map(|(_, row)| row).collect()
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

/// A number for each row that is ordered as the key is, and equal only where the key is; NULLs have any number. `None` for a
/// column whose keys are not numbers.
fn order_numbers(key: &Column, order: SortOrder) -> Option<Vec<u64>> {
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

/// The rows of a batch that a key does not put behind a number; NULLs are among them. `None` where that is not known of them,
/// or where they are nearly all.
fn rows_up_to(key: &Column, order: SortOrder, cut: u64) -> Option<Vec<u32>> {
    let numbers = order_numbers(key, order)?;
    let is_kept = |row: usize, number: u64| number <= cut || key.is_null(row);
    let rows: Vec<u32> =
        numbers.iter().enumerate().filter(|(row, number)| is_kept(*row, **number)).map(|(row, _)| row as u32).collect();
    (rows.len() < numbers.len() / 2).then_some(rows)
}

/// Sorts by one column of integers, reals or booleans; `None` for a column of another kind.
fn sorted_by_number(key: &Column, order: SortOrder, wanted: usize) -> Option<Vec<u32>> {
    let rows = order_numbers(key, order)?.into_iter().zip(0u32..);
    if !key.has_nulls() {
        return Some(smallest(rows.collect(), wanted, Ord::cmp).into_iter().map(|(_, row)| row).collect());
    }
    let null = if order.nulls_first { 0u8 } else { 2 };
    let rows = rows.map(|(number, row)| if key.is_null(row as usize) { (null, 0, row) } else { (1, number, row) });
    Some(smallest(rows.collect(), wanted, Ord::cmp).into_iter().map(|(_, _, row)| row).collect())
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
