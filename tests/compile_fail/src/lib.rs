//! What must not compile, and what the compiler says of it. See `tests/errors.rs`; the cases are in `cases/`.
//!
//! A package of its own, because trybuild builds the dependencies of its package once more: so they are few.
