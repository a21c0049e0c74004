//! How does a prepared query get one row by its key, without operators?
//!
//! Many statements name a whole key and one point of both times, and give columns as they lie. Looking such a fact up takes
//! less than building a scan, a filter and a projection for it. A [`Point`] is what such a plan asks for, found once when
//! it is bound; each run computes its values and looks them up.
//!
//! Holds: it answers, and fails, as the operators would. A plan is one only where the key's equality is byte for byte what
//! the filter says, and a run only where nothing lies over the committed facts.
//! Not here: all other plans (`interp`).

use crate::{
    ops::{ExecError, Place, ScopeReader, TableReader, valid_at},
    rows::OutputColumn,
    statement::output_columns,
    txn::TxnView,
};
use spectradb_grammar::{
    plan::{
        Context, Expr, ExprKind, KeyAccess, Node, NodeKind, Plan, QueryPlan, Scan, ScanColumn, Statement, SystemScope,
        ValidScope,
    },
    span::Span,
};
use spectradb_kernel::{Column, Type, Value, key, schema::TableId, time::Timestamp};
use spectradb_store::scan;
use std::sync::Arc;

/// A query of one fact.
#[derive(Debug)]
pub(crate) struct Point {
    table: TableId,
    key: Vec<Known>,
    key_types: Vec<Type>,
    /// The commit as of which; `None` is what the transaction sees.
    system: Option<Known>,
    valid: Known,
    /// Positions in the schema, with their types.
    columns: Vec<(usize, Type)>,
    outputs: Arc<[OutputColumn]>,
}

/// A value that is known before a row is.
#[derive(Debug)]
struct Known {
    value: Source,
    span: Span,
}

#[derive(Debug)]
enum Source {
    Param(usize),
    Const(Value),
    Now,
}

impl Known {
    fn of(expr: &Expr) -> Option<Known> {
        let value = match &expr.kind {
            ExprKind::Param(param_idx) => Source::Param(*param_idx),
            ExprKind::Const(value) => Source::Const(value.clone()),
            ExprKind::Context(Context::Now) => Source::Now,
            ExprKind::Context(Context::CurrentCommit | Context::Settings)
            | ExprKind::Column(_)
            | ExprKind::Call { .. }
            | ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Case { .. }
            | ExprKind::Subplan { .. }
            | ExprKind::Outer(_) => return None,
        };
        Some(Known { value, span: expr.span })
    }

    fn value(&self, params: &[Value], now: Timestamp) -> Value {
        match &self.value {
            Source::Param(param_idx) => params[*param_idx].clone(),
            Source::Const(value) => value.clone(),
            Source::Now => Value::Timestamp(now),
        }
    }

    fn is_null(&self, params: &[Value]) -> bool {
        match &self.value {
            Source::Param(param_idx) => params[*param_idx].is_null(),
            Source::Const(value) => value.is_null(),
            Source::Now => false,
        }
    }

    fn place(&self) -> Place {
        Place { start: self.span.start, end: self.span.end }
    }
}

/// Are values of the type equal just where their keys have the same bytes?
fn is_plain(ty: Type) -> bool {
    matches!(ty, Type::Integer | Type::Text | Type::Date | Type::Timestamp | Type::TimestampTz | Type::Uuid)
}

/// Does a predicate say that the key is that of the scan, and nothing else?
fn is_key(predicate: &Expr, scan: &Scan, key: &[Expr]) -> bool {
    let one = std::slice::from_ref(predicate);
    let conditions = if let ExprKind::And(arms) = &predicate.kind { arms.as_slice() } else { one };
    let equals = |condition: &Expr, key_idx: usize| {
        let ExprKind::Call { function, args } = &condition.kind else { return false };
        let [left, right] = args.as_slice() else { return false };
        let column = scan.table.key[key_idx];
        let is_column = |expr: &Expr| matches!(expr.kind, ExprKind::Column(place) if scan.columns.get(place) == Some(&ScanColumn::Data(column)));
        let ty = scan.table.columns[column].ty;
        let is_value = |expr: &Expr| expr.kind == key[key_idx].kind && expr.ty == ty;
        function.name == "="
            && is_plain(ty)
            && (is_column(left) && is_value(right) || is_column(right) && is_value(left))
    };
    conditions.len() == key.len() && (0..key.len()).all(|key_idx| conditions.iter().any(|arm| equals(arm, key_idx)))
}

impl Point {
    /// What a plan asks for, if it is one fact.
    pub(crate) fn of(plan: &Plan) -> Option<Point> {
        let Statement::Query(query @ QueryPlan { root, subplans }) = &plan.statement else { return None };
        let (filter, projected) = match &root.kind {
            NodeKind::Project { input, exprs } => (&**input, Some(exprs)),
            _ => (root, None),
        };
        let NodeKind::Filter { input, predicate } = &filter.kind else { return None };
        let Node { kind: NodeKind::Scan(scan), .. } = &**input else { return None };
        let KeyAccess::Exact(tuples) = &scan.keys else { return None };
        let [tuple] = tuples.as_slice() else { return None };
        if !subplans.is_empty() || !is_key(predicate, scan, tuple) {
            return None;
        }
        let places: Vec<usize> = match projected {
            None => (0..scan.columns.len()).collect(),
            Some(exprs) => {
                let place = |expr: &Expr| match expr.kind {
                    ExprKind::Column(place) => Some(place),
                    _ => None,
                };
                exprs.iter().map(place).collect::<Option<_>>()?
            }
        };
        let column = |place: usize| match scan.columns[place] {
            ScanColumn::Data(column_idx) => Some((column_idx, scan.table.columns[column_idx].ty.plain())),
            _ => None,
        };
        let system = match &scan.system {
            SystemScope::Latest => None,
            SystemScope::AsOf(at) if at.ty == Type::Integer => Some(Known::of(at)?),
            SystemScope::AsOf(_) | SystemScope::Range { .. } | SystemScope::All => return None,
        };
        let ValidScope::At(valid) = &scan.valid else { return None };
        Some(Point {
            table: scan.table.id,
            key: tuple.iter().map(Known::of).collect::<Option<_>>()?,
            key_types: scan.table.key_types().collect(),
            system,
            valid: Known::of(valid)?,
            columns: places.into_iter().map(column).collect::<Option<_>>()?,
            outputs: output_columns(query),
        })
    }

    /// The columns of its result.
    pub(crate) fn outputs(&self) -> &Arc<[OutputColumn]> {
        &self.outputs
    }

    /// May it be answered from what is committed, for a key that could be there?
    pub(crate) fn fits(&self, view: &TxnView, params: &[Value]) -> bool {
        self.key.iter().all(|known| !known.is_null(params))
            && !view.is_watched()
            && (self.system.is_some() || !view.has_changed(self.table))
    }

    /// The row's columns; `None` where there is no such fact.
    ///
    /// # Errors
    /// A point of time that cannot be, what the store meets.
    pub(crate) fn find(&self, view: &TxnView, params: &[Value]) -> Result<Option<Vec<Column>>, ExecError> {
        let now = Timestamp(view.now());
        let commit = match &self.system {
            None => None,
            Some(at) => {
                let scopes = ScopeReader { reader: view, now };
                let scan::SystemScope::AsOf(commit) = scopes.system_as_of(&at.value(params, now), at.place())? else {
                    unreachable!("AS OF names a commit");
                };
                Some(commit)
            }
        };
        let scan::ValidScope::At(valid_at) = valid_at(&self.valid.value(params, now), self.valid.place())? else {
            unreachable!("VALID AT names an instant");
        };
        let mut encoded = Vec::with_capacity(32);
        for (known, ty) in self.key.iter().zip(&self.key_types) {
            key::encode_values(&[known.value(params, now)], &[*ty], &mut encoded);
        }
        let read = |value: &mut dyn FnMut(usize) -> Value| {
            self.columns.iter().map(|(column_idx, ty)| Column::constant(*ty, value(*column_idx), 1)).collect()
        };
        let commit = match commit {
            None => view.current_commit(),
            Some(commit) => {
                if let (Err(error), Some(at)) = (view.check_existed(self.table, commit), &self.system) {
                    return Err(ExecError::StoreAt { error, place: at.place() });
                }
                commit
            }
        };
        Ok(view.snapshot().point_as_of(self.table, &encoded, commit, valid_at, read)?)
    }
}
