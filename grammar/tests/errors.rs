//! What does a text that is no statement get to hear?
//!
//! The golden files hold every error as the shell shows it, so that a change of the grammar shows what it does to them.

use spectradb_grammar::parse::{expr, statement, statements};

/// Each statement with its error, as the shell prints it.
fn told(sqls: &[&str]) -> String {
    sqls.iter()
        .map(|sql| match statement(sql) {
            Ok(parsed) => panic!("{sql} was taken for {parsed:?}"),
            Err(diag) => format!("error[{}]: {}\n{}\n", diag.code, diag.message, diag.excerpt(sql)),
        })
        .collect()
}

#[track_caller]
fn golden(name: &str, sqls: &[&str]) {
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, told(sqls));
    });
}

#[test]
fn syntax() {
    golden(
        "syntax",
        &[
            "",
            "-- only a comment",
            "SELET 1",
            "hello world",
            "SELECT a,, b",
            "SELECT * FORM t",
            "SELECT a FORM t",
            "SELECT a FROM t WEHRE a = 1",
            "SELECT a FROM t WHERE",
            "SELECT a FROM t GRUOP BY a",
            "SELECT a FROM t ORDER a",
            "SELECT (1 + 2 FROM t",
            "SELECT 1 +",
            "INSERT INTO a VALUES (1), )",
            "SELECT a b c FROM t",
            "SELECT order FROM t",
            "SELECT 1 FROM order",
            "SELECT CASE WHEN a THEN 1",
            "SELECT a = b = c",
            "SELECT 12ab",
            "SELECT 'open",
            "SELECT \"open",
            "SELECT 1 /* open /* */",
            "SELECT $tag$ open",
            "SELECT X'0g'",
            "SELECT E'\\u00'",
            "SELECT $0",
            "SELECT a FROM t WHERE a = 1 FOR SYSTEM_TIME ALL",
            "SELECT a FROM t WHERE a = ?",
            "SELECT 1; SELECT 2",
            "INSERT INTO t VALUES (1, 2), (3 4)",
            "INSERT INTO t VALUES",
            "INSERT t VALUES (1)",
            "INSERT INTO t VALID FROM 1 VALUES (1) VALID FROM 2",
            "UPDATE t SET",
            "UPDATE t a = 1",
            "DELETE t WHERE a = 1",
            "CREATE TABLE t",
            "CREATE TABLE t (a)",
            "CREATE TABLE t (a INTEGER,,)",
            "CREATE TABLE t (a INTEGER NULL PRIMARY KEY)",
            "CREATE TABLE user (a INTEGER)",
            "DROP t",
            "VACUUM a, b",
            "ALTER TABLE t SET RETENTION",
            "ALTER TABLE t SET RETENTION 90",
            "ALTER TABLE t SET RETENTION 90d days",
            "SELECT retention 90d FROM t",
            "VACUM",
            "SELECT a FROM t AS OF 1 AS OF 2",
            "SELECT a FROM t AS OF 1 ORDER BY a AS OF 2",
            "SELECT a AS valid FROM t",
            "SELECT (a ORDER BY b) FROM t",
            "SELECT a FROM t JOIN u",
            "COPY t FROM file",
            "SELECT \u{1} FROM t",
        ],
    );
}

#[test]
fn recognised_but_not_offered() {
    golden(
        "recognised",
        &[
            "CREATE VIEW v AS SELECT 1",
            "CREATE UNIQUE INDEX i ON t (a)",
            "CREATE OR REPLACE FUNCTION f() RETURNS int",
            "CREATE TEMP TABLE t (a INTEGER)",
            "CREATE TABLE t (a INTEGER UNIQUE)",
            "CREATE TABLE t (a INTEGER, CHECK (a > 0))",
            "CREATE TABLE t (a INTEGER REFERENCES u)",
            "DROP VIEW v",
            "DROP TABLE t CASCADE",
            "ALTER TABLE t ADD COLUMN b TEXT",
            "ALTER TABLE t SET x",
            "ALTER VIEW v RENAME TO w",
            "TRUNCATE t RESTART IDENTITY",
            "DELETE FROM t AS OF 1",
            "DELETE FROM t WHERE a = 1 AS OF 1",
            "UPDATE t SET a = 1 VALID AT 5",
            "GRANT SELECT ON t TO bob",
            "EXPLAIN VERBOSE SELECT 1",
            "SELECT a FROM t, ROWS FROM (f())",
            "EXPLAIN PREPARE p AS SELECT 1",
            "COPY t FROM STDIN",
            "INSERT INTO t VALUES (1) ON CONFLICT ON CONSTRAINT k DO NOTHING",
            "UPDATE t SET doc.a = 1",
            "INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (1)",
            "SELECT * FROM archive.t",
            "SELECT * FROM t TABLESAMPLE SYSTEM (1)",
            "SELECT * FROM t FOR UPDATE",
            "SELECT a == 1 FROM t",
            "SELECT a <-> b FROM t",
        ],
    );
}

#[test]
fn too_much_is_refused_on_a_small_stack() {
    let cases = [
        format!("SELECT {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("SELECT {}", "(".repeat(100_000)),
        format!("SELECT {}1{}", "CASE WHEN a THEN ".repeat(10_000), " END".repeat(10_000)),
        format!("SELECT {}1", "/*".repeat(100_000)),
        format!("SELECT {}a", "NOT ".repeat(10_000)),
        format!("SELECT {}a", "- ".repeat(10_000)),
        format!("SELECT a{}", "::text".repeat(10_000)),
        format!("SELECT {}1", "1 + ".repeat(10_000)),
        format!("{}SELECT 1", "SELECT 1 UNION ".repeat(1_000)),
        format!("SELECT * FROM a{}", " CROSS JOIN a".repeat(1_000)),
        format!("SELECT {}1", "1, ".repeat(200_000)),
        format!("INSERT INTO t VALUES ({}1{})", "(".repeat(100_000), ")".repeat(100_000)),
        format!("INSERT INTO t VALUES (1) VALID FROM {}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        format!("INSERT INTO t VALUES (1) RETURNING {}1{}", "(".repeat(300), ")".repeat(300)),
        format!("INSERT INTO t VALUES (1) RETURNING 1 {}{}", "/*".repeat(10_000), "*/".repeat(10_000)),
        format!("INSERT {}{} INTO t VALUES (1)", "/*".repeat(10_000), "*/".repeat(10_000)),
        format!("INSERT INTO t VALUES (1 + {}{} 1)", "/*".repeat(10_000), "*/".repeat(10_000)),
    ];
    let small = std::thread::Builder::new().stack_size(256 << 10);
    let refused = small.spawn(move || {
        for sql in &cases {
            let diag = statement(sql).unwrap_err();
            assert_eq!(diag.code, "54001", "{:.60}: {diag}", sql);
        }
    });
    refused.unwrap().join().unwrap();
}

#[test]
fn deep_and_long_but_allowed_works_on_a_small_stack() {
    let deep = 120;
    let cases = [
        format!("SELECT {}1{}", "(".repeat(deep), ")".repeat(deep)),
        format!("SELECT {}1{}", "(SELECT ".repeat(deep), ")".repeat(deep)),
        // Reading a parenthesis twice would take 2^60 steps here.
        format!("SELECT {}1{}", "((SELECT ".repeat(deep / 2), ") + 1)".repeat(deep / 2)),
        format!("SELECT * FROM {}a{}", "((SELECT * FROM ".repeat(deep / 2), ") CROSS JOIN b)".repeat(deep / 2)),
        format!("SELECT {}1{}", "CASE WHEN a THEN ".repeat(deep), " END".repeat(deep)),
        format!("SELECT {}1{}", "a IN (SELECT b FROM c WHERE ".repeat(deep), ")".repeat(deep)),
        format!("INSERT INTO t VALUES (1) VALID FROM {}1{}", "(".repeat(deep), ")".repeat(deep)),
        format!("INSERT INTO t VALUES (1) RETURNING {}1{}", "(".repeat(deep), ")".repeat(deep)),
        // Less deep than where pest itself gives up for want of stack.
        format!("INSERT INTO t VALUES (1) RETURNING {}1{}", "(".repeat(20), ")".repeat(20)),
        format!("INSERT INTO t VALUES (1) RETURNING 1 {}{}", "/*".repeat(deep), "*/".repeat(deep)),
        format!("SELECT a FROM t WHERE {}a = 1", "a = 1 OR ".repeat(10_000)),
        format!("SELECT {}1", "1 + ".repeat(200)),
    ];
    let small = std::thread::Builder::new().stack_size(256 << 10);
    let read = small.spawn(move || {
        for sql in &cases {
            statement(sql).unwrap();
        }
    });
    read.unwrap().join().unwrap();
}

#[test]
fn an_error_far_behind_is_placed_in_the_whole_text() {
    let sql = "SELECT 1;\nSELECT 2;\n  SELECT * FORM t;";
    let diag = statements(sql).unwrap_err();
    let position = diag.position(sql).unwrap();
    assert_eq!((position.line, position.column, diag.span.unwrap().of(sql)), (3, 12, "FORM"));
    let sql = format!("INSERT INTO t VALUES {}(1 2)", "(1, 'a'),\n".repeat(100_000));
    let diag = statement(&sql).unwrap_err();
    assert_eq!((diag.position(&sql).unwrap().line, diag.span.unwrap().of(&sql)), (100_001, "2"));
}

#[test]
fn an_expression_alone() {
    expr("1 + now()").unwrap();
    assert_eq!(expr("1 +").unwrap_err().code, "42601");
    assert_eq!(expr("1; 2").unwrap_err().code, "42601");
    assert_eq!(expr("").unwrap_err().code, "42601");
}
