//! How is one bound statement carried out?
//!
//! Queries become operators and are handed out as rows.
//!
//! Not here: parsing, binding and transactions (`session`), statements that write facts (`writes`), what a change means
//! (`txn`).

use crate::{
    catalog::{Bound, bind_statement},
    error::{Error, Result, code},
    interp,
    ops::{BoxSource, Tuning, Values},
    params::Params,
    rows::{Done, Outcome, OutputColumn, Rows},
    session::{Execution, Session, in_failed_transaction},
    transaction::TransactionOptions,
    transfer,
    txn::{Changed, TxnView},
};
use spectradb_grammar::{
    parse,
    plan::{Expr, ExprKind, Field, Node, NodeKind, Plan, QueryPlan, Statement, SystemScope},
};
use spectradb_kernel::{
    Batch, Column, Period, Type, Value,
    schema::TableSchema,
    time::{Commit, Micros, Timestamp},
};
use spectradb_store::{NewColumn, NewTable, Snapshot, StoreError};
use std::sync::Arc;

impl Session {
    /// Carries a plan out on the snapshot that it was bound under. The columns of its result are given where they are kept.
    pub(crate) fn run_plan(
        &mut self,
        plan: &Bound,
        sql: &Arc<str>,
        params: Params<'_>,
        snapshot: &Snapshot,
        outputs: Option<&Arc<[OutputColumn]>>,
    ) -> Result<Outcome> {
        let ends = matches!(plan.statement, Statement::Commit | Statement::Rollback | Statement::RollbackTo(_));
        if self.has_failed() && !ends {
            return Err(in_failed_transaction());
        }
        let params = params.resolve(&plan.params, self.time_zone(), sql)?;
        let tuning = self.tuning();
        match &plan.statement {
            Statement::Query(query) => {
                let settled = self.settled_for(query, &params, snapshot)?;
                let view = self.view_on(settled.as_ref().unwrap_or(snapshot));
                if let Some(point) = plan.point.as_ref().filter(|point| point.fits(&view, &params)) {
                    let found = tuning.budget.check().and_then(|()| point.find(&view, &params));
                    let row = found.map_err(|error| Error::from_exec(error, sql))?;
                    let outputs = outputs.unwrap_or_else(|| point.outputs()).clone();
                    return Ok(Outcome::Rows(Rows::ready(outputs, row, sql.clone(), self.failed_flag())));
                }
                let source = Run { params: &params, view: &view, sql, tuning, given: &[], written: &[] }.open(query)?;
                let outputs = outputs.cloned().unwrap_or_else(|| output_columns(query));
                Rows::open(outputs, source, sql.clone(), self.failed_flag()).map(Outcome::Rows)
            }
            Statement::Insert { .. }
            | Statement::Update { .. }
            | Statement::Delete { .. }
            | Statement::Merge { .. }
            | Statement::With { .. }
            | Statement::Truncate { .. } => self.write(&plan.statement, sql, &params, snapshot),
            Statement::CreateTableAs { table, exists, source } => {
                self.no_transaction_for("CREATE TABLE AS")?;
                if *exists {
                    return Ok(done("CREATE TABLE AS", Some((Changed::default(), None))));
                }
                self.create_table_as(table, source.as_ref(), sql, &params, snapshot)
            }
            Statement::CreateTable { table, if_not_exists: _, exists } => {
                self.no_transaction_for("CREATE TABLE")?;
                if !exists {
                    self.store().create_table(new_table(table), snapshot.catalog().version)?;
                }
                Ok(done("CREATE TABLE", None))
            }
            Statement::DropTable { tables } => {
                self.no_transaction_for("DROP TABLE")?;
                let mut version = snapshot.catalog().version;
                for table in tables {
                    self.store().drop_table(table.id, version)?;
                    version = self.store().catalog().version;
                }
                Ok(done("DROP TABLE", None))
            }
            Statement::Begin(begin) => {
                let mut values = Vec::new();
                if let Some(query) = &begin.values {
                    let view = self.view_on(snapshot);
                    let batches =
                        Run { params: &params, view: &view, sql, tuning, given: &[], written: &[] }.collect(query)?;
                    if let Some(row) = batches.first() {
                        values = (0..begin.options.len()).map(|place| row.column(place).value(0)).collect();
                    }
                }
                self.begin_with(TransactionOptions::of(begin, values)?)?;
                Ok(done("BEGIN", None))
            }
            Statement::SetTransaction(modes) => {
                self.set_transaction(*modes)?;
                Ok(done("SET", None))
            }
            Statement::Savepoint(name) => {
                self.savepoint(name)?;
                Ok(done("SAVEPOINT", None))
            }
            Statement::RollbackTo(name) => {
                self.rollback_to(name)?;
                Ok(done("ROLLBACK", None))
            }
            Statement::Release(name) => {
                self.release(name)?;
                Ok(done("RELEASE", None))
            }
            Statement::Commit => {
                let commit = self.commit()?;
                Ok(Outcome::Done(Done::new("COMMIT", None, commit)))
            }
            Statement::Rollback => {
                self.rollback()?;
                Ok(done("ROLLBACK", None))
            }
            Statement::Explain { statement, options } => match &**statement {
                Statement::Execute { name, args, into: _ } => {
                    self.explain_named(name, args.as_ref(), *options, &params, sql, snapshot)
                }
                _ => self.explain(plan, *options, sql, &params, snapshot),
            },
            Statement::Session(statement) => self.run_session(statement, sql, snapshot),
            Statement::Execute { name, args, into: None } => {
                self.run_named(name, args.as_ref(), &params, sql, snapshot)
            }
            Statement::Execute { name, args, into: Some(into) } => {
                self.create_from_named(name, args.as_ref(), *into, &params, sql, snapshot)
            }
            Statement::VerifyLedger => self.verify_ledger(sql),
            Statement::Digest => self.show_digest(sql),
            Statement::ShowTables => {
                let names = snapshot.catalog().tables.iter().map(|table| vec![table.name.clone()]);
                let mut names: Vec<Vec<String>> = names.collect();
                names.sort();
                texts(&["table"], names, sql)
            }
            Statement::Describe(table) => texts(&["column", "type", "null", "key", "default"], describe(table), sql),
            Statement::SetRetention { table, retention } => {
                self.no_transaction_for("ALTER TABLE")?;
                self.store().set_retention(table.id, *retention, snapshot.catalog().version)?;
                Ok(done("ALTER TABLE", None))
            }
            Statement::Erase { tables } => {
                self.no_transaction_for("ERASE")?;
                self.erase(tables, sql, &params, snapshot)
            }
            Statement::Vacuum(table) => {
                self.no_transaction_for("VACUUM")?;
                match table {
                    None => self.store().compact()?,
                    Some(table) => self.store().compact_table(table.id)?,
                }
                Ok(done("VACUUM", None))
            }
            Statement::CopyFrom { table, columns, path, format } => {
                let outcome = self.change_on(snapshot, |txn| {
                    transfer::copy_from(txn, table, columns.as_deref(), path, format, &tuning.budget)
                })?;
                Ok(done("COPY", Some(outcome)))
            }
            Statement::CopyTo { source, path, format } => {
                let view = self.view_on(snapshot);
                let opened =
                    Run { params: &params, view: &view, sql, tuning, given: &[], written: &[] }.open(source)?;
                let rows = Rows::open(output_columns(source), opened, sql.clone(), self.failed_flag())?;
                let rows = transfer::copy_to(rows, path, format)?;
                Ok(done("COPY", Some((Changed { rows, ..Changed::default() }, None))))
            }
        }
    }

    /// A snapshot with every commit up to now, where a query asks for the state at an instant: a commit under way may have
    /// got an instant before it. Inside a transaction the snapshot of BEGIN is what there is.
    fn settled_for(&self, query: &QueryPlan, params: &[Value], snapshot: &Snapshot) -> Result<Option<Snapshot>> {
        if self.in_transaction() || !asks_instants(query, params) {
            return Ok(None);
        }
        let settled = self.store().snapshot_settled()?;
        if settled.catalog().version != snapshot.catalog().version {
            return Err(StoreError::CatalogChanged.into());
        }
        Ok(Some(settled))
    }

    pub(crate) fn no_transaction_for(&self, verb: &str) -> Result<()> {
        if self.told_of_transaction()[1].1 == "on" {
            let message = format!("cannot execute {verb} in a read-only transaction");
            return Err(Error::new(code::READ_ONLY_TRANSACTION, message).with_help("COMMIT or ROLLBACK first"));
        }
        if self.in_transaction() {
            let message = format!("{verb} cannot run inside a transaction");
            return Err(Error::new(code::DDL_IN_TRANSACTION, message).with_help("COMMIT or ROLLBACK first"));
        }
        Ok(())
    }
}

/// A query in a session's zone, bound here because it was compiled in UTC.
pub(crate) fn open_in_zone(
    view: &TxnView,
    tuning: Tuning,
    sql: &str,
    zone: &str,
    values: &[Value],
) -> Result<BoxSource> {
    let statement = parse::statement(sql).map_err(|diag| Error::from_diag(diag, sql))?;
    let plan = bind_statement(&statement, sql, view.snapshot(), Execution::default(), Some(zone), &[])?;
    let Statement::Query(query) = &plan.statement else { unreachable!("only queries are compiled") };
    let params = Params::Positional(values).resolve(&plan.params, Some(zone), sql)?;
    Run { params: &params, view, sql, tuning, given: &[], written: &[] }.open(query)
}

/// Does a query ask for the state at an instant of system time?
fn asks_instants(query: &QueryPlan, params: &[Value]) -> bool {
    let is_instant = |expr: &Expr| match expr.kind {
        ExprKind::Param(idx) => matches!(params[idx], Value::Timestamp(_)),
        _ => expr.ty == Type::Timestamp,
    };
    let mut asks = false;
    let mut look = |node: &Node| {
        if let NodeKind::Scan(scan) = &node.kind {
            asks |= match &scan.system {
                SystemScope::Latest | SystemScope::All => false,
                SystemScope::AsOf(at) => is_instant(at),
                SystemScope::Range { from, to, .. } => is_instant(from) || is_instant(to),
            };
        }
    };
    query.root.walk(&mut look);
    query.subplans.iter().for_each(|subplan| subplan.walk(&mut look));
    asks
}

pub(crate) fn done(verb: &'static str, outcome: Option<(Changed, Option<Commit>)>) -> Outcome {
    let (changed, commit) = outcome.unzip();
    Outcome::Done(Done::new(verb, changed, commit.flatten()))
}

/// The columns of a statement's result, where it is a query.
pub(crate) fn outputs_of(plan: &Plan) -> Arc<[OutputColumn]> {
    if let Statement::Query(query) = &plan.statement { output_columns(query) } else { Arc::new([]) }
}

pub(crate) fn output_columns(query: &QueryPlan) -> Arc<[OutputColumn]> {
    let column = |field: &Field| OutputColumn { name: field.name.clone(), ty: field.ty, nullable: field.nullable };
    query.root.fields.iter().map(column).collect()
}

/// What a statement's queries are given: parameters and the state they read.
#[derive(Clone)]
pub(crate) struct Run<'a> {
    pub(crate) params: &'a [Value],
    pub(crate) view: &'a TxnView,
    pub(crate) sql: &'a str,
    pub(crate) tuning: Tuning,
    /// Rows that the statement hands to the query.
    pub(crate) given: &'a [Batch],
    /// Rows that changes before it returned.
    pub(crate) written: &'a [Vec<Batch>],
}

impl Run<'_> {
    pub(crate) fn context(&self) -> interp::ExecContext<'_> {
        interp::ExecContext {
            reader: self.view,
            params: self.params,
            now: Timestamp(self.view.now()),
            tuning: self.tuning.clone(),
            given: self.given,
            written: self.written,
        }
    }

    fn open(&self, query: &QueryPlan) -> Result<BoxSource> {
        interp::build(query, &self.context()).map_err(|error| Error::from_exec(error, self.sql))
    }

    /// Hands rows on in lots of about so many bytes, and answers the last ones.
    pub(crate) fn in_lots(
        &self,
        query: &QueryPlan,
        bytes_max: usize,
        take: &mut dyn FnMut(Vec<Batch>) -> Result<()>,
    ) -> Result<Vec<Batch>> {
        let mut source = self.open(query)?;
        let (mut batches, mut bytes) = (Vec::new(), 0);
        let mut held = self.tuning.budget.hold();
        while let Some(batch) = source.next().map_err(|error| Error::from_exec(error, self.sql))? {
            held.add_batch(&batch).map_err(|error| Error::from_exec(error, self.sql))?;
            let batch = batch.dense();
            bytes += (0..batch.column_count()).map(|at| batch.raw_column(at).memory_bytes()).sum::<usize>();
            batches.push(batch);
            if bytes > bytes_max {
                take(std::mem::take(&mut batches))?;
                (bytes, held) = (0, self.tuning.budget.hold());
            }
        }
        Ok(batches)
    }

    /// All rows at once: a statement that writes reads its source to the end before it changes anything.
    pub(crate) fn collect(&self, query: &QueryPlan) -> Result<Vec<Batch>> {
        let mut source = self.open(query)?;
        let mut batches = Vec::new();
        let mut held = self.tuning.budget.hold();
        while let Some(batch) = source.next().map_err(|error| Error::from_exec(error, self.sql))? {
            held.add_batch(&batch).map_err(|error| Error::from_exec(error, self.sql))?;
            batches.push(batch);
        }
        Ok(batches)
    }

    /// The period of FOR PORTION OF.
    pub(crate) fn portion(&self, portion: Option<&(Expr, Expr)>, subplans: &[Node]) -> Result<Option<Period>> {
        let Some((from, to)) = portion else { return Ok(None) };
        let point = |expr: &Expr| -> Result<Micros> {
            let value =
                interp::constant(expr, subplans, &self.context()).map_err(|error| Error::from_exec(error, self.sql))?;
            match value {
                Value::Timestamp(at) => Ok(at.0),
                _ => Err(Error::new(code::NULL_NOT_ALLOWED, "an end of the portion is NULL")
                    .with_help("use '-infinity' and 'infinity' for open ends")
                    .at(Some(expr.span), self.sql)),
            }
        };
        let (start, end) = (point(from)?, point(to)?);
        period(start, end).map(Some).map_err(|error| error.at(Some(from.span.to(to.span)), self.sql))
    }
}

/// The valid periods of new facts.
pub(crate) fn periods(from: &Column, to: &Column) -> Result<Vec<Period>> {
    if from.has_nulls() || to.has_nulls() {
        let row = (0..from.len()).find(|row| from.is_null(*row) || to.is_null(*row)).unwrap_or_default();
        return Err(Error::new(code::NULL_NOT_ALLOWED, "an end of a valid period is NULL")
            .with_help("use '-infinity' and 'infinity' for open ends")
            .of_row(row));
    }
    let (starts, ends) = (from.i64s(), to.i64s());
    (0..from.len()).map(|row| period(starts.at(row), ends.at(row)).map_err(|error| error.of_row(row))).collect()
}

/// A valid period, or an error that names its ends.
fn period(from: Micros, to: Micros) -> Result<Period> {
    Period::new(from, to).map_err(|empty| {
        let message = format!(
            "a valid period must end after it begins, and this one is from {} to {}",
            Timestamp(empty.from),
            Timestamp(empty.to)
        );
        Error::new(code::EMPTY_PERIOD, message).with_help("periods are half-open: the end is the first instant after")
    })
}

/// The one value of a query without parameters, such as a column's default.
pub(crate) fn evaluate(sql: &str, view: &TxnView) -> Result<Value> {
    let execution = Execution::default();
    let statement = parse::statement(sql).map_err(|diag| Error::from_diag(diag, sql))?;
    let plan = bind_statement(&statement, sql, view.snapshot(), execution, None, &[])?;
    let Statement::Query(query) = &plan.statement else {
        return Err(Error::new(code::NO_DATA, "only a query has a value"));
    };
    let run = Run { params: &[], view, sql, tuning: Tuning::default(), given: &[], written: &[] };
    let batches = run.collect(query)?;
    Ok(batches.first().map_or(Value::Null, |batch| batch.column(0).value(0)))
}

pub(crate) fn new_table(table: &TableSchema) -> NewTable {
    let column = |column: &spectradb_kernel::schema::ColumnSchema| NewColumn {
        name: column.name.clone(),
        ty: column.ty,
        nullable: column.nullable,
        default: column.default.clone(),
        hidden: column.hidden,
    };
    NewTable {
        name: table.name.clone(),
        kind: table.kind,
        columns: table.columns.iter().map(column).collect(),
        key: table.key.clone(),
    }
}

/// A result of TEXT columns that is known whole.
pub(crate) fn texts(names: &[&str], rows: Vec<Vec<String>>, sql: &Arc<str>) -> Result<Outcome> {
    let columns: Vec<(&str, Type)> = names.iter().map(|name| (*name, Type::Text)).collect();
    let rows = rows.into_iter().map(|row| row.into_iter().map(Value::Text).collect());
    result(&columns, rows.collect(), sql)
}

/// A result that is known whole.
pub(crate) fn result(columns: &[(&str, Type)], rows: Vec<Vec<Value>>, sql: &Arc<str>) -> Result<Outcome> {
    let row_count = rows.len();
    let mut values: Vec<Vec<Value>> = vec![Vec::with_capacity(row_count); columns.len()];
    for row in rows {
        row.into_iter().zip(&mut values).for_each(|(value, column)| column.push(value));
    }
    let output = columns.iter().zip(&values).map(|((name, ty), values)| OutputColumn {
        name: (*name).to_owned(),
        ty: *ty,
        nullable: values.iter().any(Value::is_null),
    });
    let output: Arc<[OutputColumn]> = output.collect();
    let lanes = columns.iter().zip(&values).map(|((_, ty), values)| Column::from_values(*ty, values));
    let source = Values::new(vec![Batch::new(lanes.collect(), row_count)]);
    Rows::open(output, Box::new(source), sql.clone(), Arc::default()).map(Outcome::Rows)
}

fn describe(table: &TableSchema) -> Vec<Vec<String>> {
    let key = |column_idx: usize| match table.key.iter().position(|key| *key == column_idx) {
        Some(at) if table.key.len() > 1 => format!("{}", at + 1),
        Some(_) => "key".to_owned(),
        None => String::new(),
    };
    table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| !column.hidden)
        .map(|(column_idx, column)| {
            let nullable = if column.nullable { "yes" } else { "no" };
            let default = column.default.clone().unwrap_or_default();
            vec![column.name.clone(), column.ty.to_string(), nullable.to_owned(), key(column_idx), default]
        })
        .collect()
}
