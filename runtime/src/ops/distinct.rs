//! Which rows are the first of their kind?
//!
//! Every batch passes its new rows on at once; only the keys seen so far are held.

use super::{
    BoxSource, ExecError, Held, Source, Tuning,
    groups::{Groups, Nulls},
};
use spectradb_kernel::{Batch, Column};

/// Each distinct row of the input once, NULLs being equal.
pub struct Distinct {
    input: BoxSource,
    seen: Groups,
    groups: Vec<u32>,
    held: Held,
}

impl Distinct {
    /// The input's distinct rows; all its columns count.
    pub fn new(input: BoxSource, tuning: Tuning) -> Distinct {
        Distinct { input, seen: Groups::new(Nulls::Equal), groups: Vec::new(), held: tuning.budget.hold() }
    }
}

impl Source for Distinct {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        while let Some(batch) = self.input.next()? {
            let len = batch.len();
            let columns: Vec<Column> = batch.into_columns();
            let mut firsts = Vec::new();
            self.groups.clear();
            self.seen.assign(&columns, len, &mut self.groups, &mut firsts);
            self.held.set_to(|| self.seen.memory_bytes())?;
            if !firsts.is_empty() {
                let batch = Batch::new(columns, len);
                return Ok(Some(if firsts.len() == len { batch } else { batch.select(firsts) }));
            }
        }
        Ok(None)
    }

    fn fails_next(&self) -> bool {
        self.input.fails_next()
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.seen = Groups::new(Nulls::Equal);
        self.input.rewind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{batches_of, drain};
    use spectradb_kernel::{Type, Value};

    #[test]
    fn each_row_comes_once_in_order_of_appearance() {
        let values: Vec<Value> = [Some(3i64), None, Some(3), Some(1), None, Some(1)].map(Value::from).to_vec();
        let batch = Batch::new(vec![Column::from_values(Type::Integer, &values)], 6);
        for batch_rows in [1, 4, 10] {
            let rows =
                drain(Distinct::new(batches_of(&batch, batch_rows), Tuning::of_rows(batch_rows)), &[Type::Integer]);
            let wanted: Vec<Value> = [Some(3i64), None, Some(1)].map(Value::from).to_vec();
            assert_eq!(rows[0], Column::from_values(Type::Integer, &wanted));
        }
    }
}
