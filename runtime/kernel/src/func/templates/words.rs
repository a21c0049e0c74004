//! Which words does a template of dates and times consist of?
//!
//! As PostgreSQL cuts it: at each place the first word of the table that stands there in capitals, in small letters or, of the
//! names of days and months, as a name; `FM` and `TM` before a word and `TH` behind it belong to it. All other characters
//! stand for themselves, and so does what is between double quotes.
//!
//! Holds: every character of the template is in one piece, so nothing is looked at twice.
//! Not here: what a word writes (`templates`) or reads (`read`).

use crate::pause::Pace;

/// The words, the longer before their beginnings.
const WORDS: &[&str] = &[
    "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "FX", "HH24", "HH12", "HH", "MI", "SSSSS", "SSSS", "SS", "MS", "US",
    "A.M.", "P.M.", "AM", "PM", "Y,YYY", "YYYY", "YYY", "YY", "Y", "IYYY", "IYY", "IY", "IDDD", "ID", "IW", "I",
    "B.C.", "A.D.", "BC", "AD", "MONTH", "MON", "MM", "DAY", "DY", "DDD", "DD", "D", "WW", "W", "CC", "J", "Q", "RM",
    "TZH", "TZM", "TZ", "OF",
];

/// The words that are written as names are, too: `Month`.
const NAMES: &[&str] = &["MONTH", "MON", "DAY", "DY"];

/// A word of a template.
#[derive(Clone, Copy)]
pub(super) struct Field<'t> {
    /// As it is written, which says the case of what it writes.
    pub(super) written: &'t str,
    /// In capitals.
    pub(super) word: &'static str,
    /// Is it filled with blanks and zeros?
    pub(super) fills: bool,
    /// Is it a name of the locale, which is never filled?
    pub(super) is_local: bool,
    /// The ending of an ordinal behind it.
    pub(super) ending: Option<&'t str>,
}

/// A piece of a template.
#[derive(Clone, Copy)]
pub(super) enum Piece<'t> {
    Word(Field<'t>),
    /// A blank or a sign outside of quotes.
    Separator(&'t str),
    /// Another character, or any between quotes.
    Text(&'t str),
}

fn is_written(word: &str, rest: &str) -> bool {
    let Some(head) = rest.get(..word.len()) else { return false };
    let small = |head: &str, word: &str| head.bytes().zip(word.bytes()).all(|(a, b)| a == b.to_ascii_lowercase());
    // The first byte is a letter of ASCII where both agree, so a character begins behind it.
    let is_name = NAMES.contains(&word) && head.as_bytes()[0] == word.as_bytes()[0];
    head == word || small(head, word) || is_name && small(&head[1..], &word[1..])
}

/// Is it a sign of ASCII, neither a letter nor a digit?
pub(super) fn is_separator(character: char) -> bool {
    character.is_ascii_graphic() && !character.is_ascii_alphanumeric()
}

pub(super) fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    let mut pace = Pace::default();
    while !rest.is_empty() && pace.goes_on() {
        let prefix = rest.get(..2).filter(|prefix| ["FM", "fm", "TM", "tm"].contains(prefix));
        rest = &rest[prefix.map_or(0, str::len)..];
        if let Some(word) = WORDS.iter().find(|word| is_written(word, rest)) {
            let (written, tail) = rest.split_at(word.len());
            let ending = tail.get(..2).filter(|ending| ["TH", "th"].contains(ending));
            let (fills, is_local) = (!matches!(prefix, Some("FM" | "fm")), matches!(prefix, Some("TM" | "tm")));
            pieces.push(Piece::Word(Field { written, word, fills, is_local, ending }));
            rest = &tail[ending.map_or(0, str::len)..];
            continue;
        }
        let Some(first) = rest.chars().next() else { break };
        if first == '"' {
            rest = &rest[1..];
            while let Some(inner) = rest.chars().next().filter(|inner| *inner != '"') {
                // A backslash quotes what follows it.
                let escaped = if inner == '\\' { rest[1..].chars().next() } else { None };
                rest = &rest[usize::from(escaped.is_some())..];
                let (text, tail) = rest.split_at(escaped.unwrap_or(inner).len_utf8());
                pieces.push(Piece::Text(text));
                rest = tail;
            }
            rest = rest.get(1..).unwrap_or("");
            continue;
        }
        // Outside of quotes a backslash says something only before one.
        rest = &rest[usize::from(rest.starts_with("\\\""))..];
        let (text, tail) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
        let stands_apart = text.chars().all(|character| is_separator(character) || character.is_ascii_whitespace());
        pieces.push(if stands_apart { Piece::Separator(text) } else { Piece::Text(text) });
        rest = tail;
    }
    pieces
}
