//! What may a transaction do that began before an erasure?
//!
//! ERASE is no commit, so it meets nobody at the commits. Decided: whoever began before it and speaks of an erased key is
//! refused as if another had committed first (40001), and so is a SERIALIZABLE transaction that read the table; everything else
//! goes on. A statement of its own, and a batch, which read when they commit, come after the erasure.

use spectradb::{Config, Database, Error, Params, Session};
use spectradb_store::Store;

fn database() -> Database {
    database_of(Config::default())
}

fn database_of(config: Config) -> Database {
    let db = Database::over(Store::open_memory(config).expect("memory is there"));
    db.sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); CREATE TABLE u (id INTEGER PRIMARY KEY, n INTEGER);
         INSERT INTO t VALUES (1, 10), (2, 20), (3, 30); DELETE FROM t WHERE id = 3",
    )
    .expect("runs");
    db
}

fn run(session: &mut Session, sql: &str) {
    session.run(sql, Params::None).unwrap_or_else(|error| panic!("{sql}\n{error}"));
}

fn code(result: Result<impl Sized, Error>) -> &'static str {
    result.map(drop).expect_err("it must fail").code()
}

#[test]
fn a_transaction_from_before_speaks_of_no_erased_key() {
    for (statement, is_refused) in [
        ("UPDATE t SET n = n + 1 WHERE id = 1", true),
        ("DELETE FROM t WHERE id = 1", true),
        // There is nothing that it supersedes.
        ("INSERT INTO t VALUES (3, 31)", true),
        ("UPDATE t SET n = n + 1 WHERE id = 2", false),
        ("INSERT INTO t VALUES (4, 40)", false),
        ("INSERT INTO u SELECT id, n FROM t", false),
    ] {
        // What it says may lie in files before it commits.
        for transaction_bytes_max in [usize::MAX, 0] {
            let db = database_of(Config { transaction_bytes_max, ..Config::default() });
            let mut session = db.session();
            run(&mut session, "BEGIN");
            run(&mut session, statement);
            db.sql("ERASE FROM t WHERE id IN (1, 3)").expect("runs");
            match (session.commit(), is_refused) {
                (Ok(_), false) => {}
                (refused, true) => assert_eq!(code(refused), "40001", "{statement}"),
                (Err(error), false) => panic!("{statement}\n{error}"),
            }
            let left = db.query("SELECT count(*) FROM t FOR SYSTEM_TIME ALL WHERE id IN (1, 3)", ()).expect("runs");
            let left: Vec<i64> =
                left.map(|row| row.and_then(|row| row.get(0))).collect::<Result<_, Error>>().expect("counts");
            assert_eq!(left, [0], "{statement}");
            let verified = db.verify(None).expect("it reads");
            assert_eq!(verified.difference, None, "{statement}");
        }
    }
}

#[test]
fn a_serializable_transaction_does_not_carry_on_what_was_erased() {
    for (level, is_refused) in [("SNAPSHOT", false), ("SERIALIZABLE", true)] {
        let db = database();
        let mut session = db.session();
        run(&mut session, &format!("BEGIN ISOLATION LEVEL {level}"));
        run(&mut session, "INSERT INTO u SELECT id, n FROM t WHERE id = 1");
        db.sql("ERASE FROM t WHERE id = 1").expect("runs");
        match (session.commit(), is_refused) {
            (Ok(_), false) => {}
            (refused, true) => assert_eq!(code(refused), "40001", "{level}"),
            (Err(error), false) => panic!("{level}\n{error}"),
        }
    }
}

#[test]
fn a_batch_reads_when_it_commits_and_so_comes_after() {
    let db = database();
    let mut batch = db.batch();
    batch.put_values("t", [1.into(), 11.into()]);
    db.sql("ERASE FROM t WHERE id = 1").expect("runs");
    assert_eq!(batch.commit().expect("it begins now"), Some(3));
    db.sql("UPDATE t SET n = 12 WHERE id = 1").expect("so does a statement");
    let versions = db.query("SELECT n FROM t FOR SYSTEM_TIME ALL WHERE id = 1 ORDER BY n", ()).expect("runs");
    let versions: Vec<i64> =
        versions.map(|row| row.and_then(|row| row.get(0))).collect::<Result<_, Error>>().expect("numbers");
    assert_eq!(versions, [11, 12]);
}
