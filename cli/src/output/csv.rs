//! How does a record of CSV look?
//!
//! RFC 4180: fields between commas, records end with CR LF, a field with a comma, a quote or a line break stands in quotes
//! and a quote inside is written twice. As in PostgreSQL's COPY, a text that looks like the NULL text stands in quotes
//! too; the csv crate's writer quotes all fields of a kind or none, so that NULL and the empty text would look alike: that
//! is why these lines are here.

use std::io::{self, Write};

/// Writes a record; `None` is NULL.
pub(super) fn record<'a>(
    out: &mut impl Write,
    fields: impl Iterator<Item = Option<&'a str>>,
    null: &str,
) -> io::Result<()> {
    for (field_idx, field) in fields.enumerate() {
        if field_idx > 0 {
            out.write_all(b",")?;
        }
        match field {
            None => out.write_all(null.as_bytes())?,
            Some(text) if text == null || text.contains(['"', ',', '\n', '\r']) => {
                write!(out, "\"{}\"", text.replace('"', "\"\""))?;
            }
            Some(text) => out.write_all(text.as_bytes())?,
        }
    }
    out.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_empty_text_differ() {
        let mut out = Vec::new();
        record(&mut out, [Some("a,b"), None, Some(""), Some("say \"x\"\r\n"), Some("z")].into_iter(), "").unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "\"a,b\",,\"\",\"say \"\"x\"\"\r\n\",z\r\n");
    }
}
