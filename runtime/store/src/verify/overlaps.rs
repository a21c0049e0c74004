//! Are there facts of one key that claim the same instant of both times?
//!
//! A fact is a rectangle, and those of a key are disjoint: whoever reads one point finds one fact. The ledger's hashes do not
//! say so, for a commit that overlaps what is there hashes as well as any other.
//!
//! A segment of current facts that shares no key with anything else has each key's facts side by side. All other facts are in
//! no common order (history lies by ends), so they are taken by the hash of their key: each pass over the tables keeps the
//! lanes of the keys whose hash lies in its part of all hashes, and of these what shares a hash is swept along system time.
//! Only where two overlap are keys compared, in one more pass, for different keys may share a hash.
//!
//! Holds: a pass keeps about so many facts as there is room for, whatever the tables hold, unless few keys have most facts.
//! Not here: what differs from the ledger (`verify`).

use super::{Stored, Verifier, Walk, fact_differs};
use crate::{
    commits::COMMITS,
    fact::FactId,
    keys::{encode_row, hash_of},
    run::{commit_of_lane, i64_at},
    tree::{FileId, SegmentKind, SegmentMeta, TableShard, segment_name},
};
use spectradb_kernel::{
    schema::TableId,
    time::{Micros, Timestamp},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashSet},
};

/// A pass keeps its facts in so many bytes, or in as many as the block cache may have.
const ROOM_BYTES: usize = 64 << 20;

/// Where a fact lies in both times, half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rectangle {
    commit: i64,
    end: i64,
    from: Micros,
    to: Micros,
}

/// A first and a last key, and the file that has nothing but current facts.
type Reach = (Vec<u8>, Vec<u8>, Option<FileId>);

/// A fact, and the name of what it lies in.
type Placed = (Rectangle, String);

/// What is asked to give the facts of keys with wanted hashes to a function.
type EachFact<'a> = dyn FnMut(&dyn Fn(u64) -> bool, &mut dyn FnMut(u64, Rectangle)) -> Walk + 'a;

/// A number that keys of one table share when they are the same, and seldom otherwise.
fn hash_in(table: TableId, key: &[u8]) -> u64 {
    // Mixed once more, for the highest bits say which pass a key is for: the factor is 2^64 divided by the golden ratio.
    hash_of(key).wrapping_add(u64::from(table.0)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Takes a fact with its key and what was said of the key.
type TakeFact<'a> = dyn FnMut(&Stored<'_>, &[u8], u64, Rectangle) -> Walk + 'a;

impl Verifier<'_> {
    /// Looks for facts of a key that overlap.
    pub(super) fn check_overlaps(&self) -> Walk {
        let (alone, others) = self.alone();
        self.check_alone(&alone)?;
        let room = self.inner.config.block_cache_bytes_max.max(ROOM_BYTES) / size_of::<(u64, Rectangle)>();
        let files = |file: Option<FileId>| file.is_none_or(|file| !alone.contains(&file));
        let mut each = |wanted: &dyn Fn(u64) -> bool, take: &mut dyn FnMut(u64, Rectangle)| {
            let pick = |table: TableId, key: &[u8]| Some(hash_in(table, key)).filter(|hash| wanted(*hash));
            self.each_rectangle(&files, &pick, &mut |_, _, hash, rectangle| {
                take(hash, rectangle);
                Ok(())
            })
        };
        each_suspect(others, room as u64, &mut each, &mut |hash| self.name_overlap(hash))
    }

    /// The segments of current facts of which no key is anywhere else, and how many facts there are elsewhere.
    fn alone(&self) -> (HashSet<FileId>, u64) {
        let version = &self.snapshot.view().version;
        let (mut alone, mut others) = (HashSet::new(), 0);
        // What each place has, by its first and last key.
        let mut reach: BTreeMap<TableShard, Vec<Reach>> = BTreeMap::new();
        for memtable in version.memtables() {
            for (place, table) in memtable.tables() {
                for chunk in table.chunks() {
                    others += chunk.run.len as u64;
                    let (mut least, mut greatest, mut key) = (None, None, Vec::new());
                    for row in 0..chunk.run.len {
                        key.clear();
                        encode_row(&chunk.run.columns, &chunk.shape.key, row, &mut key);
                        if least.as_ref().is_none_or(|least| key < *least) {
                            least = Some(key.clone());
                        }
                        if greatest.as_ref().is_none_or(|greatest| key > *greatest) {
                            greatest = Some(key.clone());
                        }
                    }
                    if let (Some(least), Some(greatest)) = (least, greatest) {
                        reach.entry(place).or_default().push((least, greatest, None));
                    }
                }
            }
        }
        for (place, files) in &version.tables {
            for SegmentMeta { key_min, key_max, kind, file, rows, .. } in files.segments().map(|segment| &segment.meta)
            {
                others += rows;
                let current = (*kind == SegmentKind::Current).then_some(*file);
                reach.entry(*place).or_default().push((key_min.clone(), key_max.clone(), current));
            }
        }
        for mut of_place in reach.into_values() {
            of_place.sort();
            let mut greatest: Option<&[u8]> = None;
            for (at, (low, high, file)) in of_place.iter().enumerate() {
                let before = greatest.is_none_or(|greatest| greatest < low.as_slice());
                let behind = of_place.get(at + 1).is_none_or(|(next, _, _)| high < next);
                if let Some(file) = file.filter(|_| before && behind) {
                    alone.insert(file);
                }
                greatest = greatest.max(Some(high));
            }
        }
        let of_alone = version.tables.values().flat_map(|files| files.segments());
        let of_alone = of_alone.filter(|segment| alone.contains(&segment.meta.file)).map(|segment| segment.meta.rows);
        others -= of_alone.sum::<u64>();
        (alone, others)
    }

    /// Looks for facts that overlap where those of a key lie side by side.
    fn check_alone(&self, alone: &HashSet<FileId>) -> Walk {
        let (mut last, mut of_key) = ((TableId(0), Vec::new()), Vec::new());
        let files = |file: Option<FileId>| file.is_some_and(|file| alone.contains(&file));
        self.each_rectangle(&files, &|_, _| Some(0), &mut |stored, key, _, rectangle| {
            let table = stored.shape.table;
            if (last.0, last.1.as_slice()) != (table, key) {
                self.check_key(&last, &mut of_key)?;
                last.0 = table;
                last.1.clear();
                last.1.extend_from_slice(key);
            }
            of_key.push(rectangle);
            Ok(())
        })?;
        self.check_key(&last, &mut of_key)
    }

    /// Looks for facts that overlap among those of a key, and forgets them.
    fn check_key(&self, (table, key): &(TableId, Vec<u8>), facts: &mut Vec<Rectangle>) -> Walk {
        // Mostly there is one, or they follow each other.
        if !facts.is_sorted_by(|one, next| one.to <= next.from) {
            facts.sort_unstable();
            if overlapping(facts).is_some() {
                self.name_overlap(hash_in(*table, key))?;
            }
        }
        facts.clear();
        Ok(())
    }

    /// Gives the facts that lie in wanted segments, or in none, to `each`, with their keys and what `pick` says of these; those
    /// of which it says nothing are passed over, before anything else is looked at.
    fn each_rectangle(
        &self,
        wanted: &dyn Fn(Option<FileId>) -> bool,
        pick: &dyn Fn(TableId, &[u8]) -> Option<u64>,
        each: &mut TakeFact<'_>,
    ) -> Walk {
        let mut key = Vec::new();
        self.each_run_in(wanted, &mut |stored| {
            let Stored { shape, run, .. } = stored;
            if shape.table == COMMITS {
                return Ok(());
            }
            let gone_upto = self.gone_upto(shape.table);
            for row in 0..run.len {
                key.clear();
                encode_row(&run.columns, &shape.key, row, &mut key);
                let Some(picked) = pick(shape.table, &key) else { continue };
                let (commit, end) = (i64_at(&run.commit, row), stored.end_of(row));
                if commit > self.visible || end <= gone_upto {
                    continue;
                }
                let (from, to) = (i64_at(&run.valid_from, row), i64_at(&run.valid_to, row));
                each(stored, &key, picked, Rectangle { commit, end, from, to })?;
            }
            Ok(())
        })
    }

    /// Names two facts of a key with this hash that overlap, if they are of one key.
    fn name_overlap(&self, hash: u64) -> Walk {
        let mut keys: BTreeMap<(TableId, Vec<u8>), Vec<Placed>> = BTreeMap::new();
        let pick = |table: TableId, key: &[u8]| Some(hash_in(table, key)).filter(|other| *other == hash);
        self.each_rectangle(&|_| true, &pick, &mut |stored, key, _, rectangle| {
            let place = stored.file.map_or_else(|| "memory".to_owned(), segment_name);
            keys.entry((stored.shape.table, key.to_vec())).or_default().push((rectangle, place));
            Ok(())
        })?;
        for ((table, key), mut facts) in keys {
            facts.sort();
            let rectangles: Vec<Rectangle> = facts.iter().map(|(rectangle, _)| *rectangle).collect();
            let Some((earlier, later)) = overlapping(&rectangles) else { continue };
            let ((one, place), (other, other_place)) = (&facts[earlier], &facts[later]);
            let id = FactId { key, valid_from: other.from, commit: commit_of_lane(other.commit) };
            let (from, to) = (Timestamp(one.from), Timestamp(one.to));
            let what = format!(
                "it lies in {other_place} and overlaps the fact of commit {} in {place}, which is valid from {from} to {to}",
                one.commit
            );
            return fact_differs(&*self.schema(table)?, &id, what);
        }
        Ok(())
    }
}

/// Gives each hash of which two facts overlap to `suspect`, with about `room` of `total` facts in memory.
fn each_suspect(total: u64, room: u64, each: &mut EachFact<'_>, suspect: &mut dyn FnMut(u64) -> Walk) -> Walk {
    let passes = total.div_ceil(room.max(1));
    let mut facts: Vec<(u64, Rectangle)> = Vec::new();
    let mut rectangles = Vec::new();
    for pass in 0..passes {
        facts.clear();
        let wanted = |hash: u64| (u128::from(hash) * u128::from(passes)) >> 64 == u128::from(pass);
        each(&wanted, &mut |hash, rectangle| facts.push((hash, rectangle)))?;
        facts.sort_unstable_by_key(|(hash, _)| *hash);
        for of_hash in facts.chunk_by(|one, other| one.0 == other.0).filter(|facts| facts.len() > 1) {
            rectangles.clear();
            rectangles.extend(of_hash.iter().map(|(_, rectangle)| *rectangle));
            rectangles.sort_unstable();
            if overlapping(&rectangles).is_some() {
                suspect(of_hash[0].0)?;
            }
        }
    }
    Ok(())
}

/// The places of the first two rectangles that overlap, of rectangles in the order of their commits.
fn overlapping(rectangles: &[Rectangle]) -> Option<(usize, usize)> {
    // What is current at a commit, by where it begins: all of it is disjoint as long as nothing was found.
    let mut current: BTreeMap<Micros, usize> = BTreeMap::new();
    let mut ends: BinaryHeap<Reverse<(i64, Micros)>> = BinaryHeap::new();
    for (at, rectangle) in rectangles.iter().enumerate() {
        while ends.peek().is_some_and(|Reverse((end, _))| *end <= rectangle.commit) {
            if let Some(Reverse((_, from))) = ends.pop() {
                current.remove(&from);
            }
        }
        let before = current.range(..=rectangle.from).next_back().map(|(_, other)| *other);
        let behind = current.range(rectangle.from..).next().map(|(_, other)| *other);
        let overlaps = |other: &usize| rectangles[*other].from < rectangle.to && rectangle.from < rectangles[*other].to;
        if let Some(other) = [before, behind].into_iter().flatten().find(overlaps) {
            return Some((other, at));
        }
        // A fact that ended with its own commit was never true.
        if rectangle.end > rectangle.commit {
            current.insert(rectangle.from, at);
            ends.push(Reverse((rectangle.end, rectangle.from)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that repeat from their seed.
    fn numbers(seed: u64) -> impl FnMut(i64) -> i64 {
        let mut state = seed;
        move |below| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) % below.cast_unsigned()).cast_signed()
        }
    }

    #[test]
    fn overlaps_are_found_whatever_the_room_and_only_where_two_rectangles_meet() {
        let mut met = [0; 2];
        for seed in 0..400 {
            let mut number = numbers(seed);
            let facts: Vec<(u64, Rectangle)> = (0..60)
                .map(|_| {
                    let (commit, from) = (1 + number(40), number(40));
                    let hash = (number(24).cast_unsigned()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    let (end, to) = (commit + 1 + number(6), from + 1 + number(6));
                    let end = if number(8) == 0 { i64::MAX } else { end };
                    (hash, Rectangle { commit, end, from, to })
                })
                .collect();
            let overlap = |one: &Rectangle, other: &Rectangle| {
                one.commit < other.end && other.commit < one.end && one.from < other.to && other.from < one.to
            };
            let mut naive: Vec<u64> = Vec::new();
            for (at, (hash, one)) in facts.iter().enumerate() {
                naive.extend(facts[..at].iter().filter(|(other, two)| other == hash && overlap(one, two)).map(|f| f.0));
            }
            naive.sort_unstable();
            naive.dedup();
            met[usize::from(naive.is_empty())] += 1;
            for room in [1, 7, 60, 1000] {
                let mut found = Vec::new();
                let mut each = |wanted: &dyn Fn(u64) -> bool, take: &mut dyn FnMut(u64, Rectangle)| {
                    let facts = facts.iter().filter(|(hash, _)| wanted(*hash));
                    facts.for_each(|(hash, rectangle)| take(*hash, *rectangle));
                    Ok(())
                };
                let mut suspect = |hash| {
                    found.push(hash);
                    Ok(())
                };
                assert!(each_suspect(60, room, &mut each, &mut suspect).is_ok());
                assert_eq!(found, naive, "seed {seed}, room {room}");
            }
        }
        assert!(met.iter().all(|times| *times > 10), "{met:?} with and without overlaps");
    }
}
