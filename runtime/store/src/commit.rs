//! How does a write become a commit?
//!
//! What can be done beside other writers is done first: the leaves are hashed and a small write is encoded ([`Prepared`]).
//! Then, one writer at a time, it is checked against what was committed after its snapshot, numbered, appended to the
//! log and applied to the tree ([`Sequencer`]). Then it waits for its durability together with all others that wait, so
//! one sync serves many, and becomes visible in its turn (`publication`).
//!
//! Holds: commits become visible in the order of their numbers, each after it is accepted at its durability and before
//! its writer is told. A commit whose sync fails never becomes visible in this opening.
//! Not here: the log's bytes, what the tree does with facts.

use crate::{
    bulk::{Bulk, arrange},
    catalog::{Catalog, CatalogChange, CatalogVersion, Catalogs, NewTable},
    chain::{BatchShape, Hash, catalog_root, commit_root, commit_root_of_runs},
    clock::Clock,
    erase::ErasedKeys,
    error::{CommitError, Result, StoreError},
    fact::{Read, Write},
    format::{
        catalog_v1::encode_change,
        frame::RecordKind,
        log_v1::{FRAME_PAYLOAD_BYTES, Sections},
    },
    log::{Log, LogEnd, NewRecord},
    salts::Secret,
    spill::{Spill, each_key},
    sst::Segment,
    tree::{Applied, Tree},
    watch::Watches,
};
use hashbrown::{HashMap, HashSet};
use spectradb_kernel::{
    Column, Period, key,
    schema::{TableId, TableSchema},
    time::{Commit, Micros},
};
use std::{collections::BTreeMap, sync::Arc};

/// What a commit of a row or two takes in the log, as most commits are.
const ROW_OR_TWO_BYTES: usize = 256;

/// A write with everything that does not depend on other writers.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) write: Write,
    /// Of each fact batch.
    shapes: Vec<BatchShape>,
    secret: Secret,
    root: Hash,
    /// What was written to segments already.
    bulk: Option<Bulk>,
    /// The tables of which segments alone have the facts, with these segments.
    spilled: Vec<(TableId, Vec<Arc<Segment>>)>,
    /// The payload, if one frame holds it.
    payload: Option<Vec<u8>>,
}

impl Prepared {
    /// Prepares a write whose tables are in `catalog`.
    ///
    /// # Errors
    /// [`CommitError::SchemaChanged`] when a table is not there in the version that the write follows; what writing the
    /// segments of a large write gives.
    pub(crate) fn new(mut write: Write, catalog: &Catalog, seed: Hash, tree: &Tree) -> Result<Prepared, CommitError> {
        check_tables(&write, catalog)?;
        let (spilled, versions) = finish_spills(&mut write, tree)?;
        let schema_of = |table| catalog.by_id(table).expect("the table was found").clone();
        let large = arrange(&mut write, &schema_of, tree.config().bulk_bytes_min);
        let shape = |batch: &crate::fact::FactBatch| {
            let schema = catalog.by_id(batch.table).expect("the table was found");
            let ids = schema.columns.iter().map(|column| column.id).collect();
            BatchShape { key: schema.key.clone(), ids }
        };
        let shapes: Vec<BatchShape> = write.facts.iter().map(shape).collect();
        let secret = Secret::Seed(seed);
        let runs: Vec<Arc<Segment>> = spilled.iter().flat_map(|(_, segments)| segments).cloned().collect();
        let root = match runs.is_empty() {
            true => commit_root(&write, &shapes, &secret),
            false => commit_root_of_runs(&write, &shapes, &secret, &runs, None, &mut ())?,
        };
        let mut bulk = Bulk::write(&write, &large, &schema_of, tree)?;
        if !runs.is_empty() {
            bulk.get_or_insert_with(Bulk::default).add(runs, versions);
        }
        if let Some(bulk) = &mut bulk {
            bulk.section.root = root;
        }
        // A large one's frames are long.
        let bytes: usize = write.facts.iter().flat_map(|batch| &batch.columns).map(Column::memory_bytes).sum();
        let room = ROW_OR_TWO_BYTES + (bytes + bytes / 8).min(FRAME_PAYLOAD_BYTES);
        let mut prepared = Prepared { write, shapes, secret, root, bulk, spilled, payload: None };
        let mut payload = Vec::with_capacity(room);
        if prepared.sections().next_payload(&mut payload) {
            prepared.payload = Some(payload);
        }
        Ok(prepared)
    }

    fn sections(&self) -> Sections<'_, BatchShape> {
        let bulk = self.bulk.as_ref().map(|bulk| &bulk.section);
        Sections::new(&self.write, &self.shapes, &self.secret, bulk)
    }

    fn append(&self, log: &mut Log, record: &NewRecord) -> Result<LogEnd> {
        match &self.payload {
            Some(payload) => log.append(record, &mut |out| {
                out.extend_from_slice(payload);
                true
            }),
            None => {
                let mut sections = self.sections();
                log.append(record, &mut |out| sections.next_payload(out))
            }
        }
    }
}

/// Segments of tables of which a write has no facts in memory any more, and the schema versions of these.
type Spilled = (Vec<(TableId, Vec<Arc<Segment>>)>, BTreeMap<TableId, u32>);

/// Writes the last facts of tables whose others lie in segments there as well.
fn finish_spills(write: &mut Write, tree: &Tree) -> Result<Spilled> {
    let (mut spilled, mut versions) = Spilled::default();
    for spill in std::mem::take(&mut write.spilled) {
        let (last, others) =
            std::mem::take(&mut write.facts).into_iter().partition(|batch| batch.table == spill.table());
        write.facts = others;
        let segments = spill.finish(tree, last)?;
        if !segments.is_empty() {
            versions.insert(spill.table(), spill.schema().version);
            spilled.push((spill.table(), segments));
        }
    }
    Ok((spilled, versions))
}

/// Are all tables of a write in the catalogue as the write knows them?
fn check_tables(write: &Write, catalog: &Catalog) -> Result<(), CommitError> {
    let batches = write.facts.iter().map(|batch| (batch.table, Some(batch)));
    let others = write.retractions.iter().map(|retraction| retraction.table);
    let others = others.chain(write.superseded.iter().map(|superseded| superseded.table)).map(|table| (table, None));
    for (table, batch) in batches.chain(others) {
        let fits = catalog.by_id(table).is_some_and(|schema| batch.is_none_or(|batch| batch_fits(batch, schema)));
        if !fits {
            return Err(CommitError::SchemaChanged { table });
        }
    }
    let is_other =
        |spill: &&Spill| catalog.by_id(spill.table()).is_none_or(|now| now.version != spill.schema().version);
    match write.spilled.iter().find(is_other) {
        Some(spill) => Err(CommitError::SchemaChanged { table: spill.table() }),
        None => Ok(()),
    }
}

fn batch_fits(batch: &crate::fact::FactBatch, schema: &TableSchema) -> bool {
    let rows = batch.periods.len();
    batch.schema_version == schema.version
        && batch.columns.len() == schema.columns.len()
        && batch.origins.len() == rows
        && batch
            .columns
            .iter()
            .zip(&schema.columns)
            .all(|(column, declared)| column.len() == rows && column.ty().lane() == declared.ty.lane())
}

/// The newest state of the ledger, for the one writer whose turn it is.
#[derive(Debug)]
pub(crate) struct Sequencer {
    pub(crate) log: Log,
    /// The newest catalogue, visible or not yet.
    pub(crate) catalog: Arc<Catalog>,
    /// The last commit that touched each table since the store was opened, and the commit it was opened at.
    touched: HashMap<TableId, Commit>,
    opened_at: Commit,
    /// What was erased since the store was opened.
    pub(crate) erased: ErasedKeys,
    pub(crate) closed: bool,
}

impl Sequencer {
    pub(crate) fn new(log: Log, catalog: Arc<Catalog>) -> Sequencer {
        let opened_at = log.end().commit;
        let (touched, erased) = (HashMap::new(), ErasedKeys::default());
        Sequencer { log, catalog, touched, opened_at, erased, closed: false }
    }

    /// The next record's instant.
    pub(crate) fn instant(&self, clock: &dyn Clock) -> Micros {
        clock.now().max(self.log.end().instant.saturating_add(1))
    }

    /// The instant of a commit that is told afterwards. Changes of the catalogue do not count: a table is made before what
    /// was known long ago is written to it.
    fn told_instant(&self, told: Micros, clock: &dyn Clock) -> Result<Micros, CommitError> {
        let end = self.log.end();
        if end.commit > 0 && told <= end.commit_instant {
            return Err(CommitError::SystemTimePassed { told, newest: end.commit_instant });
        }
        if told > clock.now() {
            return Err(CommitError::SystemTimeToCome { told });
        }
        Ok(told)
    }

    /// Checks, numbers, logs and applies a commit.
    ///
    /// # Errors
    /// A conflict or a changed table: nothing happened. A failed write of the log: nothing happened either. A failure
    /// of the tree leaves the commit in the log, and the caller must refuse further writes.
    pub(crate) fn commit(
        &mut self,
        prepared: &Prepared,
        tree: &Tree,
        clock: &dyn Clock,
        watches: &Watches,
    ) -> Result<(LogEnd, Result<()>), CommitError> {
        let write = &prepared.write;
        check_tables(write, &self.catalog)?;
        if let Some(bulk) = &prepared.bulk {
            let mut versions = bulk.section.versions.iter();
            let fits = |(table, version)| self.catalog.by_id(table).is_some_and(|schema| schema.version == version);
            if let Some((table, _)) = versions.find(|(table, version)| !fits((**table, **version))) {
                return Err(CommitError::SchemaChanged { table: *table });
            }
        }
        self.check_conflicts(prepared, tree)?;
        let instant = match write.system_time {
            None => self.instant(clock),
            Some(told) => self.told_instant(told, clock)?,
        };
        if let Some(reads) = &write.reads {
            let changed = watches.changed(reads, write.snapshot);
            // What was erased is not kept by key, so that of each read of the table something may be gone.
            let is_erased = |read: &&Read| self.erased.after(read.table, write.record).is_some();
            let changed = changed.or_else(|| reads.iter().find(is_erased).map(|read| read.table));
            // What a table is like was read as well.
            let table = changed.or_else(|| reads.first().map(|read| read.table));
            if let Some(table) = table.filter(|_| changed.is_some() || write.catalog_version != self.catalog.version) {
                return Err(CommitError::ReadChanged { table });
            }
        }
        let record = NewRecord {
            kind: RecordKind::Commit,
            commit: self.log.end().commit + 1,
            instant,
            catalog_version: self.catalog.version,
            root: prepared.root,
        };
        let bulk = prepared.bulk.as_ref().map(|bulk| {
            bulk.keep();
            bulk.numbered(record.commit)
        });
        let end = prepared.append(&mut self.log, &record)?;
        let applied = Applied {
            commit: end.commit,
            instant: end.instant,
            record: end.record,
            catalog: &self.catalog,
            write,
            bulk: bulk.as_deref().unwrap_or_default(),
        };
        let outcome = tree.apply(&applied);
        let spilled = prepared.spilled.iter().map(|(table, _)| *table);
        watches.note(end.commit, write, &prepared.shapes, spilled.clone());
        let tables = write.facts.iter().map(|batch| batch.table).chain(spilled);
        let tables = tables.chain(write.retractions.iter().map(|retraction| retraction.table));
        for table in tables.chain(write.superseded.iter().map(|superseded| superseded.table)) {
            self.touched.insert(table, end.commit);
        }
        Ok((end, outcome))
    }

    /// Logs a change of the catalogue and adds its version.
    ///
    /// # Errors
    /// [`StoreError::CatalogChanged`] when it does not fit; a failed write of the log: nothing happened.
    pub(crate) fn change_catalog(
        &mut self,
        change: CatalogChange,
        catalogs: &Catalogs,
        clock: &dyn Clock,
    ) -> Result<LogEnd> {
        let catalog = Arc::new(catalogs.after(&change).ok_or(StoreError::CatalogChanged)?);
        let payload = encode_change(&change);
        let record = NewRecord {
            kind: match &change {
                CatalogChange::Create(_) | CatalogChange::Drop(_) => RecordKind::Catalog,
                CatalogChange::Retain(..) => RecordKind::Retention,
            },
            commit: self.log.end().commit,
            instant: self.instant(clock),
            catalog_version: catalog.version,
            root: catalog_root(&payload),
        };
        let end = self.log.append(&record, &mut |out| {
            out.extend_from_slice(&payload);
            true
        })?;
        self.catalog = catalog.clone();
        catalogs.push(CatalogVersion {
            catalog,
            change: Some(change),
            after_commit: end.commit,
            instant: end.instant,
            record: end.record,
        });
        Ok(end)
    }

    /// The schema that a new table gets.
    pub(crate) fn number_table(&self, table: NewTable, catalogs: &Catalogs) -> TableSchema {
        table.number(catalogs.next_table())
    }

    fn check_conflicts(&self, prepared: &Prepared, tree: &Tree) -> Result<(), CommitError> {
        let write = &prepared.write;
        let mut named = HashSet::new();
        for superseded in &write.superseded {
            // An identity that is not current, or named twice, would be refused by the tree when it is too late to refuse
            // the commit; and then by every open that replays it.
            for fact in &superseded.facts {
                self.check_erased(superseded.table, &fact.key, write.record)?;
                if !named.insert((superseded.table, fact)) || !tree.is_current(superseded.table, fact)? {
                    let period = Period::new(fact.valid_from, Micros::MAX).unwrap_or(Period::ALWAYS);
                    return Err(CommitError::Conflict { table: superseded.table, key: fact.key.clone(), period });
                }
            }
        }
        for (batch, shape) in write.facts.iter().zip(&prepared.shapes) {
            let keys = || shape.key.iter().map(|position| batch.columns[*position].clone()).collect();
            self.check_keys(batch.table, keys, &batch.periods, write, tree)?;
        }
        for (table, segments) in &prepared.spilled {
            let (is_touched, is_erased) = self.concerns(*table, write);
            if is_touched || is_erased {
                each_key(segments, |key, period| self.check_key(*table, key, period, is_touched, write, tree))?;
            }
        }
        for retraction in &write.retractions {
            let keys = || retraction.keys.clone();
            self.check_keys(retraction.table, keys, &retraction.periods, write, tree)?;
        }
        Ok(())
    }

    fn check_keys(
        &self,
        table: TableId,
        keys: impl FnOnce() -> Vec<Column>,
        periods: &[Period],
        write: &Write,
        tree: &Tree,
    ) -> Result<(), CommitError> {
        let (is_touched, is_erased) = self.concerns(table, write);
        if !is_touched && !is_erased {
            return Ok(());
        }
        let (keys, mut encoded) = (keys(), Vec::new());
        for (row, period) in periods.iter().enumerate() {
            encoded.clear();
            key::encode(&keys, row, &mut encoded);
            self.check_key(table, &encoded, *period, is_touched, write, tree)?;
        }
        Ok(())
    }

    /// Was a table touched after the snapshot of a write, and was something of it erased?
    fn concerns(&self, table: TableId, write: &Write) -> (bool, bool) {
        let is_touched = self.touched.get(&table).copied().unwrap_or(self.opened_at) > write.snapshot;
        (is_touched, self.erased.after(table, write.record).is_some())
    }

    fn check_key(
        &self,
        table: TableId,
        key: &[u8],
        period: Period,
        is_touched: bool,
        write: &Write,
        tree: &Tree,
    ) -> Result<(), CommitError> {
        self.check_erased(table, key, write.record)?;
        if is_touched && let Some(period) = tree.current_overlaps(table, key, period, write.snapshot)? {
            return Err(CommitError::Conflict { table, key: key.to_vec(), period });
        }
        Ok(())
    }

    fn check_erased(&self, table: TableId, key: &[u8], record: u64) -> Result<(), CommitError> {
        match self.erased.after(table, record) {
            Some(erased) if erased.may_have(key, record) => Err(CommitError::Erased { table }),
            Some(_) | None => Ok(()),
        }
    }
}

/// What readers see: the newest visible record.
#[derive(Clone, Debug)]
pub(crate) struct Visible {
    pub(crate) record: u64,
    pub(crate) commit: Commit,
    /// The commit's instant: `i64::MIN` when there is none.
    pub(crate) instant: Micros,
    pub(crate) catalog: Arc<Catalog>,
}
