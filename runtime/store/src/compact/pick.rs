//! Which segments are compacted next?
//!
//! First level 0, when it has as many segments as it may and is worth what it overlaps in level 1: all of them go there, with
//! what they overlap.
//! Then a level that is over its budget gives a segment to the next. Then a segment of which a quarter has ended is
//! written anew without it. Then small neighbours in a level become one segment (`neighbours`). Then history that is past its table's
//! retention. Then history, where segments of about one size are merged when there are enough of them.
//! What shares nothing with the compactions under way may be chosen beside them.
//!
//! Segments that overlap nothing are moved without being read, unless the next level is packed differently.
//!
//! Not here: doing it (`compact`).

use super::{Horizons, claims::State, neighbours::small_neighbours};
use crate::{
    config::{CompressionPolicy, Config},
    error::Result,
    run::lane_of_commit,
    sst::Segment,
    tree::{SegmentKind, TableFiles, TableShard, Version},
};
use std::sync::Arc;

/// A level may be so many times as big as the one above.
const LEVEL_GROWTH: u64 = 10;

/// Level 1 of a shard may be so many times its part of a memtable big.
const LEVEL1_MEMTABLES: u64 = 4;

/// Each level's segments are so many times as large as those of the one above, up to a bound: a level has ten times the bytes of the one
/// above, and not ten times the files.
const SEGMENT_GROWTH: u64 = 4;

/// Where memtables are smaller, segments grow up to so many bytes.
const SEGMENT_BYTES_MAX: u64 = 64 << 20;

/// Larger history segments are not merged by themselves: their directories are sorted in memory.
const HISTORY_BYTES_MAX: u64 = 256 << 20;

/// A segment with one ended fact in so many is written anew.
const ENDED_ONE_IN: u64 = 4;

/// Level 0 waits for more segments while what it overlaps in level 1 is more than so many times as big.
const LEVEL0_SHARE: u64 = 3;

/// A compaction to do.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) place: TableShard,
    pub(super) kind: SegmentKind,
    pub(super) inputs: Vec<Arc<Segment>>,
    /// The lowest level of an input.
    pub(super) from_level: u8,
    /// Where the current facts go.
    pub(super) level: u8,
    /// Nothing needs to be merged: the inputs only change their level.
    pub(super) moves: bool,
}

/// A segment of current facts that a compaction writes ends at about so many bytes.
pub(super) fn segment_bytes(shard_bytes: u64, level: u8) -> u64 {
    let deeper = u32::from(level.saturating_sub(1));
    shard_bytes.saturating_mul(SEGMENT_GROWTH.saturating_pow(deeper)).min(SEGMENT_BYTES_MAX.max(shard_bytes))
}

fn bytes(segments: &[Arc<Segment>]) -> u64 {
    segments.iter().map(|segment| segment.meta.bytes).sum()
}

fn overlapping(level: &[Arc<Segment>], inputs: &[Arc<Segment>]) -> Vec<Arc<Segment>> {
    let low = inputs.iter().map(|input| &input.meta.key_min).min();
    let high = inputs.iter().map(|input| &input.meta.key_max).max();
    let (Some(low), Some(high)) = (low, high) else { return Vec::new() };
    let within = |segment: &&Arc<Segment>| segment.meta.key_max >= *low && segment.meta.key_min <= *high;
    level.iter().filter(within).cloned().collect()
}

fn disjoint(segments: &[Arc<Segment>]) -> bool {
    let mut sorted: Vec<_> = segments.iter().map(|segment| (&segment.meta.key_min, &segment.meta.key_max)).collect();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0].1 < pair[1].0)
}

/// Segments of different schema versions are left as they are.
fn one_shape(segments: &[Arc<Segment>]) -> Result<bool> {
    let first = segments[0].index()?.shape.version;
    for segment in segments {
        if segment.index()?.shape.version != first {
            return Ok(false);
        }
    }
    Ok(true)
}

fn downwards(
    place: TableShard,
    files: &TableFiles,
    level: usize,
    mut inputs: Vec<Arc<Segment>>,
    packing: &CompressionPolicy,
) -> Result<Option<Job>> {
    let below = &files.levels[level + 1];
    // What is packed differently there has to be written anew.
    let alike = packing.level(level as u8) == packing.level(level as u8 + 1);
    // Whatever lies between the first and the last key is part of it, or the level would overlap itself.
    let between = overlapping(below, &inputs);
    let moves = alike && between.is_empty() && disjoint(&inputs);
    inputs.extend(between);
    if !one_shape(&inputs)? {
        return Ok(None);
    }
    Ok(Some(Job { place, kind: SegmentKind::Current, inputs, from_level: level as u8, level: level as u8 + 1, moves }))
}

/// Is level 0 big enough, beside what of level 1 would be written again with it? A load in random order would write that for
/// every few segments; so it waits for more, up to where writers would soon be slowed.
fn is_worth(inputs: &[Arc<Segment>], files: &TableFiles, config: &Config) -> bool {
    let crowded = inputs.len() >= config.level0_segments_slow / 4 * 3;
    crowded || bytes(&overlapping(&files.levels[1], inputs)) <= bytes(inputs).saturating_mul(LEVEL0_SHARE)
}

/// What tells which compaction is due.
pub(super) struct Due<'a> {
    pub(super) config: &'a Config,
    /// A shard's part of a memtable.
    pub(super) shard_bytes: u64,
    /// What ended at or before it can go to history.
    pub(super) cut: i64,
    pub(super) horizons: Horizons<'a>,
}

/// How many facts of a history segment ended at or before a commit, counting whole blocks?
fn ended_by(segment: &Segment, horizon: i64) -> Result<u64> {
    let past = segment.index()?.blocks.iter().filter(|block| block.bounds.end_max <= horizon);
    Ok(past.map(|block| u64::from(block.rows)).sum())
}

/// The compaction that is most due and may run now.
pub(super) fn pick(version: &Version, due: &Due<'_>, others: &State) -> Result<Option<Job>> {
    let Due { config, shard_bytes, cut, horizons } = *due;
    let allowed = |job: &Job| others.allows(job);
    let free = |segments: &[Arc<Segment>]| -> Vec<Arc<Segment>> {
        segments.iter().filter(|segment| !others.has(segment.meta.file)).cloned().collect()
    };
    // A large write's segments stand here before a checkpoint covers their record: a crash may still need them.
    let covered = |segment: &Arc<Segment>| lane_of_commit(segment.meta.commit_max) <= cut;
    for (place, files) in &version.tables {
        let mut inputs = free(&files.levels[0]);
        inputs.retain(covered);
        if inputs.len() >= config.level0_segments_max.max(1) && is_worth(&inputs, files, config) {
            let job = downwards(*place, files, 0, inputs, &config.compression)?;
            if job.as_ref().is_some_and(allowed) {
                return Ok(job);
            }
        }
    }
    for (place, files) in &version.tables {
        let mut budget = shard_bytes.saturating_mul(LEVEL1_MEMTABLES);
        for level in 1..files.levels.len() - 1 {
            let mut candidates = free(&files.levels[level]);
            if bytes(&candidates) > budget {
                // The one that costs least first: the less it overlaps below, the better.
                candidates.sort_by_cached_key(|segment| {
                    bytes(&overlapping(&files.levels[level + 1], std::slice::from_ref(segment)))
                });
                for segment in candidates {
                    let job = downwards(*place, files, level, vec![segment], &config.compression)?;
                    if job.as_ref().is_some_and(allowed) {
                        return Ok(job);
                    }
                }
            }
            budget = budget.saturating_mul(LEVEL_GROWTH);
        }
        for (level, segments) in files.levels.iter().enumerate().skip(1) {
            let ended = |segment: &&Arc<Segment>| {
                // What lies after the cut is not absorbed, and would be picked again and again.
                let many = |count: u64| count * ENDED_ONE_IN > segment.meta.rows;
                many(segment.noted()) && many(segment.notes().iter().filter(|(_, end)| *end <= cut).count() as u64)
            };
            for segment in segments.iter().filter(ended) {
                let (inputs, level) = (vec![segment.clone()], level as u8);
                let kind = SegmentKind::Current;
                let job = Job { place: *place, kind, inputs, from_level: level, level, moves: false };
                if allowed(&job) {
                    return Ok(Some(job));
                }
            }
        }
        for (level, segments) in files.levels.iter().enumerate().skip(1) {
            let full = segment_bytes(shard_bytes, level as u8);
            for inputs in small_neighbours(segments, full, &|file| others.has(file)) {
                let (kind, level) = (SegmentKind::Current, level as u8);
                let job = Job { place: *place, kind, inputs, from_level: level, level, moves: false };
                if allowed(&job) && one_shape(&job.inputs)? {
                    return Ok(Some(job));
                }
            }
        }
        let tier = |segment: &Arc<Segment>| segment.meta.bytes.ilog(4);
        let history = free(&files.history);
        let horizon = match history.is_empty() {
            true => 0,
            false => lane_of_commit(horizons(place.table)?),
        };
        if horizon > 0 {
            let is_past = |segment: &&Arc<Segment>| lane_of_commit(segment.meta.system_to_max) <= horizon;
            let mut inputs: Vec<Arc<Segment>> = history.iter().filter(is_past).cloned().collect();
            if inputs.is_empty() {
                for segment in &history {
                    if ended_by(segment, horizon)? * ENDED_ONE_IN > segment.meta.rows {
                        inputs.push(segment.clone());
                        break;
                    }
                }
            }
            let kind = SegmentKind::History;
            let job = Job { place: *place, kind, inputs, from_level: 0, level: 0, moves: false };
            if !job.inputs.is_empty() && allowed(&job) {
                return Ok(Some(job));
            }
        }
        for segment in history.iter().filter(|segment| segment.meta.bytes < HISTORY_BYTES_MAX) {
            let alike = history.iter().filter(|other| tier(other) == tier(segment));
            let inputs: Vec<Arc<Segment>> = alike.cloned().collect();
            if inputs.len() >= config.level0_segments_max.max(2) && one_shape(&inputs)? {
                let kind = SegmentKind::History;
                let job = Job { place: *place, kind, inputs, from_level: 0, level: 0, moves: false };
                if allowed(&job) {
                    return Ok(Some(job));
                }
            }
        }
    }
    Ok(None)
}

/// The compaction of all a table has of one kind; none when there is nothing to gain.
pub(super) fn pick_all(
    version: &Version,
    place: TableShard,
    kind: SegmentKind,
    cut: i64,
    horizons: Horizons<'_>,
) -> Result<Option<Job>> {
    let Some(files) = version.tables.get(&place) else { return Ok(None) };
    let (inputs, level) = match kind {
        SegmentKind::Current => {
            let used: Vec<usize> = (0..files.levels.len()).filter(|level| !files.levels[*level].is_empty()).collect();
            let level = used.last().copied().unwrap_or(0).max(1);
            let covered = |segment: &&Arc<Segment>| lane_of_commit(segment.meta.commit_max) <= cut;
            let inputs: Vec<Arc<Segment>> = files.levels.iter().flatten().filter(covered).cloned().collect();
            if used == [level] && inputs.iter().all(|input| input.noted() == 0) {
                return Ok(None);
            }
            (inputs, level as u8)
        }
        SegmentKind::History if files.history.is_empty() => return Ok(None),
        SegmentKind::History if files.history.len() == 1 => {
            let horizon = lane_of_commit(horizons(place.table)?);
            if !files.history[0].index()?.blocks.iter().any(|block| block.bounds.end_min <= horizon) {
                return Ok(None);
            }
            (files.history.clone(), 0)
        }
        SegmentKind::History => (files.history.clone(), 0),
    };
    if inputs.is_empty() || !one_shape(&inputs)? {
        return Ok(None);
    }
    Ok(Some(Job { place, kind, inputs, from_level: 0, level, moves: false }))
}
