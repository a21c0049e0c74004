//! Which rows around a row does a window function see?
//!
//! A frame is a stretch of a partition's rows in their order, less what EXCLUDE takes out of it: at most three stretches. The
//! bounds of ROWS and GROUPS are counted; those of RANGE are values that the order's key is compared with, by the bytes of
//! their sort keys, so that directions and NULLs fall into place.
//!
//! Not here: what a function makes of the rows (`window`).

use super::{ExecError, Given, Place, SortColumn, WindowNumber, sort::SortKeys};
use spectradb_kernel::{Column, bitmap::Bitmap, column::Data, lane::Lane, ty::TypeClass};
use std::ops::Range;

/// What the bounds of a frame count in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameUnit {
    /// Rows.
    Rows,
    /// Values of the order's key.
    Range,
    /// Groups of peers.
    Groups,
}

/// A bound of a frame, with the column of its number or of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameBound {
    /// The partition's first row.
    UnboundedPreceding,
    /// Before the current row.
    Preceding(Given),
    /// The current row; of RANGE and GROUPS its peers.
    CurrentRow,
    /// Behind the current row.
    Following(Given),
    /// The partition's last row.
    UnboundedFollowing,
}

/// What a frame leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameExclude {
    /// Nothing.
    NoOthers,
    /// The current row.
    CurrentRow,
    /// The current row and its peers.
    Group,
    /// The current row's peers, not itself.
    Ties,
}

/// The rows around a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What its bounds count in.
    pub unit: FrameUnit,
    /// Where it begins.
    pub start: FrameBound,
    /// Where it ends.
    pub end: FrameBound,
    /// What it leaves out.
    pub exclude: FrameExclude,
}

impl Frame {
    /// The columns that it names.
    pub(super) fn given(&self) -> impl Iterator<Item = &Given> {
        [&self.start, &self.end].into_iter().filter_map(|bound| match bound {
            FrameBound::Preceding(given) | FrameBound::Following(given) => Some(given),
            FrameBound::UnboundedPreceding | FrameBound::CurrentRow | FrameBound::UnboundedFollowing => None,
        })
    }
}

/// A frame over sorted rows.
pub(super) struct Frames<'a> {
    frame: &'a Frame,
    rows: &'a [u32],
    /// Of RANGE with values: the sort keys of the order's column and of both bounds, by row.
    keys: Option<SortKeys>,
    edges: [Option<SortKeys>; 2],
    /// Of ROWS and GROUPS: the numbers of both bounds.
    counts: [Option<Column>; 2],
}

/// Integers as decimals.
fn widened(column: &Column) -> Column {
    let numbers = column.i64s();
    let numbers = (0..column.len()).map(|row| i128::from(numbers.at(row))).collect();
    let validity = column.has_nulls().then(|| Bitmap::from_bools((0..column.len()).map(|row| !column.is_null(row))));
    Column::new(TypeClass::Numeric.plain_type(), validity, Data::I128(Lane::from_vec(numbers)))
}

/// What is left of a frame: stretches of sorted positions, in order.
pub(super) struct Stretches {
    ranges: [Range<usize>; 3],
}

impl Stretches {
    pub(super) fn iter(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.ranges.iter().filter(|range| !range.is_empty()).cloned()
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.iter().flatten()
    }

    pub(super) fn first(&self) -> Option<usize> {
        self.iter().next().map(|range| range.start)
    }

    pub(super) fn last(&self) -> Option<usize> {
        self.iter().last().map(|range| range.end - 1)
    }

    pub(super) fn len(&self) -> usize {
        self.iter().map(|range| range.len()).sum()
    }
}

impl<'a> Frames<'a> {
    pub(super) fn new(
        frame: &'a Frame,
        rows: &'a [u32],
        order: &[SortColumn],
        column_of: &dyn Fn(&Given) -> Column,
        place: Place,
    ) -> Result<Frames<'a>, ExecError> {
        let bounds = [&frame.start, &frame.end].map(|bound| match bound {
            FrameBound::Preceding(given) | FrameBound::Following(given) => Some(column_of(given)),
            FrameBound::UnboundedPreceding | FrameBound::CurrentRow | FrameBound::UnboundedFollowing => None,
        });
        let mut frames = Frames { frame, rows, keys: None, edges: [None, None], counts: [None, None] };
        if bounds.iter().all(Option::is_none) {
            return Ok(frames);
        }
        let len = rows.len();
        if frame.unit == FrameUnit::Range {
            let [key] = order else { unreachable!("a RANGE of values has one key") };
            let keys_of = |column: Column| SortKeys::new(&[column], &[key.order], len);
            let own = column_of(&key.column);
            // Edges of integers are decimals, which are compared with decimals.
            let is_wide = bounds.iter().flatten().any(|edge| edge.ty().lane() != own.ty().lane());
            frames.keys = Some(keys_of(if is_wide { widened(&own) } else { own }));
            frames.edges = bounds.map(|bound| bound.map(keys_of));
            return Ok(frames);
        }
        for bound in bounds.iter().flatten() {
            let numbers = bound.i64s();
            if (0..len).any(|row| bound.is_null(row) || numbers.at(row) < 0) {
                return Err(ExecError::WindowNumber { of: WindowNumber::Frame, place });
            }
        }
        frames.counts = bounds;
        Ok(frames)
    }

    /// The frame of a row of a partition before anything is left out; `run` is which of its runs of peers the row is in.
    pub(super) fn bounds(&self, peers: &[Range<usize>], run: usize, at: usize) -> Range<usize> {
        let last = peers.last().expect("a partition has peers");
        let whole = peers[0].start..last.end;
        let start = self.bound(&self.frame.start, 0, peers, run, at, &whole);
        let end = self.bound(&self.frame.end, 1, peers, run, at, &whole);
        start.clamp(whole.start, whole.end)..end.clamp(start.clamp(whole.start, whole.end), whole.end)
    }

    /// The first position within (side 0), or the first one behind (side 1).
    fn bound(
        &self,
        bound: &FrameBound,
        side: usize,
        peers: &[Range<usize>],
        run: usize,
        at: usize,
        whole: &Range<usize>,
    ) -> usize {
        let forward = match bound {
            FrameBound::UnboundedPreceding => return whole.start,
            FrameBound::UnboundedFollowing => return whole.end,
            FrameBound::CurrentRow => {
                return match (self.frame.unit, side) {
                    (FrameUnit::Rows, _) => at + side,
                    (FrameUnit::Range | FrameUnit::Groups, 0) => peers[run].start,
                    (FrameUnit::Range | FrameUnit::Groups, _) => peers[run].end,
                };
            }
            FrameBound::Preceding(_) => false,
            FrameBound::Following(_) => true,
        };
        let row = self.rows[at] as usize;
        if let (Some(keys), Some(edges)) = (&self.keys, &self.edges[side]) {
            let edge = edges.of(row);
            let positions = &self.rows[whole.clone()];
            let behind = |position: &u32| {
                let key = keys.of(*position as usize);
                if side == 0 { key < edge } else { key <= edge }
            };
            return whole.start + positions.partition_point(behind);
        }
        let counts = self.counts[side].as_ref().expect("a bound that counts has numbers");
        let by = usize::try_from(counts.i64s().at(row)).expect("numbers were looked at");
        if self.frame.unit == FrameUnit::Rows {
            let position = if forward { at.saturating_add(by) } else { at.saturating_sub(by).max(whole.start) };
            // Before the first row there is nothing, not even the first row.
            let is_before = !forward && at - whole.start < by;
            return match side {
                0 => position,
                _ if is_before => whole.start,
                _ => position.saturating_add(1),
            };
        }
        let group = if forward { run.checked_add(by) } else { run.checked_sub(by) };
        match (group.and_then(|group| peers.get(group)), forward, side) {
            (Some(peers), _, 0) => peers.start,
            (Some(peers), _, _) => peers.end,
            (None, true, _) => whole.end,
            (None, false, _) => whole.start,
        }
    }

    /// The frame of a row.
    pub(super) fn stretches(&self, peers: &[Range<usize>], run: usize, at: usize) -> Stretches {
        let frame = self.bounds(peers, run, at);
        let none = || frame.end..frame.end;
        let without = |out: &Range<usize>, kept: Range<usize>| {
            let before = frame.start..out.start.clamp(frame.start, frame.end);
            let after = out.end.clamp(frame.start, frame.end)..frame.end;
            [before, kept, after]
        };
        let ranges = match self.frame.exclude {
            FrameExclude::NoOthers => [frame.clone(), none(), none()],
            FrameExclude::CurrentRow => without(&(at..at + 1), none()),
            FrameExclude::Group => without(&peers[run], none()),
            FrameExclude::Ties => {
                let own = if frame.contains(&at) { at..at + 1 } else { none() };
                without(&peers[run], own)
            }
        };
        Stretches { ranges }
    }
}
