//! What does the store say to files that were damaged, cut, or taken away?
//!
//! A bit is flipped in every region of every file. Opening and reading then either give the right answer or an error that
//! names the file; never a wrong answer, never a panic.

mod support;

use spectradb_store::{Config, RecordBody, Result, SimDisk, StoreError};
use std::collections::BTreeMap;
use support::{new_table, open, small, try_names_as_of, upsert};

const COMMITS: u64 = 12;

fn config() -> Config {
    Config { log_segment_bytes: 4 << 10, ..small() }
}

/// A database of some commits; `closed` says whether it was closed or its process killed.
fn build(closed: bool) -> SimDisk {
    let disk = SimDisk::new(1);
    let store = open(&disk, &config()).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    for commit in 0..COMMITS as i64 {
        let text = format!("v{commit}");
        store.commit(upsert(&store.snapshot(), &table, &[(commit % 5, &text)])).expect("no conflict");
        if commit == 5 {
            store.flush().expect("no fault");
        }
    }
    if closed {
        store.close().expect("no fault");
    }
    disk.copy()
}

/// Reads everything there is: how many commits, each of them as it must be.
fn read(disk: &SimDisk) -> Result<u64> {
    let store = open(disk, &config())?;
    let mut commits = 0;
    for record in store.replay(1)? {
        if let RecordBody::Commit { commit, write, .. } = record?.body {
            commits = commit;
            let text = format!("v{}", commit - 1);
            assert_eq!(write.facts[0].columns[1].value(0), text.as_str().into());
        }
    }
    let snapshot = store.snapshot();
    assert_eq!(snapshot.commit(), commits, "what is in the ledger is visible");
    let Some(table) = store.catalog().by_name("t").cloned() else {
        assert_eq!(commits, 0);
        return Ok(0);
    };
    let mut model = BTreeMap::new();
    for commit in 1..=commits {
        let attempt = commit as i64 - 1;
        model.insert(attempt % 5, format!("v{attempt}"));
        assert_eq!(try_names_as_of(&snapshot, &table, commit)?, model, "as of {commit}");
    }
    Ok(commits)
}

/// The file that an error names.
fn named(error: &StoreError) -> Option<&str> {
    match error {
        StoreError::Corrupt { file, .. }
        | StoreError::Missing { file }
        | StoreError::FormatVersion { file, .. }
        | StoreError::Io { file, .. } => Some(file),
        _ => None,
    }
}

fn files(disk: &SimDisk) -> Vec<String> {
    let names = spectradb_store::Disk::list(disk).expect("no fault");
    names.into_iter().filter(|name| name != "lock" && name != "published").collect()
}

#[test]
fn a_flipped_bit_is_an_error_or_makes_no_difference_after_a_clean_close() {
    let whole = build(true);
    assert_eq!(read(&whole.copy()).expect("it is whole"), COMMITS);
    let mut found = 0;
    let mut harmless = 0;
    for file in files(&whole) {
        let len = whole.content(&file).expect("it is there").len();
        // A prime step meets every field of every kind of header.
        for byte in (0..len).step_by(7) {
            let disk = whole.copy();
            disk.damage(&file, |bytes| bytes[byte] ^= 1 << (byte % 8)).expect("it is there");
            match read(&disk) {
                Ok(commits) => {
                    assert_eq!(commits, COMMITS, "{file}, byte {byte}");
                    harmless += 1;
                }
                Err(error) => {
                    assert!(named(&error).is_some_and(|named| named == file), "{file}, byte {byte}: {error}");
                    found += 1;
                }
            }
        }
    }
    assert!(found > 300 && harmless > 0, "found {found}, harmless {harmless} (in zeroes)");
}

/// After a crash the very last record cannot be told from a torn one; everything before it can.
#[test]
fn a_flipped_bit_costs_at_most_the_last_commit_after_a_crash() {
    let whole = build(false);
    assert_eq!(read(&whole.copy()).expect("it is whole"), COMMITS);
    for file in files(&whole) {
        let len = whole.content(&file).expect("it is there").len();
        for byte in (0..len).step_by(11) {
            let disk = whole.copy();
            disk.damage(&file, |bytes| bytes[byte] ^= 1 << (byte % 8)).expect("it is there");
            match read(&disk) {
                Ok(commits) => assert!(commits >= COMMITS - 1, "{file}, byte {byte}: {commits}"),
                Err(error) => assert!(named(&error).is_some_and(|named| named == file), "{file}, byte {byte}: {error}"),
            }
        }
    }
}

#[test]
fn a_file_cut_short_or_missing_is_an_error_that_names_it() {
    let whole = build(true);
    for file in files(&whole) {
        let content = whole.content(&file).expect("it is there");
        let used = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        for len in [0, 1, used / 3, used / 2, used.saturating_sub(1)] {
            let disk = whole.copy();
            disk.damage(&file, |bytes| bytes.truncate(len)).expect("it is there");
            match read(&disk) {
                Ok(commits) => assert!(used == 0 && commits == COMMITS, "{file} cut to {len}: {commits}"),
                Err(error) => assert_eq!(named(&error), Some(file.as_str()), "cut to {len}: {error}"),
            }
        }
        let disk = whole.copy();
        spectradb_store::Disk::remove(&disk, &file).expect("it is there");
        match read(&disk) {
            Ok(commits) => assert!(used == 0 && commits == COMMITS, "{file} removed: {commits}"),
            Err(error) => assert_eq!(named(&error), Some(file.as_str()), "removed: {error}"),
        }
    }
}

/// A log from another database, or an older state of the same one, is not taken for this one's.
#[test]
fn a_log_of_another_database_is_refused() {
    let (one, other) = (build(true), build(true));
    for file in files(&one).iter().filter(|file| file.starts_with("log-")) {
        let foreign = other.content(file).expect("both have it");
        if foreign.iter().all(|byte| *byte == 0) {
            continue;
        }
        let disk = one.copy();
        disk.damage(file, |bytes| *bytes = foreign).expect("it is there");
        let error = read(&disk).expect_err("it is another database's");
        assert_eq!(named(&error), Some(file.as_str()), "{error}");
    }
}
