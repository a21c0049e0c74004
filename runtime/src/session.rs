//! How does one thread talk to the database?
//!
//! A [`Session`] runs statements one after another. Outside BEGIN ... COMMIT each statement is a transaction of its own:
//! it reads the newest commit, and if another commit got in its way it is simply run again. Inside, all statements read
//! the snapshot of BEGIN and their own writes; an error ends the transaction, as in PostgreSQL, and nothing but ROLLBACK
//! is accepted until it is ended.
//!
//! Not here: what a transaction has changed (`txn`), carrying out a bound statement (`statement`).

use crate::{
    catalog::{Bound, bind_statement},
    db::Shared,
    error::{Error, Result, code},
    ops::{Budget, Cancellation, Interrupt, Tuning},
    params::Params,
    rows::{Outcome, OutputColumn, Rows},
    settings::Settings,
    statement::outputs_of,
    transaction::{Isolation, TransactionOptions},
    txn::{Changed, Txn, TxnView},
};
use spectradb_grammar::{ast, diag::code::SYNTAX, parse, split::Splitter, stack};
use spectradb_kernel::{Column, Period, Type, batch::BATCH_ROWS, schema::TableSchema, time::Commit};
use spectradb_store::{Snapshot, Store, error::StoreError};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// A statement outside a transaction is run again so often when other commits get in its way.
const AUTOCOMMIT_ATTEMPTS_MAX: u32 = 64;

/// One thread's conversation with a database.
pub struct Session {
    shared: Arc<Shared>,
    pub(crate) state: State,
    execution: Execution,
    pub(crate) settings: Settings,
    /// The settings that hold again when the transaction ends in which SET LOCAL changed them.
    pub(crate) settings_before: Option<Settings>,
    /// What PREPARE keeps.
    pub(crate) named: BTreeMap<String, Prepared>,
    cancellation: Arc<Cancellation>,
    interrupt: Option<Interrupt>,
    /// Of the statement that runs or ran last.
    budget: Budget,
    /// Set by rows that fail while they are read: then the transaction they belong to has failed.
    read_failed: Arc<AtomicBool>,
}

/// How queries are carried out; it never changes what they answer, and the tests hold it to that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Execution {
    /// Are plans rewritten to be fast?
    pub(crate) rewrites: bool,
    /// So many rows make a batch.
    pub(crate) batch_rows: usize,
}

impl Default for Execution {
    fn default() -> Execution {
        Execution { rewrites: true, batch_rows: BATCH_ROWS }
    }
}

pub(crate) enum State {
    /// Each statement is a transaction.
    Autocommit,
    /// BEGIN was said.
    Active(Txn),
    /// A statement after BEGIN failed; a savepoint may bring it back.
    Failed(Txn),
}

/// A statement that was parsed and bound once and is run many times.
pub struct Prepared {
    pub(crate) sql: Arc<str>,
    pub(crate) statement: ast::Statement,
    /// Of the first parameters, where they were said.
    pub(crate) types: Vec<Type>,
    pub(crate) plan: Arc<Bound>,
    /// The columns of its result: its own, for counting up what all sessions share would have them wait for each other.
    pub(crate) outputs: Arc<[OutputColumn]>,
    /// The time zone that it was bound in.
    zone: Option<String>,
}

/// Cancels what a session runs, from any thread. Clones do the same.
#[derive(Clone, Debug)]
pub struct Canceller(Arc<Cancellation>);

impl Canceller {
    /// Cancels the statement under way, and rows of the last one that are still being read: they fail with 57014 when their
    /// next batch is asked for. What begins afterwards is not touched; where nothing runs, nothing happens.
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("in_transaction", &self.in_transaction()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Prepared").field(&self.sql).finish()
    }
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>) -> Session {
        Session {
            shared,
            state: State::Autocommit,
            execution: Execution::default(),
            settings: Settings::default(),
            settings_before: None,
            named: BTreeMap::new(),
            cancellation: Arc::default(),
            interrupt: None,
            budget: Budget::default(),
            read_failed: Arc::default(),
        }
    }

    /// A handle that cancels what this session runs, for other threads.
    pub fn canceller(&self) -> Canceller {
        Canceller(self.cancellation.clone())
    }

    /// Has statements ask between batches, on the thread that runs them, whether to stop: one that is told so fails with
    /// 57014. For hosts whose signals are seen on that thread only. It should be quick: it is asked often.
    pub fn set_interrupt(&mut self, interrupt: impl Fn() -> bool + Send + Sync + 'static) {
        self.interrupt = Some(Arc::new(interrupt));
    }

    /// Carries queries out in another way: without rewrites, in batches of so many rows. For tests that compare.
    #[doc(hidden)]
    pub fn set_execution(&mut self, rewrites: bool, batch_rows: usize) {
        self.execution = Execution { rewrites, batch_rows: batch_rows.max(1) };
    }

    /// Runs one statement with parameters.
    ///
    /// # Errors
    /// The language's, the data's, the store's; 42601 when the text holds more than one statement.
    pub fn execute<'p>(&mut self, sql: &str, params: impl Into<Params<'p>>) -> Result<Outcome> {
        let text: Arc<str> = sql.into();
        let result = self.execute_text(&text, params.into());
        self.after(result)
    }

    /// Runs one or more statements and gives the last one's outcome. Parameters are allowed for a single statement.
    ///
    /// # Errors
    /// The first error; statements before it have taken place.
    pub fn run(&mut self, sql: &str, params: Params<'_>) -> Result<Outcome> {
        if !matches!(params, Params::None) {
            return self.execute(sql, params);
        }
        let mut splitter = Splitter::new();
        splitter.push(sql);
        let mut last = None;
        let mut read_to = 0;
        while let Some(piece) = splitter.next_piece().or_else(|| splitter.finish()) {
            let piece = piece.map_err(|diag| Error::from_diag(diag, sql))?;
            let start = read_to + sql[read_to..].find(&piece.text).unwrap_or(0);
            read_to = start + piece.text.len();
            let text: Arc<str> = piece.text.into();
            let result = self.execute_text(&text, Params::None);
            last = Some(self.after(result).map_err(|error| error.within(sql, start))?);
        }
        last.ok_or_else(|| Error::new(SYNTAX, "there is no statement"))
    }

    /// Runs a query and gives its rows.
    ///
    /// # Errors
    /// As [`Session::execute`]; P0002 when the statement is not a query.
    pub fn query<'p>(&mut self, sql: &str, params: impl Into<Params<'p>>) -> Result<Rows> {
        self.execute(sql, params)?.into_rows()
    }

    /// Parses and binds a statement to run it many times.
    ///
    /// # Errors
    /// The language's.
    pub fn prepare(&mut self, sql: &str) -> Result<Prepared> {
        self.prepare_with(sql, &[])
    }

    /// As [`Session::prepare`]; the first parameters have these types.
    ///
    /// # Errors
    /// The language's.
    pub fn prepare_with(&mut self, sql: &str, types: &[Type]) -> Result<Prepared> {
        let statement = parse::statement(sql).map_err(|diag| Error::from_diag(diag, sql))?;
        let snapshot = self.read_snapshot();
        let cached = || self.shared.cached_plan(sql, snapshot.catalog().version);
        let zone = self.settings.time_zone.clone();
        let plan = match cached().filter(|plan| types.is_empty() && self.shares(plan)) {
            Some(plan) => plan,
            None => {
                let bind = || bind_statement(&statement, sql, &snapshot, self.execution, zone.as_deref(), types);
                let bind = || stack::for_text(sql, bind);
                self.start().watch(bind).map_err(|error| Error::from_exec(error, sql))??
            }
        };
        let outputs = outputs_of(&plan);
        Ok(Prepared { sql: sql.into(), statement, types: types.to_vec(), plan, outputs, zone })
    }

    /// Binds a prepared statement anew where tables have changed since, or the time zone has and it matters.
    pub(crate) fn renew(&self, prepared: &mut Prepared, snapshot: &Snapshot) -> Result<()> {
        let zone = &self.settings.time_zone;
        if prepared.plan.catalog_version != snapshot.catalog().version
            || (prepared.plan.zoned && prepared.zone != *zone)
        {
            let Prepared { sql, statement, types, .. } = &*prepared;
            prepared.plan = bind_statement(statement, sql, snapshot, self.execution, zone.as_deref(), types)?;
            prepared.outputs = outputs_of(&prepared.plan);
            prepared.zone.clone_from(zone);
        }
        Ok(())
    }

    /// Runs a prepared statement. When tables have changed since, or the session's time zone, it is bound anew first.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub fn execute_prepared<'p>(&mut self, prepared: &mut Prepared, params: impl Into<Params<'p>>) -> Result<Outcome> {
        let params = params.into();
        let sql = prepared.sql.clone();
        let result = self.attempt(&sql, |session, snapshot| {
            session.renew(prepared, snapshot)?;
            session.run_plan(&prepared.plan, &sql, params, snapshot, Some(&prepared.outputs))
        });
        self.after(result)
    }

    /// Adds facts to a table by columns: one for each that is not hidden, in order, of exactly its type and always valid.
    /// The way to load much at once: no SQL is parsed and no value is boxed.
    ///
    /// # Errors
    /// 42P01 when there is no such table, 42804 when the columns are not the table's, 23502, 23505, or the store's.
    pub fn append(&mut self, table: &str, columns: Vec<Column>) -> Result<Changed> {
        let row_count = columns.first().map_or(0, Column::len);
        self.append_valid(table, columns, vec![Period::ALWAYS; row_count])
    }

    /// As [`Session::append`], with a valid period for each fact.
    ///
    /// # Errors
    /// As [`Session::append`].
    pub fn append_valid(&mut self, table: &str, columns: Vec<Column>, periods: Vec<Period>) -> Result<Changed> {
        let (changed, _) = self.change(|txn| {
            let schema = txn.snapshot().catalog().by_name(table).cloned();
            let schema =
                schema.ok_or_else(|| Error::new(code::UNDEFINED_TABLE, format!("table \"{table}\" does not exist")))?;
            check_columns(&schema, &columns, periods.len())?;
            txn.insert(&schema, columns.clone(), periods.clone())
        })?;
        Ok(changed)
    }

    /// Is a transaction open (perhaps one that failed)?
    pub fn in_transaction(&self) -> bool {
        !matches!(self.state, State::Autocommit)
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// 25001 when one is open.
    pub fn begin(&mut self) -> Result<()> {
        self.begin_with(TransactionOptions::default())
    }

    /// A new transaction, of which no statement has been run.
    pub(crate) fn begin_txn(&self, options: TransactionOptions) -> Result<Txn> {
        let store = &self.shared.store;
        if options.isolation == Isolation::Serializable {
            let (snapshot, watch) = store.watch()?;
            return Ok(Txn::begin(snapshot, store.clock().now(), options)?.watched(watch).spilling_to(store));
        }
        Ok(Txn::begin(store.newest()?, store.clock().now(), options)?.spilling_to(store))
    }

    /// Makes a transaction the open one.
    pub(crate) fn enter(&mut self, txn: Txn) {
        self.state = State::Active(txn);
        // Rows of earlier queries may still be read; what becomes of them is no concern of this transaction.
        self.read_failed = Arc::default();
    }

    pub(crate) fn state(&mut self) -> &mut State {
        &mut self.state
    }

    fn fail(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Autocommit) {
            State::Active(txn) => State::Failed(txn),
            other => other,
        };
    }

    /// A failed transaction goes on.
    pub(crate) fn revive(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Autocommit) {
            State::Failed(txn) => State::Active(txn),
            other => other,
        };
        self.read_failed = Arc::default();
    }

    /// Commits the open transaction; answers its commit, or `None` when it changed nothing.
    ///
    /// # Errors
    /// 25P01 when none is open, 25P02 when it failed before (it is rolled back), 40001 when another commit got in its way,
    /// or the store's.
    pub fn commit(&mut self) -> Result<Option<Commit>> {
        self.look_for_failed_reads();
        match std::mem::replace(&mut self.state, State::Autocommit) {
            State::Active(txn) => self.commit_txn(txn),
            State::Failed(_) => Err(Error::new(
                code::IN_FAILED_TRANSACTION,
                "the transaction failed before and has been rolled back instead",
            )
            .with_help("run it again from BEGIN")),
            State::Autocommit => Err(no_transaction()),
        }
    }

    /// Forgets the open transaction.
    ///
    /// # Errors
    /// 25P01 when none is open.
    pub fn rollback(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.state, State::Autocommit) {
            State::Active(_) | State::Failed(_) => Ok(()),
            State::Autocommit => Err(no_transaction()),
        }
    }

    /// The newest commit that the session sees.
    pub fn current_commit(&self) -> Commit {
        self.read_snapshot().commit()
    }

    /// What a query of this session reads now: the open transaction's view or the newest commit.
    pub(crate) fn view(&self) -> TxnView {
        match &self.state {
            State::Active(txn) => txn.view(),
            State::Autocommit | State::Failed(_) => self.new_view(self.shared.store.snapshot()),
        }
    }

    /// Runs a change in the open transaction, or in one of its own that is run again while other commits get in its way.
    ///
    /// # Errors
    /// The change's, 40001, or the store's.
    pub(crate) fn change(
        &mut self,
        mut change: impl FnMut(&mut Txn) -> Result<Changed>,
    ) -> Result<(Changed, Option<Commit>)> {
        self.end_local();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let snapshot = self.snapshot_for(attempts)?;
            match self.change_on(&snapshot, &mut change) {
                Err(error) if error.is_retryable() && !self.in_transaction() && attempts < AUTOCOMMIT_ATTEMPTS_MAX => {}
                result => return self.after(result),
            }
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.shared.store
    }

    /// How many plans are kept for all sessions, and how many may be.
    pub(crate) fn plan_counts(&self) -> (usize, usize) {
        self.shared.plan_counts()
    }

    /// About how many bytes they take.
    pub(crate) fn plan_bytes(&self) -> usize {
        self.shared.plan_bytes()
    }

    /// What the statement under way works with.
    pub(crate) fn tuning(&self) -> Tuning {
        let (batch_rows, settings) = (self.execution.batch_rows, self.settings.as_json());
        Tuning { batch_rows, budget: self.budget.clone(), settings }
    }

    /// What a statement works with that starts now.
    pub(crate) fn tuning_of_next(&self) -> Tuning {
        let (batch_rows, settings) = (self.execution.batch_rows, self.settings.as_json());
        Tuning { batch_rows, budget: self.start(), settings }
    }

    fn start(&self) -> Budget {
        let Settings { statement_timeout, memory_limit, .. } = &self.settings;
        Budget::start(&self.cancellation, *statement_timeout, *memory_limit, self.interrupt.clone())
    }

    /// Has a statement of the open transaction failed?
    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.state, State::Failed(_))
    }

    fn read_snapshot(&self) -> Snapshot {
        match &self.state {
            State::Active(txn) => txn.snapshot().clone(),
            State::Autocommit | State::Failed(_) => self.shared.store.snapshot(),
        }
    }

    /// What a statement reads that is run for the first time, or again: then whatever got in its way has to be visible, or it
    /// would meet the same again.
    fn snapshot_for(&self, attempts: u32) -> Result<Snapshot> {
        match attempts {
            1 if matches!(self.state, State::Autocommit) => Ok(self.shared.store.newest()?),
            1 => Ok(self.read_snapshot()),
            _ => Ok(self.shared.store.snapshot_settled()?),
        }
    }

    fn new_view(&self, snapshot: Snapshot) -> TxnView {
        let now = self.shared.store.clock().now().max(snapshot.instant());
        TxnView::new(snapshot, now)
    }

    fn new_txn(&self, snapshot: Snapshot) -> Txn {
        let now = self.shared.store.clock().now().max(snapshot.instant());
        Txn::new(snapshot, now).spilling_to(&self.shared.store).of_statement()
    }

    fn commit_txn(&self, txn: Txn) -> Result<Option<Commit>> {
        // What it watches is watched until the commit has been validated.
        let _watching = txn.watching();
        let Some(mut write) = txn.into_write()? else { return Ok(None) };
        write.durability = write.durability.or(self.settings.durability);
        let store = &self.shared.store;
        let committed = store.commit(write);
        let schema_of = |table| store.catalogs().schema(table);
        Ok(Some(committed.map_err(|error| Error::of_commit(error, &schema_of))?.commit))
    }

    /// The flag that rows of this session's queries set when they fail.
    pub(crate) fn failed_flag(&self) -> Arc<AtomicBool> {
        self.read_failed.clone()
    }

    pub(crate) fn look_for_failed_reads(&mut self) {
        if matches!(self.state, State::Active(_)) && self.read_failed.load(Ordering::Relaxed) {
            self.fail();
        }
    }

    /// An error inside a transaction ends it; a second BEGIN changes nothing.
    fn after<T>(&mut self, result: Result<T>) -> Result<T> {
        let ends = result.as_ref().is_err_and(|error| error.code() != code::ACTIVE_TRANSACTION);
        if ends && matches!(self.state, State::Active(_)) {
            self.fail();
        }
        result
    }

    fn execute_text(&mut self, sql: &Arc<str>, params: Params<'_>) -> Result<Outcome> {
        self.attempt(sql, |session, snapshot| {
            let cached = session.shared.cached_plan(sql, snapshot.catalog().version);
            let plan = match cached.filter(|plan| session.shares(plan)) {
                Some(plan) => plan,
                None => {
                    // The tree goes as soon as there is a plan: of a long statement both need memory.
                    let statement = parse::statement(sql).map_err(|diag| Error::from_diag(diag, sql))?;
                    let zone = session.settings.time_zone.as_deref();
                    let bind = || bind_statement(&statement, sql, snapshot, session.execution, zone, &[]);
                    let plan = session.budget.watch(bind).map_err(|error| Error::from_exec(error, sql))??;
                    if session.shares(&plan) {
                        session.shared.keep_plan(sql, &plan);
                    }
                    plan
                }
            };
            session.run_plan(&plan, sql, params, snapshot, None)
        })
    }

    /// Does the session share the plan with all others? What depends on the zone is shared in UTC.
    fn shares(&self, plan: &Bound) -> bool {
        self.execution.rewrites && (self.settings.time_zone.is_none() || !plan.zoned)
    }

    /// The zone that the session reads and shows instants in; `None` is UTC.
    pub fn time_zone(&self) -> Option<&str> {
        self.settings.time_zone.as_deref()
    }

    /// Where no transaction is open, what SET LOCAL said has ended.
    pub(crate) fn end_local(&mut self) {
        if matches!(self.state, State::Autocommit)
            && let Some(before) = self.settings_before.take()
        {
            self.settings = before;
        }
    }

    /// Runs a statement against the session's snapshot; outside a transaction again and again while other commits get in
    /// its way.
    fn attempt(
        &mut self,
        sql: &Arc<str>,
        mut run: impl FnMut(&mut Session, &Snapshot) -> Result<Outcome>,
    ) -> Result<Outcome> {
        self.end_local();
        // Once for all attempts: they share the time that the statement has.
        self.budget = self.start();
        let mut attempts = 0;
        loop {
            attempts += 1;
            self.look_for_failed_reads();
            let snapshot = self.snapshot_for(attempts)?;
            // Asked before the statement runs: a COMMIT that fails leaves no transaction, and must not be run again.
            let autocommit = matches!(self.state, State::Autocommit);
            match stack::for_text(sql, || run(self, &snapshot)) {
                Err(error) if error.is_retryable() && autocommit && attempts < AUTOCOMMIT_ATTEMPTS_MAX => {}
                result => return result.map_err(|error| error.at(None, sql)),
            }
        }
    }

    /// What a query sees that was bound under a snapshot.
    pub(crate) fn view_on(&self, snapshot: &Snapshot) -> TxnView {
        match &self.state {
            State::Active(txn) => txn.view(),
            State::Autocommit | State::Failed(_) => self.new_view(snapshot.clone()),
        }
    }

    /// As [`Session::change`], on the snapshot that the statement was bound under.
    pub(crate) fn change_on(
        &mut self,
        snapshot: &Snapshot,
        mut change: impl FnMut(&mut Txn) -> Result<Changed>,
    ) -> Result<(Changed, Option<Commit>)> {
        if self.store().is_read_only() {
            return Err(StoreError::ReadOnly.into());
        }
        match &mut self.state {
            State::Active(txn) => {
                txn.may_write()?;
                let changed = change(txn)?;
                txn.spill_if_full()?;
                Ok((changed, None))
            }
            State::Failed(_) => Err(in_failed_transaction()),
            State::Autocommit => {
                let mut txn = self.new_txn(snapshot.clone());
                let changed = change(&mut txn)?;
                let commit = self.commit_txn(txn)?;
                Ok((changed, commit))
            }
        }
    }
}

/// Are these a table's columns that are not hidden, of one length?
fn check_columns(table: &TableSchema, columns: &[Column], row_count: usize) -> Result<()> {
    let wanted = table.columns.iter().filter(|column| !column.hidden);
    if wanted.clone().count() != columns.len() {
        let message =
            format!("table \"{}\" has {} columns, but {} are given", table.name, wanted.count(), columns.len());
        return Err(Error::new(code::DATATYPE_MISMATCH, message));
    }
    for (column, wanted) in columns.iter().zip(wanted) {
        if column.ty() != wanted.ty {
            let message = format!("column \"{}\" is of type {}, not {}", wanted.name, wanted.ty, column.ty());
            return Err(Error::new(code::DATATYPE_MISMATCH, message));
        }
        if column.len() != row_count {
            let message =
                format!("column \"{}\" has {} rows where {row_count} are expected", wanted.name, column.len());
            return Err(Error::new(code::DATATYPE_MISMATCH, message));
        }
    }
    Ok(())
}

pub(crate) fn no_transaction() -> Error {
    Error::new(code::NO_ACTIVE_TRANSACTION, "no transaction is open").with_help("BEGIN opens one")
}

/// The error of every statement after a failed one.
pub(crate) fn in_failed_transaction() -> Error {
    Error::new(code::IN_FAILED_TRANSACTION, "the transaction has failed; nothing is done until it is ended")
        .with_help("ROLLBACK ends it")
}
