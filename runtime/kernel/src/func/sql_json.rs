//! What do the constructors and queries of SQL/JSON need of JSON?
//!
//! Constructors push what may be absent: a value comes in an array of none or one. JSON_EXISTS, JSON_VALUE and JSON_QUERY are one
//! question ([`ask`]): what the path finds, whether it is what was asked for, and what is given otherwise.
//!
//! The answer is an array: `[value]`, `[]` for NULL, `[null, "empty"]` and `[null, "error"]` where the caller has another value.
//! The value is a text where it is still to become another type.
//! Holds: an error is raised only where the words say so, or where the path is none.
//! Not here: what the words mean to SQL (`grammar::bind::sql_json`), paths themselves (`json_path`).

use super::{
    Fault,
    json_path::found,
    json_tree::{Tree, push_field, push_quoted},
    lift::functions,
    trial,
};
use crate::array::View;
use std::collections::HashSet;

/// An object with one more field, if the array has a value for it.
pub fn push_field_if(object: &str, key: &str, value: &str, out: &mut String) {
    match Tree::read(value) {
        Tree::Array(items) if items.len() == 1 => {
            let mut written = String::new();
            items[0].write(&mut written);
            push_field(object, key, &written, out);
        }
        Tree::Array(_) | Tree::Object(_) | Tree::Leaf(_) => out.push_str(object),
    }
}

/// One array behind another.
pub fn push_all(array: &str, more: &str, out: &mut String) {
    match (Tree::read(array), Tree::read(more)) {
        (Tree::Array(mut items), Tree::Array(more)) => {
            items.extend(more);
            Tree::Array(items).write(out);
        }
        (_, _) => out.push_str(array),
    }
}

/// The keys of an object as they are written, those that stand twice too.
fn has_key_twice(object: &str) -> bool {
    struct Keys(bool);
    impl<'de> serde::Deserialize<'de> for Keys {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
            struct Fields;
            impl<'de> serde::de::Visitor<'de> for Fields {
                type Value = Keys;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<M: serde::de::MapAccess<'de>>(self, mut fields: M) -> Result<Keys, M::Error> {
                    let (mut keys, mut twice) = (HashSet::new(), false);
                    while let Some((key, _)) = fields.next_entry::<String, serde::de::IgnoredAny>()? {
                        twice |= !keys.insert(key);
                    }
                    Ok(Keys(twice))
                }
            }
            deserializer.deserialize_map(Fields)
        }
    }
    serde_json::from_str::<Keys>(object).is_ok_and(|keys| keys.0)
}

/// The value, if no key of the object stands twice.
pub fn checked(value: &str, keys: &str, out: &mut String) -> Fault {
    if has_key_twice(keys) {
        return Fault::JsonKeyTwice;
    }
    out.push_str(value);
    Fault::Ok
}

/// What is asked for, and what is given otherwise: `value bare keep text null error`, and a recipe behind a line's end.
struct Asked<'a> {
    kind: &'a str,
    wrapper: &'a str,
    omits: bool,
    as_json: bool,
    empty: &'a str,
    error: &'a str,
    recipe: &'a str,
}

impl<'a> Asked<'a> {
    fn read(words: &'a str) -> Option<Asked<'a>> {
        let (words, recipe) = words.split_once('\n').unwrap_or((words, ""));
        let mut words = words.split(' ');
        let mut next = || words.next();
        Some(Asked {
            kind: next()?,
            wrapper: next()?,
            omits: next()? == "omit",
            as_json: next()? == "json",
            empty: next()?,
            error: next()?,
            recipe,
        })
    }

    /// The item that the question is answered with; nothing where none is found.
    fn item<'t>(&self, mut items: Vec<Tree<'t>>) -> Result<Option<Tree<'t>>, Fault> {
        let count = items.len();
        match (self.kind, self.wrapper) {
            (_, _) if count == 0 => Ok(None),
            ("query", "wrapper") => Ok(Some(Tree::Array(items))),
            ("query", "conditional") if count > 1 => Ok(Some(Tree::Array(items))),
            (_, _) if count > 1 => Err(Fault::PathManyItems),
            ("value", _) => match items.pop() {
                Some(leaf @ Tree::Leaf(_)) => Ok(Some(leaf)),
                _ => Err(Fault::PathNoScalar),
            },
            (_, _) => Ok(items.pop()),
        }
    }

    /// `[value]`, or `[]` for NULL.
    fn answer(&self, item: &Tree<'_>, out: &mut String) -> Fault {
        let string = item.as_string();
        let is_text = self.kind == "value" || self.omits;
        let mut written = match (is_text, &string) {
            (true, Some(string)) => string.clone(),
            (_, _) => {
                let mut written = String::new();
                item.write(&mut written);
                written
            }
        };
        if self.kind == "value" && string.is_none() && written == "null" {
            out.push_str("[]");
            return Fault::Ok;
        }
        if self.as_json {
            if is_text && string.is_some() && !super::json::is_json(&written) {
                // A scalar of JSON_VALUE is the string itself; what loses its quotes must be JSON.
                if self.kind != "value" {
                    return Fault::InvalidJson;
                }
                let mut quoted = String::new();
                item.write(&mut quoted);
                written = quoted;
            }
            out.push('[');
            out.push_str(&written);
            out.push(']');
            return Fault::Ok;
        }
        if self.error != "error" && !trial::is_value(&written, self.recipe) {
            return Fault::InvalidText;
        }
        out.push('[');
        push_quoted(&written, out);
        out.push(']');
        Fault::Ok
    }
}

/// JSON_EXISTS, JSON_VALUE or JSON_QUERY, as the words have it.
pub fn ask(json: &str, path: &str, variables: &str, words: &str, zone: &str, out: &mut String) -> Fault {
    let Some(asked) = Asked::read(words) else { return Fault::InvalidArgument };
    let answered = found(json, path, variables, zone, |_, (items, fault)| {
        let fault = match fault {
            Some(fault) => fault,
            None if asked.kind == "exists" => {
                out.push_str(if items.is_empty() { "[false]" } else { "[true]" });
                return Ok(());
            }
            None => match asked.item(items) {
                Ok(Some(item)) => match asked.answer(&item, out) {
                    Fault::Ok => return Ok(()),
                    fault => fault,
                },
                Ok(None) if asked.empty == "error" => return Err(Fault::PathNoItem),
                Ok(None) => {
                    out.push_str(if asked.empty == "value" { "[null, \"empty\"]" } else { "[]" });
                    return Ok(());
                }
                Err(fault) => fault,
            },
        };
        match asked.error {
            "error" => Err(fault),
            "value" => {
                out.push_str("[null, \"error\"]");
                Ok(())
            }
            _ => {
                out.push_str("[]");
                Ok(())
            }
        }
    });
    answered.err().unwrap_or(Fault::Ok)
}

fn object_of<'a>(fields: impl Iterator<Item = (View<'a>, usize, View<'a>, usize)>, out: &mut String) -> Fault {
    out.push('{');
    for (nth, (keys, key, values, value)) in fields.enumerate() {
        if keys.is_null(key) {
            return Fault::JsonNoKey;
        }
        out.push_str(if nth > 0 { ", " } else { "" });
        push_quoted(keys.text(key), out);
        out.push_str(": ");
        match values.is_null(value) {
            true => out.push_str("null"),
            false => push_quoted(values.text(value), out),
        }
    }
    out.push('}');
    Fault::Ok
}

/// An object of keys and values that stand two by two in an array of texts.
pub fn object_of_pairs(texts: &[u8], out: &mut String) -> Fault {
    let texts = View::new(texts);
    let lens: Vec<u32> = texts.dimensions().map(|dimension| dimension.len).collect();
    match lens[..] {
        [] => {}
        [len] if len % 2 == 0 => {}
        [_, 2] => {}
        _ => return Fault::InvalidArgument,
    }
    object_of((0..texts.len()).step_by(2).map(|at| (texts, at, texts, at + 1)), out)
}

/// An object of an array of keys and one of as many values.
pub fn object_of_both(keys: &[u8], values: &[u8], out: &mut String) -> Fault {
    let (keys, values) = (View::new(keys), View::new(values));
    if keys.dimensions().len() > 1 || values.dimensions().len() > 1 || keys.len() != values.len() {
        return Fault::InvalidArgument;
    }
    object_of((0..keys.len()).map(|at| (keys, at, values, at)), out)
}

functions! { "func::sql_json";
    "$json_push_field_if" (Json, Text, Json) -> Json, Total, push_field_if, "An object with one more field, if the array holds a value.";
    "$json_push_all" (Json, Json) -> Json, Total, push_all, "One array behind another.";
    "$json_checked" (Json, Json) -> Json, Fallible, checked, "The value, if no key of the object stands twice.";
    "$json_object" (Array) -> Json, Fallible, object_of_pairs, "An object of keys and values that stand two by two.";
    "$json_object" (Array, Array) -> Json, Fallible, object_of_both, "An object of keys and values.";
    "$json_ask" (Json, Text, Json, Text, Text) -> Json, Fallible, ask, "What a path of SQL/JSON answers, and what otherwise.";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, words: &str) -> Result<String, Fault> {
        let mut out = String::new();
        match ask(r#"{"a": 1, "s": "7", "l": [1, 2], "n": null}"#, path, "{}", words, "UTC", &mut out) {
            Fault::Ok => Ok(out),
            fault => Err(fault),
        }
    }

    #[test]
    fn a_question_is_answered_or_what_else_was_said() {
        let expected = [
            ("$.a", "value bare keep text null null", Ok("[\"1\"]")),
            ("$.s", "value bare keep text null null", Ok("[\"7\"]")),
            ("$.n", "value bare keep text value value", Ok("[]")),
            ("$.l", "value bare keep text null value", Ok("[null, \"error\"]")),
            ("$.l", "value bare keep text null error", Err(Fault::PathNoScalar)),
            ("$.l[*]", "value bare keep text null error", Err(Fault::PathManyItems)),
            ("$.x", "value bare keep text value error", Ok("[null, \"empty\"]")),
            ("$.x", "value bare keep text error null", Err(Fault::PathNoItem)),
            ("strict $.x", "value bare keep text error null", Ok("[]")),
            ("$.l", "query bare keep json null null", Ok("[[1, 2]]")),
            ("$.l[*]", "query wrapper keep json null null", Ok("[[1, 2]]")),
            ("$.a", "query conditional keep json null null", Ok("[1]")),
            ("$.s", "query bare keep text null null", Ok(r#"["\"7\""]"#)),
            ("$.s", "query bare omit json null null", Ok("[7]")),
            ("$.s ? (@ == 1)", "exists bare keep json null null", Ok("[false]")),
            ("$.s", "value bare keep text null null\n$cast>boolean", Ok("[]")),
        ];
        for (path, words, answer) in expected {
            assert_eq!(asked(path, words), answer.map(str::to_owned), "{path} {words}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_is_found() {
        assert!(has_key_twice(r#"{"a": 1, "b": 2, "a": 3}"#) && !has_key_twice(r#"{"a": {"a": 1}, "b": 2}"#));
        assert!(!has_key_twice("[1, 1]"));
    }
}
