//! What do the rows of each group fold to?

use super::{Given, Place};
use spectradb_kernel::{Type, agg::Aggregate};

/// What makes a group and what is folded.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateSpec {
    /// Columns that make a group, NULLs being equal; without one there is always one row. They are given first.
    pub group: Vec<Given>,
    /// What is folded; given behind the group's columns.
    pub calls: Vec<AggregateCallSpec>,
}

/// One aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateCallSpec {
    /// Which.
    pub aggregate: &'static Aggregate,
    /// The column that is its argument; none for `count(*)`.
    pub arg: Option<Given>,
    /// Of distinct values only?
    pub distinct: bool,
    /// The result's type.
    pub ty: Type,
    /// Where it stands.
    pub place: Place,
}
