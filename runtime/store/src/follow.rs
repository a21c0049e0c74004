//! How does a process read a database that another one writes?
//!
//! A reader is a store without a log of its own. When a snapshot is taken it asks, with one small read, whether the log is
//! durable further or the manifest is another one. New records are applied to its memtable as recovery would; a new
//! manifest's files take the old ones' place, and what the log has behind the new checkpoint is applied.
//!
//! Where nobody writes, the log is read to its end when the database is opened, as the next writer will do, and synced, so
//! that what was read is durable.
//!
//! Holds: what a reader shows is the state after a durable record, and only ever a later one. What it shows is published as
//! one pair of a record and a view, so threads that share the reader never see a half of a step.
//! Not here: what the writer keeps for readers (`readers`), the tree's files (`tree::follow`).

use crate::{
    archive::{archive_generation, open_log},
    commit::Visible,
    error::{Result, StoreError},
    format::{
        Identity,
        follow_v1::{FOLLOW_BYTES, Needs, Published},
    },
    fs::{Disk, DiskLock, File},
    links::LedgerTree,
    log::{LogEnd, held, segment_generation, segment_name},
    manifest::{self, KnownEnd, MANIFEST_NAME, ManifestState},
    readers::{PUBLISHED_NAME, READER_PREFIX, take_away_left, told},
    recover::{apply, check_not_erased, newest_segment, read_catalogs},
    replay::LogScan,
    snapshot::Snapshot,
    store::{Inner, LOCK_NAME},
    tree::TreeView,
};
use arc_swap::ArcSwap;
use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// A writer that changes files faster than they can be opened is followed so many times.
const ATTEMPTS: u32 = 16;

/// Other processes take the same name, or this one's looks abandoned for an instant, hardly so often in a row.
const CLAIMS: u32 = 8;

/// A reader of a database that another process may be writing.
#[derive(Debug)]
pub(crate) struct Follower {
    disk: Arc<dyn Disk>,
    identity: Identity,
    /// `None` where the folder takes no files, and nobody writes.
    registration: Option<Registration>,
    published: OnceLock<Arc<dyn File>>,
    /// What was followed last.
    record: AtomicU64,
    sequence: AtomicU64,
    state: Mutex<State>,
    seen: ArcSwap<Seen>,
}

/// A state that may be read.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) visible: Arc<Visible>,
    pub(crate) view: TreeView,
}

#[derive(Debug)]
struct State {
    /// Where the log was read to.
    scan: LogScan,
    /// Must the memtable be made again from the checkpoint?
    anew: bool,
    /// Which manifests readers of the whole log, or of files by their names, came at.
    pins: Vec<u64>,
    /// What the registration says.
    told: Needs,
}

/// A file that tells a writer what this reader needs; it goes with the reader.
#[derive(Debug)]
pub(crate) struct Registration {
    file: Arc<dyn File>,
    _held: DiskLock,
}

impl Registration {
    /// Registers a reader that needs everything. `None` where the folder cannot be written and nobody writes.
    ///
    /// # Errors
    /// [`StoreError::Unregistered`] when somebody writes.
    pub(crate) fn new(disk: &dyn Disk, random: impl Fn() -> Result<[u8; 8]>) -> Result<Option<Registration>> {
        let mut tries = 0;
        let refused = loop {
            let number = u64::from_le_bytes(random()?);
            match disk.claim(&format!("{READER_PREFIX}{}-{number:016x}", std::process::id())) {
                Ok((file, held)) => {
                    // One without content, which a full disk leaves, needs everything as well.
                    file.write_at(&Needs::default().encode(), 0).ok();
                    return Ok(Some(Registration { file, _held: held }));
                }
                Err(_) if tries < CLAIMS => tries += 1,
                Err(error) => break error,
            }
        };
        match disk.lock_holder(LOCK_NAME)? {
            Some(holder) => Err(StoreError::Unregistered { holder, cause: refused.to_string() }),
            None => Ok(None),
        }
    }
}

impl Registration {
    /// What the writer finds in it; `None` where nobody can tell.
    fn says(&self) -> Option<Needs> {
        let mut bytes = [0; FOLLOW_BYTES];
        match self.file.read_at(&mut bytes, 0) {
            Ok(()) => Some(Needs::decode(&bytes)),
            Err(StoreError::Corrupt { .. }) => Some(Needs::default()),
            Err(_) => None,
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if self.registration.take().is_some() {
            // What stays is for the next writer to open.
            let disk = self.disk.for_writing().unwrap_or_else(|| self.disk.clone());
            take_away_left(&*disk).ok();
        }
    }
}

impl Follower {
    /// A reader that has seen nothing yet: of an empty tree, and the log's beginning.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        identity: Identity,
        registration: Option<Registration>,
        scan: LogScan,
        seen: Seen,
    ) -> Follower {
        let state = State { scan, anew: true, pins: Vec::new(), told: Needs::default() };
        Follower {
            disk,
            identity,
            registration,
            published: OnceLock::new(),
            record: AtomicU64::new(0),
            sequence: AtomicU64::new(0),
            state: Mutex::new(state),
            seen: ArcSwap::from_pointee(seen),
        }
    }

    /// What was read last.
    pub(crate) fn seen(&self) -> Arc<Seen> {
        self.seen.load_full()
    }

    /// What the writer told last; `None` where it told nothing, or is just telling something.
    fn published(&self) -> Result<Option<Published>> {
        let file = match self.published.get() {
            Some(file) => file,
            None => match self.disk.open(PUBLISHED_NAME) {
                Ok(file) => self.published.get_or_init(|| file),
                Err(StoreError::Missing { .. }) => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        for _ in 0..ATTEMPTS {
            if let Some(published) = told(&**file, &self.identity)? {
                return Ok(Some(published));
            }
        }
        Ok(None)
    }

    /// Reads what is new.
    ///
    /// # Errors
    /// What the disk says, [`StoreError::Corrupt`], and [`StoreError::Replaced`]; the next call tries again, and until then
    /// [`Follower::seen`] is what it was.
    pub(crate) fn refresh(&self, inner: &Inner) -> Result<()> {
        let told = self.published()?.unwrap_or_default();
        if told.record <= self.record.load(Ordering::Acquire) && told.sequence == self.sequence.load(Ordering::Acquire)
        {
            return Ok(());
        }
        self.advance(inner, &mut held(&self.state), false)
    }

    /// Reads a database that nobody writes, or what is durable where somebody does.
    ///
    /// # Errors
    /// As [`Follower::refresh`].
    pub(crate) fn begin(&self, inner: &Inner) -> Result<()> {
        let is_alone = self.disk.lock_holder(LOCK_NAME)?.is_none();
        self.advance(inner, &mut held(&self.state), is_alone)
    }

    /// Reads manifest and log again, whatever the writer told.
    fn look_again(&self, inner: &Inner) -> Result<()> {
        let mut state = held(&self.state);
        state.anew = true;
        self.advance(inner, &mut state, false)
    }

    fn advance(&self, inner: &Inner, state: &mut State, to_end: bool) -> Result<()> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let before = inner.manifest.state().sequence;
            match self.step(inner, state, to_end) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    state.anew = true;
                    let newest = manifest::read(&*self.disk)?.map(|(_, found)| found.sequence);
                    // A writer that does not know of this reader took files away between two looks, or an erasure wrote the
                    // log anew.
                    let is_overtaken = newest.is_some_and(|newest| newest != before);
                    if !error.may_be_overtaken() || !is_overtaken || attempts >= ATTEMPTS {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// One look at manifest and log.
    fn step(&self, inner: &Inner, state: &mut State, to_end: bool) -> Result<()> {
        let told = self.published()?.unwrap_or_default();
        if state.anew || told.sequence != inner.manifest.state().sequence {
            let Some((identity, found)) = manifest::read(&*self.disk)? else {
                return Err(StoreError::Missing { file: MANIFEST_NAME.to_owned() });
            };
            if (identity.database, identity.timeline) != (self.identity.database, self.identity.timeline) {
                return Err(StoreError::Replaced);
            }
            let known = inner.manifest.state();
            let log_last = match to_end {
                true => self.newest_segment(&found)?,
                false if known.sequence == found.sequence => known.log_last.max(found.log_last),
                false => found.log_last,
            };
            self.take(inner, state, ManifestState { log_last, ..found })?;
        }
        let manifest = inner.manifest.state();
        let seen = self.seen.load().visible.record;
        let upto = told.record.max(manifest.known.record).max(seen);
        let known = KnownEnd { record: upto, link: None, generation: manifest.log_last };
        state.scan.go_on(manifest.log_last, known);
        let anew = std::mem::replace(&mut state.anew, true);
        while to_end || state.scan.end().record < upto {
            match state.scan.next_record()? {
                Some(found) => {
                    check_not_erased(&found)?;
                    apply(&found, &inner.tree, &inner.catalogs)?;
                }
                None if to_end => break,
                None => {
                    let (file, offset) = (segment_name(state.scan.end().generation), state.scan.end().offset);
                    let what = "the log ends before a record that is durable".to_owned();
                    return Err(StoreError::Corrupt { file, offset, what });
                }
            }
        }
        state.anew = false;
        let end = *state.scan.end();
        if to_end {
            // What lies in earlier segments was synced before this one was begun.
            let synced = open_log(&*self.disk, end.generation).and_then(|file| file.sync());
            if self.registration.is_some() {
                synced?;
            }
        }
        if anew || end.record > seen || told.sequence != self.sequence.load(Ordering::Acquire) {
            self.show(inner, &end);
        }
        self.record.store(end.record, Ordering::Release);
        self.sequence.store(told.sequence, Ordering::Release);
        self.register(inner, state)
    }

    /// Where the log may go on where nobody writes, as the next writer will find it.
    fn newest_segment(&self, found: &ManifestState) -> Result<u64> {
        let names = self.disk.list()?;
        let generation = |name: &String| segment_generation(name).or_else(|| archive_generation(name));
        newest_segment(&*self.disk, &self.identity, &names.iter().filter_map(generation).collect(), found.log_last)
    }

    /// Takes a manifest over: its catalogue, its files, and, where its checkpoint is another, its place in the log.
    fn take(&self, inner: &Inner, state: &mut State, found: ManifestState) -> Result<()> {
        let newest = inner.catalogs.newest().version;
        if found.catalog_file > newest {
            for version in read_catalogs(&*self.disk, &self.identity, &found)?.all() {
                if version.catalog.version > newest {
                    inner.catalogs.push(version);
                }
            }
        }
        let is_same = !state.anew && found.checkpoint.record == inner.manifest.state().checkpoint.record;
        if !is_same || !inner.tree.follow(&found.tree, false)? {
            // From here on the memtable lacks what the log has.
            state.anew = true;
            inner.tree.follow(&found.tree, true)?;
            state.scan.go_to(found.checkpoint);
        }
        inner.manifest.follow(found);
        Ok(())
    }

    /// Lets readers see the state at the log's end.
    fn show(&self, inner: &Inner, end: &LogEnd) {
        let visible = Arc::new(Visible {
            record: end.record,
            commit: end.commit,
            instant: end.commit_instant,
            catalog: inner.catalogs.newest(),
        });
        inner.log.follow(end.record);
        held(&inner.sequencer).log.follow(*end);
        inner.publication.show(visible.clone());
        self.seen.store(Arc::new(Seen { visible, view: inner.tree.view() }));
    }

    /// Is it what readers are shown now?
    pub(crate) fn shows(&self, snapshot: &Snapshot) -> bool {
        let seen = self.seen.load();
        Arc::ptr_eq(&seen.visible, snapshot.visible()) && Arc::ptr_eq(&seen.view.version, &snapshot.view().version)
    }

    /// Tells the writer what is needed now.
    fn register(&self, inner: &Inner, state: &mut State) -> Result<()> {
        let manifest = inner.manifest.state();
        let needs = match state.pins.iter().min() {
            Some(oldest) => Needs { sequence: *oldest, generation: 0 },
            None => Needs { sequence: manifest.sequence, generation: manifest.checkpoint.generation },
        };
        let Some(registration) = self.registration.as_ref().filter(|_| needs != state.told) else { return Ok(()) };
        let written = registration.file.write_at(&needs.encode(), 0);
        let says = match written {
            Ok(()) => Some(needs),
            Err(_) => registration.says(),
        };
        state.told = says.unwrap_or_default();
        // Where it needs more than is needed, files stay longer, and no more is lost.
        match says.filter(|says| says.sequence <= needs.sequence && says.generation <= needs.generation) {
            Some(_) => Ok(()),
            None => written,
        }
    }

    /// Keeps every log segment, and every file of the manifest of now, until [`Follower::unpin`]. Answers what to unpin.
    ///
    /// # Errors
    /// As [`Follower::refresh`].
    pub(crate) fn pin(&self, inner: &Inner) -> Result<u64> {
        let mut state = held(&self.state);
        let sequence = inner.manifest.state().sequence;
        state.pins.push(sequence);
        let looked = match self.register(inner, &mut state) {
            // What went before the writer could know of the pin is not named by the manifest of now.
            Ok(()) => self.advance(inner, &mut state, false),
            refused => refused,
        };
        drop(state);
        looked.inspect_err(|_| self.unpin(inner, sequence))?;
        Ok(sequence)
    }

    /// Undoes a pin.
    pub(crate) fn unpin(&self, inner: &Inner, sequence: u64) {
        let mut state = held(&self.state);
        if let Some(place) = state.pins.iter().position(|pin| *pin == sequence) {
            state.pins.swap_remove(place);
        }
        // What is not taken back now is with the next refresh.
        self.register(inner, &mut state).ok();
    }
}

/// Held by who reads log segments by their names.
#[derive(Debug)]
pub(crate) struct LogReader {
    _here: Arc<()>,
    there: Option<(Arc<Inner>, u64)>,
}

impl Drop for LogReader {
    fn drop(&mut self) {
        if let Some((inner, pin)) = &self.there
            && let Some(follower) = &inner.follower
        {
            follower.unpin(inner, *pin);
        }
    }
}

impl Inner {
    /// Did the process that writes erase something after there were so many receipts? Then its files are taken over.
    ///
    /// # Errors
    /// As [`Follower::refresh`].
    pub(crate) fn meets_erasure(&self, receipts: u64) -> Result<bool> {
        let Some(follower) = &self.follower else { return Ok(false) };
        let newest = manifest::read(&*self.disk)?.map(|(_, found)| found.receipts);
        if newest.is_none_or(|newest| newest == receipts) {
            return Ok(false);
        }
        follower.look_again(self)?;
        // Places in the log that were known mean nothing any more.
        *held(&self.ledger) = LedgerTree::new(self.disk.clone(), self.identity);
        Ok(true)
    }

    /// Looks at log and tables, and again where another process erased something meanwhile: then the two may not have fitted.
    ///
    /// # Errors
    /// Those of the last look.
    pub(crate) fn despite_erasures<T>(&self, mut look: impl FnMut() -> Result<T>) -> Result<T> {
        loop {
            let receipts = self.manifest.receipts();
            match look() {
                Err(error) if error.may_be_overtaken() && self.meets_erasure(receipts)? => {}
                looked => return looked,
            }
        }
    }

    /// Has log segments, and where another process writes all files, stay for a while.
    ///
    /// # Errors
    /// What following another process's writes gives.
    pub(crate) fn log_reader(self: &Arc<Inner>) -> Result<LogReader> {
        let there = match &self.follower {
            Some(follower) => Some((self.clone(), follower.pin(self)?)),
            None => None,
        };
        Ok(LogReader { _here: self.segments.reader(), there })
    }
}
