//! Which of two JSON values comes first?
//!
//! The total order is PostgreSQL's for jsonb: null < string < number < boolean < array < object; arrays and objects first
//! by how much they hold, then element by element, where an object's keys stand shorter before longer and compare
//! bytewise; a key given twice counts by its last value; numbers compare by value, however they are written. An empty array
//! comes before all others where it is no part of another value: so PostgreSQL has it, for reasons of its history.
//!
//! Holds: the order is that of the bytes of [`sort_key`], so sorting, grouping and comparing cannot disagree.

use super::{json::Word, lift::functions};
use crate::key::push_string;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{cmp::Ordering, collections::HashMap, fmt};

/// An empty array that is not within another value.
const EMPTY: u8 = 0;
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
    let text = text.trim_ascii();
    let is_empty = text.strip_prefix('[').is_some_and(|rest| rest.trim_ascii_start() == "]");
    if is_empty {
        out.push(EMPTY);
    } else if push_value(text, out).is_none() {
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

/// Are two values equal?
pub fn eq_json(a: &str, b: &str) -> bool {
    compare(a, b).is_eq()
}

/// Do two values differ?
pub fn ne_json(a: &str, b: &str) -> bool {
    compare(a, b).is_ne()
}

/// Are two values in rising order?
pub fn lt_json(a: &str, b: &str) -> bool {
    compare(a, b).is_lt()
}

/// Are two values equal or in rising order?
pub fn le_json(a: &str, b: &str) -> bool {
    compare(a, b).is_le()
}

/// Are two values in falling order?
pub fn gt_json(a: &str, b: &str) -> bool {
    compare(a, b).is_gt()
}

/// Are two values equal or in falling order?
pub fn ge_json(a: &str, b: &str) -> bool {
    compare(a, b).is_ge()
}

/// Do two values differ, where NULL differs from all but NULL?
pub fn distinct_json(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => ne_json(a, b),
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
    }
}

functions! { "func::json_order";
    "=" (Json, Json) -> Boolean, Total, eq_json, "Are both the same value, however written?";
    "<>" (Json, Json) -> Boolean, Total, ne_json, "Do both values differ?";
    "<" (Json, Json) -> Boolean, Total, lt_json, "Does the first come before in the total order?";
    "<=" (Json, Json) -> Boolean, Total, le_json, "Does the first not come after in the total order?";
    ">" (Json, Json) -> Boolean, Total, gt_json, "Does the first come after in the total order?";
    ">=" (Json, Json) -> Boolean, Total, ge_json, "Does the first not come before in the total order?";
    "$is_distinct" (Json, Json) -> Boolean, NullAware, distinct_json, "IS DISTINCT FROM.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_order_is_total_and_by_value() {
        let rising = [
            "[]",
            "null",
            "\"\"",
            "\"a\"",
            "\"a\\u0000\"",
            "\"b\"",
            "-1e400",
            "-10",
            "-2.5",
            "-1e-5",
            "0",
            "1e-400",
            "0.1",
            "1",
            "1.5",
            "12",
            "1e3",
            "1e400",
            "false",
            "true",
            "[2]",
            "[[]]",
            "[1, 1]",
            "[1, 2]",
            "{}",
            "{\"aa\": 1}",
            "{\"b\": 1}",
            "{\"b\": 2}",
            "{\"a\": 1, \"b\": 0}",
        ];
        for (i, one) in rising.iter().enumerate() {
            for (j, two) in rising.iter().enumerate() {
                assert_eq!(compare(one, two), i.cmp(&j), "{one} {two}");
            }
        }
        for (one, two) in
            [("1", "1.0"), ("100", "1e2"), ("-0", "0.00"), ("[1,2]", " [1, 2.0 ]"), ("\"a\"", "\"\\u0061\"")]
        {
            assert!(eq_json(one, two), "{one} {two}");
        }
        assert!(eq_json(r#"{"a":1,"b":2}"#, r#"{"b": 2, "a": 7, "a": 1}"#));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn integers_order_as_numbers(a: i64, b: i64, shift in 0usize..4) {
            let shifted = format!("{b}.{}", "0".repeat(shift + 1));
            prop_assert_eq!(compare(&a.to_string(), &shifted), a.cmp(&b));
        }

        #[test]
        fn no_text_breaks_the_order(text in "[]\\[{}\"a:,1.e+-]{0,20}") {
            prop_assert!(compare(&text, &text).is_eq());
            sort_key(&text, &mut Vec::new());
        }
    }
}
