//! No engine: a file of zeroes that is written from the start on and synced. What a durable commit cannot cost less than.

use crate::engine::{Engine, Found, Row, Sync, encode};
use std::{fs::File, os::unix::fs::FileExt, path::Path, sync::Mutex};

/// Bytes that are written with zeroes ahead.
const AHEAD: u64 = 64 << 20;

struct Bare {
    file: File,
    sync: Sync,
    /// Where the next record goes, and up to where zeroes are.
    end: Mutex<(u64, u64)>,
}

/// Opens the log.
pub fn open(path: &Path, sync: Sync) -> Box<dyn Engine> {
    std::fs::create_dir_all(path).expect("a folder");
    let file = File::create(path.join("bare.log")).expect("a file");
    let log = Bare { file, sync, end: Mutex::new((0, 0)) };
    log.zero(&mut log.end.lock().expect("nobody panicked"), 0);
    Box::new(log)
}

impl Bare {
    fn zero(&self, end: &mut (u64, u64), needed: u64) {
        while end.0 + needed > end.1 || end.1 == 0 {
            self.file.write_all_at(&vec![0; AHEAD as usize], end.1).expect("the disk holds it");
            end.1 += AHEAD;
            self.file.sync_all().expect("it syncs");
        }
    }

    fn append(&self, bytes: &[u8]) {
        let mut end = self.end.lock().expect("nobody panicked");
        self.zero(&mut end, bytes.len() as u64);
        self.file.write_all_at(bytes, end.0).expect("the disk holds it");
        end.0 += bytes.len() as u64;
        if self.sync == Sync::Durable {
            self.file.sync_data().expect("it syncs");
        }
    }
}

impl Engine for Bare {
    fn load(&self, rows: &mut dyn Iterator<Item = Row>) {
        loop {
            let lot: Vec<Row> = (&mut *rows).take(100_000).collect();
            if lot.is_empty() {
                break;
            }
            self.put(&lot);
        }
    }

    fn put(&self, rows: &[Row]) {
        let mut bytes = Vec::new();
        for row in rows {
            bytes.extend_from_slice(&row.id.to_be_bytes());
            bytes.extend_from_slice(&encode(row));
        }
        self.append(&bytes);
    }

    fn read(&self, _keys: &[i64]) -> Found {
        panic!("a log cannot be asked for a key")
    }
}
