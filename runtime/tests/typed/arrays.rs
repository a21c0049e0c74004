//! Arrays in structs and in compiled queries: columns, parameters, subscripts, ANY.

use spectradb::{Database, Result, Table, spectra_sql};

#[derive(Table, Clone, Debug, PartialEq)]
#[table(name = "bags")]
struct Bag {
    #[key]
    id: i64,
    sizes: Option<Vec<Option<i64>>>,
    names: Vec<Option<String>>,
}

#[test]
fn arrays_are_vectors_of_options() -> Result<()> {
    let db = Database::open_memory()?;
    db.create::<Bag>()?;
    let bag = |id, sizes, name: &str| Bag { id, sizes, names: vec![Some(name.into()), None] };
    db.insert_all([bag(1, Some(vec![Some(5), None]), "a"), bag(2, None, "b")])?;
    let first = spectra_sql!(db, "SELECT sizes[1] AS size, names, cardinality(names) AS n FROM bags WHERE id = 1")?
        .expect("the bag is there");
    assert_eq!((first.size, first.n), (Some(5), 2));
    assert_eq!(first.names, vec![Some("a".to_owned()), None]);
    let wanted = [1i64, 7];
    let found = spectra_sql!(db, "SELECT id FROM bags WHERE id = ANY($1) ORDER BY id", &wanted)?;
    assert_eq!(found.map(|row| row.map(|row| row.id)).collect::<Result<Vec<_>>>()?, [1]);
    Ok(())
}
