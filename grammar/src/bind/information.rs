//! What does a database tell of its tables in the standard's own words?
//!
//! `information_schema.schemata`, `.tables`, `.columns`, `.table_constraints` and `.key_column_usage` have PostgreSQL's columns.
//! Their rows are made of the catalogue while a statement is bound: a plan is kept under the version of the catalogue that it was
//! bound against, so they are never old. Types are called what PostgreSQL calls them, which is the width that they have.
//!
//! Not here: SHOW TABLES and DESCRIBE, which tell the same in our words (`runtime::statement`). What does not exist (domains,
//! scopes, generated columns) is NULL.

use super::{Binder, INFORMATION_SCHEMA};
use crate::{
    diag::{Diag, code, nearest},
    plan::{Expr, Field, Node, NodeKind},
    span::Span,
};
use spectradb_kernel::{
    Type, Value,
    schema::{ColumnSchema, TableSchema},
    ty::TypeClass,
};
use std::sync::Arc;

/// What the one database is called.
const CATALOG: &str = "spectradb";

/// The relations with their columns.
const RELATIONS: [(&str, &str); 5] = [
    (
        "schemata",
        "catalog_name schema_name schema_owner default_character_set_catalog default_character_set_schema \
         default_character_set_name sql_path",
    ),
    (
        "tables",
        "table_catalog table_schema table_name table_type self_referencing_column_name reference_generation \
         user_defined_type_catalog user_defined_type_schema user_defined_type_name is_insertable_into is_typed commit_action",
    ),
    (
        "columns",
        "table_catalog table_schema table_name column_name ordinal_position column_default is_nullable data_type \
         character_maximum_length character_octet_length numeric_precision numeric_precision_radix numeric_scale \
         datetime_precision interval_type interval_precision character_set_catalog character_set_schema character_set_name \
         collation_catalog collation_schema collation_name domain_catalog domain_schema domain_name udt_catalog udt_schema \
         udt_name scope_catalog scope_schema scope_name maximum_cardinality dtd_identifier is_self_referencing is_identity \
         identity_generation identity_start identity_increment identity_maximum identity_minimum identity_cycle is_generated \
         generation_expression is_updatable",
    ),
    (
        "table_constraints",
        "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name constraint_type \
         is_deferrable initially_deferred enforced nulls_distinct",
    ),
    (
        "key_column_usage",
        "constraint_catalog constraint_schema constraint_name table_catalog table_schema table_name column_name \
         ordinal_position position_in_unique_constraint",
    ),
];

/// The columns that are numbers; all others are texts.
const NUMBERS: [&str; 10] = [
    "ordinal_position",
    "character_maximum_length",
    "character_octet_length",
    "numeric_precision",
    "numeric_precision_radix",
    "numeric_scale",
    "datetime_precision",
    "interval_precision",
    "maximum_cardinality",
    "position_in_unique_constraint",
];

/// What a row says, by column; the rest is NULL.
type Said = Vec<(&'static str, Value)>;

impl Binder<'_> {
    /// The rows of `information_schema.name`.
    pub(super) fn information(&self, name: &str, span: Span) -> Result<Node, Diag> {
        let Some((relation, columns)) = RELATIONS.iter().find(|(relation, _)| *relation == name) else {
            let diag = Diag::new(
                code::UNDEFINED_TABLE,
                format!("relation \"{INFORMATION_SCHEMA}{name}\" does not exist"),
                span,
            );
            return Err(match nearest(name, RELATIONS.iter().map(|(relation, _)| *relation)) {
                Some(near) => diag.help(format!("there is {INFORMATION_SCHEMA}{near}")),
                None => diag.help("there are schemata, tables, columns, table_constraints and key_column_usage"),
            });
        };
        if self.catalog.current_commit().is_none() {
            let message = "information_schema in a compiled query is not supported";
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, span).help("ask it through a session"));
        }
        let mut names = self.catalog.table_names();
        names.sort();
        let tables: Vec<Arc<TableSchema>> = names.iter().filter_map(|name| self.catalog.table(name)).collect();
        let rows: Vec<Said> = match *relation {
            "schemata" => ["information_schema", "public"].into_iter().map(schema).collect(),
            "tables" => tables.iter().map(|table| of_table(table)).collect(),
            "columns" => tables.iter().flat_map(|table| columns_of(table)).collect(),
            "table_constraints" => tables.iter().filter_map(|table| constraint(table)).collect(),
            _ => tables.iter().flat_map(|table| keys_of(table)).collect(),
        };
        let fields: Vec<Field> = columns
            .split_whitespace()
            .map(|name| {
                let ty = if NUMBERS.contains(&name) { Type::Integer } else { Type::Text };
                Field { name: name.to_owned(), ty, nullable: true }
            })
            .collect();
        let row = |said: Said| {
            let value = |field: &Field| {
                let value =
                    said.iter().find(|(name, _)| *name == field.name).map_or(Value::Null, |(_, value)| value.clone());
                Expr::constant(value, field.ty, span)
            };
            fields.iter().map(value).collect()
        };
        Ok(Node { kind: NodeKind::Values { rows: rows.into_iter().map(row).collect() }, fields: fields.clone() })
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn schema(name: &str) -> Said {
    vec![("catalog_name", text(CATALOG)), ("schema_name", text(name)), ("schema_owner", text(CATALOG))]
}

fn named(table: &TableSchema) -> Said {
    vec![("table_catalog", text(CATALOG)), ("table_schema", text("public")), ("table_name", text(&table.name))]
}

fn of_table(table: &TableSchema) -> Said {
    let mut said = named(table);
    said.extend([("table_type", text("BASE TABLE")), ("is_insertable_into", text("YES")), ("is_typed", text("NO"))]);
    said
}

fn shown(table: &TableSchema) -> impl Iterator<Item = &ColumnSchema> {
    table.columns.iter().filter(|column| !column.hidden)
}

fn columns_of(table: &TableSchema) -> Vec<Said> {
    let column = |(position, column): (i64, &ColumnSchema)| {
        let mut said = named(table);
        said.extend([
            ("column_name", text(&column.name)),
            ("ordinal_position", Value::Integer(position)),
            ("column_default", column.default.as_deref().map_or(Value::Null, text)),
            ("is_nullable", text(if column.nullable { "YES" } else { "NO" })),
            ("udt_catalog", text(CATALOG)),
            ("udt_schema", text("pg_catalog")),
            ("dtd_identifier", text(&position.to_string())),
        ]);
        for name in ["is_self_referencing", "is_identity", "identity_cycle"] {
            said.push((name, text("NO")));
        }
        said.extend([("is_generated", text("NEVER")), ("is_updatable", text("YES"))]);
        said.extend(of_type(column.ty));
        said
    };
    (1..).zip(shown(table)).map(column).collect()
}

/// What a type is called, and its numbers.
fn of_type(ty: Type) -> Said {
    let (name, short) = called(ty);
    let mut said = vec![("data_type", text(name)), ("udt_name", text(&short))];
    let number = |name: &'static str, value: i64| (name, Value::Integer(value));
    let binary = |digits: i64| [number("numeric_precision", digits), number("numeric_precision_radix", 2)];
    let decimal = |precision: i64, scale: i64| {
        [number("numeric_precision", precision), number("numeric_precision_radix", 10), number("numeric_scale", scale)]
    };
    match ty {
        Type::Integer | Type::Int4 | Type::SmallInt => {
            let digits = if ty == Type::Integer {
                64
            } else if ty == Type::Int4 {
                32
            } else {
                16
            };
            said.extend(binary(digits));
            said.push(number("numeric_scale", 0));
        }
        Type::Real => said.extend(binary(53)),
        Type::Float4 => said.extend(binary(24)),
        Type::Numeric { precision, scale } => said.extend(decimal(i64::from(precision), i64::from(scale))),
        Type::WideNumeric { precision, scale } => said.extend(decimal(i64::from(precision), i64::from(scale))),
        Type::BigNumeric => said.push(number("numeric_precision_radix", 10)),
        // As many bytes as PostgreSQL says a text may have.
        Type::Text => said.push(number("character_octet_length", 1 << 30)),
        Type::Varchar { length } | Type::Char { length } => {
            said.push(number("character_maximum_length", i64::from(length)));
            said.push(number("character_octet_length", i64::from(length) * 4));
        }
        Type::Date => said.push(number("datetime_precision", 0)),
        Type::Timestamp | Type::TimestampTz | Type::Time | Type::Interval => said.push(number("datetime_precision", 6)),
        Type::Rounded { class: _, digits } => said.push(number("datetime_precision", i64::from(digits))),
        Type::Boolean | Type::Blob | Type::Json | Type::Jsonb | Type::Uuid | Type::Array(_) => {}
    }
    said
}

/// PostgreSQL's name of a type, in the standard's words and in its own.
fn called(ty: Type) -> (&'static str, String) {
    let (name, short) = match ty {
        Type::Array(element) => return ("ARRAY", format!("_{}", called(element.ty()).1)),
        Type::SmallInt => ("smallint", "int2"),
        Type::Int4 => ("integer", "int4"),
        Type::Float4 => ("real", "float4"),
        Type::Varchar { .. } => ("character varying", "varchar"),
        Type::Char { .. } => ("character", "bpchar"),
        Type::Jsonb => ("jsonb", "jsonb"),
        ty => match ty.class() {
            TypeClass::Boolean => ("boolean", "bool"),
            TypeClass::Integer => ("bigint", "int8"),
            TypeClass::Real => ("double precision", "float8"),
            TypeClass::Numeric | TypeClass::BigNumeric => ("numeric", "numeric"),
            TypeClass::Text => ("text", "text"),
            TypeClass::Blob => ("bytea", "bytea"),
            TypeClass::Date => ("date", "date"),
            TypeClass::Timestamp => ("timestamp without time zone", "timestamp"),
            TypeClass::TimestampTz => ("timestamp with time zone", "timestamptz"),
            TypeClass::Time => ("time without time zone", "time"),
            TypeClass::Interval => ("interval", "interval"),
            TypeClass::Uuid => ("uuid", "uuid"),
            TypeClass::Json => ("json", "json"),
            TypeClass::Array => ("ARRAY", "anyarray"),
        },
    };
    (name, short.to_owned())
}

/// The key of a table, where one was declared.
fn key_name(table: &TableSchema) -> Option<Said> {
    if table.key.iter().any(|column_idx| table.columns[*column_idx].hidden) {
        return None;
    }
    let mut said = named(table);
    said.extend([
        ("constraint_catalog", text(CATALOG)),
        ("constraint_schema", text("public")),
        ("constraint_name", text(&format!("{}_pkey", table.name))),
    ]);
    Some(said)
}

fn constraint(table: &TableSchema) -> Option<Said> {
    let mut said = key_name(table)?;
    said.extend([
        ("constraint_type", text("PRIMARY KEY")),
        ("is_deferrable", text("NO")),
        ("initially_deferred", text("NO")),
        ("enforced", text("YES")),
    ]);
    Some(said)
}

fn keys_of(table: &TableSchema) -> Vec<Said> {
    let Some(named) = key_name(table) else { return Vec::new() };
    let key = |(position, column_idx): (i64, &usize)| {
        let mut said = named.clone();
        said.extend([
            ("column_name", text(&table.columns[*column_idx].name)),
            ("ordinal_position", Value::Integer(position)),
        ]);
        said
    };
    (1..).zip(&table.key).map(key).collect()
}
