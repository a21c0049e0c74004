//! Does a killed process lose anything that it acknowledged, or leave anything half?
//!
//! The shell is fed transactions and killed (SIGKILL) at random moments, again and again on one database, with a memtable
//! so small that flushes and compactions are under way, and in turns with writes that go to segments at once. Each transaction writes a pair of facts and moves a counter, then
//! asks for its number: what was printed was acknowledged. After every kill a new process must find every acknowledged
//! transaction, whole, in order, and no part of another. Could go wrong wherever the log, a flush or the manifest is
//! written in an order that a crash can tear.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Kills in an ordinary run; `SPECTRADB_KILLS` asks for more.
const KILLS: u32 = 100;

struct Seed(u64);

impl Seed {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What a process is told besides: every write to the log or to segments at once, or to files before it commits; log segments
/// kept, archived, or dropped.
const WAYS: [&[&str]; 5] = [
    &[],
    &["--bulk-min-bytes", "0"],
    &["--bulk-min-bytes", "0", "--log-archive", "compress"],
    &["--bulk-min-bytes", "64", "--log-archive", "drop"],
    &["--transaction-max-bytes", "0"],
];

fn shell(path: &Path, way: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_spectradb"))
        .args(["--mode", "csv", "--no-header", "--bail", "--memtable-max-bytes", "16384"])
        .args(way)
        .arg("--path")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell starts")
}

/// Runs statements to the end and gives what they print.
fn ask(path: &Path, sql: &str) -> Vec<String> {
    let mut child = shell(path, &[]);
    child.stdin.take().expect("piped").write_all(sql.as_bytes()).expect("the shell reads");
    let output = child.wait_with_output().expect("the shell ends");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{sql}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

/// Feeds statements from number `next` on until the process is killed; answers the last number it printed.
fn feed_until_killed(
    path: &Path,
    way: &[&str],
    next: u64,
    alive: Duration,
    statements: fn(u64) -> String,
) -> Option<u64> {
    let mut child = shell(path, way);
    let mut stdin = child.stdin.take().expect("piped");
    let stdout = child.stdout.take().expect("piped");
    let (ready, first_answer) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut last = None;
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if last.is_none() {
                ready.send(()).ok();
            }
            // A line may be cut off by the kill: only a whole number counts, and only with its newline read.
            last = line.trim().parse::<u64>().ok().or(last);
        }
        last
    });
    let writer = thread::spawn(move || {
        for n in next.. {
            if stdin.write_all(statements(n).as_bytes()).is_err() {
                return;
            }
        }
    });
    // The clock starts with the first answer, so that a slow start is not all that is ever killed.
    let started = first_answer.recv_timeout(Duration::from_secs(30)).is_ok();
    let until = Instant::now() + alive;
    while started && Instant::now() < until {
        thread::park_timeout(until.saturating_duration_since(Instant::now()));
    }
    child.kill().expect("the process can be killed");
    child.wait().expect("the killed process is reaped");
    writer.join().expect("the writer ends");
    reader.join().expect("the reader ends")
}

#[test]
fn a_killed_shell_loses_nothing_acknowledged_and_shows_nothing_half() {
    let kills = std::env::var("SPECTRADB_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let seed = std::env::var("SPECTRADB_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed_0001);
    println!("SPECTRADB_SEED={seed} SPECTRADB_KILLS={kills}");
    let mut random = Seed(seed);
    let folder = tempfile::tempdir().expect("a folder for the database");
    let path: PathBuf = folder.path().join("db");
    ask(
        &path,
        "CREATE TABLE pairs (id INTEGER PRIMARY KEY, side TEXT NOT NULL); \
         CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO counter VALUES (1, 0);",
    );
    let mut done = 0;
    for kill in 0..kills {
        let alive = Duration::from_micros(random.below(60_000));
        let statements = |n: u64| {
            format!(
                "BEGIN; INSERT INTO pairs VALUES ({n}, 'left'); INSERT INTO pairs VALUES (-{n}, 'right'); \
                 UPDATE counter SET n = {n} WHERE id = 1; COMMIT;\nSELECT {n};\n"
            )
        };
        let way = WAYS[kill as usize % WAYS.len()];
        let acknowledged = feed_until_killed(&path, way, done + 1, alive, statements).unwrap_or(done);
        let asked = "SELECT n FROM counter; SELECT current_commit(); \
                     SELECT count(*), coalesce(max(id), 0), coalesce(sum(id), 0), count(DISTINCT abs(id)) FROM pairs;";
        let answers = ask(&path, asked);
        let counter: u64 = answers[0].parse().expect("a number");
        let commit: u64 = answers[1].parse().expect("a number");
        assert!(counter >= acknowledged, "kill {kill}: {acknowledged} was acknowledged, {counter} is there");
        assert_eq!(commit, counter + 1, "kill {kill}: one commit for each transaction");
        assert_eq!(answers[2], format!("{},{counter},0,{counter}", 2 * counter), "kill {kill}: pairs are whole");
        let past = random.below(counter + 1);
        let history = ask(
            &path,
            &format!("SELECT count(*) FROM pairs AS OF {}; SELECT n FROM counter AS OF {};", past + 1, past + 1),
        );
        assert_eq!(history, [format!("{}", 2 * past), format!("{past}")], "kill {kill}: the past is whole");
        done = counter;
    }
    let verified = ask(&path, "VERIFY LEDGER;");
    assert_eq!(verified.len(), 1, "the ledger is what it says: {verified:?}");
    assert!(done > u64::from(kills), "the shell got some work done between the kills: {done}");
}

/// The numbers in the texts of secrets that stand anywhere in a folder.
#[expect(clippy::disallowed_methods, reason = "a test searches the database's files")]
fn secrets_in(folder: &Path) -> Vec<u64> {
    const SECRET: &[u8] = b"unspeakable-";
    let mut found = Vec::new();
    for file in std::fs::read_dir(folder).expect("it is there").map_while(Result::ok) {
        let bytes = std::fs::read(file.path()).expect("it can be read");
        for at in (0..bytes.len()).filter(|at| bytes[*at..].starts_with(SECRET)) {
            let digits = bytes[at + SECRET.len()..].iter().take_while(|byte| byte.is_ascii_digit());
            found.push(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')));
        }
    }
    found
}

/// An erasure that was acknowledged has left no byte when the process dies; one that was not is done whole or not at all.
#[test]
fn a_killed_shell_leaves_no_trace_of_what_was_erased() {
    let seed = std::env::var("SPECTRADB_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5eed_0002);
    println!("SPECTRADB_SEED={seed}");
    let mut random = Seed(seed);
    let folder = tempfile::tempdir().expect("a folder for the database");
    let path: PathBuf = folder.path().join("db");
    let statements = |n: u64| {
        format!(
            "INSERT INTO secrets VALUES ({n}, 'unspeakable-{n}-x') ON CONFLICT DO NOTHING; \
             UPDATE secrets SET name = 'unspeakable-{n}-y' WHERE id = {n}; ERASE FROM secrets WHERE id = {n}; \
             UPDATE counter SET n = {n} WHERE id = 1;\nSELECT {n};\n"
        )
    };
    ask(
        &path,
        "CREATE TABLE secrets (id INTEGER PRIMARY KEY, name TEXT NOT NULL); \
         CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL); INSERT INTO counter VALUES (1, 0);",
    );
    let mut done = 0;
    for kill in 0..16 {
        let alive = Duration::from_micros(random.below(150_000));
        let way = WAYS[kill % WAYS.len()];
        let acknowledged = feed_until_killed(&path, way, done + 1, alive, statements).unwrap_or(done);
        let left: Vec<u64> = secrets_in(&path).into_iter().filter(|number| *number <= acknowledged).collect();
        assert_eq!(left, Vec::<u64>::new(), "kill {kill}: up to {acknowledged} all were erased");
        let answers = ask(&path, "SELECT n FROM counter; SELECT count(*) FROM secrets FOR SYSTEM_TIME ALL;");
        done = answers[0].parse().expect("a number");
        assert!(done >= acknowledged, "kill {kill}: {acknowledged} was acknowledged, {done} is there");
        let versions: u64 = answers[1].parse().expect("a number");
        assert!(versions <= 2, "kill {kill}: {versions} versions are left of one key");
    }
    let verified = ask(&path, "ERASE FROM secrets WHERE TRUE; VERIFY LEDGER;");
    assert_eq!(verified.len(), 1, "the ledger is what it says: {verified:?}");
    assert_eq!(secrets_in(&path), Vec::<u64>::new());
    assert!(done > 16, "the shell erased something between the kills: {done}");
}
