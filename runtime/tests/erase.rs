//! What may a transaction do that began before an erasure?
//!
//! ERASE is no commit, so it meets nobody at the commits. Decided: whoever began before it and speaks of an erased key is
//! refused as if another had committed first (40001), and so is a SERIALIZABLE transaction that read the table; everything else
//! goes on. A statement of its own, and a batch, which read when they commit, come after the erasure.

use spectradb::{Config, Database, Error, Params, Session};
use spectradb_store::{Disk, LogArchive, MemDisk, Store, SystemClock};
use std::sync::Arc;

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

/// A database on a disk whose files can be searched.
fn on(disk: &MemDisk, log_archive: LogArchive) -> Database {
    let config = Config { log_archive, log_segment_bytes: 4 << 10, background: false, ..Config::default() };
    Database::over(Store::open(Arc::new(disk.clone()), Arc::new(SystemClock), config).expect("it opens"))
}

fn traces(disk: &MemDisk, secret: &str) -> Vec<String> {
    let has = |name: &String| {
        let bytes = disk.map(name).expect("it reads");
        name != "lock" && bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
    };
    disk.list().expect("it lists").into_iter().filter(has).collect()
}

fn numbers(db: &Database, sql: &str) -> Vec<i64> {
    let rows = db.query(sql, ()).unwrap_or_else(|error| panic!("{sql}\n{error}"));
    rows.map(|row| row.and_then(|row| row.get(0))).collect::<Result<_, Error>>().expect("numbers")
}

const PRUNED: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); ALTER TABLE t SET RETENTION 1d;
    BEGIN WITH (system_time = '2020-01-01'); INSERT INTO t VALUES (1, 'SECRETONE'), (2, 'two'), (3, 'SECRETTHREE'); COMMIT;
    BEGIN WITH (system_time = '2020-01-02'); UPDATE t SET v = 'one2' WHERE id = 1; DELETE FROM t WHERE id = 3; COMMIT;
    INSERT INTO t VALUES (7, 'x'); VACUUM";

/// What a retention let go from the tables is still in the log: the condition sees it, and it goes from there.
#[test]
fn a_condition_sees_what_only_the_log_still_has() {
    for log_archive in [LogArchive::Keep, LogArchive::Compress] {
        for (condition, erased, left) in [
            ("v = 'SECRETONE'", 2, vec![2, 7]),
            ("_commit = 1 AND id = 1", 2, vec![2, 7]),
            ("_system_from < '2020-01-02' AND v LIKE 'SECRETO%'", 2, vec![2, 7]),
            ("_system_to = '2020-01-02' AND id < 3", 2, vec![2, 7]),
            // The key that was deleted is in the log alone.
            ("id = 3", 1, vec![1, 2, 7]),
            ("v LIKE 'SECRET%'", 3, vec![2, 7]),
            ("_system_to = 'infinity' AND v LIKE 'SECRET%'", 0, vec![1, 2, 7]),
        ] {
            let disk = MemDisk::new();
            let db = on(&disk, log_archive);
            db.sql(PRUNED).expect("runs");
            assert_eq!(numbers(&db, "SELECT id FROM t ORDER BY id"), [1, 2, 7]);
            assert!(!traces(&disk, "SECRETONE").is_empty() && !traces(&disk, "SECRETTHREE").is_empty());
            let before = db.store().digest().expect("it reads");
            let story = format!("{log_archive:?}, {condition}");
            db.sql(&format!("ERASE FROM t WHERE {condition}")).unwrap_or_else(|error| panic!("{story}\n{error}"));
            assert_eq!(numbers(&db, "SELECT id FROM t ORDER BY id"), left, "{story}");
            let verified = db.verify(Some(&before)).expect("it reads");
            assert_eq!((verified.difference, verified.erased), (None, erased), "{story}");
            let figures = db.store().erasure_figures();
            assert_eq!((figures.receipts, figures.facts), (u64::from(erased > 0), erased), "{story}");
            let goes_one = erased > 0 && !left.contains(&1);
            assert_eq!(traces(&disk, "SECRETONE").is_empty(), goes_one, "{story}");
            assert_eq!(traces(&disk, "SECRETTHREE").is_empty(), erased % 2 == 1, "{story}");
        }
    }
}

/// A dropped table can be read as of older commits, so ERASE reaches it by its name, whether or not another has the name now.
#[test]
fn erase_reaches_dropped_tables_of_the_name() {
    for again in [false, true] {
        let disk = MemDisk::new();
        let db = on(&disk, LogArchive::Keep);
        db.sql(
            "CREATE TABLE gone (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO gone VALUES (1, 'SECRETGONE'), (2, 'stays');
             DROP TABLE gone; CREATE TABLE gone (id INTEGER PRIMARY KEY, v TEXT, w TEXT);
             INSERT INTO gone VALUES (1, 'SECRETGONE', 'w'), (3, 'SECRETGONE', 'w'), (4, 'x', 'w'); VACUUM",
        )
        .expect("runs");
        if !again {
            db.sql("DROP TABLE gone").expect("runs");
        }
        // As of the newest commit names are those of now.
        db.sql("CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO other VALUES (1)").expect("runs");
        let lacks = db.sql("ERASE FROM gone WHERE w = 'w'").expect_err("the first table has no such column");
        assert_eq!(lacks.code(), "42703");
        assert!(lacks.to_string().contains("dropped table \"gone\""), "{lacks}");
        assert!(!traces(&disk, "SECRETGONE").is_empty());
        let before = db.store().digest().expect("it reads");
        db.sql("ERASE FROM gone WHERE v = 'SECRETGONE'").expect("runs");
        assert_eq!(traces(&disk, "SECRETGONE"), Vec::<String>::new());
        assert_eq!(numbers(&db, "SELECT id FROM gone AS OF 1"), [2]);
        assert_eq!(numbers(&db, "SELECT id FROM gone AS OF 2"), [4]);
        let verified = db.verify(Some(&before)).expect("it reads");
        assert_eq!((verified.difference, verified.erased), (None, 3));
        assert_eq!(code(db.sql("ERASE FROM never WHERE TRUE")), "42P01");
    }
}
