//! What does a reader see?
//!
//! A [`Snapshot`] pins a commit and a view of the tree as one pair: later commits, flushes and compactions go on
//! without it, and it answers the same for as long as it is held. Clones share the pin, and threads may share a clone.
//!
//! Holds: the commit was visible before the view was taken, so the view holds all of it.
//! Not here: walking the facts (`scan`).

use crate::{
    catalog::{Catalog, Catalogs},
    commit::Visible,
    commits::{COMMITS, COMMITS_CATALOG, COMMITS_INSTANT, commits_schema},
    error::{Result, StoreError},
    fact::Overlap,
    keys::{AskedKeys, Probe, hash_of},
    run::{commit_of_lane, lane_of_commit},
    scan::{Scan, ScanSpec, SystemScope, ValidScope},
    tree::TreeView,
    visible::Wanted,
};
use spectradb_kernel::{
    Period, Type, Value,
    key::i64_bytes,
    schema::{TableId, TableSchema},
    time::{Commit, MICROS_MIN, Micros, Timestamp},
};
use std::{ops::ControlFlow, sync::Arc};

/// So many keys are asked for together before any is looked for.
const ASKED_KEYS_MIN: usize = 8;

/// A past or present state of the database, for reading.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pinned: Arc<Pinned>,
}

#[derive(Debug)]
struct Pinned {
    view: TreeView,
    visible: Arc<Visible>,
    catalogs: Arc<Catalogs>,
    /// Does it answer about times before a table's horizon, with what is still there?
    sees_all: bool,
}

impl Snapshot {
    /// A reader of a state that was visible before the view was taken.
    pub(crate) fn new(view: TreeView, visible: Arc<Visible>, catalogs: Arc<Catalogs>) -> Snapshot {
        Snapshot { pinned: Arc::new(Pinned { view, visible, catalogs, sees_all: false }) }
    }

    /// The same state, with what is still there of the times before a table's horizon: not for answers, but for what must
    /// leave nothing out.
    #[must_use]
    pub fn with_all_that_is_left(&self) -> Snapshot {
        let Pinned { view, visible, catalogs, sees_all: _ } = &*self.pinned;
        let (view, visible, catalogs) = (view.clone(), visible.clone(), catalogs.clone());
        Snapshot { pinned: Arc::new(Pinned { view, visible, catalogs, sees_all: true }) }
    }

    /// The newest record of the ledger that it sees; 0 when there is none.
    pub fn record(&self) -> u64 {
        self.pinned.visible.record
    }

    /// The newest commit it sees; 0 when there is none.
    pub fn commit(&self) -> Commit {
        self.pinned.visible.commit
    }

    /// The instant of that commit; `i64::MIN` when there is none.
    pub fn instant(&self) -> Micros {
        self.pinned.visible.instant
    }

    /// The catalogue at the time it was taken.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.pinned.visible.catalog
    }

    /// The tables that had a name and were dropped, the newest first.
    pub fn dropped_tables(&self, name: &str) -> Vec<Arc<TableSchema>> {
        self.pinned.catalogs.dropped(name, self.pinned.visible.catalog.version)
    }

    pub(crate) fn view(&self) -> &TreeView {
        &self.pinned.view
    }

    /// What was visible.
    pub(crate) fn visible(&self) -> &Arc<Visible> {
        &self.pinned.visible
    }

    /// Was a table that is there now there already as of a commit?
    ///
    /// # Errors
    /// As [`Snapshot::catalog_at`].
    pub fn had_table(&self, table: TableId, commit: Commit) -> Result<bool> {
        // A table's number is never given again, so one that is there was there since it was made.
        match self.pinned.catalogs.made_after(table) {
            Some(before) if self.pinned.visible.catalog.by_id(table).is_some() => Ok(before < commit),
            Some(_) | None => Ok(self.catalog_at(commit)?.by_id(table).is_some()),
        }
    }

    /// The catalogue that a commit was written under; an empty one for commit 0.
    ///
    /// # Errors
    /// [`StoreError::Future`] for a commit after the snapshot's, or what reading segments gives.
    pub fn catalog_at(&self, commit: Commit) -> Result<Arc<Catalog>> {
        let version = match self.commit_column(commit, COMMITS_CATALOG)? {
            Some(Value::Integer(version)) => version.cast_unsigned(),
            _ => 0,
        };
        self.pinned.catalogs.at(version).ok_or(StoreError::CatalogChanged)
    }

    /// The instant of a commit; `i64::MIN` for commit 0.
    ///
    /// # Errors
    /// [`StoreError::Future`] for a commit after the snapshot's, or what reading segments gives.
    pub fn instant_of(&self, commit: Commit) -> Result<Micros> {
        if commit == self.pinned.visible.commit {
            return Ok(self.pinned.visible.instant);
        }
        match self.commit_column(commit, COMMITS_INSTANT)? {
            Some(Value::Timestamp(Timestamp(instant))) => Ok(instant),
            _ => Ok(MICROS_MIN),
        }
    }

    /// The last commit whose instant is not after the one given; 0 when there is none.
    ///
    /// # Errors
    /// What reading segments gives.
    pub fn commit_at(&self, instant: Micros) -> Result<Commit> {
        // Instants rise with commits, and every commit has one.
        let (mut low, mut high) = (0, self.pinned.visible.commit);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.instant_of(middle)? <= instant {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(low)
    }

    pub(crate) fn commit_column(&self, commit: Commit, column_idx: usize) -> Result<Option<Value>> {
        if commit > self.pinned.visible.commit {
            return Err(StoreError::Future { asked: commit, newest: self.pinned.visible.commit });
        }
        let key = i64_bytes(lane_of_commit(commit));
        let probe = Probe::new(&key, &mut std::iter::once(Type::Integer));
        let wanted = Wanted::new(self.pinned.visible.commit, SystemScope::All, ValidScope::All);
        let mut value = None;
        self.pinned.view.visit(COMMITS, &probe, &wanted, &mut |found| {
            value = Some(found.value(column_idx));
            ControlFlow::Break(())
        })?;
        Ok(value)
    }

    /// The first commit as of which a table can be read. Before it the table's history is past its retention, which counts
    /// back from the newest commit, or is gone already; 0 where everything is kept.
    ///
    /// # Errors
    /// What reading segments gives.
    pub fn horizon(&self, table: TableId) -> Result<Commit> {
        let gone = self.pinned.view.version.pruned.get(&table).copied().unwrap_or(0);
        let Some(retention) = self.pinned.visible.catalog.retention(table) else { return Ok(gone) };
        Ok(self.commit_at(self.pinned.visible.instant.saturating_sub(retention))?.max(gone))
    }

    /// Is all there that a scope asks of a table?
    ///
    /// # Errors
    /// [`StoreError::BeforeHorizon`], or what reading segments gives.
    pub(crate) fn check_horizon(&self, table: &TableSchema, system: SystemScope) -> Result<()> {
        if self.pinned.sees_all {
            return Ok(());
        }
        let asked = match system {
            SystemScope::AsOf(at) if at >= self.pinned.visible.commit => return Ok(()),
            SystemScope::AsOf(at) => at,
            SystemScope::Between { from, .. } => from,
            SystemScope::All => 0,
        };
        let horizon = self.horizon(table.id)?;
        if asked >= horizon {
            return Ok(());
        }
        Err(StoreError::BeforeHorizon { table: table.name.clone(), asked, horizon })
    }

    /// The schema in which a reader names the columns of a table: the present one, or the last that a dropped table had.
    pub(crate) fn schema(&self, table: TableId) -> Result<Arc<TableSchema>> {
        if table == COMMITS {
            return Ok(commits_schema().clone());
        }
        let present = self.pinned.visible.catalog.by_id(table).cloned();
        present.or_else(|| self.pinned.catalogs.schema(table)).ok_or(StoreError::UnknownTable { table })
    }

    /// Facts of a table.
    ///
    /// # Errors
    /// [`StoreError::UnknownTable`], [`StoreError::Future`] when the scope is a commit after the snapshot's; reading
    /// segments can fail here and at each batch.
    pub fn scan(&self, spec: ScanSpec) -> Result<Scan> {
        Scan::new(self.clone(), spec)
    }

    /// The fact of a key that is true at an instant, read by a function that is given the values of the schema's columns.
    ///
    /// # Errors
    /// [`StoreError::UnknownTable`], or what reading segments gives.
    pub fn point<R>(
        &self,
        table: TableId,
        key: &[u8],
        valid_at: Micros,
        read: impl FnOnce(&mut dyn FnMut(usize) -> Value) -> R,
    ) -> Result<Option<R>> {
        self.point_as_of(table, key, self.commit(), valid_at, read)
    }

    /// The same as of a commit.
    ///
    /// # Errors
    /// [`StoreError::Future`] for a commit after the snapshot's, [`StoreError::BeforeHorizon`]; as [`Snapshot::point`].
    pub fn point_as_of<R>(
        &self,
        table: TableId,
        key: &[u8],
        at: Commit,
        valid_at: Micros,
        read: impl FnOnce(&mut dyn FnMut(usize) -> Value) -> R,
    ) -> Result<Option<R>> {
        let Pinned { view, visible, .. } = &*self.pinned;
        let Visible { commit, catalog, .. } = &**visible;
        if at > *commit {
            return Err(StoreError::Future { asked: at, newest: *commit });
        }
        let dropped;
        let schema = match catalog.by_id(table) {
            Some(schema) => schema,
            None => {
                dropped = self.schema(table)?;
                &dropped
            }
        };
        self.check_horizon(schema, SystemScope::AsOf(at))?;
        let wanted = Wanted::new(*commit, SystemScope::AsOf(at), ValidScope::At(valid_at));
        let (mut read, mut row) = (Some(read), None);
        view.visit(table, &Probe::new(key, &mut schema.key_types()), &wanted, &mut |found| {
            let shape = found.shape();
            let mut value =
                |column_idx: usize| shape.place_of(schema, column_idx).map_or(Value::Null, |place| found.value(place));
            row = read.take().map(|read| read(&mut value));
            ControlFlow::Break(())
        })?;
        Ok(row)
    }

    /// The current facts of each key that share an instant with the period of the same position.
    ///
    /// # Errors
    /// [`StoreError::UnknownTable`], or what reading segments gives.
    ///
    /// # Panics
    /// When there are not as many periods as keys.
    pub fn overlapping<K: AsRef<[u8]>>(&self, table: TableId, keys: &[K], periods: &[Period]) -> Result<Vec<Overlap>> {
        assert_eq!(keys.len(), periods.len(), "each key has a period");
        let schema = self.schema(table)?;
        let mut overlaps = Vec::new();
        let commit = self.pinned.visible.commit;
        let wanted_over = |valid| Wanted::new(commit, SystemScope::AsOf(commit), valid);
        // Few keys are looked for at once.
        let mut may_be: Vec<bool> = Vec::new();
        if keys.len() >= ASKED_KEYS_MIN {
            // Rows that are added in the order of their keys are beyond everything there is.
            let key_max = self.pinned.view.key_max(table);
            if keys.iter().all(|key| key_max.as_deref().is_none_or(|max| key.as_ref() > max)) {
                return Ok(overlaps);
            }
            let mut asked = AskedKeys::new(keys.iter().map(|key| (key.as_ref(), hash_of(key.as_ref()))));
            self.pinned.view.note_held(table, &mut asked, &wanted_over(ValidScope::All))?;
            may_be.extend(asked.answers());
        }
        for (key_idx, (key, period)) in keys.iter().zip(periods).enumerate() {
            if may_be.get(key_idx) == Some(&false) {
                continue;
            }
            let probe = Probe::new(key.as_ref(), &mut schema.key_types());
            let wanted = wanted_over(ValidScope::Overlaps(*period));
            self.pinned.view.visit(table, &probe, &wanted, &mut |found| {
                let period = Period::new(found.from(), found.to()).expect("facts have periods");
                overlaps.push(Overlap { key_idx, period, commit: commit_of_lane(found.commit()) });
                ControlFlow::Continue(())
            })?;
        }
        Ok(overlaps)
    }

    /// The largest key of any fact of a table, superseded ones included; `None` when it never had one.
    ///
    /// # Errors
    /// What reading segments gives.
    pub fn key_max(&self, table: TableId) -> Result<Option<Vec<u8>>> {
        Ok(self.pinned.view.key_max(table))
    }
}
