//! Which types does a datum have, and in which physical lane does each live?
//!
//! Contract. A [`Type`] is what SQL speaks of; a [`LaneKind`] is how a column of it lies in memory. Several types
//! share one lane (an INTEGER, a DATE and a TIMESTAMP are all 64-bit integers), so loops are written once per lane.
//!
//! A *narrower* type (SMALLINT, INT4, FLOAT4, VARCHAR(n), CHAR(n), TIMESTAMP(p), JSONB, a NUMERIC(p,s) of more than 38 digits) is a promise about values of a plain one, which whoever
//! makes such a value keeps (`func::narrow`). Its class is the plain type's, so functions, lanes, keys and files know the
//! plain type only.

use std::fmt;

/// The largest number of decimal digits a NUMERIC can hold: an `i128` holds every 38-digit number.
pub const NUMERIC_PRECISION_MAX: u8 = 38;

/// The type of a datum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// True or false.
    Boolean,
    /// A signed 64-bit integer (BIGINT is the same).
    Integer,
    /// An IEEE 754 double (DOUBLE PRECISION is the same).
    Real,
    /// An exact decimal: an `i128` count of `10^-scale`.
    Numeric {
        /// Digits in all, at most [`NUMERIC_PRECISION_MAX`].
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// UTF-8 text.
    Text,
    /// Bytes.
    Blob,
    /// A day: days since 1970-01-01.
    Date,
    /// An instant: microseconds since 1970-01-01 00:00 UTC; `i64::MIN` and `i64::MAX` are the infinities.
    Timestamp,
    /// A JSON text, kept as it was written.
    Json,
    /// A JSON as PostgreSQL's jsonb prints it: see [`crate::func::json_tree::tidied`].
    Jsonb,
    /// An INTEGER of 16 bits.
    SmallInt,
    /// An INTEGER of 32 bits.
    Int4,
    /// A REAL that is the double nearest to the shortest decimal of a 32-bit float.
    Float4,
    /// A TEXT of at most so many characters.
    Varchar {
        /// The most characters, at most [`LENGTH_MAX`].
        length: u32,
    },
    /// A TEXT of exactly so many characters, filled up with blanks.
    Char {
        /// The characters, at most [`LENGTH_MAX`].
        length: u32,
    },
    /// A time of day: microseconds since midnight, 24:00 included.
    Time,
    /// An instant as [`Type::Timestamp`], printed with its time zone.
    TimestampTz,
    /// Months, days and microseconds: see [`crate::interval::Interval`].
    Interval,
    /// A number of 128 bits.
    Uuid,
    /// Values of one type in one or more dimensions: see [`crate::array`].
    Array(ElementType),
    /// An exact decimal of any length with a display scale of its own: see [`crate::big_numeric`].
    BigNumeric,
    /// A [`Type::BigNumeric`] that is rounded to a scale which [`Type::Numeric`] does not have.
    WideNumeric {
        /// Digits in all, at most [`crate::big_numeric::DECLARED_MAX`].
        precision: u16,
        /// Digits after the point, or (negative) rounded away before it.
        scale: i16,
    },
    /// A time, an instant or an interval that is rounded to fewer than six digits of a second.
    Rounded {
        /// Time, Timestamp, TimestampTz or Interval.
        class: TypeClass,
        /// The digits, at most 5.
        digits: u8,
    },
}

/// The type of an array's elements: any but an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ElementType {
    class: TypeClass,
    /// 0 for a plain type, else which narrower one.
    narrow: u8,
    /// A length, or a precision and a scale.
    size: u32,
}

/// The longest length that VARCHAR and CHAR can be declared with.
pub const LENGTH_MAX: u32 = 10_485_760;

/// A type without its parameters: what a function signature speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TypeClass {
    /// See [`Type::Boolean`].
    Boolean,
    /// See [`Type::Integer`].
    Integer,
    /// See [`Type::Real`].
    Real,
    /// See [`Type::Numeric`]; the binder knows the scale.
    Numeric,
    /// See [`Type::Text`].
    Text,
    /// See [`Type::Blob`].
    Blob,
    /// See [`Type::Date`].
    Date,
    /// See [`Type::Timestamp`].
    Timestamp,
    /// See [`Type::Json`].
    Json,
    /// See [`Type::Time`].
    Time,
    /// See [`Type::TimestampTz`].
    TimestampTz,
    /// See [`Type::Interval`].
    Interval,
    /// See [`Type::Uuid`].
    Uuid,
    /// See [`Type::Array`]; the binder knows the elements.
    Array,
    /// See [`Type::BigNumeric`].
    BigNumeric,
}

/// How the values of a type lie in a plain column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaneKind {
    /// One byte a row, 0 or 1.
    Bool,
    /// 64-bit signed integers.
    I64,
    /// 64-bit floats.
    F64,
    /// 128-bit signed integers.
    I128,
    /// Offsets into shared bytes.
    Bytes,
}

impl Type {
    /// The type without its parameters.
    pub const fn class(self) -> TypeClass {
        match self {
            Type::Boolean => TypeClass::Boolean,
            Type::Integer | Type::SmallInt | Type::Int4 => TypeClass::Integer,
            Type::Real | Type::Float4 => TypeClass::Real,
            Type::Numeric { .. } => TypeClass::Numeric,
            Type::Text | Type::Varchar { .. } | Type::Char { .. } => TypeClass::Text,
            Type::Blob => TypeClass::Blob,
            Type::Date => TypeClass::Date,
            Type::Timestamp => TypeClass::Timestamp,
            Type::Json | Type::Jsonb => TypeClass::Json,
            Type::Time => TypeClass::Time,
            Type::TimestampTz => TypeClass::TimestampTz,
            Type::Interval => TypeClass::Interval,
            Type::Uuid => TypeClass::Uuid,
            Type::Array(_) => TypeClass::Array,
            Type::BigNumeric | Type::WideNumeric { .. } => TypeClass::BigNumeric,
            Type::Rounded { class, .. } => class,
        }
    }

    /// The type whose values this one's are, without the promise of a narrower one.
    pub const fn plain(self) -> Type {
        match self {
            Type::Numeric { .. } => self,
            Type::Array(element) => Type::Array(element.plain()),
            other => other.class().plain_type(),
        }
    }

    /// The lane that a plain column of this type uses.
    pub const fn lane(self) -> LaneKind {
        self.class().lane()
    }

    /// Do the bytes of the lane (but for a display scale) say which values are equal and which comes first? Not of JSON and of
    /// arrays, which are written in several ways or hold numbers.
    pub const fn is_ordered_bytewise(self) -> bool {
        !matches!(self, Type::Json | Type::Jsonb | Type::Array(_))
    }

    /// The scale of a NUMERIC, 0 for every other type.
    pub const fn scale(self) -> u8 {
        match self {
            Type::Numeric { scale, .. } => scale,
            _ => 0,
        }
    }
}

impl TypeClass {
    /// The lane that a plain column of this class uses.
    pub const fn lane(self) -> LaneKind {
        match self {
            TypeClass::Boolean => LaneKind::Bool,
            TypeClass::Integer | TypeClass::Date | TypeClass::Timestamp | TypeClass::Time | TypeClass::TimestampTz => {
                LaneKind::I64
            }
            TypeClass::Real => LaneKind::F64,
            TypeClass::Numeric | TypeClass::Interval | TypeClass::Uuid => LaneKind::I128,
            TypeClass::Text | TypeClass::Blob | TypeClass::Json | TypeClass::Array | TypeClass::BigNumeric => {
                LaneKind::Bytes
            }
        }
    }

    /// The plain type of the class: a NUMERIC of all digits and none after the point, an array of texts.
    pub const fn plain_type(self) -> Type {
        match self {
            TypeClass::Boolean => Type::Boolean,
            TypeClass::Integer => Type::Integer,
            TypeClass::Real => Type::Real,
            TypeClass::Numeric => Type::Numeric { precision: NUMERIC_PRECISION_MAX, scale: 0 },
            TypeClass::Text => Type::Text,
            TypeClass::Blob => Type::Blob,
            TypeClass::Date => Type::Date,
            TypeClass::Timestamp => Type::Timestamp,
            TypeClass::Json => Type::Json,
            TypeClass::Time => Type::Time,
            TypeClass::TimestampTz => Type::TimestampTz,
            TypeClass::Interval => Type::Interval,
            TypeClass::Uuid => Type::Uuid,
            TypeClass::Array => Type::Array(ElementType::TEXT),
            TypeClass::BigNumeric => Type::BigNumeric,
        }
    }

    /// The number that stands for the class where bytes are written.
    pub const fn code(self) -> u8 {
        match self {
            TypeClass::Boolean => 1,
            TypeClass::Integer => 2,
            TypeClass::Real => 3,
            TypeClass::Numeric => 4,
            TypeClass::Text => 5,
            TypeClass::Blob => 6,
            TypeClass::Date => 7,
            TypeClass::Timestamp => 8,
            TypeClass::Json => 9,
            TypeClass::Time => 10,
            TypeClass::TimestampTz => 11,
            TypeClass::Interval => 12,
            TypeClass::Uuid => 13,
            TypeClass::Array => 14,
            TypeClass::BigNumeric => 15,
        }
    }

    /// The class of an array's elements that a number stands for.
    pub const fn of_element_code(code: u8) -> Option<TypeClass> {
        Some(match code {
            1 => TypeClass::Boolean,
            2 => TypeClass::Integer,
            3 => TypeClass::Real,
            4 => TypeClass::Numeric,
            5 => TypeClass::Text,
            6 => TypeClass::Blob,
            7 => TypeClass::Date,
            8 => TypeClass::Timestamp,
            9 => TypeClass::Json,
            10 => TypeClass::Time,
            11 => TypeClass::TimestampTz,
            12 => TypeClass::Interval,
            13 => TypeClass::Uuid,
            15 => TypeClass::BigNumeric,
            _ => return None,
        })
    }

    /// The SQL name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            TypeClass::Boolean => "boolean",
            TypeClass::Integer => "integer",
            TypeClass::Real => "real",
            TypeClass::Numeric | TypeClass::BigNumeric => "numeric",
            TypeClass::Text => "text",
            TypeClass::Blob => "blob",
            TypeClass::Date => "date",
            TypeClass::Timestamp => "timestamp",
            TypeClass::Json => "json",
            TypeClass::Time => "time",
            TypeClass::TimestampTz => "timestamptz",
            TypeClass::Interval => "interval",
            TypeClass::Uuid => "uuid",
            TypeClass::Array => "array",
        }
    }
}

impl ElementType {
    /// TEXT.
    pub const TEXT: ElementType = ElementType { class: TypeClass::Text, narrow: 0, size: 0 };

    /// The elements of this type; `None` for an array, whose elements have no arrays.
    pub const fn of(ty: Type) -> Option<ElementType> {
        let (narrow, size) = match ty {
            Type::Array(_) => return None,
            Type::Numeric { precision, scale } => (0, (precision as u32) << 8 | scale as u32),
            Type::SmallInt => (1, 0),
            Type::Int4 => (2, 0),
            Type::Float4 => (3, 0),
            Type::Varchar { length } => (4, length),
            Type::Char { length } => (5, length),
            Type::WideNumeric { precision, scale } => (6, (precision as u32) << 16 | scale as u16 as u32),
            Type::Rounded { digits, .. } => (7, digits as u32),
            Type::Jsonb => (8, 0),
            _ => (0, 0),
        };
        Some(ElementType { class: ty.class(), narrow, size })
    }

    /// The type.
    pub const fn ty(self) -> Type {
        match (self.narrow, self.class) {
            (1, _) => Type::SmallInt,
            (2, _) => Type::Int4,
            (3, _) => Type::Float4,
            (4, _) => Type::Varchar { length: self.size },
            (5, _) => Type::Char { length: self.size },
            (6, _) => Type::WideNumeric { precision: (self.size >> 16) as u16, scale: self.size as u16 as i16 },
            (7, class) => Type::Rounded { class, digits: self.size as u8 },
            (8, _) => Type::Jsonb,
            (_, TypeClass::Numeric) => Type::Numeric { precision: (self.size >> 8) as u8, scale: self.size as u8 },
            (_, class) => class.plain_type(),
        }
    }

    /// The type without the promise of a narrower one.
    pub const fn plain(self) -> ElementType {
        match self.narrow {
            0 => self,
            _ => ElementType { class: self.class, narrow: 0, size: 0 },
        }
    }

    /// The class.
    pub const fn class(self) -> TypeClass {
        self.class
    }

    /// A number that says all of it.
    pub const fn code(self) -> i64 {
        self.class.code() as i64 | (self.narrow as i64) << 8 | (self.size as i64) << 16
    }

    /// What [`ElementType::code`] says.
    pub const fn from_code(code: i64) -> Option<ElementType> {
        let Some(class) = TypeClass::of_element_code(code as u8) else { return None };
        Some(ElementType { class, narrow: (code >> 8) as u8, size: (code >> 16) as u32 })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Numeric { precision, scale } => write!(f, "numeric({precision},{scale})"),
            Type::WideNumeric { precision, scale } => write!(f, "numeric({precision},{scale})"),
            Type::SmallInt => f.write_str("smallint"),
            Type::Int4 => f.write_str("int4"),
            Type::Float4 => f.write_str("float4"),
            Type::Jsonb => f.write_str("jsonb"),
            Type::Varchar { length } => write!(f, "varchar({length})"),
            Type::Char { length } => write!(f, "char({length})"),
            Type::Rounded { class, digits } => write!(f, "{class}({digits})"),
            Type::Array(element) => write!(f, "{}[]", element.ty()),
            other => f.write_str(other.class().name()),
        }
    }
}

impl fmt::Display for TypeClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
