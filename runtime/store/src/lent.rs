//! How do many threads take the newest snapshot without waiting for each other?
//!
//! A snapshot shares what it pins, and sharing is counting, on lines that all readers would write to. So a thread keeps the
//! snapshot that it took last on a line of its own and takes it again as long as it is the newest: then only that line is
//! written.
//!
//! Holds: what is kept is of the newest version of the tree. Whoever installs another one has all of it let go, so that
//! files and memtables go when their readers do, and not when some thread reads again.
//! Not here: what a snapshot is (`snapshot`), what is newest (the engine says).

use crate::{
    snapshot::Snapshot,
    stripes::{STRIPES, stripe},
};
use std::sync::{Mutex, PoisonError};

/// The snapshots that threads took last.
#[derive(Debug, Default)]
pub(crate) struct Lent {
    kept: [Line; STRIPES],
}

/// Two lines of most processors: they are fetched in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(Mutex<Option<Snapshot>>);

impl Lent {
    /// The newest snapshot: the one that is kept if it is that, and otherwise what `take` gives, which is kept if it may be.
    pub(crate) fn newest(
        &self,
        is_newest: impl Fn(&Snapshot) -> bool,
        take: impl FnOnce() -> Snapshot,
        may_keep: impl Fn(&Snapshot) -> bool,
    ) -> Snapshot {
        // Another thread of this line, or one that lets all of them go.
        let Ok(mut kept) = self.kept[stripe()].0.try_lock() else { return take() };
        if let Some(snapshot) = kept.as_ref().filter(|snapshot| is_newest(snapshot)) {
            return snapshot.clone();
        }
        let snapshot = take();
        // Asked while nobody can let it go: whoever installs another version after this finds it here.
        let keep = may_keep(&snapshot).then(|| snapshot.clone());
        let before = std::mem::replace(&mut *kept, keep);
        drop(kept);
        drop(before);
        snapshot
    }

    /// Lets go of all of them. Called when another version of the tree is there.
    pub(crate) fn clear(&self) {
        for Line(kept) in &self.kept {
            let before = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
            drop(before);
        }
    }
}
