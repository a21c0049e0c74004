//! The other engines, each as its own documentation advises.

pub mod bare;
pub mod fjall;
pub mod lmdb;
pub mod redb;
#[cfg(feature = "rocksdb")]
pub mod rocks;
pub mod sqlite;
