//! How are tables used as structs?
//!
//! `#[derive(Table)]` gives a struct its shape, its key's type and the way from rows to columns and back. Here sessions and
//! databases create such tables, insert structs column by column, and read one by its key at a point of both times.
//!
//! Not here: queries (`stmt`), what a fact is (`spectradb_store`).

use super::{
    cursor::TypedRows,
    shape::{ColumnShape, TableShape},
    stmt::{Checked, Cx, View},
};
use crate::{
    Database, Session,
    error::{Error, Result},
    ops::{self, Place},
    session::in_failed_transaction,
    txn::Edit,
};
use spectradb_kernel::{
    Batch, Column, Period, Type, Value,
    batch::BATCH_ROWS,
    schema::TableSchema,
    time::{Commit, MICROS_MAX, MICROS_MIN, Timestamp},
};
use spectradb_store::scan::ScanColumn;
use std::sync::Arc;

/// A struct that is a row of a table. Derive it.
///
/// ```
/// use spectradb::{Database, Table};
///
/// #[derive(Table, Debug, PartialEq)]
/// #[table(name = "accounts")]
/// struct Account {
///     #[key]
///     id: i64,
///     name: String,
///     balance: Option<f64>,
/// }
///
/// let db = Database::open_memory()?;
/// db.create::<Account>()?;
/// db.insert(&Account { id: 1, name: "alice".into(), balance: Some(1000.0) })?;
/// assert_eq!(db.get::<Account>(1)?.map(|account| account.name), Some("alice".to_owned()));
/// # Ok::<(), spectradb::Error>(())
/// ```
///
/// Field types and their columns: `i64` INTEGER, `f64` REAL, `bool` BOOLEAN, `String` TEXT, `Vec<u8>` BLOB,
/// [`Date`](crate::Date) DATE, [`Timestamp`](crate::Timestamp) TIMESTAMP, [`Numeric<P, S>`](crate::Numeric) NUMERIC(P, S),
/// [`BigNumeric`](crate::BigNumeric) NUMERIC,
/// [`Json`](crate::Json) JSON; an `Option` of one may be NULL.
///
/// On the struct: `#[table(name = "...")]` (otherwise the struct's name in snake case), `#[table(crate = "...")]` where
/// this crate goes by another name, `#[table(document)]` for `{ #[key] pk: String, doc: Option<Json> }`. On fields: `#[key]`
/// (several make a key of several columns, in their order), `#[column(name = "...", default = "...")]`.
pub trait Table: Sized {
    /// The key: the field's type, or a tuple; texts and blobs are borrowed.
    type Key<'k>;
    /// The table's name.
    const NAME: &'static str;
    /// The fingerprint of its schema.
    const FINGERPRINT: u64;
    /// `CREATE TABLE` in SQL.
    const CREATE: &'static str;
    /// Its columns, in the order of the fields.
    const COLUMNS: &'static [ColumnShape];
    /// Positions of the key's columns.
    const KEY: &'static [usize];

    /// Where it is noted that the table was compared with the database's.
    #[doc(hidden)]
    fn checked() -> &'static Checked;
    /// The key's values.
    fn key_values(key: Self::Key<'_>) -> Vec<Value>;
    /// Rows as columns, and how many they are.
    fn columns_of<R: AsRow<Table = Self>>(rows: impl Iterator<Item = R>) -> (Vec<Column>, usize);
    /// Reads the rows of a batch that has the columns of the table.
    fn read(batch: &Batch, rows: &mut Vec<Self>);
    /// The row of some values, asked for by column and each once.
    fn of_values(value: &mut dyn FnMut(usize) -> Value) -> Self;
}

/// A row of a table or a reference to one; the derive implements it for both.
pub trait AsRow {
    /// The table.
    type Table: Table;
    /// The row.
    fn as_row(&self) -> &Self::Table;
}

/// A row that somebody else has.
pub(super) struct Lent<'r, T>(pub(super) &'r T);

impl<T: Table> AsRow for Lent<'_, T> {
    type Table = T;

    fn as_row(&self) -> &T {
        self.0
    }
}

/// A point of both times for [`Session::get_at`]: of system time a commit or an instant, of valid time an instant.
///
/// ```
/// # use spectradb::{At, Timestamp};
/// let as_printed = At::commit(7).valid(Timestamp(0));
/// let then = At::now().valid(Timestamp(0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At {
    system: Option<SystemPoint>,
    valid: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SystemPoint {
    Commit(Commit),
    Instant(Timestamp),
}

impl At {
    /// What the transaction sees, and what is valid now.
    pub fn now() -> At {
        At::default()
    }

    /// After a commit.
    pub fn commit(commit: Commit) -> At {
        At { system: Some(SystemPoint::Commit(commit)), valid: None }
    }

    /// As the database was at an instant.
    pub fn instant(instant: Timestamp) -> At {
        At { system: Some(SystemPoint::Instant(instant)), valid: None }
    }

    /// True in the world at an instant.
    #[must_use]
    pub fn valid(self, at: Timestamp) -> At {
        At { valid: Some(at), ..self }
    }
}

pub(super) const fn shape<T: Table>() -> TableShape {
    TableShape { name: T::NAME, fingerprint: T::FINGERPRINT, columns: T::COLUMNS, key: T::KEY }
}

pub(super) fn always() -> Period {
    Period::new(MICROS_MIN, MICROS_MAX).expect("the whole of time is not empty")
}

/// Rows become columns up to so many at a time: fewer need not be joined again.
const ROWS_AT_ONCE: usize = 16 * BATCH_ROWS;

/// Rows as columns. Each goes as soon as it is read: a text is copied and given back while it is still at hand.
pub(super) fn batches<R: AsRow>(rows: impl IntoIterator<Item = R>) -> Vec<(Vec<Column>, usize)> {
    let mut rows = rows.into_iter();
    let mut batches = Vec::new();
    loop {
        let (columns, count) = R::Table::columns_of(rows.by_ref().take(ROWS_AT_ONCE));
        if count == 0 {
            return batches;
        }
        batches.push((columns, count));
        if count < ROWS_AT_ONCE {
            return batches;
        }
    }
}

/// The same, with the periods apart.
fn batches_with_periods<R: AsRow>(
    rows: impl IntoIterator<Item = (R, Period)>,
) -> (Vec<(Vec<Column>, usize)>, Vec<Period>) {
    let mut periods = Vec::new();
    let rows = rows.into_iter().map(|(row, period)| {
        periods.push(period);
        row
    });
    (batches(rows), periods)
}

impl Session {
    /// Creates the table if it is not there; answers whether it was created.
    ///
    /// # Errors
    /// 42P17 when a table of that name is another one: the message names the first column that differs.
    pub fn create<T: Table>(&mut self) -> Result<bool> {
        let View { txn: view, .. } = view_of(self)?;
        if let Some(table) = view.snapshot().catalog().by_name(T::NAME) {
            return shape::<T>().compare(table).map(|()| false);
        }
        self.execute(T::CREATE, ())?;
        let View { txn: view, .. } = view_of(self)?;
        shape::<T>().find(view.snapshot().catalog())?;
        Ok(true)
    }

    /// Inserts a row that is always valid.
    ///
    /// # Errors
    /// 23505 when the key is taken; 42P01, 42P17 when the table is not there or is another.
    pub fn insert<T: Table>(&mut self, row: &T) -> Result<Option<Commit>> {
        self.insert_columns::<T>(vec![T::columns_of(std::iter::once(Lent(row)))], always())
    }

    /// Inserts a row that is valid in a period.
    ///
    /// # Errors
    /// As [`Session::insert`].
    pub fn insert_valid<T: Table>(&mut self, row: &T, period: Period) -> Result<Option<Commit>> {
        self.insert_columns::<T>(vec![T::columns_of(std::iter::once(Lent(row)))], period)
    }

    /// Inserts rows that are always valid, all in one transaction; answers its commit, or `None` in an open transaction
    /// and when there is no row.
    ///
    /// # Errors
    /// As [`Session::insert`].
    pub fn insert_all<R: AsRow>(&mut self, rows: impl IntoIterator<Item = R>) -> Result<Option<Commit>> {
        self.insert_columns::<R::Table>(batches(rows), always())
    }

    /// Inserts rows, each with the period in which it is valid.
    ///
    /// # Errors
    /// As [`Session::insert`].
    pub fn insert_all_valid<R: AsRow>(
        &mut self,
        rows: impl IntoIterator<Item = (R, Period)>,
    ) -> Result<Option<Commit>> {
        let (batches, periods) = batches_with_periods(rows);
        self.insert_batches::<R::Table>(batches, |done, count| periods[done..done + count].to_vec())
    }

    fn insert_columns<T: Table>(
        &mut self,
        batches: Vec<(Vec<Column>, usize)>,
        period: Period,
    ) -> Result<Option<Commit>> {
        self.insert_batches::<T>(batches, |_, count| vec![period; count])
    }

    fn insert_batches<T: Table>(
        &mut self,
        batches: Vec<(Vec<Column>, usize)>,
        periods: impl Fn(usize, usize) -> Vec<Period>,
    ) -> Result<Option<Commit>> {
        if batches.is_empty() {
            return Ok(None);
        }
        let (_, commit) = self.change(|txn| {
            // Compared once for each catalogue, not for each row that is inserted alone.
            let catalog = txn.snapshot().catalog();
            let tables = T::checked().tables(&[shape::<T>()], catalog)?;
            let table: Arc<TableSchema> = catalog.by_id(tables[0]).expect("the table was found").clone();
            let mut edit = Edit::new(&table, None);
            let mut done = 0;
            for (columns, count) in &batches {
                // A field's Rust type says less than VARCHAR(n) or CHAR(n) does.
                let fitted = columns.iter().zip(&table.columns).map(|(column, declared)| {
                    crate::cast::column(column, declared.ty).map_err(|error| error.of_column(&declared.name))
                });
                let fitted = fitted.collect::<Result<Vec<Column>>>()?;
                edit.insert(fitted, periods(done, *count), Vec::new());
                done += count;
            }
            txn.apply(edit)
        })?;
        Ok(commit)
    }

    /// The row of a key that is valid now.
    ///
    /// # Errors
    /// 42P01, 42P17 when the table is not there or is another; what the store meets.
    pub fn get<T: Table>(&self, key: T::Key<'_>) -> Result<Option<T>> {
        self.get_at(key, At::now())
    }

    /// The row of a key at a point of both times.
    ///
    /// # Errors
    /// As [`Session::get`]; 22023 for a point in the future.
    pub fn get_at<T: Table>(&self, key: T::Key<'_>, at: At) -> Result<Option<T>> {
        if self.has_failed() {
            return Err(in_failed_transaction());
        }
        let view = self.view();
        let tables = T::checked().tables(&[shape::<T>()], view.snapshot().catalog())?;
        let types: Vec<Type> = T::KEY.iter().map(|idx| T::COLUMNS[*idx].ty).collect();
        let key = T::key_values(key);
        let valid_at = at.valid.unwrap_or(Timestamp(view.now()));
        let commit = match at.system {
            None => Some(view.snapshot().commit()).filter(|_| !view.has_changed(tables[0])),
            Some(SystemPoint::Commit(commit)) if commit <= view.snapshot().commit() => {
                view.check_existed(tables[0], commit)?;
                Some(commit)
            }
            Some(SystemPoint::Commit(_) | SystemPoint::Instant(_)) => None,
        };
        if let Some(commit) = commit {
            // Nothing to lay over the store's answer: one look-up, and no batch of one row.
            let mut encoded = Vec::new();
            spectradb_kernel::key::encode_values(&key, &types, &mut encoded);
            if commit == view.snapshot().commit() {
                view.note_keys(tables[0], || vec![encoded.clone()]);
            }
            return Ok(view.snapshot().point_as_of(tables[0], &encoded, commit, valid_at.0, T::of_values)?);
        }
        let cx = Cx::new(&view, &tables);
        let opened = || {
            let keys = ops::exact_keys(&[key], &types);
            let system = match at.system {
                None => cx.latest(),
                Some(SystemPoint::Commit(commit)) => {
                    let commit = i64::try_from(commit).unwrap_or(i64::MAX);
                    cx.as_of((Value::Integer(commit), Place::default()))?
                }
                Some(SystemPoint::Instant(instant)) => cx.as_of((Value::Timestamp(instant), Place::default()))?,
            };
            let valid = cx.valid_at((Value::Timestamp(valid_at), Place::default()))?;
            let columns = (0..T::COLUMNS.len()).map(ScanColumn::Data).collect();
            cx.scan(0, columns, keys, system, valid, Vec::new())
        };
        let source = opened().map_err(|error| Error::from_exec(error, ""))?;
        TypedRows::new(source, T::read, "").next().transpose()
    }
}

macro_rules! forward {
    ($($(#[$doc:meta])* fn $name:ident<$($generic:ident $(: $bound:path)?),*>(&self $(, $arg:ident: $ty:ty)*) -> $ret:ty;)*) => {
        /// Typed tables, in this handle's own session.
        impl Database {
            $(
                $(#[$doc])*
                pub fn $name<$($generic $(: $bound)?),*>(&self $(, $arg: $ty)*) -> $ret {
                    self.with_own(|session| session.$name::<$($generic),*>($($arg),*))
                }
            )*
        }
    };
}

forward! {
    /// As [`Session::create`].
    ///
    /// # Errors
    /// As [`Session::create`].
    fn create<T: Table>(&self) -> Result<bool>;
    /// As [`Session::insert`].
    ///
    /// # Errors
    /// As [`Session::insert`].
    fn insert<T: Table>(&self, row: &T) -> Result<Option<Commit>>;
    /// As [`Session::insert_valid`].
    ///
    /// # Errors
    /// As [`Session::insert`].
    fn insert_valid<T: Table>(&self, row: &T, period: Period) -> Result<Option<Commit>>;
    /// As [`Session::get`].
    ///
    /// # Errors
    /// As [`Session::get`].
    fn get<T: Table>(&self, key: T::Key<'_>) -> Result<Option<T>>;
    /// As [`Session::get_at`].
    ///
    /// # Errors
    /// As [`Session::get_at`].
    fn get_at<T: Table>(&self, key: T::Key<'_>, at: At) -> Result<Option<T>>;
}

impl Database {
    /// As [`Session::insert_all`].
    ///
    /// # Errors
    /// As [`Session::insert`].
    pub fn insert_all<R: AsRow>(&self, rows: impl IntoIterator<Item = R>) -> Result<Option<Commit>> {
        // The rows are made before the session is taken: making them may use this database.
        let batches = batches(rows);
        self.with_own(|session| session.insert_columns::<R::Table>(batches, always()))
    }

    /// As [`Session::insert_all_valid`].
    ///
    /// # Errors
    /// As [`Session::insert`].
    pub fn insert_all_valid<R: AsRow>(&self, rows: impl IntoIterator<Item = (R, Period)>) -> Result<Option<Commit>> {
        let (batches, periods) = batches_with_periods(rows);
        self.with_own(|session| {
            session.insert_batches::<R::Table>(batches, |done, count| periods[done..done + count].to_vec())
        })
    }
}

/// What a session reads now.
fn view_of(session: &Session) -> Result<View> {
    if session.has_failed() {
        return Err(in_failed_transaction());
    }
    let zone = session.time_zone().map(str::to_owned);
    Ok(View { txn: session.view(), tuning: session.tuning_of_next(), zone })
}

/// What compiled queries run on.
pub trait Reads {
    /// What a query reads now.
    ///
    /// # Errors
    /// 25P02 when the session's transaction has failed.
    fn __spectradb_view(&self) -> Result<View>;
}

impl Reads for Session {
    fn __spectradb_view(&self) -> Result<View> {
        view_of(self)
    }
}

impl Reads for Database {
    fn __spectradb_view(&self) -> Result<View> {
        self.with_own(|session| view_of(session))
    }
}

/// What compiled changes run on: a session.
pub trait SessionWrites {
    /// Runs a statement.
    ///
    /// # Errors
    /// As [`Session::execute`].
    fn __spectradb_execute(&mut self, sql: &str, values: &[Value]) -> Result<crate::Done>;

    /// Runs a statement with RETURNING, whose columns have these types and may be NULL so.
    ///
    /// # Errors
    /// As [`Session::execute`]; 42P17 when the columns are of other types.
    fn __spectradb_returning(&mut self, sql: &str, values: &[Value], types: &[(Type, bool)]) -> Result<Vec<Batch>>;
}

/// What compiled changes run on: a database, in the handle's own session.
pub trait DatabaseWrites {
    /// Runs a statement.
    ///
    /// # Errors
    /// As [`Session::execute`].
    fn __spectradb_execute(&self, sql: &str, values: &[Value]) -> Result<crate::Done>;

    /// Runs a statement with RETURNING.
    ///
    /// # Errors
    /// As [`SessionWrites::__spectradb_returning`].
    fn __spectradb_returning(&self, sql: &str, values: &[Value], types: &[(Type, bool)]) -> Result<Vec<Batch>>;
}

impl SessionWrites for Session {
    fn __spectradb_execute(&mut self, sql: &str, values: &[Value]) -> Result<crate::Done> {
        match self.execute(sql, values)? {
            crate::Outcome::Done(done) => Ok(done),
            crate::Outcome::Rows(_) => unreachable!("a change gives no rows"),
        }
    }

    fn __spectradb_returning(&mut self, sql: &str, values: &[Value], types: &[(Type, bool)]) -> Result<Vec<Batch>> {
        let mut rows = self.query(sql, values)?;
        let differs = |message: String| {
            Err(Error::new(crate::error::code::SCHEMA_MISMATCH, message).with_help("compile the program anew"))
        };
        for (column, (ty, _)) in rows.columns().iter().zip(types) {
            if column.ty != *ty {
                return differs(format!(
                    "column \"{}\" is {} and was {ty} when this was compiled",
                    column.name, column.ty
                ));
            }
        }
        let mut batches = Vec::new();
        while let Some(batch) = rows.next_batch()? {
            for (idx, (_, nullable)) in types.iter().enumerate() {
                if !nullable && batch.column(idx).has_nulls() {
                    let name = &rows.columns()[idx].name;
                    return differs(format!("column \"{name}\" is NULL and could not be when this was compiled"));
                }
            }
            batches.push(batch);
        }
        Ok(batches)
    }
}

impl DatabaseWrites for Database {
    fn __spectradb_execute(&self, sql: &str, values: &[Value]) -> Result<crate::Done> {
        self.with_own(|session| session.__spectradb_execute(sql, values))
    }

    fn __spectradb_returning(&self, sql: &str, values: &[Value], types: &[(Type, bool)]) -> Result<Vec<Batch>> {
        self.with_own(|session| session.__spectradb_returning(sql, values, types))
    }
}
