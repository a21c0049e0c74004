//! How does an array become a text, JSON, or an array of other elements, and a text an array?
//!
//! As in PostgreSQL: `{1,NULL,"a b"}`, dimensions nested in braces, `[0:1]={1,2}` where a dimension does not begin at 1. The
//! elements of a text are read, and those of an array cast, by the functions that a cast of a single value would call, all
//! elements at once as a column.
//!
//! Holds: what is printed reads back as the same array.

use super::{
    Fault, RowFault, cast, find, json,
    json_tree::{Tree, push_quoted},
    lift::functions,
    narrow, zone,
};
use crate::{
    array::{DIMENSIONS_MAX, Dimension, View, Writer},
    column::{Column, ColumnBuilder},
    ty::{ElementType, Type, TypeClass},
    value::{self, Value},
};
use std::fmt::Write;

/// Bit of a type's number that says: cut what is too long, as an explicit cast does.
pub const CUTS: i64 = 1 << 60;

/// An element as text.
pub(super) fn push_element(value: &Value, out: &mut String) {
    match value {
        Value::Null => Ok(()),
        Value::Boolean(value) => out.write_str(if *value { "t" } else { "f" }),
        Value::Real(value) => value::write_real(*value, out),
        Value::Json(text) => out.write_str(text),
        other => write!(out, "{other}"),
    }
    .expect("a string takes all");
}

fn push_escaped(text: &str, out: &mut String) {
    let plain = !text.is_empty()
        && !text.eq_ignore_ascii_case("null")
        && !text.bytes().any(|byte| matches!(byte, b'{' | b'}' | b',' | b'"' | b'\\' | b' ' | b'\t'..=b'\r'));
    if plain {
        return out.push_str(text);
    }
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

/// Walks the elements, with the braces around them.
fn nested(
    lens: &[usize],
    place: &mut usize,
    braces: [char; 2],
    out: &mut String,
    element: &mut dyn FnMut(usize, &mut String),
) {
    out.push(braces[0]);
    for i in 0..lens[0] {
        if i > 0 {
            out.push(',');
        }
        if lens.len() > 1 {
            nested(&lens[1..], place, braces, out, element);
        } else {
            element(*place, out);
            *place += 1;
        }
    }
    out.push(braces[1]);
}

/// The array's text.
pub fn array_to_text(a: &[u8], out: &mut String) {
    let view = View::new(a);
    if view.is_empty() {
        return out.push_str("{}");
    }
    if view.dimensions().any(|dimension| dimension.lower != 1) {
        for dimension in view.dimensions() {
            write!(out, "[{}:{}]", dimension.lower, dimension.upper()).expect("a string takes all");
        }
        out.push('=');
    }
    let lens: Vec<usize> = view.dimensions().map(|dimension| dimension.len as usize).collect();
    let mut text = String::new();
    nested(&lens, &mut 0, ['{', '}'], out, &mut |element, out| {
        if view.is_null(element) {
            return out.push_str("NULL");
        }
        text.clear();
        push_element(&view.value(element), &mut text);
        push_escaped(&text, out);
    });
}

/// The array as JSON: arrays in arrays for dimensions.
pub fn array_to_json(a: &[u8], out: &mut String) {
    let view = View::new(a);
    if view.is_empty() {
        return out.push_str("[]");
    }
    let lens: Vec<usize> = view.dimensions().map(|dimension| dimension.len as usize).collect();
    nested(&lens, &mut 0, ['[', ']'], out, &mut |element, out| match view.value(element) {
        Value::Null => out.push_str("null"),
        Value::Json(text) => out.push_str(&text),
        value @ Value::Boolean(_) => write!(out, "{value}").expect("a string takes all"),
        Value::Real(real) => cast::f64_to_json(real, out),
        value @ (Value::Integer(_) | Value::Numeric(_)) => write!(out, "{value}").expect("a string takes all"),
        Value::BigNumeric(number) => super::big_numeric::big_to_json(number.bytes(), out),
        value @ (Value::Timestamp(_) | Value::TimestampTz(_)) => {
            push_quoted(&value.to_string().replacen(' ', "T", 1), out)
        }
        value => {
            let mut text = String::new();
            push_element(&value, &mut text);
            push_quoted(&text, out);
        }
    });
}

/// The text of an array that an array of JSON says; `None` of other JSON.
pub fn text_of_json(json: &str) -> Option<String> {
    let Tree::Array(items) = Tree::read(json) else { return None };
    let mut out = String::new();
    push_json(&items, &mut out);
    Some(out)
}

fn push_json(items: &[Tree<'_>], out: &mut String) {
    out.push('{');
    for (at, item) in items.iter().enumerate() {
        out.push_str(if at > 0 { "," } else { "" });
        match (item, item.as_string()) {
            (Tree::Array(inner), _) => push_json(inner, out),
            (_, Some(text)) => push_escaped(&text, out),
            (Tree::Leaf(text), None) if text == "null" => out.push_str("NULL"),
            (other, None) => {
                let mut text = String::new();
                other.write(&mut text);
                push_escaped(&text, out);
            }
        }
    }
    out.push('}');
}

/// The text of the array that JSON says: an array, or a string that is such a text; null is no value.
pub fn json_to_array_text(json: &str, out: &mut String) -> bool {
    match text_of_json(json) {
        Some(text) => {
            out.push_str(&text);
            true
        }
        None => json::to_text(json, out),
    }
}

/// The elements of a text, NULL as `None`.
struct Read {
    dimensions: Vec<Dimension>,
    texts: Vec<Option<String>>,
}

/// Takes an array's text apart.
struct Reader<'t> {
    rest: &'t str,
    lens: Vec<Option<usize>>,
    texts: Vec<Option<String>>,
}

impl Reader<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn take(&mut self, sign: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(sign)?;
        Some(())
    }

    /// `{..}` at a depth: all of one depth have one length.
    fn braces(&mut self, depth: usize) -> Option<()> {
        if depth == DIMENSIONS_MAX {
            return None;
        }
        self.take('{')?;
        if self.lens.len() == depth {
            self.lens.push(None);
        }
        let mut len = 0;
        self.skip_blanks();
        if self.rest.starts_with('}') {
            self.take('}')?;
        } else {
            loop {
                self.skip_blanks();
                if self.rest.starts_with('{') {
                    // What held elements holds no arrays.
                    if self.lens.len() == depth + 1 && (len > 0 || self.lens[depth].is_some()) {
                        return None;
                    }
                    self.braces(depth + 1)?;
                } else {
                    if self.lens.len() > depth + 1 {
                        return None;
                    }
                    let text = self.element()?;
                    self.texts.push(text);
                }
                len += 1;
                self.skip_blanks();
                if self.rest.starts_with(',') {
                    self.take(',')?;
                } else {
                    self.take('}')?;
                    break;
                }
            }
        }
        match self.lens[depth].replace(len) {
            Some(old) if old != len => None,
            _ => Some(()),
        }
    }

    fn element(&mut self) -> Option<Option<String>> {
        let mut text = String::new();
        if self.rest.starts_with('"') {
            self.take('"')?;
            loop {
                let character = self.next()?;
                match character {
                    '"' => break,
                    '\\' => text.push(self.next()?),
                    other => text.push(other),
                }
            }
            self.skip_blanks();
            return self.rest.starts_with([',', '}']).then_some(Some(text));
        }
        // Blanks at the end do not count, but for escaped ones.
        let (mut kept, mut escaped) = (0, false);
        while !self.rest.starts_with([',', '}']) {
            match self.next()? {
                '{' | '"' => return None,
                '\\' => {
                    text.push(self.next()?);
                    escaped = true;
                    kept = text.len();
                }
                other => {
                    text.push(other);
                    if !other.is_ascii_whitespace() {
                        kept = text.len();
                    }
                }
            }
        }
        text.truncate(kept);
        if text.is_empty() {
            return None;
        }
        Some(if !escaped && text.eq_ignore_ascii_case("null") { None } else { Some(text) })
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    /// `[1:2][0:3]=`
    fn bounds(&mut self) -> Option<Vec<(i32, i32)>> {
        let mut bounds = Vec::new();
        while self.rest.starts_with('[') {
            self.take('[')?;
            let (inside, rest) = self.rest.split_once(']')?;
            self.rest = rest;
            let (lower, upper) = inside.split_once(':').unwrap_or(("1", inside));
            bounds.push((lower.trim().parse().ok()?, upper.trim().parse().ok()?));
            self.skip_blanks();
        }
        if !bounds.is_empty() {
            self.take('=')?;
            self.skip_blanks();
        }
        Some(bounds)
    }
}

fn read(text: &str) -> Option<Read> {
    let mut reader = Reader { rest: text.trim_ascii(), lens: Vec::new(), texts: Vec::new() };
    let bounds = reader.bounds()?;
    reader.braces(0)?;
    if !reader.rest.trim_ascii().is_empty() {
        return None;
    }
    let Reader { lens, texts, .. } = reader;
    if texts.is_empty() {
        // Only `{}` is empty: `{{}}` is nothing.
        return (bounds.is_empty() && lens.len() == 1).then_some(Read { dimensions: Vec::new(), texts });
    }
    let mut dimensions: Vec<Dimension> = lens.into_iter().map(|len| Dimension::of(len.unwrap_or(0))).collect();
    if !bounds.is_empty() {
        if bounds.len() != dimensions.len() {
            return None;
        }
        for (dimension, (lower, upper)) in dimensions.iter_mut().zip(bounds) {
            dimension.lower = lower;
            if dimension.upper() != i64::from(upper) || upper == i32::MAX {
                return None;
            }
        }
    }
    Some(Read { dimensions, texts })
}

/// The values of a column as another type: all that a cast can do.
///
/// # Errors
/// The fault of the first value that has no form in the type; `InvalidArgument` where there is no cast.
pub fn cast_column(given: &Column, to: Type, cuts: bool) -> Result<Column, Fault> {
    let from = given.ty();
    let run = |function: &super::Function, args: &[Column]| {
        (function.batch)(args, given.len()).map_err(|RowFault { fault, .. }| fault)
    };
    let integer = |number: i64| Column::constant(Type::Integer, Value::Integer(number), given.len());
    if narrow::is_within(from, to) {
        return Ok(given.clone().with_ty(to));
    }
    if let Some(name) = narrow::from(from) {
        let function = find(name, &[from.class()]).ok_or(Fault::InvalidArgument)?;
        let plain = run(function, std::slice::from_ref(given))?.with_ty(from.plain());
        return cast_column(&plain, to, cuts);
    }
    if let Some((name, arg)) = narrow::to(to, cuts) {
        let plain = cast_column(given, to.plain(), cuts)?;
        let mut args = vec![plain];
        args.extend(arg.map(integer));
        let classes: Vec<TypeClass> = args.iter().map(|arg| arg.ty().class()).collect();
        let function = find(name, &classes).ok_or(Fault::InvalidArgument)?;
        return Ok(run(function, &args)?.with_ty(to));
    }
    let mut args = vec![given.clone()];
    match (from, to) {
        (Type::Numeric { scale: from, .. }, Type::Numeric { precision, scale }) => {
            args.push(integer(i64::from(scale) - i64::from(from)));
            args.push(integer(i64::from(precision)));
        }
        (_, Type::Numeric { precision, scale }) => args.extend([precision, scale].map(|digits| integer(digits.into()))),
        (Type::Numeric { scale, .. }, _) => args.push(integer(scale.into())),
        (from, to) if from.plain() == to.plain() => return Ok(given.clone().with_ty(to)),
        (_, _) => {}
    }
    let function = super::cast(from.class(), to.class()).ok_or(Fault::InvalidArgument)?;
    Ok(run(function, &args)?.with_ty(to))
}

fn write_column(column: &Column, element: ElementType, dimensions: &[Dimension], out: &mut Vec<u8>) {
    let mut writer = Writer::new(element.ty());
    column.values().for_each(|value| writer.push(&value));
    writer.finish(dimensions, out);
}

/// An array from its text; the number says the element's type.
pub fn text_to_array(a: &str, code: i64, out: &mut Vec<u8>) -> Fault {
    let Some(element) = ElementType::from_code(code & !CUTS) else { return Fault::InvalidArgument };
    let Some(Read { dimensions, texts }) = read(a) else { return Fault::InvalidText };
    let mut column = ColumnBuilder::new(Type::Text);
    for text in &texts {
        match text {
            Some(text) => column.push_text(text),
            None => column.push_null(),
        }
    }
    match cast_column(&column.finish(), element.ty(), code & CUTS != 0) {
        Ok(column) => write_column(&column, element, &dimensions, out),
        Err(fault) => return fault,
    }
    Fault::Ok
}

/// An array of elements of another type, which the number says.
pub fn array_to_array(a: &[u8], code: i64, out: &mut Vec<u8>) -> Fault {
    let Some(element) = ElementType::from_code(code & !CUTS) else { return Fault::InvalidArgument };
    let view = View::new(a);
    let mut column = ColumnBuilder::new(view.element());
    view.values().for_each(|value| column.push(&value));
    let dimensions: Vec<Dimension> = view.dimensions().collect();
    match cast_column(&column.finish(), element.ty(), code & CUTS != 0) {
        Ok(column) => write_column(&column, element, &dimensions, out),
        Err(fault) => return fault,
    }
    Fault::Ok
}

/// Instants as the texts of a zone's local time, or texts as the instants that they are in a zone.
pub fn in_zone(zone: &str, a: &[u8], out: &mut Vec<u8>) -> Fault {
    let view = View::new(a);
    let shows = view.element() == Type::TimestampTz;
    let mut writer = Writer::new(if shows { Type::Text } else { Type::TimestampTz });
    let mut text = String::new();
    for element in 0..view.len() {
        if view.is_null(element) {
            writer.push_null();
            continue;
        }
        text.clear();
        let fault = if shows {
            let fault = zone::text_in_zone(zone, view.i64(element), &mut text);
            writer.push_raw(text.as_bytes());
            fault
        } else {
            let (micros, fault) = zone::instant_in_zone(zone, view.text(element));
            writer.push_raw(&micros.to_le_bytes());
            fault
        };
        if fault != Fault::Ok {
            return fault;
        }
    }
    let dimensions: Vec<Dimension> = view.dimensions().collect();
    writer.finish(&dimensions, out);
    Fault::Ok
}

functions! { "func::array_cast";
    "$array_in_zone" (Text, Array) -> Array, Fallible, in_zone, "Instants as texts of a zone's local time, or the other way round.";
    "$cast" (Array) -> Text, Total, array_to_text, "The elements in braces.";
    "$cast" (Text, Integer) -> Array, Fallible, text_to_array, "Elements in braces: x, the number of the element's type.";
    "$cast" (Array, Integer) -> Array, Fallible, array_to_array, "Each element cast: x, the number of the element's type.";
    "$json_array_text" (Json) -> Text, Partial, json_to_array_text, "The text of the array that JSON says; NULL for null.";
    "$array_json" (Array) -> Json, Total, array_to_json, "An array of JSON.";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(text: &str, element: Type) -> Result<String, Fault> {
        let code = ElementType::of(element).expect("no array").code();
        let mut bytes = Vec::new();
        match text_to_array(text, code, &mut bytes) {
            Fault::Ok => {
                let mut out = String::new();
                array_to_text(&bytes, &mut out);
                Ok(out)
            }
            fault => Err(fault),
        }
    }

    #[test]
    fn arrays_are_read_and_printed() {
        for (text, printed) in [
            ("{1,2,NULL}", "{1,2,NULL}"),
            (" { 1 , 2 } ", "{1,2}"),
            ("{}", "{}"),
            ("{{1,2},{3,4}}", "{{1,2},{3,4}}"),
            ("[0:1]={1,2}", "[0:1]={1,2}"),
            ("[2]={1,2}", "{1,2}"),
        ] {
            assert_eq!(round(text, Type::Integer), Ok(printed.to_owned()), "{text}");
        }
        for (text, printed) in [
            (r#"{a b,"c,d","null",NULL,""}"#, r#"{"a b","c,d","null",NULL,""}"#),
            (r#"{"a\"b",a\\b}"#, r#"{"a\"b","a\\b"}"#),
        ] {
            assert_eq!(round(text, Type::Text), Ok(printed.to_owned()), "{text}");
        }
        for text in [
            "",
            "1",
            "{{}}",
            "{{},{}}",
            "[2147483646:2147483647]={1,2}",
            "{1",
            "{1,}",
            "{,1}",
            "{1}2",
            "{{1},2}",
            "{1,{2}}",
            "{{1,2},{3}}",
            "{\"a\"b}",
            "[1:3]={1,2}",
        ] {
            assert_eq!(round(text, Type::Integer), Err(Fault::InvalidText), "{text}");
        }
        assert_eq!(round("{x}", Type::Integer), Err(Fault::InvalidText));
        assert_eq!(round("{1.234,2}", Type::Numeric { precision: 5, scale: 2 }), Ok("{1.23,2.00}".to_owned()));
    }
}
