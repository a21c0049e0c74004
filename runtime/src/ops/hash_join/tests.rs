//! Do joins give the pairs, and the order of pairs, that two nested loops give?

use super::*;
use crate::ops::{
    Budget, Cancellation, Eval,
    testing::{batches_of, drain},
};
use proptest::prelude::*;
use spectradb_kernel::Type;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// A row of either side: two keys, a point or a beginning, an end, and its number.
type Row = (Option<i64>, Option<String>, Option<i64>, Option<i64>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let time = || prop::option::weighted(0.9, 0..12i64);
    let key = prop::option::weighted(0.9, 0..4i64);
    prop::collection::vec((key, prop::option::weighted(0.9, "[ab]"), time(), time()), 0..24)
}

const TYPES: [Type; 5] = [Type::Integer, Type::Text, Type::Timestamp, Type::Timestamp, Type::Integer];

fn batch(rows: &[Row]) -> Batch {
    let time =
        |time: Option<i64>| time.map_or(Value::Null, |time| Value::Timestamp(spectradb_kernel::time::Timestamp(time)));
    let columns: [Vec<Value>; 5] = [
        rows.iter().map(|row| row.0.into()).collect(),
        rows.iter().map(|row| row.1.clone().into()).collect(),
        rows.iter().map(|row| time(row.2)).collect(),
        rows.iter().map(|row| time(row.3)).collect(),
        (0..rows.len() as i64).map(Value::from).collect(),
    ];
    let columns = TYPES.iter().zip(&columns).map(|(ty, values)| Column::from_values(*ty, values)).collect();
    Batch::new(columns, rows.len())
}

/// The pairs whose numbers' sum is not a multiple of three; unknown where both are equal.
struct Residual;

fn residual(left: i64, right: i64) -> Option<bool> {
    (left != right).then_some((left + right) % 3 != 0)
}

impl Eval for Residual {
    fn eval(&mut self, pairs: &Batch) -> Result<Batch, ExecError> {
        let (left, right) = (pairs.column(0), pairs.column(2));
        let verdicts: Vec<Value> = left
            .i64s_vec()
            .into_iter()
            .zip(right.i64s_vec())
            .map(|(left, right)| residual(left, right).into())
            .collect();
        let column = Column::from_values(Type::Boolean, &verdicts);
        Ok(Batch::new(vec![column], pairs.len()))
    }
}

trait Numbers {
    fn i64s_vec(&self) -> Vec<i64>;
}

impl Numbers for Column {
    fn i64s_vec(&self) -> Vec<i64> {
        (0..self.len()).map(|row| self.i64s().at(row)).collect()
    }
}

const KINDS: [JoinKind; 6] =
    [JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full, JoinKind::Semi, JoinKind::Anti];

struct Case {
    kind: JoinKind,
    key_count: usize,
    /// How the period is matched: which column of the left is `since`, and the ends.
    period: Option<PeriodColumns>,
    with_residual: bool,
}

fn naive(left: &[Row], right: &[Row], case: &Case) -> Vec<(Option<usize>, Option<usize>)> {
    let matches = |(i, l): (usize, &Row), (j, r): (usize, &Row)| {
        let first = l.0.is_some() && l.0 == r.0;
        let second = l.1.is_some() && l.1 == r.1;
        let keys = (case.key_count < 1 || first) && (case.key_count < 2 || second);
        let period = case.period.is_none_or(|period| {
            let since = if period.since == 2 { l.2 } else { l.3 };
            let end = |end: Option<i64>, is_open: bool, open: i64| end.or(is_open.then_some(open));
            let (Some(since), Some(until), Some(from), Some(to)) = (
                end(since, period.open_since, -100),
                end(l.2, period.open_until, 100),
                end(r.2, period.open_from, -100),
                end(r.3, period.open_to, 100),
            ) else {
                return false;
            };
            let begins = if period.from_included { from <= until } else { from < until };
            let ends = if period.to_included { since <= to } else { since < to };
            begins && ends
        });
        let rest = !case.with_residual || residual(i as i64, j as i64) == Some(true);
        keys && period && rest
    };
    let mut pairs = Vec::new();
    let mut found = vec![false; right.len()];
    for l in left.iter().enumerate() {
        let before = pairs.len();
        for r in right.iter().enumerate() {
            if matches(l, r) {
                pairs.push((Some(l.0), Some(r.0)));
                found[r.0] = true;
            }
        }
        let has_partner = pairs.len() > before;
        let stays_alone = match case.kind {
            JoinKind::Semi => has_partner,
            JoinKind::Anti => !has_partner,
            kind => kind.keeps_left() && !has_partner,
        };
        if case.kind.only_asks() {
            pairs.truncate(before);
        }
        if stays_alone {
            pairs.push((Some(l.0), None));
        }
    }
    if case.kind.keeps_right() {
        pairs.extend((0..right.len()).filter(|row| !found[*row]).map(|row| (None, Some(row))));
    }
    pairs
}

fn joined(left: &Batch, right: &Batch, case: &Case, batch_rows: usize) -> Vec<Column> {
    let given = |column_idx: usize| Given { column_idx, ty: TYPES[column_idx] };
    let spec = JoinSpec {
        kind: case.kind,
        left_out: vec![given(4), given(1)],
        right_out: vec![given(4), given(0)],
        keys: [(0, 0), (1, 1)][..case.key_count].to_vec(),
        same: vec![],
        period: case.period,
    };
    let residual = case.with_residual.then(|| Box::new(Residual) as BoxEval);
    let tuning = Tuning::of_rows(batch_rows);
    let join = HashJoin::new(batches_of(left, batch_rows), batches_of(right, batch_rows), spec, residual, tuning);
    let types = [Type::Integer, Type::Text, Type::Integer, Type::Integer];
    drain(join, if case.kind.only_asks() { &types[..2] } else { &types })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn pairs_are_those_of_nested_loops(
        (left, right) in (rows(), rows()),
        kind in prop::sample::select(KINDS.to_vec()),
        key_count in 0..3usize,
        period in prop::option::of(any::<[bool; 7]>()),
        with_residual in any::<bool>(),
        batch_rows in prop::sample::select(vec![1usize, 3, 8192]),
    ) {
        let period = period.map(|[is_point, from_included, to_included, open_since, open_until, open_from, open_to]| {
            let since = if is_point { 2 } else { 3 };
            PeriodColumns { since, until: 2, from: 2, to: 3, from_included, to_included, open_since, open_until, open_from, open_to }
        });
        let case = Case { kind, key_count, period, with_residual };
        let (left_batch, right_batch) = (batch(&left), batch(&right));
        let columns = joined(&left_batch, &right_batch, &case, batch_rows);
        let number = |row: Option<usize>| row.map_or(Value::Null, |row| Value::Integer(row as i64));
        let pairs = naive(&left, &right, &case);
        for (row, (l, r)) in pairs.iter().enumerate() {
            let text = l.map_or(Value::Null, |l| left[l].1.clone().into());
            let key = r.map_or(Value::Null, |r| right[r].0.into());
            let given: Vec<Value> = columns.iter().map(|column| column.value(row)).collect();
            prop_assert_eq!(&given, &vec![number(*l), text, number(*r), key][..given.len()]);
        }
        prop_assert_eq!(columns[0].len(), pairs.len());
    }
}

/// One key with ten thousand rows on both sides does not become one batch of a hundred million pairs.
#[test]
fn batches_of_pairs_are_bounded() {
    let ones = Batch::new(vec![Column::constant(Type::Integer, 1i64.into(), 3000)], 3000);
    let given = vec![Given { column_idx: 0, ty: Type::Integer }];
    for kind in [JoinKind::Inner, JoinKind::Full] {
        let spec = JoinSpec {
            kind,
            left_out: given.clone(),
            right_out: vec![],
            keys: vec![(0, 0)],
            same: vec![],
            period: None,
        };
        let tuning = Tuning::of_rows(1000);
        let mut join = HashJoin::new(batches_of(&ones, 3000), batches_of(&ones, 3000), spec, None, tuning);
        for _ in 0..100 {
            let batch = join.next().expect("no fault").expect("nine million pairs");
            assert!(batch.len() <= 1000, "{}", batch.len());
        }
    }
}

/// Rates of many days are found by a search, not by a walk over all of them: with a walk this takes minutes.
#[test]
fn a_point_is_looked_up_among_many_periods() {
    let count = 200_000i64;
    let days = |from: i64| Column::from_i64s(Type::Timestamp, (from..count + from).collect());
    let right = Batch::new(vec![days(0), days(1)], count as usize);
    let left = Batch::new(vec![days(0)], count as usize);
    let spec = JoinSpec {
        kind: JoinKind::Inner,
        left_out: vec![Given { column_idx: 0, ty: Type::Timestamp }],
        right_out: vec![Given { column_idx: 0, ty: Type::Timestamp }],
        keys: vec![],
        same: vec![],
        period: Some(PeriodColumns {
            since: 0,
            until: 0,
            from: 0,
            to: 1,
            from_included: true,
            to_included: false,
            open_since: false,
            open_until: false,
            open_from: false,
            open_to: false,
        }),
    };
    let join = HashJoin::new(batches_of(&left, 8192), batches_of(&right, 8192), spec, None, Tuning::default());
    let columns = drain(join, &[Type::Timestamp, Type::Timestamp]);
    assert_eq!(columns[0].len(), count as usize);
    assert_eq!(columns[0], columns[1]);
}

/// No pair passes, and the statement is cancelled at the first look.
struct Cancels(Arc<Cancellation>, Arc<AtomicUsize>);

impl Eval for Cancels {
    fn eval(&mut self, pairs: &Batch) -> Result<Batch, ExecError> {
        self.0.cancel();
        self.1.fetch_add(1, Relaxed);
        Ok(Batch::new(vec![Column::constant(Type::Boolean, Value::Boolean(false), pairs.len())], pairs.len()))
    }
}

#[test]
fn who_only_asks_for_a_partner_is_cancelled_between_batches_of_pairs() {
    let row: Row = (None, None, None, None);
    let both = batch(&vec![row; 40]);
    let given = |ty| vec![Given { column_idx: 4, ty }];
    let spec = JoinSpec {
        kind: JoinKind::Semi,
        left_out: given(Type::Integer),
        right_out: given(Type::Integer),
        keys: Vec::new(),
        same: Vec::new(),
        period: None,
    };
    let (cancellation, looks) = (Arc::new(Cancellation::default()), Arc::new(AtomicUsize::new(0)));
    let budget = Budget::start(&cancellation, None, None, None);
    let tuning = Tuning { budget, ..Tuning::of_rows(16) };
    let residual = Box::new(Cancels(cancellation, looks.clone()));
    let mut join = HashJoin::new(batches_of(&both, 40), batches_of(&both, 40), spec, Some(residual), tuning);
    assert!(matches!(join.next(), Err(ExecError::Cancelled)));
    assert_eq!(looks.load(Relaxed), 1, "the other pairs of the batch were not looked at");
}
