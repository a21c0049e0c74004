//! What does each node of a plan take when it is run?
//!
//! A node's operator is wrapped in one that counts its rows and its time, the time of what lies below it included. Only
//! EXPLAIN ANALYZE asks.
//!
//! Holds: a node is known by its place in memory, so a profile belongs to one plan that does not move.

use crate::ops::{BoxSource, ExecError, Source};
use spectradb_grammar::plan::{Node, display::Measured};
use spectradb_kernel::Batch;
use std::{
    cell::RefCell,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// What the nodes of a plan took so far.
#[derive(Debug, Default)]
pub struct Profile {
    counters: RefCell<HashMap<usize, Arc<Counter>>>,
}

#[derive(Debug, Default)]
struct Counter {
    rows: AtomicU64,
    nanos: AtomicU64,
}

struct Counting {
    input: BoxSource,
    counter: Arc<Counter>,
}

fn address(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

impl Profile {
    /// What a node took; `None` for one that was never run.
    pub fn of(&self, node: &Node) -> Option<Measured> {
        let counters = self.counters.borrow();
        let counter = counters.get(&address(node))?;
        let took = Duration::from_nanos(counter.nanos.load(Relaxed));
        Some(Measured { rows: counter.rows.load(Relaxed), millis: took.as_secs_f64() * 1e3 })
    }

    /// The node's operator, counted.
    pub(super) fn count(&self, node: &Node, input: BoxSource) -> BoxSource {
        let counter = self.counters.borrow_mut().entry(address(node)).or_default().clone();
        Box::new(Counting { input, counter })
    }
}

impl Source for Counting {
    fn next(&mut self) -> Result<Option<Batch>, ExecError> {
        let began = Instant::now();
        let next = self.input.next();
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.counter.nanos.fetch_add(nanos, Relaxed);
        if let Ok(Some(batch)) = &next {
            self.counter.rows.fetch_add(batch.len() as u64, Relaxed);
        }
        next
    }

    fn rewind(&mut self) -> Result<(), ExecError> {
        self.input.rewind()
    }

    fn is_fixed(&self) -> bool {
        self.input.is_fixed()
    }

    fn fails_next(&self) -> bool {
        self.input.fails_next()
    }
}
