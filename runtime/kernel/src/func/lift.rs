//! How does one leaf, a function of single data, become a loop over columns?
//!
//! A leaf's arguments and result are named by marker types in [`class`]; the loops here are generic over them. Columns
//! become plain slices or scalars before the loop, so that a loop over numbers has no branch and vectorises; faults are
//! gathered in a byte and looked at after it. A constant is never spread out over the rows.
//!
//! Holds: a row of the result is NULL where an argument is (but for `NullAware` leaves); a fault counts only in a row
//! whose arguments are not NULL; all-constant arguments give a constant; a leaf that cannot fail runs once for each
//! distinct value of a lone dictionary argument, and its result keeps the codes.
//! Not here: which rows are asked at all (the executor's selection), and what any leaf computes.

use crate::{
    bitmap::Bitmap,
    column::{ByteRuns, ByteVals, Codes, Column, Data, Vals},
    func::{Fault, RowFault},
    lane::{Element, Lane},
    ty::TypeClass,
    value::Value,
};
use std::{collections::HashMap, marker::PhantomData, sync::Arc};

/// Gives the value of a row without a branch on how the column lies.
pub trait Access<T>: Copy {
    /// The value of a row below the length that was agreed on.
    fn at(self, row: usize) -> T;
}

/// A class of types as a leaf sees it.
pub trait Class {
    /// The class.
    const CLASS: TypeClass;
    /// What a leaf is given.
    type Arg<'a>: Copy;
    /// A column's values, decoded where need be.
    type Store<'a>;
    /// Rows of a store that is no constant.
    type Many<'a>: Access<Self::Arg<'a>>;
    /// Reads a column.
    fn store(column: &Column) -> Self::Store<'_>;
    /// The value of a constant.
    fn one<'s>(store: &'s Self::Store<'_>) -> Option<Self::Arg<'s>>;
    /// The first `len` rows of a store that is no constant.
    fn many<'s>(store: &'s Self::Store<'_>, len: usize) -> Self::Many<'s>;
}

/// A class whose values have one width: a leaf returns them.
pub trait Fixed: Class {
    /// What a leaf returns.
    type Native: Copy + Default;
    /// How it lies in a column.
    type Item: Element;
    /// From one to the other.
    fn item(native: Self::Native) -> Self::Item;
    /// The data of a plain column.
    fn data(items: Vec<Self::Item>) -> Data;
}

/// A class of strings: a leaf appends them to a buffer.
pub trait Strings: Class {
    /// What a leaf appends to.
    type Buffer: Buffer;
}

/// Strings one after another.
pub trait Buffer: Default {
    /// How many bytes so far.
    fn bytes_len(&self) -> usize;
    /// Forgets what comes after that many bytes.
    fn cut(&mut self, bytes_len: usize);
    /// The bytes.
    fn into_bytes(self) -> Vec<u8>;
}

impl Buffer for String {
    fn bytes_len(&self) -> usize {
        self.len()
    }
    fn cut(&mut self, bytes_len: usize) {
        self.truncate(bytes_len);
    }
    fn into_bytes(self) -> Vec<u8> {
        self.into_bytes()
    }
}

impl Buffer for Vec<u8> {
    fn bytes_len(&self) -> usize {
        self.len()
    }
    fn cut(&mut self, bytes_len: usize) {
        self.truncate(bytes_len);
    }
    fn into_bytes(self) -> Vec<u8> {
        self
    }
}

/// Rows of a slice.
#[derive(Clone, Copy)]
pub struct Slice<'a, T>(&'a [T]);

impl<T: Copy> Access<T> for Slice<'_, T> {
    #[inline(always)]
    fn at(self, row: usize) -> T {
        self.0[row]
    }
}

/// Rows of a slice of 0s and 1s.
#[derive(Clone, Copy)]
pub struct Bits<'a>(&'a [u8]);

impl Access<bool> for Bits<'_> {
    #[inline(always)]
    fn at(self, row: usize) -> bool {
        self.0[row] != 0
    }
}

impl<'a> Access<&'a [u8]> for ByteVals<'a> {
    #[inline(always)]
    fn at(self, row: usize) -> &'a [u8] {
        ByteVals::at(&self, row)
    }
}

/// The texts of a column, checked to be UTF-8 as a whole where that is less work than one by one.
#[derive(Clone, Copy)]
pub enum Texts<'a> {
    /// A constant.
    One(&'a str),
    /// Offsets, the text between the first and the last, and the first.
    Plain(&'a [u32], &'a str, u32),
    /// Codes into such texts.
    Coded(&'a Codes, &'a [u32], &'a str, u32),
    /// Few rows of a large dictionary: each text is checked as it is read.
    Checked(ByteVals<'a>),
}

fn whole_text<'a>(offsets: &[u32], bytes: &'a [u8]) -> (&'a str, u32) {
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return ("", 0) };
    let text = std::str::from_utf8(&bytes[*first as usize..*last as usize]).expect("text columns hold UTF-8");
    (text, *first)
}

impl<'a> Access<&'a str> for Texts<'a> {
    #[inline]
    fn at(self, row: usize) -> &'a str {
        let run = |offsets: &[u32], text: &'a str, first: u32, i: usize| {
            &text[(offsets[i] - first) as usize..(offsets[i + 1] - first) as usize]
        };
        match self {
            Texts::One(text) => text,
            Texts::Plain(offsets, text, first) => run(offsets, text, first, row),
            Texts::Coded(codes, offsets, text, first) => run(offsets, text, first, codes.at(row)),
            Texts::Checked(vals) => vals.text_at(row),
        }
    }
}

/// Marker types, one a class, named as [`TypeClass`] names them.
pub mod class {
    use super::{Bits, ByteVals, Class, Column, Data, Fixed, Lane, Slice, Strings, Texts, TypeClass, Vals, whole_text};

    macro_rules! numbers {
        ($($name:ident: $native:ty, $read:ident, $data:ident;)*) => {$(
            #[doc = concat!("Marks [`TypeClass::", stringify!($name), "`].")]
            pub struct $name;
            impl Class for $name {
                const CLASS: TypeClass = TypeClass::$name;
                type Arg<'a> = $native;
                type Store<'a> = Vals<'a, $native>;
                type Many<'a> = Slice<'a, $native>;
                fn store(column: &Column) -> Vals<'_, $native> {
                    column.$read()
                }
                fn one(store: &Vals<'_, $native>) -> Option<$native> {
                    match store {
                        Vals::One(value) => Some(*value),
                        Vals::Many(_) => None,
                    }
                }
                fn many<'s>(store: &'s Vals<'_, $native>, len: usize) -> Slice<'s, $native> {
                    match store {
                        Vals::One(_) => unreachable!("constants are read by one()"),
                        Vals::Many(values) => Slice(&values[..len]),
                    }
                }
            }
            impl Fixed for $name {
                type Native = $native;
                type Item = $native;
                #[inline(always)]
                fn item(native: $native) -> $native {
                    native
                }
                fn data(items: Vec<$native>) -> Data {
                    Data::$data(Lane::from_vec(items))
                }
            }
        )*};
    }
    numbers! {
        Integer: i64, i64s, I64;
        Date: i64, i64s, I64;
        Timestamp: i64, i64s, I64;
        Real: f64, f64s, F64;
        Numeric: i128, i128s, I128;
    }

    /// Marks [`TypeClass::Boolean`].
    pub struct Boolean;
    impl Class for Boolean {
        const CLASS: TypeClass = TypeClass::Boolean;
        type Arg<'a> = bool;
        type Store<'a> = Vals<'a, u8>;
        type Many<'a> = Bits<'a>;
        fn store(column: &Column) -> Vals<'_, u8> {
            column.bools()
        }
        fn one(store: &Vals<'_, u8>) -> Option<bool> {
            match store {
                Vals::One(value) => Some(*value != 0),
                Vals::Many(_) => None,
            }
        }
        fn many<'s>(store: &'s Vals<'_, u8>, len: usize) -> Bits<'s> {
            match store {
                Vals::One(_) => unreachable!("constants are read by one()"),
                Vals::Many(values) => Bits(&values[..len]),
            }
        }
    }
    impl Fixed for Boolean {
        type Native = bool;
        type Item = u8;
        #[inline(always)]
        fn item(native: bool) -> u8 {
            u8::from(native)
        }
        fn data(items: Vec<u8>) -> Data {
            Data::Bool(Lane::from_vec(items))
        }
    }

    macro_rules! texts {
        ($($name:ident)*) => {$(
            #[doc = concat!("Marks [`TypeClass::", stringify!($name), "`].")]
            pub struct $name;
            impl Class for $name {
                const CLASS: TypeClass = TypeClass::$name;
                type Arg<'a> = &'a str;
                type Store<'a> = Texts<'a>;
                type Many<'a> = Texts<'a>;
                fn store(column: &Column) -> Texts<'_> {
                    store_texts(column)
                }
                fn one<'s>(store: &'s Texts<'_>) -> Option<&'s str> {
                    match store {
                        Texts::One(text) => Some(text),
                        Texts::Plain(..) | Texts::Coded(..) | Texts::Checked(_) => None,
                    }
                }
                fn many<'s>(store: &'s Texts<'_>, _len: usize) -> Texts<'s> {
                    *store
                }
            }
            impl Strings for $name {
                type Buffer = String;
            }
        )*};
    }
    texts! { Text Json }

    fn store_texts(column: &Column) -> Texts<'_> {
        match column.byte_vals() {
            ByteVals::One(bytes) => Texts::One(std::str::from_utf8(bytes).expect("text columns hold UTF-8")),
            ByteVals::Plain(offsets, bytes) => {
                let (text, first) = whole_text(offsets, bytes);
                Texts::Plain(offsets, text, first)
            }
            ByteVals::Coded(_, offsets, _) if offsets.len() > 2 * column.len() => Texts::Checked(column.byte_vals()),
            ByteVals::Coded(codes, offsets, bytes) => {
                let (text, first) = whole_text(offsets, bytes);
                Texts::Coded(codes, offsets, text, first)
            }
        }
    }

    /// Marks [`TypeClass::Blob`]; reads TEXT and JSON too, as bytes, for leaves that compare them bytewise.
    pub struct Blob;
    impl Class for Blob {
        const CLASS: TypeClass = TypeClass::Blob;
        type Arg<'a> = &'a [u8];
        type Store<'a> = ByteVals<'a>;
        type Many<'a> = ByteVals<'a>;
        fn store(column: &Column) -> ByteVals<'_> {
            column.byte_vals()
        }
        fn one<'s>(store: &'s ByteVals<'_>) -> Option<&'s [u8]> {
            match store {
                ByteVals::One(bytes) => Some(bytes),
                ByteVals::Plain(..) | ByteVals::Coded(..) => None,
            }
        }
        fn many<'s>(store: &'s ByteVals<'_>, _len: usize) -> ByteVals<'s> {
            *store
        }
    }
    impl Strings for Blob {
        type Buffer = Vec<u8>;
    }
}

/// The arguments of a leaf: a tuple of marker types.
pub trait Args {
    /// One row's arguments.
    type Row<'a>;
    /// One row's arguments, `None` for NULL.
    type Options<'a>;
    /// Calls the loop with a way to read rows.
    fn visit<V: Visit<Self>>(columns: &[Column], len: usize, visit: V) -> V::Output;
    /// Takes the NULLs out of a row.
    fn options<'a>(row: Self::Row<'a>, has_value: impl Fn(usize) -> bool) -> Self::Options<'a>;
}

/// A loop over rows, generic over how they are read.
pub trait Visit<A: Args + ?Sized> {
    /// What the loop gives.
    type Output;
    /// Runs the loop.
    fn visit<'a>(self, row: impl Fn(usize) -> A::Row<'a>) -> Self::Output;
}

impl<A: Class> Args for (A,) {
    type Row<'a> = (A::Arg<'a>,);
    type Options<'a> = (Option<A::Arg<'a>>,);

    fn visit<V: Visit<Self>>(columns: &[Column], len: usize, visit: V) -> V::Output {
        let a = A::store(&columns[0]);
        match A::one(&a) {
            Some(a) => visit.visit(move |_| (a,)),
            None => {
                let a = A::many(&a, len);
                visit.visit(move |row| (a.at(row),))
            }
        }
    }

    fn options<'a>(row: Self::Row<'a>, has_value: impl Fn(usize) -> bool) -> Self::Options<'a> {
        (has_value(0).then_some(row.0),)
    }
}

impl<A: Class, B: Class> Args for (A, B) {
    type Row<'a> = (A::Arg<'a>, B::Arg<'a>);
    type Options<'a> = (Option<A::Arg<'a>>, Option<B::Arg<'a>>);

    fn visit<V: Visit<Self>>(columns: &[Column], len: usize, visit: V) -> V::Output {
        let (a, b) = (A::store(&columns[0]), B::store(&columns[1]));
        match (A::one(&a), B::one(&b)) {
            (Some(a), Some(b)) => visit.visit(move |_| (a, b)),
            (None, Some(b)) => {
                let a = A::many(&a, len);
                visit.visit(move |row| (a.at(row), b))
            }
            (Some(a), None) => {
                let b = B::many(&b, len);
                visit.visit(move |row| (a, b.at(row)))
            }
            (None, None) => {
                let (a, b) = (A::many(&a, len), B::many(&b, len));
                visit.visit(move |row| (a.at(row), b.at(row)))
            }
        }
    }

    fn options<'a>(row: Self::Row<'a>, has_value: impl Fn(usize) -> bool) -> Self::Options<'a> {
        (has_value(0).then_some(row.0), has_value(1).then_some(row.1))
    }
}

/// A constant or rows; the branch is the same in every row, so the processor foresees it.
fn either<'s, A: Class>(store: &'s A::Store<'_>, len: usize) -> impl Fn(usize) -> A::Arg<'s> {
    let one = A::one(store);
    let many = if one.is_none() { Some(A::many(store, len)) } else { None };
    move |row| match (one, many) {
        (Some(one), _) => one,
        (None, Some(many)) => many.at(row),
        (None, None) => unreachable!("a column is a constant or rows"),
    }
}

impl<A: Class, B: Class, C: Class> Args for (A, B, C) {
    type Row<'a> = (A::Arg<'a>, B::Arg<'a>, C::Arg<'a>);
    type Options<'a> = (Option<A::Arg<'a>>, Option<B::Arg<'a>>, Option<C::Arg<'a>>);

    fn visit<V: Visit<Self>>(columns: &[Column], len: usize, visit: V) -> V::Output {
        let (a, b, c) = (A::store(&columns[0]), B::store(&columns[1]), C::store(&columns[2]));
        // Two shapes are worth a loop of their own: internal functions get powers of ten and flags as constants.
        match (A::one(&a), B::one(&b), C::one(&c)) {
            (None, Some(b), Some(c)) => {
                let a = A::many(&a, len);
                visit.visit(move |row| (a.at(row), b, c))
            }
            (None, None, Some(c)) => {
                let (a, b) = (A::many(&a, len), B::many(&b, len));
                visit.visit(move |row| (a.at(row), b.at(row), c))
            }
            _ => {
                let (a, b, c) = (either::<A>(&a, len), either::<B>(&b, len), either::<C>(&c, len));
                visit.visit(move |row| (a(row), b(row), c(row)))
            }
        }
    }

    fn options<'a>(row: Self::Row<'a>, has_value: impl Fn(usize) -> bool) -> Self::Options<'a> {
        (has_value(0).then_some(row.0), has_value(1).then_some(row.1), has_value(2).then_some(row.2))
    }
}

impl<A: Class, B: Class, C: Class, D: Class> Args for (A, B, C, D) {
    type Row<'a> = (A::Arg<'a>, B::Arg<'a>, C::Arg<'a>, D::Arg<'a>);
    type Options<'a> = (Option<A::Arg<'a>>, Option<B::Arg<'a>>, Option<C::Arg<'a>>, Option<D::Arg<'a>>);

    fn visit<V: Visit<Self>>(columns: &[Column], len: usize, visit: V) -> V::Output {
        let (a, b) = (A::store(&columns[0]), B::store(&columns[1]));
        let (c, d) = (C::store(&columns[2]), D::store(&columns[3]));
        let (a, b) = (either::<A>(&a, len), either::<B>(&b, len));
        let (c, d) = (either::<C>(&c, len), either::<D>(&d, len));
        visit.visit(move |row| (a(row), b(row), c(row), d(row)))
    }

    fn options<'a>(row: Self::Row<'a>, has_value: impl Fn(usize) -> bool) -> Self::Options<'a> {
        let (a, b, c, d) = row;
        (has_value(0).then_some(a), has_value(1).then_some(b), has_value(2).then_some(c), has_value(3).then_some(d))
    }
}

/// What a lifted loop knows of the function it runs.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The SQL name.
    pub function: &'static str,
    /// The columns of arguments.
    pub columns: &'a [Column],
    /// How many rows.
    pub len: usize,
}

impl Call<'_> {
    fn fault<R: Class>(&self, fault: Fault, row: usize) -> RowFault {
        let args = self.columns.iter().map(|column| column.value(row)).collect();
        RowFault { fault, function: self.function, ret: R::CLASS, row, args }
    }
}

/// Lifts a leaf that never fails and returns a number.
///
/// # Errors
/// Never, in truth: the signature is that of every batch loop.
pub fn total<A: Args, R: Fixed>(
    call: Call<'_>,
    leaf: impl for<'a> Fn(A::Row<'a>) -> R::Native,
) -> Result<Column, RowFault> {
    run::<R>(call, true, &|columns, len, validity| {
        let items = A::visit(columns, len, Total::<_, R> { leaf: &leaf, len, result: PhantomData });
        Ok(Column::new(R::CLASS.plain_type(), validity, R::data(items)))
    })
}

struct Total<'l, F, R> {
    leaf: &'l F,
    len: usize,
    result: PhantomData<R>,
}

impl<A: Args, R: Fixed, F: for<'a> Fn(A::Row<'a>) -> R::Native> Visit<A> for Total<'_, F, R> {
    type Output = Vec<R::Item>;
    fn visit<'a>(self, row: impl Fn(usize) -> A::Row<'a>) -> Vec<R::Item> {
        (0..self.len).map(|i| R::item((self.leaf)(row(i)))).collect()
    }
}

/// Lifts a leaf that may fail and returns a number.
///
/// # Errors
/// The fault of the first row without a NULL argument that has one.
pub fn fallible<A: Args, R: Fixed>(
    call: Call<'_>,
    leaf: impl for<'a> Fn(A::Row<'a>) -> (R::Native, Fault),
) -> Result<Column, RowFault> {
    run::<R>(call, false, &|columns, len, validity| {
        let loop_ = Fallible::<_, R> { leaf: &leaf, len, validity: validity.as_ref(), result: PhantomData };
        match A::visit(columns, len, loop_) {
            Ok(items) => Ok(Column::new(R::CLASS.plain_type(), validity, R::data(items))),
            Err((fault, row)) => Err(Call { columns, len, ..call }.fault::<R>(fault, row)),
        }
    })
}

struct Fallible<'l, F, R> {
    leaf: &'l F,
    len: usize,
    validity: Option<&'l Bitmap>,
    result: PhantomData<R>,
}

impl<A: Args, R: Fixed, F: for<'a> Fn(A::Row<'a>) -> (R::Native, Fault)> Visit<A> for Fallible<'_, F, R> {
    type Output = Result<Vec<R::Item>, (Fault, usize)>;
    fn visit<'a>(self, row: impl Fn(usize) -> A::Row<'a>) -> Self::Output {
        let mut faults = 0u8;
        let mut items = Vec::with_capacity(self.len);
        items.extend((0..self.len).map(|i| {
            let (value, fault) = (self.leaf)(row(i));
            faults |= fault as u8;
            R::item(value)
        }));
        if faults == 0 {
            return Ok(items);
        }
        // Slots of NULL rows hold anything, so their faults are no faults.
        let counts = |i: usize| self.validity.is_none_or(|bits| bits.is_set(i));
        let first = (0..self.len).filter(|i| counts(*i)).find_map(|i| match (self.leaf)(row(i)).1 {
            Fault::Ok => None,
            fault => Some((fault, i)),
        });
        first.map_or(Ok(items), Err)
    }
}

/// Lifts a leaf that may have no value and returns a number.
///
/// # Errors
/// Never, in truth.
pub fn partial<A: Args, R: Fixed>(
    call: Call<'_>,
    leaf: impl for<'a> Fn(A::Row<'a>) -> Option<R::Native>,
) -> Result<Column, RowFault> {
    run::<R>(call, true, &|columns, len, validity| {
        let loop_ = Partial::<_, R> { leaf: &leaf, len, validity: validity.as_ref(), result: PhantomData };
        let (items, present) = A::visit(columns, len, loop_);
        Ok(Column::new(R::CLASS.plain_type(), Some(present), R::data(items)))
    })
}

struct Partial<'l, F, R> {
    leaf: &'l F,
    len: usize,
    validity: Option<&'l Bitmap>,
    result: PhantomData<R>,
}

impl<A: Args, R: Fixed, F: for<'a> Fn(A::Row<'a>) -> Option<R::Native>> Visit<A> for Partial<'_, F, R> {
    type Output = (Vec<R::Item>, Bitmap);
    fn visit<'a>(self, row: impl Fn(usize) -> A::Row<'a>) -> Self::Output {
        let mut items = Vec::with_capacity(self.len);
        let present = Bitmap::from_bools((0..self.len).map(|i| {
            let counts = self.validity.is_none_or(|bits| bits.is_set(i));
            let value = if counts { (self.leaf)(row(i)) } else { None };
            items.push(R::item(value.unwrap_or_default()));
            value.is_some()
        }));
        (items, present)
    }
}

/// Lifts a leaf that is asked about NULLs too.
///
/// # Errors
/// Never, in truth.
pub fn null_aware<A: Args, R: Fixed>(
    call: Call<'_>,
    leaf: impl for<'a> Fn(A::Options<'a>) -> R::Native,
) -> Result<Column, RowFault> {
    let Call { columns, len, .. } = call;
    let ty = R::CLASS.plain_type();
    let constant = len > 0 && columns.iter().all(|column| column.as_const().is_some());
    let rows = if constant { 1 } else { len };
    let items = A::visit(columns, rows, NullAware::<_, R> { leaf: &leaf, columns, len: rows, result: PhantomData });
    let column = Column::new(ty, None, R::data(items));
    Ok(if constant { Column::constant(ty, column.value(0), len) } else { column })
}

struct NullAware<'l, F, R> {
    leaf: &'l F,
    columns: &'l [Column],
    len: usize,
    result: PhantomData<R>,
}

impl<A: Args, R: Fixed, F: for<'a> Fn(A::Options<'a>) -> R::Native> Visit<A> for NullAware<'_, F, R> {
    type Output = Vec<R::Item>;
    fn visit<'a>(self, row: impl Fn(usize) -> A::Row<'a>) -> Vec<R::Item> {
        let columns = self.columns;
        (0..self.len)
            .map(|i| R::item((self.leaf)(A::options(row(i), |column_idx| !columns[column_idx].is_null(i)))))
            .collect()
    }
}

/// What a leaf that appends a string says of it.
#[derive(Clone, Copy)]
pub enum Appended {
    /// It is the value.
    Value,
    /// There is no value.
    Null,
    /// The row fails.
    Fault(Fault),
}

impl From<()> for Appended {
    fn from((): ()) -> Appended {
        Appended::Value
    }
}

impl From<bool> for Appended {
    fn from(has_value: bool) -> Appended {
        if has_value { Appended::Value } else { Appended::Null }
    }
}

impl From<Fault> for Appended {
    fn from(fault: Fault) -> Appended {
        match fault {
            Fault::Ok => Appended::Value,
            fault => Appended::Fault(fault),
        }
    }
}

/// Lifts a leaf of any shape but `NullAware` that appends a string.
///
/// # Errors
/// The fault of the first row that has one; [`Fault::TooLarge`] where the strings pass 4 GiB together.
pub fn strings<A: Args, R: Strings, O: Into<Appended>>(
    call: Call<'_>,
    infallible: bool,
    leaf: impl for<'a> Fn(A::Row<'a>, &mut R::Buffer) -> O,
) -> Result<Column, RowFault> {
    run::<R>(call, infallible, &|columns, len, validity| {
        let loop_ = Stringing::<_, R, O> { leaf: &leaf, len, validity, result: PhantomData };
        match A::visit(columns, len, loop_) {
            Ok((runs, validity)) => Ok(Column::new(R::CLASS.plain_type(), validity, Data::Bytes(runs))),
            Err((fault, row)) => Err(Call { columns, len, ..call }.fault::<R>(fault, row)),
        }
    })
}

struct Stringing<'l, F, R, O> {
    leaf: &'l F,
    len: usize,
    validity: Option<Bitmap>,
    result: PhantomData<(R, O)>,
}

impl<A, R, O, F> Visit<A> for Stringing<'_, F, R, O>
where
    A: Args,
    R: Strings,
    O: Into<Appended>,
    F: for<'a> Fn(A::Row<'a>, &mut R::Buffer) -> O,
{
    type Output = Result<(ByteRuns, Option<Bitmap>), (Fault, usize)>;
    fn visit<'a>(self, row: impl Fn(usize) -> A::Row<'a>) -> Self::Output {
        let mut buffer = R::Buffer::default();
        let mut offsets = Vec::with_capacity(self.len + 1);
        offsets.push(0);
        let mut absent = Vec::new();
        for i in 0..self.len {
            if self.validity.as_ref().is_none_or(|bits| bits.is_set(i)) {
                let start = buffer.bytes_len();
                match (self.leaf)(row(i), &mut buffer).into() {
                    Appended::Value => {}
                    Appended::Null => {
                        buffer.cut(start);
                        absent.push(i);
                    }
                    Appended::Fault(fault) => return Err((fault, i)),
                }
            }
            offsets.push(u32::try_from(buffer.bytes_len()).map_err(|_| (Fault::TooLarge, i))?);
        }
        let validity = if absent.is_empty() {
            self.validity
        } else {
            let mut absent = absent.into_iter().peekable();
            let old = self.validity;
            Some(Bitmap::from_bools(
                (0..self.len)
                    .map(|i| absent.next_if_eq(&i).is_none() && old.as_ref().is_none_or(|bits| bits.is_set(i))),
            ))
        };
        Ok((ByteRuns::from_vecs(offsets, buffer.into_bytes()), validity))
    }
}

/// The rows where every column has a value; `None` when that is all of them.
pub fn validity(columns: &[Column]) -> Option<Bitmap> {
    columns.iter().filter_map(Column::validity).fold(None, |both, bits| match both {
        None => Some(bits.clone()),
        Some(both) => Some(both.and(bits)),
    })
}

type Loop<'l> = &'l dyn Fn(&[Column], usize, Option<Bitmap>) -> Result<Column, RowFault>;

/// Runs a loop as seldom as the arguments allow: once for constants, once for each value of a dictionary.
fn run<R: Class>(call: Call<'_>, infallible: bool, loop_: Loop<'_>) -> Result<Column, RowFault> {
    let Call { columns, len, .. } = call;
    let ty = R::CLASS.plain_type();
    if len == 0 || columns.iter().any(|column| column.as_const().is_some_and(Value::is_null)) {
        return Ok(Column::constant(ty, Value::Null, len));
    }
    if columns.iter().all(|column| column.as_const().is_some()) {
        return Ok(Column::constant(ty, loop_(columns, 1, None)?.value(0), len));
    }
    if infallible && let Some((idx, codes, values)) = lone_dictionary(columns) {
        // A loop over half as many rows is worth more than giving them their codes back.
        if values.len() * 2 <= len {
            let mut columns = columns.to_vec();
            let rows = std::mem::replace(&mut columns[idx], values.as_ref().clone());
            let results = loop_(&columns, values.len(), None)?;
            return Ok(recode(results, codes, rows.validity()));
        }
    }
    loop_(columns, len, validity(columns))
}

/// The only column that is no constant, when it is a dictionary.
fn lone_dictionary(columns: &[Column]) -> Option<(usize, &Codes, &Arc<Column>)> {
    let mut found = None;
    for (idx, column) in columns.iter().enumerate() {
        match column.data() {
            Data::Const(_) => {}
            Data::Dictionary { codes, values } if found.is_none() => found = Some((idx, codes, values)),
            _ => return None,
        }
    }
    found
}

/// The results of a dictionary's values, given to the rows that have them.
fn recode(results: Column, codes: &Codes, rows: Option<&Bitmap>) -> Column {
    let ty = results.ty();
    let code_of: Vec<u32> = (0..codes.len()).map(|row| codes.at(row) as u32).collect();
    let Data::Bytes(_) = results.data() else {
        let column = results.take(&code_of);
        let both = match (column.validity(), rows) {
            (Some(one), Some(two)) => Some(one.and(two)),
            (one, two) => one.or(two).cloned(),
        };
        return column.with_validity(both);
    };
    let present =
        results.validity().map(|bits| Bitmap::from_bools(code_of.iter().map(|code| bits.is_set(*code as usize))));
    let validity = match (present, rows) {
        (Some(one), Some(two)) => Some(one.and(two)),
        (one, two) => one.or_else(|| two.cloned()),
    };
    // A dictionary's values are distinct, the function's results need not be.
    let vals = results.byte_vals();
    let mut seen: HashMap<&[u8], u32> = HashMap::with_capacity(results.len());
    let mut kept: Vec<u32> = Vec::with_capacity(results.len());
    let renamed: Vec<u32> = (0..results.len() as u32)
        .map(|i| {
            *seen.entry(vals.at(i as usize)).or_insert_with(|| {
                kept.push(i);
                kept.len() as u32 - 1
            })
        })
        .collect();
    if kept.len() == results.len() {
        let values = Arc::new(results.with_validity(None));
        return Column::new(ty, validity, Data::Dictionary { codes: codes.clone(), values });
    }
    let values = Arc::new(results.take(&kept).with_validity(None));
    let codes = Codes::U32(Lane::from_vec(code_of.iter().map(|code| renamed[*code as usize]).collect()));
    Column::new(ty, validity, Data::Dictionary { codes, values })
}

/// Defines `TABLE`, the functions of a family: one row each, from which come the binder's signature, the batch loop and
/// the path that generated code prints.
///
/// `"name" (ArgClass, ...) -> RetClass, Shape, leaf, "doc";` or, with a batch loop of its own,
/// `... leaf by batch_function, "doc";`
macro_rules! functions {
    ($module:literal; $($name:literal ($($arg:ident),*) -> $ret:ident, $shape:ident, $leaf:ident $(by $batch:path)?, $doc:literal;)*) => {
        /// The functions of this family.
        pub static TABLE: &[$crate::func::Function] = &[$(
            $crate::func::Function {
                name: $name,
                args: &[$($crate::ty::TypeClass::$arg),*],
                ret: $crate::ty::TypeClass::$ret,
                shape: $crate::func::Shape::$shape,
                path: concat!($module, "::", stringify!($leaf)),
                batch: $crate::func::lift::functions!(@batch $name, [$($batch)?], ($($arg),*), $ret, $shape, $leaf),
                doc: $doc,
            },
        )*];
    };
    (@batch $name:literal, [$batch:path], $args:tt, $ret:ident, $shape:ident, $leaf:ident) => { $batch };
    (@batch $name:literal, [], $args:tt, Text, $shape:ident, $leaf:ident) => {
        $crate::func::lift::functions!(@strings $name, $args, Text, $shape, $leaf)
    };
    (@batch $name:literal, [], $args:tt, Json, $shape:ident, $leaf:ident) => {
        $crate::func::lift::functions!(@strings $name, $args, Json, $shape, $leaf)
    };
    (@batch $name:literal, [], $args:tt, Blob, $shape:ident, $leaf:ident) => {
        $crate::func::lift::functions!(@strings $name, $args, Blob, $shape, $leaf)
    };
    (@batch $name:literal, [], ($($arg:ident),*), $ret:ident, Total, $leaf:ident) => {
        |columns, len| $crate::func::lift::total::<($($crate::func::lift::class::$arg,)*), $crate::func::lift::class::$ret>(
            $crate::func::lift::Call { function: $name, columns, len },
            $crate::func::lift::functions!(@fixed $leaf, $($arg)*),
        )
    };
    (@batch $name:literal, [], ($($arg:ident),*), $ret:ident, Fallible, $leaf:ident) => {
        |columns, len| $crate::func::lift::fallible::<($($crate::func::lift::class::$arg,)*), $crate::func::lift::class::$ret>(
            $crate::func::lift::Call { function: $name, columns, len },
            $crate::func::lift::functions!(@fixed $leaf, $($arg)*),
        )
    };
    (@batch $name:literal, [], ($($arg:ident),*), $ret:ident, Partial, $leaf:ident) => {
        |columns, len| $crate::func::lift::partial::<($($crate::func::lift::class::$arg,)*), $crate::func::lift::class::$ret>(
            $crate::func::lift::Call { function: $name, columns, len },
            $crate::func::lift::functions!(@fixed $leaf, $($arg)*),
        )
    };
    (@batch $name:literal, [], ($($arg:ident),*), $ret:ident, NullAware, $leaf:ident) => {
        |columns, len| $crate::func::lift::null_aware::<($($crate::func::lift::class::$arg,)*), $crate::func::lift::class::$ret>(
            $crate::func::lift::Call { function: $name, columns, len },
            $crate::func::lift::functions!(@fixed $leaf, $($arg)*),
        )
    };
    (@strings $name:literal, ($($arg:ident),*), $ret:ident, $shape:ident, $leaf:ident) => {
        |columns, len| $crate::func::lift::strings::<($($crate::func::lift::class::$arg,)*), $crate::func::lift::class::$ret, _>(
            $crate::func::lift::Call { function: $name, columns, len },
            !matches!($crate::func::Shape::$shape, $crate::func::Shape::Fallible),
            $crate::func::lift::functions!(@appending $leaf, $($arg)*),
        )
    };
    (@fixed $leaf:ident, $a:ident) => { |(a,)| $leaf(a) };
    (@fixed $leaf:ident, $a:ident $b:ident) => { |(a, b)| $leaf(a, b) };
    (@fixed $leaf:ident, $a:ident $b:ident $c:ident) => { |(a, b, c)| $leaf(a, b, c) };
    (@fixed $leaf:ident, $a:ident $b:ident $c:ident $d:ident) => { |(a, b, c, d)| $leaf(a, b, c, d) };
    (@appending $leaf:ident, $a:ident) => { |(a,), out| $leaf(a, out) };
    (@appending $leaf:ident, $a:ident $b:ident) => { |(a, b), out| $leaf(a, b, out) };
    (@appending $leaf:ident, $a:ident $b:ident $c:ident) => { |(a, b, c), out| $leaf(a, b, c, out) };
    (@appending $leaf:ident, $a:ident $b:ident $c:ident $d:ident) => { |(a, b, c, d), out| $leaf(a, b, c, d, out) };
}
pub(crate) use functions;
