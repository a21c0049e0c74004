//! RocksDB.

use crate::engine::{Engine, Found, Row, Sync, decode, encode};
use rocksdb::{BlockBasedOptions, Cache, DB, Options, WriteBatch, WriteOptions};
use std::path::Path;

struct Rocks {
    db: DB,
    sync: Sync,
}

/// Opens the engine.
pub fn open(path: &Path, sync: Sync) -> Box<dyn Engine> {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(1 << 30).expect("a cache"));
    table.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&table);
    Box::new(Rocks { db: DB::open(&options, path).expect("opens"), sync })
}

impl Rocks {
    fn write(&self, rows: &mut dyn Iterator<Item = Row>, sync: bool) {
        let mut batch = WriteBatch::default();
        rows.for_each(|row| batch.put(row.id.to_be_bytes(), encode(&row)));
        let mut options = WriteOptions::default();
        options.set_sync(sync);
        self.db.write_opt(batch, &options).expect("it commits");
    }
}

impl Engine for Rocks {
    fn load(&self, rows: &mut dyn Iterator<Item = Row>) {
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            self.write(&mut rows.by_ref().take(100_000), false);
        }
        self.db.flush().expect("it syncs");
    }

    fn put(&self, rows: &[Row]) {
        self.write(&mut rows.iter().cloned(), self.sync == Sync::Durable);
    }

    fn read(&self, keys: &[i64]) -> Found {
        let mut found = Found::default();
        for key in keys {
            let value = self.db.get_pinned(key.to_be_bytes()).expect("it reads");
            found.add(value.map(|value| decode(&value)));
        }
        found
    }
}
