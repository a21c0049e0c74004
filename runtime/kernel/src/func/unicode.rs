//! Which characters make the same text?
//!
//! The normal forms of Unicode (UAX 15), and the code points that a text writes as escapes. `normalize(x [, form])` and `x IS
//! [form] NORMALIZED` of the standard come here with the form as a text.
//!
//! Not here: literals with escapes (`grammar::lower`).

use super::{Fault, lift::functions};
use unicode_normalization::{UnicodeNormalization as _, is_nfc, is_nfd, is_nfkc, is_nfkd};

/// The text in a normal form: NFC, NFD, NFKC or NFKD.
pub fn normalize(text: &str, form: &str, out: &mut String) -> Fault {
    match form.to_ascii_uppercase().as_str() {
        "NFC" => out.extend(text.nfc()),
        "NFD" => out.extend(text.nfd()),
        "NFKC" => out.extend(text.nfkc()),
        "NFKD" => out.extend(text.nfkd()),
        _ => return Fault::InvalidArgument,
    }
    Fault::Ok
}

/// Is the text in a normal form?
pub fn is_normalized(text: &str, form: &str) -> (bool, Fault) {
    let is = match form.to_ascii_uppercase().as_str() {
        "NFC" => is_nfc(text),
        "NFD" => is_nfd(text),
        "NFKC" => is_nfkc(text),
        "NFKD" => is_nfkd(text),
        _ => return (false, Fault::InvalidArgument),
    };
    (is, Fault::Ok)
}

/// A text whose escapes are code points: `\XXXX`, `\+XXXXXX`, `\uXXXX`, `\UXXXXXXXX`; `\\` is a backslash.
pub fn unistr(text: &str, out: &mut String) -> Fault {
    let mut rest = text;
    let mut high: Option<u32> = None;
    while let Some(at) = rest.find('\\') {
        if high.is_some() && at > 0 {
            return Fault::InvalidArgument;
        }
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('\\') {
            if high.is_some() {
                return Fault::InvalidArgument;
            }
            out.push('\\');
            rest = after;
            continue;
        }
        let (skip, count) = match rest.as_bytes().first() {
            Some(b'+') => (1, 6),
            Some(b'u') => (1, 4),
            Some(b'U') => (1, 8),
            _ => (0, 4),
        };
        let digits =
            rest.get(skip..skip + count).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(number) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return Fault::InvalidArgument;
        };
        rest = &rest[skip + count..];
        match (high.take(), number) {
            (None, 0xD800..=0xDBFF) => high = Some(number),
            (Some(high), 0xDC00..=0xDFFF) => {
                let number = 0x1_0000 + ((high - 0xD800) << 10) + (number - 0xDC00);
                out.extend(char::from_u32(number));
            }
            (None, number) => match char::from_u32(number).filter(|_| number != 0) {
                Some(letter) => out.push(letter),
                None => return Fault::InvalidArgument,
            },
            (Some(_), _) => return Fault::InvalidArgument,
        }
    }
    out.push_str(rest);
    if high.is_some() { Fault::InvalidArgument } else { Fault::Ok }
}

functions! { "func::unicode";
    "normalize" (Text, Text) -> Text, Fallible, normalize, "The text in a normal form of Unicode: NFC, NFD, NFKC or NFKD; the standard writes normalize(x [, NFC]).";
    "$is_normalized" (Text, Text) -> Boolean, Fallible, is_normalized, "IS NORMALIZED: is the text in a normal form of Unicode?";
    "unistr" (Text) -> Text, Fallible, unistr, "The text with the characters that its escapes \\XXXX, \\+XXXXXX, \\uXXXX and \\UXXXXXXXX name.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_characters_or_an_error() {
        let read = |text: &str| {
            let mut out = String::new();
            (unistr(text, &mut out), out)
        };
        assert_eq!(read(r"d\0061t\u0061\+01F600\U0001F600\\"), (Fault::Ok, "data😀😀\\".to_owned()));
        assert_eq!(read(r"\D83D\DE00"), (Fault::Ok, "😀".to_owned()));
        for wrong in [r"\", r"\xx", r"\12", r"\D83D", r"\D83Dx\DE00", r"\DE00", r"\0000", r"\+110000"] {
            assert_eq!(read(wrong).0, Fault::InvalidArgument, "{wrong}");
        }
    }

    #[test]
    fn forms_are_known_by_their_names() {
        let mut out = String::new();
        assert_eq!(normalize("a\u{308}", "nfc", &mut out), Fault::Ok);
        assert_eq!(out, "ä");
        assert_eq!(is_normalized("a\u{308}", "NFC"), (false, Fault::Ok));
        assert_eq!(is_normalized("x", "NFX").1, Fault::InvalidArgument);
    }
}
