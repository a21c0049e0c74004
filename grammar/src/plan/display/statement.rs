//! How do statements read in a plan: what stands above the nodes of their queries?
//!
//! Not here: nodes and expressions (`display`).

use super::{Printer, first_only, modes, quoted, session_line};
use crate::plan::{Conflict, MergeAction, Statement};
use spectradb_kernel::{interval::Interval, time::MICROS_PER_DAY};
use std::fmt::Write as _;

impl Printer<'_> {
    pub(super) fn statement(&mut self, statement: &Statement, depth: usize) {
        match statement {
            Statement::Query(query) => self.query(query, depth),
            Statement::Insert { table, source, conflict, returning } => {
                self.line(depth, &format!("Insert into {}", table.name));
                match conflict {
                    None => {}
                    Some(Conflict::Nothing) => self.line(depth + 1, "On conflict nothing"),
                    Some(Conflict::Update(update)) => self.part("On conflict update", update, depth),
                }
                self.returning(returning.as_ref(), depth);
                self.query(source, depth + 1);
            }
            Statement::Update { table, source, portion, joined, returning } => {
                let (portion, joined) = (self.portion(portion.as_ref()), first_only(*joined));
                self.line(depth, &format!("Update {}{portion}{joined}", table.name));
                self.returning(returning.as_ref(), depth);
                self.query(source, depth + 1);
            }
            Statement::Delete { table, source, portion, joined, returning } => {
                let (portion, joined) = (self.portion(portion.as_ref()), first_only(*joined));
                self.line(depth, &format!("Delete from {}{portion}{joined}", table.name));
                self.returning(returning.as_ref(), depth);
                self.query(source, depth + 1);
            }
            Statement::Merge { table, source, portion, actions, returning } => {
                let portion = self.portion(portion.as_ref());
                self.line(depth, &format!("Merge into {}{portion}", table.name));
                for (number, action) in actions.iter().enumerate() {
                    let (verb, rows) = match action {
                        MergeAction::Update(rows) => ("update", rows),
                        MergeAction::Delete(rows) => ("delete", rows),
                        MergeAction::Insert(rows) => ("insert", rows),
                    };
                    self.part(&format!("Action {number}: {verb}"), rows, depth);
                }
                self.returning(returning.as_ref(), depth);
                self.query(source, depth + 1);
            }
            Statement::With { changes, body } => {
                self.line(depth, "With");
                for (number, change) in changes.iter().enumerate() {
                    self.line(depth + 1, &format!("Change {number}"));
                    self.statement(change, depth + 2);
                }
                self.statement(body, depth + 1);
            }
            Statement::Truncate { tables } => {
                for (table, source) in tables {
                    self.line(depth, &format!("Truncate {}", table.name));
                    self.query(source, depth + 1);
                }
            }
            Statement::CreateTableAs { table, exists, source } => {
                let exists = if *exists { " (exists)" } else { "" };
                self.line(depth, &format!("Create table {}{exists} as", table.name));
                if let Some(source) = source {
                    self.query(source, depth + 1);
                }
            }
            Statement::CreateTable { table, exists, .. } => {
                let exists = if *exists { " (exists)" } else { "" };
                self.line(depth, &format!("Create table {}{exists}", table.name));
                for (column_idx, column) in table.columns.iter().enumerate() {
                    let mut text = format!("{} {}", column.name, column.ty);
                    if !column.nullable {
                        text.push_str(" not null");
                    }
                    if let Some(default) = &column.default {
                        write!(text, " default {default}").expect("writing to a string cannot fail");
                    }
                    if let Some(at) = table.key.iter().position(|key| *key == column_idx) {
                        write!(text, " key {}", at + 1).expect("writing to a string cannot fail");
                    }
                    if column.hidden {
                        text.push_str(" hidden");
                    }
                    self.line(depth + 1, &text);
                }
            }
            Statement::DropTable { tables } => {
                let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
                self.line(depth, &format!("Drop table {}", names.join(", ")));
            }
            Statement::Begin(begin) => {
                self.line(depth, &format!("Begin{}", modes(&begin.modes)));
                if let Some(values) = &begin.values {
                    self.query(values, depth + 1);
                }
            }
            Statement::SetTransaction(told) => self.line(depth, &format!("Set transaction{}", modes(told))),
            Statement::Savepoint(name) => self.line(depth, &format!("Savepoint {name}")),
            Statement::RollbackTo(name) => self.line(depth, &format!("Rollback to {name}")),
            Statement::Release(name) => self.line(depth, &format!("Release {name}")),
            Statement::VerifyLedger => self.line(depth, "Verify ledger"),
            Statement::Digest => self.line(depth, "Digest"),
            Statement::Commit => self.line(depth, "Commit"),
            Statement::Rollback => self.line(depth, "Rollback"),
            Statement::Explain { statement, .. } => self.statement(statement, depth),
            Statement::Session(session) => self.line(depth, &session_line(session)),
            Statement::Execute { name, args, into: _ } => {
                self.line(depth, &format!("Execute {}", name.text));
                if let Some(args) = args {
                    self.query(args, depth + 1);
                }
            }
            Statement::ShowTables => self.line(depth, "Show tables"),
            Statement::Describe(table) => self.line(depth, &format!("Describe {}", table.name)),
            Statement::SetRetention { table, retention: None } => {
                self.line(depth, &format!("Keep the history of {} for ever", table.name));
            }
            Statement::SetRetention { table, retention: Some(micros) } => {
                let time = Interval::new(0, micros / MICROS_PER_DAY, micros % MICROS_PER_DAY);
                let time = time.map_or_else(|| format!("{micros} microseconds"), |time| time.to_string());
                self.line(depth, &format!("Keep the history of {} for {time}", table.name));
            }
            Statement::Erase { tables } => {
                for erase in tables {
                    let dropped = if erase.is_dropped { ", dropped" } else { "" };
                    self.line(depth, &format!("Erase from {}{dropped}", erase.table.name));
                    self.query(&erase.source, depth + 1);
                }
            }
            Statement::Vacuum(None) => self.line(depth, "Vacuum"),
            Statement::Vacuum(Some(table)) => self.line(depth, &format!("Vacuum {}", table.name)),
            Statement::CopyFrom { table, columns: _, path, format: _ } => {
                self.line(depth, &format!("Copy into {} from {}", table.name, quoted(path)));
            }
            Statement::CopyTo { source, path, format: _ } => {
                self.line(depth, &format!("Copy to {}", quoted(path)));
                self.query(source, depth + 1);
            }
        }
    }
}
