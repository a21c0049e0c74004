//! Which segments does a table have, and which of them does a reader ask?
//!
//! Current facts lie in levels: level 0 holds what flushes wrote, newest first, each segment over any keys; on every
//! deeper level segments are sorted by key and do not overlap but for a key that neighbours share: a key with more facts than a
//! segment holds fills some of them alone and begins the next one. History lies beside the levels, in segments over any keys, in the order of their last ends.
//!
//! A point of both times has one fact at most, so whoever found it asks nobody else. Of the facts that held at an instant
//! it is the one that ended first after the commit: it tends to lie in the first segment of history that goes on behind it.

use super::{SegmentKind, SegmentMeta};
use crate::{
    error::Result,
    keys::{AskedKeys, Probe},
    run::lane_of_commit,
    sst::{BlockRow, Segment},
    visible::Wanted,
};
use std::{ops::ControlFlow, sync::Arc};

/// How many levels there are.
pub(crate) const LEVEL_COUNT: usize = 8;

/// The segments of a table.
#[derive(Clone, Debug)]
pub(crate) struct TableFiles {
    pub(crate) levels: [Vec<Arc<Segment>>; LEVEL_COUNT],
    pub(crate) history: Vec<Arc<Segment>>,
}

impl Default for TableFiles {
    fn default() -> TableFiles {
        TableFiles { levels: std::array::from_fn(|_| Vec::new()), history: Vec::new() }
    }
}

impl TableFiles {
    /// Adds a segment where it belongs.
    pub(crate) fn add(&mut self, segment: Arc<Segment>, meta: &SegmentMeta) {
        match (meta.kind, usize::from(meta.level).min(LEVEL_COUNT - 1)) {
            (SegmentKind::History, _) => {
                let at = self.history.partition_point(|other| other.meta.system_to_max <= segment.meta.system_to_max);
                self.history.insert(at, segment);
            }
            (SegmentKind::Current, 0) => {
                // Files are numbered in the order of their making, though a file may be added again at another level.
                let level = &mut self.levels[0];
                let at = level.partition_point(|other| other.meta.file > segment.meta.file);
                level.insert(at, segment);
            }
            (SegmentKind::Current, level) => {
                let level = &mut self.levels[level];
                // Of those that begin with the same key the last one ends behind it, so that last keys rise as first keys do.
                let (first, last) = (&segment.meta.key_min, &segment.meta.key_max);
                let at = level.partition_point(|other| (&other.meta.key_min, &other.meta.key_max) < (first, last));
                level.insert(at, segment);
            }
        }
    }

    /// Takes segments out.
    pub(crate) fn remove(&mut self, files: &[u64]) {
        let keep = |segment: &Arc<Segment>| !files.contains(&segment.meta.file);
        self.levels.iter_mut().for_each(|level| level.retain(keep));
        self.history.retain(keep);
    }

    /// Two neighbours of a level below the first whose keys do not follow each other; look-ups could miss what they have.
    pub(crate) fn out_of_order(&self) -> Option<(u64, u64)> {
        let mut pairs = self.levels[1..].iter().flat_map(|level| level.windows(2));
        let pair = pairs.find(|pair| pair[0].meta.key_max > pair[1].meta.key_min)?;
        Some((pair[0].meta.file, pair[1].meta.file))
    }

    /// Is a segment of this file among them?
    pub(crate) fn has(&self, file: u64) -> bool {
        self.segments().any(|segment| segment.meta.file == file)
    }

    /// Every segment.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.levels.iter().flatten().chain(&self.history)
    }

    /// Notes of which keys there may be wanted facts.
    ///
    /// # Errors
    /// What reading filters gives.
    pub(crate) fn note_held(&self, keys: &mut AskedKeys<'_>, wanted: &Wanted) -> Result<()> {
        let over = |segment: &Arc<Segment>| lane_of_commit(segment.meta.system_to_max) <= wanted.end_above;
        let history = &self.history[self.history.partition_point(over)..];
        for segment in self.levels[0].iter().chain(history).filter(|segment| segment.meets(wanted)) {
            segment.note_held(keys)?;
        }
        for level in self.levels[1..].iter().filter(|level| !level.is_empty()) {
            keys.note(&mut |key, hash| {
                let first = level.partition_point(|segment| segment.meta.key_max.as_slice() < key);
                for segment in level[first..].iter().take_while(|segment| segment.meta.key_min.as_slice() <= key) {
                    if segment.meets(wanted) && segment.may_hold_hashed(key, hash)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            })?;
        }
        Ok(())
    }

    /// Visits the wanted facts of a key.
    pub(crate) fn visit<'s>(
        &'s self,
        probe: &Probe<'_>,
        wanted: &Wanted,
        found: &mut dyn FnMut(&'s Arc<Segment>, BlockRow<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        for segment in &self.levels[0] {
            if segment.visit(probe, wanted, &mut |row| found(segment, row))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        for level in self.levels[1..].iter().filter(|level| !level.is_empty()) {
            let first = level.partition_point(|segment| segment.meta.key_max.as_slice() < probe.bytes);
            for segment in level[first..].iter().take_while(|segment| segment.meta.key_min.as_slice() <= probe.bytes) {
                if segment.visit(probe, wanted, &mut |row| found(segment, row))?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        let over = |segment: &Arc<Segment>| lane_of_commit(segment.meta.system_to_max) <= wanted.end_above;
        for segment in &self.history[self.history.partition_point(over)..] {
            if segment.visit(probe, wanted, &mut |row| found(segment, row))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
