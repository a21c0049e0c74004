//! What has been committed but is not in segments yet?
//!
//! One [`MemTable`] takes the facts of all tables until it is big enough to be frozen; then a new one takes over, and
//! the frozen one is only read until its flush. It also keeps the notes on facts that lie in segments already: they are
//! flushed with it.
//!
//! Holds: whatever was applied since it was opened is in it, and nothing else.
//! Not here: the log that makes it durable, sorting it into segments (`flush`).

mod chunk;
mod table;

pub(crate) use chunk::Chunk;
pub(crate) use table::{MemRow, TableMem};

use crate::{
    keys::Probe,
    shape::Shape,
    tree::{SegmentMeta, TableShard},
    visible::Wanted,
};
use arc_swap::ArcSwap;
use spectradb_kernel::schema::TableId;
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The newest facts of all tables.
#[derive(Debug, Default)]
pub(crate) struct MemTable {
    /// Looked up at every read and changed at a table's first fact: replaced as a whole, so that readers write nothing.
    tables: ArcSwap<BTreeMap<TableShard, Arc<TableMem>>>,
    bytes: AtomicUsize,
    notes: Mutex<Vec<SegmentNote>>,
    /// Segments of large commits that the manifest does not name yet; the flush of this memtable brings them there.
    bulk: Mutex<Vec<SegmentMeta>>,
    /// How many keys each table had in the memtable before: as many are to be expected, and room for them is made once.
    expected: BTreeMap<TableShard, usize>,
}

/// A fact in a segment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SegmentNote {
    /// The segment's file.
    pub(crate) file: u64,
    /// The fact's row in it.
    pub(crate) row: u64,
    /// The commit that superseded it.
    pub(crate) end: i64,
}

impl MemTable {
    /// The one that takes over from a memtable that was frozen.
    pub(crate) fn after(full: &MemTable) -> MemTable {
        let expected = full.tables.load().iter().map(|(place, table)| (*place, table.key_count())).collect();
        MemTable { expected, ..MemTable::default() }
    }

    /// The facts of a table in one shard, if it has any here.
    pub(crate) fn table(&self, place: TableShard) -> Option<Arc<TableMem>> {
        self.tables.load().get(&place).cloned()
    }

    /// Visits the wanted facts of a key.
    pub(crate) fn visit(
        &self,
        place: TableShard,
        probe: &Probe<'_>,
        wanted: &Wanted,
        found: &mut dyn FnMut(MemRow<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match self.tables.load().get(&place) {
            Some(table) => table.visit(probe, wanted, found),
            None => ControlFlow::Continue(()),
        }
    }

    /// The facts of a table, shard by shard.
    pub(crate) fn shards_of(&self, table: TableId) -> Vec<Arc<TableMem>> {
        let tables = self.tables.load();
        tables.range(TableShard::all_of(table)).map(|(_, table)| table.clone()).collect()
    }

    /// The shape of the newest facts of a table in some shard, if it has any here.
    pub(crate) fn shape_of(&self, table: TableId) -> Option<Arc<Shape>> {
        let tables = self.tables.load();
        tables.range(TableShard::all_of(table)).next().map(|(_, table)| table.shape())
    }

    /// The largest key of any fact of a table.
    pub(crate) fn key_max(&self, table: TableId) -> Option<Vec<u8>> {
        let tables = self.tables.load();
        tables.range(TableShard::all_of(table)).filter_map(|(_, table)| table.key_max()).max()
    }

    /// The facts of a table in one shard, to add to them.
    pub(crate) fn table_for(&self, place: TableShard, shape: &Arc<Shape>) -> Arc<TableMem> {
        if let Some(found) = self.table(place) {
            return found;
        }
        let added = Arc::new(TableMem::new(shape, self.expected.get(&place).copied().unwrap_or(0)));
        self.tables.rcu(|tables| {
            let mut tables = BTreeMap::clone(tables);
            tables.entry(place).or_insert_with(|| added.clone());
            tables
        });
        self.table(place).expect("it was added, here or by another thread")
    }

    /// Every table and shard with facts here.
    pub(crate) fn tables(&self) -> Vec<(TableShard, Arc<TableMem>)> {
        self.tables.load().iter().map(|(place, table)| (*place, table.clone())).collect()
    }

    /// The notes on facts in segments.
    pub(crate) fn notes(&self) -> MutexGuard<'_, Vec<SegmentNote>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the end of a fact in a segment.
    pub(crate) fn note(&self, note: SegmentNote) {
        self.notes().push(note);
        self.took(size_of::<SegmentNote>());
    }

    /// The segments that its flush adds to the manifest.
    pub(crate) fn bulk(&self) -> MutexGuard<'_, Vec<SegmentMeta>> {
        self.bulk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most of them that one table has in one shard.
    pub(crate) fn bulk_most(&self) -> usize {
        let mut counts: BTreeMap<TableShard, usize> = BTreeMap::new();
        self.bulk().iter().for_each(|meta| *counts.entry(meta.place()).or_default() += 1);
        counts.into_values().max().unwrap_or(0)
    }

    /// Counts bytes that were added.
    pub(crate) fn took(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Does it hold nothing?
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes() == 0
    }
}
