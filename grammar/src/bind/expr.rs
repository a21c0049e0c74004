//! What does an expression compute, and of which type?
//!
//! Bottom up, as PostgreSQL does: an operand that is still open (a quoted text, NULL, a parameter) waits for what its
//! neighbours demand. Aggregates and windows become columns far beyond any real one ([`AGGREGATE_BASE`], [`WINDOW_BASE`])
//! until the block that collects them has given them their place.

use super::{
    Binder,
    convert::{Bound, Degree, Open},
    function, literal,
    scope::Scope,
    types,
};
use crate::{
    ast::{self, BinaryOp, ExprKind as Ast, IsTest, Name, UnaryOp},
    diag::{Diag, code},
    plan::{AggregateCall, Expr, ExprKind, WindowCall},
    span::Span,
    stack,
};
use spectradb_kernel::{
    Type, Value,
    func::json::{self, PATH_SEPARATOR},
    ty::TypeClass,
};

/// Column `GROUPING_BASE + i` stands for the block's call `i` of `grouping()`.
pub(super) const GROUPING_BASE: usize = 1 << 40;
/// Column `GIVEN_BASE + i` stands for the statement's value `i` that is given to a group's rows and the same for all of them.
pub(super) const GIVEN_BASE: usize = 1 << 44;
/// Column `AGGREGATE_BASE + i` stands for the block's aggregate `i` until the block is put together.
pub(super) const AGGREGATE_BASE: usize = 1 << 32;
/// Likewise for windows.
pub(super) const WINDOW_BASE: usize = 1 << 48;

/// Where does an expression stand, and what may it use there?
pub(super) struct Ctx<'s> {
    pub(super) scope: &'s Scope,
    /// The clause, as messages call it.
    pub(super) clause: &'static str,
    /// Where aggregates are collected; `None` where they are not allowed.
    pub(super) aggregates: Option<&'s mut Vec<AggregateCall>>,
    /// Where windows are collected; `None` where they are not allowed.
    pub(super) windows: Option<&'s mut Vec<WindowCall>>,
    /// Where calls of `grouping()` are collected; `None` where they are not allowed.
    pub(super) groupings: Option<&'s mut Vec<Vec<Expr>>>,
    /// Names of the select list that stand for expressions where no column is called so.
    pub(super) aliases: &'s [(&'s Name, &'s ast::Expr)],
    /// The windows that have names.
    pub(super) named_windows: &'s [(Name, ast::WindowSpec)],
    /// Within an aggregate's argument?
    pub(super) in_aggregate: bool,
    /// Within a window call?
    pub(super) in_window: bool,
}

impl<'s> Ctx<'s> {
    /// A clause that takes neither aggregates nor windows.
    pub(super) fn plain(scope: &'s Scope, clause: &'static str) -> Ctx<'s> {
        Ctx {
            scope,
            clause,
            aggregates: None,
            windows: None,
            groupings: None,
            aliases: &[],
            named_windows: &[],
            in_aggregate: false,
            in_window: false,
        }
    }
}

impl Binder<'_> {
    /// Binds an expression.
    pub(super) fn expr(&mut self, expr: &ast::Expr, ctx: &mut Ctx<'_>) -> Result<Bound, Diag> {
        stack::deeper(|| self.expr_within(expr, ctx))
    }

    fn expr_within(&mut self, expr: &ast::Expr, ctx: &mut Ctx<'_>) -> Result<Bound, Diag> {
        let span = expr.span;
        Ok(match &expr.kind {
            Ast::Null => Bound { expr: Expr::constant(Value::Null, Type::Text, span), open: Some(Open::Null) },
            Ast::Default => {
                return Err(Diag::new(code::SYNTAX, "DEFAULT is not allowed in this context", span)
                    .help("it stands alone, as a value of INSERT ... VALUES or of UPDATE ... SET"));
            }
            Ast::Boolean(value) => Bound::known(Expr::constant(Value::Boolean(*value), Type::Boolean, span)),
            Ast::Number(text) => Bound::known(literal::number(text, span)?),
            Ast::Text(text) => {
                Bound { expr: Expr::constant(Value::Text(text.clone()), Type::Text, span), open: Some(Open::Text) }
            }
            Ast::Blob(bytes) => Bound::known(Expr::constant(Value::Blob(bytes.clone()), Type::Blob, span)),
            Ast::Typed { ty, text } => {
                let text =
                    Bound { expr: Expr::constant(Value::Text(text.clone()), Type::Text, span), open: Some(Open::Text) };
                let value = self.cast_to(text, types::written(ty)?, span)?;
                Bound::known(cut(ty, value))
            }
            Ast::Path(path) => self.path(path, span, ctx)?,
            Ast::Param(name) => self.params.use_of(name, span)?,
            Ast::Unary { op, operand } => self.unary(*op, operand, span, ctx)?,
            Ast::Binary { .. } => self.binary(expr, ctx)?,
            Ast::Is { operand, test, negated } => Bound::known(self.is(operand, *test, *negated, span, ctx)?),
            Ast::IsDistinct { left, right, negated } => {
                if let (Ast::Row(left), Ast::Row(right)) = (&left.kind, &right.kind) {
                    let distinct = self.rows_distinct(left, right, span, ctx)?;
                    return Ok(Bound::known(if *negated { function::not(distinct) } else { distinct }));
                }
                let (left, right) = (self.expr(left, ctx)?, self.expr(right, ctx)?);
                let distinct = self.compare("$is_distinct", left, right, span, span)?;
                Bound::known(if *negated { function::not(distinct) } else { distinct })
            }
            Ast::InList { operand, list, negated } => Bound::known(self.in_list(operand, list, *negated, span, ctx)?),
            Ast::InQuery { operand, query, negated } => {
                let found = self.in_query(operand, query, span, ctx)?;
                Bound::known(if *negated { function::not(found) } else { found })
            }
            Ast::Between { operand, low, high, symmetric, negated } => {
                let inside = self.between(operand, low, high, *symmetric, span, ctx)?;
                Bound::known(if *negated { function::not(inside) } else { inside })
            }
            Ast::Like { operand, pattern, escape, case_insensitive, negated } => {
                let (operand, pattern) = (self.expr(operand, ctx)?, self.expr(pattern, ctx)?);
                let escape = match escape {
                    Some(escape) => Some(self.expr(escape, ctx)?),
                    None => None,
                };
                let like = self.like(operand, pattern, escape, *case_insensitive, span)?;
                Bound::known(if *negated { function::not(like) } else { like })
            }
            Ast::Case { operand, arms, otherwise } => {
                self.case(operand.as_deref(), arms, otherwise.as_deref(), span, ctx)?
            }
            Ast::Array(items) => Bound::known(self.array(items, span, ctx)?),
            Ast::Subscript { operand, subscripts } => Bound::known(self.subscript(operand, subscripts, span, ctx)?),
            Ast::Cast { operand, ty } if matches!(&operand.kind, Ast::Array(items) if items.is_empty()) => {
                let none = Expr::constant(Value::Text("{}".to_owned()), Type::Text, operand.span);
                let written = types::written(ty)?;
                Bound::known(self.cast_to(Bound { expr: none, open: Some(Open::Text) }, written, span)?)
            }
            Ast::Cast { operand, ty } => {
                let written = types::written(ty)?;
                if let (Ast::Array(items), Type::Array(element)) = (&operand.kind, written) {
                    return self.array_as(items, element, operand.span, ctx).map(Bound::known);
                }
                let operand = self.expr(operand, ctx)?;
                let value = self.cast_to(operand, written, span)?;
                Bound::known(cut(ty, value))
            }
            Ast::Extract { field, operand } => {
                let operand = self.expr(operand, ctx)?;
                Bound::known(self.extract(field, operand, span)?)
            }
            Ast::Call { name, args, star, distinct, more } => {
                let call =
                    super::call::Call { name, args, star: *star, distinct: *distinct, more: more.as_deref(), span };
                self.call(&call, ctx)?
            }
            Ast::Quantified { operand, op, op_span, all, among } => {
                Bound::known(self.quantified(operand, (*op, *op_span), *all, among, span, ctx)?)
            }
            Ast::Period { op, left, right } => Bound::known(self.period_test(*op, left, right, span, ctx)?),
            Ast::Row(_) => {
                let message = "a row of several values is not a value";
                return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, span)
                    .help("a row stands beside =, <, IN, IS NULL and their kin"));
            }
            Ast::EveryItem => return Err(Diag::new(code::SYNTAX, "syntax error at or near \"ALL\"", span)),
            Ast::Exists(query) => Bound::known(self.exists(query, span, ctx)?),
            Ast::Subquery(query) => Bound::known(self.scalar(query, span, ctx)?),
        })
    }

    /// Binds an expression that is a BOOLEAN.
    pub(super) fn condition(&mut self, expr: &ast::Expr, ctx: &mut Ctx<'_>) -> Result<Expr, Diag> {
        let bound = self.expr(expr, ctx)?;
        let clause = ctx.clause;
        self.truth_of(bound, clause)
    }

    fn path(&mut self, path: &[Name], span: Span, ctx: &mut Ctx<'_>) -> Result<Bound, Diag> {
        let (mut expr, fields) = match ctx.scope.resolve(path) {
            Ok(found) if found.is_usable() => (found.expr, found.fields),
            // A table around of that name means more than fields of what has none.
            Ok(found) => match self.outer_path(path)? {
                Some(outer) => outer,
                None => (found.expr, found.fields),
            },
            Err(diag) if !matches!(diag.code, code::UNDEFINED_COLUMN | code::UNDEFINED_TABLE) => return Err(diag),
            Err(diag) => match self.outer_path(path)? {
                Some(found) => found,
                None => return self.alias(path, ctx)?.ok_or(diag),
            },
        };
        if fields.is_empty() {
            expr.span = span;
            return Ok(Bound::known(expr));
        }
        if expr.ty.class() != TypeClass::Json {
            let first = &fields[0];
            return Err(Diag::new(
                code::WRONG_OBJECT_TYPE,
                format!(
                    "field \"{}\" is asked of a value of type {}, which has no fields",
                    first.text,
                    expr.ty.class()
                ),
                first.span,
            )
            .help("only JSON has fields"));
        }
        let keys = json::path(fields.iter().map(|name| name.text.as_str()));
        let keys = Expr::constant(Value::Text(keys), Type::Text, span);
        Ok(Bound::known(function::call_named("$json_get", vec![expr, keys], Type::Json, span)))
    }

    /// A name that is no column but the only item of the select list that is called so.
    fn alias(&mut self, path: &[Name], ctx: &mut Ctx<'_>) -> Result<Option<Bound>, Diag> {
        let [name] = path else { return Ok(None) };
        let all = ctx.aliases;
        let mut found = all.iter().enumerate().filter(|(_, (alias, _))| alias.text == name.text);
        let (Some((at, (_, expr))), None) = (found.next(), found.next()) else { return Ok(None) };
        // What stands for a name may name earlier ones only: so it cannot name itself.
        ctx.aliases = &all[..at];
        let bound = self.expr(expr, ctx);
        ctx.aliases = all;
        let mut bound = bound?;
        self.count_copies(&bound.expr, 1)?;
        bound.expr.span = name.span;
        Ok(Some(bound))
    }

    fn unary(&mut self, op: UnaryOp, operand: &ast::Expr, span: Span, ctx: &mut Ctx<'_>) -> Result<Bound, Diag> {
        match op {
            UnaryOp::Not => {
                let operand = self.expr(operand, ctx)?;
                let operand = self.truth_of(operand, "NOT")?;
                let mut expr = function::not(operand);
                expr.span = span;
                Ok(Bound::known(expr))
            }
            UnaryOp::Minus => {
                // The smallest integer has no positive twin: the sign belongs to the number.
                if let Ast::Number(text) = &operand.kind {
                    let signed = format!("-{text}");
                    return Ok(Bound::known(literal::number(&signed, span)?));
                }
                let operand = self.expr(operand, ctx)?;
                Ok(Bound::known(self.negate(operand, true, span, span)?))
            }
            UnaryOp::Named(sign) => {
                let operand = self.expr(operand, ctx)?;
                Ok(Bound::known(self.named_operator(sign, vec![operand], span, span)?))
            }
            UnaryOp::Plus => {
                let operand = self.expr(operand, ctx)?;
                Ok(Bound::known(self.negate(operand, false, span, span)?))
            }
        }
    }

    /// A chain of operators is walked along its left spine, so that a long one does not nest calls.
    fn binary(&mut self, expr: &ast::Expr, ctx: &mut Ctx<'_>) -> Result<Bound, Diag> {
        let mut spine = Vec::new();
        let mut at = expr;
        while let Ast::Binary { op, op_span, left, right } = &at.kind {
            if matches!((&left.kind, &right.kind), (Ast::Row(_), Ast::Row(_) | Ast::Subquery(_))) {
                break;
            }
            spine.push((*op, *op_span, right, at.span));
            at = left;
        }
        let mut bound = match &at.kind {
            Ast::Binary { op, op_span, left, right }
                if let (Ast::Row(left), Ast::Row(right)) = (&left.kind, &right.kind) =>
            {
                Bound::known(self.compare_rows(*op, left, right, *op_span, at.span, ctx)?)
            }
            Ast::Binary { op, op_span, left, right }
                if let (Ast::Row(left), Ast::Subquery(query)) = (&left.kind, &right.kind) =>
            {
                let mut sides = Vec::with_capacity(left.len());
                let row = self.row_query(query, left.len(), right.span, ctx)?;
                for (part, value) in left.iter().zip(row) {
                    sides.push((self.expr(part, ctx)?, Bound::known(value)));
                }
                Bound::known(self.compare_sides(*op, sides, *op_span, at.span)?)
            }
            _ => self.expr(at, ctx)?,
        };
        while let Some((op, op_span, right, span)) = spine.pop() {
            let right = self.expr(right, ctx)?;
            bound = Bound::known(self.apply(op, bound, right, op_span, span)?);
        }
        Ok(bound)
    }

    fn apply(&mut self, op: BinaryOp, left: Bound, right: Bound, at: Span, whole: Span) -> Result<Expr, Diag> {
        match op {
            BinaryOp::And | BinaryOp::Or => {
                let name = super::operator::sign(op);
                let left = self.truth_of(left, name)?;
                let right = self.truth_of(right, name)?;
                let nullable = left.nullable || right.nullable;
                let is_and = op == BinaryOp::And;
                let mut arms = Vec::with_capacity(2);
                for arm in [left, right] {
                    match arm.kind {
                        ExprKind::And(inner) if is_and => arms.extend(inner),
                        ExprKind::Or(inner) if !is_and => arms.extend(inner),
                        kind => arms.push(Expr { kind, ..arm }),
                    }
                }
                let kind = if is_and { ExprKind::And(arms) } else { ExprKind::Or(arms) };
                Ok(Expr { kind, ty: Type::Boolean, nullable, span: whole })
            }
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                self.compare(super::operator::sign(op), left, right, at, whole)
            }
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => {
                self.arithmetic(op, left, right, at, whole)
            }
            BinaryOp::Concat => self.concat(left, right, at, whole),
            BinaryOp::Arrow | BinaryOp::ArrowText => self.arrow(op, left, right, at, whole),
            BinaryOp::Named(sign) if sign.contains('~') => self.matched(sign, left, right, at, whole),
            BinaryOp::Named(sign) => self.named_operator(sign, vec![left, right], at, whole),
        }
    }

    /// `json -> key`, `json ->> key`
    pub(super) fn arrow(
        &mut self,
        op: BinaryOp,
        left: Bound,
        right: Bound,
        at: Span,
        whole: Span,
    ) -> Result<Expr, Diag> {
        let key_class = right.class().unwrap_or(TypeClass::Text);
        let left_fits = left.class().is_none_or(|class| class == TypeClass::Json);
        if !left_fits || !matches!(key_class, TypeClass::Text | TypeClass::Integer) {
            return Err(super::operator::no_operator(super::operator::sign(op), &left, &right, at));
        }
        let ty = if left.open.is_none() { left.expr.ty } else { Type::Json };
        let left = self.coerce(left, ty, Degree::Implicit)?;
        // A number is an element's place, a text a field's name, whatever either looks like.
        let name = match key_class {
            TypeClass::Integer if ty == Type::Jsonb => "$jsonb_item",
            TypeClass::Integer => "$json_item",
            _ => "$json_field",
        };
        let is_plain = |key: &str| key.parse::<i64>().is_err() && !key.contains(PATH_SEPARATOR);
        let (name, right) = match key_class {
            TypeClass::Integer => (name, self.coerce(right, Type::Integer, Degree::Implicit)?),
            _ => {
                let key = self.coerce(right, Type::Text, Degree::Implicit)?;
                // A field that a document has by this name alone is a path of one key.
                let is_path = matches!(literal::value(&key), Some(Value::Text(key)) if is_plain(key));
                (if is_path { "$json_get" } else { name }, key)
            }
        };
        let field = function::call_named(name, vec![left, right], ty, whole);
        Ok(match op {
            BinaryOp::ArrowText => function::call_named("$json_text", vec![field], Type::Text, whole),
            _ => field,
        })
    }

    fn is(
        &mut self,
        operand: &ast::Expr,
        test: IsTest,
        negated: bool,
        span: Span,
        ctx: &mut Ctx<'_>,
    ) -> Result<Expr, Diag> {
        if let (Ast::Row(parts), IsTest::Null) = (&operand.kind, test) {
            return self.row_is_null(parts, negated, span, ctx);
        }
        let operand = self.expr(operand, ctx)?;
        let name = match test {
            IsTest::Null => {
                let operand = self.settled(operand)?;
                let name = if negated { "$is_not_null" } else { "$is_null" };
                return Ok(function::call_named(name, vec![operand], Type::Boolean, span));
            }
            IsTest::True => "$is_true",
            IsTest::False => "$is_false",
            IsTest::Unknown => "$is_unknown",
        };
        let operand = self.truth_of(operand, "IS")?;
        let expr = function::call_named(name, vec![operand], Type::Boolean, span);
        Ok(if negated { function::not(expr) } else { expr })
    }

    /// `x::type`
    pub(super) fn cast_to(&mut self, operand: Bound, ty: Type, span: Span) -> Result<Expr, Diag> {
        let mut expr = self.coerce(operand, ty, Degree::Explicit)?;
        // A column that needs no cast keeps its own place: messages about it point at the column.
        if !matches!(expr.kind, ExprKind::Column(_)) {
            expr.span = span;
        }
        Ok(expr)
    }
}

/// What is cast to an interval of some fields is cut to them.
fn cut(ty: &ast::TypeName, value: Expr) -> Expr {
    if let Some(finest) = types::finest_field(ty)
        && !ty.array
    {
        let span = value.span;
        let unit = Expr::constant(Value::Text(finest.to_owned()), Type::Text, span);
        return super::constant::fold(function::call_named("date_trunc", vec![unit, value], Type::Interval, span));
    }
    value
}
