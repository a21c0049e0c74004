//! Does COPY take what a file says, and refuse what it cannot mean?

use spectradb::{Database, Error};
use std::path::PathBuf;

struct Files {
    folder: tempfile::TempDir,
    db: Database,
}

impl Files {
    fn new() -> Files {
        let db = Database::open_memory().expect("memory is there");
        db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(8,2) DEFAULT 1.5)").expect("new");
        Files { folder: tempfile::tempdir().expect("a folder"), db }
    }

    #[expect(clippy::disallowed_methods, reason = "the test makes the file that COPY reads")]
    fn file(&self, text: &str) -> PathBuf {
        let path = self.folder.path().join("in.csv");
        std::fs::write(&path, text).expect("the folder takes it");
        path
    }

    fn copy(&self, text: &str) -> Result<u64, Error> {
        let path = self.file(text);
        Ok(self.db.sql(&format!("COPY t FROM '{}'", path.display()))?.rows_changed())
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        let rows = self.db.query(sql, ()).expect("it runs");
        let shown = |value: &spectradb::Value| if value.is_null() { "NULL".to_owned() } else { value.to_string() };
        rows.map(|row| row.expect("it reads").values().iter().map(shown).collect::<Vec<_>>().join("|")).collect()
    }
}

#[test]
fn headers_name_columns_however_they_are_written() {
    let files = Files::new();
    assert_eq!(files.copy("NAME,ID\nx,1\n\"\",2\n,3\n").expect("it fits"), 3);
    assert_eq!(files.rows("SELECT * FROM t ORDER BY id"), ["1|x|1.50", "2||1.50", "3|NULL|1.50"]);
    assert_eq!(files.copy("4,y,2\n").expect("a file without a header is taken by position"), 1);
}

#[test]
fn a_header_with_one_wrong_name_is_an_error_and_no_row() {
    let files = Files::new();
    let error = files.copy("id,nam\n1,x\n").expect_err("there is no such column");
    assert_eq!((error.code(), error.help()), ("42703", Some("a column named \"name\" exists")));
    assert!(files.rows("SELECT * FROM t").is_empty());
}

#[test]
fn periods_nulls_and_quotes_survive_a_round_trip() {
    let files = Files::new();
    files
        .db
        .sql("INSERT INTO t VALUES (1, 'a,\"b\"\nc', NULL) VALID FROM DATE '2020-01-01' TO DATE '2021-01-01'")
        .expect("new");
    files.db.sql("INSERT INTO t VALUES (1, '', 2), (2, NULL, 3) VALID FROM DATE '2021-01-01'").expect("new");
    let all = "SELECT *, _valid_from, _valid_to FROM t FOR VALID_TIME ALL ORDER BY id, _valid_from";
    let before = files.rows(all);
    let path = files.folder.path().join("out.csv");
    let copied = files
        .db
        .sql(&format!("COPY (SELECT *, _valid_from, _valid_to FROM t FOR VALID_TIME ALL) TO '{}'", path.display()));
    assert_eq!(copied.expect("it writes").rows_changed(), 3);
    files.db.sql("DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, price NUMERIC(8,2))").expect("new");
    files.db.sql(&format!("COPY t FROM '{}'", path.display())).expect("it reads");
    assert_eq!(files.rows(all), before);
}

#[test]
fn arrays_survive_a_round_trip() {
    let files = Files::new();
    files.db.sql("CREATE TABLE a (id INTEGER PRIMARY KEY, i INT[], s TEXT[], m INT[])").expect("new");
    files
        .db
        .sql(
            "INSERT INTO a VALUES (1, '{1,NULL,3}', ARRAY['a b', 'c,\"d\"', '', NULL, 'NULL', '{}', E'\\\\ \n'], '{{1,2},{3,4}}'),
             (2, NULL, '{}', '[0:1]={5,6}')",
        )
        .expect("new");
    let before = files.rows("SELECT * FROM a ORDER BY id");
    let path = files.folder.path().join("out.csv");
    files.db.sql(&format!("COPY a TO '{}'", path.display())).expect("it writes");
    files.db.sql("TRUNCATE a").expect("it is there");
    files.db.sql(&format!("COPY a FROM '{}'", path.display())).expect("it reads");
    assert_eq!(files.rows("SELECT * FROM a ORDER BY id"), before);
    let path = files.file("id,i\n3,\"{1,2\"\n");
    let error = files.db.sql(&format!("COPY a FROM '{}'", path.display())).expect_err("the brace is not closed");
    assert_eq!(error.code(), "22P02");
}

#[test]
fn one_bad_line_leaves_nothing() {
    let files = Files::new();
    let error = files.copy("id,name\n1,a\nx,b\n").expect_err("x is no integer");
    assert_eq!(error.code(), "22P02");
    assert!(error.message().contains("line 3") && error.message().contains("\"id\""), "{error}");
    assert!(files.rows("SELECT * FROM t").is_empty());
    assert_eq!(files.copy("id,name\n1\n").expect_err("a field is missing").code(), "22P04");
}

#[test]
fn a_point_before_a_table_was_made_is_an_error_however_it_is_written() {
    let db = Database::open_memory().expect("memory is there");
    db.sql("CREATE TABLE z (a INTEGER PRIMARY KEY); INSERT INTO z VALUES (1); INSERT INTO z VALUES (2)").expect("runs");
    db.sql("DROP TABLE z; CREATE TABLE z (q TEXT PRIMARY KEY); INSERT INTO z VALUES ('new')").expect("runs");
    assert_eq!(db.query("SELECT a FROM z AS OF 2", ()).expect("the table of then").count(), 2);
    let late = db.query("SELECT * FROM z AS OF current_commit() - 1", ());
    assert_eq!(late.expect_err("this z was not there").code(), "42P01");
    let param = db.query("SELECT * FROM z AS OF $1", &[spectradb::Value::from(1i64)]);
    assert_eq!(param.expect_err("this z was not there").code(), "42P01");
}

#[test]
fn errors_name_the_line_of_the_file() {
    let files = Files::new();
    let told = |text: &str| {
        let error = files.copy(text).expect_err("it is wrong");
        (error.code(), error.message().replace(&files.folder.path().display().to_string(), ""))
    };
    let period = told("id,_valid_from,_valid_to\n1,2020-01-01,2021-01-01\n2,2021-01-01,2020-01-01\n");
    assert_eq!(period.0, "22000");
    assert!(period.1.starts_with("line 3 of \"/in.csv\": a valid period must end after it begins"), "{}", period.1);
    let (code, message) = told("id,_valid_from\n1,\n");
    assert_eq!((code, message.as_str()), ("22004", "line 2 of \"/in.csv\": an end of a valid period is NULL"));
    let (code, message) = told("id,name\n5,x\n6,y\n\"5\",\"z\nz\"\n");
    assert_eq!((code, &message[..21]), ("23505", "line 4 of \"/in.csv\": "));
    let (code, message) = told("id,name\n5,x\n,y\n");
    assert_eq!((code, &message[..21]), ("23502", "line 3 of \"/in.csv\": "));
    assert!(files.rows("SELECT * FROM t").is_empty());
}
