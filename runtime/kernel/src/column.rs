//! How do many data of one type lie side by side?
//!
//! Contract. A [`Column`] is immutable and cheap to clone: its lanes are shared with a mapped file or an owned vector.
//! It is plain (Arrow's layout, but for booleans: a byte a row), constant, frame-of-reference, dictionary or run-length encoded;
//! readers that do not care ask for [`Column::i64s`] and its like, which borrow where the column is plain and decode
//! once where it is not. Slots of NULL rows hold a valid but meaningless value.
//!
//! Not here: computing (`func`), the bytes of a file (`spectradb_store::format`).

use crate::{
    bitmap::Bitmap,
    lane::Lane,
    ty::{LaneKind, Type},
    value::Value,
};
use bytes::Bytes;
use std::{borrow::Cow, ops::Range, sync::Arc};

mod build;
mod runs;

use build::value_of_bytes;
pub use build::{ByteSink, ColumnBuilder};
pub use runs::Runs;

/// Values of one type, one a row.
#[derive(Clone, Debug)]
pub struct Column {
    ty: Type,
    len: usize,
    /// A set bit means the row has a value; `None` means every row has one. Not used by constants.
    validity: Option<Bitmap>,
    data: Data,
}

/// Where the values of a column lie.
#[derive(Clone, Debug)]
pub enum Data {
    /// The same value (or NULL) in every row.
    Const(Value),
    /// BOOLEAN: 0 or 1.
    Bool(Lane<u8>),
    /// INTEGER, DATE (days), TIMESTAMP, TIMESTAMPTZ and TIME (microseconds).
    I64(Lane<i64>),
    /// REAL.
    F64(Lane<f64>),
    /// NUMERIC: units of the type's scale; INTERVAL and UUID: see there.
    I128(Lane<i128>),
    /// TEXT, JSON (UTF-8), BLOB.
    Bytes(ByteRuns),
    /// Integers of the `I64` lane, or units of the `I128` lane, as offsets from a base.
    FrameOfReference {
        /// Added to every code.
        base: i64,
        /// Unsigned offsets.
        codes: Codes,
    },
    /// Any lane as codes into values, which need not be distinct: the codes of runs are as many as there are runs.
    Dictionary {
        /// Row numbers in `values`.
        codes: Codes,
        /// The values: a plain column of the same type without NULLs.
        values: Arc<Column>,
    },
}

/// Unsigned codes: of the narrowest width that holds them, or a number for each run of rows.
#[derive(Clone, Debug)]
pub enum Codes {
    /// Up to 255.
    U8(Lane<u8>),
    /// Up to 65,535.
    U16(Lane<u16>),
    /// Up to 4,294,967,295.
    U32(Lane<u32>),
    /// The number of the run that the row belongs to.
    Runs(Runs),
}

/// Variable-length byte strings: string `i` is `bytes[offsets[i]..offsets[i + 1]]`.
#[derive(Clone, Debug)]
pub struct ByteRuns {
    /// One more than there are strings, never falling.
    pub offsets: Lane<u32>,
    /// What the offsets point into. For TEXT and JSON every string is UTF-8.
    pub bytes: Bytes,
}

/// The values of a column as seen by a loop: one for all rows, or one each.
#[derive(Clone, Debug)]
pub enum Vals<'a, T: Clone> {
    /// A constant.
    One(T),
    /// A value a row.
    Many(Cow<'a, [T]>),
}

impl<T: Copy> Vals<'_, T> {
    /// The value of a row.
    #[inline]
    pub fn at(&self, row: usize) -> T {
        match self {
            Vals::One(value) => *value,
            Vals::Many(values) => values[row],
        }
    }
}

/// The byte strings of a column as seen by a loop.
#[derive(Clone, Copy, Debug)]
pub enum ByteVals<'a> {
    /// A constant.
    One(&'a [u8]),
    /// A plain column's offsets and bytes.
    Plain(&'a [u32], &'a [u8]),
    /// A dictionary's codes, and its values' offsets and bytes.
    Coded(&'a Codes, &'a [u32], &'a [u8]),
}

impl<'a> ByteVals<'a> {
    /// The bytes of a row.
    #[inline]
    pub fn at(&self, row: usize) -> &'a [u8] {
        let run = |offsets: &'a [u32], bytes: &'a [u8], i: usize| &bytes[offsets[i] as usize..offsets[i + 1] as usize];
        match self {
            ByteVals::One(bytes) => bytes,
            ByteVals::Plain(offsets, bytes) => run(offsets, bytes, row),
            ByteVals::Coded(codes, offsets, bytes) => run(offsets, bytes, codes.at(row)),
        }
    }

    /// The text of a row of a TEXT or JSON column.
    #[inline]
    pub fn text_at(&self, row: usize) -> &'a str {
        std::str::from_utf8(self.at(row)).expect("text columns hold UTF-8")
    }
}

impl ByteRuns {
    /// Byte strings over owned buffers.
    pub fn from_vecs(offsets: Vec<u32>, bytes: Vec<u8>) -> ByteRuns {
        ByteRuns { offsets: Lane::from_vec(offsets), bytes: Bytes::from(bytes) }
    }

    /// How many strings.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Is there no string?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Codes {
    /// The code of a row.
    #[inline]
    pub fn at(&self, row: usize) -> usize {
        match self {
            Codes::U8(codes) => usize::from(codes.as_slice()[row]),
            Codes::U16(codes) => usize::from(codes.as_slice()[row]),
            Codes::U32(codes) => codes.as_slice()[row] as usize,
            Codes::Runs(runs) => runs.at(row),
        }
    }

    /// How many codes.
    pub fn len(&self) -> usize {
        match self {
            Codes::U8(codes) => codes.len(),
            Codes::U16(codes) => codes.len(),
            Codes::U32(codes) => codes.len(),
            Codes::Runs(runs) => runs.len(),
        }
    }

    /// Is there no code?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A range of rows, shared.
    pub fn slice(&self, rows: Range<usize>) -> Codes {
        match self {
            Codes::U8(codes) => Codes::U8(codes.slice(rows)),
            Codes::U16(codes) => Codes::U16(codes.slice(rows)),
            Codes::U32(codes) => Codes::U32(codes.slice(rows)),
            Codes::Runs(runs) => Codes::Runs(runs.slice(rows)),
        }
    }

    /// The codes in order.
    pub fn for_each(&self, mut with: impl FnMut(usize)) {
        match self {
            Codes::U8(codes) => codes.as_slice().iter().for_each(|code| with(usize::from(*code))),
            Codes::U16(codes) => codes.as_slice().iter().for_each(|code| with(usize::from(*code))),
            Codes::U32(codes) => codes.as_slice().iter().for_each(|code| with(*code as usize)),
            Codes::Runs(runs) => runs.iter().for_each(|(run, rows)| rows.for_each(|_| with(run))),
        }
    }

    fn take(&self, rows: &[u32]) -> Codes {
        match self {
            Codes::U8(codes) => Codes::U8(take_lane(codes.as_slice(), rows)),
            Codes::U16(codes) => Codes::U16(take_lane(codes.as_slice(), rows)),
            Codes::U32(codes) => Codes::U32(take_lane(codes.as_slice(), rows)),
            Codes::Runs(runs) => {
                Codes::U32(Lane::from_vec(rows.iter().map(|row| runs.at(*row as usize) as u32).collect()))
            }
        }
    }

    /// What becomes of each code, in order; of a run of one code once.
    pub fn map<T: Copy>(&self, mut value_of: impl FnMut(usize) -> T) -> Vec<T> {
        match self {
            Codes::U8(codes) => codes.as_slice().iter().map(|code| value_of(usize::from(*code))).collect(),
            Codes::U16(codes) => codes.as_slice().iter().map(|code| value_of(usize::from(*code))).collect(),
            Codes::U32(codes) => codes.as_slice().iter().map(|code| value_of(*code as usize)).collect(),
            Codes::Runs(runs) => {
                let mut values = Vec::with_capacity(runs.len());
                runs.iter().for_each(|(run, rows)| values.resize(rows.end, value_of(run)));
                values
            }
        }
    }
}

fn take_lane<T: crate::lane::Element>(values: &[T], rows: &[u32]) -> Lane<T> {
    Lane::from_vec(rows.iter().map(|row| values[*row as usize]).collect())
}

impl Column {
    /// A column of data with the rows that have a value.
    ///
    /// # Panics
    /// When the data's lane is not the type's, or the validity has another length: both are bugs of the caller, who
    /// checks what comes from a file before.
    pub fn new(ty: Type, validity: Option<Bitmap>, data: Data) -> Column {
        let len = match &data {
            Data::Const(_) => unreachable!("constants are built by Column::constant"),
            Data::Bool(lane) => lane.len(),
            Data::I64(lane) => lane.len(),
            Data::F64(lane) => lane.len(),
            Data::I128(lane) => lane.len(),
            Data::Bytes(runs) => runs.len(),
            Data::FrameOfReference { codes, .. } | Data::Dictionary { codes, .. } => codes.len(),
        };
        let fits = match &data {
            Data::Const(_) => true,
            Data::Bool(_) => ty.lane() == LaneKind::Bool,
            Data::I64(_) => ty.lane() == LaneKind::I64,
            Data::FrameOfReference { .. } => matches!(ty.lane(), LaneKind::I64 | LaneKind::I128),
            Data::F64(_) => ty.lane() == LaneKind::F64,
            Data::I128(_) => ty.lane() == LaneKind::I128,
            Data::Bytes(_) => ty.lane() == LaneKind::Bytes,
            Data::Dictionary { values, .. } => values.ty == ty,
        };
        assert!(fits, "a column's data lies in its type's lane");
        assert!(validity.as_ref().is_none_or(|bits| bits.len() == len), "validity has a bit for every row");
        let validity = validity.filter(|bits| !bits.all());
        Column { ty, len, validity, data }
    }

    /// The same value, or NULL, in `len` rows. The value's class is the type's (checked in debug builds).
    pub fn constant(ty: Type, value: Value, len: usize) -> Column {
        debug_assert!(value.class().is_none_or(|class| class == ty.class()), "a constant has its column's type");
        Column { ty, len, validity: None, data: Data::Const(value) }
    }

    /// A column of the lane of 64-bit integers without NULLs.
    pub fn from_i64s(ty: Type, values: Vec<i64>) -> Column {
        Column::new(ty, None, Data::I64(Lane::from_vec(values)))
    }

    /// A REAL column without NULLs.
    pub fn from_f64s(values: Vec<f64>) -> Column {
        Column::new(Type::Real, None, Data::F64(Lane::from_vec(values)))
    }

    /// A BOOLEAN column without NULLs; every byte is 0 or 1.
    pub fn from_bools(values: Vec<u8>) -> Column {
        Column::new(Type::Boolean, None, Data::Bool(Lane::from_vec(values)))
    }

    /// A column of values, each NULL or of the type's class.
    ///
    /// # Panics
    /// When a value is of another class, or all strings together pass 4 GiB.
    pub fn from_values<'a>(ty: Type, values: impl IntoIterator<Item = &'a Value>) -> Column {
        let mut builder = ColumnBuilder::new(ty);
        for value in values {
            builder.push(value);
        }
        builder.finish()
    }

    /// Replaces the rows that have a value; the data stays.
    pub fn with_validity(self, validity: Option<Bitmap>) -> Column {
        match self.data {
            Data::Const(_) => {
                assert!(validity.is_none(), "a constant column is NULL everywhere or nowhere");
                self
            }
            data => Column::new(self.ty, validity, data),
        }
    }

    /// The type.
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// The same data under another type of the same lane, such as a NUMERIC's other precision.
    ///
    /// # Panics
    /// When the lanes differ.
    pub fn with_ty(mut self, ty: Type) -> Column {
        assert_eq!(self.ty.lane(), ty.lane(), "only the type changes, not the lane");
        match &mut self.data {
            Data::Dictionary { values, .. } => *values = Arc::new(values.as_ref().clone().with_ty(ty)),
            Data::Const(value) => value.relabel(ty),
            _ => {}
        }
        self.ty = ty;
        self
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Is there no row?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where the values lie.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The rows that have a value, or `None` when all have. Constants answer `None`: ask [`Column::as_const`] first.
    pub fn validity(&self) -> Option<&Bitmap> {
        self.validity.as_ref()
    }

    /// The value of a constant column.
    pub fn as_const(&self) -> Option<&Value> {
        match &self.data {
            Data::Const(value) => Some(value),
            _ => None,
        }
    }

    /// May some row be NULL?
    #[inline]
    pub fn has_nulls(&self) -> bool {
        match &self.data {
            Data::Const(value) => value.is_null() && self.len > 0,
            _ => self.validity.is_some(),
        }
    }

    /// Is the row NULL?
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        match &self.data {
            Data::Const(value) => value.is_null(),
            _ => self.validity.as_ref().is_some_and(|bits| !bits.is_set(row)),
        }
    }

    /// The integers of an `I64` lane; NULL rows hold anything.
    #[inline]
    pub fn i64s(&self) -> Vals<'_, i64> {
        match &self.data {
            Data::Const(Value::Null) => Vals::One(0),
            Data::Const(value) if let Some(number) = value.lane_i64() => Vals::One(number),
            Data::I64(lane) => Vals::Many(Cow::Borrowed(lane.as_slice())),
            Data::FrameOfReference { base, codes } => {
                Vals::Many(Cow::Owned(codes.map(|code| base.wrapping_add(code as i64))))
            }
            Data::Dictionary { codes, values } => match values.i64s() {
                Vals::One(value) => Vals::One(value),
                Vals::Many(values) => Vals::Many(Cow::Owned(codes.map(|code| values[code]))),
            },
            _ => panic!("a {} column has no 64-bit integers", self.ty),
        }
    }

    /// The doubles of a REAL column; NULL rows hold anything.
    #[inline]
    pub fn f64s(&self) -> Vals<'_, f64> {
        match &self.data {
            Data::Const(Value::Real(value)) => Vals::One(*value),
            Data::Const(Value::Null) => Vals::One(0.0),
            Data::F64(lane) => Vals::Many(Cow::Borrowed(lane.as_slice())),
            Data::Dictionary { codes, values } => match values.f64s() {
                Vals::One(value) => Vals::One(value),
                Vals::Many(values) => Vals::Many(Cow::Owned(codes.map(|code| values[code]))),
            },
            _ => panic!("a {} column has no doubles", self.ty),
        }
    }

    /// The numbers of an `I128` lane; NULL rows hold anything.
    pub fn i128s(&self) -> Vals<'_, i128> {
        match &self.data {
            Data::Const(Value::Null) => Vals::One(0),
            Data::Const(value) if let Some(number) = value.lane_i128() => Vals::One(number),
            Data::I128(lane) => Vals::Many(Cow::Borrowed(lane.as_slice())),
            Data::FrameOfReference { base, codes } => {
                let base = i128::from(*base);
                Vals::Many(Cow::Owned(codes.map(|code| base + code as i128)))
            }
            Data::Dictionary { codes, values } => match values.i128s() {
                Vals::One(value) => Vals::One(value),
                Vals::Many(values) => Vals::Many(Cow::Owned(codes.map(|code| values[code]))),
            },
            _ => panic!("a {} column has no decimals", self.ty),
        }
    }

    /// The booleans of a BOOLEAN column as 0 or 1; NULL rows hold anything.
    pub fn bools(&self) -> Vals<'_, u8> {
        match &self.data {
            Data::Const(Value::Boolean(value)) => Vals::One(u8::from(*value)),
            Data::Const(Value::Null) => Vals::One(0),
            Data::Bool(lane) => Vals::Many(Cow::Borrowed(lane.as_slice())),
            Data::Dictionary { codes, values } => match values.bools() {
                Vals::One(value) => Vals::One(value),
                Vals::Many(values) => Vals::Many(Cow::Owned(codes.map(|code| values[code]))),
            },
            _ => panic!("a {} column has no booleans", self.ty),
        }
    }

    /// The byte strings of a TEXT, JSON or BLOB column; NULL rows hold anything.
    #[inline]
    pub fn byte_vals(&self) -> ByteVals<'_> {
        match &self.data {
            Data::Const(Value::Text(text) | Value::Json(text)) => ByteVals::One(text.as_bytes()),
            Data::Const(Value::Blob(blob)) => ByteVals::One(blob),
            Data::Const(Value::Array(array)) => ByteVals::One(array.bytes()),
            Data::Const(Value::BigNumeric(number)) => ByteVals::One(number.bytes()),
            Data::Const(Value::Null) => ByteVals::One(&[]),
            Data::Bytes(runs) => ByteVals::Plain(runs.offsets.as_slice(), &runs.bytes),
            Data::Dictionary { codes, values } => match values.byte_vals() {
                ByteVals::One(bytes) => ByteVals::One(bytes),
                ByteVals::Plain(offsets, bytes) => ByteVals::Coded(codes, offsets, bytes),
                ByteVals::Coded(..) => unreachable!("a dictionary's values are plain"),
            },
            _ => panic!("a {} column has no byte strings", self.ty),
        }
    }

    /// The value of a row.
    pub fn value(&self, row: usize) -> Value {
        assert!(row < self.len, "row {row} of {}", self.len);
        if self.is_null(row) {
            return Value::Null;
        }
        match &self.data {
            Data::Const(value) => value.clone(),
            Data::Bool(lane) => Value::Boolean(lane.as_slice()[row] != 0),
            Data::I64(lane) => Value::of_i64(self.ty, lane.as_slice()[row]),
            Data::F64(lane) => Value::Real(lane.as_slice()[row]),
            Data::I128(lane) => Value::of_i128(self.ty, lane.as_slice()[row]),
            Data::Bytes(_) => value_of_bytes(self.ty, self.byte_vals().at(row)),
            Data::FrameOfReference { base, codes } => match self.ty.lane() {
                LaneKind::I128 => Value::of_i128(self.ty, i128::from(*base) + codes.at(row) as i128),
                _ => Value::of_i64(self.ty, base.wrapping_add(codes.at(row) as i64)),
            },
            Data::Dictionary { codes, values } => values.value(codes.at(row)),
        }
    }

    /// The values in order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = Value> + '_ {
        (0..self.len).map(|row| self.value(row))
    }

    /// A range of rows, shared.
    pub fn slice(&self, rows: Range<usize>) -> Column {
        assert!(rows.start <= rows.end && rows.end <= self.len, "a slice lies inside its column");
        let len = rows.len();
        let validity = self.validity.as_ref().map(|bits| bits.slice(rows.clone())).filter(|bits| !bits.all());
        let data = match &self.data {
            Data::Const(value) => Data::Const(value.clone()),
            Data::Bool(lane) => Data::Bool(lane.slice(rows)),
            Data::I64(lane) => Data::I64(lane.slice(rows)),
            Data::F64(lane) => Data::F64(lane.slice(rows)),
            Data::I128(lane) => Data::I128(lane.slice(rows)),
            Data::Bytes(runs) => Data::Bytes(ByteRuns {
                offsets: runs.offsets.slice(rows.start..rows.end + 1),
                bytes: runs.bytes.clone(),
            }),
            Data::FrameOfReference { base, codes } => Data::FrameOfReference { base: *base, codes: codes.slice(rows) },
            Data::Dictionary { codes, values } => Data::Dictionary { codes: codes.slice(rows), values: values.clone() },
        };
        Column { ty: self.ty, len, validity, data }
    }

    /// The rows named, in that order; a row may be named many times.
    pub fn take(&self, rows: &[u32]) -> Column {
        let validity = self
            .validity
            .as_ref()
            .map(|bits| Bitmap::from_bools(rows.iter().map(|row| bits.is_set(*row as usize))))
            .filter(|bits| !bits.all());
        let data = match &self.data {
            Data::Const(value) => Data::Const(value.clone()),
            Data::Bool(lane) => Data::Bool(take_lane(lane.as_slice(), rows)),
            Data::I64(lane) => Data::I64(take_lane(lane.as_slice(), rows)),
            Data::F64(lane) => Data::F64(take_lane(lane.as_slice(), rows)),
            Data::I128(lane) => Data::I128(take_lane(lane.as_slice(), rows)),
            Data::Bytes(_) => {
                let source = self.byte_vals();
                let mut sink = ByteSink::with_capacity(rows.len(), 0);
                rows.iter().for_each(|row| sink.push(source.at(*row as usize)));
                Data::Bytes(sink.finish())
            }
            Data::FrameOfReference { base, codes } => Data::FrameOfReference { base: *base, codes: codes.take(rows) },
            Data::Dictionary { codes, values } => Data::Dictionary { codes: codes.take(rows), values: values.clone() },
        };
        Column { ty: self.ty, len: rows.len(), validity, data }
    }

    /// The rows named, in that order; `None` gives a NULL row (an outer join's other side).
    pub fn take_or_null(&self, rows: &[Option<u32>]) -> Column {
        let mut builder = ColumnBuilder::new(self.ty);
        rows.iter().for_each(|row| match row {
            Some(row) => builder.push_from(self, *row as usize),
            None => builder.push_null(),
        });
        builder.finish()
    }

    /// The rows of several columns of one type, one after another.
    ///
    /// # Panics
    /// When the types' lanes differ, or all strings together pass 4 GiB.
    pub fn concat(ty: Type, parts: &[Column]) -> Column {
        if let [only] = parts {
            return only.clone();
        }
        let mut builder = ColumnBuilder::new(ty);
        for part in parts {
            builder.extend(part);
        }
        builder.finish()
    }

    /// The same rows without an encoding (a constant becomes plain too).
    pub fn to_plain(&self) -> Column {
        match &self.data {
            Data::Bool(_) | Data::I64(_) | Data::F64(_) | Data::I128(_) | Data::Bytes(_) => self.clone(),
            Data::Const(_) | Data::FrameOfReference { .. } | Data::Dictionary { .. } => {
                let mut builder = ColumnBuilder::new(self.ty);
                builder.extend(self);
                builder.finish()
            }
        }
    }

    /// About how many bytes the rows take in memory, shared lanes counted whole.
    pub fn memory_bytes(&self) -> usize {
        let codes_bytes = |codes: &Codes| match codes {
            Codes::U8(lane) => lane.len(),
            Codes::U16(lane) => lane.len() * 2,
            Codes::U32(lane) => lane.len() * 4,
            Codes::Runs(runs) => runs.memory_bytes(),
        };
        let data = match &self.data {
            Data::Const(_) if self.ty.lane() == LaneKind::Bytes => match self.byte_vals() {
                ByteVals::One(bytes) => size_of::<Value>() + bytes.len(),
                _ => size_of::<Value>(),
            },
            Data::Const(_) => size_of::<Value>(),
            Data::Bool(lane) => lane.len(),
            Data::I64(lane) => lane.len() * 8,
            Data::F64(lane) => lane.len() * 8,
            Data::I128(lane) => lane.len() * 16,
            Data::Bytes(runs) => {
                let offsets = runs.offsets.as_slice();
                let span = match (offsets.first(), offsets.last()) {
                    (Some(first), Some(last)) => (last - first) as usize,
                    _ => 0,
                };
                offsets.len() * 4 + span
            }
            Data::FrameOfReference { codes, .. } => codes_bytes(codes),
            Data::Dictionary { codes, values } => codes_bytes(codes) + values.memory_bytes(),
        };
        data + self.validity.as_ref().map_or(0, |bits| bits.len() / 8)
    }
}

/// Same type and same values, however they are encoded.
impl PartialEq for Column {
    fn eq(&self, other: &Column) -> bool {
        self.ty == other.ty && self.len == other.len && self.values().eq(other.values())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[Option<&str>]) -> Column {
        let values: Vec<Value> = values.iter().map(|value| (*value).into()).collect();
        Column::from_values(Type::Text, &values)
    }

    #[test]
    fn encodings_hold_the_same_values() {
        let plain = Column::from_i64s(Type::Integer, vec![10, 12, 11, 12]);
        let offsets = Data::FrameOfReference { base: 10, codes: Codes::U8(vec![0, 2, 1, 2].into()) };
        let frame = Column::new(Type::Integer, None, offsets);
        let values = Arc::new(Column::from_i64s(Type::Integer, vec![10, 11, 12]));
        let dictionary =
            Column::new(Type::Integer, None, Data::Dictionary { codes: Codes::U16(vec![0, 2, 1, 2].into()), values });
        let values = Arc::new(Column::from_i64s(Type::Integer, vec![7, 10, 12, 11, 12, 7]));
        let runs = Runs::new(vec![2, 3, 4, 5, 6, 9].into()).expect("they rise");
        let runs = Column::new(Type::Integer, None, Data::Dictionary { codes: Codes::Runs(runs), values });
        for column in [&frame, &dictionary, &runs.slice(2..6)] {
            assert_eq!(column, &plain);
            assert_eq!(column.take(&[3, 0]), plain.take(&[3, 0]));
            assert_eq!(column.slice(1..3), plain.slice(1..3));
            assert_eq!(column.to_plain(), plain);
        }
    }

    #[test]
    fn offsets_of_decimals_hold_the_same_values() {
        let ty = Type::Numeric { precision: 12, scale: 2 };
        let units = [i64::MAX, i64::MAX - 5].map(|units| Value::of_i128(ty, i128::from(units) + 5));
        let frame = Data::FrameOfReference { base: i64::MAX, codes: Codes::U8(vec![5, 0].into()) };
        let frame = Column::new(ty, None, frame);
        let plain = Column::from_values(ty, &units);
        assert_eq!(frame, plain);
        assert_eq!(frame.to_plain(), plain);
        assert_eq!(frame.take(&[1, 1]), plain.take(&[1, 1]));
        let one_by_one = |column: &Column| {
            let mut builder = ColumnBuilder::new(ty);
            (0..2).for_each(|row| builder.push_from(column, row));
            builder.finish()
        };
        assert_eq!(one_by_one(&frame), plain);
        assert_eq!(frame.i128s().at(0), i128::from(i64::MAX) + 5);
    }

    #[test]
    fn nulls_survive_slicing_taking_and_joining() {
        let column = texts(&[Some("a"), None, Some("ccc"), Some("")]);
        assert_eq!(column.slice(1..4), texts(&[None, Some("ccc"), Some("")]));
        assert_eq!(column.take(&[2, 1, 2]), texts(&[Some("ccc"), None, Some("ccc")]));
        assert_eq!(column.take_or_null(&[Some(0), None]), texts(&[Some("a"), None]));
        let both = Column::concat(Type::Text, &[column.slice(0..2), column.slice(2..4)]);
        assert_eq!(both, column);
        assert!(column.slice(2..4).validity().is_none());
    }

    #[test]
    fn constants_act_like_columns() {
        let seven = Column::constant(Type::Integer, Value::Integer(7), 3);
        assert_eq!(seven, Column::from_i64s(Type::Integer, vec![7, 7, 7]));
        assert_eq!(seven.slice(0..2).len(), 2);
        assert!(Column::constant(Type::Text, Value::Null, 2).to_plain().is_null(1));
    }
}
