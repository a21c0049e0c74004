//! How is a text that comes in pieces run, statement by statement?
//!
//! A statement runs as soon as its semicolon is here, so that a program which writes into our stdin and waits for the
//! answer gets it. A line that begins with a dot, where no statement is open, is a command.
//!
//! Holds: only the statement that is not yet complete is in memory.

#![expect(clippy::disallowed_methods, reason = "the shell reads the user's scripts")]

use crate::shell::{End, Origin, Shell};
use spectradb::embed::{Error, Splitter};
use std::io::{self, Read};
use std::path::Path;

/// Files may read each other so deep.
const READ_DEPTH_MAX: u32 = 16;

/// So much is read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Stands where the input is not UTF-8.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Runs the text of an argument.
pub(crate) fn text(shell: &mut Shell, sql: &str) -> Result<(), End> {
    stream(shell, sql.as_bytes(), Origin::Text, 0)
}

/// Runs a file.
pub(crate) fn file(shell: &mut Shell, path: &Path, depth: u32) -> Result<(), End> {
    if depth > READ_DEPTH_MAX {
        return shell.fail(&Error::new("54001", format!("more than {READ_DEPTH_MAX} files read each other")));
    }
    match std::fs::File::open(path) {
        Ok(file) => stream(shell, file, Origin::Text, depth),
        Err(error) => {
            let code = if error.kind() == io::ErrorKind::NotFound { "58P01" } else { "58030" };
            shell.fail(&Error::new(code, format!("could not read {}: {error}", path.display())))
        }
    }
}

/// Runs what a reader gives until its end.
pub(crate) fn stream(shell: &mut Shell, mut reader: impl Read, origin: Origin, depth: u32) -> Result<(), End> {
    let mut feed = Feed::new(origin, depth);
    let mut chunk = vec![0u8; CHUNK_BYTES];
    let mut held: Vec<u8> = Vec::new();
    loop {
        let read = match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return shell.fail(&Error::new("58030", format!("could not read the input: {error}"))),
        };
        held.extend_from_slice(&chunk[..read]);
        // The last character may not be here as a whole.
        let whole = held.len() - incomplete_bytes(&held);
        let text = String::from_utf8_lossy(&held[..whole]);
        feed.is_broken |= matches!(text, std::borrow::Cow::Owned(_));
        feed.push(shell, &text)?;
        held.drain(..whole);
    }
    let text = String::from_utf8_lossy(&held);
    feed.is_broken |= matches!(text, std::borrow::Cow::Owned(_));
    feed.push(shell, &text)?;
    feed.finish(shell)
}

/// How many bytes at the end are the beginning of a character?
fn incomplete_bytes(bytes: &[u8]) -> usize {
    let tail = &bytes[bytes.len().saturating_sub(3)..];
    for (offset, byte) in tail.iter().rev().enumerate() {
        let needed = match byte {
            0xf0..=0xf7 => 4,
            0xe0..=0xef => 3,
            0xc0..=0xdf => 2,
            0x80..=0xbf => continue,
            _ => return 0,
        };
        return if offset + 1 < needed { offset + 1 } else { 0 };
    }
    0
}

/// Cuts text into statements and commands, and runs them.
struct Feed {
    splitter: Splitter,
    origin: Origin,
    depth: u32,
    /// The line under way, while it may still turn out to be a command.
    line: Option<String>,
    /// Was there anything that is not UTF-8?
    is_broken: bool,
}

impl Feed {
    fn new(origin: Origin, depth: u32) -> Feed {
        Feed { splitter: Splitter::new(), origin, depth, line: Some(String::new()), is_broken: false }
    }

    fn push(&mut self, shell: &mut Shell, text: &str) -> Result<(), End> {
        for part in text.split_inclusive('\n') {
            let ends = part.ends_with('\n');
            match &mut self.line {
                Some(line) => {
                    line.push_str(part);
                    let shown = line.trim_start_matches('\u{feff}').trim_start();
                    let begins_with_dot = shown.starts_with('.');
                    if !begins_with_dot && (ends || !shown.is_empty()) {
                        let line = std::mem::take(line);
                        self.line = None;
                        self.sql(shell, &line)?;
                    } else if ends {
                        let line = std::mem::take(line);
                        self.command_or_space(shell, &line)?;
                    }
                }
                None => self.sql(shell, part)?,
            }
            if ends {
                self.line = (!self.splitter.is_pending()).then(String::new);
            }
        }
        Ok(())
    }

    /// A whole line of which only a command may be wanted.
    fn command_or_space(&mut self, shell: &mut Shell, line: &str) -> Result<(), End> {
        // The splitter counts lines: it sees the line break of the command.
        self.sql(shell, if line.ends_with('\n') { "\n" } else { "" })?;
        let command = line.trim_start_matches('\u{feff}').trim();
        if command.is_empty() { Ok(()) } else { shell.dot(command, self.depth) }
    }

    fn sql(&mut self, shell: &mut Shell, text: &str) -> Result<(), End> {
        self.splitter.push(text);
        while let Some(piece) = self.splitter.next_piece() {
            self.run(shell, piece.map_err(|diag| Error::from_diag(diag, "")))?;
        }
        Ok(())
    }

    fn finish(mut self, shell: &mut Shell) -> Result<(), End> {
        if let Some(line) = self.line.take() {
            self.command_or_space(shell, &line)?;
        }
        while let Some(piece) = self.splitter.finish() {
            self.run(shell, piece.map_err(|diag| Error::from_diag(diag, "")))?;
        }
        Ok(())
    }

    fn run(&self, shell: &mut Shell, piece: Result<spectradb::embed::Piece, Error>) -> Result<(), End> {
        match piece {
            // A text with another character in the place of broken bytes must not be stored.
            Ok(piece) if self.is_broken && piece.text.contains(REPLACEMENT) => {
                let message = format!("the statement on line {} is not UTF-8", piece.line);
                shell.fail(&Error::new("22021", message).with_help("convert the input to UTF-8"))
            }
            Ok(piece) => shell.statement(&piece, self.origin),
            Err(error) => shell.fail(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_cut_in_two_is_held_back() {
        let text = "aé€😀";
        for cut in 0..=text.len() {
            let incomplete = incomplete_bytes(&text.as_bytes()[..cut]);
            assert!(
                text.is_char_boundary(cut - incomplete) && (incomplete == 0) == text.is_char_boundary(cut),
                "{cut}"
            );
        }
        assert_eq!(incomplete_bytes(b"\x80\x80\x80\x80"), 0);
    }
}
