//! SQLite with a write-ahead log and prepared statements.

use crate::engine::{Engine, Found, Row, Sync};
use rusqlite::{Connection, OptionalExtension, params};
use std::{
    path::{Path, PathBuf},
    sync::Mutex,
};

struct Sqlite {
    path: PathBuf,
    writer: Mutex<Connection>,
}

/// Opens the engine.
pub fn open(path: &Path, sync: Sync) -> Box<dyn Engine> {
    std::fs::create_dir_all(path).expect("a folder");
    let path = path.join("t.sqlite");
    let writer = connect(&path);
    let synchronous = match sync {
        Sync::Durable => "FULL",
        Sync::Lazy => "OFF",
    };
    writer.pragma_update(None, "synchronous", synchronous).expect("a setting");
    writer
        .execute_batch("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, amount REAL, note TEXT)")
        .expect("a table");
    Box::new(Sqlite { path, writer: Mutex::new(writer) })
}

fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("opens");
    connection.pragma_update(None, "journal_mode", "WAL").expect("a setting");
    connection.pragma_update(None, "cache_size", -1_000_000).expect("a setting");
    connection.pragma_update(None, "mmap_size", 4i64 << 30).expect("a setting");
    connection
}

impl Sqlite {
    fn write(&self, rows: &mut dyn Iterator<Item = Row>) {
        let mut writer = self.writer.lock().expect("nobody panicked");
        let txn = writer.transaction().expect("a transaction");
        {
            let mut insert = txn.prepare_cached("INSERT INTO t VALUES (?, ?, ?)").expect("it binds");
            for row in rows {
                insert.execute(params![row.id, row.amount, row.note]).expect("it takes the row");
            }
        }
        txn.commit().expect("it commits");
    }
}

impl Engine for Sqlite {
    fn load(&self, rows: &mut dyn Iterator<Item = Row>) {
        self.write(rows);
    }

    fn put(&self, rows: &[Row]) {
        self.write(&mut rows.iter().cloned());
    }

    fn read(&self, keys: &[i64]) -> Found {
        let mut reader = connect(&self.path);
        let txn = reader.transaction().expect("a transaction");
        let mut select = txn.prepare("SELECT amount, note FROM t WHERE id = ?").expect("it binds");
        let mut found = Found::default();
        for key in keys {
            let row = select.query_row([key], |row| {
                let note = row.get_ref(1)?;
                assert!(note.as_str()?.len() > 20, "the text is there");
                row.get::<_, f64>(0)
            });
            found.add(row.optional().expect("it reads"));
        }
        found
    }
}
