//! Which tokens does a text consist of?
//!
//! One scanner finds tokens and the ends of what is quoted; the parser's checks before pest, the highlighter and the
//! [splitter](crate::split) all stand on it, so that they never disagree on where a string ends. It reads every text, also
//! a broken one, in one pass.
//!
//! Holds: tokens are in order, disjoint, and between them stands only space.
//! Not here: what tokens mean together (the pest files); which words exist is read from the rules named `kw_`.

use crate::{parse::Rule, span::Span};
use std::collections::HashMap;
use std::sync::OnceLock;

/// What kind of token?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A word: a keyword or an unquoted name.
    Word,
    /// `"a name"`
    QuotedName,
    /// `12`, `1.5e3`
    Number,
    /// A number with letters at its end: `12ab`.
    BadNumber,
    /// `'text'`, `E'text'`, `$$text$$`
    Text,
    /// `X'00ff'`
    Blob,
    /// `$1`, `:name`
    Param,
    /// `-- ..`, `/* .. */`
    Comment,
    /// `=`, `||`, `::` and what else is made of operator signs
    Operator,
    /// `(`, `)`, `,`, `.`, `;` and any other single sign
    Sign,
    /// Text, a name or a comment that is never closed.
    Unclosed(Region),
}

/// A token and its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

impl Token {
    /// Its place as a span.
    pub fn span(&self) -> Span {
        Span { start: self.start as u32, end: self.end as u32 }
    }

    /// What is written.
    pub fn text<'a>(&self, sql: &'a str) -> &'a str {
        sql.get(self.start..self.end).unwrap_or("")
    }

    /// Is it this word, in whatever case?
    pub fn is_word(&self, sql: &str, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text(sql).eq_ignore_ascii_case(word)
    }

    /// Is it this sign or operator?
    pub fn is_sign(&self, sql: &str, sign: &str) -> bool {
        matches!(self.kind, TokenKind::Sign | TokenKind::Operator) && self.text(sql) == sign
    }
}

/// A stretch of text that ends only with its own closing sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// `'..'`
    Text,
    /// `E'..'`
    EscapeText,
    /// `".."`
    QuotedName,
    /// `-- ..` to the line's end
    LineComment,
    /// `/* .. */`, so many deep
    BlockComment {
        /// How many are open.
        depth: u32,
    },
    /// `$tag$ .. $tag$`
    Dollar {
        /// Where the opening tag begins, counted from the region's first byte: always 0 bytes before it.
        tag_bytes: u8,
    },
}

impl Region {
    /// What is open, in people's words.
    pub fn words(self) -> &'static str {
        match self {
            Region::Text | Region::EscapeText => "text in quotes",
            Region::QuotedName => "name in double quotes",
            Region::LineComment => "comment",
            Region::BlockComment { .. } => "comment",
            Region::Dollar { .. } => "dollar-quoted text",
        }
    }
}

/// The longest `$tag$`, both signs included.
pub(crate) const TAG_BYTES_MAX: usize = 64;

/// How far did the search for a region's end come?
pub(crate) enum Found {
    /// It ends before this byte.
    End(usize),
    /// All before this byte lies inside; what follows decides.
    Open(usize),
}

/// Looks for a region's end from `pos` on. `tag` is the opening tag of dollar-quoted text. With `last`, nothing follows
/// the bytes; without it, a sign at the very end that another might follow is left undecided.
pub(crate) fn region_end(bytes: &[u8], mut pos: usize, region: &mut Region, tag: &[u8], last: bool) -> Found {
    match region {
        Region::LineComment => match find(b"\n", bytes, pos) {
            Some(newline) => Found::End(newline),
            None if last => Found::End(bytes.len()),
            None => Found::Open(bytes.len()),
        },
        Region::Text | Region::QuotedName => {
            let quote: &[u8] = if *region == Region::Text { b"'" } else { b"\"" };
            while let Some(at) = find(quote, bytes, pos) {
                match bytes.get(at + 1) {
                    Some(next) if *next == quote[0] => pos = at + 2,
                    None if !last => return Found::Open(at),
                    Some(_) | None => return Found::End(at + 1),
                }
            }
            Found::Open(bytes.len())
        }
        Region::EscapeText => {
            while let Some(byte) = bytes.get(pos) {
                match (byte, bytes.get(pos + 1)) {
                    (b'\\' | b'\'', None) if !last => return Found::Open(pos),
                    (b'\\', _) | (b'\'', Some(b'\'')) => pos += 2,
                    (b'\'', _) => return Found::End(pos + 1),
                    _ => pos += 1,
                }
            }
            Found::Open(bytes.len())
        }
        Region::BlockComment { depth } => {
            while let Some(byte) = bytes.get(pos) {
                match (byte, bytes.get(pos + 1)) {
                    (b'*' | b'/', None) if !last => return Found::Open(pos),
                    (b'*', Some(b'/')) => {
                        pos += 2;
                        *depth -= 1;
                        if *depth == 0 {
                            return Found::End(pos);
                        }
                    }
                    (b'/', Some(b'*')) => {
                        pos += 2;
                        *depth += 1;
                    }
                    _ => pos += 1,
                }
            }
            Found::Open(bytes.len())
        }
        Region::Dollar { .. } => match find(tag, bytes, pos) {
            Some(at) => Found::End(at + tag.len()),
            // The tag's beginning may be the last bytes that are here.
            None if !last => Found::Open(bytes.len().saturating_sub(tag.len() - 1).max(pos)),
            None => Found::Open(bytes.len()),
        },
    }
}

/// The first place of a short text from `pos` on.
fn find(what: &[u8], bytes: &[u8], pos: usize) -> Option<usize> {
    let first = what[0];
    let mut from = pos;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes[at..].starts_with(what) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// May a word begin with this byte? All bytes of characters beyond ASCII may stand in words.
pub(crate) fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// May a word go on with this byte?
pub(crate) fn is_word_part(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// Is it space between tokens?
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The bytes of an opening `$tag$` at `pos`, if one stands there.
pub(crate) fn tag_at(bytes: &[u8], pos: usize) -> Option<&[u8]> {
    let rest = &bytes[pos..bytes.len().min(pos + TAG_BYTES_MAX)];
    let inner = rest.get(1..)?;
    let inner_bytes = inner.iter().take_while(|byte| is_word_part(**byte) && **byte != b'$').count();
    let starts_well = inner_bytes == 0 || is_word_start(inner[0]);
    (starts_well && inner.get(inner_bytes) == Some(&b'$')).then(|| &rest[..inner_bytes + 2])
}

fn is_operator(byte: u8) -> bool {
    b"+-*/<>=~!@#%^&|`?".contains(&byte)
}

/// The tokens of a text, comments included.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    bytes: &'a [u8],
    pos: usize,
}

/// The tokens of a text, comments included.
pub fn tokens(sql: &str) -> Tokens<'_> {
    tokens_from(sql, 0)
}

/// The tokens of a text from a byte on, which must lie between tokens.
pub(crate) fn tokens_from(sql: &str, pos: usize) -> Tokens<'_> {
    // A byte order mark is no part of the text.
    let pos = if pos == 0 && sql.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { pos };
    Tokens { bytes: sql.as_bytes(), pos }
}

/// `1_000`, `0x1F`, `0o17`, `0b11`, with single underscores between digits.
fn is_other_number(text: &[u8]) -> bool {
    let (digits, base) = match text {
        [b'0', b'x' | b'X', rest @ ..] => (rest, 16),
        [b'0', b'o' | b'O', rest @ ..] => (rest, 8),
        [b'0', b'b' | b'B', rest @ ..] => (rest, 2),
        _ => (text, 10),
    };
    let first_may_be_underscore = base != 10;
    let mut after_digit = first_may_be_underscore;
    for byte in digits {
        match byte {
            b'_' if after_digit => after_digit = false,
            _ if char::from(*byte).is_digit(base) => after_digit = true,
            _ => return false,
        }
    }
    after_digit && !digits.is_empty()
}

impl Tokens<'_> {
    fn region(&self, mut region: Region, inside: usize, tag: &[u8], kind: TokenKind) -> (TokenKind, usize) {
        match region_end(self.bytes, inside, &mut region, tag, true) {
            Found::End(end) => (kind, end),
            Found::Open(_) => (TokenKind::Unclosed(region), self.bytes.len()),
        }
    }

    fn while_at(&self, from: usize, holds: impl Fn(u8) -> bool) -> usize {
        from + self.bytes[from..].iter().take_while(|byte| holds(**byte)).count()
    }

    fn number(&self, start: usize) -> (TokenKind, usize) {
        let digits = |from| self.while_at(from, |byte| byte.is_ascii_digit());
        let mut end = digits(start);
        if self.bytes.get(end) == Some(&b'.') {
            end = digits(end + 1);
        }
        if let Some(b'e' | b'E') = self.bytes.get(end) {
            let sign = usize::from(matches!(self.bytes.get(end + 1), Some(b'+' | b'-')));
            let exponent_end = digits(end + 1 + sign);
            if exponent_end > end + 1 + sign {
                end = exponent_end;
            }
        }
        match self.while_at(end, is_word_part) {
            junk_end if junk_end > end && !is_other_number(&self.bytes[start..junk_end]) => {
                (TokenKind::BadNumber, junk_end)
            }
            end => (TokenKind::Number, end),
        }
    }

    fn dollar(&self, start: usize) -> (TokenKind, usize) {
        let digits_end = self.while_at(start + 1, |byte| byte.is_ascii_digit());
        if digits_end > start + 1 {
            return (TokenKind::Param, self.while_at(digits_end, is_word_part));
        }
        match tag_at(self.bytes, start) {
            Some(tag) => {
                let region = Region::Dollar { tag_bytes: tag.len() as u8 };
                self.region(region, start + tag.len(), tag, TokenKind::Text)
            }
            None => (TokenKind::Sign, start + 1),
        }
    }

    /// An operator ends where a comment begins.
    fn operator(&self, start: usize) -> usize {
        let end = self.while_at(start, is_operator);
        let inside = &self.bytes[start..end];
        let comment = inside.windows(2).position(|pair| pair == b"--" || pair == b"/*");
        let end = comment.map_or(end, |at| start + at);
        // As PostgreSQL: a sign of a number is not swallowed by plain operators (`a=-1`), `->` is an operator of its own.
        let text = &self.bytes[start..end];
        let special = text.iter().any(|byte| b"~!@#%^&|`?".contains(byte));
        let mut kept = text.len();
        while !special && kept > 1 && matches!(text[kept - 1], b'+' | b'-') {
            kept -= 1;
        }
        start + kept
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let start = self.while_at(self.pos, is_space);
        let byte = *self.bytes.get(start)?;
        let next = self.bytes.get(start + 1).copied();
        let (kind, end) = match (byte, next) {
            (b'\'', _) => self.region(Region::Text, start + 1, b"", TokenKind::Text),
            (b'"', _) => self.region(Region::QuotedName, start + 1, b"", TokenKind::QuotedName),
            (b'e' | b'E', Some(b'\'')) => self.region(Region::EscapeText, start + 2, b"", TokenKind::Text),
            (b'x' | b'X', Some(b'\'')) => self.region(Region::Text, start + 2, b"", TokenKind::Blob),
            (b'-', Some(b'-')) => self.region(Region::LineComment, start + 2, b"", TokenKind::Comment),
            (b'/', Some(b'*')) => self.region(Region::BlockComment { depth: 1 }, start + 2, b"", TokenKind::Comment),
            (b'$', _) => self.dollar(start),
            (b'0'..=b'9', _) | (b'.', Some(b'0'..=b'9')) => self.number(start),
            (b':', Some(b':')) => (TokenKind::Operator, start + 2),
            (b':', Some(after)) if is_word_start(after) => (TokenKind::Param, self.while_at(start + 1, is_word_part)),
            _ if is_word_start(byte) => (TokenKind::Word, self.while_at(start, is_word_part)),
            _ if is_operator(byte) => (TokenKind::Operator, self.operator(start)),
            _ => (TokenKind::Sign, start + 1),
        };
        self.pos = end;
        Some(Token { kind, start, end })
    }
}

/// How a stretch of text is to be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A word of the language.
    Keyword,
    /// A name.
    Name,
    /// A number.
    Number,
    /// Text or bytes in quotes.
    Text,
    /// A parameter.
    Param,
    /// A comment.
    Comment,
    /// Operators and signs.
    Sign,
    /// What cannot be read.
    Bad,
}

/// What to colour how, in order. Text between the spans is space.
pub fn highlight(sql: &str) -> Vec<(Span, Class)> {
    tokens(sql)
        .map(|token| {
            let class = match token.kind {
                TokenKind::Word if is_keyword(token.text(sql)) => Class::Keyword,
                TokenKind::Word | TokenKind::QuotedName => Class::Name,
                TokenKind::Number => Class::Number,
                TokenKind::BadNumber => Class::Bad,
                TokenKind::Text | TokenKind::Blob => Class::Text,
                TokenKind::Unclosed(Region::BlockComment { .. } | Region::LineComment) => Class::Comment,
                TokenKind::Unclosed(_) => Class::Text,
                TokenKind::Param => Class::Param,
                TokenKind::Comment => Class::Comment,
                TokenKind::Operator | TokenKind::Sign => Class::Sign,
            };
            (token.span(), class)
        })
        .collect()
}

/// All words of the language, upper case, in alphabetical order.
pub fn keywords() -> &'static [String] {
    static KEYWORDS: OnceLock<Vec<String>> = OnceLock::new();
    KEYWORDS.get_or_init(|| {
        let mut words: Vec<String> = Rule::all_rules().iter().filter_map(|rule| keyword(*rule)).collect();
        words.sort();
        words
    })
}

/// The word of a rule named `kw_`.
pub(crate) fn keyword(rule: Rule) -> Option<String> {
    format!("{rule:?}").strip_prefix("kw_").map(str::to_uppercase)
}

/// Is it a word of the language, in whatever case?
pub fn is_keyword(word: &str) -> bool {
    static SET: OnceLock<HashMap<&'static str, ()>> = OnceLock::new();
    let set = SET.get_or_init(|| keywords().iter().map(|word| (word.as_str(), ())).collect());
    set.contains_key(word.to_ascii_uppercase().as_str())
}

/// May the word never be a name unless it is quoted?
pub fn is_reserved(word: &str) -> bool {
    crate::parse::matches_whole(Rule::reserved, word)
}
