//! How do rows of several values compare?
//!
//! Column by column, as the standard says: two rows are equal if all their parts are, and smaller if the first parts that
//! differ are smaller. A comparison of rows becomes ANDs and ORs of comparisons of their parts.

use super::{Binder, convert::Bound, expr::Ctx, function, operator};
use crate::{
    ast::{self, BinaryOp},
    diag::{Diag, code},
    plan::{Expr, ExprKind},
    span::Span,
};
use spectradb_kernel::Type;

/// What is true where the comparison is false.
pub(super) fn negated(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Eq => BinaryOp::Ne,
        BinaryOp::Ne => BinaryOp::Eq,
        BinaryOp::Lt => BinaryOp::Ge,
        BinaryOp::Le => BinaryOp::Gt,
        BinaryOp::Gt => BinaryOp::Le,
        BinaryOp::Ge => BinaryOp::Lt,
        BinaryOp::Or
        | BinaryOp::And
        | BinaryOp::Add
        | BinaryOp::Sub
        | BinaryOp::Mul
        | BinaryOp::Div
        | BinaryOp::Rem
        | BinaryOp::Concat
        | BinaryOp::Arrow
        | BinaryOp::ArrowText => unreachable!("the parser takes only comparisons"),
        BinaryOp::Named(sign) => {
            const PAIRS: [(&str, &str); 4] = [("~~", "!~~"), ("~~*", "!~~*"), ("~", "!~"), ("~*", "!~*")];
            let other = |(one, other): &(&'static str, &'static str)| match sign {
                sign if sign == *one => Some(*other),
                sign if sign == *other => Some(*one),
                _ => None,
            };
            BinaryOp::Named(PAIRS.iter().find_map(other).expect("the parser takes only what matches texts"))
        }
    }
}

fn and(parts: Vec<Expr>) -> Expr {
    Expr::conjunction(parts).expect("a row has parts")
}

fn or(mut parts: Vec<Expr>, span: Span) -> Expr {
    if parts.len() == 1 {
        return parts.pop().expect("there is one");
    }
    let nullable = parts.iter().any(|part| part.nullable);
    Expr { kind: ExprKind::Or(parts), ty: Type::Boolean, nullable, span }
}

impl Binder<'_> {
    /// Both rows' parts, side by side.
    fn sides(
        &mut self,
        left: &[ast::Expr],
        right: &[ast::Expr],
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Vec<(Bound, Bound)>, Diag> {
        if left.len() != right.len() {
            return Err(Diag::new(code::SYNTAX, "unequal number of entries in row expressions", span).help(format!(
                "the left one has {}, the right one {}",
                left.len(),
                right.len()
            )));
        }
        if left.is_empty() {
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, "cannot compare rows of zero length", span));
        }
        let mut sides = Vec::with_capacity(left.len());
        for (left, right) in left.iter().zip(right) {
            sides.push((self.expr(left, ctx)?, self.expr(right, ctx)?));
        }
        Ok(sides)
    }

    /// `(a, b) op (c, d)`
    pub(super) fn compare_rows(
        &mut self,
        op: BinaryOp,
        left: &[ast::Expr],
        right: &[ast::Expr],
        at: Span,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        let sides = self.sides(left, right, span, ctx)?;
        self.compare_sides(op, sides, at, span)
    }

    /// `op` of two rows whose parts stand side by side.
    pub(super) fn compare_sides(
        &mut self,
        op: BinaryOp,
        sides: Vec<(Bound, Bound)>,
        at: Span,
        span: Span,
    ) -> Result<Expr, Diag> {
        let mut compare = |op: BinaryOp, (left, right): &(Bound, Bound)| match op {
            BinaryOp::Named(sign) => self.matched(sign, left.clone(), right.clone(), at, span),
            op => self.compare(operator::sign(op), left.clone(), right.clone(), at, span),
        };
        if let [only] = sides.as_slice() {
            return compare(op, only);
        }
        match op {
            BinaryOp::Eq => {
                let parts = sides.iter().map(|side| compare(op, side)).collect::<Result<_, _>>()?;
                Ok(and(parts))
            }
            BinaryOp::Ne => {
                let parts = sides.iter().map(|side| compare(op, side)).collect::<Result<_, _>>()?;
                Ok(or(parts, span))
            }
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                let strict = match op {
                    BinaryOp::Lt | BinaryOp::Le => BinaryOp::Lt,
                    _ => BinaryOp::Gt,
                };
                let (last, before) = sides.split_last().expect("a row has parts");
                let mut compared = compare(op, last)?;
                for side in before.iter().rev() {
                    let equal = compare(BinaryOp::Eq, side)?;
                    compared = or(vec![compare(strict, side)?, and(vec![equal, compared])], span);
                }
                Ok(compared)
            }
            BinaryOp::Or
            | BinaryOp::And
            | BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Rem
            | BinaryOp::Concat
            | BinaryOp::Arrow
            | BinaryOp::ArrowText
            | BinaryOp::Named(_) => {
                let message = format!("operator does not exist: record {} record", operator::sign(op));
                Err(Diag::new(code::UNDEFINED_FUNCTION, message, at))
            }
        }
    }

    /// `(a, b) IS DISTINCT FROM (c, d)`
    pub(super) fn rows_distinct(
        &mut self,
        left: &[ast::Expr],
        right: &[ast::Expr],
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        let sides = self.sides(left, right, span, ctx)?;
        let mut parts = Vec::with_capacity(sides.len());
        for (left, right) in sides {
            parts.push(self.compare("$is_distinct", left, right, span, span)?);
        }
        Ok(or(parts, span))
    }

    /// `(a, b) IS [NOT] NULL`: are all parts so?
    pub(super) fn row_is_null(
        &mut self,
        parts: &[ast::Expr],
        negated: bool,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        let name = if negated { "$is_not_null" } else { "$is_null" };
        let mut tests = Vec::with_capacity(parts.len());
        for part in parts {
            let bound = self.expr(part, ctx)?;
            let value = self.settled(bound)?;
            tests.push(function::call_named(name, vec![value], Type::Boolean, span));
        }
        Ok(and(tests))
    }

    /// `(a, b) IN ((c, d), (e, f))`
    pub(super) fn row_in_list(
        &mut self,
        needle: &[ast::Expr],
        list: &[ast::Expr],
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        let mut arms = Vec::with_capacity(list.len());
        for item in list {
            let ast::ExprKind::Row(parts) = &item.kind else {
                return Err(Diag::new(code::SYNTAX, "unequal number of entries in row expressions", item.span)
                    .help("each item of the list is a row of as many values"));
            };
            let equal = self.compare_rows(BinaryOp::Eq, needle, parts, item.span, span, ctx)?;
            self.count_copies(&equal, 1)?;
            arms.push(equal);
        }
        Ok(or(arms, span))
    }
}
