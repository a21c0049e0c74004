//! Which date or time does a text say by a template?
//!
//! As PostgreSQL reads it. Words take numbers and names off the text; a number takes as many digits as there are, unless more
//! digits follow it in the template, and then as many as its word has. Blanks before a word are passed over, a separator stands for
//! any one or for none, any other character for one of the text, except behind `FX`, where every character counts. The rest of
//! a text beyond the template is left out, except where the standard asks for all of it ([`moment`]). A text of another
//! form is 22007, a field out of range 22008. What a template leaves out is the first of its kind: January, the 1st, midnight.
//!
//! Holds: a field that is named twice says the same twice; weeks of ISO 8601 and months do not mix.
//! Not here: words (`words`), which zone a time without one is of (the binder).

use super::{
    DAYS, Fault, MONTHS, days_from_civil, iso_day,
    words::{Field, Piece, is_separator, pieces},
};
use crate::{
    func::{
        datetime::{YEAR_MAX, YEAR_MIN, is_finite, midnight},
        json_path::moment::{Kind, Moment},
        narrow,
    },
    time::{MICROS_PER_DAY, civil_from_days},
};

/// The months in Roman numerals, the longer before their beginnings.
const ROMAN: [(&str, i64); 12] = [
    ("XII", 12),
    ("XI", 11),
    ("X", 10),
    ("IX", 9),
    ("VIII", 8),
    ("VII", 7),
    ("VI", 6),
    ("V", 5),
    ("IV", 4),
    ("III", 3),
    ("II", 2),
    ("I", 1),
];

/// Which way of counting days do the template's words belong to?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Calendar {
    Months,
    Weeks,
}

/// What was read so far; 0 is what was not.
#[derive(Default)]
struct Read {
    calendar: Option<Calendar>,
    year: i64,
    /// How many digits of the year the template has.
    year_digits: usize,
    century: i64,
    before_christ: i64,
    month: i64,
    day: i64,
    weekday: i64,
    week: i64,
    week_of_month: i64,
    day_of_year: i64,
    julian: i64,
    hour: i64,
    is_half: bool,
    afternoon: i64,
    minute: i64,
    second: i64,
    second_of_day: i64,
    millis: i64,
    micros: i64,
    /// How many digits of a second the template has, where it says so.
    digits: Option<i64>,
    zone_sign: i64,
    zone_hours: i64,
    zone_minutes: i64,
}

/// Writes a field, which another word may have said before.
fn put(field: &mut i64, value: i64) -> Result<(), Fault> {
    if *field != 0 && *field != value {
        return Err(Fault::InvalidDatetime);
    }
    *field = value;
    Ok(())
}

fn year_near_2020(year: i64) -> i64 {
    match year {
        ..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

struct Input<'t> {
    rest: &'t str,
    /// The character before the rest.
    before: Option<char>,
}

impl<'t> Input<'t> {
    fn skip(&mut self, len: usize) {
        let (taken, rest) = self.rest.split_at(len);
        self.before = taken.chars().next_back().or(self.before);
        self.rest = rest;
    }

    fn next(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn one(&mut self) {
        self.skip(self.next().map_or(0, char::len_utf8));
    }

    fn blanks(&mut self) -> i64 {
        let blanks = self.rest.len() - self.rest.trim_ascii_start().len();
        self.skip(blanks);
        blanks as i64
    }

    /// A whole number with an optional sign, and how many bytes it took with the blanks before it. With a width it is of so many
    /// characters and no more.
    fn number(&mut self, width: Option<usize>) -> Result<(i64, usize), Fault> {
        let before = self.rest.len();
        self.blanks();
        let text = match width {
            None => self.rest,
            Some(width) => self.rest.get(..width).ok_or(Fault::InvalidDatetime)?,
        };
        let sign = usize::from(text.starts_with(['+', '-']));
        let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let taken = if digits == 0 { 0 } else { sign + digits };
        if taken == 0 || width.is_some_and(|width| taken < width) {
            return Err(Fault::InvalidDatetime);
        }
        let number: i32 = text[..taken].parse().map_err(|_| Fault::DatetimeRange)?;
        self.skip(taken);
        Ok((i64::from(number), before - self.rest.len()))
    }

    /// Which of some names comes next.
    fn name<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> Result<i64, Fault> {
        for (at, name) in names.into_iter().enumerate() {
            if self.rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)) {
                self.skip(name.len());
                return Ok(at as i64);
            }
        }
        Err(Fault::InvalidDatetime)
    }
}

/// Does a number before this piece end by itself, since no digit can follow?
fn ends_numbers(piece: Option<&Piece<'_>>) -> bool {
    match piece {
        None => true,
        Some(Piece::Word(field)) => matches!(
            field.word,
            "FX" | "A.M."
                | "P.M."
                | "AM"
                | "PM"
                | "B.C."
                | "A.D."
                | "BC"
                | "AD"
                | "MONTH"
                | "MON"
                | "DAY"
                | "DY"
                | "RM"
                | "TZH"
                | "TZ"
                | "OF"
        ),
        Some(Piece::Separator(text) | Piece::Text(text)) => !text.starts_with(|first: char| first.is_ascii_digit()),
    }
}

fn calendar_of(word: &str) -> Option<Calendar> {
    match word {
        "IDDD" | "ID" | "IW" | "IYYY" | "IYY" | "IY" | "I" => Some(Calendar::Weeks),
        "DDD" | "DD" | "D" | "MM" | "MONTH" | "MON" | "RM" | "WW" | "W" | "Y,YYY" | "YYYY" | "YYY" | "YY" | "Y" => {
            Some(Calendar::Months)
        }
        _ => None,
    }
}

/// What the words of a template find in a text. Strictly, the text says all of the template and nothing besides.
fn read(text: &str, template: &str, strict: bool) -> Result<Read, Fault> {
    let mut input = Input { rest: text, before: None };
    let mut read = Read::default();
    let pieces = pieces(template);
    let mut exact = strict;
    // How many characters more were passed over than the template has.
    let mut passed = 0;
    let mut at = 0;
    while at < pieces.len() && !input.rest.is_empty() {
        let piece = &pieces[at];
        at += 1;
        let is_word = matches!(piece, Piece::Word(field) if field.word != "FX");
        let is_mode = matches!(piece, Piece::Word(field) if field.word == "FX");
        if !exact && !is_mode && (is_word || at == 1) {
            passed += input.blanks();
        }
        let field = match piece {
            Piece::Separator(text) | Piece::Text(text) if strict => {
                if !input.rest.starts_with(text) {
                    return Err(Fault::InvalidDatetime);
                }
                input.one();
                continue;
            }
            Piece::Separator(_) | Piece::Text(_) if exact => {
                input.one();
                continue;
            }
            Piece::Separator(_) => {
                passed -= 1;
                if input.next().is_some_and(|next| next.is_ascii_whitespace() || is_separator(next)) {
                    input.one();
                    passed += 1;
                }
                continue;
            }
            Piece::Text(_) => {
                // It may have been passed over before already.
                if passed > 0 {
                    passed -= 1
                } else {
                    input.one()
                }
                continue;
            }
            Piece::Word(field) => field,
        };
        if let Some(calendar) = calendar_of(field.word)
            && *read.calendar.get_or_insert(calendar) != calendar
        {
            return Err(Fault::InvalidDatetime);
        }
        if field.word == "FX" {
            exact = true;
        } else {
            let ends = field.ending.is_some() || !field.fills || ends_numbers(pieces.get(at));
            read.field(field, &mut input, ends, passed > 0)?;
        }
        if !exact {
            passed = input.blanks();
        }
    }
    if strict && (at < pieces.len() || !input.rest.trim_ascii_start().is_empty()) {
        return Err(Fault::InvalidDatetime);
    }
    Ok(read)
}

impl Read {
    /// Reads what a word stands for. A number ends where its digits do, or has its word's width.
    fn field(&mut self, field: &Field<'_>, input: &mut Input<'_>, ends: bool, passed: bool) -> Result<(), Fault> {
        let word = field.word;
        let of = |width: usize| if ends { None } else { Some(width) };
        let usual = of(word.len());
        match word {
            "YYYY" | "IYYY" => {
                put(&mut self.year, input.number(usual)?.0)?;
                self.year_digits = 4;
            }
            "YYY" | "YY" | "Y" | "IYY" | "IY" | "I" => {
                let (year, taken) = input.number(usual)?;
                put(&mut self.year, if taken < 4 { year_near_2020(year) } else { year })?;
                self.year_digits = word.len();
            }
            "Y,YYY" => {
                let (thousands, _) = input.number(None)?;
                input.rest = input.rest.strip_prefix(',').ok_or(Fault::InvalidDatetime)?;
                let width = input.rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
                put(&mut self.year, thousands * 1000 + input.number(Some(width))?.0)?;
                self.year_digits = 4;
            }
            "CC" => put(&mut self.century, input.number(usual)?.0)?,
            "MM" => put(&mut self.month, input.number(usual)?.0)?,
            "MONTH" => put(&mut self.month, input.name(MONTHS)? + 1)?,
            "MON" => put(&mut self.month, input.name(MONTHS.map(|name| &name[..3]))? + 1)?,
            "RM" => put(&mut self.month, ROMAN[input.name(ROMAN.map(|(name, _)| name))? as usize].1)?,
            "DD" => put(&mut self.day, input.number(usual)?.0)?,
            "DDD" => put(&mut self.day_of_year, input.number(usual)?.0)?,
            "IDDD" => put(&mut self.day_of_year, input.number(of(3))?.0)?,
            // Monday is 1 here, and Sunday 7.
            "D" => put(&mut self.weekday, (input.number(usual)?.0 + 5) % 7 + 1)?,
            "ID" => put(&mut self.weekday, input.number(of(1))?.0)?,
            "DAY" => put(&mut self.weekday, input.name(DAYS)? + 1)?,
            "DY" => put(&mut self.weekday, input.name(DAYS.map(|name| &name[..3]))? + 1)?,
            "WW" | "IW" => put(&mut self.week, input.number(usual)?.0)?,
            "W" => put(&mut self.week_of_month, input.number(usual)?.0)?,
            "J" => put(&mut self.julian, input.number(usual)?.0)?,
            // A quarter says no date.
            "Q" => {
                input.number(usual)?;
            }
            "HH24" => put(&mut self.hour, input.number(of(2))?.0)?,
            "HH12" | "HH" => {
                put(&mut self.hour, input.number(of(2))?.0)?;
                self.is_half = true;
            }
            "MI" => put(&mut self.minute, input.number(usual)?.0)?,
            "SS" => put(&mut self.second, input.number(usual)?.0)?,
            "SSSSS" | "SSSS" => put(&mut self.second_of_day, input.number(usual)?.0)?,
            "MS" => {
                let (millis, taken) = input.number(of(3))?;
                put(&mut self.millis, millis * 10i64.pow(3usize.saturating_sub(taken) as u32))?;
            }
            "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
                let width = if word == "US" { 6 } else { usize::from(word.as_bytes()[2] - b'0') };
                let (micros, taken) = input.number(of(width))?;
                self.digits = if word == "US" { self.digits } else { Some(width as i64) };
                put(&mut self.micros, micros * 10i64.pow(6usize.saturating_sub(taken) as u32))?;
            }
            "AM" | "PM" => {
                put(&mut self.afternoon, input.name(["AM", "PM"])?)?;
                self.is_half = true;
            }
            "A.M." | "P.M." => {
                put(&mut self.afternoon, input.name(["A.M.", "P.M."])?)?;
                self.is_half = true;
            }
            "BC" | "AD" => put(&mut self.before_christ, input.name(["AD", "BC"])?)?,
            "B.C." | "A.D." => put(&mut self.before_christ, input.name(["A.D.", "B.C."])?)?,
            "TZH" => {
                self.zone_sign = match input.next() {
                    Some('-') => -1,
                    Some('+' | ' ') => 1,
                    // The sign may have been taken for a separator.
                    _ if passed && input.before == Some('-') => -1,
                    _ => 1,
                };
                if matches!(input.next(), Some('+' | '-' | ' ')) {
                    input.one();
                }
                put(&mut self.zone_hours, input.number(of(2))?.0)?;
            }
            "TZM" => {
                self.zone_sign = if self.zone_sign == 0 { 1 } else { self.zone_sign };
                put(&mut self.zone_minutes, input.number(of(2))?.0)?;
            }
            // Names of zones are only written.
            _ => return Err(Fault::InvalidArgument),
        }
        if field.ending.is_some() {
            input.one();
            input.one();
        }
        Ok(())
    }

    fn seconds_east(&self) -> Result<i64, Fault> {
        if !(0..=15).contains(&self.zone_hours) || !(0..=59).contains(&self.zone_minutes) {
            return Err(Fault::DatetimeRange);
        }
        Ok(self.zone_sign * (self.zone_hours * 60 + self.zone_minutes) * 60)
    }

    /// The year, counted with a year 0, if the text says one.
    fn named_year(&self) -> Option<i64> {
        let before_christ = self.before_christ != 0;
        let century = if before_christ { -self.century } else { self.century };
        if self.year == 0 {
            return match century {
                0 => None,
                // A century's first year.
                1.. => Some((century - 1) * 100 + 1),
                _ => Some(century * 100 + 1),
            };
        }
        if century != 0 && self.year_digits <= 2 {
            // The two digits are those within the century, which ends with its hundredth year.
            return Some(match (self.year % 100, century > 0) {
                (0, true) => century * 100,
                (0, false) => century * 100 + 1,
                (year, true) => (century - 1) * 100 + year,
                (year, false) => (century + 1) * 100 - year + 1,
            });
        }
        let year = if before_christ { -self.year } else { self.year };
        Some(if year < 0 { year + 1 } else { year })
    }

    /// The day, as days since 1970-01-01.
    fn days(&self) -> Result<i64, Fault> {
        let named_year = self.named_year();
        let mut is_dated = named_year.is_some();
        let (mut year, mut month, mut day) = (named_year.unwrap_or(0), 1, 1);
        let take = |days: i64| {
            let (of_year, of_month, of_day) = civil_from_days(days);
            (of_year, i64::from(of_month), i64::from(of_day))
        };
        if self.julian != 0 {
            (year, month, day) = take(self.julian - 2_440_588);
            is_dated = true;
        }
        let in_weeks = self.calendar == Some(Calendar::Weeks);
        if !(YEAR_MIN - 1..=YEAR_MAX + 1).contains(&year) {
            return Err(Fault::DatetimeRange);
        }
        let monday = |year: i64| {
            let fourth = days_from_civil(year, 1, 4);
            fourth - iso_day(fourth) + 1
        };
        let mut day_of_year = self.day_of_year;
        if self.week != 0 && in_weeks {
            (year, month, day) = take(monday(year) + (self.week - 1) * 7 + self.weekday.max(1) - 1);
        } else if self.week != 0 {
            day_of_year = (self.week - 1) * 7 + 1;
        }
        if self.week_of_month != 0 {
            day = (self.week_of_month - 1) * 7 + 1;
        } else if self.day != 0 {
            day = self.day;
        }
        if self.month != 0 {
            month = self.month;
        }
        if day_of_year != 0 && (month <= 1 || day <= 1) {
            if year == 0 && self.before_christ == 0 {
                return Err(Fault::InvalidDatetime);
            }
            if in_weeks {
                (year, month, day) = take(monday(year) + day_of_year - 1);
            } else {
                let last = days_from_civil(year + 1, 1, 1) - days_from_civil(year, 1, 1);
                if !(1..=last).contains(&day_of_year) {
                    return Err(Fault::DatetimeRange);
                }
                let (_, of_month, of_day) = take(days_from_civil(year, 1, 1) + day_of_year - 1);
                (month, day) = (if month <= 1 { of_month } else { month }, if day <= 1 { of_day } else { day });
            }
        }
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(YEAR_MIN..=YEAR_MAX).contains(&year) {
            return Err(Fault::DatetimeRange);
        }
        let days = days_from_civil(year, month as u8, 1) + day - 1;
        // Without a year it is not known how long a month is: 30 February is 1 March.
        let fits = !is_dated || i64::from(civil_from_days(days).2) == day;
        if fits { Ok(days) } else { Err(Fault::DatetimeRange) }
    }

    /// The time of day.
    fn time(&self) -> Result<i64, Fault> {
        let or = |part: i64, otherwise: i64| if part != 0 { part } else { otherwise };
        let mut hour = or(self.hour, self.second_of_day / 3600);
        let minute = or(self.minute, self.second_of_day / 60 % 60);
        let second = or(self.second, self.second_of_day % 60);
        if self.is_half {
            if !(1..=12).contains(&hour) {
                return Err(Fault::InvalidDatetime);
            }
            hour = hour % 12 + 12 * self.afternoon;
        }
        let fraction = self.millis * 1000 + self.micros;
        let fits = (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..1_000_000).contains(&fraction);
        if fits { Ok(((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction) } else { Err(Fault::DatetimeRange) }
    }
}

/// The date or time that a text says by a template, of the kind that the template's words make. The text says all of it.
pub(in crate::func) fn moment(text: &str, template: &str) -> Result<Moment, Fault> {
    let (mut is_dated, mut is_timed, mut is_zoned) = (false, false, false);
    for piece in pieces(template) {
        match piece {
            Piece::Word(field) => match field.word {
                "TZ" | "OF" => return Err(Fault::InvalidDatetime),
                "FX" => {}
                "TZH" | "TZM" => is_zoned = true,
                "HH24" | "HH12" | "HH" | "MI" | "SSSSS" | "SSSS" | "SS" | "MS" | "US" | "AM" | "PM" | "A.M."
                | "P.M." => is_timed = true,
                word if word.starts_with("FF") => is_timed = true,
                _ => is_dated = true,
            },
            // The standard knows no other signs.
            Piece::Separator("-" | "." | "/" | "," | "'" | ";" | ":" | " ") => {}
            Piece::Separator(_) => return Err(Fault::InvalidDatetime),
            Piece::Text(_) => {}
        }
    }
    let read = read(text, template, true)?;
    let kind = match (is_dated, is_timed, is_zoned) {
        (true, false, false) => return Ok(Moment { kind: Kind::Date, local: read.days()?, east: 0 }),
        (false, true, false) => Kind::Time,
        (false, true, true) => Kind::TimeTz,
        (true, true, false) => Kind::Timestamp,
        (true, true, true) => Kind::TimestampTz,
        (_, false, _) => return Err(Fault::InvalidDatetime),
    };
    let begin = if is_dated { midnight(read.days()?) } else { Some(0) };
    let time = read.time()?;
    let local = begin.and_then(|begin| begin.checked_add(time)).ok_or(Fault::DatetimeRange)?;
    Ok(Moment { kind, local, east: read.seconds_east()? })
}

/// A date read by a template.
pub fn to_date(text: &str, template: &str) -> (i64, Fault) {
    let date = || {
        let read = read(text, template, false)?;
        // The time of day is left out, but it is one.
        read.time()?;
        read.days()
    };
    match date() {
        Ok(days) => (days, Fault::Ok),
        Err(fault) => (0, fault),
    }
}

/// An instant read by a template; without an offset in it, of UTC.
pub fn to_timestamp(text: &str, template: &str) -> (i64, Fault) {
    let instant = || -> Result<i64, Fault> {
        let read = read(text, template, false)?;
        let days = read.days()?;
        let since_midnight = read.time()? - read.seconds_east()? * 1_000_000;
        debug_assert!(since_midnight.abs() < 2 * MICROS_PER_DAY, "offsets are of hours");
        midnight(days)
            .and_then(|begin| begin.checked_add(since_midnight))
            .map(|micros| read.digits.map_or(micros, |digits| narrow::instant_to_digits(micros, digits).0))
            .filter(|micros| is_finite(*micros))
            .ok_or(Fault::DatetimeRange)
    };
    match instant() {
        Ok(micros) => (micros, Fault::Ok),
        Err(fault) => (0, fault),
    }
}
