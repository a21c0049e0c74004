//! Did another commit change what a transaction had read?
//!
//! A transaction that must be serializable is validated when it commits: nothing that it read may have been changed by a
//! commit after its snapshot. Then it could as well have run all at once at its commit, so such transactions are equal to
//! some that run one after another, in the order of their commits. While somebody is watched, each commit leaves behind
//! which keys it touched over which periods; of a commit that touches very many only the tables are kept, which refuses
//! more than it must, and never less.
//!
//! Holds: a [`Watch`] that was taken before the snapshot sees every commit after the snapshot.
//! Not here: conflicts of two writes, which are looked for in any transaction (`commit`).

use crate::{
    chain::BatchShape,
    commits::COMMITS,
    fact::{Read, Write},
    log::held,
    scan::{KeyRange, ValidScope},
};
use spectradb_kernel::{
    Period, key,
    schema::TableId,
    time::{Commit, MICROS_MAX},
};
use std::{
    collections::{BTreeMap, VecDeque},
    ops::RangeBounds,
    sync::{Arc, Mutex},
};

/// Of so many keys that are kept in all, a further commit's are not kept one by one.
const KEYS_MAX: usize = 1 << 20;

/// Keeps what commits touch for as long as somebody watches.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many watches began at each commit.
    since: BTreeMap<Commit, usize>,
    commits: VecDeque<Touched>,
    key_count: usize,
}

/// Keys, and for when they were touched.
type Keys = Vec<(Vec<u8>, Period)>;

/// What a commit touched: of each table the keys, where they were kept one by one.
#[derive(Debug)]
struct Touched {
    commit: Commit,
    tables: Vec<(TableId, Option<Keys>)>,
}

/// Commits are kept from where it began on, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    watches: Arc<Watches>,
    since: Commit,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = held(&self.watches.state);
        if let Some(count) = state.since.get_mut(&self.since) {
            *count -= 1;
            if *count == 0 {
                state.since.remove(&self.since);
            }
        }
        let first = state.since.keys().next().copied();
        while let Some(oldest) = state.commits.front()
            && first.is_none_or(|first| oldest.commit <= first)
        {
            let count = oldest.key_count();
            state.key_count -= count;
            state.commits.pop_front();
        }
    }
}

impl Touched {
    fn key_count(&self) -> usize {
        self.tables.iter().map(|(_, keys)| keys.as_ref().map_or(0, Vec::len)).sum()
    }
}

impl Watches {
    /// Begins to keep what commits after `commit` touch. The caller holds commits back.
    pub(crate) fn begin(self: &Arc<Watches>, commit: Commit) -> Watch {
        *held(&self.state).since.entry(commit).or_default() += 1;
        Watch { watches: self.clone(), since: commit }
    }

    /// Notes what a commit touches, given the shape of each of its batches; of the tables that were `spilled` no key
    /// is told. Commits come one at a time.
    pub(crate) fn note(
        &self,
        commit: Commit,
        write: &Write,
        shapes: &[BatchShape],
        spilled: impl Iterator<Item = TableId> + Clone,
    ) {
        let mut state = held(&self.state);
        if state.since.is_empty() {
            return;
        }
        let facts = write.facts.iter().map(|batch| batch.periods.len());
        let others = write.retractions.iter().map(|retraction| retraction.periods.len());
        let ends = write.superseded.iter().map(|superseded| superseded.facts.len());
        let count: usize = facts.chain(others).chain(ends).sum();
        let one_by_one = state.key_count + count <= KEYS_MAX;
        let mut tables: BTreeMap<TableId, Keys> = BTreeMap::new();
        for batch in &write.facts {
            tables.entry(batch.table).or_default();
        }
        for retraction in &write.retractions {
            let touched = tables.entry(retraction.table).or_default();
            for (row, period) in retraction.periods.iter().enumerate().filter(|_| one_by_one) {
                let mut bytes = Vec::new();
                key::encode(&retraction.keys, row, &mut bytes);
                touched.push((bytes, *period));
            }
        }
        for superseded in &write.superseded {
            let touched = tables.entry(superseded.table).or_default();
            for id in superseded.facts.iter().filter(|_| one_by_one) {
                // Where the fact ended is not told: to the end of time is more than enough.
                let period = Period::new(id.valid_from, MICROS_MAX).unwrap_or(Period::ALWAYS);
                touched.push((id.key.clone(), period));
            }
        }
        for (batch, shape) in write.facts.iter().zip(shapes).filter(|_| one_by_one) {
            let columns: Vec<_> = shape.key.iter().map(|position| batch.columns[*position].clone()).collect();
            let touched = tables.entry(batch.table).or_default();
            for (row, period) in batch.periods.iter().enumerate() {
                let mut bytes = Vec::new();
                key::encode(&columns, row, &mut bytes);
                touched.push((bytes, *period));
            }
        }
        for table in spilled.clone() {
            tables.entry(table).or_default();
        }
        let keys_of =
            |(table, keys)| (table, (one_by_one && spilled.clone().all(|other| other != table)).then_some(keys));
        let tables = tables.into_iter().map(keys_of).collect();
        let touched = Touched { commit, tables };
        state.key_count += touched.key_count();
        state.commits.push_back(touched);
    }

    /// A table of which a commit after the snapshot changed what was read.
    pub(crate) fn changed(&self, reads: &[Read], snapshot: Commit) -> Option<TableId> {
        let state = held(&self.state);
        let later = state.commits.iter().filter(|touched| touched.commit > snapshot);
        for touched in later {
            // The table of commits changes with every one.
            if reads.iter().any(|read| read.table == COMMITS) {
                return Some(COMMITS);
            }
            for (table, keys) in &touched.tables {
                let mut of_table = reads.iter().filter(|read| read.table == *table);
                let is_read = match keys {
                    None => of_table.next().is_some(),
                    Some(keys) => of_table.any(|read| keys.iter().any(|(key, period)| holds(read, key, *period))),
                };
                if is_read {
                    return Some(*table);
                }
            }
        }
        None
    }
}

/// Would a read have seen a fact of this key and period?
fn holds(read: &Read, key: &[u8], period: Period) -> bool {
    let in_time = match &read.valid {
        ValidScope::At(at) => period.contains(*at),
        ValidScope::Overlaps(wanted) => period.overlaps(*wanted),
        ValidScope::All => true,
    };
    in_time
        && match &read.keys {
            KeyRange::All => true,
            KeyRange::Exact(wanted) => wanted.iter().any(|wanted| wanted.as_slice() == key),
            KeyRange::Between { low, high } => {
                RangeBounds::<[u8]>::contains(&(low.as_ref().map(Vec::as_slice), high.as_ref().map(Vec::as_slice)), key)
            }
        }
}
