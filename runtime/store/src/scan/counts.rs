//! How many rows did scans look at, and how many did they give?
//!
//! What a scan looks at beyond what it gives is what the past costs it. A block that its bounds leave out is not looked at, nor is a part of a
//! block of history whose facts all began later; of the rest all rows count. A scan counts for itself and adds to the database's figures when it ends.
//!
//! The room in which memtables remember what scans saw goes with the counts, because scans fill it.
//! Not here: look-ups of named keys.

use crate::remembered::Room;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Figures about the scans of a store since it was opened; those under way are not counted yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanStats {
    /// Rows of chunks and blocks that were looked at.
    pub rows_read: u64,
    /// Of these, rows of blocks of history.
    pub history_rows_read: u64,
    /// Rows that scans gave.
    pub rows_given: u64,
}

/// Where scans add what they counted.
#[derive(Debug, Default)]
pub(crate) struct ScanCounts {
    rows_read: AtomicU64,
    history_rows_read: AtomicU64,
    rows_given: AtomicU64,
    /// Where chunks of memtables remember what the present shows.
    pub(crate) remembered: Arc<Room>,
}

impl ScanCounts {
    /// Those of a store whose memtables may remember so many bytes.
    pub(crate) fn remembering(bytes_max: usize) -> ScanCounts {
        ScanCounts { remembered: Arc::new(Room::new(bytes_max)), ..ScanCounts::default() }
    }

    pub(crate) fn stats(&self) -> ScanStats {
        ScanStats {
            rows_read: self.rows_read.load(Relaxed),
            history_rows_read: self.history_rows_read.load(Relaxed),
            rows_given: self.rows_given.load(Relaxed),
        }
    }
}

/// What one scan counts.
#[derive(Debug)]
pub(super) struct Counting {
    pub(super) counted: ScanStats,
    pub(super) all: Arc<ScanCounts>,
}

impl Counting {
    pub(super) fn new(all: &Arc<ScanCounts>) -> Counting {
        Counting { counted: ScanStats::default(), all: all.clone() }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if self.counted != ScanStats::default() {
            self.all.rows_read.fetch_add(self.counted.rows_read, Relaxed);
            self.all.history_rows_read.fetch_add(self.counted.history_rows_read, Relaxed);
            self.all.rows_given.fetch_add(self.counted.rows_given, Relaxed);
        }
    }
}
