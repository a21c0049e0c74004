//! How does the binder find a function and call it?
//!
//! The kernel's tables are indexed by name once. A call's nullability follows from the function's shape: a partial one may
//! always be NULL, one that is asked about NULLs never is, any other is NULL where an argument is.

use crate::{
    plan::{Expr, ExprKind},
    span::Span,
};
use spectradb_kernel::{
    Type,
    func::{self, Function, Shape},
    ty::TypeClass,
};
use std::{collections::HashMap, sync::LazyLock};

static BY_NAME: LazyLock<HashMap<&'static str, Vec<&'static Function>>> = LazyLock::new(|| {
    let mut by_name: HashMap<&'static str, Vec<&'static Function>> = HashMap::new();
    for function in func::all() {
        by_name.entry(function.name).or_default().push(function);
    }
    by_name
});

/// The functions of a name.
pub(super) fn overloads(name: &str) -> &'static [&'static Function] {
    BY_NAME.get(name).map_or(&[], Vec::as_slice)
}

/// The function of a name for exactly these classes.
pub(super) fn find(name: &str, args: &[TypeClass]) -> Option<&'static Function> {
    overloads(name).iter().copied().find(|function| function.args == args)
}

/// The function that casts one class to another.
pub(super) fn cast(from: TypeClass, to: TypeClass) -> Option<&'static Function> {
    overloads("$cast").iter().copied().find(|function| function.args.first() == Some(&from) && function.ret == to)
}

/// Names of functions that SQL can call.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    BY_NAME.keys().copied().filter(|name| name.starts_with(|first: char| first.is_ascii_alphabetic()))
}

/// A call.
pub(super) fn call(function: &'static Function, args: Vec<Expr>, ty: Type, span: Span) -> Expr {
    let nullable = match function.shape {
        Shape::Total | Shape::Fallible => args.iter().any(|arg| arg.nullable),
        Shape::Partial => true,
        Shape::NullAware => false,
    };
    Expr { kind: ExprKind::Call { function, args }, ty, nullable, span }
}

/// A call of a function that the kernel has.
///
/// # Panics
/// It does not: a bug of the binder.
pub(crate) fn call_named(name: &str, args: Vec<Expr>, ty: Type, span: Span) -> Expr {
    let classes: Vec<TypeClass> = args.iter().map(|arg| arg.ty.class()).collect();
    let function = find(name, &classes).unwrap_or_else(|| panic!("the kernel has {name} of {classes:?}"));
    call(function, args, ty, span)
}

/// NOT.
pub(super) fn not(expr: Expr) -> Expr {
    let span = expr.span;
    call_named("not", vec![expr], Type::Boolean, span)
}
