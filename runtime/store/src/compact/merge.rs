//! How are the facts of many segments brought into one order?
//!
//! A cursor stands in each segment, and the one with the least fact gives a span: all its next facts that come before
//! what any other cursor has. Where segments hardly overlap, spans are long and are copied lane by lane. Sinks collect
//! spans until there is a block, and blocks until there is a segment.

use super::pick::Job;
use crate::{
    error::Result,
    keys::{encode_row, partition_point},
    run::{Run, i64_at},
    shape::Shape,
    sst::{Block, Builder, Segment, Spans, block_rows, gather, with_ends},
    tree::{SegmentKind, Tree},
};
use spectradb_kernel::key::i64_bytes;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    ops::Range,
    sync::Arc,
};

/// What orders facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Key, then beginning of validity.
    Key,
    /// End, then the same.
    End,
}

/// The facts of some segments in order.
#[derive(Debug)]
pub(super) struct Merger<'a> {
    order: Order,
    cursors: Vec<Cursor<'a>>,
    /// The next fact of each cursor that has one, as bytes.
    next: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
}

#[derive(Debug)]
struct Cursor<'a> {
    segment: &'a Segment,
    shape: &'a Shape,
    blocks: &'a [Block],
    block: usize,
    /// The facts of that block, once they are needed: one check a block, whatever else the cache gives up meanwhile.
    run: Option<Arc<Run>>,
    row: usize,
}

impl Cursor<'_> {
    fn run(&mut self) -> Result<Arc<Run>> {
        match &self.run {
            Some(run) => Ok(run.clone()),
            None => Ok(self.run.insert(self.segment.run(&self.blocks[self.block])?.share()).clone()),
        }
    }
}

/// Facts of one block that follow each other in the order of all.
#[derive(Debug)]
pub(super) struct MergedSpan<'a> {
    pub(super) block: &'a Block,
    pub(super) run: Arc<Run>,
    pub(super) rows: Range<usize>,
}

fn order_of(order: Order, run: &Run, shape: &Shape, row: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32);
    if order == Order::End {
        bytes.extend_from_slice(&i64_bytes(i64_at(&run.system_to, row)));
    }
    encode_row(&run.columns, &shape.key, row, &mut bytes);
    bytes.extend_from_slice(&i64_bytes(i64_at(&run.valid_from, row)));
    bytes
}

impl<'a> Merger<'a> {
    pub(super) fn new(segments: &'a [Arc<Segment>], order: Order) -> Result<Merger<'a>> {
        let mut merger = Merger { order, cursors: Vec::new(), next: BinaryHeap::new() };
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

    /// Puts a cursor's next fact in the queue.
    fn queue(&mut self, at: usize) -> Result<()> {
        let cursor = &mut self.cursors[at];
        if cursor.block < cursor.blocks.len() {
            let bytes = order_of(self.order, &*cursor.run()?, cursor.shape, cursor.row);
            self.next.push(Reverse((bytes, at)));
        }
        Ok(())
    }

    /// The next facts.
    pub(super) fn next_span(&mut self) -> Result<Option<MergedSpan<'a>>> {
        let Some(Reverse((_, at))) = self.next.pop() else { return Ok(None) };
        let cursor = &mut self.cursors[at];
        let block = &cursor.blocks[cursor.block];
        let run = cursor.run()?;
        let start = cursor.row;
        let rest = run.len - start;
        let taken = match self.next.peek() {
            None => rest,
            Some(Reverse((limit, _))) => {
                let before = |row: usize| order_of(self.order, &run, cursor.shape, start + row) <= *limit;
                // Doubling steps first: where segments interleave, the end is near.
                let mut step = 1;
                while step < rest && before(step) {
                    step *= 2;
                }
                let (low, high) = (step / 2, step.min(rest));
                (low + partition_point(high - low, |row| before(low + row))).max(1)
            }
        };
        cursor.row += taken;
        if cursor.row == run.len {
            cursor.block += 1;
            cursor.run = None;
            cursor.row = 0;
        }
        self.queue(at)?;
        Ok(Some(MergedSpan { block, run, rows: start..start + taken }))
    }
}

/// Collects facts in order into segments of about the size of a shard's part of a memtable.
pub(super) struct CurrentSink<'a> {
    tree: &'a Tree,
    shape: &'a Arc<Shape>,
    shard: u16,
    level: u8,
    kind: SegmentKind,
    sources: Vec<Arc<Run>>,
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
            spans,
            per_block: 0,
            builder: None,
            done: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, run: &Arc<Run>, mut rows: Range<usize>) -> Result<()> {
        while !rows.is_empty() {
            if self.spans.rows == 0 {
                self.per_block =
                    block_rows(run.memory_bytes() / run.len.max(1), self.tree.config().sstable_block_bytes);
            }
            let taken = rows.len().min(self.per_block - self.spans.rows);
            let known = self.sources.iter().rposition(|source| Arc::ptr_eq(source, run));
            let source = known.unwrap_or_else(|| {
                self.sources.push(run.clone());
                self.sources.len() - 1
            });
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
        let full = self.kind == SegmentKind::Current && builder.bytes() >= self.tree.shard_bytes();
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
