//! How do times of day, instants with a zone, intervals and UUIDs become text, and each other?
//!
//! More rows of `$cast` (`cast` has the rest). A TIMESTAMPTZ counts in UTC and is printed in UTC; read without a zone it
//! is of UTC too. As in PostgreSQL a TIME is the time of day of an instant, an INTERVAL's time of day leaves its days out.

use super::{
    Fault,
    cast::flagged,
    datetime::{self, is_finite},
    lift::functions,
    zone,
};
use crate::{
    interval::Interval,
    time::{MICROS_PER_DAY, Time, TimestampTz},
    uuid::Uuid,
};
use std::fmt::{Display, Write};

fn print(value: impl Display, out: &mut String) {
    write!(out, "{value}").expect("a String takes all that is written");
}

fn quoted(value: impl Display, out: &mut String) {
    write!(out, "\"{value}\"").expect("a String takes all that is written");
}

/// A time of day as `HH:MM:SS[.ffffff]`.
pub fn time_to_text(micros: i64, out: &mut String) {
    print(Time(micros), out);
}

/// An instant as `YYYY-MM-DD HH:MM:SS[.ffffff]+00`.
pub fn timestamptz_to_text(micros: i64, out: &mut String) {
    print(TimestampTz(micros), out);
}

/// An interval as `1 year 2 mons 3 days 04:05:06`.
pub fn interval_to_text(lane: i128, out: &mut String) {
    print(Interval::from_lane(lane), out);
}

/// A UUID as its groups of digits.
pub fn uuid_to_text(lane: i128, out: &mut String) {
    print(Uuid::from_lane(lane), out);
}

/// A JSON string of a time of day.
pub fn time_to_json(micros: i64, out: &mut String) {
    quoted(Time(micros), out);
}

/// A JSON string of an instant, in the form of ISO 8601.
pub fn timestamptz_to_json(micros: i64, out: &mut String) {
    let text = TimestampTz(micros).to_string().replacen(' ', "T", 1);
    let full = if is_finite(micros) { format!("{text}:00") } else { text };
    quoted(full, out);
}

/// A JSON string of an interval.
pub fn interval_to_json(lane: i128, out: &mut String) {
    quoted(Interval::from_lane(lane), out);
}

/// A JSON string of a UUID.
pub fn uuid_to_json(lane: i128, out: &mut String) {
    quoted(Uuid::from_lane(lane), out);
}

/// A time of day from `HH:MM[:SS[.ffffff]]`, with `AM` or `PM` or the time of an instant.
pub fn text_to_time(a: &str) -> (i64, Fault) {
    flagged(datetime::read_time_of_day(a))
}

/// An instant from an ISO text with an offset or a zone's name; without one in UTC.
pub fn text_to_timestamptz(a: &str) -> (i64, Fault) {
    flagged(zone::read_timestamptz(a))
}

/// An interval from its text.
pub fn text_to_interval(a: &str) -> (i128, Fault) {
    match Interval::parse(a) {
        Ok(interval) => (interval.lane(), Fault::Ok),
        Err(fault) => (0, fault),
    }
}

/// A UUID from its digits.
pub fn text_to_uuid(a: &str) -> (i128, Fault) {
    match Uuid::parse(a) {
        Some(uuid) => (uuid.lane(), Fault::Ok),
        None => (0, Fault::InvalidText),
    }
}

/// The instant itself: both count in UTC.
#[inline]
pub fn same_instant(micros: i64) -> i64 {
    micros
}

/// The time of day of an instant; an infinity has none.
#[inline]
pub fn timestamp_to_time(micros: i64) -> Option<i64> {
    is_finite(micros).then(|| micros.rem_euclid(MICROS_PER_DAY))
}

/// The time of day that an interval has beyond its days.
pub fn interval_to_time(lane: i128) -> i64 {
    Interval::from_lane(lane).micros().rem_euclid(MICROS_PER_DAY)
}

/// The interval since midnight.
pub fn time_to_interval(micros: i64) -> (i128, Fault) {
    match Interval::new(0, 0, micros) {
        Some(interval) => (interval.lane(), Fault::Ok),
        None => (0, Fault::DatetimeRange),
    }
}

/// A UUID's sixteen bytes.
pub fn uuid_to_blob(lane: i128, out: &mut Vec<u8>) {
    out.extend_from_slice(&Uuid::from_lane(lane).0.to_be_bytes());
}

/// A UUID of sixteen bytes.
pub fn blob_to_uuid(a: &[u8]) -> (i128, Fault) {
    match <[u8; 16]>::try_from(a) {
        Ok(bytes) => (Uuid(u128::from_be_bytes(bytes)).lane(), Fault::Ok),
        Err(_) => (0, Fault::InvalidArgument),
    }
}

functions! { "func::cast_time";
    "$cast" (Time) -> Text, Total, time_to_text, "HH:MM:SS and a fraction if there is one.";
    "$cast" (TimestampTz) -> Text, Total, timestamptz_to_text, "YYYY-MM-DD HH:MM:SS, a fraction if there is one, and +00.";
    "$cast" (Interval) -> Text, Total, interval_to_text, "1 year 2 mons 3 days 04:05:06.";
    "$cast" (Uuid) -> Text, Total, uuid_to_text, "Groups of hexadecimal digits.";
    "$cast" (Time) -> Json, Total, time_to_json, "A string.";
    "$cast" (TimestampTz) -> Json, Total, timestamptz_to_json, "A string in the form of ISO 8601.";
    "$cast" (Interval) -> Json, Total, interval_to_json, "A string.";
    "$cast" (Uuid) -> Json, Total, uuid_to_json, "A string.";
    "$cast" (Text) -> Time, Fallible, text_to_time, "HH:MM:SS, with AM or PM, or the time of an instant.";
    "$cast" (Text) -> TimestampTz, Fallible, text_to_timestamptz, "ISO 8601 with an offset or a zone's name, infinity or -infinity; without a zone in UTC.";
    "$cast" (Text) -> Interval, Fallible, text_to_interval, "Amounts with units, SQL's forms, or ISO 8601.";
    "$cast" (Text) -> Uuid, Fallible, text_to_uuid, "32 hexadecimal digits, with hyphens after groups of four or none.";
    "$cast" (Timestamp) -> TimestampTz, Total, same_instant, "The same instant: both count in UTC.";
    "$cast" (TimestampTz) -> Timestamp, Total, same_instant, "The same instant: both count in UTC.";
    "$cast" (Date) -> TimestampTz, Fallible, day_begin, "The day's begin in UTC.";
    "$cast" (TimestampTz) -> Date, Total, day_of, "The day of the instant in UTC.";
    "$cast" (Timestamp) -> Time, Partial, timestamp_to_time, "The time of day; NULL of an infinity.";
    "$cast" (TimestampTz) -> Time, Partial, timestamp_to_time, "The time of day in UTC; NULL of an infinity.";
    "$cast" (Interval) -> Time, Total, interval_to_time, "The time that the interval has beyond its days.";
    "$cast" (Time) -> Interval, Fallible, time_to_interval, "The interval since midnight.";
    "$cast" (Uuid) -> Blob, Total, uuid_to_blob, "Sixteen bytes.";
    "$cast" (Blob) -> Uuid, Fallible, blob_to_uuid, "Sixteen bytes.";
}

/// The begin of a day.
#[inline]
pub fn day_begin(days: i64) -> (i64, Fault) {
    super::cast::date_to_timestamp(days)
}

/// The day of an instant; an infinity stays one.
#[inline]
pub fn day_of(micros: i64) -> i64 {
    super::cast::timestamp_to_date(micros)
}
