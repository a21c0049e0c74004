//! Which bytes make a file of supersession notes?
//!
//! A flush writes one with all notes on facts in segments. It is small and read whole: a file header (magic `SpNotes`
//! and a zero) over a body that is one rkyv archive.
//!
//! Holds: targets rise, and the rows of a target rise; the body's BLAKE3 is the file's root in the manifest.
//! Not here: what a note means (`notes`).

use super::{Identity, header};
use crate::error::{Result, StoreError};
use bytes::Bytes;
use rkyv::{Archive, Serialize, rancor};

/// How a notes file begins.
pub(crate) const MAGIC: [u8; 8] = *b"SpNotes\0";

/// The format version of this file.
pub(crate) const VERSION: u16 = 1;

/// All notes of a file.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct NotesV1 {
    pub(crate) targets: Vec<TargetV1>,
}

/// The notes on one segment.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct TargetV1 {
    /// The segment's file number.
    pub(crate) file: u64,
    /// Row numbers in the file, rising.
    pub(crate) rows: Vec<u64>,
    /// The commit that superseded each.
    pub(crate) ends: Vec<i64>,
}

const _: () = {
    assert!(size_of::<ArchivedNotesV1>() == 8);
    assert!(size_of::<ArchivedTargetV1>() == 24);
};

/// A note: target file, row, end.
pub(crate) type Note = (u64, u64, i64);

/// The bytes of a file of sorted notes, and its root.
pub(crate) fn write(identity: Identity, notes: &[Note]) -> (Vec<u8>, [u8; 32]) {
    debug_assert!(notes.is_sorted());
    let mut targets: Vec<TargetV1> = Vec::new();
    for (file, row, end) in notes {
        if targets.last().is_none_or(|target| target.file != *file) {
            targets.push(TargetV1 { file: *file, rows: Vec::new(), ends: Vec::new() });
        }
        let target = targets.last_mut().expect("one was pushed");
        target.rows.push(*row);
        target.ends.push(*end);
    }
    let body = rkyv::to_bytes::<rancor::Error>(&NotesV1 { targets }).expect("an archive in memory takes everything");
    (header::seal(MAGIC, VERSION, identity, &body), *blake3::hash(&body).as_bytes())
}

/// The notes of a file whose root the manifest knows.
pub(crate) fn read(file: &str, bytes: &Bytes, identity: Identity, root: &[u8; 32]) -> Result<Vec<Note>> {
    let corrupt = |offset: usize, what: &str| StoreError::Corrupt {
        file: file.to_owned(),
        offset: offset as u64,
        what: what.to_owned(),
    };
    let (head, body) = header::open(file, bytes, MAGIC, VERSION)?;
    if head.identity().database != identity.database {
        return Err(corrupt(0, "the file belongs to another database"));
    }
    if blake3::hash(body) != *root {
        return Err(corrupt(header::FILE_HEADER_BYTES, "the file has other notes than the manifest says"));
    }
    let notes = rkyv::access::<ArchivedNotesV1, rancor::Error>(body)
        .map_err(|_| corrupt(header::FILE_HEADER_BYTES, "the archive is damaged"))?;
    let mut read = Vec::new();
    for target in notes.targets.iter() {
        if target.rows.len() != target.ends.len() {
            return Err(corrupt(header::FILE_HEADER_BYTES, "a target has other rows than ends"));
        }
        let rows = target.rows.iter().zip(target.ends.iter());
        read.extend(rows.map(|(row, end)| (target.file.to_native(), row.to_native(), end.to_native())));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity { database: [9; 16], timeline: 1, forked_at: 0, epoch: 2 };

    fn aligned(bytes: &[u8]) -> Bytes {
        let mut aligned = rkyv::util::AlignedVec::<64>::new();
        aligned.extend_from_slice(bytes);
        Bytes::from_owner(aligned)
    }

    #[test]
    fn notes_round_trip_and_every_flipped_bit_is_found() {
        let notes = [(3, 0, 5), (3, 17, 6), (9, 2, 6)];
        let (bytes, root) = write(IDENTITY, &notes);
        assert_eq!(read("n", &aligned(&bytes), IDENTITY, &root).expect("it is whole"), notes);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read("n", &aligned(&bad), IDENTITY, &root).is_err(), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(read("n", &aligned(&bytes[..len]), IDENTITY, &root).is_err(), "cut at {len}");
        }
    }

    /// The bytes of version 1 never change.
    #[test]
    fn golden() {
        let (bytes, root) = write(IDENTITY, &[(3, 7, 5)]);
        let body = &bytes[header::FILE_HEADER_BYTES..];
        let expected: &[u8] = &[
            7, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 232, 255, 255, 255, 1, 0, 0, 0,
            232, 255, 255, 255, 1, 0, 0, 0, 232, 255, 255, 255, 1, 0, 0, 0,
        ];
        assert_eq!(body, expected);
        assert_eq!(root, *blake3::hash(expected).as_bytes());
    }
}
