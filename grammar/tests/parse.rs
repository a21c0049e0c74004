//! Do statements parse to what they say?
//!
//! Not here: errors (`errors.rs`), what holds for every text (`laws.rs`).

use spectradb_grammar::parse::{statement, statements};

const QUICKSTART: &str = r#"
CREATE TABLE events (pk TEXT PRIMARY KEY);                    -- a document table: pk plus `doc` JSON
INSERT INTO events (pk, doc) VALUES ('evt-1', '{"type":"signup","user":"alice"}');
INSERT INTO events (pk, doc) VALUES ('evt-2', '{"type":"purchase","user":"bob","amount":49.99}');
CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, balance REAL);
INSERT INTO accounts (id, name, balance) VALUES (1, 'alice', 1000.0);
INSERT INTO accounts (id, name, balance) VALUES (2, 'bob', 500.0);
SELECT pk, doc FROM events ORDER BY pk LIMIT 10;
SELECT doc FROM events WHERE pk='evt-1' AS OF 1;              -- state as of commit 1: evt-1 is there
SELECT doc FROM events VALID AT 1000;
SELECT count(*), sum(doc.amount) FROM events GROUP BY doc.type HAVING count(*) > 1;
SELECT pk, doc, ROW_NUMBER() OVER (ORDER BY pk) AS rn FROM events;
SELECT pk, doc FROM events JOIN accounts ON events.pk = accounts.name ORDER BY pk ASC;
UPDATE events SET doc = '{"type":"refund","user":"bob"}' WHERE pk = 'evt-2';
DELETE FROM events WHERE pk = 'evt-1';
BEGIN;
INSERT INTO events (pk, doc) VALUES ('evt-3', '{"type":"refund","user":"bob"}');
COMMIT;
"#;

#[test]
fn the_quickstart_parses() {
    let all = statements(QUICKSTART).unwrap();
    assert_eq!(all.len(), 17);
    for parsed in &all {
        let text = parsed.span.of(QUICKSTART);
        assert!(!text.ends_with(';') && text.trim() == text && !text.is_empty(), "{text:?}");
        statement(text).unwrap();
    }
}
