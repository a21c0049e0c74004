//! Compiled queries and changes: how tables are found, what rows are, both times, errors at run time.

use spectradb::{Database, Date, Numeric, Result, Table, Timestamp, code, database, spectra_sql};

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "accounts")]
struct Account {
    #[key]
    id: i64,
    name: String,
    balance: Option<f64>,
}

mod trade {
    //! Another module, whose tables are public.
    use spectradb::Table;

    #[derive(Table, Clone, Debug, PartialEq)]
    #[table(name = "rates")]
    pub struct Rate {
        #[key]
        pub currency: String,
        pub rate: f64,
    }

    /// A name that is a macro of the standard library.
    #[derive(Table)]
    #[table(name = "line")]
    pub struct Line {
        #[key]
        pub no: i64,
        pub currency: String,
    }
}

database!(bank { accounts: Account, rates: trade::Rate, line: trade::Line });
database!(pub(crate) from_file = "tests/typed/schema.sql");

fn bank() -> Result<Database> {
    let db = Database::open_memory()?;
    db.create::<Account>()?;
    db.create::<trade::Rate>()?;
    db.create::<trade::Line>()?;
    let account = |id, name: &str, balance| Account { id, name: name.into(), balance };
    db.insert_all([account(1, "alice", Some(1000.0)), account(2, "bob", Some(500.0)), account(3, "carol", None)])?;
    db.insert_all(
        [("USD", 1.25), ("SEK", 11.5)].map(|(currency, rate)| trade::Rate { currency: currency.into(), rate }),
    )?;
    db.insert_all(
        [(1, "USD"), (2, "USD"), (3, "XTS")].map(|(no, currency)| trade::Line { no, currency: currency.into() }),
    )?;
    Ok(db)
}

#[test]
fn tables_are_found_as_rust_finds_macros() -> Result<()> {
    let db = bank()?;
    assert_eq!(spectra_sql!(db, "SELECT count(*) AS n FROM accounts")?.n, 3);
    {
        use trade::*;
        assert_eq!(spectra_sql!(db, "SELECT count(*) AS n FROM rates")?.n, 2);
    }
    {
        use trade::rates as courses;
        let n = spectra_sql!(db, "SELECT count(*) AS n FROM courses WHERE courses.rate > 2")?.n;
        assert_eq!(n, 1);
        let joined = spectra_sql!(db, "SELECT count(*) AS n FROM courses, accounts, (SELECT 1) AS one")?;
        assert_eq!(joined.n, 6);
    }
    // By registry, from any module, and where a macro of the standard library has the table's name.
    assert_eq!(spectra_sql!(bank: db, "SELECT count(*) AS n FROM line JOIN rates USING (currency)")?.n, 2);
    let error = spectra_sql!(from_file: &db, "SELECT maker FROM parts").expect_err("it was not created");
    assert_eq!(error.code(), code::UNDEFINED_TABLE);
    db.sql("CREATE TABLE parts (maker TEXT NOT NULL, no INTEGER NOT NULL, \"unit price\" NUMERIC(8,2), PRIMARY KEY (maker, no)); CREATE TABLE notes (text TEXT)")?;
    db.sql("INSERT INTO parts VALUES ('acme', 1, 9.99); INSERT INTO notes VALUES ('a note')")?;
    let price: Option<Numeric<8, 2>> =
        spectra_sql!(from_file: db, "SELECT \"unit price\" AS price FROM parts, notes")?.next().expect("a row")?.price;
    assert_eq!(price.map(|price| price.units()), Some(999));
    Ok(())
}

#[test]
fn rows_have_the_types_that_are_proven() -> Result<()> {
    let db = bank()?;
    let one: Option<String> = spectra_sql!(db, "SELECT name FROM accounts WHERE id = $1", 2)?.map(|row| row.name);
    assert_eq!(one.as_deref(), Some("bob"));
    let totals = spectra_sql!(
        &db,
        r#"SELECT count(*) AS n, count(balance) AS known, sum(balance) AS total, sum(id) AS ids, avg(balance) AS mean,
                  max(name) AS last
           FROM accounts WHERE id < :below"#,
        below = 10
    )?;
    let (n, known, total, ids): (i64, i64, Option<f64>, Option<i64>) =
        (totals.n, totals.known, totals.total, totals.ids);
    assert_eq!((n, known, total, ids), (3, 2, Some(1500.0), Some(6)));
    assert_eq!((totals.mean, totals.last.as_deref()), (Some(750.0), Some("carol")));
    let nothing = spectra_sql!(db, "SELECT count(*) AS n, sum(balance) AS total FROM accounts WHERE id > 10")?;
    assert_eq!((nothing.n, nothing.total), (0, None));
    let rows = spectra_sql!(db, "SELECT * FROM accounts ORDER BY id DESC" as Account)?.collect_all()?;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [3, 2, 1]);
    // Columns without a name, with one name, with a keyword for a name.
    let row = spectra_sql!(db, "SELECT 1, 2 AS a, 3 AS a, DATE '1970-01-02' AS type, 'x' AS \"two words\"")?;
    assert_eq!((row.column1, row.a, row.a_2, row.r#type), (1, 2, 3, Date(1)));
    Ok(())
}

#[test]
fn parameters_have_the_types_of_their_use() -> Result<()> {
    let db = bank()?;
    let owned = "alice".to_owned();
    let by_name = |name: &str| -> Result<Vec<i64>> {
        spectra_sql!(db, "SELECT id FROM accounts WHERE name = :name OR name = :other", name = name, other = &owned)?
            .map(|row| row.map(|row| row.id))
            .collect()
    };
    assert_eq!(by_name("bob")?, [1, 2]);
    let none: Option<f64> = None;
    let rows = spectra_sql!(db, "SELECT id FROM accounts WHERE balance > $1 OR id = $2", ?none, 3)?.collect_all()?;
    assert_eq!(rows.len(), 1);
    let price: Numeric<12, 2> = "19.90".parse()?;
    db.sql("CREATE TABLE parts (maker TEXT NOT NULL, no INTEGER NOT NULL, \"unit price\" NUMERIC(8,2), PRIMARY KEY (maker, no))")?;
    let insert = |no: i64, price: Option<Numeric<12, 2>>| spectra_sql!(from_file: db, "INSERT INTO parts VALUES ('acme', :no, :price)", no = no, price = ?price);
    assert_eq!(insert(1, Some(price))?.rows, 1);
    assert_eq!(insert(2, None)?.to_string(), "1 row inserted");
    let dear = spectra_sql!(from_file: db, "SELECT count(*) AS n FROM parts WHERE \"unit price\" >= $1", price)?;
    assert_eq!(dear.n, 1);
    Ok(())
}

#[test]
fn both_times_are_there() -> Result<()> {
    let db = bank()?;
    let done = spectra_sql!(db, "UPDATE accounts SET balance = $1 WHERE id = $2", 1.0, 1)?;
    assert_eq!((done.rows, done.commit), (1, Some(4)));
    let balance = |commit: i64| -> Result<Option<f64>> {
        Ok(spectra_sql!(db, "SELECT balance FROM accounts WHERE id = 1 AS OF $1", commit)?.and_then(|row| row.balance))
    };
    assert_eq!((balance(1)?, balance(4)?), (Some(1000.0), Some(1.0)));
    assert_eq!(balance(5).expect_err("the future").code(), "22023");
    let mut session = db.session();
    let from = Timestamp(1_000_000);
    spectra_sql!(
        session,
        "UPDATE accounts FOR PORTION OF VALID_TIME FROM $1 TO TIMESTAMP '1970-01-01 00:00:02' SET name = 'x' WHERE id = 2",
        from
    )?;
    let history = spectra_sql!(
        session,
        "SELECT name, _valid_from AS since FROM accounts FOR VALID_TIME ALL WHERE id = 2 ORDER BY _valid_from"
    )?
    .collect_all()?;
    let names: Vec<&str> = history.iter().map(|row| row.name.as_str()).collect();
    assert_eq!((names, history[1].since), (vec!["bob", "x", "bob"], from));
    let then = spectra_sql!(session, "SELECT name FROM accounts WHERE id = 2 VALID AT $1", from)?;
    assert_eq!(then.map(|row| row.name).as_deref(), Some("x"));
    Ok(())
}

#[test]
fn errors_at_run_time_point_into_the_sql() -> Result<()> {
    let db = bank()?;
    let mut rows = spectra_sql!(db, "SELECT id,\n       10 / (id - 2) AS x FROM accounts WHERE id < 3")?;
    let error = rows.find_map(Result::err).expect("a division by zero");
    assert_eq!((error.code(), error.message()), ("22012", "division by zero"));
    assert_eq!(error.position().map(|position| (position.line, position.column)), Some((2, 8)));
    // What the first arm decides is not asked further.
    let rows = spectra_sql!(db, "SELECT id FROM accounts WHERE id = 2 OR 10 / (id - 2) > 5")?.collect_all()?;
    assert_eq!(rows.len(), 2);
    let mut session = db.session();
    session.begin()?;
    assert!(session.execute("SELECT nonsense", ()).is_err());
    let failed = spectra_sql!(session, "SELECT id FROM accounts").expect_err("the transaction failed");
    assert_eq!(failed.code(), code::IN_FAILED_TRANSACTION);
    Ok(())
}

#[test]
fn a_changed_table_is_noticed() -> Result<()> {
    let db = bank()?;
    let names = || -> Result<usize> { Ok(spectra_sql!(db, "SELECT name FROM accounts")?.collect_all()?.len()) };
    assert_eq!(names()?, 3);
    db.sql("DROP TABLE accounts")?;
    assert_eq!(names().expect_err("it is gone").code(), code::UNDEFINED_TABLE);
    db.sql("CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT, balance REAL)")?;
    let error = names().expect_err("it is another");
    assert_eq!(error.code(), code::SCHEMA_MISMATCH);
    assert!(error.message().ends_with("column \"name\" may be NULL in the database and is NOT NULL in the program"));
    db.sql("DROP TABLE accounts")?;
    db.create::<Account>()?;
    assert_eq!(names()?, 0);
    Ok(())
}

#[test]
fn changes_give_rows_with_returning() -> Result<()> {
    let db = bank()?;
    let new = spectra_sql!(
        db,
        "INSERT INTO accounts VALUES ($1, $2, NULL), (9, 'ida', 1) RETURNING id, name, balance, _valid_to",
        7,
        "hal"
    )?;
    let new = new.collect_all()?;
    assert_eq!((new[0].id, new[0].name.as_str(), new[0].balance, new[1].balance), (7, "hal", None, Some(1.0)));
    assert_eq!(new[0]._valid_to, Timestamp(i64::MAX));
    let mut session = db.session();
    let changed = spectra_sql!(
        session,
        "INSERT INTO accounts VALUES (9, 'x', 4) ON CONFLICT (id) DO UPDATE SET balance = accounts.balance + excluded.balance
         RETURNING *" as Account
    )?;
    assert_eq!(changed.collect_all()?, [Account { id: 9, name: "ida".into(), balance: Some(5.0) }]);
    let gone = spectra_sql!(session, "DELETE FROM accounts WHERE id > $1 RETURNING id + $1 AS sum", 6)?;
    let mut sums: Vec<i64> = gone.map(|row| row.map(|row| row.sum)).collect::<Result<_>>()?;
    sums.sort_unstable();
    assert_eq!(sums, [13, 15]);
    let merged = spectra_sql!(
        bank: session,
        "MERGE INTO accounts USING line ON id = no WHEN MATCHED AND currency = 'XTS' THEN DELETE
         WHEN MATCHED THEN UPDATE SET name = currency"
    )?;
    assert_eq!((merged.rows, merged.to_string().as_str()), (3, "2 rows updated, 1 row deleted"));
    Ok(())
}

#[test]
fn what_is_computed_of_an_argument_that_is_no_option_is_none() -> Result<()> {
    let db = bank()?;
    let row = spectra_sql!(db, "SELECT 1 + $1 AS next, upper($2) AS loud, $3 + 1 AS maybe", 41, "x", ?None)?;
    let (next, loud, maybe): (i64, String, Option<i64>) = (row.next, row.loud, row.maybe);
    assert_eq!((next, loud.as_str(), maybe), (42, "X", None));
    Ok(())
}

#[test]
fn compiled_queries_keep_to_their_sessions_limits() -> Result<()> {
    let db = bank()?;
    let mut session = db.session();
    session.execute("SET memory_limit = 1", ())?;
    let sorted = spectra_sql!(session, "SELECT id, name FROM accounts ORDER BY name")?.collect::<Result<Vec<_>>>();
    assert_eq!(sorted.expect_err("three rows are more than a byte").code(), code::OUT_OF_MEMORY);
    session.execute("RESET ALL", ())?;
    let mut rows = spectra_sql!(session, "SELECT DISTINCT name FROM accounts")?;
    session.canceller().cancel();
    assert_eq!(rows.find_map(Result::err).expect("it was cancelled").code(), code::QUERY_CANCELED);
    assert_eq!(spectra_sql!(session, "SELECT DISTINCT name FROM accounts")?.count(), 3);
    Ok(())
}

#[test]
fn a_compiled_query_follows_the_time_zone_of_its_session() -> Result<()> {
    let db = bank()?;
    let mut session = db.session();
    let day = |session: &spectradb::Session, at: &str| {
        spectra_sql!(
            session,
            "SELECT CAST(TIMESTAMPTZ '2024-07-01 23:30+00' AS DATE)::TEXT AS day, CAST(CAST($1 AS TEXT) AS TIMESTAMPTZ) AS at",
            at
        )
    };
    let row = day(&session, "2024-07-01 12:00")?;
    assert_eq!((row.day, row.at.to_string()), ("2024-07-01".into(), "2024-07-01 12:00:00+00".into()));
    session.execute("SET time_zone TO 'Europe/Berlin'", ())?;
    let row = day(&session, "2024-07-01 12:00")?;
    assert_eq!((row.day, row.at.to_string()), ("2024-07-02".into(), "2024-07-01 10:00:00+00".into()));
    Ok(())
}

#[test]
fn a_part_of_with_that_is_computed_once_is_so_when_compiled() -> Result<()> {
    let db = bank()?;
    let same = spectra_sql!(
        db,
        "WITH r AS (SELECT id, random() AS x FROM accounts) SELECT count(*) AS n FROM r a JOIN r b USING (id) WHERE a.x = b.x"
    )?;
    assert_eq!(same.n, 3);
    let second = spectra_sql!(
        db,
        "WITH r AS MATERIALIZED (SELECT name, id FROM accounts) SELECT max(id) AS id FROM r WHERE id < (SELECT max(id) FROM r)"
    )?;
    assert_eq!(second.id, Some(2));
    Ok(())
}

#[test]
fn a_compiled_query_reads_the_settings_of_its_session() -> Result<()> {
    let db = bank()?;
    let mut session = db.session();
    let mut shown = || -> Result<(String, Option<String>, bool)> {
        session.execute("SET statement_timeout = '90s'", ())?;
        let row = spectra_sql!(
            session,
            "SELECT current_setting('statement_timeout') AS t, current_setting('nothing', true) AS none,
                    pg_input_is_valid($1, 'int4') AS fits",
            "50000000000"
        )?;
        Ok((row.t, row.none, row.fits))
    };
    assert_eq!(shown()?, ("90s".to_owned(), None, false));
    let none = spectra_sql!(session, "SELECT current_setting('nothing') AS t").map(|row| row.t);
    assert_eq!(none.map_err(|error| error.code().to_owned()), Err("42704".to_owned()));
    Ok(())
}
