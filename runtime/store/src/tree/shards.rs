//! Which shard does a key belong to?
//!
//! A key's hash names one of 4,096 slots, for ever, and the manifest says which shard each slot belongs to. Memtables and
//! levels are kept for each table and shard apart: a key is looked for in one shard, and flushes and compactions of
//! different shards have nothing in common. The log is one for all, so a commit is atomic whatever shards it touches.
//!
//! Holds: the slot of a key never changes, and a database keeps the number of shards it was made with.
//! Not here: changing the number, which would be a rewrite of every segment.

use crate::commits::COMMITS;
use crate::{
    fact::FactBatch,
    keys::{encode_row, hash_of, slot_of},
    shape::Shape,
};
use spectradb_kernel::schema::TableId;

/// A table's facts in one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TableShard {
    pub(crate) table: TableId,
    pub(crate) shard: u16,
}

impl TableShard {
    /// All shards of a table, as a range of a map by table and shard.
    pub(crate) fn all_of(table: TableId) -> std::ops::RangeInclusive<TableShard> {
        TableShard { table, shard: 0 }..=TableShard { table, shard: u16::MAX }
    }
}

/// The shard of each slot.
#[derive(Clone, Debug)]
pub(crate) struct Shards {
    count: u32,
    slots: Box<[u16]>,
}

impl Shards {
    /// The map of a manifest.
    pub(crate) fn new(count: u32, slots: &[u16]) -> Shards {
        Shards { count: count.max(1), slots: slots.into() }
    }

    /// How many shards there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Where the facts of a key are. The commits' own table is small and asked for by number: it is not split.
    pub(crate) fn place(&self, table: TableId, key_hash: u64) -> TableShard {
        if self.count == 1 || table == COMMITS {
            return TableShard { table, shard: 0 };
        }
        TableShard { table, shard: self.slots[slot_of(key_hash)] }
    }

    /// The rows of a batch by shard, each shard's in their order; `None` stands for all rows.
    pub(crate) fn split(&self, shape: &Shape, batch: &FactBatch) -> Vec<(TableShard, Option<Vec<u32>>)> {
        if self.count == 1 || batch.table == COMMITS {
            return vec![(TableShard { table: batch.table, shard: 0 }, None)];
        }
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); self.count as usize];
        let mut key = Vec::new();
        for row in 0..batch.periods.len() {
            key.clear();
            encode_row(&batch.columns, &shape.key, row, &mut key);
            rows[usize::from(self.slots[slot_of(hash_of(&key))])].push(row as u32);
        }
        let placed = (0..).zip(rows).filter(|(_, rows)| !rows.is_empty());
        placed
            .map(|(shard, rows)| {
                let is_all = rows.len() == batch.periods.len();
                (TableShard { table: batch.table, shard }, (!is_all).then_some(rows))
            })
            .collect()
    }
}
