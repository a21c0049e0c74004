//! How does a subquery name columns of the queries around it?
//!
//! Each subquery within an expression, and each LATERAL item of FROM, is bound in a [`Frame`] that knows the scope of the
//! block around it. A name that the subquery does not know is looked for in the frames, inner ones first. What is found
//! becomes an argument of every subquery between: the innermost one calls it [`ExprKind::Outer`], and its argument is an
//! `Outer` of the next one, until the frame whose scope has the name.
//!
//! Holds: the same expression is one argument. Not here: making joins of subqueries with arguments (`unnest`).

use super::{Binder, expr::Ctx, scope::Scope};
use crate::{
    ast::Name,
    diag::{Diag, code},
    plan::{AggregateCall, Expr, ExprKind},
};

/// A block around a subquery.
pub(super) struct Frame {
    pub(super) scope: Scope,
    /// What the subquery asks of it, over its rows.
    pub(super) args: Vec<Expr>,
    /// The aggregates of its block, while a subquery may add to them; `None` where it takes none.
    pub(super) aggregates: Option<Vec<AggregateCall>>,
    /// The arguments of the calls of `grouping()` of its block, likewise.
    pub(super) groupings: Option<Vec<Vec<Expr>>>,
    /// The clause of the block that the subquery stands in.
    pub(super) clause: &'static str,
    /// Is it out of sight: does it stand between a WITH name's definition and its use?
    pub(super) hidden: bool,
}

impl Binder<'_> {
    /// Binds something as a subquery of a block: what it gives, and its arguments.
    pub(super) fn within_frame<T>(
        &mut self,
        scope: &Scope,
        bind: impl FnOnce(&mut Self) -> Result<T, Diag>,
    ) -> Result<(T, Vec<Expr>), Diag> {
        self.within(&mut Ctx::plain(scope, "a LATERAL item of FROM"), bind)
    }

    /// Binds a subquery of an expression: what it gives, and its arguments, aggregates of the block among them.
    pub(super) fn within<T>(
        &mut self,
        ctx: &mut Ctx<'_>,
        bind: impl FnOnce(&mut Self) -> Result<T, Diag>,
    ) -> Result<(T, Vec<Expr>), Diag> {
        let aggregates = ctx.aggregates.as_deref_mut().map(std::mem::take);
        let groupings = ctx.groupings.as_deref_mut().map(std::mem::take);
        let (scope, clause) = (ctx.scope.clone(), ctx.clause);
        self.outer.push(Frame { scope, args: Vec::new(), aggregates, groupings, clause, hidden: false });
        let bound = bind(self);
        let frame = self.outer.pop().expect("the frame was pushed");
        if let (Some(aggregates), Some(own)) = (frame.aggregates, ctx.aggregates.as_deref_mut()) {
            *own = aggregates;
        }
        if let (Some(groupings), Some(own)) = (frame.groupings, ctx.groupings.as_deref_mut()) {
            *own = groupings;
        }
        Ok((bound?, frame.args))
    }

    /// What a path means in the blocks around, if anything, and the fields to take of it.
    pub(super) fn outer_path<'n>(&mut self, path: &'n [Name]) -> Result<Option<(Expr, &'n [Name])>, Diag> {
        for at in (0..self.outer.len()).rev().filter(|at| !self.outer[*at].hidden).collect::<Vec<_>>() {
            match self.outer[at].scope.resolve(path) {
                Ok(found) if !found.is_usable() => {}
                Ok(found) => {
                    let (expr, fields) = (found.expr, found.fields);
                    return Ok(Some((self.through(at, expr), fields)));
                }
                Err(diag) if matches!(diag.code, code::UNDEFINED_COLUMN | code::UNDEFINED_TABLE) => {}
                Err(diag) => return Err(diag),
            }
        }
        Ok(None)
    }

    /// All columns of a table of the blocks around, the nearest of that name.
    pub(super) fn outer_star(&mut self, name: &Name) -> Option<Vec<(String, Expr)>> {
        for at in (0..self.outer.len()).rev().filter(|at| !self.outer[*at].hidden).collect::<Vec<_>>() {
            let Some(table) = self.outer[at].scope.table(&name.text) else { continue };
            let shown = table.columns.iter().filter(|column| column.shown);
            let columns: Vec<_> = shown.map(|column| (column.name.clone(), column.expr(name.span))).collect();
            return Some(columns.into_iter().map(|(name, expr)| (name, self.through(at, expr))).collect());
        }
        None
    }

    /// An expression over the rows of a frame, as the innermost subquery calls it.
    pub(super) fn through(&mut self, at: usize, expr: Expr) -> Expr {
        let mut expr = expr;
        for frame in &mut self.outer[at..] {
            let arg = argument(&mut frame.args, &expr);
            expr = Expr { kind: ExprKind::Outer(arg), ..expr };
        }
        expr
    }

    /// Hides the blocks that stand between a WITH name's definition and its use, for as long as it is bound.
    pub(super) fn hiding<T>(&mut self, depth: usize, bind: impl FnOnce(&mut Self) -> T) -> T {
        let from = depth.min(self.outer.len());
        let to = self.outer.len();
        let before: Vec<bool> = self.outer[from..to].iter().map(|frame| frame.hidden).collect();
        self.outer[from..to].iter_mut().for_each(|frame| frame.hidden = true);
        let bound = bind(self);
        self.outer[from..to].iter_mut().zip(before).for_each(|(frame, hidden)| frame.hidden = hidden);
        bound
    }
}

/// The place of an argument among the others; a new one is added.
pub(super) fn argument(args: &mut Vec<Expr>, expr: &Expr) -> usize {
    match args.iter().position(|arg| arg.same(expr)) {
        Some(at) => at,
        None => {
            args.push(expr.clone());
            args.len() - 1
        }
    }
}
