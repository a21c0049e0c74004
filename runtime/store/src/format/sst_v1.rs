//! Which bytes make a segment?
//!
//! A file header, then parts, then a footer of [`FOOTER_BYTES`]. A part is an [`Envelope`] of 64 bytes and a payload, and
//! begins on a 64-byte boundary; the file is mapped, so payloads lie aligned in memory. Blocks, the index and the directory
//! are archives of rkyv, the filter is a plain lane of `u32`.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 128 | file header (`format::header`), magic `SpSegmt` and a zero |
//! | 128 | ... | parts: blocks in order, directory (history only), filter, index; each on a 64-byte boundary |
//! | end - 192 | 192 | [`Footer`] |
//!
//! Holds: the meaning of these bytes never changes; a change is a `sst_v2`. Lengths are covered by checksums.
//! Not here: what makes a block's content sensible (`sst::block`).

use rkyv::{Archive, Serialize};
use spectradb_kernel::{
    Type,
    ty::{ElementType, TypeClass},
};
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U32, U64},
};

/// How a segment begins.
pub(crate) const MAGIC: [u8; 8] = *b"SpSegmt\0";

/// The format version of this file.
pub(crate) const VERSION: u16 = 1;

/// Parts begin at multiples of this.
pub(crate) const ALIGN: u64 = 64;

/// How many bytes an [`Envelope`] takes.
pub(crate) const ENVELOPE_BYTES: usize = 64;

/// How many bytes a [`Footer`] takes.
pub(crate) const FOOTER_BYTES: usize = 192;

/// How a segment ends.
pub(crate) const FOOTER_MAGIC: [u8; 8] = *b"SpSegEnd";

/// What a part is: [`Envelope::kind`].
pub(crate) mod part {
    /// Facts.
    pub(crate) const BLOCK: u8 = 1;
    /// The index.
    pub(crate) const INDEX: u8 = 2;
    /// The filter.
    pub(crate) const FILTER: u8 = 3;
    /// Row numbers key by key.
    pub(crate) const DIRECTORY: u8 = 4;
}

/// How a payload is packed: [`Envelope::codec`].
pub(crate) mod codec {
    /// As it is.
    pub(crate) const PLAIN: u8 = 0;
    /// One LZ4 block.
    pub(crate) const LZ4: u8 = 1;
    /// One Zstandard frame.
    pub(crate) const ZSTD: u8 = 2;
}

/// What stands before a payload.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Envelope {
    /// CRC-32 of the rest of the envelope and the payload.
    pub(crate) crc: U32,
    /// What the part is.
    pub(crate) kind: u8,
    /// How the payload is packed ([`codec`]).
    pub(crate) codec: u8,
    pub(crate) reserved: [u8; 2],
    /// The payload's length.
    pub(crate) bytes: U64,
    /// The payload's length unpacked, the same as `bytes` where it is not packed.
    pub(crate) raw_bytes: U64,
    /// Which key encrypts it: 0 none.
    pub(crate) key_id: U32,
    pub(crate) nonce_and_tag: [u8; 28],
    pub(crate) reserved_end: [u8; 8],
}

const _: () = assert!(size_of::<Envelope>() == ENVELOPE_BYTES);

/// Where a part is.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct PartRef {
    /// Where its envelope begins; 0 when there is no such part.
    pub(crate) offset: U64,
    /// The payload's length.
    pub(crate) bytes: U64,
    /// The envelope's checksum.
    pub(crate) crc: U32,
}

/// The end of a segment.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Footer {
    /// CRC-32 of what follows in the footer.
    pub(crate) crc: U32,
    pub(crate) table: U32,
    /// 1 current, 2 history.
    pub(crate) kind: u8,
    pub(crate) reserved: [u8; 3],
    pub(crate) block_count: U32,
    pub(crate) rows: U64,
    pub(crate) file: U64,
    /// The file's length.
    pub(crate) file_bytes: U64,
    pub(crate) index: PartRef,
    pub(crate) filter: PartRef,
    pub(crate) directory: PartRef,
    /// BLAKE3 of all bytes from the end of the header to the footer.
    pub(crate) root: [u8; 32],
    pub(crate) reserved_end: [u8; 52],
    pub(crate) magic: [u8; 8],
}

const _: () = assert!(size_of::<Footer>() == FOOTER_BYTES);

/// Some facts by columns.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct BlockV1 {
    pub(crate) rows: u32,
    /// The schema version of all facts of the block.
    pub(crate) schema_version: u32,
    pub(crate) columns: Vec<ColumnV1>,
    pub(crate) valid_from: LaneV1,
    pub(crate) valid_to: LaneV1,
    pub(crate) commit: LaneV1,
    /// The origin of a leftover, 0 for a fact that its commit states.
    pub(crate) origin: LaneV1,
    /// `i64::MAX`: open.
    pub(crate) system_to: LaneV1,
    /// Bit 0 erased, bit 1 derived; a leftover is told by its origin.
    pub(crate) flags: LaneV1,
}

/// A column and which of its rows have a value.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct ColumnV1 {
    /// A bit a row, least significant first; empty when every row has a value.
    pub(crate) validity: Vec<u64>,
    pub(crate) lane: LaneV1,
}

/// The data of a column.
#[derive(Archive, Serialize, Debug)]
pub(crate) enum LaneV1 {
    /// Every row is NULL.
    Null,
    ConstBool(u8),
    ConstI64(i64),
    ConstF64(f64),
    ConstI128(i128),
    ConstBytes(Vec<u8>),
    Bool(Vec<u8>),
    I64(Vec<i64>),
    F64(Vec<f64>),
    I128(Vec<i128>),
    /// String `i` is `bytes[offsets[i]..offsets[i + 1]]`.
    Bytes {
        offsets: Vec<u32>,
        bytes: Vec<u8>,
    },
    /// Integers as offsets from a base.
    Offsets8 {
        base: i64,
        codes: Vec<u8>,
    },
    Offsets16 {
        base: i64,
        codes: Vec<u16>,
    },
    Offsets32 {
        base: i64,
        codes: Vec<u32>,
    },
    /// Strings as numbers of sorted, distinct strings.
    Strings8 {
        codes: Vec<u8>,
        offsets: Vec<u32>,
        bytes: Vec<u8>,
    },
    Strings16 {
        codes: Vec<u16>,
        offsets: Vec<u32>,
        bytes: Vec<u8>,
    },
    /// Doubles as numbers of distinct doubles, sorted by their bits.
    Doubles8 {
        codes: Vec<u8>,
        values: Vec<f64>,
    },
    /// The integers from a base on, each one more than the one before.
    Rising {
        base: i64,
    },
    /// Strings of one length, 1 to [`EVEN_BYTES_MAX`] bytes, one after another.
    Even {
        length: u32,
        bytes: Vec<u8>,
    },
    /// Integers as numbers of sorted, distinct integers.
    Integers8 {
        codes: Vec<u8>,
        values: Vec<i64>,
    },
    /// The same of integers of 128 bits.
    Units8 {
        codes: Vec<u8>,
        values: Vec<i128>,
    },
    /// Values that stay the same for many rows: run `i` has `values[i]` and ends before row `ends[i]`.
    BoolRuns {
        ends: Vec<u16>,
        values: Vec<u8>,
    },
    IntegerRuns {
        ends: Vec<u16>,
        values: Vec<i64>,
    },
    DoubleRuns {
        ends: Vec<u16>,
        values: Vec<f64>,
    },
    UnitRuns {
        ends: Vec<u16>,
        values: Vec<i128>,
    },
    /// The same of strings; the string of run `i` is `bytes[offsets[i]..offsets[i + 1]]`.
    StringRuns {
        ends: Vec<u16>,
        offsets: Vec<u32>,
        bytes: Vec<u8>,
    },
}

/// The longest strings of a [`LaneV1::Even`].
pub(crate) const EVEN_BYTES_MAX: u32 = 64;

/// What a reader needs to know before it touches a block.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct IndexV1 {
    pub(crate) schema_version: u32,
    pub(crate) columns: Vec<ColumnKindV1>,
    /// Positions in `columns`.
    pub(crate) key: Vec<u32>,
    pub(crate) blocks: Vec<BlockRefV1>,
}

/// A column of the facts.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct ColumnKindV1 {
    pub(crate) id: u32,
    /// `format::bytes` numbers: see [`type_number`].
    pub(crate) ty: u8,
    pub(crate) precision: u8,
    pub(crate) scale: u8,
}

/// A block as the index knows it.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct BlockRefV1 {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    pub(crate) crc: u32,
    pub(crate) rows: u32,
    /// The number of its first row in the file.
    pub(crate) first_row: u64,
    pub(crate) key_min: Vec<u8>,
    pub(crate) key_max: Vec<u8>,
    pub(crate) commit_min: i64,
    pub(crate) commit_max: i64,
    pub(crate) end_min: i64,
    pub(crate) end_max: i64,
    pub(crate) from_min: i64,
    pub(crate) from_max: i64,
    pub(crate) to_min: i64,
    pub(crate) to_max: i64,
    /// One for each column.
    pub(crate) zones: Vec<ZoneV1>,
}

/// What is known of the values of a column in a block.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct ZoneV1 {
    pub(crate) null_count: u32,
    pub(crate) span: SpanV1,
}

/// Least and greatest value that is not NULL.
#[derive(Archive, Serialize, Debug)]
pub(crate) enum SpanV1 {
    /// Not known, or no value.
    Unknown,
    I64 {
        min: i64,
        max: i64,
    },
    /// Without NaN.
    F64 {
        min: f64,
        max: f64,
    },
    I128 {
        min: i128,
        max: i128,
    },
    /// The first [`SPAN_BYTES_MAX`] bytes of each.
    Bytes {
        min: Vec<u8>,
        max: Vec<u8>,
    },
}

/// Where the facts of each key lie in a history segment, whose blocks are in the order of ends.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct DirectoryV1 {
    /// How many keys.
    pub(crate) key_count: u32,
    /// The distinct keys, rising: numbers where the key is one 64-bit integer, encoded keys otherwise.
    pub(crate) keys: LaneV1,
    /// For each key, where in `rows` its row numbers begin: behind those of the key before it.
    pub(crate) starts: LaneV1,
    /// Row numbers of the file, key by key; those of a key rise, and so do their ends.
    pub(crate) rows: LaneV1,
}

const _: () = {
    assert!(size_of::<ArchivedBlockV1>() == 208);
    assert!(size_of::<ArchivedDirectoryV1>() == 112);
    assert!(size_of::<ArchivedColumnV1>() == 48);
    assert!(size_of::<ArchivedLaneV1>() == 32);
    assert!(size_of::<ArchivedIndexV1>() == 28);
    assert!(size_of::<ArchivedColumnKindV1>() == 8);
    assert!(size_of::<ArchivedBlockRefV1>() == 120);
    assert!(size_of::<ArchivedZoneV1>() == 64);
};

/// How many bytes of a string a [`SpanV1`] keeps.
pub(crate) const SPAN_BYTES_MAX: usize = 32;

/// The number of an array, which has the number of its elements' class in the place of a precision.
const ARRAY: u8 = 14;
/// The number of an array of decimals, which has their precision and scale.
const ARRAY_NUMERIC: u8 = 15;
/// The number of a NUMERIC of any length.
const BIG_NUMERIC: u8 = 16;

/// The number, precision and scale that stand for a type; a narrower type is written as its plain one.
pub(crate) fn type_to_v1(ty: Type) -> (u8, u8, u8) {
    match ty.plain() {
        Type::Boolean => (1, 0, 0),
        Type::Integer => (2, 0, 0),
        Type::Real => (3, 0, 0),
        Type::Numeric { precision, scale } => (4, precision, scale),
        Type::Text => (5, 0, 0),
        Type::Blob => (6, 0, 0),
        Type::Date => (7, 0, 0),
        Type::Timestamp => (8, 0, 0),
        Type::Json => (9, 0, 0),
        Type::Time => (10, 0, 0),
        Type::TimestampTz => (11, 0, 0),
        Type::Interval => (12, 0, 0),
        Type::Uuid => (13, 0, 0),
        Type::Array(element) => match element.ty() {
            Type::Numeric { precision, scale } => (ARRAY_NUMERIC, precision, scale),
            other => (ARRAY, other.class().code(), 0),
        },
        Type::BigNumeric => (BIG_NUMERIC, 0, 0),
        Type::Jsonb
        | Type::SmallInt
        | Type::Int4
        | Type::Float4
        | Type::Varchar { .. }
        | Type::Char { .. }
        | Type::WideNumeric { .. }
        | Type::Rounded { .. } => {
            unreachable!("the type was made plain")
        }
    }
}

/// The type that they stand for.
pub(crate) fn type_from_v1(ty: u8, precision: u8, scale: u8) -> Option<Type> {
    Some(match ty {
        1 => Type::Boolean,
        2 => Type::Integer,
        3 => Type::Real,
        4 if scale <= precision && precision <= 38 => Type::Numeric { precision, scale },
        5 => Type::Text,
        6 => Type::Blob,
        7 => Type::Date,
        8 => Type::Timestamp,
        9 => Type::Json,
        10 => Type::Time,
        11 => Type::TimestampTz,
        12 => Type::Interval,
        13 => Type::Uuid,
        ARRAY => {
            let class =
                TypeClass::of_element_code(precision).filter(|class| *class != TypeClass::Numeric && scale == 0)?;
            Type::Array(ElementType::of(class.plain_type())?)
        }
        ARRAY_NUMERIC if scale <= precision && precision <= 38 => {
            Type::Array(ElementType::of(Type::Numeric { precision, scale })?)
        }
        BIG_NUMERIC => Type::BigNumeric,
        _ => return None,
    })
}
