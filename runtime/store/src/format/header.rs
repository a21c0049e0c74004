//! How does a file other than a log segment begin?
//!
//! With 128 bytes that say what it is, which database wrote it, who can read it, and how long its body is and what the
//! body's checksum must be. The header has a checksum of its own, so a damaged header is never taken for another
//! database's or another version's.
//!
//! Not here: the bodies.

use super::Identity;
use crate::error::{Result, StoreError};
use zerocopy::{
    FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

/// How many bytes a [`FileHeader`] takes.
pub(crate) const FILE_HEADER_BYTES: usize = 128;

/// Hashes are BLAKE3 with 32 bytes.
pub(crate) const HASH_SUITE_BLAKE3: u8 = 1;

/// The first 128 bytes of a file.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FileHeader {
    /// What the file is.
    pub(crate) magic: [u8; 8],
    /// CRC-32 of what follows in the header.
    pub(crate) header_crc: U32,
    pub(crate) format_version: U16,
    pub(crate) header_bytes: U16,
    /// Bits that a reader and a writer may ignore when they do not know them.
    pub(crate) compatible: U32,
    /// Bits that a reader may ignore, a writer not.
    pub(crate) read_only_compatible: U32,
    /// Bits that nobody may ignore.
    pub(crate) incompatible: U32,
    pub(crate) timeline: U32,
    pub(crate) database: [u8; 16],
    pub(crate) epoch: U64,
    pub(crate) body_bytes: U64,
    /// CRC-32 of the body.
    pub(crate) body_crc: U32,
    pub(crate) hash_suite: u8,
    /// How the body is packed: 0 as it is.
    pub(crate) codec: u8,
    pub(crate) reserved: [u8; 2],
    /// Which key encrypts the body: 0 none.
    pub(crate) key_id: U32,
    pub(crate) nonce_and_tag: [u8; 28],
    pub(crate) reserved_end: [u8; 24],
}

const _: () = assert!(size_of::<FileHeader>() == FILE_HEADER_BYTES);

/// A whole file: header and body.
pub(crate) fn seal(magic: [u8; 8], format_version: u16, identity: Identity, body: &[u8]) -> Vec<u8> {
    let header = head(magic, format_version, identity, body.len() as u64, crc32fast::hash(body));
    let mut file = Vec::with_capacity(FILE_HEADER_BYTES + body.len());
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(body);
    file
}

/// The header of a file whose body was written piece by piece.
pub(crate) fn head(
    magic: [u8; 8],
    format_version: u16,
    identity: Identity,
    body_bytes: u64,
    body_crc: u32,
) -> FileHeader {
    let mut header = FileHeader::new_zeroed();
    header.magic = magic;
    header.format_version = format_version.into();
    header.header_bytes = (FILE_HEADER_BYTES as u16).into();
    header.timeline = identity.timeline.into();
    header.database = identity.database;
    header.epoch = identity.epoch.into();
    header.body_bytes = body_bytes.into();
    header.body_crc = body_crc.into();
    header.hash_suite = HASH_SUITE_BLAKE3;
    header.header_crc = crc32fast::hash(&header.as_bytes()[12..]).into();
    header
}

/// The header and the body of a file whose checksums hold and that this program can read.
pub(crate) fn open<'a>(
    file: &str,
    bytes: &'a [u8],
    magic: [u8; 8],
    format_version: u16,
) -> Result<(FileHeader, &'a [u8])> {
    let (header, body) = FileHeader::read_from_prefix(bytes).map_err(|_| StoreError::Corrupt {
        file: file.to_owned(),
        offset: bytes.len() as u64,
        what: "the file ends within its header".to_owned(),
    })?;
    header.check(file, bytes.len() as u64, magic, format_version)?;
    if crc32fast::hash(body) != header.body_crc.get() {
        let what = "the body's checksum does not match".to_owned();
        return Err(StoreError::Corrupt { file: file.to_owned(), offset: FILE_HEADER_BYTES as u64, what });
    }
    Ok((header, body))
}

/// Can this program read the version?
pub(crate) fn check_version(file: &str, found: u16, supported: u16) -> Result<()> {
    if (1..=supported).contains(&found) {
        return Ok(());
    }
    let (found, supported) = (u32::from(found), u32::from(supported));
    Err(StoreError::FormatVersion { file: file.to_owned(), found, supported })
}

/// Does this program know everything that nobody may ignore: no such bit is set, nothing is encrypted, and it can hash and
/// unpack?
pub(crate) fn check_features(file: &str, incompatible: u32, (suite, codec, key): (u8, u8, u32)) -> Result<()> {
    let unknown = match () {
        () if incompatible != 0 => format!("features {incompatible:#010x}"),
        () if suite != HASH_SUITE_BLAKE3 => format!("hash suite {suite}"),
        () if codec != 0 => format!("packing {codec} of a whole body"),
        () if key != 0 => "encryption".to_owned(),
        () => return Ok(()),
    };
    Err(StoreError::UnknownFeatures { file: file.to_owned(), unknown })
}

impl FileHeader {
    /// Is this the header of a file of so many bytes, of a kind and version that this program reads? The body is not looked at:
    /// its parts may have checksums of their own.
    pub(crate) fn check(&self, file: &str, file_bytes: u64, magic: [u8; 8], format_version: u16) -> Result<()> {
        let corrupt =
            |offset: u64, what: &str| StoreError::Corrupt { file: file.to_owned(), offset, what: what.to_owned() };
        if self.magic != magic {
            return Err(corrupt(0, "the file does not begin with its kind's magic bytes"));
        }
        if crc32fast::hash(&self.as_bytes()[12..]) != self.header_crc.get() {
            return Err(corrupt(8, "the header's checksum does not match"));
        }
        check_version(file, self.format_version.get(), format_version)?;
        check_features(file, self.incompatible.get(), (self.hash_suite, self.codec, self.key_id.get()))?;
        if self.body_bytes.get().checked_add(FILE_HEADER_BYTES as u64) != Some(file_bytes) {
            return Err(corrupt(file_bytes, "the file is not as long as its header says"));
        }
        Ok(())
    }

    /// Who wrote the file.
    pub(crate) fn identity(&self) -> Identity {
        Identity { database: self.database, timeline: self.timeline.get(), forked_at: 0, epoch: self.epoch.get() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every flipped bit of a small file is found, and never panics.
    #[test]
    fn each_flipped_bit_is_found() {
        let identity = Identity { database: [7; 16], timeline: 1, forked_at: 0, epoch: 3 };
        let whole = seal(*b"TESTFILE", 1, identity, b"a body");
        let (header, body) = open("f", &whole, *b"TESTFILE", 1).expect("it is whole");
        assert_eq!((header.identity(), body), (identity, b"a body".as_slice()));
        for bit in 0..whole.len() * 8 {
            let mut bad = whole.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(open("f", &bad, *b"TESTFILE", 1).is_err(), "bit {bit}");
        }
        for len in 0..whole.len() {
            assert!(open("f", &whole[..len], *b"TESTFILE", 1).is_err(), "cut at {len}");
        }
        let newer = seal(*b"TESTFILE", 2, identity, b"");
        assert!(matches!(open("f", &newer, *b"TESTFILE", 1), Err(StoreError::FormatVersion { found: 2, .. })));
    }
}
