//! Does the tree answer every point of both times as a list of facts would?
//!
//! Random transactions over a few keys go to the tree and to a plain list; between them the tree is frozen, flushed,
//! compacted and opened again. Then every commit and instant is asked of both, by scan and by key.

use super::*;
use crate::{
    catalog::Catalogs,
    commit::Visible,
    commits::COMMITS,
    fact::{FactBatch, Overlap, Superseded},
    manifest::{ManifestState, SLOT_COUNT},
    scan::{KeyRange, ScanColumn, ScanSpec, SystemScope},
    snapshot::Snapshot,
};
use spectradb_kernel::{
    Column, Type,
    column::ColumnBuilder,
    key,
    schema::{ColumnId, ColumnSchema, TableKind, TableSchema},
    time::COMMIT_OPEN,
};

/// A small generator of numbers; the seed is printed when a test fails.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Fact {
    key: Vec<Value>,
    amount: Option<f64>,
    note: Option<String>,
    from: Micros,
    to: Micros,
    commit: Commit,
    origin: Commit,
    end: Commit,
}

pub(crate) const TABLE: TableId = TableId(7);

/// A table of key columns, a REAL and a TEXT.
pub(crate) fn catalog_of(key_types: &[Type]) -> Arc<Catalog> {
    let column = |id: usize, ty: Type, nullable: bool| ColumnSchema {
        id: ColumnId(id as u32),
        name: format!("c{id}"),
        ty,
        nullable,
        default: None,
        hidden: false,
    };
    // The key is not where the columns begin.
    let mut columns = vec![column(1, Type::Real, true)];
    columns.extend(key_types.iter().enumerate().map(|(i, ty)| column(i + 2, *ty, false)));
    columns.push(column(key_types.len() + 2, Type::Text, true));
    let schema = TableSchema {
        id: TABLE,
        name: "t".to_owned(),
        version: 1,
        kind: TableKind::Typed,
        columns,
        key: (1..=key_types.len()).collect(),
    };
    Arc::new(Catalog { version: 1, tables: vec![Arc::new(schema)], ..Catalog::default() })
}

/// What happens to a key over a period: an amount or NULL is put, or it is deleted.
type Change = (Vec<Value>, Period, Option<Option<f64>>);

struct World {
    disk: Arc<dyn Disk>,
    config: Config,
    shards: Shards,
    state: Arc<Mutex<TreeState>>,
    /// What the log would keep.
    log: Vec<Write>,
    tree: Arc<Tree>,
    catalog: Arc<Catalog>,
    key_types: Vec<Type>,
    facts: Vec<Fact>,
    commit: Commit,
}

impl World {
    fn new(key_types: &[Type], shard_count: u32) -> World {
        World::with_memtables(key_types, shard_count, 2000)
    }

    fn with_memtables(key_types: &[Type], shard_count: u32, memtable_bytes_max: usize) -> World {
        let disk: Arc<dyn Disk> = Arc::new(crate::fs::MemDisk::new());
        let shards = Shards::new(shard_count, &ManifestState::empty(shard_count).slots);
        let config =
            Config { sstable_block_bytes: 2048, level0_segments_max: 3, memtable_bytes_max, ..Config::default() };
        let tree = Tree::open(
            disk.clone(),
            TreeState::default(),
            (shards.clone(), Arc::default()),
            identity(),
            &config,
            Arc::default(),
            readers(&disk),
        );
        let tree = tree.expect("an empty tree opens");
        World {
            disk,
            config,
            shards,
            state: Arc::default(),
            log: Vec::new(),
            tree,
            catalog: catalog_of(key_types),
            key_types: key_types.to_vec(),
            facts: Vec::new(),
            commit: 0,
        }
    }

    fn edit(&self) -> impl Fn(&Edit) -> Result<()> + use<> {
        let state = self.state.clone();
        move |edit| {
            let mut state = state.lock().expect("no test panics here");
            *state = state.clone().after(edit);
            Ok(())
        }
    }

    fn freeze(&self) {
        self.tree.freeze(self.commit, self.commit);
    }

    fn flush(&self) -> bool {
        self.tree.flush_one(&self.edit()).expect("flushes")
    }

    fn compact(&self, dice: &mut Dice) {
        match dice.roll(3) {
            0 => self.tree.compact_all(None, &|_| Ok(0), &self.edit()).expect("compacts"),
            1 => while self.tree.compact_one(&|_| Ok(0), &self.edit()).expect("compacts") {},
            _ => drop(self.tree.compact_one(&|_| Ok(0), &self.edit()).expect("compacts")),
        }
    }

    /// Opens the files again and replays what they do not hold.
    fn reopen(&mut self) {
        let state = self.state.lock().expect("no test panics here").clone();
        let checkpoint = state.checkpoint;
        let tree = Tree::open(
            self.disk.clone(),
            state,
            (self.shards.clone(), Arc::default()),
            identity(),
            &self.config,
            Arc::default(),
            readers(&self.disk),
        );
        self.tree = tree.expect("opens");
        for (at, write) in self.log.iter().enumerate().skip(checkpoint.record as usize) {
            let commit = at as Commit + 1;
            let applied = Applied {
                commit,
                instant: commit as i64 * 10,
                record: commit,
                catalog: &self.catalog,
                write,
                bulk: &[],
            };
            self.tree.apply(&applied).expect("applies");
        }
    }

    fn snapshot(&self) -> Snapshot {
        let instant = self.commit as i64 * 10;
        let visible = Visible { record: 0, commit: self.commit, instant, catalog: self.catalog.clone() };
        Snapshot::new(self.tree.view(), Arc::new(visible), Arc::new(Catalogs::default()))
    }

    fn key_bytes(&self, key: &[Value]) -> Vec<u8> {
        let mut bytes = Vec::new();
        key::encode_values(key, &self.key_types, &mut bytes);
        bytes
    }

    /// One transaction: each key is put or deleted over a period.
    fn transact(&mut self, changes: &[Change]) {
        let commit = self.commit + 1;
        let (mut added, mut ended) = (Vec::new(), Vec::new());
        for (key, period, put) in changes {
            for fact in self.facts.iter_mut().filter(|fact| fact.key == *key && fact.end == COMMIT_OPEN) {
                let old = Period::new(fact.from, fact.to).expect("facts have periods");
                if !old.overlaps(*period) {
                    continue;
                }
                fact.end = commit;
                ended.push(fact.clone());
                let (before, after) = old.outside(*period);
                for left in [before, after].into_iter().flatten() {
                    let origin = if fact.origin == 0 { fact.commit } else { fact.origin };
                    added.push(Fact {
                        from: left.from(),
                        to: left.to(),
                        commit,
                        origin,
                        end: COMMIT_OPEN,
                        ..fact.clone()
                    });
                }
            }
            if let Some(amount) = put {
                let note = amount.map(|amount| format!("note {}", amount as i64 % 3));
                let (from, to) = (period.from(), period.to());
                added.push(Fact {
                    key: key.clone(),
                    amount: *amount,
                    note,
                    from,
                    to,
                    commit,
                    origin: 0,
                    end: COMMIT_OPEN,
                });
            }
        }
        let mut columns: Vec<ColumnBuilder> =
            self.catalog.tables[0].columns.iter().map(|column| ColumnBuilder::new(column.ty)).collect();
        for fact in &added {
            columns[0].push(&Value::from(fact.amount));
            fact.key.iter().zip(&mut columns[1..]).for_each(|(part, column)| column.push(part));
            columns.last_mut().expect("there is a note").push(&Value::from(fact.note.clone()));
        }
        let batch = FactBatch {
            table: TABLE,
            schema_version: 1,
            columns: columns.into_iter().map(ColumnBuilder::finish).collect(),
            periods: added.iter().map(|fact| Period::new(fact.from, fact.to).expect("not empty")).collect(),
            origins: added.iter().map(|fact| fact.origin).collect(),
        };
        let ids = ended.iter().map(|fact| FactId {
            key: self.key_bytes(&fact.key),
            valid_from: fact.from,
            commit: fact.commit,
        });
        let superseded = vec![Superseded { table: TABLE, facts: ids.collect() }];
        for id in &superseded[0].facts {
            assert!(self.tree.is_current(TABLE, id).expect("readable"), "{id:?}");
        }
        let write = Write { facts: vec![batch], superseded, ..Write::default() };
        let applied = Applied {
            commit,
            instant: commit as i64 * 10,
            record: commit,
            catalog: &self.catalog,
            write: &write,
            bulk: &[],
        };
        self.tree.apply(&applied).expect("applies");
        for id in &write.superseded[0].facts {
            assert!(!self.tree.is_current(TABLE, id).expect("readable"), "{id:?}");
        }
        self.log.push(write);
        self.facts.extend(added);
        self.commit = commit;
    }

    fn scan(&self, snapshot: &Snapshot, keys: KeyRange, system: SystemScope, valid: ValidScope) -> Vec<Fact> {
        let width = self.key_types.len();
        let mut columns: Vec<ScanColumn> = (0..width + 2).map(ScanColumn::Data).collect();
        columns.extend([
            ScanColumn::ValidFrom,
            ScanColumn::ValidTo,
            ScanColumn::Commit,
            ScanColumn::Origin,
            ScanColumn::SystemTo,
            ScanColumn::SystemFrom,
        ]);
        let spec = ScanSpec { table: TABLE, columns, keys, system, valid, predicates: Vec::new(), batch_rows_max: 100 };
        let mut facts = Vec::new();
        for batch in snapshot.scan(spec).expect("scans") {
            let batch = batch.expect("reads");
            assert!(batch.len() <= 100);
            let columns: Vec<Column> = (0..batch.column_count()).map(|i| batch.column(i)).collect();
            for row in 0..batch.len() {
                let value = |i: usize| columns[i].value(row);
                let integer = |value: Value| match value {
                    Value::Integer(value) | Value::Timestamp(spectradb_kernel::time::Timestamp(value)) => value,
                    other => panic!("{other:?} is no number"),
                };
                let commit = integer(value(width + 4)).cast_unsigned();
                let origin = integer(value(width + 5)).cast_unsigned();
                assert_eq!(integer(value(width + 7)), commit as i64 * 10);
                let end = match integer(value(width + 6)) {
                    i64::MAX => COMMIT_OPEN,
                    instant => instant as u64 / 10,
                };
                let amount = match value(0) {
                    Value::Real(amount) => Some(amount),
                    _ => None,
                };
                let note = match value(width + 1) {
                    Value::Text(note) => Some(note),
                    _ => None,
                };
                facts.push(Fact {
                    key: (1..=width).map(value).collect(),
                    amount,
                    note,
                    from: integer(value(width + 2)),
                    to: integer(value(width + 3)),
                    commit,
                    origin: if origin == commit { 0 } else { origin },
                    end,
                });
            }
        }
        facts.sort_by(|a, b| format!("{a:?}").cmp(&format!("{b:?}")));
        facts
    }

    /// What a list of facts answers.
    fn naive(&self, pinned: Commit, system: SystemScope, valid: ValidScope) -> Vec<Fact> {
        let mut facts: Vec<Fact> = self
            .facts
            .iter()
            .filter(|fact| match system {
                SystemScope::AsOf(at) => fact.commit <= at && at < fact.end,
                SystemScope::Between { from, to } => fact.commit < to && from < fact.end,
                SystemScope::All => true,
            })
            .filter(|fact| fact.commit <= pinned)
            .filter(|fact| match valid {
                ValidScope::At(at) => fact.from <= at && at < fact.to,
                ValidScope::Overlaps(period) => fact.from < period.to() && period.from() < fact.to,
                ValidScope::All => true,
            })
            .map(|fact| {
                let reach = match system {
                    SystemScope::AsOf(at) => at,
                    SystemScope::Between { to, .. } => (to - 1).min(pinned),
                    SystemScope::All => pinned,
                };
                Fact { end: if fact.end > reach { COMMIT_OPEN } else { fact.end }, ..fact.clone() }
            })
            .collect();
        facts.sort_by(|a, b| format!("{a:?}").cmp(&format!("{b:?}")));
        facts
    }

    /// Asks everything of both.
    fn check(&self, snapshot: &Snapshot, dice: &mut Dice) {
        let pinned = snapshot.commit();
        let mut systems = vec![SystemScope::AsOf(pinned), SystemScope::All, SystemScope::AsOf(0)];
        systems.extend((0..4).map(|_| SystemScope::AsOf(dice.roll(pinned + 1))));
        let from = dice.roll(pinned + 1);
        systems.push(SystemScope::Between { from, to: from + 1 + dice.roll(4) });
        let start = dice.roll(20) as i64 - 5;
        let period = Period::new(start, start + 1 + dice.roll(6) as i64).expect("not empty");
        let valids = [
            ValidScope::All,
            ValidScope::At(dice.roll(22) as i64 - 1),
            ValidScope::At(i64::MIN),
            ValidScope::Overlaps(period),
        ];
        for system in systems {
            for valid in valids {
                let expected = self.naive(pinned, system, valid);
                assert_eq!(self.scan(snapshot, KeyRange::All, system, valid), expected, "{system:?} {valid:?}");
                let mut keys: Vec<Vec<u8>> = self.facts.iter().map(|fact| self.key_bytes(&fact.key)).collect();
                keys.sort_unstable();
                keys.dedup();
                assert_eq!(
                    self.scan(snapshot, KeyRange::Exact(keys.clone()), system, valid),
                    expected,
                    "{system:?} {valid:?}"
                );
                let Some(low) = keys.get(dice.roll(keys.len() as u64 + 1) as usize) else { continue };
                let within = expected.iter().filter(|fact| self.key_bytes(&fact.key) >= *low);
                let range =
                    KeyRange::Between { low: std::ops::Bound::Included(low.clone()), high: std::ops::Bound::Unbounded };
                assert_eq!(self.scan(snapshot, range, system, valid), within.cloned().collect::<Vec<_>>());
                let one = expected.iter().filter(|fact| self.key_bytes(&fact.key) == *low);
                let one: Vec<Fact> = one.cloned().collect();
                assert_eq!(self.scan(snapshot, KeyRange::Exact(vec![low.clone()]), system, valid), one);
            }
        }
        let current = self.naive(pinned, SystemScope::AsOf(pinned), ValidScope::Overlaps(period));
        let mut keys: Vec<Vec<u8>> = self.facts.iter().map(|fact| self.key_bytes(&fact.key)).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut overlaps = snapshot.overlapping(TABLE, &keys, &vec![period; keys.len()]).expect("reads");
        let key_idx = |fact: &Fact| keys.binary_search(&self.key_bytes(&fact.key)).expect("it is one of them");
        let mut expected: Vec<Overlap> = current
            .iter()
            .map(|fact| Overlap {
                key_idx: key_idx(fact),
                period: Period::new(fact.from, fact.to).expect("not empty"),
                commit: fact.commit,
            })
            .collect();
        let order = |overlap: &Overlap| (overlap.key_idx, overlap.period, overlap.commit);
        overlaps.sort_by_key(order);
        expected.sort_by_key(order);
        assert_eq!(overlaps, expected);
        let seen = self.facts.iter().map(|fact| self.key_bytes(&fact.key)).max();
        assert_eq!(snapshot.key_max(TABLE).expect("reads"), seen);
        for commit in 0..=pinned {
            let instant = if commit == 0 { i64::MIN } else { commit as i64 * 10 };
            assert_eq!(snapshot.instant_of(commit).expect("reads"), instant);
        }
        assert_eq!(snapshot.commit_at(i64::MIN).expect("reads"), 0);
        assert_eq!(snapshot.commit_at(pinned as i64 * 10 + 5).expect("reads"), pinned);
    }
}

fn readers(disk: &Arc<dyn Disk>) -> Arc<crate::readers::Readers> {
    Arc::new(crate::readers::Readers::new(disk.clone(), identity()))
}

fn identity() -> Identity {
    Identity { database: [3; 16], timeline: 1, forked_at: 0, epoch: 1 }
}

fn random_key(types: &[Type], dice: &mut Dice) -> Vec<Value> {
    types
        .iter()
        .map(|ty| match ty {
            Type::Integer => Value::Integer(dice.roll(6) as i64 - 2),
            Type::Text => Value::Text("ab\0c".chars().take(dice.roll(5) as usize).collect()),
            Type::Real => Value::Real([-1.5, 0.0, 2.25][dice.roll(3) as usize]),
            other => panic!("no random {other}"),
        })
        .collect()
}

fn random_period(dice: &mut Dice) -> Period {
    match dice.roll(4) {
        0 => Period::ALWAYS,
        1 => Period::new(dice.roll(15) as i64, i64::MAX).expect("not empty"),
        _ => {
            let from = dice.roll(15) as i64;
            Period::new(from, from + 1 + dice.roll(6) as i64).expect("not empty")
        }
    }
}

/// Changes of distinct keys.
fn random_changes(types: &[Type], dice: &mut Dice) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for _ in 0..1 + dice.roll(4) {
        let key = random_key(types, dice);
        if changes.iter().any(|(other, ..)| *other == key) {
            continue;
        }
        let put = match dice.roll(6) {
            0 => None,
            1 => Some(None),
            _ => Some(Some(dice.roll(1000) as f64)),
        };
        changes.push((key, random_period(dice), put));
    }
    changes
}

#[test]
fn random_histories_answer_like_a_list_of_facts() {
    let kinds: [&[Type]; 4] =
        [&[Type::Integer], &[Type::Text], &[Type::Integer, Type::Text], &[Type::Real, Type::Integer]];
    for (seed, shard_count) in (0..8).zip([1, 3, 8].into_iter().cycle()) {
        let types = kinds[seed as usize % kinds.len()];
        let mut dice = Dice::new(seed);
        let mut world = World::new(types, shard_count);
        let mut old: Vec<Snapshot> = Vec::new();
        println!("seed {seed}, {shard_count} shards");
        for step in 0..100 {
            let changes = random_changes(types, &mut dice);
            world.transact(&changes);
            match dice.roll(10) {
                0 => world.freeze(),
                1 => drop(world.flush()),
                2 => {
                    world.freeze();
                    while world.flush() {}
                }
                3 => world.reopen(),
                4 => world.compact(&mut dice),
                _ => {}
            }
            if step % 50 == 49 {
                world.check(&world.snapshot(), &mut dice);
                old.push(world.snapshot());
            }
        }
        for snapshot in &old {
            world.check(snapshot, &mut dice);
        }
    }
}

/// Notes that arrive while their segment is being compacted find the fact's new place, in memory and in files.
#[test]
fn facts_that_end_during_a_compaction_stay_ended() {
    use std::sync::atomic::{AtomicBool, Ordering};
    for (seed, shard_count) in [(100, 1), (101, 3)] {
        println!("seed {seed}, {shard_count} shards");
        let mut dice = Dice::new(seed);
        let types = [Type::Integer];
        let mut world = World::new(&types, shard_count);
        for _ in 0..30 {
            world.transact(&random_changes(&types, &mut dice));
        }
        let stop = AtomicBool::new(false);
        let (tree, edit) = (world.tree.clone(), world.edit());
        /// A failed check ends the other thread too.
        struct Stop<'a>(&'a AtomicBool);
        impl Drop for Stop<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
            }
        }
        std::thread::scope(|scope| {
            let _stop = Stop(&stop);
            // One compacts everything, the other whatever is due and shares nothing with it.
            scope.spawn(|| {
                while !stop.load(Ordering::Acquire) {
                    tree.compact_all(None, &|_| Ok(0), &edit).expect("compacts");
                }
            });
            scope.spawn(|| {
                while !stop.load(Ordering::Acquire) {
                    tree.compact_one(&|_| Ok(0), &edit).expect("compacts");
                }
            });
            for step in 0..120 {
                world.transact(&random_changes(&types, &mut dice));
                if step % 3 == 0 {
                    world.freeze();
                }
                if step % 4 == 0 {
                    world.flush();
                }
                if step % 50 == 0 {
                    world.check(&world.snapshot(), &mut dice);
                }
            }
        });
        world.check(&world.snapshot(), &mut dice);
        world.reopen();
        world.check(&world.snapshot(), &mut dice);
        let state = world.state.lock().expect("no test panics here").clone();
        assert!(state.segments.iter().any(|segment| segment.kind == SegmentKind::History));
        assert!(state.segments.iter().any(|segment| segment.level > 0));
        world.freeze();
        world.flush();
        world.tree.compact_all(None, &|_| Ok(0), &world.edit()).expect("compacts");
        let state = world.state.lock().expect("no test panics here").clone();
        assert!(state.notes.is_empty(), "all notes were absorbed: {:?}", state.notes);
        world.check(&world.snapshot(), &mut dice);
    }
}

/// Every fact is where its key's slot says, in memory and in segments, and no shard is left out.
#[test]
fn a_fact_lies_in_the_shard_of_its_key() {
    let shard_count = 3;
    let mut world = World::new(&[Type::Integer], shard_count);
    let put = |key: i64| (vec![Value::Integer(key)], Period::ALWAYS, Some(Some(1.0)));
    // Few rows are added one by one, many as chunks, and one row needs no split.
    for keys in [0..200, 200..5_000, 5_000..5_001] {
        let changes: Vec<Change> = keys.map(put).collect();
        world.transact(&changes);
    }
    let slot_shard = |key: i64| {
        let hash = crate::keys::hash_of(&key::i64_bytes(key));
        world.shards.place(TABLE, hash).shard
    };
    let by_shard = |shard: u16| (0..5_001).filter(|key| slot_shard(*key) == shard).count();
    for shard in 0..shard_count as u16 {
        let table = world.tree.view().version.active.table(TableShard { table: TABLE, shard }).expect("it has facts");
        assert_eq!(table.chunks().iter().map(|chunk| chunk.run.len).sum::<usize>(), by_shard(shard));
        assert!(by_shard(shard) > 1_500, "shards are of about one size");
    }
    world.freeze();
    world.flush();
    let state = world.state.lock().expect("no test panics here").clone();
    for segment in state.segments.iter().filter(|segment| segment.table == TABLE) {
        assert_eq!(segment.rows as usize, by_shard(segment.shard));
    }
    assert_eq!(state.segments.iter().filter(|segment| segment.table == TABLE).count(), shard_count as usize);
    let commits: Vec<_> = state.segments.iter().filter(|segment| segment.table == COMMITS).collect();
    assert!(matches!(commits.as_slice(), [only] if only.shard == 0), "{commits:?}");
}

/// The slot of a key is a law of the format: a changed hash would look for keys where they are not.
#[test]
fn the_slots_of_keys_do_not_change() {
    let slot = |key: i64| crate::keys::slot_of(crate::keys::hash_of(&key::i64_bytes(key)));
    assert_eq!([slot(0), slot(1), slot(-1), slot(i64::MAX), slot(4711)], [535, 35, 3105, 1466, 2472]);
    let mut used = vec![0; SLOT_COUNT];
    (0..1 << 16).for_each(|key| used[slot(key)] += 1);
    assert!(used.iter().all(|count| (1..60).contains(count)), "keys are spread over all slots");
}

/// Each level stays within its budget, level 0 within its number of segments, and another opening finds every segment on
/// the level where it was.
#[test]
fn levels_stay_within_their_budgets_and_come_back() {
    for shard_count in [1, 3] {
        let mut world = World::with_memtables(&[Type::Integer], shard_count, 1000);
        let mut dice = Dice::new(9);
        for step in 0..150 {
            let put = |key: i64| (vec![Value::Integer(key)], Period::ALWAYS, Some(Some(key as f64 / 7.0)));
            let start = dice.roll(4_000) as i64;
            let changes: Vec<Change> = (start..start + 40).map(put).collect();
            world.transact(&changes);
            if step % 2 == 0 {
                world.freeze();
                world.flush();
            }
            if step % 10 == 0 {
                while world.tree.compact_one(&|_| Ok(0), &world.edit()).expect("compacts") {}
            }
        }
        while world.tree.compact_one(&|_| Ok(0), &world.edit()).expect("compacts") {}
        let levels = |tree: &Tree| -> Vec<Vec<Vec<(u64, u64)>>> {
            let of_level = |level: &Vec<Arc<Segment>>| {
                level.iter().map(|segment| (segment.meta.file, segment.meta.bytes)).collect::<Vec<_>>()
            };
            let version = tree.view().version;
            version.tables.values().map(|files| files.levels.iter().map(of_level).collect()).collect()
        };
        let before = levels(&world.tree);
        let mut deepest = 0;
        for of_table in &before {
            assert!(of_table[0].len() < world.config.level0_segments_max, "{of_table:?}");
            let mut budget = world.tree.shard_bytes() * 4;
            for (level, segments) in of_table.iter().enumerate().skip(1) {
                let bytes: u64 = segments.iter().map(|(_, bytes)| bytes).sum();
                assert!(bytes <= budget || level == 7, "level {level} has {bytes} of {budget} bytes");
                deepest = deepest.max(if segments.is_empty() { 0 } else { level });
                budget *= 10;
            }
        }
        assert!(deepest >= 3, "levels are in use: {before:?}");
        world.reopen();
        assert_eq!(levels(&world.tree), before);
        let (now, all) = (SystemScope::AsOf(world.commit), ValidScope::All);
        assert_eq!(world.scan(&world.snapshot(), KeyRange::All, now, all), world.naive(world.commit, now, all));
    }
}
