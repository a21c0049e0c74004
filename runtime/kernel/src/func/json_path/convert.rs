//! What do the methods of a path make of an item that is of another type?
//!
//! `.double()`, `.bigint()`, `.integer()`, `.number()`, `.decimal(p, s)`, `.boolean()` and `.string()`: numbers of strings that say
//! them, whole ones rounded and within their range, strings of scalars.
//!
//! Not here: dates and times (`moment`).

use super::{
    Fault,
    look::{Stop, leaf, number_leaf, number_of},
    moment::Moment,
};
use crate::{
    big_numeric,
    func::{
        cast,
        json_tree::{Tree, push_quoted},
    },
};
use std::ops::RangeInclusive;

const fn none<T>() -> Result<T, Stop> {
    Err(Stop::Soft(Fault::PathNoValue))
}

/// A floating-point number, never an infinity or NaN.
pub(super) fn double<'t>(item: &Tree<'t>) -> Result<Tree<'t>, Stop> {
    let text = match item {
        Tree::Leaf(text) if text.starts_with('"') => item.as_string(),
        item => number_of(item).map(|_| {
            let mut written = String::new();
            item.write(&mut written);
            written
        }),
    };
    match text.and_then(|text| text.trim().parse::<f64>().ok()).filter(|value| value.is_finite()) {
        Some(value) => {
            let mut out = String::new();
            cast::f64_to_json(value, &mut out);
            Ok(leaf(out))
        }
        None => Err(Stop::Soft(Fault::PathNoNumber)),
    }
}

/// A whole number: a number rounded, or a string that says one.
pub(super) fn whole<'t>(item: &Tree<'t>, range: RangeInclusive<i64>) -> Result<Tree<'t>, Stop> {
    let value = match (number_of(item), item.as_string()) {
        (Some(number), _) => big_numeric::number::to_i64(&number),
        (None, Some(text)) => cast::text_to_i64(&text),
        (None, None) => return none(),
    };
    match value {
        (value, Fault::Ok) if range.contains(&value) => Ok(leaf(value.to_string())),
        _ => none(),
    }
}

/// An exact number: of a number or of a string, with so many digits.
pub(super) fn number<'t>(item: &Tree<'t>, digits: Option<(i64, i64)>) -> Result<Tree<'t>, Stop> {
    let mut number = Vec::new();
    match (number_of(item), item.as_string()) {
        (Some(found), _) => number = found,
        (None, Some(text)) if big_numeric::read(text.trim(), &mut number) == Fault::Ok => {}
        _ => return none(),
    }
    if !big_numeric::is_finite(&number) {
        return none();
    }
    let Some((precision, scale)) = digits else { return Ok(number_leaf(&number)) };
    let (Ok(precision @ 1..=1000), Ok(scale @ -1000..=1000)) = (u16::try_from(precision), i16::try_from(scale)) else {
        return none();
    };
    let mut fitted = Vec::new();
    match big_numeric::number::fit(&number, precision, scale, &mut fitted) {
        Fault::Ok => Ok(number_leaf(&fitted)),
        _ => none(),
    }
}

/// A boolean: itself, of a whole number whether it is not 0, or of a string that says one.
pub(super) fn boolean<'t>(item: &Tree<'t>) -> Result<Tree<'t>, Stop> {
    let is = match item {
        Tree::Leaf(text) => match (text.as_ref(), item.as_string()) {
            ("true", _) => true,
            ("false", _) => false,
            (_, Some(string)) => match cast::text_to_bool(&string) {
                (is, Fault::Ok) => is,
                _ => return none(),
            },
            (number, None) => match number.parse::<i32>() {
                Ok(number) => number != 0,
                Err(_) => return none(),
            },
        },
        Tree::Array(_) | Tree::Object(_) => return none(),
    };
    Ok(leaf(if is { "true" } else { "false" }))
}

/// A string: of a scalar its text.
pub(super) fn string<'t>(item: &Tree<'t>) -> Result<Tree<'t>, Stop> {
    let text = match (Moment::of(item), item) {
        (Some(moment), _) => moment.text(),
        (None, Tree::Leaf(text)) if text.starts_with('"') => return Ok(item.clone()),
        (None, Tree::Leaf(text)) if text != "null" => text.to_string(),
        (None, Tree::Leaf(_) | Tree::Array(_) | Tree::Object(_)) => return none(),
    };
    let mut out = String::new();
    push_quoted(&text, &mut out);
    Ok(leaf(out))
}
