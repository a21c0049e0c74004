//! What does a function that gives rows mean in a select list?
//!
//! `SELECT i, generate_series(1, i) FROM t` gives a row for each value, so the function is moved into FROM, as if it stood
//! there behind LATERAL; its columns are in no `*`. Several `unnest` are one of several arrays, whose rows go side by side. Other
//! functions beside each other are refused, as is one beside groups, where it would be computed after them.
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
    let is_unnest = |item: &SelectItem| match item {
        SelectItem::Expr { expr, .. } => match call_in(expr).map(|call| &call.kind) {
            Some(ExprKind::Call { name, args, .. }) => name.text == "unnest" && args.len() == 1,
            _ => true,
        },
        _ => true,
    };
    if count > 1 && !select.items.iter().all(is_unnest) {
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
    let mut together: Option<TableRef> = None;
    for (at, item) in select.items.iter_mut().enumerate() {
        let SelectItem::Expr { expr, alias } = item else { continue };
        let is_named = match &expr.kind {
            ExprKind::Call { name, .. } => table_function::FUNCTIONS.contains(&name.text.as_str()),
            kind => matches!(kind, ExprKind::Cast { .. }),
        };
        let Some(call) = call_in_mut(expr) else { continue };
        let ExprKind::Call { name, args, .. } = &call.kind else { unreachable!("it is a call") };
        let label = Name { text: MOVED.to_owned(), span: call.span };
        if name.text.contains("_each") {
            return refuse("a function that gives several columns stands in FROM", "write SELECT * FROM it");
        }
        let column = Name { text: format!("{MOVED}{at}"), span: call.span };
        let (own_name, own_args) = (name.clone(), args.clone());
        call.kind = ExprKind::Path(vec![label.clone(), column.clone()]);
        if is_named {
            alias.get_or_insert(own_name.clone());
        }
        match &mut together {
            Some(TableRef::Function { args, alias: Some(alias), .. }) => {
                args.extend(own_args);
                alias.columns.push(column);
            }
            _ => {
                together = Some(TableRef::Function {
                    name: own_name,
                    args: own_args,
                    ordinality: false,
                    alias: Some(TableAlias { name: label, columns: vec![column] }),
                    span: call.span,
                });
            }
        }
    }
    select.from.extend(together);
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
