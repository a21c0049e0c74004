//! What does a row see of the rows around it?
//!
//! All rows are held. For each partition and order that calls name, the rows' numbers are sorted once; then partitions, and
//! within them peers (rows equal in the order), are runs of neighbours, and each call fills its column by walking them. Rows
//! are given in the order they came, with the calls' columns behind.
//!
//! An aggregate over a frame that only grows is folded on as the frame grows; over any other frame many rows' frames are
//! folded at once, each as a group of its own.
//!
//! Not here: computing arguments and keys (`Eval` stages beneath), which rows a frame holds (`window_frame`).

use super::{
    BoxSource, Budget, ExecError, Given, Held, Place, SortColumn, Source, Tuning, WindowNumber,
    rows::{Rows, RowsBuilder},
    sort::arranged,
    window_frame::{Frame, FrameBound, FrameExclude, Frames, Stretches},
};
use spectradb_kernel::{
    Batch, Column, Type, Value,
    agg::{Accumulator, Aggregate},
    column::ColumnBuilder,
    key::SortOrder,
    ty::TypeClass,
};
use std::ops::Range;

/// Window functions over one input.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSpec {
    /// The columns of the input that it gives, first.
    pub out: Vec<Given>,
    /// Each gives a column, behind them.
    pub calls: Vec<WindowCallSpec>,
}

/// One window function.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowCallSpec {
    /// Which.
    pub function: WindowFunction,
    /// Columns that make a partition; NULLs are equal.
    pub partition: Vec<Given>,
    /// The order within the partition.
    pub order: Vec<SortColumn>,
    /// The rows that aggregates and functions of values see.
    pub frame: Frame,
    /// The result's type.
    pub ty: Type,
    /// Where it stands.
    pub place: Place,
}

/// The window functions, with columns of the input as arguments.
#[derive(Clone, Debug, PartialEq)]
pub enum WindowFunction {
    /// `row_number()`
    RowNumber,
    /// `rank()`
    Rank,
    /// `dense_rank()`
    DenseRank,
    /// `lag` and `lead`: the value so many rows away; the default, or NULL, outside the partition; NULL where the offset is.
    Shift {
        /// What.
        value: Given,
        /// How many rows; an INTEGER.
        offset: Given,
        /// The value outside the partition.
        default: Option<Given>,
        /// `lead`?
        forward: bool,
    },
    /// An aggregate over the frame.
    Aggregate {
        /// Which.
        aggregate: &'static Aggregate,
        /// The column that is its argument; none for `count(*)`.
        arg: Option<Given>,
        /// Its further arguments.
        more: Vec<Given>,
    },
    /// `ntile(count)`
    Ntile(Given),
    /// `percent_rank()`
    PercentRank,
    /// `cume_dist()`
    CumeDist,
    /// `first_value(value)`
    FirstValue(Given),
    /// `last_value(value)`
    LastValue(Given),
    /// `nth_value(value, n)`
    NthValue {
        /// What.
        value: Given,
        /// Which row of the frame, from 1.
        n: Given,
    },
}

/// The input's rows with what window functions say of them.
pub struct Window {
    input: BoxSource,
    is_read: bool,
    spec: WindowSpec,
    tuning: Tuning,
    result: Option<(Rows, Vec<Column>)>,
    given: usize,
}

/// The rows of an input sorted by partition and order.
struct Arrangement {
    partition: Vec<Given>,
    order: Vec<SortColumn>,
    /// The rows' numbers.
    rows: Vec<u32>,
    /// Runs of `rows`: the partitions, each with its peers.
    partitions: Vec<Vec<Range<usize>>>,
}

impl Window {
    /// The window functions of an input.
    pub fn new(input: BoxSource, spec: WindowSpec, tuning: Tuning) -> Window {
        Window { input, is_read: false, spec, tuning, result: None, given: 0 }
    }

    fn read(&mut self) -> Result<(), ExecError> {
        // Every column of the input that anybody names is held once.
        let mut held = self.spec.out.clone();
        for call in &self.spec.calls {
            held.extend(&call.partition);
            held.extend(call.order.iter().map(|key| key.column));
            match &call.function {
                WindowFunction::RowNumber
                | WindowFunction::Rank
                | WindowFunction::DenseRank
                | WindowFunction::PercentRank
                | WindowFunction::CumeDist => {}
                WindowFunction::Ntile(value) | WindowFunction::FirstValue(value) | WindowFunction::LastValue(value) => {
                    held.push(*value)
                }
                WindowFunction::NthValue { value, n } => held.extend([value, n]),
                WindowFunction::Shift { value, offset, default, forward: _ } => {
                    held.extend([value, offset].into_iter().chain(default));
                }
                WindowFunction::Aggregate { aggregate: _, arg, more } => held.extend(arg.iter().chain(more)),
            }
            held.extend(call.frame.given());
        }
        let mut builder = RowsBuilder::new(held.clone(), &self.tuning.budget);
        while let Some(batch) = self.input.next()? {
            builder.push(&batch)?;
        }
        let mut rows = builder.finish();
        // An order with its peers and a column of results for each call, at least.
        rows.hold_beside(16 * self.spec.calls.len())?;
        let column_of = |given: &Given| {
            let idx = held.iter().position(|held| held == given).expect("every named column is held");
            rows.whole_column(idx)
        };
        let mut arrangements: Vec<Arrangement> = Vec::new();
        let mut columns = Vec::new();
        for call in &self.spec.calls {
            self.tuning.budget.check()?;
            let known = arrangements.iter().position(|it| it.partition == call.partition && it.order == call.order);
            let known = known.unwrap_or_else(|| {
                arrangements.push(Arrangement::new(&call.partition, &call.order, &column_of, rows.len()));
                arrangements.len() - 1
            });
            columns.push(call.run(&arrangements[known], &column_of, rows.len(), &self.tuning.budget)?);
        }
        self.result = Some((rows, columns));
        Ok(())
    }
}

impl Source for Window {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        if !self.is_read {
            self.is_read = true;
            self.read()?;
        }
        let Some((rows, columns)) = &self.result else { return Ok(None) };
        let range = self.given..rows.len().min(self.given + self.tuning.batch_rows);
        if range.is_empty() {
            self.result = None;
            return Ok(None);
        }
        self.given = range.end;
        let numbers: Vec<u32> = range.clone().map(|row| row as u32).collect();
        let mut given = rows.take(0..self.spec.out.len(), &numbers);
        given.extend(columns.iter().map(|column| column.slice(range.clone())));
        Ok(Some(Batch::new(given, range.len())))
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        (self.is_read, self.result, self.given) = (false, None, 0);
        self.input.rewind()
    }
}

impl Arrangement {
    fn new(partition: &[Given], order: &[SortColumn], column_of: &dyn Fn(&Given) -> Column, len: usize) -> Arrangement {
        let partition_columns: Vec<Column> = partition.iter().map(column_of).collect();
        let partition_orders = vec![SortOrder::ASCENDING; partition.len()];
        let order_columns: Vec<Column> = order.iter().map(|key| column_of(&key.column)).collect();
        let orders: Vec<SortOrder> = order.iter().map(|key| key.order).collect();
        let all: Vec<Column> = partition_columns.iter().chain(&order_columns).cloned().collect();
        let all_orders: Vec<SortOrder> = partition_orders.iter().chain(&orders).copied().collect();
        let sorted = arranged(&all, &all_orders, partition.len(), len);
        let mut partitions: Vec<Vec<Range<usize>>> = Vec::new();
        for at in 0..len {
            match partitions.last_mut() {
                Some(peers) if !sorted.differs_in_some[at] => {
                    // Without an order all rows of a partition are peers.
                    match peers.last_mut() {
                        Some(last) if !sorted.differs[at] => last.end = at + 1,
                        _ => peers.push(at..at + 1),
                    }
                }
                _ => partitions.push(std::iter::once(at..at + 1).collect()),
            }
        }
        let rows = sorted.rows;
        Arrangement { partition: partition.to_vec(), order: order.to_vec(), rows, partitions }
    }

    /// Numbers for each row, given for sorted positions.
    fn numbers(&self, len: usize, mut fill: impl FnMut(&[Range<usize>], &mut dyn FnMut(usize, i64))) -> Column {
        let mut numbers = vec![0; len];
        for partition in &self.partitions {
            fill(partition, &mut |at, number| numbers[self.rows[at] as usize] = number);
        }
        Column::from_i64s(Type::Integer, numbers)
    }
}

impl WindowCallSpec {
    /// The call's column, in the order the rows came.
    fn run(
        &self,
        arranged: &Arrangement,
        column_of: &dyn Fn(&Given) -> Column,
        len: usize,
        budget: &Budget,
    ) -> Result<Column, ExecError> {
        let column = match &self.function {
            WindowFunction::RowNumber => arranged.numbers(len, |peers, set| {
                let (begin, end) = bounds(peers);
                (begin..end).for_each(|at| set(at, (at - begin) as i64 + 1));
            }),
            WindowFunction::Rank => arranged.numbers(len, |peers, set| {
                let (begin, _) = bounds(peers);
                for run in peers {
                    run.clone().for_each(|at| set(at, (run.start - begin) as i64 + 1));
                }
            }),
            WindowFunction::DenseRank => arranged.numbers(len, |peers, set| {
                for (i, run) in peers.iter().enumerate() {
                    run.clone().for_each(|at| set(at, i as i64 + 1));
                }
            }),
            WindowFunction::Shift { value, offset, default, forward } => {
                let default = default.as_ref().map(column_of);
                shift(arranged, &column_of(value), &column_of(offset), default.as_ref(), *forward)
            }
            WindowFunction::PercentRank => reals(arranged, len, |peers, set| {
                let (begin, end) = bounds(peers);
                let others = (end - begin).saturating_sub(1).max(1) as f64;
                for run in peers {
                    run.clone().for_each(|at| set(at, (run.start - begin) as f64 / others));
                }
            }),
            WindowFunction::CumeDist => reals(arranged, len, |peers, set| {
                let (begin, end) = bounds(peers);
                for run in peers {
                    run.clone().for_each(|at| set(at, (run.end - begin) as f64 / (end - begin) as f64));
                }
            }),
            WindowFunction::Ntile(count) => self.ntile(arranged, &column_of(count), len)?,
            WindowFunction::FirstValue(value) => {
                self.picked(arranged, column_of, (&column_of(value), budget), |_, stretches| Ok(stretches.first()))?
            }
            WindowFunction::LastValue(value) => {
                self.picked(arranged, column_of, (&column_of(value), budget), |_, stretches| Ok(stretches.last()))?
            }
            WindowFunction::NthValue { value, n } => {
                let n = column_of(n);
                let numbers = n.i64s();
                self.picked(arranged, column_of, (&column_of(value), budget), |row, stretches| {
                    if n.is_null(row) {
                        return Ok(None);
                    }
                    match usize::try_from(numbers.at(row)) {
                        Ok(nth @ 1..) => Ok(stretches.positions().nth(nth - 1)),
                        Ok(0) | Err(_) => {
                            Err(ExecError::WindowNumber { of: WindowNumber::NthValue, place: self.place })
                        }
                    }
                })?
            }
            WindowFunction::Aggregate { aggregate, arg, more } => {
                let ty = arg.map_or(Type::Integer, |arg| arg.ty);
                let args: Vec<Column> = arg.iter().chain(more).map(column_of).collect();
                let mut folding = Folding { call: self, aggregate, ty, args: &args, budget, held: budget.hold() };
                folding.run(arranged, column_of, len)?
            }
        };
        Ok(column.with_ty(self.ty))
    }

    fn ntile(&self, arranged: &Arrangement, count: &Column, len: usize) -> Result<Column, ExecError> {
        let mut numbers: Vec<Option<i64>> = vec![None; len];
        for peers in &arranged.partitions {
            let (begin, end) = bounds(peers);
            let first = arranged.rows[begin] as usize;
            if count.is_null(first) {
                continue;
            }
            let parts = count.i64s().at(first);
            if parts <= 0 {
                return Err(ExecError::WindowNumber { of: WindowNumber::Ntile, place: self.place });
            }
            // The first parts have one row more where the rows do not divide.
            let total = (end - begin) as i64;
            let (size, longer) = (total / parts, total % parts);
            for at in begin..end {
                let position = (at - begin) as i64;
                let in_longer = longer * (size + 1);
                let part = if position < in_longer {
                    position / (size + 1)
                } else {
                    longer + (position - in_longer) / size.max(1)
                };
                numbers[arranged.rows[at] as usize] = Some(part + 1);
            }
        }
        let mut builder = ColumnBuilder::new(Type::Integer);
        numbers.into_iter().for_each(|number| builder.push(&Value::from(number)));
        Ok(builder.finish())
    }

    /// For each row the value of a position of its frame.
    fn picked(
        &self,
        arranged: &Arrangement,
        column_of: &dyn Fn(&Given) -> Column,
        (value, budget): (&Column, &Budget),
        pick: impl Fn(usize, &Stretches) -> Result<Option<usize>, ExecError>,
    ) -> Result<Column, ExecError> {
        let frames = Frames::new(&self.frame, &arranged.rows, &arranged.order, column_of, self.place)?;
        let mut sources: Vec<Option<u32>> = vec![None; value.len()];
        let mut asked = Asked::default();
        for peers in &arranged.partitions {
            for (run, positions) in peers.iter().enumerate() {
                for at in positions.clone() {
                    asked.check(budget)?;
                    let row = arranged.rows[at] as usize;
                    let picked = pick(row, &frames.stretches(peers, run, at))?;
                    sources[row] = picked.map(|position| arranged.rows[position]);
                }
            }
        }
        Ok(value.take_or_null(&sources))
    }
}

/// Reals for each row, given for sorted positions.
fn reals(
    arranged: &Arrangement,
    len: usize,
    mut fill: impl FnMut(&[Range<usize>], &mut dyn FnMut(usize, f64)),
) -> Column {
    let mut numbers = vec![0.0; len];
    for partition in &arranged.partitions {
        fill(partition, &mut |at, number| numbers[arranged.rows[at] as usize] = number);
    }
    Column::from_f64s(numbers)
}

/// Frames are folded together up to so many of their rows.
const FOLDED_ROWS: usize = 65_536;

/// An aggregate over frames.
struct Folding<'a> {
    call: &'a WindowCallSpec,
    aggregate: &'static Aggregate,
    ty: Type,
    args: &'a [Column],
    budget: &'a Budget,
    /// The results and the states that they come from.
    held: Held,
}

/// Asks now and then, where rows are many and each costs little, whether the statement may go on.
#[derive(Default)]
struct Asked(usize);

impl Asked {
    fn check(&mut self, budget: &Budget) -> Result<(), ExecError> {
        self.0 += 1;
        if self.0.is_multiple_of(ASKED_ROWS) { budget.check() } else { Ok(()) }
    }
}

/// After so many rows.
const ASKED_ROWS: usize = 256;

impl Folding<'_> {
    fn run(
        &mut self,
        arranged: &Arrangement,
        column_of: &dyn Fn(&Given) -> Column,
        len: usize,
    ) -> Result<Column, ExecError> {
        let frame = &self.call.frame;
        let frames = Frames::new(frame, &arranged.rows, &arranged.order, column_of, self.call.place)?;
        let sorted: Vec<Column> = self.args.iter().map(|arg| arg.take(&arranged.rows)).collect();
        let mut results = Vec::new();
        // The result that each row reads, of all results laid end to end.
        let mut result_of = vec![0u32; len];
        let is_whole = frame.exclude == FrameExclude::NoOthers;
        if is_whole && frame.start == FrameBound::UnboundedPreceding {
            self.growing(arranged, &frames, &sorted, false, &mut results, &mut result_of)?;
        } else if is_whole && frame.end == FrameBound::UnboundedFollowing && self.is_unordered() {
            self.growing(arranged, &frames, &sorted, true, &mut results, &mut result_of)?;
        } else if is_whole && let Some(found) = self.sliding(arranged, &frames, &sorted, &mut result_of)? {
            results = found;
        } else {
            self.apart(arranged, &frames, &sorted, &mut results, &mut result_of)?;
        }
        Ok(Column::concat(self.call.ty, &results).take(&result_of))
    }

    /// Is the result the same in whatever order rows are folded?
    fn is_unordered(&self) -> bool {
        let exact = matches!(self.aggregate.arg, Some(TypeClass::Integer | TypeClass::Numeric));
        match self.aggregate.name {
            "count" | "min" | "max" | "bool_and" | "bool_or" | "every" => true,
            "sum" | "avg" => exact,
            _ => false,
        }
    }

    fn accumulator(&self, group_count: usize) -> Box<dyn Accumulator> {
        let mut accumulator = (self.aggregate.accumulator)(self.ty);
        accumulator.resize(group_count);
        accumulator
    }

    fn fold(&self, accumulator: &mut dyn Accumulator, groups: &[u32], args: &[Column]) -> Result<(), ExecError> {
        let folded = match args {
            [] => accumulator.update(groups, None),
            [only] => accumulator.update(groups, Some(only)),
            several => accumulator.update_more(groups, several),
        };
        folded.map_err(|fault| ExecError::row(fault, self.call.place))
    }

    fn finish(&self, accumulator: &mut dyn Accumulator) -> Result<Column, ExecError> {
        let column = accumulator.finish().map_err(|fault| ExecError::row(fault, self.call.place))?;
        Ok(column.with_ty(self.call.ty))
    }

    /// Frames of which one bound stands still: each holds the rows of the one before and more.
    fn growing(
        &mut self,
        arranged: &Arrangement,
        frames: &Frames<'_>,
        sorted: &[Column],
        backwards: bool,
        results: &mut Vec<Column>,
        result_of: &mut [u32],
    ) -> Result<(), ExecError> {
        let mut asked = Asked::default();
        for peers in &arranged.partitions {
            let (begin, end) = bounds(peers);
            let mut accumulator = self.accumulator(1);
            let mut held = if backwards { end..end } else { begin..begin };
            let mut is_new = true;
            let mut runs: Vec<(usize, usize)> = peers
                .iter()
                .enumerate()
                .flat_map(|(run, positions)| positions.clone().map(move |at| (run, at)))
                .collect();
            if backwards {
                runs.reverse();
            }
            for (run, at) in runs {
                asked.check(self.budget)?;
                let wanted = frames.bounds(peers, run, at);
                let more = if backwards {
                    wanted.start.min(held.start)..held.start
                } else {
                    held.end..wanted.end.max(held.end)
                };
                if !more.is_empty() {
                    let args: Vec<Column> = sorted.iter().map(|arg| arg.slice(more.clone())).collect();
                    match args.as_slice() {
                        [] | [_] => {
                            let folded = accumulator.update_all(more.len(), args.first());
                            folded.map_err(|fault| ExecError::row(fault, self.call.place))?;
                        }
                        several => self.fold(accumulator.as_mut(), &vec![0; more.len()], several)?,
                    }
                    held = if backwards { more.start..held.end } else { held.start..more.end };
                    is_new = true;
                }
                if is_new {
                    let result = self.finish(accumulator.as_mut())?;
                    if self.held.counts() && accumulator.grown_bytes() > 0 {
                        self.held.add(result.memory_bytes())?;
                    }
                    results.push(result);
                    is_new = false;
                }
                result_of[arranged.rows[at] as usize] = results.len() as u32 - 1;
            }
        }
        Ok(())
    }

    /// Any frames: many of them are folded at once, each a group.
    fn apart(
        &mut self,
        arranged: &Arrangement,
        frames: &Frames<'_>,
        sorted: &[Column],
        results: &mut Vec<Column>,
        result_of: &mut [u32],
    ) -> Result<(), ExecError> {
        let (mut positions, mut groups): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
        let (mut group_count, mut done) = (0usize, 0usize);
        let mut flush = |positions: &mut Vec<u32>, groups: &mut Vec<u32>, group_count: &mut usize| {
            let args: Vec<Column> = sorted.iter().map(|arg| arg.take(positions)).collect();
            self.budget.check()?;
            let mut accumulator = self.accumulator(*group_count);
            self.fold(accumulator.as_mut(), groups, &args)?;
            let result = self.finish(accumulator.as_mut())?;
            if self.held.counts() && accumulator.grown_bytes() > 0 {
                self.held.add(result.memory_bytes())?;
            }
            results.push(result);
            positions.clear();
            groups.clear();
            *group_count = 0;
            Ok::<(), ExecError>(())
        };
        for peers in &arranged.partitions {
            for (run, run_positions) in peers.iter().enumerate() {
                for at in run_positions.clone() {
                    let stretches = frames.stretches(peers, run, at);
                    groups.resize(groups.len() + stretches.len(), group_count as u32);
                    positions.extend(stretches.positions().map(|position| position as u32));
                    result_of[arranged.rows[at] as usize] = done as u32;
                    (group_count, done) = (group_count + 1, done + 1);
                    if positions.len() >= FOLDED_ROWS {
                        flush(&mut positions, &mut groups, &mut group_count)?;
                    }
                }
            }
        }
        if group_count > 0 {
            flush(&mut positions, &mut groups, &mut group_count)?;
        }
        Ok(())
    }
}

/// The sorted positions of a partition.
fn bounds(peers: &[Range<usize>]) -> (usize, usize) {
    let last = peers.last().expect("a partition has peers");
    (peers[0].start, last.end)
}

fn shift(arranged: &Arrangement, value: &Column, offset: &Column, default: Option<&Column>, forward: bool) -> Column {
    /// Where a row's value comes from.
    #[derive(Clone, Copy)]
    enum From {
        Row(u32),
        Default,
        Null,
    }
    let offsets = offset.i64s();
    let mut sources = vec![From::Null; value.len()];
    for peers in &arranged.partitions {
        let (begin, end) = bounds(peers);
        for at in begin..end {
            let row = arranged.rows[at] as usize;
            if offset.is_null(row) {
                continue;
            }
            let by = i128::from(offsets.at(row)) * if forward { 1 } else { -1 };
            let target = at as i128 + by;
            let inside = (begin as i128..end as i128).contains(&target);
            sources[row] = if inside { From::Row(arranged.rows[target as usize]) } else { From::Default };
        }
    }
    let mut builder = ColumnBuilder::new(value.ty());
    for (row, source) in sources.into_iter().enumerate() {
        match (source, default) {
            (From::Row(from), _) => builder.push_from(value, from as usize),
            (From::Default, Some(default)) => builder.push_from(default, row),
            (From::Default, None) | (From::Null, _) => builder.push_null(),
        }
    }
    builder.finish()
}

mod sliding;

#[cfg(test)]
mod tests;
