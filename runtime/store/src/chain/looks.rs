//! What else is wanted of the leaves of a commit while they are hashed one after another?
//!
//! A proof wants one leaf with what it says and the path to it, an erasure the leaves of certain keys. Neither keeps the leaves: a
//! [`Look`] is shown each of them when its turn comes, and what it did not take is gone. The path to a leaf is known only when
//! its place is, so a proof looks twice.
//!
//! Not here: the order of leaves and how they are hashed (`chain::merged`).

use super::{Hash, WithinRecord};
use crate::{
    proof::merkle::{Subtrees, inclusion_subtrees},
    salts::ErasedLeaf,
};
use spectradb_kernel::{
    schema::TableId,
    time::{Commit, Micros},
};

use super::Op;

/// Looks at leaves on their way into a record's root.
pub(crate) trait Look {
    /// Is a leaf to be told of?
    fn wants(&self, leaf: &LeafName<'_>) -> bool;

    /// Is told of a leaf that it wants.
    fn take(&mut self, leaf: &LeafName<'_>, told: &LeafTold<'_>);

    /// Is shown the hashes of the leaves from a place on; each place once, in order, after its leaf was told.
    fn hashed(&mut self, first: u64, leaves: &[Hash]);
}

/// Looks at nothing.
impl Look for () {
    fn wants(&self, _leaf: &LeafName<'_>) -> bool {
        false
    }

    fn take(&mut self, _leaf: &LeafName<'_>, _told: &LeafTold<'_>) {}

    fn hashed(&mut self, _first: u64, _leaves: &[Hash]) {}
}

/// Which leaf it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeafName<'a> {
    pub(super) op: Op,
    pub(crate) table: TableId,
    pub(crate) key: &'a [u8],
    pub(crate) valid_from: Micros,
}

/// What it says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeafTold<'a> {
    /// Its place among the record's leaves.
    pub(crate) place: u64,
    pub(crate) schema_version: u32,
    /// The commit of the fact whose end it states; 0 of others.
    pub(crate) ended: Commit,
    /// The messages of its two commitments.
    pub(crate) key_and_period: &'a [u8],
    pub(crate) columns: &'a [u8],
}

/// Which leaf of a commit is to be opened?
#[derive(Clone, Copy, Debug)]
pub(crate) enum WantedLeaf<'a> {
    /// That of its metadata.
    Metadata,
    /// That of the fact it states for a key from an instant on.
    Fact { table: TableId, key: &'a [u8], valid_from: Micros },
}

/// A leaf with the messages of its two commitments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenLeaf {
    pub(crate) table: TableId,
    pub(crate) schema_version: u32,
    pub(crate) op: u8,
    pub(crate) key_and_period: Vec<u8>,
    pub(crate) columns: Vec<u8>,
    pub(crate) place: u64,
}

/// Opens one leaf.
#[derive(Debug)]
pub(crate) struct OpenOne<'a> {
    wanted: WantedLeaf<'a>,
    pub(crate) open: Option<OpenLeaf>,
    /// How many leaves there are.
    pub(crate) leaf_count: u64,
}

impl<'a> OpenOne<'a> {
    pub(crate) fn new(wanted: WantedLeaf<'a>) -> OpenOne<'a> {
        OpenOne { wanted, open: None, leaf_count: 0 }
    }
}

impl Look for OpenOne<'_> {
    fn wants(&self, leaf: &LeafName<'_>) -> bool {
        match self.wanted {
            WantedLeaf::Metadata => leaf.op == Op::Metadata,
            WantedLeaf::Fact { table, key, valid_from } => {
                leaf.op == Op::Assert && (leaf.table, leaf.key, leaf.valid_from) == (table, key, valid_from)
            }
        }
    }

    fn take(&mut self, leaf: &LeafName<'_>, told: &LeafTold<'_>) {
        self.open.get_or_insert_with(|| OpenLeaf {
            table: leaf.table,
            schema_version: told.schema_version,
            op: leaf.op as u8,
            key_and_period: told.key_and_period.to_vec(),
            columns: told.columns.to_vec(),
            place: told.place,
        });
    }

    fn hashed(&mut self, _first: u64, leaves: &[Hash]) {
        self.leaf_count += leaves.len() as u64;
    }
}

/// Finds the leaves of certain keys.
pub(crate) struct OfKeys<'a> {
    has: &'a dyn Fn(TableId, &[u8]) -> bool,
    /// What a record keeps of them, in the order of their places.
    pub(crate) found: Vec<ErasedLeaf>,
    hashed: usize,
    /// How many leaves there are.
    pub(crate) leaf_count: u64,
}

impl<'a> OfKeys<'a> {
    pub(crate) fn new(has: &'a dyn Fn(TableId, &[u8]) -> bool) -> OfKeys<'a> {
        OfKeys { has, found: Vec::new(), hashed: 0, leaf_count: 0 }
    }
}

impl Look for OfKeys<'_> {
    fn wants(&self, leaf: &LeafName<'_>) -> bool {
        match leaf.op {
            Op::Assert | Op::Retract | Op::Supersede => (self.has)(leaf.table, leaf.key),
            Op::Metadata | Op::Catalog => false,
        }
    }

    fn take(&mut self, leaf: &LeafName<'_>, told: &LeafTold<'_>) {
        let LeafTold { place, ended, .. } = *told;
        self.found.push(ErasedLeaf { place, table: leaf.table, op: leaf.op as u8, ended, leaf: [0; 32] });
    }

    fn hashed(&mut self, first: u64, leaves: &[Hash]) {
        self.leaf_count += leaves.len() as u64;
        for leaf in &mut self.found[self.hashed..] {
            leaf.leaf = leaves[(leaf.place - first) as usize];
        }
        self.hashed = self.found.len();
    }
}

/// The path that proves the leaf at a place of so many.
#[derive(Debug)]
pub(crate) struct PathTo(Subtrees);

impl PathTo {
    /// `None` when there is no such place.
    pub(crate) fn new(place: u64, leaf_count: u64) -> Option<PathTo> {
        Some(PathTo(Subtrees::new(inclusion_subtrees(place, leaf_count)?)))
    }

    /// The path, from the leaf up, once all leaves were hashed.
    pub(crate) fn path(self) -> Option<Vec<Hash>> {
        self.0.roots()
    }
}

impl Look for PathTo {
    fn wants(&self, _leaf: &LeafName<'_>) -> bool {
        false
    }

    fn take(&mut self, _leaf: &LeafName<'_>, _told: &LeafTold<'_>) {}

    fn hashed(&mut self, _first: u64, leaves: &[Hash]) {
        leaves.iter().for_each(|leaf| self.0.push::<WithinRecord>(leaf));
    }
}
