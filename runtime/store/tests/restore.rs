//! Is a restored database exactly what the old one was at a commit, and does it go on by itself?
//!
//! Fixed histories over every policy of the log, in small and in large commits, with changes of the catalogue, retention and
//! erasures; every point of them. Interrupted restores: the power failing at every sync of the new disk, and any call failing.
//! Random histories are in `model.rs`.

mod support;

use spectradb_kernel::time::Commit;
use spectradb_store::{
    At, Config, Disk, LogArchive, ManualClock, MemDisk, Restored, SimDisk, Store, StoreError, SystemClock,
    fs::Fault,
    proof::Digest,
    restore::{restore, restore_path},
};
use std::{collections::BTreeMap, sync::Arc};
use support::{names_as_of, new_table, open, small, upsert};

const POLICIES: [LogArchive; 3] = [LogArchive::Keep, LogArchive::Compress, LogArchive::Drop];

fn config(log_archive: LogArchive, bulk_bytes_min: usize) -> Config {
    Config { memtable_bytes_max: 2 << 10, level0_segments_max: 2, log_archive, bulk_bytes_min, ..small() }
}

fn restored(from: &(impl Disk + Clone + 'static), at: At, config: &Config) -> Result<(MemDisk, Restored), StoreError> {
    let disk = MemDisk::new();
    let to: Arc<dyn Disk> = Arc::new(disk.clone());
    let restored = restore(Arc::new(from.clone()), &to, Arc::new(ManualClock::new(1_000)), at, config)?;
    Ok((disk, restored))
}

/// What the old database was after each record of its ledger.
#[derive(Default)]
struct History {
    states: Vec<(Digest, BTreeMap<i64, String>)>,
    state: BTreeMap<i64, String>,
}

impl History {
    fn note(&mut self, store: &Store) {
        self.states.push((store.digest().expect("the links are there"), self.state.clone()));
    }

    fn write(&mut self, store: &Store, version: i64, ids: &[i64]) {
        let table = store.catalog().by_name("t").cloned().expect("it was made");
        let texts: Vec<String> = ids.iter().map(|id| format!("v{version}-{id}-{}", "x".repeat(40))).collect();
        let rows: Vec<(i64, &str)> = ids.iter().copied().zip(texts.iter().map(String::as_str)).collect();
        store.commit(upsert(&store.snapshot(), &table, &rows)).expect("nothing fails");
        self.state.extend(ids.iter().copied().zip(texts.iter().cloned()));
        self.note(store);
    }
}

/// Thirty commits over twelve keys with flushes, compactions, and tables made between.
fn history(store: &Store) -> History {
    let mut history = History::default();
    store.create_table(new_table("t"), 0).expect("the name is free");
    history.note(store);
    for version in 0..30 {
        history.write(store, version, &[version % 12, (version * 5) % 12 + 20, version + 100]);
        match version {
            9 | 21 => store.flush().expect("nothing fails"),
            15 => store.compact().expect("nothing fails"),
            17 => {
                store.create_table(new_table("later"), 1).expect("the name is free");
                history.note(store);
            }
            _ => {}
        }
    }
    history
}

fn check(disk: &MemDisk, restored: &Restored, config: &Config, (digest, state): &(Digest, BTreeMap<i64, String>)) {
    assert_eq!(restored.digest, *digest);
    let store = open(disk, config).expect("it opens");
    assert_eq!(store.digest().expect("the links are there"), *digest);
    let table = store.catalog().by_name("t").cloned().expect("it was made by then");
    let snapshot = store.snapshot();
    assert_eq!(names_as_of(&snapshot, &table, digest.commit), *state, "at {}", digest.commit);
    assert_eq!(store.verify(Some(digest)).expect("the disk answers").difference, None);
}

#[test]
fn every_commit_can_be_restored_under_every_policy() {
    for log_archive in POLICIES {
        for bulk_bytes_min in [usize::MAX, 0] {
            let config = config(log_archive, bulk_bytes_min);
            let disk = MemDisk::new();
            let store = open(&disk, &config).expect("a new database");
            let history = history(&store);
            let mut from_log = 0;
            for state in history.states.iter().filter(|(digest, _)| digest.commit > 0) {
                let is_last_of_commit = |(later, _): &&(Digest, _)| later.commit == state.0.commit;
                if history.states.iter().find(is_last_of_commit).is_some_and(|(first, _)| first != &state.0) {
                    continue;
                }
                let (copy, restored) = restored(&disk, At::Commit(state.0.commit), &config).expect("all is there");
                from_log += usize::from(restored.from_log);
                check(&copy, &restored, &config, state);
            }
            let expected = if log_archive == LogArchive::Drop { 0 } else { 30 };
            assert_eq!(from_log, expected, "{log_archive:?}: the log is all there or it is not");
        }
    }
}

#[test]
fn an_instant_takes_the_changes_of_the_catalogue_up_to_it() {
    let config = config(LogArchive::Keep, usize::MAX);
    let disk = MemDisk::new();
    let clock = Arc::new(ManualClock::new(1_000));
    let store = Store::open(Arc::new(disk.clone()), clock.clone(), config.clone()).expect("a new database");
    store.create_table(new_table("t"), 0).expect("the name is free");
    let mut history = History::default();
    clock.set(2_000);
    history.write(&store, 1, &[1]);
    clock.set(3_000);
    store.create_table(new_table("later"), 1).expect("the name is free");
    clock.set(4_000);
    history.write(&store, 2, &[1]);
    let tables = |at| {
        let to: Arc<dyn Disk> = Arc::new(MemDisk::new());
        let restored = restore(Arc::new(disk.clone()), &to, clock.clone(), at, &config).expect("all is there");
        let store = Store::open(to, clock.clone(), config.clone()).expect("it opens");
        (restored.digest.commit, store.catalog().tables.len())
    };
    assert_eq!(tables(At::Instant(1_000)), (0, 1));
    assert_eq!(tables(At::Instant(1_999)), (0, 1));
    assert_eq!(tables(At::Instant(2_000)), (1, 1));
    assert_eq!(tables(At::Commit(1)), (1, 1));
    assert_eq!(tables(At::Instant(3_500)), (1, 2));
    assert_eq!(tables(At::Newest), (2, 2));
    let to: Arc<dyn Disk> = Arc::new(MemDisk::new());
    let before = restore(Arc::new(disk.clone()), &to, clock.clone(), At::Instant(999), &config);
    assert!(matches!(before, Err(StoreError::NothingYet { asked: 999 })), "{before:?}");
    let before = restore(Arc::new(disk.clone()), &to, clock.clone(), At::Commit(0), &config);
    assert!(matches!(before, Err(StoreError::BeforeFirst)), "{before:?}");
    let future = restore(Arc::new(disk.clone()), &to, clock.clone(), At::Instant(4_001), &config);
    assert!(matches!(future, Err(StoreError::FutureInstant { asked: 4_001 })), "{future:?}");
    let future = restore(Arc::new(disk.clone()), &to, clock.clone(), At::Commit(3), &config);
    assert!(matches!(future, Err(StoreError::Future { asked: 3, newest: 2 })), "{future:?}");
}

#[test]
fn timelines_go_on_apart() {
    let config = config(LogArchive::Keep, usize::MAX);
    let disk = MemDisk::new();
    let store = open(&disk, &config).expect("a new database");
    let mut old = history(&store);
    let (copy, restored) = restored(&disk, At::Commit(12), &config).expect("all is there");
    let fork = old.states.iter().find(|(digest, _)| digest.commit == 12).cloned().expect("it happened");
    let mut new = History { states: vec![fork.clone()], state: fork.1.clone() };
    let other = open(&copy, &config).expect("it opens");
    new.write(&other, 77, &[1, 2, 3]);
    old.write(&store, 78, &[1, 2, 3]);
    let (old_now, new_now) = (old.states.last().expect("one").0.clone(), new.states.last().expect("one").0.clone());
    assert_eq!((old_now.timeline, new_now.timeline, restored.timeline), (1, 2, 2));
    assert_eq!((new_now.commit, new_now.records), (13, fork.0.records + 1));
    // The new one goes on from the state that was restored, and from no later one of the old timeline.
    let proof = other.prove_consistency(fork.0.records, None).expect("the links are there").expect("it has as many");
    assert_eq!(proof.check(&fork.0, &new_now), Ok(()));
    let later = old.states.iter().find(|(digest, _)| digest.records == new_now.records).expect("it has more records");
    let difference = other.verify(Some(&later.0)).expect("the disk answers").difference;
    assert!(difference.is_some_and(|difference| difference.to_string().contains("timeline")));
    // A restored database can be restored, before the fork and behind it.
    for at in [5, 12, 13] {
        let (again, twice) = super_restored(&copy, at, &config);
        assert_eq!(twice.timeline, 3);
        let state = new.states.iter().chain(&old.states).find(|(digest, _)| digest.commit == at).expect("it happened");
        check(&again, &twice, &config, state);
    }
    // The other timeline's log does not pass for this one's.
    other.close().expect("nothing fails");
    drop(other);
    let names: Vec<String> = disk.list().expect("memory").into_iter().filter(|name| name.ends_with(".log")).collect();
    for name in &names {
        let bytes = disk.map(name).expect("it is there");
        copy.create(name).and_then(|file| file.write_at(&bytes, 0)).expect("memory takes it");
    }
    let opened = open(&copy, &config).map(drop);
    assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
}

fn super_restored(from: &MemDisk, at: u64, config: &Config) -> (MemDisk, Restored) {
    restored(from, At::Commit(at), config).expect("all is there")
}

#[test]
fn what_was_erased_stays_erased_and_pruned_history_has_a_first_commit() {
    for log_archive in POLICIES {
        let config = config(log_archive, 0);
        let disk = MemDisk::new();
        let store = open(&disk, &config).expect("a new database");
        let history = history(&store);
        let table = store.catalog().by_name("t").cloned().expect("it was made");
        let key = spectradb_kernel::key::i64_bytes(3).to_vec();
        store.erase(table.id, &[key]).expect("nothing fails").expect("it was there");
        for (digest, state) in history.states.iter().filter(|(digest, _)| digest.commit % 7 == 1) {
            let (copy, restored) = restored(&disk, At::Commit(digest.commit), &config).expect("all is there");
            let mut state = state.clone();
            state.remove(&3);
            check(&copy, &restored, &config, &(digest.clone(), state));
        }
        let receipts = |at: Commit| {
            let (copy, _) = restored(&disk, At::Commit(at), &config).expect("all is there");
            open(&copy, &config).expect("it opens").erasure_figures().receipts
        };
        let after = store.commit(upsert(&store.snapshot(), &table, &[(50, "after")])).expect("no conflict").commit;
        assert_eq!(receipts(after), 1, "{log_archive:?}");
        if log_archive != LogArchive::Drop {
            assert_eq!(receipts(after - 1), 0, "{log_archive:?}: the receipt came later");
        }
        // The facts of these commits are in segments only, and nothing but the present is kept of them.
        store.set_retention(table.id, Some(0), store.catalog().version).expect("nothing fails");
        store.compact().expect("nothing fails");
        let refused = restored(&disk, At::Commit(4), &config).map(drop);
        let Err(StoreError::NotRestorable { asked: 4, first, .. }) = refused else {
            panic!("{log_archive:?}: {refused:?}");
        };
        assert!((5..=30).contains(&first), "{first}");
        let (copy, found) = restored(&disk, At::Commit(first), &config).expect("it says so");
        let (digest, state) = history.states.iter().find(|(digest, _)| digest.commit == first).expect("it happened");
        let mut state = state.clone();
        state.remove(&3);
        check(&copy, &found, &config, &(digest.clone(), state));
    }
}

/// Retention lets history go from the tables. Where the log still has it, it comes back.
#[test]
fn the_log_gives_back_what_a_retention_let_go() {
    let config = config(LogArchive::Compress, usize::MAX);
    let disk = MemDisk::new();
    let store = open(&disk, &config).expect("a new database");
    let history = history(&store);
    let table = store.catalog().by_name("t").cloned().expect("it was made");
    store.set_retention(table.id, Some(0), store.catalog().version).expect("nothing fails");
    store.compact().expect("nothing fails");
    assert!(store.snapshot().horizon(table.id).expect("it is read") > 4);
    let (copy, restored) = restored(&disk, At::Commit(4), &config).expect("the log has it");
    check(
        &copy,
        &restored,
        &config,
        history.states.iter().find(|(digest, _)| digest.commit == 4).expect("it happened"),
    );
}

/// Wherever a restore is interrupted, the new disk holds no database, or the whole one.
#[test]
fn an_interrupted_restore_is_no_database() {
    for bulk_bytes_min in [usize::MAX, 0] {
        let config = config(LogArchive::Compress, bulk_bytes_min);
        let disk = MemDisk::new();
        let history = history(&open(&disk, &config).expect("a new database"));
        let state = history.states.iter().find(|(digest, _)| digest.commit == 20).expect("it happened");
        let run = |to: &SimDisk| {
            let new: Arc<dyn Disk> = Arc::new(to.clone());
            restore(Arc::new(disk.clone()), &new, Arc::new(ManualClock::new(1_000)), At::Commit(20), &config)
        };
        let whole = SimDisk::new(1);
        run(&whole).expect("nothing fails");
        let (syncs, calls) = (whole.syncs(), whole.calls());
        let power = (1..=syncs).flat_map(|sync| [Fault::PowerBeforeSync(sync), Fault::PowerAfterSync(sync)]);
        let failing = (1..=calls).step_by(1 + calls as usize / 60).map(Fault::Call);
        let (mut databases, mut none) = (0, 0);
        for fault in power.chain(failing) {
            let to = SimDisk::new(7);
            to.inject(fault);
            let done = run(&to).is_ok();
            let after = to.after_crash(11);
            let found = Store::open_read_only(Arc::new(after.clone()), Arc::new(SystemClock), config.clone());
            match found {
                Ok(store) => {
                    databases += 1;
                    assert_eq!(store.digest().expect("the links are there"), state.0, "{fault:?}");
                    assert_eq!(store.verify(None).expect("the disk answers").difference, None, "{fault:?}");
                    let table = store.catalog().by_name("t").cloned().expect("it was made");
                    assert_eq!(names_as_of(&store.snapshot(), &table, 20), state.1, "{fault:?}");
                }
                Err(error) if is_no_database(&error) => {
                    none += 1;
                    assert!(!done, "{fault:?}: it said that it was done");
                }
                Err(error) => panic!("{fault:?}: {error}"),
            }
        }
        assert!(databases > 0 && none > 20, "{databases} whole, {none} not there");
    }
}

/// There is nothing, or there are files without the manifest that would name them.
fn is_no_database(error: &StoreError) -> bool {
    matches!(error, StoreError::NoDatabase { .. })
        || matches!(error, StoreError::Missing { file } if file == "manifest")
}

#[test]
fn a_folder_gets_its_name_last() {
    let folder = tempfile::tempdir().expect("there is room");
    let (from, to) = (folder.path().join("old"), folder.path().join("new"));
    let config = Config { background: false, ..Config::default() };
    let store = Store::open_path(&from, config.clone()).expect("a new database");
    let history = history(&store);
    // What an interrupted one left is in nobody's way.
    let aside = Store::open_path(&folder.path().join("new.restoring"), config.clone()).expect("a folder");
    let busy = restore_path(&from, &to, At::Commit(9), &config);
    assert!(matches!(busy, Err(StoreError::Locked { .. })), "{busy:?}");
    assert!(folder.path().join("new.restoring").join("manifest").exists(), "it is somebody's");
    aside.close().expect("nothing fails");
    // Beside the writer, which has it open.
    let restored = restore_path(&from, &to, At::Commit(9), &config).expect("all is there");
    let state = history.states.iter().find(|(digest, _)| digest.commit == 9).expect("it happened");
    assert_eq!(restored.digest, state.0);
    assert!(!folder.path().join("new.restoring").exists());
    let copy = Store::open_path(&to, config.clone()).expect("it opens");
    let table = copy.catalog().by_name("t").cloned().expect("it was made");
    assert_eq!(names_as_of(&copy.snapshot(), &table, 9), state.1);
    let taken = restore_path(&from, &to, At::Newest, &config);
    assert!(matches!(taken, Err(StoreError::NotEmpty { .. })), "{taken:?}");
    let nowhere = restore_path(&folder.path().join("nowhere"), &folder.path().join("x"), At::Newest, &config);
    assert!(matches!(nowhere, Err(StoreError::NoDatabase { .. })), "{nowhere:?}");
    assert!(!folder.path().join("x").exists());
    // One that was refused leaves nothing behind.
    let refused = restore_path(&from, &folder.path().join("y"), At::Commit(1_000), &config);
    assert!(matches!(refused, Err(StoreError::Future { .. })), "{refused:?}");
    let left: Vec<_> =
        folder.path().read_dir().expect("it lists").map(|entry| entry.expect("it is there").file_name()).collect();
    assert!(left.iter().all(|name| name == "old" || name == "new"), "{left:?}");
}

/// A crash within an erasure leaves log segments that still have what was erased, until the next writer puts their copies in their
/// places. Until then nothing is restored from them.
#[test]
fn an_erasure_that_was_interrupted_is_finished_first() {
    let config = config(LogArchive::Keep, usize::MAX);
    let prepared = || {
        let disk = SimDisk::new(1);
        let store = open(&disk, &config).expect("a new database");
        let history = history(&store);
        (disk, store, history)
    };
    let erase = |store: &Store| {
        let table = store.catalog().by_name("t").cloned().expect("it was made");
        store.erase(table.id, &[spectradb_kernel::key::i64_bytes(3).to_vec()])
    };
    let (disk, store, _) = prepared();
    let before = disk.syncs();
    erase(&store).expect("nothing fails");
    let (mut refused, mut whole) = (0, 0);
    for sync in before + 1..=disk.syncs() {
        let (disk, store, history) = prepared();
        disk.inject(Fault::PowerBeforeSync(sync));
        erase(&store).ok();
        drop(store);
        let left = disk.after_crash(sync);
        let (digest, state) = history.states.iter().find(|(digest, _)| digest.commit == 20).expect("it happened");
        let was_refused = match restored(&left, At::Commit(20), &config) {
            Ok((copy, restored)) => {
                whole += 1;
                let store = open(&left, &config).expect("it opens");
                let table = store.catalog().by_name("t").cloned().expect("it was made");
                let mut state = state.clone();
                if !names_as_of(&store.snapshot(), &table, 20).contains_key(&3) {
                    state.remove(&3);
                }
                check(&copy, &restored, &config, &(digest.clone(), state));
                false
            }
            Err(StoreError::ErasedMeanwhile) => true,
            Err(error) => panic!("sync {sync}: {error}"),
        };
        if was_refused {
            refused += 1;
            open(&left, &config).and_then(|store| store.close()).expect("the next writer completes it");
            let (copy, restored) = restored(&left, At::Commit(20), &config).expect("all is there");
            let mut state = state.clone();
            state.remove(&3);
            check(&copy, &restored, &config, &(digest.clone(), state));
        }
    }
    assert!(refused > 0 && whole > 0, "{refused} refused, {whole} restored");
}
