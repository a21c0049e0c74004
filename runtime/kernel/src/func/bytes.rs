//! What is done with bytes besides what is done with texts?
//!
//! Places of bytes and bits count from 0, lengths and positions of substrings from 1, as in PostgreSQL; a byte's bits count
//! from its least one.
//!
//! Not here: digests and encodings (`words`).

use super::{Fault, lift::functions};

/// Without any of the second's bytes at both ends.
pub fn btrim(a: &[u8], b: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(trimmed(a, b, true, true));
}

/// Without any of the second's bytes at the start.
pub fn ltrim(a: &[u8], b: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(trimmed(a, b, true, false));
}

/// Without any of the second's bytes at the end.
pub fn rtrim(a: &[u8], b: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(trimmed(a, b, false, true));
}

fn trimmed<'a>(a: &'a [u8], b: &[u8], start: bool, end: bool) -> &'a [u8] {
    let stays = |byte: &u8| !b.contains(byte);
    let from = if start { a.iter().position(stays).unwrap_or(a.len()) } else { 0 };
    let to = if end { a.iter().rposition(stays).map_or(0, |at| at + 1) } else { a.len() };
    a.get(from..to).unwrap_or_default()
}

/// At which byte the first begins in the second; 0 if it does not occur.
pub fn position(a: &[u8], b: &[u8]) -> i64 {
    memchr::memmem::find(b, a).map_or(0, |at| at as i64 + 1)
}

/// At which byte the second begins in the first; 0 if it does not occur.
pub fn strpos(a: &[u8], b: &[u8]) -> i64 {
    position(b, a)
}

/// The first with the bytes from a position replaced by the second.
pub fn overlay(a: &[u8], b: &[u8], from: i64, out: &mut Vec<u8>) -> Fault {
    overlay_for(a, b, from, b.len() as i64, out)
}

/// The first with so many bytes from a position replaced by the second.
pub fn overlay_for(a: &[u8], b: &[u8], from: i64, count: i64, out: &mut Vec<u8>) -> Fault {
    if from <= 0 {
        return Fault::InvalidArgument;
    }
    let bound = |at: i64| usize::try_from(at).unwrap_or(0).min(a.len());
    out.extend_from_slice(&a[..bound(from - 1)]);
    out.extend_from_slice(b);
    out.extend_from_slice(&a[bound((from - 1).saturating_add(count))..]);
    Fault::Ok
}

/// A bit, by its place.
pub fn get_bit(a: &[u8], at: i64) -> (i64, Fault) {
    match usize::try_from(at).ok().and_then(|at| Some(a.get(at / 8)? >> (at % 8) & 1)) {
        Some(bit) => (i64::from(bit), Fault::Ok),
        None => (0, Fault::InvalidArgument),
    }
}

/// With another bit at a place.
pub fn set_bit(a: &[u8], at: i64, bit: i64, out: &mut Vec<u8>) -> Fault {
    let Some(at) = usize::try_from(at).ok().filter(|at| at / 8 < a.len()) else { return Fault::InvalidArgument };
    if !matches!(bit, 0 | 1) {
        return Fault::OutOfRange;
    }
    let start = out.len();
    out.extend_from_slice(a);
    let byte = &mut out[start + at / 8];
    *byte = *byte & !(1 << (at % 8)) | (bit as u8) << (at % 8);
    Fault::Ok
}

/// With another byte at a place, of which the least eight bits count.
pub fn set_byte(a: &[u8], at: i64, byte: i64, out: &mut Vec<u8>) -> Fault {
    let Some(at) = usize::try_from(at).ok().filter(|at| *at < a.len()) else { return Fault::InvalidArgument };
    let start = out.len();
    out.extend_from_slice(a);
    out[start + at] = byte as u8;
    Fault::Ok
}

functions! { "func::bytes";
    "btrim" (Blob, Blob) -> Blob, Total, btrim, "Without any of the second's bytes at both ends.";
    "trim" (Blob, Blob) -> Blob, Total, btrim, "Without any of the second's bytes at both ends.";
    "ltrim" (Blob, Blob) -> Blob, Total, ltrim, "Without any of the second's bytes at the start.";
    "rtrim" (Blob, Blob) -> Blob, Total, rtrim, "Without any of the second's bytes at the end.";
    "position" (Blob, Blob) -> Integer, Total, position, "POSITION(a IN b): at which byte the first begins in the second; 0 if it does not occur.";
    "strpos" (Blob, Blob) -> Integer, Total, strpos, "At which byte the second begins in the first; 0 if it does not occur.";
    "overlay" (Blob, Blob, Integer) -> Blob, Fallible, overlay, "The first with the bytes from a position replaced by the second.";
    "overlay" (Blob, Blob, Integer, Integer) -> Blob, Fallible, overlay_for, "The first with so many bytes from a position replaced by the second.";
    "get_bit" (Blob, Integer) -> Integer, Fallible, get_bit, "A bit, by its place from 0.";
    "set_bit" (Blob, Integer, Integer) -> Blob, Fallible, set_bit, "With another bit at a place from 0.";
    "set_byte" (Blob, Integer, Integer) -> Blob, Fallible, set_byte, "With another byte at a place from 0.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_changed_in_their_places() {
        let made = |make: &dyn Fn(&mut Vec<u8>) -> Fault| {
            let mut out = Vec::new();
            (make(&mut out), out)
        };
        assert_eq!(made(&|out| set_bit(&[0x12], 0, 1, out)), (Fault::Ok, vec![0x13]));
        assert_eq!(made(&|out| set_bit(&[0x12], 8, 1, out)).0, Fault::InvalidArgument);
        assert_eq!(made(&|out| set_byte(&[1, 2], 1, 258, out)), (Fault::Ok, vec![1, 2]));
        assert_eq!(made(&|out| overlay(b"abcd", b"xy", 3, out)), (Fault::Ok, b"abxy".to_vec()));
        assert_eq!(made(&|out| overlay_for(b"abcd", b"x", 2, 2, out)), (Fault::Ok, b"axd".to_vec()));
        assert_eq!(get_bit(&[0x12, 0x80], 15), (1, Fault::Ok));
        assert_eq!((position(b"c", b"abc"), position(b"x", b"abc"), position(b"", b"abc")), (3, 0, 1));
        assert_eq!(trimmed(b"xxaxbx", b"x", true, true), b"axb");
        assert_eq!(trimmed(b"xx", b"x", true, true), b"");
    }
}
