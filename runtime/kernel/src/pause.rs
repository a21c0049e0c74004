//! Should a computation that takes long go on?
//!
//! A call over one row may have gigabytes to write: `repeat`, an array of 10^8 elements, a long template. Whoever runs a statement
//! installs a watch for its thread ([`within`]); loops that may run long ask it once in a while, and say how many bytes
//! they are about to hold. Without a watch nothing is asked and everything goes on: so nothing that a computation gives depends on it.
//!
//! Holds: once a watch has said no, the call under way ends early, and its batch loop gives [`Fault::Stopped`](crate::func::Fault)
//! instead of what was computed. Code that calls leaves without batch loops installs no watch.
//! Not here: why it should stop (the runtime's budget of a statement).

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

/// Shall the computation stop, which holds so many bytes now?
pub type Watch = Arc<dyn Fn(usize) -> bool + Send + Sync>;

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
    /// How many bytes the one held, or was about to, that was told to stop.
    static STOPPED: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The watch around this one, put back at the end.
struct Before(Option<Watch>, Option<usize>);

impl Drop for Before {
    fn drop(&mut self) {
        WATCH.set(self.0.take());
        STOPPED.set(self.1);
    }
}

/// Runs under a watch. Besides the result: how many bytes a call held that was stopped, if one was.
pub fn within<T>(watch: Watch, run: impl FnOnce() -> T) -> (T, Option<usize>) {
    let _before = Before(WATCH.replace(Some(watch)), STOPPED.take());
    let result = run();
    (result, STOPPED.get())
}

/// Must the call under way, which holds so many bytes, or is about to, end?
pub(crate) fn stops(bytes: usize) -> bool {
    if STOPPED.get().is_some() {
        return true;
    }
    // The watch is called outside of its cell: it may run what it likes.
    let watch = WATCH.with_borrow(Clone::clone);
    let stops = watch.is_some_and(|watch| watch(bytes));
    if stops {
        STOPPED.set(Some(bytes));
    }
    stops
}

/// Has a call been told to end? Then nothing counts that was computed since.
#[inline]
pub fn has_stopped() -> bool {
    STOPPED.get().is_some()
}

/// How often a loop asks: once in so many steps.
const STEPS: u32 = 1 << 14;

/// The steps of a loop that may be long.
#[derive(Debug, Default)]
pub(crate) struct Pace(u32);

impl Pace {
    /// May the loop take one more step?
    #[inline]
    pub(crate) fn goes_on(&mut self) -> bool {
        self.0 = self.0.wrapping_add(1);
        !self.0.is_multiple_of(STEPS) || !stops(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, Type, Value, func};

    #[test]
    fn what_runs_long_stops_when_it_is_told_to() {
        let repeat = func::all().find(|function| function.name == "repeat").expect("it is a function");
        let args = [
            Column::constant(Type::Text, Value::Text("ab".to_owned()), 1),
            Column::constant(Type::Integer, Value::Integer(1 << 20), 1),
        ];
        let (called, stopped) = within(Arc::new(|bytes| bytes > 1 << 20), || (repeat.batch)(&args, 1));
        assert_eq!(called.map_err(|fault| fault.fault).err(), Some(func::Fault::Stopped));
        assert_eq!(stopped, Some(2 << 20));
        assert!((repeat.batch)(&args, 1).is_ok(), "nobody watches any more");
        let (called, stopped) = within(Arc::new(|bytes| bytes > 1 << 22), || (repeat.batch)(&args, 1).is_ok());
        assert!(called && stopped.is_none());
    }
}
