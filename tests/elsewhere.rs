//! Can a crate use the tables that another one derives?
//!
//! The struct's table is a macro that the other crate exports: it must be found through a path, a `use`, a glob, and in a
//! registry, and the row's fields must be public enough to be read.

use spectradb::{Database, Result, database, spectra_sql};
use spectradb_tests::library::Shelf;

database!(house { shelves: spectradb_tests::library::Shelf });

fn filled() -> Result<Database> {
    let db = Database::open_memory()?;
    db.create::<Shelf>()?;
    let shelf = |no, subject: &str, metres| Shelf { no, subject: subject.into(), metres };
    db.insert_all([shelf(1, "maps", Some(1.5)), shelf(2, "poems", None)])?;
    Ok(db)
}

#[test]
fn through_a_registry() -> Result<()> {
    let db = filled()?;
    let wide = spectra_sql!(house: db, "SELECT subject FROM shelves WHERE metres > $1", 1.0)?.collect_all()?;
    assert_eq!(wide[0].subject, "maps");
    assert_eq!(spectra_sql!(house: db, "UPDATE shelves SET metres = 2 WHERE no = $1", 2)?.rows, 1);
    Ok(())
}

#[test]
fn through_a_use_and_through_a_glob() -> Result<()> {
    let db = filled()?;
    {
        use spectradb_tests::library::shelves;
        assert_eq!(spectra_sql!(db, "SELECT count(*) AS n FROM shelves")?.n, 2);
    }
    use spectradb_tests::library::*;
    let whole = spectra_sql!(db, "SELECT * FROM shelves WHERE no = 2" as Shelf)?;
    assert_eq!(whole, Some(Shelf { no: 2, subject: "poems".into(), metres: None }));
    Ok(())
}
