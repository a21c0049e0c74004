//! What does the typed path cost: structs in, a row by its key, a filter and a sum in one loop?
//!
//! Questions: `get` of a struct by its key; `spectra_sql!` of the same row; loading [`ROWS`] structs through `insert_all`; a
//! scan with filter and sum, and with a sum alone, compiled. Data: (id INTEGER PRIMARY KEY, amount REAL, note TEXT of about 24 bytes).
//!
//! A change in a number means: get, the lookup path and the reading of a row; load, turning structs into columns, and the
//! memtable; the scans, the generated loop or the reading of blocks (the interpreter's scan in `engine` reads the same).

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use spectradb::{Config, Database, Durability, Table, spectra_sql};
use std::{hint::black_box, time::Duration};

/// Rows of the loaded table; `SPECTRADB_BENCH_ROWS` gives another number.
const ROWS: i64 = 5_000_000;

fn rows() -> i64 {
    std::env::var("SPECTRADB_BENCH_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROWS)
}

#[derive(Table, Clone)]
#[table(name = "t")]
struct Row {
    #[key]
    id: i64,
    amount: f64,
    note: String,
}

fn row(id: i64) -> Row {
    Row { id, amount: (id * 7919 % 10_000) as f64 / 100.0, note: format!("note of row number {id:08}") }
}

fn open(path: &std::path::Path) -> Database {
    let db = Database::open_with(path, Config { durability: Durability::None, ..Config::default() }).expect("opens");
    db.create::<Row>().expect("a new table");
    db
}

fn load(db: &Database) {
    for from in (0..rows()).step_by(100_000) {
        db.insert_all((from..(from + 100_000).min(rows())).map(row)).expect("the keys are new");
    }
}

fn typed(c: &mut Criterion) {
    let mut group = c.benchmark_group("typed");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    let folder = tempfile::tempdir().expect("a folder");
    group.throughput(Throughput::Elements(rows() as u64));
    let mut database_count = 0;
    group.bench_function("load of structs", |b| {
        b.iter_with_large_drop(|| {
            database_count += 1;
            let db = open(&folder.path().join(format!("load{database_count}")));
            load(&db);
            db
        });
    });
    let db = open(&folder.path().join("db"));
    load(&db);
    db.store().flush().expect("the disk holds it");
    let session = db.session();
    let sum = |least: f64| {
        let row = spectra_sql!(session, "SELECT count(*) AS n, sum(amount) AS total FROM t WHERE amount >= $1", least);
        row.expect("the query runs").total
    };
    group.bench_function("filter + sum", |b| b.iter(|| sum(black_box(50.0))));
    group.bench_function("sum", |b| {
        b.iter(|| spectra_sql!(session, "SELECT sum(amount) AS total FROM t").expect("the query runs").total);
    });
    group.throughput(Throughput::Elements(1));
    let mut id = 0;
    group.bench_function("get", |b| {
        b.iter(|| {
            id = (id + 7_919) % rows();
            session.get::<Row>(black_box(id)).expect("the query runs").expect("the row is there")
        });
    });
    group.bench_function("spectra_sql! point", |b| {
        b.iter(|| {
            id = (id + 7_919) % rows();
            spectra_sql!(session, "SELECT amount, note FROM t WHERE id = $1", black_box(id))
                .expect("the query runs")
                .expect("the row is there")
        });
    });
    group.finish();
}

criterion_group!(benches, typed);
criterion_main!(benches);
