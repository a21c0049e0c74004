//! Do transactions that must be serializable refuse what no order of them could have done, and nothing that need not be?

use spectradb::{Database, Error, Isolation, Params, Session, TransactionOptions};

fn database() -> Database {
    let db = Database::open_memory().expect("memory is there");
    let doctors = "CREATE TABLE doctors (id INTEGER PRIMARY KEY, on_call BOOLEAN NOT NULL);
        INSERT INTO doctors VALUES (1, true), (2, true), (3, false)";
    db.sql(doctors).expect("runs");
    db
}

fn run(session: &mut Session, sql: &str) {
    session.run(sql, Params::None).unwrap_or_else(|error| panic!("{sql}\n{error}"));
}

fn begun(db: &Database, level: &str) -> Session {
    let mut session = db.session();
    run(&mut session, &format!("BEGIN ISOLATION LEVEL {level}"));
    session
}

fn count(session: &mut Session, sql: &str) -> i64 {
    let row = session.query(sql, ()).expect("runs").next().expect("one row");
    row.and_then(|row| row.get(0)).expect("an integer")
}

fn code(result: Result<impl Sized, Error>) -> &'static str {
    result.map(drop).expect_err("it must fail").code()
}

const ON_CALL: &str = "SELECT count(*) FROM doctors WHERE on_call";

/// Each of two doctors leaves because the other stays: the write skew of the textbooks.
#[test]
fn write_skew_is_refused_where_it_must_be() {
    for (level, is_refused) in [("SNAPSHOT", false), ("SERIALIZABLE", true)] {
        let db = database();
        let (mut one, mut two) = (begun(&db, level), begun(&db, level));
        for (session, id) in [(&mut one, 1), (&mut two, 2)] {
            assert_eq!(count(session, ON_CALL), 2);
            run(session, &format!("UPDATE doctors SET on_call = false WHERE id = {id}"));
        }
        one.commit().expect("the first comes first");
        match is_refused {
            true => assert_eq!(code(two.commit()), "40001"),
            false => assert!(two.commit().expect("nobody looks").is_some()),
        }
        assert_eq!(count(&mut db.session(), ON_CALL), i64::from(is_refused));
    }
}

#[test]
fn rows_that_were_not_there_were_read_too() {
    // A range in which a row appears, a key that was asked for and not found, and one that only INSERT looked for.
    for (read, write) in [
        ("SELECT count(*) FROM doctors WHERE id BETWEEN 5 AND 9", "INSERT INTO doctors VALUES (7, true)"),
        ("SELECT count(*) FROM doctors WHERE id = 7", "INSERT INTO doctors VALUES (7, true)"),
        ("INSERT INTO doctors VALUES (7, true) ON CONFLICT DO NOTHING", "DELETE FROM doctors WHERE id = 7"),
        ("SELECT count(*) FROM spectra_commits", "INSERT INTO doctors VALUES (9, true)"),
        ("SELECT count(*) FROM doctors FOR SYSTEM_TIME ALL", "UPDATE doctors SET on_call = false WHERE id = 1"),
    ] {
        let db = database();
        if write.starts_with("DELETE") {
            db.sql("INSERT INTO doctors VALUES (7, false)").expect("runs");
        }
        let mut session = begun(&db, "SERIALIZABLE");
        run(&mut session, read);
        run(&mut session, "UPDATE doctors SET on_call = false WHERE id = 3 AND false OR id = 2");
        db.clone().sql(write).expect("runs");
        assert_eq!(code(session.commit()), "40001", "{read}");
    }
}

#[test]
fn what_was_not_touched_is_not_refused() {
    let db = database();
    db.sql("CREATE TABLE other (id INTEGER PRIMARY KEY); INSERT INTO other VALUES (0)").expect("runs");
    let mut session = begun(&db, "SERIALIZABLE");
    assert_eq!(count(&mut session, "SELECT count(*) FROM doctors WHERE id = 1"), 1);
    assert_eq!(count(&mut session, "SELECT count(*) FROM doctors AS OF 1"), 3);
    run(&mut session, "INSERT INTO doctors VALUES (8, true)");
    // Another table, and another key of the same.
    let others = db.clone();
    others.sql("INSERT INTO other VALUES (1)").expect("runs");
    others.sql("INSERT INTO doctors VALUES (9, true)").expect("runs");
    assert!(session.commit().expect("nothing that it read has changed").is_some());
    // Who only reads has read one state, whatever came later.
    let mut session = begun(&db, "SERIALIZABLE");
    assert_eq!(count(&mut session, ON_CALL), 4);
    others.sql("UPDATE doctors SET on_call = false").expect("runs");
    assert_eq!(session.commit().expect("it wrote nothing"), None);
    // A savepoint does not make unread what was read.
    let mut session = begun(&db, "SERIALIZABLE");
    run(&mut session, "SAVEPOINT s");
    assert_eq!(count(&mut session, ON_CALL), 0);
    run(&mut session, "ROLLBACK TO s; INSERT INTO doctors VALUES (10, false)");
    others.sql("UPDATE doctors SET on_call = true WHERE id = 1").expect("runs");
    assert_eq!(code(session.commit()), "40001");
}

/// Many threads move one of two tokens only while the other stays: there is always one left.
#[test]
fn under_load_the_rule_holds() {
    let db = database();
    std::thread::scope(|scope| {
        for thread in 0..4i64 {
            let db = db.clone();
            scope.spawn(move || {
                let mut session = db.session();
                for round in 0..30i64 {
                    let id = (thread + round) % 3 + 1;
                    let options = TransactionOptions { isolation: Isolation::Serializable, ..Default::default() };
                    session.begin_with(options).expect("none is open");
                    let is_on = count(&mut session, &format!("{ON_CALL} AND id = {id}")) == 1;
                    let all = count(&mut session, ON_CALL);
                    assert!(all >= 1, "somebody is on call");
                    if !is_on || all >= 2 {
                        run(&mut session, &format!("UPDATE doctors SET on_call = NOT on_call WHERE id = {id}"));
                    }
                    match session.commit() {
                        Ok(_) => {}
                        Err(error) => assert_eq!(error.code(), "40001", "{error}"),
                    }
                }
            });
        }
    });
    assert!(count(&mut db.session(), ON_CALL) >= 1);
}

#[test]
fn the_ledger_is_told_who_and_when() {
    let db = database();
    let mut session = db.session();
    let at = |year: i64| format!("TIMESTAMP '{year}-01-01 00:00:00'");
    // The database is younger than what it is told: commit 1 has the clock's time, so only the future is left.
    let told = session.run(&format!("BEGIN WITH (system_time = {})", at(2001)), Params::None);
    assert_eq!(code(told), "22023");
    assert_eq!(code(session.run(&format!("BEGIN WITH (system_time = {})", at(2999)), Params::None)), "22023");
    assert!(!session.in_transaction());

    let db = Database::open_memory().expect("memory is there");
    db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, at TIMESTAMP DEFAULT now())").expect("runs");
    let mut session = db.session();
    for (year, id) in [(2001, 1), (2005, 2)] {
        run(&mut session, &format!("BEGIN WITH (system_time = {}, actor = 'import')", at(year)));
        run(&mut session, &format!("INSERT INTO t (id) VALUES ({id}); COMMIT"));
    }
    assert_eq!(code(session.run(&format!("BEGIN WITH (system_time = {})", at(2005)), Params::None)), "22023");
    assert_eq!(count(&mut session, &format!("SELECT count(*) FROM t AS OF {}", at(2003))), 1);
    assert_eq!(count(&mut session, "SELECT count(*) FROM t WHERE at = _system_from"), 2);
    // A commit in between is later than what another transaction tells.
    run(&mut session, &format!("BEGIN WITH (system_time = {}); INSERT INTO t (id) VALUES (3)", at(2010)));
    db.clone().sql("INSERT INTO t (id) VALUES (4)").expect("runs");
    assert_eq!(code(session.commit()), "22023");
    assert_eq!(code(session.run("BEGIN WITH (metadata = '[1]')", Params::None)), "22023");
    if let Some(difference) = db.verify(None).expect("runs").difference {
        panic!("{difference}");
    }
}
