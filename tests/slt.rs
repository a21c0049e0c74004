//! Does the database answer as SQL and the law of the two times say?
//!
//! Every `.slt` file below `tests/slt/` is run over an in-memory database of its own. The format is sqllogictest's: a
//! statement that must pass, one that must fail with a message that matches, or a query with its rows. Values are
//! written as the shell prints them, NULL as `NULL`, an empty text as `(empty)`.
//!
//! Each file runs four times: as a user would, without rewrites of the plan, and with batches of one row and of three. The
//! answers must not depend on any of it.
//!
//! Holds: all files run, and the failures of all of them are shown, not just the first. Every SQL function has a line.
//! Not here: what the shell prints (the `cli` package), plans.

use std::path::{Path, PathBuf};

use spectradb::{Database, Outcome, Session, Value};
use sqllogictest::{DBOutput, DefaultColumnType, Runner};

/// A session under the name that the runner gives it.
struct Connection(Session);

/// The runner asks for an error of its own trait; ours says all it has to say in its message.
#[derive(Debug)]
struct Refused(spectradb::Error);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for Refused {}

impl From<spectradb::Error> for Refused {
    fn from(error: spectradb::Error) -> Refused {
        Refused(error)
    }
}

impl sqllogictest::DB for Connection {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        match self.0.execute(sql, ())? {
            Outcome::Done(done) => Ok(DBOutput::StatementComplete(done.rows)),
            Outcome::Rows(rows) => {
                let types = vec![DefaultColumnType::Any; rows.columns().len()];
                let mut printed = Vec::new();
                for row in rows {
                    printed.push(row?.values().iter().map(print).collect());
                }
                Ok(DBOutput::Rows { types, rows: printed })
            }
        }
    }
}

fn print(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Text(text) if text.is_empty() => "(empty)".to_owned(),
        other => other.to_string(),
    }
}

/// Names of functions and aggregates that SQL can call; operators and the binder's own begin with no letter.
fn callable() -> Vec<&'static str> {
    let functions = spectradb_kernel::func::all().map(|function| function.name);
    let aggregates = spectradb_kernel::agg::all().map(|aggregate| aggregate.name);
    let words = ["not"];
    functions.chain(aggregates).filter(|name| name.starts_with(char::is_alphabetic) && !words.contains(name)).collect()
}

fn files() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("slt")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the corpus can be read") {
            let path = entry.expect("the corpus can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "slt") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// A way to carry out the same statements.
struct Way {
    name: &'static str,
    rewrites: bool,
    batch_rows: usize,
}

const WAYS: &[Way] = &[
    Way { name: "as a user would", rewrites: true, batch_rows: 8192 },
    Way { name: "without rewrites", rewrites: false, batch_rows: 8192 },
    Way { name: "one row a batch", rewrites: true, batch_rows: 1 },
    Way { name: "three rows a batch", rewrites: true, batch_rows: 3 },
];

fn run(file: &Path, text: &str, way: &Way, failures: &mut Vec<String>) {
    let database = Database::open_memory().expect("a database in memory opens");
    let mut runner = Runner::new(|| async {
        let mut session = database.session();
        session.set_execution(way.rewrites, way.batch_rows);
        Ok(Connection(session))
    });
    let records = sqllogictest::parse_with_name(text, file.display().to_string()).expect("the corpus is well formed");
    // Record by record, not file by file: one wrong answer should not hide the next.
    for record in records {
        if let Err(error) = runner.run(record) {
            failures.push(format!("{}: {}", way.name, error.display(false)));
        }
    }
}

#[test]
fn every_file_of_the_corpus_holds() {
    let mut failures = Vec::new();
    let files = files();
    assert!(!files.is_empty(), "the corpus was found");
    for file in &files {
        let text = std::fs::read_to_string(file).expect("the corpus can be read");
        for way in WAYS {
            run(file, &text, way, &mut failures);
        }
    }
    assert!(failures.is_empty(), "{} of {} files:\n\n{}\n", failures.len(), files.len(), failures.join("\n\n"));
}

#[test]
fn every_function_has_a_line() {
    let mut corpus = String::new();
    for file in files() {
        corpus.push_str(&std::fs::read_to_string(file).expect("the corpus can be read").to_lowercase());
    }
    let called = |name: &&str| corpus.contains(&format!("{name}("));
    let mut silent: Vec<&str> = callable().into_iter().filter(|name| !called(name)).collect();
    silent.dedup();
    assert!(silent.is_empty(), "no line of the corpus calls {}", silent.join(", "));
}
