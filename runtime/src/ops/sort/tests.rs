//! Do sorted rows come in the order that comparing their values gives?

use super::*;
use crate::ops::testing::{batches_of, drain};
use proptest::prelude::*;
use spectradb_kernel::Value;

const DECIMAL: Type = Type::Numeric { precision: 38, scale: 1 };

const TYPES: [Type; 6] = [Type::Integer, Type::Boolean, Type::Real, Type::Text, Type::Date, DECIMAL];

fn value_of(ty: Type) -> BoxedStrategy<Value> {
    let value = match ty {
        Type::Integer => (-3..3i64).prop_map(Value::Integer).boxed(),
        Type::Date => (-2..2i32).prop_map(|days| Value::Date(spectradb_kernel::time::Date(days))).boxed(),
        Type::Numeric { .. } => prop::sample::select(vec![-5i128, 0, 3, i128::MAX / 2])
            .prop_map(|units| Value::Numeric(spectradb_kernel::value::Decimal { units, scale: 1 }))
            .boxed(),
        Type::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Type::Real => prop::sample::select(vec![0.0, -0.0, 1.5, f64::NAN, -1e9]).prop_map(Value::Real).boxed(),
        _ => "[ab]{0,12}".prop_map(Value::Text).boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 5 => value].boxed()
}

fn order() -> impl Strategy<Value = SortOrder> {
    (any::<bool>(), any::<bool>()).prop_map(|(descending, nulls_first)| SortOrder { descending, nulls_first })
}

fn compare(a: &Value, b: &Value, order: SortOrder) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => {
            if order.nulls_first {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
        (false, true) => {
            if order.nulls_first {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (false, false) if order.descending => key::compare(b, a),
        (false, false) => key::compare(a, b),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn rows_come_in_order_and_equal_rows_keep_theirs(
        (types, rows) in prop::collection::vec(prop::sample::select(TYPES.to_vec()), 1..3)
            .prop_flat_map(|types| {
                let row: Vec<_> = types.iter().map(|ty| value_of(*ty)).collect();
                (Just(types), prop::collection::vec(row, 0..30))
            }),
        orders in prop::collection::vec(order(), 2),
        wanted in prop::option::of(0..35u64),
        batch_rows in prop::sample::select(vec![1usize, 3, 8192]),
    ) {
        let mut columns: Vec<Column> = (0..types.len())
            .map(|idx| Column::from_values(types[idx], rows.iter().map(|row| &row[idx])))
            .collect();
        columns.push(Column::from_i64s(Type::Integer, (0..rows.len() as i64).collect()));
        let batch = Batch::new(columns, rows.len());
        let keys = types.iter().zip(&orders).enumerate();
        let keys = keys.map(|(column_idx, (ty, order))| SortColumn { column: Given { column_idx, ty: *ty }, order: *order });
        let out = vec![Given { column_idx: types.len(), ty: Type::Integer }];
        let spec = SortSpec { keys: keys.collect(), out, row_count_max: wanted };
        let sorted = drain(Sort::new(batches_of(&batch, batch_rows), spec, Tuning::of_rows(batch_rows)), &[Type::Integer]);

        let mut numbers: Vec<usize> = (0..rows.len()).collect();
        numbers.sort_by(|a, b| {
            let by_key = |idx: usize| compare(&rows[*a][idx], &rows[*b][idx], orders[idx]);
            (0..types.len()).map(by_key).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
        numbers.truncate(wanted.map_or(usize::MAX, |wanted| wanted as usize));
        let wanted: Vec<i64> = numbers.into_iter().map(|row| row as i64).collect();
        prop_assert_eq!(&sorted[0], &Column::from_i64s(Type::Integer, wanted));
    }
}

/// Many more rows than are wanted, so that some are thrown away on the way; equal rows still keep their order.
#[test]
fn the_first_rows_of_many_are_found() {
    let count = 200_000u64;
    let scattered: Vec<i64> = (0..count).map(|row| (row * 7919 % 1000) as i64).collect();
    let numbers: Vec<i64> = (0..count as i64).collect();
    let columns = vec![Column::from_i64s(Type::Integer, scattered.clone()), Column::from_i64s(Type::Integer, numbers)];
    let batch = Batch::new(columns, count as usize);
    let out = vec![Given { column_idx: 1, ty: Type::Integer }];
    let spec = SortSpec { keys: vec![SortColumn::ascending(0, Type::Integer)], out, row_count_max: Some(250) };
    let sorted = drain(Sort::new(batches_of(&batch, 8192), spec, Tuning::default()), &[Type::Integer]);
    let mut wanted: Vec<usize> = (0..count as usize).collect();
    wanted.sort_by_key(|row| scattered[*row]);
    let wanted = wanted.into_iter().take(250).map(|row| row as i64).collect();
    assert_eq!(sorted[0], Column::from_i64s(Type::Integer, wanted));
}

/// Two keys of which the first alone throws most rows away, with NULLs on either side: the first rows are those of a whole sort.
#[test]
fn what_the_first_key_throws_away_is_not_missed() {
    let count = 300_000i64;
    let scattered = |row: i64| row * 7919 % 10_007;
    let reals: Vec<Value> = (0..count)
        .map(|row| if row % 30_011 == 7 { Value::Null } else { Value::Real(scattered(row) as f64) })
        .collect();
    let ids: Vec<i64> = (0..count).rev().collect();
    let columns = vec![Column::from_values(Type::Real, &reals), Column::from_i64s(Type::Integer, ids.clone())];
    let batch = Batch::new(columns, count as usize);
    for (descending, nulls_first) in [(true, true), (true, false), (false, true), (false, false)] {
        let order = SortOrder { descending, nulls_first };
        let first = SortColumn { column: Given { column_idx: 0, ty: Type::Real }, order };
        let out = vec![Given { column_idx: 1, ty: Type::Integer }];
        let keys = vec![first, SortColumn::ascending(1, Type::Integer)];
        for wanted in [1usize, 3, 100] {
            let spec = SortSpec { keys: keys.clone(), out: out.clone(), row_count_max: Some(wanted as u64) };
            let sorted = drain(Sort::new(batches_of(&batch, 8192), spec, Tuning::default()), &[Type::Integer]);
            let mut rows: Vec<usize> = (0..count as usize).collect();
            rows.sort_by(|a, b| compare(&reals[*a], &reals[*b], order).then(ids[*a].cmp(&ids[*b])));
            let expected = rows.into_iter().take(wanted).map(|row| ids[row]).collect();
            assert_eq!(sorted[0], Column::from_i64s(Type::Integer, expected), "{order:?} {wanted}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    /// Wherever the rows are sorted as integers or as bytes, runs of equal rows begin at the same places.
    #[test]
    fn runs_begin_where_keys_differ(
        (types, rows) in prop::collection::vec(prop::sample::select(TYPES.to_vec()), 1..4)
            .prop_flat_map(|types| {
                let row: Vec<_> = types.iter().map(|ty| value_of(*ty)).collect();
                (Just(types), prop::collection::vec(row, 0..30))
            }),
        orders in prop::collection::vec(order(), 3),
        some in 0..4usize,
    ) {
        let columns: Vec<Column> = (0..types.len())
            .map(|idx| Column::from_values(types[idx], rows.iter().map(|row| &row[idx])))
            .collect();
        let (orders, some) = (&orders[..types.len()], some.min(types.len()));
        let sorted = arranged(&columns, orders, some, rows.len());
        let by_keys = |a: usize, b: usize, count: usize| {
            let by_key = |idx: usize| compare(&rows[a][idx], &rows[b][idx], orders[idx]);
            (0..count).map(by_key).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        let mut numbers: Vec<u32> = (0..rows.len() as u32).collect();
        numbers.sort_by(|a, b| by_keys(*a as usize, *b as usize, types.len()));
        prop_assert_eq!(&sorted.rows, &numbers);
        for (at, pair) in numbers.windows(2).enumerate() {
            let (a, b) = (pair[0] as usize, pair[1] as usize);
            prop_assert_eq!(sorted.differs_in_some[at + 1], by_keys(a, b, some).is_ne());
            prop_assert_eq!(sorted.differs[at + 1], by_keys(a, b, types.len()).is_ne());
        }
    }
}
