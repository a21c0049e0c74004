//! What are dates and times within a path?
//!
//! `.datetime()` reads a string in the forms of ISO 8601, or by a template; `.date()`, `.time()`, `.time_tz()`, `.timestamp()` and
//! `.timestamp_tz()` read one and make it theirs. Such an item is compared as what it is. A time with a zone keeps the zone's
//! distance that was written, which the answer shows.
//!
//! Within a path the item is a leaf that begins with a sign no JSON begins with; outside of it is a string ([`settle`]).
//! Holds: what has a zone and what has none meet only where a zone is known; elsewhere that is a fault of the path.

use super::{
    Fault,
    look::{Stop, leaf},
};
use crate::{
    func::{
        datetime::{is_finite, midnight, read_date, read_time_field},
        json_tree::{Tree, push_quoted},
        templates, zone,
    },
    time::{Date, MICROS_PER_DAY, Time, Timestamp},
};
use std::cmp::Ordering;

/// What a date or time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::func) enum Kind {
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
}

impl Kind {
    /// As `type()` calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Date => "date",
            Kind::Time => "time without time zone",
            Kind::TimeTz => "time with time zone",
            Kind::Timestamp => "timestamp without time zone",
            Kind::TimestampTz => "timestamp with time zone",
        }
    }
}

/// A date or time: days, or microseconds of the day or since 1970 on the clock where it was written, and how many seconds that
/// clock is east of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::func) struct Moment {
    pub(in crate::func) kind: Kind,
    pub(in crate::func) local: i64,
    pub(in crate::func) east: i64,
}

/// No JSON begins with it.
const MARK: char = '@';

const fn unread<T>() -> Result<T, Stop> {
    Err(Stop::Soft(Fault::PathDatetime))
}

fn known(zone: Option<&str>) -> Result<&str, Stop> {
    zone.ok_or(Stop::Hard(Fault::PathZone))
}

/// The string that a date or time is outside of the path.
pub(super) fn settle(item: &mut Tree<'_>) {
    if let Some(moment) = Moment::of(item) {
        let mut out = String::new();
        push_quoted(&moment.text(), &mut out);
        *item = leaf(out);
    }
}

impl Moment {
    /// The one that an item is.
    pub(super) fn of(item: &Tree<'_>) -> Option<Moment> {
        let Tree::Leaf(text) = item else { return None };
        let mut parts = text.strip_prefix(MARK)?.split(' ');
        let kind = match parts.next()? {
            "date" => Kind::Date,
            "time" => Kind::Time,
            "time_tz" => Kind::TimeTz,
            "timestamp" => Kind::Timestamp,
            _ => Kind::TimestampTz,
        };
        let mut number = || parts.next()?.parse().ok();
        Some(Moment { kind, local: number()?, east: number()? })
    }

    pub(super) fn item<'t>(self) -> Tree<'t> {
        let kind = match self.kind {
            Kind::Date => "date",
            Kind::Time => "time",
            Kind::TimeTz => "time_tz",
            Kind::Timestamp => "timestamp",
            Kind::TimestampTz => "timestamp_tz",
        };
        leaf(format!("{MARK}{kind} {} {}", self.local, self.east))
    }

    pub(super) fn kind(self) -> Kind {
        self.kind
    }

    /// As ISO 8601 writes it.
    pub(super) fn text(self) -> String {
        let with_zone = |text: String| {
            let (minutes, seconds) = (self.east.abs() / 60, self.east.abs() % 60);
            let sign = if self.east < 0 { '-' } else { '+' };
            let more = if seconds > 0 { format!(":{seconds:02}") } else { String::new() };
            let zone = format!("{sign}{:02}:{:02}{more}", minutes / 60, minutes % 60);
            match text.strip_suffix(" BC") {
                Some(before) => format!("{before}{zone} BC"),
                None => text + &zone,
            }
        };
        let instant = || Timestamp(self.local).to_string().replacen(' ', "T", 1);
        match self.kind {
            Kind::Date => Date(i32::try_from(self.local).expect("days of a date have 32 bits")).to_string(),
            Kind::Time => Time(self.local).to_string(),
            Kind::TimeTz => with_zone(Time(self.local).to_string()),
            Kind::Timestamp => instant(),
            Kind::TimestampTz => with_zone(instant()),
        }
    }

    /// The one that a string says, as ISO 8601 has it or by a template.
    pub(super) fn read(item: &Tree<'_>, template: Option<&str>) -> Result<Moment, Stop> {
        if let (Some(moment), None) = (Moment::of(item), template) {
            return Ok(moment);
        }
        let Some(text) = item.as_string() else { return unread() };
        match template {
            Some(template) => templates::moment(&text, template).map_err(Stop::Soft),
            None => iso(&text).map_or_else(unread, Ok),
        }
    }

    fn micros_east(self) -> i64 {
        self.east * 1_000_000
    }

    /// The instant in UTC, or the time of day there.
    fn utc(self) -> i64 {
        self.local - self.micros_east()
    }

    /// As another kind, by PostgreSQL's casts.
    pub(super) fn to(self, kind: Kind, zone: Option<&str>) -> Result<Moment, Stop> {
        let plain = |kind: Kind, local: i64| Ok(Moment { kind, local, east: 0 });
        let in_zone = |instant: i64| -> Result<i64, Stop> {
            match zone::instant_to_local(known(zone)?, instant) {
                (local, Fault::Ok) => Ok(local),
                _ => unread(),
            }
        };
        let day = |local: i64| local.div_euclid(MICROS_PER_DAY);
        let of_day = |local: i64| local.rem_euclid(MICROS_PER_DAY);
        match (self.kind, kind) {
            (from, to) if from == to => Ok(self),
            (Kind::Date, Kind::Timestamp) => match midnight(self.local) {
                Some(local) => plain(Kind::Timestamp, local),
                None => unread(),
            },
            (Kind::Date, Kind::TimestampTz) => self.to(Kind::Timestamp, zone)?.to(kind, zone),
            (Kind::Timestamp, Kind::Date) => plain(Kind::Date, day(self.local)),
            (Kind::Timestamp, Kind::Time) => plain(Kind::Time, of_day(self.local)),
            (Kind::Timestamp, Kind::TimestampTz) => match zone::local_to_instant(known(zone)?, self.local) {
                (instant, Fault::Ok) => Ok(Moment { kind, ..self.zoned(instant) }),
                _ => unread(),
            },
            (Kind::TimestampTz, Kind::Date) => plain(Kind::Date, day(in_zone(self.utc())?)),
            (Kind::TimestampTz, Kind::Time) => plain(Kind::Time, of_day(in_zone(self.utc())?)),
            (Kind::TimestampTz, Kind::Timestamp) => plain(Kind::Timestamp, in_zone(self.utc())?),
            (Kind::TimestampTz, Kind::TimeTz) => Ok(Moment { kind, local: of_day(self.local), east: self.east }),
            (Kind::Time, Kind::TimeTz) => match zone::local_to_instant(known(zone)?, self.local) {
                (instant, Fault::Ok) => Ok(Moment { kind, ..self.zoned(instant) }),
                _ => unread(),
            },
            (Kind::TimeTz, Kind::Time) => {
                known(zone)?;
                plain(Kind::Time, self.local)
            }
            (_, _) => unread(),
        }
    }

    /// The same clock, which shows this at an instant.
    fn zoned(self, instant: i64) -> Moment {
        Moment { east: (self.local - instant) / 1_000_000, ..self }
    }

    /// With so many digits of a second.
    pub(super) fn rounded(self, digits: u32) -> Moment {
        let unit = 10i64.pow(6 - digits);
        match self.kind {
            Kind::Date => self,
            Kind::Timestamp | Kind::TimestampTz if !is_finite(self.local) => self,
            Kind::Time | Kind::TimeTz | Kind::Timestamp | Kind::TimestampTz => {
                Moment { local: (self.local + unit / 2).div_euclid(unit) * unit, ..self }
            }
        }
    }

    /// Their order; `None` where a time of day meets a date.
    pub(super) fn compare(self, other: Moment, zone: Option<&str>) -> Result<Option<Ordering>, Stop> {
        let rank = |kind: Kind| match kind {
            Kind::Date => (0, 0),
            Kind::Timestamp => (0, 1),
            Kind::TimestampTz => (0, 2),
            Kind::Time => (1, 0),
            Kind::TimeTz => (1, 1),
        };
        let ((one, a), (two, b)) = (rank(self.kind), rank(other.kind));
        if one != two {
            return Ok(None);
        }
        let kind = if a > b { self.kind } else { other.kind };
        let (one, two) = (self.to(kind, zone)?, other.to(kind, zone)?);
        // Of times at one instant the one further west is the later.
        let west = if kind == Kind::TimeTz { two.east.cmp(&one.east) } else { Ordering::Equal };
        Ok(Some(one.utc().cmp(&two.utc()).then(west)))
    }
}

/// A date, a time, or both behind each other, the time with or without its distance from UTC.
fn iso(text: &str) -> Option<Moment> {
    let date_len = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'-').count();
    let (date, rest) = text.split_at(date_len);
    let (days, time) = match (date.bytes().filter(|byte| *byte == b'-').count(), rest) {
        (2, "") => return Some(Moment { kind: Kind::Date, local: read_date(date).ok()?, east: 0 }),
        (2, rest) => (Some(read_date(date).ok()?), rest.strip_prefix([' ', 'T'])?),
        (_, _) => (None, text),
    };
    let clock_len = time.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.')).count();
    let (clock, zone) = time.split_at(clock_len);
    if clock.bytes().filter(|byte| *byte == b':').count() != 2 {
        return None;
    }
    let of_day = read_time_field(clock).ok()?;
    let east = match zone.trim_start() {
        "" if zone.is_empty() => None,
        zone => Some(offset(zone)?),
    };
    let local = match days {
        Some(days) => midnight(days)?.checked_add(of_day)?,
        None => of_day,
    };
    let kind = match (days, east) {
        (None, None) => Kind::Time,
        (None, Some(_)) => Kind::TimeTz,
        (Some(_), None) => Kind::Timestamp,
        (Some(_), Some(_)) => Kind::TimestampTz,
    };
    Some(Moment { kind, local, east: east.unwrap_or(0) })
}

/// `+05`, `+5:30`, `-05:30:10`, `Z`: seconds east of UTC.
fn offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let mut seconds = 0;
    for (at, part) in text[1..].split(':').enumerate() {
        let max = [15, 59, 59].get(at)?;
        let is_number = (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        let value: i64 = part.parse().ok().filter(|value| is_number && value <= max)?;
        seconds += value * [3600, 60, 1][at];
    }
    Some(sign * seconds)
}
