//! How does a query that names itself come to an end?
//!
//! The rows of the base are given and kept as the working rows. Then, round by round, the step is rewound, reads the working
//! rows, and what it gives is given and becomes the working rows of the next round, until a round gives nothing. With
//! UNION a row that came before does not come again. Rows are given as they are found: who needs only the first ones asks
//! for no more.
//!
//! Holds: the number of rounds and the rows of a round are bounded, and passing a bound is an error: a recursion that never
//! ends is stopped.

use super::{
    BoxSource, ExecError, Held, Place, Source, Tuning,
    groups::{Groups, Nulls},
};
use spectradb_kernel::Batch;
use std::sync::{Arc, Mutex, PoisonError};

/// How a recursion is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecursionSpec {
    /// Does a row count once?
    pub distinct: bool,
    /// At most so many rounds.
    pub rounds_max: u64,
    /// At most so many rows in a round, and distinct rows in all.
    pub rows_max: u64,
    /// Where it stands.
    pub place: Place,
}

impl RecursionSpec {
    /// The bounds that queries have.
    pub fn new(distinct: bool, place: Place) -> RecursionSpec {
        RecursionSpec { distinct, rounds_max: 1_000_000, rows_max: 20_000_000, place }
    }
}

/// The rows of the last round, as the step reads them.
#[derive(Clone, Default)]
pub struct Working {
    rows: Arc<Mutex<Arc<Vec<Batch>>>>,
    given: usize,
}

impl Working {
    /// A reader of the same rows.
    pub fn reader(&self) -> Working {
        Working { rows: self.rows.clone(), given: 0 }
    }

    fn put(&self, batches: Vec<Batch>) {
        *self.rows.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(batches);
    }
}

impl Source for Working {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let batch = rows.get(self.given).cloned();
        self.given += usize::from(batch.is_some());
        Ok(batch)
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.given = 0;
        Ok(())
    }
}

/// The rows of a recursive query.
pub struct Recursion {
    base: BoxSource,
    step: BoxSource,
    working: Working,
    spec: RecursionSpec,
    seen: Groups,
    /// 0 while the base is read.
    round: u64,
    /// What the round has given so far.
    found: Vec<Batch>,
    found_rows: u64,
    has_ended: bool,
    tuning: Tuning,
    held: Held,
}

impl Recursion {
    /// The base's rows and what follows from them; `step` reads `working`.
    pub fn new(base: BoxSource, step: BoxSource, working: Working, spec: RecursionSpec, tuning: Tuning) -> Recursion {
        let (seen, found) = (Groups::new(Nulls::Equal), Vec::new());
        Recursion {
            base,
            step,
            working,
            spec,
            seen,
            round: 0,
            found,
            found_rows: 0,
            has_ended: false,
            held: tuning.budget.hold(),
            tuning,
        }
    }

    /// The rows of a batch that have not come before.
    fn fresh(&mut self, batch: Batch) -> Batch {
        if !self.spec.distinct {
            return batch;
        }
        let len = batch.len();
        let columns = batch.into_columns();
        let (mut numbers, mut firsts) = (Vec::new(), Vec::new());
        self.seen.assign(&columns, len, &mut numbers, &mut firsts);
        let batch = Batch::new(columns, len);
        if firsts.len() == len { batch } else { batch.select(firsts) }
    }

    fn stopped(&self, what: &'static str, count: u64) -> ExecError {
        ExecError::Runaway { what, count, place: self.spec.place }
    }
}

impl Source for Recursion {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        while !self.has_ended {
            let batch = if self.round == 0 { self.base.next()? } else { self.step.next()? };
            if let Some(batch) = batch {
                let batch = self.fresh(batch).dense();
                if batch.is_empty() {
                    continue;
                }
                self.found_rows += batch.len() as u64;
                if self.found_rows.max(self.seen.len() as u64) > self.spec.rows_max {
                    return Err(self.stopped("rows", self.spec.rows_max));
                }
                self.held.add_batch(&batch)?;
                self.found.push(batch.clone());
                return Ok(Some(batch));
            }
            if self.found.is_empty() {
                self.has_ended = true;
                break;
            }
            if self.round == self.spec.rounds_max {
                return Err(self.stopped("rounds", self.spec.rounds_max));
            }
            self.tuning.budget.check()?;
            self.held.set_to(|| self.seen.memory_bytes())?;
            self.working.put(std::mem::take(&mut self.found));
            self.found_rows = 0;
            if self.round > 0 {
                self.step.rewind()?;
            }
            self.round += 1;
        }
        Ok(None)
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.base.rewind()?;
        if self.round > 0 {
            self.step.rewind()?;
        }
        (self.seen, self.round, self.found_rows, self.has_ended) = (Groups::new(Nulls::Equal), 0, 0, false);
        self.found.clear();
        self.working.put(Vec::new());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{
        Eval, Pipe,
        testing::{batches_of, drain},
    };
    use spectradb_kernel::{Column, Type};

    /// `n + 1` modulo something, for `n` below a bound.
    struct Next {
        below: i64,
        modulo: i64,
    }

    impl Eval for Next {
        fn eval(&mut self, input: &Batch) -> Result<Batch, ExecError> {
            let column = input.column(0);
            let numbers = column.i64s();
            let next: Vec<i64> = (0..input.len())
                .map(|row| numbers.at(row))
                .filter(|number| *number < self.below)
                .map(|number| (number + 1) % self.modulo)
                .collect();
            let len = next.len();
            Ok(Batch::new(vec![Column::from_i64s(Type::Integer, next)], len))
        }
    }

    fn counting(below: i64, modulo: i64, distinct: bool, rounds_max: u64) -> Recursion {
        let base = Batch::new(vec![Column::from_i64s(Type::Integer, vec![1])], 1);
        let working = Working::default();
        let step = Pipe::new(Box::new(working.reader()), Box::new(Next { below, modulo }));
        let spec = RecursionSpec { distinct, rounds_max, rows_max: 1_000, place: Place::default() };
        Recursion::new(batches_of(&base, 1), Box::new(step), working, spec, Tuning::default())
    }

    #[test]
    fn it_ends_when_a_round_gives_nothing_new() {
        let rows = |recursion| drain(recursion, &[Type::Integer]).swap_remove(0);
        assert_eq!(rows(counting(5, 100, false, 10)), Column::from_i64s(Type::Integer, vec![1, 2, 3, 4, 5]));
        assert_eq!(rows(counting(100, 3, true, 10)), Column::from_i64s(Type::Integer, vec![1, 2, 0]));
    }

    #[test]
    fn one_that_never_ends_is_stopped() {
        let mut recursion = counting(i64::MAX, i64::MAX, false, 10);
        let mut given = 0;
        let error = loop {
            match recursion.next() {
                Ok(Some(_)) => given += 1,
                Ok(None) => panic!("it never ends"),
                Err(error) => break error,
            }
        };
        assert_eq!((given, error.code()), (11, "54001"));
    }
}
