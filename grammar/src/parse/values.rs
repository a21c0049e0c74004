//! How are long lists of VALUES read fast?
//!
//! This scanner implements one rule of the grammar, `rows`, for an INSERT: rows of plain literals are read byte by byte.
//! A row that holds anything else (a call, an operator, a parameter) is handed to pest alone. Many rows of literals only are
//! kept as the places of their literals, which need a fraction of what trees would. What stands around the rows is read by
//! the rules `insert_head` and `insert_tail`.
//!
//! Holds: where it gives a tree, it is the tree that pest would give, spans included (tested as a property).
//! Not here: errors of its own. What it cannot read is read again by pest, whose error counts.

use super::{Depth, Piece, Rule, TOKENS_MAX, parse_rule, span};
use crate::ast::{Expr, Insert, Literals, Mark, MarkKind, Rows, Statement, StatementKind};
use crate::diag::Diag;
use crate::lower::{Lower, set_period, values_query};
use crate::stack;
use crate::tokens::{Found, Region, TokenKind, is_space, is_word_part, region_end, tokens_from};

/// The words before VALUES are looked through this far.
const HEAD_TOKENS_MAX: usize = 4_096;

/// More parentheses within each other before VALUES are unusual.
const HEAD_PARENS_MAX: u32 = 4;

/// The INSERT with VALUES that a piece of the text is, or the whole text where nobody has looked for pieces yet; `None`
/// where pest has to decide.
pub(super) fn insert(sql: &str, piece: Option<&Piece>) -> Result<Option<Statement>, Diag> {
    let Some(first) =
        tokens_from(sql, piece.map_or(0, |piece| piece.start)).find(|token| token.kind != TokenKind::Comment)
    else {
        return Ok(None);
    };
    let (start, end) = (first.start, piece.map_or(sql.len(), |piece| piece.end));
    let Some((values_start, values_end)) = find_values(sql, start, end) else {
        return Ok(None);
    };
    // Comments nest, too.
    if nesting(sql, start, values_end).is_none_or(|levels| levels > ROW_DEPTH_MAX) {
        return Ok(None);
    }
    let Ok(head) = parse_rule(Rule::insert_head, &sql[start..values_end], start) else {
        return Ok(None);
    };
    let mut scanner = Scanner { sql, bytes: &sql.as_bytes()[..end], pos: values_end };
    let rows = match scanner.rows() {
        Ok(rows) => rows,
        // Where the statement is too long for pest, the row's own error is the answer.
        Err(Some(diag)) if piece.is_some_and(|piece| piece.token_count > TOKENS_MAX) => return Err(diag),
        Err(_) => return Ok(None),
    };
    let rows_end = scanner.pos;
    let mut insert = Lower::new(start as u32).insert(head)?;
    let mut statement_end = rows_end;
    scanner.skip();
    if scanner.pos < end {
        // Nobody has looked yet how deep it nests. Too deep is for the survey to say.
        let Some(levels) = nesting(sql, scanner.pos, end) else {
            return Ok(None);
        };
        let read = || tail(&sql[scanner.pos..end], scanner.pos, &mut insert);
        match stack::for_levels(levels, read)? {
            Some(tail_end) => statement_end = tail_end.unwrap_or(rows_end),
            None => return Ok(None),
        }
    }
    insert.source = Some(values_query(rows, span(values_start, rows_end)));
    Ok(Some(Statement { kind: StatementKind::Insert(insert), span: span(start, statement_end) }))
}

/// Reads what stands behind the rows; gives where its last clause ends, if there is one, and `None` where pest has to decide.
fn tail(text: &str, start: usize, insert: &mut Insert) -> Result<Option<Option<usize>>, Diag> {
    let Ok(tail) = parse_rule(Rule::insert_tail, text, start) else {
        return Ok(None);
    };
    let mut lower = Lower::new(start as u32);
    let mut end = None;
    for part in tail.into_inner() {
        let place = match part.as_rule() {
            Rule::valid_from => {
                let period = lower.valid_from(part)?;
                let place = period.span;
                set_period(&mut insert.valid, period)?;
                place
            }
            Rule::on_conflict => insert.on_conflict.insert(lower.on_conflict(part)?).span,
            Rule::returning => insert.returning.insert(lower.returning(part)?).span,
            _ => continue,
        };
        end = Some(place.end as usize);
    }
    lower.finish()?;
    Ok(Some(end))
}

/// How deep does a part of the text nest, comments included? `None`: deeper than is allowed.
fn nesting(sql: &str, start: usize, end: usize) -> Option<u32> {
    let mut depth = Depth::default();
    for token in tokens_from(sql, start).take_while(|token| token.start < end) {
        depth.any(sql, token).ok()?;
    }
    Some(depth.deepest)
}

/// Where does VALUES stand in `INSERT INTO t (..) .. VALUES (`?
fn find_values(sql: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let mut found = None;
    let mut parens = 0u32;
    let tokens = tokens_from(sql, start).filter(|token| token.kind != TokenKind::Comment);
    for (token_idx, token) in tokens.take(HEAD_TOKENS_MAX).take_while(|token| token.end <= end).enumerate() {
        if token_idx == 0 && !token.is_word(sql, "insert") {
            return None;
        }
        match (token.kind, token.text(sql)) {
            (TokenKind::Sign, "(") if found.is_some() => return found,
            (TokenKind::Sign, "(") if parens == HEAD_PARENS_MAX => return None,
            (TokenKind::Sign, "(") => parens += 1,
            (TokenKind::Sign, ")") => parens = parens.checked_sub(1)?,
            (TokenKind::Unclosed(_), _) | (TokenKind::Sign, ";") => return None,
            // A table or a column may be called `values`: what counts is the parenthesis behind it.
            (TokenKind::Word, word) if parens == 0 && token_idx > 2 && word.eq_ignore_ascii_case("values") => {
                found = Some((token.start, token.end));
                continue;
            }
            (TokenKind::Word, word) if word.eq_ignore_ascii_case("select") || word.eq_ignore_ascii_case("with") => {
                return None;
            }
            _ => {}
        }
        found = None;
    }
    None
}

/// Deeper rows go to pest with the whole statement, on a stack that fits.
const ROW_DEPTH_MAX: u32 = 8;

/// So many rows of plain literals are kept as literals; fewer are trees, as anything else is.
const LITERAL_ROWS_MIN: usize = 64;

struct Scanner<'a> {
    sql: &'a str,
    bytes: &'a [u8],
    pos: usize,
}

/// Pest must read it; with the error that it gave for one row, if it was asked already.
type Unusual = Option<Diag>;

impl Scanner<'_> {
    fn rows(&mut self) -> Result<Rows, Unusual> {
        self.skip();
        let first = self.pos;
        let (mut marks, mut row_ends): (Vec<Mark>, Vec<u32>) = (Vec::new(), Vec::new());
        // Once a row is none of literals, all are trees.
        let mut trees: Option<Vec<Vec<Expr>>> = None;
        let rows_end = loop {
            self.skip();
            let row_start = self.pos;
            let row_marks = marks.len();
            if self.plain_row(&mut marks).is_some() {
                row_ends.push(marks.len() as u32);
                // The trees of a few rows are no burden; of many, literals are kept until there is a row that is none.
                if let Some(trees) = &mut trees {
                    trees.extend(self.literals(row_start, &mut marks, &mut row_ends).to_trees());
                }
            } else {
                marks.truncate(row_marks);
                self.pos = row_start;
                if trees.is_none() {
                    trees = Some(self.literals(first, &mut marks, &mut row_ends).to_trees());
                }
                let row = self.pest_row()?;
                trees.get_or_insert_default().push(row);
            }
            let row_end = self.pos;
            self.skip();
            if self.bytes.get(self.pos) != Some(&b',') {
                self.pos = row_end;
                break row_end;
            }
            self.pos += 1;
            let comma_end = self.pos;
            self.skip();
            if self.bytes.get(self.pos) != Some(&b'(') {
                self.pos = comma_end;
                break comma_end;
            }
        };
        Ok(match trees {
            Some(rows) => Rows::Trees(rows),
            None if row_ends.len() < LITERAL_ROWS_MIN => {
                Rows::Trees(self.literals(first, &mut marks, &mut row_ends).to_trees())
            }
            None => Rows::Literals(Literals::new(&self.sql[first..rows_end], first as u32, marks, row_ends)),
        })
    }

    /// The literals read so far, from a place in the text on.
    fn literals(&self, from: usize, marks: &mut Vec<Mark>, row_ends: &mut Vec<u32>) -> Literals {
        Literals::new(&self.sql[from..self.pos], from as u32, std::mem::take(marks), std::mem::take(row_ends))
    }

    /// A row of plain literals.
    fn plain_row(&mut self, marks: &mut Vec<Mark>) -> Option<()> {
        self.sign(b'(')?;
        loop {
            self.skip();
            marks.push(self.literal()?);
            self.skip();
            let has_comma = self.sign(b',').is_some();
            if has_comma {
                self.skip();
            }
            match self.bytes.get(self.pos)? {
                b')' => {
                    self.pos += 1;
                    return Some(());
                }
                _ if has_comma => {}
                _ => return None,
            }
        }
    }

    /// A row that pest reads, from its parenthesis to the one that closes it.
    fn pest_row(&mut self) -> Result<Vec<Expr>, Unusual> {
        let mut depth = Depth::default();
        let mut parens = 0u32;
        for token in tokens_from(self.sql, self.pos) {
            if token.end > self.bytes.len() {
                break;
            }
            depth.any(self.sql, token)?;
            match (token.kind, token.text(self.sql)) {
                (TokenKind::Sign, "(") => parens += 1,
                // One that was never opened is no row: pest says so.
                (TokenKind::Sign, ")") => parens = parens.saturating_sub(1),
                _ => {}
            }
            if parens == 0 && token.kind != TokenKind::Comment {
                if depth.deepest > ROW_DEPTH_MAX {
                    return Err(None);
                }
                let text = &self.sql[self.pos..token.end];
                let pair = parse_rule(Rule::row, text, self.pos)?;
                if pair.as_span().end() != text.len() {
                    return Err(None);
                }
                let row = Lower::new(self.pos as u32).row(pair)?;
                self.pos = token.end;
                return Ok(row);
            }
        }
        Err(None)
    }

    fn sign(&mut self, sign: u8) -> Option<()> {
        (self.bytes.get(self.pos) == Some(&sign)).then(|| self.pos += 1)
    }

    fn literal(&mut self) -> Option<Mark> {
        let start = self.pos;
        let mut inner = start;
        let kind = match self.bytes.get(start)? {
            b'\'' => {
                self.text()?;
                MarkKind::Text
            }
            b'0'..=b'9' | b'.' => {
                self.number()?;
                MarkKind::Number
            }
            sign @ (b'-' | b'+') => {
                self.pos += 1;
                self.skip();
                inner = self.pos;
                self.number()?;
                if *sign == b'-' { MarkKind::Minus } else { MarkKind::Plus }
            }
            _ => {
                let word_bytes = self.bytes[start..].iter().take_while(|byte| is_word_part(**byte)).count();
                let word = self.sql.get(start..start + word_bytes)?;
                self.pos += word_bytes;
                let words = [
                    ("null", MarkKind::Null),
                    ("default", MarkKind::Default),
                    ("true", MarkKind::True),
                    ("false", MarkKind::False),
                    ("date", MarkKind::Date),
                    ("timestamp", MarkKind::Timestamp),
                ];
                let (_, kind) = words.into_iter().find(|(known, _)| word.eq_ignore_ascii_case(known))?;
                if matches!(kind, MarkKind::Date | MarkKind::Timestamp) {
                    self.skip();
                    inner = self.pos;
                    self.text()?;
                }
                kind
            }
        };
        Some(Mark { start: start as u32, inner: inner as u32, end: self.pos as u32, kind })
    }

    fn text(&mut self) -> Option<()> {
        self.sign(b'\'')?;
        match region_end(self.bytes, self.pos, &mut Region::Text, b"", true) {
            Found::End(end) => {
                self.pos = end;
                Some(())
            }
            Found::Open(_) => None,
        }
    }

    /// `12`, `1.5`, `.5`, `1e3`; anything of a word behind it is not for here.
    fn number(&mut self) -> Option<()> {
        let whole = self.digits();
        let mut fraction = 0;
        if self.bytes.get(self.pos) == Some(&b'.') {
            self.pos += 1;
            fraction = self.digits();
        }
        if whole + fraction == 0 {
            return None;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.pos) {
            self.pos += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.pos) {
                self.pos += 1;
            }
            if self.digits() == 0 {
                return None;
            }
        }
        if self.bytes.get(self.pos).is_some_and(|byte| is_word_part(*byte) || *byte == b'.') {
            return None;
        }
        Some(())
    }

    fn digits(&mut self) -> usize {
        let count = self.bytes[self.pos..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.pos += count;
        count
    }

    /// Goes past space and comments.
    fn skip(&mut self) {
        loop {
            while self.bytes.get(self.pos).is_some_and(|byte| is_space(*byte)) {
                self.pos += 1;
            }
            let mut region = match self.bytes.get(self.pos..self.pos + 2) {
                Some(b"--") => Region::LineComment,
                Some(b"/*") => Region::BlockComment { depth: 1 },
                _ => return,
            };
            self.pos = match region_end(self.bytes, self.pos + 2, &mut region, b"", true) {
                Found::End(end) | Found::Open(end) => end,
            };
        }
    }
}
