//! Which values does a statement's `$1` or `:name` stand for?
//!
//! The binder gave every parameter the type that its use demands; here the given values are matched to them and cast as an
//! assignment would be.

use crate::error::{Error, Result, code};
use spectradb_grammar::{ast::ParamName, plan::Param};
use spectradb_kernel::{Type, Value};

/// The values of a statement's parameters.
#[derive(Clone, Copy, Debug, Default)]
pub enum Params<'p> {
    /// None.
    #[default]
    None,
    /// `$1`, `$2` ... or the named ones in order of appearance.
    Positional(&'p [Value]),
    /// `:name`
    Named(&'p [(&'p str, Value)]),
}

impl From<()> for Params<'_> {
    fn from((): ()) -> Self {
        Params::None
    }
}

impl<'p> From<&'p [Value]> for Params<'p> {
    fn from(values: &'p [Value]) -> Self {
        Params::Positional(values)
    }
}

impl<'p, const N: usize> From<&'p [Value; N]> for Params<'p> {
    fn from(values: &'p [Value; N]) -> Self {
        Params::Positional(values)
    }
}

impl<'p> From<&'p Vec<Value>> for Params<'p> {
    fn from(values: &'p Vec<Value>) -> Self {
        Params::Positional(values)
    }
}

impl<'p> From<&'p [(&'p str, Value)]> for Params<'p> {
    fn from(values: &'p [(&'p str, Value)]) -> Self {
        Params::Named(values)
    }
}

impl<'p, const N: usize> From<&'p [(&'p str, Value); N]> for Params<'p> {
    fn from(values: &'p [(&'p str, Value); N]) -> Self {
        Params::Named(values)
    }
}

impl Params<'_> {
    /// One value of the right type for each parameter, as a session in the zone reads it.
    ///
    /// # Errors
    /// 42P02 for a parameter without a value or a value without a parameter; 42804 or the cast's own, placed where the
    /// parameter is used, for a value that cannot become the parameter's type.
    pub(crate) fn resolve(self, wanted: &[Param], zone: Option<&str>, sql: &str) -> Result<Vec<Value>> {
        match self {
            Params::None => check_count(0, wanted)?,
            Params::Positional(given) => check_count(given.len(), wanted)?,
            Params::Named(given) => {
                let is_wanted = |name: &str| {
                    wanted.iter().any(|param| matches!(&param.name, ParamName::Named(wanted) if wanted == name))
                };
                if let Some((name, _)) = given.iter().find(|(name, _)| !is_wanted(name)) {
                    let message = format!("the statement has no parameter :{name}");
                    return Err(Error::new(code::UNDEFINED_PARAMETER, message));
                }
            }
        }
        let value = |(param_idx, param): (usize, &Param)| {
            self.value_of(param_idx, param, zone).map_err(|error| error.at(Some(param.span), sql))
        };
        wanted.iter().enumerate().map(value).collect()
    }

    /// The value of one parameter, as [`Params::resolve`] gives it but for the place of an error.
    pub(crate) fn value_of(self, param_idx: usize, param: &Param, zone: Option<&str>) -> Result<Value> {
        let value = match self {
            Params::None => None,
            Params::Positional(given) => given.get(param_idx),
            Params::Named(given) => given
                .iter()
                .find(|(name, _)| matches!(&param.name, ParamName::Named(wanted) if wanted == name))
                .map(|(_, value)| value),
        };
        let Some(value) = value else {
            let message = format!("no value is given for parameter {}", shown(&param.name));
            return Err(Error::new(code::UNDEFINED_PARAMETER, message));
        };
        let ty = if param.point { point_type(value) } else { param.ty };
        crate::cast::value_in_zone(value, ty, zone).map_err(|error| match error {
            crate::cast::CastError::Type { from, to } => {
                let message =
                    format!("parameter {} is of type {to}, but the value given is {from}", shown(&param.name));
                let error = Error::new(code::DATATYPE_MISMATCH, message);
                match param.point {
                    true => error.with_help("a point of system time is a commit's number or an instant"),
                    false => error,
                }
            }
            crate::cast::CastError::Row(fault) => {
                Error::new(fault.sqlstate(), format!("parameter {}: {}", shown(&param.name), fault.message()))
            }
        })
    }
}

/// What a point of system time is given as: a commit's number, or an instant.
fn point_type(value: &Value) -> Type {
    match value {
        Value::Date(_) | Value::Timestamp(_) | Value::TimestampTz(_) => Type::Timestamp,
        Value::Text(text) if text.trim().parse::<i64>().is_err() => Type::Timestamp,
        _ => Type::Integer,
    }
}

fn check_count(given: usize, wanted: &[Param]) -> Result<()> {
    if given == wanted.len() {
        return Ok(());
    }
    let plural = if wanted.len() == 1 { "" } else { "s" };
    let message = format!("the statement has {} parameter{plural}, but {given} values are given", wanted.len());
    Err(Error::new(code::UNDEFINED_PARAMETER, message))
}

fn shown(name: &ParamName) -> String {
    match name {
        ParamName::Position(position) => format!("${position}"),
        ParamName::Named(name) => format!(":{name}"),
    }
}
