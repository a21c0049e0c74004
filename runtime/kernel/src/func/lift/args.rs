//! How does a loop read all arguments of a row?
//!
//! Arguments are a tuple of one to four marker types. Which of them are constants is settled before the loop: for one and
//! two arguments each combination has a loop of its own, for more only the common ones.

use super::class::{Access, Class};
use crate::column::Column;

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
    /// Runs the loop over that many rows. (The length comes with the rows, so that the compiler sees that both are of one
    /// length and leaves the checks out of the loop.)
    fn visit<'a>(self, len: usize, row: impl Fn(usize) -> A::Row<'a>) -> Self::Output;
}

impl<A: Class> Args for (A,) {
    type Row<'a> = (A::Arg<'a>,);
    type Options<'a> = (Option<A::Arg<'a>>,);

    fn visit<V: Visit<Self>>(columns: &[Column], len: usize, visit: V) -> V::Output {
        let a = A::store(&columns[0]);
        match A::one(&a) {
            Some(a) => visit.visit(len, move |_| (a,)),
            None => {
                let a = A::many(&a, len);
                visit.visit(len, move |row| (a.at(row),))
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
            (Some(a), Some(b)) => visit.visit(len, move |_| (a, b)),
            (None, Some(b)) => {
                let a = A::many(&a, len);
                visit.visit(len, move |row| (a.at(row), b))
            }
            (Some(a), None) => {
                let b = B::many(&b, len);
                visit.visit(len, move |row| (a, b.at(row)))
            }
            (None, None) => {
                let (a, b) = (A::many(&a, len), B::many(&b, len));
                visit.visit(len, move |row| (a.at(row), b.at(row)))
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
                visit.visit(len, move |row| (a.at(row), b, c))
            }
            (None, None, Some(c)) => {
                let (a, b) = (A::many(&a, len), B::many(&b, len));
                visit.visit(len, move |row| (a.at(row), b.at(row), c))
            }
            _ => {
                let (a, b, c) = (either::<A>(&a, len), either::<B>(&b, len), either::<C>(&c, len));
                visit.visit(len, move |row| (a(row), b(row), c(row)))
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
        visit.visit(len, move |row| (a(row), b(row), c(row), d(row)))
    }

    fn options<'a>(row: Self::Row<'a>, has_value: impl Fn(usize) -> bool) -> Self::Options<'a> {
        let (a, b, c, d) = row;
        (has_value(0).then_some(a), has_value(1).then_some(b), has_value(2).then_some(c), has_value(3).then_some(d))
    }
}

impl<A: Class, B: Class, C: Class, D: Class, E: Class> Args for (A, B, C, D, E) {
    type Row<'a> = (A::Arg<'a>, B::Arg<'a>, C::Arg<'a>, D::Arg<'a>, E::Arg<'a>);
    type Options<'a> =
        (Option<A::Arg<'a>>, Option<B::Arg<'a>>, Option<C::Arg<'a>>, Option<D::Arg<'a>>, Option<E::Arg<'a>>);

    fn visit<V: Visit<Self>>(columns: &[Column], len: usize, visit: V) -> V::Output {
        let (a, b, c) = (A::store(&columns[0]), B::store(&columns[1]), C::store(&columns[2]));
        let (d, e) = (D::store(&columns[3]), E::store(&columns[4]));
        let (a, b, c) = (either::<A>(&a, len), either::<B>(&b, len), either::<C>(&c, len));
        let (d, e) = (either::<D>(&d, len), either::<E>(&e, len));
        visit.visit(len, move |row| (a(row), b(row), c(row), d(row), e(row)))
    }

    fn options<'a>(row: Self::Row<'a>, has_value: impl Fn(usize) -> bool) -> Self::Options<'a> {
        let (a, b, c, d, e) = row;
        let some = has_value;
        (some(0).then_some(a), some(1).then_some(b), some(2).then_some(c), some(3).then_some(d), some(4).then_some(e))
    }
}
