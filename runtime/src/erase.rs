//! How is ERASE carried out?
//!
//! Its query gives the keys of every version that the condition holds for, in both times, what is past a retention but still
//! there included. The store takes all that there is of these keys away: the versions that the condition does not hold for,
//! too. The condition itself is written down nowhere.
//!
//! Not here: how facts go from files (`spectradb_store`).

use crate::{
    error::Result,
    rows::Outcome,
    session::Session,
    statement::{Run, done},
    txn::Changed,
};
use spectradb_grammar::plan::QueryPlan;
use spectradb_kernel::{Value, key, schema::TableSchema};
use spectradb_store::Snapshot;
use std::collections::BTreeSet;

impl Session {
    /// Takes every version of the keys that a query gives for good.
    pub(crate) fn erase(
        &self,
        table: &TableSchema,
        source: &QueryPlan,
        sql: &str,
        params: &[Value],
        snapshot: &Snapshot,
    ) -> Result<Outcome> {
        let view = self.view_on(&snapshot.with_all_that_is_left());
        let batches =
            Run { params, view: &view, sql, tuning: self.tuning(), given: &[], written: &[] }.collect(source)?;
        let mut keys = BTreeSet::new();
        for batch in &batches {
            let columns: Vec<_> = (0..table.key.len()).map(|place| batch.column(place)).collect();
            for row in 0..batch.len() {
                let mut encoded = Vec::new();
                key::encode(&columns, row, &mut encoded);
                keys.insert(encoded);
            }
        }
        let keys: Vec<Vec<u8>> = keys.into_iter().collect();
        let erased = self.store().erase(table.id, &keys)?;
        let rows = erased.map_or(0, |erased| erased.facts);
        Ok(done("ERASE", Some((Changed { rows, ..Changed::default() }, None))))
    }
}
