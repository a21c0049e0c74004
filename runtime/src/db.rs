//! How is a database opened, and what do all its sessions share?
//!
//! A [`Database`] is a handle: clone it, send it to other threads. Each thread takes a [`Session`] of its own. The store,
//! the plan cache and the settings are shared.
//!
//! Not here: running statements (`session`), the engine (`spectradb_store`).

use crate::{
    catalog::Bound,
    error::Result,
    params::Params,
    rows::{Outcome, Rows},
    session::Session,
};
use quick_cache::sync::Cache;
use spectradb_kernel::time::Commit;
use spectradb_store::{IoBackend, Replay, Snapshot, Store, config::Config};
use std::{
    path::Path,
    sync::{Arc, Mutex},
};

/// Plans that are kept by the text they come from.
const PLAN_CACHE_ENTRIES: usize = 1024;

/// Longer texts are bound anew each time: they are bulk data or written by hand.
const PLAN_CACHE_SQL_BYTES_MAX: usize = 16 << 10;

/// An open database; clones share it.
pub struct Database {
    shared: Arc<Shared>,
    /// The session of [`Database::sql`]: one a handle, so that a clone in another thread has its own transactions.
    own: Mutex<Option<Session>>,
}

/// What the sessions of a database share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    plans: Cache<Box<str>, Arc<Bound>>,
}

impl Database {
    /// Opens the database in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// F0001 when another process has it open, XX001 when a file is corrupt, 58030 when the system refuses a call.
    pub fn open(path: impl AsRef<Path>) -> Result<Database> {
        Database::open_with(path, Config::default())
    }

    /// Opens the database in a folder with settings. The path `:memory:` is [`Database::open_memory_with`].
    ///
    /// # Errors
    /// As [`Database::open`].
    pub fn open_with(path: impl AsRef<Path>, config: Config) -> Result<Database> {
        if path.as_ref() == Path::new(":memory:") {
            return Database::open_memory_with(config);
        }
        Ok(Database::over(Store::open_path(path.as_ref(), config)?))
    }

    /// Opens the database in a folder for reading only, beside the process that writes it if there is one: each statement, and
    /// each transaction, sees every durable commit before it. Any number of processes may do so.
    ///
    /// # Errors
    /// 58P01 when there is no database; otherwise as [`Database::open`].
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Database> {
        Database::open_with(path, Config { read_only: true, ..Config::default() })
    }

    /// A new, empty database in memory: the same engine on a disk that is gone with the last handle.
    ///
    /// # Errors
    /// None is known; the engine's calls can fail.
    pub fn open_memory() -> Result<Database> {
        Database::open_memory_with(Config::default())
    }

    /// A new, empty database in memory with settings.
    ///
    /// # Errors
    /// As [`Database::open_memory`].
    pub fn open_memory_with(config: Config) -> Result<Database> {
        Ok(Database::over(Store::open_memory(config)?))
    }

    /// A database over a store that is open.
    pub fn over(store: Store) -> Database {
        let shared = Shared { store, plans: Cache::new(PLAN_CACHE_ENTRIES) };
        Database { shared: Arc::new(shared), own: Mutex::new(None) }
    }

    /// A session: one thread's conversation with the database.
    pub fn session(&self) -> Session {
        Session::new(self.shared.clone())
    }

    /// Runs one or more statements in this handle's own session and gives the last one's outcome.
    ///
    /// # Errors
    /// The first error; statements before it have taken place.
    pub fn sql(&self, sql: &str) -> Result<Outcome> {
        self.sql_with(sql, ())
    }

    /// Runs a statement with parameters in this handle's own session.
    ///
    /// # Errors
    /// As [`Database::sql`].
    pub fn sql_with<'p>(&self, sql: &str, params: impl Into<Params<'p>>) -> Result<Outcome> {
        self.with_own(|session| session.run(sql, params.into()))
    }

    /// Works with this handle's own session.
    pub(crate) fn with_own<T>(&self, work: impl FnOnce(&mut Session) -> T) -> T {
        // A panic while the lock was held leaves a session whose transaction is gone at worst.
        let mut own = self.own.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        work(own.get_or_insert_with(|| self.session()))
    }

    /// Runs a query with parameters and gives its rows.
    ///
    /// # Errors
    /// As [`Database::sql`]; P0002 when the statement is not a query.
    pub fn query<'p>(&self, sql: &str, params: impl Into<Params<'p>>) -> Result<Rows> {
        self.sql_with(sql, params)?.into_rows()
    }

    /// The number of the newest visible commit; 0 before the first.
    pub fn current_commit(&self) -> Commit {
        self.shared.store.snapshot().commit()
    }

    /// The newest state, pinned: it stays readable as it is for as long as the snapshot lives.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.store.snapshot()
    }

    /// The ledger's records from a record number on, up to the newest visible one: what a change feed reads.
    ///
    /// # Errors
    /// XX001 when a log file is corrupt, 58030 when the system refuses a call.
    pub fn replay(&self, from_record: u64) -> Result<Replay> {
        Ok(self.shared.store.replay(from_record)?)
    }

    /// Why io_uring is not used although the settings ask for it.
    pub fn no_io_uring(&self) -> Option<String> {
        match self.shared.store.io_backend() {
            IoBackend::OrdinaryBecause(why) => Some(why),
            IoBackend::Uring | IoBackend::Ordinary => None,
        }
    }

    /// The engine beneath.
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Writes everything out and closes the files; other handles find the database closed. Dropping the last handle does
    /// the same, but cannot tell of errors.
    ///
    /// # Errors
    /// 58030 when the system refuses a call.
    pub fn close(self) -> Result<()> {
        Ok(self.shared.store.close()?)
    }
}

impl Clone for Database {
    fn clone(&self) -> Database {
        Database { shared: self.shared.clone(), own: Mutex::new(None) }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Shared {
    /// The plan of a text, if it was bound under this version of the catalogue.
    pub(crate) fn cached_plan(&self, sql: &str, catalog_version: u64) -> Option<Arc<Bound>> {
        self.plans.get(sql).filter(|plan| plan.catalog_version == catalog_version)
    }

    /// How many plans are kept, and how many may be.
    pub(crate) fn plan_counts(&self) -> (usize, usize) {
        (self.plans.len(), PLAN_CACHE_ENTRIES)
    }

    /// About how many bytes they take, with their texts.
    pub(crate) fn plan_bytes(&self) -> usize {
        self.plans.iter().map(|(sql, plan)| sql.len() + plan.bytes()).sum()
    }

    /// Keeps a plan.
    pub(crate) fn keep_plan(&self, sql: &str, plan: &Arc<Bound>) {
        if sql.len() <= PLAN_CACHE_SQL_BYTES_MAX {
            self.plans.insert(sql.into(), plan.clone());
        }
    }
}
