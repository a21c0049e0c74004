//! Does the store answer as a list of facts does, whatever happens between?
//!
//! Random writes and deletions of periods, with leftovers, go to the store and to a naive model; between them memtables
//! are flushed, segments compacted, calls fail, the power fails and the database is opened again. After each opening,
//! and now and then, every fact of random past states is compared. A failure prints its seed.

mod support;

use spectradb_kernel::{
    Column, Period, Type, Value,
    key::i64_bytes,
    schema::TableSchema,
    time::{Commit, Micros, Timestamp},
};
use spectradb_store::{
    CommitError, Compression, CompressionPolicy, Config, Disk, LogArchive, ManualClock, MemDisk, SimDisk, Store,
    StoreError,
    fact::{Committed, FactBatch, FactId, Retraction, Superseded, Write},
    fs::Fault,
    proof::Digest,
    restore::{At, restore},
    scan::{KeyRange, ScanColumn, ScanSpec, SystemScope, ValidScope},
};
use std::sync::Arc;
use support::{new_table, open, small, spilled};

/// A fact as the model keeps it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fact {
    key: i64,
    from: Micros,
    to: Micros,
    name: String,
    commit: Commit,
    origin: Commit,
    end: Commit,
}

/// One write to one key: a text for a period, or a deletion.
#[derive(Clone, Debug)]
struct Change {
    key: i64,
    period: Period,
    name: Option<String>,
}

/// How many commits there are, and the facts they make.
#[derive(Clone, Debug, Default)]
struct Model {
    commits: u64,
    facts: Vec<Fact>,
}

impl Model {
    fn current(&self, key: i64, period: Period) -> impl Iterator<Item = usize> + '_ {
        let touches = move |fact: &Fact| fact.key == key && fact.from < period.to() && period.from() < fact.to;
        (0..self.facts.len()).filter(move |i| self.facts[*i].end == Commit::MAX && touches(&self.facts[*i]))
    }

    fn apply(&mut self, changes: &[Change]) {
        let commit = self.commits + 1;
        for change in changes {
            let touched: Vec<usize> = self.current(change.key, change.period).collect();
            for fact_idx in touched {
                self.facts[fact_idx].end = commit;
                let old = self.facts[fact_idx].clone();
                let (before, after) = Period::new(old.from, old.to).expect("not empty").outside(change.period);
                for left in [before, after].into_iter().flatten() {
                    let origin = old.origin;
                    self.facts.push(Fact {
                        from: left.from(),
                        to: left.to(),
                        commit,
                        origin,
                        end: Commit::MAX,
                        ..old.clone()
                    });
                }
            }
            if let Some(name) = &change.name {
                let (from, to) = (change.period.from(), change.period.to());
                let fact =
                    Fact { key: change.key, from, to, name: name.clone(), commit, origin: commit, end: Commit::MAX };
                self.facts.push(fact);
            }
        }
        self.commits += 1;
    }

    /// The write that a session would send.
    fn write(&self, table: &TableSchema, changes: &[Change]) -> Write {
        let mut rows: Vec<(i64, Period, String, Commit)> = Vec::new();
        let mut ended = Vec::new();
        let mut deleted: Vec<(i64, Period)> = Vec::new();
        for change in changes {
            for fact_idx in self.current(change.key, change.period) {
                let old = &self.facts[fact_idx];
                ended.push(FactId { key: i64_bytes(old.key).to_vec(), valid_from: old.from, commit: old.commit });
                let (before, after) = Period::new(old.from, old.to).expect("not empty").outside(change.period);
                rows.extend(
                    [before, after].into_iter().flatten().map(|left| (old.key, left, old.name.clone(), old.origin)),
                );
            }
            match &change.name {
                Some(name) => rows.push((change.key, change.period, name.clone(), 0)),
                None => deleted.push((change.key, change.period)),
            }
        }
        let names: Vec<Value> = rows.iter().map(|(_, _, name, _)| Value::from(name.as_str())).collect();
        let facts = FactBatch {
            table: table.id,
            schema_version: table.version,
            columns: vec![
                Column::from_i64s(Type::Integer, rows.iter().map(|row| row.0).collect()),
                Column::from_values(Type::Text, &names),
                Column::constant(Type::Real, Value::Null, rows.len()),
            ],
            periods: rows.iter().map(|row| row.1).collect(),
            origins: rows.iter().map(|row| row.3).collect(),
        };
        let retraction = Retraction {
            table: table.id,
            keys: vec![Column::from_i64s(Type::Integer, deleted.iter().map(|(key, _)| *key).collect())],
            periods: deleted.iter().map(|(_, period)| *period).collect(),
        };
        Write {
            snapshot: self.commits,
            record: u64::MAX,
            catalog_version: 1,
            facts: vec![facts],
            retractions: vec![retraction],
            superseded: vec![Superseded { table: table.id, facts: ended }],
            ..Write::default()
        }
    }

    /// What the model was after a commit.
    fn past(&self, at: Commit) -> Model {
        let mut facts: Vec<Fact> = self.facts.iter().filter(|fact| fact.commit <= at).cloned().collect();
        facts.iter_mut().filter(|fact| fact.end > at).for_each(|fact| fact.end = Commit::MAX);
        Model { commits: at, facts }
    }

    /// The facts current after a commit.
    fn as_of(&self, at: Commit) -> Vec<Fact> {
        let mut facts: Vec<Fact> =
            self.facts.iter().filter(|fact| fact.commit <= at && at < fact.end).cloned().collect();
        facts.iter_mut().for_each(|fact| fact.end = Commit::MAX);
        facts.sort();
        facts
    }
}

/// Does a fact lie in a part of both times?
fn lies_in(fact: &Fact, system: SystemScope, valid: ValidScope) -> bool {
    let seen = match system {
        SystemScope::AsOf(at) => fact.commit <= at && at < fact.end,
        SystemScope::Between { from, to } => fact.commit < to && from < fact.end,
        SystemScope::All => true,
    };
    let holds = match valid {
        ValidScope::At(at) => fact.from <= at && at < fact.to,
        ValidScope::Overlaps(period) => fact.from < period.to() && period.from() < fact.to,
        ValidScope::All => true,
    };
    seen && holds
}

fn as_of(store: &Store, table: &TableSchema, at: Commit) -> Result<Vec<Fact>, StoreError> {
    read(store, table, KeyRange::All, SystemScope::AsOf(at), ValidScope::All)
}

fn read(
    store: &Store,
    table: &TableSchema,
    keys: KeyRange,
    system: SystemScope,
    valid: ValidScope,
) -> Result<Vec<Fact>, StoreError> {
    use ScanColumn::{Commit as Written, Data, Origin, ValidFrom, ValidTo};
    let spec = ScanSpec {
        table: table.id,
        columns: vec![Data(0), ValidFrom, ValidTo, Data(1), Written, Origin],
        keys,
        system,
        valid,
        predicates: Vec::new(),
        batch_rows_max: 64,
    };
    let mut facts = Vec::new();
    for batch in store.snapshot().scan(spec)? {
        let batch = batch?;
        for row in 0..batch.len() {
            let number = |column_idx: usize| match batch.column(column_idx).value(row) {
                Value::Integer(number) | Value::Timestamp(Timestamp(number)) => number,
                other => panic!("{other:?} is no number"),
            };
            facts.push(Fact {
                key: number(0),
                from: number(1),
                to: number(2),
                name: batch.column(3).value(row).to_string(),
                commit: number(4).cast_unsigned(),
                origin: number(5).cast_unsigned(),
                end: Commit::MAX,
            });
        }
    }
    facts.sort();
    Ok(facts)
}

/// Numbers that follow from a seed.
struct Dice {
    state: u64,
    /// Keys are below this, and so are the instants where periods begin and end.
    keys: u64,
    instants: u64,
}

impl Dice {
    /// Many keys of few periods; of some seeds few keys of so many periods that one key fills files.
    fn new(seed: u64) -> Dice {
        let (keys, instants) = if seed.is_multiple_of(3) { (4, 900) } else { (12, 30) };
        Dice { state: seed, keys, instants }
    }

    fn key(&mut self) -> i64 {
        self.roll(self.keys) as i64
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below.max(1)
    }

    fn changes(&mut self) -> Vec<Change> {
        let mut keys: Vec<i64> = (0..1 + self.roll(4)).map(|_| self.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        let change = |key| {
            let period = self.period();
            let name = (self.roll(5) > 0).then(|| format!("n{}", self.roll(1_000)));
            Change { key, period, name }
        };
        keys.into_iter().map(change).collect()
    }

    fn period(&mut self) -> Period {
        let from = self.roll(self.instants * 2 / 3) as i64;
        let rarely = if self.instants > 30 { 400 } else { 4 };
        match self.roll(rarely) {
            0 => Period::ALWAYS,
            1 => Period::new(from, Micros::MAX).expect("not empty"),
            _ => Period::new(from, from + 1 + self.roll(9) as i64).expect("not empty"),
        }
    }
}

fn check(store: &Store, table: &TableSchema, model: &Model, dice: &mut Dice, story: &str) {
    let newest = model.commits;
    assert_eq!(store.snapshot().commit(), newest, "{story}");
    let first = store.snapshot().horizon(table.id).unwrap_or_else(|error| panic!("{story}: {error}"));
    assert!(first <= newest, "{story}: the present is always kept");
    for at in [newest, first, dice.roll(newest + 1), dice.roll(newest + 1)] {
        match as_of(store, table, at) {
            Ok(found) => assert!(at >= first && found == model.as_of(at), "{story}: as of {at}, kept from {first}"),
            Err(StoreError::BeforeHorizon { horizon, .. }) => assert!(at < first && horizon == first, "{story}: {at}"),
            Err(error) => panic!("{story}: {error}"),
        }
    }
    // Keys are looked up another way than tables are scanned, and so are those that somebody writes.
    let keys: Vec<i64> = (0..dice.keys as i64).collect();
    let encoded: Vec<_> = keys.iter().map(|key| i64_bytes(*key)).collect();
    let periods: Vec<Period> = keys.iter().map(|_| dice.period()).collect();
    let overlaps = store.snapshot().overlapping(table.id, &encoded, &periods);
    let overlaps = overlaps.unwrap_or_else(|error| panic!("{story}: {error}"));
    let mut found: Vec<_> = overlaps.iter().map(|overlap| (overlap.key_idx, overlap.period.from())).collect();
    let current = |at: usize| model.current(keys[at], periods[at]).map(move |fact| (at, model.facts[fact].from));
    let mut expected: Vec<_> = (0..keys.len()).flat_map(current).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{story}: what touches {periods:?}");
    for _ in 0..6 {
        let (key, instant) = (dice.key(), dice.roll(dice.instants) as i64);
        let at = first + dice.roll(newest - first + 1);
        let system = match dice.roll(4) {
            0 => SystemScope::Between { from: at, to: at + 1 + dice.roll(newest - at + 1) },
            1 if first == 0 => SystemScope::All,
            _ => SystemScope::AsOf(at),
        };
        let valid = match dice.roll(4) {
            0 => ValidScope::All,
            1 => ValidScope::Overlaps(Period::new(instant, instant + 3).expect("not empty")),
            _ => ValidScope::At(instant),
        };
        let asked = format!("{story}: key {key}, {system:?}, {valid:?}");
        let keys = KeyRange::Exact(vec![i64_bytes(key).to_vec()]);
        let found = read(store, table, keys, system, valid).unwrap_or_else(|error| panic!("{asked}: {error}"));
        let wanted = model.facts.iter().filter(|fact| fact.key == key && lies_in(fact, system, valid));
        let mut expected: Vec<Fact> = wanted.map(|fact| Fact { end: Commit::MAX, ..fact.clone() }).collect();
        expected.sort();
        assert_eq!(found, expected, "{asked}");
        if system == SystemScope::AsOf(newest) && matches!(valid, ValidScope::At(_)) {
            let name = store.snapshot().point(table.id, &i64_bytes(key), instant, |value| value(1).to_string());
            assert_eq!(name.expect("it reads"), found.first().map(|fact| fact.name.clone()), "{asked}");
        }
    }
}

/// Everything packed, from the first flush on.
const PACKED: CompressionPolicy = CompressionPolicy {
    warm_from: 0,
    warm: Compression::Lz4,
    cold_from: 1,
    cold: Compression::Zstd(1),
    history: Compression::Lz4,
};

/// What the ledger says of the tables, and of every state somebody kept a digest of.
fn verify(store: &Store, digests: &mut Vec<Digest>, dice: &mut Dice, story: &str) {
    let earlier = match digests.len() as u64 {
        0 => None,
        count => Some(&digests[dice.roll(count) as usize]),
    };
    let found = store.verify(earlier).unwrap_or_else(|error| panic!("{story}: {error}"));
    assert_eq!(found.difference, None, "{story}");
    assert_eq!(found.facts, found.proven + found.pruned, "{story}");
    digests.push(found.digest);
}

/// Restores a random past state beside the open database: it is that state, the ledger goes on from it, and it goes on by itself.
/// Answers the first commit that can be restored, where this one could not.
fn restore_one(
    from: Arc<dyn Disk>,
    (store, config): (&Store, &Config),
    model: &Model,
    (at, dice): (Commit, &mut Dice),
    story: &str,
) -> Option<Commit> {
    let disk = MemDisk::new();
    let to: Arc<dyn Disk> = Arc::new(disk.clone());
    let clock = Arc::new(ManualClock::new(1_000));
    let restored = match restore(from, &to, clock.clone(), At::Commit(at), config) {
        Ok(restored) => restored,
        Err(StoreError::NotRestorable { first, .. }) => return Some(first),
        Err(StoreError::BeforeFirst) if at == 0 => return None,
        Err(error) => panic!("{story}: commit {at}: {error}"),
    };
    assert_eq!((restored.digest.commit, restored.verified.difference), (at, None), "{story}");
    let proof = store.prove_consistency(restored.digest.records, None).expect("the links are there");
    let now = store.digest().expect("the links are there");
    assert_eq!(proof.expect("it has as many").check(&restored.digest, &now), Ok(()), "{story}: commit {at}");
    let config = Config { shard_count: None, ..config.clone() };
    let mut copy = open(&disk, &config).unwrap_or_else(|error| panic!("{story}: commit {at}: {error}"));
    assert_eq!(copy.digest().expect("the links are there"), restored.digest, "{story}");
    let mut past = model.past(at);
    let Some(table) = copy.catalog().by_name("t").cloned() else {
        assert_eq!(at, 0, "{story}: the table was made before the first commit");
        return None;
    };
    check(&copy, &table, &past, dice, &format!("{story}, restored at {at}"));
    for step in 0..4 {
        let changes = dice.changes();
        copy.commit(past.write(&table, &changes)).unwrap_or_else(|error| panic!("{story}: {error}"));
        past.apply(&changes);
        match step {
            0 => copy.flush().unwrap_or_else(|error| panic!("{story}: {error}")),
            1 => copy.compact().unwrap_or_else(|error| panic!("{story}: {error}")),
            2 => {
                copy.close().unwrap_or_else(|error| panic!("{story}: {error}"));
                copy = open(&disk, &config).unwrap_or_else(|error| panic!("{story}: {error}"));
            }
            _ => {}
        }
        check(&copy, &table, &past, dice, &format!("{story}, restored at {at}, gone on"));
    }
    let found = copy.verify(Some(&restored.digest)).unwrap_or_else(|error| panic!("{story}: {error}"));
    assert_eq!((found.difference, found.digest.timeline), (None, restored.timeline), "{story}");
    let proof = copy.prove_consistency(restored.digest.records, None).expect("the links are there");
    assert_eq!(proof.expect("it has as many").check(&restored.digest, &found.digest), Ok(()), "{story}");
    None
}

/// Commits a write; where segments take writes at once, some have theirs before they commit.
fn send(store: &Store, table: &Arc<TableSchema>, write: Write, dice: &mut Dice) -> Result<Committed, CommitError> {
    let write = match store.config().bulk_bytes_min < usize::MAX && dice.roll(3) == 0 {
        true => spilled(store, &store.snapshot(), table, write)?,
        false => write,
    };
    store.commit(write)
}

fn live(seed: u64, shard_count: u32, steps: usize) {
    let log_archive = [LogArchive::Keep, LogArchive::Drop, LogArchive::Compress, LogArchive::Drop][seed as usize % 4];
    let config = Config {
        memtable_bytes_max: if seed.is_multiple_of(3) { 2 << 10 } else { 6 << 10 },
        sstable_block_bytes: if seed.is_multiple_of(3) { 1 } else { Config::default().sstable_block_bytes },
        level0_segments_max: 2,
        log_segment_bytes: 8 << 10,
        shard_count: Some(shard_count),
        // Some of the histories are read with a cache that keeps nothing, or little.
        block_cache_bytes_max: [0, 20_000, usize::MAX][seed as usize % 3],
        compression: [CompressionPolicy::NONE, CompressionPolicy::COLD, PACKED][seed as usize / 3 % 3],
        mapped: (seed / 4).is_multiple_of(2),
        log_archive,
        // Some write everything to the log, some nothing, some by size.
        bulk_bytes_min: [usize::MAX, 0, 150][seed as usize / 2 % 3],
        ..small()
    };
    let mut dice = Dice::new(seed);
    let mut disk = SimDisk::new(seed);
    let mut store = open(&disk, &config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let mut model = Model::default();
    let mut digests = Vec::new();
    let (mut policies, mut receipts) = (0, 0);
    for step in 0..steps {
        let story = format!("seed {seed}, {shard_count} shards, step {step}");
        let mut unknown = None;
        match dice.roll(64) {
            0 => {
                store.flush().unwrap_or_else(|error| panic!("{story}: {error}"));
            }
            1 => store.compact().unwrap_or_else(|error| panic!("{story}: {error}")),
            2 => {
                store.close().unwrap_or_else(|error| panic!("{story}: {error}"));
                drop(store);
                store = open(&disk, &config).unwrap_or_else(|error| panic!("{story}: {error}"));
            }
            3 | 4 => {
                // Whatever comes next meets a failing call, or the power goes at the next sync but some.
                let fault = match dice.roll(3) {
                    0 => Fault::PowerBeforeSync(disk.syncs() + 1 + dice.roll(12)),
                    1 => Fault::PowerAfterSync(disk.syncs() + 1 + dice.roll(12)),
                    _ => Fault::Call(disk.calls() + 1 + dice.roll(60)),
                };
                disk.inject(fault);
                for _ in 0..6 {
                    let changes = dice.changes();
                    match send(&store, &table, model.write(&table, &changes), &mut dice) {
                        Ok(_) => model.apply(&changes),
                        Err(CommitError::Store(StoreError::OutcomeUnknown { .. })) => {
                            unknown = Some(changes);
                            break;
                        }
                        Err(CommitError::Store(_)) => {}
                        Err(error) => panic!("{story}: {error}"),
                    }
                }
                drop(store);
                disk = disk.after_crash(seed + step as u64);
                store = open(&disk, &config).unwrap_or_else(|error| panic!("{story}, {fault:?}: {error}"));
                if let Some(changes) = unknown
                    && store.snapshot().commit() > model.commits
                {
                    model.apply(&changes);
                }
            }
            5 => {
                // Commits are a microsecond apart.
                let retention = [None, Some(0), Some(dice.roll(100) as i64)][dice.roll(3) as usize];
                let set = store.set_retention(table.id, retention, store.catalog().version);
                set.unwrap_or_else(|error| panic!("{story}: {error}"));
                policies += 1;
            }
            6 => {
                let keys: Vec<i64> = (0..1 + dice.roll(2)).map(|_| dice.key()).collect();
                let encoded: Vec<Vec<u8>> = keys.iter().map(|key| i64_bytes(*key).to_vec()).collect();
                let erased = store.erase(table.id, &encoded).unwrap_or_else(|error| panic!("{story}: {error}"));
                model.facts.retain(|fact| !keys.contains(&fact.key));
                receipts += usize::from(erased.is_some());
            }
            7 => {
                let at = dice.roll(model.commits + 1);
                let from: Arc<dyn Disk> = Arc::new(disk.clone());
                let first = restore_one(from.clone(), (&store, &config), &model, (at, &mut dice), &story);
                if let Some(first) = first {
                    assert!(policies > 0 && at < first && first <= model.commits, "{story}: {at} but {first}");
                    let first = restore_one(from, (&store, &config), &model, (first, &mut dice), &story);
                    assert_eq!(first, None, "{story}");
                }
            }
            _ => {
                let changes = dice.changes();
                let sent = send(&store, &table, model.write(&table, &changes), &mut dice);
                sent.unwrap_or_else(|error| panic!("{story}: {error}"));
                model.apply(&changes);
                if dice.roll(8) > 0 {
                    continue;
                }
            }
        }
        check(&store, &table, &model, &mut dice, &story);
        verify(&store, &mut digests, &mut dice, &story);
    }
    assert!(store.stats().segment_count >= 2, "seed {seed}: memtables were flushed: {:?}", store.stats());
    if log_archive == LogArchive::Drop {
        return;
    }
    // The ledger alone tells the same story.
    let records: Result<Vec<_>, _> = store.replay(1).expect("all is kept").collect();
    match records {
        Ok(records) => assert_eq!(records.len(), model.commits as usize + 1 + policies + receipts),
        Err(StoreError::FactsPruned { .. }) if policies > 0 && config.bulk_bytes_min < usize::MAX => {}
        Err(error) => panic!("seed {seed}: the chain verifies: {error}"),
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// An ordinary run takes 2,400 steps. `SPECTRADB_STORE_STEPS` asks for more of them, in histories of 400 steps, whose seeds go on from
/// `SPECTRADB_SEED`; a failure says its seed, and `SPECTRADB_SEED=n SPECTRADB_STORE_STEPS=400` tells the same history again.
#[test]
fn the_store_answers_as_a_list_of_facts_does() {
    let (first, steps) = (setting("SPECTRADB_SEED", 1), setting("SPECTRADB_STORE_STEPS", 2_400));
    println!("SPECTRADB_SEED={first} SPECTRADB_STORE_STEPS={steps}");
    for seed in first..first + steps.div_ceil(400) {
        live(seed, [8, 1, 3][seed as usize % 3], 400);
        println!("seed {seed} is clean");
    }
}
