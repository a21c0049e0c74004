//! Which rows around a row does a window's frame name?
//!
//! Bounds in ROWS and GROUPS are numbers; those in RANGE become the value that the order's key has at the edge, so that who
//! carries it out only compares. An edge is exact: over integers it is a decimal, which holds what lies beyond both ends; a
//! day's is the first or the last day within; NUMERIC keys with digits are ordered as those without. Infinities and NaN are
//! PostgreSQL's: where an infinity less itself has no value, all numbers lie within.
//!
//! Not here: the window around the frame (`window`), and comparing (the operators).

use super::{
    Binder,
    convert::{Bound, Degree},
    expr::Ctx,
    function, literal,
    predicate::case_of,
    temporal::names_columns,
};
use crate::{
    ast::{self, BinaryOp},
    diag::{Diag, code},
    plan::{Expr, Frame, FrameBound, FrameUnit, SortKey},
    span::Span,
};
use spectradb_kernel::{Type, Value, big_numeric::BigNumeric, interval::Interval, ty::TypeClass};

/// What a frame's edge is of.
struct Edge {
    /// The row's own key.
    key: Expr,
    /// Does it go down from the key?
    back: bool,
    /// Is it compared from below, so that what has no value is the least one?
    low: bool,
    span: Span,
}

impl Binder<'_> {
    /// The frame of a window over rows in this order.
    pub(super) fn frame(
        &mut self,
        frame: &ast::Frame,
        order: &mut [SortKey],
        spec: &ast::WindowSpec,
        ctx: &mut Ctx<'_>,
    ) -> Result<Frame, Diag> {
        use ast::FrameBound as Written;
        let invalid = |message: &str| Err(Diag::new(code::WINDOWING, message, frame.span));
        match (&frame.start, &frame.end) {
            (Written::UnboundedFollowing, _) => return invalid("frame start cannot be UNBOUNDED FOLLOWING"),
            (_, Written::UnboundedPreceding) => return invalid("frame end cannot be UNBOUNDED PRECEDING"),
            (Written::CurrentRow, Written::Preceding(_)) => {
                return invalid("frame starting from current row cannot have preceding rows");
            }
            (Written::Following(_), Written::CurrentRow | Written::Preceding(_)) => {
                return invalid("frame starting from following row cannot end before it");
            }
            (_, _) => {}
        }
        if frame.unit == FrameUnit::Groups && order.is_empty() {
            return invalid("GROUPS mode requires an ORDER BY clause");
        }
        let start = self.frame_bound(&frame.start, true, frame, order, spec, ctx)?;
        let end = self.frame_bound(&frame.end, false, frame, order, spec, ctx)?;
        Ok(Frame { unit: frame.unit, start, end, exclude: frame.exclude })
    }

    fn frame_bound(
        &mut self,
        bound: &ast::FrameBound,
        is_start: bool,
        frame: &ast::Frame,
        order: &mut [SortKey],
        spec: &ast::WindowSpec,
        ctx: &mut Ctx<'_>,
    ) -> Result<FrameBound, Diag> {
        let (by, preceding) = match bound {
            ast::FrameBound::UnboundedPreceding => return Ok(FrameBound::UnboundedPreceding),
            ast::FrameBound::CurrentRow => return Ok(FrameBound::CurrentRow),
            ast::FrameBound::UnboundedFollowing => return Ok(FrameBound::UnboundedFollowing),
            ast::FrameBound::Preceding(by) => (by, true),
            ast::FrameBound::Following(by) => (by, false),
        };
        let clause = match frame.unit {
            FrameUnit::Rows => "ROWS",
            FrameUnit::Range => "RANGE",
            FrameUnit::Groups => "GROUPS",
        };
        // What a block around has is the same for all rows of this one.
        let offset = match names_columns(by) && !self.outer.is_empty() {
            true => {
                let bound = self.expr(by, &mut Ctx::plain(ctx.scope, clause))?;
                if bound.expr.has_columns() { self.fixed_expr(by, clause)? } else { bound }
            }
            false => self.fixed_expr(by, clause)?,
        };
        if let Some(Value::Null) = literal::value(&offset.expr)
            && offset.open.is_none()
        {
            let message = format!("frame {} offset must not be null", if preceding { "starting" } else { "ending" });
            return Err(Diag::new(code::NULL_NOT_ALLOWED, message, by.span));
        }
        let edge = match frame.unit {
            FrameUnit::Rows | FrameUnit::Groups => {
                let offset = self.coerce(offset, Type::Integer, Degree::Implicit)?;
                not_negative(&offset, by.span)?;
                offset
            }
            FrameUnit::Range => {
                let ([key], [item]) = (order, spec.order_by.as_slice()) else {
                    let message = "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column";
                    return Err(Diag::new(code::WINDOWING, message, frame.span));
                };
                let value = self.expr(&item.expr, ctx)?;
                let value = self.settled(value)?;
                let back = preceding != key.descending;
                let edge = Edge { key: value, back, low: is_start != key.descending, span: by.span };
                self.edge(edge, offset, key)?
            }
        };
        let edge = Box::new(edge);
        Ok(if preceding { FrameBound::Preceding(edge) } else { FrameBound::Following(edge) })
    }

    /// The value of a key at the edge of a RANGE.
    fn edge(&mut self, edge: Edge, offset: Bound, key: &mut SortKey) -> Result<Expr, Diag> {
        let Edge { key: value, back, low, span } = edge;
        let op = if back { BinaryOp::Sub } else { BinaryOp::Add };
        let by = match value.ty.class() {
            TypeClass::Integer => Type::Integer,
            TypeClass::Real => Type::Real,
            TypeClass::Numeric | TypeClass::BigNumeric => Type::BigNumeric,
            TypeClass::Date | TypeClass::Timestamp | TypeClass::TimestampTz | TypeClass::Time | TypeClass::Interval => {
                Type::Interval
            }
            TypeClass::Boolean
            | TypeClass::Text
            | TypeClass::Blob
            | TypeClass::Json
            | TypeClass::Uuid
            | TypeClass::Array => return Err(unsupported(value.ty, None, span)),
        };
        let offset = match offset.class() {
            Some(class) if !takes(by, class) => return Err(unsupported(value.ty, Some(class), span)),
            Some(_) | None => self.coerce(offset, by, Degree::Implicit)?,
        };
        match literal::value(&offset) {
            Some(Value::Interval(by)) if value.ty.class() == TypeClass::Time => {
                let by = Interval::new(0, 0, by.micros()).expect("it has less parts");
                not_negative(&Expr::constant(Value::Interval(by), Type::Interval, span), span)?;
            }
            _ => not_negative(&offset, span)?,
        }
        let truth = |is: bool| Expr::constant(Value::Boolean(is), Type::Boolean, span);
        let plain =
            |binder: &mut Self, value: Expr, ty: Type| binder.coerce(Bound::known(value), ty, Degree::Assignment);
        Ok(match value.ty.class() {
            TypeClass::Integer => {
                let value = plain(self, value, Type::Integer)?;
                let ty = TypeClass::Numeric.plain_type();
                function::call_named("$frame_edge", vec![value, offset, truth(back)], ty, span)
            }
            TypeClass::Real => {
                let value = plain(self, value, Type::Real)?;
                let args = vec![value, offset, truth(back), truth(low)];
                function::call_named("$frame_edge", args, Type::Real, span)
            }
            TypeClass::Time => function::call_named("$frame_edge", vec![value, offset, truth(back)], Type::Time, span),
            TypeClass::Numeric | TypeClass::BigNumeric => {
                let own = key.expr.clone();
                key.expr = plain(self, own, Type::BigNumeric)?;
                let value = plain(self, value, Type::BigNumeric)?;
                let edge = self.arithmetic(op, Bound::known(value.clone()), Bound::known(offset), span, span)?;
                let number = |text: &str| {
                    let number: BigNumeric = text.parse().expect("it is a number");
                    Expr::constant(Value::BigNumeric(number), Type::BigNumeric, span)
                };
                let is = |name: &str, value: &Expr| {
                    function::call_named(name, vec![value.clone(), number("NaN")], Type::Boolean, span)
                };
                let has_none = Expr {
                    kind: crate::plan::ExprKind::And(vec![is("<>", &value), is("=", &edge)]),
                    ty: Type::Boolean,
                    nullable: value.nullable,
                    span,
                };
                let all = number(if low { "-Infinity" } else { "Infinity" });
                case_of(vec![(has_none, all)], edge, span)
            }
            TypeClass::Date => {
                let mut edge = self.arithmetic(op, Bound::known(value), Bound::known(offset), span, span)?;
                if low {
                    // The first day that begins at the edge or later.
                    let rest = Interval::new(0, 0, 86_400_000_000 - 1).expect("it is less than a day");
                    let rest = Expr::constant(Value::Interval(rest), Type::Interval, span);
                    edge = self.arithmetic(BinaryOp::Add, Bound::known(edge), Bound::known(rest), span, span)?;
                }
                plain(self, edge, Type::Date)?
            }
            _ => self.arithmetic(op, Bound::known(value), Bound::known(offset), span, span)?,
        })
    }
}

/// May an offset of this class become one of the type?
fn takes(by: Type, class: TypeClass) -> bool {
    match by {
        Type::Integer => class == TypeClass::Integer,
        Type::Real => {
            matches!(class, TypeClass::Integer | TypeClass::Real | TypeClass::Numeric | TypeClass::BigNumeric)
        }
        Type::BigNumeric => matches!(class, TypeClass::Integer | TypeClass::Numeric | TypeClass::BigNumeric),
        _ => class == TypeClass::Interval,
    }
}

fn unsupported(key: Type, offset: Option<TypeClass>, span: Span) -> Diag {
    let message = format!("RANGE with offset PRECEDING/FOLLOWING is not supported for column type {key}");
    let diag = |message: String| Diag::new(code::FEATURE_NOT_SUPPORTED, message, span);
    match offset {
        None => diag(message),
        Some(offset) => {
            diag(format!("{message} and offset type {}", offset.name())).help("cast the offset to a type that fits")
        }
    }
}

/// Refuses a constant below zero, and one that is no number.
fn not_negative(offset: &Expr, span: Span) -> Result<(), Diag> {
    let negative = match literal::value(offset) {
        Some(Value::Integer(by)) => *by < 0,
        Some(Value::Numeric(by)) => by.units < 0,
        Some(Value::BigNumeric(by)) => by.is_nan() || by.is_negative(),
        Some(Value::Real(by)) => *by < 0.0 || by.is_nan(),
        Some(Value::Interval(by)) => by.span() < 0,
        _ => false,
    };
    if negative {
        let message = "frame offset must not be negative";
        return Err(Diag::new(code::INVALID_FRAME, message, span));
    }
    Ok(())
}
