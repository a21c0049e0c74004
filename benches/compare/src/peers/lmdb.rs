//! LMDB, through heed. A load of ascending keys appends.

use crate::engine::{Engine, Found, Row, Sync, decode, encode};
use heed::{
    Database, Env, EnvFlags, EnvOpenOptions, PutFlags,
    byteorder::BigEndian,
    types::{Bytes, U64},
};
use std::path::Path;

type Table = Database<U64<BigEndian>, Bytes>;

struct Lmdb {
    env: Env,
    table: Table,
}

/// Opens LMDB over a folder that is made if it is not there.
pub fn environment(path: &Path, sync: Sync) -> Env {
    std::fs::create_dir_all(path).expect("a folder");
    let mut options = EnvOpenOptions::new();
    options.map_size(16 << 30).max_readers(16);
    if sync == Sync::Lazy {
        // WHY: heed has no other way to set a flag.
        // SAFETY: the flag only gives up durability, and nobody else opens this folder.
        unsafe { options.flags(EnvFlags::NO_SYNC) };
    }
    // WHY: heed maps the file, and has no other way to open it.
    // SAFETY: the folder is temporary and this program's own, so nobody changes the file while it is mapped.
    unsafe { options.open(path) }.expect("opens")
}

/// Opens the engine.
pub fn open(path: &Path, sync: Sync) -> Box<dyn Engine> {
    let env = environment(path, sync);
    let mut txn = env.write_txn().expect("a transaction");
    let table: Table = env.create_database(&mut txn, None).expect("a table");
    txn.commit().expect("it commits");
    Box::new(Lmdb { env, table })
}

impl Engine for Lmdb {
    fn load(&self, rows: &mut dyn Iterator<Item = Row>) {
        let mut rows = rows.peekable();
        let mut last = -1;
        while rows.peek().is_some() {
            let mut txn = self.env.write_txn().expect("a transaction");
            for row in rows.by_ref().take(100_000) {
                let key = row.id as u64;
                if row.id > last {
                    last = row.id;
                    // Appending is refused where the key is not the largest: then it is an ordinary put.
                    let appended = self.table.put_with_flags(&mut txn, PutFlags::APPEND, &key, &encode(&row));
                    if appended.is_ok() {
                        continue;
                    }
                }
                self.table.put(&mut txn, &key, &encode(&row)).expect("it takes the row");
            }
            txn.commit().expect("it commits");
        }
        self.env.force_sync().expect("it syncs");
    }

    fn put(&self, rows: &[Row]) {
        let mut txn = self.env.write_txn().expect("a transaction");
        for row in rows {
            self.table.put(&mut txn, &(row.id as u64), &encode(row)).expect("it takes the row");
        }
        txn.commit().expect("it commits");
    }

    fn read(&self, keys: &[i64]) -> Found {
        let txn = self.env.read_txn().expect("a transaction");
        let mut found = Found::default();
        for key in keys {
            found.add(self.table.get(&txn, &(*key as u64)).expect("it reads").map(decode));
        }
        found
    }
}
