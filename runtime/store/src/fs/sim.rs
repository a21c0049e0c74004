//! What does a disk look like after the power failed, and what does the store do when calls fail?
//!
//! Each file keeps what is durable and, apart from it, the writes since its last sync; the folder does the same with its
//! names. [`SimDisk::after_crash`] makes the disk that a machine would find after a power failure: of the writes not
//! synced each is kept, lost, torn at a sector or cut short, and kept ones may land in another order. A [`Fault`] makes
//! a call fail, the disk full, or the power go at a sync. Every choice comes from a seed and a count of calls, so a
//! failing test repeats.
//!
//! Holds: what was synced before a crash is there after it, except after a sync that reported failure, which leaves each
//! of its writes kept or lost for good while reads still see them (what Linux does).
//! Not here: bits that rot; tests flip those with [`SimDisk::damage`].

use super::{Disk, DiskLock, File, ends_early};
use crate::error::{Result, StoreError};
use bytes::Bytes;
use rkyv::util::AlignedVec;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, ErrorKind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Power failures tear a write at multiples of so many bytes.
const SECTOR_BYTES: usize = 512;

/// What goes wrong, and when. Calls count from 1; reads, writes, syncs and changes of the folder all count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This call fails once.
    Call(u64),
    /// From this call on there is no room: what grows a file or makes one fails.
    FullFrom(u64),
    /// The power fails just before this sync (of a file or the folder, counted from 1) takes effect: it and every later
    /// call fails.
    PowerBeforeSync(u64),
    /// The power fails when this sync has taken effect, before its caller hears of it.
    PowerAfterSync(u64),
}

/// A disk in memory that forgets, tears and fails as told. Clones share it.
#[derive(Clone, Debug)]
pub struct SimDisk {
    shared: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct SimFile {
    id: usize,
    name: String,
    shared: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
    random: u64,
    faults: Vec<Fault>,
    calls: u64,
    syncs: u64,
    power_is_off: bool,
    held: BTreeSet<String>,
}

/// A file as reads see it, as a crash leaves it, and what lies between the two.
#[derive(Clone, Debug, Default)]
struct Content {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Len(usize),
}

#[derive(Clone, Debug)]
enum NameChange {
    Link(String, usize),
    Unlink(String),
    Rename { from: String, to: String, id: usize },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Read,
    Write,
    Grow,
    Sync,
    Name,
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Len(len) => bytes.resize(*len, 0),
        Change::Write { offset, bytes: new } => {
            if bytes.len() < offset + new.len() {
                bytes.resize(offset + new.len(), 0);
            }
            bytes[*offset..offset + new.len()].copy_from_slice(new);
        }
    }
}

fn apply_name(names: &mut BTreeMap<String, usize>, change: &NameChange) {
    match change {
        NameChange::Link(name, id) => {
            names.insert(name.clone(), *id);
        }
        NameChange::Unlink(name) => {
            names.remove(name);
        }
        NameChange::Rename { from, to, id } => {
            names.remove(from);
            names.insert(to.clone(), *id);
        }
    }
}

fn error(operation: &'static str, file: &str, kind: ErrorKind, why: &str) -> StoreError {
    StoreError::Io { operation, file: file.to_owned(), source: io::Error::new(kind, why.to_owned()) }
}

impl State {
    /// The next number of a fixed sequence (SplitMix64).
    fn roll(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below.max(1)
    }

    /// Counts a call and says whether it happens.
    fn enter(&mut self, call: Call, operation: &'static str, file: &str) -> Result<()> {
        let off = || Err(error(operation, file, ErrorKind::Other, "the power is off"));
        if self.power_is_off {
            return off();
        }
        self.calls += 1;
        if call == Call::Sync {
            self.syncs += 1;
        }
        let has = |fault: Fault| self.faults.contains(&fault);
        if call == Call::Sync && has(Fault::PowerBeforeSync(self.syncs)) {
            self.power_is_off = true;
            return off();
        }
        if has(Fault::Call(self.calls)) {
            return Err(error(operation, file, ErrorKind::Other, "simulated failure"));
        }
        let is_full = self.faults.iter().any(|fault| matches!(fault, Fault::FullFrom(call) if self.calls >= *call));
        if call == Call::Grow && is_full {
            return Err(error(operation, file, ErrorKind::StorageFull, "simulated full disk"));
        }
        Ok(())
    }

    /// The power may go right after a sync.
    fn leave_sync(&mut self, file: &str) -> Result<()> {
        if self.faults.contains(&Fault::PowerAfterSync(self.syncs)) {
            self.power_is_off = true;
            return Err(error("sync", file, ErrorKind::Other, "the power is off"));
        }
        Ok(())
    }

    fn change(&mut self, id: usize, change: Change) {
        let content = &mut self.files[id];
        apply(&mut content.seen, &change);
        content.pending.push(change);
    }

    /// What a failure leaves of the writes not synced.
    fn settle(&mut self, id: usize) -> Vec<u8> {
        let mut bytes = self.files[id].durable.clone();
        let mut kept: Vec<(u64, Change)> = Vec::new();
        for (order, change) in self.files[id].pending.clone().into_iter().enumerate() {
            let fate = self.roll(8);
            let change = match (fate, change) {
                (0 | 1, _) => continue,
                (2, Change::Write { offset, bytes }) => {
                    let whole = bytes.len();
                    let cut = self.roll(whole as u64 + 1) as usize;
                    Change::Write { offset, bytes: bytes[..cut].to_vec() }
                }
                (3 | 4, Change::Write { offset, bytes: new }) => {
                    // Sectors arrive one by one, in any order: each is there or not.
                    let mut torn = bytes.get(offset..).unwrap_or_default().to_vec();
                    torn.resize(new.len(), 0);
                    for start in (0..new.len()).step_by(SECTOR_BYTES) {
                        let end = new.len().min(start + SECTOR_BYTES);
                        if self.roll(2) == 0 {
                            torn[start..end].copy_from_slice(&new[start..end]);
                        }
                    }
                    Change::Write { offset, bytes: torn }
                }
                (_, change) => change,
            };
            // Most keep their place, some swap with a neighbour.
            let place = if fate == 7 { (order as u64 + 2) * 2 + 1 } else { order as u64 * 2 };
            kept.push((place, change));
        }
        kept.sort_by_key(|(place, _)| *place);
        for (_, change) in &kept {
            apply(&mut bytes, change);
        }
        bytes
    }
}

impl SimDisk {
    /// An empty disk whose choices follow from a seed.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk { shared: Arc::new(Mutex::new(State { random: seed, ..State::default() })) }
    }

    /// Adds a fault. Calls and syncs are counted since the disk was made.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Forgets all faults.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// How many calls have been made.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How many syncs, of files and of the folder, have been asked for.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// The disk that is found after a power failure now; this one is as it was.
    pub fn after_crash(&self, seed: u64) -> SimDisk {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.random, seed);
        let mut names = state.durable_names.clone();
        for change in state.pending_names.clone() {
            if state.roll(2) == 0 {
                apply_name(&mut names, &change);
            }
        }
        let mut found = State { random: seed.wrapping_add(1), ..State::default() };
        for (name, id) in names {
            let bytes = state.settle(id);
            found.names.insert(name.clone(), found.files.len());
            found.durable_names.insert(name, found.files.len());
            found.files.push(Content { seen: bytes.clone(), durable: bytes, pending: Vec::new() });
        }
        state.random = before;
        SimDisk { shared: Arc::new(Mutex::new(found)) }
    }

    /// A disk of its own with the same files, all durable, and no faults.
    pub fn copy(&self) -> SimDisk {
        let state = self.state();
        let mut copy = State { random: state.random, ..State::default() };
        for (name, id) in &state.names {
            let bytes = state.files[*id].seen.clone();
            copy.names.insert(name.clone(), copy.files.len());
            copy.durable_names.insert(name.clone(), copy.files.len());
            copy.files.push(Content { seen: bytes.clone(), durable: bytes, pending: Vec::new() });
        }
        SimDisk { shared: Arc::new(Mutex::new(copy)) }
    }

    /// Changes a file's bytes behind everybody's back, durably; `None` where there is no such file.
    pub fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
        let mut state = self.state();
        let id = *state.names.get(name)?;
        let content = &mut state.files[id];
        change(&mut content.seen);
        content.durable = content.seen.clone();
        content.pending.clear();
        Some(())
    }

    /// The bytes of a file as reads see them.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).map(|id| state.files[*id].seen.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, name: &str, id: usize) -> Arc<dyn File> {
        Arc::new(SimFile { id, name: name.to_owned(), shared: self.shared.clone() })
    }
}

impl Disk for SimDisk {
    fn list(&self) -> Result<Vec<String>> {
        let mut state = self.state();
        state.enter(Call::Read, "list", ".")?;
        Ok(state.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        let mut state = self.state();
        state.enter(Call::Grow, "create", name)?;
        let id = state.files.len();
        state.files.push(Content::default());
        state.names.insert(name.to_owned(), id);
        state.pending_names.push(NameChange::Link(name.to_owned(), id));
        drop(state);
        Ok(self.file(name, id))
    }

    fn open(&self, name: &str) -> Result<Arc<dyn File>> {
        let mut state = self.state();
        state.enter(Call::Read, "open", name)?;
        let id = *state.names.get(name).ok_or_else(|| StoreError::Missing { file: name.to_owned() })?;
        drop(state);
        Ok(self.file(name, id))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut state = self.state();
        state.enter(Call::Name, "rename", from)?;
        let id = state.names.remove(from).ok_or_else(|| StoreError::Missing { file: from.to_owned() })?;
        state.names.insert(to.to_owned(), id);
        state.pending_names.push(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), id });
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        let mut state = self.state();
        state.enter(Call::Name, "remove", name)?;
        state.names.remove(name).ok_or_else(|| StoreError::Missing { file: name.to_owned() })?;
        state.pending_names.push(NameChange::Unlink(name.to_owned()));
        Ok(())
    }

    fn sync_dir(&self) -> Result<()> {
        let mut state = self.state();
        state.enter(Call::Sync, "sync", ".")?;
        state.durable_names = state.names.clone();
        state.pending_names.clear();
        state.leave_sync(".")
    }

    fn map(&self, name: &str) -> Result<Bytes> {
        let mut state = self.state();
        state.enter(Call::Read, "map", name)?;
        let id = *state.names.get(name).ok_or_else(|| StoreError::Missing { file: name.to_owned() })?;
        let seen = &state.files[id].seen;
        let mut copy: AlignedVec<64> = AlignedVec::with_capacity(seen.len());
        copy.extend_from_slice(seen);
        Ok(Bytes::from_owner(copy))
    }

    fn lock(&self, name: &str) -> Result<DiskLock> {
        let mut state = self.state();
        state.enter(Call::Name, "lock", name)?;
        if !state.held.insert(name.to_owned()) {
            return Err(StoreError::Locked { holder: format!("process {}", std::process::id()) });
        }
        Ok(DiskLock::new(SimLock(self.clone(), name.to_owned())))
    }

    fn claim(&self, name: &str) -> Result<(Arc<dyn File>, DiskLock)> {
        let file = self.create(name)?;
        self.state().held.insert(name.to_owned());
        Ok((file, DiskLock::new(SimLock(self.clone(), name.to_owned()))))
    }

    fn is_held(&self, name: &str) -> Result<bool> {
        Ok(self.state().held.contains(name))
    }

    fn lock_holder(&self, name: &str) -> Result<Option<String>> {
        Ok(self.state().held.contains(name).then(|| format!("process {}", std::process::id())))
    }
}

/// Unlocks when it is dropped.
struct SimLock(SimDisk, String);

impl Drop for SimLock {
    fn drop(&mut self) {
        let SimLock(disk, name) = self;
        let mut state = disk.state();
        state.held.remove(name);
        // Only a claim has a file. What the power takes along is not removed.
        if !state.power_is_off && state.names.remove(name).is_some() {
            state.pending_names.push(NameChange::Unlink(name.clone()));
        }
    }
}

impl SimFile {
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl File for SimFile {
    fn len(&self) -> Result<u64> {
        let mut state = self.state();
        state.enter(Call::Read, "read", &self.name)?;
        Ok(state.files[self.id].seen.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let mut state = self.state();
        state.enter(Call::Read, "read", &self.name)?;
        let seen = &state.files[self.id].seen;
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        match seen.get(from..from.saturating_add(buffer.len())) {
            Some(found) => buffer.copy_from_slice(found),
            None => return Err(ends_early(&self.name, offset, buffer.len(), seen.len() as u64)),
        }
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        let mut state = self.state();
        let offset = usize::try_from(offset).expect("a simulated file is small");
        let grows = offset + bytes.len() > state.files[self.id].seen.len();
        let entered = state.enter(if grows { Call::Grow } else { Call::Write }, "write", &self.name);
        if entered.is_err() && !state.power_is_off {
            // A write that fails may have got somewhere.
            let done = state.roll(bytes.len() as u64 + 1) as usize;
            let room = if grows { state.files[self.id].seen.len().saturating_sub(offset) } else { bytes.len() };
            let done = done.min(room);
            if done > 0 {
                state.change(self.id, Change::Write { offset, bytes: bytes[..done].to_vec() });
            }
        }
        entered?;
        state.change(self.id, Change::Write { offset, bytes: bytes.to_vec() });
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut state = self.state();
        state.enter(Call::Write, "write", &self.name)?;
        state.change(self.id, Change::Len(usize::try_from(len).expect("a simulated file is small")));
        Ok(())
    }

    fn preallocate(&self, len: u64) -> Result<()> {
        let mut state = self.state();
        state.enter(Call::Grow, "write", &self.name)?;
        let len = usize::try_from(len).expect("a simulated file is small");
        if len > state.files[self.id].seen.len() {
            state.change(self.id, Change::Len(len));
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut state = self.state();
        let entered = state.enter(Call::Sync, "sync", &self.name);
        if entered.is_err() && !state.power_is_off {
            let settled = state.settle(self.id);
            let content = &mut state.files[self.id];
            content.durable = settled;
            content.pending.clear();
        }
        entered?;
        let content = &mut state.files[self.id];
        if content.pending.len() < 64 {
            // Applying a few changes is cheaper than copying a large file.
            for change in std::mem::take(&mut content.pending) {
                apply(&mut content.durable, &change);
            }
        } else {
            content.durable = content.seen.clone();
            content.pending.clear();
        }
        state.leave_sync(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the seed, synced bytes under synced names survive.
    #[test]
    fn a_crash_keeps_what_was_synced_and_may_lose_the_rest() {
        let mut lost = 0;
        let mut torn = 0;
        for seed in 0..200 {
            let disk = SimDisk::new(seed);
            let file = disk.create("a").expect("no fault");
            file.write_at(&[1; 2048], 0).expect("no fault");
            file.sync().expect("no fault");
            disk.sync_dir().expect("no fault");
            file.write_at(&[2; 2048], 2048).expect("no fault");
            disk.create("b").expect("no fault");
            let found = disk.after_crash(seed);
            let bytes = found.content("a").expect("its name was synced");
            assert_eq!(bytes[..2048], [1; 2048]);
            lost += usize::from(bytes.len() == 2048);
            torn += usize::from(bytes.len() > 2048 && bytes[2048..] != [2; 2048]);
            assert_eq!(disk.after_crash(seed).content("a"), Some(bytes), "the same seed tells the same story");
        }
        assert!(lost > 10 && torn > 10, "lost {lost}, torn {torn}");
    }

    /// A failed sync must not be made good by a later one.
    #[test]
    fn a_failed_sync_may_lose_writes_for_good() {
        let mut lost = 0;
        for seed in 0..50 {
            let disk = SimDisk::new(seed);
            let file = disk.create("a").expect("no fault");
            file.write_at(&[1; 64], 0).expect("no fault");
            disk.sync_dir().expect("no fault");
            disk.inject(Fault::Call(disk.calls() + 1));
            assert!(file.sync().is_err());
            file.sync().expect("the fault is over");
            let mut seen = [0; 64];
            file.read_at(&mut seen, 0).expect("no fault");
            assert_eq!(seen, [1; 64], "the page cache still has it");
            lost += usize::from(disk.after_crash(seed).content("a") != Some(vec![1; 64]));
        }
        assert!(lost > 5, "{lost}");
    }

    #[test]
    fn the_power_fails_at_the_sync_that_was_named() {
        for (fault, survives) in [(Fault::PowerAfterSync(2), true), (Fault::PowerBeforeSync(3), true)] {
            let disk = SimDisk::new(1);
            disk.inject(fault);
            let file = disk.create("a").expect("the power is on");
            disk.sync_dir().expect("the first sync");
            file.write_at(b"x", 0).expect("the power is on");
            let second = file.sync();
            assert_eq!(second.is_ok(), fault == Fault::PowerBeforeSync(3));
            assert!(file.sync().is_err() && file.len().is_err(), "everything fails from then on");
            assert_eq!(disk.after_crash(7).content("a") == Some(b"x".to_vec()), survives);
        }
    }

    #[test]
    fn a_full_disk_still_overwrites_and_removes() {
        let disk = SimDisk::new(1);
        let file = disk.create("a").expect("there is room");
        file.preallocate(64).expect("there is room");
        disk.inject(Fault::FullFrom(0));
        file.write_at(&[1; 64], 0).expect("preallocated");
        assert!(file.write_at(&[1], 64).is_err() && disk.create("b").is_err());
        disk.remove("a").expect("removing needs no room");
    }
}
