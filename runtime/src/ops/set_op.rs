//! Which rows of one input are, or are not, among those of another?
//!
//! The right side is read whole and counted by row; then each left row is held against its count. Without ALL a row is
//! given once: for INTERSECT if the right side has it, for EXCEPT if it has not. With ALL every right row stands for one left
//! row.
//!
//! Holds: NULLs are equal; rows come in the order of the left input.

use super::{
    BoxSource, ExecError, Held, Source, Tuning,
    groups::{Groups, Nulls},
};
use spectradb_kernel::{Batch, Column};

/// Which set operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetOpSpec {
    /// INTERSECT? Else EXCEPT.
    pub intersect: bool,
    /// Does a row count as often as it comes?
    pub all: bool,
}

/// INTERSECT and EXCEPT.
pub struct SetOp {
    left: BoxSource,
    right: BoxSource,
    spec: SetOpSpec,
    is_read: bool,
    rows: Groups,
    /// For each distinct row how many rows of the right wait for one of the left.
    counts: Vec<u64>,
    /// Was the row given already?
    given: Vec<bool>,
    numbers: Vec<u32>,
    held: Held,
}

impl SetOp {
    /// The rows of two inputs whose columns have the same types.
    pub fn new(left: BoxSource, right: BoxSource, spec: SetOpSpec, tuning: Tuning) -> SetOp {
        let (counts, given, numbers) = (Vec::new(), Vec::new(), Vec::new());
        SetOp {
            left,
            right,
            spec,
            is_read: false,
            rows: Groups::new(Nulls::Equal),
            counts,
            given,
            numbers,
            held: tuning.budget.hold(),
        }
    }

    /// Numbers a batch's rows.
    fn number(&mut self, columns: &[Column], len: usize) {
        self.numbers.clear();
        let mut firsts = Vec::new();
        self.rows.assign(columns, len, &mut self.numbers, &mut firsts);
        self.counts.resize(self.rows.len(), 0);
        self.given.resize(self.rows.len(), false);
    }

    fn read(&mut self) -> Result<(), ExecError> {
        while let Some(batch) = self.right.next()? {
            let len = batch.len();
            self.number(&batch.into_columns(), len);
            self.held.set_to(|| self.rows.memory_bytes() + self.counts.len() * 9)?;
            self.numbers.iter().for_each(|number| self.counts[*number as usize] += 1);
        }
        Ok(())
    }

    /// Is the next row of this number given?
    fn passes(&mut self, number: usize) -> bool {
        let SetOpSpec { intersect, all } = self.spec;
        if !all {
            let passes = !self.given[number] && (self.counts[number] > 0) == intersect;
            self.given[number] |= passes;
            return passes;
        }
        let has_partner = self.counts[number] > 0;
        self.counts[number] -= u64::from(has_partner);
        has_partner == intersect
    }
}

impl Source for SetOp {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        if !self.is_read {
            self.is_read = true;
            self.read()?;
        }
        while let Some(batch) = self.left.next()? {
            let len = batch.len();
            let columns = batch.into_columns();
            self.number(&columns, len);
            let numbers = std::mem::take(&mut self.numbers);
            let rows: Vec<u32> = (0u32..)
                .zip(&numbers)
                .filter(|(_, number)| self.passes(**number as usize))
                .map(|(row, _)| row)
                .collect();
            self.numbers = numbers;
            if !rows.is_empty() {
                let batch = Batch::new(columns, len);
                return Ok(Some(if rows.len() == len { batch } else { batch.select(rows) }));
            }
        }
        Ok(None)
    }

    fn fails_next(&self) -> bool {
        self.is_read && self.left.fails_next()
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.is_read = false;
        self.rows = Groups::new(Nulls::Equal);
        self.counts.clear();
        self.given.clear();
        self.left.rewind()?;
        self.right.rewind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{batches_of, drain};
    use spectradb_kernel::{Type, Value};

    #[test]
    fn rows_are_counted() {
        let column = |values: &[Option<i64>]| {
            let values: Vec<Value> = values.iter().map(|value| (*value).into()).collect();
            Column::from_values(Type::Integer, &values)
        };
        let batch = |values: &[Option<i64>]| Batch::new(vec![column(values)], values.len());
        let left = batch(&[Some(2), Some(1), None, Some(1), Some(3), None]);
        let right = batch(&[Some(1), None, Some(9), Some(3)]);
        type Wanted<'a> = ((bool, bool), &'a [Option<i64>]);
        let wanted: [Wanted<'_>; 4] = [
            ((true, false), &[Some(1), None, Some(3)]),
            ((true, true), &[Some(1), None, Some(3)]),
            ((false, false), &[Some(2)]),
            ((false, true), &[Some(2), Some(1), None]),
        ];
        for ((intersect, all), wanted) in wanted {
            for rows in [1, 2, 10] {
                let op = SetOp::new(
                    batches_of(&left, rows),
                    batches_of(&right, rows),
                    SetOpSpec { intersect, all },
                    Tuning::default(),
                );
                assert_eq!(drain(op, &[Type::Integer])[0], column(wanted));
            }
        }
    }
}
