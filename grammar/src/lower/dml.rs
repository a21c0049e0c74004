//! How do INSERT, UPDATE, DELETE and COPY become trees?

use super::{Lower, Pair};
use crate::ast::{Copy, CopyDirection, CopySubject, Delete, Expr, Insert, Name, Portion, Query, Update, ValidPeriod};
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
                    insert = Some(Insert { table: self.name(&part), columns: Vec::new(), source: None, valid: None });
                }
                (Rule::name_list, Some(insert)) => insert.columns = self.name_list(part),
                (Rule::query, Some(insert)) => insert.source = Some(self.query(part)?),
                (Rule::valid_from, Some(insert)) => {
                    let period = self.valid_from(part)?;
                    set_period(insert, period)?;
                }
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

    pub(super) fn update(&mut self, pair: Pair<'_>) -> Result<Update, Diag> {
        let (mut table, mut alias, mut portion, mut assignments, mut filter) =
            (None, None, Portion::Current, Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => table = Some(self.name(&part)),
                Rule::portion => portion = self.portion(part)?,
                Rule::target_alias => alias = self.target_alias(part),
                Rule::assignment => {
                    let (mut column, mut value) = (None, None);
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::name => column = Some(self.name(&part)),
                            Rule::expr => value = Some(self.expr(part)?),
                            _ => {}
                        }
                    }
                    assignments.push((column.expect("an assignment names a column"), value));
                }
                Rule::filter => filter = self.exprs(part)?.pop(),
                _ => {}
            }
        }
        Ok(Update { table: table.expect("an UPDATE names a table"), alias, portion, assignments, filter })
    }

    pub(super) fn delete(&mut self, pair: Pair<'_>) -> Result<Delete, Diag> {
        let (mut table, mut alias, mut portion, mut filter) = (None, None, Portion::Current, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => table = Some(self.name(&part)),
                Rule::portion => portion = self.portion(part)?,
                Rule::target_alias => alias = self.target_alias(part),
                Rule::filter => filter = self.exprs(part)?.pop(),
                _ => {}
            }
        }
        Ok(Delete { table: table.expect("a DELETE names a table"), alias, portion, filter })
    }

    fn target_alias(&self, pair: Pair<'_>) -> Option<Name> {
        pair.into_inner().find(|part| part.as_rule() == Rule::alias_name).map(|part| self.name(&part))
    }

    fn portion(&mut self, pair: Pair<'_>) -> Result<Portion, Diag> {
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
pub(crate) fn set_period(insert: &mut Insert, period: ValidPeriod) -> Result<(), Diag> {
    if insert.valid.is_some() {
        return Err(Diag::new(code::SYNTAX, "VALID FROM is given twice", period.span)
            .help("it stands before the source or after it, once"));
    }
    insert.valid = Some(period);
    Ok(())
}

/// The query that rows of VALUES are.
pub(crate) fn values_query(rows: Vec<Vec<Expr>>, span: Span) -> Query {
    Query {
        with: Vec::new(),
        body: crate::ast::SetExpr::Values { rows, span },
        order_by: Vec::new(),
        limit: None,
        offset: None,
        scopes: crate::ast::Scopes::default(),
        span,
    }
}
