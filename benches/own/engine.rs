//! What does the whole stack cost, from SQL text to the disk and back?
//!
//! Questions: a point read through a prepared statement, and through a text whose plan is kept; parsing and binding a short SELECT; one insert a commit, with and
//! without a sync; inserts in batches; loading [`ROWS`] rows through columns; a scan with filter and sum through SQL;
//! opening after a clean close. Data: (id INTEGER PRIMARY KEY, amount REAL, note TEXT of about 24 bytes).
//!
//! A change in a number means: point read, per-statement overhead or the lookup path; parse and bind, the grammar; commits,
//! the log's path; load, encoding keys, hashing and the memtable; scan, the reading of blocks and the operators; reopen,
//! what is read before the first query.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use spectradb::{Config, Database, Durability, Session, Value, kernel};
use std::{hint::black_box, path::Path, time::Duration};

/// Rows of the loaded table; `SPECTRADB_BENCH_ROWS` gives another number.
const ROWS: i64 = 5_000_000;

fn rows() -> i64 {
    std::env::var("SPECTRADB_BENCH_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROWS)
}

const TABLE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, amount REAL, note TEXT)";

/// Rows `from..to` as columns of the table.
fn columns(from: i64, to: i64) -> Vec<kernel::Column> {
    let ids: Vec<i64> = (from..to).collect();
    let amounts: Vec<f64> = ids.iter().map(|id| (id * 7919 % 10_000) as f64 / 100.0).collect();
    let mut notes = kernel::column::ColumnBuilder::new(kernel::Type::Text);
    ids.iter().for_each(|id| notes.push_text(&format!("note of row number {id:08}")));
    vec![kernel::Column::from_i64s(kernel::Type::Integer, ids), kernel::Column::from_f64s(amounts), notes.finish()]
}

/// `SPECTRADB_BENCH_SHARDS` splits the loaded table into so many shards.
fn loaded(path: &Path) -> Database {
    let shard_count = std::env::var("SPECTRADB_BENCH_SHARDS").ok().and_then(|text| text.parse().ok());
    let config = Config { durability: Durability::None, shard_count, ..Config::default() };
    let db = Database::open_with(path, config).expect("opens");
    db.sql(TABLE).expect("a new table");
    load(&mut db.session());
    db
}

fn load(session: &mut Session) {
    for from in (0..rows()).step_by(100_000) {
        let columns = columns(from, (from + 100_000).min(rows()));
        session.append("t", columns).expect("the keys are new");
    }
}

fn language(c: &mut Criterion) {
    let db = Database::open_memory().expect("memory is there");
    db.sql(TABLE).expect("a new table");
    let mut session = db.session();
    c.bench_function("parse + bind + plan of a point SELECT", |b| {
        b.iter(|| session.prepare(black_box("SELECT amount, note FROM t WHERE id = $1")).expect("it binds"));
    });
}

fn commits(c: &mut Criterion) {
    let mut group = c.benchmark_group("commit");
    group.measurement_time(Duration::from_secs(4));
    for (name, durability) in [("synced", Durability::Synced), ("not synced", Durability::None)] {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config { durability, ..Config::default() };
        let db = Database::open_with(folder.path().join("db"), config).expect("opens");
        db.sql(TABLE).expect("a new table");
        let mut session = db.session();
        let mut insert = session.prepare("INSERT INTO t VALUES ($1, $2, $3)").expect("it binds");
        let mut id = 0i64;
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("1 row, {name}"), |b| {
            b.iter(|| {
                id += 1;
                let row = [Value::Integer(id), Value::Real(1.5), Value::Text(format!("note of row number {id:08}"))];
                session.execute_prepared(&mut insert, &row).expect("the key is new")
            });
        });
        for batch_rows in [100i64, 1_000] {
            group.throughput(Throughput::Elements(batch_rows as u64));
            group.bench_function(format!("{batch_rows} rows, {name}"), |b| {
                b.iter_batched(
                    || {
                        id += batch_rows;
                        columns(id - batch_rows + 1, id + 1)
                    },
                    |columns| session.append("t", columns).expect("the keys are new"),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

fn reads(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    let started = std::time::Instant::now();
    let db = loaded(&path);
    let seconds = started.elapsed().as_secs_f64();
    println!("bulk load of {} rows: {seconds:.2} s, {:.0} rows/s", rows(), rows() as f64 / seconds);
    let mut session = db.session();
    let mut group = c.benchmark_group("read");
    let mut get = session.prepare("SELECT amount, note FROM t WHERE id = $1").expect("it binds");
    let mut seed = 1u64;
    group.throughput(Throughput::Elements(1));
    group.bench_function("point, prepared", |b| {
        b.iter(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = (seed >> 33) as i64 % rows();
            let rows = session.execute_prepared(&mut get, &[Value::Integer(id)]).expect("it runs");
            rows.into_rows().expect("a query").next().expect("the row is there").expect("it reads")
        });
    });
    group.bench_function("point, by a text whose plan is kept", |b| {
        b.iter(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let id = (seed >> 33) as i64 % rows();
            let sql = "SELECT amount, note FROM t WHERE id = $1";
            let rows = session.execute(sql, &[Value::Integer(id)]).expect("it runs");
            rows.into_rows().expect("a query").next().expect("the row is there").expect("it reads")
        });
    });
    group.throughput(Throughput::Elements(rows() as u64));
    group.sample_size(10);
    let mut sum = session.prepare("SELECT sum(amount) FROM t WHERE amount > 50").expect("it binds");
    group.bench_function("filter + sum, interpreted", |b| {
        b.iter(|| {
            let rows = session.execute_prepared(&mut sum, ()).expect("it runs").into_rows().expect("a query");
            black_box(rows.collect_all().expect("it reads"))
        });
    });
    drop(group);
    drop(session);
    db.close().expect("it closes");
    reopen_after_a_crash(c, &path, folder.path());
    c.bench_function("reopen after a clean close", |b| {
        b.iter(|| {
            let db = Database::open(&path).expect("opens");
            db.close().expect("it closes");
        });
    });
}

/// Opens what a process left that was killed with as many facts in memory as go there: copies of the folder of an open
/// database.
fn reopen_after_a_crash(c: &mut Criterion, path: &Path, folder: &Path) {
    let config = Config { durability: Durability::None, ..Config::default() };
    let db = Database::open_with(path, config.clone()).expect("opens");
    let mut session = db.session();
    // Each commit is too small to be written to a file of its own.
    let facts = (config.memtable_bytes_max / 100) as i64;
    for from in (rows()..rows() + facts).step_by(1_000) {
        session.append("t", columns(from, from + 1_000)).expect("the keys are new");
    }
    let (crashed, mut copies) = (folder.join("crashed"), 0);
    copy_folder(path, &crashed);
    drop(session);
    db.close().expect("it closes");
    let mut group = c.benchmark_group("reopen after a crash");
    group.sample_size(10);
    group.bench_function(format!("with {facts} facts in the log only"), |b| {
        b.iter_batched(
            || {
                let copy = folder.join(format!("copy {copies}"));
                copies += 1;
                copy_folder(&crashed, &copy);
                copy
            },
            |copy| Database::open(&copy).expect("opens"),
            BatchSize::PerIteration,
        );
    });
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a new folder");
    for entry in std::fs::read_dir(from).expect("it lists") {
        let entry = entry.expect("it lists");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("it copies");
    }
}

criterion_group!(benches, language, commits, reads);
criterion_main!(benches);
