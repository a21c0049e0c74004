//! How are the facts of many segments brought into one order?
//!
//! A cursor stands in each segment, and the one with the least fact gives a span: all its next facts that come before
//! what any other cursor has. Where segments hardly overlap, spans are long and are copied lane by lane. Sinks collect
//! spans until there is a block, and blocks until there is a segment.

use super::pick::{Job, segment_bytes};
use crate::{
    error::Result,
    keys::{encode_row, partition_point},
    run::{Run, i64_at},
    shape::Shape,
    sst::{Block, Builder, Segment, Spans, block_rows, gather, with_ends},
    tree::{SegmentKind, Tree},
};
use spectradb_kernel::{key::i64_bytes, ty::LaneKind};
use std::{collections::HashMap, ops::Range, sync::Arc};

/// What orders facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Key, then beginning of validity.
    Key,
    /// End, then the same.
    End,
}

/// Where a fact stands in the order of all.
pub(super) trait Place: Ord + Sized {
    /// The places of a run's facts, as far as they are worked out at once.
    type Lane;

    fn lane(order: Order, run: &Run, shape: &Shape) -> Self::Lane;

    fn at(lane: &Self::Lane, order: Order, run: &Run, shape: &Shape, row: usize) -> Self;
}

/// Any key: its bytes.
impl Place for Vec<u8> {
    type Lane = ();

    fn lane(_order: Order, _run: &Run, _shape: &Shape) {}

    fn at((): &(), order: Order, run: &Run, shape: &Shape, row: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32);
        if order == Order::End {
            bytes.extend_from_slice(&i64_bytes(i64_at(&run.system_to, row)));
        }
        encode_row(&run.columns, &shape.key, row, &mut bytes);
        bytes.extend_from_slice(&i64_bytes(i64_at(&run.valid_from, row)));
        bytes
    }
}

/// A key of one 64-bit integer, in the order of keys: most merges, and without a byte being written for a row.
impl Place for u128 {
    type Lane = Vec<u128>;

    fn lane(_order: Order, run: &Run, shape: &Shape) -> Vec<u128> {
        let half = |value: i64| u128::from(value.cast_unsigned() ^ 1 << 63);
        let (keys, from) = (run.columns[shape.key[0]].i64s(), run.valid_from.i64s());
        (0..run.len).map(|row| half(keys.at(row)) << 64 | half(from.at(row))).collect()
    }

    fn at(lane: &Vec<u128>, _order: Order, _run: &Run, _shape: &Shape, row: usize) -> u128 {
        lane[row]
    }
}

/// May facts of a shape be merged by numbers?
pub(super) fn by_numbers(order: Order, shape: &Shape) -> bool {
    let integer = |column: &usize| shape.columns[*column].1.lane() == LaneKind::I64;
    order == Order::Key && shape.key.len() == 1 && shape.key.iter().all(integer)
}

/// The facts of some segments in order.
pub(super) struct Merger<'a, P: Place> {
    order: Order,
    cursors: Vec<Cursor<'a, P>>,
    /// The next fact of each cursor that has one, the least last. There are few cursors.
    next: Vec<(P, usize)>,
}

struct Cursor<'a, P: Place> {
    segment: &'a Segment,
    shape: &'a Shape,
    blocks: &'a [Block],
    block: usize,
    /// The facts of that block, once they are needed: one check a block, whatever else the cache gives up meanwhile.
    run: Option<(Arc<Run>, P::Lane)>,
    row: usize,
}

impl<P: Place> Cursor<'_, P> {
    /// Where the next fact stands; `None` behind the last one.
    fn place(&mut self, order: Order) -> Result<Option<P>> {
        let Some(block) = self.blocks.get(self.block) else { return Ok(None) };
        if self.run.is_none() {
            let run = self.segment.run(block)?.share();
            let lane = P::lane(order, &run, self.shape);
            self.run = Some((run, lane));
        }
        Ok(self.run.as_ref().map(|(run, lane)| P::at(lane, order, run, self.shape, self.row)))
    }
}

/// Facts of one block that follow each other in the order of all.
#[derive(Debug)]
pub(super) struct MergedSpan<'a> {
    /// Which of the segments.
    pub(super) input: usize,
    pub(super) block: &'a Block,
    pub(super) run: Arc<Run>,
    pub(super) rows: Range<usize>,
}

impl<'a, P: Place> Merger<'a, P> {
    pub(super) fn new(segments: &'a [Arc<Segment>], order: Order) -> Result<Merger<'a, P>> {
        let mut merger = Merger { order, cursors: Vec::new(), next: Vec::new() };
        for (at, segment) in segments.iter().enumerate() {
            let index = segment.index()?;
            merger.cursors.push(Cursor {
                segment,
                shape: &index.shape,
                blocks: &index.blocks,
                block: 0,
                run: None,
                row: 0,
            });
            merger.queue(at)?;
        }
        Ok(merger)
    }

    /// Puts a cursor's next fact in its place among those of the others.
    fn queue(&mut self, at: usize) -> Result<()> {
        if let Some(place) = self.cursors[at].place(self.order)? {
            let next = (place, at);
            let behind = self.next.partition_point(|other| *other > next);
            self.next.insert(behind, next);
        }
        Ok(())
    }

    /// The next facts.
    pub(super) fn next_span(&mut self) -> Result<Option<MergedSpan<'a>>> {
        let Some((_, at)) = self.next.pop() else { return Ok(None) };
        let (cursor, order) = (&mut self.cursors[at], self.order);
        let block = &cursor.blocks[cursor.block];
        let (run, lane) = cursor.run.as_ref().expect("what was queued was read");
        let start = cursor.row;
        let rest = run.len - start;
        let taken = match self.next.last() {
            None => rest,
            Some((limit, _)) => {
                let before = |row: usize| P::at(lane, order, run, cursor.shape, start + row) <= *limit;
                // Doubling steps first: where segments interleave, the end is near.
                let mut step = 1;
                while step < rest && before(step) {
                    step *= 2;
                }
                let (low, high) = (step / 2, step.min(rest));
                (low + partition_point(high - low, |row| before(low + row))).max(1)
            }
        };
        let run = run.clone();
        cursor.row += taken;
        if cursor.row == run.len {
            cursor.block += 1;
            cursor.run = None;
            cursor.row = 0;
        }
        self.queue(at)?;
        Ok(Some(MergedSpan { input: at, block, run, rows: start..start + taken }))
    }
}

/// Collects facts in order into segments of about the size that their level asks for.
pub(super) struct CurrentSink<'a> {
    tree: &'a Tree,
    shape: &'a Arc<Shape>,
    shard: u16,
    level: u8,
    kind: SegmentKind,
    sources: Vec<Arc<Run>>,
    /// Where each input's last run stands among them.
    source_of: Vec<usize>,
    spans: Spans,
    per_block: usize,
    builder: Option<Builder>,
    done: Vec<Arc<Segment>>,
}

impl<'a> CurrentSink<'a> {
    pub(super) fn new(tree: &'a Tree, shape: &'a Arc<Shape>, job: &Job) -> CurrentSink<'a> {
        let spans = Spans::default();
        CurrentSink {
            tree,
            shape,
            shard: job.place.shard,
            level: job.level,
            kind: job.kind,
            sources: Vec::new(),
            source_of: vec![0; job.inputs.len().max(1)],
            spans,
            per_block: 0,
            builder: None,
            done: Vec::new(),
        }
    }

    /// Adds rows of a run of an input.
    pub(super) fn push(&mut self, input: usize, run: &Arc<Run>, mut rows: Range<usize>) -> Result<()> {
        while !rows.is_empty() {
            if self.spans.rows == 0 {
                self.per_block =
                    block_rows(run.memory_bytes() / run.len.max(1), self.tree.config().sstable_block_bytes);
            }
            let taken = rows.len().min(self.per_block - self.spans.rows);
            let known = self.source_of[input];
            let source = match self.sources.get(known).is_some_and(|source| Arc::ptr_eq(source, run)) {
                true => known,
                false => {
                    self.sources.push(run.clone());
                    self.source_of[input] = self.sources.len() - 1;
                    self.sources.len() - 1
                }
            };
            self.spans.push(source, rows.start..rows.start + taken);
            rows.start += taken;
            if self.spans.rows == self.per_block {
                self.end_block()?;
            }
        }
        Ok(())
    }

    fn end_block(&mut self) -> Result<()> {
        if self.spans.rows == 0 {
            return Ok(());
        }
        let sources: Vec<&Run> = self.sources.iter().map(Arc::as_ref).collect();
        let run = gather(&sources, &std::mem::take(&mut self.spans));
        self.sources.clear();
        let mut builder = match self.builder.take() {
            Some(builder) => builder,
            None => self.tree.builder(self.shape, self.shard, self.level, self.kind)?,
        };
        builder.add(&run)?;
        let full =
            self.kind == SegmentKind::Current && builder.bytes() >= segment_bytes(self.tree.shard_bytes(), self.level);
        if full {
            self.done.push(self.tree.open_built(builder)?);
        } else {
            self.builder = Some(builder);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Vec<Arc<Segment>>> {
        self.end_block()?;
        if let Some(builder) = self.builder.take() {
            self.done.push(self.tree.open_built(builder)?);
        }
        Ok(self.done)
    }
}

/// Collects ended facts, which come in the order of keys, and sorts them by their end.
#[derive(Debug, Default)]
pub(super) struct HistorySink {
    runs: Vec<Arc<Run>>,
    numbers: HashMap<*const Run, usize>,
    rows: Vec<(i64, u32, u32)>,
}

impl HistorySink {
    pub(super) fn push(&mut self, run: &Arc<Run>, row: usize, end: i64) {
        let number = *self.numbers.entry(Arc::as_ptr(run)).or_insert_with(|| {
            self.runs.push(run.clone());
            self.runs.len() - 1
        });
        self.rows.push((end, number as u32, row as u32));
    }

    pub(super) fn finish(mut self, tree: &Tree, shape: &Arc<Shape>, shard: u16) -> Result<Option<Arc<Segment>>> {
        let Some((_, number, _)) = self.rows.first() else { return Ok(None) };
        let runs: Vec<&Run> = self.runs.iter().map(Arc::as_ref).collect();
        let first = runs[*number as usize];
        let per_block = block_rows(first.memory_bytes() / first.len.max(1), tree.config().sstable_block_bytes);
        self.rows.sort_by_key(|(end, ..)| *end);
        let mut builder = tree.builder(shape, shard, 0, SegmentKind::History)?;
        for block in self.rows.chunks(per_block) {
            let mut spans = Spans::default();
            for (_, number, row) in block {
                spans.push(*number as usize, *row as usize..*row as usize + 1);
            }
            builder.add(&with_ends(gather(&runs, &spans), block.iter().map(|(end, ..)| *end).collect()))?;
        }
        tree.open_built(builder).map(Some)
    }
}
