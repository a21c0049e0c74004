//! Which bytes say what the database consists of?
//!
//! The manifest is one file: the header and an rkyv archive of [`ManifestV1`]. It is never changed, only replaced. The
//! archive is checked as a whole when it is read, after its checksum, and then copied out: it is read once an open.
//!
//! Holds: archived types stand here and nowhere else; conversions go both ways and lose nothing.
//! Not here: replacing the file (`manifest`).

use crate::{
    log::LogEnd,
    manifest::{Erasing, Fork, KnownEnd, ManifestState, SLOT_COUNT},
    tree::{Checkpoint, NotesMeta, SegmentKind, SegmentMeta, TreeState},
};
use rkyv::{Archive, Deserialize, Serialize};
use spectradb_kernel::schema::TableId;

/// How a manifest begins.
pub(crate) const MANIFEST_MAGIC: [u8; 8] = *b"SpManif\0";
/// The version that this program writes.
pub(crate) const MANIFEST_VERSION: u16 = 1;

/// The body of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
pub(crate) struct ManifestV1 {
    segments: Vec<SegmentV1>,
    notes: Vec<NotesV1>,
    next_file: u64,
    /// Up to where segments hold everything; replay begins behind it.
    checkpoint: LogEndV1,
    log_first: u64,
    log_last: u64,
    /// The log is known to reach at least so far.
    known_record: u64,
    /// The link of that record, all zero when it is not known.
    known_link: [u8; 32],
    known_generation: u64,
    closed_clean: bool,
    catalog_file: u64,
    shard_count: u32,
    /// The shard of each of the 4,096 slots.
    slots: Vec<u16>,
    /// Tables of which history is gone, with the last commit that ended a fact that is.
    pruned: Vec<PrunedV1>,
    /// One more with each manifest that takes another's place.
    sequence: u64,
    /// Log segments whose rewritten form takes their place.
    erasing: Vec<ErasingV1>,
    /// Erasures there were, and how many facts went with them.
    receipts: u64,
    erased_facts: u64,
    /// Where the database left earlier timelines, oldest first.
    forks: Vec<ForkV1>,
}

#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
struct ErasingV1 {
    generation: u64,
    offset: u64,
    header_crc: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
struct ForkV1 {
    timeline: u32,
    record: u64,
    commit: u64,
    link: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
struct PrunedV1 {
    table: u32,
    commit: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
struct LogEndV1 {
    generation: u64,
    offset: u64,
    record: u64,
    commit: u64,
    instant: i64,
    commit_instant: i64,
    catalog_version: u64,
    link: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
struct SegmentV1 {
    file: u64,
    table: u32,
    shard: u16,
    level: u8,
    /// 1 current, 2 history.
    kind: u8,
    rows: u64,
    bytes: u64,
    commit_min: u64,
    commit_max: u64,
    system_to_max: u64,
    valid_from_min: i64,
    valid_to_max: i64,
    key_min: Vec<u8>,
    key_max: Vec<u8>,
    root: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq, Archive, Serialize, Deserialize)]
struct NotesV1 {
    file: u64,
    bytes: u64,
    targets: Vec<u64>,
    count: u64,
    root: [u8; 32],
}

// The archive's fixed parts: a change of these numbers is a change of the format.
const _: () = assert!(size_of::<rkyv::Archived<ManifestV1>>() == 256);
const _: () = assert!(size_of::<rkyv::Archived<SegmentV1>>() == 120);
const _: () = assert!(size_of::<rkyv::Archived<NotesV1>>() == 64);
const _: () = assert!(size_of::<rkyv::Archived<ErasingV1>>() == 24);

/// The body's bytes.
pub(crate) fn encode(state: &ManifestState) -> Vec<u8> {
    let archive = rkyv::to_bytes::<rkyv::rancor::Error>(&ManifestV1::from(state));
    archive.expect("plain values can be archived in memory").to_vec()
}

/// The manifest that bytes say; `None` when they say none.
pub(crate) fn decode(bytes: &[u8]) -> Option<ManifestState> {
    // The archive asks for an alignment that the bytes behind a header need not have.
    let mut aligned: rkyv::util::AlignedVec<16> = rkyv::util::AlignedVec::with_capacity(bytes.len());
    aligned.extend_from_slice(bytes);
    let manifest = rkyv::from_bytes::<ManifestV1, rkyv::rancor::Error>(&aligned).ok()?;
    manifest.into_state()
}

impl From<&ManifestState> for ManifestV1 {
    fn from(state: &ManifestState) -> ManifestV1 {
        ManifestV1 {
            segments: state.tree.segments.iter().map(SegmentV1::from).collect(),
            notes: state.tree.notes.iter().map(NotesV1::from).collect(),
            next_file: state.tree.next_file,
            checkpoint: (&state.checkpoint).into(),
            log_first: state.log_first,
            log_last: state.log_last,
            known_record: state.known.record,
            known_link: state.known.link.unwrap_or_default(),
            known_generation: state.known.generation,
            closed_clean: state.closed_clean,
            catalog_file: state.catalog_file,
            erasing: state.erasing.iter().map(ErasingV1::from).collect(),
            receipts: state.receipts,
            erased_facts: state.erased_facts,
            shard_count: state.shard_count,
            slots: state.slots.clone(),
            pruned: state
                .tree
                .pruned
                .iter()
                .map(|(table, commit)| PrunedV1 { table: table.0, commit: *commit })
                .collect(),
            sequence: state.sequence,
            forks: state.forks.iter().map(ForkV1::from).collect(),
        }
    }
}

impl ManifestV1 {
    fn into_state(self) -> Option<ManifestState> {
        let checkpoint = LogEnd::from(self.checkpoint);
        let slots_fit = self.slots.len() == SLOT_COUNT
            && self.slots.iter().all(|shard| u32::from(*shard) < self.shard_count)
            && self.segments.iter().all(|segment| u32::from(segment.shard) < self.shard_count)
            && self.log_first <= self.log_last
            && self.forks.is_sorted_by(|a, b| a.record <= b.record && a.timeline < b.timeline);
        let segments = self.segments.into_iter().map(SegmentV1::into_meta).collect::<Option<Vec<_>>>()?;
        let tree = TreeState {
            segments,
            notes: self.notes.into_iter().map(NotesMeta::from).collect(),
            checkpoint: Checkpoint { commit: checkpoint.commit, record: checkpoint.record },
            pruned: self.pruned.iter().map(|pruned| (TableId(pruned.table), pruned.commit)).collect(),
            next_file: self.next_file,
        };
        slots_fit.then_some(ManifestState {
            tree,
            checkpoint,
            log_first: self.log_first,
            log_last: self.log_last,
            known: KnownEnd {
                record: self.known_record,
                link: (self.known_link != [0; 32]).then_some(self.known_link),
                generation: self.known_generation,
            },
            closed_clean: self.closed_clean,
            catalog_file: self.catalog_file,
            erasing: self.erasing.into_iter().map(Erasing::from).collect(),
            receipts: self.receipts,
            erased_facts: self.erased_facts,
            shard_count: self.shard_count,
            slots: self.slots,
            sequence: self.sequence,
            forks: self.forks.into_iter().map(Fork::from).collect(),
        })
    }
}

impl From<&Erasing> for ErasingV1 {
    fn from(erasing: &Erasing) -> ErasingV1 {
        let Erasing { generation, offset, header_crc } = *erasing;
        ErasingV1 { generation, offset, header_crc }
    }
}

impl From<ErasingV1> for Erasing {
    fn from(erasing: ErasingV1) -> Erasing {
        let ErasingV1 { generation, offset, header_crc } = erasing;
        Erasing { generation, offset, header_crc }
    }
}

impl From<&Fork> for ForkV1 {
    fn from(fork: &Fork) -> ForkV1 {
        let Fork { timeline, record, commit, link } = *fork;
        ForkV1 { timeline, record, commit, link }
    }
}

impl From<ForkV1> for Fork {
    fn from(fork: ForkV1) -> Fork {
        let ForkV1 { timeline, record, commit, link } = fork;
        Fork { timeline, record, commit, link }
    }
}

impl From<&LogEnd> for LogEndV1 {
    fn from(end: &LogEnd) -> LogEndV1 {
        let LogEnd { generation, offset, record, commit, instant, commit_instant, catalog_version, link } = *end;
        LogEndV1 { generation, offset, record, commit, instant, commit_instant, catalog_version, link }
    }
}

impl From<LogEndV1> for LogEnd {
    fn from(end: LogEndV1) -> LogEnd {
        let LogEndV1 { generation, offset, record, commit, instant, commit_instant, catalog_version, link } = end;
        LogEnd { generation, offset, record, commit, instant, commit_instant, catalog_version, link }
    }
}

impl From<&SegmentMeta> for SegmentV1 {
    fn from(meta: &SegmentMeta) -> SegmentV1 {
        SegmentV1 {
            file: meta.file,
            table: meta.table.0,
            shard: meta.shard,
            level: meta.level,
            kind: match meta.kind {
                SegmentKind::Current => 1,
                SegmentKind::History => 2,
            },
            rows: meta.rows,
            bytes: meta.bytes,
            commit_min: meta.commit_min,
            commit_max: meta.commit_max,
            system_to_max: meta.system_to_max,
            valid_from_min: meta.valid_from_min,
            valid_to_max: meta.valid_to_max,
            key_min: meta.key_min.clone(),
            key_max: meta.key_max.clone(),
            root: meta.root,
        }
    }
}

impl SegmentV1 {
    fn into_meta(self) -> Option<SegmentMeta> {
        Some(SegmentMeta {
            file: self.file,
            table: TableId(self.table),
            shard: self.shard,
            level: self.level,
            kind: match self.kind {
                1 => SegmentKind::Current,
                2 => SegmentKind::History,
                _ => return None,
            },
            rows: self.rows,
            bytes: self.bytes,
            commit_min: self.commit_min,
            commit_max: self.commit_max,
            system_to_max: self.system_to_max,
            valid_from_min: self.valid_from_min,
            valid_to_max: self.valid_to_max,
            key_min: self.key_min,
            key_max: self.key_max,
            root: self.root,
        })
    }
}

impl From<&NotesMeta> for NotesV1 {
    fn from(meta: &NotesMeta) -> NotesV1 {
        let NotesMeta { file, bytes, targets, count, root } = meta;
        NotesV1 { file: *file, bytes: *bytes, targets: targets.clone(), count: *count, root: *root }
    }
}

impl From<NotesV1> for NotesMeta {
    fn from(notes: NotesV1) -> NotesMeta {
        let NotesV1 { file, bytes, targets, count, root } = notes;
        NotesMeta { file, bytes, targets, count, root }
    }
}
