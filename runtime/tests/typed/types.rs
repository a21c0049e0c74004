//! Do narrow numbers, times, intervals and UUIDs travel between structs, compiled queries and tables?

use spectradb::{Database, Interval, Result, Table, Time, TimestampTz, Uuid};

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "samples")]
struct Sample {
    #[key]
    id: Uuid,
    small: i16,
    middle: Option<i32>,
    float: f32,
    at: Option<Time>,
    seen: TimestampTz,
    gap: Option<Interval>,
}

fn sample(id: u128, small: i16) -> Sample {
    Sample {
        id: Uuid(id),
        small,
        middle: Some(i32::MIN),
        float: 0.1,
        at: Some(Time(3_600_000_000)),
        seen: TimestampTz(1_000_000),
        gap: Interval::new(1, 2, 3),
    }
}

#[test]
fn rows_come_back_as_they_were() -> Result<()> {
    let db = Database::open_memory()?;
    db.create::<Sample>()?;
    let rows = [sample(1, i16::MAX), sample(u128::MAX, -1)];
    db.insert_all(rows.iter().cloned())?;
    for row in &rows {
        assert_eq!(db.get::<Sample>(row.id)?.as_ref(), Some(row));
    }
    let all = spectradb::spectra_sql!(db, "SELECT * FROM samples ORDER BY id" as Sample)?;
    assert_eq!(all.collect::<Result<Vec<Sample>>>()?, rows);
    Ok(())
}

#[test]
fn compiled_queries_take_and_give_them() -> Result<()> {
    let db = Database::open_memory()?;
    db.create::<Sample>()?;
    db.insert(&sample(7, 5))?;
    let (gap, id) = (Interval::new(0, 1, 0).expect("within the limits"), Uuid(7));
    let row = spectradb::spectra_sql!(
        db,
        "SELECT small + small AS twice, seen + $1 AS later, gap + INTERVAL '1 day' AS more, float \
         FROM samples WHERE id = $2 AND at < TIME '02:00'",
        gap,
        id
    )?
    .expect("there is one");
    assert_eq!((row.twice, row.later), (10i16, TimestampTz(86_401_000_000)));
    assert_eq!(row.more.map(|more| more.to_string()).as_deref(), Some("1 mon 3 days 00:00:00.000003"));
    assert_eq!(row.float, 0.1f32);
    let error = spectradb::spectra_sql!(db, "UPDATE samples SET small = $1", 70_000).expect_err("it is too large");
    assert_eq!(error.code(), "22003");
    Ok(())
}

#[test]
fn a_text_of_a_limited_length_is_checked_where_a_struct_is_written() -> Result<()> {
    #[derive(Table)]
    #[table(name = "named")]
    struct Named {
        #[key]
        id: i64,
        name: Option<String>,
    }
    let db = Database::open_memory()?;
    db.sql("CREATE TABLE named (id INTEGER PRIMARY KEY, name VARCHAR(3))")?;
    let refused = db.insert(&Named { id: 1, name: Some("four".into()) }).map(|_| ());
    assert!(refused.is_err(), "the struct says TEXT where the table says VARCHAR(3), or the text is too long");
    Ok(())
}
