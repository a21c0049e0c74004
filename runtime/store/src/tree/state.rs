//! Which files make up the tree?
//!
//! The manifest keeps a [`TreeState`]; every flush and every compaction changes it by one [`Edit`]. These are plain
//! values: the manifest's own format has types of its own.

use super::TableShard;
use spectradb_kernel::{
    schema::TableId,
    time::{Commit, Micros},
};
use std::collections::BTreeMap;

/// The number of a file of the tree, never used again.
pub(crate) type FileId = u64;

/// What lies in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SegmentKind {
    /// Facts that were current when it was written, sorted by key and beginning of validity.
    Current,
    /// Facts that had ended, sorted by their end, then key and beginning of validity.
    History,
}

/// A segment, as the manifest knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentMeta {
    /// Its file.
    pub(crate) file: FileId,
    /// The table of all its facts.
    pub(crate) table: TableId,
    /// The shard of all its facts.
    pub(crate) shard: u16,
    /// Its level: 0 for what a flush wrote, 7 at most.
    pub(crate) level: u8,
    /// What lies in it.
    pub(crate) kind: SegmentKind,
    /// How many facts.
    pub(crate) rows: u64,
    /// The file's length.
    pub(crate) bytes: u64,
    /// The least commit of a fact.
    pub(crate) commit_min: Commit,
    /// The greatest commit of a fact.
    pub(crate) commit_max: Commit,
    /// The greatest end of a fact, open for current segments.
    pub(crate) system_to_max: Commit,
    /// The earliest beginning of validity.
    pub(crate) valid_from_min: Micros,
    /// The latest end of validity.
    pub(crate) valid_to_max: Micros,
    /// The smallest key.
    pub(crate) key_min: Vec<u8>,
    /// The largest key.
    pub(crate) key_max: Vec<u8>,
    /// The hash of its content.
    pub(crate) root: [u8; 32],
}

/// A file of supersession notes, as the manifest knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotesMeta {
    /// Its file.
    pub(crate) file: FileId,
    /// The file's length.
    pub(crate) bytes: u64,
    /// The segments it has notes for.
    pub(crate) targets: Vec<FileId>,
    /// How many notes.
    pub(crate) count: u64,
    /// The hash of its content.
    pub(crate) root: [u8; 32],
}

/// Up to where the tree's files hold everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Checkpoint {
    /// The last commit that is in files whole.
    pub(crate) commit: Commit,
    /// The last log record that need not be replayed.
    pub(crate) record: u64,
}

/// All files of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TreeState {
    /// The segments, in no order.
    pub(crate) segments: Vec<SegmentMeta>,
    /// The notes files, in no order.
    pub(crate) notes: Vec<NotesMeta>,
    /// Up to where they hold everything.
    pub(crate) checkpoint: Checkpoint,
    /// Tables of which history is gone, with the last commit that ended a fact that is.
    pub(crate) pruned: BTreeMap<TableId, Commit>,
    /// The next file's number.
    pub(crate) next_file: FileId,
}

/// One change of the files, made whole or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edit {
    /// Segments that join.
    pub(crate) add: Vec<SegmentMeta>,
    /// Segments that leave.
    pub(crate) remove: Vec<FileId>,
    /// Notes files that join.
    pub(crate) add_notes: Vec<NotesMeta>,
    /// Notes files that leave.
    pub(crate) remove_notes: Vec<FileId>,
    /// A table whose history up to a commit goes.
    pub(crate) pruned: Option<(TableId, Commit)>,
    /// Where the files now reach, when that changes.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// The next file's number.
    pub(crate) next_file: FileId,
}

impl Edit {
    /// The bytes of the files that join.
    pub(crate) fn added_bytes(&self) -> u64 {
        let segments = self.add.iter().map(|segment| segment.bytes);
        segments.chain(self.add_notes.iter().map(|notes| notes.bytes)).sum()
    }
}

/// Notes that history is gone.
pub(crate) fn prune(pruned: &mut BTreeMap<TableId, Commit>, more: Option<(TableId, Commit)>) {
    if let Some((table, commit)) = more {
        let known = pruned.entry(table).or_default();
        *known = commit.max(*known);
    }
}

impl SegmentMeta {
    /// Where its facts belong.
    pub(crate) fn place(&self) -> TableShard {
        TableShard { table: self.table, shard: self.shard }
    }
}

impl TreeState {
    /// The state after an edit.
    pub(crate) fn after(mut self, edit: &Edit) -> TreeState {
        self.segments.retain(|segment| !edit.remove.contains(&segment.file));
        self.segments.extend(edit.add.iter().cloned());
        self.notes.retain(|notes| !edit.remove_notes.contains(&notes.file));
        self.notes.extend(edit.add_notes.iter().cloned());
        if let Some(checkpoint) = edit.checkpoint {
            self.checkpoint = checkpoint;
        }
        prune(&mut self.pruned, edit.pruned);
        self.next_file = self.next_file.max(edit.next_file);
        self
    }
}

/// The name of a segment's file.
pub(crate) fn segment_name(file: FileId) -> String {
    format!("seg-{file:010}.sst")
}

/// The name of a notes file.
pub(crate) fn notes_name(file: FileId) -> String {
    format!("notes-{file:010}.nts")
}

/// The number in the name of a segment's or a notes file.
pub(crate) fn file_number(name: &str) -> Option<FileId> {
    name.split_once('-')?.1.split_once('.')?.0.parse().ok()
}

/// Is this the name of a segment's or a notes file?
pub(crate) fn is_ours(name: &str) -> bool {
    let numbered = |prefix: &str, suffix: &str| {
        let number = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
        number.is_some_and(|number| number.len() >= 10 && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    numbered("seg-", ".sst") || numbered("notes-", ".nts")
}
