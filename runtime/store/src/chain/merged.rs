//! What is the root of a commit whose facts lie in segments?
//!
//! The segments of each table are put into as few rows as can be (`spill::chains`), and the rows are merged by key and
//! validity, together with the leaves of what stands in memory: deletions, ends, the facts of other tables. Each leaf goes to
//! the hash when its turn comes, so that a block of each row and a stride of leaves is all that is held. Segments of history
//! are in the order of ends: what they have of the commit is sorted first, and held meanwhile.
//!
//! Holds: the root is the one that the same facts have in memory. No two facts of a key overlap, or the write is refused: they
//! were stated one after another, and this is the last place that sees them all.
//! Not here: segments (`spill`), hashing in memory (`chain`).

use super::{
    BatchShape, Entries, Hash, LEAVES_AT_ONCE, LeafColumn, Look, Merkle, Op, ROOM, Room, SALT_BYTES, Salts, Secret,
    leaf_columns,
    looks::{LeafName, LeafTold},
    put_columns, put_key, put_key_and_period, schema_version,
};
use crate::{
    error::{CommitError, Result},
    fact::Write,
    keys::encode_row,
    run::{Run, commit_of_lane, i64_at, lane_of_commit},
    salts::ErasedLeaf,
    shape::Shape,
    spill::chains,
    sst::{Block, Segment, Spans, gather},
    tree::SegmentKind,
};
use spectradb_kernel::{
    Period,
    schema::TableId,
    time::{Commit, Micros},
};
use std::{cmp::Ordering, collections::BinaryHeap, sync::Arc};

/// The root of a commit of which some facts lie in segments: those that were written for it and are not numbered yet, or
/// those that have its facts by now, so many of them. Where it left none to segments there are none. Every leaf is shown to `look`.
///
/// # Errors
/// [`CommitError::Conflict`] when two facts of a key overlap, and what reading segments gives.
pub(crate) fn commit_root_of_runs(
    write: &Write,
    shapes: &[BatchShape],
    secret: &Secret,
    segments: &[Arc<Segment>],
    among: Option<Among>,
    look: &mut dyn Look,
) -> Result<Hash, CommitError> {
    let mut entries = Entries::default();
    entries.gather(write, shapes);
    let readers: Vec<Vec<LeafColumn<'_>>> =
        write.facts.iter().zip(shapes).map(|(batch, shape)| leaf_columns(&batch.columns, shape)).collect();
    let rows = among.map_or_else(|| segments.iter().map(|segment| segment.meta.rows).sum(), |among| among.rows);
    let mut leaves = Leaves::new(secret, rows + entries.sorted.len() as u64, look);
    let only = among.map(|among| lane_of_commit(among.commit));
    let mut rows: Vec<Row> = chains(segments).into_iter().map(|chain| Row::new(chain, only)).collect();
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
                let ended = match entry.op {
                    Op::Supersede => write.superseded[entry.source as usize].facts[entry.row as usize].commit,
                    Op::Metadata | Op::Assert | Op::Retract | Op::Catalog => 0,
                };
                let name = LeafName {
                    op: entry.op,
                    table: entry.table,
                    key: entries.key(entry),
                    valid_from: entry.valid_from,
                };
                leaves.push(&name, (schema_version(write, entry), ended), |salt, keys, columns| {
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
            let name = LeafName { op: Op::Assert, table: block.table(), key: head.key, valid_from: from };
            leaves.push(&name, (block.shape.version, 0), |salt, keys, columns| {
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

/// The facts of one commit among others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Among {
    pub(crate) commit: Commit,
    /// How many of them there are in the segments.
    pub(crate) rows: u64,
}

/// Segments that follow each other, read block by block.
struct Row {
    /// The commit whose facts are meant; all facts when there is none.
    only: Option<i64>,
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
    fn new(chain: Vec<Arc<Segment>>, only: Option<i64>) -> Row {
        Row { only, segments: chain.into_iter(), segment: None, block_idx: 0, loaded: None, next: 0 }
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
            if let (Some(only), SegmentKind::History) = (self.only, segment.meta.kind) {
                let sorted = sorted_history(segment, only)?;
                self.loaded = sorted.map(|run| Arc::new(Loaded::new(Arc::new(run), &index.shape)));
                self.segment = None;
                if self.loaded.is_some() {
                    return Ok(());
                }
                continue;
            }
            let Some(block) = index.blocks.get(self.block_idx) else {
                self.segment = None;
                continue;
            };
            self.block_idx += 1;
            let run = match self.only {
                None => segment.run(block)?.share(),
                Some(only) => match facts_in(segment, block, only)? {
                    Some(run) => run,
                    None => continue,
                },
            };
            self.loaded = Some(Arc::new(Loaded::new(run, &index.shape)));
            return Ok(());
        }
    }
}

/// What a block has of a commit; `None` when it has nothing.
pub(crate) fn facts_in(segment: &Segment, block: &Block, commit: i64) -> Result<Option<Arc<Run>>> {
    if !(block.bounds.commit_min..=block.bounds.commit_max).contains(&commit) {
        return Ok(None);
    }
    let run = segment.run(block)?;
    let mut spans = Spans::default();
    (0..run.len).filter(|row| i64_at(&run.commit, *row) == commit).for_each(|row| spans.push(0, row..row + 1));
    Ok(match spans.rows {
        0 => None,
        all if all == run.len => Some(run.share()),
        _ => Some(Arc::new(gather(&[&*run], &spans))),
    })
}

/// What a segment of history has of a commit, in the order of key and validity.
fn sorted_history(segment: &Segment, commit: i64) -> Result<Option<Run>> {
    let index = segment.index()?;
    let mut runs = Vec::new();
    for block in &index.blocks {
        runs.extend(facts_in(segment, block, commit)?);
    }
    let mut places = Vec::new();
    for (run_idx, run) in runs.iter().enumerate() {
        for row in 0..run.len {
            let mut key = Vec::new();
            encode_row(&run.columns, &index.shape.key, row, &mut key);
            places.push((key, i64_at(&run.valid_from, row), run_idx, row));
        }
    }
    places.sort_unstable();
    let mut spans = Spans::default();
    places.iter().for_each(|(_, _, run_idx, row)| spans.push(*run_idx, *row..row + 1));
    let runs: Vec<&Run> = runs.iter().map(|run| &**run).collect();
    Ok((!runs.is_empty()).then(|| gather(&runs, &spans)))
}

impl Loaded {
    fn new(run: Arc<Run>, shape: &Arc<Shape>) -> Loaded {
        let (mut keys, mut ends) = (Vec::with_capacity(run.len * 8), Vec::with_capacity(run.len));
        for row in 0..run.len {
            encode_row(&run.columns, &shape.key, row, &mut keys);
            ends.push(keys.len());
        }
        Loaded { run, shape: shape.clone(), batch: BatchShape::of(shape), keys, ends }
    }

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

/// Leaves on their way into the root, a stride at a time; those that were erased stand where they stood.
struct Leaves<'a> {
    salts: Salts,
    count: u64,
    /// That of the next leaf.
    place: u64,
    room: Room,
    kinds: Vec<(TableId, u32, Op)>,
    /// Those whose turn is to come.
    erased: &'a [ErasedLeaf],
    /// Those of this stride, with their places in it.
    gone: Vec<(usize, Hash)>,
    merkle: Merkle,
    look: &'a mut dyn Look,
}

impl<'a> Leaves<'a> {
    /// Expects so many leaves besides those that were erased.
    fn new(secret: &'a Secret, leaf_count: u64, look: &'a mut dyn Look) -> Leaves<'a> {
        let erased = secret.erased();
        let count = leaf_count + erased.len() as u64;
        Leaves {
            salts: Salts::new(secret, count),
            count,
            place: 0,
            room: ROOM.take(),
            kinds: Vec::with_capacity(LEAVES_AT_ONCE),
            erased,
            gone: Vec::new(),
            merkle: Merkle::default(),
            look,
        }
    }

    /// Adds a leaf, given what puts the messages of its commitments.
    fn push(
        &mut self,
        name: &LeafName<'_>,
        (schema_version, ended): (u32, Commit),
        put: impl FnOnce(&Hash, &mut Vec<u8>, &mut Vec<u8>),
    ) {
        self.pass_erased();
        let place = self.begin();
        let Room { salts, keys, columns, .. } = &mut self.room;
        let (key_start, columns_start) = (keys.buffer().len(), columns.buffer().len());
        put(&salts[place], keys.buffer(), columns.buffer());
        if self.look.wants(name) {
            let (key_and_period, columns) = (&keys.buffer()[key_start..], &columns.buffer()[columns_start..]);
            let told = LeafTold { place: self.place, schema_version, ended, key_and_period, columns };
            self.look.take(name, &told);
        }
        keys.end();
        columns.end();
        self.kinds.push((name.table, schema_version, name.op));
        self.end();
    }

    /// Adds the erased leaves that stand here.
    fn pass_erased(&mut self) {
        while let Some((leaf, later)) = self.erased.split_first().filter(|(leaf, _)| leaf.place == self.place) {
            let place = self.begin();
            self.gone.push((place, leaf.leaf));
            self.erased = later;
            self.end();
        }
    }

    /// The next place in its stride, for which there is a salt.
    fn begin(&mut self) -> usize {
        debug_assert!(self.place < self.count, "the leaves were counted");
        let place = (self.place % LEAVES_AT_ONCE as u64) as usize;
        if place == 0 {
            self.room.clear();
            self.room.salts.resize((self.count - self.place).min(LEAVES_AT_ONCE as u64) as usize, [0; 32]);
            self.salts.stride(self.place / LEAVES_AT_ONCE as u64, &mut self.room.salts);
        }
        place
    }

    fn end(&mut self) {
        self.place += 1;
        if self.place.is_multiple_of(LEAVES_AT_ONCE as u64) {
            self.hash();
        }
    }

    fn hash(&mut self) {
        self.room.hash(self.kinds.drain(..));
        for (place, leaf) in self.gone.drain(..) {
            self.room.leaves.insert(place, leaf);
        }
        self.look.hashed(self.place - self.room.leaves.len() as u64, &self.room.leaves);
        self.merkle.extend(&self.room.leaves);
    }

    fn root(mut self) -> Hash {
        self.pass_erased();
        if !self.place.is_multiple_of(LEAVES_AT_ONCE as u64) {
            self.hash();
        }
        self.room.give_back();
        self.merkle.root()
    }
}
