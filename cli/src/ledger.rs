//! `spectradb verify`, `digest`, `proof` and `restore`: how does the ledger prove itself from the command line, and how is a past
//! state of it made a database again?
//!
//! What is asked for goes to stdout: a digest or a proof is one line of JSON, to be redirected into a file. `proof check`
//! needs no database. The exit code is 1 when something differs, when a proof does not hold, and after any error.

use clap::Subcommand;
use spectradb::embed::{
    Config, Database, Error, RestorePoint, Timestamp,
    ledger::{Digest, FactName, Proof, ProofOf, Proven, digest_from_json, digest_json, proof_from_json, proof_json},
    restore, restore_point,
};
use std::{
    fmt::Write as _,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Shows that a database is what its ledger says, and proves it to others.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Compute everything again from the files and compare it with the ledger.
    Verify {
        /// The database's folder.
        #[arg(long, value_name = "DIR")]
        path: PathBuf,
        /// Compare the ledger with this earlier digest too.
        #[arg(long, value_name = "FILE")]
        digest: Option<PathBuf>,
    },
    /// Print the state of the ledger in a few bytes, to be kept or signed.
    Digest {
        /// The database's folder.
        #[arg(long, value_name = "DIR")]
        path: PathBuf,
    },
    /// Make or check a proof.
    #[command(subcommand)]
    Proof(ProofCommand),
    /// Make a new database that holds what another one held at a commit or an instant.
    Restore {
        /// The folder of the database; others may be using it.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// The folder of the new database; it is not there yet.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        /// A commit's number, or an instant in UTC such as '2026-01-31 12:00'. [default: the newest commit]
        #[arg(long, value_name = "COMMIT | TIMESTAMP")]
        at: Option<String>,
    },
}

#[derive(Subcommand)]
pub(crate) enum ProofCommand {
    /// Print a proof that a fact, a commit's metadata or a record is in the ledger.
    Inclusion {
        /// The database's folder.
        #[arg(long, value_name = "DIR")]
        path: PathBuf,
        /// The fact's table.
        #[arg(long, value_name = "TABLE", requires = "key")]
        table: Option<String>,
        /// The fact's key; once for each of its columns.
        #[arg(long, value_name = "VALUE", requires = "table", allow_hyphen_values = true)]
        key: Vec<String>,
        /// As of which commit. [default: the newest]
        #[arg(long, value_name = "COMMIT", requires = "table")]
        as_of: Option<u64>,
        /// When the fact is valid. [default: now]
        #[arg(long, value_name = "TIMESTAMP", requires = "table")]
        valid_at: Option<String>,
        /// Prove only that the fact's columns were in the ledger, without telling them.
        #[arg(long, requires = "table")]
        hide_columns: bool,
        /// A commit, whose metadata is proved.
        #[arg(long, value_name = "COMMIT", conflicts_with_all = ["table", "record"])]
        commit: Option<u64>,
        /// A record.
        #[arg(long, value_name = "NUMBER", conflicts_with = "table", required_unless_present_any = ["table", "commit"])]
        record: Option<u64>,
        /// Prove that this leaf of the record, counted from 0, is there and its content was erased.
        #[arg(long, value_name = "PLACE", requires = "record")]
        erased: Option<u64>,
        /// Prove it against this digest's state of the ledger. [default: the newest]
        #[arg(long, value_name = "FILE")]
        digest: Option<PathBuf>,
    },
    /// Print a proof that the ledger goes on from an earlier digest.
    Consistency {
        /// The database's folder.
        #[arg(long, value_name = "DIR")]
        path: PathBuf,
        /// The earlier digest.
        #[arg(long, value_name = "FILE")]
        old_digest: PathBuf,
        /// Prove it up to this digest's state of the ledger. [default: the newest]
        #[arg(long, value_name = "FILE")]
        digest: Option<PathBuf>,
    },
    /// Check a proof against a digest, without the database, and print what it proves.
    Check {
        /// The proof; - is stdin.
        file: PathBuf,
        /// The digest that it is for.
        #[arg(long, value_name = "FILE")]
        digest: PathBuf,
        /// The earlier digest, for a proof of consistency.
        #[arg(long, value_name = "FILE")]
        old_digest: Option<PathBuf>,
    },
}

/// Why a command ends with 1.
enum Fault {
    Database(Error),
    Told(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Database(error)
    }
}

/// Runs the command and prints what comes of it.
pub(crate) fn run(command: Command) -> ExitCode {
    match done(command) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(Fault::Database(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        Err(Fault::Told(told)) => {
            eprintln!("{told}");
            ExitCode::FAILURE
        }
    }
}

fn done(command: Command) -> Result<String, Fault> {
    match command {
        Command::Verify { path, digest } => {
            let earlier = digest.as_deref().map(read_digest).transpose()?;
            let found = open(&path)?.verify(earlier.as_ref())?;
            match found.difference {
                Some(difference) => Err(Fault::Told(format!("the database is not what its ledger says: {difference}"))),
                None => Ok(format!(
                    "verified {} records, {} facts: {} proven, {} pruned, {} erased ({} receipts)\nroot {}\n",
                    found.digest.records,
                    found.facts,
                    found.proven,
                    found.pruned,
                    found.erased,
                    found.receipts,
                    hex(&found.digest.root)
                )),
            }
        }
        Command::Digest { path } => Ok(format!("{}\n", digest_json(&open(&path)?.digest()?))),
        Command::Proof(ProofCommand::Inclusion {
            path,
            table,
            key,
            as_of,
            valid_at,
            hide_columns,
            commit,
            record,
            erased,
            digest,
        }) => {
            let digest = digest.as_deref().map(read_digest).transpose()?;
            let db = open(&path)?;
            let records = digest.map(|digest| db.records_of(&digest)).transpose()?;
            let mut proof = match (&table, commit, record) {
                (Some(table), _, _) => {
                    let fact = FactName { table, key, as_of, valid_at: valid_at.as_deref() };
                    db.prove_fact(&fact, records)?
                }
                (None, Some(commit), _) => db.prove(ProofOf::Metadata(commit), records)?,
                (None, None, record) => {
                    let record = record.unwrap_or(0);
                    let of = erased.map_or(ProofOf::Record(record), |place| ProofOf::Erased { record, place });
                    db.prove(of, records)?
                }
            };
            if let Some(leaf) = proof.leaf.as_mut().filter(|_| hide_columns) {
                leaf.close_columns();
            }
            Ok(format!("{}\n", proof_json(&Proof::Inclusion(proof))))
        }
        Command::Proof(ProofCommand::Consistency { path, old_digest, digest }) => {
            let earlier = read_digest(&old_digest)?;
            let digest = digest.as_deref().map(read_digest).transpose()?;
            let db = open(&path)?;
            let records = digest.map(|digest| db.records_of(&digest)).transpose()?;
            let proof = db.prove_consistency(&earlier, records)?;
            Ok(format!("{}\n", proof_json(&Proof::Consistency(proof))))
        }
        Command::Proof(ProofCommand::Check { file, digest, old_digest }) => {
            check(&file, &digest, old_digest.as_deref())
        }
        Command::Restore { from, to, at } => {
            let at = at.as_deref().map_or(Ok(RestorePoint::Newest), restore_point)?;
            let restored = restore(&from, &to, at, &Config::default())?;
            let (digest, verified) = (&restored.digest, &restored.verified);
            let source = if restored.from_log { "the log" } else { "the tables" };
            Ok(format!(
                "restored commit {} from {source}: {} records, {} facts, timeline {}\nroot {}\n",
                digest.commit,
                digest.records,
                verified.facts,
                restored.timeline,
                hex(&digest.root)
            ))
        }
    }
}

fn check(file: &Path, digest: &Path, old_digest: Option<&Path>) -> Result<String, Fault> {
    let digest = read_digest(digest)?;
    let failed = |error: &dyn std::fmt::Display| Fault::Told(format!("the proof does not hold: {error}"));
    match proof_from_json(&read(file)?)? {
        Proof::Inclusion(proof) => {
            let proven = proof.check(&digest).map_err(|error| failed(&error))?;
            Ok(told(&proven))
        }
        Proof::Consistency(proof) => {
            let Some(old) = old_digest else {
                return Err(Fault::Told("a proof of consistency needs --old-digest".to_owned()));
            };
            proof.check(&read_digest(old)?, &digest).map_err(|error| failed(&error))?;
            let (old, new) = (proof.old_records, proof.new_records);
            Ok(format!("proven: the ledger of {new} records goes on from that of {old} records\n"))
        }
    }
}

/// What an inclusion proof proves, one thing a line.
fn told(proven: &Proven) -> String {
    let header = &proven.header;
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(out, "{text}").expect("a String takes all");
    line(format_args!("proven: record {}, {}", header.record, Timestamp(header.instant)));
    match header.kind {
        1 => line(format_args!("commit: {}", header.commit)),
        3 => line(format_args!("the receipt of an erasure, after commit {}", header.commit)),
        _ => line(format_args!("catalogue version: {}", header.catalog_version)),
    }
    if let Some(erased) = &proven.erased {
        let (place, count) = (erased.leaf_idx, erased.leaf_count);
        line(format_args!("erased: leaf {place} of {count} is in the record, and what it said was erased"));
        line(format_args!("leaf: {}", hex(&erased.leaf)));
    }
    let Some(leaf) = &proven.leaf else { return out };
    if let Some(metadata) = &leaf.metadata {
        line(format_args!("metadata: {metadata}"));
    }
    let schema = proven.schema.as_ref();
    match (&schema, leaf.table.0) {
        (Some(schema), _) => line(format_args!("table: {}", schema.name)),
        (None, 0) => {}
        (None, number) => line(format_args!("table: number {number}")),
    }
    if let Some(key) = &leaf.key {
        match (&key.values, schema) {
            (Some(values), Some(schema)) => {
                for (column_idx, value) in schema.key.iter().zip(values) {
                    line(format_args!("{}: {value}", schema.columns[*column_idx].name));
                }
            }
            _ => line(format_args!("key: {}", hex(&key.bytes))),
        }
        line(format_args!("valid: from {} to {}", Timestamp(key.valid_from), Timestamp(key.valid_to)));
        if key.origin > 0 {
            line(format_args!("left over from: commit {}", key.origin));
        }
    }
    match &leaf.columns {
        None if leaf.metadata.is_none() => line(format_args!("columns: not told")),
        None => {}
        Some(columns) => {
            let is_open = |id| columns.iter().any(|(known, _)| *known == id);
            for (id, value) in columns {
                let name = schema.and_then(|schema| schema.columns.iter().find(|column| column.id == *id));
                match name {
                    Some(column) => line(format_args!("{}: {value}", column.name)),
                    None => line(format_args!("column {}: {value}", id.0)),
                }
            }
            let schema_columns = schema.map_or(&[][..], |schema| schema.columns.as_slice());
            for (column_idx, column) in schema_columns.iter().enumerate() {
                if !is_open(column.id) && !schema.is_some_and(|schema| schema.is_key(column_idx)) {
                    line(format_args!("{}: NULL", column.name));
                }
            }
        }
    }
    out
}

fn open(path: &Path) -> Result<Database, Fault> {
    // Opening makes a database where there is none, and an empty one proves nothing. One without its manifest is told of.
    let is_ours = |name: &str| name == "manifest" || name.starts_with("log-") || name.ends_with(".sst");
    let names = path.read_dir().into_iter().flatten().flatten().map(|entry| entry.file_name());
    if !names.into_iter().any(|name| name.to_str().is_some_and(is_ours)) {
        return Err(Fault::Told(format!("there is no database in \"{}\"", path.display())));
    }
    // Nothing of it is changed, so it may lie where nothing can be written, and a writer may be at work.
    Ok(Database::open_read_only(path)?)
}

fn read_digest(path: &Path) -> Result<Digest, Fault> {
    digest_from_json(&read(path)?).map_err(|error| Fault::Told(format!("{}: {}", path.display(), error.message())))
}

#[expect(clippy::disallowed_methods, reason = "digests and proofs are files of the user's, not the database's")]
fn read(path: &Path) -> Result<String, Fault> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    read.map_err(|error| Fault::Told(format!("cannot read \"{}\": {error}", path.display())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
