//! Which run of equal values does a row belong to, without a code a row?
//!
//! The ends of the runs, rising; a row's run is found by binary search, and who walks over all rows walks over the runs.
//! A slice shares the ends and remembers which rows it is about.
//!
//! Not here: the values of the runs, which are a dictionary's (`column`).

use crate::lane::Lane;
use std::ops::Range;

/// Runs of rows that follow each other.
#[derive(Clone, Debug)]
pub struct Runs {
    /// The row behind each run, strictly rising, from before any slicing.
    ends: Lane<u16>,
    rows: Range<usize>,
}

impl Runs {
    /// Runs that end before these rows; `None` when the ends do not rise.
    pub fn new(ends: Lane<u16>) -> Option<Runs> {
        let all = ends.as_slice();
        let rise = all.first().is_none_or(|end| *end > 0) && all.windows(2).all(|pair| pair[0] < pair[1]);
        let len = all.last().map_or(0, |end| usize::from(*end));
        rise.then_some(Runs { ends, rows: 0..len })
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Is there no row?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The run of a row.
    #[inline]
    pub fn at(&self, row: usize) -> usize {
        debug_assert!(row < self.len(), "row {row} of {}", self.len());
        self.number(self.rows.start + row)
    }

    fn number(&self, row: usize) -> usize {
        self.ends.as_slice().partition_point(|end| usize::from(*end) <= row)
    }

    /// The first row of a run, or how many rows there are when all lie before it.
    #[inline]
    pub fn start(&self, run: usize) -> usize {
        let ends = self.ends.as_slice();
        let start = run.min(ends.len()).checked_sub(1).map_or(0, |before| usize::from(ends[before]));
        start.clamp(self.rows.start, self.rows.end) - self.rows.start
    }

    /// The runs that have rows here, each with its number and its rows.
    pub fn iter(&self) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
        let Range { start, end } = self.rows;
        let first = self.number(start);
        let mut from = start;
        let ends = self.ends.as_slice()[first..].iter().map(|end| usize::from(*end));
        ends.zip(first..).take_while(move |_| start < end).map_while(move |(run_end, run)| {
            let rows = from - start..run_end.min(end) - start;
            from = run_end;
            (!rows.is_empty()).then_some((run, rows))
        })
    }

    /// A range of rows, shared.
    pub fn slice(&self, rows: Range<usize>) -> Runs {
        Runs { ends: self.ends.clone(), rows: self.rows.start + rows.start..self.rows.start + rows.end }
    }

    /// How many bytes the ends take.
    pub fn memory_bytes(&self) -> usize {
        self.ends.len() * size_of::<u16>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_has_the_runs_of_its_rows() {
        let runs = Runs::new(vec![2, 3, 7].into()).expect("they rise");
        let all = [0, 0, 1, 2, 2, 2, 2];
        for start in 0..=all.len() {
            for end in start..=all.len() {
                let slice = runs.slice(start..end);
                let one_by_one: Vec<usize> = (0..slice.len()).map(|row| slice.at(row)).collect();
                assert_eq!(one_by_one, all[start..end]);
                let walked: Vec<usize> = slice.iter().flat_map(|(run, rows)| rows.map(move |_| run)).collect();
                assert_eq!(walked, all[start..end], "{start}..{end}");
                for run in 0..5 {
                    let before = all[start..end].iter().filter(|other| **other < run).count();
                    assert_eq!(slice.start(run), before, "run {run} of {start}..{end}");
                }
                assert!(slice.iter().map(|(_, rows)| rows).all(|rows| rows.start < rows.end));
            }
        }
    }

    #[test]
    fn ends_that_do_not_rise_are_no_runs() {
        assert!(Runs::new(vec![0, 3].into()).is_none());
        assert!(Runs::new(vec![3, 3].into()).is_none());
        assert!(Runs::new(Vec::new().into()).is_some_and(|runs| runs.is_empty() && runs.iter().next().is_none()));
    }
}
