//! Does verifying find what all hashes agree with, and readers would stumble over?
//!
//! The store trusts whoever writes to have looked for the facts that are in the way, so a write that has not is stored as it is:
//! log and tables agree on facts that overlap. And a manifest may name whole files on levels where look-ups do not find them.

use crate::{
    Config,
    catalog::{NewColumn, NewTable},
    clock::ManualClock,
    fact::{FactBatch, FactId, Superseded, Write},
    fs::MemDisk,
    store::Store,
    tree::SegmentKind,
};
use spectradb_kernel::{
    Column, Period, Type,
    key::i64_bytes,
    schema::{TableKind, TableSchema},
    time::{Commit, Micros},
};
use std::sync::Arc;

fn open(disk: &MemDisk) -> Store {
    let config = Config { background: false, ..Config::default() };
    Store::open(Arc::new(disk.clone()), Arc::new(ManualClock::new(1_000)), config).expect("it opens")
}

fn table(store: &Store) -> Arc<TableSchema> {
    let column =
        |name: &str| NewColumn { name: name.into(), ty: Type::Integer, nullable: false, default: None, hidden: false };
    let columns = vec![column("id"), column("amount")];
    let new = NewTable { name: "t".to_owned(), kind: TableKind::Typed, columns, key: vec![0] };
    store.create_table(new, store.catalog().version).expect("the name is free")
}

type Row = (i64, (Micros, Micros));

/// Commits facts, and ends others, without a look at what there is.
fn commit(store: &Store, table: &TableSchema, rows: &[Row], ended: &[(i64, Micros, Commit)]) {
    let snapshot = store.snapshot();
    let integers = |of: fn(&Row) -> i64| Column::from_i64s(Type::Integer, rows.iter().map(of).collect());
    let facts = FactBatch {
        table: table.id,
        schema_version: table.version,
        columns: vec![integers(|row| row.0), integers(|row| row.0)],
        periods: rows.iter().map(|(_, (from, to))| Period::new(*from, *to).expect("not empty")).collect(),
        origins: vec![0; rows.len()],
    };
    let id = |(id, valid_from, commit): &(i64, Micros, Commit)| FactId {
        key: i64_bytes(*id).to_vec(),
        valid_from: *valid_from,
        commit: *commit,
    };
    let superseded = Superseded { table: table.id, facts: ended.iter().map(id).collect() };
    let write = Write {
        snapshot: snapshot.commit(),
        record: snapshot.record(),
        catalog_version: snapshot.catalog().version,
        facts: vec![facts],
        superseded: vec![superseded],
        ..Write::default()
    };
    store.commit(write).expect("no conflict");
}

fn difference(store: &Store) -> Option<String> {
    store.verify(None).expect("the disk answers").difference.map(|difference| difference.to_string())
}

#[test]
fn facts_of_a_key_that_overlap_are_named_with_their_commits_and_files_wherever_they_lie() {
    let disk = MemDisk::new();
    let store = open(&disk);
    let table = table(&store);
    let rows: Vec<Row> = (0..2000).flat_map(|id| [(id, (0, 10)), (id, (10, 20))]).collect();
    commit(&store, &table, &rows, &[]);
    store.flush().expect("nothing fails");
    assert_eq!(difference(&store), None);
    // Neighbours in valid time, and one that took another's place.
    commit(&store, &table, &[(7, (20, 30)), (8, (5, 10))], &[(8, 0, 1)]);
    assert_eq!(difference(&store), None);
    commit(&store, &table, &[(9, (19, 25))], &[]);
    let told = |later: &str, earlier: &str| {
        Some(format!(
            "fact (id)=(9) of table \"t\", valid from 1970-01-01 00:00:00.000019, commit 3: it lies in {later} and overlaps the \
             fact of commit 1 in {earlier}, which is valid from 1970-01-01 00:00:00.00001 to 1970-01-01 00:00:00.00002"
        ))
    };
    assert_eq!(difference(&store), told("memory", "seg-0000000002.sst"));
    store.flush().expect("nothing fails");
    assert_eq!(difference(&store), told("seg-0000000004.sst", "seg-0000000002.sst"));
    // Both are history by and by, and were current together all the same.
    commit(&store, &table, &[], &[(9, 10, 1)]);
    commit(&store, &table, &[(9, (10, 25))], &[(9, 19, 3)]);
    store.compact().expect("nothing fails");
    let found = difference(&store).expect("they overlap");
    assert!(found.contains("(id)=(9)") && found.contains("commit 3") && found.contains(".sst"), "{found}");
    store.close().expect("nothing fails");
    assert_eq!(difference(&open(&disk)), Some(found));
}

/// A segment that shares no key with others is looked at alone.
#[test]
fn facts_of_one_commit_that_overlap_are_named() {
    let disk = MemDisk::new();
    let store = open(&disk);
    let table = table(&store);
    commit(&store, &table, &[(1, (0, 10)), (2, (0, 10)), (2, (9, 20)), (3, (0, 10))], &[]);
    for _ in 0..2 {
        let found = difference(&store).expect("they overlap");
        assert!(
            found.contains("(id)=(2)") && found.contains("valid from 1970-01-01 00:00:00.000009, commit 1"),
            "{found}"
        );
        store.flush().expect("nothing fails");
    }
    // What was ended before the other began was never true together with it.
    commit(&store, &table, &[(5, (0, 10))], &[(2, 9, 1)]);
    commit(&store, &table, &[(2, (5, 20))], &[(2, 0, 1)]);
    let found = difference(&store).expect("they overlapped");
    assert!(found.contains("(id)=(2)") && found.contains("commit 1"), "{found}");
}

/// Look-ups search the deeper levels by halves: what lies there in no order is there, and is not found.
#[test]
fn files_of_a_level_that_are_not_in_the_order_of_their_keys_are_named() {
    let disk = MemDisk::new();
    let store = open(&disk);
    let table = table(&store);
    for round in 0..2 {
        let rows: Vec<Row> = (0..100).map(|id| (2 * id + round, (0, 10))).collect();
        commit(&store, &table, &rows, &[]);
        store.flush().expect("nothing fails");
    }
    assert_eq!(difference(&store), None);
    let deeper = store.inner().manifest.replace(|state| {
        let of_table = state.tree.segments.iter_mut().filter(|segment| segment.table == table.id);
        of_table.filter(|segment| segment.kind == SegmentKind::Current).for_each(|segment| segment.level = 1);
    });
    deeper.expect("memory takes it");
    store.close().expect("nothing fails");
    let found = difference(&open(&disk));
    assert_eq!(
        found.as_deref(),
        Some("seg-0000000002.sst and seg-0000000004.sst are on one level and not in the order of their keys")
    );
}
