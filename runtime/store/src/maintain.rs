//! Who brings memtables into segments, compacts segments and makes log segments ahead of time?
//!
//! Threads of the store, or, where the settings say so, the committing thread. One flushes and prepares the log's next
//! segment, the others compact what shares nothing at the same time, so that a long compaction holds up neither a flush
//! nor a small one. All are woken by commits and end when the store does.
//!
//! Holds: a change of the tree's files goes into the manifest only when the log is durable up to its checkpoint, and the
//! catalogue file beside it reaches as far.
//! Not here: what is flushed and compacted (the tree), holding writers back (`pressure`).

use crate::{
    archive::{archive, archive_generation},
    config::LogArchive,
    error::{Result, StoreError},
    links::Links,
    log::{held, segment_generation, segment_name},
    manifest::KnownEnd,
    recover::{catalog_name, write_catalog},
    store::Inner,
    tree::Edit,
};
use crossbeam_channel::{Receiver, RecvError, RecvTimeoutError, Sender, bounded};
use spectradb_kernel::{schema::TableId, time::Commit};
use std::{
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// So long a file may stay after the last reader in another process who needed it.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The store's threads.
#[derive(Debug)]
pub(crate) struct Threads {
    flush: Sender<Signal>,
    compact: Sender<Signal>,
    handles: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Clone, Copy, Debug)]
enum Signal {
    Look,
    Stop,
}

/// Waits for a signal. One thread looks after files that wait for readers in other processes meanwhile, for nobody tells when
/// a reader goes on.
fn next_signal(store: &Inner, signals: &Receiver<Signal>, sweeps: bool) -> Result<Signal, RecvError> {
    while sweeps && store.readers.has_waiting() {
        match signals.recv_timeout(SWEEP_EVERY) {
            Ok(signal) => return Ok(signal),
            Err(RecvTimeoutError::Timeout) => store.readers.sweep(),
            Err(RecvTimeoutError::Disconnected) => return Err(RecvError),
        }
    }
    signals.recv()
}

impl Threads {
    /// The threads of a store; `None` when the system gives none, and the committing thread does the work.
    pub(crate) fn start(store: &Arc<Inner>) -> Option<Threads> {
        // One signal waiting is as good as many.
        let (flush, flush_signals) = bounded(1);
        let compactors = store.config.compaction_thread_count.max(1);
        let (compact, compact_signals) = bounded(compactors);
        let spawn = |name: &str, signals: Receiver<Signal>, work: fn(&Inner), sweeps: bool| {
            let store = store.clone();
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                while let Ok(Signal::Look) = next_signal(&store, &signals, sweeps) {
                    work(&store);
                }
            })
        };
        let flusher = spawn("spectradb-flush", flush_signals, Inner::work_of_flush_thread, true).ok()?;
        let mut handles = vec![flusher];
        for _ in 0..compactors {
            match spawn("spectradb-compact", compact_signals.clone(), Inner::work_of_compact_thread, false) {
                Ok(handle) => handles.push(handle),
                // Fewer do as well; without one nothing would compact.
                Err(_) if handles.len() > 1 => break,
                Err(_) => {
                    drop(flush);
                    handles.into_iter().for_each(|handle| drop(handle.join()));
                    return None;
                }
            }
        }
        Some(Threads { flush, compact, handles: Mutex::new(handles) })
    }

    pub(crate) fn wake_flush(&self) {
        // A full channel means that a signal waits already.
        self.flush.try_send(Signal::Look).ok();
    }

    fn wake_compact(&self) {
        let threads = self.compact.capacity().unwrap_or(1);
        (0..threads).all(|_| self.compact.try_send(Signal::Look).is_ok());
    }

    /// Ends the threads after what they are doing.
    pub(crate) fn stop(&self) {
        let handles = std::mem::take(&mut *held(&self.handles));
        if !handles.is_empty() {
            self.flush.send(Signal::Stop).ok();
            for _ in 1..handles.len() {
                self.compact.send(Signal::Stop).ok();
            }
        }
        for handle in handles {
            handle.join().ok();
        }
    }
}

impl Inner {
    /// Freezes the memtable if it is full; called by the writer whose turn it is.
    pub(crate) fn freeze_if_full(&self, sequencer: &crate::commit::Sequencer) {
        if self.tree.needs_freeze() {
            self.freeze(sequencer);
        }
    }

    /// Freezes the memtable, if it holds anything; called by the writer whose turn it is.
    pub(crate) fn freeze(&self, sequencer: &crate::commit::Sequencer) {
        let end = *sequencer.log.end();
        // The place first: a thread may flush the memtable the moment it is frozen.
        held(&self.freezes).push_back(end);
        self.tree.freeze(end.commit, end.record);
    }

    /// After a commit: has the threads do what is due, or does it.
    pub(crate) fn maintain(&self) {
        let has_frozen = self.tree.frozen_count() > 0;
        match self.threads.get() {
            Some(threads) if has_frozen || self.segments.wants_next() => threads.wake_flush(),
            Some(_) => {}
            // The commit is done whatever comes of this; what fails here is tried again, and the brake reports it.
            None if has_frozen => {
                let flushed = self.flush_frozen();
                flushed.and_then(|()| self.compact_due()).ok();
            }
            None => {}
        }
    }

    fn work_of_flush_thread(&self) {
        // What fails here is reported where it matters: by the brake, a flush, or the append that wants the segment.
        self.segments.prepare_next().ok();
        if self.flush_frozen().is_ok()
            && let Some(threads) = self.threads.get()
        {
            threads.wake_compact();
        }
    }

    fn work_of_compact_thread(&self) {
        self.compact_due().ok();
    }

    /// Flushes all memtables that wait.
    pub(crate) fn flush_frozen(&self) -> Result<()> {
        while self.flush_one()? {}
        Ok(())
    }

    /// Flushes the memtable that waits longest; answers whether there was one.
    pub(crate) fn flush_one(&self) -> Result<bool> {
        let _flushing = held(&self.flushing);
        let (bytes, began) = (self.tree.oldest_frozen_bytes(), Instant::now());
        let flushed = self.tree.flush_one(&|edit| self.install(edit))?;
        if flushed {
            self.pressure.flushed(bytes, began);
            // This only gives room back; what fails is tried again after the next flush.
            self.retire_segments().ok();
            self.readers.sweep();
        }
        Ok(flushed)
    }

    /// Does the compaction that is most due; answers whether there was one.
    pub(crate) fn compact_one(&self) -> Result<bool> {
        self.tree.compact_one(&self.horizons(), &|edit| self.install(edit))
    }

    fn compact_due(&self) -> Result<()> {
        while !self.is_closed() {
            if !self.compact_one()? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Compacts a table, or everything.
    pub(crate) fn compact_all(&self, table: Option<TableId>) -> Result<()> {
        self.tree.compact_all(table, &self.horizons(), &|edit| self.install(edit))
    }

    /// Up to which commit the history of a table may go.
    fn horizons(&self) -> impl Fn(TableId) -> Result<Commit> {
        // One state for all tables. Its catalogue is durable, and commits after it only move horizons up.
        let snapshot = self.shown();
        move |table| snapshot.horizon(table)
    }

    /// Makes a change of the tree's files durable.
    pub(crate) fn install(&self, edit: &Edit) -> Result<()> {
        let mut checkpoint = None;
        let mut catalog_file = None;
        if let Some(upto) = edit.checkpoint {
            self.log.sync_through(upto.record)?;
            self.publication.publish(self.log.durable());
            let freezes = held(&self.freezes);
            checkpoint = freezes.iter().find(|end| end.record == upto.record).copied();
            assert!(checkpoint.is_some(), "every freeze notes where the log ended");
        }
        let old_catalog = self.manifest.state().catalog_file;
        if let Some(end) = &checkpoint
            && end.catalog_version > old_catalog
        {
            self.write_catalog(end.catalog_version)?;
            catalog_file = Some(end.catalog_version);
        }
        self.manifest.replace(|state| {
            let tree = std::mem::take(&mut state.tree);
            state.tree = tree.after(edit);
            if let Some(end) = checkpoint {
                state.checkpoint = end;
                if state.known.record < end.record {
                    state.known = KnownEnd::at(&end);
                }
            }
            if let Some(version) = catalog_file {
                state.catalog_file = version;
            }
        })?;
        if let Some(end) = &checkpoint {
            held(&self.freezes).retain(|freeze| freeze.record > end.record);
        }
        // What follows only gives room back; the next open does what fails here.
        if catalog_file.is_some() && old_catalog > 0 {
            self.readers.give_up(catalog_name(old_catalog));
        }
        Ok(())
    }

    pub(crate) fn write_catalog(&self, version: u64) -> Result<()> {
        write_catalog(&*self.disk, self.identity, &self.catalogs, version)
    }

    /// Which log segments do readers in other processes need?
    fn needed_log(&self) -> Result<impl Fn(u64) -> bool> {
        let needs = self.readers.needs()?;
        Ok(move |generation: u64| needs.is_some_and(|needs| generation >= needs.generation))
    }

    /// Does with log segments that replay no longer needs what the settings say.
    ///
    /// # Errors
    /// What the disk says; a segment that could not be looked after stays, and the next flush tries again.
    pub(crate) fn retire_segments(&self) -> Result<()> {
        let state = self.manifest.state();
        let first = state.checkpoint.generation;
        let generations = || {
            let names = self.disk.list()?;
            let mut old: Vec<u64> = names.iter().filter_map(|name| segment_generation(name)).collect();
            old.retain(|generation| *generation < first);
            old.sort_unstable();
            Ok::<_, StoreError>(old)
        };
        match self.config.log_archive {
            LogArchive::Keep => {}
            LogArchive::Compress => {
                let is_needed = self.needed_log()?;
                for generation in generations()? {
                    archive(&*self.disk, self.identity, generation)?;
                    // Who reads it in another process finds the archive, and keeps what is open.
                    self.segments.retire(generation, is_needed(generation))?;
                }
            }
            LogArchive::Drop => {
                if state.log_first < first {
                    Links::keep(&self.disk, self.identity, (state.log_first, first), state.checkpoint.record)?;
                    // The manifest first: what it names must be there.
                    self.manifest.replace(|state| state.log_first = first)?;
                }
                // Asked after the manifest moved. What a reader still needs is given up after a later flush.
                let is_needed = self.needed_log()?;
                for generation in generations()?.into_iter().filter(|generation| !is_needed(*generation)) {
                    self.segments.retire(generation, false)?;
                }
                for name in self.disk.list()? {
                    if archive_generation(&name).is_some_and(|generation| generation < first && !is_needed(generation))
                    {
                        self.disk.remove(&name)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// How many bytes of log an open would have to replay now, counting whole segments.
    pub(crate) fn replay_bytes(&self, end: &crate::log::LogEnd) -> u64 {
        let checkpoint = self.manifest.state().checkpoint;
        if checkpoint.generation == end.generation {
            return end.offset - checkpoint.offset.min(end.offset);
        }
        let whole = (checkpoint.generation..end.generation).map(|generation| {
            let file = self.disk.open(&segment_name(generation)).and_then(|file| file.len());
            file.unwrap_or(self.config.log_segment_bytes)
        });
        whole.sum::<u64>() + end.offset
    }
}
