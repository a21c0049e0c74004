//! How do the rows of several inputs follow one another?
//!
//! Inputs are read in order, each to its end; their columns have the same types, which the plan guarantees.

use super::{BoxSource, ExecError, Source};
use spectradb_kernel::Batch;

/// All rows of the first input, then of the second, and so on.
pub struct UnionAll {
    inputs: std::iter::Peekable<std::vec::IntoIter<BoxSource>>,
}

impl UnionAll {
    /// The inputs one after another.
    pub fn new(inputs: Vec<BoxSource>) -> UnionAll {
        UnionAll { inputs: inputs.into_iter().peekable() }
    }
}

impl Source for UnionAll {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        while let Some(input) = self.inputs.peek_mut() {
            if let Some(batch) = input.next()? {
                return Ok(Some(batch));
            }
            // The input is read to its end, so it goes, with whatever it holds.
            self.inputs.next();
        }
        Ok(None)
    }
}
