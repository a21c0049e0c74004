//! Is what was erased gone also where a search through the files' bytes does not look: in what is packed, encoded, hashed?
//!
//! Keys of two columns, of which the text repeats so that blocks give it a dictionary; facts valid in stretches, corrected in
//! the past, told afterwards, deleted. Every file is then opened: blocks and archives are unpacked and searched, their rows are
//! decoded, bounds of indexes and of bulk records are looked at, filters are asked, the log is read record by record.

use super::*;
use crate::{
    Config,
    archive::{archive_generation, open_log},
    catalog::{NewColumn, NewTable},
    clock::ManualClock,
    config::{CompressionPolicy, LogArchive},
    fact::{FactBatch, FactId, Retraction, Superseded, Write},
    fs::{Fault, MemDisk, SimDisk},
    keys::encode_row,
    proof::Digest,
    replay::RecordBody,
    salts::Secret,
};
use spectradb_kernel::{
    Column, Period, Type, Value, key,
    schema::{TableKind, TableSchema},
    time::Commit,
};
use std::{collections::BTreeMap, sync::Arc};

const SECRET: &str = "unspeakable";

fn open(disk: &(impl Disk + Clone + 'static), config: &Config) -> Result<Store> {
    Store::open(Arc::new(disk.clone()), Arc::new(ManualClock::new(1_000_000)), config.clone())
}

/// Key, where it begins to be valid, name.
type Row<'a> = ((&'a str, i64), i64, String);

fn new_table() -> NewTable {
    let column = |name: &str, ty| NewColumn { name: name.into(), ty, nullable: false, default: None, hidden: false };
    let columns = vec![column("tenant", Type::Text), column("id", Type::Integer), column("name", Type::Text)];
    NewTable { name: "people".to_owned(), kind: TableKind::Typed, columns, key: vec![0, 1] }
}

fn key_of((tenant, id): (&str, i64)) -> Vec<u8> {
    let mut bytes = Vec::new();
    key::encode_values(&[Value::from(tenant), Value::Integer(id)], &[Type::Text, Type::Integer], &mut bytes);
    bytes
}

fn keys_columns(rows: &[Row<'_>]) -> Vec<Column> {
    let tenants: Vec<Value> = rows.iter().map(|((tenant, _), ..)| Value::from(*tenant)).collect();
    let ids = rows.iter().map(|((_, id), ..)| *id).collect();
    vec![Column::from_values(Type::Text, &tenants), Column::from_i64s(Type::Integer, ids)]
}

/// A write that states rows from their beginnings on, or ends what is there.
fn write_of(store: &Store, table: &TableSchema, rows: &[Row<'_>], states: bool) -> Write {
    let snapshot = store.snapshot();
    let keys: Vec<Vec<u8>> = rows.iter().map(|(key, ..)| key_of(*key)).collect();
    let periods: Vec<Period> =
        rows.iter().map(|(_, from, _)| Period::new(*from, i64::MAX).expect("it begins")).collect();
    let overlaps = snapshot.overlapping(table.id, &keys, &periods).expect("it reads");
    // Only what begins later than the row is superseded here; the workload tells rows of a key from the latest to the earliest.
    let ended = overlaps.iter().map(|overlap| FactId {
        key: keys[overlap.key_idx].clone(),
        valid_from: overlap.period.from(),
        commit: overlap.commit,
    });
    let superseded = vec![Superseded { table: table.id, facts: ended.collect() }];
    let mut columns = keys_columns(rows);
    let mut write = Write {
        snapshot: snapshot.commit(),
        record: snapshot.record(),
        catalog_version: snapshot.catalog().version,
        superseded,
        ..Write::default()
    };
    if states {
        let names: Vec<Value> = rows.iter().map(|(_, _, name)| Value::from(name.as_str())).collect();
        columns.push(Column::from_values(Type::Text, &names));
        let origins = vec![0; rows.len()];
        write.facts = vec![FactBatch { table: table.id, schema_version: table.version, columns, periods, origins }];
    } else {
        write.retractions = vec![Retraction { table: table.id, keys: columns, periods }];
    }
    write
}

fn tenant(id: i64) -> &'static str {
    ["acme", "unspeakable-inc", "zeta"][(id % 3) as usize]
}

fn rows(ids: std::ops::Range<i64>, from: i64, version: i64) -> Vec<Row<'static>> {
    let name =
        |id: i64| if id % 3 == 1 { format!("{SECRET}-{}-{version}", id % 5) } else { format!("n{}-{version}", id % 5) };
    ids.map(|id| ((tenant(id), id), from, name(id))).collect()
}

/// Several versions of 90 keys, of which 30 are to be erased: one whole key prefix.
fn fill(store: &Store) -> TableSchema {
    let table = store.create_table(new_table(), 0).expect("the name is free");
    let commit = |write| store.commit(write).map(|_| ()).unwrap_or_else(|error| panic!("{error}"));
    commit(Write { system_time: Some(400_000), ..write_of(store, &table, &rows(0..90, 900_000, 0), true) });
    store.flush().expect("nothing fails");
    // In the past of valid time, and told long after.
    commit(Write { system_time: Some(500_000), ..write_of(store, &table, &rows(0..60, 700_777, 1), true) });
    store.compact().expect("nothing fails");
    commit(write_of(store, &table, &rows(30..90, 600_000, 2), true));
    commit(write_of(store, &table, &rows(4..5, 0, 0), false));
    store.flush().expect("nothing fails");
    commit(write_of(store, &table, &rows(0..20, 500_000, 3), true));
    (*table).clone()
}

fn erased_keys() -> Vec<Vec<u8>> {
    (0..90).filter(|id| id % 3 == 1).map(|id| key_of((tenant(id), id))).collect()
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

/// Opens every file and searches everything that is in it.
fn assert_no_trace(store: &Store, disk: &dyn Disk, story: &str) {
    let inner = store.inner();
    let keys = erased_keys();
    let table = store.catalog().by_name("people").cloned().expect("the table");
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for name in disk.list().expect("it lists").into_iter().filter(|name| name != "lock") {
        files.insert(name.clone(), disk.map(&name).expect("it reads").to_vec());
    }
    let view = inner.tree.view();
    for segment in view.version.tables.values().flat_map(|files| files.segments()) {
        let raw = files.get_mut(&crate::tree::segment_name(segment.meta.file)).expect("the file is there");
        segment.unpacked().expect("it reads").iter().for_each(|payload| raw.extend_from_slice(payload));
        if segment.meta.table != table.id {
            continue;
        }
        let index = segment.index().expect("it reads");
        let mut key = Vec::new();
        let meta = [&segment.meta.key_min, &segment.meta.key_max];
        let bounds = index.blocks.iter().flat_map(|block| [&*block.key_min, &*block.key_max]);
        for bound in bounds.chain(meta.into_iter().map(Vec::as_slice)) {
            assert!(!keys.iter().any(|key| key == bound), "{story}: a bound is of an erased key");
        }
        for block in &index.blocks {
            let run = segment.run(block).expect("it reads");
            for row in 0..run.len {
                key.clear();
                encode_row(&run.columns, &index.shape.key, row, &mut key);
                assert!(!keys.contains(&key), "{story}: a block has a row");
            }
        }
        let may_hold = keys.iter().filter(|key| segment.may_hold(key).expect("it reads")).count();
        assert!(may_hold < keys.len() / 3, "{story}: the filter knows {may_hold} of {} keys", keys.len());
    }
    drop(view);
    let segments = files.keys().filter(|name| name.ends_with(".sst")).count();
    let named = inner.tree.view().version.tables.values().map(|files| files.segments().count()).sum::<usize>();
    assert_eq!(segments, named, "{story}: every segment was opened");
    for (name, raw) in &mut files {
        if let Some(generation) = archive_generation(name) {
            let file = open_log(disk, generation).expect("it opens");
            let mut unpacked = vec![0; file.len().expect("it is open") as usize];
            file.read_at(&mut unpacked, 0).expect("it reads");
            raw.extend(unpacked);
        }
        assert!(!contains(raw, SECRET.as_bytes()), "{story}: {name}");
        assert!(keys.iter().all(|key| !contains(raw, key)), "{story}: {name} has a key");
    }
    assert_records_tell_nothing(store, &keys, story);
}

/// What the log's records say of files: neither bounds of keys or times nor a hash without salt.
fn assert_records_tell_nothing(store: &Store, keys: &[Vec<u8>], story: &str) {
    let inner = store.inner();
    let state = inner.manifest.state();
    if state.log_first > 1 {
        return;
    }
    let mut scan = inner.scan_from(1, store.snapshot().record()).expect("it reads");
    while let Some(found) = scan.next_record().expect("it reads") {
        for file in found.bulk.iter().flat_map(|bulk| &bulk.files) {
            assert!(!keys.contains(&file.key_min) && !keys.contains(&file.key_max), "{story}");
            if matches!(found.secret, Secret::Left(_)) {
                assert_eq!(
                    (file.valid_from_min, file.valid_to_max, file.root),
                    (i64::MIN, i64::MAX, [0; 32]),
                    "{story}"
                );
            }
        }
        if let RecordBody::Commit { write, .. } = &found.record.body {
            let ends = write.superseded.iter().flat_map(|superseded| &superseded.facts);
            assert!(ends.into_iter().all(|fact| !keys.contains(&fact.key)), "{story}");
        }
    }
}

fn settings() -> Vec<Config> {
    let base = Config {
        log_segment_bytes: 4 << 10,
        sstable_block_bytes: 2 << 10,
        background: false,
        compression: CompressionPolicy::COLD,
        ..Config::default()
    };
    vec![
        Config { log_archive: LogArchive::Compress, shard_count: Some(3), bulk_bytes_min: usize::MAX, ..base.clone() },
        Config { log_archive: LogArchive::Keep, shard_count: Some(1), bulk_bytes_min: 0, ..base.clone() },
        Config {
            log_archive: LogArchive::Keep,
            shard_count: Some(3),
            bulk_bytes_min: 500,
            mapped: false,
            ..base.clone()
        },
        Config { log_archive: LogArchive::Drop, shard_count: Some(2), bulk_bytes_min: 0, ..base },
    ]
}

fn check(store: &Store, before: &Digest, story: &str) {
    let verified = store.verify(Some(before)).unwrap_or_else(|error| panic!("{story}: {error}"));
    assert_eq!(verified.difference, None, "{story}");
}

#[test]
fn nothing_is_left_in_what_is_packed_encoded_or_hashed() {
    for config in settings() {
        let disk = MemDisk::new();
        let store = open(&disk, &config).expect("a new database");
        let table = fill(&store);
        let story = format!("{config:?}");
        let before = store.digest().expect("it reads");
        // Readers that were there before, here and in another process.
        let held = store.snapshot();
        let beside = open(&disk, &Config { read_only: true, ..config.clone() }).expect("it opens");
        let rows_of = |snapshot: &crate::Snapshot| {
            let periods = vec![Period::ALWAYS; erased_keys().len()];
            snapshot.overlapping(table.id, &erased_keys(), &periods).expect("it reads").len()
        };
        let (here, there) = (rows_of(&held), rows_of(&beside.snapshot()));
        assert!(here > 0 && here == there, "{story}");
        assert!(store.erase(table.id, &erased_keys()).expect("it writes").is_some(), "{story}");
        assert_eq!((rows_of(&held), rows_of(&store.snapshot())), (here, 0), "{story}: a snapshot stays what it is");
        // The reader in another process goes on, and lets the old files go.
        assert_eq!(rows_of(&beside.snapshot()), 0, "{story}");
        store.inner().readers.sweep();
        assert_no_trace(&store, &disk, &format!("{story}: beside readers"));
        drop((held, beside));
        check(&store, &before, &story);
        store.compact().expect("nothing fails");
        assert_no_trace(&store, &disk, &format!("{story}: compacted"));
        store.close().expect("nothing fails");
        drop(store);
        let store = open(&disk, &config).expect("it opens");
        assert_no_trace(&store, &disk, &format!("{story}: opened again"));
        check(&store, &before, &story);
    }
}

#[test]
fn a_reader_that_never_goes_on_holds_files_and_they_are_told() {
    let disk = MemDisk::new();
    let config = settings().remove(0);
    let store = open(&disk, &config).expect("a new database");
    let table = fill(&store);
    let beside = open(&disk, &Config { read_only: true, ..config }).expect("it opens");
    assert!(store.erase(table.id, &erased_keys()).expect("it writes").is_some());
    assert!(store.waiting_figures().0 > 0, "the reader's files wait for it");
    drop(beside);
    assert_eq!(store.waiting_figures(), (0, 0));
    assert_no_trace(&store, &disk, "the reader is gone");
}

#[test]
fn a_power_failure_at_every_sync_leaves_all_or_no_trace() {
    for config in [settings().remove(0), settings().remove(2)] {
        let disk = SimDisk::new(3);
        let store = open(&disk, &config).expect("a new database");
        let table = fill(&store);
        let before = store.digest().expect("it reads");
        drop(store);
        let trial = disk.copy();
        let store = open(&trial, &config).expect("it opens");
        let began = trial.syncs();
        store.erase(table.id, &erased_keys()).expect("nothing fails");
        let syncs = trial.syncs() - began;
        for sync in 1..=syncs {
            let disk = disk.copy();
            let store = open(&disk, &config).expect("it opens");
            let at = disk.syncs() + sync;
            disk.inject(if sync % 2 == 0 { Fault::PowerAfterSync(at) } else { Fault::PowerBeforeSync(at) });
            let acknowledged = store.erase(table.id, &erased_keys()).is_ok();
            drop(store);
            let story = format!("sync {sync} of {syncs}, {config:?}");
            let disk = disk.after_crash(sync);
            let store = open(&disk, &config).unwrap_or_else(|error| panic!("{story}: {error}"));
            let again = store.erase(table.id, &erased_keys()).unwrap_or_else(|error| panic!("{story}: {error}"));
            assert!(again.is_none() || !acknowledged, "{story}: it was acknowledged");
            assert_no_trace(&store, &disk, &story);
            check(&store, &before, &story);
        }
    }
}

/// A large write is prepared, files and all, before the erasure and committed after it: it is refused, and its files go.
#[test]
fn a_prepared_write_of_an_erased_key_is_refused_and_leaves_no_file() {
    let disk = MemDisk::new();
    let config = settings().remove(1);
    let store = open(&disk, &config).expect("a new database");
    let table = fill(&store);
    let inner = store.inner();
    // Key 100 is new, so that nothing is superseded; it is erased after the write began and before it commits.
    let fresh = || write_of(&store, &table, &[(("unspeakable-inc", 1_000_001), 0, format!("{SECRET}-x"))], true);
    store.commit(fresh()).expect("no conflict");
    store
        .commit(write_of(&store, &table, &[(("unspeakable-inc", 1_000_001), 0, String::new())], false))
        .expect("no conflict");
    let write = fresh();
    assert!(write.superseded.iter().all(|superseded| superseded.facts.is_empty()), "a write that meets nothing");
    let prepared =
        crate::commit::Prepared::new(write, &inner.catalogs.newest(), [7; 32], &inner.tree).expect("it writes");
    let mut keys = erased_keys();
    keys.push(key_of(("unspeakable-inc", 1_000_001)));
    assert!(store.erase(table.id, &keys).expect("it writes").is_some());
    let refused = held(&inner.sequencer).commit(&prepared, &inner.tree, &**inner.clock(), &Default::default());
    assert!(matches!(refused, Err(crate::CommitError::Erased { .. })), "{refused:?}");
    drop(prepared);
    assert_no_trace(&store, &disk, "the write was refused");
    // Whoever begins now may state the key again.
    let commits: Commit = store.snapshot().commit();
    assert_eq!(store.commit(fresh()).expect("no conflict").commit, commits + 1);
}
