//! Is there stack enough for a walk over nested SQL?
//!
//! Pest, the lowering and the binder recurse as deep as a statement nests. The nesting is bounded, but not what a thread
//! has left of its stack, nor the size of a frame without optimisation. So a walk that goes deep says how deep, and goes on
//! on a stack of its own where the thread's would not do.
//!
//! Not here: the bound of the nesting (`parse`).

/// What one level of nesting takes at most, in all its frames: three times what an unoptimised build was seen to take for
/// a subquery (45 KiB).
const LEVEL_BYTES: usize = 128 << 10;

/// What everything besides takes at most.
const BASE_BYTES: usize = 256 << 10;

/// Does work that recurses through so many levels of nesting.
pub(crate) fn for_levels<T>(levels: u32, work: impl FnOnce() -> T) -> T {
    let bytes = BASE_BYTES + levels as usize * LEVEL_BYTES;
    stacker::maybe_grow(bytes, bytes, work)
}

/// A shorter text cannot nest deep enough to need more than a thread has: 28 subqueries at most.
const SHALLOW_SQL_BYTES: usize = 256;

/// What a statement at the bounds of nesting was seen to take, from binding to its rows, in a build without optimisation.
const STATEMENT_BYTES: usize = 6 << 20;

/// The stack it gets where the thread has less: three times that.
const STATEMENT_STACK_BYTES: usize = 18 << 20;

/// Does work on a statement that recurses as deep as its text may nest: binding, building operators, evaluating.
pub fn for_text<T>(sql: &str, work: impl FnOnce() -> T) -> T {
    if sql.len() <= SHALLOW_SQL_BYTES {
        return work();
    }
    stacker::maybe_grow(STATEMENT_BYTES, STATEMENT_STACK_BYTES, work)
}

/// Does one more level of a walk that does not know how deep it will go.
pub(crate) fn deeper<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(2 * LEVEL_BYTES, 16 * LEVEL_BYTES, work)
}
