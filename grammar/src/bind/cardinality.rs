//! How many rows can a query give?
//!
//! Exactly one for an ungrouped aggregate; at most one for a whole key at one instant of both times and for `LIMIT 1`; any
//! number otherwise. Nothing is claimed that is not proven.

use super::literal;
use crate::plan::{
    Cardinality, Expr, ExprKind, JoinKind, KeyAccess, Node, NodeKind, Scan, ScanColumn, Statement, SystemScope,
    ValidScope,
};
use spectradb_kernel::{Type, Value};

/// The cardinality of a statement's rows; a statement that gives none has [`Cardinality::Many`] of them.
pub(crate) fn of_statement(statement: &Statement) -> Cardinality {
    match statement {
        Statement::Query(query) => of_node(&query.root),
        Statement::With { changes: _, body } => of_statement(body),
        Statement::VerifyLedger | Statement::Digest => Cardinality::One,
        Statement::Insert { .. }
        | Statement::Update { .. }
        | Statement::Delete { .. }
        | Statement::Merge { .. }
        | Statement::Truncate { .. }
        | Statement::CreateTableAs { .. }
        | Statement::CreateTable { .. }
        | Statement::DropTable { .. }
        | Statement::Begin(_)
        | Statement::SetTransaction(_)
        | Statement::Savepoint(_)
        | Statement::RollbackTo(_)
        | Statement::Release(_)
        | Statement::Commit
        | Statement::Rollback
        | Statement::Explain { .. }
        | Statement::Session(_)
        | Statement::Execute { .. }
        | Statement::ShowTables
        | Statement::Describe(_)
        | Statement::SetRetention { .. }
        | Statement::Erase { .. }
        | Statement::Vacuum(_)
        | Statement::CopyFrom { .. }
        | Statement::CopyTo { .. } => Cardinality::Many,
    }
}

/// The cardinality of a node's rows.
pub(crate) fn of_node(node: &Node) -> Cardinality {
    match &node.kind {
        NodeKind::Scan(scan) if names_one_key(scan) => Cardinality::AtMostOne,
        NodeKind::Scan(_) => Cardinality::Many,
        NodeKind::Values { rows } if rows.len() == 1 => Cardinality::One,
        NodeKind::Values { rows } if rows.is_empty() => Cardinality::AtMostOne,
        NodeKind::Values { .. } | NodeKind::Constants { .. } | NodeKind::Given { .. } | NodeKind::Shared { .. } => {
            Cardinality::Many
        }
        NodeKind::Filter { input, predicate } => match (&input.kind, of_node(input)) {
            (_, Cardinality::One | Cardinality::AtMostOne) => Cardinality::AtMostOne,
            (NodeKind::Scan(scan), Cardinality::Many) if pins_the_key(scan, predicate) => Cardinality::AtMostOne,
            (_, Cardinality::Many) => Cardinality::Many,
        },
        NodeKind::Project { input, .. }
        | NodeKind::Window { input, .. }
        | NodeKind::Sort { input, .. }
        | NodeKind::Distinct { input } => of_node(input),
        NodeKind::Join(join) if !join.kind.gives_right() => match of_node(&join.left) {
            Cardinality::One | Cardinality::AtMostOne => Cardinality::AtMostOne,
            Cardinality::Many => Cardinality::Many,
        },
        NodeKind::Join(join) => {
            let sides = (of_node(&join.left), of_node(&join.right));
            let both = !matches!(sides.0, Cardinality::Many) && !matches!(sides.1, Cardinality::Many);
            let all_pairs =
                join.keys.is_empty() && join.same.is_empty() && join.period.is_none() && join.residual.is_none();
            match (join.kind, sides) {
                (_, (Cardinality::One, Cardinality::One)) if all_pairs => Cardinality::One,
                (JoinKind::Left, (Cardinality::One, Cardinality::One | Cardinality::AtMostOne)) => Cardinality::One,
                (JoinKind::Right, (Cardinality::One | Cardinality::AtMostOne, Cardinality::One)) => Cardinality::One,
                (JoinKind::Inner | JoinKind::Left | JoinKind::Right, _) if both => Cardinality::AtMostOne,
                // A full join of two rows that do not match gives both.
                (
                    JoinKind::Inner
                    | JoinKind::Left
                    | JoinKind::Right
                    | JoinKind::Full
                    | JoinKind::Semi
                    | JoinKind::Anti,
                    _,
                ) => Cardinality::Many,
            }
        }
        NodeKind::Aggregate { group, .. } if group.is_empty() => Cardinality::One,
        NodeKind::Aggregate { input, .. } => of_node(input),
        NodeKind::Limit { input, limit, offset } => {
            let count = limit.as_ref().and_then(|limit| match literal::value(limit) {
                Some(Value::Integer(count)) => Some(*count),
                _ => None,
            });
            match (of_node(input), count) {
                (Cardinality::One, Some(1..)) if offset.is_none() => Cardinality::One,
                (Cardinality::One | Cardinality::AtMostOne, _) | (_, Some(0 | 1)) => Cardinality::AtMostOne,
                (Cardinality::Many, _) => Cardinality::Many,
            }
        }
        NodeKind::SetOp { left, .. } => match of_node(left) {
            Cardinality::One | Cardinality::AtMostOne => Cardinality::AtMostOne,
            Cardinality::Many => Cardinality::Many,
        },
        NodeKind::Bindings | NodeKind::Recursion(_) | NodeKind::Working { .. } | NodeKind::Series { .. } => {
            Cardinality::Many
        }
        NodeKind::UnionAll { inputs } => match inputs.as_slice() {
            [only] => of_node(only),
            _ => Cardinality::Many,
        },
    }
}

/// Does the scan read one state: one instant of each time?
fn reads_a_point(scan: &Scan) -> bool {
    let system = matches!(scan.system, SystemScope::Latest | SystemScope::AsOf(_));
    system && matches!(scan.valid, ValidScope::At(_))
}

fn names_one_key(scan: &Scan) -> bool {
    let is_one = |value: &Expr| !matches!(value.ty, Type::Array(_));
    reads_a_point(scan)
        && matches!(&scan.keys, KeyAccess::Exact(tuples) if tuples.len() <= 1 && tuples.iter().flatten().all(is_one))
}

/// Does the predicate give every column of the key one value?
fn pins_the_key(scan: &Scan, predicate: &Expr) -> bool {
    reads_a_point(scan)
        && scan.table.key.iter().all(|key_column| {
            let place = scan.columns.iter().position(|column| *column == ScanColumn::Data(*key_column));
            place.is_some_and(|place| pins(predicate, place))
        })
}

fn pins(predicate: &Expr, place: usize) -> bool {
    match &predicate.kind {
        ExprKind::And(arms) => arms.iter().any(|arm| pins(arm, place)),
        ExprKind::Call { function, args } if function.name == "=" => {
            let is_place = |expr: &Expr| matches!(expr.kind, ExprKind::Column(column) if column == place);
            let fixed = |expr: &Expr| !expr.has_columns();
            (is_place(&args[0]) && fixed(&args[1])) || (is_place(&args[1]) && fixed(&args[0]))
        }
        ExprKind::Column(_)
        | ExprKind::Param(_)
        | ExprKind::Context(_)
        | ExprKind::Const(_)
        | ExprKind::Outer(_)
        | ExprKind::Call { .. }
        | ExprKind::Or(_)
        | ExprKind::Case { .. }
        | ExprKind::Subplan { .. } => false,
    }
}
