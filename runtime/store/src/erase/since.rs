//! Was a key erased after a write had last looked?
//!
//! An erasure is no commit, so a write cannot meet it among the commits after its snapshot. Instead every key that was erased
//! is remembered by its hash, with the record that is the receipt, for as long as the store is open: a write that read an
//! older record does not state the key again, or what its transaction saw would be back. Of very many keys only the table is
//! kept, which refuses more than it must, and never less.
//!
//! Not here: what a write without a transaction does (it reads when it commits, so it comes after).

use crate::{compact::Keys, keys::hash_of};
use hashbrown::HashMap;
use spectradb_kernel::schema::TableId;

/// Of so many keys of a table that are remembered, further ones are not remembered one by one.
const KEYS_MAX: usize = 1 << 16;

/// What was erased since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct ErasedKeys {
    tables: HashMap<TableId, OfTable>,
}

/// Keys of a table that were erased.
#[derive(Debug, Default)]
pub(crate) struct OfTable {
    /// The newest receipt.
    newest: u64,
    /// The newest receipt whose keys, and all before them, are not remembered one by one.
    whole: u64,
    /// The receipt of a key, by the key's hash.
    keys: HashMap<u64, u64>,
}

impl ErasedKeys {
    /// Remembers an erasure by its receipt.
    pub(crate) fn note(&mut self, erased: &Keys, record: u64) {
        let table = self.tables.entry(erased.table).or_default();
        table.newest = record;
        if table.keys.len() + erased.keys.len() > KEYS_MAX {
            table.whole = record;
            table.keys = HashMap::new();
        } else {
            table.keys.extend(erased.keys.iter().map(|key| (hash_of(key), record)));
        }
    }

    /// What was erased of a table after a record; `None` when nothing was.
    pub(crate) fn after(&self, table: TableId, record: u64) -> Option<&OfTable> {
        self.tables.get(&table).filter(|table| table.newest > record)
    }
}

impl OfTable {
    /// May a key have been erased after a record?
    pub(crate) fn may_have(&self, key: &[u8], record: u64) -> bool {
        self.whole > record || self.keys.get(&hash_of(key)).is_some_and(|erased| *erased > record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(keys: impl Iterator<Item = u32>) -> Keys {
        Keys { table: TableId(7), keys: keys.map(|key| key.to_be_bytes().to_vec()).collect() }
    }

    #[test]
    fn a_key_is_erased_for_whoever_read_an_older_record() {
        let mut erased = ErasedKeys::default();
        erased.note(&keys(1..3), 10);
        erased.note(&keys(2..4), 20);
        assert!(erased.after(TableId(7), 20).is_none() && erased.after(TableId(8), 0).is_none());
        let of_table = erased.after(TableId(7), 15).expect("there was one");
        let may_have = |key: u32, record| of_table.may_have(&key.to_be_bytes(), record);
        assert_eq!((may_have(1, 9), may_have(1, 10), may_have(2, 15), may_have(3, 20), may_have(4, 0)), {
            (true, false, true, false, false)
        });
    }

    #[test]
    fn of_too_many_keys_the_table_is_remembered() {
        let mut erased = ErasedKeys::default();
        erased.note(&keys(0..KEYS_MAX as u32), 10);
        erased.note(&keys(0..1), 20);
        let of_table = erased.after(TableId(7), 15).expect("there was one");
        assert!(of_table.may_have(&9_u32.to_be_bytes(), 15) && of_table.keys.is_empty());
        erased.note(&keys(5..6), 30);
        let of_table = erased.after(TableId(7), 25).expect("there was one");
        assert!(of_table.may_have(&5_u32.to_be_bytes(), 25) && !of_table.may_have(&6_u32.to_be_bytes(), 25));
    }
}
