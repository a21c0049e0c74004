//! Does the source keep the house's rules that no compiler checks?
//!
//! Arrows between crates are read from their manifests, arrows between rooms from the source text, with comments taken
//! out. Then: every file says what it is for, nothing is left half-done, `unsafe` stays in its rooms and gives its
//! reasons, no file grows past the point where it has a second subject, and every file belongs to a module.
//!
//! Holds: one test lists all offences of its kind with file and line, not just the first.
//! Not here: what clippy.toml and deny.toml already forbid.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A file longer than this has a second subject.
const FILE_LINES_MAX: usize = 800;

/// Which of our own crates may a crate's `[dependencies]` name? `design.md` draws the same arrows.
const ARROWS: &[(&str, &[&str])] = &[
    ("runtime/kernel", &[]),
    ("runtime/store", &["spectradb-kernel"]),
    ("grammar", &["spectradb-kernel"]),
    ("codegen", &["spectradb-kernel", "spectradb-grammar"]),
    ("macros", &["spectradb-codegen"]),
    ("runtime", &["spectradb-kernel", "spectradb-store", "spectradb-grammar", "spectradb-macros"]),
    ("cli", &["spectradb"]),
    ("python", &["spectradb"]),
    ("xtask", &[]),
];

/// What must the code of a room not name? (folder, words, why)
const WALLS: &[(&str, &[&str], &str)] = &[
    ("runtime/kernel/src", &["std::fs", "std::net", "std::thread", "std::process"], "the kernel is pure"),
    ("runtime/kernel/src", &["SystemTime::now", "Instant::now"], "the kernel has no clock"),
    (
        "grammar/src",
        &["std::fs", "std::net", "std::thread", "std::process"],
        "the grammar never hears of files or threads",
    ),
    ("grammar/src", &["SystemTime::now", "Instant::now"], "the grammar has no clock: now() is a parameter"),
    ("runtime/store/src", &["spectradb_grammar"], "the store never hears of SQL"),
    ("runtime/src", &["syn::", "quote::", "proc_macro2"], "only codegen writes Rust"),
    (
        "runtime/src/ops",
        &["spectradb_grammar", "crate::interp", "crate::typed", "crate::session"],
        "operators do not see the plan or their callers",
    ),
    ("runtime/src/interp", &["crate::typed"], "the two executors do not know each other"),
    ("runtime/src/typed", &["crate::interp"], "the two executors do not know each other"),
    ("cli/src", &["spectradb_kernel", "spectradb_store", "spectradb_grammar"], "a door knows the runtime only"),
    ("python/src", &["spectradb_kernel", "spectradb_store", "spectradb_grammar"], "a door knows the runtime only"),
];

/// Where may `unsafe` stand? Each such place gives a WHY and a SAFETY.
const UNSAFE_ROOMS: &[&str] = &[
    "runtime/store/src/view",
    "runtime/store/src/memtable/chunk",
    "runtime/store/src/fs/uring",
    "benches/compare/src/peers/lmdb",
];

struct Source {
    /// Relative to the workspace root, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The lines with their numbers from 1, without what stands behind `//`.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, without_comment(line)))
    }
}

/// Cuts a line at its comment. A `//` inside a string is cut as well: that loses text, and invents none.
fn without_comment(line: &str) -> &str {
    line.split("//").next().expect("split gives at least one piece")
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests is a folder of the workspace").to_owned()
}

fn sources() -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the workspace can be read") {
            let path = entry.expect("a folder of the workspace can be read").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
            // Golden output is not source, and hidden folders and build output are not ours.
            if name.starts_with('.') || matches!(name.as_str(), "target" | "snapshots" | "node_modules" | "mydb") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("source is UTF-8");
                let path = path.strip_prefix(&root).expect("found below the root").to_string_lossy().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|one, two| one.path.cmp(&two.path));
    assert!(found.len() > 10, "the workspace was found");
    found
}

/// Fails with all offences, one a line.
#[track_caller]
fn none(offences: &[String]) {
    let mut message = String::new();
    for offence in offences {
        writeln!(message, "  {offence}").expect("a String takes all");
    }
    assert!(offences.is_empty(), "\n{message}");
}

/// Does `text` have `word` with no identifier character on either side?
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        // A word that begins or ends with a sign of its own, like `syn::`, needs no boundary there.
        let free_before = !word.starts_with(is_part) || !before.is_some_and(is_part);
        let free_after = !word.ends_with(is_part) || !after.is_some_and(is_part);
        free_before && free_after
    })
}

/// Our own crates that a manifest's `[dependencies]` names.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim() == "[dependencies]";
        } else if inside && line.starts_with("spectradb") {
            let end = line.find(['.', ' ', '=']).unwrap_or(line.len());
            names.push(line[..end].to_owned());
        }
    }
    names
}

#[test]
fn crates_depend_along_the_arrows_only() {
    let mut offences = Vec::new();
    for (folder, allowed) in ARROWS {
        let path = root().join(folder).join("Cargo.toml");
        let manifest = std::fs::read_to_string(&path).expect("every crate of the arrows exists");
        for name in dependencies(&manifest) {
            if !allowed.contains(&name.as_str()) {
                offences.push(format!("{folder}/Cargo.toml: {name} is no allowed dependency"));
            }
        }
    }
    none(&offences);
}

#[test]
fn rooms_do_not_reach_through_walls() {
    let mut offences = Vec::new();
    for source in sources() {
        for (folder, words, why) in WALLS {
            // `runtime/src/ops` stands for ops.rs as well as for everything in ops/.
            let inside = source.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(['/', '.']));
            if !inside {
                continue;
            }
            for (line, code) in source.code() {
                for word in words.iter().filter(|word| has_word(code, word)) {
                    offences.push(format!("{}:{line}: {word}: {why}", source.path));
                }
            }
        }
    }
    none(&offences);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = |source: &&Source| !source.text.starts_with("//!");
    let sources = sources();
    let offences = sources.iter().filter(silent).map(|source| format!("{}: begins without //!", source.path));
    none(&offences.collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_half_done() {
    // Spelt in pieces, so that this file does not find itself.
    let anywhere = [concat!("FIX", "ME"), concat!("X", "XX"), concat!("TO", "DO"), concat!("HA", "CK")];
    let in_code = [concat!("to", "do!"), concat!("unimple", "mented!"), concat!("db", "g!"), concat!("#[ig", "nore")];
    let mut offences = Vec::new();
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            let marks = anywhere.iter().filter(|mark| has_word(line, mark));
            let calls = in_code.iter().filter(|call| without_comment(line).contains(**call));
            for mark in marks.chain(calls) {
                offences.push(format!("{}:{}: {mark}", source.path, index + 1));
            }
        }
    }
    none(&offences);
}

#[test]
fn tests_do_not_sleep() {
    let in_tests = |source: &&Source| source.path.starts_with("tests/") || source.path.contains("/tests/");
    let mut offences = Vec::new();
    for source in sources().iter().filter(in_tests) {
        for (line, code) in source.code() {
            if code.contains(concat!("thread::", "sleep")) {
                offences.push(format!("{}:{line}: a test waits for an event, not for time to pass", source.path));
            }
        }
    }
    none(&offences);
}

#[test]
fn unsafe_stays_in_its_rooms_and_gives_its_reasons() {
    let word = concat!("un", "safe");
    let mut offences = Vec::new();
    for source in sources() {
        let allowed = UNSAFE_ROOMS.iter().any(|room| source.path.starts_with(room));
        let lines: Vec<&str> = source.text.lines().collect();
        for (line, code) in source.code() {
            // The word in quotes is a list of Rust's words, not a use of it.
            if !has_word(code, word) || code.contains(&format!("\"{word}\"")) {
                continue;
            }
            if !allowed {
                offences.push(format!("{}:{line}: {word} outside its rooms", source.path));
                continue;
            }
            // The reasons stand in the comment above; twelve lines are room enough for both.
            let above = &lines[line.saturating_sub(13)..line];
            for reason in ["WHY:", "SAFETY:"] {
                if !above.iter().any(|text| text.contains(reason)) {
                    offences.push(format!("{}:{line}: {word} without {reason}", source.path));
                }
            }
        }
    }
    none(&offences);
}

#[test]
fn no_file_has_a_second_subject() {
    let mut offences = Vec::new();
    for source in sources() {
        let count = source.text.lines().count();
        if count > FILE_LINES_MAX {
            offences.push(format!(
                "{}: {count} lines, at most {FILE_LINES_MAX}: split off its second subject",
                source.path
            ));
        }
    }
    none(&offences);
}

#[test]
fn every_file_belongs_to_a_module() {
    let sources = sources();
    let mut offences = Vec::new();
    for source in &sources {
        let Some((package, inner)) = source.path.split_once("src/") else { continue };
        if matches!(inner, "lib.rs" | "main.rs") || inner.starts_with("bin/") {
            continue;
        }
        let inner = inner.strip_suffix("/mod.rs").or_else(|| inner.strip_suffix(".rs")).expect("a Rust file");
        let (folder, name) = inner.rsplit_once('/').unwrap_or(("", inner));
        let parents: &[String] = &match folder {
            "" => vec![format!("{package}src/lib.rs"), format!("{package}src/main.rs")],
            _ => vec![format!("{package}src/{folder}.rs"), format!("{package}src/{folder}/mod.rs")],
        };
        let declares = |parent: &&Source| {
            parents.contains(&parent.path) && parent.text.lines().any(|line| declares_module(line, name))
        };
        if !sources.iter().any(|source| declares(&source)) {
            offences.push(format!("{}: no module is made of this file", source.path));
        }
    }
    none(&offences);
}

/// Is the line `mod name;`, with or without a visibility and attributes before it?
fn declares_module(line: &str, name: &str) -> bool {
    let line = without_comment(line).trim();
    line.strip_suffix(';').and_then(|line| line.strip_suffix(name)).is_some_and(|before| before.ends_with("mod "))
}

#[test]
fn the_rules_find_what_they_look_for() {
    assert!(has_word("use std::fs;", "std::fs") && !has_word("use std::fsx;", "std::fs"));
    assert!(has_word("syn::parse", "syn::") && !has_word("async_syn::parse", "syn::"));
    assert!(declares_module("pub(crate) mod scan;", "scan") && !declares_module("mod scan_more;", "scan"));
    assert_eq!(
        dependencies("[dependencies]\nspectradb.workspace = true\n[dev-dependencies]\nspectradb-store = 1\n"),
        ["spectradb"]
    );
}
