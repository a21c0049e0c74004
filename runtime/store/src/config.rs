//! Which knobs does the store have?
//!
//! Contract. Every field says its unit; the shell's tuning flags set the fields of the same name.

/// When is a commit acknowledged?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// After its log record is synced to the disk.
    Synced,
    /// After its log record is written; the log is synced once in so many records (and at flush and close).
    EveryRecords(u32),
    /// After its log record is written; synced at flush and close only.
    None,
}

/// What becomes of a log segment that replay no longer needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogArchive {
    /// It stays as it is, so that commits can be replayed and proven from the first on.
    #[default]
    Keep,
    /// It is packed into an archive, from which commits are replayed and proven as well.
    Compress,
    /// It goes: [`crate::Store::replay`] begins with the oldest record still there.
    Drop,
}

/// How the blocks of a segment are packed. A block that would not become an eighth smaller stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Compression {
    /// As they are: read in place, out of the mapped file.
    #[default]
    None,
    /// LZ4: unpacked at some GB/s when a block is first touched.
    Lz4,
    /// Zstandard of this level, 1 to 19: smaller and slower than LZ4.
    Zstd(i32),
}

/// Which segments are packed, and how. Unpacked blocks are kept in the block cache.
///
/// ```
/// use spectradb_store::{Compression, CompressionPolicy};
///
/// let policy = CompressionPolicy::COLD;
/// assert_eq!(policy.level(0), Compression::None);
/// assert_eq!(policy.level(7), Compression::Zstd(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct CompressionPolicy {
    /// From which level on segments are warm.
    pub warm_from: u8,
    /// How warm segments are packed.
    pub warm: Compression,
    /// From which level on segments are cold.
    pub cold_from: u8,
    /// How cold segments are packed.
    pub cold: Compression,
    /// How history is packed.
    pub history: Compression,
}

impl CompressionPolicy {
    /// Everything in place.
    pub const NONE: CompressionPolicy = CompressionPolicy {
        warm_from: 0,
        warm: Compression::None,
        cold_from: 0,
        cold: Compression::None,
        history: Compression::None,
    };

    /// New segments in place, those of level 1 with LZ4, deeper ones and history with Zstandard.
    pub const COLD: CompressionPolicy = CompressionPolicy {
        warm_from: 1,
        warm: Compression::Lz4,
        cold_from: 2,
        cold: Compression::Zstd(3),
        history: Compression::Zstd(3),
    };

    /// How the current facts of a level are packed.
    pub fn level(&self, level: u8) -> Compression {
        match level {
            level if level >= self.cold_from => self.cold,
            level if level >= self.warm_from => self.warm,
            _ => Compression::None,
        }
    }
}

/// The shards of a new database whose settings name no number: point reads are fastest with one, and more gain nothing on
/// the machines measured (`perf.md`).
pub const SHARD_COUNT_DEFAULT: u32 = 1;

/// The store's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// When a commit is acknowledged.
    pub durability: Durability,
    /// The memtable is frozen and queued for flushing when it passes so many bytes.
    pub memtable_bytes_max: usize,
    /// Frozen memtables that may wait for flushing: with so many writers are slowed, with more they wait. Memtables take
    /// about `memtable_bytes_max * (frozen_count_max + 2)` bytes at most.
    pub frozen_count_max: usize,
    /// A block of a segment aims at so many bytes (and holds at most 16,384 rows).
    pub sstable_block_bytes: usize,
    /// Bits of bloom filter for each key.
    pub bloom_bits_per_key: u32,
    /// The indexes of segments and their checked blocks are kept in about so many bytes of memory, and the blocks give way;
    /// the bytes of mapped files are not counted.
    pub block_cache_bytes_max: usize,
    /// Which segments are packed, and how; it applies to segments written from now on.
    pub compression: CompressionPolicy,
    /// Map segments and read them in place. Without it what is needed of a segment is read into memory, and the block cache
    /// bounds how much of it stays.
    pub mapped: bool,
    /// Write and sync files through io_uring, and read blocks of segments that are not mapped many at a time. It needs Linux
    /// and the crate's feature `io-uring`; where it cannot be had the store works without it, and
    /// [`crate::Store::io_backend`] says why.
    pub io_uring: bool,
    /// How many shards memtables and levels are split into, 1 to 4,096. `None` is the database's own number, and
    /// [`SHARD_COUNT_DEFAULT`] for a new one. A database keeps the number it was made with: opening it with another is
    /// [`crate::StoreError::ShardCount`].
    pub shard_count: Option<u32>,
    /// A write that has so many bytes of one table, as its columns take in memory, is written to segments at once, and its
    /// record in the log names them instead of carrying the facts. A smaller one is written to the log and, with others, to
    /// segments when the memtable is flushed.
    pub bulk_bytes_min: usize,
    /// A transaction keeps about so many bytes of new facts in memory. What goes beyond is written to segments of its own,
    /// which its commit names; nobody else sees them before.
    pub transaction_bytes_max: usize,
    /// A log segment file is preallocated with so many bytes.
    pub log_segment_bytes: u64,
    /// Segments in level 0 of a table that start a compaction.
    pub level0_segments_max: usize,
    /// Segments in level 0 of a table at which writers are slowed.
    pub level0_segments_slow: usize,
    /// Segments in level 0 of a table at which writers wait for a compaction.
    pub level0_segments_stall: usize,
    /// Threads that compact; those of different tables, shards, levels or ranges of keys run at the same time.
    pub compaction_thread_count: usize,
    /// What becomes of log segments whose facts are all in SSTables.
    pub log_archive: LogArchive,
    /// Open the database beside its writer, if it has one, and only read: every durable commit is seen by the reads that begin
    /// after it. Any number of processes may do so.
    pub read_only: bool,
    /// Flush, compact and prepare log segments on threads of the store's own. Without it the committing thread does.
    pub background: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            durability: Durability::Synced,
            memtable_bytes_max: 64 << 20,
            frozen_count_max: 2,
            sstable_block_bytes: 256 << 10,
            bloom_bits_per_key: 10,
            block_cache_bytes_max: 64 << 20,
            compression: CompressionPolicy::NONE,
            mapped: true,
            io_uring: false,
            shard_count: None,
            bulk_bytes_min: 2 << 20,
            transaction_bytes_max: 64 << 20,
            log_segment_bytes: 16 << 20,
            level0_segments_max: 4,
            level0_segments_slow: 12,
            level0_segments_stall: 24,
            compaction_thread_count: 2,
            log_archive: LogArchive::Keep,
            read_only: false,
            background: true,
        }
    }
}
