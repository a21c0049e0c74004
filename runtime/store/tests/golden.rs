//! Does this program read a database that version 1 of the formats wrote?
//!
//! `tests/v1` holds one whole database as it was written when the formats were settled: log segments, manifest, catalogue,
//! current and history segments, notes. It is never written again. A new version of a format gets a folder of its own:
//! `SPECTRADB_GOLDEN=folder cargo test -p spectradb-store --test golden` writes one, and the old folder stays.

mod support;

use spectradb_store::{Config, Disk, MemDisk, OsDisk, RecordBody, Store, SystemClock};
use std::{collections::BTreeMap, path::Path, sync::Arc};
use support::{names_as_of, new_table, open, small, upsert};

const COMMITS: i64 = 30;

/// The files of the database.
macro_rules! files {
    ($($name:literal),* $(,)?) => { [$(($name, include_bytes!(concat!("v1/", $name)).as_slice())),*] };
}

fn config() -> Config {
    Config { log_segment_bytes: 8 << 10, ..small() }
}

fn rows(commit: i64) -> [(i64, String); 2] {
    [(commit % 6, format!("v{commit}")), (100 + commit, format!("w{commit}"))]
}

/// Writes the database; the flushes leave notes, current and history segments behind.
fn write(folder: &Path) {
    let disk = Arc::new(OsDisk::open(folder).expect("the folder can be made"));
    let store = Store::open(disk, Arc::new(SystemClock), config()).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    for commit in 1..=COMMITS {
        let rows = rows(commit);
        let rows: Vec<(i64, &str)> = rows.iter().map(|(id, text)| (*id, text.as_str())).collect();
        store.commit(upsert(&store.snapshot(), &table, &rows)).expect("no conflict");
        match commit {
            8 | 16 | 26 => store.flush().expect("nothing fails"),
            20 => store.compact().expect("nothing fails"),
            _ => {}
        }
        if commit == 18 {
            store.create_table(new_table("later"), 1).expect("the name is free");
        }
    }
    store.close().expect("nothing fails");
}

#[test]
fn a_database_of_version_1_opens() {
    if let Some(folder) = std::env::var_os("SPECTRADB_GOLDEN") {
        write(Path::new(&folder));
    }
    let disk = MemDisk::new();
    for (name, bytes) in FILES {
        disk.create(name).and_then(|file| file.write_at(bytes, 0)).expect("memory takes it");
    }
    let store = open(&disk, &config()).expect("it opens");
    assert_eq!(store.catalog().version, 2);
    let table = store.catalog().by_name("t").cloned().expect("it was created");
    let snapshot = store.snapshot();
    assert_eq!(snapshot.commit(), COMMITS as u64);
    assert_eq!(snapshot.catalog_at(10).expect("it happened").version, 1);
    let mut model = BTreeMap::new();
    for commit in 1..=COMMITS {
        model.extend(rows(commit));
        assert_eq!(names_as_of(&snapshot, &table, commit as u64), model, "as of {commit}");
    }
    let records = store.replay(1).expect("the log is there").map(|record| record.expect("the chain verifies"));
    let commits = records.filter(|record| matches!(record.body, RecordBody::Commit { .. })).count();
    assert_eq!(commits, COMMITS as usize);
    store.commit(upsert(&snapshot, &table, &[(1, "more")])).expect("writing goes on");
    store.compact().expect("its files can be compacted");
    assert_eq!(names_as_of(&store.snapshot(), &table, COMMITS as u64), model);
}
const FILES: [(&str, &[u8]); 11] = files![
    "catalog-0000000002.cat",
    "log-0000000001.log",
    "log-0000000002.log",
    "manifest",
    "notes-0000000017.nts",
    "published",
    "seg-0000000011.sst",
    "seg-0000000012.sst",
    "seg-0000000014.sst",
    "seg-0000000015.sst",
    "seg-0000000016.sst",
];
