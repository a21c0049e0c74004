//! The language: SQL text to a checked plan. Everything that can be known about a statement without touching data.
//!
//! Text is parsed by pest into [`ast`], bound against a [`catalog`] into a typed [`plan`], and rewritten. Never hears of
//! files, threads or clocks.

pub mod ast;
pub mod catalog;
pub mod diag;
mod lower;
pub mod parse;
pub mod plan;
pub mod span;
pub mod split;
mod stack;
pub mod tokens;
