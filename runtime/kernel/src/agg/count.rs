//! How are rows counted?
//!
//! `count(*)` counts rows, `count(x)` those where `x` has a value; nothing but the validity of a column is looked at.

use super::Accumulator;
use crate::{column::Column, func::RowFault, ty::Type, value::Value};

/// A count a group.
#[derive(Default)]
pub(super) struct Count {
    counts: Vec<i64>,
}

impl Accumulator for Count {
    fn resize(&mut self, group_count: usize) {
        self.counts.resize(group_count, 0);
    }

    fn update(&mut self, groups: &[u32], arg: Option<&Column>) -> Result<(), RowFault> {
        match arg {
            Some(column) if column.as_const().is_some_and(Value::is_null) => {}
            Some(column) if column.has_nulls() => {
                let bits = column.validity().expect("a column with NULLs says where");
                groups.iter().zip(bits.iter()).for_each(|(group, bit)| self.counts[*group as usize] += i64::from(bit));
            }
            Some(_) | None => groups.iter().for_each(|group| self.counts[*group as usize] += 1),
        }
        Ok(())
    }

    fn update_all(&mut self, row_count: usize, arg: Option<&Column>) -> Result<(), RowFault> {
        let count = match arg {
            Some(column) if column.as_const().is_some_and(Value::is_null) => 0,
            Some(column) => column.validity().map_or(row_count, |bits| bits.count()),
            None => row_count,
        };
        self.counts[0] += count as i64;
        Ok(())
    }

    fn take_back(&mut self, row_count: usize, arg: Option<&Column>) -> bool {
        let count = self.counts[0];
        self.counts[0] = 0;
        let is_counted = self.update_all(row_count, arg).is_ok();
        self.counts[0] = count - self.counts[0];
        is_counted
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        Ok(Column::from_i64s(Type::Integer, self.counts.clone()))
    }
}
