//! Which instant is a local time of a time zone, and the other way round?
//!
//! Zones are named as in the IANA database, which is compiled in (so that an answer does not depend on the machine), by the
//! common abbreviations, or by an offset. In a name such as `UTC+3` the sign is POSIX's, as in PostgreSQL: three hours
//! west. A local time that a zone skips is read with the offset before the gap; one that it has twice is the first.
//!
//! Not here: which zone a session has (`settings` of the runtime, `bind::zone` of the grammar).

use super::{
    Fault,
    datetime::{self, is_finite},
    datetime_words::{self, Read},
    lift::functions,
};
use crate::{
    array::{ELEMENTS_MAX, Writer},
    interval::Interval,
    pause,
    time::{MICROS_PER_DAY, civil_from_days},
    ty::TypeClass,
};
use jiff::{Timestamp, civil, tz};

/// Abbreviations and their minutes east of UTC.
const ABBREVIATIONS: &[(&str, i64)] = &[
    ("utc", 0),
    ("gmt", 0),
    ("z", 0),
    ("zulu", 0),
    ("ut", 0),
    ("wet", 0),
    ("west", 60),
    ("bst", 60),
    ("cet", 60),
    ("cest", 120),
    ("met", 60),
    ("eet", 120),
    ("eest", 180),
    ("msk", 180),
    ("ist", 330),
    ("jst", 540),
    ("kst", 540),
    ("aest", 600),
    ("aedt", 660),
    ("nzst", 720),
    ("nzdt", 780),
    ("ast", -240),
    ("adt", -180),
    ("est", -300),
    ("edt", -240),
    ("cst", -360),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
    ("akst", -540),
    ("akdt", -480),
    ("hst", -600),
];

/// A zone.
#[derive(Clone, Debug)]
enum Zone {
    /// Always so many microseconds east of UTC.
    Fixed(i64),
    /// Of the database.
    Named(tz::TimeZone),
}

/// `[+-]H[H][:MM]` or `[+-]HHMM` as microseconds.
fn offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => (1, text),
    };
    let number = |digits: &str| -> Option<i64> {
        let fits = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if fits { digits.parse().ok() } else { None }
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some((hours, minutes)) => (number(hours)?, number(minutes)?),
        None if rest.len() == 4 && rest.is_ascii() => (number(&rest[..2])?, number(&rest[2..])?),
        None => (number(rest)?, 0),
    };
    (hours <= 15 && minutes <= 59).then_some(sign * (hours * 60 + minutes) * 60_000_000)
}

fn zone_of(name: &str) -> Option<Zone> {
    let name = name.trim_ascii();
    if let Some((_, minutes)) = ABBREVIATIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Some(Zone::Fixed(minutes * 60_000_000));
    }
    let letters = name.bytes().take_while(u8::is_ascii_alphabetic).count();
    // A bare offset counts eastwards in SQL's `+02`, westwards behind a name.
    if letters == 0 {
        return offset(name).map(|east| Zone::Fixed(-east));
    }
    if let Ok(zone) = database().get(name) {
        return Some(Zone::Named(zone));
    }
    let (word, rest) = name.split_at(letters);
    let is_known = ABBREVIATIONS.iter().any(|(known, minutes)| *minutes == 0 && known.eq_ignore_ascii_case(word));
    if is_known || letters >= 3 { offset(rest).map(|west| Zone::Fixed(-west)) } else { None }
}

fn database() -> &'static tz::TimeZoneDatabase {
    static BUNDLED: std::sync::LazyLock<tz::TimeZoneDatabase> = std::sync::LazyLock::new(tz::TimeZoneDatabase::bundled);
    &BUNDLED
}

impl Zone {
    /// Microseconds east of UTC at an instant. Beyond the years of the database the offset is that of its last.
    fn at(&self, micros: i64) -> i64 {
        match self {
            Zone::Fixed(east) => *east,
            Zone::Named(zone) => {
                let at = micros.clamp(Timestamp::MIN.as_microsecond(), Timestamp::MAX.as_microsecond());
                let at = Timestamp::from_microsecond(at).expect("the instant was clamped");
                i64::from(zone.to_offset(at).seconds()) * 1_000_000
            }
        }
    }

    /// The instant of a local time.
    fn instant(&self, local: i64) -> Option<i64> {
        let east = match self {
            Zone::Fixed(east) => *east,
            Zone::Named(zone) => {
                let (year, month, day) = civil_from_days(local.div_euclid(MICROS_PER_DAY));
                let seconds = local.rem_euclid(MICROS_PER_DAY) / 1_000_000;
                let civil = civil::DateTime::new(
                    i16::try_from(year.clamp(-9_000, 9_990)).expect("the year was clamped"),
                    month as i8,
                    (day as i8).min(28),
                    (seconds / 3600) as i8,
                    (seconds / 60 % 60) as i8,
                    (seconds % 60) as i8,
                    0,
                );
                let exact = civil::DateTime::new(
                    i16::try_from(year.clamp(-9_000, 9_990)).expect("the year was clamped"),
                    month as i8,
                    day as i8,
                    (seconds / 3600) as i8,
                    (seconds / 60 % 60) as i8,
                    (seconds % 60) as i8,
                    0,
                );
                let civil = exact.or(civil).ok()?;
                let offset = match zone.to_ambiguous_timestamp(civil).offset() {
                    tz::AmbiguousOffset::Unambiguous { offset } => offset,
                    tz::AmbiguousOffset::Gap { before, .. } => before,
                    // PostgreSQL takes standard time, which is the later of the two.
                    tz::AmbiguousOffset::Fold { after, .. } => after,
                };
                i64::from(offset.seconds()) * 1_000_000
            }
        };
        local.checked_sub(east)
    }
}

fn checked(micros: Option<i64>) -> (i64, Fault) {
    match micros {
        Some(micros) if is_finite(micros) => (micros, Fault::Ok),
        Some(_) | None => (0, Fault::DatetimeRange),
    }
}

/// The instant of a zone's local time; an infinity stays.
pub fn local_to_instant(zone: &str, local: i64) -> (i64, Fault) {
    match zone_of(zone) {
        None => (0, Fault::InvalidArgument),
        Some(_) if !is_finite(local) => (local, Fault::Ok),
        Some(zone) => checked(zone.instant(local)),
    }
}

/// A zone's local time at an instant; an infinity stays.
pub fn instant_to_local(zone: &str, micros: i64) -> (i64, Fault) {
    match zone_of(zone) {
        None => (0, Fault::InvalidArgument),
        Some(_) if !is_finite(micros) => (micros, Fault::Ok),
        Some(zone) => checked(micros.checked_add(zone.at(micros))),
    }
}

fn east(offset: i128) -> Option<i64> {
    let offset = Interval::from_lane(offset);
    (offset.months() == 0 && offset.days() == 0).then_some(offset.micros())
}

/// The instant of a local time so far east of UTC.
pub fn local_to_instant_by(offset: i128, local: i64) -> (i64, Fault) {
    match east(offset) {
        None => (0, Fault::InvalidArgument),
        Some(_) if !is_finite(local) => (local, Fault::Ok),
        Some(east) => checked(local.checked_sub(east)),
    }
}

/// The local time so far east of UTC at an instant.
pub fn instant_to_local_by(offset: i128, micros: i64) -> (i64, Fault) {
    match east(offset) {
        None => (0, Fault::InvalidArgument),
        Some(_) if !is_finite(micros) => (micros, Fault::Ok),
        Some(east) => checked(micros.checked_add(east)),
    }
}

/// An instant from a text that may end with the name of a zone.
pub(crate) fn read_timestamptz(text: &str) -> Result<i64, Fault> {
    let text = text.trim_ascii();
    if let Some((head, name)) = text.rsplit_once(|c: char| c.is_ascii_whitespace())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && head.contains('-')
        && !["bc", "ad", "am", "pm", "z"].iter().any(|word| name.eq_ignore_ascii_case(word))
        && let Some(zone) = zone_of(name)
    {
        let local = datetime::read_timestamp(head)?;
        return if is_finite(local) { zone.instant(local).ok_or(Fault::DatetimeRange) } else { Ok(local) };
    }
    // Forms in which the zone stands elsewhere.
    if datetime::is_iso(text) {
        return datetime::read_timestamp(text);
    }
    match datetime_words::read(text) {
        Ok(Read { parts, zone: Some(name) }) => {
            // Behind a time an offset counts eastwards.
            let zone = match offset(name).filter(|_| name.starts_with(['+', '-'])) {
                Some(east) => Zone::Fixed(east),
                None => zone_of(name).ok_or(Fault::InvalidDatetime)?,
            };
            zone.instant(datetime::instant_of(parts)?).ok_or(Fault::DatetimeRange)
        }
        Ok(_) | Err(_) => datetime::read_timestamp(text),
    }
}

/// An instant from a text, which is a zone's local time if it names none itself.
pub fn instant_in_zone(zone: &str, text: &str) -> (i64, Fault) {
    let Some(zone) = zone_of(zone) else { return (0, Fault::InvalidArgument) };
    let (with_zone, local) = match (read_timestamptz(text), datetime::read_local(text)) {
        (Ok(instant), Ok(Some(local))) => (instant, local),
        (Ok(instant), _) => return (instant, Fault::Ok),
        (Err(fault), _) => return (0, fault),
    };
    if is_finite(with_zone) { checked(zone.instant(local)) } else { (with_zone, Fault::Ok) }
}

/// An instant as a zone's local time with its distance from UTC.
pub fn text_in_zone(zone: &str, micros: i64, out: &mut String) -> Fault {
    match shown(zone, micros) {
        Some(text) => {
            out.push_str(&text);
            Fault::Ok
        }
        None => Fault::InvalidArgument,
    }
}

/// An instant as a zone's local time with its distance from UTC: `2024-07-01 14:00:00+02`. Nothing where the name is no zone.
pub fn shown(zone: &str, micros: i64) -> Option<String> {
    let zone = zone_of(zone)?;
    if !is_finite(micros) {
        return Some(crate::time::TimestampTz(micros).to_string());
    }
    let east = zone.at(micros);
    let local = crate::time::Timestamp(micros.saturating_add(east)).to_string();
    let (sign, seconds) = (if east < 0 { '-' } else { '+' }, east.abs() / 1_000_000);
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let offset = match (minutes, rest) {
        (0, 0) => format!("{sign}{hours:02}"),
        (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{rest:02}"),
    };
    // The era stands last.
    Some(match local.strip_suffix(" BC") {
        Some(year) => format!("{year}{offset} BC"),
        None => format!("{local}{offset}"),
    })
}

/// The letters of a zone at an instant, such as `CEST`, and how many seconds it is east of UTC then. An offset has no letters.
pub(super) fn named_at(zone: &str, micros: i64) -> Option<(String, i64)> {
    let of = zone_of(zone)?;
    let letters = match &of {
        Zone::Fixed(_) => {
            let is_name = ABBREVIATIONS.iter().any(|(known, _)| known.eq_ignore_ascii_case(zone.trim_ascii()));
            if is_name { zone.trim_ascii().to_ascii_uppercase() } else { String::new() }
        }
        Zone::Named(zone) => {
            let at = micros.clamp(Timestamp::MIN.as_microsecond(), Timestamp::MAX.as_microsecond());
            let at = Timestamp::from_microsecond(at).expect("the instant was clamped");
            zone.to_offset_info(at).abbreviation().to_owned()
        }
    };
    Some((letters, of.at(micros) / 1_000_000))
}

/// The instant of a local time in a zone whose offset, if it is one, counts to the east: `+2` is before UTC.
pub fn made_instant(zone: &str, local: i64) -> (i64, Fault) {
    match zone.as_bytes().first() {
        Some(b'+') => local_to_instant(&format!("-{}", &zone[1..]), local),
        Some(b'-') => local_to_instant(&format!("+{}", &zone[1..]), local),
        Some(byte) if byte.is_ascii_digit() => (0, Fault::InvalidArgument),
        Some(_) | None => local_to_instant(zone, local),
    }
}

/// The instant that much later, months and days counted on the clocks of a zone, then the time.
pub fn plus_in_zone(zone: &str, micros: i64, by: i128) -> (i64, Fault) {
    let interval = Interval::from_lane(by);
    let (Some(zone), Some(days)) = (zone_of(zone), Interval::new(interval.months(), interval.days(), 0)) else {
        return (0, Fault::InvalidArgument);
    };
    if !is_finite(micros) {
        return (micros, Fault::Ok);
    }
    let moved = if interval.months() == 0 && interval.days() == 0 {
        Some(micros)
    } else {
        let local = micros.checked_add(zone.at(micros));
        local.map(|local| super::interval::timestamp_plus(local, days.lane())).and_then(|(local, fault)| match fault {
            Fault::Ok => zone.instant(local),
            _ => None,
        })
    };
    checked(moved.and_then(|moved| moved.checked_add(interval.micros())))
}

/// The instants from one to another, each a step after the one before: so months from the 31st on stay on the day that the
/// shortest of them has.
fn instants(
    class: TypeClass,
    bounds: (i64, i64),
    step: i128,
    plus: impl Fn(i64) -> (i64, Fault),
    out: &mut Vec<u8>,
) -> Fault {
    let (mut next, to) = bounds;
    let span = Interval::from_lane(step).span();
    if span == 0 {
        return Fault::InvalidArgument;
    }
    if !is_finite(next) || !is_finite(to) {
        return Fault::DatetimeRange;
    }
    let mut writer = Writer::new(class.plain_type());
    while span > 0 && next <= to || span < 0 && next >= to {
        writer.push_raw(&next.to_le_bytes());
        if writer.len() >= ELEMENTS_MAX {
            return Fault::TooLarge;
        }
        if writer.len().is_multiple_of(ASKED_INSTANTS) && pause::stops(writer.len() * 9) {
            return Fault::Stopped;
        }
        let (later, fault) = plus(next);
        // Months that cancel days may lead nowhere.
        if fault != Fault::Ok || (later > next) != (span > 0) {
            return if fault == Fault::Ok { Fault::DatetimeRange } else { fault };
        }
        next = later;
    }
    out.extend_from_slice(&writer.finish_flat());
    Fault::Ok
}

/// So many instants are made before it is asked whether to go on.
const ASKED_INSTANTS: usize = 1 << 14;

/// The instants from one to another, a step apart on the clocks of a zone.
pub fn instants_in_zone(zone: &str, from: i64, to: i64, step: i128, out: &mut Vec<u8>) -> Fault {
    instants(TypeClass::TimestampTz, (from, to), step, |next| plus_in_zone(zone, next, step), out)
}

/// The instants from one to another, a step apart.
pub fn instants_apart(from: i64, to: i64, step: i128, out: &mut Vec<u8>) -> Fault {
    instants(TypeClass::Timestamp, (from, to), step, |next| super::interval::timestamp_plus(next, step), out)
}

/// Is it the name of a zone, or an offset?
pub fn is_zone(name: &str) -> bool {
    zone_of(name).is_some()
}

/// Is the instant neither of the infinities?
pub fn instant_is_finite(micros: i64) -> bool {
    is_finite(micros)
}

functions! { "func::zone";
    "isfinite" (Timestamp) -> Boolean, Total, instant_is_finite, "Is it neither of the infinities?";
    "isfinite" (TimestampTz) -> Boolean, Total, instant_is_finite, "Is it neither of the infinities?";
    "$instant_in_zone" (Text, Text) -> TimestampTz, Fallible, instant_in_zone, "An instant from a text, local time of a zone if it names none.";
    "$text_in_zone" (Text, TimestampTz) -> Text, Fallible, text_in_zone, "An instant as a zone's local time with its distance from UTC.";
    "$made_instant" (Text, Timestamp) -> TimestampTz, Fallible, made_instant, "The instant of a local time in a zone whose offset counts to the east.";
    "$plus_in_zone" (Text, TimestampTz, Interval) -> TimestampTz, Fallible, plus_in_zone, "The instant that much later on a zone's clocks.";
    "$instants" (Text, TimestampTz, TimestampTz, Interval) -> Array, Fallible, instants_in_zone, "The instants from one to another, a step apart on a zone's clocks.";
    "$instants" (Timestamp, Timestamp, Interval) -> Array, Fallible, instants_apart, "The instants from one to another, a step apart.";
    "timezone" (Text, Timestamp) -> TimestampTz, Fallible, local_to_instant, "The instant of a zone's local time: AT TIME ZONE.";
    "timezone" (Text, TimestampTz) -> Timestamp, Fallible, instant_to_local, "A zone's local time at an instant: AT TIME ZONE.";
    "timezone" (Interval, Timestamp) -> TimestampTz, Fallible, local_to_instant_by, "The instant of a local time so far east of UTC: AT TIME ZONE.";
    "timezone" (Interval, TimestampTz) -> Timestamp, Fallible, instant_to_local_by, "The local time so far east of UTC at an instant: AT TIME ZONE.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp as Instant;

    fn at(text: &str) -> i64 {
        datetime::read_timestamp(text).expect("an instant")
    }

    #[test]
    fn zones_shift_local_times() {
        let utc = |zone: &str, local: &str| Instant(local_to_instant(zone, at(local)).0).to_string();
        let local = |zone: &str, utc: &str| Instant(instant_to_local(zone, at(utc)).0).to_string();
        assert_eq!(utc("America/New_York", "2024-07-01 12:00"), "2024-07-01 16:00:00");
        assert_eq!(utc("America/New_York", "2024-01-01 12:00"), "2024-01-01 17:00:00");
        assert_eq!(local("europe/berlin", "2024-07-01 12:00"), "2024-07-01 14:00:00");
        assert_eq!(local("PST", "2024-07-01 12:00"), "2024-07-01 04:00:00");
        assert_eq!(local("UTC+3", "2024-07-01 12:00"), "2024-07-01 09:00:00");
        assert_eq!(local("-05", "2024-07-01 12:00"), "2024-07-01 17:00:00");
        assert_eq!(local_to_instant("Mars/Base", 0).1, Fault::InvalidArgument);
        assert_eq!(instant_to_local("UTC", i64::MAX), (i64::MAX, Fault::Ok));
        assert_eq!(utc("Europe/Berlin", "200000-07-01 12:00"), "200000-07-01 10:00:00");
    }

    #[test]
    fn gaps_and_folds_are_postgresqls() {
        let utc = |local: &str| Instant(local_to_instant("America/New_York", at(local)).0).to_string();
        assert_eq!(utc("2024-03-10 02:30"), "2024-03-10 07:30:00");
        assert_eq!(utc("2024-11-03 01:30"), "2024-11-03 06:30:00");
    }

    #[test]
    fn instants_are_read_with_their_zones() {
        let read = |text: &str| read_timestamptz(text).map(|micros| Instant(micros).to_string());
        assert_eq!(read("2024-07-01 12:00+02").as_deref(), Ok("2024-07-01 10:00:00"));
        assert_eq!(read("2024-07-01 12:00 Europe/Berlin").as_deref(), Ok("2024-07-01 10:00:00"));
        assert_eq!(read("2024-07-01 12:00 EST").as_deref(), Ok("2024-07-01 17:00:00"));
        assert_eq!(read("2024-07-01 12:00").as_deref(), Ok("2024-07-01 12:00:00"));
        assert_eq!(read("2024-07-01 12:00 Nowhere"), Err(Fault::InvalidDatetime));
    }
}
