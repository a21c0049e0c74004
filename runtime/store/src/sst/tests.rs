//! Does a segment give back what was written, and tell when its bytes were damaged?
//!
//! One small segment with every type and every encoding is written and read whole; then each of its bits is flipped and
//! each of its lengths tried: the reader gets the same facts or an error that names the file, never others.

use super::*;
use crate::{
    config::Compression,
    error::{Result, StoreError},
    format::Identity,
    fs::{Disk, MemDisk},
    keys::{Probe, encode_row, hash_of},
    run::{END_OPEN, Run, constant_integer, integers},
    scan::{SystemScope, ValidScope},
    shape::Shape,
    tree::{SegmentKind, SegmentMeta, segment_name},
    visible::Wanted,
};
use spectradb_kernel::{
    Column, Type, Value,
    key::{i64_bytes, prefix_len},
    schema::{ColumnId, TableId},
    time::{Date, Timestamp},
    value::Decimal,
};
use std::{ops::ControlFlow, sync::Arc};

const IDENTITY: Identity = Identity { database: [5; 16], timeline: 1, forked_at: 0, epoch: 4 };

const TYPES: [Type; 12] = [
    Type::Integer,
    Type::Text,
    Type::Boolean,
    Type::Real,
    Type::Real,
    Type::Numeric { precision: 20, scale: 2 },
    Type::Date,
    Type::Timestamp,
    Type::Blob,
    Type::Json,
    Type::Text,
    Type::Integer,
];

fn shape() -> Arc<Shape> {
    let columns = TYPES.iter().enumerate().map(|(i, ty)| (ColumnId(i as u32 + 1), *ty)).collect();
    Arc::new(Shape { table: TableId(4), version: 2, columns, key: vec![0, 1] })
}

fn value(column_idx: usize, row: i64) -> Value {
    match column_idx {
        0 => Value::Integer(row / 3),
        1 => Value::Text(["a", "m\0", "ä"][(row % 3) as usize].to_owned()),
        2 if row % 4 == 0 => Value::Null,
        2 => Value::Boolean(row % 2 == 0),
        3 => Value::Real(row as f64 * 1.5),
        4 => Value::Real((row % 3) as f64),
        5 => Value::Numeric(Decimal { units: i128::from(row) << 70, scale: 2 }),
        6 => Value::Date(Date(20_000 + row as i32 * 90)),
        7 => Value::Timestamp(Timestamp(row * 1_000_000_007 * 3600)),
        8 => Value::Blob(vec![row as u8; (row % 5) as usize]),
        9 => Value::Json(format!("{{\"n\":{row}}}")),
        10 if row % 7 == 0 => Value::Null,
        10 => Value::Text(format!("name {}", row % 4)),
        11 => Value::Null,
        _ => panic!("there is no such column"),
    }
}

fn run(rows: std::ops::Range<i64>, kind: SegmentKind) -> Run {
    let columns = TYPES.iter().enumerate().map(|(column_idx, ty)| {
        let values: Vec<Value> = rows.clone().map(|row| value(column_idx, row)).collect();
        Column::from_values(*ty, &values)
    });
    let lane = |of: fn(i64) -> i64| integers(Type::Integer, rows.clone().map(of).collect());
    let instants = |of: fn(i64) -> i64| integers(Type::Timestamp, rows.clone().map(of).collect());
    let len = rows.clone().count();
    let system_to = match kind {
        SegmentKind::Current => constant_integer(END_OPEN, len),
        SegmentKind::History => lane(|row| 1000 + row),
    };
    let periods = (instants(|row| -row), instants(|row| row * 1_000_000 + 1));
    Run::new(columns.collect(), periods, lane(|row| row % 50 + 1), lane(|row| row % 2), system_to)
}

/// How a segment is written, and how it is read.
const WAYS: [(Compression, bool); 4] =
    [(Compression::None, true), (Compression::None, false), (Compression::Lz4, true), (Compression::Zstd(3), false)];

fn write(
    disk: &Arc<dyn Disk>,
    kind: SegmentKind,
    rows: i64,
    block_rows: usize,
    compression: Compression,
) -> Result<SegmentMeta> {
    let new = NewSegment { file: 12, shard: 0, level: 0, kind, bits_per_key: 10, compression };
    let mut builder = Builder::create(disk, IDENTITY, &shape(), new)?;
    for start in (0..rows).step_by(block_rows) {
        builder.add(&run(start..rows.min(start + block_rows as i64), kind))?;
    }
    builder.finish()
}

/// All facts, as text, read block by block and then key by key.
fn read(disk: &Arc<dyn Disk>, meta: &SegmentMeta, mapped: bool) -> Result<Vec<String>> {
    let segment = Segment::open(disk, (&BlockCache::new(usize::MAX), &Arc::default()), IDENTITY, meta.clone(), mapped)?;
    let index = segment.index()?;
    let mut facts = Vec::new();
    let line = |run: &Run, row: usize| {
        let lanes = [&run.valid_from, &run.valid_to, &run.commit, &run.origin, &run.system_to];
        let values: Vec<Value> = run.columns.iter().chain(lanes).map(|column| column.value(row)).collect();
        format!("{values:?}")
    };
    for block in &index.blocks {
        let run = segment.run(block)?;
        for row in 0..run.len {
            facts.push(line(&run, row));
            let mut key = Vec::new();
            encode_row(&run.columns, &index.shape.key, row, &mut key);
            let probe = Probe::new(&key, &mut index.shape.key_types());
            let wanted = Wanted::new(5000, SystemScope::All, ValidScope::All);
            let mut found = 0;
            let walked = segment.visit(&probe, &wanted, &mut |hit| {
                assert_eq!(line(hit.run, hit.row), line(&run, row), "keys are distinct");
                found += 1;
                ControlFlow::Continue(())
            })?;
            assert!(walked.is_continue());
            let prefix_len = prefix_len(&key, &[index.shape.key_types().next().expect("a key has a column")]);
            if !segment.may_hold_prefix(&key[..prefix_len.expect("the key was encoded")])? {
                facts.push("the filter lost a prefix".to_owned());
            }
            if found != 1 {
                // The filter or the directory lost a key: told apart from an error.
                facts.push(format!("found {found} times"));
            }
        }
    }
    Ok(facts)
}

fn disk_with(bytes: &[u8]) -> Arc<dyn Disk> {
    let disk: Arc<dyn Disk> = Arc::new(MemDisk::new());
    let file = disk.create(&segment_name(12)).expect("memory takes a file");
    file.write_at(bytes, 0).expect("memory takes bytes");
    disk
}

fn bytes_of(disk: &Arc<dyn Disk>) -> Vec<u8> {
    disk.map(&segment_name(12)).expect("it is there").to_vec()
}

fn each_way() -> impl Iterator<Item = (SegmentKind, (Compression, bool))> {
    [SegmentKind::Current, SegmentKind::History].into_iter().flat_map(|kind| WAYS.map(|way| (kind, way)))
}

#[test]
fn every_type_and_encoding_comes_back() {
    let mut plain_bytes = 0;
    for (kind, (compression, mapped)) in each_way() {
        let disk: Arc<dyn Disk> = Arc::new(MemDisk::new());
        let meta = write(&disk, kind, 1200, 500, compression).expect("writes");
        if compression == Compression::None {
            plain_bytes = meta.bytes;
        } else {
            assert!(meta.bytes < plain_bytes * 3 / 4, "{} of {plain_bytes} bytes", meta.bytes);
        }
        let facts = read(&disk, &meta, mapped).expect("reads");
        let whole = run(0..1200, kind);
        let expected = (0..1200).map(|row| {
            let lanes = [&whole.valid_from, &whole.valid_to, &whole.commit, &whole.origin, &whole.system_to];
            let values: Vec<Value> = whole.columns.iter().chain(lanes).map(|column| column.value(row)).collect();
            format!("{values:?}")
        });
        assert!(facts.iter().cloned().eq(expected));
        assert_eq!((meta.rows, meta.commit_min, meta.commit_max), (1200, 1, 50));
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_found_or_harmless() {
    for (kind, (compression, mapped)) in each_way() {
        let disk: Arc<dyn Disk> = Arc::new(MemDisk::new());
        let meta = write(&disk, kind, 8, 5, compression).expect("writes");
        let whole = bytes_of(&disk);
        let facts = read(&disk, &meta, mapped).expect("reads");
        let check = |damaged: &[u8], what: &str| match read(&disk_with(damaged), &meta, mapped) {
            Ok(read) => assert_eq!(read, facts, "{what} changed the answer"),
            Err(StoreError::Corrupt { file, .. } | StoreError::FormatVersion { file, .. }) => {
                assert_eq!(file, segment_name(12));
            }
            Err(other) => panic!("{what}: {other}"),
        };
        for byte in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[byte] ^= 1 << (byte * 5 % 8);
            check(&damaged, &format!("a flipped bit in byte {byte}"));
        }
        for len in (0..whole.len()).step_by(13) {
            check(&whole[..len], &format!("a cut at {len}"));
        }
        // A part that is whole but stands in another's place.
        let mut swapped = whole.clone();
        swapped.copy_within(128..192, 192);
        check(&swapped, "a copied envelope");
    }
}

/// A filter that lets every key through costs bytes and tells nothing: it is left out where no key is missing, over any
/// number of blocks and versions of a key, and only there.
#[test]
fn keys_without_a_gap_need_no_filter() {
    let shape =
        Arc::new(Shape { table: TableId(4), version: 1, columns: vec![(ColumnId(1), Type::Integer)], key: vec![0] });
    for (blocks, has_filter) in [
        (vec![vec![5, 6, 7], vec![8, 9]], false),
        (vec![vec![5, 6, 6], vec![6, 7, 7]], false),
        (vec![vec![i64::MAX]], false),
        (vec![vec![5, 6, 8]], true),
        (vec![vec![5, 6], vec![7, 9], vec![10]], true),
    ] {
        let disk: Arc<dyn Disk> = Arc::new(MemDisk::new());
        let new = NewSegment {
            file: 12,
            shard: 0,
            level: 0,
            kind: SegmentKind::Current,
            bits_per_key: 10,
            compression: Compression::None,
        };
        let mut builder = Builder::create(&disk, IDENTITY, &shape, new).expect("memory takes it");
        let mut first = 0;
        for keys in &blocks {
            let len = keys.len() as i64;
            let from = integers(Type::Timestamp, (first..first + len).collect());
            let to = integers(Type::Timestamp, (first + 1..first + len + 1).collect());
            first += len;
            let lane = |value| constant_integer(value, keys.len());
            let columns = vec![Column::from_i64s(Type::Integer, keys.clone())];
            let run = Run::new(columns, (from, to), lane(1), lane(0), lane(END_OPEN));
            builder.add(&run).expect("memory takes it");
        }
        let meta = builder.finish().expect("memory takes it");
        let segment = Segment::open(&disk, (&BlockCache::new(usize::MAX), &Arc::default()), IDENTITY, meta, true)
            .expect("it opens");
        segment.audit().expect("it is whole");
        let keys: Vec<i64> = blocks.concat();
        for key in (0..12).chain([i64::MAX]) {
            let bytes = i64_bytes(key);
            let probe = Probe::new(&bytes, &mut std::iter::once(Type::Integer));
            let mut found = 0;
            let walked = segment.visit(&probe, &Wanted::new(9, SystemScope::All, ValidScope::All), &mut |_| {
                found += 1;
                ControlFlow::Continue(())
            });
            assert!(walked.is_ok_and(|walked| walked.is_continue()));
            assert_eq!(found, keys.iter().filter(|other| **other == key).count(), "{key} of {keys:?}");
        }
        let strangers = (100..200)
            .filter(|number| segment.filter().is_ok_and(|filter| filter.may_hold(hash_of(&i64_bytes(*number)))));
        assert_eq!(strangers.count() < 100, has_filter, "{keys:?}");
    }
}

/// The bytes of version 1 never change: old files stay readable.
#[test]
fn golden() {
    let disk: Arc<dyn Disk> = Arc::new(MemDisk::new());
    let meta = write(&disk, SegmentKind::History, 300, 290, Compression::None).expect("writes");
    let bytes = bytes_of(&disk);
    assert_eq!(bytes.len(), 29_888);
    assert_eq!(
        blake3::hash(&bytes).to_hex().as_str(),
        "867a696e3b1b23f47bd206060f0a3ee3013c118244b8749f412fb348a7360adb"
    );
    assert_eq!(meta.bytes, bytes.len() as u64);
}
