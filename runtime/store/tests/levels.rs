//! How many files does a table become that is written in small pieces, and how often is a byte of it written again?
//!
//! Memtables of a few KiB stand for years of ordinary ones: what is written again, and how many segments stay, follows
//! from how many memtables there were, not from their size.

mod support;

use spectradb_store::{Config, LevelFigures, MemDisk, Store};
use support::{names, names_as_of, new_table, open, small, upsert};

const COMMIT_ROWS: i64 = 20;
const COMMITS: i64 = 1_200;

/// Writes rows in commits of a few, keys as the closure says, and tells the files of the present at some moments, and how many
/// bytes flushes and compactions wrote for each byte that flushes did.
fn files_and_writes(config: &Config, commits: i64, key: &dyn Fn(i64) -> i64) -> (Store, Vec<u64>, f64) {
    let store = open(&MemDisk::new(), config).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let mut counts = Vec::new();
    for commit in 0..commits {
        let first = commit * COMMIT_ROWS;
        let texts: Vec<String> = (first..first + COMMIT_ROWS).map(|row| format!("row {row}")).collect();
        let mut rows: Vec<(i64, &str)> = (first..).zip(&texts).map(|(row, text)| (key(row), text.as_str())).collect();
        rows.sort_unstable();
        rows.dedup_by_key(|row| row.0);
        store.commit(upsert(&store.snapshot(), &table, &rows)).expect("no conflict");
        if (commit + 1) % (commits / 8) == 0 {
            counts.push(files_of(&store, |level| level.table == table.id && !level.is_history));
        }
    }
    let written = store.written_figures();
    let again = (written.flush_bytes + written.compaction_bytes) as f64 / written.flush_bytes as f64;
    (store, counts, again)
}

fn files_of(store: &Store, of: impl Fn(&LevelFigures) -> bool) -> u64 {
    store.level_figures().iter().filter(|level| of(level)).map(|level| level.files).sum()
}

/// Keys that rise overlap nothing, so their segments are moved down as they are: without more they would stay as small as
/// memtables were.
#[test]
fn small_neighbours_become_one_file_where_keys_rise() {
    for (memtable_bytes_max, most) in [(4 << 10, 40), (16 << 10, 25)] {
        let config = Config { memtable_bytes_max, ..small() };
        let (store, counts, again) = files_and_writes(&config, COMMITS, &|row| row);
        println!("memtable {memtable_bytes_max}: files {counts:?}, written {again:.2} times");
        assert!(counts.iter().all(|count| *count <= most), "{counts:?}");
        assert!(again < 4.0, "a byte is written again once a level at most: {again}");
        let table = store.catalog().by_name("t").expect("it was made").clone();
        assert_eq!(names(&store, &table).len() as i64, COMMITS * COMMIT_ROWS);
        assert!(files_of(&store, |level| level.table != table.id) <= most, "the commits' own table rises too");
        store.close().expect("nothing fails");
    }
}

/// Keys that come in any order, and again, are merged as before.
#[test]
fn keys_in_any_order_are_not_written_more_often() {
    let config = Config { memtable_bytes_max: 16 << 10, ..small() };
    let (_, counts, again) = files_and_writes(&config, COMMITS, &|row| row.wrapping_mul(7_919) % 30_011);
    println!("files {counts:?}, written {again:.2} times");
    assert!(counts.iter().all(|count| *count <= 100), "{counts:?}");
    assert!(again < 9.0, "{again}");
}

/// A block of history holds what ended at about one time, and few of these facts began long ago: who reads a commit of long ago looks at
/// the parts that have such facts, and not at the whole block.
#[test]
fn scans_of_the_past_look_at_parts_of_history() {
    const KEYS: i64 = 3_000;
    let store = open(&MemDisk::new(), &small()).expect("a new database");
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let rows = |keys: std::ops::Range<i64>, name: &'static str| keys.map(|key| (key, name)).collect::<Vec<_>>();
    for (keys, name) in [(0..KEYS, "first"), (0..KEYS / 3 * 2, "second"), (0..KEYS, "third")] {
        store.commit(upsert(&store.snapshot(), &table, &rows(keys, name))).expect("no conflict");
    }
    store.compact().expect("the disk holds it");
    let before = store.stats().scans;
    assert_eq!(names_as_of(&store.snapshot(), &table, 1).len() as i64, KEYS);
    let after = store.stats().scans;
    let looked_at = (after.history_rows_read - before.history_rows_read) as i64;
    // What the second commit stated lies between, in the order of keys.
    assert!((KEYS..KEYS + 600).contains(&looked_at), "{looked_at} of {} rows of history", KEYS / 3 * 5);
}
