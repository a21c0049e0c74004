//! Which number is a text that was written by a template?
//!
//! `to_number`: the template says how many digits stand before and behind the point, whatever stands between them.
//!
//! Not here: the way there (`number_char`), exponents, Roman numerals.

use super::{Fault, lift::functions};

#[derive(Default)]
struct Template {
    /// Digits before the point, and behind it.
    whole: usize,
    fraction: usize,
    has_point: bool,
    brackets: bool,
    signed: bool,
    roman: bool,
    exponent: bool,
}

fn read(template: &str) -> Template {
    let mut read = Template::default();
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        let begins = |word: &str| rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        let mut taken = first.len_utf8();
        if begins("EEEE") {
            (read.exponent, taken) = (true, 4);
        } else if begins("RN") {
            (read.roman, taken) = (true, 2);
        } else if begins("PR") {
            (read.brackets, read.signed, taken) = (true, true, 2);
        } else if begins("MI") || begins("PL") || begins("SG") {
            (read.signed, taken) = (true, 2);
        } else {
            match first {
                '9' | '0' if read.has_point => read.fraction += 1,
                '9' | '0' => read.whole += 1,
                '.' | 'D' | 'd' => read.has_point = true,
                'S' | 's' => read.signed = true,
                '"' => {
                    let end = rest[1..].find('"').unwrap_or(rest.len() - 1);
                    taken = (end + 2).min(rest.len());
                }
                _ => {}
            }
        }
        rest = &rest[taken..];
    }
    read
}

/// A number read by a template, at a scale: as many digits as the template has, whatever stands between them.
pub fn to_number(text: &str, template: &str, scale: i64) -> (i128, Fault) {
    let template = read(template);
    let (mut units, mut whole_count, mut fraction_count, mut behind) = (0i128, 0, 0, false);
    let mut digits = String::new();
    let mut read_to = 0;
    for (at, character) in text.char_indices() {
        match character {
            '.' if template.has_point && !behind => behind = true,
            '.' => break,
            digit @ '0'..='9' if !behind && whole_count < template.whole => {
                whole_count += 1;
                read_to = at;
                digits.push(digit);
            }
            digit @ '0'..='9' if behind && fraction_count < template.fraction => {
                fraction_count += 1;
                read_to = at;
                digits.push(digit);
            }
            _ => {}
        }
    }
    if digits.is_empty() {
        return (0, Fault::InvalidArgument);
    }
    let zeroes = (scale.clamp(0, 38) as usize).saturating_sub(fraction_count);
    for digit in digits.bytes().chain(std::iter::repeat_n(b'0', zeroes)) {
        let next = units.checked_mul(10).and_then(|units| units.checked_add(i128::from(digit - b'0')));
        let Some(next) = next else { return (0, Fault::OutOfRange) };
        units = next;
    }
    // Behind the digits a sign counts where the template has one.
    let signs = if template.signed { text } else { &text[..read_to] };
    let is_negative = signs.contains('-') || template.brackets && text.contains('<');
    (if is_negative { -units } else { units }, Fault::Ok)
}

/// How many digits a template has before and behind the point; nothing where it is of letters or exponents.
pub fn template_digits(template: &str) -> Option<(usize, usize)> {
    let template = read(template);
    (!template.roman && !template.exponent).then_some((template.whole, template.fraction))
}

functions! { "func::number_templates";
    "$to_number" (Text, Text, Integer) -> Numeric, Fallible, to_number, "A number read by a template, at a scale.";
}
