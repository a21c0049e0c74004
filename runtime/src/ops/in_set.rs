//! Is a value among the values of a subquery?
//!
//! Three-valued, as SQL defines `x IN (SELECT ...)`: true where the value is there; otherwise unknown where the value is
//! NULL or the subquery gave a NULL; otherwise false. Among no values nothing is, not even unknown.

use super::{
    ExecError, Held, Source, Tuning,
    groups::{Groups, NO_GROUP, Nulls},
};
use spectradb_kernel::{Column, Type, Value, bitmap::Bitmap};

/// The values of a subquery's one column.
pub struct InSet {
    values: Groups,
    has_null: bool,
    is_empty: bool,
    held: Held,
}

impl InSet {
    /// Reads a source of one column to its end.
    ///
    /// # Errors
    /// What the source meets; too many values for the budget.
    pub fn read(source: &mut dyn Source, tuning: &Tuning) -> Result<InSet, ExecError> {
        let held = tuning.budget.hold();
        let mut set = InSet { values: Groups::new(Nulls::Nothing), has_null: false, is_empty: true, held };
        let (mut groups, mut firsts) = (Vec::new(), Vec::new());
        while let Some(batch) = source.next()? {
            set.is_empty = false;
            let column = batch.column(0);
            set.has_null |= column.has_nulls();
            groups.clear();
            firsts.clear();
            set.values.assign(&[column], batch.len(), &mut groups, &mut firsts);
            set.held.set_to(|| set.values.memory_bytes())?;
        }
        Ok(set)
    }

    /// BOOLEAN, for each needle of the values' type.
    pub fn contains(&mut self, needles: &Column) -> Column {
        let len = needles.len();
        if self.is_empty {
            return Column::constant(Type::Boolean, Value::Boolean(false), len);
        }
        let mut groups = Vec::with_capacity(len);
        self.values.find(std::slice::from_ref(needles), len, &mut groups);
        let found = Column::from_bools(groups.iter().map(|group| u8::from(*group != NO_GROUP)).collect());
        if self.has_null {
            found.with_validity(Some(Bitmap::from_bools(groups.iter().map(|group| *group != NO_GROUP))))
        } else if needles.has_nulls() {
            found.with_validity(Some(Bitmap::from_bools((0..len).map(|row| !needles.is_null(row)))))
        } else {
            found
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::batches_of;
    use spectradb_kernel::Batch;

    fn contains(values: &[Option<i64>], needles: &[Option<i64>]) -> Vec<Option<bool>> {
        let column = |values: &[Option<i64>]| {
            let values: Vec<Value> = values.iter().map(|value| (*value).into()).collect();
            Column::from_values(Type::Integer, &values)
        };
        let batch = Batch::new(vec![column(values)], values.len());
        let mut set = InSet::read(batches_of(&batch, 2).as_mut(), &Tuning::default()).expect("no fault");
        let found = set.contains(&column(needles));
        found.values().map(|value| if let Value::Boolean(value) = value { Some(value) } else { None }).collect()
    }

    #[test]
    fn unknown_stays_unknown() {
        let needles = [Some(1), Some(9), None];
        assert_eq!(contains(&[], &needles), [Some(false); 3]);
        assert_eq!(contains(&[Some(2), Some(1), Some(3)], &needles), [Some(true), Some(false), None]);
        assert_eq!(contains(&[Some(1), None], &needles), [Some(true), None, None]);
        assert_eq!(contains(&[None], &needles), [None; 3]);
    }
}
