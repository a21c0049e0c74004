//! How are texts cut, joined, changed and searched?
//!
//! As in PostgreSQL: positions count characters from 1 and may lie outside of the text, a negative count in `left`,
//! `right` and `split_part` counts from the other end. A character is a Unicode code point; upper and lower case are
//! Unicode's. BLOBs count bytes.
//!
//! Holds: no result is longer than [`TEXT_BYTES_MAX`]. Not here: LIKE (`like`).

use super::{Fault, lift::functions};
use crate::pause::{self, Pace};

/// The longest text that a function makes, as in PostgreSQL.
pub const TEXT_BYTES_MAX: usize = 1 << 30;

/// All letters in upper case.
pub fn upper(a: &str, out: &mut String) {
    if a.is_ascii() {
        let start = out.len();
        out.push_str(a);
        out[start..].make_ascii_uppercase();
    } else {
        let mut pace = Pace::default();
        out.extend(a.chars().take_while(|_| pace.goes_on()).flat_map(char::to_uppercase));
    }
}

/// All letters in lower case.
pub fn lower(a: &str, out: &mut String) {
    if a.is_ascii() {
        let start = out.len();
        out.push_str(a);
        out[start..].make_ascii_lowercase();
    } else {
        let mut pace = Pace::default();
        out.extend(a.chars().take_while(|_| pace.goes_on()).flat_map(char::to_lowercase));
    }
}

/// How many characters.
#[inline]
pub fn char_length(a: &str) -> i64 {
    // Every character has one byte that does not continue another: this form vectorises.
    a.bytes().filter(|byte| (*byte as i8) >= -0x40).count() as i64
}

/// How many bytes.
#[inline]
pub fn octet_length(a: &str) -> i64 {
    a.len() as i64
}

/// How many bytes.
#[inline]
pub fn blob_length(a: &[u8]) -> i64 {
    a.len() as i64
}

/// The byte at which character `idx` (from 0) begins; the text's length when it has fewer.
fn byte_of(a: &str, idx: i64) -> usize {
    match usize::try_from(idx) {
        Err(_) | Ok(0) => 0,
        Ok(idx) if a.is_ascii() => idx.min(a.len()),
        Ok(idx) => a.char_indices().nth(idx).map_or(a.len(), |(byte, _)| byte),
    }
}

/// From a position to the end.
pub fn substr_from(a: &str, start: i64, out: &mut String) {
    out.push_str(&a[byte_of(a, start.saturating_sub(1))..]);
}

/// So many characters from a position, of which those outside of the text do not show.
pub fn substr(a: &str, start: i64, count: i64, out: &mut String) -> Fault {
    if count < 0 {
        return Fault::InvalidArgument;
    }
    let first = start.saturating_sub(1);
    let end = first.saturating_add(count);
    if end > 0 {
        let tail = &a[byte_of(a, first)..];
        out.push_str(&tail[..byte_of(tail, end - first.max(0))]);
    }
    Fault::Ok
}

/// From a byte to the end.
pub fn blob_substr_from(a: &[u8], start: i64, out: &mut Vec<u8>) {
    let first = usize::try_from(start.saturating_sub(1)).unwrap_or(0);
    out.extend_from_slice(a.get(first..).unwrap_or_default());
}

/// So many bytes from a position, of which those outside do not show.
pub fn blob_substr(a: &[u8], start: i64, count: i64, out: &mut Vec<u8>) -> Fault {
    if count < 0 {
        return Fault::InvalidArgument;
    }
    let bound = |position: i64| usize::try_from(position).unwrap_or(0).min(a.len());
    let first = start.saturating_sub(1);
    out.extend_from_slice(&a[bound(first)..bound(first.saturating_add(count)).max(bound(first))]);
    Fault::Ok
}

/// Without spaces at both ends.
pub fn trim(a: &str, out: &mut String) {
    out.push_str(a.trim_matches(' '));
}

/// Without spaces at the start.
pub fn ltrim(a: &str, out: &mut String) {
    out.push_str(a.trim_start_matches(' '));
}

/// Without spaces at the end.
pub fn rtrim(a: &str, out: &mut String) {
    out.push_str(a.trim_end_matches(' '));
}

/// Without any of the characters of the second text at both ends.
pub fn trim_of(a: &str, characters: &str, out: &mut String) {
    out.push_str(a.trim_matches(|character| characters.contains(character)));
}

/// Without any of the characters of the second text at the start.
pub fn ltrim_of(a: &str, characters: &str, out: &mut String) {
    out.push_str(a.trim_start_matches(|character| characters.contains(character)));
}

/// Without any of the characters of the second text at the end.
pub fn rtrim_of(a: &str, characters: &str, out: &mut String) {
    out.push_str(a.trim_end_matches(|character| characters.contains(character)));
}

/// With each occurrence of the second text replaced by the third.
pub fn replace(a: &str, from: &str, to: &str, out: &mut String) -> Fault {
    if from.is_empty() {
        out.push_str(a);
        return Fault::Ok;
    }
    if to.len() > from.len() {
        let grown = a.matches(from).count().saturating_mul(to.len() - from.len());
        if grown.saturating_add(a.len()) > TEXT_BYTES_MAX {
            return Fault::TooLarge;
        }
    }
    let mut rest = 0;
    let mut pace = Pace::default();
    for (at, _) in a.match_indices(from).take_while(|_| pace.goes_on()) {
        out.push_str(&a[rest..at]);
        out.push_str(to);
        rest = at + from.len();
    }
    out.push_str(&a[rest..]);
    Fault::Ok
}

/// Both, one after the other.
#[inline]
pub fn concat(a: &str, b: &str, out: &mut String) {
    out.push_str(a);
    out.push_str(b);
}

/// Both, one after the other.
#[inline]
pub fn blob_concat(a: &[u8], b: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(a);
    out.extend_from_slice(b);
}

/// At which character the second text begins in the first; 0 if it does not occur.
pub fn strpos(a: &str, sought: &str) -> i64 {
    a.find(sought).map_or(0, |at| char_length(&a[..at]) + 1)
}

/// At which character the first text begins in the second; 0 if it does not occur.
pub fn position(sought: &str, a: &str) -> i64 {
    strpos(a, sought)
}

/// The first characters; with a negative count all but the last.
pub fn left(a: &str, count: i64, out: &mut String) {
    let count = if count < 0 { char_length(a).saturating_add(count) } else { count };
    out.push_str(&a[..byte_of(a, count)]);
}

/// The last characters; with a negative count all but the first.
pub fn right(a: &str, count: i64, out: &mut String) {
    let skipped = if count < 0 { count.saturating_neg() } else { char_length(a).saturating_sub(count) };
    out.push_str(&a[byte_of(a, skipped)..]);
}

/// What must be added to reach a length, or `None` where the text is long enough and only its start counts.
fn padding(a: &str, length: i64, fill: &str) -> Result<Option<usize>, Fault> {
    let missing = length.saturating_sub(char_length(a));
    if missing <= 0 || fill.is_empty() {
        return Ok(None);
    }
    // A character has at most four bytes.
    match usize::try_from(missing) {
        Ok(missing) if missing <= (TEXT_BYTES_MAX - a.len().min(TEXT_BYTES_MAX)) / 4 => Ok(Some(missing)),
        Ok(_) | Err(_) => Err(Fault::TooLarge),
    }
}

/// So many characters of a text, over and over.
fn push_cycled(fill: &str, count: usize, out: &mut String) {
    let mut pace = Pace::default();
    if !pause::stops(out.len() + count) {
        out.extend(fill.chars().cycle().take(count).take_while(|_| pace.goes_on()));
    }
}

/// Made that many characters long with another text at the start, or cut at the end.
pub fn lpad_with(a: &str, length: i64, fill: &str, out: &mut String) -> Fault {
    match padding(a, length, fill) {
        Ok(Some(missing)) => {
            push_cycled(fill, missing, out);
            out.push_str(a);
        }
        Ok(None) => out.push_str(&a[..byte_of(a, length)]),
        Err(fault) => return fault,
    }
    Fault::Ok
}

/// Made that many characters long with another text at the end, or cut.
pub fn rpad_with(a: &str, length: i64, fill: &str, out: &mut String) -> Fault {
    match padding(a, length, fill) {
        Ok(Some(missing)) => {
            out.push_str(a);
            push_cycled(fill, missing, out);
        }
        Ok(None) => out.push_str(&a[..byte_of(a, length)]),
        Err(fault) => return fault,
    }
    Fault::Ok
}

/// Made that many characters long with spaces at the start, or cut at the end.
pub fn lpad(a: &str, length: i64, out: &mut String) -> Fault {
    lpad_with(a, length, " ", out)
}

/// Made that many characters long with spaces at the end, or cut.
pub fn rpad(a: &str, length: i64, out: &mut String) -> Fault {
    rpad_with(a, length, " ", out)
}

/// So many times.
pub fn repeat(a: &str, count: i64, out: &mut String) -> Fault {
    let count = usize::try_from(count).unwrap_or(0);
    match a.len().checked_mul(count) {
        Some(bytes) if bytes <= TEXT_BYTES_MAX => {
            if bytes > 0 && !pause::stops(out.len() + bytes) {
                out.reserve(bytes);
                let mut pace = Pace::default();
                (0..count).take_while(|_| pace.goes_on()).for_each(|_| out.push_str(a));
            }
            Fault::Ok
        }
        Some(_) | None => Fault::TooLarge,
    }
}

/// The characters from last to first.
pub fn reverse(a: &str, out: &mut String) {
    let mut pace = Pace::default();
    out.extend(a.chars().rev().take_while(|_| pace.goes_on()));
}

/// Does the first begin with the second?
#[inline]
pub fn starts_with(a: &str, start: &str) -> bool {
    a.starts_with(start)
}

/// The part of that number between delimiters, from the end if negative; empty if there is none.
pub fn split_part(a: &str, delimiter: &str, number: i64, out: &mut String) -> Fault {
    if number == 0 {
        return Fault::InvalidArgument;
    }
    let idx = usize::try_from(number.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let part = match (delimiter.is_empty(), number > 0) {
        (true, _) => (idx == 0 && !a.is_empty()).then_some(a),
        (false, true) => a.split(delimiter).nth(idx),
        (false, false) => a.rsplit(delimiter).nth(idx),
    };
    out.push_str(part.unwrap_or_default());
    Fault::Ok
}

/// Every first letter of a word in upper case, all others in lower case.
pub fn initcap(a: &str, out: &mut String) {
    let mut inside = false;
    for character in a.chars() {
        if inside {
            out.extend(character.to_lowercase());
        } else {
            out.extend(character.to_uppercase());
        }
        inside = character.is_alphanumeric();
    }
}

functions! { "func::text";
    "upper" (Text) -> Text, Total, upper, "All letters in upper case.";
    "lower" (Text) -> Text, Total, lower, "All letters in lower case.";
    "initcap" (Text) -> Text, Total, initcap, "Each word's first letter in upper case, the others in lower case.";
    "length" (Text) -> Integer, Total, char_length, "How many characters.";
    "length" (Blob) -> Integer, Total, blob_length, "How many bytes.";
    "char_length" (Text) -> Integer, Total, char_length, "How many characters.";
    "character_length" (Text) -> Integer, Total, char_length, "How many characters.";
    "octet_length" (Text) -> Integer, Total, octet_length, "How many bytes.";
    "octet_length" (Blob) -> Integer, Total, blob_length, "How many bytes.";
    "substr" (Text, Integer) -> Text, Total, substr_from, "From a position to the end.";
    "substr" (Text, Integer, Integer) -> Text, Fallible, substr, "So many characters from a position.";
    "substr" (Blob, Integer) -> Blob, Total, blob_substr_from, "From a byte to the end.";
    "substr" (Blob, Integer, Integer) -> Blob, Fallible, blob_substr, "So many bytes from a position.";
    "substring" (Text, Integer) -> Text, Total, substr_from, "From a position to the end.";
    "substring" (Text, Integer, Integer) -> Text, Fallible, substr, "So many characters from a position.";
    "substring" (Blob, Integer) -> Blob, Total, blob_substr_from, "From a byte to the end.";
    "substring" (Blob, Integer, Integer) -> Blob, Fallible, blob_substr, "So many bytes from a position.";
    "trim" (Text) -> Text, Total, trim, "Without spaces at both ends.";
    "trim" (Text, Text) -> Text, Total, trim_of, "Without any of the second's characters at both ends.";
    "btrim" (Text) -> Text, Total, trim, "Without spaces at both ends.";
    "btrim" (Text, Text) -> Text, Total, trim_of, "Without any of the second's characters at both ends.";
    "ltrim" (Text) -> Text, Total, ltrim, "Without spaces at the start.";
    "ltrim" (Text, Text) -> Text, Total, ltrim_of, "Without any of the second's characters at the start.";
    "rtrim" (Text) -> Text, Total, rtrim, "Without spaces at the end.";
    "rtrim" (Text, Text) -> Text, Total, rtrim_of, "Without any of the second's characters at the end.";
    "replace" (Text, Text, Text) -> Text, Fallible, replace, "With each occurrence of the second replaced by the third.";
    "||" (Text, Text) -> Text, Total, concat, "Both, one after the other.";
    "||" (Blob, Blob) -> Blob, Total, blob_concat, "Both, one after the other.";
    "strpos" (Text, Text) -> Integer, Total, strpos, "At which character the second begins in the first; 0 if it does not occur.";
    "position" (Text, Text) -> Integer, Total, position, "POSITION(a IN b): at which character the first begins in the second; 0 if it does not occur.";
    "left" (Text, Integer) -> Text, Total, left, "The first characters; with a negative count all but the last.";
    "right" (Text, Integer) -> Text, Total, right, "The last characters; with a negative count all but the first.";
    "lpad" (Text, Integer) -> Text, Fallible, lpad, "Made that long with spaces at the start, or cut at the end.";
    "lpad" (Text, Integer, Text) -> Text, Fallible, lpad_with, "Made that long with the third at the start, or cut at the end.";
    "rpad" (Text, Integer) -> Text, Fallible, rpad, "Made that long with spaces at the end, or cut.";
    "rpad" (Text, Integer, Text) -> Text, Fallible, rpad_with, "Made that long with the third at the end, or cut.";
    "repeat" (Text, Integer) -> Text, Fallible, repeat, "So many times.";
    "reverse" (Text) -> Text, Total, reverse, "The characters from last to first.";
    "starts_with" (Text, Text) -> Boolean, Total, starts_with, "Does the first begin with the second?";
    "split_part" (Text, Text, Integer) -> Text, Fallible, split_part, "The part of that number between delimiters, from the end if negative.";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(of: impl FnOnce(&mut String) -> Fault) -> Result<String, Fault> {
        let mut out = String::new();
        match of(&mut out) {
            Fault::Ok => Ok(out),
            fault => Err(fault),
        }
    }

    fn total(of: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        of(&mut out);
        out
    }

    #[test]
    fn substrings_may_begin_before_the_text() {
        let sub = |start, count| made(|out| substr("añbc", start, count, out));
        assert_eq!(sub(2, 2).as_deref(), Ok("ñb"));
        assert_eq!(sub(0, 2).as_deref(), Ok("a"));
        assert_eq!(sub(-1, 3).as_deref(), Ok("a"));
        assert_eq!(sub(-5, 3).as_deref(), Ok(""));
        assert_eq!(sub(3, i64::MAX).as_deref(), Ok("bc"));
        assert_eq!(sub(i64::MIN, i64::MAX).as_deref(), Ok(""));
        assert_eq!(sub(9, 1).as_deref(), Ok(""));
        assert_eq!(sub(1, -1), Err(Fault::InvalidArgument));
        assert_eq!(total(|out| substr_from("añbc", -3, out)), "añbc");
        assert_eq!(total(|out| substr_from("añbc", 3, out)), "bc");
        let mut out = Vec::new();
        assert_eq!(blob_substr(b"abc", 0, 3, &mut out), Fault::Ok);
        assert_eq!(out, b"ab");
    }

    #[test]
    fn ends_are_cut_padded_and_trimmed() {
        assert_eq!(total(|out| left("añbc", -1, out)), "añb");
        assert_eq!(total(|out| left("añbc", -9, out)), "");
        assert_eq!(total(|out| right("añbc", 3, out)), "ñbc");
        assert_eq!(total(|out| right("añbc", -3, out)), "c");
        assert_eq!(total(|out| right("añbc", i64::MIN, out)), "");
        assert_eq!(made(|out| lpad_with("hi", 5, "xy", out)).as_deref(), Ok("xyxhi"));
        assert_eq!(made(|out| rpad_with("hi", 5, "xy", out)).as_deref(), Ok("hixyx"));
        assert_eq!(made(|out| lpad("hello", 3, out)).as_deref(), Ok("hel"));
        assert_eq!(made(|out| rpad_with("hi", 5, "", out)).as_deref(), Ok("hi"));
        assert_eq!(made(|out| lpad("hi", -1, out)).as_deref(), Ok(""));
        assert_eq!(made(|out| lpad("hi", i64::MAX, out)), Err(Fault::TooLarge));
        assert_eq!(total(|out| trim("  a b ", out)), "a b");
        assert_eq!(total(|out| trim_of("xyaxy", "yx", out)), "a");
        assert_eq!(total(|out| ltrim_of("xyaxy", "yx", out)), "axy");
    }

    #[test]
    fn texts_are_searched_and_rebuilt() {
        assert_eq!(made(|out| replace("aXbX", "X", "--", out)).as_deref(), Ok("a--b--"));
        assert_eq!(made(|out| replace("ab", "", "x", out)).as_deref(), Ok("ab"));
        assert_eq!((strpos("añb", "b"), strpos("a", "x"), strpos("a", "")), (3, 0, 1));
        assert_eq!(position("b", "añb"), 3);
        assert_eq!(made(|out| repeat("ab", 3, out)).as_deref(), Ok("ababab"));
        assert_eq!(made(|out| repeat("ab", -3, out)).as_deref(), Ok(""));
        assert_eq!(made(|out| repeat("", i64::MAX, out)).as_deref(), Ok(""));
        assert_eq!(made(|out| repeat("ab", i64::MAX, out)), Err(Fault::TooLarge));
        let part = |number| made(|out| split_part("a,b,c", ",", number, out));
        assert_eq!(part(2).as_deref(), Ok("b"));
        assert_eq!(part(-1).as_deref(), Ok("c"));
        assert_eq!(part(4).as_deref(), Ok(""));
        assert_eq!(part(0), Err(Fault::InvalidArgument));
        assert_eq!(total(|out| upper("straße", out)), "STRASSE");
        assert_eq!(total(|out| initcap("hello wORLD", out)), "Hello World");
        assert_eq!(total(|out| reverse("añb", out)), "bña");
        assert_eq!(char_length("añb€"), 4);
    }
}
