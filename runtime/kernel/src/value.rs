//! What is one datum, on its own?
//!
//! Contract. Values cross the API and stand for constants; inside the engine data travels in columns. Equality here is
//! structural (NULL equals NULL, a NUMERIC equals only one of its own scale); SQL's comparison lives in
//! [`crate::func`], the total order of keys and sorting in [`crate::key`].

use crate::{
    array::Array,
    big_numeric::BigNumeric,
    interval::Interval,
    time::{Date, Time, Timestamp, TimestampTz},
    ty::{ElementType, Type, TypeClass},
    uuid::Uuid,
};
use std::fmt;

/// An exact decimal number: `units * 10^-scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// How many units of `10^-scale`.
    pub units: i128,
    /// Digits after the point, 0 to 38.
    pub scale: u8,
}

/// One datum of any type, or NULL.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A BOOLEAN.
    Boolean(bool),
    /// An INTEGER.
    Integer(i64),
    /// A REAL.
    Real(f64),
    /// A NUMERIC.
    Numeric(Decimal),
    /// A TEXT.
    Text(String),
    /// A BLOB.
    Blob(Vec<u8>),
    /// A DATE.
    Date(Date),
    /// A TIMESTAMP.
    Timestamp(Timestamp),
    /// A JSON text.
    Json(String),
    /// A TIME.
    Time(Time),
    /// A TIMESTAMPTZ.
    TimestampTz(TimestampTz),
    /// An INTERVAL.
    Interval(Interval),
    /// A UUID.
    Uuid(Uuid),
    /// An array.
    Array(Array),
    /// A NUMERIC of any length.
    BigNumeric(BigNumeric),
}

impl Value {
    /// The class of the value's type; `None` for NULL.
    pub const fn class(&self) -> Option<TypeClass> {
        Some(match self {
            Value::Null => return None,
            Value::Boolean(_) => TypeClass::Boolean,
            Value::Integer(_) => TypeClass::Integer,
            Value::Real(_) => TypeClass::Real,
            Value::Numeric(_) => TypeClass::Numeric,
            Value::Text(_) => TypeClass::Text,
            Value::Blob(_) => TypeClass::Blob,
            Value::Date(_) => TypeClass::Date,
            Value::Timestamp(_) => TypeClass::Timestamp,
            Value::Json(_) => TypeClass::Json,
            Value::Time(_) => TypeClass::Time,
            Value::TimestampTz(_) => TypeClass::TimestampTz,
            Value::Interval(_) => TypeClass::Interval,
            Value::Uuid(_) => TypeClass::Uuid,
            Value::Array(_) => TypeClass::Array,
            Value::BigNumeric(_) => TypeClass::BigNumeric,
        })
    }

    /// Gives a value the class, and a decimal the scale, of another type of the same lane: units, days and microseconds
    /// stay the numbers they are.
    pub(crate) fn relabel(&mut self, ty: Type) {
        let old = std::mem::replace(self, Value::Null);
        if let Some(number) = old.lane_i64() {
            *self = Value::of_i64(ty, number);
            return;
        }
        if let Some(number) = old.lane_i128() {
            *self = Value::of_i128(ty, number);
            return;
        }
        *self = match (old, ty) {
            (Value::Json(text), Type::Text) => Value::Text(text),
            (Value::Text(text), Type::Json | Type::Jsonb) => Value::Json(text),
            (Value::Json(text) | Value::Text(text), Type::Blob) => Value::Blob(text.into_bytes()),
            (same, _) => same,
        };
    }

    /// The number of a type whose lane is that of 64-bit integers.
    pub const fn lane_i64(&self) -> Option<i64> {
        match self {
            Value::Integer(number) => Some(*number),
            Value::Date(Date(days)) => Some(*days as i64),
            Value::Timestamp(Timestamp(micros)) => Some(*micros),
            Value::Time(Time(micros)) => Some(*micros),
            Value::TimestampTz(TimestampTz(micros)) => Some(*micros),
            _ => None,
        }
    }

    /// The number of a type whose lane is that of 128-bit integers.
    pub const fn lane_i128(&self) -> Option<i128> {
        match self {
            Value::Numeric(decimal) => Some(decimal.units),
            Value::Interval(interval) => Some(interval.lane()),
            Value::Uuid(uuid) => Some(uuid.lane()),
            _ => None,
        }
    }

    /// What a number of the lane of 64-bit integers is in a type of that lane.
    pub fn of_i64(ty: Type, number: i64) -> Value {
        match ty.class() {
            TypeClass::Date => Value::Date(Date(i32::try_from(number).expect("days fit 32 bits"))),
            TypeClass::Timestamp => Value::Timestamp(Timestamp(number)),
            TypeClass::Time => Value::Time(Time(number)),
            TypeClass::TimestampTz => Value::TimestampTz(TimestampTz(number)),
            _ => Value::Integer(number),
        }
    }

    /// What a number of the lane of 128-bit integers is in a type of that lane.
    pub fn of_i128(ty: Type, number: i128) -> Value {
        match ty.class() {
            TypeClass::Interval => Value::Interval(Interval::from_lane(number)),
            TypeClass::Uuid => Value::Uuid(Uuid::from_lane(number)),
            _ => Value::Numeric(Decimal { units: number, scale: ty.scale() }),
        }
    }

    /// Is it NULL?
    pub const fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return write!(f, "{}", self.units);
        }
        let one = 10u128.pow(u32::from(self.scale));
        let magnitude = self.units.unsigned_abs();
        let sign = if self.units < 0 { "-" } else { "" };
        write!(f, "{sign}{}.{:0width$}", magnitude / one, magnitude % one, width = usize::from(self.scale))
    }
}

/// A double as PostgreSQL prints it: the shortest text that reads back the same, with an exponent when the number is
/// very large or very small.
pub fn write_real(real: f64, out: &mut impl fmt::Write) -> fmt::Result {
    if real.is_nan() {
        return out.write_str("NaN");
    }
    if real.is_infinite() {
        return out.write_str(if real > 0.0 { "Infinity" } else { "-Infinity" });
    }
    let magnitude = real.abs();
    if magnitude != 0.0 && !(1e-4..1e15).contains(&magnitude) {
        let text = format!("{real:e}");
        let (digits, exponent) = text.split_once('e').expect("the e format has an exponent");
        let exponent: i32 = exponent.parse().expect("the exponent is a number");
        let sign = if exponent < 0 { '-' } else { '+' };
        return write!(out, "{digits}e{sign}{:02}", exponent.abs());
    }
    write!(out, "{real}")
}

/// Prints a value as the shell does; NULL prints as nothing, and a JSON string without its quotes.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Boolean(value) => f.write_str(if *value { "true" } else { "false" }),
            Value::Integer(value) => write!(f, "{value}"),
            Value::Real(value) => write_real(*value, f),
            Value::Numeric(value) => write!(f, "{value}"),
            Value::Text(value) => f.write_str(value),
            Value::Json(value) => {
                let mut shown = String::new();
                crate::func::json::display(value, &mut shown);
                f.write_str(&shown)
            }
            Value::Blob(value) => {
                f.write_str("\\x")?;
                value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Value::Date(value) => write!(f, "{value}"),
            Value::Timestamp(value) => write!(f, "{value}"),
            Value::Time(value) => write!(f, "{value}"),
            Value::TimestampTz(value) => write!(f, "{value}"),
            Value::Interval(value) => write!(f, "{value}"),
            Value::Uuid(value) => write!(f, "{value}"),
            Value::Array(value) => write!(f, "{value}"),
            Value::BigNumeric(value) => write!(f, "{value}"),
        }
    }
}

macro_rules! from_native {
    ($($native:ty => $variant:ident),* $(,)?) => {$(
        impl From<$native> for Value {
            fn from(native: $native) -> Value {
                Value::$variant(native.into())
            }
        }
    )*};
}
from_native!(bool => Boolean, i64 => Integer, i32 => Integer, i16 => Integer, u32 => Integer, f64 => Real, Decimal => Numeric, String => Text, &str => Text, Vec<u8> => Blob, &[u8] => Blob, Date => Date, Timestamp => Timestamp, Time => Time, TimestampTz => TimestampTz, Interval => Interval, Uuid => Uuid, Array => Array, BigNumeric => BigNumeric);

macro_rules! from_natives {
    ($($native:ty => $ty:ident),* $(,)?) => {$(
        impl From<Vec<$native>> for Value {
            fn from(natives: Vec<$native>) -> Value {
                natives.into_iter().map(Some).collect::<Vec<_>>().into()
            }
        }

        impl From<Vec<Option<$native>>> for Value {
            fn from(natives: Vec<Option<$native>>) -> Value {
                let values: Vec<Value> = natives.into_iter().map(Value::from).collect();
                let element = ElementType::of(Type::$ty).expect("not an array");
                Value::Array(Array::of(element, &values))
            }
        }
    )*};
}
from_natives!(bool => Boolean, i64 => Integer, i32 => Integer, i16 => Integer, f64 => Real, String => Text, &str => Text, Vec<u8> => Blob, Date => Date, Timestamp => Timestamp, Time => Time, TimestampTz => TimestampTz, Interval => Interval, Uuid => Uuid, BigNumeric => BigNumeric);

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(native: Option<T>) -> Value {
        native.map_or(Value::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_like_postgresql() {
        let print = |value: Value| value.to_string();
        assert_eq!(print(Value::Real(0.1)), "0.1");
        assert_eq!(print(Value::Real(1e15)), "1e+15");
        assert_eq!(print(Value::Real(100000.0)), "100000");
        assert_eq!(print(Value::Real(1.5e-7)), "1.5e-07");
        assert_eq!(print(Value::Numeric(Decimal { units: -5, scale: 2 })), "-0.05");
        assert_eq!(print(Value::Numeric(Decimal { units: 12345, scale: 2 })), "123.45");
        assert_eq!(print(Value::Blob(vec![0xde, 0xad])), "\\xdead");
    }
}
