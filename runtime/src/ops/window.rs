//! What does a row see of the rows around it?
//!
//! All rows are held. For each partition and order that calls name, the rows' numbers are sorted once; then partitions, and
//! within them peers (rows equal in the order), are runs of neighbours, and each call fills its column by walking them. Rows
//! are given in the order they came, with the calls' columns behind.
//!
//! Not here: computing arguments and keys (`Eval` stages beneath), other frames than the default one.

use super::{
    BoxSource, ExecError, Given, Place, SortColumn, Source, Tuning,
    rows::{Rows, RowsBuilder},
    sort::arranged,
};
use spectradb_kernel::{Batch, Column, Type, agg::Aggregate, column::ColumnBuilder, key::SortOrder};
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
    /// An aggregate over the default frame: with an order from the partition's start to the last peer of the row, without
    /// one the whole partition.
    Aggregate {
        /// Which.
        aggregate: &'static Aggregate,
        /// The column that is its argument; none for `count(*)`.
        arg: Option<Given>,
    },
}

/// The input's rows with what window functions say of them.
pub struct Window {
    input: Option<BoxSource>,
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
        Window { input: Some(input), spec, tuning, result: None, given: 0 }
    }

    fn read(&mut self, mut input: BoxSource) -> Result<(), ExecError> {
        // Every column of the input that anybody names is held once.
        let mut held = self.spec.out.clone();
        for call in &self.spec.calls {
            held.extend(&call.partition);
            held.extend(call.order.iter().map(|key| key.column));
            match &call.function {
                WindowFunction::RowNumber | WindowFunction::Rank | WindowFunction::DenseRank => {}
                WindowFunction::Shift { value, offset, default, forward: _ } => {
                    held.extend([value, offset].into_iter().chain(default));
                }
                WindowFunction::Aggregate { aggregate: _, arg } => held.extend(arg),
            }
        }
        let mut builder = RowsBuilder::new(held.clone(), &self.tuning.budget);
        while let Some(batch) = input.next()? {
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
            columns.push(call.run(&arrangements[known], &column_of, rows.len())?);
        }
        self.result = Some((rows, columns));
        Ok(())
    }
}

impl Source for Window {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        if let Some(input) = self.input.take() {
            self.read(input)?;
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
            WindowFunction::Aggregate { aggregate, arg } => {
                let ty = arg.map_or(Type::Integer, |arg| arg.ty);
                self.fold(arranged, aggregate, arg.as_ref().map(column_of).as_ref(), ty, len)?
            }
        };
        Ok(column.with_ty(self.ty))
    }

    /// Folds each partition run by run, and asks for the result after each.
    fn fold(
        &self,
        arranged: &Arrangement,
        aggregate: &Aggregate,
        arg: Option<&Column>,
        ty: Type,
        len: usize,
    ) -> Result<Column, ExecError> {
        let sorted = arg.map(|arg| arg.take(&arranged.rows));
        let mut results = Vec::new();
        // The run of results that each row reads.
        let mut result_of = vec![0u32; len];
        for peers in &arranged.partitions {
            let mut accumulator = (aggregate.accumulator)(ty);
            accumulator.resize(1);
            for run in peers {
                let arg = sorted.as_ref().map(|sorted| sorted.slice(run.clone()));
                let folded = accumulator.update_all(run.len(), arg.as_ref()).and_then(|()| accumulator.finish());
                results.push(folded.map_err(|fault| ExecError::row(fault, self.place))?.with_ty(self.ty));
                for at in run.clone() {
                    result_of[arranged.rows[at] as usize] = results.len() as u32 - 1;
                }
            }
        }
        Ok(Column::concat(self.ty, &results).take(&result_of))
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

#[cfg(test)]
mod tests;
