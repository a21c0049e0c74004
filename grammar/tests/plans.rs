//! What do statements become?
//!
//! The golden files hold plans as EXPLAIN shows them, how many rows there can be where that is known, and the parameters'
//! types, so that a change of the binder or of a rewrite shows what it does to them. Each statement is bound without
//! rewrites, too: the plan that rewrites must agree with keeps the IR's promises as well.

mod common;

use spectradb_grammar::{
    bind::{self, BindOptions},
    parse,
    plan::Cardinality,
};
use std::fmt::Write as _;

#[track_caller]
fn plans(name: &str, sqls: &[&str]) {
    let catalog = common::catalog();
    let mut shown = String::new();
    for sql in sqls {
        let told = |diag: spectradb_grammar::diag::Diag| -> ! {
            panic!("error[{}]: {}\n{}", diag.code, diag.message, diag.excerpt(sql))
        };
        let tree = parse::statement(sql).unwrap_or_else(|diag| told(diag));
        let plain = BindOptions { rewrites: false, ..BindOptions::default() };
        bind::statement(&tree, sql, &catalog, &plain).unwrap_or_else(|diag| told(diag));
        let plan = spectradb_grammar::plan(sql, &catalog).unwrap_or_else(|diag| told(diag));
        let rows = match plan.cardinality {
            Cardinality::One => "\n(one row)",
            Cardinality::AtMostOne => "\n(at most one row)",
            Cardinality::Many => "",
        };
        let params: Vec<String> = plan.params.iter().map(|param| param.ty.to_string()).collect();
        let params = if params.is_empty() { String::new() } else { format!("\n(parameters: {})", params.join(", ")) };
        writeln!(shown, "{sql}\n{}{rows}{params}\n", *plan).expect("writing to a string cannot fail");
    }
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, shown);
    });
}

#[test]
fn expressions() {
    plans(
        "plan_expressions",
        &[
            "SELECT 1",
            "SELECT 1 + 2 * 3, -4, +5, 7 / 2, 7 % 2, 1.5 + 2, 1e3, 1e300, 'a' || 'b' || 3",
            "SELECT id + 1.5, balance * 2, balance / 3, id / 2, id / 2.0, id % 3 FROM accounts",
            "SELECT amount * rate, amount / rate, amount + rate, amount - 1, amount % 7, -amount FROM invoices, rates",
            "SELECT amount * rate * amount * rate FROM invoices, rates",
            "SELECT * FROM accounts",
            "SELECT name, id FROM accounts WHERE id IN (1, 2, 3) AND name NOT IN ('a', 'b') OR balance BETWEEN 1 AND 2",
            "SELECT name FROM accounts WHERE balance::integer IN (30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 30, id)",
            r#"SELECT name FROM accounts WHERE name LIKE 'a%' AND name NOT ILIKE 'B_' ESCAPE '\'"#,
            "SELECT CASE WHEN id > 1 THEN 'x' ELSE name END, CASE id WHEN 1 THEN 1.5 WHEN 2 THEN 2 END FROM accounts",
            "SELECT coalesce(balance, 0), nullif(id, 1), greatest(id, 2, 3.5), least(balance, 1), concat(id, name, balance, NULL), concat_ws(',', name, balance) FROM accounts",
            "SELECT abs(-5), round(1.2345, 2), round(balance), floor(2.5), ceil(-2.5), trunc(1.29, 1), round(amount, 1), round(amount) FROM accounts, invoices",
            "SELECT upper(name), lower(name), length(name), substr(name, 1, 2), trim(name), replace(name, 'a', 'b') FROM accounts",
            "SELECT CAST('12' AS INTEGER), '12'::numeric(5,2), '2020-01-01'::date, 1::text, 1.5::integer, DATE '2020-01-01', TIMESTAMP '2020-01-01 10:00:00', 'true'::bool, balance::numeric, id::varchar(2) FROM accounts",
            "SELECT balance IS NULL, (id > 1) IS TRUE, id IS DISTINCT FROM 2.5, NULL IS NULL, NOT (id = 1) FROM accounts",
            "SELECT -9223372036854775808, 9223372036854775808, 0.000001, 1234567890123456789012345678901234567890.5e5",
            "SELECT price FROM prices WHERE shop = 1 AND item IN ('x', 'y', 'x')",
            "SELECT price FROM prices WHERE shop = 1 AND item > 'a' AND item <= 'k' AND price < 5",
            "SELECT price FROM prices WHERE shop IN (1, 2) AND item = 'x' LIMIT 1",
            "SELECT price FROM prices WHERE 1 = shop AND item = :item",
            "SELECT price FROM prices WHERE 1 = 2 OR (shop = 1 AND true)",
            "SELECT price FROM prices WHERE 1 = 2",
            "SELECT 1 / 0, CASE WHEN 1 = 1 THEN 2 ELSE 1 / 0 END",
            "SELECT id FROM invoices WHERE date = '2020-01-01' AND date < now() AND amount = '5.00'",
        ],
    );
}

#[test]
fn joins() {
    plans(
        "plan_joins",
        &[
            "SELECT a.*, b.name FROM accounts a JOIN accounts AS b ON a.id = b.id",
            "SELECT * FROM accounts a LEFT JOIN invoices i ON a.id = i.id AND i.amount > 3 WHERE i.id IS NULL",
            "SELECT * FROM accounts a RIGHT JOIN invoices i USING (id)",
            "SELECT id FROM accounts a FULL JOIN invoices i USING (id) ORDER BY id",
            "SELECT * FROM accounts a CROSS JOIN invoices i",
            "SELECT a.name, i.amount FROM accounts a LEFT JOIN invoices i ON a.id = i.id WHERE i.amount > 5 AND a.balance < 3",
            "SELECT a.name FROM accounts a FULL JOIN invoices i ON a.id = i.id WHERE a.id > 5",
            "SELECT count(*) FROM accounts a JOIN accounts b ON a.id = b.id + 1 AND b.id * 2 = a.id",
            "SELECT count(*) FROM accounts a JOIN accounts b ON a.id = b.name::integer",
            "SELECT count(*) FROM accounts a JOIN accounts b ON a.id BETWEEN b.id AND b.id + 5",
            "SELECT count(*) FROM accounts a JOIN prices p ON a.id >= p.shop AND a.id < p.shop AND a.name < p.item",
            "SELECT count(*) FROM invoices i ASOF JOIN rates r ON i.currency = r.currency AND i.date >= r._valid_from",
            "SELECT count(*) FROM accounts a WHERE EXISTS (SELECT 1 FROM prices p WHERE p.shop = a.id AND p.item > a.name)",
            "SELECT count(*) FROM accounts a WHERE NOT EXISTS (SELECT price FROM prices p WHERE p.shop > a.id)",
            "SELECT count(*) FROM accounts a WHERE balance > ALL (SELECT price FROM prices p WHERE p.item < a.name AND p.shop = a.id)",
            "SELECT count(*) FROM accounts a WHERE id IN (SELECT shop * a.balance FROM prices p WHERE p.item <> a.name)",
            "SELECT count(*) FROM accounts a WHERE EXISTS (SELECT 1 FROM prices p WHERE 1 / p.shop > a.id)",
        ],
    );
}

/// What looks at one row instead of all: the nearest, the greatest, the first of an order.
#[test]
fn nearest_rows() {
    plans(
        "plan_nearest",
        &[
            "SELECT count(*) FROM invoices i ASOF JOIN rates r ON i.currency = r.currency AND i.date <= r._valid_from",
            "SELECT count(*) FROM accounts a JOIN prices p ON (a.id IS NULL OR a.id <= p.shop) AND p.shop < a.id + 5",
            "SELECT count(*) FROM accounts a WHERE EXISTS (SELECT 1 FROM prices p WHERE p.shop > a.id)",
            "SELECT count(*) FROM accounts a WHERE balance > ALL (SELECT price FROM prices p)",
            "SELECT count(*) FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM prices p WHERE p.shop = a.id AND p.item >= a.name)",
            "SELECT count(*) FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM prices p WHERE p.shop / 2 > a.id)",
            "SELECT count(*) FROM accounts a WHERE (id, name) NOT IN (SELECT shop, item FROM prices)",
            "SELECT count(*) FROM accounts a WHERE (name, balance) NOT IN (SELECT name, balance FROM accounts)",
            "SELECT id, (SELECT item FROM prices p WHERE p.shop <= a.id ORDER BY p.shop DESC, item LIMIT 1) FROM accounts a",
            "SELECT id, (SELECT item FROM prices p WHERE p.shop <= a.id ORDER BY p.shop DESC, item LIMIT 1) FROM accounts a WHERE id = 5",
            "SELECT a.id, p.* FROM accounts a, LATERAL (SELECT * FROM prices p WHERE p.item = a.name AND p.shop > a.id - 5 AND price > 1 ORDER BY shop LIMIT 2 OFFSET 1) p",
            "SELECT id, (SELECT max(shop) FROM prices p WHERE p.shop < a.id AND p.item = a.name) FROM accounts a",
            "SELECT id, (SELECT count(*) FROM prices p WHERE p.shop BETWEEN a.id - 5 AND a.id) FROM accounts a",
            "SELECT count(*) FROM accounts a WHERE EXISTS (SELECT 1 FROM prices p, accounts b WHERE b.id = p.shop + 1 AND p.shop = a.id + 1)",
            "SELECT count(*) FROM accounts a WHERE (SELECT count(*) FROM prices p WHERE p.shop % 10 = a.id % 10 AND p.shop / 0 = 1) > 0",
        ],
    );
}

#[test]
fn times() {
    plans(
        "plan_times",
        &[
            "SELECT now(), current_commit(), date_trunc('month', date), extract(year FROM date), extract(second FROM now()), date + 1, date - date, date - '2020-01-01' FROM invoices",
            "SELECT _commit, _system_from, _system_to, _valid_from, _valid_to, * FROM accounts",
            "SELECT * FROM accounts FOR SYSTEM_TIME AS OF 5 FOR VALID_TIME ALL WHERE id = 1",
            "SELECT * FROM accounts FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01' a",
            "SELECT * FROM accounts FOR SYSTEM_TIME BETWEEN 1 AND current_commit() FOR VALID_TIME FROM '2020-01-01' TO 'infinity'",
            "SELECT * FROM accounts FOR SYSTEM_TIME ALL AS OF current_commit() - 2 VALID AT DATE '2020-01-01'",
            "SELECT * FROM (SELECT * FROM accounts) x AS OF :commit",
        ],
    );
}

#[test]
fn documents() {
    plans(
        "plan_documents",
        &[
            "SELECT doc.user, doc.a.b, events.doc.user, doc.amount + 1, doc.amount > 5, doc.user = 'alice', doc.active FROM events WHERE doc.active AND doc.user || 'x' LIKE 'a%'",
            "SELECT doc -> 'a' ->> 'b', doc.user::text, doc.amount::numeric(10,2), lower(doc.user) FROM events",
            "SELECT coalesce(doc.user, 'nobody') FROM events ORDER BY doc.amount DESC NULLS LAST",
            "SELECT round(doc.amount, 2), round(doc.amount::numeric, 2) FROM events",
        ],
    );
}

#[test]
fn groups() {
    plans(
        "plan_groups",
        &[
            "SELECT DISTINCT currency FROM invoices ORDER BY currency",
            "SELECT currency, sum(amount), avg(amount), min(date), max(date), count(*), count(DISTINCT date) FROM invoices GROUP BY currency HAVING sum(amount) > 100 ORDER BY 2 DESC, count(*)",
            "SELECT currency AS c, extract(year FROM date) AS y, sum(amount) FROM invoices GROUP BY c, y ORDER BY c, y",
            "SELECT extract(year FROM date) + 1, count(*) FROM invoices GROUP BY extract(year FROM date), 1 + 1",
            "SELECT sum(amount) FROM invoices",
            "SELECT currency, rank() OVER (ORDER BY sum(amount) DESC), dense_rank() OVER (PARTITION BY currency ORDER BY count(*)) FROM invoices GROUP BY currency",
            "SELECT id, lag(amount) OVER (ORDER BY date), lead(amount, 2, 0) OVER (PARTITION BY currency ORDER BY date), sum(amount) OVER (ORDER BY date), count(*) OVER () FROM invoices ORDER BY row_number() OVER (ORDER BY amount) LIMIT 5 OFFSET 2",
            "WITH big AS (SELECT * FROM invoices WHERE amount > 100), n (k) AS (SELECT count(*) FROM big) SELECT * FROM big, n",
            "SELECT count(*) FROM accounts WHERE NOT EXISTS (SELECT 1) LIMIT 10",
            "SELECT * FROM (SELECT currency, sum(amount) AS total FROM invoices GROUP BY currency) AS t WHERE currency = 'USD' AND total > 5",
            "SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY currency ORDER BY date) AS n, currency FROM invoices) AS t WHERE n = 1 AND currency = 'USD'",
            "SELECT sum(amount) * avg(amount) * sum(amount) FROM invoices",
        ],
    );
}

#[test]
fn queries() {
    plans(
        "plan_queries",
        &[
            "SELECT * FROM (SELECT id, name FROM accounts) AS t (a, b) WHERE a > 1",
            "SELECT (SELECT max(id) FROM accounts), EXISTS (SELECT 1 FROM events), id IN (SELECT id FROM invoices), name NOT IN (SELECT pk FROM events) FROM accounts",
            "SELECT id FROM invoices WHERE amount > (SELECT avg(amount) FROM invoices) AND id IN (SELECT 1.5)",
            "SELECT 1 UNION SELECT 2.5 UNION ALL SELECT NULL ORDER BY 1",
            "SELECT DATE '2020-01-01' AS d UNION ALL SELECT '2021-01-01' ORDER BY d DESC LIMIT 1",
            "VALUES (1, 'a'), (2.5, NULL)",
            "SELECT * FROM (VALUES (1, 'x'), (2, 'y')) AS v (n, t)",
            "SELECT x FROM (SELECT id AS x FROM accounts UNION ALL SELECT id FROM invoices) AS u WHERE x = 1",
        ],
    );
}

#[test]
fn parameters() {
    plans(
        "plan_parameters",
        &[
            "SELECT * FROM accounts WHERE id = 1 VALID AT $1",
            "SELECT $1, $2 + 1, $3 || 'x', $4 = id FROM accounts WHERE name = $1",
            "SELECT id FROM accounts WHERE id = $1 OR id > $1",
            "SELECT price FROM prices WHERE shop >= $1 AND 5 > shop",
            "SELECT id FROM accounts WHERE id = ANY ($1) AND name LIKE ANY ($2)",
            "SELECT price FROM prices WHERE shop = ANY (ARRAY[1, 2]) AND item = 'x'",
        ],
    );
}

#[test]
fn periods() {
    plans(
        "plan_periods",
        &[
            "SELECT i.id, i.amount * r.rate FROM invoices i JOIN rates FOR VALID_TIME ALL AS r ON r.currency = i.currency AND r._valid_from <= i.date AND i.date < r._valid_to",
            "SELECT i.id, i.amount * r.rate FROM invoices i JOIN rates FOR VALID_TIME AS OF i.date AS r ON r.currency = i.currency",
            "SELECT i.id, r.rate FROM invoices i LEFT JOIN rates FOR VALID_TIME AS OF i.date AS r USING (currency)",
            "SELECT i.id, r.rate FROM invoices i, rates FOR VALID_TIME AS OF i.date r WHERE r.currency = i.currency",
            "SELECT * FROM rates FOR VALID_TIME ALL r, invoices i WHERE i.date >= r._valid_from AND r._valid_to > i.date AND i.currency = r.currency",
            "SELECT i.id FROM invoices i, rates FOR VALID_TIME ALL AS r WHERE r.currency = i.currency AND i.date >= r._valid_from AND i.date < r._valid_to AND r.rate > 1",
            "SELECT i.amount FROM invoices i JOIN accounts a ON i.amount >= 1.00 AND a.balance <= i.amount::real AND i.amount::real < a.balance + 10",
            "SELECT i.id FROM invoices i JOIN invoices j ON i.amount <= j.amount AND j.amount < i.amount + 5.00",
            "SELECT a.id, e.id FROM invoices a JOIN invoices e ON (a.id = e.id + 1 OR a.currency = e.currency AND a.paid) AND a.amount > e.amount",
            "SELECT id FROM accounts a WHERE EXISTS (SELECT 1 FROM invoices i WHERE i.id = a.id OR i.currency = a.name)",
            "SELECT id FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM invoices i WHERE i.id = a.id OR i.currency = a.name)",
        ],
    );
}

#[test]
fn writes() {
    plans(
        "plan_writes",
        &[
            "INSERT INTO accounts VALUES (1, 'a', 2), (2, 'b', NULL)",
            "INSERT INTO accounts (name, id) VALUES ('a', $1)",
            "INSERT INTO accounts SELECT id + 10, name, 1.5 FROM accounts",
            "INSERT INTO rates (currency, rate) VALUES ('USD', 1.1) VALID FROM '2020-01-01' TO '2021-01-01'",
            "INSERT INTO rates (currency, rate) VALID FROM DATE '2020-01-01' VALUES ('USD', '1.1')",
            "INSERT INTO rates (currency, rate, _valid_from, _valid_to) VALUES ('USD', 1.1234567, 5, 'infinity')",
            "INSERT INTO notes DEFAULT VALUES",
            "INSERT INTO notes (body) VALUES ('x')",
            "INSERT INTO invoices (id, currency, date, amount) SELECT 5, 'USD', '2020-01-01', '10'",
            "UPDATE accounts SET balance = balance + 1, name = 'x' WHERE id = 1",
            "UPDATE prices FOR PORTION OF VALID_TIME FROM '2020-01-01' TO '2021-01-01' SET price = price * 1.1 WHERE shop = 1 AND item = 'x'",
            "UPDATE prices FOR VALID_TIME ALL AS p SET price = 1 WHERE p.shop = $1",
            "DELETE FROM accounts WHERE balance < 0",
            "DELETE FROM accounts FOR PORTION OF VALID_TIME FROM '2020-01-01' TO 'infinity' WHERE id = 3",
            "DELETE FROM notes FOR VALID_TIME ALL",
        ],
    );
}

#[test]
fn writes_with_more() {
    plans(
        "plan_writes_with_more",
        &[
            "INSERT INTO accounts VALUES (1, 'a', DEFAULT), (2, 'b', 1) RETURNING id, upper(name) AS name, _valid_from",
            "INSERT INTO accounts AS a VALUES (1, 'a', 2) ON CONFLICT DO NOTHING",
            "INSERT INTO prices VALUES (1, 'x', 2) ON CONFLICT (item, shop) DO UPDATE SET price = prices.price + excluded.price WHERE excluded.price > 0 RETURNING *",
            "UPDATE accounts a SET balance = i.amount FROM invoices i WHERE i.id = a.id RETURNING a.name, i.paid",
            "DELETE FROM accounts USING invoices i WHERE i.id = accounts.id",
            "DELETE FROM notes RETURNING (SELECT count(*) FROM notes), body",
            "WITH x AS (SELECT 1 AS id) UPDATE accounts SET name = 'x' WHERE id IN (SELECT id FROM x)",
            "MERGE INTO prices p USING (SELECT id, amount FROM invoices) i ON p.shop = i.id WHEN MATCHED AND i.amount = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET price = i.amount WHEN NOT MATCHED THEN INSERT (shop, item, price) VALUES (i.id, 'new', i.amount) RETURNING p.price, i.id",
            "MERGE INTO accounts USING rates ON name = currency WHEN NOT MATCHED BY SOURCE THEN DO NOTHING",
            "TRUNCATE accounts, notes",
            "ERASE FROM accounts AS a WHERE a.balance > 10 OR id IN (SELECT id FROM invoices)",
            "ERASE FROM prices WHERE TRUE",
            "CREATE TABLE made (a) AS SELECT id, name FROM accounts",
            "SELECT id, _valid_from INTO made FROM accounts",
            "CREATE TABLE IF NOT EXISTS accounts AS SELECT 1 AS x WITH NO DATA",
        ],
    );
}

#[test]
fn definitions() {
    plans(
        "plan_definitions",
        &[
            "EXPLAIN SELECT * FROM accounts",
            "EXPLAIN UPDATE accounts SET balance = 1",
            "SET statement_timeout TO '5s'",
            "SET TIME ZONE DEFAULT",
            "RESET ALL",
            "SHOW memory_limit",
            "SHOW STATS",
            "SHOW TABLE STATS accounts",
            "SHOW STORAGE",
            "PREPARE p (INTEGER, TEXT) AS SELECT $1, $2",
            "EXECUTE p(1 + $1, 'x')",
            "EXECUTE p",
            "DEALLOCATE PREPARE p",
            "EXPLAIN (FORMAT JSON, ANALYZE) SELECT id FROM accounts",
            "SHOW TABLES",
            "DESCRIBE accounts",
            "VACUUM",
            "VACUUM accounts",
            "ALTER TABLE accounts SET RETENTION 90d",
            "ALTER TABLE accounts SET RETENTION '1 day 12 hours'",
            "ALTER TABLE accounts SET RETENTION INTERVAL '90' DAY",
            "ALTER TABLE accounts SET RETENTION NONE",
            "DROP TABLE IF EXISTS accounts, nothing",
            "CREATE TABLE IF NOT EXISTS accounts (a INTEGER)",
            "CREATE TABLE c (a INTEGER NOT NULL DEFAULT 1 + 2, b NUMERIC(10,2) DEFAULT 1.5, t TIMESTAMP DEFAULT now(), d DATE DEFAULT '2020-01-01', PRIMARY KEY (b, a))",
            "COPY accounts FROM 'file.csv'",
            "COPY accounts (id, name, _valid_from) FROM 'file.csv' WITH (HEADER true, DELIMITER ';', NULL 'null', FORMAT csv)",
            "COPY accounts TO 'file.csv'",
            "COPY accounts (id, name) TO 'file.csv' WITH (HEADER)",
            "COPY (SELECT 1) TO 'file.csv'",
        ],
    );
}

/// Nesting is bounded by the parser; what it lets through must bind on the stack of any thread, and long flat lists must
/// not nest at all.
#[test]
fn deep_and_long_statements_bind() {
    let catalog = common::catalog();
    let nested = |before: &str, inner: &str, after: &str, depth: usize| {
        format!("SELECT {}{inner}{} FROM accounts", before.repeat(depth), after.repeat(depth))
    };
    let many = |item: &str, between: &str, count: usize| vec![item; count].join(between);
    for sql in [
        nested("(1 + ", "id", ")", 120),
        nested("abs(", "id", ")", 120),
        nested("coalesce(balance, ", "1", ")", 60),
        nested("coalesce(", "balance", ", 1)", 60),
        nested("coalesce(abs(", "balance", "), balance)", 60),
        nested("greatest(id, 1 + ", "2", ")", 60),
        nested("CASE WHEN id > 1 THEN ", "id", " END", 60),
        nested("(SELECT ", "1", ")", 60),
        nested("NOT ", "true", "", 120),
        format!("SELECT id FROM accounts WHERE {}", many("id = 1", " OR ", 2_000)),
        format!("SELECT id FROM accounts WHERE {}", many("name <> 'x'", " AND ", 2_000)),
        format!("SELECT id FROM accounts WHERE id IN ({})", many("7", ", ", 5_000)),
        format!("SELECT {} FROM accounts", many("id", " + ", 200)),
        format!("SELECT 1 {}", many("", "UNION ALL SELECT 1 ", 100)),
    ] {
        match spectradb_grammar::plan(&sql, &catalog) {
            Ok(_) => {}
            // The parser may find a text too complex; nobody may find it too deep for the stack.
            Err(diag) => assert_eq!(diag.code, "54001", "{}: {}", &sql[..60], diag.message),
        }
    }
}

#[test]
fn changes_within_with() {
    plans(
        "plan_changes_within_with",
        &[
            "WITH gone AS (DELETE FROM accounts WHERE balance < 0 RETURNING id, name) SELECT count(*) FROM gone WHERE id > 3",
            "WITH n (id) AS (INSERT INTO accounts VALUES (1, 'a', 0) RETURNING id), m AS (SELECT id FROM n) UPDATE accounts SET balance = 1 FROM m WHERE accounts.id = m.id + 1",
        ],
    );
}

#[test]
fn newer_clauses() {
    plans(
        "plan_newer_clauses",
        &[
            "WITH r AS MATERIALIZED (SELECT id FROM accounts) SELECT a.id FROM r a JOIN r b ON a.id = b.id",
            "WITH r AS (SELECT random() AS x) SELECT a.x = b.x FROM r a, r b",
            "SELECT id, generate_series(1, count(*)) FROM accounts GROUP BY id",
            "SELECT unnest(ARRAY[1, 2]) AS u, count(*) FROM accounts GROUP BY u",
            "SELECT lag(balance, 2) IGNORE NULLS OVER (ORDER BY id) FROM accounts",
            "INSERT INTO accounts (id, name, balance) VALUES (1, 'a', 2) ON CONFLICT (id) DO UPDATE SET balance = excluded.balance RETURNING old.balance, new.balance",
            "WITH gone AS (DELETE FROM accounts WHERE id = 1 RETURNING id) SELECT id FROM gone",
            "SELECT id FROM accounts FOR VALID_TIME BETWEEN SYMMETRIC DATE '2024-02-01' AND DATE '2024-01-01'",
        ],
    );
}
