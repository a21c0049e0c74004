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
    convert::Bound,
    dml::{Target, facts_of, named_targets, plain_values, target_type, values_of, width_matches},
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
use std::sync::Arc;

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
                Some(value) if now == Seen::InParts => {
                    let bound = self.expr(value, &mut ctx)?;
                    self.put(old, name, subscripts, bound, &mut ctx)?
                }
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

    /// The rows of an INSERT that gives arrays in parts. What is not given of one is not there.
    pub(super) fn facts_in_parts(&mut self, table: &Arc<TableSchema>, insert: &ast::Insert) -> Result<Node, Diag> {
        let Some(query) = &insert.source else {
            let message = "DEFAULT VALUES gives no columns";
            return Err(Diag::new(code::SYNTAX, message, insert.table.span).help("leave the list of columns out"));
        };
        let (mut names, mut places): (Vec<Name>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut whole = Vec::new();
        for (name, subscripts) in insert.columns.iter().zip(&insert.subscripts) {
            let found = names.iter().position(|earlier| earlier.text == name.text);
            if found.is_some_and(|place| whole[place] || subscripts.is_empty()) {
                let message = format!("column \"{}\" specified more than once", name.text);
                return Err(Diag::new(code::DUPLICATE_COLUMN, message, name.span));
            }
            places.push(found.unwrap_or(names.len()));
            if found.is_none() {
                names.push(name.clone());
                whole.push(subscripts.is_empty());
            }
        }
        let targets = named_targets(table, &names)?;
        let given = insert.subscripts.iter().zip(&places).map(|(subscripts, place)| {
            let is_slice = subscripts.iter().any(|subscript| matches!(subscript, Subscript::Slice(..)));
            match target_type(table, targets[*place]) {
                Type::Array(element) if !subscripts.is_empty() && !is_slice => element.ty(),
                ty => ty,
            }
        });
        let types: Vec<Type> = given.collect();
        let origins = self.origins(table, &targets, insert.valid.as_ref(), insert.table.span)?;
        let scope = Scope::default();
        let mut ctx = Ctx::plain(&scope, "INSERT");
        let mut assigned = |binder: &mut Self, values: Vec<Bound>| -> Result<Vec<Expr>, Diag> {
            let nothing = |target: &Target| Expr::constant(Value::Null, target_type(table, *target), query.span);
            let mut assigned: Vec<Expr> = targets.iter().map(nothing).collect();
            for (column, (value, place)) in values.into_iter().zip(&places).enumerate() {
                let (name, subscripts) = (&insert.columns[column], &insert.subscripts[column]);
                assigned[*place] = if subscripts.is_empty() {
                    binder.assign(value, table, targets[*place])?
                } else {
                    binder.put(assigned[*place].clone(), name, subscripts, value, &mut ctx)?
                };
            }
            Ok(assigned)
        };
        let Some(rows) = plain_values(query) else {
            let node = self.query(query, Some(&types))?;
            width_matches(node.fields.len(), places.len(), &insert.columns, query.span)?;
            let values = (0..places.len()).map(|column| Bound::known(node.column(column, query.span))).collect();
            let assigned = assigned(self, values)?;
            return Ok(facts_of(node, assigned, origins, table));
        };
        let mut facts = Vec::new();
        for row in rows.trees().iter() {
            let at = row.get(places.len()).map_or(query.span, |extra| extra.span);
            width_matches(row.len(), places.len(), &insert.columns, at)?;
            let mut values = Vec::with_capacity(row.len());
            for value in row {
                if value.kind == ast::ExprKind::Default {
                    let message = "DEFAULT is not supported beside a part of an array";
                    return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, value.span)
                        .help("leave the column out of the list"));
                }
                values.push(self.expr(value, &mut Ctx::plain(&scope, "VALUES"))?);
            }
            facts.push(assigned(self, values)?);
        }
        Ok(values_of(facts, origins, table))
    }

    /// The array that a column is, with a value at subscripts.
    fn put(
        &mut self,
        array: Expr,
        name: &Name,
        subscripts: &[Subscript],
        bound: Bound,
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
