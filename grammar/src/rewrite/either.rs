//! How is a join looked up whose rows may be equal in one way or in another?
//!
//! `ON a.x = b.y OR a.z = b.w` has no key. The pairs that are equal in the first way are a join with a key, and so are those that
//! are equal in the second and not in the first; together they are all pairs, none twice. A question for a partner (EXISTS, IN)
//! is asked in the second way by the rows that found none in the first, and who found none in any way has none.
//!
//! Holds: the inputs are read once for each way, so they must give the same rows each time and not fail.
//! Not here: finding the keys of each way (`join`), and outer joins, which compare every pair.

use super::{
    join::{can_be_key, key},
    replace,
};
use crate::{
    bind::{function::call_named, unnest::can_fail},
    plan::{Expr, ExprKind, Join, JoinKind, Node, NodeKind},
    span::Span,
    stack,
};
use spectradb_kernel::Type;

/// No more ways than these, and no inputs of more nodes: joins of joins would double at each level.
const WAYS_MAX: usize = 4;
const INPUT_NODES_MAX: usize = 16;

/// Takes joins that have several ways apart, in a node and below it.
pub(super) fn node(node: &mut Node) {
    node.for_each_input_mut(&mut |input| stack::deeper(|| self::node(input)));
    let NodeKind::Join(join) = &node.kind else { return };
    if let Some((ways, rest)) = ways(join) {
        replace(node, |node| {
            let Node { kind: NodeKind::Join(join), fields } = node else { unreachable!("it was a join a moment ago") };
            let all = apart(*join, ways, rest);
            Node { kind: all.kind, fields }
        });
    }
}

/// The ways in which rows may be equal, and what else is asked of them.
fn ways(join: &Join) -> Option<(Vec<Expr>, Vec<Expr>)> {
    let stands_alone =
        join.keys.is_empty() && join.same.is_empty() && join.bindings.is_empty() && join.period.is_none();
    if !stands_alone || !matches!(join.kind, JoinKind::Inner | JoinKind::Semi | JoinKind::Anti) {
        return None;
    }
    let left_width = join.left.fields.len();
    let has_key = |condition: &Expr| {
        condition.clone().into_conjuncts().into_iter().any(|part| key(part, left_width, &can_be_key).is_ok())
    };
    let mut rest = join.residual.clone()?.into_conjuncts();
    if rest.iter().any(|condition| condition.has_chance()) || rest.iter().any(has_key) {
        return None;
    }
    let found = rest.iter().position(|condition| {
        let arms = arms(condition);
        (2..=WAYS_MAX).contains(&arms.len()) && arms.iter().all(|arm| has_key(arm))
    })?;
    let mut node_count = 0;
    join.left.walk(&mut |_| node_count += 1);
    join.right.walk(&mut |_| node_count += 1);
    let may_repeat = node_count <= INPUT_NODES_MAX && may_be_repeated(&join.left) && may_be_repeated(&join.right);
    may_repeat.then(|| (arms(&rest.remove(found)).into_iter().cloned().collect(), rest))
}

/// May a node be read more than once in place of once?
fn may_be_repeated(node: &Node) -> bool {
    let mut is_fixed = !can_fail(node);
    node.walk(&mut |node| {
        node.for_each_expr(&mut |expr| is_fixed = is_fixed && !expr.has_chance());
        is_fixed = is_fixed && !matches!(node.kind, NodeKind::Working { .. });
    });
    is_fixed
}

fn arms(condition: &Expr) -> Vec<&Expr> {
    match &condition.kind {
        ExprKind::Or(parts) => parts.iter().flat_map(arms).collect(),
        _ => vec![condition],
    }
}

fn apart(join: Join, ways: Vec<Expr>, rest: Vec<Expr>) -> Node {
    let span = Span::default();
    let Join { kind, left, right, .. } = join;
    let joined = |kind: JoinKind, left: Node, conditions: Vec<Expr>| {
        let mut fields = left.fields.clone();
        if kind == JoinKind::Inner {
            fields.extend(right.fields.iter().cloned());
        }
        let residual = Expr::conjunction(conditions.into_iter().chain(rest.iter().cloned()).collect());
        Node { kind: NodeKind::Join(Box::new(Join::on(kind, left, right.clone(), residual))), fields }
    };
    if kind == JoinKind::Anti {
        return ways.into_iter().fold(left, |left, way| joined(JoinKind::Anti, left, vec![way]));
    }
    let mut inputs = Vec::with_capacity(ways.len());
    let mut others = left.clone();
    for (at, way) in ways.iter().enumerate() {
        if kind == JoinKind::Semi {
            inputs.push(joined(JoinKind::Semi, others.clone(), vec![way.clone()]));
            others = joined(JoinKind::Anti, others, vec![way.clone()]);
            continue;
        }
        let not_so = ways[..at].iter().map(|before| {
            let is_so = call_named("$is_true", vec![before.clone()], Type::Boolean, span);
            call_named("not", vec![is_so], Type::Boolean, span)
        });
        let conditions = std::iter::once(way.clone()).chain(not_so).collect();
        inputs.push(joined(JoinKind::Inner, left.clone(), conditions));
    }
    let fields = inputs[0].fields.clone();
    Node { kind: NodeKind::UnionAll { inputs }, fields }
}
