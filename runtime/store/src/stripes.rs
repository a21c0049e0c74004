//! On which of some lines does a thread write, where all threads write often?
//!
//! Two threads that write to one cache line wait for each other, be it only to count. What is written at every read is
//! there several times, and a thread writes to its own.
//!
//! Not here: what is written.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many lines there are.
pub(crate) const STRIPES: usize = 16;

/// The line of this thread.
pub(crate) fn stripe() -> usize {
    thread_local! {
        static STRIPE: usize = {
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            NEXT.fetch_add(1, Relaxed) % STRIPES
        };
    }
    STRIPE.with(|stripe| *stripe)
}
