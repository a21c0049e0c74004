//! How does a subplan answer for all its arguments at once?
//!
//! Holds: what comes back has the columns that the node had and then one for each argument. Rows that answer for the same
//! arguments come in the order in which the node alone would give them.

use super::{
    Unnest, boolean_call, can_fail, column, has_outer_expr, integer_call, nearest, or_else, passed, with_args, zero,
};
use crate::{
    bind::function,
    diag::Diag,
    plan::{
        Expr, ExprKind, Field, Frame, FrameBound, FrameExclude, FrameUnit, Join, JoinKind, Node, NodeKind, WindowCall,
        WindowFunction, parts,
    },
    span::Span,
};
use spectradb_kernel::Type;
use std::collections::BTreeSet;

/// Does anything below read an argument, or working rows that carry them?
pub(super) fn has_outer(node: &Node, carrying: &BTreeSet<usize>) -> bool {
    let mut found = matches!(&node.kind, NodeKind::Working { recursion } if carrying.contains(recursion));
    node.for_each_expr(&mut |expr| found = found || has_outer_expr(expr));
    node.for_each_input(&mut |input| found = found || crate::stack::deeper(|| has_outer(input, carrying)));
    found
}

/// Does it read the bindings of a join that stands further out?
pub(super) fn has_bindings(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Bindings => true,
        // The right side reads the bindings of this join.
        NodeKind::Join(join) if !join.bindings.is_empty() => has_bindings(&join.left),
        _ => {
            let mut found = false;
            node.for_each_input(&mut |input| found = found || crate::stack::deeper(|| has_bindings(input)));
            found
        }
    }
}

fn binding_fields(args: &[Expr]) -> Vec<Field> {
    let field =
        |(at, arg): (usize, &Expr)| Field { name: format!("?outer{}?", at + 1), ty: arg.ty, nullable: arg.nullable };
    args.iter().enumerate().map(field).collect()
}

fn with_fields(mut fields: Vec<Field>, more: &[Field]) -> Vec<Field> {
    fields.extend(more.iter().cloned());
    fields
}

/// The arguments as columns of a node that carries them last.
fn columns_of(node: &Node, count: usize) -> Vec<Expr> {
    (node.fields.len() - count..node.fields.len()).map(|at| column(&node.fields, at)).collect()
}

impl Unnest {
    /// The combinations of arguments. Within the right side of a join with bindings of its own they stand behind those, once for
    /// each combination of both.
    fn bindings(&self, args: &[Expr]) -> Node {
        let node = Node { kind: NodeKind::Bindings, fields: with_fields(self.nested.clone(), &binding_fields(args)) };
        if self.nested.is_empty() {
            return node;
        }
        let columns = passed(&node, self.nested.len()..node.fields.len());
        let input = Box::new(node.project(columns));
        Node { fields: input.fields.clone(), kind: NodeKind::Distinct { input } }
    }

    /// Every row beside every combination of arguments.
    fn crossed(&self, node: Node, args: &[Expr]) -> Node {
        let right = self.bindings(args);
        let fields = with_fields(node.fields.clone(), &right.fields);
        Node { kind: NodeKind::Join(Box::new(Join::on(JoinKind::Inner, node, right, None))), fields }
    }

    /// Must arguments be pushed into it, because it reads them, or bindings that they are going to stand behind?
    fn asks(&self, node: &Node) -> bool {
        has_outer(node, &self.carrying) || !self.nested.is_empty() && has_bindings(node)
    }

    /// The node with its arguments as further columns.
    pub(super) fn push(&mut self, node: Node, args: &[Expr]) -> Result<Node, Diag> {
        crate::stack::deeper(|| self.push_within(node, args))
    }

    fn push_within(&mut self, node: Node, args: &[Expr]) -> Result<Node, Diag> {
        if args.is_empty() {
            return Ok(node);
        }
        if !self.asks(&node) {
            return Ok(self.crossed(node, args));
        }
        let count = args.len();
        let Node { kind, fields } = node;
        let width = fields.len();
        Ok(match kind {
            NodeKind::Filter { input, predicate } => {
                if !self.asks(&input)
                    && !can_fail(&input)
                    && !predicate.is_fallible()
                    && self.infallible
                    && let Some(node) = by_equality(&input, &predicate, args)
                {
                    return Ok(node);
                }
                let input = self.push(*input, args)?;
                let given = columns_of(&input, count);
                let predicate = with_args(&predicate, &|at| given[at].clone());
                input.filter(predicate)
            }
            NodeKind::Project { input, exprs } => {
                let input = self.push(*input, args)?;
                let given = columns_of(&input, count);
                let mut exprs: Vec<Expr> = exprs.iter().map(|expr| with_args(expr, &|at| given[at].clone())).collect();
                let carried: Vec<Field> = input.fields[input.fields.len() - count..].to_vec();
                exprs.extend(given);
                Node {
                    kind: NodeKind::Project { input: Box::new(input), exprs },
                    fields: with_fields(fields, &carried),
                }
            }
            NodeKind::Join(join) => self.push_join(*join, fields, args)?,
            NodeKind::Aggregate { mut input, group, mut aggregates } => {
                if !self.is_asked_once {
                    nearest::extreme(&mut input, &group, &aggregates);
                }
                let input = self.push(*input, args)?;
                let given = columns_of(&input, count);
                let carried: Vec<Field> = input.fields[input.fields.len() - count..].to_vec();
                let group_count = group.len();
                let mut keys: Vec<Expr> = group.iter().map(|key| with_args(key, &|at| given[at].clone())).collect();
                keys.extend(given.iter().cloned());
                for call in &mut aggregates {
                    parts::aggregate_exprs_mut(call, &mut |expr| *expr = with_args(expr, &|at| given[at].clone()));
                }
                let null_when_empty: Vec<bool> = aggregates.iter().map(|call| call.aggregate.null_when_empty).collect();
                let mut all: Vec<Field> = fields[..group_count].to_vec();
                all.extend(carried.iter().cloned());
                all.extend(fields[group_count..].iter().cloned());
                let node =
                    Node { kind: NodeKind::Aggregate { input: Box::new(input), group: keys, aggregates }, fields: all };
                let call_count = null_when_empty.len();
                if group_count > 0 {
                    let calls = group_count + count..group_count + count + call_count;
                    let columns = passed(&node, (0..group_count).chain(calls).chain(group_count..group_count + count));
                    return Ok(node.project(columns));
                }
                // Without groups there is a row for every combination, also where there is nothing to fold.
                let left = self.bindings(args);
                let same = (0..count).map(|at| (column(&left.fields, at), column(&node.fields, at))).collect();
                let outer = node.fields.iter().map(|field| Field { nullable: true, ..field.clone() });
                let all = left.fields.iter().cloned().chain(outer).collect();
                let join = Join { same, ..Join::on(JoinKind::Left, left, node, None) };
                let node = Node { kind: NodeKind::Join(Box::new(join)), fields: all };
                let mut columns = Vec::with_capacity(call_count + count);
                for (at, null_when_empty) in null_when_empty.into_iter().enumerate() {
                    let value = column(&node.fields, 2 * count + at);
                    let value = if null_when_empty { value } else { or_else(value, zero(Span::default())) };
                    columns.push((fields[at].name.clone(), value));
                }
                columns.extend(passed(&node, 0..count));
                node.project(columns)
            }
            NodeKind::Sort { input, mut keys } => {
                let input = self.push(*input, args)?;
                let given = columns_of(&input, count);
                keys.iter_mut().for_each(|key| key.expr = with_args(&key.expr, &|at| given[at].clone()));
                let fields = input.fields.clone();
                Node { kind: NodeKind::Sort { input: Box::new(input), keys }, fields }
            }
            NodeKind::Limit { mut input, limit, offset } => {
                if !self.is_asked_once {
                    nearest::first_rows(&mut input, limit.as_ref(), offset.as_ref());
                }
                let input = self.push(*input, args)?;
                limited(input, limit, offset, count)
            }
            NodeKind::Distinct { input } => {
                let input = self.push(*input, args)?;
                let fields = input.fields.clone();
                Node { kind: NodeKind::Distinct { input: Box::new(input) }, fields }
            }
            NodeKind::Window { input, mut calls } => {
                let before = input.fields.len();
                let input = self.push(*input, args)?;
                let given = columns_of(&input, count);
                for call in &mut calls {
                    parts::window_exprs_mut(call, &mut |expr| *expr = with_args(expr, &|at| given[at].clone()));
                    call.partition.extend(given.iter().cloned());
                }
                let all = with_fields(input.fields.clone(), &fields[before..]);
                let node = Node { kind: NodeKind::Window { input: Box::new(input), calls }, fields: all };
                let columns =
                    passed(&node, (0..before).chain(before + count..width + count).chain(before..before + count));
                node.project(columns)
            }
            NodeKind::UnionAll { inputs } => {
                let inputs = inputs.into_iter().map(|input| self.push(input, args)).collect::<Result<Vec<_>, _>>()?;
                let mut all = with_fields(fields, &binding_fields(args));
                for (at, field) in all.iter_mut().enumerate() {
                    field.nullable = inputs.iter().any(|input| input.fields[at].nullable);
                }
                Node { kind: NodeKind::UnionAll { inputs }, fields: all }
            }
            NodeKind::SetOp { intersect, all, left, right } => {
                let left = Box::new(self.push(*left, args)?);
                let right = Box::new(self.push(*right, args)?);
                let carried: Vec<Field> = left.fields[width..].to_vec();
                let fields = with_fields(fields, &carried);
                Node { kind: NodeKind::SetOp { intersect, all, left, right }, fields }
            }
            NodeKind::Values { rows } => {
                let mut inputs = Vec::with_capacity(rows.len());
                for exprs in rows {
                    let input = self.bindings(args);
                    let given = columns_of(&input, count);
                    let mut exprs: Vec<Expr> =
                        exprs.iter().map(|expr| with_args(expr, &|at| given[at].clone())).collect();
                    let fields = with_fields(fields.clone(), &input.fields);
                    exprs.extend(given);
                    inputs.push(Node { kind: NodeKind::Project { input: Box::new(input), exprs }, fields });
                }
                let fields = with_fields(fields, &binding_fields(args));
                Node { kind: NodeKind::UnionAll { inputs }, fields }
            }
            NodeKind::Series { input, from, to, step } => {
                let before = input.fields.len();
                let input = self.push(*input, args)?;
                let given = columns_of(&input, count);
                let [from, to, step] = [from, to, step].map(|bound| with_args(&bound, &|at| given[at].clone()));
                let all = with_fields(input.fields.clone(), &fields[before..]);
                let last = all.len() - 1;
                let node = Node { kind: NodeKind::Series { input: Box::new(input), from, to, step }, fields: all };
                let columns = passed(&node, (0..before).chain([last]).chain(before..before + count));
                node.project(columns)
            }
            NodeKind::Recursion(mut recursion) => {
                self.carrying.insert(recursion.id);
                let nothing = super::nothing;
                recursion.base = self.push(std::mem::replace(&mut recursion.base, nothing()), args)?;
                recursion.step = self.push(std::mem::replace(&mut recursion.step, nothing()), args)?;
                // From here on its rows ask nobody: who looks at it again would find no end.
                self.carrying.remove(&recursion.id);
                let carried = nullable(binding_fields(args));
                Node { kind: NodeKind::Recursion(recursion), fields: with_fields(fields, &carried) }
            }
            NodeKind::Working { recursion } => {
                let carried = nullable(binding_fields(args));
                Node { kind: NodeKind::Working { recursion }, fields: with_fields(fields, &carried) }
            }
            NodeKind::Bindings if !self.nested.is_empty() => {
                Node { kind: NodeKind::Bindings, fields: with_fields(fields, &binding_fields(args)) }
            }
            kind @ (NodeKind::Scan(_)
            | NodeKind::Constants { .. }
            | NodeKind::Given { .. }
            | NodeKind::Shared { .. }
            | NodeKind::Bindings) => self.crossed(Node { kind, fields }, args),
        })
    }

    fn push_join(&mut self, join: Join, fields: Vec<Field>, args: &[Expr]) -> Result<Node, Diag> {
        let count = args.len();
        let Join { kind, left, right, keys, same, period, residual, bindings: nested } = join;
        let (left_width, right_width) = (left.fields.len(), right.fields.len());
        let left_asks = self.asks(&left)
            || keys.iter().chain(&same).any(|(left, _)| has_outer_expr(left))
            || nested.iter().any(has_outer_expr)
            || period.as_ref().is_some_and(|period| has_outer_expr(&period.since) || has_outer_expr(&period.until));
        // What the right side reads of bindings is this join's, if it has some.
        let right_asks = if nested.is_empty() { self.asks(&right) } else { has_outer(&right, &self.carrying) };
        // Which sides must carry the arguments: one that keeps rows without a partner always must.
        let (left_carries, right_carries) = match kind {
            JoinKind::Inner => (left_asks || !right_asks || !nested.is_empty(), right_asks),
            JoinKind::Left | JoinKind::Semi | JoinKind::Anti => (true, right_asks),
            JoinKind::Right => (left_asks, true),
            JoinKind::Full => (true, true),
        };
        let left = if left_carries { self.push(left, args)? } else { left };
        let extends = right_carries && !nested.is_empty();
        let right = if extends {
            let around = std::mem::replace(&mut self.nested, binding_fields(&nested));
            let right = self.push(right, args);
            self.nested = around;
            right?
        } else if right_carries {
            self.push(right, args)?
        } else {
            right
        };
        let new_left = left.fields.len();
        let of_left = if left_carries { columns_of(&left, count) } else { Vec::new() };
        let of_right: Vec<Expr> = if right_carries { columns_of(&right, count) } else { Vec::new() };
        let beside = |expr: &Expr| {
            let mut expr = expr.clone();
            expr.map_columns(&mut |column| column + new_left);
            expr
        };
        let residual = residual.map(|mut residual| {
            residual
                .map_columns(&mut |column| if column < left_width { column } else { column - left_width + new_left });
            with_args(&residual, &|at| if left_carries { of_left[at].clone() } else { beside(&of_right[at]) })
        });
        let left_expr = |expr: Expr| if left_carries { with_args(&expr, &|at| of_left[at].clone()) } else { expr };
        let left_pairs = |pairs: Vec<(Expr, Expr)>| -> Vec<(Expr, Expr)> {
            pairs.into_iter().map(|(left, right)| (left_expr(left), right)).collect()
        };
        let (keys, mut same) = (left_pairs(keys), left_pairs(same));
        let mut nested: Vec<Expr> = nested.into_iter().map(left_expr).collect();
        if extends {
            nested.extend(of_left.iter().cloned());
        }
        let period = period.map(|mut period| {
            period.since = left_expr(period.since);
            period.until = left_expr(period.until);
            period
        });
        if left_carries && right_carries {
            same.extend(of_left.iter().cloned().zip(of_right.iter().cloned()));
        }
        let mut all: Vec<Field> = fields[..left_width].to_vec();
        let outer = |field: &Field, outer: bool| Field { nullable: field.nullable || outer, ..field.clone() };
        let left_null = matches!(kind, JoinKind::Right | JoinKind::Full);
        let right_null = matches!(kind, JoinKind::Left | JoinKind::Full);
        all.extend(left.fields[left_width..].iter().map(|field| outer(field, left_null)));
        if kind.gives_right() {
            all.extend(fields[left_width..].iter().cloned());
            all.extend(right.fields[right_width..].iter().map(|field| outer(field, right_null)));
        }
        let join = Join { kind, left, right, keys, same, period, residual, bindings: nested };
        let node = Node { kind: NodeKind::Join(Box::new(join)), fields: all };
        if !kind.gives_right() {
            return Ok(node);
        }
        let own = (0..left_width).chain(new_left..new_left + right_width);
        let mut columns = passed(&node, own);
        let from_left = |at: usize| column(&node.fields, left_width + at);
        let from_right = |at: usize| column(&node.fields, new_left + right_width + at);
        for (at, field) in binding_fields(args).into_iter().enumerate() {
            let value = match (kind, left_carries) {
                (JoinKind::Full, _) => or_else(Expr { nullable: true, ..from_left(at) }, from_right(at)),
                (JoinKind::Right, _) | (_, false) => from_right(at),
                (_, true) => from_left(at),
            };
            columns.push((field.name, value));
        }
        Ok(node.project(columns))
    }
}

fn nullable(mut fields: Vec<Field>) -> Vec<Field> {
    fields.iter_mut().for_each(|field| field.nullable = true);
    fields
}

/// Where every argument equals an expression over the input, that expression stands for it.
fn by_equality(input: &Node, predicate: &Expr, args: &[Expr]) -> Option<Node> {
    let mut stands: Vec<Option<Expr>> = vec![None; args.len()];
    let mut rest = Vec::new();
    for condition in predicate.clone().into_conjuncts() {
        match equality(&condition) {
            Some((at, expr)) if stands[at].is_none() && expr.ty == args[at].ty => stands[at] = Some(expr),
            _ => rest.push(condition),
        }
    }
    let stands = stands.into_iter().collect::<Option<Vec<Expr>>>()?;
    // An argument that is NULL equals nothing.
    let is_there = stands.iter().filter(|expr| expr.nullable).map(|expr| boolean_call("$is_not_null", expr.clone()));
    let mut conditions: Vec<Expr> = is_there.collect();
    conditions.extend(rest.iter().map(|condition| with_args(condition, &|at| stands[at].clone())));
    let mut node = input.clone();
    if let Some(predicate) = Expr::conjunction(conditions) {
        node = node.filter(predicate);
    }
    let mut columns = passed(&node, 0..node.fields.len());
    let names = binding_fields(args).into_iter().map(|field| field.name);
    columns.extend(names.zip(stands));
    Some(node.project(columns))
}

/// `argument = expression`, whichever way it is written.
fn equality(condition: &Expr) -> Option<(usize, Expr)> {
    let ExprKind::Call { function, args } = &condition.kind else { return None };
    let [one, other] = args.as_slice() else { return None };
    if function.name != "=" || !one.ty.is_ordered_bytewise() {
        return None;
    }
    let fits = |expr: &Expr| expr.has_columns() && !has_outer_expr(expr) && !expr.has_subplans();
    match (&one.kind, &other.kind) {
        (ExprKind::Outer(at), _) if fits(other) => Some((*at, other.clone())),
        (_, ExprKind::Outer(at)) if fits(one) => Some((*at, one.clone())),
        (_, _) => None,
    }
}

/// Some rows for each combination of arguments.
fn limited(input: Node, limit: Option<Expr>, offset: Option<Expr>, count: usize) -> Node {
    let width = input.fields.len();
    let span = Span::default();
    let given = columns_of(&input, count);
    // Both may be the arguments' own; what is a constant has been looked at.
    let of_arguments = |rows: Option<Expr>, check: &str| {
        rows.map(|rows| match has_outer_expr(&rows) {
            true => integer_call(check, vec![with_args(&rows, &|at| given[at].clone())], rows.span),
            false => rows,
        })
    };
    let (limit, offset) = (of_arguments(limit, "$limit"), of_arguments(offset, "$offset"));
    let call = WindowCall {
        function: WindowFunction::RowNumber,
        partition: columns_of(&input, count),
        order: Vec::new(),
        frame: Frame {
            unit: FrameUnit::Range,
            start: FrameBound::UnboundedPreceding,
            end: FrameBound::CurrentRow,
            exclude: FrameExclude::NoOthers,
        },
        ty: Type::Integer,
        nullable: false,
        span,
    };
    let number = Field { name: "row_number".to_owned(), ty: Type::Integer, nullable: false };
    let fields = with_fields(input.fields.clone(), &[number]);
    let node = Node { kind: NodeKind::Window { input: Box::new(input), calls: vec![call] }, fields };
    let number = || column(&node.fields, width);
    let mut conditions = Vec::new();
    if let Some(offset) = &offset {
        let skipped = or_else(offset.clone(), zero(span));
        conditions.push(function::call_named(">", vec![number(), skipped], Type::Boolean, span));
    }
    if let Some(limit) = limit {
        let last = match offset {
            Some(offset) => integer_call("+", vec![or_else(offset, zero(span)), limit.clone()], span),
            None => limit.clone(),
        };
        let within = function::call_named("<=", vec![number(), last], Type::Boolean, span);
        conditions.push(if limit.nullable {
            let all = boolean_call("$is_null", limit);
            Expr { kind: ExprKind::Or(vec![all, within]), ty: Type::Boolean, nullable: true, span }
        } else {
            within
        });
    }
    let node = match Expr::conjunction(conditions) {
        Some(predicate) => node.filter(predicate),
        None => node,
    };
    let columns = passed(&node, 0..width);
    node.project(columns)
}
