//! How is ERASE carried out?
//!
//! Its queries give the keys of every version that the condition holds for, in both times: those that are in the tables, what is
//! past a retention but still there included, and those that only the log still has. The store takes all that there is of these
//! keys away: the versions that the condition does not hold for, too. The condition itself is written down nowhere.
//!
//! Holds: all keys of all tables are known before the first is erased, for the condition may ask the tables themselves. Each
//! table is an erasure of its own, with its receipt.
//! Not here: how facts go from files (`spectradb_store`).

use crate::{
    error::Result,
    rows::Outcome,
    session::Session,
    statement::{Run, done},
    txn::Changed,
};
use spectradb_grammar::plan::{EraseFrom, Node, NodeKind, QueryPlan};
use spectradb_kernel::{Batch, Column, Type, Value, key};
use spectradb_store::{Snapshot, Stated};
use std::collections::BTreeSet;

impl Session {
    /// Takes every version of the keys that the queries give for good.
    pub(crate) fn erase(
        &self,
        tables: &[EraseFrom],
        sql: &str,
        params: &[Value],
        snapshot: &Snapshot,
    ) -> Result<Outcome> {
        let view = self.view_on(&snapshot.with_all_that_is_left());
        let run = Run { params, view: &view, sql, tuning: self.tuning(), given: &[], written: &[] };
        let mut found = Vec::with_capacity(tables.len());
        for EraseFrom { table, is_dropped: _, source, stated } in tables {
            let mut keys = BTreeSet::new();
            add_keys(&run.collect(source)?, table.key.len(), &mut keys);
            let asks_end = reads_column(stated, table.columns.len() + SYSTEM_TO);
            for facts in self.store().stated_and_pruned(table.id, asks_end)? {
                let given = [batch_of(facts?)];
                add_keys(&Run { given: &given, ..run.clone() }.collect(stated)?, table.key.len(), &mut keys);
            }
            found.push((table.id, keys.into_iter().collect::<Vec<_>>()));
        }
        let mut rows = 0;
        for (table, keys) in found {
            rows += self.store().erase(table, &keys)?.map_or(0, |erased| erased.facts);
        }
        Ok(done("ERASE", Some((Changed { rows, ..Changed::default() }, None))))
    }
}

/// Where a fact's end stands behind the table's columns.
const SYSTEM_TO: usize = 5;

fn add_keys(batches: &[Batch], width: usize, keys: &mut BTreeSet<Vec<u8>>) {
    for batch in batches {
        let columns: Vec<_> = (0..width).map(|place| batch.column(place)).collect();
        for row in 0..batch.len() {
            let mut encoded = Vec::new();
            key::encode(&columns, row, &mut encoded);
            keys.insert(encoded);
        }
    }
}

/// Does a query read a column of the rows that it is given?
fn reads_column(query: &QueryPlan, wanted: usize) -> bool {
    let mut reads = false;
    let mut look = |node: &Node| {
        if let NodeKind::Given { change: None, columns } = &node.kind {
            reads |= columns.contains(&wanted);
        }
    };
    query.root.walk(&mut look);
    query.subplans.iter().for_each(|subplan| subplan.walk(&mut look));
    reads
}

/// The columns that [`EraseFrom::stated`] is given.
fn batch_of(stated: Stated) -> Batch {
    let Stated { facts, commit, instant, ends } = stated;
    let rows = facts.periods.len();
    let times = |lane: Vec<i64>| Column::from_i64s(Type::Timestamp, lane);
    let commits = |lane: Vec<i64>| Column::from_i64s(Type::Integer, lane);
    let commit = commit.cast_signed();
    let origin = |origin: &u64| if *origin == 0 { commit } else { origin.cast_signed() };
    let mut columns = facts.columns;
    columns.extend([
        times(facts.periods.iter().map(|period| period.from()).collect()),
        times(facts.periods.iter().map(|period| period.to()).collect()),
        commits(vec![commit; rows]),
        commits(facts.origins.iter().map(origin).collect()),
        times(vec![instant; rows]),
        times(ends),
    ]);
    Batch::new(columns, rows)
}
