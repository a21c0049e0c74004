//! Does the ring do all of what it is asked, in pieces, from many threads, and does the disk do without it?

use super::*;
use crate::{Config, Store, error::StoreError, fs::open_folder};
use std::path::Path;
use tempfile::TempDir;

/// A disk in a new folder whose ring moves so many bytes at once; `None`, and a line that says so, where there is no ring.
fn disk(piece_bytes_max: usize) -> Option<(TempDir, Arc<dyn Disk>)> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let disk = UringDisk::over_with(ordinary(folder.path()), piece_bytes_max, || Ok(()));
    match disk.backend() {
        IoBackend::Uring => Some((folder, disk)),
        other => {
            println!("not tested here: {other}");
            None
        }
    }
}

fn ordinary(folder: &Path) -> OsDisk {
    OsDisk::open(folder).expect("the folder is there")
}

fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at.wrapping_mul(31) ^ (at >> 8) ^ seed) as u8).collect()
}

/// A kernel may write or read less than it was asked to; pieces take the same way.
#[test]
fn what_comes_back_short_is_asked_for_again() {
    let Some((_folder, disk)) = disk(1000) else { return };
    let file = disk.create("a").expect("there is room");
    let bytes = pattern(1, 100_001);
    file.write_at(&bytes, 7).expect("there is room");
    file.write_at(&[], 7).expect("nothing to do");
    file.sync().expect("no fault");
    assert_eq!(file.len().expect("it can be read"), 100_008);
    let read = file.read_many(&[7..100_008, 5_000..5_000, 9..10]).expect("all is there");
    assert_eq!(read[0], bytes);
    assert_eq!((read[1].len(), &read[2][..]), (0, &bytes[2..3]));
    assert!(read.iter().all(|bytes| bytes.is_empty() || (bytes.as_ptr() as usize).is_multiple_of(64)));
    let past = file.read_many(&[0..10, 100_000..100_009]).expect_err("a byte is missing");
    assert!(matches!(past, StoreError::Corrupt { ref file, .. } if file == "a"), "{past}");
}

/// More callers and operations than the ring has room for: each gets its own bytes back, and nobody waits for ever.
#[test]
fn many_threads_share_the_ring() {
    let Some((_folder, disk)) = disk(PIECE_BYTES_MAX) else { return };
    let file = disk.create("a").expect("there is room");
    thread::scope(|scope| {
        for writer in 0..8usize {
            let (file, disk) = (&file, &disk);
            scope.spawn(move || {
                let own = disk.create(&format!("own-{writer}")).expect("there is room");
                for round in 0..20 {
                    let bytes = pattern(writer + round, 40_000 + writer * 9_000);
                    let start = (writer * 200_000) as u64;
                    file.write_at(&bytes, start).expect("there is room");
                    own.write_at(&bytes, 0).expect("there is room");
                    own.sync().expect("no fault");
                    let ranges: Vec<_> = (0..100u64).map(|at| start + at * 400..start + (at + 1) * 400).collect();
                    for (piece, read) in bytes.chunks(400).zip(file.read_many(&ranges).expect("all is there")) {
                        assert_eq!(piece, &read[..]);
                    }
                }
            });
        }
    });
    drop(disk);
    drop(file);
}

#[test]
fn a_refusal_is_told_and_the_ordinary_disk_stands_in() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    // EPERM: what a seccomp filter answers.
    let refuse = || Err(io::Error::from_raw_os_error(1));
    let disk = UringDisk::over_with(ordinary(folder.path()), PIECE_BYTES_MAX, refuse);
    let IoBackend::OrdinaryBecause(why) = disk.backend() else { panic!("{:?}", disk.backend()) };
    assert!(why.starts_with("the kernel gives no io_uring: Operation not permitted"), "{why}");
    let file = disk.create("a").expect("there is room");
    file.write_at(b"hello", 0).expect("there is room");
    file.sync().expect("no fault");
    assert_eq!(file.read_many(&[1..3, 0..1]).expect("it is there"), [b"el".as_slice(), b"h"]);
    assert_eq!(file.reads_at_once(), 1);
}

/// A ring that ended takes no write as done.
#[test]
fn without_its_thread_the_ring_refuses_writes_and_reads_go_on() {
    let Some((_folder, disk)) = disk(PIECE_BYTES_MAX) else { return };
    let file = disk.create("a").expect("there is room");
    file.write_at(b"hello", 0).expect("there is room");
    let (requests, receiver) = unbounded();
    drop(receiver);
    let (_, bell) = io::pipe().expect("a pipe");
    let ring = Ring { requests: Some(requests), bell, asleep: Arc::new(AtomicBool::new(true)), thread: None };
    let os = Arc::new(OsFile {
        name: "a".to_owned(),
        file: ordinary(_folder.path()).open_file("a").expect("it is there").file,
    });
    let file = UringFile { os, ring: Arc::new(ring) };
    assert!(matches!(file.write_at(b"bye", 0), Err(StoreError::Io { operation: "write", .. })));
    assert!(matches!(file.sync(), Err(StoreError::Io { operation: "sync", .. })));
    let mut bytes = [0; 5];
    file.read_at(&mut bytes, 0).expect("it can be read");
    assert_eq!(&bytes, b"hello");
}

#[test]
fn a_store_says_what_it_writes_through() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let asked = Config { io_uring: true, ..Config::default() };
    let store = Store::open_path(folder.path(), asked).expect("a new database");
    assert_ne!(store.io_backend(), IoBackend::Ordinary);
    store.close().expect("it closes");
    let store = Store::open_path(folder.path(), Config::default()).expect("the same database");
    assert_eq!(store.io_backend(), IoBackend::Ordinary);
    assert_eq!(open_folder(folder.path(), false).expect("it is there").backend(), IoBackend::Ordinary);
}
