//! What do the rows of each group fold to?
//!
//! Each batch's rows get their group's number, and every aggregate folds the batch into its accumulator in one call. Without
//! group columns there is one group, whether rows come or not. DISTINCT is done here: an accumulator is fed the first row
//! of each (group, argument) only.
//!
//! Holds: groups come in order of first appearance; rows are folded in the order they come.
//! Not here: how an aggregate folds (`spectradb_kernel::agg`).

use super::{
    BoxSource, ExecError, Given, Held, Place, Source, Tuning,
    groups::{Groups, Nulls},
};
use spectradb_kernel::{
    Batch, Column, Type,
    agg::{Accumulator, Aggregate},
    column::ColumnBuilder,
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
    /// Of distinct values only?
    pub distinct: bool,
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
    state: State,
    batch_rows: usize,
}

enum State {
    Reading(Box<Folding>),
    Giving { batch: Batch, row: usize },
}

struct Folding {
    input: BoxSource,
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
}

impl HashAggregate {
    /// The groups of the input.
    pub fn new(input: BoxSource, spec: AggregateSpec, tuning: Tuning) -> HashAggregate {
        let keys = spec.group.iter().map(|given| ColumnBuilder::new(given.ty)).collect();
        let calls = spec.calls.into_iter().map(|spec| Call {
            accumulator: (spec.aggregate.accumulator)(spec.arg.map_or(Type::Integer, |arg| arg.ty)),
            seen: spec.distinct.then(|| Groups::new(Nulls::Equal)),
            spec,
        });
        let calls = calls.collect();
        let held = tuning.budget.hold();
        let folding = Folding { input, group: spec.group, groups: Groups::new(Nulls::Equal), keys, calls, held };
        HashAggregate { state: State::Reading(Box::new(folding)), batch_rows: tuning.batch_rows }
    }
}

impl Source for HashAggregate {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        if let State::Reading(folding) = &mut self.state {
            let batch = folding.run()?;
            self.state = State::Giving { batch, row: 0 };
        }
        let State::Giving { batch, row } = &mut self.state else { unreachable!("everything was read") };
        if *row == batch.len() {
            return Ok(None);
        }
        let rows = *row..batch.len().min(*row + self.batch_rows);
        *row = rows.end;
        Ok(Some(batch.slice(rows)))
    }
}

impl Folding {
    fn run(&mut self) -> Result<Batch, ExecError> {
        let grouped = !self.group.is_empty();
        let mut numbers = Vec::new();
        let mut firsts = Vec::new();
        while let Some(batch) = self.input.next()? {
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
                call.fold(&batch, grouped.then_some(&numbers), group_count)?;
            }
            self.held.set_to(|| {
                let row_bytes = KEY_BYTES * self.keys.len() + STATE_BYTES * self.calls.len();
                let seen = self.calls.iter().filter_map(|call| call.seen.as_ref()).map(Groups::memory_bytes);
                self.groups.memory_bytes() + self.groups.len() * row_bytes + seen.sum::<usize>()
            })?;
        }
        let group_count = if grouped { self.groups.len() } else { 1 };
        let mut columns: Vec<Column> = self.keys.drain(..).map(ColumnBuilder::finish).collect();
        for call in &mut self.calls {
            call.accumulator.resize(group_count);
            let column = call.accumulator.finish().map_err(|fault| ExecError::row(fault, call.spec.place))?;
            columns.push(column.with_ty(call.spec.ty));
        }
        Ok(Batch::new(columns, group_count))
    }
}

impl Call {
    fn fold(&mut self, batch: &Batch, groups: Option<&Vec<u32>>, group_count: usize) -> Result<(), ExecError> {
        self.accumulator.resize(group_count);
        let arg = self.spec.arg.map(|arg| batch.column(arg.column_idx));
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
                seen.assign(&key, batch.len(), &mut pairs, &mut firsts);
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
                None => self.accumulator.update_all(batch.len(), arg.as_ref()),
                Some(groups) => self.accumulator.update(groups, arg.as_ref()),
            },
        };
        folded.map_err(|fault| ExecError::row(fault, self.spec.place))
    }
}

#[cfg(test)]
mod tests;
