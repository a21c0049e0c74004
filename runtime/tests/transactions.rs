//! What do transactions promise: own writes seen, nothing half, the first committer wins, an error ends them.

use spectradb::{Database, Error, Outcome, Params, Session, Value};

fn numbers(session: &mut Session, sql: &str) -> Vec<i64> {
    let rows = session.query(sql, ()).unwrap_or_else(|error| panic!("{sql}\n{error}"));
    rows.map(|row| row.and_then(|row| row.get::<i64>(0))).collect::<Result<_, Error>>().expect("integers")
}

fn database() -> Database {
    let db = Database::open_memory().expect("memory is there");
    db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 10), (2, 20)").expect("runs");
    db
}

fn run(session: &mut Session, sql: &str) {
    session.run(sql, Params::None).unwrap_or_else(|error| panic!("{sql}\n{error}"));
}

fn code(result: Result<impl Sized, Error>) -> &'static str {
    result.map(drop).expect_err("it must fail").code()
}

#[test]
fn own_writes_are_seen_and_others_are_not() {
    let db = database();
    let (mut one, mut other) = (db.session(), db.session());
    run(&mut one, "BEGIN; UPDATE t SET n = 11 WHERE id = 1; INSERT INTO t VALUES (3, 30); DELETE FROM t WHERE id = 2");
    assert_eq!(numbers(&mut one, "SELECT n FROM t ORDER BY id"), [11, 30]);
    assert_eq!(numbers(&mut other, "SELECT n FROM t ORDER BY id"), [10, 20]);
    run(&mut other, "INSERT INTO t VALUES (4, 40)");
    assert_eq!(numbers(&mut one, "SELECT n FROM t ORDER BY id"), [11, 30], "the snapshot of BEGIN stays");
    run(&mut one, "UPDATE t SET n = 12 WHERE id = 1; INSERT INTO t VALUES (2, 21)");
    assert_eq!(one.commit().expect("nobody touched the same keys"), Some(3));
    assert_eq!(numbers(&mut other, "SELECT n FROM t ORDER BY id"), [12, 21, 30, 40]);
    assert_eq!(numbers(&mut other, "SELECT n FROM t AS OF 2 ORDER BY id"), [10, 20, 40]);
}

#[test]
fn a_rollback_and_an_empty_transaction_take_no_number() {
    let db = database();
    let mut session = db.session();
    run(&mut session, "BEGIN; DELETE FROM t; ROLLBACK; BEGIN; SELECT 1; COMMIT; UPDATE t SET n = n");
    assert_eq!(session.current_commit(), 1);
    assert_eq!(numbers(&mut session, "SELECT n FROM t ORDER BY id"), [10, 20]);
}

#[test]
fn the_first_committer_wins_where_periods_overlap() {
    let db = database();
    let (mut one, mut other) = (db.session(), db.session());
    run(&mut one, "BEGIN; UPDATE t SET n = 1 WHERE id = 1");
    run(&mut other, "UPDATE t SET n = 2 WHERE id = 1");
    let lost = one.commit().expect_err("the other was first");
    assert_eq!(lost.code(), "40001");
    let told = "could not commit: another transaction changed (id)=(1) of table \"t\" over ";
    assert!(lost.message().starts_with(told), "{lost}");
    assert!(!one.in_transaction());
    run(&mut one, "BEGIN; INSERT INTO t VALUES (7, 1) VALID FROM DATE '2020-01-01' TO DATE '2021-01-01'");
    run(&mut other, "INSERT INTO t VALUES (7, 2) VALID FROM DATE '2021-01-01' TO DATE '2022-01-01'");
    one.commit().expect("the periods are disjoint");
    run(&mut one, "BEGIN; INSERT INTO t VALUES (8, 1)");
    run(&mut other, "INSERT INTO t VALUES (8, 2)");
    assert_eq!(code(one.run("COMMIT", Params::None)), "40001");
}

#[test]
fn statements_outside_transactions_are_run_again() {
    let db = database();
    let add = |_| {
        let mut session = db.session();
        move || {
            for _ in 0..50 {
                run(&mut session, "UPDATE t SET n = n + 1 WHERE id = 1");
            }
        }
    };
    let threads: Vec<_> = (0..4).map(add).map(std::thread::spawn).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("every update takes place"));
    assert_eq!(numbers(&mut db.session(), "SELECT n FROM t WHERE id = 1"), [210]);
}

#[test]
fn an_error_ends_a_transaction_even_one_that_comes_late() {
    let db = database();
    let mut session = db.session();
    run(&mut session, "BEGIN; INSERT INTO t VALUES (3, 30)");
    assert_eq!(code(session.execute("INSERT INTO t VALUES (3, 31)", ())), "23505");
    assert_eq!(code(session.execute("SELECT 1", ())), "25P02");
    assert_eq!(code(session.commit()), "25P02");
    assert_eq!(numbers(&mut session, "SELECT id FROM t ORDER BY id"), [1, 2]);

    let rows: Vec<Value> = (0..20_000).map(Value::Integer).collect();
    run(&mut session, "BEGIN");
    let mut insert = session.prepare("INSERT INTO t VALUES ($1, 0)").expect("it binds");
    for row in &rows[100..] {
        session.execute_prepared(&mut insert, std::slice::from_ref(row)).expect("the key is new");
    }
    let mut late = session.query("SELECT 1 / (19999 - id) FROM t WHERE id >= 100", ()).expect("it begins well");
    assert_eq!(late.find_map(Result::err).expect("the last row divides by zero").code(), "22012");
    assert_eq!(code(session.commit()), "25P02");
    assert_eq!(session.current_commit(), 1);
}

#[test]
fn what_needs_no_transaction_says_so() {
    let db = database();
    let mut session = db.session();
    assert_eq!(code(session.commit()), "25P01");
    assert_eq!(code(session.rollback()), "25P01");
    run(&mut session, "BEGIN; INSERT INTO t VALUES (3, 30)");
    assert_eq!(code(session.begin()), "25001");
    assert_eq!(numbers(&mut session, "SELECT count(*) FROM t"), [3], "a second BEGIN changes nothing");
    assert_eq!(code(session.execute("CREATE TABLE u (id INTEGER PRIMARY KEY)", ())), "25007");
}

/// Batches without a row may come before the one that fails: the statement fails, not the reading of its rows.
#[test]
fn an_error_behind_an_empty_beginning_is_the_statements() {
    let db = Database::open_memory().expect("memory is there");
    db.sql("CREATE TABLE n (id INTEGER PRIMARY KEY)").expect("new");
    db.sql("INSERT INTO n VALUES (1), (2), (3)").expect("new");
    let mut session = db.session();
    session.set_execution(true, 1);
    session.begin().expect("none is open");
    let failed = session.execute("SELECT 1 / (id - 3) FROM n WHERE id + 0 = 3", ()).expect_err("it divides by zero");
    assert_eq!(failed.code(), "22012");
    assert_eq!(session.execute("SELECT 1", ()).expect_err("the transaction failed").code(), "25P02");
}

/// Each upsert reads what it changes: whoever loses the race does it again, and no addition is lost.
#[test]
fn upserts_side_by_side_all_count() {
    let db = database();
    let adds = |db: &Database| {
        let mut session = db.session();
        for _ in 0..20 {
            let sql = "INSERT INTO t VALUES (1, 1), (3, 1) ON CONFLICT (id) DO UPDATE SET n = t.n + excluded.n";
            run(&mut session, sql);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| adds(&db))).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no upsert fails"));
    });
    assert_eq!(numbers(&mut db.session(), "SELECT n FROM t ORDER BY id"), [70, 20, 60]);
}

#[test]
fn results_tell_what_happened_to_rows_and_periods() {
    let db = database();
    let mut session = db.session();
    let mut told = |sql: &str| match session.execute(sql, ()).unwrap_or_else(|error| panic!("{sql}\n{error}")) {
        Outcome::Done(done) => format!("{done} / {}", done.tag()),
        Outcome::Rows(rows) => rows.done().map_or_else(String::new, |done| format!("{done} / {}", done.tag())),
    };
    let portion = "FOR PORTION OF VALID_TIME FROM DATE '2030-01-01' TO DATE '2031-01-01'";
    let expected = [
        ("INSERT INTO t VALUES (3, 30)".to_owned(), "1 row inserted / INSERT 0 1"),
        (format!("UPDATE t {portion} SET n = 0 WHERE id = 1"), "1 row updated, 2 leftovers kept / UPDATE 1"),
        ("UPDATE t SET n = n".to_owned(), "0 rows updated / UPDATE 0"),
        (
            "INSERT INTO t VALUES (3, 1), (4, 1) ON CONFLICT (id) DO UPDATE SET n = 1 RETURNING id".to_owned(),
            "1 row inserted, 1 row updated / INSERT 0 2",
        ),
        (format!("DELETE FROM t {portion} WHERE id = 2"), "1 row deleted, 2 leftovers kept / DELETE 1"),
        (
            "MERGE INTO t USING (VALUES (3), (8)) v (x) ON id = x WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (x, 0)"
                .to_owned(),
            "1 row inserted, 1 row deleted / MERGE 2",
        ),
        ("CREATE TABLE u AS SELECT id FROM t WHERE id > 3".to_owned(), "table created, 2 rows inserted / SELECT 2"),
        ("TRUNCATE u".to_owned(), "2 rows deleted / TRUNCATE TABLE"),
        ("DROP TABLE u".to_owned(), "DROP TABLE / DROP TABLE"),
    ];
    for (sql, wanted) in expected {
        assert_eq!(told(&sql), wanted, "{sql}");
    }
}
