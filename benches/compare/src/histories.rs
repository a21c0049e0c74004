//! Our side of `histories.py`: what do scans of the present and of the past cost, and what do updates cost scans?
//!
//! The histories are those of `versions`, written as rows with the commits between which they held, in the order of time, for an
//! engine that keeps them in one table. What else is measured here needs no other engine: scans behind many updates, before and
//! after they are compacted, and as of before them.

use crate::{
    Random, median,
    versions::{History, Ours, Past, Plan, ours},
};
use cpu_time::ThreadTime;
use spectradb::{Config, Database, Durability, Value, kernel};
use std::{
    io::{BufWriter, Write},
    path::Path,
    time::Instant,
};

/// The commits as of which a history is read.
const PAST: usize = 5;

/// Makes everything in a folder and prints milliseconds and sums as JSON.
pub fn run(folder: &Path, keys: i64, versions: i64, rows: i64, runs: usize) {
    let mut all = serde_json::Map::new();
    let histories = [("round-robin", History::RoundRobin), ("random", History::Random), ("uneven", History::Shuffled)];
    for (name, history) in histories {
        let plan = Plan { history, keys, versions };
        write(&folder.join(format!("{name}.csv")), plan);
        let mut engine = ours(&folder.join(name), plan);
        let mut random = Random::new(17);
        let (now, sum) = timed(runs, || engine.scan(None));
        let past: Vec<(i64, f64, i64, f64)> = (0..PAST)
            .map(|_| {
                let commit = random.below(plan.commits());
                let (milliseconds, sum) = timed(runs, || engine.scan(Some(commit)));
                assert_eq!(sum, plan.sum_as_of(commit), "all as of {commit}");
                let before = engine.db.store().stats().scans;
                engine.scan(Some(commit));
                let after = engine.db.store().stats().scans;
                let history_rows = after.history_rows_read - before.history_rows_read;
                let touched = history_rows as f64 / (after.rows_given - before.rows_given).max(1) as f64;
                (commit, milliseconds, sum, touched)
            })
            .collect();
        all.insert(name.to_owned(), serde_json::json!({ "now": (now, sum), "past": past }));
    }
    all.insert("updates".to_owned(), updates(&folder.join("updates"), rows, runs));
    println!("{}", serde_json::Value::from(all));
}

/// The median of milliseconds of the thread's CPU time, and the answer, warm: for what is compared with nobody else.
fn timed_cpu(runs: usize, mut work: impl FnMut() -> i64) -> (f64, i64) {
    let answer = work();
    let milliseconds = median(runs, || {
        let started = ThreadTime::now();
        work();
        started.elapsed().as_secs_f64() * 1e3
    });
    (milliseconds, answer)
}

/// The median of milliseconds, and the answer, warm.
fn timed(runs: usize, mut work: impl FnMut() -> i64) -> (f64, i64) {
    let answer = work();
    let milliseconds = median(runs, || {
        let started = Instant::now();
        work();
        started.elapsed().as_secs_f64() * 1e3
    });
    (milliseconds, answer)
}

fn write(path: &Path, plan: Plan) {
    let mut csv = BufWriter::new(std::fs::File::create(path).expect("a file"));
    writeln!(csv, "id,balance,since,upto").expect("it writes");
    for since in 0..=plan.commits() {
        for id in (0..plan.keys).filter(|id| since == 0 || plan.touches(*id, since)) {
            let upto = (since + 1..=plan.commits()).find(|commit| plan.touches(id, *commit)).unwrap_or(i64::MAX);
            writeln!(csv, "{id},{},{since},{upto}", plan.balance(id, since)).expect("it writes");
        }
    }
}

/// A fifth of the rows is changed, at random places, in ten commits.
fn updates(folder: &Path, rows: i64, runs: usize) -> serde_json::Value {
    let db = Database::open_with(folder, Config { durability: Durability::None, ..Config::default() }).expect("opens");
    db.sql("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)").expect("a table");
    let mut session = db.session();
    for from in (0..rows).step_by(100_000) {
        let ids: Vec<i64> = (from..rows.min(from + 100_000)).collect();
        let balances = ids.iter().map(|id| id * 31 % 1_000).collect();
        let integers = |values| kernel::Column::from_i64s(kernel::Type::Integer, values);
        session.append("account", vec![integers(ids), integers(balances)]).expect("the keys are new");
    }
    db.store().compact().expect("the disk holds it");
    let mut engine = Ours { first: db.current_commit() as i64, db, session };
    let db = engine.db.clone();
    let (before, sum) = timed_cpu(runs, || engine.scan(None));
    for part in 1..=10 {
        let sql = "UPDATE account SET balance = balance + 1 WHERE (id * 7919 + $1 * 6151) % 50 = 0";
        engine.session.execute(sql, &[Value::Integer(part)]).expect("it runs");
    }
    let (behind, changed) = timed_cpu(runs, || engine.scan(None));
    assert_eq!(changed, sum + rows / 5, "each is counted once");
    let (past_behind, _) = timed_cpu(runs, || engine.scan(Some(0)));
    db.store().compact().expect("the disk holds it");
    let (compacted, _) = timed_cpu(runs, || engine.scan(None));
    let (past, past_sum) = timed_cpu(runs, || engine.scan(Some(0)));
    assert_eq!(past_sum, sum, "the past stays what it was");
    serde_json::json!({
        "before": before, "behind": behind, "past behind": past_behind, "compacted": compacted, "past": past,
    })
}
