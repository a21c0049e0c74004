//! Which compactions may run at the same time?
//!
//! Those that share nothing: a compaction of current facts claims its levels over its range of keys, so that no other one
//! writes there or takes anything away; one of history claims its files. A claim is made in the same step as the choice
//! and given back when the new segments stand in the place of the old ones.
//!
//! Holds: two claims of one table and shard never overlap. Who waits holds no claim, so nobody waits for ever.
//! Not here: choosing (`pick`), doing (`compact`).

use super::pick::Job;
use crate::tree::{FileId, SegmentKind, TableShard};
use std::{
    ops::RangeInclusive,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// The compactions under way.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    state: Mutex<State>,
    changed: Condvar,
}

/// Compactions, and tables that somebody waits to have alone.
#[derive(Debug, Default)]
pub(super) struct State {
    claims: Vec<Claim>,
    reserved: Vec<TableShard>,
    paused: bool,
    closed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Claim {
    place: TableShard,
    kind: SegmentKind,
    levels: RangeInclusive<u8>,
    keys: RangeInclusive<Vec<u8>>,
    files: Vec<FileId>,
}

/// A claim that is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Claimed<'a> {
    claims: &'a Claims,
    claim: Claim,
}

/// A time in which nothing is compacted.
#[derive(Debug)]
pub(crate) struct Pause<'a> {
    claims: &'a Claims,
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.claims.state().paused = false;
        self.claims.changed.notify_all();
    }
}

impl Claim {
    fn of(job: &Job) -> Claim {
        let low = job.inputs.iter().map(|input| &input.meta.key_min).min().cloned().unwrap_or_default();
        let high = job.inputs.iter().map(|input| &input.meta.key_max).max().cloned().unwrap_or_default();
        Claim {
            place: job.place,
            kind: job.kind,
            levels: job.from_level..=job.level,
            keys: low..=high,
            files: job.inputs.iter().map(|input| input.meta.file).collect(),
        }
    }

    fn overlaps(&self, other: &Claim) -> bool {
        let meet =
            |a: &RangeInclusive<Vec<u8>>, b: &RangeInclusive<Vec<u8>>| a.start() <= b.end() && b.start() <= a.end();
        self.place == other.place
            && self.kind == other.kind
            && match self.kind {
                SegmentKind::Current => {
                    self.levels.start() <= other.levels.end()
                        && other.levels.start() <= self.levels.end()
                        && meet(&self.keys, &other.keys)
                }
                SegmentKind::History => self.files.iter().any(|file| other.files.contains(file)),
            }
    }
}

impl State {
    /// May a compaction run beside those under way?
    pub(super) fn allows(&self, job: &Job) -> bool {
        let claim = Claim::of(job);
        !self.closed && !self.reserved.contains(&job.place) && !self.claims.iter().any(|other| other.overlaps(&claim))
    }

    /// Is a file being compacted?
    pub(super) fn has(&self, file: FileId) -> bool {
        self.claims.iter().any(|claim| claim.files.contains(&file))
    }
}

impl Claims {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chooses and claims in one step.
    pub(super) fn claim<E>(
        &self,
        choose: impl FnOnce(&State) -> Result<Option<Job>, E>,
    ) -> Result<Option<(Job, Claimed<'_>)>, E> {
        let mut state = self.state();
        let job = if state.closed || state.paused { None } else { choose(&state)? };
        let Some(job) = job else { return Ok(None) };
        let claim = Claim::of(&job);
        state.claims.push(claim.clone());
        Ok(Some((job, Claimed { claims: self, claim })))
    }

    /// The same of a table and shard that nothing else is compacted in: waits for what is under way there.
    pub(super) fn claim_alone<E>(
        &self,
        place: TableShard,
        choose: impl FnOnce() -> Result<Option<Job>, E>,
    ) -> Result<Option<(Job, Claimed<'_>)>, E> {
        let mut state = self.state();
        state.reserved.push(place);
        while state.paused || state.claims.iter().any(|claim| claim.place == place) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if let Some(at) = state.reserved.iter().position(|reserved| *reserved == place) {
            state.reserved.swap_remove(at);
        }
        let job = if state.closed { None } else { choose()? };
        let Some(job) = job else { return Ok(None) };
        let claim = Claim::of(&job);
        state.claims.push(claim.clone());
        Ok(Some((job, Claimed { claims: self, claim })))
    }

    /// Waits for a compaction of certain tables to end; answers whether one was under way.
    pub(crate) fn wait_for_one(&self, of: &dyn Fn(TableShard) -> bool) -> bool {
        let state = self.state();
        if !state.claims.iter().any(|claim| of(claim.place)) {
            return false;
        }
        drop(self.changed.wait(state).unwrap_or_else(PoisonError::into_inner));
        true
    }

    /// Lets no compaction begin until the pause is dropped, and waits for those under way. Pauses come one at a time.
    pub(crate) fn pause(&self) -> Pause<'_> {
        let mut state = self.state();
        state.paused = true;
        while !state.claims.is_empty() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Pause { claims: self }
    }

    /// Lets no compaction begin any more, and waits for those under way.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        while !state.claims.is_empty() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// How many compactions are under way?
    pub(crate) fn count(&self) -> usize {
        self.state().claims.len()
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        let mut state = self.claims.state();
        if let Some(at) = state.claims.iter().position(|claim| *claim == self.claim) {
            state.claims.swap_remove(at);
        }
        self.claims.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spectradb_kernel::schema::TableId;

    fn claim(shard: u16, levels: RangeInclusive<u8>, keys: [u8; 2], files: &[FileId]) -> Claim {
        let place = TableShard { table: TableId(1), shard };
        let kind = if files.is_empty() { SegmentKind::Current } else { SegmentKind::History };
        Claim { place, kind, levels, keys: vec![keys[0]]..=vec![keys[1]], files: files.to_vec() }
    }

    #[test]
    fn compactions_overlap_where_they_share_levels_and_keys_or_files() {
        let one = claim(0, 1..=2, [10, 20], &[]);
        for (other, overlaps) in [
            (claim(0, 1..=2, [10, 20], &[]), true),
            (claim(0, 2..=3, [20, 30], &[]), true),
            (claim(0, 0..=1, [0, 10], &[]), true),
            (claim(0, 0..=7, [15, 16], &[]), true),
            (claim(0, 1..=2, [21, 30], &[]), false),
            (claim(0, 3..=4, [10, 20], &[]), false),
            (claim(1, 1..=2, [10, 20], &[]), false),
            (claim(0, 0..=0, [10, 20], &[7]), false),
        ] {
            assert_eq!((one.overlaps(&other), other.overlaps(&one)), (overlaps, overlaps), "{other:?}");
        }
        let history = claim(0, 0..=0, [0, 255], &[7, 8]);
        assert!(history.overlaps(&claim(0, 0..=0, [0, 255], &[8, 9])));
        assert!(!history.overlaps(&claim(0, 0..=0, [0, 255], &[9])));
    }
}
