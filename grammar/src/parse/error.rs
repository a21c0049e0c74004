//! What is wrong with a text that is no statement?
//!
//! Pest tells the furthest place it reached and which rules it tried there. We name the token at that place and turn rules
//! into people's words; a word that is nearly one of the expected is taken for a slip.
//!
//! Not here: SQL that is recognised but not supported ([`refuse`](super::refuse)).

use super::{NESTING_MAX, Rule, refuse};
use crate::diag::{Diag, code, nearest};
use crate::span::Span;
use crate::tokens::{Region, Token, TokenKind, is_keyword, is_reserved, keyword, tokens};
use pest::error::{Error, ErrorVariant, InputLocation};

/// More than this many expectations help nobody.
const EXPECTED_MAX: usize = 8;

/// A longer token is cut in the message.
const SHOWN_CHARS_MAX: usize = 40;

/// The words that begin statements.
const STATEMENT_WORDS: &[&str] = &[
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "BEGIN", "COMMIT", "ROLLBACK", "EXPLAIN",
    "SHOW", "DESCRIBE", "COPY", "WITH", "VALUES", "VACUUM", "ERASE",
];

/// Shorter words are near to too much.
const SLIP_CHARS_MIN: usize = 3;

pub(super) fn unclosed(token: Token, region: Region) -> Diag {
    let closing = match region {
        Region::Text | Region::EscapeText => "close it with ', and write a ' inside it twice",
        Region::QuotedName => "close it with \", and write a \" inside it twice",
        Region::BlockComment { .. } | Region::LineComment => "close it with */; comments nest",
        Region::Dollar { .. } => "close it with the tag that opened it",
    };
    // The place is where it opens: the rest of the text would be no place at all.
    let place = Span { start: token.start as u32, end: token.start as u32 + 1 };
    Diag::new(code::SYNTAX, format!("unterminated {}", region.words()), place).help(closing)
}

pub(super) fn bad_number(sql: &str, token: Token) -> Diag {
    let message = format!("letters follow the number at \"{}\"", shown(token.text(sql)));
    Diag::new(code::SYNTAX, message, token.span())
}

pub(super) fn too_deep(place: Span) -> Diag {
    Diag::new(code::TOO_COMPLEX, "the statement nests too deep", place)
        .help(format!("at most {NESTING_MAX} parentheses, CASEs or comments may stand within each other"))
}

/// The error of a text that begins at `base` in the whole.
pub(super) fn syntax(text: &str, base: usize, error: &Error<Rule>) -> Diag {
    let pos = match error.location {
        InputLocation::Pos(pos) | InputLocation::Span((pos, _)) => pos,
    };
    let tried: &[Rule] = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives,
        ErrorVariant::CustomError { .. } => &[],
    };
    let all: Vec<Token> = tokens(text).filter(|token| token.kind != TokenKind::Comment).collect();
    let found_idx = all.iter().position(|token| token.end > pos).unwrap_or(all.len());
    let place = |start: usize, end: usize| Span { start: (base + start) as u32, end: (base + end) as u32 };
    if let Some((what, help, from, to)) = refuse::recognised(text, &all, found_idx) {
        let span = place(all[from].start, all[to.min(all.len() - 1)].end);
        let diag = Diag::new(code::FEATURE_NOT_SUPPORTED, format!("{what} is not supported"), span);
        return match help {
            Some(help) => diag.help(help),
            None => diag,
        };
    }
    let diag = match all.get(found_idx) {
        Some(token) => {
            let message = format!("syntax error at or near \"{}\"", shown(token.text(text)));
            Diag::new(code::SYNTAX, message, place(token.start, token.end))
        }
        None => {
            let end = all.last().map_or(0, |token| token.end);
            Diag::new(code::SYNTAX, "syntax error at the end of the statement", place(end, end))
        }
    };
    match help(text, &all, found_idx, tried) {
        Some(help) => diag.help(help),
        None => diag,
    }
}

/// A token as a message shows it: one line, not too long, nothing that moves the cursor.
fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    let mut shown: String =
        line.chars().take(SHOWN_CHARS_MAX).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if line.len() < text.len() || line.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

fn help(text: &str, all: &[Token], found_idx: usize, tried: &[Rule]) -> Option<String> {
    let expected = expected(tried);
    let word = |token_idx: usize| {
        all.get(token_idx).filter(|token| token.kind == TokenKind::Word).map(|token| token.text(text))
    };
    // Slips: the word itself for one of the expected, or the word before it (read as a name) for any.
    if let Some(found) = word(found_idx)
        && found.len() >= SLIP_CHARS_MIN
        && !is_keyword(found)
    {
        let near = match found_idx {
            0 => slip(found, STATEMENT_WORDS.iter().copied()),
            _ => slip(found, expected.iter().flat_map(|words| words.split(' '))),
        };
        if let Some(near) = near {
            return Some(format!("did you mean {near}?"));
        }
    }
    if found_idx > 0
        && let Some(before) = word(found_idx - 1)
        && before.len() > SLIP_CHARS_MIN
        && !is_keyword(before)
        && let Some(near) = slip(before, crate::tokens::keywords().iter().map(String::as_str))
    {
        return Some(format!("did you mean {near} where \"{before}\" stands?"));
    }
    if found_idx == 0 {
        let words: Vec<String> = STATEMENT_WORDS.iter().map(|word| (*word).to_owned()).collect();
        return Some(format!("a statement begins with {}", list(&words)));
    }
    let is_scope = |word: &&str| ["system_time", "valid_time"].contains(&word.to_lowercase().as_str());
    if let (Some(found), Some(time)) = (word(found_idx), word(found_idx + 1).filter(is_scope))
        && found.eq_ignore_ascii_case("for")
    {
        return Some(format!("FOR {} stands behind the name of its table", time.to_uppercase()));
    }
    let wants_name = expected.iter().any(|words| matches!(words.as_str(), "a name" | "a table" | "a column"));
    if let Some(found) = word(found_idx)
        && wants_name
        && is_reserved(found)
    {
        let (expected, found) = (list(&expected), found.to_uppercase());
        return Some(format!("expected {expected}; {found} is reserved: as a name, it stands in double quotes"));
    }
    if all.get(found_idx).is_some_and(|token| token.is_sign(text, "?")) {
        return Some("write parameters as $1, $2 or :name".to_owned());
    }
    (1..=EXPECTED_MAX).contains(&expected.len()).then(|| format!("expected {}", list(&expected)))
}

/// The keyword that a word is probably meant to be: of equal length rather than not.
fn slip<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates
        .filter(|candidate| candidate.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
        .collect();
    let equal = candidates.iter().copied().filter(|candidate| candidate.len() == word.len());
    nearest(word, equal).or_else(|| nearest(word, candidates.iter().copied()))
}

/// `a, b or c`
fn list(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// What the rules ask for, in people's words, each once.
fn expected(tried: &[Rule]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for rule in tried {
        if let Some(word) = words_of(*rule)
            && !words.contains(&word)
        {
            words.push(word);
        }
    }
    // Who asks for an expression need not say what may stand before it, or that it may be a name.
    if words.iter().any(|word| word == "an expression") {
        words.retain(|word| !matches!(word.as_str(), "a name" | "ALL" | "DISTINCT"));
    }
    words
}

fn words_of(rule: Rule) -> Option<String> {
    let words = match rule {
        Rule::retention_word => "a length of time such as 90d",
        Rule::EOI => "the end of the statement",
        Rule::name | Rule::label | Rule::alias_name | Rule::alias_bare => "a name",
        Rule::alias_label => "an alias",
        Rule::alias | Rule::target_alias => "an alias",
        Rule::number | Rule::plain_text | Rule::escape_text | Rule::dollar_text | Rule::blob | Rule::position_param => {
            "an expression"
        }
        Rule::named_param | Rule::named | Rule::paren | Rule::case | Rule::cast_call | Rule::exists => "an expression",
        Rule::special_call
        | Rule::overlay
        | Rule::extract
        | Rule::position
        | Rule::substring
        | Rule::trim
        | Rule::side => "an expression",
        Rule::expr | Rule::bound | Rule::sign | Rule::prefix_sign | Rule::expr_only | Rule::point => "an expression",
        Rule::kw_null | Rule::kw_true | Rule::kw_false | Rule::clock | Rule::interval => "an expression",
        Rule::kw_case | Rule::kw_cast | Rule::kw_exists | Rule::kw_not | Rule::kw_interval => "an expression",
        Rule::kw_is | Rule::kw_collate | Rule::kw_and | Rule::kw_or => "an operator",
        Rule::kw_in
        | Rule::kw_between
        | Rule::kw_like
        | Rule::kw_ilike
        | Rule::kw_similar
        | Rule::kw_isnull
        | Rule::kw_notnull => "an operator",
        Rule::kw_order => "ORDER BY",
        Rule::kw_group => "GROUP BY",
        Rule::kw_primary => "PRIMARY KEY",
        Rule::kw_if => "IF EXISTS",
        Rule::at_zone
        | Rule::infix
        | Rule::bound_infix
        | Rule::cast
        | Rule::collate
        | Rule::is_test
        | Rule::negatable
        | Rule::distinct_from => "an operator",
        Rule::in_test | Rule::between | Rule::like | Rule::similar => "IN, BETWEEN or LIKE",
        Rule::case_operand => "an expression",
        Rule::case_arm => "WHEN",
        Rule::case_else => "ELSE",
        Rule::call => "arguments",
        Rule::over => "OVER",
        Rule::within => "WITHIN GROUP",
        Rule::filtered => "FILTER",
        Rule::window_spec => "a window in parentheses",
        Rule::base_window => "a name",
        Rule::frame => "ROWS, RANGE or GROUPS",
        Rule::frame_bound => "a bound of the frame",
        Rule::frame_exclude => "EXCLUDE",
        Rule::quantified => "an expression",
        Rule::period_test => "an operator",
        Rule::recursive => "RECURSIVE",
        Rule::exclude => "EXCLUDE",
        Rule::replace => "REPLACE",
        Rule::replacement => "an expression",
        Rule::distinct_on => "ON",
        Rule::group_item | Rule::group_all | Rule::empty_set => "an expression",
        Rule::grouping_sets => "GROUPING SETS",
        Rule::rollup => "ROLLUP",
        Rule::cube => "CUBE",
        Rule::windows | Rule::named_window => "WINDOW",
        Rule::fetch => "FETCH",
        Rule::ties => "WITH TIES",
        Rule::table_function => "a table",
        Rule::ordinality => "WITH ORDINALITY",
        Rule::summarize => "SUMMARIZE",
        Rule::partition_by => "PARTITION BY",
        Rule::close => "\")\"",
        Rule::open => "\"(\"",
        Rule::assign => "\"=\"",
        Rule::star | Rule::every | Rule::every_of => "*",
        Rule::type_name => "a type",
        Rule::type_args | Rule::type_arg => "a number",
        Rule::name_list => "column names in parentheses",
        Rule::query
        | Rule::paren_query
        | Rule::select
        | Rule::values
        | Rule::table_query
        | Rule::rows
        | Rule::with
        | Rule::cte => "a query",
        Rule::row => "a row in parentheses",
        Rule::select_item => "an expression",
        Rule::from => "FROM",
        Rule::from_item | Rule::table | Rule::json_table | Rule::derived | Rule::from_paren => "a table",
        Rule::filter => "WHERE",
        Rule::group_by => "GROUP BY",
        Rule::having => "HAVING",
        Rule::order_by => "ORDER BY",
        Rule::order_item => "an expression",
        Rule::limit => "LIMIT",
        Rule::offset => "OFFSET",
        Rule::set_op => "UNION",
        Rule::join | Rule::join_kind => "JOIN",
        Rule::join_on => "ON",
        Rule::join_using => "USING",
        Rule::scope | Rule::as_of => "AS OF",
        Rule::valid_at => "VALID AT",
        Rule::table_scope => "FOR",
        Rule::from_to => "FROM",
        Rule::between_and => "BETWEEN",
        Rule::valid_from => "VALID FROM",
        Rule::default_values => "DEFAULT VALUES",
        Rule::assignment => "a column",
        Rule::portion | Rule::portion_of | Rule::all_of => "FOR PORTION OF VALID_TIME",
        Rule::copy_path => "a file's name in quotes",
        Rule::copy_options => "WITH",
        Rule::copy_option => "an option",
        Rule::column_def => "a column",
        Rule::table_key => "PRIMARY KEY",
        Rule::column_constraint => "NOT NULL, PRIMARY KEY or DEFAULT",
        Rule::if_not_exists => "IF NOT EXISTS",
        Rule::if_exists => "IF EXISTS",
        Rule::transaction_word => "TRANSACTION",
        other => return keyword(other),
    };
    Some(words.to_owned())
}
