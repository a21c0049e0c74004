//! What are the fields of a time of day, of an interval, and of an instant with a zone, and how are they cut to one?
//!
//! As `date` does for dates and instants, with PostgreSQL's rules for intervals: years are twelve months, an epoch counts
//! 365.25 days a year and 30 days a month. What a type has no field of is NULL here; the binder refuses it by name before.

use super::{
    Fault,
    date::{self, Field, field_of},
    lift::functions,
};
use crate::{interval::Interval, time::MICROS_PER_DAY};

/// Has a time of day this field?
pub fn time_has(name: &str) -> bool {
    field_of(name).is_some_and(|field| time_field(field, 0).is_some())
}

/// Has an interval this field?
pub fn interval_has(name: &str) -> bool {
    field_of(name).is_some_and(|field| interval_field(field, Interval::default()).is_some())
}

/// A field of a time of day, in millionths.
fn time_field(field: Field, micros: i64) -> Option<i128> {
    Some(match field {
        Field::Microseconds => i128::from(micros % 60_000_000) * 1_000_000,
        Field::Milliseconds => i128::from(micros % 60_000_000) * 1_000,
        Field::Second => i128::from(micros % 60_000_000),
        Field::Minute => i128::from(micros / 60_000_000 % 60) * 1_000_000,
        Field::Hour => i128::from(micros / 3_600_000_000) * 1_000_000,
        Field::Epoch => i128::from(micros),
        _ => return None,
    })
}

/// A field of an interval, in millionths.
fn interval_field(field: Field, of: Interval) -> Option<i128> {
    let months = of.months();
    let whole = |number: i64| i128::from(number) * 1_000_000;
    Some(match field {
        Field::Microseconds | Field::Milliseconds | Field::Second | Field::Minute | Field::Hour => {
            time_field(field, of.micros())?
        }
        Field::Day => whole(of.days()),
        Field::Week => whole(of.days() / 7),
        Field::Month => whole(months % 12),
        Field::Quarter => whole(months % 12 / 3 + 1),
        Field::Year => whole(months / 12),
        Field::Decade => whole(months / 120),
        Field::Century => whole(months / 1_200),
        Field::Millennium => whole(months / 12_000),
        Field::Epoch => {
            let days = i128::from(months % 12) * 30 + i128::from(of.days());
            // 365.25 days a year are 31,557,600 seconds.
            i128::from(months / 12) * 31_557_600_000_000 + days * i128::from(MICROS_PER_DAY) + i128::from(of.micros())
        }
        Field::DayOfWeek | Field::IsoDayOfWeek | Field::DayOfYear | Field::IsoYear | Field::Julian => return None,
    })
}

fn units(millionths: i128) -> Option<i64> {
    i64::try_from(millionths / 1_000_000).ok()
}

/// A whole field of a time of day.
pub fn extract_int_time(field: &str, micros: i64) -> Option<i64> {
    time_field(field_of(field)?, micros).and_then(units)
}

/// Any field of a time of day, in millionths.
pub fn extract_time(field: &str, micros: i64) -> Option<i128> {
    time_field(field_of(field)?, micros)
}

/// A whole field of an interval.
pub fn extract_int_interval(field: &str, lane: i128) -> Option<i64> {
    interval_field(field_of(field)?, Interval::from_lane(lane)).and_then(units)
}

/// Any field of an interval, in millionths.
pub fn extract_interval(field: &str, lane: i128) -> Option<i128> {
    interval_field(field_of(field)?, Interval::from_lane(lane))
}

/// A whole field of an instant.
pub fn extract_int_timestamptz(field: &str, micros: i64) -> Option<i64> {
    date::extract_int_timestamp(field, micros)
}

/// Any field of an instant, in millionths.
pub fn extract_timestamptz(field: &str, micros: i64) -> Option<i128> {
    date::extract_timestamp(field, micros)
}

/// Cuts an interval to its hours, days, months and so on.
pub fn trunc_interval(field: &str, lane: i128) -> (i128, Fault) {
    let of = Interval::from_lane(lane);
    let (months, days, micros) = (of.months(), of.days(), of.micros());
    let to = |size: i64| micros - micros % size;
    let months_to = |size: i64| Some((months - months % size, 0, 0));
    let cut = match field_of(field) {
        Some(Field::Microseconds) => Some((months, days, micros)),
        Some(Field::Milliseconds) => Some((months, days, to(1_000))),
        Some(Field::Second) => Some((months, days, to(1_000_000))),
        Some(Field::Minute) => Some((months, days, to(60_000_000))),
        Some(Field::Hour) => Some((months, days, to(3_600_000_000))),
        Some(Field::Day) => Some((months, days, 0)),
        Some(Field::Month) => months_to(1),
        Some(Field::Quarter) => months_to(3),
        Some(Field::Year) => months_to(12),
        Some(Field::Decade) => months_to(120),
        Some(Field::Century) => months_to(1_200),
        Some(Field::Millennium) => months_to(12_000),
        _ => None,
    };
    let Some((months, days, micros)) = cut else { return (0, Fault::InvalidArgument) };
    match Interval::new(months, days, micros) {
        Some(interval) => (interval.lane(), Fault::Ok),
        None => (0, Fault::DatetimeRange),
    }
}

/// Cuts an instant to the begin of its hour, day, month and so on, in UTC.
pub fn trunc_timestamptz(field: &str, micros: i64) -> (i64, Fault) {
    date::trunc_timestamp(field, micros)
}

/// Cuts an instant to the begin of its day, month and so on in a zone. Hours and what is finer have the distance from UTC
/// that the instant has itself: an hour that the clocks show twice stays the one that it is.
pub fn trunc_in_zone(field: &str, micros: i64, zone: &str) -> (i64, Fault) {
    let (local, fault) = super::zone::instant_to_local(zone, micros);
    if fault != Fault::Ok {
        return (0, fault);
    }
    let is_of_time = matches!(
        field_of(field),
        Some(Field::Hour | Field::Minute | Field::Second | Field::Milliseconds | Field::Microseconds)
    );
    match date::trunc_timestamp(field, local) {
        (cut, Fault::Ok) if is_of_time => (micros - (local - cut), Fault::Ok),
        (local, Fault::Ok) => super::zone::local_to_instant(zone, local),
        fault => fault,
    }
}

functions! { "func::fields";
    "$extract_int" (Text, Time) -> Integer, Partial, extract_int_time, "EXTRACT of a field that is a whole number.";
    "$extract_int" (Text, Interval) -> Integer, Partial, extract_int_interval, "EXTRACT of a field that is a whole number.";
    "$extract_int" (Text, TimestampTz) -> Integer, Partial, extract_int_timestamptz, "EXTRACT of a field that is a whole number, in UTC; NULL of an infinity.";
    "$extract" (Text, Time) -> Numeric, Partial, extract_time, "EXTRACT of any field, of scale 6.";
    "$extract" (Text, Interval) -> Numeric, Partial, extract_interval, "EXTRACT of any field, of scale 6.";
    "$extract" (Text, TimestampTz) -> Numeric, Partial, extract_timestamptz, "EXTRACT of any field, of scale 6, in UTC; NULL of an infinity.";
    "date_trunc" (Text, Interval) -> Interval, Fallible, trunc_interval, "The interval without what is finer than the hour, day, month and so on.";
    "date_trunc" (Text, TimestampTz) -> TimestampTz, Fallible, trunc_timestamptz, "The begin of the hour, day, week, month and so on of an instant, in UTC.";
    "date_trunc" (Text, TimestampTz, Text) -> TimestampTz, Fallible, trunc_in_zone, "The begin of the hour, day, week, month and so on of an instant, in a time zone.";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(text: &str) -> i128 {
        Interval::parse(text).expect("an interval").lane()
    }

    #[test]
    fn fields_of_intervals() {
        let of = |field: &str| extract_int_interval(field, lane("1 year 14 mons 15 days 27:04:05.6"));
        let found = ["year", "month", "day", "hour", "minute", "quarter", "week"].map(of);
        assert_eq!(found, [Some(2), Some(2), Some(15), Some(27), Some(4), Some(1), Some(2)]);
        assert_eq!(extract_interval("epoch", lane("1 year 1 day")), Some((31_557_600 + 86_400) * 1_000_000));
        assert_eq!(extract_interval("second", lane("-1.5 seconds")), Some(-1_500_000));
        assert_eq!(of("dow"), None);
        assert!(interval_has("year") && !interval_has("doy") && time_has("hour") && !time_has("day"));
    }

    #[test]
    fn intervals_are_cut() {
        let cut = |field: &str| {
            let (lane, fault) = trunc_interval(field, lane("3 years 14 mons 15 days 27:04:05.6"));
            (Interval::from_lane(lane).to_string(), fault)
        };
        assert_eq!(cut("hour"), ("4 years 2 mons 15 days 27:00:00".to_owned(), Fault::Ok));
        assert_eq!(cut("year"), ("4 years".to_owned(), Fault::Ok));
        assert_eq!(cut("week").1, Fault::InvalidArgument);
    }
}
