//! What does a function that gives rows mean in a select list?
//!
//! `SELECT i, generate_series(1, i) FROM t` gives a row for each value, so the function is moved into FROM, as if it stood
//! there behind LATERAL; its columns are in no `*`. Rows of several such functions would go side by side: that is refused, as is
//! one beside groups, where it would be computed after them.
//!
//! Not here: which rows it gives (`table_function`).

use super::table_function;
use crate::{
    ast::{Expr, ExprKind, GroupBy, Name, Select, SelectItem, TableAlias, TableRef},
    diag::{Diag, code},
};
use spectradb_kernel::agg;
use std::borrow::Cow;

/// What the moved function is called in FROM: no name that can be written.
pub(super) const MOVED: &str = "?rows?";

/// The block with a function that gives rows in FROM.
pub(super) fn moved(select: &Select) -> Result<Cow<'_, Select>, Diag> {
    let gives_rows = |item: &SelectItem| matches!(item, SelectItem::Expr { expr, .. } if call_in(expr).is_some());
    let count = select.items.iter().filter(|item| gives_rows(item)).count();
    if count == 0 {
        return Ok(Cow::Borrowed(select));
    }
    let mut select = select.clone();
    let span = select.span;
    let refuse = |message: &str, help: &str| Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, span).help(help));
    if count > 1 {
        let message = "several functions that give rows in one select list are not supported";
        return refuse(message, "name them in FROM, WITH ORDINALITY where their rows belong together");
    }
    let is_grouped = select.having.is_some()
        || match &select.group_by {
            GroupBy::All(_) => true,
            GroupBy::Items { items, .. } => !items.is_empty(),
        };
    if is_grouped {
        let message = "a function that gives rows in the select list of a query with groups is not supported";
        return refuse(message, "group in a subquery in FROM, and name the function behind it");
    }
    for item in &mut select.items {
        let SelectItem::Expr { expr, alias } = item else { continue };
        let Some(call) = call_in_mut(expr) else { continue };
        let ExprKind::Call { name, args, .. } = &call.kind else { unreachable!("it is a call") };
        let label = Name { text: MOVED.to_owned(), span: call.span };
        if name.text.contains("_each") {
            return refuse("a function that gives several columns stands in FROM", "write SELECT * FROM it");
        }
        let function = TableRef::Function {
            name: name.clone(),
            args: args.clone(),
            ordinality: false,
            alias: Some(TableAlias { name: label.clone(), columns: vec![label.clone()] }),
            span: call.span,
        };
        let own_name = name.clone();
        call.kind = ExprKind::Path(vec![label.clone(), label]);
        alias.get_or_insert(own_name);
        select.from.push(function);
    }
    Ok(Cow::Owned(select))
}

/// A call of a function that gives rows: the expression itself, or what is cast or counted with.
fn call_in(expr: &Expr) -> Option<&Expr> {
    match &expr.kind {
        ExprKind::Call { name, star: false, distinct: false, more: None, .. }
            if table_function::FUNCTIONS.contains(&name.text.as_str()) =>
        {
            Some(expr)
        }
        ExprKind::Call { name, args, more: None, .. } if computes(name) => args.iter().find_map(call_in),
        ExprKind::Cast { operand, .. } | ExprKind::Unary { operand, .. } => call_in(operand),
        ExprKind::Binary { left, right, .. } => call_in(left).or_else(|| call_in(right)),
        _ => None,
    }
}

/// Is it a function that computes a value of each row's arguments? An aggregate sees rows, COALESCE not all arguments.
fn computes(name: &Name) -> bool {
    !matches!(name.text.as_str(), "coalesce" | "nvl" | "ifnull" | "iif" | "if")
        && !agg::all().any(|aggregate| aggregate.name == name.text)
}

fn call_in_mut(expr: &mut Expr) -> Option<&mut Expr> {
    call_in(expr)?;
    if matches!(&expr.kind, ExprKind::Call { name, .. } if table_function::FUNCTIONS.contains(&name.text.as_str())) {
        return Some(expr);
    }
    match &mut expr.kind {
        ExprKind::Call { args, .. } => args.iter_mut().find(|arg| call_in(arg).is_some()).and_then(call_in_mut),
        ExprKind::Cast { operand, .. } | ExprKind::Unary { operand, .. } => call_in_mut(operand),
        ExprKind::Binary { left, right, .. } => {
            if call_in(left).is_some() {
                call_in_mut(left)
            } else {
                call_in_mut(right)
            }
        }
        _ => None,
    }
}
