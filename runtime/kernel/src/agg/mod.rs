//! Which aggregates are there, and how does each fold rows?
//!
//! Contract. An accumulator holds the state of every group of one aggregate and folds rows in the order they come: a
//! float sum has one defined order, whoever computes it. DISTINCT is not its business: the operator feeds it distinct
//! rows.

use crate::{
    column::Column,
    func::RowFault,
    ty::{Type, TypeClass},
};
use std::fmt;

/// Folds the rows of many groups.
pub trait Accumulator: Send {
    /// Makes room for groups `0..group_count`; new ones are empty.
    fn resize(&mut self, group_count: usize);

    /// Folds a batch: row `i` belongs to group `groups[i]`. `arg` is absent for `count(*)` and has `groups.len()` rows
    /// otherwise.
    ///
    /// # Errors
    /// The row that passed the result's range.
    fn update(&mut self, groups: &[u32], arg: Option<&Column>) -> Result<(), RowFault>;

    /// Folds a batch whose rows all belong to group 0.
    ///
    /// # Errors
    /// As [`Accumulator::update`].
    fn update_all(&mut self, row_count: usize, arg: Option<&Column>) -> Result<(), RowFault>;

    /// The results of groups `0..group_count`, of the aggregate's result type. Nothing is forgotten: more rows may follow,
    /// and it may be asked again (a window does, after each row and its peers).
    ///
    /// # Errors
    /// A result that does not fit its type, with the group as its row.
    fn finish(&mut self) -> Result<Column, RowFault>;
}

/// An aggregate function.
pub struct Aggregate {
    /// The SQL name in lower case.
    pub name: &'static str,
    /// The class of its argument; `None` is `count(*)`.
    pub arg: Option<TypeClass>,
    /// The type of its result for an argument's type (which is ignored by `count`).
    pub ret: fn(Type) -> Type,
    /// Is the result of an empty group NULL (all but `count`)?
    pub null_when_empty: bool,
    /// A fresh accumulator for an argument's type (for `count(*)` any type).
    pub accumulator: fn(Type) -> Box<dyn Accumulator>,
    /// One line for the generated reference.
    pub doc: &'static str,
}

impl PartialEq for Aggregate {
    fn eq(&self, other: &Aggregate) -> bool {
        self.name == other.name && self.arg == other.arg
    }
}

impl fmt::Debug for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.arg {
            Some(arg) => write!(f, "{}({arg})", self.name),
            None => write!(f, "{}(*)", self.name),
        }
    }
}
