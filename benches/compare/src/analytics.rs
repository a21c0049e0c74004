//! Our side of `analytics.py`: makes the rows, writes them for the others, times the queries it is given.
//!
//! Table `t` has an INTEGER key, a kind of 1,000 values, a reference to one of 100,000 rows of `d`, and a REAL; `d` a key and a weight.

use crate::Random;
use spectradb::{Config, Database, Durability, kernel};
use std::{
    collections::BTreeMap,
    io::{BufWriter, Write},
    path::Path,
    time::Instant,
};

/// Rows of the small table.
const SMALL: i64 = 100_000;

/// Runs every query of `queries.json` and prints name, milliseconds and rows as JSON.
pub fn run(folder: &Path, rows: i64, runs: usize) {
    let queries = std::fs::read_to_string(folder.join("queries.json")).expect("the script writes the queries");
    let queries: BTreeMap<String, String> = serde_json::from_str(&queries).expect("names and SQL");
    let db = Database::open_with(folder.join("db"), Config { durability: Durability::None, ..Config::default() });
    let db = db.expect("opens");
    make(&db, folder, rows);
    let mut session = db.session();
    let mut answers = BTreeMap::new();
    for (name, sql) in queries {
        let mut prepared = session.prepare(&sql).expect("it binds");
        let mut times = Vec::new();
        let mut answer = Vec::new();
        for _ in 0..=runs {
            let started = Instant::now();
            let rows = session.execute_prepared(&mut prepared, ()).expect("it runs").into_rows().expect("a query");
            answer = rows.collect_all().expect("it reads");
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        // The first run is the warm-up.
        times.remove(0);
        times.sort_by(f64::total_cmp);
        let cells: Vec<Vec<Option<f64>>> = answer.iter().map(|row| numbers(row)).collect();
        answers.insert(name, (times[times.len() / 2], cells));
    }
    println!("{}", serde_json::to_string(&answers).expect("plain values"));
}

fn numbers(row: &spectradb::Row) -> Vec<Option<f64>> {
    row.values().iter().map(|value| value.to_string().parse().ok()).collect()
}

fn make(db: &Database, folder: &Path, rows: i64) {
    let mut session = db.session();
    session.execute("CREATE TABLE d (id INTEGER PRIMARY KEY, weight REAL)", ()).expect("a table");
    session
        .execute("CREATE TABLE t (id INTEGER PRIMARY KEY, kind INTEGER, ref INTEGER, amount REAL)", ())
        .expect("a table");
    let mut csv = BufWriter::new(std::fs::File::create(folder.join("d.csv")).expect("a file"));
    writeln!(csv, "id,weight").expect("it writes");
    let weights: Vec<f64> = (0..SMALL).map(|id| (id % 97) as f64 / 10.0).collect();
    (0..SMALL).for_each(|id| writeln!(csv, "{id},{}", weights[id as usize]).expect("it writes"));
    let ids = kernel::Column::from_i64s(kernel::Type::Integer, (0..SMALL).collect());
    session.append("d", vec![ids, kernel::Column::from_f64s(weights)]).expect("the keys are new");

    let mut csv = BufWriter::new(std::fs::File::create(folder.join("t.csv")).expect("a file"));
    writeln!(csv, "id,kind,ref,amount").expect("it writes");
    let mut random = Random::new(11);
    for from in (0..rows).step_by(100_000) {
        let to = rows.min(from + 100_000);
        let (mut kinds, mut refs, mut amounts) = (Vec::new(), Vec::new(), Vec::new());
        for id in from..to {
            let (kind, reference, amount) =
                (random.below(1_000), random.below(SMALL), random.below(1_000_000) as f64 / 1e4);
            writeln!(csv, "{id},{kind},{reference},{amount}").expect("it writes");
            kinds.push(kind);
            refs.push(reference);
            amounts.push(amount);
        }
        let integers = |values| kernel::Column::from_i64s(kernel::Type::Integer, values);
        let columns =
            vec![integers((from..to).collect()), integers(kinds), integers(refs), kernel::Column::from_f64s(amounts)];
        session.append("t", columns).expect("the keys are new");
    }
    db.store().flush().expect("the disk holds it");
}
