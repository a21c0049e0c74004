//! SpectraDB: an embedded, append-only, bitemporal ledger database.
//!
//! Every write is an immutable fact with two times: *system time*, when it was recorded (the database decides), and *valid
//! time*, when it is true in the world (the writer decides). SQL reads any point of both.
//!
//! ```
//! use spectradb::{Database, Value};
//!
//! let db = Database::open_memory()?;
//! db.sql("CREATE TABLE prices (sku TEXT PRIMARY KEY, price NUMERIC(10,2))")?;
//! db.sql("INSERT INTO prices VALUES ('tea', 4.20) VALID FROM DATE '2026-01-01' TO DATE '2026-07-01'")?;
//! db.sql("INSERT INTO prices VALUES ('tea', 4.50) VALID FROM DATE '2026-07-01'")?;
//! for row in db.query("SELECT price FROM prices WHERE sku = $1 VALID AT DATE '2026-03-01'", &[Value::from("tea")])? {
//!     assert_eq!(row?.get::<Value>("price")?.to_string(), "4.20");
//! }
//! # Ok::<(), spectradb::Error>(())
//! ```
//!
//! Rooms: [`Database`] (`db`) and [`Session`] (`session`) run statements; `txn` holds what a transaction has changed;
//! `interp` makes a plan operators of [`ops`]; `rows`, `params`, `error` are what goes in and out; `settings`, `named`, `stats` and `explain`
//! answer what is asked of a session and a database as such; `transfer` moves whole
//! tables. `typed` is tables and queries as the program's own types, through [`Table`] and [`spectra_sql!`]. The doors (shell, Python) use [`embed`] and nothing else.

mod cast;
mod catalog;
mod create;
mod db;
pub mod embed;
mod erase;
mod error;
mod explain;
#[doc(hidden)]
pub mod interp;
pub mod ledger;
mod named;
#[doc(hidden)]
pub mod ops;
mod params;
mod point;
#[doc(hidden)]
pub mod private;
mod restore;
mod rows;
mod session;
mod settings;
mod statement;
mod stats;
mod transaction;
mod transfer;
mod txn;
mod typed;
mod writes;

pub use db::Database;
pub use embed::{
    BigNumeric, Compression, CompressionPolicy, Config, Date, Decimal, Durability, Interval, Position, Time, Timestamp,
    TimestampTz, Type, Uuid, Value,
};
pub use error::{Error, Result, code};
pub use params::Params;
pub use restore::{RestorePoint, Restored, restore, restore_point};
pub use rows::{ColumnIndex, Done, FromValue, Outcome, OutputColumn, Row, Rows};
pub use session::{Canceller, Prepared, Session};
pub use spectradb_kernel as kernel;
pub use spectradb_kernel::Period;
pub use spectradb_macros::Table;
pub use transaction::{Isolation, TransactionOptions};
pub use txn::Changed;
pub use typed::{AsRow, At, ColumnShape, Json, Numeric, Table, TypedRows, WriteBatch};
