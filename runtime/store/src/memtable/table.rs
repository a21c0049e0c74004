//! How are the newest facts of one table kept and found?
//!
//! Facts lie in chunks. A big write whose keys ascend beyond all before it needs no index: its chunks are searched like
//! blocks of a segment; so are those of the commits' own table, whose key is the commit. Every other fact is in a hash index from key to the newest fact of that key, and each fact
//! knows the one before it; a key with many facts has its current ones ordered by validity besides, so that a key with
//! a thousand periods costs no more than one with ten.
//!
//! Holds: one writer. Readers wait for it no longer than it takes to index [`LOT_ROWS`] rows. What a reader may not see
//! yet is here already, and is told by its commit.
//! Not here: memory bounds and freezing (`memtable`), sorting (`flush`).

use super::chunk::{CHUNK_ROWS_MAX, Chunk, Tail, TailColumn};
use crate::{
    commits::COMMITS,
    error::Result,
    fact::{FactBatch, FactId},
    keys::{AskedKeys, Probe, encode_row, hash_of, integer_key},
    run::{END_OPEN, i64_at, lane_of_commit},
    scan::ValidScope,
    shape::Shape,
    visible::Wanted,
};
use hashbrown::HashTable;
use spectradb_kernel::{
    Column, Period, Value,
    column::{Data, Vals},
    key::{i64_bytes, i64_from_bytes},
    time::{Commit, Micros},
    ty::LaneKind,
};
use std::{
    collections::BTreeMap,
    ops::{ControlFlow, Range},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

/// Rows that are indexed under one hold of the lock.
const LOT_ROWS: usize = 1024;

/// A batch of so many rows becomes chunks of its own.
const BULK_ROWS_MIN: usize = 256;

/// A batch of so many ascending rows is not indexed.
const ASCENDING_ROWS_MIN: usize = 1024;

/// Rows of more bytes are added to the tail one by one, so that it does not grow too large.
const LOT_BYTES_MAX: usize = 1 << 20;

/// A key with so many facts has its current ones ordered.
const ORDERED_FACTS_MIN: u32 = 8;

/// No row.
const NO_ROW: u64 = u64::MAX;

/// The newest facts of a table.
#[derive(Debug)]
pub(crate) struct TableMem {
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    /// Are these the facts of the commits' own table? Their keys are their commits, so they rise and need no index.
    of_commits: bool,
    chunks: Vec<Arc<Chunk>>,
    /// For each chunk, and last for the tail: keys and chains of indexed rows; empty for ascending chunks.
    indexed: Vec<Indexed>,
    tail: Tail,
    /// The tail as a chunk, as some reader needed it since the last write.
    tail_copy: Option<Arc<Chunk>>,
    ascending: Vec<Ascending>,
    index: Index,
    ordered: Vec<BTreeMap<Micros, u64>>,
    key_max: Option<Vec<u8>>,
    /// The last commit that ended a fact here.
    end_last: i64,
}

/// Keys and chains of the rows of a chunk.
#[derive(Debug, Default)]
struct Indexed {
    key_ends: Vec<u32>,
    key_bytes: Vec<u8>,
    before: Vec<u64>,
}

/// A chunk that is sorted and lies above all earlier ones of its kind.
#[derive(Debug)]
struct Ascending {
    chunk: u32,
    first: Vec<u8>,
    last: Vec<u8>,
}

/// Finds a key's facts. The entries lie in the order in which their keys came, and the table has their numbers only: it is read and
/// written all over, so it is kept short.
#[derive(Debug)]
struct Index {
    table: HashTable<u32>,
    entries: Vec<Entry>,
}

impl Index {
    fn with_capacity(key_count: usize) -> Index {
        Index { table: HashTable::with_capacity(key_count), entries: Vec::with_capacity(key_count) }
    }

    fn reserve(&mut self, key_count: usize) {
        let Index { table, entries } = self;
        table.reserve(key_count, |number| entries[*number as usize].spread());
        entries.reserve(key_count);
    }

    /// The entry of a key that has this hash and meets a condition.
    fn find(&self, hash: u64, is_it: impl Fn(&Entry) -> bool) -> Option<&Entry> {
        let (half, hash) = half(hash);
        let entry = |number: u32| &self.entries[number as usize];
        let found = self.table.find(hash, |number| entry(*number).hash == half && is_it(entry(*number)))?;
        Some(entry(*found))
    }
}

/// What the index has of a key.
#[derive(Debug)]
struct Entry {
    /// The newest fact.
    newest: u64,
    /// The lower half of the key's hash.
    hash: u32,
    /// How many facts the key has, as long as they are few; from then on [`ORDERED_FACTS_MIN`] and the place of its ordered ones.
    facts: u32,
}

impl Entry {
    /// The hash that the index knows it by.
    fn spread(&self) -> u64 {
        spread(self.hash)
    }

    /// Where the ordered facts of the key are, if they are.
    fn ordered(&self) -> Option<usize> {
        self.facts.checked_sub(ORDERED_FACTS_MIN).map(|place| place as usize)
    }
}

/// The half of a key's hash that an entry keeps, and the hash that the index knows it by.
fn half(hash: u64) -> (u32, u64) {
    (hash as u32, spread(hash as u32))
}

/// A table looks at the lowest and the highest bits.
fn spread(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

/// A fact of the memtable.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MemRow<'a> {
    /// In a chunk.
    Chunk(&'a Chunk, usize),
    /// In the tail.
    Tail(TailRow<'a>),
}

/// A fact of the tail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TailRow<'a>(&'a Tail, usize);

impl MemRow<'_> {
    pub(crate) fn shape(&self) -> &Arc<Shape> {
        match self {
            MemRow::Chunk(chunk, _) => &chunk.shape,
            MemRow::Tail(TailRow(tail, _)) => &tail.shape,
        }
    }

    pub(crate) fn value(&self, column_idx: usize) -> Value {
        match self {
            MemRow::Chunk(chunk, row) => chunk.run.columns[column_idx].value(*row),
            MemRow::Tail(TailRow(tail, row)) => tail.columns[column_idx].value(*row),
        }
    }

    pub(crate) fn commit(&self) -> i64 {
        match self {
            MemRow::Chunk(chunk, row) => i64_at(&chunk.run.commit, *row),
            MemRow::Tail(TailRow(tail, row)) => tail.commits[*row],
        }
    }

    pub(crate) fn origin(&self) -> i64 {
        match self {
            MemRow::Chunk(chunk, row) => i64_at(&chunk.run.origin, *row),
            MemRow::Tail(TailRow(tail, row)) => tail.origins[*row],
        }
    }

    pub(crate) fn end(&self) -> i64 {
        match self {
            MemRow::Chunk(chunk, row) => chunk.ends.end_of(*row),
            MemRow::Tail(TailRow(tail, row)) => tail.ends[*row],
        }
    }

    pub(crate) fn from(&self) -> Micros {
        match self {
            MemRow::Chunk(chunk, row) => i64_at(&chunk.run.valid_from, *row),
            MemRow::Tail(TailRow(tail, row)) => tail.from[*row],
        }
    }

    pub(crate) fn to(&self) -> Micros {
        match self {
            MemRow::Chunk(chunk, row) => i64_at(&chunk.run.valid_to, *row),
            MemRow::Tail(TailRow(tail, row)) => tail.to[*row],
        }
    }
}

impl Indexed {
    fn key(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.key_ends[row - 1] as usize };
        &self.key_bytes[start..self.key_ends[row] as usize]
    }

    fn push(&mut self, columns: &[Column], key: &[usize], row: usize) {
        encode_row(columns, key, row, &mut self.key_bytes);
        self.end_key();
    }

    /// Adds the keys of some rows.
    fn extend(&mut self, columns: &[Column], key: &[usize], rows: Range<usize>) {
        self.key_ends.reserve(rows.len());
        self.before.reserve(rows.len());
        match integer_key(columns, key) {
            Some(numbers) => {
                self.key_bytes.reserve(rows.len() * 8);
                rows.for_each(|row| {
                    self.key_bytes.extend_from_slice(&i64_bytes(numbers.at(row)));
                    self.end_key();
                });
            }
            None => rows.for_each(|row| self.push(columns, key, row)),
        }
    }

    fn end_key(&mut self) {
        self.key_ends.push(u32::try_from(self.key_bytes.len()).expect("a chunk holds less than 4 GiB of keys"));
        self.before.push(NO_ROW);
    }

    fn bytes(&self) -> usize {
        self.key_bytes.len() + self.before.len() * (4 + 8)
    }
}

fn place(chunk: usize, row: usize) -> u64 {
    (chunk as u64) << 32 | row as u64
}

fn placed(place: u64) -> (usize, usize) {
    ((place >> 32) as usize, (place & u64::from(u32::MAX)) as usize)
}

impl State {
    fn row(&self, place: u64) -> MemRow<'_> {
        let (chunk, row) = placed(place);
        match self.chunks.get(chunk) {
            Some(chunk) => MemRow::Chunk(chunk, row),
            None => MemRow::Tail(TailRow(&self.tail, row)),
        }
    }

    fn key(&self, place: u64) -> &[u8] {
        let (chunk, row) = placed(place);
        self.indexed[chunk].key(row)
    }

    fn entry(&self, hash: u64, key: &[u8]) -> Option<&Entry> {
        self.index.find(hash, |entry| self.key(entry.newest) == key)
    }

    /// Makes a row the newest of its key.
    fn index_row(&mut self, chunk: usize, row: usize, hash: u64) {
        let State { index, indexed, .. } = self;
        let key_of = |place: u64| {
            let (chunk, row) = placed(place);
            indexed[chunk].key(row)
        };
        let key = indexed[chunk].key(row);
        let newest = place(chunk, row);
        let mut before = NO_ROW;
        let mut order = None;
        let (half, hash) = half(hash);
        let Index { table, entries } = index;
        let entry = |number: &u32| &entries[*number as usize];
        let is_it = |number: &u32| entry(number).hash == half && key_of(entry(number).newest) == key;
        match table.entry(hash, is_it, |number| entry(number).spread()) {
            hashbrown::hash_table::Entry::Occupied(number) => {
                let entry = &mut entries[*number.get() as usize];
                before = std::mem::replace(&mut entry.newest, newest);
                if let Some(ordered) = entry.ordered() {
                    order = Some((ordered, false));
                } else {
                    entry.facts += 1;
                    if entry.facts == ORDERED_FACTS_MIN {
                        let place = self.ordered.len();
                        entry.facts += u32::try_from(place).expect("a memtable has fewer keys");
                        order = Some((place, true));
                    }
                }
            }
            hashbrown::hash_table::Entry::Vacant(place) => {
                place.insert(u32::try_from(entries.len()).expect("a memtable has fewer keys"));
                entries.push(Entry { newest, hash: half, facts: 1 });
            }
        }
        raise(&mut self.key_max, key);
        self.indexed[chunk].before[row] = before;
        match order {
            None => {}
            Some((_, true)) => {
                let mut current = BTreeMap::new();
                let mut place = newest;
                while place != NO_ROW {
                    let found = self.row(place);
                    if found.end() == END_OPEN {
                        current.entry(found.from()).or_insert(place);
                    }
                    place = self.before(place);
                }
                self.ordered.push(current);
            }
            Some((ordered, false)) => {
                let from = self.row(newest).from();
                self.ordered[ordered].insert(from, newest);
            }
        }
    }

    fn before(&self, place: u64) -> u64 {
        let (chunk, row) = placed(place);
        self.indexed[chunk].before[row]
    }

    /// Makes the tail one of facts of this shape, to which more are added.
    fn open_tail(&mut self, shape: &Arc<Shape>) {
        self.tail_copy = None;
        if self.tail.shape.version != shape.version {
            self.seal_tail();
            self.tail = Tail::new(shape.clone());
        }
    }

    /// Adds a fact to the tail; answers how many bytes it takes.
    fn push(
        &mut self,
        put: impl FnMut(usize, &mut TailColumn),
        period: Period,
        origin: Commit,
        commit: Commit,
        put_key: &mut dyn FnMut(&mut Indexed),
    ) -> usize {
        if !self.tail.has_room() {
            self.seal_tail();
        }
        let chunk = self.chunks.len();
        let bytes = self.tail.push(put, period, origin, commit);
        let indexed = &mut self.indexed[chunk];
        put_key(indexed);
        let in_tail = self.tail.len() - 1;
        let key = indexed.key(in_tail);
        let (bytes, hash) = (bytes + key.len() + 48, hash_of(key));
        self.index_row(chunk, in_tail, hash);
        bytes
    }

    /// Adds facts of a batch to the tail, which has room for them; answers how many bytes they take.
    fn extend_tail(&mut self, shape: &Shape, batch: &FactBatch, rows: Range<usize>, commit: Commit) -> usize {
        let (chunk, first) = (self.chunks.len(), self.tail.len());
        let bytes = self.tail.extend(batch, rows.clone(), commit);
        let indexed = &mut self.indexed[chunk];
        let key_bytes = indexed.key_bytes.len();
        indexed.extend(&batch.columns, &shape.key, rows.clone());
        let key_bytes = indexed.key_bytes.len() - key_bytes;
        for row in first..first + rows.len() {
            let hash = hash_of(self.indexed[chunk].key(row));
            self.index_row(chunk, row, hash);
        }
        bytes + key_bytes + 48 * rows.len()
    }

    fn seal_tail(&mut self) {
        if self.tail.len() == 0 {
            // The tail may have been opened under an older schema.
            return;
        }
        let chunk = self.tail_copy.take().unwrap_or_else(|| Arc::new(self.tail.to_chunk()));
        if self.of_commits
            && let (Some(first), Some(last)) = (self.tail.commits.first(), self.tail.commits.last())
        {
            let (first, last) = (i64_bytes(*first).to_vec(), i64_bytes(*last).to_vec());
            self.ascending.push(Ascending { chunk: self.chunks.len() as u32, first, last });
        }
        self.chunks.push(chunk);
        self.indexed.push(Indexed::default());
        self.tail.clear();
    }

    /// The row of the tail that is of a commit, in the commits' own table.
    fn tail_row_of_commit(&self, key: &[u8]) -> Option<usize> {
        let key = self.of_commits.then(|| key.try_into().ok())??;
        self.tail.commits.binary_search(&i64_from_bytes(key)).ok()
    }

    /// Visits the wanted facts of a key.
    fn visit<'s>(
        &'s self,
        probe: &Probe<'_>,
        wanted: &Wanted,
        found: &mut dyn FnMut(u64, MemRow<'s>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let holds = |row: &MemRow<'_>| wanted.holds(row.commit(), row.end(), row.from(), row.to());
        if let Some(entry) = self.entry(probe.hash, probe.bytes) {
            if let Some(ordered) = entry.ordered().filter(|_| wanted.end_above >= self.end_last) {
                // Nothing ended later than the reader looks: whatever it sees is still current, and those are disjoint.
                for (_, place) in self.ordered[ordered].range(..=wanted.from_max).rev() {
                    let row = self.row(*place);
                    if row.to() <= wanted.to_above {
                        break;
                    }
                    if holds(&row) {
                        found(*place, row)?;
                    }
                }
            } else {
                let mut place = entry.newest;
                while place != NO_ROW {
                    let row = self.row(place);
                    if holds(&row) {
                        found(place, row)?;
                    }
                    place = self.before(place);
                }
            }
        }
        if let Some(row) = self.tail_row_of_commit(probe.bytes) {
            let place = place(self.chunks.len(), row);
            let row = self.row(place);
            if holds(&row) {
                found(place, row)?;
            }
        }
        let first = self.ascending.partition_point(|run| run.last.as_slice() < probe.bytes);
        for run in self.ascending[first..].iter().take_while(|run| run.first.as_slice() <= probe.bytes) {
            let chunk = &self.chunks[run.chunk as usize];
            probe.visit_sorted(&chunk.run, &chunk.shape.key, wanted, &|row| chunk.ends.end_of(row), &mut |row| {
                found(place(run.chunk as usize, row), MemRow::Chunk(chunk, row))
            })?;
        }
        ControlFlow::Continue(())
    }
}

impl TableMem {
    /// Of so many keys, as far as can be told.
    pub(crate) fn new(shape: &Arc<Shape>, key_count: usize) -> TableMem {
        TableMem {
            state: RwLock::new(State {
                of_commits: shape.table == COMMITS,
                chunks: Vec::new(),
                indexed: vec![Indexed::default()],
                tail: Tail::new(shape.clone()),
                tail_copy: None,
                ascending: Vec::new(),
                index: Index::with_capacity(key_count),
                ordered: Vec::new(),
                key_max: None,
                end_last: 0,
            }),
        }
    }

    /// How many keys are in the index.
    pub(crate) fn key_count(&self) -> usize {
        self.read().index.entries.len()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds facts of a batch, all of them or some rows; answers about how many bytes they take.
    pub(crate) fn insert(&self, shape: &Arc<Shape>, batch: &FactBatch, rows: Option<&[u32]>, commit: Commit) -> usize {
        match rows {
            None if is_lot(batch) => self.insert_lot(shape, batch, commit),
            None if batch.periods.len() < BULK_ROWS_MIN => {
                self.insert_few(shape, batch, 0..batch.periods.len(), commit)
            }
            None => self.insert_bulk(shape, batch, commit),
            Some(rows) if rows.len() < BULK_ROWS_MIN => {
                self.insert_few(shape, batch, rows.iter().map(|row| *row as usize), commit)
            }
            Some(rows) => self.insert_bulk(shape, &batch.take(rows), commit),
        }
    }

    /// Adds all facts of a small batch by columns.
    fn insert_lot(&self, shape: &Arc<Shape>, batch: &FactBatch, commit: Commit) -> usize {
        let mut state = self.write();
        state.open_tail(shape);
        let (mut bytes, mut start) = (0, 0);
        while start < batch.periods.len() {
            if !state.tail.has_room() {
                state.seal_tail();
            }
            let rows = start..batch.periods.len().min(start + state.tail.room());
            start = rows.end;
            bytes += state.extend_tail(shape, batch, rows, commit);
        }
        bytes
    }

    fn insert_few(
        &self,
        shape: &Arc<Shape>,
        batch: &FactBatch,
        rows: impl Iterator<Item = usize>,
        commit: Commit,
    ) -> usize {
        let mut state = self.write();
        state.open_tail(shape);
        let mut bytes = 0;
        for row in rows {
            let put = |at: usize, column: &mut TailColumn| column.push_from(&batch.columns[at], row);
            bytes += state.push(put, batch.periods[row], batch.origins[row], commit, &mut |indexed| {
                indexed.push(&batch.columns, &shape.key, row);
            });
        }
        bytes
    }

    /// Adds the row of a commit, by its values, to the commits' own table.
    pub(crate) fn insert_commit<const N: usize>(
        &self,
        shape: &Arc<Shape>,
        values: [Value; N],
        commit: Commit,
    ) -> usize {
        let mut state = self.write();
        debug_assert!(
            state.of_commits && values[0].lane_i64() == Some(lane_of_commit(commit)),
            "a commit is its row's key"
        );
        state.open_tail(shape);
        if !state.tail.has_room() {
            state.seal_tail();
        }
        raise(&mut state.key_max, &i64_bytes(lane_of_commit(commit)));
        state.tail.push(|at, column| column.push(&values[at]), Period::ALWAYS, 0, commit)
    }

    fn insert_bulk(&self, shape: &Arc<Shape>, batch: &FactBatch, commit: Commit) -> usize {
        let rows = batch.periods.len();
        let mut state = self.write();
        state.seal_tail();
        let ascending = rows >= ASCENDING_ROWS_MIN && ascends_beyond(shape, batch, state.key_max.as_deref());
        drop(state);
        let mut bytes = 0;
        for start in (0..rows).step_by(CHUNK_ROWS_MAX) {
            let end = rows.min(start + CHUNK_ROWS_MAX);
            let chunk = Arc::new(Chunk::of_batch(shape, batch, commit, start..end));
            bytes += chunk.run.memory_bytes();
            if ascending {
                let key_at = |row: usize| {
                    let mut key = Vec::new();
                    encode_row(&batch.columns, &shape.key, row, &mut key);
                    key
                };
                let (first, last) = (key_at(start), key_at(end - 1));
                let mut state = self.write();
                let number = state.chunks.len();
                state.chunks.push(chunk);
                state.indexed.insert(number, Indexed::default());
                state.key_max = Some(last.clone());
                state.ascending.push(Ascending { chunk: number as u32, first, last });
                continue;
            }
            let mut indexed = Indexed::default();
            indexed.extend(&batch.columns, &shape.key, start..end);
            let hashes: Vec<u64> = (0..end - start).map(|row| hash_of(indexed.key(row))).collect();
            bytes += indexed.bytes() + (end - start) * 32;
            let mut state = self.write();
            let number = state.chunks.len();
            state.chunks.push(chunk);
            state.indexed.insert(number, indexed);
            state.index.reserve(end - start);
            drop(state);
            for (lot, hashes) in hashes.chunks(LOT_ROWS).enumerate() {
                let mut state = self.write();
                for (row, hash) in hashes.iter().enumerate() {
                    state.index_row(number, lot * LOT_ROWS + row, *hash);
                }
            }
        }
        bytes
    }

    /// Notes the end of a fact, if it is here.
    pub(crate) fn end(&self, probe: &Probe<'_>, id: &FactId, commit: Commit) -> bool {
        let mut state = self.write();
        let written = lane_of_commit(id.commit);
        let wanted = Wanted::current(ValidScope::At(id.valid_from));
        let mut hit = None;
        let walked = state.visit(probe, &wanted, &mut |place, row| {
            if row.from() == id.valid_from && row.commit() == written {
                hit = Some(place);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        debug_assert_eq!(walked.is_break(), hit.is_some());
        let Some(place) = hit else { return false };
        let end = lane_of_commit(commit);
        let (chunk_idx, row) = placed(place);
        match state.chunks.get(chunk_idx) {
            Some(chunk) => chunk.ends.note(row as u32, end, chunk.run.len),
            None => {
                state.tail.ends[row] = end;
                state.tail_copy = None;
            }
        }
        state.end_last = state.end_last.max(end);
        let ordered = state.entry(probe.hash, probe.bytes).and_then(Entry::ordered);
        if let Some(current) = ordered.and_then(|place| state.ordered.get_mut(place))
            && current.get(&id.valid_from) == Some(&place)
        {
            current.remove(&id.valid_from);
        }
        true
    }

    /// Visits the wanted facts of a key.
    pub(crate) fn visit(
        &self,
        probe: &Probe<'_>,
        wanted: &Wanted,
        found: &mut dyn FnMut(MemRow<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.read().visit(probe, wanted, &mut |_, row| found(row))
    }

    /// Notes of which keys there may be facts.
    ///
    /// # Errors
    /// None of its own.
    pub(crate) fn note_held(&self, keys: &mut AskedKeys<'_>) -> Result<()> {
        let state = self.read();
        keys.note(&mut |key, hash| {
            let first = state.ascending.partition_point(|run| run.last.as_slice() < key);
            let in_run = state.ascending.get(first).is_some_and(|run| run.first.as_slice() <= key);
            let in_tail = || state.tail_row_of_commit(key).is_some();
            Ok(in_run || in_tail() || state.index.find(hash, |_| true).is_some())
        })
    }

    /// All facts, the tail's as a chunk of its own.
    pub(crate) fn chunks(&self) -> Vec<Arc<Chunk>> {
        let state = self.read();
        let mut chunks = state.chunks.clone();
        if state.tail.len() == 0 {
            return chunks;
        }
        if let Some(copy) = &state.tail_copy {
            chunks.push(copy.clone());
            return chunks;
        }
        drop(state);
        let mut state = self.write();
        let mut chunks = state.chunks.clone();
        if state.tail.len() > 0 {
            let copy = match &state.tail_copy {
                Some(copy) => copy.clone(),
                None => Arc::new(state.tail.to_chunk()),
            };
            state.tail_copy = Some(copy.clone());
            chunks.push(copy);
        }
        chunks
    }

    /// The shape of the newest facts.
    pub(crate) fn shape(&self) -> Arc<Shape> {
        self.read().tail.shape.clone()
    }

    /// The largest key of any fact.
    pub(crate) fn key_max(&self) -> Option<Vec<u8>> {
        self.read().key_max.clone()
    }
}

/// Makes a key the largest one if it is.
fn raise(key_max: &mut Option<Vec<u8>>, key: &[u8]) {
    match key_max {
        Some(max) if max.as_slice() >= key => {}
        Some(max) => {
            max.clear();
            max.extend_from_slice(key);
        }
        None => *key_max = Some(key.to_vec()),
    }
}

/// Are the rows of a batch few enough for the tail, and worth being added by columns?
fn is_lot(batch: &FactBatch) -> bool {
    (2..BULK_ROWS_MIN).contains(&batch.periods.len())
        && batch.columns.iter().map(Column::memory_bytes).sum::<usize>() <= LOT_BYTES_MAX
}

/// Do the keys of a batch, equal ones by validity, ascend from beyond `above`?
fn ascends_beyond(shape: &Shape, batch: &FactBatch, above: Option<&[u8]>) -> bool {
    let rows = batch.periods.len();
    let mut first = Vec::new();
    encode_row(&batch.columns, &shape.key, 0, &mut first);
    if above.is_some_and(|above| above >= first.as_slice()) {
        return false;
    }
    let by_validity = |row: usize| batch.periods[row - 1].from() < batch.periods[row].from();
    if let [only] = shape.key.as_slice()
        && shape.columns[*only].1.lane() == LaneKind::I64
    {
        let column = &batch.columns[*only];
        return match column.data() {
            Data::I64(lane) => {
                let lane = lane.as_slice();
                lane.windows(2).all(|pair| pair[0] < pair[1])
                    || (1..rows).all(|row| lane[row - 1] < lane[row] || lane[row - 1] == lane[row] && by_validity(row))
            }
            _ => match column.i64s() {
                Vals::One(_) => (1..rows).all(by_validity),
                Vals::Many(lane) => {
                    (1..rows).all(|row| lane[row - 1] < lane[row] || lane[row - 1] == lane[row] && by_validity(row))
                }
            },
        };
    }
    let mut last = first;
    let mut next = Vec::new();
    (1..rows).all(|row| {
        next.clear();
        encode_row(&batch.columns, &shape.key, row, &mut next);
        let ascends = last < next || last == next && by_validity(row);
        std::mem::swap(&mut last, &mut next);
        ascends
    })
}
