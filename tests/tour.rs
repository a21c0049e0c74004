//! Do the figures that the tour tells stay what they are?
//!
//! `examples/tour.sql` is run over a database in memory, and what its queries answer is compared with `examples/tour.txt`; with
//! `SPECTRADB_UPDATE` set the file is written. Plans are left out: they may change, the figures may not.
//!
//! Not here: that the shell tells the same story twice (`cargo xtask test`).

use std::{fmt::Write as _, path::Path};

use spectradb::{Database, Outcome, embed::Splitter};

#[test]
fn the_tour_tells_the_same_figures() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let tour = std::fs::read_to_string(examples.join("tour.sql")).expect("the tour can be read");
    // The tour is run from the top folder, this test from its package's.
    let tour = tour.replace("'examples/data/", &format!("'{}/data/", examples.display()));
    let mut session = Database::open_memory().expect("memory is there").session();
    let mut splitter = Splitter::new();
    splitter.push(&tour);
    let mut told = String::new();
    while let Some(piece) = splitter.next_piece().or_else(|| splitter.finish()) {
        let sql = piece.expect("the tour is SQL").text;
        if sql.starts_with("EXPLAIN") {
            continue;
        }
        let outcome = session.execute(&sql, ()).unwrap_or_else(|error| panic!("{sql}\n{error}"));
        let Outcome::Rows(rows) = outcome else { continue };
        let names: Vec<&str> = rows.columns().iter().map(|column| column.name.as_str()).collect();
        writeln!(told, "{}", names.join(" | ")).expect("a String takes all");
        for row in rows {
            let row = row.unwrap_or_else(|error| panic!("{sql}\n{error}"));
            let values: Vec<String> = row.values().iter().map(ToString::to_string).collect();
            writeln!(told, "{}", values.join(" | ")).expect("a String takes all");
        }
        told.push('\n');
    }
    let path = examples.join("tour.txt");
    if std::env::var_os("SPECTRADB_UPDATE").is_some() {
        std::fs::write(&path, &told).expect("the file can be written");
    }
    let before = std::fs::read_to_string(&path).expect("examples/tour.txt can be read");
    for (line, (before, now)) in before.lines().zip(told.lines()).enumerate() {
        assert_eq!(before, now, "line {} of examples/tour.txt", line + 1);
    }
    assert_eq!(before.lines().count(), told.lines().count(), "examples/tour.txt has as many lines");
}
