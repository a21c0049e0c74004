//! What do INSERT, UPDATE and DELETE write?
//!
//! Each becomes a query whose rows are what [`plan::Statement`](crate::plan::Statement) documents: for INSERT the new facts
//! with their periods, for UPDATE and DELETE the facts as they are, and for UPDATE as they shall be. Values are assigned
//! with PostgreSQL's assignment casts; columns that are not named get their defaults.
//!
//! Holds: a target reads the latest state; a portion of valid time sees every fact that overlaps it, without one the facts
//! valid now.

use super::{
    Binder,
    convert::{Bound, Degree, allows},
    expr::Ctx,
    from,
    scope::{PSEUDO_COLUMNS, Scope, ScopeColumn, ScopeTable, unknown_column_of},
    temporal,
};
use crate::{
    ast::{self, Name, Portion, SetExpr},
    diag::{Diag, code},
    plan::{Expr, Field, KeyAccess, Node, NodeKind, QueryPlan, Scan, ScanColumn, Statement, SystemScope, ValidScope},
    span::Span,
};
use spectradb_kernel::{
    Type, Value,
    schema::{ColumnSchema, TableSchema},
    time::Timestamp,
};
use std::sync::Arc;

/// What a column of the source is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A column of the table.
    Data(usize),
    /// `_valid_from`
    ValidFrom,
    /// `_valid_to`
    ValidTo,
}

/// Where a column of the new facts comes from.
enum Origin {
    /// From this column of the source.
    Source(usize),
    /// The same for all rows.
    Fixed(Expr),
}

impl Binder<'_> {
    pub(super) fn insert(&mut self, insert: &ast::Insert) -> Result<Statement, Diag> {
        let table = self.existing_table(&insert.table)?;
        let mut targets = named_targets(&table, &insert.columns)?;
        let plain_values = insert.source.as_ref().and_then(plain_values);
        let width = match (&plain_values, &insert.source) {
            (Some(rows), _) => rows.first().map_or(0, Vec::len),
            (None, Some(_)) => usize::MAX,
            (None, None) => 0,
        };
        if insert.columns.is_empty() {
            let visible = table.columns.iter().enumerate().filter(|(_, column)| !column.hidden);
            targets = visible.map(|(column_idx, _)| Target::Data(column_idx)).collect();
            if width < targets.len() {
                targets.truncate(width);
            }
        }
        let types: Vec<Type> = targets.iter().map(|target| target_type(&table, *target)).collect();
        let source = match (plain_values, &insert.source) {
            (Some(rows), Some(query)) => {
                let columns = self.written_values(rows, &table, &targets, insert, query.span)?;
                let origins = self.origins(&table, &targets, insert)?;
                values_of(columns, origins, &table)
            }
            (None, Some(query)) => {
                let node = self.query(query, Some(&types))?;
                if insert.columns.is_empty() {
                    targets.truncate(node.fields.len());
                }
                width_matches(node.fields.len(), targets.len(), insert, query.span)?;
                let origins = self.origins(&table, &targets, insert)?;
                let mut assigned = Vec::with_capacity(targets.len());
                for (column, target) in targets.iter().enumerate() {
                    assigned.push(self.assign(Bound::known(node.column(column, query.span)), &table, *target)?);
                }
                let columns = output_fields(&table).zip(origins).map(|((name, _), origin)| {
                    let expr = match origin {
                        Origin::Source(column) => assigned[column].clone(),
                        Origin::Fixed(expr) => expr,
                    };
                    (name, expr)
                });
                let columns = columns.collect();
                node.project(columns)
            }
            (_, None) => {
                let origins = self.origins(&table, &[], insert)?;
                values_of(vec![Vec::new()], origins, &table)
            }
        };
        Ok(Statement::Insert { table, source: self.query_plan(source) })
    }

    /// The rows of VALUES, each value assigned to its target.
    fn written_values(
        &mut self,
        rows: &[Vec<ast::Expr>],
        table: &TableSchema,
        targets: &[Target],
        insert: &ast::Insert,
        span: Span,
    ) -> Result<Vec<Vec<Expr>>, Diag> {
        let scope = Scope::default();
        let first_width = rows.first().map_or(0, Vec::len);
        let mut bound_rows = Vec::with_capacity(rows.len());
        for row in rows {
            let at = row.first().map_or(span, |first| first.span);
            if row.len() != first_width {
                return Err(Diag::new(code::SYNTAX, "VALUES lists must all be the same length", at));
            }
            let at = row.get(targets.len()).map_or(span, |extra| extra.span);
            width_matches(row.len(), targets.len(), insert, at)?;
            let mut bound_row = Vec::with_capacity(row.len());
            for (value, target) in row.iter().zip(targets) {
                let mut ctx = Ctx::plain(&scope, "VALUES");
                let bound = self.expr(value, &mut ctx)?;
                bound_row.push(self.assign(bound, table, *target)?);
            }
            bound_rows.push(bound_row);
        }
        Ok(bound_rows)
    }

    /// Where each column of the new facts comes from: the table's visible columns in order, then the period.
    fn origins(&mut self, table: &TableSchema, targets: &[Target], insert: &ast::Insert) -> Result<Vec<Origin>, Diag> {
        let at = insert.table.span;
        let source = |target| targets.iter().position(|candidate| *candidate == target).map(Origin::Source);
        let mut origins = Vec::with_capacity(table.columns.len() + 2);
        for (column_idx, column) in table.columns.iter().enumerate().filter(|(_, column)| !column.hidden) {
            origins.push(match source(Target::Data(column_idx)) {
                Some(origin) => origin,
                None if column.default.is_none() && !column.nullable => return Err(missing(table, column, at)),
                None => Origin::Fixed(self.column_default(column, at)?),
            });
        }
        let (from, to) = match &insert.valid {
            Some(period) => {
                if targets.iter().any(|target| matches!(target, Target::ValidFrom | Target::ValidTo)) {
                    let message = "the period is given twice: as columns and as VALID FROM";
                    return Err(Diag::new(code::SYNTAX, message, period.span));
                }
                self.period(period, "VALID FROM")?
            }
            None => (temporal::minus_infinity(at), temporal::infinity(at)),
        };
        origins.push(source(Target::ValidFrom).unwrap_or(Origin::Fixed(from)));
        origins.push(source(Target::ValidTo).unwrap_or(Origin::Fixed(to)));
        Ok(origins)
    }

    /// A value as its target takes it.
    pub(super) fn assign(&mut self, bound: Bound, table: &TableSchema, target: Target) -> Result<Expr, Diag> {
        let ty = target_type(table, target);
        let name = match target {
            Target::Data(column_idx) => table.columns[column_idx].name.as_str(),
            Target::ValidFrom => "_valid_from",
            Target::ValidTo => "_valid_to",
        };
        // Microseconds of valid time may be written as a plain number.
        if !matches!(target, Target::Data(_))
            && let (None, Some(Value::Integer(micros))) = (bound.open, super::literal::value(&bound.expr))
        {
            return Ok(Expr::constant(Value::Timestamp(Timestamp(*micros)), ty, bound.span()));
        }
        self.assign_to(bound, ty, name)
    }

    /// A value as a column of a type takes it.
    pub(super) fn assign_to(&mut self, bound: Bound, ty: Type, name: &str) -> Result<Expr, Diag> {
        if let Some(class) = bound.class()
            && !allows(class, ty.class(), Degree::Assignment)
        {
            let message = format!("column \"{name}\" is of type {} but expression is of type {class}", ty.class());
            return Err(Diag::new(code::DATATYPE_MISMATCH, message, bound.span())
                .help(format!("cast the value: CAST(... AS {})", ty.class().name().to_uppercase())));
        }
        self.coerce(bound, ty, Degree::Assignment)
    }

    fn default_of(&mut self, table: &TableSchema, column_idx: usize, span: Span) -> Result<Expr, Diag> {
        let column = &table.columns[column_idx];
        if column.default.is_none() && !column.nullable {
            return Err(missing(table, column, span));
        }
        self.column_default(column, span)
    }

    /// A column's default, or NULL. Its text was checked when the table was created; its place is where it is used.
    pub(super) fn column_default(&mut self, column: &ColumnSchema, span: Span) -> Result<Expr, Diag> {
        let Some(text) = &column.default else { return Ok(Expr::constant(Value::Null, column.ty, span)) };
        let tree = crate::parse::expr(text).map_err(|diag| Diag { span: Some(span), ..diag })?;
        let bound = self.fixed_expr(&tree, "DEFAULT").map_err(|diag| Diag { span: Some(span), ..diag })?;
        let mut expr =
            self.assign_to(bound, column.ty, &column.name).map_err(|diag| Diag { span: Some(span), ..diag })?;
        expr.walk_mut(&mut |part| part.span = span);
        Ok(expr)
    }

    pub(super) fn update(&mut self, update: &ast::Update) -> Result<Statement, Diag> {
        let table = self.existing_table(&update.table)?;
        let (node, scope, portion) = self.facts(&table, update.alias.as_ref(), &update.table, &update.portion)?;
        let node = self.where_of(node, &scope, update.filter.as_ref())?;
        let width = table.columns.len();
        let mut new: Vec<Expr> = (0..width).map(|column| node.column(column, update.table.span)).collect();
        let mut assigned = vec![false; width];
        for (name, value) in &update.assignments {
            let Some(column_idx) = table.column_idx(&name.text) else {
                if PSEUDO_COLUMNS.contains(&name.text.as_str()) {
                    let message = format!("the pseudo-column \"{}\" cannot be assigned", name.text);
                    return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, name.span)
                        .help("write UPDATE ... FOR PORTION OF VALID_TIME FROM ... TO ..."));
                }
                return Err(unknown_column_of(&table, name));
            };
            if std::mem::replace(&mut assigned[column_idx], true) {
                let message = format!("multiple assignments to same column \"{}\"", name.text);
                return Err(Diag::new(code::SYNTAX, message, name.span));
            }
            let target = Target::Data(column_idx);
            new[column_idx] = match value {
                Some(value) => {
                    let mut ctx = Ctx::plain(&scope, "UPDATE");
                    let bound = self.expr(value, &mut ctx)?;
                    self.assign(bound, &table, target)?
                }
                None => self.default_of(&table, column_idx, name.span)?,
            };
        }
        let mut columns = fact_columns(&node, width, update.table.span);
        columns.extend(table.columns.iter().zip(new).map(|(column, expr)| (column.name.clone(), expr)));
        let source = node.project(columns);
        Ok(Statement::Update { table, source: self.query_plan(source), portion })
    }

    pub(super) fn delete(&mut self, delete: &ast::Delete) -> Result<Statement, Diag> {
        let table = self.existing_table(&delete.table)?;
        let (node, scope, portion) = self.facts(&table, delete.alias.as_ref(), &delete.table, &delete.portion)?;
        let node = self.where_of(node, &scope, delete.filter.as_ref())?;
        let columns = fact_columns(&node, table.columns.len(), delete.table.span);
        let source = node.project(columns);
        Ok(Statement::Delete { table, source: self.query_plan(source), portion })
    }

    fn where_of(&mut self, node: Node, scope: &Scope, filter: Option<&ast::Expr>) -> Result<Node, Diag> {
        let Some(filter) = filter else { return Ok(node) };
        let mut ctx = Ctx::plain(scope, "WHERE");
        Ok(node.filter(self.condition(filter, &mut ctx)?))
    }

    /// The facts that an UPDATE or DELETE sees, and the part of each that changes.
    #[expect(clippy::type_complexity, reason = "the three belong together once, here")]
    fn facts(
        &mut self,
        table: &Arc<TableSchema>,
        alias: Option<&Name>,
        name: &Name,
        portion: &Portion,
    ) -> Result<(Node, Scope, Option<(Expr, Expr)>), Diag> {
        let (valid, portion) = match portion {
            Portion::Current => (ValidScope::At(temporal::now(name.span)), None),
            Portion::All(_) => (ValidScope::All, None),
            Portion::Period(period) => {
                let (from, to) = self.period(period, "FOR PORTION OF VALID_TIME")?;
                let valid = ValidScope::Range { from: from.clone(), to: to.clone(), to_included: false };
                (valid, Some((from, to)))
            }
        };
        let alias = alias.unwrap_or(name);
        let (node, scope_table) = fact_scan(table, &alias.text, valid);
        Ok((node, Scope { tables: vec![scope_table], merged: Vec::new() }, portion))
    }

    /// All columns and the period of a table's facts of every period: what COPY TO writes of a whole table.
    pub(super) fn whole_table(&mut self, table: &Arc<TableSchema>, span: Span) -> QueryPlan {
        let (node, scope_table) = from::scan(table, &table.name, SystemScope::Latest, ValidScope::All);
        let wanted = |name: &str| matches!(name, "_valid_from" | "_valid_to");
        let columns = scope_table.columns.iter().filter(|column| column.shown || wanted(&column.name));
        let columns = columns.map(|column| (column.name.clone(), column.expr(span))).collect();
        self.query_plan(node.project(columns))
    }
}

/// A scan of all columns (hidden ones too), the period, the commit, the origin and the system period.
fn fact_scan(table: &Arc<TableSchema>, alias: &str, valid: ValidScope) -> (Node, ScopeTable) {
    let extra = [
        (ScanColumn::ValidFrom, "_valid_from", Type::Timestamp),
        (ScanColumn::ValidTo, "_valid_to", Type::Timestamp),
        (ScanColumn::Commit, "_commit", Type::Integer),
        (ScanColumn::Origin, "", Type::Integer),
        (ScanColumn::SystemFrom, "_system_from", Type::Timestamp),
        (ScanColumn::SystemTo, "_system_to", Type::Timestamp),
    ];
    let data = table.columns.iter().enumerate();
    let all = data
        .map(|(column_idx, column)| {
            (ScanColumn::Data(column_idx), column.name.as_str(), column.ty, column.nullable, !column.hidden)
        })
        .chain(extra.into_iter().map(|(column, name, ty)| (column, name, ty, false, false)));
    let (mut columns, mut fields, mut scope_columns) = (Vec::new(), Vec::new(), Vec::new());
    for (column, name, ty, nullable, shown) in all {
        let is_hidden = matches!(column, ScanColumn::Data(column_idx) if table.columns[column_idx].hidden);
        if !is_hidden && !name.is_empty() {
            let place = columns.len();
            scope_columns.push(ScopeColumn {
                name: name.to_owned(),
                column: place,
                ty,
                nullable,
                shown,
                is_merged: false,
            });
        }
        let name = if name.is_empty() { "_origin" } else { name };
        columns.push(column);
        fields.push(Field { name: name.to_owned(), ty, nullable });
    }
    let scan = Scan {
        table: Arc::clone(table),
        alias: alias.to_owned(),
        columns,
        system: SystemScope::Latest,
        valid,
        keys: KeyAccess::All,
        predicates: Vec::new(),
    };
    let scope_table = ScopeTable { name: Some(alias.to_owned()), kind: table.kind, columns: scope_columns };
    (Node { kind: NodeKind::Scan(Box::new(scan)), fields }, scope_table)
}

/// The columns of a fact as it is, with its period, commit and origin.
fn fact_columns(node: &Node, width: usize, span: Span) -> Vec<(String, Expr)> {
    (0..width + 4).map(|column| (node.fields[column].name.clone(), node.column(column, span))).collect()
}

/// The names and types of the columns of new facts.
fn output_fields(table: &TableSchema) -> impl Iterator<Item = (String, Type)> + '_ {
    let visible = table.columns.iter().filter(|column| !column.hidden);
    let period = ["_valid_from", "_valid_to"].map(|name| (name.to_owned(), Type::Timestamp));
    visible.map(|column| (column.name.clone(), column.ty)).chain(period)
}

fn values_of(rows: Vec<Vec<Expr>>, origins: Vec<Origin>, table: &TableSchema) -> Node {
    let mut fields: Vec<Field> = output_fields(table).map(|(name, ty)| Field { name, ty, nullable: false }).collect();
    let mut all = Vec::with_capacity(rows.len());
    for mut row in rows {
        let mut out = Vec::with_capacity(origins.len());
        for (origin, field) in origins.iter().zip(&mut fields) {
            let expr = match origin {
                // Each column of the source has one target: it can be moved out.
                Origin::Source(column) => {
                    let span = row[*column].span;
                    std::mem::replace(&mut row[*column], super::literal::integer(0, span))
                }
                Origin::Fixed(expr) => expr.clone(),
            };
            field.nullable |= expr.nullable;
            out.push(expr);
        }
        all.push(out);
    }
    Node { kind: NodeKind::Values { rows: all }, fields }
}

/// The rows of a query that is nothing but VALUES.
fn plain_values(query: &ast::Query) -> Option<&[Vec<ast::Expr>]> {
    let is_plain =
        query.with.is_empty() && query.order_by.is_empty() && query.limit.is_none() && query.offset.is_none();
    match &query.body {
        SetExpr::Values { rows, .. } if is_plain => Some(rows),
        SetExpr::Values { .. } | SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::SetOp { .. } => None,
    }
}

/// The targets of a list of names.
pub(super) fn named_targets(table: &TableSchema, names: &[Name]) -> Result<Vec<Target>, Diag> {
    let mut targets = Vec::with_capacity(names.len());
    for name in names {
        let target = match (table.column_idx(&name.text), name.text.as_str()) {
            (Some(column_idx), _) => Target::Data(column_idx),
            (None, "_valid_from") => Target::ValidFrom,
            (None, "_valid_to") => Target::ValidTo,
            (None, "_commit" | "_system_from" | "_system_to") => {
                let message = format!("the pseudo-column \"{}\" cannot be written: the database decides", name.text);
                return Err(Diag::new(code::RESERVED_NAME, message, name.span));
            }
            (None, _) => return Err(unknown_column_of(table, name)),
        };
        if targets.contains(&target) {
            let message = format!("column \"{}\" specified more than once", name.text);
            return Err(Diag::new(code::DUPLICATE_COLUMN, message, name.span));
        }
        targets.push(target);
    }
    Ok(targets)
}

fn target_type(table: &TableSchema, target: Target) -> Type {
    match target {
        Target::Data(column_idx) => table.columns[column_idx].ty,
        Target::ValidFrom | Target::ValidTo => Type::Timestamp,
    }
}

/// As many values as targets; without a list of columns, fewer values leave the last columns to their defaults.
fn width_matches(given: usize, wanted: usize, insert: &ast::Insert, span: Span) -> Result<(), Diag> {
    if given > wanted {
        let message = "INSERT has more expressions than target columns";
        return Err(Diag::new(code::SYNTAX, message, span).help(format!("it has {wanted} target columns")));
    }
    if given < wanted && !insert.columns.is_empty() {
        let message = "INSERT has more target columns than expressions";
        return Err(Diag::new(code::SYNTAX, message, insert.columns[given].span));
    }
    Ok(())
}

/// The error that a column gets no value and must have one.
pub(super) fn missing(table: &TableSchema, column: &ColumnSchema, span: Span) -> Diag {
    let message =
        format!("null value in column \"{}\" of table \"{}\" violates not-null constraint", column.name, table.name);
    Diag::new(code::NOT_NULL, message, span).help(format!("give \"{}\" a value", column.name))
}
