//! Mistakes in the SQL, each told with its line and a caret.

use spectradb::{Database, Table, spectra_sql};

#[derive(Table)]
#[table(name = "accounts")]
struct Account {
    #[key]
    id: i64,
    name: String,
    balance: Option<f64>,
}

fn unknown_column(db: &Database) {
    spectra_sql!(db, "SELECT id, balanse FROM accounts").unwrap();
}

fn type_mismatch(db: &Database) {
    spectra_sql!(
        db,
        "SELECT id
         FROM accounts
         WHERE name > balance"
    )
    .unwrap();
}

fn syntax_error(db: &Database) {
    spectra_sql!(db, "SELECT id FORM accounts").unwrap();
}

fn missing_parameter(db: &Database) {
    spectra_sql!(db, "SELECT name FROM accounts WHERE id = $1 AND balance > $2", 7).unwrap();
}

fn missing_named_parameter(db: &Database) {
    spectra_sql!(db, "SELECT name FROM accounts WHERE id = :id").unwrap();
}

fn extra_parameter(db: &Database) {
    spectra_sql!(db, "SELECT name FROM accounts WHERE id = $1", 7, 8).unwrap();
}

fn misspelt_parameter(db: &Database) {
    spectra_sql!(db, "SELECT name FROM accounts WHERE id = :account", acount = 8).unwrap();
}

fn not_in_group_by(db: &Database) {
    spectra_sql!(db, "SELECT name, count(*) FROM accounts GROUP BY balance").unwrap();
}

fn unknown_function(db: &Database) {
    spectra_sql!(db, "SELECT uper(name) FROM accounts").unwrap();
}

fn null_into_not_null(db: &Database) {
    spectra_sql!(db, "INSERT INTO accounts (id, nam) VALUES (1, 'x')").unwrap();
}

fn not_a_query(db: &Database) {
    spectra_sql!(db, "DROP TABLE accounts").unwrap();
}

fn not_a_literal(db: &Database) {
    let sql = "SELECT 1";
    spectra_sql!(db, sql).unwrap();
}

fn main() {}
