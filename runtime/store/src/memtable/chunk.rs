//! How do facts lie in the memtable?
//!
//! In chunks: a [`Chunk`] is a run that is never added to, so readers share it without asking anyone. A big write brings
//! its columns and becomes chunks as it is, no row being touched. Small writes gather in the [`Tail`], which becomes a
//! chunk when it is full; readers of the tail copy it, or look at one row of it, under the table's short lock.
//!
//! Holds: a row keeps its place (chunk number, row) when its tail becomes a chunk.
//! Not here: finding rows by key (`memtable::table`).

use crate::{
    fact::FactBatch,
    notes::Ends,
    remembered::CountedCell,
    run::{END_OPEN, Run, constant_integer, integers, lane_of_commit, period_lanes},
    shape::Shape,
};
use spectradb_kernel::{
    Column, Period, Type, Value,
    column::ColumnBuilder,
    time::{Commit, Micros},
};
use std::{ops::Range, sync::Arc};

/// Rows a chunk has at most.
pub(super) const CHUNK_ROWS_MAX: usize = 16_384;

/// Rows at which the tail becomes a chunk.
pub(super) const TAIL_ROWS_MAX: usize = 1024;

/// A tail that held more bytes gives its memory back.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// Facts that came together, or a tail that got full.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// What the facts were written under.
    pub(crate) shape: Arc<Shape>,
    /// The facts.
    pub(crate) run: Run,
    /// Their ends.
    pub(crate) ends: Ends,
    /// Those that the present shows.
    pub(crate) remembered: CountedCell,
}

impl Chunk {
    /// Facts with their ends.
    pub(crate) fn new(shape: &Arc<Shape>, run: Run, ends: Ends) -> Chunk {
        Chunk { shape: shape.clone(), run, ends, remembered: CountedCell::default() }
    }

    /// Rows of a batch as a chunk; the columns are shared.
    pub(crate) fn of_batch(shape: &Arc<Shape>, batch: &FactBatch, commit: Commit, rows: Range<usize>) -> Chunk {
        let len = rows.len();
        let columns: Vec<Column> = batch.columns.iter().map(|column| column.slice(rows.clone())).collect();
        let lanes = period_lanes(&batch.periods[rows.clone()]);
        let origins = &batch.origins[rows];
        let origin = if origins.iter().all(|origin| *origin == 0) {
            constant_integer(0, len)
        } else {
            integers(Type::Integer, origins.iter().map(|origin| lane_of_commit(*origin)).collect())
        };
        let commit = constant_integer(lane_of_commit(commit), len);
        let run = Run::new(columns, lanes, commit, origin, constant_integer(END_OPEN, len));
        Chunk::new(shape, run, Ends::default())
    }
}

/// A column of the tail. As long as there are only NULLs they are counted and nothing else: of most commits nothing is told, and
/// some columns are never used.
#[derive(Debug)]
pub(super) struct TailColumn {
    nulls: usize,
    /// All rows, from the first one on that has a value.
    builder: ColumnBuilder,
}

impl TailColumn {
    fn new(ty: Type) -> TailColumn {
        TailColumn { nulls: 0, builder: ColumnBuilder::new(ty) }
    }

    /// Adds a NULL where there is nothing else; answers whether it did.
    fn adds_null(&mut self, is_null: bool, count: usize) -> bool {
        if is_null && self.builder.is_empty() {
            self.nulls += count;
            return true;
        }
        (0..std::mem::take(&mut self.nulls)).for_each(|_| self.builder.push_null());
        false
    }

    pub(super) fn push(&mut self, value: &Value) {
        if !self.adds_null(value.is_null(), 1) {
            self.builder.push(value);
        }
    }

    pub(super) fn push_from(&mut self, column: &Column, row: usize) {
        if !self.adds_null(column.is_null(row), 1) {
            self.builder.push_from(column, row);
        }
    }

    fn extend(&mut self, column: &Column) {
        let only_nulls = column.as_const().is_some_and(Value::is_null);
        if !self.adds_null(only_nulls, column.len()) {
            self.builder.extend(column);
        }
    }

    pub(super) fn value(&self, row: usize) -> Value {
        match row < self.nulls {
            true => Value::Null,
            false => self.builder.value(row),
        }
    }

    fn bytes(&self) -> usize {
        self.builder.bytes()
    }

    fn clear(&mut self) {
        self.nulls = 0;
        self.builder.clear();
    }

    fn to_column(&self) -> Column {
        match self.nulls {
            0 => self.builder.to_column(),
            nulls => Column::constant(self.builder.ty(), Value::Null, nulls),
        }
    }
}

/// The newest facts of a table, open for more.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) shape: Arc<Shape>,
    pub(super) columns: Vec<TailColumn>,
    pub(super) commits: Vec<i64>,
    pub(super) origins: Vec<i64>,
    pub(super) from: Vec<Micros>,
    pub(super) to: Vec<Micros>,
    pub(super) ends: Vec<i64>,
    bytes: usize,
}

impl Tail {
    pub(super) fn new(shape: Arc<Shape>) -> Tail {
        let columns = shape.columns.iter().map(|(_, ty)| TailColumn::new(*ty)).collect();
        Tail {
            shape,
            columns,
            commits: Vec::new(),
            origins: Vec::new(),
            from: Vec::new(),
            to: Vec::new(),
            ends: Vec::new(),
            bytes: 0,
        }
    }

    /// Forgets all rows: as many are to be expected again, and their lanes grow no more. Memory for very long rows goes.
    pub(super) fn clear(&mut self) {
        if self.bytes > KEPT_BYTES_MAX {
            *self = Tail::new(self.shape.clone());
            return;
        }
        self.columns.iter_mut().for_each(TailColumn::clear);
        for lane in [&mut self.commits, &mut self.origins, &mut self.from, &mut self.to, &mut self.ends] {
            lane.clear();
        }
        self.bytes = 0;
    }

    pub(super) fn len(&self) -> usize {
        self.commits.len()
    }

    /// Adds a row, given what adds its value to a column: its period, and the commit of its origin; answers how many bytes it
    /// takes.
    pub(super) fn push(
        &mut self,
        mut put: impl FnMut(usize, &mut TailColumn),
        period: Period,
        origin: Commit,
        commit: Commit,
    ) -> usize {
        let mut bytes = 40;
        for (column_idx, column) in self.columns.iter_mut().enumerate() {
            let before = column.bytes();
            put(column_idx, column);
            bytes += column.bytes() - before;
        }
        self.commits.push(lane_of_commit(commit));
        self.origins.push(lane_of_commit(origin));
        self.from.push(period.from());
        self.to.push(period.to());
        self.ends.push(END_OPEN);
        self.bytes += bytes;
        bytes
    }

    /// Adds rows of a batch by columns; answers how many bytes they take.
    pub(super) fn extend(&mut self, batch: &FactBatch, rows: Range<usize>, commit: Commit) -> usize {
        let before: usize = self.columns.iter().map(TailColumn::bytes).sum();
        let is_whole = rows.len() == batch.periods.len();
        for (builder, column) in self.columns.iter_mut().zip(&batch.columns) {
            match is_whole {
                true => builder.extend(column),
                false => builder.extend(&column.slice(rows.clone())),
            }
        }
        let len = self.commits.len() + rows.len();
        self.commits.resize(len, lane_of_commit(commit));
        self.origins.extend(batch.origins[rows.clone()].iter().map(|origin| lane_of_commit(*origin)));
        self.from.extend(batch.periods[rows.clone()].iter().map(|period| period.from()));
        self.to.extend(batch.periods[rows.clone()].iter().map(|period| period.to()));
        self.ends.resize(len, END_OPEN);
        let after: usize = self.columns.iter().map(TailColumn::bytes).sum();
        let bytes = 40 * rows.len() + after - before;
        self.bytes += bytes;
        bytes
    }

    /// How many rows more it takes, as far as their number goes.
    pub(super) fn room(&self) -> usize {
        TAIL_ROWS_MAX - self.len()
    }

    /// Is there room for a row, and do strings stay far from a column's bounds?
    pub(super) fn has_room(&self) -> bool {
        self.len() < TAIL_ROWS_MAX && self.bytes < (16 << 20)
    }

    /// The rows so far as a chunk.
    pub(super) fn to_chunk(&self) -> Chunk {
        let len = self.len();
        let columns = self.columns.iter().map(TailColumn::to_column).collect();
        let lanes = (integers(Type::Timestamp, self.from.clone()), integers(Type::Timestamp, self.to.clone()));
        let commit = integers(Type::Integer, self.commits.clone());
        let origin = integers(Type::Integer, self.origins.clone());
        let run = Run::new(columns, lanes, commit, origin, constant_integer(END_OPEN, len));
        let ends = Ends::default();
        let noted = self.ends.iter().enumerate().filter(|(_, end)| **end != END_OPEN);
        noted.for_each(|(row, end)| ends.note(row as u32, *end, len));
        Chunk::new(&self.shape, run, ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counted or kept, NULLs are read as such, and a value behind them stands where it was put.
    #[test]
    fn nulls_before_the_first_value_are_rows_like_all_others() {
        let shared = Column::from_values(Type::Text, &[Value::Null, Value::from("of a column")]);
        let mut column = TailColumn::new(Type::Text);
        // Twice: what is cleared begins anew.
        for _ in 0..2 {
            column.clear();
            column.push(&Value::Null);
            column.push_from(&shared, 0);
            column.extend(&Column::constant(Type::Text, Value::Null, 2));
            assert_eq!((column.to_column().as_const(), column.to_column().len()), (Some(&Value::Null), 4));
            assert_eq!((column.value(3), column.bytes()), (Value::Null, TailColumn::new(Type::Text).bytes()));
            column.push_from(&shared, 1);
            column.push(&Value::Null);
            column.extend(&Column::constant(Type::Text, Value::Null, 1));
            column.extend(&shared);
            let expected = [0, 0, 0, 0, 1, 0, 0, 0, 1].map(|row| shared.value(row));
            assert!(column.to_column().values().eq(expected.iter().cloned()));
            assert!((0..9).all(|row| column.value(row) == expected[row]));
        }
    }
}
