//! What do AND, OR and NOT mean where a value may be missing?
//!
//! Three-valued logic, Kleene's: an unknown operand stays unknown unless the others decide. AND and OR are nodes of the
//! plan, not functions, because executors must not ask a later arm about rows that are already decided: they evaluate
//! an arm, pick the undecided rows with [`not_false_rows`] or [`not_true_rows`], and join the arms with [`and`], [`or`].
//!
//! Not here: CASE (the executors').

use super::{
    RowFault,
    lift::{self, Call, class, functions},
};
use crate::func::Fault;
use crate::{
    bitmap::Bitmap,
    column::{Column, Vals},
    ty::Type,
    value::Value,
};

/// NOT.
#[inline]
pub fn not(a: bool) -> bool {
    !a
}

/// AND of two truth values, `None` being unknown.
#[inline]
pub fn and2(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        (None, _) | (_, None) => None,
    }
}

/// OR of two truth values, `None` being unknown.
#[inline]
pub fn or2(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        (None, _) | (_, None) => None,
    }
}

/// IS TRUE.
#[inline]
pub fn is_true(a: Option<bool>) -> bool {
    a == Some(true)
}

/// IS FALSE.
#[inline]
pub fn is_false(a: Option<bool>) -> bool {
    a == Some(false)
}

/// True, or a fault where a subquery that stands for one value gave more rows.
#[inline]
pub fn at_most_one(count: i64) -> (bool, Fault) {
    (true, if count > 1 { Fault::InvalidArgument } else { Fault::Ok })
}

/// IS UNKNOWN.
#[inline]
pub fn is_unknown(a: Option<bool>) -> bool {
    a.is_none()
}

fn truth(column: &Column) -> Option<Option<bool>> {
    match column.as_const() {
        Some(Value::Boolean(value)) => Some(Some(*value)),
        Some(Value::Null) => Some(None),
        Some(_) | None => None,
    }
}

fn constant(value: Option<bool>, len: usize) -> Column {
    Column::constant(Type::Boolean, value.into(), len)
}

/// Which rows have the value `wanted` (which are not NULL), a byte each.
fn bytes_that_are(column: &Column, wanted: bool) -> Vec<u8> {
    let mut bytes: Vec<u8> = match column.bools() {
        Vals::One(value) => vec![u8::from((value != 0) == wanted); column.len()],
        Vals::Many(values) => values.iter().map(|value| u8::from((*value != 0) == wanted)).collect(),
    };
    if column.as_const().is_some_and(Value::is_null) {
        bytes.fill(0);
    } else if let Some(bits) = column.validity() {
        bytes.iter_mut().zip(bits.iter()).for_each(|(byte, bit)| *byte &= u8::from(bit));
    }
    bytes
}

/// AND and OR are one loop: `deciding` is the value that decides alone.
fn join(columns: &[Column], deciding: bool) -> Column {
    let len = columns.first().expect("AND and OR have operands").len();
    let mut open: Vec<&Column> = Vec::with_capacity(columns.len());
    let mut unknown = false;
    for column in columns {
        match truth(column) {
            Some(Some(value)) if value == deciding => return constant(Some(deciding), len),
            Some(Some(_)) => {}
            Some(None) => unknown = true,
            None => open.push(column),
        }
    }
    match open.as_slice() {
        [] => return constant(if unknown { None } else { Some(!deciding) }, len),
        [only] if !unknown => return (*only).clone(),
        _ => {}
    }
    let mut decided = bytes_that_are(open[0], deciding);
    for column in &open[1..] {
        decided.iter_mut().zip(bytes_that_are(column, deciding)).for_each(|(all, one)| *all |= one);
    }
    let items = decided.iter().map(|byte| if deciding { *byte } else { byte ^ 1 }).collect();
    let column = Column::from_bools(items);
    // A row has a value when one operand decides it, or when all operands are known.
    let known = if unknown { None } else { lift::validity(&open.into_iter().cloned().collect::<Vec<_>>()) };
    match (unknown, known) {
        (false, None) => column,
        (true, _) => column.with_validity(Some(Bitmap::from_bools(decided.iter().map(|byte| *byte != 0)))),
        (false, Some(known)) => {
            let bits = decided.iter().zip(known.iter()).map(|(byte, known)| *byte != 0 || known);
            column.with_validity(Some(Bitmap::from_bools(bits)))
        }
    }
}

/// AND of one or more BOOLEAN columns of one length.
///
/// # Panics
/// When there is no column.
pub fn and(columns: &[Column]) -> Column {
    join(columns, false)
}

/// OR of one or more BOOLEAN columns of one length.
///
/// # Panics
/// When there is no column.
pub fn or(columns: &[Column]) -> Column {
    join(columns, true)
}

fn rows_where(column: &Column, keep: impl Fn(u8, bool) -> bool) -> Vec<u32> {
    let len = column.len() as u32;
    if let Some(value) = truth(column) {
        let all = keep(u8::from(value == Some(true)), value.is_some());
        return if all { (0..len).collect() } else { Vec::new() };
    }
    let Vals::Many(values) = column.bools() else { unreachable!("constants were handled") };
    let mut rows = vec![0; values.len()];
    let mut kept = 0;
    // Writing every row and moving on only for those kept has no branch to mispredict.
    match column.validity() {
        None => {
            for (row, value) in values.iter().enumerate() {
                rows[kept] = row as u32;
                kept += usize::from(keep(*value, true));
            }
        }
        Some(bits) => {
            for ((row, value), known) in values.iter().enumerate().zip(bits.iter()) {
                rows[kept] = row as u32;
                kept += usize::from(keep(*value, known));
            }
        }
    }
    rows.truncate(kept);
    rows
}

/// The rows of a BOOLEAN column that are true: what a filter keeps.
pub fn true_rows(column: &Column) -> Vec<u32> {
    rows_where(column, |value, known| known & (value != 0))
}

/// The rows that are true or unknown: which the next arm of an AND is asked about.
pub fn not_false_rows(column: &Column) -> Vec<u32> {
    rows_where(column, |value, known| !known | (value != 0))
}

/// The rows that are false or unknown: which the next arm of an OR, or of a CASE, is asked about.
pub fn not_true_rows(column: &Column) -> Vec<u32> {
    rows_where(column, |value, known| !known | (value == 0))
}

fn true_flags(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    Ok(match truth(&columns[0]) {
        Some(value) => constant(Some(is_true(value)), len),
        None => Column::from_bools(bytes_that_are(&columns[0], true)),
    })
}

fn false_flags(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    Ok(match truth(&columns[0]) {
        Some(value) => constant(Some(is_false(value)), len),
        None => Column::from_bools(bytes_that_are(&columns[0], false)),
    })
}

fn unknown_flags(columns: &[Column], len: usize) -> Result<Column, RowFault> {
    let call = Call { function: "$is_unknown", columns, len };
    lift::null_aware::<(class::Boolean,), class::Boolean>(call, |(a,)| is_unknown(a))
}

functions! { "func::logic";
    "not" (Boolean) -> Boolean, Total, not, "NOT.";
    "$is_true" (Boolean) -> Boolean, NullAware, is_true by true_flags, "IS TRUE.";
    "$is_false" (Boolean) -> Boolean, NullAware, is_false by false_flags, "IS FALSE.";
    "$at_most_one" (Integer) -> Boolean, Fallible, at_most_one, "Is a subquery's number of rows not more than one?";
    "$is_unknown" (Boolean) -> Boolean, NullAware, is_unknown by unknown_flags, "IS UNKNOWN.";
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUTHS: [Option<bool>; 3] = [Some(true), Some(false), None];

    fn column(values: &[Option<bool>]) -> Column {
        let values: Vec<Value> = values.iter().map(|value| (*value).into()).collect();
        Column::from_values(Type::Boolean, &values)
    }

    #[test]
    fn columns_and_constants_follow_the_truth_tables() {
        for a in TRUTHS {
            for b in TRUTHS {
                let both = |x: Column, y: Column| (and(&[x.clone(), y.clone()]), or(&[x, y]));
                let (all, any) = (column(&[and2(a, b)]), column(&[or2(a, b)]));
                let (one, two) = (column(&[a]), column(&[b]));
                let (same, other) = (constant(a, 1), constant(b, 1));
                for (x, y) in [(&one, &two), (&one, &other), (&same, &two), (&same, &other)] {
                    assert_eq!(both(x.clone(), y.clone()), (all.clone(), any.clone()), "{a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn rows_are_picked_by_truth() {
        let values = column(&[Some(true), None, Some(false), Some(true)]);
        assert_eq!(true_rows(&values), [0, 3]);
        assert_eq!(not_false_rows(&values), [0, 1, 3]);
        assert_eq!(not_true_rows(&values), [1, 2]);
        assert_eq!(true_rows(&constant(Some(true), 2)), [0, 1]);
        assert_eq!(not_true_rows(&constant(None, 2)), [0, 1]);
        assert!(not_false_rows(&constant(Some(false), 2)).is_empty());
    }

    #[test]
    fn functions_of_truth() {
        let values = [column(&[Some(true), None, Some(false)])];
        let flags = |name: &str| {
            (super::super::find(name, &[crate::ty::TypeClass::Boolean]).expect("listed").batch)(&values, 3)
        };
        assert_eq!(flags("$is_true"), Ok(column(&[Some(true), Some(false), Some(false)])));
        assert_eq!(flags("$is_false"), Ok(column(&[Some(false), Some(false), Some(true)])));
        assert_eq!(flags("$is_unknown"), Ok(column(&[Some(false), Some(true), Some(false)])));
        assert_eq!(flags("not"), Ok(column(&[Some(false), None, Some(true)])));
    }
}
