//! What travels between operators? Some rows of several columns, of which a selection may count.
//!
//! Contract. A batch's columns have one length. When a selection is present only the rows it names exist, in its order;
//! reading a column through [`Batch::column`] applies it (a gather), so whatever is computed from there on is dense.

use crate::{column::Column, lane::Lane};

/// How many rows a batch holds unless something decides otherwise.
pub const BATCH_ROWS: usize = 8192;

/// Rows of several columns.
#[derive(Clone, Debug)]
pub struct Batch {
    columns: Vec<Column>,
    len: usize,
    selection: Option<Lane<u32>>,
}

impl Batch {
    /// A batch of columns of `len` rows each (`len` is given so that a batch may have no column).
    ///
    /// # Panics
    /// When a column has another length.
    pub fn new(columns: Vec<Column>, len: usize) -> Batch {
        assert!(columns.iter().all(|column| column.len() == len), "a batch's columns have one length");
        Batch { columns, len, selection: None }
    }

    /// Only the rows named, in that order; they number this batch's present rows.
    pub fn select(self, rows: Vec<u32>) -> Batch {
        self.select_shared(rows.into())
    }

    /// The same for rows that others have too; nothing is copied where this batch has no selection yet.
    pub fn select_shared(self, rows: Lane<u32>) -> Batch {
        let rows = match &self.selection {
            None => rows,
            Some(old) => {
                let old = old.as_slice();
                Lane::from_vec(rows.as_slice().iter().map(|row| old[*row as usize]).collect())
            }
        };
        Batch { selection: Some(rows), ..self }
    }

    /// How many rows count.
    pub fn len(&self) -> usize {
        self.selection.as_ref().map_or(self.len, |rows| rows.len())
    }

    /// Does no row count?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many columns.
    pub fn column_count(&self) -> usize {
        self.columns.len()
    }

    /// A column's rows that count, dense.
    pub fn column(&self, column_idx: usize) -> Column {
        let column = &self.columns[column_idx];
        match &self.selection {
            None => column.clone(),
            Some(rows) => column.take(rows.as_slice()),
        }
    }

    /// A column with all its rows, whether they count or not.
    pub fn raw_column(&self, column_idx: usize) -> &Column {
        &self.columns[column_idx]
    }

    /// The rows that count, where not all do.
    pub fn selection(&self) -> Option<&[u32]> {
        self.selection.as_ref().map(Lane::as_slice)
    }

    /// The same rows without a selection.
    pub fn dense(self) -> Batch {
        let Some(rows) = &self.selection else { return self };
        let columns = self.columns.iter().map(|column| column.take(rows.as_slice())).collect();
        Batch { columns, len: rows.len(), selection: None }
    }

    /// The dense columns.
    pub fn into_columns(self) -> Vec<Column> {
        self.dense().columns
    }

    /// A range of the rows that count.
    pub fn slice(&self, rows: std::ops::Range<usize>) -> Batch {
        match &self.selection {
            None => {
                let columns = self.columns.iter().map(|column| column.slice(rows.clone())).collect();
                Batch { columns, len: rows.len(), selection: None }
            }
            Some(old) => Batch { columns: self.columns.clone(), len: self.len, selection: Some(old.slice(rows)) },
        }
    }
}
