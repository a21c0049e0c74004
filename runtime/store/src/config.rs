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
    /// Checked blocks of segments are kept in about so many bytes of memory; the files' own bytes are not counted, they are
    /// mapped.
    pub block_cache_bytes_max: usize,
    /// How many shards memtables and levels are split into, 1 to 4,096. `None` is the database's own number, and
    /// [`SHARD_COUNT_DEFAULT`] for a new one. A database keeps the number it was made with: opening it with another is
    /// [`crate::StoreError::ShardCount`].
    pub shard_count: Option<u32>,
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
    /// Keep every segment of the log, so that commits can be replayed from the first on. Without it segments go once their
    /// facts are in SSTables, and [`crate::Store::replay`] begins with the oldest record still there.
    pub log_keep_all: bool,
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
            shard_count: None,
            log_segment_bytes: 16 << 20,
            level0_segments_max: 4,
            level0_segments_slow: 12,
            level0_segments_stall: 24,
            compaction_thread_count: 2,
            log_keep_all: true,
            background: true,
        }
    }
}
