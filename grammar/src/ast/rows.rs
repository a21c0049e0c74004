//! What are the rows of VALUES?
//!
//! Trees, row by row; or, of a long list of plain literals, the literals' places in their text: a tree is many times as long
//! as its literal, and an INSERT of ten megabytes must not need a gigabyte. Both say the same: [`Rows::trees`] gives the trees.
//!
//! Part of the contract of [`ast`](super).

use super::{Expr, ExprKind, TypeName, UnaryOp};
use crate::lower::unquote;
use crate::span::Span;
use std::borrow::Cow;
use std::fmt;

/// The rows of VALUES.
#[derive(Clone)]
pub enum Rows {
    /// Row by row.
    Trees(Vec<Vec<Expr>>),
    /// Plain literals by their places.
    Literals(Literals),
}

/// Rows of plain literals.
#[derive(Clone)]
pub struct Literals {
    /// The text that they stand in, which begins at `base` in the whole.
    text: Box<str>,
    base: u32,
    marks: Vec<Mark>,
    /// The number of literals up to the end of each row.
    row_ends: Vec<u32>,
}

/// A literal's place in the whole text.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) start: u32,
    /// Where a number begins behind its sign, a text behind its type.
    pub(crate) inner: u32,
    pub(crate) end: u32,
    pub(crate) kind: MarkKind,
}

/// What a literal is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkKind {
    Null,
    Default,
    True,
    False,
    Number,
    Minus,
    Plus,
    Text,
    Date,
    Timestamp,
}

/// A plain literal, as far as it is of use without a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Literal<'t> {
    /// `NULL`
    Null,
    /// Digits, perhaps with a point, an exponent.
    Number(&'t str),
    /// What stands between quotes, where no quote is doubled.
    Text(&'t str),
    /// Anything else.
    Other,
}

impl Rows {
    /// How many rows.
    pub fn len(&self) -> usize {
        match self {
            Rows::Trees(rows) => rows.len(),
            Rows::Literals(literals) => literals.row_ends.len(),
        }
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The trees.
    pub fn trees(&self) -> Cow<'_, [Vec<Expr>]> {
        match self {
            Rows::Trees(rows) => Cow::Borrowed(rows),
            Rows::Literals(literals) => Cow::Owned(literals.to_trees()),
        }
    }

    /// How many values the first row has.
    pub fn first_width(&self) -> usize {
        match self {
            Rows::Trees(rows) => rows.first().map_or(0, Vec::len),
            Rows::Literals(literals) => literals.row_ends.first().map_or(0, |end| *end as usize),
        }
    }
}

impl From<Vec<Vec<Expr>>> for Rows {
    fn from(rows: Vec<Vec<Expr>>) -> Rows {
        Rows::Trees(rows)
    }
}

/// As the trees, whichever form they have.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trees().fmt(f)
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Rows) -> bool {
        self.trees() == other.trees()
    }
}

impl Literals {
    /// Literals of a text that begins at `base` in the whole.
    pub(crate) fn new(text: &str, base: u32, mut marks: Vec<Mark>, mut row_ends: Vec<u32>) -> Literals {
        marks.shrink_to_fit();
        row_ends.shrink_to_fit();
        Literals { text: text.into(), base, marks, row_ends }
    }

    /// The places of the rows' literals.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = std::ops::Range<usize>> + '_ {
        (0..self.row_ends.len()).map(|row| {
            let start = if row == 0 { 0 } else { self.row_ends[row - 1] };
            start as usize..self.row_ends[row] as usize
        })
    }

    /// The literal at a place.
    pub fn literal(&self, place: usize) -> Literal<'_> {
        let mark = self.marks[place];
        match mark.kind {
            MarkKind::Null => Literal::Null,
            MarkKind::Number => Literal::Number(self.text_of(mark.start, mark.end)),
            MarkKind::Text => {
                let inside = self.text_of(mark.start + 1, mark.end - 1);
                if inside.contains('\'') { Literal::Other } else { Literal::Text(inside) }
            }
            MarkKind::Default
            | MarkKind::True
            | MarkKind::False
            | MarkKind::Minus
            | MarkKind::Plus
            | MarkKind::Date
            | MarkKind::Timestamp => Literal::Other,
        }
    }

    /// The tree of the literal at a place.
    pub fn tree(&self, place: usize) -> Expr {
        let Mark { start, inner, end, kind } = self.marks[place];
        let span = Span { start, end };
        let signed = |op: UnaryOp| {
            let number = ExprKind::Number(self.text_of(inner, end).to_owned());
            let operand = Box::new(Expr { kind: number, span: Span { start: inner, end } });
            ExprKind::Unary { op, operand }
        };
        let typed = |name: &str| {
            let span = Span { start, end: start + name.len() as u32 };
            let ty = TypeName { name: name.to_owned(), args: Vec::new(), array: false, span };
            ExprKind::Typed { ty, text: unquote(self.text_of(inner, end)) }
        };
        let kind = match kind {
            MarkKind::Null => ExprKind::Null,
            MarkKind::Default => ExprKind::Default,
            MarkKind::True => ExprKind::Boolean(true),
            MarkKind::False => ExprKind::Boolean(false),
            MarkKind::Number => ExprKind::Number(self.text_of(start, end).to_owned()),
            MarkKind::Minus => signed(UnaryOp::Minus),
            MarkKind::Plus => signed(UnaryOp::Plus),
            MarkKind::Text => ExprKind::Text(unquote(self.text_of(start, end))),
            MarkKind::Date => typed("date"),
            MarkKind::Timestamp => typed("timestamp"),
        };
        Expr { kind, span }
    }

    /// All trees.
    pub(crate) fn to_trees(&self) -> Vec<Vec<Expr>> {
        self.rows().map(|row| row.map(|place| self.tree(place)).collect()).collect()
    }

    fn text_of(&self, start: u32, end: u32) -> &str {
        &self.text[(start - self.base) as usize..(end - self.base) as usize]
    }
}
