//! What time is it?
//!
//! The database has one clock, asked when a commit is sequenced and when a transaction begins. A test gives it one that
//! it sets itself.
//!
//! Not here: that instants only increase, which the sequencing of commits sees to.

#![expect(clippy::disallowed_methods, reason = "this is the room that reads the system's clock")]

use spectradb_kernel::time::Micros;
use std::{
    fmt,
    sync::atomic::{AtomicI64, Ordering},
    time::SystemTime,
};

/// Tells the time in microseconds since 1970-01-01 00:00 UTC.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now; it may go back.
    fn now(&self) -> Micros;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Micros {
        let micros = |duration: std::time::Duration| Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX);
        match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => micros(since),
            Err(before) => -micros(before.duration()),
        }
    }
}

/// A clock that stands still until it is set.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Micros) -> ManualClock {
        ManualClock(AtomicI64::new(now))
    }

    /// Makes it show another time.
    pub fn set(&self, now: Micros) {
        self.0.store(now, Ordering::Release);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Micros {
        self.0.load(Ordering::Acquire)
    }
}
