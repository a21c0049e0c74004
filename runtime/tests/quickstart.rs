//! Does the Quickstart run as written, statement by statement, with the answers it promises?

use spectradb::{Database, Outcome};

/// Runs a statement and gives what it prints: rows as `a|b`, lines joined by `;`, or what was done.
fn run(db: &Database, sql: &str) -> String {
    let outcome = db.sql(sql).unwrap_or_else(|error| panic!("{sql}\n{error}"));
    match outcome {
        Outcome::Done(done) => done.to_string(),
        Outcome::Rows(rows) => {
            let line = |row: Result<spectradb::Row, spectradb::Error>| {
                let row = row.unwrap_or_else(|error| panic!("{sql}\n{error}"));
                let shown = |value: &spectradb::Value| {
                    if value.is_null() { "NULL".to_owned() } else { value.to_string() }
                };
                row.values().iter().map(shown).collect::<Vec<_>>().join("|")
            };
            rows.map(line).collect::<Vec<_>>().join(";")
        }
    }
}

#[test]
fn the_quickstart_runs_as_written() {
    let db = Database::open_memory().expect("memory is there");
    let steps = [
        ("CREATE TABLE events (pk TEXT PRIMARY KEY);", "CREATE TABLE"),
        (r#"INSERT INTO events (pk, doc) VALUES ('evt-1', '{"type":"signup","user":"alice"}');"#, "1 row inserted"),
        (
            r#"INSERT INTO events (pk, doc) VALUES ('evt-2', '{"type":"purchase","user":"bob","amount":49.99}');"#,
            "1 row inserted",
        ),
        ("CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, balance REAL);", "CREATE TABLE"),
        ("INSERT INTO accounts (id, name, balance) VALUES (1, 'alice', 1000.0);", "1 row inserted"),
        ("INSERT INTO accounts (id, name, balance) VALUES (2, 'bob', 500.0);", "1 row inserted"),
        (
            "SELECT pk, doc FROM events ORDER BY pk LIMIT 10;",
            r#"evt-1|{"type":"signup","user":"alice"};evt-2|{"type":"purchase","user":"bob","amount":49.99}"#,
        ),
        ("SELECT doc FROM events WHERE pk='evt-1' AS OF 1;", r#"{"type":"signup","user":"alice"}"#),
        (
            "SELECT doc FROM events VALID AT 1000;",
            r#"{"type":"signup","user":"alice"};{"type":"purchase","user":"bob","amount":49.99}"#,
        ),
        ("SELECT count(*), sum(doc.amount) FROM events GROUP BY doc.type HAVING count(*) > 1;", ""),
        (
            "SELECT pk, doc, ROW_NUMBER() OVER (ORDER BY pk) AS rn FROM events;",
            r#"evt-1|{"type":"signup","user":"alice"}|1;evt-2|{"type":"purchase","user":"bob","amount":49.99}|2"#,
        ),
        ("SELECT pk, doc FROM events JOIN accounts ON events.pk = accounts.name ORDER BY pk ASC;", ""),
        (r#"UPDATE events SET doc = '{"type":"refund","user":"bob"}' WHERE pk = 'evt-2';"#, "1 row updated"),
        ("DELETE FROM events WHERE pk = 'evt-1';", "1 row deleted"),
        ("BEGIN;", "BEGIN"),
        (r#"INSERT INTO events (pk, doc) VALUES ('evt-3', '{"type":"refund","user":"bob"}');"#, "1 row inserted"),
        ("COMMIT;", "COMMIT"),
        (
            "SELECT pk, doc FROM events ORDER BY pk LIMIT 10;",
            r#"evt-2|{"type":"refund","user":"bob"};evt-3|{"type":"refund","user":"bob"}"#,
        ),
        (
            "SELECT doc.type, count(*), sum(doc.amount) FROM events GROUP BY doc.type HAVING count(*) > 1;",
            "refund|2|NULL",
        ),
        ("SELECT current_commit();", "7"),
        ("SELECT pk FROM events AS OF 2 ORDER BY pk;", "evt-1;evt-2"),
    ];
    for (sql, answer) in steps {
        assert_eq!(run(&db, sql), answer, "{sql}");
    }
}
