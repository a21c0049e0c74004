//! The ledger log and the columnar storage beneath SpectraDB. Knows facts, keys, commits and bytes; never hears of SQL.
//!
//! A fact is (table, key, commit, valid period, columns). A [`Write`](fact::Write) lists new facts and the facts they
//! supersede; the store gives it a commit number, makes it durable in the log, applies it and publishes it. Reading any
//! point of both times is a filter on four numbers a fact: `commit <= at < system_to` and `valid_from <= v < valid_to`.

mod archive;
mod begun;
mod bulk;
pub mod catalog;
mod chain;
pub mod clock;
mod commit;
pub mod commits;
mod compact;
pub mod config;
mod erase;
pub mod error;
pub mod fact;
mod figures;
mod follow;
mod format;
pub mod fs;
mod hashing;
mod keys;
mod lent;
mod links;
mod log;
mod maintain;
mod manifest;
mod memtable;
mod notes;
mod pack;
mod pressure;
pub mod proof;
mod prove;
mod publication;
mod readers;
mod records;
mod recover;
mod remembered;
pub mod replay;
pub mod restore;
mod run;
mod salts;
pub mod scan;
mod shape;
#[cfg(test)]
mod shuttled;
pub mod snapshot;
pub mod spill;
mod sst;
pub mod store;
mod stripes;
mod sync;
mod tree;
pub mod verify;
mod view;
mod visible;
mod watch;

pub use catalog::{Catalog, CatalogChange, Catalogs, NewColumn, NewTable};
pub use clock::{Clock, ManualClock, SystemClock};
pub use config::{Compression, CompressionPolicy, Config, Durability, LogArchive};
pub use erase::{Erased, Stated, StatedFacts};
pub use error::{CommitError, Result, StoreError};
pub use figures::{ErasureFigures, LevelFigures, LogFigures, ReaderFigures, TableFigures, WrittenFigures};
#[cfg(all(feature = "io-uring", target_os = "linux"))]
pub use fs::UringDisk;
pub use fs::{Disk, IoBackend, MemDisk, OsDisk, SimDisk};
pub use prove::ProofOf;
pub use records::Replay;
pub use replay::{Receipt, Record, RecordBody};
pub use restore::{At, Restored};
pub use scan::{Scan, ScanStats};
pub use snapshot::Snapshot;
pub use spill::Spill;
pub use sst::CacheStats;
pub use store::{Store, StoreStats};
pub use verify::{Difference, Verification};
pub use watch::Watch;
