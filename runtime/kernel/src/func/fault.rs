//! What does the caller hear when a function fails on a row?
//!
//! PostgreSQL's words and codes, made from the fault, the function's name and the row's arguments. The leaf only says
//! which kind of fault it met; what can be told beyond that is read off the arguments here, away from the loops.

use super::{Fault, RowFault, date};
use crate::{big_numeric, ty::TypeClass, value::Value};
use std::fmt;

/// The negative sign that roots and logarithms do not take, where the argument is a number.
fn is_negative(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Real(real)) => *real < 0.0,
        Some(Value::Integer(integer)) => *integer < 0,
        Some(Value::Numeric(decimal)) => decimal.units < 0,
        Some(Value::BigNumeric(number)) => big_numeric::sign(number.bytes()) < 0,
        _ => false,
    }
}

impl RowFault {
    /// The message, in lower case and without a final stop.
    pub fn message(&self) -> String {
        // A cast quotes the text that it could not read.
        let text = match self.args.first() {
            Some(Value::Text(text)) if self.function == "$cast" => Some(text),
            _ => None,
        };
        let ty = self.ret.name();
        match self.fault {
            Fault::Ok => "no fault".to_owned(),
            Fault::OutOfRange => match (text, self.ret) {
                _ if self.no_number().is_some() => {
                    format!("cannot convert {} to {ty}", self.no_number().unwrap_or_default())
                }
                (_, TypeClass::BigNumeric) if self.function == "$fit_numeric" => "numeric field overflow".to_owned(),
                (_, TypeClass::BigNumeric) if self.function == "factorial" && is_negative(self.args.first()) => {
                    "factorial of a negative number is undefined".to_owned()
                }
                (_, TypeClass::BigNumeric) => "value overflows numeric format".to_owned(),
                (_, TypeClass::Numeric) => "numeric field overflow".to_owned(),
                (_, TypeClass::Array) => "an element of the array is out of range".to_owned(),
                (Some(text), TypeClass::Real) => format!("\"{text}\" is out of range for type real"),
                (Some(text), _) => format!("value \"{text}\" is out of range for type {ty}"),
                (None, TypeClass::Integer) if self.function == "$fit_integer" => {
                    let is_short = self.args.get(1) == Some(&Value::Integer(16));
                    format!("{} out of range", if is_short { "smallint" } else { "int4" })
                }
                (None, TypeClass::Real) if self.underflows() => "value out of range: underflow".to_owned(),
                (None, TypeClass::Real) => "value out of range: overflow".to_owned(),
                (None, _) => format!("{ty} out of range"),
            },
            Fault::DivisionByZero => "division by zero".to_owned(),
            Fault::InvalidText if self.ret == TypeClass::Array => {
                let shown = self.args.first().map(Value::to_string).unwrap_or_default();
                format!("malformed array literal: \"{shown}\"")
            }
            Fault::InvalidText => {
                let shown = self.args.first().map(Value::to_string).unwrap_or_default();
                format!("invalid input syntax for type {ty}: \"{shown}\"")
            }
            Fault::InvalidDatetime | Fault::DatetimeRange
                if matches!(self.function, "$path_exists" | "$path_match" | "$path_query" | "$json_ask") =>
            {
                "the path's template reads no date or time in the value".to_owned()
            }
            Fault::DatetimeRange => match (text, self.args.as_slice()) {
                (Some(text), _) if self.ret == TypeClass::Interval => {
                    format!("interval field value out of range: \"{text}\"")
                }
                (Some(text), _) => format!("date/time field value out of range: \"{text}\""),
                (None, [hour, minute, second]) if self.function == "make_time" => {
                    format!("time field value out of range: {hour}:{minute}:{second}")
                }
                (None, [year, month, day]) if self.function == "make_date" => {
                    let (month, day) = (month.to_string(), day.to_string());
                    format!("date field value out of range: {year}-{month:0>2}-{day:0>2}")
                }
                (None, _) => format!("{ty} out of range"),
            },
            Fault::InvalidDatetime => {
                let shown = self.args.first().map(Value::to_string).unwrap_or_default();
                format!("invalid input syntax for type {ty}: \"{shown}\"")
            }
            Fault::InvalidJson => "invalid input syntax for type json".to_owned(),
            Fault::TooLarge => "requested length too large".to_owned(),
            Fault::TooLong => {
                let length = self.args.get(1).map(Value::to_string).unwrap_or_default();
                let ty = if self.function == "$fit_char" { "character" } else { "character varying" };
                format!("value too long for type {ty}({length})")
            }
            Fault::InvalidRegex => "invalid regular expression".to_owned(),
            Fault::ArrayShape => self.array_shape().to_owned(),
            Fault::ArrayRange => "array subscript out of range".to_owned(),
            Fault::ArrayBounds => match self.args.first() {
                Some(Value::Array(array)) if array.view().is_empty() => {
                    "array slice subscript must provide both boundaries".to_owned()
                }
                _ => "upper bound cannot be less than lower bound".to_owned(),
            },
            Fault::ArraySource => "source array too small".to_owned(),
            Fault::PathMember => "the path's member is not there, or asked of what is no object".to_owned(),
            Fault::PathObject => "the path asks for the members of what is no object".to_owned(),
            Fault::PathArray => "the path asks for the elements of what is no array".to_owned(),
            Fault::PathSubscript => "the path's subscript is not one number, or out of bounds".to_owned(),
            Fault::PathSingle => "an operand of the path's arithmetic is not a single number".to_owned(),
            Fault::PathNumber => "the path's sign stands before what is no number".to_owned(),
            Fault::PathNoNumber => "the path's method is applied to what is no number".to_owned(),
            Fault::PathDatetime => "the path's method reads no date or time of that kind in the value".to_owned(),
            Fault::PathZone => {
                "the path brings together what has a time zone and what has none, where no zone is known".to_owned()
            }
            Fault::PathNoValue => "the path's method makes no value of its type of the item".to_owned(),
            Fault::PathVariable => "the path names a variable that is not given".to_owned(),
            Fault::PathVariables => "the variables of a path are an object".to_owned(),
            Fault::PathNoTest => "single boolean result is expected".to_owned(),
            Fault::JsonKeyTwice => "duplicate JSON object key value".to_owned(),
            Fault::JsonNoKey => "null value not allowed for object key".to_owned(),
            Fault::Stopped => "the statement was stopped".to_owned(),
            Fault::PathNoItem => "no SQL/JSON item found for the path".to_owned(),
            Fault::PathManyItems => "the path finds more than one item, and a single one is asked for".to_owned(),
            Fault::PathNoScalar => "what the path finds is no scalar".to_owned(),
            Fault::InvalidArgument => self.argument().1,
        }
    }

    /// The SQLSTATE code.
    pub fn sqlstate(&self) -> &'static str {
        match self.fault {
            Fault::Ok => "00000",
            Fault::OutOfRange if self.no_number().is_some() => "0A000",
            Fault::OutOfRange => "22003",
            Fault::DivisionByZero => "22012",
            Fault::InvalidText | Fault::InvalidJson => "22P02",
            Fault::DatetimeRange if self.function == "$cast" && self.ret == TypeClass::Interval => "22015",
            Fault::DatetimeRange => "22008",
            Fault::InvalidDatetime => "22007",
            Fault::TooLarge => "54000",
            Fault::TooLong => "22001",
            Fault::InvalidRegex => "2201B",
            Fault::ArrayShape if matches!(self.function, "array_remove" | "array_positions") => "0A000",
            Fault::ArrayShape if matches!(self.function, "array_append" | "array_prepend") => "22000",
            Fault::ArrayShape | Fault::ArrayRange | Fault::ArrayBounds | Fault::ArraySource => "2202E",
            Fault::PathMember => "2203A",
            Fault::PathObject => "2203C",
            Fault::PathArray => "22039",
            Fault::PathSubscript => "22033",
            Fault::PathSingle | Fault::PathNoTest => "22038",
            Fault::PathNumber => "2203B",
            Fault::PathNoNumber | Fault::PathNoValue => "22036",
            Fault::Stopped => "57014",
            Fault::PathDatetime => "22031",
            Fault::PathZone => "0A000",
            Fault::PathVariable => "42704",
            Fault::PathVariables => "22023",
            Fault::JsonKeyTwice => "22030",
            Fault::JsonNoKey => "22004",
            Fault::PathNoItem => "22035",
            Fault::PathManyItems => "22034",
            Fault::PathNoScalar => "2203F",
            Fault::InvalidArgument => self.argument().0,
        }
    }

    /// The NaN or infinity that a cast cannot make a plain number of.
    fn no_number(&self) -> Option<&'static str> {
        match self.args.first() {
            // An infinity has too many digits for a NUMERIC(p,s).
            Some(Value::BigNumeric(number)) if self.ret == TypeClass::Numeric && !number.is_nan() => None,
            Some(Value::BigNumeric(number)) if self.function == "$cast" && !number.is_finite() => {
                Some(if number.is_nan() { "NaN" } else { "infinity" })
            }
            _ => None,
        }
    }

    fn array_shape(&self) -> &'static str {
        match self.function {
            "trim_array" => "number of elements to trim is out of range",
            "array_agg" if matches!(self.args.first(), Some(Value::Array(array)) if array.view().is_empty()) => {
                "cannot accumulate null or empty arrays"
            }
            "array_agg" => "cannot accumulate arrays of different dimensionality",
            "array_append" | "array_prepend" => "argument must be empty or one-dimensional array",
            "array_fill" | "$array_put" => "wrong number of array subscripts",
            "array_remove" => "removing elements from multidimensional arrays is not supported",
            "array_positions" => "searching for elements in multidimensional arrays is not supported",
            "width_bucket" => "thresholds must be one-dimensional array",
            _ => "cannot concatenate incompatible arrays",
        }
    }

    fn underflows(&self) -> bool {
        let real = |idx: usize| match self.args.get(idx) {
            Some(Value::Real(real)) => *real,
            _ => f64::NAN,
        };
        match self.function {
            "*" => real(0) * real(1) == 0.0,
            "/" => real(0) / real(1) == 0.0,
            "exp" => real(0) < 0.0,
            "power" | "pow" => real(0).powf(real(1)) == 0.0,
            _ => false,
        }
    }

    /// Code and message of an argument that the function does not take.
    fn argument(&self) -> (&'static str, String) {
        let first = self.args.first();
        match self.function {
            "$limit" => ("2201W", "LIMIT must not be negative".to_owned()),
            "$offset" => ("2201X", "OFFSET must not be negative".to_owned()),
            "$at_most_one" => ("21000", "a subquery used as a value gave more than one row".to_owned()),
            "$json_no_key" => {
                let is_binary = first == Some(&Value::Text("jsonb".to_owned()));
                (if is_binary { "22023" } else { "22004" }, "null value not allowed for object key".to_owned())
            }
            "$json_elements" => ("22023", "cannot extract elements from what is no JSON array".to_owned()),
            "$json_keys" | "$json_values" => ("22023", "cannot deconstruct what is no JSON object".to_owned()),
            "$array_put" => ("22004", "array subscript in assignment must not be null".to_owned()),
            "array_fill" => ("22004", "dimension values cannot be null".to_owned()),
            "$match_among" => ("22025", "LIKE pattern must not end with escape character".to_owned()),
            "approx_percentile" | "percentile_cont" | "percentile_disc" => {
                ("22003", "percentile value is not between 0 and 1".to_owned())
            }
            "sqrt" => ("2201F", "cannot take square root of a negative number".to_owned()),
            "ln" | "log" | "log10" if self.args.iter().any(|arg| is_negative(Some(arg))) => {
                ("2201E", "cannot take logarithm of a negative number".to_owned())
            }
            "ln" | "log" | "log10" => ("2201E", "cannot take logarithm of zero".to_owned()),
            "power" | "pow" | "^" if is_negative(first) => {
                ("2201F", "a negative number raised to a non-integer power yields a complex result".to_owned())
            }
            "power" | "pow" | "^" => ("2201F", "zero raised to a negative power is undefined".to_owned()),
            "substr" | "substring" => ("22011", "negative substring length not allowed".to_owned()),
            "split_part" => ("22023", "field position must not be zero".to_owned()),
            "$like_escape" | "$ilike_escape" if !one_character(self.args.get(2)) => {
                ("22025", "invalid escape string".to_owned())
            }
            "$like" | "$ilike" | "$like_escape" | "$ilike_escape" => {
                ("22025", "LIKE pattern must not end with escape character".to_owned())
            }
            "chr" if matches!(first, Some(Value::Integer(number)) if *number < 0) => {
                ("22023", "character number must be positive".to_owned())
            }
            "chr" => ("54000", "requested character is not a valid one".to_owned()),
            "overlay" => ("22011", "negative substring length not allowed".to_owned()),
            "get_byte" | "set_byte" | "get_bit" | "set_bit" => ("2202E", "index is out of the valid range".to_owned()),
            "width_bucket" if self.args.len() == 2 => ("22004", "thresholds array must not contain NULLs".to_owned()),
            "width_bucket" => {
                ("2201G", "count must be greater than zero and the bounds must be finite and differ".to_owned())
            }
            "encode" | "decode" => {
                ("22023", format!("invalid data or unrecognized encoding for function {}", self.function))
            }
            "timezone" => {
                let zone = first.map(Value::to_string).unwrap_or_default();
                ("22023", format!("time zone \"{zone}\" not recognized"))
            }
            "date_bin" => match first {
                Some(Value::Interval(stride)) if stride.months() != 0 => {
                    ("0A000", "timestamps cannot be binned into intervals containing months or years".to_owned())
                }
                _ => ("22008", "stride must be greater than zero".to_owned()),
            },
            "$path_exists" | "$path_match" | "$path_query" | "$json_ask" => {
                let path = self.args.get(1).map(Value::to_string).unwrap_or_default();
                ("42601", format!("invalid jsonpath: \"{path}\""))
            }
            "$regexp_replace"
            | "$regexp_instr"
            | "$regexp_options"
            | "$regexp_matches"
            | "regexp_replace"
            | "regexp_split_to_array"
            | "regexp_like"
            | "regexp_count" => {
                ("22023", "invalid value for a parameter of a regular expression's function".to_owned())
            }
            "$to_number" => ("22P02", {
                let shown = first.map(Value::to_string).unwrap_or_default();
                format!("invalid input syntax for type numeric: \"{shown}\"")
            }),
            "$json_object" => (
                "2202E",
                "an object is made of keys and values: texts two by two, or as many of one as of the other".to_owned(),
            ),
            "$setting" => {
                let name = self.args.get(1).map(Value::to_string).unwrap_or_default();
                ("42704", format!("there is no setting \"{name}\""))
            }
            "parse_ident" => {
                let shown = first.map(Value::to_string).unwrap_or_default();
                ("22023", format!("string is not a valid identifier: \"{shown}\""))
            }
            "to_date" | "to_timestamp" => ("0A000", "the fields TZ and OF are for to_char only".to_owned()),
            "$format_piece" => ("22004", "null values cannot be formatted as an SQL identifier".to_owned()),
            "unistr" => ("42601", "invalid Unicode escape".to_owned()),
            "$instants" => ("22023", "step size cannot equal zero".to_owned()),
            "$setseed" => ("22023", "setseed parameter is out of allowed range [-1,1]".to_owned()),
            "$array_sample" => ("22023", "sample size must be between 0 and the number of elements".to_owned()),
            "normalize" | "$is_normalized" => ("22023", "a normal form is NFC, NFD, NFKC or NFKD".to_owned()),
            "similar_to" => ("22025", "invalid escape string".to_owned()),
            "date_trunc"
                if self.ret == TypeClass::Interval && date::field_of(&unit_of(first)) == Some(date::Field::Week) =>
            {
                ("0A000", format!("unit \"{}\" not supported for type interval", unit_of(first)))
            }
            "$number_to_char" | "$real_to_char" => (
                "42601",
                "the words of the template do not go together: one point, signs and PR behind the digits".to_owned(),
            ),
            "date_trunc" | "$extract" | "$extract_int" => {
                let unit = unit_of(first);
                let of = self.args.get(1).and_then(Value::class).unwrap_or(TypeClass::Timestamp);
                ("22023", format!("unit \"{unit}\" not recognized for type {of}"))
            }
            name => ("22023", format!("invalid argument for function {name}")),
        }
    }
}

fn unit_of(value: Option<&Value>) -> String {
    value.map(Value::to_string).unwrap_or_default()
}

fn one_character(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Text(text)) if text.chars().count() <= 1)
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for RowFault {}
