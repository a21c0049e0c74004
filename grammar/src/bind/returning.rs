//! What does RETURNING give of the rows that a statement wrote?
//!
//! A query of its own over the rows that the statement hands in: the facts as they are now (of a DELETE: as they were), with
//! their periods, and whatever FROM, USING or a MERGE's source brought. System time is not among them: the commit has no
//! number yet.

use super::{
    Binder,
    dml::{given, output_fields},
    expr::Ctx,
    scope::{PSEUDO_COLUMNS, Scope, ScopeColumn, ScopeTable},
    select::{no_table, output_name},
};
use crate::{
    ast::{self, Name, SelectItem, StarChanges},
    diag::{Diag, code},
    plan::{Expr, Field, QueryPlan},
};
use spectradb_kernel::schema::TableSchema;

impl Binder<'_> {
    /// The query of RETURNING. `others` are the other tables in view, whose columns lie in `extra`, counted from 0.
    pub(super) fn returning(
        &mut self,
        returning: Option<&ast::Returning>,
        table: &TableSchema,
        alias: &Name,
        mut others: Scope,
        extra: &[Field],
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
        let target = ScopeTable { name: Some(alias.text.clone()), kind: table.kind, columns: columns.collect() };
        let width = fields.len();
        fields.extend(extra.iter().cloned());
        for column in others.tables.iter_mut().flat_map(|table| &mut table.columns) {
            column.column += width;
        }
        for merged in &mut others.merged {
            merged.expr.map_columns(&mut |column| column + width);
        }
        others.tables.insert(0, target);
        let scope = others;
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
        let plan = given(fields).project(columns);
        Ok(Some(self.query_plan(plan)?))
    }
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
