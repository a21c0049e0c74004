//! What does a write do to the facts of its key?
//!
//! A fact is a rectangle: a stretch of system time (from the commit that wrote it to the one that superseded it) by a
//! stretch of valid time. A commit supersedes each current fact that its periods touch, whole, and asserts again, as
//! leftovers, what of that fact lies outside. Several writes of one transaction to one key are first normalised: the
//! last write to an instant wins, so that the commit is a set of disjoint periods.
//!
//! Holds, given current facts with disjoint periods: they stay disjoint; no fact but the touched ones changes; an
//! instant that is not written shows what it showed before. Hence the period's start and the commit name a fact for
//! ever, and reading a point of both times is a comparison of four numbers.
//! Not here: rows and keys (payloads are any type), and whether a write changes anything at all (the writer).

use crate::time::{COMMIT_OPEN, Commit, Micros, Period};
use std::collections::BTreeMap;

/// Where in both times a fact holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rectangle {
    /// The commit that wrote it.
    pub commit: Commit,
    /// The commit that superseded it; [`COMMIT_OPEN`] while it is current.
    pub system_to: Commit,
    /// Where it is valid.
    pub valid: Period,
}

impl Rectangle {
    /// A fact just written.
    pub const fn current(commit: Commit, valid: Period) -> Rectangle {
        Rectangle { commit, system_to: COMMIT_OPEN, valid }
    }

    /// Has nothing superseded it?
    pub const fn is_current(&self) -> bool {
        self.system_to == COMMIT_OPEN
    }

    /// Is it seen by who reads the state after commit `system` at the instant `valid`?
    pub const fn shows(&self, system: Commit, valid: Micros) -> bool {
        self.commit <= system && system < self.system_to && self.valid.from() <= valid && valid < self.valid.to()
    }
}

/// A write to one key: a row for a period, or (`None`) no row there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write<T> {
    /// The instants written.
    pub period: Period,
    /// What holds there from now on.
    pub row: Option<T>,
}

/// Part of a superseded fact that goes on to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The position of the fact it is left of.
    pub of: usize,
    /// What is left.
    pub period: Period,
}

/// What writes do to the current facts of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supersession {
    /// Positions of the facts that end, in the order given.
    pub superseded: Vec<usize>,
    /// What is asserted again, in the order of the facts and, for each, of time.
    pub leftovers: Vec<Leftover>,
}

/// Makes the writes of one transaction to one key, in the order in which they were made, disjoint and sorted by time:
/// the last write to an instant wins.
pub fn normalise<T: Clone>(writes: Vec<Write<T>>) -> Vec<Write<T>> {
    if writes.len() < 2 {
        return writes;
    }
    let mut covered = Cover::default();
    let mut pieces = Vec::with_capacity(writes.len());
    for write in writes.into_iter().rev() {
        let mut free = covered.add(write.period);
        // The row moves into its last piece; only a write that was split is copied.
        let last = free.pop();
        pieces.extend(free.into_iter().map(|period| Write { period, row: write.row.clone() }));
        pieces.extend(last.map(|period| Write { period, row: write.row }));
    }
    pieces.sort_by_key(|write| write.period.from());
    pieces
}

/// Instants that are taken, as disjoint stretches that do not touch: start to end.
#[derive(Clone, Debug, Default)]
pub struct Cover(BTreeMap<Micros, Micros>);

impl Cover {
    /// Takes a period and gives the parts of it that were free, in order.
    pub fn add(&mut self, period: Period) -> Vec<Period> {
        let (mut from, mut to) = (period.from(), period.to());
        let mut free = Vec::new();
        let mut cursor = from;
        if let Some((start, end)) = self.0.range(..from).next_back().map(|(start, end)| (*start, *end))
            && end >= from
        {
            self.0.remove(&start);
            from = start;
            cursor = end;
            to = to.max(end);
        }
        while let Some((start, end)) = self.0.range(from..=period.to()).next().map(|(start, end)| (*start, *end)) {
            free.extend(Period::new(cursor, start));
            self.0.remove(&start);
            cursor = cursor.max(end);
            to = to.max(end);
        }
        free.extend(Period::new(cursor, period.to()));
        self.0.insert(from, to);
        free
    }
}

/// Which current facts end when disjoint, sorted periods are written, and what is left of them?
///
/// # Panics
/// In debug builds, when the written periods are not sorted and disjoint: [`normalise`] makes them so.
pub fn supersede(current: impl IntoIterator<Item = Period>, written: impl IntoIterator<Item = Period>) -> Supersession {
    let written: Vec<Period> = written.into_iter().collect();
    debug_assert!(written.windows(2).all(|pair| pair[0].to() <= pair[1].from()), "written periods are normalised");
    let mut result = Supersession::default();
    for (of, fact) in current.into_iter().enumerate() {
        let first = written.partition_point(|cut| cut.to() <= fact.from());
        let cuts = written[first..].iter().take_while(|cut| cut.from() < fact.to());
        let mut rest = Some(fact);
        let mut touched = false;
        for cut in cuts {
            touched = true;
            let (before, after) = rest.map_or((None, None), |rest| rest.outside(*cut));
            result.leftovers.extend(before.map(|period| Leftover { of, period }));
            rest = after;
        }
        if touched {
            result.superseded.push(of);
            result.leftovers.extend(rest.map(|period| Leftover { of, period }));
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INSTANTS: i64 = 12;

    fn period(from: i64, to: i64) -> Period {
        Period::new(from, to).expect("tests give periods")
    }

    #[test]
    fn a_portion_leaves_both_ends() {
        let result = supersede([period(0, 100), period(100, 200)], [period(20, 50)]);
        let left = |from, to| Leftover { of: 0, period: period(from, to) };
        assert_eq!(result, Supersession { superseded: vec![0], leftovers: vec![left(0, 20), left(50, 100)] });
    }

    #[test]
    fn later_writes_win_and_split_earlier_ones() {
        let write = |from, to, row| Write { period: period(from, to), row };
        let writes = vec![write(0, 100, Some('a')), write(20, 30, None), write(25, 60, Some('b'))];
        let expected =
            [write(0, 20, Some('a')), write(20, 25, None), write(25, 60, Some('b')), write(60, 100, Some('a'))];
        assert_eq!(normalise(writes), expected);
        let always = vec![Write { period: Period::ALWAYS, row: Some(1) }, write_of(Period::ALWAYS, 2)];
        assert_eq!(normalise(always), [write_of(Period::ALWAYS, 2)]);
    }

    fn write_of(period: Period, row: i32) -> Write<i32> {
        Write { period, row: Some(row) }
    }

    fn any_period() -> impl Strategy<Value = Period> {
        (0..INSTANTS, 1..INSTANTS).prop_map(|(from, length)| period(from, (from + length).min(INSTANTS)))
    }

    fn any_commits() -> impl Strategy<Value = Vec<Vec<Write<u32>>>> {
        let write = (any_period(), proptest::option::weighted(0.7, 0..1000u32));
        let write = write.prop_map(|(period, row)| Write { period, row });
        proptest::collection::vec(proptest::collection::vec(write, 1..5), 1..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        /// The naive model: for each commit, a grid of what each instant shows.
        #[test]
        fn facts_are_rectangles_that_agree_with_a_grid(commits in any_commits()) {
            let mut facts: Vec<(Rectangle, u32)> = Vec::new();
            let mut grid = vec![[None; INSTANTS as usize]];
            for (i, writes) in commits.into_iter().enumerate() {
                let commit = i as Commit + 1;
                let mut row = *grid.last().expect("the empty state");
                for write in &writes {
                    (write.period.from()..write.period.to()).for_each(|instant| row[instant as usize] = write.row);
                }
                grid.push(row);

                let writes = normalise(writes);
                for pair in writes.windows(2) {
                    prop_assert!(pair[0].period.to() <= pair[1].period.from(), "normalised writes are disjoint");
                }
                let current: Vec<usize> = (0..facts.len()).filter(|fact| facts[*fact].0.is_current()).collect();
                let periods = current.iter().map(|fact| facts[*fact].0.valid);
                let result = supersede(periods, writes.iter().map(|write| write.period));
                for of in &result.superseded {
                    facts[current[*of]].0.system_to = commit;
                }
                for left in &result.leftovers {
                    prop_assert!(result.superseded.contains(&left.of));
                    facts.push((Rectangle::current(commit, left.period), facts[current[left.of]].1));
                }
                for write in writes {
                    facts.extend(write.row.map(|row| (Rectangle::current(commit, write.period), row)));
                }
                let current: Vec<Period> =
                    facts.iter().filter(|fact| fact.0.is_current()).map(|fact| fact.0.valid).collect();
                for (i, one) in current.iter().enumerate() {
                    prop_assert!(current[..i].iter().all(|two| !one.overlaps(*two)), "current facts never overlap");
                }
            }
            for (system, row) in grid.iter().enumerate() {
                for (valid, expected) in row.iter().enumerate() {
                    let shown: Vec<u32> = facts
                        .iter()
                        .filter(|fact| fact.0.shows(system as Commit, valid as Micros))
                        .map(|fact| fact.1)
                        .collect();
                    prop_assert_eq!(shown, expected.iter().copied().collect::<Vec<_>>(), "at ({}, {})", system, valid);
                }
            }
            let mut identities: Vec<_> = facts.iter().map(|fact| (fact.0.valid.from(), fact.0.commit)).collect();
            identities.sort_unstable();
            let count = identities.len();
            identities.dedup();
            prop_assert_eq!(count, identities.len(), "start and commit name a fact");
        }
    }
}
