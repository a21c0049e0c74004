//! What does the log say, and where does it end?
//!
//! [`LogScan`] reads records from a known place on. Each frame must be whole, belong to its place, follow the frame
//! before it, and the record's link must come out of its content. Where that fails stands either the torn end of what a
//! crash interrupted, or damage: it is damage when the manifest or any later frame says that the log was durable beyond.
//!
//! Holds: a record is returned whole or not at all, in order, without a gap.
//! Not here: applying records (`store`), zeroing a torn end (`store::recover`).

use crate::{
    archive::open_log,
    bulk::BulkSection,
    catalog::{CatalogChange, Catalogs},
    chain::{BatchShape, GENESIS, catalog_root, commit_root, link},
    error::{Result, StoreError},
    fact::Write,
    format::{
        Identity,
        catalog_v1::decode_change,
        frame::{FRAME_ALIGN, FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader, RecordHead, RecordKind, frame_bytes},
        log_v1::ReadWrite,
        receipt_v1::{decode_receipt, encode_receipt},
    },
    fs::{Disk, File},
    log::{LogEnd, segment_name},
    manifest::KnownEnd,
    salts::Secret,
};
use spectradb_kernel::{
    schema::TableId,
    time::{Commit, Micros},
};
use std::sync::Arc;

/// One record of the ledger.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number; records count from 1 without a gap.
    pub record: u64,
    /// When it was made.
    pub instant: Micros,
    /// What it says.
    pub body: RecordBody,
}

/// What a record says.
#[derive(Clone, Debug)]
pub enum RecordBody {
    /// A commit.
    Commit {
        /// Its number.
        commit: Commit,
        /// The catalogue version it was written under.
        catalog_version: u64,
        /// Its facts, deletions and superseded identities.
        write: Write,
    },
    /// Facts were erased.
    Erasure(Receipt),
    /// A change of the catalogue, or of how long a table's history is kept.
    Catalog {
        /// The version it makes.
        catalog_version: u64,
        /// The change.
        change: CatalogChange,
    },
}

/// That facts were erased: every version of some keys of a table, in both times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The table.
    pub table: TableId,
    /// How many keys were asked for.
    pub keys: u64,
    /// How many facts the tables had of them.
    pub facts: u64,
}

/// A record with its place.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) record: Record,
    /// The log's end if this were the last record.
    pub(crate) end: LogEnd,
    /// What its frames say of it.
    pub(crate) head: RecordHead,
    /// What its leaves are salted from; means nothing where they are not.
    pub(crate) secret: Secret,
    /// The root over its leaves.
    pub(crate) root: [u8; 32],
    /// The files that hold facts of it, which its write does not.
    pub(crate) bulk: Option<BulkSection>,
}

/// Reads records one by one.
#[derive(Debug)]
pub(crate) struct LogScan {
    disk: Arc<dyn Disk>,
    identity: Identity,
    catalogs: Arc<Catalogs>,
    /// Behind the last record read.
    end: LogEnd,
    /// Is the link of the last record known? It is not when a scan begins in the middle.
    knows_link: bool,
    /// The newest segment that may be read.
    last_generation: u64,
    /// Records up to this one must be there.
    known: KnownEnd,
    window: Option<Window>,
}

/// A part of a segment in memory.
#[derive(Debug)]
pub(crate) struct Window {
    generation: u64,
    file: Arc<dyn File>,
    file_bytes: u64,
    start: u64,
    bytes: Vec<u8>,
}

/// Segments are read in pieces of at least this size.
const WINDOW_BYTES: u64 = 256 << 10;

impl Window {
    pub(crate) fn open(disk: &dyn Disk, generation: u64) -> Result<Window> {
        let file = open_log(disk, generation)?;
        let file_bytes = file.len()?;
        Ok(Window { generation, file, file_bytes, start: 0, bytes: Vec::new() })
    }

    /// Some bytes of the segment; `None` when it ends before.
    pub(crate) fn get(&mut self, offset: u64, len: u64) -> Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(len).filter(|end| *end <= self.file_bytes) else { return Ok(None) };
        if offset < self.start || end > self.start + self.bytes.len() as u64 {
            let wanted = len.max(WINDOW_BYTES).min(self.file_bytes - offset);
            self.bytes.clear();
            self.bytes.resize(wanted as usize, 0);
            self.start = offset;
            if let Err(error) = self.file.read_at(&mut self.bytes, offset) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let from = (offset - self.start) as usize;
        Ok(Some(&self.bytes[from..from + len as usize]))
    }
}

/// What stands at a place of the log.
enum Place {
    /// A whole frame of the record that was asked for.
    Frame(Box<FrameHeader>),
    /// Something else: zeroes, a torn frame, damage.
    Other(&'static str),
}

impl LogScan {
    /// A scan that begins behind `end` and may read segments up to `last_generation`. Damage up to `known` is
    /// an error, whatever follows it.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        identity: Identity,
        catalogs: Arc<Catalogs>,
        end: LogEnd,
        last_generation: u64,
        known: KnownEnd,
    ) -> LogScan {
        LogScan { disk, identity, catalogs, end, knows_link: true, last_generation, known, window: None }
    }

    /// A scan that begins with record `from`, which lies in segment `first_generation` or later.
    ///
    /// # Errors
    /// What the disk says; [`StoreError::Corrupt`] for a damaged frame.
    pub(crate) fn starting_at(
        disk: Arc<dyn Disk>,
        identity: Identity,
        catalogs: Arc<Catalogs>,
        from: u64,
        generations: std::ops::RangeInclusive<u64>,
        known: KnownEnd,
    ) -> Result<LogScan> {
        let (first, last) = (*generations.start(), *generations.end());
        // The first record that begins in or before a segment is told by the segment's first frame.
        let mut start = first;
        for generation in first..=last {
            let mut window = Window::open(&*disk, generation)?;
            let header = window.get(0, FRAME_HEADER_BYTES as u64)?.and_then(FrameHeader::read);
            match header {
                Some(header) if header.belongs(&identity, generation, 0) => {
                    let begins = header.record() + u64::from(header.frame_idx() > 0);
                    if begins > from && generation == first && first > 1 {
                        return Err(StoreError::Missing { file: segment_name(first - 1) });
                    }
                    if begins > from {
                        break;
                    }
                    start = generation;
                }
                Some(_) | None => break,
            }
        }
        let end = LogEnd {
            generation: start,
            offset: 0,
            record: from.saturating_sub(1),
            commit: 0,
            instant: Micros::MIN,
            commit_instant: Micros::MIN,
            catalog_version: 0,
            link: GENESIS,
        };
        let mut scan = LogScan::new(disk, identity, catalogs, end, last, known);
        scan.knows_link = false;
        scan.skip_to(from)?;
        Ok(scan)
    }

    /// More may be read now than when the scan began, and what was read ahead may have been written since.
    pub(crate) fn go_on(&mut self, last_generation: u64, known: KnownEnd) {
        (self.last_generation, self.known) = (last_generation, known);
        if let Some(window) = &mut self.window {
            window.bytes.clear();
        }
    }

    /// Goes to a place behind a record whose link is known.
    pub(crate) fn go_to(&mut self, end: LogEnd) {
        (self.end, self.knows_link, self.window) = (end, true, None);
    }

    /// Behind the last record returned.
    pub(crate) fn end(&self) -> &LogEnd {
        &self.end
    }

    /// The next record; `None` at the log's end.
    ///
    /// # Errors
    /// What the disk says; [`StoreError::Corrupt`] for damage; [`StoreError::FormatVersion`] and
    /// [`StoreError::UnknownFeatures`] for a frame of a newer program.
    pub(crate) fn next_record(&mut self) -> Result<Option<Found>> {
        let expected = self.end.record + 1;
        let (mut generation, mut offset) = (self.end.generation, self.end.offset);
        let mut head: Option<RecordHead> = None;
        let mut facts = ReadWrite::default();
        let mut change: Option<CatalogChange> = None;
        let mut receipt: Option<Receipt> = None;
        let mut frame_idx = 0;
        loop {
            let mut place = self.place(generation, offset, expected, frame_idx)?;
            if matches!(place, Place::Other(_)) && offset > 0 && generation < self.last_generation {
                let next = self.place(generation + 1, 0, expected, frame_idx)?;
                if matches!(next, Place::Frame(_)) {
                    (generation, offset, place) = (generation + 1, 0, next);
                }
            }
            let header = match place {
                Place::Frame(header) => header,
                Place::Other(what) => return self.end_or_damage(generation, offset, expected, what),
            };
            let file = segment_name(generation);
            let payload_at = offset + FRAME_HEADER_BYTES as u64;
            let payload = self.window(generation)?.get(payload_at, header.payload_bytes())?;
            let payload = payload.expect("the place was found to hold the whole frame");
            let read = match header.head().kind {
                RecordKind::Commit => facts.add(payload),
                RecordKind::Catalog | RecordKind::Retention => decode_change(payload).map(|read| change = Some(read)),
                RecordKind::Erasure => decode_receipt(payload).map(|read| receipt = Some(read)),
            };
            read.map_err(|malformed| malformed.in_file(&file, payload_at))?;
            let begun = *head.get_or_insert(header.head());
            offset += frame_bytes(header.payload_bytes());
            frame_idx += 1;
            let Some(recorded) = header.link() else { continue };
            let Some(root) = self.root(&facts, change.as_ref(), receipt.as_ref()) else {
                let what = "the record's table is not in the catalogue".to_owned();
                return Err(StoreError::Corrupt { file, offset: payload_at, what });
            };
            if link(self.identity.database, &begun, &root) != recorded {
                let what = "the record's content does not hash to its link";
                return self.end_or_damage(self.end.generation, self.end.offset, expected, what);
            }
            self.end = LogEnd {
                generation,
                offset,
                record: begun.record,
                commit: begun.commit,
                instant: begun.instant,
                commit_instant: match begun.kind {
                    RecordKind::Commit => begun.instant,
                    RecordKind::Catalog | RecordKind::Retention | RecordKind::Erasure => self.end.commit_instant,
                },
                catalog_version: begun.catalog_version,
                link: recorded,
            };
            self.knows_link = true;
            let catalog_version = begun.catalog_version;
            let (secret, bulk) = (facts.secret, facts.bulk);
            let body = match (change, receipt) {
                (Some(change), _) => RecordBody::Catalog { catalog_version, change },
                (None, Some(receipt)) => RecordBody::Erasure(receipt),
                (None, None) => RecordBody::Commit { commit: begun.commit, catalog_version, write: facts.write },
            };
            let record = Record { record: begun.record, instant: begun.instant, body };
            return Ok(Some(Found { record, end: self.end, head: begun, secret, root, bulk }));
        }
    }

    /// Goes to the start of a record in the segment the scan stands in, without reading the payloads before it.
    fn skip_to(&mut self, from: u64) -> Result<()> {
        loop {
            let (generation, offset) = (self.end.generation, self.end.offset);
            let header = self.window(generation)?.get(offset, FRAME_HEADER_BYTES as u64)?.and_then(FrameHeader::read);
            match header {
                Some(header) if header.belongs(&self.identity, generation, offset) && header.record() < from => {
                    self.end.offset += frame_bytes(header.payload_bytes());
                }
                Some(_) | None => return Ok(()),
            }
        }
    }

    fn window(&mut self, generation: u64) -> Result<&mut Window> {
        let kept = self.window.take().filter(|window| window.generation == generation);
        let window = match kept {
            Some(window) => window,
            None => Window::open(&*self.disk, generation)?,
        };
        Ok(self.window.insert(window))
    }

    /// Is the frame that was asked for at a place?
    fn place(&mut self, generation: u64, offset: u64, record: u64, frame_idx: u32) -> Result<Place> {
        let identity = self.identity;
        let (previous, knows_link) = (self.end.link, self.knows_link);
        let window = self.window(generation)?;
        let Some(bytes) = window.get(offset, FRAME_HEADER_BYTES as u64)? else {
            return Ok(Place::Other("the segment ends where a frame should begin"));
        };
        let Some(header) = FrameHeader::read(bytes) else {
            return Ok(Place::Other("there is no whole frame header"));
        };
        if !header.belongs(&identity, generation, offset) {
            return Ok(Place::Other("the frame was written for another place"));
        }
        header.check_version(&segment_name(generation))?;
        if header.record() != record || header.frame_idx() != frame_idx {
            return Ok(Place::Other("the frame is not the one that follows"));
        }
        if knows_link && header.head().previous != previous {
            return Ok(Place::Other("the frame does not follow the record before it"));
        }
        match window.get(offset + FRAME_HEADER_BYTES as u64, header.payload_bytes())? {
            Some(payload) if header.fits(payload) => Ok(Place::Frame(Box::new(header))),
            Some(_) => Ok(Place::Other("the frame's checksum does not match")),
            None => Ok(Place::Other("the segment ends within a frame")),
        }
    }

    fn root(&self, facts: &ReadWrite, change: Option<&CatalogChange>, receipt: Option<&Receipt>) -> Option<[u8; 32]> {
        if let Some(receipt) = receipt {
            return Some(catalog_root(&encode_receipt(receipt)));
        }
        if let Some(change) = change {
            return Some(catalog_root(&crate::format::catalog_v1::encode_change(change)));
        }
        if let Some(bulk) = &facts.bulk {
            // Whoever needs the facts finds them in the tables and holds them against this.
            return Some(bulk.root);
        }
        let shape = |(batch, ids): (&crate::fact::FactBatch, &Vec<_>)| {
            let schema = self.catalogs.schema_at(batch.table, batch.schema_version)?;
            let fits = ids.iter().eq(schema.columns.iter().map(|column| &column.id));
            let pairs = || batch.columns.iter().zip(&schema.columns);
            let fits = fits
                && pairs().all(|(stated, column)| {
                    stated.as_const().is_some_and(|value| value.is_null())
                        || stated.ty().lane() == column.ty.plain().lane()
                });
            fits.then(|| BatchShape { key: schema.key.clone(), ids: ids.clone() })
        };
        let shapes = facts.write.facts.iter().zip(&facts.column_ids).map(shape).collect::<Option<Vec<_>>>()?;
        Some(commit_root(&facts.write, &shapes, &facts.secret))
    }

    /// The record that was expected is not whole: is that the end of the log or damage?
    fn end_or_damage(
        &mut self,
        generation: u64,
        offset: u64,
        expected: u64,
        what: &'static str,
    ) -> Result<Option<Found>> {
        if expected <= self.known.record || self.is_durable_later(generation, offset, expected)? {
            let (generation, offset) = match self.is_next_to_blame(generation, offset, expected)? {
                true => (generation + 1, 0),
                false => (generation, offset),
            };
            return Err(StoreError::Corrupt { file: segment_name(generation), offset, what: what.to_owned() });
        }
        Ok(None)
    }

    /// Nothing stands at a place or behind it in its segment, and something unreadable begins the next one: then the
    /// frame that is missing was there.
    fn is_next_to_blame(&mut self, generation: u64, offset: u64, expected: u64) -> Result<bool> {
        if generation >= self.last_generation {
            return Ok(false);
        }
        let window = self.window(generation)?;
        let mut at = offset;
        while at < window.file_bytes {
            let len = (window.file_bytes - at).min(WINDOW_BYTES);
            if window.get(at, len)?.unwrap_or_default().iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += len;
        }
        let (identity, known_generation) = (self.identity, self.known.generation);
        let begins = self.window(generation + 1)?.get(0, FRAME_HEADER_BYTES as u64)?.unwrap_or_default();
        let is_used = begins.iter().any(|byte| *byte != 0) || generation < known_generation;
        let is_it = |header: FrameHeader| header.is_foreign(&identity) || header.record() == expected;
        Ok(is_used && FrameHeader::read(begins).is_none_or(is_it))
    }

    /// Does a frame behind a place say that the log was durable up to a record?
    fn is_durable_later(&mut self, generation: u64, offset: u64, record: u64) -> Result<bool> {
        let mut offset = offset + FRAME_ALIGN;
        for generation in generation..=self.last_generation {
            let identity = self.identity;
            let window = self.window(generation)?;
            while offset + FRAME_HEADER_BYTES as u64 <= window.file_bytes {
                let bytes = window.get(offset, FRAME_HEADER_BYTES as u64)?.unwrap_or_default();
                if bytes.starts_with(&FRAME_MAGIC)
                    && let Some(header) = FrameHeader::read(bytes)
                    && header.belongs(&identity, generation, offset)
                    && header.durable_through() >= record
                {
                    return Ok(true);
                }
                offset += FRAME_ALIGN;
            }
            offset = 0;
        }
        Ok(false)
    }
}
