//! Which commands does everybody who works on SpectraDB type?
//!
//! `cargo xtask test [--rust-only]`: every test there is, in one command.
//!
//! Holds: no dependencies, so that it is built in a second and before everything else.
//! Not here: formatting, lints and documentation, which only `.ci/run` adds.

use std::process::ExitCode;

mod parts;
mod readme;
mod run;

const USAGE: &str = "usage: cargo xtask test [--rust-only]

  test         all tests: Rust with doc examples and compile-fail, Python, README commands, examples
  --rust-only  leave out what needs another language's tools (Python)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["test"] => parts::test(parts::Languages::All),
        ["test", "--rust-only"] => parts::test(parts::Languages::RustOnly),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
