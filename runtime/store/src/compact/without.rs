//! How do segments lose all facts of some keys?
//!
//! Each segment that has one of them is written anew at its level without it; what its notes say becomes part of the facts that
//! stay, as in a compaction, so nothing that names a row of the old file has a meaning any more. Columns of blocks that lose a
//! row are built value by value: neither a dictionary nor the slot of a NULL keeps what is gone.
//!
//! Holds: everything is in files, nothing is compacted and no commit is applied meanwhile, so every noted end is durable.
//! Not here: the log, and the step that makes it durable (`erase`).

use super::{
    merge::{CurrentSink, HistorySink},
    pick::Job,
};
use crate::{
    error::Result,
    keys::encode_row,
    notes::Known,
    run::{END_OPEN, Run, commit_of_lane},
    sst::{Block, Segment},
    tree::{Checkpoint, Edit, SegmentKind, Tree, Version, notes_name, segment_name},
};
use spectradb_kernel::{Column, column::ColumnBuilder, schema::TableId, time::Commit};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering::Relaxed},
};

/// Keys of one table.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) table: TableId,
    pub(crate) keys: BTreeSet<Vec<u8>>,
}

impl Keys {
    /// Is it one of them?
    pub(crate) fn has(&self, table: TableId, key: &[u8]) -> bool {
        self.table == table && self.keys.contains(key)
    }

    /// Those that may be in a segment.
    fn within<'k>(&'k self, segment: &Segment) -> impl Iterator<Item = &'k Vec<u8>> {
        self.keys.range(segment.meta.key_min.clone()..=segment.meta.key_max.clone())
    }
}

/// Segments and what takes their place.
#[derive(Debug, Default)]
pub(crate) struct Rewritten {
    pub(crate) old: Vec<Arc<Segment>>,
    pub(crate) new: Vec<Arc<Segment>>,
    /// How many facts are gone of each commit.
    pub(crate) facts: BTreeMap<Commit, u64>,
}

/// Some rows of a column, built value by value.
pub(crate) fn pick_rows(column: &Column, rows: &[u32]) -> Column {
    if let Some(value) = column.as_const() {
        return Column::constant(column.ty(), value.clone(), rows.len());
    }
    let mut builder = ColumnBuilder::new(column.ty());
    rows.iter().for_each(|row| builder.push_from(column, *row as usize));
    builder.finish()
}

fn pick_of_run(run: &Run, rows: &[u32]) -> Run {
    let columns = run.columns.iter().map(|column| pick_rows(column, rows)).collect();
    let lane = |column| pick_rows(column, rows);
    let periods = (lane(&run.valid_from), lane(&run.valid_to));
    Run::new(columns, periods, lane(&run.commit), lane(&run.origin), lane(&run.system_to))
}

impl Tree {
    /// Writes the segments anew that have facts of some keys. Nothing refers to the new ones yet.
    ///
    /// # Errors
    /// What reading and writing files gives.
    pub(crate) fn without(&self, keys: &Keys) -> Result<Rewritten> {
        let mut rewritten = Rewritten::default();
        for (place, files) in self.view().version.tables.iter().filter(|(place, _)| place.table == keys.table) {
            let levels = files.levels.iter().zip(0..).map(|(level, number)| (number, SegmentKind::Current, level));
            for (level, kind, segments) in levels.chain([(0, SegmentKind::History, &files.history)]) {
                for segment in segments {
                    let job = Job { place: *place, kind, inputs: Vec::new(), from_level: level, level, moves: false };
                    self.rewrite_without(segment, &job, keys, &mut rewritten)?;
                }
            }
        }
        Ok(rewritten)
    }

    fn rewrite_without(&self, segment: &Arc<Segment>, job: &Job, keys: &Keys, rewritten: &mut Rewritten) -> Result<()> {
        let mut may_hold = false;
        for key in keys.within(segment) {
            may_hold |= segment.may_hold(key)?;
            if may_hold {
                break;
            }
        }
        if !may_hold {
            return Ok(());
        }
        let index = segment.index()?;
        let kept = index.blocks.iter().map(|block| kept_rows(segment, block, keys)).collect::<Result<Vec<_>>>()?;
        if kept.iter().all(Option::is_none) {
            return Ok(());
        }
        let mut current = CurrentSink::new(self, &index.shape, job);
        let mut history = HistorySink::default();
        for (block, kept) in index.blocks.iter().zip(kept) {
            let whole = segment.run(block)?.share();
            let known = match job.kind {
                SegmentKind::Current => block.ends.known(),
                // What has ended is never noted.
                SegmentKind::History => Known::Nothing,
            };
            let (run, rows) = match kept {
                None => (whole, None),
                Some(rows) => {
                    let (mut kept, commits) = (rows.iter().peekable(), whole.commit.i64s());
                    for row in 0..whole.len {
                        if kept.next_if(|next| **next as usize == row).is_none() {
                            let commit = commit_of_lane(commits.at(row));
                            *rewritten.facts.entry(commit).or_default() += 1;
                        }
                    }
                    if rows.is_empty() {
                        continue;
                    }
                    (Arc::new(pick_of_run(&whole, &rows)), Some(rows))
                }
            };
            if matches!(known, Known::Nothing) {
                current.push(0, &run, 0..run.len)?;
                continue;
            }
            for row in 0..run.len {
                let noted = rows.as_ref().map_or(row, |rows| rows[row] as usize);
                match known.end_of(noted) {
                    END_OPEN => current.push(0, &run, row..row + 1)?,
                    end => history.push(&run, row, end),
                }
            }
        }
        rewritten.new.extend(current.finish()?);
        rewritten.new.extend(history.finish(self, &index.shape, job.place.shard)?);
        rewritten.old.push(segment.clone());
        Ok(())
    }

    /// Puts rewritten segments in the place of the old ones: first in the manifest, by `edit`, then in the tree. The files
    /// hold everything up to a checkpoint.
    ///
    /// # Errors
    /// What `edit` gives; then the old segments stay.
    pub(crate) fn replace_rewritten(
        &self,
        rewritten: &Rewritten,
        checkpoint: Checkpoint,
        edit: &dyn Fn(&Edit) -> Result<()>,
    ) -> Result<Edit> {
        let mut files = self.files();
        let removed: Vec<u64> = rewritten.old.iter().map(|segment| segment.meta.file).collect();
        let version = self.view().version;
        let stays = |file: &u64| !removed.contains(file) && version.tables.values().any(|table| table.has(*file));
        let idle = files.notes.iter().filter(|notes| !notes.targets.iter().any(stays));
        let change = Edit {
            add: rewritten.new.iter().map(|segment| segment.meta.clone()).collect(),
            remove: removed.clone(),
            remove_notes: idle.map(|notes| notes.file).collect(),
            checkpoint: Some(checkpoint),
            next_file: self.next_file.load(Relaxed),
            ..Edit::default()
        };
        self.publish(&change, &rewritten.new, edit)?;
        self.written.compaction_bytes.fetch_add(change.added_bytes(), Relaxed);
        files.notes.retain(|notes| !change.remove_notes.contains(&notes.file));
        files.checkpoint = checkpoint;

        let _writer = self.writer();
        let old = self.view().version;
        let mut tables = old.tables.clone();
        for segment in &rewritten.old {
            Arc::make_mut(tables.entry(segment.meta.place()).or_default()).remove(&removed);
        }
        for segment in &rewritten.new {
            Arc::make_mut(tables.entry(segment.meta.place()).or_default()).add(segment.clone(), &segment.meta);
        }
        self.install(Version { tables, ..Version::clone(&old) });
        Ok(change)
    }

    /// Gives the files of a change up that it no longer names.
    pub(crate) fn give_up_replaced(&self, change: &Edit) {
        let segments = change.remove.iter().map(|file| segment_name(*file));
        for name in segments.chain(change.remove_notes.iter().map(|file| notes_name(*file))) {
            self.readers.give_up(name);
        }
    }
}

/// The rows of a block that stay; `None` when all do.
fn kept_rows(segment: &Segment, block: &Block, keys: &Keys) -> Result<Option<Vec<u32>>> {
    let (low, high) = (block.key_min.to_vec(), block.key_max.to_vec());
    if keys.keys.range(low..=high).next().is_none() {
        return Ok(None);
    }
    let shape = &segment.index()?.shape;
    let run = segment.run(block)?;
    let mut key = Vec::new();
    let mut rows = Vec::with_capacity(run.len);
    for row in 0..run.len as u32 {
        key.clear();
        encode_row(&run.columns, &shape.key, row as usize, &mut key);
        if !keys.keys.contains(&key) {
            rows.push(row);
        }
    }
    Ok((rows.len() < run.len).then_some(rows))
}
