//! Which statement makes a table that there is?
//!
//! CREATE TABLE with types, keys, NOT NULL and DEFAULT, so that running it in another database makes a table of the same
//! schema; where a retention was set, ALTER TABLE sets it. What the statement implies is left out: a key is never NULL, a
//! table without a key numbers its rows in a hidden column, and a document table has `doc` besides.
//!
//! Not here: how SHOW and DESCRIBE tell of tables (`statement`).

use crate::{
    error::{Error, Result, code},
    session::Session,
};
use spectradb_grammar::{diag::nearest, tokens};
use spectradb_kernel::schema::{TableKind, TableSchema};

const DAY_MICROS: i64 = 86_400_000_000;

impl Session {
    /// The statement that makes a table, ended by a semicolon, and the one that sets its retention where it has one.
    ///
    /// # Errors
    /// 42P01 when there is no such table.
    pub fn create_statement(&self, table: &str) -> Result<String> {
        let view = self.view();
        let catalog = view.snapshot().catalog();
        let Some(schema) = catalog.by_name(table) else {
            let error = Error::new(code::UNDEFINED_TABLE, format!("table \"{table}\" does not exist"));
            return Err(match nearest(table, catalog.tables.iter().map(|table| table.name.as_str())) {
                Some(near) => error.with_help(format!("a table named \"{near}\" exists")),
                None => error,
            });
        };
        let mut statements = statement(schema);
        if let Some(retention) = catalog.retention(schema.id) {
            let (count, unit) = match retention % DAY_MICROS {
                0 => (retention / DAY_MICROS, "days"),
                _ => (retention, "microseconds"),
            };
            let name = quoted(&schema.name);
            statements.push_str(&format!("\nALTER TABLE {name} SET RETENTION INTERVAL '{count} {unit}';"));
        }
        Ok(statements)
    }
}

fn statement(table: &TableSchema) -> String {
    let is_document = table.kind == TableKind::Document;
    let key: Vec<&str> = table.key.iter().map(|column_idx| &*table.columns[*column_idx].name).collect();
    let is_keyed = table.key.iter().all(|column_idx| !table.columns[*column_idx].hidden);
    let mut parts = Vec::new();
    for (column_idx, column) in table.columns.iter().enumerate() {
        let is_key = table.key.contains(&column_idx);
        if column.hidden || (is_document && !is_key) {
            continue;
        }
        let mut part = format!("{} {}", quoted(&column.name), column.ty.to_string().to_uppercase());
        if is_key && key.len() == 1 {
            part.push_str(" PRIMARY KEY");
        } else if !column.nullable && !is_key {
            part.push_str(" NOT NULL");
        }
        if let Some(default) = &column.default {
            part.push_str(" DEFAULT ");
            part.push_str(default);
        }
        parts.push(part);
    }
    if is_keyed && key.len() > 1 {
        let key: Vec<String> = key.into_iter().map(quoted).collect();
        parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    format!("CREATE TABLE {} (\n  {}\n);", quoted(&table.name), parts.join(",\n  "))
}

/// A name as SQL reads it back.
fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !tokens::is_reserved(name);
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}
