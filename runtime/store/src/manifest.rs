//! What does the database consist of, and how does that change in one step?
//!
//! One file, `manifest`, names every other file that counts: segments and notes by level, the catalogue file, the range
//! of log segments, and up to where segments hold everything. It is replaced: a new one is written aside, synced, given
//! the name, and the folder is synced. A crash leaves the old one or the new one.
//!
//! Holds: whatever a manifest names was durable before the manifest was written. When a replacement fails in or after
//! the rename, nobody knows which manifest the next open finds, so nothing more is written.
//! Not here: the bytes (`format::manifest_v1`), which files to write (the tree and the store).

use crate::{
    error::{Result, StoreError},
    format::{
        Identity,
        header::{FILE_HEADER_BYTES, open, seal},
        manifest_v1::{MANIFEST_MAGIC, MANIFEST_VERSION, decode, encode},
    },
    fs::Disk,
    log::{Health, LogEnd, held},
    readers::Readers,
    tree::TreeState,
};
use spectradb_kernel::time::Commit;
use std::sync::{Arc, Mutex};

/// The manifest's name.
pub(crate) const MANIFEST_NAME: &str = "manifest";
const MANIFEST_ASIDE: &str = "manifest.new";

/// Keys hash to so many slots, for ever.
pub(crate) const SLOT_COUNT: usize = 4096;

/// Up to where the log is known to reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownEnd {
    /// A record that was durable when the manifest was written.
    pub(crate) record: u64,
    /// Its link.
    pub(crate) link: Option<[u8; 32]>,
    /// The segment in which it ends.
    pub(crate) generation: u64,
}

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManifestState {
    /// The tree's files.
    pub(crate) tree: TreeState,
    /// The log's place after the tree's checkpoint; replay begins there.
    pub(crate) checkpoint: LogEnd,
    /// The oldest log segment that is kept.
    pub(crate) log_first: u64,
    /// The newest log segment that was made; it may be empty.
    pub(crate) log_last: u64,
    /// A loss of anything up to here is not a torn tail.
    pub(crate) known: KnownEnd,
    /// Was the database closed, and is `known` exactly the log's end?
    pub(crate) closed_clean: bool,
    /// The catalogue file holds the versions up to this one; 0: there is no file.
    pub(crate) catalog_file: u64,
    /// Log segments whose rewritten form, under a name of its own, takes their place: the next open does it if this one did
    /// not.
    pub(crate) erasing: Vec<Erasing>,
    /// How many erasures there were.
    pub(crate) receipts: u64,
    /// How many facts went with them.
    pub(crate) erased_facts: u64,
    /// How many shards there are.
    pub(crate) shard_count: u32,
    /// The shard of each slot.
    pub(crate) slots: Vec<u16>,
    /// One more with each manifest that takes another's place.
    pub(crate) sequence: u64,
    /// Where the database left earlier timelines, oldest first.
    pub(crate) forks: Vec<Fork>,
}

/// Where a database left a timeline: it goes on from a past state of itself.
/// A log segment that was written anew, and how its new form is told from the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Erasing {
    pub(crate) generation: u64,
    /// Where the first frame stands that says something else than the old form.
    pub(crate) offset: u64,
    /// The checksum of that frame's header.
    pub(crate) header_crc: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fork {
    /// The timeline that was left.
    pub(crate) timeline: u32,
    /// Its last record that belongs to this database, with its commit and link.
    pub(crate) record: u64,
    pub(crate) commit: Commit,
    pub(crate) link: [u8; 32],
}

/// The manifest of an open database.
#[derive(Debug)]
pub(crate) struct Manifest {
    disk: Arc<dyn Disk>,
    identity: Identity,
    state: Mutex<ManifestState>,
    health: Arc<Health>,
    /// Is told of each replacement.
    readers: Arc<Readers>,
}

impl KnownEnd {
    /// A durable log's end.
    pub(crate) fn at(end: &LogEnd) -> KnownEnd {
        KnownEnd { record: end.record, link: (end.record > 0).then_some(end.link), generation: end.generation }
    }
}

impl ManifestState {
    /// The timeline that a record was written on, given the present one.
    pub(crate) fn timeline_at(&self, record: u64, present: u32) -> u32 {
        self.forks.iter().find(|fork| record <= fork.record).map_or(present, |fork| fork.timeline)
    }

    /// The manifest of a database without a record. There are at most as many shards as slots.
    pub(crate) fn empty(shard_count: u32) -> ManifestState {
        let shard = |slot: usize| u16::try_from(slot as u32 % shard_count).expect("fewer shards than slots");
        ManifestState {
            tree: TreeState::default(),
            checkpoint: LogEnd {
                generation: 1,
                offset: 0,
                record: 0,
                commit: 0,
                instant: i64::MIN,
                commit_instant: i64::MIN,
                catalog_version: 0,
                link: crate::chain::GENESIS,
            },
            log_first: 1,
            log_last: 1,
            known: KnownEnd::default(),
            closed_clean: false,
            catalog_file: 0,
            erasing: Vec::new(),
            receipts: 0,
            erased_facts: 0,
            shard_count,
            slots: (0..SLOT_COUNT).map(shard).collect(),
            sequence: 0,
            forks: Vec::new(),
        }
    }
}

/// The manifest that is on a disk, and who wrote it; `None` where there is none.
pub(crate) fn read(disk: &dyn Disk) -> Result<Option<(Identity, ManifestState)>> {
    let bytes = match disk.map(MANIFEST_NAME) {
        Err(StoreError::Missing { .. }) => return Ok(None),
        found => found?,
    };
    let (header, body) = open(MANIFEST_NAME, &bytes, MANIFEST_MAGIC, MANIFEST_VERSION)?;
    match decode(body) {
        Some(state) => {
            let forked_at = state.forks.last().map_or(0, |fork| fork.record);
            Ok(Some((Identity { forked_at, ..header.identity() }, state)))
        }
        None => Err(StoreError::Corrupt {
            file: MANIFEST_NAME.to_owned(),
            offset: FILE_HEADER_BYTES as u64,
            what: "the body is not a manifest".to_owned(),
        }),
    }
}

/// The features of the manifest on a disk that a writer has to know, and this one does not.
pub(crate) fn unknown_to_writers(disk: &dyn Disk) -> Result<u32> {
    let bytes = match disk.map(MANIFEST_NAME) {
        Err(StoreError::Missing { .. }) => return Ok(0),
        found => found?,
    };
    Ok(open(MANIFEST_NAME, &bytes, MANIFEST_MAGIC, MANIFEST_VERSION)?.0.read_only_compatible.get())
}

impl Manifest {
    /// Writes the first manifest of an opening.
    pub(crate) fn begin(
        disk: Arc<dyn Disk>,
        identity: Identity,
        state: ManifestState,
        health: Arc<Health>,
        readers: Arc<Readers>,
    ) -> Result<Manifest> {
        let manifest = Manifest::followed(disk, identity, state, health, readers);
        manifest.replace(|_| {})?;
        Ok(manifest)
    }

    /// A manifest that another process writes.
    pub(crate) fn followed(
        disk: Arc<dyn Disk>,
        identity: Identity,
        state: ManifestState,
        health: Arc<Health>,
        readers: Arc<Readers>,
    ) -> Manifest {
        Manifest { disk, identity, state: Mutex::new(state), health, readers }
    }

    /// Takes over what another process wrote.
    pub(crate) fn follow(&self, state: ManifestState) {
        *held(&self.state) = state;
    }

    /// What it says now.
    pub(crate) fn state(&self) -> ManifestState {
        held(&self.state).clone()
    }

    /// How many erasures it says there were: places in the log mean nothing after the next one.
    pub(crate) fn receipts(&self) -> u64 {
        held(&self.state).receipts
    }

    /// Changes it, durably.
    ///
    /// # Errors
    /// What the disk says; then it is as it was, or writes are refused from now on.
    pub(crate) fn replace(&self, change: impl FnOnce(&mut ManifestState)) -> Result<()> {
        self.health.check()?;
        let mut state = held(&self.state);
        let mut new = state.clone();
        change(&mut new);
        new.sequence = state.sequence + 1;
        let bytes = seal(MANIFEST_MAGIC, MANIFEST_VERSION, self.identity, &encode(&new));
        let file = self.disk.create(MANIFEST_ASIDE)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        let published = self.disk.rename(MANIFEST_ASIDE, MANIFEST_NAME).and_then(|()| self.disk.sync_dir());
        if let Err(error) = published {
            self.health.refuse_writes(&error);
            return Err(error);
        }
        self.readers.replaced(new.sequence);
        *state = new;
        Ok(())
    }
}
