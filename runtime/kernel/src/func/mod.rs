//! Which functions are there, and how is each called?
//!
//! Contract. One row in a family's `functions!` table names a Rust function (the leaf) once; from it come the binder's
//! signature, the interpreter's batch loop and the path that generated code calls. Operators, casts and comparisons are
//! functions like any other. A leaf takes data that are not NULL; the lifted loop owns NULLs.
//!
//! Leaf conventions by class: BOOLEAN `bool`; INTEGER, DATE (days), TIME, TIMESTAMP and TIMESTAMPTZ (microseconds) `i64`;
//! REAL `f64`; INTERVAL and UUID the lane's `i128`; NUMERIC `i128` units (the binder aligns scales and passes powers of ten as INTEGER arguments); TEXT, JSON `&str`;
//! BLOB, arrays and NUMERIC without digits `&[u8]`. Results are the same, but text results are appended to a `&mut String` given last (bytes: `&mut Vec<u8>`).
//! What a leaf returns depends on its [`Shape`].

use crate::{column::Column, ty::TypeClass, value::Value};
use std::fmt;

pub mod arith;
pub mod array;
pub mod array_cast;
pub mod array_put;
pub mod array_set;
pub mod big_numeric;
pub mod bytes;
pub mod cast;
pub mod cast_time;
pub mod compare;
pub mod date;
pub mod datetime;
mod datetime_words;
mod fault;
pub mod fields;
pub mod frame;
pub mod interval;
pub mod json;
pub mod json_order;
pub mod json_path;
pub mod json_rows;
pub mod json_tree;
pub mod lift;
pub mod like;
pub mod listed;
pub mod logic;
pub mod math;
pub mod narrow;
pub mod number_char;
pub mod number_templates;
pub mod random;
pub mod regex;
pub mod setting;
pub mod sql_json;
pub mod templates;
pub mod text;
pub mod trial;
pub mod trig;
pub mod unicode;
pub mod words;
pub mod zone;

/// The tables of the families.
static FAMILIES: &[&[Function]] = &[
    arith::TABLE,
    compare::TABLE,
    logic::TABLE,
    math::TABLE,
    text::TABLE,
    words::TABLE,
    random::TABLE,
    regex::TABLE,
    templates::TABLE,
    number_char::TABLE,
    number_templates::TABLE,
    trig::TABLE,
    unicode::TABLE,
    like::TABLE,
    listed::TABLE,
    bytes::TABLE,
    cast::TABLE,
    cast_time::TABLE,
    narrow::TABLE,
    interval::TABLE,
    zone::TABLE,
    date::TABLE,
    fields::TABLE,
    frame::TABLE,
    json::TABLE,
    json_order::TABLE,
    json_rows::TABLE,
    json_tree::TABLE,
    json_path::TABLE,
    array::TABLE,
    array_cast::TABLE,
    array_put::TABLE,
    array_set::TABLE,
    big_numeric::TABLE,
    trial::TABLE,
    setting::TABLE,
    sql_json::TABLE,
];

/// All functions, family by family.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FAMILIES.iter().copied().flatten()
}

/// The functions of a name, which differ in the classes of their arguments (casts also in their results).
pub fn overloads(name: &str) -> impl Iterator<Item = &'static Function> {
    all().filter(move |function| function.name == name)
}

/// The function of a name for exactly these classes of arguments. Casts are found by [`cast()`].
pub fn find(name: &str, args: &[TypeClass]) -> Option<&'static Function> {
    overloads(name).find(|function| function.args == args)
}

/// The function that casts one class to another. Arguments after the first are the scales that its doc names.
pub fn cast(from: TypeClass, to: TypeClass) -> Option<&'static Function> {
    overloads("$cast").find(|function| function.args.first() == Some(&from) && function.ret == to)
}

/// The first function whose leaf has this path. Several may share one leaf (an INTEGER and a DATE compare alike): they
/// have one name and one shape, and differ in classes only.
pub fn by_path(path: &str) -> Option<&'static Function> {
    all().find(|function| function.path == path)
}

/// What can go wrong in a row. `Ok` is zero so that loops can gather faults without branching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// Nothing.
    Ok = 0,
    /// A number does not fit its type (22003).
    OutOfRange = 1,
    /// Division by zero (22012).
    DivisionByZero = 2,
    /// A text is not of the form the type asks for (22P02).
    InvalidText = 3,
    /// A date or time is not of the calendar, or not of the type's range (22008).
    DatetimeRange = 4,
    /// An argument has a value the function does not take (22023).
    InvalidArgument = 5,
    /// A date or time text is not of a known form (22007).
    InvalidDatetime = 6,
    /// A JSON text is not JSON (22P02, the message says JSON).
    InvalidJson = 7,
    /// A string would be too long (54000).
    TooLarge = 8,
    /// A text is longer than its column's type allows (22001).
    TooLong = 9,
    /// A regular expression is none (2201B).
    InvalidRegex = 10,
    /// Arrays or subscripts do not fit together (2202E).
    ArrayShape = 11,
    /// A subscript that is assigned lies outside an array (2202E).
    ArrayRange = 12,
    /// The bounds of a slice that is assigned are reversed, or left out where there is no array (2202E).
    ArrayBounds = 13,
    /// A slice is assigned more elements than there are (2202E).
    ArraySource = 14,
    /// A strict path of SQL/JSON asks for a member that is not there (2203A).
    PathMember = 15,
    /// A path asks for the members of what is no object (2203C).
    PathObject = 16,
    /// A strict path asks for the elements of what is no array (22039).
    PathArray = 17,
    /// A path's subscript is no number, or out of bounds (22033).
    PathSubscript = 18,
    /// An operand of a path's arithmetic is not one number (22038).
    PathSingle = 19,
    /// What has a sign in a path is no number (2203B).
    PathNumber = 20,
    /// A path's method wants a number (22036).
    PathNoNumber = 21,
    /// A path names a variable that is not there (42704).
    PathVariable = 22,
    /// A path's variables are no object (22023).
    PathVariables = 23,
    /// A path that is to be a test is none (22038).
    PathNoTest = 24,
    /// A key of an object stands twice (22030).
    JsonKeyTwice = 25,
    /// A path finds nothing (22035).
    PathNoItem = 26,
    /// A path finds more than one item (22034).
    PathManyItems = 27,
    /// What a path finds is no scalar (2203F).
    PathNoScalar = 28,
    /// A key of an object is NULL (22004).
    JsonNoKey = 29,
    /// A path's method wants a date or a time (22031).
    PathDatetime = 30,
    /// A path compares or converts what has a zone and what has none, where no zone is known (0A000).
    PathZone = 31,
    /// A value is none of the type that a path's method makes of it (22036).
    PathNoValue = 32,
    /// Whoever runs the statement told the call to stop (57014); see [`pause`](crate::pause).
    Stopped = 33,
}

/// The rust form of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Never fails: `fn(args) -> R`; text results: `fn(args, &mut String)`.
    Total,
    /// May fail: `fn(args) -> (R, Fault)`; text results: `fn(args, &mut String) -> Fault`.
    Fallible,
    /// May have no value (NULL): `fn(args) -> Option<R>`; text results: `fn(args, &mut String) -> bool` (true: a value).
    Partial,
    /// Is asked about NULLs too and never gives one: `fn(Option<A>, ...) -> R`, with `R` not a text.
    NullAware,
}

/// A function that SQL, or the binder on SQL's behalf, can call.
pub struct Function {
    /// The SQL name in lower case, or the operator, or (not callable from SQL by name) an internal name that starts
    /// with `$`.
    pub name: &'static str,
    /// The classes of its arguments.
    pub args: &'static [TypeClass],
    /// The class of its result; for NUMERIC the binder computes precision and scale.
    pub ret: TypeClass,
    /// How the leaf is called.
    pub shape: Shape,
    /// The leaf's path below this crate, such as `func::arith::add_i64`.
    pub path: &'static str,
    /// The batch loop: columns of one length, all of which count, to a column of that length. The result's type is the
    /// plain type of `ret` (a NUMERIC comes with scale 0 and is given its type by the caller through
    /// [`Column::with_ty`]).
    pub batch: fn(&[Column], usize) -> Result<Column, RowFault>,
    /// One line for the generated reference.
    pub doc: &'static str,
}

/// A function failed on a row: the first of its batch.
#[derive(Clone, Debug, PartialEq)]
pub struct RowFault {
    /// What went wrong.
    pub fault: Fault,
    /// The function's SQL name.
    pub function: &'static str,
    /// The class of its result: a cast's message names it.
    pub ret: TypeClass,
    /// The row of the batch.
    pub row: usize,
    /// The arguments of that row.
    pub args: Vec<Value>,
}

impl Function {
    /// May a call fail?
    pub fn is_fallible(&self) -> bool {
        self.shape == Shape::Fallible
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Function) -> bool {
        self.path == other.path && self.args == other.args && self.name == other.name && self.ret == other.ret
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (i, arg) in self.args.iter().enumerate() {
            write!(f, "{}{arg}", if i == 0 { "" } else { ", " })?;
        }
        write!(f, ") -> {}", self.ret)
    }
}
