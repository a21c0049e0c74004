//! What is asked of a session: cancellation from another thread, plans as text and JSON, prepared statements.

use spectradb::{Database, Value, code};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

/// Far more pairs than anybody waits for.
const ENDLESS: &str = "SELECT count(*) FROM n a, n b, n c, n d, n e, n f, n g, n h, n i, n j";

fn database() -> Database {
    let db = Database::open_memory().expect("memory");
    db.sql("CREATE TABLE n (id INTEGER PRIMARY KEY)").expect("a table");
    let rows: Vec<String> = (0..100).map(|id| format!("({id})")).collect();
    db.sql(&format!("INSERT INTO n VALUES {}", rows.join(", "))).expect("rows");
    db
}

#[test]
fn another_thread_cancels_the_statement_under_way_and_no_later_one() {
    let db = database();
    let mut session = db.session();
    let canceller = session.canceller();
    // Nothing runs, so nothing happens.
    canceller.cancel();
    let ended = Arc::new(AtomicBool::new(false));
    let error = std::thread::scope(|scope| {
        let watched = ended.clone();
        scope.spawn(move || {
            while !watched.load(Ordering::Relaxed) {
                canceller.cancel();
                std::thread::yield_now();
            }
        });
        let error = session.execute(ENDLESS, ()).expect_err("cancelled");
        ended.store(true, Ordering::Relaxed);
        error
    });
    assert_eq!((error.code(), error.message()), (code::QUERY_CANCELED, "the statement was cancelled"));
    assert_eq!(session.query("SELECT count(*) FROM n", ()).expect("rows").count(), 1);
}

#[test]
fn one_call_that_computes_for_long_is_cancelled_within_it() {
    let calls = [
        "length(repeat('ab', 300000000))",
        "length(lpad('a', 200000000, 'xyz'))",
        "length(to_char(now(), repeat('YYYY', 25000000)))",
        "array_length(array_fill(1, ARRAY[100000000]), 1)",
        "length(regexp_replace(repeat('abc', 50000000), 'b', 'xx', 'g'))",
        "array_length(string_to_array(repeat('a,', 50000000), ','), 1)",
        "length(reverse(repeat('ab', 100000000)))",
    ];
    let began = std::time::Instant::now();
    for call in calls {
        let mut session = database().session();
        let canceller = session.canceller();
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    canceller.cancel();
                    std::thread::yield_now();
                }
            });
            let error = session.execute(&format!("SELECT {call}"), ()).expect_err(call);
            ended.store(true, Ordering::Relaxed);
            assert_eq!(error.code(), code::QUERY_CANCELED, "{call}");
        });
        // Of a table's rows, which no constant stands for.
        session.execute("SET statement_timeout = '20ms'", ()).expect("a setting");
        let over_rows = format!("SELECT {} FROM n WHERE id = 7", call.replacen("('a", "(id || 'a", 1));
        let error = session.query(&over_rows, ()).and_then(|mut rows| rows.try_for_each(|row| row.map(|_| ())));
        assert_eq!(error.expect_err(call).code(), code::QUERY_CANCELED, "{call}");
    }
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

#[test]
fn rows_that_are_being_read_are_cancelled_too() {
    let mut session = database().session();
    let mut rows = session.query("SELECT a.id FROM n a, n b, n c, n d", ()).expect("the first batch");
    session.canceller().cancel();
    let error = rows.find_map(Result::err).expect("the next batch is refused");
    assert_eq!(error.code(), code::QUERY_CANCELED);
}

#[test]
fn an_interrupt_is_asked_on_the_statements_own_thread() {
    let mut session = database().session();
    let asked = Arc::new(AtomicU32::new(0));
    let (counted, thread) = (asked.clone(), std::thread::current().id());
    session.set_interrupt(move || {
        assert_eq!(std::thread::current().id(), thread);
        counted.fetch_add(1, Ordering::Relaxed) == 1_000
    });
    let error = session.execute(ENDLESS, ()).expect_err("interrupted");
    assert_eq!((error.code(), asked.load(Ordering::Relaxed)), (code::QUERY_CANCELED, 1_001));
}

#[test]
fn windows_whose_frames_are_long_are_cancelled_between_rows() {
    let frame = "ORDER BY id ROWS BETWEEN 400 PRECEDING AND 400 FOLLOWING EXCLUDE TIES";
    for call in ["sum(id)", "nth_value(id, 300)", "min(id::TEXT)"] {
        let mut session = database().session();
        let asked = Arc::new(AtomicU32::new(0));
        let counted = asked.clone();
        session.set_interrupt(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        });
        let rows = session.query(&format!("SELECT {call} OVER ({frame}) FROM n"), ()).expect("a plan");
        let count = rows.count() as u32;
        assert!(asked.load(Ordering::Relaxed) >= count / 256 + 3, "{call}: asked {asked:?} times for {count} rows");
    }
}

fn one_text(session: &mut spectradb::Session, sql: &str) -> Vec<String> {
    let rows = session.query(sql, ()).expect("a plan").collect_all().expect("lines");
    rows.iter().map(|row| row.get::<String>(0).expect("text")).collect()
}

#[test]
fn a_plan_is_told_as_json_in_the_shape_of_its_text() {
    let mut session = database().session();
    let sql = "SELECT id FROM n WHERE id > 5 AND id IN (SELECT \"id\" FROM n) ORDER BY id DESC";
    let text = one_text(&mut session, &format!("EXPLAIN {sql}"));
    let json = one_text(&mut session, &format!("EXPLAIN (FORMAT JSON) {sql}"));
    assert_eq!(json.len(), 1);
    let lines = json[0].lines().filter_map(|line| line.trim().strip_prefix("\"Text\": \""));
    let told: Vec<String> =
        lines.map(|line| line.trim_end_matches([',', '"']).replace("\\\"", "\"").to_owned()).collect();
    let plain: Vec<&str> = text.iter().map(|line| line.trim()).collect();
    assert_eq!(told, plain);
    assert!(json[0].starts_with("[\n  {\n    \"Plan\": {\n      \"Node Type\": "), "{}", json[0]);
    assert_eq!(json[0].matches('{').count(), json[0].matches('}').count());
    assert_eq!(json[0].matches('[').count(), json[0].matches(']').count());
}

#[test]
fn analyze_runs_the_query_and_tells_each_nodes_rows() {
    let mut session = database().session();
    let lines = one_text(&mut session, "EXPLAIN ANALYZE SELECT count(*) FROM n WHERE id % 2 = 0");
    let rows: Vec<&str> = lines.iter().filter_map(|line| line.split("(rows ").nth(1)?.split(',').next()).collect();
    assert_eq!((rows.first(), rows.last()), (Some(&"1"), Some(&"100")), "{lines:?}");
    let json = one_text(&mut session, "EXPLAIN (ANALYZE, FORMAT JSON) SELECT id FROM n");
    assert!(json[0].contains("\"Actual Rows\": 100") && json[0].contains("\"Actual Total Time\": "), "{}", json[0]);
    let error = session.execute("EXPLAIN ANALYZE DELETE FROM n", ()).expect_err("it would delete");
    assert_eq!(error.code(), "0A000");
}

#[test]
fn errors_of_prepare_stand_in_its_own_text() {
    let mut session = database().session();
    let error = session.execute("PREPARE p AS\nSELECT nothing FROM n", ()).expect_err("no such column");
    assert_eq!(error.position().map(|at| (at.line, at.column)), Some((2, 8)), "{error}");
    session.execute("PREPARE p AS SELECT 1 / $1", ()).expect("a statement");
    let error = session.execute("EXECUTE p($1)", &[Value::Integer(0)]).expect_err("division by zero");
    assert_eq!(error.code(), "22012");
}
