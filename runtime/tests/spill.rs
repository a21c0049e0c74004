//! Does a transaction that has more new facts than memory may hold say the same as one that has them all in memory?
//!
//! The same statements run over two databases, one of which writes nearly every fact to files before the commit. What each
//! statement sees, what is refused, what a savepoint brings back and what is committed must be the same; the ledger must verify;
//! and of a transaction that does not commit no file stays.

use spectradb::{Config, Database, Error, Session};
use spectradb_store::{Disk, MemDisk, Store, SystemClock};
use std::sync::Arc;

/// A database on a disk that can be looked at.
fn database(transaction_bytes_max: usize, shard_count: u32) -> (Database, MemDisk) {
    let disk = MemDisk::new();
    let shard_count = Some(shard_count);
    // Nothing is compacted, so files can be counted.
    let (level0_segments_max, level0_segments_stall) = (1_000, 2_000);
    let config = Config {
        transaction_bytes_max,
        shard_count,
        level0_segments_max,
        level0_segments_stall,
        background: false,
        ..Config::default()
    };
    (over(&disk, config), disk)
}

fn over(disk: &MemDisk, config: Config) -> Database {
    Database::over(Store::open(Arc::new(disk.clone()), Arc::new(SystemClock), config).expect("it opens"))
}

fn segments(disk: &MemDisk) -> usize {
    disk.list().expect("it lists").iter().filter(|name| name.ends_with(".sst")).count()
}

fn rows(session: &mut Session, sql: &str) -> Result<Vec<String>, Error> {
    let rows = session.query(sql, ())?;
    let line = |row: spectradb::Row| row.values().iter().map(ToString::to_string).collect::<Vec<_>>().join("|");
    rows.map(|row| Ok(line(row?))).collect()
}

/// What a statement does, in words that do not depend on where its facts lie.
fn told(session: &mut Session, sql: &str) -> String {
    match sql.starts_with("SELECT") {
        true => format!("{:?}", rows(session, sql).map_err(|error| error.to_string())),
        false => match session.execute(sql, ()) {
            Ok(outcome) => format!("{} rows", outcome.rows_changed()),
            Err(error) => error.to_string(),
        },
    }
}

const EVERYTHING: &str = "SELECT id, name, _valid_from, _valid_to FROM t FOR VALID_TIME ALL ORDER BY id, _valid_from";

/// The statements have both say the same, and then the database.
fn same(statements: &[&str]) {
    for shard_count in [1, 4] {
        let (plain, _) = database(usize::MAX, shard_count);
        let (spilling, disk) = database(100, shard_count);
        let (mut one, mut two) = (plain.session(), spilling.session());
        let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)";
        for sql in
            [table, "INSERT INTO t SELECT i, 'old ' || i FROM generate_series(1, 20) AS s(i)"].iter().chain(statements)
        {
            assert_eq!(told(&mut two, sql), told(&mut one, sql), "{sql}, {shard_count} shards");
            if two.in_transaction() && !sql.starts_with("ROLLBACK TO") {
                let (mine, theirs) = (told(&mut two, EVERYTHING), told(&mut one, EVERYTHING));
                assert_eq!(mine, theirs, "after {sql}, {shard_count} shards");
            }
        }
        assert!(!two.in_transaction());
        assert_eq!(told(&mut two, EVERYTHING), told(&mut one, EVERYTHING), "{shard_count} shards");
        assert_eq!(two.current_commit(), one.current_commit());
        let found = spilling.store().verify(None).expect("it reads");
        assert_eq!(found.difference, None);
        assert_eq!(found.facts, plain.store().verify(None).expect("it reads").facts);
        assert_eq!(segments(&disk), spilling.store().stats().segment_count, "every file is of the database");
        drop((two, spilling));
        let again = over(&disk, Config { background: false, ..Config::default() });
        assert_eq!(told(&mut again.session(), EVERYTHING), told(&mut one, EVERYTHING), "opened again");
        again.store().compact().expect("nothing fails");
        assert_eq!(told(&mut again.session(), EVERYTHING), told(&mut one, EVERYTHING), "compacted");
        assert_eq!(again.store().verify(None).expect("it reads").difference, None);
    }
}

#[test]
fn a_transaction_reads_and_changes_what_it_has_spilled() {
    same(&[
        "BEGIN",
        "INSERT INTO t SELECT i, 'new ' || i FROM generate_series(40, 21, -1) AS s(i)",
        "INSERT INTO t SELECT i, 'more ' || i FROM generate_series(41, 60) AS s(i)",
        "SELECT name FROM t WHERE id = 33",
        "SELECT id, _commit FROM t WHERE id BETWEEN 18 AND 23 ORDER BY id",
        "SELECT count(*), count(DISTINCT _system_from) FROM t WHERE id > 20",
        "UPDATE t SET name = 'changed ' || id WHERE id % 7 = 0",
        "UPDATE t SET name = 'again ' || id WHERE id % 14 = 0",
        "UPDATE t SET id = id + 1000 WHERE id IN (5, 25, 45)",
        "DELETE FROM t WHERE id IN (2, 22, 42)",
        "INSERT INTO t VALUES (22, 'back')",
        "UPDATE t SET name = 'part' FOR PORTION OF VALID_TIME FROM DATE '2020-01-01' TO DATE '2021-01-01' WHERE id IN (30, 50)",
        "DELETE FROM t FOR PORTION OF VALID_TIME FROM DATE '2020-06-01' TO DATE '2020-07-01' WHERE id = 30",
        "INSERT INTO t VALUES (30, 'gap') VALID FROM DATE '2020-06-10' TO DATE '2020-06-20'",
        "INSERT INTO t VALUES (50, 'x'), (61, 'y') ON CONFLICT (id) DO UPDATE SET name = excluded.name || ' upserted'",
        "MERGE INTO t USING (SELECT i FROM generate_series(58, 64) AS s(i)) AS s ON t.id = s.i WHEN MATCHED THEN UPDATE SET name = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (s.i, 'made')",
        "WITH gone AS (DELETE FROM t WHERE id = 59 RETURNING id) INSERT INTO t SELECT id + 500, 'from 59' FROM gone",
        "COMMIT",
        "SELECT count(*) FROM t AS OF 1",
    ]);
}

#[test]
fn a_key_is_refused_wherever_the_fact_lies_that_has_it() {
    let before = "INSERT INTO t SELECT i, 'new' FROM generate_series(21, 60) AS s(i)";
    for refused in [
        "INSERT INTO t VALUES (21, 'spilled')",
        "INSERT INTO t VALUES (20, 'committed')",
        "INSERT INTO t SELECT 100 - i, 'x' FROM generate_series(1, 60) AS s(i)",
        "INSERT INTO t SELECT i % 70 + 1000, 'among themselves' FROM generate_series(1, 90) AS s(i)",
        "UPDATE t SET id = 60 WHERE id = 1",
    ] {
        same(&["BEGIN", before, "INSERT INTO t VALUES (70, 'z')", refused, "ROLLBACK"]);
        same(&["BEGIN", before, "SAVEPOINT a", refused, "ROLLBACK TO a", "INSERT INTO t VALUES (70, 'z')", "COMMIT"]);
    }
    same(&["BEGIN", before, "DELETE FROM t WHERE id = 30", "INSERT INTO t VALUES (30, 'free again')", "COMMIT"]);
}

#[test]
fn a_savepoint_brings_back_what_was_spilled_by_then() {
    same(&[
        "BEGIN",
        "INSERT INTO t SELECT i, 'first' FROM generate_series(21, 40) AS s(i)",
        "SAVEPOINT one",
        "INSERT INTO t SELECT i, 'second' FROM generate_series(41, 60) AS s(i)",
        "DELETE FROM t WHERE id BETWEEN 15 AND 25",
        "SAVEPOINT two",
        "UPDATE t SET name = 'third'",
        "ROLLBACK TO two",
        "SELECT count(*), max(name) FROM t",
        "INSERT INTO t VALUES (22, 'again')",
        "ROLLBACK TO one",
        "INSERT INTO t SELECT i, 'last' FROM generate_series(35, 70) AS s(i) WHERE i > 40",
        "COMMIT",
    ]);
    same(&[
        "BEGIN",
        "INSERT INTO t SELECT i, 'x' FROM generate_series(21, 99) AS s(i)",
        "DELETE FROM t WHERE id > 20",
        "COMMIT",
    ]);
}

#[test]
fn rows_are_numbered_on_from_what_was_spilled() {
    let (db, _) = database(0, 1);
    let mut session = db.session();
    session.run("CREATE TABLE l (name TEXT); BEGIN", spectradb::Params::None).expect("new");
    for lot in 0..3 {
        let sql = format!("INSERT INTO l SELECT 'lot {lot}' FROM generate_series(1, 50) AS s(i)");
        session.execute(&sql, ()).expect("there is no key");
    }
    session.execute("COMMIT", ()).expect("nobody else writes");
    assert_eq!(rows(&mut session, "SELECT count(*) FROM l").expect("it runs"), ["150"]);
}

/// A statement that reads the table it writes to sees what was there before it, whatever it has spilled meanwhile.
#[test]
fn a_statement_does_not_read_its_own_rows() {
    let (db, disk) = database(2_000, 1);
    let mut session = db.session();
    session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)", ()).expect("new");
    session
        .execute("INSERT INTO t SELECT i, 'a text of some length' FROM generate_series(1, 20000) AS s(i)", ())
        .expect("new");
    let sql = "INSERT INTO t SELECT id + 20000, name FROM t ORDER BY id DESC";
    assert_eq!(session.execute(sql, ()).expect("new keys").rows_changed(), 20_000);
    assert_eq!(rows(&mut session, "SELECT count(*), max(id) FROM t").expect("it runs"), ["40000|40000"]);
    assert!(segments(&disk) > 4, "both were spilled");
    let error = session.execute("INSERT INTO t SELECT id + 19999, name FROM t", ()).expect_err("keys are taken");
    assert_eq!(error.code(), "23505");
    assert_eq!(segments(&disk), db.store().stats().segment_count, "what failed leaves no file");
    assert_eq!(db.store().verify(None).expect("it reads").difference, None);
}

#[test]
fn what_is_not_committed_leaves_no_file() {
    let (db, disk) = database(0, 3);
    let mut session = db.session();
    session.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)", ()).expect("new");
    let fill = "INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) AS s(i)";
    session.execute("BEGIN", ()).expect("a transaction");
    session.execute(fill, ()).expect("new");
    assert_eq!(segments(&disk), 3, "one a shard");
    // Rows that are still read keep what they need.
    let mut open = session.query("SELECT id FROM t ORDER BY id DESC", ()).expect("it runs");
    session.execute("ROLLBACK", ()).expect("it goes");
    assert_eq!(open.next().expect("there are rows").expect("it reads").values()[0].to_string(), "100");
    drop(open);
    assert_eq!(segments(&disk), 0);
    session.execute("BEGIN", ()).expect("a transaction");
    session.execute(fill, ()).expect("new");
    // A process that dies takes nothing with it; the next one does.
    let crashed = MemDisk::new();
    for name in disk.list().expect("it lists").iter().filter(|name| *name != "lock") {
        let bytes = disk.map(name).expect("it is there");
        crashed.create(name).and_then(|file| file.write_at(&bytes, 0)).expect("memory takes it");
    }
    assert_eq!(segments(&crashed), 3);
    let again = over(&crashed, Config::default());
    assert_eq!(segments(&crashed), 0);
    assert_eq!(rows(&mut again.session(), "SELECT count(*) FROM t").expect("it runs"), ["0"]);
    // The session goes with its transaction open.
    drop(session);
    assert_eq!(segments(&disk), 0);
}

#[test]
fn the_first_committer_wins_over_what_another_spilled() {
    let (db, disk) = database(0, 1);
    db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)").expect("new");
    for (theirs, first, conflicts) in [(500, 550, true), (5_000, 1, false)] {
        let (mut one, mut two) = (db.session(), db.session());
        one.execute("BEGIN", ()).expect("a transaction");
        let sql = format!("INSERT INTO t SELECT i + {theirs}, 'x' FROM generate_series(1, 100) AS s(i)");
        one.execute(&sql, ()).expect("new");
        two.execute(&format!("INSERT INTO t VALUES ({first}, 'first')"), ()).expect("it is first");
        match one.execute("COMMIT", ()) {
            Err(error) => assert!(conflicts && error.code() == "40001", "{error}"),
            Ok(_) => assert!(!conflicts),
        }
    }
    assert_eq!(rows(&mut db.session(), "SELECT count(*) FROM t").expect("it runs"), ["102"]);
    assert_eq!(segments(&disk), 3, "one a commit: the loser's files went with it");
}

/// Who must be serializable is refused when what it read was spilled by another.
#[test]
fn reads_of_a_serializable_transaction_meet_what_another_spilled() {
    let (db, _) = database(0, 1);
    db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)").expect("new");
    db.sql("CREATE TABLE u (id INTEGER PRIMARY KEY)").expect("new");
    let (mut one, mut two) = (db.session(), db.session());
    one.execute("BEGIN ISOLATION LEVEL SERIALIZABLE", ()).expect("a transaction");
    assert_eq!(rows(&mut one, "SELECT count(*) FROM t WHERE id < 50").expect("it runs"), ["0"]);
    one.execute("INSERT INTO u VALUES (1)", ()).expect("new");
    two.execute("BEGIN", ()).expect("a transaction");
    two.execute("INSERT INTO t SELECT i, 'x' FROM generate_series(1, 100) AS s(i)", ()).expect("new");
    two.execute("COMMIT", ()).expect("it is first");
    assert_eq!(one.execute("COMMIT", ()).map(drop).expect_err("it read what changed").code(), "40001");
}

#[test]
fn copy_of_a_file_that_is_larger_than_the_memory_of_a_transaction() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("in.csv");
    let write = |rows: &mut dyn Iterator<Item = i64>| {
        let text: String = rows.map(|id| format!("{id},the text of row {id}\n")).collect();
        file(&path, &text);
    };
    for (step, shard_count) in [(1, 1), (7_919, 1), (7_919, 3)] {
        write(&mut (0..60_000).map(|i| i * step % 60_000));
        let (db, disk) = database(100_000, shard_count);
        db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)").expect("new");
        let copy = format!("COPY t FROM '{}'", path.display());
        assert_eq!(db.sql(&copy).expect("it fits").rows_changed(), 60_000);
        assert!(segments(&disk) > 4 * shard_count as usize, "{} files", segments(&disk));
        let mut session = db.session();
        let sums = "SELECT count(*), sum(id), count(DISTINCT name), max(_commit) FROM t";
        assert_eq!(rows(&mut session, sums).expect("it runs"), ["60000|1799970000|60000|1"]);
        let found = db.store().verify(None).expect("it reads");
        assert_eq!((found.difference, found.facts), (None, 60_000));
        // A line whose key was spilled long ago is told by its number.
        write(&mut (60_000..70_000).chain([60_001]));
        let error = db.sql(&copy).map(drop).expect_err("a key comes twice");
        assert!(error.to_string().contains("line 10001"), "{error}");
        assert_eq!(segments(&disk), db.store().stats().segment_count, "what failed leaves no file");
        db.store().compact().expect("nothing fails");
        assert_eq!(rows(&mut session, sums).expect("it runs"), ["60000|1799970000|60000|1"]);
        assert_eq!(db.store().verify(None).expect("it reads").difference, None);
    }
}

#[expect(clippy::disallowed_methods, reason = "the test makes the file that COPY reads")]
fn file(path: &std::path::Path, text: &str) {
    std::fs::write(path, text).expect("the folder takes it");
}
