//! Does a store keep, show and replay what was committed, over reopening?

mod support;

use spectradb_kernel::{Period, key::i64_bytes};
use spectradb_store::{
    CatalogChange, CommitError, Config, Disk, LogArchive, MemDisk, RecordBody, Store, StoreError,
    fact::Write,
    scan::{KeyRange, ScanColumn, ScanSpec, SystemScope, ValidScope},
};
use support::{facts, names, names_as_of, new_table, open, small, try_names_as_of, upsert};

/// The shortest way through everything: a table, two commits, the past, another opening.
#[test]
fn commits_are_there_after_reopening() {
    let disk = MemDisk::new();
    let store = open(&disk, &small()).expect("a new database");
    assert!(matches!(open(&disk, &small()), Err(StoreError::Locked { .. })));
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let first = store.commit(upsert(&store.snapshot(), &table, &[(1, "a"), (2, "b")])).expect("no conflict");
    let second = store.commit(upsert(&store.snapshot(), &table, &[(2, "c"), (3, "d")])).expect("no conflict");
    assert_eq!((first.commit, first.record, second.commit, second.record), (1, 2, 2, 3));
    assert!(first.instant > 1_000 && second.instant > first.instant, "instants rise while the clock stands");
    let now = names(&store, &table);
    assert_eq!(now.into_iter().collect::<Vec<_>>(), [(1, "a".into()), (2, "c".into()), (3, "d".into())]);
    store.close().expect("nothing fails");
    assert!(matches!(
        store.commit(upsert(&store.snapshot(), &table, &[(9, "x")])),
        Err(CommitError::Store(StoreError::Closed))
    ));

    let store = open(&disk, &small()).expect("it was closed");
    assert_eq!(store.catalog().by_name("t"), Some(&table));
    assert_eq!(names(&store, &table).len(), 3);
    let snapshot = store.snapshot();
    let then = names_as_of(&snapshot, &table, 1);
    assert_eq!(then.into_iter().collect::<Vec<_>>(), [(1, "a".into()), (2, "b".into())]);
    assert_eq!((snapshot.commit(), snapshot.instant()), (2, second.instant));
    assert_eq!(snapshot.instant_of(1).expect("it happened"), first.instant);
    let third = store.commit(upsert(&snapshot, &table, &[(4, "e")])).expect("no conflict");
    assert_eq!((third.commit, third.record), (3, 4));
}

#[test]
fn the_ledger_is_replayed_from_any_record() {
    let disk = MemDisk::new();
    let store = open(&disk, &small()).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let long = "x".repeat(300);
    for id in 0..200 {
        store.commit(upsert(&store.snapshot(), &table, &[(id % 7, &long)])).expect("no conflict");
    }
    assert!(store.stats().log_segment_count > 5, "{:?}", store.stats());
    for from in [0, 1, 2, 3, 50, 117, 200, 201, 202] {
        let records: Vec<_> = store.replay(from).expect("all is kept").map(|record| record.expect("whole")).collect();
        let numbers: Vec<u64> = records.iter().map(|record| record.record).collect();
        assert_eq!(numbers, (from.max(1)..=201).collect::<Vec<_>>());
        for record in &records {
            match &record.body {
                RecordBody::Catalog { catalog_version, .. } => assert_eq!((*catalog_version, record.record), (1, 1)),
                RecordBody::Erasure(_) => panic!("nothing was erased"),
                RecordBody::Commit { commit, catalog_version, write } => {
                    assert_eq!((*commit + 1, *catalog_version), (record.record, 1));
                    assert_eq!(write.facts[0].columns[1].value(0), long.as_str().into());
                    assert_eq!(write.superseded.is_empty(), *commit <= 7);
                }
            }
        }
    }
}

/// Two writers from one snapshot: the second one to commit must lose when they touch the same key, and only then.
#[test]
fn the_first_committer_wins() {
    let store = open(&MemDisk::new(), &small()).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    store.commit(upsert(&store.snapshot(), &table, &[(1, "a"), (2, "b")])).expect("no conflict");
    let snapshot = store.snapshot();
    store.commit(upsert(&snapshot, &table, &[(1, "c"), (5, "e")])).expect("the first");
    let same = store.commit(upsert(&snapshot, &table, &[(1, "d")]));
    assert!(matches!(same, Err(CommitError::Conflict { .. })), "{same:?}");
    let inserted_too = store.commit(upsert(&snapshot, &table, &[(5, "f")]));
    assert!(matches!(inserted_too, Err(CommitError::Conflict { .. })), "{inserted_too:?}");
    store.commit(upsert(&snapshot, &table, &[(2, "d"), (6, "g")])).expect("other keys");
    assert_eq!(store.snapshot().commit(), 3);
}

/// A write that the tree could not apply must be refused before it is in the log: the next open would meet it again.
#[test]
fn a_write_that_names_what_is_not_current_is_refused_whole() {
    let disk = MemDisk::new();
    let store = open(&disk, &small()).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    store.commit(upsert(&store.snapshot(), &table, &[(1, "a")])).expect("no conflict");
    let mut twice = upsert(&store.snapshot(), &table, &[(1, "b")]);
    let ended = twice.superseded[0].facts[0].clone();
    twice.superseded[0].facts.push(ended);
    assert!(matches!(store.commit(twice), Err(CommitError::Conflict { .. })));
    let mut unknown = upsert(&store.snapshot(), &table, &[(1, "b")]);
    unknown.superseded[0].facts[0].valid_from = 7;
    assert!(matches!(store.commit(unknown), Err(CommitError::Conflict { .. })));
    let mut narrow = upsert(&store.snapshot(), &table, &[(1, "b")]);
    narrow.facts[0].columns.pop();
    assert!(matches!(store.commit(narrow), Err(CommitError::SchemaChanged { .. })));
    store.commit(upsert(&store.snapshot(), &table, &[(1, "c")])).expect("writing goes on");
    drop(store);
    let store = open(&disk, &small()).expect("it was closed");
    assert_eq!((store.snapshot().commit(), names(&store, &table)[&1].as_str()), (2, "c"));
}

#[test]
fn the_catalogue_has_versions_and_never_reuses_numbers() {
    let disk = MemDisk::new();
    let store = open(&disk, &small()).expect("a new database");
    let first = store.create_table(new_table("t"), 0).expect("the name is free");
    let again = store.create_table(new_table("t"), 1);
    assert!(matches!(again, Err(StoreError::CatalogChanged)), "{again:?}");
    let stale = store.create_table(new_table("u"), 0);
    assert!(matches!(stale, Err(StoreError::CatalogChanged)), "{stale:?}");
    store.commit(upsert(&store.snapshot(), &first, &[(1, "a")])).expect("no conflict");
    store.drop_table(first.id, 1).expect("it is there");
    let late = store.commit(Write { facts: vec![facts(&first, &[(2, "b")])], ..Write::default() });
    assert!(matches!(late, Err(CommitError::SchemaChanged { .. })), "{late:?}");
    let second = store.create_table(new_table("t"), 2).expect("the name is free again");
    assert!(second.id > first.id);
    store.close().expect("nothing fails");
    let store = open(&disk, &small()).expect("it was closed");
    assert_eq!(store.catalog().version, 3);
    let snapshot = store.snapshot();
    assert_eq!(snapshot.catalog_at(1).expect("it happened").by_name("t"), Some(&first));
    assert_eq!(names_as_of(&snapshot, &first, 1).len(), 1, "a dropped table's past stays");
}

/// Facts are where the map says that the database was made with: another map would look for them elsewhere.
#[test]
fn a_database_keeps_the_number_of_shards_it_was_made_with() {
    let disk = MemDisk::new();
    let with = |shard_count: Option<u32>| Config { shard_count, ..small() };
    for asked in [0, 4097] {
        let refused = open(&disk, &with(Some(asked))).map(drop);
        assert!(matches!(refused, Err(StoreError::ShardCountRange { most: 4096, .. })), "{refused:?}");
    }
    let store = open(&disk, &with(Some(3))).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let rows: Vec<(i64, String)> = (0..500).map(|id| (id, format!("n{id}"))).collect();
    let rows: Vec<(i64, &str)> = rows.iter().map(|(id, name)| (*id, name.as_str())).collect();
    store.commit(upsert(&store.snapshot(), &table, &rows)).expect("no conflict");
    store.flush().expect("nothing fails");
    store.close().expect("nothing fails");
    drop(store);
    let refused = open(&disk, &with(Some(1))).map(drop);
    assert!(matches!(refused, Err(StoreError::ShardCount { database: 3, asked: 1 })), "{refused:?}");
    for same in [None, Some(3)] {
        let store = open(&disk, &with(same)).expect("its own number");
        assert_eq!(store.stats().shard_count, 3);
        assert_eq!(names(&store, &table).len(), 500);
        store.commit(upsert(&store.snapshot(), &table, &rows[..3])).expect("every key is found");
        assert_eq!(names(&store, &table).len(), 500);
    }
}

/// Wherever facts lie, asking for many keys at once says what asking for each says.
#[test]
fn many_keys_are_found_as_each_alone_is() {
    for shard_count in [1, 3] {
        let config = Config { shard_count: Some(shard_count), sstable_block_bytes: 512, ..small() };
        let store = open(&MemDisk::new(), &config).expect("a new database");
        let table = store.create_table(new_table("t"), 0).expect("the name is free");
        let write = |ids: &mut dyn Iterator<Item = i64>| {
            let rows: Vec<(i64, &str)> = ids.map(|id| (id, "a")).collect();
            store.commit(upsert(&store.snapshot(), &table, &rows)).expect("no conflict");
        };
        let check = |place: &str| {
            let snapshot = store.snapshot();
            let keys: Vec<[u8; 8]> = (-5..4_300).step_by(3).map(i64_bytes).collect();
            let found = |keys: &[[u8; 8]]| {
                let periods = vec![Period::ALWAYS; keys.len()];
                snapshot.overlapping(table.id, keys, &periods).expect("it reads")
            };
            let together: Vec<_> =
                found(&keys).into_iter().map(|found| (found.key_idx, found.period, found.commit)).collect();
            let alone = keys.iter().enumerate().flat_map(|(key_idx, key)| {
                let found = found(std::slice::from_ref(key));
                found.into_iter().map(move |found| (key_idx, found.period, found.commit))
            });
            assert_eq!(together, alone.collect::<Vec<_>>(), "{shard_count} shards, {place}");
            assert!(together.len() > 300);
        };
        // Rows in order that are not indexed, some that are, and some that change.
        write(&mut (1_000..2_200));
        write(&mut (0..700).map(|id| id * 37 % 4_099));
        check("in memory");
        store.flush().expect("nothing fails");
        write(&mut (500..900));
        write(&mut (3_000..3_100));
        check("in memory and level 0");
        store.compact().expect("nothing fails");
        check("compacted, with history");
        write(&mut (2_000..2_300).step_by(7));
        check("everywhere");
    }
}

/// What is read again is not checked again, and what is kept stays within the budget.
#[test]
fn checked_blocks_are_kept_within_the_budget() {
    let budget = 48_000;
    let config = Config { sstable_block_bytes: 512, block_cache_bytes_max: budget, ..small() };
    let store = open(&MemDisk::new(), &config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let rows: Vec<(i64, String)> = (0..2_000).map(|id| (id, format!("n{id}"))).collect();
    let rows: Vec<(i64, &str)> = rows.iter().map(|(id, name)| (*id, name.as_str())).collect();
    store.commit(upsert(&store.snapshot(), &table, &rows)).expect("no conflict");
    store.flush().expect("nothing fails");
    assert_eq!(store.stats().block_cache.misses, 0, "nobody has read a block");
    assert_eq!(names(&store, &table).len(), 2_000);
    let first = store.stats();
    assert!(first.block_cache.misses > 20 && first.block_cache.evictions > 0, "{first:?}");
    let cache = first.block_cache;
    assert!(cache.bytes + cache.index_bytes <= budget && cache.blocks > 0 && cache.index_bytes > 0, "{cache:?}");
    for _ in 0..10 {
        store.snapshot().overlapping(table.id, &[i64_bytes(7).to_vec()], &[Period::ALWAYS]).expect("it reads");
    }
    let again = store.stats().block_cache;
    assert_eq!((again.hits - first.block_cache.hits, again.misses - first.block_cache.misses), (9, 1));
}

/// Segments of the log go once their facts are in SSTables, if the settings say so; replay then begins later.
#[test]
fn a_log_that_is_not_kept_is_retired_behind_the_checkpoint() {
    let disk = MemDisk::new();
    let config = Config { log_archive: LogArchive::Drop, log_segment_bytes: 4 << 10, ..small() };
    let store = open(&disk, &config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    for id in 0..100 {
        store.commit(upsert(&store.snapshot(), &table, &[(id, "a")])).expect("no conflict");
    }
    let before = store.stats().log_segment_count;
    store.flush().expect("nothing fails");
    let after = store.stats().log_segment_count;
    assert!(before > 10 && after <= 2, "{before}, {after}");
    assert!(store.replay(1).is_err(), "record 1 is gone");
    let newest = store.replay(101).expect("the newest is there").map(|record| record.expect("whole").record);
    assert_eq!(newest.collect::<Vec<_>>(), [101]);
    drop(store);
    let store = open(&disk, &config).expect("it was closed");
    assert_eq!(names(&store, &table).len(), 100);
}

/// The numbers of all records, or what is wrong with one.
fn records(store: &Store) -> Result<Vec<u64>, StoreError> {
    store.replay(1)?.map(|record| record.map(|record| record.record)).collect()
}

fn named(disk: &MemDisk, part: &str) -> Vec<String> {
    let mut names = disk.list().expect("memory can be listed");
    names.retain(|name| name.contains(part));
    names
}

/// Archives take less room than segments, and are read in their place; the files of segments are used again.
#[test]
fn an_archived_log_is_replayed_and_proven_as_before() {
    let disk = MemDisk::new();
    let config = Config { log_archive: LogArchive::Compress, log_segment_bytes: 4 << 10, ..small() };
    let store = open(&disk, &config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let commit = |store: &Store, ids: std::ops::Range<i64>| {
        for id in ids {
            store.commit(upsert(&store.snapshot(), &table, &[(id, "a")])).expect("no conflict");
        }
    };
    commit(&store, 0..100);
    // One who reads the log while its segments go keeps what it has open.
    let mut early = store.replay(1).expect("all is there");
    assert_eq!(early.next().map(|record| record.expect("whole").record), Some(1));
    store.flush().expect("nothing fails");
    assert!(named(&disk, "spare").is_empty(), "somebody reads the log");
    let rest: Vec<u64> = early.by_ref().map(|record| record.expect("whole").record).collect();
    assert!(rest.into_iter().eq(2..=101));
    drop(early);
    let archives = named(&disk, ".arc");
    assert!(archives.len() > 5 && named(&disk, ".log").len() <= 2, "{archives:?}");
    let bytes: u64 =
        archives.iter().map(|name| disk.open(name).and_then(|file| file.len()).expect("it is there")).sum();
    assert!(bytes < archives.len() as u64 * (4 << 10) / 2, "{bytes} bytes");
    assert!(records(&store).expect("whole").into_iter().eq(1..=101));
    assert!(store.verify(None).expect("it reads").difference.is_none());

    commit(&store, 100..200);
    store.flush().expect("nothing fails");
    assert_eq!(named(&disk, "spare").len(), 1, "a segment's file waits for its next use");
    commit(&store, 200..260);
    assert!(named(&disk, "spare").is_empty(), "and was used");
    drop(store);
    let store = open(&disk, &config).expect("it was closed");
    assert!(records(&store).expect("whole").into_iter().eq(1..=261));
    assert_eq!(names(&store, &table).len(), 260);
    drop(store);

    // Whatever is damaged in an archive is an error that names it, or changes nothing.
    let name = archives[3].as_str();
    let whole = disk.map(name).expect("it is there");
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1 << (at % 8);
        let damaged = disk.create(name).expect("memory takes a file");
        damaged.write_at(&bytes, 0).expect("memory takes bytes");
        match open(&disk, &config).and_then(|store| records(&store)) {
            Ok(records) => assert!(records.into_iter().eq(1..=261), "byte {at}"),
            Err(StoreError::Corrupt { file, .. } | StoreError::FormatVersion { file, .. }) => assert_eq!(file, name),
            Err(other) => panic!("byte {at}: {other}"),
        }
    }
}

/// A reopening after a clean close reads little of the log.
#[test]
fn a_clean_close_leaves_little_to_replay() {
    let disk = MemDisk::new();
    let config = Config { log_segment_bytes: 1 << 20, ..small() };
    let store = open(&disk, &config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let text = "z".repeat(200);
    for commit in 0..20 {
        let rows: Vec<(i64, &str)> = (0..500).map(|id| (commit * 500 + id, text.as_str())).collect();
        store.commit(upsert(&store.snapshot(), &table, &rows)).expect("no conflict");
    }
    drop(store);
    let store = open(&disk, &config).expect("it was closed");
    assert_eq!(store.stats().opened.replayed_records, 0);
    assert_eq!((store.snapshot().commit(), names(&store, &table).len()), (20, 10_000));
}

/// A commit of many frames over several segments is one commit.
#[test]
fn a_commit_may_be_larger_than_a_segment() {
    let disk = MemDisk::new();
    let config = Config { log_segment_bytes: 64 << 10, ..small() };
    let store = open(&disk, &config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let text = "y".repeat(100);
    let rows: Vec<(i64, &str)> = (0..20_000).map(|id| (id, text.as_str())).collect();
    store.commit(upsert(&store.snapshot(), &table, &rows)).expect("no conflict");
    store.close().expect("nothing fails");
    let store = open(&disk, &config).expect("it was closed");
    assert_eq!((store.snapshot().commit(), names(&store, &table).len()), (1, 20_000));
    let records: Vec<_> = store.replay(2).expect("all is kept").map(|record| record.expect("whole")).collect();
    assert_eq!(records.len(), 1);
}

/// What a retention lets go is gone with the next compaction, and nothing else is; a read before it is an error, also when
/// the policy is taken back later, and after opening again.
#[test]
fn history_goes_when_its_retention_says_so_and_the_present_stays() {
    for shard_count in [1, 3] {
        let config = Config { shard_count: Some(shard_count), ..small() };
        let disk = MemDisk::new();
        let store = open(&disk, &config).expect("a new database");
        let table = store.create_table(new_table("t"), 0).expect("the name is free");
        let other = store.create_table(new_table("u"), 1).expect("the name is free");
        // The clock stands still, so each commit is a microsecond after the one before.
        for number in 0..10 {
            let text = format!("v{number}");
            let rows: Vec<(i64, &str)> = [0, 1 + number % 2, 100 + number].map(|id| (id, text.as_str())).into();
            store.commit(upsert(&store.snapshot(), &table, &rows)).expect("no conflict");
            store.commit(upsert(&store.snapshot(), &other, &rows)).expect("no conflict");
            if number % 3 == 0 {
                store.flush().expect("nothing fails");
            }
        }
        let states = |store: &Store, table| -> Vec<_> {
            let snapshot = store.snapshot();
            (0..=20).map(|commit| try_names_as_of(&snapshot, table, commit)).collect()
        };
        let before: Vec<_> = states(&store, &table).into_iter().map(|state| state.expect("all is kept")).collect();
        let others: Vec<_> = states(&store, &other).into_iter().map(|state| state.expect("all is kept")).collect();
        let stale = store.set_retention(table.id, Some(5), 1);
        assert!(matches!(stale, Err(StoreError::CatalogChanged)), "{stale:?}");
        assert!(matches!(store.set_retention(table.id, Some(-1), 2), Err(StoreError::CatalogChanged)));
        store.set_retention(table.id, Some(5), 2).expect("the table is there");
        let check = |store: &Store| {
            let horizon = 15;
            assert_eq!(store.snapshot().horizon(table.id).expect("it reads"), horizon);
            for (commit, (state, before)) in (0..).zip(states(store, &table).into_iter().zip(&before)) {
                match state {
                    Ok(state) => assert!(commit >= horizon && state == *before, "as of {commit}"),
                    Err(StoreError::BeforeHorizon { table, asked, horizon: named }) => {
                        assert!(commit < horizon && (table.as_str(), asked, named) == ("t", commit, horizon));
                    }
                    Err(error) => panic!("as of {commit}: {error}"),
                }
            }
            let all = store.snapshot().scan(ScanSpec {
                table: table.id,
                columns: vec![ScanColumn::Commit],
                keys: KeyRange::All,
                system: SystemScope::Between { from: horizon, to: 21 },
                valid: ValidScope::All,
                predicates: Vec::new(),
                batch_rows_max: 1000,
            });
            let rows: usize =
                all.expect("it lies behind the horizon").map(|batch| batch.expect("it reads").len()).sum();
            assert_eq!(rows, before[15].len() + 2 * 3, "the state at the horizon, and two commits since");
            assert!(states(store, &other).into_iter().map(Result::ok).eq(others.iter().cloned().map(Some)));
        };
        check(&store);
        store.compact().expect("nothing fails");
        check(&store);
        let verified = store.verify(None).expect("nothing fails");
        assert!(verified.difference.is_none() && verified.pruned > 0 && verified.proven > 0, "{verified:?}");
        assert_eq!(verified.facts, 60, "each fact is proven or pruned: {verified:?}");
        store.close().expect("nothing fails");
        drop(store);
        let store = open(&disk, &config).expect("it was closed");
        assert_eq!(store.catalog().retention(table.id), Some(5));
        check(&store);
        // What is gone does not come back when the policy goes; what is not gone yet can be read again.
        store.set_retention(table.id, None, 3).expect("the table is there");
        let horizon = store.snapshot().horizon(table.id).expect("it reads");
        assert!((14..=15).contains(&horizon), "{horizon}: the last fact that is gone ended there");
        assert!(matches!(states(&store, &table)[3], Err(StoreError::BeforeHorizon { .. })));
        store.commit(upsert(&store.snapshot(), &table, &[(0, "new"), (1, "new")])).expect("every key is found");
        store.compact().expect("nothing fails");
        assert_eq!(names_as_of(&store.snapshot(), &table, 20), before[20]);
        // A table whose whole history may go keeps its present.
        store.set_retention(table.id, Some(0), 4).expect("the table is there");
        let now = names(&store, &table);
        store.compact_table(table.id).expect("nothing fails");
        assert_eq!(names(&store, &table), now);
        assert!(matches!(try_names_as_of(&store.snapshot(), &table, 20), Err(StoreError::BeforeHorizon { .. })));
        let kinds = store.replay(1).expect("all is kept").map(|record| record.expect("the chain verifies").body);
        let retained =
            kinds.filter(|body| matches!(body, RecordBody::Catalog { change: CatalogChange::Retain(..), .. }));
        assert_eq!(retained.count(), 3, "each change of the policy is in the ledger");
    }
}
