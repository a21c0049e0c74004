//! How are numbers and byte strings laid one after another, and read back without trusting them?
//!
//! Everything is little-endian and unaligned; a byte string is its length (u32) and its bytes. Where few bytes matter a number is
//! *short*: seven bits a byte, the lowest first, and a high bit where more follow. The reader checks every
//! length against what is there, so damaged bytes give [`Malformed`] with their place, never a panic or a huge
//! allocation.
//!
//! Not here: what the numbers mean (`log_v1`, `catalog_v1`).

use crate::error::StoreError;
use spectradb_kernel::lane::Element;
use zerocopy::{FromZeros, IntoBytes};

/// The bytes do not say what they must.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Where, from the first byte read.
    pub(crate) offset: usize,
    /// What is wrong.
    pub(crate) what: &'static str,
}

impl Malformed {
    /// The error of a file whose readable part begins at `base`.
    pub(crate) fn in_file(&self, file: &str, base: u64) -> StoreError {
        StoreError::Corrupt { file: file.to_owned(), offset: base + self.offset as u64, what: self.what.to_owned() }
    }
}

/// Appends to a buffer.
pub(crate) trait Put {
    fn put(&mut self, bytes: &[u8]);

    fn put_u8(&mut self, number: u8) {
        self.put(&[number]);
    }

    fn put_u32(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }

    fn put_u64(&mut self, number: u64) {
        self.put(&number.to_le_bytes());
    }

    fn put_i64(&mut self, number: i64) {
        self.put(&number.to_le_bytes());
    }

    /// A number in as few bytes as it takes; the first one is zero for 0 only.
    fn put_short(&mut self, mut number: u32) {
        while number >= 0x80 {
            self.put(&[number as u8 | 0x80]);
            number >>= 7;
        }
        self.put(&[number as u8]);
    }

    /// A byte string with its short length.
    fn put_short_bytes(&mut self, bytes: &[u8]) {
        self.put_short(u32::try_from(bytes.len()).expect("a byte string is shorter than 4 GiB"));
        self.put(bytes);
    }

    /// A byte string with its length.
    fn put_bytes(&mut self, bytes: &[u8]) {
        self.put_u32(u32::try_from(bytes.len()).expect("a byte string is shorter than 4 GiB"));
        self.put(bytes);
    }

    /// Fixed-width elements; hosts are little-endian (the kernel refuses to build on others).
    fn put_all<T: Element>(&mut self, elements: &[T]) {
        self.put(elements.as_bytes());
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Reads a buffer from its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

pub(crate) type Read<T> = Result<T, Malformed>;

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    /// Is everything read?
    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The error of what was just read.
    pub(crate) fn malformed<T>(&self, what: &'static str) -> Read<T> {
        Err(Malformed { offset: self.at, what })
    }

    /// `Ok` when the condition holds.
    pub(crate) fn check(&self, holds: bool, what: &'static str) -> Read<()> {
        if holds { Ok(()) } else { self.malformed(what) }
    }

    /// The next bytes.
    pub(crate) fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else { return self.malformed("the bytes end in the middle of a value") };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("as many bytes were taken"))
    }

    pub(crate) fn u8(&mut self) -> Read<u8> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Read<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Read<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Read<i64> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(crate) fn hash(&mut self) -> Read<[u8; 32]> {
        self.array()
    }

    /// A count of things that take at least `each` bytes, so that it can be trusted for an allocation.
    pub(crate) fn count(&mut self, each: usize) -> Read<usize> {
        let count = self.u32()? as usize;
        self.check(count.saturating_mul(each) <= self.bytes.len() - self.at, "a count is larger than the bytes")?;
        Ok(count)
    }

    /// A byte string with its length.
    pub(crate) fn bytes(&mut self) -> Read<&'a [u8]> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    /// A short number; there is one way to write it.
    pub(crate) fn short(&mut self) -> Read<u32> {
        let mut number = 0u64;
        for shift in (0..35).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                self.check(byte > 0 || shift == 0, "a short number is longer than it must be")?;
                let Ok(number) = u32::try_from(number) else { break };
                return Ok(number);
            }
        }
        self.malformed("a short number is too large")
    }

    /// A byte string with its short length.
    pub(crate) fn short_bytes(&mut self) -> Read<&'a [u8]> {
        let len = self.short()? as usize;
        self.take(len)
    }

    /// A text with its short length.
    pub(crate) fn short_text(&mut self) -> Read<String> {
        let bytes = self.short_bytes()?;
        self.text_of(bytes)
    }

    /// A text with its length.
    pub(crate) fn text(&mut self) -> Read<String> {
        let bytes = self.bytes()?;
        self.text_of(bytes)
    }

    fn text_of(&self, bytes: &[u8]) -> Read<String> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => self.malformed("a text is not UTF-8"),
        }
    }

    /// Fixed-width elements.
    pub(crate) fn all<T: Element + FromZeros>(&mut self, count: usize) -> Read<Vec<T>> {
        let Some(len) = count.checked_mul(size_of::<T>()) else { return self.malformed("a count is too large") };
        let bytes = self.take(len)?;
        let mut elements = vec![T::new_zeroed(); count];
        elements.as_mut_bytes().copy_from_slice(bytes);
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_number_is_written_in_one_way() {
        for (number, len) in [(0, 1), (1, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (u32::MAX, 5)] {
            let mut bytes = Vec::new();
            bytes.put_short(number);
            assert_eq!((bytes.len(), bytes[0] == 0), (len, number == 0));
            let mut reader = Reader::new(&bytes);
            assert_eq!((reader.short(), reader.is_at_end()), (Ok(number), true));
        }
        for bad in [&[0x80, 0][..], &[0x81, 0x80, 0], &[0xff; 5], &[0xff, 0xff, 0xff, 0xff, 0x1f], &[0x80], &[]] {
            assert!(Reader::new(bad).short().is_err(), "{bad:?}");
        }
        assert_eq!(Reader::new(&[2, b'a', b'b']).short_text(), Ok("ab".to_owned()));
    }
}
