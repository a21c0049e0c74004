//! May a statement go on, and how much memory may it hold?
//!
//! All operators of a statement share one [`Budget`]. Those that read or multiply rows ask it between batches whether the
//! statement was cancelled or has run too long; those that hold rows tell it how many bytes, batch by batch, and get an
//! error instead of memory past the limit. A row costs nothing. Without a limit nothing is counted.
//!
//! Holds: what an operator held is given back when the operator goes.
//! Not here: which limits there are (`session`, `settings`); who cancels.

use super::ExecError;
use spectradb_kernel::{
    Batch, Column,
    pause::{self, Watch},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Asked between batches, on the thread that runs the statement: shall it stop?
pub type Interrupt = Arc<dyn Fn() -> bool + Send + Sync>;

/// A session's statements by number, and up to which of them all are cancelled.
#[derive(Debug, Default)]
pub struct Cancellation {
    started: AtomicU64,
    cancelled: AtomicU64,
}

impl Cancellation {
    /// Counts a statement that starts.
    pub fn start(&self) -> u64 {
        self.started.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Cancels every statement that has started.
    pub fn cancel(&self) {
        self.cancelled.fetch_max(self.started.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// What one statement may use. Clones share it.
#[derive(Clone, Default)]
pub struct Budget {
    /// The statement's number among its session's.
    cancellation: Option<(Arc<Cancellation>, u64)>,
    deadline: Option<(Instant, Duration)>,
    memory: Option<Arc<Memory>>,
    interrupt: Option<Interrupt>,
    /// What asks the rest from within the kernel's calls.
    watch: Option<Watch>,
}

#[derive(Debug)]
struct Memory {
    bytes_max: u64,
    held: AtomicU64,
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget").field("deadline", &self.deadline).field("memory", &self.memory).finish_non_exhaustive()
    }
}

impl Budget {
    /// The budget of a statement that starts now.
    pub fn start(
        cancellation: &Arc<Cancellation>,
        timeout: Option<Duration>,
        memory_bytes_max: Option<u64>,
        interrupt: Option<Interrupt>,
    ) -> Budget {
        let number = cancellation.start();
        let budget = Budget {
            cancellation: Some((cancellation.clone(), number)),
            // A time that cannot be told is as good as none.
            deadline: timeout.and_then(|timeout| Some((Instant::now().checked_add(timeout)?, timeout))),
            memory: memory_bytes_max.map(|bytes_max| Arc::new(Memory { bytes_max, held: AtomicU64::new(0) })),
            interrupt,
            watch: None,
        };
        let asked = budget.clone();
        let watch: Watch = Arc::new(move |bytes| asked.check().is_err() || !asked.has_room(bytes));
        Budget { watch: Some(watch), ..budget }
    }

    /// May the statement go on? Asked once a batch.
    ///
    /// # Errors
    /// [`ExecError::Cancelled`], [`ExecError::TimedOut`].
    #[inline]
    pub fn check(&self) -> Result<(), ExecError> {
        if let Some((cancellation, number)) = &self.cancellation
            && cancellation.cancelled.load(Ordering::Relaxed) >= *number
        {
            return Err(ExecError::Cancelled);
        }
        if self.deadline.is_none() && self.interrupt.is_none() {
            return Ok(());
        }
        self.check_outside()
    }

    fn check_outside(&self) -> Result<(), ExecError> {
        if let Some((deadline, timeout)) = self.deadline
            && Instant::now() >= deadline
        {
            return Err(ExecError::TimedOut { timeout });
        }
        match &self.interrupt {
            Some(interrupt) if interrupt() => Err(ExecError::Cancelled),
            Some(_) | None => Ok(()),
        }
    }

    /// Runs what may compute for long: calls of the kernel's that take or hold too much end early, and the error says why.
    ///
    /// # Errors
    /// [`ExecError::Cancelled`], [`ExecError::TimedOut`], [`ExecError::OutOfMemory`].
    pub fn watch<T>(&self, run: impl FnOnce() -> T) -> Result<T, ExecError> {
        let Some(watch) = &self.watch else { return Ok(run()) };
        let (result, stopped) = pause::within(watch.clone(), run);
        match stopped {
            None => Ok(result),
            Some(bytes) => {
                self.check()?;
                let Some(memory) = &self.memory else { return Err(ExecError::Cancelled) };
                let bytes = memory.held.load(Ordering::Relaxed).saturating_add(bytes as u64);
                Err(ExecError::OutOfMemory { bytes, bytes_max: memory.bytes_max })
            }
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.memory
            .as_ref()
            .is_none_or(|memory| memory.held.load(Ordering::Relaxed).saturating_add(bytes as u64) <= memory.bytes_max)
    }

    /// Nothing held yet.
    pub fn hold(&self) -> Held {
        Held { memory: self.memory.clone(), bytes: 0 }
    }
}

/// The bytes that one operator holds.
#[derive(Debug)]
pub struct Held {
    memory: Option<Arc<Memory>>,
    bytes: u64,
}

impl Held {
    /// Is there a limit at all? What counts bytes need not, otherwise.
    pub fn counts(&self) -> bool {
        self.memory.is_some()
    }

    /// So many bytes more.
    ///
    /// # Errors
    /// [`ExecError::OutOfMemory`].
    pub fn add(&mut self, bytes: usize) -> Result<(), ExecError> {
        self.set(self.bytes.saturating_add(bytes as u64))
    }

    /// The columns' bytes more.
    ///
    /// # Errors
    /// [`ExecError::OutOfMemory`].
    pub fn add_columns(&mut self, columns: &[Column]) -> Result<(), ExecError> {
        if !self.counts() {
            return Ok(());
        }
        self.add(columns.iter().map(Column::memory_bytes).sum())
    }

    /// A batch's bytes more.
    ///
    /// # Errors
    /// [`ExecError::OutOfMemory`].
    pub fn add_batch(&mut self, batch: &Batch) -> Result<(), ExecError> {
        if !self.counts() {
            return Ok(());
        }
        self.add((0..batch.column_count()).map(|column_idx| batch.column(column_idx).memory_bytes()).sum())
    }

    /// So many bytes altogether, computed only where there is a limit.
    ///
    /// # Errors
    /// [`ExecError::OutOfMemory`].
    pub fn set_to(&mut self, bytes: impl FnOnce() -> usize) -> Result<(), ExecError> {
        if self.counts() { self.set(bytes() as u64) } else { Ok(()) }
    }

    fn set(&mut self, bytes: u64) -> Result<(), ExecError> {
        let Some(memory) = &self.memory else { return Ok(()) };
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes <= before {
            memory.held.fetch_sub(before - bytes, Ordering::Relaxed);
            return Ok(());
        }
        let more = bytes - before;
        let all = memory.held.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        if all > memory.bytes_max {
            return Err(ExecError::OutOfMemory { bytes: all, bytes_max: memory.bytes_max });
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(memory) = &self.memory {
            memory.held.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_is_given_back_and_what_is_too_much_is_refused() {
        let budget = Budget::start(&Arc::default(), None, Some(100), None);
        let mut one = budget.hold();
        one.add(60).expect("60 of 100");
        let mut other = budget.hold();
        assert!(matches!(other.add(50), Err(ExecError::OutOfMemory { bytes: 110, bytes_max: 100 })));
        drop(other);
        one.set_to(|| 40).expect("40 of 100");
        budget.hold().add(60).expect("100 of 100");
        assert!(Budget::default().hold().add(usize::MAX).is_ok());
    }

    #[test]
    fn only_statements_that_have_started_are_cancelled() {
        let cancellation = Arc::new(Cancellation::default());
        let first = Budget::start(&cancellation, None, None, None);
        first.check().expect("nobody cancelled");
        cancellation.cancel();
        let second = Budget::start(&cancellation, Some(Duration::ZERO), None, None);
        assert!(matches!(first.check(), Err(ExecError::Cancelled)));
        assert!(matches!(second.check(), Err(ExecError::TimedOut { .. })));
        let third = Budget::start(&cancellation, None, None, Some(Arc::new(|| true)));
        assert!(matches!(third.check(), Err(ExecError::Cancelled)));
    }
}
