//! What are a decimal and a JSON text in a typed row?
//!
//! A [`Numeric`] is an exact decimal whose digits and scale are part of its type, as they are of its column's; a [`Json`]
//! is a text that was checked to be JSON.

use crate::error::{Error, Result};
use spectradb_kernel::{
    Value,
    func::{Fault, cast, json},
    value::Decimal,
};
use std::{fmt, str::FromStr};

/// An exact decimal of `P` digits, `S` of them after the point: a column of type `NUMERIC(P, S)`.
///
/// ```
/// # use spectradb::Numeric;
/// let price: Numeric<12, 2> = "19.99".parse()?;
/// assert_eq!(price.units(), 1999);
/// assert_eq!(price.to_string(), "19.99");
/// # Ok::<(), spectradb::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Numeric<const P: u8, const S: u8>(i128);

impl<const P: u8, const S: u8> Numeric<P, S> {
    /// So many units of `10^-S`; `None` when they have more than `P` digits.
    pub fn from_units(units: i128) -> Option<Self> {
        let limit = 10u128.checked_pow(u32::from(P)).unwrap_or(u128::MAX);
        (units.unsigned_abs() < limit).then_some(Numeric(units))
    }

    /// What a checked column of the type holds.
    pub(crate) fn of_column(units: i128) -> Self {
        Numeric(units)
    }

    /// How many units of `10^-S` it is.
    pub fn units(self) -> i128 {
        self.0
    }

    /// The nearest double.
    pub fn to_f64(self) -> f64 {
        cast::numeric_to_f64(self.0, i64::from(S))
    }

    /// The nearest decimal of these digits, rounded half away from zero; `None` when it does not fit.
    pub fn from_f64(real: f64) -> Option<Self> {
        let (units, fault) = cast::f64_to_numeric(real, i64::from(P), i64::from(S));
        (fault == Fault::Ok).then_some(Numeric(units))
    }
}

impl<const P: u8, const S: u8> From<Numeric<P, S>> for Decimal {
    fn from(numeric: Numeric<P, S>) -> Decimal {
        Decimal { units: numeric.0, scale: S }
    }
}

impl<const P: u8, const S: u8> From<Numeric<P, S>> for Value {
    fn from(numeric: Numeric<P, S>) -> Value {
        Value::Numeric(numeric.into())
    }
}

impl<const P: u8, const S: u8> fmt::Display for Numeric<P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&Decimal::from(*self).to_string())
    }
}

impl<const P: u8, const S: u8> FromStr for Numeric<P, S> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match cast::text_to_numeric(text, i64::from(P), i64::from(S)) {
            (units, Fault::Ok) => Ok(Numeric(units)),
            (_, _) => Err(Error::new("22P02", format!("\"{text}\" is no numeric({P},{S})"))),
        }
    }
}

/// A text that is JSON, kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Json(String);

impl Json {
    /// A JSON text.
    ///
    /// # Errors
    /// 22P02 when the text is not JSON.
    pub fn new(text: impl Into<String>) -> Result<Json> {
        let text = text.into();
        if json::is_json(&text) { Ok(Json(text)) } else { Err(Error::new("22P02", "the text is not JSON")) }
    }

    /// What a checked column holds.
    pub(crate) fn of_column(text: &str) -> Json {
        Json(text.to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Value {
        Value::Json(json.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Json {
    type Err = Error;

    fn from_str(text: &str) -> Result<Json> {
        Json::new(text)
    }
}
