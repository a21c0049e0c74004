//! Do statements bind to plans that keep the IR's promises, and errors point where they should?

use super::*;
use crate::{catalog::StaticCatalog, plan::Statement};
use std::sync::Arc;

/// The tables of the tests.
pub(crate) fn catalog() -> StaticCatalog {
    let mut catalog = StaticCatalog::default();
    for sql in [
        "CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, balance REAL)",
        "CREATE TABLE events (pk TEXT PRIMARY KEY)",
        "CREATE TABLE rates (currency TEXT, rate NUMERIC(12,6) NOT NULL, PRIMARY KEY (currency))",
        "CREATE TABLE invoices (id INTEGER PRIMARY KEY, currency TEXT NOT NULL, date DATE NOT NULL, amount NUMERIC(12,2) NOT NULL, paid BOOLEAN DEFAULT false)",
        "CREATE TABLE prices (shop INTEGER, item TEXT, price NUMERIC(10,2), PRIMARY KEY (shop, item))",
        "CREATE TABLE notes (body TEXT, at TIMESTAMP DEFAULT now(), data BLOB)",
    ] {
        let planned = crate::plan(sql, &catalog).unwrap_or_else(|diag| panic!("{sql}: {diag:?}"));
        let Statement::CreateTable { table, .. } = &planned.statement else { panic!("a table is created") };
        catalog.tables.push(Arc::new(table.clone()));
    }
    catalog
}

/// Binds with and without rewrites; what goes wrong as text.
fn bind(sql: &str) -> Result<CheckedPlan, String> {
    let shown = |diag: Diag| format!("{sql}\n{}: {}\n{}", diag.code, diag.message, diag.excerpt(sql));
    let tree = crate::parse::statement(sql).map_err(shown)?;
    let options = BindOptions { rewrites: false, ..BindOptions::default() };
    statement(&tree, sql, &catalog(), &options).map_err(shown)?;
    statement(&tree, sql, &catalog(), &BindOptions::default()).map_err(shown)
}

#[track_caller]
fn all_bind<'s>(statements: impl IntoIterator<Item = &'s str>) {
    let wrong: Vec<String> = statements.into_iter().filter_map(|sql| bind(sql).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_quickstart_binds() {
    all_bind([
        "INSERT INTO events (pk, doc) VALUES ('evt-1', '{\"type\":\"signup\",\"user\":\"alice\"}')",
        "INSERT INTO accounts (id, name, balance) VALUES (1, 'alice', 1000.0)",
        "SELECT pk, doc FROM events ORDER BY pk LIMIT 10",
        "SELECT doc FROM events WHERE pk='evt-1' AS OF 1",
        "SELECT doc FROM events VALID AT 1000",
        "SELECT count(*), sum(doc.amount) FROM events GROUP BY doc.type HAVING count(*) > 1",
        "SELECT pk, doc, ROW_NUMBER() OVER (ORDER BY pk) AS rn FROM events",
        "SELECT pk, doc FROM events JOIN accounts ON events.pk = accounts.name ORDER BY pk ASC",
        "UPDATE events SET doc = '{\"type\":\"refund\",\"user\":\"bob\"}' WHERE pk = 'evt-2'",
        "DELETE FROM events WHERE pk = 'evt-1'",
        "BEGIN",
        "COMMIT",
    ]);
}

#[test]
fn the_language_binds() {
    all_bind(include_str!("tests.sql").split(";\n").map(str::trim).filter(|sql| !sql.is_empty()));
}
