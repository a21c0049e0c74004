//! Does a database hold together when facts go from it in more ways than one?
//!
//! A commit states facts of three tables, in the log or in files of its own. A retention lets some go, an erasure others, tables are
//! dropped, copies are restored and gone on with, in every order. After each step: the ledger verifies, against a digest of before;
//! what is current is what was written and not erased; erasures and restores work; proofs hold, or say what is no longer kept.
//! A copy that was restored behind the end of its log has no frame yet, and does everything all the same.

mod support;

use spectradb_kernel::{key::i64_bytes, schema::TableSchema, time::Commit};
use spectradb_store::{
    Config, Disk, LogArchive, ManualClock, MemDisk, ProofOf, SimDisk, Store, StoreError,
    fact::{FactId, Write},
    proof::ProofError,
    restore::{At, restore},
};
use std::{collections::BTreeMap, sync::Arc};
use support::{facts, names, new_table, open, small, spilled, upsert};

type Tables = BTreeMap<String, BTreeMap<i64, String>>;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn table(store: &Store, name: &str) -> Arc<TableSchema> {
    store.catalog().by_name(name).cloned().expect("it was made")
}

fn key(id: i64) -> Vec<u8> {
    i64_bytes(id).to_vec()
}

/// One commit that states rows of some tables.
fn write(store: &Store, of: &[(&str, Vec<(i64, &str)>)], spill: bool) -> Commit {
    let snapshot = store.snapshot();
    let mut all = Write::default();
    for (name, rows) in of {
        let table = table(store, name);
        let mut one = upsert(&snapshot, &table, rows);
        if spill {
            one = spilled(store, &snapshot, &table, one).expect("memory takes it");
        }
        all = Write {
            facts: all.facts.into_iter().chain(one.facts).collect(),
            superseded: all.superseded.into_iter().chain(one.superseded).collect(),
            spilled: all.spilled.into_iter().chain(one.spilled).collect(),
            retractions: Vec::new(),
            ..one
        };
    }
    store.commit(all).expect("no conflict").commit
}

fn prune(store: &Store, name: &str) {
    store.set_retention(table(store, name).id, Some(0), store.catalog().version).expect("it is set");
    store.compact().expect("it compacts");
    store.compact().expect("it compacts");
}

fn sound(store: &Store, story: &str) -> spectradb_store::Verification {
    let found = store.verify(None).unwrap_or_else(|error| panic!("{story}: {error}"));
    assert_eq!(found.difference, None, "{story}");
    assert_eq!(found.facts, found.proven + found.pruned, "{story}");
    found
}

/// A proof of a fact that is there holds; where it cannot be made any more the store says why.
fn proves(store: &Store, name: &str, id: i64, commit: Commit, story: &str) -> bool {
    let fact = FactId { key: key(id), valid_from: i64::MIN, commit };
    match store.prove_inclusion(ProofOf::Fact { table: table(store, name).id, fact: &fact }, None) {
        Ok(Some(proof)) => match proof.check(&store.digest().expect("it reads")) {
            Ok(_) => true,
            // The record that made the table went with the log.
            Err(ProofError::Schema) if store.config().log_archive == LogArchive::Drop => false,
            Err(error) => panic!("{story}: {error}"),
        },
        Ok(None) => panic!("{story}: fact {id} of {name} is there"),
        Err(StoreError::FactsPruned { .. } | StoreError::Pruned { .. }) => false,
        Err(error) => panic!("{story}: {error}"),
    }
}

fn copy(from: &(impl Disk + Clone + 'static), at: At, config: &Config) -> Result<MemDisk, StoreError> {
    let disk = MemDisk::new();
    restore(Arc::new(from.clone()), &(Arc::new(disk.clone()) as _), Arc::new(ManualClock::new(1_000)), at, config)?;
    Ok(disk)
}

/// One record states facts of two tables in files; one table's retention let some go, the other loses keys.
#[test]
fn a_pruned_record_loses_leaves_and_everything_goes_on() {
    for spill in [false, true] {
        let config = Config { bulk_bytes_min: if spill { usize::MAX } else { 0 }, ..small() };
        let disk = MemDisk::new();
        let store = open(&disk, &config).expect("a new database");
        store.create_table(new_table("a"), 0).expect("the name is free");
        store.create_table(new_table("b"), 1).expect("the name is free");
        let both = write(&store, &[("a", vec![(1, "x"), (2, "y"), (3, "z")]), ("b", vec![(1, "x"), (2, "y")])], spill);
        write(&store, &[("b", vec![(1, "q")])], spill);
        let later = write(&store, &[("a", vec![(5, "x")])], spill);
        prune(&store, "b");
        let story = format!("spilled {spill}");
        assert_eq!(sound(&store, &story).erased, 0, "{story}");
        for (nth, id) in (1..).zip([2, 1, 5]) {
            let before = store.digest().expect("it reads");
            let erased =
                store.erase(table(&store, "a").id, &[key(id)]).unwrap_or_else(|error| panic!("{story}: {error}"));
            assert_eq!(erased.map(|erased| erased.facts), Some(1), "{story}");
            let found = sound(&store, &story);
            assert_eq!((found.erased, found.receipts), (nth, nth), "{story}");
            assert_eq!(store.verify(Some(&before)).expect("it reads").difference, None, "{story}");
            if id != 5 {
                assert!(proves(&store, "a", 5, later, &story), "{story}: another record is as it was");
            }
            assert!(!proves(&store, "a", 3, both, &story), "{story}");
        }
        assert_eq!(store.erase(table(&store, "a").id, &[key(2)]).expect("it reads"), None, "{story}: it is gone");
        let restored = copy(&disk, At::Newest, &config).unwrap_or_else(|error| panic!("{story}: {error}"));
        let second = open(&restored, &config).expect("it opens");
        assert_eq!(sound(&second, &story).erased, 3, "{story}");
        assert_eq!(names(&second, &table(&second, "a")), BTreeMap::from([(3, "z".to_owned())]), "{story}");
        assert!(second.erase(table(&second, "b").id, &[key(2)]).expect("it writes").is_some());
        assert_eq!(sound(&second, &story).erased, 4, "{story}");
    }
}

#[test]
fn retention_erasure_restore_and_drops_in_every_order() {
    for seed in 0..24 {
        let mut random = Random(seed);
        let log_archive = [LogArchive::Keep, LogArchive::Keep, LogArchive::Compress, LogArchive::Drop];
        let config = Config {
            bulk_bytes_min: [0, 0, 300, usize::MAX][random.below(4) as usize],
            log_archive: log_archive[random.below(4) as usize],
            shard_count: Some([1, 3][random.below(2) as usize]),
            log_segment_bytes: [2 << 10, 32 << 10][random.below(2) as usize],
            memtable_bytes_max: [1 << 10, 1 << 20][random.below(2) as usize],
            ..small()
        };
        let mut disk = MemDisk::new();
        let mut store = open(&disk, &config).expect("a new database");
        let mut model = Tables::new();
        for (nth, name) in (0..).zip(["a", "b", "c"]) {
            store.create_table(new_table(name), nth).expect("the name is free");
            model.insert(name.to_owned(), BTreeMap::new());
        }
        let mut commits: Vec<(Commit, Tables)> = Vec::new();
        let mut wrote: BTreeMap<(String, i64), Commit> = BTreeMap::new();
        let mut steps = format!("{config:?}\n");
        for step in 0..25 {
            let reopens = Config { shard_count: None, ..config.clone() };
            let before = store.digest().expect("it reads");
            let live: Vec<String> = model.keys().cloned().collect();
            let name = live[random.below(live.len() as u64) as usize].clone();
            match random.below(12) {
                0..5 => {
                    let text = format!("v{step}{}", "-".repeat(random.below(40) as usize));
                    let spill = random.below(4) == 0;
                    let some: Vec<(&str, Vec<(i64, &str)>)> = live
                        .iter()
                        .map(|name| {
                            let first = random.below(8) as i64;
                            (
                                name.as_str(),
                                (first..first + 1 + random.below(4) as i64).map(|id| (id, text.as_str())).collect(),
                            )
                        })
                        .collect();
                    let commit = write(&store, &some, spill);
                    for (name, rows) in &some {
                        for (id, text) in rows {
                            model.get_mut(*name).expect("it is there").insert(*id, (*text).to_owned());
                            wrote.insert(((*name).to_owned(), *id), commit);
                        }
                    }
                    commits.push((commit, model.clone()));
                    steps += &format!("write {commit} {spill} {some:?}\n");
                }
                5 | 6 => {
                    let ids = [random.below(10) as i64, random.below(10) as i64];
                    steps += &format!("erase {name} {ids:?}\n");
                    let keys: Vec<_> = ids.iter().map(|id| key(*id)).collect();
                    store
                        .erase(table(&store, &name).id, &keys)
                        .unwrap_or_else(|error| panic!("{seed}\n{steps}{error}"));
                    let all = commits.iter_mut().map(|(_, model)| model).chain([&mut model]);
                    all.for_each(|model| {
                        model.get_mut(&name).into_iter().for_each(|of| of.retain(|id, _| !ids.contains(id)));
                    });
                }
                7 | 8 => {
                    steps += &format!("prune {name}\n");
                    prune(&store, &name);
                }
                9 if model.len() > 1 && random.below(3) == 0 => {
                    steps += &format!("drop {name}\n");
                    let table = table(&store, &name);
                    store.drop_table(table.id, store.catalog().version).expect("it is there");
                    model.remove(&name);
                    commits.clear();
                }
                9 => {
                    steps += "flush\n";
                    store.flush().expect("nothing fails");
                }
                10 if !commits.is_empty() => {
                    let (commit, state) = commits[random.below(commits.len() as u64) as usize].clone();
                    steps += &format!("restore {commit}\n");
                    match copy(&disk, At::Commit(commit), &config) {
                        Ok(made) if random.below(2) == 0 => {
                            store = open(&made, &reopens).unwrap_or_else(|error| panic!("{seed}\n{steps}{error}"));
                            disk = made;
                            model = state;
                            commits.retain(|(kept, _)| *kept <= commit);
                            wrote.retain(|_, kept| *kept <= commit);
                            steps += "gone on with\n";
                            sound(&store, &format!("seed {seed}\n{steps}"));
                            continue;
                        }
                        Ok(_) | Err(StoreError::NotRestorable { .. }) => {}
                        Err(error) => panic!("{seed}\n{steps}{error}"),
                    }
                }
                _ => {
                    steps += "open\n";
                    drop(store);
                    store = open(&disk, &reopens).unwrap_or_else(|error| panic!("{seed}\n{steps}{error}"));
                }
            }
            let story = format!("seed {seed}\n{steps}");
            sound(&store, &story);
            assert_eq!(store.verify(Some(&before)).expect("it reads").difference, None, "{story}");
            for (name, rows) in &model {
                assert_eq!(&names(&store, &table(&store, name)), rows, "{name} {story}");
                for id in rows.keys().filter(|id| **id % 3 == step % 3) {
                    if let Some(commit) = wrote.get(&(name.clone(), *id)) {
                        proves(&store, name, *id, *commit, &story);
                    }
                }
            }
        }
    }
}

/// A state whose log begins behind it: nothing is in the log of the copy until something is written.
#[test]
fn a_copy_without_a_frame_erases_proves_and_is_restored() {
    let config = Config { log_archive: LogArchive::Drop, ..small() };
    let disk = MemDisk::new();
    let store = open(&disk, &config).expect("a new database");
    store.create_table(new_table("t"), 0).expect("the name is free");
    write(&store, &[("t", vec![(1, "a"), (4, "d")])], false);
    let last = write(&store, &[("t", vec![(2, "b")])], false);
    store.erase(table(&store, "t").id, &[key(1)]).expect("it writes");
    store.compact().expect("it compacts");
    for policy in [LogArchive::Drop, LogArchive::Keep, LogArchive::Compress] {
        let config = Config { log_archive: policy, ..config.clone() };
        let made = copy(&disk, At::Commit(last), &config).expect("the tables have it");
        let story = format!("{policy:?}");
        for at in 1..=last {
            let again = copy(&made, At::Commit(at), &config).unwrap_or_else(|error| panic!("{story} at {at}: {error}"));
            sound(&open(&again, &config).expect("it opens"), &story);
        }
        let reader = open(&made, &Config { read_only: true, ..config.clone() }).expect("it opens");
        assert!(!proves(&reader, "t", 4, 1, &story));
        let store = open(&made, &config).expect("it opens");
        assert!(!proves(&store, "t", 4, 1, &story));
        assert!(matches!(store.replay(1).map(drop), Err(StoreError::Missing { .. } | StoreError::Pruned { .. })));
        let erased = store.erase(table(&store, "t").id, &[key(4)]).unwrap_or_else(|error| panic!("{story}: {error}"));
        assert_eq!(erased.map(|erased| erased.facts), Some(1), "{story}");
        assert_eq!(sound(&store, &story).receipts, 1, "{story}");
        assert_eq!(names(&reader, &table(&reader, "t")), BTreeMap::from([(2, "b".to_owned())]), "{story}");
        drop(store);
        let store = open(&made, &config).unwrap_or_else(|error| panic!("{story}: {error}"));
        sound(&store, &story);
        let next = write(&store, &[("t", vec![(9, "x")])], false);
        assert!(store.prove_inclusion(ProofOf::Metadata(next), None).is_ok(), "{story}");
        store.compact().expect("it compacts");
        drop(store);
        let store = open(&made, &config).unwrap_or_else(|error| panic!("{story}: {error}"));
        sound(&store, &story);
        let again = copy(&made, At::Commit(last), &config).unwrap_or_else(|error| panic!("{story}: {error}"));
        sound(&open(&again, &config).expect("it opens"), &story);
    }
}

/// Segments that may have no byte beside their headers are still segments of whole blocks.
#[test]
fn a_large_write_is_taken_however_small_segments_are() {
    let config = Config { memtable_bytes_max: 1, shard_count: Some(1), bulk_bytes_min: 0, ..small() };
    let store = open(&MemDisk::new(), &config).expect("a new database");
    let schema = store.create_table(new_table("t"), 0).expect("the name is free");
    let rows: Vec<(i64, &str)> = (0..100).map(|id| (id, "x")).collect();
    let write = Write { catalog_version: 1, facts: vec![facts(&schema, &rows)], ..Write::default() };
    store.commit(write).expect("no conflict");
    assert_eq!(names(&store, &schema).len(), 100);
    sound(&store, "small segments");
}

/// An old manifest of a database that was closed, beside the log that went on, is read as the next writer would read it.
#[test]
fn an_old_manifest_does_not_hide_what_the_log_has() {
    let disk = SimDisk::new(1);
    let bytes = |name: &str| disk.map(name).expect("it is there").to_vec();
    let store = open(&disk, &small()).expect("a new database");
    store.create_table(new_table("t"), 0).expect("the name is free");
    write(&store, &[("t", vec![(1, "a")])], false);
    store.close().expect("nothing fails");
    let old = bytes("manifest");
    let store = open(&disk, &small()).expect("it opens");
    write(&store, &[("t", vec![(2, "b")])], false);
    write(&store, &[("t", vec![(3, "c")])], false);
    store.close().expect("nothing fails");
    disk.create("manifest").and_then(|file| file.write_at(&old, 0)).expect("memory takes it");
    disk.remove("published").expect("it is there");
    let reader = open(&disk, &Config { read_only: true, ..small() }).expect("it opens");
    assert_eq!(names(&reader, &table(&reader, "t")).len(), 3);
    assert_eq!(sound(&reader, "old manifest").facts, 3);
    drop(reader);
    let made = copy(&disk, At::Newest, &small()).expect("all is there");
    let made = open(&made, &small()).expect("it opens");
    assert_eq!(names(&made, &table(&made, "t")).len(), 3);
    let store = open(&disk, &small()).expect("it opens");
    assert_eq!(names(&store, &table(&store, "t")).len(), 3);
}
