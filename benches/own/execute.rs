//! How many rows a second does the interpreter carry through its operators, when the columns lie in memory already?
//!
//! Data: 4 M rows of plain columns without NULLs, in batches of 8,192: `k` INTEGER, all different and scattered; `y` INTEGER,
//! 0 to 999 at random; `x` INTEGER and `r` REAL at random; `g` TEXT, 100 different values of 8 bytes, as a dictionary; `t` the
//! same texts, plain. No store is involved: a figure here is the ceiling for what a scan from disk can reach. `filter_sum`
//! is one of the house's floors (50 M rows/s); if it falls, a batch loop has lost its vectorisation or a gather has crept in.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use spectradb::{
    interp::{ExecContext, build},
    ops::{Reads, TableReader, TableScan, Tuning},
};
use spectradb_grammar::{
    plan::{
        AggregateCall, Expr, ExprKind, Field, Join, JoinKind, KeyAccess, Node, NodeKind, QueryPlan, Scan, ScanColumn,
        SortKey, SystemScope, ValidScope,
    },
    span::Span,
};
use spectradb_kernel::{
    Batch, Column, Type, Value, agg,
    batch::BATCH_ROWS,
    column::{Codes, Data},
    func,
    schema::{TableId, TableKind, TableSchema},
    time::{Commit, Timestamp},
    ty::TypeClass,
};
use spectradb_store::{
    error::StoreError,
    scan::{self, ScanSpec},
};
use std::{hint::black_box, sync::Arc};

const ROWS: usize = 4 << 20;
const TYPES: [Type; 6] = [Type::Integer, Type::Integer, Type::Integer, Type::Real, Type::Text, Type::Text];
const K: usize = 0;
const Y: usize = 1;
const X: usize = 2;
const R: usize = 3;
const G: usize = 4;
const T: usize = 5;

/// The columns in memory.
struct InMemory(Vec<Batch>);

impl InMemory {
    fn new() -> InMemory {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let texts: Vec<Value> = (0..100).map(|i| Value::Text(format!("group {i:02}"))).collect();
        let values = Arc::new(Column::from_values(Type::Text, &texts));
        let mut key = 0u64;
        let batches = (0..ROWS / BATCH_ROWS).map(|_| {
            let mut column = |of: &dyn Fn(u64) -> i64| (0..BATCH_ROWS).map(|_| of(random())).collect::<Vec<i64>>();
            let y = column(&|random| (random % 1000) as i64);
            let x = column(&|random| (random % 1_000_000) as i64);
            let r = column(&|random| (random % 1_000_000) as i64).into_iter().map(|value| value as f64 / 7.0).collect();
            let codes = column(&|random| (random % 100) as i64).into_iter().map(|code| code as u16).collect::<Vec<_>>();
            let k = (0..BATCH_ROWS).map(|_| {
                key += 1;
                (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as i64
            });
            let group = Data::Dictionary { codes: Codes::U16(codes.into()), values: values.clone() };
            let group = Column::new(Type::Text, None, group);
            let columns = vec![
                Column::from_i64s(Type::Integer, k.collect()),
                Column::from_i64s(Type::Integer, y),
                Column::from_i64s(Type::Integer, x),
                Column::from_f64s(r),
                group.clone(),
                group.to_plain(),
            ];
            Batch::new(columns, BATCH_ROWS)
        });
        InMemory(batches.collect())
    }
}

impl TableReader for InMemory {
    fn scan(&self, spec: ScanSpec, _: Reads) -> Result<TableScan, StoreError> {
        let picked: Vec<_> = self
            .0
            .iter()
            .map(|batch| {
                let columns = spec.columns.iter().map(|column| match column {
                    scan::ScanColumn::Data(idx) => batch.raw_column(*idx).clone(),
                    other => unreachable!("the bench reads data only, not {other:?}"),
                });
                Ok(Batch::new(columns.collect(), batch.len()))
            })
            .collect();
        Ok(Box::new(picked.into_iter()))
    }
    fn commit_at(&self, _: i64) -> Result<Commit, StoreError> {
        Ok(1)
    }
    fn current_commit(&self) -> Commit {
        1
    }
}

fn expr(kind: ExprKind, ty: Type) -> Expr {
    Expr { kind, ty, nullable: false, span: Span::default() }
}

fn column(column_idx: usize, ty: Type) -> Expr {
    expr(ExprKind::Column(column_idx), ty)
}

fn call(name: &str, args: Vec<Expr>, ty: Type) -> Expr {
    let classes: Vec<TypeClass> = args.iter().map(|arg| arg.ty.class()).collect();
    let function = func::find(name, &classes).expect("the kernel has the function");
    expr(ExprKind::Call { function, args }, ty)
}

fn int(value: i64) -> Expr {
    expr(ExprKind::Const(Value::Integer(value)), Type::Integer)
}

fn node(kind: NodeKind, types: &[Type]) -> Node {
    let fields = types.iter().map(|ty| Field { name: String::new(), ty: *ty, nullable: false }).collect();
    Node { kind, fields }
}

fn scan_of(columns: &[usize]) -> Node {
    let table = TableSchema {
        id: TableId(1),
        name: "t".into(),
        version: 1,
        kind: TableKind::Typed,
        columns: Vec::new(),
        key: Vec::new(),
    };
    let scan = Scan {
        table: Arc::new(table),
        alias: "t".into(),
        columns: columns.iter().map(|idx| ScanColumn::Data(*idx)).collect(),
        system: SystemScope::Latest,
        valid: ValidScope::All,
        keys: KeyAccess::All,
        predicates: Vec::new(),
    };
    node(NodeKind::Scan(Box::new(scan)), &columns.iter().map(|idx| TYPES[*idx]).collect::<Vec<_>>())
}

fn filter(input: Node, predicate: Expr) -> Node {
    let fields = input.fields.clone();
    Node { kind: NodeKind::Filter { input: Box::new(input), predicate }, fields }
}

fn sum(column_idx: usize, ty: Type) -> AggregateCall {
    let aggregate = agg::find("sum", Some(ty.class())).expect("the kernel has it");
    let arg = Some(column(column_idx, ty));
    AggregateCall {
        aggregate,
        arg,
        more: Vec::new(),
        distinct: false,
        order: Vec::new(),
        ty: (aggregate.ret)(ty),
        span: Span::default(),
    }
}

fn aggregate(input: Node, group: Vec<Expr>, aggregates: Vec<AggregateCall>) -> Node {
    let types: Vec<Type> = group.iter().map(|expr| expr.ty).chain(aggregates.iter().map(|call| call.ty)).collect();
    node(NodeKind::Aggregate { input: Box::new(input), group, aggregates }, &types)
}

fn execute(criterion: &mut Criterion) {
    let data = InMemory::new();
    let context = ExecContext {
        reader: &data,
        params: &[],
        now: Timestamp(0),
        tuning: Tuning::default(),
        given: &[],
        written: &[],
    };
    let greater = |idx, bound| call(">", vec![column(idx, Type::Integer), int(bound)], Type::Boolean);
    let both = |first, second| expr(ExprKind::And(vec![first, second]), Type::Boolean);
    let product = call("*", vec![column(1, Type::Integer), int(3)], Type::Integer);
    let product = call("+", vec![product, column(0, Type::Integer)], Type::Integer);
    let project = NodeKind::Project { input: Box::new(scan_of(&[Y, X])), exprs: vec![product] };
    let sort_keys = vec![SortKey { expr: column(0, Type::Integer), descending: true, nulls_first: true }];
    let sorted =
        node(NodeKind::Sort { input: Box::new(scan_of(&[X, K])), keys: sort_keys }, &[Type::Integer, Type::Integer]);
    let first = NodeKind::Limit { input: Box::new(sorted.clone()), limit: Some(int(100)), offset: None };
    let small = filter(scan_of(&[K, Y]), call("<", vec![column(1, Type::Integer), int(10)], Type::Boolean));
    let join = Join {
        kind: JoinKind::Inner,
        left: scan_of(&[K, X]),
        right: small,
        keys: vec![(column(0, Type::Integer), column(0, Type::Integer))],
        same: Vec::new(),
        period: None,
        residual: None,
        bindings: Vec::new(),
    };
    let joined = node(NodeKind::Join(Box::new(join)), &[Type::Integer; 4]);
    let plans = [
        (
            "filter_sum_integer",
            aggregate(filter(scan_of(&[Y, X]), greater(0, 500)), vec![], vec![sum(1, Type::Integer)]),
        ),
        ("filter_sum_real", aggregate(filter(scan_of(&[Y, R]), greater(0, 500)), vec![], vec![sum(1, Type::Real)])),
        ("filter_sum_rare", aggregate(filter(scan_of(&[Y, R]), greater(0, 989)), vec![], vec![sum(1, Type::Real)])),
        (
            "filter_and_sum",
            aggregate(
                filter(scan_of(&[Y, X]), both(greater(0, 500), greater(1, 500_000))),
                vec![],
                vec![sum(1, Type::Integer)],
            ),
        ),
        ("project_sum", aggregate(node(project, &[Type::Integer]), vec![], vec![sum(0, Type::Integer)])),
        ("group_by_integer", aggregate(scan_of(&[Y, X]), vec![column(0, Type::Integer)], vec![sum(1, Type::Integer)])),
        ("group_by_dictionary", aggregate(scan_of(&[G, X]), vec![column(0, Type::Text)], vec![sum(1, Type::Integer)])),
        ("group_by_text", aggregate(scan_of(&[T, X]), vec![column(0, Type::Text)], vec![sum(1, Type::Integer)])),
        (
            "group_by_two",
            aggregate(
                scan_of(&[G, Y, X]),
                vec![column(0, Type::Text), column(1, Type::Integer)],
                vec![sum(2, Type::Integer)],
            ),
        ),
        ("group_by_key", aggregate(scan_of(&[K, X]), vec![column(0, Type::Integer)], vec![sum(1, Type::Integer)])),
        ("join_one_percent", aggregate(joined, vec![], vec![sum(1, Type::Integer)])),
        ("first_100_of_an_order", node(first, &[Type::Integer, Type::Integer])),
        ("order_by_integer", sorted),
    ];
    let mut group = criterion.benchmark_group("execute");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(10);
    for (name, root) in plans {
        let query = QueryPlan { root, subplans: Vec::new() };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut source = build(&query, &context).expect("the plan is sound");
                while let Some(batch) = source.next().expect("nothing fails") {
                    black_box(batch.len());
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, execute);
criterion_main!(benches);
