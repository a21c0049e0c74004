//! Does every function of the table give the same answers however its arguments lie?
//!
//! Shown for all functions at once, with random rows: a batch of plain columns, of constants, dictionaries and frames of
//! reference, with and without NULLs, answers row for row what the function answers about each row alone. It could go
//! wrong wherever a lifted loop treats an encoding, a NULL or a fault apart.

use proptest::prelude::*;
use spectradb_kernel::{
    Column, Type, Value,
    bitmap::Bitmap,
    column::{Codes, Data},
    func::{self, Fault, Function, Shape},
    interval::Interval,
    time::{Date, Time, Timestamp, TimestampTz},
    ty::{LaneKind, TypeClass},
    uuid::Uuid,
    value::Decimal,
};
use std::{collections::HashSet, sync::Arc};

const TEXTS: &[&str] = &[
    "",
    "a",
    "B",
    "añb",
    " x ",
    "%",
    "_",
    "a%",
    "\\",
    "1",
    "-7",
    "2.5",
    "1e3",
    "true",
    "no",
    "2024-02-29",
    "infinity",
    "2024-01-01 10:00:00.5+01",
    "day",
    "1 mon -2 days 03:04:05.6",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    "Europe/Berlin",
    "12:30 PM",
    "second",
    "hour",
    "{\"a\":1}",
    "\u{0}",
    "x,y,z",
    ",",
    "\\x00ff",
    "99999999999999999999",
];
const JSONS: &[&str] =
    &["null", "true", "1", "1.0", "-2.5e3", "\"a\"", "\"1\"", "[1, 2]", "{\"a\": {\"b\": 1}, \"1\": 2}", "[]", "{}"];

/// Values of a class; INTEGERs are small, because some are lengths and scales.
fn value_of(class: TypeClass, wild: bool) -> BoxedStrategy<Value> {
    let integers: Vec<i64> = if wild { vec![0, 1, -1, 2, 7, i64::MAX, i64::MIN] } else { vec![0, 1, 2, 5] };
    match class {
        TypeClass::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        TypeClass::Integer => prop::sample::select(integers).prop_map(Value::Integer).boxed(),
        TypeClass::Real => {
            let odd = vec![0.0, -0.0, 0.5, 2.5, -1.5, 1e300, -1e-300, f64::NAN, f64::INFINITY, 1e18];
            prop::sample::select(odd).prop_map(Value::Real).boxed()
        }
        TypeClass::Numeric => {
            let units = vec![0, 1, -1, 250, -349, 10i128.pow(20), 10i128.pow(38) - 1];
            prop::sample::select(units).prop_map(|units| Value::Numeric(Decimal { units, scale: 0 })).boxed()
        }
        TypeClass::BigNumeric => {
            let texts =
                vec!["0", "1", "1.00", "-3.49", "1e20", "12345678901234567890123456789012345678901", "NaN", "-inf"];
            let number = |text: &str| Value::BigNumeric(text.parse().expect("a number"));
            prop::sample::select(texts).prop_map(number).boxed()
        }
        TypeClass::Text => prop::sample::select(TEXTS).prop_map(Value::from).boxed(),
        TypeClass::Blob => prop::sample::select(TEXTS).prop_map(|text| Value::from(text.as_bytes())).boxed(),
        TypeClass::Json => prop::sample::select(JSONS).prop_map(|text| Value::Json(text.to_owned())).boxed(),
        TypeClass::Date => {
            prop::sample::select(vec![0, 1, -1, 19_782, -2_440_000]).prop_map(|days| Value::Date(Date(days))).boxed()
        }
        TypeClass::Timestamp => {
            let micros = vec![0, -1, 1_709_164_800_123_456, i64::MIN, i64::MAX, i64::MIN + 1];
            prop::sample::select(micros).prop_map(|micros| Value::Timestamp(Timestamp(micros))).boxed()
        }
        TypeClass::TimestampTz => {
            let micros = vec![0, -1, 1_709_164_800_123_456, i64::MIN, i64::MAX, i64::MIN + 1];
            prop::sample::select(micros).prop_map(|micros| Value::TimestampTz(TimestampTz(micros))).boxed()
        }
        TypeClass::Time => {
            let micros = vec![0, 1, 45_296_789_000, 86_400_000_000];
            prop::sample::select(micros).prop_map(|micros| Value::Time(Time(micros))).boxed()
        }
        TypeClass::Interval => {
            let parts = vec![
                (0, 0, 0),
                (1, 0, 0),
                (0, 30, 0),
                (-14, 3, -1),
                (134_217_727, 536_870_911, i64::MAX),
                (0, 0, i64::MIN),
            ];
            let interval =
                |(months, days, micros)| Value::Interval(Interval::new(months, days, micros).expect("within"));
            prop::sample::select(parts).prop_map(interval).boxed()
        }
        TypeClass::Array => {
            let items = vec![vec![Some(1)], vec![Some(1), Some(2), None], vec![Some(3), Some(-1), Some(2)], vec![None]];
            prop::sample::select(items).prop_map(|items: Vec<Option<i64>>| Value::from(items)).boxed()
        }
        TypeClass::Uuid => {
            prop::sample::select(vec![0, 1, 1 << 127, u128::MAX]).prop_map(|bits| Value::Uuid(Uuid(bits))).boxed()
        }
    }
}

/// How a column is to lie.
#[derive(Clone, Copy, Debug)]
enum Encoding {
    Plain,
    Constant,
    Dictionary,
    Frame,
}

fn encode(ty: Type, values: &[Value], encoding: Encoding) -> Column {
    let plain = Column::from_values(ty, values);
    let validity = || plain.validity().map(|bits: &Bitmap| Bitmap::from_bools(bits.iter()));
    match encoding {
        Encoding::Plain => plain,
        Encoding::Constant => match values.first() {
            Some(value) => Column::constant(ty, value.clone(), values.len()),
            None => plain,
        },
        Encoding::Dictionary => {
            let mut distinct: Vec<Value> = Vec::new();
            let code_of = |value: &Value| {
                let same = |known: &Value| format!("{known:?}") == format!("{value:?}");
                if value.is_null() {
                    return 0;
                }
                distinct.iter().position(same).unwrap_or_else(|| {
                    distinct.push(value.clone());
                    distinct.len() - 1
                })
            };
            let codes: Vec<u8> = values.iter().map(code_of).map(|code| code as u8).collect();
            if distinct.is_empty() {
                return plain;
            }
            let values = Arc::new(Column::from_values(ty, &distinct));
            Column::new(ty, validity(), Data::Dictionary { codes: Codes::U8(codes.into()), values })
        }
        Encoding::Frame if ty.lane() == LaneKind::I64 => {
            let numbers: Vec<i64> = (0..values.len()).map(|row| plain.i64s().at(row)).collect();
            let base = numbers.iter().copied().min().unwrap_or(0);
            let codes: Option<Vec<u32>> =
                numbers.iter().map(|number| u32::try_from(i128::from(*number) - i128::from(base)).ok()).collect();
            match codes {
                Some(codes) => {
                    let codes = Codes::U32(codes.into());
                    Column::new(ty, validity(), Data::FrameOfReference { base, codes })
                }
                None => plain,
            }
        }
        Encoding::Frame => plain,
    }
}

/// Internal functions of decimals take scales, those of texts lengths, which the binder never gets wrong.
fn takes_scales(function: &Function) -> bool {
    if function.path.starts_with("func::narrow") {
        return true;
    }
    let is_decimal = |class: &TypeClass| *class == TypeClass::Numeric;
    function.args.contains(&TypeClass::Integer) && (function.args.iter().any(is_decimal) || is_decimal(&function.ret))
}

/// A function, and rows of arguments for it.
fn calls() -> impl Strategy<Value = (&'static Function, Vec<Vec<Value>>, Vec<Encoding>)> {
    // What comes by chance has no arguments, and is not the same twice.
    let functions: Vec<&'static Function> = func::all().filter(|function| !function.args.is_empty()).collect();
    let encodings = [Encoding::Plain, Encoding::Plain, Encoding::Constant, Encoding::Dictionary, Encoding::Frame];
    (prop::sample::select(functions), 0..12usize).prop_flat_map(move |(function, len)| {
        let wild = !takes_scales(function);
        let columns: Vec<_> = function
            .args
            .iter()
            .map(|class| {
                let value = prop::option::weighted(0.85, value_of(*class, wild));
                prop::collection::vec(value.prop_map(|value| value.unwrap_or(Value::Null)), len)
            })
            .collect();
        let encodings = prop::collection::vec(prop::sample::select(encodings.to_vec()), function.args.len());
        (Just(function), columns, encodings)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6000))]
    #[test]
    fn batches_answer_row_by_row((function, values, encodings) in calls()) {
        let len = values[0].len();
        let types: Vec<Type> = function.args.iter().map(|class| class.plain_type()).collect();
        let columns: Vec<Column> =
            types.iter().zip(&values).zip(&encodings).map(|((ty, values), how)| encode(*ty, values, *how)).collect();
        let answer = (function.batch)(&columns, len);
        let alone = |row: usize| {
            let columns: Vec<Column> = types
                .iter()
                .zip(&columns)
                .map(|(ty, column)| Column::from_values(*ty, [&column.value(row)]))
                .collect();
            (function.batch)(&columns, 1)
        };
        match answer {
            Ok(column) => {
                prop_assert_eq!(column.len(), len);
                prop_assert_eq!(column.ty(), function.ret.plain_type());
                for row in 0..len {
                    let one = alone(row).map(|column| column.value(0));
                    // Debug text, because NaN is to equal NaN here.
                    prop_assert_eq!(format!("{:?}", Ok::<_, func::RowFault>(column.value(row))), format!("{one:?}"), "row {}", row);
                    let some_null = columns.iter().any(|column| column.is_null(row));
                    match function.shape {
                        Shape::NullAware => prop_assert!(!column.is_null(row)),
                        Shape::Total | Shape::Fallible => prop_assert_eq!(column.is_null(row), some_null),
                        Shape::Partial => prop_assert!(column.is_null(row) || !some_null),
                    }
                }
            }
            Err(fault) => {
                prop_assert_eq!(function.shape, Shape::Fallible);
                prop_assert_ne!(fault.fault, Fault::Ok);
                prop_assert!(!fault.message().is_empty() && fault.sqlstate().len() == 5);
                prop_assert!(fault.args.iter().all(|arg| !arg.is_null()));
                for row in 0..fault.row {
                    prop_assert!(alone(row).is_ok(), "the first faulty row is named");
                }
                prop_assert_eq!(alone(fault.row).map_err(|fault| fault.fault), Err(fault.fault));
            }
        }
    }
}

#[test]
fn signatures_are_unique_and_documented() {
    let mut seen = HashSet::new();
    for function in func::all() {
        let is_by_result = matches!(function.name, "$cast" | "$array_get" | "$array_at");
        let by_result = is_by_result.then_some(function.ret);
        assert!(seen.insert((function.name, function.args, by_result)), "{function:?} is there twice");
        assert!(function.doc.ends_with(['.', '?']), "{function:?} has no sentence for its reference");
        assert!(function.args.len() <= 5, "{function:?}");
        let same_leaf = func::by_path(function.path).expect("listed");
        assert_eq!(same_leaf.shape, function.shape, "{function:?}: one leaf, one shape");
        if !is_by_result {
            assert_eq!(func::find(function.name, function.args), Some(function));
        }
    }
}

#[test]
fn casts_are_found_by_both_classes() {
    let cast = func::cast(TypeClass::Text, TypeClass::Numeric).expect("listed");
    assert_eq!(cast.args, [TypeClass::Text, TypeClass::Integer, TypeClass::Integer]);
    assert_eq!(func::cast(TypeClass::Boolean, TypeClass::Date), None);
    let columns = [
        Column::from_values(Type::Text, &[Value::from("1.5"), Value::Null, Value::from("x")]),
        Column::constant(Type::Integer, 5.into(), 3),
        Column::constant(Type::Integer, 2.into(), 3),
    ];
    let fault = (cast.batch)(&columns, 3).expect_err("x is no number");
    assert_eq!((fault.row, fault.sqlstate()), (2, "22P02"));
    assert_eq!(fault.message(), "invalid input syntax for type numeric: \"x\"");
}

#[test]
fn faults_speak_as_postgresql_does() {
    let one = |name: &str, args: &[Value]| {
        let classes: Vec<TypeClass> = args.iter().map(|arg| arg.class().expect("no NULL")).collect();
        let function = func::find(name, &classes).expect("listed");
        let columns: Vec<Column> = args
            .iter()
            .zip(&classes)
            .map(|(arg, class)| Column::constant(class.plain_type(), arg.clone(), 1))
            .collect();
        let fault = (function.batch)(&columns, 1).expect_err("a fault");
        (fault.sqlstate(), fault.message())
    };
    let is = |name: &str, args: &[Value], state: &str, message: &str| {
        assert_eq!(one(name, args), (state, message.to_owned()));
    };
    is("+", &[i64::MAX.into(), 1.into()], "22003", "integer out of range");
    is("/", &[1.into(), 0.into()], "22012", "division by zero");
    is("*", &[1e300.into(), 1e300.into()], "22003", "value out of range: overflow");
    is("*", &[1e-300.into(), 1e-300.into()], "22003", "value out of range: underflow");
    is("sqrt", &[Value::Real(-1.0)], "2201F", "cannot take square root of a negative number");
    is("ln", &[Value::Real(0.0)], "2201E", "cannot take logarithm of zero");
    is("substr", &["a".into(), 1.into(), Value::Integer(-1)], "22011", "negative substring length not allowed");
    is("$like", &["a".into(), "\\".into()], "22025", "LIKE pattern must not end with escape character");
    is(
        "date_trunc",
        &["eon".into(), Value::Timestamp(Timestamp(0))],
        "22023",
        "unit \"eon\" not recognized for type timestamp",
    );
    is("make_date", &[2023.into(), 2.into(), 30.into()], "22008", "date field value out of range: 2023-02-30");
    is("date_trunc", &["year".into(), Value::Timestamp(Timestamp(i64::MIN + 1))], "22008", "timestamp out of range");
    let cast = |text: &str, to: TypeClass| {
        let function = func::cast(TypeClass::Text, to).expect("listed");
        let fault = (function.batch)(&[Column::constant(Type::Text, text.into(), 1)], 1).expect_err("a fault");
        (fault.sqlstate(), fault.message())
    };
    let is = |text: &str, to: TypeClass, state: &str, message: &str| {
        assert_eq!(cast(text, to), (state, message.to_owned()));
    };
    is("abc", TypeClass::Integer, "22P02", "invalid input syntax for type integer: \"abc\"");
    is(
        "9223372036854775808",
        TypeClass::Integer,
        "22003",
        "value \"9223372036854775808\" is out of range for type integer",
    );
    is("2024-02-30", TypeClass::Date, "22008", "date/time field value out of range: \"2024-02-30\"");
    is("soon", TypeClass::Timestamp, "22007", "invalid input syntax for type timestamp: \"soon\"");
    is("{", TypeClass::Json, "22P02", "invalid input syntax for type json");
}
