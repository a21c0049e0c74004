//! How fast are commits and point reads on this machine, with these settings?
//!
//! A new database gets one table. First `--write-ops` commits of one row each, over `--keyspace` keys that come again and
//! again; then `--read-ops` reads of one row by its key, of which `--read-miss-ratio` ask for a key that is not there but
//! lies between those that are. Sessions on `--threads` threads share the work. Every answer is checked, and so are the
//! counts at the end. Latencies go to histograms of three digits; the table of them goes to stdout, progress to stderr, on
//! a terminal only.
//!
//! Not here: other engines (`benches/compare`).

use crate::args::Bench;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use hdrhistogram::Histogram;
use indicatif::{ProgressBar, ProgressStyle};
use spectradb::embed::{Database, Durability, Error, Session, Value};
use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const CREATE: &str = "CREATE TABLE bench (id INTEGER PRIMARY KEY, value REAL NOT NULL, note TEXT NOT NULL)";
const WRITE: &str = "INSERT INTO bench VALUES ($1, $2, $3) \
                     ON CONFLICT (id) DO UPDATE SET value = excluded.value, note = excluded.note";
const READ: &str = "SELECT value, note FROM bench WHERE id = $1";

/// Longer latencies are counted as this one.
const LATENCY_NANOS_MAX: u64 = 600_000_000_000;

/// Progress is told once in so many operations.
const TOLD_EVERY: u64 = 64;

/// What some operations took.
struct Measured {
    latencies: Histogram<u64>,
    hits: u64,
    elapsed: Duration,
}

/// The keys, in the order in which they are written for the first time: a permutation of the key space.
#[derive(Clone, Copy)]
struct Keys {
    keyspace: u64,
    step: u64,
}

impl Keys {
    fn new(keyspace: u64) -> Keys {
        // A step that shares no factor with the key space visits every key once before the first comes again.
        let start = (keyspace as f64 * 0.618_033_988_75) as u64;
        let step = (start.max(1)..).find(|step| shared_factor(*step, keyspace) == 1).unwrap_or(1);
        Keys { keyspace, step }
    }

    /// Written keys are even, so that the odd ones between them are missed.
    fn written(self, number: u64) -> i64 {
        let key = u128::from(number) * u128::from(self.step) % u128::from(self.keyspace);
        key as i64 * 2
    }
}

fn shared_factor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// A stream of numbers that is the same on every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Measures, and prints what came out.
pub(crate) fn run(bench: &Bench) -> ExitCode {
    match measure(bench) {
        Ok(lines) => {
            // A closed pipe has nobody to hear of it.
            std::io::stdout().write_all(lines.as_bytes()).ok();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(bench: &Bench) -> Result<String, Error> {
    let db = Database::open_with(&bench.path, bench.config.clone())?;
    // A ledger never forgets what was measured in it.
    if db.current_commit() > 0 || !db.store().catalog().tables.is_empty() {
        let message = format!("there is a database in \"{}\" already, and bench writes", bench.path.display());
        return Err(Error::new("58P02", message).with_help("name a folder that is not there yet"));
    }
    if let Some(why) = db.no_io_uring() {
        eprintln!("io_uring is not used: {why}");
    }
    db.sql(CREATE)?;
    let keys = Keys::new(bench.keyspace);
    let written = bench.write_ops.min(bench.keyspace);
    // Which reads miss is spread evenly and the same on every run; where nothing is written all do.
    let missed =
        if written == 0 { bench.read_ops } else { (bench.read_ops as f64 * bench.read_miss_ratio).round() as u64 };
    let first_commit = db.current_commit();
    let writes = on_threads(bench, &db, "commits", bench.write_ops, WRITE, |session, prepared, number| {
        let note = format!("operation {number:>14}");
        let row = [Value::Integer(keys.written(number)), Value::Real(number as f64), Value::from(note.as_str())];
        session.execute_prepared(prepared, &row).map(|done| done.rows_changed() > 0)
    })?;
    let reads = on_threads(bench, &db, "reads", bench.read_ops, READ, |session, prepared, number| {
        let misses = |upto: u64| (u128::from(upto) * u128::from(missed) / u128::from(bench.read_ops)) as u64;
        let is_missed = misses(number + 1) > misses(number);
        let key = keys.written(Numbers(number).next() % written.max(1)) + i64::from(is_missed);
        let rows = session.execute_prepared(prepared, &[Value::Integer(key)])?.into_rows()?;
        let found = rows.count() == 1;
        if found == is_missed {
            return Err(Error::new("XX000", format!("key {key} was found wrongly: {found}")));
        }
        Ok(found)
    })?;
    let commits = db.current_commit() - first_commit;
    let rows: i64 = db.query("SELECT count(*) FROM bench", ())?.next().transpose()?.map_or(Ok(0), |row| row.get(0))?;
    if commits != bench.write_ops || u64::try_from(rows) != Ok(written) || reads.hits != bench.read_ops - missed {
        let message = format!("{commits} commits, {rows} rows and {} hits are not what was asked for", reads.hits);
        return Err(Error::new("XX000", message));
    }
    let stats = db.store().stats();
    db.close()?;
    let table = table(&[("commit", &writes), ("read", &reads)]);
    let durability = match bench.config.durability {
        Durability::Synced => "synced".to_owned(),
        Durability::EveryRecords(records) => format!("synced once in {records} records"),
        Durability::None => "not synced".to_owned(),
    };
    Ok(format!(
        "{table}\n{commits} commits ({durability}), {rows} rows; {} reads found their key, {missed} did not; {} threads, {} shards, \
         {} in {} segments\n",
        reads.hits,
        bench.threads,
        stats.shard_count,
        indicatif::BinaryBytes(stats.segment_bytes),
        stats.segment_count,
    ))
}

/// Shares operations among threads, each with a session and the statement prepared; `operate` answers whether it hit.
fn on_threads(
    bench: &Bench,
    db: &Database,
    what: &'static str,
    operations: u64,
    sql: &str,
    operate: impl Fn(&mut Session, &mut spectradb::embed::Prepared, u64) -> Result<bool, Error> + Sync,
) -> Result<Measured, Error> {
    let progress = ProgressBar::new(operations).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg:8} {bar:40} {pos}/{len} {per_sec} {eta}") {
        progress.set_style(style);
    }
    let threads = u64::from(bench.threads);
    let began = Instant::now();
    let parts = std::thread::scope(|scope| {
        let (operate, progress) = (&operate, &progress);
        let spawn = |thread: u64| {
            scope.spawn(move || -> Result<(Histogram<u64>, u64), Error> {
                let mut session = db.session();
                let mut prepared = session.prepare(sql)?;
                let (mut latencies, mut hits) = (histogram(), 0);
                let mut untold = 0;
                // Interleaved, so that all threads work on old and new keys alike.
                for number in (thread..operations).step_by(threads as usize) {
                    let began = Instant::now();
                    hits += u64::from(operate(&mut session, &mut prepared, number)?);
                    let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    latencies.saturating_record(nanos.max(1));
                    untold += 1;
                    if untold == TOLD_EVERY {
                        progress.inc(untold);
                        untold = 0;
                    }
                }
                progress.inc(untold);
                Ok((latencies, hits))
            })
        };
        let handles: Vec<_> = (0..threads).map(spawn).collect();
        handles.into_iter().map(|handle| handle.join().expect("a measuring thread does not panic")).collect::<Vec<_>>()
    });
    let elapsed = began.elapsed();
    progress.finish_and_clear();
    let mut all = Measured { latencies: histogram(), hits: 0, elapsed };
    for part in parts {
        let (latencies, hits) = part?;
        all.latencies.add(latencies).expect("all histograms have the same bounds");
        all.hits += hits;
    }
    Ok(all)
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_NANOS_MAX, 3).expect("the bounds are in order")
}

/// Throughput, and latencies in microseconds.
fn table(measured: &[(&str, &Measured)]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "operation",
        "count",
        "per second",
        "mean µs",
        "p50 µs",
        "p90 µs",
        "p99 µs",
        "p99.9 µs",
        "max µs",
    ]);
    for (name, Measured { latencies, elapsed, .. }) in measured {
        let micros = |nanos: u64| format!("{:.1}", nanos as f64 / 1e3);
        let quantile = |quantile: f64| micros(latencies.value_at_quantile(quantile));
        let rate = latencies.len() as f64 / elapsed.as_secs_f64().max(1e-9);
        let figures = [
            latencies.len().to_string(),
            format!("{rate:.0}"),
            format!("{:.1}", latencies.mean() / 1e3),
            quantile(0.5),
            quantile(0.9),
            quantile(0.99),
            quantile(0.999),
            micros(latencies.max()),
        ];
        let cells = figures.into_iter().map(|figure| Cell::new(figure).set_alignment(CellAlignment::Right));
        table.add_row(std::iter::once(Cell::new(name)).chain(cells));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_written_once_before_the_first_comes_again() {
        for keyspace in [1, 2, 3, 10, 97, 1000] {
            let keys = Keys::new(keyspace);
            let mut written: Vec<i64> = (0..keyspace).map(|number| keys.written(number)).collect();
            written.sort_unstable();
            assert!(written.iter().copied().eq((0..keyspace as i64).map(|key| key * 2)), "{keyspace}");
            assert_eq!(keys.written(keyspace), keys.written(0));
        }
    }
}
