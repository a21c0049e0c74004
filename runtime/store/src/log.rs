//! How does a record reach the disk?
//!
//! The log is a row of segment files, numbered by generation, preallocated and filled with zeroes. A record is written
//! as one or more frames at the log's end; a frame that does not fit the segment begins the next one. [`Log::append`] is
//! called by one thread at a time (whoever sequences commits); any thread may call [`LogSync::sync_through`], where the
//! first to come syncs for all that have been written by then.
//!
//! Holds: a segment is synced before its successor is written, so only the newest one can hold writes not yet durable.
//! An append that fails leaves the log's end where it was; the next one writes over what it left. After a sync that
//! failed nothing is written any more. A segment that is no longer needed lends its file to a later one.
//! Not here: reading the log back (`replay`), numbering commits (`commit`).

use crate::{
    chain::{Hash, link},
    error::{Result, StoreError},
    format::{
        Identity,
        frame::{FRAME_ALIGN, FRAME_HEADER_BYTES, FrameHeader, FramePlace, RecordHead, RecordKind, frame_bytes},
    },
    fs::{Disk, File},
    manifest::Manifest,
    publication::Durable,
    readers::Readers,
};
use spectradb_kernel::time::{Commit, Micros};
use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};
use zerocopy::IntoBytes;

/// The first segments are small, so that a small database is; each is twice as large as the one before, up to the
/// configured size.
const FIRST_SEGMENT_BYTES: u64 = 1 << 20;

/// Frames are handed to the disk when so many bytes have come together.
const WRITE_BYTES: usize = 1 << 20;

/// The name of a log segment.
pub(crate) fn segment_name(generation: u64) -> String {
    format!("log-{generation:010}.log")
}

/// The name of a file that was a log segment and will be one again.
fn spare_name(generation: u64) -> String {
    format!("spare-{generation:010}.log")
}

/// Is this the name of a spare file?
pub(crate) fn is_spare(name: &str) -> bool {
    name.starts_with("spare-") && name.ends_with(".log")
}

/// Overwrites with zeroes what is not zero.
pub(crate) fn zero_from(file: &dyn File, mut offset: u64) -> Result<()> {
    let len = file.len()?;
    let mut bytes = vec![0; 64 << 10];
    while offset < len {
        let count = (len - offset).min(bytes.len() as u64) as usize;
        file.read_at(&mut bytes[..count], offset)?;
        if bytes[..count].iter().any(|byte| *byte != 0) {
            bytes[..count].fill(0);
            file.write_at(&bytes[..count], offset)?;
        }
        offset += count as u64;
    }
    Ok(())
}

/// The generation in the name of a log segment.
pub(crate) fn segment_generation(name: &str) -> Option<u64> {
    name.strip_prefix("log-")?.strip_suffix(".log")?.parse().ok()
}

/// Removes the log segments of a folder behind one. The last first, each durably: what a crash leaves has no gap in it.
///
/// # Errors
/// What the disk says.
pub(crate) fn remove_later(disk: &dyn Disk, names: &[String], newest: u64) -> Result<()> {
    let mut later: Vec<u64> = names.iter().filter_map(|name| segment_generation(name)).collect();
    later.retain(|generation| *generation > newest);
    later.sort_unstable();
    for generation in later.into_iter().rev() {
        disk.remove(&segment_name(generation))?;
        disk.sync_dir()?;
    }
    Ok(())
}

/// A mutex whose content is whole between calls, even if a thread died while it held it.
pub(crate) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The log's end: the last record and where the next one goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogEnd {
    pub(crate) generation: u64,
    pub(crate) offset: u64,
    /// The last record: 0 when there is none.
    pub(crate) record: u64,
    /// The last commit.
    pub(crate) commit: Commit,
    /// The last record's instant.
    pub(crate) instant: Micros,
    /// The last commit's instant: `i64::MIN` when there is none.
    pub(crate) commit_instant: Micros,
    pub(crate) catalog_version: u64,
    /// The last record's link.
    pub(crate) link: Hash,
}

impl LogEnd {
    /// Has the log, whose oldest segment this is, no frame of the records up to here? So begins a database that was restored from its
    /// tables, or after everything was dropped.
    pub(crate) fn is_bare(&self, first: u64) -> bool {
        self.record > 0 && self.offset == 0 && self.generation == first
    }
}

/// A record to append.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewRecord {
    pub(crate) kind: RecordKind,
    /// Its commit; for other kinds the last one before it.
    pub(crate) commit: Commit,
    pub(crate) instant: Micros,
    pub(crate) catalog_version: u64,
    /// The root over its leaves.
    pub(crate) root: Hash,
}

/// Why the store writes no more, once it does not.
#[derive(Debug, Default)]
pub(crate) struct Health {
    cause: OnceLock<String>,
    read_only: bool,
}

impl Health {
    /// That of a store which never writes.
    pub(crate) fn read_only() -> Health {
        Health { cause: OnceLock::new(), read_only: true }
    }

    /// Refuses all writes from now on; the first cause is kept.
    pub(crate) fn refuse_writes(&self, cause: &impl std::fmt::Display) {
        self.cause.get_or_init(|| cause.to_string());
    }

    /// What happened, if writes are refused.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.get().map(String::as_str)
    }

    /// `Ok` while writes are accepted.
    ///
    /// # Errors
    /// [`StoreError::WritesRefused`], [`StoreError::ReadOnly`].
    pub(crate) fn check(&self) -> Result<()> {
        if self.read_only {
            return Err(StoreError::ReadOnly);
        }
        match self.cause() {
            None => Ok(()),
            Some(cause) => Err(StoreError::WritesRefused { cause: cause.to_owned() }),
        }
    }
}

/// The segment of a log that is never written.
#[derive(Debug)]
struct Unwritten;

impl File for Unwritten {
    fn len(&self) -> Result<u64> {
        Ok(0)
    }

    fn read_at(&self, _buffer: &mut [u8], _offset: u64) -> Result<()> {
        Err(StoreError::ReadOnly)
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> Result<()> {
        Err(StoreError::ReadOnly)
    }

    fn set_len(&self, _len: u64) -> Result<()> {
        Err(StoreError::ReadOnly)
    }

    fn preallocate(&self, _len: u64) -> Result<()> {
        Err(StoreError::ReadOnly)
    }

    fn sync(&self) -> Result<()> {
        Err(StoreError::ReadOnly)
    }
}

/// A log segment that is open for writing.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) generation: u64,
    pub(crate) file: Arc<dyn File>,
    /// Up to where frames may be written.
    pub(crate) capacity: u64,
}

impl Segment {
    /// That of a log which another process writes.
    pub(crate) fn unwritten() -> Segment {
        Segment { generation: 0, file: Arc::new(Unwritten), capacity: 0 }
    }
}

/// Makes the segments of a log.
#[derive(Debug)]
pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    /// A segment made ahead of time.
    ahead: Mutex<Option<Segment>>,
    /// A file of zeroes that was a segment, under the name of a spare one.
    spare: Mutex<Option<(String, Segment)>>,
    /// Held by everybody who reads segments by their names.
    readers: Arc<()>,
    /// The segment that the log wants soon, and the newest that was made.
    wanted: AtomicU64,
    made: AtomicU64,
    /// Is told of each segment before anything is written to it.
    manifest: Arc<Manifest>,
}

impl Segments {
    /// Segments of `segment_bytes`, where no frame asks for more.
    pub(crate) fn new(disk: Arc<dyn Disk>, segment_bytes: u64, manifest: Arc<Manifest>) -> Segments {
        let (wanted, made) = (AtomicU64::new(0), AtomicU64::new(manifest.state().log_last));
        let (ahead, spare, readers) = (Mutex::default(), Mutex::default(), Arc::default());
        Segments { disk, segment_bytes, ahead, spare, readers, wanted, made, manifest }
    }

    /// Makes a segment now, unless it was made ahead.
    ///
    /// # Errors
    /// What the disk says, a full one among them.
    pub(crate) fn take(&self, generation: u64, bytes_min: u64) -> Result<Segment> {
        // Held to the end, so that nobody makes the same segment beside us.
        let mut ahead = held(&self.ahead);
        match ahead.take() {
            Some(segment) if segment.generation == generation => {
                if segment.capacity >= bytes_min {
                    return Ok(segment);
                }
                let capacity = bytes_min.next_multiple_of(FRAME_ALIGN);
                segment.file.preallocate(capacity)?;
                segment.file.sync()?;
                Ok(Segment { capacity, ..segment })
            }
            Some(_) | None => self.make(generation, bytes_min),
        }
    }

    /// The log will soon go on in a segment.
    fn want(&self, generation: u64) {
        self.wanted.fetch_max(generation, Ordering::Relaxed);
    }

    /// Is a segment wanted that is not made yet?
    pub(crate) fn wants_next(&self) -> bool {
        self.wanted.load(Ordering::Relaxed) > self.made.load(Ordering::Relaxed)
    }

    /// Makes the segment that is wanted, ahead of time.
    ///
    /// # Errors
    /// What the disk says; nothing depends on it.
    pub(crate) fn prepare_next(&self) -> Result<()> {
        let mut ahead = held(&self.ahead);
        if self.wants_next() && ahead.is_none() {
            *ahead = Some(self.make(self.wanted.load(Ordering::Relaxed), 0)?);
        }
        Ok(())
    }

    /// Keeps a segment that was taken and not used.
    fn give_back(&self, segment: Segment) {
        *held(&self.ahead) = Some(segment);
    }

    /// What readers of the log hold while they may have a segment open.
    pub(crate) fn reader(&self) -> Arc<()> {
        self.readers.clone()
    }

    /// Takes a segment out of the log. Its file becomes a spare one, if there is none and if nobody can be reading it, here or
    /// in another process (`is_read`), and goes otherwise.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn retire(&self, generation: u64, is_read: bool) -> Result<()> {
        let mut spare = held(&self.spare);
        let old = segment_name(generation);
        if spare.is_some() || is_read {
            return self.disk.remove(&old);
        }
        let name = spare_name(generation);
        self.disk.rename(&old, &name)?;
        // Before the zeroes: a crash must not leave them under the segment's own name.
        self.disk.sync_dir()?;
        // Who comes now does not find the segment; who came before holds this.
        if Arc::strong_count(&self.readers) > 1 {
            return self.disk.remove(&name);
        }
        let file = self.disk.open(&name)?;
        zero_from(&*file, 0)?;
        file.sync()?;
        let capacity = file.len()? / FRAME_ALIGN * FRAME_ALIGN;
        *spare = Some((name, Segment { generation, file, capacity }));
        Ok(())
    }

    /// The spare file as a segment, if there is one.
    fn reuse(&self, generation: u64, capacity: u64) -> Result<Option<Segment>> {
        let Some((name, segment)) = held(&self.spare).take() else { return Ok(None) };
        if segment.capacity < capacity {
            segment.file.preallocate(capacity)?;
            segment.file.sync()?;
        }
        self.disk.rename(&name, &segment_name(generation))?;
        self.disk.sync_dir()?;
        Ok(Some(Segment { generation, capacity: segment.capacity.max(capacity), ..segment }))
    }

    /// The name of the spare file, if there is one.
    pub(crate) fn spare_name(&self) -> Option<String> {
        held(&self.spare).as_ref().map(|(name, _)| name.clone())
    }

    /// A segment under another name, for who gives it its own. One that may have been made ahead is not used any more.
    ///
    /// # Errors
    /// What the disk says.
    pub(crate) fn take_aside(&self, generation: u64, name: &str) -> Result<Segment> {
        let mut ahead = held(&self.ahead);
        self.made.fetch_max(generation, Ordering::Relaxed);
        *ahead = None;
        make_file(&*self.disk, name, generation, segment_capacity(generation, self.segment_bytes))
    }

    fn make(&self, generation: u64, bytes_min: u64) -> Result<Segment> {
        let capacity = segment_capacity(generation, self.segment_bytes).max(bytes_min.next_multiple_of(FRAME_ALIGN));
        let segment = match self.reuse(generation, capacity)? {
            Some(segment) => segment,
            None => make_segment(&*self.disk, generation, capacity)?,
        };
        self.manifest.replace(|state| state.log_last = state.log_last.max(generation))?;
        self.made.fetch_max(generation, Ordering::Relaxed);
        Ok(segment)
    }
}

/// A new segment, durably full of zeroes.
///
/// # Errors
/// What the disk says, a full one among them.
pub(crate) fn make_segment(disk: &dyn Disk, generation: u64, capacity: u64) -> Result<Segment> {
    make_file(disk, &segment_name(generation), generation, capacity)
}

fn make_file(disk: &dyn Disk, name: &str, generation: u64, capacity: u64) -> Result<Segment> {
    let file = disk.create(name)?;
    file.preallocate(capacity)?;
    file.sync()?;
    disk.sync_dir()?;
    Ok(Segment { generation, file, capacity })
}

/// How many bytes a segment is given when no frame asks for more.
pub(crate) fn segment_capacity(generation: u64, segment_bytes: u64) -> u64 {
    let doubled = FIRST_SEGMENT_BYTES << generation.saturating_sub(1).min(20);
    doubled.min(segment_bytes).max(FRAME_HEADER_BYTES as u64 * 4).next_multiple_of(FRAME_ALIGN)
}

/// The part of the log that many threads share: what is written, what is durable.
#[derive(Debug)]
pub(crate) struct LogSync {
    /// The newest segment's file and the last record written.
    written: Mutex<(Arc<dyn File>, u64)>,
    durable: Durable,
    /// Handed to the disk since the log was opened.
    bytes_written: AtomicU64,
    health: Arc<Health>,
    /// Is told how far the log is durable.
    readers: Arc<Readers>,
}

impl LogSync {
    /// Up to which record the log is durable.
    pub(crate) fn durable(&self) -> u64 {
        self.durable.record()
    }

    /// How many bytes of records were written since the log was opened.
    pub(crate) fn bytes_written(&self) -> u64 {
        self.bytes_written.load(Ordering::Relaxed)
    }

    /// Makes the log durable up to a record that has been written; where other threads wait for the same, one sync
    /// serves all.
    ///
    /// # Errors
    /// The failed sync's; [`StoreError::WritesRefused`] when one failed before.
    pub(crate) fn sync_through(&self, record: u64) -> Result<()> {
        self.durable.through(record, || {
            self.health.check()?;
            let (file, written) = held(&self.written).clone();
            if let Err(error) = file.sync() {
                self.health.refuse_writes(&error);
                return Err(error);
            }
            self.readers.durable(written);
            Ok(written)
        })
    }

    /// Another process made the log durable up to a record.
    pub(crate) fn follow(&self, record: u64) {
        self.durable.raise(record);
    }
}

/// The end of the log, for the one thread that appends.
#[derive(Debug)]
pub(crate) struct Log {
    identity: Identity,
    segments: Arc<Segments>,
    segment: Segment,
    end: LogEnd,
    shared: Arc<LogSync>,
    health: Arc<Health>,
    /// Frames not yet handed to the disk.
    pending: Vec<u8>,
}

impl Log {
    /// The log that goes on at `end`, in a segment that is zeroes from there on. Everything up to `end` is durable.
    pub(crate) fn new(
        identity: Identity,
        segments: Arc<Segments>,
        segment: Segment,
        end: LogEnd,
        health: Arc<Health>,
        readers: Arc<Readers>,
    ) -> Log {
        let shared = Arc::new(LogSync {
            written: Mutex::new((segment.file.clone(), end.record)),
            durable: Durable::upto(end.record),
            bytes_written: AtomicU64::new(0),
            health: health.clone(),
            readers,
        });
        Log { identity, segments, segment, end, shared, health, pending: Vec::new() }
    }

    /// The part that other threads use.
    pub(crate) fn shared(&self) -> &Arc<LogSync> {
        &self.shared
    }

    /// Another process wrote up to here.
    pub(crate) fn follow(&mut self, end: LogEnd) {
        self.end = end;
    }

    /// Where the log ends.
    pub(crate) fn end(&self) -> &LogEnd {
        &self.end
    }

    /// Writes a record behind the last one. `next_payload` appends a frame's payload and says whether it was the last.
    ///
    /// # Errors
    /// What the disk says; then the record is not in the log.
    pub(crate) fn append(
        &mut self,
        record: &NewRecord,
        next_payload: &mut dyn FnMut(&mut Vec<u8>) -> bool,
    ) -> Result<LogEnd> {
        self.health.check()?;
        let (head, link) = self.next(record);
        let before = self.segment.clone();
        if self.pending.capacity() > 4 * WRITE_BYTES {
            // One very long row must not hold its memory for ever.
            self.pending = Vec::new();
        }
        match self.append_frames(&head, link, next_payload) {
            Ok(offset) => {
                self.end = LogEnd {
                    generation: self.segment.generation,
                    offset,
                    record: head.record,
                    commit: head.commit,
                    instant: head.instant,
                    commit_instant: match head.kind {
                        RecordKind::Commit => head.instant,
                        RecordKind::Catalog | RecordKind::Retention | RecordKind::Erasure => self.end.commit_instant,
                    },
                    catalog_version: head.catalog_version,
                    link,
                };
                if offset > self.segment.capacity / 2 {
                    self.segments.want(self.segment.generation + 1);
                }
                *held(&self.shared.written) = (self.segment.file.clone(), head.record);
                Ok(self.end)
            }
            Err(error) => {
                self.pending.clear();
                let later = (self.segment.generation != before.generation).then(|| self.segment.clone());
                self.segment = before;
                let error = self.take_back(error, &self.segment, self.end.offset);
                let Some(later) = later else { return Err(error) };
                let error = self.take_back(error, &later, 0);
                // A record that went over several segments leaves the later ones on the disk; the first of them is
                // taken again, the others are made anew.
                if later.generation == self.segment.generation + 1 && self.health.cause().is_none() {
                    self.segments.give_back(later);
                }
                Err(error)
            }
        }
    }

    /// A write that failed may have brought all but the padding of a record to the disk, and the next open would find it: what
    /// its writer is told was refused must not be there, and no byte of it stays for an erasure to miss.
    fn take_back(&self, error: StoreError, segment: &Segment, offset: u64) -> StoreError {
        if self.health.cause().is_some() {
            return error;
        }
        match zero_from(&*segment.file, offset).and_then(|()| segment.file.sync()) {
            Ok(()) => error,
            Err(_) => {
                self.health.refuse_writes(&error);
                StoreError::OutcomeUnknown { cause: error.to_string() }
            }
        }
    }

    /// The head of the record behind the last one, and its link.
    fn next(&self, record: &NewRecord) -> (RecordHead, Hash) {
        let head = RecordHead {
            kind: record.kind,
            timeline: self.identity.timeline,
            record: self.end.record + 1,
            commit: record.commit,
            instant: record.instant,
            catalog_version: record.catalog_version,
            epoch: self.identity.epoch,
            term: 0,
            previous: self.end.link,
        };
        (head, link(self.identity.database, &head, &record.root))
    }

    /// Writes a short record to the start of a segment in which the log does not go on yet, durably. Answers where the log ends
    /// then, and the checksum of the frame's header.
    ///
    /// # Errors
    /// What the disk says; the log is as it was.
    pub(crate) fn write_aside(&self, segment: &Segment, record: &NewRecord, payload: &[u8]) -> Result<(LogEnd, u32)> {
        self.health.check()?;
        let (head, link) = self.next(record);
        let place = FramePlace {
            generation: segment.generation,
            offset: 0,
            frame_idx: 0,
            durable_through: self.shared.durable(),
            link: Some(link),
        };
        let offset = frame_bytes(payload.len() as u64);
        let header = FrameHeader::new(self.identity, &head, &place, payload);
        let mut frame = header.as_bytes().to_vec();
        frame.extend_from_slice(payload);
        frame.resize(offset as usize, 0);
        segment.file.write_at(&frame, 0)?;
        segment.file.sync()?;
        let generation = segment.generation;
        let catalog_version = head.catalog_version;
        let end = LogEnd {
            generation,
            offset,
            record: head.record,
            instant: head.instant,
            catalog_version,
            link,
            ..self.end
        };
        Ok((end, header.header_crc()))
    }

    /// Goes on behind a record that was written aside.
    pub(crate) fn go_on_in(&mut self, segment: Segment, end: LogEnd) {
        *held(&self.shared.written) = (segment.file.clone(), end.record);
        self.shared.durable.raise(end.record);
        self.segment = segment;
        self.end = end;
    }

    /// Writes the frames and returns where the last one ends.
    fn append_frames(
        &mut self,
        head: &RecordHead,
        link: Hash,
        next_payload: &mut dyn FnMut(&mut Vec<u8>) -> bool,
    ) -> Result<u64> {
        let mut offset = self.end.offset;
        let mut pending_offset = offset;
        let mut frame_idx = 0;
        loop {
            let frame = self.pending.len();
            self.pending.resize(frame + FRAME_HEADER_BYTES, 0);
            let is_last = next_payload(&mut self.pending);
            let bytes = frame_bytes((self.pending.len() - frame - FRAME_HEADER_BYTES) as u64);
            if offset == 0 && bytes > self.segment.capacity {
                // A segment without a frame never stands before another: it grows.
                self.segment.file.preallocate(bytes)?;
                self.segment.capacity = bytes;
            } else if offset + bytes > self.segment.capacity {
                self.write_pending(frame, pending_offset)?;
                self.begin_segment(bytes, frame_idx > 0)?;
                (offset, pending_offset) = (0, 0);
            }
            let frame = (offset - pending_offset) as usize;
            let place = FramePlace {
                generation: self.segment.generation,
                offset,
                frame_idx,
                durable_through: self.shared.durable(),
                link: is_last.then_some(link),
            };
            let payload = &self.pending[frame + FRAME_HEADER_BYTES..];
            let header = FrameHeader::new(self.identity, head, &place, payload);
            self.pending[frame..frame + FRAME_HEADER_BYTES].copy_from_slice(header.as_bytes());
            offset += bytes;
            self.pending.resize((offset - pending_offset) as usize, 0);
            if is_last || self.pending.len() >= WRITE_BYTES {
                self.write_pending(self.pending.len(), pending_offset)?;
                pending_offset = offset;
            }
            if is_last {
                return Ok(offset);
            }
            frame_idx += 1;
        }
    }

    /// Hands the first so many pending bytes to the disk.
    fn write_pending(&mut self, count: usize, offset: u64) -> Result<()> {
        if count > 0 {
            self.segment.file.write_at(&self.pending[..count], offset)?;
            self.shared.bytes_written.fetch_add(count as u64, Ordering::Relaxed);
            self.pending.drain(..count);
        }
        Ok(())
    }

    /// Goes on in the next segment. What the old one holds is synced before.
    fn begin_segment(&mut self, bytes_min: u64, within_record: bool) -> Result<()> {
        let unsynced = within_record || self.shared.durable() < self.end.record;
        if unsynced {
            self.shared.durable.alone(|| {
                if let Err(error) = self.segment.file.sync() {
                    self.health.refuse_writes(&error);
                    return Err(error);
                }
                self.shared.durable.raise(self.end.record);
                Ok(())
            })?;
            self.shared.readers.durable(self.end.record);
        }
        self.segment = self.segments.take(self.segment.generation + 1, bytes_min)?;
        Ok(())
    }
}
