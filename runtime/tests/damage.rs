//! Is a ledger that was cut, or put in another's place, noticed although every fact is in segments?
//!
//! After a clean close nothing of the log needs to be read again, so damage to it would go unseen until somebody replays
//! it; opening looks at each log segment's first frame and at the last one's length.

#![expect(clippy::disallowed_methods, reason = "the test damages files")]

use spectradb::Database;
use std::{
    fs,
    path::{Path, PathBuf},
};

fn database(path: &Path, rows: i64) -> PathBuf {
    let db = Database::open(path).expect("a new folder");
    db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY)").expect("new");
    for row in 0..rows {
        db.sql(&format!("INSERT INTO t VALUES ({row})")).expect("new");
    }
    db.store().flush().expect("the disk takes it");
    db.close().expect("it closes");
    path.join("log-0000000001.log")
}

#[test]
fn a_log_cut_to_nothing_is_noticed_at_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    let log = database(&path, 20);
    let whole = fs::read(&log).expect("the log is there");
    for len in [0, 100, 2_000] {
        fs::write(&log, &whole[..len]).expect("written");
        let error = Database::open(&path).expect_err("the log is cut");
        assert_eq!(error.code(), "XX001", "{len}: {error}");
        assert!(error.message().contains("log-0000000001.log"), "{error}");
    }
    fs::write(&log, &whole).expect("written");
    let db = Database::open(&path).expect("it is whole again");
    assert_eq!(db.query("SELECT id FROM t", ()).expect("it runs").count(), 20);
}

#[test]
fn another_databases_log_is_noticed_at_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let (log, foreign) = (database(&one, 5), database(&other, 9));
    fs::copy(&foreign, &log).expect("copied");
    let error = Database::open(&one).expect_err("the log is another's");
    assert_eq!(error.code(), "XX001", "{error}");
}
