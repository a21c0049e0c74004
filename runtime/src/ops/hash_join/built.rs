//! The right side of a join: rows filed under the number of their key, rows of one key side by side.
//!
//! Where periods must meet, the rows of a key are sorted by the period's beginning and know the largest end so far, so that a
//! look-up is a binary search.
//!
//! Holds: rows of one key, or those whose period meets another, are given in the order in which they came.
//! Not here: which rows are pairs (`hash_join`).

use super::{JoinSpec, PeriodColumns};
use crate::ops::{
    Budget, ExecError, Given, Source,
    groups::{Groups, NO_GROUP, Nulls},
    rows::{Rows, RowsBuilder},
};
use spectradb_kernel::{Column, Type};

/// What a right row takes beside its columns: its number, its place among its group's, the group's key.
const FILED_ROW_BYTES: usize = 24;

/// The right side.
pub(super) struct Built {
    pub(super) rows: Rows,
    pub(super) groups: Groups,
    /// The rows of group `g` are `filed[starts[g]..starts[g + 1]]`.
    starts: Vec<usize>,
    pub(super) filed: Vec<u32>,
    pub(super) periods: Option<Periods>,
    /// Has every group one row, and no period to look at? Then a probe that finds a group has found its only partner.
    pub(super) is_unique: bool,
    /// Is each row of the number of its group, besides?
    pub(super) is_filed_as_read: bool,
    /// Has the row found a partner? Empty where nobody asks.
    pub(super) matched: Vec<bool>,
}

/// The periods of the filed rows, group by group sorted by `from`, both ends included: of integers `x < y` is `x <= y - 1`
/// (or `x + 1 <= y` where the left end may be missing: the number below all others is then nobody's).
pub(super) struct Periods {
    from: Vec<i64>,
    to: Vec<i64>,
    /// The largest `to` of the group's rows up to this one.
    to_max: Vec<i64>,
    columns: PeriodColumns,
}

impl Built {
    pub(super) fn nothing(budget: &Budget) -> Built {
        Built {
            rows: RowsBuilder::new(Vec::new(), budget).finish(),
            groups: Groups::new(Nulls::Nothing),
            starts: vec![0],
            filed: Vec::new(),
            periods: None,
            is_unique: false,
            is_filed_as_read: false,
            matched: Vec::new(),
        }
    }

    /// Reads the right side; where `wanted` is given, rows with other keys are passed over.
    pub(super) fn read(
        right: &mut dyn Source,
        spec: &JoinSpec,
        mut wanted: Option<Groups>,
        budget: &Budget,
    ) -> Result<Built, ExecError> {
        let mut held = spec.right_out.clone();
        if let Some(period) = spec.period {
            // Behind the columns that are given; only the index below looks at them.
            // Whatever they are, their lane is that of instants.
            held.extend([period.from, period.to].map(|column_idx| Given { column_idx, ty: Type::Timestamp }));
        }
        let mut rows = RowsBuilder::new(held, budget);
        let mut groups = spec.groups();
        let (mut numbers, mut firsts) = (Vec::new(), Vec::new());
        // Without a left row there is no pair, and no reason to read.
        while wanted.as_ref().is_none_or(|wanted| wanted.len() > 0)
            && let Some(mut batch) = right.next()?
        {
            if let Some(wanted) = &mut wanted {
                let mut found = Vec::with_capacity(batch.len());
                wanted.find(&spec.right_keys(&batch), batch.len(), &mut found);
                if found.contains(&NO_GROUP) {
                    let rows = (0u32..).zip(&found).filter(|(_, group)| **group != NO_GROUP);
                    batch = batch.select(rows.map(|(row, _)| row).collect());
                }
            }
            if !spec.has_keys() {
                numbers.resize(numbers.len() + batch.len(), 0);
            } else {
                groups.assign(&spec.right_keys(&batch), batch.len(), &mut numbers, &mut firsts);
            }
            rows.push(&batch)?;
        }
        let mut rows = rows.finish();
        rows.hold_beside(FILED_ROW_BYTES)?;
        let mut periods = None;
        if let Some(columns) = spec.period {
            let (from, to) = (rows.whole_column(spec.right_out.len()), rows.whole_column(spec.right_out.len() + 1));
            let ends: Vec<Option<(i64, i64)>> =
                (0..numbers.len()).map(|row| ends_of(&columns, &from, &to, row)).collect();
            // A row without a period meets none.
            let with_ends = numbers.iter_mut().zip(&ends);
            with_ends.filter(|(_, ends)| ends.is_none()).for_each(|(number, _)| *number = NO_GROUP);
            periods = Some((columns, ends));
        }
        let group_count = if !spec.has_keys() { 1 } else { groups.len() };
        let (starts, mut filed) = file(&numbers, group_count);
        let periods = periods.map(|(columns, ends)| Periods::new(&columns, &starts, &mut filed, &ends));
        let matched = if spec.kind.keeps_right() { vec![false; rows.len()] } else { Vec::new() };
        let is_unique = periods.is_none() && starts.windows(2).all(|group| group[1] - group[0] == 1);
        let is_filed_as_read = filed.iter().enumerate().all(|(at, row)| at == *row as usize);
        Ok(Built { rows, groups, starts, filed, periods, is_unique, is_filed_as_read, matched })
    }

    /// The filed rows of a group.
    pub(super) fn files(&self, group: u32) -> std::ops::Range<usize> {
        if group == NO_GROUP { 0..0 } else { self.starts[group as usize]..self.starts[group as usize + 1] }
    }

    /// The rows of a group whose period meets that of a left row, in order of arrival; counts those that it looked at.
    pub(super) fn meeting(
        &self,
        periods: &Periods,
        group: u32,
        points: &(Column, Column),
        row: usize,
        walked: &mut usize,
    ) -> Vec<u32> {
        let Some((files, since)) = self.early(periods, group, points, row) else { return Vec::new() };
        let mut rows = Vec::new();
        for file in files.rev() {
            *walked += 1;
            if periods.to_max[file] < since {
                break;
            }
            if since <= periods.to[file] {
                rows.push(self.filed[file]);
            }
        }
        rows.sort_unstable();
        rows
    }

    /// Is there such a row?
    pub(super) fn meets_any(&self, periods: &Periods, group: u32, points: &(Column, Column), row: usize) -> bool {
        let early = self.early(periods, group, points, row);
        early.is_some_and(|(files, since)| !files.is_empty() && since <= periods.to_max[files.end - 1])
    }

    /// The filed rows of a group whose period begins early enough for that of a left row, and where that one begins.
    fn early(
        &self,
        periods: &Periods,
        group: u32,
        points: &(Column, Column),
        row: usize,
    ) -> Option<(std::ops::Range<usize>, i64)> {
        let (since, until) = points;
        let end = |column: &Column, is_open: bool, end: i64| match column.is_null(row) {
            true => is_open.then_some(end),
            false => Some(column.i64s().at(row)),
        };
        let PeriodColumns { open_since, open_until, .. } = periods.columns;
        let mut since = end(since, open_since, i64::MIN)?;
        let mut until = end(until, open_until, i64::MAX)?;
        // What `ends_of` left to be done here.
        if open_since && !periods.columns.to_included && !points.0.is_null(row) {
            since = since.checked_add(1)?;
        }
        if open_until && !periods.columns.from_included && !points.1.is_null(row) {
            until = until.checked_sub(1)?;
        }
        let files = self.files(group);
        let end = files.start + periods.from[files.clone()].partition_point(|from| *from <= until);
        Some((files.start..end, since))
    }
}

/// Both ends of a row's period, included; `None` of one that meets nothing.
fn ends_of(columns: &PeriodColumns, from: &Column, to: &Column, row: usize) -> Option<(i64, i64)> {
    let first = match from.is_null(row) {
        true if columns.open_from => i64::MIN,
        true => return None,
        false if columns.from_included || columns.open_until => from.i64s().at(row),
        false => from.i64s().at(row).checked_add(1)?,
    };
    if to.is_null(row) {
        return columns.open_to.then_some((first, i64::MAX));
    }
    let to = to.i64s().at(row);
    let last = if columns.to_included || columns.open_since { to } else { to.checked_sub(1)? };
    Some((first, last))
}

/// Row numbers side by side by group, each group's in order, and where each group begins.
fn file(numbers: &[u32], group_count: usize) -> (Vec<usize>, Vec<u32>) {
    let mut starts = vec![0usize; group_count + 1];
    for number in numbers.iter().filter(|number| **number != NO_GROUP) {
        starts[*number as usize + 1] += 1;
    }
    for group in 0..group_count {
        starts[group + 1] += starts[group];
    }
    let mut ends = starts.clone();
    let mut filed = vec![0; starts[group_count]];
    for (row, number) in numbers.iter().enumerate().filter(|(_, number)| **number != NO_GROUP) {
        filed[ends[*number as usize]] = row as u32;
        ends[*number as usize] += 1;
    }
    (starts, filed)
}

impl Periods {
    fn new(columns: &PeriodColumns, starts: &[usize], filed: &mut [u32], ends: &[Option<(i64, i64)>]) -> Periods {
        let ends_of = |row: &u32| ends[*row as usize].expect("rows without a period are not filed");
        for group in starts.windows(2) {
            filed[group[0]..group[1]].sort_by_key(|row| ends_of(row).0);
        }
        let (from, to): (Vec<i64>, Vec<i64>) = filed.iter().map(ends_of).unzip();
        let mut to_max = to.clone();
        for group in starts.windows(2) {
            for file in group[0] + 1..group[1].max(group[0] + 1) {
                to_max[file] = to_max[file].max(to_max[file - 1]);
            }
        }
        Periods { from, to, to_max, columns: *columns }
    }
}
