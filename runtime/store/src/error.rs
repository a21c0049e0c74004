//! What can go wrong in the store?
//!
//! Contract. A variant carries data, not prose; file names are relative to the database's folder.

use spectradb_kernel::schema::TableId;
use spectradb_kernel::time::{Commit, Micros, Period};
use std::io;

/// The result of most calls.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused a call.
    #[error("cannot {operation} file \"{file}\": {source}")]
    Io {
        /// What was tried: open, read, write, sync, rename, remove, list, lock, map, create.
        operation: &'static str,
        /// Which file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what it must.
    #[error("file \"{file}\" is corrupt at byte {offset}: {what}")]
    Corrupt {
        /// Which file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// What the files say is not what the ledger says.
    #[error("the ledger is corrupt at record {record}: {what}")]
    LedgerDiffers {
        /// The record.
        record: u64,
        /// What is wrong.
        what: String,
    },
    /// A file that the manifest or the log names is not there.
    #[error("file \"{file}\" is missing")]
    Missing {
        /// Which file.
        file: String,
    },
    /// A file was written by a version that this one cannot read.
    #[error("file \"{file}\" has format version {found}, and this program reads up to {supported}")]
    FormatVersion {
        /// Which file.
        file: String,
        /// The version it says.
        found: u32,
        /// The newest this program reads.
        supported: u32,
    },
    /// A file has something that may not be ignored and that this program does not know.
    #[error("file \"{file}\" has {unknown}, which this program does not know")]
    UnknownFeatures {
        /// Which file.
        file: String,
        /// What it has.
        unknown: String,
    },
    /// Another process has the database open.
    #[error("database is locked by {holder}")]
    Locked {
        /// `process 4711` where the lock says, `another process` where not.
        holder: String,
    },
    /// A database was opened with another number of shards than it was made with.
    #[error("the database has {database} shards and cannot be opened with {asked}")]
    ShardCount {
        /// What it was made with.
        database: u32,
        /// What the settings ask for.
        asked: u32,
    },
    /// The settings of a new database ask for a number of shards that there cannot be.
    #[error("a database cannot have {asked} shards; it has 1 to {most}")]
    ShardCountRange {
        /// What the settings ask for.
        asked: u32,
        /// The most there can be.
        most: u32,
    },
    /// A sync failed earlier; what it should have made durable may be lost, so nothing more is written.
    #[error("writes are refused since a sync failed: {cause}")]
    WritesRefused {
        /// What failed.
        cause: String,
    },
    /// The commit was written but its sync failed: it may or may not be there after the next open.
    #[error("the outcome of the commit is unknown: {cause}")]
    OutcomeUnknown {
        /// What failed.
        cause: String,
    },
    /// A read names a commit that has not happened.
    #[error("commit {asked} is in the future; the newest is {newest}")]
    Future {
        /// The commit asked for.
        asked: Commit,
        /// The newest visible commit.
        newest: Commit,
    },
    /// A catalogue change was prepared against an older catalogue, or names what is not there.
    #[error("the catalogue has changed")]
    CatalogChanged,
    /// A table number that the catalogue does not hold.
    #[error("table number {table} does not exist")]
    UnknownTable {
        /// The number.
        table: TableId,
    },
    /// A read names a commit at which the table was not there yet.
    #[error("table \"{table}\" does not exist as of commit {commit}")]
    NotYetCreated {
        /// The table's present name.
        table: String,
        /// The commit.
        commit: Commit,
    },
    /// A record was asked for that the log no longer has.
    #[error("record {record} is no longer in the log")]
    Pruned {
        /// Its number.
        record: u64,
    },
    /// The facts of a large commit were asked for, and a table's retention let some of them go.
    #[error("facts of record {record} are no longer kept: the retention of table \"{table}\" let them go")]
    FactsPruned {
        /// The record's number.
        record: u64,
        /// The table's last name.
        table: String,
    },
    /// A read names a time of which the history may be gone.
    #[error(
        "the history of table \"{table}\" before commit {horizon} is not kept, and the query reads it from commit {asked} on"
    )]
    BeforeHorizon {
        /// The table's name.
        table: String,
        /// The first commit that the read asks for.
        asked: Commit,
        /// The first that can be read.
        horizon: Commit,
    },
    /// A change of a database that is open for reading only.
    #[error("the database is open for reading only")]
    ReadOnly,
    /// There is no database to read.
    #[error("there is no database in \"{folder}\"")]
    NoDatabase {
        /// Where it was looked for.
        folder: String,
    },
    /// A reader cannot say what it needs, and a writer would not wait for it.
    #[error("cannot register as a reader while {holder} has the database open for writing: {cause}")]
    Unregistered {
        /// Who writes.
        holder: String,
        /// Why the folder does not take the registration.
        cause: String,
    },
    /// A newer program wrote something that may be read without knowing it, and not written.
    #[error("file \"{file}\" uses features that only a newer version of this program may write")]
    ReadOnlyFeatures {
        /// Which file.
        file: String,
    },
    /// The folder has another database than when it was opened.
    #[error("the folder now holds another database")]
    Replaced,
    /// The database is closed.
    #[error("the database is closed")]
    Closed,
    /// A state was asked for that has not come yet.
    #[error("the instant {} is in the future", spectradb_kernel::time::Timestamp(*asked))]
    FutureInstant {
        /// The instant.
        asked: Micros,
    },
    /// A state was asked for from before the first record.
    #[error("the database held nothing yet at {}", spectradb_kernel::time::Timestamp(*asked))]
    NothingYet {
        /// The instant.
        asked: Micros,
    },
    /// The state as of commit 0 was asked for, which is before the first one.
    #[error("nothing was recorded as of commit 0: the first commit is 1")]
    BeforeFirst,
    /// A new database was to be made where something is.
    #[error("\"{folder}\" is there already")]
    NotEmpty {
        /// The place.
        folder: String,
    },
    /// A past state cannot be made again: what was current then is kept neither in the log nor in the tables.
    #[error("commit {asked} cannot be restored: the history of table \"{table}\" before commit {first} is not kept")]
    NotRestorable {
        /// The table whose history goes back least.
        table: String,
        /// The commit that was asked for.
        asked: Commit,
        /// The first one that can be restored.
        first: Commit,
    },
    /// Facts are being erased, or were, while the database was read for a restore.
    #[error("facts are being erased from the database")]
    ErasedMeanwhile,
}

impl StoreError {
    /// May it be so only because another process wrote something between two looks?
    pub(crate) fn may_be_overtaken(&self) -> bool {
        matches!(self, StoreError::Missing { .. } | StoreError::Corrupt { .. } | StoreError::LedgerDiffers { .. })
    }
}

/// A write did not become a commit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Another commit touched the same key and period after the write's snapshot. Nothing was written; try again from a
    /// new snapshot.
    #[error("another commit changed the same key over an overlapping period")]
    Conflict {
        /// The table.
        table: TableId,
        /// The key, in the codec of `spectradb_kernel::key`.
        key: Vec<u8>,
        /// The period that both touched.
        period: Period,
    },
    /// A key that the write speaks of was erased after its snapshot. Nothing was written; try again from a new snapshot.
    #[error("a key of the transaction was erased meanwhile")]
    Erased {
        /// The table.
        table: TableId,
    },
    /// A table of the write was changed or dropped after its snapshot.
    #[error("the table was changed by another session")]
    SchemaChanged {
        /// The table.
        table: TableId,
    },
    /// Another commit changed what the write's transaction had read, so that the two cannot have come one after the
    /// other. Nothing was written; try again from a new snapshot.
    #[error("another commit changed what the transaction had read")]
    ReadChanged {
        /// The table.
        table: TableId,
    },
    /// The write's system time is not after the last commit's.
    #[error("the system time is not after the last commit's")]
    SystemTimePassed {
        /// The time that was given.
        told: Micros,
        /// The last commit's.
        newest: Micros,
    },
    /// The write's system time is in the future.
    #[error("the system time is in the future")]
    SystemTimeToCome {
        /// The time that was given.
        told: Micros,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
