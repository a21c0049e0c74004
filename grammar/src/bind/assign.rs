//! What do the columns of a row become by SET?
//!
//! Each value is assigned with PostgreSQL's assignment casts; what is not named stays. An array may be assigned in parts,
//! `SET a[1] = x, a[2:3] = b`: one part after the other, each seeing the row as it was but for the parts before it.
//!
//! Not here: which rows change (`dml`, `merge`), what an array becomes (the kernel's `array_put`).

use super::{
    Binder,
    call::is_not_null,
    constant,
    dml::Target,
    expr::Ctx,
    function,
    predicate::case_of,
    scope::{PSEUDO_COLUMNS, Scope, unknown_column_of},
};
use crate::{
    ast::{self, Assignment, Name, Subscript},
    diag::{Diag, code},
    plan::{Expr, Node},
    span::Span,
};
use spectradb_kernel::{Type, Value, array::Array, schema::TableSchema};

/// How a column has been assigned so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Not,
    InParts,
    Whole,
}

impl Binder<'_> {
    /// All columns of a table as SET leaves them. The node's first columns are the table's.
    pub(super) fn assigned(
        &mut self,
        assignments: &[Assignment],
        table: &TableSchema,
        node: &Node,
        scope: &Scope,
        at: Span,
    ) -> Result<Vec<Expr>, Diag> {
        let width = table.columns.len();
        let mut new: Vec<Expr> = (0..width).map(|column| node.column(column, at)).collect();
        let mut seen = vec![Seen::Not; width];
        for Assignment { column: name, subscripts, value } in assignments {
            let column_idx = table.column_idx(&name.text).ok_or_else(|| unassignable(table, name))?;
            let now = if subscripts.is_empty() { Seen::Whole } else { Seen::InParts };
            let before = std::mem::replace(&mut seen[column_idx], now);
            if before == Seen::Whole || (before == Seen::InParts && now == Seen::Whole) {
                let message = format!("multiple assignments to same column \"{}\"", name.text);
                return Err(Diag::new(code::SYNTAX, message, name.span));
            }
            let mut ctx = Ctx::plain(scope, "UPDATE");
            let old = new[column_idx].clone();
            new[column_idx] = match value {
                Some(value) if now == Seen::InParts => self.put(old, name, subscripts, value, &mut ctx)?,
                Some(value) => {
                    let bound = self.expr(value, &mut ctx)?;
                    self.assign(bound, table, Target::Data(column_idx))?
                }
                None if now == Seen::InParts => {
                    let message = "cannot set an array element to DEFAULT";
                    return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, name.span));
                }
                None => self.default_of(table, column_idx, name.span)?,
            };
        }
        Ok(new)
    }

    /// The array that a column is, with a value at subscripts.
    fn put(
        &mut self,
        array: Expr,
        name: &Name,
        subscripts: &[Subscript],
        value: &ast::Expr,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        let span = name.span;
        let Type::Array(element) = array.ty else {
            let message =
                format!("cannot subscript type {} because it does not support subscripting", array.ty.class());
            let diag = Diag::new(code::DATATYPE_MISMATCH, message, span);
            return Err(match array.ty {
                Type::Json | Type::Jsonb => diag.help("write jsonb_set"),
                _ => diag.help("only parts of arrays can be assigned"),
            });
        };
        let ty = array.ty;
        let (lowers, uppers) = self.bounds(subscripts, span, ctx)?;
        let bound = self.expr(value, ctx)?;
        let none = Expr::constant(Value::Array(Array::of(element, &[])), ty, span);
        let array = self.coalesce(vec![array, none], span)?;
        let Some(lowers) = lowers else {
            let value = self.assign_to(bound, element.ty(), &name.text)?;
            let value = self.one(value, span)?;
            return Ok(constant::fold(function::call_named("$array_put", vec![array, uppers, value], ty, span)));
        };
        let value = self.assign_to(bound, ty, &name.text)?;
        self.count_copies(&value, 2)?;
        self.count_copies(&array, 2)?;
        let args = vec![array.clone(), lowers, uppers, value.clone()];
        let put = constant::fold(function::call_named("$array_put", args, ty, span));
        // What is NULL as a whole changes nothing.
        Ok(if value.nullable { case_of(vec![(is_not_null(value, span), put)], array, span) } else { put })
    }
}

fn unassignable(table: &TableSchema, name: &Name) -> Diag {
    match name.text.as_str() {
        "_valid_from" | "_valid_to" => {
            let message = format!("the pseudo-column \"{}\" cannot be assigned", name.text);
            Diag::new(code::FEATURE_NOT_SUPPORTED, message, name.span)
                .help("write UPDATE ... FOR PORTION OF VALID_TIME FROM ... TO ...")
        }
        pseudo if PSEUDO_COLUMNS.contains(&pseudo) => {
            let message = format!("the pseudo-column \"{pseudo}\" cannot be assigned");
            Diag::new(code::FEATURE_NOT_SUPPORTED, message, name.span)
                .help("system time is the database's: it says when a fact was recorded")
        }
        _ => unknown_column_of(table, name),
    }
}
