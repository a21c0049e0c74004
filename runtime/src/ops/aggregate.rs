//! What do the rows of each group fold to?
//!
//! Each batch's rows get their group's number, and every aggregate folds the batch into its accumulator in one call. Without
//! group columns there is one group, whether rows come or not. DISTINCT is done here: an accumulator is fed the first row
//! of each (group, argument) only.
//!
//! Holds: groups come in order of first appearance; rows are folded in the order they come.
//! Not here: how an aggregate folds (`spectradb_kernel::agg`).

use super::{
    BoxSource, Budget, ExecError, Given, Held, Place, SortColumn, Source, Tuning,
    groups::{Groups, Nulls},
    rows::RowsBuilder,
    sort::sorted_rows,
};
use spectradb_kernel::{
    Batch, Column, Type, Value,
    agg::{Accumulator, Aggregate},
    column::ColumnBuilder,
    key::SortOrder,
};

/// What makes a group and what is folded.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateSpec {
    /// Columns that make a group, NULLs being equal; without one there is always one row. They are given first.
    pub group: Vec<Given>,
    /// What is folded; given behind the group's columns.
    pub calls: Vec<AggregateCallSpec>,
}

/// One aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateCallSpec {
    /// Which.
    pub aggregate: &'static Aggregate,
    /// The column that is its argument; none for `count(*)`.
    pub arg: Option<Given>,
    /// Its further arguments.
    pub more: Vec<Given>,
    /// Of distinct values only?
    pub distinct: bool,
    /// The order in which rows are folded; as they come where there is none.
    pub order: Vec<SortColumn>,
    /// The result's type.
    pub ty: Type,
    /// Where it stands.
    pub place: Place,
}

/// About what a group's key takes beside its number, for each column.
const KEY_BYTES: usize = 16;

/// About what an accumulator takes for each group.
const STATE_BYTES: usize = 24;

/// One row for each group.
pub struct HashAggregate {
    input: BoxSource,
    spec: AggregateSpec,
    state: State,
    tuning: Tuning,
}

enum State {
    Reading,
    Giving { batch: Batch, row: usize },
}

struct Folding {
    group: Vec<Given>,
    groups: Groups,
    /// The group columns' values, a row a group.
    keys: Vec<ColumnBuilder>,
    calls: Vec<Call>,
    held: Held,
}

struct Call {
    spec: AggregateCallSpec,
    accumulator: Box<dyn Accumulator>,
    /// The (group, argument) pairs that were folded, where only distinct ones are.
    seen: Option<Groups>,
    /// The rows that wait for their order: group, arguments, keys.
    waiting: Option<RowsBuilder>,
}

impl HashAggregate {
    /// The groups of the input.
    pub fn new(input: BoxSource, spec: AggregateSpec, tuning: Tuning) -> HashAggregate {
        HashAggregate { input, spec, state: State::Reading, tuning }
    }
}

impl Source for HashAggregate {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        if let State::Reading = self.state {
            let batch = Folding::new(self.spec.clone(), &self.tuning.budget).run(self.input.as_mut())?;
            self.state = State::Giving { batch, row: 0 };
        }
        let State::Giving { batch, row } = &mut self.state else { unreachable!("everything was read") };
        if *row == batch.len() {
            return Ok(None);
        }
        let rows = *row..batch.len().min(*row + self.tuning.batch_rows);
        *row = rows.end;
        Ok(Some(batch.slice(rows)))
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.state = State::Reading;
        self.input.rewind()
    }
}

impl Folding {
    fn new(spec: AggregateSpec, budget: &Budget) -> Folding {
        let keys = spec.group.iter().map(|given| ColumnBuilder::new(given.ty)).collect();
        let calls = spec.calls.into_iter().map(|call| Call::new(call, budget)).collect();
        Folding { group: spec.group, groups: Groups::new(Nulls::Equal), keys, calls, held: budget.hold() }
    }

    fn run(mut self, input: &mut dyn Source) -> Result<Batch, ExecError> {
        let grouped = !self.group.is_empty();
        let mut numbers = Vec::new();
        let mut firsts = Vec::new();
        while let Some(batch) = input.next()? {
            numbers.clear();
            if grouped {
                firsts.clear();
                let columns: Vec<Column> = self.group.iter().map(|given| batch.column(given.column_idx)).collect();
                self.groups.assign(&columns, batch.len(), &mut numbers, &mut firsts);
                for (builder, column) in self.keys.iter_mut().zip(&columns) {
                    firsts.iter().for_each(|row| builder.push_from(column, *row as usize));
                }
            }
            let group_count = if grouped { self.groups.len() } else { 1 };
            for call in &mut self.calls {
                match call.waiting {
                    None => call.fold(&batch, grouped.then_some(&numbers), group_count)?,
                    Some(_) => call.wait(&batch, grouped.then_some(&numbers))?,
                }
            }
            self.hold(1)?;
        }
        let group_count = if grouped { self.groups.len() } else { 1 };
        let mut columns: Vec<Column> = self.keys.drain(..).map(ColumnBuilder::finish).collect();
        for call in &mut self.calls {
            call.accumulator.resize(group_count);
            call.fold_waiting(grouped, group_count)?;
        }
        // Results are written beside what they are made of.
        self.hold(2)?;
        for call in &mut self.calls {
            let column = call.accumulator.finish().map_err(|fault| ExecError::row(fault, call.spec.place))?;
            columns.push(column.with_ty(call.spec.ty));
        }
        Ok(Batch::new(columns, group_count))
    }

    /// Says what is held by now, with so many times what states have grown to.
    fn hold(&mut self, copies: usize) -> Result<(), ExecError> {
        self.held.set_to(|| {
            let row_bytes = KEY_BYTES * self.keys.len() + STATE_BYTES * self.calls.len();
            let seen = self.calls.iter().filter_map(|call| call.seen.as_ref()).map(Groups::memory_bytes);
            let grown: usize = self.calls.iter().map(|call| call.accumulator.grown_bytes()).sum();
            self.groups.memory_bytes() + self.groups.len() * row_bytes + seen.sum::<usize>() + copies * grown
        })
    }
}

impl Call {
    fn new(spec: AggregateCallSpec, budget: &Budget) -> Call {
        let ordered = !spec.order.is_empty();
        let held = || {
            let group = Given { column_idx: 0, ty: Type::Integer };
            let args = spec.arg.iter().chain(&spec.more).map(|arg| arg.ty);
            let types = args.chain(spec.order.iter().map(|key| key.column.ty));
            let columns = types.enumerate().map(|(at, ty)| Given { column_idx: at + 1, ty });
            RowsBuilder::new(std::iter::once(group).chain(columns).collect(), budget)
        };
        Call {
            accumulator: (spec.aggregate.accumulator)(spec.arg.map_or(Type::Integer, |arg| arg.ty)),
            seen: spec.distinct.then(|| Groups::new(Nulls::Equal)),
            waiting: ordered.then(held),
            spec,
        }
    }

    /// Holds a batch's rows until all have come.
    fn wait(&mut self, batch: &Batch, groups: Option<&Vec<u32>>) -> Result<(), ExecError> {
        let groups = match groups {
            Some(groups) => Column::from_i64s(Type::Integer, groups.iter().map(|group| i64::from(*group)).collect()),
            None => Column::constant(Type::Integer, Value::Integer(0), batch.len()),
        };
        let given = self.spec.arg.iter().chain(&self.spec.more).map(|arg| arg.column_idx);
        let given = given.chain(self.spec.order.iter().map(|key| key.column.column_idx));
        let columns = std::iter::once(groups).chain(given.map(|idx| batch.column(idx))).collect();
        let waiting = self.waiting.as_mut().expect("only an ordered call waits");
        waiting.push(&Batch::new(columns, batch.len()))
    }

    /// Folds what waited, in its order.
    fn fold_waiting(&mut self, grouped: bool, group_count: usize) -> Result<(), ExecError> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        let rows = waiting.finish();
        let arg_count = self.spec.arg.iter().count() + self.spec.more.len();
        let keys: Vec<Column> = (0..self.spec.order.len()).map(|at| rows.whole_column(1 + arg_count + at)).collect();
        let orders: Vec<SortOrder> = self.spec.order.iter().map(|key| key.order).collect();
        let order = sorted_rows(&keys, &orders, rows.len(), rows.len());
        let columns = rows.take(0..=arg_count, &order);
        let groups: Vec<u32> = {
            let numbers = columns[0].i64s();
            (0..order.len()).map(|row| numbers.at(row) as u32).collect()
        };
        // The arguments stand where the spec of a batch of just them would say.
        let batch = Batch::new(columns, order.len());
        let args: Vec<Column> = (1..=arg_count).map(|at| batch.column(at)).collect();
        self.fold_columns(args, order.len(), grouped.then_some(&groups), group_count)
    }

    fn fold(&mut self, batch: &Batch, groups: Option<&Vec<u32>>, group_count: usize) -> Result<(), ExecError> {
        if let (None, None, Some(arg), true, Some(rows)) =
            (groups, &self.seen, &self.spec.arg, self.spec.more.is_empty(), batch.selection())
        {
            self.accumulator.resize(group_count);
            let folded = self.accumulator.update_selected(batch.raw_column(arg.column_idx), rows);
            return folded.map_err(|fault| ExecError::row(fault, self.spec.place));
        }
        let args = self.spec.arg.iter().chain(&self.spec.more).map(|arg| batch.column(arg.column_idx)).collect();
        self.fold_columns(args, batch.len(), groups, group_count)
    }

    fn fold_columns(
        &mut self,
        mut args: Vec<Column>,
        len: usize,
        groups: Option<&Vec<u32>>,
        group_count: usize,
    ) -> Result<(), ExecError> {
        self.accumulator.resize(group_count);
        if args.len() > 1 {
            let mut numbers = groups.cloned().unwrap_or_else(|| vec![0; len]);
            if let Some(seen) = &mut self.seen {
                let mut key = vec![Column::from_i64s(Type::Integer, numbers.iter().map(|it| i64::from(*it)).collect())];
                key.extend(args.iter().cloned());
                let (mut pairs, mut firsts) = (Vec::new(), Vec::new());
                seen.assign(&key, len, &mut pairs, &mut firsts);
                args = args.iter().map(|arg| arg.take(&firsts)).collect();
                numbers = firsts.iter().map(|row| numbers[*row as usize]).collect();
            }
            let folded = self.accumulator.update_more(&numbers, &args);
            return folded.map_err(|fault| ExecError::row(fault, self.spec.place));
        }
        let arg = args.pop();
        let folded = match (&mut self.seen, arg) {
            (Some(seen), Some(arg)) => {
                let mut firsts = Vec::new();
                let mut pairs = Vec::new();
                let key = match groups {
                    None => vec![arg.clone()],
                    Some(groups) => {
                        let groups = groups.iter().map(|group| i64::from(*group)).collect();
                        vec![Column::from_i64s(Type::Integer, groups), arg.clone()]
                    }
                };
                seen.assign(&key, len, &mut pairs, &mut firsts);
                let arg = arg.take(&firsts);
                match groups {
                    None => self.accumulator.update_all(firsts.len(), Some(&arg)),
                    Some(groups) => {
                        let groups: Vec<u32> = firsts.iter().map(|row| groups[*row as usize]).collect();
                        self.accumulator.update(&groups, Some(&arg))
                    }
                }
            }
            (_, arg) => match groups {
                None => self.accumulator.update_all(len, arg.as_ref()),
                Some(groups) => self.accumulator.update(groups, arg.as_ref()),
            },
        };
        folded.map_err(|fault| ExecError::row(fault, self.spec.place))
    }
}

#[cfg(test)]
mod tests;
