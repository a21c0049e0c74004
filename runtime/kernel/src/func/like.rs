//! Does a text match a LIKE pattern?
//!
//! `%` stands for any run of characters, `_` for one, the escape character (a backslash unless told) takes the next one
//! at its word. ILIKE compares lower case with lower case. A pattern that ends with its escape character is an error
//! whatever the text.
//!
//! The leaf walks text and pattern side by side and goes back to the last `%` on a mismatch, which is enough: an
//! earlier `%` could only have taken more. A constant pattern is looked at once a batch, and the common shapes (no
//! wildcard, or one run of text with `%` before or after it) become comparisons of bytes.

use super::{
    Fault, RowFault,
    lift::{self, Call, class, functions},
};
use crate::{column::Column, value::Value};
use memchr::memmem::Finder;
use std::borrow::Cow;

const BACKSLASH: Option<char> = Some('\\');

/// Does a text match a pattern?
pub fn like(text: &str, pattern: &str) -> (bool, Fault) {
    checked(text, pattern, BACKSLASH)
}

/// Does a text match a pattern, whatever the case?
pub fn ilike(text: &str, pattern: &str) -> (bool, Fault) {
    checked(&text.to_lowercase(), &pattern.to_lowercase(), BACKSLASH)
}

/// Does a text match a pattern with an escape character of its own (none if empty)?
pub fn like_escape(text: &str, pattern: &str, escape: &str) -> (bool, Fault) {
    match escape_of(escape) {
        Some(escape) => checked(text, pattern, escape),
        None => (false, Fault::InvalidArgument),
    }
}

/// Does a text match a pattern, whatever the case, with an escape character of its own (none if empty)?
pub fn ilike_escape(text: &str, pattern: &str, escape: &str) -> (bool, Fault) {
    like_escape(&text.to_lowercase(), &pattern.to_lowercase(), &escape.to_lowercase())
}

fn escape_of(escape: &str) -> Option<Option<char>> {
    let mut characters = escape.chars();
    let escape = characters.next();
    characters.next().is_none().then_some(escape)
}

fn checked(text: &str, pattern: &str, escape: Option<char>) -> (bool, Fault) {
    if dangles(pattern, escape) {
        return (false, Fault::InvalidArgument);
    }
    (matches(text, pattern, escape), Fault::Ok)
}

/// Does the pattern end with an escape character that escapes nothing?
fn dangles(pattern: &str, escape: Option<char>) -> bool {
    let Some(escape) = escape else { return false };
    pattern.chars().rev().take_while(|character| *character == escape).count() % 2 == 1
}

fn matches(text: &str, pattern: &str, escape: Option<char>) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern.chars());
    // Where to go on after a mismatch: the pattern after the last %, and the text one character further.
    let mut retry = None;
    loop {
        let before = text.clone();
        match pattern.next() {
            Some(wild) if Some(wild) != escape && wild == '%' => {
                retry = Some((pattern.clone(), text.clone()));
                continue;
            }
            // Without a character left this arm does not match, and the next one does not either.
            Some(wild) if Some(wild) != escape && wild == '_' && text.next().is_some() => continue,
            Some(literal) => {
                let literal = if Some(literal) == escape { pattern.next() } else { Some(literal) };
                if literal.is_some() && text.next() == literal {
                    continue;
                }
            }
            None if before.as_str().is_empty() => return true,
            None => {}
        }
        let Some((after, mut from)) = retry else { return false };
        if from.next().is_none() {
            return false;
        }
        pattern = after.clone();
        text = from.clone();
        retry = Some((after, from));
    }
}

/// A constant pattern, understood.
enum Pattern<'p> {
    Equals(String),
    StartsWith(String),
    EndsWith(String),
    Contains(Box<Finder<'static>>),
    Any(Cow<'p, str>, Option<char>),
}

impl<'p> Pattern<'p> {
    fn new(pattern: Cow<'p, str>, escape: Option<char>) -> Pattern<'p> {
        let mut literal = String::with_capacity(pattern.len());
        let (mut before, mut after) = (false, false);
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            let is_escape = Some(character) == escape;
            match character {
                '%' if !is_escape && literal.is_empty() => before = true,
                '%' if !is_escape => after = true,
                '_' if !is_escape => return Pattern::Any(pattern, escape),
                // Text after the second run of % makes the pattern a general one.
                _ if after => return Pattern::Any(pattern, escape),
                _ if is_escape => literal.extend(characters.next()),
                character => literal.push(character),
            }
        }
        match (before, after) {
            (false, false) => Pattern::Equals(literal),
            (false, true) => Pattern::StartsWith(literal),
            (true, false) => Pattern::EndsWith(literal),
            (true, true) => Pattern::Contains(Box::new(Finder::new(&literal).into_owned())),
        }
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Pattern::Equals(literal) => text == literal,
            Pattern::StartsWith(literal) => text.starts_with(literal.as_str()),
            Pattern::EndsWith(literal) => text.ends_with(literal.as_str()),
            Pattern::Contains(literal) => literal.find(text.as_bytes()).is_some(),
            Pattern::Any(pattern, escape) => matches(text, pattern, *escape),
        }
    }
}

/// A constant as text.
fn constant(column: &Column) -> Option<&str> {
    match column.as_const() {
        Some(Value::Text(text)) => Some(text),
        Some(_) | None => None,
    }
}

/// Runs a constant pattern over the texts, or the leaf where the pattern is none.
fn batch(
    function: &'static str,
    columns: &[Column],
    len: usize,
    fold: bool,
    leaf: impl Fn(&str, &str, &str) -> (bool, Fault),
) -> Result<Column, RowFault> {
    let call = Call { function, columns, len };
    let escape = match columns.get(2) {
        None => Some(BACKSLASH),
        Some(escape) => {
            constant(escape).and_then(|escape| escape_of(&escape.to_lowercase()).filter(|_| fold).or(escape_of(escape)))
        }
    };
    let text_varies = columns[0].as_const().is_none();
    if let (Some(pattern), Some(escape), true) = (constant(&columns[1]), escape, text_varies) {
        let pattern = if fold { Cow::Owned(pattern.to_lowercase()) } else { Cow::Borrowed(pattern) };
        if !dangles(&pattern, escape) {
            let pattern = Pattern::new(pattern, escape);
            let call = Call { columns: &columns[..1], ..call };
            return lift::total::<(class::Text,), class::Boolean>(call, |(text,)| {
                if fold { pattern.matches(&text.to_lowercase()) } else { pattern.matches(text) }
            });
        }
    }
    if columns.len() == 2 {
        lift::fallible::<(class::Text, class::Text), class::Boolean>(call, |(a, b)| leaf(a, b, "\\"))
    } else {
        lift::fallible::<(class::Text, class::Text, class::Text), class::Boolean>(call, |(a, b, c)| leaf(a, b, c))
    }
}

fn like_batch(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    batch("$like", columns, len, false, like_escape)
}

fn ilike_batch(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    batch("$ilike", columns, len, true, ilike_escape)
}

fn like_escape_batch(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    batch("$like_escape", columns, len, false, like_escape)
}

fn ilike_escape_batch(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    batch("$ilike_escape", columns, len, true, ilike_escape)
}

functions! { "func::like";
    "$like" (Text, Text) -> Boolean, Fallible, like by like_batch, "text LIKE pattern.";
    "$ilike" (Text, Text) -> Boolean, Fallible, ilike by ilike_batch, "text ILIKE pattern.";
    "$like_escape" (Text, Text, Text) -> Boolean, Fallible, like_escape by like_escape_batch, "text LIKE pattern ESCAPE character.";
    "$ilike_escape" (Text, Text, Text) -> Boolean, Fallible, ilike_escape by ilike_escape_batch, "text ILIKE pattern ESCAPE character.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ty::Type;
    use proptest::prelude::*;

    fn is_like(text: &str, pattern: &str) -> bool {
        let (matched, fault) = like(text, pattern);
        assert_eq!(fault, Fault::Ok);
        matched
    }

    #[test]
    fn wildcards_and_escapes() {
        for (text, pattern) in [
            ("abc", "abc"),
            ("abc", "a%"),
            ("abc", "%c"),
            ("abc", "%b%"),
            ("abc", "_b_"),
            ("abc", "%%_%c"),
            ("", "%"),
            ("añc", "a_c"),
            ("50%", "50\\%"),
            ("mississippi", "%iss%ip%"),
            ("a\\b", "a\\\\b"),
        ] {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("abc", "b"), ("abc", "_"), ("abc", "%b"), ("50x", "50\\%"), ("", "_"), ("abc", "ABC")]
        {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
        assert_eq!(ilike("ÀBC", "à%"), (true, Fault::Ok));
        assert_eq!(like_escape("50%", "50#%", "#"), (true, Fault::Ok));
        assert_eq!(like_escape("a\\", "a\\", ""), (true, Fault::Ok));
        assert_eq!(like_escape("a%", "a%%", "%"), (true, Fault::Ok));
        assert_eq!(like("abc", "abc\\").1, Fault::InvalidArgument);
        assert_eq!(like_escape("abc", "abc", "##").1, Fault::InvalidArgument);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn constant_patterns_match_like_the_leaf(text in "[ab%\u{e9}A]{0,5}", pattern in "[ab%_\\\\\u{e9}]{0,6}", fold: bool) {
            let texts = Column::from_values(Type::Text, &[Value::Text(text.clone()), Value::Text("ab".into())]);
            let constant = Column::constant(Type::Text, Value::Text(pattern.clone()), 2);
            let batch = if fold { ilike_batch } else { like_batch };
            let leaf = if fold { ilike } else { like };
            match batch(&[texts, constant], 2) {
                Ok(matched) => prop_assert_eq!((matched.value(0), Fault::Ok), (Value::Boolean(leaf(&text, &pattern).0), leaf(&text, &pattern).1)),
                Err(fault) => prop_assert_eq!((fault.fault, fault.row), (leaf(&text, &pattern).1, 0)),
            }
        }
    }
}
