//! Does a prepared query of one fact answer as operators do?
//!
//! Whole keys at one point of both times are looked up without operators. Each question is asked of a prepared statement in
//! two sessions, of which one may not do so; answers and errors must be the same, whatever lies where.

use spectradb::{Database, Session, Value};

/// A question asked of a session, as text: its rows, or its error.
fn ask(session: &mut Session, sql: &str, params: &[Value]) -> String {
    let mut prepared = match session.prepare(sql) {
        Ok(prepared) => prepared,
        Err(error) => return format!("{error:?}"),
    };
    let asked = session.execute_prepared(&mut prepared, params).and_then(|outcome| outcome.into_rows()?.collect_all());
    match asked {
        Ok(rows) => format!("{:?}", rows.iter().map(|row| (row.columns(), row.values())).collect::<Vec<_>>()),
        Err(error) => format!("{error:?}"),
    }
}

struct Pair {
    quick: Session,
    plain: Session,
    answers: usize,
}

impl Pair {
    fn new(db: &Database) -> Pair {
        let mut plain = db.session();
        plain.set_execution(false, 1024);
        Pair { quick: db.session(), plain, answers: 0 }
    }

    fn both(&mut self, sql: &str) {
        for session in [&mut self.quick, &mut self.plain] {
            session.execute(sql, ()).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    fn same(&mut self, sql: &str, params: &[Value]) {
        let found = ask(&mut self.quick, sql, params);
        assert_eq!(found, ask(&mut self.plain, sql, params), "{sql} {params:?}");
        self.answers += usize::from(found.contains("OutputColumn"));
    }
}

fn questions(pair: &mut Pair, commits: i64) {
    for id in (0..8).map(Value::Integer).chain([Value::Null, Value::from("3"), Value::from("x")]) {
        let one = std::slice::from_ref(&id);
        pair.same("SELECT balance FROM account WHERE id = $1", one);
        pair.same("SELECT note, id, balance, note FROM account WHERE $1 = id", one);
        pair.same("SELECT * FROM account WHERE id = $1 VALID AT TIMESTAMP '2020-01-05'", one);
        for commit in [-1, 0, 1, 2, 3, commits - 1, commits, commits + 1] {
            let both = [id.clone(), Value::Integer(commit)];
            pair.same("SELECT balance FROM account WHERE id = $1 AS OF $2", &both);
            pair.same("SELECT * FROM account WHERE id = $1 AS OF $2 VALID AT TIMESTAMP '2020-01-05'", &both);
        }
        pair.same("SELECT balance FROM account WHERE id = $1 AND id = 3", one);
        pair.same("SELECT balance FROM account WHERE id = $1 AND balance > 10", one);
        pair.same("SELECT balance + 1 FROM account WHERE id = $1", one);
        pair.same("SELECT _valid_from, _commit FROM account WHERE id = $1", one);
    }
    pair.same("SELECT balance FROM account WHERE id = $1 AS OF $2", &[Value::Integer(1), Value::Null]);
    pair.same("SELECT balance FROM account WHERE id = $1 VALID AT $2", &[Value::Integer(1), Value::Null]);
    for name in ["a", "b", "", "z"] {
        let params = [Value::from(name), Value::Integer(2)];
        pair.same("SELECT amount FROM pair WHERE name = $1 AND number = $2", &params);
        pair.same("SELECT amount FROM pair WHERE number = $2 AND name = $1 AS OF 5", &params);
        pair.same("SELECT amount FROM pair WHERE name = $1 AND number < $2", &params);
    }
}

#[test]
fn a_fact_that_is_looked_up_is_the_one_that_operators_find() {
    let db = Database::open_memory().expect("memory takes it");
    db.sql("CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL, note TEXT)").expect("a table");
    db.sql("INSERT INTO account VALUES (1, 10, 'a'), (2, 20, NULL), (3, 30, 'c')").expect("rows");
    db.sql("UPDATE account SET balance = balance + 1").expect("a change");
    db.sql("CREATE TABLE pair (name TEXT, number INTEGER, amount NUMERIC(10, 2), PRIMARY KEY (name, number))")
        .expect("a table");
    db.sql("INSERT INTO pair VALUES ('a', 2, 1.5), ('b', 2, NULL), ('', 2, 0)").expect("rows");
    db.sql("UPDATE account FOR PORTION OF VALID_TIME FROM DATE '2020-01-01' TO DATE '2020-02-01' SET note = 'then' WHERE id < 3").expect("a change");
    db.sql("DELETE FROM account WHERE id = 2").expect("a change");
    db.sql("INSERT INTO account VALUES (5, 50, 'e') VALID FROM DATE '2020-01-03'").expect("a row");
    let mut pair = Pair::new(&db);
    let commits = db.current_commit() as i64;
    questions(&mut pair, commits);
    db.store().flush().expect("memory takes it");
    questions(&mut pair, commits);
    db.store().compact().expect("memory takes it");
    questions(&mut pair, commits);
    // A transaction sees its own writes, but not as of a commit.
    pair.both("BEGIN");
    for id in (0..8).map(Value::Integer) {
        pair.same("SELECT balance FROM account WHERE id = $1", std::slice::from_ref(&id));
        pair.same("SELECT note FROM account WHERE id = $1 AS OF $2", &[id, Value::Integer(commits)]);
    }
    // Both change the same, so one of them rolls back at the end.
    pair.both("UPDATE account SET balance = 7 WHERE id = 3");
    for commit in [commits - 1, commits] {
        let params = [Value::Integer(3), Value::Integer(commit)];
        pair.same("SELECT balance FROM account WHERE id = $1 AS OF $2", &params);
        pair.same("SELECT balance FROM account WHERE id = $1", &params[..1]);
    }
    // An error ends it.
    pair.same("SELECT balance FROM account WHERE id = $1 AS OF $2", &[Value::Integer(3), Value::Integer(99)]);
    pair.same("SELECT balance FROM account WHERE id = $1", &[Value::Integer(3)]);
    pair.both("ROLLBACK");
    questions(&mut pair, commits);
    assert!(pair.answers > 250, "{} questions were answered", pair.answers);
}

#[test]
fn a_prepared_statement_follows_its_table() {
    let db = Database::open_memory().expect("memory takes it");
    db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 10)").expect("a table");
    let mut session = db.session();
    let mut prepared = session.prepare("SELECT n FROM t WHERE id = $1").expect("it binds");
    let mut get = |session: &mut Session| {
        let rows = session.execute_prepared(&mut prepared, &[Value::Integer(1)])?.into_rows()?.collect_all()?;
        Ok::<_, spectradb::Error>(rows.first().map(|row| row.values()[0].clone()))
    };
    assert_eq!(get(&mut session).expect("it reads"), Some(Value::Integer(10)));
    db.sql("DROP TABLE t; CREATE TABLE t (n TEXT, id INTEGER PRIMARY KEY); INSERT INTO t VALUES ('x', 1)")
        .expect("another");
    assert_eq!(get(&mut session).expect("it reads"), Some(Value::from("x")));
    db.sql("DROP TABLE t").expect("it goes");
    assert_eq!(get(&mut session).map_err(|error| error.code().to_owned()), Err("42P01".to_owned()));
}
