//! Which operator binds which operands?
//!
//! A run of operands and operators is read from left to right. Operators wait on a stack until one that binds no tighter
//! arrives (Dijkstra's shunting yard), so a run of any length needs no recursion. PostgreSQL's levels:
//! OR, AND, NOT, IS, comparison, BETWEEN / IN / LIKE, other operators, + -, * / %, ^, AT TIME ZONE, unary sign, `::`.
//!
//! Holds: AND and OR runs become balanced trees. They are associative in three-valued logic, their order is kept, and
//! 10,000 terms are 14 levels deep: whoever walks or drops the tree may recurse.
//! Not here: what an operator means for types (`bind`).

use crate::ast::{BinaryOp, Expr, ExprKind, PeriodOp, UnaryOp};
use crate::diag::{Diag, code};
use crate::span::Span;

/// How tight an operator binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Or,
    And,
    Not,
    Is,
    Comparison,
    Membership,
    Other,
    Sum,
    Product,
    Power,
    Zone,
    Sign,
    Cast,
}

/// An operator that waits for its right operand.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Prefix(UnaryOp),
    Infix(BinaryOp),
    IsDistinct { negated: bool },
    Period(PeriodOp),
}

impl Op {
    fn level(self) -> Level {
        match self {
            Op::Prefix(UnaryOp::Not) => Level::Not,
            Op::Prefix(UnaryOp::Minus | UnaryOp::Plus) => Level::Sign,
            Op::Prefix(UnaryOp::Named(_)) => Level::Other,
            Op::IsDistinct { .. } => Level::Is,
            Op::Period(_) => Level::Membership,
            Op::Infix(op) => match op {
                BinaryOp::Or => Level::Or,
                BinaryOp::And => Level::And,
                BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                    Level::Comparison
                }
                BinaryOp::Concat | BinaryOp::Arrow | BinaryOp::ArrowText => Level::Other,
                BinaryOp::Add | BinaryOp::Sub => Level::Sum,
                BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => Level::Product,
                BinaryOp::Named("^") => Level::Power,
                BinaryOp::Named(_) => Level::Other,
            },
        }
    }
}

/// Operands and operators that wait.
#[derive(Default)]
pub(super) struct Yard {
    operands: Vec<Expr>,
    waiting: Vec<(Op, Span)>,
}

impl Yard {
    pub(super) fn operand(&mut self, expr: Expr) {
        self.operands.push(expr);
    }

    pub(super) fn prefix(&mut self, op: UnaryOp, span: Span) {
        self.waiting.push((Op::Prefix(op), span));
    }

    pub(super) fn infix(&mut self, op: Op, span: Span) -> Result<(), Diag> {
        let level = op.level();
        // A run of one AND or OR waits as a whole.
        let keeps = matches!(level, Level::And | Level::Or);
        while let Some((top, _)) = self.waiting.last() {
            let holds = if keeps { top.level() <= level } else { top.level() < level };
            if holds {
                break;
            }
            if level == Level::Comparison && top.level() == Level::Comparison {
                return Err(Diag::new(code::SYNTAX, "comparisons cannot be chained", span)
                    .help("join two comparisons with AND, or put one in parentheses"));
            }
            self.reduce();
        }
        self.waiting.push((op, span));
        Ok(())
    }

    /// Wraps what stands before an infix operator whose right side is known already.
    pub(super) fn infix_tail(&mut self, op: Op, span: Span, wrap: impl FnOnce(Expr) -> Expr) -> Result<(), Diag> {
        self.infix(op, span)?;
        self.waiting.pop();
        let operand = self.pop();
        self.operands.push(wrap(operand));
        Ok(())
    }

    /// Wraps what stands before a postfix operator of this level.
    pub(super) fn postfix(&mut self, level: Level, wrap: impl FnOnce(Expr) -> Expr) {
        while self.waiting.last().is_some_and(|(top, _)| top.level() >= level) {
            self.reduce();
        }
        let operand = self.pop();
        self.operands.push(wrap(operand));
    }

    pub(super) fn finish(mut self) -> Expr {
        while !self.waiting.is_empty() {
            self.reduce();
        }
        self.pop()
    }

    fn pop(&mut self) -> Expr {
        self.operands.pop().expect("the rule puts an operand on every side of an operator")
    }

    /// Carries out the last waiting operator, or the whole run of it if it is AND or OR.
    fn reduce(&mut self) {
        let (op, op_span) = self.waiting.pop().expect("reduce is called while something waits");
        let right = self.pop();
        let reduced = match op {
            Op::Prefix(op) => {
                let span = op_span.to(right.span);
                Expr { kind: ExprKind::Unary { op, operand: Box::new(right) }, span }
            }
            Op::IsDistinct { negated } => {
                let left = self.pop();
                let span = left.span.to(right.span);
                Expr { kind: ExprKind::IsDistinct { left: Box::new(left), right: Box::new(right), negated }, span }
            }
            Op::Period(op) => {
                let left = self.pop();
                let span = left.span.to(right.span);
                Expr { kind: ExprKind::Period { op, left: Box::new(left), right: Box::new(right) }, span }
            }
            Op::Infix(op @ (BinaryOp::And | BinaryOp::Or)) => {
                let mut op_spans = vec![op_span];
                while let Some((Op::Infix(next), span)) = self.waiting.last()
                    && *next == op
                {
                    op_spans.push(*span);
                    self.waiting.pop();
                }
                op_spans.reverse();
                self.operands.push(right);
                let first = self.operands.len() - op_spans.len() - 1;
                let operands = self.operands.split_off(first);
                balanced(op, operands, &op_spans)
            }
            Op::Infix(op) => {
                let left = self.pop();
                binary(op, op_span, left, right)
            }
        };
        self.operands.push(reduced);
    }
}

fn binary(op: BinaryOp, op_span: Span, left: Expr, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    Expr { kind: ExprKind::Binary { op, op_span, left: Box::new(left), right: Box::new(right) }, span }
}

/// A tree of one operator whose leaves are as near to the root as can be; `op_spans` stand between the operands.
fn balanced(op: BinaryOp, mut operands: Vec<Expr>, op_spans: &[Span]) -> Expr {
    if operands.len() == 1 {
        return operands.pop().expect("it holds one");
    }
    let left_count = operands.len().div_ceil(2);
    let right = operands.split_off(left_count);
    let left = balanced(op, operands, &op_spans[..left_count - 1]);
    let right = balanced(op, right, &op_spans[left_count..]);
    binary(op, op_spans[left_count - 1], left, right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_is_shallow_and_in_order() {
        let mut yard = Yard::default();
        for index in 0..10_000u32 {
            if index > 0 {
                yard.infix(Op::Infix(BinaryOp::Or), Span { start: index, end: index }).unwrap();
            }
            yard.operand(Expr {
                kind: ExprKind::Number(index.to_string()),
                span: Span { start: index, end: index + 1 },
            });
        }
        fn walk(expr: &Expr, depth: u32, leaves: &mut Vec<String>) -> u32 {
            match &expr.kind {
                ExprKind::Binary { left, right, op_span, .. } => {
                    assert_eq!((left.span.end, right.span.start), (op_span.start, op_span.start));
                    walk(left, depth + 1, leaves).max(walk(right, depth + 1, leaves))
                }
                ExprKind::Number(text) => {
                    leaves.push(text.clone());
                    depth
                }
                other => panic!("{other:?}"),
            }
        }
        let mut leaves = Vec::new();
        assert_eq!(walk(&yard.finish(), 0, &mut leaves), 14);
        assert!(leaves.iter().map(|leaf| leaf.parse::<u32>().unwrap()).eq(0..10_000));
    }
}
