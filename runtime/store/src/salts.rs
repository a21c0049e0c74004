//! How is each leaf of a record salted, so that one of them can lose its salts for ever and the others keep theirs?
//!
//! Salts come from a tree of secrets. Its root is the record's seed; a node that is known gives its 128 children, 32 bytes
//! each, as the output stream of the hash that it keys; what stands at the bottom is the two salts of a leaf. Erasing a
//! leaf replaces the seed by the *cover*: the topmost nodes that have no erased leaf below them. Whoever has them can
//! compute every other leaf's salts and nothing of the erased one's, and a leaf costs 127 nodes a level, not one for each
//! other leaf of the record.
//!
//! Holds: a cover's nodes stand in the order of the leaves below them, so their places follow from the number of leaves
//! and the erased ones and are not written down. A record of at most 128 leaves has one level.
//! Not here: what is salted (`chain`), how the cover is written (`format::log_v1`).

use crate::chain::Hash;
use hashbrown::HashMap;
use spectradb_kernel::{schema::TableId, time::Commit};
use std::collections::BTreeMap;

/// Each node has so many children: a power of two.
pub(crate) const FAN_OUT: usize = 1 << FAN_OUT_BITS;
const FAN_OUT_BITS: u32 = 7;

/// What a record keeps of a leaf that was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErasedLeaf {
    /// Its place among the record's leaves.
    pub(crate) place: u64,
    pub(crate) table: TableId,
    /// What it stated: 2 a fact, 3 a deletion, 4 the end of a fact.
    pub(crate) op: u8,
    /// The commit of the fact whose end it stated; 0 of others.
    pub(crate) ended: Commit,
    pub(crate) leaf: Hash,
}

impl ErasedLeaf {
    /// Did it state a fact?
    pub(crate) fn is_fact(&self) -> bool {
        self.op == 2
    }
}

/// What a record's leaves are salted from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    /// The seed of all of them.
    Seed(Hash),
    /// What is left where some were erased.
    Left(Box<Left>),
    /// Nothing: leaves were erased when others could not be told any more, because a retention let their facts go. How many facts
    /// were erased, by table.
    Lost(BTreeMap<TableId, u64>),
}

/// What is left of a record's secret after some of its leaves were erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// How many leaves the record has, the erased ones among them.
    pub(crate) leaf_count: u64,
    /// In the order of the leaves.
    pub(crate) cover: Vec<Hash>,
    /// In the order of their places; not empty.
    pub(crate) erased: Vec<ErasedLeaf>,
}

impl Default for Secret {
    fn default() -> Secret {
        Secret::Seed([0; 32])
    }
}

impl Secret {
    /// The erased leaves, by place.
    pub(crate) fn erased(&self) -> &[ErasedLeaf] {
        match self {
            Secret::Seed(_) | Secret::Lost(_) => &[],
            Secret::Left(left) => &left.erased,
        }
    }

    /// How many facts were erased of each table.
    pub(crate) fn erased_facts(&self) -> BTreeMap<TableId, u64> {
        if let Secret::Lost(erased) = self {
            return erased.clone();
        }
        let mut facts = BTreeMap::new();
        self.erased().iter().filter(|leaf| leaf.is_fact()).for_each(|leaf| *facts.entry(leaf.table).or_default() += 1);
        facts
    }

    /// What is left of it when more facts of a table go and nobody can tell at which places.
    pub(crate) fn lost(&self, table: TableId, more: u64) -> Secret {
        let mut erased = self.erased_facts();
        *erased.entry(table).or_default() += more;
        erased.retain(|_, facts| *facts > 0);
        Secret::Lost(erased)
    }

    /// What is left of it when more leaves go. Those that are gone already are named again or not.
    pub(crate) fn without(&self, leaf_count: u64, more: &[ErasedLeaf]) -> Secret {
        if more.is_empty() || matches!(self, Secret::Lost(_)) {
            return self.clone();
        }
        let mut erased = self.erased().to_vec();
        erased.extend_from_slice(more);
        erased.sort_by_key(|leaf| leaf.place);
        erased.dedup_by_key(|leaf| leaf.place);
        let salts = Salts::new(self, leaf_count);
        let node =
            |(height, idx)| salts.node(height, idx).expect("what covers fewer leaves lies below what covers more");
        let cover = cover(leaf_count, &erased).into_iter().map(node).collect();
        Secret::Left(Box::new(Left { leaf_count, cover, erased }))
    }
}

impl Left {
    /// Do the parts fit each other?
    pub(crate) fn is_whole(&self) -> bool {
        let rise = self.erased.is_sorted_by(|one, next| one.place < next.place);
        let fit = self.erased.last().is_some_and(|last| last.place < self.leaf_count);
        rise && fit && cover(self.leaf_count, &self.erased).len() == self.cover.len()
    }
}

/// A node: how high it stands (0: a leaf's salts), and its number from the left.
type Node = (u32, u64);

/// The height of the root over so many leaves: a record has one level at least.
fn height_of(leaf_count: u64) -> u32 {
    (1..).find(|height| height * FAN_OUT_BITS >= u64::BITS || leaf_count <= 1 << (height * FAN_OUT_BITS)).unwrap_or(1)
}

/// The topmost nodes without an erased leaf, in the order of the leaves.
fn cover(leaf_count: u64, erased: &[ErasedLeaf]) -> Vec<Node> {
    let mut found = Vec::new();
    walk((height_of(leaf_count), 0), leaf_count, erased, &mut found);
    found
}

fn walk((height, idx): Node, leaf_count: u64, erased: &[ErasedLeaf], found: &mut Vec<Node>) {
    let bits = height * FAN_OUT_BITS;
    // The root over the longest record would pass 64 bits.
    let (first, end) = (u128::from(idx) << bits, (u128::from(idx) + 1) << bits);
    if first >= u128::from(leaf_count) {
        return;
    }
    let low = erased.partition_point(|leaf| u128::from(leaf.place) < first);
    let high = erased.partition_point(|leaf| u128::from(leaf.place) < end);
    if low == high {
        found.push((height, idx));
    } else if height > 0 {
        for child in 0..FAN_OUT as u64 {
            walk((height - 1, (idx << FAN_OUT_BITS) + child), leaf_count, &erased[low..high], found);
        }
    }
}

/// The salts of a record's leaves.
#[derive(Debug)]
pub(crate) struct Salts {
    height: u32,
    known: Known,
}

/// The nodes from which all others follow.
#[derive(Debug)]
enum Known {
    /// The root: nothing was erased.
    Root(Hash),
    Cover(HashMap<Node, Hash>),
}

impl Salts {
    /// Those of a record that has so many leaves.
    pub(crate) fn new(secret: &Secret, leaf_count: u64) -> Salts {
        let height = height_of(leaf_count);
        let known = match secret {
            Secret::Seed(seed) => Known::Root(*seed),
            Secret::Left(left) => {
                Known::Cover(cover(leaf_count, &left.erased).into_iter().zip(left.cover.iter().copied()).collect())
            }
            Secret::Lost(_) => Known::Cover(HashMap::new()),
        };
        Salts { height, known }
    }

    fn known(&self, node: Node) -> Option<Hash> {
        match &self.known {
            Known::Root(seed) => (node == (self.height, 0)).then_some(*seed),
            Known::Cover(cover) => cover.get(&node).copied(),
        }
    }

    /// A node, if it can be computed; those of height 0 are the two salts of a leaf.
    fn node(&self, height: u32, idx: u64) -> Option<Hash> {
        let above = |up: u32| idx.checked_shr(up * FAN_OUT_BITS).unwrap_or(0);
        let (mut at, mut node) =
            (height..=self.height).find_map(|at| Some((at, self.known((at, above(at - height)))?)))?;
        while at > height {
            at -= 1;
            let child = above(at - height) % FAN_OUT as u64;
            let mut stream = blake3::Hasher::new_keyed(&node).finalize_xof();
            stream.set_position(child * 32);
            stream.fill(&mut node);
        }
        Some(node)
    }

    /// The salts of the leaves from `128 * stride` on. Those of erased ones, and of places behind the last leaf, mean
    /// nothing; no more are computed than there is room for.
    pub(crate) fn stride(&self, stride: u64, salts: &mut [Hash]) {
        match self.node(1, stride) {
            Some(node) => blake3::Hasher::new_keyed(&node).finalize_xof().fill(salts.as_flattened_mut()),
            None => {
                for (place, salt) in (stride * FAN_OUT as u64..).zip(salts) {
                    *salt = self.known((0, place)).unwrap_or_default();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erased(places: &[u64]) -> Vec<ErasedLeaf> {
        let leaf = |place: &u64| ErasedLeaf { place: *place, table: TableId(1), op: 2, ended: 0, leaf: [7; 32] };
        places.iter().map(leaf).collect()
    }

    fn all(secret: &Secret, leaf_count: u64) -> Vec<Option<Hash>> {
        let salts = Salts::new(secret, leaf_count);
        (0..leaf_count).map(|place| salts.node(0, place)).collect()
    }

    /// A record of one stride is salted by its seed's own stream, as it always was.
    #[test]
    fn a_small_record_has_one_level() {
        let seed = [3; 32];
        let mut stream = [[0; 32]; FAN_OUT];
        blake3::Hasher::new_keyed(&seed).finalize_xof().fill(stream.as_flattened_mut());
        let salts = all(&Secret::Seed(seed), FAN_OUT as u64);
        assert_eq!(salts, stream.map(Some));
    }

    /// Strides and single leaves are read from the same tree, whatever was erased before or at once.
    #[test]
    fn what_is_left_gives_every_other_salt_and_no_erased_one() {
        let seed = Secret::Seed([5; 32]);
        for leaf_count in [1, 2, 127, 128, 129, 300, 16_384, 16_385, 40_000] {
            let before = all(&seed, leaf_count);
            let places: Vec<u64> =
                [0, 1, 5, 127, 128, 299, 16_384, 39_999].into_iter().filter(|place| *place < leaf_count).collect();
            let at_once = seed.without(leaf_count, &erased(&places));
            let (first, second) = places.split_at(places.len() / 2);
            let later = seed.without(leaf_count, &erased(first)).without(leaf_count, &erased(second));
            assert_eq!(at_once, later, "{leaf_count} leaves");
            let Secret::Left(left) = &at_once else { panic!("leaves were erased") };
            assert!(left.is_whole() && left.cover.len() <= places.len() * 127 * 3);
            let after = all(&at_once, leaf_count);
            let salts = Salts::new(&at_once, leaf_count);
            let mut stride = [[0; 32]; FAN_OUT];
            for place in 0..leaf_count {
                if place % FAN_OUT as u64 == 0 {
                    salts.stride(place / FAN_OUT as u64, &mut stride);
                }
                let expected = before[place as usize].filter(|_| !places.contains(&place));
                assert_eq!(after[place as usize], expected, "leaf {place} of {leaf_count}");
                assert_eq!(
                    stride[place as usize % FAN_OUT],
                    expected.unwrap_or_default(),
                    "leaf {place} of {leaf_count}"
                );
            }
        }
    }

    #[test]
    fn parts_that_do_not_fit_are_told() {
        let Secret::Left(left) = Secret::Seed([5; 32]).without(300, &erased(&[4, 200])) else { panic!("erased") };
        assert!(left.is_whole());
        let with = |change: &dyn Fn(&mut Left)| {
            let mut changed = (*left).clone();
            change(&mut changed);
            changed.is_whole()
        };
        assert!(!with(&|left| left.cover.truncate(3)));
        assert!(!with(&|left| left.erased.clear()));
        assert!(!with(&|left| left.erased.swap(0, 1)));
        assert!(!with(&|left| left.leaf_count = 200));
        assert!(!with(&|left| left.leaf_count = u64::MAX));
    }
}
