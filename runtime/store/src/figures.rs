//! What figures does a store tell about its tables and files?
//!
//! They are read from what is in memory anyway (the manifest, the tree's view, counters), so asking costs no read of a
//! segment. Written bytes are counted since the store was opened.
//!
//! Holds: a fact counts once, as present while no visible commit ended it and as history afterwards.
//! Not here: how they are shown.

use crate::{
    archive::archive_generation,
    error::{Result, StoreError},
    format::follow_v1::Needs,
    log::{held, segment_generation},
    readers::reader_pid,
    run::lane_of_commit,
    store::Store,
    tree::{SegmentKind, SegmentMeta},
};
use spectradb_kernel::schema::TableId;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Figures about a table's facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableFigures {
    /// Facts that no commit has ended: the rows of all valid periods.
    pub rows: u64,
    /// Facts that were ever recorded, those that ended too.
    pub versions: u64,
    /// Facts that are only in memtables and the log.
    pub memtable_versions: u64,
    /// Bytes of segments of current facts.
    pub present_bytes: u64,
    /// Bytes of segments of facts that had ended when they were written.
    pub history_bytes: u64,
}

/// Figures about the files of one kind on one level of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelFigures {
    /// Whose facts.
    pub table: TableId,
    /// The level, 0 to 7.
    pub level: u8,
    /// Facts that had ended when they were written, rather than current ones?
    pub is_history: bool,
    /// Files.
    pub files: u64,
    /// Facts in them.
    pub versions: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Figures about the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFigures {
    /// Segments that are kept as they are, one made ahead of time included.
    pub segments: u64,
    /// Their bytes on the disk, preallocated ones included.
    pub bytes: u64,
    /// Segments that are archived.
    pub archives: u64,
    /// The archives' bytes.
    pub archive_bytes: u64,
    /// Up to which record it is durable.
    pub durable_record: u64,
    /// What an open would have to read again now.
    pub replay_bytes: u64,
}

/// A reader in another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReaderFigures {
    /// Its process.
    pub pid: u32,
    /// How many manifests there were since the one it reads; 0 where it reads the newest.
    pub manifests_behind: u64,
    /// The oldest log segment that it may still read; 0 where it needs all that there are.
    pub log_from: u64,
    /// Files that were given up and stay for it (and perhaps for others).
    pub held_files: u64,
}

/// What became of facts that were erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasureFigures {
    /// Erasures, each with a receipt in the ledger.
    pub receipts: u64,
    /// Facts that went with them.
    pub facts: u64,
}

/// Bytes written since the store was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenFigures {
    /// Of commits, to the log.
    pub log_bytes: u64,
    /// By large commits, to segments, instead of to the log.
    pub bulk_bytes: u64,
    /// By flushes.
    pub flush_bytes: u64,
    /// By compactions.
    pub compaction_bytes: u64,
}

impl WrittenFigures {
    /// How many bytes flushes and compactions wrote for each byte of commits, in the log or in segments; `None` before the
    /// first commit.
    pub fn amplification(&self) -> Option<f64> {
        let committed = self.log_bytes + self.bulk_bytes;
        (committed > 0).then(|| (self.flush_bytes + self.compaction_bytes) as f64 / committed as f64)
    }
}

/// Counts what is written to segments and notes.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) bulk_bytes: AtomicU64,
    pub(crate) flush_bytes: AtomicU64,
    pub(crate) compaction_bytes: AtomicU64,
}

impl Store {
    /// Figures about a table; a table that has no facts has zeroes.
    pub fn table_figures(&self, table: TableId) -> TableFigures {
        // The commit first: what it says is then in the view.
        let upto = lane_of_commit(self.stats().commit);
        let view = self.inner().tree.view();
        let mut figures = TableFigures::default();
        for memtable in view.version.memtables() {
            for mem in memtable.shards_of(table) {
                for chunk in mem.chunks() {
                    let ended = chunk.ends.known().noted().into_iter().filter(|(_, end)| *end <= upto).count();
                    figures.memtable_versions += chunk.run.len as u64;
                    figures.rows += chunk.run.len.saturating_sub(ended) as u64;
                }
            }
        }
        figures.versions = figures.memtable_versions;
        for segment in view.version.segments_of(table) {
            figures.versions += segment.meta.rows;
            match segment.meta.kind {
                SegmentKind::History => figures.history_bytes += segment.meta.bytes,
                SegmentKind::Current => {
                    let ended = segment.notes().into_iter().filter(|(_, end)| *end <= upto).count() as u64;
                    figures.rows += segment.meta.rows.saturating_sub(ended);
                    figures.present_bytes += segment.meta.bytes;
                }
            }
        }
        figures
    }

    /// Figures about the files of every level that has some, by table and level, current facts first.
    pub fn level_figures(&self) -> Vec<LevelFigures> {
        let mut levels: BTreeMap<(TableId, u8, bool), LevelFigures> = BTreeMap::new();
        // The view's files rather than the manifest's: those of large commits are read before the manifest has them.
        let view = self.inner().tree.view();
        let mut count = |level: u8, is_history: bool, meta: &SegmentMeta| {
            let none = LevelFigures { table: meta.table, level, is_history, files: 0, versions: 0, bytes: 0 };
            let level = levels.entry((meta.table, level, is_history)).or_insert(none);
            level.files += 1;
            level.versions += meta.rows;
            level.bytes += meta.bytes;
        };
        for files in view.version.tables.values() {
            // A segment that was only moved says where it was written.
            for (level, segments) in (0..).zip(&files.levels) {
                segments.iter().for_each(|segment| count(level, false, &segment.meta));
            }
            files.history.iter().for_each(|segment| count(0, true, &segment.meta));
        }
        levels.into_values().collect()
    }

    /// How many files of supersession notes there are, and their bytes.
    pub fn notes_figures(&self) -> (u64, u64) {
        let manifest = self.inner().manifest.state();
        let bytes = manifest.tree.notes.iter().map(|notes| notes.bytes).sum();
        (manifest.tree.notes.len() as u64, bytes)
    }

    /// Figures about the log.
    ///
    /// # Errors
    /// What the disk says about its files.
    pub fn log_figures(&self) -> Result<LogFigures> {
        let inner = self.inner();
        let end = *held(&inner.sequencer).log.end();
        let (mut segments, mut archives) = ((0, 0), (0, 0));
        for name in inner.disk.list()? {
            let kind = match (segment_generation(&name), archive_generation(&name)) {
                (Some(_), _) => &mut segments,
                (None, Some(_)) => &mut archives,
                (None, None) => continue,
            };
            match inner.disk.open(&name).and_then(|file| file.len()) {
                Ok(bytes) => *kind = (kind.0 + 1, kind.1 + bytes),
                // Archived or dropped since the names were listed.
                Err(StoreError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(LogFigures {
            segments: segments.0,
            bytes: segments.1,
            archives: archives.0,
            archive_bytes: archives.1,
            durable_record: inner.log.durable(),
            replay_bytes: inner.replay_bytes(&end),
        })
    }

    /// Readers in other processes, by process. Only their writer knows which files stay for them.
    ///
    /// # Errors
    /// What the disk says about registrations.
    pub fn reader_figures(&self) -> Result<Vec<ReaderFigures>> {
        let inner = self.inner();
        let newest = inner.manifest.state().sequence;
        let waiting = inner.readers.waiting();
        let figures = |(name, needs): (String, Needs)| {
            let held = waiting.iter().filter(|(sequence, _)| *sequence > needs.sequence).count();
            ReaderFigures {
                pid: reader_pid(&name),
                manifests_behind: newest.saturating_sub(needs.sequence),
                log_from: needs.generation,
                held_files: held as u64,
            }
        };
        let mut readers: Vec<_> = inner.readers.registered()?.into_iter().map(figures).collect();
        readers.sort_by_key(|reader| reader.pid);
        Ok(readers)
    }

    /// How many files were given up and wait for readers in other processes, and their bytes. What can go goes now.
    pub fn waiting_figures(&self) -> (u64, u64) {
        let inner = self.inner();
        inner.readers.sweep();
        let waiting = inner.readers.waiting();
        let bytes = |name: &str| inner.disk.open(name).and_then(|file| file.len()).unwrap_or_default();
        (waiting.len() as u64, waiting.iter().map(|(_, name)| bytes(name)).sum())
    }

    /// How much was erased.
    pub fn erasure_figures(&self) -> ErasureFigures {
        let state = self.inner().manifest.state();
        ErasureFigures { receipts: state.receipts, facts: state.erased_facts }
    }

    /// Bytes written since the store was opened.
    pub fn written_figures(&self) -> WrittenFigures {
        let inner = self.inner();
        WrittenFigures {
            log_bytes: inner.log.bytes_written(),
            bulk_bytes: inner.tree.written.bulk_bytes.load(Relaxed),
            flush_bytes: inner.tree.written.flush_bytes.load(Relaxed),
            compaction_bytes: inner.tree.written.compaction_bytes.load(Relaxed),
        }
    }
}
