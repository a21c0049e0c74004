//! How is a JSON value taken apart, changed and put together again?
//!
//! A value is read into a tree whose leaves are pieces of its text, so a number stays as it was written. Printed it has
//! PostgreSQL's spaces (`{"a": 1, "b": [1, 2]}`); fields keep their order, and of a key given twice the last value
//! counts.
//!
//! A path of several keys is written as an array of texts, `{a,b,0}`, or as one key.
//! Holds: a text that is JSON comes back as an equal value; recursion goes no deeper than JSON columns do (127 levels).

use super::{Fault, json::Word, json_order, lift::functions};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree<'t> {
    /// A number, a string, true, false or null, as written.
    Leaf(Cow<'t, str>),
    /// An array.
    Array(Vec<Tree<'t>>),
    /// An object.
    Object(Vec<(Cow<'t, str>, Tree<'t>)>),
}

struct Fields<'t>(Vec<(Word<'t>, &'t RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Fields<'de>, M::Error> {
                let mut all = Vec::new();
                while let Some(field) = fields.next_entry::<Word<'de>, &'de RawValue>()? {
                    all.push(field);
                }
                Ok(Fields(all))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// A text of JSON as a string of JSON.
pub(crate) fn push_quoted(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("every text is a JSON string"));
}

impl<'t> Tree<'t> {
    /// Reads a value; a text that is none is a leaf.
    pub(crate) fn read(text: &'t str) -> Tree<'t> {
        let text = text.trim_ascii();
        match text.as_bytes().first() {
            Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
                Ok(items) => Tree::Array(items.into_iter().map(|item| Tree::read(item.get())).collect()),
                Err(_) => Tree::Leaf(text.into()),
            },
            Some(b'{') => match serde_json::from_str::<Fields<'_>>(text) {
                Ok(fields) => {
                    let mut tree = Vec::with_capacity(fields.0.len());
                    for (key, value) in fields.0 {
                        set_field(&mut tree, key.into_text(), Tree::read(value.get()));
                    }
                    Tree::Object(tree)
                }
                Err(_) => Tree::Leaf(text.into()),
            },
            _ => Tree::Leaf(text.into()),
        }
    }

    /// Puts the keys into the order that jsonb has: shorter ones first.
    fn sort(&mut self) {
        match self {
            Tree::Leaf(_) => {}
            Tree::Array(items) => items.iter_mut().for_each(Tree::sort),
            Tree::Object(fields) => {
                fields.iter_mut().for_each(|(_, value)| value.sort());
                fields.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
            }
        }
    }

    /// Writes leaves as jsonb does: escapes as the characters that they are, numbers with all digits and without an exponent.
    fn settle(&mut self) {
        match self {
            Tree::Leaf(text) => {
                let settled = if text.starts_with('"') && text.contains('\\') {
                    serde_json::from_str::<String>(text).ok().map(|text| {
                        let mut quoted = String::new();
                        push_quoted(&text, &mut quoted);
                        quoted
                    })
                } else if text.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
                    && (text.contains(['e', 'E']) || text.starts_with("-0"))
                {
                    let mut number = Vec::new();
                    (crate::big_numeric::read(text, &mut number) == Fault::Ok).then(|| {
                        let mut digits = String::new();
                        crate::big_numeric::write(&number, &mut digits);
                        digits
                    })
                } else {
                    None
                };
                if let Some(settled) = settled {
                    *text = settled.into();
                }
            }
            Tree::Array(items) => items.iter_mut().for_each(Tree::settle),
            Tree::Object(fields) => fields.iter_mut().for_each(|(_, value)| value.settle()),
        }
    }

    /// Prints it.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Tree::Leaf(text) => out.push_str(text),
            Tree::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Tree::Object(fields) => {
                out.push('{');
                for (i, (key, value)) in fields.iter().enumerate() {
                    out.push_str(if i > 0 { ", " } else { "" });
                    push_quoted(key, out);
                    out.push_str(": ");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    fn print(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn is_null(&self) -> bool {
        matches!(self, Tree::Leaf(text) if text == "null")
    }

    /// The text of a string.
    pub(crate) fn as_string(&self) -> Option<String> {
        match self {
            Tree::Leaf(text) if text.starts_with('"') => serde_json::from_str(text).ok(),
            _ => None,
        }
    }

    /// A field, or an element by its number, from the end if negative.
    pub(crate) fn child(&self, key: &str) -> Option<&Tree<'t>> {
        match self {
            Tree::Leaf(_) => None,
            Tree::Array(items) => items.get(place(items.len(), key)?),
            Tree::Object(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, value)| value),
        }
    }
}

/// Gives a field a value in its old place, or adds it.
fn set_field<'t, V>(fields: &mut Vec<(Cow<'t, str>, V)>, key: Cow<'t, str>, value: V) {
    match fields.iter_mut().find(|(name, _)| *name == key) {
        Some((_, old)) => *old = value,
        None => fields.push((key, value)),
    }
}

/// The fields of an object, their values as written; nothing where the text is no object.
pub(crate) fn raw_fields(json: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let fields = serde_json::from_str::<Fields<'_>>(json).ok()?;
    let mut all = Vec::with_capacity(fields.0.len());
    fields.0.into_iter().for_each(|(key, value)| set_field(&mut all, key.into_text(), value.get()));
    Some(all)
}

fn place(len: usize, key: &str) -> Option<usize> {
    let number: i64 = key.parse().ok()?;
    if number >= 0 {
        usize::try_from(number).ok().filter(|at| *at < len)
    } else {
        len.checked_sub(usize::try_from(number.unsigned_abs()).ok()?)
    }
}

/// The keys of `{a,b,"c d"}`, or one key.
pub(crate) fn keys(path: &str) -> Vec<String> {
    let Some(inner) = path.trim_ascii().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return vec![path.to_owned()];
    };
    let (mut keys, mut key, mut quoted, mut any) = (Vec::new(), String::new(), false, false);
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        match character {
            '"' => (quoted, any) = (!quoted, true),
            '\\' => key.extend(rest.next()),
            ',' if !quoted => {
                keys.push(std::mem::take(&mut key));
                any = true;
            }
            blank if !quoted && blank.is_ascii_whitespace() && key.is_empty() => {}
            other => key.push(other),
        }
    }
    if !key.is_empty() || any {
        keys.push(key);
    }
    keys
}

/// What is at a path of keys, as written; no value where there is none.
pub fn at_path(json: &str, path: &str, out: &mut String) -> bool {
    let tree = Tree::read(json);
    let found = keys(path).iter().try_fold(&tree, |tree, key| tree.child(key));
    if let Some(found) = found {
        found.write(out);
    }
    found.is_some()
}

/// The text at a path of keys; no value where there is none, or null.
pub fn text_at_path(json: &str, path: &str, out: &mut String) -> bool {
    let mut found = String::new();
    at_path(json, path, &mut found) && super::json::to_text(&found, out)
}

fn holds(a: &Tree<'_>, b: &Tree<'_>) -> bool {
    match (a, b) {
        (Tree::Object(_), Tree::Object(fields)) => {
            fields.iter().all(|(key, value)| a.child(key).is_some_and(|own| holds_within(own, value)))
        }
        (Tree::Array(items), Tree::Array(wanted)) => {
            wanted.iter().all(|value| items.iter().any(|item| holds_within(item, value)))
        }
        // An array holds a lone value that is one of its elements.
        (Tree::Array(items), Tree::Leaf(_)) => items.iter().any(|item| same(item, b)),
        _ => same(a, b),
    }
}

fn holds_within(a: &Tree<'_>, b: &Tree<'_>) -> bool {
    match (a, b) {
        (Tree::Array(_), Tree::Leaf(_)) => false,
        _ => holds(a, b),
    }
}

fn same(a: &Tree<'_>, b: &Tree<'_>) -> bool {
    json_order::compare(&a.print(), &b.print()).is_eq()
}

/// Does the first hold the second: its fields with such values, its elements?
pub fn contains(a: &str, b: &str) -> bool {
    holds(&Tree::read(a), &Tree::read(b))
}

/// Does the second hold the first?
pub fn contained(a: &str, b: &str) -> bool {
    contains(b, a)
}

fn has(tree: &Tree<'_>, key: &str) -> bool {
    match tree {
        Tree::Object(fields) => fields.iter().any(|(name, _)| name == key),
        Tree::Array(items) => items.iter().any(|item| item.as_string().as_deref() == Some(key)),
        leaf @ Tree::Leaf(_) => leaf.as_string().as_deref() == Some(key),
    }
}

/// Has the value this key, or this text among its elements?
pub fn has_key(json: &str, key: &str) -> bool {
    has(&Tree::read(json), key)
}

/// Has it one of the keys of `{a,b}`?
pub fn has_any(json: &str, wanted: &str) -> bool {
    let tree = Tree::read(json);
    keys(wanted).iter().any(|key| has(&tree, key))
}

/// Has it all keys of `{a,b}`?
pub fn has_all(json: &str, wanted: &str) -> bool {
    let tree = Tree::read(json);
    keys(wanted).iter().all(|key| has(&tree, key))
}

/// The fields of both, where the second's count, or the elements of both.
pub fn concat(a: &str, b: &str, out: &mut String) {
    let joined = match (Tree::read(a), Tree::read(b)) {
        (Tree::Object(mut fields), Tree::Object(more)) => {
            more.into_iter().for_each(|(key, value)| set_field(&mut fields, key, value));
            Tree::Object(fields)
        }
        (a, b) => {
            let items = |tree| match tree {
                Tree::Array(items) => items,
                other => vec![other],
            };
            let mut both = items(a);
            both.extend(items(b));
            Tree::Array(both)
        }
    };
    joined.write(out);
}

/// Without a field, or without the elements that are this text.
pub fn without_key(json: &str, key: &str, out: &mut String) -> Fault {
    let mut tree = Tree::read(json);
    match &mut tree {
        Tree::Object(fields) => fields.retain(|(name, _)| name != key),
        Tree::Array(items) => items.retain(|item| item.as_string().as_deref() != Some(key)),
        Tree::Leaf(_) => return Fault::InvalidArgument,
    }
    tree.write(out);
    Fault::Ok
}

/// Can a value be changed at a path? A scalar has no places, and an array only those with numbers.
fn way(tree: &Tree<'_>, keys: &[String]) -> Fault {
    let mut here = Some(tree);
    for key in keys {
        match here {
            Some(Tree::Array(_)) if key.trim_ascii_start().parse::<i32>().is_err() => return Fault::InvalidText,
            Some(parent) => here = parent.child(key),
            None => break,
        }
    }
    if matches!(tree, Tree::Leaf(_)) { Fault::InvalidArgument } else { Fault::Ok }
}

/// Without what is at a path.
pub fn without_path(json: &str, path: &str, out: &mut String) -> Fault {
    let mut tree = Tree::read(json);
    let keys = keys(path);
    let fault = way(&tree, &keys);
    if fault != Fault::Ok {
        return fault;
    }
    if let Some((last, above)) = keys.split_last() {
        let parent = above.iter().try_fold(&mut tree, |tree, key| child_mut(tree, key));
        match parent {
            Some(Tree::Object(fields)) => fields.retain(|(name, _)| name != last),
            Some(Tree::Array(items)) => {
                if let Some(at) = place(items.len(), last) {
                    items.remove(at);
                }
            }
            Some(Tree::Leaf(_)) | None => {}
        }
    }
    tree.write(out);
    Fault::Ok
}

fn child_mut<'c, 't>(tree: &'c mut Tree<'t>, key: &str) -> Option<&'c mut Tree<'t>> {
    match tree {
        Tree::Leaf(_) => None,
        Tree::Array(items) => {
            let at = place(items.len(), key)?;
            items.get_mut(at)
        }
        Tree::Object(fields) => fields.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value),
    }
}

/// With a new value at a path; where the path's last key is missing it is added.
pub fn set(json: &str, path: &str, value: &str, out: &mut String) -> Fault {
    set_or_not(json, path, value, true, out)
}

/// With a new value at a path; `create` says whether a missing last key is added.
pub fn set_or_not(json: &str, path: &str, value: &str, create: bool, out: &mut String) -> Fault {
    let mut tree = Tree::read(json);
    let keys = keys(path);
    let fault = way(&tree, &keys);
    if fault != Fault::Ok {
        return fault;
    }
    if let Some((last, above)) = keys.split_last() {
        let parent = above.iter().try_fold(&mut tree, |tree, key| child_mut(tree, key));
        match parent {
            Some(Tree::Object(fields)) => {
                if create || fields.iter().any(|(name, _)| name == last) {
                    set_field(fields, Cow::Owned(last.clone()), Tree::read(value));
                }
            }
            Some(Tree::Array(items)) => match place(items.len(), last) {
                Some(at) => items[at] = Tree::read(value),
                None if create && last.starts_with('-') => items.insert(0, Tree::read(value)),
                None if create && last.parse::<i64>().is_ok() => items.push(Tree::read(value)),
                None => {}
            },
            Some(Tree::Leaf(_)) | None => {}
        }
    }
    tree.write(out);
    Fault::Ok
}

/// With a new element before the one at a path.
pub fn insert(json: &str, path: &str, value: &str, out: &mut String) -> Fault {
    insert_at(json, path, value, false, out)
}

/// With a new element before the one at a path, or behind it. A field that is there already stays, which is a fault.
pub fn insert_at(json: &str, path: &str, value: &str, after: bool, out: &mut String) -> Fault {
    let mut tree = Tree::read(json);
    let keys = keys(path);
    let fault = way(&tree, &keys);
    if fault != Fault::Ok {
        return fault;
    }
    if let Some((last, above)) = keys.split_last() {
        let parent = above.iter().try_fold(&mut tree, |tree, key| child_mut(tree, key));
        match parent {
            Some(Tree::Object(fields)) if fields.iter().all(|(name, _)| name != last) => {
                fields.push((Cow::Owned(last.clone()), Tree::read(value)));
            }
            Some(Tree::Array(items)) => {
                let at = match place(items.len(), last) {
                    Some(at) => at + usize::from(after),
                    None if last.trim_ascii_start().starts_with('-') => 0,
                    None => items.len(),
                };
                items.insert(at, Tree::read(value));
            }
            Some(Tree::Object(_)) => return Fault::InvalidArgument,
            Some(Tree::Leaf(_)) | None => {}
        }
    }
    tree.write(out);
    Fault::Ok
}

fn stripped(tree: Tree<'_>) -> Tree<'_> {
    match tree {
        Tree::Leaf(text) => Tree::Leaf(text),
        Tree::Array(items) => Tree::Array(items.into_iter().map(stripped).collect()),
        Tree::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, value)| !value.is_null());
            Tree::Object(kept.map(|(key, value)| (key, stripped(value))).collect())
        }
    }
}

/// Without fields that are null, on all levels.
pub fn strip_nulls(json: &str, out: &mut String) {
    stripped(Tree::read(json)).write(out);
}

/// How many elements an array has.
pub fn array_length(json: &str) -> (i64, Fault) {
    match Tree::read(json) {
        Tree::Array(items) => (items.len() as i64, Fault::Ok),
        Tree::Object(_) | Tree::Leaf(_) => (0, Fault::InvalidArgument),
    }
}

/// With a value at the end of an array.
pub fn push(array: &str, value: &str, out: &mut String) {
    append(array, value, ']', out);
}

/// With a field at the end of an object.
pub fn push_field(object: &str, key: &str, value: &str, out: &mut String) {
    let mut field = String::new();
    push_quoted(key, &mut field);
    field.push_str(": ");
    Tree::read(value).write(&mut field);
    append(object, &field, '}', out);
}

/// With each field or element of the whole on a line of its own, if they are to be.
pub fn in_lines(json: &str, are_apart: bool, out: &mut String) {
    let text = json.trim_ascii();
    let mut pieces: Vec<String> = Vec::new();
    let (open, close) = match text.as_bytes().first() {
        Some(b'{') if are_apart => {
            let fields = serde_json::from_str::<Fields<'_>>(text).map_or(Vec::new(), |fields| fields.0);
            for (key, value) in fields {
                let mut piece = String::new();
                push_quoted(key.as_str(), &mut piece);
                piece.push_str(": ");
                piece.push_str(value.get());
                pieces.push(piece);
            }
            ("{", "}")
        }
        Some(b'[') if are_apart => {
            let items = serde_json::from_str::<Vec<&RawValue>>(text).unwrap_or_default();
            pieces.extend(items.into_iter().map(|item| item.get().to_owned()));
            ("[", "]")
        }
        _ => return out.push_str(json),
    };
    out.push_str(open);
    out.push_str(&pieces.join(",\n "));
    out.push_str(close);
}

fn append(whole: &str, piece: &str, end: char, out: &mut String) {
    let open = whole.strip_suffix(end).unwrap_or(whole);
    out.push_str(open);
    if open.len() > 1 {
        out.push_str(", ");
    }
    out.push_str(piece);
    out.push(end);
}

/// Without the element at a place; places below zero count from the end.
pub fn without_element(json: &str, place: i64, out: &mut String) -> Fault {
    let mut tree = Tree::read(json);
    let Tree::Array(items) = &mut tree else { return Fault::InvalidArgument };
    let at = if place < 0 { items.len() as i64 + place } else { place };
    if let Ok(at) = usize::try_from(at)
        && at < items.len()
    {
        items.remove(at);
    }
    tree.write(out);
    Fault::Ok
}

/// A value as jsonb prints it: each key once, one space behind commas and colons.
pub fn tidied(json: &str, out: &mut String) {
    let mut tree = Tree::read(json);
    tree.sort();
    tree.settle();
    tree.write(out);
}

/// A key that is NULL, of an object of a kind: always a fault.
pub fn no_key(_kind: &str, _out: &mut String) -> Fault {
    Fault::InvalidArgument
}

/// A text as a JSON string.
pub fn text_to_string(a: &str, out: &mut String) {
    push_quoted(a, out);
}

/// A value with its fields and elements each on a line of its own.
pub fn pretty(json: &str, out: &mut String) {
    fn write(tree: &Tree<'_>, depth: usize, out: &mut String) {
        let line = |depth: usize, out: &mut String| {
            out.push('\n');
            out.extend(std::iter::repeat_n("    ", depth));
        };
        match tree {
            Tree::Leaf(text) => out.push_str(text),
            Tree::Array(items) if items.is_empty() => out.push_str("[\n]"),
            Tree::Object(fields) if fields.is_empty() => out.push_str("{\n}"),
            Tree::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    line(depth + 1, out);
                    write(item, depth + 1, out);
                }
                line(depth, out);
                out.push(']');
            }
            Tree::Object(fields) => {
                out.push('{');
                for (i, (key, value)) in fields.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    line(depth + 1, out);
                    push_quoted(key, out);
                    out.push_str(": ");
                    write(value, depth + 1, out);
                }
                line(depth, out);
                out.push('}');
            }
        }
    }
    write(&Tree::read(json), 0, out);
}

functions! { "func::json_tree";
    "#>" (Json, Text) -> Json, Partial, at_path, "What is at a path such as '{a,b,0}'; NULL where there is nothing.";
    "#>>" (Json, Text) -> Text, Partial, text_at_path, "The text of what is at a path; NULL where there is nothing.";
    "@>" (Json, Json) -> Boolean, Total, contains, "Does the first hold the second?";
    "<@" (Json, Json) -> Boolean, Total, contained, "Does the second hold the first?";
    "?" (Json, Text) -> Boolean, Total, has_key, "Has the first this key, or this text among its elements?";
    "?|" (Json, Text) -> Boolean, Total, has_any, "Has the first one of the keys of '{a,b}'?";
    "?&" (Json, Text) -> Boolean, Total, has_all, "Has the first all keys of '{a,b}'?";
    "||" (Json, Json) -> Json, Total, concat, "The fields or the elements of both.";
    "-" (Json, Text) -> Json, Fallible, without_key, "Without a field, or without elements that are this text.";
    "-" (Json, Integer) -> Json, Fallible, without_element, "Without the element at a place, counted from the end below 0.";
    "$json_tidied" (Json) -> Json, Total, tidied, "As jsonb prints it.";
    "$json_no_key" (Text) -> Text, Fallible, no_key, "A key that is NULL: always a fault.";
    "#-" (Json, Text) -> Json, Fallible, without_path, "Without what is at a path.";
    "jsonb_set" (Json, Text, Json) -> Json, Fallible, set, "With a new value at a path, which is added where its last key is missing.";
    "jsonb_set" (Json, Text, Json, Boolean) -> Json, Fallible, set_or_not, "With a new value at a path; the last says whether a missing key is added.";
    "jsonb_insert" (Json, Text, Json) -> Json, Fallible, insert, "With a new element before the one at a path.";
    "jsonb_insert" (Json, Text, Json, Boolean) -> Json, Fallible, insert_at, "With a new element before the one at a path; the last says whether it comes behind it instead.";
    "jsonb_strip_nulls" (Json) -> Json, Total, strip_nulls, "Without fields that are null, on all levels.";
    "json_strip_nulls" (Json) -> Json, Total, strip_nulls, "Without fields that are null, on all levels.";
    "jsonb_array_length" (Json) -> Integer, Fallible, array_length, "How many elements an array has.";
    "json_array_length" (Json) -> Integer, Fallible, array_length, "How many elements an array has.";
    "jsonb_pretty" (Json) -> Text, Total, pretty, "With fields and elements each on a line of its own.";
    "$json_lines" (Json, Boolean) -> Json, Total, in_lines, "With each field or element on a line of its own, if they are to be.";
    "$json_push" (Json, Json) -> Json, Total, push, "An array with one more value.";
    "$json_push_field" (Json, Text, Json) -> Json, Total, push_field, "An object with one more field.";
    "$json_string" (Text) -> Json, Total, text_to_string, "A text as a JSON string.";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made<T>(make: impl FnOnce(&mut String) -> T) -> String {
        let mut out = String::new();
        make(&mut out);
        out
    }

    #[test]
    fn values_come_back_with_their_numbers() {
        let text = r#"{"a": [1.50, "x\n", null], "b": {"c": true}, "a": 12345678901234567890123}"#;
        assert_eq!(made(|out| Tree::read(text).write(out)), r#"{"a": 12345678901234567890123, "b": {"c": true}}"#);
        assert_eq!(keys("{a, \"b c\",0}"), ["a", "b c", "0"]);
        assert_eq!(keys("a"), ["a"]);
        assert!(keys("{}").is_empty());
    }

    #[test]
    fn one_value_holds_another() {
        let cases = [
            (r#"{"a": 1, "b": 2}"#, r#"{"b": 2.0}"#, true),
            (r#"{"a": [1, 2, {"x": 3}]}"#, r#"{"a": [{"x": 3}]}"#, true),
            ("[1, 2, 2]", "[2, 1]", true),
            ("[1, 2]", "1", true),
            (r#"{"a": [1]}"#, r#"{"a": 1}"#, false),
            ("1", "1.0", true),
            (r#"{"a": 1}"#, "1", false),
        ];
        for (a, b, expected) in cases {
            assert_eq!(contains(a, b), expected, "{a} @> {b}");
        }
    }

    #[test]
    fn paths_are_set_and_removed() {
        let doc = r#"{"a": {"b": [1, 2]}, "c": null}"#;
        assert_eq!(made(|out| set(doc, "{a,b,0}", "9", out)), r#"{"a": {"b": [9, 2]}, "c": null}"#);
        assert_eq!(made(|out| set(doc, "{a,x}", "[]", out)), r#"{"a": {"b": [1, 2], "x": []}, "c": null}"#);
        assert_eq!(made(|out| set_or_not(doc, "{x}", "1", false, out)), doc);
        assert_eq!(made(|out| insert(doc, "{a,b,1}", "9", out)), r#"{"a": {"b": [1, 9, 2]}, "c": null}"#);
        assert_eq!(made(|out| strip_nulls(doc, out)), r#"{"a": {"b": [1, 2]}}"#);
        assert_eq!(
            made(|out| assert_eq!(without_path(doc, "{a,b,-1}", out), Fault::Ok)),
            r#"{"a": {"b": [1]}, "c": null}"#
        );
        assert_eq!(made(|out| concat(r#"{"a": 1}"#, r#"{"a": 2, "b": 3}"#, out)), r#"{"a": 2, "b": 3}"#);
        assert_eq!(made(|out| concat("[1]", "2", out)), "[1, 2]");
    }
}
