//! What do the doors (the shell, Python, later a server) see? Owned types and nothing of the engine behind them.

pub use crate::{
    db::Database,
    error::{Error, Result},
    ledger,
    params::Params,
    restore::{RestorePoint, Restored, restore, restore_point},
    rows::{Done, Outcome, OutputColumn, Row, Rows},
    session::{Canceller, Prepared, Session},
};
pub use spectradb_grammar::{
    span::Position,
    split::{Piece, Splitter},
    tokens,
};
pub use spectradb_kernel::{
    Type, Value,
    big_numeric::BigNumeric,
    interval::Interval,
    time::{Date, Time, Timestamp, TimestampTz},
    uuid::Uuid,
    value::Decimal,
};
use spectradb_kernel::{array::Array, func::Fault};
pub use spectradb_store::config::{Compression, CompressionPolicy, Config, Durability, LogArchive};

/// A value as a session in a time zone shows it: an instant with a time zone is the text of the zone's local time and its
/// distance from UTC, anything else is what it was.
pub fn shown_in_zone(value: &Value, zone: &str) -> Value {
    match value {
        Value::TimestampTz(TimestampTz(micros)) => {
            spectradb_kernel::func::zone::shown(zone, *micros).map_or_else(|| value.clone(), Value::Text)
        }
        Value::Array(array) if array.element().ty() == Type::TimestampTz => {
            let mut bytes = Vec::new();
            match spectradb_kernel::func::array_cast::in_zone(zone, array.bytes(), &mut bytes) {
                Fault::Ok => Value::Array(Array::from_bytes(bytes)),
                _ => value.clone(),
            }
        }
        other => other.clone(),
    }
}
