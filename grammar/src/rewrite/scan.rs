//! Which keys must a scan read, and which blocks can it skip?
//!
//! From the conditions of the filter that stands on it: equalities (and IN lists) on all key columns name exact keys,
//! equalities on the first ones and bounds on the next a range. Every comparison of a column with a value lets blocks be
//! skipped. The filter stays: keys and predicates only narrow what is read.

use crate::plan::{CompareOp, Expr, ExprKind, KeyAccess, KeyBound, Node, NodeKind, Scan, ScanColumn, ScanPredicate};
use crate::stack;
use spectradb_kernel::{Type, Value, func::array_set};

/// As many exact keys are looked up one by one at most; more of them are one scan with a filter.
const KEYS_MAX: usize = 4_096;

/// So many values are compared with each other to drop repeated ones.
const SHORT_MAX: usize = 64;

/// Gives all scans their keys and predicates.
pub(super) fn node(node: &mut Node) {
    node.for_each_input_mut(&mut |input| stack::deeper(|| self::node(input)));
    let NodeKind::Filter { input, predicate } = &mut node.kind else { return };
    let NodeKind::Scan(scan) = &mut input.kind else { return };
    let conditions: Vec<&Expr> = match &predicate.kind {
        ExprKind::And(arms) => arms.iter().collect(),
        _ => vec![predicate],
    };
    let comparisons: Vec<Comparison<'_>> =
        conditions.iter().filter_map(|condition| comparison(condition, scan)).collect();
    scan.predicates = comparisons
        .iter()
        .filter(|comparison| scan.table.columns[comparison.column_idx].ty.is_ordered_bytewise())
        .map(|comparison| ScanPredicate {
            column_idx: comparison.column_idx,
            op: comparison.op,
            value: comparison.value.clone(),
        })
        .collect();
    scan.keys = keys(scan, &comparisons, &conditions);
}

/// `column op value`, with a value that depends on no row.
struct Comparison<'e> {
    column_idx: usize,
    op: CompareOp,
    value: &'e Expr,
}

/// The column of the table that an expression is.
fn data_column(expr: &Expr, scan: &Scan) -> Option<usize> {
    let ExprKind::Column(column) = expr.kind else { return None };
    match scan.columns[column] {
        ScanColumn::Data(column_idx) => Some(column_idx),
        ScanColumn::Commit
        | ScanColumn::Origin
        | ScanColumn::SystemFrom
        | ScanColumn::SystemTo
        | ScanColumn::CommitTo
        | ScanColumn::ValidFrom
        | ScanColumn::ValidTo => None,
    }
}

/// Is the value known when the scan begins? It must not be able to fail: no row may ever ask for it.
fn is_known(expr: &Expr) -> bool {
    !expr.has_columns() && !expr.has_subplans() && !expr.is_fallible()
}

fn comparison<'e>(condition: &'e Expr, scan: &Scan) -> Option<Comparison<'e>> {
    let ExprKind::Call { function, args } = &condition.kind else { return None };
    let [one, other] = args.as_slice() else { return None };
    let op = match function.name {
        "=" => CompareOp::Eq,
        "<" => CompareOp::Lt,
        "<=" => CompareOp::Le,
        ">" => CompareOp::Gt,
        ">=" => CompareOp::Ge,
        _ => return None,
    };
    let turned = match op {
        CompareOp::Eq => CompareOp::Eq,
        CompareOp::Lt => CompareOp::Gt,
        CompareOp::Le => CompareOp::Ge,
        CompareOp::Gt => CompareOp::Lt,
        CompareOp::Ge => CompareOp::Le,
    };
    if let Some(column_idx) = data_column(one, scan) {
        return is_known(other).then_some(Comparison { column_idx, op, value: other });
    }
    let column_idx = data_column(other, scan)?;
    is_known(one).then_some(Comparison { column_idx, op: turned, value: one })
}

/// The array of `column = ANY (array)`, whose elements are of the column's type.
fn among<'e>(condition: &'e Expr, column_idx: usize, scan: &Scan) -> Option<&'e Expr> {
    let call = |expr: &'e Expr, name: &str| match &expr.kind {
        ExprKind::Call { function, args } if function.name == name => Some(args.as_slice()),
        _ => None,
    };
    let [element, array, way] = call(condition, "$array_among")? else { return None };
    let equal = array_set::comparison("=").map(Value::Integer);
    let column = call(element, "$array_of")?.first()?;
    let Type::Array(elements) = array.ty else { return None };
    let is_it = matches!(&way.kind, ExprKind::Const(way) if Some(way) == equal.as_ref())
        && data_column(column, scan) == Some(column_idx)
        && elements.ty().plain() == column.ty.plain();
    (is_it && is_known(array)).then_some(array)
}

/// The values of a key column, if conditions give it some: `column = value`, `column IN (values)`, or an array of them.
fn values<'e>(
    column_idx: usize,
    scan: &Scan,
    comparisons: &[Comparison<'e>],
    conditions: &[&'e Expr],
) -> Option<Vec<&'e Expr>> {
    let equal = |comparison: &&Comparison<'_>| comparison.column_idx == column_idx && comparison.op == CompareOp::Eq;
    if let Some(found) = comparisons.iter().find(equal) {
        return Some(vec![found.value]);
    }
    if let Some(array) = conditions.iter().find_map(|condition| among(condition, column_idx, scan)) {
        return Some(vec![array]);
    }
    conditions.iter().find_map(|condition| {
        let ExprKind::Or(arms) = &condition.kind else { return None };
        let mut values: Vec<&Expr> = Vec::with_capacity(arms.len());
        for arm in arms {
            let comparison = comparison(arm, scan).filter(|comparison| equal(&comparison))?;
            // A key that is named twice is looked up once all the same; a short list also reads better without.
            let is_short = values.len() < SHORT_MAX;
            if !is_short || !values.iter().any(|value| value.same(comparison.value)) {
                values.push(comparison.value);
            }
            if values.len() > KEYS_MAX {
                return None;
            }
        }
        Some(values)
    })
}

fn keys(scan: &Scan, comparisons: &[Comparison<'_>], conditions: &[&Expr]) -> KeyAccess {
    let mut tuples: Vec<Vec<Expr>> = vec![Vec::new()];
    for (at, column_idx) in scan.table.key.iter().enumerate() {
        let found = values(*column_idx, scan, comparisons, conditions);
        let is_last = at + 1 == scan.table.key.len();
        match found {
            Some(values) if tuples.len() * values.len() <= KEYS_MAX => {
                tuples = tuples
                    .iter()
                    .flat_map(|tuple| {
                        values.iter().map(move |value| tuple.iter().cloned().chain([(*value).clone()]).collect())
                    })
                    .collect();
                if is_last {
                    return KeyAccess::Exact(tuples);
                }
            }
            Some(_) | None => return range(*column_idx, tuples, scan, comparisons),
        }
    }
    KeyAccess::All
}

/// A range under a single prefix; several prefixes are not one range.
fn range(column_idx: usize, mut tuples: Vec<Vec<Expr>>, scan: &Scan, comparisons: &[Comparison<'_>]) -> KeyAccess {
    let bound = |wanted: [CompareOp; 2]| {
        let mut found = comparisons
            .iter()
            .filter(|comparison| comparison.column_idx == column_idx && wanted.contains(&comparison.op));
        found.next().map(|comparison| KeyBound {
            value: comparison.value.clone(),
            included: matches!(comparison.op, CompareOp::Ge | CompareOp::Le),
        })
    };
    if tuples.len() != 1 || !scan.table.columns[column_idx].ty.is_ordered_bytewise() {
        return KeyAccess::All;
    }
    let prefix = tuples.pop().expect("there is one");
    // An array is several values: no range begins with it.
    if prefix.iter().any(|value| matches!(value.ty, Type::Array(_))) {
        return KeyAccess::All;
    }
    let (low, high) = (bound([CompareOp::Gt, CompareOp::Ge]), bound([CompareOp::Lt, CompareOp::Le]));
    if prefix.is_empty() && low.is_none() && high.is_none() {
        return KeyAccess::All;
    }
    KeyAccess::Range { prefix, low, high }
}
