//! Which columns do facts have that were written together?
//!
//! Facts keep the shape of the schema they were written under: chunks and segments carry it, and a reader who asks in
//! the terms of a newer schema finds each column by its number.

use crate::format::sst_v1::type_to_v1;
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

    /// Does a table have facts of this shape, which a file names?
    pub(crate) fn fits(&self, schema: &TableSchema) -> bool {
        let of_schema = Shape::of(schema);
        let same = |one: &(ColumnId, Type), other: &(ColumnId, Type)| type_to_v1(one.1) == type_to_v1(other.1);
        if self.version == schema.version {
            let ids = |shape: &Shape| shape.columns.iter().map(|(id, _)| *id).collect::<Vec<_>>();
            let all_same = self.columns.iter().zip(&of_schema.columns).all(|(one, other)| same(one, other));
            return self.key == of_schema.key && ids(self) == ids(&of_schema) && all_same;
        }
        // Columns are found by their numbers.
        let of_number = |id: ColumnId| of_schema.columns.iter().find(move |(of, _)| *of == id);
        self.columns.iter().all(|column| of_number(column.0).is_none_or(|of| same(column, of)))
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
