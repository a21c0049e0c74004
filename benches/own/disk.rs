//! What does io_uring gain, and what does it cost?
//!
//! Durable commits of one row, by 1 and by 8 writers, and scans of a table whose segments are neither mapped nor in the page
//! cache, each with ordinary calls and through the ring, in turns. A ring that gains less on scans is read-ahead that the
//! system does as well; a ring that costs more on commits is a thread in between that costs more.
//!
//! Run: `cargo bench -p spectradb-benches --features io-uring --bench disk`. `dd` takes files out of the page cache; the
//! temporary folder (TMPDIR) must lie on the disk that is meant.

use spectradb_kernel::{
    Column, Period, Type, Value,
    schema::{TableKind, TableSchema},
};
use spectradb_store::{
    Config, NewColumn, NewTable, Store,
    fact::{FactBatch, Write},
    scan::{KeyRange, ScanColumn, ScanSpec, SystemScope, ValidScope},
};
use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

const COMMITS: i64 = 400;
const ROWS: i64 = 2_000_000;
const ROWS_PER_COMMIT: i64 = 100_000;
const ROUNDS: usize = 5;

fn table(store: &Store) -> Arc<TableSchema> {
    if let Some(table) = store.catalog().by_name("t") {
        return table.clone();
    }
    let column = |name: &str, ty| NewColumn { name: name.into(), ty, nullable: false, default: None, hidden: false };
    let columns = vec![column("id", Type::Integer), column("text", Type::Text)];
    let table = NewTable { name: "t".to_owned(), kind: TableKind::Typed, columns, key: vec![0] };
    store.create_table(table, 0).expect("the name is free")
}

fn insert(store: &Store, table: &TableSchema, ids: std::ops::Range<i64>) {
    let count = ids.clone().count();
    let text = |id: i64| Value::from(format!("{:016x}", (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).as_str());
    let facts = FactBatch {
        table: table.id,
        schema_version: table.version,
        columns: vec![
            Column::from_i64s(Type::Integer, ids.clone().collect()),
            Column::from_values(Type::Text, &ids.map(text).collect::<Vec<_>>()),
        ],
        periods: vec![Period::ALWAYS; count],
        origins: vec![0; count],
    };
    let snapshot = store.snapshot();
    let write = Write {
        snapshot: snapshot.commit(),
        record: snapshot.record(),
        catalog_version: snapshot.catalog().version,
        facts: vec![facts],
        ..Write::default()
    };
    store.commit(write).expect("it is written");
}

fn open(folder: &Path, io_uring: bool) -> Store {
    let config = Config { io_uring, mapped: false, block_cache_bytes_max: 0, ..Config::default() };
    let store = Store::open_path(folder, config).expect("it opens");
    println!("  through {}", store.io_backend());
    store
}

/// How long a durable commit of one row takes when so many threads write.
fn commits(io_uring: bool, threads: i64) -> Duration {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let store = open(folder.path(), io_uring);
    let table = table(&store);
    (0..50).for_each(|id| insert(&store, &table, id..id + 1));
    let next = AtomicI64::new(50);
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..COMMITS {
                    let id = next.fetch_add(1, Relaxed);
                    insert(&store, &table, id..id + 1);
                }
            });
        }
    });
    began.elapsed() / (COMMITS * threads) as u32
}

/// How long it takes to read every row of files that are not in the page cache.
fn cold_scan(folder: &Path, io_uring: bool) -> Duration {
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let from = format!("if={}", path.display());
        let evicted = Command::new("dd").args([from.as_str(), "iflag=nocache", "count=0"]).output();
        assert!(evicted.expect("dd is there").status.success());
    }
    let store = open(folder, io_uring);
    let table = table(&store);
    let spec = ScanSpec {
        table: table.id,
        columns: vec![ScanColumn::Data(0)],
        keys: KeyRange::All,
        system: SystemScope::AsOf(store.snapshot().commit()),
        valid: ValidScope::All,
        predicates: Vec::new(),
        batch_rows_max: usize::MAX,
    };
    let began = Instant::now();
    let scan = store.snapshot().scan(spec).expect("a scan");
    let rows: usize = scan.map(|batch| batch.expect("a batch").len()).sum();
    assert_eq!(rows as i64, ROWS);
    began.elapsed()
}

fn main() {
    for threads in [1, 8] {
        for round in 0..ROUNDS {
            for io_uring in [false, true] {
                let took = commits(io_uring, threads);
                println!("commit, {threads} writers, round {round}, io_uring {io_uring}: {took:?}");
            }
        }
    }
    let folder = tempfile::tempdir().expect("a folder can be made");
    let store = open(folder.path(), false);
    let table = table(&store);
    (0..ROWS / ROWS_PER_COMMIT)
        .for_each(|lot| insert(&store, &table, lot * ROWS_PER_COMMIT..(lot + 1) * ROWS_PER_COMMIT));
    store.compact().expect("it is compacted");
    println!("{} bytes in {} segments", store.stats().segment_bytes, store.stats().segment_count);
    store.close().expect("it closes");
    for round in 0..ROUNDS {
        for io_uring in [false, true] {
            let took = cold_scan(folder.path(), io_uring);
            println!("cold scan, round {round}, io_uring {io_uring}: {took:?}");
        }
    }
}
