//! What is in a JSON text?
//!
//! JSON is kept as it was written. Reading goes through serde_json's streaming reader: what is not asked for is skipped,
//! what is asked for is borrowed.
//!
//! A path is one TEXT: keys joined by [`PATH_SEPARATOR`] (see [`path`]). A key that is a number picks that element of an
//! array, from 0, or from the end if negative. A key given twice is found by its last value.
//!
//! Not here: how two values compare (`json_order`).

use super::{
    Fault,
    cast::{read_decimal, text_to_numeric},
    lift::functions,
};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Stands between the keys of a path. A key that contains it cannot be asked for.
pub const PATH_SEPARATOR: char = '\u{1f}';

/// The path of keys, outermost first.
pub fn path<'k>(keys: impl IntoIterator<Item = &'k str>) -> String {
    let mut path = String::new();
    for (i, key) in keys.into_iter().enumerate() {
        if i > 0 {
            path.push(PATH_SEPARATOR);
        }
        path.push_str(key);
    }
    path
}

/// A JSON string: borrowed where it has no escapes.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Word<'t>(std::borrow::Cow<'t, str>);

impl<'t> Word<'t> {
    pub(crate) fn into_text(self) -> std::borrow::Cow<'t, str> {
        self.0
    }
}

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

/// Reads a JSON value to its end, and refuses what is nested deeper than serde_json goes (127 levels): all that
/// walks a value later may then recurse. Where asked, it refuses an object that has a key twice.
struct Sound<const UNIQUE: bool>;

impl<'de, const UNIQUE: bool> Deserialize<'de> for Sound<UNIQUE> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnySound<const UNIQUE: bool>;
        impl<'de, const UNIQUE: bool> Visitor<'de> for AnySound<UNIQUE> {
            type Value = Sound<UNIQUE>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Sound<UNIQUE>, E> {
                Ok(Sound)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Sound<UNIQUE>, E> {
                Ok(Sound)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Sound<UNIQUE>, E> {
                Ok(Sound)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Sound<UNIQUE>, E> {
                Ok(Sound)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Sound<UNIQUE>, E> {
                Ok(Sound)
            }
            fn visit_str<E>(self, _: &str) -> Result<Sound<UNIQUE>, E> {
                Ok(Sound)
            }
            fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Sound<UNIQUE>, S::Error> {
                while items.next_element::<Sound<UNIQUE>>()?.is_some() {}
                Ok(Sound)
            }
            fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Sound<UNIQUE>, M::Error> {
                let mut keys = std::collections::HashSet::new();
                while let Some((key, _)) = fields.next_entry::<Word<'de>, Sound<UNIQUE>>()? {
                    if UNIQUE && !keys.insert(key.into_text()) {
                        return Err(serde::de::Error::custom("a key stands twice"));
                    }
                }
                Ok(Sound)
            }
        }
        deserializer.deserialize_any(AnySound::<UNIQUE>)
    }
}

/// Is the text one JSON value, nested no deeper than 127 levels?
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<Sound<false>>(text).is_ok()
}

/// Is the text JSON of a kind: `value`, `scalar`, `array` or `object`; with ` unique` behind it no object has a key twice?
pub fn is_json_of(text: &str, kind: &str) -> bool {
    if !is_json(text) {
        return false;
    }
    let (kind, unique) = match kind.strip_suffix(" unique") {
        Some(kind) => (kind, true),
        None => (kind, false),
    };
    let first = text.trim_ascii_start().as_bytes().first();
    let fits = match kind {
        "object" => first == Some(&b'{'),
        "array" => first == Some(&b'['),
        "scalar" => !matches!(first, Some(b'{' | b'[')),
        _ => true,
    };
    fits && (!unique || serde_json::from_str::<Sound<true>>(text).is_ok())
}

/// What is at a path below a value; nothing where there is no such thing.
struct Find<'p> {
    path: Option<&'p str>,
}

impl<'de> DeserializeSeed<'de> for Find<'_> {
    type Value = Option<&'de RawValue>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.path {
            None => <&RawValue>::deserialize(deserializer).map(Some),
            Some(path) => {
                let (key, rest) = match path.split_once(PATH_SEPARATOR) {
                    Some((key, rest)) => (key, Some(rest)),
                    None => (path, None),
                };
                deserializer.deserialize_any(Below { key, rest })
            }
        }
    }
}

/// Looks for one key of an object or one element of an array.
struct Below<'p> {
    key: &'p str,
    rest: Option<&'p str>,
}

impl<'de> Visitor<'de> for Below<'_> {
    type Value = Option<&'de RawValue>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }
    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Self::Value, M::Error> {
        let mut found = None;
        while let Some(is_it) = fields.next_key_seed(KeyIs(self.key))? {
            if is_it {
                found = fields.next_value_seed(Find { path: self.rest })?;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Self::Value, S::Error> {
        match self.key.parse::<i64>() {
            Ok(wanted) if wanted >= 0 => {
                for _ in 0..wanted {
                    if items.next_element::<IgnoredAny>()?.is_none() {
                        return Ok(None);
                    }
                }
                let found = items.next_element_seed(Find { path: self.rest })?.flatten();
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(found)
            }
            Ok(from_end) => {
                // The length is known at the end only, so all elements are looked at, and the last few kept.
                let mut kept: Vec<Option<&'de RawValue>> = Vec::new();
                while let Some(item) = items.next_element_seed(Find { path: self.rest })? {
                    kept.push(item);
                }
                let idx = kept.len().checked_sub(usize::try_from(from_end.unsigned_abs()).unwrap_or(usize::MAX));
                Ok(idx.and_then(|idx| kept[idx]))
            }
            Err(_) => {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(None)
            }
        }
    }
}

/// Reads a key and says whether it is the one sought, without keeping it.
struct KeyIs<'k>(&'k str);

impl<'de> DeserializeSeed<'de> for KeyIs<'_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyIs<'_> {
    type Value = bool;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

/// What is at a path, as written.
fn find<'t>(text: &'t str, path: &str) -> Option<&'t str> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Find { path: Some(path) }.deserialize(&mut deserializer).ok().flatten().map(RawValue::get)
}

/// The value at a path, as written; no value where there is none.
pub fn get(json: &str, path: &str, out: &mut String) -> bool {
    let found = find(json, path);
    out.push_str(found.unwrap_or_default());
    found.is_some()
}

/// What is below a value at one key, if the value begins with this sign.
fn below<'t>(json: &'t str, sign: char, key: &str) -> Option<&'t str> {
    if !json.trim_ascii_start().starts_with(sign) {
        return None;
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_any(Below { key, rest: None }).ok().flatten().map(RawValue::get)
}

/// A field of an object, as written; no value for another kind.
pub fn field(json: &str, key: &str, out: &mut String) -> bool {
    let found = below(json, '{', key);
    out.push_str(found.unwrap_or_default());
    found.is_some()
}

/// An element of an array, as written, below 0 from the end; no value for another kind.
pub fn item(json: &str, at: i64, out: &mut String) -> bool {
    let found = below(json, '[', &at.to_string());
    out.push_str(found.unwrap_or_default());
    found.is_some()
}

/// Likewise of jsonb, where what is neither array nor object is an array of itself.
pub fn item_of_binary(json: &str, at: i64, out: &mut String) -> bool {
    if matches!(at, 0 | -1) && !json.trim_ascii_start().starts_with(['[', '{']) {
        out.push_str(json);
        return true;
    }
    item(json, at, out)
}

/// A string without its quotes and escapes, anything else as written; null is no value.
pub fn to_text(json: &str, out: &mut String) -> bool {
    if json.trim_ascii() == "null" {
        return false;
    }
    display(json, out);
    true
}

/// A string without its quotes and escapes, anything else as written: how JSON prints.
pub fn display(json: &str, out: &mut String) {
    if json.trim_ascii_start().starts_with('"')
        && let Ok(word) = serde_json::from_str::<Word<'_>>(json)
    {
        out.push_str(word.as_str());
    } else {
        out.push_str(json);
    }
}

/// The text of a number, if it is one.
pub(crate) fn number_text(json: &str) -> Option<&str> {
    let text = json.trim_ascii();
    text.starts_with(|first: char| first == '-' || first.is_ascii_digit()).then_some(text)
}

/// A number as a real; nothing for another kind, or past the range.
pub fn as_real(json: &str) -> Option<f64> {
    number_text(json)?.parse().ok().filter(|real: &f64| real.is_finite())
}

/// A number as an integer, rounded half away from zero; nothing for another kind, or past the range.
pub fn as_integer(json: &str) -> Option<i64> {
    let text = number_text(json)?;
    // Digits alone are the common case.
    text.parse().ok().or_else(|| read_decimal(text, 0).ok().and_then(|units| i64::try_from(units).ok()))
}

/// A number as a decimal of a precision and a scale; nothing for another kind, or when it does not fit.
pub fn as_numeric(json: &str, precision: i64, scale: i64) -> Option<i128> {
    match text_to_numeric(number_text(json)?, precision, scale) {
        (units, Fault::Ok) => Some(units),
        _ => None,
    }
}

/// true or false; nothing for another kind.
pub fn as_boolean(json: &str) -> Option<bool> {
    match json.trim_ascii() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// A string without its quotes and escapes; nothing for another kind.
pub fn as_text(json: &str, out: &mut String) -> bool {
    let is_string = json.trim_ascii_start().starts_with('"');
    if is_string {
        display(json, out);
    }
    is_string
}

/// The kind of a value: object, array, string, number, boolean or null.
pub fn type_name(json: &str, out: &mut String) {
    out.push_str(match json.trim_ascii_start().as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    });
}

functions! { "func::json";
    "$json_get" (Json, Text) -> Json, Partial, get, "What is at a path, as written; NULL where there is nothing.";
    "$json_field" (Json, Text) -> Json, Partial, field, "A field of an object, as written; NULL where there is none.";
    "$json_item" (Json, Integer) -> Json, Partial, item, "An element of an array, as written; NULL where there is none.";
    "$jsonb_item" (Json, Integer) -> Json, Partial, item_of_binary, "Likewise; a value that is no array and no object is an array of itself.";
    "$json_text" (Json) -> Text, Partial, to_text, "A string without its quotes, anything else as written; NULL for null.";
    "$json_display" (Json) -> Text, Total, display, "A string without its quotes, anything else as written.";
    "$json_as_real" (Json) -> Real, Partial, as_real, "A number; NULL for another kind.";
    "$json_as_integer" (Json) -> Integer, Partial, as_integer, "A number, rounded half away from zero; NULL for another kind.";
    "$json_as_numeric" (Json, Integer, Integer) -> Numeric, Partial, as_numeric, "A number: x, precision, scale; NULL for another kind or when it does not fit.";
    "$json_as_boolean" (Json) -> Boolean, Partial, as_boolean, "true or false; NULL for another kind.";
    "$json_as_text" (Json) -> Text, Partial, as_text, "A string without its quotes; NULL for another kind.";
    "$is_json" (Text, Text) -> Boolean, Total, is_json_of, "Is the text JSON of a kind: value, scalar, array or object, with unique keys behind ` unique`?";
    "$is_json" (Json, Text) -> Boolean, Total, is_json_of, "Is the text JSON of a kind: value, scalar, array or object, with unique keys behind ` unique`?";
    "$json_is_valid" (Text) -> Boolean, Total, is_json, "Is the text JSON, nested up to 127 levels?";
    "json_typeof" (Json) -> Text, Total, type_name, "object, array, string, number, boolean or null.";
    "jsonb_typeof" (Json) -> Text, Total, type_name, "object, array, string, number, boolean or null.";
}
#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str, keys: &[&str]) -> Option<String> {
        find(text, &path(keys.iter().copied())).map(str::to_owned)
    }

    #[test]
    fn paths_lead_to_fields_and_elements() {
        let text = r#" {"a": {"b": [10, 20.50, {"c": "x"}]}, "n": null, "a\u0062": 1, "d": 1, "d": 2, "0": "zero"} "#;
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(at(text, &["a", "b", "1"]), some("20.50"));
        assert_eq!(at(text, &["a", "b", "-1", "c"]), some("\"x\""));
        assert_eq!(at(text, &["a", "b"]), some(r#"[10, 20.50, {"c": "x"}]"#));
        assert_eq!(at(text, &["n"]), some("null"));
        assert_eq!(at(text, &["ab"]), some("1"));
        assert_eq!(at(text, &["d"]), some("2"));
        assert_eq!(at(text, &["0"]), some("\"zero\""));
        for keys in
            [&["x"][..], &["a", "x"], &["a", "b", "7"], &["a", "b", "-9"], &["a", "b", "c"], &["n", "x"], &["d", "x"]]
        {
            assert_eq!(at(text, keys), None, "{keys:?}");
        }
        assert_eq!(at("nonsense", &["a"]), None);
    }

    #[test]
    fn values_are_read_as_what_is_asked_for() {
        assert_eq!(
            (as_real("1e2"), as_real("\"1\""), as_real("null"), as_real("1e999")),
            (Some(100.0), None, None, None)
        );
        assert_eq!(
            (as_integer("7"), as_integer("2.5"), as_integer("-2.5"), as_integer("1e30")),
            (Some(7), Some(3), Some(-3), None)
        );
        assert_eq!(
            (as_numeric("49.995", 10, 2), as_numeric("true", 10, 2), as_numeric("1e9", 5, 2)),
            (Some(5000), None, None)
        );
        assert_eq!((as_boolean(" true"), as_boolean("1")), (Some(true), None));
        let text = |json| {
            let mut out = String::new();
            to_text(json, &mut out).then_some(out)
        };
        assert_eq!(text(r#""a\n\u00e9""#).as_deref(), Some("a\né"));
        assert_eq!(text("[1, 2]").as_deref(), Some("[1, 2]"));
        assert_eq!(text("null"), None);
        let string = |json| {
            let mut out = String::new();
            as_text(json, &mut out).then_some(out)
        };
        assert_eq!((string("\"a\"").as_deref(), string("1"), string("null")), (Some("a"), None, None));
    }

    #[test]
    fn deep_nesting_is_refused_and_never_followed() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(is_json(&nested(100)));
        assert!(!is_json(&nested(100_000)));
        assert!(is_json(" {\"a\": [1, -2.5e3, \"\\u00e9\", null, true]} "));
        for text in ["", "{", "[1,]", "01", "nul", "1 2", "'a'", "{\"a\"}", "\"\n\""] {
            assert!(!is_json(text), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn no_text_breaks_the_readers(text in "[]\\[{}\"a:,1.e+-]{0,20}") {
            let mut out = String::new();
            prop_assert_eq!(get(&text, "a", &mut out), !out.is_empty());
        }
    }
}
