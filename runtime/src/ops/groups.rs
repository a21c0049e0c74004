//! Which rows have the same key?
//!
//! Every distinct key gets a number, in order of first appearance. An integer is its own key, and so is a string; anything
//! else is written as the sort key of `spectradb_kernel::key`, whose bytes are equal exactly when the data are: -0.0 equals
//! 0.0, every NaN every NaN, and JSON numbers equal what they equal in value. Dictionary columns are looked up once for
//! each distinct value of a batch, constants once a batch. Of several columns each is numbered on its own; then the numbers
//! are paired from left to right, and a pair of numbers is an integer again.
//!
//! Holds: numbers do not depend on hashes. Not here: what is kept for a group (`aggregate`, `hash_join`, `distinct`).

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};
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
    /// What a NULL equals in each of several columns, where they differ.
    each: Vec<Nulls>,
    keys: Keys,
    /// The number of NULL, once it was seen.
    null: Option<u32>,
    len: u32,
    scratch: Vec<u8>,
}

enum Keys {
    /// Not known before the first batch.
    Unknown,
    /// A lone column of 64-bit integers.
    Ints(IntTable),
    /// Any other lone column.
    Bytes(ByteTable),
    /// Several columns, and the pairs of the numbers before a column and its own.
    Several { columns: Vec<Groups>, pairs: Vec<Groups> },
}

/// Numbers by integer: an array where the keys lie close together, as generated keys do, a hash table otherwise.
enum IntTable {
    /// `numbers[key - base]`, [`NO_GROUP`] for keys not seen. The last place has no key and is [`NO_GROUP`] for ever: it is
    /// where keys are looked up that lie outside.
    Dense {
        base: i64,
        numbers: Vec<u32>,
        known: usize,
    },
    Hashed {
        hasher: DefaultHashBuilder,
        table: HashTable<(i64, u32)>,
    },
}

/// An array of numbers may always be so long ...
const DENSE_LEN_MIN: usize = 1 << 16;

/// ... and so many times as long as there are keys in it.
const DENSE_LEN_PER_KEY: usize = 8;

/// Numbers by string: the strings one after another in the order of their numbers, cut by `ends`.
#[derive(Default)]
struct ByteTable {
    hasher: DefaultHashBuilder,
    table: HashTable<u32>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Where the numbers of a batch's rows go.
struct Out<'a> {
    groups: &'a mut Vec<u32>,
    /// The rows that are the first of their group; `None` when keys are only looked for.
    firsts: Option<&'a mut Vec<u32>>,
}

impl Out<'_> {
    /// May keys that are not known be given a number?
    fn grows(&self) -> bool {
        self.firsts.is_some()
    }

    /// A row's number, of `len` before it.
    fn put(&mut self, row: usize, group: u32, len: &mut u32) {
        if group == *len {
            *len += 1;
            let firsts = self.firsts.as_mut().expect("only a growing table gives a new number");
            firsts.push(row as u32);
        }
        self.groups.push(group);
    }
}

impl Default for IntTable {
    fn default() -> IntTable {
        IntTable::Dense { base: 0, numbers: Vec::new(), known: 0 }
    }
}

impl IntTable {
    /// Where a key lies in an array that begins at `base`.
    #[inline]
    fn place(base: i64, key: i64) -> usize {
        // Keys below the base wrap around to places that no array has.
        usize::try_from(key.wrapping_sub(base).cast_unsigned()).unwrap_or(usize::MAX)
    }

    /// The number of a key; `next` where it is new and may be added.
    #[inline]
    fn number(&mut self, key: i64, next: u32, grows: bool) -> u32 {
        match self {
            IntTable::Dense { base, numbers, known } => {
                let places = numbers.len().saturating_sub(1);
                if let Some(number) = numbers[..places].get_mut(IntTable::place(*base, key)) {
                    if *number == NO_GROUP && grows {
                        *number = next;
                        *known += 1;
                    }
                    return *number;
                }
                if !grows {
                    return NO_GROUP;
                }
                self.make_room(key);
                self.number(key, next, grows)
            }
            IntTable::Hashed { hasher, table } => {
                let hash = hasher.hash_one(key);
                if !grows {
                    return table.find(hash, |(other, _)| *other == key).map_or(NO_GROUP, |(_, group)| *group);
                }
                match table.entry(hash, |(other, _)| *other == key, |(other, _)| hasher.hash_one(*other)) {
                    Entry::Occupied(entry) => entry.get().1,
                    Entry::Vacant(entry) => {
                        entry.insert((key, next));
                        next
                    }
                }
            }
        }
    }

    /// Appends the numbers of a column's slots, [`NO_GROUP`] where the key has not been seen: a loop without branches.
    fn find_dense(base: i64, numbers: &[u32], column: &Column, found: &mut Vec<u32>) {
        let mut several = match column.data() {
            _ if numbers.is_empty() => vec![NO_GROUP; column.len()],
            Data::FrameOfReference { base: origin, codes } => {
                codes.map(|code| IntTable::look_up(base, numbers, origin.wrapping_add(code as i64)))
            }
            _ => {
                let Vals::Many(values) = column.i64s() else { unreachable!("constants were handled") };
                values.iter().map(|value| IntTable::look_up(base, numbers, *value)).collect()
            }
        };
        match found.is_empty() {
            true => *found = several,
            false => found.append(&mut several),
        }
    }

    /// The number of a key in an array whose last place stands for all keys that have no place.
    #[inline]
    fn look_up(base: i64, numbers: &[u32], key: i64) -> u32 {
        numbers[IntTable::place(base, key).min(numbers.len() - 1)]
    }

    /// Lets the array reach a key, or gives it up for a hash table when it would be mostly empty.
    #[cold]
    fn make_room(&mut self, key: i64) {
        let IntTable::Dense { base, numbers, known } = self else { return };
        let limit = DENSE_LEN_MIN.max(known.saturating_mul(DENSE_LEN_PER_KEY)) as i128;
        let places = numbers.len().saturating_sub(1);
        let (low, high) = match places {
            0 => (i128::from(key), i128::from(key)),
            _ => {
                let begin = i128::from(*base);
                (begin.min(i128::from(key)), (begin + places as i128 - 1).max(i128::from(key)))
            }
        };
        let needed = high - low + 1;
        if needed <= limit {
            // Twice what is needed, towards the side on which the key lies, so that ascending keys do not copy each time.
            let len = (needed * 2).min(limit);
            let begin = if key < *base && places > 0 { high + 1 - len } else { low };
            if let Ok(begin) = i64::try_from(begin) {
                let mut longer = vec![NO_GROUP; len as usize + 1];
                if places > 0 {
                    let at = IntTable::place(begin, *base);
                    longer[at..at + places].copy_from_slice(&numbers[..places]);
                }
                (*base, *numbers) = (begin, longer);
                return;
            }
        }
        let hasher = DefaultHashBuilder::default();
        let mut table = HashTable::with_capacity(known.saturating_mul(2));
        for (place, number) in numbers.iter().enumerate().filter(|(_, number)| **number != NO_GROUP) {
            let key = base.wrapping_add(place as i64);
            table.insert_unique(hasher.hash_one(key), (key, *number), |(other, _)| hasher.hash_one(*other));
        }
        *self = IntTable::Hashed { hasher, table };
    }
}

/// The string of a number.
fn string_of<'a>(bytes: &'a [u8], ends: &[usize], group: u32) -> &'a [u8] {
    let start = if group == 0 { 0 } else { ends[group as usize - 1] };
    &bytes[start..ends[group as usize]]
}

impl ByteTable {
    /// The number of a key; `next` where it is new and may be added.
    #[inline]
    fn number(&mut self, key: &[u8], next: u32, grows: bool) -> u32 {
        let hash = self.hasher.hash_one(key);
        let (bytes, ends) = (&self.bytes, &self.ends);
        if let Some(group) = self.table.find(hash, |group| string_of(bytes, ends, *group) == key) {
            return *group;
        }
        if !grows {
            return NO_GROUP;
        }
        self.bytes.extend_from_slice(key);
        // Numbers that have no string (NULL's) have an empty one that no table entry names.
        self.ends.resize(next as usize, self.bytes.len() - key.len());
        self.ends.push(self.bytes.len());
        let (bytes, ends) = (&self.bytes, &self.ends);
        self.table.insert_unique(hash, next, |group| self.hasher.hash_one(string_of(bytes, ends, *group)));
        next
    }
}

impl Groups {
    /// No key yet.
    pub(super) fn new(nulls: Nulls) -> Groups {
        Groups { nulls, each: Vec::new(), keys: Keys::Unknown, null: None, len: 0, scratch: Vec::new() }
    }

    /// No key yet, of columns in which NULLs equal what is said of each.
    pub(super) fn of_each(each: Vec<Nulls>) -> Groups {
        let nulls = each.first().copied().unwrap_or(Nulls::Nothing);
        Groups { each, ..Groups::new(nulls) }
    }

    /// About how many bytes of memory the keys take.
    pub(super) fn memory_bytes(&self) -> usize {
        match &self.keys {
            Keys::Unknown => 0,
            Keys::Ints(IntTable::Dense { numbers, .. }) => numbers.capacity() * size_of::<u32>(),
            Keys::Ints(IntTable::Hashed { table, .. }) => table.allocation_size(),
            Keys::Bytes(table) => {
                table.table.allocation_size() + table.bytes.capacity() + table.ends.capacity() * size_of::<usize>()
            }
            Keys::Several { columns, pairs } => columns.iter().chain(pairs).map(Groups::memory_bytes).sum(),
        }
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
        self.run(columns, len, Out { groups, firsts: Some(firsts) });
    }

    /// Appends the group of each row to `groups`, [`NO_GROUP`] where the key has not been seen.
    pub(super) fn find(&mut self, columns: &[Column], len: usize, groups: &mut Vec<u32>) {
        self.run(columns, len, Out { groups, firsts: None });
    }

    fn run(&mut self, columns: &[Column], len: usize, mut out: Out<'_>) {
        if let Keys::Unknown = self.keys {
            self.keys = match columns {
                [only] if only.ty().lane() == LaneKind::I64 => Keys::Ints(IntTable::default()),
                [_] => Keys::Bytes(ByteTable::default()),
                several => Keys::Several {
                    columns: (0..several.len())
                        .map(|at| Groups::new(self.each.get(at).copied().unwrap_or(self.nulls)))
                        .collect(),
                    pairs: several.iter().skip(1).map(|_| Groups::new(Nulls::Nothing)).collect(),
                },
            };
        }
        match columns {
            _ if len == 0 => {}
            [only] => self.lone(only, &mut out),
            several => self.several(several, len, out),
        }
    }

    fn lone(&mut self, column: &Column, out: &mut Out<'_>) {
        let grows = out.grows();
        out.groups.reserve(column.len());
        let rows = 0..column.len();
        match (&mut self.keys, column.data()) {
            (_, Data::Const(_)) => {
                let group = self.one(column, 0, grows);
                out.put(0, group, &mut self.len);
                out.groups.resize(out.groups.len() + column.len() - 1, group);
            }
            (_, Data::Dictionary { codes, values }) if values.len() <= column.len() => {
                // Numbered by code; a code's group is found when its first row comes, so that order is kept.
                let mut known = vec![None; values.len()];
                let mut row = 0;
                codes.for_each(|code| {
                    let group = if column.is_null(row) {
                        self.one(column, row, grows)
                    } else {
                        *known[code].get_or_insert_with(|| self.one(values, code, grows))
                    };
                    out.put(row, group, &mut self.len);
                    row += 1;
                });
            }
            (Keys::Ints(IntTable::Dense { base, numbers, .. }), _) => {
                let begin = out.groups.len();
                IntTable::find_dense(*base, numbers, column, out.groups);
                self.number_rest(column, out, begin);
            }
            (Keys::Ints(table), _) => {
                let Vals::Many(values) = column.i64s() else { unreachable!("constants were handled") };
                let validity = column.validity();
                // Runs of one key are common (facts come in key order): the last answer is tried first.
                let mut last: Option<(i64, u32)> = None;
                for (row, value) in values.iter().copied().enumerate() {
                    let group = match last {
                        _ if validity.is_some_and(|bits| !bits.is_set(row)) => {
                            null_number(self.nulls, &mut self.null, self.len, grows)
                        }
                        Some((same, group)) if same == value => group,
                        _ => {
                            let group = table.number(value, self.len, grows);
                            last = Some((value, group));
                            group
                        }
                    };
                    out.put(row, group, &mut self.len);
                }
            }
            (Keys::Bytes(table), _) if is_string(column.ty()) => {
                let strings = column.byte_vals();
                for row in rows {
                    let group = match column.is_null(row) {
                        true => null_number(self.nulls, &mut self.null, self.len, grows),
                        false => table.number(strings.at(row), self.len, grows),
                    };
                    out.put(row, group, &mut self.len);
                }
            }
            _ => {
                for row in rows {
                    let group = self.one(column, row, grows);
                    out.put(row, group, &mut self.len);
                }
            }
        }
    }

    /// Corrects the numbers that an array gave for the slots of a column, which lie in `out` from `begin` on: a NULL has a
    /// number of its own or none, and keys not seen before this batch get the next ones.
    fn number_rest(&mut self, column: &Column, out: &mut Out<'_>, begin: usize) {
        let found = &mut out.groups[begin..];
        if let Some(validity) = column.validity() {
            // What stands in the slot of a NULL is some key, too.
            found.iter_mut().zip(validity.iter()).filter(|(_, bit)| !bit).for_each(|(it, _)| *it = NO_GROUP);
        }
        let grows = out.firsts.is_some();
        let has_more = grows || column.has_nulls() && self.nulls == Nulls::Equal;
        if !has_more || !found.contains(&NO_GROUP) {
            return;
        }
        let values = column.i64s();
        let Keys::Ints(table) = &mut self.keys else { unreachable!("the numbers came of integers") };
        for (row, group) in found.iter_mut().enumerate().filter(|(_, group)| **group == NO_GROUP) {
            *group = match column.is_null(row) {
                true => null_number(self.nulls, &mut self.null, self.len, grows),
                false => table.number(values.at(row), self.len, grows),
            };
            if *group == self.len {
                self.len += 1;
                let firsts = out.firsts.as_mut().expect("only a growing table gives a new number");
                firsts.push(row as u32);
            }
        }
    }

    /// The number of one row's key; the next one where it is new and may be added.
    fn one(&mut self, column: &Column, row: usize, grows: bool) -> u32 {
        if column.is_null(row) {
            return null_number(self.nulls, &mut self.null, self.len, grows);
        }
        match &mut self.keys {
            Keys::Unknown | Keys::Several { .. } => unreachable!("a lone column has keys of its own"),
            Keys::Ints(table) => {
                let value = match column.data() {
                    Data::I64(lane) => lane.as_slice()[row],
                    _ => column.slice(row..row + 1).i64s().at(0),
                };
                table.number(value, self.len, grows)
            }
            Keys::Bytes(table) if is_string(column.ty()) => table.number(column.byte_vals().at(row), self.len, grows),
            Keys::Bytes(table) => {
                self.scratch.clear();
                key::sort_key(std::slice::from_ref(column), &[SortOrder::ASCENDING], row, &mut self.scratch);
                table.number(&self.scratch, self.len, grows)
            }
        }
    }

    fn several(&mut self, columns: &[Column], len: usize, mut out: Out<'_>) {
        let Keys::Several { columns: singles, pairs } = &mut self.keys else {
            unreachable!("the number of columns does not change")
        };
        let mut ignored = Vec::new();
        let numbers_of = |single: &mut Groups, column: &Column, firsts: Option<&mut Vec<u32>>| {
            let mut numbers = Vec::with_capacity(len);
            single.run(std::slice::from_ref(column), len, Out { groups: &mut numbers, firsts });
            numbers
        };
        let grows = out.grows();
        let mut so_far = numbers_of(&mut singles[0], &columns[0], grows.then_some(&mut ignored));
        let last = pairs.len() - 1;
        for (position, pair) in pairs.iter_mut().enumerate() {
            let next = position + 1;
            let numbers = numbers_of(&mut singles[next], &columns[next], grows.then_some(&mut ignored));
            let both = so_far.iter().zip(&numbers);
            let is_known: Vec<bool> = both.clone().map(|(a, b)| *a != NO_GROUP && *b != NO_GROUP).collect();
            let paired = both.map(|(a, b)| i64::from(*a) << 32 | i64::from(*b)).collect();
            let mut paired = Column::from_i64s(Type::Integer, paired);
            if !is_known.iter().all(|known| *known) {
                paired = paired.with_validity(Some(Bitmap::from_bools(is_known.into_iter())));
            }
            so_far.clear();
            let firsts = match &mut out.firsts {
                Some(firsts) if position == last => Some(&mut **firsts),
                Some(_) => Some(&mut ignored),
                None => None,
            };
            pair.run(&[paired], len, Out { groups: &mut so_far, firsts });
        }
        self.len = pairs[last].len;
        out.groups.append(&mut so_far);
    }
}

/// Are a column's bytes the key as they are? So they are where it has a length, too: both kinds of column may meet.
fn is_string(ty: Type) -> bool {
    matches!(ty.plain(), Type::Text | Type::Blob)
}

fn null_number(nulls: Nulls, null: &mut Option<u32>, next: u32, grows: bool) -> u32 {
    match nulls {
        Nulls::Nothing => NO_GROUP,
        Nulls::Equal if grows => *null.get_or_insert(next),
        Nulls::Equal => null.unwrap_or(NO_GROUP),
    }
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

    /// Near keys, far keys, and near keys that turn out to be far: the numbers are those of the first appearance.
    #[test]
    fn integers_are_numbered_alike_near_and_far() {
        let runs: [Vec<i64>; 6] = [
            (0..300_000).collect(),
            (0..300_000).rev().collect(),
            (0..100_000).map(|i| i * 7919 % 100_003).collect(),
            vec![i64::MIN, i64::MAX, 0, -1, 1, i64::MAX - 1, i64::MIN + 1],
            (0..1000).chain([i64::MAX, i64::MIN]).chain((0..2000).rev()).collect(),
            (i64::MAX - 500..=i64::MAX).chain(i64::MIN..i64::MIN + 500).collect(),
        ];
        for keys in runs {
            let mut wanted = std::collections::HashMap::new();
            let numbers: Vec<u32> = keys
                .iter()
                .map(|key| {
                    let next = wanted.len() as u32;
                    *wanted.entry(*key).or_insert(next)
                })
                .collect();
            let mut groups = Groups::new(Nulls::Nothing);
            let column = Column::from_i64s(Type::Integer, keys.clone());
            assert_eq!(assign(&mut groups, std::slice::from_ref(&column)).0, numbers);
            let mut found = Vec::new();
            groups.find(&[column], keys.len(), &mut found);
            assert_eq!(found, numbers);
            let others = vec![i64::MIN / 2, i64::MAX / 2, -3];
            let mut found = Vec::new();
            groups.find(&[Column::from_i64s(Type::Integer, others.clone())], 3, &mut found);
            let known: Vec<u32> = others.iter().map(|key| wanted.get(key).copied().unwrap_or(NO_GROUP)).collect();
            assert_eq!(found, known);
        }
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
