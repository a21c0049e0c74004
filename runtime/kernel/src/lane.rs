//! How do we share a run of numbers between a mapped file and an owned vector without copying or unsafe code?
//!
//! Contract. A [`Lane`] is a typed view of shared [`Bytes`]: the bytes are a mapped file's or a vector's, and the view
//! keeps them alive. The check that bytes are aligned and whole is made once, when the lane is built; reading it back
//! repeats a comparison of two numbers and is free per batch.

use bytes::Bytes;
use std::{fmt, marker::PhantomData, ops::Range};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A fixed-width element of a [`Lane`], the same in memory and in a file.
pub trait Element: FromBytes + IntoBytes + Immutable + KnownLayout + Copy + Send + Sync + fmt::Debug + 'static {}
impl<T: FromBytes + IntoBytes + Immutable + KnownLayout + Copy + Send + Sync + fmt::Debug + 'static> Element for T {}

/// A shared, immutable run of `T`.
#[derive(Clone)]
pub struct Lane<T> {
    bytes: Bytes,
    element: PhantomData<T>,
}

/// The bytes given are not an aligned, whole run of the element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} bytes are not an aligned run of {element_bytes}-byte elements")]
pub struct Misaligned {
    /// How many bytes were given.
    pub len: usize,
    /// The element's size.
    pub element_bytes: usize,
}

struct OwnedRun<T>(Vec<T>);

impl<T: Element> AsRef<[u8]> for OwnedRun<T> {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice().as_bytes()
    }
}

impl<T: Element> Lane<T> {
    /// A lane over an owned vector; nothing is copied.
    pub fn from_vec(values: Vec<T>) -> Lane<T> {
        if values.is_empty() {
            return Lane { bytes: Bytes::new(), element: PhantomData };
        }
        Lane { bytes: Bytes::from_owner(OwnedRun(values)), element: PhantomData }
    }

    /// A lane over shared bytes, such as part of a mapped file; nothing is copied.
    ///
    /// # Errors
    /// [`Misaligned`] when the bytes do not start on `T`'s alignment or are not a multiple of its size.
    pub fn from_bytes(bytes: Bytes) -> Result<Lane<T>, Misaligned> {
        let whole = bytes.is_empty() || <[T]>::ref_from_bytes(&bytes).is_ok();
        if whole {
            Ok(Lane { bytes, element: PhantomData })
        } else {
            Err(Misaligned { len: bytes.len(), element_bytes: size_of::<T>() })
        }
    }

    /// The values.
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        if self.bytes.is_empty() {
            return &[];
        }
        <[T]>::ref_from_bytes(&self.bytes).expect("alignment was checked when the lane was built")
    }

    /// How many values.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes.len() / size_of::<T>()
    }

    /// Is there no value?
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The values of a range of rows, shared.
    pub fn slice(&self, rows: Range<usize>) -> Lane<T> {
        let width = size_of::<T>();
        Lane { bytes: self.bytes.slice(rows.start * width..rows.end * width), element: PhantomData }
    }

    /// The bytes beneath, shared.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl<T: Element> From<Vec<T>> for Lane<T> {
    fn from(values: Vec<T>) -> Lane<T> {
        Lane::from_vec(values)
    }
}

impl<T: Element> fmt::Debug for Lane<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_share_and_refuse_crooked_bytes() {
        let lane = Lane::from_vec(vec![1i64, 2, 3]);
        assert_eq!(lane.slice(1..3).as_slice(), [2, 3]);
        assert!(Lane::<i64>::from_bytes(lane.bytes().slice(8..24)).is_ok());
        assert!(Lane::<i64>::from_bytes(lane.bytes().slice(1..9)).is_err());
        assert!(Lane::<i64>::from_bytes(lane.bytes().slice(0..9)).is_err());
        assert!(Lane::<i64>::from_bytes(Bytes::new()).is_ok());
    }
}
