//! Which columns do facts have that were written together?
//!
//! Facts keep the shape of the schema they were written under: chunks and segments carry it, and a reader who asks in
//! the terms of a newer schema finds each column by its number.

use spectradb_kernel::{
    Type,
    schema::{ColumnId, TableId, TableSchema},
};

/// The columns and the key of a table in one version of its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// The table.
    pub(crate) table: TableId,
    /// The schema's version.
    pub(crate) version: u32,
    /// Its columns, in order.
    pub(crate) columns: Vec<(ColumnId, Type)>,
    /// Positions in `columns` of the key, in key order; never empty.
    pub(crate) key: Vec<usize>,
}

impl Shape {
    /// The shape of a schema.
    pub(crate) fn of(schema: &TableSchema) -> Shape {
        Shape {
            table: schema.id,
            version: schema.version,
            columns: schema.columns.iter().map(|column| (column.id, column.ty.plain())).collect(),
            key: schema.key.clone(),
        }
    }

    /// The types of the key's columns.
    pub(crate) fn key_types(&self) -> impl ExactSizeIterator<Item = Type> + '_ {
        self.key.iter().map(|column_idx| self.columns[*column_idx].1)
    }

    /// Where a column of another version of the same table stands here; `None` when this version does not have it.
    pub(crate) fn place_of(&self, other: &TableSchema, column_idx: usize) -> Option<usize> {
        if self.version == other.version {
            return Some(column_idx);
        }
        let id = other.columns.get(column_idx)?.id;
        self.columns.iter().position(|(column, _)| *column == id)
    }
}
