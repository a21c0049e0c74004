//! How do all facts of some keys go for good?
//!
//! Commits wait, and nothing is flushed or compacted meanwhile. First everything is brought into files. Then, beside what is
//! there: the segments that have a fact of the keys are written anew without it (`compact::without`), the log segments that
//! speak of the keys are copied without what they say (`erase::log`), and a receipt is written to the start of the next log
//! segment, under the name of a copy: a receipt in the log was decided on. One replacement of the manifest is the erasure: it names the new segments, the copies
//! and the receipt. What follows puts the copies in the places of the old log segments and takes the old files away; the next
//! open does what this one did not come to.
//!
//! A record whose leaves are erased keeps them in their places, as hashes without their salts, so every link and every digest
//! stays what it was, and nobody can tell from a leaf what it was made of.
//!
//! Holds: a crash leaves everything or nothing erased. Who reads the log (replay, proofs, verifying) holds back erasures, or
//! begins anew when one came between. A snapshot that was taken before may still see the facts, for as long as it is held.
//! Not here: which keys a condition matches.

mod log;
mod since;
mod stated;
#[cfg(test)]
mod tests;

pub(crate) use log::{is_copy, named_copy};
pub(crate) use since::ErasedKeys;
pub use stated::{Stated, StatedFacts};

use crate::{
    archive::{archive_generation, archive_name, is_unfinished},
    chain::catalog_root,
    commit::Visible,
    commits::COMMITS,
    compact::Keys,
    config::Durability,
    error::{Result, StoreError},
    format::{frame::RecordKind, receipt_v1::encode_receipt},
    fs::Disk,
    links::{LedgerTree, Links},
    log::{LogEnd, NewRecord, Segment, held, is_spare, remove_later, segment_generation, segment_name, zero_from},
    manifest::{Erasing, KnownEnd, ManifestState},
    recover::catalog_name,
    replay::Receipt,
    store::{Inner, Store},
    tree::{Checkpoint, Edit},
};
use log::{copy_name, is_in_place};
use spectradb_kernel::{schema::TableId, time::Commit};
use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// What an erasure did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The record that is its receipt.
    pub record: u64,
    /// How many facts of the keys are gone, each counted once: those of the tables, and those that only the log had.
    pub facts: u64,
}

/// Keeps readers of the log and erasures apart.
#[derive(Debug, Default)]
pub(crate) struct Erasures {
    lock: RwLock<()>,
}

impl Erasures {
    /// Nothing is erased while this is held. Whoever holds it does not ask for it again.
    pub(crate) fn hold_back(&self) -> RwLockReadGuard<'_, ()> {
        self.lock.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> RwLockWriteGuard<'_, ()> {
        self.lock.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn corrupt(generation: u64, offset: u64, what: &str) -> StoreError {
    StoreError::Corrupt { file: segment_name(generation), offset, what: what.to_owned() }
}

/// `Ok` also where there was no such file.
fn remove(disk: &dyn Disk, name: &str) -> Result<()> {
    match disk.remove(name) {
        Err(StoreError::Missing { .. }) => Ok(()),
        removed => removed,
    }
}

/// How many facts go, by commit: the log states each of a commit's facts that the tables have, and those that a retention let
/// go, unless it lies in dropped segments or the facts went to files at once.
fn facts_gone(tables: &BTreeMap<Commit, u64>, log: &BTreeMap<Commit, u64>) -> u64 {
    let only_in_log = log.iter().map(|(commit, facts)| facts.saturating_sub(tables.get(commit).copied().unwrap_or(0)));
    tables.values().sum::<u64>() + only_in_log.sum::<u64>()
}

/// Puts the copies that a manifest names in the places of their log segments.
///
/// # Errors
/// [`StoreError::Missing`] when a copy is gone that is not in its place; what the disk says. The call can be made again.
pub(crate) fn finish(disk: &dyn Disk, state: &ManifestState) -> Result<()> {
    for erasing in &state.erasing {
        let copy = copy_name(erasing.generation);
        if erasing.generation < state.log_first {
            remove(disk, &copy)?;
            continue;
        }
        match disk.rename(&copy, &segment_name(erasing.generation)) {
            Ok(()) => remove(disk, &archive_name(erasing.generation))?,
            // It was durable before the manifest named it: it was put in its place already, or somebody took it away.
            Err(StoreError::Missing { .. }) if is_in_place(disk, erasing)? => {
                if disk.open(&segment_name(erasing.generation)).is_ok() {
                    remove(disk, &archive_name(erasing.generation))?;
                }
            }
            Err(StoreError::Missing { .. }) => return Err(StoreError::Missing { file: copy }),
            Err(error) => return Err(error),
        }
    }
    disk.sync_dir()
}

impl Store {
    /// Takes every version of some keys of a table away for good, in both times, from every file of the database: facts,
    /// deletions and ends. What stays is a receipt and, in the records that stated them, hashes that tell nothing. `None` when
    /// there was nothing of the keys. Writers wait meanwhile, and it takes about as long as writing anew what has the keys.
    ///
    /// The keys are in the codec of `spectradb_kernel::key`. They can be written again afterwards.
    ///
    /// # Errors
    /// [`StoreError::UnknownTable`] when no table ever had this number. What the disk says: nothing is erased, unless
    /// [`StoreError::OutcomeUnknown`] says that the next open, or the next call, completes it.
    pub fn erase(&self, table: TableId, keys: &[Vec<u8>]) -> Result<Option<Erased>> {
        self.inner().erase(&Keys { table, keys: keys.iter().cloned().collect() })
    }
}

impl Inner {
    fn erase(&self, keys: &Keys) -> Result<Option<Erased>> {
        let _erasing = self.erasures.begin();
        let _pause = self.tree.claims.pause();
        let mut sequencer = held(&self.sequencer);
        self.check_open(&sequencer)?;
        if keys.table == COMMITS || self.catalogs.schema(keys.table).is_none() {
            return Err(StoreError::UnknownTable { table: keys.table });
        }
        let before = *sequencer.log.end();
        if before.record == 0 || keys.keys.is_empty() {
            return Ok(None);
        }
        let _flushing = held(&self.flushing);
        self.complete()?;
        self.freeze(&sequencer);
        self.log.sync_through(before.record)?;
        self.publication.publish(self.log.durable());
        while self.tree.flush_one(&|edit| self.install(edit))? {}

        let rewritten = self.tree.without(keys)?;
        let mut copied = Vec::new();
        let mut receipt = Receipt { table: keys.table, keys: keys.keys.len() as u64, facts: 0 };
        let prepared = self.prepare((keys, &rewritten.facts), &before, &mut copied).and_then(|stated| {
            receipt.facts = facts_gone(&rewritten.facts, &stated);
            if copied.is_empty() && rewritten.old.is_empty() {
                return Ok(None);
            }
            let first = self.manifest.state().log_first;
            if before.is_bare(first) {
                // No segment without a frame stands before another: the log begins with the receipt.
                Links::keep(&self.disk, self.identity, (first, first + 1), before.record)?;
            }
            let payload = encode_receipt(&receipt);
            let record = NewRecord {
                kind: RecordKind::Erasure,
                commit: before.commit,
                instant: sequencer.instant(&**self.clock()),
                catalog_version: sequencer.catalog.version,
                root: catalog_root(&payload),
            };
            let next = before.generation + 1;
            let segment = self.segments.take_aside(next, &copy_name(next));
            let written = segment.and_then(|segment| {
                let (end, header_crc) = sequencer.log.write_aside(&segment, &record, &payload)?;
                self.disk.sync_dir()?;
                Ok((segment, end, header_crc))
            });
            // Also where it could not be written it may be there.
            let header_crc = written.as_ref().map_or(0, |(.., header_crc)| *header_crc);
            copied.push(Erasing { generation: next, offset: 0, header_crc });
            let (segment, end, _) = written?;
            Ok(Some((segment, end)))
        });
        let (segment, end) = match prepared {
            Ok(Some(prepared)) => prepared,
            Ok(None) => return Ok(None),
            Err(error) => {
                self.forget(&copied);
                return Err(error);
            }
        };
        let old_catalog = self.manifest.state().catalog_file;
        let upto = Checkpoint { commit: end.commit, record: end.record };
        let replaced = self
            .tree
            .replace_rewritten(&rewritten, upto, &|edit| self.decide(edit, (&before, &end), &copied, &receipt));
        let change = match replaced {
            Ok(change) => change,
            Err(error) => {
                // Once writes are refused nobody knows which manifest the next open finds.
                if self.health.cause().is_none() {
                    self.forget(&copied);
                }
                return Err(error);
            }
        };
        drop(rewritten);
        self.follow(&mut sequencer, segment, end);
        sequencer.erased.note(keys, end.record);
        self.tree.give_up_replaced(&change);
        if old_catalog < self.manifest.state().catalog_file && old_catalog > 0 {
            self.readers.give_up(catalog_name(old_catalog));
        }
        let completed = self.complete().and_then(|()| self.remove_strays(end.generation));
        match completed.and_then(|()| self.disk.sync_dir()) {
            Ok(()) => {
                // This only gives room back.
                self.retire_segments().and_then(|()| self.give_up_dropped_log()).ok();
                if let Some(threads) = self.threads.get() {
                    // Which looks after what waits for readers from now on.
                    threads.wake_flush();
                }
                Ok(Some(Erased { record: end.record, facts: receipt.facts }))
            }
            Err(error) => Err(StoreError::OutcomeUnknown { cause: error.to_string() }),
        }
    }

    /// Copies the log segments that speak of the keys, and clears what stands behind the log's end. Answers how many facts of
    /// the keys each commit stated.
    fn prepare(
        &self,
        (keys, tables): (&Keys, &BTreeMap<Commit, u64>),
        end: &LogEnd,
        copied: &mut Vec<Erasing>,
    ) -> Result<BTreeMap<Commit, u64>> {
        let plan = self.plan_erasure(keys, end, tables)?;
        for generation in &plan.generations {
            match self.copy_without(*generation, &plan, keys, end) {
                Ok(erasing) => copied.extend(erasing),
                Err(error) => {
                    self.disk.remove(&copy_name(*generation)).ok();
                    return Err(error);
                }
            }
        }
        if copied.iter().all(|erasing| erasing.generation != end.generation) {
            let file = self.disk.open(&segment_name(end.generation))?;
            zero_from(&*file, end.offset)?;
            file.sync()?;
        }
        Ok(plan.facts)
    }

    /// Makes the erasure durable: the step before which nothing and after which everything is erased.
    fn decide(
        &self,
        edit: &Edit,
        (before, end): (&LogEnd, &LogEnd),
        copied: &[Erasing],
        receipt: &Receipt,
    ) -> Result<()> {
        let mut catalog_file = self.manifest.state().catalog_file;
        if end.catalog_version > catalog_file {
            self.write_catalog(end.catalog_version)?;
            catalog_file = end.catalog_version;
        }
        self.manifest.replace(|state| {
            let tree = std::mem::take(&mut state.tree);
            state.tree = tree.after(edit);
            state.checkpoint = *end;
            state.known = KnownEnd::at(end);
            state.log_last = end.generation;
            if before.is_bare(state.log_first) {
                state.log_first = end.generation;
            }
            state.catalog_file = catalog_file;
            state.erasing = copied.to_vec();
            state.receipts += 1;
            state.erased_facts += receipt.facts;
        })
    }

    /// The log goes on behind the receipt.
    fn follow(&self, sequencer: &mut crate::commit::Sequencer, segment: Segment, end: LogEnd) {
        sequencer.log.go_on_in(segment, end);
        self.readers.durable(end.record);
        held(&self.freezes).clear();
        // Places in the log that were known mean nothing any more.
        *held(&self.ledger) = LedgerTree::new(self.disk.clone(), self.identity);
        let catalog = sequencer.catalog.clone();
        let visible = Visible { record: end.record, commit: end.commit, instant: end.commit_instant, catalog };
        self.publication.enqueue(visible, Durability::Synced);
        self.publication.publish(self.log.durable());
    }

    /// Puts copies that the manifest names in their places.
    fn complete(&self) -> Result<()> {
        let state = self.manifest.state();
        if state.erasing.is_empty() {
            return Ok(());
        }
        finish(&*self.disk, &state)?;
        self.manifest.replace(|state| state.erasing.clear())
    }

    /// Takes away what failures left of the log: what a record that was refused had written to later segments, spare files that
    /// could not be filled with zeroes, archives that were not finished.
    fn remove_strays(&self, newest: u64) -> Result<()> {
        let spare = self.segments.spare_name();
        let names = self.disk.list()?;
        remove_later(&*self.disk, &names, newest)?;
        for name in names {
            let is_stray = (is_spare(&name) && Some(&name) != spare.as_ref()) || is_unfinished(&name) || is_copy(&name);
            if is_stray {
                remove(&*self.disk, &name)?;
            }
        }
        Ok(())
    }

    /// Log segments that were dropped but for readers in other processes go with the last reader, without another flush.
    fn give_up_dropped_log(&self) -> Result<()> {
        let first = self.manifest.state().log_first;
        let generation = |name: &str| segment_generation(name).or_else(|| archive_generation(name));
        for name in self.disk.list()? {
            if generation(&name).is_some_and(|generation| generation < first) {
                self.readers.give_up(name);
            }
        }
        Ok(())
    }

    /// Takes away what was prepared and is not named. What stays is a leftover to the next open.
    fn forget(&self, copied: &[Erasing]) {
        for name in copied.iter().map(|erasing| copy_name(erasing.generation)) {
            self.disk.remove(&name).ok();
        }
    }
}
