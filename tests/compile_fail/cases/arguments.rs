//! Arguments and rows of a wrong type: the compiler's own mismatch, at the argument.

use spectradb::{Database, Table, spectra_sql};

#[derive(Table)]
#[table(name = "accounts")]
struct Account {
    #[key]
    id: i64,
    name: String,
    balance: Option<f64>,
}

struct Short {
    id: i32,
}

fn wrong_type(db: &Database) {
    spectra_sql!(db, "SELECT name FROM accounts WHERE id = $1", "seven").unwrap();
}

fn wrong_named_type(db: &Database) {
    spectra_sql!(db, "SELECT name FROM accounts WHERE name = :name", name = 7).unwrap();
}

fn option_without_a_mark(db: &Database, least: Option<f64>) {
    spectra_sql!(db, "SELECT name FROM accounts WHERE balance > $1", least).unwrap();
}

fn nullable_column(db: &Database) -> Option<f64> {
    let row = spectra_sql!(db, "SELECT balance FROM accounts WHERE id = 1").unwrap()?;
    let balance: f64 = row.balance;
    Some(balance)
}

fn no_such_field(db: &Database) {
    let row = spectra_sql!(db, "SELECT count(*) AS n FROM accounts").unwrap();
    println!("{}", row.count);
}

fn other_field_type(db: &Database) {
    spectra_sql!(db, "SELECT id FROM accounts" as Short).unwrap();
}

fn main() {}
