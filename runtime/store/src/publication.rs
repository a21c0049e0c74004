//! In which order do commits become durable and visible, when many threads write and read?
//!
//! One sync serves all who wait ([`Durable`]): the first to come syncs what has been written by then. Records become visible in their
//! order ([`Publication`]), each when its durability allows it, and whoever waits for its own is woken.
//!
//! Holds: what is visible was queued before, and everything before it is visible; a visible record that asks for a sync is durable.
//! `shuttled` compiles this file a second time over a scheduler that tries the threads' steps in many orders, so it names nothing of
//! `std::sync` but through `super::sync`.
//! Not here: numbering and logging (`commit`, `log`).

use super::sync::{AtomicU64, Condvar, Mutex, MutexGuard, Ordering, Shared};
use crate::{commit::Visible, config::Durability};
use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError},
};

/// What a mutex guards is whole between calls, even if a thread died while it held it.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Up to where the log is durable.
#[derive(Debug)]
pub(crate) struct Durable {
    record: AtomicU64,
    /// Is a thread syncing, or doing what nobody may sync beside?
    syncing: Mutex<bool>,
    /// Notified when it is done.
    done: Condvar,
}

/// The one thread that syncs, until it is dropped. All that wait are woken at once: handed from one to the next, each would
/// wait for the waking of those before it.
struct Syncing<'a>(&'a Durable);

impl Drop for Syncing<'_> {
    fn drop(&mut self) {
        *held(&self.0.syncing) = false;
        self.0.done.notify_all();
    }
}

impl Durable {
    /// Durable up to a record.
    pub(crate) fn upto(record: u64) -> Durable {
        Durable { record: AtomicU64::new(record), syncing: Mutex::new(false), done: Condvar::new() }
    }

    /// Up to which record.
    pub(crate) fn record(&self) -> u64 {
        self.record.load(Ordering::Acquire)
    }

    /// It is durable up to a record, by other means.
    pub(crate) fn raise(&self, record: u64) {
        self.record.fetch_max(record, Ordering::AcqRel);
    }

    /// Makes it durable up to a record: by waiting for who is at it, or by `sync`, which answers up to which record it was written when
    /// the sync began.
    ///
    /// # Errors
    /// What `sync` gives.
    pub(crate) fn through<E>(&self, record: u64, sync: impl FnOnce() -> Result<u64, E>) -> Result<(), E> {
        let Some(_syncing) = self.enter(|| self.record() >= record) else { return Ok(()) };
        let written = sync()?;
        self.raise(written);
        Ok(())
    }

    /// Does something that nobody syncs beside.
    pub(crate) fn alone<T>(&self, work: impl FnOnce() -> T) -> T {
        let _syncing = self.enter(|| false);
        work()
    }

    /// Waits for its turn to sync; `None` once there is no need to.
    fn enter(&self, enough: impl Fn() -> bool) -> Option<Syncing<'_>> {
        if enough() {
            return None;
        }
        let mut syncing = held(&self.syncing);
        while *syncing && !enough() {
            syncing = self.done.wait(syncing).unwrap_or_else(PoisonError::into_inner);
        }
        if enough() {
            return None;
        }
        *syncing = true;
        Some(Syncing(self))
    }
}

/// What is not visible yet.
#[derive(Debug)]
struct Waiting {
    /// Records that are logged and applied, in order, each with whether it waits for a sync.
    records: VecDeque<(Visible, bool)>,
    /// How many threads wait for one of them.
    threads: usize,
}

/// Makes records visible in order.
#[derive(Debug)]
pub(crate) struct Publication {
    visible: Shared<Visible>,
    waiting: Mutex<Waiting>,
    advanced: Condvar,
}

impl Publication {
    pub(crate) fn new(visible: Visible) -> Publication {
        let waiting = Mutex::new(Waiting { records: VecDeque::new(), threads: 0 });
        Publication { visible: Shared::new(visible), waiting, advanced: Condvar::new() }
    }

    /// What readers see now.
    pub(crate) fn visible(&self) -> Arc<Visible> {
        self.visible.load()
    }

    /// Is this what readers see now?
    pub(crate) fn is_visible(&self, visible: &Arc<Visible>) -> bool {
        self.visible.is(visible)
    }

    /// Makes a record visible that another process wrote.
    pub(crate) fn show(&self, visible: Arc<Visible>) {
        self.visible.store(visible);
    }

    /// Queues the next record; called in the order of records.
    pub(crate) fn enqueue(&self, record: Visible, durability: Durability) {
        let needs_sync = match durability {
            Durability::Synced => true,
            Durability::EveryRecords(_) | Durability::None => false,
        };
        held(&self.waiting).records.push_back((record, needs_sync));
    }

    /// Makes visible what may be, given up to where the log is durable.
    pub(crate) fn publish(&self, durable: u64) {
        let mut waiting = held(&self.waiting);
        let mut newest = None;
        while let Some((record, needs_sync)) = waiting.records.front()
            && (!needs_sync || record.record <= durable)
        {
            newest = waiting.records.pop_front();
        }
        if let Some((visible, _)) = newest {
            self.visible.store(Arc::new(visible));
            // Waking nobody costs a system call as well.
            if waiting.threads > 0 {
                self.advanced.notify_all();
            }
        }
    }

    /// Waits until a record is visible or `is_over` says that it never will be; answers whether it is.
    pub(crate) fn wait(&self, record: u64, is_over: impl Fn() -> bool) -> bool {
        if self.visible.load().record >= record {
            return true;
        }
        let mut waiting = held(&self.waiting);
        waiting.threads += 1;
        let is_visible = loop {
            if self.visible.load().record >= record {
                break true;
            }
            if is_over() {
                break false;
            }
            waiting = self.advanced.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        };
        waiting.threads -= 1;
        is_visible
    }

    /// Wakes all who wait, so that they look again.
    pub(crate) fn wake(&self) {
        let _waiting = held(&self.waiting);
        self.advanced.notify_all();
    }
}
