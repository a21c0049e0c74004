//! What does a statement that cannot mean anything get to hear?
//!
//! The golden files hold every error as the shell shows it: code, message, the place with a caret, help.

mod common;

#[track_caller]
fn golden(name: &str, sqls: &[&str]) {
    let catalog = common::catalog();
    let told: String = sqls
        .iter()
        .map(|sql| match spectradb_grammar::plan(sql, &catalog) {
            Ok(plan) => panic!("{sql} was bound:\n{}", *plan),
            Err(diag) => format!("error[{}]: {}\n{}\n", diag.code, diag.message, diag.excerpt(sql)),
        })
        .collect();
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, told);
    });
}

#[test]
fn names() {
    golden(
        "bind_names",
        &[
            "SELECT balanse FROM accounts",
            "SELECT a.nmae FROM accounts a",
            "SELECT x.id FROM accounts",
            "SELECT * FROM acounts",
            "SELECT b.* FROM accounts a",
            "SELECT name.first FROM accounts",
            "SELECT accounts FROM accounts",
            "SELECT currencyy FROM accounts, invoices",
            "SELECT *",
            "SELECT 1 FROM accounts, accounts",
            "SELECT 1 FROM accounts AS t (a, b, c, d)",
            "SELECT _commit FROM (SELECT * FROM accounts) x",
            "SELECT * FROM accounts WHERE _valid_from = 5",
            "UPDATE accounts SET _commit = 1",
            "UPDATE accounts SET _valid_to = 'infinity'",
            "INSERT INTO accounts VALUES (1, 'a', 1) RETURNING _commit",
            "INSERT INTO accounts VALUES (1, 'a', 1) RETURNING nope",
            "INSERT INTO accounts VALUES (1, 'a', 1) ON CONFLICT (name) DO NOTHING",
            "INSERT INTO notes (body) VALUES ('a') ON CONFLICT (body) DO NOTHING",
            "INSERT INTO accounts AS excluded VALUES (1, 'a', 1) ON CONFLICT (id) DO UPDATE SET name = 'x'",
            "INSERT INTO accounts VALUES (1, 'a', 1) ON CONFLICT (id) DO UPDATE SET name = name",
            "UPDATE accounts SET name = 'x' FROM accounts",
            "MERGE INTO accounts USING rates ON true WHEN MATCHED THEN INSERT VALUES (1, 'a', 1)",
            "MERGE INTO accounts USING rates ON true WHEN NOT MATCHED THEN UPDATE SET name = 'x'",
            "MERGE INTO accounts USING rates ON true WHEN NOT MATCHED THEN INSERT VALUES (accounts.id, 'a', 1)",
            "CREATE TABLE x (a, b) AS SELECT 1",
            "CREATE TABLE x AS SELECT 1 AS _commit",
            "SELECT 1 INTO accounts",
            "VALUES (1, DEFAULT)",
        ],
    );
}

#[test]
fn queries() {
    golden(
        "bind_queries",
        &[
            "SELECT id FROM accounts a JOIN invoices b ON a.id = b.id",
            "SELECT t.c FROM (SELECT 1 AS a, 2 AS a) t",
            "SELECT a FROM (SELECT 1 AS a, 2 AS a) t",
            "SELECT 1 UNION SELECT 'x'",
            "SELECT 1 UNION SELECT 1, 2",
            "SELECT id FROM accounts UNION SELECT name FROM accounts",
            "SELECT 1 AS a UNION SELECT 2 ORDER BY b",
            "SELECT 1 AS a UNION SELECT 2 ORDER BY a + 1",
            "SELECT (SELECT id, name FROM accounts)",
            "SELECT id IN (SELECT id, name FROM accounts) FROM accounts",
            "SELECT id IN (SELECT name FROM accounts) FROM accounts",
            "SELECT * FROM accounts JOIN invoices USING (foo)",
            "SELECT * FROM accounts JOIN invoices USING (name)",
            "SELECT * FROM accounts a JOIN invoices b ON a.id",
            "SELECT * FROM accounts a JOIN invoices b ON sum(a.id) = 1",
            "WITH a AS (SELECT 1), a AS (SELECT 2) SELECT 1",
            "WITH a (x, y) AS (SELECT 1) SELECT * FROM a",
            "WITH a AS (SELECT foo) SELECT 1",
            "VALUES (1), (2, 3)",
            "VALUES (1), ('x')",
        ],
    );
}

#[test]
fn operators() {
    golden(
        "bind_operators",
        &[
            "SELECT id + name FROM accounts",
            "SELECT name > 5 FROM accounts",
            "SELECT name + 1 FROM accounts",
            "SELECT -name FROM accounts",
            "SELECT balance % 2 FROM accounts",
            "SELECT now() + now()",
            "SELECT id || id FROM accounts",
            "SELECT 1 + 'x'",
            "SELECT '1' + '2'",
            "SELECT id LIKE 'a' FROM accounts",
            "SELECT 1 AND true",
            "SELECT name FROM accounts WHERE id",
            "SELECT CASE WHEN id THEN 1 END FROM accounts",
            "SELECT CASE WHEN true THEN 1 ELSE name END FROM accounts",
            "SELECT coalesce(id, name) FROM accounts",
            "SELECT id IN (1, 'x') FROM accounts",
            "SELECT lenght(name) FROM accounts",
            "SELECT length(id) FROM accounts",
            "SELECT upper(name, 1) FROM accounts",
            "SELECT coalesce()",
            "SELECT nullif(1)",
            "SELECT foo(1, 'x', name) FROM accounts",
        ],
    );
}

#[test]
fn parameters() {
    golden(
        "bind_parameters",
        &["SELECT $1 + $2", "SELECT $2", "SELECT $0", "SELECT $1, :a", "SELECT upper($1), $1 + 1"],
    );
}

#[test]
fn groups() {
    golden(
        "bind_groups",
        &[
            "SELECT sum(name) FROM accounts",
            "SELECT sum(id, id) FROM accounts",
            "SELECT count() FROM accounts",
            "SELECT sum(*) FROM accounts",
            "SELECT upper(DISTINCT name) FROM accounts",
            "SELECT sum(sum(id)) FROM accounts",
            "SELECT name FROM accounts WHERE sum(id) > 1",
            "SELECT name, sum(id) FROM accounts",
            "SELECT id + 1 FROM accounts GROUP BY name",
            "SELECT name FROM accounts GROUP BY sum(id)",
            "SELECT sum(id) FROM accounts GROUP BY 1",
            "SELECT name FROM accounts GROUP BY 2",
            "SELECT name FROM accounts ORDER BY 2",
            "SELECT name FROM accounts ORDER BY 1.5",
            "SELECT name, count(*) FROM accounts HAVING count(*) > 1",
            "SELECT DISTINCT name FROM accounts ORDER BY id",
            "SELECT id AS a, name AS a FROM accounts ORDER BY a",
            "SELECT row_number() FROM accounts",
            "SELECT upper(name) OVER () FROM accounts",
            "SELECT name FROM accounts WHERE row_number() OVER () = 1",
            "SELECT sum(row_number() OVER ()) FROM accounts",
            "SELECT rank() OVER (ORDER BY rank() OVER ()) FROM accounts",
            "SELECT lag() OVER (ORDER BY id) FROM accounts",
            "SELECT rank(id) OVER (ORDER BY id) FROM accounts",
            "SELECT sum(DISTINCT id) OVER () FROM accounts",
            "SELECT * FROM accounts LIMIT -1",
            "SELECT * FROM accounts LIMIT id",
            "SELECT * FROM accounts OFFSET 'x'",
        ],
    );
}

#[test]
fn types() {
    golden(
        "bind_types",
        &[
            "SELECT 'abc'::integer",
            "SELECT DATE '2020-13-01'",
            "SELECT '2020-02-30'::date",
            "SELECT 'x'::boolean",
            "SELECT '{'::json",
            "SELECT true::date",
            "SELECT date::integer FROM invoices",
            "SELECT 1::foo",
            "SELECT 1::integr",
            "SELECT 1::serial",
            "SELECT now()::timetz",
            "SELECT 1::uuid",
            "SELECT INTERVAL '1 fortnight'",
            "SELECT DATE '2024-01-01' + true",
            "SELECT -DATE '2024-01-01'",
            "SELECT 'abc' # 1",
            "SELECT 1::char(20000000)",
            "SELECT extract(dow FROM INTERVAL '1 day')",
            "SELECT 1::numeric(1001,2)",
            "SELECT 1::numeric(4,-1001)",
            "SELECT 1e140000",
            "SELECT 1::varchar(0)",
            "SELECT extract(yeer FROM date) FROM invoices",
            "SELECT extract(year FROM id) FROM accounts",
        ],
    );
}

#[test]
fn times() {
    golden(
        "bind_times",
        &[
            "SELECT * FROM accounts AS OF 'long ago'",
            "SELECT * FROM accounts AS OF 1.5",
            "SELECT * FROM accounts AS OF -1",
            "SELECT * FROM accounts AS OF id",
            "SELECT * FROM accounts VALID AT true",
            "SELECT * FROM accounts VALID AT (SELECT 1)",
            "SELECT * FROM invoices i RIGHT JOIN rates FOR VALID_TIME AS OF i.date r ON true",
            "SELECT * FROM rates FOR VALID_TIME AS OF i.date r, invoices i",
        ],
    );
}

#[test]
fn writes() {
    golden(
        "bind_writes",
        &[
            "INSERT INTO acounts VALUES (1)",
            "INSERT INTO accounts (id, nam) VALUES (1, 'x')",
            "INSERT INTO accounts (id, id) VALUES (1, 1)",
            "INSERT INTO accounts (id, name) VALUES (1)",
            "INSERT INTO accounts (id) VALUES (1, 2)",
            "INSERT INTO accounts VALUES (1, 'a', 2, 3)",
            "INSERT INTO accounts (id) VALUES (1)",
            "INSERT INTO accounts VALUES ('x', 'a', 2)",
            "INSERT INTO accounts VALUES (1, 'a', true)",
            "INSERT INTO accounts VALUES (1.5e30, 'a', 2)",
            "INSERT INTO accounts SELECT name, name, 1 FROM accounts",
            "INSERT INTO accounts (id, name, _commit) VALUES (1, 'a', 5)",
            "INSERT INTO rates VALUES ('USD', 12345678)",
            "INSERT INTO rates VALUES ('USD', 1) VALID FROM '2021-01-01' TO '2020-01-01'",
            "INSERT INTO rates VALUES ('USD', 1) VALID FROM '2021-01-01' TO '2021-01-01'",
            "INSERT INTO rates (currency, rate, _valid_from) VALUES ('USD', 1, 5) VALID FROM '2021-01-01'",
            "INSERT INTO accounts VALUES (count(*), 'a', 1)",
            "INSERT INTO accounts VALUES (id, 'a', 1)",
            "UPDATE accounts SET nmae = 'x'",
            "UPDATE accounts SET name = 'x', name = 'y'",
            "UPDATE accounts SET balance = 'x'",
            "UPDATE accounts SET balance = sum(balance)",
            "UPDATE accounts SET _valid_from = now()",
            "UPDATE prices FOR PORTION OF VALID_TIME FROM '2021-01-01' TO '2020-01-01' SET price = 1",
            "DELETE FROM accounts WHERE nothing = 1",
        ],
    );
}

#[test]
fn definitions() {
    golden(
        "bind_definitions",
        &[
            "CREATE TABLE accounts (a INTEGER)",
            "CREATE TABLE t (a INTEGER, a TEXT)",
            "CREATE TABLE t (a INTEGER, _commit INTEGER)",
            "CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER PRIMARY KEY)",
            "CREATE TABLE t (a INTEGER PRIMARY KEY, PRIMARY KEY (a))",
            "CREATE TABLE t (a INTEGER, PRIMARY KEY (b))",
            "CREATE TABLE t (a INTEGER, PRIMARY KEY (a, a))",
            "CREATE TABLE t (a JSON PRIMARY KEY)",
            "CREATE TABLE t (a INTERVAL PRIMARY KEY)",
            "CREATE TABLE t (a VARCHAR(2) DEFAULT 'abc')",
            "CREATE TABLE t (a SMALLINT DEFAULT 40000)",
            "CREATE TABLE t (a INTEGER DEFAULT 'x')",
            "CREATE TABLE t (a INTEGER DEFAULT true)",
            "CREATE TABLE t (a INTEGER DEFAULT b)",
            "CREATE TABLE t (a INTEGER DEFAULT $1)",
            "CREATE TABLE t (a INTEGER DEFAULT (SELECT 1))",
            "DROP TABLE nothing",
            "VACUUM acounts",
            "ALTER TABLE acounts SET RETENTION 90d",
            "ALTER TABLE accounts SET RETENTION 9x",
            "ALTER TABLE accounts SET RETENTION '1 year'",
            "ALTER TABLE accounts SET RETENTION INTERVAL '-1 day'",
            "ALTER TABLE accounts SET RETENTION '100000000000 hours'",
            "DESCRIBE acounts",
            "COPY acounts FROM 'x'",
            "COPY accounts (foo) FROM 'x'",
            "COPY accounts FROM 'x' WITH (FORMAT parquet)",
            "COPY accounts FROM 'x' WITH (HEDER true)",
            "COPY accounts FROM 'x' WITH (DELIMITER 'ab')",
        ],
    );
}
