//! How does a frame of the log begin?
//!
//! With 256 bytes that say, under a checksum of their own: which database, timeline, opening, segment and place they
//! were written for, which record the frame belongs to and whether it ends it, what the record before hashed to, how
//! long the payload is and its checksum, and up to which record the log was durable when the frame was written. A header
//! of zeroes is none. Frames begin at multiples of 64 bytes, so that what follows a damaged one can be found.
//!
//! Not here: payloads (`log_v1`), where frames go (`log`), which damage means what (`replay`).

use super::{
    Identity,
    header::{HASH_SUITE_BLAKE3, check_features, check_version},
};
use crate::error::{Result, StoreError};
use spectradb_kernel::time::{Commit, Micros};
use zerocopy::{
    FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{I64, U16, U32, U64},
};

/// How many bytes a [`FrameHeader`] takes.
pub(crate) const FRAME_HEADER_BYTES: usize = 256;

/// Frames begin at multiples of so many bytes.
pub(crate) const FRAME_ALIGN: u64 = 64;

/// The version of frames and payloads that this program writes.
pub(crate) const LOG_VERSION: u16 = 1;

/// What every frame begins with.
pub(crate) const FRAME_MAGIC: [u8; 4] = *b"SpLg";

/// The first frame of its record.
const PART_FIRST: u8 = 1;
/// The last frame of its record: with it the record counts.
const PART_LAST: u8 = 2;

/// The first 256 bytes of a frame.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FrameHeader {
    magic: [u8; 4],
    /// CRC-32 of what follows in the header.
    header_crc: U32,
    format_version: U16,
    header_bytes: U16,
    compatible: U32,
    read_only_compatible: U32,
    incompatible: U32,
    database: [u8; 16],
    timeline: U32,
    kind: u8,
    part: u8,
    hash_suite: u8,
    /// How the payload is packed: 0 as it is.
    codec: u8,
    epoch: U64,
    generation: U64,
    /// Where in its segment the frame stands.
    offset: U64,
    record: U64,
    /// The frame's place in its record, from 0.
    frame_idx: U32,
    payload_crc: U32,
    payload_bytes: U64,
    durable_through: U64,
    /// The term of a replicated log: 0 where there is none.
    term: U64,
    commit: U64,
    instant: I64,
    catalog_version: U64,
    previous: [u8; 32],
    /// The link of this record, in its last frame; zeroes in the others.
    link: [u8; 32],
    /// Which key encrypts the payload: 0 none.
    key_id: U32,
    nonce_and_tag: [u8; 28],
    reserved: [u8; 24],
}

const _: () = assert!(size_of::<FrameHeader>() == FRAME_HEADER_BYTES);

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    /// A commit with facts.
    Commit,
    /// A change of the catalogue.
    Catalog,
    /// A change of how long a table's history is kept.
    Retention,
    /// Facts were erased.
    Erasure,
}

/// What a frame says of its record; the same in all frames of one record, but for the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecordHead {
    pub(crate) kind: RecordKind,
    /// The timeline that it was written on.
    pub(crate) timeline: u32,
    pub(crate) record: u64,
    /// The commit's number; for other kinds the last commit before it.
    pub(crate) commit: Commit,
    pub(crate) instant: Micros,
    /// The catalogue version that a commit was written under, or that a change makes.
    pub(crate) catalog_version: u64,
    /// Which opening wrote it.
    pub(crate) epoch: u64,
    pub(crate) term: u64,
    /// The link of the record before.
    pub(crate) previous: [u8; 32],
}

/// Where and how a frame stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FramePlace {
    pub(crate) generation: u64,
    pub(crate) offset: u64,
    pub(crate) frame_idx: u32,
    pub(crate) durable_through: u64,
    /// The record's link, when this is its last frame.
    pub(crate) link: Option<[u8; 32]>,
}

/// How many bytes a frame takes with its padding.
pub(crate) fn frame_bytes(payload_bytes: u64) -> u64 {
    (FRAME_HEADER_BYTES as u64 + payload_bytes).next_multiple_of(FRAME_ALIGN)
}

impl RecordKind {
    pub(crate) fn code(self) -> u8 {
        match self {
            RecordKind::Commit => 1,
            RecordKind::Catalog => 2,
            RecordKind::Erasure => 3,
            RecordKind::Retention => 4,
        }
    }

    fn from_code(code: u8) -> Option<RecordKind> {
        match code {
            1 => Some(RecordKind::Commit),
            2 => Some(RecordKind::Catalog),
            3 => Some(RecordKind::Erasure),
            4 => Some(RecordKind::Retention),
            _ => None,
        }
    }
}

impl FrameHeader {
    /// The header of a frame.
    pub(crate) fn new(identity: Identity, head: &RecordHead, place: &FramePlace, payload: &[u8]) -> FrameHeader {
        let mut header = FrameHeader::new_zeroed();
        header.magic = FRAME_MAGIC;
        header.format_version = LOG_VERSION.into();
        header.header_bytes = (FRAME_HEADER_BYTES as u16).into();
        header.database = identity.database;
        header.timeline = head.timeline.into();
        header.kind = head.kind.code();
        header.part = if place.frame_idx == 0 { PART_FIRST } else { 0 };
        header.part |= if place.link.is_some() { PART_LAST } else { 0 };
        header.hash_suite = HASH_SUITE_BLAKE3;
        header.epoch = head.epoch.into();
        header.generation = place.generation.into();
        header.offset = place.offset.into();
        header.record = head.record.into();
        header.frame_idx = place.frame_idx.into();
        header.payload_crc = crc32fast::hash(payload).into();
        header.payload_bytes = (payload.len() as u64).into();
        header.durable_through = place.durable_through.into();
        header.term = head.term.into();
        header.commit = head.commit.into();
        header.instant = head.instant.into();
        header.catalog_version = head.catalog_version.into();
        header.previous = head.previous;
        header.link = place.link.unwrap_or_default();
        header.header_crc = crc32fast::hash(&header.as_bytes()[8..]).into();
        header
    }

    /// The header at the start of some bytes, if its own checksum holds.
    pub(crate) fn read(bytes: &[u8]) -> Option<FrameHeader> {
        if !bytes.starts_with(&FRAME_MAGIC) {
            return None;
        }
        let (header, _) = FrameHeader::read_from_prefix(bytes).ok()?;
        (crc32fast::hash(&header.as_bytes()[8..]) == header.header_crc.get()).then_some(header)
    }

    /// Was it written by this database for this place?
    pub(crate) fn belongs(&self, identity: &Identity, generation: u64, offset: u64) -> bool {
        !self.is_foreign(identity) && self.generation.get() == generation && self.offset.get() == offset
    }

    /// Can this program read the frame?
    ///
    /// # Errors
    /// [`StoreError::FormatVersion`], [`StoreError::UnknownFeatures`].
    pub(crate) fn check_version(&self, file: &str) -> Result<()> {
        check_version(file, self.format_version.get(), LOG_VERSION)?;
        check_features(file, self.incompatible.get(), (self.hash_suite, self.codec, self.key_id.get()))?;
        if RecordKind::from_code(self.kind).is_none() {
            let unknown = format!("records of kind {}", self.kind);
            return Err(StoreError::UnknownFeatures { file: file.to_owned(), unknown });
        }
        Ok(())
    }

    /// What it says of its record.
    ///
    /// # Panics
    /// When [`FrameHeader::check_version`] was not asked before.
    pub(crate) fn head(&self) -> RecordHead {
        RecordHead {
            kind: RecordKind::from_code(self.kind).expect("the version was checked"),
            timeline: self.timeline.get(),
            record: self.record.get(),
            commit: self.commit.get(),
            instant: self.instant.get(),
            catalog_version: self.catalog_version.get(),
            epoch: self.epoch.get(),
            term: self.term.get(),
            previous: self.previous,
        }
    }

    /// Was it written by another database, or on a timeline that is not this one's past?
    pub(crate) fn is_foreign(&self, identity: &Identity) -> bool {
        self.database != identity.database || !identity.holds(self.record.get(), self.timeline.get())
    }

    pub(crate) fn record(&self) -> u64 {
        self.record.get()
    }

    /// The checksum over the rest of the header, and so over the payload's.
    pub(crate) fn header_crc(&self) -> u32 {
        self.header_crc.get()
    }

    pub(crate) fn frame_idx(&self) -> u32 {
        self.frame_idx.get()
    }

    /// The record's link, when this frame ends it.
    pub(crate) fn link(&self) -> Option<[u8; 32]> {
        (self.part & PART_LAST != 0).then_some(self.link)
    }

    pub(crate) fn payload_bytes(&self) -> u64 {
        self.payload_bytes.get()
    }

    pub(crate) fn durable_through(&self) -> u64 {
        self.durable_through.get()
    }

    /// Is this the payload that the header speaks of?
    pub(crate) fn fits(&self, payload: &[u8]) -> bool {
        payload.len() as u64 == self.payload_bytes.get() && crc32fast::hash(payload) == self.payload_crc.get()
    }
}
