//! Which elements does an array have, and what does a text part into?
//!
//! Containment, overlap, looking for an element, taking elements out, `op ANY` and `op ALL`, and texts that are split or
//! joined. An element beside an array comes as an array of one; where PostgreSQL looks for NULL as for a value, so do we.
//!
//! Not here: places and dimensions (`array`).

use super::{
    Fault, RowFault,
    array_cast::push_element,
    lift::{self, Call, class, functions},
    like,
    regex::{self, groups_of, pieces_of},
};
use crate::{
    array::{Dimension, View, Writer, compare_elements},
    column::Column,
    pause::Pace,
    ty::Type,
    value::Value,
};
use std::{cmp::Ordering, collections::HashSet};

fn has(view: View<'_>, other: View<'_>, element: usize) -> bool {
    (0..view.len()).any(|own| !view.is_null(own) && compare_elements((view, own), (other, element)).is_eq())
}

/// Does the first have each element of the second? NULL is never had.
pub fn contains(a: &[u8], b: &[u8]) -> bool {
    let (one, two) = (View::new(a), View::new(b));
    (0..two.len()).all(|element| !two.is_null(element) && has(one, two, element))
}

/// Does the second have each element of the first?
pub fn contained(a: &[u8], b: &[u8]) -> bool {
    contains(b, a)
}

/// Have both an element in common?
pub fn overlaps(a: &[u8], b: &[u8]) -> bool {
    let (one, two) = (View::new(a), View::new(b));
    (0..two.len()).any(|element| !two.is_null(element) && has(one, two, element))
}

/// The bit of a comparison's number that asks for all elements.
pub const ALL: i64 = 8;

/// The number of a comparison: what [`among`] is asked with.
pub fn comparison(sign: &str) -> Option<i64> {
    ["=", "<>", "<", "<=", ">", ">="].iter().position(|known| *known == sign).map(|place| place as i64)
}

/// Is the comparison true of an element (in an array of one) and one element of an array, or all? Unknown where NULLs leave
/// it open.
pub fn among(element: &[u8], a: &[u8], code: i64) -> Option<bool> {
    let (needle, view) = (View::new(element), View::new(a));
    let all = code & ALL != 0;
    if view.is_empty() {
        return Some(all);
    }
    if needle.is_null(0) {
        return None;
    }
    let mut unknown = false;
    for own in 0..view.len() {
        if view.is_null(own) {
            unknown = true;
            continue;
        }
        let order = compare_elements((needle, 0), (view, own));
        let holds = match code & !ALL {
            0 => order.is_eq(),
            1 => order.is_ne(),
            2 => order.is_lt(),
            3 => order.is_le(),
            4 => order.is_gt(),
            _ => order.is_ge(),
        };
        if holds != all {
            return Some(holds);
        }
    }
    if unknown { None } else { Some(all) }
}

/// As many elements are looked at one by one at most; more of them are looked up.
const SHORT_MAX: usize = 8;

/// The elements of a constant array of which one shall be equal, where equal ones have equal bytes; and has it NULLs?
fn looked_up(columns: &[Column]) -> Option<(HashSet<Vec<u8>>, bool)> {
    let [_, array, code] = columns else { return None };
    let (Some(Value::Array(array)), Some(Value::Integer(0))) = (array.as_const(), code.as_const()) else { return None };
    let view = array.view();
    let is_plain = !matches!(view.element(), Type::Real | Type::Json | Type::Interval | Type::BigNumeric);
    let elements = || (0..view.len()).filter(|own| !view.is_null(*own)).map(|own| view.raw(own).to_vec()).collect();
    (is_plain && view.len() > SHORT_MAX).then(|| (elements(), view.has_nulls()))
}

fn among_batch(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    let function = "$array_among";
    let Some((elements, has_nulls)) = looked_up(columns) else {
        let call = Call { function, columns, len };
        return lift::partial::<(class::Array, class::Array, class::Integer), class::Boolean>(
            call,
            |(element, a, code)| among(element, a, code),
        );
    };
    let call = Call { function, columns: &columns[..1], len };
    lift::partial::<(class::Array,), class::Boolean>(call, |(element,)| {
        let needle = View::new(element);
        let is_null = needle.is_empty() || needle.is_null(0);
        let found = !is_null && elements.contains(needle.raw(0));
        (found || !(has_nulls || is_null)).then_some(found)
    })
}

/// Does a text match a pattern?
type Match = fn(&str, &str) -> (bool, Fault);

/// How texts are matched, in the order of their numbers, and which answer is wanted.
const MATCHES: [(&str, Match, bool); 8] = [
    ("~~", like::like, true),
    ("!~~", like::like, false),
    ("~~*", like::ilike, true),
    ("!~~*", like::ilike, false),
    ("~", regex::matches, true),
    ("!~", regex::matches, false),
    ("~*", regex::matches_any_case, true),
    ("!~*", regex::matches_any_case, false),
];

/// The number of a way to match texts, as an operator is written: what [`match_among`] is asked with.
pub fn matching(sign: &str) -> Option<i64> {
    MATCHES.iter().position(|(known, ..)| *known == sign).map(|place| (place as i64) << 4)
}

/// Does a text (in an array of one) match one of the patterns that are not NULL, or all?
pub fn match_among(text: &[u8], patterns: &[u8], code: i64) -> (bool, Fault) {
    let (needle, view) = (View::new(text), View::new(patterns));
    let all = code & ALL != 0;
    let way = usize::try_from(code >> 4).ok().and_then(|place| MATCHES.get(place));
    let Some((_, leaf, wanted)) = way else { return (false, Fault::InvalidArgument) };
    if needle.is_empty() || needle.is_null(0) {
        return (all, Fault::Ok);
    }
    for own in (0..view.len()).filter(|own| !view.is_null(*own)) {
        match leaf(needle.text(0), view.text(own)) {
            (found, Fault::Ok) if (found == *wanted) != all => return (!all, Fault::Ok),
            (_, Fault::Ok) => {}
            (_, fault) => return (false, fault),
        }
    }
    (all, Fault::Ok)
}

/// What [`match_among`] is put together with: unknown where the text or a pattern is NULL.
pub fn open_among(text: &[u8], patterns: &[u8], code: i64) -> Option<bool> {
    let (needle, view) = (View::new(text), View::new(patterns));
    let open = !view.is_empty() && (needle.is_empty() || needle.is_null(0) || view.has_nulls());
    (!open).then_some(code & ALL != 0)
}

fn lower_of(view: View<'_>) -> i64 {
    view.dimensions().next().map_or(1, |dimension| i64::from(dimension.lower))
}

fn is_same(view: View<'_>, own: usize, needle: View<'_>) -> bool {
    compare_elements((view, own), (needle, 0)) == Ordering::Equal
}

/// The first of some subscripts that is no lower than this one.
pub fn first_from(subscripts: &[u8], start: i64) -> Option<i64> {
    let view = View::new(subscripts);
    (0..view.len()).map(|own| view.i64(own)).find(|subscript| *subscript >= start)
}

/// How many elements of a rising array are not above an element (in an array of one).
pub fn bucket(element: &[u8], a: &[u8]) -> (i64, Fault) {
    let (needle, view) = (View::new(element), View::new(a));
    if view.has_nulls() {
        return (0, Fault::InvalidArgument);
    }
    if needle.is_empty() {
        return (0, Fault::Ok);
    }
    if view.dimensions().len() > 1 {
        return (0, Fault::ArrayShape);
    }
    let (mut low, mut high) = (0, view.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if compare_elements((view, middle), (needle, 0)).is_gt() {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    (low as i64, Fault::Ok)
}

/// The subscripts of all elements that are this one (in an array of one).
pub fn positions(a: &[u8], element: &[u8], out: &mut Vec<u8>) -> Fault {
    let (view, needle) = (View::new(a), View::new(element));
    if view.dimensions().len() > 1 {
        return Fault::ArrayShape;
    }
    let lower = lower_of(view);
    let mut writer = Writer::new(Type::Integer);
    for own in (0..view.len()).filter(|own| is_same(view, *own, needle)) {
        writer.push_raw(&(lower + own as i64).to_le_bytes());
    }
    out.extend_from_slice(&writer.finish_flat());
    Fault::Ok
}

/// Without the elements that are this one (in an array of one).
pub fn remove(a: &[u8], element: &[u8], out: &mut Vec<u8>) -> Fault {
    let (view, needle) = (View::new(a), View::new(element));
    let mut dimensions: Vec<Dimension> = view.dimensions().collect();
    if dimensions.len() > 1 {
        return Fault::ArrayShape;
    }
    let mut writer = Writer::new(view.element());
    (0..view.len()).filter(|own| !is_same(view, *own, needle)).for_each(|own| writer.push_from(view, own));
    if let Some(first) = dimensions.first_mut() {
        first.len = writer.len() as u32;
    }
    writer.finish(&dimensions, out);
    Fault::Ok
}

/// With another element for those that are this one (each in an array of one).
pub fn replace(a: &[u8], element: &[u8], by: &[u8], out: &mut Vec<u8>) {
    let (view, needle, by) = (View::new(a), View::new(element), View::new(by));
    let dimensions: Vec<Dimension> = view.dimensions().collect();
    let mut writer = Writer::new(view.element());
    for own in 0..view.len() {
        if is_same(view, own, needle) {
            writer.push_from(by, 0);
        } else {
            writer.push_from(view, own);
        }
    }
    writer.finish(&dimensions, out);
}

fn join(a: &[u8], separator: &str, null: Option<&str>, out: &mut String) {
    let view = View::new(a);
    let mut is_first = true;
    let mut pace = Pace::default();
    for own in (0..view.len()).take_while(|_| pace.goes_on()) {
        if view.is_null(own) && null.is_none() {
            continue;
        }
        out.push_str(if is_first { "" } else { separator });
        is_first = false;
        match (view.is_null(own), null) {
            (true, Some(null)) => out.push_str(null),
            _ => push_element(&view.value(own), out),
        }
    }
}

/// The elements as texts with a separator between, NULLs left out.
pub fn to_text(a: &[u8], separator: &str, out: &mut String) {
    join(a, separator, None, out);
}

/// The elements as texts with a separator between, and a text for NULL.
pub fn to_text_null(a: &[u8], separator: &str, null: &str, out: &mut String) {
    join(a, separator, Some(null), out);
}

fn push_pieces<'t>(pieces: impl Iterator<Item = &'t str>, null: Option<&str>, out: &mut Vec<u8>) {
    let mut writer = Writer::new(Type::Text);
    let mut pace = Pace::default();
    for piece in pieces.take_while(|_| pace.goes_on()) {
        if Some(piece) == null {
            writer.push_null();
        } else {
            writer.push_raw(piece.as_bytes());
        }
    }
    out.extend_from_slice(&writer.finish_flat());
}

fn split(a: &str, separator: &str, null: Option<&str>, out: &mut Vec<u8>) {
    match (a.is_empty(), separator.is_empty()) {
        (true, _) => push_pieces(std::iter::empty(), null, out),
        (false, true) => push_pieces(std::iter::once(a), null, out),
        (false, false) => push_pieces(a.split(separator), null, out),
    }
}

/// The pieces of a text between separators.
pub fn pieces(a: &str, separator: &str, out: &mut Vec<u8>) {
    split(a, separator, None, out);
}

/// The pieces of a text between separators, NULL for those that are a text.
pub fn pieces_null(a: &str, separator: &str, null: &str, out: &mut Vec<u8>) {
    split(a, separator, Some(null), out);
}

/// The names that dots part: those in quotes as they are, the others in lower case. Where it is strict, nothing may follow.
pub fn identifiers(a: &str, strict: bool, out: &mut Vec<u8>) -> Fault {
    let (mut names, mut rest) = (Vec::new(), a.trim_start());
    loop {
        let (name, behind) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let Some(end) = closing_quote(quoted) else { return Fault::InvalidArgument };
                (quoted[..end].replace("\"\"", "\""), &quoted[end + 1..])
            }
            None => {
                let goes_on = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$');
                let end = rest.find(|letter| !goes_on(letter)).unwrap_or(rest.len());
                if rest.starts_with(|first: char| first.is_ascii_digit() || first == '$') {
                    return Fault::InvalidArgument;
                }
                (rest[..end].to_lowercase(), &rest[end..])
            }
        };
        if name.is_empty() {
            return Fault::InvalidArgument;
        }
        names.push(name);
        rest = behind.trim_start();
        match rest.strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None if strict && !rest.is_empty() => return Fault::InvalidArgument,
            None => break,
        }
    }
    push_pieces(names.iter().map(String::as_str), None, out);
    Fault::Ok
}

/// The names that dots part, and nothing else.
pub fn identifiers_alone(a: &str, out: &mut Vec<u8>) -> Fault {
    identifiers(a, true, out)
}

/// Where a quoted name ends; two quotes are one of the name's own.
fn closing_quote(quoted: &str) -> Option<usize> {
    let mut quotes = quoted.match_indices('"').map(|(at, _)| at).peekable();
    while let Some(at) = quotes.next() {
        if quotes.next_if_eq(&(at + 1)).is_none() {
            return Some(at);
        }
    }
    None
}

/// The characters of a text.
pub fn letters(a: &str, out: &mut Vec<u8>) {
    push_pieces(a.char_indices().map(|(at, letter)| &a[at..at + letter.len_utf8()]), None, out);
}

/// The pieces of a text between matches.
pub fn split_regex(a: &str, pattern: &str, flags: &str, out: &mut Vec<u8>) -> Fault {
    match pieces_of(a, pattern, flags) {
        Ok(pieces) => {
            push_pieces(pieces.into_iter(), None, out);
            Fault::Ok
        }
        Err(fault) => fault,
    }
}

/// What the groups of each match matched, a row each, or the whole match if there are no groups. Without the flag `g` only
/// the first match counts.
pub fn match_regex(a: &str, pattern: &str, flags: &str, out: &mut Vec<u8>) -> Fault {
    let rows = match groups_of(a, pattern, flags) {
        Ok(rows) => rows,
        Err(fault) => return fault,
    };
    let mut writer = Writer::new(Type::Text);
    for group in rows.iter().flatten() {
        match group {
            Some(text) => writer.push_raw(text.as_bytes()),
            None => writer.push_null(),
        }
    }
    let width = rows.first().map_or(0, Vec::len);
    writer.finish(&[Dimension::of(rows.len()), Dimension::of(width)], out);
    Fault::Ok
}

functions! { "func::array_set";
    "@>" (Array, Array) -> Boolean, Total, contains, "Does the first have each element of the second?";
    "<@" (Array, Array) -> Boolean, Total, contained, "Does the second have each element of the first?";
    "&&" (Array, Array) -> Boolean, Total, overlaps, "Have both an element in common?";
    "$match_among" (Array, Array, Integer) -> Boolean, Fallible, match_among, "Does a text match one, or all, of the patterns of an array?";
    "$open_among" (Array, Array, Integer) -> Boolean, Partial, open_among, "Is the answer of $match_among unknown?";
    "$array_among" (Array, Array, Integer) -> Boolean, Partial, among by among_batch, "Is a comparison true of an element and one, or all, of an array?";
    "$array_from" (Array, Integer) -> Integer, Partial, first_from, "The first of some subscripts from one on.";
    "width_bucket" (Array, Array) -> Integer, Fallible, bucket, "How many elements of a rising array are not above an element.";
    "array_positions" (Array, Array) -> Array, Fallible, positions, "The subscripts of all such elements.";
    "array_remove" (Array, Array) -> Array, Fallible, remove, "Without such elements.";
    "array_replace" (Array, Array, Array) -> Array, Total, replace, "With another element for such ones.";
    "array_to_string" (Array, Text) -> Text, Total, to_text, "The elements with a separator between, NULLs left out.";
    "array_to_string" (Array, Text, Text) -> Text, Total, to_text_null, "The elements with a separator between, and a text for NULL.";
    "parse_ident" (Text) -> Array, Fallible, identifiers_alone, "The names of an identifier with dots, as SQL reads them.";
    "parse_ident" (Text, Boolean) -> Array, Fallible, identifiers, "The names of an identifier with dots; where the second is false, whatever may follow them.";
    "string_to_array" (Text, Text) -> Array, Total, pieces, "The pieces of a text between separators; NULL parts letters.";
    "string_to_array" (Text, Text, Text) -> Array, Total, pieces_null, "The pieces of a text between separators, NULL for those that are the third text.";
    "$letters" (Text) -> Array, Total, letters, "The characters of a text.";
    "regexp_split_to_array" (Text, Text, Text) -> Array, Fallible, split_regex, "The pieces of a text between matches, by flags.";
    "$regexp_matches" (Text, Text, Text) -> Array, Fallible, match_regex, "What the groups of each match matched, a row each.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{array::Array, ty::ElementType};

    fn integers(values: &[Option<i64>]) -> Vec<u8> {
        let values: Vec<Value> = values.iter().map(|value| Value::from(*value)).collect();
        Array::of(ElementType::of(Type::Integer).expect("no array"), &values).bytes().to_vec()
    }

    #[test]
    fn any_and_all_know_three_values() {
        let (one, none) = (integers(&[Some(1)]), integers(&[None]));
        let equal = comparison("=").expect("known");
        assert_eq!(among(&one, &integers(&[Some(2), Some(1)]), equal), Some(true));
        assert_eq!(among(&one, &integers(&[Some(2), None]), equal), None);
        assert_eq!(among(&one, &integers(&[Some(2)]), equal), Some(false));
        assert_eq!(among(&one, &integers(&[Some(1), None]), equal | ALL), None);
        assert_eq!(among(&one, &integers(&[Some(2), None]), equal | ALL), Some(false));
        assert_eq!(among(&none, &integers(&[]), equal), Some(false));
        assert_eq!(among(&none, &one, equal | ALL), None);
    }

    #[test]
    fn null_is_had_by_nobody() {
        let (some, null) = (integers(&[Some(1), None]), integers(&[None]));
        assert!(!contains(&some, &null) && !overlaps(&some, &null));
        assert!(contains(&some, &integers(&[])) && contains(&some, &integers(&[Some(1), Some(1)])));
        let mut found = Vec::new();
        assert_eq!(positions(&some, &null, &mut found), Fault::Ok);
        assert_eq!((first_from(&found, 1), first_from(&found, 3)), (Some(2), None));
    }
}
