//! How are aggregates made for which the order of rows counts?
//!
//! The operator feeds rows in the order that ORDER BY or WITHIN GROUP says. The first and the last value are kept as they
//! come; texts are joined as they come; percentiles and the mode hold all values and look at them at the end.
//!
//! Holds: NULLs are left out.

use super::Accumulator;
use crate::{
    column::{Column, ColumnBuilder},
    func::{Fault, RowFault, interval},
    interval::Interval,
    key::{self, SortOrder},
    ty::{Type, TypeClass},
    value::Value,
};

/// The first or the last value of each group.
pub(super) struct Kept {
    ty: Type,
    last: bool,
    values: Vec<Option<Value>>,
    /// The row of the batch that a group keeps, while the batch is looked through.
    rows: Vec<u32>,
}

const NO_ROW: u32 = u32::MAX;

impl Kept {
    pub(super) fn new(ty: Type, last: bool) -> Kept {
        Kept { ty, last, values: Vec::new(), rows: Vec::new() }
    }

    fn keep(&mut self, column: &Column, group_of: impl Fn(usize) -> usize) {
        let mut touched = Vec::new();
        for row in 0..column.len() {
            let group = group_of(row);
            if column.is_null(row) || (!self.last && self.values[group].is_some()) {
                continue;
            }
            if self.rows[group] == NO_ROW {
                touched.push(group);
            } else if !self.last {
                continue;
            }
            self.rows[group] = row as u32;
        }
        for group in touched {
            let row = std::mem::replace(&mut self.rows[group], NO_ROW);
            self.values[group] = Some(column.value(row as usize));
        }
    }
}

impl Accumulator for Kept {
    fn resize(&mut self, group_count: usize) {
        self.values.resize(group_count, None);
        self.rows.resize(group_count, NO_ROW);
    }

    fn update(&mut self, groups: &[u32], arg: Option<&Column>) -> Result<(), RowFault> {
        self.keep(arg.expect("only count(*) has no argument"), |row| groups[row] as usize);
        Ok(())
    }

    fn update_all(&mut self, _row_count: usize, arg: Option<&Column>) -> Result<(), RowFault> {
        self.keep(arg.expect("only count(*) has no argument"), |_| 0);
        Ok(())
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        let mut column = ColumnBuilder::new(self.ty);
        for value in &self.values {
            match value {
                Some(value) => column.push(value),
                None => column.push_null(),
            }
        }
        Ok(column.finish())
    }
}

/// Texts, or bytes, one after another.
pub(super) struct Joined {
    ty: Type,
    joined: Vec<Option<Vec<u8>>>,
    /// What they take.
    bytes: usize,
}

impl Joined {
    pub(super) fn new(arg: Type) -> Joined {
        Joined { ty: arg, joined: Vec::new(), bytes: 0 }
    }
}

impl Accumulator for Joined {
    fn resize(&mut self, group_count: usize) {
        self.joined.resize(group_count, None);
    }

    fn update(&mut self, _groups: &[u32], _arg: Option<&Column>) -> Result<(), RowFault> {
        unreachable!("texts are joined with separators")
    }

    fn update_all(&mut self, _row_count: usize, _arg: Option<&Column>) -> Result<(), RowFault> {
        unreachable!("texts are joined with separators")
    }

    fn update_more(&mut self, groups: &[u32], args: &[Column]) -> Result<(), RowFault> {
        let (texts, separators) = (args[0].byte_vals(), args[1].byte_vals());
        for (row, group) in groups.iter().enumerate() {
            if args[0].is_null(row) {
                continue;
            }
            self.bytes += texts.at(row).len();
            match &mut self.joined[*group as usize] {
                Some(joined) => {
                    if !args[1].is_null(row) {
                        joined.extend_from_slice(separators.at(row));
                        self.bytes += separators.at(row).len();
                    }
                    joined.extend_from_slice(texts.at(row));
                }
                empty => *empty = Some(texts.at(row).to_owned()),
            }
        }
        Ok(())
    }

    fn grown_bytes(&self) -> usize {
        self.bytes
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        let is_text = self.ty.class() == TypeClass::Text;
        let mut column = ColumnBuilder::new(if is_text { Type::Text } else { Type::Blob });
        for bytes in &self.joined {
            match bytes {
                Some(bytes) if is_text => {
                    column.push_text(std::str::from_utf8(bytes).expect("texts one after another are a text"));
                }
                Some(bytes) => column.push(&Value::Blob(bytes.clone())),
                None => column.push_null(),
            }
        }
        Ok(column.finish())
    }
}

/// What is chosen among a group's values in their order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The most frequent one.
    Mode,
    /// The first at or behind a fraction of all.
    Discrete,
    /// What lies at a fraction of all, between two values if need be.
    Continuous,
}

/// All values of each group, of which one is chosen.
pub(super) struct Chosen {
    function: &'static str,
    ty: Type,
    which: Which,
    parts: Vec<Column>,
    /// What the values take, and the rows.
    bytes: usize,
    row_count: u32,
    /// The rows of each group, numbered over all parts.
    rows: Vec<Vec<u32>>,
    fractions: Vec<Option<f64>>,
}

impl Chosen {
    pub(super) fn new(function: &'static str, ty: Type, which: Which) -> Chosen {
        let (parts, rows, fractions) = (Vec::new(), Vec::new(), Vec::new());
        Chosen { function, ty, which, parts, bytes: 0, row_count: 0, rows, fractions }
    }

    fn hold(&mut self, column: &Column, group_of: impl Fn(usize) -> usize) {
        for row in (0..column.len()).filter(|row| !column.is_null(*row)) {
            self.rows[group_of(row)].push(self.row_count + row as u32);
        }
        self.row_count += column.len() as u32;
        self.bytes += column.memory_bytes() + column.len() * size_of::<u32>();
        self.parts.push(column.clone());
    }

    fn mode(&self, column: &Column, rows: &[u32]) -> Option<u32> {
        let (mut best, mut best_len) = (None, 0);
        let (mut begin, mut len) = (None::<u32>, 0);
        let (mut before, mut bytes) = (Vec::new(), Vec::new());
        for row in rows {
            bytes.clear();
            key::sort_key(std::slice::from_ref(column), &[SortOrder::ASCENDING], *row as usize, &mut bytes);
            if begin.is_none() || bytes != before {
                (begin, len) = (Some(*row), 0);
                std::mem::swap(&mut before, &mut bytes);
            }
            len += 1;
            if len > best_len {
                (best, best_len) = (begin, len);
            }
        }
        best
    }
}

/// What lies at a share of the way from one interval to another; one beyond what an interval holds is the nearer end.
fn between(low: Interval, high: Interval, share: f64) -> Interval {
    let way = interval::subtract(high.lane(), low.lane());
    let part = interval::multiply(way.0, share);
    match interval::add(low.lane(), part.0) {
        (sum, Fault::Ok) if way.1 == Fault::Ok && part.1 == Fault::Ok => Interval::from_lane(sum),
        _ => {
            if share < 0.5 {
                low
            } else {
                high
            }
        }
    }
}

impl Accumulator for Chosen {
    fn resize(&mut self, group_count: usize) {
        self.rows.resize(group_count, Vec::new());
        self.fractions.resize(group_count, None);
    }

    fn update(&mut self, groups: &[u32], arg: Option<&Column>) -> Result<(), RowFault> {
        self.hold(arg.expect("only count(*) has no argument"), |row| groups[row] as usize);
        Ok(())
    }

    fn update_all(&mut self, _row_count: usize, arg: Option<&Column>) -> Result<(), RowFault> {
        self.hold(arg.expect("only count(*) has no argument"), |_| 0);
        Ok(())
    }

    fn update_more(&mut self, groups: &[u32], args: &[Column]) -> Result<(), RowFault> {
        if let Some(fractions) = args.get(1) {
            let values = fractions.f64s();
            for (row, group) in groups.iter().enumerate().filter(|(row, _)| !fractions.is_null(*row)) {
                let fraction = values.at(row);
                if !(0.0..=1.0).contains(&fraction) {
                    let args = vec![Value::Real(fraction)];
                    let (function, ret) = (self.function, self.ty.class());
                    return Err(RowFault { fault: Fault::InvalidArgument, function, ret, row, args });
                }
                self.fractions[*group as usize].get_or_insert(fraction);
            }
        }
        self.hold(&args[0], |row| groups[row] as usize);
        Ok(())
    }

    fn grown_bytes(&self) -> usize {
        self.bytes
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        let column = Column::concat(self.ty, &self.parts);
        self.parts = vec![column.clone()];
        let mut chosen = ColumnBuilder::new(self.ty);
        for (rows, fraction) in self.rows.iter().zip(&self.fractions) {
            let row = match (self.which, fraction) {
                _ if rows.is_empty() => None,
                (Which::Mode, _) => self.mode(&column, rows),
                (Which::Discrete | Which::Continuous, None) => None,
                (Which::Discrete, Some(fraction)) => {
                    let position = (fraction * rows.len() as f64).ceil().max(1.0) as usize;
                    Some(rows[position - 1])
                }
                (Which::Continuous, Some(fraction)) => {
                    let place = fraction * (rows.len() - 1) as f64;
                    let (low, high) = (rows[place.floor() as usize], rows[place.ceil() as usize]);
                    let share = place - place.floor();
                    if let (Value::Interval(low), Value::Interval(high)) =
                        (column.value(low as usize), column.value(high as usize))
                    {
                        chosen.push(&Value::Interval(between(low, high, share)));
                        continue;
                    }
                    let values = column.f64s();
                    let (low, high) = (values.at(low as usize), values.at(high as usize));
                    let value = if low == high { low } else { low + share * (high - low) };
                    chosen.push(&Value::Real(value));
                    continue;
                }
            };
            match row {
                Some(row) => chosen.push_from(&column, row as usize),
                None => chosen.push_null(),
            }
        }
        Ok(chosen.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agg::find;
    use crate::ty::TypeClass;

    fn folded(name: &str, class: TypeClass, args: &[Column]) -> Result<Value, RowFault> {
        let aggregate = find(name, Some(class)).expect("listed");
        let mut accumulator = (aggregate.accumulator)(args[0].ty());
        accumulator.resize(1);
        accumulator.update_more(&vec![0; args[0].len()], args)?;
        Ok(accumulator.finish()?.value(0))
    }

    fn reals(values: &[f64]) -> Column {
        Column::from_f64s(values.to_vec())
    }

    #[test]
    fn percentiles_and_modes_look_at_the_order() {
        let values = reals(&[1.0, 2.0, 2.0, 10.0]);
        let fraction = |value: f64| Column::constant(Type::Real, Value::Real(value), 4);
        let of = |name, value| folded(name, TypeClass::Real, &[values.clone(), fraction(value)]);
        assert_eq!(of("percentile_cont", 0.5), Ok(Value::Real(2.0)));
        assert_eq!(of("percentile_cont", 0.9), Ok(Value::Real(2.0 + (0.9 * 3.0 - 2.0) * 8.0)));
        assert_eq!(of("percentile_disc", 0.0), Ok(Value::Real(1.0)));
        assert_eq!(of("percentile_disc", 0.76), Ok(Value::Real(10.0)));
        assert!(of("percentile_cont", 1.5).is_err_and(|fault| fault.sqlstate() == "22003"));
        assert_eq!(folded("mode", TypeClass::Real, &[values]), Ok(Value::Real(2.0)));
    }

    #[test]
    fn texts_are_joined_and_ends_are_kept() {
        let texts = Column::from_values(Type::Text, &["a".into(), Value::Null, "b".into()]);
        let separator = Column::constant(Type::Text, "-".into(), 3);
        assert_eq!(folded("string_agg", TypeClass::Text, &[texts.clone(), separator]), Ok("a-b".into()));
        assert_eq!(folded("first", TypeClass::Text, std::slice::from_ref(&texts)), Ok("a".into()));
        assert_eq!(folded("last", TypeClass::Text, &[texts]), Ok("b".into()));
    }
}
