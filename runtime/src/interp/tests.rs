//! Does the interpreter answer as SQL's rules say, whatever the size of batches?
//!
//! Plans are built by hand over VALUES and over a reader that knows one table, so that a failure here is ours and neither
//! the binder's nor the store's.

use super::{ExecContext, build};
use crate::ops::{ExecError, Reads, TableReader, TableScan, Tuning};
use spectradb_grammar::{
    plan::{Expr, ExprKind, Field, Node, NodeKind, QueryPlan, SubplanAsk},
    span::Span,
};
use spectradb_kernel::{
    Batch, Column, Type, Value,
    func::{self, Function},
    time::{Commit, Timestamp},
    ty::TypeClass,
};
use spectradb_store::{error::StoreError, scan::ScanSpec};
use std::sync::Mutex;

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
    let context = ExecContext { reader: &reader, params: &[], now: Timestamp(0), tuning: Tuning { batch_rows } };
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
    let ask = |subplan_idx, ask, ty| expr(ExprKind::Subplan { subplan_idx, ask }, ty);
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
