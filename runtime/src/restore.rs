//! How is a database made again as it was?
//!
//! Not here: where the facts come from (`spectradb_store::restore`).

pub use spectradb_store::restore::{At as RestorePoint, Restored};

use crate::error::{Error, Result, code};
use spectradb_kernel::time::TimestampTz;
use spectradb_store::{config::Config, restore::restore_path};
use std::path::Path;

/// Makes a database in a new folder that holds exactly what another one held at a commit or an instant, while others may be using
/// that one. It is verified against its ledger before it gets its name, its digest is the one that the other one had there, and
/// it goes on as a timeline of its own. The settings are those it is written with; its number of shards is the other one's.
///
/// ```
/// use spectradb::{Config, Database, RestorePoint, restore};
///
/// # let folder = tempfile::tempdir()?;
/// # let (old, new) = (folder.path().join("old"), folder.path().join("new"));
/// let db = Database::open(&old)?;
/// db.sql("CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT)")?;
/// db.sql("INSERT INTO t VALUES (1, 'right')")?;
/// db.sql("UPDATE t SET x = 'wrong'")?;
/// let restored = restore(&old, &new, RestorePoint::Commit(1), &Config::default())?;
/// assert_eq!((restored.digest.commit, restored.timeline), (1, 2));
/// let again = Database::open(&new)?;
/// assert_eq!(again.query("SELECT x FROM t", ())?.next().expect("a row")?.get::<String>("x")?, "right");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// 58P01 when there is no database, 58P02 when the new folder is there already, 22023 for a point in the future, 72000 when the
/// state is kept neither in the log nor in the tables (it names the first commit that can be restored), 40001 when facts are erased
/// meanwhile, XX001 when the database is not what its ledger says, 58030 when the system refuses a call.
pub fn restore(from: impl AsRef<Path>, to: impl AsRef<Path>, at: RestorePoint, config: &Config) -> Result<Restored> {
    Ok(restore_path(from.as_ref(), to.as_ref(), at, config)?)
}

/// The point that a text names: a commit's number, or an instant, in UTC where the text has no zone.
///
/// # Errors
/// 22023 when it is neither.
pub fn restore_point(text: &str) -> Result<RestorePoint> {
    if let Ok(commit) = text.trim().parse() {
        return Ok(RestorePoint::Commit(commit));
    }
    match text.trim().parse() {
        Ok(TimestampTz(instant)) => Ok(RestorePoint::Instant(instant)),
        Err(_) => Err(Error::new(code::INVALID_PARAMETER, format!("\"{text}\" is neither a commit nor an instant"))
            .with_help("say a commit's number, or an instant such as 2026-01-31 12:00")),
    }
}
