//! Which blocks does a scan ask the disk for at once?
//!
//! Where a segment is not mapped and its disk carries out many reads at the same time, a scan fetches the blocks that it
//! will need next together with the one it needs now: one, then two, then four, up to what the disk takes. So a scan that
//! ends early has read little in vain, and a long one keeps the disk busy.
//!
//! Holds: it decides what is read when, never what a scan answers. Fetched bytes are checked like any others, when their
//! turn comes, and a read ahead that fails is forgotten: who needs the block reads it alone and names the error.
//! Not here: reading (`fs`), checking and keeping blocks (`sst`).

use crate::sst::{Block, Index, Segment};
use bytes::Bytes;
use std::collections::VecDeque;

/// No more than so many bytes are read ahead, but for one block.
const AHEAD_BYTES_MAX: u64 = 8 << 20;

/// What a scan has fetched of a segment and not used yet.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// Blocks by number, in the order of the file.
    fetched: VecDeque<(usize, Bytes)>,
    /// How many blocks were asked for last.
    asked: usize,
}

impl Ahead {
    /// The bytes of a block that the scan needs now, if it is worth fetching it in this way. `needed` tells which later blocks
    /// it will need.
    pub(super) fn take(
        &mut self,
        segment: &Segment,
        index: &Index,
        at: usize,
        needed: impl Fn(&Block) -> bool,
    ) -> Option<Bytes> {
        let most = segment.reads_at_once();
        if most <= 1 {
            return None;
        }
        while self.fetched.front().is_some_and(|(block, _)| *block < at) {
            self.fetched.pop_front();
        }
        if index.blocks[at].is_kept() {
            return None;
        }
        if let Some((_, bytes)) = self.fetched.pop_front_if(|(block, _)| *block == at) {
            return Some(bytes);
        }
        self.asked = (self.asked * 2).clamp(1, most);
        if self.asked == 1 {
            return None;
        }
        let mut bytes = 0;
        let wanted = |block: &Block| !block.is_kept() && needed(block);
        let lot: Vec<usize> = (at..index.blocks.len())
            .filter(|next| *next == at || wanted(&index.blocks[*next]))
            .take_while(|next| {
                bytes += index.blocks[*next].stored_bytes();
                *next == at || bytes <= AHEAD_BYTES_MAX
            })
            .take(self.asked)
            .collect();
        let blocks: Vec<&Block> = lot.iter().map(|next| &index.blocks[*next]).collect();
        self.fetched = lot.iter().copied().zip(segment.fetch(&blocks).ok()?).collect();
        self.fetched.pop_front().map(|(_, bytes)| bytes)
    }
}
