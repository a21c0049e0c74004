//! How are writers held back when flushing and compacting cannot follow?
//!
//! In two steps. When as many memtables wait as may, or level 0 of some table is crowded, a writer is *slowed*: it waits
//! for half of the time that flushing what it writes takes, or until something was flushed. When more wait than may, or
//! level 0 is full, it is *stalled*: it flushes or compacts itself until there is room. So memtables take a bounded
//! number of bytes whatever is written, and look-ups never ask an unbounded number of segments.
//!
//! Holds: only what a writer's own help can cure stalls it: level 0 that nobody can compact does not stop writing, while
//! memtables that cannot be flushed do, with the error.
//! Not here: flushing and compacting (the tree), the threads that do it (`maintain`).

use crate::{error::Result, fact::Write, log::held, store::Inner};
use std::{
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// A slowed writer waits no longer than this.
const SLOWED_MAX: Duration = Duration::from_millis(100);

/// What holds writers back, and how often it did.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    /// Nanoseconds that a KiB of the last flushed memtable took.
    pace: AtomicU64,
    slowdowns: AtomicU64,
    stalls: AtomicU64,
    /// How many memtables were flushed; slowed writers wait for the next.
    flushed: Mutex<u64>,
    more_flushed: Condvar,
}

impl Pressure {
    /// How often writers were slowed, and stalled.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.slowdowns.load(Relaxed), self.stalls.load(Relaxed))
    }

    /// Notes that a memtable of so many bytes was flushed.
    pub(crate) fn flushed(&self, bytes: usize, began: Instant) {
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.pace.store(nanos / (bytes as u64 / 1024).max(1), Relaxed);
        *held(&self.flushed) += 1;
        self.more_flushed.notify_all();
    }

    fn slow(&self, bytes: usize) {
        self.slowdowns.fetch_add(1, Relaxed);
        let nanos = self.pace.load(Relaxed).saturating_mul(bytes as u64 / 1024) / 2;
        let flushed = held(&self.flushed);
        let before = *flushed;
        let wait = Duration::from_nanos(nanos).min(SLOWED_MAX);
        let waited = self.more_flushed.wait_timeout_while(flushed, wait, |flushed| *flushed == before);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Inner {
    /// Holds a writer back as long as there is no room for what it writes.
    ///
    /// # Errors
    /// What flushing gives: the writer cannot go on without it.
    pub(crate) fn brake(&self, write: &Write) -> Result<()> {
        let (frozen, level0) = (self.tree.frozen_count(), self.tree.level0_most());
        let (frozen_max, stall) = (self.config.frozen_count_max, self.config.level0_segments_stall);
        if frozen > frozen_max || level0 >= stall {
            self.pressure.stalls.fetch_add(1, Relaxed);
            while self.tree.frozen_count() > frozen_max {
                if !self.flush_one()? {
                    break;
                }
            }
            while self.tree.level0_most() >= stall {
                match self.compact_one() {
                    Ok(true) => {}
                    Ok(false) if self.tree.wait_for_compaction(stall) => {}
                    // There is nothing that could be done; `compact` tells what failed.
                    Ok(false) | Err(_) => break,
                }
            }
        } else if (frozen_max > 0 && frozen == frozen_max || level0 >= self.config.level0_segments_slow)
            && self.threads.get().is_some()
        {
            let columns = write.facts.iter().flat_map(|batch| &batch.columns);
            self.pressure.slow(columns.map(|column| column.memory_bytes()).sum());
        }
        Ok(())
    }
}
