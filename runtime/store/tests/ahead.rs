//! Do scans of segments that are not mapped read many blocks at once, and answer the same?
//!
//! The disk counts: it is memory that claims to carry out eight reads at the same time.

mod support;

use bytes::Bytes;
use spectradb_kernel::schema::TableSchema;
use spectradb_store::{
    Config, Disk, MemDisk, Result, Store, StoreError,
    fs::{DiskLock, File},
    scan::{KeyRange, ScanColumn, ScanSpec, SystemScope, ValidScope},
};
use std::{
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use support::{names, new_table, open, upsert};

/// How many blocks each batched read asked for.
type Lots = Arc<Mutex<Vec<usize>>>;

#[derive(Clone, Debug, Default)]
struct Counting {
    disk: MemDisk,
    lots: Lots,
    refuses: Arc<AtomicBool>,
}

#[derive(Debug)]
struct CountingFile {
    file: Arc<dyn File>,
    of: Counting,
}

impl Counting {
    fn counts(&self, file: Result<Arc<dyn File>>) -> Result<Arc<dyn File>> {
        Ok(Arc::new(CountingFile { file: file?, of: self.clone() }))
    }

    fn taken(&self) -> Vec<usize> {
        std::mem::take(&mut *self.lots.lock().expect("no panic"))
    }
}

impl Disk for Counting {
    fn list(&self) -> Result<Vec<String>> {
        self.disk.list()
    }
    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        self.counts(self.disk.create(name))
    }
    fn open(&self, name: &str) -> Result<Arc<dyn File>> {
        self.counts(self.disk.open(name))
    }
    fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> Result<()> {
        self.disk.remove(name)
    }
    fn sync_dir(&self) -> Result<()> {
        self.disk.sync_dir()
    }
    fn map(&self, name: &str) -> Result<Bytes> {
        self.disk.map(name)
    }
    fn claim(&self, name: &str) -> Result<(Arc<dyn File>, DiskLock)> {
        self.disk.claim(name)
    }

    fn is_held(&self, name: &str) -> Result<bool> {
        self.disk.is_held(name)
    }

    fn lock_holder(&self, name: &str) -> Result<Option<String>> {
        self.disk.lock_holder(name)
    }

    fn lock(&self, name: &str) -> Result<DiskLock> {
        self.disk.lock(name)
    }
}

impl File for CountingFile {
    fn len(&self) -> Result<u64> {
        self.file.len()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_at(buffer, offset)
    }
    fn read_many(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.of.lots.lock().expect("no panic").push(ranges.len());
        if self.of.refuses.load(Relaxed) {
            let source = std::io::ErrorKind::ConnectionReset.into();
            return Err(StoreError::Io { operation: "read", file: "many".to_owned(), source });
        }
        self.file.read_many(ranges)
    }
    fn reads_at_once(&self) -> usize {
        8
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<()> {
        self.file.write_at(bytes, offset)
    }
    fn set_len(&self, len: u64) -> Result<()> {
        self.file.set_len(len)
    }
    fn preallocate(&self, len: u64) -> Result<()> {
        self.file.preallocate(len)
    }
    fn sync(&self) -> Result<()> {
        self.file.sync()
    }
}

const ROWS: i64 = 4_000;

/// A store whose one segment has dozens of blocks, none of which stays in memory.
fn store(disk: &Counting, mapped: bool) -> (Store, Arc<TableSchema>) {
    let config = Config {
        mapped,
        sstable_block_bytes: 4 << 10,
        block_cache_bytes_max: 0,
        background: false,
        ..Config::default()
    };
    let store = open(disk, &config).expect("it opens");
    if let Some(table) = store.catalog().by_name("t").cloned() {
        return (store, table);
    }
    let table = store.create_table(new_table("t"), 0).expect("the name is free");
    let texts: Vec<String> = (0..ROWS).map(|id| format!("{id} {}", "x".repeat(40))).collect();
    let rows: Vec<(i64, &str)> = (0..ROWS).zip(texts.iter().map(String::as_str)).collect();
    store.commit(upsert(&store.snapshot(), &table, &rows)).expect("it is written");
    store.flush().expect("it is flushed");
    (store, table)
}

fn spec(table: &TableSchema, keys: KeyRange) -> ScanSpec {
    ScanSpec {
        table: table.id,
        columns: vec![ScanColumn::Data(0)],
        keys,
        system: SystemScope::AsOf(1),
        valid: ValidScope::All,
        predicates: Vec::new(),
        batch_rows_max: usize::MAX,
    }
}

#[test]
fn a_scan_doubles_its_reads_and_answers_the_same() {
    let disk = Counting::default();
    let (unmapped, table) = store(&disk, false);
    disk.taken();
    let read = names(&unmapped, &table);
    let lots = disk.taken();
    assert_eq!(lots[..3], [2, 4, 8], "{lots:?}");
    let (last, full) = lots[2..].split_last().expect("there are dozens of blocks");
    assert!(full.len() >= 2 && full.iter().all(|lot| *lot == 8) && *last <= 8, "{lots:?}");
    unmapped.close().expect("it closes");

    let (mapped, table) = store(&disk, true);
    disk.taken();
    assert_eq!(names(&mapped, &table), read);
    assert_eq!(disk.taken(), [0usize; 0], "what is mapped is not read");
    assert_eq!(read.len() as i64, ROWS);
}

#[test]
fn who_needs_little_reads_little() {
    let disk = Counting::default();
    let (store, table) = store(&disk, false);
    disk.taken();
    let snapshot = store.snapshot();
    let mut scan = snapshot.scan(spec(&table, KeyRange::All)).expect("a scan");
    assert!(scan.next().expect("a block").is_ok());
    assert_eq!(disk.taken(), [0usize; 0], "the first block is read alone");
    assert!(scan.next().expect("a block").is_ok() && scan.next().expect("a block").is_ok());
    assert_eq!(disk.taken(), [2]);
}

/// Reading ahead is a favour: who needs the blocks reads them one by one.
#[test]
fn a_batch_that_fails_is_read_block_by_block() {
    let disk = Counting::default();
    let (store, table) = store(&disk, false);
    disk.refuses.store(true, Relaxed);
    disk.taken();
    assert_eq!(names(&store, &table).len() as i64, ROWS);
    assert!(!disk.taken().is_empty());
}
