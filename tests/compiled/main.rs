//! Does the compiled path answer as the interpreter does?
//!
//! A sample of the corpus (`slt`) and of random queries (`random.slt`, written by `tests/parity.rs`'s generator) is compiled
//! with `spectra_sql!` and run beside the interpreter in one session: rows, their order, names and nullability, and errors with
//! their text and place must be the same. The sample is printed from the corpus into `snapshots/`; when the corpus changes,
//! `SPECTRADB_UPDATE=1 cargo test -p spectradb-tests --test compiled` prints it anew.
//!
//! Not here: what the answer should be (`slt`), what must not compile (`compile_fail`).

mod check;
mod print;

include!("snapshots/sample.rs");

#[test]
fn the_sample_is_the_corpus() {
    print::up_to_date();
}
