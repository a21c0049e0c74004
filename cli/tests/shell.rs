//! Does the real binary behave at a pipe as its manual says?
//!
//! Every flag and every dot command once; what goes to stdout, what to stderr, and the exit code.

#![expect(clippy::disallowed_methods, reason = "the test makes the files that the shell is told to read")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn shell(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spectradb"));
    command.args(args).stdin(Stdio::null()).env("NO_COLOR", "1");
    command
}

/// What a run said and how it ended.
#[derive(Debug, PartialEq)]
struct Said {
    out: String,
    err: String,
    code: Option<i32>,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
    }
}

fn run(args: &[&str]) -> Said {
    shell(args).output().unwrap().into()
}

fn piped(args: &[&str], input: &[u8]) -> Said {
    let mut child = shell(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A thread of its own: the child may fill its stdout before it has read all.
    let writer = std::thread::spawn(move || match stdin.write_all(&input) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => panic!("{error}"),
        Ok(()) | Err(_) => {}
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.into()
}

fn fine(out: &str) -> Said {
    Said { out: out.to_owned(), err: String::new(), code: Some(0) }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

const SETUP: &str = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, NULL), (3, '')";

#[test]
fn a_pipe_gets_rows_and_nothing_else() {
    let input = format!("{SETUP};\nUPDATE t SET b = 'y' WHERE a = 1;\nSELECT a, b FROM t ORDER BY a;\nDELETE FROM t");
    let expected = "┌───┬──────┐\n│ a ┆ b    │\n╞═══╪══════╡\n│ 1 ┆ y    │\n│ 2 ┆ NULL │\n│ 3 ┆      │\n└───┴──────┘\n";
    assert_eq!(piped(&[], input.as_bytes()), fine(expected));
}

#[test]
fn every_mode_prints_the_same_rows() {
    let query = "SELECT a, b, 1.50::numeric(4,2) AS n, '{\"k\": [1]}'::json AS j FROM t WHERE a < 3 ORDER BY a";
    let mode = |mode: &str| run(&["--mode", mode, "-c", SETUP, "-c", query]);
    assert_eq!(mode("csv"), fine("a,b,n,j\r\n1,x,1.50,\"{\"\"k\"\": [1]}\"\r\n2,,1.50,\"{\"\"k\"\": [1]}\"\r\n"));
    assert_eq!(
        mode("jsonl"),
        fine(
            "{\"a\": 1, \"b\": \"x\", \"n\": 1.50, \"j\": {\"k\": [1]}}\n{\"a\": 2, \"b\": null, \"n\": 1.50, \"j\": {\"k\": [1]}}\n"
        )
    );
    assert_eq!(
        mode("json"),
        fine(
            "[\n  {\"a\": 1, \"b\": \"x\", \"n\": 1.50, \"j\": {\"k\": [1]}},\n  {\"a\": 2, \"b\": null, \"n\": 1.50, \"j\": {\"k\": [1]}}\n]\n"
        )
    );
    assert_eq!(
        mode("line"),
        fine("a = 1\nb = x\nn = 1.50\nj = {\"k\": [1]}\n\na = 2\nb = NULL\nn = 1.50\nj = {\"k\": [1]}\n")
    );
    assert_eq!(run(&["--mode", "json", "-c", SETUP, "-c", "SELECT a FROM t WHERE a > 9"]), fine("[]\n"));
    let wrong = run(&["--mode", "xml"]);
    assert_eq!((wrong.code, wrong.err.contains("xml")), (Some(2), true));
}

#[test]
fn csv_is_read_back_by_others() {
    let query = "SELECT 'a,b' AS \"x,\"\"y\", 'line\nbreak' AS l, 'say \"hi\"' AS q, '' AS e, 'é' AS u";
    let said = run(&["--mode", "csv", "-c", query]);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(said.out.as_bytes());
    let records: Vec<Vec<String>> =
        reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
    assert_eq!(records, [vec!["x,\"y", "l", "q", "e", "u"], vec!["a,b", "line\nbreak", "say \"hi\"", "", "é"]]);
}

#[test]
fn null_text_and_header_are_chosen() {
    let args = ["-c", SETUP, "-c", "SELECT a, b FROM t WHERE a > 1 ORDER BY a"];
    let with = |extra: &[&str]| run(&[extra, &args].concat());
    assert_eq!(with(&["--mode", "csv", "--no-header"]), fine("2,\r\n3,\"\"\r\n"));
    assert_eq!(with(&["--mode", "csv", "--no-header", "--null", "-"]), fine("2,-\r\n3,\r\n"));
    assert_eq!(
        with(&["--no-header", "--null", "none"]),
        fine("┌───┬──────┐\n│ 2 ┆ none │\n│ 3 ┆      │\n└───┴──────┘\n")
    );
    assert_eq!(with(&["--mode", "jsonl", "--null", "x"]).out.lines().next(), Some("{\"a\": 2, \"b\": null}"));
}

#[test]
fn an_error_is_placed_and_the_rest_goes_on() {
    let input = "SELECT 1 AS a;\n  SELECT * FORM t;\nSELECT 2 AS b; SELECT balanse\n FROM nowhere;\nSELECT 3 AS c";
    let said = piped(&["--mode", "csv"], input.as_bytes());
    assert_eq!((said.out.as_str(), said.code), ("a\r\n1\r\nb\r\n2\r\nc\r\n3\r\n", Some(1)));
    let expected = "error[42601]: syntax error at or near \"FORM\"\n --> line 2, column 12\n  |\n2 | SELECT * FORM t\n  |          ^^^^\n\
                    help: did you mean FROM?\n";
    assert!(said.err.starts_with(expected), "{}", said.err);
    assert!(said.err.contains("error[42P01]: ") && said.err.contains("--> line 4, column 7"), "{}", said.err);
    let bailed = piped(&["--mode", "csv", "--bail"], input.as_bytes());
    assert_eq!((bailed.out.as_str(), bailed.err.as_str(), bailed.code), ("a\r\n1\r\n", expected, Some(1)));
}

#[test]
fn a_script_behind_a_refused_begin_is_not_carried_out_piece_by_piece() {
    let script = "CREATE TABLE t (a INTEGER);\nBEGIN READ NEVER;\nINSERT INTO t VALUES (1);\nCOMMIT;\nINSERT INTO t VALUES (2);\nBEGIN READ NEVER; DROP TABLE t; ROLLBACK;\nSELECT a FROM t;\n";
    let told = piped(&["--mode", "csv"], script.as_bytes());
    assert_eq!((told.out.as_str(), told.code), ("a\r\n2\r\n", Some(1)));
    assert!(told.err.contains("error[25P02]: the statement is not carried out: the BEGIN on line 2 was refused"));
    assert!(told.err.contains("error[25P02]: nothing is committed: the BEGIN on line 2 was refused"));
    assert!(told.err.contains("the BEGIN on line 6 was refused"));
}

#[test]
fn an_unfinished_transaction_is_told() {
    let said = piped(&[], format!("{SETUP};\nBEGIN;\nDELETE FROM t;").as_bytes());
    assert_eq!(said.err, "note: the transaction that was open is rolled back\n");
}

#[test]
fn commands_and_files_run_in_the_order_they_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("two.sql");
    std::fs::write(&file, "\u{feff}-- two\nSELECT 2 AS two;\nSELECT 3 AS three").unwrap();
    let said =
        run(&["--mode", "csv", "--no-header", "-c", "SELECT 1; ", "-f", text(&file), "-c", "SELECT 4; SELECT 5"]);
    assert_eq!(said, fine("1\r\n2\r\n3\r\n4\r\n5\r\n"));
    let said = run(&["--mode", "csv", "--no-header", "--file", text(&file)]);
    assert_eq!(said, fine("2\r\n3\r\n"));
    let missing = run(&["-f", "nowhere.sql"]);
    assert_eq!((missing.code, missing.err.contains("error[58P01]: could not read nowhere.sql")), (Some(1), true));
}

#[test]
fn a_database_is_kept_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    assert_eq!(run(&["--path", text(&path), "-c", SETUP]), fine(""));
    assert_eq!(run(&[text(&path), "--mode", "csv", "-c", "SELECT count(*) FROM t"]), fine("count\r\n3\r\n"));
    // Without a folder it is gone at the end.
    assert_eq!(run(&["-c", "SELECT * FROM t"]).code, Some(1));
    let both = run(&[text(&path), "--path", text(&path)]);
    assert_eq!(both.code, Some(2));
    let file = folder.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    let refused = run(&[text(&file), "-c", "SELECT 1"]);
    assert!(refused.code == Some(1) && refused.err.starts_with("error["), "{refused:?}");
}

#[test]
fn tuning_flags_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    for (name, flag) in [
        ("a", "--wal-fsync-every-n-records=100"),
        ("b", "--wal-fsync-every-n-records=0"),
        ("c", "--memtable-max-bytes=65536"),
        ("d", "--sstable-block-bytes=4096"),
        ("e", "--bloom-bits-per-key=4"),
        ("f", "--shard-count=2"),
        ("g", "--block-cache-max-bytes=0"),
    ] {
        let path = folder.path().join(name);
        let rows: Vec<String> = (0..2_000).map(|id| format!("({id}, 'a text of some length for row {id}')")).collect();
        let input =
            format!("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);\nINSERT INTO t VALUES {};\n", rows.join(", "));
        assert_eq!(piped(&[flag, text(&path)], input.as_bytes()), fine(""), "{flag}");
        let count = run(&[flag, text(&path), "--mode", "csv", "-c", "SELECT count(*), max(b) FROM t"]);
        assert_eq!(count, fine("count,max\r\n2000,a text of some length for row 999\r\n"), "{flag}");
    }
    assert_eq!(run(&["--memtable-max-bytes", "many"]).code, Some(2));
}

/// A database is split when it is made; later the flag may be left away, and another number is refused.
#[test]
fn the_number_of_shards_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let make = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, 'z')";
    assert_eq!(run(&[text(&path), "--shard-count", "8", "-c", make]), fine(""));
    let sql = "UPDATE t SET b = 'w' WHERE a = 2; SELECT a, b FROM t ORDER BY a";
    let read = fine("a,b\r\n1,x\r\n2,w\r\n3,z\r\n");
    assert_eq!(run(&[text(&path), "--mode", "csv", "-c", sql]), read);
    assert_eq!(run(&[text(&path), "--mode", "csv", "--shard-count", "8", "-c", sql]), read);
    let refused = run(&[text(&path), "--shard-count", "3", "-c", sql]);
    let message = "error[22023]: the database has 8 shards and cannot be opened with 3";
    assert!(refused.code == Some(1) && refused.err.starts_with(message), "{refused:?}");
    assert_eq!(run(&["--shard-count", "0"]).code, Some(2));
    assert_eq!(run(&["--shard-count", "4097"]).code, Some(2));
}

#[test]
fn version_and_help() {
    assert_eq!(run(&["--version"]), fine(&format!("spectradb {}\n", env!("CARGO_PKG_VERSION"))));
    let help = run(&["--help"]);
    for flag in [
        "--path",
        "-c <SQL>",
        "-f, --file",
        "--mode",
        "--null",
        "--no-header",
        "--bail",
        "--version",
        "--wal-fsync-every-n-records",
        "--memtable-max-bytes",
        "--bulk-min-bytes",
        "--transaction-max-bytes",
        "--sstable-block-bytes",
        "--block-cache-max-bytes",
        "--bloom-bits-per-key",
        "--shard-count",
    ] {
        assert!(help.out.contains(flag), "{flag} is not in\n{}", help.out);
    }
}

#[test]
fn dot_commands_work_at_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("read.sql");
    std::fs::write(&file, "SELECT 7 AS seven;\n.mode line\n").unwrap();
    let input = format!(
        "{SETUP};\n.tables\n  .mode csv\n.schema t\n.mode\n.read {}\nSELECT 8\nAS eight;\n.timer on\nSELECT 9 AS nine;\n.timer off\n\
         .quit\nSELECT 10;",
        text(&file)
    );
    let said = piped(&[], input.as_bytes());
    let schema = "CREATE TABLE t (\n  a INTEGER PRIMARY KEY,\n  b TEXT\n);\n";
    assert_eq!(said.out, format!("t\n{schema}csv\nseven\r\n7\r\neight = 8\nnine = 9\n"));
    assert!(
        said.err.starts_with("time: ") && said.err.ends_with(" ms\n") && said.err.lines().count() == 1,
        "{}",
        said.err
    );
    assert_eq!(said.code, Some(0));
    let help = piped(&[], b".help\n").out;
    for command in [".help", ".tables", ".schema", ".stats", ".mode", ".timer", ".read", ".quit"] {
        assert!(help.contains(command), "{help}");
    }
}

#[test]
fn what_schema_prints_makes_the_same_tables() {
    let made = "CREATE TABLE \"Odd name\" (\"Key\" INTEGER, \"select\" VARCHAR(5) DEFAULT 'it''s', PRIMARY KEY (\"Key\", \"select\"));
        CREATE TABLE all_types (a SMALLINT PRIMARY KEY, b INTEGER NOT NULL DEFAULT 1 + 1, c REAL, d NUMERIC(12, 2) DEFAULT 1.50,
            e BOOLEAN DEFAULT true, f TEXT NOT NULL, g BLOB, h DATE DEFAULT current_date, i TIMESTAMP DEFAULT now(),
            j TIMESTAMPTZ, k TIME, l INTERVAL, m UUID, n JSON, o CHAR(3), p FLOAT4, q INT4);
        CREATE TABLE docs (pk TEXT PRIMARY KEY); ALTER TABLE docs SET RETENTION '90d'; CREATE TABLE no_key (a INTEGER, b TEXT NOT NULL);";
    let schema = piped(&[], format!("{made}\n.schema\n").as_bytes());
    assert_eq!((schema.err.as_str(), schema.code), ("", Some(0)));
    let again = piped(&[], format!("{}\n.schema\n", schema.out).as_bytes());
    assert_eq!(again, schema);
    let describe = "DESCRIBE \"Odd name\"; DESCRIBE all_types; DESCRIBE docs; DESCRIBE no_key;";
    let columns = |made: &str| piped(&["--mode", "csv"], format!("{made}\n{describe}").as_bytes());
    assert_eq!(columns(made), columns(&schema.out));
    let one = piped(&[], format!("{made}\n.schema \"Odd name\"\n.schema DOCS\n.stats docs\n").as_bytes());
    assert!(
        one.out.contains(
            "CREATE TABLE docs (\n  pk TEXT PRIMARY KEY\n);\nALTER TABLE docs SET RETENTION INTERVAL '90 days';\n"
        ),
        "{}",
        one.out
    );
    assert!(one.out.starts_with("CREATE TABLE \"Odd name\" (\n  \"Key\" INTEGER,\n"), "{}", one.out);
}

#[test]
fn wrong_dot_commands_are_errors() {
    let said = piped(
        &[],
        b".nothing\n.mode xml\n.timer\n.read\n.read nowhere.sql\n.schema nowhere\nSELECT '\n.no command\n';\n",
    );
    let heads: Vec<&str> = said.err.lines().filter(|line| line.starts_with("error[")).collect();
    assert_eq!(heads.len(), 6, "{}", said.err);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains(".no command"), "a dot within a text is no command");
    // A file that reads itself ends.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("loop.sql");
    std::fs::write(&file, format!(".read {}\n", text(&file))).unwrap();
    assert!(run(&["-f", text(&file)]).err.contains("error[54001]"));
}

#[test]
fn each_statement_is_answered_at_once() {
    let mut child =
        shell(&["--mode", "csv", "--no-header"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    for number in 0..5 {
        // The semicolon without a line break is enough.
        write!(stdin, "SELECT {number};").unwrap();
        stdin.flush().unwrap();
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{number}\r\n"));
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_closed_pipe_ends_it_without_a_word() {
    let rows: Vec<String> = (0..50_000).map(|id| format!("({id}, 'some text that fills the pipe')")).collect();
    let insert = format!("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);\nINSERT INTO t VALUES {};\n", rows.join(","));
    for mode in ["csv", "json", "jsonl", "line", "table"] {
        let mut child = shell(&["--mode", mode])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(insert.as_bytes()).unwrap();
        stdin.write_all(b"SELECT * FROM t;\nSELECT * FROM t;\n").unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        drop(out);
        drop(stdin);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((err.as_str(), status.code()), ("", Some(0)), "{mode}");
    }
}

#[test]
fn what_is_not_utf8_is_refused_and_the_rest_goes_on() {
    let said = piped(&["--mode", "csv", "--no-header"], b"SELECT 'caf\xe9';\nSELECT 'caf\xc3\xa9';\n");
    assert_eq!((said.out.as_str(), said.code), ("caf\u{e9}\r\n", Some(1)));
    assert!(said.err.starts_with("error[22021]: the statement on line 1 is not UTF-8\n"), "{}", said.err);
}

#[test]
fn garbage_is_refused_in_bounded_time() {
    let started = std::time::Instant::now();
    let mut nonsense = Vec::new();
    let mut state = 1u64;
    while nonsense.len() < 10 << 20 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        nonsense.push(b"abcdefgh (),.+-*= \n\t0123456789"[(state >> 33) as usize % 30]);
    }
    nonsense.extend_from_slice(b";\nSELECT 1;\n");
    let said = piped(&["--mode", "csv", "--no-header"], &nonsense);
    assert_eq!((said.out.as_str(), said.code), ("1\r\n", Some(1)));
    assert!(said.err.starts_with("error["), "{:.200}", said.err);
    // Two seconds where it is optimised; this build is not.
    assert!(started.elapsed().as_secs() < 30);
    let deep = format!("SELECT {}1{};\nSELECT 2;", "(".repeat(100_000), ")".repeat(100_000));
    let said = piped(&["--mode", "csv", "--no-header"], deep.as_bytes());
    assert_eq!((said.out.as_str(), said.code), ("2\r\n", Some(1)));
    assert!(said.err.starts_with("error[54001]: "), "{:.200}", said.err);
}

#[test]
fn eyes_see_no_control_characters() {
    let said = run(&["-c", "SELECT E'\\x1b[31mred\\tx' AS a"]);
    assert!(said.out.contains("\\u{1b}[31mred    x") && !said.out.contains('\u{1b}'), "{}", said.out);
    let said = run(&["--mode", "csv", "--no-header", "-c", "SELECT E'\\x1b[31m'"]);
    assert_eq!(said.out, "\u{1b}[31m\r\n", "csv is for programs");
}

#[cfg(unix)]
#[test]
fn deep_statements_run_on_a_small_stack() {
    let deep = 120;
    let nested = |open: &str, inner: &str, close: &str| format!("{}{inner}{}", open.repeat(deep), close.repeat(deep));
    let statements = [
        format!("SELECT {}", nested("(", "1", ")")),
        format!("SELECT {}", nested("(SELECT ", "1", ")")),
        format!("SELECT a FROM {}", nested("(SELECT * FROM ", "(SELECT 1 AS a) x", ") x")),
        format!("SELECT {}", nested("CASE WHEN true THEN ", "1", " END")),
        format!("SELECT {}", nested("coalesce(1, 2 + ", "1", ")")),
        format!("SELECT count(*) FROM (VALUES (1)) AS t (a) WHERE {}a = 1", "a = 5 OR ".repeat(10_000)),
        format!("SELECT count(*) FROM (SELECT 1) a0{}", " CROSS JOIN (SELECT 1)".repeat(200)),
        format!("SELECT 1 WHERE {}true", "NOT ".repeat(200)),
    ];
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -s 1024 && exec \"$0\" --mode csv --no-header", env!("CARGO_BIN_EXE_spectradb")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(statements.join(";\n").as_bytes()).unwrap();
    let said = Said::from(child.wait_with_output().unwrap());
    assert_eq!(said, fine(&"1\r\n".repeat(statements.len())));
}

#[test]
fn ten_megabytes_in_one_insert() {
    let rows: Vec<String> = (0..10_000).map(|id| format!("({id}, '{}')", "it''s long; ".repeat(85))).collect();
    let insert =
        format!("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);\nINSERT INTO t VALUES {};\n", rows.join(",\n"));
    assert!(insert.len() > 10_000_000);
    let query = "SELECT count(*), sum(length(b)) FROM t;";
    assert_eq!(piped(&["--mode", "csv", "--no-header"], (insert + query).as_bytes()), fine("10000,9350000\r\n"));
}
