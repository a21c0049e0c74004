//! How does one stage run over the batches of an operator?
//!
//! Batches that lose all their rows go no further.

use super::{BoxEval, BoxSource, ExecError, Source};
use spectradb_kernel::Batch;

/// A stage over another operator's batches: filters and projections.
pub struct Pipe {
    input: BoxSource,
    stage: BoxEval,
}

impl Pipe {
    /// The stage's columns for each batch of the input.
    pub fn new(input: BoxSource, stage: BoxEval) -> Pipe {
        Pipe { input, stage }
    }
}

impl Source for Pipe {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        while let Some(batch) = self.input.next()? {
            let batch = self.stage.eval(&batch)?;
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.input.rewind()
    }
}
