//! Which tables are there, and which were there before?
//!
//! A [`Catalog`] is one version of all tables; a change makes the next version. [`Catalogs`] keeps every version, because
//! a statement about the past binds its names in the catalogue of that time. Versions share the tables they have in
//! common. Numbers of tables and columns are given once and never again, and a dropped table's facts stay readable from
//! a version that still had it.
//!
//! Holds: version n + 1 follows n; version 0 is the empty catalogue.
//! Not here: the bytes (`format::catalog_v1`), the order of changes among commits (the log).

use arc_swap::ArcSwap;
use spectradb_kernel::{
    schema::{ColumnId, ColumnSchema, TableId, TableKind, TableSchema},
    time::{Commit, Micros},
    ty::Type,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
};

/// One version of all tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// 0 for the empty database, one more with each change.
    pub version: u64,
    /// The tables, by number.
    pub tables: Vec<Arc<TableSchema>>,
    /// How long history is kept, in microseconds, of tables where that has an end.
    pub retentions: BTreeMap<TableId, Micros>,
}

impl Catalog {
    /// The table of a name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<TableSchema>> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// How long a table's history is kept, in microseconds; `None` is for ever.
    pub fn retention(&self, table: TableId) -> Option<Micros> {
        self.retentions.get(&table).copied()
    }

    /// The table of a number.
    pub fn by_id(&self, id: TableId) -> Option<&Arc<TableSchema>> {
        self.tables.binary_search_by_key(&id, |table| table.id).ok().map(|table_idx| &self.tables[table_idx])
    }
}

/// A table to be made: a schema without the numbers that the store gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTable {
    /// Its name.
    pub name: String,
    /// Typed columns or a document.
    pub kind: TableKind,
    /// The columns, in order.
    pub columns: Vec<NewColumn>,
    /// Positions in `columns` of the key, in key order; not empty.
    pub key: Vec<usize>,
}

/// A column of a table to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// May it be NULL?
    pub nullable: bool,
    /// The SQL text of its DEFAULT.
    pub default: Option<String>,
    /// Is it left out of `*`?
    pub hidden: bool,
}

/// A change of the catalogue, as the log records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogChange {
    /// A table begins.
    Create(Arc<TableSchema>),
    /// A table ends.
    Drop(TableId),
    /// A table's history is kept so many microseconds, or for ever.
    Retain(TableId, Option<Micros>),
}

impl CatalogChange {
    /// The schema that it gives a table.
    pub fn schema(&self) -> Option<&Arc<TableSchema>> {
        match self {
            CatalogChange::Create(schema) => Some(schema),
            CatalogChange::Drop(_) | CatalogChange::Retain(..) => None,
        }
    }
}

/// One version of the catalogue with its place in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogVersion {
    /// The tables.
    pub catalog: Arc<Catalog>,
    /// The change that made it; `None` for version 0.
    pub change: Option<CatalogChange>,
    /// The last commit before it.
    pub after_commit: Commit,
    /// When it was made.
    pub instant: Micros,
    /// Its log record.
    pub record: u64,
}

/// Every version of the catalogue. Versions are only added.
#[derive(Debug)]
pub struct Catalogs {
    versions: RwLock<Vec<CatalogVersion>>,
    /// Each table that was ever made, by its number, with the last commit before it.
    made: ArcSwap<Vec<(TableId, Commit)>>,
}

impl Default for Catalogs {
    fn default() -> Catalogs {
        let empty =
            CatalogVersion { catalog: Arc::default(), change: None, after_commit: 0, instant: Micros::MIN, record: 0 };
        Catalogs { versions: RwLock::new(vec![empty]), made: ArcSwap::default() }
    }
}

impl Catalogs {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Vec<CatalogVersion>> {
        self.versions.read().expect("nobody panics while adding a version")
    }

    /// The newest version.
    pub fn newest(&self) -> Arc<Catalog> {
        self.read().last().expect("version 0 is always there").catalog.clone()
    }

    /// A version by its number.
    pub fn at(&self, version: u64) -> Option<Arc<Catalog>> {
        let place = usize::try_from(version).ok()?;
        self.read().get(place).map(|version| version.catalog.clone())
    }

    /// The last commit before a table was made.
    pub(crate) fn made_after(&self, table: TableId) -> Option<Commit> {
        let made = self.made.load();
        made.binary_search_by_key(&table, |(table, _)| *table).ok().map(|place| made[place].1)
    }

    /// The last schema that a table had, a dropped one's too.
    pub fn schema(&self, table: TableId) -> Option<Arc<TableSchema>> {
        self.read().iter().rev().find_map(|version| version.catalog.by_id(table).cloned())
    }

    /// The tables of a name that were dropped up to a version, the newest first.
    pub(crate) fn dropped(&self, name: &str, version: u64) -> Vec<Arc<TableSchema>> {
        let versions = self.read();
        let upto = versions.iter().take_while(|each| each.catalog.version <= version);
        let Some(newest) = upto.clone().last() else { return Vec::new() };
        let made = upto.filter_map(|each| each.change.as_ref()?.schema());
        let dropped = made.filter(|table| table.name == name && newest.catalog.by_id(table.id).is_none());
        let mut dropped: Vec<_> = dropped.cloned().collect();
        dropped.reverse();
        dropped
    }

    /// The schema that a table had in one of its own versions.
    pub fn schema_at(&self, table: TableId, schema_version: u32) -> Option<Arc<TableSchema>> {
        let versions = self.read();
        let schemas = versions.iter().rev().filter_map(|version| version.catalog.by_id(table));
        schemas.clone().find(|schema| schema.version == schema_version).cloned()
    }

    /// All versions, oldest first.
    pub(crate) fn all(&self) -> Vec<CatalogVersion> {
        self.read().clone()
    }

    /// The smallest table number never given.
    pub(crate) fn next_table(&self) -> TableId {
        let created = self
            .read()
            .iter()
            .filter_map(|version| match &version.change {
                Some(CatalogChange::Create(table)) => Some(table.id.0),
                Some(CatalogChange::Drop(_) | CatalogChange::Retain(..)) | None => None,
            })
            .max();
        // Number 0 is the store's own table of commits.
        TableId(created.unwrap_or(0) + 1)
    }

    /// The version that a change would make; `None` when the change does not fit the newest version.
    pub(crate) fn after(&self, change: &CatalogChange) -> Option<Catalog> {
        let newest = self.newest();
        let mut tables = newest.tables.clone();
        let mut retentions = newest.retentions.clone();
        match change {
            CatalogChange::Create(table) => {
                if newest.by_name(&table.name).is_some() || table.id < self.next_table() {
                    return None;
                }
                tables.push(table.clone());
            }
            CatalogChange::Drop(id) => {
                newest.by_id(*id)?;
                tables.retain(|table| table.id != *id);
                retentions.remove(id);
            }
            CatalogChange::Retain(id, retention) => {
                newest.by_id(*id)?;
                match retention {
                    Some(micros) if *micros < 0 => return None,
                    Some(micros) => retentions.insert(*id, *micros),
                    None => retentions.remove(id),
                };
            }
        }
        Some(Catalog { version: newest.version + 1, tables, retentions })
    }

    /// Adds the next version.
    pub(crate) fn push(&self, version: CatalogVersion) {
        let mut versions = self.versions.write().expect("nobody panics while adding a version");
        debug_assert_eq!(versions.len() as u64, version.catalog.version, "versions follow each other");
        if let Some(CatalogChange::Create(table)) = &version.change {
            // Numbers are given in rising order.
            let mut made = Vec::clone(&self.made.load());
            made.push((table.id, version.after_commit));
            self.made.store(Arc::new(made));
        }
        versions.push(version);
    }
}

impl NewTable {
    /// The schema with its numbers: columns count from 1 in their order.
    pub(crate) fn number(self, id: TableId) -> TableSchema {
        let columns = self.columns.into_iter().zip(1..).map(|(column, number)| ColumnSchema {
            id: ColumnId(number),
            name: column.name,
            ty: column.ty,
            nullable: column.nullable,
            default: column.default,
            hidden: column.hidden,
        });
        TableSchema { id, name: self.name, version: 1, kind: self.kind, columns: columns.collect(), key: self.key }
    }
}
