//! Does the ledger prove itself from the command line, with and without the database?

#![expect(clippy::disallowed_methods, reason = "a test makes files and breaks them")]

use std::{
    path::Path,
    process::{Command, Output},
};

fn spectradb(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spectradb")).args(args).output().expect("the shell runs")
}

/// What a command that must succeed prints.
fn said(args: &[&str]) -> String {
    let output = spectradb(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// What a command that must fail with 1 complains of.
fn refused(args: &[&str]) -> String {
    let output = spectradb(args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("text")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_fact_is_proved_to_someone_without_the_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let (db, old, new) = (folder.path().join("db"), folder.path().join("old.json"), folder.path().join("new.json"));
    let (db, old, new) = (text(&db), text(&old), text(&new));
    let proof_file = folder.path().join("proof.json");
    let proof = text(&proof_file);
    let keep = |file: &str, content: &str| std::fs::write(file, content).expect("it can be written");
    said(&[
        db,
        "-c",
        "CREATE TABLE prices (sku TEXT, region TEXT, price NUMERIC(10,2), note TEXT, PRIMARY KEY (sku, region))",
        "-c",
        "BEGIN WITH (actor = 'ann', reason = 'new year', metadata = '{\"ticket\": 7}')",
        "-c",
        "INSERT INTO prices VALUES ('tea', 'eu', 4.20, NULL) VALID FROM DATE '2026-01-01' TO DATE '2026-07-01'",
        "-c",
        "COMMIT",
    ]);
    keep(old, &said(&["digest", "--path", db]));
    said(&[
        db,
        "-c",
        "UPDATE prices FOR VALID_TIME ALL SET price = 4.50",
        "-c",
        "INSERT INTO prices VALUES ('cup', 'eu', 1, 'x')",
    ]);
    keep(new, &said(&["digest", "--path", db]));
    let told = said(&["verify", "--path", db, "--digest", old]);
    assert!(
        told.starts_with("verified 4 records, 3 facts: 3 proven, 0 pruned, 0 erased (0 receipts)\nroot "),
        "{told}"
    );

    let fact = ["--table", "prices", "--key", "tea", "--key", "eu", "--valid-at", "2026-03-01", "--as-of", "1"];
    keep(proof, &said(&[&["proof", "inclusion", "--path", db], &fact[..]].concat()));
    let told = said(&["proof", "check", proof, "--digest", new]);
    let lines: Vec<&str> = told.lines().skip(1).collect();
    let expected = [
        "commit: 1",
        "table: prices",
        "sku: tea",
        "region: eu",
        "valid: from 2026-01-01 00:00:00 to 2026-07-01 00:00:00",
        "price: 4.20",
        "note: NULL",
    ];
    assert_eq!(lines, expected);
    let told = refused(&["proof", "check", proof, "--digest", old]);
    assert!(told.contains("the proof is for a ledger of 4 records, and the digest names one of 2"), "{told}");
    // Against the older digest, and with the columns kept secret.
    keep(proof, &said(&[&["proof", "inclusion", "--path", db, "--digest", old, "--hide-columns"], &fact[..]].concat()));
    let told = said(&["proof", "check", proof, "--digest", old]);
    assert!(told.ends_with("columns: not told\n") && !told.contains("4.20"), "{told}");
    // Another price in the proof.
    let written = said(&[&["proof", "inclusion", "--path", db], &fact[..]].concat());
    let forged = written.replacen("a401000000", "a501000000", 1);
    assert_ne!(forged, written, "4.20 is 420 units");
    keep(proof, &forged);
    let told = refused(&["proof", "check", proof, "--digest", new]);
    assert!(told.contains("the proof does not hold: the leaf does not lead to the root of its record"), "{told}");

    keep(proof, &said(&["proof", "inclusion", "--path", db, "--commit", "1"]));
    let told = said(&["proof", "check", proof, "--digest", new]);
    let metadata = r#"metadata: {"actor":"ann","metadata":{"ticket":7},"reason":"new year"}"#;
    assert!(told.contains(metadata), "{told}");
    keep(proof, &said(&["proof", "inclusion", "--path", db, "--record", "1"]));
    assert!(said(&["proof", "check", proof, "--digest", new]).contains("catalogue version: 1"));

    keep(proof, &said(&["proof", "consistency", "--path", db, "--old-digest", old]));
    let told = said(&["proof", "check", proof, "--digest", new, "--old-digest", old]);
    assert_eq!(told, "proven: the ledger of 4 records goes on from that of 2 records\n");
    assert!(refused(&["proof", "check", proof, "--digest", new, "--old-digest", new]).contains("ledger of 2 records"));
    assert!(refused(&["proof", "check", proof, "--digest", new]).contains("--old-digest"));

    for (args, complaint) in [
        (&["proof", "inclusion", "--path", db, "--table", "prices", "--key", "tea"][..], "the key of table"),
        (&["proof", "inclusion", "--path", db, "--table", "none", "--key", "tea"], "does not exist"),
        (&["proof", "inclusion", "--path", db, "--table", "prices", "--key", "no", "--key", "eu"], "no such fact"),
        (&["proof", "inclusion", "--path", db, "--record", "99"], "the ledger has no record 99: there are 4"),
        (&["proof", "inclusion", "--path", db, "--record", "3", "--digest", old], "no record 3: there are 2"),
        (&["proof", "inclusion", "--path", db, "--commit", "99"], "there is no commit 99: the newest is"),
        (&["proof", "inclusion", "--path", db, "--commit", "2"], "commit 2 has no metadata"),
        (
            &[
                "proof",
                "inclusion",
                "--path",
                db,
                "--table",
                "prices",
                "--key",
                "tea",
                "--key",
                "eu",
                "--valid-at",
                "noon",
            ],
            "the instant at which it is valid: ",
        ),
        (&["proof", "check", new, "--digest", new], "format"),
        (&["verify", "--path", "no/such/folder"], "there is no database"),
        (&["digest", "--path", "no/such/folder"], "there is no database"),
    ] {
        let told = refused(args);
        assert!(told.contains(complaint), "{args:?}: {told}");
    }
}

/// What was erased is in its place, without its content; an older proof of it tells the same leaf.
#[test]
fn what_was_erased_is_told_and_proved() {
    let folder = tempfile::tempdir().expect("a folder");
    let (db, old, new) = (folder.path().join("db"), folder.path().join("old.json"), folder.path().join("new.json"));
    let proof_file = folder.path().join("proof.json");
    let (db, old, new, proof) = (text(&db), text(&old), text(&new), text(&proof_file));
    let keep = |file: &str, content: &str| std::fs::write(file, content).expect("it can be written");
    let insert = "INSERT INTO people VALUES (1, 'Ann'), (2, 'Bob'), (3, 'Cid')";
    said(&[db, "-c", "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)", "-c", insert]);
    keep(old, &said(&["digest", "--path", db]));
    let fact = ["proof", "inclusion", "--path", db, "--table", "people", "--key", "2"];
    keep(proof, &said(&fact));
    said(&[db, "-c", "ERASE FROM people WHERE name = 'Bob'"]);
    let told = said(&["verify", "--path", db, "--digest", old]);
    assert!(told.starts_with("verified 3 records, 2 facts: 2 proven, 0 pruned, 1 erased (1 receipts)\n"), "{told}");
    // What somebody kept before still holds, and the ledger cannot make it again.
    assert!(said(&["proof", "check", proof, "--digest", old]).contains("name: Bob"));
    let told = refused(&fact);
    assert!(told.contains("no such fact") && told.contains("1 facts were erased from this database"), "{told}");
    let told = refused(&["proof", "inclusion", "--path", db, "--record", "2", "--erased", "0"]);
    assert!(told.contains("erased were the leaves at 1"), "{told}");
    keep(new, &said(&["digest", "--path", db]));
    keep(proof, &said(&["proof", "inclusion", "--path", db, "--record", "2", "--erased", "1"]));
    let told = said(&["proof", "check", proof, "--digest", new]);
    assert!(told.contains("commit: 1\nerased: leaf 1 of 3 is in the record") && !told.contains("Bob"), "{told}");
    keep(proof, &said(&["proof", "inclusion", "--path", db, "--record", "3"]));
    assert!(said(&["proof", "check", proof, "--digest", new]).contains("the receipt of an erasure, after commit 1"));
}

#[test]
fn a_past_state_becomes_a_database_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (db, new, old_digest, proof, digest) =
        (path("db"), path("new"), path("old.json"), path("proof.json"), path("new.json"));
    let keep = |file: &str, content: &str| std::fs::write(file, content).expect("it can be written");
    said(&[&db, "-c", "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)", "-c", "INSERT INTO t VALUES (1, 'right')"]);
    keep(&old_digest, &said(&["digest", "--path", &db]));
    said(&[&db, "-c", "UPDATE t SET x = 'wrong'"]);
    let told = said(&["restore", "--from", &db, "--to", &new, "--at", "1"]);
    assert!(told.starts_with("restored commit 1 from the log: 2 records, 1 facts, timeline 2\nroot "), "{told}");
    assert_eq!(said(&["digest", "--path", &new]), std::fs::read_to_string(&old_digest).expect("it was written"));
    assert_eq!(said(&[&new, "--mode", "csv", "--no-header", "-c", "SELECT x FROM t"]).trim_end(), "right");
    said(&[&new, "-c", "UPDATE t SET x = 'better'"]);
    keep(&digest, &said(&["digest", "--path", &new]));
    keep(&proof, &said(&["proof", "consistency", "--path", &new, "--old-digest", &old_digest]));
    let told = said(&["proof", "check", &proof, "--digest", &digest, "--old-digest", &old_digest]);
    assert_eq!(told, "proven: the ledger of 3 records goes on from that of 2 records\n");
    assert!(said(&["verify", "--path", &new, "--digest", &old_digest]).starts_with("verified 3 records"));
    let before = refused(&["restore", "--from", &db, "--to", &path("first"), "--at", "2000-01-01"]);
    assert!(before.contains("the database held nothing yet at 2000-01-01 00:00:00"), "{before}");
    for (to, at, complaint) in [
        (&new, "1", "is there already"),
        (&path("x"), "9", "commit 9 is in the future; the newest is 2"),
        (&path("x"), "2999-01-01", "the instant 2999-01-01 00:00:00 is in the future"),
        (&path("x"), "soon", "neither a commit nor an instant"),
    ] {
        let told = refused(&["restore", "--from", &db, "--to", to, "--at", at]);
        assert!(told.contains(complaint), "{told}");
    }
    assert!(refused(&["restore", "--from", &path("none"), "--to", &path("x")]).contains("there is no database"));
    assert!(!folder.path().join("x").exists() && !folder.path().join("x.restoring").exists());
}

#[test]
fn damage_ends_with_1_and_names_the_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = folder.path().join("db");
    let values: Vec<String> = (0..500).map(|id| format!("({id}, {id}.5)")).collect();
    said(&[
        text(&db),
        "-c",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, amount REAL)",
        "-c",
        &format!("INSERT INTO t VALUES {}", values.join(", ")),
        "-c",
        "VACUUM",
    ]);
    let found = std::fs::read_dir(&db).expect("it is there").filter_map(|entry| Some(entry.ok()?.path()));
    let mut segments: Vec<_> =
        found.filter(|path| path.extension().is_some_and(|extension| extension == "sst")).collect();
    segments.sort_by_key(|path| std::cmp::Reverse(path.metadata().map_or(0, |metadata| metadata.len())));
    let mut bytes = std::fs::read(&segments[0]).expect("it can be read");
    bytes[700] ^= 1;
    std::fs::write(&segments[0], bytes).expect("it can be written");
    let told = refused(&["verify", "--path", text(&db)]);
    assert!(told.starts_with("the database is not what its ledger says: file \"seg-"), "{told}");
    let told = refused(&[text(&db), "-c", "VERIFY LEDGER"]);
    assert!(told.starts_with("error[XX001]: the database is not what its ledger says: file \"seg-"), "{told}");
}

/// What somebody names wrongly is told in words of what he said: not in a statement that he never wrote, and not as a proof of nothing.
#[test]
fn refusals_speak_of_what_was_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (db, other, copy) = (place("db"), place("other"), place("copy"));
    let make = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (7)";
    said(&[&db, "-c", make]);
    said(&[&other, "-c", make]);
    let (of_db, of_other, of_copy) = (place("db.json"), place("other.json"), place("copy.json"));
    std::fs::write(&of_db, said(&["digest", "--path", &db])).expect("it can be written");
    std::fs::write(&of_other, said(&["digest", "--path", &other])).expect("it can be written");

    let told = refused(&["proof", "inclusion", "--path", &db, "--table", "t", "--key", "abc"]);
    assert!(told.contains("column \"id\" of the key: ") && told.contains("abc"), "{told}");
    assert!(!told.contains("CAST") && !told.contains("SELECT"), "{told}");

    for what in
        [&["consistency", "--old-digest", &of_other][..], &["inclusion", "--record", "1", "--digest", &of_other]]
    {
        let told = refused(&[&["proof", what[0], "--path", &db], &what[1..]].concat());
        assert!(told.contains("the digest is of database ") && told.contains(", and this is "), "{told}");
    }

    let told = refused(&["restore", "--from", &db, "--to", &copy, "--at", "0"]);
    assert!(told.contains("nothing was recorded as of commit 0"), "{told}");
    assert!(!Path::new(&copy).exists(), "a restore that was refused leaves nothing");
    said(&["restore", "--from", &db, "--to", &copy, "--at", "1"]);
    said(&[&copy, "-c", "INSERT INTO t VALUES (8)"]);
    std::fs::write(&of_copy, said(&["digest", "--path", &copy])).expect("it can be written");
    said(&["proof", "consistency", "--path", &copy, "--old-digest", &of_db]);
    said(&[&db, "-c", "INSERT INTO t VALUES (9)"]);
    let told = refused(&["proof", "consistency", "--path", &db, "--old-digest", &of_copy]);
    assert!(told.contains("on timeline 2, and this database has that record on timeline 1"), "{told}");
}
