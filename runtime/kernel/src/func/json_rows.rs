//! What elements, keys and values does JSON give rows of?
//!
//! They are read once, into an array: rows then take its elements by number (`array`), however many there are.
//!
//! Holds: an element is the text that stood there. Not here: which functions in FROM ask (the binder).

use super::{Fault, json_tree::raw_fields, lift::functions};
use crate::{array::Writer, ty::Type};
use serde_json::value::RawValue;

/// The elements of an array.
pub fn elements(json: &str, out: &mut Vec<u8>) -> Fault {
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) else { return Fault::InvalidArgument };
    let mut writer = Writer::new(Type::Json);
    items.iter().for_each(|item| writer.push_raw(item.get().as_bytes()));
    out.extend_from_slice(&writer.finish_flat());
    Fault::Ok
}

/// The keys of an object.
pub fn keys(json: &str, out: &mut Vec<u8>) -> Fault {
    let Some(fields) = raw_fields(json) else { return Fault::InvalidArgument };
    let mut writer = Writer::new(Type::Text);
    fields.iter().for_each(|(key, _)| writer.push_raw(key.as_bytes()));
    out.extend_from_slice(&writer.finish_flat());
    Fault::Ok
}

/// The values of an object, in the order of its keys.
pub fn values(json: &str, out: &mut Vec<u8>) -> Fault {
    let Some(fields) = raw_fields(json) else { return Fault::InvalidArgument };
    let mut writer = Writer::new(Type::Json);
    fields.iter().for_each(|(_, value)| writer.push_raw(value.as_bytes()));
    out.extend_from_slice(&writer.finish_flat());
    Fault::Ok
}

functions! { "func::json_rows";
    "$json_elements" (Json) -> Array, Fallible, elements, "The elements of an array.";
    "$json_keys" (Json) -> Array, Fallible, keys, "The keys of an object.";
    "$json_values" (Json) -> Array, Fallible, values, "The values of an object, in the order of its keys.";
}
