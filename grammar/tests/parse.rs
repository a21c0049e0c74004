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

/// The tree of a statement as text without its spans.
fn shape(sql: &str) -> String {
    let parsed = statement(sql).unwrap_or_else(|diag| panic!("{sql}: {diag}\n{}", diag.excerpt(sql)));
    let debug = format!("{parsed:?}");
    debug.split("Span { start: ").map(|rest| rest.split_once(" }").map_or(rest, |(_, rest)| rest)).collect()
}

#[track_caller]
fn same(one: &str, other: &str) {
    assert_eq!(shape(one), shape(other), "{one} and {other}");
}

#[track_caller]
fn same_exprs(pairs: &[(&str, &str)]) {
    for (bare, explicit) in pairs {
        same(&format!("SELECT {bare} FROM t"), &format!("SELECT {explicit} FROM t"));
    }
}

#[test]
fn operators_bind_as_in_postgresql() {
    same_exprs(&[
        ("a OR b AND c", "a OR (b AND c)"),
        ("NOT a AND b", "(NOT a) AND b"),
        ("NOT a = b", "NOT (a = b)"),
        ("NOT a IS NULL", "NOT (a IS NULL)"),
        ("NOT NOT a", "NOT (NOT a)"),
        ("a = b IS NULL", "(a = b) IS NULL"),
        ("a + b IS NOT NULL", "(a + b) IS NOT NULL"),
        ("a IS DISTINCT FROM b = c", "a IS DISTINCT FROM (b = c)"),
        ("a IN (1) = b", "(a IN (1)) = b"),
        ("a = b IN (1)", "a = (b IN (1))"),
        ("a BETWEEN 1 AND 2 AND b", "(a BETWEEN 1 AND 2) AND b"),
        ("a BETWEEN 1 + 1 AND 2 * 3 OR b", "(a BETWEEN (1 + 1) AND (2 * 3)) OR b"),
        ("a || b LIKE c || d", "(a || b) LIKE (c || d)"),
        ("a LIKE b = c", "(a LIKE b) = c"),
        ("a || b + c", "a || (b + c)"),
        ("a -> 'x' ->> 'y'", "(a -> 'x') ->> 'y'"),
        ("a - b - c", "(a - b) - c"),
        ("a / b * c % d", "((a / b) * c) % d"),
        ("a + b * c", "a + (b * c)"),
        ("-a * b", "(-a) * b"),
        ("a - -b", "a - (-b)"),
        ("a=-1", "a = (-1)"),
        ("- 1::text", "-(1::text)"),
        ("a + b::text", "a + (b::text)"),
        ("a::int::text", "(a::int)::text"),
        ("a < b AND c >= d OR e <> f", "((a < b) AND (c >= d)) OR (e != f)"),
        ("a = NOT b AND c", "(a = (NOT b)) AND c"),
        ("a AND b AND c AND d", "(a AND b) AND (c AND d)"),
        ("CAST(a AS text)", "a::text"),
        ("((SELECT 1))", "(SELECT 1)"),
        ("a IN ((SELECT 1))", "a IN (SELECT 1)"),
    ]);
}

#[test]
fn forms_that_say_the_same() {
    same_exprs(&[
        ("substring(a FROM 2 FOR 3)", "substring(a, 2, 3)"),
        ("substring(a FOR 3)", "substring(a, 1, 3)"),
        ("SUBSTRING(a, 2)", "substring(a, 2)"),
        ("trim(a)", "TRIM ( a )"),
        ("trim(BOTH 'x' FROM a)", "btrim(a, 'x')"),
        ("trim(LEADING FROM a)", "ltrim(a)"),
        ("trim(TRAILING 'x' FROM a)", "rtrim(a, 'x')"),
        ("trim('x' FROM a)", "btrim(a, 'x')"),
        ("position('x' IN a)", "position(a, 'x')"),
        ("E'a\\n\\x41\\u00e9\\''", "'a\nAé'''"),
        ("$$it's$$", "'it''s'"),
        ("$x$a $$ b$x$", "'a $$ b'"),
        ("extract(YEAR FROM a)", "EXTRACT('year' FROM a)"),
        ("a /* one /* two */ */ + -- three\n b", "a + b"),
        ("doc . a . B", "doc.a.b"),
        ("Name, \"name\"", "name, name"),
        ("DATE'2020-01-01'", "date '2020-01-01'"),
        ("a AS b, c d", "a b, c AS d"),
    ]);
    for (one, other) in [
        ("SELECT a FROM t LIMIT 1 OFFSET 2", "SELECT a FROM t OFFSET 2 ROWS LIMIT 1"),
        ("SELECT a FROM t LIMIT ALL", "SELECT a FROM t"),
        ("SELECT ALL a FROM t", "SELECT a FROM t"),
        ("SELECT a FROM t ORDER BY a ASC", "SELECT a FROM t ORDER BY a"),
        ("SELECT * FROM a JOIN b ON x", "SELECT * FROM a INNER JOIN b ON x"),
        ("SELECT * FROM a LEFT JOIN b ON x", "SELECT * FROM a LEFT OUTER JOIN b ON x"),
        ("SELECT * FROM ((SELECT 1)) x", "SELECT * FROM (SELECT 1) AS x"),
        ("SELECT * FROM (a CROSS JOIN b)", "SELECT * FROM a CROSS JOIN b"),
        ("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3", "SELECT 1 UNION DISTINCT SELECT 2 INTERSECT SELECT 3"),
        ("BEGIN", "START TRANSACTION"),
        ("COMMIT WORK", "END"),
        ("ROLLBACK", "ABORT TRANSACTION"),
        ("DESC t", "DESCRIBE t;"),
        ("SELECT a FROM t FOR SYSTEM_TIME ALL AS x", "SELECT a FROM t x FOR SYSTEM_TIME ALL"),
        ("SELECT a FROM t AS OF TIMESTAMP $1", "SELECT a FROM t AS OF $1::timestamp"),
        ("INSERT INTO t VALID FROM 1 TO 2 VALUES (1)", "INSERT INTO t VALUES (1) VALID FROM 1 TO 2"),
    ] {
        same(one, other);
    }
}

#[test]
fn names_that_postgresql_allows() {
    let names = "a, _b, c1, d$, é, valid, of, key, value, first, last, tables, date, timestamp, time, zone, system_time, portion, \
                 set, show, copy, begin, index, view, type, name, row, rows, over, \"select\", \"A \"\"b\"\"\"";
    statement(&format!("SELECT {names} FROM events")).unwrap();
    statement(&format!("INSERT INTO t ({names}) VALUES (1)")).unwrap();
    for word in ["select", "user", "order", "end", "desc", "all", "current_date", "window", "returning"] {
        assert!(spectradb_grammar::tokens::is_reserved(word), "{word}");
        assert!(statement(&format!("CREATE TABLE t ({word} INTEGER)")).is_err(), "{word}");
        statement(&format!("SELECT doc.{word}, 1 AS {word} FROM t")).unwrap();
    }
}

#[test]
fn reserved_words_are_found_whole() {
    let listed = include_str!("../src/parse/sql/tokens.pest");
    let listed = listed.split_once("reserved = ").unwrap().1;
    let words: Vec<&str> = listed.split("^\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
    assert!(words.len() > 90);
    for word in words {
        assert!(spectradb_grammar::tokens::is_reserved(word), "{word} stands behind a prefix of its own");
        assert!(!spectradb_grammar::tokens::is_reserved(&format!("{word}x")));
    }
}

#[test]
fn every_statement_of_this_dialect() {
    for sql in [
        "CREATE TABLE IF NOT EXISTS t (a INTEGER, b NUMERIC(12, 2) NOT NULL DEFAULT 1 + 1, c double precision NULL, \
         d TIMESTAMP WITH TIME ZONE DEFAULT now(), e character varying(10), PRIMARY KEY (a, b))",
        "DROP TABLE IF EXISTS a, b",
        "INSERT INTO t SELECT a FROM s VALID AT 5 VALID FROM DATE '2020-01-01' TO 'infinity'",
        "INSERT INTO t (a) (SELECT 1)",
        "INSERT INTO t DEFAULT VALUES",
        "INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x",
        "INSERT INTO t (a, b) VALID FROM $1 TO :to VALUES (1, -2), (now(), NULL)",
        "UPDATE t SET a = DEFAULT, b = b + 1",
        "UPDATE t FOR PORTION OF VALID_TIME FROM DATE '2020-01-01' TO DATE '2021-01-01' AS x SET a = 1 WHERE x.b = 2",
        "UPDATE t FOR VALID_TIME ALL SET a = 1",
        "DELETE FROM t FOR PORTION OF VALID_TIME FROM 1 TO 2 WHERE a = 1",
        "DELETE FROM t FOR VALID_TIME ALL x",
        "SELECT * FROM rates FOR VALID_TIME AS OF i.date AS r",
        "SELECT * FROM invoices i JOIN rates FOR VALID_TIME AS OF i.date r ON r.currency = i.currency",
        "SELECT * FROM t FOR SYSTEM_TIME FROM 1 TO 2 FOR VALID_TIME BETWEEN DATE '2020-01-01' AND now() x",
        "SELECT a FROM t WHERE a = 1 GROUP BY a HAVING count(*) > 1 AS OF current_commit() - 2 VALID AT now() ORDER BY a LIMIT 1",
        "SELECT a FROM t ORDER BY a DESC NULLS LAST, 2 LIMIT 5 OFFSET 1 VALID AT DATE '2020-01-01' AS OF 3",
        "SELECT 1 AS OF 5",
        "SELECT * FROM a, b LEFT JOIN c USING (x, y) CROSS JOIN d FULL JOIN (SELECT 1) AS e (f) ON true RIGHT JOIN g ON false",
        "WITH a AS (SELECT 1), b (c) AS (VALUES (1), (2)) SELECT * FROM a, b",
        "(SELECT 1 UNION ALL SELECT 2) EXCEPT (VALUES (1)) ORDER BY 1",
        "SELECT t.*, count(DISTINCT a), lag(a, 1, 0) OVER (PARTITION BY b, c ORDER BY d DESC NULLS FIRST) FROM t",
        "SELECT CASE a WHEN 1 THEN 'x' ELSE 'y' END, CASE WHEN a THEN b END FROM t",
        "SELECT a FROM t WHERE EXISTS (SELECT 1) AND a IN (SELECT b FROM u) AND c = (SELECT max(d) FROM v)",
        "SELECT a FROM t WHERE a ILIKE 'x%' ESCAPE '!' AND b NOT BETWEEN 1 AND 2 AND c IS NOT UNKNOWN",
        "VALUES (1, 'a'), (2, 'b') ORDER BY 1 LIMIT 1",
        "EXPLAIN UPDATE t SET a = 1",
        "SHOW TABLES",
        "COPY t (a, b) FROM 'in.csv' WITH (FORMAT csv, HEADER true, DELIMITER ';', NULL '')",
        "COPY (SELECT * FROM t) TO 'out.csv' (HEADER)",
        "COPY t TO 'out.csv'",
        "\u{feff}SELECT 1",
    ] {
        shape(sql);
    }
}

#[test]
fn scopes_stand_where_they_govern() {
    use spectradb_grammar::ast::{SetExpr, StatementKind};
    let query = |sql: &str| match statement(sql).unwrap().kind {
        StatementKind::Query(query) => query,
        other => panic!("{other:?}"),
    };
    // Behind the last arm of a set operation is behind them all; before it, the scope is the arm's own.
    let both = query("SELECT a FROM t AS OF 1 UNION SELECT b FROM u VALID AT 2");
    assert!(both.scopes.system.is_none() && both.scopes.valid.is_some());
    let SetExpr::SetOp { left, right, .. } = both.body else { panic!() };
    let (SetExpr::Select(left), SetExpr::Select(right)) = (*left, *right) else { panic!() };
    assert!(left.scopes.system.is_some() && right.scopes.valid.is_none());
    // In parentheses it stays inside.
    let inner = query("SELECT a FROM t UNION (SELECT b FROM u AS OF 2)");
    assert!(inner.scopes.system.is_none());
}
