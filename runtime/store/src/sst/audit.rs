//! Does everything in a segment say the same as its facts?
//!
//! Readers leave blocks out by what the index says of them, and files by what their filter says: bounds that claim too
//! little would hide facts from them without any checksum being wrong. Here each such claim is made again from the facts.
//!
//! Not here: whether the facts are those of the ledger (`verify`).

use super::{reader::Segment, stats::Zone};
use crate::{
    error::Result,
    format::{header::FILE_HEADER_BYTES, sst_v1::FOOTER_BYTES},
    keys::{encode_row, hash_of},
    run::{Bounds, i64_at},
    tree::SegmentKind,
};

/// So many bytes of the file are hashed at a time.
const READ_BYTES: usize = 1 << 20;

impl Segment {
    /// Checks that the content is what the manifest says, and that index, filter and directory are what the facts say.
    ///
    /// # Errors
    /// [`crate::StoreError::Corrupt`] for the first claim that is not true.
    pub(crate) fn audit(&self) -> Result<()> {
        let mut content = blake3::Hasher::new();
        let end = self.meta.bytes as usize - FOOTER_BYTES;
        for start in (FILE_HEADER_BYTES..end).step_by(READ_BYTES) {
            content.update(&self.bytes(start..end.min(start + READ_BYTES))?);
        }
        if *content.finalize().as_bytes() != self.meta.root {
            return Err(self.corrupt(FILE_HEADER_BYTES as u64, "the content does not hash to the root in the manifest"));
        }
        let index = self.index()?;
        let filter = self.filter()?;
        let mut bounds = Bounds::NONE;
        let mut last: Option<(i64, Vec<u8>, i64)> = None;
        let (mut least, mut greatest): (Option<Vec<u8>>, Option<Vec<u8>>) = (None, None);
        let mut keys_of_rows: Vec<Vec<u8>> = Vec::new();
        for block in &index.blocks {
            let run = self.run(block)?;
            let bad = |what: &str| self.corrupt(block.offset(), what);
            bounds = bounds.union(run.bounds);
            if !run.columns.iter().map(Zone::of).eq(block.zones.iter().cloned()) {
                return Err(bad("the index does not say what values the block has"));
            }
            let (mut low, mut high): (Option<Vec<u8>>, Option<Vec<u8>>) = (None, None);
            for row in 0..run.len {
                let mut key = Vec::new();
                encode_row(&run.columns, &index.shape.key, row, &mut key);
                if !filter.may_hold(hash_of(&key)) {
                    return Err(bad("the filter leaves out a key"));
                }
                let from = i64_at(&run.valid_from, row);
                let end = match self.meta.kind {
                    SegmentKind::Current => 0,
                    SegmentKind::History => i64_at(&run.system_to, row),
                };
                let here = (end, key.clone(), from);
                if last.as_ref().is_some_and(|last| *last > here) {
                    return Err(bad("the facts are not in order"));
                }
                last = Some(here);
                if self.meta.kind == SegmentKind::History {
                    keys_of_rows.push(key.clone());
                }
                if low.as_ref().is_none_or(|low| key < *low) {
                    low = Some(key.clone());
                }
                if high.as_ref().is_none_or(|high| key > *high) {
                    high = Some(key);
                }
            }
            if low.as_deref() != Some(&*block.key_min) || high.as_deref() != Some(&*block.key_max) {
                return Err(bad("the index does not say which keys the block has"));
            }
            least = least.min(low.clone()).or(low);
            greatest = greatest.max(high);
        }
        let meta = &self.meta;
        let keys = (least.as_deref(), greatest.as_deref());
        if !self.claims(bounds) || keys != (Some(meta.key_min.as_slice()), Some(meta.key_max.as_slice())) {
            return Err(self.corrupt(0, "the manifest does not say which facts the file has"));
        }
        if meta.kind == SegmentKind::History && !self.directory()?.lists(&keys_of_rows) {
            return Err(self.corrupt(0, "the directory is not one of the facts"));
        }
        Ok(())
    }
}
