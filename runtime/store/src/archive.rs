//! What becomes of a log segment that replay no longer needs?
//!
//! The settings say whether it stays as it is, is packed into an archive, or goes. An archive answers reads at the offsets of
//! the segment that it was made of, so whoever reads the log does not know which of the two it reads. The files that are free
//! then become the log's next segments: their blocks belong to them already, and a sync does not have to say so again.
//!
//! Holds: an archive is durable under its name before its segment is given up. A file is filled with zeroes for its next use only
//! when nobody can be reading it: it has lost its name, and no reader of the log is open that may have it open.
//! Not here: when (`maintain`), the bytes (`format::archive_v1`).

use crate::{
    config::Compression,
    erase::named_copy,
    error::{Result, StoreError},
    format::{
        Identity,
        archive_v1::{MAGIC, PIECE_BYTES, PIECE_REF_BYTES, PieceRef, TRAILER_BYTES, TRAILER_MAGIC, Trailer, VERSION},
        frame::FRAME_ALIGN,
        header::{self, FILE_HEADER_BYTES, FileHeader},
    },
    fs::{Disk, File},
    log::{held, segment_name},
    pack::{pack, unpack},
};
use bytes::Bytes;
use std::{
    io,
    sync::{Arc, Mutex},
};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// Pieces are packed with Zstandard of this level: archives are written once and hardly read.
const PACKING: Compression = Compression::Zstd(3);

/// The name of an archived log segment.
pub(crate) fn archive_name(generation: u64) -> String {
    format!("log-{generation:010}.arc")
}

/// The generation in the name of an archived log segment.
pub(crate) fn archive_generation(name: &str) -> Option<u64> {
    name.strip_prefix("log-")?.strip_suffix(".arc")?.parse().ok()
}

/// The name of an archive that is being written.
fn aside_name(generation: u64) -> String {
    format!("{}.new", archive_name(generation))
}

/// Is this the name of an archive that was not finished?
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.ends_with(".arc.new")
}

/// A log segment for reading, archived or not; where an erasure has not put its copies in their places, the copy.
///
/// # Errors
/// [`StoreError::Missing`] when it is neither; [`StoreError::Corrupt`] for a damaged archive.
pub(crate) fn open_log(disk: &dyn Disk, generation: u64) -> Result<Arc<dyn File>> {
    if let Some(copy) = named_copy(disk, generation)? {
        return Ok(copy);
    }
    match disk.open(&segment_name(generation)) {
        Err(StoreError::Missing { file }) => match Archived::open(disk, generation) {
            // The name by which the segment is known.
            Err(StoreError::Missing { .. }) => Err(StoreError::Missing { file }),
            archived => Ok(Arc::new(archived?)),
        },
        found => found,
    }
}

/// Makes the archive of a log segment, durably.
///
/// # Errors
/// What the disk says.
pub(crate) fn archive(disk: &dyn Disk, identity: Identity, generation: u64) -> Result<()> {
    let segment = disk.open(&segment_name(generation))?;
    let raw_bytes = used_bytes(&*segment)?;
    let aside = aside_name(generation);
    let file = disk.create(&aside)?;
    let mut crc = crc32fast::Hasher::new();
    let mut end = FILE_HEADER_BYTES as u64;
    let mut write = |bytes: &[u8]| {
        file.write_at(bytes, end)?;
        crc.update(bytes);
        end += bytes.len() as u64;
        Ok::<u64, StoreError>(end - bytes.len() as u64)
    };
    let mut pieces: Vec<u8> = Vec::new();
    let mut raw = vec![0; PIECE_BYTES];
    for start in (0..raw_bytes).step_by(PIECE_BYTES) {
        let raw = &mut raw[..(raw_bytes - start).min(PIECE_BYTES as u64) as usize];
        segment.read_at(raw, start)?;
        let (packed, codec) = pack(raw, PACKING);
        let offset = write(&packed)?;
        let piece = PieceRef {
            offset: offset.into(),
            bytes: (packed.len() as u32).into(),
            crc: crc32fast::hash(&packed).into(),
            codec,
            reserved: [0; 7],
        };
        pieces.extend_from_slice(piece.as_bytes());
    }
    write(&pieces)?;
    let mut trailer = Trailer::new_zeroed();
    trailer.pieces_crc = crc32fast::hash(&pieces).into();
    trailer.generation = generation.into();
    trailer.raw_bytes = raw_bytes.into();
    trailer.segment_bytes = segment.len()?.into();
    trailer.piece_count = ((pieces.len() / PIECE_REF_BYTES) as u64).into();
    trailer.magic = TRAILER_MAGIC;
    trailer.crc = crc32fast::hash(&trailer.as_bytes()[4..]).into();
    write(trailer.as_bytes())?;
    let body_bytes = end - FILE_HEADER_BYTES as u64;
    let head = header::head(MAGIC, VERSION, identity, body_bytes, crc.finalize());
    file.write_at(head.as_bytes(), 0)?;
    file.sync()?;
    disk.rename(&aside, &archive_name(generation))?;
    disk.sync_dir()
}

/// Where a segment's zeroes begin.
fn used_bytes(segment: &dyn File) -> Result<u64> {
    let mut end = segment.len()?;
    let mut bytes = vec![0; 64 << 10];
    while end > 0 {
        let start = end.saturating_sub(bytes.len() as u64);
        let bytes = &mut bytes[..(end - start) as usize];
        segment.read_at(bytes, start)?;
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            return Ok((start + last as u64 + 1).next_multiple_of(FRAME_ALIGN).min(segment.len()?));
        }
        end = start;
    }
    Ok(0)
}

/// An archived log segment.
#[derive(Debug)]
struct Archived {
    name: String,
    file: Arc<dyn File>,
    segment_bytes: u64,
    raw_bytes: u64,
    pieces: Vec<PieceRef>,
    /// The piece that was read last.
    last: Mutex<Option<(usize, Bytes)>>,
}

impl Archived {
    fn open(disk: &dyn Disk, generation: u64) -> Result<Archived> {
        let name = archive_name(generation);
        let file = disk.open(&name)?;
        let len = file.len()?;
        let corrupt =
            |offset: u64, what: &str| StoreError::Corrupt { file: name.clone(), offset, what: what.to_owned() };
        let least = (FILE_HEADER_BYTES + TRAILER_BYTES) as u64;
        if len < least {
            return Err(corrupt(len, "the file ends within its header"));
        }
        let mut head = [0; FILE_HEADER_BYTES];
        file.read_at(&mut head, 0)?;
        let head = FileHeader::read_from_bytes(&head).map_err(|_| corrupt(0, "the file ends within its header"))?;
        head.check(&name, len, MAGIC, VERSION)?;
        let trailer_at = len - TRAILER_BYTES as u64;
        let mut trailer = [0; TRAILER_BYTES];
        file.read_at(&mut trailer, trailer_at)?;
        let trailer = Trailer::read_from_bytes(&trailer).map_err(|_| corrupt(trailer_at, "the trailer is cut"))?;
        if trailer.magic != TRAILER_MAGIC || crc32fast::hash(&trailer.as_bytes()[4..]) != trailer.crc.get() {
            return Err(corrupt(trailer_at, "the trailer's checksum does not match"));
        }
        let (count, raw_bytes) = (trailer.piece_count.get(), trailer.raw_bytes.get());
        let refs_bytes = count.checked_mul(PIECE_REF_BYTES as u64).filter(|bytes| *bytes <= len - least);
        let Some(refs_bytes) = refs_bytes.filter(|_| count == raw_bytes.div_ceil(PIECE_BYTES as u64)) else {
            return Err(corrupt(trailer_at, "the trailer names other pieces than the file has"));
        };
        let segment_bytes = trailer.segment_bytes.get();
        if segment_bytes < raw_bytes {
            return Err(corrupt(trailer_at, "the trailer says more bytes than the segment had"));
        }
        if trailer.generation.get() != generation {
            return Err(corrupt(trailer_at, "the file is another segment's archive"));
        }
        let refs_at = trailer_at - refs_bytes;
        let mut refs = vec![0; refs_bytes as usize];
        file.read_at(&mut refs, refs_at)?;
        if crc32fast::hash(&refs) != trailer.pieces_crc.get() {
            return Err(corrupt(refs_at, "the checksum of the list of pieces does not match"));
        }
        let pieces: Vec<PieceRef> =
            refs.chunks_exact(PIECE_REF_BYTES).filter_map(|piece| PieceRef::read_from_bytes(piece).ok()).collect();
        Ok(Archived { name, file, segment_bytes, raw_bytes, pieces, last: Mutex::new(None) })
    }

    fn piece(&self, number: usize) -> Result<Bytes> {
        let mut last = held(&self.last);
        if let Some((_, bytes)) = last.as_ref().filter(|(kept, _)| *kept == number) {
            return Ok(bytes.clone());
        }
        let piece = &self.pieces[number];
        let offset = piece.offset.get();
        let corrupt = |what: &str| StoreError::Corrupt { file: self.name.clone(), offset, what: what.to_owned() };
        let raw_bytes = (self.raw_bytes - (number * PIECE_BYTES) as u64).min(PIECE_BYTES as u64);
        // What does not become smaller is kept as it is, so no piece is longer than its content.
        if u64::from(piece.bytes.get()) > raw_bytes {
            return Err(corrupt("a piece is longer than what is packed in it"));
        }
        let mut packed = vec![0; piece.bytes.get() as usize];
        self.file.read_at(&mut packed, offset)?;
        if crc32fast::hash(&packed) != piece.crc.get() {
            return Err(corrupt("a piece's checksum does not match"));
        }
        let raw = unpack(packed.into(), piece.codec, raw_bytes).map_err(corrupt)?;
        *last = Some((number, raw.clone()));
        Ok(raw)
    }

    fn not_written(&self) -> StoreError {
        let source = io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "an archive is never written again");
        StoreError::Io { operation: "write", file: self.name.clone(), source }
    }
}

impl File for Archived {
    fn len(&self) -> Result<u64> {
        Ok(self.segment_bytes)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        if offset.checked_add(buffer.len() as u64).is_none_or(|end| end > self.segment_bytes) {
            let what = format!("the segment has {} bytes, and more were expected", self.segment_bytes);
            return Err(StoreError::Corrupt { file: self.name.clone(), offset, what });
        }
        let used = self.raw_bytes.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let (buffer, zeroes) = buffer.split_at_mut(used);
        zeroes.fill(0);
        let mut done = 0;
        while done < buffer.len() {
            let at = offset as usize + done;
            let piece = self.piece(at / PIECE_BYTES)?;
            let from = at % PIECE_BYTES;
            let count = (piece.len() - from).min(buffer.len() - done);
            buffer[done..done + count].copy_from_slice(&piece[from..from + count]);
            done += count;
        }
        Ok(())
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> Result<()> {
        Err(self.not_written())
    }

    fn set_len(&self, _len: u64) -> Result<()> {
        Err(self.not_written())
    }

    fn preallocate(&self, _len: u64) -> Result<()> {
        Err(self.not_written())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}
