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
    chain::{Among, BatchShape, Hash, Look, commit_root_of_runs, facts_in},
    error::{CommitError, Result, StoreError},
    fact::{FactBatch, Write},
    keys::{encode_row, integer_key},
    memtable::Chunk,
    replay::{Found, RecordBody},
    run::{commit_of_lane, i64_at, lane_of_commit},
    salts::Secret,
    shape::Shape,
    sst::{Segment, block_rows},
    tree::{SegmentKind, SegmentMeta, TableShard, Tree, TreeView},
};
use spectradb_kernel::{
    Column, Period, radix,
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
    /// The schema version of each table that has files.
    pub(crate) versions: BTreeMap<TableId, u32>,
}

/// The part of a write that was written to segments.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    pub(crate) section: BulkSection,
    pub(crate) segments: Vec<Arc<Segment>>,
}

/// Batches are joined up to about so many bytes; what is longer becomes several sorted batches.
const JOINED_BYTES: usize = 512 << 20;

/// Facts are copied from one tree to another so many bytes at a time.
const COPIED_BYTES: usize = 64 << 20;

fn bytes_of(batch: &FactBatch) -> usize {
    batch.columns.iter().map(Column::memory_bytes).sum()
}

/// The tables of which a write has so much that it goes to segments at once.
fn large_tables(write: &Write, bytes_min: usize) -> Vec<TableId> {
    if write.facts.iter().map(bytes_of).sum::<usize>() < bytes_min {
        return Vec::new();
    }
    let mut tables: BTreeMap<TableId, usize> = BTreeMap::new();
    for batch in write.facts.iter().filter(|batch| !batch.periods.is_empty()) {
        *tables.entry(batch.table).or_default() += bytes_of(batch);
    }
    tables.retain(|_, bytes| *bytes >= bytes_min);
    tables.into_keys().collect()
}

/// Brings the facts of each table of which the write has much into the order of key and validity, which is the order of their
/// leaves and of their segments: they are sorted once. Answers these tables.
pub(crate) fn arrange(
    write: &mut Write,
    schema_of: &dyn Fn(TableId) -> Arc<TableSchema>,
    bytes_min: usize,
) -> Vec<TableId> {
    let large = large_tables(write, bytes_min);
    for table in &large {
        let (of, others): (Vec<FactBatch>, Vec<FactBatch>) =
            std::mem::take(&mut write.facts).into_iter().partition(|batch| batch.table == *table);
        write.facts = others;
        write.facts.extend(in_order(of, &schema_of(*table).key));
    }
    large
}

/// Facts of one table in the order of key and validity, in as few batches as can be.
pub(crate) fn in_order(facts: Vec<FactBatch>, key: &[usize]) -> Vec<FactBatch> {
    let (mut ordered, mut some, mut bytes) = (Vec::new(), Vec::new(), 0);
    for batch in facts.into_iter().filter(|batch| !batch.periods.is_empty()) {
        let more = bytes_of(&batch);
        if bytes + more > JOINED_BYTES && !some.is_empty() {
            ordered.push(sorted(std::mem::take(&mut some), key));
            bytes = 0;
        }
        bytes += more;
        some.push(batch);
    }
    if !some.is_empty() {
        ordered.push(sorted(some, key));
    }
    ordered
}

/// Batches of one table and schema version as one, in order.
fn sorted(mut batches: Vec<FactBatch>, key: &[usize]) -> FactBatch {
    let all = if batches.len() == 1 { batches.remove(0) } else { joined(&batches) };
    match sorted_rows(&all, key) {
        None => all,
        Some(rows) => all.take(&rows),
    }
}

/// The same, one behind the other.
fn joined(batches: &[FactBatch]) -> FactBatch {
    let column = |at: usize| {
        let parts: Vec<Column> = batches.iter().map(|batch| batch.columns[at].clone()).collect();
        Column::concat(parts[0].ty(), &parts)
    };
    FactBatch {
        columns: (0..batches[0].columns.len()).map(column).collect(),
        periods: batches.iter().flat_map(|batch| batch.periods.iter().copied()).collect(),
        origins: batches.iter().flat_map(|batch| batch.origins.iter().copied()).collect(),
        ..batches[0]
    }
}

/// The rows of a batch in the order of key and validity; `None` when they are in it.
fn sorted_rows(batch: &FactBatch, key: &[usize]) -> Option<Vec<u32>> {
    let rows = batch.periods.len();
    let from = |row: u32| batch.periods[row as usize].from();
    if let Some(values) = integer_key(&batch.columns, key) {
        let value = |row: u32| values.at(row as usize);
        if (1..rows as u32).all(|row| (value(row - 1), from(row - 1)) < (value(row), from(row))) {
            return None;
        }
        // Number and row together, so that sorting touches nothing else.
        let mut order: Vec<(u64, u32)> = (0..rows as u32).map(|row| (ordered(value(row)), row)).collect();
        radix::sort(&mut order);
        for alike in order.chunk_by_mut(|a, b| a.0 == b.0).filter(|alike| alike.len() > 1) {
            alike.sort_unstable_by_key(|(_, row)| (from(*row), *row));
        }
        return Some(order.into_iter().map(|(_, row)| row).collect());
    }
    let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(rows + 1));
    ends.push(0);
    for row in 0..rows {
        encode_row(&batch.columns, key, row, &mut bytes);
        ends.push(bytes.len());
    }
    let place = |row: u32| (&bytes[ends[row as usize]..ends[row as usize + 1]], from(row));
    if (1..rows as u32).all(|row| place(row - 1) < place(row)) {
        return None;
    }
    let prefix = |row: u32| {
        let mut prefix = [0; 8];
        let (key, _) = place(row);
        let len = key.len().min(8);
        prefix[..len].copy_from_slice(&key[..len]);
        u64::from_be_bytes(prefix)
    };
    let mut order: Vec<(u64, u32)> = (0..rows as u32).map(|row| (prefix(row), row)).collect();
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| place(a.1).cmp(&place(b.1))));
    Some(order.into_iter().map(|(_, row)| row).collect())
}

/// The number whose order without a sign is that of the number with one.
fn ordered(value: i64) -> u64 {
    value.cast_unsigned() ^ 1 << 63
}

impl Bulk {
    /// Writes large tables, which were brought into order ([`arrange`]), to segments; `None` when there are none.
    ///
    /// # Errors
    /// What the disk says; then no file stays.
    pub(crate) fn write(
        write: &Write,
        tables: &[TableId],
        schema_of: &dyn Fn(TableId) -> Arc<TableSchema>,
        tree: &Tree,
    ) -> Result<Option<Bulk>> {
        let mut segments = Vec::new();
        for batch in write.facts.iter().filter(|batch| tables.contains(&batch.table)) {
            tree.write_bulk(&Arc::new(Shape::of(&schema_of(batch.table))), batch, &mut segments)?;
        }
        if segments.is_empty() {
            return Ok(None);
        }
        // Whatever becomes of the commit: the bytes are written.
        let bytes = segments.iter().map(|segment: &Arc<Segment>| segment.meta.bytes).sum();
        tree.written.bulk_bytes.fetch_add(bytes, Relaxed);
        let versions = write.facts.iter().filter(|batch| tables.contains(&batch.table));
        let versions = versions.map(|batch| (batch.table, batch.schema_version)).collect();
        let mut bulk = Bulk::default();
        bulk.add(segments, versions);
        Ok(Some(bulk))
    }

    /// Adds segments.
    pub(crate) fn add(&mut self, segments: Vec<Arc<Segment>>, versions: BTreeMap<TableId, u32>) {
        self.section.files.extend(segments.iter().map(|segment| segment.meta.clone()));
        self.section.versions.extend(versions);
        self.segments.extend(segments);
    }

    /// Writes what the tables of a view have of a commit to segments of another tree, some at a time.
    ///
    /// # Errors
    /// What reading and writing segments gives.
    pub(crate) fn copy(
        &mut self,
        (view, table, commit): (&TreeView, TableId, Commit),
        schema: &TableSchema,
        tree: &Tree,
    ) -> Result<()> {
        let (shape, mut segments) = (Arc::new(Shape::of(schema)), Vec::new());
        let (mut some, mut bytes) = (Vec::new(), 0);
        let mut write = |some: Vec<FactBatch>| {
            let ordered = in_order(some, &schema.key);
            ordered.iter().try_for_each(|batch| tree.write_bulk(&shape, batch, &mut segments))
        };
        each_batch_of(view, table, commit, |batch| {
            bytes += bytes_of(&batch);
            some.push(batch);
            if bytes < COPIED_BYTES {
                return Ok(());
            }
            bytes = 0;
            write(std::mem::take(&mut some))
        })?;
        write(some)?;
        self.add(segments, BTreeMap::from([(table, schema.version)]));
        Ok(())
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
    /// Writes sorted facts of one table to segments, each shard's apart.
    pub(crate) fn write_bulk(
        &self,
        shape: &Arc<Shape>,
        batch: &FactBatch,
        segments: &mut Vec<Arc<Segment>>,
    ) -> Result<()> {
        for (place, rows) in self.view().version.shards.split(shape, batch) {
            let some = rows.map(|rows| batch.take(&rows));
            self.write_straight(place, shape, some.as_ref().unwrap_or(batch), segments)?;
        }
        Ok(())
    }

    /// Writes facts block by block as they lie.
    fn write_straight(
        &self,
        place: TableShard,
        shape: &Arc<Shape>,
        batch: &FactBatch,
        segments: &mut Vec<Arc<Segment>>,
    ) -> Result<()> {
        let rows = batch.periods.len();
        let bytes: usize = batch.columns.iter().map(Column::memory_bytes).sum();
        let per_block = block_rows(bytes / rows.max(1), self.config().sstable_block_bytes);
        let mut builder = self.builder(shape, place.shard, 0, SegmentKind::Current)?;
        for start in (0..rows).step_by(per_block) {
            // Never between the facts of a key.
            if start > 0 && builder.bytes() > self.shard_bytes() && !same_key(&batch.columns, &shape.key, start) {
                let next = self.builder(shape, place.shard, 0, SegmentKind::Current)?;
                segments.push(self.open_built(std::mem::replace(&mut builder, next))?);
            }
            // No commit has ended any of them.
            let block = start..rows.min(start + per_block);
            builder.add(&Chunk::of_batch(shape, batch, OF_THE_RECORD, block).run)?;
        }
        segments.push(self.open_built(builder)?);
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

/// Has a row the key of the one before it?
fn same_key(columns: &[Column], key: &[usize], row: usize) -> bool {
    let encoded = |row: usize| {
        let mut bytes = Vec::new();
        encode_row(columns, key, row, &mut bytes);
        bytes
    };
    encoded(row) == encoded(row - 1)
}

/// Gives the facts of a table that a commit stated, wherever they are by now, some at a time.
///
/// # Errors
/// What reading segments gives, and the visitor's.
pub(crate) fn each_batch_of<E: From<StoreError>>(
    view: &TreeView,
    table: TableId,
    commit: Commit,
    mut each: impl FnMut(FactBatch) -> Result<(), E>,
) -> Result<(), E> {
    for segment in segments_with(view, table, commit) {
        let index = segment.index()?;
        for block in &index.blocks {
            let Some(run) = facts_in(segment, block, lane_of_commit(commit))? else { continue };
            let period = |row: usize| {
                let (from, to) = (i64_at(&run.valid_from, row), i64_at(&run.valid_to, row));
                Period::new(from, to).expect("blocks are checked")
            };
            each(FactBatch {
                table,
                schema_version: index.shape.version,
                columns: run.columns.clone(),
                periods: (0..run.len).map(period).collect(),
                origins: (0..run.len).map(|row| commit_of_lane(i64_at(&run.origin, row))).collect(),
            })?;
        }
    }
    Ok(())
}

/// The segments that may have facts of a commit.
fn segments_with(view: &TreeView, table: TableId, commit: Commit) -> impl Iterator<Item = &Arc<Segment>> {
    let segments = view.version.segments_of(table);
    segments.filter(move |segment| (segment.meta.commit_min..=segment.meta.commit_max).contains(&commit))
}

/// What became of the facts that a record left to files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// All are there but for those that were erased; or there were none.
    Whole,
    /// The retention of this table let some go. The other tables have all of theirs.
    Pruned(TableId),
}

/// How many facts a record left to files, by table, without those that were erased.
pub(crate) fn left_to_files(found: &Found) -> BTreeMap<TableId, u64> {
    let mut told: BTreeMap<TableId, u64> = BTreeMap::new();
    let Some(section) = &found.bulk else { return told };
    section.files.iter().for_each(|meta| *told.entry(meta.table).or_default() += meta.rows);
    for (table, erased) in found.secret.erased_facts() {
        // What was erased is in no file any more.
        told.entry(table).and_modify(|rows| *rows = rows.saturating_sub(erased));
    }
    told
}

/// Are the facts that a record left to files in the tables, and do they hash to its root together with the rest of it? They
/// are read a block at a time. The view sees the record's commit.
///
/// # Errors
/// What reading segments gives; [`StoreError::LedgerDiffers`] when they are not what the record says.
pub(crate) fn check_files(found: &Found, view: &TreeView, catalogs: &Catalogs) -> Result<Filled> {
    match found.bulk {
        Some(_) => look_at(found, view, catalogs, &mut ()),
        // It hashed to its root when it was read.
        None => Ok(Filled::Whole),
    }
}

/// Shows every leaf of a commit to `look`, those of the facts that it left to files among them, a block at a time. Where they do
/// not hash to the record's root, or are not all there, what was shown means nothing.
///
/// # Errors
/// As [`check_files`].
pub(crate) fn look_at(found: &Found, view: &TreeView, catalogs: &Catalogs, look: &mut dyn Look) -> Result<Filled> {
    let RecordBody::Commit { commit, write, .. } = &found.record.body else { return Ok(Filled::Whole) };
    let (mut rows, mut segments, mut gone) = (0, Vec::new(), None);
    for (table, told) in left_to_files(found) {
        let mut there = 0;
        each_batch_of(view, table, *commit, |batch| {
            there += batch.periods.len() as u64;
            Ok::<(), StoreError>(())
        })?;
        let is_pruned = view.version.pruned.contains_key(&table);
        if there != told && !is_pruned {
            return Err(differs(found, "the tables do not have as many facts of it as it states"));
        }
        if is_pruned && (there != told || matches!(found.secret, Secret::Lost(_))) {
            gone = gone.or(Some(table));
        }
        rows += there;
        segments.extend(segments_with(view, table, *commit).cloned());
    }
    if let Some(table) = gone {
        return Ok(Filled::Pruned(table));
    }
    if matches!(found.secret, Secret::Lost(_)) {
        return Err(differs(found, "facts of it are not kept, it says, and all of its tables keep theirs"));
    }
    let among = Among { commit: *commit, rows };
    let root = match shapes_of(write, catalogs) {
        Some(shapes) => match commit_root_of_runs(write, &shapes, &found.secret, &segments, Some(among), look) {
            Ok(root) => Some(root),
            Err(CommitError::Store(error)) => return Err(error),
            // Facts of a key overlap: nobody wrote that.
            Err(_) => None,
        },
        None => None,
    };
    match root == Some(found.root) {
        true => Ok(Filled::Whole),
        false => Err(differs(found, "the facts that the tables have of it do not hash to its root")),
    }
}

fn differs(found: &Found, what: &str) -> StoreError {
    StoreError::LedgerDiffers { record: found.record.record, what: what.to_owned() }
}

/// The same, where nothing less than all will do.
///
/// # Errors
/// [`StoreError::FactsPruned`] where a table's retention let some go; [`StoreError::LedgerDiffers`] where they differ.
pub(crate) fn look_at_whole(found: &Found, view: &TreeView, catalogs: &Catalogs, look: &mut dyn Look) -> Result<()> {
    whole(found, catalogs, look_at(found, view, catalogs, look)?)
}

/// [`check_files`], where nothing less than all will do.
///
/// # Errors
/// As [`look_at_whole`].
pub(crate) fn check_whole(found: &Found, view: &TreeView, catalogs: &Catalogs) -> Result<()> {
    whole(found, catalogs, check_files(found, view, catalogs)?)
}

fn whole(found: &Found, catalogs: &Catalogs, filled: Filled) -> Result<()> {
    match filled {
        Filled::Whole => Ok(()),
        Filled::Pruned(table) => {
            let table = catalogs.schema(table).map_or_else(|| table.to_string(), |schema| schema.name.clone());
            Err(StoreError::FactsPruned { record: found.record.record, table })
        }
    }
}

/// Puts the facts that a record left to files into its write, whether they are all or not.
///
/// # Errors
/// What reading segments gives.
pub(crate) fn fill(found: &mut Found, view: &TreeView) -> Result<()> {
    let told = left_to_files(found);
    let RecordBody::Commit { commit, write, .. } = &mut found.record.body else { return Ok(()) };
    for table in told.into_keys() {
        each_batch_of(view, table, *commit, |batch| {
            write.facts.push(batch);
            Ok::<(), StoreError>(())
        })?;
    }
    Ok(())
}

/// The same, where nothing less than all will do: they must hash to the record's root.
///
/// # Errors
/// As [`check_whole`].
pub(crate) fn fill_whole(found: &mut Found, view: &TreeView, catalogs: &Catalogs) -> Result<()> {
    check_whole(found, view, catalogs)?;
    fill(found, view)
}

/// The columns of the batches of a write; `None` when the catalogue does not know a table.
pub(crate) fn shapes_of(write: &Write, catalogs: &Catalogs) -> Option<Vec<BatchShape>> {
    let shape = |batch: &FactBatch| {
        let schema = catalogs.schema_at(batch.table, batch.schema_version)?;
        Some(BatchShape::of(&Shape::of(&schema)))
    };
    write.facts.iter().map(shape).collect()
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
