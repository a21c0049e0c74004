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
    column::{ByteRuns, Codes, Column, Data},
    func::{Fault, RowFault},
    lane::Lane,
    pause,
    value::Value,
};
use std::{collections::HashMap, marker::PhantomData, sync::Arc};

mod args;
pub mod class;
mod table;

pub use args::{Args, Visit};
pub use class::{Buffer, Class, Fixed, Strings};
pub(crate) use table::functions;

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
        if fault == Fault::Stopped {
            return RowFault { fault, function: self.function, ret: R::CLASS, row, args: Vec::new() };
        }
        let args = self.columns.iter().map(|column| column.value(row)).collect();
        RowFault { fault, function: self.function, ret: R::CLASS, row, args }
    }
}

/// Zeros to be written over. (An indexed loop over them is inlined with its leaf and its rows; `collect` and `extend` may
/// not be, and then the loop does not vectorise: 500 M sums a second instead of 2,500 M.)
fn blank<R: Fixed>(len: usize) -> Vec<R::Item> {
    vec![R::item(R::Native::default()); len]
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
        let items = A::visit(columns, len, Total::<_, R> { leaf: &leaf, result: PhantomData });
        Ok(Column::new(R::CLASS.plain_type(), validity, R::data(items)))
    })
}

struct Total<'l, F, R> {
    leaf: &'l F,
    result: PhantomData<R>,
}

impl<A: Args, R: Fixed, F: for<'a> Fn(A::Row<'a>) -> R::Native> Visit<A> for Total<'_, F, R> {
    type Output = Vec<R::Item>;
    #[inline(always)]
    fn visit<'a>(self, len: usize, row: impl Fn(usize) -> A::Row<'a>) -> Vec<R::Item> {
        let mut items = blank::<R>(len);
        for (i, slot) in items[..len].iter_mut().enumerate() {
            *slot = R::item((self.leaf)(row(i)));
        }
        items
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
        let loop_ = Fallible::<_, R> { leaf: &leaf, validity: validity.as_ref(), result: PhantomData };
        match A::visit(columns, len, loop_) {
            Ok(items) => Ok(Column::new(R::CLASS.plain_type(), validity, R::data(items))),
            Err((fault, row)) => Err(Call { columns, len, ..call }.fault::<R>(fault, row)),
        }
    })
}

struct Fallible<'l, F, R> {
    leaf: &'l F,
    validity: Option<&'l Bitmap>,
    result: PhantomData<R>,
}

impl<A: Args, R: Fixed, F: for<'a> Fn(A::Row<'a>) -> (R::Native, Fault)> Visit<A> for Fallible<'_, F, R> {
    type Output = Result<Vec<R::Item>, (Fault, usize)>;
    #[inline(always)]
    fn visit<'a>(self, len: usize, row: impl Fn(usize) -> A::Row<'a>) -> Self::Output {
        let mut faults = 0u64;
        let mut items = blank::<R>(len);
        for (i, slot) in items[..len].iter_mut().enumerate() {
            let (value, fault) = (self.leaf)(row(i));
            faults |= fault as u64;
            *slot = R::item(value);
        }
        if faults == 0 {
            return Ok(items);
        }
        // Slots of NULL rows hold anything, so their faults are no faults.
        let counts = |i: usize| self.validity.is_none_or(|bits| bits.is_set(i));
        let first = (0..len).filter(|i| counts(*i)).find_map(|i| match (self.leaf)(row(i)).1 {
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
        let loop_ = Partial::<_, R> { leaf: &leaf, validity: validity.as_ref(), result: PhantomData };
        let (items, present) = A::visit(columns, len, loop_);
        Ok(Column::new(R::CLASS.plain_type(), Some(present), R::data(items)))
    })
}

struct Partial<'l, F, R> {
    leaf: &'l F,
    validity: Option<&'l Bitmap>,
    result: PhantomData<R>,
}

impl<A: Args, R: Fixed, F: for<'a> Fn(A::Row<'a>) -> Option<R::Native>> Visit<A> for Partial<'_, F, R> {
    type Output = (Vec<R::Item>, Bitmap);
    #[inline(always)]
    fn visit<'a>(self, len: usize, row: impl Fn(usize) -> A::Row<'a>) -> Self::Output {
        let mut items = Vec::with_capacity(len);
        let present = Bitmap::from_bools((0..len).map(|i| {
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
    let items = A::visit(columns, rows, NullAware::<_, R> { leaf: &leaf, columns, result: PhantomData });
    let column = Column::new(ty, None, R::data(items));
    Ok(if constant { Column::constant(ty, column.value(0), len) } else { column })
}

struct NullAware<'l, F, R> {
    leaf: &'l F,
    columns: &'l [Column],
    result: PhantomData<R>,
}

impl<A: Args, R: Fixed, F: for<'a> Fn(A::Options<'a>) -> R::Native> Visit<A> for NullAware<'_, F, R> {
    type Output = Vec<R::Item>;
    #[inline(always)]
    fn visit<'a>(self, len: usize, row: impl Fn(usize) -> A::Row<'a>) -> Vec<R::Item> {
        let columns = self.columns;
        (0..len)
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

/// A loop that appends strings asks whether to go on once in so many bytes.
const ASK_BYTES: usize = 1 << 20;

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
        let loop_ = Stringing::<_, R, O> { leaf: &leaf, validity, result: PhantomData };
        match A::visit(columns, len, loop_) {
            Ok((runs, validity)) => Ok(Column::new(R::CLASS.plain_type(), validity, Data::Bytes(runs))),
            Err((fault, row)) => Err(Call { columns, len, ..call }.fault::<R>(fault, row)),
        }
    })
}

struct Stringing<'l, F, R, O> {
    leaf: &'l F,
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
    #[inline(always)]
    fn visit<'a>(self, len: usize, row: impl Fn(usize) -> A::Row<'a>) -> Self::Output {
        let mut buffer = R::Buffer::default();
        let mut offsets = Vec::with_capacity(len + 1);
        offsets.push(0);
        let mut absent = Vec::new();
        let mut asked_at = ASK_BYTES;
        for i in 0..len {
            if self.validity.as_ref().is_none_or(|bits| bits.is_set(i)) {
                let start = buffer.bytes_len();
                let appended = (self.leaf)(row(i), &mut buffer).into();
                if buffer.bytes_len() >= asked_at {
                    asked_at = buffer.bytes_len() + ASK_BYTES;
                    pause::stops(buffer.bytes_len());
                }
                if pause::has_stopped() {
                    return Err((Fault::Stopped, i));
                }
                match appended {
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
                (0..len).map(|i| absent.next_if_eq(&i).is_none() && old.as_ref().is_none_or(|bits| bits.is_set(i))),
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
    let column = run_seldom::<R>(call, infallible, loop_)?;
    if pause::has_stopped() { Err(call.fault::<R>(Fault::Stopped, 0)) } else { Ok(column) }
}

fn run_seldom<R: Class>(call: Call<'_>, infallible: bool, loop_: Loop<'_>) -> Result<Column, RowFault> {
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
    if let (Codes::Runs(_), None) = (codes, results.validity()) {
        let values = Arc::new(results.to_plain());
        return Column::new(ty, rows.cloned(), Data::Dictionary { codes: codes.clone(), values });
    }
    let mut code_of: Vec<u32> = Vec::with_capacity(codes.len());
    codes.for_each(|code| code_of.push(code as u32));
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
    // A file's dictionary has distinct values; the function's results need not be.
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
