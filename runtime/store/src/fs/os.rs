//! How does the operating system's file system serve as a disk?
//!
//! One folder; reads and writes at offsets, so threads share a file without a cursor. Syncing uses `fdatasync`, which
//! carries a changed length along. The lock is the system's advisory lock on a file that holds its holder's process id,
//! so it ends with the process, however that ends.
//!
//! Not here: retrying, caching, many reads at once (`uring`).

use super::{Disk, DiskLock, File, IoBackend, ends_early, refused};
use crate::{
    error::{Result, StoreError},
    view,
};
use bytes::Bytes;
use std::{
    fs::{self, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A folder of the file system.
#[derive(Debug)]
pub struct OsDisk {
    folder: PathBuf,
    /// Why io_uring is not used, where it was asked for.
    no_uring: Option<String>,
    /// Is nothing of it written but claims?
    read_only: bool,
}

#[derive(Debug)]
pub(super) struct OsFile {
    pub(super) name: String,
    pub(super) file: fs::File,
}

/// So often, a millisecond apart, a writer asks again for a lock that somebody has.
const LOCK_TRIES: u32 = 5;

/// Zeroes are written in pieces of this size.
static ZEROES: [u8; 256 << 10] = [0; 256 << 10];

#[expect(clippy::disallowed_methods, reason = "this is the room that touches the file system")]
impl OsDisk {
    /// A disk in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be made or is not a folder.
    pub fn open(folder: &Path) -> Result<OsDisk> {
        let name = folder.display().to_string();
        if !folder.is_dir() {
            fs::create_dir_all(folder).map_err(|source| refused("create", &name, source))?;
            // The folder's own name has to survive a power failure too.
            if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync_folder(parent).map_err(|source| refused("sync", &name, source))?;
            }
        }
        Ok(OsDisk { folder: folder.to_owned(), no_uring: None, read_only: false })
    }

    /// A disk in a folder that is there, of which nothing is written but claims.
    ///
    /// # Errors
    /// [`StoreError::NoDatabase`] when it is not a folder.
    pub fn open_read_only(folder: &Path) -> Result<OsDisk> {
        match folder.is_dir() {
            true => Ok(OsDisk { folder: folder.to_owned(), no_uring: None, read_only: true }),
            false => Err(StoreError::NoDatabase { folder: folder.display().to_string() }),
        }
    }

    fn writable(&self) -> Result<()> {
        if self.read_only { Err(StoreError::ReadOnly) } else { Ok(()) }
    }

    /// The same disk, which tells why it stands in for one through io_uring.
    pub(super) fn instead_of_uring(self, why: String) -> OsDisk {
        OsDisk { no_uring: Some(why), ..self }
    }

    pub(super) fn create_file(&self, name: &str) -> Result<OsFile> {
        self.writable()?;
        self.file(name, "create", OpenOptions::new().read(true).write(true).create(true).truncate(true))
    }

    pub(super) fn open_file(&self, name: &str) -> Result<OsFile> {
        self.file(name, "open", OpenOptions::new().read(true).write(!self.read_only))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn file(&self, name: &str, operation: &'static str, options: &OpenOptions) -> Result<OsFile> {
        let file = options.open(self.path(name)).map_err(|source| refused(operation, name, source))?;
        Ok(OsFile { name: name.to_owned(), file })
    }
}

/// The name under which a folder is filled that will have another; nothing has that one yet.
pub(super) fn begin_folder(folder: &Path) -> Result<PathBuf> {
    let taken = || StoreError::NotEmpty { folder: folder.display().to_string() };
    if folder.symlink_metadata().is_ok() {
        return Err(taken());
    }
    let mut name = folder.file_name().ok_or_else(taken)?.to_owned();
    name.push(".restoring");
    Ok(folder.with_file_name(name))
}

/// Removes a folder that was begun, with the files in it; one with folders in it is not what was begun, and stays.
#[expect(clippy::disallowed_methods, reason = "this is the room that touches the file system")]
pub(super) fn drop_folder(aside: &Path) -> Result<()> {
    let name = aside.display().to_string();
    let remove = || {
        for entry in fs::read_dir(aside)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        fs::remove_dir(aside)
    };
    remove().map_err(|source| refused("remove", &name, source))
}

/// Gives a filled folder its name, durably.
#[expect(clippy::disallowed_methods, reason = "this is the room that touches the file system")]
pub(super) fn name_folder(aside: &Path, folder: &Path) -> Result<()> {
    let name = folder.display().to_string();
    if folder.symlink_metadata().is_ok() {
        return Err(StoreError::NotEmpty { folder: name });
    }
    fs::rename(aside, folder).map_err(|source| refused("rename", &name, source))?;
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_folder(parent).map_err(|source| refused("sync", &name, source))
}

#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "this is the room that touches the file system")]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

// Elsewhere a folder cannot be opened like a file, and its entries are journalled by the file system.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this is the room that touches the file system")]
impl Disk for OsDisk {
    fn list(&self) -> Result<Vec<String>> {
        let entries = || {
            let mut names = Vec::new();
            for entry in fs::read_dir(&self.folder)? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    names.push(entry.file_name().to_string_lossy().into_owned());
                }
            }
            Ok(names)
        };
        entries().map_err(|source| refused("list", ".", source))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(Arc::new(self.create_file(name)?))
    }

    fn open(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(Arc::new(self.open_file(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.writable()?;
        fs::rename(self.path(from), self.path(to)).map_err(|source| refused("rename", from, source))
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.writable()?;
        fs::remove_file(self.path(name)).map_err(|source| refused("remove", name, source))
    }

    fn sync_dir(&self) -> Result<()> {
        self.writable()?;
        sync_folder(&self.folder).map_err(|source| refused("sync", ".", source))
    }

    fn map(&self, name: &str) -> Result<Bytes> {
        let file = self.file(name, "map", OpenOptions::new().read(true))?;
        view::map(&file.file).map_err(|source| refused("map", name, source))
    }

    fn lock(&self, name: &str) -> Result<DiskLock> {
        self.writable()?;
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let lock = self.file(name, "lock", &options)?;
        // A reader that asks whether there is a writer has the lock for an instant.
        let mut tries = 0;
        loop {
            match lock.file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < LOCK_TRIES => {
                    tries += 1;
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { holder: lock.settled_holder() }),
                Err(TryLockError::Error(source)) => return Err(refused("lock", name, source)),
            }
        }
        let holder = format!("{}\n", std::process::id());
        lock.set_len(0)?;
        lock.write_at(holder.as_bytes(), 0)?;
        Ok(DiskLock::new(lock))
    }

    fn claim(&self, name: &str) -> Result<(Arc<dyn File>, DiskLock)> {
        let mut options = OpenOptions::new();
        let file = self.file(name, "create", options.read(true).write(true).create_new(true))?;
        let claim = OsClaim { path: self.path(name), file: Arc::new(file) };
        match claim.file.file.try_lock() {
            Ok(()) => {}
            // Between the two the file looked like one that was left behind.
            Err(TryLockError::WouldBlock) => return Err(refused("lock", name, io::ErrorKind::WouldBlock.into())),
            Err(TryLockError::Error(source)) => return Err(refused("lock", name, source)),
        }
        if !claim.path.exists() {
            return Err(refused("lock", name, io::ErrorKind::WouldBlock.into()));
        }
        Ok((claim.file.clone(), DiskLock::new(claim)))
    }

    fn is_held(&self, name: &str) -> Result<bool> {
        let file = match self.file(name, "open", OpenOptions::new().read(true)) {
            Err(StoreError::Missing { .. }) => return Ok(false),
            found => found?,
        };
        match file.file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(source)) => Err(refused("lock", name, source)),
        }
    }

    fn lock_holder(&self, name: &str) -> Result<Option<String>> {
        if !self.is_held(name)? {
            return Ok(None);
        }
        let file = self.file(name, "open", OpenOptions::new().read(true))?;
        Ok(Some(file.settled_holder()))
    }

    fn for_writing(&self) -> Option<Arc<dyn Disk>> {
        let disk = OsDisk { folder: self.folder.clone(), no_uring: None, read_only: false };
        self.read_only.then(|| Arc::new(disk) as Arc<dyn Disk>)
    }

    fn backend(&self) -> IoBackend {
        self.no_uring.clone().map_or(IoBackend::Ordinary, IoBackend::OrdinaryBecause)
    }
}

/// A file that lives as long as this.
#[derive(Debug)]
struct OsClaim {
    path: PathBuf,
    file: Arc<OsFile>,
}

#[expect(clippy::disallowed_methods, reason = "this is the room that touches the file system")]
impl Drop for OsClaim {
    fn drop(&mut self) {
        // What stays behind is not held any more, and whoever looks removes it.
        fs::remove_file(&self.path).ok();
    }
}

impl OsFile {
    /// Who holds the lock. A holder that has just got it may not have written its number yet: it is given a moment.
    fn settled_holder(&self) -> String {
        let patience = std::time::Duration::from_millis(5);
        (0..20)
            .find_map(|_| {
                let holder = self.holder();
                if holder.is_none() {
                    std::thread::sleep(patience);
                }
                holder
            })
            .unwrap_or_else(|| "another process".to_owned())
    }

    /// Who holds the lock, as the file says.
    fn holder(&self) -> Option<String> {
        let mut text = vec![0; self.len().map_or(0, |len| len.min(32) as usize)];
        let read = self.read_at(&mut text, 0);
        let pid = String::from_utf8_lossy(&text).trim().parse::<u32>();
        match (read, pid) {
            (Ok(()), Ok(pid)) => Some(format!("process {pid}")),
            _ => None,
        }
    }
}

#[cfg(unix)]
fn read_some(file: &fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(unix)]
fn write_some(file: &fs::File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_some(file: &fs::File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(windows)]
fn write_some(file: &fs::File, bytes: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, offset)
}

impl File for OsFile {
    fn len(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(|source| refused("read", &self.name, source))?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while done < buffer.len() {
            match read_some(&self.file, &mut buffer[done..], offset + done as u64) {
                Ok(0) => return Err(ends_early(&self.name, offset, buffer.len(), self.len()?)),
                Ok(count) => done += count,
                Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(refused("read", &self.name, source)),
            }
        }
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match write_some(&self.file, &bytes[done..], offset + done as u64) {
                Ok(0) => return Err(refused("write", &self.name, io::ErrorKind::WriteZero.into())),
                Ok(count) => done += count,
                Err(source) if source.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(refused("write", &self.name, source)),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len).map_err(|source| refused("write", &self.name, source))
    }

    fn preallocate(&self, len: u64) -> Result<()> {
        let mut end = self.len()?;
        while end < len {
            let piece = (len - end).min(ZEROES.len() as u64) as usize;
            self.write_at(&ZEROES[..piece], end)?;
            end += piece as u64;
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|source| refused("sync", &self.name, source))
    }
}
