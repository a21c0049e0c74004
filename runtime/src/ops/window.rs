//! What does a row see of the rows around it?

use super::{Given, Place, SortColumn};
use spectradb_kernel::{Type, agg::Aggregate};

/// Window functions over one input.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowSpec {
    /// The columns of the input that it gives, first.
    pub out: Vec<Given>,
    /// Each gives a column, behind them.
    pub calls: Vec<WindowCallSpec>,
}

/// One window function.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowCallSpec {
    /// Which.
    pub function: WindowFunction,
    /// Columns that make a partition; NULLs are equal.
    pub partition: Vec<usize>,
    /// The order within the partition.
    pub order: Vec<SortColumn>,
    /// The result's type.
    pub ty: Type,
    /// Where it stands.
    pub place: Place,
}

/// The window functions, with columns of the input as arguments.
#[derive(Clone, Debug, PartialEq)]
pub enum WindowFunction {
    /// `row_number()`
    RowNumber,
    /// `rank()`
    Rank,
    /// `dense_rank()`
    DenseRank,
    /// `lag` and `lead`: the value so many rows away; the default, or NULL, outside the partition; NULL where the offset is.
    Shift {
        /// What.
        value: usize,
        /// How many rows; an INTEGER.
        offset: usize,
        /// The value outside the partition.
        default: Option<usize>,
        /// `lead`?
        forward: bool,
    },
    /// An aggregate over the default frame: with an order from the partition's start to the last peer of the row, without
    /// one the whole partition.
    Aggregate {
        /// Which.
        aggregate: &'static Aggregate,
        /// The column that is its argument; none for `count(*)`.
        arg: Option<Given>,
    },
}
