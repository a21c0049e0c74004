//! How do many segments become fewer, and how do ended facts leave the present?
//!
//! A compaction reads some segments of a table and writes others with the same facts: what ended at or before its cut
//! goes to history, what is current goes one level down, and the notes it read are part of the facts it wrote. Facts that
//! ended after the cut stay current, and their notes are addressed anew when the new segments take the old ones' place.
//!
//! Holds: every fact stays. The cut is a commit whose notes are durable, so nothing that a crash could undo is absorbed.
//! A reader that pinned the old segments keeps them until it lets go. Compactions that run at the same time share nothing.
//! Not here: threads (the engine calls), retention.

mod claims;
mod merge;
mod pick;

pub(crate) use claims::Claims;

use crate::{
    error::Result,
    memtable::SegmentNote,
    notes::Known,
    run::{commit_of_lane, lane_of_commit},
    sst::Segment,
    tree::{Edit, SegmentKind, SegmentMeta, Tree, Version, locate, memtable_of, notes_name},
};
use merge::{CurrentSink, HistorySink, Merger, Order};
use pick::{Job, pick, pick_all};
use spectradb_kernel::schema::TableId;
use std::sync::{Arc, atomic::Ordering::Relaxed};

impl Tree {
    /// Does one compaction that is due; `edit` makes the change of files durable. Answers whether there was one.
    ///
    /// # Errors
    /// What reading and writing files or `edit` gives: then the old segments stay.
    pub(crate) fn compact_one(&self, edit: &dyn Fn(&Edit) -> Result<()>) -> Result<bool> {
        let choose = |others: &_| pick(&self.view().version, self.config(), self.shard_bytes(), self.cut(), others);
        let Some((job, _claimed)) = self.claims.claim(choose)? else { return Ok(false) };
        self.compact(job, edit)?;
        Ok(true)
    }

    /// Compacts a table, or every table, as far as it goes, beside what else is compacted.
    ///
    /// # Errors
    /// As [`Tree::compact_one`].
    pub(crate) fn compact_all(&self, table: Option<TableId>, edit: &dyn Fn(&Edit) -> Result<()>) -> Result<()> {
        let places: Vec<_> = self.view().version.tables.keys().copied().collect();
        for place in places.into_iter().filter(|place| table.is_none_or(|table| place.table == table)) {
            for kind in [SegmentKind::Current, SegmentKind::History] {
                let choose = || pick_all(&self.view().version, place, kind);
                if let Some((job, _claimed)) = self.claims.claim_alone(place, choose)? {
                    self.compact(job, edit)?;
                }
            }
        }
        // Where a table's segments have several schema versions, its levels are still brought into their budgets.
        while self.compact_one(edit)? {}
        Ok(())
    }

    /// The last commit whose ends go to history: it is visible, and its notes are in files. It is asked for after the
    /// segments were chosen, so no segment was flushed later: whoever superseded a fact that stays is not among them,
    /// and the facts of a key stay disjoint.
    fn cut(&self) -> i64 {
        lane_of_commit(self.checkpoint().commit)
    }

    fn compact(&self, job: Job, edit: &dyn Fn(&Edit) -> Result<()>) -> Result<()> {
        if job.moves {
            let metas = job.inputs.iter().map(|input| SegmentMeta { level: job.level, ..input.meta.clone() });
            return self.replace(&job, job.inputs.clone(), metas.collect(), i64::MAX, edit);
        }
        let cut = self.cut();
        let outputs = self.merge(&job, cut)?;
        let metas = outputs.iter().map(|output| output.meta.clone()).collect();
        self.replace(&job, outputs, metas, cut, edit)
    }

    /// Writes the facts of the inputs to new segments.
    fn merge(&self, job: &Job, cut: i64) -> Result<Vec<Arc<Segment>>> {
        let order = match job.kind {
            SegmentKind::Current => Order::Key,
            SegmentKind::History => Order::End,
        };
        let shape = job.inputs[0].index()?.shape.clone();
        let mut merger = Merger::new(&job.inputs, order)?;
        let mut current = CurrentSink::new(self, &shape, job);
        let mut history = HistorySink::default();
        while let Some(span) = merger.next_span()? {
            let known = match job.kind {
                SegmentKind::Current => span.block.ends.known(),
                // What has ended is never noted.
                SegmentKind::History => Known::Nothing,
            };
            if matches!(known, Known::Nothing) {
                current.push(&span.run, span.rows)?;
                continue;
            }
            for row in span.rows {
                match known.end_of(row) {
                    end if end <= cut => history.push(&span.run, row, end),
                    _ => current.push(&span.run, row..row + 1)?,
                }
            }
        }
        let mut outputs = current.finish()?;
        outputs.extend(history.finish(self, &shape, job.place.shard)?);
        Ok(outputs)
    }

    /// Puts segments in the place of others, in the manifest and then in the tree.
    fn replace(
        &self,
        job: &Job,
        outputs: Vec<Arc<Segment>>,
        metas: Vec<SegmentMeta>,
        cut: i64,
        edit: &dyn Fn(&Edit) -> Result<()>,
    ) -> Result<()> {
        let mut files = self.files();
        let durable = lane_of_commit(files.checkpoint.commit);
        let removed: Vec<u64> = job.inputs.iter().map(|input| input.meta.file).collect();
        let mut change = Edit { add: metas.clone(), remove: removed.clone(), ..Edit::default() };
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
        self.install(Version { tables, ..Version::clone(&old) });
        if !job.moves {
            job.inputs.iter().for_each(|input| input.doom());
        }
        for file in &change.remove_notes {
            // One that stays behind is removed at the next open.
            self.disk().remove(&notes_name(*file)).ok();
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
