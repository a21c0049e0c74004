//! How does a database show that its ledger is what it was?
//!
//! A [`Digest`] names a state of the ledger; [`Database::verify`] computes everything again from the files; and proofs show
//! to someone without the database that a fact is in the ledger, or that one state of it goes on from another. Digests and
//! proofs are exchanged as JSON ([`digest_json`], [`proof_json`]), which `docs/proofs.md` describes.
//!
//! Not here: hashes and trees (`spectradb_store::proof`), the shell's commands.

mod json;

pub use json::{Proof, digest_from_json, digest_json, proof_from_json, proof_json};
pub use spectradb_store::{
    ProofOf,
    proof::{ConsistencyProof, Digest, ErasedProof, InclusionProof, ProofError, Proven},
    verify::{Difference, Verification},
};

use crate::{
    Database,
    error::{Error, Result, code},
    rows::Outcome,
    session::Session,
    statement::result,
};
use spectradb_kernel::{
    Column, Type, Value, key,
    time::{Commit, Timestamp},
};
use spectradb_store::{ErasureFigures, fact::FactId};
use std::sync::Arc;

/// A fact to prove, as SQL would name it.
#[derive(Clone, Debug, Default)]
pub struct FactName<'a> {
    /// Its table.
    pub table: &'a str,
    /// The values of its key as texts, in key order.
    pub key: Vec<String>,
    /// As of which commit; the newest where none is given.
    pub as_of: Option<Commit>,
    /// When it is valid, as a TIMESTAMP's text; now where nothing is given.
    pub valid_at: Option<&'a str>,
}

impl Database {
    /// The state of the ledger up to the newest visible record, in a few bytes to be kept or signed.
    ///
    /// # Errors
    /// XX001 when a log file is corrupt, 58030 when the system refuses a call.
    pub fn digest(&self) -> Result<Digest> {
        Ok(self.store().digest()?)
    }

    /// Computes everything again from the files and compares it with the ledger, and the ledger with a digest that was
    /// taken earlier. Damage and forgery are not errors but a difference in the answer.
    ///
    /// # Errors
    /// 58030 when the system refuses a call.
    pub fn verify(&self, earlier: Option<&Digest>) -> Result<Verification> {
        Ok(self.store().verify(earlier)?)
    }

    /// A proof that something is in the ledger as it is now, or as it was when it had `records` records.
    ///
    /// # Errors
    /// P0002 when it is not in it, 55000 when its record is no longer in the log, XX001, 58030.
    pub fn prove(&self, of: ProofOf<'_>, records: Option<u64>) -> Result<InclusionProof> {
        let proof = self.store().prove_inclusion(of, records)?;
        let told = || match of {
            ProofOf::Erased { record, .. } => self.told_places(record),
            ProofOf::Fact { .. } => self.told_erasures(Error::new(code::NO_DATA, "the ledger has no such fact")),
            ProofOf::Record(record) => self.told_records(record, records),
            ProofOf::Metadata(commit) => self.told_metadata(commit, records),
        };
        proof.ok_or_else(told)
    }

    /// What is said where there is no such record.
    fn told_records(&self, record: u64, records: Option<u64>) -> Error {
        let message = match (self.store().digest(), records) {
            (Err(error), _) => return error.into(),
            (Ok(newest), Some(records)) if records > newest.records => {
                format!("the ledger has {} records, and the digest is of {records}", newest.records)
            }
            (Ok(newest), records) => {
                format!("the ledger has no record {record}: there are {}", records.unwrap_or(newest.records))
            }
        };
        Error::new(code::NO_DATA, message)
            .with_help("records count from 1, with commits, changes of the catalogue and receipts of erasures")
    }

    /// What is said where a commit's metadata is not in the ledger.
    fn told_metadata(&self, commit: Commit, records: Option<u64>) -> Error {
        let snapshot = self.store().snapshot();
        if commit == 0 || commit > snapshot.commit() {
            let newest = snapshot.commit();
            return Error::new(code::NO_DATA, format!("there is no commit {commit}: the newest is {newest}"));
        }
        match self.store().prove_inclusion(ProofOf::Metadata(commit), None) {
            Err(error) => error.into(),
            Ok(Some(_)) => {
                let records = records.unwrap_or_default();
                Error::new(code::NO_DATA, format!("commit {commit} is behind the {records} records of the digest"))
            }
            Ok(None) => Error::new(code::NO_DATA, format!("commit {commit} has no metadata"))
                .with_help("BEGIN WITH (actor = ..) gives a commit some; the commit itself is proved by its record, which spectra_commits names"),
        }
    }

    /// What is said where a leaf was not erased.
    fn told_places(&self, record: u64) -> Error {
        let places = match self.store().erased_places(record) {
            Ok(places) => places,
            Err(error) => return error.into(),
        };
        let told = Error::new(code::NO_DATA, format!("record {record} has no erased leaf at that place"));
        if places.is_empty() {
            return told.with_help("nothing of this record was erased");
        }
        let places: Vec<String> = places.iter().take(20).map(u64::to_string).collect();
        told.with_help(format!("erased were the leaves at {}", places.join(", ")))
    }

    /// A fact that is not there may have been erased: what it was is nowhere, so nobody can tell.
    fn told_erasures(&self, error: Error) -> Error {
        match self.store().erasure_figures() {
            ErasureFigures { receipts: 0, .. } => error,
            ErasureFigures { facts, .. } => error.with_help(format!(
                "{facts} facts were erased from this database, perhaps this one; where it stood can be proved by record and place"
            )),
        }
    }

    /// Is a text a value of a type? The statement that looks for the fact is ours, so it says nothing to who named the fact.
    fn check_text(&self, text: &str, ty: &str, what: &str) -> Result<()> {
        let sql = format!("SELECT CAST('{}' AS {ty})", text.replace('\'', "''"));
        let told = |error: Error| Error::new(error.code(), format!("{what}: {}", error.message()));
        self.session().query(&sql, ()).and_then(|mut rows| rows.next().transpose()).map(drop).map_err(told)
    }

    /// A proof that a fact is in the ledger; see [`Database::prove`].
    ///
    /// # Errors
    /// As [`Database::prove`]; the language's where a name, a key or an instant is none.
    pub fn prove_fact(&self, fact: &FactName<'_>, records: Option<u64>) -> Result<InclusionProof> {
        let snapshot = self.snapshot();
        let as_of = fact.as_of.unwrap_or_else(|| snapshot.commit());
        let mut schema = snapshot.catalog_at(as_of)?.by_name(fact.table).cloned();
        if as_of == snapshot.commit() {
            // What was made since the newest commit is there too, and has no facts.
            schema = schema.or_else(|| snapshot.catalog().by_name(fact.table).cloned());
        }
        let schema = schema
            .ok_or_else(|| Error::new(code::UNDEFINED_TABLE, format!("table \"{}\" does not exist", fact.table)))?;
        if schema.key.len() != fact.key.len() {
            let message =
                format!("the key of table \"{}\" has {} values, not {}", fact.table, schema.key.len(), fact.key.len());
            return Err(Error::new(code::INVALID_PARAMETER, message));
        }
        let name = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let columns: Vec<_> = schema.key.iter().map(|column_idx| &schema.columns[*column_idx]).collect();
        let names: Vec<String> = columns.iter().map(|column| name(&column.name)).collect();
        let terms = columns.iter().zip(&names).zip(&fact.key);
        let terms: Vec<String> =
            terms.map(|((column, name), value)| format!("{name} = CAST({} AS {})", text(value), column.ty)).collect();
        for (column, value) in columns.iter().zip(&fact.key) {
            self.check_text(value, &column.ty.to_string(), &format!("column \"{}\" of the key", column.name))?;
        }
        if let Some(at) = fact.valid_at {
            self.check_text(at, "TIMESTAMP", "the instant at which it is valid")?;
        }
        let valid = fact.valid_at.map_or(String::new(), |at| format!(" VALID AT TIMESTAMP {}", text(at)));
        let sql = format!(
            "SELECT _commit, _valid_from, {} FROM {} WHERE {} AS OF {as_of}{valid}",
            names.join(", "),
            name(&schema.name),
            terms.join(" AND ")
        );
        let row = self.session().query(&sql, ())?.next().transpose()?;
        let none = || {
            let message = format!("table \"{}\" has no such fact at that point of both times", fact.table);
            self.told_erasures(Error::new(code::NO_DATA, message))
        };
        let row = row.ok_or_else(none)?;
        let keys: Vec<Column> = columns
            .iter()
            .zip(&row.values()[2..])
            .map(|(column, value)| Column::from_values(column.ty, std::slice::from_ref(value)))
            .collect();
        let mut bytes = Vec::new();
        key::encode(&keys, 0, &mut bytes);
        let Timestamp(valid_from) = row.get::<Timestamp>(1)?;
        let fact = FactId { key: bytes, valid_from, commit: row.get::<i64>(0)?.cast_unsigned() };
        self.prove(ProofOf::Fact { table: schema.id, fact: &fact }, records)
    }

    /// How many records of this ledger a digest names.
    ///
    /// # Errors
    /// 22023 when it is a digest of another database, or of another timeline of it.
    pub fn records_of(&self, digest: &Digest) -> Result<u64> {
        let (database, timeline) = self.store().lineage_at(digest.records);
        let hex = |bytes: &[u8; 16]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        if digest.database != database {
            let message =
                format!("the digest is of database {}, and this is {}", hex(&digest.database), hex(&database));
            return Err(Error::new(code::INVALID_PARAMETER, message).with_help("take both from one database"));
        }
        if digest.timeline != timeline {
            let message = format!(
                "the digest is of record {} on timeline {}, and this database has that record on timeline {timeline}",
                digest.records, digest.timeline
            );
            return Err(Error::new(code::INVALID_PARAMETER, message).with_help(
                "a database that was restored goes on by itself: states of two timelines have only what came before in common",
            ));
        }
        Ok(digest.records)
    }

    /// A proof that the ledger, as it is now or as it was when it had `records` records, goes on from the state of an
    /// earlier digest.
    ///
    /// # Errors
    /// P0002 when it does not have as many records, or that state is behind `records`; as [`Database::records_of`]; XX001, 58030.
    pub fn prove_consistency(&self, earlier: &Digest, records: Option<u64>) -> Result<ConsistencyProof> {
        let old = self.records_of(earlier)?;
        let proof = self.store().prove_consistency(old, records)?;
        proof.ok_or_else(|| {
            let message = match records {
                Some(records) if old > records => {
                    format!("the earlier digest names {old} records, and the later one only {records}")
                }
                _ => format!("the ledger does not have {} records", records.unwrap_or(old).max(old)),
            };
            Error::new(code::NO_DATA, message)
        })
    }
}

impl Session {
    /// VERIFY LEDGER: one row, or an error that names the first difference.
    pub(crate) fn verify_ledger(&self, sql: &Arc<str>) -> Result<Outcome> {
        let found = self.store().verify(None)?;
        if let Some(difference) = &found.difference {
            return Err(Error::new(
                code::DATA_CORRUPTED,
                format!("the database is not what its ledger says: {difference}"),
            )
            .with_help("restore the files from a copy; nothing was changed"));
        }
        let number = |number: u64| Value::Integer(number.cast_signed());
        let columns = [
            ("records", Type::Integer),
            ("facts", Type::Integer),
            ("proven", Type::Integer),
            ("pruned", Type::Integer),
            ("erased", Type::Integer),
            ("receipts", Type::Integer),
            ("root", Type::Text),
        ];
        let row = vec![
            number(found.digest.records),
            number(found.facts),
            number(found.proven),
            number(found.pruned),
            number(found.erased),
            number(found.receipts),
            Value::Text(json::hex(&found.digest.root)),
        ];
        result(&columns, vec![row], sql)
    }

    /// DIGEST: one row.
    pub(crate) fn show_digest(&self, sql: &Arc<str>) -> Result<Outcome> {
        let digest = self.store().digest()?;
        let columns = [
            ("database", Type::Text),
            ("records", Type::Integer),
            ("root", Type::Text),
            ("link", Type::Text),
            ("commit", Type::Integer),
            ("instant", Type::Timestamp),
            ("digest", Type::Json),
        ];
        let row = vec![
            Value::Text(json::hex(&digest.database)),
            Value::Integer(digest.records.cast_signed()),
            Value::Text(json::hex(&digest.root)),
            Value::Text(json::hex(&digest.link)),
            Value::Integer(digest.commit.cast_signed()),
            digest.instant.map_or(Value::Null, |instant| Value::Timestamp(Timestamp(instant))),
            Value::Json(digest_json(&digest)),
        ];
        result(&columns, vec![row], sql)
    }
}
