//! How does SpectraDB compare with other embedded engines, in one run on one machine?
//!
//! Each part asks all engines the same and prints a table of figures, with the ratio of ours to each (above 1: ours is faster).
//! Figures of reads are CPU time of the reading thread, which is steady on a busy machine; figures of commits are elapsed time,
//! because waiting for the disk is what they measure; loads show both.
//!
//! Not here: pass and fail. What is wanted stands in `perf.md`, beside what was measured.

mod analytics;
mod engine;
mod histories;
mod ours;
mod peers;
mod table;
mod versions;

use clap::{Parser, Subcommand};
use cpu_time::{ProcessTime, ThreadTime};
use engine::{Engine, Found, Open, Sync, engines, row};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use table::Table;

/// Compares embedded engines.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    part: Part,
    /// Rows of the loaded table.
    #[arg(long, global = true, default_value_t = 5_000_000)]
    rows: i64,
    /// Only engines whose name contains this; may be repeated.
    #[arg(long, global = true)]
    engine: Vec<String>,
    /// How often each figure is taken; the median counts.
    #[arg(long, global = true, default_value_t = 3)]
    runs: usize,
    /// Where the databases are made: a folder on the disk that is to be measured.
    #[arg(long, global = true)]
    folder: Option<std::path::PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Warm random point reads: hits, with 20% misses, and two threads.
    Points,
    /// Durable and lazy commits of 1, 100 and 1,000 rows; durable ones of 8 threads.
    Commits {
        /// Only those that are not synced.
        #[arg(long)]
        lazy: bool,
        /// Only commits of so many rows; may be repeated.
        #[arg(long)]
        lot: Vec<usize>,
    },
    /// Our side of `analytics.py`, which calls this.
    Analytics {
        /// Where the queries are, and the rows go.
        data: std::path::PathBuf,
    },
    /// Our side of `histories.py`, which calls this.
    Histories {
        /// Where the facts go.
        data: std::path::PathBuf,
        /// Keys.
        #[arg(long, default_value_t = 100_000)]
        keys: i64,
        /// Versions of each.
        #[arg(long, default_value_t = 100)]
        versions: i64,
    },
    /// Loads in sorted and in random order, bytes a row, and opening again.
    Load {
        /// Only in the order of the keys.
        #[arg(long)]
        sorted: bool,
        /// Ours with every block packed by Zstandard, as cold levels are, beside ours as it comes; the others too if asked for.
        #[arg(long)]
        cold: bool,
    },
    /// 100 versions a key: points and scans of the present and of a past commit.
    Versions {
        /// Keys.
        #[arg(long, default_value_t = 100_000)]
        keys: i64,
        /// Versions of each.
        #[arg(long, default_value_t = 100)]
        versions: i64,
    },
    /// Points of keys with 100 valid periods beside keys with one: the end of `versions`.
    Periods {
        /// Keys of the tables that have as many keys.
        #[arg(long, default_value_t = 100_000)]
        keys: i64,
        /// Valid periods of each, where it is not one.
        #[arg(long, default_value_t = 100)]
        days: i64,
    },
}

fn main() {
    let args = Args::parse();
    match &args.part {
        Part::Analytics { data } => analytics::run(data, args.rows, args.runs),
        Part::Histories { data, keys, versions } => histories::run(data, *keys, *versions, args.rows, args.runs),
        Part::Points => points(&args),
        Part::Commits { lazy, lot } => commits(&args, *lazy, lot),
        Part::Load { sorted, cold } => load(&args, *sorted, *cold),
        Part::Versions { keys, versions } => {
            let folder = args.temporary();
            versions::compare(folder.path(), *keys, *versions, args.runs, &|name| args.wants(name));
            versions::periods(folder.path(), *keys, *versions, args.rows, args.runs);
        }
        Part::Periods { keys, days } => {
            versions::periods(args.temporary().path(), *keys, *days, args.rows, args.runs);
        }
    }
}

impl Args {
    fn engines(&self) -> Vec<(&'static str, Open)> {
        engines().into_iter().filter(|(name, _)| self.wants(name)).collect()
    }

    fn wants(&self, name: &str) -> bool {
        self.engine.is_empty() || self.engine.iter().any(|part| name.to_lowercase().contains(&part.to_lowercase()))
    }

    fn temporary(&self) -> tempfile::TempDir {
        match &self.folder {
            Some(folder) => tempfile::tempdir_in(folder).expect("the folder can be written"),
            None => tempfile::tempdir().expect("there is a folder for temporary files"),
        }
    }
}

/// Numbers that look random and are the same in every run.
pub struct Random(u64);

impl Random {
    /// A sequence.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number below a bound.
    pub fn below(&mut self, bound: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as i64
    }
}

/// All numbers below a bound, each once, in an order that looks random.
fn shuffled(count: i64) -> Vec<i64> {
    let mut ids: Vec<i64> = (0..count).collect();
    let mut random = Random::new(7);
    for last in (1..ids.len()).rev() {
        ids.swap(last, random.below(last as i64 + 1) as usize);
    }
    ids
}

/// The median of what a measurement gives.
pub fn median(runs: usize, mut measure: impl FnMut() -> f64) -> f64 {
    let mut figures: Vec<f64> = (0..runs.max(1)).map(|_| measure()).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn points(args: &Args) {
    const READS: usize = 500_000;
    let mut table = Table::new(
        format!("Warm random point reads of {} rows, reads a second of CPU time", args.rows),
        &["hits", "20% misses", "2 threads, elapsed", "2 threads, CPU", "times one thread"],
    );
    let mut random = Random::new(1);
    let hits: Vec<i64> = (0..READS).map(|_| random.below(args.rows)).collect();
    let mixed: Vec<i64> = hits.iter().map(|id| if random.below(5) == 0 { args.rows + id } else { *id }).collect();
    let mut answers: Vec<(Found, Found)> = Vec::new();
    for (name, open) in args.engines().into_iter().filter(|(name, _)| *name != "bare log") {
        let folder = args.temporary();
        let engine = open(&folder.path().join("db"), Sync::Lazy);
        engine.load(&mut (0..args.rows).map(row));
        let mut answer = (Found::default(), Found::default());
        // Once unmeasured, so that all of it is in memory.
        engine.read(&hits);
        let rate = |keys: &[i64], found: &mut Found| {
            median(args.runs, || {
                let started = ThreadTime::now();
                *found = engine.read(keys);
                keys.len() as f64 / started.elapsed().as_secs_f64()
            })
        };
        let hit = rate(&hits, &mut answer.0);
        let miss = rate(&mixed, &mut answer.1);
        // Threads that wait for each other's cache lines do so in CPU time; waiting for a processor is the machine's.
        let mut of_cpu = Vec::new();
        let two = median(args.runs, || {
            let (started, engine) = (Instant::now(), &*engine);
            let rates: f64 = std::thread::scope(|scope| {
                let reader = |keys| {
                    scope.spawn(move || {
                        let started = ThreadTime::now();
                        engine.read(keys);
                        READS as f64 / started.elapsed().as_secs_f64()
                    })
                };
                let readers = [reader(&hits), reader(&hits)];
                readers.into_iter().map(|reader| reader.join().expect("no reader panics")).sum()
            });
            of_cpu.push(rates);
            2.0 * READS as f64 / started.elapsed().as_secs_f64()
        });
        of_cpu.sort_by(f64::total_cmp);
        let of_cpu = of_cpu[of_cpu.len() / 2];
        table.row(name, &[hit, miss, two, of_cpu, of_cpu / hit]);
        answers.push(answer);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "all engines answer alike");
    table.print();
}

/// Commits lots of fresh random keys for some time; answers rows a second of elapsed time, and of CPU time of all threads.
fn commit_rate(engine: &dyn Engine, lot: usize, threads: i64, seconds: f64, next: &mut i64) -> (f64, f64) {
    let first = *next;
    let (started, cpu) = (Instant::now(), ProcessTime::now());
    let counts: Vec<usize> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let mut count = 0;
                    while started.elapsed() < Duration::from_secs_f64(seconds) {
                        // Spread over the keys, and never the same twice.
                        let rows: Vec<_> = (count..count + lot)
                            .map(|i| {
                                let number = (first + i as i64 * threads + thread) as u64;
                                row((number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 2) as i64)
                            })
                            .collect();
                        engine.put(&rows);
                        count += lot;
                    }
                    count
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("no worker panics")).collect()
    });
    *next += counts.iter().max().map_or(0, |most| *most as i64 + 1) * threads;
    let rows = counts.iter().sum::<usize>() as f64;
    (rows / started.elapsed().as_secs_f64(), rows / cpu.elapsed().as_secs_f64())
}

fn commits(args: &Args, only_lazy: bool, lots: &[usize]) {
    let durable = [("1 row", 1, 1), ("8 threads, 1 row", 1, 8), ("100 rows", 100, 1), ("1,000 rows", 1_000, 1)];
    let lazy = [("1 row", 1, 1), ("100 rows", 100, 1)];
    for (sync, title, cases) in
        [(Sync::Durable, "Durable commits", &durable[..]), (Sync::Lazy, "Commits that are not synced", &lazy[..])]
    {
        let wanted = |case: &&(&str, usize, i64)| lots.is_empty() || lots.contains(&case.1);
        let cases: Vec<_> = cases.iter().filter(wanted).filter(|_| !only_lazy || sync == Sync::Lazy).collect();
        if cases.is_empty() {
            continue;
        }
        let names: Vec<&str> = cases.iter().map(|(name, ..)| *name).collect();
        let mut table = Table::new(format!("{title} of random keys, rows a second of elapsed time"), &names);
        let mut cpu = Table::new("The same, rows a second of CPU time of all threads".to_owned(), &names);
        for (name, open) in args.engines() {
            let (figures, of_cpu): (Vec<f64>, Vec<f64>) = cases
                .iter()
                .map(|(_, lot, threads)| {
                    let folder = args.temporary();
                    let engine = open(&folder.path().join("db"), sync);
                    let mut next = 1;
                    commit_rate(&*engine, *lot, *threads, 0.3, &mut next);
                    let mut of_cpu = Vec::new();
                    let elapsed = median(args.runs, || {
                        let (elapsed, cpu) = commit_rate(&*engine, *lot, *threads, 1.0, &mut next);
                        of_cpu.push(cpu);
                        elapsed
                    });
                    of_cpu.sort_by(f64::total_cmp);
                    (elapsed, of_cpu[of_cpu.len() / 2])
                })
                .unzip();
            table.row(name, &figures);
            cpu.row(name, &of_cpu);
        }
        table.print();
        cpu.print();
    }
}

fn bytes_of(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes_of(&entry.path()),
        // What is allocated: a sparse file is not as big as it says.
        Ok(data) => std::os::unix::fs::MetadataExt::blocks(&data) * 512,
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

fn load(args: &Args, only_sorted: bool, cold: bool) {
    let orders = if only_sorted { &[false][..] } else { &[false, true] };
    let shown = orders.len();
    let mut table = Table::new(
        format!("Loads of {} rows, rows a second", args.rows),
        &["sorted, elapsed", "sorted, CPU", "random, elapsed", "random, CPU"][..2 * shown],
    );
    let mut sizes = Table::new(
        "The folder after it".to_owned(),
        &["opens a second", "1 / bytes a row, sorted", "1 / bytes a row, random"][..=shown],
    );
    let mut reads =
        Table::new("Reads after it, warm, a second of CPU time".to_owned(), &["points", "sums of all rows"]);
    let random = shuffled(args.rows);
    let asked: Vec<i64> = random.iter().copied().take(500_000).collect();
    let mut engines = args.engines();
    if cold {
        engines.insert(1.min(engines.len()), ("SpectraDB, cold", ours::open_cold));
    }
    for (name, open) in engines {
        let mut figures = Vec::new();
        let mut after = Vec::new();
        let (mut reopened, mut read_after) = (0.0, [f64::NAN; 2]);
        for is_random in orders.iter().copied() {
            let mut loads: Vec<(f64, f64)> = Vec::new();
            let mut bytes = 0.0;
            for _ in 0..args.runs {
                let folder = args.temporary();
                let path = folder.path().join("db");
                let engine = open(&path, Sync::Lazy);
                let (wall, cpu) = (Instant::now(), ProcessTime::now());
                match is_random {
                    false => engine.load(&mut (0..args.rows).map(row)),
                    true => engine.load(&mut random.iter().map(|id| row(*id))),
                }
                loads.push((
                    args.rows as f64 / wall.elapsed().as_secs_f64(),
                    args.rows as f64 / cpu.elapsed().as_secs_f64(),
                ));
                drop(engine);
                bytes = bytes_of(&path) as f64;
                if name != "bare log" {
                    let started = Instant::now();
                    let engine = open(&path, Sync::Lazy);
                    assert_eq!(engine.read(&[1]).count, 1);
                    reopened = 1.0 / started.elapsed().as_secs_f64();
                    if cold {
                        read_after = reads_after(&*engine, &asked, args.runs);
                    }
                }
            }
            loads.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (wall, cpu) = loads[loads.len() / 2];
            figures.extend([wall, cpu]);
            after.push(args.rows as f64 / bytes);
        }
        after.insert(0, reopened);
        table.row(name, &figures);
        sizes.row(name, &after);
        reads.row(name, &read_after);
    }
    table.print();
    sizes.print();
    if cold {
        reads.print();
    }
}

/// Points and sums of all rows, each a second of CPU time.
fn reads_after(engine: &dyn Engine, keys: &[i64], runs: usize) -> [f64; 2] {
    let timed = |count: f64, work: &dyn Fn()| {
        work();
        median(runs, || {
            let started = ThreadTime::now();
            work();
            count / started.elapsed().as_secs_f64()
        })
    };
    let points = timed(keys.len() as f64, &|| assert_eq!(engine.read(keys).count, keys.len() as u64));
    let sums = if engine.sum().is_some() { timed(1.0, &|| assert!(engine.sum().is_some())) } else { f64::NAN };
    [points, sums]
}
