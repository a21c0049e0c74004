//! Which columns does nobody read?
//!
//! From the root down each node is told which of its columns are wanted. Scans, projections, VALUES, aggregates and windows
//! give only those; operators that pass rows on give what their input gives. Each answers where its old columns now are.
//!
//! Holds: the columns that stay keep their order, so a root of which all is wanted does not change.

use super::replace;
use crate::plan::{Expr, ExprKind, Field, Join, Node, NodeKind, parts};

/// Where each old column is now, if it is still there.
type Places = Vec<Option<usize>>;

/// Prunes below a root whose columns are all wanted.
pub(super) fn root(node: &mut Node) {
    let wanted = vec![true; node.fields.len()];
    prune(node, &wanted);
}

/// Where kept columns come to lie.
fn places(kept: &[bool]) -> Places {
    let mut next = 0;
    kept.iter()
        .map(|kept| {
            kept.then(|| {
                next += 1;
                next - 1
            })
        })
        .collect()
}

fn keep<T>(items: &mut Vec<T>, kept: &[bool]) {
    let mut at = 0;
    items.retain(|_| {
        at += 1;
        kept[at - 1]
    });
}

fn want(wanted: &mut [bool], expr: &Expr) {
    expr.walk(&mut |part| {
        if let ExprKind::Column(column) = part.kind {
            wanted[column] = true;
        }
    });
}

fn place(expr: &mut Expr, places: &Places) {
    expr.map_columns(&mut |column| places[column].expect("a column that is read was wanted"));
}

/// Takes away what is not wanted of a node and below it.
fn prune(node: &mut Node, wanted: &[bool]) -> Places {
    crate::stack::deeper(|| prune_node(node, wanted))
}

fn prune_node(node: &mut Node, wanted: &[bool]) -> Places {
    match &mut node.kind {
        NodeKind::Scan(scan) => {
            keep(&mut scan.columns, wanted);
            keep(&mut node.fields, wanted);
            places(wanted)
        }
        NodeKind::Values { rows } => {
            rows.iter_mut().for_each(|row| keep(row, wanted));
            keep(&mut node.fields, wanted);
            places(wanted)
        }
        NodeKind::Constants { columns, row_count: _ } => {
            keep(columns, wanted);
            keep(&mut node.fields, wanted);
            places(wanted)
        }
        NodeKind::Given { change: _, columns } | NodeKind::Shared { subplan_idx: _, columns } => {
            keep(columns, wanted);
            keep(&mut node.fields, wanted);
            places(wanted)
        }
        NodeKind::Project { input, exprs } => {
            keep(exprs, wanted);
            keep(&mut node.fields, wanted);
            let mut below = vec![false; input.fields.len()];
            exprs.iter().for_each(|expr| want(&mut below, expr));
            let moved = prune(input, &below);
            exprs.iter_mut().for_each(|expr| place(expr, &moved));
            places(wanted)
        }
        NodeKind::Filter { input, predicate } => {
            let mut below = wanted.to_vec();
            want(&mut below, predicate);
            let moved = prune(input, &below);
            place(predicate, &moved);
            pass_on(&mut node.fields, &moved);
            moved
        }
        NodeKind::Sort { input, keys } => {
            let mut below = wanted.to_vec();
            keys.iter().for_each(|key| want(&mut below, &key.expr));
            let moved = prune(input, &below);
            keys.iter_mut().for_each(|key| place(&mut key.expr, &moved));
            pass_on(&mut node.fields, &moved);
            moved
        }
        NodeKind::Limit { input, .. } => {
            let moved = prune(input, wanted);
            pass_on(&mut node.fields, &moved);
            moved
        }
        NodeKind::Distinct { input } => {
            // Rows are distinct by all their columns.
            let moved = prune(input, &vec![true; wanted.len()]);
            pass_on(&mut node.fields, &moved);
            moved
        }
        NodeKind::UnionAll { inputs } => {
            for input in inputs.iter_mut() {
                exactly(input, wanted);
            }
            keep(&mut node.fields, wanted);
            places(wanted)
        }
        NodeKind::Aggregate { input, group, aggregates } => {
            let mut kept = wanted.to_vec();
            kept[..group.len()].fill(true);
            keep(aggregates, &kept[group.len()..]);
            keep(&mut node.fields, &kept);
            let mut below = vec![false; input.fields.len()];
            group.iter().for_each(|expr| want(&mut below, expr));
            for call in aggregates.iter() {
                parts::aggregate_exprs(call, &mut |expr| want(&mut below, expr));
            }
            let moved = prune(input, &below);
            // Where only the number of rows counts, the rows below a projection are as good. Elsewhere it stays, as a node
            // gives just the columns that it says.
            replace(input, |node| match node.kind {
                NodeKind::Project { input, exprs } if exprs.is_empty() => *input,
                kind => Node { kind, ..node },
            });
            group.iter_mut().for_each(|expr| place(expr, &moved));
            for call in aggregates.iter_mut() {
                parts::aggregate_exprs_mut(call, &mut |expr| place(expr, &moved));
            }
            places(&kept)
        }
        NodeKind::Window { input, calls } => {
            let width = input.fields.len();
            keep(calls, &wanted[width..]);
            let mut below = wanted[..width].to_vec();
            for call in calls.iter() {
                parts::window_exprs(call, &mut |expr| want(&mut below, expr));
            }
            let moved = prune(input, &below);
            for call in calls.iter_mut() {
                parts::window_exprs_mut(call, &mut |expr| place(expr, &moved));
            }
            let input_width = input.fields.len();
            let calls_moved = places(&wanted[width..]);
            let mut all = moved;
            all.extend(calls_moved.into_iter().map(|place| place.map(|place| input_width + place)));
            pass_on(&mut node.fields, &all);
            all
        }
        NodeKind::SetOp { left, right, .. } => {
            // Rows are compared by all their columns.
            for input in [left, right] {
                let all = vec![true; input.fields.len()];
                exactly(input, &all);
            }
            places(&vec![true; wanted.len()])
        }
        NodeKind::Recursion(recursion) => {
            for input in [&mut recursion.base, &mut recursion.step] {
                let all = vec![true; input.fields.len()];
                exactly(input, &all);
            }
            places(&vec![true; wanted.len()])
        }
        // What they give is settled elsewhere.
        NodeKind::Bindings | NodeKind::Working { .. } => places(&vec![true; wanted.len()]),
        NodeKind::Series { input, from, to, step } => {
            let width = input.fields.len();
            let mut below = wanted[..width].to_vec();
            [&*from, &*to, &*step].into_iter().for_each(|bound| want(&mut below, bound));
            let mut moved = prune(input, &below);
            [from, to, step].into_iter().for_each(|bound| place(bound, &moved));
            moved.push(Some(input.fields.len()));
            pass_on(&mut node.fields, &moved);
            moved
        }
        NodeKind::Join(join) => prune_join(join, &mut node.fields, wanted),
    }
}

/// The fields of a node that gives what its input gives.
fn pass_on(fields: &mut Vec<Field>, moved: &Places) {
    let kept: Vec<bool> = moved.iter().map(Option::is_some).collect();
    keep(fields, &kept);
}

/// Prunes a node to just the wanted columns.
fn exactly(node: &mut Node, wanted: &[bool]) {
    let moved = prune(node, wanted);
    let columns: Vec<usize> =
        moved.iter().zip(wanted).filter(|(_, wanted)| **wanted).filter_map(|(place, _)| *place).collect();
    if columns.len() == node.fields.len() {
        return;
    }
    replace(node, |node| {
        let span = crate::span::Span::default();
        let exprs = columns.iter().map(|column| (node.fields[*column].name.clone(), node.column(*column, span)));
        let exprs = exprs.collect();
        node.project(exprs)
    });
}

fn prune_join(join: &mut Join, fields: &mut Vec<Field>, wanted: &[bool]) -> Places {
    let left_width = join.left.fields.len();
    let mut below = wanted.to_vec();
    below.resize(left_width + join.right.fields.len(), false);
    if let Some(residual) = &join.residual {
        want(&mut below, residual);
    }
    let (below_left, below_right) = below.split_at_mut(left_width);
    join.bindings.iter().for_each(|binding| want(below_left, binding));
    for (left, right) in join.keys.iter().chain(&join.same) {
        want(below_left, left);
        want(below_right, right);
    }
    if let Some(period) = &join.period {
        want(below_left, &period.since);
        want(below_left, &period.until);
        want(below_right, &period.from);
        want(below_right, &period.to);
    }
    let left_moved = prune(&mut join.left, below_left);
    let right_moved = prune(&mut join.right, below_right);
    join.bindings.iter_mut().for_each(|binding| place(binding, &left_moved));
    for (left, right) in join.keys.iter_mut().chain(&mut join.same) {
        place(left, &left_moved);
        place(right, &right_moved);
    }
    if let Some(period) = &mut join.period {
        place(&mut period.since, &left_moved);
        place(&mut period.until, &left_moved);
        place(&mut period.from, &right_moved);
        place(&mut period.to, &right_moved);
    }
    let new_left_width = join.left.fields.len();
    let mut moved = left_moved;
    moved.extend(right_moved.into_iter().map(|place| place.map(|place| new_left_width + place)));
    if let Some(residual) = &mut join.residual {
        place(residual, &moved);
    }
    if !join.kind.gives_right() {
        moved.truncate(left_width);
    }
    pass_on(fields, &moved);
    moved
}
