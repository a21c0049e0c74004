//! How does one walk a plan?
//!
//! Every walk goes through [`Expr::for_each_child`] and [`Node::for_each_input`] and their mutable twins, whose matches
//! have no `_` arm: a new shape of expression or operator is a list of compile errors here, and nowhere else.
//!
//! Not here: what a walk is for (display, checks, rewrites).

use super::{
    AggregateCall, Conflict, Expr, ExprKind, FrameBound, Join, KeyAccess, KeyBound, MergeAction, Node, NodeKind,
    QueryPlan,
};
use super::{Scan, Statement, SubplanAsk, SystemScope, ValidScope, WindowCall, WindowFunction};
use crate::stack;
use spectradb_kernel::{Type, Value, func::Shape};

impl Expr {
    /// A constant.
    pub fn constant(value: Value, ty: Type, span: crate::span::Span) -> Expr {
        let nullable = value.is_null();
        Expr { kind: ExprKind::Const(value), ty, nullable, span }
    }

    /// Calls `f` on each direct part.
    pub fn for_each_child<'e>(&'e self, f: &mut dyn FnMut(&'e Expr)) {
        match &self.kind {
            ExprKind::Column(_)
            | ExprKind::Param(_)
            | ExprKind::Context(_)
            | ExprKind::Const(_)
            | ExprKind::Outer(_) => {}
            ExprKind::Call { function: _, args } => args.iter().for_each(f),
            ExprKind::And(arms) | ExprKind::Or(arms) => arms.iter().for_each(f),
            ExprKind::Case { arms, otherwise } => {
                for (condition, value) in arms {
                    f(condition);
                    f(value);
                }
                if let Some(otherwise) = otherwise {
                    f(otherwise);
                }
            }
            ExprKind::Subplan { subplan_idx: _, ask, args } => {
                match ask {
                    SubplanAsk::Scalar | SubplanAsk::Exists | SubplanAsk::Any(_) => {}
                    SubplanAsk::In(needle) => f(needle),
                }
                args.iter().for_each(f);
            }
        }
    }

    /// Calls `f` on each direct part, which it may change.
    pub fn for_each_child_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        match &mut self.kind {
            ExprKind::Column(_)
            | ExprKind::Param(_)
            | ExprKind::Context(_)
            | ExprKind::Const(_)
            | ExprKind::Outer(_) => {}
            ExprKind::Call { function: _, args } => args.iter_mut().for_each(f),
            ExprKind::And(arms) | ExprKind::Or(arms) => arms.iter_mut().for_each(f),
            ExprKind::Case { arms, otherwise } => {
                for (condition, value) in arms {
                    f(condition);
                    f(value);
                }
                if let Some(otherwise) = otherwise {
                    f(otherwise);
                }
            }
            ExprKind::Subplan { subplan_idx: _, ask, args } => {
                match ask {
                    SubplanAsk::Scalar | SubplanAsk::Exists | SubplanAsk::Any(_) => {}
                    SubplanAsk::In(needle) => f(needle),
                }
                args.iter_mut().for_each(f);
            }
        }
    }

    /// Calls `f` on this expression and all its parts, outer ones first.
    pub fn walk<'e>(&'e self, f: &mut dyn FnMut(&'e Expr)) {
        f(self);
        self.for_each_child(&mut |child| stack::deeper(|| child.walk(f)));
    }

    /// Calls `f` on all parts of this expression and then on itself; it may change them.
    pub fn walk_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        self.for_each_child_mut(&mut |child| stack::deeper(|| child.walk_mut(f)));
        f(self);
    }

    /// Is `test` true of this expression or a part of it?
    pub fn any(&self, test: &mut dyn FnMut(&Expr) -> bool) -> bool {
        if test(self) {
            return true;
        }
        let mut found = false;
        self.for_each_child(&mut |child| found = found || stack::deeper(|| child.any(test)));
        found
    }

    /// The columns it reads, each once, in order.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns = Vec::new();
        self.walk(&mut |expr| {
            if let ExprKind::Column(column) = expr.kind {
                columns.push(column);
            }
        });
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Does it read a column?
    pub fn has_columns(&self) -> bool {
        self.any(&mut |expr| matches!(expr.kind, ExprKind::Column(_)))
    }

    /// Does it ask a subplan?
    pub fn has_subplans(&self) -> bool {
        self.any(&mut |expr| matches!(expr.kind, ExprKind::Subplan { .. }))
    }

    /// Does it come by chance? A function without arguments does.
    pub fn has_chance(&self) -> bool {
        self.any(&mut |expr| matches!(&expr.kind, ExprKind::Call { args, .. } if args.is_empty()))
    }

    /// May evaluating it be an error?
    pub fn is_fallible(&self) -> bool {
        self.any(&mut |expr| match &expr.kind {
            ExprKind::Call { function, .. } => function.shape == Shape::Fallible,
            // A scalar subplan with two rows is an error wherever it is asked.
            ExprKind::Subplan { .. } => true,
            ExprKind::Column(_)
            | ExprKind::Param(_)
            | ExprKind::Context(_)
            | ExprKind::Const(_)
            | ExprKind::Outer(_)
            | ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Case { .. } => false,
        })
    }

    /// Gives every column another number.
    pub fn map_columns(&mut self, f: &mut dyn FnMut(usize) -> usize) {
        self.walk_mut(&mut |expr| {
            if let ExprKind::Column(column) = &mut expr.kind {
                *column = f(*column);
            }
        });
    }

    /// The same over other inputs: column `i` becomes `exprs[i]`.
    #[must_use]
    pub fn substitute(&self, exprs: &[Expr]) -> Expr {
        let mut copy = self.clone();
        copy.substitute_in_place(exprs);
        copy
    }

    fn substitute_in_place(&mut self, exprs: &[Expr]) {
        if let ExprKind::Column(column) = self.kind {
            let span = self.span;
            *self = exprs[column].clone();
            self.span = span;
        } else {
            self.for_each_child_mut(&mut |child| child.substitute_in_place(exprs));
        }
    }

    /// Do both compute the same, wherever they stand in the text?
    pub fn same(&self, other: &Expr) -> bool {
        let same_all = |a: &[Expr], b: &[Expr]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b));
        if self.ty != other.ty {
            return false;
        }
        match (&self.kind, &other.kind) {
            (ExprKind::Call { function, args }, ExprKind::Call { function: other_function, args: other_args }) => {
                function == other_function && same_all(args, other_args)
            }
            (ExprKind::And(a), ExprKind::And(b)) | (ExprKind::Or(a), ExprKind::Or(b)) => same_all(a, b),
            (ExprKind::Case { arms, otherwise }, ExprKind::Case { arms: other_arms, otherwise: other_otherwise }) => {
                arms.len() == other_arms.len()
                    && arms.iter().zip(other_arms).all(|(a, b)| a.0.same(&b.0) && a.1.same(&b.1))
                    && match (otherwise, other_otherwise) {
                        (None, None) => true,
                        (Some(a), Some(b)) => a.same(b),
                        (None, Some(_)) | (Some(_), None) => false,
                    }
            }
            (
                ExprKind::Subplan { subplan_idx, ask, args },
                ExprKind::Subplan { subplan_idx: other_idx, ask: other_ask, args: other_args },
            ) => {
                subplan_idx == other_idx
                    && same_all(args, other_args)
                    && match (ask, other_ask) {
                        (SubplanAsk::In(a), SubplanAsk::In(b)) | (SubplanAsk::Any(a), SubplanAsk::Any(b)) => a.same(b),
                        (a, b) => a == b,
                    }
            }
            // The remaining shapes have no parts, and so no spans within.
            (a, b) => a == b,
        }
    }

    /// Where this condition is true, is that value proven not NULL, because the condition asks just that?
    pub fn proves_not_null(&self, value: &Expr) -> bool {
        match &self.kind {
            ExprKind::And(arms) => arms.iter().any(|arm| arm.proves_not_null(value)),
            ExprKind::Call { function, args } => function.name == "$is_not_null" && args[0].same(value),
            ExprKind::Column(_)
            | ExprKind::Param(_)
            | ExprKind::Context(_)
            | ExprKind::Const(_)
            | ExprKind::Outer(_)
            | ExprKind::Or(_)
            | ExprKind::Case { .. }
            | ExprKind::Subplan { .. } => false,
        }
    }

    /// The parts of a conjunction; an expression that is none is its only part.
    pub fn into_conjuncts(self) -> Vec<Expr> {
        match self.kind {
            ExprKind::And(arms) => arms.into_iter().flat_map(Expr::into_conjuncts).collect(),
            _ => vec![self],
        }
    }

    /// The conjunction of parts; `None` of no part.
    pub fn conjunction(mut parts: Vec<Expr>) -> Option<Expr> {
        if parts.len() <= 1 {
            return parts.pop();
        }
        let nullable = parts.iter().any(|part| part.nullable);
        let span = parts.iter().skip(1).fold(parts[0].span, |span, part| crate::span::Span {
            start: span.start.min(part.span.start),
            end: span.end.max(part.span.end),
        });
        Some(Expr { kind: ExprKind::And(parts), ty: Type::Boolean, nullable, span })
    }
}

impl Node {
    /// A filter over this node.
    #[must_use]
    pub fn filter(self, predicate: Expr) -> Node {
        let fields = self.fields.clone();
        Node { kind: NodeKind::Filter { input: Box::new(self), predicate }, fields }
    }

    /// Computed columns over this node, with their names.
    #[must_use]
    pub fn project(self, columns: Vec<(String, Expr)>) -> Node {
        let (fields, exprs) = columns
            .into_iter()
            .map(|(name, expr)| (super::Field { name, ty: expr.ty, nullable: expr.nullable }, expr))
            .unzip();
        Node { kind: NodeKind::Project { input: Box::new(self), exprs }, fields }
    }

    /// Only the first columns of this node.
    #[must_use]
    pub fn narrow(self, width: usize, span: crate::span::Span) -> Node {
        if self.fields.len() == width {
            return self;
        }
        let columns = (0..width).map(|at| (self.fields[at].name.clone(), self.column(at, span))).collect();
        self.project(columns)
    }

    /// The column of this node as an expression.
    pub fn column(&self, column: usize, span: crate::span::Span) -> Expr {
        let field = &self.fields[column];
        Expr { kind: ExprKind::Column(column), ty: field.ty, nullable: field.nullable, span }
    }

    /// Calls `f` on each direct input.
    pub fn for_each_input<'n>(&'n self, f: &mut dyn FnMut(&'n Node)) {
        match &self.kind {
            NodeKind::Scan(_)
            | NodeKind::Values { .. }
            | NodeKind::Constants { .. }
            | NodeKind::Given { .. }
            | NodeKind::Shared { .. }
            | NodeKind::Bindings
            | NodeKind::Working { .. } => {}
            NodeKind::Filter { input, .. }
            | NodeKind::Project { input, .. }
            | NodeKind::Aggregate { input, .. }
            | NodeKind::Window { input, .. }
            | NodeKind::Sort { input, .. }
            | NodeKind::Limit { input, .. }
            | NodeKind::Series { input, .. }
            | NodeKind::Distinct { input } => f(input),
            NodeKind::Join(join) => {
                f(&join.left);
                f(&join.right);
            }
            NodeKind::UnionAll { inputs } => inputs.iter().for_each(f),
            NodeKind::SetOp { intersect: _, all: _, left, right } => {
                f(left);
                f(right);
            }
            NodeKind::Recursion(recursion) => {
                f(&recursion.base);
                f(&recursion.step);
            }
        }
    }

    /// Calls `f` on each direct input, which it may change.
    pub fn for_each_input_mut(&mut self, f: &mut dyn FnMut(&mut Node)) {
        match &mut self.kind {
            NodeKind::Scan(_)
            | NodeKind::Values { .. }
            | NodeKind::Constants { .. }
            | NodeKind::Given { .. }
            | NodeKind::Shared { .. }
            | NodeKind::Bindings
            | NodeKind::Working { .. } => {}
            NodeKind::Filter { input, .. }
            | NodeKind::Project { input, .. }
            | NodeKind::Aggregate { input, .. }
            | NodeKind::Window { input, .. }
            | NodeKind::Sort { input, .. }
            | NodeKind::Limit { input, .. }
            | NodeKind::Series { input, .. }
            | NodeKind::Distinct { input } => f(input),
            NodeKind::Join(join) => {
                f(&mut join.left);
                f(&mut join.right);
            }
            NodeKind::UnionAll { inputs } => inputs.iter_mut().for_each(f),
            NodeKind::SetOp { intersect: _, all: _, left, right } => {
                f(left);
                f(right);
            }
            NodeKind::Recursion(recursion) => {
                f(&mut recursion.base);
                f(&mut recursion.step);
            }
        }
    }

    /// Do its rows depend on the round of a recursion around it, or on the bindings of a join around it?
    pub fn changes_by_round(&self) -> bool {
        let mut own = Vec::new();
        self.changes(&mut own, false)
    }

    fn changes(&self, own: &mut Vec<usize>, bound: bool) -> bool {
        stack::deeper(|| match &self.kind {
            NodeKind::Working { recursion } => !own.contains(recursion),
            NodeKind::Bindings => !bound,
            NodeKind::Join(join) => {
                join.left.changes(own, bound) || join.right.changes(own, bound || !join.bindings.is_empty())
            }
            NodeKind::Recursion(recursion) => {
                if recursion.base.changes(own, bound) {
                    return true;
                }
                own.push(recursion.id);
                let step = recursion.step.changes(own, bound);
                own.pop();
                step
            }
            NodeKind::Scan(_)
            | NodeKind::Values { .. }
            | NodeKind::Constants { .. }
            | NodeKind::Given { .. }
            | NodeKind::Shared { .. }
            | NodeKind::Filter { .. }
            | NodeKind::Project { .. }
            | NodeKind::Aggregate { .. }
            | NodeKind::Window { .. }
            | NodeKind::Sort { .. }
            | NodeKind::Limit { .. }
            | NodeKind::Distinct { .. }
            | NodeKind::UnionAll { .. }
            | NodeKind::SetOp { .. }
            | NodeKind::Series { .. } => {
                let mut changes = false;
                self.for_each_input(&mut |input| changes = changes || input.changes(own, bound));
                changes
            }
        })
    }

    /// Calls `f` on this node and all below it, upper ones first.
    pub fn walk<'n>(&'n self, f: &mut dyn FnMut(&'n Node)) {
        f(self);
        self.for_each_input(&mut |input| input.walk(f));
    }

    /// Calls `f` on each expression that this node itself holds (those of its inputs left out).
    pub fn for_each_expr<'n>(&'n self, f: &mut dyn FnMut(&'n Expr)) {
        match &self.kind {
            NodeKind::Scan(scan) => scan_exprs(scan, f),
            NodeKind::Values { rows } => rows.iter().flatten().for_each(f),
            NodeKind::Filter { input: _, predicate } => f(predicate),
            NodeKind::Project { input: _, exprs } => exprs.iter().for_each(f),
            NodeKind::Join(join) => {
                let Join { kind: _, left: _, right: _, keys, same, period, residual, bindings } = &**join;
                for (left, right) in keys.iter().chain(same) {
                    f(left);
                    f(right);
                }
                if let Some(period) = period {
                    f(&period.point);
                    f(&period.from);
                    f(&period.to);
                }
                residual.iter().for_each(&mut *f);
                bindings.iter().for_each(f);
            }
            NodeKind::Aggregate { input: _, group, aggregates } => {
                group.iter().for_each(&mut *f);
                aggregates.iter().for_each(|call| aggregate_exprs(call, f));
            }
            NodeKind::Window { input: _, calls } => calls.iter().for_each(|call| window_exprs(call, f)),
            NodeKind::Sort { input: _, keys } => keys.iter().for_each(|key| f(&key.expr)),
            NodeKind::Limit { input: _, limit, offset } => {
                limit.iter().for_each(&mut *f);
                offset.iter().for_each(f);
            }
            NodeKind::Series { input: _, from, to, step } => {
                f(from);
                f(to);
                f(step);
            }
            NodeKind::Constants { columns: _, row_count: _ }
            | NodeKind::Given { .. }
            | NodeKind::Shared { .. }
            | NodeKind::Distinct { input: _ }
            | NodeKind::UnionAll { inputs: _ }
            | NodeKind::SetOp { .. }
            | NodeKind::Bindings
            | NodeKind::Recursion(_)
            | NodeKind::Working { .. } => {}
        }
    }

    /// Calls `f` on each expression that this node itself holds, which it may change.
    pub fn for_each_expr_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        match &mut self.kind {
            NodeKind::Scan(scan) => scan_exprs_mut(scan, f),
            NodeKind::Values { rows } => rows.iter_mut().flatten().for_each(f),
            NodeKind::Filter { input: _, predicate } => f(predicate),
            NodeKind::Project { input: _, exprs } => exprs.iter_mut().for_each(f),
            NodeKind::Join(join) => {
                let Join { kind: _, left: _, right: _, keys, same, period, residual, bindings } = &mut **join;
                for (left, right) in keys.iter_mut().chain(same) {
                    f(left);
                    f(right);
                }
                if let Some(period) = period {
                    f(&mut period.point);
                    f(&mut period.from);
                    f(&mut period.to);
                }
                residual.iter_mut().for_each(&mut *f);
                bindings.iter_mut().for_each(f);
            }
            NodeKind::Aggregate { input: _, group, aggregates } => {
                group.iter_mut().for_each(&mut *f);
                aggregates.iter_mut().for_each(|call| aggregate_exprs_mut(call, f));
            }
            NodeKind::Window { input: _, calls } => calls.iter_mut().for_each(|call| window_exprs_mut(call, f)),
            NodeKind::Sort { input: _, keys } => keys.iter_mut().for_each(|key| f(&mut key.expr)),
            NodeKind::Limit { input: _, limit, offset } => {
                limit.iter_mut().for_each(&mut *f);
                offset.iter_mut().for_each(f);
            }
            NodeKind::Series { input: _, from, to, step } => {
                f(from);
                f(to);
                f(step);
            }
            NodeKind::Constants { columns: _, row_count: _ }
            | NodeKind::Given { .. }
            | NodeKind::Shared { .. }
            | NodeKind::Distinct { input: _ }
            | NodeKind::UnionAll { inputs: _ }
            | NodeKind::SetOp { .. }
            | NodeKind::Bindings
            | NodeKind::Recursion(_)
            | NodeKind::Working { .. } => {}
        }
    }
}

impl Statement {
    /// Calls `f` on each query of the statement.
    pub fn for_each_query<'n>(&'n self, f: &mut dyn FnMut(&'n QueryPlan)) {
        match self {
            Statement::Query(source) | Statement::CopyTo { source, .. } | Statement::Erase { source, .. } => f(source),
            Statement::Insert { source, conflict, returning, .. } => {
                f(source);
                if let Some(Conflict::Update(update)) = conflict {
                    f(update);
                }
                returning.iter().for_each(f);
            }
            Statement::Update { source, returning, .. } | Statement::Delete { source, returning, .. } => {
                f(source);
                returning.iter().for_each(f);
            }
            Statement::Merge { source, actions, returning, .. } => {
                f(source);
                for action in actions {
                    let (MergeAction::Update(rows) | MergeAction::Delete(rows) | MergeAction::Insert(rows)) = action;
                    f(rows);
                }
                returning.iter().for_each(f);
            }
            Statement::Truncate { tables } => tables.iter().for_each(|(_, source)| f(source)),
            Statement::CreateTableAs { source, .. } => source.iter().for_each(f),
            Statement::Begin(begin) => begin.values.iter().for_each(f),
            Statement::Explain { statement, .. } => statement.for_each_query(f),
            Statement::With { changes, body } => {
                changes.iter().for_each(|change| change.for_each_query(f));
                body.for_each_query(f);
            }
            Statement::Execute { name: _, args } => args.iter().for_each(f),
            Statement::CreateTable { .. }
            | Statement::DropTable { .. }
            | Statement::SetTransaction(_)
            | Statement::Savepoint(_)
            | Statement::RollbackTo(_)
            | Statement::Release(_)
            | Statement::VerifyLedger
            | Statement::Digest
            | Statement::Commit
            | Statement::Rollback
            | Statement::ShowTables
            | Statement::Describe(_)
            | Statement::SetRetention { .. }
            | Statement::Vacuum(_)
            | Statement::Session(_)
            | Statement::CopyFrom { .. } => {}
        }
    }

    /// Calls `f` on each query of the statement, which it may change.
    pub fn for_each_query_mut(&mut self, f: &mut dyn FnMut(&mut QueryPlan)) {
        match self {
            Statement::Query(source) | Statement::CopyTo { source, .. } | Statement::Erase { source, .. } => f(source),
            Statement::Insert { source, conflict, returning, .. } => {
                f(source);
                if let Some(Conflict::Update(update)) = conflict {
                    f(update);
                }
                returning.iter_mut().for_each(f);
            }
            Statement::Update { source, returning, .. } | Statement::Delete { source, returning, .. } => {
                f(source);
                returning.iter_mut().for_each(f);
            }
            Statement::Merge { source, actions, returning, .. } => {
                f(source);
                for action in actions {
                    let (MergeAction::Update(rows) | MergeAction::Delete(rows) | MergeAction::Insert(rows)) = action;
                    f(rows);
                }
                returning.iter_mut().for_each(f);
            }
            Statement::Truncate { tables } => tables.iter_mut().for_each(|(_, source)| f(source)),
            Statement::CreateTableAs { source, .. } => source.iter_mut().for_each(f),
            Statement::Begin(begin) => begin.values.iter_mut().for_each(f),
            Statement::Explain { statement, .. } => statement.for_each_query_mut(f),
            Statement::With { changes, body } => {
                changes.iter_mut().for_each(|change| change.for_each_query_mut(f));
                body.for_each_query_mut(f);
            }
            Statement::Execute { name: _, args } => args.iter_mut().for_each(f),
            Statement::CreateTable { .. }
            | Statement::DropTable { .. }
            | Statement::SetTransaction(_)
            | Statement::Savepoint(_)
            | Statement::RollbackTo(_)
            | Statement::Release(_)
            | Statement::VerifyLedger
            | Statement::Digest
            | Statement::Commit
            | Statement::Rollback
            | Statement::ShowTables
            | Statement::Describe(_)
            | Statement::SetRetention { .. }
            | Statement::Vacuum(_)
            | Statement::Session(_)
            | Statement::CopyFrom { .. } => {}
        }
    }
}

impl AggregateCall {
    /// Do both fold the same?
    pub fn same(&self, other: &AggregateCall) -> bool {
        self.aggregate == other.aggregate
            && self.distinct == other.distinct
            && self.more.len() == other.more.len()
            && self.more.iter().zip(&other.more).all(|(a, b)| a.same(b))
            && self.order.len() == other.order.len()
            && self
                .order
                .iter()
                .zip(&other.order)
                .all(|(a, b)| a.expr.same(&b.expr) && (a.descending, a.nulls_first) == (b.descending, b.nulls_first))
            && match (&self.arg, &other.arg) {
                (None, None) => true,
                (Some(a), Some(b)) => a.same(b),
                (None, Some(_)) | (Some(_), None) => false,
            }
    }
}

/// Calls `f` on each expression of an aggregate call.
pub fn aggregate_exprs<'n>(call: &'n AggregateCall, f: &mut dyn FnMut(&'n Expr)) {
    call.arg.iter().chain(&call.more).for_each(&mut *f);
    call.order.iter().for_each(|key| f(&key.expr));
}

/// Calls `f` on each expression of an aggregate call, which it may change.
pub fn aggregate_exprs_mut(call: &mut AggregateCall, f: &mut dyn FnMut(&mut Expr)) {
    call.arg.iter_mut().chain(&mut call.more).for_each(&mut *f);
    call.order.iter_mut().for_each(|key| f(&mut key.expr));
}

/// Calls `f` on each expression of a window call.
pub fn window_exprs<'n>(call: &'n WindowCall, f: &mut dyn FnMut(&'n Expr)) {
    match &call.function {
        WindowFunction::RowNumber
        | WindowFunction::Rank
        | WindowFunction::DenseRank
        | WindowFunction::PercentRank
        | WindowFunction::CumeDist => {}
        WindowFunction::Shift { value, offset, default, forward: _ } => {
            f(value);
            f(offset);
            default.iter().for_each(|default| f(default));
        }
        WindowFunction::Aggregate { aggregate: _, arg, more } => {
            arg.iter().for_each(|arg| f(arg));
            more.iter().for_each(&mut *f);
        }
        WindowFunction::Ntile(value) | WindowFunction::FirstValue(value) | WindowFunction::LastValue(value) => f(value),
        WindowFunction::NthValue { value, n } => {
            f(value);
            f(n);
        }
    }
    call.partition.iter().for_each(&mut *f);
    call.order.iter().for_each(|key| f(&key.expr));
    for bound in [&call.frame.start, &call.frame.end] {
        match bound {
            FrameBound::UnboundedPreceding | FrameBound::CurrentRow | FrameBound::UnboundedFollowing => {}
            FrameBound::Preceding(edge) | FrameBound::Following(edge) => f(edge),
        }
    }
}

/// Calls `f` on each expression of a window call, which it may change.
pub fn window_exprs_mut(call: &mut WindowCall, f: &mut dyn FnMut(&mut Expr)) {
    match &mut call.function {
        WindowFunction::RowNumber
        | WindowFunction::Rank
        | WindowFunction::DenseRank
        | WindowFunction::PercentRank
        | WindowFunction::CumeDist => {}
        WindowFunction::Shift { value, offset, default, forward: _ } => {
            f(value);
            f(offset);
            default.iter_mut().for_each(|default| f(default));
        }
        WindowFunction::Aggregate { aggregate: _, arg, more } => {
            arg.iter_mut().for_each(|arg| f(arg));
            more.iter_mut().for_each(&mut *f);
        }
        WindowFunction::Ntile(value) | WindowFunction::FirstValue(value) | WindowFunction::LastValue(value) => f(value),
        WindowFunction::NthValue { value, n } => {
            f(value);
            f(n);
        }
    }
    call.partition.iter_mut().for_each(&mut *f);
    call.order.iter_mut().for_each(|key| f(&mut key.expr));
    for bound in [&mut call.frame.start, &mut call.frame.end] {
        match bound {
            FrameBound::UnboundedPreceding | FrameBound::CurrentRow | FrameBound::UnboundedFollowing => {}
            FrameBound::Preceding(edge) | FrameBound::Following(edge) => f(edge),
        }
    }
}

fn scan_exprs<'n>(scan: &'n Scan, f: &mut dyn FnMut(&'n Expr)) {
    let Scan { table: _, alias: _, columns: _, system, valid, keys, predicates } = scan;
    match system {
        SystemScope::Latest | SystemScope::All => {}
        SystemScope::AsOf(at) => f(at),
        SystemScope::Range { from, to, to_included: _ } => {
            f(from);
            f(to);
        }
    }
    match valid {
        ValidScope::All => {}
        ValidScope::At(at) => f(at),
        ValidScope::Range { from, to, to_included: _ } => {
            f(from);
            f(to);
        }
    }
    match keys {
        KeyAccess::All => {}
        KeyAccess::Exact(tuples) => tuples.iter().flatten().for_each(&mut *f),
        KeyAccess::Range { prefix, low, high } => {
            prefix.iter().for_each(&mut *f);
            for KeyBound { value, included: _ } in [low, high].into_iter().flatten() {
                f(value);
            }
        }
    }
    predicates.iter().for_each(|predicate| f(&predicate.value));
}

fn scan_exprs_mut(scan: &mut Scan, f: &mut dyn FnMut(&mut Expr)) {
    let Scan { table: _, alias: _, columns: _, system, valid, keys, predicates } = scan;
    match system {
        SystemScope::Latest | SystemScope::All => {}
        SystemScope::AsOf(at) => f(at),
        SystemScope::Range { from, to, to_included: _ } => {
            f(from);
            f(to);
        }
    }
    match valid {
        ValidScope::All => {}
        ValidScope::At(at) => f(at),
        ValidScope::Range { from, to, to_included: _ } => {
            f(from);
            f(to);
        }
    }
    match keys {
        KeyAccess::All => {}
        KeyAccess::Exact(tuples) => tuples.iter_mut().flatten().for_each(&mut *f),
        KeyAccess::Range { prefix, low, high } => {
            prefix.iter_mut().for_each(&mut *f);
            for KeyBound { value, included: _ } in [low, high].into_iter().flatten() {
                f(value);
            }
        }
    }
    predicates.iter_mut().for_each(|predicate| f(&mut predicate.value));
}
