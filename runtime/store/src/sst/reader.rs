//! How is a segment read?
//!
//! In place: the file is mapped, and a block's columns are slices of the map. A block that is packed is unpacked into memory
//! first, and where the settings say so parts are read into memory instead of mapped. Nothing is trusted before its checksum,
//! its structure and its meaning were checked, and nothing is checked twice: header and footer when the file is opened,
//! index and filter when the first reader needs them, each block when the first reader touches it. What passed is kept
//! as columns, as far as the budget goes, and costs the next reader nothing.
//!
//! Holds: any damage is [`StoreError::Corrupt`] with file and offset for the reader who touches it, and stays one.
//! Not here: which segments a reader asks (`tree`), the walk over blocks (`scan`).

use super::{
    block::decode,
    cache::{BlockCache, Kept, Slot},
    directory::Directory,
    filter::Filter,
    stats::Zone,
};
use crate::{
    bulk::OF_THE_RECORD,
    catalog::Catalogs,
    error::{Result, StoreError},
    format::{
        Identity,
        header::{FILE_HEADER_BYTES, FileHeader},
        sst_v1::{
            ArchivedIndexV1, ENVELOPE_BYTES, Envelope, FOOTER_BYTES, FOOTER_MAGIC, Footer, MAGIC, PartRef, VERSION,
            codec, part, type_from_v1,
        },
    },
    fs::{Disk, File},
    keys::{AskedKeys, Probe, hash_of, partition_point},
    log::held,
    notes::Ends,
    pack::{buffer, unpack},
    readers::Readers,
    remembered::Memory,
    run::{Bounds, Run, constant_integer, i64_at, lane_of_commit},
    shape::Shape,
    tree::{SegmentKind, SegmentMeta, segment_name},
    visible::Wanted,
};
use bytes::Bytes;
use rkyv::rancor;
use spectradb_kernel::{key::i64_from_bytes, lane::Lane, schema::ColumnId, time::Commit, ty::LaneKind};
use std::{
    ops::{ControlFlow, Range},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};
use zerocopy::{FromBytes, IntoBytes};

/// A segment of the tree.
#[derive(Debug)]
pub(crate) struct Segment {
    /// What the manifest says of it, but for its level.
    pub(crate) meta: SegmentMeta,
    name: String,
    cache: Arc<BlockCache>,
    /// Where its table is described.
    catalogs: Arc<Catalogs>,
    content: Content,
    footer: Footer,
    bounds: Bounds,
    index: OnceLock<Index>,
    filter: OnceLock<Filter>,
    directory: OnceLock<Directory>,
    noted: AtomicU64,
    /// How many bytes of memory it keeps beside its blocks: counted in the cache.
    kept: AtomicUsize,
    /// Who gives its file up when the last reader here lets go of it.
    doomed: Mutex<Option<Arc<Readers>>>,
}

/// Where the file's bytes come from.
#[derive(Debug)]
enum Content {
    Mapped(Bytes),
    Read(Arc<dyn File>),
}

impl Content {
    fn bytes(&self, range: Range<usize>) -> Result<Bytes> {
        match self {
            Content::Mapped(map) => Ok(map.slice(range)),
            Content::Read(file) => {
                let mut bytes = buffer(range.len());
                file.read_at(&mut bytes, range.start as u64)?;
                Ok(Bytes::from_owner(bytes))
            }
        }
    }
}

/// The index of a segment, checked.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) shape: Arc<Shape>,
    pub(crate) blocks: Vec<Block>,
    /// The numbers of the blocks' first rows, and the blocks' last ends: what look-ups search, side by side.
    first_rows: Vec<u64>,
    last_ends: Vec<i64>,
    /// The first and last keys of the blocks, for keys of one integer.
    integers: Option<Vec<(i64, i64)>>,
}

/// A block as the index knows it, and its facts once somebody touched it.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) rows: u32,
    pub(crate) first_row: u64,
    pub(crate) key_min: Box<[u8]>,
    pub(crate) key_max: Box<[u8]>,
    pub(crate) bounds: Bounds,
    pub(crate) zones: Vec<Zone>,
    /// The ends noted since it was written.
    pub(crate) ends: Ends,
    place: PartRef,
    slot: Arc<Slot>,
}

/// A fact of a segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockRow<'a> {
    pub(crate) shape: &'a Arc<Shape>,
    pub(crate) block: &'a Block,
    pub(crate) run: &'a Run,
    pub(crate) row: usize,
}

impl Block {
    /// About how many bytes of memory it takes while its facts are not there.
    fn bytes_beside_the_facts(&self) -> usize {
        let zones = self.zones.len() * size_of::<Zone>();
        size_of::<Block>()
            + size_of::<Slot>()
            + size_of::<(u64, i64)>()
            + self.key_min.len()
            + self.key_max.len()
            + zones
    }

    /// Where in the file it begins.
    pub(super) fn offset(&self) -> u64 {
        self.place.offset.get()
    }

    /// How many bytes of the file it takes.
    pub(crate) fn stored_bytes(&self) -> u64 {
        self.place.bytes.get()
    }

    /// Where the rows that the present shows are remembered.
    pub(crate) fn memory(&self) -> &dyn Memory {
        &*self.slot
    }

    /// Are its facts in memory, checked?
    pub(crate) fn is_kept(&self) -> bool {
        self.slot.is_filled()
    }
}

impl BlockRow<'_> {
    /// Its end: the noted one, or its own.
    pub(crate) fn end(&self) -> i64 {
        self.block.ends.end_of(self.row).min(i64_at(&self.run.system_to, self.row))
    }
}

impl Content {
    /// The same content once more.
    fn share(&self) -> Content {
        match self {
            Content::Mapped(map) => Content::Mapped(map.clone()),
            Content::Read(file) => Content::Read(file.clone()),
        }
    }
}

impl Segment {
    /// The segment of a file, mapped or to be read part by part. Header and footer are checked.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Corrupt`] when the file is not what the manifest says, [`StoreError::Io`].
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        (cache, catalogs): (&Arc<BlockCache>, &Arc<Catalogs>),
        identity: Identity,
        meta: SegmentMeta,
        mapped: bool,
    ) -> Result<Segment> {
        let name = segment_name(meta.file);
        let (content, len) = if mapped {
            let map = disk.map(&name)?;
            let len = map.len() as u64;
            (Content::Mapped(map), len)
        } else {
            let file = disk.open(&name)?;
            let len = file.len()?;
            (Content::Read(file), len)
        };
        let corrupt =
            |offset: u64, what: &str| StoreError::Corrupt { file: name.clone(), offset, what: what.to_owned() };
        if len != meta.bytes || len < (FILE_HEADER_BYTES + FOOTER_BYTES) as u64 {
            let what = format!("the file has {len} bytes and should have {}", meta.bytes);
            return Err(corrupt(len, &what));
        }
        let len = len as usize;
        let header = FileHeader::read_from_bytes(&content.bytes(0..FILE_HEADER_BYTES)?)
            .map_err(|_| corrupt(len as u64, "the file ends within its header"))?;
        header.check(&name, len as u64, MAGIC, VERSION)?;
        if header.identity().database != identity.database {
            return Err(corrupt(0, "the file belongs to another database"));
        }
        let footer_at = len - FOOTER_BYTES;
        let footer = Footer::read_from_bytes(&content.bytes(footer_at..len)?)
            .map_err(|_| corrupt(footer_at as u64, "the file ends within its footer"))?;
        if footer.magic != FOOTER_MAGIC || crc32fast::hash(&footer.as_bytes()[4..]) != footer.crc.get() {
            return Err(corrupt(footer_at as u64, "the footer's checksum does not match"));
        }
        let kind = match meta.kind {
            SegmentKind::Current => 1,
            SegmentKind::History => 2,
        };
        let same = footer.root == meta.root
            && footer.rows.get() == meta.rows
            && footer.table.get() == meta.table.0
            && footer.file.get() == meta.file
            && footer.kind == kind;
        if !same {
            return Err(corrupt(footer_at as u64, "the footer describes another file than the manifest"));
        }
        let bounds = Bounds {
            commit_min: lane_of_commit(meta.commit_min),
            commit_max: lane_of_commit(meta.commit_max),
            // Only the index knows the other ends of these; nobody asks the file for them.
            end_min: 0,
            end_max: lane_of_commit(meta.system_to_max),
            from_min: meta.valid_from_min,
            from_max: i64::MAX,
            to_min: i64::MIN,
            to_max: meta.valid_to_max,
        };
        Ok(Segment {
            meta,
            name,
            cache: cache.clone(),
            catalogs: catalogs.clone(),
            content,
            footer,
            bounds,
            index: OnceLock::new(),
            filter: OnceLock::new(),
            directory: OnceLock::new(),
            noted: AtomicU64::new(0),
            kept: AtomicUsize::new(0),
            doomed: Mutex::default(),
        })
    }

    /// The same segment under the number of its commit, which it did not have when it was written. Nothing of it was read.
    pub(crate) fn numbered(&self, commit: Commit) -> Segment {
        let lane = lane_of_commit(commit);
        Segment {
            meta: SegmentMeta { commit_min: commit, commit_max: commit, ..self.meta.clone() },
            name: self.name.clone(),
            cache: self.cache.clone(),
            catalogs: self.catalogs.clone(),
            content: self.content.share(),
            footer: self.footer,
            bounds: Bounds { commit_min: lane, commit_max: lane, ..self.bounds },
            index: OnceLock::new(),
            filter: OnceLock::new(),
            directory: OnceLock::new(),
            noted: AtomicU64::new(0),
            kept: AtomicUsize::new(0),
            doomed: Mutex::default(),
        }
    }

    /// The least and greatest commit of a block: that of the record where the block was written before it had a number.
    fn commits_of(&self, least: i64, greatest: i64) -> (i64, i64) {
        let unnumbered = lane_of_commit(OF_THE_RECORD);
        match (least, greatest) == (unnumbered, unnumbered) {
            true => (self.bounds.commit_min, self.bounds.commit_max),
            false => (least, greatest),
        }
    }

    pub(super) fn corrupt(&self, offset: u64, what: &str) -> StoreError {
        StoreError::Corrupt { file: self.name.clone(), offset, what: what.to_owned() }
    }

    /// Some bytes of the file.
    pub(super) fn bytes(&self, range: Range<usize>) -> Result<Bytes> {
        self.content.bytes(range)
    }

    /// Does the manifest say this of its facts?
    pub(super) fn claims(&self, bounds: Bounds) -> bool {
        let claimed = &self.bounds;
        (claimed.commit_min, claimed.commit_max, claimed.end_max, claimed.from_min, claimed.to_max)
            == (bounds.commit_min, bounds.commit_max, bounds.end_max, bounds.from_min, bounds.to_max)
    }

    /// Where a part lies in the file.
    fn range_of(&self, place: &PartRef) -> Result<Range<usize>> {
        let (offset, bytes) = (place.offset.get(), place.bytes.get());
        let end = offset.checked_add(ENVELOPE_BYTES as u64).and_then(|start| start.checked_add(bytes));
        let whole = end.is_some_and(|end| end <= self.meta.bytes - FOOTER_BYTES as u64);
        if !whole || !offset.is_multiple_of(ENVELOPE_BYTES as u64) {
            return Err(self.corrupt(offset, "a part lies outside the file"));
        }
        let start = offset as usize;
        Ok(start..start + ENVELOPE_BYTES + bytes as usize)
    }

    /// The payload of a part whose checksum holds, unpacked; and how much of it is in memory of its own. Its bytes are those
    /// that were read before, if they were.
    fn part(&self, place: &PartRef, kind: u8, fetched: Option<Bytes>) -> Result<(Bytes, usize)> {
        let (offset, bytes) = (place.offset.get(), place.bytes.get());
        let range = self.range_of(place)?;
        let part = match fetched {
            Some(part) if part.len() == range.len() => part,
            Some(_) | None => self.content.bytes(range)?,
        };
        let payload = part.slice(ENVELOPE_BYTES..);
        let envelope = Envelope::read_from_bytes(&part[..ENVELOPE_BYTES])
            .map_err(|_| self.corrupt(offset, "a part lies outside the file"))?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&envelope.as_bytes()[4..]);
        crc.update(&payload);
        if crc.finalize() != envelope.crc.get() || envelope.crc != place.crc {
            return Err(self.corrupt(offset, "a part's checksum does not match"));
        }
        if envelope.kind != kind || envelope.bytes.get() != bytes {
            return Err(self.corrupt(offset, "a part is not what points to it"));
        }
        if envelope.key_id.get() != 0 {
            return Err(self.corrupt(offset, "a part is encrypted with a key that this program does not have"));
        }
        let raw =
            unpack(payload, envelope.codec, envelope.raw_bytes.get()).map_err(|what| self.corrupt(offset, what))?;
        let own = match self.content {
            Content::Mapped(_) if envelope.codec == codec::PLAIN => 0,
            Content::Mapped(_) | Content::Read(_) => raw.len(),
        };
        Ok((raw, own))
    }

    /// The index.
    pub(crate) fn index(&self) -> Result<&Index> {
        match self.index.get() {
            Some(index) => Ok(index),
            None => {
                let index = self.read_index()?;
                let bytes = index.blocks.iter().map(Block::bytes_beside_the_facts).sum();
                Ok(self.keep_in(&self.index, index, bytes))
            }
        }
    }

    /// Keeps something for as long as the segment lives, and counts the memory that it takes.
    fn keep_in<'s, T>(&'s self, place: &'s OnceLock<T>, made: T, bytes: usize) -> &'s T {
        if place.set(made).is_ok() {
            self.kept.fetch_add(bytes, Relaxed);
            self.cache.segment_keeps(bytes);
        }
        place.get().expect("it was set, here or by another thread")
    }

    fn read_index(&self) -> Result<Index> {
        let at = self.footer.index.offset.get();
        let (payload, _) = self.part(&self.footer.index, part::INDEX, None)?;
        let bad = |what: &str| self.corrupt(at, what);
        let index = rkyv::access::<ArchivedIndexV1, rancor::Error>(&payload)
            .map_err(|_| bad("the index's archive is damaged"))?;
        let mut columns = Vec::with_capacity(index.columns.len());
        for column in index.columns.iter() {
            let ty = type_from_v1(column.ty, column.precision, column.scale);
            columns.push((ColumnId(column.id.to_native()), ty.ok_or_else(|| bad("a column has no known type"))?));
        }
        let key: Vec<usize> = index.key.iter().map(|column_idx| column_idx.to_native() as usize).collect();
        if key.is_empty() || key.iter().any(|column_idx| *column_idx >= columns.len()) {
            return Err(bad("the key names no column"));
        }
        let shape = Shape { table: self.meta.table, version: index.schema_version.to_native(), columns, key };
        let schema = self.catalogs.schema_at(shape.table, shape.version);
        if schema.or_else(|| self.catalogs.schema(shape.table)).is_some_and(|schema| !shape.fits(&schema)) {
            return Err(bad("its columns are not those that the catalogue says"));
        }
        let mut blocks = Vec::with_capacity(index.blocks.len());
        let mut rows = 0;
        for block in index.blocks.iter() {
            if block.first_row.to_native() != rows || block.zones.len() != shape.columns.len() || block.rows == 0 {
                return Err(bad("the index's blocks do not follow each other"));
            }
            rows += u64::from(block.rows.to_native());
            let (commit_min, commit_max) = self.commits_of(block.commit_min.to_native(), block.commit_max.to_native());
            blocks.push(Block {
                rows: block.rows.to_native(),
                first_row: block.first_row.to_native(),
                key_min: block.key_min.as_slice().into(),
                key_max: block.key_max.as_slice().into(),
                bounds: Bounds {
                    commit_min,
                    commit_max,
                    end_min: block.end_min.to_native(),
                    end_max: block.end_max.to_native(),
                    from_min: block.from_min.to_native(),
                    from_max: block.from_max.to_native(),
                    to_min: block.to_min.to_native(),
                    to_max: block.to_max.to_native(),
                },
                zones: block.zones.iter().map(Zone::from_v1).collect(),
                ends: Ends::default(),
                place: PartRef {
                    offset: block.offset.to_native().into(),
                    bytes: block.bytes.to_native().into(),
                    crc: block.crc.to_native().into(),
                },
                slot: self.cache.slot(),
            });
        }
        if rows != self.meta.rows {
            return Err(bad("the index has other rows than the footer"));
        }
        let one_integer = shape.key_types().len() == 1 && shape.key_types().all(|ty| ty.lane() == LaneKind::I64);
        let integer = |key: &[u8]| key.try_into().ok().map(i64_from_bytes);
        let ends = |block: &Block| Some((integer(&block.key_min)?, integer(&block.key_max)?));
        let integers = if one_integer { blocks.iter().map(ends).collect() } else { None };
        let first_rows = blocks.iter().map(|block| block.first_row).collect();
        let last_ends = blocks.iter().map(|block| block.bounds.end_max).collect();
        Ok(Index { shape: Arc::new(shape), blocks, first_rows, last_ends, integers })
    }

    /// The payloads of all blocks, unpacked.
    #[cfg(test)]
    pub(crate) fn unpacked(&self) -> Result<Vec<Bytes>> {
        let index = self.index()?;
        index.blocks.iter().map(|block| Ok(self.part(&block.place, part::BLOCK, None)?.0)).collect()
    }

    /// How many blocks are worth asking the disk for at once?
    pub(crate) fn reads_at_once(&self) -> usize {
        match &self.content {
            Content::Mapped(_) => 1,
            Content::Read(file) => file.reads_at_once(),
        }
    }

    /// The bytes of some blocks, read at once and not checked yet: for [`Segment::run_of`].
    pub(crate) fn fetch(&self, blocks: &[&Block]) -> Result<Vec<Bytes>> {
        let ranges = blocks.iter().map(|block| self.range_of(&block.place)).collect::<Result<Vec<_>>>()?;
        match &self.content {
            Content::Mapped(map) => Ok(ranges.into_iter().map(|range| map.slice(range)).collect()),
            Content::Read(file) => {
                let ranges: Vec<_> = ranges.iter().map(|range| range.start as u64..range.end as u64).collect();
                file.read_many(&ranges)
            }
        }
    }

    /// The facts of a block.
    pub(crate) fn run(&self, block: &Block) -> Result<Kept> {
        self.run_of(block, None)
    }

    /// The facts of a block whose bytes may have been fetched.
    pub(crate) fn run_of(&self, block: &Block, fetched: Option<Bytes>) -> Result<Kept> {
        block.slot.get(|| {
            let index = self.index()?;
            let (payload, own) = self.part(&block.place, part::BLOCK, fetched)?;
            let at = block.place.offset.get();
            let mut run = decode(&payload, &index.shape).map_err(|what| self.corrupt(at, what))?;
            let (commit_min, commit_max) = self.commits_of(run.bounds.commit_min, run.bounds.commit_max);
            if commit_min != run.bounds.commit_min {
                run.commit = constant_integer(commit_min, run.len);
                run.bounds = Bounds { commit_min, commit_max, ..run.bounds };
            }
            if run.len != block.rows as usize || run.bounds != block.bounds {
                return Err(self.corrupt(at, "a block is not what the index says"));
            }
            if self.meta.kind == SegmentKind::History {
                run.note_parts();
            }
            Ok(Run { own_bytes: own, ..run })
        })
    }

    pub(super) fn filter(&self) -> Result<&Filter> {
        match self.filter.get() {
            Some(filter) => Ok(filter),
            None if self.footer.filter.offset.get() == 0 => Ok(self.filter.get_or_init(Filter::all)),
            None => {
                let (payload, own) = self.part(&self.footer.filter, part::FILTER, None)?;
                let filter = Lane::from_bytes(payload).ok().and_then(Filter::over);
                let bad = || self.corrupt(self.footer.filter.offset.get(), "the filter is not whole");
                let filter = filter.ok_or_else(bad)?;
                Ok(self.keep_in(&self.filter, filter, own))
            }
        }
    }

    pub(super) fn directory(&self) -> Result<&Directory> {
        match self.directory.get() {
            Some(directory) => Ok(directory),
            None => {
                let (payload, own) = self.part(&self.footer.directory, part::DIRECTORY, None)?;
                let bad = |what| self.corrupt(self.footer.directory.offset.get(), what);
                let directory = Directory::read(&payload, self.meta.rows).map_err(bad)?;
                Ok(self.keep_in(&self.directory, directory, own))
            }
        }
    }

    /// Can a key of it begin with some bytes: the data of some of its first columns, but not of all?
    pub(crate) fn may_hold_prefix(&self, prefix: &[u8]) -> Result<bool> {
        Ok(self.filter()?.may_hold(hash_of(prefix)))
    }

    /// Can it hold facts of a key?
    ///
    /// # Errors
    /// What reading the filter gives.
    pub(crate) fn may_hold(&self, key: &[u8]) -> Result<bool> {
        self.may_hold_hashed(key, hash_of(key))
    }

    /// Notes which of some keys it can hold facts of.
    ///
    /// # Errors
    /// What reading the filter gives.
    pub(crate) fn note_held(&self, keys: &mut AskedKeys<'_>) -> Result<()> {
        keys.note(&mut |key, hash| self.may_hold_hashed(key, hash))
    }

    /// Can it hold facts of a key of this hash?
    ///
    /// # Errors
    /// What reading the filter gives.
    pub(crate) fn may_hold_hashed(&self, key: &[u8], hash: u64) -> Result<bool> {
        Ok(self.spans(key) && self.filter()?.may_hold(hash))
    }

    /// Does a key lie between its first and its last?
    fn spans(&self, key: &[u8]) -> bool {
        self.meta.key_min.as_slice() <= key && key <= self.meta.key_max.as_slice()
    }

    /// Can it hold a wanted fact, as far as the manifest knows?
    pub(crate) fn meets(&self, wanted: &Wanted) -> bool {
        wanted.meets(&self.bounds)
    }

    /// Visits the wanted facts of a key.
    pub(crate) fn visit(
        &self,
        probe: &Probe<'_>,
        wanted: &Wanted,
        found: &mut dyn FnMut(BlockRow<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        if !self.spans(probe.bytes) || !self.meets(wanted) {
            return Ok(ControlFlow::Continue(()));
        }
        match self.meta.kind {
            SegmentKind::Current => self.visit_current(probe, wanted, found),
            SegmentKind::History => self.visit_history(probe, wanted, found),
        }
    }

    fn visit_current(
        &self,
        probe: &Probe<'_>,
        wanted: &Wanted,
        found: &mut dyn FnMut(BlockRow<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let index = self.index()?;
        // The index is at hand where the filter is a walk through memory: the filter is asked when the index says maybe,
        // and not at all where a block holds every integer between its first and its last.
        let (first, sure) = match (&index.integers, probe.integer()) {
            (Some(ends), Some(key)) => {
                let first = ends.partition_point(|(_, last)| *last < key);
                let Some((low, high)) = ends.get(first).filter(|(low, _)| *low <= key) else {
                    return Ok(ControlFlow::Continue(()));
                };
                // A block has a row, so the rows less one are a number; the distance and one more need not be.
                (first, high.abs_diff(*low) == u64::from(index.blocks[first].rows) - 1)
            }
            _ => (index.blocks.partition_point(|block| block.key_max.as_ref() < probe.bytes), false),
        };
        if !sure && !self.filter()?.may_hold(probe.hash) {
            return Ok(ControlFlow::Continue(()));
        }
        for block in &index.blocks[first..] {
            if block.key_min.as_ref() > probe.bytes {
                break;
            }
            if !wanted.meets(&block.bounds) {
                continue;
            }
            let run = self.run(block)?;
            let walked =
                probe.visit_sorted(&run, &index.shape.key, wanted, &|row| block.ends.end_of(row), &mut |row| {
                    found(BlockRow { shape: &index.shape, block, run: &run, row })
                });
            if walked.is_break() {
                return Ok(walked);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn visit_history(
        &self,
        probe: &Probe<'_>,
        wanted: &Wanted,
        found: &mut dyn FnMut(BlockRow<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let index = self.index()?;
        let directory = self.directory()?;
        // Numbers are found as fast as the filter says maybe.
        if !directory.has_numbers() && !self.filter()?.may_hold(probe.hash) {
            return Ok(ControlFlow::Continue(()));
        }
        let Some(mut places) = directory.places_of(probe) else { return Ok(ControlFlow::Continue(())) };
        // Blocks and a key's rows are in the order of ends: what ended too early comes first.
        let first_block = index.last_ends.partition_point(|end| *end <= wanted.end_above);
        let Some(block) = index.blocks.get(first_block) else { return Ok(ControlFlow::Continue(())) };
        let start = places.start;
        places.start += partition_point(places.len(), |place| directory.row(start + place) < block.first_row);
        let (start, behind) = (places.start, block.first_row + u64::from(block.rows));
        if block.bounds.end_min <= wanted.end_above && !places.is_empty() && directory.row(start) < behind {
            let run = self.run(block)?;
            let too_early = |row: u64| i64_at(&run.system_to, (row - block.first_row) as usize) <= wanted.end_above;
            places.start += partition_point(places.len(), |place| {
                let row = directory.row(start + place);
                row < behind && too_early(row)
            });
        }
        for place in places {
            let (block, row) = self.place(directory.row(place))?;
            if !wanted.meets_valid(&block.bounds) {
                continue;
            }
            let run = self.run(block)?;
            if !wanted.holds_valid(&run, row) {
                continue;
            }
            if wanted.holds_commit(&run, row) {
                let walked = found(BlockRow { shape: &index.shape, block, run: &run, row });
                if walked.is_break() {
                    return Ok(walked);
                }
            }
            // Facts that hold an instant follow each other in system time: those that end later begin later.
            if wanted.is_point() {
                break;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// The block of a row of the file, and the row in it.
    pub(crate) fn place(&self, row: u64) -> Result<(&Block, usize)> {
        let Index { blocks, first_rows, .. } = self.index()?;
        let block_idx = first_rows.partition_point(|first_row| *first_row <= row).checked_sub(1);
        match block_idx.map(|block_idx| &blocks[block_idx]) {
            Some(block) if row - block.first_row < u64::from(block.rows) => {
                Ok((block, (row - block.first_row) as usize))
            }
            _ => Err(self.corrupt(0, "a note or a directory names a row that the file does not have")),
        }
    }

    /// Notes the end of a row.
    pub(crate) fn note(&self, row: u64, end: i64) -> Result<()> {
        let (block, row) = self.place(row)?;
        block.ends.note(row as u32, end, block.rows as usize);
        self.noted.fetch_add(1, Relaxed);
        Ok(())
    }

    /// How many ends are noted.
    pub(crate) fn noted(&self) -> u64 {
        self.noted.load(Relaxed)
    }

    /// Every noted row of the file with its end.
    pub(crate) fn notes(&self) -> Vec<(u64, i64)> {
        let Some(index) = self.index.get() else { return Vec::new() };
        let noted = |block: &Block| {
            let first_row = block.first_row;
            block.ends.known().noted().into_iter().map(move |(row, end)| (first_row + u64::from(row), end))
        };
        index.blocks.iter().flat_map(noted).collect()
    }

    /// Gives the file up when the last reader here lets go of it.
    pub(crate) fn doom(&self, readers: &Arc<Readers>) {
        *held(&self.doomed) = Some(readers.clone());
    }

    /// Leaves the file where it is: the manifest names it, or may do so.
    pub(crate) fn keep(&self) {
        *held(&self.doomed) = None;
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.cache.segment_kept(self.kept.load(Relaxed));
        if let Some(readers) = held(&self.doomed).take() {
            readers.give_up(std::mem::take(&mut self.name));
        }
    }
}
