//! Does the SQL that README.md and docs/sql.md show run?
//!
//! All `sql` blocks of a page run in order over one database in memory, as a reader would type them; every statement must
//! pass. Files that COPY names lie in the tests' own folder.
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

/// Runs the `sql` blocks of a page, which is named from the project's folder.
fn run_page(page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(page);
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let blocks = blocks(&text, "sql");
    assert!(!blocks.is_empty(), "{page} has SQL to show");
    let database = Database::open_memory().expect("a database in memory opens");
    let mut session = database.session();
    for block in blocks {
        if let Err(error) = session.run(&block, Params::None) {
            panic!("{page}:\n{block}\n{error}");
        }
    }
}

#[test]
fn every_sql_block_runs() {
    // No other test of this process names a file by where the process is.
    std::env::set_current_dir(env!("CARGO_TARGET_TMPDIR")).expect("cargo made the folder");
    for page in ["README.md", "docs/sql.md"] {
        run_page(page);
    }
}
