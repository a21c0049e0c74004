//! How does one walk a plan?
//!
//! Every walk goes through [`Expr::for_each_child`] and [`Node::for_each_input`] and their mutable twins.
//!
//! Not here: what the parts of each shape are (`parts`), what a walk is for (display, checks, rewrites).

use super::{AggregateCall, Expr, ExprKind, Node, NodeKind, SubplanAsk};
use crate::stack;
use spectradb_kernel::{
    Type, Value,
    func::{Function, Shape},
    ty::TypeClass,
};

impl Expr {
    /// A constant.
    pub fn constant(value: Value, ty: Type, span: crate::span::Span) -> Expr {
        let nullable = value.is_null();
        Expr { kind: ExprKind::Const(value), ty, nullable, span }
    }

    /// Calls `f` on this expression and all its parts, outer ones first.
    pub fn walk<'e>(&'e self, f: &mut dyn FnMut(&'e Expr)) {
        f(self);
        self.for_each_child(&mut |child| stack::deeper(|| child.walk(f)));
    }

    /// Calls `f` on all parts of this expression and then on itself; it may change them.
    pub fn walk_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        self.for_each_child_mut(&mut |child| stack::deeper(|| child.walk_mut(f)));
        f(self);
    }

    /// Is `test` true of this expression or a part of it?
    pub fn any(&self, test: &mut dyn FnMut(&Expr) -> bool) -> bool {
        if test(self) {
            return true;
        }
        let mut found = false;
        self.for_each_child(&mut |child| found = found || stack::deeper(|| child.any(test)));
        found
    }

    /// The columns it reads, each once, in order.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns = Vec::new();
        self.walk(&mut |expr| {
            if let ExprKind::Column(column) = expr.kind {
                columns.push(column);
            }
        });
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// Does it read a column?
    pub fn has_columns(&self) -> bool {
        self.any(&mut |expr| matches!(expr.kind, ExprKind::Column(_)))
    }

    /// Does it ask a subplan?
    pub fn has_subplans(&self) -> bool {
        self.any(&mut |expr| matches!(expr.kind, ExprKind::Subplan { .. }))
    }

    /// Does it come by chance? A function without arguments does.
    pub fn has_chance(&self) -> bool {
        self.any(&mut |expr| matches!(&expr.kind, ExprKind::Call { args, .. } if args.is_empty()))
    }

    /// May evaluating it be an error?
    pub fn is_fallible(&self) -> bool {
        self.any(&mut |expr| match &expr.kind {
            ExprKind::Call { function, args } => function.shape == Shape::Fallible && !divides_safely(function, args),
            // A scalar subplan with two rows is an error wherever it is asked.
            ExprKind::Subplan { .. } => true,
            ExprKind::Column(_)
            | ExprKind::Param(_)
            | ExprKind::Context(_)
            | ExprKind::Const(_)
            | ExprKind::Outer(_)
            | ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Case { .. } => false,
        })
    }

    /// Gives every column another number.
    pub fn map_columns(&mut self, f: &mut dyn FnMut(usize) -> usize) {
        self.walk_mut(&mut |expr| {
            if let ExprKind::Column(column) = &mut expr.kind {
                *column = f(*column);
            }
        });
    }

    /// The same over other inputs: column `i` becomes `exprs[i]`.
    #[must_use]
    pub fn substitute(&self, exprs: &[Expr]) -> Expr {
        let mut copy = self.clone();
        copy.substitute_in_place(exprs);
        copy
    }

    fn substitute_in_place(&mut self, exprs: &[Expr]) {
        if let ExprKind::Column(column) = self.kind {
            let span = self.span;
            *self = exprs[column].clone();
            self.span = span;
        } else {
            self.for_each_child_mut(&mut |child| child.substitute_in_place(exprs));
        }
    }

    /// Do both compute the same, wherever they stand in the text?
    pub fn same(&self, other: &Expr) -> bool {
        let same_all = |a: &[Expr], b: &[Expr]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b));
        if self.ty != other.ty {
            return false;
        }
        match (&self.kind, &other.kind) {
            (ExprKind::Call { function, args }, ExprKind::Call { function: other_function, args: other_args }) => {
                function == other_function && same_all(args, other_args)
            }
            (ExprKind::And(a), ExprKind::And(b)) | (ExprKind::Or(a), ExprKind::Or(b)) => same_all(a, b),
            (ExprKind::Case { arms, otherwise }, ExprKind::Case { arms: other_arms, otherwise: other_otherwise }) => {
                arms.len() == other_arms.len()
                    && arms.iter().zip(other_arms).all(|(a, b)| a.0.same(&b.0) && a.1.same(&b.1))
                    && match (otherwise, other_otherwise) {
                        (None, None) => true,
                        (Some(a), Some(b)) => a.same(b),
                        (None, Some(_)) | (Some(_), None) => false,
                    }
            }
            (
                ExprKind::Subplan { subplan_idx, ask, args },
                ExprKind::Subplan { subplan_idx: other_idx, ask: other_ask, args: other_args },
            ) => {
                subplan_idx == other_idx
                    && same_all(args, other_args)
                    && match (ask, other_ask) {
                        (SubplanAsk::In(a), SubplanAsk::In(b)) | (SubplanAsk::Any(a), SubplanAsk::Any(b)) => a.same(b),
                        (a, b) => a == b,
                    }
            }
            // The remaining shapes have no parts, and so no spans within.
            (a, b) => a == b,
        }
    }

    /// Where this condition is true, is that value proven not NULL, because the condition asks just that?
    pub fn proves_not_null(&self, value: &Expr) -> bool {
        match &self.kind {
            ExprKind::And(arms) => arms.iter().any(|arm| arm.proves_not_null(value)),
            ExprKind::Call { function, args } => function.name == "$is_not_null" && args[0].same(value),
            ExprKind::Column(_)
            | ExprKind::Param(_)
            | ExprKind::Context(_)
            | ExprKind::Const(_)
            | ExprKind::Outer(_)
            | ExprKind::Or(_)
            | ExprKind::Case { .. }
            | ExprKind::Subplan { .. } => false,
        }
    }

    /// The parts of a conjunction; an expression that is none is its only part.
    pub fn into_conjuncts(self) -> Vec<Expr> {
        match self.kind {
            ExprKind::And(arms) => arms.into_iter().flat_map(Expr::into_conjuncts).collect(),
            _ => vec![self],
        }
    }

    /// The conjunction of parts; `None` of no part.
    pub fn conjunction(mut parts: Vec<Expr>) -> Option<Expr> {
        if parts.len() <= 1 {
            return parts.pop();
        }
        let nullable = parts.iter().any(|part| part.nullable);
        let span = parts.iter().skip(1).fold(parts[0].span, |span, part| crate::span::Span {
            start: span.start.min(part.span.start),
            end: span.end.max(part.span.end),
        });
        Some(Expr { kind: ExprKind::And(parts), ty: Type::Boolean, nullable, span })
    }
}

/// Is it an integer divided by a constant that no integer fails to be divided by? (0 is one, and -1 of the smallest integer.)
pub(crate) fn divides_safely(function: &Function, args: &[Expr]) -> bool {
    let ("/" | "%", [number, by]) = (function.name, args) else { return false };
    let is_integer = number.ty.class() == TypeClass::Integer;
    is_integer && matches!(by.kind, ExprKind::Const(Value::Integer(by)) if by != 0 && by != -1)
}

impl Node {
    /// A filter over this node.
    #[must_use]
    pub fn filter(self, predicate: Expr) -> Node {
        let fields = self.fields.clone();
        Node { kind: NodeKind::Filter { input: Box::new(self), predicate }, fields }
    }

    /// Computed columns over this node, with their names.
    #[must_use]
    pub fn project(self, columns: Vec<(String, Expr)>) -> Node {
        let (fields, exprs) = columns
            .into_iter()
            .map(|(name, expr)| (super::Field { name, ty: expr.ty, nullable: expr.nullable }, expr))
            .unzip();
        Node { kind: NodeKind::Project { input: Box::new(self), exprs }, fields }
    }

    /// Only the first columns of this node.
    #[must_use]
    pub fn narrow(self, width: usize, span: crate::span::Span) -> Node {
        if self.fields.len() == width {
            return self;
        }
        let columns = (0..width).map(|at| (self.fields[at].name.clone(), self.column(at, span))).collect();
        self.project(columns)
    }

    /// The column of this node as an expression.
    pub fn column(&self, column: usize, span: crate::span::Span) -> Expr {
        let field = &self.fields[column];
        Expr { kind: ExprKind::Column(column), ty: field.ty, nullable: field.nullable, span }
    }

    /// Do its rows depend on the round of a recursion around it, or on the bindings of a join around it?
    pub fn changes_by_round(&self) -> bool {
        let mut own = Vec::new();
        self.changes(&mut own, false)
    }

    fn changes(&self, own: &mut Vec<usize>, bound: bool) -> bool {
        stack::deeper(|| match &self.kind {
            NodeKind::Working { recursion } => !own.contains(recursion),
            NodeKind::Bindings => !bound,
            NodeKind::Join(join) => {
                join.left.changes(own, bound) || join.right.changes(own, bound || !join.bindings.is_empty())
            }
            NodeKind::Recursion(recursion) => {
                if recursion.base.changes(own, bound) {
                    return true;
                }
                own.push(recursion.id);
                let step = recursion.step.changes(own, bound);
                own.pop();
                step
            }
            NodeKind::Scan(_)
            | NodeKind::Values { .. }
            | NodeKind::Constants { .. }
            | NodeKind::Given { .. }
            | NodeKind::Shared { .. }
            | NodeKind::Filter { .. }
            | NodeKind::Project { .. }
            | NodeKind::Aggregate { .. }
            | NodeKind::Window { .. }
            | NodeKind::Sort { .. }
            | NodeKind::Limit { .. }
            | NodeKind::Distinct { .. }
            | NodeKind::UnionAll { .. }
            | NodeKind::SetOp { .. }
            | NodeKind::Series { .. } => {
                let mut changes = false;
                self.for_each_input(&mut |input| changes = changes || input.changes(own, bound));
                changes
            }
        })
    }

    /// Calls `f` on this node and all below it, upper ones first.
    pub fn walk<'n>(&'n self, f: &mut dyn FnMut(&'n Node)) {
        f(self);
        self.for_each_input(&mut |input| input.walk(f));
    }
}

impl AggregateCall {
    /// Do both fold the same?
    pub fn same(&self, other: &AggregateCall) -> bool {
        self.aggregate == other.aggregate
            && self.distinct == other.distinct
            && self.more.len() == other.more.len()
            && self.more.iter().zip(&other.more).all(|(a, b)| a.same(b))
            && self.order.len() == other.order.len()
            && self
                .order
                .iter()
                .zip(&other.order)
                .all(|(a, b)| a.expr.same(&b.expr) && (a.descending, a.nulls_first) == (b.descending, b.nulls_first))
            && match (&self.arg, &other.arg) {
                (None, None) => true,
                (Some(a), Some(b)) => a.same(b),
                (None, Some(_)) | (Some(_), None) => false,
            }
    }
}
