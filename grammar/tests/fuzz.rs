//! Does a damaged statement end in a plan or in a well-formed error?
//!
//! The statements of the `.slt` corpus are taken apart into tokens and damaged at random: tokens are lost, doubled, swapped and
//! taken from other statements; parts are nested hundreds of times; numbers grow, odd characters, quotes and comments
//! come in, the text is cut anywhere. What comes out is parsed and bound against the tables of the file it is from.
//!
//! Holds: nothing panics; an error has five characters of SQLSTATE, is no bug of ours by its own account, points at whole characters
//! of the text and can be drawn; rewrites refuse nothing that binds without them; a plan is not out of proportion to its text.
//! A failure prints seed and text. Each case has a seed of its own: `SPECTRADB_SEED=that SPECTRADB_FUZZ_CASES=1` is that case
//! alone. `SPECTRADB_FUZZ_CASES` makes a longer run; `SPECTRADB_FUZZ_SHOW` says each seed beforehand, for one that aborts.
//! Not here: what statements answer (`tests/slt.rs`); texts made from nothing (`laws.rs`, `bind_laws.rs`).
#![expect(clippy::disallowed_methods, reason = "the corpus is files of the repository")]

use spectradb_grammar::{
    bind::{self, BindOptions},
    catalog::StaticCatalog,
    diag::{Diag, code},
    parse,
    plan::Statement,
    tokens::{TokenKind, tokens},
};
use std::{
    fmt::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Cases in an ordinary run.
const CASES: u64 = 2500;

/// A longer text is cut.
const TEXT_BYTES_MAX: usize = 32 << 10;

/// What a plan may take as debug text: this, and so much more for each byte of its statement.
const PLAN_BYTES: usize = 8 << 20;
const PLAN_BYTES_PER_BYTE: usize = 4 << 10;

/// What can be put around a part, as often as one likes.
const NESTS: &[(&str, &str)] = &[
    ("(", ")"),
    ("((", ") )"),
    ("NOT ", ""),
    ("- ", ""),
    ("+", "::text"),
    ("(SELECT ", ")"),
    ("ARRAY[", "]"),
    ("coalesce(", ", 1)"),
    ("CAST(", " AS numeric)"),
    ("CASE WHEN true THEN ", " END"),
    ("/* ", " */"),
    ("EXISTS (SELECT ", ")"),
    ("x IN (SELECT ", ")"),
    ("SELECT * FROM (", ") AS x"),
    ("WITH w AS (SELECT 1) SELECT ", ""),
    ("1 + ", ""),
    ("1 < ANY (ARRAY[", "])"),
    ("a.", ""),
    ("", "[1]"),
    ("", "[:2]"),
    ("", " IS NULL"),
    ("", " UNION SELECT 1"),
    ("", " -> 'a'"),
    ("", " COLLATE \"C\""),
    ("EXPLAIN ", ""),
    ("sum(", ") OVER (ORDER BY 1)"),
    ("count(", ") FILTER (WHERE true)"),
    ("PERIOD(", ", 2)"),
];

/// How often.
const DEPTHS: &[usize] = &[1, 1, 1, 2, 3, 8, 40, 130, 300, 900];

const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "2147483648",
    "32768",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "1e308",
    "1e309",
    "1e-400",
    "1e99999999999999999999",
    "0.00000000000000000000000000000000000000000000000001",
    "99999999999999999999999999999999999999.99999999999999999999999999999999999999",
    "0x7fffffffffffffff",
    "0xffffffffffffffffffff",
    "0b2",
    "1_000_",
    "1__0",
    ".",
    "1.",
    "1.e",
    "1e",
    "12ab",
    "00000000000000000000000000000000000000000000000000000000000000000000001",
];

const SIGNS: &[&str] = &[
    "'",
    "\"",
    "$$",
    "$a$",
    "/*",
    "*/",
    "--",
    "--\n",
    "E'\\",
    "E'\\u12",
    "E'\\xff'",
    "U&'\\0061",
    "X'0",
    "B'01'",
    "$1",
    "$0",
    "$65536",
    "$99999999999999999999",
    ":p",
    ":",
    "::",
    "?",
    ";",
    ",",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\\",
    "@",
    "#",
    "`",
    "<@",
    "|||",
    "=>",
    ":=",
    "..",
    ".*",
    "*",
    "''",
    "\"\"",
];

const WORDS: &[&str] = &[
    "NULL",
    "DEFAULT",
    "SELECT",
    "FROM",
    "LATERAL",
    "ROW",
    "ALL",
    "DISTINCT",
    "INTERVAL",
    "TIMESTAMP",
    "PERIOD",
    "VALUES",
    "TABLE",
    "OVER",
    "WITHIN GROUP",
    "GROUPING SETS",
    "CUBE",
    "ROLLUP",
    "ORDER BY",
    "AS OF",
    "VALID AT",
    "FOR SYSTEM_TIME AS OF",
    "FOR VALID_TIME ALL",
    "RETURNING",
    "CROSS JOIN",
    "NATURAL JOIN",
    "ON",
    "USING",
    "LIMIT",
    "OFFSET",
    "EXCLUDE",
    "REPLACE",
    "RECURSIVE",
    "_valid_from",
    "_committed_at",
    "excluded",
    "old",
    "new",
    "current_timestamp",
    "AT TIME ZONE",
    "LIKE",
    "ESCAPE",
    "SIMILAR TO",
    "BETWEEN",
    "SYMMETRIC",
    "json",
    "numeric(1000, 999)",
    "numeric(-1)",
    "varchar(0)",
    "char(99999999999)",
    "int[][]",
    "'infinity'",
    "'-infinity'",
    "'NaN'::real",
    "'294277-01-01'::timestamp",
    "'4714-11-24 BC'::date",
    "'9999999999 years'::interval",
    "generate_series(1, 9223372036854775807)",
    "'[' ",
    "'(('",
];

const ODD: &[&str] = &[
    "\u{0}",
    "\u{1}",
    "\u{7f}",
    "\u{a0}",
    "\u{ad}",
    "\u{200b}",
    "\u{200d}",
    "\u{202e}",
    "\u{2028}",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "é",
    "e\u{301}",
    "ß",
    "İ",
    "ﬁ",
    "日本",
    "👩‍👩‍👧",
    "٣",
    "½",
    "‘",
    "“",
    "\r",
    "\r\n",
    "\t",
    "\u{b}",
    "\u{85}",
];

/// Numbers that look random and are the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides as u64) as usize
    }

    fn pick<'p, T>(&mut self, from: &'p [T]) -> &'p T {
        &from[self.roll(from.len())]
    }

    /// A short stretch of so many things, not empty where there is one.
    fn stretch(&mut self, len: usize) -> std::ops::Range<usize> {
        if len == 0 {
            return 0..0;
        }
        let start = self.roll(len);
        let most = *self.pick(&[1, 1, 2, 4, 12, len]);
        start..(start + 1 + self.roll(most)).min(len)
    }
}

/// The statements of one file and the tables that they make.
struct File {
    statements: Vec<String>,
    catalog: StaticCatalog,
}

/// The statements of a `.slt` text: what stands between a line `statement` or `query` and an empty line or `----`.
fn statements(slt: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = slt.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("statement ") || line.starts_with("query") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty() && *line != "----").collect();
            found.push(body.join("\n"));
        }
    }
    found
}

fn file(slt: &str) -> File {
    let mut file = File { statements: statements(slt), catalog: StaticCatalog::default() };
    for sql in &file.statements {
        let Ok(planned) = spectradb_grammar::plan(sql, &file.catalog) else { continue };
        if let Statement::CreateTable { table, .. } = &planned.statement {
            file.catalog.tables.push(Arc::new(table.clone()));
        }
    }
    file
}

fn corpus() -> Vec<File> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/slt")];
    let mut paths: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the corpus can be read") {
            let path = entry.expect("the corpus can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "slt") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let files = paths.iter().map(|path| file(&std::fs::read_to_string(path).expect("the corpus can be read")));
    files.filter(|file| !file.statements.is_empty()).collect()
}

/// The tokens of a text, each with the space behind it.
fn pieces(sql: &str) -> Vec<String> {
    let starts: Vec<usize> = tokens(sql).map(|token| token.start).collect();
    let ends = starts.iter().skip(1).copied().chain([sql.len()]);
    starts.iter().zip(ends).map(|(start, end)| sql[*start..end].to_owned()).collect()
}

fn char_boundary(sql: &str, mut byte: usize) -> usize {
    while !sql.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

/// Damages a text once.
fn damage(sql: &str, files: &[File], home: &File, dice: &mut Dice) -> String {
    let mut parts = pieces(sql);
    let place = dice.roll(parts.len() + 1);
    let range = dice.stretch(parts.len());
    match dice.roll(14) {
        0 => drop(parts.drain(range)),
        1 => {
            let doubled = parts[range.clone()].to_vec();
            parts.splice(range.end..range.end, doubled);
        }
        2 if parts.len() > 1 => {
            let (a, b) = (dice.roll(parts.len()), dice.roll(parts.len()));
            parts.swap(a, b);
        }
        3..=5 => {
            let from = if dice.roll(3) == 0 { dice.pick(files) } else { home };
            let others = pieces(dice.pick::<String>(&from.statements));
            let taken = dice.stretch(others.len());
            let into = if dice.roll(2) == 0 { range } else { place..place };
            parts.splice(into, others[taken].iter().map(|piece| format!("{piece} ")));
        }
        6 | 7 => {
            let (open, close) = *dice.pick(NESTS);
            let depth = *dice.pick(DEPTHS);
            parts.insert(range.end, format!(" {} ", close.repeat(depth)));
            parts.insert(range.start, format!(" {}", open.repeat(depth)));
        }
        8 => {
            let numbers: Vec<usize> = (0..parts.len())
                .filter(|part| tokens(&parts[*part]).next().is_some_and(|token| token.kind == TokenKind::Number))
                .collect();
            let part = if numbers.is_empty() { place.min(parts.len()) } else { *dice.pick(&numbers) };
            let end = (part + usize::from(!numbers.is_empty())).min(parts.len());
            parts.splice(part..end, [format!("{} ", dice.pick(NUMBERS))]);
        }
        9 => {
            let at = char_boundary(sql, dice.roll(sql.len() + 1));
            return format!("{}{}{}", &sql[..at], dice.pick(ODD), &sql[at..]);
        }
        10 => {
            let (a, b) = (char_boundary(sql, dice.roll(sql.len() + 1)), char_boundary(sql, dice.roll(sql.len() + 1)));
            return if dice.roll(2) == 0 { sql[..a].to_owned() } else { sql[a.min(b)..a.max(b)].to_owned() };
        }
        11 => {
            let at = char_boundary(sql, dice.roll(sql.len() + 1));
            return format!("{}{}{}", &sql[..at], dice.pick(SIGNS), &sql[at..]);
        }
        12 => {
            let into = if dice.roll(2) == 0 { place..place } else { range };
            parts.splice(into, [format!("{} ", dice.pick(WORDS))]);
        }
        _ => {
            let repeated = parts[range.clone()].concat();
            let sign = *dice.pick(&[", ", " ", " AND ", " + ", " || ", " UNION ALL ", " JOIN ", "; "]);
            let times = (*dice.pick(DEPTHS)).min(TEXT_BYTES_MAX / (repeated.len() + 1));
            parts.insert(range.end, format!("{sign}{repeated}").repeat(times));
        }
    }
    parts.concat()
}

/// The case of a seed: a text, and the file whose tables it is bound against.
fn case(seed: u64, files: &[File]) -> (String, &File) {
    let mut dice = Dice(seed);
    let home = dice.pick(files);
    let mut sql = dice.pick(&home.statements).clone();
    for _ in 0..*dice.pick(&[1, 1, 1, 2, 2, 3, 5, 8]) {
        sql = damage(&sql, files, home, &mut dice);
        sql.truncate(char_boundary(&sql, TEXT_BYTES_MAX.min(sql.len())));
    }
    (sql, home)
}

/// Takes so many bytes, and then no more.
struct Room(usize);

impl Write for Room {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(std::fmt::Error)?;
        Ok(())
    }
}

/// What is wrong with an error.
fn complaint(diag: &Diag, sql: &str) -> Option<String> {
    let five = diag.code.len() == 5 && diag.code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    if !five || diag.code == code::INTERNAL || diag.message.is_empty() {
        return Some(format!("not an error of the language: {diag:?}"));
    }
    if let Some(span) = diag.span
        && (span.start > span.end || sql.get(span.start as usize..span.end as usize).is_none())
    {
        return Some(format!("it points at no characters of the text: {diag:?}"));
    }
    let drawn = diag.excerpt(sql);
    if diag.span.is_some() != (diag.position(sql).is_some() && drawn.contains('^')) {
        return Some(format!("it is drawn without its place: {diag:?}"));
    }
    None
}

/// What is wrong with how a text is taken.
fn verdict(sql: &str, catalog: &StaticCatalog) -> Option<String> {
    let statement = match parse::statement(sql) {
        Ok(statement) => statement,
        Err(diag) => return complaint(&diag, sql),
    };
    let bound = bind::statement(&statement, sql, catalog, &BindOptions::default());
    let unwritten = BindOptions { rewrites: false, ..BindOptions::default() };
    let plain = bind::statement(&statement, sql, catalog, &unwritten);
    match (bound, plain) {
        (Ok(planned), Ok(_)) => {
            let mut room = Room(PLAN_BYTES + PLAN_BYTES_PER_BYTE * sql.len());
            write!(room, "{:?}", planned.statement).is_err().then(|| "its plan is out of proportion".to_owned())
        }
        (Err(diag), Err(_)) => complaint(&diag, sql),
        (Ok(_), Err(diag)) => Some(format!("only without rewrites: {diag:?}")),
        (Err(diag), Ok(_)) => Some(format!("only with rewrites: {diag:?}")),
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn damaged_statements_end_in_plans_or_in_errors() {
    let files = corpus();
    assert!(files.len() > 40 && files.iter().any(|file| file.catalog.tables.len() > 2), "the corpus was found");
    let first = setting("SPECTRADB_SEED", 1);
    let shows = std::env::var_os("SPECTRADB_FUZZ_SHOW").is_some();
    let mut failures = Vec::new();
    for seed in (0..setting("SPECTRADB_FUZZ_CASES", CASES)).map(|case| first.wrapping_add(case)) {
        if shows {
            eprintln!("SPECTRADB_SEED={seed}");
        }
        let (sql, home) = case(seed, &files);
        let wrong = catch_unwind(AssertUnwindSafe(|| verdict(&sql, &home.catalog))).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(format!("panic: {}", text.unwrap_or_default()))
        });
        if let Some(wrong) = wrong {
            failures.push(format!("SPECTRADB_SEED={seed}: {wrong}\n{sql:?}"));
        }
    }
    assert!(failures.is_empty(), "{} cases:\n\n{}\n", failures.len(), failures.join("\n\n"));
}
