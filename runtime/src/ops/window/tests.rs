//! Do window functions say of each row what a search through all rows says?

use super::*;
use crate::ops::testing::{batches_of, drain};
use proptest::prelude::*;
use spectradb_kernel::{Value, agg, key, ty::TypeClass};
use std::cmp::Ordering;

/// Partition, order, value, offset.
type Row = (Option<i64>, Option<i64>, Option<String>, Option<i64>);

const TYPES: [Type; 5] = [Type::Integer, Type::Integer, Type::Text, Type::Integer, Type::Integer];

fn given(column_idx: usize) -> Given {
    Given { column_idx, ty: TYPES[column_idx] }
}

fn running() -> Frame {
    use crate::ops::{FrameExclude, FrameUnit};
    let (start, end) = (FrameBound::UnboundedPreceding, FrameBound::CurrentRow);
    Frame { unit: FrameUnit::Range, start, end, exclude: FrameExclude::NoOthers }
}

fn call(function: WindowFunction, ty: Type) -> WindowCallSpec {
    let order = vec![SortColumn { column: given(1), order: SortOrder::DESCENDING }];
    WindowCallSpec { function, partition: vec![given(0)], order, frame: running(), ty, place: Place::default() }
}

/// The rows of a row's partition, in order.
fn neighbours(rows: &[Row], row: usize) -> Vec<usize> {
    let mut same: Vec<usize> = (0..rows.len()).filter(|other| rows[*other].0 == rows[row].0).collect();
    same.sort_by(|a, b| compare(rows, *a, *b));
    same
}

fn compare(rows: &[Row], a: usize, b: usize) -> Ordering {
    // NULL is the greatest, and the greatest come first.
    key::compare(&rows[b].1.into(), &rows[a].1.into())
}

proptest! {
    #[test]
    fn rows_see_their_neighbours(
        rows in prop::collection::vec(
            (prop::option::of(0..3i64), prop::option::of(0..4i64), prop::option::of("[xyz]"), prop::option::of(-3..4i64)),
            0..30,
        ),
        batch_rows in prop::sample::select(vec![1usize, 3, 8192]),
    ) {
        let columns: [Vec<Value>; 5] = [
            rows.iter().map(|row| row.0.into()).collect(),
            rows.iter().map(|row| row.1.into()).collect(),
            rows.iter().map(|row| row.2.clone().into()).collect(),
            rows.iter().map(|row| row.3.into()).collect(),
            (0..rows.len() as i64).map(Value::from).collect(),
        ];
        let columns = TYPES.iter().zip(&columns).map(|(ty, values)| Column::from_values(*ty, values)).collect();
        let batch = Batch::new(columns, rows.len());
        let sum = agg::find("sum", Some(TypeClass::Integer)).expect("the kernel has it");
        let count = agg::find("count", None).expect("the kernel has it");
        let shift = |forward, default| WindowFunction::Shift { value: given(2), offset: given(3), default, forward };
        let calls = vec![
            call(WindowFunction::RowNumber, Type::Integer),
            call(WindowFunction::Rank, Type::Integer),
            call(WindowFunction::DenseRank, Type::Integer),
            call(shift(false, None), Type::Text),
            call(shift(true, Some(given(2))), Type::Text),
            call(WindowFunction::Aggregate { aggregate: sum, arg: Some(given(4)), more: vec![] }, Type::Integer),
            WindowCallSpec { order: vec![], ..call(WindowFunction::Aggregate { aggregate: count, arg: None, more: vec![] }, Type::Integer) },
        ];
        let spec = WindowSpec { out: vec![given(4)], calls };
        let window = Window::new(batches_of(&batch, batch_rows), spec, Tuning::of_rows(batch_rows));
        let types = [Type::Integer, Type::Integer, Type::Integer, Type::Integer, Type::Text, Type::Text, Type::Integer, Type::Integer];
        let columns = drain(window, &types);
        prop_assert_eq!(columns[0].len(), rows.len());
        for row in 0..rows.len() {
            let near = neighbours(&rows, row);
            let at = near.iter().position(|other| *other == row).expect("a row is in its partition");
            let before: Vec<usize> = near.iter().copied().filter(|other| compare(&rows, *other, row).is_lt()).collect();
            let mut kinds: Vec<_> = before.iter().map(|other| rows[*other].1).collect();
            kinds.dedup();
            let shifted = |by: i64, default: Value| match usize::try_from(at as i64 + by).ok().and_then(|at| near.get(at)) {
                Some(other) => rows[*other].2.clone().into(),
                None => default,
            };
            let frame = near.iter().copied().filter(|other| compare(&rows, *other, row).is_le());
            let wanted: [Value; 8] = [
                (row as i64).into(),
                (at as i64 + 1).into(),
                (before.len() as i64 + 1).into(),
                (kinds.len() as i64 + 1).into(),
                rows[row].3.map_or(Value::Null, |by| shifted(-by, Value::Null)),
                rows[row].3.map_or(Value::Null, |by| shifted(by, rows[row].2.clone().into())),
                (frame.sum::<usize>() as i64).into(),
                (near.len() as i64).into(),
            ];
            let got: Vec<Value> = columns.iter().map(|column| column.value(row)).collect();
            prop_assert_eq!(got, wanted.to_vec());
        }
    }
}
