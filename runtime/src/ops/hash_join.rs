//! Which rows of two inputs belong together?
//!
//! The right side is read whole; its rows are filed under the number of their key, rows of one key side by side. Then each
//! batch of the left is probed, and pairs are given in the order of left rows, and of right rows within. Where a point or a
//! period of the left must meet one of the right, the rows of a key are sorted by the period's beginning with a running
//! maximum of its end: a probe finds the last row that begins early enough and walks back only as long as some row before
//! can still end late enough. Without keys all rows have one key, so a join with nothing but a period is a look-up, too, and
//! one with nothing but a residual is a nested loop over batches of pairs.
//!
//! A left side that turns out to be short is read first: then only those right rows are held whose key it has, and a join of
//! a few rows with a large table costs a look-up for each row of the table, not an entry.
//!
//! Holds: whether a row has a partner is decided after the residual; a pair is never built before its batch is full.
//! Not here: computing keys and points (`Eval` stages beneath).

mod built;

use self::built::Built;
use super::{
    BoxEval, BoxSource, ExecError, Given, Source, Tuning,
    groups::{Groups, NO_GROUP, Nulls},
    pipe::up_to_fault,
    rows::NO_ROW,
};
use spectradb_kernel::{Batch, Column, Value, func::logic};
use std::collections::VecDeque;

/// Which rows without a partner a join keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// None.
    Inner,
    /// Those of the left.
    Left,
    /// Those of the right.
    Right,
    /// All.
    Full,
    /// The left rows that have a partner, without the right columns.
    Semi,
    /// The left rows that have none, without the right columns.
    Anti,
}

/// What a join pairs and what it gives.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinSpec {
    /// Which rows without a partner stay.
    pub kind: JoinKind,
    /// The columns of the left input that it gives, first.
    pub left_out: Vec<Given>,
    /// The columns of the right input that it gives, behind them.
    pub right_out: Vec<Given>,
    /// Columns of the left and the right input that must be equal, of one type; NULL equals nothing.
    pub keys: Vec<(usize, usize)>,
    /// Likewise, but NULL equals NULL.
    pub same: Vec<(usize, usize)>,
    /// A point or a period of the left that must meet one of the right.
    pub period: Option<PeriodColumns>,
}

/// `from <= until AND since < to`, all in the lane of 64-bit integers; NULL matches nothing,
/// where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodColumns {
    /// A column of the left input.
    pub since: usize,
    /// A column of the left input; the same for a point.
    pub until: usize,
    /// A column of the right input.
    pub from: usize,
    /// A column of the right input.
    pub to: usize,
    /// `from <= until`, not `from < until`.
    pub from_included: bool,
    /// `since <= to`, not `since < to`.
    pub to_included: bool,
    /// A `since` that is NULL is before everything.
    pub open_since: bool,
    /// An `until` that is NULL is after everything.
    pub open_until: bool,
    /// A `from` that is NULL is before everything.
    pub open_from: bool,
    /// A `to` that is NULL is after everything.
    pub open_to: bool,
}

impl JoinSpec {
    fn left_keys(&self, batch: &Batch) -> Vec<Column> {
        self.keys.iter().chain(&self.same).map(|(left, _)| batch.column(*left)).collect()
    }

    fn right_keys(&self, batch: &Batch) -> Vec<Column> {
        self.keys.iter().chain(&self.same).map(|(_, right)| batch.column(*right)).collect()
    }

    fn has_keys(&self) -> bool {
        !self.keys.is_empty() || !self.same.is_empty()
    }

    /// Numbers for keys as they are equal here.
    fn groups(&self) -> Groups {
        let keys = self.keys.iter().map(|_| Nulls::Nothing);
        Groups::of_each(keys.chain(self.same.iter().map(|_| Nulls::Equal)).collect())
    }
}

impl JoinKind {
    fn keeps_left(self) -> bool {
        matches!(self, JoinKind::Left | JoinKind::Full)
    }

    /// Does it only ask whether there is a partner?
    fn only_asks(self) -> bool {
        matches!(self, JoinKind::Semi | JoinKind::Anti)
    }

    fn keeps_right(self) -> bool {
        matches!(self, JoinKind::Right | JoinKind::Full)
    }
}

/// A left side of no more rows than this is short. The tests' inputs lie on both sides of it.
const SHORT_ROWS_MAX: usize = if cfg!(test) { 8 } else { 65_536 };

/// So many rows are looked at before the budget is asked again.
const WALKED_MAX: usize = 1 << 16;

/// Pairs of rows of two inputs.
pub struct HashJoin {
    left: BoxSource,
    /// Batches of the left that were read before the right.
    ahead: VecDeque<Batch>,
    right: BoxSource,
    /// Was the right read? When the first pair is asked for.
    is_built: bool,
    spec: JoinSpec,
    residual: Option<BoxEval>,
    tuning: Tuning,
    built: Built,
    probe: Option<Probe>,
    left_ended: bool,
    /// What the residual met of the pair that is next.
    fault: Option<ExecError>,
    /// The next right row to be looked at for one without a partner.
    right_row: usize,
}

/// A batch of the left being probed.
struct Probe {
    columns: Vec<Column>,
    groups: Option<Vec<u32>>,
    /// `since` and `until` of each row.
    points: Option<(Column, Column)>,
    len: usize,
    /// The row whose partners are next, and which of its candidates.
    row: usize,
    candidate: usize,
    /// The right rows whose period meets that of `row`, once they have been looked up.
    in_period: Option<Vec<u32>>,
    /// Has `row` found a partner in an earlier batch of pairs?
    row_matched: bool,
    /// What the residual met of a pair of `row`.
    fault: Option<ExecError>,
}

impl HashJoin {
    /// The pairs of two inputs. The residual is asked about batches of pairs (the left columns given, then the right ones)
    /// and gives one BOOLEAN column for all of their rows.
    pub fn new(
        left: BoxSource,
        right: BoxSource,
        spec: JoinSpec,
        residual: Option<BoxEval>,
        tuning: Tuning,
    ) -> HashJoin {
        HashJoin {
            left,
            ahead: VecDeque::new(),
            right,
            is_built: false,
            spec,
            residual,
            built: Built::nothing(&tuning.budget),
            tuning,
            probe: None,
            left_ended: false,
            fault: None,
            right_row: 0,
        }
    }

    /// Reads the left ahead, and gives its keys if it is short: no other right row can matter.
    fn left_keys(&mut self) -> Result<Option<Groups>, ExecError> {
        // What is built for good must hold all rows.
        if !self.spec.has_keys() || self.spec.kind.keeps_right() || self.right.is_fixed() {
            return Ok(None);
        }
        let mut row_count = 0;
        while row_count <= SHORT_ROWS_MAX {
            let Some(batch) = self.left.next()? else {
                let mut keys = self.spec.groups();
                let (mut numbers, mut firsts) = (Vec::new(), Vec::new());
                for batch in &self.ahead {
                    keys.assign(&self.spec.left_keys(batch), batch.len(), &mut numbers, &mut firsts);
                }
                return Ok(Some(keys));
            };
            row_count += batch.len();
            self.ahead.push_back(batch);
        }
        Ok(None)
    }

    /// Has the right side no row, so that no pair can come of the left?
    fn is_hopeless(&self) -> bool {
        self.built.rows.len() == 0 && !self.spec.kind.keeps_left() && self.spec.kind != JoinKind::Anti
    }
}

impl Source for HashJoin {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        if !self.is_built {
            self.is_built = true;
            let wanted = self.left_keys()?;
            self.built = Built::read(self.right.as_mut(), &self.spec, wanted, &self.tuning.budget)?;
        }
        while !self.left_ended && !self.is_hopeless() {
            self.tuning.budget.check()?;
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            let mut probe = match self.probe.take() {
                Some(probe) => probe,
                None => match self.ahead.pop_front().map_or_else(|| self.left.next(), |batch| Ok(Some(batch)))? {
                    Some(batch) => Probe::new(batch, &self.spec, &mut self.built.groups),
                    None => {
                        self.left_ended = true;
                        break;
                    }
                },
            };
            if self.spec.kind.only_asks() {
                let found = probe.asked(&self.spec, &mut self.built, self.residual.as_mut(), &self.tuning)?;
                self.fault = probe.fault.take();
                if found.is_some() {
                    return Ok(found);
                }
                continue;
            }
            let pairs = probe.pairs(&self.spec, &mut self.built, self.residual.as_mut(), &self.tuning)?;
            self.fault = probe.fault.take();
            if probe.row < probe.len {
                self.probe = Some(probe);
            }
            if pairs.is_some() {
                return Ok(pairs);
            }
        }
        Ok(if self.spec.kind.keeps_right() { self.lonely_right() } else { None })
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.left.rewind()?;
        self.ahead.clear();
        (self.probe, self.left_ended, self.fault, self.right_row) = (None, false, None, 0);
        if self.right.is_fixed() && self.is_built {
            self.built.matched.fill(false);
            return Ok(());
        }
        self.is_built = false;
        self.right.rewind()
    }

    fn fails_next(&self) -> bool {
        let asks_left = self.is_built && self.probe.is_none() && self.ahead.is_empty() && !self.left_ended;
        self.fault.is_some() || asks_left && !self.is_hopeless() && self.left.fails_next()
    }
}

impl HashJoin {
    /// The next right rows that found no partner.
    fn lonely_right(&mut self) -> Option<Batch> {
        let mut rows = Vec::new();
        while self.right_row < self.built.matched.len() && rows.len() < self.tuning.batch_rows {
            if !self.built.matched[self.right_row] {
                rows.push(self.right_row as u32);
            }
            self.right_row += 1;
        }
        if rows.is_empty() {
            return None;
        }
        let left = self.spec.left_out.iter().map(|given| Column::constant(given.ty, Value::Null, rows.len()));
        let right = self.built.rows.take(0..self.spec.right_out.len(), &rows);
        Some(Batch::new(left.chain(right).collect(), rows.len()))
    }
}

/// The places of the numbers that are wanted, in order: a loop without branches, because what a row has is anybody's guess.
fn known(numbers: &[u32], is_wanted: impl Fn(u32) -> bool) -> Vec<u32> {
    let mut rows = vec![0; numbers.len()];
    let mut len = 0;
    for (row, number) in numbers.iter().enumerate() {
        rows[len] = row as u32;
        len += usize::from(is_wanted(*number));
    }
    rows.truncate(len);
    rows
}

impl Probe {
    fn new(batch: Batch, spec: &JoinSpec, groups: &mut Groups) -> Probe {
        let len = batch.len();
        let numbers = (spec.has_keys()).then(|| {
            let mut numbers = Vec::with_capacity(len);
            groups.find(&spec.left_keys(&batch), len, &mut numbers);
            numbers
        });
        let points = spec.period.map(|period| {
            let since = batch.column(period.since).to_plain();
            let until =
                if period.since == period.until { since.clone() } else { batch.column(period.until).to_plain() };
            (since, until)
        });
        let columns = spec.left_out.iter().map(|given| batch.column(given.column_idx)).collect();
        Probe {
            columns,
            groups: numbers,
            points,
            len,
            row: 0,
            candidate: 0,
            in_period: None,
            row_matched: false,
            fault: None,
        }
    }

    /// The rows of the batch that have a partner, or of an anti join those that have none.
    fn asked(
        &mut self,
        spec: &JoinSpec,
        built: &mut Built,
        mut residual: Option<&mut BoxEval>,
        tuning: &Tuning,
    ) -> Result<Option<Batch>, ExecError> {
        let wanted = spec.kind == JoinKind::Semi;
        if let (None, None, Some(groups)) = (&residual, &built.periods, &self.groups) {
            // Who has a group has a partner.
            let rows = known(groups, |group| (group != NO_GROUP) == wanted);
            self.row = self.len;
            return Ok(self.asked_for(rows));
        }
        let mut has_partner = vec![false; self.len];
        match &mut residual {
            None => {
                for (row, has_partner) in has_partner.iter_mut().enumerate() {
                    let group = self.groups.as_ref().map_or(0, |groups| groups[row]);
                    *has_partner = match (&built.periods, &self.points) {
                        (Some(periods), Some(points)) => built.meets_any(periods, group, points, row),
                        _ => !built.files(group).is_empty(),
                    };
                }
            }
            Some(residual) => {
                let inner = JoinSpec { kind: JoinKind::Inner, ..spec.clone() };
                while self.row < self.len {
                    // A row that has its partner needs no other.
                    if has_partner[self.row] {
                        (self.row, self.candidate, self.in_period) = (self.row + 1, 0, None);
                        continue;
                    }
                    // A row may have as many candidates as the other side has rows.
                    tuning.budget.check()?;
                    let found = self.found(&inner, built, Some(residual), tuning)?;
                    found.into_iter().for_each(|row| has_partner[row as usize] = true);
                    // A pair that fails is nothing to a row that has its partner before it.
                    self.fault = self.fault.take().filter(|_| !has_partner[self.row]);
                    if self.fault.is_some() {
                        has_partner.truncate(self.row);
                        break;
                    }
                }
            }
        }
        let rows: Vec<u32> =
            (0u32..).zip(&has_partner).filter(|(_, has)| **has == wanted).map(|(row, _)| row).collect();
        self.row = self.len;
        Ok(self.asked_for(rows))
    }

    /// These rows of the batch.
    fn asked_for(&self, rows: Vec<u32>) -> Option<Batch> {
        let batch = || Batch::new(self.columns.clone(), self.len);
        match rows.len() {
            0 => None,
            len if len == self.len => Some(batch()),
            _ => Some(batch().select(rows)),
        }
    }

    /// The next candidates, at most `pair_count_max` of them, that the residual lets through; moves on to the first row that is
    /// not done.
    fn candidates(
        &mut self,
        spec: &JoinSpec,
        built: &mut Built,
        residual: Option<&mut BoxEval>,
        tuning: &Tuning,
    ) -> Result<(Vec<u32>, Vec<u32>), ExecError> {
        let pair_count_max = tuning.batch_rows;
        let first_row = self.row;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let mut walked = 0;
        let has_room = |pair_count: usize, row: usize| {
            // A row without a partner may become a pair as well, so rows count, too.
            let lonely_count = if spec.kind.keeps_left() { row - first_row } else { 0 };
            pair_count + lonely_count < pair_count_max
        };
        if self.may_look_up(built, pair_count_max) {
            let rows = self.rows_looked_up(built);
            left = known(&rows, |row| row != NO_ROW);
            right = if left.len() == rows.len() { rows } else { left.iter().map(|row| rows[*row as usize]).collect() };
        }
        while self.row < self.len && has_room(left.len(), self.row) {
            if walked > WALKED_MAX {
                tuning.budget.check()?;
                walked = 0;
            }
            let group = self.groups.as_ref().map_or(0, |groups| groups[self.row]);
            let room = pair_count_max - left.len();
            let done = match (&built.periods, &self.points) {
                (Some(periods), Some(points)) => {
                    let (row, in_period) = (self.row, &mut self.in_period);
                    let rows = in_period.get_or_insert_with(|| built.meeting(periods, group, points, row, &mut walked));
                    let rest = &rows[self.candidate..];
                    let taken = &rest[..rest.len().min(room)];
                    right.extend_from_slice(taken);
                    self.candidate += taken.len();
                    taken.len() == rest.len()
                }
                _ => {
                    let files = built.files(group);
                    let rest = &built.filed[files][self.candidate..];
                    let taken = &rest[..rest.len().min(room)];
                    right.extend_from_slice(taken);
                    self.candidate += taken.len();
                    taken.len() == rest.len()
                }
            };
            left.resize(right.len(), self.row as u32);
            if done {
                self.row += 1;
                self.candidate = 0;
                self.in_period = None;
                self.row_matched = false;
            }
        }
        if let Some(residual) = residual
            && !left.is_empty()
        {
            let pairs = self.give(spec, built, &left, &right);
            let (verdict, fault) = up_to_fault(residual.as_mut(), &pairs)?;
            if let Some((pair, fault)) = fault {
                // The pairs before it come first; nothing is known of its row.
                (self.row, self.fault) = (left[pair] as usize, Some(fault));
                left.truncate(pair);
                right.truncate(pair);
            }
            let kept = logic::true_rows(&verdict.column(0));
            if kept.len() < left.len() {
                left = kept.iter().map(|pair| left[*pair as usize]).collect();
                right = kept.iter().map(|pair| right[*pair as usize]).collect();
            }
        }
        Ok((left, right))
    }

    /// Has each row of the batch one candidate at most, and is there room for all of them?
    fn may_look_up(&self, built: &Built, pair_count_max: usize) -> bool {
        built.is_unique && self.groups.is_some() && self.row == 0 && self.len <= pair_count_max
    }

    /// For each row of the batch its one candidate or [`NO_ROW`]; then the batch is done.
    fn rows_looked_up(&mut self, built: &Built) -> Vec<u32> {
        self.row = self.len;
        let mut groups = self.groups.take().expect("a look-up has keys");
        // Every group has its one row, so groups are numbered as rows are filed.
        if !built.is_filed_as_read {
            let row_of = |group: u32| if group == NO_GROUP { NO_ROW } else { built.filed[group as usize] };
            groups.iter_mut().for_each(|group| *group = row_of(*group));
        }
        groups
    }

    /// The pairs of a batch whose rows have one partner at most.
    fn looked_up(&mut self, spec: &JoinSpec, built: &mut Built) -> Option<Batch> {
        let rows = self.rows_looked_up(built);
        if rows.is_empty() {
            return None;
        }
        if spec.kind.keeps_right() {
            rows.iter().filter(|row| **row != NO_ROW).for_each(|row| built.matched[*row as usize] = true);
        }
        let give = |columns: Vec<Column>, rows: &[u32]| {
            let right = built.rows.take_or_null(0..spec.right_out.len(), rows);
            Batch::new(columns.into_iter().chain(right).collect(), rows.len())
        };
        if spec.kind.keeps_left() || !rows.contains(&NO_ROW) {
            return Some(give(std::mem::take(&mut self.columns), &rows));
        }
        let left = known(&rows, |row| row != NO_ROW);
        let right: Vec<u32> = left.iter().map(|row| rows[*row as usize]).collect();
        let columns = self.columns.iter().map(|column| column.take(&left)).collect();
        (!left.is_empty()).then(|| give(columns, &right))
    }

    /// The left rows of the next candidates that are pairs.
    fn found(
        &mut self,
        spec: &JoinSpec,
        built: &mut Built,
        residual: Option<&mut BoxEval>,
        tuning: &Tuning,
    ) -> Result<Vec<u32>, ExecError> {
        self.candidates(spec, built, residual, tuning).map(|(left, _)| left)
    }

    /// The next pairs, at most `pair_count_max` candidates of them; moves on to the first row that is not done.
    fn pairs(
        &mut self,
        spec: &JoinSpec,
        built: &mut Built,
        residual: Option<&mut BoxEval>,
        tuning: &Tuning,
    ) -> Result<Option<Batch>, ExecError> {
        if residual.is_none() && self.may_look_up(built, tuning.batch_rows) {
            return Ok(self.looked_up(spec, built));
        }
        let first_row = self.row;
        let first_matched = self.row_matched;
        let (mut left, mut right) = self.candidates(spec, built, residual, tuning)?;
        if spec.kind.keeps_right() {
            right.iter().for_each(|row| built.matched[*row as usize] = true);
        }
        if spec.kind.keeps_left() {
            self.add_lonely(first_row, first_matched, &mut left, &mut right);
        }
        Ok((!left.is_empty()).then(|| self.give(spec, built, &left, &right)))
    }

    /// Puts rows that are done and have no partner in their places among the pairs.
    fn add_lonely(&mut self, first_row: usize, first_matched: bool, left: &mut Vec<u32>, right: &mut Vec<u32>) {
        let (pairs_left, pairs_right) = (std::mem::take(left), std::mem::take(right));
        let mut pair = 0;
        for row in first_row..self.row {
            let begin = pair;
            while pairs_left.get(pair) == Some(&(row as u32)) {
                left.push(row as u32);
                right.push(pairs_right[pair]);
                pair += 1;
            }
            if begin == pair && !(row == first_row && first_matched) {
                left.push(row as u32);
                right.push(NO_ROW);
            }
        }
        // What is left belongs to the row that is not done.
        if pair < pairs_left.len() {
            self.row_matched = true;
        } else if self.row == first_row {
            self.row_matched = first_matched;
        }
        left.extend_from_slice(&pairs_left[pair..]);
        right.extend_from_slice(&pairs_right[pair..]);
    }

    fn give(&self, spec: &JoinSpec, built: &Built, left: &[u32], right: &[u32]) -> Batch {
        // Where each row has one partner (a look-up of a key), the left columns are shared.
        let is_whole = left.len() == self.len && left.iter().enumerate().all(|(i, row)| i == *row as usize);
        let mut columns: Vec<Column> = match is_whole {
            true => self.columns.clone(),
            false => self.columns.iter().map(|column| column.take(left)).collect(),
        };
        columns.extend(built.rows.take_or_null(0..spec.right_out.len(), right));
        Batch::new(columns, left.len())
    }
}

#[cfg(test)]
mod tests;
