//! Which rows of an order are wanted?
//!
//! Counts rows across batches, cuts the first and the last, and stops asking once it has enough.

use super::{BoxSource, ExecError, Place, Source};
use spectradb_kernel::Batch;

/// Some rows of its input.
pub struct Limit {
    input: BoxSource,
    skip: u64,
    take: u64,
    /// Both, as they were at the beginning.
    window: (u64, u64),
}

/// The number of rows that LIMIT (`None`: all) and OFFSET (`None`: none) ask for: how many to skip, how many to take.
///
/// # Errors
/// [`ExecError::NegativeLimit`], [`ExecError::NegativeOffset`].
pub fn row_window(limit: Option<(i64, Place)>, offset: Option<(i64, Place)>) -> Result<(u64, u64), ExecError> {
    let take = match limit {
        None => u64::MAX,
        Some((rows, place)) => u64::try_from(rows).map_err(|_| ExecError::NegativeLimit { rows, place })?,
    };
    let skip = match offset {
        None => 0,
        Some((rows, place)) => u64::try_from(rows).map_err(|_| ExecError::NegativeOffset { rows, place })?,
    };
    Ok((skip, take))
}

impl Limit {
    /// At most `take` rows after the first `skip`.
    pub fn new(input: BoxSource, skip: u64, take: u64) -> Limit {
        Limit { input, skip, take, window: (skip, take) }
    }
}

impl Source for Limit {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        while self.take > 0 {
            let Some(batch) = self.input.next()? else {
                self.take = 0;
                break;
            };
            let len = batch.len() as u64;
            if self.skip >= len {
                self.skip -= len;
                continue;
            }
            let from = self.skip;
            let to = len.min(from.saturating_add(self.take));
            self.skip = 0;
            self.take -= to - from;
            let whole = from == 0 && to == len;
            return Ok(Some(if whole { batch } else { batch.slice(from as usize..to as usize) }));
        }
        Ok(None)
    }

    fn fails_next(&self) -> bool {
        self.take > 0 && self.input.fails_next()
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        (self.skip, self.take) = self.window;
        self.input.rewind()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{batches_of, drain};
    use spectradb_kernel::{Column, Type};

    #[test]
    fn rows_are_counted_across_batches() {
        let numbers = Batch::new(vec![Column::from_i64s(Type::Integer, (0..10).collect())], 10);
        for batch_rows in [1, 3, 100] {
            for (skip, take) in [(0, 0), (0, 4), (2, 4), (3, 3), (8, 9), (10, 1), (11, 1), (0, u64::MAX), (4, u64::MAX)]
            {
                let limited = Limit::new(batches_of(&numbers, batch_rows), skip, take);
                let wanted: Vec<i64> = (0..10).skip(skip as usize).take(take as usize).collect();
                assert_eq!(drain(limited, &[Type::Integer])[0], Column::from_i64s(Type::Integer, wanted));
            }
        }
    }

    #[test]
    fn negative_numbers_are_errors() {
        let place = Place { start: 3, end: 5 };
        assert_eq!(row_window(Some((-1, place)), None).map_err(|error| error.code()), Err("2201W"));
        assert_eq!(row_window(None, Some((-1, place))).map_err(|error| error.code()), Err("2201X"));
        assert_eq!(row_window(None, None).ok(), Some((0, u64::MAX)));
    }
}
