//! How is a record tied to everything that was recorded before it?
//!
//! Each record has a link: a hash over the link before it, what the record says of itself, and the Merkle root of its
//! leaves. A commit has a leaf for each new fact, each deletion, each fact that ends, and one for its metadata, in the
//! order of (table, key, valid_from, kind of leaf). A leaf hashes two commitments, one to the key and period, one to the
//! other columns, each salted from the record's seed: a proof can open one and keep the other closed, and erasing a fact
//! destroys its salts and keeps the leaf in its place, so the root stays.
//!
//! Holds: what is hashed are values by column id, never the bytes of a file, so facts hash the same in log, memory and
//! segments. NULL columns are left out, so a fact hashes the same after a column was added.
//! Not here: the tree over records and what proofs say (`proof`).

mod looks;
mod merged;
mod order;

use crate::{
    fact::Write,
    format::{bytes::Put, frame::RecordHead, header::HASH_SUITE_BLAKE3},
    hashing::{Messages, hash_pairs},
    proof::{RecordHeader, merkle::Join},
    salts::{FAN_OUT, Salts, Secret},
    shape::Shape,
};
use order::{Entries, Entry, Order};
use spectradb_kernel::{
    Column,
    column::{ByteVals, Vals},
    schema::{ColumnId, TableId},
    time::{Commit, Micros},
    ty::LaneKind,
};
use std::{cell::Cell, sync::LazyLock};

pub(crate) use crate::proof::merkle::Hash;
pub(crate) use looks::{Look, OfKeys, OpenOne, PathTo, WantedLeaf};
pub(crate) use merged::{Among, commit_root_of_runs, facts_in};

/// The link before the first record.
pub(crate) const GENESIS: Hash = [0; 32];

const SALT_BYTES: usize = 16;
/// So many leaves are salted and hashed at a time: a power of two.
const LEAVES_AT_ONCE: usize = FAN_OUT;

/// Keys that keep the uses of one hash function apart.
static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let key = |name: &str| *blake3::hash(name.as_bytes()).as_bytes();
    Keys {
        link: key("spectradb 1 link"),
        leaf: key("spectradb 1 leaf"),
        node: key("spectradb 1 node"),
        key_and_period: key("spectradb 1 key and period"),
        columns: key("spectradb 1 columns"),
    }
});

struct Keys {
    link: Hash,
    leaf: Hash,
    node: Hash,
    key_and_period: Hash,
    columns: Hash,
}

/// What a leaf states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Op {
    Metadata = 1,
    Assert = 2,
    Retract = 3,
    Supersede = 4,
    Catalog = 5,
}

/// Where the parts of a fact batch's rows stand: the key's positions in key order, and every column's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BatchShape {
    pub(crate) key: Vec<usize>,
    pub(crate) ids: Vec<ColumnId>,
}

impl AsRef<[ColumnId]> for BatchShape {
    fn as_ref(&self) -> &[ColumnId] {
        &self.ids
    }
}

impl BatchShape {
    /// That of facts of a shape.
    pub(crate) fn of(shape: &Shape) -> BatchShape {
        BatchShape { key: shape.key.clone(), ids: shape.columns.iter().map(|(id, _)| *id).collect() }
    }
}

/// A record's link.
pub(crate) fn link(database: [u8; 16], head: &RecordHead, root: &Hash) -> Hash {
    link_of(database, &RecordHeader::from(head), root)
}

/// The link of a record that may be of a kind that this program does not know.
pub(crate) fn link_of(database: [u8; 16], head: &RecordHeader, root: &Hash) -> Hash {
    let mut bytes = Vec::with_capacity(160);
    bytes.put_u8(HASH_SUITE_BLAKE3);
    bytes.put_u8(head.kind);
    bytes.put(&database);
    bytes.put_u32(head.timeline);
    bytes.put_u64(head.epoch);
    bytes.put_u64(head.term);
    bytes.put_u64(head.record);
    bytes.put_u64(head.commit);
    bytes.put_i64(head.instant);
    bytes.put_u64(head.catalog_version);
    bytes.put(&head.previous);
    bytes.put(root);
    *blake3::keyed_hash(&KEYS.link, &bytes).as_bytes()
}

/// The root of a record whose only leaf is a change of the catalogue.
pub(crate) fn catalog_root(change: &[u8]) -> Hash {
    let mut message = Vec::with_capacity(change.len() + 68);
    message.put_bytes(change);
    let columns = hash_padded(&KEYS.columns, &mut message);
    leaf_of(TableId(0), 0, Op::Catalog as u8, &GENESIS, &columns)
}

/// The root of a commit; `shapes` has one entry a fact batch.
pub(crate) fn commit_root(write: &Write, shapes: &[BatchShape], secret: &Secret) -> Hash {
    let mut order = Order::of(write, shapes);
    let mut merkle = Merkle::default();
    hash_entries(write, shapes, &mut order, secret, &mut |leaves| merkle.extend(leaves));
    merkle.root()
}

/// Does a commit have a leaf of certain keys, besides those of facts that it left to files?
pub(crate) fn speaks_of(write: &Write, shapes: &[BatchShape], has: &dyn Fn(TableId, &[u8]) -> bool) -> bool {
    let mut entries = Entries::default();
    entries.gather(write, shapes);
    let has_key = |op: Op| match op {
        Op::Assert | Op::Retract | Op::Supersede => true,
        Op::Metadata | Op::Catalog => false,
    };
    entries.sorted.iter().any(|entry| has_key(entry.op) && has(entry.table, entries.key(entry)))
}

/// The leaf of a commitment to a key and period and one to columns.
pub(crate) fn leaf_of(table: TableId, schema_version: u32, op: u8, key_and_period: &Hash, columns: &Hash) -> Hash {
    pair(&leaf_key(table, schema_version, op), key_and_period, columns)
}

/// The commitment that a message of key and period makes.
pub(crate) fn commitment_to_key(message: &[u8]) -> Hash {
    hash_padded(&KEYS.key_and_period, &mut message.to_vec())
}

/// The commitment that a message of columns makes.
pub(crate) fn commitment_to_columns(message: &[u8]) -> Hash {
    hash_padded(&KEYS.columns, &mut message.to_vec())
}

/// How hashes are joined within a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithinRecord;

impl Join for WithinRecord {
    fn join(left: &Hash, right: &Hash) -> Hash {
        pair(&KEYS.node, left, right)
    }
}

/// Hashes the leaves of a commit, some at a time; those that were erased stand where they stood.
fn hash_entries(
    write: &Write,
    shapes: &[BatchShape],
    order: &mut Order<'_>,
    secret: &Secret,
    take: &mut dyn FnMut(&[Hash]),
) {
    let readers: Vec<Vec<LeafColumn<'_>>> =
        write.facts.iter().zip(shapes).map(|(batch, shape)| leaf_columns(&batch.columns, shape)).collect();
    let leaf_count = order.count() + secret.erased().len();
    let salts = Salts::new(secret, leaf_count as u64);
    let mut erased = secret.erased();
    // Small commits are hashed one after another in the same memory.
    let mut room = ROOM.take();
    // A record of few leaves needs few salts.
    room.salts.resize(leaf_count.min(LEAVES_AT_ONCE), [0; 32]);
    for (stride, first) in (0..).zip((0..leaf_count).step_by(LEAVES_AT_ONCE)) {
        let places = first..leaf_count.min(first + LEAVES_AT_ONCE);
        room.clear();
        let Room { salts: stride_salts, keys, columns, .. } = &mut room;
        salts.stride(stride, &mut stride_salts[..places.len()]);
        let gone = erased.partition_point(|leaf| leaf.place < places.end as u64);
        let (some, key_bytes) = order.next(places.len() - gone);
        let mut salt_idx = 0;
        let mut next_gone = erased[..gone].iter().map(|leaf| leaf.place as usize - first).peekable();
        for entry in some {
            while next_gone.next_if_eq(&salt_idx).is_some() {
                salt_idx += 1;
            }
            let salt = &stride_salts[salt_idx];
            salt_idx += 1;
            put_key_and_period(write, entry.key_in(key_bytes), entry, &salt[..SALT_BYTES], keys.buffer());
            keys.end();
            let of_batch = readers.get(entry.source as usize).map_or(&[][..], Vec::as_slice);
            put_columns(write, of_batch, entry, &salt[SALT_BYTES..], columns.buffer());
            columns.end();
        }
        let kind = |entry: &Entry| (entry.table, schema_version(write, entry), entry.op);
        room.hash(some.iter().map(kind));
        let leaves = &mut room.leaves;
        for leaf in &erased[..gone] {
            leaves.insert((leaf.place as usize - first).min(leaves.len()), leaf.leaf);
        }
        erased = &erased[gone..];
        take(leaves);
    }
    room.give_back();
}

/// Where leaves are salted and hashed.
#[derive(Default)]
struct Room {
    salts: Vec<Hash>,
    keys: Messages,
    columns: Messages,
    key_hashes: Vec<Hash>,
    column_hashes: Vec<Hash>,
    pairs: Vec<Hash>,
    leaves: Vec<Hash>,
    /// What the last leaves were of, and their key: the next record's mostly are of the same.
    kind: Option<(LeafKind, Hash)>,
}

/// Table, schema version and kind of leaves.
type LeafKind = (TableId, u32, Op);

impl Room {
    fn clear(&mut self) {
        self.keys.clear();
        self.columns.clear();
    }

    /// Makes leaves of the messages, given of each the table, the schema version and the kind.
    fn hash(&mut self, kinds: impl ExactSizeIterator<Item = LeafKind>) {
        let Room { salts: _, keys, columns, key_hashes, column_hashes, pairs, leaves, kind: last } = self;
        keys.hash(&KEYS.key_and_period, key_hashes);
        columns.hash(&KEYS.columns, column_hashes);
        // Table, version and kind are in the leaf's key, so that the two commitments fill exactly one block; leaves that
        // have them in common mostly stand together.
        leaves.clear();
        let (mut start, mut end) = (0, 0);
        let mut kinds = kinds.peekable();
        while let Some(kind) = kinds.next() {
            end += 1;
            if kinds.peek() == Some(&kind) {
                continue;
            }
            let both = key_hashes[start..end].iter().zip(&column_hashes[start..end]);
            pairs.clear();
            pairs.extend(both.flat_map(|(key, columns)| [*key, *columns]));
            let hash_key = match last {
                Some((of, hash_key)) if *of == kind => *hash_key,
                _ => last.insert((kind, leaf_key(kind.0, kind.1, kind.2 as u8))).1,
            };
            hash_pairs(&hash_key, pairs, leaves);
            start = end;
        }
    }

    /// Keeps its memory for the next record.
    fn give_back(self) {
        if self.keys.capacity() + self.columns.capacity() < ROOM_BYTES_MAX {
            ROOM.set(self);
        }
    }
}

/// Very long rows do not hold their memory for ever.
const ROOM_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static ROOM: Cell<Room> = Cell::default();
}

/// The schema version that a leaf's key names: that of a new fact, 0 for all else.
fn schema_version(write: &Write, entry: &Entry) -> u32 {
    match entry.op {
        Op::Assert => write.facts[entry.source as usize].schema_version,
        Op::Metadata | Op::Retract | Op::Supersede | Op::Catalog => 0,
    }
}

/// The message of a leaf's commitment to columns; `readers` are those of the batch of a new fact.
fn put_columns(write: &Write, readers: &[LeafColumn<'_>], entry: &Entry, salt: &[u8], out: &mut Vec<u8>) {
    out.put(salt);
    match entry.op {
        Op::Assert => readers.iter().for_each(|column| column.put(entry.row as usize, out)),
        Op::Metadata => out.put_bytes(write.metadata.as_deref().unwrap_or_default().as_bytes()),
        Op::Retract | Op::Supersede | Op::Catalog => {}
    }
}

/// The message of a leaf's commitment to key and period.
fn put_key_and_period(write: &Write, key: &[u8], entry: &Entry, salt: &[u8], out: &mut Vec<u8>) {
    let row = entry.row as usize;
    // The end of the period, and the origin or the commit that is named.
    let (to, commit) = match entry.op {
        Op::Assert => {
            let batch = &write.facts[entry.source as usize];
            (batch.periods[row].to(), batch.origins[row])
        }
        Op::Retract => (write.retractions[entry.source as usize].periods[row].to(), 0),
        Op::Supersede => (0, write.superseded[entry.source as usize].facts[row].commit),
        Op::Metadata | Op::Catalog => (0, 0),
    };
    put_key(key, (entry.valid_from, to), commit, salt, out);
}

/// The same of a key and period as they are, with the origin or the commit that is named.
fn put_key(key: &[u8], (from, to): (Micros, Micros), commit: Commit, salt: &[u8], out: &mut Vec<u8>) {
    let mut head = [0; SALT_BYTES + 24];
    head[..SALT_BYTES].copy_from_slice(salt);
    head[SALT_BYTES..][..8].copy_from_slice(&from.to_le_bytes());
    head[SALT_BYTES + 8..][..8].copy_from_slice(&to.to_le_bytes());
    head[SALT_BYTES + 16..].copy_from_slice(&commit.to_le_bytes());
    out.put(&head);
    out.put_bytes(key);
}

/// The hash of a message filled up with zeroes to whole blocks. Messages say their own length (strings have theirs, no
/// column has number 0), so two of them never pad to the same; and whole blocks can be hashed many rows at a time.
fn hash_padded(hash_key: &Hash, message: &mut Vec<u8>) -> Hash {
    message.resize(message.len().next_multiple_of(64), 0);
    *blake3::keyed_hash(hash_key, message).as_bytes()
}

/// The key of the leaves of one table, schema version and kind.
fn leaf_key(table: TableId, schema_version: u32, op: u8) -> Hash {
    let mut bytes = [op; 9];
    bytes[..4].copy_from_slice(&table.0.to_le_bytes());
    bytes[4..8].copy_from_slice(&schema_version.to_le_bytes());
    *blake3::keyed_hash(&KEYS.leaf, &bytes).as_bytes()
}

fn pair(hash_key: &Hash, left: &Hash, right: &Hash) -> Hash {
    let mut both = [0; 64];
    both[..32].copy_from_slice(left);
    both[32..].copy_from_slice(right);
    *blake3::keyed_hash(hash_key, &both).as_bytes()
}

/// A column with what its values need to be hashed.
pub(crate) struct LeafColumn<'a> {
    id: ColumnId,
    column: &'a Column,
    values: LeafValues<'a>,
}

enum LeafValues<'a> {
    Bool(Vals<'a, u8>),
    I64(Vals<'a, i64>),
    F64(Vals<'a, f64>),
    I128(Vals<'a, i128>, u8),
    Bytes(ByteVals<'a>),
}

/// The columns outside the key, by id.
pub(crate) fn leaf_columns<'a>(columns: &'a [Column], shape: &BatchShape) -> Vec<LeafColumn<'a>> {
    let outside = columns.iter().zip(&shape.ids).enumerate().filter(|(place, _)| !shape.key.contains(place));
    let mut found: Vec<LeafColumn<'_>> = outside
        .map(|(_, (column, id))| {
            let values = match column.ty().lane() {
                LaneKind::Bool => LeafValues::Bool(column.bools()),
                LaneKind::I64 => LeafValues::I64(column.i64s()),
                LaneKind::F64 => LeafValues::F64(column.f64s()),
                LaneKind::I128 => LeafValues::I128(column.i128s(), column.ty().scale()),
                LaneKind::Bytes => LeafValues::Bytes(column.byte_vals()),
            };
            LeafColumn { id: *id, column, values }
        })
        .collect();
    found.sort_by_key(|column| column.id);
    found
}

impl LeafColumn<'_> {
    /// Appends what a leaf says of a row's value; nothing of NULL.
    pub(crate) fn put(&self, row: usize, out: &mut Vec<u8>) {
        if self.column.is_null(row) {
            return;
        }
        out.put_short(self.id.0);
        out.put_u8(self.column.ty().class().code());
        match &self.values {
            LeafValues::Bool(values) => out.put_u8(values.at(row)),
            LeafValues::I64(values) => out.put_i64(values.at(row)),
            LeafValues::F64(values) => out.put_u64(values.at(row).to_bits()),
            LeafValues::I128(values, scale) => {
                out.put_u8(*scale);
                out.put(&values.at(row).to_le_bytes());
            }
            LeafValues::Bytes(values) => out.put_short_bytes(values.at(row)),
        }
    }
}

/// The root of a tree whose leaves come one by one: full subtrees of falling size, joined from the right at the end
/// (the shape of RFC 6962).
#[derive(Debug, Default)]
struct Merkle {
    leaf_count: u64,
    subtrees: Vec<Hash>,
}

impl Merkle {
    /// Adds leaves; only the last call brings other than `LEAVES_AT_ONCE`.
    fn extend(&mut self, leaves: &[Hash]) {
        debug_assert!(self.leaf_count.is_multiple_of(LEAVES_AT_ONCE as u64), "full strides come first");
        if let [only] = leaves {
            self.leaf_count += 1;
            return self.subtrees.push(*only);
        }
        let (mut level, mut above) = (leaves.to_vec(), Vec::new());
        while level.len() > 1 {
            above.clear();
            let (pairs, odd) = level.split_at(level.len() / 2 * 2);
            hash_pairs(&KEYS.node, pairs, &mut above);
            // A node without a neighbour rises as it is.
            above.extend_from_slice(odd);
            std::mem::swap(&mut level, &mut above);
        }
        self.leaf_count += leaves.len() as u64;
        match (level.first(), leaves.len()) {
            (Some(root), LEAVES_AT_ONCE) => self.join(*root, self.leaf_count / LEAVES_AT_ONCE as u64),
            (Some(root), _) => self.subtrees.push(*root),
            (None, _) => {}
        }
    }

    /// Adds a full subtree, the `count`th of its size.
    fn join(&mut self, subtree: Hash, count: u64) {
        let mut joined = subtree;
        for _ in 0..count.trailing_zeros() {
            let left = self.subtrees.pop().expect("an even count has a full subtree to its left");
            joined = pair(&KEYS.node, &left, &joined);
        }
        self.subtrees.push(joined);
    }

    fn root(mut self) -> Hash {
        let Some(mut joined) = self.subtrees.pop() else { return GENESIS };
        while let Some(left) = self.subtrees.pop() {
            joined = pair(&KEYS.node, &left, &joined);
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fact::{FactBatch, FactId, Retraction, Superseded},
        proof::merkle::root_of_path,
    };
    use spectradb_kernel::{Period, Type, Value, key};
    use std::collections::HashSet;

    fn shape() -> BatchShape {
        BatchShape { key: vec![0], ids: vec![ColumnId(1), ColumnId(2)] }
    }

    fn batch(keys: &[i64], texts: &[&str]) -> FactBatch {
        let texts: Vec<Value> = texts.iter().map(|text| Value::from(*text)).collect();
        FactBatch {
            table: TableId(1),
            schema_version: 1,
            columns: vec![Column::from_i64s(Type::Integer, keys.to_vec()), Column::from_values(Type::Text, &texts)],
            periods: vec![Period::ALWAYS; keys.len()],
            origins: vec![0; keys.len()],
        }
    }

    fn root(facts: Vec<FactBatch>) -> Hash {
        let shapes = vec![shape(); facts.len()];
        commit_root(&Write { facts, ..Write::default() }, &shapes, &Secret::Seed([5; 32]))
    }

    /// The root speaks of facts, not of how they were cut into batches or in which order they came.
    #[test]
    fn order_and_cut_do_not_matter_but_content_does() {
        let one = root(vec![batch(&[1, 2, 3], &["a", "b", "c"])]);
        assert_eq!(one, root(vec![batch(&[3, 1, 2], &["c", "a", "b"])]));
        assert_eq!(one, root(vec![batch(&[2], &["b"]), batch(&[1, 3], &["a", "c"])]));
        assert_ne!(one, root(vec![batch(&[1, 2, 3], &["a", "b", "d"])]));
        assert_ne!(one, root(vec![batch(&[1, 2, 4], &["a", "b", "c"])]));
        assert_ne!(one, root(vec![batch(&[1, 2], &["a", "b"])]));
        // Many rows in order are hashed as they lie; the same rows in two batches, or backwards, are sorted first.
        for count in [1, 2, 127, 128, 129, 1000] {
            let keys: Vec<i64> = (0..count).map(|row| row * 3 - 5).collect();
            let texts: Vec<String> = keys.iter().map(|key| "x".repeat(40 + (*key % 9) as usize % 90)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let (low, high) = (batch(&keys[..1], &texts[..1]), batch(&keys[1..], &texts[1..]));
            let mut backwards: Vec<(i64, &str)> = keys.iter().copied().zip(texts.iter().copied()).collect();
            backwards.reverse();
            let (keys_back, texts_back): (Vec<i64>, Vec<&str>) = backwards.into_iter().unzip();
            let straight = root(vec![batch(&keys, &texts)]);
            assert_eq!(straight, root(vec![high, low]), "{count} rows");
            assert_eq!(straight, root(vec![batch(&keys_back, &texts_back)]), "{count} rows");
        }
    }

    /// The root over what is left and the leaves of what is gone is the root over everything, at any stride, and a leaf that
    /// stays is opened with the same messages at the same place.
    #[test]
    fn erased_leaves_leave_the_root_as_it_was() {
        let seed = Secret::Seed([5; 32]);
        for count in [1, 3, 127, 128, 129, 400, 17_000] {
            let keys: Vec<i64> = (0..count).collect();
            let texts: Vec<String> = keys.iter().map(|key| format!("text {key}")).collect();
            let write = |of: &dyn Fn(i64) -> bool| {
                let kept: Vec<i64> = keys.iter().copied().filter(|key| of(*key)).collect();
                let texts: Vec<&str> = kept.iter().map(|key| texts[*key as usize].as_str()).collect();
                Write { facts: vec![batch(&kept, &texts)], metadata: Some("{}".to_owned()), ..Write::default() }
            };
            let whole = write(&|_| true);
            let open = |write: &Write, secret: &Secret, key: i64| {
                let key = key::i64_bytes(key);
                let mut one = OpenOne::new(WantedLeaf::Fact { table: TableId(1), key: &key, valid_from: i64::MIN });
                let root = commit_root_of_runs(write, &[shape()], secret, &[], None, &mut one).expect("in memory");
                assert_eq!(root, commit_root(write, &[shape()], secret), "both ways give one root");
                let open = one.open?;
                let mut path = PathTo::new(open.place, one.leaf_count).expect("it is one of them");
                commit_root_of_runs(write, &[shape()], secret, &[], None, &mut path).expect("in memory");
                let path = path.path().expect("all were shown");
                let hashes = (commitment_to_key(&open.key_and_period), commitment_to_columns(&open.columns));
                let leaf = leaf_of(open.table, open.schema_version, open.op, &hashes.0, &hashes.1);
                let to = root_of_path::<WithinRecord>(&leaf, open.place, one.leaf_count, &path);
                assert_eq!(to, Some(root), "the path leads there");
                Some((open, path))
            };
            let is_erased = |key: i64| key % 50 == 0 || key == count - 1 || (128..260).contains(&key);
            let gone: HashSet<[u8; 8]> =
                keys.iter().filter(|key| is_erased(**key)).map(|key| key::i64_bytes(*key)).collect();
            let is_wanted = |_: TableId, key: &[u8]| gone.contains(key);
            let mut erased = OfKeys::new(&is_wanted);
            commit_root_of_runs(&whole, &[shape()], &seed, &[], None, &mut erased).expect("in memory");
            assert_eq!(erased.leaf_count, keys.len() as u64 + 1, "the metadata is leaf 0");
            let left = seed.without(erased.leaf_count, &erased.found);
            let kept = write(&|key| !is_erased(key));
            let root = commit_root(&whole, &[shape()], &seed);
            assert_eq!(commit_root(&kept, &[shape()], &left), root, "{count} facts");
            for key in keys.iter().copied().filter(|key| !is_erased(*key)).step_by(1 + keys.len() / 4) {
                let (before, after) = (open(&whole, &seed, key), open(&kept, &left, key));
                let (before, after) = (before.expect("it was there"), after.expect("it is there"));
                assert_eq!(before, after);
            }
            assert!(open(&kept, &left, 0).is_none());
        }
    }

    /// Pins the hashes: they are on disk in every database.
    #[test]
    fn golden() {
        let mut write = Write { facts: vec![batch(&[1, 2, 3], &["a", "b", "c"])], ..Write::default() };
        write.metadata = Some("{}".to_owned());
        write.retractions = vec![Retraction {
            table: TableId(1),
            keys: vec![Column::from_i64s(Type::Integer, vec![9])],
            periods: vec![Period::ALWAYS],
        }];
        let fact = FactId { key: key::i64_bytes(9).to_vec(), valid_from: i64::MIN, commit: 3 };
        write.superseded = vec![Superseded { table: TableId(1), facts: vec![fact] }];
        let root = commit_root(&write, &[shape()], &Secret::Seed([5; 32]));
        let hex: String = root.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "2fe7bc74c27d82483d4db750e58dcec0b2265765a397e9821f9570a52aaff54d");
    }

    /// The root as RFC 6962 defines it: the left subtree is the largest full one that leaves something to the right.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [only] => *only,
            leaves => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                pair(&KEYS.node, &defined(left), &defined(right))
            }
        }
    }

    #[test]
    fn the_tree_has_the_shape_of_rfc_6962() {
        let leaf = |number: usize| *blake3::hash(&number.to_le_bytes()).as_bytes();
        for count in (1..20).chain([127, 128, 129, 130, 131, 300, 512, 1000]) {
            let leaves: Vec<Hash> = (0..count).map(leaf).collect();
            let mut merkle = Merkle::default();
            leaves.chunks(LEAVES_AT_ONCE).for_each(|some| merkle.extend(some));
            assert_eq!(merkle.root(), defined(&leaves), "{count} leaves");
        }
        assert_eq!(Merkle::default().root(), GENESIS);
    }
}
