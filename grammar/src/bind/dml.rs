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
    from::{self, Source},
    returning::Sides,
    scope::{PSEUDO_COLUMNS, Scope, ScopeColumn, ScopeTable, unknown_column_of},
    temporal,
};
use crate::{
    ast::{self, Literal, Literals, Name, Portion, Rows, SetExpr},
    diag::{Diag, code},
    plan::{
        Conflict, EraseFrom, Expr, Field, KeyAccess, Node, NodeKind, QueryPlan, Scan, ScanColumn, Statement,
        SystemScope, ValidScope,
    },
    span::Span,
};
use spectradb_kernel::{
    Column, Type, Value,
    column::ColumnBuilder,
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
pub(super) enum Origin {
    /// From this column of the source.
    Source(usize),
    /// The same for all rows.
    Fixed(Expr),
}

/// The period, the commit and the origin stand behind a fact's columns.
pub(super) const FACT_EXTRA: usize = 4;

/// What RETURNING tells of a fact as it was besides its values.
pub(super) const OLD_EXTRA: [(&str, Type); 3] =
    [("_valid_from", Type::Timestamp), ("_valid_to", Type::Timestamp), ("_commit", Type::Integer)];

/// What the row that could not be inserted is called.
const EXCLUDED: &str = "excluded";

impl Binder<'_> {
    pub(super) fn insert(&mut self, insert: &ast::Insert) -> Result<Statement, Diag> {
        let table = self.writable_table(&insert.table)?;
        let source = self.new_facts(&table, insert)?;
        let source = self.query_plan(source)?;
        let alias = insert.alias.as_ref().unwrap_or(&insert.table);
        let updates = insert.on_conflict.as_ref().is_some_and(|conflict| conflict.update.is_some());
        let sides = if updates { Sides::Updated } else { Sides::Inserted };
        let sides = self.asked_sides(insert.returning.as_ref(), sides);
        let conflict = match &insert.on_conflict {
            Some(conflict) => Some(self.on_conflict(conflict, &table, alias, sides)?),
            None => None,
        };
        // A row that is new has no old values.
        let old: Vec<Field> = if sides == Sides::Updated { old_fields(&table).collect() } else { Vec::new() };
        let returning = self.returning(insert.returning.as_ref(), &table, alias, Scope::default(), &old, sides)?;
        Ok(Statement::Insert { table, source, conflict, returning })
    }

    /// The rows of an INSERT.
    fn new_facts(&mut self, table: &Arc<TableSchema>, insert: &ast::Insert) -> Result<Node, Diag> {
        if !insert.subscripts.is_empty() {
            return self.facts_in_parts(table, insert);
        }
        let mut targets = named_targets(table, &insert.columns)?;
        let plain_values = insert.source.as_ref().and_then(plain_values);
        let width = match (&plain_values, &insert.source) {
            (Some(rows), _) => rows.first_width(),
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
        let types: Vec<Type> = targets.iter().map(|target| target_type(table, *target)).collect();
        Ok(match (plain_values, &insert.source) {
            (Some(rows), Some(query)) => {
                let constants = match rows {
                    Rows::Literals(literals) => self.constants(literals, table, &targets, insert, query.span)?,
                    Rows::Trees(_) => None,
                };
                let origins = |binder: &mut Self| {
                    certainly_given(table, &targets, insert.table.span)?;
                    binder.origins(table, &targets, insert.valid.as_ref(), insert.table.span)
                };
                match constants {
                    Some(node) => {
                        let origins = origins(self)?;
                        let columns = output_fields(table).zip(origins).map(|((name, _), origin)| match origin {
                            Origin::Source(column) => (name, node.column(column, query.span)),
                            Origin::Fixed(expr) => (name, expr),
                        });
                        let columns = columns.collect();
                        node.project(columns)
                    }
                    None => {
                        let rows = self.written_values(&rows.trees(), table, &targets, insert, query.span)?;
                        values_of(rows, origins(self)?, table)
                    }
                }
            }
            (None, Some(query)) => {
                let node = self.query(query, Some(&types))?;
                if insert.columns.is_empty() {
                    targets.truncate(node.fields.len());
                }
                width_matches(node.fields.len(), targets.len(), &insert.columns, query.span)?;
                let origins = self.origins(table, &targets, insert.valid.as_ref(), insert.table.span)?;
                let mut assigned = Vec::with_capacity(targets.len());
                for (column, target) in targets.iter().enumerate() {
                    assigned.push(self.assign(Bound::known(node.column(column, query.span)), table, *target)?);
                }
                facts_of(node, assigned, origins, table)
            }
            (_, None) => {
                certainly_given(table, &[], insert.table.span)?;
                let origins = self.origins(table, &[], insert.valid.as_ref(), insert.table.span)?;
                values_of(vec![Vec::new()], origins, table)
            }
        })
    }

    /// The rows of VALUES by columns, each value assigned to its target; `None` where a value is no constant.
    fn constants(
        &mut self,
        literals: &Literals,
        table: &TableSchema,
        targets: &[Target],
        insert: &ast::Insert,
        span: Span,
    ) -> Result<Option<Node>, Diag> {
        let scope = Scope::default();
        let types: Vec<Type> = targets.iter().map(|target| target_type(table, *target)).collect();
        let mut builders: Vec<ColumnBuilder> = types.iter().map(|ty| ColumnBuilder::new(*ty)).collect();
        let mut first_width = None;
        for row in literals.rows() {
            if row.len() != *first_width.get_or_insert(row.len()) {
                let at = literals.tree(row.start).span;
                return Err(Diag::new(code::SYNTAX, "VALUES lists must all be the same length", at));
            }
            if row.len() != targets.len() {
                let at = row.clone().nth(targets.len()).map_or(span, |extra| literals.tree(extra).span);
                width_matches(row.len(), targets.len(), &insert.columns, at)?;
            }
            for ((place, target), builder) in row.zip(targets).zip(&mut builders) {
                let ty = builder.ty();
                match (literals.literal(place), ty) {
                    (Literal::Null, _) if !matches!(target, Target::Data(_)) => {
                        return Err(null_end(literals.tree(place).span));
                    }
                    (Literal::Null, _) => builder.push_null(),
                    (Literal::Text(text), Type::Text) => builder.push_text(text),
                    (Literal::Number(digits), Type::Integer) if digits.parse::<i64>().is_ok() => {
                        builder.push(&Value::Integer(digits.parse().expect("it was parsed")));
                    }
                    (Literal::Number(_) | Literal::Text(_) | Literal::Other, _) => {
                        let expr = self.inserted(&literals.tree(place), table, *target, &scope)?;
                        match super::literal::value(&expr) {
                            Some(value) => builder.push(value),
                            None => return Ok(None),
                        }
                    }
                }
            }
        }
        let row_count = literals.rows().len();
        let columns: Vec<Column> = builders.into_iter().map(ColumnBuilder::finish).collect();
        let fields = columns.iter().zip(targets).map(|(column, target)| Field {
            name: match target {
                Target::Data(column_idx) => table.columns[*column_idx].name.clone(),
                Target::ValidFrom => "_valid_from".to_owned(),
                Target::ValidTo => "_valid_to".to_owned(),
            },
            ty: column.ty(),
            nullable: column.has_nulls(),
        });
        let fields = fields.collect();
        Ok(Some(Node { kind: NodeKind::Constants { columns, row_count }, fields }))
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
            width_matches(row.len(), targets.len(), &insert.columns, at)?;
            let mut bound_row = Vec::with_capacity(row.len());
            for (value, target) in row.iter().zip(targets) {
                bound_row.push(self.inserted(value, table, *target, &scope)?);
            }
            bound_rows.push(bound_row);
        }
        Ok(bound_rows)
    }

    /// Where each column of the new facts comes from: the table's visible columns in order, then the period.
    pub(super) fn origins(
        &mut self,
        table: &TableSchema,
        targets: &[Target],
        valid: Option<&ast::ValidPeriod>,
        at: Span,
    ) -> Result<Vec<Origin>, Diag> {
        let source = |target| targets.iter().position(|candidate| *candidate == target).map(Origin::Source);
        let mut origins = Vec::with_capacity(table.columns.len() + 2);
        for (column_idx, column) in table.columns.iter().enumerate().filter(|(_, column)| !column.hidden) {
            origins.push(match source(Target::Data(column_idx)) {
                Some(origin) => origin,
                None => Origin::Fixed(self.column_default(column, at)?),
            });
        }
        let (from, to) = match valid {
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

    /// A value of a new row: an expression, or DEFAULT.
    pub(super) fn inserted(
        &mut self,
        value: &ast::Expr,
        table: &TableSchema,
        target: Target,
        scope: &Scope,
    ) -> Result<Expr, Diag> {
        if value.kind == ast::ExprKind::Default {
            return match target {
                Target::Data(column_idx) => self.default_of(table, column_idx, value.span),
                Target::ValidFrom => Ok(temporal::minus_infinity(value.span)),
                Target::ValidTo => Ok(temporal::infinity(value.span)),
            };
        }
        let mut ctx = Ctx::plain(scope, "VALUES");
        let bound = self.expr(value, &mut ctx)?;
        self.assign(bound, table, target)
    }

    /// A value as its target takes it.
    pub(super) fn assign(&mut self, bound: Bound, table: &TableSchema, target: Target) -> Result<Expr, Diag> {
        let ty = target_type(table, target);
        let name = match target {
            Target::Data(column_idx) => table.columns[column_idx].name.as_str(),
            Target::ValidFrom => "_valid_from",
            Target::ValidTo => "_valid_to",
        };
        if !matches!(target, Target::Data(_)) && matches!(super::literal::value(&bound.expr), Some(Value::Null)) {
            return Err(null_end(bound.span()));
        }
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

    pub(super) fn default_of(&mut self, table: &TableSchema, column_idx: usize, span: Span) -> Result<Expr, Diag> {
        self.column_default(&table.columns[column_idx], span)
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
        let table = self.writable_table(&update.table)?;
        let alias = update.alias.as_ref().unwrap_or(&update.table);
        let (target, mut portion) = self.facts(&table, alias, &update.portion)?;
        let Source { node, scope, .. } = self.followed(target, &update.from)?;
        let node = self.where_of(node, &scope, update.filter.as_ref())?;
        let at = update.table.span;
        let new = self.assigned(&update.assignments, &table, &node, &scope, at)?;
        let mut columns = fact_columns(&node, table.columns.len(), at);
        columns.extend(table.columns.iter().zip(new).map(|(column, expr)| (column.name.clone(), expr)));
        let (others, mut extra) = match &update.returning {
            Some(_) => others(&node, scope, FACT_EXTRA + table.columns.len(), at),
            None => (Scope::default(), Vec::new()),
        };
        let sides = self.asked_sides(update.returning.as_ref(), Sides::Updated);
        if sides == Sides::Updated {
            extra.extend(old_values(&table, &node, at));
        }
        let fields: Vec<Field> = extra.iter().map(|(name, expr)| named_field(name, expr)).collect();
        columns.extend(extra);
        let source = node.project(columns);
        let source = self.source_plan(source, &mut portion)?;
        let returning = self.returning(update.returning.as_ref(), &table, alias, others, &fields, sides)?;
        Ok(Statement::Update { table, source, portion, joined: !update.from.is_empty(), returning })
    }

    pub(super) fn delete(&mut self, delete: &ast::Delete) -> Result<Statement, Diag> {
        let table = self.writable_table(&delete.table)?;
        let alias = delete.alias.as_ref().unwrap_or(&delete.table);
        let (target, mut portion) = self.facts(&table, alias, &delete.portion)?;
        let Source { node, scope, .. } = self.followed(target, &delete.using)?;
        let node = self.where_of(node, &scope, delete.filter.as_ref())?;
        let at = delete.table.span;
        let mut columns = fact_columns(&node, table.columns.len(), at);
        let (others, mut extra) = match &delete.returning {
            Some(_) => others(&node, scope, FACT_EXTRA + table.columns.len(), at),
            None => (Scope::default(), Vec::new()),
        };
        let sides = self.asked_sides(delete.returning.as_ref(), Sides::Deleted);
        if sides == Sides::Deleted {
            extra.extend(old_values(&table, &node, at));
        }
        let fields: Vec<Field> = extra.iter().map(|(name, expr)| named_field(name, expr)).collect();
        columns.extend(extra);
        let source = node.project(columns);
        let source = self.source_plan(source, &mut portion)?;
        let returning = self.returning(delete.returning.as_ref(), &table, alias, others, &fields, sides)?;
        Ok(Statement::Delete { table, source, portion, joined: !delete.using.is_empty(), returning })
    }

    /// Each table that has or had the name, with the condition as it means there.
    pub(super) fn erase(&mut self, name: &Name, alias: Option<&Name>, filter: &ast::Expr) -> Result<Statement, Diag> {
        let dropped = self.catalog.dropped_tables(&name.text);
        let mut tables = Vec::with_capacity(dropped.len() + 1);
        if dropped.is_empty() || self.catalog.table(&name.text).is_some() {
            let table = self.writable_table(name)?;
            tables.push(self.erase_from(table, false, alias.unwrap_or(name), filter)?);
        }
        for table in dropped {
            let erase = self.erase_from(table, true, alias.unwrap_or(name), filter);
            tables.push(erase.map_err(|diag| {
                let message = format!("{}: asked of a dropped table \"{}\", which ERASE reaches too", diag.message, name.text);
                Diag { message, ..diag }.help(
                    "name what every table of this name had, perhaps the keys alone: WHERE key IN (SELECT key FROM .. WHERE ..)",
                )
            })?);
        }
        Ok(Statement::Erase { tables })
    }

    /// The condition is asked of every version of both times; what comes out are keys, some of them many times.
    fn erase_from(
        &mut self,
        table: Arc<TableSchema>,
        is_dropped: bool,
        alias: &Name,
        filter: &ast::Expr,
    ) -> Result<EraseFrom, Diag> {
        let mut keys_of = |node: Node, scope_table: ScopeTable| {
            let Source { node, scope, .. } = Source::of_table(node, scope_table);
            let node = self.where_of(node, &scope, Some(filter))?;
            let columns = fact_columns(&node, table.columns.len(), alias.span);
            let keys = table.key.iter().map(|column_idx| columns[*column_idx].clone()).collect();
            self.query_plan(node.project(keys))
        };
        let (mut node, scope_table) = fact_scan(&table, &alias.text, ValidScope::All);
        if let NodeKind::Scan(scan) = &mut node.kind {
            scan.system = SystemScope::All;
        }
        let of_log = given(node.fields.clone());
        let source = keys_of(node, scope_table)?;
        let (_, scope_table) = fact_scan(&table, &alias.text, ValidScope::All);
        let stated = keys_of(of_log, scope_table)?;
        Ok(EraseFrom { table, is_dropped, source, stated })
    }

    pub(super) fn truncate(&mut self, names: &[Name]) -> Result<Statement, Diag> {
        let mut tables: Vec<(Arc<TableSchema>, QueryPlan)> = Vec::with_capacity(names.len());
        for name in names {
            let table = self.writable_table(name)?;
            if tables.iter().any(|(earlier, _)| earlier.name == table.name) {
                continue;
            }
            let (node, _) = fact_scan(&table, &name.text, ValidScope::All);
            let columns = fact_columns(&node, table.columns.len(), name.span);
            let source = node.project(columns);
            tables.push((table, self.query_plan(source)?));
        }
        Ok(Statement::Truncate { tables })
    }

    /// What becomes of new facts whose key is taken.
    fn on_conflict(
        &mut self,
        conflict: &ast::OnConflict,
        table: &Arc<TableSchema>,
        alias: &Name,
        sides: Sides,
    ) -> Result<Conflict, Diag> {
        if let Some((columns, span)) = &conflict.target {
            let mut named = Vec::with_capacity(columns.len());
            for name in columns {
                named.push(table.column_idx(&name.text).ok_or_else(|| unknown_column_of(table, name))?);
            }
            if named.len() != table.key.len() || !table.key.iter().all(|key| named.contains(key)) {
                let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
                let key: Vec<&str> = table.key.iter().map(|key| table.columns[*key].name.as_str()).collect();
                let diag = Diag::new(code::INVALID_COLUMN_REFERENCE, message, *span);
                return Err(match table.columns[table.key[0]].hidden {
                    true => diag.help(format!("the table \"{}\" has no key", table.name)),
                    false => diag.help(format!("the key is ({})", key.join(", "))),
                });
            }
        }
        let Some(update) = &conflict.update else { return Ok(Conflict::Nothing) };
        if alias.text == EXCLUDED {
            let message = format!("table name \"{EXCLUDED}\" specified more than once");
            return Err(Diag::new(code::DUPLICATE_ALIAS, message, alias.span).help("give the table an alias"));
        }
        let width = table.columns.len();
        let (scanned, mut target) = fact_scan(table, &alias.text, ValidScope::All);
        let mut fields = scanned.fields;
        fields.truncate(width + FACT_EXTRA);
        target.columns.retain(|column| column.column < width + FACT_EXTRA);
        let first = fields.len();
        fields.extend(output_fields(table).map(|(name, ty)| Field { name, ty, nullable: true }));
        let last = fields.len();
        fields.push(Field { name: "?row?".to_owned(), ty: Type::Integer, nullable: false });
        let columns = fields[first..last].iter().enumerate().map(|(at, field)| ScopeColumn {
            name: field.name.clone(),
            column: first + at,
            ty: field.ty,
            nullable: field.nullable,
            shown: !PSEUDO_COLUMNS.contains(&field.name.as_str()),
            is_merged: false,
        });
        let excluded = ScopeTable {
            name: Some(EXCLUDED.to_owned()),
            kind: table.kind,
            columns: columns.collect(),
            key: Vec::new(),
        };
        let scope = Scope { tables: vec![target, excluded], merged: Vec::new() };
        let node = self.where_of(given(fields), &scope, update.filter.as_ref())?;
        let at = conflict.span;
        let new = self.assigned(&update.assignments, table, &node, &scope, at)?;
        let mut columns = fact_columns(&node, width, at);
        columns.extend(table.columns.iter().zip(new).map(|(column, expr)| (column.name.clone(), expr)));
        if sides == Sides::Updated {
            columns.extend(old_values(table, &node, at));
        }
        let shared = last - 2..node.fields.len();
        columns.extend(shared.map(|column| (node.fields[column].name.clone(), node.column(column, at))));
        let plan = node.project(columns);
        Ok(Conflict::Update(Box::new(self.query_plan(plan)?)))
    }

    pub(super) fn where_of(&mut self, node: Node, scope: &Scope, filter: Option<&ast::Expr>) -> Result<Node, Diag> {
        let Some(filter) = filter else { return Ok(node) };
        let mut ctx = Ctx::plain(scope, "WHERE");
        Ok(node.filter(self.condition(filter, &mut ctx)?))
    }

    /// The facts that an UPDATE or DELETE sees, and the part of each that changes.
    pub(super) fn facts(
        &mut self,
        table: &Arc<TableSchema>,
        alias: &Name,
        portion: &Portion,
    ) -> Result<(Source, Option<(Expr, Expr)>), Diag> {
        let (valid, portion) = match portion {
            Portion::Current => (ValidScope::At(temporal::now(alias.span)), None),
            Portion::All(_) => (ValidScope::All, None),
            Portion::Period(period) => {
                let (from, to) = self.period(period, "FOR PORTION OF VALID_TIME")?;
                let valid = ValidScope::Range { from: from.clone(), to: to.clone(), to_included: false };
                (valid, Some((from, to)))
            }
        };
        let (node, scope_table) = fact_scan(table, &alias.text, valid);
        Ok((Source::of_table(node, scope_table), portion))
    }

    /// All columns and the period of a table's facts of every period: what COPY TO writes of a whole table.
    pub(super) fn whole_table(&mut self, table: &Arc<TableSchema>, span: Span) -> QueryPlan {
        let (node, scope_table) = from::scan(table, &table.name, SystemScope::Latest, ValidScope::All);
        let wanted = |name: &str| matches!(name, "_valid_from" | "_valid_to");
        let columns = scope_table.columns.iter().filter(|column| column.shown || wanted(&column.name));
        let columns = columns.map(|column| (column.name.clone(), column.expr(span))).collect();
        QueryPlan { root: node.project(columns), subplans: Vec::new() }
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
    let scope_table =
        ScopeTable { name: Some(alias.to_owned()), kind: table.kind, columns: scope_columns, key: Vec::new() };
    (Node { kind: NodeKind::Scan(Box::new(scan)), fields }, scope_table)
}

/// The columns of a fact as it is, with its period, commit and origin.
pub(super) fn fact_columns(node: &Node, width: usize, span: Span) -> Vec<(String, Expr)> {
    (0..width + FACT_EXTRA).map(|column| (node.fields[column].name.clone(), node.column(column, span))).collect()
}

/// What a join brings besides the target's columns: its tables, their columns counted from 0, and the columns themselves.
/// The target is the scope's first table.
pub(super) fn others(node: &Node, mut scope: Scope, target_width: usize, span: Span) -> (Scope, Vec<(String, Expr)>) {
    // The scan of the target gives its system period besides.
    let first = target_width + 2;
    scope.tables.remove(0);
    for column in scope.tables.iter_mut().flat_map(|table| &mut table.columns) {
        column.column -= first;
    }
    for merged in &mut scope.merged {
        merged.expr.map_columns(&mut |column| column - first);
    }
    let columns =
        (first..node.fields.len()).map(|column| (node.fields[column].name.clone(), node.column(column, span)));
    (scope, columns.collect())
}

/// The values that the facts of a table have before a statement, their stored periods and their commits. They are the
/// node's first columns.
pub(super) fn old_values<'t>(
    table: &'t TableSchema,
    node: &'t Node,
    span: Span,
) -> impl Iterator<Item = (String, Expr)> + 't {
    let visible = table.columns.iter().enumerate().filter(|(_, column)| !column.hidden);
    let width = table.columns.len();
    let values = visible.map(move |(at, column)| (column.name.clone(), node.column(at, span)));
    values.chain((0..OLD_EXTRA.len()).map(move |at| (OLD_EXTRA[at].0.to_owned(), node.column(width + at, span))))
}

/// The fields of [`old_values`] of rows that may be new.
pub(super) fn old_fields(table: &TableSchema) -> impl Iterator<Item = Field> + '_ {
    let visible = table.columns.iter().filter(|column| !column.hidden).map(|column| (column.name.as_str(), column.ty));
    visible.chain(OLD_EXTRA).map(|(name, ty)| Field { name: name.to_owned(), ty, nullable: true })
}

pub(super) fn named_field(name: &str, expr: &Expr) -> Field {
    Field { name: name.to_owned(), ty: expr.ty, nullable: expr.nullable }
}

/// Rows that are handed in, with all these columns.
pub(super) fn given(fields: Vec<Field>) -> Node {
    Node { kind: NodeKind::Given { change: None, columns: (0..fields.len()).collect() }, fields }
}

/// The names and types of the columns of new facts.
pub(super) fn output_fields(table: &TableSchema) -> impl Iterator<Item = (String, Type)> + '_ {
    let visible = table.columns.iter().filter(|column| !column.hidden);
    let period = ["_valid_from", "_valid_to"].map(|name| (name.to_owned(), Type::Timestamp));
    visible.map(|column| (column.name.clone(), column.ty)).chain(period)
}

pub(super) fn values_of(rows: Vec<Vec<Expr>>, origins: Vec<Origin>, table: &TableSchema) -> Node {
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

fn null_end(span: Span) -> Diag {
    Diag::new(code::NULL_NOT_ALLOWED, "an end of a valid period is NULL", span)
        .help("use '-infinity' and 'infinity' for open ends")
}

/// The rows of a query that is nothing but VALUES.
pub(super) fn plain_values(query: &ast::Query) -> Option<&Rows> {
    let is_plain =
        query.with.is_empty() && query.order_by.is_empty() && query.limit.is_none() && query.offset.is_none();
    match &query.body {
        SetExpr::Values { rows, .. } if is_plain => Some(rows),
        SetExpr::Values { .. }
        | SetExpr::Select(_)
        | SetExpr::Query(_)
        | SetExpr::Summarize { .. }
        | SetExpr::SetOp { .. } => None,
    }
}

/// The facts whose columns come from what was assigned or are the same for all.
pub(super) fn facts_of(node: Node, assigned: Vec<Expr>, origins: Vec<Origin>, table: &TableSchema) -> Node {
    let columns = output_fields(table).zip(origins).map(|((name, _), origin)| {
        let expr = match origin {
            Origin::Source(column) => assigned[column].clone(),
            Origin::Fixed(expr) => expr,
        };
        (name, expr)
    });
    let columns = columns.collect();
    node.project(columns)
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

pub(super) fn target_type(table: &TableSchema, target: Target) -> Type {
    match target {
        Target::Data(column_idx) => table.columns[column_idx].ty,
        Target::ValidFrom | Target::ValidTo => Type::Timestamp,
    }
}

/// As many values as targets; without a list of columns, fewer values leave the last columns to their defaults.
pub(super) fn width_matches(given: usize, wanted: usize, columns: &[Name], span: Span) -> Result<(), Diag> {
    if given > wanted {
        let message = "INSERT has more expressions than target columns";
        return Err(Diag::new(code::SYNTAX, message, span).help(format!("it has {wanted} target columns")));
    }
    if given < wanted && !columns.is_empty() {
        let message = "INSERT has more target columns than expressions";
        return Err(Diag::new(code::SYNTAX, message, columns[given].span));
    }
    Ok(())
}

/// Of what certainly has rows, every column that must have a value gets one: told with its place, and where a statement is
/// compiled before it runs. Whatever may have no rows is asked row by row, when it is carried out.
fn certainly_given(table: &TableSchema, targets: &[Target], at: Span) -> Result<(), Diag> {
    let visible = table.columns.iter().enumerate().filter(|(_, column)| !column.hidden);
    for (column_idx, column) in visible {
        if column.default.is_none() && !column.nullable && !targets.contains(&Target::Data(column_idx)) {
            let message = format!(
                "null value in column \"{}\" of table \"{}\" violates not-null constraint",
                column.name, table.name
            );
            return Err(Diag::new(code::NOT_NULL, message, at).help(format!("give \"{}\" a value", column.name)));
        }
    }
    Ok(())
}
