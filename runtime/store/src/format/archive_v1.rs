//! Which bytes make an archived log segment?
//!
//! The file header (magic `SpLogAr` and a zero), then the segment's bytes, without the zeroes at its end, in pieces of [`PIECE_BYTES`],
//! each packed on its own, then one [`PieceRef`] for each piece, then the [`Trailer`].
//!
//! Holds: what was read at an offset of the segment is read at the same offset of its archive.
//! Not here: making and reading one (`archive`).

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U32, U64},
};

/// How an archived segment begins.
pub(crate) const MAGIC: [u8; 8] = *b"SpLogAr\0";

/// The format version of this file.
pub(crate) const VERSION: u16 = 1;

/// How a trailer ends.
pub(crate) const TRAILER_MAGIC: [u8; 8] = *b"SpArcEnd";

/// Bytes of the segment in a piece; the last one may have fewer.
pub(crate) const PIECE_BYTES: usize = 256 << 10;

/// How many bytes a [`Trailer`] takes.
pub(crate) const TRAILER_BYTES: usize = 64;

/// How many bytes a [`PieceRef`] takes.
pub(crate) const PIECE_REF_BYTES: usize = 24;

/// Where a piece is.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct PieceRef {
    /// Where it begins in the file.
    pub(crate) offset: U64,
    /// How many bytes it has there.
    pub(crate) bytes: U32,
    /// CRC-32 of these bytes.
    pub(crate) crc: U32,
    /// How it is packed: the codecs of segments of facts.
    pub(crate) codec: u8,
    pub(crate) reserved: [u8; 7],
}

const _: () = assert!(size_of::<PieceRef>() == PIECE_REF_BYTES);

/// The end of the file.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Trailer {
    /// CRC-32 of what follows in the trailer.
    pub(crate) crc: U32,
    /// CRC-32 of the piece references.
    pub(crate) pieces_crc: U32,
    /// The segment's generation.
    pub(crate) generation: U64,
    /// The segment's bytes up to the last one that is not zero, rounded up to a multiple of 64.
    pub(crate) raw_bytes: U64,
    pub(crate) piece_count: U64,
    /// The segment's length: what lies behind `raw_bytes` was zeroes.
    pub(crate) segment_bytes: U64,
    pub(crate) reserved: [u8; 16],
    pub(crate) magic: [u8; 8],
}

const _: () = assert!(size_of::<Trailer>() == TRAILER_BYTES);
