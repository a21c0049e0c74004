//! Tables as structs: creating, inserting and reading them.

use spectradb::{At, Database, Date, Json, Numeric, Period, Result, Table, Timestamp, code};

/// One field of each type, and what may be NULL.
#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "everything")]
struct Everything {
    #[key]
    day: Date,
    #[key]
    tag: String,
    truth: bool,
    count: Option<i64>,
    ratio: f64,
    #[column(name = "amount due", default = "1.5")]
    amount: Option<Numeric<12, 2>>,
    bytes: Vec<u8>,
    at: Option<Timestamp>,
    json: Option<Json>,
    r#type: Option<String>,
}

fn everything(day: i32, tag: &str, some: bool) -> Everything {
    Everything {
        day: Date(day),
        tag: tag.into(),
        truth: some,
        count: some.then_some(i64::MIN),
        ratio: 0.1,
        amount: if some { Numeric::from_units(-1) } else { None },
        bytes: vec![0, 255],
        at: some.then_some(Timestamp(-1)),
        json: some.then(|| "{\"a\": [1, 2]}".parse().expect("JSON")),
        r#type: some.then(|| "é".into()),
    }
}

#[test]
fn rows_come_back_as_they_went_in() -> Result<()> {
    let db = Database::open_memory()?;
    assert!(db.create::<Everything>()?);
    assert!(!db.create::<Everything>()?);
    let rows: Vec<_> = (0..20_000).map(|day| everything(day, "x", day % 3 == 0)).collect();
    assert_eq!(db.insert_all(&rows)?, Some(1));
    assert_eq!(db.insert_all(Vec::<Everything>::new())?, None);
    for day in [0, 1, 8_192, 19_999] {
        assert_eq!(db.get::<Everything>((Date(day), "x"))?.as_ref(), Some(&rows[day as usize]));
    }
    assert_eq!(db.get::<Everything>((Date(0), "y"))?, None);
    // The columns are what the derive says: the default is the dynamic language's business.
    db.sql("INSERT INTO everything (day, tag, truth, ratio, bytes) VALUES (DATE '1970-01-01', 'y', true, 0, X'')")?;
    let row = db.get::<Everything>((Date(0), "y"))?.expect("it was inserted");
    assert_eq!(row.amount.map(|amount| amount.to_string()).as_deref(), Some("1.50"));
    Ok(())
}

#[test]
fn keys_are_unique_per_instant() -> Result<()> {
    let db = Database::open_memory()?;
    db.create::<Everything>()?;
    let period = |from, to| Period::new(from, to).expect("not empty");
    db.insert_valid(&everything(1, "x", false), period(0, 100))?;
    db.insert_all_valid([(everything(1, "x", true), period(100, 200)), (everything(2, "x", true), period(0, 5))])?;
    let error = db.insert_valid(&everything(1, "x", true), period(50, 60)).expect_err("the key is taken");
    assert_eq!(error.code(), code::UNIQUE_VIOLATION);
    let truth = |at: At| db.get_at::<Everything>((Date(1), "x"), at).map(|row| row.map(|row| row.truth));
    assert_eq!(truth(At::now().valid(Timestamp(99)))?, Some(false));
    assert_eq!(truth(At::now().valid(Timestamp(100)))?, Some(true));
    assert_eq!(truth(At::commit(1).valid(Timestamp(100)))?, None);
    assert_eq!(truth(At::now())?, None);
    assert_eq!(truth(At::commit(99)).expect_err("the future").code(), "22023");
    Ok(())
}

#[test]
fn a_session_sees_its_own_rows() -> Result<()> {
    let db = Database::open_memory()?;
    db.create::<Everything>()?;
    let mut session = db.session();
    session.begin()?;
    assert_eq!(session.insert(&everything(1, "x", true))?, None);
    assert!(session.get::<Everything>((Date(1), "x"))?.is_some());
    assert!(db.get::<Everything>((Date(1), "x"))?.is_none());
    session.commit()?;
    assert!(db.get::<Everything>((Date(1), "x"))?.is_some());
    Ok(())
}

#[test]
fn a_database_with_another_table_says_what_differs() -> Result<()> {
    #[derive(Table)]
    #[table(name = "prices")]
    struct Price {
        #[key]
        sku: String,
        price: Option<f64>,
    }
    let db = Database::open_memory()?;
    let missing = db.insert(&Price { sku: "tea".into(), price: None }).expect_err("it is not there");
    assert_eq!((missing.code(), missing.message()), ("42P01", "table \"prices\" does not exist"));
    db.sql("CREATE TABLE prices (sku TEXT PRIMARY KEY, price INTEGER)")?;
    let error = db.create::<Price>().expect_err("it is another");
    assert_eq!(error.code(), code::SCHEMA_MISMATCH);
    assert_eq!(
        error.message(),
        "table \"prices\" is not the one the program was compiled for: column \"price\" is integer in the database and \
         real in the program"
    );
    assert_eq!(db.get::<Price>("tea").err().map(|error| error.code()), Some(code::SCHEMA_MISMATCH));
    Ok(())
}

#[test]
fn a_document_table_is_a_struct_too() -> Result<()> {
    #[derive(Table)]
    #[table(name = "events", document)]
    struct Event {
        #[key]
        pk: String,
        doc: Option<Json>,
    }
    let db = Database::open_memory()?;
    db.create::<Event>()?;
    db.insert(&Event { pk: "evt-1".into(), doc: Some(Json::new("{\"type\":\"signup\"}")?) })?;
    let row = spectradb::spectra_sql!(db, "SELECT pk, doc.type AS kind FROM events")?.next().expect("one row")?;
    assert_eq!(row.pk, "evt-1");
    let doc = db.get::<Event>("evt-1")?.and_then(|event| event.doc).map(Json::into_string);
    assert_eq!(doc.as_deref(), Some("{\"type\":\"signup\"}"));
    assert_eq!(db.get::<Event>("evt-1")?.map(|event| event.pk).as_deref(), Some("evt-1"));
    Ok(())
}
