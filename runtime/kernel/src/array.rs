//! How do the elements of an array lie in one string of bytes, and which of two arrays comes first?
//!
//! Contract. An array describes itself, so that it can be read without knowing its column, and an element is found by its
//! number without reading those before it:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the class of the elements ([`TypeClass::code`]) |
//! | 1 | the scale of decimals, else 0 |
//! | 1 | the number of dimensions, 0 (no element) to 6 |
//! | 1 | 0 |
//! | 8 a dimension | its length (`u32`), the subscript of its first element (`i32`) |
//! | 1 an element | 0 for NULL, 1 for a value |
//! | 1, 8 or 16 an element, or 4 | the element, or where its string ends (`u32`) |
//! | the rest | the strings |
//!
//! Numbers are little-endian; elements stand row by row, the last dimension fastest. Files keep these bytes.
//!
//! Holds: two arrays compare as the bytes of [`sort_key`] do: element by element, NULL last, then the shorter first, then by
//! dimensions, which is PostgreSQL's order.
//! Not here: what functions make of arrays (`func::array`).

use crate::{
    big_numeric::{self, BigNumeric},
    key, time,
    ty::{ElementType, LaneKind, NUMERIC_PRECISION_MAX, Type, TypeClass},
    value::Value,
};
use std::{cmp::Ordering, fmt};

/// The most dimensions of an array.
pub const DIMENSIONS_MAX: usize = 6;
/// The most elements of an array.
pub const ELEMENTS_MAX: usize = 1 << 27;
const HEAD_BYTES: usize = 4;
const DIMENSION_BYTES: usize = 8;

/// One dimension of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// How many elements, at least one.
    pub len: u32,
    /// The subscript of the first.
    pub lower: i32,
}

impl Dimension {
    /// So many elements, counted from 1.
    pub fn of(len: usize) -> Dimension {
        Dimension { len: u32::try_from(len).expect("an array is bounded"), lower: 1 }
    }

    /// The subscript of the last element.
    pub fn upper(self) -> i64 {
        i64::from(self.lower) + i64::from(self.len) - 1
    }
}

/// An array of values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Array(Vec<u8>);

impl Array {
    /// The array of values in one dimension.
    ///
    /// # Panics
    /// When a value is of another class than the elements.
    pub fn of(element: ElementType, values: &[Value]) -> Array {
        let mut writer = Writer::new(element.ty());
        values.iter().for_each(|value| writer.push(value));
        Array(writer.finish_flat())
    }

    /// The array that the bytes are, which [`is_array`] has found whole.
    pub fn from_bytes(bytes: Vec<u8>) -> Array {
        Array(bytes)
    }

    /// The type of the elements.
    pub fn element(&self) -> ElementType {
        ElementType::of(self.view().element()).expect("an array is no element")
    }

    /// Appends it as JSON.
    pub fn write_json(&self, out: &mut String) {
        crate::func::array_cast::array_to_json(&self.0, out);
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A way to read it.
    pub fn view(&self) -> View<'_> {
        View::new(&self.0)
    }
}

/// Prints an array as PostgreSQL does: `{1,NULL,"a b"}`.
impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        crate::func::array_cast::array_to_text(&self.0, &mut out);
        f.write_str(&out)
    }
}

/// The bytes of one element: as wide as its lane, a string's end for strings.
const fn width_of(class: TypeClass) -> usize {
    match class.lane() {
        LaneKind::Bool => 1,
        LaneKind::I64 | LaneKind::F64 => 8,
        LaneKind::I128 => 16,
        LaneKind::Bytes => 4,
    }
}

/// Reads an array.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    bytes: &'a [u8],
    class: TypeClass,
    dimension_count: usize,
    len: usize,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

impl<'a> View<'a> {
    /// Reads bytes that are an array. (No bytes at all stand for NULL in a column: they read as an empty array.)
    pub fn new(bytes: &'a [u8]) -> View<'a> {
        if bytes.is_empty() {
            return View { bytes: &EMPTY_TEXTS, class: TypeClass::Text, dimension_count: 0, len: 0 };
        }
        let class = TypeClass::of_element_code(bytes[0]).expect("an array's elements have a class");
        let dimension_count = usize::from(bytes[2]);
        let mut view = View { bytes, class, dimension_count, len: 0 };
        if dimension_count > 0 {
            view.len = view.dimensions().map(|dimension| dimension.len as usize).product();
        }
        view
    }

    /// The type of the elements; a decimal has all digits.
    pub fn element(self) -> Type {
        match self.class {
            TypeClass::Numeric => Type::Numeric { precision: NUMERIC_PRECISION_MAX, scale: self.bytes[1] },
            class => class.plain_type(),
        }
    }

    /// How many elements in all.
    pub fn len(self) -> usize {
        self.len
    }

    /// Is there no element?
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The dimensions, the outermost first; none of an empty array.
    pub fn dimensions(self) -> impl ExactSizeIterator<Item = Dimension> + 'a {
        let bytes = self.bytes;
        (0..self.dimension_count).map(move |dimension| {
            let at = HEAD_BYTES + dimension * DIMENSION_BYTES;
            Dimension { len: u32_at(bytes, at), lower: u32_at(bytes, at + 4) as i32 }
        })
    }

    fn flags_at(self) -> usize {
        HEAD_BYTES + self.dimension_count * DIMENSION_BYTES
    }

    /// Is an element NULL?
    pub fn is_null(self, element: usize) -> bool {
        self.bytes[self.flags_at() + element] == 0
    }

    /// Is any element NULL?
    pub fn has_nulls(self) -> bool {
        self.bytes[self.flags_at()..][..self.len].contains(&0)
    }

    /// The bytes of an element, its numbers little-endian; of NULL some bytes.
    pub fn raw(self, element: usize) -> &'a [u8] {
        let slots = self.flags_at() + self.len;
        let width = width_of(self.class);
        let slot = slots + element * width;
        if self.class.lane() != LaneKind::Bytes {
            return &self.bytes[slot..slot + width];
        }
        let strings = slots + self.len * width;
        let start = if element == 0 { 0 } else { u32_at(self.bytes, slot - width) };
        &self.bytes[strings + start as usize..strings + u32_at(self.bytes, slot) as usize]
    }

    /// The text of an element that is one; nothing of another's bytes.
    pub fn text(self, element: usize) -> &'a str {
        std::str::from_utf8(self.raw(element)).unwrap_or_default()
    }

    /// The number of an element in the lane of 64-bit integers.
    pub fn i64(self, element: usize) -> i64 {
        i64::from_le_bytes(self.raw(element).try_into().expect("eight bytes"))
    }

    /// The number of an element in the lane of 128-bit integers.
    pub fn i128(self, element: usize) -> i128 {
        i128::from_le_bytes(self.raw(element).try_into().expect("sixteen bytes"))
    }

    /// An element.
    pub fn value(self, element: usize) -> Value {
        if self.is_null(element) {
            return Value::Null;
        }
        let raw = self.raw(element);
        let ty = self.element();
        match (ty, ty.lane()) {
            (_, LaneKind::Bool) => Value::Boolean(raw[0] != 0),
            (_, LaneKind::I64) => Value::of_i64(ty, self.i64(element)),
            (_, LaneKind::F64) => Value::Real(f64::from_le_bytes(raw.try_into().expect("eight bytes"))),
            (_, LaneKind::I128) => Value::of_i128(ty, self.i128(element)),
            (Type::Blob, LaneKind::Bytes) => Value::Blob(raw.to_vec()),
            (Type::BigNumeric, LaneKind::Bytes) => Value::BigNumeric(BigNumeric::from_bytes(raw.to_vec())),
            (Type::Json, LaneKind::Bytes) => Value::Json(self.text(element).to_owned()),
            (_, LaneKind::Bytes) => Value::Text(self.text(element).to_owned()),
        }
    }

    /// The elements in order.
    pub fn values(self) -> impl ExactSizeIterator<Item = Value> + 'a {
        (0..self.len).map(move |element| self.value(element))
    }
}

const EMPTY_TEXTS: [u8; HEAD_BYTES] = [TypeClass::Text.code(), 0, 0, 0];

/// Puts an array together.
#[derive(Debug)]
pub struct Writer {
    class: TypeClass,
    scale: u8,
    flags: Vec<u8>,
    slots: Vec<u8>,
    strings: Vec<u8>,
}

impl Writer {
    /// An array of elements of a type that are still to come.
    pub fn new(element: Type) -> Writer {
        let (class, scale) = (element.class(), element.scale());
        Writer { class, scale, flags: Vec::new(), slots: Vec::new(), strings: Vec::new() }
    }

    /// How many elements so far.
    pub fn len(&self) -> usize {
        self.flags.len()
    }

    /// Is there no element yet?
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty()
    }

    /// Appends NULL.
    pub fn push_null(&mut self) {
        self.flags.push(0);
        if self.class.lane() == LaneKind::Bytes {
            self.end_string();
        } else {
            self.slots.resize(self.slots.len() + width_of(self.class), 0);
        }
    }

    fn end_string(&mut self) {
        let end = u32::try_from(self.strings.len()).expect("an array is bounded");
        self.slots.extend_from_slice(&end.to_le_bytes());
    }

    /// Appends an element's bytes, as [`View::raw`] gives them.
    pub fn push_raw(&mut self, raw: &[u8]) {
        self.flags.push(1);
        if self.class.lane() == LaneKind::Bytes {
            self.strings.extend_from_slice(raw);
            self.end_string();
        } else {
            debug_assert_eq!(raw.len(), width_of(self.class), "an element is as wide as its class");
            self.slots.extend_from_slice(raw);
        }
    }

    /// Appends a value of the element's class, or NULL.
    ///
    /// # Panics
    /// When the value is of another class.
    pub fn push(&mut self, value: &Value) {
        assert!(value.class().is_none_or(|class| class == self.class), "an array's elements are of one class");
        match value {
            Value::Null => self.push_null(),
            Value::Boolean(value) => self.push_raw(&[u8::from(*value)]),
            Value::Real(value) => self.push_raw(&value.to_le_bytes()),
            Value::Text(text) | Value::Json(text) => self.push_raw(text.as_bytes()),
            Value::Blob(blob) => self.push_raw(blob),
            Value::BigNumeric(number) => self.push_raw(number.bytes()),
            value => match (value.lane_i64(), value.lane_i128()) {
                (Some(number), _) => self.push_raw(&number.to_le_bytes()),
                (None, Some(number)) => self.push_raw(&number.to_le_bytes()),
                (None, None) => unreachable!("an array is no element"),
            },
        }
    }

    /// Appends an element of another array of the same class.
    pub fn push_from(&mut self, view: View<'_>, element: usize) {
        if view.is_null(element) {
            self.push_null();
        } else {
            self.push_raw(view.raw(element));
        }
    }

    /// The array of one dimension, counted from 1.
    pub fn finish_flat(self) -> Vec<u8> {
        let mut out = Vec::new();
        let dimension = Dimension::of(self.len());
        self.finish(&[dimension], &mut out);
        out
    }

    /// Appends the array; one without elements has no dimensions.
    pub fn finish(self, dimensions: &[Dimension], out: &mut Vec<u8>) {
        let dimensions = if self.flags.is_empty() { &[] } else { dimensions };
        debug_assert!(
            self.flags.is_empty()
                || dimensions.iter().map(|dimension| dimension.len as usize).product::<usize>() == self.flags.len(),
            "the dimensions hold the elements"
        );
        out.extend_from_slice(&[self.class.code(), self.scale, dimensions.len() as u8, 0]);
        for dimension in dimensions {
            out.extend_from_slice(&dimension.len.to_le_bytes());
            out.extend_from_slice(&dimension.lower.to_le_bytes());
        }
        out.extend_from_slice(&self.flags);
        out.extend_from_slice(&self.slots);
        out.extend_from_slice(&self.strings);
    }
}

/// Are bytes from outside an array of this type, whole and in order?
pub fn is_array(bytes: &[u8], element: ElementType) -> bool {
    read_checked(bytes, element).is_some()
}

/// Are bytes from outside an array of any type, whole and in order?
pub fn is_some_array(bytes: &[u8]) -> bool {
    let [code, scale, ..] = *bytes else { return false };
    let Some(class) = TypeClass::of_element_code(code) else { return false };
    let ty = match class {
        TypeClass::Numeric => {
            Type::Numeric { precision: NUMERIC_PRECISION_MAX, scale: scale.min(NUMERIC_PRECISION_MAX) }
        }
        class => class.plain_type(),
    };
    ElementType::of(ty).is_some_and(|element| is_array(bytes, element))
}

fn read_checked(bytes: &[u8], element: ElementType) -> Option<()> {
    let ty = element.ty();
    let (head, mut rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let [class, scale, dimension_count, 0] = *head else { return None };
    let count = usize::from(dimension_count);
    if class != ty.class().code() || scale != ty.scale() || count > DIMENSIONS_MAX {
        return None;
    }
    let mut len = usize::from(count > 0);
    for _ in 0..count {
        let (dimension, after) = rest.split_first_chunk::<DIMENSION_BYTES>()?;
        let (own, lower) = (u32_at(dimension, 0), u32_at(dimension, 4) as i32);
        lower.checked_add(i32::try_from(own).ok()?)?;
        len = len.checked_mul(own as usize).filter(|len| (1..=ELEMENTS_MAX).contains(len))?;
        rest = after;
    }
    let (flags, rest) = rest.split_at_checked(len)?;
    let (slots, strings) = rest.split_at_checked(len * width_of(ty.class()))?;
    if flags.iter().any(|flag| *flag > 1) {
        return None;
    }
    if ty.lane() != LaneKind::Bytes {
        let is_sound = match ty.class() {
            TypeClass::Boolean => slots.iter().all(|byte| *byte <= 1),
            TypeClass::Date => {
                slots.as_chunks::<8>().0.iter().all(|days| i32::try_from(i64::from_le_bytes(*days)).is_ok())
            }
            TypeClass::Time => slots
                .as_chunks::<8>()
                .0
                .iter()
                .all(|micros| (0..=time::MICROS_PER_DAY).contains(&i64::from_le_bytes(*micros))),
            _ => true,
        };
        return (strings.is_empty() && is_sound).then_some(());
    }
    let mut start = 0;
    for end in slots.as_chunks::<4>().0 {
        let end = u32::from_le_bytes(*end) as usize;
        let string = strings.get(start..end)?;
        let is_sound = match ty.class() {
            TypeClass::Blob => true,
            // NULL has no bytes.
            TypeClass::BigNumeric => string.is_empty() || big_numeric::is_big_numeric(string),
            _ => std::str::from_utf8(string).is_ok(),
        };
        if !is_sound {
            return None;
        }
        start = end;
    }
    (start == strings.len()).then_some(())
}

/// Appends bytes whose order is the total order of arrays.
pub fn sort_key(bytes: &[u8], out: &mut Vec<u8>) {
    let view = View::new(bytes);
    for value in view.values() {
        match value {
            Value::Null => out.push(2),
            value => {
                out.push(1);
                key::sort_value(&value, out);
            }
        }
    }
    out.push(0);
    out.push(view.dimension_count as u8);
    for dimension in view.dimensions() {
        out.extend_from_slice(&dimension.len.to_be_bytes());
    }
    for dimension in view.dimensions() {
        out.extend_from_slice(&key::i64_bytes(i64::from(dimension.lower)));
    }
}

/// The total order of arrays of one type.
pub fn compare(a: &[u8], b: &[u8]) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (one, two) = (View::new(a), View::new(b));
    for element in 0..one.len().min(two.len()) {
        let order = compare_elements((one, element), (two, element));
        if order.is_ne() {
            return order;
        }
    }
    let lens = |view: View<'_>| view.dimensions().map(|dimension| dimension.len).collect::<Vec<_>>();
    let lowers = |view: View<'_>| view.dimensions().map(|dimension| dimension.lower).collect::<Vec<_>>();
    (one.len().cmp(&two.len()))
        .then_with(|| one.dimension_count.cmp(&two.dimension_count))
        .then_with(|| lens(one).cmp(&lens(two)))
        .then_with(|| lowers(one).cmp(&lowers(two)))
}

/// The order of an element of one array and one of another: NULLs are equal, and last.
pub fn compare_elements((one, a): (View<'_>, usize), (two, b): (View<'_>, usize)) -> Ordering {
    match (one.is_null(a), two.is_null(b)) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    match (one.class, one.class.lane()) {
        (TypeClass::Json | TypeClass::BigNumeric, _) | (_, LaneKind::F64 | LaneKind::I128) => {
            key::compare(&one.value(a), &two.value(b))
        }
        (_, LaneKind::I64) => one.i64(a).cmp(&two.i64(b)),
        (_, LaneKind::Bool | LaneKind::Bytes) => one.raw(a).cmp(two.raw(b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[Option<&str>]) -> Array {
        let values: Vec<Value> = values.iter().map(|text| Value::from(*text)).collect();
        Array::of(ElementType::TEXT, &values)
    }

    #[test]
    fn arrays_give_back_their_elements() {
        let array = texts(&[Some("a"), None, Some(""), Some("bc")]);
        let view = array.view();
        assert_eq!(view.values().collect::<Vec<_>>(), ["a".into(), Value::Null, "".into(), "bc".into()]);
        assert_eq!(view.dimensions().collect::<Vec<_>>(), [Dimension { len: 4, lower: 1 }]);
        assert!(is_array(array.bytes(), ElementType::TEXT));
        for cut in 0..array.bytes().len() {
            assert!(!is_array(&array.bytes()[..cut], ElementType::TEXT), "{cut}");
        }
        let integers = ElementType::of(Type::Integer).expect("no array");
        let array = Array::of(integers, &[7.into(), Value::Null, (-3).into()]);
        assert_eq!(array.view().values().collect::<Vec<_>>(), [7.into(), Value::Null, (-3).into()]);
        assert!(!is_array(array.bytes(), ElementType::TEXT));
        assert_eq!(Array::of(integers, &[]).view().dimensions().len(), 0);
    }

    #[test]
    fn arrays_compare_as_their_sort_keys() {
        let rising = [
            texts(&[]),
            texts(&[Some("")]),
            texts(&[Some(""), Some("")]),
            texts(&[Some("a")]),
            texts(&[Some("a"), Some("b")]),
            texts(&[Some("a"), None]),
            texts(&[Some("ab")]),
            texts(&[None]),
        ];
        for (i, one) in rising.iter().enumerate() {
            for (j, two) in rising.iter().enumerate() {
                let key = |array: &Array| {
                    let mut out = Vec::new();
                    sort_key(array.bytes(), &mut out);
                    out
                };
                assert_eq!(compare(one.bytes(), two.bytes()), i.cmp(&j), "{one} {two}");
                assert_eq!(key(one).cmp(&key(two)), i.cmp(&j), "{one} {two}");
            }
        }
    }
}
