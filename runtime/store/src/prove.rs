//! How does the database make proofs that others can check without it?
//!
//! The links of all records give the paths of the tree over records; the record itself, read from the log, gives the
//! leaf and its path within the record. Both trees are gone through leaf by leaf, and only the subtrees of a path are kept of them;
//! facts that a record left to files are read a block at a time. A proof is made for the newest state or for an earlier one, so that it fits a
//! digest that somebody already holds.
//!
//! Not here: what proofs say and how they are checked (`proof`).

use crate::{
    bulk::look_at_whole,
    chain::{Look, OpenOne, PathTo, WantedLeaf},
    commits::COMMITS_RECORD,
    error::{Result, StoreError},
    fact::FactId,
    format::catalog_v1::encode_change,
    links::Links,
    proof::{
        ConsistencyProof, ErasedProof, InclusionProof, LeafProof, Opening, OverRecords, RecordHeader, RecordProof,
        SchemaProof,
        merkle::{Hash, Subtrees, consistency_subtrees, inclusion_subtrees},
        record_leaf,
    },
    replay::{Found, RecordBody},
    salts::Secret,
    store::{Inner, Store},
};
use spectradb_kernel::{Value, schema::TableId, time::Commit};
use std::{ops::Range, sync::Arc};

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
        let found = inner.record(record)?;
        let mut erased = None;
        let leaf = match (of, &found.record.body) {
            (ProofOf::Record(_), _) => None,
            (_, RecordBody::Catalog { .. } | RecordBody::Erasure(_)) => return Ok(None),
            (ProofOf::Erased { place, .. }, RecordBody::Commit { .. }) => {
                match inner.erased_leaf(&found, place)? {
                    Some(leaf) => erased = Some(leaf),
                    None => return Ok(None),
                }
                None
            }
            (ProofOf::Metadata(_), RecordBody::Commit { .. }) => match inner.leaf(&found, WantedLeaf::Metadata)? {
                Some(leaf) => Some(leaf),
                None => return Ok(None),
            },
            (ProofOf::Fact { table, fact }, RecordBody::Commit { .. }) => {
                let wanted = WantedLeaf::Fact { table, key: &fact.key, valid_from: fact.valid_from };
                match inner.leaf(&found, wanted)? {
                    Some(leaf) => Some(leaf),
                    None => return Ok(None),
                }
            }
        };
        let made = match (of, &leaf) {
            (ProofOf::Fact { table, .. }, Some(leaf)) => inner.made_schema(table, leaf.schema_version, records)?,
            _ => None,
        };
        let places = std::iter::once(&found).chain(made.as_ref().map(|(found, _)| found));
        let subtrees = places
            .map(|found| inclusion_subtrees(found.record.record - 1, records).expect("the record is one of so many"));
        let mut paths = inner.record_paths(records, subtrees.collect())?.into_iter();
        let mut record_proof = |found: &Found| {
            let path = paths.next().expect("each record has a path");
            RecordProof { header: RecordHeader::from(&found.head), root: found.root, path }
        };
        let record = record_proof(&found);
        let schema = made.map(|(found, change)| SchemaProof { record: record_proof(&found), change });
        let (database, timeline) = (inner.identity.database, inner.timeline_at(records));
        Ok(Some(InclusionProof { database, timeline, records, record, leaf, schema, erased }))
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
        let found = inner.despite_erasures(|| inner.record(record))?;
        Ok(found.secret.erased().iter().map(|leaf| leaf.place).collect())
    }

    /// Which database and timeline had a state of so many records: those that a digest of it names.
    pub fn lineage_at(&self, records: u64) -> ([u8; 16], u32) {
        (self.inner().identity.database, self.inner().timeline_at(records))
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
        let Some(subtrees) = consistency_subtrees(old_records, new_records) else { return Ok(None) };
        let path = inner.record_paths(new_records, vec![subtrees])?.remove(0);
        let (database, timeline) = (inner.identity.database, inner.timeline_at(new_records));
        Ok(Some(ConsistencyProof { database, timeline, old_records, new_records, path }))
    }
}

impl Inner {
    /// The roots of subtrees of the tree over the first so many records: some paths, each by its subtrees.
    fn record_paths(self: &Arc<Inner>, records: u64, paths: Vec<Vec<Range<u64>>>) -> Result<Vec<Vec<Hash>>> {
        let _reader = self.log_reader()?;
        loop {
            let state = self.manifest.state();
            let mut links = Links::new(self.disk.clone(), self.identity);
            let mut walks: Vec<Subtrees> = paths.iter().cloned().map(Subtrees::new).collect();
            let ended = loop {
                match links.next(records, (state.log_first, state.log_last)) {
                    Ok(Some(linked)) => {
                        let leaf = record_leaf(&linked.link);
                        walks.iter_mut().for_each(|walk| walk.push::<OverRecords>(&leaf));
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            match ended {
                // A segment was dropped under our feet: its links are in a file of their own now.
                Err(StoreError::Missing { .. }) if self.manifest.state().log_first != state.log_first => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    let roots = |walk: Subtrees| walk.roots().expect("the walk went over all records");
                    return Ok(walks.into_iter().map(roots).collect());
                }
            }
        }
    }

    /// A record of the log, without the facts that it left to files.
    fn record(self: &Arc<Inner>, record: u64) -> Result<Found> {
        let _reader = self.log_reader()?;
        match self.scan_from(record, record).and_then(|mut scan| scan.next_record()) {
            Ok(Some(found)) => Ok(found),
            Err(StoreError::Missing { .. }) | Ok(None) => Err(StoreError::Pruned { record }),
            Err(error) => Err(error),
        }
    }

    /// Shows all leaves of a record to `look`, which hash to its root.
    fn look_at(&self, found: &Found, look: &mut dyn Look) -> Result<()> {
        look_at_whole(found, &self.tree.view(), &self.catalogs, look)
    }

    fn erased_leaf(&self, found: &Found, place: u64) -> Result<Option<ErasedProof>> {
        let Secret::Left(left) = &found.secret else { return Ok(None) };
        let Some(erased) = left.erased.iter().find(|leaf| leaf.place == place) else { return Ok(None) };
        let path = self.path_to(found, place, left.leaf_count)?;
        Ok(Some(ErasedProof { leaf: erased.leaf, leaf_idx: place, leaf_count: left.leaf_count, path }))
    }

    fn path_to(&self, found: &Found, place: u64, leaf_count: u64) -> Result<Vec<Hash>> {
        let mut path = PathTo::new(place, leaf_count).expect("the leaf is one of so many");
        self.look_at(found, &mut path)?;
        Ok(path.path().expect("all leaves were shown"))
    }

    fn leaf(&self, found: &Found, wanted: WantedLeaf<'_>) -> Result<Option<LeafProof>> {
        let mut one = OpenOne::new(wanted);
        self.look_at(found, &mut one)?;
        let (Some(open), leaf_count) = (one.open, one.leaf_count) else { return Ok(None) };
        Ok(Some(LeafProof {
            table: open.table,
            schema_version: open.schema_version,
            op: open.op,
            key_and_period: Opening::Open(open.key_and_period),
            columns: Opening::Open(open.columns),
            leaf_idx: open.place,
            leaf_count,
            path: self.path_to(found, open.place, leaf_count)?,
        }))
    }

    /// The record that made a table's schema, one of the first so many, and the change that it states; `None` when it is no
    /// longer in the log.
    fn made_schema(
        self: &Arc<Inner>,
        table: TableId,
        schema_version: u32,
        records: u64,
    ) -> Result<Option<(Found, Vec<u8>)>> {
        let versions = self.catalogs.all();
        let made = versions.iter().find_map(|version| {
            let schema = version.change.as_ref()?.schema()?;
            (schema.id == table && schema.version == schema_version).then_some(version.record)
        });
        let Some(made) = made.filter(|record| *record <= records) else { return Ok(None) };
        let found = match self.record(made) {
            Ok(found) => found,
            Err(StoreError::Pruned { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let RecordBody::Catalog { change, .. } = &found.record.body else { return Ok(None) };
        let change = encode_change(change);
        Ok(Some((found, change)))
    }
}
