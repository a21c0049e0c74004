//! Which columns does a record of JSON have?
//!
//! `jsonb_to_record(json) AS x (a integer)` says them in its alias; `jsonb_populate_record(NULL::t, json)` means those of a table.
//! Fields are found by the columns' names, and what is not there is NULL. Functions of sets take an array of objects.
//!
//! Not here: rows of other functions (`table_function`). There are no values of several columns, so the first argument of
//! `jsonb_populate_record` can only be NULL of a table's row.

use super::{
    Binder,
    convert::{Bound, Degree, convert},
    expr::Ctx,
    function,
    scope::Scope,
    table_function::{Call, array_from, elements, text_of},
    types,
};
use crate::{
    ast::{self, Name},
    diag::{Diag, code},
    plan::{Expr, Node, NodeKind},
    span::Span,
};
use spectradb_kernel::{Type, Value, ty::TypeClass};

/// Is it a function of records, whatever its columns are?
pub(super) fn gives_records(name: &str) -> bool {
    is_defined(name) || is_populated(name)
}

/// Does the alias say the columns?
pub(super) fn is_defined(name: &str) -> bool {
    matches!(name, "json_to_record" | "jsonb_to_record" | "json_to_recordset" | "jsonb_to_recordset")
}

fn is_populated(name: &str) -> bool {
    matches!(
        name,
        "json_populate_record" | "jsonb_populate_record" | "json_populate_recordset" | "jsonb_populate_recordset"
    )
}

struct Column {
    name: String,
    ty: Type,
    span: Span,
}

impl Binder<'_> {
    /// The rows of a function of records.
    pub(super) fn records(&mut self, call: &Call<'_>) -> Result<Node, Diag> {
        let name = call.name.text.as_str();
        let (columns, json) = match call.args {
            [json] if is_defined(name) => (self.defined(call)?, json),
            [of, json] if is_populated(name) => (self.columns_of(of, name)?, json),
            args => {
                let message = format!("function {name} with {} arguments does not exist", args.len());
                return Err(Diag::new(code::UNDEFINED_FUNCTION, message, call.name.span)
                    .help(format!("write {name}({}json)", if is_populated(name) { "NULL::table, " } else { "" })));
            }
        };
        let scope = Scope::default();
        let json = self.expr(json, &mut Ctx::plain(&scope, "a function in FROM"))?;
        let row = if name.ends_with("set") {
            elements(array_from("$json_elements", self.json_argument(name, json)?), "object", |element| element)
        } else {
            let object = self.json_argument(name, json)?;
            let row = Node { kind: NodeKind::Values { rows: vec![Vec::new()] }, fields: Vec::new() };
            row.project(vec![("object".to_owned(), object)])
        };
        let object = row.column(0, call.span);
        let mut values = Vec::with_capacity(columns.len());
        for column in columns {
            let value = self.field(&object, &column)?;
            values.push((column.name, value));
        }
        Ok(row.project(values))
    }

    fn defined(&mut self, call: &Call<'_>) -> Result<Vec<Column>, Diag> {
        let column = |(name, ty): &(Name, ast::TypeName)| {
            Ok(Column { name: name.text.clone(), ty: types::written(ty)?, span: ty.span })
        };
        call.columns.iter().map(column).collect()
    }

    /// The columns of the table in `NULL::table`.
    fn columns_of(&mut self, of: &ast::Expr, function: &str) -> Result<Vec<Column>, Diag> {
        let name = match &of.kind {
            ast::ExprKind::Cast { operand, ty } if operand.kind == ast::ExprKind::Null && !ty.array => {
                Name { text: ty.name.clone(), span: ty.span }
            }
            _ => {
                let message = format!("{function} of a row that is not NULL::table is not supported");
                return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, of.span)
                    .help("write NULL::table, or name the columns: jsonb_to_record(json) AS x (a integer, b text)"));
            }
        };
        let table = self.existing_table(&name).map_err(|diag| {
            diag.help("the row is that of a table; jsonb_to_record(json) AS x (a integer, b text) takes any columns")
        })?;
        let shown = table.columns.iter().filter(|column| !column.hidden);
        Ok(shown.map(|column| Column { name: column.name.clone(), ty: column.ty, span: of.span }).collect())
    }

    /// A field of an object as a value of a column.
    fn field(&mut self, object: &Expr, column: &Column) -> Result<Expr, Diag> {
        let key = Expr::constant(Value::Text(column.name.clone()), Type::Text, column.span);
        let field = function::call_named("$json_get", vec![object.clone(), key], Type::Json, object.span);
        match column.ty {
            wanted if wanted.class() == TypeClass::Json => convert(field, wanted, Degree::Assignment),
            wanted @ Type::Array(_) => {
                let text = function::call_named("$json_array_text", vec![field], Type::Text, column.span);
                self.cast_to(Bound::known(text), wanted, column.span)
            }
            wanted => self.cast_to(Bound::known(text_of(field)), wanted, column.span),
        }
    }
}
