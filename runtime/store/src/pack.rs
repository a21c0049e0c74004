//! How does a block become fewer bytes, and the same block again?
//!
//! A packed block is unpacked whole, into memory aligned as a mapped file is, and then read like one. What packing would not
//! make an eighth smaller stays as it is.
//!
//! Holds: no more memory is asked for than [`RAW_BYTES_MAX`], whatever a file claims.
//! Not here: which segments are packed (`config`), what is in a block (`block`).

use crate::{config::Compression, format::sst_v1::codec};
use bytes::Bytes;
use rkyv::util::AlignedVec;
use std::borrow::Cow;

/// A block has far fewer bytes: 16,384 rows, or a few very long ones.
const RAW_BYTES_MAX: u64 = 4 << 30;

/// Bytes of a file in memory, aligned as maps are.
pub(crate) type Buffer = AlignedVec<64>;

/// A buffer of so many zeroes.
pub(crate) fn buffer(len: usize) -> Buffer {
    let mut buffer = Buffer::with_capacity(len);
    buffer.resize(len, 0);
    buffer
}

/// The bytes to write, and their codec.
pub(crate) fn pack(payload: &[u8], compression: Compression) -> (Cow<'_, [u8]>, u8) {
    let (packed, codec) = match compression {
        Compression::None => return (payload.into(), codec::PLAIN),
        Compression::Lz4 => (lz4_flex::block::compress(payload), codec::LZ4),
        Compression::Zstd(level) => match zstd::bulk::compress(payload, level.clamp(1, 19)) {
            Ok(packed) => (packed, codec::ZSTD),
            // It refuses nothing but memory; the block is as good unpacked.
            Err(_) => return (payload.into(), codec::PLAIN),
        },
    };
    match packed.len() <= payload.len() - payload.len() / 8 {
        true => (packed.into(), codec),
        false => (payload.into(), codec::PLAIN),
    }
}

/// The payload that was packed.
///
/// # Errors
/// Why the bytes are not a packed payload of this length.
pub(crate) fn unpack(packed: Bytes, codec: u8, raw_bytes: u64) -> Result<Bytes, &'static str> {
    if codec == codec::PLAIN {
        return if packed.len() as u64 == raw_bytes {
            Ok(packed)
        } else {
            Err("a part has another length than it says")
        };
    }
    // What packs best says 128 KiB in four bytes.
    if raw_bytes > RAW_BYTES_MAX.min((packed.len() as u64) << 16) {
        return Err("a packed part claims to be larger than any block");
    }
    let mut raw = buffer(raw_bytes as usize);
    let len = match codec {
        codec::LZ4 => lz4_flex::block::decompress_into(&packed, &mut raw).map_err(|_| "a packed part is damaged")?,
        codec::ZSTD => {
            zstd::bulk::decompress_to_buffer(&packed, &mut raw[..]).map_err(|_| "a packed part is damaged")?
        }
        _ => return Err("a part is packed in a way this program does not know"),
    };
    if len != raw.len() {
        return Err("a packed part has another length than it says");
    }
    Ok(Bytes::from_owner(raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_unpacked() {
        let repeated: Vec<u8> = (0..50_000u32).flat_map(|i| (i / 64).to_le_bytes()).collect();
        let random: Vec<u8> = (0..1_000u64).flat_map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
        for payload in [repeated, random, Vec::new(), vec![7]] {
            for compression in [Compression::None, Compression::Lz4, Compression::Zstd(1), Compression::Zstd(19)] {
                let (packed, codec) = pack(&payload, compression);
                assert!(packed.len() <= payload.len());
                let raw = unpack(Bytes::copy_from_slice(&packed), codec, payload.len() as u64);
                assert_eq!(raw.as_deref(), Ok(payload.as_slice()));
                assert!(codec != codec::PLAIN || packed == payload);
            }
        }
    }

    #[test]
    fn damage_is_refused() {
        let payload = vec![5u8; 10_000];
        for compression in [Compression::Lz4, Compression::Zstd(3)] {
            let (packed, codec) = pack(&payload, compression);
            assert_ne!(codec, codec::PLAIN);
            let packed = Bytes::copy_from_slice(&packed);
            for raw_bytes in [0, 9_999, 10_001, u64::MAX] {
                assert!(unpack(packed.clone(), codec, raw_bytes).is_err(), "{raw_bytes}");
            }
            assert!(unpack(packed.slice(..packed.len() - 1), codec, 10_000).is_err());
            assert!(unpack(packed, 9, 10_000).is_err());
        }
    }
}
