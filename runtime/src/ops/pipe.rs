//! How does one stage run over the batches of an operator?
//!
//! Batches that lose all their rows go no further. Where a row of a batch fails, the rows before it are given, and the error comes
//! when somebody asks for more. So whether a statement fails that needs only the first rows is no matter of how many a batch
//! holds.

use super::{BoxEval, BoxSource, Eval, ExecError, Source};
use spectradb_kernel::{Batch, pause};

/// A stage over another operator's batches: filters and projections.
pub struct Pipe {
    input: BoxSource,
    stage: BoxEval,
    /// What the row met that is next.
    fault: Option<ExecError>,
}

impl Pipe {
    /// The stage's columns for each batch of the input.
    pub fn new(input: BoxSource, stage: BoxEval) -> Pipe {
        Pipe { input, stage, fault: None }
    }
}

/// What a stage makes of the rows up to the first that fails, and how many these are; with the error, where one does.
///
/// # Errors
/// What is no matter of one row: the statement was stopped.
pub(super) fn up_to_fault(
    stage: &mut dyn Eval,
    input: &Batch,
) -> Result<(Batch, Option<(usize, ExecError)>), ExecError> {
    let fault = match stage.eval(input) {
        Ok(batch) => return Ok((batch, None)),
        Err(fault) if pause::has_stopped() => return Err(fault),
        Err(fault) => fault,
    };
    let fails = |row: &usize| stage.eval(&input.slice(*row..*row + 1)).is_err();
    let row = (0..input.len()).find(fails).ok_or(fault)?;
    let error = stage.eval(&input.slice(row..row + 1)).err();
    let before = stage.eval(&input.slice(0..row))?;
    Ok((before, error.map(|error| (row, error))))
}

impl Source for Pipe {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        loop {
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            let Some(batch) = self.input.next()? else { return Ok(None) };
            let (batch, fault) = up_to_fault(self.stage.as_mut(), &batch)?;
            self.fault = fault.map(|(_, fault)| fault);
            if !batch.is_empty() {
                return Ok(Some(batch));
            }
        }
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.fault = None;
        self.input.rewind()
    }

    fn fails_next(&self) -> bool {
        self.fault.is_some() || self.input.fails_next()
    }
}
