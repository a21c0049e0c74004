//! Which rows does counting from one number to another give?
//!
//! Each row of the input stands beside every number between its bounds. Batches are filled up to their size, so a long series
//! never lies in memory as a whole.
//!
//! Holds: a bound that is NULL gives no number; a step of 0 is an error.

use super::{BoxSource, ExecError, Given, Place, Source, Tuning};
use spectradb_kernel::{
    Batch, Column, Type,
    column::{Codes, Data},
};
use std::sync::Arc;

/// What is counted.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesSpec {
    /// The columns of the input that it gives, first.
    pub out: Vec<Given>,
    /// The column of first numbers.
    pub from: usize,
    /// The column of last numbers.
    pub to: usize,
    /// The column of distances.
    pub step: usize,
    /// Where the step stands.
    pub place: Place,
}

/// Numbers from one bound to another.
pub struct Series {
    input: BoxSource,
    spec: SeriesSpec,
    tuning: Tuning,
    current: Option<Current>,
}

/// A batch of the input, and where in it the counting stands.
struct Current {
    columns: Vec<Column>,
    bounds: [Column; 3],
    len: usize,
    row: usize,
    /// The next number of the row; none before its first.
    next: Option<i64>,
}

impl Series {
    /// The series of each row of an input.
    pub fn new(input: BoxSource, spec: SeriesSpec, tuning: Tuning) -> Series {
        Series { input, spec, tuning, current: None }
    }
}

/// The column with its strings in a dictionary, so that a row that counts far is never copied: an array beside each of its
/// places would be as much work as the square of its length.
fn shared(column: Column) -> Column {
    let Data::Bytes(_) = column.data() else { return column };
    let (ty, len, validity) = (column.ty(), column.len(), column.validity().cloned());
    let codes = Codes::U32((0..len as u32).collect::<Vec<u32>>().into());
    Column::new(ty, validity, Data::Dictionary { codes, values: Arc::new(column.with_validity(None)) })
}

impl Current {
    fn fill(&mut self, room: usize, place: Place) -> Result<(Vec<u32>, Vec<i64>), ExecError> {
        let (mut rows, mut numbers) = (Vec::new(), Vec::new());
        let [from, to, step] = &self.bounds;
        while self.row < self.len && numbers.len() < room {
            let row = self.row;
            if [from, to, step].iter().any(|bound| bound.is_null(row)) {
                self.row += 1;
                continue;
            }
            let (first, last, step) = (from.i64s().at(row), to.i64s().at(row), step.i64s().at(row));
            if step == 0 {
                // The rows before come first.
                if numbers.is_empty() {
                    return Err(ExecError::ZeroStep { place });
                }
                break;
            }
            let mut next = self.next.take().or(Some(first));
            while let Some(number) = next.filter(|number| if step > 0 { *number <= last } else { *number >= last })
                && numbers.len() < room
            {
                rows.push(row as u32);
                numbers.push(number);
                next = number.checked_add(step);
            }
            let is_done = next.is_none_or(|number| if step > 0 { number > last } else { number < last });
            if is_done {
                self.row += 1;
            } else {
                self.next = next;
            }
        }
        Ok((rows, numbers))
    }
}

impl Source for Series {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        loop {
            self.tuning.budget.check()?;
            if self.current.as_ref().is_none_or(|current| current.row == current.len) {
                let Some(batch) = self.input.next()? else { return Ok(None) };
                let columns = self.spec.out.iter().map(|given| shared(batch.column(given.column_idx))).collect();
                let bounds = [self.spec.from, self.spec.to, self.spec.step].map(|idx| batch.column(idx));
                self.current = Some(Current { columns, bounds, len: batch.len(), row: 0, next: None });
            }
            let current = self.current.as_mut().expect("there is a batch");
            let (rows, numbers) = current.fill(self.tuning.batch_rows, self.spec.place)?;
            if !numbers.is_empty() {
                let len = numbers.len();
                let mut columns: Vec<Column> = current.columns.iter().map(|column| column.take(&rows)).collect();
                columns.push(Column::from_i64s(Type::Integer, numbers));
                return Ok(Some(Batch::new(columns, len)));
            }
        }
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.current = None;
        self.input.rewind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{batches_of, drain};
    use spectradb_kernel::Value;

    #[test]
    fn each_row_counts_between_its_bounds() {
        let column = |values: &[Option<i64>]| {
            let values: Vec<Value> = values.iter().map(|value| (*value).into()).collect();
            Column::from_values(Type::Integer, &values)
        };
        let from = column(&[Some(1), Some(5), Some(3), None, Some(i64::MAX - 1)]);
        let to = column(&[Some(3), Some(1), Some(2), Some(9), Some(i64::MAX)]);
        let step = column(&[Some(1), Some(-2), Some(1), Some(1), Some(1)]);
        let batch = Batch::new(vec![from, to, step], 5);
        for rows in [1, 2, 100] {
            let out = vec![Given { column_idx: 2, ty: Type::Integer }];
            let spec = SeriesSpec { out, from: 0, to: 1, step: 2, place: Place::default() };
            let series = Series::new(batches_of(&batch, rows), spec, Tuning::of_rows(rows));
            let columns = drain(series, &[Type::Integer, Type::Integer]);
            let wanted = [1, 2, 3, 5, 3, 1, i64::MAX - 1, i64::MAX];
            assert_eq!(columns[1], Column::from_i64s(Type::Integer, wanted.to_vec()));
        }
    }
}
