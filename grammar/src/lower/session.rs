//! How do statements as such become trees?

use super::{Lower, Pair, values_query};
use crate::ast::{
    Begin, ExecuteInto, ExplainOptions, Expr, ExprKind, Isolation, Name, SessionKind, Statement, StatementKind,
    TransactionModes, TypeName,
};
use crate::diag::{Diag, code};
use crate::parse::Rule;
use crate::span::Span;

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
            Rule::erase => self.erase(pair)?,
            Rule::merge => StatementKind::Merge(self.merge(pair)?),
            Rule::with_change => self.with_change(pair)?,
            Rule::truncate => StatementKind::Truncate(self.name_list(pair)),
            Rule::create_table_as => StatementKind::CreateTableAs(self.create_table_as(pair)?),
            Rule::create_table => StatementKind::CreateTable(self.create_table(pair)?),
            Rule::drop_table => self.drop_table(pair),
            Rule::begin => StatementKind::Begin(self.begin(pair)?),
            Rule::set_transaction => {
                let modes = pair.into_inner().find(|part| part.as_rule() == Rule::transaction_modes);
                StatementKind::SetTransaction(modes.map(modes_of).expect("SET TRANSACTION says how"))
            }
            Rule::savepoint => StatementKind::Savepoint(self.only_name(pair)),
            Rule::rollback_to => StatementKind::RollbackTo(self.only_name(pair)),
            Rule::release => StatementKind::Release(self.only_name(pair)),
            Rule::verify_ledger => StatementKind::VerifyLedger,
            Rule::digest => StatementKind::Digest,
            Rule::commit => StatementKind::Commit,
            Rule::rollback => StatementKind::Rollback,
            Rule::show_tables => StatementKind::ShowTables,
            Rule::describe => {
                let name = pair.into_inner().find(|part| part.as_rule() == Rule::name);
                StatementKind::Describe(self.name(&name.expect("DESCRIBE names a table")))
            }
            Rule::set_retention => self.set_retention(pair)?,
            Rule::vacuum => {
                let name = pair.into_inner().find(|part| part.as_rule() == Rule::name);
                StatementKind::Vacuum(name.map(|name| self.name(&name)))
            }
            Rule::summarize => StatementKind::Summarize(self.summarized(pair)?),
            Rule::copy => StatementKind::Copy(self.copy(pair)?),
            Rule::explain => self.explain(pair)?,
            Rule::set
            | Rule::reset
            | Rule::show_setting
            | Rule::show_stats
            | Rule::show_table_stats
            | Rule::show_storage
            | Rule::prepare
            | Rule::deallocate => StatementKind::Session(self.session(pair)?),
            Rule::execute => self.execute(pair, None)?,
            Rule::create_table_execute => {
                let (mut head, mut execute, mut with_data) = (span, None, true);
                for part in pair.into_inner() {
                    match part.as_rule() {
                        Rule::create_head => head = self.span(&part),
                        Rule::execute => execute = Some(part),
                        Rule::with_data => with_data = part.into_inner().all(|word| word.as_rule() != Rule::kw_no),
                        _ => {}
                    }
                }
                self.execute(execute.expect("AS has an EXECUTE"), Some(ExecuteInto { head, with_data }))?
            }
            rule => unreachable!("{rule:?} is no statement"),
        };
        Ok(Statement { kind, span })
    }

    fn explain(&mut self, pair: Pair<'_>) -> Result<StatementKind, Diag> {
        let mut options = ExplainOptions::default();
        let mut statement = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_explain => {}
                Rule::kw_analyze => options.analyze = true,
                Rule::explain_options => {
                    for option in part.into_inner().filter(|part| part.as_rule() == Rule::explain_option) {
                        self.explain_option(option, &mut options)?;
                    }
                }
                _ => statement = Some(self.kind(part)?),
            }
        }
        let statement = Box::new(statement.expect("EXPLAIN has a statement"));
        Ok(StatementKind::Explain { statement, options })
    }

    fn explain_option(&self, pair: Pair<'_>, options: &mut ExplainOptions) -> Result<(), Diag> {
        let span = self.span(&pair);
        let (mut word, mut value) = (String::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_format => word.push_str("format"),
                Rule::kw_analyze => word.push_str("analyze"),
                Rule::explain_word => word = part.as_str().to_lowercase(),
                Rule::label => value = Some(self.name(&part).text),
                Rule::setting_number => value = Some(part.as_str().to_owned()),
                _ => {}
            }
        }
        let unknown = |what: &str, help: &str| Err(Diag::new(code::INVALID_PARAMETER, what, span).help(help));
        if word == "format" {
            options.json = match value.as_deref() {
                Some("json") => true,
                Some("text") => false,
                _ => return unknown("EXPLAIN has no such format", "FORMAT is TEXT or JSON"),
            };
            return Ok(());
        }
        let is_on = match value.as_deref() {
            None | Some("true" | "on" | "1") => true,
            Some("false" | "off" | "0") => false,
            Some(_) => return unknown("an option of EXPLAIN is on or off", "write TRUE, FALSE, ON, OFF or nothing"),
        };
        // What a plan does not show can be switched off, and what it always shows switched on.
        let (what, always) = match word.as_str() {
            "analyze" => {
                options.analyze = is_on;
                return Ok(());
            }
            "costs" => ("costs", false),
            "verbose" => ("more than its plan", false),
            "buffers" => ("buffers", false),
            "wal" => ("what is logged", false),
            "settings" => ("settings", false),
            "summary" => ("a summary", false),
            "memory" => ("memory", false),
            "timing" => ("times, but with ANALYZE always", true),
            _ => {
                let message = format!("unrecognized EXPLAIN option \"{word}\"");
                return Err(Diag::new(code::SYNTAX, message, span).help("the options are ANALYZE and FORMAT"));
            }
        };
        if is_on == always {
            return Ok(());
        }
        let message = format!("EXPLAIN ({} {})", word.to_uppercase(), if is_on { "ON" } else { "OFF" });
        Err(Diag::new(code::FEATURE_NOT_SUPPORTED, format!("{message} is not supported"), span)
            .help(format!("EXPLAIN shows no {what}")))
    }

    fn session(&mut self, pair: Pair<'_>) -> Result<SessionKind, Diag> {
        let rule = pair.as_rule();
        let (mut name, mut value, mut types, mut statement, mut local) = (None, None, Vec::new(), None, false);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.name(&part)),
                Rule::set_zone => name = Some(Name { text: "time_zone".to_owned(), span: self.span(&part) }),
                Rule::show_isolation => {
                    name = Some(Name { text: "transaction_isolation".to_owned(), span: self.span(&part) });
                }
                Rule::set_local => local = true,
                Rule::set_names => {
                    name = Some(Name { text: "client_encoding".to_owned(), span: self.span(&part) });
                    let part = part.into_inner().find(|part| part.as_rule() == Rule::setting_value);
                    value = self.setting_value(part.expect("NAMES has a value"))?;
                }
                Rule::setting_value => {
                    // A list is one text.
                    let more = self.setting_value(part)?;
                    value = match (value, more) {
                        (Some(list), Some(more)) => {
                            Some(Name { text: format!("{}, {}", list.text, more.text), span: list.span.to(more.span) })
                        }
                        (None, more) => more,
                        (list, None) => list,
                    };
                }
                Rule::prepare_types => {
                    for part in part.into_inner().filter(|part| part.as_rule() == Rule::type_name) {
                        types.push(self.type_name(part)?);
                    }
                }
                Rule::preparable => {
                    // To the end of what the rule took: space behind the last token does no harm.
                    let (start, end) = (part.as_span().start() as u32, part.as_span().end() as u32);
                    statement = Some(Span { start: self.base + start, end: self.base + end });
                }
                _ => {}
            }
        }
        let named = |name: Option<Name>| name.expect("the rule has a name");
        Ok(match rule {
            Rule::set => SessionKind::Set { name: named(name), value, local },
            Rule::reset => SessionKind::Reset(name),
            Rule::show_setting => SessionKind::Show(name),
            Rule::show_stats => SessionKind::ShowStats,
            Rule::show_table_stats => SessionKind::ShowTableStats(name),
            Rule::show_storage => SessionKind::ShowStorage,
            Rule::prepare => {
                let statement = statement.expect("PREPARE has a statement");
                SessionKind::Prepare { name: named(name), types, statement }
            }
            Rule::deallocate => SessionKind::Deallocate(name),
            rule => unreachable!("{rule:?} asks nothing of the session"),
        })
    }

    /// The value as written; `None` for DEFAULT.
    fn setting_value(&self, pair: Pair<'_>) -> Result<Option<Name>, Diag> {
        let part = pair.into_inner().next().expect("a value is something");
        let span = self.span(&part);
        let text = match part.as_rule() {
            Rule::kw_default => return Ok(None),
            Rule::label => self.name(&part).text,
            Rule::setting_number => part.as_str().to_owned(),
            _ => self.text(&part)?,
        };
        Ok(Some(Name { text, span }))
    }

    fn execute(&mut self, pair: Pair<'_>, into: Option<ExecuteInto>) -> Result<StatementKind, Diag> {
        let (mut name, mut row, mut span) = (None, Vec::new(), self.span(&pair));
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => name = Some(self.name(&part)),
                Rule::execute_args => {
                    span = self.span(&part);
                    row = self.exprs(part)?;
                }
                _ => {}
            }
        }
        let args = (!row.is_empty()).then(|| values_query(vec![row].into(), span));
        Ok(StatementKind::Execute { name: name.expect("EXECUTE names a statement"), args, into })
    }

    /// The name in a statement that has one.
    fn only_name(&mut self, pair: Pair<'_>) -> Name {
        let name = pair.into_inner().find(|part| part.as_rule() == Rule::name);
        self.name(&name.expect("the statement names something"))
    }

    fn begin(&mut self, pair: Pair<'_>) -> Result<Begin, Diag> {
        let mut begin = Begin { modes: TransactionModes::default(), names: Vec::new(), values: None };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::transaction_modes => begin.modes = modes_of(part),
                Rule::transaction_with => {
                    let span = self.span(&part);
                    let mut row = Vec::new();
                    for option in part.into_inner().filter(|part| part.as_rule() == Rule::transaction_option) {
                        let mut parts = option.into_inner().filter(|part| part.as_rule() != Rule::assign);
                        let mut name = self.name(&parts.next().expect("an option has a name"));
                        name.text = name.text.to_lowercase();
                        let value = self.expr(parts.next().expect("an option has a value"))?;
                        row.push(as_type(value, if name.text == "system_time" { "timestamp" } else { "text" }));
                        begin.names.push(name);
                    }
                    begin.values = Some(values_query(vec![row].into(), span));
                }
                _ => {}
            }
        }
        Ok(begin)
    }
}

/// What the last word says counts.
fn modes_of(pair: Pair<'_>) -> TransactionModes {
    let mut modes = TransactionModes::default();
    for mode in pair.into_inner() {
        for part in mode.into_inner() {
            match part.as_rule() {
                Rule::isolation => {
                    let is_serializable = part.into_inner().any(|word| word.as_rule() == Rule::kw_serializable);
                    modes.isolation = Some(if is_serializable { Isolation::Serializable } else { Isolation::Snapshot });
                }
                Rule::kw_only => modes.read_only = Some(true),
                Rule::kw_write => modes.read_only = Some(false),
                _ => {}
            }
        }
    }
    modes
}

fn as_type(value: Expr, name: &str) -> Expr {
    let span = value.span;
    let ty = TypeName { name: name.to_owned(), args: Vec::new(), array: false, span };
    Expr { kind: ExprKind::Cast { operand: Box::new(value), ty }, span }
}
