//! Is everything in the files what the ledger says?
//!
//! Nothing is taken for granted that could be computed: the links of all records make a tree and follow each other; each
//! record that is still in the log hashes to its link; the tables hold each fact that it states, with the same values and
//! the same end, and no fact and no end of which the log knows nothing. No two facts of a key overlap. Then each file is held against what the manifest,
//! its index and its filter claim.
//!
//! Facts of records that are no longer in the log cannot be compared: they are counted as pruned. So are facts that ended
//! when their table's retention no longer keeps them: some of them are gone with their ends, and the others need not be
//! there. Commits that come while this runs are left out.
//!
//! Holds: the answer is about one state of the database. The first difference ends the walk.
//! Not here: what is claimed of the files (`files`), facts that overlap (`overlaps`), what an outsider can check (`proof`).

mod files;
mod overlaps;
mod tally;
#[cfg(test)]
mod tests;

use crate::{
    bulk::{Filled, check_files, each_batch_of, fill, left_to_files},
    catalog::CatalogVersion,
    chain::{BatchShape, Hash, leaf_columns},
    commits::COMMITS,
    config::LogArchive,
    error::{Result, StoreError},
    fact::{FactBatch, FactId, Superseded, Write},
    keys::{encode_row, hash_of},
    links::Links,
    log::held,
    manifest::KnownEnd,
    notes::Known,
    proof::{Digest, OverRecords, empty_root, merkle::Frontier, record_leaf},
    replay::{self, LogScan, RecordBody},
    run::{Run, commit_of_lane, i64_at, lane_of_commit},
    shape::Shape,
    snapshot::Snapshot,
    store::{Inner, Store},
    tree::{FileId, TableShard},
};
use spectradb_kernel::{
    Value, key,
    schema::{TableId, TableSchema},
    time::{Commit, Micros, Timestamp},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fmt,
    sync::Arc,
};
use tally::{Tally, put_commit, put_content, put_end, put_fact, put_stored_commit};

/// What was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The state that was verified.
    pub digest: Digest,
    /// Records that are no longer in the log; only their links are known.
    pub pruned_records: u64,
    /// Facts of all versions in all tables, with those that went with their table's retention.
    pub facts: u64,
    /// Facts that are what a record of the log says.
    pub proven: u64,
    /// Facts of records that are no longer in the log, and facts past their table's retention.
    pub pruned: u64,
    /// Facts whose content was erased; their leaves are in the log.
    pub erased: u64,
    /// Erasures that have their receipt in the log.
    pub receipts: u64,
    /// The first difference that was found; the counts go up to it.
    pub difference: Option<Difference>,
}

/// Something is not what the ledger says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A fact.
    Fact {
        /// Its table's name.
        table: String,
        /// Its key, such as `(id)=(1)`.
        key: String,
        /// Where its valid period begins.
        valid_from: Micros,
        /// The commit that wrote it.
        commit: Commit,
        /// What is wrong.
        what: String,
    },
    /// A record.
    Record {
        /// Its number.
        record: u64,
        /// What is wrong.
        what: String,
    },
    /// A file is damaged, missing, or of another format.
    File {
        /// Which one, where, and what is wrong.
        what: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Fact { table, key, valid_from, commit, what } => {
                let from = Timestamp(*valid_from);
                write!(f, "fact {key} of table \"{table}\", valid from {from}, commit {commit}: {what}")
            }
            Difference::Record { record, what } => write!(f, "record {record}: {what}"),
            Difference::File { what } => f.write_str(what),
        }
    }
}

/// Why the walk ends early.
enum Stop {
    Difference(Box<Difference>),
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Stop {
        match error {
            StoreError::LedgerDiffers { record, what } => {
                Stop::Difference(Box::new(Difference::Record { record, what }))
            }
            StoreError::Corrupt { .. }
            | StoreError::Missing { .. }
            | StoreError::FormatVersion { .. }
            | StoreError::UnknownFeatures { .. } => {
                Stop::Difference(Box::new(Difference::File { what: error.to_string() }))
            }
            error => Stop::Failed(error),
        }
    }
}

type Walk<T = ()> = Result<T, Stop>;

fn record_differs<T>(record: u64, what: impl Into<String>) -> Walk<T> {
    Err(Stop::Difference(Box::new(Difference::Record { record, what: what.into() })))
}

impl Store {
    /// The state of the ledger up to the newest visible record, which is durable when this returns. The tree over records
    /// is computed from the files, and kept for the next call.
    ///
    /// # Errors
    /// What the disk says, and [`StoreError::Corrupt`] where the links do not follow each other.
    pub fn digest(&self) -> Result<Digest> {
        let _reader = self.inner().log_reader()?;
        let _no_erasure = self.inner().erasures.hold_back();
        self.inner().despite_erasures(|| self.inner().digest_of(&self.snapshot_with_record()?.1))
    }

    /// Computes everything again from the files and compares it with the ledger, and the ledger with a digest that was
    /// taken earlier, if one is given. Readers and writers go on meanwhile.
    ///
    /// # Errors
    /// What the disk says. Damage is not an error but a difference in the answer.
    pub fn verify(&self, earlier: Option<&Digest>) -> Result<Verification> {
        let inner = self.inner();
        let _no_erasure = inner.erasures.hold_back();
        loop {
            let receipts = inner.manifest.receipts();
            let found = inner.despite_erasures(|| self.try_verify(earlier))?;
            // In another process nothing holds erasures back: log and tables may be of before and after one.
            if found.difference.is_none() || !inner.meets_erasure(receipts)? {
                return Ok(found);
            }
        }
    }

    fn try_verify(&self, earlier: Option<&Digest>) -> Result<Verification> {
        let inner = self.inner();
        // A log segment must not be dropped while it is read.
        let _flushing = (inner.config.log_archive == LogArchive::Drop).then(|| held(&inner.flushing));
        let _reader = inner.log_reader()?;
        let (snapshot, visible) = self.snapshot_with_record()?;
        inner.log.sync_through(visible.record)?;
        let empty = Digest {
            database: inner.identity.database,
            timeline: inner.timeline_at(visible.record),
            records: visible.record,
            root: [0; 32],
            link: [0; 32],
            commit: visible.commit,
            instant: (visible.commit > 0).then_some(visible.instant),
        };
        let mut verifier = Verifier {
            inner,
            earlier,
            visible: lane_of_commit(snapshot.commit()),
            snapshot,
            first_whole: 1,
            pruned_upto: 0,
            past: HashSet::new(),
            unproven: HashSet::new(),
            tally: Tally::new(inner.new_secret()?),
            found: Verification {
                digest: empty,
                pruned_records: 0,
                facts: 0,
                proven: 0,
                pruned: 0,
                erased: 0,
                receipts: 0,
                difference: None,
            },
        };
        match verifier.walk() {
            Ok(()) => {}
            Err(Stop::Difference(difference)) => verifier.found.difference = Some(*difference),
            Err(Stop::Failed(error)) => return Err(error),
        }
        Ok(verifier.found)
    }
}

impl Inner {
    /// The timeline that a record was written on, or will be.
    pub(crate) fn timeline_at(&self, record: u64) -> u32 {
        self.manifest.state().timeline_at(record, self.identity.timeline)
    }

    fn digest_of(&self, visible: &crate::commit::Visible) -> Result<Digest> {
        self.log.sync_through(visible.record)?;
        let mut ledger = held(&self.ledger);
        loop {
            let state = self.manifest.state();
            let generations = (state.log_first, state.log_last);
            match ledger.advance(visible.record, generations) {
                // A segment was dropped under our feet: its links are in a file of their own now.
                Err(StoreError::Missing { .. }) if self.manifest.state().log_first != state.log_first => {}
                Err(error) => return Err(error),
                // Another call may have gone further meanwhile.
                Ok(_) if ledger.records() > visible.record => {
                    drop(ledger);
                    return self.digest_of(&self.publication.visible());
                }
                Ok((root, link)) => {
                    return Ok(Digest {
                        database: self.identity.database,
                        timeline: self.timeline_at(visible.record),
                        records: visible.record,
                        root,
                        link,
                        commit: visible.commit,
                        instant: (visible.commit > 0).then_some(visible.instant),
                    });
                }
            }
        }
    }
}

struct Verifier<'a> {
    inner: &'a Inner,
    earlier: Option<&'a Digest>,
    snapshot: Snapshot,
    visible: i64,
    /// The first record of which everything is in the log.
    first_whole: u64,
    /// Facts of commits up to this one are pruned.
    pruned_upto: i64,
    /// Facts of the log that ended when their table's retention no longer keeps them, by hash.
    past: HashSet<[u8; 16]>,
    /// Commits whose facts only the tables have, and not all of them any more.
    unproven: HashSet<i64>,
    tally: Tally,
    found: Verification,
}

/// Facts that lie side by side, and where.
struct Stored<'a> {
    place: TableShard,
    /// The segment, where they are not in memory.
    file: Option<FileId>,
    shape: &'a Shape,
    run: &'a Run,
    known: &'a Known,
}

impl Verifier<'_> {
    fn walk(&mut self) -> Walk {
        self.walk_links()?;
        self.find_past()?;
        self.walk_log()?;
        self.subtract_stored()?;
        self.check_overlaps()?;
        self.check_files()
    }

    /// The tree over all records.
    fn walk_links(&mut self) -> Walk {
        let state = self.inner.manifest.state();
        let generations = (state.log_first, state.log_last);
        let mut links = Links::new(self.inner.disk.clone(), self.inner.identity);
        let mut frontier = Frontier::default();
        let records = self.found.digest.records;
        self.check_earlier(&frontier)?;
        while let Some(linked) = links.next(records, generations)? {
            frontier.push::<OverRecords>(record_leaf(&linked.link));
            self.found.digest.link = linked.link;
            self.check_earlier(&frontier)?;
            if !linked.is_whole {
                self.first_whole = linked.record + 1;
                self.found.pruned_records = linked.record;
            }
            if state.known.record == linked.record && state.known.link.is_some_and(|link| link != linked.link) {
                return record_differs(linked.record, "it is not the one that the manifest knows");
            }
        }
        // What the manifest says of commits counts for nothing before it is known that there are as many records.
        if self.found.digest.commit > records {
            return record_differs(
                records,
                format!("the ledger ends here, and commit {} is said to be in it", self.found.digest.commit),
            );
        }
        self.found.digest.root = root_of(&frontier);
        let end = *held(&self.inner.sequencer).log.end();
        if end.record == records && end.link != self.found.digest.link {
            return record_differs(records, "the log's last link is not the one that was written");
        }
        Ok(())
    }

    /// Is the tree so far the one that the earlier digest names?
    fn check_earlier(&self, frontier: &Frontier) -> Walk {
        let Some(earlier) = self.earlier else { return Ok(()) };
        if earlier.database != self.inner.identity.database {
            return record_differs(frontier.count(), "the digest is of another database");
        }
        if earlier.timeline != self.inner.timeline_at(earlier.records) {
            return record_differs(frontier.count(), "the digest is of another timeline of the database");
        }
        let records = self.found.digest.records;
        if earlier.records > records {
            let what = format!("the ledger ends here, and the digest names one of {} records", earlier.records);
            return record_differs(records, what);
        }
        if earlier.records == frontier.count() && root_of(frontier) != earlier.root {
            return record_differs(earlier.records, "the ledger up to here is not the one that the digest names");
        }
        Ok(())
    }

    fn scan(&self) -> Result<LogScan> {
        let state = self.inner.manifest.state();
        let last = held(&self.inner.sequencer).log.end().generation;
        LogScan::starting_at(
            self.inner.disk.clone(),
            self.inner.identity,
            self.inner.catalogs.clone(),
            self.first_whole,
            state.log_first..=last,
            KnownEnd { record: self.found.digest.records, link: None, generation: last },
        )
    }

    /// Gives every record of the log to `each`.
    fn each_record(&mut self, mut each: impl FnMut(&mut Self, &mut replay::Found) -> Walk) -> Walk {
        let upto = self.found.digest.records;
        if self.first_whole > upto {
            return Ok(());
        }
        let mut scan = self.scan()?;
        while scan.end().record < upto {
            match scan.next_record()? {
                Some(mut found) => each(self, &mut found)?,
                None => return record_differs(scan.end().record + 1, "it is not in the log"),
            }
        }
        Ok(())
    }

    /// The facts that a record left to files must hash to its root together with the rest of it, unless some are gone with
    /// their table's retention.
    fn check_left_to_files(&mut self, found: &replay::Found, commit: Commit) -> Walk {
        match check_files(found, self.snapshot.view(), &self.inner.catalogs)? {
            Filled::Whole => {}
            Filled::Pruned(_) => drop(self.unproven.insert(lane_of_commit(commit))),
        }
        Ok(())
    }

    /// Up to which commit a table's history may be gone; 0 where all is there.
    fn gone_upto(&self, table: TableId) -> i64 {
        self.snapshot.view().version.pruned.get(&table).map_or(0, |commit| lane_of_commit(*commit))
    }

    /// Collects the facts that need not be there any more: their end tells, and it comes after them in the log.
    fn find_past(&mut self) -> Walk {
        if self.snapshot.view().version.pruned.is_empty() {
            return Ok(());
        }
        self.each_record(|verifier, found| {
            let RecordBody::Commit { commit, write, .. } = &found.record.body else { return Ok(()) };
            for superseded in &write.superseded {
                if lane_of_commit(*commit) <= verifier.gone_upto(superseded.table) {
                    let hashes = superseded.facts.iter().map(|id| verifier.tally.hash_of_fact(superseded.table, id));
                    verifier.past.extend(hashes.collect::<Vec<_>>());
                }
            }
            Ok(())
        })
    }

    fn is_past(&self, table: TableId, id: &FactId) -> bool {
        !self.past.is_empty() && self.past.contains(&self.tally.hash_of_fact(table, id))
    }

    fn walk_log(&mut self) -> Walk {
        let versions = self.inner.catalogs.all();
        // Until a commit is met, all that are visible are pruned.
        self.pruned_upto = self.visible;
        let mut knows_first = false;
        self.each_record(|verifier, found| match &found.record.body {
            RecordBody::Catalog { catalog_version, .. } => {
                let version = usize::try_from(*catalog_version).ok().and_then(|place| versions.get(place));
                check_catalog(version, found)
            }
            RecordBody::Erasure(_) => {
                verifier.found.receipts += 1;
                Ok(())
            }
            RecordBody::Commit { commit, catalog_version, write } => {
                if !knows_first {
                    knows_first = true;
                    verifier.pruned_upto = lane_of_commit(*commit) - 1;
                }
                verifier.add_commit(found, *commit, *catalog_version, write)
            }
        })
    }

    /// Counts what a commit says in.
    fn add_commit(&mut self, found: &replay::Found, commit: Commit, catalog_version: u64, write: &Write) -> Walk {
        if commit > self.found.digest.records {
            return record_differs(found.record.record, format!("it is of commit {commit}, and there are not as many"));
        }
        let mut message = Vec::new();
        let numbers = (lane_of_commit(commit), found.record.instant, catalog_version, found.record.record);
        put_commit(numbers, write.metadata.as_deref(), &mut message);
        self.tally.add(lane_of_commit(commit), &message);
        // The record hashed to its link with them in their places; neither side knows more of them.
        self.found.erased += found.secret.erased_facts().values().sum::<u64>();
        self.check_left_to_files(found, commit)?;
        write.facts.iter().try_for_each(|batch| self.add_facts(batch, commit))?;
        let snapshot = self.snapshot.clone();
        for table in left_to_files(found).into_keys() {
            each_batch_of(snapshot.view(), table, commit, |batch| self.add_facts(&batch, commit))?;
        }
        for superseded in &write.superseded {
            if lane_of_commit(commit) <= self.gone_upto(superseded.table) {
                continue;
            }
            for id in &superseded.facts {
                message.clear();
                put_end(superseded.table, &id.key, id.valid_from, lane_of_commit(id.commit), &mut message);
                self.tally.add(lane_of_commit(commit), &message);
            }
        }
        Ok(())
    }

    /// Counts facts in.
    fn add_facts(&mut self, batch: &FactBatch, commit: Commit) -> Walk {
        let schema = self.inner.catalogs.schema_at(batch.table, batch.schema_version);
        let schema = schema.ok_or(StoreError::UnknownTable { table: batch.table })?;
        let shape = BatchShape::of(&Shape::of(&schema));
        let columns = leaf_columns(&batch.columns, &shape);
        let mut message = Vec::new();
        for (row, period) in batch.periods.iter().enumerate() {
            if !self.past.is_empty() {
                let mut key = Vec::new();
                encode_row(&batch.columns, &shape.key, row, &mut key);
                if self.is_past(batch.table, &FactId { key, valid_from: period.from(), commit }) {
                    continue;
                }
            }
            message.clear();
            put_fact(batch.table, (period.from(), period.to(), lane_of_commit(batch.origins[row])), &mut message);
            put_content(&columns, &batch.columns, &shape.key, row, &mut message);
            self.tally.add(lane_of_commit(commit), &message);
        }
        Ok(())
    }

    fn schema(&self, table: TableId) -> Walk<Arc<TableSchema>> {
        Ok(self.inner.catalogs.schema(table).ok_or(StoreError::UnknownTable { table })?)
    }

    /// Gives every run of facts to `each`.
    fn each_run(&self, each: &mut dyn FnMut(&Stored<'_>) -> Walk) -> Walk {
        self.each_run_in(&|_| true, each)
    }

    /// Gives every run of facts to `each` that lies in a wanted segment, or in none where that is wanted.
    fn each_run_in(&self, wanted: &dyn Fn(Option<FileId>) -> bool, each: &mut dyn FnMut(&Stored<'_>) -> Walk) -> Walk {
        let version = &self.snapshot.view().version;
        for memtable in version.memtables().filter(|_| wanted(None)) {
            for (place, table) in memtable.tables() {
                for chunk in table.chunks() {
                    let known = &chunk.ends.known();
                    each(&Stored { place, file: None, shape: &chunk.shape, run: &chunk.run, known })?;
                }
            }
        }
        for (place, files) in &version.tables {
            for segment in files.segments().filter(|segment| wanted(Some(segment.meta.file))) {
                let (index, file) = (segment.index()?, Some(segment.meta.file));
                for block in &index.blocks {
                    let (run, known) = (&*segment.run(block)?, &block.ends.known());
                    each(&Stored { place: *place, file, shape: &index.shape, run, known })?;
                }
            }
        }
        Ok(())
    }

    /// Counts what the tables hold out again: what is left over is a difference.
    fn subtract_stored(&mut self) -> Walk {
        let (visible, pruned_upto) = (self.visible, self.pruned_upto);
        let shards = self.snapshot.view().version.shards.clone();
        let (mut facts, mut pruned, mut past, mut lost) = (0u64, 0u64, 0u64, None);
        let mut tally = std::mem::take(&mut self.tally);
        self.each_run(&mut |stored| {
            let Stored { place, shape, run, .. } = *stored;
            let batch_shape = BatchShape::of(shape);
            let columns = leaf_columns(&run.columns, &batch_shape);
            let (mut key, mut message) = (Vec::new(), Vec::new());
            for row in 0..run.len {
                let commit = i64_at(&run.commit, row);
                if commit > visible {
                    continue;
                }
                message.clear();
                if shape.table == COMMITS {
                    if commit > pruned_upto {
                        put_stored_commit(run, row, &mut message);
                        tally.subtract(commit, &message);
                    }
                    continue;
                }
                key.clear();
                encode_row(&run.columns, &shape.key, row, &mut key);
                let from = i64_at(&run.valid_from, row);
                if shards.place(shape.table, hash_of(&key)) != place && lost.is_none() {
                    let id = FactId { key: key.clone(), valid_from: from, commit: commit_of_lane(commit) };
                    lost = Some((shape.table, id));
                }
                let end = stored.end_of(row);
                if end <= self.gone_upto(shape.table) {
                    past += 1;
                    continue;
                }
                facts += 1;
                pruned += u64::from(self.unproven.contains(&commit) && commit > pruned_upto);
                if commit > pruned_upto {
                    put_fact(shape.table, (from, i64_at(&run.valid_to, row), i64_at(&run.origin, row)), &mut message);
                    put_content(&columns, &run.columns, &shape.key, row, &mut message);
                    tally.subtract(commit, &message);
                } else {
                    pruned += 1;
                }
                if end <= visible && end > pruned_upto {
                    message.clear();
                    put_end(shape.table, &key, from, commit, &mut message);
                    tally.subtract(end, &message);
                }
            }
            Ok(())
        })?;
        let past = past.max(self.past.len() as u64);
        self.found.facts = facts + past;
        self.found.pruned = pruned + past;
        self.found.proven = facts - pruned;
        let first = tally.first_difference();
        self.tally = tally;
        match (first, lost) {
            (Some(commit), _) => {
                self.found.proven = 0;
                self.name_difference(commit)
            }
            (None, Some((table, id))) => fact_differs(&*self.schema(table)?, &id, "it is in another key's shard"),
            (None, None) => Ok(()),
        }
    }

    /// Names the first fact or end of a commit in which the tables and the ledger differ.
    fn name_difference(&mut self, commit: i64) -> Walk {
        let mut told: Option<(u64, Micros, u64, Write)> = None;
        self.each_record(|verifier, found| {
            if matches!(&found.record.body, RecordBody::Commit { commit: of, .. } if lane_of_commit(*of) == commit) {
                fill(found, verifier.snapshot.view())?;
                let (record, instant) = (found.record.record, found.record.instant);
                if let RecordBody::Commit { catalog_version, write, .. } = &mut found.record.body {
                    told = Some((record, instant, *catalog_version, std::mem::take(write)));
                }
            }
            Ok(())
        })?;
        let Some((record, instant, catalog_version, write)) = told else {
            return record_differs(self.found.digest.records, format!("the ledger has no commit {commit}"));
        };
        let mut facts: BTreeMap<(TableId, FactId), (usize, usize)> = BTreeMap::new();
        for (batch_idx, batch) in write.facts.iter().enumerate() {
            let schema = self.schema(batch.table)?;
            for (row, period) in batch.periods.iter().enumerate() {
                let mut key = Vec::new();
                encode_row(&batch.columns, &schema.key, row, &mut key);
                let id = FactId { key, valid_from: period.from(), commit: commit_of_lane(commit) };
                if !self.is_past(batch.table, &id) {
                    facts.insert((batch.table, id), (batch_idx, row));
                }
            }
        }
        let ids = |superseded: &Superseded| -> Vec<_> {
            superseded.facts.iter().map(|id| (superseded.table, id.clone())).collect()
        };
        let kept = write.superseded.iter().filter(|superseded| commit > self.gone_upto(superseded.table));
        let mut ends: BTreeSet<(TableId, FactId)> = kept.flat_map(ids).collect();
        let mut commits = 0;
        let mut wrong: Option<((TableId, FactId), String)> = None;
        let mut tell = |id: (TableId, FactId), what: String| {
            if wrong.as_ref().is_none_or(|(first, _)| id < *first) {
                wrong = Some((id, what));
            }
        };
        self.each_run(&mut |stored| {
            let Stored { shape, run, .. } = *stored;
            for row in 0..run.len {
                let (of, end) = (i64_at(&run.commit, row), stored.end_of(row));
                if of != commit && end != commit || end <= self.gone_upto(shape.table) {
                    continue;
                }
                if shape.table == COMMITS {
                    let (mut stored, mut logged) = (Vec::new(), Vec::new());
                    put_stored_commit(run, row, &mut stored);
                    let numbers = (commit, instant, catalog_version, record);
                    put_commit(numbers, write.metadata.as_deref(), &mut logged);
                    commits += u64::from(stored == logged);
                    continue;
                }
                let mut key = Vec::new();
                encode_row(&run.columns, &shape.key, row, &mut key);
                let from = i64_at(&run.valid_from, row);
                let id = (shape.table, FactId { key, valid_from: from, commit: commit_of_lane(of) });
                if end == commit && !ends.remove(&id) {
                    tell(id.clone(), format!("the tables end it with commit {end}, and the ledger does not"));
                }
                if of == commit {
                    match facts.remove(&id) {
                        None => tell(id, "the ledger does not know it".to_owned()),
                        Some((batch_idx, logged)) => {
                            let batch = &write.facts[batch_idx];
                            let schema = self.inner.catalogs.schema_at(batch.table, batch.schema_version);
                            let schema = schema.ok_or(StoreError::UnknownTable { table: batch.table })?;
                            if let Some(what) = compare(&schema, batch, logged, (shape, run, row)) {
                                tell(id, what);
                            }
                        }
                    }
                }
            }
            Ok(())
        })?;
        facts.into_keys().for_each(|id| tell(id, "it is not there".to_owned()));
        ends.into_iter()
            .for_each(|id| tell(id, format!("the ledger ends it with commit {commit}, and the tables do not")));
        match wrong {
            Some(((table, id), what)) => fact_differs(&*self.schema(table)?, &id, what),
            None if commits != 1 => {
                record_differs(record, format!("the table of commits says something else of commit {commit}"))
            }
            None => record_differs(record, "the tables and the ledger count differently"),
        }
    }
}

/// The root of the tree over the records gone past.
pub(crate) fn root_of(frontier: &Frontier) -> Hash {
    frontier.root::<OverRecords>().unwrap_or_else(empty_root)
}

impl Stored<'_> {
    fn end_of(&self, row: usize) -> i64 {
        self.known.end_of(row).min(i64_at(&self.run.system_to, row))
    }
}

fn check_catalog(version: Option<&CatalogVersion>, found: &replay::Found) -> Walk {
    let RecordBody::Catalog { change, .. } = &found.record.body else { return Ok(()) };
    let same = version.is_some_and(|version| {
        version.change.as_ref() == Some(change)
            && (version.record, version.instant, version.after_commit)
                == (found.record.record, found.record.instant, found.end.commit)
    });
    if same { Ok(()) } else { record_differs(found.record.record, "the catalogue does not have its change") }
}

fn fact_differs<T>(schema: &TableSchema, id: &FactId, what: impl Into<String>) -> Walk<T> {
    let types: Vec<_> = schema.key_types().collect();
    let names: Vec<&str> = schema.key.iter().map(|column_idx| schema.columns[*column_idx].name.as_str()).collect();
    let values = key::decode(&id.key, &types).unwrap_or_default();
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    Err(Stop::Difference(Box::new(Difference::Fact {
        table: schema.name.clone(),
        key: format!("({})=({})", names.join(", "), values.join(", ")),
        valid_from: id.valid_from,
        commit: id.commit,
        what: what.into(),
    })))
}

/// How a stored fact differs from the one of the log.
fn compare(
    schema: &TableSchema,
    batch: &FactBatch,
    row: usize,
    (shape, run, stored_row): (&Shape, &Run, usize),
) -> Option<String> {
    let (period, to) = (batch.periods[row], i64_at(&run.valid_to, stored_row));
    if to != period.to() {
        let (stored, told) = (Timestamp(to), Timestamp(period.to()));
        return Some(format!("it is valid to {stored}, and in the ledger to {told}"));
    }
    if i64_at(&run.origin, stored_row) != lane_of_commit(batch.origins[row]) {
        return Some("it stems from another commit than in the ledger".to_owned());
    }
    for (place, (id, ty)) in shape.columns.iter().enumerate() {
        let stored = run.columns[place].value(stored_row);
        let told = schema.columns.iter().position(|column| column.id == *id);
        let (told, same_type) = match told {
            Some(column_idx) => (batch.columns[column_idx].value(row), batch.columns[column_idx].ty() == *ty),
            None => (Value::Null, true),
        };
        if !same_type || !identical(&stored, &told) {
            let name = schema.columns.iter().find(|column| column.id == *id).map_or("", |column| &column.name);
            return Some(format!("column \"{name}\" is {stored}, and in the ledger {told}"));
        }
    }
    let is_missing = |column_idx: &usize| shape.columns.iter().all(|(id, _)| *id != schema.columns[*column_idx].id);
    let lost = (0..schema.columns.len()).filter(is_missing).find(|idx| !batch.columns[*idx].is_null(row));
    lost.map(|column_idx| format!("column \"{}\" is not there", schema.columns[column_idx].name))
}

/// The same to the bit.
fn identical(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}
