//! Which neighbours in a level become one segment?
//!
//! Keys that rise overlap nothing, so their segments are moved from level to level as small as their memtables were. Segments that follow
//! each other in a level and are each less than half of what a segment there should be are written as one when that one
//! comes near its size, or when there are many of them.
//!
//! Holds: what is chosen follows each other, so the level stays in order. None of it is more than about half of the whole, so a fact is
//! written again only into a segment of about twice the size: as often as the size doubles at most, whatever the order of writes.
//! Not here: whether the compaction may run (`claims`), how large segments should be (`pick`).

use crate::{sst::Segment, tree::FileId};
use std::{ops::Range, sync::Arc};

/// So many neighbours are merged however small they are together.
const MANY: usize = 8;

/// Runs of small neighbours of a level, those first that cost least.
pub(super) fn small_neighbours(
    level: &[Arc<Segment>],
    full: u64,
    is_taken: &dyn Fn(FileId) -> bool,
) -> Vec<Vec<Arc<Segment>>> {
    let sizes: Vec<u64> =
        level.iter().map(|segment| if is_taken(segment.meta.file) { u64::MAX } else { segment.meta.bytes }).collect();
    runs_of(&sizes, full).into_iter().map(|run| level[run].to_vec()).collect()
}

/// Runs of these sizes that are worth merging. Those among the smallest come first, so that what is large is not written
/// again for the sake of a few that are not.
fn runs_of(sizes: &[u64], full: u64) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut bound = (full / 2).max(1);
    while bound > 0 && sizes.iter().any(|size| *size < bound) {
        let mut start = 0;
        while start < sizes.len() {
            let (mut end, mut sum, mut largest) = (start, 0u64, 0);
            while end < sizes.len() && sizes[end] < bound && sum + sizes[end] <= full {
                sum += sizes[end];
                largest = largest.max(sizes[end]);
                end += 1;
            }
            let is_worth = end - start >= MANY || sum / 3 * 4 >= full;
            if end - start >= 2 && is_worth && largest <= sum / 3 * 2 {
                runs.push(start..end);
            }
            start = end.max(start + 1);
        }
        bound /= 4;
    }
    runs.reverse();
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_merged_when_they_make_a_segment_or_are_many() {
        let first = |sizes: &[u64]| runs_of(sizes, 1000).first().cloned();
        assert_eq!(first(&[]), None);
        assert_eq!(first(&[300, 300]), None, "not yet a segment");
        assert_eq!(first(&[300, 300, 300]), Some(0..3));
        assert_eq!(first(&[600, 300, 300, 600, 300]), None, "what is large enough stands between them");
        assert_eq!(first(&[600, 300, 300, 250, 600]), Some(1..4));
        assert_eq!(first(&[300, u64::MAX, 300, 300]), None, "another compaction has it");
        assert_eq!(first(&[10; 7]), None, "few and small");
        assert_eq!(first(&[10; 8]), Some(0..8));
        let mut mixed = vec![300, 300, 300];
        mixed.extend([5; 8]);
        assert_eq!(first(&mixed), Some(3..11), "the small ones alone");
        assert_eq!(
            first(&[400, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
            Some(1..10),
            "the large one is not written again for them"
        );
        assert_eq!(first(&[1, 1, 1, 400, 1, 1, 1, 1]), None);
    }

    /// Whatever comes in whatever sizes, a byte is written about as often as its segment's size can double.
    #[test]
    fn a_byte_is_written_again_as_often_as_its_segment_doubles() {
        for (full, arriving) in [(1 << 20, 100), (1 << 20, 5_000), (1 << 16, 30_000)] {
            let (mut level, mut written, mut came) = (Vec::<u64>::new(), 0, 0);
            for step in 0..5_000u64 {
                let size = arriving / 2 + step * 7_919 % arriving;
                level.push(size);
                came += size;
                while let Some(run) = runs_of(&level, full).first().cloned() {
                    let sum: u64 = level[run.clone()].iter().sum();
                    written += sum;
                    level.splice(run, [sum]);
                }
            }
            let doubles = f64::from((full / arriving).max(2) as u32).log2();
            assert!(written as f64 / came as f64 <= doubles, "{} of {doubles}", written as f64 / came as f64);
            let most = came / (full / 4) + 8 * u64::from((full / arriving).ilog(4) + 1);
            assert!(level.len() as u64 <= most, "{} of {most}", level.len());
        }
    }
}
