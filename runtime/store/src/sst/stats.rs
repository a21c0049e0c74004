//! What is known of a column's values before a block is touched?
//!
//! A [`Zone`]: the least and the greatest value and how many are NULL. A comparison with a constant that no value of
//! the zone can satisfy lets a scan leave the block out.
//!
//! Holds: a zone never claims more than is true; where it is unsure (NaN, long strings, JSON) it claims less.

use crate::{
    format::sst_v1::{ArchivedSpanV1, ArchivedZoneV1, SPAN_BYTES_MAX, SpanV1, ZoneV1},
    scan::BlockOp,
};
use spectradb_kernel::{
    Column, Type, Value, big_numeric,
    column::Vals,
    ty::{LaneKind, TypeClass},
};

/// The values of a column in a block.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Zone {
    pub(crate) null_count: u32,
    pub(crate) span: Span,
}

/// Least and greatest value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Span {
    Unknown,
    I64 { min: i64, max: i64 },
    F64 { min: f64, max: f64 },
    I128 { min: i128, max: i128 },
    Bytes { min: Box<[u8]>, max: Box<[u8]> },
}

fn spread<T: Copy + PartialOrd>(column: &Column, values: &Vals<'_, T>) -> Option<(T, T)> {
    if let Vals::One(value) = values {
        return Some((*value, *value));
    }
    let nulls = column.has_nulls();
    let mut rows = (0..column.len()).filter(|row| !nulls || !column.is_null(*row)).map(|row| values.at(row));
    let first = rows.next()?;
    Some(rows.fold((first, first), |(min, max), value| {
        (if value < min { value } else { min }, if value > max { value } else { max })
    }))
}

impl Zone {
    /// The zone of a column.
    pub(crate) fn of(column: &Column) -> Zone {
        let null_count = match (column.as_const(), column.validity()) {
            (Some(Value::Null), _) => column.len(),
            (_, Some(bits)) => bits.len() - bits.count(),
            _ => 0,
        };
        let null_count = null_count as u32;
        if null_count as usize == column.len() {
            return Zone { null_count, span: Span::Unknown };
        }
        let span = match column.ty().lane() {
            LaneKind::I64 => spread(column, &column.i64s()).map(|(min, max)| Span::I64 { min, max }),
            LaneKind::F64 => {
                let values = column.f64s();
                let comparable = match &values {
                    Vals::One(value) => !value.is_nan(),
                    Vals::Many(values) => !values.iter().any(|value| value.is_nan()),
                };
                let spread = if comparable { spread(column, &values) } else { None };
                spread.map(|(min, max)| Span::F64 { min, max })
            }
            LaneKind::I128 => spread(column, &column.i128s()).map(|(min, max)| Span::I128 { min, max }),
            LaneKind::Bytes if !matches!(column.ty(), Type::Json | Type::Jsonb | Type::Array(_)) => {
                let values = column.byte_vals();
                let nulls = column.has_nulls();
                // A number's display scale is no part of its value.
                let is_number = column.ty().class() == TypeClass::BigNumeric;
                let value = |row| if is_number { big_numeric::value_bytes(values.at(row)) } else { values.at(row) };
                let rows = (0..column.len()).filter(|row| !nulls || !column.is_null(*row)).map(value);
                let cut = |string: &[u8]| string[..string.len().min(SPAN_BYTES_MAX)].into();
                let ends = rows.fold(None, |ends: Option<(&[u8], &[u8])>, value| match ends {
                    None => Some((value, value)),
                    Some((min, max)) => Some((min.min(value), max.max(value))),
                });
                ends.map(|(min, max)| Span::Bytes { min: cut(min), max: cut(max) })
            }
            LaneKind::Bool | LaneKind::Bytes => None,
        };
        Zone { null_count, span: span.unwrap_or(Span::Unknown) }
    }

    /// Can a value of the zone satisfy a comparison? NULL never does.
    pub(crate) fn may_hold(&self, rows: u32, op: BlockOp, value: &Value) -> bool {
        if self.null_count == rows {
            return false;
        }
        match (&self.span, value) {
            (Span::I64 { min, max }, value) if let Some(number) = value.lane_i64() => spans(op, min, max, &number),
            // Equal intervals may lie apart.
            (_, Value::Interval(_)) => true,
            // NaN is greater than every number: the zone has none, but the constant may be one.
            (Span::F64 { min, max }, Value::Real(value)) if !value.is_nan() => spans(op, min, max, value),
            (Span::I128 { min, max }, value) if let Some(number) = value.lane_i128() => spans(op, min, max, &number),
            (Span::Bytes { min, max }, Value::Text(text)) => spans_bytes(op, min, max, text.as_bytes()),
            (Span::Bytes { min, max }, Value::Blob(blob)) => spans_bytes(op, min, max, blob),
            (Span::Bytes { min, max }, Value::BigNumeric(number)) => {
                spans_bytes(op, min, max, big_numeric::value_bytes(number.bytes()))
            }
            _ => true,
        }
    }

    /// As it is written.
    pub(crate) fn to_v1(&self) -> ZoneV1 {
        let span = match &self.span {
            Span::Unknown => SpanV1::Unknown,
            Span::I64 { min, max } => SpanV1::I64 { min: *min, max: *max },
            Span::F64 { min, max } => SpanV1::F64 { min: *min, max: *max },
            Span::I128 { min, max } => SpanV1::I128 { min: *min, max: *max },
            Span::Bytes { min, max } => SpanV1::Bytes { min: min.to_vec(), max: max.to_vec() },
        };
        ZoneV1 { null_count: self.null_count, span }
    }

    /// As it was written.
    pub(crate) fn from_v1(zone: &ArchivedZoneV1) -> Zone {
        let span = match &zone.span {
            ArchivedSpanV1::Unknown => Span::Unknown,
            ArchivedSpanV1::I64 { min, max } => Span::I64 { min: min.to_native(), max: max.to_native() },
            ArchivedSpanV1::F64 { min, max } => Span::F64 { min: min.to_native(), max: max.to_native() },
            ArchivedSpanV1::I128 { min, max } => Span::I128 { min: min.to_native(), max: max.to_native() },
            ArchivedSpanV1::Bytes { min, max } => {
                Span::Bytes { min: min.as_slice().into(), max: max.as_slice().into() }
            }
        };
        Zone { null_count: zone.null_count.to_native(), span }
    }
}

fn spans<T: PartialOrd>(op: BlockOp, min: &T, max: &T, value: &T) -> bool {
    match op {
        BlockOp::Eq => min <= value && value <= max,
        BlockOp::Lt => min < value,
        BlockOp::Le => min <= value,
        BlockOp::Gt => max > value,
        BlockOp::Ge => max >= value,
    }
}

/// Bounds of strings are cut: what begins with `max` may be greater than it.
fn spans_bytes(op: BlockOp, min: &[u8], max: &[u8], value: &[u8]) -> bool {
    let below_max = value[..value.len().min(SPAN_BYTES_MAX)] <= *max;
    match op {
        BlockOp::Eq => min <= value && below_max,
        BlockOp::Lt | BlockOp::Le => min <= value,
        BlockOp::Gt | BlockOp::Ge => below_max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_never_leave_out_a_row_that_matches() {
        let long = "x".repeat(SPAN_BYTES_MAX);
        let texts = [Value::from(long.clone() + "a"), Value::Null, Value::from("b"), Value::from(long.clone() + "b")];
        let texts = Column::from_values(Type::Text, &texts);
        let numbers = [Value::Integer(-4), Value::Null, Value::Integer(9)];
        let numbers = Column::from_values(Type::Integer, &numbers);
        let constants: Vec<Value> = [-5, -4, 0, 9, 10].map(Value::Integer).into();
        let strings =
            ["", "a", "b", "bb", &long, &(long.clone() + "a"), &(long.clone() + "b"), &(long.clone() + "c"), "y"];
        let strings: Vec<Value> = strings.map(Value::from).into();
        let big = |texts: &[&str]| -> Vec<Value> {
            let number = |text: &&str| text.parse().map_or(Value::Null, Value::BigNumeric);
            texts.iter().map(number).collect()
        };
        let of_any_length = Column::from_values(Type::BigNumeric, &big(&["1.50", "NULL", "-7.000", "1e40"]));
        let bounds = big(&["-7.1", "-7", "-6.9", "1.5", "1e40", "1.1e40", "NaN"]);
        for (column, constants) in [(numbers, constants), (texts, strings), (of_any_length, bounds)] {
            let zone = Zone::of(&column);
            assert_eq!(zone.null_count, 1);
            let order = |a: &Value, b: &Value| match (a, b) {
                (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
                (Value::Text(a), Value::Text(b)) => a.cmp(b),
                (Value::BigNumeric(a), Value::BigNumeric(b)) => a.compare(b),
                _ => panic!("not compared"),
            };
            for constant in &constants {
                for op in [BlockOp::Eq, BlockOp::Lt, BlockOp::Le, BlockOp::Gt, BlockOp::Ge] {
                    let matches = column.values().filter(|value| !value.is_null()).any(|value| {
                        let order = order(&value, constant);
                        match op {
                            BlockOp::Eq => order.is_eq(),
                            BlockOp::Lt => order.is_lt(),
                            BlockOp::Le => order.is_le(),
                            BlockOp::Gt => order.is_gt(),
                            BlockOp::Ge => order.is_ge(),
                        }
                    });
                    let may = zone.may_hold(column.len() as u32, op, constant);
                    assert!(may || !matches, "{op:?} {constant:?}");
                }
            }
            assert!(!zone.may_hold(column.len() as u32, BlockOp::Lt, &constants[0]));
            assert!(!zone.may_hold(column.len() as u32, BlockOp::Gt, &constants[constants.len() - 1]));
        }
    }
}
