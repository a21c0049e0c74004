//! How does a database go on from a past state of itself?
//!
//! A restore reads a database, which somebody may be writing meanwhile, and makes another one of it that holds what the first
//! one held after one of its records, and nothing later. The log up to there, and the links of what was dropped of it, are
//! taken over byte by byte, so the ledger is the same ledger, with the same digest. The facts come from that log where all of
//! it is there, and otherwise from the segments, where every version of every fact is: what ended later is current again.
//!
//! The new database is a timeline of its own. Its manifest says behind which record it left the old one; what it writes is of
//! the next timeline, so neither takes the other's log for its own.
//!
//! Holds: the old database is only read. The manifest of the new one is written last, and what was made is verified against the
//! ledger and held against the digest of the old one before it gets its name. What was erased is nowhere to be read any more, so
//! it does not come back; a restore beside which something is erased is refused.
//! Not here: copying log and links (`restore::files`), the facts (`restore::facts`), the folder's name (`fs`).

mod facts;
mod files;

use crate::{
    catalog::Catalogs,
    clock::{Clock, SystemClock},
    commits::COMMITS_RECORD,
    config::{Config, LogArchive},
    error::{Result, StoreError},
    follow::LogReader,
    format::Identity,
    fs::{self, Disk, DiskLock},
    links::Links,
    log::{Health, LogEnd},
    manifest::{Fork, KnownEnd, Manifest, ManifestState},
    proof::{Digest, OverRecords, merkle::Frontier, record_leaf},
    readers::Readers,
    recover::write_catalog,
    replay::RecordBody,
    snapshot::Snapshot,
    store::{Inner, LOCK_NAME, Store},
    tree::Checkpoint,
    verify::{Verification, root_of},
};
use spectradb_kernel::{
    Value,
    time::{Commit, Micros},
};
use std::{path::Path, sync::Arc};

/// Which state of a database is restored?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The newest one.
    Newest,
    /// The one after a commit.
    Commit(Commit),
    /// The one at an instant: the commits up to it, and the changes of the catalogue up to it that followed them.
    Instant(Micros),
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The state of the ledger: this digest is the one that the old database had there.
    pub digest: Digest,
    /// The timeline as which the new database goes on.
    pub timeline: u32,
    /// Do the facts come from the log? Otherwise they come from the segments.
    pub from_log: bool,
    /// What verifying the new database found.
    pub verified: Verification,
}

/// Makes a database in a new folder that is what another one was. Nothing has the name of the new folder before everything is
/// there and verified; a restore that was interrupted leaves a folder named `.restoring` behind it, which the next one uses, and one that was
/// refused leaves nothing.
///
/// # Errors
/// [`StoreError::NoDatabase`]; [`StoreError::NotEmpty`] when there is something at the new place;
/// [`StoreError::Future`], [`StoreError::FutureInstant`], [`StoreError::NothingYet`] and [`StoreError::BeforeFirst`]; [`StoreError::NotRestorable`] when neither log nor segments have
/// what the state was; [`StoreError::ErasedMeanwhile`]; [`StoreError::LedgerDiffers`] when the old database is not what its ledger says;
/// what the disks say.
pub fn restore_path(from: &Path, to: &Path, at: At, config: &Config) -> Result<Restored> {
    let source = fs::open_folder(from, config.io_uring, true)?;
    let source = Source::open(source, Arc::new(SystemClock), config).map_err(|error| match error {
        StoreError::NoDatabase { .. } => StoreError::NoDatabase { folder: from.display().to_string() },
        error => error,
    })?;
    fs::make_folder(to, config.io_uring, |disk| {
        let lock = disk.lock(LOCK_NAME)?;
        for name in disk.list()?.iter().filter(|name| *name != LOCK_NAME) {
            disk.remove(name)?;
        }
        source.restore(disk, lock, at, config)
    })
}

/// The same from disk to disk; the new one is empty.
///
/// # Errors
/// As [`restore_path`]. What is on the new disk then is no database.
pub fn restore(
    from: Arc<dyn Disk>,
    to: &Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    at: At,
    config: &Config,
) -> Result<Restored> {
    let source = Source::open(from, clock, config)?;
    let lock = to.lock(LOCK_NAME)?;
    if to.list()?.iter().any(|name| name != LOCK_NAME) {
        return Err(StoreError::NotEmpty { folder: ".".to_owned() });
    }
    source.restore(to, lock, at, config)
}

/// The old database, pinned: nothing of it goes while this is there.
struct Source {
    store: Store,
    snapshot: Snapshot,
    /// The last record that the snapshot sees.
    record: u64,
    state: ManifestState,
    clock: Arc<dyn Clock>,
    _reader: LogReader,
}

/// The state that is restored.
struct Point {
    end: LogEnd,
    digest: Digest,
}

impl Source {
    fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, config: &Config) -> Result<Source> {
        let config = Config { read_only: true, shard_count: None, background: false, ..config.clone() };
        let store = Store::open_read_only(disk, clock.clone(), config)?;
        let reader = store.inner().log_reader()?;
        let (snapshot, visible) = store.inner().snapshot_with_record()?;
        let state = store.inner().manifest.state();
        if !state.erasing.is_empty() {
            return Err(StoreError::ErasedMeanwhile);
        }
        Ok(Source { store, snapshot, record: visible.record, state, clock, _reader: reader })
    }

    fn inner(&self) -> &Arc<Inner> {
        self.store.inner()
    }

    /// The last record of the state.
    fn record_at(&self, at: At) -> Result<(Commit, u64)> {
        let commit = match at {
            At::Newest => return Ok((self.snapshot.commit(), self.record)),
            At::Commit(0) => return Err(StoreError::BeforeFirst),
            At::Commit(commit) => commit,
            At::Instant(instant) if instant > self.clock.now().max(self.snapshot.instant()) => {
                return Err(StoreError::FutureInstant { asked: instant });
            }
            At::Instant(instant) => self.snapshot.commit_at(instant)?,
        };
        let mut record = match self.snapshot.commit_column(commit, COMMITS_RECORD)? {
            Some(Value::Integer(record)) => record.cast_unsigned(),
            // At an instant before the first commit there may be tables.
            _ if commit == 0 => 0,
            _ => return Err(differs(self.record, format!("commit {commit} is not among the commits"))),
        };
        if let At::Instant(instant) = at {
            let versions = self.inner().catalogs.all();
            let later = versions.iter().filter(|version| version.after_commit == commit && version.record > record);
            record = later.take_while(|version| version.instant <= instant).last().map_or(record, |last| last.record);
            if record == 0 {
                return Err(StoreError::NothingYet { asked: instant });
            }
        }
        Ok((commit, record))
    }

    /// Goes along the links to the state, which gives its place in the log and its digest.
    fn find(&self, at: At) -> Result<Point> {
        let (commit, record) = self.record_at(at)?;
        let inner = self.inner();
        let mut links = Links::new(inner.disk.clone(), inner.identity);
        let (mut frontier, mut last) = (Frontier::default(), None);
        while let Some(linked) = links.next(record, (self.state.log_first, self.state.log_last))? {
            frontier.push::<OverRecords>(record_leaf(&linked.link));
            last = Some(linked);
        }
        let versions = inner.catalogs.all();
        let version = versions.iter().rfind(|version| version.record <= record);
        let (catalog_version, made) = version.map_or((0, Micros::MIN), |made| (made.catalog.version, made.instant));
        let empty = ManifestState::empty(1).checkpoint;
        let commit_instant = if commit == 0 { empty.commit_instant } else { self.snapshot.instant_of(commit)? };
        let (generation, offset) = if record == 0 { (empty.generation, empty.offset) } else { links.place() };
        let head = last.and_then(|linked| linked.head);
        let end = LogEnd {
            generation,
            offset,
            record,
            commit,
            instant: head.map_or(commit_instant.max(made), |head| head.instant),
            commit_instant,
            catalog_version,
            link: last.map_or(empty.link, |linked| linked.link),
        };
        if head.is_some_and(|head| head.commit != commit || head.catalog_version != catalog_version) {
            return Err(differs(record, format!("it is not of commit {commit}")));
        }
        let digest = Digest {
            database: inner.identity.database,
            timeline: self.state.timeline_at(record, inner.identity.timeline),
            records: record,
            root: root_of(&frontier),
            link: end.link,
            commit,
            instant: (commit > 0).then_some(commit_instant),
        };
        Ok(Point { end, digest })
    }

    /// Makes the new database on a disk that is empty but for the lock.
    fn restore(self, to: &Arc<dyn Disk>, lock: DiskLock, at: At, config: &Config) -> Result<Restored> {
        let point = self.find(at)?;
        let (timeline, from_log) = self.write(&point, to, config)?;
        if self.was_erased_since()? {
            return Err(StoreError::ErasedMeanwhile);
        }
        let Source { clock, .. } = self;
        drop(lock);
        let verified = verified(to, clock, config, &point.digest)?;
        Ok(Restored { digest: point.digest, timeline, from_log, verified })
    }

    /// Log, facts, catalogue, and last the manifest.
    fn write(&self, point: &Point, to: &Arc<dyn Disk>, config: &Config) -> Result<(u32, bool)> {
        let (inner, end) = (self.inner(), &point.end);
        let left = point.digest.timeline;
        let identity = Identity { timeline: inner.identity.timeline + 1, forked_at: end.record, ..inner.identity };
        self.copy_log(end, to, identity, config.log_segment_bytes)?;

        let catalogs = Arc::new(Catalogs::default());
        for version in inner.catalogs.all().into_iter().skip(1).take_while(|version| version.record <= end.record) {
            catalogs.push(version);
        }
        if end.catalog_version > 0 {
            write_catalog(&**to, identity, &catalogs, end.catalog_version)?;
        }
        let health = Arc::new(Health::default());
        let readers = Arc::new(Readers::new(to.clone(), identity));
        let mut state = ManifestState::empty(self.state.shard_count);
        state.slots.clone_from(&self.state.slots);
        let target = facts::Target::new(to, identity, config, &state, (&health, &readers), &catalogs);
        let (tree, from_log) = self.facts(end, &target)?;
        state.tree = tree;
        state.tree.checkpoint = Checkpoint { commit: end.commit, record: end.record };
        state.checkpoint = *end;
        state.log_first = self.state.log_first.min(end.generation);
        state.log_last = end.generation;
        state.known = KnownEnd::at(end);
        state.closed_clean = true;
        state.catalog_file = end.catalog_version;
        state.forks = self.state.forks.iter().filter(|fork| fork.record < end.record).copied().collect();
        (state.receipts, state.erased_facts) = self.erasures_until(end.record)?;
        state.forks.push(Fork { timeline: left, record: end.record, commit: end.commit, link: end.link });
        to.sync_dir()?;
        Manifest::begin(to.clone(), identity, state, health, readers)?;
        Ok((identity.timeline, from_log))
    }

    /// How many erasures have their receipt among the first so many records, and how many facts went with them.
    fn erasures_until(&self, record: u64) -> Result<(u64, u64)> {
        let (mut receipts, mut facts) = (self.state.receipts, self.state.erased_facts);
        if receipts == 0 || record >= self.record {
            return Ok((receipts, facts));
        }
        let mut scan = match self.inner().scan_from(record + 1, self.record) {
            // Which of the receipts that went with the log came before nobody knows.
            Err(StoreError::Missing { .. }) => return Ok((receipts, facts)),
            found => found?,
        };
        while scan.end().record < self.record
            && let Some(found) = scan.next_record()?
        {
            if let RecordBody::Erasure(receipt) = &found.record.body {
                receipts = receipts.saturating_sub(1);
                facts = facts.saturating_sub(receipt.facts);
            }
        }
        Ok((receipts, facts))
    }

    /// Was something erased after the state that was read? Then what was read may still have had it.
    fn was_erased_since(&self) -> Result<bool> {
        let (_, visible) = self.inner().snapshot_with_record()?;
        if visible.record <= self.record {
            return Ok(false);
        }
        for record in self.store.replay(self.record + 1)? {
            if matches!(record?.body, RecordBody::Erasure(_)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The old database, or what was made of it, is not what its ledger says.
fn differs(record: u64, what: String) -> StoreError {
    StoreError::LedgerDiffers { record, what }
}

/// Opens the new database, brings it in order, and verifies it.
fn verified(to: &Arc<dyn Disk>, clock: Arc<dyn Clock>, config: &Config, digest: &Digest) -> Result<Verification> {
    let config = Config {
        read_only: false,
        background: false,
        shard_count: None,
        log_archive: LogArchive::Keep,
        ..config.clone()
    };
    let store = Store::open(to.clone(), clock, config)?;
    while store.inner().compact_one()? {}
    let found = store.verify(Some(digest))?;
    store.close()?;
    match &found.difference {
        Some(difference) => Err(differs(digest.records, format!("the restored database differs: {difference}"))),
        None if found.digest != *digest => {
            Err(differs(digest.records, "the restored database has another digest".to_owned()))
        }
        None => Ok(found),
    }
}
