//! Do commits become visible as they should in whatever order threads take their steps?
//!
//! `publication` is compiled here over shuttle's locks: a scheduler runs the threads one step at a time, in thousands of orders that
//! follow from a seed, and a wait that nobody ends is found. The log and the tree are a number each. What the code is trusted
//! with: a reader sees whole prefixes of the commits, never goes back, and finds in the tree what is visible; a writer that was told
//! of its commit finds it, durable where that was asked for; a failed sync leaves nobody waiting.
//!
//! Not here: threads of the system over the whole store (`tests/threads.rs`).

#[path = "publication.rs"]
#[expect(clippy::duplicate_mod, reason = "compiled a second time, over shuttle")]
mod publication;

/// What `publication` names, over shuttle.
mod sync {
    pub(super) use shuttle::sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    };
    use std::sync::{Arc, PoisonError};

    #[derive(Debug)]
    pub(super) struct Shared<T>(Mutex<Arc<T>>);

    impl<T> Shared<T> {
        pub(super) fn new(value: T) -> Shared<T> {
            Shared(Mutex::new(Arc::new(value)))
        }

        pub(super) fn load(&self) -> Arc<T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }

        pub(super) fn is(&self, value: &Arc<T>) -> bool {
            Arc::ptr_eq(&self.0.lock().unwrap_or_else(PoisonError::into_inner), value)
        }

        pub(super) fn store(&self, value: Arc<T>) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
        }
    }
}

use crate::{commit::Visible, config::Durability};
use publication::{Durable, Publication};
use shuttle::thread;
use std::sync::Arc;
use sync::{AtomicU64, Mutex, Ordering};

const WRITERS: u64 = 4;
const WRITES: u64 = 2;

/// Orders that are tried of each history.
const ORDERS: usize = 3_000;

fn record(number: u64) -> Visible {
    Visible { record: number, commit: number, instant: number as i64, catalog: Arc::default() }
}

/// A store of which only the order of things is left.
struct Store {
    /// The last record that was numbered and logged.
    sequencer: Mutex<u64>,
    /// Up to where the log is written, and the tree has what it says.
    written: AtomicU64,
    applied: AtomicU64,
    durable: Durable,
    publication: Publication,
    syncs: AtomicU64,
    /// The sync that fails; no other follows it.
    failing: u64,
    failed: AtomicU64,
}

impl Store {
    fn new(failing: u64) -> Arc<Store> {
        Arc::new(Store {
            sequencer: Mutex::new(0),
            written: AtomicU64::new(0),
            applied: AtomicU64::new(0),
            durable: Durable::upto(0),
            publication: Publication::new(record(0)),
            syncs: AtomicU64::new(0),
            failing,
            failed: AtomicU64::new(0),
        })
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst) > 0
    }

    fn sync(&self) -> Result<u64, ()> {
        if self.has_failed() {
            return Err(());
        }
        let written = self.written.load(Ordering::SeqCst);
        thread::yield_now();
        if self.syncs.fetch_add(1, Ordering::SeqCst) + 1 == self.failing {
            self.failed.store(1, Ordering::SeqCst);
            return Err(());
        }
        Ok(written)
    }

    /// As `Inner::commit` and `Inner::accept` do it; the number of the commit that was acknowledged.
    fn commit(&self, durability: Durability) -> Option<u64> {
        let number = {
            let mut last = self.sequencer.lock().expect("nobody panics");
            if self.has_failed() {
                return None;
            }
            *last += 1;
            self.written.store(*last, Ordering::SeqCst);
            self.applied.store(*last, Ordering::SeqCst);
            self.publication.enqueue(record(*last), durability);
            *last
        };
        if durability == Durability::Synced && self.durable.through(number, || self.sync()).is_err() {
            self.publication.wake();
            return None;
        }
        self.publication.publish(self.durable.record());
        self.publication.wait(number, || self.has_failed()).then_some(number)
    }

    /// What a snapshot sees: the visible commit first, then the tree.
    fn snapshot(&self) -> u64 {
        let newest = self.publication.visible();
        let is_newest = self.publication.is_visible(&newest);
        assert!(is_newest || self.publication.visible().record > newest.record);
        let visible = newest.record;
        assert!(self.applied.load(Ordering::SeqCst) >= visible, "the tree has what is visible");
        visible
    }
}

fn history(failing: u64, durability: fn(u64) -> Durability) {
    let store = Store::new(failing);
    let all_synced = (0..WRITES).all(|write| durability(write) == Durability::Synced);
    let reader = {
        let store = store.clone();
        thread::spawn(move || {
            let mut last = 0;
            for _ in 0..4 {
                let seen = store.snapshot();
                assert!(seen >= last, "a reader never goes back");
                assert!(!all_synced || store.durable.record() >= seen, "what is visible is durable");
                last = seen;
                thread::yield_now();
            }
        })
    };
    let writers = (0..WRITERS).map(|_| {
        let store = store.clone();
        thread::spawn(move || {
            let mut told = Vec::new();
            for write in 0..WRITES {
                let durability = durability(write);
                let Some(number) = store.commit(durability) else { continue };
                assert!(store.snapshot() >= number, "a writer sees its own commit");
                assert!(durability != Durability::Synced || store.durable.record() >= number, "and it is durable");
                told.push(number);
            }
            told
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut told: Vec<u64> = writers.into_iter().flat_map(|writer| writer.join().expect("it ends")).collect();
    reader.join().expect("it ends");
    told.sort_unstable();
    let visible = store.snapshot();
    assert!(told.last().is_none_or(|last| *last <= visible));
    if failing == 0 {
        assert!(told.into_iter().eq(1..=WRITERS * WRITES), "each commit was acknowledged once");
        assert_eq!(visible, WRITERS * WRITES);
        assert!(store.syncs.load(Ordering::SeqCst) <= WRITERS * WRITES);
    }
    // Another process's record is shown as it is.
    store.publication.show(Arc::new(record(99)));
    assert_eq!(store.publication.visible().record, 99);
    store.durable.raise(99);
    assert_eq!(store.durable.alone(|| store.durable.record()), 99);
}

#[test]
fn commits_become_visible_in_order_whatever_the_threads_do() {
    shuttle::check_random(|| history(0, |_| Durability::Synced), ORDERS);
    shuttle::check_pct(|| history(0, |_| Durability::Synced), ORDERS, 3);
}

#[test]
fn commits_that_ask_for_no_sync_keep_their_order() {
    let first = |write: u64| if write == 0 { Durability::None } else { Durability::Synced };
    let last = |write: u64| if write == 0 { Durability::Synced } else { Durability::None };
    for mixed in [first, last] {
        shuttle::check_random(move || history(0, mixed), ORDERS);
        shuttle::check_pct(move || history(0, mixed), ORDERS, 3);
    }
}

#[test]
fn a_failed_sync_leaves_nobody_waiting() {
    for failing in 1..=3 {
        shuttle::check_random(move || history(failing, |_| Durability::Synced), ORDERS / 3);
        shuttle::check_pct(move || history(failing, |_| Durability::Synced), ORDERS / 3, 3);
    }
}
