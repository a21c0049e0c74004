//! How is a column made row by row?
//!
//! A [`ColumnBuilder`] takes values, rows of other columns and whole columns of one lane, and keeps no validity until the
//! first NULL comes. A [`ByteSink`] collects strings one after another.

use super::{ByteRuns, ByteVals, Column, Data, Vals};
use crate::{
    array::Array,
    big_numeric::BigNumeric,
    bitmap::Bitmap,
    lane::Lane,
    ty::{LaneKind, Type},
    value::Value,
};

/// Collects byte strings.
#[derive(Debug)]
pub struct ByteSink {
    offsets: Vec<u32>,
    bytes: Vec<u8>,
}

impl ByteSink {
    /// An empty sink with room for that many strings and bytes.
    pub fn with_capacity(strings: usize, bytes: usize) -> ByteSink {
        let mut offsets = Vec::with_capacity(strings + 1);
        offsets.push(0);
        ByteSink { offsets, bytes: Vec::with_capacity(bytes) }
    }

    /// Appends a string.
    ///
    /// # Panics
    /// When all strings together pass 4 GiB; batches are bounded far below.
    #[inline]
    pub fn push(&mut self, string: &[u8]) {
        self.bytes.extend_from_slice(string);
        self.end_string();
    }

    /// Makes room for so many strings and bytes more.
    pub fn reserve(&mut self, strings: usize, bytes: usize) {
        self.offsets.reserve(strings);
        self.bytes.reserve(bytes);
    }

    /// How many strings so far.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Is there no string yet?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The buffer that [`ByteSink::end_string`] cuts: write a string here, then end it.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends the string that began where the last one ended.
    #[inline]
    pub fn end_string(&mut self) {
        self.offsets.push(u32::try_from(self.bytes.len()).expect("a column holds less than 4 GiB of strings"));
    }

    /// Appends strings that lie one after another: each from its offset to the next one's.
    fn extend(&mut self, offsets: &[u32], bytes: &[u8]) {
        let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return };
        let from = self.bytes.len();
        self.bytes.extend_from_slice(&bytes[*first as usize..*last as usize]);
        u32::try_from(self.bytes.len()).expect("a column holds less than 4 GiB of strings");
        let from = from as u32;
        self.offsets.extend(offsets[1..].iter().map(|offset| from + (offset - first)));
    }

    /// The string of a place.
    fn at(&self, place: usize) -> &[u8] {
        &self.bytes[self.offsets[place] as usize..self.offsets[place + 1] as usize]
    }

    /// The strings.
    pub fn finish(self) -> ByteRuns {
        ByteRuns::from_vecs(self.offsets, self.bytes)
    }

    /// How many bytes so far.
    pub fn bytes_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Builds a plain column row by row.
#[derive(Debug)]
pub struct ColumnBuilder {
    ty: Type,
    nulls: NullBits,
    lane: LaneBuilder,
}

#[derive(Debug)]
enum LaneBuilder {
    Bool(Vec<u8>),
    I64(Vec<i64>),
    F64(Vec<f64>),
    I128(Vec<i128>),
    Bytes(ByteSink),
}

/// Validity under construction: no bits until the first NULL.
#[derive(Debug, Default)]
struct NullBits {
    len: usize,
    /// Empty as long as no NULL came.
    words: Vec<u64>,
}

impl NullBits {
    fn push(&mut self, has_value: bool) {
        if self.words.is_empty() {
            if has_value {
                self.len += 1;
                return;
            }
            // Everything before has a value.
            self.words.resize(self.len / 64, u64::MAX);
            if !self.len.is_multiple_of(64) {
                self.words.push((1 << (self.len % 64)) - 1);
            }
        }
        if self.len.is_multiple_of(64) {
            self.words.push(0);
        }
        if has_value {
            *self.words.last_mut().expect("a word was pushed") |= 1 << (self.len % 64);
        }
        self.len += 1;
    }

    /// So many values, none of them NULL.
    fn push_values(&mut self, count: usize) {
        match self.words.is_empty() {
            true => self.len += count,
            false => (0..count).for_each(|_| self.push(true)),
        }
    }

    fn is_null(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 0)
    }

    fn finish(self) -> Option<Bitmap> {
        (!self.words.is_empty()).then(|| Bitmap::new(Lane::from_vec(self.words), self.len))
    }
}

impl ColumnBuilder {
    /// An empty column of a type.
    pub fn new(ty: Type) -> ColumnBuilder {
        let lane = match ty.lane() {
            LaneKind::Bool => LaneBuilder::Bool(Vec::new()),
            LaneKind::I64 => LaneBuilder::I64(Vec::new()),
            LaneKind::F64 => LaneBuilder::F64(Vec::new()),
            LaneKind::I128 => LaneBuilder::I128(Vec::new()),
            LaneKind::Bytes => LaneBuilder::Bytes(ByteSink::with_capacity(0, 0)),
        };
        ColumnBuilder { ty, nulls: NullBits::default(), lane }
    }

    /// The column's type.
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// How many rows so far.
    pub fn len(&self) -> usize {
        self.nulls.len
    }

    /// Is there no row yet?
    pub fn is_empty(&self) -> bool {
        self.nulls.len == 0
    }

    /// Appends a value of the column's class, or NULL.
    ///
    /// # Panics
    /// When the value is of another class: the caller casts before.
    pub fn push(&mut self, value: &Value) {
        match (&mut self.lane, value) {
            (_, Value::Null) => return self.push_null(),
            (LaneBuilder::Bool(lane), Value::Boolean(value)) => lane.push(u8::from(*value)),
            (LaneBuilder::I64(lane), value) if let Some(number) = value.lane_i64() => lane.push(number),
            (LaneBuilder::F64(lane), Value::Real(value)) => lane.push(*value),
            (LaneBuilder::I128(lane), Value::Numeric(value)) => {
                assert_eq!(value.scale, self.ty.scale(), "a decimal is rescaled before it joins a column");
                lane.push(value.units);
            }
            (LaneBuilder::I128(lane), value) if let Some(number) = value.lane_i128() => lane.push(number),
            (LaneBuilder::Bytes(sink), Value::Text(text) | Value::Json(text)) => sink.push(text.as_bytes()),
            (LaneBuilder::Bytes(sink), Value::Blob(blob)) => sink.push(blob),
            (LaneBuilder::Bytes(sink), Value::Array(array)) => sink.push(array.bytes()),
            (LaneBuilder::Bytes(sink), Value::BigNumeric(number)) => sink.push(number.bytes()),
            (_, value) => panic!("a {} column takes no {value:?}", self.ty),
        }
        self.nulls.push(true);
    }

    /// Appends a text to a TEXT or JSON column.
    ///
    /// # Panics
    /// When the column is of another type.
    pub fn push_text(&mut self, text: &str) {
        match &mut self.lane {
            LaneBuilder::Bytes(sink) => sink.push(text.as_bytes()),
            _ => panic!("a {} column takes no text", self.ty),
        }
        self.nulls.push(true);
    }

    /// Appends a NULL.
    pub fn push_null(&mut self) {
        match &mut self.lane {
            LaneBuilder::Bool(lane) => lane.push(0),
            LaneBuilder::I64(lane) => lane.push(0),
            LaneBuilder::F64(lane) => lane.push(0.0),
            LaneBuilder::I128(lane) => lane.push(0),
            LaneBuilder::Bytes(sink) => sink.push(&[]),
        }
        self.nulls.push(false);
    }

    /// Appends a row of a column of the same lane (and, for decimals, the same scale).
    pub fn push_from(&mut self, column: &Column, row: usize) {
        if column.is_null(row) {
            return self.push_null();
        }
        match (&mut self.lane, &column.data) {
            (LaneBuilder::Bool(lane), Data::Bool(from)) => lane.push(from.as_slice()[row]),
            (LaneBuilder::I64(lane), Data::I64(from)) => lane.push(from.as_slice()[row]),
            (LaneBuilder::I64(lane), Data::FrameOfReference { base, codes }) => {
                lane.push(base.wrapping_add(codes.at(row) as i64));
            }
            (LaneBuilder::I128(lane), Data::FrameOfReference { base, codes }) => {
                lane.push(i128::from(*base) + codes.at(row) as i128);
            }
            (LaneBuilder::F64(lane), Data::F64(from)) => lane.push(from.as_slice()[row]),
            (LaneBuilder::I128(lane), Data::I128(from)) => lane.push(from.as_slice()[row]),
            (LaneBuilder::Bytes(sink), Data::Bytes(_)) => sink.push(column.byte_vals().at(row)),
            (_, Data::Dictionary { codes, values }) => return self.push_from(values, codes.at(row)),
            (_, Data::Const(value)) => return self.push(value),
            _ => panic!("a {} column takes no rows of a {} column", self.ty, column.ty),
        }
        self.nulls.push(true);
    }

    /// Appends all rows of a column of the same lane.
    pub fn extend(&mut self, column: &Column) {
        let len = column.len;
        match &mut self.lane {
            LaneBuilder::Bool(lane) => extend_vals(lane, column.bools(), len),
            LaneBuilder::I64(lane) => extend_vals(lane, column.i64s(), len),
            LaneBuilder::F64(lane) => extend_vals(lane, column.f64s(), len),
            LaneBuilder::I128(lane) => extend_vals(lane, column.i128s(), len),
            LaneBuilder::Bytes(sink) => match column.byte_vals() {
                ByteVals::Plain(offsets, bytes) => sink.extend(offsets, bytes),
                from => (0..len).for_each(|row| sink.push(from.at(row))),
            },
        }
        if column.has_nulls() {
            (0..len).for_each(|row| self.nulls.push(!column.is_null(row)));
        } else {
            self.nulls.push_values(len);
        }
    }

    /// The value of a row that it has.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn value(&self, row: usize) -> Value {
        assert!(row < self.len(), "row {row} of {}", self.len());
        if self.nulls.is_null(row) {
            return Value::Null;
        }
        match &self.lane {
            LaneBuilder::Bool(lane) => Value::Boolean(lane[row] != 0),
            LaneBuilder::I64(lane) => Value::of_i64(self.ty, lane[row]),
            LaneBuilder::F64(lane) => Value::Real(lane[row]),
            LaneBuilder::I128(lane) => Value::of_i128(self.ty, lane[row]),
            LaneBuilder::Bytes(sink) => value_of_bytes(self.ty, sink.at(row)),
        }
    }

    /// About how many bytes the rows take.
    pub fn bytes(&self) -> usize {
        match &self.lane {
            LaneBuilder::Bool(lane) => lane.len(),
            LaneBuilder::I64(lane) => size_of_val(lane.as_slice()),
            LaneBuilder::F64(lane) => size_of_val(lane.as_slice()),
            LaneBuilder::I128(lane) => size_of_val(lane.as_slice()),
            LaneBuilder::Bytes(sink) => sink.bytes.len() + size_of_val(sink.offsets.as_slice()),
        }
    }

    /// Forgets all rows, and has room for as many.
    pub fn clear(&mut self) {
        self.nulls = NullBits::default();
        match &mut self.lane {
            LaneBuilder::Bool(lane) => lane.clear(),
            LaneBuilder::I64(lane) => lane.clear(),
            LaneBuilder::F64(lane) => lane.clear(),
            LaneBuilder::I128(lane) => lane.clear(),
            LaneBuilder::Bytes(sink) => {
                sink.bytes.clear();
                sink.offsets.truncate(1);
            }
        }
    }

    /// A column of the rows so far.
    pub fn to_column(&self) -> Column {
        let data = match &self.lane {
            LaneBuilder::Bool(lane) => Data::Bool(lane.clone().into()),
            LaneBuilder::I64(lane) => Data::I64(lane.clone().into()),
            LaneBuilder::F64(lane) => Data::F64(lane.clone().into()),
            LaneBuilder::I128(lane) => Data::I128(lane.clone().into()),
            LaneBuilder::Bytes(sink) => Data::Bytes(ByteRuns::from_vecs(sink.offsets.clone(), sink.bytes.clone())),
        };
        let nulls = NullBits { len: self.nulls.len, words: self.nulls.words.clone() };
        Column::new(self.ty, nulls.finish(), data)
    }

    /// The column.
    pub fn finish(self) -> Column {
        let data = match self.lane {
            LaneBuilder::Bool(lane) => Data::Bool(lane.into()),
            LaneBuilder::I64(lane) => Data::I64(lane.into()),
            LaneBuilder::F64(lane) => Data::F64(lane.into()),
            LaneBuilder::I128(lane) => Data::I128(lane.into()),
            LaneBuilder::Bytes(sink) => Data::Bytes(sink.finish()),
        };
        Column::new(self.ty, self.nulls.finish(), data)
    }
}

/// The value of a string of bytes that a column of a type holds.
pub(super) fn value_of_bytes(ty: Type, bytes: &[u8]) -> Value {
    let text = || std::str::from_utf8(bytes).expect("text columns hold UTF-8").to_owned();
    match ty {
        Type::Blob => Value::Blob(bytes.to_vec()),
        Type::Json | Type::Jsonb => Value::Json(text()),
        Type::Array(_) => Value::Array(Array::from_bytes(bytes.to_vec())),
        Type::BigNumeric | Type::WideNumeric { .. } => Value::BigNumeric(BigNumeric::from_bytes(bytes.to_vec())),
        _ => Value::Text(text()),
    }
}

fn extend_vals<T: Copy>(lane: &mut Vec<T>, vals: Vals<'_, T>, len: usize) {
    match vals {
        Vals::One(value) => lane.resize(lane.len() + len, value),
        Vals::Many(values) => lane.extend_from_slice(&values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_while_more_come() {
        let rows = [
            (Type::Integer, vec![Value::Integer(5), Value::Null, Value::Integer(-1)]),
            (Type::Real, vec![Value::Null, Value::Real(0.5), Value::Null]),
            (Type::Boolean, vec![Value::Boolean(true), Value::Boolean(false), Value::Null]),
            (Type::Text, vec![Value::from("a"), Value::from(""), Value::Null]),
            (Type::Blob, vec![Value::Blob(vec![0, 255]), Value::Null, Value::Blob(Vec::new())]),
        ];
        for (ty, values) in rows {
            let mut builder = ColumnBuilder::new(ty);
            // Twice: what is cleared begins anew.
            for _ in 0..2 {
                builder.clear();
                for round in 0..30 {
                    for (row, value) in values.iter().enumerate() {
                        builder.push(value);
                        assert_eq!(builder.value(round * 3 + row), *value);
                        assert_eq!(builder.value(row), values[row]);
                    }
                }
                let column = builder.to_column();
                assert_eq!(column.len(), 90);
                assert!(column.values().zip(values.iter().cycle()).all(|(got, told)| got == *told), "{ty}");
            }
        }
    }
}
