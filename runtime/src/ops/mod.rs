//! Which operators carry out a query, and what travels between them?
//!
//! An operator is a [`Source`]: it is asked for batch after batch until there is none. Operators know nothing of SQL or of
//! the plan: they are told column positions in small spec structs, and whatever has to be *computed* between two of them
//! (a filter, projections, join keys, group keys, arguments of aggregates, sort keys) is computed by an [`Eval`], one
//! call for one batch. The interpreter implements `Eval` by walking expressions over vectors, generated code by a typed
//! loop; the operators are the same for both, so that the two cannot drift apart.
//!
//! The convention between an operator and the `Eval` beneath it: computed columns are appended behind the columns that
//! the operator passes on, and the spec's `out` names those that it gives.
//!
//! Holds: an operator never gives an empty batch; a batch holds at most [`Tuning::batch_rows`] rows where the operator
//! builds it itself; rows come in an order that depends on the order of the input only (groups and distinct rows by
//! first appearance, pairs of a join by left row and then right row), whatever the size of batches. A fault comes when its
//! row does: rows before it are given first (`pipe`), so who has enough of them (LIMIT, EXISTS) never meets it.
//!
//! Not here: expressions (`crate::interp`, generated code), reading files (`spectradb_store`), writing.

mod aggregate;
mod asked;
mod budget;
mod distinct;
mod error;
mod groups;
mod hash_join;
mod in_set;
mod keys;
mod limit;
mod pipe;
mod recursion;
mod rows;
mod scan;
mod scope;
mod series;
mod set_op;
mod sort;
mod tee;
#[cfg(test)]
pub(crate) mod testing;
mod union;
mod values;
mod window;
mod window_frame;

pub use aggregate::{AggregateCallSpec, AggregateSpec, HashAggregate};
pub use asked::{NoAnswer, asked};
pub use budget::{Budget, Cancellation, Held, Interrupt};
pub use distinct::Distinct;
pub use error::{ExecError, Place, WindowNumber};
pub use hash_join::{HashJoin, JoinKind, JoinSpec, PeriodColumns};
pub use in_set::InSet;
pub use keys::{exact_keys, key_range, no_keys};
pub use limit::{Limit, row_window};
pub use pipe::Pipe;
pub use recursion::{Recursion, RecursionSpec, Working};
pub use scan::{Reads, Scan, TableReader, TableScan, open};
pub use scope::{Scope, ScopeReader, valid_at, valid_range};
pub use series::{Series, SeriesSpec};
pub use set_op::{SetOp, SetOpSpec};
pub use sort::{Sort, SortColumn, SortSpec};
use std::sync::Arc;
pub use tee::{Once, Replay, Tee};
pub use union::UnionAll;
pub use values::Values;
pub use window::{Window, WindowCallSpec, WindowFunction, WindowSpec};
pub use window_frame::{Frame, FrameBound, FrameExclude, FrameUnit};

use spectradb_kernel::{Batch, Type, batch::BATCH_ROWS};

/// Gives batches of rows until there are none.
pub trait Source: Send {
    /// The next batch, never an empty one; `None` after the last, and then for ever.
    ///
    /// # Errors
    /// What reading or computing met. After an error nothing more may be asked.
    fn next(&mut self) -> Result<Option<Batch>, ExecError>;

    /// Begins again: what comes next is what the inputs give from now on. Recursions run their step so, round by round.
    ///
    /// # Errors
    /// As [`Source::next`].
    fn rewind(&mut self) -> Result<(), ExecError>;

    /// Does it give the same rows after every rewind, so that what was made of them can be kept?
    fn is_fixed(&self) -> bool {
        false
    }

    /// Is it known that what comes next is an error? Who wants all rows need not look at those before it. An operator that
    /// does not know says no.
    fn fails_next(&self) -> bool {
        false
    }
}

/// An operator that another one owns.
pub type BoxSource = Box<dyn Source>;

/// One stage of a pipeline: an optional filter and the computed columns, for one batch in one call.
pub trait Eval: Send {
    /// The stage's columns for the rows of `input` that its filter lets through, in their order.
    ///
    /// `input` may carry a selection, and so may the answer: [`Batch::column`] applies it. The answer may be empty.
    ///
    /// # Errors
    /// The fault of the first row that decides it, placed at the call that met it.
    fn eval(&mut self, input: &Batch) -> Result<Batch, ExecError>;
}

/// A stage that an operator owns.
pub type BoxEval = Box<dyn Eval>;

/// How operators work; it never changes what they answer, only whether they do.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// At most so many rows in a batch that an operator builds, at least 1.
    pub batch_rows: usize,
    /// What the statement may use.
    pub budget: Budget,
    /// The session's settings, as an object of JSON.
    pub settings: Arc<str>,
}

impl Default for Tuning {
    fn default() -> Tuning {
        Tuning::of_rows(BATCH_ROWS)
    }
}

impl Tuning {
    /// Batches of so many rows, and no limits.
    pub fn of_rows(batch_rows: usize) -> Tuning {
        Tuning { batch_rows, budget: Budget::default(), settings: "{}".into() }
    }
}

/// A column of an operator's input with its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// The position in the input.
    pub column_idx: usize,
    /// The type.
    pub ty: Type,
}
