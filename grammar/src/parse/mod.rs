//! What does a text say?
//!
//! A text is surveyed first: one pass over its tokens finds what is never closed, what nests too deep and what is too
//! long, before pest sees it. For pest walks nesting by recursion, and a text must never decide how much stack is used. Then pest reads it
//! and [`lower`](crate::lower) turns its pairs into the tree at once. Long lists of VALUES take a shorter way
//! ([`values`]).
//!
//! Holds: every text gives a tree or one [`Diag`], in time linear in its length and with bounded recursion.
//! Not here: names and types (`bind`).

mod error;
mod pest;
mod refuse;
mod values;

pub(crate) use self::pest::Rule;

use self::pest::SqlParser;
use crate::ast;
use crate::diag::{Diag, code};
use crate::lower::{Lower, Pair};
use crate::span::Span;
use crate::stack;
use crate::tokens::{Token, TokenKind, tokens};
use ::pest::Parser as _;

/// Parentheses and CASEs within each other, and comments within each other.
pub const NESTING_MAX: u32 = 128;

/// Tokens of a statement that pest reads. Rows of VALUES do not count.
const TOKENS_MAX: usize = 200_000;

/// So many tokens of a statement that is too long are read to tell whether it was a statement at all.
const TOKENS_TRIED: usize = 1_000;

/// Parses one statement; a semicolon may follow it.
///
/// Gives 42601 for what is no statement, 0A000 for what is one but not supported, 54001 for what nests too deep or is too
/// long.
pub fn statement(sql: &str) -> Result<ast::Statement, Diag> {
    // Most bytes come as INSERTs of plain rows: they need no survey, for nothing in them nests.
    if let Some(insert) = values::insert(sql, None)? {
        return Ok(insert);
    }
    let survey = Survey::of(sql)?;
    match survey.pieces.as_slice() {
        [] => Err(Diag::new(code::SYNTAX, "there is no statement", span(sql.len(), sql.len()))),
        [piece] => parse_piece(sql, piece),
        [_, second, ..] => {
            Err(Diag::new(code::SYNTAX, "there is more than one statement", span(second.start, second.end))
                .help("run them one by one"))
        }
    }
}

/// Parses statements separated by semicolons. Spans count from the beginning of the whole text.
pub fn statements(sql: &str) -> Result<Vec<ast::Statement>, Diag> {
    let survey = Survey::of(sql)?;
    survey.pieces.iter().map(|piece| parse_piece(sql, piece)).collect()
}

/// Parses one expression, such as the text of a DEFAULT.
pub fn expr(sql: &str) -> Result<ast::Expr, Diag> {
    let survey = Survey::of(sql)?;
    let tokens = survey.pieces.iter().map(|piece| piece.token_count).sum();
    refuse_length(sql, Span { start: 0, end: sql.len() as u32 }, tokens)?;
    let nesting = survey.pieces.iter().map(|piece| piece.nesting).max().unwrap_or(0);
    stack::for_levels(nesting, || {
        let pair = parse_rule(Rule::expr_only, sql, 0)?;
        let inner = pair.into_inner().next().expect("expr_only holds an expression");
        Lower::new(0).expr(inner)
    })
}

/// Is the whole text what the rule says? For the lists of words that only the pest files hold.
pub(crate) fn matches_whole(rule: Rule, text: &str) -> bool {
    SqlParser::parse(rule, text).is_ok_and(|pairs| pairs.as_str().len() == text.len())
}

/// One statement of a text, found by its tokens.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// Its first token's first byte.
    start: usize,
    /// The byte after its last token's last, without the semicolon.
    end: usize,
    /// Its tokens without comments.
    token_count: usize,
    /// How deep it nests, comments included.
    nesting: u32,
}

/// What one pass over the tokens tells.
struct Survey {
    pieces: Vec<Piece>,
}

impl Survey {
    fn of(sql: &str) -> Result<Survey, Diag> {
        if u32::try_from(sql.len()).is_err() {
            let place = Span { start: 0, end: 0 };
            return Err(Diag::new(code::TOO_COMPLEX, "the text is longer than 4 GiB", place));
        }
        let mut pieces = Vec::new();
        let mut current: Option<Piece> = None;
        let mut depth = Depth::default();
        let mut follows_retention = false;
        for token in tokens(sql) {
            let is_span = token.kind == TokenKind::BadNumber && follows_retention;
            match token.kind {
                TokenKind::Comment => {
                    depth.comment(sql, token)?;
                    // A comment belongs to the statement before it, if there is one: pest reads it there.
                    if let Some(piece) = &mut current {
                        piece.nesting = piece.nesting.max(depth.deepest);
                    }
                    continue;
                }
                TokenKind::Sign if token.text(sql) == ";" => {
                    pieces.extend(current.take());
                    depth = Depth::default();
                    continue;
                }
                TokenKind::Unclosed(region) => {
                    depth.comment(sql, token)?;
                    return Err(error::unclosed(token, region));
                }
                // SET RETENTION 90d, or -90d; whether it stands there rightly is the grammar's business.
                TokenKind::BadNumber if is_span => depth.token(sql, token)?,
                TokenKind::BadNumber => return Err(error::bad_number(sql, token)),
                TokenKind::Word
                | TokenKind::QuotedName
                | TokenKind::Number
                | TokenKind::Text
                | TokenKind::Blob
                | TokenKind::Param
                | TokenKind::Operator
                | TokenKind::Sign => depth.token(sql, token)?,
            }
            follows_retention = (follows_retention && token.text(sql) == "-")
                || token.kind == TokenKind::Word && token.text(sql).eq_ignore_ascii_case("retention");
            let piece = current.get_or_insert(Piece { start: token.start, end: token.end, token_count: 0, nesting: 0 });
            piece.end = token.end;
            piece.token_count += 1;
            piece.nesting = piece.nesting.max(depth.deepest);
        }
        pieces.extend(current);
        Ok(Survey { pieces })
    }
}

/// How deep does a text nest?
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Depth {
    parens: u32,
    cases: u32,
    deepest: u32,
    after_dot: bool,
}

impl Depth {
    /// Goes past a token; an error where it is one level too deep.
    pub(crate) fn token(&mut self, sql: &str, token: Token) -> Result<(), Diag> {
        match (token.kind, token.text(sql)) {
            (TokenKind::Sign, "(" | "[") => self.parens += 1,
            (TokenKind::Sign, ")" | "]") => self.parens = self.parens.saturating_sub(1),
            (TokenKind::Word, word) if word.len() == 4 && word.eq_ignore_ascii_case("case") && !self.after_dot => {
                self.cases += 1
            }
            (TokenKind::Word, word) if word.len() == 3 && word.eq_ignore_ascii_case("end") && !self.after_dot => {
                self.cases = self.cases.saturating_sub(1);
            }
            _ => {}
        }
        self.after_dot = token.is_sign(sql, ".");
        self.deepest = self.deepest.max(self.parens + self.cases);
        if self.deepest > NESTING_MAX {
            return Err(error::too_deep(token.span()));
        }
        Ok(())
    }

    /// Goes past a token or a comment.
    fn any(&mut self, sql: &str, token: Token) -> Result<(), Diag> {
        match token.kind {
            TokenKind::Comment | TokenKind::Unclosed(_) => self.comment(sql, token),
            _ => self.token(sql, token),
        }
    }

    fn comment(&mut self, sql: &str, token: Token) -> Result<(), Diag> {
        let text = token.text(sql).as_bytes();
        if !text.starts_with(b"/*") {
            return Ok(());
        }
        let (mut depth, mut pos) = (0u32, 0);
        while pos + 1 < text.len() {
            match &text[pos..pos + 2] {
                b"/*" => (depth, pos) = (depth + 1, pos + 2),
                b"*/" => (depth, pos) = (depth.saturating_sub(1), pos + 2),
                _ => pos += 1,
            }
            self.deepest = self.deepest.max(depth);
            if depth > NESTING_MAX {
                return Err(error::too_deep(span(token.start, token.start + 2)));
            }
        }
        Ok(())
    }
}

fn parse_piece(sql: &str, piece: &Piece) -> Result<ast::Statement, Diag> {
    let insert = || values::insert(sql, Some(piece));
    if let Some(insert) = stack::for_levels(piece.nesting, insert)? {
        return Ok(insert);
    }
    refuse_length(sql, span(piece.start, piece.end), piece.token_count)?;
    stack::for_levels(piece.nesting, || {
        let pair = parse_rule(Rule::statement, &sql[piece.start..piece.end], piece.start)?;
        Lower::new(piece.start as u32).statement(pair)
    })
}

/// Refuses a statement of too many tokens, by its first error if it has one near its beginning.
fn refuse_length(sql: &str, place: Span, token_count: usize) -> Result<(), Diag> {
    if token_count <= TOKENS_MAX {
        return Ok(());
    }
    let text = place.of(sql);
    let tried = tokens(text).nth(TOKENS_TRIED).map_or(text.len(), |token| token.start);
    if let Err(diag) = parse_rule(Rule::statement, &text[..tried], place.start as usize)
        && diag.span.is_some_and(|at| (at.end as usize) < place.start as usize + tried)
    {
        return Err(diag);
    }
    let message = format!("the statement has more than {TOKENS_MAX} words and signs");
    Err(Diag::new(code::TOO_COMPLEX, message, place)
        .help("load data with INSERT ... VALUES or COPY, or divide the statement"))
}

/// Reads a text by a rule; `base` is where the text begins in the whole.
fn parse_rule(rule: Rule, text: &str, base: usize) -> Result<Pair<'_>, Diag> {
    let mut pairs = SqlParser::parse(rule, text).map_err(|error| error::syntax(text, base, &error))?;
    Ok(pairs.next().expect("a rule that fits gives its pair"))
}

fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32 }
}
