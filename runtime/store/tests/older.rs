//! What becomes of a database whose `manifest` was put back from an older backup?
//!
//! The log may have gone on since, in segments that the manifest does not know. Who opens the database then, reader, restore or writer,
//! finds every commit that the log has, or says which file does not fit. Nothing of the log is taken away for it.

mod support;

use spectradb_kernel::{key::i64_bytes, schema::TableSchema};
use spectradb_store::{
    Config, Disk, LogArchive, ManualClock, MemDisk, SimDisk, Store, StoreError,
    fs::Fault,
    restore::{At, restore},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use support::{names, new_table, open, small, upsert};

struct Random(u64);

impl Random {
    fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }
}

fn config() -> Config {
    Config { log_segment_bytes: 4 << 10, ..small() }
}

fn table(store: &Store) -> Arc<TableSchema> {
    store.catalog().by_name("t").cloned().expect("the table")
}

fn text(version: usize) -> String {
    format!("v{version}{}", "x".repeat(if version % 3 == 1 { 1_500 } else { 0 }))
}

/// A database of the given commits more; each states a key anew.
fn write(store: &Store, versions: std::ops::Range<usize>) {
    for version in versions {
        let write = upsert(&store.snapshot(), &table(store), &[(version as i64 % 7, &text(version))]);
        store.commit(write).expect("no conflict");
    }
}

fn model(versions: usize) -> BTreeMap<i64, String> {
    (0..versions).map(|version| (version as i64 % 7, text(version))).collect()
}

fn log_files(disk: &SimDisk) -> BTreeMap<String, Vec<u8>> {
    let names = disk.list().expect("no fault").into_iter().filter(|name| name.starts_with("log-"));
    names.map(|name| (name.clone(), disk.content(&name).expect("it is there"))).collect()
}

/// The disk with the manifest of then, and without what the last writer told.
fn put_back(disk: &SimDisk, manifest: &[u8]) -> SimDisk {
    let disk = disk.copy();
    disk.create("manifest").and_then(|file| file.write_at(manifest, 0)).expect("memory takes it");
    disk.remove("published").expect("it is there");
    disk
}

fn sound(store: &Store, story: &str) {
    let found = store.verify(None).unwrap_or_else(|error| panic!("{story}: {error}"));
    assert_eq!(found.difference, None, "{story}");
}

/// Thirty commits over some segments, of which a manifest knows the first few.
fn gone_on() -> (SimDisk, Vec<u8>) {
    let disk = SimDisk::new(1);
    let store = open(&disk, &config()).expect("a new database");
    store.create_table(new_table("t"), 0).expect("the name is free");
    write(&store, 0..5);
    store.close().expect("nothing fails");
    let manifest = disk.content("manifest").expect("it is there");
    let store = open(&disk, &config()).expect("it opens");
    write(&store, 5..30);
    store.close().expect("nothing fails");
    (disk.copy(), manifest)
}

#[test]
fn segments_that_a_manifest_does_not_know_are_read() {
    let (disk, manifest) = gone_on();
    let disk = put_back(&disk, &manifest);
    let before = log_files(&disk);
    assert!(before.len() > 4, "the log went on in new segments");
    let reader = open(&disk, &Config { read_only: true, ..config() }).expect("it opens");
    assert_eq!(names(&reader, &table(&reader)), model(30));
    sound(&reader, "reader");
    drop(reader);
    let made = MemDisk::new();
    restore(
        Arc::new(disk.clone()),
        &(Arc::new(made.clone()) as _),
        Arc::new(ManualClock::new(1_000)),
        At::Newest,
        &config(),
    )
    .expect("all is there");
    let made = open(&made, &config()).expect("it opens");
    assert_eq!(names(&made, &table(&made)), model(30));
    assert_eq!(log_files(&disk), before, "readers leave the log alone");
    for versions in [30, 40] {
        let store = open(&disk, &config()).expect("it opens");
        assert_eq!(names(&store, &table(&store)), model(versions));
        sound(&store, "writer");
        write(&store, versions..versions + 10);
    }
}

#[test]
fn a_segment_that_is_missing_or_damaged_among_them_is_named() {
    let (disk, manifest) = gone_on();
    let disk = put_back(&disk, &manifest);
    let logs: Vec<String> = log_files(&disk).into_keys().collect();
    for file in &logs {
        for damage in 0..2 {
            let disk = disk.copy();
            match damage {
                0 => disk.remove(file).expect("it is there"),
                _ => disk.damage(file, |bytes| bytes[100] ^= 1).expect("it is there"),
            }
            let before = log_files(&disk);
            let is_last = Some(file) == logs.last();
            for read_only in [true, false] {
                let opened = open(&disk, &Config { read_only, ..config() });
                match opened {
                    // The last record cannot be told from one that was never whole.
                    Ok(store) if is_last => drop(store),
                    Ok(store) => {
                        panic!("{file}, damage {damage}: opened with {} keys", names(&store, &table(&store)).len())
                    }
                    Err(StoreError::Missing { file: named } | StoreError::Corrupt { file: named, .. }) => {
                        assert_eq!(&named, file, "damage {damage}");
                        assert_eq!(log_files(&disk), before, "nothing is taken away");
                    }
                    Err(error) => panic!("{file}, damage {damage}: {error}"),
                }
            }
        }
    }
}

/// Whatever was flushed, compacted, archived, dropped or erased since: an old manifest shows everything, or it is refused.
#[test]
fn an_old_manifest_gives_everything_or_an_error() {
    let (mut whole, mut refused, mut erased_since) = (0, 0, 0);
    for seed in 0..32 {
        let mut random = Random(seed);
        let archives = [LogArchive::Keep, LogArchive::Keep, LogArchive::Compress, LogArchive::Drop];
        let config = Config {
            log_archive: archives[random.below(4) as usize],
            bulk_bytes_min: [usize::MAX, usize::MAX, 500][random.below(3) as usize],
            ..config()
        };
        let disk = SimDisk::new(seed);
        let mut store = open(&disk, &config).expect("a new database");
        store.create_table(new_table("t"), 0).expect("the name is free");
        let (mut versions, mut gone, mut erasures) = (0, BTreeSet::new(), 0);
        let mut manifests = Vec::new();
        let mut steps = format!("seed {seed}, {config:?}\n");
        for _ in 0..12 {
            match random.below(9) {
                0..5 => {
                    let more = 1 + random.below(6) as usize;
                    write(&store, versions..versions + more);
                    gone.retain(|id| !(versions..versions + more).any(|version| version as i64 % 7 == *id));
                    versions += more;
                    steps += &format!("{versions}\n");
                }
                5 => {
                    store.flush().expect("nothing fails");
                    steps += "flush\n";
                }
                6 if random.below(2) == 0 => {
                    store.compact().expect("nothing fails");
                    steps += "compact\n";
                }
                6 | 7 => {
                    if random.below(2) == 0 {
                        store.close().expect("nothing fails");
                    }
                    drop(store);
                    store = open(&disk, &config).expect("it opens");
                    steps += "open\n";
                }
                _ => {
                    let id = random.below(7) as i64;
                    let erased = store.erase(table(&store).id, &[i64_bytes(id).to_vec()]).expect("it writes");
                    erasures += u32::from(erased.is_some());
                    gone.insert(id);
                    steps += &format!("erase {id}\n");
                }
            }
            manifests.push((disk.content("manifest").expect("it is there"), erasures));
        }
        let digest = store.digest().expect("it reads");
        drop(store);
        let mut model = model(versions);
        model.retain(|id, _| !gone.contains(id));
        for (nth, (manifest, known)) in manifests.iter().enumerate() {
            let disk = put_back(&disk, manifest);
            let before = log_files(&disk);
            for read_only in [true, false] {
                let story = format!("{steps}manifest {nth}, read only {read_only}");
                match open(&disk, &Config { read_only, ..config.clone() }) {
                    Ok(store) => {
                        assert_eq!(*known, erasures, "{story}: what was erased may come back");
                        assert_eq!(names(&store, &table(&store)), model, "{story}");
                        assert_eq!(store.digest().expect("it reads"), digest, "{story}");
                        sound(&store, &story);
                        whole += 1;
                    }
                    Err(StoreError::Missing { .. } | StoreError::Corrupt { .. }) => {
                        assert_eq!(log_files(&disk), before, "{story}: nothing is taken away");
                        refused += 1;
                        erased_since += u32::from(*known < erasures);
                    }
                    Err(error) => panic!("{story}: {error}"),
                }
            }
        }
    }
    assert!(whole > 100 && refused > 100 && erased_since > 20, "{whole} {refused} {erased_since}");
}

/// The segments that an open takes away behind the log's end go so that a crash among it leaves nothing that looks like a part of a log.
#[test]
fn a_crash_while_torn_segments_are_taken_away_is_no_damage() {
    // A record of many frames, of which the last ones never reached the disk.
    let disk = SimDisk::new(1);
    let store = open(&disk, &Config { bulk_bytes_min: usize::MAX, ..config() }).expect("a new database");
    store.create_table(new_table("t"), 0).expect("the name is free");
    write(&store, 0..3);
    let long = "y".repeat(3_000);
    let rows: Vec<(i64, &str)> = (0..600).map(|id| (id, long.as_str())).collect();
    store.commit(upsert(&store.snapshot(), &table(&store), &rows)).expect("no conflict");
    let torn = disk.copy();
    drop(store);
    let logs = log_files(&torn);
    let last = logs.keys().next_back().expect("there is one").clone();
    torn.damage(&last, |bytes| bytes.fill(0)).expect("it is there");
    torn.remove("published").expect("it is there");
    let trial = torn.copy();
    let before = trial.syncs();
    drop(open(&trial, &config()).expect("it opens"));
    let syncs = trial.syncs() - before;
    assert!(logs.len() >= 3 && syncs > 3, "{} segments, {syncs} syncs", logs.len());
    for sync in 1..=syncs {
        for after in [false, true] {
            for seed in 0..6 {
                let disk = torn.copy();
                let at = disk.syncs() + sync;
                disk.inject(if after { Fault::PowerAfterSync(at) } else { Fault::PowerBeforeSync(at) });
                open(&disk, &config()).map(drop).ok();
                let disk = disk.after_crash(seed);
                let story = format!("sync {sync} of {syncs}, after: {after}, seed {seed}");
                let store = open(&disk, &config()).unwrap_or_else(|error| panic!("{story}: {error}"));
                assert_eq!(names(&store, &table(&store)), model(3), "{story}");
                write(&store, 3..9);
                drop(store);
                let store = open(&disk, &config()).unwrap_or_else(|error| panic!("{story}: {error}"));
                assert_eq!(names(&store, &table(&store)), model(9), "{story}");
            }
        }
    }
}
