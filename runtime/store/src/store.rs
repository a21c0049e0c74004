//! How is a database opened, written, read and closed?
//!
//! [`Store`] is the facade over the log, the tree, the catalogue and the manifest. Clones share one database; it is
//! closed when asked to, or when the last clone is dropped.
//!
//! Holds: one opener at a time. After a sync that failed every write is refused, and reads go on at the last durable
//! commit.
//! Not here: each of the parts.

use crate::{
    catalog::{Catalog, CatalogChange, Catalogs, NewTable},
    clock::{Clock, SystemClock},
    commit::{Prepared, Sequencer, Visible},
    config::{Config, Durability, LogArchive},
    erase::Erasures,
    error::{CommitError, Result, StoreError},
    fact::{Committed, Write},
    follow::{Follower, Registration, Seen},
    format::Identity,
    fs::{self, Disk, DiskLock, IoBackend, MemDisk},
    links::LedgerTree,
    log::{Health, Log, LogEnd, LogSync, Segment, Segments, held},
    maintain::Threads,
    manifest::{self, KnownEnd, Manifest, ManifestState},
    pressure::Pressure,
    publication::Publication,
    readers::Readers,
    records::Replay,
    recover::{Recovered, recover},
    replay::LogScan,
    scan::ScanStats,
    snapshot::Snapshot,
    sst::CacheStats,
    tree::{Shards, Tree, TreeState, is_ours},
    watch::{Watch, Watches},
};
use spectradb_kernel::{
    schema::{TableId, TableSchema},
    time::{Commit, Micros},
};
use std::{
    collections::VecDeque,
    io,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

/// A clean close leaves at most so much log for the next open to read.
const REPLAYED_BYTES_MAX: u64 = 1 << 20;

/// The lock's file.
pub(crate) const LOCK_NAME: &str = "lock";

/// An open database. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    handle: Arc<Handle>,
}

/// Closes the database with the last clone, even while the store's own threads still hold its parts.
#[derive(Debug)]
struct Handle {
    inner: Arc<Inner>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure; what was acknowledged is durable, and the next open replays the log.
        self.inner.close().ok();
    }
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    pub(crate) config: Config,
    pub(crate) identity: Identity,
    pub(crate) health: Arc<Health>,
    pub(crate) manifest: Arc<Manifest>,
    /// What readers in other processes are told and asked.
    pub(crate) readers: Arc<Readers>,
    /// Follows another process's writes, where this one does not write.
    pub(crate) follower: Option<Follower>,
    pub(crate) segments: Arc<Segments>,
    pub(crate) log: Arc<LogSync>,
    pub(crate) tree: Arc<Tree>,
    pub(crate) catalogs: Arc<Catalogs>,
    pub(crate) sequencer: Mutex<Sequencer>,
    pub(crate) publication: Publication,
    /// The tree over records, as far as a digest was asked for.
    pub(crate) ledger: Mutex<LedgerTree>,
    /// What commits touch while transactions must be serializable.
    watches: Arc<Watches>,
    seeds: Seeds,
    /// Where the log ended when memtables were frozen, oldest first.
    pub(crate) freezes: Mutex<VecDeque<LogEnd>>,
    /// Keeps readers of the log and erasures apart.
    pub(crate) erasures: Arc<Erasures>,
    /// Held by who flushes.
    pub(crate) flushing: Mutex<()>,
    pub(crate) pressure: Pressure,
    pub(crate) threads: OnceLock<Threads>,
    closing: AtomicBool,
    /// What opening found to do.
    opened: Opened,
    /// Held until the database is closed.
    lock: Mutex<Option<DiskLock>>,
}

/// What the last opening did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Records of the log that were applied again.
    pub replayed_records: u64,
}

/// Figures about an open database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreStats {
    /// The newest visible commit.
    pub commit: Commit,
    /// Its instant; `i64::MIN` when there is none.
    pub instant: Micros,
    /// The newest visible record of the ledger.
    pub record: u64,
    /// Up to which record the log is durable.
    pub durable_record: u64,
    /// The segments of the log that are kept.
    pub log_segment_count: u64,
    /// How many shards the database has.
    pub shard_count: u32,
    /// Segments of facts.
    pub segment_count: usize,
    /// Bytes of all segments of facts.
    pub segment_bytes: u64,
    /// Files of supersession notes.
    pub notes_count: usize,
    /// The checked blocks and the indexes that are kept in memory.
    pub block_cache: CacheStats,
    /// What scans looked at and gave.
    pub scans: ScanStats,
    /// Memtables that wait to be flushed.
    pub frozen_count: usize,
    /// Bytes of memory that memtables take, those that wait included.
    pub memtable_bytes: usize,
    /// Bytes of memory that row numbers take which scans of memtables remember: an eighth of `Config::memtable_bytes_max` at most.
    pub memtable_remembered_bytes: usize,
    /// How many commits waited a moment because flushing or compacting fell behind.
    pub write_slowdowns: u64,
    /// How many commits waited until there was room.
    pub write_stalls: u64,
    /// Compactions under way.
    pub compactions_running: usize,
    /// What the last opening did.
    pub opened: Opened,
}

/// Gives each record a seed that nobody can guess.
#[derive(Debug)]
struct Seeds {
    secret: [u8; 32],
    count: AtomicU64,
}

impl Seeds {
    fn next(&self) -> [u8; 32] {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        *blake3::keyed_hash(&self.secret, &number.to_le_bytes()).as_bytes()
    }
}

impl Inner {
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Random bytes that nobody can guess.
    pub(crate) fn new_secret(&self) -> Result<[u8; 32]> {
        random()
    }
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let refused = |error: getrandom::Error| StoreError::Io {
        operation: "read",
        file: "the system's random numbers".to_owned(),
        source: io::Error::other(error.to_string()),
    };
    getrandom::fill(&mut bytes).map_err(refused)?;
    Ok(bytes)
}

impl Store {
    /// Opens the database of a disk, or makes one where there is none.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when someone has it open; [`StoreError::Corrupt`], [`StoreError::Missing`] and
    /// [`StoreError::FormatVersion`], [`StoreError::UnknownFeatures`], [`StoreError::ReadOnlyFeatures`] when the files are not
    /// whole or not for this program; [`StoreError::ShardCount`] when the settings name another number of shards; [`StoreError::Io`].
    pub fn open(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, config: Config) -> Result<Store> {
        if config.read_only {
            return Store::open_read_only(disk, clock, config);
        }
        let lock = disk.lock(LOCK_NAME)?;
        let health = Arc::new(Health::default());
        let recovered = recover(&disk, &config, &health, random)?;
        let Recovered {
            identity,
            manifest,
            readers,
            catalogs,
            tree,
            segments,
            segment,
            end,
            visible,
            freezes,
            replayed,
        } = recovered;
        let log = Log::new(identity, segments.clone(), segment, end, health.clone(), readers.clone());
        let shared = log.shared().clone();
        let sequencer = Sequencer::new(log, catalogs.newest());
        let ledger = LedgerTree::new(disk.clone(), identity);
        let inner = Arc::new(Inner {
            disk,
            clock,
            config,
            identity,
            health,
            manifest,
            readers,
            follower: None,
            segments,
            log: shared,
            tree,
            catalogs,
            sequencer: Mutex::new(sequencer),
            ledger: Mutex::new(ledger),
            watches: Arc::default(),
            publication: Publication::new(visible),
            seeds: Seeds { secret: random()?, count: AtomicU64::new(0) },
            freezes: Mutex::new(freezes.into()),
            erasures: Arc::default(),
            flushing: Mutex::new(()),
            pressure: Pressure::default(),
            threads: OnceLock::new(),
            closing: AtomicBool::new(false),
            opened: Opened { replayed_records: replayed },
            lock: Mutex::new(Some(lock)),
        });
        if inner.config.background
            && let Some(threads) = Threads::start(&inner)
        {
            inner.threads.set(threads).expect("the threads are started once");
        }
        inner.maintain();
        Ok(Store { handle: Arc::new(Handle { inner }) })
    }

    /// Opens the database of a disk for reading, beside its writer if it has one. Every commit that is durable is seen by the
    /// snapshots that are taken after it; nothing is written but a registration.
    ///
    /// # Errors
    /// [`StoreError::NoDatabase`]; [`StoreError::Unregistered`] when the disk takes no registration and somebody writes;
    /// otherwise as [`Store::open`].
    pub fn open_read_only(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>, config: Config) -> Result<Store> {
        let config = Config { read_only: true, ..config };
        // Before the manifest is read, so that nothing it names goes.
        let registration = Registration::new(&*disk, random)?;
        let Some((identity, state)) = manifest::read(&*disk)? else {
            return Err(match disk.list()?.iter().any(|name| is_ours(name) || name.starts_with("log-")) {
                true => StoreError::Missing { file: manifest::MANIFEST_NAME.to_owned() },
                false => StoreError::NoDatabase { folder: ".".to_owned() },
            });
        };
        if let Some(asked) = config.shard_count.filter(|asked| *asked != state.shard_count) {
            return Err(StoreError::ShardCount { database: state.shard_count, asked });
        }
        let health = Arc::new(Health::read_only());
        let readers = Arc::new(Readers::new(disk.clone(), identity));
        let catalogs = Arc::new(Catalogs::default());
        let shards = Shards::new(state.shard_count, &state.slots);
        let none = TreeState::default();
        let tree = Tree::open(
            disk.clone(),
            none,
            (shards, catalogs.clone()),
            identity,
            &config,
            health.clone(),
            readers.clone(),
        )?;
        let empty = ManifestState::empty(state.shard_count);
        let (start, known) = (empty.checkpoint, KnownEnd::default());
        let scan = LogScan::new(disk.clone(), identity, catalogs.clone(), start, 1, known);
        let visible = Visible { record: 0, commit: 0, instant: Micros::MIN, catalog: catalogs.newest() };
        let seen = Seen { visible: Arc::new(visible.clone()), view: tree.view() };
        let manifest = Manifest::followed(
            disk.clone(),
            identity,
            ManifestState { slots: state.slots, ..empty },
            health.clone(),
            readers.clone(),
        );
        let manifest = Arc::new(manifest);
        let segments = Arc::new(Segments::new(disk.clone(), config.log_segment_bytes, manifest.clone()));
        let log = Log::new(identity, segments.clone(), Segment::unwritten(), start, health.clone(), readers.clone());
        let inner = Inner {
            follower: Some(Follower::new(disk.clone(), identity, registration, scan, seen)),
            ledger: Mutex::new(LedgerTree::new(disk.clone(), identity)),
            disk,
            clock,
            config,
            identity,
            health,
            manifest,
            readers,
            segments,
            log: log.shared().clone(),
            tree,
            sequencer: Mutex::new(Sequencer::new(log, catalogs.newest())),
            catalogs,
            watches: Arc::default(),
            publication: Publication::new(visible),
            seeds: Seeds { secret: random()?, count: AtomicU64::new(0) },
            freezes: Mutex::default(),
            erasures: Arc::default(),
            flushing: Mutex::new(()),
            pressure: Pressure::default(),
            threads: OnceLock::new(),
            closing: AtomicBool::new(false),
            opened: Opened { replayed_records: 0 },
            lock: Mutex::new(None),
        };
        if let Some(follower) = &inner.follower {
            follower.begin(&inner)?;
        }
        Ok(Store { handle: Arc::new(Handle { inner: Arc::new(inner) }) })
    }

    /// Was it opened for reading only?
    pub fn is_read_only(&self) -> bool {
        self.handle.inner.follower.is_some()
    }

    /// Opens or makes the database in a folder.
    ///
    /// # Errors
    /// See [`Store::open`].
    pub fn open_path(path: &Path, config: Config) -> Result<Store> {
        let disk = fs::open_folder(path, config.io_uring, config.read_only)?;
        Store::open(disk, Arc::new(SystemClock), config).map_err(|error| match error {
            StoreError::NoDatabase { .. } => StoreError::NoDatabase { folder: path.display().to_string() },
            error => error,
        })
    }

    /// Makes a database in memory; it is gone with the last clone. Its log is kept only as far as segments do not hold the
    /// same facts: nobody can replay it after a crash, and it would double the memory.
    ///
    /// # Errors
    /// See [`Store::open`].
    pub fn open_memory(config: Config) -> Result<Store> {
        let config = Config { log_archive: LogArchive::Drop, read_only: false, ..config };
        Store::open(Arc::new(MemDisk::new()), Arc::new(SystemClock), config)
    }

    /// The settings it was opened with.
    pub fn config(&self) -> &Config {
        &self.handle.inner.config
    }

    /// How writes and batched reads reach the system; where [`Config::io_uring`] cannot be had, why.
    pub fn io_backend(&self) -> IoBackend {
        self.handle.inner.disk.backend()
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.handle.inner.clock
    }

    /// The present catalogue.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.handle.inner.publication.visible().catalog.clone()
    }

    /// Every version of the catalogue.
    pub fn catalogs(&self) -> &Arc<Catalogs> {
        &self.handle.inner.catalogs
    }

    /// Makes a table; durable when this returns.
    ///
    /// # Errors
    /// [`StoreError::CatalogChanged`] when the catalogue is no longer `catalog_version` or has a table of that name;
    /// otherwise as [`Store::commit`].
    pub fn create_table(&self, table: NewTable, catalog_version: u64) -> Result<Arc<TableSchema>> {
        let number = |sequencer: &mut Sequencer| {
            let schema = sequencer.number_table(table, &self.handle.inner.catalogs);
            CatalogChange::Create(Arc::new(schema))
        };
        match self.handle.inner.change_catalog(catalog_version, number)? {
            CatalogChange::Create(schema) => Ok(schema),
            CatalogChange::Drop(_) | CatalogChange::Retain(..) => unreachable!("a table was created"),
        }
    }

    /// Drops a table; its facts stay readable in the past.
    ///
    /// # Errors
    /// [`StoreError::CatalogChanged`] when the catalogue is no longer `catalog_version` or has no such table; otherwise
    /// as [`Store::commit`].
    pub fn drop_table(&self, table: TableId, catalog_version: u64) -> Result<()> {
        self.handle.inner.change_catalog(catalog_version, |_| CatalogChange::Drop(table)).map(drop)
    }

    /// Has a table's history kept for so many microseconds before the newest commit, or for ever; durable when this
    /// returns. What ended before may then go with the next compaction, and reads of that time are refused. The present
    /// never goes.
    ///
    /// # Errors
    /// [`StoreError::CatalogChanged`] when the catalogue is no longer `catalog_version`, has no such table, or the time is
    /// negative; otherwise as [`Store::commit`].
    pub fn set_retention(&self, table: TableId, retention: Option<Micros>, catalog_version: u64) -> Result<()> {
        let change = CatalogChange::Retain(table, retention);
        self.handle.inner.change_catalog(catalog_version, |_| change).map(drop)
    }

    /// A reader of the newest visible commit. Where another process writes and what is new cannot be read, of the newest that
    /// could; [`Store::newest`] tells why.
    pub fn snapshot(&self) -> Snapshot {
        self.newest().unwrap_or_else(|_| self.inner().shown())
    }

    /// A reader of the newest visible commit.
    ///
    /// # Errors
    /// What the disk says, where another process writes.
    pub fn newest(&self) -> Result<Snapshot> {
        self.inner().newest()
    }

    /// A reader of the newest visible commit, and the record up to which it sees.
    pub(crate) fn snapshot_with_record(&self) -> Result<(Snapshot, Arc<Visible>)> {
        self.inner().snapshot_with_record()
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.handle.inner
    }

    /// A reader that sees every commit that was under way when this was called, and so every one whose instant is not
    /// after the clock's present time.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] when one of them fails.
    pub fn snapshot_settled(&self) -> Result<Snapshot> {
        if self.is_read_only() {
            return self.newest();
        }
        let end = *held(&self.handle.inner.sequencer).log.end();
        let health = &self.handle.inner.health;
        if self.handle.inner.publication.wait(end.record, || health.cause().is_some()) {
            return Ok(self.snapshot());
        }
        Err(StoreError::OutcomeUnknown { cause: health.cause().unwrap_or_default().to_owned() })
    }

    /// A reader of every commit so far, for a transaction that must be serializable: until the watch is dropped, the store
    /// knows what later commits touch, and [`Write::reads`] can be asked of them.
    ///
    /// # Errors
    /// As [`Store::snapshot_settled`].
    pub fn watch(&self) -> Result<(Snapshot, Watch)> {
        let watch = {
            let sequencer = held(&self.handle.inner.sequencer);
            self.handle.inner.watches.begin(sequencer.log.end().commit)
        };
        // Commits under way when the watch began are not noted: the snapshot must see them.
        Ok((self.snapshot_settled()?, watch))
    }

    /// Makes a write a commit. A write without facts, deletions and superseded facts takes no number: the newest commit
    /// is returned.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] and [`CommitError::SchemaChanged`]: nothing happened. [`StoreError::OutcomeUnknown`]:
    /// the commit is in the log, and whether it survives is known at the next open. Other store errors: nothing
    /// happened.
    pub fn commit(&self, write: Write) -> Result<Committed, CommitError> {
        let is_empty = write.spilled.is_empty()
            && write.facts.iter().all(|batch| batch.periods.is_empty())
            && write.retractions.iter().all(|retraction| retraction.periods.is_empty())
            && write.superseded.iter().all(|superseded| superseded.facts.is_empty());
        if is_empty && !self.is_read_only() {
            let visible = self.handle.inner.publication.visible();
            return Ok(Committed { commit: visible.commit, instant: visible.instant, record: visible.record });
        }
        self.handle.inner.commit(write)
    }

    /// The records of the ledger from a number on (the first is 1), up to the newest visible one.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the record's segment is no longer kept; [`StoreError::FactsPruned`], while it is read, when
    /// a table's retention let facts of a large commit go; otherwise what reading gives.
    pub fn replay(&self, from_record: u64) -> Result<Replay> {
        let reader = self.handle.inner.log_reader()?;
        let upto = self.handle.inner.publication.visible().record;
        let from = from_record.max(1);
        if from > upto {
            return Ok(Replay { inner: self.handle.inner.clone(), scan: None, upto, receipts: 0, _reader: reader });
        }
        let inner = self.handle.inner.clone();
        let _no_erasure = inner.erasures.hold_back();
        let look = || Ok((inner.manifest.receipts(), inner.scan_from(from, upto)?));
        let (receipts, scan) = inner.despite_erasures(look)?;
        Ok(Replay { inner: inner.clone(), scan: Some(scan), upto, receipts, _reader: reader })
    }

    /// Brings everything committed so far into segments, and waits for it.
    ///
    /// # Errors
    /// What the disk says; nothing is lost, and the next flush tries again.
    pub fn flush(&self) -> Result<()> {
        self.handle.inner.flush()
    }

    /// Flushes, and compacts whatever can be compacted.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub fn compact(&self) -> Result<()> {
        self.handle.inner.flush()?;
        self.handle.inner.compact_all(None)
    }

    /// Flushes, and compacts what one table has.
    ///
    /// # Errors
    /// As [`Store::flush`].
    pub fn compact_table(&self, table: TableId) -> Result<()> {
        self.handle.inner.flush()?;
        self.handle.inner.compact_all(Some(table))
    }

    /// Closes the database: what it holds is durable, and the next open is quick. Snapshots can still be read.
    ///
    /// # Errors
    /// What the disk says; the database is closed nevertheless.
    pub fn close(&self) -> Result<()> {
        self.handle.inner.close()
    }

    /// Figures.
    pub fn stats(&self) -> StoreStats {
        let visible = self.handle.inner.publication.visible();
        let manifest = self.handle.inner.manifest.state();
        let (write_slowdowns, write_stalls) = self.handle.inner.pressure.counts();
        // The view's files rather than the manifest's: those of large commits are read before the manifest has them.
        let view = self.handle.inner.tree.view();
        let segments = view.version.tables.values().flat_map(|files| files.segments());
        let (segment_count, segment_bytes) =
            segments.fold((0, 0), |(count, bytes), segment| (count + 1, bytes + segment.meta.bytes));
        StoreStats {
            commit: visible.commit,
            instant: visible.instant,
            record: visible.record,
            durable_record: self.handle.inner.log.durable(),
            log_segment_count: manifest.log_last - manifest.log_first + 1,
            shard_count: manifest.shard_count,
            segment_count,
            segment_bytes,
            notes_count: manifest.tree.notes.len(),
            block_cache: self.handle.inner.tree.cache.stats(),
            scans: view.version.scans.stats(),
            frozen_count: self.handle.inner.tree.frozen_count(),
            memtable_bytes: self.handle.inner.tree.memtable_bytes(),
            memtable_remembered_bytes: view.version.scans.remembered.bytes(),
            write_slowdowns,
            write_stalls,
            compactions_running: self.handle.inner.tree.claims.count(),
            opened: self.handle.inner.opened,
        }
    }
}

impl Inner {
    /// A reader of the newest visible commit, and the record up to which it sees.
    ///
    /// # Errors
    /// What following another process's writes gives.
    pub(crate) fn snapshot_with_record(&self) -> Result<(Snapshot, Arc<Visible>)> {
        if let Some(follower) = &self.follower {
            follower.refresh(self)?;
        }
        let snapshot = self.shown();
        let visible = snapshot.visible().clone();
        Ok((snapshot, visible))
    }

    /// A reader of the newest visible commit.
    ///
    /// # Errors
    /// What following another process's writes gives.
    pub(crate) fn newest(&self) -> Result<Snapshot> {
        if let Some(follower) = &self.follower {
            follower.refresh(self)?;
        }
        Ok(self.shown())
    }

    /// What is known to be visible.
    pub(crate) fn shown(&self) -> Snapshot {
        // The commit first: what it says is then in the view.
        let is_newest = |snapshot: &Snapshot| match &self.follower {
            Some(follower) => follower.shows(snapshot),
            None => self.publication.is_visible(snapshot.visible()) && self.tree.is_newest(&snapshot.view().version),
        };
        let take = || {
            let (visible, view) = match &self.follower {
                // One pair, whatever is read beside.
                Some(follower) => {
                    let seen = follower.seen();
                    (seen.visible.clone(), seen.view.clone())
                }
                None => (self.publication.visible(), self.tree.view()),
            };
            Snapshot::new(view, visible, self.catalogs.clone())
        };
        let may_keep = |snapshot: &Snapshot| self.tree.is_newest(&snapshot.view().version);
        self.tree.lent.newest(is_newest, take, may_keep)
    }

    fn commit(&self, write: Write) -> Result<Committed, CommitError> {
        self.health.check()?;
        let durability = write.durability.unwrap_or(self.config.durability);
        self.brake(&write)?;
        let prepared = Prepared::new(write, &self.catalogs.newest(), self.seeds.next(), &self.tree)?;
        let end = {
            let mut sequencer = held(&self.sequencer);
            self.check_open(&sequencer)?;
            let _unwound = Unwound(self);
            let (end, applied) =
                sequencer.commit(&prepared, &self.tree, &*self.clock, &self.watches).inspect_err(|_| self.wake())?;
            if let Err(error) = applied {
                // The commit is in the log, so the next open will apply it; this one cannot go on without it.
                self.health.refuse_writes(&error);
                self.publication.wake();
                return Err(StoreError::OutcomeUnknown { cause: error.to_string() }.into());
            }
            self.enqueue(&end, &sequencer.catalog, durability);
            self.freeze_if_full(&sequencer);
            end
        };
        self.accept(&end, durability)?;
        self.maintain();
        Ok(Committed { commit: end.commit, instant: end.instant, record: end.record })
    }

    fn change_catalog(
        &self,
        catalog_version: u64,
        change: impl FnOnce(&mut Sequencer) -> CatalogChange,
    ) -> Result<CatalogChange> {
        let (change, end) = {
            let mut sequencer = held(&self.sequencer);
            self.check_open(&sequencer)?;
            if sequencer.catalog.version != catalog_version {
                return Err(StoreError::CatalogChanged);
            }
            let change = change(&mut sequencer);
            let end = sequencer.change_catalog(change.clone(), &self.catalogs, &*self.clock);
            let end = end.inspect_err(|_| self.wake())?;
            self.enqueue(&end, &sequencer.catalog, Durability::Synced);
            (change, end)
        };
        self.accept(&end, Durability::Synced)?;
        Ok(change)
    }

    pub(crate) fn check_open(&self, sequencer: &Sequencer) -> Result<()> {
        if sequencer.closed {
            return Err(StoreError::Closed);
        }
        self.health.check()
    }

    /// A failed append may have been a failed sync, and others wait for that sync.
    fn wake(&self) {
        if self.health.cause().is_some() {
            self.publication.wake();
        }
    }

    fn enqueue(&self, end: &LogEnd, catalog: &Arc<Catalog>, durability: Durability) {
        let visible =
            Visible { record: end.record, commit: end.commit, instant: end.commit_instant, catalog: catalog.clone() };
        self.publication.enqueue(visible, durability);
    }

    /// Waits until a logged record is as durable as asked for, and visible.
    fn accept(&self, end: &LogEnd, durability: Durability) -> Result<()> {
        let sync_now = match durability {
            Durability::Synced => true,
            Durability::EveryRecords(count) => end.record.saturating_sub(self.log.durable()) >= u64::from(count),
            Durability::None => false,
        };
        let unknown = |cause: String| StoreError::OutcomeUnknown { cause };
        if sync_now && let Err(error) = self.log.sync_through(end.record) {
            self.publication.wake();
            return Err(unknown(error.to_string()));
        }
        self.publication.publish(self.log.durable());
        if self.publication.wait(end.record, || self.health.cause().is_some()) {
            return Ok(());
        }
        Err(unknown(self.health.cause().unwrap_or("an earlier commit failed").to_owned()))
    }

    fn flush(&self) -> Result<()> {
        let end = {
            let sequencer = held(&self.sequencer);
            self.check_open(&sequencer)?;
            self.freeze(&sequencer);
            *sequencer.log.end()
        };
        self.log.sync_through(end.record)?;
        self.publication.publish(self.log.durable());
        self.flush_frozen()
    }

    /// Is the database closed or being closed?
    pub(crate) fn is_closed(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    fn close(&self) -> Result<()> {
        if std::mem::replace(&mut held(&self.sequencer).closed, true) {
            return Ok(());
        }
        self.closing.store(true, Ordering::Release);
        if let Some(threads) = self.threads.get() {
            threads.stop();
        }
        self.tree.claims.close();
        let closed = self.close_files();
        drop(held(&self.lock).take());
        closed
    }

    fn close_files(&self) -> Result<()> {
        if self.follower.is_some() {
            return Ok(());
        }
        self.health.check()?;
        let sequencer = held(&self.sequencer);
        let end = *sequencer.log.end();
        self.log.sync_through(end.record)?;
        self.publication.publish(self.log.durable());
        // A short log is replayed in less time than a flush takes, and a flush of few rows leaves a small segment behind.
        if self.replay_bytes(&end) > REPLAYED_BYTES_MAX {
            self.freeze(&sequencer);
        }
        self.flush_frozen()?;
        self.manifest.replace(|state| {
            state.known = KnownEnd::at(&end);
            state.closed_clean = true;
        })?;
        self.readers.leave()
    }
}

/// A writer that dies between logging its commit and applying it leaves the two apart: then nothing more is written.
struct Unwound<'a>(&'a Inner);

impl Drop for Unwound<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.health.refuse_writes(&"a thread panicked while it committed");
            self.0.publication.wake();
        }
    }
}
