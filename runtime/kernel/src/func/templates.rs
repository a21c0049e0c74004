//! How is an instant, an interval or a number written by a template, and read by one?
//!
//! PostgreSQL's templates: `YYYY-MM-DD HH24:MI:SS`, `FM999,990.00` and their like. A word of a template stands for a field;
//! what is no word stands for itself, and so does what is between double quotes. Names of days and months are English.
//!
//! Read by a template, a text that does not fit is 22007, a field out of range 22008. What a template leaves out is the
//! first of its kind: January, the 1st, midnight.
//! Not here: templates of numbers read back (`to_number`), currencies of a locale.

use super::{
    Fault,
    datetime::{YEAR_MAX, YEAR_MIN, is_finite, midnight},
    json_path::moment::{Kind, Moment},
    lift::functions,
};
use crate::{
    interval::Interval,
    pause::Pace,
    time::{MICROS_PER_DAY, civil_from_days, days_from_civil},
};
use std::fmt::Write;

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

/// The words of templates, the longer before their beginnings.
const WORDS: &[&str] = &[
    "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "HH24", "HH12", "HH", "MI", "SSSSS", "SSSS", "SS", "MS", "US", "A.M.",
    "P.M.", "AM", "PM", "Y,YYY", "YYYY", "YYY", "YY", "Y", "IYYY", "IYY", "IY", "IDDD", "ID", "IW", "I", "B.C.",
    "A.D.", "BC", "AD", "MONTH", "MON", "MM", "DAY", "DY", "DDD", "DD", "D", "WW", "W", "CC", "J", "Q", "RM", "TZH",
    "TZM", "TZ", "OF",
];

/// A piece of a template.
enum Piece<'t> {
    /// A word as written, with its upper-case form, whether it is filled with blanks or zeros, and an ordinal's ending.
    Word { written: &'t str, word: &'static str, fills: bool, ending: Option<&'t str> },
    /// Itself.
    Text(&'t str),
}

fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    let mut pace = Pace::default();
    while let Some(first) = rest.chars().next().filter(|_| pace.goes_on()) {
        if first == '"' {
            rest = &rest[1..];
            while let Some(inner) = rest.chars().next().filter(|inner| *inner != '"') {
                // A backslash quotes what follows it.
                let escaped = if inner == '\\' { rest[1..].chars().next() } else { None };
                rest = &rest[usize::from(escaped.is_some())..];
                let (text, tail) = rest.split_at(escaped.unwrap_or(inner).len_utf8());
                pieces.push(Piece::Text(text));
                rest = tail;
            }
            rest = rest.get(1..).unwrap_or("");
            continue;
        }
        if rest.starts_with("\\\"") {
            pieces.push(Piece::Text("\""));
            rest = &rest[2..];
            continue;
        }
        let (fills, after) = match rest.get(..2) {
            Some(mode) if mode.eq_ignore_ascii_case("FM") => (false, &rest[2..]),
            Some(mode) if mode.eq_ignore_ascii_case("TM") => (true, &rest[2..]),
            _ => (true, rest),
        };
        let begins = |word: &&&str| after.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        match WORDS.iter().find(begins) {
            Some(word) => {
                let (written, tail) = after.split_at(word.len());
                let ending = tail.get(..2).filter(|end| end.eq_ignore_ascii_case("TH"));
                pieces.push(Piece::Word { written, word, fills, ending });
                rest = if ending.is_some() { &tail[2..] } else { tail };
            }
            None if after.len() < rest.len() && !after.is_empty() => rest = after,
            None => {
                let len = first.len_utf8();
                pieces.push(Piece::Text(&rest[..len]));
                rest = &rest[len..];
            }
        }
    }
    pieces
}

/// What the words of a template say of one datum.
struct Fields {
    year: i64,
    month: i64,
    day: i64,
    days: Option<i64>,
    micros: i64,
}

fn pad(number: i64, width: usize, fills: bool, out: &mut String) {
    if fills {
        let sign = if number < 0 { "-" } else { "" };
        write!(out, "{sign}{:0width$}", number.abs()).expect(NEVER_FAILS);
    } else {
        write!(out, "{number}").expect(NEVER_FAILS);
    }
}

/// A name in the letters of its word: MONTH, Month, month.
fn name(name: &str, written: &str, width: usize, out: &mut String) {
    let mut letters = written.chars().filter(|letter| letter.is_alphabetic());
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

fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - iso_day(days) + 4;
    let (year, _, _) = civil_from_days(thursday);
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

fn write_fields(fields: &Fields, template: &str, out: &mut String) {
    let named_year = if fields.days.is_some() && fields.year <= 0 { 1 - fields.year } else { fields.year };
    let hour = fields.micros / 3_600_000_000;
    let second = fields.micros / 1_000_000 % 60;
    let fraction = (fields.micros % 1_000_000).abs();
    let hour12 = |hour: i64| if hour % 12 == 0 { 12 } else { hour % 12 };
    let mut pace = Pace::default();
    for piece in pieces(template).into_iter().take_while(|_| pace.goes_on()) {
        let (written, word, fills, ending) = match piece {
            Piece::Text(text) => {
                out.push_str(text);
                continue;
            }
            Piece::Word { written, word, fills, ending } => (written, word, fills, ending),
        };
        let days = fields.days.unwrap_or(0);
        let width = |width: usize| if fills { width } else { 0 };
        let iso_year = match iso_week(days).0 {
            year @ 1.. => year,
            before_christ => 1 - before_christ,
        };
        let number = match word {
            "YYYY" => Some((named_year, 4)),
            "YYY" => Some((named_year % 1000, 3)),
            "YY" => Some((named_year % 100, 2)),
            "Y" => Some((named_year % 10, 1)),
            "IYYY" => Some((iso_year, 4)),
            "IYY" => Some((iso_year % 1000, 3)),
            "IY" => Some((iso_year % 100, 2)),
            "I" => Some((iso_year % 10, 1)),
            "MM" => Some((fields.month, 2)),
            // A negative one, of an interval, is as wide as it is.
            "DD" => Some((fields.day, if fields.day < 0 { 1 } else { 2 })),
            "DDD" => Some((days - days_from_civil(fields.year, 1, 1) + 1, 3)),
            "IDDD" => Some(((iso_week(days).1 - 1) * 7 + iso_day(days), 3)),
            "D" => Some((iso_day(days) % 7 + 1, 1)),
            "ID" => Some((iso_day(days), 1)),
            "WW" => Some(((days - days_from_civil(fields.year, 1, 1)) / 7 + 1, 2)),
            "IW" => Some((iso_week(days).1, 2)),
            "W" => Some(((fields.day - 1) / 7 + 1, 1)),
            "Q" => Some(((fields.month + 2) / 3, 1)),
            "CC" if fields.days.is_none() => Some((fields.year / 100, 2)),
            "CC" if fields.year > 0 => Some(((fields.year - 1) / 100 + 1, 2)),
            "CC" => Some((fields.year / 100 - 1, 2)),
            "J" => Some((days + 2_440_588, 1)),
            "HH24" => Some((hour, 2)),
            "HH12" | "HH" => Some((hour12(hour), 2)),
            "MI" => Some((fields.micros / 60_000_000 % 60, 2)),
            "SS" => Some((second, 2)),
            "SSSSS" | "SSSS" => Some((fields.micros / 1_000_000, 1)),
            "MS" | "FF3" => Some((fraction / 1_000, 3)),
            "US" | "FF6" => Some((fraction, 6)),
            "FF1" => Some((fraction / 100_000, 1)),
            "FF2" => Some((fraction / 10_000, 2)),
            "FF4" => Some((fraction / 100, 4)),
            "FF5" => Some((fraction / 10, 5)),
            _ => None,
        };
        if let Some((number, digits)) = number {
            let is_fraction = matches!(word, "MS" | "US") || word.starts_with("FF");
            pad(number, digits, fills || is_fraction, out);
            if let Some(ending) = ending {
                ordinal(number, ending, out);
            }
            continue;
        }
        let half = if hour.rem_euclid(24) < 12 { "AM" } else { "PM" };
        let era = if fields.days.is_some() && fields.year <= 0 { "BC" } else { "AD" };
        let dotted = |letters: &str| letters.chars().flat_map(|letter| [letter, '.']).collect::<String>();
        match word {
            "Y,YYY" => write!(out, "{},{:03}", named_year / 1000, named_year % 1000).expect(NEVER_FAILS),
            "MONTH" if fields.month > 0 => name(MONTHS[fields.month as usize - 1], written, width(9), out),
            "MON" if fields.month > 0 => name(&MONTHS[fields.month as usize - 1][..3], written, 0, out),
            "RM" if fields.month > 0 => {
                let roman = ROMAN[fields.month as usize - 1];
                let shown = if written.starts_with('R') { roman.to_owned() } else { roman.to_lowercase() };
                write!(out, "{shown:<width$}", width = width(4)).expect(NEVER_FAILS);
            }
            "DAY" => name(DAYS[iso_day(days) as usize - 1], written, width(9), out),
            "DY" => name(&DAYS[iso_day(days) as usize - 1][..3], written, 0, out),
            "AM" | "PM" => out.push_str(&in_case_of(half, written)),
            "A.M." | "P.M." => out.push_str(&in_case_of(&dotted(half), written)),
            "BC" | "AD" => out.push_str(&in_case_of(era, written)),
            "B.C." | "A.D." => out.push_str(&in_case_of(&dotted(era), written)),
            "TZ" => out.push_str(&in_case_of("UTC", written)),
            "TZH" => out.push_str("+00"),
            "TZM" => out.push_str("00"),
            "OF" => out.push_str("+00"),
            _ => {}
        }
    }
}

fn in_case_of(text: &str, written: &str) -> String {
    if written.starts_with(|first: char| first.is_lowercase()) { text.to_lowercase() } else { text.to_owned() }
}

/// An instant written by a template, in UTC; no value for an infinity.
pub fn timestamp_to_char(micros: i64, template: &str, out: &mut String) -> bool {
    if !is_finite(micros) {
        return false;
    }
    let (days, of_day) = (micros.div_euclid(MICROS_PER_DAY), micros.rem_euclid(MICROS_PER_DAY));
    let (year, month, day) = civil_from_days(days);
    let fields = Fields { year, month: i64::from(month), day: i64::from(day), days: Some(days), micros: of_day };
    write_fields(&fields, template, out);
    true
}

/// An interval written by a template; its hours may be more than a day's.
pub fn interval_to_char(lane: i128, template: &str, out: &mut String) {
    let interval = Interval::from_lane(lane);
    let fields = Fields {
        year: interval.months() / 12,
        month: interval.months() % 12,
        day: interval.days(),
        days: None,
        micros: interval.micros(),
    };
    write_fields(&fields, template, out);
}

/// What was read so far.
#[derive(Default)]
struct Read {
    year: Option<i64>,
    before_christ: bool,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    iso_year: Option<i64>,
    iso_week: Option<i64>,
    iso_day: Option<i64>,
    julian: Option<i64>,
    hour: i64,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    micros: i64,
    offset_minutes: i64,
    is_west: bool,
}

struct Input<'t>(&'t str);

impl Input<'_> {
    /// A number of at most so many digits, with a sign where that is allowed.
    fn number(&mut self, digits_max: usize) -> Result<i64, Fault> {
        self.0 = self.0.trim_start();
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count().min(digits_max);
        if digits == 0 {
            return Err(Fault::InvalidDatetime);
        }
        let (head, tail) = self.0.split_at(digits);
        self.0 = tail;
        head.parse().map_err(|_| Fault::DatetimeRange)
    }

    /// Which of some names comes next: the whole of it, or its first letters.
    fn name(&mut self, names: &[&str], letters: Option<usize>) -> Result<i64, Fault> {
        self.0 = self.0.trim_start();
        for (at, name) in names.iter().enumerate() {
            let name = letters.map_or(*name, |letters| &name[..letters]);
            if self.0.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)) {
                self.0 = &self.0[name.len()..];
                return Ok(at as i64 + 1);
            }
        }
        Err(Fault::InvalidDatetime)
    }
}

/// What the words of a template found, and whether the text says all of the template and nothing besides.
fn read_whole(text: &str, template: &str) -> Result<(Read, bool), Fault> {
    let mut input = Input(text.trim_start());
    let mut read = Read::default();
    let pieces = pieces(template);
    for (at, piece) in pieces.iter().enumerate() {
        let (word, ending) = match piece {
            Piece::Text(text) => {
                for expected in text.chars() {
                    let next = input.0.chars().next();
                    let is_separator = |character: char| !character.is_alphanumeric();
                    match next {
                        Some(next) if next == expected => input.0 = &input.0[next.len_utf8()..],
                        // A separator stands for any one, or for none.
                        Some(next) if is_separator(expected) && is_separator(next) && next != '-' && next != '+' => {
                            input.0 = &input.0[next.len_utf8()..];
                        }
                        Some(next) if is_separator(expected) && is_separator(next) => {
                            input.0 = &input.0[next.len_utf8()..];
                        }
                        Some(_) if is_separator(expected) => {}
                        Some(next) => input.0 = &input.0[next.len_utf8()..],
                        None => {}
                    }
                }
                continue;
            }
            Piece::Word { word, ending, .. } => (*word, *ending),
        };
        if input.0.trim_start().is_empty() {
            return Ok((read, false));
        }
        // Digits that follow each other without anything between them are shared out by width.
        let is_followed = matches!(pieces.get(at + 1), Some(Piece::Word { word, .. }) if *word != "TZ" && *word != "AM" && *word != "PM");
        let any = |width: usize| if is_followed { width } else { 9 };
        match word {
            "YYYY" => {
                let digits = any(4);
                read.year = Some(input.number(digits)?);
            }
            "Y,YYY" => {
                let thousands = input.number(any(4))?;
                let rest = match input.0.strip_prefix(',') {
                    Some(rest) => {
                        input.0 = rest;
                        input.number(3)?
                    }
                    None => return Err(Fault::InvalidDatetime),
                };
                read.year = Some(thousands * 1000 + rest);
            }
            "YYY" | "YY" | "Y" => {
                let before = input.0.len();
                let year = input.number(if is_followed { word.len() } else { 4 })?;
                let digits = before - input.0.len();
                // As PostgreSQL: the year nearest to 2020.
                read.year = Some(match digits {
                    0..=2 if year < 70 => 2000 + year,
                    0..=2 => 1900 + year,
                    3 if year < 520 => 2000 + year,
                    3 => 1000 + year,
                    _ => year,
                });
            }
            "IYYY" | "IYY" | "IY" | "I" => read.iso_year = Some(input.number(any(word.len()))?),
            "MM" => read.month = Some(input.number(2)?),
            "MONTH" => {
                let month = input.name(&MONTHS, None).or_else(|_| input.name(&MONTHS, Some(3)))?;
                read.month = Some(month);
            }
            "MON" => read.month = Some(input.name(&MONTHS, Some(3))?),
            "RM" => {
                let mut names: Vec<&str> = ROMAN.to_vec();
                names.sort_by_key(|name| std::cmp::Reverse(name.len()));
                let at = input.name(&names, None)?;
                let found = names[at as usize - 1];
                read.month = ROMAN.iter().position(|name| *name == found).map(|at| at as i64 + 1);
            }
            "DD" => read.day = Some(input.number(2)?),
            "DDD" => read.day_of_year = Some(input.number(3)?),
            "D" => {
                input.number(1)?;
            }
            "DAY" => {
                input.name(&DAYS, None).or_else(|_| input.name(&DAYS, Some(3)))?;
            }
            "DY" => {
                input.name(&DAYS, Some(3))?;
            }
            "IW" => read.iso_week = Some(input.number(2)?),
            "ID" => read.iso_day = Some(input.number(1)?),
            "WW" | "W" | "Q" | "CC" | "IDDD" => {
                input.number(any(3))?;
            }
            "J" => read.julian = Some(input.number(9)?),
            "HH24" | "HH12" | "HH" => {
                read.hour = input.number(2)?;
                if (word != "HH24" && !(1..=12).contains(&read.hour)) || read.hour > 24 {
                    return Err(Fault::InvalidDatetime);
                }
                if word != "HH24" && read.afternoon.is_none() {
                    read.afternoon = Some(false);
                }
            }
            "MI" => read.minute = input.number(2)?,
            "SS" => read.second = input.number(2)?,
            "SSSSS" | "SSSS" => {
                let seconds = input.number(5)?;
                (read.hour, read.minute, read.second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            }
            "MS" | "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
                let digits_max = match word {
                    "MS" | "FF3" => 3,
                    "US" | "FF6" => 6,
                    "FF1" => 1,
                    "FF2" => 2,
                    "FF4" => 4,
                    _ => 5,
                };
                let before = input.0.len();
                let number = input.number(digits_max)?;
                let digits = (before - input.0.len()).min(6) as u32;
                read.micros = number * 10i64.pow(6 - digits);
            }
            "AM" | "PM" => read.afternoon = Some(input.name(&["AM", "PM"], None)? == 2),
            "A.M." | "P.M." => read.afternoon = Some(input.name(&["A.M.", "P.M."], None)? == 2),
            "BC" | "AD" => read.before_christ = input.name(&["AD", "BC"], None)? == 2,
            "B.C." | "A.D." => read.before_christ = input.name(&["A.D.", "B.C."], None)? == 2,
            "TZH" => {
                read.is_west = input.0.starts_with('-');
                input.0 = input.0.strip_prefix(['+', '-']).unwrap_or(input.0);
                read.offset_minutes += input.number(2)? * 60;
            }
            "TZM" => read.offset_minutes += input.number(2)?,
            _ => {}
        }
        if ending.is_some() {
            let letters = input.0.chars().take(2).map(char::len_utf8).sum();
            input.0 = &input.0[letters..];
        }
    }
    let is_whole = input.0.trim_end().is_empty();
    Ok((read, is_whole))
}

fn read_fields(text: &str, template: &str) -> Result<Read, Fault> {
    read_whole(text, template).map(|(read, _)| read)
}

fn day_of(read: &Read) -> Result<i64, Fault> {
    if let Some(julian) = read.julian {
        return Ok(julian - 2_440_588);
    }
    if let Some(year) = read.iso_year {
        let fourth = days_from_civil(year, 1, 4);
        let monday = fourth - iso_day(fourth) + 1;
        return Ok(monday + (read.iso_week.unwrap_or(1) - 1) * 7 + read.iso_day.unwrap_or(1) - 1);
    }
    let year = read.year.unwrap_or(if read.before_christ { 1 } else { 0 });
    let year = match (read.before_christ, year) {
        (true, year) => 1 - year,
        // Without a year it is 1 BC, as PostgreSQL has it.
        (false, year) => year,
    };
    if !(YEAR_MIN..=YEAR_MAX).contains(&year) {
        return Err(Fault::DatetimeRange);
    }
    if let Some(day) = read.day_of_year {
        return if (1..=366).contains(&day) {
            Ok(days_from_civil(year, 1, 1) + day - 1)
        } else {
            Err(Fault::DatetimeRange)
        };
    }
    let (month, day) = (read.month.unwrap_or(1), read.day.unwrap_or(1));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return Err(Fault::DatetimeRange);
    }
    let days = days_from_civil(year, month as u8, day as u8);
    if i64::from(civil_from_days(days).2) == day { Ok(days) } else { Err(Fault::DatetimeRange) }
}

/// The time of day.
fn time_of(read: &Read) -> Result<i64, Fault> {
    let hour = match read.afternoon {
        Some(true) => read.hour % 12 + 12,
        Some(false) if read.hour == 12 => 0,
        Some(false) | None => read.hour,
    };
    if read.minute > 59 || read.second > 59 {
        return Err(Fault::DatetimeRange);
    }
    Ok(((hour * 60 + read.minute) * 60 + read.second) * 1_000_000 + read.micros)
}

impl Read {
    fn seconds_east(&self) -> i64 {
        self.offset_minutes * 60 * if self.is_west { -1 } else { 1 }
    }
}

/// The date or time that a text says by a template, of the kind that the template's words make. The text says all of it.
pub(super) fn moment(text: &str, template: &str) -> Result<Moment, Fault> {
    let (read, is_whole) = read_whole(text, template)?;
    if !is_whole {
        return Err(Fault::InvalidDatetime);
    }
    let (mut is_dated, mut is_timed, mut is_zoned) = (false, false, false);
    for piece in pieces(template) {
        let Piece::Word { word, .. } = piece else { continue };
        match word {
            "TZ" | "TZH" | "TZM" | "OF" => is_zoned = true,
            "HH24" | "HH12" | "HH" | "MI" | "SSSSS" | "SSSS" | "SS" | "MS" | "US" | "AM" | "PM" | "A.M." | "P.M." => {
                is_timed = true;
            }
            word if word.starts_with("FF") => is_timed = true,
            _ => is_dated = true,
        }
    }
    let kind = match (is_dated, is_timed, is_zoned) {
        (true, false, false) => return Ok(Moment { kind: Kind::Date, local: day_of(&read)?, east: 0 }),
        (false, true, false) => Kind::Time,
        (false, true, true) => Kind::TimeTz,
        (true, true, false) => Kind::Timestamp,
        (true, true, true) => Kind::TimestampTz,
        (_, false, _) => return Err(Fault::InvalidDatetime),
    };
    let begin = if is_dated { midnight(day_of(&read)?) } else { Some(0) };
    let local = begin.and_then(|begin| begin.checked_add(time_of(&read).ok()?)).ok_or(Fault::DatetimeRange)?;
    Ok(Moment { kind, local, east: read.seconds_east() })
}

/// A date read by a template.
pub fn to_date(text: &str, template: &str) -> (i64, Fault) {
    match read_fields(text, template).and_then(|read| day_of(&read)) {
        // The ends of 32 bits are the infinities, which no template reads.
        Ok(days) if (i64::from(i32::MIN) + 1..i64::from(i32::MAX)).contains(&days) => (days, Fault::Ok),
        Ok(_) => (0, Fault::DatetimeRange),
        Err(fault) => (0, fault),
    }
}

/// An instant read by a template; without an offset in it, of UTC.
pub fn to_timestamp(text: &str, template: &str) -> (i64, Fault) {
    let instant = || -> Result<i64, Fault> {
        let read = read_fields(text, template)?;
        let of_day = time_of(&read)?;
        midnight(day_of(&read)?)
            .and_then(|begin| begin.checked_add(of_day - read.seconds_east() * 1_000_000))
            .filter(|micros| is_finite(*micros))
            .ok_or(Fault::DatetimeRange)
    };
    match instant() {
        Ok(micros) => (micros, Fault::Ok),
        Err(fault) => (0, fault),
    }
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
    "to_char" (TimestampTz, Text) -> Text, Partial, timestamp_to_char, "The instant written by a template, in UTC; NULL of an infinity.";
    "to_char" (Interval, Text) -> Text, Total, interval_to_char, "The interval written by a template.";
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
