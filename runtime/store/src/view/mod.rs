//! How do bytes of a file become values that the engine may trust?
//!
//! Holds: this is the one room where mapped memory is made.

mod map;

pub(crate) use map::map;
