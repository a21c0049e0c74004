//! How are rows read more than once?
//!
//! [`Tee`] lets a join's right side ask for the rows of its left side: whoever comes first reads them on, the other gets what
//! was read. [`Replay`] holds the rows that do not change from round to round of a recursion, and gives them again.

use super::{BoxSource, ExecError, Held, Source, Tuning};
use spectradb_kernel::Batch;
use std::{
    cell::RefCell,
    sync::{Arc, Mutex, PoisonError},
};

/// A reader of an input that others read as well.
pub struct Tee {
    shared: Arc<Mutex<Shared>>,
    given: usize,
    /// Does a rewind of this reader rewind the input?
    is_first: bool,
}

struct Shared {
    input: BoxSource,
    batches: Vec<Batch>,
    has_ended: bool,
    held: Held,
}

impl Tee {
    /// The first reader of an input: it is rewound before the others.
    pub fn new(input: BoxSource, tuning: &Tuning) -> Tee {
        let held = tuning.budget.hold();
        let shared = Arc::new(Mutex::new(Shared { input, batches: Vec::new(), has_ended: false, held }));
        Tee { shared, given: 0, is_first: true }
    }

    /// Another reader of the same rows.
    pub fn reader(&self) -> Tee {
        Tee { shared: self.shared.clone(), given: 0, is_first: false }
    }
}

impl Source for Tee {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if self.given == shared.batches.len() && !shared.has_ended {
            match shared.input.next()? {
                Some(batch) => {
                    shared.held.add_batch(&batch)?;
                    shared.batches.push(batch);
                }
                None => shared.has_ended = true,
            }
        }
        let batch = shared.batches.get(self.given).cloned();
        self.given += usize::from(batch.is_some());
        Ok(batch)
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.given = 0;
        if !self.is_first {
            return Ok(());
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.batches.clear();
        shared.has_ended = false;
        shared.input.rewind()
    }
}

/// Rows that are computed once, when the first reader asks.
pub struct Once<F> {
    open: F,
    tee: RefCell<Option<Tee>>,
    tuning: Tuning,
}

impl<F: Fn() -> Result<BoxSource, ExecError>> Once<F> {
    /// Rows that are opened so.
    pub fn new(open: F, tuning: &Tuning) -> Once<F> {
        Once { open, tee: RefCell::new(None), tuning: tuning.clone() }
    }

    /// A reader of all rows, however many others there are.
    ///
    /// # Errors
    /// What opening meets.
    pub fn reader(&self) -> Result<Tee, ExecError> {
        if let Some(tee) = &*self.tee.borrow() {
            return Ok(tee.reader());
        }
        let tee = Tee::new((self.open)()?, &self.tuning);
        Ok(self.tee.borrow_mut().insert(tee).reader())
    }
}

/// An input's rows, read once and given again after each rewind.
pub struct Replay {
    input: Option<BoxSource>,
    batches: Vec<Batch>,
    given: usize,
    held: Held,
}

impl Replay {
    /// The rows of an input.
    pub fn new(input: BoxSource, tuning: &Tuning) -> Replay {
        Replay { input: Some(input), batches: Vec::new(), given: 0, held: tuning.budget.hold() }
    }
}

impl Source for Replay {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        if let Some(batch) = self.batches.get(self.given) {
            self.given += 1;
            return Ok(Some(batch.clone()));
        }
        let Some(input) = &mut self.input else { return Ok(None) };
        let batch = input.next()?;
        match &batch {
            Some(batch) => {
                self.held.add_batch(batch)?;
                self.batches.push(batch.clone());
                self.given += 1;
            }
            None => self.input = None,
        }
        Ok(batch)
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.given = 0;
        Ok(())
    }

    fn is_fixed(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::batches_of;
    use spectradb_kernel::{Column, Type};

    fn rows(source: &mut dyn Source) -> usize {
        let mut count = 0;
        while let Some(batch) = source.next().expect("no fault") {
            count += batch.len();
        }
        count
    }

    #[test]
    fn both_readers_and_every_round_see_all_rows() {
        let numbers = Batch::new(vec![Column::from_i64s(Type::Integer, (0..10).collect())], 10);
        let mut first = Tee::new(batches_of(&numbers, 3), &Tuning::default());
        let mut second = first.reader();
        assert_eq!(first.next().expect("no fault").map(|batch| batch.len()), Some(3));
        assert_eq!((rows(&mut second), rows(&mut first), rows(&mut first)), (10, 7, 0));
        let mut replay = Replay::new(batches_of(&numbers, 3), &Tuning::default());
        assert_eq!(replay.next().expect("no fault").map(|batch| batch.len()), Some(3));
        for _ in 0..2 {
            replay.rewind().expect("no fault");
            assert_eq!(rows(&mut replay), 10);
        }
    }
}
