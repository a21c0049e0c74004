//! What can be asked of a table?
//!
//! Contract. A scan returns batches in no promised order; which facts it returns is exactly what scope and key range say,
//! while block predicates only let it skip blocks that cannot hold a matching row: rows that do not match may come back.

mod ahead;
mod counts;
mod exec;
mod pseudo;
mod range;

pub(crate) use counts::ScanCounts;
pub use counts::ScanStats;
pub use exec::Scan;

use spectradb_kernel::{
    Period, Value,
    schema::TableId,
    time::{Commit, Micros},
};

/// What to read.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanSpec {
    /// The table.
    pub table: TableId,
    /// The columns of the batches, in order; may be empty (counting rows).
    pub columns: Vec<ScanColumn>,
    /// Which keys.
    pub keys: KeyRange,
    /// Which part of system time.
    pub system: SystemScope,
    /// Which part of valid time.
    pub valid: ValidScope,
    /// What every wanted row satisfies.
    pub predicates: Vec<BlockPredicate>,
    /// At most so many rows a batch.
    pub batch_rows_max: usize,
}

/// A column that a scan can return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ScanColumn {
    /// A column of the table, by its position in the schema of the snapshot's catalogue. Facts written before the column
    /// was added read NULL.
    Data(usize),
    /// `_commit`: INTEGER.
    Commit,
    /// The commit a leftover was cut from, or its own commit: INTEGER.
    Origin,
    /// `_system_from`: TIMESTAMP, the instant of the fact's commit.
    SystemFrom,
    /// `_system_to`: TIMESTAMP, the instant of the commit that superseded it; infinity when none has, as far as the
    /// scope can know (under `AsOf(n)` a supersession after n is not known).
    SystemTo,
    /// INTEGER, the commit that superseded it, and `i64::MAX` when none has, as far as the scope can know.
    CommitTo,
    /// `_valid_from`: TIMESTAMP.
    ValidFrom,
    /// `_valid_to`: TIMESTAMP.
    ValidTo,
}

/// Which keys, as bytes of the codec in `spectradb_kernel::key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRange {
    /// Every key.
    All,
    /// These keys, sorted and distinct.
    Exact(Vec<Vec<u8>>),
    /// Keys between two bounds.
    Between {
        /// Where it begins.
        low: std::ops::Bound<Vec<u8>>,
        /// Where it ends.
        high: std::ops::Bound<Vec<u8>>,
    },
}

/// Which facts by system time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemScope {
    /// Those current after a commit: `commit <= at < system_to`.
    AsOf(Commit),
    /// Those current after some commit of `from..to` (half-open): `commit < to` and `from < system_to`.
    Between {
        /// The first commit.
        from: Commit,
        /// The commit after the last.
        to: Commit,
    },
    /// All that the snapshot knows.
    All,
}

/// Which facts by valid time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidScope {
    /// Those true at an instant.
    At(Micros),
    /// Those true at some instant of a period.
    Overlaps(Period),
    /// All.
    All,
}

/// A comparison with a constant that every wanted row satisfies.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockPredicate {
    /// The column, by position in the schema.
    pub column_idx: usize,
    /// The comparison: column on the left.
    pub op: BlockOp,
    /// The constant, of the column's type, not NULL.
    pub value: Value,
}

/// How a column is compared with a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockOp {
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
