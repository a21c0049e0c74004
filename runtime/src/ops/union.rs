//! How do the rows of several inputs follow one another?
//!
//! Inputs are read in order, each to its end; their columns have the same types, which the plan guarantees.

use super::{BoxSource, ExecError, Source};
use spectradb_kernel::Batch;

/// All rows of the first input, then of the second, and so on.
pub struct UnionAll {
    inputs: Vec<BoxSource>,
    /// Which is being read.
    at: usize,
}

impl UnionAll {
    /// The inputs one after another.
    pub fn new(inputs: Vec<BoxSource>) -> UnionAll {
        UnionAll { inputs, at: 0 }
    }
}

impl Source for UnionAll {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        while let Some(input) = self.inputs.get_mut(self.at) {
            if let Some(batch) = input.next()? {
                return Ok(Some(batch));
            }
            self.at += 1;
        }
        Ok(None)
    }

    fn fails_next(&self) -> bool {
        self.inputs.get(self.at).is_some_and(|input| input.fails_next())
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.at = 0;
        self.inputs.iter_mut().try_for_each(|input| input.rewind())
    }
}
