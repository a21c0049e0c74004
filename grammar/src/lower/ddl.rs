//! How do CREATE TABLE, CREATE TABLE AS, SELECT INTO and DROP TABLE become trees?

use super::{Lower, Pair};
use crate::ast::{ColumnDef, CreateTable, CreateTableAs, Expr, ExprKind, Query, SetExpr, StatementKind, TypeName};
use crate::diag::{Diag, code};
use crate::parse::Rule;

impl Lower {
    pub(super) fn create_table(&mut self, pair: Pair<'_>) -> Result<CreateTable, Diag> {
        let (mut name, mut if_not_exists, mut columns, mut primary_key) = (None, false, Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.name(&part)),
                Rule::if_not_exists => if_not_exists = true,
                Rule::column_def => columns.push(self.column_def(part)?),
                Rule::table_key => {
                    let span = self.span(&part);
                    if primary_key.is_some() {
                        return Err(Diag::new(code::INVALID_TABLE_DEFINITION, "the primary key is given twice", span)
                            .help("write one PRIMARY KEY with all its columns"));
                    }
                    let list = part.into_inner().find(|part| part.as_rule() == Rule::name_list);
                    primary_key = Some((self.name_list(list.expect("a key has columns")), span));
                }
                _ => {}
            }
        }
        Ok(CreateTable { name: name.expect("a table has a name"), if_not_exists, columns, primary_key })
    }

    pub(super) fn create_table_as(&mut self, pair: Pair<'_>) -> Result<CreateTableAs, Diag> {
        let (mut name, mut if_not_exists, mut columns, mut query, mut with_data) =
            (None, false, Vec::new(), None, true);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.name(&part)),
                Rule::if_not_exists => if_not_exists = true,
                Rule::name_list => columns = self.name_list(part),
                Rule::query => query = Some(self.query(part)?),
                Rule::with_data => with_data = part.into_inner().all(|word| word.as_rule() != Rule::kw_no),
                _ => {}
            }
        }
        let (name, query) = (name.expect("a table has a name"), query.expect("AS has a query"));
        Ok(CreateTableAs { name, if_not_exists, columns, query, with_data })
    }

    /// A query, or the table that its first SELECT makes with INTO.
    pub(super) fn query_or_table(&mut self, query: Query) -> StatementKind {
        let mut first = &query.body;
        while let SetExpr::SetOp { left, .. } = first {
            first = left;
        }
        let begins = match first {
            SetExpr::Select(select) => Some(select.span.start),
            SetExpr::Values { .. } | SetExpr::Query(_) | SetExpr::Summarize { .. } | SetExpr::SetOp { .. } => None,
        };
        match self.into.take_if(|(_, of)| Some(*of) == begins) {
            Some((name, _)) => StatementKind::CreateTableAs(CreateTableAs {
                name,
                if_not_exists: false,
                columns: Vec::new(),
                query,
                with_data: true,
            }),
            None => StatementKind::Query(query),
        }
    }

    fn column_def(&mut self, pair: Pair<'_>) -> Result<ColumnDef, Diag> {
        let (mut name, mut ty) = (None, None);
        let (mut not_null, mut null, mut primary_key, mut default) = (false, None, None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.name(&part)),
                Rule::type_name => ty = Some(self.type_name(part)?),
                Rule::column_constraint => {
                    let constraint = part.into_inner().next().expect("a constraint says something");
                    let span = self.span(&constraint);
                    match constraint.as_rule() {
                        Rule::not_null => not_null = true,
                        Rule::kw_null => null = Some(span),
                        Rule::column_key => primary_key = Some(span),
                        _ => {
                            if default.is_some() {
                                return Err(Diag::new(code::SYNTAX, "DEFAULT is given twice", span));
                            }
                            let bound = constraint.into_inner().find(|part| part.as_rule() == Rule::bound);
                            default = Some(self.expr(bound.expect("DEFAULT has a value"))?);
                        }
                    }
                }
                _ => {}
            }
        }
        let name = name.expect("a column has a name");
        if let Some(span) = null
            && (not_null || primary_key.is_some())
        {
            let message = format!("column \"{}\" is declared both NULL and NOT NULL", name.text);
            return Err(Diag::new(code::SYNTAX, message, span).help("a key column is NOT NULL"));
        }
        Ok(ColumnDef { name, ty: ty.expect("a column has a type"), not_null, primary_key, default })
    }

    pub(super) fn drop_table(&self, pair: Pair<'_>) -> StatementKind {
        let if_exists = pair.clone().into_inner().any(|part| part.as_rule() == Rule::if_exists);
        StatementKind::DropTable { names: self.name_list(pair), if_exists }
    }

    pub(super) fn set_retention(&mut self, pair: Pair<'_>) -> Result<StatementKind, Diag> {
        let (mut table, mut retention) = (None, None);
        for part in pair.into_inner() {
            let span = self.span(&part);
            let text = match part.as_rule() {
                Rule::name => {
                    table = Some(self.name(&part));
                    continue;
                }
                Rule::interval => {
                    retention = Some(Expr { kind: self.interval(part, span)?, span });
                    continue;
                }
                Rule::plain_text | Rule::escape_text | Rule::dollar_text => self.text(&part)?,
                Rule::retention_word => part.as_str().to_owned(),
                _ => continue,
            };
            let ty = TypeName { name: "interval".to_owned(), args: Vec::new(), array: false, span };
            retention = Some(Expr { kind: ExprKind::Typed { ty, text }, span });
        }
        Ok(StatementKind::SetRetention { table: table.expect("ALTER TABLE names a table"), retention })
    }
}
