//! What rows does JSON_TABLE mean?
//!
//! A query: the rows are what its path finds, each column a question to the row (JSON_VALUE, JSON_QUERY, JSON_EXISTS), and a nested path
//! is joined to its row from the left. Paths nested side by side stand one behind the other, each with NULLs in the others'
//! columns. So nothing behind the tree knows of JSON_TABLE.
//!
//! Not here: PLAN clauses, which PostgreSQL has not either.

use super::expr::plain_call;
use super::json::{Asked, Otherwise, block, null, text};
use super::{Lower, Pair};
use crate::ast::{
    Expr, ExprKind, JoinCondition, JoinKind, Name, Query, SelectItem, SetExpr, SetOp, TableAlias, TableRef, TypeName,
};
use crate::diag::{Diag, code};
use crate::parse::Rule;
use crate::span::Span;

/// One level: its path and columns, and what is nested in it.
struct Level {
    path: Expr,
    columns: Vec<Column>,
    nested: Vec<Level>,
    span: Span,
}

struct Column {
    name: Name,
    /// `None` is the row's number.
    of: Option<Question>,
}

struct Question {
    function: &'static str,
    path: Expr,
    asked: Asked,
}

impl Level {
    /// All names that the level gives: its own, then those of what is nested.
    fn names(&self) -> Vec<Name> {
        let own = self.columns.iter().map(|column| column.name.clone());
        own.chain(self.nested.iter().flat_map(Level::names)).collect()
    }
}

impl Lower {
    pub(super) fn json_table(&mut self, pair: Pair<'_>) -> Result<TableRef, Diag> {
        let span = self.span(&pair);
        let (mut json, mut path, mut alias) = (None, None, None);
        let (mut variables, mut columns, mut asked) = (None, None, Asked::default());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::json_item => json = Some(self.json_item(part)?),
                Rule::expr => path = Some(self.expr(part)?),
                Rule::json_passing => variables = Some(self.json_variables(part)?),
                Rule::json_columns => columns = Some(part),
                Rule::json_otherwise => self.asked_part(part, &mut asked)?,
                Rule::alias => alias = Some(self.alias(part)),
                _ => {}
            }
        }
        let fails = match asked.error {
            None => false,
            Some(Otherwise::Error) => true,
            Some(Otherwise::Value(_) | Otherwise::Null) => false,
        };
        let variables =
            variables.unwrap_or_else(|| Expr { kind: plain_call("jsonb_build_object", span, Vec::new()), span });
        let path = path.expect("JSON_TABLE has a path");
        let level = self.json_level(columns.expect("JSON_TABLE has columns"), path, &variables, fails, span)?;
        let names = level.names();
        if let Some(twice) =
            names.iter().enumerate().find(|(at, name)| names[..*at].iter().any(|n| n.text == name.text))
        {
            let message = format!("duplicate JSON_TABLE column or path name: {}", twice.1.text);
            return Err(Diag::new(code::DUPLICATE_ALIAS, message, twice.1.span));
        }
        let query = rows(level, json.expect("JSON_TABLE has JSON"), &variables, fails, 0)?;
        let alias = alias.or_else(|| {
            let name = Name { text: "json_table".to_owned(), span };
            Some(TableAlias { name, columns: Vec::new() })
        });
        Ok(TableRef::Subquery { lateral: true, query: Box::new(query), alias, span })
    }

    fn json_level(
        &mut self,
        pair: Pair<'_>,
        path: Expr,
        variables: &Expr,
        fails: bool,
        span: Span,
    ) -> Result<Level, Diag> {
        let mut level = Level { path, columns: Vec::new(), nested: Vec::new(), span };
        for column in pair.into_inner().filter(|part| part.as_rule() == Rule::json_column) {
            let mut parts = column.into_inner();
            let first = parts.next().expect("a column has a name");
            if first.as_rule() == Rule::json_nested {
                let span = self.span(&first);
                let (mut path, mut columns) = (None, None);
                for part in first.into_inner() {
                    match part.as_rule() {
                        Rule::plain_text | Rule::escape_text | Rule::dollar_text => {
                            path = Some(text(&self.text(&part)?, self.span(&part)));
                        }
                        Rule::json_columns => columns = Some(part),
                        _ => {}
                    }
                }
                let (path, columns) = (path.expect("a path is nested"), columns.expect("with columns"));
                let nested = self.deeper(1, span, |lower| lower.json_level(columns, path, variables, fails, span))?;
                level.nested.push(nested);
                continue;
            }
            level.columns.push(self.json_column(self.name(&first), parts, variables, fails)?);
        }
        Ok(level)
    }

    fn json_column<'p>(
        &mut self,
        name: Name,
        parts: impl Iterator<Item = Pair<'p>>,
        variables: &Expr,
        fails: bool,
    ) -> Result<Column, Diag> {
        let mut asked = Asked { variables: Some(variables.clone()), ..Asked::default() };
        let (mut path, mut function, mut is_json) = (None, "json_value", false);
        for part in parts {
            match part.as_rule() {
                Rule::json_ordinal => return Ok(Column { name, of: None }),
                Rule::type_name => asked.returning = Some(self.type_name(part)?),
                Rule::json_format => is_json = true,
                Rule::json_column_path => path = Some(self.json_column_path(part)?),
                Rule::json_exists_column => {
                    function = "json_exists";
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::json_column_path => path = Some(self.json_column_path(part)?),
                            _ => self.asked_part(part, &mut asked)?,
                        }
                    }
                }
                _ => self.asked_part(part, &mut asked)?,
            }
        }
        let of_json = |ty: &TypeName| matches!(ty.name.as_str(), "json" | "jsonb") || ty.array;
        let asks_json = is_json || asked.wrapper.is_some() || asked.quotes.is_some();
        if function == "json_value" && (asks_json || asked.returning.as_ref().is_some_and(of_json)) {
            function = "json_query";
        }
        if fails && asked.error.is_none() {
            asked.error = Some(Otherwise::Error);
        }
        let path = path.unwrap_or_else(|| {
            let member = member_path(&name.text);
            text(&member, name.span)
        });
        Ok(Column { name, of: Some(Question { function, path, asked }) })
    }

    fn json_column_path(&mut self, pair: Pair<'_>) -> Result<Expr, Diag> {
        let written = pair.into_inner().last().expect("PATH has a text");
        Ok(text(&self.text(&written)?, self.span(&written)))
    }
}

/// The path of a member.
fn member_path(name: &str) -> String {
    format!("$.\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The query of a level over some JSON; `depth` keeps the names of levels apart.
fn rows(level: Level, json: Expr, variables: &Expr, fails: bool, depth: usize) -> Result<Query, Diag> {
    let span = level.span;
    let name = |text: String| Name { text, span };
    let (table, value, place) = (name(format!("json_{depth}")), name("value".to_owned()), name("place".to_owned()));
    let column = |table: &Name, column: &Name| Expr { kind: ExprKind::Path(vec![table.clone(), column.clone()]), span };
    let silent = Expr { kind: ExprKind::Boolean(!fails), span };
    let found = TableRef::Function {
        name: name("jsonb_path_query_tz".to_owned()),
        args: vec![json, level.path, variables.clone(), silent],
        ordinality: true,
        columns: Vec::new(),
        alias: Some(TableAlias { name: table.clone(), columns: vec![value.clone(), place.clone()] }),
        span,
    };
    let mut items = Vec::with_capacity(level.columns.len());
    for Column { name, of } in level.columns {
        let expr = match of {
            None => column(&table, &place),
            Some(Question { function, path, asked }) => {
                let at = name.span;
                asked.call(function, column(&table, &value), path, at)?
            }
        };
        items.push(SelectItem::Expr { expr, alias: Some(name) });
    }
    if level.nested.is_empty() {
        return Ok(block(items, vec![found], span));
    }
    // What is nested: one query behind the other, each with NULLs for the columns of the others.
    let names: Vec<Vec<Name>> = level.nested.iter().map(Level::names).collect();
    let mut arms = Vec::with_capacity(level.nested.len());
    for (at, nested) in level.nested.into_iter().enumerate() {
        let inner = rows(nested, column(&table, &value), variables, fails, depth + 1)?;
        if names.len() == 1 {
            arms.push(inner);
            continue;
        }
        let arm = name(format!("arm_{depth}"));
        let items = names.iter().enumerate().flat_map(|(other, names)| {
            let arm = arm.clone();
            names.iter().map(move |name| {
                let expr = if other == at { column(&arm, name) } else { null(name.span) };
                SelectItem::Expr { expr, alias: Some(name.clone()) }
            })
        });
        let alias = Some(TableAlias { name: arm.clone(), columns: Vec::new() });
        let from = TableRef::Subquery { lateral: true, query: Box::new(inner), alias, span };
        arms.push(block(items.collect(), vec![from], span));
    }
    let all = arms.into_iter().reduce(|left, right| {
        let (left, right) = (Box::new(SetExpr::Query(Box::new(left))), Box::new(SetExpr::Query(Box::new(right))));
        Query::of(SetExpr::SetOp { op: SetOp::Union, all: true, left, right, span }, span)
    });
    let nested = name(format!("nested_{depth}"));
    items.extend(
        names.iter().flatten().map(|name| SelectItem::Expr { expr: column(&nested, name), alias: Some(name.clone()) }),
    );
    let right = TableRef::Subquery {
        lateral: true,
        query: Box::new(all.expect("something is nested")),
        alias: Some(TableAlias { name: nested, columns: Vec::new() }),
        span,
    };
    let joined = TableRef::Join {
        kind: JoinKind::Left,
        left: Box::new(found),
        right: Box::new(right),
        condition: JoinCondition::On(Expr { kind: ExprKind::Boolean(true), span }),
        as_of: false,
        span,
    };
    Ok(block(items, vec![joined], span))
}
