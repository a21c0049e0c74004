//! Does the SQL that README.md shows run?
//!
//! All `sql` blocks run in order over one database in memory, as a reader would type them; every statement must pass.
//!
//! Not here: `sh` blocks (`cargo xtask test` runs them), `rust` blocks (doc tests of this package's library).

use std::path::Path;

use spectradb::{Database, Params};

/// The fenced blocks of a language, each as one text.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(bool, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(tag), None) => open = Some((tag.trim() == language, String::new())),
            (Some(_), Some(_)) => {
                let (wanted, block) = open.take().expect("matched as open");
                blocks.extend(wanted.then_some(block));
            }
            (None, Some((_, block))) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

#[test]
fn every_sql_block_runs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(path).expect("README.md can be read");
    let blocks = blocks(&text, "sql");
    assert!(!blocks.is_empty(), "README.md has SQL to show");
    let database = Database::open_memory().expect("a database in memory opens");
    let mut session = database.session();
    for block in blocks {
        if let Err(error) = session.run(&block, Params::None) {
            panic!("README.md:\n{block}\n{error}");
        }
    }
}
