//! How are rows printed?
//!
//! csv, json, jsonl and line print each row as it comes. A table must know its widths, so it gathers rows, but never more
//! than [`TABLE_ROWS_MAX`]: a longer result goes on in further tables.
//!
//! Not here: the words about statements without rows (`shell`).

mod csv;
mod json;
mod table;

use spectradb::embed::{OutputColumn, Value};
use std::fmt;
use std::io::{self, Write};

/// Rows of one table.
pub(crate) const TABLE_ROWS_MAX: usize = 10_000;

/// The ways to print rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Table,
    Line,
    Csv,
    Json,
    JsonLines,
}

impl Mode {
    /// All modes by name.
    pub(crate) const NAMES: &[(&str, Mode)] = &[
        ("table", Mode::Table),
        ("line", Mode::Line),
        ("csv", Mode::Csv),
        ("json", Mode::Json),
        ("jsonl", Mode::JsonLines),
    ];

    pub(crate) fn parse(name: &str) -> Result<Mode, String> {
        let found = Mode::NAMES.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, mode)| *mode)
            .ok_or_else(|| format!("there is no mode \"{name}\": table, line, csv, json, jsonl are"))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Mode::NAMES.iter().find(|(_, mode)| mode == self);
        f.write_str(found.map_or("", |(name, _)| *name))
    }
}

/// The mode with its details.
#[derive(Clone, Debug)]
pub(crate) struct Format {
    pub(crate) mode: Mode,
    pub(crate) null: Option<String>,
    pub(crate) header: bool,
}

impl Format {
    fn null(&self) -> &str {
        let default = if self.mode == Mode::Csv { "" } else { "NULL" };
        self.null.as_deref().unwrap_or(default)
    }
}

/// Prints the rows of one result.
pub(crate) struct Printer<'a, W: Write> {
    format: &'a Format,
    out: &'a mut W,
    columns: Vec<OutputColumn>,
    names: Vec<String>,
    held: Vec<Vec<String>>,
    row_count: u64,
}

impl<'a, W: Write> Printer<'a, W> {
    pub(crate) fn begin(format: &'a Format, columns: &[OutputColumn], out: &'a mut W) -> io::Result<Printer<'a, W>> {
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        match format.mode {
            Mode::Csv if format.header => csv::record(out, names.iter().map(|name| Some(name.as_str())), "")?,
            Mode::Json => out.write_all(b"[")?,
            Mode::Csv | Mode::Table | Mode::Line | Mode::JsonLines => {}
        }
        let names = match format.mode {
            Mode::Json | Mode::JsonLines => json::keys(&names),
            Mode::Csv | Mode::Table | Mode::Line => names,
        };
        Ok(Printer { format, out, columns: columns.to_vec(), names, held: Vec::new(), row_count: 0 })
    }

    pub(crate) fn row(&mut self, values: &[Value]) -> io::Result<()> {
        let first = self.row_count == 0;
        self.row_count += 1;
        match self.format.mode {
            Mode::Table => {
                self.held.push(values.iter().map(|value| visible(value, self.format.null())).collect());
                if self.held.len() == TABLE_ROWS_MAX {
                    table::print(self.out, self.format.header, &self.columns, std::mem::take(&mut self.held))?;
                }
                Ok(())
            }
            Mode::Line => {
                if !first {
                    self.out.write_all(b"\n")?;
                }
                let width = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
                for (name, value) in self.names.iter().zip(values) {
                    let pad = " ".repeat(width - name.chars().count());
                    writeln!(self.out, "{pad}{} = {}", clean(name), visible(value, self.format.null()))?;
                }
                Ok(())
            }
            Mode::Csv => {
                let texts: Vec<Option<String>> = values.iter().map(text).collect();
                csv::record(self.out, texts.iter().map(Option::as_deref), self.format.null())
            }
            Mode::Json => {
                self.out.write_all(if first { b"\n  " } else { b",\n  " })?;
                json::object(self.out, &self.names, values)
            }
            Mode::JsonLines => {
                json::object(self.out, &self.names, values)?;
                self.out.write_all(b"\n")
            }
        }
    }

    /// Prints what is left; answers how many rows there were.
    pub(crate) fn end(self) -> io::Result<u64> {
        match self.format.mode {
            Mode::Table if !self.held.is_empty() || self.row_count == 0 => {
                table::print(self.out, self.format.header, &self.columns, self.held)?;
            }
            Mode::Json => self.out.write_all(if self.row_count == 0 { b"]\n" } else { b"\n]\n" })?,
            Mode::Table | Mode::Line | Mode::Csv | Mode::JsonLines => {}
        }
        Ok(self.row_count)
    }
}

/// A value's text; `None` is NULL.
fn text(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

/// A value's text for eyes.
fn visible(value: &Value, null: &str) -> String {
    text(value).map_or_else(|| null.to_owned(), |text| clean(&text))
}

/// Text that cannot move the cursor: only line breaks stay what they are.
fn clean(text: &str) -> String {
    if !text.chars().any(|c| c.is_control() && c != '\n') {
        return text.to_owned();
    }
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => cleaned.push('\n'),
            '\t' => cleaned.push_str("    "),
            '\r' => {}
            c if c.is_control() => cleaned.extend(c.escape_unicode()),
            c => cleaned.push(c),
        }
    }
    cleaned
}
