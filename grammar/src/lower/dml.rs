//! How do INSERT, UPDATE, DELETE and COPY become trees?
//!
//! Not here: MERGE (`merge`).

use super::{Lower, Pair};
use crate::ast::{
    Assignment, ConflictUpdate, Copy, CopyDirection, CopySubject, Delete, Expr, ExprKind, Insert, Name, OnConflict,
    Portion, Query, Returning, Rows, Select, SelectItem, SetExpr, StatementKind, Subscript, TableAlias, TableRef,
    Update, ValidPeriod,
};
use crate::diag::{Diag, code};
use crate::parse::Rule;
use crate::span::Span;

impl Lower {
    /// An `insert`, or the `insert_head` before rows that were read apart.
    pub(crate) fn insert(&mut self, pair: Pair<'_>) -> Result<Insert, Diag> {
        let mut insert: Option<Insert> = None;
        for part in pair.into_inner() {
            match (part.as_rule(), &mut insert) {
                (Rule::name, _) => {
                    insert = Some(Insert {
                        with: Vec::new(),
                        table: self.name(&part),
                        alias: None,
                        columns: Vec::new(),
                        subscripts: Vec::new(),
                        source: None,
                        valid: None,
                        on_conflict: None,
                        returning: None,
                    });
                }
                (Rule::as_alias, Some(insert)) => insert.alias = self.target_alias(part),
                (Rule::name_list, Some(insert)) => insert.columns = self.name_list(part),
                (Rule::target_list, Some(insert)) => {
                    for target in part.into_inner().filter(|part| part.as_rule() == Rule::set_target) {
                        let (column, subscripts) = self.set_target(target)?;
                        insert.columns.push(column);
                        insert.subscripts.push(subscripts);
                    }
                }
                (Rule::query, Some(insert)) => insert.source = Some(self.query(part)?),
                (Rule::valid_from, Some(insert)) => {
                    let period = self.valid_from(part)?;
                    set_period(&mut insert.valid, period)?;
                }
                (Rule::on_conflict, Some(insert)) => insert.on_conflict = Some(self.on_conflict(part)?),
                (Rule::returning, Some(insert)) => insert.returning = Some(self.returning(part)?),
                _ => {}
            }
        }
        Ok(insert.expect("an INSERT names a table"))
    }

    pub(crate) fn valid_from(&mut self, pair: Pair<'_>) -> Result<ValidPeriod, Diag> {
        let span = self.span(&pair);
        let mut points = self.points(pair)?.into_iter();
        Ok(ValidPeriod { from: points.next().expect("a period has a beginning"), to: points.next(), span })
    }

    fn points(&mut self, pair: Pair<'_>) -> Result<Vec<Expr>, Diag> {
        pair.into_inner().filter(|part| part.as_rule() == Rule::point).map(|part| self.point(part)).collect()
    }

    pub(crate) fn on_conflict(&mut self, pair: Pair<'_>) -> Result<OnConflict, Diag> {
        let mut conflict = OnConflict { target: None, update: None, span: self.span(&pair) };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name_list => {
                    let span = self.span(&part);
                    conflict.target = Some((self.name_list(part), span));
                }
                Rule::conflict_update => {
                    let mut update = ConflictUpdate { assignments: Vec::new(), filter: None };
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::assignments => update.assignments = self.assignments(part)?,
                            Rule::filter => update.filter = self.exprs(part)?.pop(),
                            _ => {}
                        }
                    }
                    conflict.update = Some(update);
                }
                _ => {}
            }
        }
        Ok(conflict)
    }

    pub(crate) fn returning(&mut self, pair: Pair<'_>) -> Result<Returning, Diag> {
        let span = self.span(&pair);
        let items = pair.into_inner().filter(|part| part.as_rule() == Rule::select_item);
        Ok(Returning { items: items.map(|part| self.select_item(part)).collect::<Result<_, _>>()?, span })
    }

    /// A part of WITH that writes.
    pub(super) fn paren_change(&mut self, pair: Pair<'_>) -> Result<StatementKind, Diag> {
        let is_change = |part: &Pair<'_>| {
            matches!(part.as_rule(), Rule::with_change | Rule::insert | Rule::update | Rule::delete | Rule::merge)
        };
        let change = pair.into_inner().find(is_change).expect("the parentheses hold a change");
        Ok(match change.as_rule() {
            Rule::with_change => self.with_change(change)?,
            Rule::insert => StatementKind::Insert(self.insert(change)?),
            Rule::update => StatementKind::Update(self.update(change)?),
            Rule::delete => StatementKind::Delete(self.delete(change)?),
            _ => StatementKind::Merge(self.merge(change)?),
        })
    }

    /// A statement that writes, behind its WITH.
    pub(super) fn with_change(&mut self, pair: Pair<'_>) -> Result<StatementKind, Diag> {
        let mut parts = pair.into_inner();
        let ctes = self.with(parts.next().expect("the statement begins with WITH"))?;
        let change = parts.next().expect("WITH stands before a statement");
        Ok(match change.as_rule() {
            Rule::insert => StatementKind::Insert(Insert { with: ctes, ..self.insert(change)? }),
            Rule::update => StatementKind::Update(Update { with: ctes, ..self.update(change)? }),
            Rule::delete => StatementKind::Delete(Delete { with: ctes, ..self.delete(change)? }),
            Rule::merge => StatementKind::Merge(crate::ast::Merge { with: ctes, ..self.merge(change)? }),
            rule => unreachable!("{rule:?} does not write"),
        })
    }

    /// `a = x, (b, c) = (y, z)`
    pub(super) fn assignments(&mut self, pair: Pair<'_>) -> Result<Vec<Assignment>, Diag> {
        let mut all = Vec::new();
        for assignment in pair.into_inner().filter(|part| part.as_rule() == Rule::assignment) {
            let (mut targets, mut values) = (Vec::new(), Vec::new());
            let span = self.span(&assignment);
            for part in assignment.into_inner() {
                match part.as_rule() {
                    Rule::set_target => targets.push(self.set_target(part)?),
                    Rule::default_value => values.push(Expr { kind: ExprKind::Default, span: self.span(&part) }),
                    Rule::expr => values.push(self.expr(part)?),
                    Rule::row => values = self.row(part)?,
                    Rule::paren_query => {
                        let query = self.paren_query(part)?;
                        values = row_of(query, targets.len());
                    }
                    _ => {}
                }
            }
            if targets.len() != values.len() {
                return Err(Diag::new(code::SYNTAX, "number of columns does not match number of values", span));
            }
            let values = values.into_iter().map(|value| (value.kind != ExprKind::Default).then_some(value));
            let of = |((column, subscripts), value)| Assignment { column, subscripts, value };
            all.extend(targets.into_iter().zip(values).map(of));
        }
        Ok(all)
    }

    /// `a`, `a[1]`, `a[1:2][3]`
    fn set_target(&mut self, pair: Pair<'_>) -> Result<(Name, Vec<Subscript>), Diag> {
        let mut parts = pair.into_inner();
        let name = self.name(&parts.next().expect("a target has a name"));
        let subscripts = parts.map(|part| self.subscript(part)).collect::<Result<_, _>>()?;
        Ok((name, subscripts))
    }

    pub(super) fn update(&mut self, pair: Pair<'_>) -> Result<Update, Diag> {
        let (mut table, mut alias, mut portion, mut assignments, mut filter) =
            (None, None, Portion::Current, Vec::new(), None);
        let (mut from, mut returning) = (Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => table = Some(self.name(&part)),
                Rule::portion => portion = self.portion(part)?,
                Rule::target_alias => alias = self.target_alias(part),
                Rule::assignments => assignments = self.assignments(part)?,
                Rule::from => from = self.items_of_from(part)?,
                Rule::filter => filter = self.exprs(part)?.pop(),
                Rule::returning => returning = Some(self.returning(part)?),
                _ => {}
            }
        }
        let table = table.expect("an UPDATE names a table");
        Ok(Update { with: Vec::new(), table, alias, portion, assignments, from, filter, returning })
    }

    pub(super) fn erase(&mut self, pair: Pair<'_>) -> Result<StatementKind, Diag> {
        let (mut table, mut alias, mut filter) = (None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => table = Some(self.name(&part)),
                Rule::target_alias => alias = self.target_alias(part),
                Rule::filter => filter = self.exprs(part)?.pop(),
                _ => {}
            }
        }
        let table: Name = table.expect("an ERASE names a table");
        let Some(filter) = filter else {
            return Err(Diag::new(code::SYNTAX, "ERASE needs a WHERE", table.span)
                .help("nothing brings back what is erased; WHERE TRUE erases every key of the table"));
        };
        Ok(StatementKind::Erase { table, alias, filter })
    }

    pub(super) fn delete(&mut self, pair: Pair<'_>) -> Result<Delete, Diag> {
        let (mut table, mut alias, mut portion, mut filter) = (None, None, Portion::Current, None);
        let (mut using, mut returning) = (Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => table = Some(self.name(&part)),
                Rule::portion => portion = self.portion(part)?,
                Rule::target_alias => alias = self.target_alias(part),
                Rule::using => using = self.items_of_from(part)?,
                Rule::filter => filter = self.exprs(part)?.pop(),
                Rule::returning => returning = Some(self.returning(part)?),
                _ => {}
            }
        }
        let table = table.expect("a DELETE names a table");
        Ok(Delete { with: Vec::new(), table, alias, portion, using, filter, returning })
    }

    /// The items of FROM or USING.
    pub(super) fn items_of_from(&mut self, pair: Pair<'_>) -> Result<Vec<TableRef>, Diag> {
        let items = pair.into_inner().filter(|part| part.as_rule() == Rule::from_item);
        items.map(|item| self.table_item(item)).collect()
    }

    pub(super) fn target_alias(&self, pair: Pair<'_>) -> Option<Name> {
        pair.into_inner().find(|part| part.as_rule() == Rule::alias_name).map(|part| self.name(&part))
    }

    pub(super) fn portion(&mut self, pair: Pair<'_>) -> Result<Portion, Diag> {
        let span = self.span(&pair);
        for part in pair.into_inner() {
            if part.as_rule() == Rule::portion_of {
                let mut points = self.points(part)?.into_iter();
                let from = points.next().expect("a portion has a beginning");
                return Ok(Portion::Period(ValidPeriod { from, to: points.next(), span }));
            }
        }
        Ok(Portion::All(span))
    }

    pub(super) fn copy(&mut self, pair: Pair<'_>) -> Result<Copy, Diag> {
        let mut subject: Option<CopySubject> = None;
        let (mut direction, mut path, mut path_span, mut options) =
            (CopyDirection::To, String::new(), Span::default(), Vec::new());
        for part in pair.into_inner() {
            match (part.as_rule(), &mut subject) {
                (Rule::name, _) => subject = Some(CopySubject::Table { name: self.name(&part), columns: Vec::new() }),
                (Rule::name_list, Some(CopySubject::Table { columns, .. })) => *columns = self.name_list(part),
                (Rule::paren_query, _) => subject = Some(CopySubject::Query(Box::new(self.paren_query(part)?))),
                (Rule::kw_from, _) => direction = CopyDirection::From,
                (Rule::copy_path, _) => {
                    path_span = self.span(&part);
                    path = self.text(&part.into_inner().next().expect("a path is a text"))?;
                }
                (Rule::copy_options, _) => {
                    for option in part.into_inner().filter(|part| part.as_rule() == Rule::copy_option) {
                        options.push(self.copy_option(option)?);
                    }
                }
                _ => {}
            }
        }
        let subject = subject.expect("COPY has a subject");
        if let (CopySubject::Query(query), CopyDirection::From) = (&subject, direction) {
            return Err(
                Diag::new(code::SYNTAX, "a query cannot be copied into", query.span).help("name a table, or write TO")
            );
        }
        Ok(Copy { subject, direction, path, path_span, options })
    }

    fn copy_option(&self, pair: Pair<'_>) -> Result<(Name, Option<String>), Diag> {
        let mut parts = pair.into_inner();
        let mut name = self.name(&parts.next().expect("an option has a name"));
        name.text = name.text.to_lowercase();
        let value = match parts.next() {
            None => None,
            Some(part) => Some(match part.as_rule() {
                Rule::label => self.name(&part).text,
                Rule::number => part.as_str().to_owned(),
                _ => self.text(&part)?,
            }),
        };
        Ok((name, value))
    }
}

/// Gives an INSERT its period, unless it has one.
pub(crate) fn set_period(valid: &mut Option<ValidPeriod>, period: ValidPeriod) -> Result<(), Diag> {
    if valid.is_some() {
        return Err(Diag::new(code::SYNTAX, "VALID FROM is given twice", period.span)
            .help("it stands before the source or after it, once"));
    }
    *valid = Some(period);
    Ok(())
}

/// The query that rows of VALUES are.
/// The columns of a query that gives one row, each as a subquery of its own.
fn row_of(query: Query, count: usize) -> Vec<Expr> {
    let span = query.span;
    let expr = |kind| Expr { kind, span };
    if count == 1 {
        return vec![expr(ExprKind::Subquery(Box::new(query)))];
    }
    if let SetExpr::Select(select) = &query.body
        && select.items.iter().all(|item| matches!(item, SelectItem::Expr { .. }))
        && select.items.len() != count
    {
        // As many values as the list has, so that the difference is told.
        return select.items.iter().map(|_| expr(ExprKind::Null)).collect();
    }
    let named = |text: String| Name { text, span };
    let names: Vec<Name> = (1..=count).map(|number| named(format!("column{number}"))).collect();
    let part = |name: &Name| {
        let alias = TableAlias { name: named("row".to_owned()), columns: names.clone() };
        let query = Box::new(query.clone());
        let item = SelectItem::Expr { expr: expr(ExprKind::Path(vec![name.clone()])), alias: None };
        let from = vec![TableRef::Subquery { lateral: false, query, alias: Some(alias), span }];
        let select = Select { items: vec![item], from, ..Select::of_all(span) };
        expr(ExprKind::Subquery(Box::new(Query::of(SetExpr::Select(Box::new(select)), span))))
    };
    names.iter().map(part).collect()
}

pub(crate) fn values_query(rows: Rows, span: Span) -> Query {
    Query::of(SetExpr::Values { rows, span }, span)
}
