//! What do CREATE TABLE, CREATE TABLE AS and DROP TABLE make and unmake?
//!
//! A table whose only column is `pk TEXT PRIMARY KEY` is a document table and has `doc JSON` besides. A table without a key
//! gets a hidden INTEGER column that numbers its rows. Names of pseudo-columns are reserved.

use super::{Binder, constant, scope::PSEUDO_COLUMNS, temporal, types};
use crate::{
    ast::{self, Name},
    diag::{Diag, code, nearest},
    plan::{ExprKind, Statement},
};
use spectradb_kernel::{
    Type, Value,
    schema::{ColumnId, ColumnSchema, TableId, TableKind, TableSchema},
};

/// The column that numbers the rows of a table without a key.
const ROW_NUMBER: &str = "_rowid";

/// As many columns as PostgreSQL's tables have at most.
const COLUMNS_MAX: usize = 1_600;

/// Names of so many bytes are too long to be meant.
const NAME_BYTES_MAX: usize = 255;

impl Binder<'_> {
    pub(super) fn create_table(&mut self, create: &ast::CreateTable) -> Result<Statement, Diag> {
        let exists = self.catalog.table(&create.name.text).is_some();
        if exists && !create.if_not_exists {
            let message = format!("table \"{}\" already exists", create.name.text);
            return Err(Diag::new(code::DUPLICATE_TABLE, message, create.name.span)
                .help("write CREATE TABLE IF NOT EXISTS to leave it as it is"));
        }
        name_fits(&create.name)?;
        if create.columns.len() > COLUMNS_MAX {
            let message = format!("a table has at most {COLUMNS_MAX} columns");
            return Err(Diag::new(code::LIMIT_EXCEEDED, message, create.columns[COLUMNS_MAX].name.span));
        }
        let mut columns: Vec<ColumnSchema> = Vec::with_capacity(create.columns.len() + 1);
        for column in &create.columns {
            let bound = self.column_def(column, &columns)?;
            columns.push(bound);
        }
        let key = key_of(create, &columns)?;
        for column_idx in &key {
            columns[*column_idx].nullable = false;
        }
        let mut kind = TableKind::Typed;
        let mut key = key;
        if key.is_empty() {
            key.push(columns.len());
            columns.push(row_number(columns.len()));
        } else if let [only] = columns.as_slice()
            && only.name == "pk"
            && only.ty == Type::Text
        {
            kind = TableKind::Document;
            columns.push(ColumnSchema {
                id: ColumnId(1),
                name: "doc".to_owned(),
                ty: Type::Json,
                nullable: true,
                default: None,
                hidden: false,
            });
        }
        let table = TableSchema { id: TableId(0), name: create.name.text.clone(), version: 0, kind, columns, key };
        Ok(Statement::CreateTable { table, if_not_exists: create.if_not_exists, exists })
    }

    pub(super) fn create_table_as(&mut self, create: &ast::CreateTableAs) -> Result<Statement, Diag> {
        let name = &create.name;
        let exists = self.catalog.table(&name.text).is_some();
        if exists && !create.if_not_exists {
            let message = format!("table \"{}\" already exists", name.text);
            return Err(Diag::new(code::DUPLICATE_TABLE, message, name.span)
                .help("write CREATE TABLE IF NOT EXISTS to leave it as it is"));
        }
        name_fits(name)?;
        let node = self.query(&create.query, None)?;
        let span = create.query.span;
        if create.columns.len() > node.fields.len() {
            let message = "too many column names were specified";
            return Err(Diag::new(code::SYNTAX, message, create.columns[node.fields.len()].span)
                .help(format!("the query gives {}", node.fields.len())));
        }
        let mut columns: Vec<ColumnSchema> = Vec::with_capacity(node.fields.len() + 1);
        let mut data = Vec::with_capacity(node.fields.len() + 2);
        let (mut from, mut to) = (temporal::minus_infinity(span), temporal::infinity(span));
        for (at, field) in node.fields.iter().enumerate() {
            let (text, span) = match create.columns.get(at) {
                Some(name) => (name.text.clone(), name.span),
                None => (field.name.clone(), span),
            };
            let expr = node.column(at, span);
            // A period that the query gives is the facts' own, as in COPY.
            match text.as_str() {
                "_valid_from" if field.ty == Type::Timestamp => from = expr,
                "_valid_to" if field.ty == Type::Timestamp => to = expr,
                _ => {
                    column_name_fits(&Name { text: text.clone(), span }, &columns)?;
                    columns.push(ColumnSchema {
                        id: ColumnId(columns.len() as u32),
                        name: text.clone(),
                        ty: field.ty,
                        nullable: true,
                        default: None,
                        hidden: false,
                    });
                    data.push((text, expr));
                }
            }
        }
        if columns.len() > COLUMNS_MAX {
            return Err(Diag::new(code::LIMIT_EXCEEDED, format!("a table has at most {COLUMNS_MAX} columns"), span));
        }
        data.extend([("_valid_from".to_owned(), from), ("_valid_to".to_owned(), to)]);
        let plan = node.project(data);
        let source = self.query_plan(plan)?;
        let key = vec![columns.len()];
        columns.push(row_number(columns.len()));
        let table =
            TableSchema { id: TableId(0), name: name.text.clone(), version: 0, kind: TableKind::Typed, columns, key };
        Ok(Statement::CreateTableAs { table, exists, source: create.with_data.then_some(source) })
    }

    fn column_def(&mut self, column: &ast::ColumnDef, earlier: &[ColumnSchema]) -> Result<ColumnSchema, Diag> {
        let name = &column.name;
        column_name_fits(name, earlier)?;
        types::refuse_fields(&column.ty)?;
        let ty = types::written(&column.ty)?;
        let default = match &column.default {
            None => None,
            Some(default) => {
                let bound = self.fixed_expr(default, "DEFAULT")?;
                let has_params = bound.expr.any(&mut |part| matches!(part.kind, ExprKind::Param(_)));
                if has_params {
                    let message = "a DEFAULT takes no parameters";
                    return Err(Diag::new(code::UNDEFINED_PARAMETER, message, default.span));
                }
                self.assign_to(bound, ty, &name.text)?;
                Some(default.span.of(self.sql).to_owned())
            }
        };
        Ok(ColumnSchema {
            id: ColumnId(earlier.len() as u32),
            name: name.text.clone(),
            ty,
            nullable: !column.not_null,
            default,
            hidden: false,
        })
    }

    /// A time that has one length: what counts months has not.
    pub(super) fn set_retention(&mut self, name: &Name, retention: Option<&ast::Expr>) -> Result<Statement, Diag> {
        let table = self.writable_table(name)?;
        let Some(written) = retention else { return Ok(Statement::SetRetention { table, retention: None }) };
        let bound = constant::fold(self.fixed_expr(written, "SET RETENTION")?.expr);
        let ExprKind::Const(Value::Interval(interval)) = bound.kind else {
            let message = "the retention is no interval";
            return Err(
                Diag::new(code::INVALID_DATETIME, message, written.span).help("write 90d or INTERVAL '90 days'")
            );
        };
        let refused = |message: &str| Diag::new(code::INVALID_PARAMETER, message, written.span);
        if interval.months() != 0 {
            let message = "months and years differ in length, and a retention has one";
            return Err(refused(message).help("count days: 90d, INTERVAL '90 days'"));
        }
        match i64::try_from(interval.span()) {
            Ok(micros) if micros >= 0 => Ok(Statement::SetRetention { table, retention: Some(micros) }),
            Ok(_) => Err(refused("a retention cannot be negative").help("0d keeps no history, NONE keeps all")),
            Err(_) => Err(refused("the retention is too long").help("NONE keeps history for ever")),
        }
    }

    pub(super) fn drop_table(&mut self, names: &[Name], if_exists: bool) -> Result<Statement, Diag> {
        let mut tables: Vec<std::sync::Arc<TableSchema>> = Vec::with_capacity(names.len());
        for name in names {
            if if_exists && self.catalog.table(&name.text).is_none() {
                continue;
            }
            let table = self.writable_table(name)?;
            if tables.iter().all(|earlier| earlier.name != table.name) {
                tables.push(table);
            }
        }
        Ok(Statement::DropTable { tables })
    }
}

fn name_fits(name: &Name) -> Result<(), Diag> {
    if name.text.is_empty() {
        return Err(Diag::new(code::SYNTAX, "a name must not be empty", name.span));
    }
    if name.text.len() > NAME_BYTES_MAX {
        let message = format!("a name has at most {NAME_BYTES_MAX} bytes");
        return Err(Diag::new(code::NAME_TOO_LONG, message, name.span));
    }
    Ok(())
}

/// May a column be called so, behind these?
fn column_name_fits(name: &Name, earlier: &[ColumnSchema]) -> Result<(), Diag> {
    name_fits(name)?;
    if PSEUDO_COLUMNS.contains(&name.text.as_str()) || name.text == ROW_NUMBER {
        let message = format!("the column name \"{}\" is reserved", name.text);
        return Err(Diag::new(code::RESERVED_NAME, message, name.span)
            .help("every table has pseudo-columns of these names; choose another one"));
    }
    if earlier.iter().any(|earlier| earlier.name == name.text) {
        let message = format!("column \"{}\" specified more than once", name.text);
        return Err(Diag::new(code::DUPLICATE_COLUMN, message, name.span));
    }
    Ok(())
}

/// The hidden column that numbers the rows of a table without a key.
fn row_number(at: usize) -> ColumnSchema {
    ColumnSchema {
        id: ColumnId(at as u32),
        name: ROW_NUMBER.to_owned(),
        ty: Type::Integer,
        nullable: false,
        default: None,
        hidden: true,
    }
}

/// The positions of the key's columns, in key order; empty where none is declared.
fn key_of(create: &ast::CreateTable, columns: &[ColumnSchema]) -> Result<Vec<usize>, Diag> {
    let mut declared = create
        .columns
        .iter()
        .enumerate()
        .filter_map(|(column_idx, column)| column.primary_key.map(|span| (column_idx, span)));
    let first = declared.next();
    let second = declared.next().map(|(_, span)| span).or(match (&first, &create.primary_key) {
        (Some(_), Some((_, span))) => Some(*span),
        _ => None,
    });
    if let Some(span) = second {
        let message = format!("multiple primary keys for table \"{}\" are not allowed", create.name.text);
        return Err(Diag::new(code::INVALID_TABLE_DEFINITION, message, span)
            .help("a key of several columns is written PRIMARY KEY (a, b)"));
    }
    let mut key = Vec::new();
    match (first, &create.primary_key) {
        (Some((column_idx, span)), _) => {
            may_be_key(&columns[column_idx], span)?;
            key.push(column_idx);
        }
        (None, Some((names, _))) => {
            for name in names {
                let Some(column_idx) = columns.iter().position(|column| column.name == name.text) else {
                    let message = format!("column \"{}\" named in key does not exist", name.text);
                    let diag = Diag::new(code::UNDEFINED_COLUMN, message, name.span);
                    return Err(match nearest(&name.text, columns.iter().map(|column| column.name.as_str())) {
                        Some(near) => diag.help(format!("a column named \"{near}\" exists")),
                        None => diag,
                    });
                };
                if key.contains(&column_idx) {
                    let message = format!("column \"{}\" appears twice in primary key constraint", name.text);
                    return Err(Diag::new(code::DUPLICATE_COLUMN, message, name.span));
                }
                may_be_key(&columns[column_idx], name.span)?;
                key.push(column_idx);
            }
        }
        (None, None) => {}
    }
    Ok(key)
}

fn may_be_key(column: &ColumnSchema, span: crate::span::Span) -> Result<(), Diag> {
    if matches!(column.ty, Type::Json | Type::Jsonb | Type::Interval | Type::Array(_)) {
        let class = column.ty.class().name().to_uppercase();
        let message = format!("the {class} column \"{}\" cannot be part of a key", column.name);
        return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, span).help("keep the key in a column of its own"));
    }
    Ok(())
}
