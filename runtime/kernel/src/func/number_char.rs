//! How is a number written by a template?
//!
//! PostgreSQL's `to_char`: `9` a digit or a blank, `0` a digit, `.` and `D` the point, `,` and `G` a comma between digits,
//! `S`, `MI`, `PL`, `SG` and `PR` signs, `V` a point that is moved, `FM` without blanks, `RN` Roman, `TH` an ordinal's
//! ending, `EEEE` an exponent; what is no word of a template stands for itself, and so does what is in double quotes. The
//! template is walked once, digit by digit, and every place writes what is there for it. A number with more digits before the point than
//! the template has becomes `#`.
//!
//! Numbers come as their decimal text, which no scale can spoil; a REAL shows as many digits as it has.
//! Not here: the way back (`number_templates`), currencies of other locales than C, where `L` is a blank.

use super::{Fault, lift::functions};
use crate::pause::Pace;

/// A word of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Comma,
    Point,
    Zero,
    Nine,
    Blank,
    Exponent,
    Fill,
    Currency,
    Minus,
    Plus,
    Brackets,
    Roman(bool),
    Sign,
    EitherSign,
    Ending(bool),
    Multi,
    Nothing,
}

/// The words, those with a longer one of the same beginning behind it.
const WORDS: [(&str, Word); 21] = [
    ("EEEE", Word::Exponent),
    ("FM", Word::Fill),
    ("MI", Word::Minus),
    ("PL", Word::Plus),
    ("PR", Word::Brackets),
    ("RN", Word::Roman(true)),
    ("SG", Word::EitherSign),
    ("SP", Word::Nothing),
    ("TH", Word::Ending(true)),
    ("S", Word::Sign),
    ("L", Word::Currency),
    ("G", Word::Comma),
    (",", Word::Comma),
    ("D", Word::Point),
    (".", Word::Point),
    ("0", Word::Zero),
    ("9", Word::Nine),
    ("B", Word::Blank),
    ("C", Word::Nothing),
    ("V", Word::Multi),
    ("rn", Word::Roman(false)),
];

#[derive(Debug)]
pub(super) enum Piece {
    Word(Word),
    Plain(char),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignPlace {
    None,
    Before,
    Behind,
}

/// What a template says as a whole.
pub(super) struct Template {
    pub(super) pieces: Vec<Piece>,
    /// Digits before and behind the point.
    pub(super) before: usize,
    pub(super) behind: usize,
    zero_start: usize,
    zero_end: usize,
    has_zero: bool,
    pub(super) has_point: bool,
    pub(super) fills: bool,
    pub(super) sign: SignPlace,
    digits_before_sign: usize,
    pub(super) minus: bool,
    pub(super) plus: bool,
    pub(super) brackets: bool,
    pub(super) roman: Option<bool>,
    pub(super) exponent: bool,
    pub(super) multi: Option<usize>,
    blank: bool,
    /// Do its words go together?
    fits: bool,
}

fn word_at(rest: &str) -> Option<(&'static str, Word)> {
    let small = |word: &str| rest.get(..word.len()).is_some_and(|head| head == word.to_lowercase());
    WORDS.into_iter().find(|(word, _)| rest.starts_with(word) || small(word)).map(|(word, meant)| match meant {
        Word::Ending(_) => (word, Word::Ending(rest.starts_with('T'))),
        Word::Roman(_) => (word, Word::Roman(rest.starts_with('R'))),
        meant => (word, meant),
    })
}

impl Template {
    pub(super) fn read(text: &str) -> Template {
        let mut read = Template {
            pieces: Vec::new(),
            before: 0,
            behind: 0,
            zero_start: 0,
            zero_end: 0,
            has_zero: false,
            has_point: false,
            fills: true,
            sign: SignPlace::None,
            digits_before_sign: 0,
            minus: false,
            plus: false,
            brackets: false,
            roman: None,
            exponent: false,
            multi: None,
            blank: false,
            fits: true,
        };
        let mut rest = text;
        let mut pace = Pace::default();
        while let Some(first) = rest.chars().next().filter(|_| pace.goes_on()) {
            if let Some((written, word)) = word_at(rest) {
                rest = &rest[written.len()..];
                read.word(word);
                read.pieces.push(Piece::Word(word));
            } else if first == '"' {
                // A backslash quotes what follows it.
                let mut quoted = rest[1..].chars();
                while let Some(inner) = quoted.next() {
                    match inner {
                        '"' => break,
                        '\\' => read.pieces.push(Piece::Plain(quoted.next().unwrap_or('\\'))),
                        plain => read.pieces.push(Piece::Plain(plain)),
                    }
                }
                rest = quoted.as_str();
            } else {
                rest = if rest.starts_with("\\\"") { &rest[1..] } else { rest };
                let plain = rest.chars().next().expect("a character stands there");
                read.pieces.push(Piece::Plain(plain));
                rest = &rest[plain.len_utf8()..];
            }
        }
        read
    }

    /// May the word stand behind those before it?
    fn takes(&self, word: Word) -> bool {
        let signs = self.minus || self.plus;
        match word {
            _ if self.exponent && word != Word::Exponent => false,
            Word::Nine | Word::Zero => !self.brackets,
            Word::Point => !self.has_point && self.multi.is_none(),
            Word::Multi => !self.has_point,
            Word::Sign => self.sign == SignPlace::None && !signs && !self.brackets,
            Word::Minus | Word::Plus | Word::EitherSign => self.sign == SignPlace::None,
            Word::Brackets => self.sign == SignPlace::None && !signs,
            Word::Exponent => {
                let other = self.blank || !self.fills || self.roman.is_some() || self.multi.is_some();
                !(self.exponent || other || signs || self.brackets || self.sign != SignPlace::None)
            }
            Word::Comma
            | Word::Blank
            | Word::Fill
            | Word::Currency
            | Word::Roman(_)
            | Word::Ending(_)
            | Word::Nothing => true,
        }
    }

    fn word(&mut self, word: Word) {
        self.fits &= self.takes(word);
        match word {
            Word::Nine | Word::Zero => {
                if word == Word::Zero {
                    if !self.has_zero && !self.has_point {
                        (self.has_zero, self.zero_start) = (true, self.before + 1);
                    }
                    self.zero_end = self.before + self.behind + 1;
                }
                match &mut self.multi {
                    Some(multi) => *multi += 1,
                    None if self.has_point => self.behind += 1,
                    None => self.before += 1,
                }
            }
            Word::Point => self.has_point = true,
            Word::Fill => self.fills = false,
            Word::Sign if !self.has_point => {
                (self.sign, self.digits_before_sign) = (SignPlace::Before, self.before);
            }
            Word::Sign if self.sign == SignPlace::None => self.sign = SignPlace::Behind,
            Word::Minus => self.minus = true,
            Word::Plus => self.plus = true,
            Word::EitherSign => (self.minus, self.plus) = (true, true),
            Word::Brackets => self.brackets = true,
            Word::Roman(is_upper) => self.roman = Some(is_upper),
            Word::Exponent => self.exponent = true,
            Word::Multi => self.multi = self.multi.or(Some(0)),
            Word::Blank => self.blank |= self.before == 0 && self.behind == 0 && !self.has_zero,
            Word::Comma | Word::Currency | Word::Sign | Word::Ending(_) | Word::Nothing => {}
        }
    }
}

impl Template {
    fn fault(&self) -> Fault {
        let is_lone_ending = self.before + self.behind == 0
            && self.pieces.iter().any(|piece| matches!(piece, Piece::Word(Word::Ending(_))));
        match (self.fits, is_lone_ending && self.roman.is_none()) {
            (false, _) => Fault::InvalidArgument,
            (true, true) => Fault::InvalidText,
            (true, false) => Fault::Ok,
        }
    }
}

/// A decimal text without an exponent, moved by so many places.
fn plain_text(text: &str, places: usize) -> String {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.parse::<i64>().unwrap_or(0) + places as i64;
    if exponent == 0 {
        return format!("{negative}{mantissa}");
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let point = whole.len() as i64 + exponent;
    let moved = if point <= 0 {
        format!("0.{}{all}", "0".repeat(point.unsigned_abs() as usize))
    } else if point as usize >= all.len() {
        format!("{all}{}", "0".repeat(point as usize - all.len()))
    } else {
        format!("{}.{}", &all[..point as usize], &all[point as usize..])
    };
    let (whole, rest) = moved.split_at(moved.find('.').unwrap_or(moved.len()));
    let whole = whole.trim_start_matches('0');
    format!("{negative}{}{rest}", if whole.is_empty() { "0" } else { whole })
}

/// Digits with one more added to the last; a new first one where all were nines.
fn one_more(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
}

/// The decimal text rounded half away from zero to so many digits behind the point.
fn rounded(text: &str, digits: usize) -> String {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("{}{text}", if negative { "-" } else { "" });
    }
    let kept = fraction.bytes().chain(std::iter::repeat(b'0')).take(digits);
    let mut all: Vec<u8> = whole.bytes().chain(kept).collect();
    if fraction.as_bytes().get(digits).is_some_and(|next| *next >= b'5') {
        one_more(&mut all);
    }
    let is_zero = all.iter().all(|digit| *digit == b'0');
    let mut out = String::from_utf8(all).expect("digits are ASCII");
    if digits > 0 {
        out.insert(out.len() - digits, '.');
    }
    if negative && !is_zero {
        out.insert(0, '-');
    }
    out
}

/// `d.ddde+nn`, rounded half away from zero.
fn scientific(text: &str, digits: usize) -> Option<String> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if !all.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let first = all.iter().position(|digit| *digit != b'0');
    let mut exponent = first.map_or(0, |first| whole.len() as i64 - 1 - first as i64);
    let significant = &all[first.unwrap_or(all.len())..];
    let mut kept: Vec<u8> = significant.iter().copied().chain(std::iter::repeat(b'0')).take(digits + 1).collect();
    if significant.get(digits + 1).is_some_and(|next| *next >= b'5') {
        one_more(&mut kept);
        if kept.len() > digits + 1 {
            kept.pop();
            exponent += 1;
        }
    }
    let mut out = String::from_utf8(kept).expect("digits are ASCII");
    if digits > 0 {
        out.insert(1, '.');
    }
    Some(format!("{sign}{out}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()))
}

fn roman(text: &str) -> Option<String> {
    const NUMERALS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut number: u32 = rounded(text, 0).parse().ok().filter(|number| (1..=3999).contains(number))?;
    let mut out = String::new();
    for (value, numeral) in NUMERALS {
        while number >= value {
            out.push_str(numeral);
            number -= value;
        }
    }
    Some(out)
}

fn ending(digits: &str, is_upper: bool) -> &'static str {
    let digits = digits.as_bytes();
    let is_teen = digits.len() > 1 && digits[digits.len() - 2] == b'1';
    match (digits.last(), is_teen, is_upper) {
        (Some(b'1'), false, true) => "ST",
        (Some(b'1'), false, false) => "st",
        (Some(b'2'), false, true) => "ND",
        (Some(b'2'), false, false) => "nd",
        (Some(b'3'), false, true) => "RD",
        (Some(b'3'), false, false) => "rd",
        (_, _, true) => "TH",
        (_, _, false) => "th",
    }
}

/// A walk along a template.
struct Writer<'w> {
    template: &'w Template,
    negative: bool,
    sign_place: SignPlace,
    brackets: bool,
    sign_written: bool,
    /// The number without its sign, and the place in it that is written next.
    number: &'w [u8],
    next: usize,
    /// The last character that is worth showing, where zeros are left out.
    last: Option<usize>,
    blanks: usize,
    place: usize,
    place_count: usize,
    in_number: bool,
    /// The number has run out: nothing more is shown.
    ended: bool,
    out: String,
}

impl Writer<'_> {
    fn push(&mut self, text: &str) {
        if !self.ended {
            self.out.push_str(text);
        }
    }

    fn last_is_point(&self) -> bool {
        self.last.is_some_and(|last| self.number[last] == b'.')
    }

    /// Is the number's first digit a zero that stands before the point for nothing?
    fn is_lone_zero(&self) -> bool {
        !self.template.has_zero && self.next == 0 && self.number.first() == Some(&b'0') && self.template.behind != 0
    }

    /// The sign where nothing but a place for a digit says where it stands.
    fn sign(&mut self) {
        let template = self.template;
        let begins = self.place >= self.blanks || (template.has_zero && template.zero_start == self.place + 1);
        if self.sign_written || !begins || (self.is_lone_zero() && !self.last_is_point()) {
            return;
        }
        if self.sign_place != SignPlace::None {
            if self.sign_place == SignPlace::Before {
                self.push(if self.negative { "-" } else { "+" });
                self.sign_written = true;
            }
        } else if self.brackets {
            self.push(if self.negative { "<" } else { " " });
            self.sign_written = true;
        } else {
            match (self.negative, template.fills) {
                (true, _) => self.push("-"),
                (false, true) => self.push(" "),
                (false, false) => {}
            }
            self.sign_written = true;
        }
    }

    fn digit(&mut self, word: Word) {
        self.in_number = false;
        self.sign();
        let template = self.template;
        let is_blank = self.place < self.blanks;
        let wants_zero = template.has_zero && template.zero_start <= self.place + 1;
        if is_blank && !wants_zero {
            if template.fills {
                self.push(" ");
            }
        } else if is_blank {
            self.push("0");
            self.in_number = true;
        } else {
            match self.number.get(self.next) {
                Some(b'.') => {
                    if !self.last_is_point() || !template.fills {
                        self.push(".");
                    }
                }
                found => {
                    if self.last.is_some_and(|last| self.next > last) && word != Word::Zero {
                        // A zero that nobody asked for.
                    } else if self.is_lone_zero() {
                        if template.fills {
                            self.push(" ");
                        } else if self.last_is_point() {
                            self.push("0");
                        }
                    } else if let Some(digit) = found {
                        let digit = char::from(*digit);
                        self.push(digit.encode_utf8(&mut [0; 4]));
                        self.in_number = true;
                    } else {
                        self.ended = true;
                    }
                }
            }
            self.next = (self.next + 1).min(self.number.len());
        }
        let mut end = self.place_count + usize::from(self.blanks > 0) + usize::from(template.has_point);
        if self.last == Some(self.next) {
            end = self.place;
        }
        if self.place + 1 == end {
            if self.sign_written && self.brackets {
                self.push(if self.negative { ">" } else { " " });
            } else if self.sign_place == SignPlace::Behind {
                self.push(if self.negative { "-" } else { "+" });
            }
        }
        self.place += 1;
    }

    fn word(&mut self, word: Word) {
        let fills = self.template.fills;
        match word {
            Word::Nine | Word::Zero | Word::Point => self.digit(word),
            Word::Comma => {
                if self.in_number {
                    self.push(",");
                } else if fills {
                    self.push(" ");
                }
            }
            // The currency of the locale C.
            Word::Currency => self.push(" "),
            Word::Ending(is_upper) => {
                let is_plain = self.number.first() != Some(&b'#') && !self.negative && !self.template.has_point;
                if is_plain {
                    let digits = std::str::from_utf8(self.number).unwrap_or_default();
                    self.push(ending(digits, is_upper));
                }
            }
            Word::Minus | Word::Plus => {
                if self.negative == (word == Word::Minus) {
                    self.push(if self.negative { "-" } else { "+" });
                } else if fills {
                    self.push(" ");
                }
            }
            Word::EitherSign => self.push(if self.negative { "-" } else { "+" }),
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

/// Writes the number, which has as many digits behind the point as it is to show.
fn write(mut template: Template, text: &str, out: &mut String) {
    let (negative, number) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    template.before += template.multi.unwrap_or(0);
    let whole = number.find('.').unwrap_or(number.len());
    let blanks = template.before.saturating_sub(whole);
    let mut number = number.as_bytes().to_vec();
    if whole > template.before {
        number = vec![b'#'; template.before + template.behind + 1];
        number[template.before] = b'.';
    }
    let (fills, has_point) = (template.fills, template.has_point);
    let mut last = None;
    if !fills
        && has_point
        && let Some(point) = number.iter().position(|byte| *byte == b'.')
    {
        let shown = number[point..].iter().rposition(|byte| *byte != b'0').map_or(point, |at| point + at);
        let asked = if template.zero_end > blanks { (number.len() - 1).min(template.zero_end - blanks) } else { 0 };
        last = Some(shown.max(asked));
    }
    let (mut sign_written, mut brackets, mut sign_place) = (true, template.brackets, template.sign);
    if template.plus || template.minus {
        sign_written = !template.plus || template.minus;
        if template.plus && !template.minus {
            sign_written = false;
        }
    } else {
        brackets &= negative || fills;
        sign_written &= !negative && !fills && sign_place == SignPlace::None;
        if sign_place == SignPlace::Before && template.before == template.digits_before_sign {
            sign_place = SignPlace::Behind;
        }
    }
    let mut place_count = (template.before + template.behind).saturating_sub(1);
    if !sign_written && blanks == 0 {
        place_count += 1;
    }
    let mut writer = Writer {
        template: &template,
        negative,
        sign_place,
        brackets,
        sign_written,
        number: &number,
        next: 0,
        last,
        blanks,
        place: 0,
        place_count,
        in_number: false,
        ended: false,
        out: std::mem::take(out),
    };
    let mut pace = Pace::default();
    for piece in template.pieces.iter().take_while(|_| pace.goes_on()) {
        match piece {
            Piece::Word(word) => writer.word(*word),
            Piece::Plain(plain) => writer.push(plain.encode_utf8(&mut [0; 4])),
        }
    }
    *out = writer.out;
}

/// An exponent's form of what is no number.
fn hashes(template: &Template, out: &mut String) {
    let mut shown = vec!['#'; template.before + template.behind + 6];
    shown[0] = ' ';
    shown[template.before + 1] = '.';
    out.extend(shown);
}

fn special(text: &str, template: &Template, out: &mut String) -> bool {
    if let Some(is_upper) = template.roman {
        let shown = roman(&plain_text(text, 0)).unwrap_or_else(|| "#".repeat(15));
        let shown = if is_upper { shown } else { shown.to_lowercase() };
        out.push_str(&if template.fills { format!("{shown:>15}") } else { shown });
        return true;
    }
    if template.exponent && matches!(text, "NaN" | "Infinity" | "-Infinity") {
        hashes(template, out);
        return true;
    }
    false
}

/// A number, as its decimal text, written by a template.
pub fn number_to_char(text: &str, template: &str, out: &mut String) -> Fault {
    let template = Template::read(template);
    let fault = template.fault();
    if fault != Fault::Ok || special(text, &template, out) {
        return fault;
    }
    let text = plain_text(text, template.multi.unwrap_or(0));
    if template.exponent {
        let shown = scientific(&text, template.behind).unwrap_or(text);
        out.push_str(if shown.starts_with('-') { "" } else { " " });
        out.push_str(&shown);
        return Fault::Ok;
    }
    let shown = rounded(&text, template.behind);
    write(template, &shown, out);
    Fault::Ok
}

/// A float, as its text, written by a template; it has so many digits.
pub fn real_to_char(text: &str, template: &str, digits: i64, out: &mut String) -> Fault {
    let mut template = Template::read(template);
    // A float in Roman numerals is rounded half to even, as the machine does.
    let whole = text.parse::<f64>().ok().filter(|_| template.roman.is_some());
    let whole = whole.map(|value| value.round_ties_even().to_string());
    let fault = template.fault();
    if fault != Fault::Ok || special(whole.as_deref().unwrap_or(text), &template, out) {
        return fault;
    }
    let value = text.parse::<f64>().unwrap_or(f64::NAN) * 10f64.powi(template.multi.unwrap_or(0) as i32);
    if !value.is_finite() {
        write(template, text, out);
        return Fault::Ok;
    }
    if template.exponent {
        let shown = format!("{value:.*e}", template.behind);
        let (mantissa, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if exponent < 0 { '-' } else { '+' };
        out.push_str(if mantissa.starts_with('-') { "" } else { " " });
        out.push_str(&format!("{mantissa}e{sign}{:02}", exponent.abs()));
        return Fault::Ok;
    }
    let whole = format!("{:.0}", value.abs()).len();
    template.behind = template.behind.min((digits as usize).saturating_sub(whole));
    let shown = format!("{value:.*}", template.behind);
    write(template, &shown, out);
    Fault::Ok
}

functions! { "func::number_char";
    "$number_to_char" (Text, Text) -> Text, Fallible, number_to_char, "A number, as its decimal text, written by a template such as 'FM999,990.00'.";
    "$real_to_char" (Text, Text, Integer) -> Text, Fallible, real_to_char, "A float of so many digits, as its text, written by a template.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_by_templates() {
        let expected = [
            ("125", "999", " 125"),
            ("-125", "999", "-125"),
            ("125.8", "999D9", " 125.8"),
            ("-0.1", "99.99", "  -.10"),
            ("-0.1", "FM99.99", "-.1"),
            ("0.00", "FM99.99", "0."),
            ("0.1", "0.9", " 0.1"),
            ("12", "9990999.9", "    0012.0"),
            ("12", "FM9990999.9", "0012."),
            ("485", "999", " 485"),
            ("-485", "999", "-485"),
            ("1485", "9,999", " 1,485"),
            ("485", "9,999", "   485"),
            ("3148.5", "9G999D999", " 3,148.500"),
            ("-485", "999S", "485-"),
            ("-485", "999MI", "485-"),
            ("485", "999MI", "485 "),
            ("485", "FM999MI", "485"),
            ("485", "SG999", "+485"),
            ("-485", "999PR", "<485>"),
            ("485", "FMRN", "CDLXXXV"),
            ("482", "999th", " 482nd"),
            ("5000", "999", " ###"),
            ("0.0004859", "9.99EEEE", " 4.86e-04"),
            ("0.000012345", "9.999EEEE", " 1.235e-05"),
            ("1e3", "9999", " 1000"),
            ("0", "9", " 0"),
            ("1234.5", "FM999,990.00", "1,234.50"),
            ("12.45", "99V9", " 125"),
            ("456", "999999SG9999", "      + 456"),
            ("-12", "S 9 9 9", "   -1 2"),
            ("100", "foo999", "foo 100"),
            ("100", "f\"ool\\\"\"999", "fool\" 100"),
            ("1234.5", "9G999D999G9", " 1,234.500,0"),
        ];
        for (number, template, text) in expected {
            let mut out = String::new();
            number_to_char(number, template, &mut out);
            assert_eq!(out, text, "{number} by {template}");
        }
    }

    #[test]
    fn a_float_shows_no_digits_that_it_has_not() {
        let written = |text, template, digits| {
            let mut out = String::new();
            real_to_char(text, template, digits, &mut out);
            out
        };
        assert_eq!(written("12345678901", "FM9999999999D9999900000000000000000", 15), "##########.####");
        assert_eq!(written("100000000000000000000", "999999999999999999999D9", 15), " 100000000000000000000");
        assert_eq!(written("0.5", "9.99", 15), "  .50");
    }
}
