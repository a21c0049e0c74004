//! Which rows of a run does a reader see who asks what another asked before?
//!
//! Finding out which facts of a run ended, or are valid now, is a walk over all of its rows, and scans of the present ask
//! it over and over with the same answer. So a run remembers the rows that its last such reader saw, and for whom they are
//! the same: as long as no end is noted, the present stays what it is until an instant at which a period begins or ends.
//!
//! Holds: what is remembered is row numbers and never data; it is given only to readers for whom the walk would give the
//! same. Notes that come later end facts after every commit that was published by then, and change the count that is asked.
//! Not here: the walk (`visible`), how much blocks may remember (`sst::cache`).

use crate::{
    run::Run,
    visible::{Rows, Wanted},
};
use arc_swap::ArcSwapOption;
use spectradb_kernel::{Column, column::Vals};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The rows that some readers see, and who these are.
#[derive(Debug)]
pub(crate) struct Remembered {
    /// How many ends were noted.
    noted: u64,
    /// The commit at which the last of them was; who looks at it or later sees the same.
    end_last: i64,
    /// Between which bounds of validity, both included, nothing begins or ends.
    from_max: (i64, i64),
    to_above: (i64, i64),
    rows: Rows,
}

/// Where the rows of a run are remembered.
pub(crate) trait Memory {
    /// What was remembered last.
    fn recall(&self) -> Option<Arc<Remembered>>;

    /// Remembers, if there is room.
    fn keep(&self, remembered: Remembered);
}

/// A memory that always has room.
#[derive(Debug, Default)]
pub(crate) struct Cell(ArcSwapOption<Remembered>);

impl Cell {
    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.0.load().as_ref().map_or(0, |remembered| remembered.bytes())
    }

    /// Remembers something else, or nothing; answers what it was.
    pub(crate) fn swap(&self, remembered: Option<Remembered>) -> Option<Arc<Remembered>> {
        self.0.swap(remembered.map(Arc::new))
    }
}

impl Memory for Cell {
    fn recall(&self) -> Option<Arc<Remembered>> {
        self.0.load_full()
    }

    fn keep(&self, remembered: Remembered) {
        self.swap(Some(remembered));
    }
}

/// How many bytes the chunks of a store's memtables may remember together; what does not fit is walked over again.
#[derive(Debug, Default)]
pub(crate) struct Room {
    bytes_max: usize,
    used: AtomicUsize,
}

impl Room {
    pub(crate) fn new(bytes_max: usize) -> Room {
        Room { bytes_max, used: AtomicUsize::new(0) }
    }

    /// How many bytes are remembered.
    pub(crate) fn bytes(&self) -> usize {
        self.used.load(Relaxed)
    }
}

/// What a chunk remembers, counted in a room for as long as the chunk is there.
#[derive(Debug, Default)]
pub(crate) struct CountedCell {
    cell: Cell,
    room: OnceLock<Arc<Room>>,
}

impl CountedCell {
    /// The same as a memory, which is counted in a room: the same one each time.
    pub(crate) fn within<'a>(&'a self, room: &'a Arc<Room>) -> impl Memory + 'a {
        Counted { cell: self, room }
    }
}

impl Drop for CountedCell {
    fn drop(&mut self) {
        if let Some(room) = self.room.get() {
            room.used.fetch_sub(self.cell.bytes(), Relaxed);
        }
    }
}

struct Counted<'a> {
    cell: &'a CountedCell,
    room: &'a Arc<Room>,
}

impl Memory for Counted<'_> {
    fn recall(&self) -> Option<Arc<Remembered>> {
        self.cell.cell.recall()
    }

    fn keep(&self, remembered: Remembered) {
        let (before, bytes) = (self.cell.cell.bytes(), remembered.bytes());
        let others = self.room.bytes().saturating_sub(before);
        if others + bytes > self.room.bytes_max {
            return;
        }
        let room = self.cell.room.get_or_init(|| self.room.clone());
        // Counted before it is there, so that the count is never below what it is.
        room.used.fetch_add(bytes, Relaxed);
        let before = self.cell.cell.swap(Some(remembered)).map_or(0, |before| before.bytes());
        room.used.fetch_sub(before, Relaxed);
    }
}

impl Remembered {
    /// What a reader saw who looked at the last of the ends, or later.
    pub(crate) fn new(wanted: &Wanted, run: &Run, (noted, end_last): (u64, i64), rows: Rows) -> Remembered {
        let bounds = &run.bounds;
        let same_bounds =
            |column: &Column, least: i64, greatest: i64, bound: i64| match (greatest <= bound, least > bound) {
                (true, _) => (greatest, i64::MAX),
                (_, true) => (i64::MIN, least - 1),
                _ => around(column, bound),
            };
        Remembered {
            noted,
            end_last,
            from_max: same_bounds(&run.valid_from, bounds.from_min, bounds.from_max, wanted.from_max),
            to_above: same_bounds(&run.valid_to, bounds.to_min, bounds.to_max, wanted.to_above),
            rows,
        }
    }

    /// The rows, if a reader sees just these of a run of which so many ends are noted. No commit of the run is beyond the
    /// reader, and none of its own ends is before him.
    pub(crate) fn rows_for(&self, wanted: &Wanted, noted: u64) -> Option<Rows> {
        let within = |(low, high): (i64, i64), bound: i64| low <= bound && bound <= high;
        let same = self.noted == noted
            && self.end_last <= wanted.end_above
            && within(self.from_max, wanted.from_max)
            && within(self.to_above, wanted.to_above);
        same.then(|| self.rows.clone())
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let rows = match &self.rows {
            Rows::Nothing | Rows::All => 0,
            Rows::Some(rows) => rows.bytes().len(),
        };
        size_of::<Remembered>() + rows
    }
}

/// Between which bounds, both included, the same numbers of a lane are at most the bound.
fn around(column: &Column, bound: i64) -> (i64, i64) {
    let wider = |(low, high): (i64, i64), value: i64| match value <= bound {
        true => (low.max(value), high),
        false => (low, high.min(value - 1)),
    };
    match column.i64s() {
        Vals::One(value) => wider((i64::MIN, i64::MAX), value),
        Vals::Many(values) => values.iter().fold((i64::MIN, i64::MAX), |range, value| wider(range, *value)),
    }
}
