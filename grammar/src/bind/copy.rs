//! What does COPY read or write, and in which form?
//!
//! CSV only. A whole table is written with the facts of every period and their periods, so that COPY FROM of that file
//! brings the same facts back; a list of columns or a query is written as it reads.

use super::{
    Binder,
    dml::{Target, named_targets},
};
use crate::{
    ast::{self, CopyDirection, CopySubject, Name, Query, Scopes, Select, SelectItem, SetExpr, TableRef},
    diag::{Diag, code, nearest},
    plan::{CopyColumn, CopyFormat, Statement},
};

const OPTIONS: [&str; 4] = ["format", "header", "delimiter", "null"];

impl Binder<'_> {
    pub(super) fn copy(&mut self, copy: &ast::Copy) -> Result<Statement, Diag> {
        let format = format_of(copy)?;
        let path = copy.path.clone();
        match (&copy.subject, copy.direction) {
            (CopySubject::Table { name, columns }, CopyDirection::From) => {
                let table = self.writable_table(name)?;
                if columns.is_empty() {
                    return Ok(Statement::CopyFrom { table, columns: None, path, format });
                }
                let targets = named_targets(&table, columns)?;
                let columns = targets.into_iter().map(|target| match target {
                    Target::Data(column_idx) => CopyColumn::Data(column_idx),
                    Target::ValidFrom => CopyColumn::ValidFrom,
                    Target::ValidTo => CopyColumn::ValidTo,
                });
                let columns = Some(columns.collect());
                Ok(Statement::CopyFrom { table, columns, path, format })
            }
            (CopySubject::Query(query), CopyDirection::From) => {
                Err(Diag::new(code::SYNTAX, "a query cannot be copied into", query.span).help("write COPY table FROM"))
            }
            (CopySubject::Table { name, columns }, CopyDirection::To) if columns.is_empty() => {
                let table = self.existing_table(name)?;
                let source = self.whole_table(&table, name.span);
                Ok(Statement::CopyTo { source, path, format })
            }
            (CopySubject::Table { name, columns }, CopyDirection::To) => {
                let query = select_columns(name, columns);
                let root = self.query(&query, None)?;
                Ok(Statement::CopyTo { source: self.query_plan(root)?, path, format })
            }
            (CopySubject::Query(query), CopyDirection::To) => {
                let root = self.query(query, None)?;
                Ok(Statement::CopyTo { source: self.query_plan(root)?, path, format })
            }
        }
    }
}

/// `SELECT columns FROM table`
fn select_columns(table: &Name, columns: &[Name]) -> Query {
    let items = columns.iter().map(|name| SelectItem::Expr {
        expr: ast::Expr { kind: ast::ExprKind::Path(vec![name.clone()]), span: name.span },
        alias: None,
    });
    let mut select = Select { items: items.collect(), ..Select::of_all(table.span) };
    select.from.push(TableRef::Table { name: table.clone(), scopes: Scopes::default(), alias: None });
    Query::of(SetExpr::Select(Box::new(select)), table.span)
}

fn format_of(copy: &ast::Copy) -> Result<CopyFormat, Diag> {
    let mut format = CopyFormat { header: None, delimiter: b',', null: String::new() };
    for (name, value) in &copy.options {
        let invalid = |wanted: &str| {
            let message = format!("the option {} takes {wanted}", name.text);
            Err(Diag::new(code::INVALID_PARAMETER, message, name.span))
        };
        match (name.text.as_str(), value.as_deref()) {
            ("format", Some(value)) if value.eq_ignore_ascii_case("csv") => {}
            ("csv", None) => {}
            ("format", _) => {
                let message =
                    format!("the COPY format {} is not supported", value.as_deref().unwrap_or("without a name"));
                return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, name.span).help("write FORMAT csv"));
            }
            ("header", None) => format.header = Some(true),
            ("header", Some(value)) => match value.to_lowercase().as_str() {
                "true" | "on" | "1" => format.header = Some(true),
                "false" | "off" | "0" => format.header = Some(false),
                _ => return invalid("true or false"),
            },
            ("delimiter", Some(value)) => match value.as_bytes() {
                [byte] if !matches!(byte, b'"' | b'\n' | b'\r') && byte.is_ascii() => format.delimiter = *byte,
                _ => return invalid("one character, not a quote and not a line's end"),
            },
            ("null", Some(value)) => format.null = value.to_owned(),
            ("delimiter" | "null", None) => return invalid("a text"),
            (other, _) => {
                let diag = Diag::new(code::SYNTAX, format!("option \"{other}\" not recognized"), name.span);
                return Err(match nearest(other, OPTIONS) {
                    Some(near) => diag.help(format!("an option named \"{near}\" exists")),
                    None => diag.help(format!("the options are {}", OPTIONS.join(", "))),
                });
            }
        }
    }
    Ok(format)
}
