//! How is an aggregate over frames that move computed without folding each frame anew?
//!
//! Neighbouring frames share most of their rows. The least and greatest value of a frame is a row of it: the rows that can still
//! be one are kept in a queue, best first, and each enters and leaves it once. Counts, and sums and means of integers and
//! decimals, are exact, so rows that leave a frame are taken back from the state.
//!
//! Holds: results are those of folding each frame's rows in their order; of equal values the first counts. Where a sum passes
//! its range on the way, nothing is claimed, and the frames are folded one by one, which fails where it must.
//! Not here: frames that leave rows out, and folds that depend on the order of rows (`window`).

use super::{Arrangement, Asked, Folding, bounds};
use crate::ops::{ExecError, sort::SortKeys, window_frame::Frames};
use spectradb_kernel::{Column, key::SortOrder, ty::TypeClass};
use std::{collections::VecDeque, ops::Range};

/// The best rows of one frame after another.
struct Best<'a> {
    values: &'a Column,
    /// The better a value, the smaller its key.
    keys: SortKeys,
    /// Positions whose values can still be the best of a frame, best first; of equal ones the first is before the others.
    queue: VecDeque<usize>,
    frame: Range<usize>,
}

impl Best<'_> {
    /// The position of a frame's best value.
    fn of(&mut self, frame: Range<usize>) -> Option<usize> {
        if frame.start < self.frame.start || frame.start >= self.frame.end || frame.end < self.frame.end {
            self.queue.clear();
            self.frame = frame.start..frame.start;
        }
        while self.queue.front().is_some_and(|at| *at < frame.start) {
            self.queue.pop_front();
        }
        for at in self.frame.end..frame.end {
            if self.values.is_null(at) {
                continue;
            }
            while self.queue.back().is_some_and(|other| self.keys.of(*other) > self.keys.of(at)) {
                self.queue.pop_back();
            }
            self.queue.push_back(at);
        }
        self.frame = frame;
        self.queue.front().copied()
    }
}

impl Folding<'_> {
    /// Does the aggregate give the greatest value of a frame, or the least?
    fn gives_greatest(&self) -> Option<bool> {
        match (self.aggregate.name, self.aggregate.arg) {
            // Of equal decimals the last one's display counts.
            (_, Some(TypeClass::BigNumeric)) => None,
            ("max" | "bool_or", _) => Some(true),
            ("min" | "bool_and" | "every", _) => Some(false),
            _ => None,
        }
    }

    /// The results of frames that leave nothing out, laid end to end, and which of them each row reads; nothing where frames must
    /// be folded one by one.
    pub(super) fn sliding(
        &mut self,
        arranged: &Arrangement,
        frames: &Frames<'_>,
        sorted: &[Column],
        result_of: &mut [u32],
    ) -> Result<Option<Vec<Column>>, ExecError> {
        match (self.gives_greatest(), sorted) {
            (Some(greatest), [values]) => {
                let column = self.best(arranged, frames, values, greatest, result_of)?;
                Ok(Some(vec![column]))
            }
            (None, [] | [_]) if self.is_unordered() => self.taken_back(arranged, frames, sorted.first(), result_of),
            _ => Ok(None),
        }
    }

    fn best(
        &self,
        arranged: &Arrangement,
        frames: &Frames<'_>,
        values: &Column,
        greatest: bool,
        result_of: &mut [u32],
    ) -> Result<Column, ExecError> {
        let order = SortOrder { descending: greatest, nulls_first: false };
        let keys = SortKeys::new(std::slice::from_ref(values), &[order], values.len());
        let mut best = Best { values, keys, queue: VecDeque::new(), frame: 0..0 };
        let mut found: Vec<Option<u32>> = Vec::with_capacity(values.len());
        let mut asked = Asked::default();
        for peers in &arranged.partitions {
            for (run, positions) in peers.iter().enumerate() {
                for at in positions.clone() {
                    asked.check(self.budget)?;
                    result_of[arranged.rows[at] as usize] = found.len() as u32;
                    found.push(best.of(frames.bounds(peers, run, at)).map(|position| position as u32));
                }
            }
        }
        Ok(values.take_or_null(&found).with_ty(self.call.ty))
    }

    fn taken_back(
        &mut self,
        arranged: &Arrangement,
        frames: &Frames<'_>,
        values: Option<&Column>,
        result_of: &mut [u32],
    ) -> Result<Option<Vec<Column>>, ExecError> {
        let mut results: Vec<Column> = Vec::new();
        let mut asked = Asked::default();
        for peers in &arranged.partitions {
            let (begin, _) = bounds(peers);
            let (mut accumulator, mut held) = (self.accumulator(1), begin..begin);
            let mut is_new = true;
            for (run, positions) in peers.iter().enumerate() {
                for at in positions.clone() {
                    asked.check(self.budget)?;
                    let frame = frames.bounds(peers, run, at);
                    if frame.start < held.start || frame.start > held.end || frame.end < held.end {
                        (accumulator, held, is_new) = (self.accumulator(1), frame.start..frame.start, true);
                    }
                    let (gone, come) = (held.start..frame.start, held.end..frame.end);
                    let of = |rows: &Range<usize>| values.map(|values| values.slice(rows.clone()));
                    if !gone.is_empty() && !accumulator.take_back(gone.len(), of(&gone).as_ref()) {
                        return Ok(None);
                    }
                    if !come.is_empty() && accumulator.update_all(come.len(), of(&come).as_ref()).is_err() {
                        return Ok(None);
                    }
                    if is_new || !gone.is_empty() || !come.is_empty() {
                        let Ok(result) = accumulator.finish() else { return Ok(None) };
                        results.push(result.with_ty(self.call.ty));
                        is_new = false;
                    }
                    held = frame;
                    result_of[arranged.rows[at] as usize] = results.len() as u32 - 1;
                }
            }
        }
        Ok(Some(results))
    }
}
