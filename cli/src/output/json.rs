//! How does a row look as JSON?
//!
//! Numbers are JSON numbers with all their digits, JSON stays JSON, everything else is a string as the shell prints it.
//! What JSON has no number for (NaN, the infinities) is a string too.

use spectradb::embed::Value;
use std::io::{self, Write};

/// The columns' names, made different where two are alike: an object has each key once.
pub(super) fn keys(names: &[String]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let mut key = name.clone();
        let mut count = 1;
        while keys.contains(&key) {
            count += 1;
            key = format!("{name}_{count}");
        }
        keys.push(key);
    }
    keys
}

/// Writes one row on one line.
pub(super) fn object(out: &mut impl Write, keys: &[String], values: &[Value]) -> io::Result<()> {
    out.write_all(b"{")?;
    for (column_idx, (key, value)) in keys.iter().zip(values).enumerate() {
        if column_idx > 0 {
            out.write_all(b", ")?;
        }
        string(out, key)?;
        out.write_all(b": ")?;
        match value {
            Value::Null => out.write_all(b"null")?,
            Value::Boolean(_) | Value::Integer(_) | Value::Numeric(_) => write!(out, "{value}")?,
            Value::BigNumeric(number) if number.is_finite() => write!(out, "{value}")?,
            Value::Real(real) if real.is_finite() => write!(out, "{value}")?,
            // In JSON a line break stands only between tokens, where a space does as well.
            Value::Json(json) => out.write_all(json.replace(['\n', '\r'], " ").as_bytes())?,
            Value::Array(array) => {
                let mut json = String::new();
                array.write_json(&mut json);
                out.write_all(json.as_bytes())?;
            }
            Value::Real(_)
            | Value::Text(_)
            | Value::Blob(_)
            | Value::Date(_)
            | Value::Timestamp(_)
            | Value::Time(_)
            | Value::TimestampTz(_)
            | Value::Interval(_)
            | Value::Uuid(_)
            | Value::BigNumeric(_) => {
                string(out, &value.to_string())?;
            }
        }
    }
    out.write_all(b"}")
}

fn string(out: &mut impl Write, text: &str) -> io::Result<()> {
    serde_json::to_writer(out, text).map_err(io::Error::from)
}
