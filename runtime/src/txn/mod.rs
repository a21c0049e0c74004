//! What does a transaction see, and what has it changed so far?
//!
//! A transaction reads one pinned snapshot. Its own writes are kept beside it, per table: new facts by columns
//! ([`Piece`]), and the committed facts they end. A scan of the latest state leaves out the ended facts and adds the
//! transaction's own; a scan of a past state sees the snapshot alone. Nothing reaches the store before the commit.
//!
//! Holds: the facts of one key that a transaction would leave current never overlap; a statement that would break this is
//! refused before it changes anything.
//! Not here: evaluating SQL (`ops`, `interp`), deciding between BEGIN and autocommit (`session`).

mod changes;
#[cfg(test)]
mod tests;

use crate::{
    error::{Error, Result, code},
    ops::{Reads, TableReader, TableScan},
};
use changes::{Piece, TableChanges, UNCOMMITTED};
use hashbrown::HashMap;
use spectradb_kernel::{
    Batch, Column, Period, Type, Value, key, rectangle,
    schema::{TableId, TableSchema},
    time::{Commit, Micros},
    ty::LaneKind,
};
use spectradb_store::{
    Snapshot,
    error::StoreError,
    fact::Write,
    scan::{ScanSpec, SystemScope},
};
use std::sync::Arc;

/// One transaction.
pub(crate) struct Txn {
    view: TxnView,
}

/// What a transaction sees at one moment; it stays as it is when the transaction goes on.
#[derive(Clone)]
pub(crate) struct TxnView {
    snapshot: Snapshot,
    now: Micros,
    changes: Arc<HashMap<TableId, TableChanges>>,
}

/// What a statement changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Facts inserted, changed or ended.
    pub rows: u64,
    /// Parts of facts outside a portion that were stated again.
    pub leftovers: u64,
}

/// The rows of an UPDATE or DELETE as its source gives them.
struct OldFacts {
    columns: Vec<Column>,
    keys: Vec<Vec<u8>>,
    periods: Vec<Period>,
    commits: Vec<Commit>,
    origins: Vec<Commit>,
}

impl TxnView {
    /// The snapshot it reads.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Has the transaction changed a table itself?
    pub(crate) fn has_changed(&self, table: TableId) -> bool {
        self.changes.contains_key(&table)
    }

    /// What `now()` says.
    pub(crate) fn now(&self) -> Micros {
        self.now
    }

    /// A point of system time before a table was made is an error, not an empty answer. After the newest commit there is
    /// none: a table made since then is there, and empty.
    fn check_existed(&self, spec: &ScanSpec) -> Result<(), StoreError> {
        let SystemScope::AsOf(commit) = spec.system else { return Ok(()) };
        if commit >= self.snapshot.commit() || self.snapshot.catalog_at(commit)?.by_id(spec.table).is_some() {
            return Ok(());
        }
        let name = self.snapshot.catalog().by_id(spec.table).map(|table| table.name.clone());
        Err(StoreError::NotYetCreated { table: name.unwrap_or_else(|| spec.table.to_string()), commit })
    }
}

impl TableReader for TxnView {
    fn scan(&self, spec: ScanSpec, reads: Reads) -> Result<TableScan, StoreError> {
        let changes = match reads {
            Reads::Committed => {
                self.check_existed(&spec)?;
                None
            }
            Reads::WithOwnWrites => self.changes.get(&spec.table),
        };
        let Some(changes) = changes else {
            return Ok(Box::new(self.snapshot.scan(spec)?));
        };
        let own = changes.own_batches(&spec, self.now);
        let committed: TableScan = if changes.ends_nothing() {
            Box::new(self.snapshot.scan(spec)?)
        } else {
            changes.without_ended(&self.snapshot, spec)?
        };
        Ok(Box::new(committed.chain(own.into_iter().map(Ok))))
    }

    fn commit_at(&self, instant: Micros) -> Result<Commit, StoreError> {
        self.snapshot.commit_at(instant)
    }

    fn current_commit(&self) -> Commit {
        self.snapshot.commit()
    }
}

impl Txn {
    /// A transaction on a snapshot; `now` is what `now()` says throughout.
    pub(crate) fn new(snapshot: Snapshot, now: Micros) -> Txn {
        Txn { view: TxnView { snapshot, now, changes: Arc::default() } }
    }

    /// The snapshot it reads.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.view.snapshot
    }

    /// What a statement that begins now sees.
    pub(crate) fn view(&self) -> TxnView {
        self.view.clone()
    }

    /// New facts: `columns` are those of the schema that are not hidden, in order. Refuses a NULL where there may be none
    /// and a key that is taken over an overlapping period.
    ///
    /// # Errors
    /// 23502, 23505, or the store's.
    pub(crate) fn insert(
        &mut self,
        table: &Arc<TableSchema>,
        columns: Vec<Column>,
        periods: Vec<Period>,
    ) -> Result<Changed> {
        let columns = self.with_hidden(table, columns, periods.len())?;
        check_not_null(table, &columns)?;
        let keys = encode_keys(table, &columns, periods.len());
        self.check_unique(table, &keys, &periods, &columns)?;
        let rows = periods.len() as u64;
        let origins = vec![UNCOMMITTED; periods.len()];
        self.changes_of(table).push(Piece { columns, keys, periods, origins });
        Ok(Changed { rows, leftovers: 0 })
    }

    /// Changed facts. The batches' columns are those that `plan::Statement::Update` documents; `portion` is the part of
    /// each fact that changes. A fact that would stay as it is is left alone.
    ///
    /// # Errors
    /// 23502, 23505, 22000 for an empty portion, or the store's.
    pub(crate) fn update(
        &mut self,
        table: &Arc<TableSchema>,
        batches: Vec<Batch>,
        portion: Option<Period>,
    ) -> Result<Changed> {
        let column_count = table.columns.len();
        let mut changed = Changed::default();
        let mut fresh: Vec<Piece> = Vec::new();
        for batch in batches {
            let mut columns = batch.into_columns();
            let new_columns = columns.split_off(column_count + 4);
            let old = OldFacts::new(table, columns);
            let wanted: Vec<u32> = (0..old.periods.len() as u32)
                .filter(|row| !rows_identical(&old.columns, *row as usize, &new_columns, *row as usize))
                .filter(|row| portion.is_none_or(|portion| portion.overlaps(old.periods[*row as usize])))
                .collect();
            if wanted.is_empty() {
                continue;
            }
            let old = old.take(&wanted);
            let new_columns: Vec<Column> = new_columns.iter().map(|column| column.take(&wanted)).collect();
            check_not_null(table, &new_columns)?;
            let periods: Vec<Period> = old.periods.iter().map(|period| part_of(*period, portion)).collect();
            let keys = encode_keys(table, &new_columns, periods.len());
            changed.rows += wanted.len() as u64;
            changed.leftovers += self.end(table, &old, portion);
            let origins = vec![UNCOMMITTED; periods.len()];
            fresh.push(Piece { columns: new_columns, keys, periods, origins });
        }
        // Uniqueness is asked of the statement's result: every old fact is gone before the new ones are looked at.
        for piece in fresh {
            self.check_unique(table, &piece.keys, &piece.periods, &piece.columns)?;
            self.changes_of(table).push(piece);
        }
        Ok(changed)
    }

    /// Ended facts. The batches' columns are those that `plan::Statement::Delete` documents.
    ///
    /// # Errors
    /// None of its own.
    pub(crate) fn delete(
        &mut self,
        table: &Arc<TableSchema>,
        batches: Vec<Batch>,
        portion: Option<Period>,
    ) -> Result<Changed> {
        let mut changed = Changed::default();
        for batch in batches {
            let old = OldFacts::new(table, batch.into_columns());
            let wanted: Vec<u32> = (0..old.periods.len() as u32)
                .filter(|row| portion.is_none_or(|portion| portion.overlaps(old.periods[*row as usize])))
                .collect();
            if wanted.is_empty() {
                continue;
            }
            let old = old.take(&wanted);
            changed.rows += wanted.len() as u64;
            changed.leftovers += self.end(table, &old, portion);
        }
        Ok(changed)
    }

    /// Everything that it would commit; `None` when that is nothing.
    pub(crate) fn into_write(self) -> Option<Write> {
        let mut write = Write {
            snapshot: self.view.snapshot.commit(),
            catalog_version: self.view.snapshot.catalog().version,
            ..Write::default()
        };
        // A view of a query that is still open shares the changes: then they are copied (their columns stay shared).
        let changes = Arc::unwrap_or_clone(self.view.changes);
        let mut tables: Vec<TableChanges> = changes.into_values().collect();
        tables.sort_by_key(TableChanges::table);
        for changes in tables {
            changes.add_to(&mut write);
        }
        let is_empty = write.facts.is_empty() && write.superseded.is_empty() && write.retractions.is_empty();
        (!is_empty).then_some(write)
    }

    fn changes_of(&mut self, table: &Arc<TableSchema>) -> &mut TableChanges {
        Arc::make_mut(&mut self.view.changes).entry(table.id).or_insert_with(|| TableChanges::new(table.clone()))
    }

    /// Ends facts and states their leftovers again; answers how many leftovers there are.
    fn end(&mut self, table: &Arc<TableSchema>, old: &OldFacts, portion: Option<Period>) -> u64 {
        let cut = rectangle::supersede(old.periods.iter().copied(), [portion.unwrap_or(Period::ALWAYS)]);
        let changes = self.changes_of(table);
        for (row, key) in old.keys.iter().enumerate() {
            changes.end_fact(key, old.periods[row], old.commits[row]);
        }
        if !cut.leftovers.is_empty() {
            let rows: Vec<u32> = cut.leftovers.iter().map(|left| left.of as u32).collect();
            changes.push(Piece {
                columns: old.columns.iter().map(|column| column.take(&rows)).collect(),
                keys: rows.iter().map(|row| old.keys[*row as usize].clone()).collect(),
                periods: cut.leftovers.iter().map(|left| left.period).collect(),
                origins: rows.iter().map(|row| old.origins[*row as usize]).collect(),
            });
        }
        cut.leftovers.len() as u64
    }

    /// Refuses keys that are taken over an overlapping period: among themselves, by own facts, by committed ones.
    fn check_unique(
        &mut self,
        table: &Arc<TableSchema>,
        keys: &[Vec<u8>],
        periods: &[Period],
        columns: &[Column],
    ) -> Result<()> {
        let now = self.view.now;
        let rising = keys.windows(2).all(|pair| pair[0] < pair[1]);
        if let Some((row, period)) = self.changes_of(table).own_clash(keys, periods, rising) {
            return Err(duplicate_key(table, columns, row, period, now));
        }
        if !rising {
            let mut order: Vec<u32> = (0..keys.len() as u32).collect();
            order.sort_unstable_by(|a, b| {
                let (a, b) = (*a as usize, *b as usize);
                keys[a].cmp(&keys[b]).then(periods[a].cmp(&periods[b])).then(a.cmp(&b))
            });
            for pair in order.windows(2) {
                let (first, second) = (pair[0] as usize, pair[1] as usize);
                if keys[first] == keys[second] && periods[first].overlaps(periods[second]) {
                    let (row, period) =
                        if first < second { (second, periods[first]) } else { (first, periods[second]) };
                    return Err(duplicate_key(table, columns, row, period, now));
                }
            }
        }
        let overlaps = self.view.snapshot.overlapping(table.id, keys, periods)?;
        let changes = &self.view.changes[&table.id];
        for overlap in overlaps {
            if !changes.is_ended(&keys[overlap.key_idx], overlap.period) {
                return Err(duplicate_key(table, columns, overlap.key_idx, overlap.period, now));
            }
        }
        Ok(())
    }

    /// Adds the hidden row number of a table without a declared key.
    fn with_hidden(&self, table: &TableSchema, columns: Vec<Column>, row_count: usize) -> Result<Vec<Column>> {
        if !table.columns.iter().any(|column| column.hidden) {
            return Ok(columns);
        }
        let committed = self.view.snapshot.key_max(table.id)?;
        let own = self.view.changes.get(&table.id).and_then(|changes| changes.key_top().map(<[u8]>::to_vec));
        let last = match committed.max(own) {
            None => 0,
            Some(bytes) => match key::decode(&bytes, &[Type::Integer]).as_deref() {
                Ok([Value::Integer(last)]) => *last,
                _ => return Err(Error::new(code::DATA_CORRUPTED, "a row number is not a number")),
            },
        };
        let mut given = columns.into_iter();
        let mut all = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            all.push(if column.hidden {
                Column::from_i64s(Type::Integer, (1..=row_count as i64).map(|row| last + row).collect())
            } else {
                given.next().expect("the binder gives every column that is not hidden")
            });
        }
        Ok(all)
    }
}

impl OldFacts {
    fn new(table: &TableSchema, mut columns: Vec<Column>) -> OldFacts {
        let marks = columns.split_off(table.columns.len());
        let micros = |column_idx: usize| marks[column_idx].i64s();
        let row_count = marks[0].len();
        let (from, to, commit, origin) = (micros(0), micros(1), micros(2), micros(3));
        let periods = (0..row_count)
            .map(|row| Period::new(from.at(row), to.at(row)).expect("stored periods are not empty"))
            .collect();
        let keys = encode_keys(table, &columns, row_count);
        let commits = (0..row_count).map(|row| commit.at(row) as Commit).collect();
        let origins = (0..row_count).map(|row| origin.at(row) as Commit).collect();
        OldFacts { columns, keys, periods, commits, origins }
    }

    fn take(self, rows: &[u32]) -> OldFacts {
        if rows.len() == self.periods.len() {
            return self;
        }
        OldFacts {
            columns: self.columns.iter().map(|column| column.take(rows)).collect(),
            keys: rows.iter().map(|row| self.keys[*row as usize].clone()).collect(),
            periods: rows.iter().map(|row| self.periods[*row as usize]).collect(),
            commits: rows.iter().map(|row| self.commits[*row as usize]).collect(),
            origins: rows.iter().map(|row| self.origins[*row as usize]).collect(),
        }
    }
}

/// Do two rows of columns of one schema hold the same values? Unlike SQL's equality, -0.0 is not 0.0: a change is a change.
fn rows_identical(a: &[Column], a_row: usize, b: &[Column], b_row: usize) -> bool {
    a.iter().zip(b).all(|(a, b)| {
        if a.is_null(a_row) || b.is_null(b_row) {
            return a.is_null(a_row) && b.is_null(b_row);
        }
        match a.ty().lane() {
            LaneKind::Bytes => a.byte_vals().at(a_row) == b.byte_vals().at(b_row),
            LaneKind::F64 | LaneKind::Bool | LaneKind::I64 | LaneKind::I128 => match (a.value(a_row), b.value(b_row)) {
                (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
                (a, b) => a == b,
            },
        }
    })
}

fn part_of(period: Period, portion: Option<Period>) -> Period {
    portion.map_or(period, |portion| period.intersect(portion).expect("only facts that overlap the portion change"))
}

fn encode_keys(table: &TableSchema, columns: &[Column], row_count: usize) -> Vec<Vec<u8>> {
    let key_columns: Vec<Column> = table.key.iter().map(|column_idx| columns[*column_idx].clone()).collect();
    (0..row_count)
        .map(|row| {
            let mut bytes = Vec::with_capacity(key_columns.len() * 9);
            key::encode(&key_columns, row, &mut bytes);
            bytes
        })
        .collect()
}

fn check_not_null(table: &TableSchema, columns: &[Column]) -> Result<()> {
    for (column, schema) in columns.iter().zip(&table.columns) {
        if !schema.nullable && column.has_nulls() {
            let message = format!(
                "null value in column \"{}\" of table \"{}\" violates its not-null constraint",
                schema.name, table.name
            );
            return Err(Error::new(code::NOT_NULL_VIOLATION, message).with_help("give the column a value"));
        }
    }
    Ok(())
}

fn duplicate_key(table: &TableSchema, columns: &[Column], row: usize, clash: Period, now: Micros) -> Error {
    let names: Vec<&str> = table.key.iter().map(|column_idx| table.columns[*column_idx].name.as_str()).collect();
    let values: Vec<String> = table.key.iter().map(|column_idx| columns[*column_idx].value(row).to_string()).collect();
    let valid = if clash == Period::ALWAYS { "always".to_owned() } else { format!("over {clash}") };
    let not_now = if clash.contains(now) { "" } else { ", which is not now" };
    let message = format!(
        "duplicate key in table \"{}\": ({})=({}) exists already, valid {valid}{not_now}",
        table.name,
        names.join(", "),
        values.join(", ")
    );
    let help = if clash == Period::ALWAYS {
        "change the existing fact with UPDATE, or end it first"
    } else {
        "insert over a period that does not overlap with VALID FROM ... TO ..., or change the fact with UPDATE"
    };
    Error::new(code::UNIQUE_VIOLATION, message).with_help(help)
}
