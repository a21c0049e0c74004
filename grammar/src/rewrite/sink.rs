//! How far down can a condition go?
//!
//! Through projections (its columns are replaced by what computes them), sorts and unions, into the side of a join that it
//! speaks of, below a grouping when it speaks of group keys only. Conditions over both sides of an inner join become part of
//! the join. An outer join whose missing rows a condition throws away anyway becomes an inner one.
//!
//! Holds: conditions keep their order among each other, and grow by no more than [`GROWTH_MAX`] at each projection or grouping:
//! where `s` stands for `s + s` of a query below, and so on, every level would double them. What comes by chance stays one value.
//! A condition that may fail stays where it is, but for sums, which only fail at the ends of their ranges: a join further down
//! may look rows up by them (`finds_join`).

use super::{
    can_move,
    join::{can_be_key, compares_sides},
};
use crate::plan::{Expr, ExprKind, Join, JoinKind, Node, NodeKind};
use spectradb_kernel::func::Shape;

/// So many parts of expressions may come in for the columns of the conditions that go through a node.
const GROWTH_MAX: usize = 4_096;

/// Must the conditions stay above, because putting these expressions for their columns would make them too large, or ask
/// chance once more?
pub(super) fn must_stay(conditions: &[Expr], exprs: &[Expr]) -> bool {
    let mut uses = vec![0usize; exprs.len()];
    for condition in conditions {
        condition.walk(&mut |part| {
            if let ExprKind::Column(column) = part.kind
                && let Some(uses) = uses.get_mut(column)
            {
                *uses += 1;
            }
        });
    }
    if exprs.iter().zip(&uses).any(|(expr, uses)| *uses > 0 && expr.has_chance()) {
        return true;
    }
    let growth = exprs.iter().zip(uses).filter(|(_, uses)| *uses > 0).map(|(expr, uses)| {
        let mut inner_parts = 0usize;
        expr.for_each_child(&mut |child| child.walk(&mut |_| inner_parts += 1));
        inner_parts.saturating_mul(uses)
    });
    growth.fold(0, usize::saturating_add) > GROWTH_MAX
}

/// The node with conditions over its fields put as deep as they can go.
pub(super) fn node(node: Node, conditions: Vec<Expr>) -> Node {
    crate::stack::deeper(|| sink(node, conditions))
}

fn sink(node: Node, mut conditions: Vec<Expr>) -> Node {
    let Node { kind, fields } = node;
    match kind {
        NodeKind::Filter { input, predicate } => {
            let mut all = predicate.into_conjuncts();
            all.append(&mut conditions);
            self::node(*input, all)
        }
        NodeKind::Project { input, exprs } if must_stay(&conditions, &exprs) => {
            let input = Box::new(self::node(*input, Vec::new()));
            filtered(Node { kind: NodeKind::Project { input, exprs }, fields }, conditions)
        }
        NodeKind::Project { input, exprs } => {
            let below = conditions.into_iter().map(|condition| condition.substitute(&exprs)).collect();
            let input = Box::new(self::node(*input, below));
            Node { kind: NodeKind::Project { input, exprs }, fields }
        }
        NodeKind::Sort { input, keys } => {
            let input = Box::new(self::node(*input, conditions));
            Node { kind: NodeKind::Sort { input, keys }, fields }
        }
        NodeKind::UnionAll { inputs } => {
            let inputs = inputs.into_iter().map(|input| self::node(input, conditions.clone())).collect();
            Node { kind: NodeKind::UnionAll { inputs }, fields }
        }
        NodeKind::Distinct { input } => {
            let (below, above) = split(conditions, |_| true);
            let input = Box::new(self::node(*input, below));
            filtered(Node { kind: NodeKind::Distinct { input }, fields }, above)
        }
        NodeKind::Aggregate { input, group, aggregates } => {
            let stays = must_stay(&conditions, &group);
            let (below, above) = split(conditions, |condition| {
                let columns = condition.columns();
                !stays && !columns.is_empty() && columns.iter().all(|column| *column < group.len())
            });
            let below = below.into_iter().map(|condition| condition.substitute(&group)).collect();
            let input = Box::new(self::node(*input, below));
            filtered(Node { kind: NodeKind::Aggregate { input, group, aggregates }, fields }, above)
        }
        NodeKind::Window { input, calls } => {
            // A condition on what every call partitions by takes away whole partitions.
            let width = input.fields.len();
            let (below, above) = split(conditions, |condition| {
                let columns = condition.columns();
                !columns.is_empty()
                    && columns.iter().all(|column| {
                        let is_it = |expr: &Expr| matches!(expr.kind, ExprKind::Column(other) if other == *column);
                        *column < width && calls.iter().all(|call| call.partition.iter().any(is_it))
                    })
            });
            let input = Box::new(self::node(*input, below));
            filtered(Node { kind: NodeKind::Window { input, calls }, fields }, above)
        }
        NodeKind::Limit { input, limit, offset } => {
            let input = Box::new(self::node(*input, Vec::new()));
            filtered(Node { kind: NodeKind::Limit { input, limit, offset }, fields }, conditions)
        }
        NodeKind::Join(join) => sink_into_join(*join, fields, conditions),
        NodeKind::SetOp { intersect, all, left, right } => {
            // Equal rows pass it alike. INTERSECT has no NULL where one side has none, and a condition may count on that; the
            // right side needs no condition, for its rows only meet those of the left.
            let fits = |side: &Node, condition: &Expr| {
                let columns = condition.columns();
                columns.into_iter().all(|column| fields[column].nullable || !side.fields[column].nullable)
            };
            let (below, above) = split(conditions, |condition| fits(&left, condition));
            let of_right = below.iter().filter(|condition| fits(&right, condition)).cloned().collect();
            let left = Box::new(self::node(*left, below));
            let right = Box::new(self::node(*right, of_right));
            filtered(Node { kind: NodeKind::SetOp { intersect, all, left, right }, fields }, above)
        }
        NodeKind::Recursion(mut recursion) => {
            // A row that is not wanted may lead to one that is.
            super::replace(&mut recursion.base, |base| self::node(base, Vec::new()));
            super::replace(&mut recursion.step, |step| self::node(step, Vec::new()));
            filtered(Node { kind: NodeKind::Recursion(recursion), fields }, conditions)
        }
        NodeKind::Series { input, from, to, step } => {
            let width = input.fields.len();
            let (below, above) =
                split(conditions, |condition| condition.columns().iter().all(|column| *column < width));
            let input = Box::new(self::node(*input, below));
            filtered(Node { kind: NodeKind::Series { input, from, to, step }, fields }, above)
        }
        kind @ (NodeKind::Scan(_)
        | NodeKind::Values { .. }
        | NodeKind::Constants { .. }
        | NodeKind::Given { .. }
        | NodeKind::Shared { .. }
        | NodeKind::Bindings
        | NodeKind::Working { .. }) => filtered(Node { kind, fields }, conditions),
    }
}

/// Those that may be moved and are wanted below, and the others.
fn split(conditions: Vec<Expr>, mut goes: impl FnMut(&Expr) -> bool) -> (Vec<Expr>, Vec<Expr>) {
    conditions.into_iter().partition(|condition| can_move(condition) && goes(condition))
}

fn filtered(node: Node, conditions: Vec<Expr>) -> Node {
    match Expr::conjunction(conditions) {
        Some(predicate) => node.filter(predicate),
        None => node,
    }
}

/// Which side of a join does an expression speak of?
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Neither,
    Left,
    Right,
    Both,
}

fn side(expr: &Expr, left_width: usize) -> Side {
    let columns = expr.columns();
    match (columns.first(), columns.last()) {
        (Some(first), Some(last)) => match (*first < left_width, *last < left_width) {
            (true, true) => Side::Left,
            (false, false) => Side::Right,
            (true, false) | (false, true) => Side::Both,
        },
        (None, _) | (_, None) => Side::Neither,
    }
}

fn sink_into_join(join: Join, fields: Vec<crate::plan::Field>, conditions: Vec<Expr>) -> Node {
    let Join { mut kind, left, right, keys, same, period, residual, bindings } = join;
    let left_width = left.fields.len();
    let strict = |wanted: fn(usize, usize) -> bool| {
        conditions.iter().any(|condition| is_strict(condition, &|column| wanted(column, left_width)))
    };
    // A condition that no row of NULLs passes throws away the rows without a partner.
    let (drops_left, drops_right) = (strict(|column, width| column < width), strict(|column, width| column >= width));
    kind = match kind {
        JoinKind::Left if drops_right => JoinKind::Inner,
        JoinKind::Right if drops_left => JoinKind::Inner,
        JoinKind::Full => match (drops_left, drops_right) {
            (true, true) => JoinKind::Inner,
            // Rows whose left side is missing go: those of the left stay.
            (true, false) => JoinKind::Left,
            (false, true) => JoinKind::Right,
            (false, false) => JoinKind::Full,
        },
        kind => kind,
    };
    let (mut below_left, mut below_right, mut pairs, mut above) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for condition in residual.map(Expr::into_conjuncts).unwrap_or_default() {
        match (kind, side(&condition, left_width)) {
            (JoinKind::Inner | JoinKind::Right | JoinKind::Semi, Side::Left) if goes(&condition, &left, 0) => {
                below_left.push(condition);
            }
            (JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti, Side::Right)
                if goes(&condition, &right, left_width) =>
            {
                below_right.push(condition);
            }
            _ => pairs.push(condition),
        }
    }
    for condition in conditions {
        match (kind, side(&condition, left_width)) {
            (JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti, Side::Left)
                if goes(&condition, &left, 0) =>
            {
                below_left.push(condition);
            }
            (JoinKind::Inner | JoinKind::Right, Side::Right) if goes(&condition, &right, left_width) => {
                below_right.push(condition);
            }
            // What may fail would be asked about pairs for which an earlier condition is unknown, too.
            (JoinKind::Inner, _) if can_move(&condition) || is_looked_up_by(&condition, left_width) => {
                pairs.push(condition);
            }
            _ => above.push(condition),
        }
    }
    for condition in &mut below_right {
        condition.map_columns(&mut |column| column - left_width);
    }
    below_left.iter_mut().for_each(|condition| narrow(condition, &left.fields));
    below_right.iter_mut().for_each(|condition| narrow(condition, &right.fields));
    let left = self::node(left, below_left);
    let right = self::node(right, below_right);
    let join = Join { kind, left, right, keys, same, period, residual: Expr::conjunction(pairs), bindings };
    filtered(Node { kind: NodeKind::Join(Box::new(join)), fields }, above)
}

/// May a condition over a join's fields go down to one of its sides, whose fields begin at `first`?
fn goes(condition: &Expr, side: &Node, first: usize) -> bool {
    can_move(condition) || {
        let mut below = condition.clone();
        below.map_columns(&mut |column| column - first);
        finds_join(side, &below)
    }
}

/// Can a join look rows up by it?
fn is_looked_up_by(condition: &Expr, left_width: usize) -> bool {
    can_be_key(condition) && compares_sides(condition, left_width)
}

/// Does a condition over a node's fields reach a join that looks rows up by it?
fn finds_join(node: &Node, condition: &Expr) -> bool {
    if !can_be_key(condition) {
        return false;
    }
    match &node.kind {
        NodeKind::Filter { input, .. } | NodeKind::Sort { input, .. } => finds_join(input, condition),
        NodeKind::Project { exprs, .. } if must_stay(std::slice::from_ref(condition), exprs) => false,
        NodeKind::Project { input, exprs } => finds_join(input, &condition.substitute(exprs)),
        NodeKind::Join(join) => {
            let left_width = join.left.fields.len();
            match (join.kind, side(condition, left_width)) {
                (JoinKind::Inner | JoinKind::Left | JoinKind::Semi | JoinKind::Anti, Side::Left) => {
                    goes(condition, &join.left, 0)
                }
                (JoinKind::Inner | JoinKind::Right, Side::Right) => goes(condition, &join.right, left_width),
                (JoinKind::Inner, Side::Both) => compares_sides(condition, left_width),
                _ => false,
            }
        }
        NodeKind::Scan(_)
        | NodeKind::Values { .. }
        | NodeKind::Constants { .. }
        | NodeKind::Given { .. }
        | NodeKind::Shared { .. }
        | NodeKind::Aggregate { .. }
        | NodeKind::Window { .. }
        | NodeKind::Limit { .. }
        | NodeKind::Distinct { .. }
        | NodeKind::UnionAll { .. }
        | NodeKind::SetOp { .. }
        | NodeKind::Bindings
        | NodeKind::Recursion(_)
        | NodeKind::Working { .. }
        | NodeKind::Series { .. } => false,
    }
}

/// Below an outer join a column may be known not to be NULL; claims of calls stay as they are.
fn narrow(expr: &mut Expr, fields: &[crate::plan::Field]) {
    expr.walk_mut(&mut |part| {
        if let ExprKind::Column(column) = part.kind {
            part.nullable &= fields[column].nullable;
        }
    });
}

/// Is the condition never true where all these columns are NULL? Only what is plain to see.
fn is_strict(expr: &Expr, of: &dyn Fn(usize) -> bool) -> bool {
    match &expr.kind {
        ExprKind::Call { function, args } => match (function.shape, function.name) {
            (Shape::NullAware, "$is_not_null") => args.iter().any(|arg| is_unknown(arg, of)),
            (Shape::NullAware, "$is_true") => args.iter().any(|arg| is_strict(arg, of)),
            _ => is_unknown(expr, of),
        },
        ExprKind::And(arms) => arms.iter().any(|arm| is_strict(arm, of)),
        ExprKind::Or(arms) => arms.iter().all(|arm| is_strict(arm, of)),
        ExprKind::Column(_)
        | ExprKind::Param(_)
        | ExprKind::Context(_)
        | ExprKind::Const(_)
        | ExprKind::Outer(_)
        | ExprKind::Case { .. }
        | ExprKind::Subplan { .. } => is_unknown(expr, of),
    }
}

/// Is the value NULL where all these columns are? That is more than never being true: `NOT` of what is false is true.
fn is_unknown(expr: &Expr, of: &dyn Fn(usize) -> bool) -> bool {
    match &expr.kind {
        ExprKind::Column(column) => of(*column),
        ExprKind::Call { function, args } => match function.shape {
            Shape::Total | Shape::Fallible | Shape::Partial => args.iter().any(|arg| is_unknown(arg, of)),
            Shape::NullAware => false,
        },
        // One arm may decide alone.
        ExprKind::And(arms) | ExprKind::Or(arms) => arms.iter().all(|arm| is_unknown(arm, of)),
        ExprKind::Param(_)
        | ExprKind::Context(_)
        | ExprKind::Const(_)
        | ExprKind::Outer(_)
        | ExprKind::Case { .. }
        | ExprKind::Subplan { .. } => false,
    }
}
