//! Which texts does one make of another by codes, quotes and digests?
//!
//! Characters by their numbers, texts quoted as SQL wants them, bytes as hexadecimal, base 64 or escaped text, and
//! digests, as PostgreSQL gives them. Not here: cutting, filling and searching (`text`), patterns (`regex`).

use super::{Fault, lift::functions};
use crate::pause::Pace;
use std::fmt::Write;

const NEVER_FAILS: &str = "a String takes all that is written";

/// The number of the first character; 0 of the empty text.
pub fn ascii(a: &str) -> i64 {
    a.chars().next().map_or(0, |first| i64::from(u32::from(first)))
}

/// The character of a number; 0 is none.
pub fn chr(a: i64, out: &mut String) -> Fault {
    match u32::try_from(a).ok().filter(|code| *code != 0).and_then(char::from_u32) {
        Some(character) => {
            out.push(character);
            Fault::Ok
        }
        None => Fault::InvalidArgument,
    }
}

/// Each character of the second replaced by that of the third in its place, or left out where there is none.
pub fn translate(a: &str, from: &str, to: &str, out: &mut String) {
    let mut pace = Pace::default();
    for character in a.chars().take_while(|_| pace.goes_on()) {
        match from.chars().position(|known| known == character) {
            None => out.push(character),
            Some(at) => out.extend(to.chars().nth(at)),
        }
    }
}

/// The characters from a position replaced by a text, as many as it has.
pub fn overlay(a: &str, b: &str, from: i64, out: &mut String) -> Fault {
    overlay_for(a, b, from, b.chars().count() as i64, out)
}

/// So many characters from a position replaced by a text.
pub fn overlay_for(a: &str, b: &str, from: i64, count: i64, out: &mut String) -> Fault {
    if from <= 0 {
        return Fault::InvalidArgument;
    }
    let head = usize::try_from(from - 1).unwrap_or(usize::MAX);
    out.extend(a.chars().take(head));
    out.push_str(b);
    let tail = usize::try_from((from - 1).saturating_add(count).max(0)).unwrap_or(usize::MAX);
    out.extend(a.chars().skip(tail));
    Fault::Ok
}

/// Does the first end with the second?
pub fn ends_with(a: &str, b: &str) -> bool {
    a.ends_with(b)
}

/// A text as a literal of SQL.
pub fn quote_literal(a: &str, out: &mut String) {
    let has_backslash = a.contains('\\');
    out.push_str(if has_backslash { "E'" } else { "'" });
    for character in a.chars() {
        if character == '\'' || (has_backslash && character == '\\') {
            out.push(character);
        }
        out.push(character);
    }
    out.push('\'');
}

/// A name as SQL wants it: quoted where it is not a plain one.
pub fn quote_ident(a: &str, out: &mut String) {
    let is_plain = a.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && a.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !RESERVED.contains(&a);
    if is_plain {
        out.push_str(a);
    } else {
        write!(out, "\"{}\"", a.replace('"', "\"\"")).expect(NEVER_FAILS);
    }
}

/// Words that are no names without quotes.
const RESERVED: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "between",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "cross",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "similar",
    "some",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "when",
    "where",
    "window",
    "with",
];

/// How many bits a text has.
pub fn bit_length(a: &str) -> i64 {
    a.len() as i64 * 8
}

/// How many bits a blob has.
pub fn blob_bit_length(a: &[u8]) -> i64 {
    a.len() as i64 * 8
}

/// How many bits of a blob are set.
pub fn bit_count(a: &[u8]) -> i64 {
    a.iter().map(|byte| i64::from(byte.count_ones())).sum()
}

/// A byte of a blob, by its place from 0.
pub fn get_byte(a: &[u8], at: i64) -> (i64, Fault) {
    match usize::try_from(at).ok().and_then(|at| a.get(at)) {
        Some(byte) => (i64::from(*byte), Fault::Ok),
        None => (0, Fault::InvalidArgument),
    }
}

/// The hexadecimal digits of an integer's bits.
pub fn to_hex(a: i64, out: &mut String) {
    write!(out, "{a:x}").expect(NEVER_FAILS);
}

/// The octal digits of an integer's bits.
pub fn to_oct(a: i64, out: &mut String) {
    write!(out, "{a:o}").expect(NEVER_FAILS);
}

/// The binary digits of an integer's bits.
pub fn to_bin(a: i64, out: &mut String) {
    write!(out, "{a:b}").expect(NEVER_FAILS);
}

fn hex(bytes: &[u8], out: &mut String) {
    bytes.iter().for_each(|byte| write!(out, "{byte:02x}").expect(NEVER_FAILS));
}

/// The MD5 digest of a text, in hexadecimal digits.
pub fn md5_text(a: &str, out: &mut String) {
    hex(&<md5::Md5 as md5::Digest>::digest(a.as_bytes()), out);
}

/// The MD5 digest of a blob, in hexadecimal digits.
pub fn md5_blob(a: &[u8], out: &mut String) {
    hex(&<md5::Md5 as md5::Digest>::digest(a), out);
}

/// The SHA-224 digest.
pub fn sha224(a: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&<sha2::Sha224 as sha2::Digest>::digest(a));
}

/// The SHA-256 digest.
pub fn sha256(a: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&<sha2::Sha256 as sha2::Digest>::digest(a));
}

/// The SHA-384 digest.
pub fn sha384(a: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&<sha2::Sha384 as sha2::Digest>::digest(a));
}

/// The SHA-512 digest.
pub fn sha512(a: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&<sha2::Sha512 as sha2::Digest>::digest(a));
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes as text: `hex`, `base64` (lines of 76) or `escape`.
pub fn encode(a: &[u8], format: &str, out: &mut String) -> Fault {
    match format.to_ascii_lowercase().as_str() {
        "hex" => hex(a, out),
        "base64" => {
            for (i, group) in a.chunks(3).enumerate() {
                if i > 0 && i % 19 == 0 {
                    out.push('\n');
                }
                let bits =
                    group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
                for place in 0..4 {
                    let digit = BASE64[(bits >> (18 - 6 * place)) as usize & 63] as char;
                    out.push(if place <= group.len() { digit } else { '=' });
                }
            }
        }
        "escape" => {
            for byte in a {
                match byte {
                    b'\\' => out.push_str("\\\\"),
                    0 | 0x80.. => write!(out, "\\{byte:03o}").expect(NEVER_FAILS),
                    plain => out.push(*plain as char),
                }
            }
        }
        _ => return Fault::InvalidArgument,
    }
    Fault::Ok
}

/// The bytes of such a text.
pub fn decode(a: &str, format: &str, out: &mut Vec<u8>) -> Fault {
    match format.to_ascii_lowercase().as_str() {
        "hex" => super::cast::text_to_blob(&format!("\\x{a}"), out).or_argument(),
        "escape" if !a.starts_with("\\x") => super::cast::text_to_blob(a, out).or_argument(),
        "base64" => {
            let (mut bits, mut count, mut padding) = (0u32, 0u32, 0);
            for byte in a.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
                if byte == b'=' {
                    padding += 1;
                    continue;
                }
                let Some(digit) = BASE64.iter().position(|known| *known == byte).filter(|_| padding == 0) else {
                    return Fault::InvalidArgument;
                };
                (bits, count) = (bits << 6 | digit as u32, count + 1);
                if count.is_multiple_of(4) {
                    out.extend_from_slice(&bits.to_be_bytes()[1..]);
                    bits = 0;
                }
            }
            match (count % 4, padding) {
                (0, 0) => {}
                (2, 2) => out.push((bits >> 4) as u8),
                (3, 1) => out.extend_from_slice(&[(bits >> 10) as u8, (bits >> 2) as u8]),
                _ => return Fault::InvalidArgument,
            }
            Fault::Ok
        }
        _ => Fault::InvalidArgument,
    }
}

trait OrArgument {
    fn or_argument(self) -> Fault;
}

impl OrArgument for Fault {
    fn or_argument(self) -> Fault {
        if self == Fault::Ok { Fault::Ok } else { Fault::InvalidArgument }
    }
}

fn is_utf8(encoding: &str) -> bool {
    ["utf8", "utf-8", "unicode"].iter().any(|known| known.eq_ignore_ascii_case(encoding))
}

/// Each byte is the letter of its number.
fn is_latin1(encoding: &str) -> bool {
    ["latin1", "iso88591", "iso_8859_1"].iter().any(|known| known.eq_ignore_ascii_case(encoding))
}

/// A text as bytes of an encoding.
pub fn convert_to(a: &str, encoding: &str, out: &mut Vec<u8>) -> Fault {
    if is_latin1(encoding) {
        for letter in a.chars() {
            let Ok(byte) = u8::try_from(letter) else { return Fault::InvalidArgument };
            out.push(byte);
        }
        return Fault::Ok;
    }
    if !is_utf8(encoding) {
        return Fault::InvalidArgument;
    }
    out.extend_from_slice(a.as_bytes());
    Fault::Ok
}

/// The text of bytes in an encoding.
pub fn convert_from(a: &[u8], encoding: &str, out: &mut String) -> Fault {
    if is_latin1(encoding) {
        out.extend(a.iter().map(|byte| char::from(*byte)));
        return Fault::Ok;
    }
    match std::str::from_utf8(a) {
        Ok(text) if is_utf8(encoding) => {
            out.push_str(text);
            Fault::Ok
        }
        Ok(_) | Err(_) => Fault::InvalidArgument,
    }
}

/// A literal after `%L`, a name after `%I`, a text after `%s`, to at least a width (negative: on the left): the next
/// piece of `format`.
/// A name that is NULL is none: of that kind the piece is always a fault.
pub fn format_piece(kind: &str, a: &str, width: i64, out: &mut String) -> Fault {
    let start = out.len();
    match kind {
        "no name" => return Fault::InvalidArgument,
        "L" => quote_literal(a, out),
        "I" => quote_ident(a, out),
        _ => out.push_str(a),
    }
    let count = out[start..].chars().count();
    let blanks = " ".repeat((width.unsigned_abs().min(10_000) as usize).saturating_sub(count));
    if width < 0 {
        out.push_str(&blanks);
    } else {
        out.insert_str(start, &blanks);
    }
    Fault::Ok
}

functions! { "func::words";
    "ascii" (Text) -> Integer, Total, ascii, "The number of the first character; 0 of the empty text.";
    "chr" (Integer) -> Text, Fallible, chr, "The character of a number.";
    "translate" (Text, Text, Text) -> Text, Total, translate, "Each character of the second replaced by the one in its place in the third, or left out.";
    "overlay" (Text, Text, Integer) -> Text, Fallible, overlay, "The first with the characters from a position replaced by the second.";
    "overlay" (Text, Text, Integer, Integer) -> Text, Fallible, overlay_for, "The first with so many characters from a position replaced by the second.";
    "ends_with" (Text, Text) -> Boolean, Total, ends_with, "Does the first end with the second?";
    "^@" (Text, Text) -> Boolean, Total, begins_with, "Does the first begin with the second?";
    "quote_literal" (Text) -> Text, Total, quote_literal, "The text as a literal of SQL.";
    "quote_ident" (Text) -> Text, Total, quote_ident, "The name as SQL wants it, quoted where it must be.";
    "bit_length" (Text) -> Integer, Total, bit_length, "How many bits.";
    "bit_length" (Blob) -> Integer, Total, blob_bit_length, "How many bits.";
    "bit_count" (Blob) -> Integer, Total, bit_count, "How many bits are set.";
    "get_byte" (Blob, Integer) -> Integer, Fallible, get_byte, "A byte, by its place from 0.";
    "to_hex" (Integer) -> Text, Total, to_hex, "The hexadecimal digits of its bits.";
    "to_oct" (Integer) -> Text, Total, to_oct, "The octal digits of its bits.";
    "to_bin" (Integer) -> Text, Total, to_bin, "The binary digits of its bits.";
    "md5" (Text) -> Text, Total, md5_text, "The MD5 digest in hexadecimal digits.";
    "md5" (Blob) -> Text, Total, md5_blob, "The MD5 digest in hexadecimal digits.";
    "sha224" (Blob) -> Blob, Total, sha224, "The SHA-224 digest.";
    "sha256" (Blob) -> Blob, Total, sha256, "The SHA-256 digest.";
    "sha384" (Blob) -> Blob, Total, sha384, "The SHA-384 digest.";
    "sha512" (Blob) -> Blob, Total, sha512, "The SHA-512 digest.";
    "encode" (Blob, Text) -> Text, Fallible, encode, "Bytes as text: hex, base64 or escape.";
    "decode" (Text, Text) -> Blob, Fallible, decode, "The bytes of a text: hex, base64 or escape.";
    "convert_to" (Text, Text) -> Blob, Fallible, convert_to, "The text's bytes in an encoding: UTF8 or LATIN1.";
    "convert_from" (Blob, Text) -> Text, Fallible, convert_from, "The text of bytes in an encoding: UTF8 or LATIN1.";
    "$format_piece" (Text, Text, Integer) -> Text, Fallible, format_piece, "A piece of format: its kind (s, I, L), its text, its width.";
}

/// Does the first begin with the second?
pub fn begins_with(a: &str, b: &str) -> bool {
    a.starts_with(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(make: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        make(&mut out);
        out
    }

    #[test]
    fn texts_are_changed_by_characters() {
        assert_eq!(made(|out| translate("12345", "143", "ax", out)), "a2x5");
        assert_eq!(made(|out| assert_eq!(overlay("Txxxxas", "hom", 2, out), Fault::Ok)), "Thomxas");
        assert_eq!(made(|out| assert_eq!(overlay_for("Txxxxas", "hom", 2, 4, out), Fault::Ok)), "Thomas");
        assert_eq!(made(|out| quote_literal("it's \\", out)), "E'it''s \\\\'");
        assert_eq!(made(|out| quote_ident("Foo \"x\"", out)), "\"Foo \"\"x\"\"\"");
        assert_eq!(made(|out| quote_ident("select", out)), "\"select\"");
        assert_eq!(chr(0, &mut String::new()), Fault::InvalidArgument);
    }

    #[test]
    fn bytes_survive_the_journey_through_texts() {
        for len in 0..70usize {
            let bytes: Vec<u8> = (0..len).map(|byte| (byte * 37) as u8).collect();
            for format in ["hex", "base64", "escape"] {
                let text = made(|out| assert_eq!(encode(&bytes, format, out), Fault::Ok));
                let mut back = Vec::new();
                assert_eq!(decode(&text, format, &mut back), Fault::Ok, "{text}");
                assert_eq!(back, bytes, "{format}");
            }
        }
        assert_eq!(decode("abc", "base64", &mut Vec::new()), Fault::InvalidArgument);
        assert_eq!(encode(b"", "rot13", &mut String::new()), Fault::InvalidArgument);
    }

    #[test]
    fn digests_are_known_ones() {
        assert_eq!(made(|out| md5_text("abc", out)), "900150983cd24fb0d6963f7d28e17f72");
        let mut digest = Vec::new();
        sha256(b"abc", &mut digest);
        assert_eq!(made(|out| hex(&digest, out))[..16], *"ba7816bf8f01cfea");
    }
}
