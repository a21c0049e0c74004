//! Which value of a group is the smallest, which the greatest?
//!
//! By the order that comparisons have. Of values that are equal though they look different (-0.0 and 0.0, two ways to
//! write a JSON number) the first stays; of such with different display scales, as in PostgreSQL, the last.

use super::{
    Accumulator,
    fold::{Fold, present},
};
use crate::{
    array,
    big_numeric::{self, BigNumeric},
    column::{Column, ColumnBuilder, Data, Vals},
    func::{Fault, RowFault, compare::lt_f64, json_order},
    lane::Lane,
    ty::{Type, TypeClass},
};
use std::cmp::Ordering;

/// A number with an order, and the lane it lies in.
pub(super) trait Ordered: Copy + Default + Send {
    fn is_less(a: Self, b: Self) -> bool;
    fn read(column: &Column) -> Vals<'_, Self>;
    fn data(values: Vec<Self>) -> Data;
}

impl Ordered for i64 {
    #[inline]
    fn is_less(a: i64, b: i64) -> bool {
        a < b
    }
    fn read(column: &Column) -> Vals<'_, i64> {
        column.i64s()
    }
    fn data(values: Vec<i64>) -> Data {
        Data::I64(Lane::from_vec(values))
    }
}

impl Ordered for f64 {
    #[inline]
    fn is_less(a: f64, b: f64) -> bool {
        lt_f64(a, b)
    }
    fn read(column: &Column) -> Vals<'_, f64> {
        column.f64s()
    }
    fn data(values: Vec<f64>) -> Data {
        Data::F64(Lane::from_vec(values))
    }
}

impl Ordered for i128 {
    #[inline]
    fn is_less(a: i128, b: i128) -> bool {
        a < b
    }
    fn read(column: &Column) -> Vals<'_, i128> {
        column.i128s()
    }
    fn data(values: Vec<i128>) -> Data {
        Data::I128(Lane::from_vec(values))
    }
}

/// Booleans: the smallest is their AND, the greatest their OR.
impl Ordered for u8 {
    #[inline]
    fn is_less(a: u8, b: u8) -> bool {
        a < b
    }
    fn read(column: &Column) -> Vals<'_, u8> {
        column.bools()
    }
    fn data(values: Vec<u8>) -> Data {
        Data::Bool(Lane::from_vec(values))
    }
}

/// The smallest, or with `GREATEST` the greatest, number of each group.
#[derive(Default)]
pub(super) struct Extreme<T, const GREATEST: bool> {
    values: Vec<T>,
    seen: Vec<bool>,
}

impl<T: Ordered, const GREATEST: bool> Extreme<T, GREATEST> {
    /// Does the new value take the place of the old?
    #[inline]
    fn wins(new: T, old: T) -> bool {
        if GREATEST { T::is_less(old, new) } else { T::is_less(new, old) }
    }
}

impl<T: Ordered, const GREATEST: bool> Fold for Extreme<T, GREATEST> {
    type Item = T;
    fn read(column: &Column) -> Vals<'_, T> {
        T::read(column)
    }
    fn resize(&mut self, group_count: usize) {
        self.values.resize(group_count, T::default());
        self.seen.resize(group_count, false);
    }
    #[inline]
    fn add(&mut self, group: usize, value: T) -> Fault {
        let wins = !self.seen[group] | Self::wins(value, self.values[group]);
        if wins {
            self.values[group] = value;
        }
        self.seen[group] = true;
        Fault::Ok
    }
    fn add_all(&mut self, values: &[T]) -> Result<(), (Fault, usize)> {
        let Some(first) = values.first() else { return Ok(()) };
        let start = if self.seen[0] { self.values[0] } else { *first };
        self.values[0] = values.iter().fold(start, |best, value| if Self::wins(*value, best) { *value } else { best });
        self.seen[0] = true;
        Ok(())
    }
    fn finish(&mut self, ret: Type) -> Result<Column, (Fault, usize)> {
        Ok(Column::new(ret, present(self.seen.iter().copied()), T::data(self.values.clone())))
    }
}

/// The smallest, or with `GREATEST` the greatest, string of each group.
pub(super) struct ExtremeString<const GREATEST: bool> {
    ty: Type,
    values: Vec<Option<Vec<u8>>>,
    /// What they take, at least.
    bytes: usize,
}

impl<const GREATEST: bool> ExtremeString<GREATEST> {
    pub(super) fn new(ty: Type) -> ExtremeString<GREATEST> {
        ExtremeString { ty, values: Vec::new(), bytes: 0 }
    }

    fn add(&mut self, group: usize, new: &[u8]) {
        let old = &mut self.values[group];
        let wins = match old.as_deref() {
            None => true,
            Some(old) => {
                let order = match self.ty {
                    Type::Json | Type::Jsonb => json_order::compare(text(new), text(old)),
                    Type::Array(_) => array::compare(new, old),
                    ty if ty.class() == TypeClass::BigNumeric => {
                        let newest = if GREATEST { Ordering::Greater } else { Ordering::Less };
                        big_numeric::value_bytes(new).cmp(big_numeric::value_bytes(old)).then(newest)
                    }
                    _ => new.cmp(old),
                };
                if GREATEST { order.is_gt() } else { order.is_lt() }
            }
        };
        if wins {
            self.bytes += new.len().saturating_sub(old.as_ref().map_or(0, Vec::capacity));
            match old {
                Some(old) => {
                    old.clear();
                    old.extend_from_slice(new);
                }
                None => *old = Some(new.to_vec()),
            }
        }
    }

    fn each(&mut self, column: &Column, group_of: impl Fn(usize) -> usize) {
        let strings = column.byte_vals();
        for row in 0..column.len() {
            if !column.is_null(row) {
                self.add(group_of(row), strings.at(row));
            }
        }
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text columns hold UTF-8")
}

impl<const GREATEST: bool> Accumulator for ExtremeString<GREATEST> {
    fn resize(&mut self, group_count: usize) {
        self.values.resize(group_count, None);
    }

    fn update(&mut self, groups: &[u32], arg: Option<&Column>) -> Result<(), RowFault> {
        self.each(arg.expect("only count(*) has no argument"), |row| groups[row] as usize);
        Ok(())
    }

    fn update_all(&mut self, _row_count: usize, arg: Option<&Column>) -> Result<(), RowFault> {
        self.each(arg.expect("only count(*) has no argument"), |_| 0);
        Ok(())
    }

    fn grown_bytes(&self) -> usize {
        self.bytes
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        let mut column = ColumnBuilder::new(self.ty);
        for value in &self.values {
            match value {
                None => column.push_null(),
                Some(bytes) => column.push(&match self.ty {
                    Type::Blob => bytes.clone().into(),
                    Type::Json | Type::Jsonb => crate::value::Value::Json(text(bytes).to_owned()),
                    Type::Array(_) => array::Array::from_bytes(bytes.clone()).into(),
                    ty if ty.class() == TypeClass::BigNumeric => BigNumeric::from_bytes(bytes.clone()).into(),
                    _ => text(bytes).into(),
                }),
            }
        }
        Ok(column.finish())
    }
}
