//! Which rows have the same key?
//!
//! Every distinct key gets a number, in order of first appearance. A column of integers is its own key; any other is written
//! as the sort key of `spectradb_kernel::key`, whose bytes are equal exactly when the data are: NULL equals NULL, -0.0
//! equals 0.0, every NaN every NaN, and JSON numbers equal what they equal in value. Dictionary columns are looked up once
//! for each distinct value of a batch, constants once a batch. Of several columns each is numbered on its own; then the
//! numbers are paired from left to right, and a pair of numbers is an integer again.
//!
//! Holds: numbers do not depend on hashes. Not here: what is kept for a group (`aggregate`, `hash_join`, `distinct`).

use hashbrown::{DefaultHashBuilder, HashTable};
use spectradb_kernel::{
    Column, Type, Value,
    bitmap::Bitmap,
    column::{Data, Vals},
    key::{self, SortOrder},
    ty::LaneKind,
};
use std::hash::BuildHasher;

/// No group: a key with a NULL where NULLs equal nothing, or one that is not known.
pub(super) const NO_GROUP: u32 = u32::MAX;

/// What a NULL in a key equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nulls {
    /// Other NULLs: GROUP BY, DISTINCT.
    Equal,
    /// Nothing: joins, IN.
    Nothing,
}

/// The numbers of the keys seen so far.
pub(super) struct Groups {
    nulls: Nulls,
    hasher: DefaultHashBuilder,
    keys: Keys,
    len: u32,
    scratch: Vec<u8>,
}

enum Keys {
    /// Not known before the first batch.
    Unknown,
    /// A lone column of 64-bit integers.
    Ints { table: HashTable<(i64, u32)>, null: Option<u32> },
    /// Any other lone column: keys one after another, cut by `ends`.
    Bytes { table: HashTable<u32>, bytes: Vec<u8>, ends: Vec<usize> },
    /// Several columns, and the pairs of the numbers before a column and its own.
    Several { columns: Vec<Groups>, pairs: Vec<Groups> },
}

impl Groups {
    /// No key yet.
    pub(super) fn new(nulls: Nulls) -> Groups {
        let hasher = DefaultHashBuilder::default();
        Groups { nulls, hasher, keys: Keys::Unknown, len: 0, scratch: Vec::new() }
    }

    /// How many keys.
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// Appends the group of each row to `groups`; keys not seen before get the next numbers. Rows that are the first of
    /// their group are appended to `firsts`.
    pub(super) fn assign(&mut self, columns: &[Column], len: usize, groups: &mut Vec<u32>, firsts: &mut Vec<u32>) {
        if columns.is_empty() {
            // Rows without columns are all the same row.
            return self.assign(&[Column::constant(Type::Boolean, Value::Boolean(true), len)], len, groups, firsts);
        }
        self.choose(columns);
        self.run(columns, len, groups, &mut |row| firsts.push(row), true);
    }

    /// Appends the group of each row to `groups`, [`NO_GROUP`] where the key has not been seen.
    pub(super) fn find(&mut self, columns: &[Column], len: usize, groups: &mut Vec<u32>) {
        self.choose(columns);
        self.run(columns, len, groups, &mut |_| {}, false);
    }

    fn choose(&mut self, columns: &[Column]) {
        if !matches!(self.keys, Keys::Unknown) {
            return;
        }
        self.keys = match columns {
            [only] if only.ty().lane() == LaneKind::I64 => Keys::Ints { table: HashTable::new(), null: None },
            [_] => Keys::Bytes { table: HashTable::new(), bytes: Vec::new(), ends: Vec::new() },
            several => Keys::Several {
                columns: several.iter().map(|_| Groups::new(self.nulls)).collect(),
                pairs: several.iter().skip(1).map(|_| Groups::new(Nulls::Nothing)).collect(),
            },
        };
    }

    fn run(&mut self, columns: &[Column], len: usize, groups: &mut Vec<u32>, first: &mut dyn FnMut(u32), grow: bool) {
        if len == 0 {
            return;
        }
        if let Keys::Several { .. } = self.keys {
            return self.run_several(columns, len, groups, first, grow);
        }
        if columns[0].as_const().is_some() {
            let group = self.one(columns, 0, &mut |_| first(0), grow);
            groups.resize(groups.len() + len, group);
            return;
        }
        if let [column] = columns
            && let Data::Dictionary { codes, values } = column.data()
            && values.len() <= len
        {
            // Number by code; a code's group is found when its first row comes, so that order is kept.
            let mut known = vec![None; values.len()];
            let single = std::slice::from_ref(values.as_ref());
            for row in 0..len {
                let group = if column.is_null(row) {
                    self.one(columns, row, &mut |_| first(row as u32), grow)
                } else {
                    let code = codes.at(row);
                    match known[code] {
                        Some(group) => group,
                        None => {
                            let group = self.one(single, code, &mut |_| first(row as u32), grow);
                            known[code] = Some(group);
                            group
                        }
                    }
                };
                groups.push(group);
            }
            return;
        }
        if let Keys::Ints { table, null } = &mut self.keys {
            let column = &columns[0];
            let Vals::Many(values) = column.i64s() else { unreachable!("constants were handled") };
            groups.reserve(len);
            let mut seen = self.len;
            // Runs of one key are common (facts come in key order): the last answer is tried first.
            let mut last: Option<(i64, u32)> = None;
            let known = column.validity();
            for (row, value) in values.iter().copied().enumerate() {
                if known.is_some_and(|known| !known.is_set(row)) {
                    groups.push(null_group(self.nulls, null, &mut seen, grow, &mut || first(row as u32)));
                    continue;
                }
                if let Some((same, group)) = last
                    && same == value
                {
                    groups.push(group);
                    continue;
                }
                let group = int_group(table, &self.hasher, value, &mut seen, grow, &mut || first(row as u32));
                last = Some((value, group));
                groups.push(group);
            }
            self.len = seen;
            return;
        }
        for row in 0..len {
            let group = self.one(columns, row, &mut |_| first(row as u32), grow);
            groups.push(group);
        }
    }

    fn run_several(
        &mut self,
        columns: &[Column],
        len: usize,
        groups: &mut Vec<u32>,
        first: &mut dyn FnMut(u32),
        grow: bool,
    ) {
        let Keys::Several { columns: singles, pairs } = &mut self.keys else {
            unreachable!("the keys' form was chosen")
        };
        let mut numbers = Vec::with_capacity(len);
        let mut ignored = Vec::new();
        let mut so_far: Vec<u32> = Vec::with_capacity(len);
        for (position, (single, column)) in singles.iter_mut().zip(columns).enumerate() {
            numbers.clear();
            let column = std::slice::from_ref(column);
            if grow {
                single.assign(column, len, &mut numbers, &mut ignored)
            } else {
                single.find(column, len, &mut numbers)
            }
            let Some(before) = position.checked_sub(1) else {
                std::mem::swap(&mut so_far, &mut numbers);
                continue;
            };
            let is_known: Vec<bool> =
                so_far.iter().zip(&numbers).map(|(a, b)| *a != NO_GROUP && *b != NO_GROUP).collect();
            let pair_of = |(a, b): (&u32, &u32)| i64::from(*a) << 32 | i64::from(*b);
            let pair = Column::from_i64s(Type::Integer, so_far.iter().zip(&numbers).map(pair_of).collect());
            let pair = match is_known.iter().all(|known| *known) {
                true => pair,
                false => pair.with_validity(Some(Bitmap::from_bools(is_known.into_iter()))),
            };
            so_far.clear();
            let is_last = position + 1 == pairs.len() + 1;
            let mut note = |row| {
                if is_last {
                    first(row)
                }
            };
            pairs[before].choose(std::slice::from_ref(&pair));
            pairs[before].run(&[pair], len, &mut so_far, &mut note, grow);
        }
        self.len = pairs.last().expect("several columns have a pair").len;
        groups.append(&mut so_far);
    }

    /// The group of one row's key.
    fn one(&mut self, columns: &[Column], row: usize, first: &mut dyn FnMut(()), grow: bool) -> u32 {
        let is_null = |column: &Column| column.is_null(row);
        if self.nulls == Nulls::Nothing && columns.iter().any(is_null) {
            return NO_GROUP;
        }
        match &mut self.keys {
            Keys::Unknown | Keys::Several { .. } => unreachable!("the keys' form was chosen"),
            Keys::Ints { table, null } => {
                if columns[0].is_null(row) {
                    return null_group(self.nulls, null, &mut self.len, grow, &mut || first(()));
                }
                let value = match columns[0].data() {
                    Data::I64(lane) => lane.as_slice()[row],
                    _ => columns[0].slice(row..row + 1).i64s().at(0),
                };
                int_group(table, &self.hasher, value, &mut self.len, grow, &mut || first(()))
            }
            Keys::Bytes { table, bytes, ends } => {
                self.scratch.clear();
                for column in columns {
                    key::sort_key(std::slice::from_ref(column), &[SortOrder::ASCENDING], row, &mut self.scratch);
                }
                let key_at = |group: u32, bytes: &[u8], ends: &[usize]| {
                    let start = if group == 0 { 0 } else { ends[group as usize - 1] };
                    (start, ends[group as usize], bytes.len())
                };
                let hash = self.hasher.hash_one(self.scratch.as_slice());
                let same = |group: &u32| {
                    let (start, end, _) = key_at(*group, bytes, ends);
                    bytes[start..end] == self.scratch[..]
                };
                if let Some(group) = table.find(hash, same) {
                    return *group;
                }
                if !grow {
                    return NO_GROUP;
                }
                let group = self.len;
                bytes.extend_from_slice(&self.scratch);
                ends.push(bytes.len());
                table.insert_unique(hash, group, |group| {
                    let (start, end, _) = key_at(*group, bytes, ends);
                    self.hasher.hash_one(&bytes[start..end])
                });
                self.len += 1;
                first(());
                group
            }
        }
    }
}

fn null_group(nulls: Nulls, null: &mut Option<u32>, seen: &mut u32, grow: bool, first: &mut dyn FnMut()) -> u32 {
    match (nulls, *null) {
        (Nulls::Nothing, _) => NO_GROUP,
        (Nulls::Equal, Some(group)) => group,
        (Nulls::Equal, None) if grow => {
            let group = *seen;
            *null = Some(group);
            *seen += 1;
            first();
            group
        }
        (Nulls::Equal, None) => NO_GROUP,
    }
}

#[inline]
fn int_group(
    table: &mut HashTable<(i64, u32)>,
    hasher: &DefaultHashBuilder,
    value: i64,
    seen: &mut u32,
    grow: bool,
    first: &mut dyn FnMut(),
) -> u32 {
    let hash = hasher.hash_one(value);
    if let Some((_, group)) = table.find(hash, |(key, _)| *key == value) {
        return *group;
    }
    if !grow {
        return NO_GROUP;
    }
    let group = *seen;
    table.insert_unique(hash, (value, group), |(key, _)| hasher.hash_one(*key));
    *seen += 1;
    first();
    group
}

#[cfg(test)]
mod tests {
    use super::*;
    use spectradb_kernel::column::Codes;
    use std::sync::Arc;

    fn assign(groups: &mut Groups, columns: &[Column]) -> (Vec<u32>, Vec<u32>) {
        let (mut numbers, mut firsts) = (Vec::new(), Vec::new());
        groups.assign(columns, columns[0].len(), &mut numbers, &mut firsts);
        (numbers, firsts)
    }

    #[test]
    fn keys_are_numbered_by_first_appearance() {
        let ints =
            Column::from_values(Type::Integer, &[5i64.into(), Value::Null, 5i64.into(), 7i64.into(), Value::Null]);
        let texts = Column::from_values(Type::Text, &["a".into(), Value::Null, "a".into(), "b".into(), Value::Null]);
        for column in [ints.clone(), texts.clone()] {
            let mut groups = Groups::new(Nulls::Equal);
            assert_eq!(assign(&mut groups, std::slice::from_ref(&column)), (vec![0, 1, 0, 2, 1], vec![0, 1, 3]));
            assert_eq!(assign(&mut groups, &[column.slice(3..5)]), (vec![2, 1], vec![]));
            let mut groups = Groups::new(Nulls::Nothing);
            assert_eq!(assign(&mut groups, &[column]).0, vec![0, NO_GROUP, 0, 1, NO_GROUP]);
        }
        let mut groups = Groups::new(Nulls::Equal);
        assert_eq!(assign(&mut groups, &[ints, texts]).0, vec![0, 1, 0, 2, 1]);
        let other = [Column::from_i64s(Type::Integer, vec![5]), Column::constant(Type::Text, "b".into(), 1)];
        let mut found = Vec::new();
        groups.find(&other, 1, &mut found);
        assert_eq!((found, groups.len()), (vec![NO_GROUP], 3));
    }

    #[test]
    fn encodings_have_the_same_keys() {
        let values = Arc::new(Column::from_values(Type::Text, &["x".into(), "y".into(), "z".into()]));
        let codes = Codes::U8(vec![2, 0, 2, 0].into());
        let coded = Column::new(Type::Text, None, Data::Dictionary { codes, values });
        let mut groups = Groups::new(Nulls::Equal);
        assert_eq!(assign(&mut groups, std::slice::from_ref(&coded)), (vec![0, 1, 0, 1], vec![0, 1]));
        assert_eq!(assign(&mut groups, &[coded.to_plain()]).0, vec![0, 1, 0, 1]);
        assert_eq!(assign(&mut groups, &[Column::constant(Type::Text, "x".into(), 2)]).0, vec![1, 1]);
        let frame = Data::FrameOfReference { base: 100, codes: Codes::U8(vec![1, 0].into()) };
        let mut groups = Groups::new(Nulls::Equal);
        assert_eq!(assign(&mut groups, &[Column::new(Type::Integer, None, frame)]).0, vec![0, 1]);
        assert_eq!(assign(&mut groups, &[Column::from_i64s(Type::Integer, vec![100, 101])]).0, vec![1, 0]);
        assert_eq!(assign(&mut groups, &[Column::constant(Type::Integer, 101i64.into(), 1)]).0, vec![0]);
    }

    #[test]
    fn equal_numbers_are_one_key() {
        let reals = Column::from_f64s(vec![0.0, -0.0, f64::NAN, -f64::NAN, 1.0]);
        assert_eq!(assign(&mut Groups::new(Nulls::Equal), &[reals]).0, vec![0, 0, 1, 1, 2]);
        let json = |text: &str| Value::Json(text.into());
        let jsons = Column::from_values(
            Type::Json,
            &[json("1"), json("1.0"), json("{\"a\":1,\"b\":2}"), json("{\"b\":2, \"a\":1}")],
        );
        assert_eq!(assign(&mut Groups::new(Nulls::Equal), &[jsons]).0, vec![0, 0, 1, 1]);
    }
}
