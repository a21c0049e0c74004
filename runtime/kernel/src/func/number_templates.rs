//! How is a number written by a template?
//!
//! PostgreSQL's: `9` a digit or a blank, `0` a digit, `.` and `D` the point, `,` and `G` a comma between digits, `S`, `MI`,
//! `PL`, `SG` and `PR` signs, `FM` without blanks, `RN` Roman, `TH` an ordinal's ending, `EEEE` an exponent. A number with
//! more digits than the template has becomes `#`.
//!
//! Numbers come as their decimal text, which no scale can spoil.
//! Not here: currencies of a locale, `V`.

use super::{Fault, lift::functions};

#[derive(Default)]
struct Template {
    /// Before the point: `9`, `0` and commas, then what is after it.
    whole: Vec<char>,
    fraction: Vec<char>,
    has_point: bool,
    fills: bool,
    /// Where a sign was asked for, before or behind.
    sign_before: Option<&'static str>,
    sign_behind: Option<&'static str>,
    brackets: bool,
    roman: Option<bool>,
    ending: Option<bool>,
    exponent: bool,
    prefix: String,
    suffix: String,
}

fn read(template: &str) -> Template {
    let mut read = Template { fills: true, ..Template::default() };
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        let begins = |word: &str| rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        let mut taken = first.len_utf8();
        let started = !read.whole.is_empty() || read.has_point;
        if begins("FM") {
            (read.fills, taken) = (false, 2);
        } else if begins("EEEE") {
            (read.exponent, taken) = (true, 4);
        } else if begins("RN") {
            (read.roman, taken) = (Some(rest.starts_with('R')), 2);
        } else if begins("TH") {
            (read.ending, taken) = (Some(rest.starts_with('T')), 2);
        } else if begins("PR") {
            (read.brackets, taken) = (true, 2);
        } else if begins("MI") || begins("PL") || begins("SG") {
            let word = if begins("MI") {
                "MI"
            } else if begins("PL") {
                "PL"
            } else {
                "SG"
            };
            *(if started { &mut read.sign_behind } else { &mut read.sign_before }) = Some(word);
            taken = 2;
        } else {
            match first {
                'S' | 's' => *(if started { &mut read.sign_behind } else { &mut read.sign_before }) = Some("S"),
                '9' | '0' if read.has_point => read.fraction.push(first),
                '9' | '0' => read.whole.push(first),
                ',' | 'G' | 'g' if !read.has_point => read.whole.push(','),
                '.' | 'D' | 'd' => read.has_point = true,
                'L' | 'l' | '$' => (if started { &mut read.suffix } else { &mut read.prefix }).push('$'),
                '"' => {
                    let inner = &rest[1..];
                    let end = inner.find('"').unwrap_or(inner.len());
                    (if started { &mut read.suffix } else { &mut read.prefix }).push_str(&inner[..end]);
                    taken = (end + 2).min(rest.len());
                }
                other => (if started { &mut read.suffix } else { &mut read.prefix }).push(other),
            }
        }
        rest = &rest[taken..];
    }
    read
}

/// The digits of a decimal text rounded half away from zero to so many after the point: sign, whole, fraction.
fn rounded(text: &str, digits: usize) -> Option<(bool, String, String)> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let plain = match text.split_once('e') {
        None => text.to_owned(),
        Some((mantissa, exponent)) => {
            let exponent: i32 = exponent.parse().ok()?;
            let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
            let all = format!("{whole}{fraction}");
            let point = whole.len() as i32 + exponent;
            if point <= 0 {
                format!("0.{}{all}", "0".repeat(point.unsigned_abs() as usize))
            } else if point as usize >= all.len() {
                format!("{all}{}", "0".repeat(point as usize - all.len()))
            } else {
                format!("{}.{}", &all[..point as usize], &all[point as usize..])
            }
        }
    };
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut all: Vec<u8> = whole.bytes().chain(fraction.bytes().chain(std::iter::repeat(b'0')).take(digits)).collect();
    if fraction.as_bytes().get(digits).is_some_and(|next| *next >= b'5') {
        let mut at = all.len();
        loop {
            if at == 0 {
                all.insert(0, b'1');
                break;
            }
            at -= 1;
            if all[at] < b'9' {
                all[at] += 1;
                break;
            }
            all[at] = b'0';
        }
    }
    let text = String::from_utf8(all).expect("digits are ASCII");
    let (whole, fraction) = text.split_at(text.len() - digits);
    let is_zero = text.bytes().all(|digit| digit == b'0');
    Some((negative && !is_zero, whole.trim_start_matches('0').to_owned(), fraction.to_owned()))
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
    let (negative, whole, _) = rounded(text, 0)?;
    let mut number: u32 = whole.parse().ok().filter(|number| *number <= 3999 && !negative)?;
    let mut out = String::new();
    for (value, numeral) in NUMERALS {
        while number >= value {
            out.push_str(numeral);
            number -= value;
        }
    }
    Some(out)
}

/// A number, as its decimal text, written by a template.
pub fn number_to_char(text: &str, template: &str, out: &mut String) {
    let template = read(template);
    if let Some(is_upper) = template.roman {
        let shown = roman(text).unwrap_or_else(|| "#".repeat(15));
        let shown = if is_upper { shown } else { shown.to_lowercase() };
        out.push_str(&if template.fills { format!("{shown:>15}") } else { shown });
        return;
    }
    if template.exponent {
        let number: f64 = text.parse().unwrap_or(f64::NAN);
        let shown = format!("{number:.*e}", template.fraction.len());
        let (mantissa, exponent) = shown.split_once('e').unwrap_or((&shown, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if exponent < 0 { '-' } else { '+' };
        let blank = if mantissa.starts_with('-') || !template.fills { "" } else { " " };
        out.push_str(&format!("{blank}{mantissa}e{sign}{:02}", exponent.abs()));
        return;
    }
    let places = template.whole.iter().filter(|place| **place != ',').count();
    let Some((negative, whole, fraction)) = rounded(text, template.fraction.len()) else {
        out.push_str(text);
        return;
    };
    // From the first 0 of the template on, missing digits are zeros.
    let first_zero = template.whole.iter().position(|place| *place == '0');
    let zeros_from = first_zero.unwrap_or(usize::MAX);
    let overflow = whole.len() > places;
    let mut digits = String::new();
    let mut left = places;
    let mut shown_any = false;
    for (at, place) in template.whole.iter().enumerate() {
        if *place == ',' {
            digits.push(if shown_any { ',' } else { ' ' });
            continue;
        }
        if overflow {
            digits.push('#');
            shown_any = true;
        } else if left <= whole.len() {
            digits.push_str(&whole[whole.len() - left..=whole.len() - left]);
            shown_any = true;
        } else if at >= zeros_from {
            digits.push('0');
            shown_any = true;
        } else {
            digits.push(' ');
        }
        left -= 1;
    }
    // A whole part of zero shows its 0 where nothing is behind the point.
    if !shown_any && !template.has_point && places > 0 {
        digits.pop();
        digits.push('0');
    }
    let mut behind = String::new();
    if template.has_point {
        behind.push('.');
        if overflow {
            behind.extend(std::iter::repeat_n('#', template.fraction.len()));
        } else {
            behind.push_str(&fraction);
            if !template.fills {
                // Without filling, zeros that only a 9 asks for are left out.
                let kept = template.fraction.iter().rposition(|place| *place == '0').map_or(0, |at| at + 1);
                while behind.len() > kept + 1 && behind.ends_with('0') {
                    behind.pop();
                }
            }
        }
    }
    // A zero of which nothing would be left but the point is "0.".
    if behind == "." && !shown_any && !template.fills && places > 0 {
        digits.pop();
        digits.push('0');
    }
    let blanks = digits.len() - digits.trim_start_matches(' ').len();
    let number = digits.trim_start_matches(' ');
    let sign_before = match (template.sign_before, template.sign_behind, template.brackets) {
        (_, _, true) => {
            if negative {
                "<"
            } else if template.fills {
                " "
            } else {
                ""
            }
        }
        (Some("S" | "SG"), _, _) => {
            if negative {
                "-"
            } else {
                "+"
            }
        }
        (Some("MI"), _, _) => {
            if negative {
                "-"
            } else if template.fills {
                " "
            } else {
                ""
            }
        }
        (Some("PL"), _, _) => {
            if negative {
                "-"
            } else {
                "+"
            }
        }
        (_, Some("S" | "SG" | "MI"), _) => "",
        _ => {
            if negative {
                "-"
            } else if template.fills {
                " "
            } else {
                ""
            }
        }
    };
    if template.fills {
        out.extend(std::iter::repeat_n(' ', blanks));
    }
    // A sign that the template names first stands at its place, before the blanks; any other next to the digits.
    if matches!(template.sign_before, Some("SG" | "MI" | "PL")) && template.fills {
        let at = out.len() - blanks;
        out.insert_str(at, sign_before);
    } else {
        out.push_str(sign_before);
    }
    out.push_str(&template.prefix);
    out.push_str(number);
    out.push_str(&behind);
    if let Some(is_upper) = template.ending
        && !negative
    {
        let ending = match (whole.parse::<u64>().unwrap_or(0) % 100, whole.parse::<u64>().unwrap_or(0) % 10) {
            (11..=13, _) => "th",
            (_, 1) => "st",
            (_, 2) => "nd",
            (_, 3) => "rd",
            _ => "th",
        };
        out.push_str(&if is_upper { ending.to_uppercase() } else { ending.to_owned() });
    }
    match (template.sign_behind, template.brackets) {
        (_, true) => out.push_str(if negative {
            ">"
        } else if template.fills {
            " "
        } else {
            ""
        }),
        (Some("S" | "SG"), _) => out.push(if negative { '-' } else { '+' }),
        (Some("MI"), _) => out.push_str(if negative {
            "-"
        } else if template.fills {
            " "
        } else {
            ""
        }),
        (Some("PL"), _) => out.push_str(if negative { " " } else { "+" }),
        _ => {}
    }
    out.push_str(&template.suffix);
}

/// A number read by a template, at a scale: as many digits as the template has, whatever stands between them.
pub fn to_number(text: &str, template: &str, scale: i64) -> (i128, Fault) {
    let template = read(template);
    let whole_max = template.whole.iter().filter(|sign| matches!(sign, '9' | '0')).count();
    let (mut units, mut whole_count, mut fraction_count, mut behind) = (0i128, 0, 0, false);
    let mut digits = String::new();
    for character in text.chars() {
        match character {
            '.' if template.has_point && !behind => behind = true,
            '.' => break,
            digit @ '0'..='9' if !behind && whole_count < whole_max => {
                whole_count += 1;
                digits.push(digit);
            }
            digit @ '0'..='9' if behind && fraction_count < template.fraction.len() => {
                fraction_count += 1;
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
    let is_negative = text.contains('-') || template.brackets && text.contains('<');
    (if is_negative { -units } else { units }, Fault::Ok)
}

/// How many digits a template has before and behind the point; nothing where it is of letters or exponents.
pub fn template_digits(template: &str) -> Option<(usize, usize)> {
    let template = read(template);
    let whole = template.whole.iter().filter(|sign| matches!(sign, '9' | '0')).count();
    (template.roman.is_none() && !template.exponent).then_some((whole, template.fraction.len()))
}

functions! { "func::number_templates";
    "$to_number" (Text, Text, Integer) -> Numeric, Fallible, to_number, "A number read by a template, at a scale.";
    "$number_to_char" (Text, Text) -> Text, Total, number_to_char, "A number, as its decimal text, written by a template such as 'FM999,990.00'.";
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
            ("1e3", "9999", " 1000"),
            ("0", "9", " 0"),
            ("1234.5", "FM999,990.00", "1,234.50"),
        ];
        for (number, template, text) in expected {
            let mut out = String::new();
            number_to_char(number, template, &mut out);
            assert_eq!(out, text, "{number} by {template}");
        }
    }
}
