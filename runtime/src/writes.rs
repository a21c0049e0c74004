//! How is a statement that writes facts carried out?
//!
//! It reads its source to the end, then changes the transaction: a statement never sees its own writes, and one that fails
//! has changed nothing. RETURNING is a query over the rows that were written, run before the commit.
//!
//! Not here: what a change means (`txn`).

use crate::{
    error::{Error, Result},
    ops::{Tuning, Values},
    rows::{Done, Outcome, Rows},
    session::Session,
    statement::{Run, done, new_table, output_columns, periods},
    txn::{Changed, Clash, Edit, Twice, Txn, TxnView},
};
use spectradb_grammar::plan::{Conflict, Expr, Field, MergeAction, QueryPlan, Statement};
use spectradb_kernel::{Batch, Column, Value, schema::TableSchema};
use spectradb_store::Snapshot;
use std::sync::Arc;

/// What a writing statement is given.
struct Writer<'a> {
    params: &'a [Value],
    sql: &'a str,
    tuning: Tuning,
    /// The rows that the statement's changes so far returned.
    written: Vec<Vec<Batch>>,
    /// Have changes of the statement been carried out already?
    goes_on: bool,
}

/// What a statement changed, and the rows of its RETURNING.
type Written = (Changed, Vec<Batch>);

impl Session {
    /// Carries out INSERT, UPDATE, DELETE, MERGE or TRUNCATE, with the changes of their WITH.
    pub(crate) fn write(
        &mut self,
        statement: &Statement,
        sql: &Arc<str>,
        params: &[Value],
        snapshot: &Snapshot,
    ) -> Result<Outcome> {
        let tuning = self.tuning();
        let mut returned = Vec::new();
        let (changed, commit) = self.change_on(snapshot, |txn| {
            let writer = Writer { params, sql, tuning: tuning.clone(), written: Vec::new(), goes_on: false };
            let (changed, rows) = writer.whole(statement, txn)?;
            returned = rows;
            Ok(changed)
        })?;
        let said = match statement {
            Statement::With { body, .. } => body,
            statement => statement,
        };
        let (verb, returning) = match said {
            Statement::Query(query) => ("SELECT", Some(query)),
            Statement::Insert { .. } => ("INSERT", said.returning()),
            Statement::Update { .. } => ("UPDATE", said.returning()),
            Statement::Delete { .. } => ("DELETE", said.returning()),
            Statement::Merge { .. } => ("MERGE", said.returning()),
            _ => ("TRUNCATE TABLE", None),
        };
        let Some(returning) = returning else { return Ok(done(verb, Some((changed, commit)))) };
        let source = Box::new(Values::new(returned));
        let rows = Rows::open(output_columns(returning), source, sql.clone(), self.failed_flag())?;
        Ok(Outcome::Rows(rows.after(Done::new(verb, Some(changed), commit))))
    }

    /// Carries out CREATE TABLE AS. The rows are computed before there is a table, so that a query that fails leaves none.
    pub(crate) fn create_table_as(
        &mut self,
        table: &TableSchema,
        source: Option<&QueryPlan>,
        sql: &Arc<str>,
        params: &[Value],
        snapshot: &Snapshot,
    ) -> Result<Outcome> {
        let writer = Writer { params, sql, tuning: self.tuning(), written: Vec::new(), goes_on: false };
        let view = self.view_on(snapshot);
        let batches = match source {
            Some(source) => writer.run(&view, &[]).collect(source)?,
            None => Vec::new(),
        };
        let mut facts = Vec::with_capacity(batches.len());
        for batch in batches {
            let mut columns = batch.into_columns();
            let bounds = columns.split_off(columns.len() - 2);
            facts.push((columns, periods(&bounds[0], &bounds[1])?));
        }
        drop(view);
        let table = self.store().create_table(new_table(table), snapshot.catalog().version)?;
        let mut edit = Edit::new(&table, None);
        facts.into_iter().for_each(|(columns, periods)| edit.insert(columns, periods, Vec::new()));
        let mut edit = Some(edit);
        let filled = self.change_on(&self.store().snapshot(), |txn| match edit.take() {
            Some(edit) => txn.apply(edit),
            None => Ok(Changed::default()),
        });
        if filled.is_err() {
            // A statement that fails changes nothing: the table goes again. Where the store itself has failed it cannot, and
            // that failure is told.
            let version = self.store().catalog().version;
            self.store().drop_table(table.id, version)?;
        }
        filled.map(|filled| done("CREATE TABLE AS", Some(filled)))
    }
}

impl Writer<'_> {
    fn run<'r>(&'r self, view: &'r TxnView, given: &'r [Batch]) -> Run<'r> {
        Run { params: self.params, view, sql: self.sql, tuning: self.tuning.clone(), given, written: &self.written }
    }

    /// A statement with the changes of its WITH: all read the state before it, and are carried out in their order.
    fn whole(mut self, statement: &Statement, txn: &mut Txn) -> Result<Written> {
        let view = txn.view();
        let Statement::With { changes, body } = statement else { return self.change(statement, view, txn) };
        let mut all = Changed::default();
        for change in changes {
            let (changed, rows) = self.change(change, view.clone(), txn)?;
            all += changed;
            self.written.push(rows);
            self.goes_on = true;
        }
        match &**body {
            Statement::Query(query) => Ok((all, self.run(&view, &[]).collect(query)?)),
            // What is told is what the statement itself did.
            body => self.change(body, view, txn),
        }
    }

    fn change(&self, statement: &Statement, view: TxnView, txn: &mut Txn) -> Result<Written> {
        match statement {
            Statement::Insert { table, source, conflict, returning } => {
                self.insert((view, txn), table, source, conflict.as_ref(), returning.as_ref())
            }
            Statement::Update { table, source, portion, joined, returning } => {
                self.edit((view, txn), (table, source), portion.as_ref(), *joined, returning.as_ref(), |edit, batch| {
                    edit.update(batch, None)
                })
            }
            Statement::Delete { table, source, portion, joined, returning } => {
                self.edit((view, txn), (table, source), portion.as_ref(), *joined, returning.as_ref(), Edit::delete)
            }
            Statement::Merge { table, source, portion, actions, returning } => {
                self.merge((view, txn), (table, source), portion.as_ref(), actions, returning.as_ref())
            }
            Statement::Truncate { tables } => {
                let mut changed = Changed::default();
                for (table, source) in tables {
                    changed += self.edit((view.clone(), txn), (table, source), None, false, None, Edit::delete)?.0;
                }
                Ok((changed, Vec::new()))
            }
            Statement::Query(query) => Ok((Changed::default(), self.run(&view, &[]).collect(query)?)),
            _ => Err(Error::new(spectradb_grammar::diag::code::INTERNAL, "the statement writes no facts")),
        }
    }

    /// An UPDATE or a DELETE.
    fn edit(
        &self,
        (view, txn): (TxnView, &mut Txn),
        (table, source): (&Arc<TableSchema>, &QueryPlan),
        portion: Option<&(Expr, Expr)>,
        joined: bool,
        returning: Option<&QueryPlan>,
        add: impl Fn(&mut Edit, Batch) -> Result<()>,
    ) -> Result<Written> {
        let run = self.run(&view, &[]);
        let mut edit = Edit::new(table, run.portion(portion, &source.subplans)?);
        if joined {
            edit.watch(Twice::First);
        }
        if returning.is_some() {
            edit.keep_returned();
        }
        for batch in run.collect(source)? {
            add(&mut edit, batch)?;
        }
        self.finish(txn, view, edit, returning)
    }

    /// Carries an edit out and computes RETURNING, which sees the state before it.
    fn finish(&self, txn: &mut Txn, view: TxnView, mut edit: Edit, returning: Option<&QueryPlan>) -> Result<Written> {
        if self.goes_on {
            txn.refuse_changed(&view, &edit)?;
        }
        let rows = match returning {
            Some(returning) => self.run(&view, &edit.take_returned()).collect(returning)?,
            None => Vec::new(),
        };
        // What is still lent out would be copied when it changes.
        drop(view);
        Ok((txn.apply(edit)?, rows))
    }

    fn insert(
        &self,
        (view, txn): (TxnView, &mut Txn),
        table: &Arc<TableSchema>,
        source: &QueryPlan,
        conflict: Option<&Conflict>,
        returning: Option<&QueryPlan>,
    ) -> Result<Written> {
        if conflict.is_none() && returning.is_none() && !self.goes_on {
            return Ok((self.insert_in_lots((view, txn), table, source)?, Vec::new()));
        }
        let mut edit = Edit::new(table, None);
        if returning.is_some() {
            edit.keep_returned();
        }
        let batches = self.run(&view, &[]).collect(source)?;
        match conflict {
            None => {
                for batch in batches {
                    let mut columns = batch.into_columns();
                    let bounds = columns.split_off(columns.len() - 2);
                    edit.insert(columns, periods(&bounds[0], &bounds[1])?, Vec::new());
                }
                self.finish(txn, view, edit, returning)
            }
            Some(conflict) => {
                let types = source.root.fields.iter().map(|field| field.ty);
                let parts: Vec<Vec<Column>> = batches.into_iter().map(Batch::into_columns).collect();
                let all = types
                    .enumerate()
                    .map(|(at, ty)| Column::concat(ty, &parts.iter().map(|part| part[at].clone()).collect::<Vec<_>>()));
                let mut columns: Vec<Column> = all.collect();
                let bounds = columns.split_off(columns.len() - 2);
                let periods = periods(&bounds[0], &bounds[1])?;
                txn.may_hold(table, &columns)?;
                let updates = matches!(conflict, Conflict::Update(_));
                let Clash { free: (free, free_periods, numbers), taken } =
                    txn.clash(table, &columns, &periods, updates)?;
                if let (Conflict::Update(update), Some(taken)) = (conflict, taken) {
                    for batch in self.run(&view, &[taken]).collect(update)? {
                        let columns = batch.into_columns();
                        let first = columns.len() - 3;
                        let parts = self::periods(&columns[first], &columns[first + 1])?;
                        let rest = columns.iter().enumerate().filter(|(at, _)| !(first..first + 2).contains(at));
                        let rest = rest.map(|(_, column)| column.clone()).collect();
                        edit.update(Batch::new(rest, parts.len()), Some(parts))?;
                    }
                }
                if !free_periods.is_empty() {
                    let mut extra: Vec<Column> = old_values(table, conflict)
                        .iter()
                        .map(|field| Column::constant(field.ty, Value::Null, free_periods.len()))
                        .collect();
                    extra.push(numbers);
                    edit.insert(free, free_periods, extra);
                }
                edit.order_returned();
                self.finish(txn, view, edit, returning)
            }
        }
    }

    /// States the rows of a query, whatever their number: lot by lot, in the memory that a transaction has. The query goes on
    /// reading what was there before the statement.
    fn insert_in_lots(
        &self,
        (view, txn): (TxnView, &mut Txn),
        table: &Arc<TableSchema>,
        source: &QueryPlan,
    ) -> Result<Changed> {
        let mut changed = Changed::default();
        let lot_bytes = txn.lot_bytes();
        let last = self.run(&view, &[]).in_lots(source, lot_bytes, &mut |lot| {
            changed += insert_lot(txn, table, lot, changed.rows)?;
            txn.spill_if_full()
        })?;
        // What is still lent out would be copied when it changes.
        drop(view);
        changed += insert_lot(txn, table, last, changed.rows)?;
        Ok(changed)
    }

    fn merge(
        &self,
        (view, txn): (TxnView, &mut Txn),
        (table, source): (&Arc<TableSchema>, &QueryPlan),
        portion: Option<&(Expr, Expr)>,
        actions: &[MergeAction],
        returning: Option<&QueryPlan>,
    ) -> Result<Written> {
        let run = self.run(&view, &[]);
        let mut edit = Edit::new(table, run.portion(portion, &source.subplans)?);
        edit.watch(Twice::Refused);
        if returning.is_some() {
            edit.keep_returned();
        }
        let rows = run.collect(source)?;
        for action in actions {
            let run = self.run(&view, &rows);
            match action {
                MergeAction::Update(plan) => {
                    run.collect(plan)?.into_iter().try_for_each(|batch| edit.update(batch, None))?;
                }
                MergeAction::Delete(plan) => {
                    run.collect(plan)?.into_iter().try_for_each(|batch| edit.delete(batch))?;
                }
                MergeAction::Insert(plan) => {
                    let width = table.columns.iter().filter(|column| !column.hidden).count();
                    for batch in run.collect(plan)? {
                        let mut columns = batch.into_columns();
                        let extra = columns.split_off(width + 2);
                        let bounds = columns.split_off(width);
                        edit.insert(columns, periods(&bounds[0], &bounds[1])?, extra);
                    }
                }
            }
        }
        self.finish(txn, view, edit, returning)
    }
}

/// The old values that DO UPDATE gives for RETURNING: what stands between the changed fact and the part that changes.
fn old_values<'c>(table: &TableSchema, conflict: &'c Conflict) -> &'c [Field] {
    match conflict {
        Conflict::Nothing => &[],
        Conflict::Update(update) => {
            let fields = &update.root.fields;
            &fields[2 * table.columns.len() + 4..fields.len() - 3]
        }
    }
}

/// States rows of a statement, of which it has stated so many before.
fn insert_lot(txn: &mut Txn, table: &Arc<TableSchema>, lot: Vec<Batch>, before: u64) -> Result<Changed> {
    let mut edit = Edit::new(table, None);
    for batch in lot {
        let mut columns = batch.into_columns();
        let bounds = columns.split_off(columns.len() - 2);
        edit.insert(columns, periods(&bounds[0], &bounds[1])?, Vec::new());
    }
    txn.apply(edit).map_err(|error| match error.row() {
        Some(row) if before > 0 => error.of_row(before as usize + row),
        Some(_) | None => error,
    })
}
