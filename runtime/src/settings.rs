//! Which settings has a session, and what are their values?
//!
//! A setting is one row of [`SETTINGS`]: its name, what it is for, how a value is read and shown. SET, RESET and SHOW know
//! nothing else. A setting holds until it is set again; a rollback does not take it back, and other sessions have their own.
//!
//! Clients of PostgreSQL begin with settings of how texts are read and shown. Of these only the values are taken that say what is done
//! here anyway ([`only`]), so that nothing is taken and then not done.
//!
//! Not here: what follows from a value (`session`, `ops::Budget`).

use crate::error::{Error, Result, code};
use spectradb_grammar::{
    ast::Name,
    diag::{code::FEATURE_NOT_SUPPORTED, nearest},
};
use spectradb_kernel::func::zone::is_zone;
use spectradb_store::{config::Durability, fs::memory_bytes};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// The values of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// A statement may run so long.
    pub(crate) statement_timeout: Option<Duration>,
    /// A statement's operators may hold so many bytes.
    pub(crate) memory_limit: Option<u64>,
    /// When a commit is acknowledged; `None` is as the database is opened.
    pub(crate) durability: Option<Durability>,
    /// Instants are read and shown in this zone; `None` is UTC.
    pub(crate) time_zone: Option<String>,
    /// What the client calls itself.
    pub(crate) application_name: String,
    /// Nothing waits for a lock, so it is told again and no more: microseconds.
    pub(crate) lock_timeout: u64,
    /// Errors are the only messages, so it is told again and no more.
    pub(crate) client_min_messages: Option<&'static str>,
    /// All of them, once somebody asked.
    pub(crate) json: Shown,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            statement_timeout: None,
            memory_limit: memory_limit_default(),
            durability: None,
            time_zone: None,
            application_name: String::new(),
            lock_timeout: 0,
            client_min_messages: None,
            json: Shown::default(),
        }
    }
}

/// Four fifths of the memory that the process may take, in whole megabytes: a statement that would take more is refused before
/// the system ends the process. No limit where the system does not tell.
fn memory_limit_default() -> Option<u64> {
    const MEGABYTE: u64 = 1 << 20;
    let bytes = memory_bytes()? / 5 * 4 / MEGABYTE * MEGABYTE;
    (bytes > 0).then_some(bytes)
}

/// The settings as an object of JSON, made when it is first asked for. It follows from the others.
#[derive(Debug, Default)]
pub(crate) struct Shown(OnceLock<Arc<str>>);

impl Clone for Shown {
    fn clone(&self) -> Shown {
        Shown::default()
    }
}

impl PartialEq for Shown {
    fn eq(&self, _: &Shown) -> bool {
        true
    }
}

impl Eq for Shown {}

/// A setting.
pub(crate) struct Setting {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is for.
    pub(crate) what: &'static str,
    /// Another name that is understood.
    alias: Option<&'static str>,
    read: fn(&mut Settings, name: &str, text: &str) -> std::result::Result<(), &'static str>,
    reset: fn(&mut Settings),
    show: fn(&Settings) -> String,
}

/// A setting that has one value.
const fn fixed(
    name: &'static str,
    what: &'static str,
    read: fn(&mut Settings, name: &str, text: &str) -> std::result::Result<(), &'static str>,
    show: fn(&Settings) -> String,
) -> Setting {
    Setting { name, what, alias: None, read, reset: |_| {}, show }
}

/// Takes the ways of writing the one value that there is.
fn only(text: &str, written: &[&str], help: &'static str) -> std::result::Result<(), &'static str> {
    let plain =
        |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != '"').collect::<String>().to_lowercase();
    if written.contains(&plain(text).as_str()) { Ok(()) } else { Err(help) }
}

const TRUE: &[&str] = &["on", "true", "yes", "1"];
const ZERO: &[&str] = &["0", "0ms", "0s", "0min"];
const LEVELS: &[&str] = &["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"];

/// All of them, by name.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        name: "application_name",
        what: "what the client calls itself",
        alias: None,
        read: |settings, _, text| {
            settings.application_name = text.to_owned();
            Ok(())
        },
        reset: |settings| settings.application_name.clear(),
        show: |settings| settings.application_name.clone(),
    },
    fixed(
        "bytea_output",
        "how a BLOB is written as text",
        |_, _, text| only(text, &["hex"], "a BLOB is written as \\x and digits: hex"),
        |_| "hex".to_owned(),
    ),
    fixed(
        "client_encoding",
        "the encoding of texts",
        |_, _, text| only(text, &["utf8", "utf-8", "unicode"], "texts are UTF8"),
        |_| "UTF8".to_owned(),
    ),
    Setting {
        name: "client_min_messages",
        what: "the least messages to send; errors are the only ones there are",
        alias: None,
        read: |settings, _, text| {
            let level = LEVELS.iter().find(|level| level.eq_ignore_ascii_case(text.trim()));
            settings.client_min_messages = Some(level.ok_or("it is debug5 to debug1, log, notice, warning or error")?);
            Ok(())
        },
        reset: |settings| settings.client_min_messages = None,
        show: |settings| settings.client_min_messages.unwrap_or("notice").to_owned(),
    },
    fixed(
        "datestyle",
        "how a DATE is written, and read where its fields are in doubt",
        |_, _, text| only(text, &["iso", "mdy", "us", "iso,mdy", "iso,us", "mdy,iso", "us,iso"], "it is ISO, MDY"),
        |_| "ISO, MDY".to_owned(),
    ),
    fixed(
        "extra_float_digits",
        "a REAL is written with the fewest digits that are read back as itself",
        |_, _, text| only(text, &["1", "2", "3"], "it is 1, 2 or 3, which mean the same; write round(x::NUMERIC, 15)"),
        |_| "1".to_owned(),
    ),
    fixed(
        "idle_in_transaction_session_timeout",
        "a transaction may be idle for ever",
        |_, _, text| only(text, ZERO, "it is 0: nobody waits for a transaction that is open"),
        |_| "0".to_owned(),
    ),
    fixed(
        "intervalstyle",
        "how an INTERVAL is written",
        |_, _, text| only(text, &["postgres"], "it is postgres: 1 year 2 mons 3 days 04:05:06"),
        |_| "postgres".to_owned(),
    ),
    Setting {
        name: "lock_timeout",
        what: "how long to wait for a lock; nothing waits for one",
        alias: None,
        read: |settings, _, text| {
            settings.lock_timeout =
                number_with_unit(text, 1_000, TIME_UNITS).ok_or("a time is written like 250ms, 5s or 0")?;
            Ok(())
        },
        reset: |settings| settings.lock_timeout = 0,
        show: |settings| shown(settings.lock_timeout, SHOWN_TIME_UNITS),
    },
    Setting {
        name: "memory_limit",
        what: "a statement may hold so much memory for sorts, joins, groups, windows and distinct rows; 0 for no limit",
        alias: Some("work_mem"),
        read: |settings, name, text| {
            // As in PostgreSQL, a bare number of work_mem counts kilobytes.
            let bare = if name.eq_ignore_ascii_case("work_mem") { 1024 } else { 1 };
            let bytes = number_with_unit(text, bare, BYTE_UNITS).ok_or("a size is written like 64MB, 512kB or 0")?;
            settings.memory_limit = (bytes > 0).then_some(bytes);
            Ok(())
        },
        reset: |settings| settings.memory_limit = memory_limit_default(),
        show: |settings| shown(settings.memory_limit.unwrap_or(0), SHOWN_BYTE_UNITS),
    },
    fixed(
        "search_path",
        "where tables are looked for: in the one set that a database has, which is public",
        |_, _, text| {
            only(
                text,
                &["public", "$user,public", "public,pg_catalog", "pg_catalog,public"],
                "a database has one set of tables, public",
            )
        },
        |_| "\"$user\", public".to_owned(),
    ),
    fixed(
        "server_encoding",
        "the encoding of texts in the database",
        |_, _, _| Err("it is told, and cannot be set"),
        |_| "UTF8".to_owned(),
    ),
    fixed(
        "server_version",
        "the version of the database",
        |_, _, _| Err("it is told, and cannot be set"),
        |_| env!("CARGO_PKG_VERSION").to_owned(),
    ),
    fixed(
        "standard_conforming_strings",
        "a backslash between plain quotes is a backslash",
        |_, _, text| only(text, TRUE, "it is on: write E'..' for escapes"),
        |_| "on".to_owned(),
    ),
    Setting {
        name: "statement_timeout",
        what: "a statement is cancelled after so long; 0 for never",
        alias: None,
        read: |settings, _, text| {
            let micros = number_with_unit(text, 1_000, TIME_UNITS).ok_or("a time is written like 250ms, 5s or 0")?;
            settings.statement_timeout = (micros > 0).then_some(Duration::from_micros(micros));
            Ok(())
        },
        reset: |settings| settings.statement_timeout = None,
        show: |settings| {
            let micros = settings.statement_timeout.map_or(0, |timeout| timeout.as_micros());
            shown(u64::try_from(micros).unwrap_or(u64::MAX), SHOWN_TIME_UNITS)
        },
    },
    Setting {
        name: "synchronous_commit",
        what: "whether a commit is on the disk when it is acknowledged; default is as the database was opened",
        alias: None,
        read: |settings, _, text| {
            settings.durability = match text.trim().to_ascii_lowercase().as_str() {
                "on" | "true" | "yes" | "1" | "local" => Some(Durability::Synced),
                "off" | "false" | "no" | "0" => Some(Durability::None),
                _ => return Err("it is on, off or default"),
            };
            Ok(())
        },
        reset: |settings| settings.durability = None,
        show: |settings| {
            let shown = match settings.durability {
                Some(Durability::Synced) => "on",
                Some(Durability::EveryRecords(_) | Durability::None) => "off",
                None => "default",
            };
            shown.to_owned()
        },
    },
    Setting {
        name: "time_zone",
        what: "the zone that instants with time zone are read and shown in",
        alias: Some("timezone"),
        read: |settings, _, text| {
            let name = text.trim();
            settings.time_zone = match name.to_ascii_lowercase().as_str() {
                "utc" | "gmt" | "etc/utc" | "0" | "+00:00" | "local" | "default" => None,
                // A bare number counts hours eastwards; a zone's name counts westwards, as POSIX says.
                hours if hours.parse::<i8>().is_ok_and(|hours| (-15..=15).contains(&hours)) => {
                    let east: i8 = hours.parse().map_err(|_| "a number of hours is between -15 and 15")?;
                    Some(format!("{:+}", -east))
                }
                _ if is_zone(name) => Some(name.to_owned()),
                _ => return Err("name a zone such as Europe/Berlin, an abbreviation or a number of hours"),
            };
            Ok(())
        },
        reset: |settings| settings.time_zone = None,
        show: |settings| settings.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()),
    },
];

const BYTE_UNITS: &[(&str, u64)] = &[("b", 1), ("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30), ("tb", 1 << 40)];
const SHOWN_BYTE_UNITS: &[(&str, u64)] =
    &[("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10), ("B", 1)];
const TIME_UNITS: &[(&str, u64)] =
    &[("us", 1), ("ms", 1_000), ("s", 1_000_000), ("min", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000)];
const SHOWN_TIME_UNITS: &[(&str, u64)] =
    &[("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

/// `5 s` as so many of the smallest unit; a bare number counts in `bare`.
fn number_with_unit(text: &str, bare: u64, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = text[digits..].trim().to_ascii_lowercase();
    let factor = match unit.as_str() {
        "" => bare,
        unit => units.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.checked_mul(factor)
}

/// A number in the largest unit that it is whole in.
fn shown(number: u64, units: &[(&str, u64)]) -> String {
    match units.iter().find(|(_, factor)| number > 0 && number.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", number / factor),
        None => "0".to_owned(),
    }
}

impl Setting {
    /// The setting of a name.
    fn find(name: &Name) -> Result<&'static Setting> {
        let is_it = |of: &str| of.eq_ignore_ascii_case(&name.text);
        let named = |setting: &&Setting| is_it(setting.name) || setting.alias.is_some_and(is_it);
        SETTINGS.iter().find(named).ok_or_else(|| {
            if let "transaction_isolation" | "transaction_read_only" = name.text.as_str() {
                let message = format!("\"{}\" is no setting: it is said of a transaction", name.text);
                return Error::new(FEATURE_NOT_SUPPORTED, message)
                    .with_help("write SET TRANSACTION ISOLATION LEVEL .., READ ONLY, or say it behind BEGIN");
            }
            let error = Error::new(code::UNDEFINED_SETTING, format!("there is no setting \"{}\"", name.text));
            match nearest(&name.text, SETTINGS.iter().map(|setting| setting.name)) {
                Some(near) => error.with_help(format!("there is a setting \"{near}\"")),
                None => error.with_help("SHOW ALL lists the settings"),
            }
        })
    }

    /// Its value.
    pub(crate) fn shown(&self, settings: &Settings) -> String {
        (self.show)(settings)
    }
}

impl Settings {
    /// Gives a setting a value, or its default.
    ///
    /// # Errors
    /// 42704 when there is no such setting; 22023 for a text that is no value of it.
    pub(crate) fn set(&mut self, name: &Name, value: Option<&Name>, sql: &str) -> Result<()> {
        let setting = Setting::find(name).map_err(|error| error.at(Some(name.span), sql))?;
        if matches!(setting.name, "server_encoding" | "server_version") {
            let error = Error::new(code::CANNOT_CHANGE, format!("setting \"{}\" cannot be changed", setting.name));
            return Err(error.with_help("it is told by SHOW").at(Some(name.span), sql));
        }
        let Some(value) = value else {
            self.json = Shown::default();
            (setting.reset)(self);
            return Ok(());
        };
        self.json = Shown::default();
        (setting.read)(self, &name.text, &value.text).map_err(|help| {
            let message = format!("\"{}\" is no value of the setting \"{}\"", value.text, setting.name);
            Error::new(code::INVALID_PARAMETER, message).with_help(help).at(Some(value.span), sql)
        })
    }

    /// All values, each by its name and by the other name that is understood.
    pub(crate) fn as_json(&self) -> Arc<str> {
        let object = || {
            let named = SETTINGS.iter().flat_map(|setting| {
                let names = [Some(setting.name), setting.alias];
                names.into_iter().flatten().map(|name| (name.to_owned(), setting.shown(self).into()))
            });
            serde_json::Value::Object(named.collect()).to_string().into()
        };
        self.json.0.get_or_init(object).clone()
    }

    /// The value of a setting.
    ///
    /// # Errors
    /// 42704 when there is no such setting.
    pub(crate) fn show(&self, name: &Name, sql: &str) -> Result<String> {
        Ok(Setting::find(name).map_err(|error| error.at(Some(name.span), sql))?.shown(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_shown_in_their_units() {
        let read = |text: &str| number_with_unit(text, 1_000, TIME_UNITS);
        assert_eq!([read("250"), read("5 s"), read("2MIN")], [Some(250_000), Some(5_000_000), Some(120_000_000)]);
        assert_eq!([read("-1"), read("s"), read("5 weeks"), read("99999999999999d")], [None; 4]);
        assert_eq!(shown(120_000_000, SHOWN_TIME_UNITS), "2min");
        assert_eq!(shown(1536, SHOWN_BYTE_UNITS), "1536B");
        assert_eq!(shown(64 << 20, SHOWN_BYTE_UNITS), "64MB");
        assert_eq!(shown(0, SHOWN_BYTE_UNITS), "0");
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.name));
    }
}
