//! How do facts lie in files?
//!
//! A segment is a file of blocks, each some thousand facts by columns, with an index, a filter and, for history, a
//! directory by key. It is written once ([`Builder`]) and read in place ([`Segment`]).

mod audit;
mod block;
mod builder;
mod cache;
mod directory;
mod filter;
mod gather;
mod reader;
mod runs;
mod stats;
#[cfg(test)]
mod tests;

pub(crate) use builder::{Builder, NewSegment, block_rows};
pub(crate) use cache::BlockCache;
pub use cache::CacheStats;
pub(crate) use gather::{Spans, gather, with_ends};
pub(crate) use reader::{Block, BlockRow, Index, Segment};
