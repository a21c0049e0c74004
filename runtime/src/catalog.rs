//! Which tables does a statement see? The database's catalogue, as the language asks for it.
//!
//! Not here: the catalogue's versions (`spectradb_store::catalog`), what names mean (`spectradb_grammar::bind`).

use crate::{
    error::{Error, Result},
    point::Point,
    session::Execution,
};
use spectradb_grammar::{
    ast, bind,
    catalog::Catalog,
    plan::{CheckedPlan, Expr, ExprKind, Node},
};
use spectradb_kernel::{Type, Value, schema::TableSchema, time::Commit};
use spectradb_store::{
    Snapshot,
    commits::{COMMITS_NAME, commits_schema},
    error::StoreError,
};
use std::{cell::RefCell, ops::Deref, sync::Arc};

/// The tables that a snapshot's catalogue holds, as the binder asks for them.
struct SnapshotCatalog<'s> {
    snapshot: &'s Snapshot,
    /// The binder knows only "not there"; a failed read is told afterwards.
    failed: RefCell<Option<StoreError>>,
}

impl Catalog for SnapshotCatalog<'_> {
    fn version(&self) -> u64 {
        self.snapshot.catalog().version
    }

    fn table(&self, name: &str) -> Option<Arc<TableSchema>> {
        if name == COMMITS_NAME {
            return Some(commits_schema().clone());
        }
        self.snapshot.catalog().by_name(name).cloned()
    }

    fn table_names(&self) -> Vec<String> {
        self.snapshot.catalog().tables.iter().map(|table| table.name.clone()).collect()
    }

    fn current_commit(&self) -> Option<Commit> {
        Some(self.snapshot.commit())
    }

    fn table_at(&self, name: &str, commit: Commit) -> Option<Arc<TableSchema>> {
        if name == COMMITS_NAME {
            return Some(commits_schema().clone());
        }
        match self.snapshot.catalog_at(commit) {
            Ok(catalog) => catalog.by_name(name).cloned(),
            Err(error) => {
                *self.failed.borrow_mut() = Some(error);
                None
            }
        }
    }

    fn dropped_tables(&self, name: &str) -> Vec<Arc<TableSchema>> {
        self.snapshot.dropped_tables(name)
    }
}

/// A statement that was bound, as plans are kept and shared.
#[derive(Debug)]
pub(crate) struct Bound {
    plan: CheckedPlan,
    /// The fact that the plan asks for, where it is one.
    pub(crate) point: Option<Point>,
}

impl Bound {
    /// About how many bytes it takes: those of its nodes and expressions, and the texts in them.
    pub(crate) fn bytes(&self) -> usize {
        let mut bytes = size_of::<Bound>();
        self.plan.statement.for_each_query(&mut |query| {
            for root in std::iter::once(&query.root).chain(&query.subplans) {
                root.walk(&mut |node| {
                    bytes += size_of::<Node>();
                    node.for_each_expr(&mut |expr| expr.walk(&mut |part| bytes += expr_bytes(part)));
                });
            }
        });
        bytes
    }
}

fn expr_bytes(expr: &Expr) -> usize {
    let of_value = match &expr.kind {
        ExprKind::Const(Value::Text(text) | Value::Json(text)) => text.len(),
        ExprKind::Const(Value::Blob(bytes)) => bytes.len(),
        _ => 0,
    };
    size_of::<Expr>() + of_value
}

impl Deref for Bound {
    type Target = CheckedPlan;

    fn deref(&self) -> &CheckedPlan {
        &self.plan
    }
}

/// Binds a statement against a snapshot's tables; the first parameters have these types.
pub(crate) fn bind_statement(
    statement: &ast::Statement,
    sql: &str,
    snapshot: &Snapshot,
    execution: Execution,
    zone: Option<&str>,
    param_types: &[Type],
) -> Result<Arc<Bound>> {
    let catalog = SnapshotCatalog { snapshot, failed: RefCell::new(None) };
    let options = bind::BindOptions {
        rewrites: execution.rewrites,
        zone: zone.map(str::to_owned),
        param_types: param_types.iter().copied().map(Some).collect(),
        ..bind::BindOptions::default()
    };
    let bound = bind::statement(statement, sql, &catalog, &options);
    if let Some(error) = catalog.failed.into_inner() {
        return Err(error.into());
    }
    let plan = bound.map_err(|diag| Error::from_diag(diag, sql))?;
    // Where plans are not rewritten to be fast, operators answer everything.
    let point = if execution.rewrites { Point::of(&plan) } else { None };
    Ok(Arc::new(Bound { plan, point }))
}
