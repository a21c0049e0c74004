//! How do facts lie side by side, in memory and in a block?
//!
//! A [`Run`] is some facts of one table by columns: their data, and the lanes that say where in both times each fact
//! lies. A chunk of the memtable and a block of a segment are both runs, so everything that reads facts is written once.
//! [`Bounds`] say what all rows of a run have in common, which is what lets a reader take or leave a run whole.
//!
//! Holds: the lanes have one length; commits are kept as `i64` (they count from 1 and never pass 2^63), with
//! [`END_OPEN`] for the end of a fact that nothing has superseded.
//! Not here: which rows a reader sees (`visible`), ends that came later than the run (`notes`).

use crate::begun::Hints;
use spectradb_kernel::{
    Column, Period, Type, Value,
    column::{Codes, Data, Runs, Vals},
    time::{COMMIT_OPEN, Commit, MICROS_MAX, MICROS_MIN, Timestamp},
};

/// The end of a fact that nothing has superseded, as a lane holds it.
pub(crate) const END_OPEN: i64 = i64::MAX;

/// A part of a block of history of which the least commit is known has so many facts: few enough that an old fact among them takes few
/// others with it, and enough that a part is not looked at one by one.
pub(crate) const PART_ROWS: usize = 256;

/// A commit as a lane holds it; [`COMMIT_OPEN`] becomes [`END_OPEN`].
pub(crate) fn lane_of_commit(commit: Commit) -> i64 {
    i64::try_from(commit).unwrap_or(END_OPEN)
}

/// A lane's commit; [`END_OPEN`] becomes [`COMMIT_OPEN`].
pub(crate) fn commit_of_lane(lane: i64) -> Commit {
    if lane == END_OPEN { COMMIT_OPEN } else { lane.cast_unsigned() }
}

/// Facts of one table, by columns.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// How many facts.
    pub(crate) len: usize,
    /// The table's columns, in the order of the schema the facts were written under.
    pub(crate) columns: Vec<Column>,
    /// Where each valid period begins: TIMESTAMP.
    pub(crate) valid_from: Column,
    /// Where each valid period ends: TIMESTAMP.
    pub(crate) valid_to: Column,
    /// The commit of each fact: INTEGER.
    pub(crate) commit: Column,
    /// The origin of a leftover, 0 for a fact its commit states: INTEGER.
    pub(crate) origin: Column,
    /// The commit that superseded each fact as far as the run itself says: INTEGER.
    pub(crate) system_to: Column,
    /// What holds for all of them.
    pub(crate) bounds: Bounds,
    /// The least commit of each [`PART_ROWS`] facts, where it is worth knowing: of a block of history, in which some facts began long
    /// before the others. Otherwise empty.
    pub(crate) commit_mins: Box<[i64]>,
    /// Bytes of its own that a block keeps because it could not be read in place.
    pub(crate) own_bytes: usize,
    /// What look-ups may rely on, where the run was read from a block.
    pub(crate) hints: Option<Box<Hints>>,
}

/// The least and greatest of each time lane of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) commit_min: i64,
    pub(crate) commit_max: i64,
    pub(crate) end_min: i64,
    pub(crate) end_max: i64,
    pub(crate) from_min: i64,
    pub(crate) from_max: i64,
    pub(crate) to_min: i64,
    pub(crate) to_max: i64,
}

impl Bounds {
    /// Bounds of no fact: whatever is added becomes the bounds.
    pub(crate) const NONE: Bounds = Bounds {
        commit_min: i64::MAX,
        commit_max: i64::MIN,
        end_min: i64::MAX,
        end_max: i64::MIN,
        from_min: i64::MAX,
        from_max: i64::MIN,
        to_min: i64::MAX,
        to_max: i64::MIN,
    };

    /// The bounds of both.
    pub(crate) fn union(self, other: Bounds) -> Bounds {
        Bounds {
            commit_min: self.commit_min.min(other.commit_min),
            commit_max: self.commit_max.max(other.commit_max),
            end_min: self.end_min.min(other.end_min),
            end_max: self.end_max.max(other.end_max),
            from_min: self.from_min.min(other.from_min),
            from_max: self.from_max.max(other.from_max),
            to_min: self.to_min.min(other.to_min),
            to_max: self.to_max.max(other.to_max),
        }
    }

    /// The bounds of four lanes.
    pub(crate) fn of(commit: &Column, end: &Column, from: &Column, to: &Column) -> Bounds {
        let ((commit_min, commit_max), (end_min, end_max)) = (lane_bounds(commit), lane_bounds(end));
        let ((from_min, from_max), (to_min, to_max)) = (lane_bounds(from), lane_bounds(to));
        Bounds { commit_min, commit_max, end_min, end_max, from_min, from_max, to_min, to_max }
    }
}

/// Least and greatest of a lane without NULLs.
pub(crate) fn lane_bounds(column: &Column) -> (i64, i64) {
    match column.i64s() {
        Vals::One(value) => (value, value),
        Vals::Many(values) => {
            values.iter().fold((i64::MAX, i64::MIN), |(low, high), value| (low.min(*value), high.max(*value)))
        }
    }
}

/// An INTEGER column of one number.
pub(crate) fn constant_integer(value: i64, len: usize) -> Column {
    Column::constant(Type::Integer, Value::Integer(value), len)
}

/// A TIMESTAMP column of one instant.
pub(crate) fn constant_instant(value: i64, len: usize) -> Column {
    Column::constant(Type::Timestamp, Value::Timestamp(Timestamp(value)), len)
}

/// A column of integers, constant when they are all the same.
pub(crate) fn integers(ty: Type, values: Vec<i64>) -> Column {
    match values.first() {
        Some(first) if values.iter().all(|value| value == first) => {
            let value = match ty {
                Type::Timestamp => Value::Timestamp(Timestamp(*first)),
                _ => Value::Integer(*first),
            };
            Column::constant(ty, value, values.len())
        }
        _ => Column::from_i64s(ty, values),
    }
}

/// The two lanes of some periods.
pub(crate) fn period_lanes(periods: &[Period]) -> (Column, Column) {
    if periods.iter().all(|period| *period == Period::ALWAYS) {
        return (constant_instant(MICROS_MIN, periods.len()), constant_instant(MICROS_MAX, periods.len()));
    }
    let from = integers(Type::Timestamp, periods.iter().map(|period| period.from()).collect());
    let to = integers(Type::Timestamp, periods.iter().map(|period| period.to()).collect());
    (from, to)
}

/// The integer of one row of an integer lane, whatever its encoding; nothing is decoded but that row.
pub(crate) fn i64_at(column: &Column, row: usize) -> i64 {
    match column.data() {
        Data::I64(lane) => lane.as_slice()[row],
        Data::FrameOfReference { base, codes } => base.wrapping_add(codes.at(row) as i64),
        Data::Dictionary { codes, values } => i64_at(values, codes.at(row)),
        Data::Const(_) | Data::Bool(_) | Data::F64(_) | Data::I128(_) | Data::Bytes(_) => match column.i64s() {
            Vals::One(value) => value,
            Vals::Many(values) => values[row],
        },
    }
}

/// Clears the mask in the runs that are not kept.
fn mask_runs(mask: &mut [u8], runs: &Runs, keep: impl Fn(usize) -> bool) {
    runs.iter().filter(|(run, _)| !keep(*run)).for_each(|(_, rows)| mask[rows].fill(0));
}

/// Clears the mask where a number names a value that is not kept: each value is asked once.
fn mask_codes(mask: &mut [u8], codes: &[u8], values: &Column, keep: impl Fn(i64) -> bool) {
    let mut kept = [0u8; 256];
    for (code, kept) in kept.iter_mut().enumerate().take(values.len()) {
        *kept = u8::from(keep(i64_at(values, code)));
    }
    mask.iter_mut().zip(codes).for_each(|(mask, code)| *mask &= kept[usize::from(*code)]);
}

/// Clears the mask where an integer lane is above a bound.
pub(crate) fn mask_at_most(mask: &mut [u8], column: &Column, bound: i64) {
    fn each<T: Copy + PartialOrd>(mask: &mut [u8], lane: &[T], bound: T) {
        mask.iter_mut().zip(lane).for_each(|(keep, value)| *keep &= u8::from(*value <= bound));
    }
    match column.data() {
        Data::I64(lane) => each(mask, lane.as_slice(), bound),
        Data::FrameOfReference { base, codes } => {
            let offset = i128::from(bound) - i128::from(*base);
            let Ok(offset) = u64::try_from(offset) else {
                mask.fill(0);
                return;
            };
            match codes {
                Codes::U8(lane) => each(mask, lane.as_slice(), u8::try_from(offset).unwrap_or(u8::MAX)),
                Codes::U16(lane) => each(mask, lane.as_slice(), u16::try_from(offset).unwrap_or(u16::MAX)),
                Codes::U32(lane) => each(mask, lane.as_slice(), u32::try_from(offset).unwrap_or(u32::MAX)),
                Codes::Runs(runs) => mask_runs(mask, runs, |run| run as u64 <= offset),
            }
        }
        Data::Dictionary { codes: Codes::Runs(runs), values } => {
            mask_runs(mask, runs, |run| i64_at(values, run) <= bound);
        }
        Data::Dictionary { codes: Codes::U8(codes), values } => {
            mask_codes(mask, codes.as_slice(), values, |value| value <= bound)
        }
        _ => match column.i64s() {
            Vals::One(value) if value <= bound => {}
            Vals::One(_) => mask.fill(0),
            Vals::Many(values) => each(mask, &values, bound),
        },
    }
}

/// Clears the mask where an integer lane is at or below a bound.
pub(crate) fn mask_above(mask: &mut [u8], column: &Column, bound: i64) {
    fn each<T: Copy + PartialOrd>(mask: &mut [u8], lane: &[T], bound: T) {
        mask.iter_mut().zip(lane).for_each(|(keep, value)| *keep &= u8::from(*value > bound));
    }
    match column.data() {
        Data::I64(lane) => each(mask, lane.as_slice(), bound),
        Data::FrameOfReference { base, codes } => {
            let offset = i128::from(bound) - i128::from(*base);
            let Ok(offset) = u64::try_from(offset) else {
                return;
            };
            match codes {
                Codes::U8(lane) => each(mask, lane.as_slice(), u8::try_from(offset).unwrap_or(u8::MAX)),
                Codes::U16(lane) => each(mask, lane.as_slice(), u16::try_from(offset).unwrap_or(u16::MAX)),
                Codes::U32(lane) => each(mask, lane.as_slice(), u32::try_from(offset).unwrap_or(u32::MAX)),
                Codes::Runs(runs) => mask_runs(mask, runs, |run| run as u64 > offset),
            }
        }
        Data::Dictionary { codes: Codes::Runs(runs), values } => {
            mask_runs(mask, runs, |run| i64_at(values, run) > bound);
        }
        Data::Dictionary { codes: Codes::U8(codes), values } => {
            mask_codes(mask, codes.as_slice(), values, |value| value > bound)
        }
        _ => match column.i64s() {
            Vals::One(value) if value > bound => {}
            Vals::One(_) => mask.fill(0),
            Vals::Many(values) => each(mask, &values, bound),
        },
    }
}

impl Run {
    /// A run over lanes.
    pub(crate) fn new(
        columns: Vec<Column>,
        (valid_from, valid_to): (Column, Column),
        commit: Column,
        origin: Column,
        system_to: Column,
    ) -> Run {
        let bounds = Bounds::of(&commit, &system_to, &valid_from, &valid_to);
        Run {
            len: commit.len(),
            columns,
            valid_from,
            valid_to,
            commit,
            origin,
            system_to,
            bounds,
            commit_mins: Box::default(),
            own_bytes: 0,
            hints: None,
        }
    }

    /// Works out the least commits of its parts.
    pub(crate) fn note_parts(&mut self) {
        if self.len <= PART_ROWS || self.bounds.commit_min == self.bounds.commit_max {
            return;
        }
        let commits = self.commit.i64s();
        let least = |first: usize| (first..self.len.min(first + PART_ROWS)).map(|row| commits.at(row)).min();
        self.commit_mins = (0..self.len).step_by(PART_ROWS).filter_map(least).collect();
    }

    /// About how many bytes it takes beside those of a mapped file that it shares.
    pub(crate) fn kept_bytes(&self) -> usize {
        let dictionaries = self.columns.iter().filter(|column| matches!(column.data(), Data::Dictionary { .. }));
        let parts = self.commit_mins.len() * size_of::<i64>() + self.hints.as_ref().map_or(0, |_| size_of::<Hints>());
        self.own_bytes + size_of::<Run>() + parts + (self.columns.len() + dictionaries.count()) * size_of::<Column>()
    }

    /// About how many bytes it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        let lanes = [&self.valid_from, &self.valid_to, &self.commit, &self.origin, &self.system_to];
        self.columns.iter().chain(lanes).map(Column::memory_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spectradb_kernel::lane::Lane;

    #[test]
    fn masks_agree_over_all_encodings() {
        let values: Vec<i64> = (0..200).map(|i| 1000 + i % 50).collect();
        let plain = Column::from_i64s(Type::Integer, values.clone());
        let narrow = values.iter().map(|value| (value - 990) as u8).collect();
        let coded = Data::FrameOfReference { base: 990, codes: Codes::U8(Lane::from_vec(narrow)) };
        let coded = Column::new(Type::Integer, None, coded);
        let numbers = values.iter().map(|value| (value - 1000) as u8).collect();
        let distinct = std::sync::Arc::new(Column::from_i64s(Type::Integer, (1000..1050).collect()));
        let numbered = Data::Dictionary { codes: Codes::U8(Lane::from_vec(numbers)), values: distinct };
        let numbered = Column::new(Type::Integer, None, numbered);
        for bound in [i64::MIN, 0, 989, 990, 999, 1000, 1025, 1049, 1245, 1246, i64::MAX] {
            for column in [&plain, &coded, &numbered] {
                let (mut low, mut high) = (vec![1u8; 200], vec![1u8; 200]);
                mask_at_most(&mut low, column, bound);
                mask_above(&mut high, column, bound);
                for (row, value) in values.iter().enumerate() {
                    assert_eq!((low[row], high[row]), (u8::from(*value <= bound), u8::from(*value > bound)));
                }
            }
        }
    }
}
