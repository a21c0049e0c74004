//! What does an error say, and where does it point?
//!
//! Contract. Every error of the language is a [`Diag`]: a stable SQLSTATE, a message in lower case without a final stop, a
//! span, and a help that suggests a next step. Rendering clips long lines; colour is the shell's business.

use crate::span::{Position, Span};
use std::fmt::Write as _;

/// An error of the language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Diag {
    /// Five characters of SQLSTATE.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Where, if anywhere.
    pub span: Option<Span>,
    /// What to do.
    pub help: Option<String>,
}

/// The SQLSTATEs that the language uses.
pub mod code {
    /// syntax_error
    pub const SYNTAX: &str = "42601";
    /// undefined_table
    pub const UNDEFINED_TABLE: &str = "42P01";
    /// undefined_column
    pub const UNDEFINED_COLUMN: &str = "42703";
    /// undefined_function
    pub const UNDEFINED_FUNCTION: &str = "42883";
    /// undefined_object (a type's name)
    pub const UNDEFINED_OBJECT: &str = "42704";
    /// undefined_parameter
    pub const UNDEFINED_PARAMETER: &str = "42P02";
    /// duplicate_table
    pub const DUPLICATE_TABLE: &str = "42P07";
    /// duplicate_column
    pub const DUPLICATE_COLUMN: &str = "42701";
    /// duplicate_alias
    pub const DUPLICATE_ALIAS: &str = "42712";
    /// ambiguous_column
    pub const AMBIGUOUS_COLUMN: &str = "42702";
    /// ambiguous_function
    pub const AMBIGUOUS_FUNCTION: &str = "42725";
    /// datatype_mismatch
    pub const DATATYPE_MISMATCH: &str = "42804";
    /// indeterminate_datatype
    pub const INDETERMINATE_DATATYPE: &str = "42P18";
    /// cannot_coerce
    pub const CANNOT_COERCE: &str = "42846";
    /// grouping_error
    pub const GROUPING: &str = "42803";
    /// windowing_error
    pub const WINDOWING: &str = "42P20";
    /// invalid_table_definition
    pub const INVALID_TABLE_DEFINITION: &str = "42P16";
    /// invalid_column_reference
    pub const INVALID_COLUMN_REFERENCE: &str = "42P10";
    /// reserved_name
    pub const RESERVED_NAME: &str = "42939";
    /// feature_not_supported
    pub const FEATURE_NOT_SUPPORTED: &str = "0A000";
    /// statement_too_complex
    pub const TOO_COMPLEX: &str = "54001";
    /// program_limit_exceeded
    pub const LIMIT_EXCEEDED: &str = "54000";
    /// cardinality_violation
    pub const CARDINALITY: &str = "21000";
    /// invalid_datetime_format
    pub const INVALID_DATETIME: &str = "22007";
    /// data_exception: an empty or reversed period
    pub const EMPTY_PERIOD: &str = "22000";
    /// numeric_value_out_of_range
    pub const OUT_OF_RANGE: &str = "22003";
    /// invalid_row_count_in_limit_clause
    pub const INVALID_LIMIT: &str = "2201W";
    /// invalid_row_count_in_result_offset_clause
    pub const INVALID_OFFSET: &str = "2201X";
    /// name_too_long
    pub const NAME_TOO_LONG: &str = "42622";
    /// wrong_object_type
    pub const WRONG_OBJECT_TYPE: &str = "42809";
    /// invalid_parameter_value
    pub const INVALID_PARAMETER: &str = "22023";
    /// invalid_text_representation
    pub const INVALID_TEXT: &str = "22P02";
    /// invalid_recursion
    pub const INVALID_RECURSION: &str = "42P19";
    /// null_value_not_allowed
    pub const NULL_NOT_ALLOWED: &str = "22004";
    /// invalid_preceding_or_following_size
    pub const INVALID_FRAME: &str = "22013";
    /// internal_error: a bug of ours
    pub const INTERNAL: &str = "XX000";
    /// not_null_violation
    pub const NOT_NULL: &str = "23502";
}

impl Diag {
    /// An error at a place.
    pub fn new(code: &'static str, message: impl Into<String>, span: Span) -> Diag {
        Diag { code, message: message.into(), span: Some(span), help: None }
    }

    /// The same error with a help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diag {
        self.help = Some(help.into());
        self
    }

    /// Line and column in the text, from 1.
    pub fn position(&self, sql: &str) -> Option<Position> {
        self.span.map(|span| Position::of(sql, span.start))
    }

    /// The place as text: the line with a caret under the spot, and the help; nothing of message and code.
    ///
    /// ```text
    ///  --> line 1, column 8
    ///   |
    /// 1 | SELECT balanse FROM accounts
    ///   |        ^^^^^^^
    /// help: a column named "balance" exists
    /// ```
    pub fn excerpt(&self, sql: &str) -> String {
        self.excerpt_from(sql, Position { line: 1, column: 1 })
    }

    /// As [`Diag::excerpt`], for a text that begins at this position of a larger one.
    pub fn excerpt_from(&self, sql: &str, first: Position) -> String {
        let mut out = String::new();
        if let Some(span) = self.span {
            excerpt_at(sql, span, first, &mut out);
        }
        if let Some(help) = &self.help {
            let line = writeln!(out, "help: {help}");
            line.expect("writing to a string cannot fail");
        }
        out
    }
}

/// At most so many characters of a line are shown.
const EXCERPT_CHARS_MAX: usize = 100;

fn excerpt_at(sql: &str, span: Span, first: Position, out: &mut String) {
    let position = Position::of(sql, span.start);
    let line = sql.lines().nth(position.line as usize - 1).unwrap_or("");
    let chars: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let column = (position.column as usize - 1).min(chars.len());
    let from = if chars.len() <= EXCERPT_CHARS_MAX { 0 } else { column.saturating_sub(EXCERPT_CHARS_MAX / 2) };
    let to = (from + EXCERPT_CHARS_MAX).min(chars.len());
    let (dots_before, dots_after) = (if from > 0 { "..." } else { "" }, if to < chars.len() { "..." } else { "" });
    let width = Span::of(span, sql).chars().take_while(|c| *c != '\n').count().clamp(1, (to.max(column + 1)) - column);
    let position = position.after(first);
    let number = position.line.to_string();
    let gutter = " ".repeat(number.len());
    let shown: String = chars[from..to].iter().collect();
    let pad = " ".repeat(dots_before.len() + column - from);
    let carets = "^".repeat(width);
    let written = write!(
        out,
        "{gutter}--> line {}, column {}\n{gutter} |\n{number} | {dots_before}{shown}{dots_after}\n{gutter} | {pad}{carets}\n",
        position.line, position.column
    );
    written.expect("writing to a string cannot fail");
}

/// The candidate nearest to a misspelt name, if one is near enough to be worth naming.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours between two words.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitution = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near() {
        assert_eq!(nearest("balanse", ["id", "name", "balance"]), Some("balance"));
        assert_eq!(nearest("nmae", ["id", "name"]), Some("name"));
        assert_eq!(nearest("zebra", ["id", "name"]), None);
    }

    #[test]
    fn the_caret_stands_under_the_spot() {
        let sql = "SELECT 1,\n  balanse FROM accounts";
        let diag = Diag::new(code::UNDEFINED_COLUMN, "no", Span { start: 12, end: 19 }).help("look");
        let expected = " --> line 2, column 3\n  |\n2 |   balanse FROM accounts\n  |   ^^^^^^^\nhelp: look\n";
        assert_eq!(diag.excerpt(sql), expected);
        let further = diag.excerpt_from(sql, Position { line: 10, column: 7 });
        assert_eq!(
            further,
            "  --> line 11, column 3\n   |\n11 |   balanse FROM accounts\n   |   ^^^^^^^\nhelp: look\n"
        );
        assert!(Diag::new("42601", "end", Span { start: 999, end: 999 }).excerpt(sql).contains("line 2"));
    }
}
