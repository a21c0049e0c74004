//! How is a scan carried out?
//!
//! Keys that are named are looked up one by one. Everything else walks the runs of the table: chunks of memtables and
//! blocks of segments. A run is left out when its bounds say so, taken whole when they say so, and otherwise filtered
//! into a selection; in all three cases its columns are shared as they lie.
//!
//! Holds: a scan reads what its snapshot pinned, whenever its batches are asked for.
//! Not here: what is visible (`visible`), instants for commits (`scan::pseudo`).

use super::{
    KeyRange, ScanColumn, ScanSpec, SystemScope,
    pseudo::{Instants, data_column, pseudo_column, pseudo_value},
    range::KeyBounds,
};
use crate::{
    error::{Result, StoreError},
    keys::Probe,
    memtable::Chunk,
    notes::Known,
    run::Run,
    shape::Shape,
    snapshot::Snapshot,
    sst::{Block, Segment},
    visible::{Rows, Wanted},
};
use spectradb_kernel::{Batch, Column, Type, Value, column::ColumnBuilder};
use std::{collections::VecDeque, ops::ControlFlow, sync::Arc};

/// Keys that are looked up for one batch.
const KEYS_PER_BATCH: usize = 1024;

/// The batches of a scan.
#[derive(Debug)]
pub struct Scan {
    snapshot: Snapshot,
    spec: ScanSpec,
    shape: Arc<Shape>,
    wanted: Wanted,
    bounds: KeyBounds,
    /// How many of the named keys have been looked up.
    keys_done: usize,
    sources: VecDeque<Source>,
    ready: VecDeque<Batch>,
    instants: Instants,
}

#[derive(Debug)]
enum Source {
    Chunk(Arc<Chunk>),
    /// A segment from a block on.
    Segment(Arc<Segment>, usize),
}

impl Scan {
    pub(crate) fn new(snapshot: Snapshot, spec: ScanSpec) -> Result<Scan> {
        let pinned = snapshot.commit();
        if let SystemScope::AsOf(asked) = spec.system
            && asked > pinned
        {
            return Err(StoreError::Future { asked, newest: pinned });
        }
        let shape = snapshot.shape(spec.table)?;
        let wanted = Wanted::new(pinned, spec.system, spec.valid);
        let bounds = KeyBounds::new(&spec.keys, &shape);
        let mut sources = VecDeque::new();
        if !matches!(spec.keys, KeyRange::Exact(_)) {
            for memtable in snapshot.view().version.memtables() {
                if let Some(table) = memtable.table(spec.table) {
                    sources.extend(table.chunks().into_iter().map(Source::Chunk));
                }
            }
            if let Some(files) = snapshot.view().version.tables.get(&spec.table) {
                let needed = |segment: &&Arc<Segment>| {
                    segment.meets(&wanted) && bounds.meets(&segment.meta.key_min, &segment.meta.key_max)
                };
                sources.extend(files.segments().filter(needed).map(|segment| Source::Segment(segment.clone(), 0)));
            }
        }
        let instants = Instants::default();
        Ok(Scan { snapshot, spec, shape, wanted, bounds, keys_done: 0, sources, ready: VecDeque::new(), instants })
    }

    /// Can a block hold a wanted row?
    fn needs(&self, block: &Block, shape: &Shape) -> bool {
        self.wanted.meets(&block.bounds)
            && self.bounds.meets(&block.key_min, &block.key_max)
            && self.spec.predicates.iter().all(|predicate| {
                match shape.place_of(&self.shape, predicate.column_idx) {
                    Some(place) => block.zones[place].may_hold(block.rows, predicate.op, &predicate.value),
                    // A column that the facts do not have yet is NULL, and NULL satisfies no comparison.
                    None => false,
                }
            })
    }

    fn look_up(&mut self) -> Result<Option<Batch>> {
        let KeyRange::Exact(keys) = &self.spec.keys else { return Ok(None) };
        let lot = &keys[self.keys_done..keys.len().min(self.keys_done + KEYS_PER_BATCH)];
        if lot.is_empty() {
            return Ok(None);
        }
        let mut columns: Vec<Vec<Value>> = vec![Vec::new(); self.spec.columns.len()];
        let mut count = 0;
        for key in lot {
            let probe = Probe::new(key, &mut self.shape.key_types());
            let mut failed = None;
            // At one point of both times a key has one fact.
            let single =
                matches!((self.spec.system, self.spec.valid), (SystemScope::AsOf(_), super::ValidScope::At(_)));
            self.snapshot.view().visit(self.spec.table, &probe, &self.wanted, &mut |found| {
                count += 1;
                for (column, values) in self.spec.columns.iter().zip(&mut columns) {
                    let value = match column {
                        ScanColumn::Data(column_idx) => match found.shape().place_of(&self.shape, *column_idx) {
                            Some(place) => found.value(place),
                            None => Value::Null,
                        },
                        pseudo => {
                            match pseudo_value(
                                *pseudo,
                                &found,
                                self.wanted.commit_max,
                                &mut self.instants,
                                &self.snapshot,
                            ) {
                                Ok(value) => value,
                                Err(error) => {
                                    failed = Some(error);
                                    return ControlFlow::Break(());
                                }
                            }
                        }
                    };
                    values.push(value);
                }
                if single { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
        }
        self.keys_done += lot.len();
        let columns = self.spec.columns.iter().zip(columns).map(|(column, mut values)| {
            let ty = column_type(*column, &self.shape);
            if values.len() == 1 {
                return Column::constant(ty, values.pop().expect("it has one"), 1);
            }
            let mut builder = ColumnBuilder::new(ty);
            values.iter().for_each(|value| builder.push(value));
            builder.finish()
        });
        Ok(Some(Batch::new(columns.collect(), count)))
    }

    fn read(&mut self, run: &Run, shape: &Shape, known: &Known, mask: Option<Vec<u8>>) -> Result<Option<Batch>> {
        let rows = match self.wanted.rows(run, known, mask) {
            Rows::Nothing => return Ok(None),
            Rows::All => None,
            Rows::Some(rows) => Some(rows),
        };
        let mut columns = Vec::with_capacity(self.spec.columns.len());
        for column in &self.spec.columns {
            columns.push(match column {
                ScanColumn::Data(column_idx) => data_column(run, shape, &self.shape, *column_idx),
                pseudo => {
                    pseudo_column(*pseudo, run, known, self.wanted.commit_max, &mut self.instants, &self.snapshot)?
                }
            });
        }
        let batch = Batch::new(columns, run.len);
        Ok(Some(match rows {
            None => batch,
            Some(rows) => batch.select(rows),
        }))
    }

    /// Cuts a batch into pieces no longer than asked.
    fn deliver(&mut self, batch: Batch) {
        let (len, most) = (batch.len(), self.spec.batch_rows_max.max(1));
        if len <= most {
            self.ready.push_back(batch);
            return;
        }
        for start in (0..len).step_by(most) {
            self.ready.push_back(batch.slice(start..len.min(start + most)));
        }
    }

    fn advance(&mut self) -> Result<bool> {
        if let KeyRange::Exact(_) = self.spec.keys {
            let Some(batch) = self.look_up()? else { return Ok(false) };
            if !batch.is_empty() {
                self.deliver(batch);
            }
            return Ok(true);
        }
        let Some(source) = self.sources.pop_front() else { return Ok(false) };
        match source {
            Source::Chunk(chunk) => {
                if self.wanted.meets(&chunk.run.bounds) {
                    let mask = self.bounds.mask(&chunk.run, &chunk.shape.key);
                    if let Some(batch) = self.read(&chunk.run, &chunk.shape, &chunk.ends.known(), mask)? {
                        self.deliver(batch);
                    }
                }
            }
            Source::Segment(segment, first) => {
                let index = segment.index()?;
                let Some(at) = (first..index.blocks.len()).find(|at| self.needs(&index.blocks[*at], &index.shape))
                else {
                    return Ok(true);
                };
                let block = &index.blocks[at];
                let run = segment.run(block)?;
                let mask = match self.bounds.covers(&block.key_min, &block.key_max) {
                    true => None,
                    false => self.bounds.mask(run, &index.shape.key),
                };
                let batch = self.read(run, &index.shape, &block.ends.known(), mask)?;
                if at + 1 < index.blocks.len() {
                    self.sources.push_front(Source::Segment(segment.clone(), at + 1));
                }
                if let Some(batch) = batch {
                    self.deliver(batch);
                }
            }
        }
        Ok(true)
    }
}

/// The type of a column of a scan.
fn column_type(column: ScanColumn, shape: &Shape) -> Type {
    match column {
        ScanColumn::Data(column_idx) => shape.columns[column_idx].1,
        ScanColumn::Commit | ScanColumn::Origin => Type::Integer,
        ScanColumn::SystemFrom | ScanColumn::SystemTo | ScanColumn::ValidFrom | ScanColumn::ValidTo => Type::Timestamp,
    }
}

impl Iterator for Scan {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        loop {
            if let Some(batch) = self.ready.pop_front() {
                return Some(Ok(batch));
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    // What could not be read ends the scan: a batch left out would be a wrong answer.
                    self.sources.clear();
                    self.keys_done = usize::MAX;
                    return Some(Err(error));
                }
            }
        }
    }
}
