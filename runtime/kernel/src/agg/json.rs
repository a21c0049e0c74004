//! How do the values of a group become a JSON array or object?
//!
//! Elements and fields stand in the order in which rows come, with PostgreSQL's spaces: `[1, 2]`, `{"a": 1}` and, of
//! `json_object_agg`, `{ "a" : 1 }`. The binder has made JSON of the values, NULL the JSON null; a row without a value does
//! not take part (FILTER leaves it so).
//!
//! Holds: what comes out is JSON. A key given twice has its last value in `jsonb_object_agg`.

use super::Accumulator;
use crate::{
    column::{Column, ColumnBuilder},
    func::{RowFault, json_tree::push_quoted},
    ty::Type,
};

/// The elements of each group, as the text of an array that is not closed.
#[derive(Default)]
pub(super) struct Elements {
    texts: Vec<Option<String>>,
    /// What they take.
    bytes: usize,
}

impl Elements {
    fn add(&mut self, column: &Column, group_of: impl Fn(usize) -> usize) {
        let values = column.byte_vals();
        for row in (0..column.len()).filter(|row| !column.is_null(*row)) {
            let text = match &mut self.texts[group_of(row)] {
                Some(text) => {
                    text.push_str(", ");
                    text
                }
                empty => empty.insert("[".to_owned()),
            };
            text.push_str(values.text_at(row));
            self.bytes += 2 + values.text_at(row).len();
        }
    }
}

impl Accumulator for Elements {
    fn resize(&mut self, group_count: usize) {
        self.texts.resize(group_count, None);
    }

    fn update(&mut self, groups: &[u32], arg: Option<&Column>) -> Result<(), RowFault> {
        self.add(arg.expect("only count(*) has no argument"), |row| groups[row] as usize);
        Ok(())
    }

    fn update_all(&mut self, _row_count: usize, arg: Option<&Column>) -> Result<(), RowFault> {
        self.add(arg.expect("only count(*) has no argument"), |_| 0);
        Ok(())
    }

    fn grown_bytes(&self) -> usize {
        self.bytes
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        let mut column = ColumnBuilder::new(Type::Json);
        for text in &self.texts {
            match text {
                Some(text) => column.push_text(&format!("{text}]")),
                None => column.push_null(),
            }
        }
        Ok(column.finish())
    }
}

/// The fields of each group.
pub(super) struct Fields {
    /// Has a key one value, the last?
    once: bool,
    fields: Vec<Option<Vec<(String, String)>>>,
    /// What they take.
    bytes: usize,
}

impl Fields {
    pub(super) fn new(once: bool) -> Fields {
        Fields { once, fields: Vec::new(), bytes: 0 }
    }
}

impl Accumulator for Fields {
    fn resize(&mut self, group_count: usize) {
        self.fields.resize(group_count, None);
    }

    fn update(&mut self, _groups: &[u32], _arg: Option<&Column>) -> Result<(), RowFault> {
        unreachable!("a field has a key and a value")
    }

    fn update_all(&mut self, _row_count: usize, _arg: Option<&Column>) -> Result<(), RowFault> {
        unreachable!("a field has a key and a value")
    }

    fn update_more(&mut self, groups: &[u32], args: &[Column]) -> Result<(), RowFault> {
        let (keys, values) = (args[0].byte_vals(), args[1].byte_vals());
        for (row, group) in groups.iter().enumerate() {
            if args[0].is_null(row) || args[1].is_null(row) {
                continue;
            }
            let fields = self.fields[*group as usize].get_or_insert_with(Vec::new);
            let field = (keys.text_at(row).to_owned(), values.text_at(row).to_owned());
            self.bytes += size_of::<(String, String)>() + field.0.len() + field.1.len();
            fields.push(field);
        }
        Ok(())
    }

    fn grown_bytes(&self) -> usize {
        self.bytes
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        let mut column = ColumnBuilder::new(Type::Json);
        for fields in &self.fields {
            match fields {
                Some(fields) => column.push_text(&self.text_of(fields)),
                None => column.push_null(),
            }
        }
        Ok(column.finish())
    }
}

impl Fields {
    fn text_of(&self, fields: &[(String, String)]) -> String {
        let mut kept: Vec<&(String, String)> = fields.iter().collect();
        if self.once {
            // Of equal keys the last counts; keys are in the order that jsonb has, shorter ones first.
            kept.reverse();
            kept.sort_by(|(a, _), (b, _)| (a.len(), a).cmp(&(b.len(), b)));
            kept.dedup_by(|(later, _), (first, _)| later == first);
        }
        let (open, colon, close) = if self.once { ("{", ": ", "}") } else { ("{ ", " : ", " }") };
        let mut out = open.to_owned();
        for (at, (key, value)) in kept.into_iter().enumerate() {
            out.push_str(if at > 0 { ", " } else { "" });
            push_quoted(key, &mut out);
            out.push_str(colon);
            out.push_str(value);
        }
        out.push_str(close);
        out
    }
}
