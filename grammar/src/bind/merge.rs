//! What does MERGE write?
//!
//! The table's facts are joined with the source, rows without a partner kept as the WHENs ask for them. Each row is numbered
//! with the first WHEN that speaks of it, and each WHEN becomes a query over the rows of its number.
//!
//! Holds: an expression of a WHEN is evaluated for its own rows only.

use super::{
    Binder,
    dml::{Origin, Target, fact_columns, given, named_targets, old_fields, old_values, output_fields, width_matches},
    from::{Source, item_span},
    function,
    returning::Sides,
    scope::Scope,
};
use crate::{
    ast::{self, JoinCondition, MergeRows, Portion},
    diag::{Diag, code},
    plan::{Expr, ExprKind, Field, MergeAction, Node, Statement},
    span::Span,
};
use spectradb_kernel::{Type, Value, schema::TableSchema};

/// The rows that the WHENs choose from.
struct Joined {
    fields: Vec<Field>,
    /// All tables in view: the merged one first.
    scope: Scope,
    /// Has the row a fact of the table, a row of the source?
    has_fact: Expr,
    has_row: Expr,
    /// The source's columns.
    source: std::ops::Range<usize>,
}

impl Binder<'_> {
    pub(super) fn merge(&mut self, merge: &ast::Merge) -> Result<Statement, Diag> {
        let table = self.writable_table(&merge.table)?;
        let alias = merge.alias.as_ref().unwrap_or(&merge.table);
        let (target, mut portion) = self.facts(&table, alias, &merge.portion)?;
        let at = merge.table.span;
        let (joined, node) = self.joined(merge, target, &table, at)?;
        let rows = |of: MergeRows| joined.rows(of);
        let (mut arms, mut actions) = (Vec::new(), Vec::new());
        for when in &merge.whens {
            let mut condition = rows(when.rows);
            let scope = joined.scope_of(when.rows);
            if let Some(also) = &when.condition {
                let mut ctx = super::expr::Ctx::plain(&scope, "MERGE WHEN");
                let also = self.condition(also, &mut ctx)?;
                condition = Expr::conjunction(vec![condition, also]).expect("there are two");
            }
            let number = match &when.action {
                ast::MergeAction::Nothing => Value::Null,
                _ => Value::Integer(actions.len() as i64),
            };
            arms.push((condition, Expr::constant(number, Type::Integer, when.span)));
            actions.extend(self.action_shape(when)?);
        }
        let kind = ExprKind::Case { arms, otherwise: None };
        let number = Expr { kind, ty: Type::Integer, nullable: true, span: at };
        let mut columns: Vec<(String, Expr)> =
            (0..node.fields.len()).map(|column| (node.fields[column].name.clone(), node.column(column, at))).collect();
        columns.push((ACTION.to_owned(), number));
        let source = node.project(columns);
        let all = source.fields.clone();
        let source = self.source_plan(source, &mut portion)?;
        let mut bound = Vec::with_capacity(actions.len());
        for (number, when) in actions.into_iter().enumerate() {
            bound.push(self.action(merge, when, number, &table, &joined, all.clone())?);
        }
        let (others, mut extra) = joined.others();
        let sides = self.asked_sides(merge.returning.as_ref(), Sides::Merged);
        if sides == Sides::Merged {
            extra.extend(old_fields(&table));
            extra.push(Field { name: ACTION.to_owned(), ty: Type::Text, nullable: false });
        }
        let returning = self.returning(merge.returning.as_ref(), &table, alias, others, &extra, sides)?;
        Ok(Statement::Merge { table, source, portion, actions: bound, returning })
    }

    /// The table's facts and the source's rows, side by side.
    fn joined(
        &mut self,
        merge: &ast::Merge,
        target: Source,
        table: &TableSchema,
        at: Span,
    ) -> Result<(Joined, Node), Diag> {
        let left_width = target.node.fields.len();
        let mut source = self.table_ref(&merge.source, Some(&target.scope))?;
        // A column that is never NULL tells whether there is a row at all.
        let mut columns: Vec<(String, Expr)> = (0..source.node.fields.len())
            .map(|column| (source.node.fields[column].name.clone(), source.node.column(column, at)))
            .collect();
        let width = columns.len();
        columns.push((MARK.to_owned(), Expr::constant(Value::Boolean(true), Type::Boolean, at)));
        source.node = source.node.project(columns);
        let asks = |rows: MergeRows| merge.whens.iter().any(|when| when.rows == rows);
        let kind = match (asks(MergeRows::OfSource), asks(MergeRows::OfTarget)) {
            (false, false) => ast::JoinKind::Inner,
            (true, false) => ast::JoinKind::Right,
            (false, true) => ast::JoinKind::Left,
            (true, true) => ast::JoinKind::Full,
        };
        let condition = JoinCondition::On(merge.on.clone());
        let Source { node, scope, .. } = self.join(target, source, kind, &condition, item_span(&merge.source))?;
        let is_there =
            |column: usize| function::call_named("$is_not_null", vec![node.column(column, at)], Type::Boolean, at);
        let joined = Joined {
            has_fact: is_there(table.columns.len()),
            has_row: is_there(left_width + width),
            source: left_width..left_width + width,
            fields: node.fields.clone(),
            scope,
        };
        Ok((joined, node))
    }

    /// Refuses an action that its rows do not have; `None` is DO NOTHING.
    fn action_shape<'m>(&self, when: &'m ast::MergeWhen) -> Result<Option<&'m ast::MergeWhen>, Diag> {
        let (verb, fits) = match (&when.action, when.rows) {
            (ast::MergeAction::Nothing, _) => return Ok(None),
            (ast::MergeAction::Insert { .. }, rows) => ("INSERT", rows == MergeRows::OfSource),
            (ast::MergeAction::Update(_), rows) => ("UPDATE", rows != MergeRows::OfSource),
            (ast::MergeAction::Delete, rows) => ("DELETE", rows != MergeRows::OfSource),
        };
        if fits {
            return Ok(Some(when));
        }
        let message = match when.rows {
            MergeRows::OfSource => format!("{verb} is not possible WHEN NOT MATCHED: there is no fact"),
            MergeRows::Matched | MergeRows::OfTarget => format!("{verb} is possible WHEN NOT MATCHED only"),
        };
        Err(Diag::new(code::SYNTAX, message, when.span))
    }

    fn action(
        &mut self,
        merge: &ast::Merge,
        when: &ast::MergeWhen,
        number: usize,
        table: &TableSchema,
        joined: &Joined,
        fields: Vec<Field>,
    ) -> Result<MergeAction, Diag> {
        let (span, scope, last) = (when.span, joined.scope_of(when.rows), fields.len() - 1);
        let node = given(fields);
        let wanted = Expr::constant(Value::Integer(number as i64), Type::Integer, span);
        let is_it = function::call_named("=", vec![node.column(last, span), wanted], Type::Boolean, span);
        let node = node.filter(is_it);
        let mut columns = Vec::new();
        match &when.action {
            ast::MergeAction::Update(assignments) => {
                columns.extend(fact_columns(&node, table.columns.len(), span));
                let new = self.assigned(assignments, table, &node, &scope, span)?;
                columns.extend(table.columns.iter().zip(new).map(|(column, expr)| (column.name.clone(), expr)));
            }
            ast::MergeAction::Delete => columns.extend(fact_columns(&node, table.columns.len(), span)),
            ast::MergeAction::Insert { columns: names, values, valid } => {
                columns.extend(self.merged_row(
                    merge,
                    names,
                    values.as_deref(),
                    valid.as_deref(),
                    table,
                    &scope,
                    span,
                )?);
            }
            ast::MergeAction::Nothing => {}
        }
        if merge.returning.is_some() {
            let source = joined.source.clone();
            columns.extend(source.map(|column| (node.fields[column].name.clone(), node.column(column, span))));
        }
        if self.asked_sides(merge.returning.as_ref(), Sides::Merged) == Sides::Merged {
            let verb = match &when.action {
                ast::MergeAction::Update(_) => "UPDATE",
                ast::MergeAction::Delete => "DELETE",
                ast::MergeAction::Insert { .. } | ast::MergeAction::Nothing => "INSERT",
            };
            let is_new = verb == "INSERT";
            columns.extend(old_values(table, &node, span).map(|(name, value)| {
                let value = if is_new { Expr::constant(Value::Null, value.ty, span) } else { value };
                (name, value)
            }));
            columns.push((ACTION.to_owned(), Expr::constant(Value::Text(verb.to_owned()), Type::Text, span)));
        }
        let node = node.project(columns);
        let plan = self.query_plan(node)?;
        Ok(match &when.action {
            ast::MergeAction::Update(_) => MergeAction::Update(plan),
            ast::MergeAction::Delete => MergeAction::Delete(plan),
            ast::MergeAction::Insert { .. } | ast::MergeAction::Nothing => MergeAction::Insert(plan),
        })
    }

    /// The columns of a new fact.
    #[expect(clippy::too_many_arguments, reason = "they are the parts of one INSERT")]
    fn merged_row(
        &mut self,
        merge: &ast::Merge,
        names: &[ast::Name],
        values: Option<&[ast::Expr]>,
        valid: Option<&ast::ValidPeriod>,
        table: &TableSchema,
        scope: &Scope,
        span: Span,
    ) -> Result<Vec<(String, Expr)>, Diag> {
        let values = values.unwrap_or_default();
        let mut targets = named_targets(table, names)?;
        if names.is_empty() {
            let visible = table.columns.iter().enumerate().filter(|(_, column)| !column.hidden);
            targets = visible.map(|(column_idx, _)| Target::Data(column_idx)).take(values.len()).collect();
        }
        let at = values.get(targets.len()).map_or(span, |extra| extra.span);
        width_matches(values.len(), targets.len(), names, at)?;
        // What is merged for a portion of valid time is new in that portion.
        let named = targets.iter().any(|target| matches!(target, Target::ValidFrom | Target::ValidTo));
        let valid = match (valid, &merge.portion) {
            (None, Portion::Period(period)) if !named => Some(period),
            (valid, _) => valid,
        };
        let origins = self.origins(table, &targets, valid, merge.table.span)?;
        let mut row = Vec::with_capacity(values.len());
        for (value, target) in values.iter().zip(&targets) {
            row.push(self.inserted(value, table, *target, scope)?);
        }
        let named = output_fields(table).zip(origins).map(|((name, _), origin)| {
            let expr = match origin {
                Origin::Source(column) => row[column].clone(),
                Origin::Fixed(expr) => expr,
            };
            (name, expr)
        });
        Ok(named.collect())
    }
}

/// The column that numbers what is done with a row.
const ACTION: &str = "?action?";
/// The column that tells that there is a row of the source.
const MARK: &str = "?row?";

impl Joined {
    /// Does a row belong to these?
    fn rows(&self, rows: MergeRows) -> Expr {
        let (fact, row) = (self.has_fact.clone(), self.has_row.clone());
        let both = match rows {
            MergeRows::Matched => vec![fact, row],
            MergeRows::OfSource => vec![function::not(fact), row],
            MergeRows::OfTarget => vec![fact, function::not(row)],
        };
        Expr::conjunction(both).expect("there are two")
    }

    /// The tables that have values in such rows.
    fn scope_of(&self, rows: MergeRows) -> Scope {
        let mut scope = self.scope.clone();
        match rows {
            MergeRows::Matched => {}
            MergeRows::OfSource => drop(scope.tables.remove(0)),
            MergeRows::OfTarget => {
                scope.tables.truncate(1);
                scope.merged.clear();
            }
        }
        scope
    }

    /// The source's tables and columns, counted from 0.
    fn others(&self) -> (Scope, Vec<Field>) {
        let first = self.source.start;
        let mut scope = self.scope_of(MergeRows::OfSource);
        for column in scope.tables.iter_mut().flat_map(|table| &mut table.columns) {
            column.column -= first;
        }
        for merged in &mut scope.merged {
            merged.expr.map_columns(&mut |column| column - first);
        }
        (scope, self.fields[self.source.clone()].to_vec())
    }
}
