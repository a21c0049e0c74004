//! How does memory serve as a disk, for `:memory:` databases and tests?
//!
//! A file is one growing buffer on a 64-byte boundary. Mapping it hands out the buffer itself; a write after that (which
//! the store does not do) works on a copy, so nobody's bytes change.
//!
//! Not here: surviving the process. Syncs and preallocation do nothing.

use super::{Disk, DiskLock, File, ends_early};
use crate::error::{Result, StoreError};
use bytes::Bytes;
use rkyv::util::AlignedVec;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Files in memory. Clones share them, and they live as long as a clone does.
#[derive(Clone, Debug, Default)]
pub struct MemDisk {
    files: Arc<Mutex<BTreeMap<String, Arc<MemFile>>>>,
    held: Arc<Mutex<BTreeSet<String>>>,
}

#[derive(Debug)]
struct MemFile {
    name: String,
    content: Mutex<Content>,
}

#[derive(Debug)]
enum Content {
    Writable(AlignedVec<64>),
    Shared(Bytes),
}

/// A buffer is whole between calls, even if a thread died while it held one.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemDisk {
    /// A disk without files.
    pub fn new() -> MemDisk {
        MemDisk::default()
    }

    fn file(&self, name: &str) -> Result<Arc<MemFile>> {
        held(&self.files).get(name).cloned().ok_or_else(|| StoreError::Missing { file: name.to_owned() })
    }
}

impl Disk for MemDisk {
    fn list(&self) -> Result<Vec<String>> {
        Ok(held(&self.files).keys().cloned().collect())
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        let content = Mutex::new(Content::Writable(AlignedVec::new()));
        let file = Arc::new(MemFile { name: name.to_owned(), content });
        held(&self.files).insert(name.to_owned(), file.clone());
        Ok(file)
    }

    fn open(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.file(name)?)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut files = held(&self.files);
        let file = files.remove(from).ok_or_else(|| StoreError::Missing { file: from.to_owned() })?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        let gone = held(&self.files).remove(name);
        gone.map(drop).ok_or_else(|| StoreError::Missing { file: name.to_owned() })
    }

    fn sync_dir(&self) -> Result<()> {
        Ok(())
    }

    fn map(&self, name: &str) -> Result<Bytes> {
        let file = self.file(name)?;
        let mut content = held(&file.content);
        if let Content::Writable(buffer) = &mut *content {
            let buffer = std::mem::take(buffer);
            *content = Content::Shared(Bytes::from_owner(buffer));
        }
        Ok(match &*content {
            Content::Shared(bytes) => bytes.clone(),
            Content::Writable(_) => unreachable!("it was shared above"),
        })
    }

    fn lock(&self, name: &str) -> Result<DiskLock> {
        if !held(&self.held).insert(name.to_owned()) {
            return Err(StoreError::Locked { holder: format!("process {}", std::process::id()) });
        }
        Ok(DiskLock::new(MemLock(self.clone(), name.to_owned())))
    }

    fn claim(&self, name: &str) -> Result<(Arc<dyn File>, DiskLock)> {
        let file = self.create(name)?;
        held(&self.held).insert(name.to_owned());
        Ok((file, DiskLock::new(MemLock(self.clone(), name.to_owned()))))
    }

    fn is_held(&self, name: &str) -> Result<bool> {
        Ok(held(&self.held).contains(name))
    }

    fn lock_holder(&self, name: &str) -> Result<Option<String>> {
        Ok(held(&self.held).contains(name).then(|| format!("process {}", std::process::id())))
    }
}

/// Unlocks when it is dropped.
struct MemLock(MemDisk, String);

impl Drop for MemLock {
    fn drop(&mut self) {
        let MemLock(disk, name) = self;
        // Only a claim has a file.
        held(&disk.files).remove(name);
        held(&disk.held).remove(name);
    }
}

impl MemFile {
    fn write(&self, change: impl FnOnce(&mut AlignedVec<64>)) {
        let mut content = held(&self.content);
        if let Content::Shared(bytes) = &*content {
            let mut copy = AlignedVec::with_capacity(bytes.len());
            copy.extend_from_slice(bytes);
            *content = Content::Writable(copy);
        }
        match &mut *content {
            Content::Writable(buffer) => change(buffer),
            Content::Shared(_) => unreachable!("it was made writable above"),
        }
    }
}

impl File for MemFile {
    fn len(&self) -> Result<u64> {
        Ok(match &*held(&self.content) {
            Content::Writable(buffer) => buffer.len() as u64,
            Content::Shared(bytes) => bytes.len() as u64,
        })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let content = held(&self.content);
        let bytes: &[u8] = match &*content {
            Content::Writable(buffer) => buffer,
            Content::Shared(bytes) => bytes,
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        match bytes.get(from..from.saturating_add(buffer.len())) {
            Some(found) => buffer.copy_from_slice(found),
            None => return Err(ends_early(&self.name, offset, buffer.len(), bytes.len() as u64)),
        }
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let from = usize::try_from(offset).expect("a file in memory is smaller than memory");
        self.write(|buffer| {
            if from == buffer.len() {
                buffer.extend_from_slice(bytes);
                return;
            }
            if buffer.len() < from + bytes.len() {
                buffer.resize(from + bytes.len(), 0);
            }
            buffer[from..from + bytes.len()].copy_from_slice(bytes);
        });
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let len = usize::try_from(len).expect("a file in memory is smaller than memory");
        self.write(|buffer| buffer.resize(len, 0));
        Ok(())
    }

    fn preallocate(&self, _len: u64) -> Result<()> {
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}
