//! Which tables does a statement see?
//!
//! Contract. The binder asks a [`Catalog`]; the runtime answers from the database, the macros from schemas known at compile
//! time ([`StaticCatalog`]). A [`fingerprint`] names a table's shape, so that compiled queries notice when the database's
//! is another.

use spectradb_kernel::{schema::TableSchema, time::Commit};
use std::sync::Arc;

/// The tables that names are bound against.
pub trait Catalog {
    /// The version of this catalogue; plans are cached under it.
    fn version(&self) -> u64;

    /// The table of a name (already folded).
    fn table(&self, name: &str) -> Option<Arc<TableSchema>>;

    /// All names, for suggestions.
    fn table_names(&self) -> Vec<String>;

    /// The newest visible commit; `None` where there is no database (compile time).
    fn current_commit(&self) -> Option<Commit>;

    /// The table of a name as the commit's catalogue version had it. Asked only for commits before the current one.
    fn table_at(&self, name: &str, commit: Commit) -> Option<Arc<TableSchema>>;

    /// The tables that had a name (already folded) and were dropped, the newest first: ERASE reaches them too.
    fn dropped_tables(&self, _name: &str) -> Vec<Arc<TableSchema>> {
        Vec::new()
    }
}

/// A fixed set of tables.
#[derive(Clone, Debug, Default)]
pub struct StaticCatalog {
    /// The tables.
    pub tables: Vec<Arc<TableSchema>>,
}

impl Catalog for StaticCatalog {
    fn version(&self) -> u64 {
        0
    }

    fn table(&self, name: &str) -> Option<Arc<TableSchema>> {
        self.tables.iter().find(|table| table.name == name).cloned()
    }

    fn table_names(&self) -> Vec<String> {
        self.tables.iter().map(|table| table.name.clone()).collect()
    }

    fn current_commit(&self) -> Option<Commit> {
        None
    }

    fn table_at(&self, name: &str, _commit: Commit) -> Option<Arc<TableSchema>> {
        self.table(name)
    }
}

/// A number for a table's shape: names, types, nullability and key, in order. FNV-1a, so that compiled programs and the
/// database agree whatever was linked.
pub fn fingerprint(table: &TableSchema) -> u64 {
    let mut text = format!("{}\u{1}", table.name);
    for column in &table.columns {
        text.push_str(&format!("{}\u{1}{}\u{1}{}\u{1}", column.name, column.ty, column.nullable));
    }
    for column_idx in &table.key {
        text.push_str(&format!("{column_idx}\u{1}"));
    }
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
