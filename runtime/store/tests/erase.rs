//! Is what was erased gone from everywhere, and everything else as it was?
//!
//! A workload writes several versions of some keys, deletes one, in small and in large commits, with flushes and compactions
//! between. Two keys are erased. Then: no file has a byte of their keys and texts; every past state is the one without them; the
//! ledger verifies, against a digest of before too; the keys can be written again; a reopen finds all that. Over what becomes of
//! the log, packed segments, numbers of shards; and with the power failing at every sync, and any call.

mod support;

use spectradb_kernel::{Column, Period, Type, key::i64_bytes, schema::TableSchema, time::Commit};
use spectradb_store::{
    CommitError, CompressionPolicy, Config, Disk, LogArchive, MemDisk, ProofOf, RecordBody, SimDisk, Store, StoreError,
    fact::{FactId, Retraction},
    fs::Fault,
    proof::{InclusionProof, ProofError},
};
use std::collections::BTreeMap;
use support::{names_as_of, new_table, open, small, upsert};

/// Keys whose bytes stand nowhere by chance.
const ERASED: [i64; 2] = [0x5ec7_e1a9_b3d2_4c01, 0x7ab3_11f9_0d5e_c8a2];

fn keys() -> Vec<Vec<u8>> {
    ERASED.iter().map(|key| i64_bytes(*key).to_vec()).collect()
}

fn key_of(id: i64) -> i64 {
    match id {
        3 => ERASED[0],
        7 => ERASED[1],
        id => id,
    }
}

fn text(id: i64, version: i64) -> String {
    match id {
        3 | 7 => format!("unspeakable-{id}-{version}"),
        id => format!("plain-{id}-{version}"),
    }
}

/// What every commit leaves behind.
type Model = Vec<BTreeMap<i64, String>>;

fn write(store: &Store, table: &TableSchema, ids: &[i64], version: i64, model: &mut Model) -> Result<(), CommitError> {
    let texts: Vec<String> = ids.iter().map(|id| text(*id, version)).collect();
    let rows: Vec<(i64, &str)> = ids.iter().zip(&texts).map(|(id, text)| (key_of(*id), text.as_str())).collect();
    store.commit(upsert(&store.snapshot(), table, &rows))?;
    let mut state = model.last().cloned().unwrap_or_default();
    state.extend(rows.iter().map(|(key, text)| (*key, (*text).to_owned())));
    model.push(state);
    Ok(())
}

fn delete(store: &Store, table: &TableSchema, key: i64, model: &mut Model) -> Result<(), CommitError> {
    let mut write = upsert(&store.snapshot(), table, &[(key, "")]);
    write.facts.clear();
    write.retractions = vec![Retraction {
        table: table.id,
        keys: vec![Column::from_i64s(Type::Integer, vec![key])],
        periods: vec![Period::ALWAYS],
    }];
    store.commit(write)?;
    let mut state = model.last().cloned().unwrap_or_default();
    state.remove(&key);
    model.push(state);
    Ok(())
}

/// The workload; the model has the state of each commit.
fn fill(store: &Store) -> Result<Model, CommitError> {
    let table = store.create_table(new_table("t"), 0)?;
    let mut model = Model::new();
    write(store, &table, &(0..40).collect::<Vec<_>>(), 0, &mut model)?;
    write(store, &table, &[3, 4, 7], 1, &mut model)?;
    store.flush()?;
    write(store, &table, &[3], 2, &mut model)?;
    write(store, &table, &[20, 7], 3, &mut model)?;
    store.compact()?;
    write(store, &table, &(0..10).collect::<Vec<_>>(), 4, &mut model)?;
    delete(store, &table, ERASED[1], &mut model)?;
    store.flush()?;
    write(store, &table, &[5, 3], 5, &mut model)?;
    Ok(model)
}

fn without(model: &Model) -> Model {
    let mut model = model.clone();
    model.iter_mut().for_each(|state| state.retain(|key, _| !ERASED.contains(key)));
    model
}

fn states(store: &Store, commits: usize) -> Model {
    let (snapshot, table) = (store.snapshot(), store.catalog().by_name("t").cloned().expect("the table"));
    (1..=commits as Commit).map(|commit| names_as_of(&snapshot, &table, commit)).collect()
}

/// The files that have a byte of what was erased.
fn traces(disk: &dyn Disk) -> Vec<String> {
    let mut needles: Vec<Vec<u8>> = vec![b"unspeakable".to_vec()];
    for key in ERASED {
        needles.extend([key.to_le_bytes().to_vec(), i64_bytes(key).to_vec()]);
        // Half of it is in the amounts.
        needles.push((key as f64 / 2.0).to_le_bytes().to_vec());
    }
    let mut found = Vec::new();
    for name in disk.list().expect("it lists") {
        if name == "lock" {
            continue;
        }
        let bytes = disk.map(&name).expect("it reads");
        if needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle)) {
            found.push(name);
        }
    }
    found
}

fn check_sound(store: &Store, story: &str) {
    let verified = store.verify(None).unwrap_or_else(|error| panic!("{story}: {error}"));
    assert_eq!(verified.difference, None, "{story}");
}

fn settings() -> Vec<Config> {
    let mut all = Vec::new();
    for log_archive in [LogArchive::Keep, LogArchive::Compress, LogArchive::Drop] {
        for shard_count in [1, 3] {
            for bulk_bytes_min in [usize::MAX, 600, 0] {
                for compression in [CompressionPolicy::NONE, CompressionPolicy::COLD] {
                    all.push(Config {
                        log_archive,
                        shard_count: Some(shard_count),
                        bulk_bytes_min,
                        compression,
                        log_segment_bytes: 4 << 10,
                        ..small()
                    });
                }
            }
        }
    }
    all
}

#[test]
fn nothing_is_left_of_what_was_erased_and_all_of_the_rest() {
    for config in settings() {
        let disk = MemDisk::new();
        let store = open(&disk, &config).expect("a new database");
        let model = fill(&store).expect("no conflict");
        let story = format!("{config:?}");
        assert_eq!(states(&store, model.len()), model, "{story}");
        assert!(!traces(&disk).is_empty() || config.compression != CompressionPolicy::NONE, "{story}");
        let before = store.digest().expect("it reads");
        let table = store.catalog().by_name("t").cloned().expect("the table");
        let fact = FactId { key: keys()[0].clone(), valid_from: i64::MIN, commit: 1 };
        let known = store.prove_inclusion(ProofOf::Fact { table: table.id, fact: &fact }, None).ok().flatten();
        let mut replay = store.replay(1).ok();
        replay.iter_mut().for_each(|replay| drop(replay.next()));
        let erased = store.erase(table.id, &keys()).unwrap_or_else(|error| panic!("{story}: {error}"));
        let erased = erased.expect("there was something");
        assert_eq!((erased.record, erased.facts), (before.records + 1, 9), "{story}");
        assert_eq!(traces(&disk), Vec::<String>::new(), "{story}");
        let kept = without(&model);
        assert_eq!(states(&store, model.len()), kept, "{story}");
        let verified = store.verify(Some(&before)).expect("it reads");
        assert_eq!(verified.difference, None, "{story}");
        if config.log_archive != LogArchive::Drop {
            assert_eq!(verified.erased, 9, "{story}");
            // A replay that was under way goes on.
            let records = replay.take().expect("it was begun").collect::<Result<Vec<_>, _>>();
            let records = records.unwrap_or_else(|error| panic!("{story}: {error}"));
            assert_eq!(records.len() as u64, before.records - 1, "{story}");
            let receipts = store.replay(1).expect("it reads").map(|record| record.expect("it reads").body);
            assert_eq!(receipts.filter(|body| matches!(body, RecordBody::Erasure(_))).count(), 1, "{story}");
            let proof = |id: i64, commit: Commit| {
                let fact = FactId { key: i64_bytes(id).to_vec(), valid_from: i64::MIN, commit };
                store.prove_inclusion(ProofOf::Fact { table: table.id, fact: &fact }, None).expect("it reads")
            };
            assert!(proof(4, 1).expect("it stays").check(&store.digest().expect("it reads")).is_ok(), "{story}");
            assert!(proof(ERASED[0], 1).is_none(), "{story}");
            assert_proves_what_was_erased(&store, known.as_ref().expect("it was proved before"), &story);
        }
        assert_eq!(store.erase(table.id, &keys()).expect("it reads"), None, "{story}: nothing is left");
        // The key can be written again, and erased again.
        let mut model = kept;
        drop(store);
        let mut store = open(&disk, &config).unwrap_or_else(|error| panic!("{story}: {error}"));
        for step in 0..3 {
            write(&store, &table, &[3, 9], 10 + step, &mut model).unwrap_or_else(|error| panic!("{story}: {error}"));
            if step == 1 {
                store.compact().expect("it compacts");
            }
            assert_eq!(states(&store, model.len()), model, "{story}");
            check_sound(&store, &story);
            drop(store);
            store = open(&disk, &config).unwrap_or_else(|error| panic!("{story}: {error}"));
        }
        assert!(store.erase(table.id, &keys()).expect("it writes").is_some());
        assert_eq!(traces(&disk), Vec::<String>::new(), "{story}");
        assert_eq!(states(&store, model.len()), without(&model), "{story}");
        assert_eq!(store.verify(Some(&before)).expect("it reads").difference, None, "{story}");
        store.close().expect("it closes");
        let store = open(&disk, &config).expect("it opens");
        assert_eq!(states(&store, model.len()), without(&model), "{story}");
        check_sound(&store, &story);
    }
}

/// Whoever kept a proof of the fact finds its leaf in its place, and a proof that it is there without its content.
fn assert_proves_what_was_erased(store: &Store, known: &InclusionProof, story: &str) {
    let known = known.leaf.as_ref().expect("a fact is a leaf");
    let record = 2;
    let places = store.erased_places(record).expect("it reads");
    assert!(places.contains(&known.leaf_idx) && places.len() == 2, "{story}: {places:?}");
    let digest = store.digest().expect("it reads");
    for place in 0..known.leaf_count {
        let proof = store.prove_inclusion(ProofOf::Erased { record, place }, None).expect("it reads");
        assert_eq!(proof.is_some(), places.contains(&place), "{story}");
        let Some(mut proof) = proof else { continue };
        let proven = proof.check(&digest).unwrap_or_else(|error| panic!("{story}: {error}"));
        let erased = proven.erased.expect("that is what it is about");
        assert_eq!((proven.leaf, erased.leaf_count), (None, known.leaf_count), "{story}");
        assert_eq!(erased.leaf == known.leaf(), place == known.leaf_idx, "{story}");
        proof.erased.as_mut().expect("it is there").leaf[0] ^= 1;
        assert_eq!(proof.check(&digest), Err(ProofError::Leaf), "{story}");
    }
}

/// A disk with the workload on it, and how often an erasure syncs and calls.
fn before_erasure(config: &Config) -> (SimDisk, Model, u64, u64) {
    let disk = SimDisk::new(0);
    let store = open(&disk, config).expect("a new database");
    let model = fill(&store).expect("no conflict");
    drop(store);
    let trial = disk.copy();
    let store = open(&trial, config).expect("it opens");
    let (syncs, calls) = (trial.syncs(), trial.calls());
    let table = store.catalog().by_name("t").cloned().expect("the table");
    store.erase(table.id, &keys()).expect("nothing fails").expect("there was something");
    (disk, model, trial.syncs() - syncs, trial.calls() - calls)
}

fn check_after(disk: &SimDisk, config: &Config, model: &Model, acknowledged: bool, story: &str) {
    let store = open(disk, config).unwrap_or_else(|error| panic!("{story}: it opens: {error}"));
    let found = states(&store, model.len());
    let is_erased = found == without(model);
    assert!(is_erased || found == *model, "{story}: everything or nothing");
    assert!(is_erased || !acknowledged, "{story}: it was acknowledged");
    if is_erased {
        assert_eq!(traces(disk), Vec::<String>::new(), "{story}");
    }
    check_sound(&store, story);
    let table = store.catalog().by_name("t").cloned().expect("the table");
    let erased = store.erase(table.id, &keys()).unwrap_or_else(|error| panic!("{story}: {error}"));
    assert_eq!(erased.is_none(), is_erased, "{story}");
    assert_eq!(traces(disk), Vec::<String>::new(), "{story}");
    write(&store, &table, &[3], 100, &mut without(model)).unwrap_or_else(|error| panic!("{story}: {error}"));
    check_sound(&store, story);
}

fn crash_at_every_sync(config: &Config) {
    let (disk, model, syncs, _) = before_erasure(config);
    for sync in 1..=syncs {
        for after in [false, true] {
            let disk = disk.copy();
            let store = open(&disk, config).expect("it opens");
            let at = disk.syncs() + sync;
            disk.inject(if after { Fault::PowerAfterSync(at) } else { Fault::PowerBeforeSync(at) });
            let table = store.catalog().by_name("t").cloned().expect("the table");
            let acknowledged = store.erase(table.id, &keys()).is_ok();
            drop(store);
            for seed in 0..2 {
                let story = format!("sync {sync} of {syncs}, after: {after}, seed {seed}, {config:?}");
                check_after(&disk.after_crash(seed), config, &model, acknowledged, &story);
            }
        }
    }
}

#[test]
fn a_power_failure_at_every_sync_leaves_everything_or_nothing() {
    let config = Config { log_segment_bytes: 4 << 10, ..small() };
    crash_at_every_sync(&config);
    crash_at_every_sync(&Config { log_archive: LogArchive::Compress, ..config.clone() });
    crash_at_every_sync(&Config { log_archive: LogArchive::Drop, bulk_bytes_min: 600, ..config });
}

/// The copies of log segments are put in their places after the erasure was decided. Whoever takes one away in between takes a
/// part of the log away.
#[test]
fn a_copy_that_somebody_takes_away_is_missed() {
    let config = Config { log_segment_bytes: 4 << 10, ..small() };
    let (disk, model, syncs, _) = before_erasure(&config);
    let mut missed = 0;
    for sync in 1..=syncs {
        let disk = disk.copy();
        let store = open(&disk, &config).expect("it opens");
        disk.inject(Fault::PowerBeforeSync(disk.syncs() + sync));
        let table = store.catalog().by_name("t").cloned().expect("the table");
        store.erase(table.id, &keys()).ok();
        drop(store);
        let disk = disk.after_crash(sync);
        let copies = disk.list().expect("it lists").into_iter().filter(|name| name.ends_with(".era"));
        for copy in copies {
            let disk = disk.copy();
            disk.remove(&copy).expect("it is there");
            match open(&disk, &config) {
                Ok(store) => assert_eq!(states(&store, model.len()), model, "sync {sync}: it was not decided on"),
                Err(StoreError::Missing { file }) => {
                    assert_eq!(file, copy, "sync {sync}");
                    missed += 1;
                }
                Err(error) => panic!("sync {sync}: {error}"),
            }
        }
    }
    assert!(missed > 0, "some crash was between the two");
}

#[test]
fn a_failing_call_leaves_everything_or_nothing_and_the_store_goes_on() {
    let config = Config { log_segment_bytes: 4 << 10, log_archive: LogArchive::Compress, ..small() };
    let (disk, model, _, calls) = before_erasure(&config);
    for call in 1..=calls {
        let disk = disk.copy();
        let store = open(&disk, &config).expect("it opens");
        disk.inject(Fault::Call(disk.calls() + call));
        let table = store.catalog().by_name("t").cloned().expect("the table");
        let erased = store.erase(table.id, &keys());
        disk.heal();
        let story = format!("call {call} of {calls}: {erased:?}");
        let mut kept = without(&model);
        match &erased {
            Ok(_) => assert_eq!(states(&store, model.len()), kept, "{story}"),
            Err(StoreError::OutcomeUnknown { .. }) => {}
            Err(_) => {
                assert_eq!(states(&store, model.len()), model, "{story}");
                // Unless writes are refused now, it goes on as if nothing had been asked.
                if store.erase(table.id, &keys()).is_ok() {
                    assert_eq!(traces(&disk), Vec::<String>::new(), "{story}");
                    write(&store, &table, &[3], 100, &mut kept).unwrap_or_else(|error| panic!("{story}: {error}"));
                    check_sound(&store, &story);
                    continue;
                }
            }
        }
        drop(store);
        check_after(&disk, &config, &model, erased.is_ok(), &story);
    }
}

/// Records of many frames and leaves, blocks with dictionaries, several levels, and history that a retention let go.
#[test]
fn nothing_is_left_in_large_records_and_where_history_was_pruned() {
    for (bulk_bytes_min, retention) in [(usize::MAX, None), (0, None), (usize::MAX, Some(2)), (0, Some(2))] {
        let disk = MemDisk::new();
        let config = Config {
            bulk_bytes_min,
            sstable_block_bytes: 4 << 10,
            memtable_bytes_max: 64 << 10,
            log_segment_bytes: 64 << 10,
            compression: CompressionPolicy::COLD,
            ..small()
        };
        let store = open(&disk, &config).expect("a new database");
        let table = store.create_table(new_table("t"), 0).expect("the name is free");
        for version in 0..4 {
            let names: Vec<String> = (0..3_000).map(|id| format!("kind-{}-{version}", id % 5)).collect();
            let rows: Vec<(i64, &str)> = (0..3_000).map(|id| (id, names[id as usize].as_str())).collect();
            let mut rows = rows;
            let secret = format!("unspeakable-{version}");
            rows.insert(1_500, (ERASED[0], secret.as_str()));
            store.commit(upsert(&store.snapshot(), &table, &rows)).expect("no conflict");
            if version == 2 {
                store.compact().expect("it compacts");
            }
        }
        if retention.is_some() {
            store.set_retention(table.id, retention, 1).expect("it fits");
            store.compact().expect("it compacts");
        }
        let before = store.digest().expect("it reads");
        let story = format!("bulk from {bulk_bytes_min}, retention {retention:?}");
        check_sound(&store, &story);
        let erased = store.erase(table.id, &keys()).unwrap_or_else(|error| panic!("{story}: {error}"));
        assert!(erased.is_some(), "{story}");
        assert_eq!(traces(&disk), Vec::<String>::new(), "{story}");
        assert_eq!(support::names(&store, &table).len(), 3_000, "{story}");
        let verified = store.verify(Some(&before)).expect("it reads");
        assert_eq!(verified.difference, None, "{story}");
        drop(store);
        let store = open(&disk, &config).unwrap_or_else(|error| panic!("{story}: {error}"));
        store.compact().expect("it compacts");
        check_sound(&store, &story);
        assert_eq!(traces(&disk), Vec::<String>::new(), "{story}");
    }
}

/// Writers, readers of the log and compactions go on beside erasures.
#[test]
fn erasures_and_everything_else_go_on_beside_each_other() {
    let disk = MemDisk::new();
    let config = Config {
        background: true,
        memtable_bytes_max: 16 << 10,
        log_segment_bytes: 16 << 10,
        log_archive: LogArchive::Compress,
        ..small()
    };
    let store = open(&disk, &config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (store, table) = (&store, &table);
            scope.spawn(move || {
                for step in 0..120 {
                    let rows = [(writer * 1_000 + step % 50, "plain"), (ERASED[writer as usize], "unspeakable")];
                    match store.commit(upsert(&store.snapshot(), table, &rows)) {
                        Ok(_) | Err(CommitError::Conflict { .. } | CommitError::Erased { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..8 {
                let records = store.replay(1).expect("it reads").collect::<Result<Vec<_>, _>>();
                assert!(records.is_ok(), "{:?}", records.err());
                check_sound(&store, "beside writers");
                store.compact().expect("it compacts");
            }
        });
        for _ in 0..12 {
            store.erase(table.id, &keys()).expect("it writes");
        }
    });
    store.erase(table.id, &keys()).expect("it writes");
    assert_eq!(traces(&disk), Vec::<String>::new());
    check_sound(&store, "at the end");
    store.close().expect("it closes");
    check_sound(&open(&disk, &config).expect("it opens"), "opened again");
}

/// A commit that was refused because the disk failed in the middle of it leaves nothing for an erasure to miss.
#[test]
fn what_a_failed_write_left_behind_is_gone_at_once() {
    let config = Config { log_segment_bytes: 4 << 10, ..small() };
    let disk = SimDisk::new(5);
    let store = open(&disk, &config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let secrets: Vec<(i64, String)> = (0..400).map(|id| (id, format!("unspeakable-{id}"))).collect();
    let rows: Vec<(i64, &str)> = secrets.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let calls = disk.calls();
    {
        let trial = disk.copy();
        let store = open(&trial, &config).expect("it opens");
        let began = trial.calls();
        store.commit(upsert(&store.snapshot(), &table, &rows)).expect("nothing fails");
        assert!(trial.calls() > began + 6, "it goes over several segments");
    }
    drop(store);
    let mut refused = 0;
    for call in 1..=40 {
        let disk = disk.copy();
        let store = open(&disk, &config).expect("it opens");
        disk.inject(Fault::Call(disk.calls() + call));
        let committed = store.commit(upsert(&store.snapshot(), &table, &rows));
        disk.heal();
        let Err(error) = committed else { continue };
        let plain = upsert(&store.snapshot(), &table, &[(1, "plain"), (ERASED[0], "secret")]);
        if matches!(store.commit(plain), Err(CommitError::Store(StoreError::WritesRefused { .. }))) {
            // The next open looks after it.
            continue;
        }
        refused += 1;
        let story = format!("call {call} after {calls}: {error}");
        let erased = store.erase(table.id, &keys()).unwrap_or_else(|error| panic!("{story}: {error}"));
        assert!(erased.is_some(), "{story}");
        assert_eq!(traces(&disk), Vec::<String>::new(), "{story}");
        check_sound(&store, &story);
    }
    assert!(refused > 5, "{refused} were refused");
}

#[test]
fn a_write_that_read_before_an_erasure_does_not_state_the_key_again() {
    let disk = MemDisk::new();
    let store = open(&disk, &small()).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    store.commit(upsert(&store.snapshot(), &table, &[(1, "plain"), (ERASED[0], "unspeakable")])).expect("no conflict");
    let before = store.snapshot();
    let again = upsert(&before, &table, &[(ERASED[0], "unspeakable")]);
    // It never met the key: nothing is superseded.
    let blind = upsert(&before, &table, &[(ERASED[1], "unspeakable")]);
    let other = upsert(&before, &table, &[(1, "plain still")]);
    store.commit(upsert(&store.snapshot(), &table, &[(ERASED[1], "unspeakable")])).expect("no conflict");
    store.erase(table.id, &keys()).expect("it writes").expect("there was something");
    for write in [again, blind] {
        let refused = store.commit(write);
        assert!(matches!(refused, Err(CommitError::Erased { .. })), "{refused:?}");
    }
    assert_eq!(traces(&disk), Vec::<String>::new());
    store.commit(other).expect("it speaks of another key");
    store.commit(upsert(&store.snapshot(), &table, &[(ERASED[1], "new")])).expect("it began afterwards");
    assert_eq!(names_as_of(&store.snapshot(), &table, store.snapshot().commit()).len(), 2);
}

/// A reader that needs the old files when the writer goes takes them away when it goes: the last one, whoever comes and goes.
#[test]
fn the_last_reader_leaves_no_trace_behind_a_writer_that_is_gone() {
    let disk = MemDisk::new();
    let config = Config { log_segment_bytes: 4 << 10, ..small() };
    let read_only = Config { read_only: true, ..config.clone() };
    let store = open(&disk, &config).expect("a new database");
    let model = fill(&store).expect("no conflict");
    store.flush().expect("it flushes");
    let (first, last) = (open(&disk, &read_only).expect("it opens"), open(&disk, &read_only).expect("it opens"));
    let before = last.snapshot();
    let table = store.catalog().by_name("t").cloned().expect("the table");
    store.erase(table.id, &keys()).expect("it writes").expect("there was something");
    store.close().expect("it closes");
    drop(store);
    drop(first);
    assert!(!traces(&disk).is_empty(), "the last reader still has its files");
    let latest = model.len() as Commit;
    assert_eq!(names_as_of(&before, &table, latest), model[model.len() - 1]);
    // A list that is damaged takes nothing away: a bit of a name may make it that of another file.
    let list = disk.map("waiting").expect("it is there").to_vec();
    for at in 0..list.len() {
        let copy = MemDisk::new();
        for name in disk.list().expect("it lists").iter().filter(|name| !name.starts_with("reader-")) {
            let mut bytes = disk.map(name).expect("it is there").to_vec();
            if name == "waiting" {
                bytes[at] ^= 1;
            }
            let file = copy.create(name).expect("there is room");
            file.write_at(&bytes, 0).expect("there is room");
        }
        let files = |disk: &MemDisk| {
            let names = disk.list().expect("it lists");
            names.into_iter().filter(|name| !name.starts_with("reader-")).collect::<Vec<_>>()
        };
        let there = files(&copy);
        drop(open(&copy, &read_only).expect("it opens"));
        assert_eq!(files(&copy), there, "byte {at}");
    }
    drop((last, before));
    assert_eq!(traces(&disk), Vec::<String>::new());
    assert!(disk.list().expect("it lists").iter().all(|name| name != "waiting"));
    let store = open(&disk, &config).expect("it opens");
    assert_eq!(states(&store, model.len()), without(&model));
    check_sound(&store, "the readers are gone");
    // A writer that opens meanwhile makes the list void.
    write(&store, &table, &[3], 9, &mut without(&model)).expect("no conflict");
    store.flush().expect("it flushes");
    let reader = open(&disk, &read_only).expect("it opens");
    store.erase(table.id, &keys()).expect("it writes").expect("there was something");
    store.close().expect("it closes");
    drop(store);
    let store = open(&disk, &config).expect("it opens");
    assert!(disk.list().expect("it lists").iter().all(|name| name != "waiting"));
    drop(reader);
    store.close().expect("it closes");
    assert_eq!(traces(&disk), Vec::<String>::new());
    check_sound(&open(&disk, &config).expect("it opens"), "a writer came");
}

/// The power fails while the closing writer leaves its list, and while the last reader takes the files of it away: nothing that is
/// needed goes, and the next open for writing leaves no trace.
#[test]
fn a_power_failure_beside_the_list_of_waiting_files_loses_nothing_and_keeps_no_trace() {
    let config = Config { log_segment_bytes: 4 << 10, bulk_bytes_min: 600, ..small() };
    let read_only = Config { read_only: true, ..config.clone() };
    // The last sync is behind everything: it counts them.
    let (mut sync, mut syncs, mut with_list) = (0, u64::MAX, 0);
    while sync <= syncs {
        for after in [false, true] {
            let disk = SimDisk::new(13);
            let store = open(&disk, &config).expect("a new database");
            let model = fill(&store).expect("no conflict");
            store.flush().expect("nothing fails");
            let (first, last) =
                (open(&disk, &read_only).expect("it opens"), open(&disk, &read_only).expect("it opens"));
            let held = last.snapshot();
            let table = store.catalog().by_name("t").cloned().expect("the table");
            store.erase(table.id, &keys()).expect("nothing fails").expect("there was something");
            let begun = disk.syncs();
            if sync > 0 {
                let at = begun + sync;
                disk.inject(if after { Fault::PowerAfterSync(at) } else { Fault::PowerBeforeSync(at) });
            }
            // Whoever is told of the failure can do nothing about it.
            store.close().ok();
            drop(store);
            with_list += u64::from(disk.content("waiting").is_some());
            drop((first, held));
            drop(last);
            if sync == 0 {
                syncs = disk.syncs() - begun;
                assert_eq!(traces(&disk), Vec::<String>::new(), "nothing failed");
            }
            for (seed, reader_first) in [(0, false), (1, true), (2, false), (3, true)] {
                let story =
                    format!("sync {sync} of {syncs}, after: {after}, seed {seed}, a reader first: {reader_first}");
                let crashed = disk.after_crash(seed);
                if reader_first {
                    let reader = open(&crashed, &read_only).unwrap_or_else(|error| panic!("{story}: {error}"));
                    assert_eq!(states(&reader, model.len()), without(&model), "{story}");
                    check_sound(&reader, &story);
                }
                let store = open(&crashed, &config).unwrap_or_else(|error| panic!("{story}: {error}"));
                assert_eq!(states(&store, model.len()), without(&model), "{story}");
                check_sound(&store, &story);
                assert_eq!(traces(&crashed), Vec::<String>::new(), "{story}");
                assert!(crashed.content("waiting").is_none(), "{story}");
                write(&store, &table, &[3], 100, &mut without(&model))
                    .unwrap_or_else(|error| panic!("{story}: {error}"));
            }
        }
        sync += 1;
    }
    assert!(syncs > 4 && with_list > syncs, "{syncs} syncs, {with_list} lists");
}
