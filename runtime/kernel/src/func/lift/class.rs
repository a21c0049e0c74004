//! How does a leaf see the data of each class, and how does a loop read them without branching?
//!
//! A marker type a class says what a leaf is given, what it returns, and how both lie in a column. A column is read once
//! into a store; the store then is a constant, or rows that a loop takes by number.

use crate::{
    column::{ByteVals, Codes, Column, Data, Vals},
    lane::{Element, Lane},
    ty::TypeClass,
};

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
    Time: i64, i64s, I64;
    TimestampTz: i64, i64s, I64;
    Real: f64, f64s, F64;
    Numeric: i128, i128s, I128;
    Interval: i128, i128s, I128;
    Uuid: i128, i128s, I128;
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

macro_rules! bytes {
    ($($name:ident, $doc:literal)*) => {$(
#[doc = $doc]
pub struct $name;
impl Class for $name {
    const CLASS: TypeClass = TypeClass::$name;
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
impl Strings for $name {
    type Buffer = Vec<u8>;
}
    )*};
}
bytes! {
    Blob, "Marks [`TypeClass::Blob`]; reads TEXT and JSON too, as bytes, for leaves that compare them bytewise."
    Array, "Marks [`TypeClass::Array`]: a leaf reads and writes the bytes that [`crate::array`] tells of."
    BigNumeric, "Marks [`TypeClass::BigNumeric`]: a leaf reads and writes the bytes that [`crate::big_numeric`] tells of."
}
