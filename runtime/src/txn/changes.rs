//! What has a transaction changed in one table?
//!
//! New facts lie in pieces, one a statement, by columns; a fact that is changed again is marked dead where it lies. The
//! committed facts that end are kept by key. At the commit, what an ended fact covered and no new fact covers is deleted,
//! and the ledger is told so. When pieces take too much memory, their facts are written to segments of the transaction's own
//! ([`Spill`]) and read from there; those that change again are told apart by key and beginning.
//!
//! Holds: alive facts of one key never overlap; an own fact is found by its key and its period.

use super::Keys;
use crate::ops::TableScan;
use hashbrown::HashMap;
use spectradb_kernel::{
    Batch, Column, Period, Type, Value,
    column::ColumnBuilder,
    key,
    rectangle::{self, Leftover},
    schema::{TableId, TableSchema},
    time::{Commit, Micros, Timestamp},
};
use spectradb_store::{
    Snapshot, Spill, Store,
    error::StoreError,
    fact::{FactBatch, FactId, Retraction, Superseded, Write},
    scan::{KeyRange, ScanColumn, ScanSpec, SystemScope, ValidScope},
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// The `_commit` of a fact that is not committed yet.
pub(super) const UNCOMMITTED: Commit = 0;

/// What a transaction has changed, by table: ordered, because making a hash table's state writes to a line that all threads
/// share. Views share it until it is changed again, and most views are of no changes.
#[derive(Clone, Default)]
pub(super) struct Changes(Option<Arc<BTreeMap<TableId, TableChanges>>>);

impl Changes {
    /// Is there none?
    pub(super) fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Those of each table.
    pub(super) fn all(&self) -> impl Iterator<Item = &TableChanges> {
        self.0.iter().flat_map(|changes| changes.values())
    }

    /// Those of a table.
    pub(super) fn of(&self, table: TableId) -> Option<&TableChanges> {
        self.0.as_ref()?.get(&table)
    }

    /// All of them, to be changed.
    pub(super) fn by_table(&mut self) -> &mut BTreeMap<TableId, TableChanges> {
        Arc::make_mut(self.0.get_or_insert_default())
    }

    /// Those of a table, to be changed.
    pub(super) fn of_mut(&mut self, table: &Arc<TableSchema>) -> &mut TableChanges {
        self.by_table().entry(table.id).or_insert_with(|| TableChanges::new(table.clone()))
    }

    /// Those of each table. A view of a query that is still open shares them: then they are copied (their columns stay shared).
    pub(super) fn into_all(self) -> impl Iterator<Item = TableChanges> {
        self.0.map(Arc::unwrap_or_clone).into_iter().flat_map(BTreeMap::into_values)
    }
}

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
    /// About how many bytes the pieces take, and what finds them.
    bytes: usize,
    /// New facts that lie in segments.
    spill: Option<Spill>,
    /// Facts of the spill that were changed again, by key and where their periods begin.
    spilled_dead: HashMap<Vec<u8>, Vec<Micros>>,
}

/// About what it takes to find an own fact by its key.
const INDEXED_BYTES: usize = 128;

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
            bytes: 0,
            spill: None,
            spilled_dead: HashMap::new(),
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
    ///
    /// # Errors
    /// What reading segments gives.
    pub(super) fn own_clash(
        &mut self,
        keys: &Keys,
        periods: &[Period],
        rising: bool,
    ) -> Result<Option<(usize, Period)>, StoreError> {
        let above = match &self.key_top {
            Some(top) if keys.len() > 0 => rising && top.as_slice() < &keys[0],
            Some(_) | None => true,
        };
        if above {
            return Ok(None);
        }
        self.index_all();
        let clash = keys.iter().enumerate().find_map(|(row, key)| {
            let facts = self.own.get(key)?;
            let clash = facts.iter().map(|fact| fact.period).find(|period| period.overlaps(periods[row]))?;
            Some((row, clash))
        });
        let Some(spill) = self.spill.as_ref().filter(|_| clash.is_none()) else { return Ok(clash) };
        let refs: Vec<&[u8]> = keys.iter().collect();
        let spilled = spill.snapshot().overlapping(self.schema.id, &refs, periods)?;
        let mut alive = spilled.iter().filter(|fact| !self.is_spilled_dead(&keys[fact.key_idx], fact.period.from()));
        Ok(alive.next().map(|fact| (fact.key_idx, fact.period)))
    }

    fn is_spilled_dead(&self, key: &[u8], from: Micros) -> bool {
        self.spilled_dead.get(key).is_some_and(|starts| starts.contains(&from))
    }

    /// About how many bytes of memory the new facts take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes the new facts to segments, which have them from now on.
    ///
    /// # Errors
    /// What the disk says; then the facts stay where they are.
    pub(super) fn spill(&mut self, store: &Store, snapshot: &Snapshot) -> Result<(), StoreError> {
        let is_dead = |piece: &Arc<Piece>| piece.keys.iter().any(|key| self.spilled_dead.contains_key(key));
        if !self.spilled_dead.is_empty() && self.pieces.iter().any(is_dead) {
            // A dead fact and the one in its place could not be told apart.
            let spill = self.spill.clone().map(|spill| store.rewrite(snapshot, &spill.without(self.spilled_dead())));
            self.spill = spill.transpose()?;
            self.spilled_dead.clear();
        }
        let facts = self.batches();
        let spill = store.spill(snapshot, &self.schema, self.spill.as_ref(), facts)?;
        self.spill = Some(spill);
        (self.pieces, self.dead, self.own) = (Vec::new(), Vec::new(), HashMap::new());
        (self.indexed_count, self.bytes) = (0, 0);
        Ok(())
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
        match own.find(|fact| fact.period == period) {
            Some(fact) => fact.piece_idx < piece_count,
            // No statement that names a fact twice spills: what was spilled was there before it.
            None => self.spill.is_some() && !self.is_spilled_dead(key, period.from()),
        }
    }

    /// Adds new facts.
    pub(super) fn push(&mut self, piece: Piece) {
        if let Some(last) = piece.keys.iter().max()
            && self.key_top.as_deref().is_none_or(|top| top < last)
        {
            self.key_top = Some(last.to_vec());
        }
        self.bytes += piece.bytes();
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
            self.bytes += piece.periods.len() * INDEXED_BYTES;
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
        let in_memory = self.own.get_mut(key).and_then(|facts| {
            let at = facts.iter().position(|fact| fact.period == period)?;
            Some(facts.swap_remove(at))
        });
        let Some(fact) = in_memory else {
            assert!(self.spill.is_some(), "an own fact is in the index or in the spill");
            self.spilled_dead.entry_ref(key).or_default().push(period.from());
            return;
        };
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

    /// The transaction's own current facts that a scan asks for and that lie in segments; `None` when none do.
    ///
    /// # Errors
    /// What reading segments gives.
    pub(super) fn spilled_scan(&self, spec: &ScanSpec, now: Micros) -> Result<Option<TableScan>, StoreError> {
        let Some(spill) = &self.spill else { return Ok(None) };
        let own = spill.snapshot();
        let spec = ScanSpec { system: SystemScope::AsOf(own.commit()), ..spec.clone() };
        let from_at: Vec<usize> =
            (0..spec.columns.len()).filter(|at| spec.columns[*at] == ScanColumn::SystemFrom).collect();
        let dead: HashMap<Vec<u8>, Vec<Micros>> = self.spilled_dead.clone();
        let scan = match dead.is_empty() {
            true => Box::new(own.scan(spec)?),
            false => self.without(own, spec, dead)?,
        };
        if from_at.is_empty() {
            return Ok(Some(scan));
        }
        // Their commit has no instant yet.
        Ok(Some(Box::new(scan.map(move |batch| {
            let batch = batch?.dense();
            let row_count = batch.len();
            let mut columns = batch.into_columns();
            for at in &from_at {
                columns[*at] = Column::constant(Type::Timestamp, Value::Timestamp(Timestamp(now)), row_count);
            }
            Ok(Batch::new(columns, row_count))
        }))))
    }

    /// The snapshot's facts of a scan, less those that the transaction has ended.
    pub(super) fn without_ended(&self, snapshot: &Snapshot, spec: ScanSpec) -> Result<TableScan, StoreError> {
        let starts = |facts: &Vec<Ended>| facts.iter().map(|fact| fact.period.from()).collect();
        self.without(snapshot, spec, self.ended.iter().map(|(key, facts)| (key.clone(), starts(facts))).collect())
    }

    /// The facts of a scan, less some that are told by key and where their periods begin.
    fn without(
        &self,
        snapshot: &Snapshot,
        mut spec: ScanSpec,
        ended: HashMap<Vec<u8>, Vec<Micros>>,
    ) -> Result<TableScan, StoreError> {
        let wanted_count = spec.columns.len();
        let key_at = spec.columns.len();
        spec.columns.extend(self.schema.key.iter().map(|column_idx| ScanColumn::Data(*column_idx)));
        let from_at = spec.columns.len();
        spec.columns.push(ScanColumn::ValidFrom);
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

    /// The new facts that are in memory. They are copied only where others see them too, or some of a piece are dead.
    fn batches(&self) -> Vec<FactBatch> {
        let (table, schema_version) = (self.schema.id, self.schema.version);
        let mut batches = Vec::with_capacity(self.pieces.len());
        for (piece_idx, piece) in self.pieces.iter().enumerate() {
            if !self.dead[piece_idx].contains(&true) {
                batches.push(Piece::clone(piece).into_batch(&self.schema));
                continue;
            }
            let alive: Vec<u32> = self.alive(piece_idx).collect();
            batches.push(FactBatch {
                table,
                schema_version,
                columns: piece.columns.iter().map(|column| column.take(&alive)).collect(),
                periods: alive.iter().map(|row| piece.periods[*row as usize]).collect(),
                origins: alive.iter().map(|row| piece.origins[*row as usize]).collect(),
            });
        }
        batches.retain(|batch| !batch.periods.is_empty());
        batches
    }

    /// Adds what the transaction changed to a write.
    ///
    /// # Errors
    /// What reading segments gives.
    pub(super) fn add_to(mut self, write: &mut Write) -> Result<(), StoreError> {
        let table = self.schema.id;
        self.add_spill_to(write);
        if self.ended.is_empty() && self.dead.iter().all(Vec::is_empty) {
            // New facts only: they are the write's, and copied only where an open query sees them too.
            for piece in self.pieces.into_iter().filter(|piece| !piece.periods.is_empty()) {
                write.facts.push(Arc::unwrap_or_clone(piece).into_batch(&self.schema));
            }
            return Ok(());
        }
        write.facts.extend(self.batches());
        if self.ended.is_empty() {
            return Ok(());
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
        let keys: Vec<&[u8]> = ended.iter().map(|(key, _)| key.as_slice()).collect();
        if let Some(spill) = &self.spill {
            for fact in spill.snapshot().overlapping(table, &keys, &vec![Period::ALWAYS; keys.len()])? {
                if !self.is_spilled_dead(keys[fact.key_idx], fact.period.from()) {
                    own.entry(keys[fact.key_idx]).or_default().push(fact.period);
                }
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
        Ok(())
    }

    fn spilled_dead(&self) -> HashSet<(Vec<u8>, Micros)> {
        let dead = self.spilled_dead.iter();
        dead.flat_map(|(key, starts)| starts.iter().map(|from| (key.clone(), *from))).collect()
    }

    fn add_spill_to(&self, write: &mut Write) {
        let Some(spill) = &self.spill else { return };
        let dead = self.spilled_dead();
        // Nothing is left of a spill that was taken back whole, and then nothing is written.
        if spill.rows() > dead.len() as u64 {
            write.spilled.push(spill.clone().without(dead));
        }
    }
}

impl Piece {
    /// As the ledger is given it.
    pub(super) fn into_batch(self, table: &TableSchema) -> FactBatch {
        let Piece { columns, keys: _, periods, origins } = self;
        FactBatch { table: table.id, schema_version: table.version, columns, periods, origins }
    }

    /// About how many bytes it takes.
    fn bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(Column::memory_bytes).sum();
        columns + self.keys.bytes() + self.periods.len() * (size_of::<Period>() + size_of::<Commit>())
    }

    fn scan_column(&self, column: ScanColumn, rows: &[u32], now: Micros) -> Column {
        let each =
            |of: &dyn Fn(usize) -> i64, ty| Column::from_i64s(ty, rows.iter().map(|row| of(*row as usize)).collect());
        match column {
            ScanColumn::Data(column_idx) => self.columns[column_idx].take(rows),
            ScanColumn::Commit => each(&|_| UNCOMMITTED as i64, Type::Integer),
            ScanColumn::Origin => each(&|row| self.origins[row] as i64, Type::Integer),
            ScanColumn::SystemFrom => each(&|_| now, Type::Timestamp),
            ScanColumn::SystemTo => each(&|_| i64::MAX, Type::Timestamp),
            ScanColumn::CommitTo => each(&|_| i64::MAX, Type::Integer),
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
