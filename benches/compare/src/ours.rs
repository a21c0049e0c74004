//! SpectraDB, through its typed tables.

use crate::engine::{Engine, Found, Row, Sync};
use spectradb::{Compression, CompressionPolicy, Config, Database, Durability, Session, Table};
use std::{path::Path, sync::Mutex};

/// Rows a commit of a load.
const LOT: usize = 100_000;

#[derive(Table, Clone)]
#[table(name = "t")]
struct T {
    #[key]
    id: i64,
    amount: f64,
    note: String,
}

impl From<Row> for T {
    fn from(row: Row) -> T {
        T { id: row.id, amount: row.amount, note: row.note }
    }
}

struct Ours {
    db: Database,
    /// Sessions that nobody uses now: a thread takes one as long as it puts, as one that writes much keeps one.
    sessions: Mutex<Vec<Session>>,
}

/// Opens the engine with all blocks packed, as those of cold levels are.
pub fn open_cold(path: &Path, sync: Sync) -> Box<dyn Engine> {
    let packed = Compression::Zstd(3);
    open_with(path, sync, CompressionPolicy { warm_from: 0, warm: packed, cold_from: 0, cold: packed, history: packed })
}

/// Opens the engine.
pub fn open(path: &Path, sync: Sync) -> Box<dyn Engine> {
    open_with(path, sync, CompressionPolicy::NONE)
}

fn open_with(path: &Path, sync: Sync, compression: CompressionPolicy) -> Box<dyn Engine> {
    let durability = match sync {
        Sync::Durable => Durability::Synced,
        Sync::Lazy => Durability::None,
    };
    let db = Database::open_with(path, Config { durability, compression, ..Config::default() }).expect("opens");
    db.create::<T>().expect("a table");
    Box::new(Ours { db, sessions: Mutex::default() })
}

impl Engine for Ours {
    fn load(&self, rows: &mut dyn Iterator<Item = Row>) {
        // Row by row, as the others are given them.
        while self.db.insert_all((&mut *rows).take(LOT).map(T::from)).expect("the keys are new").is_some() {}
        self.db.store().flush().expect("the disk holds it");
    }

    fn put(&self, rows: &[Row]) {
        // Not the database's own session: it serves one thread at a time, and commits would wait for each other.
        let free = self.sessions.lock().expect("no one panics").pop();
        let mut session = free.unwrap_or_else(|| self.db.session());
        session.insert_all(rows.iter().cloned().map(T::from)).expect("the keys are new");
        self.sessions.lock().expect("no one panics").push(session);
    }

    fn read(&self, keys: &[i64]) -> Found {
        let mut found = Found::default();
        let session = self.db.session();
        for key in keys {
            let row = session.get::<T>(*key).expect("it reads");
            found.add(row.map(|row| {
                assert!(row.note.len() > 20, "the text is there");
                row.amount
            }));
        }
        found
    }

    fn sum(&self) -> Option<f64> {
        let rows = self.db.session().query("SELECT sum(amount) FROM t", ()).expect("it runs");
        let row = rows.collect_all().expect("it reads").remove(0);
        Some(row.get(0).expect("a number"))
    }
}
