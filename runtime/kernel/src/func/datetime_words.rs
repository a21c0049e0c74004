//! How is a date or an instant read that is not written as ISO 8601 says?
//!
//! As PostgreSQL reads it with `DateStyle` `MDY`: `January 8, 1999`, `08-Jan-99`, `1/8/1999`, `19990108`, `1999.008` (the day of
//! the year), `J2451187` (the Julian day), `Wed Jul 11 10:51:14 1996`, `20010922T181920`. The text is cut into fields; a time has
//! colons, a name is a month, a weekday or a zone, and what the numbers mean follows from where they stand: a number of three
//! digits or more is the year, of two digits after 69 one of the last century's.
//!
//! Holds: what `datetime` reads is never asked here, so that plain dates cost nothing.
//! Not here: which instant a zone's local time is (`zone`).

use super::{
    Fault,
    datetime::{Parts, YEAR_MAX, YEAR_MIN, read_time_field},
};
use crate::time::{civil_from_days, days_from_civil};

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// The Julian day of 1970-01-01.
const JULIAN_OF_EPOCH: i64 = 2_440_588;

/// A date with its time of day, and the zone that stood there.
pub(super) struct Read<'t> {
    pub(super) parts: Parts,
    pub(super) zone: Option<&'t str>,
}

/// The place of a word among names of which it is the whole or the first three letters (`sept` and `tues` besides).
fn named(word: &str, names: &[&str]) -> Option<i64> {
    let word = word.to_ascii_lowercase();
    let is = |name: &str| word == name || word.len() >= 3 && word.len() <= 5 && name.starts_with(&word);
    names.iter().position(|name| is(name)).map(|at| at as i64)
}

/// One number of a date, with how many digits it has.
#[derive(Clone, Copy)]
struct Number {
    value: i64,
    digits: usize,
}

#[derive(Default)]
struct Fields<'t> {
    numbers: Vec<Number>,
    month: Option<i64>,
    /// How many numbers stood before the month's name.
    before_month: usize,
    days: Option<i64>,
    micros: Option<i64>,
    afternoon: Option<bool>,
    before_christ: bool,
    zone: Option<&'t str>,
}

/// Reads a text that is no ISO date.
pub(super) fn read(text: &str) -> Result<Read<'_>, Fault> {
    let mut fields = Fields::default();
    for piece in text.split(|c: char| c.is_ascii_whitespace() || c == ',').filter(|piece| !piece.is_empty()) {
        fields.piece(piece)?;
    }
    let days = fields.date()?;
    let micros = match (fields.micros.unwrap_or(0), fields.afternoon) {
        (micros, None) => micros,
        (micros, Some(afternoon)) => half_of_day(micros, afternoon)?,
    };
    Ok(Read { parts: Parts { days, micros }, zone: fields.zone })
}

/// A time of the clock's twelve hours as one of the day's.
pub(super) fn half_of_day(micros: i64, afternoon: bool) -> Result<i64, Fault> {
    let hour = micros / 3_600_000_000;
    if !(1..=12).contains(&hour) {
        return Err(Fault::DatetimeRange);
    }
    Ok(micros + (hour % 12 - hour + if afternoon { 12 } else { 0 }) * 3_600_000_000)
}

/// `HHMMSS`, `HHMM`, perhaps with a fraction of a second.
pub(super) fn digits_of_time(text: &str) -> Option<Result<i64, Fault>> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let fits = whole.bytes().all(|byte| byte.is_ascii_digit()) && matches!(whole.len(), 4 | 6);
    fits.then(|| {
        let mut spelt = format!("{}:{}", &whole[..2], &whole[2..4]);
        if whole.len() == 6 || fraction.is_some() {
            spelt.push(':');
            spelt.push_str(if whole.len() == 6 { &whole[4..] } else { "00" });
        }
        if let Some(fraction) = fraction {
            spelt.push('.');
            spelt.push_str(fraction);
        }
        read_time_field(&spelt)
    })
}

impl<'t> Fields<'t> {
    fn piece(&mut self, piece: &'t str) -> Result<(), Fault> {
        let invalid = Err(Fault::InvalidDatetime);
        let first = piece.as_bytes()[0];
        if piece.contains(':') && first.is_ascii_digit() {
            return self.time(piece);
        }
        if matches!(first, b'+' | b'-') {
            // An offset stands behind a time.
            return if self.micros.is_some() && self.zone.replace(piece).is_none() { Ok(()) } else { invalid };
        }
        // A date, a T and a time without a space between.
        if let Some(at) = piece.find(['T', 't'])
            && first.is_ascii_digit()
            && piece[..at].bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
            && piece[at + 1..].bytes().next().is_some_and(|byte| byte.is_ascii_digit())
        {
            self.piece(&piece[..at])?;
            return self.time(&piece[at + 1..]);
        }
        let is_name = piece.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'_' | b'.'));
        if first.is_ascii_alphabetic() && is_name {
            return self.word(piece);
        }
        if matches!(first, b'j' | b'J') && piece[1..].bytes().all(|byte| byte.is_ascii_digit()) {
            let julian: i64 = piece[1..].parse().map_err(|_| Fault::DatetimeRange)?;
            return self.whole_date(julian - JULIAN_OF_EPOCH);
        }
        // `GMT+8`, a zone by its name and an offset.
        if first.is_ascii_alphabetic() && self.micros.is_some() && piece.contains(['+', '-']) && self.zone.is_none() {
            self.zone = Some(piece);
            return Ok(());
        }
        // A time of digits alone stands behind a whole date.
        if (self.days.is_some() || self.numbers.len() + usize::from(self.month.is_some()) == 3)
            && self.micros.is_none()
            && let Some(time) = digits_of_time(piece)
        {
            self.micros = Some(time?);
            return Ok(());
        }
        if piece.bytes().all(|byte| byte.is_ascii_digit()) && matches!(piece.len(), 6 | 8) && self.is_dateless() {
            let (year, rest) = piece.split_at(piece.len() - 4);
            let number = |text: &str| text.parse().expect("they are digits");
            let year = Number { value: number(year), digits: year.len() };
            let days = day_of(year_of(year), number(&rest[..2]), number(&rest[2..]), false)?;
            return self.whole_date(days);
        }
        if let Some((year, day)) = piece.split_once('.')
            && year.len() == 4
            && day.len() == 3
            && self.is_dateless()
            && piece.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            let (year, day): (i64, i64) = (digits(year)?.value, digits(day)?.value);
            let begin = day_of(year, 1, 1, false)?;
            let days = begin + day - 1;
            return if day >= 1 && civil_from_days(days).0 == year {
                self.whole_date(days)
            } else {
                Err(Fault::DatetimeRange)
            };
        }
        for part in piece.split(['-', '/', '.']) {
            if part.is_empty() {
                return invalid;
            }
            if part.bytes().all(|byte| byte.is_ascii_digit()) {
                self.numbers.push(digits(part)?);
            } else {
                self.month_named(part)?;
            }
        }
        Ok(())
    }

    fn is_dateless(&self) -> bool {
        self.days.is_none() && self.numbers.is_empty() && self.month.is_none()
    }

    fn whole_date(&mut self, days: i64) -> Result<(), Fault> {
        if !self.is_dateless() {
            return Err(Fault::InvalidDatetime);
        }
        self.days = Some(days);
        Ok(())
    }

    /// A time, perhaps with AM or PM or an offset behind it.
    fn time(&mut self, piece: &'t str) -> Result<(), Fault> {
        if self.micros.is_some() {
            return Err(Fault::InvalidDatetime);
        }
        let end = piece.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(piece.len());
        let (time, rest) = piece.split_at(end);
        self.micros = Some(match digits_of_time(time) {
            Some(time) => time?,
            None => read_time_field(time)?,
        });
        if rest.is_empty() { Ok(()) } else { self.word_or_offset(rest) }
    }

    fn word_or_offset(&mut self, rest: &'t str) -> Result<(), Fault> {
        if rest.starts_with(['+', '-']) {
            self.zone = Some(rest);
            return Ok(());
        }
        self.word(rest)
    }

    fn word(&mut self, word: &'t str) -> Result<(), Fault> {
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        if is("am") || is("pm") {
            return if self.afternoon.replace(is("pm")).is_none() { Ok(()) } else { Err(Fault::InvalidDatetime) };
        }
        if is("bc") || is("ad") {
            self.before_christ = is("bc");
            return Ok(());
        }
        if is("at") || is("on") || named(word, &WEEKDAYS).is_some() || is("tues") || is("thurs") {
            return Ok(());
        }
        let is_month = named(word, &MONTHS).is_some() || is("sept");
        if is_month {
            return self.month_named(word);
        }
        if !super::zone::is_zone(word) || self.zone.replace(word).is_some() {
            return Err(Fault::InvalidDatetime);
        }
        Ok(())
    }

    fn month_named(&mut self, word: &str) -> Result<(), Fault> {
        let sept = if word.eq_ignore_ascii_case("sept") { Some(8) } else { None };
        let month = named(word, &MONTHS).or(sept).ok_or(Fault::InvalidDatetime)?;
        self.before_month = self.numbers.len();
        if self.month.replace(month + 1).is_some() { Err(Fault::InvalidDatetime) } else { Ok(()) }
    }

    fn date(&self) -> Result<i64, Fault> {
        if let Some(days) = self.days {
            return if self.numbers.is_empty() && self.month.is_none() {
                Ok(days)
            } else {
                Err(Fault::InvalidDatetime)
            };
        }
        let is_year = |number: Number| number.digits >= 3;
        let (year, month, day) = match (self.month, self.numbers.as_slice()) {
            (Some(month), [year, day]) if is_year(*year) && !is_year(*day) => (*year, month, day.value),
            // `99-Jan-08`: a day is not told from a year there.
            (Some(month), [day, year]) if day.value <= 31 && !is_year(*day) => (*year, month, day.value),
            (None, [year, month, day]) if is_year(*year) => (*year, month.value, day.value),
            (None, [month, day, year]) => (*year, month.value, day.value),
            _ => return Err(Fault::InvalidDatetime),
        };
        let value = if self.before_christ { year.value } else { year_of(year) };
        day_of(value, month, day, self.before_christ)
    }
}

fn digits(text: &str) -> Result<Number, Fault> {
    if text.is_empty() || text.len() > 7 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::InvalidDatetime);
    }
    Ok(Number { value: text.parse().expect("seven digits are a number"), digits: text.len() })
}

/// A year of two digits is one between 1970 and 2069.
fn year_of(year: Number) -> i64 {
    match (year.digits, year.value) {
        (1 | 2, value @ 0..=69) => 2000 + value,
        (1 | 2, value) => 1900 + value,
        (_, value) => value,
    }
}

fn day_of(year: i64, month: i64, day: i64, before_christ: bool) -> Result<i64, Fault> {
    if year == 0 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return Err(Fault::DatetimeRange);
    }
    let year = if before_christ { 1 - year } else { year };
    if !(YEAR_MIN..=YEAR_MAX).contains(&year) {
        return Err(Fault::DatetimeRange);
    }
    let days = days_from_civil(year, month as u8, day as u8);
    if civil_from_days(days).2 == day as u8 { Ok(days) } else { Err(Fault::DatetimeRange) }
}

#[cfg(test)]
mod tests {
    use super::super::datetime::{read_date, read_timestamp};
    use super::*;
    use crate::time::{Date, Timestamp};

    #[test]
    fn dates_are_read_as_postgresql_reads_them() {
        let read = |text: &str| read_date(text).map(|days| Date(days as i32).to_string());
        for text in [
            "January 8, 1999",
            "1999-Jan-08",
            "19990108",
            "990108",
            "1999.008",
            "J2451187",
            "1/8/1999",
            "08-Jan-99",
            "Jan-08-1999",
            "1999 Jan 08",
            "08 01 99".replace("08 01", "01 08").as_str(),
            "1999 08 Jan",
        ] {
            assert_eq!(read(text).as_deref(), Ok("1999-01-08"), "{text}");
        }
        assert_eq!(read("January 8, 99 BC").as_deref(), Ok("0099-01-08 BC"));
        assert_eq!(read("01/02/03").as_deref(), Ok("2003-01-02"));
        for text in ["99-Jan-08", "99 Jan 08", "Jan", "1999", "8 Foo 1999"] {
            assert_eq!(read_date(text), Err(Fault::InvalidDatetime), "{text}");
        }
        for text in ["18/1/1999", "99-01-08", "99-08-01", "Feb 30 2000", "1997.366"] {
            assert_eq!(read_date(text), Err(Fault::DatetimeRange), "{text}");
        }
    }

    #[test]
    fn instants_are_read_as_postgresql_reads_them() {
        let read = |text: &str| read_timestamp(text).map(|micros| Timestamp(micros).to_string());
        for text in [
            "Mon Feb 10 17:32:01 1997 PST",
            "Mon Feb 10 17:32:01 1997",
            "Feb 10 5:32:01PM 1997",
            "19970210 173201",
            "19970210T173201",
            "1997.041 17:32:01",
            "2/10/1997 17:32:01",
            "10-Feb-1997 17:32:01",
        ] {
            assert_eq!(read(text).as_deref(), Ok("1997-02-10 17:32:01"), "{text}");
        }
        assert_eq!(half_of_day(13 * 3_600_000_000, true), Err(Fault::DatetimeRange));
        assert_eq!(read_timestamp("Feb 10 25:32:01 1997"), Err(Fault::DatetimeRange));
    }
}
