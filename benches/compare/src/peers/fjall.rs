//! fjall.

use crate::engine::{Engine, Found, Row, Sync, decode, encode};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::path::Path;

struct Fjall {
    db: Database,
    table: Keyspace,
    sync: Sync,
}

/// Opens the engine.
pub fn open(path: &Path, sync: Sync) -> Box<dyn Engine> {
    let db = Database::builder(path).cache_size(1 << 30).open().expect("opens");
    let table = db.keyspace("t", KeyspaceCreateOptions::default).expect("a table");
    Box::new(Fjall { db, table, sync })
}

impl Engine for Fjall {
    fn load(&self, rows: &mut dyn Iterator<Item = Row>) {
        let mut rows = rows.peekable();
        while rows.peek().is_some() {
            let mut batch = self.db.batch();
            for row in rows.by_ref().take(100_000) {
                batch.insert(&self.table, row.id.to_be_bytes(), encode(&row));
            }
            batch.commit().expect("it commits");
        }
        self.db.persist(PersistMode::SyncAll).expect("it syncs");
    }

    fn put(&self, rows: &[Row]) {
        if let [row] = rows {
            self.table.insert(row.id.to_be_bytes(), encode(row)).expect("it takes the row");
        } else {
            let mut batch = self.db.batch();
            rows.iter().for_each(|row| batch.insert(&self.table, row.id.to_be_bytes(), encode(row)));
            batch.commit().expect("it commits");
        }
        if self.sync == Sync::Durable {
            self.db.persist(PersistMode::SyncData).expect("it syncs");
        }
    }

    fn read(&self, keys: &[i64]) -> Found {
        let mut found = Found::default();
        for key in keys {
            found.add(self.table.get(key.to_be_bytes()).expect("it reads").map(|value| decode(&value)));
        }
        found
    }
}
