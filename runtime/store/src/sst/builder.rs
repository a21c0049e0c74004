//! How is a segment written?
//!
//! Block by block, as they come, in the segment's order; the directory, the filter, the index and the footer follow, and
//! the header last: a file that was not finished does not even begin like a segment.
//!
//! Holds: a builder that is given up removes its file. When [`Builder::finish`] returns, the file and its name are durable, and nothing is ever written to it again.
//! Not here: choosing the order (`flush`, `compact`).

use super::{block::encode, directory::DirectoryBuilder, filter::Filter, stats::Zone};
use crate::{
    config::Compression,
    error::Result,
    format::{
        Identity,
        header::{self, FILE_HEADER_BYTES},
        sst_v1::{
            ALIGN, BlockRefV1, ColumnKindV1, ENVELOPE_BYTES, Envelope, FOOTER_BYTES, FOOTER_MAGIC, Footer, IndexV1,
            MAGIC, PartRef, VERSION, part, type_to_v1,
        },
    },
    fs::{Disk, File},
    keys::{encode_row, hash_of, integer_key},
    pack::pack,
    run::{Bounds, Run, commit_of_lane},
    shape::Shape,
    tree::{FileId, SegmentKind, SegmentMeta, segment_name},
};
use rkyv::rancor;
use spectradb_kernel::{column::Vals, key::i64_bytes};
use std::sync::Arc;
use zerocopy::{FromZeros, IntoBytes};

/// Rows a block has at most.
pub(crate) const BLOCK_ROWS_MAX: usize = 16_384;

/// Rows a block aims at at least, however long they are.
const BLOCK_ROWS_MIN: usize = 16;

/// How many rows of so many bytes make a block of so many bytes?
pub(crate) fn block_rows(bytes_per_row: usize, block_bytes: usize) -> usize {
    (block_bytes / bytes_per_row.max(1)).clamp(BLOCK_ROWS_MIN, BLOCK_ROWS_MAX)
}

/// A segment being written.
#[derive(Debug)]
pub(crate) struct Builder {
    disk: Arc<dyn Disk>,
    file: Arc<dyn File>,
    identity: Identity,
    meta: SegmentMeta,
    shape: Arc<Shape>,
    bits_per_key: u32,
    compression: Compression,
    offset: u64,
    crc: crc32fast::Hasher,
    hasher: blake3::Hasher,
    blocks: Vec<BlockRefV1>,
    hashes: Vec<u64>,
    /// The last key, where keys are single integers.
    last_integer: Option<i64>,
    /// The first key, as long as none is missing between it and the last one: such keys need no filter.
    all_from: Option<i64>,
    bounds: Bounds,
    /// Of a history segment.
    directory: DirectoryBuilder,
    finished: bool,
}

/// What a new segment is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewSegment {
    pub(crate) file: FileId,
    pub(crate) shard: u16,
    pub(crate) level: u8,
    pub(crate) kind: SegmentKind,
    pub(crate) bits_per_key: u32,
    pub(crate) compression: Compression,
}

impl Builder {
    /// A new file for facts of a shape.
    pub(crate) fn create(
        disk: &Arc<dyn Disk>,
        identity: Identity,
        shape: &Arc<Shape>,
        new: NewSegment,
    ) -> Result<Builder> {
        let file = disk.create(&segment_name(new.file))?;
        let meta = SegmentMeta {
            file: new.file,
            table: shape.table,
            shard: new.shard,
            level: new.level,
            kind: new.kind,
            rows: 0,
            bytes: 0,
            commit_min: 0,
            commit_max: 0,
            system_to_max: 0,
            valid_from_min: 0,
            valid_to_max: 0,
            key_min: Vec::new(),
            key_max: Vec::new(),
            root: [0; 32],
        };
        Ok(Builder {
            disk: disk.clone(),
            file,
            identity,
            meta,
            shape: shape.clone(),
            bits_per_key: new.bits_per_key,
            compression: new.compression,
            offset: FILE_HEADER_BYTES as u64,
            crc: crc32fast::Hasher::new(),
            hasher: blake3::Hasher::new(),
            blocks: Vec::new(),
            hashes: Vec::new(),
            last_integer: None,
            all_from: None,
            bounds: Bounds::NONE,
            directory: DirectoryBuilder::default(),
            finished: false,
        })
    }

    /// How many bytes are written.
    pub(crate) fn bytes(&self) -> u64 {
        self.offset
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_at(bytes, self.offset)?;
        self.crc.update(bytes);
        self.offset += bytes.len() as u64;
        Ok(())
    }

    fn part(&mut self, kind: u8, raw: &[u8]) -> Result<PartRef> {
        // What is read at every open or look-up stays in place.
        let compression = if kind == part::BLOCK { self.compression } else { Compression::None };
        let (payload, codec) = pack(raw, compression);
        let payload = &*payload;
        let mut envelope = Envelope::new_zeroed();
        envelope.kind = kind;
        envelope.codec = codec;
        envelope.bytes = (payload.len() as u64).into();
        envelope.raw_bytes = (raw.len() as u64).into();
        let mut crc = crc32fast::Hasher::new();
        crc.update(&envelope.as_bytes()[4..]);
        crc.update(payload);
        envelope.crc = crc.finalize().into();
        let padding = (payload.len() as u64).next_multiple_of(ALIGN) as usize - payload.len();
        let mut bytes = Vec::with_capacity(ENVELOPE_BYTES + payload.len() + padding);
        bytes.extend_from_slice(envelope.as_bytes());
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len() + padding, 0);
        let part = PartRef { offset: self.offset.into(), bytes: (payload.len() as u64).into(), crc: envelope.crc };
        self.hasher.update(&bytes);
        self.write(&bytes)?;
        Ok(part)
    }

    /// Notes the keys of a block that are single integers; answers the least and the greatest.
    fn add_integers(&mut self, run: &Run, values: &Vals<'_, i64>) -> (Vec<u8>, Vec<u8>) {
        let first = values.at(0);
        let (mut min, mut max) = (first, first);
        if self.meta.kind == SegmentKind::History {
            for row in 0..run.len {
                let value = values.at(row);
                (min, max) = (min.min(value), max.max(value));
                self.directory.push_integer(value);
            }
            return (i64_bytes(min).to_vec(), i64_bytes(max).to_vec());
        }
        let mut last = self.last_integer;
        let hash = |value: i64| hash_of(&i64_bytes(value));
        for row in 0..run.len {
            let value = values.at(row);
            (min, max) = (min.min(value), max.max(value));
            // The facts of a key are neighbours in a segment of current ones.
            if last == Some(value) {
                continue;
            }
            match (self.all_from, last) {
                (_, None) => self.all_from = Some(value),
                (Some(_), Some(last)) if last.checked_add(1) == Some(value) => {}
                (Some(from), Some(last)) => {
                    self.hashes.extend((from..=last).map(hash));
                    self.hashes.push(hash(value));
                    self.all_from = None;
                }
                (None, Some(_)) => self.hashes.push(hash(value)),
            }
            last = Some(value);
        }
        self.last_integer = last;
        (i64_bytes(min).to_vec(), i64_bytes(max).to_vec())
    }

    /// Notes the keys of a block; answers the least and the greatest.
    fn add_keys(&mut self, run: &Run) -> (Vec<u8>, Vec<u8>) {
        let (mut key_min, mut key_max) = (Vec::new(), Vec::new());
        let (mut key, mut last, mut prefix) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..run.len {
            key.clear();
            encode_row(&run.columns, &self.shape.key, row, &mut key);
            if row == 0 || key < key_min {
                key_min.clone_from(&key);
            }
            if row == 0 || key > key_max {
                key_max.clone_from(&key);
            }
            if row == 0 || key != last {
                self.hashes.push(hash_of(&key));
                // What the keys of a composite key begin with is asked for as well.
                for columns in 1..self.shape.key.len() {
                    prefix.clear();
                    encode_row(&run.columns, &self.shape.key[..columns], row, &mut prefix);
                    if !last.starts_with(&prefix) {
                        self.hashes.push(hash_of(&prefix));
                    }
                }
                last.clone_from(&key);
            }
            if self.meta.kind == SegmentKind::History {
                self.directory.push_bytes(&key);
            }
        }
        (key_min, key_max)
    }

    /// Adds a block. Its facts follow those before in the segment's order.
    pub(crate) fn add(&mut self, run: &Run) -> Result<()> {
        if run.len == 0 {
            return Ok(());
        }
        let (key_min, key_max) = match integer_key(&run.columns, &self.shape.key) {
            Some(values) => self.add_integers(run, &values),
            None => self.add_keys(run),
        };
        let payload = encode(run, &self.shape);
        let placed = self.part(part::BLOCK, &payload)?;
        let bounds = run.bounds;
        self.blocks.push(BlockRefV1 {
            offset: placed.offset.get(),
            bytes: placed.bytes.get(),
            crc: placed.crc.get(),
            rows: run.len as u32,
            first_row: self.meta.rows,
            key_min: key_min.clone(),
            key_max: key_max.clone(),
            commit_min: bounds.commit_min,
            commit_max: bounds.commit_max,
            end_min: bounds.end_min,
            end_max: bounds.end_max,
            from_min: bounds.from_min,
            from_max: bounds.from_max,
            to_min: bounds.to_min,
            to_max: bounds.to_max,
            zones: run.columns.iter().map(|column| Zone::of(column).to_v1()).collect(),
        });
        if self.meta.rows == 0 || key_min < self.meta.key_min {
            self.meta.key_min = key_min;
        }
        if self.meta.rows == 0 || key_max > self.meta.key_max {
            self.meta.key_max = key_max;
        }
        self.bounds = self.bounds.union(bounds);
        self.meta.rows += run.len as u64;
        Ok(())
    }

    /// Writes what follows the blocks, and makes the file durable.
    pub(crate) fn finish(mut self) -> Result<SegmentMeta> {
        let mut footer = Footer::new_zeroed();
        if self.meta.kind == SegmentKind::History {
            let listed = std::mem::take(&mut self.directory).finish();
            footer.directory = self.part(part::DIRECTORY, &listed.archive())?;
            self.hashes.extend(listed.integers.iter().map(|key| hash_of(&i64_bytes(*key))));
            self.all_from = listed.integers.first().copied().filter(|_| listed.is_whole());
        }
        // Facts of one key need not be neighbours; single integers were counted once.
        if self.meta.kind == SegmentKind::History || self.last_integer.is_none() {
            self.hashes.sort_unstable();
            self.hashes.dedup();
        }
        if self.all_from.is_none() {
            let filter = Filter::of(&self.hashes, self.bits_per_key);
            footer.filter = self.part(part::FILTER, filter.bytes())?;
        }
        footer.block_count = (self.blocks.len() as u32).into();
        let columns = self.shape.columns.iter().map(|(id, ty)| {
            let (ty, precision, scale) = type_to_v1(*ty);
            ColumnKindV1 { id: id.0, ty, precision, scale }
        });
        let index = IndexV1 {
            schema_version: self.shape.version,
            columns: columns.collect(),
            key: self.shape.key.iter().map(|column_idx| *column_idx as u32).collect(),
            blocks: std::mem::take(&mut self.blocks),
        };
        let payload = rkyv::to_bytes::<rancor::Error>(&index).expect("an archive in memory takes everything");
        footer.index = self.part(part::INDEX, &payload)?;
        footer.magic = FOOTER_MAGIC;
        footer.table = self.meta.table.0.into();
        footer.kind = match self.meta.kind {
            SegmentKind::Current => 1,
            SegmentKind::History => 2,
        };
        footer.rows = self.meta.rows.into();
        footer.file = self.meta.file.into();
        footer.file_bytes = (self.offset + FOOTER_BYTES as u64).into();
        footer.root = *self.hasher.finalize().as_bytes();
        footer.crc = crc32fast::hash(&footer.as_bytes()[4..]).into();
        self.write(footer.as_bytes())?;
        let body_bytes = self.offset - FILE_HEADER_BYTES as u64;
        let head = header::head(MAGIC, VERSION, self.identity, body_bytes, self.crc.clone().finalize());
        self.file.write_at(head.as_bytes(), 0)?;
        self.file.sync()?;
        self.disk.sync_dir()?;
        self.finished = true;
        let bounds = self.bounds;
        Ok(SegmentMeta {
            bytes: self.offset,
            commit_min: commit_of_lane(bounds.commit_min),
            commit_max: commit_of_lane(bounds.commit_max),
            system_to_max: commit_of_lane(bounds.end_max),
            valid_from_min: bounds.from_min,
            valid_to_max: bounds.to_max,
            root: footer.root,
            ..self.meta.clone()
        })
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed now is removed at the next open.
            self.disk.remove(&segment_name(self.meta.file)).ok();
        }
    }
}
