//! How do the facts of a past state come into segments of their own?
//!
//! From the log, where all of it is there: its records are applied to an empty tree, as recovery does, and the tree is flushed
//! and compacted as it grows. Otherwise from the tables: they have every version of every fact, so the state is the facts of
//! the commits up to it, and what ended later has not ended yet.
//!
//! Holds: what a table's retention let go does not come back from the tables. A state in which such a fact was current is
//! refused with the first commit that can be restored; where it had ended by then, the new database notes that it is gone.
//! Not here: the log's bytes, the manifest.

use super::Source;
use crate::{
    bulk::{Bulk, arrange, check_whole, left_to_files},
    catalog::Catalogs,
    config::Config,
    error::{Result, StoreError},
    format::Identity,
    fs::Disk,
    log::{Health, LogEnd, held},
    manifest::{KnownEnd, ManifestState},
    memtable::Chunk,
    notes::{Ends, Known},
    readers::Readers,
    recover::apply,
    replay::{LogScan, RecordBody},
    run::{END_OPEN, Run, i64_at, lane_of_commit},
    shape::Shape,
    sst::{Spans, gather, with_ends},
    tree::{Checkpoint, Edit, Shards, TableShard, Tree, TreeState, is_ours},
};
use spectradb_kernel::schema::TableId;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
};

/// Where the facts go.
pub(super) struct Target<'a> {
    disk: &'a Arc<dyn Disk>,
    identity: Identity,
    config: &'a Config,
    state: &'a ManifestState,
    health: &'a Arc<Health>,
    readers: &'a Arc<Readers>,
    catalogs: &'a Arc<Catalogs>,
}

impl<'a> Target<'a> {
    pub(super) fn new(
        disk: &'a Arc<dyn Disk>,
        identity: Identity,
        config: &'a Config,
        state: &'a ManifestState,
        (health, readers): (&'a Arc<Health>, &'a Arc<Readers>),
        catalogs: &'a Arc<Catalogs>,
    ) -> Target<'a> {
        Target { disk, identity, config, state, health, readers, catalogs }
    }

    /// A tree without a segment.
    fn tree(&self, state: TreeState) -> Result<Arc<Tree>> {
        let shards = Shards::new(self.state.shard_count, &self.state.slots);
        let (health, readers) = (self.health.clone(), self.readers.clone());
        Tree::open(
            self.disk.clone(),
            state,
            (shards, self.catalogs.clone()),
            self.identity,
            self.config,
            health,
            readers,
        )
    }
}

impl Source {
    /// Brings the facts of the state to the target. Answers its files, and whether they come from the log.
    pub(super) fn facts(&self, end: &LogEnd, target: &Target<'_>) -> Result<(TreeState, bool)> {
        if self.state.log_first == 1 {
            match self.facts_of_log(end, target) {
                // The log left them to segments, which no longer have all of them.
                Err(StoreError::FactsPruned { .. }) => {
                    for name in target.disk.list()?.iter().filter(|name| is_ours(name)) {
                        target.disk.remove(name)?;
                    }
                }
                made => return Ok((made?, true)),
            }
        }
        Ok((self.facts_of_segments(end, target)?, false))
    }

    fn facts_of_log(&self, end: &LogEnd, target: &Target<'_>) -> Result<TreeState> {
        let inner = self.inner();
        let tree = target.tree(TreeState::default())?;
        let files = Mutex::new(TreeState::default());
        let install = |edit: &Edit| {
            let mut files = held(&files);
            *files = std::mem::take(&mut *files).after(edit);
            Ok(())
        };
        let flush = || {
            while tree.flush_one(&install)? {}
            while tree.compact_one(&|_| Ok(0), &install)? {}
            Ok::<_, StoreError>(())
        };
        let begin = ManifestState::empty(1).checkpoint;
        let known = KnownEnd { record: end.record, link: Some(end.link), generation: end.generation };
        let (disk, catalogs) = (inner.disk.clone(), inner.catalogs.clone());
        let mut scan = LogScan::new(disk, inner.identity, catalogs, begin, end.generation, known);
        while scan.end().record < end.record {
            let Some(mut found) = scan.next_record()? else {
                return Err(super::differs(scan.end().record + 1, "it is not in the log".to_owned()));
            };
            check_whole(&found, self.snapshot.view(), &inner.catalogs)?;
            let left = left_to_files(&found);
            if let RecordBody::Commit { commit, catalog_version, write } = &mut found.record.body
                && let Some(catalog) = target.catalogs.at(*catalog_version)
            {
                let mut tables = write.facts.iter().map(|batch| batch.table).chain(left.keys().copied());
                if let Some(table) = tables.find(|table| catalog.by_id(*table).is_none()) {
                    return Err(StoreError::UnknownTable { table });
                }
                let schema_of = |table: TableId| catalog.by_id(table).expect("its tables were found").clone();
                // Where it is large it takes no memory and no place in the log here either.
                let large = arrange(write, &schema_of, tree.config().bulk_bytes_min);
                let mut bulk = Bulk::write(write, &large, &schema_of, &tree)?.unwrap_or_default();
                for table in left.into_keys() {
                    bulk.copy((self.snapshot.view(), table, *commit), &schema_of(table), &tree)?;
                }
                bulk.keep();
                found.bulk = (!bulk.segments.is_empty()).then_some(bulk.section);
            }
            apply(&found, &tree, target.catalogs)?;
            if tree.needs_freeze() {
                tree.freeze(found.end.commit, found.end.record);
                flush()?;
            }
        }
        if scan.end().link != end.link {
            return Err(super::differs(end.record, "it is another one in the log".to_owned()));
        }
        tree.freeze(end.commit, end.record);
        flush()?;
        Ok(held(&files).clone())
    }

    fn facts_of_segments(&self, end: &LogEnd, target: &Target<'_>) -> Result<TreeState> {
        let version = &self.snapshot.view().version;
        if let Some((table, gone)) = version.pruned.iter().max_by_key(|(_, gone)| **gone)
            && *gone > end.commit
        {
            let schema = self.inner().catalogs.schema(*table);
            let table = schema.map_or_else(|| format!("number {table}"), |schema| schema.name.clone());
            return Err(StoreError::NotRestorable { table, asked: end.commit, first: *gone });
        }
        let state = TreeState {
            checkpoint: Checkpoint { commit: end.commit, record: end.record },
            pruned: BTreeMap::clone(&version.pruned),
            ..TreeState::default()
        };
        let mut past = Past {
            tree: target.tree(state.clone())?,
            files: Mutex::new(state),
            upto: lane_of_commit(end.commit),
            chunks: BTreeMap::new(),
            bytes: 0,
        };
        for memtable in version.memtables() {
            for (place, table) in memtable.tables() {
                for chunk in table.chunks() {
                    past.take(place, &chunk.shape, &chunk.run, &chunk.ends.known())?;
                }
            }
        }
        let upto = past.upto;
        for (place, files) in &version.tables {
            for segment in files.segments().filter(|segment| segment.meta.commit_min <= end.commit) {
                let index = segment.index()?;
                for block in index.blocks.iter().filter(|block| block.bounds.commit_min <= upto) {
                    past.take(*place, &index.shape, &*segment.run(block)?, &block.ends.known())?;
                }
            }
        }
        past.flush()?;
        Ok(held(&past.files).clone())
    }
}

/// The facts of the commits up to one, under way to segments.
struct Past {
    tree: Arc<Tree>,
    files: Mutex<TreeState>,
    /// That commit.
    upto: i64,
    chunks: BTreeMap<TableShard, Vec<Arc<Chunk>>>,
    bytes: usize,
}

impl Past {
    /// Takes what a run has of them.
    fn take(&mut self, place: TableShard, shape: &Arc<Shape>, run: &Run, known: &Known) -> Result<()> {
        let (mut spans, mut ends) = (Spans::default(), Vec::new());
        for row in (0..run.len).filter(|row| i64_at(&run.commit, *row) <= self.upto) {
            spans.push(0, row..row + 1);
            ends.push(known.end_of(row).min(i64_at(&run.system_to, row)));
        }
        if ends.is_empty() {
            return Ok(());
        }
        let len = ends.len();
        let run = with_ends(gather(&[run], &spans), vec![END_OPEN; len]);
        let noted = Ends::default();
        for (row, end) in (0..).zip(&ends).filter(|(_, end)| **end <= self.upto) {
            noted.note(row, *end, len);
        }
        self.bytes += run.memory_bytes();
        self.chunks.entry(place).or_default().push(Arc::new(Chunk::new(shape, run, noted)));
        if self.bytes >= self.tree.config().memtable_bytes_max {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what was taken: what had ended by the commit apart from what is current.
    fn flush(&mut self) -> Result<()> {
        self.bytes = 0;
        for (place, chunks) in std::mem::take(&mut self.chunks) {
            let mut segments = Vec::new();
            self.tree.write_table(place, &chunks, self.upto, self.tree.shard_bytes(), &mut segments)?;
            let add = segments.iter().map(|segment| segment.meta.clone()).collect();
            let edit = Edit { add, next_file: self.tree.next_file.load(Relaxed), ..Edit::default() };
            self.tree.publish(&edit, &segments, &|edit| {
                let mut files = held(&self.files);
                *files = std::mem::take(&mut *files).after(edit);
                Ok(())
            })?;
        }
        Ok(())
    }
}
