//! Which part of both times, and which keys, does a scan read once its expressions have values?
//!
//! Both executors compute the values and ask here, so that a point means the same to both. System time counts commits: an
//! instant stands for the last commit at or before it, and a half-open range of instants for every commit that was the
//! newest at one of them. A point in the future is an error; the end of a range may lie there. A reversed range is an
//! error, an empty one has no rows (as PostgreSQL's ranges are).
//!
//! Not here: filtering facts by their four numbers (`spectradb_store`).

use super::{ExecError, Place, TableReader};
use spectradb_kernel::{
    Period, Value,
    time::{Commit, MICROS_MAX, Timestamp},
};
use spectradb_store::scan::{SystemScope, ValidScope};

/// Finds scopes for values, as seen by one transaction.
pub struct ScopeReader<'a> {
    /// Knows the commits.
    pub reader: &'a dyn TableReader,
    /// The transaction's `now()`.
    pub now: Timestamp,
}

/// A scope, or proof that nothing lies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope<T> {
    /// Facts may lie in it.
    Some(T),
    /// None can.
    Empty,
}

impl ScopeReader<'_> {
    /// `AS OF` a commit (INTEGER) or an instant (TIMESTAMP).
    ///
    /// # Errors
    /// NULL, a negative or future point; what the store met.
    pub fn system_as_of(&self, point: &Value, place: Place) -> Result<SystemScope, ExecError> {
        let commit = match point {
            Value::Integer(asked) => {
                let newest = self.reader.current_commit();
                let commit = commit_number(*asked, place)?;
                if commit > newest {
                    return Err(ExecError::FutureCommit { asked: *asked, newest, place });
                }
                commit
            }
            Value::Timestamp(asked) => {
                if *asked > self.now {
                    return Err(ExecError::FutureInstant { asked: *asked, now: self.now, place });
                }
                self.reader.commit_at(asked.0)?
            }
            _ => return Err(not_a_point(point, "system", place)),
        };
        Ok(SystemScope::AsOf(commit))
    }

    /// `FROM .. TO`, or with `to_included` `BETWEEN .. AND`; each end a commit or an instant.
    ///
    /// # Errors
    /// NULL, a negative point, a beginning in the future, an end before the beginning; what the store met.
    pub fn system_range(
        &self,
        from: (&Value, Place),
        to: (&Value, Place),
        to_included: bool,
    ) -> Result<Scope<SystemScope>, ExecError> {
        let place = Place { start: from.1.start, end: to.1.end };
        // Compared as they are written where both are of one kind: two instants between the same two commits are in
        // order or not, though they stand for one commit.
        let order = match (from.0, to.0) {
            (Value::Integer(from), Value::Integer(to)) => Some(from.cmp(to)),
            (Value::Timestamp(from), Value::Timestamp(to)) => Some(from.cmp(to)),
            _ => None,
        };
        if order == Some(std::cmp::Ordering::Greater) {
            return Err(ExecError::ReversedRange { axis: "system", place });
        }
        let SystemScope::AsOf(first) = self.system_as_of(from.0, from.1)? else {
            unreachable!("AS OF names a commit");
        };
        if order == Some(std::cmp::Ordering::Equal) && !to_included {
            return Ok(Scope::Empty);
        }
        let end: Commit = match to.0 {
            Value::Integer(asked) => commit_number(*asked, to.1)?.saturating_add(Commit::from(to_included)),
            Value::Timestamp(asked) if to_included || asked.0 == MICROS_MAX => {
                self.reader.commit_at(asked.0)?.saturating_add(1)
            }
            // Half-open: the last instant inside is the microsecond before.
            Value::Timestamp(asked) => match asked.0.checked_sub(1) {
                Some(last) => self.reader.commit_at(last)?.saturating_add(1),
                None => return Ok(Scope::Empty),
            },
            value => return Err(not_a_point(value, "system", to.1)),
        };
        if end < first {
            return Err(ExecError::ReversedRange { axis: "system", place });
        }
        if end == first {
            return Ok(Scope::Empty);
        }
        Ok(Scope::Some(SystemScope::Between { from: first, to: end }))
    }
}

/// `VALID AT` an instant.
///
/// # Errors
/// NULL.
pub fn valid_at(point: &Value, place: Place) -> Result<ValidScope, ExecError> {
    Ok(ValidScope::At(valid_point(point, place)?))
}

/// `FROM .. TO`, or with `to_included` `BETWEEN .. AND`.
///
/// # Errors
/// NULL, an end before the beginning.
pub fn valid_range(
    from: (&Value, Place),
    to: (&Value, Place),
    to_included: bool,
) -> Result<Scope<ValidScope>, ExecError> {
    let (first, mut end) = (valid_point(from.0, from.1)?, valid_point(to.0, to.1)?);
    if first > end {
        let place = Place { start: from.1.start, end: to.1.end };
        return Err(ExecError::ReversedRange { axis: "valid", place });
    }
    if to_included {
        end = end.saturating_add(1);
    }
    Ok(Period::new(first, end).map_or(Scope::Empty, |period| Scope::Some(ValidScope::Overlaps(period))))
}

fn valid_point(point: &Value, place: Place) -> Result<i64, ExecError> {
    match point {
        Value::Timestamp(Timestamp(micros)) => Ok(*micros),
        _ => Err(not_a_point(point, "valid", place)),
    }
}

fn commit_number(asked: i64, place: Place) -> Result<Commit, ExecError> {
    Commit::try_from(asked).map_err(|_| ExecError::NegativeCommit { asked, place })
}

fn not_a_point(value: &Value, axis: &'static str, place: Place) -> ExecError {
    assert!(value.is_null(), "the binder typed every point of {axis} time");
    ExecError::NullPoint { axis, place }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Reads, TableScan};
    use spectradb_store::{error::StoreError, scan::ScanSpec};

    /// Commits 1, 2, 3 at instants 10, 20, 30.
    struct Three;
    impl TableReader for Three {
        fn scan(&self, _: ScanSpec, _: Reads) -> Result<TableScan, StoreError> {
            unreachable!("scopes read no table")
        }
        fn commit_at(&self, instant: i64) -> Result<Commit, StoreError> {
            Ok((instant.max(0) / 10).min(3) as Commit)
        }
        fn current_commit(&self) -> Commit {
            3
        }
    }

    const NOW: Timestamp = Timestamp(35);

    fn as_of(point: impl Into<Value>) -> Result<SystemScope, &'static str> {
        ScopeReader { reader: &Three, now: NOW }
            .system_as_of(&point.into(), Place::default())
            .map_err(|error| error.code())
    }

    fn between(
        from: impl Into<Value>,
        to: impl Into<Value>,
        to_included: bool,
    ) -> Result<Option<(u64, u64)>, &'static str> {
        let place = Place::default();
        let scopes = ScopeReader { reader: &Three, now: NOW };
        match scopes.system_range((&from.into(), place), (&to.into(), place), to_included) {
            Ok(Scope::Some(SystemScope::Between { from, to })) => Ok(Some((from, to))),
            Ok(Scope::Some(other)) => panic!("{other:?}"),
            Ok(Scope::Empty) => Ok(None),
            Err(error) => Err(error.code()),
        }
    }

    #[test]
    fn points_of_system_time_name_commits() {
        assert_eq!(as_of(0i64), Ok(SystemScope::AsOf(0)));
        assert_eq!(as_of(3i64), Ok(SystemScope::AsOf(3)));
        assert_eq!(as_of(4i64), Err("22023"));
        assert_eq!(as_of(-1i64), Err("22023"));
        assert_eq!(as_of(Value::Null), Err("22004"));
        assert_eq!(as_of(Timestamp(9)), Ok(SystemScope::AsOf(0)));
        assert_eq!(as_of(Timestamp(20)), Ok(SystemScope::AsOf(2)));
        assert_eq!(as_of(Timestamp(35)), Ok(SystemScope::AsOf(3)));
        assert_eq!(as_of(Timestamp(36)), Err("22023"));
    }

    #[test]
    fn ranges_of_instants_hold_every_commit_that_was_newest_at_one_of_them() {
        assert_eq!(between(1i64, 3i64, false), Ok(Some((1, 3))));
        assert_eq!(between(1i64, 3i64, true), Ok(Some((1, 4))));
        assert_eq!(between(2i64, 2i64, false), Ok(None));
        assert_eq!(between(2i64, 2i64, true), Ok(Some((2, 3))));
        assert_eq!(between(3i64, 2i64, true), Err("22000"));
        assert_eq!(between(1i64, 99i64, true), Ok(Some((1, 100))));
        assert_eq!(between(4i64, 99i64, true), Err("22023"));
        let (t10, t20) = (Timestamp(10), Timestamp(20));
        // At no instant before 20 was commit 2 the newest.
        assert_eq!(between(t10, t20, false), Ok(Some((1, 2))));
        assert_eq!(between(t10, t20, true), Ok(Some((1, 3))));
        assert_eq!(between(Timestamp(12), Timestamp(13), false), Ok(Some((1, 2))));
        assert_eq!(between(Timestamp(13), Timestamp(12), false), Err("22000"));
        assert_eq!(between(Timestamp(5), Timestamp(MICROS_MAX), false), Ok(Some((0, 4))));
        assert_eq!(between(Timestamp(i64::MIN), Timestamp(i64::MAX), true), Ok(Some((0, 4))));
    }

    #[test]
    fn ranges_of_valid_time_are_half_open() {
        let place = Place::default();
        let range = |from: i64, to: i64, included: bool| {
            let (from, to) = (Value::Timestamp(Timestamp(from)), Value::Timestamp(Timestamp(to)));
            valid_range((&from, place), (&to, place), included).map_err(|error| error.code())
        };
        let overlaps = |from, to| Ok(Scope::Some(ValidScope::Overlaps(Period::new(from, to).expect("not empty"))));
        assert_eq!(range(1, 5, false), overlaps(1, 5));
        assert_eq!(range(1, 5, true), overlaps(1, 6));
        assert_eq!(range(5, 5, false), Ok(Scope::Empty));
        assert_eq!(range(5, 5, true), overlaps(5, 6));
        assert_eq!(range(6, 5, true), Err("22000"));
        assert_eq!(range(6, i64::MAX, true), overlaps(6, i64::MAX));
        assert_eq!(valid_at(&Value::Null, place).map_err(|error| error.code()), Err("22004"));
    }
}
