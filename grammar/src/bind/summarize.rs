//! What does SUMMARIZE tell of a query's columns?
//!
//! A row for each column: its name, its type, its smallest and greatest value, how many distinct values there are, mean,
//! deviation, how many rows, and how many of a hundred are NULL. It is bound as the SQL that says so, one block for each column.

use super::Binder;
use crate::{
    ast::{self, Expr, ExprKind, Name, Query, SelectItem, SetExpr, SetOp, TableAlias, TableRef, TypeName},
    diag::Diag,
    plan::Node,
    span::Span,
};
use spectradb_kernel::{Type, ty::TypeClass};

impl Binder<'_> {
    pub(super) fn summarize(&mut self, query: &Query, span: Span) -> Result<Node, Diag> {
        // Bound once to know its columns; what it asks is asked again by each block.
        let subplan_count = self.subplans.len();
        let fields = self.query(query, None)?.fields;
        self.subplans.truncate(subplan_count);
        let names: Vec<Name> = (1..=fields.len()).map(|number| Name { text: format!("c{number}"), span }).collect();
        let mut all: Option<SetExpr> = None;
        for (field, name) in fields.iter().zip(&names) {
            let mut select = ast::Select::of_all(span);
            let alias = TableAlias { name: Name { text: "summarized".to_owned(), span }, columns: names.clone() };
            let table = TableRef::Subquery { lateral: false, query: Box::new(query.clone()), alias: Some(alias), span };
            select.from.push(table);
            select.items = columns(&field.name, field.ty, name, span);
            let block = SetExpr::Select(Box::new(select));
            all = Some(match all {
                None => block,
                Some(before) => {
                    SetExpr::SetOp { op: SetOp::Union, all: true, left: Box::new(before), right: Box::new(block), span }
                }
            });
        }
        let body = all.unwrap_or(SetExpr::Values { rows: ast::Rows::Trees(Vec::new()), span });
        self.query(&Query::of(body, span), None)
    }
}

fn columns(column: &str, ty: Type, name: &Name, span: Span) -> Vec<SelectItem> {
    let expr = |kind| Expr { kind, span };
    let value = || expr(ExprKind::Path(vec![name.clone()]));
    let text = |text: &str| expr(ExprKind::Text(text.to_owned()));
    let cast = |operand: Expr, to: &str| {
        let ty = TypeName { name: to.to_owned(), args: Vec::new(), array: false, span };
        expr(ExprKind::Cast { operand: Box::new(operand), ty })
    };
    let call = |function: &str, args: Vec<Expr>, star: bool, distinct: bool| {
        let name = Name { text: function.to_owned(), span };
        expr(ExprKind::Call { name, args, star, distinct, more: None })
    };
    let of = |function: &str| call(function, vec![value()], false, false);
    let is_number =
        { matches!(ty.class(), TypeClass::Integer | TypeClass::Real | TypeClass::Numeric | TypeClass::BigNumeric) };
    let number = |function: &str| {
        let real = call(function, vec![cast(value(), "real")], false, false);
        if is_number { cast(real, "text") } else { cast(expr(ExprKind::Null), "text") }
    };
    let is_null = ExprKind::Is { operand: Box::new(value()), test: ast::IsTest::Null, negated: false };
    let hundred = |text: &str| expr(ExprKind::Number(text.to_owned()));
    let nulls = ExprKind::Case {
        operand: None,
        arms: vec![(expr(is_null), hundred("100"))],
        otherwise: Some(Box::new(hundred("0"))),
    };
    let nulls = call("avg", vec![expr(nulls)], false, false);
    let nulls = call("round", vec![nulls, hundred("2")], false, false);
    let (least, greatest) = if ty == Type::Boolean { ("bool_and", "bool_or") } else { ("min", "max") };
    let items = [
        ("column_name", cast(text(column), "text")),
        ("column_type", cast(text(&ty.to_string()), "text")),
        ("min", cast(of(least), "text")),
        ("max", cast(of(greatest), "text")),
        ("distinct_count", call("count", vec![value()], false, true)),
        ("avg", number("avg")),
        ("std", number("stddev")),
        ("count", call("count", Vec::new(), true, false)),
        ("null_percentage", nulls),
    ];
    let item =
        |(name, expr): (&str, Expr)| SelectItem::Expr { expr, alias: Some(Name { text: name.to_owned(), span }) };
    items.into_iter().map(item).collect()
}
