//! What does the store say to files that were damaged, cut, or taken away?
//!
//! A bit is flipped in every region of every file, of databases that write small and large commits, and keep, archive and drop their
//! log. Opening, reading and verifying then either give the right answer or an error that names the file; never a wrong answer, never a
//! panic. What readers and the writer tell each other (`published`, registrations) and the copies of an erasure that was
//! interrupted have tests of their own.

mod support;

use spectradb_kernel::key::i64_bytes;
use spectradb_store::{Config, Disk, LogArchive, RecordBody, Result, SimDisk, Store, StoreError, fs::Fault};
use std::collections::BTreeMap;
use support::{names, new_table, open, small, try_names_as_of, upsert};

const COMMITS: u64 = 12;

fn config() -> Config {
    Config { log_segment_bytes: 4 << 10, ..small() }
}

/// Settings under which there is each kind of file, and how far apart the bytes are that are damaged.
fn varieties() -> [(Config, usize); 3] {
    [
        (config(), 1),
        // Every commit is a segment of its own, and the log is archived.
        (Config { bulk_bytes_min: 0, log_archive: LogArchive::Compress, ..config() }, 5),
        (Config { log_archive: LogArchive::Drop, ..config() }, 3),
    ]
}

fn text(commit: i64) -> String {
    format!("v{commit}{}", "x".repeat(if commit % 4 == 1 { 2_000 } else { 0 }))
}

/// A database of some commits; `closed` says whether it was closed or its process killed.
fn build(config: &Config, closed: bool) -> SimDisk {
    let disk = SimDisk::new(1);
    let store = open(&disk, config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    for commit in 0..COMMITS as i64 {
        let text = text(commit);
        store.commit(upsert(&store.snapshot(), &table, &[(commit % 5, &text)])).expect("no conflict");
        if commit == 5 || commit == 9 {
            store.flush().expect("no fault");
        }
    }
    if closed {
        store.close().expect("no fault");
    }
    disk.copy()
}

/// Reads everything there is, each commit as it must be: how many there are.
fn read(disk: &SimDisk, config: &Config) -> Result<u64> {
    let store = open(disk, config)?;
    let snapshot = store.snapshot();
    let commits = snapshot.commit();
    if config.log_archive != LogArchive::Drop {
        let mut last = 0;
        for record in store.replay(1)? {
            if let RecordBody::Commit { commit, write, .. } = record?.body {
                last = commit;
                assert_eq!(write.facts[0].columns[1].value(0), text(commit as i64 - 1).as_str().into());
            }
        }
        assert_eq!(commits, last, "what is in the ledger is visible");
    }
    let Some(table) = store.catalog().by_name("t").cloned() else {
        assert_eq!(commits, 0);
        return Ok(0);
    };
    let mut model = BTreeMap::new();
    for commit in 1..=commits {
        let attempt = commit as i64 - 1;
        model.insert(attempt % 5, text(attempt));
        assert_eq!(try_names_as_of(&snapshot, &table, commit)?, model, "as of {commit}");
    }
    match store.verify(None)?.difference {
        None => Ok(commits),
        Some(difference) => Err(StoreError::Corrupt { file: difference.to_string(), offset: 0, what: String::new() }),
    }
}

/// Does an error name a file? A log segment and its archive are known by one name.
fn names_file(error: &StoreError, file: &str) -> bool {
    let stem = file.strip_suffix(".arc").or(file.strip_suffix(".log")).unwrap_or(file);
    match error {
        StoreError::Corrupt { file: named, .. }
        | StoreError::Missing { file: named }
        | StoreError::FormatVersion { file: named, .. }
        | StoreError::Io { file: named, .. } => named.contains(stem),
        _ => false,
    }
}

fn files(disk: &SimDisk) -> Vec<String> {
    let names = spectradb_store::Disk::list(disk).expect("no fault");
    names.into_iter().filter(|name| name != "lock" && name != "published").collect()
}

#[test]
fn a_flipped_bit_is_an_error_or_makes_no_difference_after_a_clean_close() {
    let mut kinds = Vec::new();
    for (config, coarse) in varieties() {
        let whole = build(&config, true);
        assert_eq!(read(&whole.copy(), &config).expect("it is whole"), COMMITS);
        let mut found = 0;
        let mut harmless = 0;
        for file in files(&whole) {
            kinds.push(file.rsplit('.').next().unwrap_or_default().to_owned());
            let len = whole.content(&file).expect("it is there").len();
            // A prime step meets every field of every kind of header.
            for byte in (0..len).step_by(7 * coarse) {
                let disk = whole.copy();
                disk.damage(&file, |bytes| bytes[byte] ^= 1 << (byte % 8)).expect("it is there");
                match read(&disk, &config) {
                    Ok(commits) => {
                        assert_eq!(commits, COMMITS, "{file}, byte {byte}");
                        harmless += 1;
                    }
                    Err(error) => {
                        assert!(names_file(&error, &file), "{file}, byte {byte}: {error}");
                        found += 1;
                    }
                }
            }
        }
        assert!(found > 300 && harmless > 0, "found {found}, harmless {harmless} (in zeroes)");
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds, ["arc", "cat", "lnk", "log", "manifest", "nts", "sst"]);
}

/// After a crash the very last record cannot be told from a torn one; everything before it can.
#[test]
fn a_flipped_bit_costs_at_most_the_last_commit_after_a_crash() {
    for (config, coarse) in varieties() {
        let whole = build(&config, false);
        assert_eq!(read(&whole.copy(), &config).expect("it is whole"), COMMITS);
        for file in files(&whole) {
            let len = whole.content(&file).expect("it is there").len();
            for byte in (0..len).step_by(11 * coarse) {
                let disk = whole.copy();
                disk.damage(&file, |bytes| bytes[byte] ^= 1 << (byte % 8)).expect("it is there");
                match read(&disk, &config) {
                    Ok(commits) => assert!(commits >= COMMITS - 1, "{file}, byte {byte}: {commits}"),
                    Err(error) => assert!(names_file(&error, &file), "{file}, byte {byte}: {error}"),
                }
            }
        }
    }
}

#[test]
fn a_file_cut_short_or_missing_is_an_error_that_names_it() {
    for (config, _) in varieties() {
        let whole = build(&config, true);
        for file in files(&whole) {
            let content = whole.content(&file).expect("it is there");
            let used = content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            for len in [0, 1, used / 3, used / 2, used.saturating_sub(1)] {
                let disk = whole.copy();
                disk.damage(&file, |bytes| bytes.truncate(len)).expect("it is there");
                match read(&disk, &config) {
                    Ok(commits) => assert!(used == 0 && commits == COMMITS, "{file} cut to {len}: {commits}"),
                    Err(error) => assert!(names_file(&error, &file), "{file} cut to {len}: {error}"),
                }
            }
            let disk = whole.copy();
            disk.remove(&file).expect("it is there");
            match read(&disk, &config) {
                Ok(commits) => assert!(used == 0 && commits == COMMITS, "{file} removed: {commits}"),
                Err(error) => assert!(names_file(&error, &file), "{file} removed: {error}"),
            }
        }
    }
}

/// A log from another database, or an older state of the same one, is not taken for this one's.
#[test]
fn a_log_of_another_database_is_refused() {
    let (one, other) = (build(&config(), true), build(&config(), true));
    let mut refused = 0;
    for file in files(&one).iter().filter(|file| file.starts_with("log-")) {
        let foreign = other.content(file).expect("both have it");
        if foreign.iter().all(|byte| *byte == 0) {
            continue;
        }
        let disk = one.copy();
        disk.damage(file, |bytes| *bytes = foreign).expect("it is there");
        let error = read(&disk, &config()).expect_err("it is another database's");
        assert!(names_file(&error, file), "{error}");
        refused += 1;
    }
    assert!(refused > 1);
}

/// What the writer tells readers may be damaged in place at any moment: a reader is behind until the next word, and never wrong.
#[test]
fn damage_of_what_the_writer_tells_makes_no_wrong_reader() {
    let (disk, config) = (SimDisk::new(3), config());
    let writer = open(&disk, &config).expect("a new database");
    let table = writer.create_table(new_table("t"), 0).expect("the name is free");
    let read_only = Config { read_only: true, ..config };
    let beside = open(&disk, &read_only).expect("it opens for reading");
    let mut behind = 0;
    for byte in 0..64 {
        writer.commit(upsert(&writer.snapshot(), &table, &[(byte % 9, &text(byte))])).expect("no conflict");
        if byte % 20 == 7 {
            writer.flush().expect("nothing fails");
        }
        let seen = beside.snapshot().commit();
        disk.damage("published", |bytes| bytes[byte as usize] ^= 1 << (byte % 8)).expect("it is there");
        for reader in [&beside, &open(&disk, &read_only).expect("it opens for reading")] {
            let snapshot = reader.snapshot();
            assert!(snapshot.commit() <= writer.snapshot().commit(), "byte {byte}");
            behind += u64::from(snapshot.commit() < writer.snapshot().commit());
            let Some(table) = reader.catalog().by_name("t").cloned() else { continue };
            let mut model = BTreeMap::new();
            (0..snapshot.commit() as i64).for_each(|commit| drop(model.insert(commit % 9, text(commit))));
            let found = try_names_as_of(&snapshot, &table, snapshot.commit()).expect("its files are whole");
            assert_eq!(found, model, "byte {byte}");
        }
        assert!(beside.snapshot().commit() >= seen, "byte {byte}: a reader never goes back");
    }
    writer.commit(upsert(&writer.snapshot(), &table, &[(100, "last")])).expect("no conflict");
    assert_eq!(names(&beside, &table), names(&writer, &table));
    println!("{behind} readers were behind");
}

/// A registration that cannot be read stands for a reader that needs everything.
#[test]
fn damage_of_a_registration_takes_nothing_from_its_reader() {
    let config = Config { log_archive: LogArchive::Drop, level0_segments_max: 2, ..config() };
    for byte in 0..64 {
        let disk = SimDisk::new(byte);
        let writer = open(&disk, &config).expect("a new database");
        let table = writer.create_table(new_table("t"), 0).expect("the name is free");
        let put = |range: std::ops::Range<i64>| {
            for commit in range {
                writer.commit(upsert(&writer.snapshot(), &table, &[(commit % 5, &text(commit))])).expect("no conflict");
                if commit % 4 == 3 {
                    writer.compact().expect("nothing fails");
                }
            }
        };
        put(0..10);
        let reader = open(&disk, &Config { read_only: true, mapped: false, ..config.clone() }).expect("it opens");
        let before = names(&reader, &table);
        let registration = disk.list().expect("it lists").into_iter().find(|name| name.starts_with("reader-"));
        let registration = registration.expect("it registered");
        disk.damage(&registration, |bytes| bytes[byte as usize] ^= 1 << (byte % 8)).expect("it is there");
        let pinned = reader.snapshot();
        put(10..26);
        assert_eq!(try_names_as_of(&pinned, &table, 10).expect("its files stay"), before, "byte {byte}");
        assert_eq!(names(&reader, &table), names(&writer, &table), "byte {byte}");
    }
}

/// An erasure that was interrupted left copies of log segments that the manifest names. Whatever is damaged in one is an error, or
/// changes nothing; and what was erased is not read again.
#[test]
fn a_damaged_copy_of_an_erasure_is_an_error_or_makes_no_difference() {
    let config = config();
    let prepared = || {
        let disk = SimDisk::new(1);
        let store = open(&disk, &config).expect("a new database");
        let table = store.create_table(new_table("t"), 0).expect("the name is free");
        for commit in 0..COMMITS as i64 {
            store.commit(upsert(&store.snapshot(), &table, &[(commit % 5, &text(commit))])).expect("no conflict");
        }
        (disk, store, table)
    };
    let erase = |store: &Store, table| store.erase(table, &[i64_bytes(3).to_vec()]);
    let (disk, store, table) = prepared();
    let before = disk.syncs();
    erase(&store, table.id).expect("nothing fails");
    let (mut damaged, mut copies) = (0, 0);
    for sync in before + 1..=disk.syncs() {
        let (disk, store, table) = prepared();
        disk.inject(Fault::PowerBeforeSync(sync));
        erase(&store, table.id).ok();
        drop(store);
        let whole = disk.after_crash(sync);
        let left: Vec<String> = files(&whole).into_iter().filter(|name| name.ends_with(".era")).collect();
        let states = |disk: &SimDisk| -> Result<Vec<BTreeMap<i64, String>>> {
            let store = open(disk, &config)?;
            let table = store.catalog().by_name("t").cloned().expect("it was made");
            for record in store.replay(1)? {
                record?;
            }
            let snapshot = store.snapshot();
            (1..=snapshot.commit()).map(|commit| try_names_as_of(&snapshot, &table, commit)).collect()
        };
        let Some(copy) = left.first() else { continue };
        copies += 1;
        let expected = states(&whole.copy()).expect("it is whole");
        let content = whole.content(copy).expect("it is there");
        for byte in (0..content.len()).step_by(61) {
            let disk = whole.copy();
            disk.damage(copy, |bytes| bytes[byte] ^= 1 << (byte % 8)).expect("it is there");
            match states(&disk) {
                Ok(found) => assert_eq!(found, expected, "{copy}, byte {byte}"),
                Err(error) => {
                    damaged += 1;
                    assert!(names_file(&error, &copy.replace(".era", ".log")), "{copy}, byte {byte}: {error}");
                }
            }
        }
    }
    assert!(copies > 0 && damaged > 10, "{damaged} errors in {copies} interrupted erasures");
}

/// What a killed writer had told readers of was durable: damage to it is no torn end.
#[test]
fn the_last_records_of_a_killed_writer_are_missed() {
    let config = small();
    let killed = build(&config, false);
    assert_eq!(read(&killed.copy(), &config).expect("it is whole"), COMMITS);
    let log = files(&killed).into_iter().filter(|name| name.ends_with(".log")).max().expect("there is one");
    let bytes = killed.content(&log).expect("it is there");
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("it is written");
    for byte in [end, end - 20, end - 100, end - 300] {
        let disk = killed.copy();
        disk.damage(&log, |bytes| bytes[byte] ^= 1).expect("it is there");
        let error = read(&disk, &config).expect_err("an acknowledged commit is gone");
        assert!(names_file(&error, &log), "{byte}: {error}");
        disk.damage(&log, |bytes| bytes[byte] ^= 1).expect("it is there");
        assert_eq!(read(&disk, &config).expect("nothing was changed"), COMMITS);
    }
    // The power failed before anybody was told: then it is one.
    let disk = killed.copy();
    spectradb_store::Disk::remove(&disk, "published").expect("it is there");
    disk.damage(&log, |bytes| bytes[end] ^= 1).expect("it is there");
    assert_eq!(read(&disk, &config).expect("the end is torn"), COMMITS - 1);
}
