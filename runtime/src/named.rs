//! What is asked of the session itself: its settings and the statements that it keeps by name.
//!
//! PREPARE keeps what [`Session::prepare`] gives under a name, EXECUTE runs it with values that are computed like a row of
//! VALUES and cast as the values of parameters are. Names belong to the session and outlive transactions.
//!
//! Not here: which settings there are (`settings`), figures about the database (`stats`).

use crate::{
    error::{Error, Result, code},
    params::Params,
    rows::Outcome,
    session::{Prepared, Session, State},
    settings::SETTINGS,
    statement::{Run, done, texts},
};
use spectradb_grammar::{
    ast::{ExecuteInto, ExplainOptions, Isolation, Name},
    diag::{
        code::{SYNTAX, WRONG_OBJECT_TYPE},
        nearest,
    },
    plan::{self, NodeKind, Param, QueryPlan},
    span::Span,
};
use spectradb_kernel::{Type, Value};
use spectradb_store::Snapshot;
use std::sync::Arc;

impl Session {
    /// Carries out what is asked of the session, or of the database as such.
    pub(crate) fn run_session(
        &mut self,
        statement: &plan::Session,
        sql: &Arc<str>,
        snapshot: &Snapshot,
    ) -> Result<Outcome> {
        match statement {
            plan::Session::Set { name, value, local, shown } => {
                let before = self.settings.clone();
                self.settings.set(name, value.as_ref(), sql)?;
                if *local {
                    self.settings_before.get_or_insert(before);
                } else if let Some(afterwards) = &mut self.settings_before {
                    afterwards.set(name, value.as_ref(), sql)?;
                }
                match shown {
                    Some(column) => texts(&[column], vec![vec![self.settings.show(name, sql)?]], sql),
                    None => Ok(done("SET", None)),
                }
            }
            plan::Session::Reset(name) => {
                match name {
                    Some(name) => self.settings.set(name, None, sql)?,
                    None => self.settings = Default::default(),
                }
                // What is reset stays so when the transaction ends.
                if let Some(afterwards) = &mut self.settings_before {
                    match name {
                        Some(name) => afterwards.set(name, None, sql)?,
                        None => *afterwards = Default::default(),
                    }
                }
                Ok(done("RESET", None))
            }
            plan::Session::Show(Some(name)) => {
                let told = self.told_of_transaction().into_iter().find(|(of, _)| *of == name.text);
                let value = match told {
                    Some((_, value)) => value.to_owned(),
                    None => self.settings.show(name, sql)?,
                };
                texts(&[&name.text], vec![vec![value]], sql)
            }
            plan::Session::Show(None) => {
                let row = |setting: &crate::settings::Setting| {
                    vec![setting.name.to_owned(), setting.shown(&self.settings), setting.what.to_owned()]
                };
                texts(&["name", "setting", "description"], SETTINGS.iter().map(row).collect(), sql)
            }
            plan::Session::ShowStats => self.show_stats(sql),
            plan::Session::ShowTableStats(table) => self.show_table_stats(table.as_deref(), snapshot, sql),
            plan::Session::ShowStorage => self.show_storage(snapshot, sql),
            plan::Session::Prepare { name, types, statement } => {
                self.prepare_named(name, types, *statement, sql)?;
                Ok(done("PREPARE", None))
            }
            plan::Session::Deallocate(Some(name)) => {
                if self.named.remove(&name.text).is_none() {
                    return Err(self.no_statement(name, sql));
                }
                Ok(done("DEALLOCATE", None))
            }
            plan::Session::Deallocate(None) => {
                self.named.clear();
                Ok(done("DEALLOCATE ALL", None))
            }
        }
    }

    fn prepare_named(&mut self, name: &Name, types: &[Type], statement: Span, sql: &str) -> Result<()> {
        if self.named.contains_key(&name.text) {
            let message = format!("a prepared statement \"{}\" exists already", name.text);
            return Err(Error::new(code::DUPLICATE_STATEMENT, message)
                .with_help("DEALLOCATE it first, or choose another name")
                .at(Some(name.span), sql));
        }
        let prepared = self.prepare_with(statement.of(sql), types);
        let prepared = prepared.map_err(|error| error.within(sql, statement.start as usize))?;
        self.named.insert(name.text.clone(), prepared);
        Ok(())
    }

    /// Runs a statement that was kept under a name.
    pub(crate) fn run_named(
        &mut self,
        name: &Name,
        args: Option<&QueryPlan>,
        params: &[Value],
        sql: &Arc<str>,
        snapshot: &Snapshot,
    ) -> Result<Outcome> {
        let values = self.arguments(args, params, sql, snapshot)?;
        // Taken out, for running needs the whole session. No prepared statement runs another one.
        let mut prepared = self.named.remove(&name.text).ok_or_else(|| self.no_statement(name, sql))?;
        if let Err(error) = takes(&prepared, name, values.len(), sql) {
            self.named.insert(name.text.clone(), prepared);
            return Err(error);
        }
        let outcome = self.run_prepared(&mut prepared, args, values, sql, snapshot);
        self.named.insert(name.text.clone(), prepared);
        outcome
    }

    /// A table of the rows of a query that was kept under a name: CREATE TABLE AS with the prepared text in its place.
    pub(crate) fn create_from_named(
        &mut self,
        name: &Name,
        args: Option<&QueryPlan>,
        into: ExecuteInto,
        params: &[Value],
        sql: &Arc<str>,
        snapshot: &Snapshot,
    ) -> Result<Outcome> {
        let values = self.arguments(args, params, sql, snapshot)?;
        let prepared = self.named.get(&name.text).ok_or_else(|| self.no_statement(name, sql))?;
        takes(prepared, name, values.len(), sql)?;
        if !matches!(prepared.plan.statement, plan::Statement::Query(_)) {
            let message = format!("prepared statement \"{}\" is not a query", name.text);
            return Err(Error::new(WRONG_OBJECT_TYPE, message)
                .with_help("only rows of a query make a table")
                .at(Some(name.span), sql));
        }
        let without = if into.with_data { "" } else { " WITH NO DATA" };
        let text = format!("{} {}\n{without}", into.head.of(sql), prepared.sql);
        let types = prepared.types.clone();
        let made = self.prepare_with(&text, &types)?;
        self.run_plan(&made.plan, &made.sql, Params::Positional(&values), snapshot, None)
    }

    /// The plan of a prepared statement with the arguments that EXPLAIN EXECUTE gives it.
    pub(crate) fn explain_named(
        &mut self,
        name: &Name,
        args: Option<&QueryPlan>,
        options: ExplainOptions,
        params: &[Value],
        sql: &Arc<str>,
        snapshot: &Snapshot,
    ) -> Result<Outcome> {
        let values = self.arguments(args, params, sql, snapshot)?;
        let mut prepared = self.named.remove(&name.text).ok_or_else(|| self.no_statement(name, sql))?;
        let outcome = takes(&prepared, name, values.len(), sql).and_then(|()| {
            self.renew(&mut prepared, snapshot)?;
            let (plan, text) = (prepared.plan.clone(), prepared.sql.clone());
            let values = self.fitted(&plan.params, args, values, sql)?;
            self.explain(&plan, options, &text, &values, snapshot).map_err(Error::elsewhere)
        });
        self.named.insert(name.text.clone(), prepared);
        outcome
    }

    /// The arguments of EXECUTE.
    fn arguments(
        &self,
        args: Option<&QueryPlan>,
        params: &[Value],
        sql: &Arc<str>,
        snapshot: &Snapshot,
    ) -> Result<Vec<Value>> {
        let Some(args) = args else { return Ok(Vec::new()) };
        let view = self.view_on(snapshot);
        let batches =
            Run { params, view: &view, sql, tuning: self.tuning(), given: &[], written: &[] }.collect(args)?;
        let row = batches.into_iter().next().expect("arguments are one row");
        Ok(row.into_columns().iter().map(|column| column.value(0)).collect())
    }

    /// The arguments as values of the parameters; what does not fit is placed where EXECUTE says it.
    fn fitted(&self, wanted: &[Param], args: Option<&QueryPlan>, values: Vec<Value>, sql: &str) -> Result<Vec<Value>> {
        let written = args.map_or(&[][..], |args| match &args.root.kind {
            NodeKind::Values { rows } => rows.first().map_or(&[][..], Vec::as_slice),
            NodeKind::Project { exprs, .. } => exprs,
            _ => &[],
        });
        let given = Params::Positional(&values);
        let fit = |(at, param): (usize, &Param)| {
            let place = written.get(at).map(|expr| expr.span);
            given.value_of(at, param, self.time_zone()).map_err(|error| error.at(place, sql))
        };
        wanted.iter().enumerate().map(fit).collect()
    }

    fn run_prepared(
        &mut self,
        prepared: &mut Prepared,
        args: Option<&QueryPlan>,
        values: Vec<Value>,
        sql: &str,
        snapshot: &Snapshot,
    ) -> Result<Outcome> {
        self.renew(prepared, snapshot)?;
        let (plan, text, outputs) = (prepared.plan.clone(), prepared.sql.clone(), prepared.outputs.clone());
        let values = self.fitted(&plan.params, args, values, sql)?;
        // Placed in the prepared text: that of EXECUTE says nothing about it.
        let outcome = self.run_plan(&plan, &text, Params::Positional(&values), snapshot, Some(&outputs));
        outcome.map_err(|error| error.at(None, &text).elsewhere())
    }

    /// What SHOW tells of the transaction that is open, or of the next one, beside the settings.
    pub(crate) fn told_of_transaction(&self) -> [(&'static str, &'static str); 2] {
        let options = match &self.state {
            State::Active(txn) | State::Failed(txn) => Some(txn.options()),
            State::Autocommit => None,
        };
        let isolation = match options.map_or(Isolation::Snapshot, |options| options.isolation) {
            Isolation::Serializable => "serializable",
            Isolation::Snapshot => "repeatable read",
        };
        let read_only = options.is_some_and(|options| options.read_only);
        [("transaction_isolation", isolation), ("transaction_read_only", if read_only { "on" } else { "off" })]
    }

    fn no_statement(&self, name: &Name, sql: &str) -> Error {
        let message = format!("there is no prepared statement \"{}\"", name.text);
        let error = Error::new(code::UNDEFINED_STATEMENT, message).at(Some(name.span), sql);
        match nearest(&name.text, self.named.keys().map(String::as_str)) {
            Some(near) => error.with_help(format!("there is one named \"{near}\"")),
            None => error.with_help("PREPARE name AS statement keeps one"),
        }
    }
}

/// As many arguments as the statement has parameters?
fn takes(prepared: &Prepared, name: &Name, given: usize, sql: &str) -> Result<()> {
    let wanted = prepared.plan.params.len();
    if given == wanted {
        return Ok(());
    }
    let message = format!("wrong number of parameters for prepared statement \"{}\"", name.text);
    Err(Error::new(SYNTAX, message)
        .with_help(format!("it takes {wanted}, and {given} are given"))
        .at(Some(name.span), sql))
}
