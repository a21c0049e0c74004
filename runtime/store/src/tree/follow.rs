//! How does a reader's tree take over the files that another process's tree has now?
//!
//! Segments that are open stay open; others are opened, with all notes on them. Where the checkpoint is still the same the
//! memtable stays, and ends that only the log knows move from segments that went to those that took their place. Otherwise
//! the memtable is emptied, and the log is applied again from the new checkpoint: an end that is noted already is noted
//! again.
//!
//! Holds: a view that was taken before answers as it did; its segments are open, whatever becomes of their names.
//! Not here: reading the log and the manifest (`follow`).

use super::{SegmentKind, TableFiles, TableShard, Tree, TreeState, Version, locate, notes_name};
use crate::{error::Result, format::notes_v1, run::lane_of_commit, sst::Segment};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, atomic::Ordering::Relaxed},
};

impl Tree {
    /// Takes over the files of a state; with `anew` the memtable is emptied. Answers whether that was possible: when not,
    /// nothing was changed, and it has to be asked for anew.
    ///
    /// # Errors
    /// What opening the files gives: nothing was changed.
    pub(crate) fn follow(&self, state: &TreeState, anew: bool) -> Result<bool> {
        let mut files = self.files();
        let old = self.view().version;
        let known: HashMap<u64, &Arc<Segment>> = old
            .tables
            .values()
            .flat_map(|table| table.segments())
            .map(|segment| (segment.meta.file, segment))
            .collect();
        let mut tables: BTreeMap<TableShard, Arc<TableFiles>> = BTreeMap::new();
        let mut segments: HashMap<u64, Arc<Segment>> = HashMap::new();
        let mut opened: BTreeMap<TableShard, Vec<Arc<Segment>>> = BTreeMap::new();
        for meta in &state.segments {
            let segment = match known.get(&meta.file).filter(|segment| segment.meta.root == meta.root) {
                Some(segment) => Arc::clone(segment),
                None => {
                    let segment = self.open_segment(meta.clone())?;
                    let segment = Arc::new(segment);
                    opened.entry(meta.place()).or_default().push(segment.clone());
                    segment
                }
            };
            segments.insert(meta.file, segment.clone());
            Arc::make_mut(tables.entry(meta.place()).or_default()).add(segment, meta);
        }
        let is_opened = |file: &u64| opened.values().flatten().any(|segment| segment.meta.file == *file);
        for meta in &state.notes {
            let is_new = !files.notes.iter().any(|known| known.file == meta.file && known.root == meta.root);
            if !is_new && !meta.targets.iter().any(is_opened) {
                continue;
            }
            let name = notes_name(meta.file);
            for (file, row, end) in notes_v1::read(&name, &self.disk.map(&name)?, self.identity, &meta.root)? {
                if let Some(segment) = segments.get(&file).filter(|_| is_new || is_opened(&file)) {
                    segment.note(row, end)?;
                }
            }
        }
        // Segments that only the log names are opened again with their records.
        if !anew && !old.active.bulk().is_empty() {
            return Ok(false);
        }
        if !anew && !self.address_opened(&old, &segments, &opened, lane_of_commit(state.checkpoint.commit))? {
            return Ok(false);
        }
        let pruned = Arc::new(state.pruned.clone());
        let (active, frozen) = if anew { Default::default() } else { (old.active.clone(), old.frozen.clone()) };
        files.notes.clone_from(&state.notes);
        files.checkpoint = state.checkpoint;
        self.next_file.store(state.next_file.max(1), Relaxed);
        let _writer = self.writer();
        self.install(Version { active, frozen, tables, pruned, ..Version::clone(&old) });
        Ok(true)
    }

    /// Notes what ended after the checkpoint on the segments that took the place of others; answers whether all of it was
    /// found.
    fn address_opened(
        &self,
        old: &Version,
        segments: &HashMap<u64, Arc<Segment>>,
        opened: &BTreeMap<TableShard, Vec<Arc<Segment>>>,
        checkpoint: i64,
    ) -> Result<bool> {
        let gone = old.tables.iter().flat_map(|(place, table)| table.segments().map(move |segment| (place, segment)));
        let gone = gone.filter(|(_, segment)| !segments.contains_key(&segment.meta.file));
        for (place, segment) in gone.filter(|(_, segment)| segment.meta.kind == SegmentKind::Current) {
            let outputs = opened.get(place).map_or(&[][..], Vec::as_slice);
            for (row, end) in segment.notes().into_iter().filter(|(_, end)| *end > checkpoint) {
                let (block, row) = segment.place(row)?;
                let run = segment.run(block)?;
                let Some((output, row)) = locate(outputs, &run, &segment.index()?.shape, row)? else {
                    return Ok(false);
                };
                output.note(row, end)?;
            }
        }
        Ok(true)
    }
}
