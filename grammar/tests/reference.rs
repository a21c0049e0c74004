//! Is the reference page of functions what the tables say?
//!
//! `docs/functions.md` is made of the kernel's tables and the binder's list. The test fails when it is stale; with
//! `UPDATE_DOCS=1` it writes the page.

#![expect(clippy::disallowed_methods, reason = "the page is a file of the repository")]

use spectradb_grammar::reference::FORMS;
use spectradb_kernel::{agg, func, ty::TypeClass};
use std::{collections::BTreeMap, fmt::Write, path::Path};

const HEAD: &str = "\
# Functions and operators

Made of the tables in `runtime/kernel/src/func` and `runtime/kernel/src/agg`: `UPDATE_DOCS=1 cargo test -p
spectradb-grammar --test reference` writes it anew. What a call does not say is PostgreSQL's answer; where an argument
is NULL the result is NULL. An INTEGER becomes a NUMERIC or a REAL, a DATE a TIMESTAMP, a TIMESTAMP a TIMESTAMPTZ where a
function wants one.

";

/// The families in the order of the page, and what a reader would look for.
const FAMILIES: &[(&[&str], &str)] = &[
    (&["text", "words", "like", "bytes", "unicode"], "Texts and bytes"),
    (&["regex"], "Regular expressions"),
    (&["arith", "math", "trig", "random"], "Numbers and bits"),
    (&["big_numeric"], "Numbers of any length (NUMERIC; a decimal with digits becomes one where it has to)"),
    (&["date", "fields", "interval", "zone", "templates"], "Dates and times"),
    (&["json", "json_tree", "json_order", "json_path", "sql_json"], "JSON"),
    (&["array", "array_put", "array_set"], "Arrays (an element beside an array is written as it is)"),
    (&["compare", "logic"], "Comparison"),
];

fn row(out: &mut String, call: &str, result: &str, doc: &str) {
    let cell = |text: &str| text.replace('|', "\\|");
    writeln!(out, "| `{}` | {result} | {} |", cell(call), cell(doc)).expect("a String takes all that is written");
}

fn page() -> String {
    let mut out = HEAD.to_owned();
    let title = |out: &mut String, title: &str| {
        out.push_str(&format!("## {title}\n\n| call | result | |\n|---|---|---|\n"));
    };
    for (modules, name) in FAMILIES {
        title(&mut out, name);
        let mut rows: BTreeMap<(bool, &str), Vec<String>> = BTreeMap::new();
        for function in func::all() {
            let module = function.path.trim_start_matches("func::").split("::").next().unwrap_or_default();
            if !modules.contains(&module) || function.name.starts_with('$') {
                continue;
            }
            let args: Vec<&str> = function.args.iter().map(|class| class.name()).collect();
            let is_operator = !function.name.starts_with(|first: char| first.is_ascii_alphabetic());
            let call = match (is_operator, args.as_slice()) {
                (true, [left, right]) => format!("{left} {} {right}", function.name),
                (true, [operand]) => format!("{}{operand}", function.name),
                _ => format!("{}({})", function.name, args.join(", ")),
            };
            let mut line = String::new();
            row(&mut line, &call, function.ret.name(), function.doc);
            rows.entry((!is_operator, function.name)).or_default().push(line);
        }
        rows.into_values().flatten().for_each(|line| out.push_str(&line));
        out.push('\n');
    }
    out.push_str("## Calls of any kind of argument\n\n| call | |\n|---|---|\n");
    for (call, doc) in FORMS {
        writeln!(out, "| `{call}` | {doc} |").expect("a String takes all that is written");
    }
    out.push('\n');
    title(&mut out, "Aggregates");
    for aggregate in agg::all() {
        // The same name, whether with digits or without.
        let twin = agg::find(aggregate.name, Some(TypeClass::Numeric));
        if aggregate.arg == Some(TypeClass::BigNumeric) && twin.is_some() {
            continue;
        }
        let arg = aggregate.arg.map_or("*", TypeClass::name);
        let result =
            aggregate.arg.map_or("integer".to_owned(), |class| (aggregate.ret)(class.plain_type()).to_string());
        let result = result.split('(').next().unwrap_or_default().to_owned();
        row(&mut out, &format!("{}({arg})", aggregate.name), &result, aggregate.doc);
    }
    out
}

#[test]
fn the_reference_page_is_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/functions.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/functions.md is stale: UPDATE_DOCS=1 cargo test -p spectradb-grammar --test reference"
    );
}

#[test]
fn every_family_is_on_the_page() {
    let internal = [
        "cast",
        "cast_time",
        "narrow",
        "number_char",
        "number_templates",
        "array_cast",
        "json_rows",
        "trial",
        "frame",
        "setting",
        "listed",
    ];
    for function in func::all() {
        let module = function.path.trim_start_matches("func::").split("::").next().unwrap_or_default();
        let is_listed = FAMILIES.iter().any(|(modules, _)| modules.contains(&module));
        assert!(is_listed || internal.contains(&module), "the family {module} has no place on the page");
    }
}
