//! The language: SQL text to a checked plan. Everything that can be known about a statement without touching data.
//!
//! Text is parsed by pest into [`ast`], bound against a [`catalog`] into a typed [`plan`](mod@plan), and rewritten. Never hears of
//! files, threads or clocks.

pub mod ast;
pub mod bind;
pub mod catalog;
pub mod diag;
mod lower;
pub mod parse;
pub mod plan;
pub mod reference;
mod rewrite;
pub mod span;
pub mod split;
pub mod stack;
pub mod tokens;

/// Parses, binds, rewrites and checks one statement.
///
/// # Errors
/// What is wrong with the text, and where.
pub fn plan(sql: &str, catalog: &dyn catalog::Catalog) -> Result<plan::CheckedPlan, diag::Diag> {
    let statement = parse::statement(sql)?;
    bind::statement(&statement, sql, catalog, &bind::BindOptions::default())
}
