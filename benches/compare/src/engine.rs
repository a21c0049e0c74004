//! What is asked of every engine, and of which rows?
//!
//! A row is an 8-byte key, a REAL and a text of about 24 bytes. Key-value engines keep the REAL's bytes followed by the text under
//! the key's big-endian bytes; SQL engines have three columns.
//!
//! Holds: an engine answers a read with a sum over what it found, so that no engine can skip the value, and all answers are
//! compared.

use std::path::Path;

/// A row of the tests.
#[derive(Clone, Debug)]
pub struct Row {
    /// The key.
    pub id: i64,
    /// A number.
    pub amount: f64,
    /// A text of about 24 bytes.
    pub note: String,
}

/// The row of a key: the same in every engine and every run.
pub fn row(id: i64) -> Row {
    Row { id, amount: (id * 7919 % 10_000) as f64 / 100.0, note: format!("note of row number {id:08}") }
}

/// How sure a commit must be before it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// On disk.
    Durable,
    /// Handed to the operating system at some time.
    Lazy,
}

/// What reads found: how many keys, and the sum of their amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// Keys that were there.
    pub count: u64,
    /// The sum of their numbers, in the order of the keys asked for.
    pub sum: f64,
}

impl Found {
    /// Takes in what a look-up gave.
    pub fn add(&mut self, amount: Option<f64>) {
        if let Some(amount) = amount {
            self.count += 1;
            self.sum += amount;
        }
    }
}

/// An engine under test, over a folder of its own. Every method may be called by several threads.
pub trait Engine: Send + std::marker::Sync {
    /// Loads rows in the given order, the fastest way the engine offers that leaves them durable at the end.
    fn load(&self, rows: &mut dyn Iterator<Item = Row>);
    /// Commits some rows as one transaction.
    fn put(&self, rows: &[Row]);
    /// Looks up keys one after the other under one read transaction.
    fn read(&self, keys: &[i64]) -> Found;
    /// Adds up the numbers of all rows; `None` where nobody asks it of the engine.
    fn sum(&self) -> Option<f64> {
        None
    }
}

/// Makes an engine over an empty or an existing folder.
pub type Open = fn(&Path, Sync) -> Box<dyn Engine>;

/// All engines of this build, ours first.
pub fn engines() -> Vec<(&'static str, Open)> {
    let mut all: Vec<(&'static str, Open)> = vec![
        ("SpectraDB", crate::ours::open),
        ("LMDB", crate::peers::lmdb::open),
        ("redb", crate::peers::redb::open),
        ("fjall", crate::peers::fjall::open),
        ("SQLite", crate::peers::sqlite::open),
    ];
    #[cfg(feature = "rocksdb")]
    all.push(("RocksDB", crate::peers::rocks::open));
    all.push(("bare log", crate::peers::bare::open));
    all
}

/// A value of a key-value engine.
pub fn encode(row: &Row) -> Vec<u8> {
    let mut value = row.amount.to_le_bytes().to_vec();
    value.extend_from_slice(row.note.as_bytes());
    value
}

/// The number of a key-value engine's value. The text's length goes in, so that the value has to be there whole.
pub fn decode(value: &[u8]) -> f64 {
    let (amount, note) = value.split_at(8);
    assert!(note.len() > 20, "the text is there");
    f64::from_le_bytes(amount.try_into().expect("eight bytes"))
}
