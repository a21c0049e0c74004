//! Which number is a text that was written by a template?
//!
//! `to_number` walks along template and text together: each place for a digit takes one character, and what is no digit, point or
//! sign is passed over; so are as many characters as the template has of its own. A sign stands before the first digit, where the
//! template has one, or right behind the last.
//!
//! Not here: the way there, and what words a template has (`number_char`); exponents, Roman numerals.

use super::{
    Fault,
    lift::functions,
    number_char::{Piece, SignPlace, Template, Word},
};

/// A walk along a text.
struct Reader<'t> {
    template: Template,
    rest: &'t str,
    digits: String,
    /// How many of them stand behind the point, once it has been read.
    fraction_count: Option<usize>,
    sign: Option<char>,
}

impl Reader<'_> {
    fn next(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn pass(&mut self) {
        self.rest = &self.rest[self.next().map_or(0, char::len_utf8)..];
    }

    /// Passes over characters that belong to no number.
    fn pass_others(&mut self, count: usize) {
        for _ in 0..count {
            if self.next().is_some_and(|next| !next.is_ascii_digit() && !".,+-".contains(next)) {
                self.pass();
            }
        }
    }

    /// A place for a digit, or the point.
    fn place(&mut self, word: Word) {
        if self.next() == Some(' ') {
            self.pass();
        }
        if self.sign.is_none() && self.digits.is_empty() && self.fraction_count.is_none() && word != Word::Point {
            let has_sign_before = self.template.sign == SignPlace::Before;
            let sign = match self.next() {
                Some(sign @ ('-' | '+')) => Some(sign),
                Some('<') if self.template.brackets && !has_sign_before => Some('-'),
                _ => None,
            };
            if sign.is_some() {
                self.sign = sign;
                self.pass();
            }
        }
        let Some(next) = self.next() else { return };
        let mut is_read = false;
        if next.is_ascii_digit() {
            if self.fraction_count.is_some_and(|count| count == self.template.behind) {
                return self.pass();
            }
            self.digits.push(next);
            self.fraction_count = self.fraction_count.map(|count| count + 1);
            is_read = true;
        } else if next == '.' && self.template.has_point && self.fraction_count.is_none() {
            self.fraction_count = Some(0);
            is_read = true;
        }
        if self.sign.is_none() && !self.digits.is_empty() {
            let has_sign = self.template.sign != SignPlace::None;
            if has_sign && is_read {
                if let Some(sign @ ('-' | '+')) = self.rest[1..].chars().next() {
                    self.sign = Some(sign);
                    self.pass();
                }
            } else if !has_sign && !is_read && (self.template.plus || self.template.minus) {
                self.sign = Some(next).filter(|sign| matches!(sign, '-' | '+'));
            }
        }
        self.pass();
    }

    /// A word that is a sign.
    fn sign_word(&mut self, signs: &[char]) {
        match self.next().filter(|next| signs.contains(next)) {
            Some(sign) => {
                self.sign = Some(sign);
                self.pass();
            }
            None => self.pass_others(1),
        }
    }

    fn word(&mut self, word: Word) {
        match word {
            Word::Nine | Word::Zero | Word::Point => self.place(word),
            Word::Comma => {
                if self.template.fills && self.next() == Some(',') {
                    self.pass();
                }
            }
            Word::Currency => self.pass_others(1),
            Word::Ending(_) => self.pass_others(2),
            Word::Minus => self.sign_word(&['-']),
            Word::Plus => self.sign_word(&['+']),
            Word::EitherSign => self.sign_word(&['-', '+']),
            Word::Blank
            | Word::Exponent
            | Word::Fill
            | Word::Brackets
            | Word::Roman(_)
            | Word::Sign
            | Word::Multi
            | Word::Nothing => {}
        }
    }
}

/// A number read by a template, at a scale.
pub fn to_number(text: &str, template: &str, scale: i64) -> (i128, Fault) {
    let mut template = Template::read(template);
    let pieces = std::mem::take(&mut template.pieces);
    let multi = template.multi;
    let mut reader = Reader { template, rest: text, digits: String::new(), fraction_count: None, sign: None };
    for piece in &pieces {
        if reader.rest.is_empty() {
            break;
        }
        match piece {
            Piece::Word(word) => reader.word(*word),
            Piece::Plain(_) => reader.pass(),
        }
    }
    if reader.digits.is_empty() {
        return (0, Fault::InvalidArgument);
    }
    let mut units = 0i128;
    let fraction_count = multi.or(reader.fraction_count).unwrap_or(0);
    let zeroes = (scale.clamp(0, 38) as usize).saturating_sub(fraction_count);
    for digit in reader.digits.bytes().chain(std::iter::repeat_n(b'0', zeroes)) {
        let next = units.checked_mul(10).and_then(|units| units.checked_add(i128::from(digit - b'0')));
        let Some(next) = next else { return (0, Fault::OutOfRange) };
        units = next;
    }
    (if reader.sign == Some('-') { -units } else { units }, Fault::Ok)
}

/// How many digits a template has before and behind the point; nothing where it is of letters or exponents.
pub fn template_digits(template: &str) -> Option<(usize, usize)> {
    let template = Template::read(template);
    let fraction = template.multi.unwrap_or(template.behind);
    (template.roman.is_none() && !template.exponent).then_some((template.before, fraction))
}

functions! { "func::number_templates";
    "$to_number" (Text, Text, Integer) -> Numeric, Fallible, to_number, "A number read by a template, at a scale.";
}
