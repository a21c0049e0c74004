//! How are a compiled query's rows compared with the interpreter's?
//!
//! A typed row prints itself with `Debug`: its fields' names and values, `Some` around what may be NULL. The interpreter's
//! row is printed the same way from its values and the columns' description, so names and nullability are compared too.

use spectradb::{Database, Error, OutputColumn, Result, Row, Session, Value};
use spectradb_codegen::names;
use std::fmt::{Debug, Write as _};

/// One file of the corpus on a database of its own.
pub(crate) struct Check {
    pub(crate) session: Session,
    file: &'static str,
    differences: Vec<String>,
}

/// How many rows a compiled query gives at most.
pub(crate) fn rows<R: Debug>(rows: Result<spectradb::TypedRows<R>>) -> Result<Vec<String>> {
    rows?.map(|row| row.map(|row| format!("{row:?}"))).collect()
}

pub(crate) fn at_most_one<R: Debug>(row: Result<Option<R>>) -> Result<Vec<String>> {
    row?.map_or(Ok(Vec::new()), |row| one(Ok(row)))
}

pub(crate) fn one<R: Debug>(row: Result<R>) -> Result<Vec<String>> {
    row.map(|row| vec![format!("{row:?}")])
}

impl Check {
    pub(crate) fn new(file: &'static str) -> Check {
        let session = Database::open_memory().expect("memory is there").session();
        Check { session, file, differences: Vec::new() }
    }

    /// Runs a statement of the file; that it fails may be its point.
    pub(crate) fn statement(&mut self, sql: &str) {
        drop(self.session.execute(sql, ()));
    }

    /// Compares a compiled query with the interpreter's answer.
    pub(crate) fn query(&mut self, sql: &str, compiled: impl Fn(&Session) -> Result<Vec<String>>) {
        for batch_rows in [8192, 3] {
            self.session.set_execution(true, batch_rows);
            let compiled = compiled(&self.session);
            let interpreted = self.session.query(sql, ()).and_then(|rows| {
                let columns: Vec<OutputColumn> = rows.columns().to_vec();
                rows.map(|row| row.map(|row| print(&columns, &row))).collect::<Result<Vec<String>>>()
            });
            let told = |answer: Result<Vec<String>>| answer.map_err(|error: Error| error.to_string());
            let (compiled, interpreted) = (told(compiled), told(interpreted));
            if compiled != interpreted {
                let text = format!("{sql}\n  compiled:    {compiled:?}\n  interpreted: {interpreted:?}");
                self.differences.push(text);
                return;
            }
        }
    }

    /// Fails with all differences.
    pub(crate) fn finish(self) {
        assert!(self.differences.is_empty(), "{}:\n{}", self.file, self.differences.join("\n"));
    }
}

fn print(columns: &[OutputColumn], row: &Row) -> String {
    let names = columns.iter().map(|column| column.name.as_str());
    let fields = names::fields_of(names, proc_macro2::Span::call_site());
    let mut out = String::from("Row { ");
    for (idx, ((column, value), field)) in columns.iter().zip(row.values()).zip(fields).enumerate() {
        let comma = if idx == 0 { "" } else { ", " };
        let field = field.to_string();
        let value = match (value, column.nullable) {
            (Value::Null, _) => "None".to_owned(),
            (value, true) => format!("Some({})", print_value(value)),
            (value, false) => print_value(value),
        };
        write!(out, "{comma}{}: {value}", field.strip_prefix("r#").unwrap_or(&field)).expect("a String takes all");
    }
    out + " }"
}

/// As the typed fields print themselves.
fn print_value(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Boolean(value) => format!("{value:?}"),
        Value::Integer(value) => format!("{value:?}"),
        Value::Real(value) => format!("{value:?}"),
        Value::Numeric(value) => format!("Numeric({})", value.units),
        Value::Text(value) => format!("{value:?}"),
        Value::Blob(value) => format!("{value:?}"),
        Value::Date(value) => format!("{value:?}"),
        Value::Timestamp(value) => format!("{value:?}"),
        Value::Json(value) => format!("Json({value:?})"),
        Value::Time(value) => format!("{value:?}"),
        Value::TimestampTz(value) => format!("{value:?}"),
        Value::Interval(value) => format!("{value:?}"),
        Value::Uuid(value) => format!("{value:?}"),
        Value::Array(value) => format!("{value:?}"),
        Value::BigNumeric(value) => format!("{value:?}"),
    }
}
