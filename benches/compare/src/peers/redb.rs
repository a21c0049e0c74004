//! redb.

use crate::engine::{Engine, Found, Row, Sync, decode, encode};
use redb::{Database, Durability, ReadableDatabase, TableDefinition};
use std::path::Path;

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("t");

struct Redb {
    db: Database,
    sync: Sync,
}

/// Opens the engine.
pub fn open(path: &Path, sync: Sync) -> Box<dyn Engine> {
    std::fs::create_dir_all(path).expect("a folder");
    let db = Database::create(path.join("t.redb")).expect("opens");
    let txn = db.begin_write().expect("a transaction");
    txn.open_table(TABLE).expect("a table");
    txn.commit().expect("it commits");
    Box::new(Redb { db, sync })
}

impl Redb {
    fn write(&self, rows: &mut dyn Iterator<Item = Row>, durability: Durability) {
        let mut txn = self.db.begin_write().expect("a transaction");
        txn.set_durability(durability).expect("it can");
        {
            let mut table = txn.open_table(TABLE).expect("a table");
            for row in rows {
                table.insert(row.id as u64, encode(&row).as_slice()).expect("it takes the row");
            }
        }
        txn.commit().expect("it commits");
    }

    fn durability(&self) -> Durability {
        match self.sync {
            Sync::Durable => Durability::Immediate,
            Sync::Lazy => Durability::None,
        }
    }
}

impl Engine for Redb {
    fn load(&self, rows: &mut dyn Iterator<Item = Row>) {
        // One transaction: commits without durability keep all pages they replace.
        self.write(rows, Durability::Immediate);
    }

    fn put(&self, rows: &[Row]) {
        self.write(&mut rows.iter().cloned(), self.durability());
    }

    fn read(&self, keys: &[i64]) -> Found {
        let txn = self.db.begin_read().expect("a transaction");
        let table = txn.open_table(TABLE).expect("a table");
        let mut found = Found::default();
        for key in keys {
            found.add(table.get(*key as u64).expect("it reads").map(|value| decode(value.value())));
        }
        found
    }
}
