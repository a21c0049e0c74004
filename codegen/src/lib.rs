//! Plan to Rust tokens: the compiler of SpectraDB, an ordinary library that `spectradb-macros` forwards to.
//!
//! [`table`] writes what `#[derive(Table)]` adds to a struct, [`registry`] what `database!` declares, and [`chain`] carries
//! a `spectra_sql!` from its text through the schemas of its tables to the generated query: [`input`] reads the macro's
//! input, the grammar parses and binds, [`rows`], [`params`], [`pipe`], [`expr`] and [`dml`] print, [`diag`] tells errors.
//!
//! Never hears of the store: generated code calls the runtime through `spectradb::private`.

pub mod chain;
pub mod diag;
pub mod dml;
pub mod expr;
pub mod fold;
pub mod input;
pub mod names;
pub mod nodes;
pub mod params;
pub mod pipe;
pub mod registry;
pub mod rows;
pub mod schema;
pub mod table;
pub mod tables;
