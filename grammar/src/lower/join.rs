//! Which tables does each join of a FROM item join?
//!
//! `a JOIN b LEFT JOIN c ON x ON y` is `a JOIN (b LEFT JOIN c ON x) ON y`: a join waits for its condition, and what is joined
//! in between is its right side. So joins that wait are kept on a stack, and a condition is for the last of them; CROSS and
//! NATURAL joins wait for nothing. Nothing here recurses, however many joins wait.
//!
//! Not here: what one table of an item is (`query`), what a join means (`bind::from`).

use super::{Lower, Pair};
use crate::{
    ast::{Expr, JoinCondition, JoinKind, TableRef},
    diag::{Diag, code},
    parse::Rule,
    span::Span,
};

/// A join that waits for its condition, with what stands left of it.
struct Waiting {
    left: TableRef,
    kind: JoinKind,
    as_of: bool,
    span: Span,
}

impl Waiting {
    fn with(self, right: TableRef, condition: JoinCondition) -> TableRef {
        let Waiting { left, kind, as_of, span } = self;
        TableRef::Join { kind, left: Box::new(left), right: Box::new(right), condition, as_of, span }
    }
}

impl Lower {
    pub(super) fn table_item(&mut self, pair: Pair<'_>) -> Result<TableRef, Diag> {
        Ok(self.joined(pair, false)?.0)
    }

    /// The source of a MERGE, and the ON behind it that belongs to no join of it.
    pub(super) fn item_with_condition(&mut self, pair: Pair<'_>) -> Result<(TableRef, Expr), Diag> {
        let span = self.span(&pair);
        let (item, condition) = self.joined(pair, true)?;
        match condition {
            Some(condition) => Ok((item, condition)),
            None => Err(Diag::new(code::SYNTAX, "syntax error: a MERGE without ON", span)
                .help("say behind USING when a row of the source matches one of the table")),
        }
    }

    fn joined(&mut self, pair: Pair<'_>, takes_condition: bool) -> Result<(TableRef, Option<Expr>), Diag> {
        let place = self.span(&pair);
        let joins = pair.clone().into_inner().filter(|part| part.as_rule() == Rule::join).count() as u32;
        self.deeper(joins, place, |lower| {
            let mut parts = pair.into_inner().peekable();
            let mut last = lower.table_primary(parts.next().expect("an item has a first table"))?;
            let mut waiting: Vec<Waiting> = Vec::new();
            while let Some(part) = parts.next() {
                if part.as_rule() == Rule::join {
                    let (join, natural, right) = lower.join(last, part)?;
                    last = match (join.kind, natural) {
                        (JoinKind::Cross, _) => join.with(right, JoinCondition::None),
                        (_, true) => join.with(right, JoinCondition::Natural),
                        (_, false) => {
                            waiting.push(join);
                            right
                        }
                    };
                    continue;
                }
                let (rule, span) = (part.as_rule(), lower.span(&part));
                match waiting.pop() {
                    Some(join) => last = join.with(last, lower.condition(part)?),
                    None if takes_condition && rule == Rule::join_on && parts.peek().is_none() => {
                        return Ok((last, lower.exprs(part)?.pop()));
                    }
                    None => {
                        let word = if rule == Rule::join_on { "ON" } else { "USING" };
                        let at = Span { start: span.start, end: span.start + word.len() as u32 };
                        let message = format!("syntax error at or near \"{}\"", &part.as_str()[..word.len()]);
                        return Err(Diag::new(code::SYNTAX, message, at).help(format!("no join waits for this {word}")));
                    }
                }
            }
            match waiting.pop() {
                None => Ok((last, None)),
                Some(join) => Err(Diag::new(code::SYNTAX, "syntax error: a join without ON or USING", join.span)
                    .help("say ON with a condition, USING with columns, or CROSS JOIN")),
            }
        })
    }

    /// The join without its condition, whether it is NATURAL, and its right side.
    fn join(&mut self, left: TableRef, pair: Pair<'_>) -> Result<(Waiting, bool, TableRef), Diag> {
        let start = self.span(&pair).start;
        let mut join = Waiting { left, kind: JoinKind::Cross, as_of: false, span: Span { start, end: start } };
        let (mut natural, mut right) = (false, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::join_kind => {
                    let word = part.into_inner().next().map(|word| word.as_rule());
                    join.kind = match word {
                        Some(Rule::kw_left) => JoinKind::Left,
                        Some(Rule::kw_right) => JoinKind::Right,
                        Some(Rule::kw_full) => JoinKind::Full,
                        Some(_) | None => JoinKind::Inner,
                    };
                }
                Rule::kw_natural => natural = true,
                Rule::kw_asof => join.as_of = true,
                Rule::kw_join => join.span.end = self.span(&part).end,
                Rule::derived | Rule::table | Rule::table_function | Rule::json_table => {
                    right = Some(self.table_primary(part)?)
                }
                _ => {}
            }
        }
        Ok((join, natural, right.expect("a join has a right side")))
    }

    fn condition(&mut self, pair: Pair<'_>) -> Result<JoinCondition, Diag> {
        if pair.as_rule() == Rule::join_on {
            return Ok(JoinCondition::On(self.exprs(pair)?.pop().expect("ON has a condition")));
        }
        let (mut names, mut alias) = (Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name_list => names = self.name_list(part),
                Rule::alias_name => alias = Some(self.name(&part)),
                _ => {}
            }
        }
        Ok(JoinCondition::Using(names, alias))
    }
}
