//! What is a table: its columns, its key, its version?
//!
//! Contract. The store, the language and generated code share this description. Columns and tables have numbers that are
//! never used again, so a fact written under an old version still says which column each value belongs to.
//! Every table has a key; one declared without gets a hidden INTEGER column that numbers its rows.

use crate::ty::Type;
use std::fmt;

/// The number of a table, never used again after it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u32);

/// The number of a column within its table, never used again after it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnId(pub u32);

/// Whether a table has typed columns or a key and a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// Columns as declared.
    Typed,
    /// `pk TEXT PRIMARY KEY` and `doc JSON`.
    Document,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSchema {
    /// Its number.
    pub id: ColumnId,
    /// Its name: folded to lower case unless it was quoted.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// May it be NULL? Key columns never may.
    pub nullable: bool,
    /// The SQL text of its DEFAULT, if it has one; the language reads it again at each bind.
    pub default: Option<String>,
    /// Hidden columns are not in `*` and cannot be named: the row number of a table without a declared key.
    pub hidden: bool,
}

/// A table: one version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSchema {
    /// Its number.
    pub id: TableId,
    /// Its name.
    pub name: String,
    /// 1 at creation, one more with each change.
    pub version: u32,
    /// Typed columns or a document.
    pub kind: TableKind,
    /// The columns, in order.
    pub columns: Vec<ColumnSchema>,
    /// Positions in `columns` of the key, in key order; never empty.
    pub key: Vec<usize>,
}

impl TableSchema {
    /// The position of a column by name, hidden ones left out.
    pub fn column_idx(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name && !column.hidden)
    }

    /// The types of the key's columns, in key order.
    pub fn key_types(&self) -> impl ExactSizeIterator<Item = Type> + '_ {
        self.key.iter().map(|column_idx| self.columns[*column_idx].ty)
    }

    /// Does the key contain this column position?
    pub fn is_key(&self, column_idx: usize) -> bool {
        self.key.contains(&column_idx)
    }
}

impl fmt::Display for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
