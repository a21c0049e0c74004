//! What does a subplan answer to the expressions that ask it?
//!
//! A subplan runs when the first expression asks, once for each kind of question, as in the interpreter. Answers to
//! `IN` are a set of the values' sort keys, in which each row's needle is looked up.

use crate::ops::{BoxSource, ExecError, Place};
use spectradb_kernel::{
    Batch, Column, Type, Value,
    array::Array,
    key::{self, SortOrder},
    ty::ElementType,
    value::Decimal,
};
use std::{cell::RefCell, collections::HashSet, sync::Arc};

use super::row::date_of;

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

    fn scalar(&self, place: Place) -> Result<Value, ExecError> {
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
    /// More than one row; what it meets.
    pub fn boolean(&self, place: Place) -> Result<Option<bool>, ExecError> {
        Ok(match self.scalar(place)? {
            Value::Boolean(value) => Some(value),
            _ => None,
        })
    }

    /// Its one INTEGER, DATE or TIMESTAMP.
    ///
    /// # Errors
    /// As [`Subplan::boolean`].
    pub fn integer(&self, place: Place) -> Result<Option<i64>, ExecError> {
        Ok(match self.scalar(place)? {
            Value::Integer(value) => Some(value),
            Value::Date(date) => Some(i64::from(date.0)),
            Value::Timestamp(at) => Some(at.0),
            _ => None,
        })
    }

    /// Its one REAL.
    ///
    /// # Errors
    /// As [`Subplan::boolean`].
    pub fn real(&self, place: Place) -> Result<Option<f64>, ExecError> {
        Ok(match self.scalar(place)? {
            Value::Real(value) => Some(value),
            _ => None,
        })
    }

    /// The units of its one NUMERIC.
    ///
    /// # Errors
    /// As [`Subplan::boolean`].
    pub fn numeric(&self, place: Place) -> Result<Option<i128>, ExecError> {
        Ok(match self.scalar(place)? {
            Value::Numeric(value) => Some(value.units),
            _ => None,
        })
    }

    /// Its one TEXT or JSON text.
    ///
    /// # Errors
    /// As [`Subplan::boolean`].
    pub fn text(&self, place: Place) -> Result<Option<String>, ExecError> {
        Ok(match self.scalar(place)? {
            Value::Text(text) | Value::Json(text) => Some(text),
            _ => None,
        })
    }

    /// Its one BLOB.
    ///
    /// # Errors
    /// As [`Subplan::boolean`].
    pub fn blob(&self, place: Place) -> Result<Option<Vec<u8>>, ExecError> {
        Ok(match self.scalar(place)? {
            Value::Blob(blob) => Some(blob),
            Value::Array(array) => Some(array.bytes().to_vec()),
            _ => None,
        })
    }

    /// Does it have a row?
    ///
    /// # Errors
    /// What it meets.
    pub fn exists(&self) -> Result<bool, ExecError> {
        if let Some(exists) = *self.exists.borrow() {
            return Ok(exists);
        }
        let exists = (self.open)()?.next()?.is_some();
        *self.exists.borrow_mut() = Some(exists);
        Ok(exists)
    }

    /// The values of its one column.
    ///
    /// # Errors
    /// What it meets.
    pub fn set(&self) -> Result<AnswerSet, ExecError> {
        if let Some(set) = &*self.set.borrow() {
            return Ok(set.clone());
        }
        let set = AnswerSet::read((self.open)()?)?;
        *self.set.borrow_mut() = Some(set.clone());
        Ok(set)
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

    #[test]
    fn unknown_stays_unknown() {
        let has =
            |values: &[Option<i64>], needle| subplan(values).set().expect("no fault").has(Needle::Integer(needle));
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
        assert_eq!(subplan(&[]).integer(place).ok(), Some(None));
        assert_eq!(subplan(&[Some(4)]).integer(place).ok(), Some(Some(4)));
        assert_eq!(subplan(&[Some(4), None]).integer(place).map_err(|error| error.code()), Err("21000"));
        assert_eq!(subplan(&[None]).exists().ok(), Some(true));
        assert_eq!(subplan(&[]).exists().ok(), Some(false));
    }
}
