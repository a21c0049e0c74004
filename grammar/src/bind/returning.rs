//! What does RETURNING give of the rows that a statement wrote?
//!
//! A query of its own over the rows that the statement hands in: the facts as they are now (of a DELETE: as they were), with
//! their periods, and whatever FROM, USING or a MERGE's source brought. `old` and `new` are their values before
//! and after the statement, with the stored period and the commit that the fact had, and `merge_action()` tells what a MERGE did with a
//! row. System time is not among the new ones: the commit has no number yet.

use super::{
    Binder,
    dml::{OLD_EXTRA, given, output_fields},
    expr::Ctx,
    function,
    predicate::case_of,
    scope::{PSEUDO_COLUMNS, Scope, ScopeColumn, ScopeTable},
    select::{no_table, output_name},
};
use crate::{
    ast::{self, Name, SelectItem, StarChanges},
    diag::{Diag, code},
    plan::{Expr, Field, Node, QueryPlan},
    span::Span,
};
use spectradb_kernel::{
    Type, Value,
    schema::{TableKind, TableSchema},
};

/// What `old` and `new` are of the rows that are handed in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sides {
    /// RETURNING does not name them.
    Unasked,
    /// All rows are new: `old` is NULL.
    Inserted,
    /// The old values stand last.
    Updated,
    /// All rows are gone: `new` is NULL. The old values stand last.
    Deleted,
    /// The old values stand last, behind them what was done with the row, as `merge_action()` tells.
    Merged,
}

/// What the hidden table of `merge_action()` is called.
const MERGE: &str = "?merge?";

impl Binder<'_> {
    /// Does a RETURNING name old or new rows, or ask what a MERGE did? Its text says so.
    pub(super) fn asked_sides(&self, returning: Option<&ast::Returning>, sides: Sides) -> Sides {
        let Some(returning) = returning else { return Sides::Unasked };
        let text = returning.span.of(self.sql).to_ascii_lowercase();
        if ["old", "new", "merge_action"].iter().any(|word| text.contains(word)) { sides } else { Sides::Unasked }
    }

    /// `merge_action()`
    pub(super) fn merge_action(&self, scope: &Scope, span: Span) -> Result<Expr, Diag> {
        let column = scope.table(MERGE).and_then(|table| table.columns.first());
        column.map(|column| column.expr(span)).ok_or_else(|| {
            let message = "MERGE_ACTION() can only be used in the RETURNING list of a MERGE command";
            Diag::new(code::SYNTAX, message, span)
        })
    }

    /// The query of RETURNING. `others` are the other tables in view, whose columns lie in `extra`, counted from 0.
    pub(super) fn returning(
        &mut self,
        returning: Option<&ast::Returning>,
        table: &TableSchema,
        alias: &Name,
        mut others: Scope,
        extra: &[Field],
        sides: Sides,
    ) -> Result<Option<QueryPlan>, Diag> {
        let Some(returning) = returning else { return Ok(None) };
        let visible = table.columns.iter().filter(|column| !column.hidden).map(|column| column.nullable);
        let own = output_fields(table).zip(visible.chain([false; 2]));
        let mut fields: Vec<Field> = own.map(|((name, ty), nullable)| Field { name, ty, nullable }).collect();
        let columns = fields.iter().enumerate().map(|(column, field)| ScopeColumn {
            name: field.name.clone(),
            column,
            ty: field.ty,
            nullable: field.nullable,
            shown: !PSEUDO_COLUMNS.contains(&field.name.as_str()),
            is_merged: false,
        });
        let target = ScopeTable {
            name: Some(alias.text.clone()),
            kind: table.kind,
            columns: columns.collect(),
            key: Vec::new(),
        };
        let width = fields.len();
        fields.extend(extra.iter().cloned());
        for column in others.tables.iter_mut().flat_map(|table| &mut table.columns) {
            column.column += width;
        }
        for merged in &mut others.merged {
            merged.expr.map_columns(&mut |column| column + width);
        }
        let own_width = target.columns.iter().filter(|column| column.shown).count();
        others.tables.insert(0, target);
        let mut scope = others;
        let mut node = given(fields);
        if sides != Sides::Unasked {
            node = with_sides(node, &mut scope, own_width, sides, returning.span);
        }
        let mut columns: Vec<(String, Expr)> = Vec::new();
        for item in &returning.items {
            match item {
                SelectItem::Wildcard(span, changes) | SelectItem::QualifiedWildcard(Name { span, .. }, changes)
                    if *changes != StarChanges::default() =>
                {
                    let message = "EXCLUDE and REPLACE in RETURNING are not supported";
                    return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, *span).help("name the columns"));
                }
                SelectItem::Wildcard(span, _) => columns.extend(scope.star(*span)),
                SelectItem::QualifiedWildcard(name, _) => {
                    let Some(table) = scope.table(&name.text) else { return Err(no_table(&scope, name)) };
                    let shown = table.columns.iter().filter(|column| column.shown);
                    columns.extend(shown.map(|column| (column.name.clone(), column.expr(name.span))));
                }
                SelectItem::Expr { expr, alias } => {
                    let mut ctx = Ctx::plain(&scope, "RETURNING");
                    let bound = self.expr(expr, &mut ctx).map_err(|diag| no_system_time(expr, diag))?;
                    let name = alias.as_ref().map_or_else(|| output_name(expr), |alias| alias.text.clone());
                    columns.push((name, self.settled(bound)?));
                }
            }
        }
        let plan = node.project(columns);
        Ok(Some(self.query_plan(plan)?))
    }
}

/// The rows with their old and new values beside them, by the names `old` and `new` unless these are taken.
fn with_sides(node: Node, scope: &mut Scope, own_width: usize, sides: Sides, span: Span) -> Node {
    let all: Vec<(String, Expr)> =
        (0..node.fields.len()).map(|at| (node.fields[at].name.clone(), node.column(at, span))).collect();
    let behind = match sides {
        Sides::Updated | Sides::Deleted => own_width + OLD_EXTRA.len(),
        Sides::Merged => own_width + OLD_EXTRA.len() + 1,
        Sides::Unasked | Sides::Inserted => 0,
    };
    let first_old = all.len() - behind;
    let action = (sides == Sides::Merged).then(|| node.column(all.len() - 1, span));
    let own = |at: usize| node.column(at, span);
    let null = |at: usize| Expr::constant(Value::Null, node.fields[at].ty, span);
    let mut columns = all;
    let mut name_table = |name: &str, values: Vec<(String, Expr)>, columns: &mut Vec<(String, Expr)>| {
        if scope.table(name).is_some() {
            return;
        }
        let mut of_table = Vec::with_capacity(values.len());
        for (label, value) in values {
            let shown = label != MERGE && !PSEUDO_COLUMNS.contains(&label.as_str());
            of_table.push(ScopeColumn {
                name: label.clone(),
                column: columns.len(),
                ty: value.ty,
                nullable: value.nullable,
                shown,
                // Only `old.a` names it, not `a`.
                is_merged: true,
            });
            columns.push((label, value));
        }
        scope.tables.push(ScopeTable {
            name: Some(name.to_owned()),
            kind: TableKind::Typed,
            columns: of_table,
            key: Vec::new(),
        });
    };
    let names = || node.fields[..own_width].iter().map(|field| (field.name.as_str(), field.ty));
    let old = |(at, (name, ty)): (usize, (&str, Type))| match sides {
        Sides::Inserted | Sides::Unasked => (name.to_owned(), Expr::constant(Value::Null, ty, span)),
        Sides::Updated | Sides::Deleted | Sides::Merged => (name.to_owned(), own(first_old + at)),
    };
    let new = |at: usize| match (sides, &action) {
        (Sides::Deleted, _) => null(at),
        (_, Some(action)) => {
            let deleted = Expr::constant(Value::Text("DELETE".to_owned()), Type::Text, span);
            let is_gone = function::call_named("=", vec![action.clone(), deleted], Type::Boolean, span);
            case_of(vec![(is_gone, null(at))], own(at), span)
        }
        (_, None) => own(at),
    };
    let old = names().chain(OLD_EXTRA).enumerate().map(old).collect();
    // Behind the own values stands the period.
    let new = (0..own_width + 2).map(|at| (node.fields[at].name.clone(), new(at))).collect();
    name_table("old", old, &mut columns);
    name_table("new", new, &mut columns);
    if let Some(action) = action.clone() {
        name_table(MERGE, vec![(MERGE.to_owned(), action)], &mut columns);
    }
    node.project(columns)
}

/// Says why system time is not there.
fn no_system_time(expr: &ast::Expr, diag: Diag) -> Diag {
    let ast::ExprKind::Path(path) = &expr.kind else { return diag };
    let asks = path.last().is_some_and(|name| PSEUDO_COLUMNS[..3].contains(&name.text.as_str()));
    if !asks || diag.code != code::UNDEFINED_COLUMN {
        return diag;
    }
    let message = "RETURNING has no system time: the commit has no number yet";
    Diag::new(code::FEATURE_NOT_SUPPORTED, message, expr.span)
        .help("the statement's result tells its commit; current_commit() does afterwards")
}
