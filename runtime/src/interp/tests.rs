//! Does the interpreter answer as SQL's rules say, whatever the size of batches?
//!
//! Plans are built by hand over VALUES and over a reader that knows one table, so that a failure here is ours and neither
//! the binder's nor the store's.

use super::{ExecContext, build};
use crate::ops::{ExecError, Reads, TableReader, TableScan, Tuning};
use proptest::prelude::*;
use spectradb_grammar::{
    plan::{
        self, CompareOp, Expr, ExprKind, Field, KeyAccess, KeyBound, Node, NodeKind, QueryPlan, ScanPredicate,
        SubplanAsk,
    },
    span::Span,
};
use spectradb_kernel::{
    Batch, Column, Period, Type, Value,
    func::{self, Function},
    key,
    schema::{ColumnId, ColumnSchema, TableId, TableKind, TableSchema},
    time::{Commit, Timestamp},
    ty::TypeClass,
};
use spectradb_store::{
    error::StoreError,
    scan::{self as store, BlockOp, BlockPredicate, KeyRange, ScanSpec},
};
use std::{ops::Bound, sync::Mutex};

/// A table of one batch; remembers what was asked.
#[derive(Default)]
struct OneTable {
    batch: Option<Batch>,
    asked: Mutex<Vec<(ScanSpec, Reads)>>,
}

impl TableReader for OneTable {
    fn scan(&self, spec: ScanSpec, reads: Reads) -> Result<TableScan, StoreError> {
        let rows = spec.batch_rows_max;
        self.asked.lock().expect("no test panicked").push((spec, reads));
        let batch = self.batch.clone().expect("the test has a table");
        let slices: Vec<_> =
            (0..batch.len()).step_by(rows).map(|row| Ok(batch.slice(row..batch.len().min(row + rows)))).collect();
        Ok(Box::new(slices.into_iter()))
    }
    fn commit_at(&self, _: i64) -> Result<Commit, StoreError> {
        Ok(7)
    }
    fn current_commit(&self) -> Commit {
        7
    }
}

fn expr(kind: ExprKind, ty: Type) -> Expr {
    Expr { kind, ty, nullable: true, span: Span::default() }
}

fn column(column_idx: usize, ty: Type) -> Expr {
    expr(ExprKind::Column(column_idx), ty)
}

fn constant(value: impl Into<Value>, ty: Type) -> Expr {
    expr(ExprKind::Const(value.into()), ty)
}

fn int(value: i64) -> Expr {
    constant(value, Type::Integer)
}

fn call(name: &str, args: Vec<Expr>, ty: Type) -> Expr {
    let classes: Vec<TypeClass> = args.iter().map(|arg| arg.ty.class()).collect();
    let function: &'static Function = func::find(name, &classes).expect("the kernel has the function");
    expr(ExprKind::Call { function, args }, ty)
}

/// The same, standing at a place.
fn call_at(start: u32, name: &str, args: Vec<Expr>, ty: Type) -> Expr {
    Expr { span: Span { start, end: start + 1 }, ..call(name, args, ty) }
}

fn compare(name: &str, left: Expr, right: Expr) -> Expr {
    call(name, vec![left, right], Type::Boolean)
}

fn values(types: &[Type], rows: &[Vec<Value>]) -> Node {
    let cell = |(value, ty): (&Value, &Type)| constant(value.clone(), *ty);
    let rows = rows.iter().map(|row| row.iter().zip(types).map(cell).collect()).collect();
    Node { kind: NodeKind::Values { rows }, fields: fields(types) }
}

fn ints(numbers: &[Option<i64>]) -> Node {
    let rows: Vec<Vec<Value>> = numbers.iter().map(|number| vec![(*number).into()]).collect();
    values(&[Type::Integer], &rows)
}

fn fields(types: &[Type]) -> Vec<Field> {
    types.iter().map(|ty| Field { name: String::new(), ty: *ty, nullable: true }).collect()
}

fn project(input: Node, exprs: Vec<Expr>) -> Node {
    let types: Vec<Type> = exprs.iter().map(|expr| expr.ty).collect();
    Node { kind: NodeKind::Project { input: Box::new(input), exprs }, fields: fields(&types) }
}

fn filter(input: Node, predicate: Expr) -> Node {
    let fields = input.fields.clone();
    Node { kind: NodeKind::Filter { input: Box::new(input), predicate }, fields }
}

fn run_with(root: Node, subplans: Vec<Node>, batch_rows: usize) -> Result<Vec<Vec<Value>>, ExecError> {
    let reader = OneTable::default();
    let context = ExecContext {
        reader: &reader,
        params: &[],
        now: Timestamp(0),
        tuning: Tuning::of_rows(batch_rows),
        given: &[],
        written: &[],
    };
    let mut source = build(&QueryPlan { root, subplans }, &context)?;
    let mut rows = Vec::new();
    while let Some(batch) = source.next()? {
        let columns = batch.into_columns();
        let len = columns.first().map_or(0, Column::len);
        rows.extend((0..len).map(|row| columns.iter().map(|column| column.value(row)).collect::<Vec<_>>()));
    }
    Ok(rows)
}

/// The rows of a plan, which must be the same for every size of batches.
#[track_caller]
fn run(root: &Node, subplans: &[Node]) -> Vec<Vec<Value>> {
    let [one, three, many] =
        [1, 3, 8192].map(|rows| run_with(root.clone(), subplans.to_vec(), rows).expect("no fault"));
    assert_eq!(one, three);
    assert_eq!(one, many);
    one
}

/// The fault of a plan and where it stands, which must be the same for every size of batches.
#[track_caller]
fn fault(root: &Node) -> (&'static str, u32) {
    let [one, three, many] = [1, 3, 8192].map(|rows| {
        let error = run_with(root.clone(), vec![], rows).expect_err("the plan fails");
        (error.code(), error.place().expect("a place").start)
    });
    assert_eq!(one, three);
    assert_eq!(one, many);
    one
}

fn single(rows: Vec<Vec<Value>>) -> Vec<Value> {
    rows.into_iter().map(|mut row| row.swap_remove(0)).collect()
}

fn bools(values: &[Option<bool>]) -> Vec<Value> {
    values.iter().map(|value| (*value).into()).collect()
}

fn tenth(start: u32) -> Expr {
    call_at(start, "/", vec![int(10), column(0, Type::Integer)], Type::Integer)
}

#[test]
fn later_arms_are_asked_about_open_rows_only() {
    let rows = || ints(&[Some(0), Some(5), None, Some(20), Some(0)]);
    let x = || column(0, Type::Integer);
    let guarded = expr(ExprKind::And(vec![compare("<>", x(), int(0)), compare(">", tenth(0), int(0))]), Type::Boolean);
    let wanted = bools(&[Some(false), Some(true), None, Some(false), Some(false)]);
    assert_eq!(single(run(&project(rows(), vec![guarded.clone()]), &[])), wanted);
    assert_eq!(single(run(&filter(rows(), guarded), &[])), [Value::Integer(5)]);
    let either = expr(ExprKind::Or(vec![compare("=", x(), int(0)), compare(">", tenth(0), int(0))]), Type::Boolean);
    let wanted = bools(&[Some(true), Some(true), None, Some(false), Some(true)]);
    assert_eq!(single(run(&project(rows(), vec![either]), &[])), wanted);
    // The unguarded arm comes first here, and no later arm saves it.
    let unguarded =
        expr(ExprKind::And(vec![compare(">", tenth(4), int(0)), compare("<>", x(), int(0))]), Type::Boolean);
    assert_eq!(fault(&filter(rows(), unguarded)), ("22012", 4));
}

#[test]
fn a_case_computes_only_what_it_gives() {
    let rows = ints(&[Some(0), Some(5), None, Some(3), Some(0), Some(10)]);
    let x = || column(0, Type::Integer);
    let case = |otherwise| {
        let arms = vec![
            (compare("=", x(), int(0)), int(-1)),
            (compare(">", tenth(0), int(2)), tenth(1)),
            (compare("=", x(), int(5)), x()),
        ];
        expr(ExprKind::Case { arms, otherwise }, Type::Integer)
    };
    let wanted = |otherwise: Option<i64>| -> Vec<Value> {
        [Some(-1), Some(5), otherwise, Some(3), Some(-1), otherwise].map(Value::from).to_vec()
    };
    assert_eq!(single(run(&project(rows.clone(), vec![case(None)]), &[])), wanted(None));
    let seven = case(Some(Box::new(int(7))));
    assert_eq!(single(run(&project(rows.clone(), vec![seven]), &[])), wanted(Some(7)));
    // All rows in one arm, and all in none.
    let all = expr(ExprKind::Case { arms: vec![(constant(true, Type::Boolean), x())], otherwise: None }, Type::Integer);
    let none = expr(
        ExprKind::Case { arms: vec![(constant(Value::Null, Type::Boolean), tenth(0))], otherwise: None },
        Type::Integer,
    );
    let both = run(&project(rows, vec![all, none]), &[]);
    assert_eq!(both[1], [Value::Integer(5), Value::Null]);
    assert_eq!(both[2], [Value::Null, Value::Null]);
}

#[test]
fn the_first_row_that_fails_is_reported() {
    // The second expression fails in an earlier row than the first.
    let rows = ints(&[Some(1), Some(i64::MAX), Some(2), Some(0)]);
    let next = call_at(9, "+", vec![column(0, Type::Integer), int(1)], Type::Integer);
    assert_eq!(fault(&project(rows.clone(), vec![tenth(3), next.clone()])), ("22003", 9));
    assert_eq!(fault(&project(rows, vec![next, tenth(3)])), ("22003", 9));
    let rows = ints(&[Some(0), Some(i64::MAX)]);
    let next = call_at(9, "+", vec![column(0, Type::Integer), int(1)], Type::Integer);
    assert_eq!(fault(&project(rows, vec![next, tenth(3)])), ("22012", 3));
}

#[test]
fn what_nobody_asks_does_not_fail() {
    let never = call("/", vec![int(1), int(0)], Type::Integer);
    let nothing = filter(ints(&[Some(1)]), constant(false, Type::Boolean));
    assert!(run(&project(nothing, vec![never.clone()]), &[]).is_empty());
    assert_eq!(fault(&project(ints(&[Some(1)]), vec![never])), ("22012", 0));
}

#[test]
fn numbers_have_the_type_of_their_expression() {
    let (a, b) = (Type::Numeric { precision: 10, scale: 2 }, Type::Numeric { precision: 12, scale: 2 });
    let numeric = |units| Value::Numeric(spectradb_kernel::value::Decimal { units, scale: 2 });
    let sum = call("+", vec![column(0, a), constant(numeric(50), a)], b);
    let rows = run(&project(values(&[a], &[vec![numeric(125)], vec![Value::Null]]), vec![sum]), &[]);
    assert_eq!(single(rows), [numeric(175), Value::Null]);
}

#[test]
fn subplans_answer_three_ways() {
    let ask = |subplan_idx, ask, ty| expr(ExprKind::Subplan { subplan_idx, ask, args: Vec::new() }, ty);
    let among = |subplan_idx| ask(subplan_idx, SubplanAsk::In(Box::new(column(0, Type::Integer))), Type::Boolean);
    let subplans = [ints(&[Some(1), None]), ints(&[]), ints(&[Some(4)])];
    let exprs = vec![
        among(0),
        among(1),
        ask(0, SubplanAsk::Exists, Type::Boolean),
        ask(1, SubplanAsk::Exists, Type::Boolean),
        ask(2, SubplanAsk::Scalar, Type::Integer),
        ask(1, SubplanAsk::Scalar, Type::Integer),
    ];
    let rows = run(&project(ints(&[Some(1), Some(2)]), exprs), &subplans);
    let row = |found: Option<bool>| -> Vec<Value> {
        vec![found.into(), false.into(), true.into(), false.into(), 4i64.into(), Value::Null]
    };
    assert_eq!(rows, [row(Some(true)), row(None)]);
    let many = project(ints(&[Some(1)]), vec![ask(0, SubplanAsk::Scalar, Type::Integer)]);
    for batch_rows in [1, 8192] {
        let error = run_with(many.clone(), subplans.to_vec(), batch_rows).expect_err("two rows");
        assert_eq!(error.code(), "21000");
    }
}

/// A number that may fail to be computed, over three INTEGER columns.
fn number() -> impl Strategy<Value = Expr> + Clone {
    let leaf = prop_oneof![
        (0..3usize).prop_map(|column_idx| column(column_idx, Type::Integer)),
        prop::option::of(-2..3i64).prop_map(|value| constant(value, Type::Integer)),
    ];
    leaf.prop_recursive(4, 40, 3, |number| {
        let pair = (number.clone(), number.clone());
        let start = any::<u16>().prop_map(u32::from);
        let operator = prop::sample::select(vec!["+", "-", "*", "/"]);
        prop_oneof![
            3 => (start, operator, pair.clone()).prop_map(|(start, name, (a, b))| call_at(start, name, vec![a, b], Type::Integer)),
            1 => (condition(number.clone()), pair).prop_map(|(when, (then, otherwise))| {
                expr(ExprKind::Case { arms: vec![(when, then)], otherwise: Some(Box::new(otherwise)) }, Type::Integer)
            }),
            1 => (condition(number.clone()), condition(number.clone()), number.clone(), number).prop_map(|(a, b, x, y)| {
                expr(ExprKind::Case { arms: vec![(a, x), (b, y)], otherwise: None }, Type::Integer)
            }),
        ]
    })
}

/// A truth value over numbers.
fn condition(number: impl Strategy<Value = Expr> + Clone + 'static) -> BoxedStrategy<Expr> {
    let compare_two = (prop::sample::select(vec!["=", "<", ">="]), number.clone(), number);
    let leaf = compare_two.prop_map(|(name, a, b)| compare(name, a, b));
    leaf.prop_recursive(2, 8, 3, |condition| {
        let arms = || prop::collection::vec(condition.clone(), 2..4);
        prop_oneof![
            arms().prop_map(|arms| expr(ExprKind::And(arms), Type::Boolean)),
            arms().prop_map(|arms| expr(ExprKind::Or(arms), Type::Boolean)),
            condition.clone().prop_map(|arm| call("not", vec![arm], Type::Boolean)),
        ]
    })
    .boxed()
}

/// The value of an expression for one row, as a person would compute it; or the place of the call that fails.
fn by_hand(expr: &Expr, row: &[Value]) -> Result<Value, u32> {
    let truth = |arm: &Expr| -> Result<Option<bool>, u32> {
        Ok(match by_hand(arm, row)? {
            Value::Boolean(value) => Some(value),
            _ => None,
        })
    };
    match &expr.kind {
        ExprKind::Column(column_idx) => Ok(row[*column_idx].clone()),
        ExprKind::Const(value) => Ok(value.clone()),
        ExprKind::Call { function, args } => {
            let args = args.iter().map(|arg| Ok(Column::from_values(arg.ty, &[by_hand(arg, row)?])));
            let args = args.collect::<Result<Vec<_>, u32>>()?;
            let called = (function.batch)(&args, 1).map_err(|_| expr.span.start)?;
            Ok(called.value(0))
        }
        ExprKind::And(arms) | ExprKind::Or(arms) => {
            let deciding = matches!(expr.kind, ExprKind::Or(_));
            let mut unknown = false;
            for arm in arms {
                match truth(arm)? {
                    Some(value) if value == deciding => return Ok(Value::Boolean(deciding)),
                    Some(_) => {}
                    None => unknown = true,
                }
            }
            Ok(if unknown { Value::Null } else { Value::Boolean(!deciding) })
        }
        ExprKind::Case { arms, otherwise } => {
            for (when, then) in arms {
                if truth(when)? == Some(true) {
                    return by_hand(then, row);
                }
            }
            otherwise.as_ref().map_or(Ok(Value::Null), |otherwise| by_hand(otherwise, row))
        }
        ExprKind::Param(_) | ExprKind::Context(_) | ExprKind::Outer(_) | ExprKind::Subplan { .. } => {
            unreachable!("not generated")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Vectors, arms asked about some rows and faults by row are only a quicker way to what row after row gives.
    #[test]
    fn vectors_answer_as_rows_do(
        rows in prop::collection::vec(prop::collection::vec(prop::option::weighted(0.8, -2..4i64), 3), 0..12),
        (keep, first, second) in (condition(number()), number(), number()),
    ) {
        let rows: Vec<Vec<Value>> = rows.into_iter().map(|row| row.into_iter().map(Value::from).collect()).collect();
        let root = project(filter(values(&[Type::Integer; 3], &rows), keep.clone()), vec![first.clone(), second.clone()]);
        let by_hand: Result<Vec<Vec<Value>>, u32> = rows
            .iter()
            .filter_map(|row| match by_hand(&keep, row) {
                Ok(Value::Boolean(true)) => {
                    Some(by_hand(&first, row).and_then(|first| Ok(vec![first, by_hand(&second, row)?])))
                }
                Ok(_) => None,
                Err(place) => Some(Err(place)),
            })
            .collect();
        for batch_rows in [1, 3, 8192] {
            let got = run_with(root.clone(), vec![], batch_rows);
            let got = got.map_err(|error| error.place().expect("a fault has a place").start);
            prop_assert_eq!(&got, &by_hand);
        }
    }
}

fn table() -> std::sync::Arc<TableSchema> {
    let column = |name: &str, id, ty| ColumnSchema {
        id: ColumnId(id),
        name: name.into(),
        ty,
        nullable: false,
        default: None,
        hidden: false,
    };
    std::sync::Arc::new(TableSchema {
        id: TableId(3),
        name: "t".into(),
        version: 1,
        kind: TableKind::Typed,
        columns: vec![column("v", 1, Type::Real), column("a", 2, Type::Text), column("b", 3, Type::Integer)],
        key: vec![1, 2],
    })
}

fn scan(system: plan::SystemScope, valid: plan::ValidScope, keys: KeyAccess, predicates: Vec<ScanPredicate>) -> Node {
    let columns = vec![plan::ScanColumn::Data(2), plan::ScanColumn::ValidFrom];
    let scan = plan::Scan { table: table(), alias: "t".into(), columns, system, valid, keys, predicates };
    Node { kind: NodeKind::Scan(Box::new(scan)), fields: fields(&[Type::Integer, Type::Timestamp]) }
}

/// What the store is asked for a scan.
fn asked(node: Node) -> Result<(ScanSpec, Reads), &'static str> {
    let reader = OneTable { batch: Some(Batch::new(vec![], 0)), asked: Mutex::default() };
    let params = [Value::Integer(5), Value::Null];
    let context = ExecContext {
        reader: &reader,
        params: &params,
        now: Timestamp(100),
        tuning: Tuning::of_rows(9),
        given: &[],
        written: &[],
    };
    build(&QueryPlan { root: node, subplans: vec![] }, &context).map(drop).map_err(|error| error.code())?;
    let mut asked = reader.asked.into_inner().expect("no test panicked");
    Ok(asked.swap_remove(0))
}

fn instant(micros: i64) -> Expr {
    constant(Timestamp(micros), Type::Timestamp)
}

#[test]
fn a_scan_asks_for_its_scopes() {
    use plan::{SystemScope, ValidScope};
    let now = || ValidScope::At(expr(ExprKind::Context(plan::Context::Now), Type::Timestamp));
    let (spec, reads) = asked(scan(SystemScope::Latest, now(), KeyAccess::All, vec![])).expect("sound");
    let wanted = ScanSpec {
        table: TableId(3),
        columns: vec![store::ScanColumn::Data(2), store::ScanColumn::ValidFrom],
        keys: KeyRange::All,
        system: store::SystemScope::AsOf(7),
        valid: store::ValidScope::At(100),
        predicates: vec![],
        batch_rows_max: 9,
    };
    assert_eq!((spec, reads), (wanted.clone(), Reads::WithOwnWrites));

    // `current_commit() - 2`, and a range of valid time.
    let current = expr(ExprKind::Context(plan::Context::CurrentCommit), Type::Integer);
    let before = call("-", vec![current, int(2)], Type::Integer);
    let range = ValidScope::Range { from: instant(1), to: instant(4), to_included: true };
    let (spec, reads) = asked(scan(SystemScope::AsOf(before), range, KeyAccess::All, vec![])).expect("sound");
    let valid = store::ValidScope::Overlaps(Period::new(1, 5).expect("not empty"));
    let past = ScanSpec { system: store::SystemScope::AsOf(5), valid, ..wanted.clone() };
    assert_eq!(spec, past);
    assert!(matches!(reads, Reads::AsOf(_)), "{reads:?}");

    // Nothing lies in an empty range, so no key is read.
    let range = ValidScope::Range { from: instant(4), to: instant(4), to_included: false };
    let (spec, _) = asked(scan(SystemScope::All, range, KeyAccess::All, vec![])).expect("sound");
    assert_eq!(spec.keys, KeyRange::Exact(vec![]));

    assert_eq!(asked(scan(SystemScope::AsOf(int(8)), now(), KeyAccess::All, vec![])).map(drop), Err("22023"));
    let null = expr(ExprKind::Param(1), Type::Timestamp);
    assert_eq!(asked(scan(SystemScope::All, ValidScope::At(null), KeyAccess::All, vec![])).map(drop), Err("22004"));
}

#[test]
fn a_scan_asks_for_its_keys_and_blocks() {
    use plan::{SystemScope, ValidScope};
    let ask = |keys, predicates| asked(scan(SystemScope::All, ValidScope::All, keys, predicates)).expect("sound").0;
    let text = |text: &str| constant(text, Type::Text);
    let param = |param_idx| expr(ExprKind::Param(param_idx), Type::Integer);
    let tuples =
        vec![vec![text("b"), param(0)], vec![text("a"), int(1)], vec![text("a"), param(1)], vec![text("b"), int(5)]];
    let key = |a: &str, b: i64| {
        let mut bytes = Vec::new();
        key::encode_values(&[a.into(), b.into()], &[Type::Text, Type::Integer], &mut bytes);
        bytes
    };
    let spec = ask(KeyAccess::Exact(tuples), vec![]);
    assert_eq!(spec.keys, KeyRange::Exact(vec![key("a", 1), key("b", 5)]));

    let low = Some(KeyBound { value: param(0), included: false });
    let spec = ask(KeyAccess::Range { prefix: vec![text("a")], low, high: None }, vec![]);
    let KeyRange::Between { low: Bound::Included(low), high: Bound::Excluded(high) } = spec.keys else {
        panic!("a range")
    };
    assert!(key("a", 5) < low && low <= key("a", 6) && key("a", i64::MAX) < high && high <= key("b", i64::MIN));

    // What cannot be compared skips no block.
    let less = |value| ScanPredicate { column_idx: 2, op: CompareOp::Lt, value };
    let fails = call("/", vec![int(1), int(0)], Type::Integer);
    let spec = ask(KeyAccess::All, vec![less(param(0)), less(param(1)), less(fails)]);
    let wanted = BlockPredicate { column_idx: 2, op: BlockOp::Lt, value: Value::Integer(5) };
    assert_eq!(spec.predicates, [wanted]);
}
