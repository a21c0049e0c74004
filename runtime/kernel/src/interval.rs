//! What is an interval: how does it lie in a lane, how is it read and printed?
//!
//! Months, days and microseconds, because a month is no number of days and a day no number of hours. Two of them compare
//! by their *span*, in which a month is 30 days and a day 24 hours; so `1 mon` equals `30 days`, as in PostgreSQL.
//!
//! The lane's number holds the span in its high 70 bits, then the months in 28 and the days in 30, each counted from the
//! least. So numbers are ordered as spans are, which is what zone maps and sorting ask, and the three parts come back.
//!
//! Holds: months lie within ±134,217,727 (11 million years), days within ±536,870,911. PostgreSQL's limits are wider, but
//! no two of its dates are that far apart.
//! Not here: arithmetic with dates (`func::interval`).

use crate::{
    func::Fault,
    time::{MICROS_PER_DAY, write_clock},
};
use std::fmt;

/// A stretch of time as a calendar counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Interval {
    months: i32,
    days: i32,
    micros: i64,
}

const MONTH_BITS: u32 = 28;
const DAY_BITS: u32 = 30;
const MONTHS_MAX: i64 = (1 << (MONTH_BITS - 1)) - 1;
const DAYS_MAX: i64 = (1 << (DAY_BITS - 1)) - 1;
const MICROS_PER_MONTH: i128 = 30 * MICROS_PER_DAY as i128;

/// The span of a lane's number: what comparisons compare.
#[inline]
pub const fn span(lane: i128) -> i128 {
    lane >> (MONTH_BITS + DAY_BITS)
}

impl Interval {
    /// An interval of three parts, each of which may be negative; `None` when one is past its limit.
    pub const fn new(months: i64, days: i64, micros: i64) -> Option<Interval> {
        if months > MONTHS_MAX || months < -MONTHS_MAX || days > DAYS_MAX || days < -DAYS_MAX {
            return None;
        }
        Some(Interval { months: months as i32, days: days as i32, micros })
    }

    /// Whole months; twelve are a year.
    pub const fn months(self) -> i64 {
        self.months as i64
    }

    /// Days beyond the months.
    pub const fn days(self) -> i64 {
        self.days as i64
    }

    /// Microseconds beyond the days; they may be more than a day's.
    pub const fn micros(self) -> i64 {
        self.micros
    }

    /// Its length in microseconds, with 30 days a month.
    pub const fn span(self) -> i128 {
        self.months as i128 * MICROS_PER_MONTH + self.days as i128 * MICROS_PER_DAY as i128 + self.micros as i128
    }

    /// The lane's number.
    pub const fn lane(self) -> i128 {
        let months = (self.months as i64 + MONTHS_MAX + 1) as i128;
        let days = (self.days as i64 + DAYS_MAX + 1) as i128;
        self.span() << (MONTH_BITS + DAY_BITS) | months << DAY_BITS | days
    }

    /// The interval of a lane's number.
    pub const fn from_lane(lane: i128) -> Interval {
        let months = ((lane >> DAY_BITS) & ((1 << MONTH_BITS) - 1)) as i64 - MONTHS_MAX - 1;
        let days = (lane & ((1 << DAY_BITS) - 1)) as i64 - DAYS_MAX - 1;
        let micros = span(lane) - months as i128 * MICROS_PER_MONTH - days as i128 * MICROS_PER_DAY as i128;
        Interval { months: months as i32, days: days as i32, micros: micros as i64 }
    }

    /// As PostgreSQL reads it: amounts with units (`1 year 2 mons -3 days 04:05:06.7`, `ago` turns all), the SQL forms
    /// `1-2` and `3 4:05:06`, ISO 8601 (`P1Y2M3DT4H5M6S`), and a number alone, which counts seconds.
    ///
    /// # Errors
    /// The text is no interval, or one past the limits.
    pub fn parse(text: &str) -> Result<Interval, Fault> {
        let text = text.trim_ascii();
        let mut parts = Parts::default();
        match text.strip_prefix(['P', 'p']) {
            Some(rest) if !rest.is_empty() => iso(rest, &mut parts)?,
            _ => words(text, &mut parts)?,
        }
        parts.interval()
    }
}

/// Amounts under way to an interval.
#[derive(Default)]
struct Parts {
    months: i128,
    days: i128,
    micros: i128,
}

/// A unit of an amount: so many of the part that it belongs to.
#[derive(Clone, Copy)]
enum Unit {
    Months(i128),
    Days(i128),
    Micros(i128),
}

const UNITS: &[(&[&str], Unit)] = &[
    (&["microseconds", "microsecond", "us", "usec", "usecs", "usecond", "useconds"], Unit::Micros(1)),
    (&["milliseconds", "millisecond", "ms", "msec", "msecs", "msecond", "mseconds"], Unit::Micros(1_000)),
    (&["seconds", "second", "s", "sec", "secs"], Unit::Micros(1_000_000)),
    (&["minutes", "minute", "m", "min", "mins"], Unit::Micros(60_000_000)),
    (&["hours", "hour", "h", "hr", "hrs"], Unit::Micros(3_600_000_000)),
    (&["days", "day", "d"], Unit::Days(1)),
    (&["weeks", "week", "w"], Unit::Days(7)),
    (&["months", "month", "mon", "mons"], Unit::Months(1)),
    (&["years", "year", "y", "yr", "yrs"], Unit::Months(12)),
    (&["decades", "decade", "dec", "decs"], Unit::Months(120)),
    (&["centuries", "century", "c", "cent"], Unit::Months(1_200)),
    (&["millennia", "millennium", "millenniums", "mil", "mils"], Unit::Months(12_000)),
];

fn unit_of(word: &str) -> Option<Unit> {
    UNITS.iter().find(|(names, _)| names.iter().any(|name| name.eq_ignore_ascii_case(word))).map(|(_, unit)| *unit)
}

/// A number with a fraction, exact: `whole + fraction * 10^-15`, both of the number's sign.
#[derive(Clone, Copy)]
struct Amount {
    whole: i128,
    fraction: i128,
}

const FRACTION_ONE: i128 = 1_000_000_000_000_000;

/// A product with a fraction, rounded half away from zero.
fn share(fraction: i128, of: i128) -> i128 {
    let product = fraction * of;
    (product + product.signum() * (FRACTION_ONE / 2)) / FRACTION_ONE
}

impl Parts {
    fn add(&mut self, amount: Amount, unit: Unit) {
        match unit {
            Unit::Micros(size) => self.micros += amount.whole * size + share(amount.fraction, size),
            Unit::Days(size) => {
                self.days += amount.whole * size;
                let days = amount.fraction * size;
                self.days += days / FRACTION_ONE;
                self.micros += share(days % FRACTION_ONE, i128::from(MICROS_PER_DAY));
            }
            // A part of a year is whole months; a part of a month is days of thirty, and their rest hours.
            Unit::Months(1) => {
                self.months += amount.whole;
                let days = amount.fraction * 30;
                self.days += days / FRACTION_ONE;
                self.micros += share(days % FRACTION_ONE, i128::from(MICROS_PER_DAY));
            }
            Unit::Months(size) => self.months += amount.whole * size + share(amount.fraction, size),
        }
    }

    fn interval(&self) -> Result<Interval, Fault> {
        let narrow = |part: i128| i64::try_from(part).map_err(|_| Fault::DatetimeRange);
        Interval::new(narrow(self.months)?, narrow(self.days)?, narrow(self.micros)?).ok_or(Fault::DatetimeRange)
    }
}

/// Takes a number with an optional sign and fraction off a text.
fn number(text: &str) -> Result<Option<(Amount, bool, &str)>, Fault> {
    let (negative, signed, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, true, &text[1..]),
        Some(b'+') => (false, true, &text[1..]),
        _ => (false, false, text),
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let after = &rest[digits..];
    let digits_of = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let fraction_len = after.strip_prefix('.').map(digits_of);
    if digits == 0 && fraction_len.unwrap_or(0) == 0 {
        return if signed { Err(Fault::InvalidDatetime) } else { Ok(None) };
    }
    if digits > 18 {
        return Err(Fault::DatetimeRange);
    }
    let whole = rest[..digits].bytes().fold(0, |whole, digit| whole * 10 + i128::from(digit - b'0'));
    let (fraction, tail) = match fraction_len {
        None => (0, after),
        Some(len) => {
            let text = &after[1..=len];
            let fraction = text.bytes().take(15).fold(0, |all, digit| all * 10 + i128::from(digit - b'0'));
            (fraction * 10i128.pow(15 - text.len().min(15) as u32), &after[len + 1..])
        }
    };
    let sign = if negative { -1 } else { 1 };
    Ok(Some((Amount { whole: sign * whole, fraction: sign * fraction }, negative, tail)))
}

/// `P1Y2M3W4DT5H6M7.8S`, also `P0001-02-03T04:05:06`, `P00010203T040506` and beginnings of these.
fn iso(text: &str, parts: &mut Parts) -> Result<(), Fault> {
    let (date, time) = match text.split_once(['T', 't']) {
        Some((_, "")) => return Err(Fault::InvalidDatetime),
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let is_plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_plain(date) && date.starts_with(|c: char| c.is_ascii_digit()) {
        let whole = |field: &str| field.parse::<i64>().map(i128::from).map_err(|_| Fault::InvalidDatetime);
        let basic = [date.get(..4), date.get(4..6), date.get(6..)];
        let fields: Vec<&str> = match basic {
            [Some(year), Some(month), Some(day)] if date.len() == 8 && !date.contains('-') => vec![year, month, day],
            _ => date.split('-').collect(),
        };
        let sizes = [Unit::Months(12), Unit::Months(1), Unit::Days(1)];
        if fields.len() > sizes.len() {
            return Err(Fault::InvalidDatetime);
        }
        for (field, unit) in fields.into_iter().zip(sizes) {
            parts.add(Amount { whole: whole(field)?, fraction: 0 }, unit);
        }
    } else {
        designated(date, false, parts)?;
    }
    let Some(time) = time else { return Ok(()) };
    if time.contains(':') {
        let unsigned = time.strip_prefix(['+', '-']).unwrap_or(time);
        parts.micros += clock(unsigned, time.starts_with('-'))?;
        return Ok(());
    }
    if time.len() == 6 && time.bytes().all(|byte| byte.is_ascii_digit()) {
        parts.micros += clock(&format!("{}:{}:{}", &time[..2], &time[2..4], &time[4..]), false)?;
        return Ok(());
    }
    match number(time)? {
        Some((hours, _, "")) => {
            parts.add(hours, Unit::Micros(3_600_000_000));
            Ok(())
        }
        _ => designated(time, true, parts),
    }
}

/// Amounts that letters follow: of days, or of a time.
fn designated(text: &str, in_time: bool, parts: &mut Parts) -> Result<(), Fault> {
    let mut rest = text;
    while !rest.is_empty() {
        let Some((amount, _, after)) = number(rest)? else { return Err(Fault::InvalidDatetime) };
        let designator = after.bytes().next().ok_or(Fault::InvalidDatetime)?.to_ascii_uppercase();
        let unit = match (designator, in_time) {
            (b'Y', false) => Unit::Months(12),
            (b'M', false) => Unit::Months(1),
            (b'W', false) => Unit::Days(7),
            (b'D', false) => Unit::Days(1),
            (b'H', true) => Unit::Micros(3_600_000_000),
            (b'M', true) => Unit::Micros(60_000_000),
            (b'S', true) => Unit::Micros(1_000_000),
            _ => return Err(Fault::InvalidDatetime),
        };
        parts.add(amount, unit);
        rest = &after[1..];
    }
    Ok(())
}

/// `HH:MM[:SS[.f]]` as microseconds; `MM:SS.f` where there is a fraction after two fields.
fn clock(text: &str, negative: bool) -> Result<i128, Fault> {
    let mut fields = text.split(':');
    let whole = |field: Option<&str>| -> Result<i128, Fault> {
        let field = field.ok_or(Fault::InvalidDatetime)?;
        let is_number = !field.is_empty() && field.len() <= 12 && field.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { field.parse().map_err(|_| Fault::InvalidDatetime) } else { Err(Fault::InvalidDatetime) }
    };
    let first = whole(fields.next())?;
    let second = fields.next().ok_or(Fault::InvalidDatetime)?;
    let seconds_of = |text: &str| match number(text) {
        Ok(Some((amount, _, ""))) if !text.starts_with(['+', '-']) => Ok(amount),
        _ => Err(Fault::InvalidDatetime),
    };
    let (hours, minutes, seconds) = match fields.next() {
        Some(seconds) => (first, whole(Some(second))?, seconds_of(seconds)?),
        None if second.contains('.') => (0, first, seconds_of(second)?),
        None => (first, whole(Some(second))?, Amount { whole: 0, fraction: 0 }),
    };
    if fields.next().is_some() {
        return Err(Fault::InvalidDatetime);
    }
    if minutes > 59 || seconds.whole > 60 {
        return Err(Fault::DatetimeRange);
    }
    let micros = (hours * 3600 + minutes * 60 + seconds.whole) * 1_000_000 + share(seconds.fraction, 1_000_000);
    Ok(if negative { -micros } else { micros })
}

/// A text whose signs stand at their numbers: `1 month - 1 second` is `1 month -1 second`. None where they do.
fn joined_signs(text: &str) -> Option<String> {
    let is_apart = |pair: &[u8]| matches!(pair[0], b'+' | b'-') && pair[1].is_ascii_whitespace();
    if !text.as_bytes().windows(2).any(is_apart) {
        return None;
    }
    let mut joined = String::with_capacity(text.len());
    for part in text.split_inclusive(['+', '-']) {
        let after_sign = joined.ends_with(['+', '-']);
        joined.push_str(if after_sign { part.trim_ascii_start() } else { part });
    }
    Some(joined)
}

/// Amounts with units, one after another.
fn words(text: &str, parts: &mut Parts) -> Result<(), Fault> {
    let joined = joined_signs(text);
    let text = joined.as_deref().unwrap_or(text);
    let mut rest = text.strip_prefix('@').unwrap_or(text).trim_ascii_start();
    if rest.is_empty() {
        return Err(Fault::InvalidDatetime);
    }
    let (mut ago, mut pending): (bool, Option<Amount>) = (false, None);
    // In `1-2 3 4:05:06` a number before a clock counts days.
    while !rest.is_empty() {
        if ago {
            return Err(Fault::InvalidDatetime);
        }
        // `1 hour @ 2 minutes`: an `@` says nothing.
        if let Some(after) = rest.strip_prefix('@') {
            rest = after.trim_ascii_start();
            continue;
        }
        let token_len = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
        let token = &rest[..token_len];
        let unsigned = token.trim_start_matches(['+', '-']);
        if token.contains(':') {
            if let Some(days) = pending.take() {
                parts.add(days, Unit::Days(1));
            }
            if token.len() > unsigned.len() + 1 {
                return Err(Fault::InvalidDatetime);
            }
            parts.micros += clock(unsigned, token.starts_with('-'))?;
            rest = rest[token_len..].trim_ascii_start();
            continue;
        }
        if let Some((years, months)) = unsigned.split_once('-')
            && !years.is_empty()
            && [years, months].iter().all(|field| field.bytes().all(|byte| byte.is_ascii_digit()))
            && token.len() <= unsigned.len() + 1
        {
            if pending.is_some() {
                return Err(Fault::InvalidDatetime);
            }
            let of = |field: &str| field.parse::<i64>().map(i128::from).map_err(|_| Fault::InvalidDatetime);
            let (years, months) = (of(years)?, if months.is_empty() { 0 } else { of(months)? });
            if months > 11 {
                return Err(Fault::DatetimeRange);
            }
            let sign = if token.starts_with('-') { -1 } else { 1 };
            parts.months += sign * (years * 12 + months);
            rest = rest[token_len..].trim_ascii_start();
            // It says what it counts; a unit behind it says nothing.
            let word_len = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            if unit_of(&rest[..word_len]).is_some() {
                rest = rest[word_len..].trim_ascii_start();
            }
            continue;
        }
        if pending.is_none()
            && let Some((amount, _, after)) = number(rest)?
        {
            // `2024-1-2` is a date.
            if after.starts_with(['+', '-']) {
                return Err(Fault::InvalidDatetime);
            }
            pending = Some(amount);
            rest = after.trim_ascii_start();
            continue;
        }
        let word_len = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let word = &rest[..word_len];
        match (pending.take(), unit_of(word)) {
            (Some(amount), Some(unit)) => parts.add(amount, unit),
            (None, _) if word.eq_ignore_ascii_case("ago") => ago = true,
            _ => return Err(Fault::InvalidDatetime),
        }
        rest = rest[word_len..].trim_ascii_start();
    }
    if let Some(seconds) = pending {
        parts.add(seconds, Unit::Micros(1_000_000));
    }
    if ago {
        *parts = Parts { months: -parts.months, days: -parts.days, micros: -parts.micros };
    }
    Ok(())
}

/// As PostgreSQL prints it: `1 year 2 mons -3 days +04:05:06.7`.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut is_first = true;
        let mut after_negative = false;
        for (amount, unit) in [(self.months / 12, "year"), (self.months % 12, "mon"), (self.days, "day")] {
            if amount == 0 {
                continue;
            }
            let space = if is_first { "" } else { " " };
            let plus = if after_negative && amount > 0 { "+" } else { "" };
            let plural = if amount == 1 { "" } else { "s" };
            write!(f, "{space}{plus}{amount} {unit}{plural}")?;
            is_first = false;
            after_negative = amount < 0;
        }
        if self.micros == 0 && !is_first {
            return Ok(());
        }
        if !is_first {
            f.write_str(" ")?;
        }
        let sign = if self.micros < 0 {
            "-"
        } else if after_negative {
            "+"
        } else {
            ""
        };
        f.write_str(sign)?;
        if self.micros == i64::MIN {
            return f.write_str("2562047788:00:54.775808");
        }
        write_clock(f, self.micros.abs())
    }
}

/// The text is no interval.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no interval")]
pub struct InvalidInterval {
    /// The text.
    pub text: String,
}

/// As `CAST('1 day' AS INTERVAL)` does.
impl std::str::FromStr for Interval {
    type Err = InvalidInterval;

    fn from_str(text: &str) -> Result<Interval, InvalidInterval> {
        Interval::parse(text).map_err(|_| InvalidInterval { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(text: &str) -> Result<String, Fault> {
        Interval::parse(text).map(|interval| interval.to_string())
    }

    #[test]
    fn forms_are_postgresqls() {
        let expected = [
            ("1 year 2 months 3 days 4 hours 5 minutes 6.789 seconds", "1 year 2 mons 3 days 04:05:06.789"),
            ("@ 1 minute ago", "-00:01:00"),
            ("1.5 years", "1 year 6 mons"),
            ("1.5 months", "1 mon 15 days"),
            ("1.5 weeks", "10 days 12:00:00"),
            ("1-2", "1 year 2 mons"),
            ("1-2 3 4:05:06", "1 year 2 mons 3 days 04:05:06"),
            ("P1Y2M3DT4H5M6S", "1 year 2 mons 3 days 04:05:06"),
            ("P2W", "14 days"),
            ("P0001-02-03T04:05:06", "1 year 2 mons 3 days 04:05:06"),
            ("P1", "1 year"),
            ("- 1 day", "-1 days"),
            ("PT36H", "36:00:00"),
            ("-1 day +02:03", "-1 days +02:03:00"),
            ("1 mon -1 day", "1 mon -1 days"),
            ("90", "00:01:30"),
            ("1h30m", "01:30:00"),
            ("2 centuries", "200 years"),
            ("-1-2", "-1 years -2 mons"),
            ("0", "00:00:00"),
            ("1 day -00:00:01", "1 day -00:00:01"),
        ];
        for (text, to) in expected {
            assert_eq!(printed(text).as_deref(), Ok(to), "{text}");
        }
        for text in ["", "x", "1 fortnight", "day", "1 2 3", "P", "PT", "1:2:3:4", "1 day ago ago", "2024-1-2", "2 1-2"]
        {
            assert_eq!(printed(text), Err(Fault::InvalidDatetime), "{text}");
        }
        assert_eq!(printed("1 day 25:61"), Err(Fault::DatetimeRange));
        assert_eq!(printed("20000000 years"), Err(Fault::DatetimeRange));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn lanes_keep_the_parts_and_the_order(
            a in (-5i64..5, -70i64..70, any::<i32>()), b in (-5i64..5, -70i64..70, any::<i32>()),
        ) {
            let of = |(months, days, micros): (i64, i64, i32)| {
                Interval::new(months, days, i64::from(micros) * 1_000_000).expect("within the limits")
            };
            let (a, b) = (of(a), of(b));
            prop_assert_eq!(Interval::from_lane(a.lane()), a);
            prop_assert_eq!(span(a.lane()), a.span());
            if a.lane() < b.lane() {
                prop_assert!(a.span() <= b.span());
            }
            prop_assert_eq!(Interval::parse(&a.to_string()), Ok(a));
        }

        #[test]
        fn the_limits_come_back(months in -MONTHS_MAX..=MONTHS_MAX, days in -DAYS_MAX..=DAYS_MAX, micros: i64) {
            let interval = Interval::new(months, days, micros).expect("within the limits");
            prop_assert_eq!(Interval::from_lane(interval.lane()), interval);
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[-+0-9:. a-zPTYMWDHS\u{e9}]{0,24}") {
            if let Ok(interval) = Interval::parse(&text) {
                prop_assert_eq!(Interval::parse(&interval.to_string()), Ok(interval));
            }
        }
    }
}
