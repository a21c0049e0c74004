//! The SpectraDB shell.
fn main() {}
