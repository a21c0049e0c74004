//! Tables that are not there: with a registry our own error, without one the compiler's for a macro.

use spectradb::{Database, Table, database, spectra_sql};

#[derive(Table)]
#[table(name = "accounts")]
struct Account {
    #[key]
    id: i64,
}

database!(bank { accounts: Account });
database!(missing = "no/such/schema.sql");

fn unknown_in_a_registry(db: &Database) {
    spectra_sql!(bank: db, "SELECT id FROM acounts").unwrap();
}

fn nothing_near_in_a_registry(db: &Database) {
    spectra_sql!(bank: db, "SELECT a.id FROM accounts a JOIN invoices i ON i.id = a.id").unwrap();
}

fn unknown_in_scope(db: &Database) {
    spectra_sql!(db, "SELECT id FROM invoices").unwrap();
}

fn main() {}
