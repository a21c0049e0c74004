//! How does MERGE become a tree?

use super::{Lower, Pair};
use crate::ast::{Merge, MergeAction, MergeRows, MergeWhen, Portion};
use crate::diag::Diag;
use crate::parse::Rule;

impl Lower {
    pub(super) fn merge(&mut self, pair: Pair<'_>) -> Result<Merge, Diag> {
        let (mut table, mut alias, mut portion, mut source, mut on) = (None, None, Portion::Current, None, None);
        let (mut whens, mut returning) = (Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => table = Some(self.name(&part)),
                Rule::portion => portion = self.portion(part)?,
                Rule::target_alias => alias = self.target_alias(part),
                Rule::from_item => {
                    let (item, condition) = self.item_with_condition(part)?;
                    (source, on) = (Some(item), Some(condition));
                }
                Rule::merge_when => whens.push(self.merge_when(part)?),
                Rule::returning => returning = Some(self.returning(part)?),
                _ => {}
            }
        }
        Ok(Merge {
            with: Vec::new(),
            table: table.expect("a MERGE names a table"),
            alias,
            portion,
            source: source.expect("a MERGE has a source"),
            on: on.expect("a MERGE has a condition"),
            whens,
            returning,
        })
    }

    fn merge_when(&mut self, pair: Pair<'_>) -> Result<MergeWhen, Diag> {
        let mut when = MergeWhen {
            rows: MergeRows::Matched,
            condition: None,
            action: MergeAction::Nothing,
            span: self.span(&pair),
        };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::merge_rows => {
                    for word in part.into_inner() {
                        match word.as_rule() {
                            Rule::kw_not => when.rows = MergeRows::OfSource,
                            Rule::kw_source => when.rows = MergeRows::OfTarget,
                            _ => {}
                        }
                    }
                }
                Rule::expr => when.condition = Some(self.expr(part)?),
                Rule::merge_update => {
                    let assignments = part.into_inner().find(|part| part.as_rule() == Rule::assignments);
                    when.action = MergeAction::Update(self.assignments(assignments.expect("SET assigns"))?);
                }
                Rule::kw_delete => when.action = MergeAction::Delete,
                Rule::merge_insert => when.action = self.merge_insert(part)?,
                _ => {}
            }
        }
        Ok(when)
    }

    fn merge_insert(&mut self, pair: Pair<'_>) -> Result<MergeAction, Diag> {
        let (mut columns, mut values, mut valid) = (Vec::new(), None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name_list => columns = self.name_list(part),
                Rule::row => values = Some(self.row(part)?),
                Rule::valid_from => {
                    let period = self.valid_from(part)?;
                    super::dml::set_period(&mut valid, period)?;
                }
                _ => {}
            }
        }
        Ok(MergeAction::Insert { columns, values, valid: valid.map(Box::new) })
    }
}
