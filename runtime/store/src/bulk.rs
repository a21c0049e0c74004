//! How does a large write reach the disk once?
//!
//! The facts of a table that a write has many of are sorted, written to segments as a flush would write them, and synced.
//! Only then the commit's record goes into the log, and it names the files instead of carrying the facts. The segments are
//! read from there on; the manifest takes them up with the flush whose checkpoint covers the record. An open that replays the
//! record takes the files from it.
//!
//! The commit has no number while its segments are written: in their blocks it is [`OF_THE_RECORD`], and whoever reads them
//! puts in its place what the record, later the manifest, says.
//!
//! Holds: a record names durable files only; what failed or was refused leaves files that nobody names, and the next open
//! removes them. The record's root is the same as if the facts stood in the log. Until the checkpoint covers the record,
//! compaction leaves the segments alone: a crash may still need them.
//! Not here: the section's bytes (`format::log_v1`), putting the number in (`sst::reader`).

use crate::{
    catalog::Catalogs,
    chain::{BatchShape, Hash, commit_root},
    error::{Result, StoreError},
    fact::{FactBatch, Write},
    memtable::Chunk,
    replay::{Found, RecordBody},
    run::{Run, commit_of_lane, i64_at, lane_of_commit},
    salts::Secret,
    shape::Shape,
    sst::Segment,
    tree::{SegmentKind, SegmentMeta, Tree, TreeView},
};
use spectradb_kernel::{
    Period,
    schema::{TableId, TableSchema},
    time::Commit,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// The commit of the facts of a segment that was written before its commit had a number.
pub(crate) const OF_THE_RECORD: Commit = 0;

/// What a record says instead of facts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BulkSection {
    /// The root over all of the record's leaves, those of the facts in files among them.
    pub(crate) root: Hash,
    /// The files; their level is 0, and their commit is the record's.
    pub(crate) files: Vec<SegmentMeta>,
}

/// The part of a write that was written to segments.
#[derive(Debug)]
pub(crate) struct Bulk {
    pub(crate) section: BulkSection,
    pub(crate) segments: Vec<Arc<Segment>>,
}

impl Bulk {
    /// Writes the tables of which the write has much to segments; `None` when there is none.
    ///
    /// # Errors
    /// What the disk says; then no file stays.
    pub(crate) fn write(
        write: &Write,
        schema_of: &dyn Fn(TableId) -> Arc<TableSchema>,
        tree: &Tree,
    ) -> Result<Option<Bulk>> {
        let mut tables: BTreeMap<TableId, Vec<&FactBatch>> = BTreeMap::new();
        for batch in write.facts.iter().filter(|batch| !batch.periods.is_empty()) {
            tables.entry(batch.table).or_default().push(batch);
        }
        let columns = |batch: &&FactBatch| batch.columns.iter().map(|column| column.memory_bytes()).sum::<usize>();
        tables.retain(|_, batches| batches.iter().map(columns).sum::<usize>() >= tree.config().bulk_bytes_min);
        let mut segments = Vec::new();
        for (table, batches) in tables {
            let shape = Arc::new(Shape::of(&schema_of(table)));
            tree.write_bulk(&shape, &batches, &mut segments)?;
        }
        if segments.is_empty() {
            return Ok(None);
        }
        // Whatever becomes of the commit: the bytes are written.
        let bytes = segments.iter().map(|segment: &Arc<Segment>| segment.meta.bytes).sum();
        tree.written.bulk_bytes.fetch_add(bytes, Relaxed);
        let files = segments.iter().map(|segment| segment.meta.clone()).collect();
        Ok(Some(Bulk { section: BulkSection { root: [0; 32], files }, segments }))
    }

    /// The files stay from now on, whatever becomes of the commit: its record may be in the log.
    pub(crate) fn keep(&self) {
        self.segments.iter().for_each(|segment| segment.keep());
    }

    /// The segments under the commit's number.
    pub(crate) fn numbered(&self, commit: Commit) -> Vec<Arc<Segment>> {
        self.segments.iter().map(|segment| Arc::new(segment.numbered(commit))).collect()
    }
}

impl Tree {
    /// Writes facts of one table to segments, sorted, each shard's apart.
    fn write_bulk(&self, shape: &Arc<Shape>, batches: &[&FactBatch], segments: &mut Vec<Arc<Segment>>) -> Result<()> {
        let mut places = BTreeMap::new();
        for batch in batches {
            for (place, rows) in self.view().version.shards.split(shape, batch) {
                let chunks: &mut Vec<Arc<Chunk>> = places.entry(place).or_default();
                let chunk = match rows {
                    None => Chunk::of_batch(shape, batch, OF_THE_RECORD, 0..batch.periods.len()),
                    Some(rows) => {
                        let some = batch.take(&rows);
                        Chunk::of_batch(shape, &some, OF_THE_RECORD, 0..rows.len())
                    }
                };
                chunks.push(Arc::new(chunk));
            }
        }
        for (place, chunks) in places {
            // No commit has ended any of them.
            self.write_table(place, &chunks, lane_of_commit(OF_THE_RECORD), self.shard_bytes(), segments)?;
        }
        Ok(())
    }

    /// The segments that a record of the log names.
    ///
    /// # Errors
    /// [`StoreError::Missing`] and [`StoreError::Corrupt`] when one is not what the record says.
    pub(crate) fn open_bulk(&self, files: &[SegmentMeta], commit: Commit) -> Result<Vec<Arc<Segment>>> {
        let numbered = |meta: &SegmentMeta| SegmentMeta { commit_min: commit, commit_max: commit, ..meta.clone() };
        files.iter().map(|meta| Ok(Arc::new(self.open_segment(numbered(meta))?))).collect()
    }
}

/// The facts of a table that a commit stated, wherever they are by now.
///
/// # Errors
/// What reading segments gives.
fn facts_of(view: &TreeView, table: TableId, commit: Commit) -> Result<Vec<FactBatch>> {
    let written = lane_of_commit(commit);
    let mut batches = Vec::new();
    for segment in view.version.segments_of(table) {
        if !(segment.meta.commit_min..=segment.meta.commit_max).contains(&commit) {
            continue;
        }
        let index = segment.index()?;
        for block in &index.blocks {
            if !(block.bounds.commit_min..=block.bounds.commit_max).contains(&written) {
                continue;
            }
            let run: &Run = &*segment.run(block)?;
            let rows: Vec<u32> =
                (0..run.len as u32).filter(|row| i64_at(&run.commit, *row as usize) == written).collect();
            if rows.is_empty() {
                continue;
            }
            let all = rows.len() == run.len;
            let period = |row: &u32| {
                let row = *row as usize;
                Period::new(i64_at(&run.valid_from, row), i64_at(&run.valid_to, row)).expect("blocks are checked")
            };
            batches.push(FactBatch {
                table,
                schema_version: index.shape.version,
                columns: run
                    .columns
                    .iter()
                    .map(|column| if all { column.clone() } else { column.take(&rows) })
                    .collect(),
                periods: rows.iter().map(period).collect(),
                origins: rows.iter().map(|row| commit_of_lane(i64_at(&run.origin, *row as usize))).collect(),
            });
        }
    }
    Ok(batches)
}

/// What became of the facts that a record left to files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// All are there again; or there were none.
    Whole,
    /// Not as many as there were are in this table.
    Partly(TableId),
}

/// Puts the facts that a record left to files into its write. The view sees the record's commit.
///
/// # Errors
/// What reading segments gives.
pub(crate) fn fill(found: &mut Found, view: &TreeView) -> Result<Filled> {
    let RecordBody::Commit { commit, write, .. } = &mut found.record.body else { return Ok(Filled::Whole) };
    let Some(section) = &found.bulk else { return Ok(Filled::Whole) };
    let mut told: BTreeMap<TableId, u64> = BTreeMap::new();
    section.files.iter().for_each(|meta| *told.entry(meta.table).or_default() += meta.rows);
    if let Secret::Left(left) = &found.secret {
        // What was erased is in no file any more.
        for erased in left.erased.iter().filter(|erased| erased.is_fact()) {
            told.entry(erased.table).and_modify(|rows| *rows = rows.saturating_sub(1));
        }
    }
    let mut filled = Filled::Whole;
    for (table, rows) in told {
        let batches = facts_of(view, table, *commit)?;
        if batches.iter().map(|batch| batch.periods.len() as u64).sum::<u64>() != rows {
            filled = Filled::Partly(table);
        }
        write.facts.extend(batches);
    }
    Ok(filled)
}

/// The same, where nothing less than all will do: they must hash to the record's root.
///
/// # Errors
/// [`StoreError::FactsPruned`] where a table's retention let some go; [`StoreError::Corrupt`] where they differ.
pub(crate) fn fill_whole(found: &mut Found, view: &TreeView, catalogs: &Catalogs) -> Result<()> {
    let record = found.record.record;
    let corrupt = |what: &str| StoreError::Corrupt { file: "ledger".to_owned(), offset: record, what: what.to_owned() };
    match fill(found, view)? {
        Filled::Whole if found.bulk.is_none() || root_of(found, catalogs) == Some(found.root) => Ok(()),
        Filled::Whole => Err(corrupt("the facts of a record do not hash to its root")),
        Filled::Partly(table) if view.version.pruned.contains_key(&table) => {
            Err(StoreError::FactsPruned { record, table })
        }
        Filled::Partly(_) => Err(corrupt("facts of a record are not in the tables")),
    }
}

/// The root over the leaves of a commit whose facts are all there; `None` when the catalogue does not know a table.
pub(crate) fn root_of(found: &Found, catalogs: &Catalogs) -> Option<Hash> {
    let RecordBody::Commit { write, .. } = &found.record.body else { return None };
    let shape = |batch: &FactBatch| {
        let schema = catalogs.schema_at(batch.table, batch.schema_version)?;
        Some(BatchShape::of(&Shape::of(&schema)))
    };
    let shapes = write.facts.iter().map(shape).collect::<Option<Vec<_>>>()?;
    Some(commit_root(write, &shapes, &found.secret))
}

/// A file that a record names, as far as the record says.
pub(crate) fn named_file(table: TableId, shard: u16, file: u64) -> SegmentMeta {
    SegmentMeta {
        file,
        table,
        shard,
        level: 0,
        kind: SegmentKind::Current,
        rows: 0,
        bytes: 0,
        commit_min: OF_THE_RECORD,
        commit_max: OF_THE_RECORD,
        system_to_max: spectradb_kernel::time::COMMIT_OPEN,
        valid_from_min: 0,
        valid_to_max: 0,
        key_min: Vec::new(),
        key_max: Vec::new(),
        root: [0; 32],
    }
}
