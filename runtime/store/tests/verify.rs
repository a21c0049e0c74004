//! Does the ledger prove itself, and does verifying find what somebody forged?
//!
//! Forgers here know the format: they change a value or a record and make every checksum right again, up to the root in
//! the manifest. Only the ledger's hashes can tell.

mod support;

use spectradb_kernel::{key::i64_bytes, schema::TableSchema};
use spectradb_store::{
    Config, Difference, Disk, LogArchive, MemDisk, ProofOf, Store, Verification,
    fact::{FactId, Write},
    proof::{Digest, InclusionProof, Opening, ProofError},
};
use std::sync::Arc;
use support::{new_table, open, small, upsert};

const HEADER: usize = 128;
const FOOTER: usize = 192;
const FRAME: usize = 256;

fn table(store: &Store) -> Arc<TableSchema> {
    match store.catalog().by_name("t") {
        Some(table) => table.clone(),
        None => store.create_table(new_table("t"), store.catalog().version).expect("the name is free"),
    }
}

/// Commits that state `ids` with the same text.
fn commit(store: &Store, ids: &[i64], name: &str) {
    let rows: Vec<(i64, &str)> = ids.iter().map(|id| (*id, name)).collect();
    let table = table(store);
    store.commit(upsert(&store.snapshot(), &table, &rows)).expect("no conflict");
}

fn fill(store: &Store) {
    for round in 0..6i64 {
        let ids: Vec<i64> = (0..40).map(|i| (i * 7 + round * 11) % 50).collect();
        let distinct: std::collections::BTreeSet<i64> = ids.into_iter().collect();
        commit(store, &distinct.into_iter().collect::<Vec<_>>(), &format!("round {round}"));
        if round % 2 == 1 {
            store.flush().expect("nothing fails");
        }
    }
}

fn verified(store: &Store) -> Verification {
    let verification = store.verify(None).expect("the disk answers");
    assert_eq!(verification.difference, None);
    assert_eq!(verification.facts, verification.proven + verification.pruned);
    assert_eq!(Ok(&verification.digest), store.digest().as_ref().map_err(|_| ()));
    verification
}

fn difference(store: &Store) -> String {
    let found = store.verify(None).expect("the disk answers").difference;
    found.expect("something was forged").to_string()
}

#[test]
fn a_ledger_verifies_at_every_stage_of_its_files() {
    let disk = MemDisk::new();
    let store = open(&disk, &small()).expect("a new database");
    assert_eq!(verified(&store).digest.records, 0);
    fill(&store);
    let digest = verified(&store).digest;
    assert_eq!((digest.records, digest.commit), (7, 6));
    store.compact().expect("nothing fails");
    let again = verified(&store);
    assert_eq!((again.digest, again.pruned, again.pruned_records), (digest.clone(), 0, 0));
    commit(&store, &[1, 2, 3], "later");
    store.close().expect("nothing fails");
    let store = open(&disk, &small()).expect("it opens");
    let again = store.verify(Some(&digest)).expect("the disk answers");
    assert_eq!((again.difference, again.digest.records), (None, 8));
}

/// The links outlive the log, so the root does not change and proofs of consistency go over what was dropped.
#[test]
fn what_the_log_no_longer_has_is_counted_as_pruned() {
    let disk = MemDisk::new();
    let config = Config { log_archive: LogArchive::Drop, log_segment_bytes: 4 << 10, ..small() };
    let store = open(&disk, &config).expect("a new database");
    let mut digests = Vec::new();
    for round in 0..40 {
        commit(&store, &(0..30).collect::<Vec<_>>(), &format!("round {round}"));
        if round % 8 == 7 {
            digests.push(store.digest().expect("the links are there"));
            store.flush().expect("nothing fails");
        }
    }
    let verification = verified(&store);
    assert!(verification.pruned > 0 && verification.proven > 0 && verification.pruned_records > 8, "{verification:?}");
    drop(store);
    let store = open(&disk, &config).expect("it opens");
    assert_eq!(verified(&store), verification);
    for old in &digests {
        assert_eq!(store.verify(Some(old)).expect("the disk answers").difference, None);
        let proof = store.prove_consistency(old.records, None).expect("the links are there").expect("it is no longer");
        assert_eq!(proof.check(old, &verification.digest), Ok(()));
    }
    let pruned = store.prove_inclusion(ProofOf::Record(2), None).expect_err("it is gone");
    assert_eq!(pruned.to_string(), "record 2 is no longer in the log");
}

/// Puts the checksums of a segment and of the manifest right after something in its blocks was changed.
fn reseal(disk: &MemDisk, name: &str, bytes: &mut [u8]) {
    let u32_at = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let u64_at = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let put = |bytes: &mut [u8], at: usize, crc: u32| bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    let footer = bytes.len() - FOOTER;
    let (mut at, mut blocks) = (HEADER, Vec::new());
    while at < footer {
        let (kind, len) = (bytes[at + 4], u64_at(bytes, at + 8) as usize);
        let payload = at + 64..at + 64 + len;
        if kind == 2 {
            for (old, new) in &blocks {
                replace(&mut bytes[payload.clone()], u32::to_le_bytes(*old).as_slice(), &u32::to_le_bytes(*new));
            }
        }
        let (old, new) = (u32_at(bytes, at), crc32fast::hash(&bytes[at + 4..payload.end]));
        put(bytes, at, new);
        match kind {
            1 => blocks.push((old, new)),
            2 => put(bytes, footer + 40 + 16, new),
            3 => put(bytes, footer + 60 + 16, new),
            _ => put(bytes, footer + 80 + 16, new),
        }
        at += 64 + len.next_multiple_of(64);
    }
    let old_root = bytes[footer + 100..footer + 132].to_vec();
    let root = *blake3::hash(&bytes[HEADER..footer]).as_bytes();
    bytes[footer + 100..footer + 132].copy_from_slice(&root);
    let crc = crc32fast::hash(&bytes[footer + 4..]);
    put(bytes, footer, crc);
    seal_header(bytes);
    put_file(disk, name, bytes);
    let mut manifest = disk.map("manifest").expect("it is there").to_vec();
    replace(&mut manifest, &old_root, &root);
    seal_header(&mut manifest);
    put_file(disk, "manifest", &manifest);
}

fn seal_header(bytes: &mut [u8]) {
    let body = crc32fast::hash(&bytes[HEADER..]);
    bytes[64..68].copy_from_slice(&body.to_le_bytes());
    let head = crc32fast::hash(&bytes[12..HEADER]);
    bytes[8..12].copy_from_slice(&head.to_le_bytes());
}

fn put_file(disk: &MemDisk, name: &str, bytes: &[u8]) {
    disk.create(name).and_then(|file| file.write_at(bytes, 0)).expect("memory takes it");
}

/// Replaces the first place where some bytes stand; answers whether there was one.
fn replace(bytes: &mut [u8], old: &[u8], new: &[u8]) -> bool {
    let place = bytes.windows(old.len()).position(|window| window == old);
    place.inspect(|at| bytes[*at..*at + new.len()].copy_from_slice(new)).is_some()
}

fn segments(disk: &MemDisk) -> Vec<String> {
    let mut names: Vec<String> =
        disk.list().expect("memory lists").into_iter().filter(|name| name.ends_with(".sst")).collect();
    names.sort();
    names
}

/// One flushed commit of forty facts with different numbers, closed.
fn flushed() -> (MemDisk, Digest) {
    let disk = MemDisk::new();
    let store = open(&disk, &small()).expect("a new database");
    commit(&store, &(0..40).map(|i| i * i).collect::<Vec<_>>(), "first");
    commit(&store, &[100_000], "second");
    store.flush().expect("nothing fails");
    let digest = store.digest().expect("the links are there");
    store.close().expect("nothing fails");
    (disk, digest)
}

#[test]
fn a_forged_value_under_right_checksums_is_named() {
    let (disk, digest) = flushed();
    let forged = segments(&disk).into_iter().any(|name| {
        let mut bytes = disk.map(&name).expect("it is there").to_vec();
        // The amount of fact 15 * 15.
        let found = replace(&mut bytes, &112.5f64.to_le_bytes(), &113.5f64.to_le_bytes());
        if found {
            reseal(&disk, &name, &mut bytes);
        }
        found
    });
    assert!(forged, "the value lies plain in a file");
    let store = open(&disk, &small()).expect("every checksum is right");
    let found = store.verify(None).expect("the disk answers");
    let Some(Difference::Fact { table, key, commit, what, .. }) = &found.difference else {
        panic!("{found:?}");
    };
    assert_eq!((table.as_str(), key.as_str(), *commit), ("t", "(id)=(225)", 1));
    assert_eq!(what, "column \"amount\" is 113.5, and in the ledger 112.5");
    assert_eq!(found.digest, digest, "the ledger itself is what it was");
}

/// The frames of a log segment: where each begins and how long it is with its padding.
fn frames(log: &[u8]) -> Vec<(usize, usize)> {
    let (mut at, mut found) = (0, Vec::new());
    while log[at..].starts_with(b"SpLg") {
        let payload = u64::from_le_bytes(log[at + 88..at + 96].try_into().expect("eight bytes")) as usize;
        let len = (FRAME + payload).next_multiple_of(64);
        found.push((at, len));
        at += len;
    }
    found
}

fn seal_frame(log: &mut [u8], at: usize) {
    let crc = crc32fast::hash(&log[at + 8..at + FRAME]);
    log[at + 4..at + 8].copy_from_slice(&crc.to_le_bytes());
}

/// A log of some commits of one length, all of it behind the checkpoint, so that opening does not read it.
fn with_log() -> (MemDisk, Vec<u8>) {
    let disk = MemDisk::new();
    let config = Config { log_segment_bytes: 64 << 10, ..small() };
    let store = open(&disk, &config).expect("a new database");
    for id in 1..6 {
        commit(&store, &[id], "same");
    }
    store.flush().expect("nothing fails");
    store.close().expect("nothing fails");
    let log = disk.map("log-0000000001.log").expect("it is there").to_vec();
    assert_eq!(frames(&log).len(), 6);
    (disk, log)
}

#[test]
fn a_record_that_was_dropped_or_moved_is_named() {
    let (disk, log) = with_log();
    let places = frames(&log);
    // Dropped: what follows moves up and says that it always stood there.
    let mut dropped = log.clone();
    let (third, len) = places[3];
    dropped.copy_within(third + len.., third);
    let mut at = third;
    while dropped[at..].starts_with(b"SpLg") {
        dropped[at + 64..at + 72].copy_from_slice(&(at as u64).to_le_bytes());
        seal_frame(&mut dropped, at);
        at += frames(&dropped[at..])[0].1;
    }
    put_file(&disk, "log-0000000001.log", &dropped);
    let store = open(&disk, &small());
    let told = store.map(|store| difference(&store)).unwrap_or_else(|error| error.to_string());
    assert!(told.contains("record 5 stands where 4 should") || told.contains("log-0000000001.log"), "{told}");

    // Reordered: two commits of one length exchange what they say.
    let (disk, mut log) = with_log();
    let ((one, len), (two, other_len)) = (places[2], places[3]);
    assert_eq!(len, other_len);
    let (first, second) = (log[one + FRAME..one + len].to_vec(), log[two + FRAME..two + len].to_vec());
    log[one + FRAME..one + len].copy_from_slice(&second);
    log[two + FRAME..two + len].copy_from_slice(&first);
    let crcs = (log[one + 84..one + 88].to_vec(), log[two + 84..two + 88].to_vec());
    log[one + 84..one + 88].copy_from_slice(&crcs.1);
    log[two + 84..two + 88].copy_from_slice(&crcs.0);
    seal_frame(&mut log, one);
    seal_frame(&mut log, two);
    put_file(&disk, "log-0000000001.log", &log);
    let store = open(&disk, &small()).expect("every checksum is right");
    let told = difference(&store);
    assert!(told.contains("log-0000000001.log") && told.contains("does not hash to its link"), "{told}");
}

/// The walk goes on to the next segment there, and finds a later record than it should: the next one is not to blame.
#[test]
fn a_damaged_header_is_told_where_it_stands() {
    let disk = MemDisk::new();
    let config = Config { log_segment_bytes: 4 << 10, ..small() };
    let store = open(&disk, &config).expect("a new database");
    for round in 0..20 {
        commit(&store, &(0..30).collect::<Vec<_>>(), &format!("round {round}"));
    }
    store.flush().expect("nothing fails");
    store.close().expect("nothing fails");
    let mut log = disk.map("log-0000000001.log").expect("it is there").to_vec();
    let (at, _) = frames(&log)[1];
    log[at] ^= 1;
    put_file(&disk, "log-0000000001.log", &log);
    let store = open(&disk, &config);
    let told = store.map(|store| difference(&store)).unwrap_or_else(|error| error.to_string());
    assert!(told.contains(&format!("\"log-0000000001.log\" is corrupt at byte {at}")), "{told}");
}

/// A ledger that was written anew from some point on is whole in itself; who kept a digest of before knows better.
#[test]
fn another_history_does_not_go_on_from_an_old_digest() {
    let disk = MemDisk::new();
    let store = open(&disk, &small()).expect("a new database");
    commit(&store, &[1], "one");
    store.close().expect("nothing fails");
    let copy = MemDisk::new();
    for name in disk.list().expect("memory lists").iter().filter(|name| *name != "lock") {
        put_file(&copy, name, &disk.map(name).expect("it is there"));
    }
    let (store, other) = (open(&disk, &small()).expect("it opens"), open(&copy, &small()).expect("it opens"));
    commit(&store, &[2], "two");
    commit(&other, &[2], "another two");
    commit(&other, &[3], "three");
    let (old, new) = (store.digest().expect("it is there"), other.digest().expect("it is there"));
    assert_eq!(verified(&other).digest, new);
    let told = other.verify(Some(&old)).expect("the disk answers").difference.expect("it differs").to_string();
    assert_eq!(told, "record 3: the ledger up to here is not the one that the digest names");
    let proof = other.prove_consistency(old.records, None).expect("links").expect("it is no longer");
    assert_eq!(proof.check(&old, &new), Err(ProofError::NotConsistent));
    let told = store.verify(Some(&new)).expect("the disk answers").difference.expect("it differs").to_string();
    assert_eq!(told, "record 3: the ledger ends here, and the digest names one of 4 records");
}

#[test]
fn facts_are_proved_without_the_database() {
    let disk = MemDisk::new();
    let store = open(&disk, &small()).expect("a new database");
    fill(&store);
    let table = table(&store);
    let metadata = Some("{\"actor\":\"ann\"}".to_owned());
    let write = upsert(&store.snapshot(), &table, &[(7, "seven"), (8, "eight")]);
    let committed = store.commit(Write { metadata, ..write }).expect("no conflict");
    let then = store.digest().expect("the links are there");
    fill(&store);
    let now = store.digest().expect("the links are there");

    let fact = FactId { key: i64_bytes(8).to_vec(), valid_from: i64::MIN, commit: committed.commit };
    let of = ProofOf::Fact { table: table.id, fact: &fact };
    for digest in [&then, &now] {
        let proof = store.prove_inclusion(of, Some(digest.records)).expect("it is there").expect("it is in the ledger");
        let proven = proof.check(digest).expect("it holds");
        let leaf = proven.leaf.expect("a fact is a leaf");
        assert_eq!(proven.schema.as_ref(), Some(&table));
        assert_eq!(proven.header.commit, committed.commit);
        assert_eq!(leaf.key.and_then(|key| key.values), Some(vec![8.into()]));
        let values: Vec<String> = leaf.columns.expect("open").iter().map(|(_, value)| value.to_string()).collect();
        assert_eq!(values, ["eight", "4"]);
        changes(&proof).into_iter().for_each(|changed| {
            assert!(changed.check(digest).is_err(), "{changed:?}");
        });
        let mut closed = proof.clone();
        closed.leaf.as_mut().expect("a fact is a leaf").close_columns();
        let leaf = closed.check(digest).expect("it holds").leaf.expect("a fact is a leaf");
        assert!(leaf.columns.is_none() && leaf.key.is_some());
    }
    let metadata = ProofOf::Metadata(committed.commit);
    let proof = store.prove_inclusion(metadata, None).expect("it is there").expect("it has some");
    let leaf = proof.check(&now).expect("it holds").leaf.expect("metadata is a leaf");
    assert_eq!(leaf.metadata.as_deref(), Some("{\"actor\":\"ann\"}"));
    for record in 1..=now.records {
        let proof = store.prove_inclusion(ProofOf::Record(record), None).expect("it is there").expect("it exists");
        assert_eq!(proof.check(&now).map(|proven| proven.header.record), Ok(record));
    }
    // What is not there is not proved.
    let none = FactId { commit: committed.commit - 1, ..fact.clone() };
    for absent in [
        ProofOf::Record(0),
        ProofOf::Record(now.records + 1),
        ProofOf::Metadata(1),
        ProofOf::Metadata(10_000),
        ProofOf::Fact { table: table.id, fact: &FactId { key: i64_bytes(77).to_vec(), ..none.clone() } },
    ] {
        assert_eq!(store.prove_inclusion(absent, None).expect("the disk answers"), None, "{absent:?}");
    }
    // And a proof for one state says nothing about another.
    let proof = store.prove_inclusion(of, Some(then.records)).expect("it is there").expect("it is in the ledger");
    assert!(matches!(proof.check(&now), Err(ProofError::OtherSize { .. })));
    assert_eq!(proof.check(&Digest { database: [0; 16], ..then }), Err(ProofError::OtherDatabase));
}

/// The same proof with one thing changed, for each thing that it says.
fn changes(proof: &InclusionProof) -> Vec<InclusionProof> {
    let mut changed = Vec::new();
    let mut change = |with: &dyn Fn(&mut InclusionProof)| {
        let mut copy = proof.clone();
        with(&mut copy);
        changed.push(copy);
    };
    change(&|proof| proof.database[3] ^= 1);
    change(&|proof| proof.timeline += 1);
    change(&|proof| proof.records += 1);
    change(&|proof| proof.record.header.kind = 2);
    change(&|proof| proof.record.header.commit += 1);
    change(&|proof| proof.record.header.record += 1);
    change(&|proof| proof.record.header.instant += 1);
    change(&|proof| proof.record.header.catalog_version += 1);
    change(&|proof| proof.record.header.timeline += 1);
    change(&|proof| proof.record.header.epoch += 1);
    change(&|proof| proof.record.header.term += 1);
    change(&|proof| proof.record.header.previous[9] ^= 1);
    change(&|proof| proof.record.root[9] ^= 1);
    change(&|proof| proof.record.path[0][9] ^= 1);
    change(&|proof| {
        proof.record.path.pop();
    });
    let leaf = proof.leaf.as_ref().expect("a fact is a leaf");
    let (Opening::Open(key), Opening::Open(columns)) = (&leaf.key_and_period, &leaf.columns) else {
        panic!("both halves are open");
    };
    fn of(proof: &mut InclusionProof) -> &mut spectradb_store::proof::LeafProof {
        proof.leaf.as_mut().expect("a fact is a leaf")
    }
    change(&|proof| of(proof).table.0 += 1);
    change(&|proof| of(proof).schema_version += 1);
    change(&|proof| of(proof).op = 3);
    change(&|proof| of(proof).leaf_idx += 1);
    change(&|proof| of(proof).leaf_count *= 2);
    change(&|proof| of(proof).path[0][0] ^= 128);
    for at in 0..key.len() {
        change(&|proof| of(proof).key_and_period = flipped(key, at));
    }
    for at in 0..columns.len() {
        change(&|proof| of(proof).columns = flipped(columns, at));
    }
    // Zeroes fill a message up before it is hashed: they must not be taken for more of it.
    change(&|proof| of(proof).columns = Opening::Open([columns.as_slice(), &[0]].concat()));
    change(&|proof| of(proof).key_and_period = Opening::Open([key.as_slice(), &[0]].concat()));
    change(&|proof| proof.schema.as_mut().expect("a fact has a schema").change[9] ^= 1);
    change(&|proof| proof.schema.as_mut().expect("a fact has a schema").record.path[0][0] ^= 1);
    change(&|proof| proof.schema = None);
    changed
}

fn flipped(message: &[u8], at: usize) -> Opening {
    let mut message = message.to_vec();
    message[at] ^= 4;
    Opening::Open(message)
}

/// Numbers that a file cannot have are differences, and nothing is made as large as they say.
#[test]
fn a_manifest_that_counts_too_many_commits_is_told() {
    let (disk, _) = flushed();
    let manifest = disk.map("manifest").expect("it is there").to_vec();
    let mut told = 0;
    for at in HEADER..manifest.len() {
        let mut bad = manifest.clone();
        bad[at] ^= 0x40;
        seal_header(&mut bad);
        put_file(&disk, "manifest", &bad);
        // What is refused when it is opened is as good; what is read anyway verifies, or says what is wrong.
        if let Ok(store) = open(&disk, &Config { read_only: true, ..small() }) {
            told += usize::from(store.verify(None).is_ok_and(|found| found.difference.is_some()));
        }
    }
    assert!(told > 10, "{told}");
}

/// A catalogue that describes other columns than the files have is held against them before a value is read.
#[test]
fn a_catalogue_that_says_other_types_is_refused_by_the_file() {
    let (disk, _) = flushed();
    let name =
        disk.list().expect("memory lists").into_iter().find(|name| name.ends_with(".cat")).expect("there is one");
    let catalogue = disk.map(&name).expect("it is there").to_vec();
    // The types of the columns: the code behind the number of each.
    let codes: Vec<usize> = (HEADER..catalogue.len() - 8)
        .filter(|at| {
            (1..=3)
                .any(|id: u32| catalogue[*at..].starts_with(&id.to_le_bytes()) && (2..=5).contains(&catalogue[at + 4]))
        })
        .map(|at| at + 4)
        .collect();
    assert!(codes.len() >= 3, "{codes:?}");
    let mut refused = 0;
    for at in codes {
        for code in [1, 2, 3, 5, 6, 8, 13].into_iter().filter(|code| *code != catalogue[at]) {
            let mut bad = catalogue.clone();
            bad[at] = code;
            seal_header(&mut bad);
            put_file(&disk, &name, &bad);
            let Ok(store) = open(&disk, &Config { read_only: true, ..small() }) else { continue };
            let Some(table) = store.catalog().by_name("t").cloned() else { continue };
            let snapshot = store.snapshot();
            let Err(error) = support::try_names_as_of(&snapshot, &table, snapshot.commit()) else {
                panic!("byte {at} is {code}: it was read");
            };
            assert!(error.to_string().contains("not those that the catalogue says"), "{error}");
            assert!(store.verify(None).is_ok_and(|found| found.difference.is_some()));
            refused += 1;
        }
    }
    assert!(refused > 5, "{refused}");
}
