//! What does the store ask of a disk?
//!
//! A [`Disk`] is one flat folder of named files. What is written may be lost, torn or reordered by a power failure until
//! the file's [`File::sync`] returns; a created, renamed or removed name until [`Disk::sync_dir`] returns. A file that
//! another file names (a segment, a published manifest) is never written again, only removed, so a map of it stays as
//! it is for as long as someone holds it.
//!
//! Holds: every access to a file of the database passes here, so the simulated disk sees all of them.
//! Not here: what is in the files (`format`), trusting their bytes (`view`).

mod machine;
mod mem;
mod os;
mod sim;
#[cfg(all(feature = "io-uring", target_os = "linux"))]
mod uring;

pub use machine::memory_bytes;
pub use mem::MemDisk;
pub use os::OsDisk;
pub use sim::{Fault, SimDisk};
#[cfg(all(feature = "io-uring", target_os = "linux"))]
pub use uring::UringDisk;

use crate::{
    error::{Result, StoreError},
    pack::buffer,
};
use bytes::Bytes;
use std::{any::Any, fmt, io, ops::Range, path::Path, sync::Arc};

/// How do writes and batched reads reach the system?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IoBackend {
    /// Through an io_uring ring.
    Uring,
    /// By one call each.
    Ordinary,
    /// By one call each, although io_uring was asked for: why.
    OrdinaryBecause(String),
}

impl fmt::Display for IoBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IoBackend::Uring => f.write_str("io_uring"),
            IoBackend::Ordinary => f.write_str("ordinary calls"),
            IoBackend::OrdinaryBecause(why) => write!(f, "ordinary calls: {why}"),
        }
    }
}

/// The disk in a folder, through io_uring where that is asked for and can be had. [`Disk::backend`] tells.
///
/// # Errors
/// As [`OsDisk::open`] and [`OsDisk::open_read_only`]; that io_uring cannot be had is none.
pub fn open_folder(folder: &Path, io_uring: bool, read_only: bool) -> Result<Arc<dyn Disk>> {
    let disk = if read_only { OsDisk::open_read_only(folder)? } else { OsDisk::open(folder)? };
    Ok(if io_uring { through_uring(disk) } else { Arc::new(disk) })
}

/// Fills a new folder, which gets its name when everything in it is there and synced. What stands under the name that it has
/// before that, `.restoring` behind the folder's, is what an earlier call came to.
///
/// # Errors
/// [`StoreError::NotEmpty`] when the name is taken; what `fill` gives; [`StoreError::Io`].
pub(crate) fn make_folder<T>(
    folder: &Path,
    io_uring: bool,
    fill: impl FnOnce(&Arc<dyn Disk>) -> Result<T>,
) -> Result<T> {
    let aside = os::begin_folder(folder)?;
    let disk = open_folder(&aside, io_uring, false)?;
    let filled = fill(&disk);
    drop(disk);
    let filled = match filled {
        // Somebody else is filling it.
        Err(StoreError::Locked { holder }) => return Err(StoreError::Locked { holder }),
        Err(error) => {
            // What cannot be removed is what an earlier call came to, for the next one.
            os::drop_folder(&aside).ok();
            return Err(error);
        }
        Ok(filled) => filled,
    };
    os::name_folder(&aside, folder)?;
    Ok(filled)
}

#[cfg(all(feature = "io-uring", target_os = "linux"))]
fn through_uring(disk: OsDisk) -> Arc<dyn Disk> {
    UringDisk::over(disk)
}

#[cfg(not(all(feature = "io-uring", target_os = "linux")))]
fn through_uring(disk: OsDisk) -> Arc<dyn Disk> {
    Arc::new(disk.instead_of_uring("this program was built without io_uring".to_owned()))
}

/// A folder of files.
pub trait Disk: fmt::Debug + Send + Sync {
    /// The names of all files, in no order.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be read.
    fn list(&self) -> Result<Vec<String>>;

    /// A new, empty file; one of that name is emptied.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn create(&self, name: &str) -> Result<Arc<dyn File>>;

    /// A file that exists, for reading and writing.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none, [`StoreError::Io`].
    fn open(&self, name: &str) -> Result<Arc<dyn File>>;

    /// Gives a file another name; a file that has it is replaced, in one step.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Io`].
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Takes the name away; who has the file open or mapped keeps it.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Io`].
    fn remove(&self, name: &str) -> Result<()>;

    /// Makes creations, renames and removals durable.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn sync_dir(&self) -> Result<()>;

    /// The whole file as shared bytes that start on a 64-byte boundary. On a real disk they are the file's own pages, and
    /// the caller never writes a file that it maps.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Io`].
    fn map(&self, name: &str) -> Result<Bytes>;

    /// Takes the lock that keeps other openers out until it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Locked`] with the holder when someone has it, [`StoreError::Io`].
    fn lock(&self, name: &str) -> Result<DiskLock>;

    /// Makes a file that its maker keeps: it is marked as held until the answer is dropped or the process ends. Dropping the
    /// answer removes the file.
    ///
    /// # Errors
    /// [`StoreError::Io`], and [`StoreError::ReadOnly`] where nothing can be written.
    fn claim(&self, name: &str) -> Result<(Arc<dyn File>, DiskLock)>;

    /// Does somebody hold a file of this name by [`Disk::claim`]?
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn is_held(&self, name: &str) -> Result<bool>;

    /// Who has the lock of [`Disk::lock`], if somebody has it.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn lock_holder(&self, name: &str) -> Result<Option<String>>;

    /// The same files as a disk that may be written, where this one may only be read: for the last reader, which takes away what
    /// the writer left to it.
    fn for_writing(&self) -> Option<Arc<dyn Disk>> {
        None
    }

    /// How writes and batched reads reach the system.
    fn backend(&self) -> IoBackend {
        IoBackend::Ordinary
    }
}

/// A file of a [`Disk`]. Threads may share it.
pub trait File: fmt::Debug + Send + Sync {
    /// How many bytes it has.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn len(&self) -> Result<u64>;

    /// Does it have no byte?
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills the buffer from an offset.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the file ends before the buffer is full, [`StoreError::Io`].
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()>;

    /// The bytes of some ranges, each in memory of its own that starts on a 64-byte boundary. Up to
    /// [`File::reads_at_once`] are on their way at the same time.
    ///
    /// # Errors
    /// As [`File::read_at`], for any of them.
    fn read_many(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let read = |range: &Range<u64>| {
            let mut bytes = buffer((range.end - range.start) as usize);
            self.read_at(&mut bytes, range.start)?;
            Ok(Bytes::from_owner(bytes))
        };
        ranges.iter().map(read).collect()
    }

    /// How many reads [`File::read_many`] carries out at the same time: with 1 asking for many at once gains nothing.
    fn reads_at_once(&self) -> usize {
        1
    }

    /// Writes all bytes at an offset; the file grows to hold them. A file that was mapped is not written.
    ///
    /// # Errors
    /// [`StoreError::Io`]; then any part of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()>;

    /// Cuts the file, or fills it up with zeroes that take no room yet.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn set_len(&self, len: u64) -> Result<()>;

    /// Makes sure that writes below `len` neither grow the file nor ask for room: a real disk writes zeroes from the
    /// file's end on.
    ///
    /// # Errors
    /// [`StoreError::Io`], a full disk among them.
    fn preallocate(&self, len: u64) -> Result<()>;

    /// Makes everything written so far durable, the length included.
    ///
    /// # Errors
    /// [`StoreError::Io`]; then what was written since the last sync may be lost even when a later sync succeeds.
    fn sync(&self) -> Result<()>;
}

/// A lock that is held until this is dropped.
pub struct DiskLock {
    _guard: Box<dyn Any + Send + Sync>,
}

impl DiskLock {
    /// A lock that ends when `guard` is dropped.
    pub fn new(guard: impl Any + Send + Sync) -> DiskLock {
        DiskLock { _guard: Box::new(guard) }
    }
}

impl fmt::Debug for DiskLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiskLock")
    }
}

/// The error of a call that the system refused.
fn refused(operation: &'static str, file: &str, source: io::Error) -> StoreError {
    if source.kind() == io::ErrorKind::NotFound && operation != "create" {
        return StoreError::Missing { file: file.to_owned() };
    }
    StoreError::Io { operation, file: file.to_owned(), source }
}

/// The error of a read past a file's end.
fn ends_early(file: &str, offset: u64, wanted: usize, len: u64) -> StoreError {
    StoreError::Corrupt {
        file: file.to_owned(),
        offset: len.min(offset),
        what: format!("the file ends at byte {len}, and {wanted} bytes were expected at byte {offset}"),
    }
}
