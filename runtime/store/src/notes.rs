//! Which facts of a run ended after the run was made?
//!
//! A fact never changes, but the commit that supersedes it comes later. [`Ends`] notes those commits beside a chunk or
//! a block: nothing at first, a short sorted list for a few rows, a number a row for many. Readers take a [`Known`]
//! at once and filter it by the commit they pinned: an end after it is an end they do not see.
//!
//! Holds: a fact ends at most once, so a noted end never changes. One writer at a time; readers wait for it only while
//! it adds one entry.
//! Not here: the file that keeps notes over a restart (`format::notes_v1`).

use crate::run::END_OPEN;
use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

/// With more noted rows than one in this many, a run keeps a number for every row.
const DENSE_ONE_IN: usize = 32;

/// The ends noted beside one run.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// How many times an end was noted: as long as this stays, so does what is noted.
    count: AtomicU64,
    /// The last of the ends.
    last: AtomicI64,
    known: RwLock<Known>,
}

/// The ends that were noted when the reader asked.
#[derive(Clone, Debug, Default)]
pub(crate) enum Known {
    /// None.
    #[default]
    Nothing,
    /// Rows and their ends, sorted by row.
    Few(Arc<Vec<(u32, i64)>>),
    /// An end for every row, open where none was noted.
    Many(Arc<[AtomicI64]>),
}

impl Ends {
    /// Notes that a row of a run of `len` rows ended with a commit.
    pub(crate) fn note(&self, row: u32, end: i64, len: usize) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match &mut *known {
            Known::Nothing => *known = Known::Few(Arc::new(vec![(row, end)])),
            Known::Few(few) if few.len() * DENSE_ONE_IN <= len => {
                let few = Arc::make_mut(few);
                match few.binary_search_by_key(&row, |(noted, _)| *noted) {
                    Ok(at) => few[at].1 = end,
                    Err(at) => few.insert(at, (row, end)),
                }
            }
            Known::Few(few) => {
                let many: Arc<[AtomicI64]> = (0..len).map(|_| AtomicI64::new(END_OPEN)).collect();
                few.iter().for_each(|(row, end)| many[*row as usize].store(*end, Ordering::Relaxed));
                many[row as usize].store(end, Ordering::Relaxed);
                *known = Known::Many(many);
            }
            Known::Many(many) => many[row as usize].store(end, Ordering::Relaxed),
        }
        self.last.fetch_max(end, Ordering::Relaxed);
        // A reader that pinned a commit at or after `end` synchronised with its publication, which comes after this.
        self.count.fetch_add(1, Ordering::Release);
    }

    /// How many times an end was noted. Whoever pinned a commit meets at least the count of then, and what is noted behind
    /// a count ended after whatever was published when the count was this.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// The last of the ends that were noted; below every commit where none was.
    pub(crate) fn last(&self) -> i64 {
        self.last.load(Ordering::Relaxed)
    }

    /// What is noted now.
    pub(crate) fn known(&self) -> Known {
        if self.count() == 0 {
            return Known::Nothing;
        }
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The noted end of one row, open when there is none.
    pub(crate) fn end_of(&self, row: usize) -> i64 {
        if self.count() == 0 {
            return END_OPEN;
        }
        self.known.read().unwrap_or_else(PoisonError::into_inner).end_of(row)
    }
}

impl Known {
    /// The noted end of one row, open when there is none.
    pub(crate) fn end_of(&self, row: usize) -> i64 {
        match self {
            Known::Nothing => END_OPEN,
            Known::Few(few) => match few.binary_search_by_key(&row, |(noted, _)| *noted as usize) {
                Ok(at) => few[at].1,
                Err(_) => END_OPEN,
            },
            Known::Many(many) => many[row].load(Ordering::Relaxed),
        }
    }

    /// Clears the mask of rows that ended at or before a commit.
    pub(crate) fn mask_above(&self, mask: &mut [u8], bound: i64) {
        match self {
            Known::Nothing => {}
            Known::Few(few) => {
                few.iter().filter(|(_, end)| *end <= bound).for_each(|(row, _)| mask[*row as usize] = 0);
            }
            Known::Many(many) => {
                let keep = |(keep, end): (&mut u8, &AtomicI64)| *keep &= u8::from(end.load(Ordering::Relaxed) > bound);
                mask.iter_mut().zip(many.iter()).for_each(keep);
            }
        }
    }

    /// Lowers ends to the noted ones.
    pub(crate) fn lower(&self, ends: &mut [i64]) {
        match self {
            Known::Nothing => {}
            Known::Few(few) => few.iter().for_each(|(row, end)| {
                let old = &mut ends[*row as usize];
                *old = (*old).min(*end);
            }),
            Known::Many(many) => {
                let lower = |(old, end): (&mut i64, &AtomicI64)| *old = (*old).min(end.load(Ordering::Relaxed));
                ends.iter_mut().zip(many.iter()).for_each(lower);
            }
        }
    }

    /// Every noted row with its end.
    pub(crate) fn noted(&self) -> Vec<(u32, i64)> {
        match self {
            Known::Nothing => Vec::new(),
            Known::Few(few) => few.as_ref().clone(),
            Known::Many(many) => {
                let ends = many.iter().map(|end| end.load(Ordering::Relaxed)).enumerate();
                ends.filter(|(_, end)| *end != END_OPEN).map(|(row, end)| (row as u32, end)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_notes_answer_alike() {
        let len = 1000;
        let ends = Ends::default();
        assert!(matches!(ends.known(), Known::Nothing));
        let noted: Vec<(u32, i64)> = (0..500).map(|i| ((i * 7 % 1000) as u32, i64::from(i) + 1)).collect();
        for (count, (row, end)) in noted.iter().enumerate() {
            ends.note(*row, *end, len);
            if [0, 5, 31, 32, 33, 499].contains(&count) {
                let known = ends.known();
                let mut expected = noted[..=count].to_vec();
                expected.sort_unstable();
                assert_eq!(known.noted(), expected);
                let mut mask = vec![1u8; len];
                known.mask_above(&mut mask, 20);
                for (row, keep) in mask.iter().enumerate() {
                    let end =
                        expected.iter().find(|(noted, _)| *noted as usize == row).map_or(END_OPEN, |(_, end)| *end);
                    assert_eq!((known.end_of(row), ends.end_of(row)), (end, end));
                    assert_eq!(*keep, u8::from(end > 20));
                }
            }
        }
        assert!(matches!(ends.known(), Known::Many(_)));
    }
}
