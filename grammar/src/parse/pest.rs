//! The rules of the language as pest reads them: one file for each kind of statement.
//!
//! Not here: anything but the rules. Keyword rules are atomic with a look-ahead (`@{ ^"select" ~ !ident_char }`); without
//! that, the implicit space between tokens would let `selectx` be `select x`.

/// Reads texts by the rules of the pest files; [`Rule`] names the rules.
#[derive(pest_derive::Parser)]
#[grammar = "parse/sql/base.pest"]
#[grammar = "parse/sql/tokens.pest"]
#[grammar = "parse/sql/expr.pest"]
#[grammar = "parse/sql/json.pest"]
#[grammar = "parse/sql/query.pest"]
#[grammar = "parse/sql/dml.pest"]
#[grammar = "parse/sql/ddl.pest"]
#[grammar = "parse/sql/session.pest"]
pub(crate) struct SqlParser;
