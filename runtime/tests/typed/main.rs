//! Typed tables and compiled queries on a database in memory.
//!
//! Shown: structs go in and come out unchanged; tables are found in one module, across modules, through globs, renames,
//! registries and schema files; rows have exactly the types that the binder proves; both times; changes; errors at run
//! time. What must not compile is shown by `tests/compile_fail`.

mod arrays;
mod forms;
mod numerics;
mod tables;
mod types;
