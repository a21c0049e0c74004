//! How do batches that exist already come into a query?
//!
//! Rows of VALUES, the one row that stands for a missing FROM, and an empty source are all made of them.

use super::{ExecError, Source};
use spectradb_kernel::Batch;

/// Batches that are given when the query starts.
pub struct Values {
    batches: Vec<Batch>,
    given: usize,
}

impl Values {
    /// These batches, in order.
    pub fn new(batches: Vec<Batch>) -> Values {
        Values { batches, given: 0 }
    }

    /// One row without columns: what SELECT reads when it has no FROM.
    pub fn one_row() -> Values {
        Values::new(vec![Batch::new(Vec::new(), 1)])
    }
}

impl Source for Values {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        while let Some(batch) = self.batches.get(self.given) {
            self.given += 1;
            if !batch.is_empty() {
                return Ok(Some(batch.clone()));
            }
        }
        Ok(None)
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.given = 0;
        Ok(())
    }

    fn is_fixed(&self) -> bool {
        true
    }
}
