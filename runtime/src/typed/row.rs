//! How does a column become fields of typed structs, and back, without a `Value` between?
//!
//! A [`Field`] knows its column's class, views a column, reads a row of it, and appends itself to a lane under
//! construction. The derive and `spectra_sql!` call it once a column and batch; the loops are theirs.
//!
//! Holds: a column that a checked plan or a checked table gives is of the field's type (so an INT4's integers fit 32
//! bits) and, unless the field is an
//! `Option`, has no NULL.

use super::numeric::{Json, Numeric};
use spectradb_kernel::{
    Column, Type, Value,
    array::{Array, View as ArrayView},
    big_numeric::BigNumeric,
    bitmap::Bitmap,
    column::{ByteSink, ByteVals, Data, Vals},
    func::{
        lift::{Class as _, class, class::Access as _},
        narrow::shortest,
    },
    interval::Interval,
    time::{Date, Time, Timestamp, TimestampTz},
    ty::{ElementType, TypeClass},
    uuid::Uuid,
};

/// A Rust type that a column's values have.
pub trait Field: Sized {
    /// The class of the column.
    const CLASS: TypeClass;
    /// The plain type of an array's elements that are such.
    const TYPE: Type = Self::CLASS.plain_type();
    /// A column as rows are read from it.
    type View<'c>;
    /// Values under construction.
    type Lane: Default;

    /// Looks at a column.
    fn view(column: &Column) -> Self::View<'_>;
    /// The value of a row.
    fn at(view: &Self::View<'_>, row: usize) -> Self;
    /// The field that a value is.
    fn of_value(value: Value) -> Self;
    /// The value that the field is.
    fn to_value(&self) -> Value;
    /// Makes room for so many values.
    fn reserve(lane: &mut Self::Lane, rows: usize);
    /// Appends the value; answers whether there is one (a NULL appends some value of the type).
    fn push(&self, lane: &mut Self::Lane) -> bool;
    /// Appends some value for a NULL.
    fn push_null(lane: &mut Self::Lane);
    /// The data of the values appended.
    fn data(lane: Self::Lane) -> Data;
}

/// Collects a column of fields. One alone is a constant, which takes no lane.
#[derive(Debug)]
pub struct ColumnWriter<F: Field> {
    /// The only field so far, where there may be no other.
    only: Option<Value>,
    lane: F::Lane,
    /// How many there are, `only` not counted.
    count: usize,
    /// Empty as long as no NULL came.
    present: Vec<bool>,
}

impl<F: Field> ColumnWriter<F> {
    /// An empty column.
    #[expect(clippy::new_without_default, reason = "generated code says new")]
    pub fn new() -> ColumnWriter<F> {
        ColumnWriter { only: None, lane: F::Lane::default(), count: 0, present: Vec::new() }
    }

    /// An empty column with room for so many rows.
    pub fn with_room(rows: usize) -> ColumnWriter<F> {
        let mut writer = ColumnWriter::new();
        F::reserve(&mut writer.lane, rows);
        writer
    }

    /// Appends a row.
    #[inline]
    pub fn push(&mut self, field: &F) {
        if self.count == 0 {
            match self.only.take() {
                None => {
                    self.only = Some(field.to_value());
                    return;
                }
                Some(first) => self.push_more(&F::of_value(first)),
            }
        }
        self.push_more(field);
    }

    #[inline]
    fn push_more(&mut self, field: &F) {
        let present = field.push(&mut self.lane);
        if !present && self.present.is_empty() {
            self.present.resize(self.count, true);
        }
        if !present || !self.present.is_empty() {
            self.present.push(present);
        }
        self.count += 1;
    }

    /// The column.
    pub fn finish(self, ty: Type) -> Column {
        if let Some(only) = self.only {
            return Column::constant(ty, only, 1);
        }
        let has_nulls = !self.present.is_empty();
        let validity = has_nulls.then(|| Bitmap::from_bools(self.present.into_iter()));
        Column::new(ty, validity, F::data(self.lane))
    }
}

/// Does the field's Rust type belong to the class that its name stood for? Evaluated at compile time.
pub const fn assert_class<F: Field>(class: TypeClass) {
    assert!(F::CLASS as u8 == class as u8, "the type is not the one that its name stands for");
}

/// A checked table gave a value of another type than its column's.
fn not_of_column(value: &Value) -> ! {
    panic!("a column's values are of its type, and NULL only where it may be: {value:?}")
}

/// The number of a lane that a value is.
trait OfLane: Sized {
    fn of_lane(value: &Value) -> Option<Self>;
    fn to_value(self, ty: Type) -> Value;
}

impl OfLane for u8 {
    fn of_lane(value: &Value) -> Option<u8> {
        match value {
            Value::Boolean(value) => Some(u8::from(*value)),
            _ => None,
        }
    }

    fn to_value(self, _ty: Type) -> Value {
        Value::Boolean(self != 0)
    }
}

impl OfLane for i64 {
    fn of_lane(value: &Value) -> Option<i64> {
        value.lane_i64()
    }

    fn to_value(self, ty: Type) -> Value {
        Value::of_i64(ty, self)
    }
}

impl OfLane for f64 {
    fn of_lane(value: &Value) -> Option<f64> {
        match value {
            Value::Real(value) => Some(*value),
            _ => None,
        }
    }

    fn to_value(self, _ty: Type) -> Value {
        Value::Real(self)
    }
}

impl OfLane for i128 {
    fn of_lane(value: &Value) -> Option<i128> {
        value.lane_i128()
    }

    fn to_value(self, ty: Type) -> Value {
        Value::of_i128(ty, self)
    }
}

macro_rules! numbers {
    ($($field:ty: $class:ident, $lane:ty, $read:ident, $data:ident, |$item:ident| $from:expr, |$value:ident| $to:expr;)*) => {$(
        impl Field for $field {
            const CLASS: TypeClass = TypeClass::$class;
            type View<'c> = Vals<'c, $lane>;
            type Lane = Vec<$lane>;

            fn view(column: &Column) -> Vals<'_, $lane> {
                column.$read()
            }
            #[inline]
            fn at(view: &Vals<'_, $lane>, row: usize) -> Self {
                let $item = view.at(row);
                $from
            }
            fn of_value(value: Value) -> Self {
                match <$lane as OfLane>::of_lane(&value) {
                    Some($item) => $from,
                    None => not_of_column(&value),
                }
            }
            fn to_value(&self) -> Value {
                let $value = *self;
                <$lane as OfLane>::to_value($to, Self::TYPE)
            }
            fn reserve(lane: &mut Vec<$lane>, rows: usize) {
                lane.reserve(rows);
            }
            #[inline]
            fn push(&self, lane: &mut Vec<$lane>) -> bool {
                let $value = *self;
                lane.push($to);
                true
            }
            fn push_null(lane: &mut Vec<$lane>) {
                lane.push(Default::default());
            }
            fn data(lane: Vec<$lane>) -> Data {
                Data::$data(lane.into())
            }
        }
    )*};
}

numbers! {
    bool: Boolean, u8, bools, Bool, |item| item != 0, |value| u8::from(value);
    i64: Integer, i64, i64s, I64, |item| item, |value| value;
    i32: Integer, i64, i64s, I64, |item| item as i32, |value| i64::from(value);
    i16: Integer, i64, i64s, I64, |item| item as i16, |value| i64::from(value);
    f32: Real, f64, f64s, F64, |item| item as f32, |value| shortest(value);
    f64: Real, f64, f64s, F64, |item| item, |value| value;
    Date: Date, i64, i64s, I64, |item| date_of(item), |value| i64::from(value.0);
    Timestamp: Timestamp, i64, i64s, I64, |item| Timestamp(item), |value| value.0;
    Time: Time, i64, i64s, I64, |item| Time(item), |value| value.0;
    TimestampTz: TimestampTz, i64, i64s, I64, |item| TimestampTz(item), |value| value.0;
    Interval: Interval, i128, i128s, I128, |item| Interval::from_lane(item), |value| value.lane();
    Uuid: Uuid, i128, i128s, I128, |item| Uuid::from_lane(item), |value| value.lane();
}

/// The day of a number from a DATE column.
pub fn date_of(days: i64) -> Date {
    Date(i32::try_from(days).expect("days fit 32 bits"))
}

impl<const P: u8, const S: u8> Field for Numeric<P, S> {
    const CLASS: TypeClass = TypeClass::Numeric;
    const TYPE: Type = Type::Numeric { precision: P, scale: S };
    type View<'c> = Vals<'c, i128>;
    type Lane = Vec<i128>;

    fn view(column: &Column) -> Vals<'_, i128> {
        column.i128s()
    }
    fn at(view: &Vals<'_, i128>, row: usize) -> Self {
        Numeric::of_column(view.at(row))
    }
    fn of_value(value: Value) -> Self {
        match value {
            Value::Numeric(decimal) => Numeric::of_column(decimal.units),
            other => not_of_column(&other),
        }
    }
    fn to_value(&self) -> Value {
        self.units().to_value(Self::TYPE)
    }
    fn reserve(lane: &mut Vec<i128>, rows: usize) {
        lane.reserve(rows);
    }
    fn push(&self, lane: &mut Vec<i128>) -> bool {
        lane.push(self.units());
        true
    }
    fn push_null(lane: &mut Vec<i128>) {
        lane.push(0);
    }
    fn data(lane: Vec<i128>) -> Data {
        Data::I128(lane.into())
    }
}

/// Strings under construction.
#[derive(Debug)]
pub struct Strings {
    sink: ByteSink,
    /// How many there will be, as far as that is known.
    room: usize,
}

/// The first so many strings say how long all of them will be.
const SAMPLE: usize = 8;

/// Until then each is expected to have so many bytes.
const GUESSED_BYTES: usize = 16;

impl Default for Strings {
    fn default() -> Strings {
        Strings { sink: ByteSink::with_capacity(0, 0), room: 0 }
    }
}

impl Strings {
    fn reserve(&mut self, rows: usize) {
        self.room = self.sink.len() + rows;
        self.sink.reserve(rows, rows.min(SAMPLE) * GUESSED_BYTES);
    }

    #[inline]
    fn push(&mut self, string: &[u8]) {
        self.sink.push(string);
        if self.sink.len() == SAMPLE && self.room > SAMPLE {
            let more = self.sink.bytes_len() * (self.room - SAMPLE) / SAMPLE;
            self.sink.reserve(0, more + more / 8);
        }
    }
}

macro_rules! texts {
    ($($field:ty: $class:ident, |$text:ident| $from:expr, |$owned:ident| $take:expr;)*) => {$(
        impl Field for $field {
            const CLASS: TypeClass = TypeClass::$class;
            type View<'c> = spectradb_kernel::func::lift::class::Texts<'c>;
            type Lane = Strings;

            fn view(column: &Column) -> Self::View<'_> {
                class::$class::store(column)
            }
            fn at(view: &Self::View<'_>, row: usize) -> Self {
                let $text: &str = view.at(row);
                $from
            }
            fn of_value(value: Value) -> Self {
                match value {
                    Value::$class($owned) => $take,
                    other => not_of_column(&other),
                }
            }
            fn to_value(&self) -> Value {
                Value::$class(self.as_str().to_owned())
            }
            fn reserve(lane: &mut Strings, rows: usize) {
                lane.reserve(rows);
            }
            fn push(&self, lane: &mut Strings) -> bool {
                lane.push(self.as_str().as_bytes());
                true
            }
            fn push_null(lane: &mut Strings) {
                lane.push(&[]);
            }
            fn data(lane: Strings) -> Data {
                Data::Bytes(lane.sink.finish())
            }
        }
    )*};
}

texts! {
    String: Text, |text| text.to_owned(), |text| text;
    Json: Json, |text| Json::of_column(text), |text| Json::of_column(&text);
}

impl Field for Vec<u8> {
    const CLASS: TypeClass = TypeClass::Blob;
    type View<'c> = ByteVals<'c>;
    type Lane = Strings;

    fn view(column: &Column) -> ByteVals<'_> {
        column.byte_vals()
    }
    fn at(view: &ByteVals<'_>, row: usize) -> Self {
        view.at(row).to_vec()
    }
    fn of_value(value: Value) -> Self {
        match value {
            Value::Blob(bytes) => bytes,
            other => not_of_column(&other),
        }
    }
    fn to_value(&self) -> Value {
        Value::Blob(self.clone())
    }
    fn reserve(lane: &mut Strings, rows: usize) {
        lane.reserve(rows);
    }
    fn push(&self, lane: &mut Strings) -> bool {
        lane.push(self);
        true
    }
    fn push_null(lane: &mut Strings) {
        lane.push(&[]);
    }
    fn data(lane: Strings) -> Data {
        Data::Bytes(lane.sink.finish())
    }
}

impl Field for BigNumeric {
    const CLASS: TypeClass = TypeClass::BigNumeric;
    type View<'c> = ByteVals<'c>;
    type Lane = Strings;

    fn view(column: &Column) -> ByteVals<'_> {
        column.byte_vals()
    }
    fn at(view: &ByteVals<'_>, row: usize) -> Self {
        BigNumeric::from_bytes(view.at(row).to_vec())
    }
    fn of_value(value: Value) -> Self {
        match value {
            Value::BigNumeric(number) => number,
            other => not_of_column(&other),
        }
    }
    fn to_value(&self) -> Value {
        Value::BigNumeric(self.clone())
    }
    fn reserve(lane: &mut Strings, rows: usize) {
        lane.reserve(rows);
    }
    fn push(&self, lane: &mut Strings) -> bool {
        lane.push(self.bytes());
        true
    }
    fn push_null(lane: &mut Strings) {
        lane.push(&[]);
    }
    fn data(lane: Strings) -> Data {
        Data::Bytes(lane.sink.finish())
    }
}

impl<T: Field> Field for Vec<Option<T>> {
    const CLASS: TypeClass = TypeClass::Array;
    type View<'c> = ByteVals<'c>;
    type Lane = Strings;

    fn view(column: &Column) -> ByteVals<'_> {
        column.byte_vals()
    }
    fn at(view: &ByteVals<'_>, row: usize) -> Self {
        of_array(ArrayView::new(view.at(row)))
    }
    fn of_value(value: Value) -> Self {
        match value {
            Value::Array(array) => of_array(array.view()),
            other => not_of_column(&other),
        }
    }
    fn to_value(&self) -> Value {
        let element = ElementType::of(T::TYPE).expect("the derive refuses arrays of arrays");
        Value::Array(Array::of(element, &self.iter().map(Field::to_value).collect::<Vec<Value>>()))
    }
    fn reserve(lane: &mut Strings, rows: usize) {
        lane.reserve(rows);
    }
    fn push(&self, lane: &mut Strings) -> bool {
        let element = ElementType::of(T::TYPE).expect("the derive refuses arrays of arrays");
        lane.push(Array::of(element, &self.iter().map(Field::to_value).collect::<Vec<Value>>()).bytes());
        true
    }
    fn push_null(lane: &mut Strings) {
        lane.push(&[]);
    }
    fn data(lane: Strings) -> Data {
        Data::Bytes(lane.sink.finish())
    }
}

/// The elements; those of several dimensions one after another.
fn of_array<T: Field>(view: ArrayView<'_>) -> Vec<Option<T>> {
    view.values().map(|value| if value.is_null() { None } else { Some(T::of_value(value)) }).collect()
}

/// A column with its NULLs.
#[derive(Debug)]
pub struct OptionView<'c, F: Field> {
    column: &'c Column,
    has_nulls: bool,
    values: F::View<'c>,
}

impl<F: Field> Field for Option<F> {
    const CLASS: TypeClass = F::CLASS;
    type View<'c> = OptionView<'c, F>;
    type Lane = F::Lane;

    fn view(column: &Column) -> OptionView<'_, F> {
        OptionView { column, has_nulls: column.has_nulls(), values: F::view(column) }
    }
    fn at(view: &OptionView<'_, F>, row: usize) -> Self {
        if view.has_nulls && view.column.is_null(row) { None } else { Some(F::at(&view.values, row)) }
    }
    fn of_value(value: Value) -> Self {
        if value.is_null() { None } else { Some(F::of_value(value)) }
    }
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Field::to_value)
    }
    fn reserve(lane: &mut F::Lane, rows: usize) {
        F::reserve(lane, rows);
    }
    fn push(&self, lane: &mut F::Lane) -> bool {
        match self {
            Some(field) => field.push(lane),
            None => {
                F::push_null(lane);
                false
            }
        }
    }
    fn push_null(lane: &mut F::Lane) {
        F::push_null(lane);
    }
    fn data(lane: F::Lane) -> Data {
        F::data(lane)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<F: Field + PartialEq + std::fmt::Debug>(ty: Type, fields: Vec<F>) -> Column {
        let mut writer = ColumnWriter::<F>::new();
        fields.iter().for_each(|field| writer.push(field));
        let column = writer.finish(ty);
        let view = F::view(&column);
        let read: Vec<F> = (0..fields.len()).map(|row| F::at(&view, row)).collect();
        assert_eq!(read, fields);
        drop(view);
        let read: Vec<F> = column.values().map(F::of_value).collect();
        assert_eq!(read, fields);
        for field in &fields {
            let mut alone = ColumnWriter::<F>::with_room(1);
            alone.push(field);
            let alone = alone.finish(ty);
            assert_eq!((&F::at(&F::view(&alone), 0), alone.len()), (field, 1));
        }
        column
    }

    #[test]
    fn fields_survive_the_journey_through_columns() {
        round_trip(Type::Boolean, vec![true, false]);
        round_trip(Type::Integer, vec![i64::MIN, 0, i64::MAX]);
        round_trip(Type::Date, vec![Some(Date(-1)), None, Some(Date(20_000))]);
        round_trip(Type::Timestamp, vec![Timestamp(i64::MIN), Timestamp(5)]);
        round_trip(Type::Text, vec![Some("é".to_owned()), None, Some(String::new())]);
        round_trip(Type::Blob, vec![vec![0u8, 255], vec![]]);
        round_trip(Type::Json, vec![Json::new("{\"a\": 1}").expect("JSON")]);
        let ty = Type::Numeric { precision: 12, scale: 2 };
        let column = round_trip(ty, vec![Numeric::<12, 2>::from_units(-5), None]);
        assert_eq!(column.value(0).to_string(), "-0.05");
        round_trip(Type::Interval, vec![Interval::from_lane(-5), Interval::from_lane(1 << 70)]);
        round_trip(Type::Uuid, vec![Some(Uuid(7)), None]);
        round_trip(Type::Time, vec![Time(5), Time(0)]);
        round_trip(
            Type::Array(ElementType::of(Type::Integer).expect("an element")),
            vec![vec![Some(1i64), None], vec![]],
        );
        let column = round_trip(Type::Real, vec![Some(1.5)]);
        assert!(!column.has_nulls());
    }
}
