//! What has become trivial?
//!
//! A projection of a projection is one; one that gives its input as it is goes, as do a filter that is always true, a sort by
//! nothing or of at most one row, and a limit without numbers. A filter that is never true gives no rows.

use super::replace;
use crate::{
    bind::cardinality,
    plan::{Cardinality, Expr, ExprKind, Node, NodeKind},
    stack,
};
use spectradb_kernel::Value;

/// Tidies a node and all below it.
pub(super) fn node(node: &mut Node) {
    node.for_each_input_mut(&mut |input| stack::deeper(|| self::node(input)));
    replace(node, tidy);
}

fn tidy(node: Node) -> Node {
    let Node { kind, fields } = node;
    match kind {
        NodeKind::Filter { input, predicate } => match &predicate.kind {
            ExprKind::Const(Value::Boolean(true)) => *input,
            ExprKind::Const(Value::Boolean(false) | Value::Null) => {
                Node { kind: NodeKind::Values { rows: Vec::new() }, fields }
            }
            _ => Node { kind: NodeKind::Filter { input, predicate }, fields },
        },
        NodeKind::Project { input, exprs } => {
            let Node { kind: input_kind, fields: input_fields } = *input;
            match input_kind {
                NodeKind::Project { input: below, exprs: inner } if merges(&exprs, &inner) => {
                    let exprs: Vec<Expr> = exprs.iter().map(|expr| expr.substitute(&inner)).collect();
                    tidy(Node { kind: NodeKind::Project { input: below, exprs }, fields })
                }
                input_kind => {
                    let input = Node { kind: input_kind, fields: input_fields };
                    let is_identity = exprs.len() == input.fields.len()
                        && exprs.iter().enumerate().all(|(at, expr)| {
                            matches!(expr.kind, ExprKind::Column(column) if column == at)
                                && fields[at].name == input.fields[at].name
                                && fields[at].nullable == input.fields[at].nullable
                                && fields[at].ty == input.fields[at].ty
                        });
                    if is_identity {
                        return input;
                    }
                    Node { kind: NodeKind::Project { input: Box::new(input), exprs }, fields }
                }
            }
        }
        NodeKind::Sort { input, keys } => {
            if keys.is_empty() || cardinality::of_node(&input) != Cardinality::Many {
                return *input;
            }
            Node { kind: NodeKind::Sort { input, keys }, fields }
        }
        NodeKind::Limit { input, limit, offset } => {
            let said = |count: &Option<Expr>| {
                count.as_ref().is_some_and(|count| !matches!(count.kind, ExprKind::Const(Value::Null)))
            };
            if !said(&limit) && !said(&offset) {
                return *input;
            }
            Node { kind: NodeKind::Limit { input, limit, offset }, fields }
        }
        NodeKind::Distinct { input } => match input.kind {
            NodeKind::Distinct { .. } => *input,
            _ => Node { kind: NodeKind::Distinct { input }, fields },
        },
        kind @ (NodeKind::Scan(_)
        | NodeKind::Values { .. }
        | NodeKind::Constants { .. }
        | NodeKind::Given { .. }
        | NodeKind::Shared { .. }
        | NodeKind::Join(_)
        | NodeKind::Aggregate { .. }
        | NodeKind::Window { .. }
        | NodeKind::UnionAll { .. }
        | NodeKind::SetOp { .. }
        | NodeKind::Bindings
        | NodeKind::Recursion(_)
        | NodeKind::Working { .. }
        | NodeKind::Series { .. }) => Node { kind, fields },
    }
}

/// May the outer projection compute the inner one's expressions itself? Not if one would be computed twice, and not if one
/// that can fail would not be computed any more.
fn merges(outer: &[Expr], inner: &[Expr]) -> bool {
    let mut uses = vec![0usize; inner.len()];
    for expr in outer {
        expr.walk(&mut |part| {
            if let ExprKind::Column(column) = part.kind {
                uses[column] += 1;
            }
        });
    }
    inner.iter().zip(uses).all(|(expr, uses)| {
        let is_cheap = match &expr.kind {
            ExprKind::Column(_)
            | ExprKind::Param(_)
            | ExprKind::Context(_)
            | ExprKind::Const(_)
            | ExprKind::Outer(_) => true,
            ExprKind::Call { .. }
            | ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Case { .. }
            | ExprKind::Subplan { .. } => false,
        };
        is_cheap || uses == 1 || (uses == 0 && !expr.is_fallible())
    })
}
