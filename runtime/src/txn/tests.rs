//! Does a transaction on the real store answer like a naive grid of (commit, key, instant) -> value?
//!
//! Random transactions insert, change and delete over parts of valid time, some roll back, the store is flushed and
//! compacted in between, some write what they have stated to files before they commit; after every statement the transaction's own view is compared, after every commit each past
//! commit at each instant. Could go wrong wherever a leftover, an ended fact or an own write is counted twice or lost.

use super::*;
use proptest::prelude::*;
use spectradb_kernel::{Batch, Type};
use spectradb_store::{
    NewColumn, NewTable, Store,
    config::Config,
    scan::{KeyRange, ScanColumn, ScanSpec, SystemScope, ValidScope},
};
use std::collections::BTreeMap;

const INSTANTS: i64 = 6;
const KEYS: i64 = 3;

/// The value at each (key, instant).
type Grid = BTreeMap<(i64, i64), i64>;

#[derive(Clone, Debug)]
enum Change {
    Insert { key: i64, from: i64, to: i64, value: i64 },
    Update { key: i64, portion: Option<(i64, i64)>, value: i64 },
    Move { key: i64, to_key: i64 },
    Delete { key: i64, portion: Option<(i64, i64)> },
}

#[derive(Clone, Debug)]
enum Step {
    Transaction { changes: Vec<Change>, commits: bool },
    Flush,
    Compact,
}

fn bounds() -> impl Strategy<Value = (i64, i64)> {
    (0..INSTANTS).prop_flat_map(|from| (Just(from), from + 1..=INSTANTS))
}

fn change() -> impl Strategy<Value = Change> {
    let value = 0..3i64;
    prop_oneof![
        4 => (0..KEYS, bounds(), value.clone())
            .prop_map(|(key, (from, to), value)| Change::Insert { key, from, to, value }),
        4 => (0..KEYS, proptest::option::of(bounds()), value)
            .prop_map(|(key, portion, value)| Change::Update { key, portion, value }),
        1 => (0..KEYS, 0..KEYS).prop_map(|(key, to_key)| Change::Move { key, to_key }),
        3 => (0..KEYS, proptest::option::of(bounds())).prop_map(|(key, portion)| Change::Delete { key, portion }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let transaction = (proptest::collection::vec(change(), 1..5), proptest::bool::weighted(0.85))
        .prop_map(|(changes, commits)| Step::Transaction { changes, commits });
    prop_oneof![8 => transaction, 1 => Just(Step::Flush), 1 => Just(Step::Compact)]
}

fn table_of(store: &Store) -> Arc<TableSchema> {
    let column =
        |name: &str| NewColumn { name: name.into(), ty: Type::Integer, nullable: false, default: None, hidden: false };
    let table = NewTable {
        name: "t".into(),
        kind: spectradb_kernel::schema::TableKind::Typed,
        columns: vec![column("id"), column("value")],
        key: vec![0],
    };
    store.create_table(table, store.catalog().version).expect("the table is new")
}

fn spec(table: &TableSchema, system: SystemScope, valid: ValidScope, columns: &[ScanColumn]) -> ScanSpec {
    ScanSpec {
        table: table.id,
        columns: columns.to_vec(),
        keys: KeyRange::All,
        system,
        valid,
        predicates: Vec::new(),
        batch_rows_max: 4,
    }
}

fn read(view: &TxnView, table: &TableSchema, reads: Reads, commit: Commit) -> Grid {
    let mut grid = Grid::new();
    for at in 0..INSTANTS {
        let spec =
            spec(table, SystemScope::AsOf(commit), ValidScope::At(at), &[ScanColumn::Data(0), ScanColumn::Data(1)]);
        for batch in view.scan(spec, reads).expect("the scan opens") {
            let columns = batch.expect("the scan reads").into_columns();
            let (ids, values) = (columns[0].i64s(), columns[1].i64s());
            for row in 0..columns[0].len() {
                let doubled = grid.insert((ids.at(row), at), values.at(row));
                assert_eq!(doubled, None, "two facts of key {} hold at {at}", ids.at(row));
            }
        }
    }
    grid
}

fn update(
    txn: &mut Txn,
    table: &Arc<TableSchema>,
    batches: Vec<Batch>,
    portion: Option<Period>,
) -> Result<Changed, Error> {
    let mut edit = Edit::new(table, portion);
    batches.into_iter().try_for_each(|batch| edit.update(batch, None))?;
    txn.apply(edit)
}

fn delete(
    txn: &mut Txn,
    table: &Arc<TableSchema>,
    batches: Vec<Batch>,
    portion: Option<Period>,
) -> Result<Changed, Error> {
    let mut edit = Edit::new(table, portion);
    batches.into_iter().try_for_each(|batch| edit.delete(batch))?;
    txn.apply(edit)
}

/// What the binder's source of an UPDATE or DELETE gives for the facts of a key.
fn source(view: &TxnView, table: &TableSchema, key: i64) -> Vec<Batch> {
    let columns = [
        ScanColumn::Data(0),
        ScanColumn::Data(1),
        ScanColumn::ValidFrom,
        ScanColumn::ValidTo,
        ScanColumn::Commit,
        ScanColumn::Origin,
    ];
    let spec = spec(table, SystemScope::AsOf(view.current_commit()), ValidScope::All, &columns);
    let batches = view.scan(spec, Reads::WithOwnWrites).expect("the scan opens");
    let of_key = |batch: Result<Batch, StoreError>| {
        let batch = batch.expect("the scan reads").dense();
        let ids = batch.column(0);
        let rows = (0..batch.len() as u32).filter(|row| ids.i64s().at(*row as usize) == key).collect();
        batch.select(rows).dense()
    };
    batches.map(of_key).filter(|batch| !batch.is_empty()).collect()
}

fn with_new(batch: Batch, of_column: impl Fn(usize) -> Option<i64>) -> Batch {
    let row_count = batch.len();
    let mut columns = batch.into_columns();
    for column_idx in 0..2 {
        columns.push(match of_column(column_idx) {
            Some(value) => Column::from_i64s(Type::Integer, vec![value; row_count]),
            None => columns[column_idx].clone(),
        });
    }
    Batch::new(columns, row_count)
}

/// Carries a change out in both; answers whether the transaction took it.
fn carry_out(txn: &mut Txn, table: &Arc<TableSchema>, grid: &mut Grid, change: &Change) -> bool {
    let portion = |portion: Option<(i64, i64)>| portion.map(|(from, to)| Period::new(from, to).expect("from < to"));
    let covers = |portion: Option<(i64, i64)>, at: i64| portion.is_none_or(|(from, to)| from <= at && at < to);
    match *change {
        Change::Insert { key, from, to, value } => {
            let taken = (from..to).any(|at| grid.contains_key(&(key, at)));
            let columns =
                vec![Column::from_i64s(Type::Integer, vec![key]), Column::from_i64s(Type::Integer, vec![value])];
            let done = txn.insert(table, columns, vec![Period::new(from, to).expect("from < to")]);
            assert_eq!(done.is_err(), taken, "{done:?}");
            if !taken {
                grid.extend((from..to).map(|at| ((key, at), value)));
            }
            !taken
        }
        Change::Update { key, portion: part, value } => {
            let view = txn.view();
            let batches = source(&view, table, key);
            let batches = batches.into_iter().map(|b| with_new(b, |idx| (idx == 1).then_some(value))).collect();
            update(txn, table, batches, portion(part)).expect("a value changes, no key");
            for at in 0..INSTANTS {
                if covers(part, at) {
                    grid.entry((key, at)).and_modify(|held| *held = value);
                }
            }
            true
        }
        Change::Move { key, to_key } => {
            let taken = key != to_key
                && (0..INSTANTS).any(|at| grid.contains_key(&(key, at)) && grid.contains_key(&(to_key, at)));
            let view = txn.view();
            let batches = source(&view, table, key);
            let batches = batches.into_iter().map(|b| with_new(b, |idx| (idx == 0).then_some(to_key))).collect();
            let done = update(txn, table, batches, None);
            assert_eq!(done.is_err(), taken, "{done:?}");
            if !taken {
                let moved: Vec<(i64, i64)> =
                    (0..INSTANTS).filter_map(|at| Some((at, grid.remove(&(key, at))?))).collect();
                grid.extend(moved.into_iter().map(|(at, value)| ((to_key, at), value)));
            }
            !taken
        }
        Change::Delete { key, portion: part } => {
            let batches = source(&txn.view(), table, key);
            delete(txn, table, batches, portion(part)).expect("a delete needs nothing");
            grid.retain(|(held, at), _| *held != key || !covers(part, *at));
            true
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn transactions_answer_like_a_grid(
        steps in proptest::collection::vec(step(), 1..14),
        spills in proptest::sample::select(vec![0, 300, usize::MAX]),
        shard_count in proptest::sample::select(vec![1, 3]),
    ) {
        let config = Config { transaction_bytes_max: spills, shard_count: Some(shard_count), ..Config::default() };
        let store = Store::open_memory(config).expect("memory is there");
        let table = table_of(&store);
        let mut history: Vec<Grid> = vec![Grid::new()];
        for step in &steps {
            match step {
                Step::Flush => store.flush().expect("memory is there"),
                Step::Compact => store.compact().expect("memory is there"),
                Step::Transaction { changes, commits } => {
                    let mut txn = Txn::new(store.snapshot(), 0).spilling_to(&store);
                    let mut grid = history.last().expect("there is a first").clone();
                    let mut failed = false;
                    for change in changes {
                        if !carry_out(&mut txn, &table, &mut grid, change) {
                            failed = true;
                            break;
                        }
                        txn.spill_if_full().expect("memory is there");
                        let seen = read(&txn.view(), &table, Reads::WithOwnWrites, txn.snapshot().commit());
                        prop_assert_eq!(&seen, &grid, "own view after {:?}", change);
                    }
                    let write = txn.into_write().expect("it reads").filter(|_| *commits && !failed);
                    if let Some(write) = write {
                        let committed = store.commit(write).expect("nobody else commits");
                        prop_assert_eq!(committed.commit, history.len() as u64);
                        history.push(grid);
                    }
                }
            }
            let view = Txn::new(store.snapshot(), 0).view();
            // The table was not there as of commit 0: reading it then is an error.
            for (commit, grid) in history.iter().enumerate().skip(1) {
                let seen = read(&view, &table, Reads::Committed, commit as u64);
                prop_assert_eq!(&seen, grid, "as of commit {}", commit);
            }
        }
        let found = store.verify(None).expect("it reads");
        prop_assert_eq!(found.difference, None);
    }
}
