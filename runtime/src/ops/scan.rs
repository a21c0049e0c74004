//! How do the facts of a table come into a query?
//!
//! A [`TableReader`] is what the session lends to a query: a snapshot, and for the present the transaction's own writes
//! on top. [`Scan`] makes its batches a [`Source`]. This is also the one place through which every query that reads data
//! passes batch by batch, and so where it is asked whether the statement may go on.
//!
//! Not here: what a scope's expressions mean (`scope`), which blocks are read (`spectradb_store`).

use super::{Budget, ExecError, Place, Source, Tuning};
use spectradb_kernel::{
    Batch,
    time::{Commit, Micros},
};
use spectradb_store::{error::StoreError, scan::ScanSpec};

/// Which writes a scan sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// What is committed: a range of system time, or all of it.
    Committed,
    /// What was committed as of a point, which is written there.
    AsOf(Place),
    /// The newest state with the transaction's own writes: a scan without one. The spec's system scope is
    /// `AsOf(current_commit())`.
    WithOwnWrites,
}

/// Opens a scan. What the store says of a point is placed at the point.
///
/// # Errors
/// What the store met.
pub fn open(reader: &dyn TableReader, spec: ScanSpec, reads: Reads) -> Result<TableScan, ExecError> {
    reader.scan(spec, reads).map_err(|error| match reads {
        Reads::AsOf(place) => ExecError::StoreAt { error, place },
        Reads::Committed | Reads::WithOwnWrites => ExecError::Store(error),
    })
}

/// The batches of a scan, each of the spec's columns.
pub type TableScan = Box<dyn Iterator<Item = Result<Batch, StoreError>> + Send>;

/// What a query may read: a transaction's view of the database.
pub trait TableReader: Send + Sync {
    /// Opens a scan; what it returns keeps alive whatever it needs.
    ///
    /// # Errors
    /// What the store met.
    fn scan(&self, spec: ScanSpec, reads: Reads) -> Result<TableScan, StoreError>;

    /// The last commit with an instant at or before this one; 0 when there is none.
    ///
    /// # Errors
    /// What the store met.
    fn commit_at(&self, instant: Micros) -> Result<Commit, StoreError>;

    /// The newest commit that the transaction sees.
    fn current_commit(&self) -> Commit;
}

/// The facts of a table.
pub struct Scan {
    /// `None` after the end or an error.
    batches: Option<TableScan>,
    budget: Budget,
}

impl Scan {
    /// The batches of an opened scan.
    pub fn new(batches: TableScan, tuning: &Tuning) -> Scan {
        Scan { batches: Some(batches), budget: tuning.budget.clone() }
    }
}

impl Source for Scan {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        while let Some(batches) = &mut self.batches {
            self.budget.check()?;
            match batches.next() {
                Some(Ok(batch)) if batch.is_empty() => {}
                Some(Ok(batch)) => return Ok(Some(batch)),
                Some(Err(error)) => {
                    self.batches = None;
                    return Err(error.into());
                }
                None => self.batches = None,
            }
        }
        Ok(None)
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        unreachable!("what a recursion does not change is replayed, not read again")
    }
}
