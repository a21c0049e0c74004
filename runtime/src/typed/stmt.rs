//! How is a compiled query run?
//!
//! Generated code gives its tables' shapes, a function that opens its operators over a [`Cx`], and one that reads rows.
//! Here the shapes are compared with the open database, once for each version of its catalogue, tables get their numbers,
//! and the query is opened on the session's view. A [`Cx`] says what scopes and scans mean with the same functions as the
//! interpreter.
//!
//! A query that depends on the session's time zone was compiled in UTC: in another zone the session binds its text and
//! interprets it.
//!
//! Holds: a compiled query runs only over tables whose fingerprints are those it was compiled with.
//! Not here: loops (`stage`), rows (`cursor`), tables as structs (`table`).

use super::{cursor::TypedRows, shape::TableShape};
use crate::{
    error::{Error, Result, code},
    ops::{
        self, AggregateSpec, BoxEval, BoxSource, ExecError, HashAggregate, HashJoin, JoinSpec, Place, Reads,
        RecursionSpec, Scope, ScopeReader, Series, SeriesSpec, SetOpSpec, Sort, SortSpec, Source, TableReader, Tuning,
        Values, Window, WindowSpec, Working,
    },
    statement::open_in_zone,
    txn::TxnView,
};
use arc_swap::{ArcSwapOption, Guard};
use spectradb_kernel::{
    Batch, Column, Type, Value,
    agg::{self, Aggregate},
    array::Array,
    schema::TableId,
    time::Timestamp,
    ty::{ElementType, TypeClass},
};
use spectradb_store::{
    Catalog,
    scan::{BlockOp, BlockPredicate, KeyRange, ScanColumn, ScanSpec, SystemScope, ValidScope},
};
use std::sync::{Arc, Weak};

/// A compiled query.
pub trait Query {
    /// Its rows.
    type Row;
    /// Its parameters and what is fixed when it starts.
    type Env;
    /// Its text.
    const SQL: &'static str;
    /// The tables that it reads, by number.
    const TABLES: &'static [TableShape];
    /// Does it depend on the session's time zone? It was compiled in UTC.
    const ZONED: bool;
    /// Does it ask for the session's settings?
    const ASKS_SETTINGS: bool;

    /// Where it is noted that the tables were compared.
    fn checked() -> &'static Checked;
    /// Opens its operators.
    ///
    /// # Errors
    /// A constant that fails, what subplans meet, what the store meets.
    fn open(cx: &Cx<'_>, env: &Arc<Self::Env>) -> Result<BoxSource, ExecError>;
    /// Reads the rows of a batch.
    fn read(batch: &Batch, rows: &mut Vec<Self::Row>);
}

/// What is fixed when a query starts.
#[derive(Clone, Debug)]
pub struct Start {
    /// `now()` in microseconds.
    pub now: i64,
    /// `current_commit()`.
    pub current_commit: i64,
    /// The session's settings as JSON, where the query asks for them.
    pub settings: String,
}

/// The catalogue under which a query's tables were compared, and their numbers.
#[derive(Debug)]
pub struct Checked(ArcSwapOption<Seen>);

#[derive(Debug)]
struct Seen {
    catalog: Weak<Catalog>,
    tables: Vec<TableId>,
}

/// The numbers of a query's tables.
pub(super) struct Tables(Guard<Option<Arc<Seen>>>);

impl std::ops::Deref for Tables {
    type Target = [TableId];

    fn deref(&self) -> &[TableId] {
        self.0.as_ref().map_or(&[], |seen| &seen.tables)
    }
}

impl Checked {
    /// Nothing was compared yet.
    pub const fn new() -> Checked {
        Checked(ArcSwapOption::const_empty())
    }

    /// The numbers of the tables, compared if this catalogue was not seen last.
    pub(super) fn tables(&self, shapes: &[TableShape], catalog: &Arc<Catalog>) -> Result<Tables> {
        // The weak pointer keeps the address from being used again, so equal addresses are one catalogue.
        let seen = self.0.load();
        if seen.as_ref().is_some_and(|seen| std::ptr::eq(seen.catalog.as_ptr(), Arc::as_ptr(catalog))) {
            return Ok(Tables(seen));
        }
        let tables =
            shapes.iter().map(|shape| shape.find(catalog).map(|table| table.id)).collect::<Result<Vec<_>>>()?;
        let seen = Arc::new(Seen { catalog: Arc::downgrade(catalog), tables });
        self.0.store(Some(seen.clone()));
        Ok(Tables(Guard::from_inner(Some(seen))))
    }
}

impl Default for Checked {
    fn default() -> Checked {
        Checked::new()
    }
}

fn open<Q: Query>(
    View { txn: view, tuning, zone }: &View,
    env: impl FnOnce(Start) -> Result<Q::Env>,
    values: impl FnOnce() -> Vec<Value>,
) -> Result<BoxSource> {
    let tables = Q::checked().tables(Q::TABLES, view.snapshot().catalog())?;
    if Q::ZONED
        && let Some(zone) = zone
    {
        return open_in_zone(view, tuning.clone(), Q::SQL, zone, &values());
    }
    let current_commit = i64::try_from(view.current_commit()).expect("commits fit 63 bits");
    let settings = if Q::ASKS_SETTINGS { tuning.settings.to_string() } else { String::new() };
    let env = Arc::new(env(Start { now: view.now(), current_commit, settings })?);
    let cx = Cx { reader: view, now: Timestamp(view.now()), tables: &tables, tuning: tuning.clone() };
    Q::open(&cx, &env).map_err(|error| Error::from_exec(error, Q::SQL))
}

/// Runs a query of any number of rows. The parameters' values are asked for where it is not the compiled code that runs.
///
/// # Errors
/// A schema that differs, a constant that fails, what the store meets.
pub fn many<Q: Query>(
    view: Result<View>,
    env: impl FnOnce(Start) -> Result<Q::Env>,
    values: impl FnOnce() -> Vec<Value>,
) -> Result<TypedRows<Q::Row>> {
    Ok(TypedRows::new(open::<Q>(&view?, env, values)?, Q::read, Q::SQL))
}

/// Runs a query of one row at most.
///
/// # Errors
/// As [`many`], and what reading meets.
pub fn at_most_one<Q: Query>(
    view: Result<View>,
    env: impl FnOnce(Start) -> Result<Q::Env>,
    values: impl FnOnce() -> Vec<Value>,
) -> Result<Option<Q::Row>> {
    many::<Q>(view, env, values)?.next().transpose()
}

/// Runs a query of exactly one row.
///
/// # Errors
/// As [`at_most_one`].
pub fn one<Q: Query>(
    view: Result<View>,
    env: impl FnOnce(Start) -> Result<Q::Env>,
    values: impl FnOnce() -> Vec<Value>,
) -> Result<Q::Row> {
    let row = at_most_one::<Q>(view, env, values)?;
    row.ok_or_else(|| Error::new(code::NO_DATA, "the query gave no row"))
}

/// The rows of a change's RETURNING.
///
/// # Errors
/// The change's.
pub fn returned<R>(
    batches: Result<Vec<Batch>>,
    read: fn(&Batch, &mut Vec<R>),
    sql: &'static str,
) -> Result<TypedRows<R>> {
    Ok(TypedRows::new(Box::new(Values::new(batches?)), read, sql))
}

/// What a query reads: a transaction's view.
#[derive(Clone)]
pub struct View {
    pub(super) txn: TxnView,
    pub(super) tuning: Tuning,
    /// The session's time zone; `None` is UTC.
    pub(super) zone: Option<String>,
}

/// What operators are opened over.
pub struct Cx<'a> {
    reader: &'a dyn TableReader,
    now: Timestamp,
    tables: &'a [TableId],
    tuning: Tuning,
}

impl<'a> Cx<'a> {
    /// A context over a view, for tables with these numbers.
    pub(super) fn new(view: &'a TxnView, tables: &'a [TableId]) -> Cx<'a> {
        Cx { reader: view, now: Timestamp(view.now()), tables, tuning: Tuning::default() }
    }

    fn scopes(&self) -> ScopeReader<'_> {
        ScopeReader { reader: self.reader, now: self.now }
    }

    /// What the transaction sees.
    pub fn latest(&self) -> (Scope<SystemScope>, Reads) {
        (Scope::Some(SystemScope::AsOf(self.reader.current_commit())), Reads::WithOwnWrites)
    }

    /// `AS OF` a commit or an instant.
    ///
    /// # Errors
    /// As `ScopeReader::system_as_of`.
    pub fn as_of(&self, (point, place): (Value, Place)) -> Result<(Scope<SystemScope>, Reads), ExecError> {
        Ok((Scope::Some(self.scopes().system_as_of(&point, place)?), Reads::AsOf(place)))
    }

    /// A range of system time.
    ///
    /// # Errors
    /// As `ScopeReader::system_range`.
    pub fn system_range(
        &self,
        from: (Value, Place),
        to: (Value, Place),
        to_included: bool,
    ) -> Result<(Scope<SystemScope>, Reads), ExecError> {
        let scope = self.scopes().system_range((&from.0, from.1), (&to.0, to.1), to_included)?;
        Ok((scope, Reads::Committed))
    }

    /// All of system time.
    pub fn all_versions(&self) -> (Scope<SystemScope>, Reads) {
        (Scope::Some(SystemScope::All), Reads::Committed)
    }

    /// `VALID AT` an instant.
    ///
    /// # Errors
    /// As `ops::valid_at`.
    pub fn valid_at(&self, (point, place): (Value, Place)) -> Result<Scope<ValidScope>, ExecError> {
        ops::valid_at(&point, place).map(Scope::Some)
    }

    /// A range of valid time.
    ///
    /// # Errors
    /// As `ops::valid_range`.
    pub fn valid_range(
        &self,
        from: (Value, Place),
        to: (Value, Place),
        to_included: bool,
    ) -> Result<Scope<ValidScope>, ExecError> {
        ops::valid_range((&from.0, from.1), (&to.0, to.1), to_included)
    }

    /// All of valid time.
    pub fn always(&self) -> Scope<ValidScope> {
        Scope::Some(ValidScope::All)
    }

    /// Opens a scan of a table by its number in the query.
    ///
    /// # Errors
    /// What the store meets.
    pub fn scan(
        &self,
        table_idx: usize,
        columns: Vec<ScanColumn>,
        keys: KeyRange,
        (system, reads): (Scope<SystemScope>, Reads),
        valid: Scope<ValidScope>,
        predicates: Vec<Option<BlockPredicate>>,
    ) -> Result<BoxSource, ExecError> {
        let mut keys = keys;
        let system = match system {
            Scope::Some(system) => system,
            Scope::Empty => {
                keys = ops::no_keys();
                SystemScope::All
            }
        };
        let valid = match valid {
            Scope::Some(valid) => valid,
            Scope::Empty => {
                keys = ops::no_keys();
                ValidScope::All
            }
        };
        let spec = ScanSpec {
            table: self.tables[table_idx],
            columns,
            keys,
            system,
            valid,
            predicates: predicates.into_iter().flatten().collect(),
            batch_rows_max: self.tuning.batch_rows,
        };
        Ok(Box::new(ops::Scan::new(ops::open(self.reader, spec, reads)?, &self.tuning)))
    }

    /// Rows of values of these types.
    pub fn values(&self, types: &[Type], rows: Vec<Vec<Value>>) -> BoxSource {
        let batches = rows.chunks(self.tuning.batch_rows).map(|rows| {
            let columns = types.iter().enumerate().map(|(column_idx, ty)| {
                let values: Vec<&Value> = rows.iter().map(|row| &row[column_idx]).collect();
                Column::from_values(*ty, values)
            });
            Batch::new(columns.collect(), rows.len())
        });
        Box::new(Values::new(batches.collect()))
    }

    /// Rows in an order.
    pub fn sort(&self, input: BoxSource, spec: SortSpec) -> BoxSource {
        Box::new(Sort::new(input, spec, self.tuning.clone()))
    }

    /// Pairs of rows.
    pub fn hash_join(&self, left: BoxSource, right: BoxSource, spec: JoinSpec, residual: Option<BoxEval>) -> BoxSource {
        Box::new(HashJoin::new(left, right, spec, residual, self.tuning.clone()))
    }

    /// Groups.
    pub fn aggregate(&self, input: BoxSource, spec: AggregateSpec) -> BoxSource {
        Box::new(HashAggregate::new(input, spec, self.tuning.clone()))
    }

    /// Each distinct row once.
    pub fn distinct(&self, input: BoxSource) -> BoxSource {
        Box::new(ops::Distinct::new(input, self.tuning.clone()))
    }

    /// Rows that are read more than once.
    pub fn tee(&self, input: BoxSource) -> ops::Tee {
        ops::Tee::new(input, &self.tuning)
    }

    /// Rows that are computed once, when the first reader asks.
    pub fn once<F: Fn() -> Result<BoxSource, ExecError>>(&self, open: F) -> ops::Once<F> {
        ops::Once::new(open, &self.tuning)
    }

    /// Rows that are the same in every round of a recursion.
    pub fn replay(&self, input: BoxSource) -> BoxSource {
        Box::new(ops::Replay::new(input, &self.tuning))
    }

    /// A recursive query.
    pub fn recursion(&self, base: BoxSource, step: BoxSource, working: Working, spec: RecursionSpec) -> BoxSource {
        Box::new(ops::Recursion::new(base, step, working, spec, self.tuning.clone()))
    }

    /// INTERSECT and EXCEPT.
    pub fn set_op(&self, left: BoxSource, right: BoxSource, spec: SetOpSpec) -> BoxSource {
        Box::new(ops::SetOp::new(left, right, spec, self.tuning.clone()))
    }

    /// Numbers between bounds.
    pub fn series(&self, input: BoxSource, spec: SeriesSpec) -> BoxSource {
        Box::new(Series::new(input, spec, self.tuning.clone()))
    }

    /// Window functions.
    pub fn window(&self, input: BoxSource, spec: WindowSpec) -> BoxSource {
        Box::new(Window::new(input, spec, self.tuning.clone()))
    }
}

/// A source that an operator owns.
pub fn boxed(source: impl Source + 'static) -> BoxSource {
    Box::new(source)
}

/// The rows of a recursion's last round.
pub fn working(working: &Working) -> BoxSource {
    Box::new(working.reader())
}

/// Some rows of an order.
pub fn limit(input: BoxSource, skip: u64, take: u64) -> BoxSource {
    Box::new(ops::Limit::new(input, skip, take))
}

/// The rows of several inputs.
pub fn union_all(inputs: Vec<BoxSource>) -> BoxSource {
    Box::new(ops::UnionAll::new(inputs))
}

/// The number of a LIMIT or OFFSET; NULL says nothing.
pub fn row_count(value: Value, place: Place) -> Option<(i64, Place)> {
    match value {
        Value::Integer(rows) => Some((rows, place)),
        _ => None,
    }
}

/// A comparison that lets a scan skip blocks; one whose value fails or is NULL is left to the filter.
pub fn block_predicate(column_idx: usize, op: BlockOp, value: Result<Value, ExecError>) -> Option<BlockPredicate> {
    let value = value.ok().filter(|value| !value.is_null())?;
    Some(BlockPredicate { column_idx, op, value })
}

/// Keys that begin with a prefix and whose next column lies between bounds.
pub fn key_range(
    low: Option<(Value, bool)>,
    high: Option<(Value, bool)>,
    prefix: Vec<Value>,
    types: &[Type],
) -> KeyRange {
    let low = low.as_ref().map(|(value, included)| (value, *included));
    let high = high.as_ref().map(|(value, included)| (value, *included));
    ops::key_range(&prefix, low, high, types)
}

/// An aggregate of the kernel.
pub fn aggregate(name: &str, arg: Option<TypeClass>) -> &'static Aggregate {
    agg::find(name, arg).expect("the binder found the aggregate when the query was compiled")
}

/// The array of an argument; the number says the elements' type.
///
/// # Errors
/// An element does not fit that type.
pub fn array_param<T: Clone + Into<Value>>(given: &[T], code: i64, name: &str) -> Result<Array> {
    let element = ElementType::from_code(code).expect("generated code says a type");
    let mut values = Vec::with_capacity(given.len());
    for item in given {
        values.push(crate::cast::value(&item.clone().into(), element.ty()).map_err(|error| error.of_column(name))?);
    }
    Ok(Array::of(element, &values))
}

/// The type of an array; the number says the elements' type.
pub const fn array_type(code: i64) -> Type {
    Type::Array(ElementType::from_code(code).expect("generated code says a type"))
}

/// The units of a decimal parameter at its column's scale.
///
/// # Errors
/// 22003 when it does not fit.
pub fn numeric_param(
    value: impl Into<spectradb_kernel::value::Decimal>,
    precision: u8,
    scale: u8,
    name: &str,
) -> Result<i128> {
    let decimal = value.into();
    let digits = i64::from(scale) - i64::from(decimal.scale);
    match spectradb_kernel::func::cast::numeric_to_numeric(decimal.units, digits, i64::from(precision)) {
        (units, spectradb_kernel::func::Fault::Ok) => Ok(units),
        (_, _) => {
            let message = format!("parameter {name}: {decimal} does not fit numeric({precision},{scale})");
            Err(Error::new("22003", message))
        }
    }
}
