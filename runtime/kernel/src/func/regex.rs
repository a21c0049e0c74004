//! Does a text match a regular expression, and what of it?
//!
//! The expressions are those of the `regex` crate (linear time, no back references), with PostgreSQL's words: a dot
//! takes a line break too, `\m`, `\M`, `\y` and `\Y` are edges of words, and flags are letters (`i` any case, `g` all
//! matches, `n` and `m` lines, `x` spaced, `c` exact case, `q` a plain text). Of alternatives the first that matches is
//! taken, where PostgreSQL takes the longest.
//!
//! An expression is compiled once and kept as long as a thread asks for the same few ones again.
//! Not here: LIKE (`like`).

use super::{Fault, lift::functions};
use crate::pause::Pace;
use regex::{Regex, RegexBuilder};
use std::{cell::RefCell, rc::Rc};

/// So many expressions are kept by each thread.
const KEPT: usize = 8;
/// As many bytes an expression may take when compiled.
const COMPILED_BYTES_MAX: usize = 1 << 20;

struct Kept {
    pattern: String,
    flags: String,
    compiled: Option<Rc<Regex>>,
}

thread_local! {
    static RECENT: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

/// The expression, compiled; nothing where it is none, or a flag is unknown.
fn compiled(pattern: &str, flags: &str) -> Option<Rc<Regex>> {
    RECENT.with_borrow_mut(|recent| {
        if let Some(at) = recent.iter().position(|kept| kept.pattern == pattern && kept.flags == flags) {
            recent[..=at].rotate_right(1);
        } else {
            recent.truncate(KEPT - 1);
            let compiled = compile(pattern, flags).map(Rc::new);
            recent.insert(0, Kept { pattern: pattern.to_owned(), flags: flags.to_owned(), compiled });
        }
        recent[0].compiled.clone()
    })
}

fn compile(pattern: &str, flags: &str) -> Option<Regex> {
    // A pattern may begin with what kind of expression it is: ours are all of the one kind.
    let pattern = pattern.strip_prefix("***:").unwrap_or(pattern);
    let (pattern, plain) = match pattern.strip_prefix("***=") {
        Some(text) => (text, true),
        None => (pattern, flags.contains('q')),
    };
    let text = match (plain, flags) {
        (true, _) => regex::escape(pattern),
        (false, OWN_WORDS) => pattern.to_owned(),
        (false, _) => translated(pattern),
    };
    let mut builder = RegexBuilder::new(&text);
    builder.dot_matches_new_line(true).size_limit(COMPILED_BYTES_MAX);
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            'c' => builder.case_insensitive(false),
            'n' | 'm' => builder.multi_line(true).dot_matches_new_line(false),
            'p' => builder.dot_matches_new_line(false),
            'w' => builder.multi_line(true),
            'x' => builder.ignore_whitespace(true),
            'g' | 's' | 'q' | 't' | 'e' => &mut builder,
            '=' if flags == OWN_WORDS => &mut builder,
            _ => return None,
        };
    }
    builder.build().ok()
}

/// The expression, or what is wrong: a flag that is none, or the expression.
fn regex_of(pattern: &str, flags: &str) -> Result<Rc<Regex>, Fault> {
    if flags.chars().any(|flag| !"icnmpwxgsqte".contains(flag)) {
        return Err(Fault::InvalidArgument);
    }
    compiled(pattern, flags).ok_or(Fault::InvalidRegex)
}

/// All matches from a byte on. An empty one may stand right behind another one that is not, as in PostgreSQL.
fn all<'r, 't>(
    regex: &'r Regex,
    text: &'t str,
    from: usize,
) -> impl Iterator<Item = regex::Captures<'t>> + use<'r, 't> {
    let mut at = Some(from);
    let mut pace = Pace::default();
    std::iter::from_fn(move || {
        if !pace.goes_on() {
            return None;
        }
        let found = regex.captures_at(text, at.filter(|at| *at <= text.len())?)?;
        let whole = found.get_match();
        at = Some(match whole.is_empty() {
            true => whole.end() + text[whole.end()..].chars().next().map_or(1, char::len_utf8),
            false => whole.end(),
        });
        Some(found)
    })
}

/// Classes of POSIX as the crate has them for all letters.
const CLASSES: [(&str, &str); 6] = [
    ("[:alpha:]", r"\p{Alphabetic}"),
    ("[:alnum:]", r"\p{Alphabetic}\p{N}"),
    ("[:upper:]", r"\p{Lu}"),
    ("[:lower:]", r"\p{Ll}"),
    ("[:space:]", r"\s"),
    ("[:word:]", r"\w"),
];

/// PostgreSQL's escapes in the words of the crate.
fn translated(pattern: &str) -> String {
    let mut classes = std::borrow::Cow::Borrowed(pattern);
    for (posix, ours) in CLASSES {
        if classes.contains(posix) {
            classes = classes.replace(posix, ours).into();
        }
    }
    let pattern = classes.as_ref();
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match rest.next() {
            Some('m') => out.push_str(r"\b{start}"),
            Some('M') => out.push_str(r"\b{end}"),
            Some('y') => out.push_str(r"\b"),
            Some('Y') => out.push_str(r"\B"),
            Some('Z') => out.push_str(r"\z"),
            // A backspace, a backslash and an escape there.
            Some('b') => out.push_str(r"\x08"),
            Some('B') => out.push_str(r"\\"),
            Some('e') => out.push_str(r"\x1B"),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}

fn is_match(text: &str, pattern: &str, flags: &str) -> (bool, Fault) {
    match compiled(pattern, flags) {
        Some(regex) => (regex.is_match(text), Fault::Ok),
        None => (false, Fault::InvalidRegex),
    }
}

/// Does the text match?
pub fn matches(a: &str, pattern: &str) -> (bool, Fault) {
    is_match(a, pattern, "")
}

/// Does the text match in any case?
pub fn matches_any_case(a: &str, pattern: &str) -> (bool, Fault) {
    is_match(a, pattern, "i")
}

/// Does the text not match?
pub fn differs(a: &str, pattern: &str) -> (bool, Fault) {
    let (found, fault) = matches(a, pattern);
    (!found, fault)
}

/// Does the text not match in any case?
pub fn differs_any_case(a: &str, pattern: &str) -> (bool, Fault) {
    let (found, fault) = matches_any_case(a, pattern);
    (!found, fault)
}

/// Does the text match, by flags?
pub fn regexp_like(a: &str, pattern: &str, flags: &str) -> (bool, Fault) {
    if flags.contains('g') {
        return (false, Fault::InvalidArgument);
    }
    is_match(a, pattern, flags)
}

/// The pieces of a text between matches.
pub(super) fn pieces_of<'t>(a: &'t str, pattern: &str, flags: &str) -> Result<Vec<&'t str>, Fault> {
    if flags.contains('g') {
        return Err(Fault::InvalidArgument);
    }
    let regex = regex_of(pattern, flags)?;
    let mut pieces = Vec::new();
    let mut begin = 0;
    for found in all(&regex, a, 0).map(|found| found.get_match().range()) {
        // A match of nothing parts characters, and none stands before the first, behind the last or behind a match.
        if found.is_empty() && (found.start == begin || found.start == a.len()) {
            continue;
        }
        pieces.push(&a[begin..found.start]);
        begin = found.end;
    }
    pieces.push(&a[begin..]);
    Ok(pieces)
}

/// What each group of a match matched, or the whole match where there are no groups: of every match with the flag `g`, else
/// of the first.
pub(super) fn groups_of<'t>(a: &'t str, pattern: &str, flags: &str) -> Result<Vec<Vec<Option<&'t str>>>, Fault> {
    let regex = regex_of(pattern, flags)?;
    let count = if flags.contains('g') { usize::MAX } else { 1 };
    let groups = |found: regex::Captures<'t>| {
        let first = usize::from(found.len() > 1);
        (first..found.len()).map(|group| found.get(group).map(|group| group.as_str())).collect()
    };
    Ok(all(&regex, a, 0).take(count).map(groups).collect())
}

/// The first match replaced; `\1` to `\9` are what its groups matched, `\&` the whole.
pub fn replace_first(a: &str, pattern: &str, by: &str, out: &mut String) -> Fault {
    replace(a, pattern, by, "", out)
}

/// The first match replaced, or with the flag `g` all.
pub fn replace(a: &str, pattern: &str, by: &str, flags: &str, out: &mut String) -> Fault {
    let regex = match regex_of(pattern, flags) {
        Ok(regex) => regex,
        Err(fault) => return fault,
    };
    let count = if flags.contains('g') { usize::MAX } else { 1 };
    let mut end = 0;
    for found in all(&regex, a, 0).take(count) {
        let whole = found.get_match();
        out.push_str(&a[end..whole.start()]);
        push_replacement(by, &found, out);
        end = whole.end();
    }
    out.push_str(&a[end..]);
    Fault::Ok
}

/// What a match is replaced by: `\1` to `\9` are what its groups matched, `\&` the whole.
fn push_replacement(by: &str, found: &regex::Captures<'_>, out: &mut String) {
    let mut rest = by.chars();
    while let Some(character) = rest.next() {
        match (character, if character == '\\' { rest.next() } else { None }) {
            ('\\', Some('&')) => out.push_str(found.get_match().as_str()),
            ('\\', Some(digit @ '1'..='9')) => {
                out.push_str(found.get(digit as usize - '0' as usize).map_or("", |group| group.as_str()));
            }
            ('\\', Some('\\') | None) => out.push('\\'),
            ('\\', Some(other)) => {
                out.push('\\');
                out.push(other);
            }
            (plain, _) => out.push(plain),
        }
    }
}

/// How many matches there are.
pub fn count(a: &str, pattern: &str) -> (i64, Fault) {
    match compiled(pattern, "") {
        Some(regex) => (all(&regex, a, 0).count() as i64, Fault::Ok),
        None => (0, Fault::InvalidRegex),
    }
}

/// How many matches there are from a character on.
pub fn count_from(a: &str, pattern: &str, start: i64) -> (i64, Fault) {
    count_flags(a, pattern, start, "")
}

/// How many matches there are from a character on, by flags.
pub fn count_flags(a: &str, pattern: &str, start: i64, flags: &str) -> (i64, Fault) {
    if flags.contains('g') {
        return (0, Fault::InvalidArgument);
    }
    match (regex_of(pattern, flags), place(a, start)) {
        (Err(fault), _) => (0, fault),
        (Ok(_), None) => (0, Fault::InvalidArgument),
        (Ok(regex), Some(at)) => (at.map_or(0, |at| all(&regex, a, at).count() as i64), Fault::Ok),
    }
}

/// Where the character of a number begins: nothing inside where the text is shorter, nothing at all below 1.
fn place(a: &str, start: i64) -> Option<Option<usize>> {
    let skipped = usize::try_from(start.checked_sub(1)?).ok()?;
    Some(a.char_indices().map(|(at, _)| at).chain([a.len()]).nth(skipped))
}

/// At which character the first match begins; 0 where there is none.
pub fn instr(a: &str, pattern: &str) -> (i64, Fault) {
    match compiled(pattern, "") {
        Some(regex) => {
            let found = regex.find(a).map_or(0, |found| a[..found.start()].chars().count() as i64 + 1);
            (found, Fault::Ok)
        }
        None => (0, Fault::InvalidRegex),
    }
}

/// The first match; no value where there is none, or where the expression is none.
pub fn substr(a: &str, pattern: &str, out: &mut String) -> bool {
    let regex = compiled(pattern, "");
    let found = regex.as_ref().and_then(|regex| regex.find(a));
    out.push_str(found.map_or("", |found| found.as_str()));
    found.is_some()
}

/// What the first group of the first match matched, or the whole match where there is no group; no value where nothing
/// matches.
pub fn substring(a: &str, pattern: &str, out: &mut String) -> bool {
    let Some(regex) = compiled(pattern, "") else { return false };
    let found = regex.captures(a).and_then(|found| if found.len() > 1 { found.get(1) } else { found.get(0) });
    out.push_str(found.map_or("", |found| found.as_str()));
    found.is_some()
}

/// A pattern of SIMILAR TO as an expression of the whole text.
fn similar_pattern(pattern: &str, escape: Option<char>) -> String {
    format!("^(?:{})$", similar_part(pattern, escape))
}

/// A pattern of SIMILAR TO as an expression: `%` any characters, `_` one, the rest as in an expression.
fn similar_part(pattern: &str, escape: Option<char>) -> String {
    let mut out = String::new();
    let mut rest = pattern.chars();
    let mut in_class = false;
    while let Some(character) = rest.next() {
        if Some(character) == escape {
            out.push_str(&regex::escape(&rest.next().map(String::from).unwrap_or_default()));
            continue;
        }
        match character {
            '[' | ']' => {
                in_class = character == '[';
                out.push(character);
            }
            inside if in_class => out.push(inside),
            '%' => out.push_str(".*"),
            '_' => out.push('.'),
            '.' | '^' | '$' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            plain => out.push(plain),
        }
    }
    out
}

/// `SUBSTRING(text SIMILAR pattern ESCAPE character)`: the character and a quote part the pattern in three, and what the middle one
/// matches is given, the others matching as little as they can; no value where the whole text is not of the form.
pub fn similar_substring(a: &str, pattern: &str, escape: &str, out: &mut String) -> bool {
    let mut characters = escape.chars();
    let escape = match (characters.next(), characters.next()) {
        (escape, None) => escape,
        (_, Some(_)) => return false,
    };
    let mark = escape.map(|escape| format!("{escape}\""));
    let parts: Vec<&str> = mark.map_or(vec![pattern], |mark| pattern.split(mark.as_str()).collect());
    let whole = match parts.as_slice() {
        [only] => format!("^({})$", similar_part(only, escape)),
        // Without a second mark the rest is meant.
        [before, rest] => format!("^(?U:{})({})$", similar_part(before, escape), similar_part(rest, escape)),
        [before, middle, behind] => {
            let [before, middle, behind] = [before, middle, behind].map(|part| similar_part(part, escape));
            format!("^(?U:{before})({middle})(?U:{behind})$")
        }
        _ => return false,
    };
    let Some(regex) = compiled(&whole, OWN_WORDS) else { return false };
    let found = regex.captures(a).and_then(|found| found.get(1));
    out.push_str(found.map_or("", |found| found.as_str()));
    found.is_some()
}

/// The flag of a pattern that needs no translation.
const OWN_WORDS: &str = "=";

/// Is the whole text of a pattern's form, with a backslash before what is meant as it is?
pub fn similar(a: &str, pattern: &str) -> (bool, Fault) {
    is_match(a, &similar_pattern(pattern, Some('\\')), "")
}

/// Is the whole text of a pattern's form, with another character than the backslash?
pub fn similar_escape(a: &str, pattern: &str, escape: &str) -> (bool, Fault) {
    let mut characters = escape.chars();
    match (characters.next(), characters.next()) {
        (escape, None) => is_match(a, &similar_pattern(pattern, escape), ""),
        (_, Some(_)) => (false, Fault::InvalidArgument),
    }
}

/// Where a function looks: `start number end_option group flags`, as one text.
struct Options<'o> {
    start: i64,
    number: i64,
    end_option: i64,
    group: i64,
    flags: &'o str,
}

impl<'o> Options<'o> {
    fn read(text: &'o str) -> Option<Options<'o>> {
        let mut parts = text.splitn(5, ' ');
        let mut next = || parts.next()?.parse().ok();
        let (start, number, end_option, group) = (next()?, next()?, next()?, next()?);
        let flags = parts.next().unwrap_or_default();
        let sound = start >= 1 && number >= 0 && (0..=1).contains(&end_option) && group >= 0;
        sound.then_some(Options { start, number, end_option, group, flags })
    }

    /// The expression, and where in the text it is looked for; nothing inside where the text is shorter.
    fn regex(&self, a: &str, pattern: &str) -> Result<(Rc<Regex>, Option<usize>), Fault> {
        let regex = regex_of(pattern, self.flags)?;
        Ok((regex, place(a, self.start).ok_or(Fault::InvalidArgument)?))
    }

    /// Where the match of the number, or the group in it, stands in the text.
    fn find(&self, a: &str, pattern: &str) -> Result<Option<(usize, usize)>, Fault> {
        let (regex, at) = self.regex(a, pattern)?;
        let skipped = usize::try_from(self.number - 1).map_err(|_| Fault::InvalidArgument)?;
        let group = usize::try_from(self.group).map_err(|_| Fault::InvalidArgument)?;
        let Some(at) = at else { return Ok(None) };
        let found = all(&regex, a, at).nth(skipped);
        let found = found.as_ref().and_then(|found| found.get(group));
        Ok(found.map(|found| (found.start(), found.end())))
    }
}

/// The options of a function that looks for one match, once they are sound.
pub fn one_match(options: &str, out: &mut String) -> Fault {
    match Options::read(options) {
        Some(read) if read.number >= 1 && !read.flags.contains('g') => {
            out.push_str(options);
            Fault::Ok
        }
        _ => Fault::InvalidArgument,
    }
}

/// Matches replaced from a character on: the one of a number, or all where that is 0.
pub fn replace_options(a: &str, pattern: &str, by: &str, options: &str, out: &mut String) -> Fault {
    let Some(options) = Options::read(options) else { return Fault::InvalidArgument };
    let (regex, at) = match options.regex(a, pattern) {
        Ok((regex, Some(at))) => (regex, at),
        Ok((_, None)) => {
            out.push_str(a);
            return Fault::Ok;
        }
        Err(fault) => return fault,
    };
    out.push_str(&a[..at]);
    let mut end = at;
    for (found, number) in all(&regex, a, at).zip(1..) {
        if options.number != 0 && number != options.number {
            continue;
        }
        let whole = found.get_match();
        out.push_str(&a[end..whole.start()]);
        push_replacement(by, &found, out);
        end = whole.end();
    }
    out.push_str(&a[end..]);
    Fault::Ok
}

/// At which character a match or a group of it begins, or which comes behind it; 0 where there is none.
pub fn instr_options(a: &str, pattern: &str, options: &str) -> (i64, Fault) {
    let Some(options) = Options::read(options) else { return (0, Fault::InvalidArgument) };
    match options.find(a, pattern) {
        Ok(Some((start, end))) => {
            let at = if options.end_option == 1 { end } else { start };
            (a[..at].chars().count() as i64 + 1, Fault::Ok)
        }
        Ok(None) => (0, Fault::Ok),
        Err(fault) => (0, fault),
    }
}

/// A match or a group of it; no value where there is none.
pub fn substr_options(a: &str, pattern: &str, options: &str, out: &mut String) -> bool {
    let found = Options::read(options).and_then(|options| options.find(a, pattern).ok().flatten());
    out.push_str(found.map_or("", |(start, end)| &a[start..end]));
    found.is_some()
}

functions! { "func::regex";
    "$regexp_options" (Text) -> Text, Fallible, one_match, "The options of a function that looks for one match, once they are sound.";
    "$regexp_replace" (Text, Text, Text, Text) -> Text, Fallible, replace_options, "With matches replaced from a character on, by options.";
    "$regexp_instr" (Text, Text, Text) -> Integer, Fallible, instr_options, "At which character a match begins, by options.";
    "$regexp_substr" (Text, Text, Text) -> Text, Partial, substr_options, "A match or a group of it, by options.";
    "~" (Text, Text) -> Boolean, Fallible, matches, "Does the text match the regular expression?";
    "~*" (Text, Text) -> Boolean, Fallible, matches_any_case, "Does the text match the regular expression in any case?";
    "!~" (Text, Text) -> Boolean, Fallible, differs, "Does the text not match the regular expression?";
    "!~*" (Text, Text) -> Boolean, Fallible, differs_any_case, "Does the text not match the regular expression in any case?";
    "regexp_like" (Text, Text) -> Boolean, Fallible, like_any, "Does the text match the regular expression?";
    "regexp_like" (Text, Text, Text) -> Boolean, Fallible, regexp_like, "Does the text match the regular expression, by flags?";
    "regexp_replace" (Text, Text, Text) -> Text, Fallible, replace_first, "With the first match replaced by the third, in which \\1 is what the first group matched.";
    "regexp_replace" (Text, Text, Text, Text) -> Text, Fallible, replace, "With the first match replaced, or all with the flag g.";
    "regexp_count" (Text, Text) -> Integer, Fallible, count, "How many matches there are.";
    "regexp_count" (Text, Text, Integer) -> Integer, Fallible, count_from, "How many matches there are from a character on.";
    "regexp_count" (Text, Text, Integer, Text) -> Integer, Fallible, count_flags, "How many matches there are from a character on, by flags.";
    "regexp_instr" (Text, Text) -> Integer, Fallible, instr, "At which character the first match begins; 0 where there is none.";
    "regexp_substr" (Text, Text) -> Text, Partial, substr, "The first match; NULL where there is none.";
    "regexp_substring" (Text, Text) -> Text, Partial, substring, "SUBSTRING(text FROM expression): what the first group matched, or the whole match; NULL where nothing matches.";
    "$substring_similar" (Text, Text, Text) -> Text, Partial, similar_substring, "SUBSTRING(text SIMILAR pattern ESCAPE character): what the middle of the pattern's three parts matches.";
    "similar_to" (Text, Text) -> Boolean, Fallible, similar, "text SIMILAR TO pattern.";
    "similar_to" (Text, Text, Text) -> Boolean, Fallible, similar_escape, "text SIMILAR TO pattern ESCAPE character.";
}

/// Does the text match?
pub fn like_any(a: &str, pattern: &str) -> (bool, Fault) {
    matches(a, pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_match_as_in_postgresql() {
        assert_eq!(matches("foobar", "o.b"), (true, Fault::Ok));
        assert_eq!(matches("a\nb", "^a.b$"), (true, Fault::Ok));
        assert_eq!(matches("one two", r"\mtwo\M"), (true, Fault::Ok));
        assert_eq!(matches_any_case("FOO", "foo"), (true, Fault::Ok));
        assert_eq!(matches("x", "("), (false, Fault::InvalidRegex));
        assert_eq!(regexp_like("a.c", "a.c", "q"), (true, Fault::Ok));
        assert_eq!(regexp_like("a", "a", "!"), (false, Fault::InvalidRegex));
    }

    #[test]
    fn matches_are_replaced_with_their_groups() {
        let replaced = |by: &str, flags: &str| {
            let mut out = String::new();
            assert_eq!(replace("foobarbaz", "b(..)", by, flags, &mut out), Fault::Ok);
            out
        };
        assert_eq!(replaced("X", ""), "fooXbaz");
        assert_eq!(replaced("X", "g"), "fooXX");
        assert_eq!(replaced(r"[\1\&\\]", "g"), r"foo[arbar\][azbaz\]");
    }

    #[test]
    fn the_whole_text_is_similar_or_not() {
        let cases = [("abc", "abc", true), ("abc", "a", false), ("abc", "%(b|d)%", true), ("abc", "(b|c)%", false)];
        for (text, pattern, expected) in cases {
            assert_eq!(similar(text, pattern), (expected, Fault::Ok), "{pattern}");
        }
        assert_eq!(similar("a.c", "a.c"), (true, Fault::Ok));
        assert_eq!(similar("abc", "a.c"), (false, Fault::Ok));
        assert_eq!(similar_escape("a%", "a#%", "#"), (true, Fault::Ok));
    }

    #[test]
    fn only_the_last_few_expressions_are_kept() {
        for round in 0..3 * KEPT {
            assert_eq!(matches("a5", &format!("a{}$", round % (KEPT + 2))).1, Fault::Ok);
        }
        assert!(RECENT.with_borrow(Vec::len) <= KEPT);
    }
}
