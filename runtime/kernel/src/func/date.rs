//! What are the fields of a date or an instant, and how is it cut to one?
//!
//! Fields are named as in PostgreSQL, in any case, in singular, plural or short. `EXTRACT` has two functions, between
//! which the binder picks by [`field_is_whole`]: `$extract_int` gives the whole fields as INTEGER, `$extract` gives
//! `second`, `milliseconds`, `epoch` and `julian` as NUMERIC of scale 6. An infinity has no fields: NULL.
//!
//! Everything is in UTC and the proleptic Gregorian calendar; weeks begin on Monday (ISO 8601).
//! Not here: intervals, time zones.

use super::{
    Fault, RowFault, big_numeric,
    datetime::{DAYS_MAX, DAYS_MIN, is_finite, is_finite_day, midnight},
    lift::{self, Call, Class, Fixed, class, functions},
};
use crate::{
    column::Column,
    time::{MICROS_PER_DAY, civil_from_days, days_from_civil},
    value::Value,
};

/// A part of a date or of a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Microseconds,
    Milliseconds,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    IsoYear,
    Epoch,
    Julian,
}

/// The names of each field.
const NAMES: &[(&[&str], Field)] = &[
    (&["microseconds", "microsecond", "us", "usec", "usecs"], Field::Microseconds),
    (&["milliseconds", "millisecond", "ms", "msec", "msecs"], Field::Milliseconds),
    (&["second", "seconds", "sec", "secs", "s"], Field::Second),
    (&["minute", "minutes", "min", "mins", "m"], Field::Minute),
    (&["hour", "hours", "hr", "hrs", "h"], Field::Hour),
    (&["day", "days", "d"], Field::Day),
    (&["week", "weeks", "w"], Field::Week),
    (&["month", "months", "mon", "mons"], Field::Month),
    (&["quarter", "qtr"], Field::Quarter),
    (&["year", "years", "yr", "yrs", "y"], Field::Year),
    (&["decade", "decades", "dec", "decs"], Field::Decade),
    (&["century", "centuries", "cent", "c"], Field::Century),
    (&["millennium", "millennia", "mil", "mils"], Field::Millennium),
    (&["dow"], Field::DayOfWeek),
    (&["isodow"], Field::IsoDayOfWeek),
    (&["doy"], Field::DayOfYear),
    (&["isoyear"], Field::IsoYear),
    (&["epoch"], Field::Epoch),
    (&["julian"], Field::Julian),
];

/// The field of a name.
pub(super) fn field_of(name: &str) -> Option<Field> {
    let name = name.trim_ascii();
    let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
    NAMES.iter().find(|(names, _)| is(names)).map(|(_, field)| *field)
}

/// Is a field of `EXTRACT` a whole number (`$extract_int`), or has it digits after the point (`$extract`)? `None` for
/// what is no field.
pub fn field_is_whole(name: &str) -> Option<bool> {
    field_of(name).map(|field| !matches!(field, Field::Milliseconds | Field::Second | Field::Epoch | Field::Julian))
}

/// The names of the fields, for suggestions.
pub fn field_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(names, _)| names[0])
}

/// Day 1 of a year's count of 10, 100 or 1000 years, as PostgreSQL counts them: the first century begins in year 1,
/// the first decade in year 0.
fn century_of(year: i64, years: i64) -> i64 {
    if year > 0 { (year + years - 1) / years } else { -((years - 1 - (year - 1)) / years) }
}

fn decade_of(year: i64) -> i64 {
    year.div_euclid(10)
}

/// Monday is 1, Sunday is 7. (1970-01-01 was a Thursday.)
fn iso_day_of_week(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// The ISO year of a day and the week in it: those of the week's Thursday.
fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - iso_day_of_week(days) + 4;
    let (year, _, _) = civil_from_days(thursday);
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

fn split(micros: i64) -> (i64, i64) {
    (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY))
}

fn whole_field(field: Field, days: i64, of_day: i64) -> Option<i64> {
    let (year, month, day) = civil_from_days(days);
    let (month, day) = (i64::from(month), i64::from(day));
    // Before year 1 years count downwards without a zero.
    let named = |year: i64| if year > 0 { year } else { year - 1 };
    Some(match field {
        Field::Microseconds => of_day % 60_000_000,
        Field::Minute => of_day / 60_000_000 % 60,
        Field::Hour => of_day / 3_600_000_000,
        Field::Day => day,
        Field::Week => iso_week(days).1,
        Field::Month => month,
        Field::Quarter => (month + 2) / 3,
        Field::Year => named(year),
        Field::Decade => decade_of(year),
        Field::Century => century_of(year, 100),
        Field::Millennium => century_of(year, 1000),
        Field::DayOfWeek => iso_day_of_week(days) % 7,
        Field::IsoDayOfWeek => iso_day_of_week(days),
        Field::DayOfYear => days - days_from_civil(year, 1, 1) + 1,
        Field::IsoYear => named(iso_week(days).0),
        Field::Milliseconds | Field::Second | Field::Epoch | Field::Julian => return None,
    })
}

/// A whole field of an instant; no value for an infinity, or for what is no whole field.
pub fn extract_int_timestamp(field: &str, micros: i64) -> Option<i64> {
    int_of_timestamp(field_of(field)?, micros)
}

fn int_of_timestamp(field: Field, micros: i64) -> Option<i64> {
    let (days, of_day) = split(micros);
    if is_finite(micros) { whole_field(field, days, of_day) } else { None }
}

/// A whole field of a date; no value for what is no whole field.
pub fn extract_int_date(field: &str, days: i64) -> Option<i64> {
    int_of_date(field_of(field)?, days)
}

fn int_of_date(field: Field, days: i64) -> Option<i64> {
    if is_finite_day(days) { whole_field(field, days, 0) } else { None }
}

/// Any field of an instant, in millionths; no value for an infinity, or for what is no field.
pub fn extract_timestamp(field: &str, micros: i64) -> Option<i128> {
    millionths_of_timestamp(field_of(field)?, micros)
}

fn millionths_of_timestamp(field: Field, micros: i64) -> Option<i128> {
    if !is_finite(micros) {
        return None;
    }
    let (days, of_day) = split(micros);
    Some(match field {
        Field::Second => i128::from(of_day % 60_000_000),
        Field::Milliseconds => i128::from(of_day % 60_000_000) * 1000,
        Field::Epoch => i128::from(micros),
        // Day 0 of the Julian count is 2,440,588 days before 1970.
        Field::Julian => {
            let part = i128::from(of_day) * 1_000_000 / i128::from(MICROS_PER_DAY);
            i128::from(days + 2_440_588) * 1_000_000 + part
        }
        whole => i128::from(whole_field(whole, days, of_day)?) * 1_000_000,
    })
}

/// The Julian day of an instant, with the time of day as its fraction; no value for an infinity.
pub fn julian(micros: i64, out: &mut Vec<u8>) -> bool {
    if !is_finite(micros) {
        return false;
    }
    let (days, of_day) = split(micros);
    let big = |number: i64| {
        let mut number_bytes = Vec::new();
        big_numeric::i64_to_big(number, &mut number_bytes);
        number_bytes
    };
    let mut part = Vec::new();
    big_numeric::div(&big(of_day), &big(MICROS_PER_DAY), &mut part);
    big_numeric::add(&big(days + 2_440_588), &part, out);
    true
}

/// Any field of a date, in millionths; no value for what is no field.
pub fn extract_date(field: &str, days: i64) -> Option<i128> {
    millionths_of_date(field_of(field)?, days)
}

fn millionths_of_date(field: Field, days: i64) -> Option<i128> {
    midnight(days).and_then(|micros| millionths_of_timestamp(field, micros))
}

/// Cuts an instant to the begin of its hour, day, month and so on; an infinity stays.
pub fn trunc_timestamp(field: &str, micros: i64) -> (i64, Fault) {
    match field_of(field) {
        Some(field) => cut_timestamp(field, micros),
        None => (0, Fault::InvalidArgument),
    }
}

fn cut_timestamp(field: Field, micros: i64) -> (i64, Fault) {
    if !is_finite(micros) {
        return (micros, Fault::Ok);
    }
    let (days, _) = split(micros);
    let to = |step: i64| micros.checked_sub(micros.rem_euclid(step));
    let (year, month, _) = civil_from_days(days);
    let begin = |year: i64, month: u8| midnight(days_from_civil(year, month, 1));
    let cut = match field {
        Field::Microseconds => Some(micros),
        Field::Milliseconds => to(1000),
        Field::Second => to(1_000_000),
        Field::Minute => to(60_000_000),
        Field::Hour => to(3_600_000_000),
        Field::Day => to(MICROS_PER_DAY),
        Field::Week => midnight(days - iso_day_of_week(days) + 1),
        Field::Month => begin(year, month),
        Field::Quarter => begin(year, (month - 1) / 3 * 3 + 1),
        Field::Year => begin(year, 1),
        Field::Decade => begin(decade_of(year) * 10, 1),
        Field::Century => begin((year - 1).div_euclid(100) * 100 + 1, 1),
        Field::Millennium => begin((year - 1).div_euclid(1000) * 1000 + 1, 1),
        Field::DayOfWeek | Field::IsoDayOfWeek | Field::DayOfYear | Field::IsoYear | Field::Epoch | Field::Julian => {
            return (0, Fault::InvalidArgument);
        }
    };
    match cut {
        Some(cut) => (cut, Fault::Ok),
        None => (0, Fault::DatetimeRange),
    }
}

/// Cuts the begin of a day to the begin of its month, year and so on.
pub fn trunc_date(field: &str, days: i64) -> (i64, Fault) {
    match field_of(field) {
        Some(field) => cut_date(field, days),
        None => (0, Fault::InvalidArgument),
    }
}

fn cut_date(field: Field, days: i64) -> (i64, Fault) {
    match midnight(days) {
        Some(micros) => cut_timestamp(field, micros),
        None => (0, Fault::DatetimeRange),
    }
}

/// The field, where it is one constant for all rows (as it always is but in `date_trunc`).
fn constant_field(columns: &[Column]) -> Option<Field> {
    match columns[0].as_const() {
        Some(Value::Text(name)) => field_of(name),
        Some(_) | None => None,
    }
}

/// Takes a field of each datum: the name of a constant field is looked up once.
fn take_fields<A, R>(
    call: Call<'_>,
    of_field: fn(Field, i64) -> Option<R::Native>,
    of_name: fn(&str, i64) -> Option<R::Native>,
) -> Result<Column, RowFault>
where
    A: for<'a> Class<Arg<'a> = i64>,
    R: Fixed,
{
    match constant_field(call.columns) {
        Some(field) => {
            let call = Call { columns: &call.columns[1..], ..call };
            lift::partial::<(A,), R>(call, |(datum,)| of_field(field, datum))
        }
        None => lift::partial::<(class::Text, A), R>(call, |(name, datum)| of_name(name, datum)),
    }
}

/// Cuts each datum: the name of a constant field is looked up once.
fn cut_fields<A>(
    columns: &[Column],
    len: usize,
    of_field: fn(Field, i64) -> (i64, Fault),
    of_name: fn(&str, i64) -> (i64, Fault),
) -> Result<Column, RowFault>
where
    A: for<'a> Class<Arg<'a> = i64>,
{
    let call = Call { function: "date_trunc", columns, len };
    match constant_field(columns) {
        Some(field) => {
            let only = Call { columns: &columns[1..], ..call };
            let cut = lift::fallible::<(A,), class::Timestamp>(only, |(datum,)| of_field(field, datum));
            cut.map_err(|fault| {
                let args = columns.iter().map(|column| column.value(fault.row)).collect();
                RowFault { args, ..fault }
            })
        }
        None => lift::fallible::<(class::Text, A), class::Timestamp>(call, |(name, datum)| of_name(name, datum)),
    }
}

fn ints_of_timestamps(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    let call = Call { function: "$extract_int", columns, len };
    take_fields::<class::Timestamp, class::Integer>(call, int_of_timestamp, extract_int_timestamp)
}

fn ints_of_dates(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    let call = Call { function: "$extract_int", columns, len };
    take_fields::<class::Date, class::Integer>(call, int_of_date, extract_int_date)
}

fn millionths_of_timestamps(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    let call = Call { function: "$extract", columns, len };
    take_fields::<class::Timestamp, class::Numeric>(call, millionths_of_timestamp, extract_timestamp)
}

fn millionths_of_dates(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    let call = Call { function: "$extract", columns, len };
    take_fields::<class::Date, class::Numeric>(call, millionths_of_date, extract_date)
}

fn cut_timestamps(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    cut_fields::<class::Timestamp>(columns, len, cut_timestamp, trunc_timestamp)
}

fn cut_dates(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    cut_fields::<class::Date>(columns, len, cut_date, trunc_date)
}

/// A day that was moved; an infinity stays where it is.
#[inline]
fn moved(days: i64, to: i64) -> (i64, Fault) {
    if !is_finite_day(days) {
        return (days, Fault::Ok);
    }
    let fits = (DAYS_MIN..=DAYS_MAX).contains(&to);
    if fits { (to, Fault::Ok) } else { (0, Fault::DatetimeRange) }
}

/// So many days later.
#[inline]
pub fn date_plus_i64(days: i64, more: i64) -> (i64, Fault) {
    moved(days, days.saturating_add(more))
}

/// So many days later.
#[inline]
pub fn i64_plus_date(more: i64, days: i64) -> (i64, Fault) {
    date_plus_i64(days, more)
}

/// So many days earlier.
#[inline]
pub fn date_minus_i64(days: i64, fewer: i64) -> (i64, Fault) {
    moved(days, days.saturating_sub(fewer))
}

/// The days from the second date to the first; an infinity has no distance.
#[inline]
pub fn date_minus_date(a: i64, b: i64) -> (i64, Fault) {
    let fault = if is_finite_day(a) && is_finite_day(b) { Fault::Ok } else { Fault::DatetimeRange };
    (a.wrapping_sub(b), fault)
}

/// The day of that year, month and day of the month.
pub fn make_date(year: i64, month: i64, day: i64) -> (i64, Fault) {
    let in_calendar = (1..=12).contains(&month) && (1..=31).contains(&day) && year != 0;
    // Years before 1 are given negative, and there is no year 0 among them.
    let year = if year < 0 { year + 1 } else { year };
    if !in_calendar || !(super::datetime::YEAR_MIN..=super::datetime::YEAR_MAX).contains(&year) {
        return (0, Fault::DatetimeRange);
    }
    let days = days_from_civil(year, month as u8, day as u8);
    if i64::from(civil_from_days(days).2) == day { (days, Fault::Ok) } else { (0, Fault::DatetimeRange) }
}

functions! { "func::date";
    "+" (Date, Integer) -> Date, Fallible, date_plus_i64, "So many days later.";
    "+" (Integer, Date) -> Date, Fallible, i64_plus_date, "So many days later.";
    "-" (Date, Integer) -> Date, Fallible, date_minus_i64, "So many days earlier.";
    "-" (Date, Date) -> Integer, Fallible, date_minus_date, "The days from the second date to the first.";
    "make_date" (Integer, Integer, Integer) -> Date, Fallible, make_date, "The date of a year, a month and a day.";
    "date_trunc" (Text, Timestamp) -> Timestamp, Fallible, trunc_timestamp by cut_timestamps, "The begin of the hour, day, week, month, year and so on of an instant.";
    "date_trunc" (Text, Date) -> Timestamp, Fallible, trunc_date by cut_dates, "The begin of the week, month, year and so on of a date.";
    "$julian" (Timestamp) -> BigNumeric, Partial, julian, "The Julian day with its fraction; NULL of an infinity.";
    "$julian" (TimestampTz) -> BigNumeric, Partial, julian, "The Julian day with its fraction, in UTC; NULL of an infinity.";
    "$extract_int" (Text, Timestamp) -> Integer, Partial, extract_int_timestamp by ints_of_timestamps, "EXTRACT of a field that is a whole number; NULL of an infinity.";
    "$extract_int" (Text, Date) -> Integer, Partial, extract_int_date by ints_of_dates, "EXTRACT of a field that is a whole number.";
    "$extract" (Text, Timestamp) -> Numeric, Partial, extract_timestamp by millionths_of_timestamps, "EXTRACT of any field, of scale 6; NULL of an infinity.";
    "$extract" (Text, Date) -> Numeric, Partial, extract_date by millionths_of_dates, "EXTRACT of any field, of scale 6.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        func::datetime::{DAYS_INFINITY, read_date, read_timestamp},
        time::Timestamp,
    };

    fn at(text: &str) -> i64 {
        read_timestamp(text).expect("an instant")
    }

    #[test]
    fn fields_are_postgresqls() {
        let instant = at("2024-02-29 13:14:15.678901");
        let whole = |field| extract_int_timestamp(field, instant);
        let expected = [
            ("year", 2024),
            ("month", 2),
            ("day", 29),
            ("hour", 13),
            ("minute", 14),
            ("microseconds", 15_678_901),
            ("week", 9),
            ("quarter", 1),
            ("decade", 202),
            ("century", 21),
            ("millennium", 3),
            ("dow", 4),
            ("ISODOW", 4),
            ("doy", 60),
            ("isoyear", 2024),
        ];
        for (field, value) in expected {
            assert_eq!(whole(field), Some(value), "{field}");
            assert_eq!(extract_timestamp(field, instant), Some(i128::from(value) * 1_000_000), "{field}");
        }
        assert_eq!(extract_timestamp("second", instant), Some(15_678_901));
        assert_eq!(extract_timestamp("ms", instant), Some(15_678_901_000));
        assert_eq!(extract_timestamp("epoch", instant), Some(i128::from(instant)));
        assert_eq!(extract_timestamp("julian", at("2000-01-01 12:00")), Some(2_451_545_500_000));
        assert_eq!(whole("fortnight"), None);
        assert_eq!(extract_int_timestamp("year", i64::MAX), None);
        assert_eq!(
            (field_is_whole("Second"), field_is_whole("years"), field_is_whole("x")),
            (Some(false), Some(true), None)
        );
    }

    #[test]
    fn weeks_and_years_at_their_edges() {
        let week = |text| iso_week(read_date(text).expect("a date"));
        assert_eq!(week("2021-01-03"), (2020, 53));
        assert_eq!(week("2021-01-04"), (2021, 1));
        assert_eq!(week("2018-12-31"), (2019, 1));
        let year = |text| extract_int_date("year", read_date(text).expect("a date"));
        assert_eq!(year("0001-01-01"), Some(1));
        assert_eq!(year("0001-01-01 BC"), Some(-1));
        let century = |text| extract_int_date("century", read_date(text).expect("a date"));
        assert_eq!(century("2000-12-31"), Some(20));
        assert_eq!(century("2001-01-01"), Some(21));
        assert_eq!(century("0001-01-01 BC"), Some(-1));
    }

    #[test]
    fn instants_are_cut() {
        let cut = |field, text| {
            let (micros, fault) = trunc_timestamp(field, at(text));
            (Timestamp(micros).to_string(), fault)
        };
        let expected = [
            ("ms", "2024-08-15 13:14:15.678"),
            ("second", "2024-08-15 13:14:15"),
            ("minute", "2024-08-15 13:14:00"),
            ("hour", "2024-08-15 13:00:00"),
            ("day", "2024-08-15 00:00:00"),
            ("week", "2024-08-12 00:00:00"),
            ("month", "2024-08-01 00:00:00"),
            ("quarter", "2024-07-01 00:00:00"),
            ("year", "2024-01-01 00:00:00"),
            ("decade", "2020-01-01 00:00:00"),
            ("century", "2001-01-01 00:00:00"),
            ("millennium", "2001-01-01 00:00:00"),
        ];
        for (field, text) in expected {
            assert_eq!(cut(field, "2024-08-15 13:14:15.678901"), (text.to_owned(), Fault::Ok), "{field}");
        }
        assert_eq!(cut("hour", "1969-12-31 23:59"), ("1969-12-31 23:00:00".to_owned(), Fault::Ok));
        assert_eq!(trunc_timestamp("year", i64::MAX), (i64::MAX, Fault::Ok));
        assert_eq!(trunc_timestamp("year", i64::MIN + 1).1, Fault::DatetimeRange);
        assert_eq!(trunc_timestamp("dow", 0).1, Fault::InvalidArgument);
    }

    #[test]
    fn dates_move_by_days_within_their_range() {
        assert_eq!(date_plus_i64(5, 10), (15, Fault::Ok));
        assert_eq!(date_minus_i64(5, 10), (-5, Fault::Ok));
        assert_eq!(date_plus_i64(5, i64::MAX).1, Fault::DatetimeRange);
        assert_eq!(date_minus_date(5, 10), (-5, Fault::Ok));
        assert_eq!(date_minus_date(DAYS_INFINITY, 10).1, Fault::DatetimeRange);
        assert_eq!(date_plus_i64(DAYS_INFINITY, 10), (DAYS_INFINITY, Fault::Ok));
        assert_eq!(make_date(2024, 2, 29), (read_date("2024-02-29").expect("a date"), Fault::Ok));
        assert_eq!(make_date(2023, 2, 29).1, Fault::DatetimeRange);
        assert_eq!(make_date(-1, 1, 1), (read_date("0001-01-01 BC").expect("a date"), Fault::Ok));
    }
}
