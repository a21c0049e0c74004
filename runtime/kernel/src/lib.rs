//! Values, types, time and functions: everything about data that needs neither a disk nor a language.
//!
//! Pure: no I/O, no clock, no threads, no unsafe. The store, the language, the interpreter and generated code
//! all call the same functions from here, so that a result cannot depend on who computed it.
//!
//! Rooms: [`ty`], [`value`] (what a datum is), [`lane`], [`bitmap`], [`mod@column`], [`batch`] (many of them), [`key`] (their
//! order, as bytes), [`time`], [`interval`], [`rectangle`] (both times), [`uuid`], [`pause`] (what runs long), [`schema`] (tables), [`func`], [`agg`] (what can be computed).

#[cfg(target_endian = "big")]
compile_error!("SpectraDB reads little-endian files in place; big-endian targets are not built");

pub mod agg;
pub mod array;
pub mod batch;
pub mod big_numeric;
pub mod bitmap;
pub mod column;
pub mod func;
pub mod interval;
pub mod key;
pub mod lane;
pub mod pause;
pub mod radix;
pub mod rectangle;
pub mod schema;
pub mod time;
pub mod ty;
pub mod uuid;
pub mod value;

pub use batch::Batch;
pub use column::Column;
pub use time::Period;
pub use ty::Type;
pub use value::Value;
