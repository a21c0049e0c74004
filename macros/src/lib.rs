//! Procedural macros of SpectraDB: forwards to `spectradb-codegen`, which is an ordinary library with tests of its own.
//!
//! Use them through the crate `spectradb`, which re-exports those that are meant for people.

use proc_macro::{Span, TokenStream};

/// The place of the macro's call, so that hidden names are unique.
fn site() -> String {
    let span = Span::call_site();
    format!("{}:{}:{}", span.file(), span.line(), span.column())
}

/// Makes a struct a row of a table: see `spectradb::Table`.
#[proc_macro_derive(Table, attributes(table, key, column))]
pub fn derive_table(input: TokenStream) -> TokenStream {
    spectradb_codegen::table::derive(input.into(), &site()).into()
}

/// The first step of `database!`: reads the declaration and asks the tables for their schemas.
#[doc(hidden)]
#[proc_macro]
pub fn __spectra_database(input: TokenStream) -> TokenStream {
    // Called from a macro_rules, so the place of the call is there; the tokens are where the declaration stands.
    let last = input.clone().into_iter().last().map_or_else(Span::call_site, |token| token.span());
    let site = format!("{}:{}:{}", last.file(), last.line(), last.column());
    spectradb_codegen::registry::declare(input.into(), &site).into()
}

/// The last step of `database!`: declares the registry.
#[doc(hidden)]
#[proc_macro]
pub fn __spectra_registry(input: TokenStream) -> TokenStream {
    spectradb_codegen::registry::finish(input.into()).into()
}

/// The first step of `spectra_sql!`: reads the input, parses the SQL, and asks the tables for their schemas.
#[doc(hidden)]
#[proc_macro]
pub fn __spectra_sql(input: TokenStream) -> TokenStream {
    spectradb_codegen::chain::begin(input.into()).into()
}

/// The last step of `spectra_sql!`: binds the SQL against the schemas and writes the query.
#[doc(hidden)]
#[proc_macro]
pub fn __spectra_bound(input: TokenStream) -> TokenStream {
    spectradb_codegen::chain::finish(input.into()).into()
}

/// What a registry answers for a table that it does not have.
#[doc(hidden)]
#[proc_macro]
pub fn __spectra_unknown_table(input: TokenStream) -> TokenStream {
    spectradb_codegen::chain::unknown_table(input.into()).into()
}
