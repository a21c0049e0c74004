//! Placeholder until its room is built.

#[doc(hidden)]
pub mod interp;
#[doc(hidden)]
pub mod ops;
