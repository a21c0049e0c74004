//! Where does one statement end and the next begin?
//!
//! A text that comes in pieces is cut at the semicolons that stand in no text, name or comment. The state of what is open
//! is kept from piece to piece, so every byte is looked at once, and only the statement that is not yet complete is held.
//!
//! Holds: however a text is divided, the same statements come out.
//! Not here: whether they are statements (`parse`).

use crate::diag::{Diag, code};
use crate::span::Span;
use crate::tokens::{Found, Region, TAG_BYTES_MAX, is_space, is_word_part, region_end, tag_at};

/// A longer statement is refused and skipped.
pub const STATEMENT_BYTES_MAX: usize = 64 << 20;

/// A statement that was cut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// From its first token on, without its semicolon.
    pub text: String,
    /// The line of its first token in the whole, from 1.
    pub line: u32,
    /// The column of its first token in its line, in characters, from 1.
    pub column: u32,
}

/// Cuts a text that comes in pieces.
#[derive(Clone, Debug)]
pub struct Splitter {
    buffer: String,
    /// Where the statement begins that is not yet complete.
    start: usize,
    /// All before this byte is looked at.
    pos: usize,
    /// What is open at `pos`, and the tag that closes it.
    open: Option<(Region, Vec<u8>)>,
    /// The line and the column of its first token, once there is one.
    first: Option<(u32, u32)>,
    /// The line at `pos`.
    line: u32,
    /// The characters of that line before `pos`.
    column: u32,
    /// Was the byte before `pos` part of a word?
    in_word: bool,
    /// Is the statement too long, and skipped?
    skips: bool,
    bytes_max: usize,
}

impl Default for Splitter {
    fn default() -> Splitter {
        Splitter::new()
    }
}

impl Splitter {
    /// With nothing read yet.
    pub fn new() -> Splitter {
        Splitter::with_bytes_max(STATEMENT_BYTES_MAX)
    }

    /// With another bound for the length of a statement.
    pub fn with_bytes_max(bytes_max: usize) -> Splitter {
        Splitter {
            buffer: String::new(),
            start: 0,
            pos: 0,
            open: None,
            first: None,
            line: 1,
            column: 0,
            in_word: false,
            skips: false,
            bytes_max,
        }
    }

    /// Takes the next piece of the text. Ask [`next_piece`](Splitter::next_piece) until it gives nothing.
    pub fn push(&mut self, text: &str) {
        self.buffer.push_str(text);
    }

    /// The next complete statement, if it is here. A statement that is too long gives an error once, and is skipped.
    pub fn next_piece(&mut self) -> Option<Result<Piece, Diag>> {
        let found = self.advance(false);
        self.compact();
        found
    }

    /// What is left when the text is over: statements without a semicolon at their end. Ask until it gives nothing.
    pub fn finish(&mut self) -> Option<Result<Piece, Diag>> {
        if let Some(found) = self.advance(true) {
            return Some(found);
        }
        let rest = self.take(self.buffer.len());
        let skipped = std::mem::take(&mut self.skips);
        self.buffer.clear();
        (self.start, self.pos, self.open, self.in_word) = (0, 0, None, false);
        rest.filter(|_| !skipped).map(Ok)
    }

    /// Has a statement begun that is not yet complete? A comment alone is none, unless it is open.
    pub fn is_pending(&self) -> bool {
        self.first.is_some() || matches!(self.open, Some((Region::BlockComment { .. }, _)))
    }

    /// What is open at the end of what was taken: a text, a name, a comment.
    pub fn open(&self) -> Option<Region> {
        self.open.as_ref().map(|(region, _)| *region).filter(|region| *region != Region::LineComment)
    }

    /// Forgets the statement that is not yet complete.
    pub fn clear(&mut self) {
        *self = Splitter { line: self.line, column: self.column, ..Splitter::with_bytes_max(self.bytes_max) };
    }

    fn advance(&mut self, last: bool) -> Option<Result<Piece, Diag>> {
        loop {
            if self.pos - self.start > self.bytes_max && !self.skips {
                self.skips = true;
                let place = Span { start: 0, end: 0 };
                let message = format!("the statement is longer than {} bytes", self.bytes_max);
                return Some(Err(
                    Diag::new(code::LIMIT_EXCEEDED, message, place).help("divide it, or load data with COPY")
                ));
            }
            if self.open.is_some() {
                if !self.leave_region(last) {
                    return None;
                }
                continue;
            }
            let bytes = self.buffer.as_bytes();
            let byte = *bytes.get(self.pos)?;
            let next = bytes.get(self.pos + 1).copied();
            let due = match (byte, next) {
                // A byte order mark at the very beginning is no part of the text.
                (0xef, _) if self.pos == 0 && self.line == 1 && self.buffer.starts_with('\u{feff}') => {
                    self.pos = '\u{feff}'.len_utf8();
                    self.start = self.pos;
                    continue;
                }
                (b';', _) => {
                    let piece = self.take(self.pos);
                    self.go_to(self.pos + 1);
                    self.start = self.pos;
                    self.in_word = false;
                    let skipped = std::mem::take(&mut self.skips);
                    if let Some(piece) = piece.filter(|_| !skipped) {
                        return Some(Ok(piece));
                    }
                    continue;
                }
                (b'-' | b'/', None) if !last => return None,
                (b'-', Some(b'-')) => Some((Region::LineComment, 2)),
                (b'/', Some(b'*')) => Some((Region::BlockComment { depth: 1 }, 2)),
                (b'\'', _) => Some((Region::Text, 1)),
                (b'"', _) => Some((Region::QuotedName, 1)),
                (b'e' | b'E', None) if !last && !self.in_word => return None,
                (b'e' | b'E', Some(b'\'')) if !self.in_word => Some((Region::EscapeText, 2)),
                (b'$', _) if !self.in_word => match tag_at(bytes, self.pos) {
                    Some(tag) => Some((Region::Dollar { tag_bytes: tag.len() as u8 }, tag.len())),
                    // The tag may not be here as a whole.
                    None if !last && self.may_be_tag() => return None,
                    None => None,
                },
                _ => None,
            };
            match due {
                Some((region, opening_bytes)) => {
                    let tag = bytes[self.pos..self.pos + opening_bytes].to_vec();
                    if !matches!(region, Region::LineComment | Region::BlockComment { .. }) {
                        self.first_token();
                    }
                    self.go_to(self.pos + opening_bytes);
                    self.in_word = false;
                    self.open = Some((region, tag));
                }
                None => {
                    if !is_space(byte) {
                        self.first_token();
                    }
                    // A dollar goes on with a word and begins none.
                    self.in_word = is_word_part(byte) && (self.in_word || byte != b'$');
                    self.go_to(self.pos + 1);
                }
            }
        }
    }

    /// Goes on to a byte, past lines and columns.
    fn go_to(&mut self, to: usize) {
        for byte in &self.buffer.as_bytes()[self.pos..to] {
            if *byte == b'\n' {
                self.line += 1;
                self.column = 0;
            } else if byte & 0xc0 != 0x80 {
                self.column += 1;
            }
        }
        self.pos = to;
    }

    /// Notes where the statement really begins.
    fn first_token(&mut self) {
        if self.first.is_none() {
            self.first = Some((self.line, self.column + 1));
            self.start = self.pos;
        }
    }

    /// Could what stands here still become a `$tag$`?
    fn may_be_tag(&self) -> bool {
        let rest = &self.buffer.as_bytes()[self.pos + 1..];
        rest.len() < TAG_BYTES_MAX - 1 && rest.iter().all(|byte| is_word_part(*byte) && *byte != b'$')
    }

    /// Goes to the end of what is open; `false` if it is not here.
    fn leave_region(&mut self, last: bool) -> bool {
        let (mut region, tag) = self.open.take().expect("it is asked only while something is open");
        let from = self.pos;
        let found = region_end(self.buffer.as_bytes(), from, &mut region, &tag, last);
        let (to, closed) = match found {
            Found::End(end) => (end, true),
            Found::Open(end) => (end, false),
        };
        self.go_to(to);
        if !closed {
            self.open = Some((region, tag));
        }
        if self.skips {
            self.start = self.pos;
        }
        closed
    }

    /// The statement that ends before a byte, if it has a token.
    fn take(&mut self, end: usize) -> Option<Piece> {
        let (line, column) = self.first.take()?;
        Some(Piece { text: self.buffer[self.start..end].trim_end().to_owned(), line, column })
    }

    /// Drops what is done with, once it is the larger part.
    fn compact(&mut self) {
        if self.skips || self.first.is_none() {
            self.start = self.pos;
        }
        if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.pos -= self.start;
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(String, u32, u32)> {
        let mut splitter = Splitter::new();
        splitter.push(text);
        let mut found = Vec::new();
        while let Some(piece) = splitter.next_piece() {
            let piece = piece.unwrap();
            found.push((piece.text, piece.line, piece.column));
        }
        while let Some(piece) = splitter.finish() {
            let piece = piece.unwrap();
            found.push((piece.text, piece.line, piece.column));
        }
        found
    }

    #[test]
    fn semicolons_in_text_names_and_comments_cut_nothing() {
        let text = "\u{feff}-- one;\nSELECT ';''', E'\\';' ; ;\n\n/* ; /* ; */ ; */ SELECT \";\" -- ;\n, $a$ ; $$ ; $a$;\nSELECT 3";
        let found = split(text);
        let expected =
            [("SELECT ';''', E'\\';'", 2, 1), ("SELECT \";\" -- ;\n, $a$ ; $$ ; $a$", 4, 19), ("SELECT 3", 6, 1)];
        assert_eq!(found, expected.map(|(text, line, column)| (text.to_owned(), line, column)));
    }

    #[test]
    fn a_dollar_alone_begins_no_word() {
        let found: Vec<String> = split("$e'\\';';$1e';'; 2").into_iter().map(|(text, ..)| text).collect();
        assert_eq!(found, ["$e'\\';'", "$1e';'", "2"]);
    }

    #[test]
    fn it_tells_what_is_open() {
        let mut splitter = Splitter::new();
        splitter.push("  -- nothing\n");
        assert!(splitter.next_piece().is_none() && !splitter.is_pending());
        splitter.push("SELECT 'a");
        assert!(splitter.next_piece().is_none() && splitter.is_pending());
        assert_eq!(splitter.open(), Some(Region::Text));
        splitter.clear();
        assert!(!splitter.is_pending());
        splitter.push("SELECT 1;");
        assert_eq!(splitter.next_piece().unwrap().unwrap().text, "SELECT 1");
    }

    #[test]
    fn a_statement_that_is_too_long_is_skipped_once() {
        let mut splitter = Splitter::with_bytes_max(100);
        let (mut refused, mut found) = (0, Vec::new());
        splitter.push("SELECT '");
        for _ in 0..1_000 {
            splitter.push("0123456789");
            while let Some(piece) = splitter.next_piece() {
                assert_eq!(piece.unwrap_err().code, "54000");
                refused += 1;
            }
            assert!(splitter.buffer.len() < 1_000, "what is skipped is not held");
        }
        splitter.push("'; SELECT 2;");
        while let Some(piece) = splitter.next_piece() {
            found.push(piece.unwrap().text);
        }
        assert_eq!((refused, found), (1, vec!["SELECT 2".to_owned()]));
    }
}
