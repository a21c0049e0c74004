//! How are the two times counted, and what is a stretch of one?
//!
//! Contract. System time is a commit number with an instant; valid time is an instant in microseconds UTC. Both
//! stretches are half-open: `[from, to)`. `i64::MIN` and `i64::MAX` stand for minus and plus infinity.

use crate::func::{Fault, cast, cast_time};
use std::fmt;

/// The number of a commit: 1, 2, 3 ... in the order in which commits became visible; 0 is the empty database.
pub type Commit = u64;

/// A commit number after every commit: the `system_to` of a fact that nothing has superseded.
pub const COMMIT_OPEN: Commit = u64::MAX;

/// An instant in microseconds since 1970-01-01 00:00 UTC.
pub type Micros = i64;

/// Minus infinity on the valid-time axis.
pub const MICROS_MIN: Micros = i64::MIN;

/// Plus infinity on the valid-time axis.
pub const MICROS_MAX: Micros = i64::MAX;

/// Microseconds in a day.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A stretch of valid time `[from, to)`, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Period {
    from: Micros,
    to: Micros,
}

/// The period given is empty or reversed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a period must end after it begins")]
pub struct EmptyPeriod {
    /// Where it would begin.
    pub from: Micros,
    /// Where it would end.
    pub to: Micros,
}

impl Period {
    /// Always: from minus infinity to plus infinity.
    pub const ALWAYS: Period = Period { from: MICROS_MIN, to: MICROS_MAX };

    /// The period `[from, to)`.
    ///
    /// # Errors
    /// [`EmptyPeriod`] when `from >= to`.
    pub const fn new(from: Micros, to: Micros) -> Result<Period, EmptyPeriod> {
        if from < to { Ok(Period { from, to }) } else { Err(EmptyPeriod { from, to }) }
    }

    /// The first instant inside.
    pub const fn from(self) -> Micros {
        self.from
    }

    /// The first instant after it.
    pub const fn to(self) -> Micros {
        self.to
    }

    /// Is `at` inside? Plus infinity itself lies inside no period.
    pub const fn contains(self, at: Micros) -> bool {
        self.from <= at && at < self.to
    }

    /// Do the two share an instant?
    pub const fn overlaps(self, other: Period) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// The instants that both hold, if there are any.
    pub const fn intersect(self, other: Period) -> Option<Period> {
        let from = if self.from > other.from { self.from } else { other.from };
        let to = if self.to < other.to { self.to } else { other.to };
        if from < to { Some(Period { from, to }) } else { None }
    }

    /// What of `self` lies before and after `cut`: the leftovers of a write to `cut`.
    pub const fn outside(self, cut: Period) -> (Option<Period>, Option<Period>) {
        let before = if self.from < cut.from {
            let to = if self.to < cut.from { self.to } else { cut.from };
            Some(Period { from: self.from, to })
        } else {
            None
        };
        let after = if cut.to < self.to {
            let from = if self.from > cut.to { self.from } else { cut.to };
            Some(Period { from, to: self.to })
        } else {
            None
        };
        (before, after)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {})", Timestamp(self.from), Timestamp(self.to))
    }
}

/// A day, as days since 1970-01-01; the extremes are the infinities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(pub i32);

/// An instant in microseconds since 1970-01-01 00:00 UTC; the extremes are the infinities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub Micros);

/// A time of day: microseconds since midnight, from 0 to those of a whole day (24:00).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(pub i64);

/// An instant as [`Timestamp`] counts it, which is printed and read with a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimestampTz(pub Micros);

/// The civil date of a day number (proleptic Gregorian calendar): year, month 1-12, day 1-31.
///
/// Days are counted in 400-year eras that begin on 1 March, so that a leap day ends a year.
pub const fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month as u8, day as u8)
}

/// The day number of a civil date; the inverse of [`civil_from_days`]. The caller checks the fields' ranges.
pub const fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month as i64 + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day as i64 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The text is no date or time of the calendar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no {what}")]
pub struct InvalidTime {
    /// `date` or `timestamp`.
    pub what: &'static str,
    /// The text.
    pub text: String,
}

/// As `CAST('2026-01-31' AS DATE)` does.
impl std::str::FromStr for Date {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Date, InvalidTime> {
        let invalid = || InvalidTime { what: "date", text: text.to_owned() };
        match cast::text_to_date(text) {
            (days, Fault::Ok) => i32::try_from(days).map(Date).map_err(|_| invalid()),
            (_, _) => Err(invalid()),
        }
    }
}

/// As `CAST('2026-01-31 12:00' AS TIMESTAMP)` does; a date alone is its midnight in UTC.
impl std::str::FromStr for Timestamp {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Timestamp, InvalidTime> {
        match cast::text_to_timestamp(text) {
            (micros, Fault::Ok) => Ok(Timestamp(micros)),
            (_, _) => Err(InvalidTime { what: "timestamp", text: text.to_owned() }),
        }
    }
}

/// As `CAST('12:30' AS TIME)` does.
impl std::str::FromStr for Time {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Time, InvalidTime> {
        match cast_time::text_to_time(text) {
            (micros, Fault::Ok) => Ok(Time(micros)),
            (_, _) => Err(InvalidTime { what: "time", text: text.to_owned() }),
        }
    }
}

/// As `CAST('2026-01-31 12:00+02' AS TIMESTAMPTZ)` does.
impl std::str::FromStr for TimestampTz {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<TimestampTz, InvalidTime> {
        match cast_time::text_to_timestamptz(text) {
            (micros, Fault::Ok) => Ok(TimestampTz(micros)),
            (_, _) => Err(InvalidTime { what: "timestamptz", text: text.to_owned() }),
        }
    }
}

/// `YYYY-MM-DD`, and what stands at the very end: years before 1 are counted backwards.
fn write_day(f: &mut fmt::Formatter<'_>, days: i64) -> Result<&'static str, fmt::Error> {
    let (year, month, day) = civil_from_days(days);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    write!(f, "{year:04}-{month:02}-{day:02}")?;
    Ok(era)
}

/// An instant that is no infinity, with its zone.
fn write_instant(f: &mut fmt::Formatter<'_>, micros: Micros, zone: &str) -> fmt::Result {
    let era = write_day(f, micros.div_euclid(MICROS_PER_DAY))?;
    f.write_str(" ")?;
    write_clock(f, micros.rem_euclid(MICROS_PER_DAY))?;
    f.write_str(zone)?;
    f.write_str(era)
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            i32::MIN => f.write_str("-infinity"),
            i32::MAX => f.write_str("infinity"),
            days => {
                let era = write_day(f, i64::from(days))?;
                f.write_str(era)
            }
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            MICROS_MIN => f.write_str("-infinity"),
            MICROS_MAX => f.write_str("infinity"),
            micros => write_instant(f, micros, ""),
        }
    }
}

/// `HH:MM:SS[.ffffff]` of microseconds that are not negative; the hours may be more than a day's.
pub(crate) fn write_clock(f: &mut impl fmt::Write, micros: i64) -> fmt::Result {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    if fraction != 0 {
        let digits = format!("{fraction:06}");
        write!(f, ".{}", digits.trim_end_matches('0'))?;
    }
    Ok(())
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_clock(f, self.0)
    }
}

impl fmt::Display for TimestampTz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            MICROS_MIN | MICROS_MAX => Timestamp(self.0).fmt(f),
            micros => write_instant(f, micros, "+00"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_dates_round_trip_over_five_thousand_years() {
        for days in (-1_000_000..1_000_000).step_by(17) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(civil_from_days(-1), (1969, 12, 31));
        assert_eq!(civil_from_days(11_016), (2000, 2, 29));
    }

    #[test]
    fn timestamps_print_like_postgresql() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01 00:00:00");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31 23:59:59.999999");
        assert_eq!(Timestamp(1_500_000).to_string(), "1970-01-01 00:00:01.5");
        assert_eq!(Timestamp(MICROS_MAX).to_string(), "infinity");
    }

    #[test]
    fn leftovers_lie_outside_the_cut() {
        let whole = Period::new(0, 100).expect("not empty");
        let cut = Period::new(20, 50).expect("not empty");
        assert_eq!(whole.outside(cut), (Period::new(0, 20).ok(), Period::new(50, 100).ok()));
        assert_eq!(cut.outside(whole), (None, None));
        assert_eq!(whole.outside(Period::new(200, 300).expect("not empty")), (Some(whole), None));
    }
}
