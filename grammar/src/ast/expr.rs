//! What does an expression say?
//!
//! Part of the contract of [`ast`](super).

use super::{Name, OrderItem, Query, TypeName};
use crate::span::Span;
use std::ops::{Deref, DerefMut};

/// An expression with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it says.
    pub kind: ExprKind,
    /// From its first to its last token.
    pub span: Span,
}

/// Pushes the expressions that one is made of, for those who look and for those who change; `$open` goes into a box.
macro_rules! parts {
    ($kind:expr, $open:path) => {{
        let mut parts = Vec::new();
        match $kind {
            ExprKind::Null
            | ExprKind::Default
            | ExprKind::Boolean(_)
            | ExprKind::Number(_)
            | ExprKind::Text(_)
            | ExprKind::Blob(_)
            | ExprKind::Typed { .. }
            | ExprKind::Path(_)
            | ExprKind::Param(_)
            | ExprKind::EveryItem
            | ExprKind::Exists(_)
            | ExprKind::Subquery(_) => {}
            ExprKind::Unary { operand, .. }
            | ExprKind::Is { operand, .. }
            | ExprKind::InQuery { operand, .. }
            | ExprKind::Cast { operand, .. }
            | ExprKind::Extract { operand, .. } => parts.push($open(operand)),
            ExprKind::Binary { left, right, .. }
            | ExprKind::IsDistinct { left, right, .. }
            | ExprKind::Period { left, right, .. } => parts.extend([left, right].map($open)),
            ExprKind::InList { operand, list, .. } => {
                parts.push($open(operand));
                parts.extend(list);
            }
            ExprKind::Between { operand, low, high, .. } => parts.extend([operand, low, high].map($open)),
            ExprKind::Like { operand, pattern, escape, .. } => {
                parts.extend([operand, pattern].map($open));
                parts.extend(escape.into_iter().map($open));
            }
            ExprKind::Quantified { operand, among, .. } => {
                parts.push($open(operand));
                match $open(among) {
                    Among::Query(_) => {}
                    Among::Array(array) => parts.push(array),
                }
            }
            ExprKind::Row(of) | ExprKind::Array(of) | ExprKind::Call { args: of, .. } => parts.extend(of),
            ExprKind::Case { operand, arms, otherwise } => {
                parts.extend(operand.into_iter().map($open));
                parts.extend(arms.into_iter().flat_map(|(condition, value)| [condition, value]));
                parts.extend(otherwise.into_iter().map($open));
            }
            ExprKind::Subscript { operand, subscripts } => {
                parts.push($open(operand));
                for subscript in subscripts {
                    match subscript {
                        Subscript::At(at) => parts.push(at),
                        Subscript::Slice(from, to) => parts.extend([from, to].into_iter().flatten()),
                    }
                }
            }
        }
        parts
    }};
}

impl Expr {
    /// The expressions that it is made of: not those of queries in it, and of a call its arguments only.
    pub fn parts(&self) -> Vec<&Expr> {
        parts!(&self.kind, Deref::deref)
    }

    /// The same, to be changed.
    pub fn parts_mut(&mut self) -> Vec<&mut Expr> {
        parts!(&mut self.kind, DerefMut::deref_mut)
    }
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `NULL`
    Null,
    /// `DEFAULT`, as a value of a row of VALUES that is inserted.
    Default,
    /// `TRUE`, `FALSE`
    Boolean(bool),
    /// A number as written: digits, perhaps a point and an exponent. The binder decides its type as PostgreSQL does.
    Number(String),
    /// `'text'`, with doubled quotes resolved: a literal of a type yet unknown.
    Text(String),
    /// `X'00ff'`
    Blob(Vec<u8>),
    /// `DATE '...'`, `TIMESTAMP '...'`, `type '...'`
    Typed {
        /// The type.
        ty: TypeName,
        /// The text.
        text: String,
    },
    /// `a`, `t.a`, `doc.a.b`, `t.doc.a`
    Path(Vec<Name>),
    /// `$1` (number) or `:name`
    Param(ParamName),
    /// `-x`, `+x`, `NOT x`
    Unary {
        /// Which.
        op: UnaryOp,
        /// Of what.
        operand: Box<Expr>,
    },
    /// `a op b`
    Binary {
        /// Which.
        op: BinaryOp,
        /// Where the operator stands.
        op_span: Span,
        /// Left of it.
        left: Box<Expr>,
        /// Right of it.
        right: Box<Expr>,
    },
    /// `x IS [NOT] NULL | TRUE | FALSE | UNKNOWN`
    Is {
        /// Of what.
        operand: Box<Expr>,
        /// Against what.
        test: IsTest,
        /// `NOT`?
        negated: bool,
    },
    /// `a IS [NOT] DISTINCT FROM b`
    IsDistinct {
        /// One.
        left: Box<Expr>,
        /// Other.
        right: Box<Expr>,
        /// `NOT`?
        negated: bool,
    },
    /// `x [NOT] IN (a, b)`
    InList {
        /// What is looked for.
        operand: Box<Expr>,
        /// Among what.
        list: Vec<Expr>,
        /// `NOT`?
        negated: bool,
    },
    /// `x [NOT] IN (query)`
    InQuery {
        /// What is looked for.
        operand: Box<Expr>,
        /// Among what.
        query: Box<Query>,
        /// `NOT`?
        negated: bool,
    },
    /// `x [NOT] BETWEEN a AND b`
    Between {
        /// What.
        operand: Box<Expr>,
        /// From.
        low: Box<Expr>,
        /// To, included.
        high: Box<Expr>,
        /// `SYMMETRIC`: either bound may be the lower one?
        symmetric: bool,
        /// `NOT`?
        negated: bool,
    },
    /// `x [NOT] LIKE | ILIKE p [ESCAPE c]`
    Like {
        /// What.
        operand: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// `ESCAPE`
        escape: Option<Box<Expr>>,
        /// `ILIKE`?
        case_insensitive: bool,
        /// `NOT`?
        negated: bool,
    },
    /// `x op ANY | ALL (query)`
    Quantified {
        /// What is compared.
        operand: Box<Expr>,
        /// How.
        op: BinaryOp,
        /// Where the operator stands.
        op_span: Span,
        /// `ALL`?
        all: bool,
        /// With what.
        among: Box<Among>,
    },
    /// `(a, b)`, `ROW(a, b)`
    Row(Vec<Expr>),
    /// `p OVERLAPS q` and its kin over periods: `PERIOD(a, b)`, `(a, b)`, `t.VALID_TIME`
    Period {
        /// Which.
        op: PeriodOp,
        /// Left of it.
        left: Box<Expr>,
        /// Right of it.
        right: Box<Expr>,
    },
    /// `ALL` in ORDER BY: every column of the select list.
    EveryItem,
    /// `CASE [x] WHEN .. THEN .. [ELSE ..] END`
    Case {
        /// What is compared, in the short form.
        operand: Option<Box<Expr>>,
        /// The arms.
        arms: Vec<(Expr, Expr)>,
        /// `ELSE`
        otherwise: Option<Box<Expr>>,
    },
    /// `CAST(x AS t)`, `x::t`
    Cast {
        /// What.
        operand: Box<Expr>,
        /// To what.
        ty: TypeName,
    },
    /// `EXTRACT(field FROM x)`
    Extract {
        /// Which field, in lower case.
        field: Name,
        /// Of what.
        operand: Box<Expr>,
    },
    /// `f(args)`, `count(*)`, `sum(DISTINCT x)`, `f(..) OVER (..)`. `substring(x FROM a FOR b)`, `trim([BOTH|LEADING|TRAILING] c FROM x)`
    /// and `position(a IN b)` are parsed to plain calls of `substring`, `btrim`/`ltrim`/`rtrim` and `position`.
    Call {
        /// The function.
        name: Name,
        /// Its arguments.
        args: Vec<Expr>,
        /// `count(*)`
        star: bool,
        /// `DISTINCT`?
        distinct: bool,
        /// What only aggregates and windows have; most calls have nothing.
        more: Option<Box<CallMore>>,
    },
    /// `ARRAY[a, b]`, `ARRAY[[a, b], [c, d]]`
    Array(Vec<Expr>),
    /// `a[1]`, `a[1:2]`, `a[1][2]`
    Subscript {
        /// Of what.
        operand: Box<Expr>,
        /// One for each pair of brackets.
        subscripts: Vec<Subscript>,
    },
    /// `[NOT] EXISTS (query)` (the NOT is a unary operator)
    Exists(Box<Query>),
    /// `(query)` as a value
    Subquery(Box<Query>),
}

/// What stands in brackets behind an array.
#[derive(Clone, Debug, PartialEq)]
pub enum Subscript {
    /// `[i]`
    At(Expr),
    /// `[a:b]`, either of which may be left out
    Slice(Option<Expr>, Option<Expr>),
}

/// What an aggregate's or a window's call says besides its arguments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallMore {
    /// `ORDER BY` among the arguments.
    pub order_by: Vec<OrderItem>,
    /// `WITHIN GROUP (ORDER BY ..)`
    pub within: Option<Vec<OrderItem>>,
    /// `FILTER (WHERE ..)`
    pub filter: Option<Expr>,
    /// `OVER`
    pub over: Option<Over>,
}

/// A window: named, or written where it is used.
#[derive(Clone, Debug, PartialEq)]
pub enum Over {
    /// `OVER name`
    Name(Name),
    /// `OVER (..)`
    Spec(WindowSpec),
}

/// What `ANY` and `ALL` look through.
#[derive(Clone, Debug, PartialEq)]
pub enum Among {
    /// The rows of a query.
    Query(Box<Query>),
    /// The items of an array.
    Array(Expr),
}

/// A predicate over two periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodOp {
    /// They share an instant.
    Overlaps,
    /// The left one holds all of the right one, which may be an instant.
    Contains,
    /// They are the same.
    Equals,
    /// The left one ends at or before the begin of the right one.
    Precedes,
    /// The left one begins at or after the end of the right one.
    Succeeds,
    /// The left one ends where the right one begins.
    ImmediatelyPrecedes,
    /// The left one begins where the right one ends.
    ImmediatelySucceeds,
}

/// A parameter's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ParamName {
    /// `$1`: from 1.
    Position(u32),
    /// `:name`
    Named(String),
}

/// `([name] PARTITION BY .. ORDER BY .. frame)`
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSpec {
    /// The named window that it builds on.
    pub base: Option<Name>,
    /// `PARTITION BY`
    pub partition_by: Vec<Expr>,
    /// `ORDER BY`
    pub order_by: Vec<OrderItem>,
    /// The frame, if one is written.
    pub frame: Option<Frame>,
    /// Where it stands.
    pub span: Span,
}

/// `ROWS | RANGE | GROUPS [BETWEEN] .. [EXCLUDE ..]`
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// What its bounds count in.
    pub unit: FrameUnit,
    /// Where it begins.
    pub start: FrameBound,
    /// Where it ends: at the current row where nothing is said.
    pub end: FrameBound,
    /// What it leaves out.
    pub exclude: FrameExclude,
    /// Where it stands.
    pub span: Span,
}

/// What the bounds of a frame count in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameUnit {
    /// Rows.
    Rows,
    /// Distances of the order's value; the current row stands for its peers.
    Range,
    /// Groups of peers.
    Groups,
}

/// A bound of a frame.
#[derive(Clone, Debug, PartialEq)]
pub enum FrameBound {
    /// `UNBOUNDED PRECEDING`
    UnboundedPreceding,
    /// `n PRECEDING`
    Preceding(Box<Expr>),
    /// `CURRENT ROW`
    CurrentRow,
    /// `n FOLLOWING`
    Following(Box<Expr>),
    /// `UNBOUNDED FOLLOWING`
    UnboundedFollowing,
}

/// What a frame leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameExclude {
    /// Nothing.
    NoOthers,
    /// The current row.
    CurrentRow,
    /// The current row and its peers.
    Group,
    /// The current row's peers, not itself.
    Ties,
}

/// A unary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`
    Minus,
    /// `+`
    Plus,
    /// `NOT`
    Not,
    /// Another one, by its sign: `~`, `@`, `|/`, `||/`
    Named(&'static str),
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `OR`
    Or,
    /// `AND`
    And,
    /// `=`
    Eq,
    /// `<>`, `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Rem,
    /// `||`
    Concat,
    /// `->`
    Arrow,
    /// `->>`
    ArrowText,
    /// Another one, by its sign: `&`, `~*`, `@>` and so on
    Named(&'static str),
}

/// What `IS` asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsTest {
    /// `NULL`
    Null,
    /// `TRUE`
    True,
    /// `FALSE`
    False,
    /// `UNKNOWN`
    Unknown,
}
