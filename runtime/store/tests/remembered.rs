//! Does a scan that remembers what another saw give what a walk over all facts gives, whatever was noted, flushed, compacted
//! or erased between the two?
//!
//! Random commits end facts and state new ones; between them memtables are flushed, segments compacted and keys erased. Snapshots
//! are held over all of it, and each is asked again and again, at points of both times, beside newer ones that ask the same blocks:
//! so what one of them leaves behind is offered to all others. A list of facts says what is right. A failure prints its seed.

mod support;

use spectradb_kernel::{Column, Period, Type, Value, key::i64_bytes, schema::TableSchema, time::Commit};
use spectradb_store::{
    Config, MemDisk, Snapshot, Store,
    fact::{FactBatch, FactId, Superseded, Write},
    scan::{KeyRange, ScanColumn, ScanSpec, SystemScope, ValidScope},
};
use support::{new_table, open, small};

const KEYS: u64 = 100;
const SLOTS: u64 = 4;
const SLOT: i64 = 10;

/// A fact as the list keeps it: of a key, for one of the slots of valid time.
#[derive(Clone, Copy, Debug)]
struct Fact {
    key: i64,
    slot: i64,
    commit: Commit,
    end: Commit,
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn period(slot: i64) -> Period {
    Period::new(slot * SLOT, (slot + 1) * SLOT).expect("not empty")
}

/// States facts of some keys and slots, which end those that are there.
fn commit(store: &Store, table: &TableSchema, facts: &mut Vec<Fact>, mut places: Vec<(i64, i64)>) {
    places.sort_unstable();
    places.dedup();
    let snapshot = store.snapshot();
    let mut ended = Vec::new();
    let commit = snapshot.commit() + 1;
    for (key, slot) in &places {
        for fact in facts.iter_mut().filter(|fact| (fact.key, fact.slot, fact.end) == (*key, *slot, Commit::MAX)) {
            fact.end = commit;
            ended.push(FactId { key: i64_bytes(*key).to_vec(), valid_from: slot * SLOT, commit: fact.commit });
        }
    }
    let batch = FactBatch {
        table: table.id,
        schema_version: table.version,
        columns: vec![
            Column::from_i64s(Type::Integer, places.iter().map(|(key, _)| *key).collect()),
            Column::constant(Type::Text, Value::Null, places.len()),
            Column::from_f64s(vec![commit as f64; places.len()]),
        ],
        periods: places.iter().map(|(_, slot)| period(*slot)).collect(),
        origins: vec![0; places.len()],
    };
    let write = Write {
        snapshot: snapshot.commit(),
        record: snapshot.record(),
        catalog_version: snapshot.catalog().version,
        facts: vec![batch],
        superseded: vec![Superseded { table: table.id, facts: ended }],
        ..Write::default()
    };
    assert_eq!(store.commit(write).expect("nobody else writes").commit, commit);
    facts.extend(places.into_iter().map(|(key, slot)| Fact { key, slot, commit, end: Commit::MAX }));
}

/// What a scan gives: keys, beginnings and commits, in order.
fn scanned(snapshot: &Snapshot, table: &TableSchema, system: SystemScope, valid: ValidScope) -> Vec<(i64, i64, i64)> {
    let spec = ScanSpec {
        table: table.id,
        columns: vec![ScanColumn::Data(0), ScanColumn::ValidFrom, ScanColumn::Commit],
        keys: KeyRange::All,
        system,
        valid,
        predicates: Vec::new(),
        batch_rows_max: 100,
    };
    let mut rows = Vec::new();
    for batch in snapshot.scan(spec).expect("it opens") {
        let batch = batch.expect("it reads");
        let columns = [batch.column(0), batch.column(1), batch.column(2)];
        let at = |column: usize, row: usize| columns[column].i64s().at(row);
        rows.extend((0..batch.len()).map(|row| (at(0, row), at(1, row), at(2, row))));
    }
    rows.sort_unstable();
    rows
}

fn expected(facts: &[Fact], system: SystemScope, valid: ValidScope) -> Vec<(i64, i64, i64)> {
    let counts = |fact: &&Fact| {
        let seen = match system {
            SystemScope::AsOf(at) => fact.commit <= at && at < fact.end,
            SystemScope::Between { from, to } => fact.commit < to && from < fact.end,
            SystemScope::All => true,
        };
        seen && match valid {
            ValidScope::At(at) => period(fact.slot).contains(at),
            ValidScope::Overlaps(wanted) => period(fact.slot).overlaps(wanted),
            ValidScope::All => true,
        }
    };
    let row = |fact: &Fact| (fact.key, fact.slot * SLOT, fact.commit as i64);
    let mut rows: Vec<_> = facts.iter().filter(counts).map(row).collect();
    rows.sort_unstable();
    rows
}

fn run(seed: u64, cache_bytes: usize) -> (usize, usize) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let config = Config { sstable_block_bytes: 4 << 10, block_cache_bytes_max: cache_bytes, ..small() };
    let store = open(&MemDisk::new(), &config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let mut facts = Vec::new();
    let all: Vec<(i64, i64)> = (0..KEYS * SLOTS).map(|i| ((i / SLOTS) as i64, (i % SLOTS) as i64)).collect();
    commit(&store, &table, &mut facts, all);
    // Each held snapshot with the facts as they were then: an erasure leaves a snapshot what it is.
    let mut held: Vec<(Snapshot, Vec<Fact>)> = Vec::new();
    let (mut in_blocks, mut in_chunks) = (0, 0);
    for step in 0..60 {
        let story = format!("seed {seed}, step {step}, {cache_bytes} bytes of cache");
        match random.below(12) {
            0 => store.flush().expect("it writes"),
            1 => store.compact().expect("it writes"),
            2 => {
                let keys: Vec<i64> = (0..random.below(3)).map(|_| random.below(KEYS) as i64).collect();
                let bytes: Vec<Vec<u8>> = keys.iter().map(|key| i64_bytes(*key).to_vec()).collect();
                store.erase(table.id, &bytes).expect("it writes");
                facts.retain(|fact: &Fact| !keys.contains(&fact.key));
            }
            3 if !held.is_empty() => {
                held.remove(random.below(held.len() as u64) as usize);
            }
            4 | 5 if held.len() < 3 => held.push((store.snapshot(), facts.clone())),
            _ => {
                let count = [1, 2, 40, 300][random.below(4) as usize];
                let place = |random: &mut Random| (random.below(KEYS) as i64, random.below(SLOTS) as i64);
                let places = (0..count).map(|_| place(&mut random)).collect();
                commit(&store, &table, &mut facts, places);
            }
        }
        let newest = (store.snapshot(), facts.clone());
        for (snapshot, facts) in held.iter().chain([&newest, &newest]) {
            let commit = snapshot.commit();
            let past = random.below(commit + 1);
            let systems = [
                SystemScope::AsOf(commit),
                SystemScope::AsOf(past),
                SystemScope::Between { from: past, to: commit + 1 },
                SystemScope::All,
            ];
            let at = random.below(SLOTS * SLOT as u64) as i64;
            let valids =
                [ValidScope::All, ValidScope::At(at), ValidScope::Overlaps(Period::new(at, at + 15).expect("some"))];
            // The present of a snapshot as a whole, and two of the other questions.
            let questions = [(0, 0), (0, random.below(3)), (random.below(4), random.below(3))];
            for (system, valid) in questions.map(|(system, valid)| (systems[system as usize], valids[valid as usize])) {
                let rows = scanned(snapshot, &table, system, valid);
                assert!(rows == expected(facts, system, valid), "{story}: {system:?} {valid:?} at commit {commit}");
            }
        }
        let stats = store.stats();
        let cache = stats.block_cache;
        assert!(cache.remembered_bytes <= cache.bytes.min(cache_bytes / 2), "{story}: {cache:?}");
        in_blocks = in_blocks.max(cache.remembered_bytes);
        in_chunks = in_chunks.max(stats.memtable_remembered_bytes);
    }
    drop(held);
    store.compact().expect("it writes");
    let newest = store.snapshot();
    let now = SystemScope::AsOf(newest.commit());
    assert_eq!(scanned(&newest, &table, now, ValidScope::All), expected(&facts, now, ValidScope::All));
    // Nothing is noted on what was compacted, and what was remembered went with the files.
    assert_eq!(store.stats().block_cache.remembered_bytes, 0, "seed {seed}");
    (in_blocks, in_chunks)
}

#[test]
fn what_is_remembered_is_what_a_walk_would_give() {
    for seed in 1..=4 {
        let (in_blocks, in_chunks) = run(seed, Config::default().block_cache_bytes_max);
        assert!(in_blocks > 0 && in_chunks > 0, "seed {seed}: {in_blocks} and {in_chunks} bytes were remembered");
    }
}

/// Without room everything is found out again, and the answers are the same.
#[test]
fn a_small_cache_remembers_less_and_answers_alike() {
    for cache_bytes in [0, 8 << 10, 24 << 10] {
        run(7, cache_bytes);
    }
}

/// Rows of nothing but their keys are small, and what is remembered of them is not: it has a bound, and goes with the rows.
#[test]
fn memtables_remember_within_their_bound() {
    let config = Config { memtable_bytes_max: 256 << 10, bulk_bytes_min: usize::MAX, ..small() };
    let store = open(&MemDisk::new(), &config).expect("a new database");
    let mut new = new_table("t");
    new.columns.truncate(1);
    let table = store.create_table(new, store.catalog().version).expect("the name is free");
    let write = |ids: Vec<i64>, periods: fn(usize) -> Period| {
        let snapshot = store.snapshot();
        let count = ids.len();
        let facts = FactBatch {
            table: table.id,
            schema_version: table.version,
            columns: vec![Column::from_i64s(Type::Integer, ids)],
            periods: (0..count).map(periods).collect(),
            origins: vec![0; count],
        };
        let (commit, record) = (snapshot.commit(), snapshot.record());
        let catalog_version = snapshot.catalog().version;
        let write = Write { snapshot: commit, record, catalog_version, facts: vec![facts], ..Write::default() };
        store.commit(write).expect("no conflict");
    };
    // Half of them are valid now, so that each chunk has rows to remember.
    write((0..8_000).collect(), |row| period(row as i64 % 2));
    let count = |snapshot: &Snapshot| {
        let spec = ScanSpec {
            table: table.id,
            columns: vec![ScanColumn::Data(0)],
            keys: KeyRange::All,
            system: SystemScope::AsOf(snapshot.commit()),
            valid: ValidScope::At(5),
            predicates: Vec::new(),
            batch_rows_max: 1000,
        };
        snapshot.scan(spec).expect("it scans").map(|batch| batch.expect("it reads").len()).sum::<usize>()
    };
    let first = store.snapshot();
    assert_eq!(count(&first), 4_000);
    let remembered = || store.stats().memtable_remembered_bytes;
    let of_first = remembered();
    assert!(of_first >= 16_000, "a row number has four bytes: {of_first}");
    let mut snapshots = vec![first];
    for round in 1..8 {
        write((round * 10_000..round * 10_000 + 8_000).collect(), |row| period(row as i64 % 2));
        store.flush().expect("nothing fails");
        write((round * 10_000 + 8_000..round * 10_000 + 9_999).collect(), |row| period(row as i64 % 2));
        snapshots.push(store.snapshot());
        for _ in 0..2 {
            snapshots.iter().for_each(|snapshot| assert!(count(snapshot) >= 4_000));
        }
        assert!(remembered() <= (256 << 10) / 8, "{} bytes in round {round}", remembered());
    }
    assert_eq!(count(&snapshots[0]), 4_000, "what has no room is walked over");
    drop(snapshots);
    store.flush().expect("nothing fails");
    assert_eq!(remembered(), 0, "the chunks are gone");
}
