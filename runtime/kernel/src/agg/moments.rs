//! How far do values lie from their mean, and do two values vary together?
//!
//! Reals are folded as PostgreSQL does it (Youngs and Cramer): the mean so far and the squares of distances to it, without
//! the loss of subtracting two large sums. Integers and decimals are exact: their count, sum and sum of squares decide the
//! result to its last digit; where those pass 128 bits, the result is that of reals.

use super::{
    Accumulator,
    fold::{Fold, present},
};
use crate::{
    column::{Column, Data, Vals},
    func::{Fault, RowFault},
    lane::Lane,
    ty::Type,
};
use std::marker::PhantomData;

/// Which spread is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    VarianceSample,
    VariancePopulation,
    DeviationSample,
    DeviationPopulation,
}

impl Moment {
    fn is_sample(self) -> bool {
        matches!(self, Moment::VarianceSample | Moment::DeviationSample)
    }

    fn is_deviation(self) -> bool {
        matches!(self, Moment::DeviationSample | Moment::DeviationPopulation)
    }

    /// What the squares are divided by; none where there are too few values.
    fn divisor(self, count: u64) -> Option<u64> {
        let divisor = if self.is_sample() { count.checked_sub(1)? } else { count };
        (divisor > 0).then_some(divisor)
    }
}

/// Count, sum and squares of the distances to the mean.
#[derive(Clone, Copy, Default)]
struct State {
    count: f64,
    sum: f64,
    squares: f64,
}

impl State {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        if self.count > 1.0 {
            let distance = value * self.count - self.sum;
            self.squares += distance * distance / (self.count * (self.count - 1.0));
        } else if !value.is_finite() {
            self.squares = f64::NAN;
        }
    }
}

/// The spread of reals.
pub(super) struct Deviations {
    moment: Moment,
    states: Vec<State>,
}

impl Deviations {
    pub(super) fn new(moment: Moment) -> Deviations {
        Deviations { moment, states: Vec::new() }
    }
}

fn reals(values: Vec<Option<f64>>) -> Column {
    let known = present(values.iter().map(Option::is_some));
    let values = values.into_iter().map(Option::unwrap_or_default).collect();
    Column::new(Type::Real, known, Data::F64(Lane::from_vec(values)))
}

impl Fold for Deviations {
    type Item = f64;
    fn read(column: &Column) -> Vals<'_, f64> {
        column.f64s()
    }
    fn resize(&mut self, group_count: usize) {
        self.states.resize(group_count, State::default());
    }
    fn add(&mut self, group: usize, value: f64) -> Fault {
        self.states[group].add(value);
        Fault::Ok
    }
    fn finish(&mut self, _ret: Type) -> Result<Column, (Fault, usize)> {
        let values = self.states.iter().map(|state| {
            let divisor = self.moment.divisor(state.count as u64)?;
            let variance = state.squares / divisor as f64;
            Some(if self.moment.is_deviation() { variance.sqrt() } else { variance })
        });
        Ok(reals(values.collect()))
    }
}

/// How exact values are read: INTEGERs, or with `DECIMAL` units of a NUMERIC.
pub(super) struct Exact<const DECIMAL: bool>;

pub(super) trait Read {
    type Item: Copy + Into<i128> + Send;
    fn read(column: &Column) -> Vals<'_, Self::Item>;
}

impl Read for Exact<false> {
    type Item = i64;
    fn read(column: &Column) -> Vals<'_, i64> {
        column.i64s()
    }
}

impl Read for Exact<true> {
    type Item = i128;
    fn read(column: &Column) -> Vals<'_, i128> {
        column.i128s()
    }
}

/// The spread of exact numbers.
pub(super) struct Spread<R> {
    moment: Moment,
    scale: u8,
    groups: Vec<Sums>,
    read: PhantomData<R>,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    count: u64,
    sum: i128,
    squares: i128,
    /// Have the sums passed 128 bits? Then only the reals count.
    is_rough: bool,
    reals: State,
}

impl<R> Spread<R> {
    pub(super) fn new(moment: Moment, ty: Type) -> Spread<R> {
        Spread { moment, scale: ty.scale(), groups: Vec::new(), read: PhantomData }
    }

    /// Units of `10^-digits`, rounded half up.
    fn units(&self, sums: &Sums, digits: u8) -> Option<i128> {
        let divisor = self.moment.divisor(sums.count)?;
        let count = i128::from(sums.count);
        let exact = (!sums.is_rough)
            .then(|| {
                let above = count.checked_mul(sums.squares)?.checked_sub(sums.sum.checked_mul(sums.sum)?)?;
                let below = count.checked_mul(i128::from(divisor))?;
                // The variance has twice the digits of a value.
                let mut variance = quotient(above, below, i32::from(digits) - 2 * i32::from(self.scale))?;
                if self.moment.is_deviation() {
                    variance = root(variance as u128, 10u128.pow(u32::from(digits)))? as i128;
                }
                Some(variance)
            })
            .flatten();
        exact.or_else(|| {
            let unit = 10f64.powi(i32::from(self.scale));
            let variance = sums.reals.squares / divisor as f64 / (unit * unit);
            let value = if self.moment.is_deviation() { variance.sqrt() } else { variance };
            let units = (value * 10f64.powi(i32::from(digits))).round();
            (units.abs() < 1e38).then_some(units as i128)
        })
    }
}

/// `above / below * 10^shift`, rounded half up; both are not negative.
fn quotient(above: i128, below: i128, shift: i32) -> Option<i128> {
    let (mut whole, mut rest) = (above / below, above % below);
    let mut below = below;
    for _ in 0..shift {
        rest = rest.checked_mul(10)?;
        whole = whole.checked_mul(10)?.checked_add(rest / below)?;
        rest %= below;
    }
    if shift < 0 {
        let by = 10i128.checked_pow(shift.unsigned_abs())?;
        below = below.checked_mul(by)?;
        (whole, rest) = (above / below, above % below);
    }
    if rest >= below - rest { whole.checked_add(1) } else { Some(whole) }
}

/// The root of `value * by`, rounded to the nearest.
fn root(value: u128, by: u128) -> Option<u128> {
    let wanted = wide(value, by);
    let (mut low, mut high) = (0u128, 1u128 << 127);
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if wide(middle, middle) <= wanted { low = middle } else { high = middle - 1 }
    }
    // Nearer to the next one if low * (low + 1) is below it.
    Some(if wide(low, low + 1) < wanted { low + 1 } else { low })
}

/// A product of 256 bits: the high half, the low half.
fn wide(a: u128, b: u128) -> (u128, u128) {
    let half = |value: u128| (value >> 64, value & u128::from(u64::MAX));
    let ((a1, a0), (b1, b0)) = (half(a), half(b));
    let (low, cross_a, cross_b, high) = (a0 * b0, a1 * b0, a0 * b1, a1 * b1);
    let middle = (low >> 64) + (cross_a & u128::from(u64::MAX)) + (cross_b & u128::from(u64::MAX));
    let low = (low & u128::from(u64::MAX)) | (middle << 64);
    (high + (cross_a >> 64) + (cross_b >> 64) + (middle >> 64), low)
}

impl<R: Read + Send> Fold for Spread<R> {
    type Item = R::Item;
    fn read(column: &Column) -> Vals<'_, R::Item> {
        R::read(column)
    }
    fn resize(&mut self, group_count: usize) {
        self.groups.resize(group_count, Sums::default());
    }
    fn add(&mut self, group: usize, value: R::Item) -> Fault {
        let value: i128 = value.into();
        let sums = &mut self.groups[group];
        sums.count += 1;
        sums.reals.add(value as f64);
        let square = value.checked_mul(value);
        match (sums.sum.checked_add(value), square.and_then(|square| sums.squares.checked_add(square))) {
            (Some(sum), Some(squares)) => (sums.sum, sums.squares) = (sum, squares),
            (None, _) | (_, None) => sums.is_rough = true,
        }
        Fault::Ok
    }
    fn finish(&mut self, ret: Type) -> Result<Column, (Fault, usize)> {
        let mut values = Vec::with_capacity(self.groups.len());
        for (group, sums) in self.groups.iter().enumerate() {
            let units = self.units(sums, ret.scale());
            if units.is_none() && self.moment.divisor(sums.count).is_some() {
                return Err((Fault::OutOfRange, group));
            }
            values.push(units);
        }
        let known = present(values.iter().map(Option::is_some));
        let values = values.into_iter().map(Option::unwrap_or_default).collect();
        Ok(Column::new(ret, known, Data::I128(Lane::from_vec(values))))
    }
}

/// What is asked of pairs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Regression {
    Correlation,
    CovariancePopulation,
    CovarianceSample,
    Slope,
    Intercept,
    Fit,
    MeanX,
    MeanY,
    SquaresX,
    SquaresY,
    Products,
    Count,
}

/// Both values of pairs: the first is y, the second x.
pub(super) struct Pairs {
    which: Regression,
    groups: Vec<Pair>,
}

#[derive(Clone, Copy, Default)]
struct Pair {
    x: State,
    y: State,
    products: f64,
}

impl Pairs {
    pub(super) fn new(which: Regression) -> Pairs {
        Pairs { which, groups: Vec::new() }
    }
}

impl Pair {
    fn add(&mut self, y: f64, x: f64) {
        self.x.add(x);
        self.y.add(y);
        let count = self.x.count;
        if count > 1.0 {
            let (dx, dy) = (x * count - self.x.sum, y * count - self.y.sum);
            self.products += dx * dy / (count * (count - 1.0));
        } else if !x.is_finite() || !y.is_finite() {
            self.products = f64::NAN;
        }
    }

    fn answer(&self, which: Regression) -> Option<f64> {
        let (count, xx, yy, xy) = (self.x.count, self.x.squares, self.y.squares, self.products);
        if count < 1.0 {
            return None;
        }
        match which {
            Regression::Correlation => (xx != 0.0 && yy != 0.0).then(|| (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0)),
            Regression::CovariancePopulation => Some(xy / count),
            Regression::CovarianceSample => (count > 1.0).then(|| xy / (count - 1.0)),
            Regression::Slope => (xx != 0.0).then(|| xy / xx),
            Regression::Intercept => (xx != 0.0).then(|| (self.y.sum - self.x.sum * xy / xx) / count),
            Regression::Fit if xx == 0.0 => None,
            Regression::Fit if yy == 0.0 => Some(1.0),
            Regression::Fit => Some(xy * xy / (xx * yy)),
            Regression::MeanX => Some(self.x.sum / count),
            Regression::MeanY => Some(self.y.sum / count),
            Regression::SquaresX => Some(xx),
            Regression::SquaresY => Some(yy),
            Regression::Products => Some(xy),
            Regression::Count => Some(count),
        }
    }
}

impl Accumulator for Pairs {
    fn resize(&mut self, group_count: usize) {
        self.groups.resize(group_count, Pair::default());
    }

    fn update(&mut self, _groups: &[u32], _arg: Option<&Column>) -> Result<(), RowFault> {
        unreachable!("pairs have two values")
    }

    fn update_all(&mut self, _row_count: usize, _arg: Option<&Column>) -> Result<(), RowFault> {
        unreachable!("pairs have two values")
    }

    fn update_more(&mut self, groups: &[u32], args: &[Column]) -> Result<(), RowFault> {
        let (ys, xs) = (args[0].f64s(), args[1].f64s());
        for (row, group) in groups.iter().enumerate() {
            if !args[0].is_null(row) && !args[1].is_null(row) {
                self.groups[*group as usize].add(ys.at(row), xs.at(row));
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        if self.which == Regression::Count {
            let counts = self.groups.iter().map(|pair| pair.x.count as i64).collect();
            return Ok(Column::from_i64s(Type::Integer, counts));
        }
        Ok(reals(self.groups.iter().map(|pair| pair.answer(self.which)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{agg::find, ty::TypeClass, value::Value};

    fn text(name: &str, values: &[i64]) -> String {
        let mut accumulator = (find(name, Some(TypeClass::Integer)).expect("listed").accumulator)(Type::Integer);
        accumulator.resize(1);
        let column = Column::from_i64s(Type::Integer, values.to_vec());
        accumulator.update_all(values.len(), Some(&column)).expect("small");
        accumulator.finish().expect("small").value(0).to_string()
    }

    #[test]
    fn spreads_are_exact_to_their_last_digit() {
        assert_eq!(text("variance", &[1, 2, 3, 4]), "1.6666666666666667");
        assert_eq!(text("stddev", &[1, 2, 3, 4]), "1.2909944487358056");
        assert_eq!(text("var_pop", &[1, 2, 3, 4]), "1.2500000000000000");
        assert_eq!(text("stddev_pop", &[5]), "0.0000000000000000");
        assert_eq!(text("stddev", &[5]), "");
        assert!(text("stddev", &[i64::MAX, i64::MIN, 0]).starts_with("92233720368547"));
    }

    #[test]
    fn pairs_vary_together() {
        let column = |values: &[f64]| Column::from_f64s(values.to_vec());
        let of = |name| {
            let mut accumulator = (find(name, Some(TypeClass::Real)).expect("listed").accumulator)(Type::Real);
            accumulator.resize(1);
            let args = [column(&[2.0, 4.0, 6.0]), column(&[1.0, 2.0, 3.0])];
            accumulator.update_more(&[0, 0, 0], &args).expect("small");
            accumulator.finish().expect("small").value(0)
        };
        assert_eq!(of("corr"), Value::Real(1.0));
        assert_eq!(of("regr_slope"), Value::Real(2.0));
        assert_eq!(of("regr_intercept"), Value::Real(0.0));
        assert_eq!(of("covar_samp"), Value::Real(2.0));
        assert_eq!(of("regr_count"), Value::Integer(3));
    }
}
