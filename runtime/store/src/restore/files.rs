//! How do the log and the links of a past state come to another disk?
//!
//! Log segments, archives and files of links that lie before the state's last record are copied as they are. The segment in
//! which that record ends is copied up to there and is zeroes from there on; of a file of links the later ones are left out.
//!
//! Holds: everything is synced when this returns.
//! Not here: which record is the last.

use super::Source;
use crate::{
    archive::{archive_name, open_log},
    error::{Result, StoreError},
    format::Identity,
    fs::{Disk, File},
    links::copy_links,
    log::{LogEnd, make_segment, segment_capacity, segment_name},
};
use std::sync::Arc;

/// Bytes are copied in pieces of this size.
const PIECE_BYTES: usize = 1 << 20;

impl Source {
    /// Copies the log up to its new end, and the links of what was dropped before.
    pub(super) fn copy_log(
        &self,
        end: &LogEnd,
        to: &Arc<dyn Disk>,
        identity: Identity,
        segment_bytes: u64,
    ) -> Result<()> {
        let from = &self.inner().disk;
        let first = self.state.log_first.min(end.generation);
        for generation in 1..first {
            copy_links(&**from, &**to, identity, generation, end.record)?;
        }
        for generation in first..end.generation {
            copy_segment(&**from, &**to, generation)?;
        }
        let capacity = segment_capacity(end.generation, segment_bytes);
        if end.offset == 0 {
            return make_segment(&**to, end.generation, capacity).map(drop);
        }
        let segment = open_log(&**from, end.generation)?;
        let file = to.create(&segment_name(end.generation))?;
        copy(&*segment, &*file, end.offset)?;
        file.preallocate(segment.len()?.max(capacity))?;
        file.sync()
    }
}

/// Copies a log segment, or its archive.
fn copy_segment(from: &dyn Disk, to: &dyn Disk, generation: u64) -> Result<()> {
    let (name, file) = match from.open(&segment_name(generation)) {
        // Also when its archive takes its place at this moment.
        Err(StoreError::Missing { .. }) => (archive_name(generation), from.open(&archive_name(generation))?),
        found => (segment_name(generation), found?),
    };
    let copied = to.create(&name)?;
    copy(&*file, &*copied, file.len()?)?;
    copied.sync()
}

fn copy(from: &dyn File, to: &dyn File, len: u64) -> Result<()> {
    let mut bytes = vec![0; PIECE_BYTES];
    for offset in (0..len).step_by(PIECE_BYTES) {
        let piece = &mut bytes[..(len - offset).min(PIECE_BYTES as u64) as usize];
        from.read_at(piece, offset)?;
        to.write_at(piece, offset)?;
    }
    Ok(())
}
