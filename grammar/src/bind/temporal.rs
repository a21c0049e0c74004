//! Which part of both times does a scan read?
//!
//! A table's own scope wins over the short forms of its block, those over the blocks around; where nothing is said, system
//! time is the latest and valid time is now. Points are constants, parameters and contexts; a point that names columns of
//! earlier tables is handed back to the FROM, which makes a join of it.
//!
//! Holds: system points are INTEGER (commits) or TIMESTAMP, valid points are TIMESTAMP.
//! Not here: what a point means at run time (the future is an error there).

use super::{
    Binder, constant,
    convert::{Bound, Degree, Open},
    expr::Ctx,
    literal,
    scope::Scope,
};
use crate::{
    ast::{self, ScopeKind},
    diag::{Diag, code},
    plan::{Context, Expr, ExprKind, SystemScope, ValidScope},
    span::Span,
};
use spectradb_kernel::{
    Type, Value,
    time::{Commit, Timestamp},
    ty::TypeClass,
};

/// The scopes that short forms have set for a block.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Times {
    pub(super) system: Option<SystemScope>,
    pub(super) valid: Option<ValidScope>,
}

/// The scope of one table on one time, or the point of earlier tables that it must match.
pub(super) enum TableScope<S> {
    /// A scope.
    Fixed(S),
    /// A TIMESTAMP over the columns to the left.
    Point(Expr),
}

/// `now()` as a scope's point.
pub(super) fn now(span: Span) -> Expr {
    Expr { kind: ExprKind::Context(Context::Now), ty: Type::Timestamp, nullable: false, span }
}

/// The commit that a scope names as a plain number.
pub(super) fn literal_commit(scope: &SystemScope) -> Option<Commit> {
    match scope {
        SystemScope::AsOf(at) => match literal::value(at) {
            Some(Value::Integer(commit)) => Commit::try_from(*commit).ok(),
            _ => None,
        },
        SystemScope::Latest | SystemScope::Range { .. } | SystemScope::All => None,
    }
}

impl Binder<'_> {
    /// The scopes of a block: its own, or those around it.
    pub(super) fn block_times(&mut self, scopes: &ast::Scopes) -> Result<Times, Diag> {
        let mut times = self.times.clone();
        if let Some(scope) = &scopes.system {
            times.system = Some(self.system_scope(scope)?);
        }
        if let Some(scope) = &scopes.valid {
            times.valid = Some(self.valid_scope(scope)?);
        }
        Ok(times)
    }

    /// The system scope of a table.
    pub(super) fn table_system(
        &mut self,
        scopes: &ast::Scopes,
        left: Option<&Scope>,
    ) -> Result<TableScope<SystemScope>, Diag> {
        let Some(scope) = &scopes.system else {
            return Ok(TableScope::Fixed(self.times.system.clone().unwrap_or(SystemScope::Latest)));
        };
        if let (ScopeKind::AsOf(at), Some(left)) = (&scope.kind, left)
            && let Some(bound) = self.lateral_point(at, left)?
        {
            if bound.expr.ty == Type::Integer {
                return Err(Diag::new(
                    code::FEATURE_NOT_SUPPORTED,
                    "a commit number that is a column is not supported in AS OF",
                    at.span,
                )
                .help("use a TIMESTAMP of system time"));
            }
            return self.instant_of(bound, "FOR SYSTEM_TIME AS OF").map(TableScope::Point);
        }
        self.system_scope(scope).map(TableScope::Fixed)
    }

    /// The valid scope of a table.
    pub(super) fn table_valid(
        &mut self,
        scopes: &ast::Scopes,
        left: Option<&Scope>,
        span: Span,
    ) -> Result<TableScope<ValidScope>, Diag> {
        let Some(scope) = &scopes.valid else {
            let inherited = self.times.valid.clone();
            return Ok(TableScope::Fixed(inherited.unwrap_or_else(|| ValidScope::At(now(span)))));
        };
        if let (ScopeKind::AsOf(at), Some(left)) = (&scope.kind, left)
            && let Some(bound) = self.lateral_point(at, left)?
        {
            return self.instant_of(bound, "FOR VALID_TIME AS OF").map(TableScope::Point);
        }
        self.valid_scope(scope).map(TableScope::Fixed)
    }

    /// A point that reads columns of earlier tables; `None` for one that does not.
    fn lateral_point(&mut self, at: &ast::Expr, left: &Scope) -> Result<Option<Bound>, Diag> {
        if !names_columns(at) {
            return Ok(None);
        }
        let mut ctx = Ctx::plain(left, "the point of AS OF");
        self.expr(at, &mut ctx).map(Some)
    }

    fn system_scope(&mut self, scope: &ast::Scope) -> Result<SystemScope, Diag> {
        Ok(match &scope.kind {
            ScopeKind::AsOf(at) => SystemScope::AsOf(self.system_point(at)?),
            ScopeKind::FromTo(from, to) => {
                SystemScope::Range { from: self.system_point(from)?, to: self.system_point(to)?, to_included: false }
            }
            ScopeKind::Between(from, to) => {
                SystemScope::Range { from: self.system_point(from)?, to: self.system_point(to)?, to_included: true }
            }
            ScopeKind::All => SystemScope::All,
        })
    }

    fn valid_scope(&mut self, scope: &ast::Scope) -> Result<ValidScope, Diag> {
        Ok(match &scope.kind {
            ScopeKind::AsOf(at) => ValidScope::At(self.instant(at, "VALID AT")?),
            ScopeKind::FromTo(from, to) => ValidScope::Range {
                from: self.instant(from, "FOR VALID_TIME")?,
                to: self.instant(to, "FOR VALID_TIME")?,
                to_included: false,
            },
            ScopeKind::Between(from, to) => ValidScope::Range {
                from: self.instant(from, "FOR VALID_TIME")?,
                to: self.instant(to, "FOR VALID_TIME")?,
                to_included: true,
            },
            ScopeKind::All => ValidScope::All,
        })
    }

    /// An expression that is the same for the whole statement.
    pub(super) fn fixed_expr(&mut self, expr: &ast::Expr, clause: &'static str) -> Result<Bound, Diag> {
        let scope = Scope::default();
        if names_columns(expr) {
            return Err(Diag::new(
                code::INVALID_COLUMN_REFERENCE,
                format!("{clause} takes a constant expression or a parameter, not a column"),
                expr.span,
            ));
        }
        let mut ctx = Ctx::plain(&scope, clause);
        let mut bound = self.expr(expr, &mut ctx)?;
        if bound.expr.has_subplans() {
            return Err(Diag::new(
                code::FEATURE_NOT_SUPPORTED,
                format!("a subquery in {clause} is not supported"),
                expr.span,
            )
            .help("run the subquery first and give its value as a parameter"));
        }
        bound.expr = constant::fold(bound.expr);
        Ok(bound)
    }

    fn system_point(&mut self, at: &ast::Expr) -> Result<Expr, Diag> {
        let clause = "AS OF";
        let bound = self.fixed_expr(at, clause)?;
        let point = match (bound.open, bound.class()) {
            (Some(Open::Param), _) => self.coerce(bound, Type::Integer, Degree::Implicit)?,
            (Some(Open::Text), _) | (_, Some(TypeClass::Date | TypeClass::TimestampTz)) => {
                self.coerce(bound, Type::Timestamp, Degree::Assignment)?
            }
            (None, Some(TypeClass::Integer | TypeClass::Timestamp)) => bound.expr,
            (Some(Open::Null), _) | (None, _) => {
                let message = format!("{clause} takes a commit number or a timestamp, not type {}", bound.type_name());
                return Err(Diag::new(code::DATATYPE_MISMATCH, message, at.span));
            }
        };
        if let Some(Value::Integer(..0)) = literal::value(&point) {
            let message = "a commit number is not negative";
            return Err(Diag::new(code::INVALID_PARAMETER, message, at.span).help("the empty database is commit 0"));
        }
        Ok(point)
    }

    /// A point of valid time: an instant, a day, or microseconds as a number.
    pub(super) fn instant(&mut self, at: &ast::Expr, clause: &'static str) -> Result<Expr, Diag> {
        let bound = self.fixed_expr(at, clause)?;
        if let (None, Some(Value::Integer(micros))) = (bound.open, literal::value(&bound.expr)) {
            let micros = Value::Timestamp(Timestamp(*micros));
            return Ok(Expr::constant(micros, Type::Timestamp, at.span));
        }
        self.instant_of(bound, clause)
    }

    fn instant_of(&mut self, bound: Bound, clause: &str) -> Result<Expr, Diag> {
        match (bound.open, bound.class()) {
            (Some(Open::Text | Open::Param), _)
            | (None, Some(TypeClass::Date | TypeClass::Timestamp | TypeClass::TimestampTz)) => {
                self.coerce(bound, Type::Timestamp, Degree::Assignment)
            }
            (Some(Open::Null), _) | (None, _) => {
                let message =
                    format!("{clause} takes a timestamp, a date or microseconds, not type {}", bound.type_name());
                Err(Diag::new(code::DATATYPE_MISMATCH, message, bound.span()))
            }
        }
    }

    /// The ends of a written period: TIMESTAMPs, infinity where no end is said.
    ///
    /// # Errors
    /// Both ends are known and nothing lies between them (22000).
    pub(super) fn period(&mut self, period: &ast::ValidPeriod, clause: &'static str) -> Result<(Expr, Expr), Diag> {
        let from = self.instant(&period.from, clause)?;
        let to = match &period.to {
            Some(to) => self.instant(to, clause)?,
            None => infinity(period.span),
        };
        if let (Some(Value::Timestamp(begin)), Some(Value::Timestamp(end))) =
            (literal::value(&from), literal::value(&to))
            && begin >= end
        {
            let message =
                format!("the period from {begin} to {end} is {}", if begin == end { "empty" } else { "reversed" });
            return Err(Diag::new(code::EMPTY_PERIOD, message, period.span).help("a period must end after it begins"));
        }
        Ok((from, to))
    }
}

/// The end of what never ends.
pub(super) fn infinity(span: Span) -> Expr {
    Expr::constant(Value::Timestamp(Timestamp(spectradb_kernel::time::MICROS_MAX)), Type::Timestamp, span)
}

/// The begin of what has always been.
pub(super) fn minus_infinity(span: Span) -> Expr {
    Expr::constant(Value::Timestamp(Timestamp(spectradb_kernel::time::MICROS_MIN)), Type::Timestamp, span)
}

/// Does the expression name a column anywhere outside subqueries?
fn names_columns(expr: &ast::Expr) -> bool {
    use ast::ExprKind as Ast;
    let any = |exprs: &[ast::Expr]| exprs.iter().any(names_columns);
    match &expr.kind {
        Ast::Path(_) => true,
        Ast::Null
        | Ast::Default
        | Ast::Boolean(_)
        | Ast::Number(_)
        | Ast::Text(_)
        | Ast::Blob(_)
        | Ast::Typed { .. }
        | Ast::Param(_)
        | Ast::Exists(_)
        | Ast::EveryItem
        | Ast::Subquery(_) => false,
        Ast::Unary { operand, .. }
        | Ast::Is { operand, .. }
        | Ast::InQuery { operand, .. }
        | Ast::Quantified { operand, .. }
        | Ast::Cast { operand, .. }
        | Ast::Extract { operand, .. } => names_columns(operand),
        Ast::Binary { left, right, .. } | Ast::IsDistinct { left, right, .. } | Ast::Period { left, right, .. } => {
            names_columns(left) || names_columns(right)
        }
        Ast::InList { operand, list, .. } => names_columns(operand) || any(list),
        Ast::Between { operand, low, high, .. } => names_columns(operand) || names_columns(low) || names_columns(high),
        Ast::Like { operand, pattern, escape, .. } => {
            names_columns(operand) || names_columns(pattern) || escape.as_deref().is_some_and(names_columns)
        }
        Ast::Case { operand, arms, otherwise } => {
            operand.as_deref().is_some_and(names_columns)
                || arms.iter().any(|(condition, value)| names_columns(condition) || names_columns(value))
                || otherwise.as_deref().is_some_and(names_columns)
        }
        Ast::Call { args, .. } | Ast::Row(args) | Ast::Array(args) => any(args),
        Ast::Subscript { operand, subscripts } => {
            names_columns(operand)
                || subscripts.iter().any(|subscript| match subscript {
                    ast::Subscript::At(at) => names_columns(at),
                    ast::Subscript::Slice(from, to) => from.iter().chain(to).any(names_columns),
                })
        }
    }
}
