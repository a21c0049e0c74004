//! Which bytes stand in which file?
//!
//! One file here for each artefact and version of it, with its types, its byte table in `docs/format.md`, asserts on
//! sizes, and golden bytes in its tests. Kernel types are never archived: each format has types of its own and
//! conversions both ways.
//!
//! Holds: every file begins with a header that says what it is, which database it belongs to and who can read it.
//! Not here: when files are written and what their content means.

pub(crate) mod archive_v1;
pub(crate) mod bytes;
pub(crate) mod catalog_v1;
pub(crate) mod follow_v1;
pub(crate) mod frame;
#[cfg(test)]
mod golden;
pub(crate) mod header;
pub(crate) mod log_v1;
pub(crate) mod manifest_v1;
pub(crate) mod notes_v1;
pub(crate) mod receipt_v1;
pub(crate) mod sst_v1;

/// Which database, and which opening of it, wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Random bytes given when the database was made.
    pub(crate) database: [u8; 16],
    /// 1; one more when a database goes on from a copy or a past state of itself.
    pub(crate) timeline: u32,
    /// The last record of the timeline before: what follows it is this timeline's. 0 where there is none before.
    pub(crate) forked_at: u64,
    /// One more at each open for writing.
    pub(crate) epoch: u64,
}

impl Identity {
    /// Can a record of this number be of a timeline? Those behind the last fork are of this timeline, and no others.
    pub(crate) fn holds(&self, record: u64, timeline: u32) -> bool {
        match record > self.forked_at {
            true => timeline == self.timeline,
            false => timeline < self.timeline,
        }
    }
}
