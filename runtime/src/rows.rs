//! What does a statement give back?
//!
//! A query gives [`Rows`]: an iterator that pulls batches from the operators as it goes, so that a large result is never
//! whole in memory. Every other statement gives a [`Done`]: what it did and how much of it.
//!
//! Not here: typed rows of compiled queries (`typed`).

use crate::{
    error::{Error, Result, code},
    ops::BoxSource,
    txn::Changed,
};
use spectradb_grammar::stack;
use spectradb_kernel::{
    Batch, Column, Type, Value,
    big_numeric::BigNumeric,
    interval::Interval,
    time::{Commit, Date, Time, Timestamp, TimestampTz},
    uuid::Uuid,
    value::Decimal,
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// May it be NULL?
    pub nullable: bool,
}

/// What a statement gives back.
#[derive(Debug)]
pub enum Outcome {
    /// The rows of a query.
    Rows(Rows),
    /// What another statement did.
    Done(Done),
}

impl Outcome {
    /// The rows, where the statement gave some.
    ///
    /// # Errors
    /// P0002 when the statement gives no rows.
    pub fn into_rows(self) -> Result<Rows> {
        match self {
            Outcome::Rows(rows) => Ok(rows),
            Outcome::Done(done) => {
                Err(Error::new(code::NO_DATA, format!("{} gives no rows", done.verb)).with_help("use it for queries"))
            }
        }
    }

    /// How many facts the statement inserted, changed or ended, also where RETURNING gives rows; 0 for a query.
    pub fn rows_changed(&self) -> u64 {
        match self {
            Outcome::Rows(rows) => rows.done().map_or(0, |done| done.rows),
            Outcome::Done(done) => done.rows,
        }
    }
}

/// What a statement did that is no query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The statement's words, such as `INSERT` or `CREATE TABLE`.
    pub verb: &'static str,
    /// Facts inserted, changed, ended or copied.
    pub rows: u64,
    /// Parts of facts outside a portion that were stated again.
    pub leftovers: u64,
    /// The commit that it became, where it became one at once.
    pub commit: Option<Commit>,
    /// What it did to rows, where it counts them.
    pub(crate) changed: Option<Changed>,
}

impl Done {
    pub(crate) fn new(verb: &'static str, changed: Option<Changed>, commit: Option<Commit>) -> Done {
        let Changed { rows, leftovers, .. } = changed.unwrap_or_default();
        Done { verb, rows, leftovers, commit, changed }
    }

    /// The statement's words with the number of its rows, as PostgreSQL's drivers expect them: `INSERT 0 3`, `UPDATE 1`,
    /// `CREATE TABLE`.
    pub fn tag(&self) -> String {
        match (self.verb, &self.changed) {
            ("INSERT", Some(_)) => format!("INSERT 0 {}", self.rows),
            ("CREATE TABLE AS", Some(_)) => format!("SELECT {}", self.rows),
            ("TRUNCATE TABLE", _) | (_, None) => self.verb.to_owned(),
            (verb, Some(_)) => format!("{verb} {}", self.rows),
        }
    }
}

/// `3 rows inserted`, `1 row updated, 2 leftovers kept`, `CREATE TABLE`.
impl std::fmt::Display for Done {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(changed) = &self.changed else { return f.write_str(self.verb) };
        let rows = |count: u64, done: &str| format!("{count} {} {done}", if count == 1 { "row" } else { "rows" });
        let mut parts: Vec<String> = match self.verb {
            "COPY" => vec![rows(self.rows, "copied")],
            "CREATE TABLE AS" => vec!["table created".to_owned(), rows(self.rows, "inserted")],
            _ => {
                let counts =
                    [(changed.inserted, "inserted"), (changed.updated, "updated"), (changed.deleted, "deleted")];
                counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, done)| rows(count, done)).collect()
            }
        };
        if parts.is_empty() {
            parts.push(rows(
                0,
                match self.verb {
                    "INSERT" => "inserted",
                    "UPDATE" => "updated",
                    "MERGE" => "changed",
                    _ => "deleted",
                },
            ));
        }
        match self.leftovers {
            0 => {}
            1 => parts.push("1 leftover kept".to_owned()),
            many => parts.push(format!("{many} leftovers kept")),
        }
        f.write_str(&parts.join(", "))
    }
}

/// The rows of a query, one after another.
pub struct Rows {
    columns: Arc<[OutputColumn]>,
    source: Option<BoxSource>,
    batch: Vec<Column>,
    row_count: usize,
    next_row: usize,
    sql: Arc<str>,
    /// What the statement did whose RETURNING gives the rows.
    done: Option<Done>,
    /// Told to the session when reading fails: a query that fails ends its transaction, however late it fails.
    failed: Arc<AtomicBool>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Rows {
    /// The rows of a source. The first batch is computed here, so that most errors are the statement's own.
    pub(crate) fn open(
        columns: Arc<[OutputColumn]>,
        source: BoxSource,
        sql: Arc<str>,
        failed: Arc<AtomicBool>,
    ) -> Result<Rows> {
        let mut rows = Rows {
            columns,
            source: Some(source),
            batch: Vec::new(),
            row_count: 0,
            next_row: 0,
            sql,
            done: None,
            failed,
        };
        if let Some(batch) = rows.pull()? {
            rows.hold(batch);
        }
        Ok(rows)
    }

    /// One row that was read already, or none.
    pub(crate) fn ready(
        columns: Arc<[OutputColumn]>,
        row: Option<Vec<Column>>,
        sql: Arc<str>,
        failed: Arc<AtomicBool>,
    ) -> Rows {
        let row_count = usize::from(row.is_some());
        let batch = row.unwrap_or_default();
        Rows { columns, source: None, batch, row_count, next_row: 0, sql, done: None, failed }
    }

    fn hold(&mut self, batch: Batch) {
        self.row_count = batch.len();
        self.next_row = 0;
        self.batch = batch.into_columns();
    }

    /// The rows that a statement gives with RETURNING.
    pub(crate) fn after(self, done: Done) -> Rows {
        Rows { done: Some(done), ..self }
    }

    /// What the statement did, where it is one that writes and gives rows with RETURNING.
    pub fn done(&self) -> Option<&Done> {
        self.done.as_ref()
    }

    /// The columns.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.columns
    }

    /// The next rows by columns: what is left of the batch under way, or the next one. Together with iteration every row
    /// is given once.
    ///
    /// # Errors
    /// What reading or computing met.
    pub fn next_batch(&mut self) -> Result<Option<Batch>> {
        if self.next_row < self.row_count {
            let rows = self.next_row..self.row_count;
            self.next_row = self.row_count;
            let columns = self.batch.iter().map(|column| column.slice(rows.clone())).collect();
            return Ok(Some(Batch::new(columns, rows.len())));
        }
        Ok(self.pull()?.map(Batch::dense))
    }

    /// All rows that are left.
    ///
    /// # Errors
    /// What reading or computing met.
    pub fn collect_all(self) -> Result<Vec<Row>> {
        self.collect()
    }

    fn pull(&mut self) -> Result<Option<Batch>> {
        let Some(source) = &mut self.source else { return Ok(None) };
        match stack::for_text(&self.sql, || source.next()) {
            Ok(Some(batch)) => Ok(Some(batch)),
            Ok(None) => {
                // The operators hold a snapshot: let it go as soon as the last row was given.
                self.source = None;
                Ok(None)
            }
            Err(error) => {
                self.source = None;
                self.failed.store(true, Ordering::Relaxed);
                Err(Error::from_exec(error, &self.sql))
            }
        }
    }
}

impl Iterator for Rows {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        while self.next_row >= self.row_count {
            match self.pull() {
                Ok(None) => return None,
                Ok(Some(batch)) => self.hold(batch),
                Err(error) => return Some(Err(error)),
            }
        }
        let row = self.next_row;
        self.next_row += 1;
        let values = self.batch.iter().map(|column| column.value(row)).collect();
        Some(Ok(Row { columns: self.columns.clone(), values }))
    }
}

/// One row of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    columns: Arc<[OutputColumn]>,
    values: Vec<Value>,
}

impl Row {
    /// The columns.
    pub fn columns(&self) -> &[OutputColumn] {
        &self.columns
    }

    /// The values, in the columns' order.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The values, owned.
    pub fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// A column's value as a Rust type, by position or name: `row.get::<i64>("id")`, `row.get::<Option<String>>(2)`.
    ///
    /// # Errors
    /// 42703 when there is no such column; 42804 when its value is of another type; 22004 when it is NULL and the type is
    /// not an `Option`.
    pub fn get<T: FromValue>(&self, column: impl ColumnIndex) -> Result<T> {
        let column_idx = column.column_idx(&self.columns)?;
        T::from_value(&self.values[column_idx]).map_err(|expected| {
            let name = &self.columns[column_idx].name;
            if self.values[column_idx].is_null() {
                return Error::new(code::NULL_NOT_ALLOWED, format!("column \"{name}\" is NULL in this row"))
                    .with_help("ask for an Option");
            }
            let message = format!("column \"{name}\" is of type {}, not {expected}", self.columns[column_idx].ty);
            Error::new(code::DATATYPE_MISMATCH, message)
        })
    }
}

/// A position or a name of a column.
pub trait ColumnIndex {
    /// The position among the columns.
    ///
    /// # Errors
    /// 42703 when there is none.
    fn column_idx(&self, columns: &[OutputColumn]) -> Result<usize>;
}

impl ColumnIndex for usize {
    fn column_idx(&self, columns: &[OutputColumn]) -> Result<usize> {
        if *self < columns.len() {
            return Ok(*self);
        }
        let message = format!("column {self} does not exist: the row has {} columns, counted from 0", columns.len());
        Err(Error::new(code::UNDEFINED_COLUMN, message))
    }
}

impl ColumnIndex for &str {
    fn column_idx(&self, columns: &[OutputColumn]) -> Result<usize> {
        columns.iter().position(|column| column.name == *self).ok_or_else(|| {
            let error = Error::new(code::UNDEFINED_COLUMN, format!("column \"{self}\" is not in the result"));
            match spectradb_grammar::diag::nearest(self, columns.iter().map(|column| column.name.as_str())) {
                Some(near) => error.with_help(format!("a column named \"{near}\" is")),
                None => error,
            }
        })
    }
}

/// A Rust type that a value can be read as.
pub trait FromValue: Sized {
    /// The value as this type.
    ///
    /// # Errors
    /// The name of the SQL type that was expected.
    fn from_value(value: &Value) -> std::result::Result<Self, &'static str>;
}

macro_rules! from_value {
    ($($native:ty, $name:literal, $pattern:pat => $read:expr;)*) => {$(
        impl FromValue for $native {
            fn from_value(value: &Value) -> std::result::Result<$native, &'static str> {
                match value {
                    $pattern => Ok($read),
                    _ => Err($name),
                }
            }
        }
    )*};
}
from_value! {
    bool, "boolean", Value::Boolean(value) => *value;
    i64, "integer", Value::Integer(value) => *value;
    f64, "real", Value::Real(value) => *value;
    String, "text", Value::Text(value) | Value::Json(value) => value.clone();
    Vec<u8>, "blob", Value::Blob(value) => value.clone();
    Date, "date", Value::Date(value) => *value;
    Timestamp, "timestamp", Value::Timestamp(value) => *value;
    Time, "time", Value::Time(value) => *value;
    TimestampTz, "timestamptz", Value::TimestampTz(value) => *value;
    Interval, "interval", Value::Interval(value) => *value;
    Uuid, "uuid", Value::Uuid(value) => *value;
}

impl FromValue for Decimal {
    fn from_value(value: &Value) -> std::result::Result<Decimal, &'static str> {
        match value {
            Value::Numeric(value) => Ok(*value),
            Value::BigNumeric(number) => number.to_decimal().ok_or("numeric of at most 38 digits"),
            _ => Err("numeric"),
        }
    }
}

impl FromValue for BigNumeric {
    fn from_value(value: &Value) -> std::result::Result<BigNumeric, &'static str> {
        match value {
            Value::BigNumeric(number) => Ok(number.clone()),
            Value::Numeric(decimal) => Ok((*decimal).into()),
            Value::Integer(integer) => Ok((*integer).into()),
            _ => Err("numeric"),
        }
    }
}

/// The elements of an array of one dimension; `Vec<Option<T>>` where they may be NULL.
impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: &Value) -> std::result::Result<Vec<T>, &'static str> {
        match value {
            Value::Array(array) if array.view().dimensions().len() < 2 => {
                array.view().values().map(|value| T::from_value(&value)).collect()
            }
            _ => Err("array of one dimension"),
        }
    }
}

impl FromValue for Value {
    fn from_value(value: &Value) -> std::result::Result<Value, &'static str> {
        Ok(value.clone())
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> std::result::Result<Option<T>, &'static str> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
}
