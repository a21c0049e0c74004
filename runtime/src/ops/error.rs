//! What can go wrong while a query runs, and how is it told?
//!
//! A variant carries data; [`ExecError::code`] gives the SQLSTATE, `Display` the message, [`ExecError::place`] the spot in
//! the SQL and [`ExecError::help`] a next step. A leaf function says only which row met which fault; the
//! place is added here, once for both executors.
//!
//! Not here: errors of the language (`spectradb_grammar::diag`) and of the store, which is passed through.

use spectradb_kernel::{
    func::{Fault, RowFault},
    time::{Commit, Timestamp},
};
use spectradb_store::error::StoreError;
use std::{fmt, time::Duration};

/// A range of bytes of the SQL text, as the plan's spans give it; operators do not know the language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

/// A query stopped.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExecError {
    /// A function or an aggregate has no answer for a row.
    Row {
        /// What, and for which arguments.
        fault: Box<RowFault>,
        /// The call.
        place: Place,
    },
    /// A subquery that stands for one value gave more than one row.
    ManyRows {
        /// The subquery.
        place: Place,
    },
    /// The number of a LIMIT is negative.
    NegativeLimit {
        /// The number.
        rows: i64,
        /// The expression.
        place: Place,
    },
    /// The number of an OFFSET is negative.
    NegativeOffset {
        /// The number.
        rows: i64,
        /// The expression.
        place: Place,
    },
    /// A point of system or valid time is NULL.
    NullPoint {
        /// `system` or `valid`.
        axis: &'static str,
        /// The expression.
        place: Place,
    },
    /// A commit number below zero.
    NegativeCommit {
        /// The number.
        asked: i64,
        /// The expression.
        place: Place,
    },
    /// A commit that has not happened.
    FutureCommit {
        /// The number.
        asked: i64,
        /// The newest commit that the transaction sees.
        newest: Commit,
        /// The expression.
        place: Place,
    },
    /// An instant of system time that has not come.
    FutureInstant {
        /// The instant.
        asked: Timestamp,
        /// The transaction's `now()`.
        now: Timestamp,
        /// The expression.
        place: Place,
    },
    /// A range of either time that ends before it begins.
    ReversedRange {
        /// `system` or `valid`.
        axis: &'static str,
        /// Both expressions.
        place: Place,
    },
    /// Somebody cancelled the statement.
    Cancelled,
    /// The statement ran too long.
    TimedOut {
        /// So long it may run.
        timeout: Duration,
    },
    /// The statement would hold too much.
    OutOfMemory {
        /// So many bytes it would hold.
        bytes: u64,
        /// So many it may hold.
        bytes_max: u64,
    },
    /// A recursive query does not seem to end.
    Runaway {
        /// What was counted.
        what: &'static str,
        /// How many.
        count: u64,
        /// The recursion.
        place: Place,
    },
    /// A series with steps of 0.
    ZeroStep {
        /// The step.
        place: Place,
    },
    /// The number of a window function that must be positive, or of a frame that must not be negative.
    WindowNumber {
        /// Of what.
        of: WindowNumber,
        /// The call.
        place: Place,
    },
    /// The store failed.
    Store(StoreError),
    /// The store has no answer for a point of system time.
    StoreAt {
        /// Why.
        error: StoreError,
        /// The point.
        place: Place,
    },
}

/// The numbers that window functions are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowNumber {
    /// The parts of `ntile`.
    Ntile,
    /// The row of `nth_value`.
    NthValue,
    /// A bound of a frame.
    Frame,
}

impl ExecError {
    /// A row's fault, at the call that met it.
    pub fn row(fault: RowFault, place: Place) -> ExecError {
        ExecError::Row { fault: Box::new(fault), place }
    }

    /// The SQLSTATE. The store's errors are given theirs by the session, which knows them all.
    pub fn code(&self) -> &'static str {
        match self {
            ExecError::Row { fault, .. } => fault.sqlstate(),
            ExecError::ManyRows { .. } => "21000",
            ExecError::NegativeLimit { .. } => "2201W",
            ExecError::NegativeOffset { .. } => "2201X",
            ExecError::NullPoint { .. } => "22004",
            ExecError::NegativeCommit { .. }
            | ExecError::FutureCommit { .. }
            | ExecError::FutureInstant { .. }
            | ExecError::Store(StoreError::Future { .. })
            | ExecError::StoreAt { error: StoreError::Future { .. }, .. } => "22023",
            ExecError::ReversedRange { .. } => "22000",
            ExecError::Cancelled | ExecError::TimedOut { .. } => "57014",
            ExecError::OutOfMemory { .. } => "53200",
            ExecError::Runaway { .. } => "54001",
            ExecError::ZeroStep { .. } => "22023",
            ExecError::WindowNumber { of, .. } => match of {
                WindowNumber::Ntile => "22014",
                WindowNumber::NthValue => "22016",
                WindowNumber::Frame => "22013",
            },
            ExecError::Store(_) | ExecError::StoreAt { .. } => "58030",
        }
    }

    /// The spot in the SQL, where there is one.
    pub fn place(&self) -> Option<Place> {
        match self {
            ExecError::Row { place, .. }
            | ExecError::ManyRows { place }
            | ExecError::NegativeLimit { place, .. }
            | ExecError::NegativeOffset { place, .. }
            | ExecError::NullPoint { place, .. }
            | ExecError::NegativeCommit { place, .. }
            | ExecError::FutureCommit { place, .. }
            | ExecError::FutureInstant { place, .. }
            | ExecError::ReversedRange { place, .. }
            | ExecError::Runaway { place, .. }
            | ExecError::ZeroStep { place }
            | ExecError::StoreAt { place, .. }
            | ExecError::WindowNumber { place, .. } => Some(*place),
            ExecError::Cancelled | ExecError::TimedOut { .. } | ExecError::OutOfMemory { .. } | ExecError::Store(_) => {
                None
            }
        }
    }

    /// What to do about it, where we know.
    pub fn help(&self) -> Option<String> {
        match self {
            ExecError::ManyRows { .. } => Some("add a condition or LIMIT 1, or ask with IN".into()),
            ExecError::NullPoint { axis, .. } => {
                Some(format!("give a point, or leave the {axis}-time clause out to read the present"))
            }
            ExecError::NegativeCommit { .. } => Some("commits are numbered from 1; 0 is the empty database".into()),
            ExecError::FutureCommit { newest, .. } => Some(format!("the newest commit is {newest}")),
            ExecError::FutureInstant { now, .. } => Some(format!("now() is {now}")),
            ExecError::Runaway { .. } => Some(
                "let the recursive part come to an end: a WHERE that stops it, or UNION instead of UNION ALL for graphs \
                 with circles; LIMIT on the query that names it stops it, too"
                    .into(),
            ),
            ExecError::ReversedRange { .. } => Some("give the earlier point first".into()),
            ExecError::TimedOut { .. } => Some("SET statement_timeout TO a longer time, or to 0 for none".into()),
            ExecError::OutOfMemory { .. } => Some("SET memory_limit TO a larger size, or to 0 for none".into()),
            ExecError::Row { fault, .. } if fault.fault == Fault::DivisionByZero => {
                Some("nullif(divisor, 0) gives NULL instead".into())
            }
            ExecError::Row { .. }
            | ExecError::NegativeLimit { .. }
            | ExecError::NegativeOffset { .. }
            | ExecError::Cancelled
            | ExecError::ZeroStep { .. }
            | ExecError::WindowNumber { .. }
            | ExecError::StoreAt { .. }
            | ExecError::Store(_) => None,
        }
    }
}

impl From<StoreError> for ExecError {
    fn from(error: StoreError) -> ExecError {
        ExecError::Store(error)
    }
}

impl std::error::Error for ExecError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ExecError::Store(error) | ExecError::StoreAt { error, .. } => error.source(),
            ExecError::Row { .. }
            | ExecError::ManyRows { .. }
            | ExecError::NegativeLimit { .. }
            | ExecError::NegativeOffset { .. }
            | ExecError::NullPoint { .. }
            | ExecError::NegativeCommit { .. }
            | ExecError::FutureCommit { .. }
            | ExecError::FutureInstant { .. }
            | ExecError::Cancelled
            | ExecError::TimedOut { .. }
            | ExecError::OutOfMemory { .. }
            | ExecError::ReversedRange { .. }
            | ExecError::Runaway { .. }
            | ExecError::ZeroStep { .. }
            | ExecError::WindowNumber { .. } => None,
        }
    }
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExecError::Row { fault, .. } => fault.fmt(f),
            ExecError::ManyRows { .. } => f.write_str("a subquery used as a value gave more than one row"),
            ExecError::NegativeLimit { rows, .. } => write!(f, "LIMIT must not be negative, and is {rows}"),
            ExecError::NegativeOffset { rows, .. } => write!(f, "OFFSET must not be negative, and is {rows}"),
            ExecError::NullPoint { axis, .. } => write!(f, "a point of {axis} time must not be NULL"),
            ExecError::NegativeCommit { asked, .. } => write!(f, "commit {asked} does not exist"),
            ExecError::FutureCommit { asked, .. } => write!(f, "commit {asked} is in the future"),
            ExecError::FutureInstant { asked, .. } => write!(f, "instant {asked} is in the future of system time"),
            ExecError::ReversedRange { axis, .. } => write!(f, "a range of {axis} time ends before it begins"),
            ExecError::Cancelled => f.write_str("the statement was cancelled"),
            ExecError::TimedOut { timeout } => {
                write!(f, "the statement was cancelled after {} ms: statement_timeout", timeout.as_millis())
            }
            ExecError::OutOfMemory { bytes, bytes_max } => {
                write!(f, "the statement needs {bytes} bytes of memory, and memory_limit is {bytes_max}")
            }
            ExecError::Runaway { what, count, .. } => {
                write!(f, "the recursive query did not come to an end within {count} {what}")
            }
            ExecError::ZeroStep { .. } => f.write_str("step size cannot equal zero"),
            ExecError::WindowNumber { of, .. } => f.write_str(match of {
                WindowNumber::Ntile => "argument of ntile must be greater than zero",
                WindowNumber::NthValue => "argument of nth_value must be greater than zero",
                WindowNumber::Frame => "frame offset must not be null or negative",
            }),
            ExecError::Store(error) | ExecError::StoreAt { error, .. } => error.fmt(f),
        }
    }
}
