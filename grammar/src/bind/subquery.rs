//! What does a subquery within an expression compute?
//!
//! It becomes a subplan. One that names nothing around it is run once; one that does has arguments, and `unnest` makes a
//! join of it. `x op ANY (query)` and rows among rows are a condition over the subplan's columns and their arguments: they
//! are true if it is true of a row, unknown if it is unknown of one, and false otherwise, which settles NULLs as SQL does.

use super::{
    Binder,
    convert::{Bound, Degree, meet},
    expr::Ctx,
    function,
    operator::is_json_beside,
    outer::argument,
    row,
};
use crate::{
    ast::{self, Among, BinaryOp},
    diag::{Diag, code},
    plan::{Expr, ExprKind, Node, SubplanAsk},
    span::Span,
};
use spectradb_kernel::{Type, ty::TypeClass};

impl Binder<'_> {
    fn subquery(&mut self, query: &ast::Query, around: &mut Ctx<'_>) -> Result<(Node, Vec<Expr>), Diag> {
        self.within(around, |binder| binder.query(query, None))
    }

    fn push_subplan(&mut self, node: Node) -> usize {
        self.subplans.push(node);
        self.subplans.len() - 1
    }

    /// A subplan that is one with an earlier one of the same text and the same plan, so that `GROUP BY (SELECT ..)` knows it again.
    fn same_subplan(&mut self, node: Node, place: Span) -> usize {
        let text = place.of(self.sql);
        let earlier = self.subplan_texts.iter().filter(|(other, _)| *other == text).map(|(_, at)| *at);
        let earlier: Vec<usize> = earlier.filter(|at| *at < self.subplans.len()).collect();
        if !earlier.is_empty() && !super::with::is_by_chance(&node) {
            let types = |node: &Node| node.fields.iter().map(|field| (field.ty, field.nullable)).collect::<Vec<_>>();
            let is_it = |other: &Node| types(other) == types(&node) && other.shown() == node.shown();
            if let Some(at) = earlier.into_iter().find(|at| is_it(&self.subplans[*at])) {
                return at;
            }
        }
        let at = self.push_subplan(node);
        self.subplan_texts.push((text, at));
        at
    }

    pub(super) fn exists(&mut self, query: &ast::Query, span: Span, around: &mut Ctx<'_>) -> Result<Expr, Diag> {
        let (node, args) = self.subquery(query, around)?;
        let subplan_idx = self.same_subplan(node, query.span);
        let kind = ExprKind::Subplan { subplan_idx, ask: SubplanAsk::Exists, args };
        Ok(Expr { kind, ty: Type::Boolean, nullable: false, span })
    }

    pub(super) fn scalar(&mut self, query: &ast::Query, span: Span, around: &mut Ctx<'_>) -> Result<Expr, Diag> {
        let (node, args) = self.subquery(query, around)?;
        let ty = one_column(&node, query.span)?;
        let subplan_idx = self.same_subplan(node, query.span);
        Ok(Expr { kind: ExprKind::Subplan { subplan_idx, ask: SubplanAsk::Scalar, args }, ty, nullable: true, span })
    }

    /// The values of a query's only row, each asked by itself.
    pub(super) fn row_query(
        &mut self,
        query: &ast::Query,
        wanted: usize,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Vec<Expr>, Diag> {
        let (node, args) = self.subquery(query, ctx)?;
        if node.fields.len() != wanted {
            return Err(wrong_width(wanted, node.fields.len(), query.span));
        }
        let mut values = Vec::with_capacity(wanted);
        for (at, field) in node.fields.iter().enumerate() {
            let column = (field.name.clone(), node.column(at, span));
            let subplan_idx = self.push_subplan(node.clone().project(vec![column]));
            let kind = ExprKind::Subplan { subplan_idx, ask: SubplanAsk::Scalar, args: args.clone() };
            values.push(Expr { kind, ty: field.ty, nullable: true, span });
        }
        Ok(values)
    }

    /// `x IN (query)`, `(x, y) IN (query)`
    pub(super) fn in_query(
        &mut self,
        operand: &ast::Expr,
        query: &ast::Query,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        if let ast::ExprKind::Row(_) = operand.kind {
            return self.any(operand, (BinaryOp::Eq, span), query, span, ctx);
        }
        let needle = self.expr(operand, ctx)?;
        let (node, args) = self.subquery(query, ctx)?;
        if !args.is_empty() {
            return self.any_of(vec![needle], (BinaryOp::Eq, span), (node, args), query.span, span);
        }
        self.in_set(needle, node, query.span, span)
    }

    /// Is the needle among the values of a subplan that is run once?
    fn in_set(&mut self, needle: Bound, mut node: Node, place: Span, span: Span) -> Result<Expr, Diag> {
        let ty = one_column(&node, place)?;
        let class = match needle.class() {
            None if ty.class() == TypeClass::Json && !is_json_beside(&node.column(0, place), &needle) => {
                TypeClass::Text
            }
            None => ty.class(),
            Some(class) => meet(class, ty.class()).ok_or_else(|| {
                let message = format!("operator does not exist: {class} = {}", ty.class());
                Diag::new(code::UNDEFINED_FUNCTION, message, span).help("cast one of the sides")
            })?,
        };
        let column = Bound::known(node.column(0, place));
        let (mut needle, mut values) = if class == TypeClass::Array {
            let ty = self.common_type([&needle, &column], "IN")?;
            (self.coerce(needle, ty, Degree::Implicit)?, self.coerce(column, ty, Degree::Implicit)?)
        } else {
            let needle = self.coerce_class(needle, class, Degree::Implicit)?;
            (needle, self.coerce_class(column, class, Degree::Implicit)?)
        };
        if class == TypeClass::Numeric {
            let both = super::convert::numeric_meet([needle.ty, values.ty]);
            needle = super::convert::convert(needle, both, Degree::Implicit)?;
            values = super::convert::convert(values, both, Degree::Implicit)?;
        }
        if !matches!(values.kind, ExprKind::Column(_)) {
            let name = node.fields[0].name.clone();
            node = node.project(vec![(name, values)]);
        }
        let nullable = needle.nullable || node.fields[0].nullable;
        let subplan_idx = self.same_subplan(node, place);
        let kind = ExprKind::Subplan { subplan_idx, ask: SubplanAsk::In(Box::new(needle)), args: Vec::new() };
        Ok(Expr { kind, ty: Type::Boolean, nullable, span })
    }

    /// `x op ANY (..)`, `x op ALL (..)`
    pub(super) fn quantified(
        &mut self,
        operand: &ast::Expr,
        (op, op_span): (BinaryOp, Span),
        all: bool,
        among: &Among,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        match among {
            Among::Query(query) if all => {
                // All are so if none is otherwise.
                let otherwise = self.any(operand, (row::negated(op), op_span), query, span, ctx)?;
                Ok(function::not(otherwise))
            }
            Among::Query(query) if op == BinaryOp::Eq => self.in_query(operand, query, span, ctx),
            Among::Query(query) => self.any(operand, (op, op_span), query, span, ctx),
            Among::Array(array) => {
                let operand = self.expr(operand, ctx)?;
                let array = self.expr(array, ctx)?;
                self.array_among(operand, op, all, array, span)
            }
        }
    }

    fn any(
        &mut self,
        operand: &ast::Expr,
        op: (BinaryOp, Span),
        query: &ast::Query,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        let mut needles = Vec::new();
        match &operand.kind {
            ast::ExprKind::Row(parts) => {
                for part in parts {
                    needles.push(self.expr(part, ctx)?);
                }
            }
            _ => needles.push(self.expr(operand, ctx)?),
        }
        let subquery = self.subquery(query, ctx)?;
        self.any_of(needles, op, subquery, query.span, span)
    }

    /// Is the comparison true of a row of the subplan?
    fn any_of(
        &mut self,
        needles: Vec<Bound>,
        (op, op_span): (BinaryOp, Span),
        (node, mut args): (Node, Vec<Expr>),
        place: Span,
        span: Span,
    ) -> Result<Expr, Diag> {
        if node.fields.len() != needles.len() {
            return Err(wrong_width(needles.len(), node.fields.len(), place));
        }
        let mut sides = Vec::with_capacity(needles.len());
        for (column, needle) in needles.into_iter().enumerate() {
            let value = node.column(column, place);
            let needle = match needle.open {
                Some(_) if value.ty.class() == TypeClass::Json && !is_json_beside(&value, &needle) => {
                    self.coerce(needle, Type::Text, Degree::Implicit)?
                }
                Some(_) if value.ty.class() == TypeClass::Array => self.coerce(needle, value.ty, Degree::Implicit)?,
                Some(_) => self.coerce_class(needle, value.ty.class(), Degree::Implicit)?,
                None => needle.expr,
            };
            let arg = argument(&mut args, &needle);
            let needle = Expr { kind: ExprKind::Outer(arg), ..needle };
            sides.push((Bound::known(needle), Bound::known(value)));
        }
        let condition = self.compare_sides(op, sides, op_span, span)?;
        let nullable = condition.nullable;
        let subplan_idx = self.same_subplan(node, place);
        let kind = ExprKind::Subplan { subplan_idx, ask: SubplanAsk::Any(Box::new(condition)), args };
        Ok(Expr { kind, ty: Type::Boolean, nullable, span })
    }
}

fn wrong_width(wanted: usize, given: usize, place: Span) -> Diag {
    let message = match wanted {
        1 => "subquery must return only one column",
        _ if given > wanted => "subquery has too many columns",
        _ => "subquery has too few columns",
    };
    Diag::new(code::SYNTAX, message, place).help(format!("it returns {given}"))
}

fn one_column(node: &Node, span: Span) -> Result<Type, Diag> {
    match node.fields.as_slice() {
        [field] => Ok(field.ty),
        fields => {
            let message = "subquery must return only one column";
            Err(Diag::new(code::SYNTAX, message, span).help(format!("it returns {}", fields.len())))
        }
    }
}
