//! Does a reader beside a writer see every durable commit, nothing else, and all of its files for as long as it needs them?
//!
//! Writer and readers share one disk here and run in turns, with settings under which files change all the time: tiny
//! memtables, log segments of a few records, each policy for the log. Could go wrong where the writer removes or uses again
//! what a reader is about to open, where a reader takes a new set of files over, and where a torn end is zeroed.

mod support;

use bytes::Bytes;
use spectradb_kernel::key::i64_bytes;
use spectradb_store::{
    CommitError, Config, Disk, Durability, LogArchive, OsDisk, ProofOf, SimDisk, Store, StoreError, SystemClock,
    fact::{FactId, Write},
    fs::{DiskLock, Fault, File},
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use support::{names, names_as_of, new_table, open, small, upsert};

fn reader(disk: &SimDisk, config: &Config) -> Store {
    open(disk, &Config { read_only: true, ..config.clone() }).expect("it opens for reading")
}

fn registrations(disk: &dyn Disk) -> usize {
    disk.list().expect("it lists").iter().filter(|name| name.starts_with("reader-")).count()
}

struct Seed(u64);

impl Seed {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn a_reader_sees_each_durable_commit_and_no_other() {
    let disk = SimDisk::new(1);
    let config = small();
    assert!(matches!(open(&disk, &Config { read_only: true, ..config.clone() }), Err(StoreError::NoDatabase { .. })));
    let writer = open(&disk, &config).expect("a new database");
    let beside = reader(&disk, &config);
    assert_eq!(beside.catalog().tables.len(), 0);
    let table = writer.create_table(new_table("t"), 0).expect("the name is free");
    writer.commit(upsert(&writer.snapshot(), &table, &[(1, "a")])).expect("no conflict");
    assert_eq!(names(&beside, &table), names(&writer, &table));
    assert_eq!(beside.catalog(), writer.catalog());
    let lazy = Write { durability: Some(Durability::None), ..upsert(&writer.snapshot(), &table, &[(1, "b")]) };
    writer.commit(lazy).expect("no conflict");
    assert_eq!((writer.snapshot().commit(), beside.snapshot().commit()), (2, 1), "it is not durable yet");
    writer.flush().expect("nothing fails");
    assert_eq!(beside.snapshot().commit(), 2);
    assert_eq!(names_as_of(&beside.snapshot(), &table, 1), BTreeMap::from([(1, "a".to_owned())]));
    let refused = beside.commit(upsert(&beside.snapshot(), &table, &[(1, "c")]));
    assert!(matches!(refused, Err(spectradb_store::CommitError::Store(StoreError::ReadOnly))));
    assert!(matches!(beside.flush(), Err(StoreError::ReadOnly)));
    assert!(matches!(beside.create_table(new_table("u"), 1), Err(StoreError::ReadOnly)));
    assert_eq!(beside.digest().expect("links are there"), writer.digest().expect("links are there"));
    assert_eq!(beside.verify(None).expect("it reads").difference, None);
    assert_eq!(beside.replay(1).expect("the log is there").count(), 3);
    writer.close().expect("nothing fails");
    assert_eq!(beside.snapshot().commit(), 2);
    beside.close().expect("nothing to write");
}

/// Many steps of writer and readers in turns; every answer is a state that the model knows.
#[test]
fn readers_follow_flushes_compactions_recycling_and_crashes() {
    for (seed, policy, bulk_bytes_min) in [
        (1, LogArchive::Keep, usize::MAX),
        (2, LogArchive::Compress, 1),
        (3, LogArchive::Drop, 300),
        (4, LogArchive::Drop, usize::MAX),
    ] {
        let mut random = Seed(seed);
        let mut disk = SimDisk::new(seed);
        let config = Config {
            log_archive: policy,
            memtable_bytes_max: 6 << 10,
            log_segment_bytes: 4 << 10,
            bulk_bytes_min,
            ..small()
        };
        let mut writer = open(&disk, &config).expect("a new database");
        let table = writer.create_table(new_table("t"), 0).expect("the name is free");
        let mut states = vec![BTreeMap::new()];
        let mut readers: Vec<(Store, u64)> = Vec::new();
        let mut pinned = Vec::new();
        for step in 0..400 {
            match random.below(24) {
                0 => writer.flush().expect("nothing fails"),
                1 => writer.compact().expect("nothing fails"),
                2 if readers.len() < 3 => readers.push((reader(&disk, &config), 0)),
                3 if !readers.is_empty() => drop(readers.swap_remove(random.below(readers.len() as u64) as usize)),
                4 => {
                    writer.close().expect("nothing fails");
                    drop(writer);
                    writer = open(&disk, &config).expect("it opens again");
                }
                5 if seed % 2 == 1 && random.below(4) == 0 => {
                    // The power fails: readers die with it, and their registrations hold nothing.
                    readers.clear();
                    pinned.clear();
                    let survivor = disk.after_crash(random.below(1 << 30));
                    drop(writer);
                    disk = survivor;
                    let before = reader(&disk, &config);
                    let seen = names(&before, &table);
                    writer = open(&disk, &config).expect("it opens again");
                    assert_eq!(
                        names(&writer, &table),
                        seen,
                        "seed {seed}, step {step}: a reader recovers what a writer does"
                    );
                    readers.push((before, 0));
                }
                // Not beside power failures: after a sync that failed a disk may lose what reads still see.
                6 if seed % 2 == 0 => {
                    // A process that dies in the middle of an append: its end is zeroed by the next.
                    disk.inject(Fault::Call(disk.calls() + 2 + random.below(3)));
                    let rows = [(1, "x".repeat(3000))];
                    let rows: Vec<(i64, &str)> = rows.iter().map(|(id, text)| (*id, text.as_str())).collect();
                    let failed = writer.commit(upsert(&writer.snapshot(), &table, &rows));
                    disk.heal();
                    drop(failed);
                    drop(writer);
                    writer = open(&disk, &config).expect("it opens again");
                    let snapshot = writer.snapshot();
                    for commit in states.len() as u64..=snapshot.commit() {
                        states.push(names_as_of(&snapshot, &table, commit));
                    }
                }
                _ => {
                    let rows: Vec<(i64, String)> = (0..1 + random.below(4))
                        .map(|place| (place as i64 * 10 + random.below(10) as i64, format!("s{step}p{place}")))
                        .collect();
                    let rows: Vec<(i64, &str)> = rows.iter().map(|(id, text)| (*id, text.as_str())).collect();
                    let commit = writer.commit(upsert(&writer.snapshot(), &table, &rows)).expect("no conflict");
                    assert_eq!(commit.commit, states.len() as u64);
                    let mut state: BTreeMap<i64, String> = states.last().cloned().unwrap_or_default();
                    state.extend(rows.iter().map(|(id, text)| (*id, (*text).to_owned())));
                    states.push(state);
                }
            }
            let newest = writer.snapshot().commit();
            for (reader, last) in &mut readers {
                if random.below(3) > 0 {
                    continue;
                }
                let snapshot = reader.newest().unwrap_or_else(|error| panic!("seed {seed}, step {step}: {error}"));
                let commit = snapshot.commit();
                assert!((*last..=newest).contains(&commit), "seed {seed}, step {step}: {last} {commit} {newest}");
                assert_eq!(commit, newest, "seed {seed}, step {step}: every commit is durable");
                *last = commit;
                let past = random.below(commit + 1);
                for at in [commit, past] {
                    let found = names_as_of(&snapshot, &table, at);
                    assert_eq!(found, states[at as usize], "seed {seed}, step {step}: as of {at} of {commit}");
                }
                if random.below(10) == 0 {
                    pinned.push(snapshot);
                }
                if random.below(20) == 0 {
                    let verified = reader.verify(None).expect("it reads");
                    assert_eq!(verified.difference, None, "seed {seed}, step {step}");
                }
            }
            for snapshot in &pinned {
                let at = snapshot.commit();
                assert_eq!(
                    names_as_of(snapshot, &table, at),
                    states[at as usize],
                    "seed {seed}, step {step}: pinned {at}"
                );
            }
        }
        drop(readers);
        drop(pinned);
        assert_eq!(registrations(&disk), 0, "readers leave nothing behind");
        writer.compact().expect("nothing fails");
        writer.close().expect("nothing fails");
        let segments = writer.stats().segment_count;
        let files = disk.list().expect("it lists").iter().filter(|name| name.ends_with(".sst")).count();
        assert_eq!(files, segments, "seed {seed}: nothing is kept for readers that are gone");
    }
}

#[test]
fn what_a_dead_reader_registered_holds_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk: Arc<dyn Disk> = Arc::new(OsDisk::open(folder.path()).expect("it is there"));
    let writer = Store::open(disk.clone(), Arc::new(SystemClock), small()).expect("a new database");
    let table = writer.create_table(new_table("t"), 0).expect("the name is free");
    writer.commit(upsert(&writer.snapshot(), &table, &[(1, "a")])).expect("no conflict");
    // A file as a process leaves it that was killed: nobody holds it.
    disk.create("reader-1-00").and_then(|file| file.write_at(&[0; 64], 0)).expect("it is written");
    let beside = Store::open_path(folder.path(), Config { read_only: true, ..small() }).expect("it opens");
    assert_eq!(names(&beside, &table), names(&writer, &table));
    writer.compact().expect("nothing fails");
    assert_eq!(registrations(&*disk), 1, "only the living one is left");
    assert_eq!(names(&beside, &table), names(&writer, &table));
    let locked = Store::open_path(folder.path(), small()).map(drop);
    let own = format!("process {}", std::process::id());
    assert!(matches!(locked, Err(StoreError::Locked { holder }) if holder == own));
    drop(beside);
    assert_eq!(registrations(&*disk), 0);
}

/// A reader follows an erasure, and its files go when it has gone on.
#[test]
fn a_reader_follows_an_erasure() {
    for log_archive in [LogArchive::Keep, LogArchive::Compress, LogArchive::Drop] {
        let disk = SimDisk::new(5);
        let config = Config { log_archive, log_segment_bytes: 4 << 10, ..small() };
        let writer = open(&disk, &config).expect("a new database");
        let table = writer.create_table(new_table("t"), 0).expect("the name is free");
        for (step, name) in (0..).zip(["unspeakable", "a", "unspeakable too", "b"]) {
            writer.commit(upsert(&writer.snapshot(), &table, &[(step % 2, name), (7, "x")])).expect("no conflict");
        }
        writer.flush().expect("nothing fails");
        let beside = reader(&disk, &config);
        assert_eq!(names(&beside, &table), names(&writer, &table));
        let key = spectradb_kernel::key::i64_bytes(0).to_vec();
        assert!(writer.erase(table.id, std::slice::from_ref(&key)).expect("nothing fails").is_some());
        assert_eq!(names(&beside, &table).keys().copied().collect::<Vec<_>>(), [1, 7]);
        assert!(matches!(beside.erase(table.id, &[key]), Err(StoreError::ReadOnly)));
        assert_eq!(beside.verify(None).expect("it reads").difference, None);
        writer.commit(upsert(&writer.snapshot(), &table, &[(0, "again")])).expect("no conflict");
        writer.flush().expect("nothing fails");
        assert_eq!(names(&beside, &table), names(&writer, &table));
        let has_trace = |name: &String| {
            let bytes = disk.content(name).unwrap_or_default();
            bytes.windows(11).any(|window| window == b"unspeakable")
        };
        let traces: Vec<String> = disk.list().expect("it lists").into_iter().filter(has_trace).collect();
        assert_eq!(traces, Vec::<String>::new(), "{log_archive:?}");
    }
}

/// Nobody has to write for the files of a reader that has gone on to go.
#[test]
fn what_a_reader_held_goes_by_itself() {
    let disk = SimDisk::new(9);
    let config = Config { background: true, ..small() };
    let writer = open(&disk, &config).expect("a new database");
    let table = writer.create_table(new_table("t"), 0).expect("the name is free");
    writer.commit(upsert(&writer.snapshot(), &table, &[(0, "unspeakable"), (1, "a")])).expect("no conflict");
    writer.flush().expect("nothing fails");
    let beside = reader(&disk, &config);
    writer.erase(table.id, &[i64_bytes(0).to_vec()]).expect("nothing fails").expect("there was something");
    let has_trace = |name: &String| {
        let bytes = disk.content(name).unwrap_or_default();
        bytes.windows(11).any(|window| window == b"unspeakable")
    };
    let is_there = || disk.list().expect("it lists").iter().any(has_trace);
    assert!(is_there(), "the reader may still ask for it");
    assert_eq!(names(&beside, &table).len(), 1);
    let until = Instant::now() + Duration::from_secs(60);
    while is_there() {
        assert!(Instant::now() < until, "it is still there");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Proofs, replays and verifying in another process go on while its writer erases, and never say that anything is damaged.
#[test]
fn what_a_reader_walks_is_not_damaged_by_an_erasure() {
    let key = |id: i64| i64_bytes(id).to_vec();
    for (log_archive, bulk_bytes_min) in
        [(LogArchive::Keep, usize::MAX), (LogArchive::Compress, 0), (LogArchive::Keep, 0)]
    {
        let disk = SimDisk::new(6);
        let config = Config { log_archive, bulk_bytes_min, log_segment_bytes: 4 << 10, ..small() };
        let writer = open(&disk, &config).expect("a new database");
        let table = writer.create_table(new_table("t"), 0).expect("the name is free");
        for step in 0..30 {
            let rows: Vec<(i64, &str)> = (0..10).map(|place| (step % 3 + place * 3, "a name of a row")).collect();
            writer.commit(upsert(&writer.snapshot(), &table, &rows)).expect("no conflict");
        }
        let beside = reader(&disk, &config);
        let story = format!("{log_archive:?}, bulk from {bulk_bytes_min}");
        let before = beside.digest().expect("it reads");
        let mut replay = beside.replay(1).expect("it reads");
        let mut read = 0;
        for id in 0..9 {
            writer.erase(table.id, &[key(id)]).expect("nothing fails").expect("there was something");
            // The reader has not looked since.
            for _ in 0..3 {
                let record = replay.next().expect("there are more");
                record.unwrap_or_else(|error| panic!("{story}, erasing {id}: {error}"));
                read += 1;
            }
            if id % 2 == 0 {
                // Some of what was read before is looked at again without having followed.
                assert_eq!(beside.verify(Some(&before)).expect("it reads").difference, None, "{story}");
            }
            let fact = FactId { key: key(20), valid_from: i64::MIN, commit: 3 };
            let proof = beside.prove_inclusion(ProofOf::Fact { table: table.id, fact: &fact }, Some(before.records));
            let proof = proof.unwrap_or_else(|error| panic!("{story}: {error}")).expect("the third commit stated it");
            assert!(proof.check(&before).is_ok(), "{story}");
            assert!(beside.prove_consistency(before.records, None).expect("it reads").is_some(), "{story}");
        }
        let rest = replay.inspect(|record| assert!(record.is_ok(), "{story}: {record:?}")).count() as u64;
        assert_eq!(read + rest, before.records, "{story}");
    }
}

/// The erasure is decided and its copies are not in their places, because the writer died or is just doing it.
#[test]
fn a_reader_takes_the_copies_that_an_erasure_has_not_put_in_place() {
    let config = Config { bulk_bytes_min: 300, log_segment_bytes: 4 << 10, ..small() };
    let disk = SimDisk::new(7);
    let writer = open(&disk, &config).expect("a new database");
    let table = writer.create_table(new_table("t"), 0).expect("the name is free");
    for step in 0..12 {
        let rows: Vec<(i64, &str)> = (0..(step % 4) * 6 + 1).map(|id| (id, "a name of a row")).collect();
        writer.commit(upsert(&writer.snapshot(), &table, &rows)).expect("no conflict");
    }
    let before = writer.digest().expect("it reads");
    drop(writer);
    let mut unfinished = 0;
    for call in 1..200 {
        let disk = disk.copy();
        let writer = open(&disk, &config).expect("it opens");
        disk.inject(Fault::Call(disk.calls() + call));
        let erased = writer.erase(table.id, &[i64_bytes(0).to_vec()]);
        disk.heal();
        let has_copies = disk.list().expect("it lists").iter().any(|name| name.ends_with(".era"));
        if matches!(erased, Err(StoreError::OutcomeUnknown { .. })) && has_copies {
            unfinished += 1;
        }
        let beside = reader(&disk, &config);
        let verified = beside.verify(Some(&before)).expect("it reads");
        assert_eq!(verified.difference, None, "call {call}: {erased:?}");
        assert_eq!(beside.replay(1).expect("it reads").filter(Result::is_err).count(), 0, "call {call}");
    }
    assert!(unfinished > 0, "some call fails between the decision and the last copy");
}

/// On a full disk a reader cannot say what it needs; then everything stays for it, or it is told so.
#[test]
fn a_reader_on_a_full_disk_reads_or_is_refused_and_loses_nothing() {
    let (mut refused, mut read) = (0, 0);
    for call in 0..12 {
        let disk = SimDisk::new(11);
        let config = Config { log_archive: LogArchive::Drop, log_segment_bytes: 4 << 10, ..small() };
        let writer = open(&disk, &config).expect("a new database");
        let table = writer.create_table(new_table("t"), 0).expect("the name is free");
        let mut write = |id: i64| {
            let text = "x".repeat(900);
            writer.commit(upsert(&writer.snapshot(), &table, &[(id % 7, &text)])).expect("there is room");
            writer.flush().expect("there is room");
        };
        (0..4).for_each(&mut write);
        let kept = names(&writer, &table);
        disk.inject(Fault::FullFrom(disk.calls() + call));
        let beside = open(&disk, &Config { read_only: true, ..config.clone() });
        let beside = match beside {
            Ok(beside) => beside,
            Err(error) => {
                assert!(matches!(error, StoreError::Unregistered { .. }), "call {call}: {error}");
                assert!(error.to_string().contains("simulated full disk"), "{error}");
                assert_eq!(registrations(&disk), 0);
                refused += 1;
                continue;
            }
        };
        read += 1;
        assert_eq!(names(&beside, &table), kept, "call {call}");
        let held = beside.snapshot();
        // What the writer gives up now may be what the reader has: its registration may say nothing.
        disk.heal();
        (4..20).for_each(&mut write);
        writer.compact().expect("there is room");
        assert_eq!(names_as_of(&held, &table, 4), kept, "call {call}");
        disk.inject(Fault::FullFrom(disk.calls() + 1));
        assert_eq!(names(&beside, &table), names(&writer, &table), "call {call}");
        assert_eq!(beside.verify(None).expect("a file of some bytes is written over").difference, None, "call {call}");
        disk.heal();
        drop(held);
        write(20);
        assert_eq!(names(&beside, &table), names(&writer, &table), "call {call}");
        drop(beside);
        write(21);
        assert_eq!(registrations(&disk), 0);
        assert_eq!(writer.waiting_figures().0, 0, "call {call}");
    }
    assert!(refused > 0 && read > 5, "{refused} refused, {read} read");
}

/// Each call of a reader that follows fails once, the writes of its registration among them.
#[test]
fn a_reader_whose_call_failed_goes_on() {
    for call in 1..40 {
        let disk = SimDisk::new(12);
        let config = Config { log_archive: LogArchive::Drop, log_segment_bytes: 4 << 10, ..small() };
        let writer = open(&disk, &config).expect("a new database");
        let table = writer.create_table(new_table("t"), 0).expect("the name is free");
        let beside = reader(&disk, &config);
        for round in 0..3 {
            for id in 0..6 {
                let text = format!("{round}{}", "x".repeat(900));
                writer.commit(upsert(&writer.snapshot(), &table, &[(id, &text)])).expect("no conflict");
            }
            writer.compact().expect("nothing fails");
            disk.inject(Fault::Call(disk.calls() + call));
            let verified = beside.verify(None).map(|verified| verified.difference);
            disk.heal();
            if let Ok(difference) = verified {
                // What a call that failed makes of a file is told as the file's.
                assert!(
                    difference.is_none_or(|difference| difference.to_string().contains("simulated")),
                    "call {call}"
                );
            }
            assert_eq!(names(&beside, &table), names(&writer, &table), "call {call}");
            assert_eq!(beside.verify(None).expect("it reads").difference, None, "call {call}");
        }
    }
}

/// A disk that takes no write: a copy on read-only media, or a folder of somebody else's.
#[derive(Clone, Debug)]
struct Sealed(SimDisk);

fn sealed<T>() -> Result<T, StoreError> {
    let source = std::io::Error::from(std::io::ErrorKind::ReadOnlyFilesystem);
    Err(StoreError::Io { operation: "write", file: "any".to_owned(), source })
}

impl Disk for Sealed {
    fn list(&self) -> Result<Vec<String>, StoreError> {
        self.0.list()
    }

    fn create(&self, _name: &str) -> Result<Arc<dyn File>, StoreError> {
        sealed()
    }

    fn open(&self, name: &str) -> Result<Arc<dyn File>, StoreError> {
        self.0.open(name)
    }

    fn rename(&self, _from: &str, _to: &str) -> Result<(), StoreError> {
        sealed()
    }

    fn remove(&self, _name: &str) -> Result<(), StoreError> {
        sealed()
    }

    fn sync_dir(&self) -> Result<(), StoreError> {
        sealed()
    }

    fn map(&self, name: &str) -> Result<Bytes, StoreError> {
        self.0.map(name)
    }

    fn lock(&self, _name: &str) -> Result<DiskLock, StoreError> {
        sealed()
    }

    fn claim(&self, _name: &str) -> Result<(Arc<dyn File>, DiskLock), StoreError> {
        sealed()
    }

    fn is_held(&self, name: &str) -> Result<bool, StoreError> {
        self.0.is_held(name)
    }

    fn lock_holder(&self, name: &str) -> Result<Option<String>, StoreError> {
        self.0.lock_holder(name)
    }
}

#[test]
fn a_disk_that_takes_no_write_is_read_while_nobody_writes_it() {
    let disk = SimDisk::new(8);
    let writer = open(&disk, &small()).expect("a new database");
    let table = writer.create_table(new_table("t"), 0).expect("the name is free");
    for name in ["a", "b", "c"] {
        writer.commit(upsert(&writer.snapshot(), &table, &[(1, name)])).expect("no conflict");
    }
    let config = Config { read_only: true, ..small() };
    // What the reader needs could go under its feet: nobody can be told of it.
    let refused = open(&Sealed(disk.clone()), &config).map(drop);
    assert!(matches!(refused, Err(StoreError::Unregistered { .. })), "{refused:?}");
    let (kept, digest) = (names(&writer, &table), writer.digest().expect("it reads"));
    // The writer dies and leaves its last commits to the log.
    let calls = disk.copy();
    drop(writer);
    for disk in [disk, calls] {
        let before: Vec<String> = disk.list().expect("it lists");
        let reader = open(&Sealed(disk.clone()), &config).expect("nobody writes");
        assert_eq!(names(&reader, &table), kept);
        assert_eq!(reader.digest().expect("it reads").root, digest.root);
        assert_eq!(reader.verify(None).expect("it reads").difference, None);
        assert_eq!(reader.replay(1).expect("it reads").count() as u64, digest.records);
        let refused = reader.commit(upsert(&reader.snapshot(), &table, &[(1, "d")]));
        assert!(matches!(refused, Err(CommitError::Store(StoreError::ReadOnly))));
        reader.close().expect("nothing to write");
        drop(reader);
        assert_eq!(disk.list().expect("it lists"), before);
        // And nobody can open it for writing.
        assert!(matches!(open(&Sealed(disk), &small()), Err(StoreError::Io { .. })));
    }
}
