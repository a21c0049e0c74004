//! What do the writer and readers in other processes owe each other?
//!
//! The writer tells, in one small file, how far the log is durable and which manifest is the newest. A reader registers: a
//! file of its own, locked for as long as the reader lives, says which manifest's files and which part of the log it still
//! needs. Whatever the writer gives up (segments that were compacted, notes, old catalogues, log segments) passes here: it
//! goes at once when nobody needs it, and otherwise when the last one who does has gone on or died.
//!
//! Holds: a reader registers, needing everything, before it reads the manifest, and the writer asks for registrations after
//! it replaced the manifest; so a reader's manifest never names a file that goes. The lock of a reader that died can be
//! taken: then its file is removed.
//! A writer that closes while files wait for readers leaves a list of them, and the last reader to go takes them away.
//! Not here: the reader's side (`follow`).

use crate::{
    error::{Result, StoreError},
    format::{
        Identity,
        follow_v1::{FOLLOW_BYTES, Needs, Published},
    },
    fs::{Disk, File},
    log::held,
    manifest,
    store::LOCK_NAME,
};
use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// The file in which the writer tells how far it is.
pub(crate) const PUBLISHED_NAME: &str = "published";

/// How the name of a registration begins.
pub(crate) const READER_PREFIX: &str = "reader-";

/// The process in the name of a registration; 0 where it names none.
pub(crate) fn reader_pid(name: &str) -> u32 {
    let rest = name.strip_prefix(READER_PREFIX).and_then(|rest| rest.split('-').next());
    rest.and_then(|pid| pid.parse().ok()).unwrap_or_default()
}

/// What the writer knows of readers in other processes.
#[derive(Debug)]
pub(crate) struct Readers {
    disk: Arc<dyn Disk>,
    identity: Identity,
    file: OnceLock<Arc<dyn File>>,
    published: Mutex<Published>,
    /// The number of the newest manifest.
    sequence: AtomicU64,
    /// Files that were given up, each with the number of a manifest that no longer names it.
    waiting: Mutex<Vec<(u64, String)>>,
}

impl Readers {
    /// Nothing is told before [`Readers::begin`].
    pub(crate) fn new(disk: Arc<dyn Disk>, identity: Identity) -> Readers {
        let (file, published, waiting) = (OnceLock::new(), Mutex::default(), Mutex::default());
        Readers { disk, identity, file, published, sequence: AtomicU64::new(0), waiting }
    }

    /// The writer is there, and the log is durable up to a record.
    ///
    /// # Errors
    /// What the disk says when the file cannot be made.
    pub(crate) fn begin(&self, record: u64, sequence: u64) -> Result<()> {
        // Readers have the file open: it is written over and never replaced.
        let file = match self.disk.open(PUBLISHED_NAME) {
            Err(StoreError::Missing { .. }) => self.disk.create(PUBLISHED_NAME)?,
            found => found?,
        };
        self.file.get_or_init(|| file);
        self.sequence.store(sequence, Ordering::Release);
        self.tell(|published| *published = Published { record, sequence });
        Ok(())
    }

    /// The log is durable up to a record.
    pub(crate) fn durable(&self, record: u64) {
        self.tell(|published| published.record = published.record.max(record));
    }

    /// Another manifest has taken its predecessor's place.
    pub(crate) fn replaced(&self, sequence: u64) {
        self.sequence.store(sequence, Ordering::Release);
        self.tell(|published| published.sequence = sequence);
    }

    fn tell(&self, change: impl FnOnce(&mut Published)) {
        let mut published = held(&self.published);
        change(&mut published);
        if let Some(file) = self.file.get() {
            // A reader that is not told is behind until the next write, and misses nothing else.
            file.write_at(&published.encode(&self.identity), 0).ok();
        }
    }

    /// The readers there are, by the names of their registrations, and what each needs. Registrations of dead readers are
    /// removed.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn registered(&self) -> Result<Vec<(String, Needs)>> {
        let mut registered = Vec::new();
        for name in self.disk.list()?.into_iter().filter(|name| name.starts_with(READER_PREFIX)) {
            if !self.disk.is_held(&name)? {
                // Its reader may have removed it meanwhile.
                self.disk.remove(&name).ok();
                continue;
            }
            let mut bytes = [0; FOLLOW_BYTES];
            let read = self.disk.open(&name).and_then(|file| file.read_at(&mut bytes, 0));
            registered.push((name, read.map_or(Needs::default(), |()| Needs::decode(&bytes))));
        }
        Ok(registered)
    }

    /// What the reader needs that needs most; `None` when there is no reader.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn needs(&self) -> Result<Option<Needs>> {
        let registered = self.registered()?.into_iter().map(|(_, needs)| needs);
        Ok(registered.reduce(|one, other| Needs {
            sequence: one.sequence.min(other.sequence),
            generation: one.generation.min(other.generation),
        }))
    }

    /// Does any file wait for readers?
    pub(crate) fn has_waiting(&self) -> bool {
        !held(&self.waiting).is_empty()
    }

    /// The files that wait for readers, each with the number of a manifest that no longer names it.
    pub(crate) fn waiting(&self) -> Vec<(u64, String)> {
        held(&self.waiting).clone()
    }

    /// Gives up a file that the newest manifest does not name: it goes now, or when no reader follows an older manifest.
    pub(crate) fn give_up(&self, name: String) {
        held(&self.waiting).push((self.sequence.load(Ordering::Acquire), name));
        self.sweep();
    }

    /// Removes what was given up and is needed no longer.
    pub(crate) fn sweep(&self) {
        if !self.has_waiting() {
            return;
        }
        // Where registrations cannot be read, everything stays; the next open does what is left here.
        let Ok(needs) = self.needs() else { return };
        let upto = needs.map_or(u64::MAX, |needs| needs.sequence);
        let gone: Vec<_> = held(&self.waiting).extract_if(.., |(sequence, _)| *sequence <= upto).collect();
        for (sequence, name) in gone {
            match self.disk.remove(&name) {
                Ok(()) | Err(StoreError::Missing { .. }) => {}
                // The next sweep tries again.
                Err(_) => held(&self.waiting).push((sequence, name)),
            }
        }
    }

    /// The writer goes: what waits for readers still is left to the last of them.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn leave(&self) -> Result<()> {
        self.sweep();
        let waiting = self.waiting();
        if waiting.is_empty() {
            return Ok(());
        }
        let mut list = format!("{}\n", self.sequence.load(Ordering::Acquire));
        waiting.iter().for_each(|(_, name)| list.extend([name, "\n"]));
        list.push_str(&list_end(&list));
        let file = self.disk.create(WAITING_NAME)?;
        file.write_at(list.as_bytes(), 0)?;
        file.sync()?;
        self.disk.sync_dir()?;
        // The last reader may have gone before there was a list.
        self.sweep();
        if self.has_waiting() { Ok(()) } else { self.disk.remove(WAITING_NAME) }
    }
}

/// What the last writer told; `None` where it told nothing that is whole.
///
/// # Errors
/// What the disk says.
pub(crate) fn published(disk: &dyn Disk, identity: &Identity) -> Result<Option<Published>> {
    match disk.open(PUBLISHED_NAME) {
        Ok(file) => told(&*file, identity),
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What stands in the file of that; `None` where it is not whole, or is just being written.
///
/// # Errors
/// What the disk says.
pub(crate) fn told(file: &dyn File, identity: &Identity) -> Result<Option<Published>> {
    let mut bytes = [0; FOLLOW_BYTES];
    match file.read_at(&mut bytes, 0) {
        Ok(()) => Ok(Published::decode(&bytes, identity)),
        Err(StoreError::Corrupt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The list of files that a writer left to the last reader.
pub(crate) const WAITING_NAME: &str = "waiting";

/// How a list that is whole ends: with the checksum of what is before.
fn list_end(list: &str) -> String {
    format!("end {:08x}\n", crc32fast::hash(list.as_bytes()))
}

/// The manifest's number and the files of a list; `None` of one that is damaged or was not written to its end, which means nothing.
fn listed(list: &str) -> Option<(&str, Vec<&str>)> {
    let (told, _) = list.rsplit_once("end ")?;
    if list.strip_prefix(told) != Some(list_end(told).as_str()) {
        return None;
    }
    let (sequence, names) = told.split_once('\n')?;
    Some((sequence, names.lines().collect()))
}

/// A reader is gone: when it was the last, and nobody writes, it takes away what the last writer left for it. The next writer to
/// open looks after whatever is left here.
///
/// # Errors
/// What the disk says.
pub(crate) fn take_away_left(disk: &dyn Disk) -> Result<()> {
    let file = match disk.open(WAITING_NAME) {
        Err(StoreError::Missing { .. }) => return Ok(()),
        found => found?,
    };
    // Whoever writes, or opens to write, looks after it.
    let Ok(_lock) = disk.lock(LOCK_NAME) else { return Ok(()) };
    for name in disk.list()?.into_iter().filter(|name| name.starts_with(READER_PREFIX)) {
        if disk.is_held(&name)? {
            return Ok(());
        }
    }
    let mut bytes = vec![0; usize::try_from(file.len()?).unwrap_or(0)];
    file.read_at(&mut bytes, 0)?;
    let list = String::from_utf8(bytes).unwrap_or_default();
    let Some((sequence, names)) = listed(&list) else { return Ok(()) };
    // The list is about the files of the newest manifest, or it means nothing.
    let newest = manifest::read(disk)?.map(|(_, state)| state.sequence.to_string());
    if newest.as_deref() == Some(sequence) {
        for name in names {
            match disk.remove(name) {
                Ok(()) | Err(StoreError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        disk.sync_dir()?;
        disk.remove(WAITING_NAME)?;
    }
    Ok(())
}
