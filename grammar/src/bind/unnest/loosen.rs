//! What may be NULL, once arguments of subqueries have become columns?
//!
//! While a subquery is bound, an argument is as nullable as the column around it. What takes its place may be more so: a column
//! that an equation or a test proves to hold something, or a binding that is NULL for rows which do not ask. Such values are
//! never read as an answer, but types have to say so: from below to above, everything becomes as nullable as what it is made
//! of. Nothing becomes less so.
//!
//! Not here: finding what is proven (`plan::check` looks at the same rules).

use crate::plan::{AggregateCall, Expr, ExprKind, Field, Node, NodeKind, WindowFunction};
use spectradb_kernel::func::Shape;

/// What nodes read that is not below them.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// The fields of the subplans before.
    pub(super) subplans: &'a [Vec<Field>],
    bindings: &'a [bool],
    /// The fields of the recursions around, by their ids.
    recursions: &'a [(usize, Vec<Field>)],
}

impl<'a> Around<'a> {
    pub(super) fn query(subplans: &'a [Vec<Field>]) -> Around<'a> {
        Around { subplans, bindings: &[], recursions: &[] }
    }
}

/// Makes a node and those below it as nullable as what they are made of.
pub(super) fn node(node: &mut Node, around: Around<'_>) {
    crate::stack::deeper(|| node_within(node, around));
}

fn node_within(Node { kind, fields }: &mut Node, around: Around<'_>) {
    match kind {
        NodeKind::Scan(_) | NodeKind::Constants { .. } | NodeKind::Given { .. } => {}
        NodeKind::Values { rows } => {
            for row in rows {
                exprs(row, &[], fields);
            }
        }
        NodeKind::Shared { subplan_idx, columns } => {
            let given = &around.subplans[*subplan_idx];
            for (field, column) in fields.iter_mut().zip(columns) {
                field.nullable |= given[*column].nullable;
            }
        }
        NodeKind::Bindings => {
            for (field, nullable) in fields.iter_mut().zip(around.bindings) {
                field.nullable |= nullable;
            }
        }
        NodeKind::Working { recursion } => {
            if let Some((_, given)) = around.recursions.iter().find(|(id, _)| id == recursion) {
                pass_on(given, fields);
            }
        }
        NodeKind::Filter { input, predicate } => {
            node(input, around);
            expr(predicate, &input.fields);
            pass_on(&input.fields, fields);
        }
        NodeKind::Project { input, exprs: columns } => {
            node(input, around);
            exprs(columns, &input.fields, fields);
        }
        NodeKind::Aggregate { input, group, aggregates } => {
            node(input, around);
            let (keys, results) = fields.split_at_mut(group.len());
            exprs(group, &input.fields, keys);
            for (call, field) in aggregates.iter_mut().zip(results) {
                aggregate(call, &input.fields);
                field.nullable |= may_be_empty(call);
            }
        }
        NodeKind::Window { input, calls } => {
            node(input, around);
            let (passed, results) = fields.split_at_mut(input.fields.len());
            pass_on(&input.fields, passed);
            for (call, field) in calls.iter_mut().zip(results) {
                crate::plan::parts::window_exprs_mut(call, &mut |part| expr(part, &input.fields));
                call.nullable |= match &call.function {
                    WindowFunction::Aggregate { aggregate, arg, more: _ } => {
                        aggregate.null_when_empty && arg.as_ref().is_some_and(|arg| arg.nullable)
                    }
                    WindowFunction::FirstValue(value) | WindowFunction::LastValue(value) => value.nullable,
                    // The rest is NULL in any case, or never.
                    WindowFunction::RowNumber
                    | WindowFunction::Rank
                    | WindowFunction::DenseRank
                    | WindowFunction::Ntile(_)
                    | WindowFunction::PercentRank
                    | WindowFunction::CumeDist => false,
                    WindowFunction::Shift { .. } | WindowFunction::NthValue { .. } => true,
                };
                field.nullable |= call.nullable;
            }
        }
        NodeKind::Sort { input, keys } => {
            node(input, around);
            keys.iter_mut().for_each(|key| expr(&mut key.expr, &input.fields));
            pass_on(&input.fields, fields);
        }
        NodeKind::Limit { input, .. } | NodeKind::Distinct { input } => {
            node(input, around);
            pass_on(&input.fields, fields);
        }
        NodeKind::Series { input, from, to, step } => {
            node(input, around);
            [from, to, step].into_iter().for_each(|bound| expr(bound, &input.fields));
            pass_on(&input.fields, fields);
        }
        NodeKind::Join(join) => {
            node(&mut join.left, around);
            join.bindings.iter_mut().for_each(|binding| expr(binding, &join.left.fields));
            let own: Vec<bool> = join.bindings.iter().map(|binding| binding.nullable).collect();
            let bindings = if own.is_empty() { around.bindings } else { &own };
            node(&mut join.right, Around { bindings, ..around });
            let both: Vec<Field> = join.left.fields.iter().chain(&join.right.fields).cloned().collect();
            for (left, right) in join.keys.iter_mut().chain(&mut join.same) {
                expr(left, &join.left.fields);
                expr(right, &join.right.fields);
            }
            if let Some(period) = &mut join.period {
                expr(&mut period.since, &join.left.fields);
                expr(&mut period.until, &join.left.fields);
                expr(&mut period.from, &join.right.fields);
                expr(&mut period.to, &join.right.fields);
            }
            join.residual.iter_mut().for_each(|residual| expr(residual, &both));
            // Which side may have no partner is said already.
            pass_on(&both, fields);
        }
        NodeKind::UnionAll { inputs } => {
            for input in inputs {
                node(input, around);
                pass_on(&input.fields, fields);
            }
        }
        NodeKind::SetOp { left, right, .. } => {
            for input in [left, right] {
                node(input, around);
                pass_on(&input.fields, fields);
            }
        }
        NodeKind::Recursion(recursion) => {
            node(&mut recursion.base, around);
            pass_on(&recursion.base.fields, fields);
            // What a round gives is what the next one reads; there are no more turns than fields.
            loop {
                let mut recursions = around.recursions.to_vec();
                recursions.push((recursion.id, fields.clone()));
                node(&mut recursion.step, Around { recursions: &recursions, ..around });
                let before = fields.clone();
                pass_on(&recursion.step.fields, fields);
                if *fields == before {
                    return;
                }
            }
        }
    }
}

/// Fields that rows are passed on in. A join may give fewer than both its sides have.
fn pass_on(from: &[Field], to: &mut [Field]) {
    for (to, from) in to.iter_mut().zip(from) {
        to.nullable |= from.nullable;
    }
}

fn exprs(computed: &mut [Expr], input: &[Field], fields: &mut [Field]) {
    for (value, field) in computed.iter_mut().zip(fields) {
        expr(value, input);
        field.nullable |= value.nullable;
    }
}

fn expr(value: &mut Expr, input: &[Field]) {
    value.walk_mut(&mut |part| {
        let may_be_null = match &part.kind {
            ExprKind::Column(column) => input.get(*column).is_some_and(|field| field.nullable),
            ExprKind::Case { arms, otherwise } => {
                arms.iter().any(|(condition, arm)| arm.nullable && !condition.proves_not_null(arm))
                    || otherwise.as_ref().is_none_or(|otherwise| otherwise.nullable)
            }
            ExprKind::And(arms) | ExprKind::Or(arms) => arms.iter().any(|arm| arm.nullable),
            ExprKind::Call { function, args } => {
                matches!(function.shape, Shape::Total | Shape::Fallible) && args.iter().any(|arg| arg.nullable)
            }
            ExprKind::Param(_)
            | ExprKind::Context(_)
            | ExprKind::Const(_)
            | ExprKind::Outer(_)
            | ExprKind::Subplan { .. } => false,
        };
        part.nullable |= may_be_null;
    });
}

fn aggregate(call: &mut AggregateCall, input: &[Field]) {
    crate::plan::parts::aggregate_exprs_mut(call, &mut |part| expr(part, input));
}

fn may_be_empty(call: &AggregateCall) -> bool {
    call.aggregate.null_when_empty && call.arg.as_ref().is_some_and(|arg| arg.nullable)
}
