//! How does a caller walk through the typed rows of a compiled query?
//!
//! [`TypedRows`] pulls batches from the operators as it goes and turns each into structs at once, column by column, so a
//! large result is never whole in memory.

use crate::{
    error::{Error, Result},
    ops::BoxSource,
};
use spectradb_kernel::Batch;
use std::fmt;

/// The typed rows of a query, one after another.
pub struct TypedRows<R> {
    source: Option<BoxSource>,
    rows: std::vec::IntoIter<R>,
    read: fn(&Batch, &mut Vec<R>),
    sql: &'static str,
}

impl<R> TypedRows<R> {
    pub(super) fn new(source: BoxSource, read: fn(&Batch, &mut Vec<R>), sql: &'static str) -> TypedRows<R> {
        TypedRows { source: Some(source), rows: Vec::new().into_iter(), read, sql }
    }

    /// All rows that are left.
    ///
    /// # Errors
    /// What reading or computing met.
    pub fn collect_all(self) -> Result<Vec<R>> {
        self.collect()
    }

    fn pull(&mut self) -> Result<bool> {
        let Some(source) = &mut self.source else { return Ok(false) };
        match source.next() {
            Ok(Some(batch)) => {
                let mut rows = Vec::with_capacity(batch.len());
                (self.read)(&batch, &mut rows);
                self.rows = rows.into_iter();
                Ok(true)
            }
            Ok(None) => {
                // The operators hold a snapshot: let it go with the last row.
                self.source = None;
                Ok(false)
            }
            Err(error) => {
                self.source = None;
                Err(Error::from_exec(error, self.sql))
            }
        }
    }
}

impl<R> Iterator for TypedRows<R> {
    type Item = Result<R>;

    fn next(&mut self) -> Option<Result<R>> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(Ok(row));
            }
            match self.pull() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<R> fmt::Debug for TypedRows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedRows").field("sql", &self.sql).finish_non_exhaustive()
    }
}
