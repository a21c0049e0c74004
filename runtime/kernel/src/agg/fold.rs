//! How does a fold of single numbers become an accumulator of groups?
//!
//! A [`Fold`] keeps one state a group and adds one value that is not NULL. [`Folding`] reads columns for it, leaves the
//! NULLs out, and says which row failed. Rows are added in the order they come.
//!
//! Not here: strings (`extreme`), and counting, which does not look at values (`count`).

use super::Accumulator;
use crate::{
    bitmap::Bitmap,
    column::{Column, Data, Vals},
    func::{Fault, RowFault},
    ty::Type,
    value::Value,
};

/// States of groups to which numbers are added.
pub(super) trait Fold: Send {
    /// What is added.
    type Item: Copy;

    /// Reads the numbers of a column.
    fn read(column: &Column) -> Vals<'_, Self::Item>;

    /// Makes room for that many groups.
    fn resize(&mut self, group_count: usize);

    /// Adds a value to a group.
    fn add(&mut self, group: usize, value: Self::Item) -> Fault;

    /// Adds values to group 0, in their order.
    ///
    /// # Errors
    /// What went wrong, and at which value.
    fn add_all(&mut self, values: &[Self::Item]) -> Result<(), (Fault, usize)> {
        for (row, value) in values.iter().enumerate() {
            ok(self.add(0, *value), row)?;
        }
        Ok(())
    }

    /// Adds values without NULLs to group 0 as they lie, those of the rows named; answers whether it knows how. Only for a fold
    /// to which nothing can go wrong.
    fn add_selected(&mut self, _data: &Data, _rows: &[u32]) -> bool {
        false
    }

    /// Adds each value to its group, in their order.
    ///
    /// # Errors
    /// What went wrong, and at which value.
    fn add_each(&mut self, groups: &[u32], values: &[Self::Item]) -> Result<(), (Fault, usize)> {
        for (row, (group, value)) in groups.iter().zip(values).enumerate() {
            ok(self.add(*group as usize, *value), row)?;
        }
        Ok(())
    }

    /// Takes a value back that was added to group 0; answers whether it knows how.
    fn take_back(&mut self, _value: Self::Item) -> bool {
        false
    }

    /// The results, of the type given.
    ///
    /// # Errors
    /// What went wrong, and in which group.
    fn finish(&mut self, ret: Type) -> Result<Column, (Fault, usize)>;
}

fn ok(fault: Fault, row: usize) -> Result<(), (Fault, usize)> {
    if fault == Fault::Ok { Ok(()) } else { Err((fault, row)) }
}

/// A fold as an accumulator.
pub(super) struct Folding<F> {
    pub(super) function: &'static str,
    pub(super) ret: Type,
    pub(super) fold: F,
}

impl<F: Fold> Folding<F> {
    fn each(&mut self, column: &Column, group_of: impl Fn(usize) -> usize) -> Result<(), (Fault, usize)> {
        let rows = 0..column.len();
        match (F::read(column), column.validity()) {
            (Vals::One(_), _) if column.as_const().is_some_and(Value::is_null) => Ok(()),
            (Vals::One(value), _) => {
                rows.map(|row| (row, value)).try_for_each(|(row, value)| ok(self.fold.add(group_of(row), value), row))
            }
            (Vals::Many(values), None) => {
                rows.zip(values.iter()).try_for_each(|(row, value)| ok(self.fold.add(group_of(row), *value), row))
            }
            (Vals::Many(values), Some(bits)) => {
                rows.zip(values.iter()).zip(bits.iter()).try_for_each(|((row, value), has_value)| {
                    if has_value { ok(self.fold.add(group_of(row), *value), row) } else { Ok(()) }
                })
            }
        }
    }

    fn fault(&self, (fault, row): (Fault, usize), arg: Option<&Column>) -> RowFault {
        let args = arg.map(|column| column.value(row)).into_iter().collect();
        RowFault { fault, function: self.function, ret: self.ret.class(), row, args }
    }
}

impl<F: Fold> Accumulator for Folding<F> {
    fn resize(&mut self, group_count: usize) {
        self.fold.resize(group_count);
    }

    fn update(&mut self, groups: &[u32], arg: Option<&Column>) -> Result<(), RowFault> {
        let column = arg.expect("only count(*) has no argument");
        let result = match (F::read(column), column.validity()) {
            (Vals::Many(values), None) => self.fold.add_each(groups, &values),
            _ => self.each(column, |row| groups[row] as usize),
        };
        result.map_err(|fault| self.fault(fault, arg))
    }

    fn update_all(&mut self, _row_count: usize, arg: Option<&Column>) -> Result<(), RowFault> {
        let column = arg.expect("only count(*) has no argument");
        let result = match (F::read(column), column.validity()) {
            (Vals::Many(values), None) => self.fold.add_all(&values),
            _ => self.each(column, |_| 0),
        };
        result.map_err(|fault| self.fault(fault, arg))
    }

    fn update_selected(&mut self, column: &Column, rows: &[u32]) -> Result<(), RowFault> {
        if !column.has_nulls() && self.fold.add_selected(column.data(), rows) {
            return Ok(());
        }
        self.update_all(rows.len(), Some(&column.take(rows)))
    }

    fn take_back(&mut self, row_count: usize, arg: Option<&Column>) -> bool {
        let column = arg.expect("only count(*) has no argument");
        if column.as_const().is_some_and(Value::is_null) {
            return true;
        }
        let values = F::read(column);
        (0..row_count).filter(|row| !column.is_null(*row)).all(|row| self.fold.take_back(values.at(row)))
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        let ret = self.ret;
        self.fold.finish(ret).map_err(|fault| self.fault(fault, None))
    }
}

/// Which groups have a value, where not all do.
pub(super) fn present(flags: impl ExactSizeIterator<Item = bool>) -> Option<Bitmap> {
    let bits = Bitmap::from_bools(flags);
    if bits.all() { None } else { Some(bits) }
}
