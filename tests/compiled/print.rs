//! Which queries of the corpus are compiled, and as what Rust?
//!
//! Files are read record by record. Tables are declared to the compiler by the CREATE TABLE statements up to a query: each
//! new set of tables becomes a registry. A query that does not bind against it (its error is the point, or it names a table
//! as a past commit had it) is run as a statement only.

use spectradb_grammar::{
    bind,
    catalog::StaticCatalog,
    parse,
    plan::{Cardinality, Statement},
};
use std::{fmt::Write as _, path::Path, sync::Arc};

/// The files of the sample, below `tests/`.
const FILES: &[&str] = &[
    "compiled/random.slt",
    "slt/documents/fields.slt",
    "slt/functions/dates.slt",
    "slt/functions/nulls.slt",
    "slt/functions/numbers.slt",
    "slt/functions/sql_json.slt",
    "slt/functions/text.slt",
    "slt/groups/aggregates.slt",
    "slt/joins/kinds.slt",
    "slt/joins/looked_up.slt",
    "slt/queries/long_lists.slt",
    "slt/select/clauses.slt",
    "slt/subqueries/all.slt",
    "slt/temporal/periods.slt",
    "slt/temporal/points.slt",
    "slt/temporal/system_time.slt",
    "slt/types/casts.slt",
    "slt/types/encoded.slt",
    "slt/windows/ranking.slt",
];

/// Fails when the printed sample is not what the corpus gives now; prints it where `SPECTRADB_UPDATE` is set.
pub(crate) fn up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sample = String::from("// Printed by print.rs: do not edit.\n");
    for file in FILES {
        let text = std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let (module, schemas) = module(file, &text);
        sample.push_str(&module);
        for (name, sql) in schemas {
            compare(&folder.join("compiled/snapshots").join(name), &sql);
        }
    }
    compare(&folder.join("compiled/snapshots/sample.rs"), &sample);
}

fn compare(path: &Path, now: &str) {
    let before = std::fs::read_to_string(path).unwrap_or_default();
    if before == now {
        return;
    }
    if std::env::var_os("SPECTRADB_UPDATE").is_some() {
        std::fs::write(path, now).expect("the snapshot can be written");
        return;
    }
    panic!("{} is not what the corpus gives: run this test with SPECTRADB_UPDATE=1", path.display());
}

/// The statements and queries of a file.
fn records(text: &str) -> Vec<(bool, String)> {
    let mut records = Vec::new();
    for record in text.split("\n\n") {
        let mut lines = record.lines().filter(|line| !line.trim_start().starts_with('#'));
        let Some(head) = lines.find(|line| !line.trim().is_empty()) else { continue };
        let is_query = head.starts_with("query");
        assert!(is_query || head.starts_with("statement"), "{head}: only statements and queries are known here");
        let sql: Vec<&str> = lines.take_while(|line| *line != "----").collect();
        records.push((is_query, sql.join("\n").trim_end_matches(';').to_owned()));
    }
    records
}

/// A module of tests for a file, and the schema files that it needs.
fn module(file: &str, text: &str) -> (String, Vec<(String, String)>) {
    let name: String =
        file.trim_end_matches(".slt").chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let (mut registries, mut body, mut schemas) = (String::new(), String::new(), Vec::new());
    let mut catalog = StaticCatalog::default();
    let mut creates: Vec<(String, String)> = Vec::new();
    let mut is_new = true;
    for (is_query, sql) in records(text) {
        let bound = parse::statement(&sql)
            .and_then(|statement| bind::statement(&statement, &sql, &catalog, &bind::BindOptions::default()));
        let quoted = format!("r####\"{sql}\"####");
        let Ok(plan) = bound else {
            writeln!(body, "        check.statement({quoted});").expect("a String takes all");
            continue;
        };
        match &plan.statement {
            Statement::Query(_) if is_query && plan.params.is_empty() => {
                if is_new {
                    is_new = false;
                    let schema: Vec<&str> = creates.iter().map(|(_, sql)| sql.as_str()).collect();
                    let path = format!("{name}_{}.sql", schemas.len());
                    schemas.push((path.clone(), schema.join(";\n") + ";\n"));
                    writeln!(
                        registries,
                        "    spectradb::database!(tables{} = \"compiled/snapshots/{path}\");",
                        schemas.len()
                    )
                    .expect("a String takes all");
                }
                let shape = match plan.cardinality {
                    Cardinality::One => "one",
                    Cardinality::AtMostOne => "at_most_one",
                    Cardinality::Many => "rows",
                };
                let tables = format!("tables{}", schemas.len());
                writeln!(
                    body,
                    "        check.query({quoted}, |session| {shape}(spectradb::spectra_sql!({tables}: session, {quoted})));"
                )
                .expect("a String takes all");
                continue;
            }
            Statement::CreateTable { table, exists: false, .. } => {
                creates.push((table.name.clone(), sql.clone()));
                catalog.tables.push(Arc::new(table.clone()));
                is_new = true;
            }
            Statement::DropTable { tables } => {
                let gone = |name: &String| tables.iter().any(|table| table.name == *name);
                creates.retain(|(name, _)| !gone(name));
                catalog.tables.retain(|table| !gone(&table.name));
                is_new = true;
            }
            _ => {}
        }
        writeln!(body, "        check.statement({quoted});").expect("a String takes all");
    }
    let module = format!(
        "\nmod {name} {{\n    #[allow(unused_imports, clippy::allow_attributes)]\n    use super::check::{{Check, at_most_one, one, rows}};\n{registries}\n    #[test]\n    fn agrees() {{\n        let mut check = Check::new(\"{file}\");\n{body}        check.finish();\n    }}\n}}\n"
    );
    (module, schemas)
}
