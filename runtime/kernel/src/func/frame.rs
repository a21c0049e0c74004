//! What value stands at the edge of a window's frame?
//!
//! `RANGE BETWEEN x PRECEDING AND y FOLLOWING` compares keys with the row's own key less `x` and plus `y`. An edge may lie beyond
//! what the key's type holds: it is of a wider type then, or is not wrapped around.
//!
//! Not here: edges that arithmetic as it is written gives (instants, intervals), and which rows lie within (the operators).

use super::lift::functions;
use crate::interval::Interval;

/// The edge of integers, which fits whatever the key.
#[inline]
pub fn edge_i64(key: i64, by: i64, back: bool) -> i128 {
    let (key, by) = (i128::from(key), i128::from(by));
    if back { key - by } else { key + by }
}

/// The edge of reals: no sum is out of range, and where an infinity less itself has no value every number lies within, so
/// that the edge is the infinity that is asked for.
#[inline]
pub fn edge_f64(key: f64, by: f64, back: bool, low: bool) -> f64 {
    let edge = if back { key - by } else { key + by };
    match edge.is_nan() && !key.is_nan() {
        true if low => f64::NEG_INFINITY,
        true => f64::INFINITY,
        false => edge,
    }
}

/// The edge of times of day, which midnight does not end: months and days of the interval do not count.
pub fn edge_time(micros: i64, by: i128, back: bool) -> i64 {
    let by = Interval::from_lane(by).micros();
    if back { micros.saturating_sub(by) } else { micros.saturating_add(by) }
}

functions! { "func::frame";
    "$frame_edge" (Integer, Integer, Boolean) -> Numeric, Total, edge_i64, "Where a frame over integers ends: the key, the distance, whether it goes down.";
    "$frame_edge" (Real, Real, Boolean, Boolean) -> Real, Total, edge_f64, "Where a frame over reals ends: the key, the distance, whether it goes down, whether no value is -Infinity.";
    "$frame_edge" (Time, Interval, Boolean) -> Time, Total, edge_time, "Where a frame over times of day ends: the key, the distance, whether it goes down.";
}
