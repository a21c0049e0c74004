//! By what can a join look its rows up instead of searching?
//!
//! Equalities between an expression of one side and one of the other become keys; `from <= point AND point < to` with the
//! point on one side and the period on the other becomes a period match, whichever way it is written. The period must be
//! on the right: a join with the period on the left is turned around under a projection that restores its columns.

use super::{can_move, replace};
use crate::plan::{Expr, ExprKind, Join, JoinKind, Node, NodeKind, PeriodMatch};
use crate::stack;
use spectradb_kernel::{Type, ty::TypeClass};

/// Finds keys and periods of all joins.
pub(super) fn node(node: &mut Node) {
    node.for_each_input_mut(&mut |input| stack::deeper(|| self::node(input)));
    let NodeKind::Join(join) = &mut node.kind else { return };
    let left_width = join.left.fields.len();
    let Some(residual) = join.residual.take() else { return };
    let mut rest = Vec::new();
    for condition in residual.into_conjuncts() {
        match key(condition, left_width) {
            Ok(pair) => join.keys.push(pair),
            Err(condition) => rest.push(condition),
        }
    }
    let mut turn = false;
    let can_turn = join.kind.gives_right() && join.bindings.is_empty();
    if join.period.is_none() {
        if let Some(period) = period(&mut rest, left_width, false) {
            join.period = Some(period);
        } else if can_turn && let Some(period) = period(&mut rest, left_width, true) {
            join.period = Some(period);
            turn = true;
        }
    }
    join.residual = Expr::conjunction(rest);
    if turn {
        replace(node, turned);
    }
}

/// Does the expression read columns, and only of one side?
fn is_of(expr: &Expr, left_width: usize, right: bool) -> bool {
    let columns = expr.columns();
    !columns.is_empty() && columns.iter().all(|column| (*column >= left_width) == right)
}

fn moved_left(mut expr: Expr, by: usize) -> Expr {
    expr.map_columns(&mut |column| column - by);
    expr
}

/// A condition as a pair of keys: the left one over the left fields, the right one over the right fields.
fn key(condition: Expr, left_width: usize) -> Result<(Expr, Expr), Expr> {
    let Expr { kind: ExprKind::Call { function, args }, .. } = &condition else { return Err(condition) };
    if function.name != "=" || !args.iter().all(can_move) || args[0].ty.class() == TypeClass::Json {
        return Err(condition);
    }
    let straight = is_of(&args[0], left_width, false) && is_of(&args[1], left_width, true);
    let crossed = is_of(&args[0], left_width, true) && is_of(&args[1], left_width, false);
    if !straight && !crossed {
        return Err(condition);
    }
    let ExprKind::Call { args, .. } = condition.kind else { unreachable!("it was a call a moment ago") };
    let Ok([one, other]) = <[Expr; 2]>::try_from(args) else { unreachable!("an equality has two sides") };
    let (left, right) = if straight { (one, other) } else { (other, one) };
    Ok((left, moved_left(right, left_width)))
}

/// `smaller <= greater` or `smaller < greater`, whichever way it is written.
fn order(condition: &Expr) -> Option<(&Expr, bool, &Expr)> {
    let ExprKind::Call { function, args } = &condition.kind else { return None };
    let [one, other] = args.as_slice() else { return None };
    if one.ty != Type::Timestamp || other.ty != Type::Timestamp {
        return None;
    }
    match function.name {
        "<=" => Some((one, true, other)),
        "<" => Some((one, false, other)),
        ">=" => Some((other, true, one)),
        ">" => Some((other, false, one)),
        _ => None,
    }
}

/// Takes a period match out of the conditions. Without `turned` the point is on the left and the period on the right; with
/// it the other way round, and the match is over the sides as they will be when the join is turned.
fn period(conditions: &mut Vec<Expr>, left_width: usize, turned: bool) -> Option<PeriodMatch> {
    let (mut found, mut point_of) = (None, None);
    'begins: for (begin, condition) in conditions.iter().enumerate() {
        let Some((from, true, point)) = order(condition) else { continue };
        if !is_of(from, left_width, !turned) || !is_of(point, left_width, turned) || !can_move(condition) {
            continue;
        }
        for (end, condition) in conditions.iter().enumerate() {
            let Some((other_point, false, to)) = order(condition) else { continue };
            if is_of(to, left_width, !turned) && other_point.same(point) && can_move(condition) {
                found = Some((begin, end));
                point_of = Some((point.clone(), from.clone(), to.clone()));
                break 'begins;
            }
        }
    }
    let (begin, end) = found?;
    let (point, from, to) = point_of?;
    conditions.remove(begin.max(end));
    conditions.remove(begin.min(end));
    let right = |expr: Expr| moved_left(expr, left_width);
    Some(if turned {
        PeriodMatch { point: right(point), from, to }
    } else {
        PeriodMatch { point, from: right(from), to: right(to) }
    })
}

/// The same join with its sides exchanged, and its columns in their old order. Its period is over the new sides already.
fn turned(node: Node) -> Node {
    let Node { kind: NodeKind::Join(join), fields } = node else { unreachable!("only joins are turned") };
    let Join { kind, left, right, keys, same, period, residual, bindings } = *join;
    let (left_width, right_width) = (left.fields.len(), right.fields.len());
    let swap = |column: usize| if column < left_width { column + right_width } else { column - left_width };
    let kind = match kind {
        JoinKind::Left => JoinKind::Right,
        JoinKind::Right => JoinKind::Left,
        kind @ (JoinKind::Inner | JoinKind::Full | JoinKind::Semi | JoinKind::Anti) => kind,
    };
    let swapped_pairs = |pairs: Vec<(Expr, Expr)>| pairs.into_iter().map(|(left, right)| (right, left)).collect();
    let (keys, same) = (swapped_pairs(keys), swapped_pairs(same));
    let residual = residual.map(|mut residual| {
        residual.map_columns(&mut |column| swap(column));
        residual
    });
    let swapped = fields[left_width..].iter().chain(&fields[..left_width]).cloned().collect();
    let join = Join { kind, left: right, right: left, keys, same, period, residual, bindings };
    let node = Node { kind: NodeKind::Join(Box::new(join)), fields: swapped };
    let exprs: Vec<Expr> =
        (0..left_width + right_width).map(|column| node.column(swap(column), crate::span::Span::default())).collect();
    Node { kind: NodeKind::Project { input: Box::new(node), exprs }, fields }
}
