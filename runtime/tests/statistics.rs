//! Do SHOW STATS, SHOW TABLE STATS and SHOW STORAGE tell what happened?

use spectradb::{Config, Database, Row};

fn rows(db: &Database, sql: &str) -> Vec<Row> {
    db.query(sql, ()).expect("a query").collect_all().expect("rows")
}

fn figure(db: &Database, part: &str, figure: &str) -> f64 {
    let all = rows(db, "SHOW STATS");
    let wanted =
        |row: &&Row| row.get::<String>(0).expect("text") == part && row.get::<String>(1).expect("text") == figure;
    all.iter().find(wanted).expect("there is such a figure").get(2).expect("a number")
}

fn database() -> Database {
    let db = Database::open_memory_with(Config { background: false, ..Config::default() }).expect("memory");
    db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); CREATE TABLE empty (id INTEGER PRIMARY KEY)")
        .expect("tables");
    let values: Vec<String> = (0..1000).map(|id| format!("({id}, 0)")).collect();
    db.sql(&format!("INSERT INTO t VALUES {}", values.join(", "))).expect("rows");
    db
}

/// table, rows, versions, versions in memory.
fn table(db: &Database) -> (i64, i64, i64) {
    let rows = rows(db, "SHOW TABLE STATS t");
    let count = |name: &str| rows[0].get::<i64>(name).expect("a number");
    (count("rows"), count("versions"), count("versions_in_memory"))
}

#[test]
fn a_tables_facts_are_counted_wherever_they_are() {
    let db = database();
    assert_eq!(table(&db), (1000, 1000, 1000));
    db.sql("UPDATE t SET n = 1 WHERE id < 100").expect("an update");
    assert_eq!(table(&db), (1000, 1100, 1100));
    db.store().flush().expect("a flush");
    assert_eq!(table(&db), (1000, 1100, 0));
    // What ended after the flush is noted beside the segment.
    db.sql("DELETE FROM t WHERE id >= 900").expect("a deletion");
    assert_eq!(table(&db), (900, 1100, 0));
    db.store().compact().expect("a compaction");
    assert_eq!(table(&db), (900, 1100, 0));
    let all = rows(&db, "SHOW TABLE STATS");
    let names: Vec<String> = all.iter().map(|row| row.get("table").expect("text")).collect();
    assert_eq!(names, ["empty", "t"]);
    assert_eq!(all[0].get::<i64>("versions").expect("a number"), 0);
    let bytes = |name: &str| all[1].get::<i64>(name).expect("a number");
    assert!(bytes("present_bytes") > 0 && bytes("history_bytes") > 0);
    assert_eq!(db.query("SHOW TABLE STATS nothing", ()).expect_err("no such table").code(), "42P01");
}

/// The policy and what it means for readers stand beside the figures, whether the history is gone already or not.
#[test]
fn a_retention_is_told_with_the_first_commit_that_can_be_read() {
    let db = database();
    let told = |db: &Database| {
        let row = &rows(db, "SHOW TABLE STATS t")[0];
        let retention: Option<String> = row
            .get::<Option<spectradb::kernel::interval::Interval>>("retention")
            .expect("one")
            .map(|time| time.to_string());
        (retention, row.get::<i64>("readable_from").expect("a number"), row.get::<i64>("versions").expect("a number"))
    };
    assert_eq!(told(&db), (None, 0, 1000));
    db.sql("UPDATE t SET n = 1 WHERE id < 100").expect("an update");
    db.sql("ALTER TABLE t SET RETENTION '1 day 12 hours'").expect("a policy");
    assert_eq!(told(&db), (Some("1 day 12:00:00".to_owned()), 0, 1100));
    db.sql("ALTER TABLE t SET RETENTION 0d").expect("a policy");
    assert_eq!(told(&db).1, 2, "the newest commit");
    db.sql("VACUUM t").expect("a compaction");
    db.sql("ALTER TABLE t SET RETENTION NONE").expect("no policy");
    assert_eq!(told(&db), (None, 2, 1000), "what went stays away");
}

#[test]
fn files_are_told_by_table_level_and_kind() {
    let db = database();
    db.sql("UPDATE t SET n = 1 WHERE id < 100").expect("an update");
    db.store().flush().expect("a flush");
    let files = rows(&db, "SHOW STORAGE");
    let of_t: Vec<(i64, String, i64, i64)> = files
        .iter()
        .filter(|row| row.get::<Option<String>>("table").expect("text").as_deref() == Some("t"))
        .map(|row| {
            let number = |name: &str| row.get::<i64>(name).expect("a number");
            assert!(number("bytes") > 0);
            (number("level"), row.get("kind").expect("text"), number("files"), number("versions"))
        })
        .collect();
    assert_eq!(of_t, [(0, "present".to_owned(), 1, 1000), (0, "history".to_owned(), 1, 100)]);
    let last: Vec<String> = files.iter().rev().take(4).map(|row| row.get("kind").expect("text")).collect();
    assert_eq!(last, ["waiting", "archive", "log", "notes"]);
    db.sql("DROP TABLE t").expect("no table");
    let names = rows(&db, "SHOW STORAGE");
    let is_dropped = |row: &Row| row.get::<Option<String>>("table").expect("text").as_deref() == Some("t (dropped)");
    assert!(names.iter().any(is_dropped), "a dropped table's facts stay");
}

#[test]
fn figures_follow_what_is_done() {
    let db = database();
    assert_eq!((figure(&db, "ledger", "commit"), figure(&db, "written", "flush")), (1.0, 0.0));
    assert!(figure(&db, "memory", "memtables") > 0.0 && figure(&db, "log", "replay") > 0.0);
    let committed = figure(&db, "written", "log");
    assert!(committed > 8_000.0, "a thousand rows are more than {committed} bytes");
    db.store().flush().expect("a flush");
    let flushed = figure(&db, "written", "flush");
    assert!(flushed > 0.0 && figure(&db, "log", "replay") == 0.0);
    assert_eq!(figure(&db, "written", "amplification"), flushed / figure(&db, "written", "log"));
    db.sql("UPDATE t SET n = 1").expect("an update");
    db.store().compact().expect("a compaction");
    assert!(figure(&db, "written", "compaction") > 0.0 && figure(&db, "written", "flush") > flushed);
    rows(&db, "SELECT * FROM t");
    rows(&db, "SELECT * FROM t");
    assert!(figure(&db, "block_cache", "hits") > 0.0 && figure(&db, "block_cache", "misses") > 0.0);
    let rate = figure(&db, "block_cache", "hit_rate");
    assert!(rate > 0.0 && rate < 1.0);
    assert!(figure(&db, "memory", "plan_cache") >= 2.0);
    let plans = figure(&db, "memory", "plan_cache_size");
    rows(&db, &format!("SELECT n, '{}' FROM t WHERE n = 1", "x".repeat(5_000)));
    let grown = figure(&db, "memory", "plan_cache_size") - plans;
    assert!(plans > 500.0 && (10_000.0..40_000.0).contains(&grown), "{plans} bytes and {grown} more");
    assert!(figure(&db, "log", "segments") >= 1.0 && figure(&db, "log", "archives") == 0.0);
    assert_eq!(figure(&db, "log", "durable_record"), figure(&db, "ledger", "record"));
}

#[test]
fn archived_segments_of_the_log_are_told_apart() {
    let config = Config {
        background: false,
        log_archive: spectradb_store::config::LogArchive::Compress,
        log_segment_bytes: 64 << 10,
        ..Config::default()
    };
    let db = Database::over(
        spectradb_store::Store::open(
            std::sync::Arc::new(spectradb_store::SimDisk::new(1)),
            std::sync::Arc::new(spectradb_store::SystemClock),
            config,
        )
        .expect("a new database"),
    );
    db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)").expect("a table");
    for part in 0..20 {
        let rows: Vec<String> = (0..100).map(|id| format!("({}, 'text of row {id:>40}')", part * 100 + id)).collect();
        db.sql(&format!("INSERT INTO t VALUES {}", rows.join(", "))).expect("rows");
    }
    db.store().flush().expect("a flush");
    assert!(figure(&db, "log", "archives") > 0.0 && figure(&db, "log", "archive_size") > 0.0);
    assert!(figure(&db, "log", "segments") >= 1.0);
}
