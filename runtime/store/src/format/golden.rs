//! Do the formats still have the bytes that files of version 1 have?
//!
//! One small artefact of each kind is encoded with fixed identity and seed, held against bytes kept as hexadecimal text
//! beside this file, and read back. A difference is a change of the format: it needs a new version, not new golden bytes.
//!
//! Not here: segments and notes, whose golden bytes stand with their formats.

use super::{
    Identity,
    catalog_v1::{CATALOG_MAGIC, CATALOG_VERSION, decode_versions, encode_versions},
    frame::{FrameHeader, FramePlace, RecordHead, RecordKind},
    header::{open, seal},
    log_v1::{ReadWrite, Sections, put_begin},
    manifest_v1::{MANIFEST_MAGIC, MANIFEST_VERSION, decode, encode},
};
use crate::{
    catalog::{Catalog, CatalogChange, CatalogVersion},
    chain::{BatchShape, commit_root, link},
    fact::{FactBatch, FactId, Retraction, Superseded, Write},
    log::LogEnd,
    manifest::{Erasing, Fork, KnownEnd, ManifestState},
    salts::{ErasedLeaf, Secret},
    tree::{Checkpoint, NotesMeta, SegmentKind, SegmentMeta},
};
use spectradb_kernel::{
    Column, Period, Type, Value,
    schema::{ColumnId, ColumnSchema, TableId, TableKind, TableSchema},
    time::{Date, Timestamp},
    value::Decimal,
};
use std::{fmt::Write as _, sync::Arc};
use zerocopy::IntoBytes;

const IDENTITY: Identity = Identity { database: *b"0123456789abcdef", timeline: 1, forked_at: 0, epoch: 3 };

/// Bytes as lines of 32, in hexadecimal.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(32) {
        line.iter().for_each(|byte| write!(text, "{byte:02x}").expect("a String takes all"));
        text.push('\n');
    }
    text
}

#[track_caller]
fn assert_golden(bytes: &[u8], golden: &str) {
    let dumped = dump(bytes);
    assert!(dumped == golden, "the bytes have changed; they are now:\n{dumped}");
}

/// A write with every type, constants, NULLs, leftovers, deletions, superseded facts and metadata.
fn write() -> (Write, Vec<BatchShape>) {
    let numeric = Type::Numeric { precision: 10, scale: 2 };
    let units = |units| Value::Numeric(Decimal { units, scale: 2 });
    let text = |text: &str| Value::Text(text.to_owned());
    let columns = vec![
        Column::from_i64s(Type::Integer, vec![7, 5]),
        Column::from_values(Type::Text, &[text("seven"), Value::Null]),
        Column::from_f64s(vec![0.5, -1.0]),
        Column::from_values(Type::Boolean, &[Value::Boolean(true), Value::Null]),
        Column::from_values(numeric, &[units(1250), units(-1)]),
        Column::from_values(Type::Blob, &[Value::Blob(vec![1, 2]), Value::Blob(vec![])]),
        Column::from_values(Type::Date, &[Value::Date(Date(1)), Value::Date(Date(-1))]),
        Column::constant(Type::Timestamp, Value::Timestamp(Timestamp(9)), 2),
        Column::constant(Type::Json, Value::Null, 2),
    ];
    let shape = BatchShape { key: vec![0], ids: (1..=columns.len() as u32).map(ColumnId).collect() };
    let batch = FactBatch {
        table: TableId(1),
        schema_version: 1,
        columns,
        periods: vec![Period::new(10, 20).expect("not empty"), Period::ALWAYS],
        origins: vec![2, 0],
    };
    let plain = FactBatch {
        table: TableId(2),
        schema_version: 4,
        columns: vec![Column::from_i64s(Type::Integer, vec![1])],
        periods: vec![Period::ALWAYS],
        origins: vec![0],
    };
    let write = Write {
        facts: vec![batch, plain],
        retractions: vec![Retraction {
            table: TableId(1),
            keys: vec![Column::from_i64s(Type::Integer, vec![8])],
            periods: vec![Period::ALWAYS],
        }],
        superseded: vec![Superseded {
            table: TableId(1),
            facts: vec![FactId { key: vec![0x80, 0, 0, 0, 0, 0, 0, 8], valid_from: i64::MIN, commit: 1 }],
        }],
        metadata: Some("{\"actor\":\"a\"}".to_owned()),
        ..Write::default()
    };
    (write, vec![shape, BatchShape { key: vec![0], ids: vec![ColumnId(1)] }])
}

#[test]
fn a_commit_in_the_log() {
    let (write, shapes) = write();
    let column_ids: Vec<Vec<ColumnId>> = shapes.iter().map(|shape| shape.ids.clone()).collect();
    let seed = Secret::Seed([9; 32]);
    let mut payload = Vec::new();
    assert!(Sections::new(&write, &column_ids, &seed, None).next_payload(&mut payload), "one frame holds it");
    let head = RecordHead {
        timeline: 1,
        kind: RecordKind::Commit,
        record: 5,
        commit: 4,
        instant: 1_000,
        catalog_version: 2,
        epoch: IDENTITY.epoch,
        term: 0,
        previous: [1; 32],
    };
    let link = link(IDENTITY.database, &head, &commit_root(&write, &shapes, &seed));
    let place = FramePlace { generation: 1, offset: 640, frame_idx: 0, durable_through: 4, link: Some(link) };
    let header = FrameHeader::new(IDENTITY, &head, &place, &payload);
    let mut frame = header.as_bytes().to_vec();
    frame.extend_from_slice(&payload);
    assert_golden(&frame, include_str!("golden/frame_v1.hex"));

    let found = FrameHeader::read(&frame).expect("it is whole");
    assert!(found.belongs(&IDENTITY, 1, 640) && found.fits(&payload));
    assert_eq!((found.head(), found.link()), (head, Some(link)));
    let mut read = ReadWrite::default();
    read.add(&payload).expect("it is well-formed");
    assert_eq!((&read.secret, &read.column_ids), (&seed, &column_ids));
    assert_eq!(format!("{:?}", read.write.superseded), format!("{:?}", write.superseded));
    assert_eq!(read.write.metadata, write.metadata);
    for (read, written) in read.write.facts.iter().zip(&write.facts) {
        assert_eq!(read.columns, written.columns);
        assert_eq!((&read.periods, &read.origins), (&written.periods, &written.origins));
    }
    assert_eq!(commit_root(&read.write, &shapes, &seed), commit_root(&write, &shapes, &seed));
}

#[test]
fn the_beginning_of_a_record_with_erased_leaves() {
    let leaf = |place, op, ended| ErasedLeaf { place, table: TableId(1), op, ended, leaf: [op; 32] };
    let secret = Secret::Seed([9; 32]).without(5, &[leaf(1, 2, 0), leaf(3, 4, 7)]);
    let mut payload = Vec::new();
    put_begin(&secret, Some("{}"), &mut payload);
    assert_golden(&payload, include_str!("golden/begin_erased_v1.hex"));
    let mut read = ReadWrite::default();
    read.add(&payload).expect("it is well-formed");
    assert_eq!((read.secret, read.write.metadata.as_deref()), (secret, Some("{}")));
}

#[test]
fn the_beginning_of_a_record_whose_leaves_are_lost() {
    let secret = Secret::Seed([9; 32]).lost(TableId(3), 5).lost(TableId(2), 1).lost(TableId(3), 1).lost(TableId(4), 0);
    let mut payload = Vec::new();
    put_begin(&secret, None, &mut payload);
    let expected: &[u8] = &[7, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(payload, expected);
    let mut read = ReadWrite::default();
    read.add(&payload).expect("it is well-formed");
    assert_eq!((read.secret, read.write.metadata), (secret, None));
}

#[test]
fn a_catalogue_file() {
    let column = |id, name: &str, ty, default: Option<&str>, hidden| ColumnSchema {
        id: ColumnId(id),
        name: name.to_owned(),
        ty,
        nullable: id > 1,
        default: default.map(str::to_owned),
        hidden,
    };
    let table = Arc::new(TableSchema {
        id: TableId(1),
        name: "prices".to_owned(),
        version: 1,
        kind: TableKind::Typed,
        columns: vec![
            column(1, "id", Type::Integer, None, true),
            column(2, "price", Type::Numeric { precision: 12, scale: 2 }, Some("0"), false),
        ],
        key: vec![0],
    });
    let version = |version, change, record| CatalogVersion {
        catalog: Arc::new(Catalog { version, ..Catalog::default() }),
        change: Some(change),
        after_commit: version - 1,
        instant: 100 * version as i64,
        record,
    };
    let versions = [
        version(1, CatalogChange::Create(table.clone()), 1),
        version(2, CatalogChange::Retain(TableId(1), Some(90)), 4),
        version(3, CatalogChange::Drop(TableId(1)), 5),
    ];
    let file = seal(CATALOG_MAGIC, CATALOG_VERSION, IDENTITY, &encode_versions(versions.iter()));
    assert_golden(&file, include_str!("golden/catalog_v1.hex"));
    let (_, body) = open("catalog", &file, CATALOG_MAGIC, CATALOG_VERSION).expect("it is whole");
    let changes = decode_versions(body).expect("it is well-formed");
    assert_eq!(
        changes.iter().map(|placed| &placed.change).collect::<Vec<_>>(),
        [&CatalogChange::Create(table), &CatalogChange::Retain(TableId(1), Some(90)), &CatalogChange::Drop(TableId(1))]
    );
    assert_eq!((changes[1].after_commit, changes[1].instant, changes[1].record), (1, 200, 4));
}

#[test]
fn a_manifest() {
    let mut state = ManifestState::empty(2);
    state.tree.segments.push(SegmentMeta {
        file: 1,
        table: TableId(1),
        shard: 1,
        level: 0,
        kind: SegmentKind::Current,
        rows: 2,
        bytes: 4096,
        commit_min: 1,
        commit_max: 3,
        system_to_max: u64::MAX,
        valid_from_min: i64::MIN,
        valid_to_max: i64::MAX,
        key_min: vec![1],
        key_max: vec![2, 3],
        root: [4; 32],
    });
    state.tree.notes.push(NotesMeta { file: 2, bytes: 256, targets: vec![1], count: 1, root: [5; 32] });
    state.tree.pruned.insert(TableId(1), 2);
    state.tree.next_file = 3;
    state.tree.checkpoint = Checkpoint { commit: 3, record: 4 };
    state.checkpoint = LogEnd {
        generation: 1,
        offset: 1024,
        record: 4,
        commit: 3,
        instant: 900,
        commit_instant: 800,
        catalog_version: 1,
        link: [6; 32],
    };
    state.known = KnownEnd { record: 7, link: Some([7; 32]), generation: 2 };
    state.log_last = 2;
    state.closed_clean = true;
    state.forks.push(Fork { timeline: 1, record: 3, commit: 2, link: [8; 32] });
    state.catalog_file = 1;
    state.erasing = vec![Erasing { generation: 1, offset: 288, header_crc: 0x1234_5678 }];
    (state.receipts, state.erased_facts) = (1, 9);
    // Most of the bytes are the slots, which follow from the number of shards: their hash is kept.
    let body = encode(&state);
    let slots: Vec<u8> = state.slots.iter().flat_map(|shard| shard.to_le_bytes()).collect();
    let at = body.windows(64).position(|window| window == &slots[..64]).expect("the slots are in the body");
    assert_eq!(body[at..at + slots.len()], slots);
    let mut rest = body[..at].to_vec();
    rest.extend_from_slice(&body[at + slots.len()..]);
    assert_golden(&rest, include_str!("golden/manifest_v1.hex"));
    let file = seal(MANIFEST_MAGIC, MANIFEST_VERSION, IDENTITY, &body);
    let (header, body) = open("manifest", &file, MANIFEST_MAGIC, MANIFEST_VERSION).expect("it is whole");
    assert_eq!((header.identity(), decode(body)), (IDENTITY, Some(state)));
}
