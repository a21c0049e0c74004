//! In which zone are instants read and shown while a statement is bound?
//!
//! The session says so; without a word it is UTC, and nothing here does anything. In another zone a TIMESTAMPTZ is read from a
//! text without a zone, written as a text, cut to a day and asked for its fields as that zone's clock has it. The zone becomes a
//! constant of the plan, so a plan for which anybody asked for the zone is of one zone ([`Plan::zoned`](crate::plan::Plan::zoned)). Conversions stand in functions without a binder, so the zone is kept for the
//! thread while it binds.
//!
//! A TIMESTAMP without a zone is UTC whatever the session says, for valid time is: casts between the two do not shift.

use super::{constant, convert, function};
use crate::{diag::Diag, plan::Expr, span::Span};
use spectradb_kernel::{
    Type, Value,
    ty::{ElementType, TypeClass},
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

thread_local! {
    static ZONE: RefCell<Option<Rc<str>>> = const { RefCell::new(None) };
    /// Has anybody asked, whatever the zone is?
    static ASKED: Cell<bool> = const { Cell::new(false) };
}

/// The zone before, put back at the end.
struct Before(Option<Rc<str>>);

impl Drop for Before {
    fn drop(&mut self) {
        ZONE.set(self.0.take());
    }
}

/// Binds in a zone, and says whether that made a difference, or would in another zone.
pub(super) fn within<T>(zone: Option<&str>, bind: impl FnOnce() -> T) -> (T, bool) {
    let _before = Before(ZONE.replace(zone.map(Rc::from)));
    let asked_before = ASKED.replace(false);
    let bound = bind();
    (bound, ASKED.replace(asked_before))
}

/// The session's zone, where it is not UTC.
fn zone(span: Span) -> Option<Expr> {
    ASKED.set(true);
    let zone = ZONE.with_borrow(Clone::clone)?;
    Some(Expr::constant(Value::Text(zone.to_string()), Type::Text, span))
}

const TEXTS: Type = Type::Array(ElementType::TEXT);

fn is_instants(ty: Type) -> bool {
    matches!(ty, Type::Array(element) if element.class() == TypeClass::TimestampTz)
}

/// A conversion of or to an array of instants: by way of the texts that they are in the zone.
fn converted_array(expr: &Expr, ty: Type, degree: convert::Degree) -> Result<Option<Expr>, Diag> {
    let is_texts =
        |ty: Type| matches!(ty, Type::Text) || matches!(ty, Type::Array(element) if element.class() == TypeClass::Text);
    let (from, to) = (is_instants(expr.ty) && is_texts(ty), is_instants(ty) && is_texts(expr.ty));
    let Some(zone) = zone(expr.span).filter(|_| from || to) else { return Ok(None) };
    let call = |array: Expr, ty| {
        let span = array.span;
        constant::fold(function::call_named("$array_in_zone", vec![zone.clone(), array], ty, span))
    };
    Ok(Some(if from {
        convert::convert(call(expr.clone(), TEXTS), ty, degree)?
    } else {
        call(convert::convert(expr.clone(), TEXTS, degree)?, ty)
    }))
}

/// Instants in an array as texts of the zone, for what prints the elements; anything else, and all in UTC, is unchanged.
pub(super) fn shown(array: Expr) -> Result<Expr, Diag> {
    if !is_instants(array.ty) {
        return Ok(array);
    }
    Ok(converted_array(&array, TEXTS, convert::Degree::Explicit)?.unwrap_or(array))
}

/// A conversion that depends on the zone; `None` for all others.
pub(super) fn converted(expr: &Expr, ty: Type, degree: convert::Degree) -> Result<Option<Expr>, Diag> {
    if is_instants(expr.ty) || is_instants(ty) {
        return converted_array(expr, ty, degree);
    }
    let from = expr.ty.class();
    let depends = match (from, ty.class()) {
        (TypeClass::TimestampTz, to) => {
            matches!(to, TypeClass::Date | TypeClass::Time | TypeClass::Text | TypeClass::Json)
        }
        (TypeClass::Text, to) => to == TypeClass::TimestampTz,
        _ => false,
    };
    if !depends {
        return Ok(None);
    }
    let Some(zone) = zone(expr.span) else { return Ok(None) };
    let span = expr.span;
    let call = |name, args, ty| constant::fold(function::call_named(name, args, ty, span));
    Ok(Some(match ty.class() {
        TypeClass::TimestampTz => call("$instant_in_zone", vec![zone, expr.clone()], Type::TimestampTz),
        TypeClass::Text => call("$text_in_zone", vec![zone, expr.clone()], Type::Text),
        TypeClass::Json => {
            let text = call("$text_in_zone", vec![zone, expr.clone()], Type::Text);
            call("$json_string", vec![text], Type::Json)
        }
        _ => {
            let local = call("timezone", vec![zone, expr.clone()], Type::Timestamp);
            convert::convert(local, ty, degree)?
        }
    }))
}

/// A quoted instant, read in the session's zone; `None` in UTC.
pub(super) fn read(text: &str, span: Span) -> Option<Result<Expr, Diag>> {
    let zone = zone(span)?;
    let text = Expr::constant(Value::Text(text.to_owned()), Type::Text, span);
    let args = vec![zone, text];
    let function =
        function::find("$instant_in_zone", &[TypeClass::Text, TypeClass::Text]).expect("the kernel reads it");
    Some(match constant::evaluate(function, &args, Type::TimestampTz).expect("all arguments are constants") {
        Ok(value) => Ok(Expr::constant(value, Type::TimestampTz, span)),
        Err(fault) => Err(Diag::new(fault.sqlstate(), fault.message(), span)),
    })
}

/// An instant as the local time of the session's zone, for what is asked of its fields; unchanged in UTC.
pub(super) fn local(instant: Expr) -> Expr {
    if instant.ty != Type::TimestampTz {
        return instant;
    }
    match zone(instant.span) {
        Some(zone) => {
            let span = instant.span;
            constant::fold(function::call_named("timezone", vec![zone, instant], Type::Timestamp, span))
        }
        None => instant,
    }
}

/// The instant of a local time of the session's zone.
pub(super) fn instant_of(local: Expr) -> Result<Expr, Diag> {
    match zone(local.span) {
        Some(zone) => {
            let span = local.span;
            Ok(constant::fold(function::call_named("timezone", vec![zone, local], Type::TimestampTz, span)))
        }
        None => convert::convert(local, Type::TimestampTz, convert::Degree::Implicit),
    }
}

/// An instant and an interval that is added on the clocks of the session's zone; `None` in UTC.
pub(super) fn plus(instant: &Expr, interval: &Expr, span: Span) -> Option<Expr> {
    let args = vec![zone(span)?, instant.clone(), interval.clone()];
    Some(constant::fold(function::call_named("$plus_in_zone", args, Type::TimestampTz, span)))
}

/// The zone as a further argument of a function that cuts instants, where it is not UTC.
pub(super) fn argument(span: Span) -> Option<convert::Bound> {
    zone(span).map(convert::Bound::known)
}

/// The zone that a path of SQL/JSON counts in: empty where the path asks for no date or time.
pub(super) fn of_path(path: &Expr, span: Span) -> Expr {
    let asks = match super::literal::value(path) {
        Some(Value::Text(path)) => path.contains("date") || path.contains("time"),
        _ => true,
    };
    let known = |name: &str| Expr::constant(Value::Text(name.to_owned()), Type::Text, span);
    if asks { zone(span).unwrap_or_else(|| known("UTC")) } else { known("") }
}
