//! How does a frozen memtable become segments?
//!
//! Its facts are sorted once: current ones by key and validity, ended ones by end first. Each table gets a current and a
//! history segment, and all notes on facts of older segments go to one file. Then the manifest takes them up, and then,
//! under the writer's lock, the segments take the memtable's place: what ended after the freeze is noted on them.
//!
//! Holds: a fact goes to history only if it ended at or before the freeze. Whatever fails before the manifest is edited
//! leaves no files, or such that nobody names; the next open removes those.
//! Not here: when to freeze and who calls (the engine).

use super::{
    Edit, NotesMeta, SegmentKind, SegmentMeta, TableShard, Tree, Version, files::TableFiles, notes_name, segment_name,
};
use crate::{
    error::Result,
    format::notes_v1,
    keys::{Probe, encode_row, integer_key},
    memtable::{Chunk, MemTable, SegmentNote},
    notes::Known,
    run::{Run, commit_of_lane, i64_at, lane_of_commit},
    scan::ValidScope,
    shape::Shape,
    sst::{Builder, NewSegment, Segment, Spans, block_rows, gather, with_ends},
    visible::Wanted,
};
use spectradb_kernel::{radix, time::Commit};
use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    sync::{Arc, PoisonError, atomic::Ordering::Relaxed},
};

/// Where a fact is: the chunk, and the row in it.
type Place = (u32, u32);

/// A fact to sort: where it is, and what orders it.
#[derive(Clone, Copy, Debug)]
struct Sorted {
    /// 0 for current facts.
    end: i64,
    /// The first eight bytes of the key.
    prefix: u64,
    /// Where the key lies; nowhere when eight bytes are all of it.
    key_start: usize,
    key_len: u32,
    place: Place,
    from: i64,
}

/// Facts under sorting.
#[derive(Debug, Default)]
struct Sorter {
    keys: Vec<u8>,
    rows: Vec<Sorted>,
}

impl Sorter {
    fn push(&mut self, place: Place, end: i64, run: &Run, shape: &Shape) {
        let (key_start, row) = (self.keys.len(), place.1 as usize);
        encode_row(&run.columns, &shape.key, row, &mut self.keys);
        let key = &self.keys[key_start..];
        let mut prefix = [0; 8];
        let len = key.len().min(8);
        prefix[..len].copy_from_slice(&key[..len]);
        let mut key_len = key.len() as u32;
        if key_len == 8 {
            self.keys.truncate(key_start);
            key_len = 0;
        }
        let from = i64_at(&run.valid_from, row);
        self.rows.push(Sorted { end, prefix: u64::from_be_bytes(prefix), key_start, key_len, place, from });
    }

    fn sorted(mut self) -> Vec<Place> {
        let keys = &self.keys;
        let key = |row: &Sorted| &keys[row.key_start..row.key_start + row.key_len as usize];
        let order = |a: &Sorted, b: &Sorted| {
            let first = (a.end, a.prefix).cmp(&(b.end, b.prefix));
            first.then_with(|| key(a).cmp(key(b))).then(a.from.cmp(&b.from))
        };
        // What arrived in order is not sorted again.
        if !self.rows.is_sorted_by(|a, b| order(a, b).is_le()) {
            self.rows.sort_unstable_by(order);
        }
        self.rows.iter().map(|row| row.place).collect()
    }
}

/// Some facts by key and beginning of validity, where a key is one integer: as most are, and so numbers are sorted and nothing else.
fn sorted_integers(chunks: &[&Chunk], wanted: &dyn Fn(Place) -> bool) -> Option<Vec<Place>> {
    let keys: Option<Vec<_>> = chunks.iter().map(|chunk| integer_key(&chunk.run.columns, &chunk.shape.key)).collect();
    let all: usize = chunks.iter().map(|chunk| chunk.run.len).sum();
    let (mut numbers, mut places) = (Vec::with_capacity(all), Vec::with_capacity(all));
    for (chunk_idx, keys) in (0..).zip(keys?) {
        for row in (0..chunks[chunk_idx as usize].run.len as u32).filter(|row| wanted((chunk_idx, *row))) {
            // The order of signed numbers is that of unsigned ones once the sign is turned.
            numbers.push((keys.at(row as usize).cast_unsigned() ^ (1 << 63), places.len() as u32));
            places.push((chunk_idx, row));
        }
    }
    let from = |(_, fact): &(u64, u32)| {
        let (chunk, row) = places[*fact as usize];
        i64_at(&chunks[chunk as usize].run.valid_from, row as usize)
    };
    if !numbers.is_sorted_by(|a, b| a.0 < b.0) {
        radix::sort(&mut numbers);
        for alike in numbers.chunk_by_mut(|a, b| a.0 == b.0).filter(|alike| alike.len() > 1) {
            alike.sort_unstable_by_key(from);
        }
    }
    Some(numbers.iter().map(|(_, fact)| places[*fact as usize]).collect())
}

/// Have two facts one key?
fn have_one_key(chunks: &[&Chunk], a: Place, b: Place) -> bool {
    let key = |(chunk, row): Place| {
        let (chunk, mut key) = (chunks[chunk as usize], Vec::new());
        encode_row(&chunk.run.columns, &chunk.shape.key, row as usize, &mut key);
        key
    };
    key(a) == key(b)
}

impl Tree {
    /// Writes the oldest frozen memtable to segments; `edit` makes the change of files durable. Answers whether there was
    /// one.
    ///
    /// # Errors
    /// What writing files or `edit` gives: then the memtable stays, and the call can be made again.
    pub(crate) fn flush_one(&self, edit: &dyn Fn(&Edit) -> Result<()>) -> Result<bool> {
        let _flushing = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(frozen) = self.version.load().frozen.first().cloned() else { return Ok(false) };
        let upto = lane_of_commit(frozen.upto.commit);
        let mut segments = Vec::new();
        for (place, table) in frozen.memtable.tables() {
            self.write_table(place, &table.chunks(), upto, u64::MAX, &mut segments)?;
        }
        let mut files = self.files();
        let mut change = Edit { checkpoint: Some(frozen.upto), ..Edit::default() };
        change.add.extend(segments.iter().map(|segment| segment.meta.clone()));
        let flushed_bytes = change.added_bytes();
        // Written and synced by their commits, which counted them; the manifest takes them up now that it covers their records.
        change.add.extend(frozen.memtable.bulk().iter().cloned());
        let notes = frozen.memtable.notes().iter().map(|note| (note.file, note.row, note.end)).collect();
        change.add_notes.extend(self.write_notes(notes)?);
        change.next_file = self.next_file.load(Relaxed);
        self.publish(&change, &segments, edit)?;
        let notes_bytes: u64 = change.add_notes.iter().map(|notes| notes.bytes).sum();
        self.written.flush_bytes.fetch_add(flushed_bytes + notes_bytes, Relaxed);
        files.notes.extend(change.add_notes);
        files.checkpoint = frozen.upto;

        let _writer = self.writer();
        let old = self.version.load_full();
        let mut tables = old.tables.clone();
        for segment in &segments {
            let files: &mut Arc<TableFiles> = tables.entry(segment.meta.place()).or_default();
            Arc::make_mut(files).add(segment.clone(), &segment.meta);
        }
        let version = Version { frozen: old.frozen[1..].to_vec(), tables, ..Version::clone(&old) };
        for (place, mem) in frozen.memtable.tables() {
            let mine: Vec<_> = segments.iter().filter(|segment| segment.meta.place() == place).cloned().collect();
            for chunk in mem.chunks() {
                for (row, end) in chunk.ends.known().noted().into_iter().filter(|(_, end)| *end > upto) {
                    let Some((segment, row)) = locate(&mine, &chunk.run, &chunk.shape, row as usize)? else {
                        debug_assert!(false, "a fact that ended later is in the new segments");
                        continue;
                    };
                    segment.note(row, end)?;
                    let note = SegmentNote { file: segment.meta.file, row, end };
                    memtable_of(&version, commit_of_lane(end)).note(note);
                }
            }
        }
        self.install(version);
        Ok(true)
    }

    /// Writes a notes file of these notes; none when there are none.
    pub(crate) fn write_notes(&self, mut notes: Vec<notes_v1::Note>) -> Result<Option<NotesMeta>> {
        if notes.is_empty() {
            return Ok(None);
        }
        notes.sort_unstable();
        let file = self.next_file.fetch_add(1, Relaxed);
        let (bytes, root) = notes_v1::write(self.identity, &notes);
        let write = || {
            let out = self.disk.create(&notes_name(file))?;
            out.write_at(&bytes, 0)?;
            out.sync()?;
            self.disk.sync_dir()
        };
        if let Err(error) = write() {
            self.disk.remove(&notes_name(file)).ok();
            return Err(error);
        }
        let mut targets: Vec<u64> = notes.iter().map(|(target, ..)| *target).collect();
        targets.dedup();
        Ok(Some(NotesMeta { file, bytes: bytes.len() as u64, targets, count: notes.len() as u64, root }))
    }

    /// Writes the facts of a table: those that ended by `upto` apart from the rest, and each schema version apart. What is
    /// current goes on in another segment behind `bytes_max`.
    pub(crate) fn write_table(
        &self,
        place: TableShard,
        chunks: &[Arc<Chunk>],
        upto: i64,
        bytes_max: u64,
        segments: &mut Vec<Arc<Segment>>,
    ) -> Result<()> {
        let mut versions: BTreeMap<u32, Vec<&Chunk>> = BTreeMap::new();
        for chunk in chunks {
            versions.entry(chunk.shape.version).or_default().push(chunk);
        }
        for chunks in versions.values() {
            let known: Vec<Known> = chunks.iter().map(|chunk| chunk.ends.known()).collect();
            let end_of = |(chunk, row): Place| known[chunk as usize].end_of(row as usize);
            let current = sorted_integers(chunks, &|place| end_of(place) > upto).unwrap_or_else(|| {
                let mut sorter = Sorter::default();
                sorter.rows.reserve_exact(chunks.iter().map(|chunk| chunk.run.len).sum());
                for (chunk_idx, chunk) in (0..).zip(chunks) {
                    let places = (0..chunk.run.len as u32).map(|row| (chunk_idx, row));
                    for place in places.filter(|place| end_of(*place) > upto) {
                        sorter.push(place, 0, &chunk.run, &chunk.shape);
                    }
                }
                sorter.sorted()
            });
            let mut history = Sorter::default();
            for (chunk_idx, (chunk, known)) in (0..).zip(chunks.iter().zip(&known)) {
                if matches!(known, Known::Nothing) {
                    continue;
                }
                let places = (0..chunk.run.len as u32).map(|row| (chunk_idx, row));
                for (place, end) in places.map(|place| (place, end_of(place))).filter(|(_, end)| *end <= upto) {
                    history.push(place, end, &chunk.run, &chunk.shape);
                }
            }
            if !current.is_empty() {
                let kind = SegmentKind::Current;
                self.write_sorted(place, chunks, (&current, kind, &end_of), bytes_max, segments)?;
            }
            let history = history.sorted();
            if !history.is_empty() {
                let kind = SegmentKind::History;
                self.write_sorted(place, chunks, (&history, kind, &end_of), bytes_max, segments)?;
            }
        }
        Ok(())
    }

    fn write_sorted(
        &self,
        place: TableShard,
        chunks: &[&Chunk],
        (rows, kind, end_of): (&[Place], SegmentKind, &dyn Fn(Place) -> i64),
        bytes_max: u64,
        segments: &mut Vec<Arc<Segment>>,
    ) -> Result<()> {
        let runs: Vec<&Run> = chunks.iter().map(|chunk| &chunk.run).collect();
        let bytes: usize = runs.iter().map(|run| run.memory_bytes()).sum();
        let all: usize = runs.iter().map(|run| run.len).sum();
        let per_block = block_rows(bytes / all.max(1), self.config.sstable_block_bytes);
        let mut builder = self.builder(&chunks[0].shape, place.shard, 0, kind)?;
        let mut next = 0;
        while next < rows.len() {
            // Never between the facts of a key.
            if kind == SegmentKind::Current
                && builder.bytes() > bytes_max
                && !have_one_key(chunks, rows[next - 1], rows[next])
            {
                let full = std::mem::replace(&mut builder, self.builder(&chunks[0].shape, place.shard, 0, kind)?);
                segments.push(self.open_built(full)?);
            }
            let block = &rows[next..rows.len().min(next + per_block)];
            next += block.len();
            let mut spans = Spans::default();
            block.iter().for_each(|(chunk, row)| spans.push(*chunk as usize, *row as usize..*row as usize + 1));
            let mut run = gather(&runs, &spans);
            if kind == SegmentKind::History {
                run = with_ends(run, block.iter().map(|place| end_of(*place)).collect());
            }
            builder.add(&run)?;
        }
        segments.push(self.open_built(builder)?);
        Ok(())
    }

    /// A new segment of this tree.
    pub(crate) fn builder(&self, shape: &Arc<Shape>, shard: u16, level: u8, kind: SegmentKind) -> Result<Builder> {
        let file = self.next_file.fetch_add(1, Relaxed);
        let bits_per_key = self.config.bloom_bits_per_key;
        let compression = match kind {
            SegmentKind::Current => self.config.compression.level(level),
            SegmentKind::History => self.config.compression.history,
        };
        let new = NewSegment { file, shard, level, kind, bits_per_key, compression };
        Builder::create(&self.disk, self.identity, shape, new)
    }

    /// Ends a new segment and opens it for reading. Its file goes with it until it is published.
    pub(crate) fn open_built(&self, builder: Builder) -> Result<Arc<Segment>> {
        let meta = builder.finish()?;
        let name = segment_name(meta.file);
        match self.open_segment(meta) {
            Ok(segment) => {
                segment.doom(&self.readers);
                Ok(Arc::new(segment))
            }
            Err(error) => {
                self.disk.remove(&name).ok();
                Err(error)
            }
        }
    }

    /// A segment of this tree's disk.
    pub(crate) fn open_segment(&self, meta: SegmentMeta) -> Result<Segment> {
        Segment::open(&self.disk, (&self.cache, &self.catalogs), self.identity, meta, self.config.mapped)
    }

    /// Has the manifest take up a change. New files that it surely does not name are removed.
    pub(crate) fn publish(
        &self,
        change: &Edit,
        new: &[Arc<Segment>],
        edit: &dyn Fn(&Edit) -> Result<()>,
    ) -> Result<()> {
        // First, so that nothing that happens in between takes a file that may be named.
        new.iter().for_each(|segment| segment.keep());
        let published = edit(change);
        // Once writes are refused nobody knows which manifest the next open finds.
        if published.is_err() && self.health.cause().is_none() {
            new.iter().for_each(|segment| segment.doom(&self.readers));
            for notes in &change.add_notes {
                self.disk.remove(&notes_name(notes.file)).ok();
            }
        }
        published
    }
}

/// Where the fact that is a row of a run lies among new current segments of its shard.
pub(crate) fn locate<'s>(
    segments: &'s [Arc<Segment>],
    run: &Run,
    shape: &Shape,
    row: usize,
) -> Result<Option<(&'s Arc<Segment>, u64)>> {
    let mut key = Vec::new();
    encode_row(&run.columns, &shape.key, row, &mut key);
    let probe = Probe::new(&key, &mut shape.key_types());
    let (from, commit) = (i64_at(&run.valid_from, row), i64_at(&run.commit, row));
    let wanted = Wanted::current(ValidScope::At(from));
    for segment in segments.iter().filter(|segment| segment.meta.kind == SegmentKind::Current) {
        let mut place = None;
        let walked = segment.visit(&probe, &wanted, &mut |found| {
            if i64_at(&found.run.valid_from, found.row) == from && i64_at(&found.run.commit, found.row) == commit {
                place = Some(found.block.first_row + found.row as u64);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        debug_assert_eq!(walked.is_break(), place.is_some());
        if let Some(row) = place {
            return Ok(Some((segment, row)));
        }
    }
    Ok(None)
}

/// The memtable that a commit was applied to.
pub(crate) fn memtable_of(version: &Version, commit: Commit) -> &MemTable {
    let frozen = version.frozen.iter().find(|frozen| commit <= frozen.upto.commit);
    frozen.map_or(&version.active, |frozen| &frozen.memtable)
}
