//! How does the database make proofs that others can check without it?
//!
//! The links of all records give the paths of the tree over records; the record itself, read from the log, gives the
//! leaf and its path within the record. A proof is made for the newest state or for an earlier one, so that it fits a
//! digest that somebody already holds.
//!
//! Not here: what proofs say and how they are checked (`proof`).

use crate::{
    bulk::fill_whole,
    chain::{BatchShape, OpenLeaf, WantedLeaf, WithinRecord, leaves_of, open_leaf},
    commits::COMMITS_RECORD,
    error::{Result, StoreError},
    fact::{FactBatch, FactId, Write},
    format::catalog_v1::encode_change,
    links::Links,
    log::held,
    manifest::KnownEnd,
    proof::{
        ConsistencyProof, ErasedProof, InclusionProof, LeafProof, Opening, OverRecords, RecordHeader, RecordProof,
        SchemaProof,
        merkle::{Hash, consistency_path, inclusion_path},
        record_leaf,
    },
    replay::{Found, LogScan, RecordBody},
    shape::Shape,
    store::{Inner, Store},
};
use spectradb_kernel::{Value, schema::TableId, time::Commit};
use std::sync::Arc;

/// What is to be proved?
#[derive(Clone, Copy, Debug)]
pub enum ProofOf<'a> {
    /// A record, by its number.
    Record(u64),
    /// The metadata of a commit.
    Metadata(Commit),
    /// That a leaf of a record is there, and its content was erased.
    Erased {
        /// The record.
        record: u64,
        /// The leaf's place among the record's: one of [`Store::erased_places`].
        place: u64,
    },
    /// A fact.
    Fact {
        /// Its table.
        table: TableId,
        /// Which of the table's facts.
        fact: &'a FactId,
    },
}

impl Store {
    /// A proof that something is in the ledger, as it is now or as it was when it had `records` records. `None` when it is
    /// not in it.
    ///
    /// # Errors
    /// [`StoreError::Pruned`] when the record is no longer in the log, [`StoreError::FactsPruned`] when its table's retention
    /// let some of its facts go; what the disk says.
    pub fn prove_inclusion(&self, of: ProofOf<'_>, records: Option<u64>) -> Result<Option<InclusionProof>> {
        let _no_erasure = self.inner().erasures.hold_back();
        self.inner().despite_erasures(|| self.try_prove(of, records))
    }

    fn try_prove(&self, of: ProofOf<'_>, records: Option<u64>) -> Result<Option<InclusionProof>> {
        let inner = self.inner();
        let (snapshot, visible) = self.snapshot_with_record()?;
        let records = records.unwrap_or(visible.record);
        let record_of = |commit: Commit| -> Result<Option<u64>> {
            if commit > snapshot.commit() {
                return Ok(None);
            }
            match snapshot.commit_column(commit, COMMITS_RECORD)? {
                Some(Value::Integer(record)) => Ok(Some(record.cast_unsigned())),
                _ => Ok(None),
            }
        };
        let record = match of {
            ProofOf::Record(record) | ProofOf::Erased { record, .. } => Some(record),
            ProofOf::Metadata(commit) => record_of(commit)?,
            ProofOf::Fact { fact, .. } => record_of(fact.commit)?,
        };
        let Some(record) = record.filter(|record| (1..=records).contains(record) && records <= visible.record) else {
            return Ok(None);
        };
        let leaves = inner.record_leaves(records)?;
        let found = inner.record(record, !matches!(of, ProofOf::Record(_)))?;
        let mut erased = None;
        let (leaf, schema) = match (of, &found.record.body) {
            (ProofOf::Record(_), _) => (None, None),
            (_, RecordBody::Catalog { .. } | RecordBody::Erasure(_)) => return Ok(None),
            (ProofOf::Erased { place, .. }, RecordBody::Commit { .. }) => {
                match inner.erased_leaf(&found, place)? {
                    Some(leaf) => erased = Some(leaf),
                    None => return Ok(None),
                }
                (None, None)
            }
            (ProofOf::Metadata(_), RecordBody::Commit { .. }) => match inner.leaf(&found, WantedLeaf::Metadata)? {
                Some(leaf) => (Some(leaf), None),
                None => return Ok(None),
            },
            (ProofOf::Fact { table, fact }, RecordBody::Commit { .. }) => {
                let wanted = WantedLeaf::Fact { table, key: &fact.key, valid_from: fact.valid_from };
                let Some(leaf) = inner.leaf(&found, wanted)? else { return Ok(None) };
                let schema = inner.schema_proof(table, leaf.schema_version, &leaves)?;
                (Some(leaf), schema)
            }
        };
        let proof = InclusionProof {
            database: inner.identity.database,
            timeline: inner.timeline_at(records),
            records,
            record: record_proof(&found, &leaves),
            leaf,
            schema,
            erased,
        };
        Ok(Some(proof))
    }

    /// The places of the leaves of a record that were erased.
    ///
    /// # Errors
    /// [`StoreError::Pruned`] when the record is no longer in the log, or not yet; what the disk says.
    pub fn erased_places(&self, record: u64) -> Result<Vec<u64>> {
        let inner = self.inner();
        let _no_erasure = inner.erasures.hold_back();
        if record == 0 || record > self.snapshot_with_record()?.1.record {
            return Err(StoreError::Pruned { record });
        }
        let found = inner.despite_erasures(|| inner.record(record, false))?;
        Ok(found.secret.erased().iter().map(|leaf| leaf.place).collect())
    }

    /// A proof that the ledger, as it is now or as it was when it had `new_records` records, goes on from its first
    /// `old_records`. `None` when it does not have as many.
    ///
    /// # Errors
    /// What the disk says.
    pub fn prove_consistency(&self, old_records: u64, new_records: Option<u64>) -> Result<Option<ConsistencyProof>> {
        let inner = self.inner();
        let _no_erasure = inner.erasures.hold_back();
        inner.despite_erasures(|| self.try_prove_consistency(old_records, new_records))
    }

    fn try_prove_consistency(&self, old_records: u64, new_records: Option<u64>) -> Result<Option<ConsistencyProof>> {
        let inner = self.inner();
        let newest = self.snapshot_with_record()?.1.record;
        let new_records = new_records.unwrap_or(newest);
        if old_records > new_records || new_records > newest {
            return Ok(None);
        }
        let leaves = inner.record_leaves(new_records)?;
        let path = consistency_path::<OverRecords>(&leaves, old_records as usize);
        let (database, timeline) = (inner.identity.database, inner.timeline_at(new_records));
        Ok(path.map(|path| ConsistencyProof { database, timeline, old_records, new_records, path }))
    }
}

fn record_proof(found: &Found, leaves: &[Hash]) -> RecordProof {
    let place = found.record.record as usize - 1;
    let path = inclusion_path::<OverRecords>(leaves, place).expect("the record is among the leaves");
    RecordProof { header: RecordHeader::from(&found.head), root: found.root, path }
}

impl Inner {
    /// The leaves of the tree over the first so many records.
    fn record_leaves(self: &Arc<Inner>, records: u64) -> Result<Vec<Hash>> {
        let _reader = self.log_reader()?;
        loop {
            let state = self.manifest.state();
            let mut links = Links::new(self.disk.clone(), self.identity);
            let mut leaves = Vec::new();
            let ended = loop {
                match links.next(records, (state.log_first, state.log_last)) {
                    Ok(Some(linked)) => leaves.push(record_leaf(&linked.link)),
                    Ok(None) => break Ok(leaves),
                    Err(error) => break Err(error),
                }
            };
            match ended {
                // A segment was dropped under our feet: its links are in a file of their own now.
                Err(StoreError::Missing { .. }) if self.manifest.state().log_first != state.log_first => {}
                ended => return ended,
            }
        }
    }

    /// A record of the log, perhaps with the facts that it left to files.
    fn record(self: &Arc<Inner>, record: u64, whole: bool) -> Result<Found> {
        let _reader = self.log_reader()?;
        let first = self.manifest.state().log_first;
        let last = held(&self.sequencer).log.end().generation;
        let (disk, catalogs) = (self.disk.clone(), self.catalogs.clone());
        let known = KnownEnd { record, link: None, generation: last };
        let scan = LogScan::starting_at(disk, self.identity, catalogs, record, first..=last, known);
        match scan.and_then(|mut scan| scan.next_record()) {
            Ok(Some(mut found)) => {
                if whole {
                    fill_whole(&mut found, &self.tree.view(), &self.catalogs)?;
                }
                Ok(found)
            }
            Err(StoreError::Missing { .. }) | Ok(None) => Err(StoreError::Pruned { record }),
            Err(error) => Err(error),
        }
    }

    fn shapes(&self, write: &Write) -> Result<Vec<BatchShape>> {
        let shape = |batch: &FactBatch| {
            let schema = self.catalogs.schema_at(batch.table, batch.schema_version);
            let schema = schema.ok_or(StoreError::UnknownTable { table: batch.table })?;
            Ok(BatchShape::of(&Shape::of(&schema)))
        };
        write.facts.iter().map(shape).collect()
    }

    fn erased_leaf(&self, found: &Found, place: u64) -> Result<Option<ErasedProof>> {
        let RecordBody::Commit { write, .. } = &found.record.body else { return Ok(None) };
        let Some(erased) = found.secret.erased().iter().find(|leaf| leaf.place == place) else { return Ok(None) };
        let leaves = leaves_of(write, &self.shapes(write)?, &found.secret);
        let path = inclusion_path::<WithinRecord>(&leaves, place as usize).expect("the leaf is among them");
        Ok(Some(ErasedProof { leaf: erased.leaf, leaf_idx: place, leaf_count: leaves.len() as u64, path }))
    }

    fn leaf(&self, found: &Found, wanted: WantedLeaf<'_>) -> Result<Option<LeafProof>> {
        let RecordBody::Commit { write, .. } = &found.record.body else { return Ok(None) };
        let shapes = self.shapes(write)?;
        let Some(open) = open_leaf(write, &shapes, &found.secret, wanted) else { return Ok(None) };
        let OpenLeaf { table, schema_version, op, key_and_period, columns, leaf_idx, leaves } = open;
        let path = inclusion_path::<WithinRecord>(&leaves, leaf_idx).expect("the leaf is among them");
        Ok(Some(LeafProof {
            table,
            schema_version,
            op,
            key_and_period: Opening::Open(key_and_period),
            columns: Opening::Open(columns),
            leaf_idx: leaf_idx as u64,
            leaf_count: leaves.len() as u64,
            path,
        }))
    }

    /// The record that made a table's schema; `None` when it is no longer in the log.
    fn schema_proof(
        self: &Arc<Inner>,
        table: TableId,
        schema_version: u32,
        leaves: &[Hash],
    ) -> Result<Option<SchemaProof>> {
        let versions = self.catalogs.all();
        let made = versions.iter().find_map(|version| {
            let schema = version.change.as_ref()?.schema()?;
            (schema.id == table && schema.version == schema_version).then_some(version.record)
        });
        let Some(made) = made.filter(|record| *record <= leaves.len() as u64) else { return Ok(None) };
        let found = match self.record(made, false) {
            Ok(found) => found,
            Err(StoreError::Pruned { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let RecordBody::Catalog { change, .. } = &found.record.body else { return Ok(None) };
        Ok(Some(SchemaProof { record: record_proof(&found, leaves), change: encode_change(change) }))
    }
}
