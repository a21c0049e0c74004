//! Do large writes, which go to segments at once, say the same as small ones, wherever they are looked for?
//!
//! The same rows are committed once by way of the log and once by way of files. Then: every state of the past, what replay
//! gives, what verifying and proving say; after a reopen before and after the flush, after compaction, over shards; with files
//! that are damaged or gone.

mod support;

use spectradb_kernel::key::i64_bytes;
use spectradb_store::{
    CommitError, Config, Disk, LogArchive, MemDisk, ProofOf, RecordBody, SimDisk, Store, StoreError, fact::FactId,
};
use support::{names, names_as_of, new_table, open, small, try_names_as_of, upsert};

const ROWS: i64 = 3_000;

fn config(bulk_bytes_min: usize) -> Config {
    Config { bulk_bytes_min, sstable_block_bytes: 4 << 10, log_segment_bytes: 64 << 10, ..small() }
}

fn load(store: &Store, from: i64, name: &str) {
    let table = store.catalog().by_name("t").cloned().expect("the table");
    // In no order.
    let rows: Vec<(i64, &str)> = (0..ROWS).map(|i| (from + i * 7 % ROWS, name)).collect();
    store.commit(upsert(&store.snapshot(), &table, &rows)).expect("no conflict");
}

/// Two loads, the second of which supersedes half of the first, and a small write.
fn filled(disk: &(impl Disk + Clone + 'static), config: &Config) -> Store {
    let store = open(disk, config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    load(&store, 0, "first");
    load(&store, ROWS / 2, "second");
    store.commit(upsert(&store.snapshot(), &table, &[(5, "small"), (ROWS, "small")])).expect("no conflict");
    store
}

fn segments(disk: &dyn Disk) -> usize {
    disk.list().expect("it lists").iter().filter(|name| name.ends_with(".sst")).count()
}

#[test]
fn a_large_write_says_what_a_small_one_says() {
    for shard_count in [1, 4] {
        let with = |bulk| Config { shard_count: Some(shard_count), ..config(bulk) };
        let (by_log, by_files) = (MemDisk::new(), MemDisk::new());
        let logged = filled(&by_log, &with(usize::MAX));
        let table = logged.catalog().by_name("t").cloned().expect("the table");
        let mut store = filled(&by_files, &with(10_000));
        assert_eq!((segments(&by_log), segments(&by_files)), (0, 2 * shard_count as usize));
        assert!(store.written_figures().log_bytes * 3 < logged.written_figures().log_bytes);
        let expected: Vec<_> = (0..=3).map(|at| names_as_of(&logged.snapshot(), &table, at)).collect();
        let fact = FactId { key: i64_bytes(77).to_vec(), valid_from: i64::MIN, commit: 1 };
        let leaf_count = |store: &Store| {
            let proof = store.prove_inclusion(ProofOf::Fact { table: table.id, fact: &fact }, None).expect("it reads");
            let proof = proof.expect("the fact is in the ledger");
            assert!(proof.check(&store.digest().expect("it reads")).is_ok());
            proof.leaf.expect("a leaf").leaf_count
        };
        for step in ["new", "reopened", "flushed", "reopened", "compacted", "reopened"] {
            match step {
                "reopened" => {
                    store.close().expect("it closes");
                    store = open(&by_files, &with(10_000)).expect("it opens");
                }
                "flushed" => store.flush().expect("nothing fails"),
                "compacted" => store.compact().expect("nothing fails"),
                _ => {}
            }
            let snapshot = store.snapshot();
            for (at, expected) in (0..).zip(&expected) {
                assert_eq!(names_as_of(&snapshot, &table, at), *expected, "{step}, as of {at}, {shard_count} shards");
            }
            let found = store.verify(None).expect("it reads");
            assert_eq!((found.difference, found.pruned), (None, 0), "{step}");
            assert_eq!(found.facts, 2 * ROWS as u64 + 2);
            assert_eq!(leaf_count(&store), leaf_count(&logged));
            let mut facts = Vec::new();
            for record in store.replay(1).expect("all is kept") {
                if let RecordBody::Commit { write, .. } = record.expect("the chain verifies").body {
                    facts.push(write.facts.iter().map(|batch| batch.periods.len()).sum::<usize>());
                }
            }
            assert_eq!(facts, [ROWS as usize, ROWS as usize, 2], "{step}");
        }
    }
}

#[test]
fn a_segment_that_nothing_overlaps_goes_down_without_being_written_again() {
    let disk = MemDisk::new();
    // Large beside a memtable of this size, so that it is not merged with others.
    let config = Config { memtable_bytes_max: 64 << 10, ..config(0) };
    let store = open(&disk, &config).expect("a new database");
    store.create_table(new_table("t"), 0).expect("the name is free");
    let files = || -> Vec<(String, bytes::Bytes)> {
        let names = disk.list().expect("it lists").into_iter().filter(|name| name.ends_with(".sst"));
        let mut files: Vec<_> = names.map(|name| (name.clone(), disk.map(&name).expect("it is there"))).collect();
        // The commits' own table has few rows.
        files.retain(|(_, bytes)| bytes.len() > 10_000);
        files.sort();
        files
    };
    // Every fourth load has the memtable flushed and what is due compacted, in this thread.
    let mut loaded = Vec::new();
    for lot in 0..8 {
        load(&store, lot * ROWS, "sorted by lots");
        loaded.extend(files().into_iter().filter(|file| !loaded.contains(file)).collect::<Vec<_>>());
    }
    assert_eq!(loaded.len(), 8, "one file for each lot");
    let bytes: u64 = loaded.iter().map(|(_, file)| file.len() as u64).sum();
    let levels: Vec<_> = store.level_figures().into_iter().filter(|level| level.table.0 == 1).collect();
    assert!(levels.iter().all(|level| level.level > 0 && !level.is_history), "{levels:?}");
    assert_eq!(
        levels.iter().map(|level| (level.files, level.bytes)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
        (8, bytes)
    );
    assert_eq!(files(), loaded, "the files are the same, under the same numbers");
    // What the commits' own table takes is flushed and merged; nothing of the loads is.
    let written = store.written_figures();
    assert_eq!(written.bulk_bytes, bytes);
    assert!(written.flush_bytes + written.compaction_bytes < bytes / 10, "{bytes} bytes, and then {written:?}");
    assert_eq!(levels.iter().map(|level| level.versions).sum::<u64>(), 8 * ROWS as u64);
    assert_eq!(store.verify(None).expect("it reads").difference, None);
}

#[test]
fn a_write_that_loses_leaves_no_file() {
    let disk = MemDisk::new();
    let store = filled(&disk, &Config { level0_segments_max: 50, ..config(0) });
    let table = store.catalog().by_name("t").cloned().expect("the table");
    let before = segments(&disk);
    let old = store.snapshot();
    let rows: Vec<(i64, &str)> = (0..100).map(|id| (id, "late")).collect();
    let write = upsert(&old, &table, &rows);
    store.commit(upsert(&old, &table, &[(50, "early")])).expect("it is first");
    let with_first = segments(&disk);
    assert_eq!(with_first, before + 1);
    assert!(matches!(store.commit(write), Err(CommitError::Conflict { .. })));
    assert_eq!(segments(&disk), with_first);
}

#[test]
fn a_file_that_a_record_names_is_missed_and_its_damage_is_told() {
    let disk = SimDisk::new(1);
    drop(filled(&disk, &config(10_000)));
    let names: Vec<String> = disk.list().expect("it lists").into_iter().filter(|name| name.ends_with(".sst")).collect();
    assert_eq!(names.len(), 2);
    let bytes = disk.map(&names[0]).expect("it is there").to_vec();
    disk.remove(&names[0]).expect("it goes");
    match open(&disk, &config(10_000)).map(drop) {
        Err(StoreError::Missing { file }) => assert_eq!(file, names[0]),
        other => panic!("a file is missing: {other:?}"),
    }
    for at in (0..bytes.len()).step_by(bytes.len() / 97) {
        let mut bad = bytes.clone();
        bad[at] ^= 4;
        let file = disk.create(&names[0]).expect("a file");
        file.write_at(&bad, 0).and_then(|()| file.sync()).expect("it is written");
        let told = open(&disk, &config(10_000)).and_then(|store| {
            let table = store.catalog().by_name("t").cloned().expect("the table");
            let found = store.verify(None)?.difference;
            let read = try_names_as_of(&store.snapshot(), &table, 1);
            match (read, found) {
                // The filter, the padding and what else no scan reads.
                (Ok(read), found) => {
                    assert_eq!(read.len(), ROWS as usize);
                    assert!(read.values().all(|name| name == "first"));
                    Ok(found.map(|found| found.to_string()))
                }
                (Err(error), found) => {
                    assert!(found.is_some(), "verifying finds what reading does");
                    Err(error)
                }
            }
        });
        match told {
            Err(StoreError::Corrupt { file, .. }) => assert_eq!(file, names[0]),
            Ok(Some(found)) => assert!(found.contains(&names[0]), "{found}"),
            other => panic!("byte {at} was changed: {other:?}"),
        }
    }
}

#[test]
fn files_that_no_record_names_go_when_the_database_is_opened() {
    let disk = MemDisk::new();
    drop(filled(&disk, &config(10_000)));
    disk.create("seg-0000000900.sst").and_then(|file| file.write_at(b"left over", 0)).expect("memory takes it");
    let store = open(&disk, &config(10_000)).expect("it opens");
    assert_eq!(segments(&disk), 2);
    let table = store.catalog().by_name("t").cloned().expect("the table");
    assert_eq!(names(&store, &table).len(), (ROWS + ROWS / 2) as usize);
}

#[test]
fn large_writes_are_pruned_with_their_tables_history() {
    for log_archive in [LogArchive::Keep, LogArchive::Compress, LogArchive::Drop] {
        let config = Config { log_archive, mapped: log_archive != LogArchive::Keep, ..config(10_000) };
        let store = filled(&MemDisk::new(), &config);
        let table = store.catalog().by_name("t").cloned().expect("the table");
        store.set_retention(table.id, Some(0), store.catalog().version).expect("it is set");
        store.compact().expect("nothing fails");
        store.compact().expect("nothing fails");
        let found = store.verify(None).expect("it reads");
        assert_eq!(found.difference, None);
        assert!(found.pruned >= (ROWS / 2) as u64, "{found:?}");
        assert_eq!(found.facts, found.proven + found.pruned);
        if log_archive != LogArchive::Drop {
            let second: Result<Vec<_>, _> = store.replay(2).expect("all is kept").collect();
            let Err(StoreError::FactsPruned { record: 2, table }) = second else { panic!("{second:?}") };
            assert_eq!(table, "t", "a name says more than a number");
        }
    }
}

#[test]
fn bytes_of_large_writes_are_counted_once_and_their_files_at_once() {
    let of_table = |store: &Store| {
        let levels: Vec<_> = store.level_figures().into_iter().filter(|level| level.table.0 == 1).collect();
        let sum = |of: fn(&spectradb_store::LevelFigures) -> u64| levels.iter().map(of).sum::<u64>();
        (sum(|level| level.files), sum(|level| level.versions), sum(|level| level.bytes))
    };
    let disk = MemDisk::new();
    let store = filled(&disk, &config(10_000));
    let on_disk = |name: &String| disk.map(name).expect("it is there").len() as u64;
    let files = disk.list().expect("it lists").into_iter().filter(|name| name.ends_with(".sst"));
    let bytes: u64 = files.map(|name| on_disk(&name)).sum();
    let written = store.written_figures();
    assert_eq!((written.bulk_bytes, written.flush_bytes), (bytes, 0));
    assert_eq!(written.amplification(), Some(0.0));
    assert_eq!(of_table(&store), (2, 2 * ROWS as u64, bytes));
    store.flush().expect("nothing fails");
    let flushed = store.written_figures();
    assert_eq!(flushed.bulk_bytes, bytes, "the flush names the files and writes them no more");
    assert!(0 < flushed.flush_bytes && flushed.flush_bytes < bytes, "{flushed:?}");
    let logged = filled(&MemDisk::new(), &config(usize::MAX));
    assert_eq!(logged.written_figures().bulk_bytes, 0);
    logged.flush().expect("nothing fails");
    assert_eq!(of_table(&store).1, of_table(&logged).1);
}
