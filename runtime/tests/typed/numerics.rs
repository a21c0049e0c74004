//! NUMERIC of any length in structs, in compiled queries, in files and over a reopening.

use spectradb::{BigNumeric, Database, Decimal, Result, Table, spectra_sql};

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "masses")]
struct Mass {
    #[key]
    at: BigNumeric,
    value: Option<BigNumeric>,
    all: Vec<Option<BigNumeric>>,
}

fn number(text: &str) -> BigNumeric {
    text.parse().expect("a number")
}

#[test]
fn numbers_of_any_length_go_in_and_come_out() -> Result<()> {
    let db = Database::open_memory()?;
    db.create::<Mass>()?;
    let long = "12345678901234567890123456789012345678901234567890.5";
    let mass = |at: &str, value: Option<&str>| Mass {
        at: number(at),
        value: value.map(number),
        all: vec![Some(number("1.50")), None, Some(number(long))],
    };
    let rows = [mass("-7", None), mass("1.50", Some(long)), mass("1e40", Some("NaN"))];
    db.insert_all(rows.clone())?;
    let read = spectra_sql!(db, "SELECT at, value, \"all\" FROM masses ORDER BY at")?;
    let read = read.map(|row| row.map(|row| Mass { at: row.at, value: row.value, all: row.all }));
    assert_eq!(read.collect::<Result<Vec<_>>>()?, rows);
    let wanted = number("1.5000");
    let found = spectra_sql!(
        db,
        "SELECT value * 2 AS twice, at + 1 AS next, sqrt(at) AS root FROM masses WHERE at = $1",
        &wanted
    )?
    .expect("keys go by value");
    assert_eq!(
        found.twice.map(|twice| twice.to_string()).as_deref(),
        Some("24691357802469135780246913578024691357802469135781.0")
    );
    assert_eq!((found.next.to_string(), found.root.to_string()), ("2.50".to_owned(), "1.224744871391589".to_owned()));
    let sums = spectra_sql!(
        db,
        "SELECT sum(at) AS total, max(at) AS greatest, count(DISTINCT value) AS n FROM masses WHERE at < 100"
    )?;
    assert_eq!(sums.total.map(|total| total.to_string()).as_deref(), Some("-5.50"));
    assert_eq!((sums.greatest, sums.n), (Some(number("1.50")), 1));
    let element = spectra_sql!(db, "SELECT \"all\"[3] AS item FROM masses WHERE at = 1e40")?.expect("it is there");
    assert_eq!(element.item, Some(number(long)));
    Ok(())
}

#[test]
fn untyped_rows_give_numbers_of_either_kind() -> Result<()> {
    let db = Database::open_memory()?;
    let row = db.query("SELECT 1.50::numeric, 2.5, 1e40, 7", ())?.next().expect("a row")?;
    assert_eq!(row.get::<Decimal>(0)?, Decimal { units: 150, scale: 2 });
    assert_eq!(row.get::<BigNumeric>(1)?, number("2.5"));
    assert!(row.get::<Decimal>(2).is_err());
    assert_eq!(row.get::<BigNumeric>(3)?, number("7"));
    Ok(())
}

#[test]
fn numbers_survive_files_and_a_reopening() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db");
    let shown = |db: &Database, sql: &str| -> Result<Vec<String>> {
        db.query(sql, ())?
            .map(|row| Ok(row?.values().iter().map(ToString::to_string).collect::<Vec<_>>().join("|")))
            .collect()
    };
    let expected = ["-1e300", "-0.001", "0.00", "2", "2.50", "1e40"].map(number);
    {
        let db = Database::open(&path)?;
        db.sql("CREATE TABLE t (k NUMERIC PRIMARY KEY, v NUMERIC(60,10), w NUMERIC(4,-2))")?;
        db.sql("INSERT INTO t SELECT n / 4.0::numeric, n, n * 100 FROM generate_series(1, 9000) AS g (n)")?;
        db.sql("VACUUM")?;
        db.sql("INSERT INTO t VALUES (-1e300, 1, 149), (-0.001, NULL, 150), (0.00, 12345678901234567890123456789012345678901234567890.5, 0), (1e40, 2, 3)")?;
        db.sql("VACUUM")?;
        db.sql("UPDATE t SET v = v + 0.5 WHERE k = 2.5000")?;
    }
    let db = Database::open(&path)?;
    let keys: Vec<String> = expected.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown(&db, "SELECT trim_scale(k) FROM t WHERE k < 0 OR k IN (0, 2, 1e40) ORDER BY k")?,
        [&keys[0], &keys[1], "0", "2", &keys[5]]
    );
    assert_eq!(shown(&db, "SELECT k, v, w FROM t WHERE k = 2.5")?, ["2.5000000000000000|10.5000000000|1000"]);
    assert_eq!(
        shown(&db, "SELECT k, v, w FROM t WHERE k <= 0 ORDER BY k DESC LIMIT 2")?,
        ["0.00|12345678901234567890123456789012345678901234567890.5000000000|0", "-0.001||200"]
    );
    assert_eq!(shown(&db, "SELECT count(*), sum(w) FROM t WHERE k BETWEEN 1 AND 2250")?, ["8997|4050449400"]);
    assert_eq!(shown(&db, "SELECT count(*) FROM t WHERE v > 8999")?, ["2"]);
    assert_eq!(db.sql("INSERT INTO t VALUES (2.50, 0, 0)").expect_err("the key is there").code(), "23505");
    assert_eq!(db.sql("INSERT INTO t VALUES (5000.5, 0, 999950)").expect_err("too large").code(), "22003");
    Ok(())
}
