//! Do readers in other processes see whole commits only, while a writer works, flushes, compacts, drops its log and is killed?
//!
//! One shell moves money between accounts, in transactions that keep the sum, with tiny memtables. Others have the same folder
//! open with `--read-only` and ask again and again for the sum, the newest commit, and the sum at a past one. Writers are
//! killed (SIGKILL) and started again while the readers stay. Could go wrong wherever a reader meets a file that changes.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long each writer works before it is killed; `SPECTRADB_READERS_MS` asks for more.
const WRITER_MS: u64 = 400;

fn shell(path: &Path, more: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_spectradb"))
        .args(["--mode", "csv", "--no-header", "--bail", "--memtable-max-bytes", "16384", "--log-archive", "drop"])
        .args(more)
        .arg("--path")
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the shell starts")
}

fn ask(path: &Path, more: &[&str], sql: &str) -> (String, String, bool) {
    let mut child = shell(path, more);
    child.stdin.take().expect("piped").write_all(sql.as_bytes()).expect("the shell reads");
    let output = child.wait_with_output().expect("the shell ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.success())
}

/// Works until it is killed.
fn write_until_killed(path: &Path, round: u64, alive: Duration) {
    let mut child = shell(path, &[]);
    let mut stdin = child.stdin.take().expect("piped");
    let feeder = thread::spawn(move || {
        for n in round * 100_000.. {
            let (from, to) = (n % 10, (n * 7 + 1) % 10);
            let sql = format!(
                "BEGIN; UPDATE account SET balance = balance - {n} WHERE id = {from}; \
                 UPDATE account SET balance = balance + {n} WHERE id = {to}; COMMIT;\n"
            );
            if stdin.write_all(sql.as_bytes()).is_err() {
                return;
            }
        }
    });
    let drained = child.stdout.take().map(|out| thread::spawn(move || BufReader::new(out).lines().count()));
    let until = Instant::now() + alive;
    while Instant::now() < until {
        thread::park_timeout(until.saturating_duration_since(Instant::now()));
    }
    child.kill().expect("the process can be killed");
    child.wait().expect("it is reaped");
    feeder.join().expect("the feeder ends");
    drained.map(thread::JoinHandle::join);
}

#[test]
fn readers_see_whole_commits_while_writers_work_and_are_killed() {
    let alive = std::env::var("SPECTRADB_READERS_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(WRITER_MS);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    let (_, error, is_fine) = ask(&path, &["--read-only"], "SELECT 1;");
    assert!(!is_fine && error.contains("there is no database"), "{error}");
    let rows: Vec<String> = (0..10).map(|id| format!("({id}, 100)")).collect();
    let setup = format!(
        "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL); INSERT INTO account VALUES {};",
        rows.join(", ")
    );
    assert!(ask(&path, &[], &setup).2);
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let mut child = shell(&path, &["--read-only"]);
            let stdin = child.stdin.take().expect("piped");
            let answers = BufReader::new(child.stdout.take().expect("piped")).lines();
            (child, stdin, answers)
        })
        .collect();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let threads: Vec<_> = readers
        .into_iter()
        .map(|(mut child, mut stdin, mut answers)| {
            let stop = stop.clone();
            thread::spawn(move || {
                let (mut last, mut asked) = (0u64, 0u64);
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let past = 1 + asked % last.max(1);
                    let sql = format!(
                        "BEGIN; SELECT current_commit(), sum(balance), count(*) FROM account; ROLLBACK; \
                         SELECT sum(balance), count(*) FROM account AS OF {past};\n"
                    );
                    stdin.write_all(sql.as_bytes()).expect("the reader lives");
                    let mut line = || answers.next().and_then(Result::ok);
                    let (now, then) = match (line(), line()) {
                        (Some(now), Some(then)) => (now, then),
                        _ => {
                            let mut said = String::new();
                            let stderr = child.stderr.take().expect("piped");
                            BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| said += &line);
                            panic!("a reader ended: {said}");
                        }
                    };
                    let (commit, rest) = now.split_once(',').expect("three values");
                    let commit: u64 = commit.parse().expect("a number");
                    assert!(commit >= last, "commits only grow: {commit} after {last}");
                    assert_eq!((rest.trim(), then.trim()), ("1000,10", "1000,10"), "at {commit} and {past}");
                    last = commit;
                    asked += 1;
                }
                drop(stdin);
                child.wait().expect("it ends");
                (last, asked)
            })
        })
        .collect();
    for round in 1..=4 {
        write_until_killed(&path, round, Duration::from_millis(alive));
    }
    let (_, error, is_fine) = ask(&path, &["--read-only"], "UPDATE account SET balance = 0;");
    assert!(!is_fine && error.contains("25006"), "{error}");
    let (verified, error, is_fine) = ask(&path, &["--read-only"], "SELECT count(*) FROM account; SHOW STATS;");
    assert!(is_fine && verified.starts_with("10"), "{error}");
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for reader in threads {
        let (last, asked) = reader.join().expect("every answer was right");
        assert!(last > 1 && asked > 1, "the reader saw {last} commits in {asked} questions");
    }
}

/// The folder's files that hold a text.
#[expect(clippy::disallowed_methods, reason = "a test searches the database's files")]
fn traces(path: &Path, text: &str) -> Vec<String> {
    let entries = std::fs::read_dir(path).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("it is listed").path());
    let holds = |file: &std::path::PathBuf| {
        let bytes = std::fs::read(file).expect("it is read");
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    };
    names.filter(holds).map(|file| file.display().to_string()).collect()
}

/// A writer erases and ends while a reader still holds the old files: the reader takes them away when it ends.
#[test]
fn the_last_reader_leaves_no_trace_of_what_was_erased() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    let setup =
        "CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO person VALUES (1, 'VANISHING'); VACUUM;";
    assert!(ask(&path, &[], setup).2);
    let mut reader = shell(&path, &["--read-only"]);
    let (mut stdin, mut stdout) =
        (reader.stdin.take().expect("piped"), BufReader::new(reader.stdout.take().expect("piped")));
    let mut line = String::new();
    stdin.write_all(b"BEGIN; SELECT name FROM person;\n").expect("the reader reads");
    stdout.read_line(&mut line).expect("the reader answers");
    assert_eq!(line.trim_end(), "VANISHING");
    assert!(ask(&path, &[], "ERASE FROM person WHERE id = 1;").2);
    assert!(!traces(&path, "VANISHING").is_empty(), "the reader still has its files");
    drop(stdin);
    assert!(reader.wait().expect("it is reaped").success());
    assert_eq!(traces(&path, "VANISHING"), Vec::<String>::new());
}
