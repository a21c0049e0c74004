//! What may be asked of a database that another process writes?
//!
//! A writer and a reader have the same folder open, as two processes would: proofs, exports and plans work in the reader, what
//! changes anything is refused, and the writer tells who reads and what stays for it.

use spectradb::{
    Config, Database, Error, Row,
    ledger::{FactName, ProofOf},
};

fn rows(db: &Database, sql: &str) -> Vec<Row> {
    db.query(sql, ()).unwrap_or_else(|error| panic!("{sql}\n{error}")).collect_all().expect("rows")
}

fn code(result: Result<impl Sized, Error>) -> &'static str {
    result.map(drop).expect_err("it must fail").code()
}

fn figure(db: &Database, part: &str, figure: &str) -> Option<f64> {
    let all = rows(db, "SHOW STATS");
    let is_it =
        |row: &&Row| row.get::<String>(0).expect("text") == part && row.get::<String>(1).expect("text") == figure;
    all.iter().find(is_it).map(|row| row.get(2).expect("a number"))
}

#[test]
fn a_reader_proves_exports_and_explains() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    let writer = Database::open_with(&path, Config { background: false, ..Config::default() }).expect("a new database");
    writer.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)").expect("a table");
    writer.sql("INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')").expect("rows");
    let reader = Database::open_read_only(&path).expect("beside the writer");
    let digest = reader.digest().expect("it reads");
    assert_eq!(digest, writer.digest().expect("it reads"));
    let fact = FactName { table: "t", key: vec!["2".to_owned()], ..FactName::default() };
    let proof = reader.prove_fact(&fact, None).expect("it is there");
    assert!(proof.check(&digest).expect("it holds").leaf.is_some());
    writer.sql("UPDATE t SET name = 'zwei' WHERE id = 2").expect("a row");
    let on = reader.prove_consistency(&digest, None).expect("it goes on");
    assert!(on.check(&digest, &reader.digest().expect("it reads")).is_ok());
    assert!(
        reader
            .prove(ProofOf::Record(3), None)
            .expect("it is durable")
            .check(&reader.digest().expect("it reads"))
            .is_ok()
    );
    assert_eq!(reader.verify(Some(&digest)).expect("it reads").difference, None);
    let file = folder.path().join("out.csv");
    let copied = reader.sql(&format!("COPY (SELECT id, name FROM t ORDER BY id) TO '{}'", file.display()));
    copied.expect("a reader may write files of the user's");
    #[expect(clippy::disallowed_methods, reason = "the file is the user's")]
    let text = std::fs::read_to_string(&file).expect("it was written");
    assert!(text.contains("2,zwei") && text.lines().count() == 4, "{text}");
    for statement in
        ["EXPLAIN SELECT * FROM t WHERE id = 2", "EXPLAIN ANALYZE SELECT * FROM t", "SHOW STORAGE", "VERIFY LEDGER"]
    {
        assert!(!rows(&reader, statement).is_empty(), "{statement}");
    }
    assert_eq!(rows(&reader, "EXPLAIN DELETE FROM t").len(), rows(&writer, "EXPLAIN DELETE FROM t").len());
    for statement in ["DELETE FROM t", "ERASE FROM t WHERE id = 1", "VACUUM", "CREATE TABLE u (id INTEGER PRIMARY KEY)"]
    {
        assert_eq!(code(reader.sql(statement)), "25006", "{statement}");
    }
}

#[test]
fn the_writer_tells_who_reads_and_what_stays_for_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    let writer = Database::open_with(&path, Config { background: false, ..Config::default() }).expect("a new database");
    writer.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)").expect("a table");
    writer.sql("INSERT INTO t VALUES (1, 'one'), (2, 'two')").expect("rows");
    writer.sql("VACUUM").expect("files");
    assert_eq!(
        (figure(&writer, "readers", "processes"), figure(&writer, "ledger", "receipts")),
        (Some(0.0), Some(0.0))
    );
    let reader = Database::open_read_only(&path).expect("beside the writer");
    let name = format!("reader {}", std::process::id());
    assert_eq!(figure(&writer, "readers", "processes"), Some(1.0));
    assert_eq!((figure(&writer, &name, "behind"), figure(&writer, &name, "held_files")), (Some(0.0), Some(0.0)));
    writer.sql("ERASE FROM t WHERE id = 1").expect("it is erased");
    // The reader has not looked since, and may still read what was there.
    assert!(figure(&writer, &name, "behind") > Some(0.0) && figure(&writer, &name, "held_files") > Some(0.0));
    assert!(figure(&writer, "readers", "held_size") > Some(0.0));
    let waiting = |db: &Database| {
        let all = rows(db, "SHOW STORAGE");
        let row = all.iter().find(|row| row.get::<String>("kind").expect("text") == "waiting").expect("it is told");
        row.get::<i64>("files").expect("a number")
    };
    assert!(waiting(&writer) > 0);
    assert_eq!(rows(&reader, "SELECT id FROM t").len(), 1);
    assert_eq!(waiting(&writer), 0, "the reader has gone on");
    assert_eq!((figure(&writer, "ledger", "receipts"), figure(&writer, "ledger", "erased")), (Some(1.0), Some(1.0)));
    assert_eq!(figure(&reader, "ledger", "receipts"), Some(1.0));
    let verified = &rows(&reader, "VERIFY LEDGER")[0];
    let count = |name: &str| verified.get::<i64>(name).expect("a number");
    assert_eq!((count("facts"), count("proven"), count("erased"), count("receipts")), (1, 1, 1, 1));
    drop(reader);
    assert_eq!(figure(&writer, "readers", "processes"), Some(0.0));
}
