//! Does a column stay the same for so many rows that its runs are written instead of its rows?
//!
//! A run-length lane costs a row that is read alone a binary search over the runs, so it is chosen only where runs are long: then it takes
//! less than a byte a row, and a scan does its work once for each run.
//!
//! Holds: no value is written but those of rows that have one: a NULL row belongs to the run before it.
//! Not here: the other encodings and the choice among them (`sst::block`).

use spectradb_kernel::Column;

/// Fewer rows a run, on average, are not worth it.
pub(crate) const ROWS_A_RUN_MIN: usize = 32;

/// Rows of a column that have the same value and follow each other.
pub(crate) struct RunsOf {
    /// The row behind each run.
    pub(crate) ends: Vec<u16>,
    /// A row of each run that has its value.
    pub(crate) rows: Vec<usize>,
}

impl RunsOf {
    /// The runs of a column of `len` rows, of which `same` says whether two have the same value; `None` where they are short. Asked of
    /// rows that have a value only.
    pub(crate) fn find(column: &Column, len: usize, same: impl Fn(usize, usize) -> bool) -> Option<RunsOf> {
        let runs_max = len / ROWS_A_RUN_MIN;
        let nulls = column.has_nulls();
        let (mut ends, mut rows): (Vec<u16>, Vec<usize>) = (Vec::new(), Vec::new());
        for row in (0..len).filter(|row| !nulls || !column.is_null(*row)) {
            match rows.last() {
                Some(last) if same(*last, row) => {}
                Some(_) => {
                    ends.push(u16::try_from(row).ok()?);
                    rows.push(row);
                }
                None => rows.push(row),
            }
            if rows.len() > runs_max {
                return None;
            }
        }
        ends.push(u16::try_from(len).ok()?);
        (!rows.is_empty()).then_some(RunsOf { ends, rows })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spectradb_kernel::{Type, Value};

    fn runs(values: &[Option<i64>]) -> Option<RunsOf> {
        let values: Vec<Value> = values.iter().map(|value| value.map_or(Value::Null, Value::Integer)).collect();
        let column = Column::from_values(Type::Integer, &values);
        RunsOf::find(&column, column.len(), |a, b| values[a] == values[b])
    }

    #[test]
    fn a_null_belongs_to_the_run_before_it() {
        let values = [vec![None; 3], vec![Some(1); 40], vec![None; 9], vec![Some(1), Some(2)], vec![None; 80]].concat();
        let found = runs(&values).expect("two runs of many rows");
        assert_eq!((found.ends, found.rows), (vec![53, 134], vec![3, 53]));
    }

    #[test]
    fn short_runs_are_none() {
        let of = |count: usize| (0..64).map(|row| Some((row * count / 64) as i64)).collect::<Vec<_>>();
        assert!(runs(&of(2)).is_some());
        assert!(runs(&of(3)).is_none());
        assert!(runs(&[None; 64]).is_none());
        assert!(runs(&[]).is_none());
    }
}
