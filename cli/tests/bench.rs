//! Does `spectradb bench` measure what it was told to?

use std::process::{Command, Output};

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spectradb")).arg("bench").args(args).output().unwrap()
}

fn fine(args: &[&str]) -> String {
    let output = bench(args);
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{err}");
    assert_eq!(err, "", "progress is for terminals");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_counts_are_those_asked_for() {
    let said = fine(&["--write-ops=150", "--read-ops=200", "--keyspace=40", "--read-miss-ratio=0.25", "--threads=3"]);
    assert!(said.contains("150 commits (synced), 40 rows; 150 reads found their key, 50 did not; 3 threads"), "{said}");
    for head in ["per second", "p50", "p99.9", "commit", "read"] {
        assert!(said.contains(head), "{said}");
    }
    let said = fine(&["--write-ops=0", "--read-ops=5", "--durability=none"]);
    assert!(said.contains("0 commits (not synced), 0 rows; 0 reads found their key, 5 did not; 1 threads"), "{said}");
}

#[test]
fn tuning_flags_reach_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("db");
    let path = path.to_str().unwrap();
    let said = fine(&["--path", path, "--write-ops=50", "--read-ops=0", "--shard-count=4", "--durability", "16"]);
    assert!(said.contains("50 commits (synced once in 16 records), 50 rows") && said.contains("4 shards"), "{said}");
    // A database that is there already is not measured in: it would keep the commits for ever.
    let again = bench(&["--path", path, "--write-ops=1"]);
    assert!(!again.status.success() && String::from_utf8(again.stderr).unwrap().contains("58P02"));
    for wrong in [["--read-miss-ratio=2", "--threads=1"], ["--durability=often", "--threads=1"], ["--threads=0", "-h"]]
    {
        assert_eq!(bench(&wrong[..1]).status.code(), Some(2));
    }
}
