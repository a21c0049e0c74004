//! How is a scan carried out?
//!
//! Keys that are named are looked up one by one. Everything else walks the runs of the table: chunks of memtables and
//! blocks of segments. A run is left out when its bounds say so, taken whole when they say so, and otherwise filtered
//! into a selection; in all three cases its columns are shared as they lie.
//!
//! Holds: a scan reads what its snapshot pinned, whenever its batches are asked for.
//! Not here: what is visible (`visible`), instants for commits (`scan::pseudo`).

use super::{
    KeyRange, ScanColumn, ScanSpec, SystemScope, ValidScope,
    ahead::Ahead,
    counts::Counting,
    pseudo::{Instants, data_column, pseudo_column, pseudo_value},
    range::{KeyBounds, common_prefix},
};
use crate::{
    error::{Result, StoreError},
    keys::Probe,
    memtable::Chunk,
    notes::Ends,
    remembered::Memory,
    run::Run,
    shape::Shape,
    snapshot::Snapshot,
    sst::{Block, Segment},
    tree::{Found, SegmentKind},
    visible::{Rows, Wanted},
};
use spectradb_kernel::{Batch, Column, Type, Value, column::ColumnBuilder, schema::TableSchema};
use std::{collections::VecDeque, ops::ControlFlow, sync::Arc};

/// Keys that are looked up for one batch.
const KEYS_PER_BATCH: usize = 1024;

/// The batches of a scan.
#[derive(Debug)]
pub struct Scan {
    snapshot: Snapshot,
    spec: ScanSpec,
    schema: Arc<TableSchema>,
    wanted: Wanted,
    bounds: KeyBounds,
    /// How many of the named keys have been looked up.
    keys_done: usize,
    sources: VecDeque<Source>,
    ready: VecDeque<Batch>,
    instants: Instants,
    counting: Counting,
}

#[derive(Debug)]
enum Source {
    Chunk(Arc<Chunk>),
    /// A segment from a block on.
    Segment(Arc<Segment>, usize, Ahead),
}

impl Scan {
    pub(crate) fn new(snapshot: Snapshot, spec: ScanSpec) -> Result<Scan> {
        let pinned = snapshot.commit();
        if let SystemScope::AsOf(asked) = spec.system
            && asked > pinned
        {
            return Err(StoreError::Future { asked, newest: pinned });
        }
        let schema = snapshot.schema(spec.table)?;
        snapshot.check_horizon(&schema, spec.system)?;
        let wanted = Wanted::new(pinned, spec.system, spec.valid);
        let bounds = KeyBounds::new(&spec.keys, &schema);
        let mut sources = VecDeque::new();
        if !matches!(spec.keys, KeyRange::Exact(_)) {
            for memtable in snapshot.view().version.memtables() {
                for table in memtable.shards_of(spec.table) {
                    sources.extend(table.chunks().into_iter().map(Source::Chunk));
                }
            }
            let needed = |segment: &&Arc<Segment>| {
                segment.meets(&wanted) && bounds.meets(&segment.meta.key_min, &segment.meta.key_max)
            };
            let prefix = common_prefix(&spec.keys, &schema);
            for segment in snapshot.view().version.segments_of(spec.table).filter(needed) {
                let may_hold = match &prefix {
                    Some(prefix) => segment.may_hold_prefix(prefix)?,
                    None => true,
                };
                if may_hold {
                    sources.push_back(Source::Segment(segment.clone(), 0, Ahead::default()));
                }
            }
        }
        let counting = Counting::new(&snapshot.view().version.scans);
        Ok(Scan {
            snapshot,
            spec,
            schema,
            wanted,
            bounds,
            keys_done: 0,
            sources,
            ready: VecDeque::new(),
            instants: Instants::default(),
            counting,
        })
    }

    /// Can a block hold a wanted row?
    fn needs(&self, block: &Block, shape: &Shape) -> bool {
        self.wanted.meets(&block.bounds)
            && self.bounds.meets(&block.key_min, &block.key_max)
            && self.spec.predicates.iter().all(|predicate| {
                match shape.place_of(&self.schema, predicate.column_idx) {
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
        // At one point of both times a key has one fact.
        let single = matches!((self.spec.system, self.spec.valid), (SystemScope::AsOf(_), ValidScope::At(_)));
        let (wanted, schema, snapshot) = (&self.wanted, &self.schema, &self.snapshot);
        let reader = Reader { wanted, schema, snapshot };
        let (names, instants) = (&self.spec.columns, &mut self.instants);
        if let ([key], true) = (lot, single) {
            self.keys_done += 1;
            let mut row = Ok(None);
            snapshot.view().visit(schema.id, &Probe::new(key, &mut schema.key_types()), wanted, &mut |found| {
                row =
                    names.iter().map(|name| reader.constant(*name, &found, instants)).collect::<Result<_>>().map(Some);
                ControlFlow::Break(())
            })?;
            return Ok(row?.map(|columns| Batch::new(columns, 1)));
        }
        let mut columns: Vec<ColumnBuilder> =
            names.iter().map(|name| ColumnBuilder::new(column_type(*name, schema))).collect();
        let mut count = 0;
        for key in lot {
            let mut read = Ok(());
            snapshot.view().visit(schema.id, &Probe::new(key, &mut schema.key_types()), wanted, &mut |found| {
                count += 1;
                for (name, column) in names.iter().zip(&mut columns) {
                    match reader.value(*name, &found, instants) {
                        Ok(value) => column.push(&value),
                        Err(error) => {
                            read = Err(error);
                            return ControlFlow::Break(());
                        }
                    }
                }
                if single { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            read?;
        }
        self.keys_done += lot.len();
        Ok(Some(Batch::new(columns.into_iter().map(ColumnBuilder::finish).collect(), count)))
    }

    fn read(
        &mut self,
        (run, shape): (&Run, &Shape),
        ends: &Ends,
        memory: &dyn Memory,
        mask: Option<Vec<u8>>,
    ) -> Result<Option<Batch>> {
        let rows = match self.wanted.rows(run, ends, memory, mask) {
            Rows::Nothing => return Ok(None),
            Rows::All => None,
            Rows::Some(rows) => Some(rows),
        };
        let mut columns = Vec::with_capacity(self.spec.columns.len());
        for column in &self.spec.columns {
            columns.push(match column {
                ScanColumn::Data(column_idx) => data_column(run, shape, &self.schema, *column_idx),
                pseudo => {
                    pseudo_column(*pseudo, run, ends, self.wanted.commit_max, &mut self.instants, &self.snapshot)?
                }
            });
        }
        let batch = Batch::new(columns, run.len);
        Ok(Some(match rows {
            None => batch,
            Some(rows) => batch.select_shared(rows),
        }))
    }

    /// Cuts a batch into pieces no longer than asked; answers the first, if there is a row at all.
    fn deliver(&mut self, batch: Batch) -> Option<Batch> {
        let (len, most) = (batch.len(), self.spec.batch_rows_max.max(1));
        if len == 0 {
            return None;
        }
        if len <= most {
            return Some(batch);
        }
        self.ready.extend((most..len).step_by(most).map(|start| batch.slice(start..len.min(start + most))));
        Some(batch.slice(0..most))
    }

    /// Reads the next source; `None` after the last. Some have no row.
    fn advance(&mut self) -> Result<Option<Option<Batch>>> {
        if let KeyRange::Exact(keys) = &self.spec.keys {
            if self.keys_done >= keys.len() {
                return Ok(None);
            }
            let batch = self.look_up()?;
            return Ok(Some(batch.and_then(|batch| self.deliver(batch))));
        }
        let Some(source) = self.sources.pop_front() else { return Ok(None) };
        let batch = match source {
            Source::Chunk(chunk) => {
                if !self.wanted.meets(&chunk.run.bounds) {
                    return Ok(Some(None));
                }
                let mask = self.bounds.mask(&chunk.run, &chunk.shape.key);
                self.counting.counted.rows_read += chunk.run.len as u64;
                let room = self.counting.all.remembered.clone();
                self.read((&chunk.run, &chunk.shape), &chunk.ends, &chunk.remembered.within(&room), mask)?
            }
            Source::Segment(segment, first, mut ahead) => {
                let index = segment.index()?;
                let Some(at) = (first..index.blocks.len()).find(|at| self.needs(&index.blocks[*at], &index.shape))
                else {
                    return Ok(Some(None));
                };
                let block = &index.blocks[at];
                let fetched = ahead.take(&segment, index, at, |block| self.needs(block, &index.shape));
                let run = segment.run_of(block, fetched)?;
                let looked_at = self.wanted.looked_at(&run) as u64;
                self.counting.counted.rows_read += looked_at;
                if segment.meta.kind == SegmentKind::History {
                    self.counting.counted.history_rows_read += looked_at;
                }
                let mask = match self.bounds.covers(&block.key_min, &block.key_max) {
                    true => None,
                    false => self.bounds.mask(&run, &index.shape.key),
                };
                let batch = self.read((&run, &index.shape), &block.ends, block.memory(), mask)?;
                if at + 1 < index.blocks.len() {
                    self.sources.push_front(Source::Segment(segment.clone(), at + 1, ahead));
                }
                batch
            }
        };
        self.counting.counted.rows_given += batch.as_ref().map_or(0, |batch| batch.len() as u64);
        Ok(Some(batch.and_then(|batch| self.deliver(batch))))
    }
}

/// Who reads single facts.
struct Reader<'a> {
    wanted: &'a Wanted,
    schema: &'a TableSchema,
    snapshot: &'a Snapshot,
}

impl Reader<'_> {
    fn value(&self, column: ScanColumn, found: &Found<'_>, instants: &mut Instants) -> Result<Value> {
        match column {
            ScanColumn::Data(column_idx) => Ok(match found.shape().place_of(self.schema, column_idx) {
                Some(place) => found.value(place),
                None => Value::Null,
            }),
            pseudo => pseudo_value(pseudo, found, self.wanted.commit_max, instants, self.snapshot),
        }
    }

    fn constant(&self, column: ScanColumn, found: &Found<'_>, instants: &mut Instants) -> Result<Column> {
        Ok(Column::constant(column_type(column, self.schema), self.value(column, found, instants)?, 1))
    }
}

/// The type of a column of a scan.
fn column_type(column: ScanColumn, schema: &TableSchema) -> Type {
    match column {
        ScanColumn::Data(column_idx) => schema.columns[column_idx].ty.plain(),
        ScanColumn::Commit | ScanColumn::CommitTo | ScanColumn::Origin => Type::Integer,
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
                Ok(Some(Some(batch))) => return Some(Ok(batch)),
                Ok(Some(None)) => {}
                Ok(None) => return None,
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
