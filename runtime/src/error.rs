//! What does an error say to the people who use the database?
//!
//! Every failure of a statement, of the store or of the API becomes one [`Error`]: a stable SQLSTATE, a message in lower
//! case, the place in the SQL text with a caret, and a help that suggests a next step. The layers' own enums are mapped
//! here and nowhere else.

use crate::ops::ExecError;
use spectradb_grammar::{
    diag::Diag,
    span::{Position, Span},
};
use spectradb_kernel::schema::{TableId, TableSchema};
use spectradb_store::{
    commits::{COMMITS, COMMITS_NAME},
    error::{CommitError, StoreError},
};
use std::{fmt, sync::Arc};

/// The result of a call to the database.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, as told to the caller.
#[derive(Clone, Debug)]
pub struct Error(Box<Report>);

#[derive(Clone, Debug)]
struct Report {
    code: &'static str,
    message: String,
    help: Option<String>,
    span: Option<Span>,
    position: Option<Position>,
    excerpt: Option<String>,
    /// Which of the rows that were written is wrong, counted from 0, where one is.
    row: Option<usize>,
}

/// SQLSTATEs that the runtime itself gives; the language's stand in `spectradb_grammar::diag::code`.
pub mod code {
    /// unique_violation
    pub const UNIQUE_VIOLATION: &str = "23505";
    /// not_null_violation
    pub const NOT_NULL_VIOLATION: &str = "23502";
    /// serialization_failure
    pub const SERIALIZATION_FAILURE: &str = "40001";
    /// in_failed_sql_transaction
    pub const IN_FAILED_TRANSACTION: &str = "25P02";
    /// active_sql_transaction
    pub const ACTIVE_TRANSACTION: &str = "25001";
    /// no_active_sql_transaction
    pub const NO_ACTIVE_TRANSACTION: &str = "25P01";
    /// read_only_sql_transaction
    pub const READ_ONLY_TRANSACTION: &str = "25006";
    /// invalid_savepoint_specification
    pub const INVALID_SAVEPOINT: &str = "3B001";
    /// invalid_parameter_value
    pub const INVALID_PARAMETER: &str = "22023";
    /// undefined_parameter
    pub const UNDEFINED_PARAMETER: &str = "42P02";
    /// datatype_mismatch
    pub const DATATYPE_MISMATCH: &str = "42804";
    /// data_exception: an empty or reversed period
    pub const EMPTY_PERIOD: &str = "22000";
    /// null_value_not_allowed
    pub const NULL_NOT_ALLOWED: &str = "22004";
    /// bad_copy_file_format
    pub const BAD_COPY_FORMAT: &str = "22P04";
    /// io_error
    pub const IO_ERROR: &str = "58030";
    /// undefined_file
    pub const UNDEFINED_FILE: &str = "58P01";
    /// A folder or file is there already.
    pub const DUPLICATE_FILE: &str = "58P02";
    /// disk_full
    pub const DISK_FULL: &str = "53100";
    /// data_corrupted
    pub const DATA_CORRUPTED: &str = "XX001";
    /// lock_file_exists
    pub const LOCKED: &str = "F0001";
    /// a file of a newer format
    pub const FORMAT_VERSION: &str = "F0002";
    /// transaction_resolution_unknown
    pub const OUTCOME_UNKNOWN: &str = "08007";
    /// cannot_connect_now: the database refuses writes after a failed sync
    pub const WRITES_REFUSED: &str = "57P03";
    /// snapshot_too_old: a table's retention does not keep the history that was asked for
    pub const HISTORY_NOT_KEPT: &str = "72000";
    /// object_not_in_prerequisite_state: the database is closed
    pub const CLOSED: &str = "55000";
    /// schema_and_data_statement_mixing_not_supported
    pub const DDL_IN_TRANSACTION: &str = "25007";
    /// a compiled query's schema is not the database's
    pub const SCHEMA_MISMATCH: &str = "42P17";
    /// duplicate_table
    pub const DUPLICATE_TABLE: &str = "42P07";
    /// undefined_table
    pub const UNDEFINED_TABLE: &str = "42P01";
    /// undefined_column
    pub const UNDEFINED_COLUMN: &str = "42703";
    /// undefined_object: a setting
    pub const UNDEFINED_SETTING: &str = "42704";
    /// cant_change_runtime_param
    pub const CANNOT_CHANGE: &str = "55P02";
    /// invalid_sql_statement_name
    pub const UNDEFINED_STATEMENT: &str = "26000";
    /// duplicate_prepared_statement
    pub const DUPLICATE_STATEMENT: &str = "42P05";
    /// query_canceled
    pub const QUERY_CANCELED: &str = "57014";
    /// out_of_memory
    pub const OUT_OF_MEMORY: &str = "53200";
    /// no_data_found: one row was asked for
    pub const NO_DATA: &str = "P0002";
}

impl Error {
    /// An error without a place in any text.
    pub fn new(code: &'static str, message: impl Into<String>) -> Error {
        Error(Box::new(Report {
            code,
            message: message.into(),
            help: None,
            span: None,
            position: None,
            excerpt: None,
            row: None,
        }))
    }

    /// The same error with a next step to take.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Error {
        self.0.help = Some(help.into());
        self
    }

    /// The same error about one of the rows that were written.
    #[must_use]
    pub(crate) fn of_row(mut self, row: usize) -> Error {
        self.0.row = Some(row);
        self
    }

    /// The row that it is about, where it is about one of those that were written.
    pub(crate) fn row(&self) -> Option<usize> {
        self.0.row
    }

    /// The same error under another message.
    #[must_use]
    pub(crate) fn told(mut self, message: String) -> Error {
        self.0.message = message;
        self
    }

    /// The same error pointing at a span of a text, unless it points somewhere already.
    #[must_use]
    pub fn at(mut self, span: Option<Span>, sql: &str) -> Error {
        if self.0.span.is_none() && self.0.excerpt.is_none() {
            self.0.span = span;
        }
        if let (Some(span), None) = (self.0.span, &self.0.excerpt) {
            let diag = Diag::new(self.0.code, "", span);
            self.0.position = diag.position(sql);
            self.0.excerpt = Some(diag.excerpt(sql));
        }
        self
    }

    /// The language's error about a text.
    pub fn from_diag(diag: Diag, sql: &str) -> Error {
        let error = Error(Box::new(Report {
            code: diag.code,
            message: diag.message,
            help: diag.help,
            span: diag.span,
            position: None,
            excerpt: None,
            row: None,
        }));
        error.at(diag.span, sql)
    }

    /// A query's error, placed in the statement's text.
    pub(crate) fn from_exec(error: ExecError, sql: &str) -> Error {
        let place = error.place().map(|place| Span { start: place.start, end: place.end });
        let (code, message, help) = (error.code(), error.to_string(), error.help());
        let told = match error {
            ExecError::Store(error) | ExecError::StoreAt { error, .. } => Error::from(error),
            _ => Error::new(code, message),
        };
        let told = match help {
            Some(help) => told.with_help(help),
            None => told,
        };
        told.at(place, sql)
    }

    /// Five characters of SQLSTATE.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What is wrong.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// Line and column in the statement's text, both from 1.
    pub fn position(&self) -> Option<Position> {
        self.0.position
    }

    /// The line of the statement's text with a caret under the spot; ends with a newline.
    pub fn excerpt(&self) -> Option<&str> {
        self.0.excerpt.as_deref()
    }

    /// The same error for a text in which the statement begins further on: the excerpt is drawn in the whole text.
    #[must_use]
    pub fn within(mut self, whole: &str, statement_start: usize) -> Error {
        if let Some(span) = self.0.span {
            let start = statement_start as u32;
            let moved = Span { start: span.start + start, end: span.end + start };
            self.0.span = None;
            self.0.excerpt = None;
            return self.at(Some(moved), whole);
        }
        self
    }

    /// The same error of a statement that ran another text: its excerpt stays drawn in that one.
    #[must_use]
    pub(crate) fn elsewhere(mut self) -> Error {
        self.0.span = None;
        self.0.position = None;
        self
    }

    /// The same error for a statement that begins at this position of a larger text: line and column count there.
    #[must_use]
    pub fn placed(mut self, statement: &str, first: Position) -> Error {
        if let Some(span) = self.0.span {
            let diag = Diag::new(self.0.code, "", span);
            self.0.position = diag.position(statement).map(|position| position.after(first));
            self.0.excerpt = Some(diag.excerpt_from(statement, first));
        }
        self
    }

    /// May the same work succeed when it is simply tried again?
    pub fn is_retryable(&self) -> bool {
        self.0.code == code::SERIALIZATION_FAILURE
    }
}

/// `error[42703]: column "x" does not exist`, then the excerpt and the help.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.0.code, self.0.message)?;
        if let Some(excerpt) = &self.0.excerpt {
            write!(f, "\n{}", excerpt.trim_end())?;
        }
        if let Some(help) = &self.0.help {
            write!(f, "\nhelp: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        let message = error.to_string();
        match error {
            StoreError::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    Error::new(code::DISK_FULL, message).with_help("free some space; what was committed is safe")
                }
                std::io::ErrorKind::NotFound => Error::new(code::UNDEFINED_FILE, message),
                _ => Error::new(code::IO_ERROR, message),
            },
            StoreError::Corrupt { .. } => {
                Error::new(code::DATA_CORRUPTED, message).with_help("restore the file from a copy; nothing was changed")
            }
            StoreError::LedgerDiffers { .. } => Error::new(code::DATA_CORRUPTED, message)
                .with_help("VERIFY LEDGER says more; restore the files from a copy; nothing was changed"),
            StoreError::Missing { .. } => {
                Error::new(code::DATA_CORRUPTED, message).with_help("restore the file from a copy; nothing was changed")
            }
            StoreError::FormatVersion { .. } | StoreError::UnknownFeatures { .. } => {
                Error::new(code::FORMAT_VERSION, message).with_help("open it with a newer version of SpectraDB")
            }
            StoreError::Locked { .. } => Error::new(code::LOCKED, message)
                .with_help("close the other process, use one Database and its sessions, or open it for reading only"),
            StoreError::ReadOnly => Error::new(code::READ_ONLY_TRANSACTION, message)
                .with_help("the process that opened it for writing can change it; here it is only read"),
            StoreError::NoDatabase { .. } => {
                Error::new(code::UNDEFINED_FILE, message).with_help("open it for writing to make one")
            }
            StoreError::Unregistered { .. } => Error::new(code::LOCKED, message)
                .with_help("make the folder writable for this process, free some space where the disk is full, or close the writer"),
            StoreError::ReadOnlyFeatures { .. } => Error::new(code::FORMAT_VERSION, message)
                .with_help("open it for reading only, or with a newer version of SpectraDB"),
            StoreError::Replaced => Error::new(code::CLOSED, message).with_help("close and open the database again"),
            StoreError::ShardCount { .. } => Error::new(code::INVALID_PARAMETER, message)
                .with_help("leave the setting away, or copy the tables into a new database"),
            StoreError::ShardCountRange { .. } => Error::new(code::INVALID_PARAMETER, message),
            StoreError::WritesRefused { .. } => Error::new(code::WRITES_REFUSED, message)
                .with_help("reads still work; close and open the database again"),
            StoreError::OutcomeUnknown { .. } => Error::new(code::OUTCOME_UNKNOWN, message)
                .with_help("close and open the database again, then look whether the commit is there"),
            StoreError::Future { newest, .. } => Error::new(code::INVALID_PARAMETER, message)
                .with_help(format!("the newest commit is {newest}; current_commit() names it")),
            StoreError::BeforeHorizon { horizon, .. } => {
                let help =
                    format!("AS OF {horizon} and later can be read; FOR SYSTEM_TIME FROM {horizon} TO names a range");
                Error::new(code::HISTORY_NOT_KEPT, message).with_help(help)
            }
            StoreError::CatalogChanged => Error::new(code::SERIALIZATION_FAILURE, message).with_help("try again"),
            StoreError::UnknownTable { .. } => Error::new(code::UNDEFINED_TABLE, message),
            StoreError::NotYetCreated { .. } => Error::new(code::UNDEFINED_TABLE, message).with_help(
                "AS OF a commit's number, written out, also finds a table of that name that was dropped since",
            ),
            StoreError::Pruned { .. } => Error::new(code::CLOSED, message)
                .with_help("facts of dropped log segments are in the tables, but nothing more can be proved of them"),
            StoreError::FactsPruned { .. } => Error::new(code::CLOSED, message)
                .with_help("the facts that are kept are in the tables, but nothing more can be proved of this record"),
            StoreError::Closed => Error::new(code::CLOSED, message),
            StoreError::FutureInstant { .. } | StoreError::NothingYet { .. } => {
                Error::new(code::INVALID_PARAMETER, message)
            }
            StoreError::BeforeFirst => Error::new(code::INVALID_PARAMETER, message)
                .with_help("say commit 1 or later, or an instant at which there were tables"),
            StoreError::NotEmpty { .. } => {
                Error::new(code::DUPLICATE_FILE, message).with_help("name a folder that is not there yet")
            }
            StoreError::NotRestorable { first, .. } => Error::new(code::HISTORY_NOT_KEPT, message)
                .with_help(format!("commit {first} and later can be restored")),
            StoreError::ErasedMeanwhile => Error::new(code::SERIALIZATION_FAILURE, message).with_help(
                "try again when that is done; where it was interrupted, open the database for writing first",
            ),
            _ => Error::new(code::IO_ERROR, message),
        }
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Error {
        Error::of_commit(error, &|_| None)
    }
}

impl Error {
    /// A commit that was refused, told with the names of its tables as far as they are known.
    pub(crate) fn of_commit(error: CommitError, schema_of: &dyn Fn(TableId) -> Option<Arc<TableSchema>>) -> Error {
        let table_name = |table: TableId| match schema_of(table) {
            Some(schema) => format!("table \"{}\"", schema.name),
            None if table == COMMITS => format!("table \"{COMMITS_NAME}\""),
            None => "a table".to_owned(),
        };
        let message = match error {
            CommitError::Store(error) => return error.into(),
            CommitError::SystemTimePassed { told, newest } => return crate::txn::system_time_passed(told, newest),
            CommitError::SystemTimeToCome { told } => return crate::txn::system_time_to_come(told),
            CommitError::Conflict { table, key, period } => {
                let key = schema_of(table).and_then(|schema| key_text(&schema, &key));
                let (key, table) = (key.unwrap_or_else(|| "the same key".to_owned()), table_name(table));
                format!("could not commit: another transaction changed {key} of {table} over {period}")
            }
            // Which key it was may not be told any more.
            CommitError::Erased { table } => {
                format!(
                    "could not commit: a key of {} that the transaction speaks of was erased meanwhile",
                    table_name(table)
                )
            }
            CommitError::SchemaChanged { table } => {
                format!("could not commit: {}, which the transaction wrote, was changed meanwhile", table_name(table))
            }
            CommitError::ReadChanged { table } => format!(
                "could not serialize: another transaction changed what this one had read of {}",
                table_name(table)
            ),
            _ => return Error::new(code::IO_ERROR, error.to_string()),
        };
        Error::new(code::SERIALIZATION_FAILURE, message).with_help("run the transaction again")
    }
}

/// A key with its columns, such as `(id)=(1)`.
fn key_text(schema: &TableSchema, key: &[u8]) -> Option<String> {
    let types: Vec<_> = schema.key_types().collect();
    let values = spectradb_kernel::key::decode(key, &types).ok()?;
    let names: Vec<&str> = schema.key.iter().map(|column_idx| schema.columns[*column_idx].name.as_str()).collect();
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    Some(format!("({})=({})", names.join(", "), values.join(", ")))
}

impl From<spectradb_kernel::time::EmptyPeriod> for Error {
    fn from(error: spectradb_kernel::time::EmptyPeriod) -> Error {
        Error::new(code::EMPTY_PERIOD, error.to_string())
            .with_help("valid time is half-open: [from, to) needs from before to")
    }
}
