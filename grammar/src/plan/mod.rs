//! What is to be done, with every decision made?
//!
//! Contract. The binder builds a plan, rewrites change it, [`check`](self) guards it, and both executors (the interpreter
//! and generated code) carry it out. No decision is left to them: types agree, coercions are calls, NULL order and default
//! periods are settled, every scan carries its scope on both times. Two types agree when class and scale do (a precision is
//! a bound, not a shape). Matches over these enums have no `_` arm.
//!
//! # Returned
//! RETURNING reads [`NodeKind::Given`] rows: the table's columns that are not hidden, `_valid_from`, `_valid_to`, then what
//! the statement's source gives besides.

pub mod check;
pub mod display;
pub mod parts;
mod stmt;
pub mod visit;

pub use check::CheckedPlan;
pub use stmt::{
    Begin, Conflict, CopyColumn, CopyFormat, EraseFrom, MergeAction, Session, Statement, TransactionOption,
};

pub use crate::ast::{FrameExclude, FrameUnit};
use crate::{
    ast::{ExplainOptions, Name, ParamName, TransactionModes},
    span::Span,
};
use spectradb_kernel::{Column, Type, Value, agg::Aggregate, func::Function, schema::TableSchema};
use std::sync::Arc;

/// A typed expression over the columns of its input node.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it computes.
    pub kind: ExprKind,
    /// The type of its value.
    pub ty: Type,
    /// May it be NULL? `false` is proven.
    pub nullable: bool,
    /// The SQL that it comes from.
    pub span: Span,
}

/// The shapes of an expression. Arithmetic, comparison, NOT, IS NULL, LIKE and casts are calls.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A column of the input, by position.
    Column(usize),
    /// A parameter of the statement, by position in [`Plan::params`].
    Param(usize),
    /// A value that is fixed when the statement starts.
    Context(Context),
    /// A constant of the expression's type, or NULL.
    Const(Value),
    /// A function's value. A NUMERIC result has the scale of `ty`.
    Call {
        /// Which function.
        function: &'static Function,
        /// Its arguments, of exactly its classes.
        args: Vec<Expr>,
    },
    /// Three-valued conjunction: an arm is evaluated only for rows that earlier arms leave open.
    And(Vec<Expr>),
    /// Three-valued disjunction, likewise.
    Or(Vec<Expr>),
    /// The value of the first arm whose condition is true. Conditions and values are evaluated only for rows they decide.
    Case {
        /// Conditions and values.
        arms: Vec<(Expr, Expr)>,
        /// The value where no condition is true; NULL where there is none.
        otherwise: Option<Box<Expr>>,
    },
    /// A subplan's result; it is run once, before the node that holds the expression, and does not depend on its rows.
    Subplan {
        /// Which of [`QueryPlan::subplans`].
        subplan_idx: usize,
        /// What is asked of it.
        ask: SubplanAsk,
        /// What the subplan calls [`ExprKind::Outer`]. Only while a statement is bound: in a checked plan there is none.
        args: Vec<Expr>,
    },
    /// An argument of the subplan that the expression belongs to. Only while a statement is bound: `bind::unnest` makes
    /// joins of subplans that have arguments.
    Outer(usize),
}

/// A value that is fixed when the statement starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// `now()`: TIMESTAMP, fixed for the transaction.
    Now,
    /// `current_commit()`: INTEGER, the newest commit the transaction sees.
    CurrentCommit,
    /// The session's settings: JSON, an object of their values by name, fixed when the statement starts.
    Settings,
}

/// What an expression asks of a subplan.
#[derive(Clone, Debug, PartialEq)]
pub enum SubplanAsk {
    /// Its one column of its one row; NULL when there is no row, an error (21000) when there are more.
    Scalar,
    /// Does it have a row?
    Exists,
    /// Is the needle among its one column's values, three-valued?
    In(Box<Expr>),
    /// Is the condition, over the subplan's fields and the arguments, true of a row, three-valued? Only while a statement is
    /// bound: it becomes a join.
    Any(Box<Expr>),
}

/// A column that a node gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name, for output and display.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// May it be NULL?
    pub nullable: bool,
}

/// An operator with what it gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it does.
    pub kind: NodeKind,
    /// The columns it gives, in order.
    pub fields: Vec<Field>,
}

/// The operators.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeKind {
    /// Facts of a table.
    Scan(Box<Scan>),
    /// Rows of expressions that depend on no column. One row without columns stands for a missing FROM.
    Values {
        /// The rows.
        rows: Vec<Vec<Expr>>,
    },
    /// Many rows of constants, by columns, one for each field.
    Constants {
        /// The columns.
        columns: Vec<Column>,
        /// How many rows.
        row_count: usize,
    },
    /// Rows that the statement around hands in: the facts it is about to change, or has changed.
    Given {
        /// The rows that RETURNING gave of that change of [`Statement::With`], where it is not the statement's own facts.
        change: Option<usize>,
        /// Which of their columns, one for each field.
        columns: Vec<usize>,
    },
    /// The rows of a subplan that is computed once, whoever reads it how often.
    Shared {
        /// Which of [`QueryPlan::subplans`].
        subplan_idx: usize,
        /// Which of its columns, one for each field.
        columns: Vec<usize>,
    },
    /// The rows for which the predicate is true.
    Filter {
        /// Whose rows.
        input: Box<Node>,
        /// A BOOLEAN.
        predicate: Expr,
    },
    /// Computed columns.
    Project {
        /// Whose rows.
        input: Box<Node>,
        /// One for each field.
        exprs: Vec<Expr>,
    },
    /// Pairs of rows: the left fields, then the right ones.
    Join(Box<Join>),
    /// One row a group: the group expressions, then the aggregates. Without group expressions there is always one row.
    Aggregate {
        /// Whose rows.
        input: Box<Node>,
        /// What makes a group; NULLs are equal.
        group: Vec<Expr>,
        /// What is folded.
        aggregates: Vec<AggregateCall>,
    },
    /// The input's columns, then one for each window call.
    Window {
        /// Whose rows.
        input: Box<Node>,
        /// The calls.
        calls: Vec<WindowCall>,
    },
    /// The rows in order; equal rows keep theirs.
    Sort {
        /// Whose rows.
        input: Box<Node>,
        /// First key first.
        keys: Vec<SortKey>,
    },
    /// Some rows of an order.
    Limit {
        /// Whose rows.
        input: Box<Node>,
        /// At most so many (INTEGER, no column); NULL or absent: all. Negative is an error (2201W).
        limit: Option<Expr>,
        /// After so many (INTEGER, no column); NULL or absent: none. Negative is an error (2201X).
        offset: Option<Expr>,
    },
    /// Each distinct row once; NULLs are equal.
    Distinct {
        /// Whose rows.
        input: Box<Node>,
    },
    /// All rows of one input after another; the inputs' types agree.
    UnionAll {
        /// Whose rows.
        inputs: Vec<Node>,
    },
    /// INTERSECT or EXCEPT of rows whose types agree, NULLs being equal, in the order of the left input.
    SetOp {
        /// INTERSECT? Else EXCEPT.
        intersect: bool,
        /// Does a row count as often as it comes?
        all: bool,
        /// The left input.
        left: Box<Node>,
        /// The right input.
        right: Box<Node>,
    },
    /// The distinct values of [`Join::bindings`] of the nearest join around it that has some, from within its right side.
    Bindings,
    /// A recursive query.
    Recursion(Box<Recursion>),
    /// The rows that the last round of a recursion gave.
    Working {
        /// Which recursion around it.
        recursion: usize,
    },
    /// For each row of the input its columns and, one after another, the values from one bound to the other.
    Series {
        /// Whose rows.
        input: Box<Node>,
        /// The first value: INTEGER.
        from: Expr,
        /// The last one: INTEGER.
        to: Expr,
        /// The distance, not 0: INTEGER.
        step: Expr,
    },
}

/// A recursive query: the rows of the base, then those of the step over them, then those of the step over these, until a
/// round gives no new row.
#[derive(Clone, Debug, PartialEq)]
pub struct Recursion {
    /// Its name among the statement's recursions.
    pub id: usize,
    /// Where it begins.
    pub base: Node,
    /// What follows from the rows of the last round, which [`NodeKind::Working`] gives.
    pub step: Node,
    /// UNION: does a row count once?
    pub distinct: bool,
    /// Where it stands.
    pub span: Span,
}

/// Facts of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// The table, in the version that names were bound in.
    pub table: Arc<TableSchema>,
    /// What it is called in the query, for display.
    pub alias: String,
    /// The columns it gives, one for each field.
    pub columns: Vec<ScanColumn>,
    /// Which part of system time.
    pub system: SystemScope,
    /// Which part of valid time.
    pub valid: ValidScope,
    /// Which keys.
    pub keys: KeyAccess,
    /// Comparisons that every wanted row satisfies: only to skip blocks; the filter stands in the plan as well.
    pub predicates: Vec<ScanPredicate>,
}

/// A column that a scan gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScanColumn {
    /// A column of the table by position in its schema.
    Data(usize),
    /// `_commit`
    Commit,
    /// The commit a leftover was cut from, or its own.
    Origin,
    /// `_system_from`
    SystemFrom,
    /// `_system_to`
    SystemTo,
    /// The commit that superseded it, or the greatest INTEGER.
    CommitTo,
    /// `_valid_from`
    ValidFrom,
    /// `_valid_to`
    ValidTo,
}

/// A part of system time. A point is an INTEGER (a commit) or a TIMESTAMP expression without columns.
#[derive(Clone, Debug, PartialEq)]
pub enum SystemScope {
    /// What the transaction sees.
    Latest,
    /// After a commit, or at an instant.
    AsOf(Expr),
    /// `[from, to)`; with `to_included` `[from, to]`.
    Range {
        /// Where it begins.
        from: Expr,
        /// Where it ends.
        to: Expr,
        /// `BETWEEN`?
        to_included: bool,
    },
    /// All versions.
    All,
}

/// A part of valid time. Points are TIMESTAMP expressions without columns.
#[derive(Clone, Debug, PartialEq)]
pub enum ValidScope {
    /// True at an instant; `now()` where nothing is said.
    At(Expr),
    /// True at some instant of `[from, to)`; with `to_included` `[from, to]`.
    Range {
        /// Where it begins.
        from: Expr,
        /// Where it ends.
        to: Expr,
        /// `BETWEEN`?
        to_included: bool,
    },
    /// All.
    All,
}

/// Which keys a scan reads. Expressions have no column and the type of their key column.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a plan has one for each scan, and nobody moves it about")]
pub enum KeyAccess {
    /// Every key.
    All,
    /// Whole keys: each a tuple in key order. A tuple with a NULL names no key; an array of the key column's type stands for
    /// each of its elements.
    Exact(Vec<Vec<Expr>>),
    /// Keys that begin with `prefix`, and whose next column lies between the bounds.
    Range {
        /// The first columns of the key.
        prefix: Vec<Expr>,
        /// The next column from here on.
        low: Option<KeyBound>,
        /// The next column up to here.
        high: Option<KeyBound>,
    },
}

/// An end of a key range.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyBound {
    /// The value.
    pub value: Expr,
    /// Does it belong to the range?
    pub included: bool,
}

/// A comparison of a column with an expression without columns.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanPredicate {
    /// The column by position in the schema.
    pub column_idx: usize,
    /// The comparison, column on the left.
    pub op: CompareOp,
    /// The other side, of the column's type.
    pub value: Expr,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `=`
    Eq,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// Pairs of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// Which rows without a partner stay. Never `Cross`: that is `Inner` without a condition.
    pub kind: JoinKind,
    /// The left side.
    pub left: Node,
    /// The right side.
    pub right: Node,
    /// Equal pairs: an expression over the left fields and one over the right, of one type; NULL matches nothing.
    pub keys: Vec<(Expr, Expr)>,
    /// Likewise, but NULL matches NULL.
    pub same: Vec<(Expr, Expr)>,
    /// A point or a period of one side meets one of the other: looked up, not searched.
    pub period: Option<PeriodMatch>,
    /// What else a pair must satisfy: over left fields, then right fields.
    pub residual: Option<Expr>,
    /// Over the left fields: what the right side may ask for the distinct values of, by [`NodeKind::Bindings`].
    pub bindings: Vec<Expr>,
}

impl Join {
    /// A join by a condition alone.
    pub fn on(kind: JoinKind, left: Node, right: Node, residual: Option<Expr>) -> Join {
        let (keys, same, bindings) = (Vec::new(), Vec::new(), Vec::new());
        Join { kind, left, right, keys, same, period: None, residual, bindings }
    }
}

/// `from <= until AND since < to`, of values in the lane of 64-bit integers, where each comparison may include the case that both
/// are equal or not; NULL matches nothing. A point that lies in a period is both `since` and `until`.
#[derive(Clone, Debug, PartialEq)]
pub struct PeriodMatch {
    /// Over the left fields.
    pub since: Expr,
    /// Over the left fields.
    pub until: Expr,
    /// Over the right fields.
    pub from: Expr,
    /// Over the right fields.
    pub to: Expr,
    /// How the ends are compared.
    pub ends: PeriodEnds,
}

/// How the ends of a [`PeriodMatch`] are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodEnds {
    /// `from <= until`, not `from < until`.
    pub from_included: bool,
    /// `since <= to`, not `since < to`.
    pub to_included: bool,
    /// `since IS NULL OR since < to`: a side whose ends may be missing is asked about points of the other.
    pub open_since: bool,
    /// `until IS NULL OR from <= until`
    pub open_until: bool,
    /// `from IS NULL OR from <= until`
    pub open_from: bool,
    /// `to IS NULL OR since < to`
    pub open_to: bool,
}

/// Which rows without a partner a join keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// None.
    Inner,
    /// Those of the left.
    Left,
    /// Those of the right.
    Right,
    /// All.
    Full,
    /// The left fields only: rows that have a partner, once.
    Semi,
    /// The left fields only: rows that have no partner.
    Anti,
}

impl JoinKind {
    /// Does it give the right fields?
    pub fn gives_right(self) -> bool {
        match self {
            JoinKind::Inner | JoinKind::Left | JoinKind::Right | JoinKind::Full => true,
            JoinKind::Semi | JoinKind::Anti => false,
        }
    }
}

/// An aggregate of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateCall {
    /// Which.
    pub aggregate: &'static Aggregate,
    /// Of what; none for `count(*)`.
    pub arg: Option<Expr>,
    /// Its further arguments.
    pub more: Vec<Expr>,
    /// Of distinct values only?
    pub distinct: bool,
    /// The order in which rows are folded; as they come where there is none.
    pub order: Vec<SortKey>,
    /// The result's type.
    pub ty: Type,
    /// Where it stands.
    pub span: Span,
}

/// A window function over the rows of its partition.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowCall {
    /// Which.
    pub function: WindowFunction,
    /// Its partition's key; NULLs are equal.
    pub partition: Vec<Expr>,
    /// The order within the partition.
    pub order: Vec<SortKey>,
    /// The rows around a row that an aggregate and the functions of values see.
    pub frame: Frame,
    /// The result's type.
    pub ty: Type,
    /// May it be NULL?
    pub nullable: bool,
    /// Where it stands.
    pub span: Span,
}

/// The window functions.
#[derive(Clone, Debug, PartialEq)]
pub enum WindowFunction {
    /// `row_number()`
    RowNumber,
    /// `rank()`
    Rank,
    /// `dense_rank()`
    DenseRank,
    /// `lag(value, offset, default)`: the value so many rows before (`lead`: after, the offset negated by the binder's flag).
    Shift {
        /// What.
        value: Box<Expr>,
        /// How many rows; an INTEGER.
        offset: Box<Expr>,
        /// The value outside the partition, of the same type; NULL where none.
        default: Option<Box<Expr>>,
        /// `lead`?
        forward: bool,
    },
    /// An aggregate over the frame.
    Aggregate {
        /// Which.
        aggregate: &'static Aggregate,
        /// Of what.
        arg: Option<Box<Expr>>,
        /// Its further arguments.
        more: Vec<Expr>,
    },
    /// `ntile(count)`: which of so many parts; an INTEGER.
    Ntile(Box<Expr>),
    /// `percent_rank()`
    PercentRank,
    /// `cume_dist()`
    CumeDist,
    /// `first_value(value)`: of the frame.
    FirstValue(Box<Expr>),
    /// `last_value(value)`: of the frame.
    LastValue(Box<Expr>),
    /// `nth_value(value, n)`: of the frame; an INTEGER.
    NthValue {
        /// What.
        value: Box<Expr>,
        /// Which row of the frame, from 1.
        n: Box<Expr>,
    },
}

/// The rows around a row that a window function sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// What its bounds count in.
    pub unit: FrameUnit,
    /// Where it begins.
    pub start: FrameBound,
    /// Where it ends.
    pub end: FrameBound,
    /// What it leaves out.
    pub exclude: FrameExclude,
}

/// A bound of a frame. Of ROWS and GROUPS it is an INTEGER that is the same for all rows; of RANGE the value that the order's
/// one key has at the edge, computed from the current row.
#[derive(Clone, Debug, PartialEq)]
pub enum FrameBound {
    /// The partition's first row.
    UnboundedPreceding,
    /// Before the current row.
    Preceding(Box<Expr>),
    /// The current row; of RANGE and GROUPS its peers.
    CurrentRow,
    /// Behind the current row.
    Following(Box<Expr>),
    /// The partition's last row.
    UnboundedFollowing,
}

impl Frame {
    /// From the partition's start to the current row's last peer.
    pub fn running() -> Frame {
        Frame {
            unit: FrameUnit::Range,
            start: FrameBound::UnboundedPreceding,
            end: FrameBound::CurrentRow,
            exclude: FrameExclude::NoOthers,
        }
    }
}

/// A key of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct SortKey {
    /// What.
    pub expr: Expr,
    /// Largest first?
    pub descending: bool,
    /// NULLs first?
    pub nulls_first: bool,
}

/// A query with the subplans its expressions ask.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryPlan {
    /// The operators.
    pub root: Node,
    /// Run once each, in order; a subplan asks only earlier ones.
    pub subplans: Vec<Node>,
}

/// A parameter of a statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// How it is written.
    pub name: ParamName,
    /// The type that its use demands.
    pub ty: Type,
    /// Where it is first used.
    pub span: Span,
    /// Is it a point of system time and nothing else? Then its type is INTEGER, a commit, and an instant may be given for it.
    pub point: bool,
}

/// A bound statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What to do.
    pub statement: Statement,
    /// The parameters, `$1` first; named ones in order of appearance.
    pub params: Vec<Param>,
    /// The catalogue's version that it was bound under.
    pub catalog_version: u64,
    /// The largest number of rows a query can give, where that is known: 1 for a whole key at one valid instant.
    pub cardinality: Cardinality,
    /// Does it depend on the session's time zone? A plan that does is of the zone that it was bound in.
    pub zoned: bool,
}

/// How many rows a query gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// Exactly one: an ungrouped aggregate.
    One,
    /// One or none: a whole key at one instant of both times, `LIMIT 1`.
    AtMostOne,
    /// Any number.
    Many,
}
