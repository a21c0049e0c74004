//! What becomes of a subplan that has no answer?
//!
//! A subplan runs before the rows whose expressions ask it. An error of its data (a division by zero, a second row where one
//! value stands) is an error of the rows that ask, and there may be none: an arm of CASE that no row comes to. So such an
//! error is kept as the answer, [`NoAnswer`], and raised by the first row that asks; both executors do it alike. Whatever
//! else stops a statement (cancelling, a limit, the store) stops it at once.

use super::ExecError;
use std::sync::Arc;

/// Why a subplan has no answer.
#[derive(Clone, Debug)]
pub struct NoAnswer(Arc<ExecError>);

impl NoAnswer {
    /// The error of a row that asks.
    pub fn error(&self) -> ExecError {
        again(&self.0).expect("only what can be said again is kept")
    }
}

/// A subplan's answer, or why it has none.
///
/// # Errors
/// What stops the statement whoever asks.
pub fn asked<T>(answer: Result<T, ExecError>) -> Result<Result<T, NoAnswer>, ExecError> {
    match answer {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) if again(&error).is_some() => Ok(Err(NoAnswer(Arc::new(error)))),
        Err(error) => Err(error),
    }
}

/// An error of the data once more; `None` where it is not the data's.
fn again(error: &ExecError) -> Option<ExecError> {
    Some(match error {
        ExecError::Row { fault, place } => ExecError::Row { fault: fault.clone(), place: *place },
        ExecError::ManyRows { place } => ExecError::ManyRows { place: *place },
        ExecError::NegativeLimit { rows, place } => ExecError::NegativeLimit { rows: *rows, place: *place },
        ExecError::NegativeOffset { rows, place } => ExecError::NegativeOffset { rows: *rows, place: *place },
        ExecError::NullPoint { axis, place } => ExecError::NullPoint { axis, place: *place },
        ExecError::NegativeCommit { asked, place } => ExecError::NegativeCommit { asked: *asked, place: *place },
        ExecError::FutureCommit { asked, newest, place } => {
            ExecError::FutureCommit { asked: *asked, newest: *newest, place: *place }
        }
        ExecError::FutureInstant { asked, now, place } => {
            ExecError::FutureInstant { asked: *asked, now: *now, place: *place }
        }
        ExecError::ReversedRange { axis, place } => ExecError::ReversedRange { axis, place: *place },
        ExecError::ZeroStep { place } => ExecError::ZeroStep { place: *place },
        ExecError::WindowNumber { of, place } => ExecError::WindowNumber { of: *of, place: *place },
        ExecError::Runaway { what, count, place } => ExecError::Runaway { what, count: *count, place: *place },
        ExecError::Cancelled
        | ExecError::TimedOut { .. }
        | ExecError::OutOfMemory { .. }
        | ExecError::StoreAt { .. }
        | ExecError::Store(_) => return None,
    })
}
