//! How do values from outside (parameters, fields of files) become data of a type the language asks for?
//!
//! By the kernel's `$cast` functions, with the arguments their table documents: the same rules as `CAST` in SQL, for the
//! pairs that an assignment allows.
//!
//! Not here: casts inside statements (the binder writes them into the plan).

use crate::error::{Error, code};
use spectradb_kernel::{
    Column, Type, Value,
    func::{self, RowFault, array_cast, narrow},
    ty::TypeClass,
};

/// A value cannot become one of the type asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CastError {
    /// No value of the one type can.
    Type {
        /// The type given.
        from: TypeClass,
        /// The type asked for.
        to: Type,
    },
    /// This one cannot.
    Row(RowFault),
}

impl CastError {
    /// As a failure of writing a column.
    pub(crate) fn of_column(self, name: &str) -> Error {
        match self {
            CastError::Type { from, to } => {
                let message = format!("column \"{name}\" is of type {to} but the value is {from}");
                Error::new(code::DATATYPE_MISMATCH, message)
            }
            CastError::Row(fault) => Error::new(fault.sqlstate(), format!("column \"{name}\": {}", fault.message())),
        }
    }
}

/// One value as a type; a text becomes an instant as a session in the zone reads it.
pub(crate) fn value_in_zone(value: &Value, to: Type, zone: Option<&str>) -> Result<Value, CastError> {
    let (Some(zone), Value::Text(text), Type::TimestampTz) = (zone, value, to) else { return self::value(value, to) };
    let columns = [zone, text].map(|text| Column::constant(Type::Text, Value::Text(text.to_owned()), 1));
    let function = func::find("$instant_in_zone", &[TypeClass::Text; 2]).expect("the kernel reads it");
    Ok((function.batch)(&columns, 1).map_err(CastError::Row)?.value(0))
}

/// One value as a type.
pub(crate) fn value(value: &Value, to: Type) -> Result<Value, CastError> {
    let from = match value {
        Value::Null => return Ok(Value::Null),
        Value::Numeric(decimal) => Type::Numeric { precision: 38, scale: decimal.scale },
        Value::Boolean(_) => Type::Boolean,
        Value::Integer(_) => Type::Integer,
        Value::Real(_) => Type::Real,
        Value::Text(_) => Type::Text,
        Value::Blob(_) => Type::Blob,
        Value::Date(_) => Type::Date,
        Value::Timestamp(_) => Type::Timestamp,
        Value::Json(_) => Type::Json,
        Value::Time(_) => Type::Time,
        Value::TimestampTz(_) => Type::TimestampTz,
        Value::Interval(_) => Type::Interval,
        Value::Uuid(_) => Type::Uuid,
        Value::Array(array) => Type::Array(array.element()),
        Value::BigNumeric(_) => Type::BigNumeric,
    };
    if from == to {
        return Ok(value.clone());
    }
    Ok(column(&Column::constant(from, value.clone(), 1), to)?.value(0))
}

/// A column as a type; the row of a fault is the column's.
pub(crate) fn column(given: &Column, to: Type) -> Result<Column, CastError> {
    let from = given.ty();
    if narrow::is_within(from, to) {
        return Ok(given.clone());
    }
    if let Some(name) = narrow::from(from) {
        return column(&step(given, (name, None))?.with_ty(from.plain()), to);
    }
    if let Some(steps) = narrow::to(to, false) {
        let plain = if from.plain() == to.plain() { given.clone() } else { column(given, to.plain())? };
        return Ok(step(&plain, steps)?.with_ty(to));
    }
    if from.plain() == to.plain() {
        return Ok(given.clone().with_ty(to));
    }
    if let Type::Array(element) = to
        && matches!(from.class(), TypeClass::Array | TypeClass::Text | TypeClass::Json)
    {
        let code = Column::constant(Type::Integer, Value::Integer(element.code()), given.len());
        let from = if from.class() == TypeClass::Array { TypeClass::Array } else { TypeClass::Text };
        let function = func::cast(from, TypeClass::Array).expect("arrays are read from texts and arrays");
        let given = if given.ty().class() == TypeClass::Json { json_array(given) } else { given.clone() };
        let cast = (function.batch)(&[given.clone(), code], given.len()).map_err(CastError::Row)?;
        return Ok(cast.with_ty(to));
    }
    let is_number =
        |class| matches!(class, TypeClass::Integer | TypeClass::Real | TypeClass::Numeric | TypeClass::BigNumeric);
    let (from_class, to_class) = (from.class(), to.class());
    let assignable = from_class == to_class
        || from_class == TypeClass::Text
        || to_class == TypeClass::Text
        || (is_number(from_class) && is_number(to_class))
        || [from_class, to_class]
            .iter()
            .all(|class| matches!(class, TypeClass::Date | TypeClass::Timestamp | TypeClass::TimestampTz))
        || matches!((from_class, to_class), (TypeClass::Timestamp | TypeClass::TimestampTz, TypeClass::Time));
    let no_cast = CastError::Type { from: from_class, to };
    let function = func::cast(from_class, to_class).filter(|_| assignable).ok_or(no_cast)?;
    let integer = |number: i64| Column::constant(Type::Integer, Value::Integer(number), given.len());
    let mut args = vec![given.clone()];
    match (from, to) {
        (Type::Numeric { scale: from, .. }, Type::Numeric { precision, scale }) => {
            args.push(integer(i64::from(scale) - i64::from(from)));
            args.push(integer(i64::from(precision)));
        }
        (_, Type::Numeric { precision, scale }) => {
            args.push(integer(i64::from(precision)));
            args.push(integer(i64::from(scale)));
        }
        (Type::Numeric { scale, .. }, _) => args.push(integer(i64::from(scale))),
        (_, _) => {}
    }
    let cast = (function.batch)(&args, given.len()).map_err(CastError::Row)?;
    Ok(cast.with_ty(to))
}

/// The texts of arrays that arrays of JSON say; other JSON stays the text that it is, and is refused as such.
fn json_array(given: &Column) -> Column {
    let values: Vec<Value> = given
        .values()
        .map(|value| match value {
            Value::Json(text) => Value::Text(array_cast::text_of_json(&text).unwrap_or(text)),
            other => other,
        })
        .collect();
    Column::from_values(Type::Text, &values)
}

/// Narrows or widens the values of a column.
fn step(given: &Column, (name, arg): narrow::Step) -> Result<Column, CastError> {
    let class = given.ty().class();
    let mut args = vec![given.clone()];
    let mut classes = vec![class];
    if let Some(arg) = arg {
        args.push(Column::constant(Type::Integer, Value::Integer(arg), given.len()));
        classes.push(TypeClass::Integer);
    }
    let function = func::find(name, &classes).expect("the kernel narrows what is narrower");
    (function.batch)(&args, given.len()).map_err(CastError::Row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spectradb_kernel::value::Decimal;

    #[test]
    fn values_become_what_an_assignment_allows() {
        let numeric = Type::Numeric { precision: 12, scale: 2 };
        let cents = |units| Ok(Value::Numeric(Decimal { units, scale: 2 }));
        assert_eq!(value(&Value::Integer(3), numeric), cents(300));
        assert_eq!(value(&"1.005".into(), numeric), cents(101));
        assert_eq!(value(&Value::Numeric(Decimal { units: 15, scale: 1 }), numeric), cents(150));
        assert_eq!(value(&Value::Null, numeric), Ok(Value::Null));
        assert!(matches!(value(&Value::Boolean(true), Type::Real), Err(CastError::Type { .. })));
        assert!(matches!(value(&"x".into(), Type::Integer), Err(CastError::Row(_))));
        assert_eq!(value(&"-5".into(), Type::SmallInt), Ok(Value::Integer(-5)));
        assert!(matches!(value(&Value::Integer(70_000), Type::SmallInt), Err(CastError::Row(_))));
        assert_eq!(value(&"ab".into(), Type::Char { length: 3 }), Ok("ab ".into()));
        assert!(matches!(value(&"abcd".into(), Type::Varchar { length: 3 }), Err(CastError::Row(_))));
    }
}
