//! How do aggregates and windows find their place in a block?
//!
//! While a block's expressions are bound, its aggregates and windows are collected here and stand in the expressions as
//! columns beyond all real ones. [`Block::assemble`] then builds Aggregate, the HAVING filter and Window over the rows of the
//! FROM, and gives every expression the columns of the last of them: a part that equals a group key becomes that key's
//! column; a column that is neither in a key nor in an aggregate is 42803.

use super::{
    expr::{AGGREGATE_BASE, Ctx, GIVEN_BASE, GROUPING_BASE, WINDOW_BASE},
    grouping::Sets,
    scope::{Scope, ScopeTable},
};
use crate::{
    ast::{self, Name},
    diag::{Diag, code},
    plan::{AggregateCall, Expr, ExprKind, Field, Frame, Node, NodeKind, WindowCall, WindowFunction, parts},
    span::Span,
};
use spectradb_kernel::Value;

/// What a SELECT block collects.
pub(super) struct Block<'s> {
    pub(super) scope: &'s Scope,
    /// What makes a group.
    pub(super) keys: Vec<Expr>,
    /// The columns that are keys as they are written: what depends on them is the same for a group. `coalesce(id, 0)` is no such
    /// key, though it is `id` where that is never NULL.
    pub(super) settling: Vec<usize>,
    pub(super) aggregates: Vec<AggregateCall>,
    pub(super) windows: Vec<WindowCall>,
    /// The keys of each set of GROUPING SETS and its kin, by position; a single set of all keys where there is none.
    pub(super) sets: Option<Sets>,
    /// The arguments of the calls of `grouping()`.
    pub(super) groupings: Vec<Vec<Expr>>,
    pub(super) aliases: &'s [(&'s Name, &'s ast::Expr)],
    pub(super) named_windows: &'s [(Name, ast::WindowSpec)],
}

impl<'s> Block<'s> {
    pub(super) fn new(
        scope: &'s Scope,
        aliases: &'s [(&'s Name, &'s ast::Expr)],
        named_windows: &'s [(Name, ast::WindowSpec)],
    ) -> Block<'s> {
        Block {
            scope,
            keys: Vec::new(),
            settling: Vec::new(),
            aggregates: Vec::new(),
            windows: Vec::new(),
            sets: None,
            groupings: Vec::new(),
            aliases,
            named_windows,
        }
    }

    /// A clause whose aggregates, and windows if it takes any, are collected here.
    pub(super) fn ctx(&mut self, clause: &'static str, takes_windows: bool) -> Ctx<'_> {
        Ctx {
            scope: self.scope,
            clause,
            aggregates: Some(&mut self.aggregates),
            windows: takes_windows.then_some(&mut self.windows),
            groupings: Some(&mut self.groupings),
            aliases: self.aliases,
            named_windows: self.named_windows,
            in_aggregate: false,
            in_window: false,
        }
    }

    /// A group key holds no aggregate and no window.
    pub(super) fn no_calls(&self, key: &Expr, span: Span) -> Result<(), Diag> {
        for column in key.columns() {
            if column >= WINDOW_BASE {
                return Err(Diag::new(code::WINDOWING, "window functions are not allowed in GROUP BY", span));
            }
            if column >= AGGREGATE_BASE {
                return Err(Diag::new(code::GROUPING, "aggregate functions are not allowed in GROUP BY", span));
            }
        }
        Ok(())
    }

    /// The node below the select list, and the expressions over its columns.
    pub(super) fn assemble(
        mut self,
        mut node: Node,
        mut exprs: Vec<Expr>,
        having: Option<Expr>,
        is_grouped: bool,
        givens: &[Expr],
    ) -> Result<(Node, Vec<Expr>), Diag> {
        let mut windows = std::mem::take(&mut self.windows);
        if is_grouped {
            self.same_for_groups(givens)?;
            let mut having = having;
            if let Some(sets) = &self.sets {
                // What a set leaves out settles nothing.
                let in_all = |key: usize| sets.sets.iter().all(|set| set.contains(&key));
                let is_in_all = |column: &usize| {
                    let is_it = |key: &Expr| matches!(key.kind, ExprKind::Column(at) if at == *column);
                    self.keys.iter().position(is_it).is_some_and(in_all)
                };
                self.settling = self.settling.iter().copied().filter(is_in_all).collect();
            }
            for expr in exprs.iter_mut().chain(&mut having) {
                self.settle(expr);
            }
            for window in &mut windows {
                parts::window_exprs_mut(window, &mut |expr| self.settle(expr));
            }
            let sets = self.sets.take();
            if sets.is_none() {
                for part in self.aggregates.iter_mut().flat_map(aggregate_parts) {
                    give(part, givens, &|given| given.clone());
                }
            }
            if sets.is_some() {
                // While they were bound every column could be NULL; those of all sets, and those of rows, are what they are.
                let rows = &node.fields;
                let parts = self.aggregates.iter_mut().flat_map(aggregate_parts);
                for part in parts.chain(self.keys.iter_mut()) {
                    if let ExprKind::Column(column) = part.kind
                        && let Some(field) = rows.get(column)
                    {
                        part.nullable = field.nullable;
                    }
                }
            }
            let fields = self.fields();
            let groupings = std::mem::take(&mut self.groupings);
            if let Some(sets) = sets {
                // Sets are told apart by a number that stands before the keys.
                let (grouped, fields) = sets.aggregate(node, &self.keys, &self.aggregates, givens, fields)?;
                node = grouped;
                for expr in exprs.iter_mut().chain(&mut having) {
                    self.regroup(expr, &fields, 1)?;
                    sets.number(expr, &groupings, &self.keys)?;
                }
                for window in &mut windows {
                    let mut regrouped = Ok(());
                    parts::window_exprs_mut(window, &mut |expr| {
                        if regrouped.is_ok() {
                            regrouped =
                                self.regroup(expr, &fields, 1).and_then(|()| sets.number(expr, &groupings, &self.keys));
                        }
                    });
                    regrouped?;
                    settle_nullable(window);
                }
                if let Some(having) = having {
                    node = node.filter(having);
                }
                return Ok(windowed(node, exprs, windows));
            }
            let lone = Sets::of_one(self.keys.len());
            for expr in &mut exprs {
                self.regroup(expr, &fields, 0)?;
                lone.number(expr, &groupings, &self.keys)?;
            }
            for window in &mut windows {
                let mut regrouped = Ok(());
                parts::window_exprs_mut(window, &mut |expr| {
                    if regrouped.is_ok() {
                        regrouped =
                            self.regroup(expr, &fields, 0).and_then(|()| lone.number(expr, &groupings, &self.keys));
                    }
                });
                regrouped?;
                settle_nullable(window);
            }
            let having = match having {
                Some(mut having) => {
                    self.regroup(&mut having, &fields, 0)?;
                    lone.number(&mut having, &groupings, &self.keys)?;
                    Some(having)
                }
                None => None,
            };
            let kind = NodeKind::Aggregate { input: Box::new(node), group: self.keys, aggregates: self.aggregates };
            node = Node { kind, fields };
            if let Some(having) = having {
                node = node.filter(having);
            }
        }
        Ok(windowed(node, exprs, windows))
    }

    /// The fields of the Aggregate node: keys, then aggregates.
    fn fields(&self) -> Vec<Field> {
        let keys = self.keys.iter().map(|key| {
            let name = match key.kind {
                ExprKind::Column(column) => self.scope.describe(column).rsplit('.').next().unwrap_or("key").to_owned(),
                _ => "key".to_owned(),
            };
            Field { name, ty: key.ty, nullable: key.nullable }
        });
        let aggregates = self.aggregates.iter().map(|call| {
            // A group has rows; only the one group of an ungrouped aggregate may have none.
            // Asked for NULL, an ordered set gives NULL; a key that a grouping set leaves out is NULL.
            let asked = call.more.iter().any(|arg| arg.nullable || self.sets.is_some() && arg.has_columns());
            let empty = self.keys.is_empty() || asked || call.arg.as_ref().is_some_and(|arg| arg.nullable);
            let nullable = call.aggregate.null_when_empty && empty;
            Field { name: call.aggregate.name.to_owned(), ty: call.ty, nullable }
        });
        keys.chain(aggregates).collect()
    }

    /// What an ordered-set aggregate is asked for (`percentile_cont(p)`, `rank(x)`) must be the same for all rows of a group.
    fn same_for_groups(&mut self, givens: &[Expr]) -> Result<(), Diag> {
        for call in self.aggregates.iter().filter(|call| super::aggregate::is_ordered_set(call.aggregate.name)) {
            for arg in call.more.iter().filter(|arg| arg.has_columns()) {
                // Nothing of it is left once the keys are columns of groups.
                self.regroup(&mut arg.clone(), &self.fields(), 0)?;
            }
        }
        let mut asked = Vec::new();
        for part in self.aggregates.iter_mut().flat_map(aggregate_parts) {
            part.walk_mut(&mut |part| {
                if let ExprKind::Column(column) = part.kind
                    && (GIVEN_BASE..WINDOW_BASE).contains(&column)
                {
                    asked.push(column - GIVEN_BASE);
                }
            });
        }
        for given in asked {
            let mut given = givens[given].clone();
            let aggregate_count = self.aggregates.len();
            self.settle(&mut given);
            self.aggregates.truncate(aggregate_count);
            given.walk_mut(&mut |part| {
                if matches!(part.kind, ExprKind::Column(column) if column >= AGGREGATE_BASE) {
                    part.kind = ExprKind::Const(Value::Null);
                }
            });
            self.regroup(&mut given, &self.fields(), 0)?;
        }
        Ok(())
    }

    /// What the key of a table settles, where all of it is grouped, is the same for all rows of a group: its first value.
    fn settle(&mut self, expr: &mut Expr) {
        if self.keys.iter().any(|key| key.same(expr)) {
            return;
        }
        let ExprKind::Column(column) = expr.kind else {
            return expr.for_each_child_mut(&mut |child| self.settle(child));
        };
        let is_grouped = |column: usize| self.settling.contains(&column);
        let settles = |table: &ScopeTable| {
            !table.key.is_empty()
                && table.columns.iter().any(|other| other.column == column)
                && table.key.iter().all(|key| is_grouped(table.columns[*key].column))
        };
        if column >= GROUPING_BASE.min(AGGREGATE_BASE).min(WINDOW_BASE) || !self.scope.tables.iter().any(settles) {
            return;
        }
        let new = AggregateCall {
            aggregate: super::aggregate::find_first(expr.ty.class()),
            arg: Some(expr.clone()),
            more: Vec::new(),
            distinct: false,
            order: Vec::new(),
            ty: expr.ty,
            span: expr.span,
        };
        let at = self.aggregates.iter().position(|old| old.same(&new)).unwrap_or_else(|| {
            self.aggregates.push(new);
            self.aggregates.len() - 1
        });
        expr.kind = ExprKind::Column(AGGREGATE_BASE + at);
    }

    /// Gives an expression over the FROM the columns of the Aggregate node, whose keys begin at `first`.
    fn regroup(&self, expr: &mut Expr, fields: &[Field], first: usize) -> Result<(), Diag> {
        let place = match expr.kind {
            ExprKind::Column(column) if column >= GROUPING_BASE => return Ok(()),
            ExprKind::Column(column) if column >= AGGREGATE_BASE => {
                Some(first + column - AGGREGATE_BASE + self.keys.len())
            }
            _ => self.keys.iter().position(|key| key.same(expr)).map(|key| first + key),
        };
        if let Some(column) = place {
            expr.kind = ExprKind::Column(column);
            expr.nullable = fields[column].nullable;
            return Ok(());
        }
        if let ExprKind::Column(column) = expr.kind {
            let message = format!(
                "column \"{}\" must appear in the GROUP BY clause or be used in an aggregate function",
                self.scope.describe(column)
            );
            return Err(Diag::new(code::GROUPING, message, expr.span));
        }
        let mut regrouped = Ok(());
        expr.for_each_child_mut(&mut |child| {
            if regrouped.is_ok() {
                regrouped = self.regroup(child, fields, first);
            }
        });
        regrouped
    }
}

/// What an aggregate computes of rows.
pub(super) fn aggregate_parts(call: &mut AggregateCall) -> impl Iterator<Item = &mut Expr> {
    call.arg.iter_mut().chain(&mut call.more).chain(call.order.iter_mut().map(|key| &mut key.expr))
}

/// Puts what is given in its places.
pub(super) fn give(expr: &mut Expr, givens: &[Expr], as_seen: &dyn Fn(&Expr) -> Expr) {
    expr.walk_mut(&mut |part| {
        if let ExprKind::Column(column) = part.kind
            && (GIVEN_BASE..WINDOW_BASE).contains(&column)
        {
            *part = as_seen(&givens[column - GIVEN_BASE]);
        }
    });
}

/// The node with a column for each window, and the expressions over its columns.
fn windowed(mut node: Node, mut exprs: Vec<Expr>, windows: Vec<WindowCall>) -> (Node, Vec<Expr>) {
    if !windows.is_empty() {
        let width = node.fields.len();
        let mut fields = node.fields.clone();
        fields.extend(windows.iter().map(|window| Field {
            name: window_name(&window.function).to_owned(),
            ty: window.ty,
            nullable: window.nullable,
        }));
        for expr in &mut exprs {
            expr.walk_mut(&mut |part| {
                if let ExprKind::Column(column) = &mut part.kind
                    && *column >= WINDOW_BASE
                {
                    *column = *column - WINDOW_BASE + width;
                    part.nullable = fields[*column].nullable;
                }
            });
        }
        node = Node { kind: NodeKind::Window { input: Box::new(node), calls: windows }, fields };
    }
    (node, exprs)
}

/// After grouping an argument may have been proven not NULL, never the reverse.
fn settle_nullable(window: &mut WindowCall) {
    if let WindowFunction::Aggregate { aggregate, arg: Some(arg), more: _ } = &window.function
        && window.frame == Frame::running()
    {
        window.nullable = aggregate.null_when_empty && arg.nullable;
    }
}

fn window_name(function: &WindowFunction) -> &'static str {
    match function {
        WindowFunction::RowNumber => "row_number",
        WindowFunction::Rank => "rank",
        WindowFunction::DenseRank => "dense_rank",
        WindowFunction::Shift { forward: true, .. } => "lead",
        WindowFunction::Shift { forward: false, .. } => "lag",
        WindowFunction::Aggregate { aggregate, .. } => aggregate.name,
        WindowFunction::Ntile(_) => "ntile",
        WindowFunction::PercentRank => "percent_rank",
        WindowFunction::CumeDist => "cume_dist",
        WindowFunction::FirstValue(_) => "first_value",
        WindowFunction::LastValue(_) => "last_value",
        WindowFunction::NthValue { .. } => "nth_value",
    }
}
