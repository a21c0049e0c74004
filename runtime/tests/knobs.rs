//! Does every tuning knob do what it says?
//!
//! Each is a field of `Config` and a flag of the shell. Here the same work is done with two values of one knob, and what it
//! says is counted: syncs on the disk, segments, blocks, bytes of filters, shards.

use spectradb::{Config, Database, Durability};
use spectradb_store::{SimDisk, Store, SystemClock};
use std::sync::Arc;

/// A database on a disk that counts; nothing happens on other threads.
fn database(config: Config) -> (Database, SimDisk) {
    let disk = SimDisk::new(1);
    let config = Config { background: false, ..config };
    let store = Store::open(Arc::new(disk.clone()), Arc::new(SystemClock), config).expect("a new database");
    let db = Database::over(store);
    db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)").expect("a table");
    (db, disk)
}

/// So many rows in one commit.
fn fill(db: &Database, rows: impl IntoIterator<Item = u32>) {
    let rows: Vec<String> =
        rows.into_iter().map(|id| format!("({id}, 'the text of row {id:>10} is not short')")).collect();
    db.sql(&format!("INSERT INTO t VALUES {}", rows.join(", "))).expect("rows");
}

#[test]
fn the_log_is_synced_once_in_so_many_records() {
    let syncs = |durability: Durability| {
        let (db, disk) = database(Config { durability, ..Config::default() });
        let before = disk.syncs();
        (0..32).for_each(|row| fill(&db, row..row + 1));
        disk.syncs() - before
    };
    assert_eq!(syncs(Durability::Synced), 32);
    assert_eq!(syncs(Durability::EveryRecords(8)), 4);
    assert_eq!(syncs(Durability::None), 0);
}

#[test]
fn a_session_and_a_transaction_say_when_a_commit_is_synced() {
    let syncs = |durability: Durability, before: &str, begin: &str| {
        let (db, disk) = database(Config { durability, ..Config::default() });
        db.sql(before).expect("a setting");
        let count = disk.syncs();
        let written = db.store().written_figures().log_bytes;
        for row in 0..4 {
            db.sql(begin).expect("a transaction");
            fill(&db, row..row + 1);
            db.sql("COMMIT").expect("a commit");
        }
        assert!(db.store().written_figures().log_bytes > written, "written, synced or not");
        assert_eq!(db.query("SELECT id FROM t", ()).expect("rows").count(), 4);
        let stats = db.store().stats();
        assert_eq!(stats.durable_record == stats.record, disk.syncs() > count);
        disk.syncs() - count
    };
    let (on, off) = ("SET synchronous_commit = on", "SET synchronous_commit = off");
    let (synced, none) = ("BEGIN WITH (durability = 'synced')", "BEGIN WITH (durability = 'none')");
    assert_eq!(syncs(Durability::Synced, off, "BEGIN"), 0);
    assert_eq!(syncs(Durability::None, on, "BEGIN"), 4);
    assert_eq!(syncs(Durability::None, "RESET synchronous_commit", "BEGIN"), 0);
    // The transaction's word goes before the session's.
    assert_eq!(syncs(Durability::None, off, synced), 4);
    assert_eq!(syncs(Durability::Synced, on, none), 0);
    // What SET LOCAL says goes with its transaction, for changes without SQL too.
    let (db, disk) = database(Config::default());
    let mut session = db.session();
    session.execute("BEGIN", ()).expect("a transaction");
    session.execute("SET LOCAL synchronous_commit = off", ()).expect("a setting");
    session.execute("INSERT INTO t VALUES (1, 'a')", ()).expect("a row");
    let count = disk.syncs();
    session.commit().expect("a commit");
    assert_eq!(disk.syncs(), count);
    let columns = vec![
        spectradb_kernel::Column::from_i64s(spectradb_kernel::Type::Integer, vec![2]),
        spectradb_kernel::Column::from_values(spectradb_kernel::Type::Text, &["b".into()]),
    ];
    session.append("t", columns).expect("a row");
    assert_eq!(disk.syncs(), count + 1);
}

#[test]
fn a_memtable_is_written_out_when_it_passes_so_many_bytes() {
    let flushed = |memtable_bytes_max: usize| {
        let (db, _) = database(Config { memtable_bytes_max, level0_segments_max: 100, ..Config::default() });
        (0..16).for_each(|part| fill(&db, part * 500..part * 500 + 500));
        let stats = db.store().stats();
        assert!(stats.memtable_bytes <= memtable_bytes_max + (1 << 20), "{stats:?}");
        stats.segment_count
    };
    assert_eq!(flushed(64 << 20), 0);
    let (few, many) = (flushed(400 << 10), flushed(100 << 10));
    assert!(0 < few && few < many, "{few} and {many} segments");
}

#[test]
fn a_commit_of_so_many_bytes_goes_to_segments_at_once() {
    let written = |bulk_bytes_min: usize| {
        let (db, _) = database(Config { bulk_bytes_min, ..Config::default() });
        let before = db.store().written_figures();
        fill(&db, 0..2_000);
        let (written, stats) = (db.store().written_figures(), db.store().stats());
        assert_eq!(db.query("SELECT text FROM t", ()).expect("rows").count(), 2_000);
        // What stands in files is counted before the manifest names it.
        assert_eq!(stats.segment_bytes, written.bulk_bytes, "{stats:?}");
        (written.log_bytes - before.log_bytes, written.bulk_bytes, stats.segment_count)
    };
    let (log, bulk, files) = written(10 << 20);
    assert!(log > 80_000 && (bulk, files) == (0, 0), "{log} bytes of log, {bulk} in segments");
    let (log, bulk, files) = written(10 << 10);
    assert!(log < 5_000 && bulk > 40_000 && files == 1, "{log} bytes of log, {bulk} in segments");
}

#[test]
fn a_transaction_has_files_for_what_is_more_than_so_many_bytes() {
    let written = |transaction_bytes_max: usize| {
        let (db, _) = database(Config { transaction_bytes_max, ..Config::default() });
        let mut session = db.session();
        session.begin().expect("no transaction is open");
        for part in 0..5 {
            let sql = format!(
                "INSERT INTO t SELECT i, 'the text of row ' || i FROM generate_series({part}001, {part}999) AS s(i)"
            );
            session.execute(&sql, ()).expect("rows");
        }
        let before = db.store().written_figures().bulk_bytes;
        session.commit().expect("nobody else writes");
        (before, db.store().written_figures().bulk_bytes)
    };
    assert_eq!(written(64 << 20), (0, 0));
    let (some, all) = (written(100_000), written(0));
    assert!(0 < some.0 && some.0 < some.1, "{some:?}");
    assert_eq!(all.0, all.1, "nothing was left for the commit to write");
}

#[test]
fn a_block_aims_at_so_many_bytes() {
    let blocks = |sstable_block_bytes: usize| {
        let (db, _) = database(Config { sstable_block_bytes, ..Config::default() });
        fill(&db, 0..20_000);
        db.store().flush().expect("a segment");
        let before = db.store().stats().block_cache.misses;
        assert_eq!(db.query("SELECT text FROM t", ()).expect("rows").count(), 20_000);
        db.store().stats().block_cache.misses - before
    };
    let (large, small) = (blocks(256 << 10), blocks(32 << 10));
    assert!(small >= 4 * large && large > 0, "{large} large and {small} small blocks");
}

#[test]
fn a_filter_has_so_many_bits_for_each_key() {
    let segment_bytes = |bloom_bits_per_key: u32| {
        let (db, _) = database(Config { bloom_bits_per_key, ..Config::default() });
        // Integers without a gap need no filter.
        fill(&db, (0..20_000).map(|id| id * 2));
        db.store().flush().expect("a segment");
        // The commits' own table has a segment beside it, of one row.
        let levels = db.store().level_figures();
        levels.iter().map(|level| level.bytes).max().expect("a segment")
    };
    let (none, ten, twenty) = (segment_bytes(0), segment_bytes(10), segment_bytes(20));
    let (first, second) = ((ten - none) as f64 * 8.0 / 20_000.0, (twenty - ten) as f64 * 8.0 / 20_000.0);
    assert!((9.0..14.0).contains(&first) && (8.0..14.0).contains(&second), "{first} and {second} bits for each key");
}

#[test]
fn keys_are_split_over_so_many_shards() {
    let segments = |shard_count: u32| {
        let (db, _) = database(Config { shard_count: Some(shard_count), ..Config::default() });
        fill(&db, 0..1_000);
        db.store().flush().expect("segments");
        let levels = db.store().level_figures();
        let level = levels.iter().max_by_key(|level| level.versions).expect("a segment");
        assert_eq!((level.versions, db.store().stats().shard_count), (1_000, shard_count));
        level.files
    };
    assert_eq!([segments(1), segments(8)], [1, 8]);
}
