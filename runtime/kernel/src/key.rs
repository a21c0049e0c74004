//! How do we turn data into bytes whose order is the order of the data?
//!
//! Two codecs. A *key* is a tuple of data that are not NULL and not JSON, one after another, each self-delimiting, so
//! that no key is a prefix of another of the same types and a prefix of the tuple is a prefix of the bytes:
//!
//! | type | bytes |
//! |---|---|
//! | BOOLEAN | 0 or 1 |
//! | INTEGER, DATE, TIME, TIMESTAMP, TIMESTAMPTZ | 8, big-endian, sign bit turned over |
//! | REAL | 8, big-endian: sign bit turned over if clear, all bits if set; -0.0 as 0.0, every NaN as one |
//! | NUMERIC, UUID | the lane's number: 16, big-endian, sign bit turned over |
//! | TEXT, BLOB | the bytes with 00 written as 00 FF, then 00 00 |
//! | NUMERIC without digits | the bytes of the value ([`big_numeric`]), without its display scale, as those of a BLOB |
//!
//! A *sort key* serves ORDER BY in memory: it takes NULL, JSON, INTERVAL (by its span, so that equal ones are equal) and
//! descending order too, and is never decoded.
//!
//! Holds: bytes compare as [`compare`] does. Key bytes reach the disk: they do not change.
//! Not here: which columns make a key (`schema`).

use crate::{
    array, big_numeric,
    column::{Column, Data},
    func::{compare::lt_f64, json_order},
    interval,
    time::{Date, Time, Timestamp, TimestampTz},
    ty::{LaneKind, Type, TypeClass},
    uuid::Uuid,
    value::{Decimal, Value},
};
use std::cmp::Ordering;

/// Bytes that are no key of the types asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a key of this table: {what}")]
pub struct KeyError {
    /// What is wrong.
    pub what: &'static str,
}

/// How one column of an ORDER BY is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SortOrder {
    /// From the greatest to the smallest?
    pub descending: bool,
    /// Do NULLs come before all values, whatever the direction?
    pub nulls_first: bool,
}

impl SortOrder {
    /// Rising, NULLs last: SQL's default.
    pub const ASCENDING: SortOrder = SortOrder { descending: false, nulls_first: false };
    /// Falling, NULLs first: SQL's default for DESC.
    pub const DESCENDING: SortOrder = SortOrder { descending: true, nulls_first: true };
}

const SIGN: u64 = 1 << 63;

/// The eight bytes of an INTEGER, a DATE (its days) or a TIMESTAMP in a key.
#[inline]
pub fn i64_bytes(value: i64) -> [u8; 8] {
    (value as u64 ^ SIGN).to_be_bytes()
}

/// The number that [`i64_bytes`] wrote.
#[inline]
pub fn i64_from_bytes(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ SIGN) as i64
}

/// The real that stands for all it is equal to: 0.0 for -0.0, one NaN for all.
#[inline]
pub(crate) fn canonical_f64(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else {
        // The sum turns -0.0 into 0.0 and leaves everything else.
        value + 0.0
    }
}

/// Bytes whose order is that of reals: NaN is the greatest, and -0.0 is 0.0.
#[inline]
pub fn f64_bytes(value: f64) -> [u8; 8] {
    let bits = if value.is_nan() { f64::NAN.to_bits() & !SIGN } else { canonical_f64(value).to_bits() };
    (if bits & SIGN == 0 { bits | SIGN } else { !bits }).to_be_bytes()
}

fn f64_from_bytes(bytes: [u8; 8]) -> f64 {
    let bits = u64::from_be_bytes(bytes);
    f64::from_bits(if bits & SIGN == 0 { !bits } else { bits & !SIGN })
}

#[inline]
fn i128_bytes(value: i128) -> [u8; 16] {
    (value as u128 ^ (1 << 127)).to_be_bytes()
}

/// Appends a string so that no other begins with it: 00 becomes 00 FF, the end 00 00.
pub(crate) fn push_string(string: &[u8], out: &mut Vec<u8>) {
    let mut rest = string;
    while let Some(zero) = memchr::memchr(0, rest) {
        out.extend_from_slice(&rest[..zero]);
        out.extend_from_slice(&[0, 0xff]);
        rest = &rest[zero + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, 0]);
}

/// Appends the key of a row of columns.
///
/// # Panics
/// When a datum is NULL or JSON: a table's declaration and NOT NULL checks keep both out of keys.
pub fn encode(columns: &[Column], row: usize, out: &mut Vec<u8>) {
    for column in columns {
        encode_datum(column, row, out);
    }
}

fn encode_datum(column: &Column, row: usize, out: &mut Vec<u8>) {
    assert!(!column.is_null(row), "a key is never NULL");
    match column.data() {
        Data::Const(value) => encode_value(value, out),
        Data::Bool(lane) => out.push(lane.as_slice()[row]),
        Data::I64(lane) => out.extend_from_slice(&i64_bytes(lane.as_slice()[row])),
        Data::F64(lane) => out.extend_from_slice(&f64_bytes(lane.as_slice()[row])),
        Data::I128(lane) => push_units(column.ty(), lane.as_slice()[row], out),
        Data::Bytes(_) => {
            assert!(!matches!(column.ty(), Type::Json | Type::Jsonb | Type::Array(_)), "JSON and arrays are no keys");
            let bytes = column.byte_vals().at(row);
            let is_number = column.ty().class() == TypeClass::BigNumeric;
            push_string(if is_number { big_numeric::value_bytes(bytes) } else { bytes }, out);
        }
        Data::FrameOfReference { base, codes } if column.ty().lane() == LaneKind::I128 => {
            push_units(column.ty(), i128::from(*base) + codes.at(row) as i128, out);
        }
        Data::FrameOfReference { base, codes } => {
            out.extend_from_slice(&i64_bytes(base.wrapping_add(codes.at(row) as i64)));
        }
        Data::Dictionary { codes, values } => encode_datum(values, codes.at(row), out),
    }
}

/// Appends a datum of the 128-bit lane.
fn push_units(ty: Type, units: i128, out: &mut Vec<u8>) {
    let ordered = if ty == Type::Interval { interval::span(units) } else { units };
    out.extend_from_slice(&i128_bytes(ordered));
}

/// Appends the key of values, one for each type.
///
/// # Panics
/// When a value is NULL, JSON, or not of its type (a NUMERIC: of its scale); the caller casts before.
pub fn encode_values(values: &[Value], types: &[Type], out: &mut Vec<u8>) {
    assert_eq!(values.len(), types.len(), "a key has a value for each of its columns");
    for (value, ty) in values.iter().zip(types) {
        assert_eq!(value.class(), Some(ty.class()), "a key's value is of its column's type");
        if let Value::Numeric(decimal) = value {
            assert_eq!(decimal.scale, ty.scale(), "a key's decimal is rescaled before");
        }
        encode_value(value, out);
    }
}

/// Appends bytes of any value but NULL, whose order is the total order.
pub(crate) fn sort_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Json(text) => json_order::sort_key(text, out),
        Value::Array(array) => array::sort_key(array.bytes(), out),
        other => encode_value(other, out),
    }
}

fn encode_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => panic!("a key is never NULL"),
        Value::Json(_) => panic!("JSON is no key"),
        Value::Array(_) => panic!("an array is no key"),
        Value::Boolean(value) => out.push(u8::from(*value)),
        Value::Integer(value) => out.extend_from_slice(&i64_bytes(*value)),
        Value::Date(Date(days)) => out.extend_from_slice(&i64_bytes(i64::from(*days))),
        Value::Timestamp(Timestamp(micros)) | Value::TimestampTz(TimestampTz(micros)) | Value::Time(Time(micros)) => {
            out.extend_from_slice(&i64_bytes(*micros));
        }
        Value::Uuid(uuid) => out.extend_from_slice(&i128_bytes(uuid.lane())),
        Value::Interval(interval) => out.extend_from_slice(&i128_bytes(interval::span(interval.lane()))),
        Value::Real(value) => out.extend_from_slice(&f64_bytes(*value)),
        Value::Numeric(Decimal { units, .. }) => out.extend_from_slice(&i128_bytes(*units)),
        Value::Text(text) => push_string(text.as_bytes(), out),
        Value::Blob(blob) => push_string(blob, out),
        Value::BigNumeric(number) => push_string(big_numeric::value_bytes(number.bytes()), out),
    }
}

/// The bytes of a whole column of one-integer keys: eight a row, one after another.
///
/// # Panics
/// When the column is not of integers, dates or timestamps, or holds a NULL.
pub fn encode_i64_column(column: &Column) -> Vec<u8> {
    assert!(!column.has_nulls(), "a key is never NULL");
    match column.i64s() {
        crate::column::Vals::One(value) => i64_bytes(value).repeat(column.len()),
        crate::column::Vals::Many(values) => {
            let mut out = vec![0; values.len() * 8];
            for (bytes, value) in out.as_chunks_mut::<8>().0.iter_mut().zip(values.iter()) {
                *bytes = i64_bytes(*value);
            }
            out
        }
    }
}

/// The values of a key.
///
/// # Errors
/// [`KeyError`] when the bytes are not a whole key of these types.
pub fn decode(bytes: &[u8], types: &[Type]) -> Result<Vec<Value>, KeyError> {
    let mut rest = bytes;
    let values = types.iter().map(|ty| decode_value(&mut rest, *ty)).collect::<Result<Vec<_>, _>>()?;
    if rest.is_empty() { Ok(values) } else { Err(KeyError { what: "bytes are left over" }) }
}

/// How many of the bytes are the data of these types that they begin with; `None` when they do not begin with such.
pub fn prefix_len(bytes: &[u8], types: &[Type]) -> Option<usize> {
    let mut rest = bytes;
    let read = types.iter().try_for_each(|ty| decode_value(&mut rest, *ty).map(drop));
    read.ok().map(|()| bytes.len() - rest.len())
}

fn decode_value(rest: &mut &[u8], ty: Type) -> Result<Value, KeyError> {
    Ok(match ty.plain() {
        Type::Boolean => match take::<1>(rest)? {
            [0] => Value::Boolean(false),
            [1] => Value::Boolean(true),
            _ => return Err(KeyError { what: "a boolean is neither 0 nor 1" }),
        },
        Type::Integer => Value::Integer(i64_from_bytes(take(rest)?)),
        Type::Timestamp => Value::Timestamp(Timestamp(i64_from_bytes(take(rest)?))),
        Type::Date => {
            let days = i32::try_from(i64_from_bytes(take(rest)?));
            Value::Date(Date(days.map_err(|_| KeyError { what: "a date does not fit 32 bits" })?))
        }
        Type::Real => Value::Real(f64_from_bytes(take(rest)?)),
        Type::Numeric { scale, .. } => {
            let units = (u128::from_be_bytes(take(rest)?) ^ (1 << 127)) as i128;
            Value::Numeric(Decimal { units, scale })
        }
        Type::Text => {
            let text = String::from_utf8(take_string(rest)?);
            Value::Text(text.map_err(|_| KeyError { what: "a text is not UTF-8" })?)
        }
        Type::Blob => Value::Blob(take_string(rest)?),
        Type::BigNumeric => {
            let number = big_numeric::from_value_bytes(&take_string(rest)?);
            Value::BigNumeric(number.ok_or(KeyError { what: "a number is not whole" })?)
        }
        Type::Time => Value::Time(Time(i64_from_bytes(take(rest)?))),
        Type::TimestampTz => Value::TimestampTz(TimestampTz(i64_from_bytes(take(rest)?))),
        Type::Uuid => Value::Uuid(Uuid::from_lane((u128::from_be_bytes(take(rest)?) ^ (1 << 127)) as i128)),
        Type::Json => return Err(KeyError { what: "JSON is no key" }),
        Type::Interval => return Err(KeyError { what: "an interval is no key" }),
        Type::Array(_) => return Err(KeyError { what: "an array is no key" }),
        Type::Jsonb
        | Type::SmallInt
        | Type::Int4
        | Type::Float4
        | Type::Varchar { .. }
        | Type::Char { .. }
        | Type::WideNumeric { .. }
        | Type::Rounded { .. } => {
            unreachable!("the type was made plain")
        }
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], KeyError> {
    let (head, tail) = rest.split_first_chunk().ok_or(KeyError { what: "bytes are missing" })?;
    *rest = tail;
    Ok(*head)
}

fn take_string(rest: &mut &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut string = Vec::new();
    loop {
        let zero = memchr::memchr(0, rest).ok_or(KeyError { what: "a string does not end" })?;
        string.extend_from_slice(&rest[..zero]);
        let after = rest.get(zero + 1).copied();
        *rest = rest.get(zero + 2..).unwrap_or_default();
        match after {
            Some(0) => return Ok(string),
            Some(0xff) => string.push(0),
            _ => return Err(KeyError { what: "a string holds a lone zero" }),
        }
    }
}

/// Appends the sort key of a row of columns, one order a column.
pub fn sort_key(columns: &[Column], orders: &[SortOrder], row: usize, out: &mut Vec<u8>) {
    debug_assert_eq!(columns.len(), orders.len(), "each sorted column has an order");
    for (column, order) in columns.iter().zip(orders) {
        if column.is_null(row) {
            out.push(if order.nulls_first { 0 } else { 2 });
            continue;
        }
        out.push(1);
        let start = out.len();
        if column.ty().class() == TypeClass::Json {
            json_order::sort_key(column.byte_vals().text_at(row), out);
        } else if let Type::Array(_) = column.ty() {
            array::sort_key(column.byte_vals().at(row), out);
        } else {
            encode_datum(column, row, out);
        }
        if order.descending {
            out[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
}

/// The total order of values of one type: NULL is the greatest, otherwise as SQL's comparison. Decimals may differ in
/// scale. Values of different classes are ordered by class.
pub fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => match (lt_f64(*a, *b), lt_f64(*b, *a)) {
            (true, _) => Ordering::Less,
            (_, true) => Ordering::Greater,
            (false, false) => Ordering::Equal,
        },
        (Value::Numeric(a), Value::Numeric(b)) => compare_decimals(*a, *b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Blob(a), Value::Blob(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
        (Value::TimestampTz(a), Value::TimestampTz(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        (Value::Uuid(a), Value::Uuid(b)) => a.cmp(b),
        (Value::Interval(a), Value::Interval(b)) => a.span().cmp(&b.span()),
        (Value::Json(a), Value::Json(b)) => json_order::compare(a, b),
        (Value::Array(a), Value::Array(b)) => array::compare(a.bytes(), b.bytes()),
        (Value::BigNumeric(a), Value::BigNumeric(b)) => a.compare(b),
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Greater,
        (_, Value::Null) => Ordering::Less,
        (a, b) => a.class().cmp(&b.class()),
    }
}

fn compare_decimals(a: Decimal, b: Decimal) -> Ordering {
    if a.scale == b.scale {
        return a.units.cmp(&b.units);
    }
    // Whole parts first; the fractions, all of one sign or zero, then fit when brought to the larger scale.
    let parts = |decimal: Decimal| {
        let one = crate::func::arith::POWERS[usize::from(decimal.scale)];
        (decimal.units / one, decimal.units % one)
    };
    let ((whole_a, part_a), (whole_b, part_b)) = (parts(a), parts(b));
    let scale = a.scale.max(b.scale);
    let raise = |part: i128, from: u8| part * crate::func::arith::POWERS[usize::from(scale - from)];
    whole_a.cmp(&whole_b).then_with(|| raise(part_a, a.scale).cmp(&raise(part_b, b.scale)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ty::ElementType;
    use proptest::prelude::*;

    const TYPES: [Type; 12] = [
        Type::Boolean,
        Type::Integer,
        Type::Real,
        Type::Numeric { precision: 20, scale: 3 },
        Type::Text,
        Type::Blob,
        Type::Date,
        Type::Timestamp,
        Type::Time,
        Type::TimestampTz,
        Type::Uuid,
        Type::BigNumeric,
    ];

    fn value_of(ty: Type) -> BoxedStrategy<Value> {
        match ty.plain() {
            Type::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
            Type::Integer => prop_oneof![any::<i64>(), -3..3i64].prop_map(Value::Integer).boxed(),
            Type::Real => {
                let odd = prop::sample::select(vec![0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, -1.0, 1e300]);
                prop_oneof![any::<f64>(), odd].prop_map(Value::Real).boxed()
            }
            Type::Numeric { scale, .. } => prop_oneof![any::<i64>().prop_map(i128::from), -3..3i128]
                .prop_map(move |units| Value::Numeric(Decimal { units, scale }))
                .boxed(),
            Type::Text => "[a\u{0}\u{1}é\u{ff}]{0,4}".prop_map(Value::Text).boxed(),
            Type::Blob => {
                let byte = prop::sample::select(vec![0u8, 1, 0xfe, 0xff]);
                prop::collection::vec(byte, 0..4).prop_map(Value::Blob).boxed()
            }
            Type::Date => any::<i32>().prop_map(|days| Value::Date(Date(days))).boxed(),
            Type::Timestamp => any::<i64>().prop_map(|micros| Value::Timestamp(Timestamp(micros))).boxed(),
            Type::Json => prop::sample::select(vec!["null", "\"a\"", "1", "1.0", "-2e5", "true", "[]", "[1,2]", "{}"])
                .prop_map(|text| Value::Json(text.to_owned()))
                .boxed(),
            Type::Array(element) => prop::collection::vec(-1..2i64, 0..3)
                .prop_map(move |items| {
                    let items: Vec<Value> =
                        items.into_iter().map(|item| if item < 0 { Value::Null } else { item.into() }).collect();
                    Value::Array(array::Array::of(element, &items))
                })
                .boxed(),
            Type::Time => (0..86_400_000_000i64).prop_map(|micros| Value::Time(Time(micros))).boxed(),
            Type::TimestampTz => any::<i64>().prop_map(|micros| Value::TimestampTz(TimestampTz(micros))).boxed(),
            Type::Uuid => any::<u128>().prop_map(|bits| Value::Uuid(Uuid(bits))).boxed(),
            Type::Interval => (-3..3i64, -90..90i64, -3..3i64)
                .prop_map(|(months, days, hours)| {
                    let interval = interval::Interval::new(months, days, hours * 3_600_000_000);
                    Value::Interval(interval.expect("within the limits"))
                })
                .boxed(),
            Type::BigNumeric => {
                let odd = prop::sample::select(vec![
                    "0", "0.00", "1", "1.0", "-1.50", "1e30", "-1e-30", "inf", "-inf", "nan",
                ]);
                let any = (any::<i64>(), 0..30u8)
                    .prop_map(|(units, scale)| Decimal { units: units.into(), scale }.to_string());
                prop_oneof![any, odd.prop_map(str::to_owned)]
                    .prop_map(|text| Value::BigNumeric(text.parse().expect("a number")))
                    .boxed()
            }
            Type::Jsonb
            | Type::SmallInt
            | Type::Int4
            | Type::Float4
            | Type::Varchar { .. }
            | Type::Char { .. }
            | Type::WideNumeric { .. }
            | Type::Rounded { .. } => {
                unreachable!("the type was made plain")
            }
        }
    }

    /// Types, and two tuples of them.
    fn tuples() -> impl Strategy<Value = (Vec<Type>, Vec<Value>, Vec<Value>)> {
        prop::collection::vec(prop::sample::select(TYPES.to_vec()), 1..4).prop_flat_map(|types| {
            let values: Vec<_> = types.iter().map(|ty| value_of(*ty)).collect();
            (Just(types), values.clone(), values)
        })
    }

    fn order(a: &[Value], b: &[Value]) -> Ordering {
        a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn keys_keep_order_and_come_back((types, a, b) in tuples()) {
            let (mut bytes_a, mut bytes_b) = (Vec::new(), Vec::new());
            encode_values(&a, &types, &mut bytes_a);
            encode_values(&b, &types, &mut bytes_b);
            prop_assert_eq!(bytes_a.cmp(&bytes_b), order(&a, &b));
            prop_assert_eq!(bytes_a == bytes_b, bytes_a.starts_with(&bytes_b));
            let back = decode(&bytes_a, &types).expect("just encoded");
            prop_assert_eq!(order(&back, &a), Ordering::Equal);
            let columns: Vec<Column> = types.iter().zip(&a).map(|(ty, value)| Column::from_values(*ty, [value])).collect();
            let mut from_columns = Vec::new();
            encode(&columns, 0, &mut from_columns);
            prop_assert_eq!(from_columns, bytes_a);
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..40), ty in prop::sample::select(TYPES.to_vec())) {
            if let Ok(values) = decode(&bytes, &[ty]) && ty != Type::Real {
                let mut again = Vec::new();
                encode_values(&values, &[ty], &mut again);
                prop_assert_eq!(again, bytes);
            }
        }

        #[test]
        fn sort_keys_keep_order(
            (a, b) in prop::sample::select(vec![Type::Integer, Type::Real, Type::Text, Type::Json, Type::Interval, Type::BigNumeric, Type::Array(ElementType::of(Type::Integer).expect("no array"))]).prop_flat_map(|ty| {
                let value = || prop::option::of(value_of(ty)).prop_map(move |value| (ty, value.unwrap_or(Value::Null)));
                (value(), value())
            }),
            descending: bool,
            nulls_first: bool,
        ) {
            let key = |(ty, value): &(Type, Value)| {
                let mut out = Vec::new();
                sort_key(&[Column::from_values(*ty, [value])], &[SortOrder { descending, nulls_first }], 0, &mut out);
                out
            };
            let natural = compare(&a.1, &b.1);
            let expected = match (a.1.is_null(), b.1.is_null()) {
                (false, false) if descending => natural.reverse(),
                (true, false) | (false, true) if nulls_first => natural.reverse(),
                _ => natural,
            };
            prop_assert_eq!(key(&a).cmp(&key(&b)), expected);
        }
    }

    #[test]
    fn the_bytes_of_keys_are_settled() {
        let bytes = |value: Value, ty: Type| {
            let mut out = Vec::new();
            encode_values(&[value], &[ty], &mut out);
            out
        };
        assert_eq!(bytes(Value::Integer(1), Type::Integer), [0x80, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(bytes(Value::Integer(-1), Type::Integer), [0x7f, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(bytes(Value::Real(-0.0), Type::Real), [0x80, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes(Value::Text("a\0b".into()), Type::Text), [b'a', 0, 255, b'b', 0, 0]);
        assert_eq!(bytes(Value::Boolean(true), Type::Boolean), [1]);
        let column = Column::from_i64s(Type::Integer, vec![1, -1]);
        assert_eq!(encode_i64_column(&column)[8..], bytes(Value::Integer(-1), Type::Integer));
    }

    #[test]
    fn decimals_of_different_scales_compare_as_numbers() {
        let decimal = |units, scale| Value::Numeric(Decimal { units, scale });
        assert_eq!(compare(&decimal(10, 1), &decimal(1, 0)), Ordering::Equal);
        assert_eq!(compare(&decimal(-15, 1), &decimal(-149, 2)), Ordering::Less);
        assert_eq!(compare(&decimal(10i128.pow(37), 0), &decimal(1, 38)), Ordering::Greater);
    }
}
