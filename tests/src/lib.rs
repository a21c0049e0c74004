//! Nothing but a home for what is tested across crates: the tests stand beside this folder, and the Rust that README.md
//! shows is a doc test of this library.

/// README.md, so that its `rust` blocks are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// Tables that another crate uses: `elsewhere.rs`.
pub mod library {
    use spectradb::Table;

    /// A table under another name than its struct's.
    #[derive(Table, Clone, Debug, PartialEq)]
    #[table(name = "shelves")]
    pub struct Shelf {
        /// Its number.
        #[key]
        pub no: i64,
        /// What stands on it.
        pub subject: String,
        /// How wide it is, if somebody measured.
        pub metres: Option<f64>,
    }
}
