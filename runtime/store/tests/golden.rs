//! Does this program read a database that version 1 of the formats wrote?
//!
//! `tests/format/v1`, of the workspace, holds one whole database as it was written when the formats were settled: log segments, manifest, catalogue,
//! current and history segments, notes, a large commit that left its facts to segments, one that no flush has taken up yet,
//! and an erasure. It is never written again. A new version of a format gets a folder of its own:
//! `SPECTRADB_GOLDEN=folder cargo test -p spectradb-store --test golden` writes one, and the old folder stays.

mod support;

use spectradb_kernel::key::i64_bytes;
use spectradb_store::{Config, Disk, ErasureFigures, MemDisk, OsDisk, RecordBody, Store, SystemClock};
use std::{collections::BTreeMap, path::Path, sync::Arc};
use support::{names_as_of, new_table, open, small, upsert};

/// Small ones, a large one, after which keys are erased, a small one that is flushed, a large one.
const SMALL: i64 = 30;
const AFTERWARDS: i64 = SMALL + 2;
const COMMITS: i64 = SMALL + 3;
const ERASED: [i64; 2] = [3, 1_005];

/// The files of the database.
macro_rules! files {
    ($($name:literal),* $(,)?) => { [$(($name, include_bytes!(concat!("../../../tests/format/v1/", $name)).as_slice())),*] };
}

fn config() -> Config {
    Config { log_segment_bytes: 8 << 10, bulk_bytes_min: 1 << 10, ..small() }
}

fn rows(commit: i64) -> Vec<(i64, String)> {
    match commit {
        1..=SMALL => vec![(commit % 6, format!("v{commit}")), (100 + commit, format!("w{commit}"))],
        AFTERWARDS => vec![(1, "after".to_owned()), (2, "after".to_owned())],
        _ => ((commit - SMALL) * 1_000..).take(100).map(|id| (id, format!("large {commit}, row {id}"))).collect(),
    }
}

/// Writes the database; the flushes leave notes, current and history segments behind.
fn write(folder: &Path) {
    let disk = Arc::new(OsDisk::open(folder).expect("the folder can be made"));
    let store = Store::open(disk, Arc::new(SystemClock), config()).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    for commit in 1..=COMMITS {
        if commit == AFTERWARDS {
            let keys: Vec<Vec<u8>> = ERASED.iter().map(|key| i64_bytes(*key).to_vec()).collect();
            store.erase(table.id, &keys).expect("nothing fails").expect("there was something");
        }
        let rows = rows(commit);
        let rows: Vec<(i64, &str)> = rows.iter().map(|(id, text)| (*id, text.as_str())).collect();
        store.commit(upsert(&store.snapshot(), &table, &rows)).expect("no conflict");
        match commit {
            8 | 16 | 26 | AFTERWARDS => store.flush().expect("nothing fails"),
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
        model.extend(rows(commit).into_iter().filter(|(id, _)| !ERASED.contains(id)));
        assert_eq!(names_as_of(&snapshot, &table, commit as u64), model, "as of {commit}");
    }
    let records = store.replay(1).expect("the log is there").map(|record| record.expect("the chain verifies"));
    let commits = records.filter(|record| matches!(record.body, RecordBody::Commit { .. })).count();
    assert_eq!(commits, COMMITS as usize);
    let verified = store.verify(None).expect("it reads");
    assert_eq!((verified.difference, verified.erased), (None, 6), "five versions of one key, one of the other");
    assert_eq!(store.erasure_figures(), ErasureFigures { receipts: 1, facts: 6 });
    store.commit(upsert(&snapshot, &table, &[(1, "more")])).expect("writing goes on");
    store.compact().expect("its files can be compacted");
    assert_eq!(names_as_of(&store.snapshot(), &table, COMMITS as u64), model);
}
const FILES: [(&str, &[u8]); 20] = files![
    "catalog-0000000002.cat",
    "log-0000000001.log",
    "log-0000000002.log",
    "log-0000000003.log",
    "manifest",
    "notes-0000000031.nts",
    "published",
    "seg-0000000011.sst",
    "seg-0000000015.sst",
    "seg-0000000019.sst",
    "seg-0000000022.sst",
    "seg-0000000023.sst",
    "seg-0000000024.sst",
    "seg-0000000025.sst",
    "seg-0000000026.sst",
    "seg-0000000027.sst",
    "seg-0000000028.sst",
    "seg-0000000029.sst",
    "seg-0000000030.sst",
    "seg-0000000032.sst",
];
