//! What does a table's name mean where a function takes a row?
//!
//! `row_to_json(t)`, `json_agg(t ORDER BY id)`, `count(t.*)`: there are no values of several columns, so the argument is written
//! anew as what the function makes of the row: an object of its columns, or whether there is a row at all. A row that an outer
//! join left without a partner is NULL. `row_to_json(ROW(a, b))` names its fields `f1`, `f2`.
//!
//! Holds: a column of that name comes first. Not here: rows that are compared (`row`).

use super::{
    Binder,
    call::Call,
    convert::{Bound, Degree},
    expr::Ctx,
    function,
    scope::ScopeTable,
};
use crate::{
    ast::{BinaryOp, Expr, ExprKind, IsTest, Name},
    diag::Diag,
    plan,
    span::Span,
};
use spectradb_kernel::Type;

/// The functions that take rows as JSON. What they are called is what they give; `row_to_json` is `to_json` of a row.
const OF_JSON: [&str; 11] = [
    "row_to_json",
    "to_json",
    "to_jsonb",
    "json_agg",
    "jsonb_agg",
    "json_build_object",
    "jsonb_build_object",
    "json_build_array",
    "jsonb_build_array",
    "json_object_agg",
    "jsonb_object_agg",
];

/// What `row_to_json(t, TRUE)` is called once its row is an object; nobody can write it.
pub(super) const IN_LINES: &str = "row_to_json()";

impl Binder<'_> {
    /// JSON, each of whose fields or elements stands on a line of its own where that is true.
    pub(super) fn in_lines(
        &mut self,
        value: plan::Expr,
        are_apart: Option<Bound>,
        span: Span,
    ) -> Result<plan::Expr, Diag> {
        let Some(are_apart) = are_apart else { return Ok(value) };
        let are_apart = self.coerce(are_apart, Type::Boolean, Degree::Implicit)?;
        Ok(function::call_named("$json_lines", vec![value, are_apart], Type::Json, span))
    }

    /// The call with objects in place of rows; `None` where it names none.
    pub(super) fn of_whole_rows(&self, call: &Call<'_>, ctx: &Ctx<'_>) -> Option<Expr> {
        let name = call.name.text.as_str();
        let counts = name == "count";
        if call.star
            || !(counts || OF_JSON.contains(&name))
            || (name == "row_to_json" && !matches!(call.args.len(), 1 | 2))
        {
            return None;
        }
        let build =
            if name.starts_with("jsonb") || name == "to_jsonb" { "jsonb_build_object" } else { "json_build_object" };
        let written = |arg: &Expr| match &arg.kind {
            ExprKind::Path(path) => {
                let [table] = path.as_slice() else { return None };
                let columns = self.row_of(table, ctx)?;
                Some(of_table(table, columns, (!counts).then_some(build), arg.span))
            }
            ExprKind::Row(fields) if !counts => {
                let pairs = fields
                    .iter()
                    .enumerate()
                    .flat_map(|(at, field)| [text(format!("f{}", at + 1), arg.span), field.clone()]);
                Some(made(build, pairs.collect(), arg.span))
            }
            _ => None,
        };
        let rewritten: Vec<Option<Expr>> = call.args.iter().map(written).collect();
        if rewritten.iter().all(Option::is_none) {
            return None;
        }
        let args = rewritten.into_iter().zip(call.args).map(|(new, old)| new.unwrap_or_else(|| old.clone())).collect();
        let of = match name {
            "row_to_json" if call.args.len() == 2 => IN_LINES,
            "row_to_json" => "to_json",
            name => name,
        };
        let name = Name { text: of.to_owned(), span: call.name.span };
        let more = call.more.map(|more| Box::new(more.clone()));
        Some(Expr { kind: ExprKind::Call { name, args, star: false, distinct: call.distinct, more }, span: call.span })
    }

    /// The table that a name means which is no column's.
    fn row_of<'s>(&'s self, name: &Name, ctx: &'s Ctx<'_>) -> Option<&'s ScopeTable> {
        let around = self.outer.iter().rev().filter(|frame| !frame.hidden).map(|frame| &frame.scope);
        for scope in std::iter::once(ctx.scope).chain(around) {
            if scope.resolve(std::slice::from_ref(name)).is_ok() {
                return None;
            }
            if let Some(table) = scope.table(&name.text) {
                return Some(table);
            }
        }
        None
    }
}

/// A row of a table: an object of its columns, or 1.
fn of_table(name: &Name, table: &ScopeTable, build: Option<&str>, span: Span) -> Expr {
    let column = |column: &str| {
        let path = vec![name.clone(), Name { text: column.to_owned(), span }];
        Expr { kind: ExprKind::Path(path), span }
    };
    let shown = || table.columns.iter().filter(|column| column.shown).map(|column| column.name.as_str());
    let value = match build {
        Some(build) => {
            let pairs = shown().flat_map(|shown| [text(shown.to_owned(), span), column(shown)]);
            made(build, pairs.collect(), span)
        }
        None => Expr { kind: ExprKind::Number("1".to_owned()), span },
    };
    // A column that has no NULLs of its own says whether there is a row; without one some column that is not NULL does.
    if table.columns.iter().any(|column| !column.nullable) {
        return value;
    }
    let is_there = |name: &str| Expr {
        kind: ExprKind::Is { operand: Box::new(column(name)), test: IsTest::Null, negated: true },
        span,
    };
    let stored = table.columns.iter().any(|column| column.name == "_commit");
    let tests: Vec<Expr> = if stored { vec![is_there("_commit")] } else { shown().map(is_there).collect() };
    let Some(there) = tests.into_iter().reduce(|left, right| Expr {
        kind: ExprKind::Binary { op: BinaryOp::Or, op_span: span, left: Box::new(left), right: Box::new(right) },
        span,
    }) else {
        return value;
    };
    Expr { kind: ExprKind::Case { operand: None, arms: vec![(there, value)], otherwise: None }, span }
}

fn text(text: String, span: Span) -> Expr {
    Expr { kind: ExprKind::Text(text), span }
}

fn made(function: &str, args: Vec<Expr>, span: Span) -> Expr {
    let name = Name { text: function.to_owned(), span };
    Expr { kind: ExprKind::Call { name, args, star: false, distinct: false, more: None }, span }
}
