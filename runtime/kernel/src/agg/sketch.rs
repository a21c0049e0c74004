//! How are distinct values and percentiles estimated in little memory?
//!
//! `approx_count_distinct` is a HyperLogLog of 4,096 registers (Flajolet et al. 2007) with the estimator of Ertl (2017), which
//! has no bias at either end; its standard error is 1.6 %. A group of few values is counted exactly. `approx_percentile` is a
//! t-digest (Dunning, Ertl 2019): values in order, neighbours joined into one mean where many are alike in rank, hardly at
//! both ends. A group of few values is answered exactly, as `percentile_cont` does.
//!
//! Holds: an estimate depends on the rows and their order only, not on how they come in batches, and asking for it changes
//! nothing. Nothing here is drawn at random, and the hash is fixed. NULLs are left out.

use super::Accumulator;
use crate::{
    bitmap::Bitmap,
    column::Column,
    func::{Fault, RowFault},
    key::{self, SortOrder},
    ty::{Type, TypeClass},
    value::Value,
};
use std::collections::HashSet;

/// The first bits of a hash choose one of so many registers.
const REGISTER_BITS: u32 = 12;
const REGISTER_COUNT: usize = 1 << REGISTER_BITS;
/// The longest run of zeros that the other bits can begin with, plus one.
const RANK_MAX: usize = 64 - REGISTER_BITS as usize + 1;
/// So many hashes are kept as they are before registers take their place: as many bytes as the registers have.
const EXACT_COUNT_MAX: usize = REGISTER_COUNT / size_of::<u64>();

/// What a group knows of its distinct values.
#[derive(Clone)]
enum Distinct {
    Exact(HashSet<u64>),
    Registers(Box<[u8; REGISTER_COUNT]>),
}

impl Default for Distinct {
    fn default() -> Distinct {
        Distinct::Exact(HashSet::new())
    }
}

impl Distinct {
    fn add(&mut self, hash: u64) {
        match self {
            Distinct::Registers(registers) => raise(registers, hash),
            Distinct::Exact(hashes) => {
                hashes.insert(hash);
                if hashes.len() > EXACT_COUNT_MAX {
                    let mut registers = Box::new([0; REGISTER_COUNT]);
                    hashes.iter().for_each(|hash| raise(&mut registers, *hash));
                    *self = Distinct::Registers(registers);
                }
            }
        }
    }

    fn count(&self) -> i64 {
        match self {
            Distinct::Exact(hashes) => hashes.len() as i64,
            Distinct::Registers(registers) => estimate(registers).round() as i64,
        }
    }
}

fn raise(registers: &mut [u8; REGISTER_COUNT], hash: u64) {
    let register = &mut registers[(hash >> (64 - REGISTER_BITS)) as usize];
    // The bit set at the end bounds the run of zeros.
    let rest = hash << REGISTER_BITS | 1 << (REGISTER_BITS - 1);
    *register = (*register).max(rest.leading_zeros() as u8 + 1);
}

fn estimate(registers: &[u8; REGISTER_COUNT]) -> f64 {
    let mut counts = [0.0; RANK_MAX + 1];
    registers.iter().for_each(|rank| counts[usize::from(*rank)] += 1.0);
    let all = REGISTER_COUNT as f64;
    let mut sum = all * tau(1.0 - counts[RANK_MAX] / all);
    for count in counts[1..RANK_MAX].iter().rev() {
        sum = 0.5 * (sum + count);
    }
    sum += all * sigma(counts[0] / all);
    all * all / (2.0 * std::f64::consts::LN_2 * sum)
}

/// What registers that never saw a value add.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut factor, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * factor;
        factor += factor;
        if sum == before {
            return sum;
        }
    }
}

/// What registers that are full add.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut factor, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        factor *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * factor;
        if sum == before {
            return sum / 3.0;
        }
    }
}

/// A fixed hash: each eight bytes are mixed in and stirred, the length last.
fn hash_of(bytes: &[u8]) -> u64 {
    let stir = |mut bits: u64| {
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    };
    let mut hash = 0x9e37_79b9_7f4a_7c15;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = stir(hash ^ u64::from_le_bytes(word)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
    stir(hash ^ bytes.len() as u64)
}

/// About how many distinct values each group has.
#[derive(Default)]
pub(super) struct DistinctCount {
    groups: Vec<Distinct>,
    bytes: Vec<u8>,
    /// How many rows came.
    rows: usize,
}

impl DistinctCount {
    fn each(&mut self, column: &Column, group_of: impl Fn(usize) -> usize) {
        self.rows += column.len();
        for row in (0..column.len()).filter(|row| !column.is_null(*row)) {
            // Equal data have equal sort keys, whatever their bits are.
            self.bytes.clear();
            key::sort_key(std::slice::from_ref(column), &[SortOrder::ASCENDING], row, &mut self.bytes);
            self.groups[group_of(row)].add(hash_of(&self.bytes));
        }
    }
}

impl Accumulator for DistinctCount {
    fn resize(&mut self, group_count: usize) {
        self.groups.resize_with(group_count, Distinct::default);
    }

    fn update(&mut self, groups: &[u32], arg: Option<&Column>) -> Result<(), RowFault> {
        self.each(arg.expect("only count(*) has no argument"), |row| groups[row] as usize);
        Ok(())
    }

    fn update_all(&mut self, _row_count: usize, arg: Option<&Column>) -> Result<(), RowFault> {
        self.each(arg.expect("only count(*) has no argument"), |_| 0);
        Ok(())
    }

    fn grown_bytes(&self) -> usize {
        // Few values are kept as they are, a hash each.
        (self.groups.len() * REGISTER_COUNT).min(self.rows * 2 * size_of::<u64>())
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        Ok(Column::from_i64s(Type::Integer, self.groups.iter().map(Distinct::count).collect()))
    }
}

/// The larger, the more means are kept.
const COMPRESSION: f64 = 200.0;
/// So many values wait before they are joined with the means.
const WAITING_MAX: usize = 1024;

/// Values that lie side by side: their mean, and how many they are.
#[derive(Clone, Copy)]
struct Centroid {
    mean: f64,
    weight: f64,
}

/// What a group knows of its values' distribution.
#[derive(Clone, Default)]
struct Digest {
    /// In rising order.
    centroids: Vec<Centroid>,
    waiting: Vec<f64>,
    fraction: Option<f64>,
}

impl Digest {
    fn add(&mut self, value: f64) {
        self.waiting.push(value);
        if self.waiting.len() == WAITING_MAX {
            self.centroids = self.joined();
            self.waiting.clear();
        }
    }

    /// All centroids with what waits, in order; alone where that is few enough.
    fn ordered(&self) -> Vec<Centroid> {
        let waiting = self.waiting.iter().map(|value| Centroid { mean: key::canonical_f64(*value), weight: 1.0 });
        let mut all: Vec<Centroid> = self.centroids.iter().copied().chain(waiting).collect();
        all.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        all
    }

    /// The same with neighbours joined.
    fn joined(&self) -> Vec<Centroid> {
        let all = self.ordered();
        let total: f64 = all.iter().map(|centroid| centroid.weight).sum();
        let mut joined: Vec<Centroid> = Vec::new();
        let mut before = 0.0;
        for next in all {
            let Some(last) = joined.last_mut() else {
                joined.push(next);
                continue;
            };
            let weight = last.weight + next.weight;
            let rank = (before + weight / 2.0) / total;
            // An infinity or NaN has no mean with a number.
            let same_kind = last.mean.is_finite() && next.mean.is_finite() || last.mean.total_cmp(&next.mean).is_eq();
            if same_kind && weight <= 4.0 * total * rank * (1.0 - rank) / COMPRESSION {
                if last.mean.total_cmp(&next.mean).is_ne() {
                    last.mean += (next.mean - last.mean) * next.weight / weight;
                }
                last.weight = weight;
            } else {
                before += last.weight;
                joined.push(next);
            }
        }
        joined
    }

    /// The value at the group's fraction: between the middles of the two centroids around it.
    fn value(&self) -> Option<f64> {
        let fraction = self.fraction?;
        let all = self.ordered();
        let total: f64 = all.iter().map(|centroid| centroid.weight).sum();
        let place = fraction * (total - 1.0);
        let mut before = 0.0;
        let mut low: Option<(f64, f64)> = None;
        for centroid in &all {
            let middle = before + (centroid.weight - 1.0) / 2.0;
            if place <= middle {
                return Some(match low {
                    Some((from, mean)) if place < middle && mean != centroid.mean => {
                        mean + (place - from) / (middle - from) * (centroid.mean - mean)
                    }
                    Some(_) | None => centroid.mean,
                });
            }
            low = Some((middle, centroid.mean));
            before += centroid.weight;
        }
        low.map(|(_, mean)| mean)
    }
}

/// About which value lies at a fraction of each group's.
#[derive(Default)]
pub(super) struct Percentile {
    groups: Vec<Digest>,
    /// How many rows came.
    rows: usize,
}

impl Accumulator for Percentile {
    fn resize(&mut self, group_count: usize) {
        self.groups.resize(group_count, Digest::default());
    }

    fn update(&mut self, _groups: &[u32], _arg: Option<&Column>) -> Result<(), RowFault> {
        unreachable!("a percentile has a fraction")
    }

    fn update_all(&mut self, _row_count: usize, _arg: Option<&Column>) -> Result<(), RowFault> {
        unreachable!("a percentile has a fraction")
    }

    fn update_more(&mut self, groups: &[u32], args: &[Column]) -> Result<(), RowFault> {
        let (values, fractions) = (args[0].f64s(), args[1].f64s());
        self.rows += groups.len();
        for (row, group) in groups.iter().enumerate() {
            let digest = &mut self.groups[*group as usize];
            if !args[1].is_null(row) {
                let fraction = fractions.at(row);
                if !(0.0..=1.0).contains(&fraction) {
                    let (function, args) = ("approx_percentile", vec![Value::Real(fraction)]);
                    return Err(RowFault { fault: Fault::InvalidArgument, function, ret: TypeClass::Real, row, args });
                }
                digest.fraction.get_or_insert(fraction);
            }
            if !args[0].is_null(row) {
                digest.add(values.at(row));
            }
        }
        Ok(())
    }

    fn grown_bytes(&self) -> usize {
        let digest_bytes = WAITING_MAX * size_of::<f64>() + 2 * COMPRESSION as usize * size_of::<Centroid>();
        (self.groups.len() * digest_bytes).min(self.rows * size_of::<Centroid>())
    }

    fn finish(&mut self) -> Result<Column, RowFault> {
        let values: Vec<Option<f64>> = self.groups.iter().map(Digest::value).collect();
        let present = Bitmap::from_bools(values.iter().map(Option::is_some));
        let column = Column::from_f64s(values.into_iter().map(Option::unwrap_or_default).collect());
        Ok(column.with_validity(Some(present)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(values: impl Iterator<Item = i64>) -> i64 {
        let mut accumulator = DistinctCount::default();
        accumulator.resize(1);
        let column = Column::from_i64s(Type::Integer, values.collect());
        accumulator.update_all(column.len(), Some(&column)).expect("never fails");
        accumulator.finish().expect("never fails").i64s().at(0)
    }

    #[test]
    fn few_values_are_counted_and_many_estimated() {
        assert_eq!(counted((0..1_000).map(|i| i % 300)), 300);
        for count in [600, 3_000, 20_000, 300_000] {
            let error = (counted((0..count).map(|i| i * 7)) - count).abs() as f64 / count as f64;
            assert!(error < 0.05, "{count} distinct values: off by {error}");
        }
    }

    fn percentile(values: &[f64], fraction: f64, batch_len: usize) -> f64 {
        let mut accumulator = Percentile::default();
        accumulator.resize(1);
        for batch in values.chunks(batch_len) {
            let fractions = Column::constant(Type::Real, Value::Real(fraction), batch.len());
            let args = [Column::from_f64s(batch.to_vec()), fractions];
            accumulator.update_more(&vec![0; batch.len()], &args).expect("the fraction is one");
            if batch_len > 256 {
                accumulator.finish().expect("asking changes nothing");
            }
        }
        accumulator.finish().expect("never fails").f64s().at(0)
    }

    #[test]
    fn percentiles_are_near_and_do_not_depend_on_batches() {
        // Every number once, in an order that is not theirs.
        let values: Vec<f64> = (0..10_000u64).map(|i| (i * 7_919 % 10_000) as f64).collect();
        for fraction in [0.0, 0.01, 0.5, 0.9, 1.0] {
            let (one, other) = (percentile(&values, fraction, 4_096), percentile(&values, fraction, 7));
            assert_eq!(one.to_bits(), other.to_bits());
            assert!((one - fraction * 9_999.0).abs() < 50.0, "{fraction}: {one}");
        }
        assert_eq!(percentile(&values, 0.0, 512), 0.0);
        assert_eq!(percentile(&values, 1.0, 512), 9_999.0);
    }

    #[test]
    fn few_values_have_exact_percentiles() {
        assert_eq!(percentile(&[1.0, 2.0, 2.0, 10.0], 0.5, 4), 2.0);
        assert_eq!(percentile(&[4.0, 1.0], 0.5, 1), 2.5);
        let odd = [f64::NEG_INFINITY, 1.0, f64::INFINITY, f64::NAN, f64::NAN];
        assert_eq!(percentile(&odd.repeat(1_000), 0.3, 64), 1.0);
        assert!(percentile(&odd.repeat(1_000), 1.0, 64).is_nan());
    }
}
