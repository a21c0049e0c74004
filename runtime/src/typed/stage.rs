//! How does a generated loop become a stage of a pipeline, and what may it call?
//!
//! Generated code implements [`Stage`]: one pass over a batch that gathers faults without branching. [`Compiled`] makes it
//! an `Eval`: when a batch had a fault, its rows are asked one by one, so that the error is that of the first row, with
//! its arguments, as the interpreter tells it. The functions beneath read columns as plain slices and build columns.
//!
//! Not here: folds (`fold`), opening scans (`stmt`).

use crate::ops::{BoxEval, BoxSource, Eval, ExecError, NoAnswer, Pipe, Place};
use spectradb_kernel::{
    Batch, Column, Type, Value,
    bitmap::Bitmap,
    column::{ByteSink, Data, Vals},
    func::{
        Fault, RowFault,
        lift::{Class as _, class, class::Texts},
    },
    ty::TypeClass,
};
use std::borrow::Cow;

/// What a loop does about the faults of its calls.
pub trait Faults {
    /// Takes a call's fault; it counts only where all arguments have values.
    fn raise(&mut self, fault: Fault, counts: bool, report: impl FnOnce() -> RowError);

    /// Takes what a row asked of a subplan and was not told.
    fn unanswered(&mut self, why: Option<&NoAnswer>);
}

/// An error without the fault's kind, which the call gives.
#[derive(Debug)]
pub struct RowError {
    function: &'static str,
    ret: TypeClass,
    args: Vec<Value>,
    place: Place,
}

/// What is told of a call that failed.
pub fn row_error(function: &'static str, ret: TypeClass, args: Vec<Value>, place: Place) -> RowError {
    RowError { function, ret, args, place }
}

/// Notes only that there was a fault.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gather(u8);

impl Gather {
    /// Was there a fault?
    pub(super) fn any(self) -> bool {
        self.0 != 0
    }
}

impl Faults for Gather {
    #[inline(always)]
    fn raise(&mut self, fault: Fault, counts: bool, _report: impl FnOnce() -> RowError) {
        self.0 |= fault as u8 * u8::from(counts);
    }

    #[inline(always)]
    fn unanswered(&mut self, why: Option<&NoAnswer>) {
        self.0 |= u8::from(why.is_some());
    }
}

/// Keeps the first fault with all that is told of it.
#[derive(Debug, Default)]
pub struct First(Option<ExecError>);

impl First {
    /// The value, unless there was a fault.
    ///
    /// # Errors
    /// The first fault.
    pub fn done<T>(&mut self, value: T) -> Result<T, ExecError> {
        match self.0.take() {
            None => Ok(value),
            Some(error) => Err(error),
        }
    }
}

impl Faults for First {
    fn raise(&mut self, fault: Fault, counts: bool, report: impl FnOnce() -> RowError) {
        if fault != Fault::Ok && counts && self.0.is_none() {
            let RowError { function, ret, args, place } = report();
            self.0 = Some(ExecError::row(RowFault { fault, function, ret, row: 0, args }, place));
        }
    }

    fn unanswered(&mut self, why: Option<&NoAnswer>) {
        if self.0.is_none() {
            self.0 = why.map(NoAnswer::error);
        }
    }
}

/// A generated stage.
pub trait Stage: Send {
    /// Can a row fail?
    const FALLIBLE: bool;

    /// The stage's columns for the rows that it lets through.
    fn run<F: Faults>(&mut self, input: &Batch, faults: &mut F) -> Batch;
}

/// A generated stage as an `Eval`.
struct Compiled<S>(S);

impl<S: Stage> Eval for Compiled<S> {
    fn eval(&mut self, input: &Batch) -> Result<Batch, ExecError> {
        let mut faults = Gather::default();
        let output = self.0.run(input, &mut faults);
        if !S::FALLIBLE || !faults.any() {
            return Ok(output);
        }
        for row in 0..input.len() {
            let mut first = First::default();
            let one = self.0.run(&input.slice(row..row + 1), &mut first);
            first.done(one)?;
        }
        unreachable!("the row that failed in the batch fails alone")
    }
}

/// A stage over an operator's batches.
pub fn pipe<S: Stage + 'static>(input: BoxSource, stage: S) -> BoxSource {
    Box::new(Pipe::new(input, Box::new(Compiled(stage))))
}

/// A stage as an operator takes it.
pub fn stage<S: Stage + 'static>(stage: S) -> BoxEval {
    Box::new(Compiled(stage))
}

fn spread<T: Copy>(values: Vals<'_, T>, len: usize) -> Cow<'_, [T]> {
    match values {
        Vals::One(value) => Cow::Owned(vec![value; len]),
        Vals::Many(values) => values,
    }
}

/// The integers of a column, one a row.
pub fn i64s(column: &Column) -> Cow<'_, [i64]> {
    spread(column.i64s(), column.len())
}

/// The reals of a column, one a row.
pub fn f64s(column: &Column) -> Cow<'_, [f64]> {
    spread(column.f64s(), column.len())
}

/// The decimals' units of a column, one a row.
pub fn i128s(column: &Column) -> Cow<'_, [i128]> {
    spread(column.i128s(), column.len())
}

/// The booleans of a column, one a row.
pub fn bools(column: &Column) -> Cow<'_, [u8]> {
    spread(column.bools(), column.len())
}

/// The texts of a column.
pub fn texts(column: &Column) -> Texts<'_> {
    class::Text::store(column)
}

/// Which rows of a column have a value, one a row.
pub fn present(column: &Column) -> Vec<bool> {
    match (column.as_const(), column.validity()) {
        (Some(value), _) => vec![!value.is_null(); column.len()],
        (None, None) => vec![true; column.len()],
        (None, Some(bits)) => bits.iter().collect(),
    }
}

fn column(ty: Type, data: Data, present: Option<Vec<bool>>) -> Column {
    let validity = present.filter(|bits| bits.contains(&false)).map(|bits| Bitmap::from_bools(bits.into_iter()));
    Column::new(ty, validity, data)
}

/// A computed column of integers, dates or timestamps.
pub fn i64_column(ty: Type, values: Vec<i64>, present: Option<Vec<bool>>) -> Column {
    column(ty, Data::I64(values.into()), present)
}

/// A computed column of reals.
pub fn f64_column(ty: Type, values: Vec<f64>, present: Option<Vec<bool>>) -> Column {
    column(ty, Data::F64(values.into()), present)
}

/// A computed column of decimals.
pub fn i128_column(ty: Type, values: Vec<i128>, present: Option<Vec<bool>>) -> Column {
    column(ty, Data::I128(values.into()), present)
}

/// A computed column of booleans.
pub fn bool_column(ty: Type, values: Vec<u8>, present: Option<Vec<bool>>) -> Column {
    column(ty, Data::Bool(values.into()), present)
}

/// A computed column of texts, JSON texts or blobs.
pub fn bytes_column(ty: Type, values: ByteSink, present: Option<Vec<bool>>) -> Column {
    column(ty, Data::Bytes(values.finish()), present)
}

/// A column of one constant.
pub fn constant_column(ty: Type, value: Value, len: usize) -> Column {
    Column::constant(ty, value, len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spectradb_kernel::func::arith;

    /// 100 / x, as generated code writes it.
    struct Divide;

    impl Stage for Divide {
        const FALLIBLE: bool = true;
        fn run<F: Faults>(&mut self, input: &Batch, faults: &mut F) -> Batch {
            let column = input.column(0);
            let (values, present) = (i64s(&column), present(&column));
            let mut out = vec![0; input.len()];
            for row in 0..input.len() {
                let (value, fault) = arith::div_i64(100, values[row]);
                let report = || {
                    let args = vec![Value::Integer(100), Value::Integer(values[row])];
                    row_error("/", TypeClass::Integer, args, Place { start: 7, end: 14 })
                };
                faults.raise(fault, present[row], report);
                out[row] = value;
            }
            Batch::new(vec![i64_column(Type::Integer, out, Some(present))], input.len())
        }
    }

    fn divide(values: &[Option<i64>]) -> Result<Batch, ExecError> {
        let values: Vec<Value> = values.iter().map(|value| (*value).into()).collect();
        let batch = Batch::new(vec![Column::from_values(Type::Integer, &values)], values.len());
        stage(Divide).eval(&batch)
    }

    #[test]
    fn the_first_row_that_fails_is_told() {
        // The slot of a NULL holds 0, and dividing by it is no fault.
        let halves = divide(&[Some(2), None]).expect("no fault");
        assert_eq!(halves.column(0).value(0), Value::Integer(50));
        assert!(halves.column(0).is_null(1));
        let error = divide(&[Some(2), Some(0), Some(0)]).expect_err("a fault");
        assert_eq!((error.code(), error.to_string().as_str()), ("22012", "division by zero"));
        assert_eq!(error.place(), Some(Place { start: 7, end: 14 }));
    }
}
