//! Do the ledger and the tables say the same of every commit, whatever the order in which they say it?
//!
//! Each fact and each end becomes a message, whose hash is added to its commit's sum when the ledger says it and
//! subtracted when the tables do. What is zero for every commit agrees; so millions of facts are compared in one walk over
//! each side, with sixteen bytes a commit. The hash is keyed by a secret of this call, so nobody can prepare facts whose
//! hashes add up to the same.
//!
//! Not here: which fact it is that differs, which the caller looks for in one commit.

use crate::{
    chain::{Hash, LeafColumn},
    commits::told,
    fact::FactId,
    format::bytes::Put,
    keys::encode_row,
    run::{Run, i64_at, lane_of_commit},
};
use spectradb_kernel::{Column, Value, schema::TableId, time::Micros};

/// The sums of some commits.
#[derive(Debug, Default)]
pub(super) struct Tally {
    secret: Hash,
    /// For commit 1 and on: a sum of hashes, and how many more were added than subtracted.
    sums: Vec<(u64, i64)>,
}

impl Tally {
    pub(super) fn new(secret: Hash) -> Tally {
        Tally { secret, sums: Vec::new() }
    }

    fn hash(&self, message: &[u8]) -> u64 {
        let hash = blake3::keyed_hash(&self.secret, message);
        let (first, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
        u64::from_le_bytes(*first)
    }

    /// What names a fact in a set.
    pub(super) fn hash_of_fact(&self, table: TableId, id: &FactId) -> [u8; 16] {
        let mut message = Vec::new();
        put_end(table, &id.key, id.valid_from, lane_of_commit(id.commit), &mut message);
        let hash = blake3::keyed_hash(&self.secret, &message);
        let (first, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
        *first
    }

    fn sum(&mut self, commit: i64) -> &mut (u64, i64) {
        let place = (commit.max(1) - 1) as usize;
        if place >= self.sums.len() {
            self.sums.resize(place + 1, (0, 0));
        }
        &mut self.sums[place]
    }

    pub(super) fn add(&mut self, commit: i64, message: &[u8]) {
        let hash = self.hash(message);
        let sum = self.sum(commit);
        *sum = (sum.0.wrapping_add(hash), sum.1 + 1);
    }

    pub(super) fn subtract(&mut self, commit: i64, message: &[u8]) {
        let hash = self.hash(message);
        let sum = self.sum(commit);
        *sum = (sum.0.wrapping_sub(hash), sum.1 - 1);
    }

    /// The first commit of which not the same is said.
    pub(super) fn first_difference(&self) -> Option<i64> {
        self.sums.iter().position(|sum| *sum != (0, 0)).map(|place| place as i64 + 1)
    }
}

/// A commit, as its own table tells it.
pub(super) fn put_commit(
    (commit, instant, catalog_version, record): (i64, Micros, u64, u64),
    metadata: Option<&str>,
    out: &mut Vec<u8>,
) {
    out.put_u8(1);
    out.put_i64(commit);
    out.put_i64(instant);
    out.put_u64(catalog_version);
    out.put_u64(record);
    told(metadata).iter().for_each(|value| put_told(value, out));
}

fn put_told(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) | Value::Json(text) => out.put_bytes(text.as_bytes()),
        // No text is as long as this says.
        _ => out.put_u32(u32::MAX),
    }
}

/// The same of a row of that table.
pub(super) fn put_stored_commit(run: &Run, row: usize, out: &mut Vec<u8>) {
    out.put_u8(1);
    run.columns[..4].iter().for_each(|column| out.put_i64(i64_at(column, row)));
    run.columns[4..].iter().for_each(|column| put_told(&column.value(row), out));
}

/// A fact: where it is valid and what it stems from.
pub(super) fn put_fact(table: TableId, (from, to, origin): (Micros, Micros, i64), out: &mut Vec<u8>) {
    out.put_u8(2);
    out.put_u32(table.0);
    out.put_i64(from);
    out.put_i64(to);
    out.put_i64(origin);
}

/// Its key and its other columns, as its leaf has them.
pub(super) fn put_content(columns: &[LeafColumn<'_>], all: &[Column], key: &[usize], row: usize, out: &mut Vec<u8>) {
    encode_row(all, key, row, out);
    columns.iter().for_each(|column| column.put(row, out));
}

/// The end of a fact.
pub(super) fn put_end(table: TableId, key: &[u8], from: Micros, commit: i64, out: &mut Vec<u8>) {
    out.put_u8(3);
    out.put_u32(table.0);
    out.put_i64(from);
    out.put_i64(commit);
    out.put(key);
}
