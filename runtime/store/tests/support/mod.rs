//! What do the store's tests share? A small table, writes to it, and what a reader finds in it.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::allow_attributes, reason = "a shared module cannot know which parts are unused")]

use spectradb_kernel::{
    Column, Period, Type, Value,
    key::i64_bytes,
    schema::{TableKind, TableSchema},
    time::Commit,
};
use spectradb_store::{
    Config, Disk, ManualClock, NewColumn, NewTable, Result, Snapshot, Store,
    fact::{FactBatch, FactId, Superseded, Write},
    scan::{KeyRange, ScanColumn, ScanSpec, SystemScope, ValidScope},
};
use std::{collections::BTreeMap, sync::Arc};

/// `t (id INTEGER PRIMARY KEY, name TEXT, amount REAL)`.
pub(crate) fn new_table(name: &str) -> NewTable {
    let column = |name: &str, ty, nullable| NewColumn { name: name.into(), ty, nullable, default: None, hidden: false };
    NewTable {
        name: name.to_owned(),
        kind: TableKind::Typed,
        columns: vec![
            column("id", Type::Integer, false),
            column("name", Type::Text, true),
            column("amount", Type::Real, true),
        ],
        key: vec![0],
    }
}

/// A store over a disk with a clock that stands still.
pub(crate) fn open(disk: &(impl Disk + Clone + 'static), config: &Config) -> spectradb_store::Result<Store> {
    Store::open(Arc::new(disk.clone()), Arc::new(ManualClock::new(1_000)), config.clone())
}

/// Settings under which everything happens early and in the caller's thread.
pub(crate) fn small() -> Config {
    Config { log_segment_bytes: 8 << 10, background: false, ..Config::default() }
}

/// Facts of a table with the same text and number for each key.
pub(crate) fn facts(table: &TableSchema, rows: &[(i64, &str)]) -> FactBatch {
    let names: Vec<Value> = rows.iter().map(|(_, name)| Value::from(*name)).collect();
    FactBatch {
        table: table.id,
        schema_version: table.version,
        columns: vec![
            Column::from_i64s(Type::Integer, rows.iter().map(|(id, _)| *id).collect()),
            Column::from_values(Type::Text, &names),
            Column::from_f64s(rows.iter().map(|(id, _)| *id as f64 / 2.0).collect()),
        ],
        periods: vec![Period::ALWAYS; rows.len()],
        origins: vec![0; rows.len()],
    }
}

/// A write that states rows, some of which supersede what a snapshot has.
pub(crate) fn upsert(snapshot: &Snapshot, table: &TableSchema, rows: &[(i64, &str)]) -> Write {
    let keys: Vec<Vec<u8>> = rows.iter().map(|(id, _)| i64_bytes(*id).to_vec()).collect();
    let periods = vec![Period::ALWAYS; rows.len()];
    let overlaps = snapshot.overlapping(table.id, &keys, &periods).expect("the snapshot can be read");
    let ended = overlaps.iter().map(|overlap| FactId {
        key: keys[overlap.key_idx].clone(),
        valid_from: overlap.period.from(),
        commit: overlap.commit,
    });
    let superseded = Superseded { table: table.id, facts: ended.collect() };
    Write {
        snapshot: snapshot.commit(),
        record: snapshot.record(),
        catalog_version: snapshot.catalog().version,
        facts: vec![facts(table, rows)],
        superseded: vec![superseded],
        ..Write::default()
    }
}

/// The same write, its facts in segments before it commits: each row in one of its own.
pub(crate) fn spilled(store: &Store, snapshot: &Snapshot, table: &Arc<TableSchema>, write: Write) -> Result<Write> {
    let (of_table, others) = write.facts.into_iter().partition::<Vec<_>, _>(|batch| batch.table == table.id);
    let mut spill = None;
    for batch in &of_table {
        for row in 0..batch.periods.len() {
            let fact = FactBatch {
                columns: batch.columns.iter().map(|column| column.slice(row..row + 1)).collect(),
                periods: vec![batch.periods[row]],
                origins: vec![batch.origins[row]],
                ..*batch
            };
            spill = Some(store.spill(snapshot, table, spill.as_ref(), vec![fact])?);
        }
    }
    Ok(Write { facts: others, spilled: spill.into_iter().collect(), ..write })
}

/// The names of all keys as of a commit.
pub(crate) fn names_as_of(snapshot: &Snapshot, table: &TableSchema, commit: Commit) -> BTreeMap<i64, String> {
    try_names_as_of(snapshot, table, commit).expect("the facts can be read")
}

/// The names of all keys as of a commit, or what is wrong with the files.
pub(crate) fn try_names_as_of(
    snapshot: &Snapshot,
    table: &TableSchema,
    commit: Commit,
) -> Result<BTreeMap<i64, String>> {
    let spec = ScanSpec {
        table: table.id,
        columns: vec![ScanColumn::Data(0), ScanColumn::Data(1)],
        keys: KeyRange::All,
        system: SystemScope::AsOf(commit),
        valid: ValidScope::All,
        predicates: Vec::new(),
        batch_rows_max: 1000,
    };
    let mut found = BTreeMap::new();
    for batch in snapshot.scan(spec)? {
        let batch = batch?;
        let (ids, names) = (batch.column(0), batch.column(1));
        for (id, name) in ids.values().zip(names.values()) {
            let Value::Integer(id) = id else { panic!("a key is an integer") };
            assert!(found.insert(id, name.to_string()).is_none(), "key {id} twice as of {commit}");
        }
    }
    Ok(found)
}

/// The names of all keys now.
pub(crate) fn names(store: &Store, table: &TableSchema) -> BTreeMap<i64, String> {
    let snapshot = store.snapshot();
    names_as_of(&snapshot, table, snapshot.commit())
}
