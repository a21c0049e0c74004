//! Which checked blocks stay in memory, and how often are they asked for again?
//!
//! A block that was checked is kept as columns in its [`Slot`], so that the next reader pays nothing. One [`BlockCache`] a
//! database counts what the slots keep. When that passes the budget, slots are emptied in the order in which they were
//! filled, but one that was read since the last look is passed over once (second chance). Readers never wait for it: who
//! holds a block keeps it, and who finds a slot empty checks the block again.
//!
//! What a segment keeps for itself, its index and what else of it was copied into memory, is part of the same budget: it
//! stays as long as the segment, because it also carries the ends of facts, and blocks give way to it.
//!
//! Which of a block's rows the present shows is remembered beside it (`remembered`), within half of the budget: what does not
//! fit is found out again, and no block has to go for it while that half is not used up.
//!
//! Holds: after a slot was filled or a segment kept something, slots and segments together keep no more than the budget,
//! but for blocks that were read while it looked, and unless the segments alone need more; then no block stays.
//! Not here: the mapped bytes themselves, which the system takes back as it likes.

use crate::{
    remembered::{Cell, Memory, Remembered},
    run::Run,
    stripes::{STRIPES, stripe},
};
use arc_swap::{ArcSwapOption, Guard};
use std::{
    collections::VecDeque,
    ops::Deref,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// Ring entries of slots that are gone are removed when there are more of them than this, and than slots.
const DEAD_MAX: usize = 256;

/// Figures about the blocks that a database keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Reads that found their block checked.
    pub hits: u64,
    /// Reads that had to check it.
    pub misses: u64,
    /// Blocks that were given up for the budget.
    pub evictions: u64,
    /// Blocks that are kept.
    pub blocks: usize,
    /// About how many bytes they take, with the rows that are remembered.
    pub bytes: usize,
    /// Of these, the bytes of the rows that the present was last seen to show.
    pub remembered_bytes: usize,
    /// About how many bytes indexes, and filters that are not mapped, take.
    pub index_bytes: usize,
    /// The budget of both.
    pub bytes_max: usize,
}

/// The checked blocks of a database.
#[derive(Debug)]
pub(crate) struct BlockCache {
    bytes_max: usize,
    bytes: AtomicUsize,
    /// Of these, what is remembered.
    remembered_bytes: AtomicUsize,
    index_bytes: AtomicUsize,
    blocks: AtomicUsize,
    evictions: AtomicU64,
    /// Threads count on lines of their own, or they would wait for each other's counting.
    counts: [Stripe; STRIPES],
    /// Filled slots, the longest ago first.
    ring: Mutex<VecDeque<Weak<Slot>>>,
}

/// Two lines of most processors: they are fetched in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe {
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Where a checked block is kept.
#[derive(Debug)]
pub(crate) struct Slot {
    cache: Arc<BlockCache>,
    run: ArcSwapOption<Run>,
    cost: AtomicUsize,
    remembered: Cell,
    /// Was it read since the cache last looked at it?
    used: AtomicBool,
}

/// A checked block in a reader's hands.
pub(crate) struct Kept(Guard<Option<Arc<Run>>>);

impl Deref for Kept {
    type Target = Run;

    fn deref(&self) -> &Run {
        self.0.as_deref().expect("only filled slots are handed out")
    }
}

impl Kept {
    /// The block, to hold for long.
    pub(crate) fn share(self) -> Arc<Run> {
        Guard::into_inner(self.0).expect("only filled slots are handed out")
    }
}

impl BlockCache {
    /// A cache that keeps about so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Arc<BlockCache> {
        Arc::new(BlockCache {
            bytes_max,
            bytes: AtomicUsize::new(0),
            remembered_bytes: AtomicUsize::new(0),
            index_bytes: AtomicUsize::new(0),
            blocks: AtomicUsize::new(0),
            evictions: AtomicU64::new(0),
            counts: Default::default(),
            ring: Mutex::default(),
        })
    }

    /// An empty slot.
    pub(crate) fn slot(self: &Arc<Self>) -> Arc<Slot> {
        let (run, cost, used) = (ArcSwapOption::empty(), AtomicUsize::new(0), AtomicBool::new(false));
        Arc::new(Slot { cache: self.clone(), run, cost, remembered: Cell::default(), used })
    }

    pub(crate) fn stats(&self) -> CacheStats {
        let sum = |count: fn(&Stripe) -> &AtomicU64| self.counts.iter().map(|stripe| count(stripe).load(Relaxed)).sum();
        CacheStats {
            hits: sum(|stripe| &stripe.hits),
            misses: sum(|stripe| &stripe.misses),
            evictions: self.evictions.load(Relaxed),
            blocks: self.blocks.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            remembered_bytes: self.remembered_bytes.load(Relaxed),
            index_bytes: self.index_bytes.load(Relaxed),
            bytes_max: self.bytes_max,
        }
    }

    /// Counts a slot that was filled, and empties others until the budget holds.
    fn took(&self, slot: &Arc<Slot>) {
        self.blocks.fetch_add(1, Relaxed);
        self.bytes.fetch_add(slot.cost.load(Relaxed), Relaxed);
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.push_back(Arc::downgrade(slot));
        if ring.len() > self.blocks.load(Relaxed) * 2 + DEAD_MAX {
            ring.retain(|slot| slot.strong_count() > 0);
        }
        self.make_room(&mut ring);
    }

    /// Counts what a segment keeps beside its blocks from now on, and empties slots until the budget holds.
    pub(super) fn segment_keeps(&self, bytes: usize) {
        self.index_bytes.fetch_add(bytes, Relaxed);
        self.make_room(&mut self.ring.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A segment is gone with what it kept.
    pub(super) fn segment_kept(&self, bytes: usize) {
        self.index_bytes.fetch_sub(bytes, Relaxed);
    }

    fn make_room(&self, ring: &mut VecDeque<Weak<Slot>>) {
        let mut chances = ring.len();
        while self.bytes.load(Relaxed) + self.index_bytes.load(Relaxed) > self.bytes_max
            && let Some(oldest) = ring.pop_front()
        {
            // Gone with its segment, and its bytes with it.
            let Some(slot) = oldest.upgrade() else { continue };
            if chances > 0 && slot.used.swap(false, Relaxed) {
                chances -= 1;
                ring.push_back(oldest);
            } else if slot.run.swap(None).is_some() {
                self.evictions.fetch_add(1, Relaxed);
                self.gave(&slot);
            }
        }
    }

    fn gave(&self, slot: &Slot) {
        self.blocks.fetch_sub(1, Relaxed);
        self.bytes.fetch_sub(slot.cost.load(Relaxed), Relaxed);
        slot.remember(None);
    }
}

impl Memory for Slot {
    fn recall(&self) -> Option<Arc<Remembered>> {
        self.remembered.recall()
    }

    fn keep(&self, remembered: Remembered) {
        let cache = &self.cache;
        let (before, bytes) = (self.remembered.bytes(), remembered.bytes());
        let beside = (cache.bytes.load(Relaxed) + cache.index_bytes.load(Relaxed)).saturating_sub(before);
        let others = cache.remembered_bytes.load(Relaxed).saturating_sub(before);
        if others + bytes > cache.bytes_max / 2 || beside + bytes > cache.bytes_max {
            // What nobody is given any more need not stay.
            self.remember(None);
            return;
        }
        self.remember(Some(remembered));
        // The block went in the meantime, and nobody would come for this.
        if !self.is_filled() {
            self.remember(None);
        }
    }
}

impl Slot {
    /// Remembers something else, or nothing, and counts it.
    fn remember(&self, remembered: Option<Remembered>) {
        let bytes = remembered.as_ref().map_or(0, Remembered::bytes);
        self.cache.bytes.fetch_add(bytes, Relaxed);
        self.cache.remembered_bytes.fetch_add(bytes, Relaxed);
        let before = self.remembered.swap(remembered).map_or(0, |before| before.bytes());
        self.cache.bytes.fetch_sub(before, Relaxed);
        self.cache.remembered_bytes.fetch_sub(before, Relaxed);
    }

    /// Is there a block? Asking is not reading: nothing is counted.
    pub(crate) fn is_filled(&self) -> bool {
        self.run.load().is_some()
    }

    /// The block; where the slot is empty, what `check` makes of it is kept from now on.
    pub(crate) fn get<E>(self: &Arc<Self>, check: impl FnOnce() -> Result<Run, E>) -> Result<Kept, E> {
        let kept = self.run.load();
        let counts = &self.cache.counts[stripe()];
        if kept.is_some() {
            counts.hits.fetch_add(1, Relaxed);
            // Writing what is there already would take the line from other readers.
            if !self.used.load(Relaxed) {
                self.used.store(true, Relaxed);
            }
            return Ok(Kept(kept));
        }
        counts.misses.fetch_add(1, Relaxed);
        let run = Arc::new(check()?);
        // The same for every thread that gets here, so it may be stored before it is known who fills the slot.
        self.cost.store(run.kept_bytes(), Relaxed);
        let before = self.run.compare_and_swap(&None::<Arc<Run>>, Some(run.clone()));
        if before.is_none() {
            self.cache.took(self);
        }
        Ok(Kept(Guard::from_inner(Some(run))))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.run.load().is_some() {
            self.cache.gave(self);
        }
        self.remember(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{END_OPEN, constant_integer};
    use std::convert::Infallible;

    fn run(number: i64) -> Result<Run, Infallible> {
        let lane = |value| constant_integer(value, 1);
        Ok(Run::new(Vec::new(), (lane(0), lane(1)), lane(number), lane(0), lane(END_OPEN)))
    }

    #[test]
    fn the_budget_holds_and_what_is_read_again_stays() {
        let cost = run(0).map(|run| run.kept_bytes()).unwrap_or(0);
        let cache = BlockCache::new(cost * 4);
        let slots: Vec<_> = (0..40).map(|_| cache.slot()).collect();
        for (number, slot) in (0..).zip(&slots) {
            let Ok(kept) = slot.get(|| run(number));
            assert_eq!(kept.bounds.commit_min, number);
            let Ok(first) = slots[0].get(|| run(0));
            assert_eq!(first.bounds.commit_min, 0);
            assert!(cache.stats().bytes <= cost * 4, "{:?}", cache.stats());
        }
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.misses, stats.evictions, stats.blocks), (40, 40, 36, 4));
        drop(slots);
        assert_eq!((cache.stats().bytes, cache.stats().blocks), (0, 0));
    }

    #[test]
    fn blocks_give_way_to_what_segments_keep() {
        let cost = run(0).map(|run| run.kept_bytes()).unwrap_or(0);
        let cache = BlockCache::new(cost * 4);
        let slots: Vec<_> = (0..4).map(|_| cache.slot()).collect();
        let read_all = || {
            for (number, slot) in (0..).zip(&slots) {
                let Ok(kept) = slot.get(|| run(number));
                assert_eq!(kept.bounds.commit_min, number);
            }
            cache.stats().blocks
        };
        assert_eq!(read_all(), 4);
        cache.segment_keeps(cost + 1);
        assert_eq!((cache.stats().blocks, cache.stats().index_bytes), (2, cost + 1));
        assert_eq!(read_all(), 2);
        cache.segment_keeps(cost * 9);
        assert_eq!(read_all(), 0);
        cache.segment_kept(cost * 10 + 1);
        assert_eq!((read_all(), cache.stats().index_bytes), (4, 0));
    }

    #[test]
    fn a_reader_keeps_what_the_cache_gives_up() {
        let cache = BlockCache::new(0);
        let slot = cache.slot();
        let Ok(kept) = slot.get(|| run(7));
        assert_eq!(cache.stats().blocks, 0);
        assert_eq!(kept.bounds.commit_min, 7);
        assert_eq!(kept.share().len, 1);
        // Slots that come and go leave nothing behind.
        let cache = BlockCache::new(usize::MAX);
        for number in 0..5_000 {
            let Ok(kept) = cache.slot().get(|| run(number));
            assert_eq!(kept.bounds.commit_min, number);
        }
        assert!(cache.ring.lock().is_ok_and(|ring| ring.len() <= 2 * DEAD_MAX));
        assert_eq!(cache.stats().bytes, 0);
    }

    #[test]
    fn threads_fill_a_slot_once() {
        let cache = BlockCache::new(usize::MAX);
        let slots: Vec<_> = (0..64).map(|_| cache.slot()).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for (number, slot) in (0..).zip(&slots) {
                        let Ok(kept) = slot.get(|| run(number));
                        assert_eq!(kept.bounds.commit_min, number);
                    }
                });
            }
        });
        let stats = cache.stats();
        assert_eq!((stats.blocks, stats.hits + stats.misses), (64, 256));
    }
}
