//! How do writes and batched reads go through io_uring?
//!
//! One thread of its own has the ring; nobody else touches it. Callers send it operations over a channel and wait for each one's
//! answer. While nothing is under way the thread waits at the channel. While something is, it waits in the kernel, and who
//! sends something rings a bell: a pipe whose reading end the ring polls. Single reads, lengths and names take the ordinary
//! way: a ring is no faster for one thing at a time.
//!
//! An operation that comes back short is submitted again for what is missing, and is answered when all of it is done; a sync
//! is sent by its caller after the writes were answered, so operations need no order between them and are never linked.
//!
//! Holds: an operation's memory and file belong to the ring's thread from submission to completion. Should the ring fail
//! between the two, they are leaked, because the kernel may still use them; every later write and sync is then refused,
//! since one of the earlier ones might yet happen. Where the kernel gives no ring at all, the ordinary disk stands in and
//! says why.
//! Not here: when what is read ahead (`scan`), what a failed sync means (`log`).

use super::{Disk, DiskLock, File, IoBackend, OsDisk, ends_early, os::OsFile, refused};
use crate::{
    error::Result,
    pack::{Buffer, buffer},
};
use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use io_uring::{IoUring, Probe, opcode, squeue, types};
use std::{
    collections::VecDeque,
    io::{self, PipeReader, PipeWriter, Read, Write},
    mem,
    ops::Range,
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering, fence},
    },
    thread::{self, JoinHandle},
};

/// So many operations are under way at once; more wait their turn.
const DEPTH: usize = 64;

/// So many reads one caller may have under way: enough for a disk, and others are not kept waiting.
const READS_AT_ONCE: usize = 16;

/// The kernel moves at most about 2 GiB at once.
const PIECE_BYTES_MAX: usize = 1 << 30;

/// A longer write is copied by a thread of the kernel's, so that the ring's own is free for others.
const INLINE_BYTES_MAX: usize = 64 << 10;

/// What the bell's completion is called; operations are called by their slots.
const BELL: u64 = u64::MAX;

/// There is something to read (`POLLIN`).
const READABLE: u32 = 1;

/// A folder of the file system, written and read through io_uring.
#[derive(Debug)]
pub struct UringDisk {
    os: OsDisk,
    ring: Arc<Ring>,
}

#[derive(Debug)]
struct UringFile {
    os: Arc<OsFile>,
    ring: Arc<Ring>,
}

impl UringDisk {
    /// The disk through a ring; where the kernel refuses one, the disk itself. [`Disk::backend`] tells which, and why.
    pub fn over(os: OsDisk) -> Arc<dyn Disk> {
        UringDisk::over_with(os, PIECE_BYTES_MAX, || Ok(()))
    }

    /// The same with operations cut into pieces, after something that may refuse as a kernel does.
    fn over_with(
        os: OsDisk,
        piece_bytes_max: usize,
        before: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Arc<dyn Disk> {
        match Ring::start(piece_bytes_max, before) {
            Ok(ring) => Arc::new(UringDisk { os, ring: Arc::new(ring) }),
            Err(why) => Arc::new(os.instead_of_uring(format!("the kernel gives no io_uring: {why}"))),
        }
    }

    fn through(&self, file: OsFile) -> Arc<dyn File> {
        Arc::new(UringFile { os: Arc::new(file), ring: self.ring.clone() })
    }
}

impl Disk for UringDisk {
    fn list(&self) -> Result<Vec<String>> {
        self.os.list()
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.through(self.os.create_file(name)?))
    }

    fn open(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.through(self.os.open_file(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.os.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.os.remove(name)
    }

    fn sync_dir(&self) -> Result<()> {
        self.os.sync_dir()
    }

    fn map(&self, name: &str) -> Result<Bytes> {
        self.os.map(name)
    }

    fn lock(&self, name: &str) -> Result<DiskLock> {
        self.os.lock(name)
    }

    fn claim(&self, name: &str) -> Result<(Arc<dyn File>, DiskLock)> {
        self.os.claim(name)
    }

    fn is_held(&self, name: &str) -> Result<bool> {
        self.os.is_held(name)
    }

    fn lock_holder(&self, name: &str) -> Result<Option<String>> {
        self.os.lock_holder(name)
    }

    fn for_writing(&self) -> Option<Arc<dyn Disk>> {
        self.os.for_writing()
    }

    fn backend(&self) -> IoBackend {
        IoBackend::Uring
    }
}

impl UringFile {
    /// Has the ring do one thing.
    fn one(&self, work: Work, offset: u64) -> io::Result<()> {
        self.ring.run(&self.os, vec![(work, offset)]).pop().unwrap_or_else(|| Err(gone())).map(drop)
    }
}

impl File for UringFile {
    fn len(&self) -> Result<u64> {
        self.os.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.os.read_at(buffer, offset)
    }

    fn read_many(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let mut all = Vec::with_capacity(ranges.len());
        for lot in ranges.chunks(READS_AT_ONCE) {
            let works = lot.iter().map(|range| {
                let bytes = buffer((range.end - range.start) as usize);
                (Work::Read(bytes), range.start)
            });
            for (range, done) in lot.iter().zip(self.ring.run(&self.os, works.collect())) {
                match done {
                    Ok(Work::Read(bytes)) => all.push(Bytes::from_owner(bytes)),
                    Ok(Work::Write(_) | Work::Sync) => unreachable!("a read comes back as a read"),
                    Err(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                        let wanted = (range.end - range.start) as usize;
                        return Err(ends_early(&self.os.name, range.start, wanted, self.len()?));
                    }
                    Err(source) => return Err(refused("read", &self.os.name, source)),
                }
            }
        }
        Ok(all)
    }

    fn reads_at_once(&self) -> usize {
        READS_AT_ONCE
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.one(Work::Write(bytes.to_vec()), offset).map_err(|source| refused("write", &self.os.name, source))
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.os.set_len(len)
    }

    fn preallocate(&self, len: u64) -> Result<()> {
        self.os.preallocate(len)
    }

    fn sync(&self) -> Result<()> {
        self.one(Work::Sync, 0).map_err(|source| refused("sync", &self.os.name, source))
    }
}

/// What is to be done, with the memory it is done to.
#[derive(Debug)]
enum Work {
    Write(Vec<u8>),
    Read(Buffer),
    Sync,
}

/// Something to do, until it is answered.
#[derive(Debug)]
struct Operation {
    file: Arc<OsFile>,
    work: Work,
    offset: u64,
    /// How many bytes are written or read.
    done: usize,
    /// Which one of its caller's.
    number: usize,
    answer: Sender<(usize, io::Result<Work>)>,
}

fn gone() -> io::Error {
    io::Error::other("the thread that had the io_uring ring has ended")
}

/// The callers' end.
#[derive(Debug)]
struct Ring {
    /// `None` only while it is dropped.
    requests: Option<Sender<Vec<Operation>>>,
    bell: PipeWriter,
    asleep: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ring {
    /// Starts the thread and tries the ring.
    fn start(piece_bytes_max: usize, before: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<Ring> {
        let (requests, receiver) = unbounded();
        let (listener, bell) = io::pipe()?;
        let asleep = Arc::new(AtomicBool::new(false));
        let (told, started) = bounded(1);
        let shared = asleep.clone();
        let serve = move || {
            let engine = before().and_then(|()| Engine::new(receiver, listener, shared, piece_bytes_max));
            let (engine, outcome) = match engine {
                Ok(engine) => (Some(engine), Ok(())),
                Err(error) => (None, Err(error)),
            };
            // Who started this waits for it.
            if told.send(outcome).is_ok()
                && let Some(mut engine) = engine
            {
                // A ring that fails cannot say so; whoever waits hears of it from the engine's end.
                engine.serve().ok();
            }
        };
        let thread = thread::Builder::new().name("spectradb-uring".to_owned()).spawn(serve)?;
        started.recv().unwrap_or_else(|_| Err(gone()))?;
        Ok(Ring { requests: Some(requests), bell, asleep, thread: Some(thread) })
    }

    /// Has things done to a file and waits for all of them; answers in their order.
    fn run(&self, file: &Arc<OsFile>, works: Vec<(Work, u64)>) -> Vec<io::Result<Work>> {
        let count = works.len();
        let (answer, answers) = bounded(count);
        let operation = |(number, (work, offset))| {
            let (file, answer) = (file.clone(), answer.clone());
            Operation { file, work, offset, done: 0, number, answer }
        };
        let operations = works.into_iter().enumerate().map(operation).collect();
        drop(answer);
        let mut outcomes: Vec<io::Result<Work>> = (0..count).map(|_| Err(gone())).collect();
        if self.requests.as_ref().is_some_and(|requests| requests.send(operations).is_ok()) {
            // The thread says that it goes to sleep, then looks at the channel once more; we fill the channel, then look
            // whether it sleeps. One of the two sees the other.
            fence(Ordering::SeqCst);
            if self.asleep.swap(false, Ordering::SeqCst) {
                // A bell that nobody hears belongs to a thread that has ended, which the answers will tell.
                (&self.bell).write_all(&[1]).ok();
            }
            for (number, outcome) in answers {
                outcomes[number] = outcome;
            }
        }
        outcomes
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            // It ends as soon as it finds nobody at the channel. A panic of its was told to those who waited for it.
            thread.join().ok();
        }
    }
}

/// The thread's end.
struct Engine {
    ring: IoUring,
    requests: Receiver<Vec<Operation>>,
    /// Operations that the kernel has, each in the slot that its completion names.
    flying: Vec<Option<Operation>>,
    free: Vec<usize>,
    waiting: VecDeque<Operation>,
    listener: PipeReader,
    listening: bool,
    asleep: Arc<AtomicBool>,
    piece_bytes_max: usize,
    landed: Vec<(u64, i32)>,
}

impl Engine {
    /// Makes the ring and sees whether it works: some systems let a program make one and refuse its use.
    fn new(
        requests: Receiver<Vec<Operation>>,
        listener: PipeReader,
        asleep: Arc<AtomicBool>,
        piece_bytes_max: usize,
    ) -> io::Result<Engine> {
        // Room for an entry of each slot and the bell's.
        let ring = IoUring::new(2 * DEPTH as u32)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        let codes = [opcode::Read::CODE, opcode::Write::CODE, opcode::Fsync::CODE, opcode::PollAdd::CODE];
        if !codes.into_iter().all(|code| probe.is_supported(code)) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it lacks reads, writes, syncs or polls"));
        }
        let mut engine = Engine {
            ring,
            requests,
            flying: (0..DEPTH).map(|_| None).collect(),
            free: (0..DEPTH).rev().collect(),
            waiting: VecDeque::new(),
            listener,
            listening: false,
            asleep,
            piece_bytes_max,
            landed: Vec::with_capacity(2 * DEPTH),
        };
        engine.listen();
        engine.ring.submit()?;
        Ok(engine)
    }

    /// Does what is asked until nobody can ask any more.
    ///
    /// # Errors
    /// The kernel's, when the ring itself fails.
    fn serve(&mut self) -> io::Result<()> {
        loop {
            if self.waiting.is_empty() && self.free.len() == DEPTH {
                let Ok(operations) = self.requests.recv() else { return Ok(()) };
                self.waiting.extend(operations);
            }
            while let Ok(operations) = self.requests.try_recv() {
                self.waiting.extend(operations);
            }
            while !self.waiting.is_empty()
                && let Some(slot) = self.free.pop()
            {
                self.flying[slot] = self.waiting.pop_front();
                self.launch(slot);
            }
            self.listen();
            self.asleep.store(true, Ordering::SeqCst);
            fence(Ordering::SeqCst);
            let waits = usize::from(self.requests.is_empty());
            match self.ring.submit_and_wait(waits) {
                Ok(_) => {}
                // A signal, or the kernel is short of something that completions give back.
                Err(error) if is_passing(error.raw_os_error(), error.kind()) => thread::yield_now(),
                Err(error) => return Err(error),
            }
            self.asleep.store(false, Ordering::SeqCst);
            self.land();
        }
    }

    /// Lets the bell wake the thread, if it does not already.
    fn listen(&mut self) {
        if !mem::replace(&mut self.listening, true) {
            let entry = opcode::PollAdd::new(types::Fd(self.listener.as_raw_fd()), READABLE).build();
            self.push(&entry.user_data(BELL));
        }
    }

    /// Submits what an operation has left to do.
    fn launch(&mut self, slot: usize) {
        let operation = self.flying[slot].as_mut().expect("only operations are launched");
        let (done, offset) = (operation.done, operation.offset + operation.done as u64);
        let fd = types::Fd(operation.file.file.as_raw_fd());
        let piece = |left: usize| left.min(self.piece_bytes_max) as u32;
        let entry = match &mut operation.work {
            Work::Write(bytes) => {
                let left = &bytes[done..];
                let write = opcode::Write::new(fd, left.as_ptr(), piece(left.len())).offset(offset).build();
                if left.len() > INLINE_BYTES_MAX { write.flags(squeue::Flags::ASYNC) } else { write }
            }
            Work::Read(bytes) => {
                let left = &mut bytes[done..];
                opcode::Read::new(fd, left.as_mut_ptr(), piece(left.len())).offset(offset).build()
            }
            Work::Sync => opcode::Fsync::new(fd).flags(types::FsyncFlags::DATASYNC).build(),
        };
        self.push(&entry.user_data(slot as u64));
    }

    #[expect(unsafe_code, reason = "the kernel reads and writes the memory that an entry names")]
    fn push(&mut self, entry: &squeue::Entry) {
        // WHY: an entry is a raw address and a length, and submitting one is the only way to use the ring. perf.md, "io_uring",
        // has what it gains (benches/own/disk.rs).
        // SAFETY: an operation's bytes lie on the heap, in memory of this operation alone that nobody touches, moves or frees
        // while it is in its slot; its file is open as long. It leaves the slot only in `land`, by its own completion, or
        // leaked, in `drop`. The bell's entry names no memory, and its pipe is open as long as the ring.
        let pushed = unsafe { self.ring.submission().push(entry) };
        pushed.expect("the queue has an entry for every slot and the bell");
    }

    /// Answers what is done, and launches again what came back short.
    fn land(&mut self) {
        let mut landed = mem::take(&mut self.landed);
        landed.extend(self.ring.completion().map(|completion| (completion.user_data(), completion.result())));
        for (name, result) in landed.drain(..) {
            if name == BELL {
                self.listening = false;
                // There is a byte, so this does not wait. If there is another, the next poll says so.
                self.listener.read_exact(&mut [0]).ok();
                continue;
            }
            let slot = name as usize;
            let operation = self.flying[slot].as_mut().expect("a completion names a slot that is taken");
            let outcome = match usize::try_from(result) {
                Ok(count) => operation.advance(count),
                Err(_) => {
                    let error = io::Error::from_raw_os_error(-result);
                    if is_passing(None, error.kind()) { Ok(false) } else { Err(error) }
                }
            };
            if matches!(outcome, Ok(false)) {
                self.launch(slot);
                continue;
            }
            if let Some(Operation { work, number, answer, .. }) = self.flying[slot].take() {
                self.free.push(slot);
                // Whoever stopped waiting does not want to know.
                answer.send((number, outcome.map(|_| work))).ok();
            }
        }
        self.landed = landed;
    }
}

/// Is this an error that goes away by trying again? (16 is `EBUSY`: completions are to be taken first.)
fn is_passing(code: Option<i32>, kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) || code == Some(16)
}

impl Drop for Engine {
    fn drop(&mut self) {
        for operation in self.flying.drain(..).flatten() {
            let Operation { file, work, answer, .. } = operation;
            // The kernel may still write here: leaked memory is the lesser evil.
            mem::forget((file, work));
            drop(answer);
        }
    }
}

impl Operation {
    /// Counts bytes that were moved; is all of it done?
    ///
    /// # Errors
    /// When nothing moved, which trying again will not change.
    fn advance(&mut self, count: usize) -> io::Result<bool> {
        let len = match &self.work {
            Work::Sync => return Ok(true),
            Work::Write(bytes) => bytes.len(),
            Work::Read(bytes) => bytes.len(),
        };
        self.done += count;
        match (self.done == len, count, &self.work) {
            (true, ..) => Ok(true),
            (false, 0, Work::Write(_)) => Err(io::ErrorKind::WriteZero.into()),
            (false, 0, _) => Err(io::ErrorKind::UnexpectedEof.into()),
            (false, ..) => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests;
