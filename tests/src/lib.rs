//! Nothing but a home for what is tested across crates: the tests stand beside this folder, and the Rust that README.md
//! shows is a doc test of this library.

/// README.md, so that its `rust` blocks are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
