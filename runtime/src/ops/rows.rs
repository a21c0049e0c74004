//! How do operators that must see all rows before they answer hold them, and give some of them again?
//!
//! Batches are collected into chunks, column by column; a row is named by its number in the order of arrival. As long as
//! the strings of all rows fit one column there is one chunk, and giving rows is a gather; past that, rows are picked
//! one by one.
//!
//! Not here: their order (`sort`), their groups (`groups`).

use super::{Budget, ExecError, Given, Held};
use spectradb_kernel::{
    Batch, Column, Value,
    bitmap::Bitmap,
    column::{ColumnBuilder, Data},
};

/// A chunk's strings stay well below the 4 GiB that a column holds.
const CHUNK_BYTES_MAX: usize = 1 << 30;

/// Rows of some columns, being collected.
pub(super) struct RowsBuilder {
    given: Vec<Given>,
    chunks: Vec<Vec<Column>>,
    chunk_lens: Vec<usize>,
    parts: Vec<Vec<Column>>,
    part_rows: usize,
    part_bytes: usize,
    len: usize,
    held: Held,
}

/// Rows of some columns, by number.
pub(super) struct Rows {
    given: Vec<Given>,
    chunks: Vec<Vec<Column>>,
    /// The number of each chunk's first row.
    starts: Vec<usize>,
    len: usize,
    /// Given back with the rows.
    held: Held,
}

impl RowsBuilder {
    /// Nothing yet; of each batch these columns are held.
    pub(super) fn new(given: Vec<Given>, budget: &Budget) -> RowsBuilder {
        let parts = vec![Vec::new(); given.len()];
        RowsBuilder {
            given,
            chunks: Vec::new(),
            chunk_lens: Vec::new(),
            parts,
            part_rows: 0,
            part_bytes: 0,
            len: 0,
            held: budget.hold(),
        }
    }

    /// The same rows; of later batches these columns are held, of the same types.
    pub(super) fn reading(self, given: Vec<Given>) -> RowsBuilder {
        assert!(self.given.iter().map(|given| given.ty).eq(given.iter().map(|given| given.ty)), "types do not change");
        RowsBuilder { given, ..self }
    }

    /// How many rows so far.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends a batch's rows.
    ///
    /// # Errors
    /// [`ExecError::OutOfMemory`].
    pub(super) fn push(&mut self, batch: &Batch) -> Result<(), ExecError> {
        let columns: Vec<Column> = self.given.iter().map(|given| batch.column(given.column_idx)).collect();
        self.held.add_columns(&columns)?;
        let bytes = columns.iter().map(Column::memory_bytes).max().unwrap_or(0);
        if self.part_bytes + bytes > CHUNK_BYTES_MAX {
            self.end_chunk();
        }
        self.part_bytes += bytes;
        self.part_rows += batch.len();
        self.len += batch.len();
        for (part, column) in self.parts.iter_mut().zip(columns) {
            part.push(column);
        }
        Ok(())
    }

    fn end_chunk(&mut self) {
        if self.part_rows == 0 {
            return;
        }
        let columns = self.parts.iter_mut().zip(&self.given).map(|(parts, given)| {
            let column = Column::concat(given.ty, parts);
            parts.clear();
            column
        });
        self.chunks.push(columns.collect());
        self.chunk_lens.push(self.part_rows);
        (self.part_rows, self.part_bytes) = (0, 0);
    }

    /// The rows.
    pub(super) fn finish(mut self) -> Rows {
        self.end_chunk();
        assert!(u32::try_from(self.len).is_ok(), "an operator holds fewer than 2^32 rows");
        let mut start = 0;
        let starts = self.chunk_lens.iter().map(|len| {
            start += len;
            start - len
        });
        let starts = starts.collect();
        Rows { given: self.given, chunks: self.chunks, starts, len: self.len, held: self.held }
    }
}

impl Rows {
    /// So many bytes more for each row, for what an operator keeps beside them.
    ///
    /// # Errors
    /// [`ExecError::OutOfMemory`].
    pub(super) fn hold_beside(&mut self, row_bytes: usize) -> Result<(), ExecError> {
        self.held.add(self.len.saturating_mul(row_bytes))
    }

    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// A held column with all its rows, by position among the held ones.
    pub(super) fn whole_column(&self, idx: usize) -> Column {
        match self.chunks.as_slice() {
            [] => Column::from_values(self.given[idx].ty, []),
            [only] => only[idx].clone(),
            many => {
                let parts: Vec<Column> = many.iter().map(|chunk| chunk[idx].clone()).collect();
                Column::concat(self.given[idx].ty, &parts)
            }
        }
    }

    /// The rows named, in that order, of the held columns at these positions.
    pub(super) fn take(&self, idxs: impl Iterator<Item = usize>, rows: &[u32]) -> Vec<Column> {
        idxs.map(|idx| self.take_column(idx, rows)).collect()
    }

    fn take_column(&self, idx: usize, rows: &[u32]) -> Column {
        if let [only] = self.chunks.as_slice() {
            return only[idx].take(rows);
        }
        let mut builder = ColumnBuilder::new(self.given[idx].ty);
        for row in rows {
            let (chunk, row) = self.find(*row);
            builder.push_from(&self.chunks[chunk][idx], row);
        }
        builder.finish()
    }

    /// The rows named, where [`NO_ROW`] stands for a row of NULLs.
    pub(super) fn take_or_null(&self, idxs: impl Iterator<Item = usize>, rows: &[u32]) -> Vec<Column> {
        if !rows.contains(&NO_ROW) {
            return self.take(idxs, rows);
        }
        idxs.map(|idx| self.take_column_or_null(idx, rows)).collect()
    }

    fn take_column_or_null(&self, idx: usize, rows: &[u32]) -> Column {
        let ty = self.given[idx].ty;
        if self.len == 0 || rows.iter().all(|row| *row == NO_ROW) {
            return Column::constant(ty, Value::Null, rows.len());
        }
        // Row 0 lends its value to the rows that have none; validity takes it away again.
        let lent: Vec<u32> = rows.iter().map(|row| if *row == NO_ROW { 0 } else { *row }).collect();
        let mut column = self.take_column(idx, &lent);
        if let Data::Const(_) = column.data() {
            column = column.to_plain();
        }
        let known = rows.iter().enumerate().map(|(i, row)| *row != NO_ROW && !column.is_null(i));
        let known = Bitmap::from_bools(known);
        column.with_validity(Some(known))
    }

    fn find(&self, row: u32) -> (usize, usize) {
        let chunk = self.starts.partition_point(|start| *start <= row as usize) - 1;
        (chunk, row as usize - self.starts[chunk])
    }
}

/// No row: NULLs in its place.
pub(super) const NO_ROW: u32 = u32::MAX;
