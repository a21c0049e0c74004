//! What do INSERT, UPDATE, DELETE and MERGE say?
//!
//! Part of the contract of [`ast`](super).

use super::{Cte, Expr, Name, Query, SelectItem, Subscript, TableRef};
use crate::span::Span;

/// `[WITH ..] INSERT INTO t [AS alias] [(columns)] [VALID FROM a [TO b]] source [VALID FROM a [TO b]] [ON CONFLICT ..]
/// [RETURNING ..]`; the period may stand before or after the source, once.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    /// `WITH` parts, in order.
    pub with: Vec<Cte>,
    /// The table.
    pub table: Name,
    /// Its alias, for `ON CONFLICT` and `RETURNING`.
    pub alias: Option<Name>,
    /// The columns named, or none.
    pub columns: Vec<Name>,
    /// The part of each column that is given; none where all columns are given whole.
    pub subscripts: Vec<Vec<Subscript>>,
    /// Rows from a query or `VALUES`; `None` is `DEFAULT VALUES`.
    pub source: Option<Query>,
    /// `VALID FROM a [TO b]`
    pub valid: Option<ValidPeriod>,
    /// `ON CONFLICT`
    pub on_conflict: Option<OnConflict>,
    /// `RETURNING`
    pub returning: Option<Returning>,
}

/// `ON CONFLICT [(columns)] DO NOTHING | DO UPDATE SET .. [WHERE ..]`
#[derive(Clone, Debug, PartialEq)]
pub struct OnConflict {
    /// The columns that clash: the key's. `None` where nothing is said.
    pub target: Option<(Vec<Name>, Span)>,
    /// `DO UPDATE`; `None` is `DO NOTHING`.
    pub update: Option<ConflictUpdate>,
    /// Where it stands.
    pub span: Span,
}

/// `DO UPDATE SET a = x [WHERE ..]`
#[derive(Clone, Debug, PartialEq)]
pub struct ConflictUpdate {
    /// `SET column = expr`
    pub assignments: Vec<Assignment>,
    /// `WHERE`
    pub filter: Option<Expr>,
}

/// `column = x`, `column[1] = x`, `column[1:2] = DEFAULT`
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// The column.
    pub column: Name,
    /// What stands in brackets behind it.
    pub subscripts: Vec<Subscript>,
    /// What it becomes; `DEFAULT` is `None`.
    pub value: Option<Expr>,
}

/// `RETURNING items`
#[derive(Clone, Debug, PartialEq)]
pub struct Returning {
    /// What is given of each row.
    pub items: Vec<SelectItem>,
    /// Where it stands.
    pub span: Span,
}

/// `VALID FROM a [TO b]`, `FOR PORTION OF VALID_TIME FROM a TO b`
#[derive(Clone, Debug, PartialEq)]
pub struct ValidPeriod {
    /// Where it begins.
    pub from: Expr,
    /// Where it ends; infinity where nothing is said.
    pub to: Option<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// Which facts an UPDATE or DELETE sees and how much of each it changes.
#[derive(Clone, Debug, PartialEq)]
pub enum Portion {
    /// Facts valid now, their whole period.
    Current,
    /// `FOR PORTION OF VALID_TIME FROM a TO b`
    Period(ValidPeriod),
    /// `FOR VALID_TIME ALL`
    All(Span),
}

/// `[WITH ..] UPDATE t [portion] [[AS] alias] SET a = x [FROM ..] [WHERE ..] [RETURNING ..]`
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// `WITH` parts, in order.
    pub with: Vec<Cte>,
    /// The table.
    pub table: Name,
    /// Its alias.
    pub alias: Option<Name>,
    /// Which part of valid time.
    pub portion: Portion,
    /// `SET column = expr`
    pub assignments: Vec<Assignment>,
    /// `FROM` items
    pub from: Vec<TableRef>,
    /// `WHERE`
    pub filter: Option<Expr>,
    /// `RETURNING`
    pub returning: Option<Returning>,
}

/// `[WITH ..] DELETE FROM t [portion] [[AS] alias] [USING ..] [WHERE ..] [RETURNING ..]`
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// `WITH` parts, in order.
    pub with: Vec<Cte>,
    /// The table.
    pub table: Name,
    /// Its alias.
    pub alias: Option<Name>,
    /// Which part of valid time.
    pub portion: Portion,
    /// `USING` items
    pub using: Vec<TableRef>,
    /// `WHERE`
    pub filter: Option<Expr>,
    /// `RETURNING`
    pub returning: Option<Returning>,
}

/// `[WITH ..] MERGE INTO t [portion] [[AS] alias] USING source ON condition WHEN .. [RETURNING ..]`
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    /// `WITH` parts, in order.
    pub with: Vec<Cte>,
    /// The table.
    pub table: Name,
    /// Its alias.
    pub alias: Option<Name>,
    /// Which part of valid time.
    pub portion: Portion,
    /// What is merged into it.
    pub source: TableRef,
    /// Which rows belong together.
    pub on: Expr,
    /// What becomes of them: the first that fits.
    pub whens: Vec<MergeWhen>,
    /// `RETURNING`
    pub returning: Option<Returning>,
}

/// `WHEN [NOT] MATCHED [BY SOURCE | BY TARGET] [AND condition] THEN action`
#[derive(Clone, Debug, PartialEq)]
pub struct MergeWhen {
    /// Of which rows it speaks.
    pub rows: MergeRows,
    /// `AND condition`
    pub condition: Option<Expr>,
    /// What it does.
    pub action: MergeAction,
    /// Where it stands.
    pub span: Span,
}

/// Of which rows a `WHEN` of a MERGE speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeRows {
    /// `MATCHED`
    Matched,
    /// `NOT MATCHED [BY TARGET]`: of the source, without a partner.
    OfSource,
    /// `NOT MATCHED BY SOURCE`: of the table, without a partner.
    OfTarget,
}

/// What a `WHEN` of a MERGE does.
#[derive(Clone, Debug, PartialEq)]
pub enum MergeAction {
    /// `UPDATE SET a = x` (`DEFAULT` is `None`)
    Update(Vec<Assignment>),
    /// `DELETE`
    Delete,
    /// `INSERT [(columns)] [VALID FROM ..] VALUES (..) | DEFAULT VALUES`
    Insert {
        /// The columns named, or none.
        columns: Vec<Name>,
        /// The row; `None` is `DEFAULT VALUES`.
        values: Option<Vec<Expr>>,
        /// `VALID FROM a [TO b]`
        valid: Option<Box<ValidPeriod>>,
    },
    /// `DO NOTHING`
    Nothing,
}
