//! What becomes of files that a newer program wrote?
//!
//! In each kind of file of a database that version 1 wrote, the version and the three sets of features are changed, with the
//! checksum made right. A newer version and version 0 are refused with the file and both versions, and a feature that nobody may
//! ignore with the file and the feature: its version is ours. A feature that may be ignored changes nothing; one that a reader may
//! ignore leaves a database that can be read and not written, and the manifest's bits say so for all files.

mod support;

use spectradb_store::{Config, Disk, LogArchive, MemDisk, Store, StoreError};
use std::collections::BTreeMap;
use support::{names_as_of, new_table, open, small, upsert};

const COMMITS: i64 = 30;

fn config(log_archive: LogArchive) -> Config {
    Config { log_segment_bytes: 8 << 10, log_archive, ..small() }
}

/// A closed database with every kind of file that has a version.
fn database(log_archive: LogArchive) -> MemDisk {
    let disk = MemDisk::new();
    let store = open(&disk, &config(log_archive)).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    for commit in 1..=COMMITS {
        let text = format!("v{commit}-{}", "x".repeat(500));
        store.commit(upsert(&store.snapshot(), &table, &[(commit % 6, &text)])).expect("no conflict");
        if [8, 16, 26].contains(&commit) {
            store.flush().expect("nothing fails");
        }
    }
    store.close().expect("nothing fails");
    disk
}

fn copy(disk: &MemDisk) -> MemDisk {
    let copy = MemDisk::new();
    for name in disk.list().expect("it lists") {
        let bytes = disk.map(&name).expect("it is there");
        copy.create(&name).and_then(|file| file.write_at(&bytes, 0)).expect("memory takes it");
    }
    copy
}

/// Changes a field of a file's header, or of the header of a log segment's first frame, and makes its checksum right.
fn change(disk: &MemDisk, name: &str, field: Field, value: u32) {
    let mut bytes = disk.map(name).expect("it is there").to_vec();
    let is_log = name.ends_with(".log");
    // As docs/format.md says it.
    let (crc, version, features, end) = if is_log { (4, 8, 12, 256) } else { (8, 12, 16, 128) };
    let (suite, codec, key) = if is_log { (46, 47, 200) } else { (68, 69, 72) };
    match field {
        Field::Version => bytes[version..version + 2].copy_from_slice(&(value as u16).to_le_bytes()),
        Field::Suite => bytes[suite] = value as u8,
        Field::Codec => bytes[codec] = value as u8,
        Field::Key => bytes[key..key + 4].copy_from_slice(&value.to_le_bytes()),
        Field::Features(set) => bytes[features + 4 * set..][..4].copy_from_slice(&value.to_le_bytes()),
    }
    let sum = crc32fast::hash(&bytes[crc + 4..end]);
    bytes[crc..crc + 4].copy_from_slice(&sum.to_le_bytes());
    disk.create(name).and_then(|file| file.write_at(&bytes, 0)).expect("memory takes it");
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Version,
    /// 0: may be ignored; 1: a reader may ignore them; 2: nobody may.
    Features(usize),
    Suite,
    Codec,
    Key,
}

/// Reads all there is: every state, the whole log that is kept, and what verifying says.
fn read(store: &Store) -> Result<Vec<BTreeMap<i64, String>>, StoreError> {
    let table = store.catalog().by_name("t").cloned().expect("it was made");
    let snapshot = store.snapshot();
    if let Some(difference) = store.verify(None)?.difference {
        return Err(StoreError::Corrupt { file: difference.to_string(), offset: 0, what: String::new() });
    }
    Ok((1..=snapshot.commit()).map(|commit| names_as_of(&snapshot, &table, commit)).collect())
}

/// One file of each kind.
fn kinds(disk: &MemDisk) -> Vec<String> {
    let mut names = disk.list().expect("it lists");
    names.sort();
    let kinds = ["manifest", ".cat", ".sst", ".nts", ".arc", ".lnk", ".log"];
    let of_kind = |kind: &&str| {
        let used = |name: &&String| disk.map(name).is_ok_and(|bytes| bytes[..4] != [0; 4]);
        names.iter().find(|name| name.ends_with(*kind) && used(name)).cloned()
    };
    kinds.iter().filter_map(of_kind).collect()
}

#[test]
fn newer_files_are_refused_with_both_versions_and_features_are_what_they_say() {
    let mut seen = Vec::new();
    for log_archive in [LogArchive::Keep, LogArchive::Compress, LogArchive::Drop] {
        let whole = database(log_archive);
        let config = config(log_archive);
        let expected = read(&open(&copy(&whole), &config).expect("it opens")).expect("it is whole");
        assert_eq!(expected.len(), COMMITS as usize);
        for name in kinds(&whole) {
            seen.push(name.rsplit('.').next().unwrap_or_default().to_owned());
            for (field, value, words) in [
                (Field::Version, 2, "format version 2, and this program reads up to 1"),
                (Field::Version, 0, "format version 0, and this program reads up to 1"),
                (Field::Features(2), 1 << 4, "features 0x00000010, which this program does not know"),
                (Field::Suite, 2, "hash suite 2, which this program does not know"),
                (Field::Codec, 3, "packing 3 of a whole body, which this program does not know"),
                (Field::Key, 7, "encryption, which this program does not know"),
            ] {
                let disk = copy(&whole);
                change(&disk, &name, field, value);
                for read_only in [false, true] {
                    let told = open(&disk, &Config { read_only, ..config.clone() }).and_then(|store| read(&store));
                    let error = told.map(|states| states.len()).expect_err("it needs a newer program");
                    match &error {
                        StoreError::FormatVersion { supported: 1, .. } => assert!(matches!(field, Field::Version)),
                        StoreError::UnknownFeatures { .. } => assert!(!matches!(field, Field::Version)),
                        // What verifying comes to tells of it in words.
                        StoreError::Corrupt { what, .. } if what.is_empty() => {}
                        other => panic!("{name}, {field:?}: {other:?}"),
                    }
                    let expected = format!("file \"{name}\" has {words}");
                    assert!(error.to_string().contains(&expected), "{name}, {field:?} {value}: {error}");
                }
            }
            if name != "manifest" {
                let disk = copy(&whole);
                change(&disk, &name, Field::Features(1), 1 << 5);
                let read_again = read(&open(&disk, &config).expect("the manifest's bits say who may write"));
                assert_eq!(read_again.unwrap_or_else(|error| panic!("{name}: {error}")), expected);
            }
            let disk = copy(&whole);
            change(&disk, &name, Field::Features(0), 1 << 5);
            let read_again = read(&open(&disk, &config).unwrap_or_else(|error| panic!("{name}: {error}")));
            assert_eq!(read_again.unwrap_or_else(|error| panic!("{name}: {error}")), expected);
        }
        let disk = copy(&whole);
        change(&disk, "manifest", Field::Features(1), 1 << 3);
        let refused = open(&disk, &config).map(drop);
        assert!(matches!(refused, Err(StoreError::ReadOnlyFeatures { .. })), "{refused:?}");
        let reader = open(&disk, &Config { read_only: true, ..config.clone() }).expect("it can be read");
        assert_eq!(read(&reader).expect("it is whole"), expected);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["arc", "cat", "lnk", "log", "manifest", "nts", "sst"]);
}
