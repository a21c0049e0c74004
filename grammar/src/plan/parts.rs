//! What are the direct parts of an expression, a node, a call and a statement?
//!
//! Each shape is listed once, in a macro that is written out twice: for those who look and for those who change. A match on
//! a reference binds references of its kind, so the lists say nothing of it. They have no `_` arm: a new shape is a list of
//! compile errors here, and nowhere else.
//!
//! Not here: walks over all that is below (`visit`).

use super::{
    AggregateCall, Conflict, Expr, ExprKind, Frame, FrameBound, Join, KeyAccess, KeyBound, MergeAction, Node, NodeKind,
    PeriodMatch, QueryPlan, Recursion, Scan, ScanPredicate, SortKey, Statement, SubplanAsk, SystemScope, ValidScope,
    WindowCall, WindowFunction,
    stmt::{Begin, EraseFrom},
};
use std::ops::{Deref, DerefMut};

macro_rules! each {
    ($parts:expr, $f:ident) => {
        for part in IntoIterator::into_iter($parts) {
            $f(part);
        }
    };
}

macro_rules! of_keys {
    ($keys:expr, $f:ident) => {
        for SortKey { expr, .. } in $keys {
            $f(expr);
        }
    };
}

/// The parts of an expression.
macro_rules! of_expr {
    ($kind:expr, $f:ident) => {
        match $kind {
            ExprKind::Column(_)
            | ExprKind::Param(_)
            | ExprKind::Context(_)
            | ExprKind::Const(_)
            | ExprKind::Outer(_) => {}
            ExprKind::Call { function: _, args: parts } | ExprKind::And(parts) | ExprKind::Or(parts) => {
                each!(parts, $f)
            }
            ExprKind::Case { arms, otherwise } => {
                for (condition, value) in arms {
                    $f(condition);
                    $f(value);
                }
                each!(otherwise, $f);
            }
            ExprKind::Subplan { subplan_idx: _, ask, args } => {
                match ask {
                    SubplanAsk::Scalar | SubplanAsk::Exists | SubplanAsk::Any(_) => {}
                    SubplanAsk::In(needle) => $f(needle),
                }
                each!(args, $f);
            }
        }
    };
}

/// The inputs of a node; `$open` goes into a box.
macro_rules! of_inputs {
    ($kind:expr, $f:ident, $open:path) => {
        match $kind {
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
            | NodeKind::Distinct { input } => $f(input),
            NodeKind::Join(join) => {
                let Join { left, right, .. } = $open(join);
                $f(left);
                $f(right);
            }
            NodeKind::UnionAll { inputs } => each!(inputs, $f),
            NodeKind::SetOp { intersect: _, all: _, left, right } => {
                $f(left);
                $f(right);
            }
            NodeKind::Recursion(recursion) => {
                let Recursion { base, step, .. } = $open(recursion);
                $f(base);
                $f(step);
            }
        }
    };
}

/// The expressions of a node itself; the other functions are those of a scan and of calls.
macro_rules! of_node {
    ($kind:expr, $f:ident, $open:path, $of_scan:ident, $of_aggregate:ident, $of_window:ident) => {
        match $kind {
            NodeKind::Scan(scan) => $of_scan(scan, $f),
            NodeKind::Values { rows } => {
                for row in rows {
                    each!(row, $f);
                }
            }
            NodeKind::Filter { input: _, predicate } => $f(predicate),
            NodeKind::Project { input: _, exprs } => each!(exprs, $f),
            NodeKind::Join(join) => {
                let Join { kind: _, left: _, right: _, keys, same, period, residual, bindings } = $open(join);
                for (left, right) in keys.into_iter().chain(same) {
                    $f(left);
                    $f(right);
                }
                if let Some(PeriodMatch { since, until, from, to, ends: _ }) = period {
                    $f(since);
                    $f(until);
                    $f(from);
                    $f(to);
                }
                each!(residual, $f);
                each!(bindings, $f);
            }
            NodeKind::Aggregate { input: _, group, aggregates } => {
                each!(group, $f);
                for call in aggregates {
                    $of_aggregate(call, $f);
                }
            }
            NodeKind::Window { input: _, calls } => {
                for call in calls {
                    $of_window(call, $f);
                }
            }
            NodeKind::Sort { input: _, keys } => of_keys!(keys, $f),
            NodeKind::Limit { input: _, limit, offset } => {
                each!(limit, $f);
                each!(offset, $f);
            }
            NodeKind::Series { input: _, from, to, step } => {
                $f(from);
                $f(to);
                $f(step);
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
    };
}

macro_rules! of_scan {
    ($scan:expr, $f:ident) => {
        let Scan { table: _, alias: _, columns: _, system, valid, keys, predicates } = $scan;
        match system {
            SystemScope::Latest | SystemScope::All => {}
            SystemScope::AsOf(at) => $f(at),
            SystemScope::Range { from, to, to_included: _ } => {
                $f(from);
                $f(to);
            }
        }
        match valid {
            ValidScope::All => {}
            ValidScope::At(at) => $f(at),
            ValidScope::Range { from, to, to_included: _ } => {
                $f(from);
                $f(to);
            }
        }
        match keys {
            KeyAccess::All => {}
            KeyAccess::Exact(tuples) => {
                for tuple in tuples {
                    each!(tuple, $f);
                }
            }
            KeyAccess::Range { prefix, low, high } => {
                each!(prefix, $f);
                for KeyBound { value, included: _ } in [low, high].into_iter().flatten() {
                    $f(value);
                }
            }
        }
        for ScanPredicate { value, .. } in predicates {
            $f(value);
        }
    };
}

macro_rules! of_aggregate {
    ($call:expr, $f:ident) => {
        let AggregateCall { aggregate: _, distinct: _, arg, more, order, .. } = $call;
        each!(arg, $f);
        each!(more, $f);
        of_keys!(order, $f);
    };
}

macro_rules! of_window {
    ($call:expr, $f:ident) => {
        let WindowCall { function, partition, order, frame, .. } = $call;
        match function {
            WindowFunction::RowNumber
            | WindowFunction::Rank
            | WindowFunction::DenseRank
            | WindowFunction::PercentRank
            | WindowFunction::CumeDist => {}
            WindowFunction::Shift { value, offset, default, forward: _ } => {
                $f(value);
                $f(offset);
                each!(default, $f);
            }
            WindowFunction::Aggregate { aggregate: _, arg, more } => {
                each!(arg, $f);
                each!(more, $f);
            }
            WindowFunction::Ntile(value) | WindowFunction::FirstValue(value) | WindowFunction::LastValue(value) => {
                $f(value);
            }
            WindowFunction::NthValue { value, n } => {
                $f(value);
                $f(n);
            }
        }
        each!(partition, $f);
        of_keys!(order, $f);
        let Frame { start, end, .. } = frame;
        for bound in [start, end] {
            match bound {
                FrameBound::UnboundedPreceding | FrameBound::CurrentRow | FrameBound::UnboundedFollowing => {}
                FrameBound::Preceding(edge) | FrameBound::Following(edge) => $f(edge),
            }
        }
    };
}

/// The queries of a statement; `$again` is what does the same for a statement within it.
macro_rules! of_statement {
    ($statement:expr, $f:ident, $open:path, $again:ident) => {
        match $statement {
            Statement::Query(source) | Statement::CopyTo { source, .. } => $f(source),
            Statement::Insert { source, conflict, returning, .. } => {
                $f(source);
                if let Some(Conflict::Update(update)) = conflict {
                    $f(update);
                }
                each!(returning, $f);
            }
            Statement::Update { source, returning, .. } | Statement::Delete { source, returning, .. } => {
                $f(source);
                each!(returning, $f);
            }
            Statement::Merge { source, actions, returning, .. } => {
                $f(source);
                for action in actions {
                    let (MergeAction::Update(rows) | MergeAction::Delete(rows) | MergeAction::Insert(rows)) = action;
                    $f(rows);
                }
                each!(returning, $f);
            }
            Statement::Truncate { tables } => {
                for (_, source) in tables {
                    $f(source);
                }
            }
            Statement::Erase { tables } => {
                for erase in tables {
                    let EraseFrom { table: _, is_dropped: _, source, stated } = erase;
                    $f(source);
                    $f(stated);
                }
            }
            Statement::CreateTableAs { source, .. } => each!(source, $f),
            Statement::Begin(begin) => {
                let Begin { modes: _, options: _, values } = $open(begin);
                each!(values, $f);
            }
            Statement::Explain { statement, .. } => statement.$again($f),
            Statement::With { changes, body } => {
                for change in changes {
                    change.$again($f);
                }
                body.$again($f);
            }
            Statement::Execute { name: _, args, into: _ } => each!(args, $f),
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
    };
}

impl Expr {
    /// Calls `f` on each direct part.
    pub fn for_each_child<'e>(&'e self, f: &mut dyn FnMut(&'e Expr)) {
        of_expr!(&self.kind, f);
    }

    /// Calls `f` on each direct part, which it may change.
    pub fn for_each_child_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        of_expr!(&mut self.kind, f);
    }
}

impl Node {
    /// Calls `f` on each direct input.
    pub fn for_each_input<'n>(&'n self, f: &mut dyn FnMut(&'n Node)) {
        of_inputs!(&self.kind, f, Deref::deref);
    }

    /// Calls `f` on each direct input, which it may change.
    pub fn for_each_input_mut(&mut self, f: &mut dyn FnMut(&mut Node)) {
        of_inputs!(&mut self.kind, f, DerefMut::deref_mut);
    }

    /// Calls `f` on each expression that this node itself holds (those of its inputs left out).
    pub fn for_each_expr<'n>(&'n self, f: &mut dyn FnMut(&'n Expr)) {
        of_node!(&self.kind, f, Deref::deref, scan_exprs, aggregate_exprs, window_exprs);
    }

    /// Calls `f` on each expression that this node itself holds, which it may change.
    pub fn for_each_expr_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        of_node!(&mut self.kind, f, DerefMut::deref_mut, scan_exprs_mut, aggregate_exprs_mut, window_exprs_mut);
    }
}

impl Statement {
    /// Calls `f` on each query of the statement.
    pub fn for_each_query<'n>(&'n self, f: &mut dyn FnMut(&'n QueryPlan)) {
        of_statement!(self, f, Deref::deref, for_each_query);
    }

    /// Calls `f` on each query of the statement, which it may change.
    pub fn for_each_query_mut(&mut self, f: &mut dyn FnMut(&mut QueryPlan)) {
        of_statement!(self, f, DerefMut::deref_mut, for_each_query_mut);
    }
}

/// Calls `f` on each expression of an aggregate call.
pub fn aggregate_exprs<'n>(call: &'n AggregateCall, f: &mut dyn FnMut(&'n Expr)) {
    of_aggregate!(call, f);
}

/// Calls `f` on each expression of an aggregate call, which it may change.
pub fn aggregate_exprs_mut(call: &mut AggregateCall, f: &mut dyn FnMut(&mut Expr)) {
    of_aggregate!(call, f);
}

/// Calls `f` on each expression of a window call.
pub fn window_exprs<'n>(call: &'n WindowCall, f: &mut dyn FnMut(&'n Expr)) {
    of_window!(call, f);
}

/// Calls `f` on each expression of a window call, which it may change.
pub fn window_exprs_mut(call: &mut WindowCall, f: &mut dyn FnMut(&mut Expr)) {
    of_window!(call, f);
}

fn scan_exprs<'n>(scan: &'n Scan, f: &mut dyn FnMut(&'n Expr)) {
    of_scan!(scan, f);
}

fn scan_exprs_mut(scan: &mut Scan, f: &mut dyn FnMut(&mut Expr)) {
    of_scan!(scan, f);
}
