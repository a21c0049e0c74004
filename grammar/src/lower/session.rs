//! How do statements as such become trees?

use super::{Lower, Pair};
use crate::ast::{Statement, StatementKind};
use crate::diag::Diag;
use crate::parse::Rule;

impl Lower {
    /// A `statement`.
    pub(crate) fn statement(&mut self, pair: Pair<'_>) -> Result<Statement, Diag> {
        let statement = self.kind(pair.into_inner().next().expect("a statement says something"))?;
        self.finish()?;
        Ok(statement)
    }

    fn kind(&mut self, pair: Pair<'_>) -> Result<Statement, Diag> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::query => {
                let query = self.query(pair)?;
                self.query_or_table(query)
            }
            Rule::insert => StatementKind::Insert(self.insert(pair)?),
            Rule::update => StatementKind::Update(self.update(pair)?),
            Rule::delete => StatementKind::Delete(self.delete(pair)?),
            Rule::merge => StatementKind::Merge(self.merge(pair)?),
            Rule::with_change => self.with_change(pair)?,
            Rule::truncate => StatementKind::Truncate(self.name_list(pair)),
            Rule::create_table_as => StatementKind::CreateTableAs(self.create_table_as(pair)?),
            Rule::create_table => StatementKind::CreateTable(self.create_table(pair)?),
            Rule::drop_table => self.drop_table(pair),
            Rule::begin => StatementKind::Begin,
            Rule::commit => StatementKind::Commit,
            Rule::rollback => StatementKind::Rollback,
            Rule::show_tables => StatementKind::ShowTables,
            Rule::describe => {
                let name = pair.into_inner().find(|part| part.as_rule() == Rule::name);
                StatementKind::Describe(self.name(&name.expect("DESCRIBE names a table")))
            }
            Rule::vacuum => {
                let name = pair.into_inner().find(|part| part.as_rule() == Rule::name);
                StatementKind::Vacuum(name.map(|name| self.name(&name)))
            }
            Rule::copy => StatementKind::Copy(self.copy(pair)?),
            Rule::explain => {
                let inner = pair.into_inner().find(|part| part.as_rule() != Rule::kw_explain);
                StatementKind::Explain(Box::new(self.kind(inner.expect("EXPLAIN has a statement"))?))
            }
            rule => unreachable!("{rule:?} is no statement"),
        };
        Ok(Statement { kind, span })
    }
}
