//! The tables that the golden plans and errors are bound against.

use spectradb_grammar::{catalog::StaticCatalog, plan::Statement};
use std::sync::Arc;

const TABLES: &[&str] = &[
    "CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, balance REAL)",
    "CREATE TABLE events (pk TEXT PRIMARY KEY)",
    "CREATE TABLE rates (currency TEXT PRIMARY KEY, rate NUMERIC(12,6) NOT NULL)",
    "CREATE TABLE invoices (id INTEGER PRIMARY KEY, currency TEXT NOT NULL, date DATE NOT NULL, \
     amount NUMERIC(12,2) NOT NULL, paid BOOLEAN DEFAULT false)",
    "CREATE TABLE prices (shop INTEGER, item TEXT, price NUMERIC(10,2), PRIMARY KEY (shop, item))",
    "CREATE TABLE notes (body TEXT, at TIMESTAMP DEFAULT now(), data BLOB)",
];

/// A catalogue of accounts, events (documents), rates, invoices, prices (a key of two columns) and notes (without a key).
pub(crate) fn catalog() -> StaticCatalog {
    let mut catalog = StaticCatalog::default();
    for sql in TABLES {
        let planned = spectradb_grammar::plan(sql, &catalog).unwrap_or_else(|diag| panic!("{sql}: {diag:?}"));
        let Statement::CreateTable { table, .. } = &planned.statement else { panic!("a table is created") };
        catalog.tables.push(Arc::new(table.clone()));
    }
    catalog
}
