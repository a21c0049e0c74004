//! What does a subplan answer to the expressions that ask it?
//!
//! A subplan runs when the first expression asks, once for each kind of question, as in the interpreter. Where its data has no
//! answer, that is an error of the rows that ask ([`NoAnswer`]), and there may be none. Answers to `IN` are a set of the
//! values' sort keys, in which each row's needle is looked up.

use crate::ops::{BoxSource, ExecError, NoAnswer, Place, asked};
use spectradb_kernel::{
    Batch, Column, Type, Value,
    array::Array,
    big_numeric::BigNumeric,
    key::{self, SortOrder},
    ty::ElementType,
    value::Decimal,
};
use std::{cell::RefCell, collections::HashSet, sync::Arc};

use super::row::date_of;

/// An answer, or why there is none.
#[derive(Clone, Debug)]
pub struct Asked<T>(Result<T, NoAnswer>);

impl<T> Asked<T> {
    /// The answer.
    #[inline(always)]
    pub fn value(&self) -> Option<&T> {
        self.0.as_ref().ok()
    }

    /// Why there is none.
    #[inline(always)]
    pub fn failed(&self) -> Option<&NoAnswer> {
        self.0.as_ref().err()
    }
}

/// A subplan with what it has answered so far.
pub struct Subplan<F> {
    open: F,
    scalar: RefCell<Option<Value>>,
    exists: RefCell<Option<bool>>,
    set: RefCell<Option<AnswerSet>>,
}

impl<F: Fn() -> Result<BoxSource, ExecError>> Subplan<F> {
    /// A subplan that is opened so.
    pub fn new(open: F) -> Subplan<F> {
        Subplan { open, scalar: RefCell::default(), exists: RefCell::default(), set: RefCell::default() }
    }

    /// Its one value.
    fn scalar<T>(&self, place: Place, of: impl FnOnce(Value) -> Option<T>) -> Result<Asked<Option<T>>, ExecError> {
        asked(self.value(place).map(of)).map(Asked)
    }

    fn value(&self, place: Place) -> Result<Value, ExecError> {
        if let Some(value) = &*self.scalar.borrow() {
            return Ok(value.clone());
        }
        let mut source = (self.open)()?;
        let mut value = None;
        while let Some(batch) = source.next()? {
            if value.is_some() || batch.len() > 1 {
                return Err(ExecError::ManyRows { place });
            }
            value = Some(batch.column(0).value(0));
        }
        let value = value.unwrap_or(Value::Null);
        *self.scalar.borrow_mut() = Some(value.clone());
        Ok(value)
    }

    /// Its one BOOLEAN.
    ///
    /// # Errors
    /// What stops the statement, whoever asks.
    pub fn boolean(&self, place: Place) -> Result<Asked<Option<bool>>, ExecError> {
        self.scalar(place, |value| match value {
            Value::Boolean(value) => Some(value),
            _ => None,
        })
    }

    /// The lane's number of its one INTEGER, or of a point of time.
    ///
    /// # Errors
    /// As [`Subplan::boolean`].
    pub fn integer(&self, place: Place) -> Result<Asked<Option<i64>>, ExecError> {
        self.scalar(place, |value| value.lane_i64())
    }

    /// Its one REAL.
    ///
    /// # Errors
    /// As [`Subplan::boolean`].
    pub fn real(&self, place: Place) -> Result<Asked<Option<f64>>, ExecError> {
        self.scalar(place, |value| match value {
            Value::Real(value) => Some(value),
            _ => None,
        })
    }

    /// The lane's number of its one NUMERIC, INTERVAL or UUID.
    ///
    /// # Errors
    /// As [`Subplan::boolean`].
    pub fn numeric(&self, place: Place) -> Result<Asked<Option<i128>>, ExecError> {
        self.scalar(place, |value| value.lane_i128())
    }

    /// Its one TEXT or JSON text.
    ///
    /// # Errors
    /// As [`Subplan::boolean`].
    pub fn text(&self, place: Place) -> Result<Asked<Option<String>>, ExecError> {
        self.scalar(place, |value| match value {
            Value::Text(text) | Value::Json(text) => Some(text),
            _ => None,
        })
    }

    /// Its one BLOB.
    ///
    /// # Errors
    /// As [`Subplan::boolean`].
    pub fn blob(&self, place: Place) -> Result<Asked<Option<Vec<u8>>>, ExecError> {
        self.scalar(place, |value| match value {
            Value::Blob(blob) => Some(blob),
            Value::Array(array) => Some(array.bytes().to_vec()),
            Value::BigNumeric(number) => Some(number.bytes().to_vec()),
            _ => None,
        })
    }

    /// Does it have a row?
    ///
    /// # Errors
    /// As [`Subplan::boolean`].
    pub fn exists(&self) -> Result<Asked<bool>, ExecError> {
        if let Some(exists) = *self.exists.borrow() {
            return Ok(Asked(Ok(exists)));
        }
        let exists = asked((self.open)().and_then(|mut source| source.next()).map(|batch| batch.is_some()))?;
        *self.exists.borrow_mut() = exists.as_ref().ok().copied();
        Ok(Asked(exists))
    }

    /// The values of its one column.
    ///
    /// # Errors
    /// As [`Subplan::boolean`].
    pub fn set(&self) -> Result<Asked<AnswerSet>, ExecError> {
        if let Some(set) = &*self.set.borrow() {
            return Ok(Asked(Ok(set.clone())));
        }
        let set = asked((self.open)().and_then(AnswerSet::read))?;
        *self.set.borrow_mut() = set.as_ref().ok().cloned();
        Ok(Asked(set))
    }
}

/// The values of a subplan's one column.
#[derive(Clone, Debug)]
pub struct AnswerSet(Arc<Answers>);

#[derive(Debug, Default)]
struct Answers {
    keys: HashSet<Box<[u8]>>,
    has_null: bool,
    is_empty: bool,
}

/// What is looked for, with its class; NULL is `None`. Decimals have the values' scale.
#[derive(Clone, Copy, Debug)]
pub enum Needle<'n> {
    /// A BOOLEAN.
    Boolean(Option<bool>),
    /// An INTEGER.
    Integer(Option<i64>),
    /// A REAL.
    Real(Option<f64>),
    /// The units of a NUMERIC.
    Numeric(Option<i128>),
    /// A TEXT.
    Text(Option<&'n str>),
    /// A BLOB.
    Blob(Option<&'n [u8]>),
    /// A DATE, in days.
    Date(Option<i64>),
    /// A TIMESTAMP, in microseconds.
    Timestamp(Option<i64>),
    /// A JSON text.
    Json(Option<&'n str>),
    /// A TIME, in microseconds.
    Time(Option<i64>),
    /// A TIMESTAMPTZ, in microseconds.
    TimestampTz(Option<i64>),
    /// The lane's number of an INTERVAL.
    Interval(Option<i128>),
    /// The lane's number of a UUID.
    Uuid(Option<i128>),
    /// The bytes of an array.
    Array(Option<&'n [u8]>),
    /// The bytes of a NUMERIC of any length.
    BigNumeric(Option<&'n [u8]>),
}

impl Needle<'_> {
    fn column(self) -> Column {
        let numeric = Type::Numeric { precision: 38, scale: 0 };
        let (ty, value) = match self {
            Needle::Boolean(value) => (Type::Boolean, value.into()),
            Needle::Integer(value) => (Type::Integer, value.into()),
            Needle::Real(value) => (Type::Real, value.into()),
            Needle::Numeric(units) => (numeric, units.map(|units| Decimal { units, scale: 0 }).into()),
            Needle::Text(value) => (Type::Text, value.into()),
            Needle::Blob(value) => (Type::Blob, value.into()),
            Needle::Date(days) => (Type::Date, days.map(date_of).into()),
            Needle::Timestamp(at) => (Type::Timestamp, at.map(spectradb_kernel::time::Timestamp).into()),
            Needle::Json(value) => (Type::Json, value.map_or(Value::Null, |text| Value::Json(text.to_owned()))),
            Needle::Time(at) => (Type::Time, at.map_or(Value::Null, |at| Value::of_i64(Type::Time, at))),
            Needle::TimestampTz(at) => {
                (Type::TimestampTz, at.map_or(Value::Null, |at| Value::of_i64(Type::TimestampTz, at)))
            }
            Needle::Interval(lane) => {
                (Type::Interval, lane.map_or(Value::Null, |lane| Value::of_i128(Type::Interval, lane)))
            }
            Needle::Array(bytes) => {
                let array = bytes.map(|bytes| Array::from_bytes(bytes.to_vec()));
                let element = array.as_ref().map_or(ElementType::TEXT, Array::element);
                (Type::Array(element), array.into())
            }
            Needle::BigNumeric(bytes) => {
                (Type::BigNumeric, bytes.map(|bytes| BigNumeric::from_bytes(bytes.to_vec())).into())
            }
            Needle::Uuid(lane) => (Type::Uuid, lane.map_or(Value::Null, |lane| Value::of_i128(Type::Uuid, lane))),
        };
        Column::constant(ty, value, 1)
    }
}

fn sort_key(column: &Column, row: usize) -> Box<[u8]> {
    let mut bytes = Vec::new();
    key::sort_key(std::slice::from_ref(column), &[SortOrder::ASCENDING], row, &mut bytes);
    bytes.into()
}

impl AnswerSet {
    fn read(mut source: BoxSource) -> Result<AnswerSet, ExecError> {
        let mut answers = Answers { is_empty: true, ..Answers::default() };
        while let Some(batch) = source.next()? {
            answers.take(&batch);
        }
        Ok(AnswerSet(Arc::new(answers)))
    }

    /// Three-valued: true where the needle is there; otherwise unknown where it is NULL or a NULL is among the values;
    /// otherwise false. Among no values nothing is, not even unknown.
    pub fn has(&self, needle: Needle<'_>) -> Option<bool> {
        if self.0.is_empty {
            return Some(false);
        }
        let column = needle.column();
        if column.is_null(0) {
            return None;
        }
        if self.0.keys.contains(&sort_key(&column, 0)) {
            return Some(true);
        }
        if self.0.has_null { None } else { Some(false) }
    }
}

impl Answers {
    fn take(&mut self, batch: &Batch) {
        self.is_empty = false;
        let column = batch.column(0);
        for row in 0..batch.len() {
            if column.is_null(row) {
                self.has_null = true;
            } else {
                self.keys.insert(sort_key(&column, row));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Values;

    fn subplan(values: &[Option<i64>]) -> Subplan<impl Fn() -> Result<BoxSource, ExecError>> {
        let values: Vec<Value> = values.iter().map(|value| (*value).into()).collect();
        let batch = Batch::new(vec![Column::from_values(Type::Integer, &values)], values.len());
        Subplan::new(move || Ok(Box::new(Values::new(vec![batch.clone()])) as BoxSource))
    }

    /// What the rows that ask are told; an error by its SQLSTATE.
    fn told<T: Clone>(asked: Result<Asked<T>, ExecError>) -> Result<T, &'static str> {
        asked.expect("nothing stops it").0.map_err(|why| why.error().code())
    }

    #[test]
    fn unknown_stays_unknown() {
        let has = |values: &[Option<i64>], needle| {
            told(subplan(values).set()).expect("no fault").has(Needle::Integer(needle))
        };
        assert_eq!([Some(1), None].map(|needle| has(&[], needle)), [Some(false); 2]);
        assert_eq!(
            [Some(1), Some(9), None].map(|needle| has(&[Some(2), Some(1)], needle)),
            [Some(true), Some(false), None]
        );
        assert_eq!([Some(1), Some(9)].map(|needle| has(&[Some(1), None], needle)), [Some(true), None]);
    }

    #[test]
    fn a_scalar_is_one_row_or_null() {
        let place = Place::default();
        assert_eq!(told(subplan(&[]).integer(place)), Ok(None));
        assert_eq!(told(subplan(&[Some(4)]).integer(place)), Ok(Some(4)));
        assert_eq!(told(subplan(&[Some(4), None]).integer(place)), Err("21000"));
        assert_eq!(told(subplan(&[None]).exists()), Ok(true));
        assert_eq!(told(subplan(&[]).exists()), Ok(false));
    }

    #[test]
    fn what_stops_a_statement_stops_it_whoever_asks() {
        let stopped = Subplan::new(|| Err(ExecError::Cancelled));
        assert_eq!(stopped.exists().map_err(|error| error.code()).map(drop), Err("57014"));
    }
}
