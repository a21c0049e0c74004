//! How does an ungrouped aggregate fold its rows in the loop that filters them?
//!
//! Each fold takes a copy of its state into the loop, where adding has no branch: a row that does not count adds what
//! changes nothing. After the batch the state goes back and is checked.
//!
//! Holds: the results are those of the kernel's accumulators: integers exact, reals added in row order. Adding -0.0 leaves
//! every real as it is, -0.0 itself included, so a row that does not count leaves no trace.
//! Not here: which aggregates are folded so (`spectradb_codegen::fold`).

use super::stage::{Faults, First, Gather, row_error};
use crate::ops::{BoxSource, ExecError, Place, Source};
use spectradb_kernel::{
    Batch, Column, Type, Value,
    func::{Fault, RowFault},
    ty::TypeClass,
};

/// A generated loop that filters and folds.
pub trait Fold: Send + Sized {
    /// Folds a batch.
    fn run<F: Faults>(&mut self, batch: &Batch, faults: &mut F);
    /// A copy with the same state.
    fn save(&self) -> Self;
    /// The results, one row each.
    ///
    /// # Errors
    /// A result that does not fit its type.
    fn finish(&mut self) -> Result<Vec<Column>, ExecError>;
}

/// One row: what a fold makes of its input.
struct Folded<F> {
    input: Option<BoxSource>,
    fold: F,
}

impl<F: Fold> Source for Folded<F> {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        let Some(mut input) = self.input.take() else { return Ok(None) };
        while let Some(batch) = input.next()? {
            let before = self.fold.save();
            let mut faults = Gather::default();
            self.fold.run(&batch, &mut faults);
            if faults.any() {
                // Perhaps no row is at fault (a sum became infinite because a value was): then the state is the same.
                self.fold = before;
                for row in 0..batch.len() {
                    let mut first = First::default();
                    self.fold.run(&batch.slice(row..row + 1), &mut first);
                    first.done(())?;
                }
            }
        }
        Ok(Some(Batch::new(self.fold.finish()?, 1)))
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        unreachable!("the step of a recursion is not fused")
    }
}

/// The row that a fold makes of an operator's batches.
pub fn folded<F: Fold + 'static>(input: BoxSource, fold: F) -> BoxSource {
    Box::new(Folded { input: Some(input), fold })
}

/// `count`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count(i64);

impl Count {
    /// The state for a batch.
    pub fn begin(&self) -> Count {
        *self
    }

    /// Counts a row that counts.
    #[inline(always)]
    pub fn add(&mut self, counts: bool) {
        self.0 += i64::from(counts);
    }

    /// Takes the state back.
    pub fn end(&mut self, state: Count, _faults: &mut impl Faults, _place: Place) {
        *self = state;
    }

    /// The result.
    ///
    /// # Errors
    /// None.
    pub fn finish(&self, ty: Type, _place: Place) -> Result<Column, ExecError> {
        Ok(Column::constant(ty, Value::Integer(self.0), 1))
    }
}

/// `sum(INTEGER)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SumInteger {
    sum: i128,
    count: u64,
    /// The low and high halves of a batch's values: neither passes 64 bits, and the loop has no carry.
    low: u64,
    high: i64,
}

impl SumInteger {
    /// The state for a batch.
    pub fn begin(&self) -> SumInteger {
        SumInteger { low: 0, high: 0, ..*self }
    }

    /// Adds a value that counts.
    #[inline(always)]
    pub fn add(&mut self, value: i64, counts: bool) {
        // A mask, not a choice: the compiler must not make a branch of it that the data decides.
        let value = value & -i64::from(counts);
        self.low += value as u64 & 0xffff_ffff;
        self.high += value >> 32;
        self.count += u64::from(counts);
    }

    /// Takes the state back.
    pub fn end(&mut self, state: SumInteger, _faults: &mut impl Faults, _place: Place) {
        self.count = state.count;
        self.sum = state.sum + (i128::from(state.high) << 32) + i128::from(state.low);
    }

    /// The result.
    ///
    /// # Errors
    /// A sum beyond 64 bits.
    pub fn finish(&self, ty: Type, place: Place) -> Result<Column, ExecError> {
        if self.count == 0 {
            return Ok(Column::constant(ty, Value::Null, 1));
        }
        match i64::try_from(self.sum) {
            Ok(sum) => Ok(Column::constant(ty, Value::Integer(sum), 1)),
            Err(_) => {
                let fault = RowFault {
                    fault: Fault::OutOfRange,
                    function: "sum",
                    ret: TypeClass::Integer,
                    row: 0,
                    args: Vec::new(),
                };
                Err(ExecError::row(fault, place))
            }
        }
    }
}

/// `sum(REAL)`.
#[derive(Clone, Copy, Debug)]
pub struct SumReal {
    sum: f64,
    count: u64,
    /// What the last row of a batch added.
    last: f64,
}

impl Default for SumReal {
    fn default() -> SumReal {
        SumReal { sum: 0.0, count: 0, last: 0.0 }
    }
}

impl SumReal {
    /// The state for a batch.
    pub fn begin(&self) -> SumReal {
        *self
    }

    /// Adds a value that counts.
    #[inline(always)]
    pub fn add(&mut self, value: f64, counts: bool) {
        // A mask, not a choice: the compiler must not make a branch of it that the data decides.
        let mask = u64::from(counts).wrapping_neg();
        let value = f64::from_bits((value.to_bits() & mask) | ((-0.0f64).to_bits() & !mask));
        self.sum += value;
        self.count += u64::from(counts);
        self.last = value;
    }

    /// Takes the state back. A sum of finite values that leaves the range is a fault. Where several rows were added the rows
    /// are asked one by one, and the last value of a lone row tells whether it was finite itself; watching every value would
    /// halve the loop's speed.
    pub fn end(&mut self, state: SumReal, faults: &mut impl Faults, place: Place) {
        let overflowed = self.sum.is_finite() && !state.sum.is_finite();
        let several = state.count - self.count > 1;
        let before = std::mem::replace(self, state).sum;
        if overflowed && (state.last.is_finite() || several) {
            let report = || row_error("sum", TypeClass::Real, vec![Value::Real(before)], place);
            faults.raise(Fault::OutOfRange, true, report);
        }
    }

    /// The result.
    ///
    /// # Errors
    /// None.
    pub fn finish(&self, ty: Type, _place: Place) -> Result<Column, ExecError> {
        let value = if self.count == 0 { Value::Null } else { Value::Real(self.sum) };
        Ok(Column::constant(ty, value, 1))
    }
}

/// `avg(REAL)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanReal(SumReal);

impl MeanReal {
    /// The state for a batch.
    pub fn begin(&self) -> MeanReal {
        MeanReal(self.0.begin())
    }

    /// Adds a value that counts.
    #[inline(always)]
    pub fn add(&mut self, value: f64, counts: bool) {
        self.0.add(value, counts);
    }

    /// Takes the state back, as [`SumReal::end`].
    pub fn end(&mut self, state: MeanReal, faults: &mut impl Faults, place: Place) {
        self.0.end(state.0, faults, place);
    }

    /// The result.
    ///
    /// # Errors
    /// None.
    pub fn finish(&self, ty: Type, _place: Place) -> Result<Column, ExecError> {
        let SumReal { sum, count, last: _ } = self.0;
        let value = if count == 0 { Value::Null } else { Value::Real(sum / count as f64) };
        Ok(Column::constant(ty, value, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Values;
    use spectradb_kernel::agg;

    #[derive(Default)]
    struct Sums {
        real: SumReal,
        count: Count,
    }

    impl Fold for Sums {
        fn run<F: Faults>(&mut self, batch: &Batch, faults: &mut F) {
            let column = batch.column(0);
            let values = super::super::stage::f64s(&column);
            let (mut real, mut count) = (self.real.begin(), self.count.begin());
            for value in values.iter() {
                let keep = *value != 7.0;
                real.add(*value, keep);
                count.add(keep);
            }
            self.real.end(real, faults, Place::default());
            self.count.end(count, faults, Place::default());
        }
        fn save(&self) -> Sums {
            Sums { real: self.real, count: self.count }
        }
        fn finish(&mut self) -> Result<Vec<Column>, ExecError> {
            Ok(vec![
                self.real.finish(Type::Real, Place::default())?,
                self.count.finish(Type::Integer, Place::default())?,
            ])
        }
    }

    fn fold(batches: &[&[f64]]) -> Result<Value, &'static str> {
        let batches = batches.iter().map(|values| Batch::new(vec![Column::from_f64s(values.to_vec())], values.len()));
        let mut folded = folded(Box::new(Values::new(batches.collect())), Sums::default());
        match folded.next() {
            Ok(batch) => Ok(batch.expect("always a row").column(0).value(0)),
            Err(error) => Err(error.code()),
        }
    }

    /// The fused sum is the accumulator's, whose order of adding is the law, even where it overflows.
    #[test]
    fn reals_add_up_as_the_accumulator_adds_them() {
        let cases: &[&[&[f64]]] = &[
            &[&[0.1, 0.2, 7.0, 0.3], &[1e300, -1e300, 0.7]],
            &[&[f64::MAX, f64::MAX]],
            &[&[f64::MAX, 7.0], &[f64::MAX]],
            &[&[1.0, f64::INFINITY], &[2.0, f64::NEG_INFINITY]],
            &[&[f64::MAX, f64::MAX, f64::INFINITY]],
            &[&[f64::INFINITY, f64::MAX, f64::MAX]],
            &[&[-0.0, 7.0]],
            &[&[7.0]],
            &[],
        ];
        for batches in cases {
            let aggregate = agg::find("sum", Some(TypeClass::Real)).expect("it is in the table");
            let mut accumulator = (aggregate.accumulator)(Type::Real);
            accumulator.resize(1);
            let mut expected = Ok(());
            for batch in *batches {
                let kept: Vec<f64> = batch.iter().copied().filter(|value| *value != 7.0).collect();
                expected = expected.and_then(|()| accumulator.update_all(kept.len(), Some(&Column::from_f64s(kept))));
            }
            let expected = match expected.and_then(|()| accumulator.finish()) {
                Ok(column) => Ok(column.value(0)),
                Err(fault) => Err(fault.sqlstate()),
            };
            let shown = |result: &Result<Value, &'static str>| format!("{result:?}");
            assert_eq!(shown(&fold(batches)), shown(&expected), "{batches:?}");
        }
    }

    #[test]
    fn integers_add_up_beyond_their_range_on_the_way() {
        let mut sum = SumInteger::default();
        let mut state = sum.begin();
        for value in [i64::MAX, i64::MAX, -5, i64::MIN, i64::MIN, 6] {
            state.add(value, true);
        }
        state.add(99, false);
        sum.end(state, &mut Gather::default(), Place::default());
        let column = sum.finish(Type::Integer, Place::default()).expect("it fits");
        assert_eq!(column.value(0), Value::Integer(-1));
    }
}
