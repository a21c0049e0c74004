//! Do many writers and readers at once see one history?

mod support;

use spectradb_store::{
    CommitError, Config, Disk, Durability, LogArchive, MemDisk, OsDisk, RecordBody, SimDisk, Store, StoreError,
    SystemClock,
    fs::{DiskLock, Fault, File},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use support::{names, names_as_of, new_table, open, small, upsert};

/// Writers that share keys retry on conflicts; every acknowledged write is in the ledger once, and each snapshot is the
/// state that the ledger makes of the commits before it.
#[test]
fn writers_and_readers_agree_with_the_ledger() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let config = Config { memtable_bytes_max: 64 << 10, log_segment_bytes: 64 << 10, ..Config::default() };
    let disk = Arc::new(OsDisk::open(folder.path()).expect("it is there"));
    let store = Store::open(disk.clone(), Arc::new(SystemClock), config.clone()).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let conflicts = AtomicU64::new(0);
    let (writers, writes) = (4, 60);
    thread::scope(|scope| {
        for writer in 0..writers {
            let (store, table, conflicts) = (&store, &table, &conflicts);
            scope.spawn(move || {
                for number in 0..writes {
                    let text = format!("w{writer}-{number}");
                    loop {
                        let snapshot = store.snapshot();
                        let rows = [(number % 3, text.as_str()), (1_000 * (writer + 1) + number, text.as_str())];
                        match store.commit(upsert(&snapshot, table, &rows)) {
                            Ok(_) => break,
                            Err(CommitError::Conflict { .. }) => conflicts.fetch_add(1, Ordering::Relaxed),
                            Err(error) => panic!("{error}"),
                        };
                    }
                }
            });
        }
        scope.spawn(|| {
            let mut last = 0;
            while last < (writers * writes) as u64 {
                let snapshot = store.snapshot();
                assert!(snapshot.commit() >= last, "visible commits never go back");
                last = snapshot.commit();
                let seen = names_as_of(&snapshot, &table, last);
                // Each commit adds one key of its own; the shared keys are there from the first commits on.
                let own = seen.keys().filter(|id| **id >= 1_000).count() as u64;
                assert_eq!(own, last, "a snapshot holds whole commits, and all of them");
            }
        });
    });
    let check = |store: &Store| {
        let mut model = BTreeMap::new();
        let mut commits = 0;
        for record in store.replay(1).expect("all is kept") {
            let RecordBody::Commit { commit, write, .. } = record.expect("the chain verifies").body else { continue };
            commits += 1;
            assert_eq!(commit, commits);
            let batch = &write.facts[0];
            for (id, name) in batch.columns[0].values().zip(batch.columns[1].values()) {
                let spectradb_kernel::Value::Integer(id) = id else { panic!("a key is an integer") };
                model.insert(id, name.to_string());
            }
        }
        assert_eq!(commits, (writers * writes) as u64);
        assert_eq!(names(store, &table), model);
    };
    check(&store);
    drop(store);
    check(&Store::open(disk, Arc::new(SystemClock), config).expect("the last clone closed it"));
}

/// When the sync that many wait for fails, each of them is told so, and nobody waits for ever.
#[test]
fn a_failed_sync_is_told_to_all_who_wait() {
    for after in 1..12 {
        let disk = SimDisk::new(after);
        let store = open(&disk, &small()).expect("a new database");
        let table = store.create_table(new_table("t"), 0).expect("the name is free");
        for call in 0..3 {
            disk.inject(Fault::Call(disk.calls() + after + call));
        }
        let outcomes: Vec<_> = thread::scope(|scope| {
            let write = |id: i64| {
                let (store, table) = (&store, &table);
                scope.spawn(move || store.commit(upsert(&store.snapshot(), table, &[(id, "a")])))
            };
            let writers: Vec<_> = (0..4).map(write).collect();
            writers.into_iter().map(|writer| writer.join().expect("no panic")).collect()
        });
        let acknowledged = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let visible = store.snapshot().commit();
        assert_eq!(visible, acknowledged as u64, "what is visible was acknowledged: {outcomes:?}");
        let poisoned = outcomes.iter().any(|outcome| {
            matches!(
                outcome,
                Err(CommitError::Store(StoreError::OutcomeUnknown { .. } | StoreError::WritesRefused { .. }))
            )
        });
        let next = store.commit(upsert(&store.snapshot(), &table, &[(99, "z")]));
        assert_eq!(poisoned, matches!(next, Err(CommitError::Store(StoreError::WritesRefused { .. }))), "{next:?}");
        assert_eq!(names(&store, &table).len() as u64, store.snapshot().commit(), "reads go on");
        disk.heal();
    }
}

/// The power goes while writers write and the store's threads flush and compact: what was acknowledged is there.
#[test]
fn power_may_fail_while_threads_flush_and_compact() {
    for seed in 0..24 {
        let config = Config {
            memtable_bytes_max: 4 << 10,
            log_segment_bytes: 8 << 10,
            level0_segments_max: 2,
            ..Config::default()
        };
        let disk = SimDisk::new(seed);
        let store = open(&disk, &config).expect("a new database");
        let table = store.create_table(new_table("t"), 0).expect("the name is free");
        disk.inject(Fault::PowerBeforeSync(disk.syncs() + 1 + seed * 9));
        let acknowledged: Vec<i64> = thread::scope(|scope| {
            let writer = |writer: i64| {
                let (store, table) = (&store, &table);
                scope.spawn(move || {
                    let ids = (0..200).map(|number| writer * 1_000 + number);
                    let written = ids.take_while(|id| {
                        let text = format!("{id} {}", "x".repeat(50));
                        store.commit(upsert(&store.snapshot(), table, &[(*id, &text)])).is_ok()
                    });
                    written.collect::<Vec<_>>()
                })
            };
            let writers: Vec<_> = (1..=3).map(writer).collect();
            writers.into_iter().flat_map(|writer| writer.join().expect("no panic")).collect()
        });
        drop(store);
        let store = open(&disk.after_crash(seed), &config).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let found = names(&store, &table);
        let lost: Vec<&i64> = acknowledged.iter().filter(|id| !found.contains_key(id)).collect();
        assert!(lost.is_empty(), "seed {seed}: {lost:?} of {} are lost", acknowledged.len());
        let records = store.replay(1).expect("all is kept").collect::<Result<Vec<_>, _>>();
        assert_eq!(records.expect("the chain verifies").len(), found.len() + 1, "seed {seed}");
    }
}

/// A second opener, in this process or another, is told who has the database.
#[test]
fn a_second_opener_is_told_the_holder() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let store = Store::open_path(folder.path(), Config::default()).expect("a new database");
    let refused = Store::open_path(folder.path(), Config::default()).expect_err("it is open");
    assert_eq!(refused.to_string(), format!("database is locked by process {}", std::process::id()));
    drop(store);
    drop(Store::open_path(folder.path(), Config::default()).expect("it is free again"));
}

/// A disk on which no segment can be made while the gate is shut.
#[derive(Clone, Debug)]
struct Gated {
    disk: MemDisk,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Gated {
    fn new() -> Gated {
        Gated { disk: MemDisk::new(), gate: Arc::default() }
    }

    fn shut(&self, is_shut: bool) {
        *self.gate.0.lock().expect("no test panics here") = is_shut;
        self.gate.1.notify_all();
    }
}

impl Disk for Gated {
    fn list(&self) -> Result<Vec<String>, StoreError> {
        self.disk.list()
    }
    fn create(&self, name: &str) -> Result<Arc<dyn File>, StoreError> {
        if name.ends_with(".sst") {
            let shut = self.gate.0.lock().expect("no test panics here");
            drop(self.gate.1.wait_while(shut, |shut| *shut).expect("no test panics here"));
        }
        self.disk.create(name)
    }
    fn open(&self, name: &str) -> Result<Arc<dyn File>, StoreError> {
        self.disk.open(name)
    }
    fn rename(&self, from: &str, to: &str) -> Result<(), StoreError> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> Result<(), StoreError> {
        self.disk.remove(name)
    }
    fn sync_dir(&self) -> Result<(), StoreError> {
        self.disk.sync_dir()
    }
    fn map(&self, name: &str) -> Result<bytes::Bytes, StoreError> {
        self.disk.map(name)
    }
    fn claim(&self, name: &str) -> Result<(Arc<dyn File>, DiskLock), StoreError> {
        self.disk.claim(name)
    }

    fn is_held(&self, name: &str) -> Result<bool, StoreError> {
        self.disk.is_held(name)
    }

    fn lock_holder(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.disk.lock_holder(name)
    }

    fn lock(&self, name: &str) -> Result<DiskLock, StoreError> {
        self.disk.lock(name)
    }
}

/// While no memtable can be flushed, writers go on until as many wait as may, and then wait themselves.
#[test]
fn writers_wait_when_flushing_falls_behind_and_memory_stays_bounded() {
    let disk = Gated::new();
    let memtable_bytes_max = 32 << 10;
    let config = Config { memtable_bytes_max, frozen_count_max: 2, log_segment_bytes: 64 << 10, ..Config::default() };
    let store = open(&disk, &config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let (writers, writes) = (3, 400);
    disk.shut(true);
    thread::scope(|scope| {
        for writer in 0..writers {
            let (store, table) = (&store, &table);
            scope.spawn(move || {
                for number in 0..writes {
                    let rows = [(writer * writes + number, "some text that takes some room in a memtable")];
                    store.commit(upsert(&store.snapshot(), table, &rows)).expect("no conflict");
                }
            });
        }
        while store.stats().write_stalls < writers as u64 {
            thread::yield_now();
        }
        let stats = store.stats();
        assert_eq!(stats.frozen_count, 3, "one more than may wait: {stats:?}");
        assert!(stats.commit < (writers * writes) as u64 && stats.segment_count == 0, "{stats:?}");
        // Beside full memtables there is one write of each writer.
        assert!(stats.memtable_bytes < 4 * memtable_bytes_max + 3 * 1024, "{stats:?}");
        disk.shut(false);
    });
    assert_eq!(names(&store, &table).len(), (writers * writes) as usize);
    store.flush().expect("nothing fails");
    assert_eq!(store.stats().memtable_bytes, 0);
    assert!(store.stats().write_slowdowns > 0, "{:?}", store.stats());
}

/// Writers, readers, flushes and compactions over keys and history that are bounded: memory and the number of files are in the last
/// third of the time what they were in the second. An ordinary run takes two seconds; `SPECTRADB_SOAK_SECONDS` asks for more.
#[test]
fn memory_and_files_level_off() {
    let seconds = std::env::var("SPECTRADB_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    println!("SPECTRADB_SOAK_SECONDS={seconds}");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let config = Config {
        memtable_bytes_max: 256 << 10,
        block_cache_bytes_max: 1 << 20,
        log_segment_bytes: 1 << 20,
        bulk_bytes_min: 16 << 10,
        log_archive: LogArchive::Drop,
        durability: Durability::EveryRecords(50),
        ..Config::default()
    };
    let disk = OsDisk::open(folder.path()).expect("it is there");
    let store = Store::open(Arc::new(disk), Arc::new(SystemClock), config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    store.set_retention(table.id, Some(0), 1).expect("it is there");
    let (until, commits) = (Instant::now() + Duration::from_secs(seconds), AtomicU64::new(0));
    let look = || {
        let names = OsDisk::open(folder.path()).and_then(|disk| disk.list()).expect("it lists");
        // The links of dropped segments stay for ever, one small file for each.
        let files = names.iter().filter(|name| !name.ends_with(".lnk")).count();
        (files, resident_bytes(), store.stats().segment_bytes)
    };
    let mut seen = Vec::new();
    thread::scope(|scope| {
        for writer in 0..2_i64 {
            let (store, table, commits) = (&store, &table, &commits);
            scope.spawn(move || {
                let mut number = writer;
                while Instant::now() < until {
                    number += 2;
                    let count = if number % 97 < 2 { 400 } else { 3 };
                    let text = format!("{number} {}", "x".repeat(60));
                    let rows: Vec<(i64, &str)> =
                        (0..count).map(|row| (writer * 10_000 + (number * 31 + row) % 2_000, text.as_str())).collect();
                    store.commit(upsert(&store.snapshot(), table, &rows)).expect("its keys are its own");
                    commits.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            while Instant::now() < until {
                let snapshot = store.snapshot();
                let found = names_as_of(&snapshot, &table, snapshot.commit());
                assert!(found.len() <= 4_000, "{}", found.len());
            }
        });
        let pause = Duration::from_millis((seconds * 1000 / 60).clamp(20, 2_000));
        while Instant::now() < until {
            seen.push(look());
            thread::park_timeout(pause);
        }
    });
    let third = seen.len() / 3;
    let (early, late) = (&seen[third..2 * third], &seen[2 * third..]);
    let most = |looks: &[(usize, u64, u64)], of: fn(&(usize, u64, u64)) -> u64| looks.iter().map(of).max().unwrap_or(0);
    let (files, more_files) = (most(early, |look| look.0 as u64), most(late, |look| look.0 as u64));
    let (memory, more_memory) = (most(early, |look| look.1), most(late, |look| look.1));
    let (bytes, more_bytes) = (most(early, |look| look.2), most(late, |look| look.2));
    println!(
        "{} commits; files {files} then {more_files}, resident {} then {} MiB, segments {} then {} KiB",
        commits.load(Ordering::Relaxed),
        memory >> 20,
        more_memory >> 20,
        bytes >> 10,
        more_bytes >> 10
    );
    assert!(commits.load(Ordering::Relaxed) > 20 * seconds, "the writers got on");
    assert!(more_files <= files + files / 2 + 8, "files: {files}, then {more_files}");
    assert!(more_memory <= memory + memory / 4 + (24 << 20), "resident bytes: {memory}, then {more_memory}");
    // The table of commits has a row for each, for ever.
    let of_commits = commits.load(Ordering::Relaxed) * 100;
    assert!(more_bytes <= bytes * 2 + of_commits + (1 << 20), "bytes of segments: {bytes}, then {more_bytes}");
    assert_eq!(store.verify(None).expect("it reads").difference, None);
}

/// What the process has in memory; nothing where the system does not say.
#[expect(clippy::disallowed_methods, reason = "the system's own files are not the database's")]
fn resident_bytes() -> u64 {
    let told = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    told.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// However little is compacted meanwhile, level 0 stays as small as the settings say, and all threads find all facts.
#[test]
fn writers_wait_when_compaction_falls_behind() {
    let disk = MemDisk::new();
    let config = Config {
        memtable_bytes_max: 4 << 10,
        level0_segments_max: 2,
        level0_segments_slow: 3,
        level0_segments_stall: 4,
        compaction_thread_count: 3,
        shard_count: Some(2),
        ..Config::default()
    };
    let store = open(&disk, &config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let (writers, writes) = (2, 300);
    thread::scope(|scope| {
        for writer in 0..writers {
            let (store, table) = (&store, &table);
            scope.spawn(move || {
                for number in 0..writes {
                    let rows = [(writer * writes + number, "a text of its own"), (-1 - writer, "the same again")];
                    store.commit(upsert(&store.snapshot(), table, &rows)).expect("no conflict");
                }
            });
        }
    });
    assert_eq!(names(&store, &table).len(), (writers * (writes + 1)) as usize);
    store.close().expect("nothing fails");
    assert_eq!(store.stats().compactions_running, 0);
    drop(store);
    let store = open(&disk, &config).expect("it was closed");
    assert_eq!(names(&store, &table).len(), (writers * (writes + 1)) as usize);
}
