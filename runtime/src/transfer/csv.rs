//! How do rows lie in a CSV file?
//!
//! RFC 4180: fields between delimiters, quoted with `"` where they hold a delimiter, a quote or a line break, a quote
//! inside written twice; lines end with LF or CRLF. As in PostgreSQL, an unquoted field that equals the NULL text is NULL
//! and a quoted one never is. The csv crate's reader does not tell quoted fields from others, so that NULL and the empty
//! text could not be told apart: that is why the few lines of the reader stand here.
//!
//! Holds: what [`Writer`] writes, [`Reader`] reads back, NULLs and empty texts included.
//! Not here: types and tables (`session::copy`).

use std::io::{self, BufRead, Write};

/// A record of a file: its fields, and which of them were quoted.
#[derive(Debug, Default)]
pub(crate) struct Record {
    text: Vec<u8>,
    ends: Vec<usize>,
    quoted: Vec<bool>,
    /// The line on which it begins, from 1.
    pub(crate) line: u64,
}

impl Record {
    /// How many fields.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field's bytes, without quotes.
    pub(crate) fn field(&self, field_idx: usize) -> &[u8] {
        let start = if field_idx == 0 { 0 } else { self.ends[field_idx - 1] };
        &self.text[start..self.ends[field_idx]]
    }

    /// Was the field quoted?
    pub(crate) fn is_quoted(&self, field_idx: usize) -> bool {
        self.quoted[field_idx]
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.quoted.clear();
    }

    fn end_field(&mut self, quoted: bool) {
        self.ends.push(self.text.len());
        self.quoted.push(quoted);
    }
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CsvError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A quoted field does not end.
    #[error("a quoted field that begins on line {0} does not end")]
    OpenQuote(u64),
    /// Something follows a closing quote.
    #[error("line {0} has text after a closing quote")]
    TextAfterQuote(u64),
    /// A line is too long to be one.
    #[error("a record that begins on line {0} is longer than {RECORD_BYTES_MAX} bytes")]
    TooLong(u64),
}

/// A record larger than this is a file that is not CSV.
const RECORD_BYTES_MAX: usize = 64 << 20;

/// Reads records one after another.
pub(crate) struct Reader<R> {
    input: R,
    delimiter: u8,
    line: u64,
    raw: Vec<u8>,
    at_start: bool,
}

impl<R: BufRead> Reader<R> {
    /// A reader of a file.
    pub(crate) fn new(input: R, delimiter: u8) -> Reader<R> {
        Reader { input, delimiter, line: 1, raw: Vec::new(), at_start: true }
    }

    /// Reads the next record; `false` at the end. Empty lines are passed over.
    pub(crate) fn read(&mut self, record: &mut Record) -> Result<bool, CsvError> {
        loop {
            record.clear();
            record.line = self.line;
            self.raw.clear();
            if self.input.read_until(b'\n', &mut self.raw)? == 0 {
                return Ok(false);
            }
            self.line += 1;
            if self.at_start {
                self.at_start = false;
                if self.raw.starts_with(b"\xef\xbb\xbf") {
                    self.raw.drain(..3);
                }
            }
            if matches!(self.raw.as_slice(), b"\n" | b"\r\n" | b"") {
                continue;
            }
            self.split(record)?;
            return Ok(true);
        }
    }

    fn split(&mut self, record: &mut Record) -> Result<(), CsvError> {
        let mut at = 0;
        loop {
            if self.raw.get(at) == Some(&b'"') {
                at = self.quoted_field(at + 1, record)?;
                record.end_field(true);
            } else {
                let rest = &self.raw[at..];
                let end = rest.iter().position(|byte| *byte == self.delimiter || *byte == b'\n').unwrap_or(rest.len());
                let is_last = rest.get(end) != Some(&self.delimiter);
                let field = &rest[..end];
                let field = if is_last { field.strip_suffix(b"\r").unwrap_or(field) } else { field };
                record.text.extend_from_slice(field);
                record.end_field(false);
                at += end;
            }
            match self.raw.get(at) {
                Some(byte) if *byte == self.delimiter => at += 1,
                None | Some(b'\n') => return Ok(()),
                Some(b'\r') if matches!(self.raw.get(at + 1), None | Some(b'\n')) => return Ok(()),
                Some(_) => return Err(CsvError::TextAfterQuote(self.line - 1)),
            }
        }
    }

    /// Reads from behind an opening quote to behind the closing one, over line breaks.
    fn quoted_field(&mut self, mut at: usize, record: &mut Record) -> Result<usize, CsvError> {
        loop {
            match self.raw[at..].iter().position(|byte| *byte == b'"') {
                Some(offset) => {
                    record.text.extend_from_slice(&self.raw[at..at + offset]);
                    at += offset + 1;
                    if self.raw.get(at) != Some(&b'"') {
                        return Ok(at);
                    }
                    record.text.push(b'"');
                    at += 1;
                }
                None => {
                    record.text.extend_from_slice(&self.raw[at..]);
                    if record.text.len() > RECORD_BYTES_MAX {
                        return Err(CsvError::TooLong(record.line));
                    }
                    self.raw.clear();
                    if self.input.read_until(b'\n', &mut self.raw)? == 0 {
                        return Err(CsvError::OpenQuote(record.line));
                    }
                    self.line += 1;
                    at = 0;
                }
            }
        }
    }
}

/// Writes records one after another.
pub(crate) struct Writer<W> {
    output: W,
    delimiter: u8,
    null: String,
    at_start: bool,
}

impl<W: Write> Writer<W> {
    /// A writer to a file.
    pub(crate) fn new(output: W, delimiter: u8, null: String) -> Writer<W> {
        Writer { output, delimiter, null, at_start: true }
    }

    /// Writes a field; `None` is NULL.
    pub(crate) fn field(&mut self, field: Option<&str>) -> io::Result<()> {
        if !self.at_start {
            self.output.write_all(&[self.delimiter])?;
        }
        self.at_start = false;
        let Some(field) = field else { return self.output.write_all(self.null.as_bytes()) };
        let needs_quotes = field == self.null
            || field.bytes().any(|byte| byte == self.delimiter || matches!(byte, b'"' | b'\n' | b'\r'));
        if !needs_quotes {
            return self.output.write_all(field.as_bytes());
        }
        write!(self.output, "\"{}\"", field.replace('"', "\"\""))
    }

    /// Ends the record.
    pub(crate) fn end_record(&mut self) -> io::Result<()> {
        self.at_start = true;
        self.output.write_all(b"\n")
    }

    /// The file, for syncing.
    pub(crate) fn into_inner(self) -> W {
        self.output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str) -> Result<Vec<Vec<Option<String>>>, CsvError> {
        let mut reader = Reader::new(text.as_bytes(), b',');
        let mut record = Record::default();
        let mut all = Vec::new();
        while reader.read(&mut record)? {
            let field = |idx: usize| {
                let text = String::from_utf8(record.field(idx).to_vec()).expect("the tests write UTF-8");
                (record.is_quoted(idx) || !text.is_empty()).then_some(text)
            };
            all.push((0..record.len()).map(field).collect());
        }
        Ok(all)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn quotes_line_breaks_and_nulls_are_told_apart() {
        let rows = read_all("a,\"b \"\"x\"\",\ny\",,\"\"\r\n\n1,2,3,4").expect("well formed");
        assert_eq!(rows[0], [some("a"), some("b \"x\",\ny"), None, some("")]);
        assert_eq!(rows[1], [some("1"), some("2"), some("3"), some("4")]);
        assert!(matches!(read_all("a,\"b"), Err(CsvError::OpenQuote(1))));
        assert!(matches!(read_all("a\n\"b\"c"), Err(CsvError::TextAfterQuote(2))));
    }

    #[test]
    fn what_is_written_is_read_back() {
        let fields = [some("plain"), some(""), None, some("with,comma"), some("\"quoted\"\r\nlines"), some(" ")];
        let mut writer = Writer::new(Vec::new(), b',', String::new());
        for field in &fields {
            writer.field(field.as_deref()).expect("memory takes all");
        }
        writer.end_record().expect("memory takes all");
        let text = String::from_utf8(writer.into_inner()).expect("UTF-8");
        assert_eq!(read_all(&text).expect("well formed"), [fields.to_vec()]);
    }
}
