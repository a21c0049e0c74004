//! What is in a JSON text, and how do two compare?
//!
//! JSON is kept as it was written. Reading goes through serde_json's streaming reader: what is not asked for is skipped,
//! what is asked for is borrowed. The total order is PostgreSQL's for jsonb: null < string < number < boolean < array <
//! object; arrays and objects first by how much they hold, then element by element, objects with their keys by length
//! and then bytewise; a key given twice counts by its last value; numbers compare by value, however they are written.
//!
//! Holds: the order is that of the bytes of [`sort_key`], so sorting, grouping and comparing cannot disagree.

use crate::key::push_string;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::{cmp::Ordering, collections::HashMap, fmt};

const NULL: u8 = 1;
const STRING: u8 = 2;
const NUMBER: u8 = 3;
const FALSE: u8 = 4;
const TRUE: u8 = 5;
const ARRAY: u8 = 6;
const OBJECT: u8 = 7;
/// A text that is no JSON: it never gets into a column, and sorts last if it does.
const BROKEN: u8 = 0xff;

/// The total order of JSON.
pub fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let key = |text: &str| {
        let mut out = Vec::with_capacity(text.len() + 16);
        sort_key(text, &mut out);
        out
    };
    key(a).cmp(&key(b))
}

/// Appends bytes whose order is the total order.
pub fn sort_key(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    if push_value(text.trim_ascii(), out).is_none() {
        out.truncate(start);
        out.push(BROKEN);
        push_string(text.as_bytes(), out);
    }
}

fn push_value(text: &str, out: &mut Vec<u8>) -> Option<()> {
    match text.as_bytes().first()? {
        b'n' => out.push(NULL),
        b'f' => out.push(FALSE),
        b't' => out.push(TRUE),
        b'"' => {
            out.push(STRING);
            push_string(serde_json::from_str::<Word<'_>>(text).ok()?.as_str().as_bytes(), out);
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            out.push(ARRAY);
            out.extend_from_slice(&(items.len() as u32).to_be_bytes());
            items.iter().try_for_each(|item| push_value(item.get(), out))?;
        }
        b'{' => {
            let fields: HashMap<Word<'_>, &RawValue> = serde_json::from_str::<Fields<'_>>(text).ok()?.0;
            let mut fields: Vec<(&str, &RawValue)> = fields.iter().map(|(key, item)| (key.as_str(), *item)).collect();
            fields.sort_by(|one, two| (one.0.len(), one.0).cmp(&(two.0.len(), two.0)));
            out.push(OBJECT);
            out.extend_from_slice(&(fields.len() as u32).to_be_bytes());
            for (key, item) in fields {
                push_string(key.as_bytes(), out);
                push_value(item.get(), out)?;
            }
        }
        _ => {
            out.push(NUMBER);
            push_number(text, out)?;
        }
    }
    Some(())
}

/// Appends a number by sign, power of ten of its first digit, and digits.
fn push_number(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (negative, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match magnitude.split_once(['e', 'E']) {
        // An exponent past an i64 is past every number we could meet in digits: only its sign matters.
        Some((mantissa, exponent)) => {
            let far = if exponent.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
            (mantissa, exponent.parse::<i64>().unwrap_or(far).clamp(i64::MIN / 2, i64::MAX / 2))
        }
        None => (magnitude, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if !digits().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let Some(first) = digits().position(|digit| digit != b'0') else {
        out.push(0x80);
        return Some(());
    };
    let last = whole.len() + fraction.len() - digits().rev().position(|digit| digit != b'0')?;
    let power = exponent + whole.len() as i64 - first as i64;
    out.push(if negative { 0x7f } else { 0x81 });
    let start = out.len();
    out.extend_from_slice(&crate::key::i64_bytes(power));
    out.extend(digits().take(last).skip(first));
    out.push(0);
    if negative {
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
    }
    Some(())
}

/// A JSON string: borrowed where it has no escapes.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Word<'t>(std::borrow::Cow<'t, str>);

impl Word<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Word<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyWord;
        impl<'de> Visitor<'de> for AnyWord {
            type Value = Word<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Word<'de>, E> {
                Ok(Word(text.into()))
            }
            fn visit_str<E>(self, text: &str) -> Result<Word<'de>, E> {
                Ok(Word(text.to_owned().into()))
            }
        }
        deserializer.deserialize_str(AnyWord)
    }
}

/// The fields of an object; of a key given twice the last.
struct Fields<'t>(HashMap<Word<'t>, &'t RawValue>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyFields;
        impl<'de> Visitor<'de> for AnyFields {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields<'de>, M::Error> {
                let mut fields = HashMap::new();
                while let Some((key, item)) = map.next_entry::<Word<'de>, &RawValue>()? {
                    fields.insert(key, item);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(AnyFields)
    }
}

/// Reads a JSON value to its end, and refuses what is nested deeper than serde_json goes (127 levels): all that
/// walks a value later may then recurse.
struct Sound;

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sound, D::Error> {
        struct AnySound;
        impl<'de> Visitor<'de> for AnySound {
            type Value = Sound;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Sound, E> {
                Ok(Sound)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Sound, E> {
                Ok(Sound)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Sound, E> {
                Ok(Sound)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Sound, E> {
                Ok(Sound)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Sound, E> {
                Ok(Sound)
            }
            fn visit_str<E>(self, _: &str) -> Result<Sound, E> {
                Ok(Sound)
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Sound, S::Error> {
                while items.next_element::<Sound>()?.is_some() {}
                Ok(Sound)
            }
            fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Sound, M::Error> {
                while fields.next_entry::<Word<'de>, Sound>()?.is_some() {}
                Ok(Sound)
            }
        }
        deserializer.deserialize_any(AnySound)
    }
}

/// Is the text one JSON value, nested no deeper than 127 levels?
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<Sound>(text).is_ok()
}
