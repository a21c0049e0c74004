//! Which operators and stages carry out a plan?
//!
//! Nodes are walked from the leaves up. Filters and projections are gathered as steps until an operator needs its input:
//! then they become one stage. Whatever an operator wants computed (keys, arguments, points) is appended to its input by a
//! stage, unless it is a column already.
//!
//! Holds: subplans are run when the first expression asks them, once for each kind of question.
//! Not here: what an expression's value is (`expr`), what an operator does (`crate::ops`).

use super::expr::{Expr, Kind, Stage, Step, asked};
use super::profile::Profile;
use crate::ops::{
    AggregateCallSpec, AggregateSpec, BoxSource, Budget, Distinct, ExecError, Frame, FrameBound, FrameExclude,
    FrameUnit, Given, HashAggregate, HashJoin, InSet, JoinKind, JoinSpec, Limit, PeriodColumns, Pipe, Place, Recursion,
    RecursionSpec, Replay, Series, SeriesSpec, SetOp, SetOpSpec, Sort, SortColumn, SortSpec, Source, TableReader, Tee,
    Tuning, UnionAll, Values, Window, WindowCallSpec, WindowFunction, WindowSpec, Working, row_window,
};
use spectradb_grammar::{
    plan::{self, Context, ExprKind, Node, NodeKind, QueryPlan, SubplanAsk},
    span::Span,
};
use spectradb_kernel::{Batch, Type, Value, column::ColumnBuilder, key::SortOrder, time::Timestamp};
use std::{
    cell::{Cell, RefCell},
    sync::{Arc, Mutex},
};

/// What a query is given besides its plan.
#[derive(Clone)]
pub struct ExecContext<'a> {
    /// What it may read.
    pub reader: &'a dyn TableReader,
    /// The parameters' values, in the plan's order and of its types.
    pub params: &'a [Value],
    /// The transaction's `now()`.
    pub now: Timestamp,
    /// How operators work.
    pub tuning: Tuning,
    /// Rows that a statement hands to its own queries.
    pub given: &'a [Batch],
    /// Rows that the statement's changes before it returned.
    pub written: &'a [Vec<Batch>],
}

/// The rows of a query. Scans are opened and subplans run here; the rest happens as batches are asked for.
///
/// # Errors
/// A constant expression that fails (a scope's point, a key, a LIMIT), what a subplan meets, what the store meets.
pub fn build(query: &QueryPlan, context: &ExecContext<'_>) -> Result<BoxSource, ExecError> {
    let budget = &context.tuning.budget;
    let source =
        budget.watch(|| Builder::new(&query.subplans, context).node(&query.root, None).map(Lowered::finish))??;
    Ok(Box::new(Watched { source, budget: budget.clone() }))
}

/// The root of a query: what is computed below it ends where the statement has to.
struct Watched {
    source: BoxSource,
    budget: Budget,
}

impl Source for Watched {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        self.budget.watch(|| {
            let batch = self.source.next()?;
            // The rows of a statement that fails are nobody's.
            if self.source.fails_next() { self.source.next() } else { Ok(batch) }
        })?
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.budget.watch(|| self.source.rewind())?
    }

    fn is_fixed(&self) -> bool {
        self.source.is_fixed()
    }
}

/// As [`build`], with what each node takes noted in a profile. Every node is a stage of its own then.
///
/// # Errors
/// As [`build`].
pub fn build_measured(query: &QueryPlan, context: &ExecContext<'_>, profile: &Profile) -> Result<BoxSource, ExecError> {
    let builder = Builder { profile: Some(profile), ..Builder::new(&query.subplans, context) };
    builder.node(&query.root, None).map(Lowered::finish)
}

/// The value of an expression without columns, such as a portion's bound.
///
/// # Errors
/// As [`build`].
pub fn constant(expr: &plan::Expr, subplans: &[Node], context: &ExecContext<'_>) -> Result<Value, ExecError> {
    context.tuning.budget.watch(|| Builder::new(subplans, context).constant(expr))?
}

pub(super) struct Builder<'a> {
    pub(super) context: &'a ExecContext<'a>,
    subplans: &'a [Node],
    answers: RefCell<Vec<Answers>>,
    /// The rows of subplans that are read as such, once somebody has asked for them.
    shared: RefCell<Vec<Option<Tee>>>,
    /// Where it is noted what each node takes, if anybody asks.
    profile: Option<&'a Profile>,
    /// The left sides of the joins around whose right side asks for bindings.
    bindings: RefCell<Vec<(Tee, Vec<plan::Expr>)>>,
    /// The recursions whose step is being built.
    working: RefCell<Vec<(usize, Working)>>,
    /// Is what is built run anew in every round of a recursion?
    in_step: Cell<bool>,
}

/// What a subplan has answered so far.
#[derive(Clone, Default)]
struct Answers {
    scalar: Option<Value>,
    exists: Option<bool>,
    set: Option<Arc<Mutex<InSet>>>,
}

/// An operator, and steps over its batches that no stage runs yet.
pub(super) struct Lowered {
    source: BoxSource,
    steps: Vec<Step>,
    types: Vec<Type>,
}

impl Lowered {
    pub(super) fn new(source: BoxSource, node: &Node) -> Lowered {
        Lowered { source, steps: Vec::new(), types: node.fields.iter().map(|field| field.ty).collect() }
    }

    fn finish(self) -> BoxSource {
        if self.steps.is_empty() {
            return self.source;
        }
        Box::new(Pipe::new(self.source, Box::new(Stage { steps: self.steps })))
    }

    /// The columns that are there now.
    fn given(&self) -> Vec<Given> {
        self.types.iter().enumerate().map(|(column_idx, ty)| Given { column_idx, ty: *ty }).collect()
    }
}

fn sort_column(key: &plan::SortKey, column: Given) -> SortColumn {
    SortColumn { column, order: SortOrder { descending: key.descending, nulls_first: key.nulls_first } }
}

/// The place of a span.
pub(super) fn place(span: Span) -> Place {
    Place { start: span.start, end: span.end }
}

impl<'a> Builder<'a> {
    fn new(subplans: &'a [Node], context: &'a ExecContext<'a>) -> Builder<'a> {
        let answers = RefCell::new(vec![Answers::default(); subplans.len()]);
        let shared = RefCell::new(subplans.iter().map(|_| None).collect());
        let (bindings, working) = (RefCell::default(), RefCell::default());
        Builder { context, subplans, answers, shared, profile: None, bindings, working, in_step: Cell::new(false) }
    }

    /// The operator of a node, measured if anybody asks. No more than `wanted` of its rows will be asked for, where that is
    /// known.
    fn node(&self, node: &Node, wanted: Option<u64>) -> Result<Lowered, ExecError> {
        if self.in_step.get() && !node.changes_by_round() {
            // The rows are the same in every round.
            self.in_step.set(false);
            let lowered = self.counted(node, None);
            self.in_step.set(true);
            let replay = Replay::new(lowered?.finish(), &self.context.tuning);
            return Ok(Lowered::new(Box::new(replay), node));
        }
        self.counted(node, wanted)
    }

    fn counted(&self, node: &Node, wanted: Option<u64>) -> Result<Lowered, ExecError> {
        let lowered = self.lowered(node, wanted)?;
        Ok(match self.profile {
            None => lowered,
            Some(profile) => Lowered::new(profile.count(node, lowered.finish()), node),
        })
    }

    fn lowered(&self, node: &Node, wanted: Option<u64>) -> Result<Lowered, ExecError> {
        let tuning = || self.context.tuning.clone();
        match &node.kind {
            NodeKind::Scan(scan) => self.scan(scan, node),
            NodeKind::Values { rows } => self.values(rows, node),
            NodeKind::Constants { columns, row_count } => {
                let batch_rows = self.context.tuning.batch_rows;
                let slice = |from: usize| {
                    let rows = from..(from + batch_rows).min(*row_count);
                    let columns = columns.iter().map(|column| column.slice(rows.clone())).collect();
                    Batch::new(columns, rows.len())
                };
                let batches = (0..*row_count).step_by(batch_rows).map(slice).collect();
                Ok(Lowered::new(Box::new(Values::new(batches)), node))
            }
            NodeKind::Given { change, columns } => {
                let pick = |batch: &Batch| {
                    let picked = columns.iter().map(|column| batch.column(*column)).collect();
                    Batch::new(picked, batch.len())
                };
                let given = change.map_or(self.context.given, |change| &self.context.written[change]);
                let batches = given.iter().map(pick).collect();
                Ok(Lowered::new(Box::new(Values::new(batches)), node))
            }
            NodeKind::Shared { subplan_idx, columns } => {
                let held = self.shared.borrow()[*subplan_idx].as_ref().map(Tee::reader);
                let reader = match held {
                    Some(reader) => reader,
                    None => {
                        // The first reader is nobody's, so that no rewind computes the rows anew.
                        let tee =
                            Tee::new(self.node(&self.subplans[*subplan_idx], None)?.finish(), &self.context.tuning);
                        let reader = tee.reader();
                        self.shared.borrow_mut()[*subplan_idx] = Some(tee);
                        reader
                    }
                };
                let picked = columns.iter().zip(&node.fields);
                let picked = picked.map(|(column, field)| Expr::new(Kind::Column(*column), field.ty));
                let mut lowered = Lowered::new(Box::new(reader), node);
                lowered.steps.push(Step::Project(picked.collect()));
                Ok(lowered)
            }
            NodeKind::Filter { input, predicate } => {
                let mut lowered = self.node(input, None)?;
                lowered.steps.push(Step::Filter(self.expr(predicate)?));
                Ok(lowered)
            }
            NodeKind::Project { input, exprs } => {
                let mut lowered = self.node(input, wanted)?;
                lowered.steps.push(Step::Project(self.exprs(exprs)?));
                lowered.types = exprs.iter().map(|expr| expr.ty).collect();
                Ok(lowered)
            }
            NodeKind::Join(join) => self.join(join, node),
            NodeKind::Aggregate { input, group, aggregates } => self.aggregate(input, group, aggregates, node),
            NodeKind::Window { input, calls } => self.window(input, calls, node),
            NodeKind::Sort { input, keys } => {
                let mut lowered = self.node(input, None)?;
                let out = lowered.given();
                let keys = self.sort_columns(keys, &mut lowered)?;
                let spec = SortSpec { keys, out, row_count_max: wanted };
                Ok(Lowered::new(Box::new(Sort::new(lowered.finish(), spec, tuning())), node))
            }
            NodeKind::Limit { input, limit, offset } => {
                let rows = |expr: &Option<plan::Expr>| -> Result<Option<(i64, Place)>, ExecError> {
                    let Some(expr) = expr else { return Ok(None) };
                    match self.constant(expr)? {
                        Value::Integer(rows) => Ok(Some((rows, place(expr.span)))),
                        value => {
                            assert!(value.is_null(), "the binder typed LIMIT and OFFSET");
                            Ok(None)
                        }
                    }
                };
                let (skip, take) = row_window(rows(limit)?, rows(offset)?)?;
                let input = self.node(input, skip.checked_add(take))?.finish();
                Ok(Lowered::new(Box::new(Limit::new(input, skip, take)), node))
            }
            NodeKind::Distinct { input } => {
                let input = self.node(input, None)?.finish();
                Ok(Lowered::new(Box::new(Distinct::new(input, tuning())), node))
            }
            NodeKind::SetOp { intersect, all, left, right } => {
                let (left, right) = (self.node(left, None)?.finish(), self.node(right, None)?.finish());
                let spec = SetOpSpec { intersect: *intersect, all: *all };
                Ok(Lowered::new(Box::new(SetOp::new(left, right, spec, tuning())), node))
            }
            NodeKind::Bindings => {
                let (reader, exprs) = {
                    let bindings = self.bindings.borrow();
                    let (tee, exprs) = bindings.last().expect("the plan was checked: a join around it binds");
                    (tee.reader(), exprs.clone())
                };
                let stage = Stage { steps: vec![Step::Project(self.exprs(&exprs)?)] };
                let values = Pipe::new(Box::new(reader), Box::new(stage));
                Ok(Lowered::new(Box::new(Distinct::new(Box::new(values), tuning())), node))
            }
            NodeKind::Recursion(recursion) => {
                let base = self.node(&recursion.base, None)?.finish();
                let working = Working::default();
                self.working.borrow_mut().push((recursion.id, working.reader()));
                let was_in_step = self.in_step.replace(true);
                let step = self.node(&recursion.step, None);
                self.in_step.set(was_in_step);
                self.working.borrow_mut().pop();
                let spec = RecursionSpec::new(recursion.distinct, place(recursion.span));
                Ok(Lowered::new(Box::new(Recursion::new(base, step?.finish(), working, spec, tuning())), node))
            }
            NodeKind::Working { recursion } => {
                let working = self.working.borrow();
                let found = working.iter().find(|(id, _)| id == recursion);
                let (_, working) = found.expect("the plan was checked: a recursion around it works");
                Ok(Lowered::new(Box::new(working.reader()), node))
            }
            NodeKind::Series { input, from, to, step } => {
                let mut input = self.node(input, None)?;
                let out = input.given();
                let bounds = self.columns(&[from, to, step], &mut input)?;
                let [from, to, by] = [0, 1, 2].map(|at| bounds[at].column_idx);
                let spec = SeriesSpec { out, from, to, step: by, place: place(step.span) };
                Ok(Lowered::new(Box::new(Series::new(input.finish(), spec, tuning())), node))
            }
            NodeKind::UnionAll { inputs } => {
                let inputs = inputs.iter().map(|input| self.node(input, None).map(Lowered::finish));
                let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
                Ok(Lowered::new(Box::new(UnionAll::new(inputs)), node))
            }
        }
    }

    fn values(&self, rows: &[Vec<plan::Expr>], node: &Node) -> Result<Lowered, ExecError> {
        let mut batches = Vec::new();
        for rows in rows.chunks(self.context.tuning.batch_rows) {
            let mut builders: Vec<_> = node.fields.iter().map(|field| ColumnBuilder::new(field.ty)).collect();
            for row in rows {
                for (builder, expr) in builders.iter_mut().zip(row) {
                    match &expr.kind {
                        ExprKind::Const(value) => builder.push(value),
                        _ => builder.push(&self.constant(expr)?),
                    }
                }
            }
            let columns = builders.into_iter().map(ColumnBuilder::finish).collect();
            batches.push(Batch::new(columns, rows.len()));
        }
        Ok(Lowered::new(Box::new(Values::new(batches)), node))
    }

    fn join(&self, join: &plan::Join, node: &Node) -> Result<Lowered, ExecError> {
        let kind = match join.kind {
            plan::JoinKind::Inner => JoinKind::Inner,
            plan::JoinKind::Left => JoinKind::Left,
            plan::JoinKind::Right => JoinKind::Right,
            plan::JoinKind::Full => JoinKind::Full,
            plan::JoinKind::Semi => JoinKind::Semi,
            plan::JoinKind::Anti => JoinKind::Anti,
        };
        let mut left = self.node(&join.left, None)?;
        let mut right = if join.bindings.is_empty() {
            self.node(&join.right, None)?
        } else {
            let tee = Tee::new(left.finish(), &self.context.tuning);
            self.bindings.borrow_mut().push((tee.reader(), join.bindings.clone()));
            left = Lowered::new(Box::new(tee), &join.left);
            let right = self.node(&join.right, None);
            self.bindings.borrow_mut().pop();
            right?
        };
        let (left_out, right_out) = (left.given(), right.given());
        let (mut left_exprs, mut right_exprs) = (Vec::new(), Vec::new());
        for (left, right) in join.keys.iter().chain(&join.same) {
            left_exprs.push(left);
            right_exprs.push(right);
        }
        if let Some(period) = &join.period {
            left_exprs.extend([&period.since, &period.until]);
            right_exprs.extend([&period.from, &period.to]);
        }
        let left_columns = self.columns(&left_exprs, &mut left)?;
        let right_columns = self.columns(&right_exprs, &mut right)?;
        let key_count = join.keys.len() + join.same.len();
        let pairs = left_columns.iter().zip(&right_columns).take(key_count);
        let mut keys = pairs.map(|(left, right)| (left.column_idx, right.column_idx)).collect::<Vec<_>>();
        let same = keys.split_off(join.keys.len());
        let period = join.period.as_ref().map(|period| PeriodColumns {
            since: left_columns[key_count].column_idx,
            until: left_columns[key_count + 1].column_idx,
            from: right_columns[key_count].column_idx,
            to: right_columns[key_count + 1].column_idx,
            from_included: period.ends.from_included,
            to_included: period.ends.to_included,
            open_since: period.ends.open_since,
            open_until: period.ends.open_until,
            open_from: period.ends.open_from,
            open_to: period.ends.open_to,
        });
        let residual = match &join.residual {
            None => None,
            Some(expr) => Some(Box::new(Stage { steps: vec![Step::Project(vec![self.expr(expr)?])] }) as _),
        };
        let spec = JoinSpec { kind, left_out, right_out, keys, same, period };
        let joined = HashJoin::new(left.finish(), right.finish(), spec, residual, self.context.tuning.clone());
        Ok(Lowered::new(Box::new(joined), node))
    }

    fn aggregate(
        &self,
        input: &Node,
        group: &[plan::Expr],
        aggregates: &[plan::AggregateCall],
        node: &Node,
    ) -> Result<Lowered, ExecError> {
        let mut input = self.node(input, None)?;
        let args = aggregates
            .iter()
            .flat_map(|call| call.arg.iter().chain(&call.more).chain(call.order.iter().map(|key| &key.expr)));
        let exprs: Vec<&plan::Expr> = group.iter().chain(args).collect();
        let is_computed = exprs.iter().any(|expr| !matches!(expr.kind, ExprKind::Column(_)));
        if is_computed {
            // Nothing but keys and arguments is needed from here on.
            let computed = exprs.iter().map(|expr| self.expr(expr)).collect::<Result<_, _>>()?;
            input.steps.push(Step::Project(computed));
        }
        let mut columns = exprs.iter().enumerate().map(|(position, expr)| match expr.kind {
            ExprKind::Column(column_idx) if !is_computed => Given { column_idx, ty: expr.ty },
            _ => Given { column_idx: position, ty: expr.ty },
        });
        let group = columns.by_ref().take(group.len()).collect();
        let calls = aggregates.iter().map(|call| AggregateCallSpec {
            aggregate: call.aggregate,
            arg: call.arg.as_ref().map(|_| columns.next().expect("each argument was computed")),
            more: columns.by_ref().take(call.more.len()).collect(),
            distinct: call.distinct,
            order: call
                .order
                .iter()
                .map(|key| sort_column(key, columns.next().expect("each key was computed")))
                .collect(),
            ty: call.ty,
            place: place(call.span),
        });
        let spec = AggregateSpec { group, calls: calls.collect() };
        Ok(Lowered::new(Box::new(HashAggregate::new(input.finish(), spec, self.context.tuning.clone())), node))
    }

    fn window(&self, input: &Node, calls: &[plan::WindowCall], node: &Node) -> Result<Lowered, ExecError> {
        let mut input = self.node(input, None)?;
        let out = input.given();
        let mut specs = Vec::new();
        for call in calls {
            let partition = self.columns(&call.partition.iter().collect::<Vec<_>>(), &mut input)?;
            let order = self.sort_columns(&call.order, &mut input)?;
            let mut column = |expr: &plan::Expr| self.columns(&[expr], &mut input).map(|columns| columns[0]);
            let function = match &call.function {
                plan::WindowFunction::RowNumber => WindowFunction::RowNumber,
                plan::WindowFunction::Rank => WindowFunction::Rank,
                plan::WindowFunction::DenseRank => WindowFunction::DenseRank,
                plan::WindowFunction::Shift { value, offset, default, forward } => WindowFunction::Shift {
                    value: column(value)?,
                    offset: column(offset)?,
                    default: default.as_deref().map(&mut column).transpose()?,
                    forward: *forward,
                },
                plan::WindowFunction::Aggregate { aggregate, arg, more } => WindowFunction::Aggregate {
                    aggregate,
                    arg: arg.as_deref().map(&mut column).transpose()?,
                    more: more.iter().map(&mut column).collect::<Result<_, _>>()?,
                },
                plan::WindowFunction::Ntile(count) => WindowFunction::Ntile(column(count)?),
                plan::WindowFunction::PercentRank => WindowFunction::PercentRank,
                plan::WindowFunction::CumeDist => WindowFunction::CumeDist,
                plan::WindowFunction::FirstValue(value) => WindowFunction::FirstValue(column(value)?),
                plan::WindowFunction::LastValue(value) => WindowFunction::LastValue(column(value)?),
                plan::WindowFunction::NthValue { value, n } => {
                    WindowFunction::NthValue { value: column(value)?, n: column(n)? }
                }
            };
            let mut bound = |bound: &plan::FrameBound| -> Result<FrameBound, ExecError> {
                Ok(match bound {
                    plan::FrameBound::UnboundedPreceding => FrameBound::UnboundedPreceding,
                    plan::FrameBound::Preceding(by) => FrameBound::Preceding(column(by)?),
                    plan::FrameBound::CurrentRow => FrameBound::CurrentRow,
                    plan::FrameBound::Following(by) => FrameBound::Following(column(by)?),
                    plan::FrameBound::UnboundedFollowing => FrameBound::UnboundedFollowing,
                })
            };
            let (start, end) = (bound(&call.frame.start)?, bound(&call.frame.end)?);
            let unit = match call.frame.unit {
                plan::FrameUnit::Rows => FrameUnit::Rows,
                plan::FrameUnit::Range => FrameUnit::Range,
                plan::FrameUnit::Groups => FrameUnit::Groups,
            };
            let exclude = match call.frame.exclude {
                plan::FrameExclude::NoOthers => FrameExclude::NoOthers,
                plan::FrameExclude::CurrentRow => FrameExclude::CurrentRow,
                plan::FrameExclude::Group => FrameExclude::Group,
                plan::FrameExclude::Ties => FrameExclude::Ties,
            };
            let frame = Frame { unit, start, end, exclude };
            specs.push(WindowCallSpec { function, partition, order, frame, ty: call.ty, place: place(call.span) });
        }
        let spec = WindowSpec { out, calls: specs };
        Ok(Lowered::new(Box::new(Window::new(input.finish(), spec, self.context.tuning.clone())), node))
    }

    fn sort_columns(&self, keys: &[plan::SortKey], input: &mut Lowered) -> Result<Vec<SortColumn>, ExecError> {
        let columns = self.columns(&keys.iter().map(|key| &key.expr).collect::<Vec<_>>(), input)?;
        Ok(columns.into_iter().zip(keys).map(|(column, key)| sort_column(key, column)).collect())
    }

    /// Where expressions over an input stand: those that are no columns of it are appended.
    fn columns(&self, exprs: &[&plan::Expr], input: &mut Lowered) -> Result<Vec<Given>, ExecError> {
        let mut computed = Vec::new();
        let mut columns = Vec::new();
        for expr in exprs {
            let column_idx = match expr.kind {
                ExprKind::Column(column_idx) => column_idx,
                _ => {
                    computed.push(self.expr(expr)?);
                    input.types.push(expr.ty);
                    input.types.len() - 1
                }
            };
            columns.push(Given { column_idx, ty: expr.ty });
        }
        if !computed.is_empty() {
            input.steps.push(Step::Append(computed));
        }
        Ok(columns)
    }

    pub(super) fn constant(&self, expr: &plan::Expr) -> Result<Value, ExecError> {
        self.expr(expr)?.constant()
    }

    fn exprs(&self, exprs: &[plan::Expr]) -> Result<Vec<Expr>, ExecError> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn expr(&self, expr: &plan::Expr) -> Result<Expr, ExecError> {
        let kind = match &expr.kind {
            ExprKind::Column(column_idx) => Kind::Column(*column_idx),
            ExprKind::Param(param_idx) => Kind::Const(self.context.params[*param_idx].clone()),
            ExprKind::Context(Context::Now) => Kind::Const(Value::Timestamp(self.context.now)),
            ExprKind::Context(Context::CurrentCommit) => {
                let commit = self.context.reader.current_commit();
                Kind::Const(Value::Integer(i64::try_from(commit).expect("commits fit 63 bits")))
            }
            ExprKind::Context(Context::Settings) => Kind::Const(Value::Json(self.context.tuning.settings.to_string())),
            ExprKind::Const(value) => Kind::Const(value.clone()),
            ExprKind::Call { function, args } => {
                Kind::Call { function, args: self.exprs(args)?, place: place(expr.span) }
            }
            ExprKind::And(arms) => Kind::And(self.exprs(arms)?),
            ExprKind::Or(arms) => Kind::Or(self.exprs(arms)?),
            ExprKind::Case { arms, otherwise } => {
                let arms = arms.iter().map(|(when, then)| Ok((self.expr(when)?, self.expr(then)?)));
                let otherwise = otherwise.as_ref().map(|expr| self.expr(expr).map(Box::new)).transpose()?;
                Kind::Case { arms: arms.collect::<Result<_, ExecError>>()?, otherwise }
            }
            ExprKind::Outer(_) => unreachable!("the plan was checked: what was around is a column"),
            ExprKind::Subplan { subplan_idx, ask, args: _ } => match ask {
                SubplanAsk::Any(_) => unreachable!("the plan was checked: ANY is a join"),
                SubplanAsk::Scalar => asked(self.scalar(*subplan_idx, place(expr.span)).map(Kind::Const))?,
                SubplanAsk::Exists => {
                    asked(self.exists(*subplan_idx).map(|exists| Kind::Const(Value::Boolean(exists))))?
                }
                SubplanAsk::In(needle) => {
                    let needle = Box::new(self.expr(needle)?);
                    asked(self.set(*subplan_idx).map(|set| Kind::In { needle, set }))?
                }
            },
        };
        Ok(Expr::new(kind, expr.ty))
    }

    fn scalar(&self, subplan_idx: usize, place: Place) -> Result<Value, ExecError> {
        if let Some(value) = &self.answers.borrow()[subplan_idx].scalar {
            return Ok(value.clone());
        }
        let mut source = self.node(&self.subplans[subplan_idx], Some(2))?.finish();
        let mut value = None;
        while let Some(batch) = source.next()? {
            if value.is_some() || batch.len() > 1 {
                return Err(ExecError::ManyRows { place });
            }
            value = Some(batch.column(0).value(0));
        }
        let value = value.unwrap_or(Value::Null);
        self.answers.borrow_mut()[subplan_idx].scalar = Some(value.clone());
        Ok(value)
    }

    fn exists(&self, subplan_idx: usize) -> Result<bool, ExecError> {
        if let Some(exists) = self.answers.borrow()[subplan_idx].exists {
            return Ok(exists);
        }
        let mut source = self.node(&self.subplans[subplan_idx], Some(1))?.finish();
        let exists = source.next()?.is_some();
        self.answers.borrow_mut()[subplan_idx].exists = Some(exists);
        Ok(exists)
    }

    fn set(&self, subplan_idx: usize) -> Result<Arc<Mutex<InSet>>, ExecError> {
        if let Some(set) = &self.answers.borrow()[subplan_idx].set {
            return Ok(set.clone());
        }
        let mut source = self.node(&self.subplans[subplan_idx], None)?.finish();
        let set = Arc::new(Mutex::new(InSet::read(source.as_mut(), &self.context.tuning)?));
        self.answers.borrow_mut()[subplan_idx].set = Some(set.clone());
        Ok(set)
    }
}
