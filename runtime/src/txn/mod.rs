//! What does a transaction see, and what has it changed so far?
//!
//! A transaction reads one pinned snapshot. Its own writes are kept beside it, per table: new facts by columns
//! ([`Piece`]), and the committed facts they end. A scan of the latest state leaves out the ended facts and adds the
//! transaction's own; a scan of a past state sees the snapshot alone. Nothing reaches the ledger before the commit, but what
//! takes too much memory is written to files that only the transaction knows ([`Txn::spill_if_full`]).
//!
//! Holds: the facts of one key that a transaction would leave current never overlap; a statement that would break this is
//! refused before it changes anything.
//! Not here: evaluating SQL (`ops`, `interp`), deciding between BEGIN and autocommit (`session`).

mod changes;
mod conflict;
mod edit;
mod keys;
mod over;
#[cfg(test)]
mod tests;

pub(crate) use conflict::Clash;
pub(crate) use edit::{Edit, Twice};
pub(crate) use over::Says;

use crate::{
    error::{Error, Result, code},
    ops::{Reads, TableReader, TableScan},
    transaction::TransactionOptions,
};
use changes::{Changes, Piece, TableChanges, UNCOMMITTED};
use keys::Keys;
use spectradb_kernel::{
    Column, Period, Type, Value, key,
    schema::{ColumnSchema, TableId, TableSchema},
    time::{Commit, Micros, Timestamp},
};
use spectradb_store::{
    Snapshot, Store, Watch,
    commits::COMMITS,
    error::StoreError,
    fact::{Read, Write},
    scan::{KeyRange, ScanSpec, SystemScope, ValidScope},
};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

/// A point of a transaction to come back to.
struct Savepoint {
    name: String,
    /// What was changed by then.
    changes: Changes,
    /// Could no statement write by then?
    read_only: bool,
}

/// One transaction.
pub(crate) struct Txn {
    view: TxnView,
    options: TransactionOptions,
    /// What the ledger is told of it.
    metadata: Option<String>,
    /// Oldest first.
    savepoints: Vec<Savepoint>,
    /// Did a statement look at what it sees?
    used: AtomicBool,
    /// Where facts go that memory has no room for.
    store: Option<Store>,
    /// Is it the transaction of one statement?
    of_statement: bool,
    /// The new facts of such a one, as long as they are all that it changes: they are not put among the changes of tables, for
    /// nothing will look for them there.
    only: Option<(Arc<TableSchema>, Piece)>,
}

/// What a transaction sees at one moment; it stays as it is when the transaction goes on.
#[derive(Clone)]
pub(crate) struct TxnView {
    snapshot: Snapshot,
    now: Micros,
    changes: Changes,
    /// What was read, where that must be known.
    reads: Option<Arc<Reading>>,
}

/// What a transaction that must be serializable has read so far. Later commits are watched for as long as it lives.
pub(crate) struct Reading {
    reads: Mutex<Vec<Read>>,
    _watch: Watch,
}

/// A part of a table that was read is held as one range when it was asked for in more pieces than this.
const READS_MAX: usize = 4096;

impl Reading {
    fn note(&self, read: Read) {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        if reads.contains(&read) {
            return;
        }
        if reads.len() >= READS_MAX {
            // More than was read is safe: it refuses more than it must.
            let mut tables: Vec<TableId> = reads.iter().map(|read| read.table).chain([read.table]).collect();
            tables.sort_unstable();
            tables.dedup();
            *reads =
                tables.into_iter().map(|table| Read { table, keys: KeyRange::All, valid: ValidScope::All }).collect();
            return;
        }
        reads.push(read);
    }
}

/// What a statement changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Facts inserted, changed or ended.
    pub rows: u64,
    /// Of these, the new ones.
    pub inserted: u64,
    /// Of these, the changed ones.
    pub updated: u64,
    /// Of these, the ended ones.
    pub deleted: u64,
    /// Parts of facts outside a portion that were stated again.
    pub leftovers: u64,
}

impl std::ops::AddAssign for Changed {
    fn add_assign(&mut self, other: Changed) {
        self.rows += other.rows;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
        self.leftovers += other.leftovers;
    }
}

impl TxnView {
    /// What a transaction sees that has changed nothing; `now` is what `now()` says.
    pub(crate) fn new(snapshot: Snapshot, now: Micros) -> TxnView {
        TxnView { snapshot, now, changes: Changes::default(), reads: None }
    }

    /// The snapshot it reads.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Must it be known what is read?
    pub(crate) fn is_watched(&self) -> bool {
        self.reads.is_some()
    }

    /// Has the transaction changed a table itself?
    pub(crate) fn has_changed(&self, table: TableId) -> bool {
        self.changes.of(table).is_some()
    }

    /// What `now()` says.
    pub(crate) fn now(&self) -> Micros {
        self.now
    }

    /// Notes what a scan reads. What was current as of an earlier commit than the snapshot's never changes.
    fn note_read(&self, spec: &ScanSpec) {
        let Some(reading) = &self.reads else { return };
        let is_past = match spec.system {
            SystemScope::AsOf(commit) => commit < self.snapshot.commit(),
            SystemScope::Between { to, .. } => to <= self.snapshot.commit(),
            SystemScope::All => false,
        };
        if !is_past {
            reading.note(Read { table: spec.table, keys: spec.keys.clone(), valid: spec.valid });
        }
    }

    /// Notes that the facts of some keys were looked for.
    pub(crate) fn note_keys(&self, table: TableId, keys: impl FnOnce() -> Vec<Vec<u8>>) {
        let Some(reading) = &self.reads else { return };
        let mut keys = keys();
        keys.sort_unstable();
        keys.dedup();
        reading.note(Read { table, keys: KeyRange::Exact(keys), valid: ValidScope::All });
    }

    /// A point of system time before a table was made is an error, not an empty answer. After the newest commit there is
    /// none: a table made since then is there, and empty.
    pub(crate) fn check_existed(&self, table: TableId, commit: Commit) -> Result<(), StoreError> {
        if table == COMMITS || commit >= self.snapshot.commit() || self.snapshot.had_table(table, commit)? {
            return Ok(());
        }
        let name = self.snapshot.catalog().by_id(table).map(|table| table.name.clone());
        Err(StoreError::NotYetCreated { table: name.unwrap_or_else(|| table.to_string()), commit })
    }
}

impl TableReader for TxnView {
    fn scan(&self, spec: ScanSpec, reads: Reads) -> Result<TableScan, StoreError> {
        self.note_read(&spec);
        let changes = match reads {
            Reads::Committed | Reads::AsOf(_) => {
                if let SystemScope::AsOf(commit) = spec.system {
                    self.check_existed(spec.table, commit)?;
                }
                None
            }
            Reads::WithOwnWrites => self.changes.of(spec.table),
        };
        let Some(changes) = changes else {
            return Ok(Box::new(self.snapshot.scan(spec)?));
        };
        let own = changes.own_batches(&spec, self.now);
        let spilled = changes.spilled_scan(&spec, self.now)?;
        let committed: TableScan = if changes.ends_nothing() {
            Box::new(self.snapshot.scan(spec)?)
        } else {
            changes.without_ended(&self.snapshot, spec)?
        };
        let in_memory = own.into_iter().map(Ok);
        Ok(match spilled {
            None => Box::new(committed.chain(in_memory)),
            Some(spilled) => Box::new(committed.chain(spilled).chain(in_memory)),
        })
    }

    fn commit_at(&self, instant: Micros) -> Result<Commit, StoreError> {
        self.snapshot.commit_at(instant)
    }

    fn current_commit(&self) -> Commit {
        self.snapshot.commit()
    }
}

impl Txn {
    /// A transaction on a snapshot; `now` is what `now()` says throughout.
    pub(crate) fn new(snapshot: Snapshot, now: Micros) -> Txn {
        let view = TxnView::new(snapshot, now);
        let (options, metadata) = (TransactionOptions::default(), None);
        let (savepoints, used, store) = (Vec::new(), AtomicBool::new(false), None);
        Txn { view, options, metadata, savepoints, used, store, of_statement: false, only: None }
    }

    /// Says that it is the transaction of one statement.
    #[must_use]
    pub(crate) fn of_statement(self) -> Txn {
        Txn { of_statement: true, ..self }
    }

    /// A transaction of which more is said; `clock` is the time.
    ///
    /// # Errors
    /// 22023 when what is said cannot be.
    pub(crate) fn begin(snapshot: Snapshot, clock: Micros, options: TransactionOptions) -> Result<Txn> {
        let metadata = options.to_metadata()?;
        let now = match options.system_time {
            None => clock.max(snapshot.instant()),
            Some(Timestamp(told)) if snapshot.commit() > 0 && told <= snapshot.instant() => {
                return Err(system_time_passed(told, snapshot.instant()));
            }
            Some(Timestamp(told)) if told > clock => return Err(system_time_to_come(told)),
            Some(Timestamp(told)) => told,
        };
        Ok(Txn { options, metadata, ..Txn::new(snapshot, now) })
    }

    /// Watches what it reads from now on, so that it is serializable.
    #[must_use]
    pub(crate) fn watched(mut self, watch: Watch) -> Txn {
        self.view.reads = Some(Arc::new(Reading { reads: Mutex::new(Vec::new()), _watch: watch }));
        self
    }

    /// Lets it write facts to files of this store before its commit.
    #[must_use]
    pub(crate) fn spilling_to(mut self, store: &Store) -> Txn {
        self.store = Some(store.clone());
        self
    }

    /// Writes new facts to files when they take more memory than a transaction may have. Not while a statement goes on that
    /// asks which facts it has changed already.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn spill_if_full(&mut self) -> Result<()> {
        let Some(store) = self.store.clone() else { return Ok(()) };
        let bytes_max = store.config().transaction_bytes_max;
        self.file_only();
        loop {
            let bytes = self.view.changes.all().map(TableChanges::bytes);
            if bytes.sum::<usize>() <= bytes_max {
                return Ok(());
            }
            let largest = self.view.changes.all().max_by_key(|changes| changes.bytes()).map(TableChanges::table);
            let changes = self.view.changes.by_table();
            let Some(changes) = largest.and_then(|table| changes.get_mut(&table)) else { return Ok(()) };
            changes.spill(&store, &self.view.snapshot)?;
        }
    }

    /// What of a statement's rows is worth being stated before the rest has been read.
    pub(crate) fn lot_bytes(&self) -> usize {
        self.store.as_ref().map_or(usize::MAX, |store| store.config().transaction_bytes_max / 2)
    }

    /// What keeps later commits watched.
    pub(crate) fn watching(&self) -> Option<Arc<Reading>> {
        self.view.reads.clone()
    }

    /// What was said of it.
    pub(crate) fn options(&self) -> &TransactionOptions {
        &self.options
    }

    /// Lets no later statement write, up to the end of the savepoint that it stands behind.
    pub(crate) fn make_read_only(&mut self) {
        self.options.read_only = true;
    }

    /// Has no statement read or written?
    pub(crate) fn is_fresh(&self) -> bool {
        !self.used.load(Relaxed) && self.view.changes.is_empty() && self.savepoints.is_empty()
    }

    /// May its statements write?
    ///
    /// # Errors
    /// 25006.
    pub(crate) fn may_write(&self) -> Result<()> {
        if self.options.read_only {
            return Err(Error::new(code::READ_ONLY_TRANSACTION, "the transaction is read only")
                .with_help("BEGIN without READ ONLY"));
        }
        Ok(())
    }

    /// Notes a point to come back to.
    pub(crate) fn savepoint(&mut self, name: &str) {
        let point =
            Savepoint { name: name.to_owned(), changes: self.view.changes.clone(), read_only: self.options.read_only };
        self.savepoints.push(point);
    }

    /// Forgets a savepoint and those after it; answers whether there was one.
    pub(crate) fn release(&mut self, name: &str) -> bool {
        let Some(place) = self.savepoints.iter().rposition(|point| point.name == name) else { return false };
        self.options.read_only = self.savepoints[place].read_only;
        self.savepoints.truncate(place);
        true
    }

    /// Undoes what came after a savepoint, which stays; answers whether there was one.
    pub(crate) fn rollback_to(&mut self, name: &str) -> bool {
        let Some(place) = self.savepoints.iter().rposition(|point| point.name == name) else { return false };
        self.savepoints.truncate(place + 1);
        self.view.changes = self.savepoints[place].changes.clone();
        self.options.read_only = self.savepoints[place].read_only;
        true
    }

    /// The snapshot it reads.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.view.snapshot
    }

    /// What a statement that begins now sees.
    pub(crate) fn view(&self) -> TxnView {
        self.used.store(true, Relaxed);
        let mut view = self.view.clone();
        if let Some((table, piece)) = &self.only {
            view.changes.of_mut(table).push(piece.clone());
        }
        view
    }

    /// New facts: `columns` are those of the schema that are not hidden, in order. Refuses a NULL where there may be none
    /// and a key that is taken over an overlapping period.
    ///
    /// # Errors
    /// 23502, 23505, or the store's.
    pub(crate) fn insert(
        &mut self,
        table: &Arc<TableSchema>,
        columns: Vec<Column>,
        periods: Vec<Period>,
    ) -> Result<Changed> {
        let mut edit = Edit::new(table, None);
        edit.insert(columns, periods, Vec::new());
        self.apply(edit)
    }

    /// Everything that it would commit; `None` when that is nothing.
    ///
    /// # Errors
    /// What reading its own segments gives.
    pub(crate) fn into_write(self) -> Result<Option<Write>, StoreError> {
        let mut write = Write {
            snapshot: self.view.snapshot.commit(),
            record: self.view.snapshot.record(),
            catalog_version: self.view.snapshot.catalog().version,
            metadata: self.metadata,
            system_time: self.options.system_time.map(|Timestamp(told)| told),
            durability: self.options.durability,
            reads: self
                .view
                .reads
                .as_ref()
                .map(|reading| std::mem::take(&mut *reading.reads.lock().unwrap_or_else(PoisonError::into_inner))),
            ..Write::default()
        };
        if let Some((table, piece)) = self.only.filter(|(_, piece)| !piece.periods.is_empty()) {
            write.facts.push(piece.into_batch(&table));
        }
        for changes in self.view.changes.into_all() {
            changes.add_to(&mut write)?;
        }
        let no_facts = write.facts.is_empty() && write.spilled.is_empty();
        let is_empty = no_facts && write.superseded.is_empty() && write.retractions.is_empty();
        Ok((!is_empty).then_some(write))
    }

    /// May these be columns of new facts, whatever becomes of them?
    ///
    /// # Errors
    /// 23502
    pub(crate) fn may_hold(&self, table: &TableSchema, columns: &[Column]) -> Result<()> {
        let visible = table.columns.iter().filter(|column| !column.hidden);
        columns.iter().zip(visible).try_for_each(|(column, schema)| not_null(table, schema, column))
    }

    fn changes_of(&mut self, table: &Arc<TableSchema>) -> &mut TableChanges {
        self.file_only();
        self.view.changes.of_mut(table)
    }

    /// Puts what was all that it changed among the changes of its table.
    fn file_only(&mut self) {
        if let Some((table, piece)) = self.only.take() {
            self.view.changes.of_mut(&table).push(piece);
        }
    }

    /// Has it changed nothing, and will whatever a statement does be all that it changes?
    fn is_untouched(&self) -> bool {
        self.of_statement && self.only.is_none() && self.view.changes.is_empty()
    }

    /// Adds new facts that were checked.
    fn state(&mut self, table: &Arc<TableSchema>, piece: Piece) {
        match self.is_untouched() {
            true => self.only = Some((table.clone(), piece)),
            false => self.changes_of(table).push(piece),
        }
    }

    /// Refuses keys that are taken over an overlapping period: among themselves, by own facts, by committed ones.
    fn check_unique(
        &mut self,
        table: &Arc<TableSchema>,
        keys: &Keys,
        periods: &[Period],
        columns: &[Column],
    ) -> Result<()> {
        let now = self.view.now;
        let rising = keys.rise();
        if !self.is_untouched()
            && let Some((row, period)) = self.changes_of(table).own_clash(keys, periods, rising)?
        {
            return Err(duplicate_key(table, columns, row, period, now));
        }
        if !rising {
            let mut order = keys.order();
            for alike in order.chunk_by_mut(|a, b| keys[*a as usize] == keys[*b as usize]) {
                alike.sort_by_key(|row| periods[*row as usize]);
                for pair in alike.windows(2) {
                    let (first, second) = (pair[0] as usize, pair[1] as usize);
                    if periods[first].overlaps(periods[second]) {
                        let (row, period) =
                            if first < second { (second, periods[first]) } else { (first, periods[second]) };
                        return Err(duplicate_key(table, columns, row, period, now));
                    }
                }
            }
        }
        self.view.note_keys(table.id, || keys.to_vecs());
        if rising && keys.len() > 1 && self.view.snapshot.key_max(table.id)?.is_none_or(|max| keys[0] > *max) {
            // Rows that are added in the order of their keys are beyond everything there is.
            return Ok(());
        }
        let refs: Vec<&[u8]> = keys.iter().collect();
        let overlaps = self.view.snapshot.overlapping(table.id, &refs, periods)?;
        let changes = self.view.changes.of(table.id);
        for overlap in overlaps {
            if !changes.is_some_and(|changes| changes.is_ended(&keys[overlap.key_idx], overlap.period)) {
                return Err(duplicate_key(table, columns, overlap.key_idx, overlap.period, now));
            }
        }
        Ok(())
    }

    /// Adds the hidden row number of a table without a declared key.
    fn with_hidden(&self, table: &TableSchema, columns: Vec<Column>, row_count: usize) -> Result<Vec<Column>> {
        if !table.columns.iter().any(|column| column.hidden) {
            return Ok(columns);
        }
        let committed = self.view.snapshot.key_max(table.id)?;
        let own = self.view.changes.of(table.id).and_then(|changes| changes.key_top().map(<[u8]>::to_vec));
        let last = match committed.max(own) {
            None => 0,
            Some(bytes) => match key::decode(&bytes, &[Type::Integer]).as_deref() {
                Ok([Value::Integer(last)]) => *last,
                _ => return Err(Error::new(code::DATA_CORRUPTED, "a row number is not a number")),
            },
        };
        let mut given = columns.into_iter();
        let mut all = Vec::with_capacity(table.columns.len());
        for column in &table.columns {
            all.push(if column.hidden {
                Column::from_i64s(Type::Integer, (1..=row_count as i64).map(|row| last + row).collect())
            } else {
                given.next().expect("the binder gives every column that is not hidden")
            });
        }
        Ok(all)
    }
}

fn check_not_null(table: &TableSchema, columns: &[Column]) -> Result<()> {
    columns.iter().zip(&table.columns).try_for_each(|(column, schema)| not_null(table, schema, column))
}

fn not_null(table: &TableSchema, schema: &ColumnSchema, column: &Column) -> Result<()> {
    if schema.nullable || !column.has_nulls() {
        return Ok(());
    }
    let row = (0..column.len()).find(|row| column.is_null(*row)).unwrap_or_default();
    let (table, name) = (&table.name, &schema.name);
    let message = format!("null value in column \"{name}\" of table \"{table}\" violates not-null constraint");
    Err(Error::new(code::NOT_NULL_VIOLATION, message).with_help(format!("give \"{name}\" a value")).of_row(row))
}

fn duplicate_key(table: &TableSchema, columns: &[Column], row: usize, clash: Period, now: Micros) -> Error {
    let names: Vec<&str> = table.key.iter().map(|column_idx| table.columns[*column_idx].name.as_str()).collect();
    let values: Vec<String> = table.key.iter().map(|column_idx| columns[*column_idx].value(row).to_string()).collect();
    let valid = if clash == Period::ALWAYS { "always".to_owned() } else { format!("over {clash}") };
    let not_now = if clash.contains(now) { "" } else { ", which is not now" };
    let message = format!(
        "duplicate key in table \"{}\": ({})=({}) exists already, valid {valid}{not_now}",
        table.name,
        names.join(", "),
        values.join(", ")
    );
    let help = if clash == Period::ALWAYS {
        "change the existing fact with UPDATE, or end it first"
    } else {
        "insert over a period that does not overlap with VALID FROM ... TO ..., or change the fact with UPDATE"
    };
    Error::new(code::UNIQUE_VIOLATION, message).with_help(help).of_row(row)
}

/// A transaction's system time is not after the last commit's.
pub(crate) fn system_time_passed(told: Micros, newest: Micros) -> Error {
    let message = format!("the system time {} is not after the last commit's, {}", Timestamp(told), Timestamp(newest));
    Error::new(code::INVALID_PARAMETER, message).with_help("what was recorded is never recorded otherwise")
}

/// A transaction's system time has not come yet.
pub(crate) fn system_time_to_come(told: Micros) -> Error {
    Error::new(code::INVALID_PARAMETER, format!("the system time {} is in the future", Timestamp(told)))
}
