//! Which bytes do a writer and its readers in other processes leave for each other?
//!
//! The writer has one file that says how far the log is durable and which manifest is the newest, so that a reader learns
//! with one small read whether anything is new. Each reader has a file that says what it still needs. Both are 64 bytes,
//! written over in place and never synced: they speak of processes, and those do not outlive a power failure.
//!
//! Holds: whoever meets bytes whose checksum does not hold (a write that is under way) reads again or assumes the worst.
//! Not here: what is made of them (`readers`, `follow`).

use super::Identity;
use zerocopy::{
    FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

const PUBLISHED_MAGIC: [u8; 8] = *b"SpPubli\0";
const READER_MAGIC: [u8; 8] = *b"SpReadr\0";
const VERSION: u16 = 1;

/// How many bytes each of the two files has.
pub(crate) const FOLLOW_BYTES: usize = 64;

/// The content of the writer's file.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct PublishedV1 {
    magic: [u8; 8],
    /// CRC-32 of what follows.
    crc: U32,
    version: U16,
    reserved: [u8; 2],
    database: [u8; 16],
    timeline: U32,
    reserved_middle: [u8; 4],
    record: U64,
    sequence: U64,
    reserved_end: [u8; 8],
}

/// The content of a reader's file.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct ReaderV1 {
    magic: [u8; 8],
    /// CRC-32 of what follows.
    crc: U32,
    version: U16,
    reserved: [u8; 2],
    sequence: U64,
    generation: U64,
    reserved_end: [u8; 32],
}

const _: () = assert!(size_of::<PublishedV1>() == FOLLOW_BYTES && size_of::<ReaderV1>() == FOLLOW_BYTES);

/// What a writer tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Published {
    /// The log is durable up to this record.
    pub(crate) record: u64,
    /// The number of the newest manifest.
    pub(crate) sequence: u64,
}

/// What a reader needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The files of this manifest and of later ones.
    pub(crate) sequence: u64,
    /// The log from this segment on.
    pub(crate) generation: u64,
}

impl Published {
    pub(crate) fn encode(&self, identity: &Identity) -> [u8; FOLLOW_BYTES] {
        let mut bytes = PublishedV1::new_zeroed();
        bytes.magic = PUBLISHED_MAGIC;
        bytes.version = VERSION.into();
        bytes.database = identity.database;
        bytes.timeline = identity.timeline.into();
        bytes.record = self.record.into();
        bytes.sequence = self.sequence.into();
        bytes.crc = crc32fast::hash(&bytes.as_bytes()[12..]).into();
        zerocopy::transmute!(bytes)
    }

    /// What the bytes say, if they are whole and of this database.
    pub(crate) fn decode(bytes: &[u8; FOLLOW_BYTES], identity: &Identity) -> Option<Published> {
        let read = PublishedV1::read_from_bytes(bytes).ok()?;
        let is_whole = read.magic == PUBLISHED_MAGIC
            && crc32fast::hash(&bytes[12..]) == read.crc.get()
            && read.version.get() == VERSION
            && read.database == identity.database
            && read.timeline.get() == identity.timeline;
        is_whole.then_some(Published { record: read.record.get(), sequence: read.sequence.get() })
    }
}

impl Needs {
    pub(crate) fn encode(&self) -> [u8; FOLLOW_BYTES] {
        let mut bytes = ReaderV1::new_zeroed();
        bytes.magic = READER_MAGIC;
        bytes.version = VERSION.into();
        bytes.sequence = self.sequence.into();
        bytes.generation = self.generation.into();
        bytes.crc = crc32fast::hash(&bytes.as_bytes()[12..]).into();
        zerocopy::transmute!(bytes)
    }

    /// What the bytes say. Bytes that are not whole need everything.
    pub(crate) fn decode(bytes: &[u8; FOLLOW_BYTES]) -> Needs {
        match ReaderV1::read_from_bytes(bytes) {
            Ok(read)
                if read.magic == READER_MAGIC
                    && read.version.get() == VERSION
                    && crc32fast::hash(&bytes[12..]) == read.crc.get() =>
            {
                Needs { sequence: read.sequence.get(), generation: read.generation.get() }
            }
            Ok(_) | Err(_) => Needs::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_says_nothing_and_needs_everything() {
        let identity = Identity { database: [7; 16], timeline: 1, forked_at: 0, epoch: 3 };
        let (told, needs) = (Published { record: 5, sequence: 9 }, Needs { sequence: 4, generation: 2 });
        let (published, reader) = (told.encode(&identity), needs.encode());
        assert_eq!(Published::decode(&published, &identity), Some(told));
        assert_eq!(Needs::decode(&reader), needs);
        for bit in 0..FOLLOW_BYTES * 8 {
            let (mut published, mut reader) = (published, reader);
            published[bit / 8] ^= 1 << (bit % 8);
            reader[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Published::decode(&published, &identity), None, "bit {bit}");
            assert_eq!(Needs::decode(&reader), Needs::default(), "bit {bit}");
        }
        let other = Identity { database: [8; 16], ..identity };
        assert_eq!(Published::decode(&published, &other), None, "another database's file says nothing");
    }
}
