//! What has a transaction changed in one table?
//!
//! New facts lie in pieces, one a statement, by columns; a fact that is changed again is marked dead where it lies. The
//! committed facts that end are kept by key. At the commit, what an ended fact covered and no new fact covers is deleted,
//! and the ledger is told so.
//!
//! Holds: alive facts of one key never overlap; an own fact is found by its key and its period.

use super::Keys;
use crate::ops::TableScan;
use hashbrown::HashMap;
use spectradb_kernel::{
    Batch, Column, Period, Type,
    column::ColumnBuilder,
    key,
    rectangle::{self, Leftover},
    schema::{TableId, TableSchema},
    time::{Commit, Micros},
};
use spectradb_store::{
    Snapshot,
    error::StoreError,
    fact::{FactBatch, FactId, Retraction, Superseded, Write},
    scan::{KeyRange, ScanColumn, ScanSpec, ValidScope},
};
use std::sync::Arc;

/// The `_commit` of a fact that is not committed yet.
pub(super) const UNCOMMITTED: Commit = 0;

#[derive(Clone)]
pub(super) struct TableChanges {
    schema: Arc<TableSchema>,
    pieces: Vec<Arc<Piece>>,
    /// Rows of pieces that were written and then changed again; empty for a piece of which none was.
    dead: Vec<Vec<bool>>,
    /// The transaction's own current facts by key; only of the first `indexed_count` pieces.
    own: HashMap<Vec<u8>, Vec<OwnFact>>,
    indexed_count: usize,
    /// The largest key of all pieces: rows above it need no look into the index.
    key_top: Option<Vec<u8>>,
    /// Committed facts that end with this transaction.
    ended: HashMap<Vec<u8>, Vec<Ended>>,
}

/// Facts written by one statement, by columns of the schema.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) columns: Vec<Column>,
    pub(super) keys: Keys,
    pub(super) periods: Vec<Period>,
    pub(super) origins: Vec<Commit>,
}

#[derive(Clone, Copy)]
struct OwnFact {
    piece_idx: usize,
    row: usize,
    period: Period,
}

#[derive(Clone, Copy)]
struct Ended {
    period: Period,
    commit: Commit,
}

impl TableChanges {
    /// No change yet.
    pub(super) fn new(schema: Arc<TableSchema>) -> TableChanges {
        TableChanges {
            schema,
            pieces: Vec::new(),
            dead: Vec::new(),
            own: HashMap::new(),
            indexed_count: 0,
            key_top: None,
            ended: HashMap::new(),
        }
    }

    /// The table.
    pub(super) fn table(&self) -> TableId {
        self.schema.id
    }

    /// Does it end no committed fact?
    pub(super) fn ends_nothing(&self) -> bool {
        self.ended.is_empty()
    }

    /// The largest key written.
    pub(super) fn key_top(&self) -> Option<&[u8]> {
        self.key_top.as_deref()
    }

    /// A row whose key one of the own facts holds over an overlapping period, and that period. `rising` says that the
    /// keys are sorted and distinct.
    pub(super) fn own_clash(&mut self, keys: &Keys, periods: &[Period], rising: bool) -> Option<(usize, Period)> {
        let above = match &self.key_top {
            Some(top) if keys.len() > 0 => rising && top.as_slice() < &keys[0],
            Some(_) | None => true,
        };
        if above {
            return None;
        }
        self.index_all();
        keys.iter().enumerate().find_map(|(row, key)| {
            let facts = self.own.get(key)?;
            let clash = facts.iter().map(|fact| fact.period).find(|period| period.overlaps(periods[row]))?;
            Some((row, clash))
        })
    }

    /// Does the transaction end the committed fact of this key and period?
    pub(super) fn is_ended(&self, key: &[u8], period: Period) -> bool {
        self.ended.get(key).is_some_and(|ended| ended.iter().any(|fact| fact.period == period))
    }

    /// How many pieces of new facts there are.
    pub(super) fn piece_count(&self) -> usize {
        self.pieces.len()
    }

    /// Is a fact as it was when there were so many pieces: a committed one, or an own one of the commit 0?
    pub(super) fn is_current(&mut self, key: &[u8], period: Period, commit: Commit, piece_count: usize) -> bool {
        if commit != UNCOMMITTED {
            return !self.is_ended(key, period);
        }
        self.index_all();
        let mut own = self.own.get(key).into_iter().flatten();
        own.any(|fact| fact.period == period && fact.piece_idx < piece_count)
    }

    /// Adds new facts.
    pub(super) fn push(&mut self, piece: Piece) {
        if let Some(last) = piece.keys.iter().max()
            && self.key_top.as_deref().is_none_or(|top| top < last)
        {
            self.key_top = Some(last.to_vec());
        }
        self.dead.push(Vec::new());
        self.pieces.push(Arc::new(piece));
    }

    fn index_all(&mut self) {
        for piece_idx in self.indexed_count..self.pieces.len() {
            let piece = self.pieces[piece_idx].clone();
            for (row, key) in piece.keys.iter().enumerate() {
                let fact = OwnFact { piece_idx, row, period: piece.periods[row] };
                self.own.entry_ref(key).or_default().push(fact);
            }
        }
        self.indexed_count = self.pieces.len();
    }

    /// Ends a fact: a committed one, or an own one of the commit 0.
    pub(super) fn end_fact(&mut self, key: &[u8], period: Period, commit: Commit) {
        if commit != UNCOMMITTED {
            self.ended.entry_ref(key).or_default().push(Ended { period, commit });
            return;
        }
        self.index_all();
        let facts = self.own.get_mut(key).expect("an own fact is in the index");
        let at = facts.iter().position(|fact| fact.period == period).expect("an own fact is found by its period");
        let fact = facts.swap_remove(at);
        let dead = &mut self.dead[fact.piece_idx];
        if dead.is_empty() {
            dead.resize(self.pieces[fact.piece_idx].periods.len(), false);
        }
        dead[fact.row] = true;
    }

    /// The rows of a piece that still count.
    fn alive(&self, piece_idx: usize) -> impl Iterator<Item = u32> + '_ {
        let dead = &self.dead[piece_idx];
        let rows = 0..self.pieces[piece_idx].periods.len() as u32;
        rows.filter(|row| !dead.get(*row as usize).is_some_and(|dead| *dead))
    }

    /// The transaction's own current facts that a scan asks for.
    pub(super) fn own_batches(&self, spec: &ScanSpec, now: Micros) -> Vec<Batch> {
        let mut batches = Vec::new();
        for (piece_idx, piece) in self.pieces.iter().enumerate() {
            let rows: Vec<u32> = self
                .alive(piece_idx)
                .filter(|row| {
                    let row = *row as usize;
                    is_in_valid_scope(&spec.valid, piece.periods[row]) && is_in_key_range(&spec.keys, &piece.keys[row])
                })
                .collect();
            for rows in rows.chunks(spec.batch_rows_max.max(1)) {
                let columns = spec.columns.iter().map(|column| piece.scan_column(*column, rows, now)).collect();
                batches.push(Batch::new(columns, rows.len()));
            }
        }
        batches
    }

    /// The snapshot's facts of a scan, less those that the transaction has ended.
    pub(super) fn without_ended(&self, snapshot: &Snapshot, mut spec: ScanSpec) -> Result<TableScan, StoreError> {
        let wanted_count = spec.columns.len();
        let key_at = spec.columns.len();
        spec.columns.extend(self.schema.key.iter().map(|column_idx| ScanColumn::Data(*column_idx)));
        let from_at = spec.columns.len();
        spec.columns.push(ScanColumn::ValidFrom);
        let ended: HashMap<Vec<u8>, Vec<Micros>> = self
            .ended
            .iter()
            .map(|(key, facts)| (key.clone(), facts.iter().map(|fact| fact.period.from()).collect()))
            .collect();
        let scan = snapshot.scan(spec)?;
        Ok(Box::new(scan.map(move |batch| {
            let batch = batch?.dense();
            let row_count = batch.len();
            let mut columns = batch.into_columns();
            let valid_from = columns[from_at].clone();
            let keys: Vec<Column> = columns[key_at..from_at].to_vec();
            columns.truncate(wanted_count);
            let from = valid_from.i64s();
            let mut bytes = Vec::new();
            let rows: Vec<u32> = (0..row_count)
                .filter(|row| {
                    bytes.clear();
                    key::encode(&keys, *row, &mut bytes);
                    ended.get(bytes.as_slice()).is_none_or(|starts| !starts.contains(&from.at(*row)))
                })
                .map(|row| row as u32)
                .collect();
            let batch = Batch::new(columns, row_count);
            Ok(if rows.len() == row_count { batch } else { batch.select(rows) })
        })))
    }

    /// Adds what the transaction changed to a write.
    pub(super) fn add_to(mut self, write: &mut Write) {
        let table = self.schema.id;
        if self.ended.is_empty() && self.dead.iter().all(Vec::is_empty) {
            // New facts only: they are the write's, and copied only where an open query sees them too.
            for piece in self.pieces.into_iter().filter(|piece| !piece.periods.is_empty()) {
                let Piece { columns, keys: _, periods, origins } = Arc::unwrap_or_clone(piece);
                write.facts.push(FactBatch { table, schema_version: self.schema.version, columns, periods, origins });
            }
            return;
        }
        for (piece_idx, piece) in self.pieces.iter().enumerate() {
            if !self.dead[piece_idx].contains(&true) && !piece.periods.is_empty() {
                write.facts.push(FactBatch {
                    table,
                    schema_version: self.schema.version,
                    columns: piece.columns.clone(),
                    periods: piece.periods.clone(),
                    origins: piece.origins.clone(),
                });
                continue;
            }
            let alive: Vec<u32> = self.alive(piece_idx).collect();
            if alive.is_empty() {
                continue;
            }
            let whole = alive.len() == piece.periods.len();
            let pick = |column: &Column| if whole { column.clone() } else { column.take(&alive) };
            write.facts.push(FactBatch {
                table,
                schema_version: self.schema.version,
                columns: piece.columns.iter().map(pick).collect(),
                periods: alive.iter().map(|row| piece.periods[*row as usize]).collect(),
                origins: alive.iter().map(|row| piece.origins[*row as usize]).collect(),
            });
        }
        if self.ended.is_empty() {
            return;
        }
        let mut ended: Vec<(Vec<u8>, Vec<Ended>)> = std::mem::take(&mut self.ended).into_iter().collect();
        ended.sort_by(|a, b| a.0.cmp(&b.0));
        let mut own: HashMap<&[u8], Vec<Period>> = HashMap::new();
        for (piece_idx, piece) in self.pieces.iter().enumerate() {
            for row in self.alive(piece_idx) {
                let row = row as usize;
                own.entry(&piece.keys[row]).or_default().push(piece.periods[row]);
            }
        }
        let key_types: Vec<Type> = self.schema.key_types().collect();
        let mut key_builders: Vec<ColumnBuilder> = key_types.iter().map(|ty| ColumnBuilder::new(*ty)).collect();
        let mut periods = Vec::new();
        let mut facts = Vec::new();
        for (key, ended) in &ended {
            let mut written = own.remove(key.as_slice()).unwrap_or_default();
            written.sort_unstable();
            let id = |fact: &Ended| FactId { key: key.clone(), valid_from: fact.period.from(), commit: fact.commit };
            facts.extend(ended.iter().map(id));
            // What a fact covered and nothing of this commit covers is deleted: the ledger says so.
            for gap in uncovered(ended, &written) {
                let values = key::decode(key, &key_types).expect("the key was encoded here");
                key_builders.iter_mut().zip(&values).for_each(|(builder, value)| builder.push(value));
                periods.push(gap.period);
            }
        }
        write.superseded.push(Superseded { table, facts });
        if !periods.is_empty() {
            let keys = key_builders.into_iter().map(ColumnBuilder::finish).collect();
            write.retractions.push(Retraction { table, keys, periods });
        }
    }
}

impl Piece {
    fn scan_column(&self, column: ScanColumn, rows: &[u32], now: Micros) -> Column {
        let each =
            |of: &dyn Fn(usize) -> i64, ty| Column::from_i64s(ty, rows.iter().map(|row| of(*row as usize)).collect());
        match column {
            ScanColumn::Data(column_idx) => self.columns[column_idx].take(rows),
            ScanColumn::Commit => each(&|_| UNCOMMITTED as i64, Type::Integer),
            ScanColumn::Origin => each(&|row| self.origins[row] as i64, Type::Integer),
            ScanColumn::SystemFrom => each(&|_| now, Type::Timestamp),
            ScanColumn::SystemTo => each(&|_| i64::MAX, Type::Timestamp),
            ScanColumn::ValidFrom => each(&|row| self.periods[row].from(), Type::Timestamp),
            ScanColumn::ValidTo => each(&|row| self.periods[row].to(), Type::Timestamp),
        }
    }
}

/// The stretches of each ended fact that no written period covers, with the fact's position.
fn uncovered(ended: &[Ended], written: &[Period]) -> Vec<Leftover> {
    let cut = rectangle::supersede(ended.iter().map(|fact| fact.period), written.iter().copied());
    let untouched = (0..ended.len()).filter(|of| cut.superseded.binary_search(of).is_err());
    let mut left: Vec<Leftover> = untouched.map(|of| Leftover { of, period: ended[of].period }).collect();
    left.extend(cut.leftovers);
    left.sort_unstable_by_key(|left| (left.of, left.period));
    left
}

fn is_in_valid_scope(scope: &ValidScope, period: Period) -> bool {
    match scope {
        ValidScope::At(at) => period.contains(*at),
        ValidScope::Overlaps(wanted) => period.overlaps(*wanted),
        ValidScope::All => true,
    }
}

fn is_in_key_range(keys: &KeyRange, key: &[u8]) -> bool {
    use std::ops::{Bound, RangeBounds};
    match keys {
        KeyRange::All => true,
        KeyRange::Exact(wanted) => wanted.binary_search_by(|wanted| wanted.as_slice().cmp(key)).is_ok(),
        KeyRange::Between { low, high } => {
            fn end(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
                match bound {
                    Bound::Included(bytes) => Bound::Included(bytes),
                    Bound::Excluded(bytes) => Bound::Excluded(bytes),
                    Bound::Unbounded => Bound::Unbounded,
                }
            }
            RangeBounds::<[u8]>::contains(&(end(low), end(high)), key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_and_is_not_covered_is_deleted() {
        let period = |from, to| Period::new(from, to).expect("not empty");
        let ended = |from, to| Ended { period: period(from, to), commit: 1 };
        let gaps = |ended: &[Ended], written: &[Period]| -> Vec<Period> {
            uncovered(ended, written).into_iter().map(|left| left.period).collect()
        };
        assert_eq!(gaps(&[ended(0, 10)], &[]), [period(0, 10)]);
        assert_eq!(gaps(&[ended(0, 10)], &[period(0, 10)]), []);
        assert_eq!(gaps(&[ended(0, 10)], &[period(2, 4), period(6, 8)]), [period(0, 2), period(4, 6), period(8, 10)]);
        assert_eq!(gaps(&[ended(0, 4), ended(6, 9)], &[period(-5, 3), period(20, 30)]), [period(3, 4), period(6, 9)]);
    }
}
