//! What do literals and parameters say?
//!
//! Not here: the types of numbers and untyped texts (`bind`).

use super::{Lower, Pair};
use crate::ast::{ExprKind, ParamName};
use crate::diag::{Diag, code};
use crate::parse::Rule;

impl Lower {
    /// What a text literal of any kind says.
    pub(super) fn text(&self, pair: &Pair<'_>) -> Result<String, Diag> {
        let written = pair.as_str();
        match pair.as_rule() {
            Rule::escape_text => self.escapes(pair, &written[2..written.len() - 1]),
            Rule::dollar_text => {
                let tag_bytes = written[1..].find('$').expect("a dollar quote begins with a tag") + 2;
                Ok(written[tag_bytes..written.len() - tag_bytes].to_owned())
            }
            _ => Ok(unquote(written)),
        }
    }

    /// `U&'..' [UESCAPE '!']`: an escape and four digits, or it and `+` and six, are a character.
    pub(super) fn unicode(&self, pair: Pair<'_>) -> Result<String, Diag> {
        let span = self.span(&pair);
        let (mut written, mut escape) = (String::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::unicode_text => written = unquote(&part.as_str()[2..]),
                Rule::plain_text => escape = Some(self.text(&part)?),
                _ => {}
            }
        }
        unescaped(&written, escape.as_deref()).map_err(|message| {
            let diag = Diag::new(code::SYNTAX, message, span);
            if message == NO_ESCAPE { diag.help("Unicode escapes must be \\XXXX or \\+XXXXXX") } else { diag }
        })
    }

    /// `\n`, `\x41`, `\u00e9` and their kin, as PostgreSQL reads them.
    fn escapes(&self, pair: &Pair<'_>, body: &str) -> Result<String, Diag> {
        let mut out = String::with_capacity(body.len());
        let mut rest = body.chars();
        while let Some(c) = rest.next() {
            match c {
                '\'' => {
                    rest.next();
                    out.push('\'');
                }
                '\\' => {
                    let letter = rest.next().expect("the rule takes a backslash with its letter");
                    let plain = match letter {
                        'n' => '\n',
                        't' => '\t',
                        'r' => '\r',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        'x' | 'u' | 'U' | '0'..='7' => {
                            let (digits, radix) = match letter {
                                'x' => (take_digits(&mut rest, 2, 16), 16),
                                'u' => (take_digits(&mut rest, 4, 16), 16),
                                'U' => (take_digits(&mut rest, 8, 16), 16),
                                first => (format!("{first}{}", take_digits(&mut rest, 2, 8)), 8),
                            };
                            let exact = match letter {
                                'u' => digits.len() == 4,
                                'U' => digits.len() == 8,
                                _ => !digits.is_empty(),
                            };
                            let number = u32::from_str_radix(&digits, radix).ok().filter(|_| exact);
                            // One byte above 127 is no character of its own.
                            let allowed = number.filter(|n| *n != 0 && (matches!(letter, 'u' | 'U') || *n < 128));
                            allowed.and_then(char::from_u32).ok_or_else(|| {
                                let message = format!("\"\\{letter}{digits}\" is not a character");
                                Diag::new(code::SYNTAX, message, self.span(pair))
                                    .help("write characters beyond ASCII as they are or as \\u followed by four digits")
                            })?
                        }
                        other => other,
                    };
                    out.push(plain);
                }
                other => out.push(other),
            }
        }
        Ok(out)
    }

    /// The bytes of `X'00ff'`.
    pub(super) fn blob(&self, pair: &Pair<'_>) -> Result<ExprKind, Diag> {
        let written = pair.as_str();
        let digits = &written[2..written.len() - 1];
        let nibbles: Option<Vec<u8>> = digits.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
        match nibbles {
            Some(nibbles) if nibbles.len() % 2 == 0 => {
                Ok(ExprKind::Blob(nibbles.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()))
            }
            Some(_) | None => {
                Err(Diag::new(code::SYNTAX, "the bytes are not pairs of hexadecimal digits", self.span(pair))
                    .help("write two digits a byte: X'00ff'"))
            }
        }
    }

    /// `$1`, `:name`
    pub(super) fn param(&self, pair: &Pair<'_>) -> Result<ExprKind, Diag> {
        let written = &pair.as_str()[1..];
        if pair.as_rule() == Rule::named_param {
            return Ok(ExprKind::Param(ParamName::Named(written.to_lowercase())));
        }
        match written.parse::<u32>() {
            Ok(number @ 1..=65_535) => Ok(ExprKind::Param(ParamName::Position(number))),
            Ok(_) | Err(_) => {
                let message = format!("there is no parameter ${written}");
                Err(Diag::new(code::UNDEFINED_PARAMETER, message, self.span(pair)).help("parameters are $1 to $65535"))
            }
        }
    }
}

const NO_ESCAPE: &str = "invalid Unicode escape";

/// What `U&"d!0061t" UESCAPE '!'` is called.
pub(super) fn unicode_name(written: &str) -> Result<String, &'static str> {
    let (quoted, behind) = written[2..].rsplit_once('"').expect("a quoted name ends with its quote");
    let escape = behind.split_once('\'').map(|(_, rest)| rest.trim_end_matches('\''));
    // A quote as the escape would end the name.
    match quoted.strip_prefix('"') {
        Some(name) => unescaped(&name.replace("\"\"", "\""), escape),
        None => Err("invalid Unicode escape character"),
    }
}

/// A text whose escapes are code points; the escape is a backslash where nothing is said.
fn unescaped(written: &str, escape: Option<&str>) -> Result<String, &'static str> {
    let mut letters = escape.unwrap_or("\\").chars();
    let escape = match (letters.next(), letters.next()) {
        (Some(letter), None) if !letter.is_ascii_hexdigit() && !letter.is_whitespace() && !"+'\"".contains(letter) => {
            letter
        }
        _ => return Err("invalid Unicode escape character"),
    };
    let pair = "invalid Unicode surrogate pair";
    let mut out = String::with_capacity(written.len());
    let mut rest = written.chars();
    let mut high: Option<u32> = None;
    while let Some(letter) = rest.next() {
        if letter != escape || rest.as_str().starts_with(escape) {
            if letter == escape {
                rest.next();
            }
            if high.is_some() {
                return Err(pair);
            }
            out.push(letter);
            continue;
        }
        let count = if rest.as_str().starts_with('+') {
            rest.next();
            6
        } else {
            4
        };
        let digits = take_digits(&mut rest, count, 16);
        let number = u32::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == count).ok_or(NO_ESCAPE)?;
        match (high.take(), number) {
            (None, 0xD800..=0xDBFF) => high = Some(number),
            (Some(high), 0xDC00..=0xDFFF) => {
                let number = 0x1_0000 + ((high - 0xD800) << 10) + (number - 0xDC00);
                out.push(char::from_u32(number).expect("a pair of surrogates is a character"));
            }
            (None, number) => match char::from_u32(number).filter(|_| number != 0) {
                Some(letter) => out.push(letter),
                None => return Err("invalid Unicode escape value"),
            },
            (Some(_), _) => return Err(pair),
        }
    }
    if high.is_some() { Err(pair) } else { Ok(out) }
}

/// `'it''s'` without its quotes, and what goes on in the quotes of a further line.
pub(crate) fn unquote(written: &str) -> String {
    let mut rest = &written[1..written.len() - 1];
    let mut out = String::with_capacity(rest.len());
    while let Some(quote) = rest.find('\'') {
        out.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                out.push('\'');
                rest = after;
            }
            None => rest = rest.split_once('\'').expect("what ends before a line goes on in quotes").1,
        }
    }
    out.push_str(rest);
    out
}

fn take_digits(rest: &mut std::str::Chars<'_>, count_max: usize, radix: u32) -> String {
    let mut digits = String::new();
    while digits.len() < count_max
        && let Some(digit) = rest.clone().next().filter(|c| c.is_digit(radix))
    {
        digits.push(digit);
        rest.next();
    }
    digits
}
