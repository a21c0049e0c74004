//! What does a commit consist of?
//!
//! Contract. A write is decided when it reaches the store: the session has looked up which facts are superseded and has
//! cut their leftovers (`spectradb_kernel::rectangle`). The store checks at sequencing that what was decided still holds,
//! numbers the commit, and from then on replay, readers and replicas decide nothing.

use crate::{
    config::Durability,
    scan::{KeyRange, ValidScope},
    spill::Spill,
};
use spectradb_kernel::{
    Column, Period,
    schema::TableId,
    time::{Commit, Micros},
};

/// Everything one transaction writes.
#[derive(Clone, Debug, Default)]
pub struct Write {
    /// The commit that the transaction read; conflicts are looked for among later commits.
    pub snapshot: Commit,
    /// The record up to which the transaction saw the ledger ([`crate::Snapshot::record`]): a write of a key that was erased
    /// by a later record is refused.
    pub record: u64,
    /// The catalogue version that the transaction was bound under.
    pub catalog_version: u64,
    /// New facts, leftovers included. Within one key their periods are disjoint.
    pub facts: Vec<FactBatch>,
    /// New facts that were written to segments already, a spill a table. The table's others, in `facts`, go to segments too.
    pub spilled: Vec<Spill>,
    /// Deletions: periods of keys that hold no fact from this commit on. They are in the ledger, and no read returns them.
    pub retractions: Vec<Retraction>,
    /// The facts that end with this commit.
    pub superseded: Vec<Superseded>,
    /// When to acknowledge; `None` is the database's setting.
    pub durability: Option<Durability>,
    /// Who and why, as JSON; a leaf of its own in the ledger.
    pub metadata: Option<String>,
    /// The commit's instant where it is told afterwards; it is after the last commit's and not in the future. `None` is
    /// the clock's time.
    pub system_time: Option<Micros>,
    /// What the transaction read, where it must be serializable: the write is refused when a later commit than the
    /// snapshot's changed any of it. The snapshot is one of [`crate::Store::watch`], which is held until the commit.
    pub reads: Option<Vec<Read>>,
}

/// A part of a table that a transaction read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The table.
    pub table: TableId,
    /// Which keys.
    pub keys: KeyRange,
    /// Which part of valid time.
    pub valid: ValidScope,
}

/// New facts of one table, by columns.
#[derive(Clone, Debug)]
pub struct FactBatch {
    /// The table.
    pub table: TableId,
    /// The schema version that the columns follow.
    pub schema_version: u32,
    /// One column for each of the schema's, hidden ones included, in the schema's order.
    pub columns: Vec<Column>,
    /// Each fact's valid period.
    pub periods: Vec<Period>,
    /// For a leftover the commit of the fact it was cut from (its origin's origin, if that was a leftover); 0 for a fact
    /// that this commit states.
    pub origins: Vec<Commit>,
}

impl FactBatch {
    /// Some of its facts.
    pub(crate) fn take(&self, rows: &[u32]) -> FactBatch {
        FactBatch {
            columns: self.columns.iter().map(|column| column.take(rows)).collect(),
            periods: rows.iter().map(|row| self.periods[*row as usize]).collect(),
            origins: rows.iter().map(|row| self.origins[*row as usize]).collect(),
            ..*self
        }
    }
}

/// Deletions of one table, by columns.
#[derive(Clone, Debug)]
pub struct Retraction {
    /// The table.
    pub table: TableId,
    /// The key's columns, in key order.
    pub keys: Vec<Column>,
    /// What is deleted of each key.
    pub periods: Vec<Period>,
}

/// Facts of one table that end.
#[derive(Clone, Debug)]
pub struct Superseded {
    /// The table.
    pub table: TableId,
    /// The facts.
    pub facts: Vec<FactId>,
}

/// What identifies a fact within its table for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FactId {
    /// The key, in the codec of `spectradb_kernel::key`.
    pub key: Vec<u8>,
    /// Where its valid period begins.
    pub valid_from: Micros,
    /// The commit that wrote it.
    pub commit: Commit,
}

/// A current fact that a write would overlap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// Which of the keys asked about.
    pub key_idx: usize,
    /// The fact's period.
    pub period: Period,
    /// The fact's commit.
    pub commit: Commit,
}

/// A write became a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// Its number.
    pub commit: Commit,
    /// Its instant.
    pub instant: Micros,
    /// Its log record.
    pub record: u64,
}
