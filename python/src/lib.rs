//! How is SpectraDB used from Python?
//!
//! A thin door over `spectradb::embed`: a database is a session with a few calls more, a result is an iterator of tuples.
//! The interpreter lock is released while the engine works; each session is used by one thread at a time.
//!
//! Rooms: `convert` (values in and out), `errors` (SQLSTATE classes to exceptions).

mod convert;
mod errors;

use convert::{params_from, row_to_tuple};
use errors::raise;
use pyo3::{
    exceptions::PyValueError,
    prelude::*,
    types::{PyDict, PyList, PyTuple},
};
use spectradb::embed::{self, Canceller, Config, Done, Durability, Outcome, RestorePoint, Rows};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// One thread's conversation with a database.
#[pyclass(subclass, frozen, module = "spectradb")]
struct Session {
    session: Mutex<embed::Session>,
    canceller: Canceller,
    interrupted: Interrupted,
}

/// The exception that a signal's handler raised while the engine worked, such as KeyboardInterrupt.
#[derive(Clone, Default)]
struct Interrupted(Arc<Mutex<Option<PyErr>>>);

/// Signals are looked for once in so long while a statement runs: looking takes the interpreter's lock.
const SIGNALS_EVERY: Duration = Duration::from_millis(20);

impl Interrupted {
    /// Runs Python's handlers of signals, on the thread that runs the statement; answers whether one raised an exception.
    fn look(&self) -> bool {
        Python::attach(|py| match py.check_signals() {
            Ok(()) => false,
            Err(raised) => {
                *locked(&self.0) = Some(raised);
                true
            }
        })
    }

    /// The exception for an error: the handler's, where one cancelled the statement.
    fn raise(&self, py: Python<'_>, error: &embed::Error) -> PyErr {
        locked(&self.0).take().unwrap_or_else(|| raise(py, error))
    }
}

impl Session {
    fn new(mut session: embed::Session) -> Session {
        let (canceller, interrupted) = (session.canceller(), Interrupted::default());
        let (began, looked, looker) = (Instant::now(), AtomicU64::new(0), interrupted.clone());
        session.set_interrupt(move || {
            let now = began.elapsed().as_micros() as u64;
            if now < looked.load(Ordering::Relaxed) + SIGNALS_EVERY.as_micros() as u64 {
                return false;
            }
            looked.store(now, Ordering::Relaxed);
            looker.look()
        });
        Session { session: Mutex::new(session), canceller, interrupted }
    }
}

/// An open database with a session of its own.
#[pyclass(extends = Session, frozen, module = "spectradb")]
struct Database {
    database: embed::Database,
}

/// What a statement gave back.
#[pyclass(frozen, module = "spectradb")]
struct Result {
    columns: Vec<String>,
    types: Vec<String>,
    rows: Mutex<Option<Rows>>,
    done: Option<Done>,
    interrupted: Interrupted,
}

/// `with session.transaction():` commits at the end, and rolls back when an exception leaves it.
#[pyclass(frozen, module = "spectradb")]
struct Transaction {
    session: Py<Session>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pymethods]
impl Session {
    /// Runs a statement (without parameters also several) and gives the last one's result.
    #[pyo3(signature = (sql, params = None))]
    fn execute(&self, py: Python<'_>, sql: &str, params: Option<&Bound<'_, PyAny>>) -> PyResult<Result> {
        let params = params_from(params)?;
        let outcome = py.detach(|| params.lend(|params| locked(&self.session).run(sql, params)));
        let outcome = outcome.map_err(|error| self.interrupted.raise(py, &error))?;
        Ok(Result::new(outcome, self.interrupted.clone()))
    }

    /// Cancels the statement that another thread runs in this session; it raises an OperationalError with sqlstate 57014.
    fn cancel(&self) {
        self.canceller.cancel();
    }

    /// Runs a statement once for each row of parameters, in one transaction; answers how many facts changed.
    fn executemany(&self, py: Python<'_>, sql: &str, rows: &Bound<'_, PyAny>) -> PyResult<u64> {
        let all = rows.try_iter()?.map(|row| params_from(Some(&row?))).collect::<PyResult<Vec<_>>>()?;
        let changed = py.detach(|| {
            let mut session = locked(&self.session);
            let opened = !session.in_transaction();
            if opened {
                session.begin()?;
            }
            let mut run = || -> embed::Result<u64> {
                let mut prepared = session.prepare(sql)?;
                let mut changed = 0;
                for params in &all {
                    let outcome = params.lend(|params| session.execute_prepared(&mut prepared, params))?;
                    changed += outcome.rows_changed();
                }
                Ok(changed)
            };
            let result = run();
            match (&result, opened) {
                (Ok(_), true) => session.commit().map(drop)?,
                (Err(_), true) => session.rollback()?,
                (_, false) => {}
            }
            result
        });
        changed.map_err(|error| self.interrupted.raise(py, &error))
    }

    /// Begins a transaction.
    fn begin(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| locked(&self.session).begin()).map_err(|error| raise(py, &error))
    }

    /// Commits it; answers the commit's number, or None when nothing changed.
    fn commit(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        py.detach(|| locked(&self.session).commit()).map_err(|error| raise(py, &error))
    }

    /// Forgets it.
    fn rollback(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| locked(&self.session).rollback()).map_err(|error| raise(py, &error))
    }

    /// A context manager for a transaction.
    fn transaction(slf: Py<Session>) -> Transaction {
        Transaction { session: slf }
    }

    /// Is a transaction open?
    #[getter]
    fn in_transaction(&self, py: Python<'_>) -> bool {
        // Never wait for the session with the interpreter's lock: a running statement may want it to look for signals.
        py.detach(|| locked(&self.session).in_transaction())
    }

    /// The newest commit that the session sees.
    #[getter]
    fn current_commit(&self, py: Python<'_>) -> u64 {
        py.detach(|| locked(&self.session).current_commit())
    }
}

#[pymethods]
impl Database {
    /// Another session, for another thread.
    fn session(&self) -> Session {
        Session::new(self.database.session())
    }

    /// Writes everything out and closes the files.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let database = self.database.clone();
        py.detach(|| database.close()).map_err(|error| raise(py, &error))
    }

    fn __enter__(slf: Py<Database>) -> Py<Database> {
        slf
    }

    #[pyo3(signature = (_kind, _error, _trace))]
    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        self.close(py)?;
        Ok(false)
    }
}

#[pymethods]
impl Transaction {
    fn __enter__(&self, py: Python<'_>) -> PyResult<Py<Session>> {
        self.session.get().begin(py)?;
        Ok(self.session.clone_ref(py))
    }

    #[pyo3(signature = (kind, _error, _trace))]
    fn __exit__(
        &self,
        py: Python<'_>,
        kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _trace: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let session = self.session.get();
        if kind.is_none() {
            session.commit(py)?;
        } else if session.in_transaction(py) {
            session.rollback(py)?;
        }
        Ok(false)
    }
}

impl Result {
    fn new(outcome: Outcome, interrupted: Interrupted) -> Result {
        match outcome {
            Outcome::Rows(rows) => Result {
                columns: rows.columns().iter().map(|column| column.name.clone()).collect(),
                types: rows.columns().iter().map(|column| column.ty.to_string()).collect(),
                done: rows.done().cloned(),
                rows: Mutex::new(Some(rows)),
                interrupted,
            },
            Outcome::Done(done) => {
                Result { columns: Vec::new(), types: Vec::new(), rows: Mutex::new(None), done: Some(done), interrupted }
            }
        }
    }

    fn next_row<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let next = py.detach(|| locked(&self.rows).as_mut().and_then(Iterator::next));
        match next {
            None => Ok(None),
            Some(Ok(row)) => row_to_tuple(py, row.into_values()).map(Some),
            Some(Err(error)) => Err(self.interrupted.raise(py, &error)),
        }
    }

    fn next_rows<'py>(&self, py: Python<'py>, count: usize) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let mut rows = Vec::new();
        while rows.len() < count {
            match self.next_row(py)? {
                Some(row) => rows.push(row),
                None => break,
            }
        }
        Ok(rows)
    }
}

#[pymethods]
impl Result {
    /// The columns' names; empty when the statement gave no rows.
    #[getter]
    fn columns(&self) -> Vec<String> {
        self.columns.clone()
    }

    /// The columns' SQL types.
    #[getter]
    fn types(&self) -> Vec<String> {
        self.types.clone()
    }

    /// The statement's words with its number of rows, such as `INSERT 0 3`; `SELECT` for a query.
    #[getter]
    fn tag(&self) -> String {
        self.done.as_ref().map_or_else(|| "SELECT".to_owned(), Done::tag)
    }

    /// What the statement did in words, such as `1 row updated, 2 leftovers kept`; empty for a query.
    #[getter]
    fn told(&self) -> String {
        self.done.as_ref().map(Done::to_string).unwrap_or_default()
    }

    /// How many facts the statement inserted, changed or ended; -1 for a query.
    #[getter]
    fn rowcount(&self) -> i64 {
        self.done.as_ref().map_or(-1, |done| done.rows as i64)
    }

    /// The number of the commit that the statement became, if it did.
    #[getter]
    fn commit(&self) -> Option<u64> {
        self.done.as_ref().and_then(|done| done.commit)
    }

    /// The next row as a tuple, or None.
    fn fetchone<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.next_row(py)
    }

    /// The next rows, at most so many.
    #[pyo3(signature = (size = 1000))]
    fn fetchmany<'py>(&self, py: Python<'py>, size: usize) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.next_rows(py, size)?)
    }

    /// All rows that are left.
    fn fetchall<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        PyList::new(py, self.next_rows(py, usize::MAX)?)
    }

    /// All rows that are left, as dicts by column name.
    fn dicts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for row in self.next_rows(py, usize::MAX)? {
            let dict = PyDict::new(py);
            for (name, value) in self.columns.iter().zip(row.iter()) {
                dict.set_item(name, value)?;
            }
            list.append(dict)?;
        }
        Ok(list)
    }

    fn __iter__(slf: Py<Result>) -> Py<Result> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        self.next_row(py)
    }
}

/// Opens the database in a folder, or a new one in memory.
///
/// `durability` is "synced" (every commit is on the disk before it is acknowledged), "none", or a number of records after
/// which the log is synced. With `read_only` the database is only read, beside the process that writes it if there is one.
#[pyfunction]
#[pyo3(signature = (path = None, *, durability = None, memtable_max_bytes = None, sstable_block_bytes = None, bloom_bits_per_key = None, shard_count = None, read_only = false))]
#[expect(clippy::too_many_arguments, reason = "Python names each of them")]
fn open(
    py: Python<'_>,
    path: Option<PathBuf>,
    durability: Option<&Bound<'_, PyAny>>,
    memtable_max_bytes: Option<usize>,
    sstable_block_bytes: Option<usize>,
    bloom_bits_per_key: Option<u32>,
    shard_count: Option<u32>,
    read_only: bool,
) -> PyResult<Py<Database>> {
    let mut config = Config::default();
    if let Some(durability) = durability {
        config.durability = durability_from(durability)?;
    }
    config.memtable_bytes_max = memtable_max_bytes.unwrap_or(config.memtable_bytes_max);
    config.sstable_block_bytes = sstable_block_bytes.unwrap_or(config.sstable_block_bytes);
    config.bloom_bits_per_key = bloom_bits_per_key.unwrap_or(config.bloom_bits_per_key);
    config.shard_count = shard_count.or(config.shard_count);
    config.read_only = read_only;
    let path = path.unwrap_or_else(|| PathBuf::from(":memory:"));
    let database = py.detach(|| embed::Database::open_with(path, config)).map_err(|error| raise(py, &error))?;
    let session = Session::new(database.session());
    Py::new(py, PyClassInitializer::from(session).add_subclass(Database { database }))
}

/// Makes a database in the new folder `target` that holds what the one in `source` held: at a commit's number, at an instant (a
/// datetime, or a text in UTC), or now. Answers the commit that it holds.
#[pyfunction]
#[pyo3(signature = (source, target, at = None))]
fn restore(py: Python<'_>, source: PathBuf, target: PathBuf, at: Option<&Bound<'_, PyAny>>) -> PyResult<u64> {
    let at = match at {
        None => RestorePoint::Newest,
        Some(at) => embed::restore_point(&at.str()?.to_string()).map_err(|error| raise(py, &error))?,
    };
    let restored = py.detach(|| embed::restore(source, target, at, &Config::default()));
    restored.map(|restored| restored.digest.commit).map_err(|error| raise(py, &error))
}

fn durability_from(given: &Bound<'_, PyAny>) -> PyResult<Durability> {
    if let Ok(records) = given.extract::<u32>() {
        return Ok(Durability::EveryRecords(records.max(1)));
    }
    match given.extract::<String>()?.as_str() {
        "synced" => Ok(Durability::Synced),
        "none" => Ok(Durability::None),
        other => Err(PyValueError::new_err(format!("durability is \"synced\", \"none\" or a number, not {other:?}"))),
    }
}

#[pymodule]
fn _spectradb(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Session>()?;
    module.add_class::<Database>()?;
    module.add_class::<Result>()?;
    module.add_class::<Transaction>()?;
    module.add_function(wrap_pyfunction!(open, module)?)?;
    module.add_function(wrap_pyfunction!(restore, module)?)?;
    errors::register(module)
}
