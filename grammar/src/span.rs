//! Where in the SQL text does something stand?

/// A range of bytes of the SQL text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// The span from the beginning of one to the end of another.
    pub fn to(self, last: Span) -> Span {
        Span { start: self.start, end: last.end }
    }

    /// The text it covers; empty when it lies outside.
    pub fn of(self, sql: &str) -> &str {
        sql.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}

/// A line and a column, both from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl Position {
    /// The position of a byte of the text.
    pub fn of(sql: &str, byte: u32) -> Position {
        let mut end = (byte as usize).min(sql.len());
        while !sql.is_char_boundary(end) {
            end -= 1;
        }
        let before = &sql[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() as u32 + 1;
        Position { line, column: before[line_start..].chars().count() as u32 + 1 }
    }

    /// The position in a larger text, for one in a text that begins at `first` there.
    #[must_use]
    pub fn after(self, first: Position) -> Position {
        let column = if self.line == 1 { self.column + first.column - 1 } else { self.column };
        Position { line: self.line + first.line - 1, column }
    }
}
