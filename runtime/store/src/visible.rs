//! Which facts of a run lie in the part of both times that a reader asked for?
//!
//! A scope becomes four bounds ([`Wanted`]), one for each time lane. The run's own bounds are asked first: they leave
//! the run out, or take it whole, for four comparisons; where the least commits of its parts are known, they leave out parts of it. Only what
//! they cannot decide is looked at row by row, one lane after another without a branch, into a mask and from there into row numbers.
//!
//! Holds: a fact counts when `commit <= commit_max`, `ended after end_above`, `valid_from <= from_max` and
//! `valid_to > to_above`; an end later than the reader's pinned commit lies above every `end_above` it can ask for.
//! Not here: keys (`probe`), predicates (block bounds in `sst`).

use crate::{
    notes::Ends,
    remembered::{Memory, Remembered},
    run::{Bounds, END_OPEN, PART_ROWS, Run, i64_at, lane_of_commit, mask_above, mask_at_most},
    scan::{SystemScope, ValidScope},
};
use spectradb_kernel::{
    lane::Lane,
    time::{Commit, MICROS_MAX, MICROS_MIN, Micros},
};
use std::ops::Range;

/// A part of both times, as bounds of the four lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The last commit whose facts count.
    pub(crate) commit_max: i64,
    /// Facts that ended with this commit or before do not count.
    pub(crate) end_above: i64,
    /// The last instant at which a wanted fact may begin.
    pub(crate) from_max: Micros,
    /// Facts that end at this instant or before do not count.
    pub(crate) to_above: Micros,
}

/// The rows of a run that count.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    /// None of them.
    Nothing,
    /// Each of them.
    All,
    /// These, in order.
    Some(Lane<u32>),
}

impl Wanted {
    /// What a reader that pinned a commit sees of two scopes.
    pub(crate) fn new(pinned: Commit, system: SystemScope, valid: ValidScope) -> Wanted {
        let (commit_max, end_above) = match system {
            SystemScope::AsOf(at) => (at.min(pinned), at.min(pinned)),
            SystemScope::Between { from, to } => (to.saturating_sub(1).min(pinned), from),
            SystemScope::All => (pinned, 0),
        };
        let (from_max, to_above) = match valid {
            ValidScope::At(at) => (at, at),
            ValidScope::Overlaps(period) => (period.to() - 1, period.from()),
            ValidScope::All => (MICROS_MAX, MICROS_MIN),
        };
        Wanted { commit_max: lane_of_commit(commit_max), end_above: lane_of_commit(end_above), from_max, to_above }
    }

    /// Current facts, whatever their commit, that share an instant with a scope.
    pub(crate) fn current(valid: ValidScope) -> Wanted {
        Wanted { commit_max: i64::MAX, end_above: END_OPEN - 1, ..Wanted::new(0, SystemScope::All, valid) }
    }

    /// Can a run of these bounds hold a wanted fact?
    pub(crate) fn meets(&self, bounds: &Bounds) -> bool {
        bounds.commit_min <= self.commit_max
            && bounds.end_max > self.end_above
            && bounds.from_min <= self.from_max
            && bounds.to_max > self.to_above
    }

    /// Can a run of these bounds hold a fact that is wanted as far as valid time says?
    pub(crate) fn meets_valid(&self, bounds: &Bounds) -> bool {
        bounds.from_min <= self.from_max && bounds.to_max > self.to_above
    }

    /// Is it one point of both times? Then a key has one such fact at most.
    pub(crate) fn is_point(&self) -> bool {
        self.commit_max == self.end_above && self.from_max == self.to_above
    }

    /// Does a row of a run begin in time, as system time counts?
    pub(crate) fn holds_commit(&self, run: &Run, row: usize) -> bool {
        run.bounds.commit_max <= self.commit_max || i64_at(&run.commit, row) <= self.commit_max
    }

    /// Is a row of a run wanted as far as valid time says?
    pub(crate) fn holds_valid(&self, run: &Run, row: usize) -> bool {
        (run.bounds.from_max <= self.from_max || i64_at(&run.valid_from, row) <= self.from_max)
            && (run.bounds.to_min > self.to_above || i64_at(&run.valid_to, row) > self.to_above)
    }

    /// Does one fact count?
    pub(crate) fn holds(&self, commit: i64, end: i64, from: Micros, to: Micros) -> bool {
        commit <= self.commit_max && end > self.end_above && from <= self.from_max && to > self.to_above
    }

    /// Is a row of a run wanted as far as system time says, given the end noted for it?
    pub(crate) fn holds_system(&self, run: &Run, row: usize, noted_end: i64) -> bool {
        self.holds_commit(run, row)
            && noted_end > self.end_above
            && (run.bounds.end_min > self.end_above || i64_at(&run.system_to, row) > self.end_above)
    }

    /// The rows of a run that have to be looked at, where its parts' commits leave some out; `None` where they do not.
    fn parts(&self, run: &Run) -> Option<Vec<Range<usize>>> {
        if run.commit_mins.iter().all(|commit_min| *commit_min <= self.commit_max) {
            return None;
        }
        let mut parts: Vec<Range<usize>> = Vec::new();
        for (part, _) in run.commit_mins.iter().enumerate().filter(|(_, commit_min)| **commit_min <= self.commit_max) {
            let rows = part * PART_ROWS..run.len.min((part + 1) * PART_ROWS);
            match parts.last_mut() {
                Some(last) if last.end == rows.start => last.end = rows.end,
                _ => parts.push(rows),
            }
        }
        Some(parts)
    }

    /// How many rows of a run are looked at.
    pub(crate) fn looked_at(&self, run: &Run) -> usize {
        self.parts(run).map_or(run.len, |parts| parts.iter().map(Range::len).sum())
    }

    /// The rows that count among these parts of a run, of which nothing ended since it was written.
    fn rows_of_parts(&self, run: &Run, parts: &[Range<usize>], mask: Option<&[u8]>) -> Rows {
        let bounds = &run.bounds;
        let mut rows = Vec::new();
        for part in parts {
            let mut kept = mask.map_or_else(|| vec![1; part.len()], |mask| mask[part.clone()].to_vec());
            mask_at_most(&mut kept, &run.commit.slice(part.clone()), self.commit_max);
            if bounds.end_min <= self.end_above {
                mask_above(&mut kept, &run.system_to.slice(part.clone()), self.end_above);
            }
            if bounds.from_max > self.from_max {
                mask_at_most(&mut kept, &run.valid_from.slice(part.clone()), self.from_max);
            }
            if bounds.to_min <= self.to_above {
                mask_above(&mut kept, &run.valid_to.slice(part.clone()), self.to_above);
            }
            rows.extend((part.start as u32..).zip(&kept).filter(|(_, keep)| **keep == 1).map(|(row, _)| row));
        }
        if rows.is_empty() { Rows::Nothing } else { Rows::Some(Lane::from_vec(rows)) }
    }

    /// The rows of a run that count, of those that `mask` leaves (all when there is none).
    pub(crate) fn rows(&self, run: &Run, ends: &Ends, memory: &dyn Memory, mask: Option<Vec<u8>>) -> Rows {
        let bounds = &run.bounds;
        if run.len == 0 || !self.meets(bounds) {
            return Rows::Nothing;
        }
        let by_commit = bounds.commit_max > self.commit_max;
        let by_end = bounds.end_min <= self.end_above;
        let noted = ends.count();
        let by_note = self.end_above > 0 && noted > 0;
        let by_from = bounds.from_max > self.from_max;
        let by_to = bounds.to_min <= self.to_above;
        if mask.is_none() && !(by_commit || by_end || by_note || by_from || by_to) {
            return Rows::All;
        }
        if noted == 0
            && let Some(parts) = self.parts(run)
        {
            return self.rows_of_parts(run, &parts, mask.as_deref());
        }
        let is_present = mask.is_none() && !by_commit && !by_end;
        if is_present && let Some(rows) = memory.recall().and_then(|last| last.rows_for(self, noted)) {
            return rows;
        }
        let mut mask = mask.unwrap_or_else(|| vec![1; run.len]);
        if by_commit {
            mask_at_most(&mut mask, &run.commit, self.commit_max);
        }
        if by_end {
            mask_above(&mut mask, &run.system_to, self.end_above);
        }
        if by_note {
            ends.known().mask_above(&mut mask, self.end_above);
        }
        if by_from {
            mask_at_most(&mut mask, &run.valid_from, self.from_max);
        }
        if by_to {
            mask_above(&mut mask, &run.valid_to, self.to_above);
        }
        let rows = rows_of(&mask);
        // Who pinned this commit sees no more notes than were counted, but may meet some that are on their way.
        let end_last = ends.last();
        if is_present && end_last <= self.end_above {
            memory.keep(Remembered::new(self, run, (noted, end_last), rows.clone()));
        }
        rows
    }
}

/// The set rows of a mask of zeroes and ones.
pub(crate) fn rows_of(mask: &[u8]) -> Rows {
    let count: usize = mask.chunks(128).map(|part| usize::from(part.iter().sum::<u8>())).sum();
    if count == 0 {
        return Rows::Nothing;
    }
    if count == mask.len() {
        return Rows::All;
    }
    // Every row is written, and only a kept one moves the end: no branch to mispredict.
    let mut rows = vec![0u32; mask.len() + 1];
    let mut end = 0;
    for (row, keep) in mask.iter().enumerate() {
        rows[end] = row as u32;
        end += usize::from(*keep);
    }
    rows.truncate(count);
    Rows::Some(Lane::from_vec(rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{remembered::Cell, run::integers};
    use spectradb_kernel::{Period, Type};

    #[test]
    fn bounds_masks_and_single_rows_agree() {
        let len = 300;
        let lane = |seed: i64, of: i64| (0..len).map(|i| (i * seed) % of).collect::<Vec<i64>>();
        let commits: Vec<i64> = lane(7, 13).iter().map(|value| value + 1).collect();
        let from = lane(11, 40);
        let to: Vec<i64> = from.iter().zip(lane(5, 9)).map(|(from, more)| from + 1 + more).collect();
        let run = Run::new(
            Vec::new(),
            (integers(Type::Timestamp, from.clone()), integers(Type::Timestamp, to.clone())),
            integers(Type::Integer, commits.clone()),
            integers(Type::Integer, vec![0; len as usize]),
            integers(Type::Integer, vec![END_OPEN; len as usize]),
        );
        let ends = Ends::default();
        (0..len).step_by(3).for_each(|row| ends.note(row as u32, commits[row as usize] + 2, len as usize));
        let period = Period::new(10, 20).expect("not empty");
        for system in [
            SystemScope::AsOf(0),
            SystemScope::AsOf(5),
            SystemScope::AsOf(20),
            SystemScope::All,
            SystemScope::Between { from: 4, to: 7 },
        ] {
            for valid in [
                ValidScope::At(-1),
                ValidScope::At(12),
                ValidScope::At(100),
                ValidScope::All,
                ValidScope::Overlaps(period),
            ] {
                let wanted = Wanted::new(20, system, valid);
                let naive: Vec<u32> = (0..len as usize)
                    .filter(|row| {
                        let (commit, end) = (commits[*row], ends.end_of(*row));
                        let seen = match system {
                            SystemScope::AsOf(at) => commit <= at as i64 && (at as i64) < end,
                            SystemScope::Between { from: a, to: b } => commit < b as i64 && end > a as i64,
                            SystemScope::All => true,
                        };
                        let true_then = match valid {
                            ValidScope::At(at) => from[*row] <= at && at < to[*row],
                            ValidScope::Overlaps(p) => from[*row] < p.to() && p.from() < to[*row],
                            ValidScope::All => true,
                        };
                        assert_eq!(
                            wanted.holds_system(&run, *row, end) && wanted.holds_valid(&run, *row),
                            seen && true_then
                        );
                        seen && true_then
                    })
                    .map(|row| row as u32)
                    .collect();
                let rows = match wanted.rows(&run, &ends, &Cell::default(), None) {
                    Rows::Nothing => Vec::new(),
                    Rows::All => (0..len as u32).collect(),
                    Rows::Some(rows) => rows.as_slice().to_vec(),
                };
                assert_eq!(rows, naive, "{system:?} {valid:?}");
            }
        }
    }

    /// What the parts' commits leave out is looked at by nobody, and is not wanted.
    #[test]
    fn parts_whose_facts_all_began_later_are_not_looked_at() {
        let len = 1000i64;
        // Sorted by end, as history is; every fiftieth fact of the first half began long ago.
        let commits: Vec<i64> =
            (0..len).map(|i| if i < 500 && i % 50 == 0 { 1 + i / 100 } else { 100 + i / 8 }).collect();
        let ends: Vec<i64> = (0..len).map(|i| 230 + i / 4).collect();
        let from: Vec<i64> = (0..len).map(|i| i % 7).collect();
        let lanes = (integers(Type::Timestamp, from.clone()), integers(Type::Timestamp, vec![20; len as usize]));
        let zeroes = integers(Type::Integer, vec![0; len as usize]);
        let (commit, system_to) = (integers(Type::Integer, commits.clone()), integers(Type::Integer, ends.clone()));
        let mut run = Run::new(Vec::new(), lanes, commit, zeroes, system_to);
        run.note_parts();
        for (at, looked_at) in [(0, 0), (1, 256), (3, 256), (5, 512), (170, 768), (240, 1000)] {
            let odd: Vec<u8> = (0..len).map(|row| (row % 2) as u8).collect();
            for (valid, mask) in [(ValidScope::All, None), (ValidScope::At(3), None), (ValidScope::At(3), Some(odd))] {
                let wanted = Wanted::new(1_000, SystemScope::AsOf(at), valid);
                let naive: Vec<u32> = (0..len as u32)
                    .filter(|row| mask.as_ref().is_none_or(|mask| mask[*row as usize] == 1))
                    .filter(|row| {
                        let row = *row as usize;
                        wanted.holds(commits[row], ends[row], from[row], 20)
                    })
                    .collect();
                let rows = match wanted.rows(&run, &Ends::default(), &Cell::default(), mask) {
                    Rows::Nothing => Vec::new(),
                    Rows::All => (0..len as u32).collect(),
                    Rows::Some(rows) => rows.as_slice().to_vec(),
                };
                assert_eq!(rows, naive, "as of {at}, {valid:?}");
                assert_eq!(wanted.looked_at(&run), looked_at, "as of {at}");
            }
        }
    }
}
