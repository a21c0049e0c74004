//! How is one of many hashes, or one state of a growing list of them, proved under a root?
//!
//! By a Merkle tree as RFC 6962, section 2.1, defines it: the left subtree of a node is the largest full one that leaves
//! something to its right. A list of n hashes has one root; a path of about log2(n) hashes proves that a hash stands at a
//! place of the list, and another that a list goes on from a shorter one. Everything here works on hashes of leaves; how
//! two become one is the caller's [`Join`].
//!
//! Holds: a path that is too short, too long, or for another place never checks.
//! Not here: what is hashed as a leaf (the parent module, `chain`), disks.

use std::{cmp::Reverse, ops::Range};

/// 32 bytes.
pub type Hash = [u8; 32];

/// How two neighbouring hashes become the one above them.
pub trait Join {
    /// The hash of an inner node.
    fn join(left: &Hash, right: &Hash) -> Hash;
}

/// How many leaves the left subtree of `count` leaves has: the largest power of two below; `count` is at least 2.
fn left_count(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

fn halves(subtree: Range<u64>) -> (Range<u64>, Range<u64>) {
    let middle = subtree.start + left_count(subtree.end - subtree.start);
    (subtree.start..middle, middle..subtree.end)
}

/// The root over leaves; `None` over none.
pub fn root<J: Join>(leaves: &[Hash]) -> Option<Hash> {
    let mut frontier = Frontier::default();
    leaves.iter().for_each(|leaf| frontier.push::<J>(*leaf));
    frontier.root::<J>()
}

/// The path that proves the leaf at a place, from the leaf up; `None` when there is no such place.
pub fn inclusion_path<J: Join>(leaves: &[Hash], leaf_idx: usize) -> Option<Vec<Hash>> {
    let mut subtrees = Subtrees::new(inclusion_subtrees(leaf_idx as u64, leaves.len() as u64)?);
    leaves.iter().for_each(|leaf| subtrees.push::<J>(leaf));
    subtrees.roots()
}

/// The subtrees whose roots are the path of a leaf among `count`, from the leaf up; `None` when there is no such place.
pub fn inclusion_subtrees(leaf_idx: u64, count: u64) -> Option<Vec<Range<u64>>> {
    if leaf_idx >= count {
        return None;
    }
    let (mut subtree, mut path) = (0..count, Vec::new());
    while subtree.end - subtree.start > 1 {
        let (left, right) = halves(subtree);
        let (mine, other) = if left.contains(&leaf_idx) { (left, right) } else { (right, left) };
        path.push(other);
        subtree = mine;
    }
    path.reverse();
    Some(path)
}

/// The root that a path leads to from a leaf at a place among `count`; `None` when the path is not one for that place.
pub fn root_of_path<J: Join>(leaf: &Hash, leaf_idx: u64, count: u64, path: &[Hash]) -> Option<Hash> {
    if leaf_idx >= count {
        return None;
    }
    // From the top down: at each level, is the leaf in the left subtree?
    let (mut at, mut size, mut turns) = (leaf_idx, count, Vec::new());
    while size > 1 {
        let left = left_count(size);
        let is_left = at < left;
        turns.push(is_left);
        (at, size) = if is_left { (at, left) } else { (at - left, size - left) };
    }
    if turns.len() != path.len() {
        return None;
    }
    let join = |below: Hash, (other, is_left): (&Hash, bool)| match is_left {
        true => J::join(&below, other),
        false => J::join(other, &below),
    };
    Some(path.iter().zip(turns.into_iter().rev()).fold(*leaf, join))
}

/// The path that proves that these leaves go on from the first `old_count` of them; `None` when there are fewer. It is
/// empty where nothing was added, and where there was nothing.
pub fn consistency_path<J: Join>(leaves: &[Hash], old_count: usize) -> Option<Vec<Hash>> {
    let mut subtrees = Subtrees::new(consistency_subtrees(old_count as u64, leaves.len() as u64)?);
    leaves.iter().for_each(|leaf| subtrees.push::<J>(leaf));
    subtrees.roots()
}

/// The subtrees whose roots are that path.
pub fn consistency_subtrees(old_count: u64, new_count: u64) -> Option<Vec<Range<u64>>> {
    if old_count > new_count {
        return None;
    }
    let (mut subtree, mut path) = (0..new_count, Vec::new());
    if old_count == 0 {
        return Some(path);
    }
    while old_count < subtree.end {
        let (left, right) = halves(subtree);
        let (mine, other) = if old_count <= left.end { (left, right) } else { (right, left) };
        path.push(other);
        subtree = mine;
    }
    // The old tree's own root is known to whoever checks; any other full subtree is told.
    if subtree.start > 0 {
        path.push(subtree);
    }
    path.reverse();
    Some(path)
}

/// Does a path prove that the list of `new_count` leaves with the root `new_root` goes on from the one of `old_count`
/// leaves with the root `old_root`?
pub fn is_consistent<J: Join>(
    (old_count, old_root): (u64, &Hash),
    (new_count, new_root): (u64, &Hash),
    path: &[Hash],
) -> bool {
    if old_count > new_count {
        return false;
    }
    if old_count == 0 || old_count == new_count {
        return path.is_empty() && (old_count == 0 || old_root == new_root);
    }
    // From the top down to the subtree that ends where the old list ends.
    let (mut old, mut size, mut whole, mut turns) = (old_count, new_count, true, Vec::new());
    while old < size {
        let left = left_count(size);
        let is_left = old <= left;
        turns.push(is_left);
        if is_left {
            size = left;
        } else {
            (old, size, whole) = (old - left, size - left, false);
        }
    }
    let (first, rest) = match (whole, path.split_first()) {
        (true, _) => (old_root, path),
        (false, Some((first, rest))) => (first, rest),
        (false, None) => return false,
    };
    if turns.len() != rest.len() {
        return false;
    }
    let (mut old_side, mut new_side) = (*first, *first);
    for (other, is_left) in rest.iter().zip(turns.into_iter().rev()) {
        if is_left {
            // What stands to the right came later.
            new_side = J::join(&new_side, other);
        } else {
            old_side = J::join(other, &old_side);
            new_side = J::join(other, &new_side);
        }
    }
    old_side == *old_root && new_side == *new_root
}

/// The roots of the full subtrees of a growing list: all that is needed to add to it and to know its root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    count: u64,
    /// From the largest to the smallest, one for each bit of the count.
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// How many leaves there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds a leaf.
    pub fn push<J: Join>(&mut self, leaf: Hash) {
        self.count += 1;
        let mut joined = leaf;
        for _ in 0..self.count.trailing_zeros() {
            let left = self.subtrees.pop().expect("an even count has a full subtree to its left");
            joined = J::join(&left, &joined);
        }
        self.subtrees.push(joined);
    }

    /// The root; `None` over no leaf.
    pub fn root<J: Join>(&self) -> Option<Hash> {
        self.subtrees.iter().rev().copied().reduce(|right, left| J::join(&left, &right))
    }
}

/// The roots of some subtrees of a list whose leaves come one by one: nothing else of it is kept.
#[derive(Clone, Debug)]
pub struct Subtrees {
    /// Those whose leaves are to come or just come, with their places among all, the next one last.
    next: Vec<(Range<u64>, usize)>,
    count: u64,
    frontier: Frontier,
    roots: Vec<Option<Hash>>,
}

impl Subtrees {
    /// Of subtrees that have no leaf in common.
    pub fn new(subtrees: Vec<Range<u64>>) -> Subtrees {
        let roots = vec![None; subtrees.len()];
        let mut next: Vec<_> = subtrees.into_iter().zip(0..).collect();
        next.sort_by_key(|(leaves, _)| Reverse(leaves.start));
        Subtrees { next, count: 0, frontier: Frontier::default(), roots }
    }

    /// Goes past the next leaf.
    pub fn push<J: Join>(&mut self, leaf: &Hash) {
        let place = self.count;
        self.count += 1;
        let Some((leaves, at)) = self.next.last().filter(|(leaves, _)| leaves.contains(&place)) else { return };
        self.frontier.push::<J>(*leaf);
        if self.count == leaves.end {
            self.roots[*at] = std::mem::take(&mut self.frontier).root::<J>();
            self.next.pop();
        }
    }

    /// The roots, in the order in which the subtrees were named; `None` when not all leaves came.
    pub fn roots(self) -> Option<Vec<Hash>> {
        self.roots.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    /// The hash of RFC 6962 itself.
    struct Rfc;

    impl Join for Rfc {
        fn join(left: &Hash, right: &Hash) -> Hash {
            Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
        }
    }

    fn rfc_leaf(data: &[u8]) -> Hash {
        Sha256::new().chain_update([0]).chain_update(data).finalize().into()
    }

    fn hex(hash: &Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn numbers(count: u64) -> Vec<Hash> {
        (0..count).map(|number| rfc_leaf(&number.to_le_bytes())).collect()
    }

    /// The definition, word by word: MTH of section 2.1.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => unreachable!("no tests over nothing"),
            [only] => *only,
            _ => {
                let mut left = 1;
                while left * 2 < leaves.len() {
                    left *= 2;
                }
                Rfc::join(&defined(&leaves[..left]), &defined(&leaves[left..]))
            }
        }
    }

    /// PATH(m, D[n]) of section 2.1.1.
    fn defined_path(at: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() == 1 {
            return Vec::new();
        }
        let left = leaves.len().next_power_of_two() / 2;
        let (mut path, last) = match at < left {
            true => (defined_path(at, &leaves[..left]), defined(&leaves[left..])),
            false => (defined_path(at - left, &leaves[left..]), defined(&leaves[..left])),
        };
        path.push(last);
        path
    }

    /// SUBPROOF(m, D[n], b) of section 2.1.2.
    fn defined_subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if old == leaves.len() {
            return if whole { Vec::new() } else { vec![defined(leaves)] };
        }
        let left = leaves.len().next_power_of_two() / 2;
        let (mut path, last) = match old <= left {
            true => (defined_subproof(old, &leaves[..left], whole), defined(&leaves[left..])),
            false => (defined_subproof(old - left, &leaves[left..], false), defined(&leaves[..left])),
        };
        path.push(last);
        path
    }

    /// The leaves and roots that implementations of Certificate Transparency test with.
    #[test]
    fn known_roots() {
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let hashes: Vec<Hash> = leaves.iter().map(|leaf| rfc_leaf(leaf)).collect();
        for (count, expected) in (1..).zip(roots) {
            assert_eq!(root::<Rfc>(&hashes[..count]).as_ref().map(hex).as_deref(), Some(expected), "{count} leaves");
        }
        assert_eq!(root::<Rfc>(&[]), None);
    }

    #[test]
    fn roots_and_paths_are_those_of_the_definition() {
        for count in (1..40).chain([63, 64, 65, 100]) {
            let leaves = numbers(count);
            let root = root::<Rfc>(&leaves).expect("there are leaves");
            assert_eq!(root, defined(&leaves));
            for at in 0..leaves.len() {
                let path = inclusion_path::<Rfc>(&leaves, at).expect("it is in the list");
                assert_eq!(path, defined_path(at, &leaves));
                assert_eq!(root_of_path::<Rfc>(&leaves[at], at as u64, count, &path), Some(root));
            }
            assert_eq!(inclusion_path::<Rfc>(&leaves, leaves.len()), None);
            for old in 1..=leaves.len() {
                let path = consistency_path::<Rfc>(&leaves, old).expect("it is not longer");
                assert_eq!(path, defined_subproof(old, &leaves, true), "{old} of {count}");
                let old_root = defined(&leaves[..old]);
                assert!(is_consistent::<Rfc>((old as u64, &old_root), (count, &root), &path), "{old} of {count}");
            }
            assert_eq!(consistency_path::<Rfc>(&leaves, leaves.len() + 1), None);
        }
    }

    #[test]
    fn a_changed_path_place_or_root_never_checks() {
        for count in 1..20u64 {
            let leaves = numbers(count);
            let root = defined(&leaves);
            let other = [7; 32];
            for at in 0..count {
                let path = inclusion_path::<Rfc>(&leaves, at as usize).expect("it is in the list");
                let leads = |leaf: &Hash, at, path: &[Hash]| root_of_path::<Rfc>(leaf, at, count, path) == Some(root);
                assert!(!leads(&other, at, &path));
                assert!((0..count + 2).all(|place| place == at || !leads(&leaves[at as usize], place, &path)));
                for changed in changed_paths(&path) {
                    assert!(!leads(&leaves[at as usize], at, &changed));
                }
            }
            for old in 1..count {
                let old_root = defined(&leaves[..old as usize]);
                let path = consistency_path::<Rfc>(&leaves, old as usize).expect("it is not longer");
                let holds = |old, old_root: &Hash, new_root: &Hash, path: &[Hash]| {
                    is_consistent::<Rfc>((old, old_root), (count, new_root), path)
                };
                assert!(!holds(old, &other, &root, &path) && !holds(old, &old_root, &other, &path));
                assert!(!holds(count + 1, &old_root, &root, &path) && !holds(count, &old_root, &root, &path));
                assert!((1..count).all(|place| place == old || !holds(place, &old_root, &root, &path)));
                for changed in changed_paths(&path) {
                    assert!(!holds(old, &old_root, &root, &changed));
                }
            }
        }
    }

    /// A path cut, grown, swapped, and with each bit of some byte changed.
    fn changed_paths(path: &[Hash]) -> Vec<Vec<Hash>> {
        let mut changed = vec![[path, &[[9; 32]]].concat(), [&[[9; 32]], path].concat()];
        if !path.is_empty() {
            changed.push(path[1..].to_vec());
            changed.push(path[..path.len() - 1].to_vec());
        }
        for place in 0..path.len() {
            let mut flipped = path.to_vec();
            flipped[place][place % 32] ^= 1;
            changed.push(flipped);
            if place > 0 && path[place] != path[place - 1] {
                let mut swapped = path.to_vec();
                swapped.swap(place, place - 1);
                changed.push(swapped);
            }
        }
        changed
    }
}
