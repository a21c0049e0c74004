//! What comes by chance?
//!
//! `random()` and `gen_random_uuid()`: another value for each row and each call. A thread's numbers are a keyed hash (SipHash)
//! of a counter, with a key that the system gave when the thread first asked: they cannot be told from those before.
//!
//! Holds: a function without arguments is never a constant, whoever folds; both are listed as functions that may fail, so no
//! rewrite computes one for other rows than the statement does. What was written is recorded, so that reading it
//! again, replay and readers give what was written.
//! Not here: a seed: `setseed` does not exist.

use super::{Fault, RowFault, lift::functions};
use crate::{
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

/// Does a function come out differently each time?
pub fn is_by_chance(name: &str) -> bool {
    BY_CHANCE.contains(&name)
}

/// What a text names that holds a call which may come out differently each time.
pub fn names() -> impl Iterator<Item = &'static str> {
    BY_CHANCE.into_iter()
}

thread_local! {
    static CHANCE: RefCell<(RandomState, u64)> = RefCell::new((RandomState::new(), 0));
}

fn next() -> u64 {
    CHANCE.with_borrow_mut(|(key, count)| {
        *count += 1;
        key.hash_one(*count)
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

functions! { "func::random";
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
