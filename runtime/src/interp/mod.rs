//! How is a plan carried out at run time?
//!
//! `build` makes the plan's nodes operators (`crate::ops`) and its expressions stages that walk them over vectors. The
//! other executor is generated code, which drives the same operators with stages of its own; what a call means is in the
//! kernel's functions, which both call.
//!
//! Holds: parameters, `now()` and the like, and subplans' results are constants once a query is built; nothing here
//! decides what SQL leaves open, since the binder has.

mod build;
mod expr;
mod profile;
mod scan;
#[cfg(test)]
mod tests;

pub use build::{ExecContext, build, build_measured, constant};
pub use profile::Profile;
