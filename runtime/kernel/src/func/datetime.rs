//! How is a date or an instant read from text?
//!
//! ISO 8601 as PostgreSQL writes and reads it: `YYYY-MM-DD`, then optionally a space or `T`, `HH:MM[:SS[.ffffff]]` and
//! `Z` or an offset `+HH[[:]MM]`, then optionally `BC`; also `epoch`, `infinity` and `-infinity`. A year may have more than
//! four digits; there is no year 0, and years before 1 are BC. An instant without an offset is UTC.
//!
//! Holds: what [`crate::time::Timestamp`] and [`crate::time::Date`] print reads back the same.
//! Anything else is asked of `datetime_words`.
//! Not here: `now`, `today` and their like, which would make a cast depend on when it runs.

use super::{Fault, datetime_words};
use crate::time::{MICROS_MAX, MICROS_MIN, MICROS_PER_DAY, civil_from_days, days_from_civil};

/// The first year of dates: 4713 BC.
pub const YEAR_MIN: i64 = -4712;
/// The last year of dates.
pub const YEAR_MAX: i64 = 294_276;

/// The days that stand for the infinities of dates, as in PostgreSQL.
pub const DAYS_INFINITY: i64 = i32::MAX as i64;
/// See [`DAYS_INFINITY`].
pub const DAYS_MINUS_INFINITY: i64 = i32::MIN as i64;

/// The days of the first and of the last date.
pub const DAYS_MIN: i64 = days_from_civil(YEAR_MIN, 1, 1);
/// See [`DAYS_MIN`].
pub const DAYS_MAX: i64 = days_from_civil(YEAR_MAX, 12, 31);

/// Reads a date: days since 1970-01-01. A time of day is read and left out.
pub(crate) fn read_date(text: &str) -> Result<i64, Fault> {
    let text = text.trim_ascii();
    match special(text) {
        Some(Special::Epoch) => Ok(0),
        Some(Special::MinusInfinity) => Ok(DAYS_MINUS_INFINITY),
        Some(Special::Infinity) => Ok(DAYS_INFINITY),
        None => parts_of(text).map(|parts| parts.days),
    }
}

/// Reads an instant: microseconds since 1970-01-01 00:00 UTC.
pub(crate) fn read_timestamp(text: &str) -> Result<i64, Fault> {
    let text = text.trim_ascii();
    match special(text) {
        Some(Special::Epoch) => return Ok(0),
        Some(Special::Infinity) => return Ok(MICROS_MAX),
        Some(Special::MinusInfinity) => return Ok(MICROS_MIN),
        None => {}
    }
    instant_of(parts_of(text)?)
}

/// The instant of a date and a time of day.
pub(super) fn instant_of(parts: Parts) -> Result<i64, Fault> {
    midnight(parts.days)
        .and_then(|micros| micros.checked_add(parts.micros))
        .filter(|micros| is_finite(*micros))
        .ok_or(Fault::DatetimeRange)
}

/// Reads a time of day: microseconds since midnight, also with `AM` or `PM`, also as part of an instant.
pub(crate) fn read_time_of_day(text: &str) -> Result<i64, Fault> {
    let text = text.trim_ascii();
    if text.eq_ignore_ascii_case("allballs") {
        return Ok(0);
    }
    if let Some(micros) = datetime_words::digits_of_time(text) {
        return micros;
    }
    let mut reader = Reader(text.as_bytes());
    if text.bytes().skip(1).take_while(|byte| *byte != b':').any(|byte| byte == b'-') {
        // A date without a time has no time of day.
        let is_timed = text.contains(':') && text.starts_with(|first: char| first.is_ascii_digit());
        if !is_timed {
            return Err(Fault::InvalidDatetime);
        }
        // A zone is left out, as the field reader does.
        return datetime_words::read(text).map(|read| read.parts.micros);
    }
    let micros = read_time(&mut reader)?;
    reader.spaces();
    let half = reader.0.get(..2).map(|word| word.to_ascii_lowercase());
    let micros = match half.as_deref() {
        Some(b"am" | b"pm") => {
            let hour = micros / 3_600_000_000;
            if !(1..=12).contains(&hour) {
                return Err(Fault::DatetimeRange);
            }
            reader.0 = &reader.0[2..];
            reader.spaces();
            let shift = if half.as_deref() == Some(b"pm") { 12 } else { 0 };
            micros + (hour % 12 - hour + shift) * 3_600_000_000
        }
        _ => micros,
    };
    // An offset is read and left out: a time of day without a zone has none.
    read_offset(&mut reader)?;
    if reader.0.is_empty() { Ok(micros) } else { Err(Fault::InvalidDatetime) }
}

/// The instant at which a day begins, if instants reach that far; an infinity stays one.
#[inline]
pub(crate) fn midnight(days: i64) -> Option<i64> {
    match days {
        DAYS_INFINITY => Some(MICROS_MAX),
        DAYS_MINUS_INFINITY => Some(MICROS_MIN),
        _ => days.checked_mul(MICROS_PER_DAY).filter(|micros| is_finite(*micros)),
    }
}

/// Is the day neither of the infinities?
#[inline]
pub(crate) fn is_finite_day(days: i64) -> bool {
    days != DAYS_INFINITY && days != DAYS_MINUS_INFINITY
}

/// Is the instant neither of the infinities?
#[inline]
pub(crate) fn is_finite(micros: i64) -> bool {
    micros != MICROS_MIN && micros != MICROS_MAX
}

enum Special {
    Epoch,
    Infinity,
    MinusInfinity,
}

fn special(text: &str) -> Option<Special> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("infinity") || is("+infinity") || is("inf") {
        Some(Special::Infinity)
    } else if is("-infinity") || is("-inf") {
        Some(Special::MinusInfinity)
    } else if is("epoch") {
        Some(Special::Epoch)
    } else {
        None
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Parts {
    pub(super) days: i64,
    /// The time of day less the offset: may lie outside of the day.
    pub(super) micros: i64,
}

struct Reader<'t>(&'t [u8]);

impl Reader<'_> {
    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.0.first() == Some(&byte);
        if is_next {
            self.0 = &self.0[1..];
        }
        is_next
    }

    fn spaces(&mut self) -> bool {
        let before = self.0.len();
        self.0 = self.0.trim_ascii_start();
        self.0.len() < before
    }

    /// A number of so many digits.
    fn number(&mut self, digits: std::ops::RangeInclusive<usize>) -> Result<i64, Fault> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !digits.contains(&count) {
            return Err(Fault::InvalidDatetime);
        }
        let number = self.0[..count].iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
        self.0 = &self.0[count..];
        Ok(number)
    }
}

/// As ISO 8601 says, or in one of the other forms. A zone that stands there is left out.
fn parts_of(text: &str) -> Result<Parts, Fault> {
    match read_parts(text) {
        Ok(parts) => Ok(parts),
        // `99-01-08` has the form of an ISO date, but no form makes one of it.
        Err(Fault::InvalidDatetime) => datetime_words::read(text).map(|read| read.parts),
        Err(fault) => Err(fault),
    }
}

/// The local time of a text that names no zone and no offset.
pub(super) fn read_local(text: &str) -> Result<Option<i64>, Fault> {
    let text = text.trim_ascii();
    if special(text).is_some() {
        return Ok(None);
    }
    // The field reader tells zones apart; it reads ISO forms too.
    match datetime_words::read(text) {
        Ok(datetime_words::Read { parts, zone: None }) => instant_of(parts).map(Some),
        Ok(_) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Is it a date as ISO 8601 says, or one of the words for an instant?
pub(super) fn is_iso(text: &str) -> bool {
    special(text).is_some() || read_parts(text) != Err(Fault::InvalidDatetime)
}

/// A time of day without anything behind it.
pub(super) fn read_time_field(text: &str) -> Result<i64, Fault> {
    let mut reader = Reader(text.as_bytes());
    let micros = read_time(&mut reader)?;
    if reader.0.is_empty() { Ok(micros) } else { Err(Fault::InvalidDatetime) }
}

fn read_parts(text: &str) -> Result<Parts, Fault> {
    let mut reader = Reader(text.as_bytes());
    // Seven digits are more than any year has, and far from overflow.
    let digits = reader.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut year = reader.number(1..=7)?;
    let separated = reader.eat(b'-');
    let month = if separated { reader.number(1..=2)? } else { 0 };
    if !separated || !reader.eat(b'-') {
        return Err(Fault::InvalidDatetime);
    }
    let day = reader.number(1..=2)?;
    // A year has three digits at least: else the month stands first.
    if digits < 3 {
        return Err(Fault::InvalidDatetime);
    }
    let mut micros = 0;
    let spaced = reader.spaces();
    if reader.eat(b'T') || reader.eat(b't') || (spaced && reader.0.first().is_some_and(u8::is_ascii_digit)) {
        micros = read_time(&mut reader)?;
        reader.spaces();
        micros -= read_offset(&mut reader)?;
        reader.spaces();
    }
    let before_christ = reader.0.eq_ignore_ascii_case(b"bc");
    if !before_christ && !reader.0.is_empty() && !reader.0.eq_ignore_ascii_case(b"ad") {
        return Err(Fault::InvalidDatetime);
    }
    // There is no year 0: 1 BC is the year before 1.
    if year == 0 {
        return Err(Fault::DatetimeRange);
    }
    if before_christ {
        year = 1 - year;
    }
    if !(YEAR_MIN..=YEAR_MAX).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return Err(Fault::DatetimeRange);
    }
    let days = days_from_civil(year, month as u8, day as u8);
    // A day past the end of its month comes back as another.
    if civil_from_days(days).2 != day as u8 {
        return Err(Fault::DatetimeRange);
    }
    Ok(Parts { days, micros })
}

/// `HH:MM[:SS[.ffffff]]`. As in PostgreSQL 24:00:00 ends the day, a second 60 is the next minute's first, and digits
/// past the sixth round.
fn read_time(reader: &mut Reader<'_>) -> Result<i64, Fault> {
    let hour = reader.number(1..=2)?;
    if !reader.eat(b':') {
        return Err(Fault::InvalidDatetime);
    }
    let minute = reader.number(2..=2)?;
    let (mut second, mut fraction) = (0, 0);
    if reader.eat(b':') {
        second = reader.number(2..=2)?;
        if reader.eat(b'.') {
            let digits = reader.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return Err(Fault::InvalidDatetime);
            }
            let digit = |i: usize| if i < digits { i64::from(reader.0[i] - b'0') } else { 0 };
            fraction = (0..6).fold(0, |fraction, i| fraction * 10 + digit(i)) + i64::from(digit(6) >= 5);
            reader.0 = &reader.0[digits..];
        }
    }
    let micros = (hour * 3600 + minute * 60 + second) * 1_000_000 + fraction;
    if hour > 24 || minute > 59 || second > 60 || micros > MICROS_PER_DAY {
        return Err(Fault::DatetimeRange);
    }
    Ok(micros)
}

/// `Z`, `UTC`, `+HH`, `+HH:MM`, `+HHMM`, or nothing: microseconds east of UTC.
fn read_offset(reader: &mut Reader<'_>) -> Result<i64, Fault> {
    let starts_with = |reader: &Reader<'_>, word: &[u8]| {
        reader.0.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    for name in [b"utc".as_slice(), b"gmt", b"z"] {
        if starts_with(reader, name) {
            reader.0 = &reader.0[name.len()..];
            return Ok(0);
        }
    }
    let sign = match reader.0.first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Ok(0),
    };
    reader.0 = &reader.0[1..];
    let digits = reader.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (hours, minutes) = if digits == 4 {
        let both = reader.number(4..=4)?;
        (both / 100, both % 100)
    } else {
        let hours = reader.number(1..=2)?;
        (hours, if reader.eat(b':') { reader.number(2..=2)? } else { 0 })
    };
    if hours > 15 || minutes > 59 {
        return Err(Fault::DatetimeRange);
    }
    Ok(sign * (hours * 60 + minutes) * 60_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Date, Timestamp};
    use proptest::prelude::*;

    #[test]
    fn iso_forms_are_read() {
        let read = |text: &str| read_timestamp(text).map(|micros| Timestamp(micros).to_string());
        let same = |text: &str| assert_eq!(read(text).as_deref(), Ok(text));
        same("2024-02-29 12:34:56.789");
        same("infinity");
        same("-infinity");
        same("0044-03-15 12:00:00 BC");
        same("12024-03-15 00:00:00");
        let to = |text, printed: &str| assert_eq!(read(text).as_deref(), Ok(printed), "{text}");
        to("2024-02-29", "2024-02-29 00:00:00");
        to(" 2024-02-29T12:34Z ", "2024-02-29 12:34:00");
        to("2024-01-01 00:30:00+01:00", "2023-12-31 23:30:00");
        to("2024-01-01 00:30:00 -0730", "2024-01-01 08:00:00");
        to("2024-01-01 24:00", "2024-01-02 00:00:00");
        to("2024-01-01 00:00:00.1234567", "2024-01-01 00:00:00.123457");
        to("0044-03-15 BC", "0044-03-15 00:00:00 BC");
        to("epoch", "1970-01-01 00:00:00");
        assert_eq!(
            read_date("2024-03-01 23:59+05").map(|days| Date(days as i32).to_string()).as_deref(),
            Ok("2024-03-01")
        );
    }

    #[test]
    fn other_forms_are_refused_by_kind() {
        for text in [
            "",
            "x",
            "2024",
            "2024-01",
            "2024-01-01x",
            "2024-01-01 1",
            "2024-01-01 10:5",
            "now",
            "-4713-01-01",
            "2024-01-01 10:00:00.",
        ] {
            assert_eq!(read_timestamp(text), Err(Fault::InvalidDatetime), "{text}");
        }
        for text in [
            "2023-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-01-32",
            "2024-01-01 25:00",
            "2024-01-01 10:60",
            "300000-01-01",
            "4714-01-01 BC",
            "0000-01-01",
            "0000-01-01 BC",
        ] {
            assert_eq!(read_timestamp(text), Err(Fault::DatetimeRange), "{text}");
        }
        assert_eq!(read_date("infinity"), Ok(DAYS_INFINITY));
        assert_eq!(read_timestamp("294276-01-01"), Err(Fault::DatetimeRange));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn what_is_printed_reads_back(micros in DAYS_MIN * MICROS_PER_DAY..i64::MAX, days in DAYS_MIN..DAYS_MAX) {
            prop_assert_eq!(read_timestamp(&Timestamp(micros).to_string()), Ok(micros));
            prop_assert_eq!(read_date(&Date(days as i32).to_string()), Ok(days));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[-+0-9TZ:. a-z\u{e9}]{0,30}") {
            if let Ok(micros) = read_timestamp(&text) {
                prop_assert_eq!(read_timestamp(&Timestamp(micros).to_string()), Ok(micros));
            }
        }
    }
}
