//! What can be shown about the ledger to someone who does not have the database?
//!
//! A [`Digest`] names one state of a ledger in a few bytes: how many records it has and the root of a Merkle tree over
//! them (RFC 6962; the leaf of a record is the hash of its link). Whoever keeps a digest, or has it signed, can be shown
//! later that a record or a fact is in that ledger ([`InclusionProof`]), and that a later ledger goes on from it
//! ([`ConsistencyProof`]), by some hundred bytes and without a file of the database.
//!
//! Holds: nothing here reads a disk or knows an open database; what [`InclusionProof::check`] returns was decoded from the
//! bytes that were hashed, so it is what the ledger says and not what somebody wrote beside it.
//! Not here: making proofs (`prove`), the hash chain itself (`chain`), the text form of proofs (the runtime).

mod decode;
pub mod merkle;

pub use decode::{KeyAndPeriod, LeafContent};

use crate::{
    chain::{WithinRecord, catalog_root, commitment_to_columns, commitment_to_key, leaf_of, link_of},
    format::frame::RecordHead,
};
use merkle::{Hash, Join, is_consistent, root_of_path};
use spectradb_kernel::{
    schema::{TableId, TableSchema},
    time::{Commit, Micros},
};
use std::sync::Arc;

/// How hashes are joined in the tree over records: `BLAKE3(1, left, right)`.
#[derive(Clone, Copy, Debug)]
pub struct OverRecords;

impl Join for OverRecords {
    fn join(left: &Hash, right: &Hash) -> Hash {
        let mut bytes = [1; 65];
        bytes[1..33].copy_from_slice(left);
        bytes[33..].copy_from_slice(right);
        *blake3::hash(&bytes).as_bytes()
    }
}

/// The leaf of a record in the tree over records: `BLAKE3(0, link)`.
pub fn record_leaf(link: &Hash) -> Hash {
    let mut bytes = [0; 33];
    bytes[1..].copy_from_slice(link);
    *blake3::hash(&bytes).as_bytes()
}

/// The root of a ledger without records: the hash of nothing.
pub fn empty_root() -> Hash {
    *blake3::hash(&[]).as_bytes()
}

/// One state of a ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The database.
    pub database: [u8; 16],
    /// The timeline of the last record.
    pub timeline: u32,
    /// How many records the ledger has.
    pub records: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// The last record's link.
    pub link: Hash,
    /// The last commit; 0 when there is none.
    pub commit: Commit,
    /// Its instant, when there is one.
    pub instant: Option<Micros>,
}

/// What a record says of itself, as its link hashes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// 1 commit, 2 change of the catalogue, 3 erasure, 4 retention.
    pub kind: u8,
    /// The timeline of the database that it was written on.
    pub timeline: u32,
    /// Its number.
    pub record: u64,
    /// Its commit; for other kinds the last one before it.
    pub commit: Commit,
    /// When it was made.
    pub instant: Micros,
    /// The catalogue version that a commit was written under, or that a change makes.
    pub catalog_version: u64,
    /// Which opening of the database wrote it.
    pub epoch: u64,
    /// The term of a replicated log.
    pub term: u64,
    /// The link of the record before.
    pub previous: Hash,
}

impl From<&RecordHead> for RecordHeader {
    fn from(head: &RecordHead) -> RecordHeader {
        RecordHeader {
            kind: head.kind.code(),
            timeline: head.timeline,
            record: head.record,
            commit: head.commit,
            instant: head.instant,
            catalog_version: head.catalog_version,
            epoch: head.epoch,
            term: head.term,
            previous: head.previous,
        }
    }
}

/// A record in the tree over records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordProof {
    /// What it says of itself.
    pub header: RecordHeader,
    /// The root of its leaves. A proof of a leaf leads to it; a proof of the record alone states it.
    pub root: Hash,
    /// From the record's leaf up to the root of the tree over records.
    pub path: Vec<Hash>,
}

/// Half of a leaf: what it hashes, or only the hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The message, salt first.
    Open(Vec<u8>),
    /// The commitment to it: it was in the ledger, and the proof does not tell what it is.
    Closed(Hash),
}

/// A leaf of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafProof {
    /// The table; 0 for metadata.
    pub table: TableId,
    /// The version of its schema.
    pub schema_version: u32,
    /// 1 metadata, 2 a fact, 3 a deletion, 4 the end of a fact.
    pub op: u8,
    /// Key and period.
    pub key_and_period: Opening,
    /// The columns outside the key.
    pub columns: Opening,
    /// Its place among the leaves of its record.
    pub leaf_idx: u64,
    /// How many leaves there are.
    pub leaf_count: u64,
    /// From the leaf up to the record's root.
    pub path: Vec<Hash>,
}

/// A leaf of a record whose content was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedProof {
    /// The leaf: what it was made of is nowhere in the database any more. Whoever kept a proof of the fact finds the same hash
    /// there ([`LeafProof::leaf`]).
    pub leaf: Hash,
    /// Its place among the leaves of its record.
    pub leaf_idx: u64,
    /// How many leaves there are.
    pub leaf_count: u64,
    /// From the leaf up to the record's root.
    pub path: Vec<Hash>,
}

/// The record that gave a table the schema which a fact was written under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaProof {
    /// The record.
    pub record: RecordProof,
    /// Its payload.
    pub change: Vec<u8>,
}

/// A record, and perhaps one of its leaves, is in the ledger that a digest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The database.
    pub database: [u8; 16],
    /// Its timeline.
    pub timeline: u32,
    /// How many records the ledger has.
    pub records: u64,
    /// The record.
    pub record: RecordProof,
    /// One of its leaves.
    pub leaf: Option<LeafProof>,
    /// What the numbers of a fact's table and columns mean.
    pub schema: Option<SchemaProof>,
    /// One of its leaves, of which the content was erased.
    pub erased: Option<ErasedProof>,
}

/// A ledger goes on from a shorter one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The database.
    pub database: [u8; 16],
    /// Its timeline.
    pub timeline: u32,
    /// How many records the shorter one has.
    pub old_records: u64,
    /// How many the longer one has.
    pub new_records: u64,
    /// The path of RFC 6962.
    pub path: Vec<Hash>,
}

/// What an inclusion proof proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    /// The record.
    pub header: RecordHeader,
    /// The leaf, decoded.
    pub leaf: Option<LeafContent>,
    /// The table of the leaf, as the ledger declares it.
    pub schema: Option<Arc<TableSchema>>,
    /// The leaf that is there without its content.
    pub erased: Option<ErasedProof>,
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It speaks of another database than the digest.
    #[error("the proof is of another database than the digest")]
    OtherDatabase,
    /// It speaks of another timeline of the database than the digest.
    #[error("the proof is of timeline {proof} of the database, and the digest of timeline {digest}")]
    OtherTimeline {
        /// What the proof says.
        proof: u32,
        /// What the digest says.
        digest: u32,
    },
    /// It speaks of another state of the ledger.
    #[error("the proof is for a ledger of {proof} records, and the digest names one of {digest}")]
    OtherSize {
        /// What the proof says.
        proof: u64,
        /// What the digest says.
        digest: u64,
    },
    /// The hashes do not lead to the digest's root.
    #[error("the hashes do not lead to the root of the digest")]
    Record,
    /// The leaf does not lead to its record's root.
    #[error("the leaf does not lead to the root of its record")]
    Leaf,
    /// The table's description does not lead to the digest's root, or is another table's.
    #[error("the description of the table is not in the ledger")]
    Schema,
    /// The bytes that were hashed do not say what they must.
    #[error("the proof's content cannot be read: {0}")]
    Content(&'static str),
    /// The older digest is not the beginning of the newer one.
    #[error("the newer ledger does not go on from the older one")]
    NotConsistent,
}

impl RecordProof {
    fn leads_to(&self, digest: &Digest) -> bool {
        let link = link_of(digest.database, &self.header, &self.root);
        let Some(place) = self.header.record.checked_sub(1) else { return false };
        root_of_path::<OverRecords>(&record_leaf(&link), place, digest.records, &self.path) == Some(digest.root)
    }
}

impl Opening {
    fn commitment(&self, of: fn(&[u8]) -> Hash) -> Hash {
        match self {
            Opening::Open(message) => of(message),
            Opening::Closed(commitment) => *commitment,
        }
    }

    fn message(&self) -> Option<&[u8]> {
        match self {
            Opening::Open(message) => Some(message),
            Opening::Closed(_) => None,
        }
    }
}

impl LeafProof {
    /// Hides what the columns are: the proof then says of them only that they were in the ledger.
    pub fn close_columns(&mut self) {
        self.columns = Opening::Closed(self.columns.commitment(commitment_to_columns));
    }

    /// The hash that stands in the record for it, also after its content was erased.
    pub fn leaf(&self) -> Hash {
        let key_and_period = self.key_and_period.commitment(commitment_to_key);
        let columns = self.columns.commitment(commitment_to_columns);
        leaf_of(self.table, self.schema_version, self.op, &key_and_period, &columns)
    }

    fn leads_to(&self, root: &Hash) -> bool {
        root_of_path::<WithinRecord>(&self.leaf(), self.leaf_idx, self.leaf_count, &self.path).as_ref() == Some(root)
    }
}

impl ErasedProof {
    fn leads_to(&self, root: &Hash) -> bool {
        root_of_path::<WithinRecord>(&self.leaf, self.leaf_idx, self.leaf_count, &self.path).as_ref() == Some(root)
    }
}

fn check_same(proof: ([u8; 16], u32), digest: &Digest) -> Result<(), ProofError> {
    match proof {
        (database, _) if database != digest.database => Err(ProofError::OtherDatabase),
        (_, timeline) if timeline != digest.timeline => {
            Err(ProofError::OtherTimeline { proof: timeline, digest: digest.timeline })
        }
        _ => Ok(()),
    }
}

impl InclusionProof {
    /// Checks it against a digest, and tells what it proves.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn check(&self, digest: &Digest) -> Result<Proven, ProofError> {
        check_same((self.database, self.timeline), digest)?;
        if self.records != digest.records {
            return Err(ProofError::OtherSize { proof: self.records, digest: digest.records });
        }
        if !self.record.leads_to(digest) {
            return Err(ProofError::Record);
        }
        let schema = match &self.schema {
            Some(schema) => Some(schema.check(digest)?),
            None => None,
        };
        let leaf = match &self.leaf {
            Some(leaf) => Some(self.check_leaf(leaf, schema.as_deref())?),
            None => None,
        };
        if self.erased.as_ref().is_some_and(|erased| !erased.leads_to(&self.record.root)) {
            return Err(ProofError::Leaf);
        }
        Ok(Proven { header: self.record.header.clone(), leaf, schema, erased: self.erased.clone() })
    }

    fn check_leaf(&self, leaf: &LeafProof, schema: Option<&TableSchema>) -> Result<LeafContent, ProofError> {
        if !leaf.leads_to(&self.record.root) {
            return Err(ProofError::Leaf);
        }
        let is_of_leaf = |schema: &TableSchema| schema.id == leaf.table && schema.version == leaf.schema_version;
        // Without one, only metadata say what they are.
        let is_told = schema.map_or(leaf.table == TableId(0), is_of_leaf);
        if !is_told {
            return Err(ProofError::Schema);
        }
        LeafContent::of(leaf, schema).map_err(|malformed| ProofError::Content(malformed.what))
    }
}

impl SchemaProof {
    fn check(&self, digest: &Digest) -> Result<Arc<TableSchema>, ProofError> {
        if self.record.root != catalog_root(&self.change) || !self.record.leads_to(digest) {
            return Err(ProofError::Schema);
        }
        decode::schema(&self.change).ok_or(ProofError::Schema)
    }
}

impl ConsistencyProof {
    /// Checks it against the digests of both states.
    ///
    /// # Errors
    /// Why it proves nothing.
    pub fn check(&self, old: &Digest, new: &Digest) -> Result<(), ProofError> {
        check_same((self.database, self.timeline), new)?;
        // The older one may be of a timeline that this one left.
        if self.database != old.database {
            return Err(ProofError::OtherDatabase);
        }
        if old.timeline > self.timeline {
            return Err(ProofError::OtherTimeline { proof: self.timeline, digest: old.timeline });
        }
        for (proof, digest) in [(self.old_records, old.records), (self.new_records, new.records)] {
            if proof != digest {
                return Err(ProofError::OtherSize { proof, digest });
            }
        }
        let (old, new) = ((old.records, &old.root), (new.records, &new.root));
        if is_consistent::<OverRecords>(old, new, &self.path) { Ok(()) } else { Err(ProofError::NotConsistent) }
    }
}
