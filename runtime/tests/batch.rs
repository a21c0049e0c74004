//! Does a write batch leave the facts that the same statements leave?
//!
//! Random batches of puts and deletions over periods, typed and by name, go to one database; to the other the same goes as
//! DELETE FOR PORTION and INSERT in one transaction. After each, the current facts of both must be the same, periods included.

use spectradb::{Config, Database, Durability, Error, Params, Period, Table, Timestamp, Value, WriteBatch};
use spectradb_store::{SimDisk, Store, SystemClock};
use std::sync::Arc;

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "t")]
struct Fact {
    #[key]
    id: i64,
    name: Option<String>,
}

mod other {
    use spectradb::Table;

    #[derive(Table)]
    #[table(name = "t")]
    pub struct Other {
        #[key]
        pub id: i64,
    }
}

fn fact(id: i64, name: &str) -> Fact {
    Fact { id, name: Some(name.to_owned()) }
}

fn database() -> Database {
    let db = Database::open_memory().expect("memory is there");
    db.create::<Fact>().expect("a table");
    db
}

fn facts(db: &Database) -> Vec<String> {
    let sql = "SELECT id, name, _valid_from, _valid_to FROM t FOR VALID_TIME ALL ORDER BY id, _valid_from";
    let rows = db.query(sql, ()).expect("it reads").map(|row| row.map(|row| format!("{:?}", row.values())));
    rows.collect::<Result<_, Error>>().expect("it reads")
}

fn period(from: i64, to: i64) -> Period {
    Period::new(from, to).expect("not empty")
}

#[test]
fn a_batch_leaves_the_facts_that_statements_leave() {
    for seed in 1..=12_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut below = |limit: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % limit) as i64
        };
        let (batched, told) = (database(), database());
        for step in 0..8 {
            let mut batch = batched.batch();
            let mut session = told.session();
            session.begin().expect("a transaction");
            for _ in 0..1 + below(12) {
                let (id, from) = (below(4), below(20) * 1_000_000);
                let always = below(6) == 0;
                let over = if always { Period::ALWAYS } else { period(from, from + (1 + below(8)) * 1_000_000) };
                let name = ["a", "b", "c"][below(3) as usize];
                let kind = below(5);
                match kind {
                    0 => batch.delete_for::<Fact>(id, over),
                    1 => batch.delete_key_for("t", [id.into()], over),
                    2 => batch.put_values_for("t", [id.into(), name.into()], over),
                    _ => batch.put_for(&fact(id, name), over),
                };
                let ends = format!("{} TO {}", instant(over.from()), instant(over.to()));
                let (portion, valid) = match always {
                    true => ("FOR VALID_TIME ALL".to_owned(), String::new()),
                    false => (format!("FOR PORTION OF VALID_TIME FROM {ends}"), format!("VALID FROM {ends}")),
                };
                run(&mut session, &format!("DELETE FROM t {portion} WHERE id = {id}"));
                if kind > 1 {
                    run(&mut session, &format!("INSERT INTO t VALUES ({id}, '{name}') {valid}"));
                }
            }
            batch.commit().unwrap_or_else(|error| panic!("seed {seed}, step {step}: {error}"));
            session.commit().expect("it commits");
            assert_eq!(facts(&batched), facts(&told), "seed {seed}, step {step}");
        }
        let verified = batched.store().verify(None).expect("it reads");
        assert_eq!(verified.difference, None);
    }
}

fn instant(micros: i64) -> String {
    format!("TIMESTAMP '{}'", Timestamp(micros))
}

fn run(session: &mut spectradb::Session, sql: &str) {
    session.run(sql, Params::None).unwrap_or_else(|error| panic!("{sql}\n{error}"));
}

#[test]
fn the_last_write_to_an_instant_wins_whatever_the_form() {
    let db = database();
    let mut batch = db.batch();
    batch.put(&fact(1, "typed")).put_values("t", [1.into(), "loose".into()]);
    batch.put_values("t", [2.into(), "loose".into()]).put(&fact(2, "typed"));
    batch.put_all([fact(3, "all"), fact(4, "all")]).delete::<Fact>(3).delete_key("t", [4.into()]);
    batch.put(&fact(4, "again"));
    assert_eq!(batch.commit().expect("it commits"), Some(1));
    let names = [1, 2, 3, 4].map(|id| db.get::<Fact>(id).expect("it reads").and_then(|row| row.name));
    assert_eq!(names.each_ref().map(Option::as_deref), [Some("loose"), Some("typed"), None, Some("again")]);
}

#[test]
fn what_holds_already_is_not_written() {
    let db = database();
    let rows: Vec<Fact> = (0..5_000).map(|id| fact(id, "first")).collect();
    let put = |rows: &[Fact]| {
        let mut batch = db.batch();
        batch.put_all(rows);
        batch.commit().expect("it commits")
    };
    assert_eq!(put(&rows), Some(1));
    assert_eq!(put(&rows), None);
    assert_eq!(put(&[fact(7, "first"), fact(8, "second")]), Some(2));
    let versions = db.query("SELECT id FROM t FOR SYSTEM_TIME ALL WHERE id IN (7, 8)", ()).expect("it reads");
    assert_eq!(versions.count(), 3);
    assert_eq!(db.batch().commit().expect("nothing to do"), None);
    let mut none = db.batch();
    none.delete::<Fact>(9_999);
    assert_eq!(none.commit().expect("nothing to do"), None);
}

#[test]
fn a_batch_that_is_refused_writes_nothing() {
    let db = database();
    db.sql("CREATE TABLE n (id INTEGER PRIMARY KEY, name VARCHAR(3) NOT NULL); CREATE TABLE keyless (x INTEGER)")
        .expect("tables");
    let code = |fill: &dyn Fn(&mut WriteBatch) -> &mut WriteBatch| {
        let mut batch = db.batch();
        batch.put(&fact(1, "beside"));
        fill(&mut batch);
        batch.commit().expect_err("it is refused").code()
    };
    assert_eq!(code(&|batch| batch.put_values("n", [1.into(), Value::Null])), "23502");
    assert_eq!(code(&|batch| batch.put_values("n", [1.into(), "long".into()])), "22001");
    assert_eq!(code(&|batch| batch.put_values("n", [1.into()])), "42804");
    assert_eq!(code(&|batch| batch.put_values("n", ["x".into(), "y".into()])), "22P02");
    assert_eq!(code(&|batch| batch.put_values("none", [1.into()])), "42P01");
    assert_eq!(code(&|batch| batch.put(&other::Other { id: 1 })), "42P17");
    assert_eq!(code(&|batch| batch.delete_key("keyless", [1.into()])), "22023");
    assert_eq!(facts(&db), Vec::<String>::new());
    let mut batch = db.batch();
    batch.put_values("n", [1.into(), "abc".into()]).put_values("keyless", [7.into()]).put_values("keyless", [7.into()]);
    assert_eq!(batch.commit().expect("both tables at once"), Some(1));
    assert_eq!(db.query("SELECT x FROM keyless", ()).expect("it reads").count(), 2);
}

#[test]
fn a_batch_says_when_it_is_synced() {
    let disk = SimDisk::new(1);
    let config = Config { background: false, ..Config::default() };
    let store = Store::open(Arc::new(disk.clone()), Arc::new(SystemClock), config).expect("a new database");
    let db = Database::over(store);
    db.create::<Fact>().expect("a table");
    let syncs = |durability: Durability, id: i64| {
        let before = disk.syncs();
        let mut batch = db.batch();
        batch.put(&fact(id, "x")).put(&fact(id + 1, "y"));
        batch.commit_with(durability).expect("it commits");
        disk.syncs() - before
    };
    assert_eq!([syncs(Durability::None, 1), syncs(Durability::Synced, 3)], [0, 1]);
}
