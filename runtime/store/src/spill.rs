//! How does a transaction keep more new facts than memory holds?
//!
//! Facts that a transaction states are brought into the order of their keys and written to segments of its own before it
//! commits, as a large commit writes its facts ([`crate::bulk`]); what it states later becomes further segments. Until the
//! commit nobody else knows of them: a [`Spill`] is a database of its own, of these segments alone, and the transaction
//! reads it beside its snapshot. The commit's record names all of them, and its root is computed while they are merged.
//!
//! Holds: the segments of a spill never change; what is added to a spill makes another one, and both share what is older.
//! Files go with the last spill that has them, unless a record names them; files that a crash leaves go with the next open.
//! Not here: when a transaction spills (the session), the merge (`chain`), the record (`bulk`).

use crate::{
    bulk::in_order,
    commit::Visible,
    error::{CommitError, Result, StoreError},
    fact::FactBatch,
    keys::encode_row,
    run::{Run, i64_at},
    shape::Shape,
    snapshot::Snapshot,
    sst::{Segment, Spans, gather},
    store::Store,
    tree::{LEVEL_COUNT, SegmentKind, TableFiles, TableShard, Tree, TreeView, Version},
};
use spectradb_kernel::{
    Period,
    schema::{TableId, TableSchema},
    time::Micros,
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// New facts of one table that lie in segments before the commit that states them.
#[derive(Clone, Debug)]
pub struct Spill {
    schema: Arc<TableSchema>,
    segments: Vec<Arc<Segment>>,
    /// The segments alone, at the commit that the transaction read.
    snapshot: Snapshot,
    /// Facts that are not to be committed, by key and where their period begins.
    gone: Arc<HashSet<(Vec<u8>, Micros)>>,
}

impl Store {
    /// Writes new facts of a table to segments that only their transaction knows, behind what it has written so before.
    /// `snapshot` is what the transaction reads.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], and what the disk says; then no file stays.
    pub fn spill(
        &self,
        snapshot: &Snapshot,
        schema: &Arc<TableSchema>,
        before: Option<&Spill>,
        facts: Vec<FactBatch>,
    ) -> Result<Spill> {
        if self.is_read_only() {
            return Err(StoreError::ReadOnly);
        }
        let inner = self.inner();
        inner.health.check()?;
        let mut segments = before.map_or_else(Vec::new, |before| before.segments.clone());
        inner.tree.spill(schema, facts, &mut segments)?;
        Ok(self.spill_of(snapshot, schema, segments))
    }

    /// The same facts without those that are gone, in segments that never had these.
    ///
    /// # Errors
    /// As [`Store::spill`].
    pub fn rewrite(&self, snapshot: &Snapshot, spill: &Spill) -> Result<Spill> {
        self.inner().health.check()?;
        let segments = spill.finish(&self.inner().tree, Vec::new())?;
        Ok(self.spill_of(snapshot, &spill.schema, segments))
    }

    fn spill_of(&self, snapshot: &Snapshot, schema: &Arc<TableSchema>, segments: Vec<Arc<Segment>>) -> Spill {
        let inner = self.inner();
        let snapshot = alone(&inner.tree, snapshot, &segments, inner.catalogs.clone());
        Spill { schema: schema.clone(), segments, snapshot, gone: Arc::default() }
    }
}

impl Spill {
    /// Its facts, as of the commit that the transaction read: their own is 0.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The table.
    pub fn table(&self) -> TableId {
        self.schema.id
    }

    /// How many facts it has, those that are gone included.
    pub fn rows(&self) -> u64 {
        self.segments.iter().map(|segment| segment.meta.rows).sum()
    }

    /// The same without some facts, each by its key and where its period begins.
    #[must_use]
    pub fn without(mut self, gone: HashSet<(Vec<u8>, Micros)>) -> Spill {
        self.gone = Arc::new(gone);
        self
    }

    pub(crate) fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    /// The segments of what is to be committed: `more` facts among them, and none of those that are gone.
    ///
    /// # Errors
    /// What reading and writing segments gives.
    pub(crate) fn finish(&self, tree: &Tree, more: Vec<FactBatch>) -> Result<Vec<Arc<Segment>>> {
        let mut segments = Vec::with_capacity(self.segments.len() + 1);
        for segment in &self.segments {
            let in_it = |(key, _): &&(Vec<u8>, Micros)| (&segment.meta.key_min..=&segment.meta.key_max).contains(&key);
            match self.gone.iter().any(|gone| in_it(&gone)) {
                false => segments.push(segment.clone()),
                true => segments.extend(tree.rewritten(segment, &self.gone)?),
            }
        }
        tree.spill(&self.schema, more, &mut segments)?;
        Ok(segments)
    }
}

impl Tree {
    /// Writes facts of a table to segments behind others.
    fn spill(&self, schema: &Arc<TableSchema>, facts: Vec<FactBatch>, segments: &mut Vec<Arc<Segment>>) -> Result<()> {
        let known = segments.len();
        let shape = Arc::new(Shape::of(schema));
        for batch in in_order(facts, &schema.key) {
            self.write_bulk(&shape, &batch, segments)?;
        }
        let bytes = segments[known..].iter().map(|segment| segment.meta.bytes).sum();
        self.written.bulk_bytes.fetch_add(bytes, Relaxed);
        Ok(())
    }

    /// A segment without some facts; `None` when none is left.
    fn rewritten(&self, segment: &Segment, gone: &HashSet<(Vec<u8>, Micros)>) -> Result<Option<Arc<Segment>>> {
        let index = segment.index()?;
        let mut builder = self.builder(&index.shape, segment.meta.shard, 0, SegmentKind::Current)?;
        let (mut name, mut rows_left) = ((Vec::new(), 0), 0);
        for block in &index.blocks {
            let run: &Run = &*segment.run(block)?;
            let mut rows: Vec<u32> = Vec::with_capacity(run.len);
            for row in 0..run.len {
                name.0.clear();
                encode_row(&run.columns, &index.shape.key, row, &mut name.0);
                name.1 = i64_at(&run.valid_from, row);
                if !gone.contains(&name) {
                    rows.push(row as u32);
                }
            }
            rows_left += rows.len();
            if rows.len() == run.len {
                builder.add(run)?;
            } else if !rows.is_empty() {
                let mut spans = Spans::default();
                rows.iter().for_each(|row| spans.push(0, *row as usize..*row as usize + 1));
                builder.add(&gather(&[run], &spans))?;
            }
        }
        if rows_left == 0 {
            return Ok(None);
        }
        let written = self.open_built(builder)?;
        self.written.bulk_bytes.fetch_add(written.meta.bytes, Relaxed);
        Ok(Some(written))
    }
}

/// A reader of some segments alone.
fn alone(
    tree: &Tree,
    snapshot: &Snapshot,
    segments: &[Arc<Segment>],
    catalogs: Arc<crate::catalog::Catalogs>,
) -> Snapshot {
    let mut tables: BTreeMap<TableShard, TableFiles> = BTreeMap::new();
    for (depth, chain) in (1..).zip(chains(segments)) {
        for segment in chain {
            // What overlaps nothing of its level is found by a search; what has no level of its own is asked one by one.
            let level = if depth < LEVEL_COUNT { depth } else { 0 };
            let meta = crate::tree::SegmentMeta { level: level as u8, ..segment.meta.clone() };
            tables.entry(meta.place()).or_default().add(segment, &meta);
        }
    }
    let version = Version {
        active: Arc::default(),
        frozen: Vec::new(),
        tables: tables.into_iter().map(|(place, files)| (place, Arc::new(files))).collect(),
        shards: tree.view().version.shards.clone(),
        pruned: Arc::default(),
        scans: Arc::default(),
    };
    let visible = Visible {
        record: snapshot.record(),
        commit: snapshot.commit(),
        instant: snapshot.instant(),
        catalog: snapshot.catalog().clone(),
    };
    Snapshot::new(TreeView { version: Arc::new(version) }, Arc::new(visible), catalogs)
}

/// Sorted segments of one table in as few rows as can be, each in the order of its keys: a load that comes in order is one.
pub(crate) fn chains(segments: &[Arc<Segment>]) -> Vec<Vec<Arc<Segment>>> {
    let mut sorted = segments.to_vec();
    sorted.sort_by(|a, b| (a.meta.place(), &a.meta.key_min).cmp(&(b.meta.place(), &b.meta.key_min)));
    let mut chains: Vec<Vec<Arc<Segment>>> = Vec::new();
    for segment in sorted {
        let follows = |chain: &&mut Vec<Arc<Segment>>| {
            chain.last().is_some_and(|last| {
                last.meta.place() == segment.meta.place() && last.meta.key_max < segment.meta.key_min
            })
        };
        match chains.iter_mut().find(follows) {
            Some(chain) => chain.push(segment),
            None => chains.push(vec![segment]),
        }
    }
    chains
}

/// The keys and periods of all facts of some segments, until the visitor refuses one.
///
/// # Errors
/// What reading segments gives, and the visitor's.
pub(crate) fn each_key(
    segments: &[Arc<Segment>],
    mut visit: impl FnMut(&[u8], Period) -> Result<(), CommitError>,
) -> Result<(), CommitError> {
    let mut key = Vec::new();
    for segment in segments {
        let index = segment.index()?;
        for block in &index.blocks {
            let run: &Run = &*segment.run(block)?;
            for row in 0..run.len {
                key.clear();
                encode_row(&run.columns, &index.shape.key, row, &mut key);
                let (from, to) = (i64_at(&run.valid_from, row), i64_at(&run.valid_to, row));
                visit(&key, Period::new(from, to).expect("blocks are checked"))?;
            }
        }
    }
    Ok(())
}
