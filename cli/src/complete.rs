//! What does TAB offer, how is a line coloured, and is it complete?

use crate::dot::{COMMANDS, quoted};
use crate::output::Mode;
use crate::shell::Shell;
use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};
use spectradb::embed::Splitter;
use spectradb::embed::tokens::{self, Class};
use std::borrow::Cow;

/// The names that TAB knows, and whether to colour.
pub(crate) struct Assistant {
    tables: Vec<String>,
    columns: Vec<String>,
    colour: bool,
}

impl Assistant {
    pub(crate) fn new(colour: bool) -> Assistant {
        Assistant { tables: Vec::new(), columns: Vec::new(), colour }
    }

    /// Learns the names of the tables and their columns. What cannot be read is not offered.
    pub(crate) fn learn(&mut self, shell: &Shell) {
        self.tables = shell.names("SHOW TABLES").unwrap_or_default();
        let of_table = |table: &String| shell.names(&format!("DESCRIBE {}", quoted(table))).unwrap_or_default();
        self.columns = self.tables.iter().flat_map(of_table).collect();
        for pseudo in ["_commit", "_system_from", "_system_to", "_valid_from", "_valid_to"] {
            self.columns.push(pseudo.to_owned());
        }
        self.columns.sort();
        self.columns.dedup();
    }

    fn candidates(&self, line: &str, start: usize, typed: &str) -> Vec<String> {
        let before = line[..start].trim_start();
        if line.trim_start().starts_with('.') {
            let words: Vec<&str> = if before.is_empty() {
                COMMANDS.iter().map(|(name, _, _)| *name).collect()
            } else if before.starts_with(".mode") {
                Mode::NAMES.iter().map(|(name, _)| *name).collect()
            } else {
                self.tables.iter().map(String::as_str).collect()
            };
            return words.into_iter().filter(|word| word.starts_with(typed)).map(str::to_owned).collect();
        }
        let lower = typed.to_lowercase();
        let fits = |name: &&String| name.to_lowercase().starts_with(&lower);
        let columns = self.columns.iter().filter(fits).map(|name| quoted(name));
        if before.ends_with('.') {
            return columns.collect();
        }
        let tables = self.tables.iter().filter(fits).map(|name| quoted(name));
        let is_lower = typed.chars().any(char::is_lowercase);
        let keywords = tokens::keywords().iter().filter(fits);
        let keywords = keywords.map(|word| if is_lower { word.to_lowercase() } else { word.clone() });
        let mut all: Vec<String> = Vec::new();
        for candidate in tables.chain(columns).chain(keywords) {
            if !all.contains(&candidate) {
                all.push(candidate);
            }
        }
        all
    }
}

impl Helper for Assistant {}

impl Hinter for Assistant {
    type Hint = String;
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let dot_command = line.trim_start().starts_with('.');
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '"' || (c == '.' && dot_command);
        let start =
            line[..pos].rfind(|c| !is_part(c)).map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
        Ok((start, self.candidates(line, start, line[start..pos].trim_start_matches('"'))))
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let input = context.input();
        if input.trim_start().starts_with('.') {
            return Ok(ValidationResult::Valid(None));
        }
        let mut splitter = Splitter::new();
        splitter.push(input);
        while splitter.next_piece().is_some() {}
        Ok(if splitter.is_pending() { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _pos: usize) -> Cow<'l, str> {
        if !self.colour || line.trim_start().starts_with('.') {
            return Cow::Borrowed(line);
        }
        let mut out = String::with_capacity(line.len() * 2);
        let mut done = 0;
        for (span, class) in tokens::highlight(line) {
            let (start, end) = (span.start as usize, span.end as usize);
            out.push_str(&line[done..start]);
            let style = match class {
                Class::Keyword => "1;34",
                Class::Number | Class::Param => "36",
                Class::Text => "32",
                Class::Comment => "90",
                Class::Bad => "31",
                Class::Name | Class::Sign => "",
            };
            if style.is_empty() {
                out.push_str(&line[start..end]);
            } else {
                out.push_str(&format!("\x1b[{style}m{}\x1b[0m", &line[start..end]));
            }
            done = end;
        }
        out.push_str(&line[done..]);
        Cow::Owned(out)
    }

    fn highlight_char(&self, _line: &str, _pos: usize, _kind: CmdKind) -> bool {
        self.colour
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(line: &str) -> Vec<String> {
        let mut assistant = Assistant::new(false);
        assistant.tables = vec!["accounts".to_owned(), "Odd name".to_owned()];
        assistant.columns = vec!["balance".to_owned(), "name".to_owned()];
        let history = rustyline::history::MemHistory::new();
        assistant.complete(line, line.len(), &Context::new(&history)).map(|(_, all)| all).unwrap_or_default()
    }

    #[test]
    fn words_tables_and_columns_are_offered() {
        assert_eq!(offered("SEL"), ["SELECT"]);
        assert_eq!(offered("select bal"), ["balance"]);
        // Tables first, then the words of the language.
        let from = offered("select * from a");
        assert_eq!(from[0], "accounts");
        assert!(["and", "as"].iter().all(|word| from.iter().any(|offered| offered == word)), "{from:?}");
        assert_eq!(offered("select accounts.n"), ["name"]);
        assert_eq!(offered("select * from Odd"), ["\"Odd name\""]);
        assert_eq!(offered(".m"), [".mode"]);
        assert_eq!(offered(".mode j"), ["json", "jsonl"]);
        assert_eq!(offered(".schema ac"), ["accounts"]);
    }

    #[test]
    fn a_coloured_line_says_the_same() {
        let line = "SELECT 'a', 1 FROM t -- c";
        let coloured = Assistant::new(true).highlight(line, 0).into_owned();
        let mut plain = String::new();
        for part in coloured.split("\x1b[") {
            plain.push_str(
                part.split_once('m').filter(|_| !plain.is_empty() || part != coloured).map_or(part, |(_, rest)| rest),
            );
        }
        assert_eq!(plain, line);
    }
}
