//! How is a plan told?
//!
//! As text, a node a line, or as JSON in the shape of PostgreSQL's: an array of one object whose `Plan` is a node with its
//! inputs in `Plans`. With ANALYZE the query is run to its end, and each node tells its rows and its time.
//!
//! Not here: what stands in a line (`spectradb_grammar::plan::display`).

use crate::{
    error::{Error, Result},
    interp::{self, Profile},
    rows::Outcome,
    session::Session,
    statement::{Run, texts},
};
use spectradb_grammar::{
    ast::ExplainOptions,
    plan::{
        CheckedPlan, Statement,
        display::{Line, Measured},
    },
};
use spectradb_kernel::Value;
use spectradb_store::Snapshot;
use std::sync::Arc;

impl Session {
    /// Carries out EXPLAIN.
    pub(crate) fn explain(
        &self,
        plan: &CheckedPlan,
        options: ExplainOptions,
        sql: &Arc<str>,
        params: &[Value],
        snapshot: &Snapshot,
    ) -> Result<Outcome> {
        let profile = Profile::default();
        if options.analyze
            && let Statement::Query(query) = explained(&plan.statement)
        {
            let view = self.view_on(snapshot);
            let run = Run { params, view: &view, sql, tuning: self.tuning(), given: &[], written: &[] };
            let drained = interp::build_measured(query, &run.context(), &profile).and_then(|mut source| {
                while source.next()?.is_some() {}
                Ok(())
            });
            drained.map_err(|error| Error::from_exec(error, sql))?;
        }
        let lines = plan.lines(&|node| profile.of(node));
        if options.json {
            return texts(&["plan"], vec![vec![json(&lines)]], sql);
        }
        texts(&["plan"], lines.iter().map(|line| vec![line.to_string()]).collect(), sql)
    }
}

/// The statement that is explained: that of EXPLAIN, or one that was prepared.
fn explained(statement: &Statement) -> &Statement {
    match statement {
        Statement::Explain { statement, .. } => statement,
        other => other,
    }
}

fn json(lines: &[Line]) -> String {
    let mut out = String::from("[\n  {\n    \"Plan\": ");
    let (first, rest) = subtree(lines);
    node(first, 2, &mut out);
    let mut rest = rest;
    if !rest.is_empty() {
        out.push_str(",\n    \"Subplans\": [");
        let mut between = "\n      ";
        while !rest.is_empty() {
            let (next, after) = subtree(rest);
            out.push_str(between);
            node(next, 3, &mut out);
            (rest, between) = (after, ",\n      ");
        }
        out.push_str("\n    ]");
    }
    out.push_str("\n  }\n]");
    out
}

/// A line with those that are indented below it, and the lines after them.
fn subtree(lines: &[Line]) -> (&[Line], &[Line]) {
    let below = lines.iter().skip(1).take_while(|line| line.depth > lines[0].depth).count();
    lines.split_at((below + 1).min(lines.len()))
}

fn node(lines: &[Line], indent: usize, out: &mut String) {
    let Some((line, below)) = lines.split_first() else {
        out.push_str("{}");
        return;
    };
    let pad = "  ".repeat(indent + 1);
    let kind = line.text.split([' ', ':']).next().unwrap_or_default();
    out.push_str(&format!("{{\n{pad}\"Node Type\": {},\n{pad}\"Text\": {}", quoted(kind), quoted(&line.text)));
    if let Some(Measured { rows, millis }) = line.measured {
        out.push_str(&format!(",\n{pad}\"Actual Rows\": {rows},\n{pad}\"Actual Total Time\": {millis:.3}"));
    }
    if !below.is_empty() {
        out.push_str(&format!(",\n{pad}\"Plans\": ["));
        let (mut rest, mut between) = (below, "");
        while !rest.is_empty() {
            let (next, after) = subtree(rest);
            out.push_str(&format!("{between}\n{pad}  "));
            node(next, indent + 2, out);
            (rest, between) = (after, ",");
        }
        out.push_str(&format!("\n{pad}]"));
    }
    out.push_str(&format!("\n{}}}", "  ".repeat(indent)));
}

/// A text as JSON writes it.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
