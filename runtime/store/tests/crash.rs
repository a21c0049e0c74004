//! What survives a power failure, a failing call, a full disk, at every place where each can happen?
//!
//! One workload makes a table and commits small writes, each with a text of its own. A fault is put at every sync and
//! every call in turn. Afterwards the database is opened again, once as a restarted process finds the disk and some
//! times as a machine finds it after a power failure. Then: what was acknowledged is there, whole and in order; what was
//! refused is not; what was reported as unknown may be; the past reads as it was; the chain verifies; writing goes on.

mod support;

use spectradb_kernel::schema::TableSchema;
use spectradb_store::{
    CommitError, Config, Disk, Durability, LogArchive, RecordBody, SimDisk, Store, StoreError, fs::Fault,
};
use std::{collections::BTreeMap, sync::Arc};
use support::{names_as_of, new_table, open, small, spilled, try_names_as_of, upsert};

const ATTEMPTS: i64 = 12;

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Acknowledged,
    Refused,
    Unknown,
}

/// What the workload was told.
#[derive(Debug, Default)]
struct Told {
    table: Option<Fate>,
    attempts: Vec<Fate>,
}

fn fate(error: &StoreError) -> Fate {
    match error {
        StoreError::OutcomeUnknown { .. } => Fate::Unknown,
        _ => Fate::Refused,
    }
}

fn text(attempt: i64) -> String {
    // Some writes are larger than a segment's rest, so that frames begin new segments.
    format!("v{attempt}-{}", "x".repeat(if attempt % 5 == 0 { 900 } else { 5 }))
}

fn rows(attempt: i64) -> [(i64, String); 2] {
    [(attempt % 4, text(attempt)), (100 + attempt, text(attempt))]
}

fn write_rows(store: &Store, table: &Arc<TableSchema>, attempt: i64) -> Result<(), CommitError> {
    let rows = rows(attempt);
    let rows: Vec<(i64, &str)> = rows.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let snapshot = store.snapshot();
    let mut write = upsert(&snapshot, table, &rows);
    if store.config().transaction_bytes_max == 0 {
        write = spilled(store, &snapshot, table, write)?;
    }
    store.commit(write).map(drop)
}

/// Runs the workload as far as it goes.
fn run(disk: &SimDisk, config: &Config) -> Told {
    let mut told = Told::default();
    let Ok(store) = open(disk, config) else { return told };
    let table = match store.create_table(new_table("t"), 0) {
        Ok(table) => table,
        Err(error) => {
            told.table = Some(fate(&error));
            return told;
        }
    };
    told.table = Some(Fate::Acknowledged);
    for attempt in 0..ATTEMPTS {
        told.attempts.push(match write_rows(&store, &table, attempt) {
            Ok(()) => Fate::Acknowledged,
            Err(CommitError::Store(error)) => fate(&error),
            Err(error) => panic!("there is one writer: {error}"),
        });
        if attempt == ATTEMPTS / 2 {
            store.flush().ok();
        }
    }
    store.compact().ok();
    store.close().ok();
    told
}

/// Opens what is left and holds it against what was told.
fn check(disk: &SimDisk, config: &Config, told: &Told, story: &str) {
    let store = open(disk, config).unwrap_or_else(|error| panic!("{story}: it opens: {error}"));
    let Some(table) = store.catalog().by_name("t").cloned() else {
        let must_be_there = told.table == Some(Fate::Acknowledged) && config.durability == Durability::Synced;
        assert!(!must_be_there, "{story}: the table was acknowledged");
        return;
    };
    assert_ne!(told.table, Some(Fate::Refused), "{story}: the table was refused");
    let present = attempts_in_ledger(&store, story);
    if config.durability != Durability::Synced {
        // What was acknowledged without a sync may be lost, but only from the end.
        assert_eq!(present, (0..present.len() as i64).collect::<Vec<_>>(), "{story}");
    }
    let mut expected = present.iter().copied().peekable();
    for (attempt, fate) in (0..).zip(&told.attempts) {
        let is_there = expected.next_if_eq(&attempt).is_some();
        match fate {
            Fate::Acknowledged if config.durability != Durability::Synced => {}
            Fate::Acknowledged => assert!(is_there, "{story}: attempt {attempt} was acknowledged; there: {present:?}"),
            Fate::Refused => assert!(!is_there, "{story}: attempt {attempt} was refused; there: {present:?}"),
            Fate::Unknown => {}
        }
    }
    assert_eq!(expected.next(), None, "{story}: nothing else is there");
    check_states(&store, &table, &present, story);
    write_rows(&store, &table, 1_000).unwrap_or_else(|error| panic!("{story}: writing goes on: {error}"));
    store.close().unwrap_or_else(|error| panic!("{story}: it closes: {error}"));
    drop(store);
    let store = open(disk, config).unwrap_or_else(|error| panic!("{story}: it opens again: {error}"));
    let again = attempts_in_ledger(&store, story);
    assert_eq!((again.len(), again.last()), (present.len() + 1, Some(&1_000)), "{story}");
}

/// The attempts whose commits are in the ledger; reading them verifies the chain.
fn attempts_in_ledger(store: &Store, story: &str) -> Vec<i64> {
    let mut attempts = Vec::new();
    for record in store.replay(1).unwrap_or_else(|error| panic!("{story}: {error}")) {
        let record = record.unwrap_or_else(|error| panic!("{story}: the chain verifies: {error}"));
        let RecordBody::Commit { commit, write, .. } = record.body else { continue };
        let name = write.facts[0].columns[1].value(0).to_string();
        let attempt = name[1..].split('-').next().and_then(|number| number.parse().ok()).expect("our own text");
        attempts.push(attempt);
        assert_eq!(commit, attempts.len() as u64, "{story}: commits count without a gap");
    }
    assert_eq!(store.snapshot().commit(), attempts.len() as u64, "{story}: what is in the ledger is visible");
    attempts
}

/// Every past state is the one that the commits up to it make.
fn check_states(store: &Store, table: &Arc<TableSchema>, attempts: &[i64], story: &str) {
    let snapshot = store.snapshot();
    let mut model = BTreeMap::new();
    for (commit, attempt) in (1..).zip(attempts) {
        model.extend(rows(*attempt));
        assert_eq!(names_as_of(&snapshot, table, commit), model, "{story}: as of commit {commit}");
    }
}

fn check_all(disk: &SimDisk, config: &Config, told: &Told, story: &str) {
    disk.heal();
    check(&disk.copy(), config, told, &format!("{story}, restarted"));
    for seed in 0..2 {
        check(&disk.after_crash(seed), config, told, &format!("{story}, power failure, seed {seed}"));
    }
}

/// The workload without faults, to learn where they can be put.
fn healthy(config: &Config) -> SimDisk {
    let disk = SimDisk::new(0);
    let told = run(&disk, config);
    assert!(told.attempts.iter().all(|fate| *fate == Fate::Acknowledged), "{told:?}");
    disk
}

/// Memtables are flushed every few commits.
fn config() -> Config {
    Config { memtable_bytes_max: 4 << 10, log_segment_bytes: 4 << 10, ..small() }
}

#[test]
fn power_failures_at_every_sync_lose_nothing_acknowledged() {
    let config = config();
    assert!(healthy(&config).syncs() > ATTEMPTS as u64);
    crash_at_every_sync(&config);
}

/// Without syncs a power failure takes the newest commits, and never leaves a gap: what segments hold the log holds too.
#[test]
fn power_failures_without_synced_commits_leave_no_gap() {
    crash_at_every_sync(&Config { durability: Durability::None, ..config() });
    crash_at_every_sync(&Config { durability: Durability::EveryRecords(3), ..config() });
}

/// While segments are archived and their files used again.
#[test]
fn power_failures_while_the_log_is_archived_lose_nothing() {
    crash_at_every_sync(&Config { log_archive: LogArchive::Compress, ..config() });
}

/// A commit that touches several shards is there whole or not at all.
#[test]
fn power_failures_part_no_shards_of_a_commit() {
    crash_at_every_sync(&Config { shard_count: Some(3), ..config() });
    crash_at_every_sync(&Config { shard_count: Some(8), ..config() });
}

#[test]
fn large_writes_survive_a_power_failure_at_every_sync() {
    crash_at_every_sync(&Config { bulk_bytes_min: 0, ..config() });
    crash_at_every_sync(&Config { bulk_bytes_min: 500, durability: Durability::None, ..config() });
    crash_at_every_sync(&Config { bulk_bytes_min: 0, shard_count: Some(3), ..config() });
}

/// The rows lie in files of the transaction's own, each apart, before the commit names them.
#[test]
fn spilled_writes_survive_a_power_failure_at_every_sync() {
    crash_at_every_sync(&spilling());
    crash_at_every_sync(&Config { durability: Durability::None, shard_count: Some(3), ..spilling() });
}

fn crash_at_every_sync(config: &Config) {
    for sync in 1..=healthy(config).syncs() {
        for fault in [Fault::PowerBeforeSync(sync), Fault::PowerAfterSync(sync)] {
            let disk = SimDisk::new(sync);
            disk.inject(fault);
            let told = run(&disk, config);
            for seed in 0..2 {
                let found = disk.after_crash(seed * 1_000 + sync);
                check(&found, config, &told, &format!("{fault:?}, seed {seed}"));
            }
        }
    }
}

/// Every write goes to segments at once, and the log is archived.
fn large() -> Config {
    Config { bulk_bytes_min: 0, log_archive: LogArchive::Compress, ..config() }
}

/// No row waits in memory for its commit.
fn spilling() -> Config {
    Config { transaction_bytes_max: 0, ..config() }
}

#[test]
fn a_failure_of_any_call_loses_nothing_acknowledged() {
    fail_each_call(&config(), 1);
}

#[test]
fn a_failure_of_any_call_loses_no_large_write() {
    fail_each_call(&large(), 2);
    fail_each_call(&spilling(), 3);
}

fn fail_each_call(config: &Config, step: usize) {
    let calls = healthy(config).calls();
    for call in (1..=calls).step_by(step) {
        let disk = SimDisk::new(call);
        disk.inject(Fault::Call(call));
        let told = run(&disk, config);
        check_all(&disk, config, &told, &format!("call {call} failed"));
    }
}

#[test]
fn a_disk_that_fills_up_loses_nothing_acknowledged() {
    fill_up_at_each_call(&config(), 1);
}

#[test]
fn a_disk_that_fills_up_loses_no_large_write() {
    fill_up_at_each_call(&large(), 2);
    fill_up_at_each_call(&spilling(), 3);
}

fn fill_up_at_each_call(config: &Config, step: usize) {
    let calls = healthy(config).calls();
    for call in (1..=calls).step_by(step) {
        let disk = SimDisk::new(call);
        disk.inject(Fault::FullFrom(call));
        let told = run(&disk, config);
        assert!(!told.attempts.contains(&Fate::Unknown), "full from call {call}: nothing is left unknown");
        check_all(&disk, config, &told, &format!("full from call {call}"));
    }
}

/// History goes in the same step in which the manifest says so: whenever the power fails, a state reads as it was or is
/// refused, and what is refused stays so.
#[test]
fn power_failures_while_history_goes_give_no_partial_answer() {
    let config = config();
    let run = |disk: &SimDisk| -> Result<(), CommitError> {
        let store = open(disk, &config)?;
        let table = store.create_table(new_table("t"), 0)?;
        for attempt in 0..6 {
            write_rows(&store, &table, attempt)?;
        }
        store.set_retention(table.id, Some(2), 1)?;
        store.compact()?;
        for attempt in 6..8 {
            write_rows(&store, &table, attempt)?;
        }
        Ok(store.compact()?)
    };
    let healthy = SimDisk::new(0);
    run(&healthy).expect("nothing fails");
    for sync in 1..=healthy.syncs() {
        let disk = SimDisk::new(sync);
        disk.inject(Fault::PowerBeforeSync(sync));
        run(&disk).ok();
        let store = open(&disk.after_crash(sync), &config).expect("it opens");
        let Some(table) = store.catalog().by_name("t").cloned() else { continue };
        let (snapshot, mut model) = (store.snapshot(), BTreeMap::new());
        for commit in 1..=snapshot.commit() {
            model.extend(rows(commit as i64 - 1));
            match try_names_as_of(&snapshot, &table, commit) {
                Ok(state) => assert_eq!(state, model, "sync {sync}: as of {commit}"),
                Err(StoreError::BeforeHorizon { horizon, .. }) => assert!(commit < horizon, "sync {sync}"),
                Err(error) => panic!("sync {sync}: {error}"),
            }
        }
        if snapshot.commit() > 0 {
            assert!(try_names_as_of(&snapshot, &table, snapshot.commit()).is_ok(), "the present is there");
        }
    }
}

/// What a failed flush or compaction wrote is removed at once: on a full disk it would take the room that writing needs.
#[test]
fn a_failed_flush_or_compaction_leaves_no_file_behind() {
    let config = Config { sstable_block_bytes: 256, ..small() };
    // Where the fault is beyond the last call, nothing fails.
    let mut failures = 0;
    for call in 1..80 {
        let disk = SimDisk::new(call);
        let store = open(&disk, &config).expect("nothing fails yet");
        let table = store.create_table(new_table("t"), 0).expect("nothing fails yet");
        for attempt in 0..4 {
            write_rows(&store, &table, attempt).expect("nothing fails yet");
            store.flush().expect("nothing fails yet");
        }
        write_rows(&store, &table, 4).expect("nothing fails yet");
        disk.inject(Fault::Call(disk.calls() + call));
        if store.compact().is_ok() || write_rows(&store, &table, 5).is_err() {
            // Whether the manifest names the new files is not known once it could not be replaced.
            continue;
        }
        failures += 1;
        let stats = store.stats();
        let names = disk.list().expect("the disk is well again");
        let files = names.iter().filter(|name| name.ends_with(".sst") || name.ends_with(".nts")).count();
        assert_eq!(files, stats.segment_count + stats.notes_count, "call {call}: {names:?}");
        store.compact().unwrap_or_else(|error| panic!("call {call}: it goes on: {error}"));
        assert_eq!(names_as_of(&store.snapshot(), &table, 6).len(), 4 + 6);
    }
    assert!(failures > 10, "{failures} calls failed");
}

/// A power failure while the database comes back from a power failure.
#[test]
fn recovery_itself_may_be_interrupted() {
    let config = config();
    let disk = SimDisk::new(3);
    disk.inject(Fault::PowerBeforeSync(healthy(&config).syncs() * 2 / 3));
    let told = run(&disk, &config);
    for seed in 0..8 {
        let found = disk.after_crash(seed);
        for sync in 1..8 {
            let again = found.copy();
            again.inject(Fault::PowerBeforeSync(sync));
            drop(open(&again, &config));
            check(&again.after_crash(sync), &config, &told, &format!("seed {seed}, recovery stopped at sync {sync}"));
        }
    }
}
