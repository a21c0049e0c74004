//! How are intervals added to dates, instants and times, and to each other?
//!
//! As in PostgreSQL: months move first (the day is the last of its month where that is shorter), then days, then
//! microseconds. A product or quotient hands the fraction of a month down to days of a month of 30, and a fraction of a
//! day to hours. What has no calendar (infinities) or leaves the range is 22008.
//!
//! An interval is its lane's number here ([`crate::interval`]).
//! Not here: fields of an interval (`interval_fields`), reading and printing ([`crate::interval`]).

use super::{
    Fault,
    datetime::{is_finite, midnight},
    lift::functions,
};
use crate::{
    interval::Interval,
    time::{MICROS_PER_DAY, civil_from_days, days_from_civil},
};

const NO: (i64, Fault) = (0, Fault::DatetimeRange);
const NONE: (i128, Fault) = (0, Fault::DatetimeRange);

fn flagged(interval: Option<Interval>) -> (i128, Fault) {
    match interval {
        Some(interval) => (interval.lane(), Fault::Ok),
        None => NONE,
    }
}

fn instant(micros: Option<i64>) -> (i64, Fault) {
    match micros {
        Some(micros) if is_finite(micros) => (micros, Fault::Ok),
        Some(_) | None => NO,
    }
}

/// A day so many months later: the last of its month where that is shorter.
pub(crate) fn plus_months(days: i64, months: i64) -> Option<i64> {
    if months == 0 {
        return Some(days);
    }
    let (year, month, day) = civil_from_days(days);
    let count = year * 12 + i64::from(month) - 1 + months;
    let (year, month) = (count.div_euclid(12), count.rem_euclid(12) as u8 + 1);
    (-5_000..=300_000).contains(&year).then(|| {
        let first = days_from_civil(year, month, 1);
        first + i64::from(day).min(month_days(year, month)) - 1
    })
}

/// How many days a month has.
pub(crate) fn month_days(year: i64, month: u8) -> i64 {
    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_from_civil(next_year, next, 1) - days_from_civil(year, month, 1)
}

fn moved(micros: i64, by: Interval) -> Option<i64> {
    let (days, of_day) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
    let days = plus_months(days, by.months())?.checked_add(by.days())?;
    midnight(days)?.checked_add(of_day)?.checked_add(by.micros())
}

/// An instant an interval later; an infinity stays.
pub fn timestamp_plus(micros: i64, by: i128) -> (i64, Fault) {
    if !is_finite(micros) {
        return (micros, Fault::Ok);
    }
    instant(moved(micros, Interval::from_lane(by)))
}

/// An instant an interval later; an infinity stays.
pub fn plus_timestamp(by: i128, micros: i64) -> (i64, Fault) {
    timestamp_plus(micros, by)
}

/// An instant an interval earlier; an infinity stays.
pub fn timestamp_minus(micros: i64, by: i128) -> (i64, Fault) {
    match negative(Interval::from_lane(by)) {
        Some(by) => timestamp_plus(micros, by.lane()),
        None => NO,
    }
}

fn begin(days: i64) -> Option<i64> {
    midnight(days)
}

/// The instant an interval after a day's begin.
pub fn date_plus(days: i64, by: i128) -> (i64, Fault) {
    match begin(days) {
        Some(micros) => timestamp_plus(micros, by),
        None => NO,
    }
}

/// The instant an interval after a day's begin.
pub fn plus_date(by: i128, days: i64) -> (i64, Fault) {
    date_plus(days, by)
}

/// The instant an interval before a day's begin.
pub fn date_minus(days: i64, by: i128) -> (i64, Fault) {
    match begin(days) {
        Some(micros) => timestamp_minus(micros, by),
        None => NO,
    }
}

/// A time of day an interval later: days do not count, and midnight is passed over.
pub fn time_plus(micros: i64, by: i128) -> (i64, Fault) {
    let by = Interval::from_lane(by).micros();
    ((micros % MICROS_PER_DAY + by % MICROS_PER_DAY).rem_euclid(MICROS_PER_DAY), Fault::Ok)
}

/// A time of day an interval later.
pub fn plus_time(by: i128, micros: i64) -> (i64, Fault) {
    time_plus(micros, by)
}

/// A time of day an interval earlier.
pub fn time_minus(micros: i64, by: i128) -> (i64, Fault) {
    let by = Interval::from_lane(by).micros();
    ((micros % MICROS_PER_DAY - by % MICROS_PER_DAY).rem_euclid(MICROS_PER_DAY), Fault::Ok)
}

/// The instant of a day and a time of day.
pub fn date_at(days: i64, micros: i64) -> (i64, Fault) {
    instant(begin(days).and_then(|begin| begin.checked_add(micros)))
}

/// The instant of a day and a time of day.
pub fn at_date(micros: i64, days: i64) -> (i64, Fault) {
    date_at(days, micros)
}

/// The days and microseconds from the second instant to the first.
pub fn timestamp_difference(a: i64, b: i64) -> (i128, Fault) {
    if !is_finite(a) || !is_finite(b) {
        return NONE;
    }
    let Some(micros) = a.checked_sub(b) else { return NONE };
    flagged(Interval::new(0, micros / MICROS_PER_DAY, micros % MICROS_PER_DAY))
}

/// The microseconds from the second time of day to the first.
pub fn time_difference(a: i64, b: i64) -> (i128, Fault) {
    flagged(Interval::new(0, 0, a.wrapping_sub(b)))
}

fn negative(a: Interval) -> Option<Interval> {
    Interval::new(-a.months(), -a.days(), a.micros().checked_neg()?)
}

/// Each part with its sign turned.
pub fn negate(a: i128) -> (i128, Fault) {
    flagged(negative(Interval::from_lane(a)))
}

/// The sums of the parts.
pub fn add(a: i128, b: i128) -> (i128, Fault) {
    let (a, b) = (Interval::from_lane(a), Interval::from_lane(b));
    let micros = a.micros().checked_add(b.micros());
    flagged(micros.and_then(|micros| Interval::new(a.months() + b.months(), a.days() + b.days(), micros)))
}

/// The differences of the parts.
pub fn subtract(a: i128, b: i128) -> (i128, Fault) {
    let (a, b) = (Interval::from_lane(a), Interval::from_lane(b));
    let micros = a.micros().checked_sub(b.micros());
    flagged(micros.and_then(|micros| Interval::new(a.months() - b.months(), a.days() - b.days(), micros)))
}

/// Each part times a number; what is left of months goes to days, what is left of days to microseconds.
pub fn multiply(a: i128, factor: f64) -> (i128, Fault) {
    let a = Interval::from_lane(a);
    // PostgreSQL rounds to microseconds where binary fractions of days begin to show.
    let rounded = |part: f64| (part * 1_000_000.0).round_ties_even() / 1_000_000.0;
    let (months, days) = (a.months() as f64 * factor, a.days() as f64 * factor);
    if !months.is_finite() || !days.is_finite() || months.abs() > 1e12 || days.abs() > 1e12 {
        return NONE;
    }
    let days_of_months = rounded((months - months.trunc()) * 30.0);
    let mut whole_days = days.trunc() + days_of_months.trunc();
    let mut seconds = rounded((days - days.trunc() + days_of_months - days_of_months.trunc()) * 86_400.0);
    if seconds.abs() >= 86_400.0 {
        whole_days += (seconds / 86_400.0).trunc();
        seconds %= 86_400.0;
    }
    let micros = (a.micros() as f64 * factor + seconds * 1_000_000.0).round_ties_even();
    if !(-9.2e18..9.2e18).contains(&micros) {
        return NONE;
    }
    flagged(Interval::new(months.trunc() as i64, whole_days as i64, micros as i64))
}

/// Each part times a number.
pub fn times(factor: f64, a: i128) -> (i128, Fault) {
    multiply(a, factor)
}

/// Each part by a number.
pub fn divide(a: i128, divisor: f64) -> (i128, Fault) {
    if divisor == 0.0 {
        return (0, Fault::DivisionByZero);
    }
    multiply(a, 1.0 / divisor)
}

/// Days of 24 hours out of the microseconds.
pub fn justify_hours(a: i128) -> (i128, Fault) {
    let a = Interval::from_lane(a);
    let (mut days, mut micros) = (a.days() + a.micros() / MICROS_PER_DAY, a.micros() % MICROS_PER_DAY);
    level(&mut days, &mut micros, MICROS_PER_DAY);
    flagged(Interval::new(a.months(), days, micros))
}

/// Months of 30 days out of the days.
pub fn justify_days(a: i128) -> (i128, Fault) {
    let a = Interval::from_lane(a);
    let (mut months, mut days) = (a.months() + a.days() / 30, a.days() % 30);
    level(&mut months, &mut days, 30);
    flagged(Interval::new(months, days, a.micros()))
}

/// Both, and all parts of one sign.
pub fn justify_interval(a: i128) -> (i128, Fault) {
    let a = Interval::from_lane(a);
    let mut days = a.days() + a.micros() / MICROS_PER_DAY;
    let mut micros = a.micros() % MICROS_PER_DAY;
    let (mut months, mut rest) = (a.months() + days / 30, days % 30);
    let after = |days: i64, micros: i64| days > 0 || (days == 0 && micros > 0);
    let before = |days: i64, micros: i64| days < 0 || (days == 0 && micros < 0);
    if months > 0 && before(rest, micros) {
        (months, rest) = (months - 1, rest + 30);
    } else if months < 0 && after(rest, micros) {
        (months, rest) = (months + 1, rest - 30);
    }
    days = rest;
    level(&mut days, &mut micros, MICROS_PER_DAY);
    flagged(Interval::new(months, days, micros))
}

/// Gives both parts one sign.
fn level(large: &mut i64, small: &mut i64, size: i64) {
    if *large > 0 && *small < 0 {
        (*large, *small) = (*large - 1, *small + size);
    } else if *large < 0 && *small > 0 {
        (*large, *small) = (*large + 1, *small - size);
    }
}

/// The years, months, days and time of day from the second instant to the first, as a calendar counts them.
pub fn age(a: i64, b: i64) -> (i128, Fault) {
    if !is_finite(a) || !is_finite(b) {
        return NONE;
    }
    let (late, early, sign) = if a < b { (b, a, -1) } else { (a, b, 1) };
    let parts = |micros: i64| {
        let (days, of_day) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
        let (year, month, day) = civil_from_days(days);
        (year, month, i64::from(day), of_day)
    };
    let (late_year, late_month, late_day, late_micros) = parts(late);
    let (early_year, early_month, early_day, early_micros) = parts(early);
    let mut months = (late_year - early_year) * 12 + i64::from(late_month) - i64::from(early_month);
    let (mut days, mut micros) = (late_day - early_day, late_micros - early_micros);
    if micros < 0 {
        (days, micros) = (days - 1, micros + MICROS_PER_DAY);
    }
    // PostgreSQL borrows the length of the earlier instant's month.
    while days < 0 {
        days += month_days(early_year, early_month);
        months -= 1;
    }
    flagged(Interval::new(sign * months, sign * days, sign * micros))
}

/// The age of days.
pub fn date_age(a: i64, b: i64) -> (i128, Fault) {
    match (begin(a), begin(b)) {
        (Some(a), Some(b)) => age(a, b),
        _ => NONE,
    }
}

/// An interval of years, months, weeks and days.
pub fn make_interval(years: i64, months: i64, weeks: i64, days: i64) -> (i128, Fault) {
    let months = years.checked_mul(12).and_then(|of_years| of_years.checked_add(months));
    let days = weeks.checked_mul(7).and_then(|of_weeks| of_weeks.checked_add(days));
    flagged(months.zip(days).and_then(|(months, days)| Interval::new(months, days, 0)))
}

/// An interval of hours, minutes and seconds.
pub fn make_clock(hours: i64, minutes: i64, seconds: f64) -> (i128, Fault) {
    let whole =
        hours.checked_mul(3600).zip(minutes.checked_mul(60)).and_then(|(hours, minutes)| hours.checked_add(minutes));
    let micros = (seconds * 1_000_000.0).round_ties_even();
    if !(-9.2e18..9.2e18).contains(&micros) {
        return NONE;
    }
    let micros =
        whole.and_then(|whole| whole.checked_mul(1_000_000)).and_then(|whole| whole.checked_add(micros as i64));
    flagged(micros.and_then(|micros| Interval::new(0, 0, micros)))
}

/// The begin of the stretch that an instant lies in, of stretches of one length counted from an origin.
pub fn date_bin(stride: i128, at: i64, origin: i64) -> (i64, Fault) {
    let stride = Interval::from_lane(stride);
    if stride.months() != 0 {
        return (0, Fault::InvalidArgument);
    }
    let micros = stride.days().checked_mul(MICROS_PER_DAY).and_then(|days| days.checked_add(stride.micros()));
    let Some(micros) = micros else { return NO };
    if micros <= 0 {
        return (0, Fault::InvalidArgument);
    }
    if !is_finite(at) || !is_finite(origin) {
        return if is_finite(origin) { (at, Fault::Ok) } else { NO };
    }
    instant(at.checked_sub(origin).and_then(|since| at.checked_sub(since.rem_euclid(micros))))
}

/// Is it an interval of the calendar? All are.
pub fn is_finite_interval(_: i128) -> bool {
    true
}

functions! { "func::interval";
    "+" (Timestamp, Interval) -> Timestamp, Fallible, timestamp_plus, "The instant that much later: first the months, then the days, then the time.";
    "+" (Interval, Timestamp) -> Timestamp, Fallible, plus_timestamp, "The instant that much later.";
    "-" (Timestamp, Interval) -> Timestamp, Fallible, timestamp_minus, "The instant that much earlier.";
    "+" (TimestampTz, Interval) -> TimestampTz, Fallible, timestamp_plus, "The instant that much later, days and months counted on the clocks of the session's zone.";
    "+" (Interval, TimestampTz) -> TimestampTz, Fallible, plus_timestamp, "The instant that much later.";
    "-" (TimestampTz, Interval) -> TimestampTz, Fallible, timestamp_minus, "The instant that much earlier.";
    "+" (Date, Interval) -> Timestamp, Fallible, date_plus, "The instant that much after the day's begin.";
    "+" (Interval, Date) -> Timestamp, Fallible, plus_date, "The instant that much after the day's begin.";
    "-" (Date, Interval) -> Timestamp, Fallible, date_minus, "The instant that much before the day's begin.";
    "+" (Time, Interval) -> Time, Fallible, time_plus, "The time of day that much later, past midnight too.";
    "+" (Interval, Time) -> Time, Fallible, plus_time, "The time of day that much later.";
    "-" (Time, Interval) -> Time, Fallible, time_minus, "The time of day that much earlier.";
    "+" (Date, Time) -> Timestamp, Fallible, date_at, "The instant of a day and a time of day.";
    "+" (Time, Date) -> Timestamp, Fallible, at_date, "The instant of a day and a time of day.";
    "-" (Timestamp, Timestamp) -> Interval, Fallible, timestamp_difference, "The days and the time from the second instant to the first.";
    "-" (TimestampTz, TimestampTz) -> Interval, Fallible, timestamp_difference, "The days and the time from the second instant to the first.";
    "-" (Time, Time) -> Interval, Fallible, time_difference, "The time from the second to the first.";
    "-" (Interval) -> Interval, Fallible, negate, "Each part with its sign turned.";
    "+" (Interval, Interval) -> Interval, Fallible, add, "The sums of months, of days and of times.";
    "-" (Interval, Interval) -> Interval, Fallible, subtract, "The differences of months, of days and of times.";
    "*" (Interval, Real) -> Interval, Fallible, multiply, "Each part times a number.";
    "*" (Real, Interval) -> Interval, Fallible, times, "Each part times a number.";
    "/" (Interval, Real) -> Interval, Fallible, divide, "Each part by a number.";
    "justify_hours" (Interval) -> Interval, Fallible, justify_hours, "Days out of each 24 hours.";
    "justify_days" (Interval) -> Interval, Fallible, justify_days, "Months out of each 30 days.";
    "justify_interval" (Interval) -> Interval, Fallible, justify_interval, "Days out of 24 hours, months out of 30 days, and all parts of one sign.";
    "age" (Timestamp, Timestamp) -> Interval, Fallible, age, "The years, months, days and time from the second instant to the first.";
    "age" (TimestampTz, TimestampTz) -> Interval, Fallible, age, "The years, months, days and time from the second instant to the first.";
    "age" (Date, Date) -> Interval, Fallible, date_age, "The years, months and days from the second date to the first.";
    "$make_interval" (Integer, Integer, Integer, Integer) -> Interval, Fallible, make_interval, "Years, months, weeks and days of make_interval.";
    "$make_clock" (Integer, Integer, Real) -> Interval, Fallible, make_clock, "Hours, minutes and seconds of make_interval.";
    "date_bin" (Interval, Timestamp, Timestamp) -> Timestamp, Fallible, date_bin, "The begin of the stretch of that length, counted from the third, in which the second lies.";
    "date_bin" (Interval, TimestampTz, TimestampTz) -> TimestampTz, Fallible, date_bin, "The begin of the stretch of that length, counted from the third, in which the second lies.";
    "isfinite" (Interval) -> Boolean, Total, is_finite_interval, "True: no interval is infinite.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{func::datetime::read_timestamp, time::Timestamp};

    fn at(text: &str) -> i64 {
        read_timestamp(text).expect("an instant")
    }

    fn lane(text: &str) -> i128 {
        Interval::parse(text).expect("an interval").lane()
    }

    fn shown(result: (i128, Fault)) -> String {
        assert_eq!(result.1, Fault::Ok);
        Interval::from_lane(result.0).to_string()
    }

    #[test]
    fn months_move_before_days_and_days_before_time() {
        let plus = |from: &str, by: &str| Timestamp(timestamp_plus(at(from), lane(by)).0).to_string();
        assert_eq!(plus("2024-01-31", "1 month"), "2024-02-29 00:00:00");
        assert_eq!(plus("2024-01-31", "1 month 1 day"), "2024-03-01 00:00:00");
        assert_eq!(plus("2024-03-31 10:00", "-1 month -11:00"), "2024-02-28 23:00:00");
        assert_eq!(timestamp_plus(i64::MAX, lane("1 day")), (i64::MAX, Fault::Ok));
        assert_eq!(timestamp_plus(at("294246-01-01"), lane("100 years")).1, Fault::DatetimeRange);
    }

    #[test]
    fn ages_are_postgresqls() {
        let of = |a: &str, b: &str| shown(age(at(a), at(b)));
        assert_eq!(of("2001-04-10", "1957-06-13"), "43 years 9 mons 27 days");
        assert_eq!(of("2024-03-01", "2024-01-31"), "1 mon 1 day");
        assert_eq!(of("2024-01-31", "2024-03-01"), "-1 mons -1 days");
        assert_eq!(of("2024-01-01 01:00", "2024-01-01 02:30"), "-01:30:00");
    }

    #[test]
    fn products_hand_fractions_down() {
        assert_eq!(shown(multiply(lane("1 month"), 0.5)), "15 days");
        assert_eq!(shown(multiply(lane("1 day"), 1.5)), "1 day 12:00:00");
        assert_eq!(shown(divide(lane("1 year"), 5.0)), "2 mons 12 days");
        assert_eq!(divide(lane("1 day"), 0.0).1, Fault::DivisionByZero);
        assert_eq!(multiply(lane("1 day"), f64::NAN).1, Fault::DatetimeRange);
    }

    #[test]
    fn parts_are_levelled() {
        assert_eq!(shown(justify_hours(lane("27 hours"))), "1 day 03:00:00");
        assert_eq!(shown(justify_days(lane("35 days"))), "1 mon 5 days");
        assert_eq!(shown(justify_interval(lane("1 mon -1 hour"))), "29 days 23:00:00");
    }

    #[test]
    fn stretches_are_counted_from_their_origin() {
        let bin = |stride: &str, at_: &str| Timestamp(date_bin(lane(stride), at(at_), at("2001-01-01")).0).to_string();
        assert_eq!(bin("15 minutes", "2020-02-11 15:44:17"), "2020-02-11 15:30:00");
        assert_eq!(bin("1 day", "1999-12-31 23:00"), "1999-12-31 00:00:00");
        assert_eq!(date_bin(lane("1 month"), 0, 0).1, Fault::InvalidArgument);
    }
}
