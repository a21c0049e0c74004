//! How do many segments become fewer, and how do ended facts leave the present?
//!
//! A compaction reads some segments of a table and writes others with the same facts: what ended at or before its cut
//! goes to history, what is current goes one level down, and the notes it read are part of the facts it wrote. Facts that
//! ended after the cut stay current, and their notes are addressed anew when the new segments take the old ones' place.
//!
//! Where a table's history is kept for a time only, what ended before its horizon is left out: the fact and its end go
//! together, and the manifest notes up to where history is gone in the same step.
//!
//! Holds: every other fact stays. The cut is a commit whose notes are durable, so nothing that a crash could undo is absorbed.
//! A reader that pinned the old segments keeps them until it lets go. Compactions that run at the same time share nothing.
//! Not here: threads (the engine calls), what the horizon of a table is.

mod claims;
mod merge;
mod neighbours;
mod pick;
mod without;

pub(crate) use claims::Claims;
pub(crate) use without::{Keys, pick_rows};

use crate::{
    error::Result,
    keys::partition_point,
    memtable::SegmentNote,
    notes::Known,
    run::{commit_of_lane, i64_at, lane_of_commit},
    sst::Segment,
    tree::{Edit, SegmentKind, SegmentMeta, Tree, Version, locate, memtable_of, notes_name, prune},
};
use merge::{CurrentSink, HistorySink, Merger, Order, Place, by_numbers};
use pick::{Due, Job, pick, pick_all};
use spectradb_kernel::{schema::TableId, time::Commit};
use std::sync::{Arc, atomic::Ordering::Relaxed};

/// Up to which commit the history of a table may go.
pub(crate) type Horizons<'a> = &'a dyn Fn(TableId) -> Result<Commit>;

/// What a compaction made of its inputs.
struct Merged {
    outputs: Vec<Arc<Segment>>,
    /// The last end of a fact that was left out; 0 when all are there.
    pruned: i64,
}

impl Tree {
    /// Does one compaction that is due; `edit` makes the change of files durable. Answers whether there was one.
    ///
    /// # Errors
    /// What reading and writing files or `edit` gives: then the old segments stay.
    pub(crate) fn compact_one(&self, horizons: Horizons<'_>, edit: &dyn Fn(&Edit) -> Result<()>) -> Result<bool> {
        let choose = |others: &_| {
            let due = Due { config: self.config(), shard_bytes: self.shard_bytes(), cut: self.cut(), horizons };
            pick(&self.view().version, &due, others)
        };
        let Some((job, _claimed)) = self.claims.claim(choose)? else { return Ok(false) };
        self.compact(job, horizons, edit)?;
        Ok(true)
    }

    /// Compacts a table, or every table, as far as it goes, beside what else is compacted.
    ///
    /// # Errors
    /// As [`Tree::compact_one`].
    pub(crate) fn compact_all(
        &self,
        table: Option<TableId>,
        horizons: Horizons<'_>,
        edit: &dyn Fn(&Edit) -> Result<()>,
    ) -> Result<()> {
        let places: Vec<_> = self.view().version.tables.keys().copied().collect();
        for place in places.into_iter().filter(|place| table.is_none_or(|table| place.table == table)) {
            for kind in [SegmentKind::Current, SegmentKind::History] {
                let choose = || pick_all(&self.view().version, place, kind, self.cut(), horizons);
                if let Some((job, _claimed)) = self.claims.claim_alone(place, choose)? {
                    self.compact(job, horizons, edit)?;
                }
            }
        }
        // Where a table's segments have several schema versions, its levels are still brought into their budgets.
        while self.compact_one(horizons, edit)? {}
        Ok(())
    }

    /// The last commit whose ends go to history: it is visible, and its notes are in files. It is asked for after the
    /// segments were chosen, so no segment was flushed later: whoever superseded a fact that stays is not among them,
    /// and the facts of a key stay disjoint.
    fn cut(&self) -> i64 {
        lane_of_commit(self.checkpoint().commit)
    }

    fn compact(&self, job: Job, horizons: Horizons<'_>, edit: &dyn Fn(&Edit) -> Result<()>) -> Result<()> {
        if job.moves {
            let metas = job.inputs.iter().map(|input| SegmentMeta { level: job.level, ..input.meta.clone() });
            let merged = Merged { outputs: job.inputs.clone(), pruned: 0 };
            return self.replace(&job, merged, metas.collect(), i64::MAX, edit);
        }
        let cut = self.cut();
        // What ended after the cut is not history yet, whatever the policy says.
        let horizon = lane_of_commit(horizons(job.place.table)?).min(cut);
        let merged = self.merge(&job, cut, horizon)?;
        let metas = merged.outputs.iter().map(|output| output.meta.clone()).collect();
        self.replace(&job, merged, metas, cut, edit)
    }

    /// Writes the facts of the inputs to new segments, but for those that ended at or before the horizon.
    fn merge(&self, job: &Job, cut: i64, horizon: i64) -> Result<Merged> {
        let mut pruned = 0;
        // A segment of which everything goes is not even read.
        let is_past = |input: &Arc<Segment>| lane_of_commit(input.meta.system_to_max) <= horizon;
        let (past, inputs): (Vec<_>, Vec<_>) = job.inputs.iter().cloned().partition(is_past);
        past.iter().for_each(|input| pruned = pruned.max(lane_of_commit(input.meta.system_to_max)));
        if inputs.is_empty() {
            return Ok(Merged { outputs: Vec::new(), pruned });
        }
        let order = match job.kind {
            SegmentKind::Current => Order::Key,
            SegmentKind::History => Order::End,
        };
        let shape = inputs[0].index()?.shape.clone();
        let mut current = CurrentSink::new(self, &shape, job);
        let bounds = (cut, horizon);
        let (history, pruned) = match by_numbers(order, &shape) {
            true => merge_by::<u128>(&inputs, order, bounds, pruned, &mut current)?,
            false => merge_by::<Vec<u8>>(&inputs, order, bounds, pruned, &mut current)?,
        };
        let mut outputs = current.finish()?;
        outputs.extend(history.finish(self, &shape, job.place.shard)?);
        Ok(Merged { outputs, pruned })
    }

    /// Puts segments in the place of others, in the manifest and then in the tree.
    fn replace(
        &self,
        job: &Job,
        Merged { outputs, pruned }: Merged,
        metas: Vec<SegmentMeta>,
        cut: i64,
        edit: &dyn Fn(&Edit) -> Result<()>,
    ) -> Result<()> {
        let mut files = self.files();
        let durable = lane_of_commit(files.checkpoint.commit);
        let removed: Vec<u64> = job.inputs.iter().map(|input| input.meta.file).collect();
        let mut change = Edit { add: metas.clone(), remove: removed.clone(), ..Edit::default() };
        change.pruned = (pruned > 0).then(|| (job.place.table, commit_of_lane(pruned)));
        // Flushed while this compaction ran: the notes file that has them names segments that go.
        let mut late = Vec::new();
        for input in job.inputs.iter().filter(|_| !job.moves) {
            for (row, end) in input.notes().into_iter().filter(|(_, end)| *end > cut && *end <= durable) {
                let (block, row) = input.place(row)?;
                if let Some((segment, row)) = locate(&outputs, &*input.run(block)?, &input.index()?.shape, row)? {
                    late.push((segment.meta.file, row, end));
                }
            }
        }
        change.add_notes.extend(self.write_notes(late)?);
        let version = self.view().version;
        let stays = |file: &u64| {
            metas.iter().any(|meta| meta.file == *file)
                || !removed.contains(file) && version.tables.values().any(|table| table.has(*file))
        };
        let idle = files.notes.iter().filter(|notes| !notes.targets.iter().any(stays));
        change.remove_notes = idle.map(|notes| notes.file).collect();
        change.next_file = self.next_file.load(Relaxed);
        let new = if job.moves { &[] } else { outputs.as_slice() };
        self.publish(&change, new, edit)?;
        if !job.moves {
            self.written.compaction_bytes.fetch_add(change.added_bytes(), Relaxed);
        }
        files.notes.retain(|notes| !change.remove_notes.contains(&notes.file));
        files.notes.extend(change.add_notes);

        let _writer = self.writer();
        let old = self.view().version;
        if !job.moves {
            self.address_anew(&old, job, &outputs, &removed, (cut, durable))?;
        }
        let mut tables = old.tables.clone();
        let table = Arc::make_mut(tables.entry(job.place).or_default());
        table.remove(&removed);
        outputs.iter().zip(&metas).for_each(|(output, meta)| table.add(output.clone(), meta));
        let mut version = Version { tables, ..Version::clone(&old) };
        if change.pruned.is_some() {
            prune(Arc::make_mut(&mut version.pruned), change.pruned);
        }
        self.install(version);
        if !job.moves {
            job.inputs.iter().for_each(|input| input.doom(&self.readers));
        }
        for file in &change.remove_notes {
            self.readers.give_up(notes_name(*file));
        }
        Ok(())
    }

    /// Notes on the outputs what ended after the cut, and lets memtables forget the inputs.
    fn address_anew(
        &self,
        version: &Version,
        job: &Job,
        outputs: &[Arc<Segment>],
        removed: &[u64],
        (cut, durable): (i64, i64),
    ) -> Result<()> {
        for memtable in version.memtables() {
            memtable.notes().retain(|note| !removed.contains(&note.file));
        }
        for input in &job.inputs {
            for (row, end) in input.notes().into_iter().filter(|(_, end)| *end > cut) {
                let (block, row) = input.place(row)?;
                let Some((segment, row)) = locate(outputs, &*input.run(block)?, &input.index()?.shape, row)? else {
                    debug_assert!(false, "a fact that ended after the cut is in the outputs");
                    continue;
                };
                segment.note(row, end)?;
                if end > durable {
                    let note = SegmentNote { file: segment.meta.file, row, end };
                    memtable_of(version, commit_of_lane(end)).note(note);
                }
            }
        }
        Ok(())
    }
}

/// Brings the facts of segments to where they belong: what is current to the sink, what ended by the cut to history, and
/// what ended by the horizon nowhere. Answers the history and the last end of a fact that was left out.
fn merge_by<P: Place>(
    inputs: &[Arc<Segment>],
    order: Order,
    (cut, horizon): (i64, i64),
    mut pruned: i64,
    current: &mut CurrentSink<'_>,
) -> Result<(HistorySink, i64)> {
    let mut merger = Merger::<P>::new(inputs, order)?;
    let mut history = HistorySink::default();
    while let Some(span) = merger.next_span()? {
        if order == Order::End {
            // Sorted by end: what goes comes first. What has ended is never noted.
            let ended = |row: usize| i64_at(&span.run.system_to, row);
            let (start, end) = (span.rows.start, span.rows.end);
            let kept = start + partition_point(end - start, |row| ended(start + row) <= horizon);
            if kept > start {
                pruned = pruned.max(ended(kept - 1));
            }
            current.push(span.input, &span.run, kept..end)?;
            continue;
        }
        let known = span.block.ends.known();
        if matches!(known, Known::Nothing) {
            current.push(span.input, &span.run, span.rows)?;
            continue;
        }
        for row in span.rows {
            match known.end_of(row) {
                end if end <= horizon => pruned = pruned.max(end),
                end if end <= cut => history.push(&span.run, row, end),
                _ => current.push(span.input, &span.run, row..row + 1)?,
            }
        }
    }
    Ok((history, pruned))
}
