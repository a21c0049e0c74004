//! Do groups fold to what a list of each group's values folds to?

use super::*;
use crate::ops::testing::{batches_of, drain};
use proptest::prelude::*;
use spectradb_kernel::{Value, agg, key, ty::TypeClass};
use std::collections::HashSet;

/// Two keys, a number and a text.
type Row = (Option<i64>, Option<String>, Option<i64>, Option<String>);

const TYPES: [Type; 4] = [Type::Integer, Type::Text, Type::Integer, Type::Text];

fn given(column_idx: usize) -> Given {
    Given { column_idx, ty: TYPES[column_idx] }
}

fn call(name: &str, arg: Option<usize>, distinct: bool) -> AggregateCallSpec {
    let arg = arg.map(given);
    let aggregate = agg::find(name, arg.map(|arg| arg.ty.class())).expect("the kernel has the aggregate");
    let ty = (aggregate.ret)(arg.map_or(Type::Integer, |arg| arg.ty));
    AggregateCallSpec { aggregate, arg, more: vec![], distinct, order: vec![], ty, place: Place::default() }
}

fn batch(rows: &[Row]) -> Batch {
    let columns: [Vec<Value>; 4] = [
        rows.iter().map(|row| row.0.into()).collect(),
        rows.iter().map(|row| row.1.clone().into()).collect(),
        rows.iter().map(|row| row.2.into()).collect(),
        rows.iter().map(|row| row.3.clone().into()).collect(),
    ];
    let columns = TYPES.iter().zip(&columns).map(|(ty, values)| Column::from_values(*ty, values)).collect();
    Batch::new(columns, rows.len())
}

fn naive(rows: &[&Row]) -> Vec<Value> {
    let numbers: Vec<i64> = rows.iter().filter_map(|row| row.2).collect();
    let distinct: HashSet<i64> = numbers.iter().copied().collect();
    let texts: HashSet<&String> = rows.iter().filter_map(|row| row.3.as_ref()).collect();
    let sum = |numbers: &mut dyn Iterator<Item = i64>| numbers.reduce(|a, b| a + b);
    vec![
        (rows.len() as i64).into(),
        (numbers.len() as i64).into(),
        (distinct.len() as i64).into(),
        sum(&mut numbers.iter().copied()).into(),
        sum(&mut distinct.iter().copied()).into(),
        texts.iter().min().map(|text| text.as_str()).into(),
        numbers.iter().copied().max().into(),
        (texts.len() as i64).into(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn groups_fold_like_lists(
        rows in prop::collection::vec(
            (prop::option::of(0..3i64), prop::option::of("[ab]"), prop::option::of(-4..5i64), prop::option::of("[xy]{0,2}")),
            0..40,
        ),
        keys in prop::sample::select(vec![vec![], vec![0], vec![1], vec![0, 1], vec![1, 0]]),
        batch_rows in prop::sample::select(vec![1usize, 3, 8192]),
    ) {
        let calls = vec![
            call("count", None, false),
            call("count", Some(2), false),
            call("count", Some(2), true),
            call("sum", Some(2), false),
            call("sum", Some(2), true),
            call("min", Some(3), false),
            call("max", Some(2), true),
            call("count", Some(3), true),
        ];
        let mut types: Vec<Type> = keys.iter().map(|key| TYPES[*key]).collect();
        types.extend(calls.iter().map(|call| call.ty));
        let spec = AggregateSpec { group: keys.iter().copied().map(given).collect(), calls };
        let folded = HashAggregate::new(batches_of(&batch(&rows), batch_rows), spec, Tuning::of_rows(batch_rows));
        let columns = drain(folded, &types);

        let key_of = |row: &Row| -> Vec<Value> {
            keys.iter().map(|key| if *key == 0 { row.0.into() } else { row.1.clone().into() }).collect()
        };
        let mut groups: Vec<(Vec<Value>, Vec<&Row>)> = Vec::new();
        if keys.is_empty() {
            groups.push((vec![], vec![]));
        }
        for row in &rows {
            let key = key_of(row);
            match groups.iter_mut().find(|(other, _)| *other == key) {
                Some((_, members)) => members.push(row),
                None => groups.push((key, vec![row])),
            }
        }
        prop_assert_eq!(columns[0].len(), groups.len());
        for (at, (key, members)) in groups.into_iter().enumerate() {
            let got: Vec<Value> = columns.iter().map(|column| column.value(at)).collect();
            let mut wanted = key;
            wanted.extend(naive(&members));
            let same = got.iter().zip(&wanted).all(|(got, wanted)| key::compare(got, wanted).is_eq());
            prop_assert!(same, "{:?} {:?}", got, wanted);
        }
    }
}

/// Without a group there is one row even of nothing; with one there is none.
#[test]
fn nothing_folds_to_one_row_or_none() {
    let calls = || vec![call("count", None, false), call("sum", Some(2), false)];
    let spec = AggregateSpec { group: vec![], calls: calls() };
    let folded = HashAggregate::new(batches_of(&batch(&[]), 1), spec, Tuning::default());
    let columns = drain(folded, &[Type::Integer, calls()[1].ty]);
    assert_eq!((columns[0].value(0), columns[1].value(0)), (Value::Integer(0), Value::Null));
    let spec = AggregateSpec { group: vec![given(0)], calls: calls() };
    let mut folded = HashAggregate::new(batches_of(&batch(&[]), 1), spec, Tuning::default());
    assert!(folded.next().expect("no fault").is_none());
}

#[test]
fn a_result_that_does_not_fit_says_where() {
    let rows: Vec<Row> = vec![(None, None, Some(i64::MAX), None); 2];
    let mut sum = call("sum", Some(2), false);
    sum.place = Place { start: 7, end: 9 };
    assert_eq!(sum.aggregate.arg, Some(TypeClass::Integer));
    for group in [vec![], vec![given(0)]] {
        let spec = AggregateSpec { group, calls: vec![sum.clone()] };
        let error = HashAggregate::new(batches_of(&batch(&rows), 1), spec, Tuning::default()).next();
        let error = error.expect_err("the sum passes 64 bits");
        assert_eq!((error.code(), error.place().map(|place| place.start)), ("22003", Some(7)));
    }
}
