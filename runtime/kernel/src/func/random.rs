//! What comes by chance?
//!
//! `random()` and `gen_random_uuid()`: another value for each row and each call. A thread's numbers are a keyed hash (SipHash)
//! of a counter, with a key that the system gave when the thread first asked: they cannot be told from those before.
//!
//! Holds: a function without arguments is never a constant, whoever folds; both are listed as functions that may fail, so no
//! rewrite computes one for other rows than the statement does. What was written is recorded, so that reading it
//! again, replay and readers give what was written.
//! `setseed(x)` makes a thread's numbers follow from x. `array_shuffle` and `array_sample` get a number by chance as an argument from the binder.

use super::{Fault, RowFault, lift::functions};
use crate::{
    array::{Dimension, View, Writer},
    column::{Column, Data},
    ty::Type,
    uuid::Uuid,
};
use std::{
    cell::RefCell,
    hash::{BuildHasher, RandomState},
};

/// The functions whose values come out differently each time.
const BY_CHANCE: [&str; 2] = ["random", "gen_random_uuid"];

/// What a text says besides that holds such a call.
const MADE_OF: [&str; 3] = ["array_shuffle", "array_sample", "setseed"];

/// Does a function come out differently each time?
pub fn is_by_chance(name: &str) -> bool {
    BY_CHANCE.contains(&name)
}

/// What a text names that holds a call which may come out differently each time.
pub fn names() -> impl Iterator<Item = &'static str> {
    BY_CHANCE.into_iter().chain(MADE_OF)
}

/// Where a thread's numbers come from.
enum Chance {
    /// A key of the system, and a counter.
    Keyed(RandomState, u64),
    /// The number before, since somebody said which.
    Seeded(u64),
}

thread_local! {
    static CHANCE: RefCell<Chance> = RefCell::new(Chance::Keyed(RandomState::new(), 0));
}

/// The next of a sequence of numbers (SplitMix64).
fn mixed(state: u64) -> u64 {
    let mixed = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

fn next() -> u64 {
    CHANCE.with_borrow_mut(|chance| match chance {
        Chance::Keyed(key, count) => {
            *count += 1;
            key.hash_one(*count)
        }
        Chance::Seeded(state) => {
            *state = mixed(*state);
            *state
        }
    })
}

/// A number from 0 on, below 1.
pub fn random() -> (f64, Fault) {
    // As many bits as a REAL below 1 holds.
    ((next() >> 11) as f64 / (1u64 << 53) as f64, Fault::Ok)
}

fn random_rows(_: &[Column], len: usize) -> Result<Column, RowFault> {
    Ok(Column::from_f64s((0..len).map(|_| random().0).collect()))
}

/// A UUID of version 4, as its lane.
pub fn uuid() -> (i128, Fault) {
    let bits = u128::from(next()) << 64 | u128::from(next());
    let bits = bits & !(0xF << 76) | 0x4 << 76;
    let bits = bits & !(0x3 << 62) | 0x2 << 62;
    (Uuid(bits).lane(), Fault::Ok)
}

fn uuid_rows(_: &[Column], len: usize) -> Result<Column, RowFault> {
    let lanes: Vec<i128> = (0..len).map(|_| uuid().0).collect();
    Ok(Column::new(Type::Uuid, None, Data::I128(lanes.into())))
}

/// A number that the next ones follow from: `setseed(x)`, with x from -1 to 1. The second argument comes by chance, so that nobody
/// takes the call for a constant.
pub fn set_seed(seed: f64, _: f64, out: &mut String) -> Fault {
    if !(-1.0..=1.0).contains(&seed) {
        return Fault::InvalidArgument;
    }
    out.clear();
    CHANCE.with_borrow_mut(|chance| *chance = Chance::Seeded(seed.to_bits()));
    Fault::Ok
}

/// The elements in an order that follows from a number from 0 to 1, as many as are asked for.
fn shuffled(array: &[u8], count: usize, lower: Option<i32>, chance: f64, out: &mut Vec<u8>) -> Fault {
    let view = View::new(array);
    let Some(first) = view.dimensions().next() else {
        out.extend_from_slice(array);
        return if count == 0 { Fault::Ok } else { Fault::InvalidArgument };
    };
    if count > first.len as usize {
        return Fault::InvalidArgument;
    }
    // Parts of the first dimension keep their order within.
    let part = view.len() / first.len as usize;
    let mut order: Vec<usize> = (0..first.len as usize).collect();
    let mut state = chance.to_bits();
    for at in 0..count {
        state = mixed(state);
        let left = (order.len() - at) as u64;
        order.swap(at, at + (state % left) as usize);
    }
    let mut writer = Writer::new(view.element());
    for at in &order[..count] {
        (at * part..(at + 1) * part).for_each(|element| writer.push_from(view, element));
    }
    if count == 0 {
        out.extend(writer.finish_flat());
        return Fault::Ok;
    }
    let rest = view.dimensions().skip(1);
    let dimensions: Vec<Dimension> =
        std::iter::once(Dimension { len: count as u32, lower: lower.unwrap_or(first.lower) }).chain(rest).collect();
    writer.finish(&dimensions, out);
    Fault::Ok
}

/// All elements in another order.
pub fn shuffle(array: &[u8], chance: f64, out: &mut Vec<u8>) -> Fault {
    let count = View::new(array).dimensions().next().map_or(0, |first| first.len as usize);
    shuffled(array, count, None, chance, out)
}

/// So many of the elements.
pub fn sample(array: &[u8], count: i64, chance: f64, out: &mut Vec<u8>) -> Fault {
    match usize::try_from(count) {
        Ok(count) => shuffled(array, count, Some(1), chance, out),
        Err(_) => Fault::InvalidArgument,
    }
}

functions! { "func::random";
    "$setseed" (Real, Real) -> Text, Fallible, set_seed, "setseed(x): what comes by chance in this thread follows from a number from -1 to 1.";
    "$array_shuffle" (Array, Real) -> Array, Fallible, shuffle, "array_shuffle(a): the elements in an order by chance.";
    "$array_sample" (Array, Integer, Real) -> Array, Fallible, sample, "array_sample(a, n): so many of the elements by chance.";
    "random" () -> Real, Fallible, random by random_rows, "A number by chance from 0 on, below 1; another one for each row.";
    "gen_random_uuid" () -> Uuid, Fallible, uuid by uuid_rows, "A UUID of version 4, by chance; another one for each row.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn every_row_has_its_own() {
        let numbers = random_rows(&[], 1000).expect("it never fails");
        let numbers: Vec<f64> = (0..1000).map(|row| numbers.f64s().at(row)).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(numbers.windows(2).all(|pair| pair[0] != pair[1]));
        let mean = numbers.iter().sum::<f64>() / 1000.0;
        assert!((0.4..0.6).contains(&mean), "{mean}");
        let uuids = uuid_rows(&[], 2).expect("it never fails");
        assert_ne!(uuids.value(0), uuids.value(1));
        let Value::Uuid(uuid) = uuids.value(0) else { panic!("a UUID") };
        let text = uuid.to_string();
        assert_eq!(&text[14..15], "4");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
    }
}
