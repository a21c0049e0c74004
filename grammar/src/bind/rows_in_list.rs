//! What does a function that gives rows mean in a select list?
//!
//! `SELECT i, generate_series(1, i) FROM t` gives a row for each value, so the function is moved into FROM, as if it stood
//! there behind LATERAL; its columns are in no `*`. The rows of several such functions go side by side, the shorter ones padded with
//! NULL: they are numbered, and joined by their numbers in a subquery behind LATERAL. One beside groups, where it would be
//! computed after them, is refused.
//!
//! Not here: which rows it gives (`table_function`).

use super::table_function;
use crate::{
    ast::{
        Distinct, Expr, ExprKind, GroupBy, JoinCondition, JoinKind, Name, Query, Scopes, Select, SelectItem, SetExpr,
        TableAlias, TableRef,
    },
    diag::{Diag, code},
    span::Span,
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
    let is_grouped = select.having.is_some()
        || match &select.group_by {
            GroupBy::All(_) => true,
            GroupBy::Items { items, .. } => !items.is_empty(),
        };
    if is_grouped {
        let message = "a function that gives rows in the select list of a query with groups is not supported";
        return refuse(message, "group in a subquery in FROM, and name the function behind it");
    }
    let mut functions: Vec<(TableRef, Name)> = Vec::new();
    for item in &mut select.items {
        let SelectItem::Expr { expr, alias } = item else { continue };
        let is_named = match &expr.kind {
            ExprKind::Call { name, .. } => table_function::FUNCTIONS.contains(&name.text.as_str()),
            kind => matches!(kind, ExprKind::Cast { .. }),
        };
        while let Some(call) = call_in_mut(expr) {
            let ExprKind::Call { name, args, .. } = &call.kind else { unreachable!("it is a call") };
            let number = if functions.is_empty() { String::new() } else { functions.len().to_string() };
            let label = Name { text: format!("{MOVED}{number}"), span: call.span };
            if name.text.contains("_each") {
                return refuse("a function that gives several columns stands in FROM", "write SELECT * FROM it");
            }
            let function = TableRef::Function {
                name: name.clone(),
                args: args.clone(),
                ordinality: false,
                columns: Vec::new(),
                alias: Some(TableAlias { name: label.clone(), columns: vec![label.clone()] }),
                span: call.span,
            };
            let own_name = name.clone();
            let table = Name { text: MOVED.to_owned(), span: call.span };
            call.kind = ExprKind::Path(vec![table, label.clone()]);
            if is_named {
                alias.get_or_insert(own_name);
            }
            functions.push((function, label));
        }
    }
    let moved = if functions.len() == 1 { functions.swap_remove(0).0 } else { side_by_side(functions, span) };
    select.from.push(moved);
    Ok(Cow::Owned(select))
}

/// `LATERAL (SELECT f.f, g.g FROM f WITH ORDINALITY FULL JOIN g WITH ORDINALITY USING (place))`
fn side_by_side(functions: Vec<(TableRef, Name)>, span: Span) -> TableRef {
    let named = |text: &str| Name { text: text.to_owned(), span };
    let place = named("?place?");
    let items = functions.iter().map(|(_, label)| SelectItem::Expr {
        expr: Expr { kind: ExprKind::Path(vec![label.clone(), label.clone()]), span },
        alias: Some(label.clone()),
    });
    let items = items.collect();
    // Each in a subquery of its own, so that it may name the rows around and not the functions beside it.
    let numbered = functions.into_iter().map(|(function, label)| match function {
        TableRef::Function { name, args, columns, span, .. } => {
            let alias = Some(TableAlias { name: label.clone(), columns: vec![label.clone(), place.clone()] });
            let function = TableRef::Function { name, args, ordinality: true, columns, alias, span };
            let items = [label.clone(), place.clone()].map(|name| SelectItem::Expr {
                expr: Expr { kind: ExprKind::Path(vec![label.clone(), name.clone()]), span },
                alias: Some(name),
            });
            let query = Box::new(block(items.into(), vec![function], span));
            let alias = Some(TableAlias { name: label, columns: Vec::new() });
            TableRef::Subquery { lateral: false, query, alias, span }
        }
        other => other,
    });
    let joined = numbered.reduce(|left, right| TableRef::Join {
        kind: JoinKind::Full,
        left: Box::new(left),
        right: Box::new(right),
        condition: JoinCondition::Using(vec![place.clone()], None),
        as_of: false,
        span,
    });
    let query = Box::new(block(items, joined.into_iter().collect(), span));
    let alias = Some(TableAlias { name: named(MOVED), columns: Vec::new() });
    TableRef::Subquery { lateral: true, query, alias, span }
}

/// `SELECT items FROM tables`
fn block(items: Vec<SelectItem>, from: Vec<TableRef>, span: Span) -> Query {
    let select = Select {
        distinct: Distinct::No,
        items,
        from,
        filter: None,
        group_by: GroupBy::Items { items: Vec::new(), distinct: false },
        having: None,
        windows: Vec::new(),
        scopes: Scopes::default(),
        span,
    };
    Query::of(SetExpr::Select(Box::new(select)), span)
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
