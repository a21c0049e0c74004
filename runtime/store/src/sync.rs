//! With what do threads wait for each other where `shuttled` tries their steps in many orders?
//!
//! Not here: the rest of the store, which uses `std::sync` by name.

use arc_swap::ArcSwap;
use std::sync::Arc;

pub(crate) use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

/// A value that is replaced as a whole; readers never wait.
#[derive(Debug)]
pub(crate) struct Shared<T>(ArcSwap<T>);

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Shared<T> {
        Shared(ArcSwap::from_pointee(value))
    }

    pub(crate) fn load(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Is this the value of now? Asking touches nothing that other threads write.
    pub(crate) fn is(&self, value: &Arc<T>) -> bool {
        Arc::ptr_eq(&self.0.load(), value)
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        self.0.store(value);
    }
}
