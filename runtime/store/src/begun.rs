//! How many of a key's facts have begun at an instant?
//!
//! Of a key that has many valid periods the fact that holds at an instant is the last one that has begun. A look-up waits for
//! memory and for little else, so the place is guessed from what is at hand and few lines are touched to confirm it: what
//! all look-ups in a block may rely on is found once, when the block is read ([`Hints`]).
//!
//! Holds: hints only shorten the way. What is counted is what counting each row would give.
//! Not here: which rows are a key's (`keys`), which of those that have begun are wanted (`visible`).

use crate::{
    keys::partition_point,
    run::{Run, i64_at},
};
use spectradb_kernel::{
    Column,
    column::{Codes, Data},
};
use std::ops::Range;

/// What look-ups in a run may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hints {
    /// No row begins after the row before it has ended. So where a row begins after an instant, the row before it ends after
    /// the instant, and its end need not be looked at.
    is_gapless: bool,
    /// The key of the first run, where keys are numbers in runs that rise by one from run to run.
    pub(crate) first_key: Option<i64>,
    /// What is known of the numbered beginnings.
    beginnings: Beginnings,
}

/// What is known of beginnings that are numbered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Beginnings {
    /// Nothing, or they are not numbered.
    #[default]
    Unknown,
    /// They rise with their numbers.
    Rising,
    /// They rise by one step from number to number.
    Even(Even),
}

/// Numbers that rise by a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Even {
    first: i64,
    step: u64,
    count: u16,
}

impl Beginnings {
    fn of(values: &[i64]) -> Beginnings {
        let [first, second, ..] = values else { return Beginnings::Unknown };
        if values.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Beginnings::Unknown;
        }
        let step = second.abs_diff(*first);
        match (values.windows(2).all(|pair| pair[1].abs_diff(pair[0]) == step), u16::try_from(values.len())) {
            (true, Ok(count)) => Beginnings::Even(Even { first: *first, step, count }),
            (false, _) | (_, Err(_)) => Beginnings::Rising,
        }
    }
}

impl Even {
    /// How many of them are at most the bound?
    fn at_most(&self, bound: i64) -> usize {
        let count = usize::from(self.count);
        if bound < self.first {
            return 0;
        }
        let steps = bound.abs_diff(self.first) / self.step;
        usize::try_from(steps).map_or(count, |steps| steps.saturating_add(1).min(count))
    }
}

impl Hints {
    /// What holds for the rows of a block: the column of a key of one number, the beginnings of validity, and whether no row
    /// begins after the one before it ended.
    pub(crate) fn of(key: Option<&Column>, valid_from: &Column, is_gapless: bool) -> Option<Box<Hints>> {
        if valid_from.as_const().is_some() {
            // No look-up asks for its place.
            return None;
        }
        let runs_of = |key: &Column| match key.data() {
            Data::Dictionary { codes: Codes::Runs(_), values } if let Data::I64(lane) = values.data() => {
                let keys = lane.as_slice();
                let rise = keys.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1]));
                keys.first().copied().filter(|_| rise)
            }
            _ => None,
        };
        let beginnings = match valid_from.data() {
            Data::Dictionary { codes: Codes::U8(_), values } if let Data::I64(lane) = values.data() => {
                Beginnings::of(lane.as_slice())
            }
            _ => Beginnings::Unknown,
        };
        Some(Box::new(Hints { is_gapless, first_key: key.and_then(runs_of), beginnings }))
    }

    /// Does no row of a run begin after the one before it has ended, as far as is known?
    pub(crate) fn are_gapless(run: &Run) -> bool {
        run.hints.as_deref().is_some_and(|hints| hints.is_gapless)
    }
}

/// How many of a key's rows, which lie in the order of their beginnings, begin at an instant or before it?
pub(crate) fn begun_at(run: &Run, rows: Range<usize>, instant: i64) -> usize {
    let (start, len) = (rows.start, rows.len());
    let beginnings = run.hints.as_deref().map_or(Beginnings::Unknown, |hints| hints.beginnings);
    match run.valid_from.data() {
        Data::I64(lane) => {
            let lane = &lane.as_slice()[rows];
            at_most(len, |row| lane[row], instant)
        }
        // The order of the numbers is that of what they stand for. Often each key has a row of each beginning.
        Data::Dictionary { codes: Codes::U8(codes), .. } if let Beginnings::Even(even) = beginnings => {
            let (codes, begun) = (&codes.as_slice()[rows], even.at_most(instant));
            from_guess(len, begun * len / usize::from(even.count), |row| usize::from(codes[row]) < begun)
        }
        Data::Dictionary { codes: Codes::U8(codes), values } if let Data::I64(values) = values.data() => {
            let (codes, values) = (&codes.as_slice()[rows], values.as_slice());
            if beginnings != Beginnings::Rising {
                return at_most(len, |row| values[usize::from(codes[row])], instant);
            }
            let begun = at_most(values.len(), |number| values[number], instant);
            from_guess(len, begun * len / values.len(), |row| usize::from(codes[row]) < begun)
        }
        _ => at_most(len, |row| i64_at(&run.valid_from, start + row), instant),
    }
}

/// How many of some numbers that never fall are at most the bound? Periods are often of one length, so the place is looked for
/// where it would be then.
fn at_most(len: usize, at: impl Fn(usize) -> i64, bound: i64) -> usize {
    let Some(last) = len.checked_sub(1) else { return 0 };
    let (low, high) = (at(0), at(last));
    match (low <= bound, high <= bound) {
        (false, _) => 0,
        (_, true) => len,
        (true, false) => {
            let share = bound.abs_diff(low) as f64 / high.abs_diff(low) as f64;
            from_guess(len, (share * last as f64) as usize + 1, |row| at(row) <= bound)
        }
    }
}

/// How many rows come first for which `within` holds, which never holds again once it does not: looked for from a guess on in
/// doubling steps. A guess that is right is only confirmed, so what is read of the row behind it need not wait for that.
fn from_guess(len: usize, guess: usize, within: impl Fn(usize) -> bool) -> usize {
    let guess = guess.min(len);
    let mut step = 1;
    if guess == 0 || within(guess - 1) {
        // All before `low` are within.
        let mut low = guess;
        while low < len && within((low + step - 1).min(len - 1)) {
            low = (low + step).min(len);
            step *= 2;
        }
        if low == len {
            return len;
        }
        return low + partition_point((low + step - 1).min(len - 1) - low, |row| within(low + row));
    }
    // None from `high` on is within.
    let mut high = guess - 1;
    loop {
        let low = high.saturating_sub(step);
        if high == 0 {
            return 0;
        }
        if within(low) {
            return low + 1 + partition_point(high - low - 1, |row| within(low + 1 + row));
        }
        (high, step) = (low, step * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::Probe,
        run::{END_OPEN, constant_integer, integers},
        scan::{SystemScope, ValidScope},
        visible::Wanted,
    };
    use spectradb_kernel::{Type, column::Runs};
    use std::{ops::ControlFlow, sync::Arc};

    fn lane(value: i64, len: usize) -> Column {
        constant_integer(value, len)
    }

    /// Numbers into distinct, rising values.
    fn numbered(values: &[i64]) -> Column {
        let mut distinct = values.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let codes = values.iter().map(|value| distinct.binary_search(value).expect("it is there") as u8);
        let codes = Codes::U8(codes.collect::<Vec<_>>().into());
        let values = Arc::new(Column::from_i64s(Type::Timestamp, distinct));
        Column::new(Type::Timestamp, None, Data::Dictionary { codes, values })
    }

    #[test]
    fn even_and_uneven_beginnings_are_counted_alike() {
        let all: [Vec<i64>; 7] = [
            (0..100).map(|i| i * 86_400).collect(),
            (0..100).map(|i| i * i * i).collect(),
            (0..90).map(|i| if i < 80 { i } else { i << 40 }).collect(),
            vec![i64::MIN, -1, 0, 0, 0, 1, i64::MAX],
            vec![i64::MIN, -1, i64::MAX - 1],
            vec![5; 40],
            vec![1, 2, 3],
        ];
        for from in all {
            let len = from.len();
            let run = |valid_from: Column| {
                let to = Column::from_i64s(Type::Timestamp, vec![i64::MAX; len]);
                Run::new(Vec::new(), (valid_from, to), lane(1, len), lane(0, len), lane(END_OPEN, len))
            };
            let (plain, coded) = (run(Column::from_i64s(Type::Timestamp, from.clone())), run(numbered(&from)));
            let hinted = Run { hints: Hints::of(None, &coded.valid_from, false), ..coded.clone() };
            for bound in from.iter().flat_map(|value| [value.saturating_sub(1), *value, value.saturating_add(1)]) {
                for rows in [0..len, 1..len, len / 2..len, len..len, 0..1, 1..len - 1] {
                    let expected = from[rows.clone()].partition_point(|number| *number <= bound);
                    for run in [&plain, &coded, &hinted] {
                        assert_eq!(begun_at(run, rows.clone(), bound), expected, "{bound} in {rows:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn whatever_the_guess_the_place_is_found() {
        for len in 0..40 {
            for (within, guess) in (0..=len).flat_map(|within| (0..=len + 1).map(move |guess| (within, guess))) {
                assert_eq!(from_guess(len, guess, |row| row < within), within, "{guess} of {len}");
            }
        }
    }

    /// Whatever a key's facts are to those around it, as many come before an instant as counting says, and those hold that hold.
    #[test]
    fn of_many_periods_those_that_begin_in_time_are_counted() {
        for (counts, gap) in [([1, 1, 1], 0), ([1, 300, 2], 0), ([300, 1, 300], 3), ([7, 64, 65], 0), ([7, 64, 65], 1)]
        {
            let keys: Vec<i64> = (0..).zip(counts).flat_map(|(key, count)| vec![key; count]).collect();
            let from: Vec<i64> = counts.iter().flat_map(|count| (0..*count as i64).map(|row| row * 10)).collect();
            let to: Vec<i64> = from.iter().map(|from| from + 10 - gap).collect();
            let len = keys.len();
            let times = (integers(Type::Timestamp, from.clone()), integers(Type::Timestamp, to.clone()));
            let plain = Column::from_i64s(Type::Integer, keys.clone());
            let run = Run::new(vec![plain], times, lane(1, len), lane(0, len), lane(END_OPEN, len));
            let mut behind = 0;
            let ends = counts.map(|count| {
                behind += count as u16;
                behind
            });
            let values = Arc::new(Column::from_i64s(Type::Integer, vec![0, 1, 2]));
            let codes = Codes::Runs(Runs::new(ends.to_vec().into()).expect("they rise"));
            let in_runs = Column::new(Type::Integer, None, Data::Dictionary { codes, values });
            let in_runs = Run { columns: vec![in_runs], ..run.clone() };
            let hints = Hints::of(in_runs.columns.first(), &in_runs.valid_from, gap == 0);
            let many = (counts != [1, 1, 1]).then_some(0);
            assert_eq!(
                hints.as_ref().and_then(|hints| hints.first_key),
                many,
                "nothing is noted where all begin at once"
            );
            let hinted = Run { hints, ..in_runs.clone() };
            for (key, at) in (-1..4).flat_map(|key| [-1, 0, 5, 8, 9, 10, 639, 640, 641, 2_990].map(|at| (key, at))) {
                let bytes = spectradb_kernel::key::i64_bytes(key);
                let probe = Probe::new(&bytes, &mut std::iter::once(Type::Integer));
                let of_key: Vec<usize> = (0..run.len).filter(|row| keys[*row] == key).collect();
                let begun = of_key.iter().filter(|row| from[**row] <= at).count();
                let holds = |row: &&usize| from[**row] <= at && to[**row] > at;
                let holding: Vec<usize> = of_key.iter().filter(holds).copied().collect();
                let wanted = Wanted::new(1, SystemScope::All, ValidScope::At(at));
                for run in [&run, &in_runs, &hinted] {
                    let rows = probe.rows_in(run, &[0]);
                    assert_eq!(rows.clone().collect::<Vec<_>>(), of_key, "key {key} of {counts:?}");
                    assert_eq!(begun_at(run, rows, at), begun, "key {key} of {counts:?} at {at}");
                    let mut found = Vec::new();
                    let walked = probe.visit_sorted(run, &[0], &wanted, &|_| END_OPEN, &mut |row| {
                        found.push(row);
                        ControlFlow::Continue(())
                    });
                    assert!(walked.is_continue());
                    assert_eq!(found, holding, "key {key} of {counts:?} at {at}");
                }
            }
        }
    }
}
