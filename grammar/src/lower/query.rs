//! How do queries, FROM items and scopes become trees?
//!
//! A short scope behind a set operation governs all its arms, so the last arm's scopes move to the query; a scope given
//! twice for one block is an error.
//! Not here: what a scope's point means (`bind`).

use super::{Lower, Pair, arguments, expr::plain_call, unsupported};
use crate::ast::{
    Cte, CteBody, Distinct, Expr, ExprKind, GroupBy, GroupItem, GroupSets, Name, OrderItem, Query, Scope, ScopeKind,
    Scopes, Select, SelectItem, SetExpr, SetOp, StarChanges, TableAlias, TableRef, TypeName,
};
use crate::diag::{Diag, code};
use crate::parse::Rule;
use crate::span::Span;

/// A set operation that waits for its right arm.
type Operator = (SetOp, bool, Span);

impl Lower {
    pub(super) fn paren_query(&mut self, pair: Pair<'_>) -> Result<Query, Diag> {
        let inner = pair.into_inner().find(|part| part.as_rule() == Rule::query);
        self.query(inner.expect("the parenthesis holds a query"))
    }

    pub(super) fn query(&mut self, pair: Pair<'_>) -> Result<Query, Diag> {
        let span = self.span(&pair);
        let (mut with, mut first, mut tail) = (Vec::new(), None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::with => with = self.with(part)?,
                Rule::query_tail => tail = Some(part),
                _ => first = Some(self.set_term(part)?),
            }
        }
        let first = first.expect("a query has a body");
        self.tailed(with, first, tail.expect("a query has a tail, be it empty"), span)
    }

    /// What SUMMARIZE is about: a query, or all of a table.
    pub(super) fn summarized(&mut self, pair: Pair<'_>) -> Result<Query, Diag> {
        let span = self.span(&pair);
        let mut select = Select::of_all(span);
        let (mut table, mut scopes) = (None, Scopes::default());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::query => return self.query(part),
                Rule::name => table = Some(self.name(&part)),
                Rule::table_scope => self.table_scope(part, &mut scopes)?,
                Rule::scope => self.scope(part, &mut select.scopes)?,
                _ => {}
            }
        }
        let name = table.expect("SUMMARIZE is about a query or a table");
        select.from.push(TableRef::Table { name, scopes, alias: None });
        Ok(Query::of(SetExpr::Select(Box::new(select)), span))
    }

    /// A query whose first arm was read as a subquery before the rest came to light.
    pub(super) fn query_from(&mut self, first: Box<Query>, tail: Pair<'_>) -> Result<Query, Diag> {
        let span = first.span.to(self.span(&tail));
        self.tailed(Vec::new(), SetExpr::Query(first), tail, span)
    }

    fn tailed(&mut self, with: Vec<Cte>, first: SetExpr, tail: Pair<'_>, span: Span) -> Result<Query, Diag> {
        let mut arms = vec![first];
        let mut operators: Vec<Operator> = Vec::new();
        let (mut order_by, mut scopes, mut with_ties) = (Vec::new(), Scopes::default(), false);
        let (mut limits, mut offsets) = (Vec::new(), Vec::new());
        for part in tail.into_inner() {
            match part.as_rule() {
                Rule::set_op => operators.push(self.set_op(part)),
                Rule::select | Rule::values | Rule::paren_query | Rule::table_query => arms.push(self.set_term(part)?),
                Rule::order_by => order_by = self.order_by(part)?,
                Rule::limit => limits.push((self.span(&part), self.exprs(part)?.pop())),
                Rule::offset => offsets.push((self.span(&part), self.exprs(part)?.pop())),
                Rule::fetch => {
                    let place = self.span(&part);
                    let mut count = None;
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::bound => count = Some(self.expr(part)?),
                            Rule::ties => with_ties = true,
                            _ => {}
                        }
                    }
                    let one = || Expr { kind: ExprKind::Number("1".to_owned()), span: place };
                    limits.push((place, Some(count.unwrap_or_else(one))));
                }
                Rule::scope => self.scope(part, &mut scopes)?,
                _ => {}
            }
        }
        for twice in [&limits, &offsets] {
            if let [_, (place, _)] = twice.as_slice() {
                return Err(Diag::new(code::SYNTAX, "the number of rows is limited twice", *place));
            }
        }
        let (limit, offset) = (limits.pop().and_then(|(_, count)| count), offsets.pop().and_then(|(_, count)| count));
        if operators.len() as u32 > super::DEPTH_MAX {
            return Err(Diag::new(code::TOO_COMPLEX, "the query has too many arms", span)
                .help(format!("at most {} set operations may follow each other", super::DEPTH_MAX)));
        }
        // Behind the last arm is behind them all.
        if !operators.is_empty()
            && let Some(SetExpr::Select(last)) = arms.last_mut()
        {
            merge(&mut scopes, std::mem::take(&mut last.scopes))?;
        } else if let [SetExpr::Select(only)] = arms.as_slice() {
            clash(&scopes, &only.scopes)?;
        }
        Ok(Query { with, body: combine(arms, operators), order_by, limit, with_ties, offset, scopes, span })
    }

    pub(super) fn with(&mut self, pair: Pair<'_>) -> Result<Vec<Cte>, Diag> {
        let (mut ctes, mut recursive) = (Vec::new(), false);
        for cte in pair.into_inner() {
            match cte.as_rule() {
                Rule::recursive => {
                    recursive = true;
                    continue;
                }
                Rule::cte => {}
                _ => continue,
            }
            let (mut name, mut columns, mut body) = (None, Vec::new(), None);
            let (mut negated, mut materialized) = (false, None);
            for part in cte.into_inner() {
                match part.as_rule() {
                    Rule::name => name = Some(self.name(&part)),
                    Rule::name_list => columns = self.name_list(part),
                    Rule::kw_not => negated = true,
                    Rule::kw_materialized => materialized = Some(!negated),
                    Rule::paren_query => body = Some(CteBody::Query(self.paren_query(part)?)),
                    Rule::paren_change => body = Some(CteBody::Change(Box::new(self.paren_change(part)?))),
                    _ => {}
                }
            }
            let name = name.expect("a WITH part has a name");
            let body = body.expect("a WITH part is a query or a change");
            ctes.push(Cte { name, columns, body, recursive, materialized });
        }
        Ok(ctes)
    }

    fn set_op(&self, pair: Pair<'_>) -> Operator {
        let span = self.span(&pair);
        let (mut op, mut all) = (SetOp::Union, false);
        for word in pair.into_inner() {
            match word.as_rule() {
                Rule::kw_intersect => op = SetOp::Intersect,
                Rule::kw_except => op = SetOp::Except,
                Rule::kw_all => all = true,
                _ => {}
            }
        }
        (op, all, span)
    }

    fn set_term(&mut self, pair: Pair<'_>) -> Result<SetExpr, Diag> {
        match pair.as_rule() {
            Rule::select => Ok(SetExpr::Select(Box::new(self.select(pair)?))),
            Rule::values => {
                let span = self.span(&pair);
                let rows = pair.into_inner().find(|part| part.as_rule() == Rule::rows).expect("VALUES has rows");
                Ok(SetExpr::Values { rows: self.rows(rows)?.into(), span })
            }
            Rule::table_query => {
                let mut select = Select::of_all(self.span(&pair));
                let name = pair.into_inner().find(|part| part.as_rule() == Rule::name).expect("TABLE names one");
                select.from.push(TableRef::Table { name: self.name(&name), scopes: Scopes::default(), alias: None });
                Ok(SetExpr::Select(Box::new(select)))
            }
            _ => Ok(SetExpr::Query(Box::new(self.paren_query(pair)?))),
        }
    }

    fn rows(&mut self, pair: Pair<'_>) -> Result<Vec<Vec<Expr>>, Diag> {
        pair.into_inner().map(|row| self.row(row)).collect()
    }

    /// One row of VALUES.
    pub(crate) fn row(&mut self, pair: Pair<'_>) -> Result<Vec<Expr>, Diag> {
        let mut row = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => row.push(self.expr(part)?),
                Rule::default_value => row.push(Expr { kind: ExprKind::Default, span: self.span(&part) }),
                _ => {}
            }
        }
        Ok(row)
    }

    fn select(&mut self, pair: Pair<'_>) -> Result<Select, Diag> {
        let mut select = Select { items: Vec::new(), ..Select::of_all(self.span(&pair)) };
        let mut has_list = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_select => has_list = true,
                Rule::kw_distinct => select.distinct = Distinct::Yes,
                Rule::distinct_on => select.distinct = Distinct::On(self.exprs(part)?),
                Rule::select_item => select.items.push(self.select_item(part)?),
                Rule::into => {
                    let name = part.into_inner().find(|part| part.as_rule() == Rule::name);
                    let name = self.name(&name.expect("INTO names a table"));
                    // One is refused already where there are two.
                    self.finish()?;
                    self.into = Some((name, select.span.start));
                }
                Rule::from => select.from = self.items_of_from(part)?,
                Rule::filter => select.filter = self.exprs(part)?.pop(),
                Rule::group_by => select.group_by = self.group_by(part)?,
                Rule::windows => {
                    for window in part.into_inner().filter(|part| part.as_rule() == Rule::named_window) {
                        let mut parts = window.into_inner();
                        let name = self.name(&parts.next().expect("a named window has a name"));
                        let spec = parts.find(|part| part.as_rule() == Rule::window_spec);
                        select.windows.push((name, self.window_spec(spec.expect("a named window says what it is"))?));
                    }
                }
                Rule::having => select.having = self.exprs(part)?.pop(),
                Rule::scope => self.scope(part, &mut select.scopes)?,
                _ => {}
            }
        }
        // FROM alone gives all columns; a list may be empty, but then no row differs from another.
        if has_list && select.items.is_empty() && select.distinct != Distinct::No {
            let message = "SELECT DISTINCT needs a list of what is to be distinct";
            return Err(Diag::new(code::SYNTAX, message, select.span));
        }
        if !has_list {
            select.items.push(SelectItem::Wildcard(select.span, StarChanges::default()));
        }
        Ok(select)
    }

    fn group_by(&mut self, pair: Pair<'_>) -> Result<GroupBy, Diag> {
        let (mut items, mut distinct) = (Vec::new(), false);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::group_all => return Ok(GroupBy::All(self.span(&part))),
                Rule::kw_distinct => distinct = true,
                Rule::group_item => items.push(self.group_item(part)?),
                _ => {}
            }
        }
        Ok(GroupBy::Items { items, distinct })
    }

    fn group_item(&mut self, pair: Pair<'_>) -> Result<GroupItem, Diag> {
        let inner = pair.into_inner().next().expect("a group item says something");
        let span = self.span(&inner);
        let kind = match inner.as_rule() {
            Rule::expr => return Ok(GroupItem::Expr(self.expr(inner)?)),
            Rule::empty_set => return Ok(GroupItem::Empty(span)),
            Rule::grouping_sets => GroupSets::Sets,
            Rule::rollup => GroupSets::Rollup,
            _ => GroupSets::Cube,
        };
        self.deeper(1, span, |lower| {
            let mut items = Vec::new();
            for part in inner.into_inner() {
                match part.as_rule() {
                    Rule::expr => items.push(GroupItem::Expr(lower.expr(part)?)),
                    Rule::group_item => items.push(lower.group_item(part)?),
                    _ => {}
                }
            }
            Ok(GroupItem::Sets { kind, items, span })
        })
    }

    /// What EXCLUDE and REPLACE say of a star.
    fn star_changes(&mut self, pair: Pair<'_>) -> Result<(Option<Name>, StarChanges), Diag> {
        let (mut table, mut changes) = (None, StarChanges::default());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => table = Some(self.name(&part)),
                Rule::exclude => {
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::name => changes.exclude.push(self.name(&part)),
                            Rule::name_list => changes.exclude.extend(self.name_list(part)),
                            _ => {}
                        }
                    }
                }
                Rule::replace => {
                    for part in part.into_inner().filter(|part| part.as_rule() == Rule::replacement) {
                        let (mut expr, mut name) = (None, None);
                        for part in part.into_inner() {
                            match part.as_rule() {
                                Rule::expr => expr = Some(self.expr(part)?),
                                Rule::alias_label => name = Some(self.name(&part)),
                                _ => {}
                            }
                        }
                        changes.replace.push((expr.expect("it has an expression"), name.expect("it names a column")));
                    }
                }
                _ => {}
            }
        }
        Ok((table, changes))
    }

    pub(super) fn select_item(&mut self, pair: Pair<'_>) -> Result<SelectItem, Diag> {
        let (mut expr, mut alias) = (None, None);
        let text = pair.as_str();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::every | Rule::every_of => {
                    let span = self.span(&part);
                    return Ok(match self.star_changes(part)? {
                        (None, changes) => SelectItem::Wildcard(span, changes),
                        (Some(table), changes) => SelectItem::QualifiedWildcard(table, changes),
                    });
                }
                Rule::expr => expr = Some(self.expr(part)?),
                Rule::alias_bare | Rule::alias_label => alias = Some(self.name(&part)),
                _ => {}
            }
        }
        let expr = expr.expect("an item has an expression");
        // What IGNORE NULLS and FROM LAST were made of is not what the column is called.
        if alias.is_none()
            && matches!(expr.kind, ExprKind::Call { .. } | ExprKind::Subscript { .. })
            && let Some(name) = arguments::shifting_name(text)
        {
            alias = Some(Name { text: name.to_owned(), span: expr.span });
        }
        Ok(SelectItem::Expr { expr, alias })
    }

    pub(super) fn order_by(&mut self, pair: Pair<'_>) -> Result<Vec<OrderItem>, Diag> {
        let mut items = Vec::new();
        for item in pair.into_inner().filter(|part| part.as_rule() == Rule::order_item) {
            let (mut expr, mut descending, mut nulls_first) = (None, false, None);
            for part in item.into_inner() {
                match part.as_rule() {
                    Rule::expr => expr = Some(self.expr(part)?),
                    Rule::kw_all => expr = Some(Expr { kind: ExprKind::EveryItem, span: self.span(&part) }),
                    Rule::kw_desc => descending = true,
                    Rule::order_using => descending = part.as_str().ends_with('>'),
                    Rule::kw_first => nulls_first = Some(true),
                    Rule::kw_last => nulls_first = Some(false),
                    _ => {}
                }
            }
            items.push(OrderItem { expr: expr.expect("an item has an expression"), descending, nulls_first });
        }
        Ok(items)
    }

    pub(super) fn table_primary(&mut self, pair: Pair<'_>) -> Result<TableRef, Diag> {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        if rule == Rule::json_table {
            return self.json_table(pair);
        }
        let (mut name, mut scopes, mut alias, mut inner) = (None, Scopes::default(), None, None);
        let (mut lateral, mut args, mut ordinality) = (None, Vec::new(), false);
        let mut in_information = false;
        let mut columns = Vec::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::in_information => in_information = true,
                Rule::name => name = Some(self.name(&part)),
                Rule::table_scope => self.table_scope(part, &mut scopes)?,
                Rule::alias => alias = Some(self.alias(part)),
                Rule::defined => {
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::alias_name => {
                                alias = Some(TableAlias { name: self.name(&part), columns: Vec::new() });
                            }
                            Rule::column_type => {
                                let mut parts = part.into_inner();
                                let name = self.name(&parts.next().expect("a column has a name"));
                                columns.push((name, self.type_name(parts.next().expect("a column has a type"))?));
                            }
                            _ => {}
                        }
                    }
                }
                Rule::from_paren => inner = Some(self.table_paren(part)?),
                Rule::kw_lateral => lateral = Some(self.span(&part)),
                Rule::expr => args.push(self.expr(part)?),
                Rule::ordinality => ordinality = true,
                _ => {}
            }
        }
        if rule == Rule::table {
            let name = name.expect("a table has a name");
            if !in_information {
                return Ok(TableRef::Table { name, scopes, alias });
            }
            if scopes.system.is_some() || scopes.valid.is_some() {
                return Err(unsupported("a scope on information_schema, which tells of the present,", span));
            }
            // No function can be called so, because names have no dots.
            let of_information =
                Name { text: format!("{}{}", crate::bind::INFORMATION_SCHEMA, name.text), span: name.span };
            let alias = alias.or(Some(TableAlias { name, columns: Vec::new() }));
            return Ok(TableRef::Function { name: of_information, args, ordinality, columns, alias, span });
        }
        if rule == Rule::table_function {
            let name = name.expect("a function has a name");
            return Ok(TableRef::Function { name, args, ordinality, columns, alias, span });
        }
        match (inner.expect("a derived table has a parenthesis"), alias) {
            // A parenthesis around a whole derived table changes nothing.
            (TableRef::Subquery { query, alias: None, lateral: inner, .. }, alias) => {
                Ok(TableRef::Subquery { lateral: inner || lateral.is_some(), query, alias, span })
            }
            (_, None) if let Some(lateral) = lateral => {
                Err(unsupported("LATERAL before a join in parentheses", lateral))
            }
            (table, None) => Ok(table),
            (_, Some(alias)) if let Some(lateral) = lateral => {
                Err(unsupported("LATERAL before a join in parentheses", lateral.to(alias.name.span)))
            }
            (table, Some(alias)) => Ok(TableRef::Named { table: Box::new(table), alias, span }),
        }
    }

    fn table_paren(&mut self, pair: Pair<'_>) -> Result<TableRef, Diag> {
        let span = self.span(&pair);
        let mut table = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::query => {
                    let query = Box::new(self.query(part)?);
                    return Ok(TableRef::Subquery { lateral: false, query, alias: None, span });
                }
                Rule::summarize => {
                    let span = self.span(&part);
                    let query = Box::new(self.summarized(part)?);
                    let query = Box::new(Query::of(SetExpr::Summarize { query, span }, span));
                    return Ok(TableRef::Subquery { lateral: false, query, alias: None, span });
                }
                Rule::from_item => table = Some(self.table_item(part)?),
                Rule::query_tail if part.clone().into_inner().next().is_some() => {
                    let Some(TableRef::Subquery { query, alias: None, .. }) = table.take() else {
                        return Err(self.misplaced_tail(&part, self.span(&part)));
                    };
                    let query = Box::new(self.query_from(query, part)?);
                    return Ok(TableRef::Subquery { lateral: false, query, alias: None, span });
                }
                _ => {}
            }
        }
        Ok(table.expect("the parenthesis holds a table or a query"))
    }

    pub(super) fn alias(&self, pair: Pair<'_>) -> TableAlias {
        let (mut name, mut columns) = (None, Vec::new());
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::alias_name => name = Some(self.name(&part)),
                Rule::name_list => columns = self.name_list(part),
                _ => {}
            }
        }
        TableAlias { name: name.expect("an alias is a name"), columns }
    }

    /// `AS OF x`, `VALID AT x`
    fn scope(&mut self, pair: Pair<'_>, scopes: &mut Scopes) -> Result<(), Diag> {
        let span = self.span(&pair);
        let which = pair.into_inner().next().expect("a scope is one of two");
        let system = which.as_rule() == Rule::as_of;
        let point = which.into_inner().find(|part| part.as_rule() == Rule::point);
        let point = self.point(point.expect("a scope has a point"))?;
        let scope = Scope { kind: ScopeKind::AsOf(Box::new(point)), span };
        put(if system { &mut scopes.system } else { &mut scopes.valid }, scope)
    }

    /// `FOR SYSTEM_TIME ..`, `FOR VALID_TIME ..`
    fn table_scope(&mut self, pair: Pair<'_>, scopes: &mut Scopes) -> Result<(), Diag> {
        let span = self.span(&pair);
        let (mut system, mut kind) = (false, ScopeKind::All);
        for part in pair.into_inner() {
            let rule = part.as_rule();
            match rule {
                Rule::kw_system_time => system = true,
                Rule::as_of | Rule::from_to | Rule::between_and => {
                    let (mut points, mut symmetric) = (Vec::new(), false);
                    for point in part.into_inner() {
                        match point.as_rule() {
                            Rule::point => points.push(self.point(point)?),
                            Rule::kw_symmetric => symmetric = true,
                            _ => {}
                        }
                    }
                    if symmetric {
                        let ends = ["least", "greatest"];
                        points = ends.map(|end| Expr { kind: plain_call(end, span, points.clone()), span }).into();
                    }
                    let mut points = points.into_iter().map(Box::new);
                    let mut next = || points.next().expect("the rule has its points");
                    kind = match rule {
                        Rule::as_of => ScopeKind::AsOf(next()),
                        Rule::from_to => ScopeKind::FromTo(next(), next()),
                        _ => ScopeKind::Between(next(), next()),
                    };
                }
                _ => {}
            }
        }
        put(if system { &mut scopes.system } else { &mut scopes.valid }, Scope { kind, span })
    }

    /// A point in time: an expression, or `TIMESTAMP $1`.
    pub(super) fn point(&mut self, pair: Pair<'_>) -> Result<Expr, Diag> {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let first = parts.next().expect("a point says something");
        match parts.next() {
            None => self.expr(first),
            Some(param) => {
                let operand = Expr { kind: self.param(&param)?, span: self.span(&param) };
                let ty =
                    TypeName { name: "timestamp".to_owned(), args: Vec::new(), array: false, span: self.span(&first) };
                Ok(Expr { kind: ExprKind::Cast { operand: Box::new(operand), ty }, span })
            }
        }
    }
}

fn put(slot: &mut Option<Scope>, scope: Scope) -> Result<(), Diag> {
    if slot.is_some() {
        return Err(given_twice(scope.span));
    }
    *slot = Some(scope);
    Ok(())
}

fn given_twice(place: Span) -> Diag {
    Diag::new(code::SYNTAX, "a scope on this time is given twice", place)
        .help("one AS OF and one VALID AT govern a query block and all that is nested in it")
}

/// Scopes at the very end and behind WHERE must not say the same time twice.
fn clash(outer: &Scopes, inner: &Scopes) -> Result<(), Diag> {
    for (outer, inner) in [(&outer.system, &inner.system), (&outer.valid, &inner.valid)] {
        if let (Some(outer), Some(_)) = (outer, inner) {
            return Err(given_twice(outer.span));
        }
    }
    Ok(())
}

fn merge(into: &mut Scopes, from: Scopes) -> Result<(), Diag> {
    clash(into, &from)?;
    into.system = into.system.take().or(from.system);
    into.valid = into.valid.take().or(from.valid);
    Ok(())
}

/// INTERSECT binds tighter than UNION and EXCEPT; otherwise from left to right.
fn combine(arms: Vec<SetExpr>, operators: Vec<Operator>) -> SetExpr {
    let mut arms = arms.into_iter();
    let mut groups = vec![arms.next().expect("there is a first arm")];
    let mut loose = Vec::new();
    for (operator, arm) in operators.into_iter().zip(arms) {
        if operator.0 == SetOp::Intersect {
            let left = groups.pop().expect("there is a group");
            groups.push(set_op(operator, left, arm));
        } else {
            loose.push(operator);
            groups.push(arm);
        }
    }
    let mut groups = groups.into_iter();
    let first = groups.next().expect("there is a group");
    loose.into_iter().zip(groups).fold(first, |left, (operator, right)| set_op(operator, left, right))
}

fn set_op((op, all, span): Operator, left: SetExpr, right: SetExpr) -> SetExpr {
    SetExpr::SetOp { op, all, left: Box::new(left), right: Box::new(right), span }
}
