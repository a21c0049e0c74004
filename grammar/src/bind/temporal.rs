//! Which part of both times does a scan read?
//!
//! A table's own scope wins over the short forms of its block, those over the blocks around; where nothing is said, system
//! time is the latest and valid time is now. Points are constants, parameters, contexts and subqueries that stand alone; a
//! point or a range that names columns of earlier tables is handed back to the FROM, which makes a join of it.
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

/// The scope of one table on one time, or what its facts must be in of tables to the left.
#[expect(clippy::large_enum_variant, reason = "one stands for a table of a FROM at a time")]
pub(super) enum TableScope<S> {
    /// A scope.
    Fixed(S),
    /// Values over the columns to the left.
    Sought(Sought),
}

/// A point or a range of one time for each row to the left: commits (INTEGER) or instants (TIMESTAMP).
pub(super) struct Sought {
    pub(super) from: Expr,
    /// The end of a range, and whether it is included; `None` for a point.
    pub(super) to: Option<(Expr, bool)>,
}

impl Sought {
    /// Does it count commits?
    pub(super) fn counts(&self) -> bool {
        self.from.ty == Type::Integer
    }

    /// Where it is written.
    pub(super) fn span(&self) -> Span {
        self.to.as_ref().map_or(self.from.span, |(to, _)| self.from.span.to(to.span))
    }
}

/// A point before its type is looked at.
struct Point {
    bound: Bound,
    /// Does it read columns around it?
    moves: bool,
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
            let TableScope::Fixed(scope) = self.system_scope(scope, None, "AS OF")? else {
                unreachable!("nothing stands to the left of a block");
            };
            times.system = Some(scope);
        }
        if let Some(scope) = &scopes.valid {
            let TableScope::Fixed(scope) = self.valid_scope(scope, None, "VALID AT")? else {
                unreachable!("nothing stands to the left of a block");
            };
            times.valid = Some(scope);
        }
        Ok(times)
    }

    /// The system scope of a table.
    pub(super) fn table_system(
        &mut self,
        scopes: &ast::Scopes,
        left: Option<&Scope>,
    ) -> Result<TableScope<SystemScope>, Diag> {
        match &scopes.system {
            Some(scope) => self.system_scope(scope, left, "FOR SYSTEM_TIME"),
            None => Ok(TableScope::Fixed(self.times.system.clone().unwrap_or(SystemScope::Latest))),
        }
    }

    /// The valid scope of a table.
    pub(super) fn table_valid(
        &mut self,
        scopes: &ast::Scopes,
        left: Option<&Scope>,
        span: Span,
    ) -> Result<TableScope<ValidScope>, Diag> {
        match &scopes.valid {
            Some(scope) => self.valid_scope(scope, left, "FOR VALID_TIME"),
            None => {
                let inherited = self.times.valid.clone();
                Ok(TableScope::Fixed(inherited.unwrap_or_else(|| ValidScope::At(now(span)))))
            }
        }
    }

    fn system_scope(
        &mut self,
        scope: &ast::Scope,
        left: Option<&Scope>,
        clause: &'static str,
    ) -> Result<TableScope<SystemScope>, Diag> {
        let (from, to) = match &scope.kind {
            ScopeKind::AsOf(at) => (at, None),
            ScopeKind::FromTo(from, to) => (from, Some((to, false))),
            ScopeKind::Between(from, to) => (from, Some((to, true))),
            ScopeKind::All => return Ok(TableScope::Fixed(SystemScope::All)),
        };
        let first = self.point_of(from, left, clause)?;
        let last = to.map(|(to, included)| Ok((self.point_of(to, left, clause)?, included))).transpose()?;
        let Some((last, to_included)) = last else {
            let moves = first.moves;
            let at = self.system_point(first, clause, None)?;
            return Ok(match moves {
                true => TableScope::Sought(Sought { from: at, to: None }),
                false => TableScope::Fixed(SystemScope::AsOf(at)),
            });
        };
        let moves = first.moves || last.moves;
        // Beside a column, a parameter is what the column is.
        let beside = |point: &Point| moves.then(|| point.bound.class()).flatten();
        let (of_first, of_last) = (beside(&first), beside(&last));
        let from = self.system_point(first, clause, of_last)?;
        let to = self.system_point(last, clause, of_first)?;
        if !moves {
            return Ok(TableScope::Fixed(SystemScope::Range { from, to, to_included }));
        }
        if from.ty != to.ty {
            let message =
                format!("{clause} with a column is from a commit to a commit, or from an instant to an instant");
            return Err(Diag::new(code::DATATYPE_MISMATCH, message, from.span.to(to.span))
                .help("_system_from is the instant of _commit"));
        }
        self.sought(from, to, to_included).map(TableScope::Sought)
    }

    fn valid_scope(
        &mut self,
        scope: &ast::Scope,
        left: Option<&Scope>,
        clause: &'static str,
    ) -> Result<TableScope<ValidScope>, Diag> {
        let (from, to) = match &scope.kind {
            ScopeKind::AsOf(at) => (at, None),
            ScopeKind::FromTo(from, to) => (from, Some((to, false))),
            ScopeKind::Between(from, to) => (from, Some((to, true))),
            ScopeKind::All => return Ok(TableScope::Fixed(ValidScope::All)),
        };
        let first = self.point_of(from, left, clause)?;
        let mut moves = first.moves;
        let from = self.instant_of(first.bound, clause)?;
        let Some((to, to_included)) = to else {
            return Ok(match moves {
                true => TableScope::Sought(Sought { from, to: None }),
                false => TableScope::Fixed(ValidScope::At(from)),
            });
        };
        let last = self.point_of(to, left, clause)?;
        moves |= last.moves;
        let to = self.instant_of(last.bound, clause)?;
        if !moves {
            return Ok(TableScope::Fixed(ValidScope::Range { from, to, to_included }));
        }
        self.sought(from, to, to_included).map(TableScope::Sought)
    }

    /// A range over columns; its ends are asked twice.
    fn sought(&mut self, from: Expr, to: Expr, to_included: bool) -> Result<Sought, Diag> {
        self.count_copies(&from, 1)?;
        self.count_copies(&to, 1)?;
        Ok(Sought { from, to: Some((to, to_included)) })
    }

    /// A point's expression: over the columns to the left and of the blocks around where a table is read, else one that is
    /// the same for the whole statement. A subquery is run once before the scan, unless it names such columns.
    fn point_of(&mut self, at: &ast::Expr, left: Option<&Scope>, clause: &'static str) -> Result<Point, Diag> {
        let nothing = Scope::default();
        if left.is_none() && names_columns(at) {
            return Err(not_a_column(clause, at.span));
        }
        let mut ctx = Ctx::plain(left.unwrap_or(&nothing), clause);
        let mut bound = self.expr(at, &mut ctx)?;
        let moves = bound.expr.any(&mut |part| matches!(part.kind, ExprKind::Column(_) | ExprKind::Outer(_)));
        if moves && left.is_none() {
            return Err(not_a_column(clause, at.span).help(
                "name the table's own scope, FOR SYSTEM_TIME or FOR VALID_TIME: it may read tables to the left",
            ));
        }
        if !moves {
            bound.expr = constant::fold(bound.expr);
        }
        Ok(Point { bound, moves })
    }

    /// An expression that is the same for the whole statement.
    pub(super) fn fixed_expr(&mut self, expr: &ast::Expr, clause: &'static str) -> Result<Bound, Diag> {
        let scope = Scope::default();
        if names_columns(expr) && clause == "DEFAULT" {
            let message = "cannot use column reference in DEFAULT expression";
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, expr.span));
        }
        if names_columns(expr) {
            let message = format!("{clause} takes a constant expression or a parameter, not a column");
            return Err(Diag::new(code::INVALID_COLUMN_REFERENCE, message, expr.span));
        }
        let mut ctx = Ctx::plain(&scope, clause);
        let mut bound = self.expr(expr, &mut ctx)?;
        // The edge of a frame is computed when the statement starts, or row by row: subqueries answer before.
        if bound.expr.has_subplans() && !matches!(clause, "ROWS" | "RANGE" | "GROUPS") {
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

    /// A commit or an instant. `beside` is what a parameter is then.
    fn system_point(&mut self, point: Point, clause: &str, beside: Option<TypeClass>) -> Result<Expr, Diag> {
        let bound = point.bound;
        let span = bound.span();
        let point = match (bound.open, bound.class()) {
            (Some(Open::Param), _) => match (beside, &bound.expr.kind) {
                (Some(TypeClass::Date | TypeClass::Timestamp | TypeClass::TimestampTz), _) => {
                    self.coerce(bound, Type::Timestamp, Degree::Assignment)?
                }
                (None, ExprKind::Param(idx)) => {
                    self.params.point(*idx);
                    Expr { ty: Type::Integer, ..bound.expr }
                }
                _ => self.coerce(bound, Type::Integer, Degree::Implicit)?,
            },
            (Some(Open::Text), _) | (_, Some(TypeClass::Date | TypeClass::TimestampTz)) => {
                self.coerce(bound, Type::Timestamp, Degree::Assignment)?
            }
            (None, Some(TypeClass::Integer)) => self.coerce(bound, Type::Integer, Degree::Implicit)?,
            (None, Some(TypeClass::Timestamp)) => bound.expr,
            (Some(Open::Null), _) => return Err(null_point("system", bound.span())),
            (None, _) => {
                let message = format!("{clause} takes a commit number or a timestamp, not type {}", bound.type_name());
                return Err(of_interval(Diag::new(code::DATATYPE_MISMATCH, message, span), &bound));
            }
        };
        if let Some(Value::Integer(..0)) = literal::value(&point) {
            let message = "a commit number is not negative";
            return Err(Diag::new(code::INVALID_PARAMETER, message, span).help("the empty database is commit 0"));
        }
        Ok(point)
    }

    /// A point of valid time that is the same for the whole statement.
    pub(super) fn instant(&mut self, at: &ast::Expr, clause: &'static str) -> Result<Expr, Diag> {
        let point = self.point_of(at, None, clause)?;
        self.instant_of(point.bound, clause)
    }

    /// A point of valid time: an instant, a day, or microseconds as a number.
    fn instant_of(&mut self, bound: Bound, clause: &str) -> Result<Expr, Diag> {
        if let (None, Some(Value::Integer(micros))) = (bound.open, literal::value(&bound.expr)) {
            let micros = Value::Timestamp(Timestamp(*micros));
            return Ok(Expr::constant(micros, Type::Timestamp, bound.span()));
        }
        match (bound.open, bound.class()) {
            (Some(Open::Null), _) => Err(null_point("valid", bound.span())),
            (Some(Open::Text | Open::Param), _)
            | (None, Some(TypeClass::Date | TypeClass::Timestamp | TypeClass::TimestampTz)) => {
                self.coerce(bound, Type::Timestamp, Degree::Assignment)
            }
            (None, _) => {
                let message =
                    format!("{clause} takes a timestamp, a date or microseconds, not type {}", bound.type_name());
                Err(of_interval(Diag::new(code::DATATYPE_MISMATCH, message, bound.span()), &bound))
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

/// A parameter beside an INTERVAL is one itself, as in PostgreSQL, unless its type is said.
fn of_interval(diag: Diag, bound: &Bound) -> Diag {
    let has_param = || bound.expr.any(&mut |part| matches!(part.kind, ExprKind::Param(_)));
    if bound.class() == Some(TypeClass::Interval) && has_param() {
        return diag.help("say the parameter's type: $1::TIMESTAMP + INTERVAL '1 month'");
    }
    diag
}

fn not_a_column(clause: &str, span: Span) -> Diag {
    let message = format!("{clause} takes a constant expression, a parameter or a subquery of its own, not a column");
    Diag::new(code::INVALID_COLUMN_REFERENCE, message, span)
}

fn null_point(axis: &str, span: Span) -> Diag {
    Diag::new(code::NULL_NOT_ALLOWED, format!("a point of {axis} time must not be NULL"), span)
        .help("give a point, or leave the clause out")
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
pub(super) fn names_columns(expr: &ast::Expr) -> bool {
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
