//! What does a subquery within an expression compute?
//!
//! It becomes a subplan that is run once, before the node that asks it. It sees the scopes on both times of the blocks
//! around it, but not their columns: a name from there is refused (correlated subqueries are another day's work).

use super::{
    Binder,
    convert::{Bound, Degree, meet},
    scope::Scope,
};
use crate::{
    ast,
    diag::{Diag, code},
    plan::{Expr, ExprKind, Node, SubplanAsk},
    span::Span,
};
use spectradb_kernel::{Type, ty::TypeClass};

impl Binder<'_> {
    /// The subquery's node; names that it does not know are looked for in `around` to say that it is correlated.
    fn subquery(&mut self, query: &ast::Query, around: &Scope) -> Result<Node, Diag> {
        self.outer.push(around.clone());
        let node = self.query(query, None);
        self.outer.pop();
        node
    }

    fn push_subplan(&mut self, node: Node) -> usize {
        self.subplans.push(node);
        self.subplans.len() - 1
    }

    pub(super) fn exists(&mut self, query: &ast::Query, span: Span, around: &Scope) -> Result<Expr, Diag> {
        let node = self.subquery(query, around)?;
        let subplan_idx = self.push_subplan(node);
        let kind = ExprKind::Subplan { subplan_idx, ask: SubplanAsk::Exists };
        Ok(Expr { kind, ty: Type::Boolean, nullable: false, span })
    }

    pub(super) fn scalar(&mut self, query: &ast::Query, span: Span, around: &Scope) -> Result<Expr, Diag> {
        let node = self.subquery(query, around)?;
        let ty = one_column(&node, query.span)?;
        let subplan_idx = self.push_subplan(node);
        Ok(Expr { kind: ExprKind::Subplan { subplan_idx, ask: SubplanAsk::Scalar }, ty, nullable: true, span })
    }

    pub(super) fn in_query(
        &mut self,
        needle: Bound,
        query: &ast::Query,
        span: Span,
        around: &Scope,
    ) -> Result<Expr, Diag> {
        let mut node = self.subquery(query, around)?;
        let ty = one_column(&node, query.span)?;
        let class = match needle.class() {
            None if ty == Type::Json => TypeClass::Text,
            None => ty.class(),
            Some(class) => meet(class, ty.class()).ok_or_else(|| {
                let message = format!("operator does not exist: {class} = {}", ty.class());
                Diag::new(code::UNDEFINED_FUNCTION, message, span).help("cast one of the sides")
            })?,
        };
        let mut needle = self.coerce_class(needle, class, Degree::Implicit)?;
        let column = node.column(0, query.span);
        let mut values = self.coerce_class(Bound::known(column), class, Degree::Implicit)?;
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
        let subplan_idx = self.push_subplan(node);
        let kind = ExprKind::Subplan { subplan_idx, ask: SubplanAsk::In(Box::new(needle)) };
        Ok(Expr { kind, ty: Type::Boolean, nullable, span })
    }
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
