//! How are numbers of any length summed, and how far do they lie from their mean?
//!
//! Sums are exact, in 128 bits while they fit. As in PostgreSQL a sum shows the digits of its most exact number, a mean and a
//! spread at least 16 significant ones; one NaN makes all NaN, and so do infinities of both signs.

use super::{Accumulator, moments::Moment};
use crate::{
    big_numeric::{
        self, BigNumeric,
        curve::root,
        number::{Exact, quotient, quotient_scale},
    },
    column::{Column, ColumnBuilder},
    func::{Fault, RowFault, arith::POWERS},
    ty::{Type, TypeClass},
    value::Value,
};
use num_bigint::BigInt;

/// What comes of the numbers of a group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Sum,
    Mean,
    Spread(Moment),
}

/// The numbers of a group.
#[derive(Clone)]
struct Total {
    count: u64,
    nans: u64,
    infinities: [u64; 2],
    /// Units of `10^-scale` beside `rest`.
    units: i128,
    scale: u32,
    /// What did not fit.
    rest: Option<Exact>,
    squares: Exact,
}

impl Total {
    fn new() -> Total {
        let squares = Exact { units: BigInt::ZERO, scale: 0 };
        Total { count: 0, nans: 0, infinities: [0; 2], units: 0, scale: 0, rest: None, squares }
    }

    fn add(&mut self, bytes: &[u8], squares: bool) {
        self.count += 1;
        if !big_numeric::is_finite(bytes) {
            if big_numeric::is_nan(bytes) {
                self.nans += 1;
            } else {
                self.infinities[usize::from(big_numeric::sign(bytes) < 0)] += 1;
            }
            return;
        }
        if squares {
            let number = Exact::read(bytes);
            self.squares = self.squares.plus(&number.times(&number));
        }
        if let Some((units, scale)) = big_numeric::small(bytes) {
            let raised = self.scale.checked_sub(scale).and_then(|by| POWERS.get(by as usize));
            if let Some(sum) = raised.and_then(|power| self.units.checked_add(units.checked_mul(*power)?)) {
                self.units = sum;
                return;
            }
            if scale > self.scale {
                self.put_aside();
                (self.units, self.scale) = (units, scale);
                return;
            }
        }
        let number = Exact::read(bytes);
        self.rest = Some(match &self.rest {
            Some(rest) => rest.plus(&number),
            None => number,
        });
    }

    fn put_aside(&mut self) {
        self.rest = Some(self.sum());
        self.units = 0;
    }

    fn sum(&self) -> Exact {
        let units = Exact { units: self.units.into(), scale: self.scale };
        match &self.rest {
            Some(rest) => rest.plus(&units),
            None => units,
        }
    }

    fn count(&self) -> Exact {
        Exact { units: self.count.into(), scale: 0 }
    }

    /// Appends the result; `None` where there is none.
    fn measure(&self, measure: Measure, out: &mut Vec<u8>) -> Option<Fault> {
        let least = match measure {
            Measure::Spread(Moment::DeviationSample | Moment::VarianceSample) => 2,
            _ => 1,
        };
        if self.count < least {
            return None;
        }
        let [up, down] = self.infinities.map(|count| count > 0);
        if self.nans > 0 || (up && down) || ((up || down) && matches!(measure, Measure::Spread(_))) {
            big_numeric::push_nan(out);
            return Some(Fault::Ok);
        }
        if up || down {
            big_numeric::push_infinity(down, out);
            return Some(Fault::Ok);
        }
        let sum = self.sum();
        Some(match measure {
            Measure::Sum => sum.push(out),
            Measure::Mean => quotient(&sum, &self.count()).push(out),
            Measure::Spread(moment) => self.spread(&sum, moment).push(out),
        })
    }

    fn spread(&self, sum: &Exact, moment: Moment) -> Exact {
        let top = self.squares.times(&self.count()).minus(&sum.times(sum));
        if top.is_zero() || top.is_negative() {
            return Exact { units: BigInt::ZERO, scale: 0 };
        }
        let count = i128::from(self.count);
        let (is_sample, is_deviation) = match moment {
            Moment::VarianceSample => (true, false),
            Moment::VariancePopulation => (false, false),
            Moment::DeviationSample => (true, true),
            Moment::DeviationPopulation => (false, true),
        };
        let bottom = Exact { units: (count * if is_sample { count - 1 } else { count }).into(), scale: 0 };
        let scale = quotient_scale(&top, &bottom);
        let variance = top.over(&bottom, scale, true);
        if is_deviation { root(&variance, scale) } else { variance }
    }
}

/// The totals of groups.
pub(super) struct Totals {
    function: &'static str,
    measure: Measure,
    groups: Vec<Total>,
}

impl Totals {
    pub(super) fn new(function: &'static str, measure: Measure) -> Totals {
        Totals { function, measure, groups: Vec::new() }
    }

    fn each(&mut self, column: &Column, group_of: impl Fn(usize) -> usize) {
        let squares = matches!(self.measure, Measure::Spread(_));
        let numbers = column.byte_vals();
        for row in (0..column.len()).filter(|row| !column.is_null(*row)) {
            self.groups[group_of(row)].add(numbers.at(row), squares);
        }
    }
}

impl Accumulator for Totals {
    fn resize(&mut self, group_count: usize) {
        self.groups.resize_with(group_count, Total::new);
    }

    fn update(&mut self, groups: &[u32], arg: Option<&Column>) -> Result<(), RowFault> {
        self.each(arg.expect("only count(*) has no argument"), |row| groups[row] as usize);
        Ok(())
    }

    fn update_all(&mut self, _row_count: usize, arg: Option<&Column>) -> Result<(), RowFault> {
        self.each(arg.expect("only count(*) has no argument"), |_| 0);
        Ok(())
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        let mut column = ColumnBuilder::new(Type::BigNumeric);
        for (row, total) in self.groups.iter().enumerate() {
            let mut bytes = Vec::new();
            match total.measure(self.measure, &mut bytes) {
                None => column.push_null(),
                Some(Fault::Ok) => column.push(&Value::BigNumeric(BigNumeric::from_bytes(bytes))),
                Some(fault) => {
                    let (function, ret) = (self.function, TypeClass::BigNumeric);
                    return Err(RowFault { fault, function, ret, row, args: Vec::new() });
                }
            }
        }
        Ok(column.finish())
    }
}
