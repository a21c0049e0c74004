//! What is the root of a commit whose facts lie in sorted segments?
//!
//! The segments of each table are put into as few rows as can be (`spill::chains`), and the rows are merged by key and
//! validity, together with the leaves of what stands in memory: deletions, ends, the facts of other tables. Each leaf goes to
//! the hash when its turn comes, so that a block of each row and a stride of leaves is all that is held.
//!
//! Holds: the root is the one that the same facts have in memory. No two facts of a key overlap, or the write is refused: they
//! were stated one after another, and this is the last place that sees them all.
//! Not here: segments (`spill`), hashing in memory (`chain`).

use super::{
    BatchShape, Entries, Hash, LEAVES_AT_ONCE, LeafColumn, Merkle, Op, ROOM, Room, SALT_BYTES, Salts, Secret,
    leaf_columns, put_columns, put_key, put_key_and_period, schema_version,
};
use crate::{
    error::{CommitError, Result},
    fact::Write,
    keys::encode_row,
    run::{Run, commit_of_lane, i64_at},
    shape::Shape,
    spill::chains,
    sst::Segment,
};
use spectradb_kernel::{Period, schema::TableId, time::Micros};
use std::{cmp::Ordering, collections::BinaryHeap, sync::Arc};

/// The root of a commit of which some facts lie in segments that were not numbered yet.
///
/// # Errors
/// [`CommitError::Conflict`] when two facts of a key overlap, and what reading segments gives.
pub(crate) fn commit_root_of_runs(
    write: &Write,
    shapes: &[BatchShape],
    secret: &Secret,
    segments: &[Arc<Segment>],
) -> Result<Hash, CommitError> {
    let mut entries = Entries::default();
    entries.gather(write, shapes);
    let readers: Vec<Vec<LeafColumn<'_>>> =
        write.facts.iter().zip(shapes).map(|(batch, shape)| leaf_columns(&batch.columns, shape)).collect();
    let rows: u64 = segments.iter().map(|segment| segment.meta.rows).sum();
    let mut leaves = Leaves::new(secret, rows + entries.sorted.len() as u64);
    let mut rows: Vec<Row> = chains(segments).into_iter().map(Row::new).collect();
    rows.iter_mut().try_for_each(Row::load)?;
    let mut entry_idx = 0;
    let mut last = Last::default();
    // Within one turn each row stays in one block.
    loop {
        let blocks: Vec<Option<Arc<Loaded>>> = rows.iter().map(|row| row.loaded.clone()).collect();
        let columns: Vec<Vec<LeafColumn<'_>>> =
            blocks.iter().map(|block| block.as_ref().map_or_else(Vec::new, |block| block.columns())).collect();
        let mut heads: BinaryHeap<Head<'_>> = blocks
            .iter()
            .enumerate()
            .filter_map(|(row, block)| Some(Head::new(block.as_deref()?, row, rows[row].next)))
            .collect();
        let mut ended = None;
        while ended.is_none() {
            let entry = entries.sorted.get(entry_idx);
            let entry = entry.filter(|entry| {
                heads.peek().is_none_or(|head| {
                    let place = (entry.table, entries.key(entry), entry.valid_from, entry.op);
                    place < (head.block.table(), head.key, head.from, Op::Assert)
                })
            });
            if let Some(entry) = entry {
                let of_batch = readers.get(entry.source as usize).map_or(&[][..], Vec::as_slice);
                leaves.push((entry.table, schema_version(write, entry), entry.op), |salt, keys, columns| {
                    put_key_and_period(write, entries.key(entry), entry, &salt[..SALT_BYTES], keys);
                    put_columns(write, of_batch, entry, &salt[SALT_BYTES..], columns);
                });
                entry_idx += 1;
                continue;
            }
            let Some(mut head) = heads.peek_mut() else { break };
            let (block, row) = (head.block, head.at);
            let run = &*block.run;
            let (from, to) = (head.from, i64_at(&run.valid_to, row));
            last.follow(block.table(), head.key, (from, to))?;
            let origin = commit_of_lane(i64_at(&run.origin, row));
            let values = &columns[head.row];
            leaves.push((block.table(), block.shape.version, Op::Assert), |salt, keys, columns| {
                put_key(head.key, (from, to), origin, &salt[..SALT_BYTES], keys);
                super::Put::put(columns, &salt[SALT_BYTES..]);
                values.iter().for_each(|column| column.put(row, columns));
            });
            rows[head.row].next = row + 1;
            if row + 1 < run.len {
                let (row, at) = (head.row, row + 1);
                *head = Head::new(block, row, at);
            } else {
                ended = Some(head.row);
            }
        }
        match ended {
            Some(row) => rows[row].load()?,
            None => return Ok(leaves.root()),
        }
    }
}

/// Segments that follow each other, read block by block.
struct Row {
    segments: std::vec::IntoIter<Arc<Segment>>,
    segment: Option<Arc<Segment>>,
    block_idx: usize,
    loaded: Option<Arc<Loaded>>,
    /// The next fact of the block.
    next: usize,
}

/// A block with the keys of its facts.
struct Loaded {
    run: Arc<Run>,
    shape: Arc<Shape>,
    batch: BatchShape,
    keys: Vec<u8>,
    ends: Vec<usize>,
}

impl Row {
    fn new(chain: Vec<Arc<Segment>>) -> Row {
        Row { segments: chain.into_iter(), segment: None, block_idx: 0, loaded: None, next: 0 }
    }

    /// Goes on to the next block.
    fn load(&mut self) -> Result<()> {
        (self.loaded, self.next) = (None, 0);
        loop {
            if self.segment.is_none() {
                (self.segment, self.block_idx) = (self.segments.next(), 0);
            }
            let Some(segment) = &self.segment else { return Ok(()) };
            let index = segment.index()?;
            let Some(block) = index.blocks.get(self.block_idx) else {
                self.segment = None;
                continue;
            };
            self.block_idx += 1;
            let run = segment.run(block)?.share();
            let (mut keys, mut ends) = (Vec::with_capacity(run.len * 8), Vec::with_capacity(run.len));
            for row in 0..run.len {
                encode_row(&run.columns, &index.shape.key, row, &mut keys);
                ends.push(keys.len());
            }
            let batch = BatchShape::of(&index.shape);
            self.loaded = Some(Arc::new(Loaded { run, shape: index.shape.clone(), batch, keys, ends }));
            return Ok(());
        }
    }
}

impl Loaded {
    fn table(&self) -> TableId {
        self.shape.table
    }

    fn columns(&self) -> Vec<LeafColumn<'_>> {
        leaf_columns(&self.run.columns, &self.batch)
    }

    fn key(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.keys[start..self.ends[row]]
    }
}

/// The next fact of a row; the greatest head of all is the one whose turn it is.
struct Head<'a> {
    block: &'a Loaded,
    key: &'a [u8],
    from: Micros,
    row: usize,
    at: usize,
}

impl<'a> Head<'a> {
    fn new(block: &'a Loaded, row: usize, at: usize) -> Head<'a> {
        Head { block, key: block.key(at), from: i64_at(&block.run.valid_from, at), row, at }
    }
}

impl Ord for Head<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |head: &Self| (head.block.table(), head.from, head.row);
        let (one, two) = (place(self), place(other));
        let order = one.0.cmp(&two.0).then_with(|| self.key.cmp(other.key));
        order.then_with(|| (one.1, one.2).cmp(&(two.1, two.2))).reverse()
    }
}

impl PartialOrd for Head<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head<'_> {}

/// The fact before.
#[derive(Default)]
struct Last {
    table: Option<TableId>,
    key: Vec<u8>,
    from: Micros,
    to: Micros,
}

impl Last {
    fn follow(&mut self, table: TableId, key: &[u8], (from, to): (Micros, Micros)) -> Result<(), CommitError> {
        if self.table == Some(table) && self.key == key {
            if from < self.to {
                let period = Period::new(self.from, self.to).expect("blocks are checked");
                return Err(CommitError::Conflict { table, key: key.to_vec(), period });
            }
        } else {
            self.table = Some(table);
            self.key.clear();
            self.key.extend_from_slice(key);
        }
        (self.from, self.to) = (from, to);
        Ok(())
    }
}

/// Leaves on their way into the root, a stride at a time.
struct Leaves {
    salts: Salts,
    left: u64,
    stride: u64,
    room: Room,
    kinds: Vec<(TableId, u32, Op)>,
    merkle: Merkle,
}

impl Leaves {
    fn new(secret: &Secret, leaf_count: u64) -> Leaves {
        debug_assert!(secret.erased().is_empty(), "nothing of a new commit is erased");
        let salts = Salts::new(secret, leaf_count);
        let (room, kinds) = (ROOM.take(), Vec::with_capacity(LEAVES_AT_ONCE));
        Leaves { salts, left: leaf_count, stride: 0, room, kinds, merkle: Merkle::default() }
    }

    /// Adds a leaf, given what puts the messages of its commitments.
    fn push(&mut self, kind: (TableId, u32, Op), put: impl FnOnce(&Hash, &mut Vec<u8>, &mut Vec<u8>)) {
        if self.kinds.is_empty() {
            self.room.clear();
            self.room.salts.resize(self.left.min(LEAVES_AT_ONCE as u64) as usize, [0; 32]);
            self.salts.stride(self.stride, &mut self.room.salts);
        }
        let Room { salts, keys, columns, .. } = &mut self.room;
        put(&salts[self.kinds.len()], keys.buffer(), columns.buffer());
        keys.end();
        columns.end();
        self.kinds.push(kind);
        self.left -= 1;
        if self.kinds.len() == LEAVES_AT_ONCE {
            self.hash();
        }
    }

    fn hash(&mut self) {
        self.room.hash(self.kinds.drain(..));
        self.merkle.extend(&self.room.leaves);
        self.stride += 1;
    }

    fn root(mut self) -> Hash {
        if !self.kinds.is_empty() {
            self.hash();
        }
        self.room.give_back();
        self.merkle.root()
    }
}
