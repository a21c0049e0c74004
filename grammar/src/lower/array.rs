//! How do arrays and their subscripts become trees?
//!
//! `ARRAY(query)` is the query's column gathered: `coalesce((SELECT array_agg(e) FROM (query) AS q(e)), '{}')`.

use super::{Lower, Pair};
use crate::{
    ast::{Expr, ExprKind, Name, Query, Select, SelectItem, SetExpr, Subscript, TableAlias, TableRef},
    diag::Diag,
    parse::Rule,
    span::Span,
};

impl Lower {
    /// `ARRAY[..]`, `ARRAY(query)`
    pub(super) fn array(&mut self, pair: Pair<'_>, span: Span) -> Result<ExprKind, Diag> {
        let part = pair.into_inner().find(|part| part.as_rule() != Rule::kw_array).expect("ARRAY has brackets");
        match part.as_rule() {
            Rule::array_list => self.array_list(part),
            _ => Ok(gathered(self.paren_query(part)?, span)),
        }
    }

    fn array_list(&mut self, pair: Pair<'_>) -> Result<ExprKind, Diag> {
        let mut items = Vec::new();
        for part in pair.into_inner().filter(|part| part.as_rule() != Rule::close_bracket) {
            let span = self.span(&part);
            items.push(match part.as_rule() {
                Rule::array_list => Expr { kind: self.deeper(1, span, |lower| lower.array_list(part))?, span },
                _ => self.expr(part)?,
            });
        }
        Ok(ExprKind::Array(items))
    }

    /// What stands in one pair of brackets.
    pub(super) fn subscript(&mut self, pair: Pair<'_>) -> Result<Subscript, Diag> {
        let (mut before, mut after, mut is_slice) = (None, None, false);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::slice_colon | Rule::first_colon => is_slice = true,
                Rule::close_bracket => {}
                _ if is_slice => after = Some(self.expr(part)?),
                _ => before = Some(self.expr(part)?),
            }
        }
        Ok(match before {
            Some(at) if !is_slice => Subscript::At(at),
            before => Subscript::Slice(before, after),
        })
    }
}

/// Brackets behind an operand, which may have some already.
pub(super) fn subscripted(mut operand: Expr, subscript: Subscript, end: u32) -> Expr {
    let span = Span { start: operand.span.start, end };
    // Parentheses part them: `(a[2:3])[1]` is an element of the slice.
    if let ExprKind::Subscript { operand: array, subscripts } = &mut operand.kind
        && array.span.start == operand.span.start
    {
        subscripts.push(subscript);
        operand.span = span;
        return operand;
    }
    Expr { kind: ExprKind::Subscript { operand: Box::new(operand), subscripts: vec![subscript] }, span }
}

fn call(function: &str, args: Vec<Expr>, span: Span) -> Expr {
    let name = Name { text: function.to_owned(), span };
    Expr { kind: ExprKind::Call { name, args, star: false, distinct: false, more: None }, span }
}

fn gathered(query: Query, span: Span) -> ExprKind {
    let named = |text: &str| Name { text: text.to_owned(), span };
    let element = Expr { kind: ExprKind::Path(vec![named("?element?")]), span };
    let alias = TableAlias { name: named("?array?"), columns: vec![named("?element?")] };
    let mut select = Select::of_all(span);
    select.items = vec![SelectItem::Expr { expr: call("array_agg", vec![element], span), alias: None }];
    select.from = vec![TableRef::Subquery { query: Box::new(query), lateral: false, alias: Some(alias), span }];
    let query = Query::of(SetExpr::Select(Box::new(select)), span);
    let all = Expr { kind: ExprKind::Subquery(Box::new(query)), span };
    let none = Expr { kind: ExprKind::Text("{}".to_owned()), span };
    call("array", vec![all, none], span).kind
}
