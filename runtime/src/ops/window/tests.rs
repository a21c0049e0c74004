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

proptest! {
    #[test]
    fn moving_frames_give_what_a_fold_of_each_gives(
        values in prop::collection::vec((0..2i64, prop::option::of(-5..5i64), prop::option::of("[xyz]{0,2}")), 0..40),
        (before, after) in (0..6i64, 0..6i64),
        (starts_ahead, ends_behind) in (any::<bool>(), any::<bool>()),
    ) {
        let len = values.len();
        let types = [Type::Integer, Type::Integer, Type::Text, Type::Integer, Type::Integer, Type::Integer];
        let columns: [Vec<Value>; 6] = [
            values.iter().map(|row| row.0.into()).collect(),
            values.iter().map(|row| row.1.into()).collect(),
            values.iter().map(|row| row.2.clone().into()).collect(),
            (0..len as i64).map(Value::from).collect(),
            vec![before.into(); len],
            vec![after.into(); len],
        ];
        let columns = types.iter().zip(&columns).map(|(ty, values)| Column::from_values(*ty, values)).collect();
        let batch = Batch::new(columns, len);
        let given = |column_idx: usize| Given { column_idx, ty: types[column_idx] };
        let frame = Frame {
            unit: crate::ops::FrameUnit::Rows,
            start: if starts_ahead { FrameBound::Following(given(4)) } else { FrameBound::Preceding(given(4)) },
            end: if ends_behind { FrameBound::Preceding(given(5)) } else { FrameBound::Following(given(5)) },
            exclude: FrameExclude::NoOthers,
        };
        let of = |name: &str, column: Option<usize>, ty: Type| {
            let arg = column.map(given);
            let aggregate = agg::find(name, arg.map(|arg| arg.ty.class())).expect("the kernel has it");
            let order = vec![SortColumn { column: given(3), order: SortOrder::ASCENDING }];
            let function = WindowFunction::Aggregate { aggregate, arg, more: vec![] };
            WindowCallSpec { function, partition: vec![given(0)], order, frame, ty, place: Place::default() }
        };
        let mean = (agg::find("avg", Some(TypeClass::Integer)).expect("the kernel has it").ret)(Type::Integer);
        let kinds = [
            ("sum", Some(1), Type::Integer), ("avg", Some(1), mean), ("count", Some(1), Type::Integer),
            ("count", None, Type::Integer), ("min", Some(1), Type::Integer), ("max", Some(2), Type::Text),
        ];
        let spec = WindowSpec {
            out: vec![given(3)],
            calls: kinds.iter().map(|(name, column, ty)| of(name, *column, *ty)).collect(),
        };
        let window = Window::new(batches_of(&batch, 8192), spec, Tuning::default());
        let mut out = vec![Type::Integer];
        out.extend(kinds.iter().map(|kind| kind.2));
        let columns = drain(window, &out);
        for row in 0..len {
            let same: Vec<usize> = (0..len).filter(|other| values[*other].0 == values[row].0).collect();
            let at = same.iter().position(|other| *other == row).expect("a row is in its partition") as i64;
            let start = if starts_ahead { at + before } else { at - before };
            let end = if ends_behind { at - after } else { at + after };
            let rows = (0i64..).zip(&same).filter(|(at, _)| (start..=end).contains(at)).map(|(_, row)| *row as u32);
            let rows: Vec<u32> = rows.collect();
            for (at, (name, column, _)) in kinds.iter().enumerate() {
                let arg = column.map(|column| batch.column(column).take(&rows));
                let aggregate = agg::find(name, column.map(|column| types[column].class())).expect("the kernel has it");
                let mut fold = (aggregate.accumulator)(column.map_or(Type::Integer, |column| types[column]));
                fold.resize(1);
                fold.update_all(rows.len(), arg.as_ref()).expect("small numbers");
                let wanted = fold.finish().expect("small numbers").value(0);
                prop_assert_eq!(columns[at + 1].value(row), wanted, "{} of {:?}", name, rows);
            }
        }
    }
}
