//! Where is every fact of the database?
//!
//! In the active memtable, in memtables that wait to be flushed, or in segments. The [`Tree`] applies commits in order,
//! finds facts by key for the writer, and hands out [`TreeView`]s that never change.
//!
//! Holds: one writer applies at a time, and it alone notes ends. A view taken after a commit was published holds all of
//! it, and what it holds of later commits is told by their numbers.
//! Not here: the log and the manifest (the engine calls `apply`, `freeze`, `flush_one`, `compact_one`), scans.

mod files;
mod flush;
mod follow;
mod shards;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use state::{
    Checkpoint, Edit, FileId, NotesMeta, SegmentKind, SegmentMeta, TreeState, file_number, is_ours, notes_name, prune,
    segment_name,
};

use crate::{
    catalog::{Catalog, Catalogs},
    commits::{COMMITS, commit_row, commits_shape},
    compact::Claims,
    config::Config,
    error::{Result, StoreError},
    fact::{FactBatch, FactId, Write},
    figures::Written,
    format::{Identity, notes_v1},
    fs::Disk,
    keys::{AskedKeys, Probe},
    lent::Lent,
    log::Health,
    memtable::{MemRow, MemTable, SegmentNote},
    readers::Readers,
    run::{i64_at, lane_of_commit},
    scan::{ScanCounts, ValidScope},
    shape::Shape,
    sst::{BlockCache, BlockRow, Segment},
    visible::Wanted,
};
use arc_swap::ArcSwap;
pub(crate) use files::{LEVEL_COUNT, TableFiles};
pub(crate) use flush::{locate, memtable_of};
pub(crate) use shards::{Shards, TableShard};
use spectradb_kernel::{
    Period, Value,
    schema::TableId,
    time::{Commit, Micros},
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// Chunks of memtables may remember rows in this part of the bytes at which a memtable is full.
const REMEMBERED_PART: usize = 8;

/// A commit to apply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applied<'a> {
    /// Its number.
    pub(crate) commit: Commit,
    /// Its instant.
    pub(crate) instant: Micros,
    /// Its log record.
    pub(crate) record: u64,
    /// The catalogue it was written under.
    pub(crate) catalog: &'a Arc<Catalog>,
    /// What it writes.
    pub(crate) write: &'a Write,
    /// Segments that hold the facts of some of its tables.
    pub(crate) bulk: &'a [Arc<Segment>],
}

/// Memtables and segments.
#[derive(Debug)]
pub(crate) struct Tree {
    disk: Arc<dyn Disk>,
    config: Config,
    /// A shard's part of a full memtable.
    shard_bytes: u64,
    identity: Identity,
    pub(crate) health: Arc<Health>,
    /// Takes what files are given up.
    pub(crate) readers: Arc<Readers>,
    /// The checked blocks of all segments.
    pub(crate) cache: Arc<BlockCache>,
    /// What segments are held against.
    pub(crate) catalogs: Arc<Catalogs>,
    version: ArcSwap<Version>,
    /// The newest snapshots, as threads have them.
    pub(crate) lent: Lent,
    /// Held while a commit is applied, and while files take the place of memtables or of other files.
    writer: Mutex<()>,
    /// Held by who flushes: memtables are flushed in their order.
    flushing: Mutex<()>,
    /// What is being compacted.
    pub(crate) claims: Claims,
    /// Held while the manifest is edited and until the tree follows.
    files: Mutex<Files>,
    pub(crate) next_file: AtomicU64,
    /// What flushes and compactions wrote.
    pub(crate) written: Written,
    /// The most segments that level 0 of a table and shard has.
    level0_most: AtomicUsize,
}

/// What the manifest knows besides segments.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) notes: Vec<NotesMeta>,
    pub(crate) checkpoint: Checkpoint,
}

/// What the tree consists of between two changes of its files.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) active: Arc<MemTable>,
    /// Oldest first.
    pub(crate) frozen: Vec<Frozen>,
    pub(crate) tables: BTreeMap<TableShard, Arc<TableFiles>>,
    pub(crate) shards: Arc<Shards>,
    /// Tables of which history is gone, with the last commit that ended a fact that is.
    pub(crate) pruned: Arc<BTreeMap<TableId, Commit>>,
    /// What scans count, of this version and of all others.
    pub(crate) scans: Arc<ScanCounts>,
}

/// A memtable that waits to be flushed, and up to where it goes.
#[derive(Clone, Debug)]
pub(crate) struct Frozen {
    pub(crate) memtable: Arc<MemTable>,
    pub(crate) upto: Checkpoint,
}

/// The tree as one reader pinned it.
#[derive(Clone, Debug)]
pub(crate) struct TreeView {
    pub(crate) version: Arc<Version>,
}

/// A fact found by its key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    /// In a memtable.
    Mem(MemRow<'a>),
    /// In a segment.
    Block(BlockRow<'a>),
}

impl Found<'_> {
    pub(crate) fn shape(&self) -> &Arc<Shape> {
        match self {
            Found::Mem(row) => row.shape(),
            Found::Block(row) => row.shape,
        }
    }

    pub(crate) fn value(&self, column_idx: usize) -> Value {
        match self {
            Found::Mem(row) => row.value(column_idx),
            Found::Block(row) => row.run.columns[column_idx].value(row.row),
        }
    }

    pub(crate) fn commit(&self) -> i64 {
        match self {
            Found::Mem(row) => row.commit(),
            Found::Block(row) => i64_at(&row.run.commit, row.row),
        }
    }

    pub(crate) fn origin(&self) -> i64 {
        match self {
            Found::Mem(row) => row.origin(),
            Found::Block(row) => i64_at(&row.run.origin, row.row),
        }
    }

    pub(crate) fn end(&self) -> i64 {
        match self {
            Found::Mem(row) => row.end(),
            Found::Block(row) => row.end(),
        }
    }

    pub(crate) fn from(&self) -> Micros {
        match self {
            Found::Mem(row) => row.from(),
            Found::Block(row) => i64_at(&row.run.valid_from, row.row),
        }
    }

    pub(crate) fn to(&self) -> Micros {
        match self {
            Found::Mem(row) => row.to(),
            Found::Block(row) => i64_at(&row.run.valid_to, row.row),
        }
    }
}

impl Version {
    /// The memtables, newest first.
    pub(crate) fn memtables(&self) -> impl Iterator<Item = &Arc<MemTable>> {
        std::iter::once(&self.active).chain(self.frozen.iter().rev().map(|frozen| &frozen.memtable))
    }

    /// The segments of a table in all shards.
    pub(crate) fn segments_of(&self, table: TableId) -> impl Iterator<Item = &Arc<Segment>> {
        self.tables.range(TableShard::all_of(table)).flat_map(|(_, files)| files.segments())
    }
}

impl TreeView {
    /// Visits the wanted facts of a key.
    pub(crate) fn visit(
        &self,
        table: TableId,
        probe: &Probe<'_>,
        wanted: &Wanted,
        found: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let place = self.version.shards.place(table, probe.hash);
        for memtable in self.version.memtables() {
            if memtable.visit(place, probe, wanted, &mut |row| found(Found::Mem(row))).is_break() {
                return Ok(());
            }
        }
        if let Some(files) = self.version.tables.get(&place) {
            // A break only says that the visitor has what it came for.
            let (ControlFlow::Continue(()) | ControlFlow::Break(())) =
                files.visit(probe, wanted, &mut |_, row| found(Found::Block(row)))?;
        }
        Ok(())
    }

    /// Notes of which keys of a table there may be wanted facts, in any shard.
    ///
    /// # Errors
    /// What reading filters gives.
    pub(crate) fn note_held(&self, table: TableId, keys: &mut AskedKeys<'_>, wanted: &Wanted) -> Result<()> {
        for memtable in self.version.memtables() {
            memtable.shards_of(table).iter().try_for_each(|mem| mem.note_held(keys))?;
        }
        let mut files = self.version.tables.range(TableShard::all_of(table));
        files.try_for_each(|(_, files)| files.note_held(keys, wanted))
    }

    /// The shape of some fact of a table; `None` when it has none. All shapes of a table have the same key.
    pub(crate) fn shape_of(&self, table: TableId) -> Result<Option<Arc<Shape>>> {
        let mut shards = self.version.memtables().flat_map(|memtable| memtable.shards_of(table));
        if let Some(mem) = shards.next() {
            return Ok(Some(mem.shape()));
        }
        match self.version.segments_of(table).next() {
            Some(segment) => Ok(Some(segment.index()?.shape.clone())),
            None => Ok(None),
        }
    }

    /// The largest key of any fact of a table.
    pub(crate) fn key_max(&self, table: TableId) -> Option<Vec<u8>> {
        let mem = self.version.memtables().filter_map(|memtable| memtable.key_max(table)).max();
        let file = self.version.segments_of(table).map(|segment| &segment.meta.key_max).max();
        match mem {
            Some(mem) if file.is_none_or(|file| *file <= mem) => Some(mem),
            _ => file.cloned(),
        }
    }
}

impl Tree {
    /// The tree of these files.
    ///
    /// # Errors
    /// [`StoreError`] when a file is missing or is not what the manifest says.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        state: TreeState,
        (shards, catalogs): (Shards, Arc<Catalogs>),
        identity: Identity,
        config: &Config,
        health: Arc<Health>,
        readers: Arc<Readers>,
    ) -> Result<Arc<Tree>> {
        let mut tables: BTreeMap<TableShard, Arc<TableFiles>> = BTreeMap::new();
        let cache = BlockCache::new(config.block_cache_bytes_max);
        let mut by_file = HashMap::new();
        for meta in &state.segments {
            let segment = Arc::new(Segment::open(&disk, (&cache, &catalogs), identity, meta.clone(), config.mapped)?);
            by_file.insert(meta.file, segment.clone());
            Arc::make_mut(tables.entry(meta.place()).or_default()).add(segment, meta);
        }
        for meta in &state.notes {
            let name = notes_name(meta.file);
            for (file, row, end) in notes_v1::read(&name, &disk.map(&name)?, identity, &meta.root)? {
                // A segment that is gone took its notes along when it was compacted.
                if let Some(segment) = by_file.get(&file) {
                    segment.note(row, end)?;
                }
            }
        }
        let shard_count = u64::from(shards.count());
        let pruned = Arc::new(state.pruned);
        let level0_most = tables.values().map(|files| files.levels[0].len()).max().unwrap_or(0);
        let version = Version {
            active: Arc::default(),
            frozen: Vec::new(),
            tables,
            shards: Arc::new(shards),
            pruned,
            scans: Arc::new(ScanCounts::remembering(config.memtable_bytes_max / REMEMBERED_PART)),
        };
        Ok(Arc::new(Tree {
            disk,
            config: config.clone(),
            shard_bytes: (config.memtable_bytes_max as u64 / shard_count).max(1),
            identity,
            health,
            readers,
            cache,
            catalogs,
            version: ArcSwap::from_pointee(version),
            lent: Lent::default(),
            writer: Mutex::new(()),
            flushing: Mutex::new(()),
            claims: Claims::default(),
            files: Mutex::new(Files { notes: state.notes, checkpoint: state.checkpoint }),
            next_file: AtomicU64::new(state.next_file.max(1)),
            written: Written::default(),
            level0_most: AtomicUsize::new(level0_most),
        }))
    }

    /// Removes what a flush, a compaction or a large write left that did not come to its end. Every record of the log is
    /// applied.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn remove_strangers(&self) -> Result<()> {
        let version = self.view().version;
        let segments = version.tables.values().flat_map(|files| files.segments());
        let mut named: HashSet<String> = segments.map(|segment| segment_name(segment.meta.file)).collect();
        named.extend(self.files().notes.iter().map(|notes| notes_name(notes.file)));
        for name in self.disk.list()? {
            if is_ours(&name) && !named.contains(&name) {
                // A number that will be given again was never named, so nobody needs the file; were it to wait for readers, it
                // would be another file by then.
                match file_number(&name) < Some(self.next_file.load(Relaxed)) {
                    true => self.readers.give_up(name),
                    false => self.disk.remove(&name)?,
                }
            }
        }
        Ok(())
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// A shard's part of a full memtable.
    pub(crate) fn shard_bytes(&self) -> u64 {
        self.shard_bytes
    }

    /// Up to where files hold everything.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        self.files().checkpoint
    }

    /// Lets readers see another version. The caller holds the writer's lock.
    pub(crate) fn install(&self, version: Version) {
        let most = version.tables.values().map(|files| files.levels[0].len()).max();
        self.level0_most.store(most.unwrap_or(0), Relaxed);
        self.version.store(Arc::new(version));
        // What this version has and the new one has not is given up when the last reader lets go of it.
        self.lent.clear();
    }

    /// Is this what a reader would get now?
    pub(crate) fn is_newest(&self, version: &Arc<Version>) -> bool {
        Arc::ptr_eq(&self.version.load(), version)
    }

    pub(crate) fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tree as it is now. A reader loads the visible commit first: then all of it is in the view.
    pub(crate) fn view(&self) -> TreeView {
        TreeView { version: self.version.load_full() }
    }

    /// Applies a commit. Commits come in order, one at a time.
    ///
    /// # Errors
    /// [`StoreError::UnknownTable`] when the catalogue does not know a table, or what reading segments gives.
    pub(crate) fn apply(&self, applied: &Applied<'_>) -> Result<()> {
        let _writer = self.writer();
        let view = self.view();
        let active = &view.version.active;
        let shape_of = |table: TableId| match applied.catalog.by_id(table) {
            Some(schema) => match active.shape_of(table).filter(|shape| shape.version == schema.version) {
                Some(shape) => Ok(shape),
                None => Ok(Arc::new(Shape::of(schema))),
            },
            None => Err(StoreError::UnknownTable { table }),
        };
        for superseded in &applied.write.superseded {
            let shape = shape_of(superseded.table)?;
            for id in &superseded.facts {
                if !self.end(&view, &shape, id, applied.commit)? {
                    let what = format!("commit {} supersedes a fact that is not there", applied.commit);
                    return Err(StoreError::Corrupt { file: "ledger".to_owned(), offset: applied.record, what });
                }
            }
        }
        let in_files = |batch: &FactBatch| applied.bulk.iter().any(|segment| segment.meta.table == batch.table);
        for batch in applied.write.facts.iter().filter(|batch| !batch.periods.is_empty() && !in_files(batch)) {
            let shape = shape_of(batch.table)?;
            for (place, rows) in view.version.shards.split(&shape, batch) {
                let table = active.table_for(place, &shape);
                active.took(table.insert(&shape, batch, rows.as_deref(), applied.commit));
            }
        }
        let table = active.table_for(TableShard { table: COMMITS, shard: 0 }, commits_shape());
        active.took(table.insert_commit(commits_shape(), commit_row(applied), applied.commit));
        if !applied.bulk.is_empty() {
            let mut tables = view.version.tables.clone();
            for segment in applied.bulk {
                let files: &mut Arc<TableFiles> = tables.entry(segment.meta.place()).or_default();
                Arc::make_mut(files).add(segment.clone(), &segment.meta);
                active.bulk().push(segment.meta.clone());
                self.next_file.fetch_max(segment.meta.file + 1, Relaxed);
            }
            self.install(Version { tables, ..Version::clone(&view.version) });
        }
        Ok(())
    }

    /// Notes the end of a fact, wherever it is; answers whether it was found.
    fn end(&self, view: &TreeView, shape: &Shape, id: &FactId, commit: Commit) -> Result<bool> {
        let probe = Probe::new(&id.key, &mut shape.key_types());
        let place = view.version.shards.place(shape.table, probe.hash);
        for memtable in view.version.memtables() {
            if let Some(table) = memtable.table(place)
                && table.end(&probe, id, commit)
            {
                return Ok(true);
            }
        }
        let Some(files) = view.version.tables.get(&place) else { return Ok(false) };
        let written = lane_of_commit(id.commit);
        let mut place = None;
        // It is noted already where the log is applied again to files that stayed open.
        let current = Wanted::current(ValidScope::At(id.valid_from));
        let wanted = Wanted { end_above: lane_of_commit(commit) - 1, ..current };
        let walked = files.visit(&probe, &wanted, &mut |segment, row| {
            if i64_at(&row.run.valid_from, row.row) == id.valid_from && i64_at(&row.run.commit, row.row) == written {
                place = Some((segment, row.block.first_row + row.row as u64));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        debug_assert_eq!(walked.is_break(), place.is_some());
        let Some((segment, row)) = place else { return Ok(false) };
        let end = lane_of_commit(commit);
        segment.note(row, end)?;
        view.version.active.note(SegmentNote { file: segment.meta.file, row, end });
        Ok(true)
    }

    /// Is a fact current, as far as commits are applied?
    ///
    /// # Errors
    /// What reading segments gives.
    pub(crate) fn is_current(&self, table: TableId, id: &FactId) -> Result<bool> {
        let mut current = false;
        let written = lane_of_commit(id.commit);
        let wanted = Wanted::current(ValidScope::At(id.valid_from));
        self.visit_any(table, &id.key, &wanted, &mut |found| {
            current = found.from() == id.valid_from && found.commit() == written;
            if current { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(current)
    }

    /// The period of a current fact of a key that a commit after `after` wrote and that shares an instant with `period`.
    ///
    /// # Errors
    /// What reading segments gives.
    pub(crate) fn current_overlaps(
        &self,
        table: TableId,
        key: &[u8],
        period: Period,
        after: Commit,
    ) -> Result<Option<Period>> {
        let mut overlap = None;
        let after = lane_of_commit(after);
        self.visit_any(table, key, &Wanted::current(ValidScope::Overlaps(period)), &mut |found| {
            if found.commit() <= after {
                return ControlFlow::Continue(());
            }
            overlap = Period::new(found.from(), found.to()).ok();
            ControlFlow::Break(())
        })?;
        Ok(overlap)
    }

    /// Visits facts of a key of a table whose shape is not at hand.
    fn visit_any(
        &self,
        table: TableId,
        key: &[u8],
        wanted: &Wanted,
        found: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let view = self.view();
        let Some(shape) = view.shape_of(table)? else { return Ok(()) };
        view.visit(table, &Probe::new(key, &mut shape.key_types()), wanted, found)
    }

    /// Is the active memtable big enough to be frozen?
    pub(crate) fn needs_freeze(&self) -> bool {
        let version = self.version.load();
        // Segments of large writes are compacted once a checkpoint covers them.
        version.active.bytes() >= self.config.memtable_bytes_max
            || version.active.bulk_most() >= self.config.level0_segments_max.max(1)
    }

    /// Lets a new memtable take over. The caller holds commits back, and has applied everything up to this record.
    pub(crate) fn freeze(&self, commit: Commit, record: u64) {
        let _writer = self.writer();
        let old = self.version.load_full();
        if old.active.is_empty() {
            return;
        }
        let mut frozen = old.frozen.clone();
        frozen.push(Frozen { memtable: old.active.clone(), upto: Checkpoint { commit, record } });
        let active = Arc::new(MemTable::after(&old.active));
        self.install(Version { active, frozen, ..Version::clone(&old) });
    }

    /// How many bytes do the memtables take?
    pub(crate) fn memtable_bytes(&self) -> usize {
        self.version.load().memtables().map(|memtable| memtable.bytes()).sum()
    }

    /// How many bytes the memtable takes that is flushed next.
    pub(crate) fn oldest_frozen_bytes(&self) -> usize {
        self.version.load().frozen.first().map_or(0, |frozen| frozen.memtable.bytes())
    }

    /// The most segments that level 0 of a table and shard has.
    pub(crate) fn level0_most(&self) -> usize {
        self.level0_most.load(Relaxed)
    }

    /// Waits for a compaction where level 0 has so many segments; answers whether one was under way.
    pub(crate) fn wait_for_compaction(&self, level0_segments: usize) -> bool {
        let version = self.view().version;
        let is_crowded = |files: &Arc<TableFiles>| files.levels[0].len() >= level0_segments;
        self.claims.wait_for_one(&|place| version.tables.get(&place).is_some_and(is_crowded))
    }

    /// How many memtables wait to be flushed?
    pub(crate) fn frozen_count(&self) -> usize {
        self.version.load().frozen.len()
    }
}
