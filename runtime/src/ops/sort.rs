//! In which order do rows come?

use super::Given;
use spectradb_kernel::key::SortOrder;

/// An order and what it gives.
#[derive(Clone, Debug, PartialEq)]
pub struct SortSpec {
    /// First key first.
    pub keys: Vec<SortColumn>,
    /// The columns that it gives.
    pub out: Vec<Given>,
    /// So many rows are wanted of the order, where a limit stands right above it.
    pub row_count_max: Option<u64>,
}

/// A key of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortColumn {
    /// A column of the input.
    pub column_idx: usize,
    /// Its direction, and where NULLs go.
    pub order: SortOrder,
}
