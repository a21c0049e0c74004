//! What does ORDER BY order by?
//!
//! As in PostgreSQL: a number is a position, a bare name is an output column first, anything else is an expression over
//! the input. NULLs are the largest unless something else is said.

use crate::{
    ast,
    diag::{Diag, code},
    plan::{Expr, SortKey},
};

/// The key of an item.
pub(super) fn key(item: &ast::OrderItem, expr: Expr) -> SortKey {
    SortKey { expr, descending: item.descending, nulls_first: item.nulls_first.unwrap_or(item.descending) }
}

/// The position that an expression says, if it is a plain number.
pub(super) fn position(expr: &ast::Expr) -> Option<&str> {
    match &expr.kind {
        ast::ExprKind::Number(text) => Some(text),
        _ => None,
    }
}

/// A constant orders and groups nothing; as in PostgreSQL only a position may stand there.
///
/// # Errors
/// 42601.
pub(super) fn refuse_constant(expr: &ast::Expr, clause: &str) -> Result<(), Diag> {
    use ast::ExprKind::{Boolean, Null, Number, Text};
    let is_constant = match &expr.kind {
        Null | Boolean(_) | Text(_) => true,
        Number(text) => text.contains(['.', 'e', 'E']) && !text.starts_with("0x"),
        _ => false,
    };
    if !is_constant {
        return Ok(());
    }
    Err(Diag::new(code::SYNTAX, format!("non-integer constant in {clause}"), expr.span)
        .help("a number is the position of an output column; a name has double quotes or none"))
}

/// The bare name that an expression is, if it is one.
pub(super) fn bare_name(expr: &ast::Expr) -> Option<&ast::Name> {
    match &expr.kind {
        ast::ExprKind::Path(path) => match path.as_slice() {
            [name] => Some(name),
            _ => None,
        },
        _ => None,
    }
}
