//! How is an instant or an interval written by a template?
//!
//! PostgreSQL's templates: `YYYY-MM-DD HH24:MI:SS`, `FM999,990.00` and their like. A word of a template stands for a field;
//! what is no word stands for itself, and so does what is between double quotes. Names of days and months are English.
//!
//! The fields of an interval are written as PostgreSQL writes them: as if its parts were a date's; a word that it has nothing for is 22007.
//! Not here: templates of numbers and of numbers read back (`number_char`, `number_templates`), texts that are read by a template (`read`).

mod read;
mod words;

use super::{Fault, datetime::is_finite, lift::functions, zone};
use crate::{
    interval::Interval,
    pause::Pace,
    time::{MICROS_PER_DAY, civil_from_days, days_from_civil},
};
pub(super) use read::moment;
pub use read::{to_date, to_timestamp};
use std::fmt::Write;
use words::{Field, Piece};

const NEVER_FAILS: &str = "a String takes all that is written";

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const ROMAN: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// What the words of a template say of one datum.
struct Fields {
    year: i64,
    month: i64,
    day: i64,
    /// The day within the year; of an interval all its days, with months of thirty.
    day_of_year: i64,
    /// Days since 1970-01-01; of an interval as if its parts were a date's.
    days: i64,
    micros: i64,
    is_interval: bool,
    /// The letters of the zone, and the seconds that it is east of UTC.
    zone: (String, i64),
}

impl Fields {
    fn of_instant(local: i64, zone: (String, i64)) -> Fields {
        let (days, micros) = (local.div_euclid(MICROS_PER_DAY), local.rem_euclid(MICROS_PER_DAY));
        let (year, month, day) = civil_from_days(days);
        let day_of_year = days - days_from_civil(year, 1, 1) + 1;
        let (month, day) = (i64::from(month), i64::from(day));
        Fields { year, month, day, day_of_year, days, micros, is_interval: false, zone }
    }

    fn of_interval(interval: Interval) -> Fields {
        let (year, month, day) = (interval.months() / 12, interval.months() % 12, interval.days());
        Fields {
            year,
            month,
            day,
            day_of_year: interval.months() * 30 + day,
            days: day_counted(year, month, day),
            micros: interval.micros(),
            is_interval: true,
            zone: (String::new(), 0),
        }
    }

    /// A year as it is named: there is no year 0 among those of a calendar.
    fn named(&self, year: i64) -> i64 {
        if self.is_interval || year > 0 { year } else { 1 - year }
    }
}

/// The day of a year, a month and a day that need not be of the calendar, as PostgreSQL counts them for intervals.
fn day_counted(year: i64, month: i64, day: i64) -> i64 {
    let (month, year) = if month > 2 { (month + 1, year + 4800) } else { (month + 13, year + 4799) };
    let century = year / 100;
    let of_years = year * 365 - 32_167 + year / 4 - century + century / 4;
    of_years + 7834 * month / 256 + day - JULIAN_OF_EPOCH
}

/// The Julian day of 1970-01-01.
const JULIAN_OF_EPOCH: i64 = 2_440_588;

fn pad(number: i64, width: usize, fills: bool, out: &mut String) {
    // The sign stands before all digits that there are to be.
    let width = if !fills { 0 } else { width + usize::from(number < 0) };
    write!(out, "{number:0width$}").expect(NEVER_FAILS);
}

/// A name in the letters of its word: MONTH, Month, month.
fn name(name: &str, written: &str, width: usize, out: &mut String) {
    let mut letters = written.chars();
    let first_upper = letters.next().is_some_and(char::is_uppercase);
    let second_upper = letters.next().is_some_and(char::is_uppercase);
    let shown = match (first_upper, second_upper) {
        (true, true) => name.to_uppercase(),
        (true, false) => name.to_owned(),
        (false, _) => name.to_lowercase(),
    };
    write!(out, "{shown:<width$}").expect(NEVER_FAILS);
}

fn ordinal(number: i64, written: &str, out: &mut String) {
    let ending = match (number.abs() % 100, number.abs() % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    if written.starts_with('T') { out.push_str(&ending.to_uppercase()) } else { out.push_str(ending) }
}

fn iso_day(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// The year of ISO 8601 that a day of a year lies in, and the first Monday of that year.
fn iso_year(year: i64, days: i64) -> (i64, i64) {
    let monday = |year: i64| {
        let fourth = day_counted(year, 1, 4);
        fourth - iso_day(fourth) + 1
    };
    if days < monday(year) {
        (year - 1, monday(year - 1))
    } else if days >= monday(year + 1) {
        (year + 1, monday(year + 1))
    } else {
        (year, monday(year))
    }
}

fn write_fields(fields: &Fields, template: &str, out: &mut String) -> Fault {
    let mut pace = Pace::default();
    for piece in words::pieces(template).into_iter().take_while(|_| pace.goes_on()) {
        let field = match piece {
            Piece::Separator(text) | Piece::Text(text) => {
                out.push_str(text);
                continue;
            }
            Piece::Word(field) => field,
        };
        match number_of(fields, field.word) {
            Some((number, digits)) => {
                let is_fraction = matches!(field.word, "MS" | "US") || field.word.starts_with("FF");
                // Negative fractions and days of intervals are as wide as positive ones.
                let narrow = number < 0 && (is_fraction || matches!(field.word, "DD" | "DDD" | "IDDD" | "WW" | "IW"));
                pad(number, digits - usize::from(narrow), field.fills || is_fraction, out);
                if let Some(ending) = field.ending {
                    ordinal(number, ending, out);
                }
            }
            None if fields.is_interval && is_of_dates(field.word) => return Fault::InvalidDatetime,
            None => write_word(fields, &field, out),
        }
    }
    Fault::Ok
}

/// Has the word no meaning for an interval?
fn is_of_dates(word: &str) -> bool {
    matches!(
        word,
        "TZ" | "TZH" | "TZM" | "OF" | "BC" | "AD" | "B.C." | "A.D." | "MONTH" | "MON" | "DAY" | "DY" | "D" | "ID"
    )
}

/// The number that a word stands for, and how many digits it has at least.
fn number_of(fields: &Fields, word: &str) -> Option<(i64, usize)> {
    let hour = fields.micros / 3_600_000_000;
    let fraction = fields.micros % 1_000_000;
    let of_year = fields.named(fields.year);
    let iso = || iso_year(fields.year, fields.days);
    let of_iso = || fields.named(iso().0);
    Some(match word {
        "YYYY" => (of_year, 4),
        "YYY" => (of_year % 1000, 3),
        "YY" => (of_year % 100, 2),
        "Y" => (of_year % 10, 1),
        "IYYY" => (of_iso(), 4),
        "IYY" => (of_iso() % 1000, 3),
        "IY" => (of_iso() % 100, 2),
        "I" => (of_iso() % 10, 1),
        "MM" => (fields.month, 2),
        "DD" => (fields.day, 2),
        "DDD" => (fields.day_of_year, 3),
        "IDDD" => (fields.days - iso().1 + 1, 3),
        "D" if !fields.is_interval => (iso_day(fields.days) % 7 + 1, 1),
        "ID" if !fields.is_interval => (iso_day(fields.days), 1),
        "WW" => ((fields.day_of_year - 1) / 7 + 1, 2),
        "IW" => ((fields.days - iso().1) / 7 + 1, 2),
        "W" => ((fields.day - 1) / 7 + 1, 1),
        "Q" if fields.month != 0 => ((fields.month - 1) / 3 + 1, 1),
        "CC" if fields.is_interval => (fields.year / 100, 2),
        "CC" if fields.year > 0 => ((fields.year - 1) / 100 + 1, 2),
        "CC" => (fields.year / 100 - 1, 2),
        "J" => (fields.days + JULIAN_OF_EPOCH, 1),
        "HH24" => (hour, 2),
        "HH12" | "HH" => (if hour % 12 == 0 { 12 } else { hour % 12 }, 2),
        "MI" => (fields.micros / 60_000_000 % 60, 2),
        "SS" => (fields.micros / 1_000_000 % 60, 2),
        "SSSSS" | "SSSS" => (fields.micros / 1_000_000, 1),
        "MS" | "FF3" => (fraction / 1_000, 3),
        "US" | "FF6" => (fraction, 6),
        "FF1" => (fraction / 100_000, 1),
        "FF2" => (fraction / 10_000, 2),
        "FF4" => (fraction / 100, 4),
        "FF5" => (fraction / 10, 5),
        _ => return None,
    })
}

/// Writes what a word stands for that is no number.
fn write_word(fields: &Fields, field: &Field<'_>, out: &mut String) {
    let written = field.written;
    let width = |width: usize| if field.fills && !field.is_local { width } else { 0 };
    let half = if (fields.micros / 3_600_000_000) % 24 < 12 { "AM" } else { "PM" };
    let era = if fields.year <= 0 { "BC" } else { "AD" };
    let dotted = |letters: &str| letters.chars().flat_map(|letter| [letter, '.']).collect::<String>();
    let of_year = fields.named(fields.year);
    let (zone, east) = &fields.zone;
    let (sign, away) = (if *east < 0 { '-' } else { '+' }, east.abs());
    match field.word {
        "Y,YYY" => {
            let thousands = of_year / 1000;
            write!(out, "{thousands},{:03}", of_year - thousands * 1000).expect(NEVER_FAILS);
            if let Some(ending) = field.ending {
                ordinal(of_year, ending, out);
            }
        }
        "MONTH" => name(MONTHS[fields.month as usize - 1], written, width(9), out),
        "MON" => name(&MONTHS[fields.month as usize - 1][..3], written, 0, out),
        "DAY" => name(DAYS[iso_day(fields.days) as usize - 1], written, width(9), out),
        "DY" => name(&DAYS[iso_day(fields.days) as usize - 1][..3], written, 0, out),
        "RM" if fields.month != 0 || fields.year != 0 => {
            // Of an interval whole years end with December, and negative months count back from it.
            let month = match fields.month {
                0 if fields.year > 0 => 12,
                0 => 1,
                month @ 1.. => month,
                month => 13 + month,
            };
            let roman = ROMAN[month as usize - 1];
            let shown = if written.starts_with('R') { roman.to_owned() } else { roman.to_lowercase() };
            write!(out, "{shown:<width$}", width = if field.fills { 4 } else { 0 }).expect(NEVER_FAILS);
        }
        "AM" | "PM" => out.push_str(&in_case_of(half, written)),
        "A.M." | "P.M." => out.push_str(&in_case_of(&dotted(half), written)),
        "BC" | "AD" => out.push_str(&in_case_of(era, written)),
        "B.C." | "A.D." => out.push_str(&in_case_of(&dotted(era), written)),
        "TZ" => out.push_str(&in_case_of(zone, written)),
        "TZH" => write!(out, "{sign}{:02}", away / 3600).expect(NEVER_FAILS),
        "TZM" => write!(out, "{:02}", away / 60 % 60).expect(NEVER_FAILS),
        "OF" => {
            out.push(sign);
            pad(away / 3600, 2, field.fills, out);
            if away % 3600 != 0 {
                write!(out, ":{:02}", away / 60 % 60).expect(NEVER_FAILS);
            }
        }
        _ => {}
    }
}

fn in_case_of(text: &str, written: &str) -> String {
    if written.starts_with(|first: char| first.is_lowercase()) { text.to_lowercase() } else { text.to_owned() }
}

/// A time without a zone written by a template; no value for an infinity, or without a template.
pub fn timestamp_to_char(micros: i64, template: &str, out: &mut String) -> bool {
    let is_written = is_finite(micros) && !template.is_empty();
    if is_written {
        // Only intervals lack what a word may ask for.
        write_fields(&Fields::of_instant(micros, (String::new(), 0)), template, out);
    }
    is_written
}

/// An instant written by a template, in UTC; no value for an infinity, or without a template.
pub fn instant_to_char(micros: i64, template: &str, out: &mut String) -> bool {
    instant_to_char_in_zone("UTC", micros, template, out)
}

/// An instant written by a template on the clocks of a zone; no value for an infinity, or without a template.
pub fn instant_to_char_in_zone(zone: &str, micros: i64, template: &str, out: &mut String) -> bool {
    if !is_finite(micros) || template.is_empty() {
        return false;
    }
    let Some((letters, east)) = zone::named_at(zone, micros) else { return false };
    let Some(local) = east.checked_mul(1_000_000).and_then(|east| micros.checked_add(east)) else { return false };
    write_fields(&Fields::of_instant(local, (letters, east)), template, out);
    true
}

/// An interval written by a template; its hours may be more than a day's. Names of months and days and zones it has none.
pub fn interval_to_char(lane: i128, template: &str, out: &mut String) -> Fault {
    write_fields(&Fields::of_interval(Interval::from_lane(lane)), template, out)
}

/// The instant so many seconds after 1970-01-01 00:00 UTC.
pub fn epoch_to_timestamp(seconds: f64) -> (i64, Fault) {
    if seconds.is_infinite() {
        return (if seconds > 0.0 { i64::MAX } else { i64::MIN }, Fault::Ok);
    }
    let micros = (seconds * 1_000_000.0).round_ties_even();
    if (-9.2e18..9.2e18).contains(&micros) { (micros as i64, Fault::Ok) } else { (0, Fault::DatetimeRange) }
}

/// A time of day of its parts.
pub fn make_time(hour: i64, minute: i64, second: f64) -> (i64, Fault) {
    let micros = (second * 1_000_000.0).round_ties_even();
    let fits = (0..=24).contains(&hour) && (0..=59).contains(&minute) && (0.0..=60_000_000.0).contains(&micros);
    if !fits {
        return (0, Fault::DatetimeRange);
    }
    let whole = (hour * 60 + minute) * 60_000_000 + micros as i64;
    if whole <= MICROS_PER_DAY { (whole, Fault::Ok) } else { (0, Fault::DatetimeRange) }
}

functions! { "func::templates";
    "to_char" (Timestamp, Text) -> Text, Partial, timestamp_to_char, "The instant written by a template such as 'YYYY-MM-DD HH24:MI'; NULL of an infinity.";
    "to_char" (TimestampTz, Text) -> Text, Partial, instant_to_char, "The instant written by a template, in the session's zone; NULL of an infinity.";
    "$to_char_in_zone" (Text, TimestampTz, Text) -> Text, Partial, instant_to_char_in_zone, "The instant written by a template on a zone's clocks; NULL of an infinity.";
    "to_char" (Interval, Text) -> Text, Fallible, interval_to_char, "The interval written by a template.";
    "to_date" (Text, Text) -> Date, Fallible, to_date, "The date that a text says by a template.";
    "to_timestamp" (Text, Text) -> TimestampTz, Fallible, to_timestamp, "The instant that a text says by a template.";
    "to_timestamp" (Real) -> TimestampTz, Fallible, epoch_to_timestamp, "The instant so many seconds after 1970-01-01 00:00 UTC.";
    "make_time" (Integer, Integer, Real) -> Time, Fallible, make_time, "The time of day of an hour, a minute and a second.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        func::datetime::read_timestamp,
        time::{Date, Timestamp},
    };

    fn written(at: &str, template: &str) -> String {
        let mut out = String::new();
        assert!(timestamp_to_char(read_timestamp(at).expect("an instant"), template, &mut out));
        out
    }

    #[test]
    fn instants_are_written_by_templates() {
        let at = "2024-02-09 15:04:05.678";
        let expected = [
            ("YYYY-MM-DD HH24:MI:SS.MS", "2024-02-09 15:04:05.678"),
            ("FMDay, DDth FMMonth YYYY", "Friday, 09th February 2024"),
            ("Day|MONTH|Mon|dy", "Friday   |FEBRUARY |Feb|fri"),
            ("HH12:MI AM p.m.", "03:04 PM p.m."),
            ("Y,YYY CC Q WW IW DDD D ID J", "2,024 21 1 06 06 040 6 5 2460350"),
            ("\"Year\" YY RM", "Year 24 II  "),
            ("FMMM/FMDD", "2/9"),
            ("US FF2", "678000 67"),
        ];
        for (template, text) in expected {
            assert_eq!(written(at, template), text, "{template}");
        }
        assert_eq!(written("0044-03-15 BC", "YYYY BC"), "0044 BC");
    }

    #[test]
    fn texts_are_read_by_templates() {
        let read = |text: &str, template: &str| {
            let (micros, fault) = to_timestamp(text, template);
            (Timestamp(micros).to_string(), fault)
        };
        let expected = [
            ("2024-02-09 15:04:05.678", "YYYY-MM-DD HH24:MI:SS.MS", "2024-02-09 15:04:05.678"),
            ("20240209150405", "YYYYMMDDHH24MISS", "2024-02-09 15:04:05"),
            ("05 Dec 2000", "DD Mon YYYY", "2000-12-05 00:00:00"),
            ("3:04 PM 9/2/24", "HH:MI PM DD/MM/YY", "2024-02-09 15:04:00"),
            ("2024 040", "YYYY DDD", "2024-02-09 00:00:00"),
            ("2024-06-5", "IYYY-IW-ID", "2024-02-09 00:00:00"),
            ("2024-02-09 12:00 -05", "YYYY-MM-DD HH24:MI TZH", "2024-02-09 17:00:00"),
        ];
        for (text, template, at) in expected {
            assert_eq!(read(text, template), (at.to_owned(), Fault::Ok), "{template}");
        }
        assert_eq!(read("2024-02-30", "YYYY-MM-DD").1, Fault::DatetimeRange);
        assert_eq!(read("x", "YYYY").1, Fault::InvalidDatetime);
        assert_eq!(Date(to_date("15 March 2024", "DD Month YYYY").0 as i32).to_string(), "2024-03-15");
        assert_eq!(make_time(8, 15, 23.5), (29_723_500_000, Fault::Ok));
        assert_eq!(make_time(24, 0, 1.0).1, Fault::DatetimeRange);
    }
}
