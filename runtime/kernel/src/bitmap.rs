//! Which rows are set? A bit a row, in Arrow's order (least significant bit first).
//!
//! Contract. Bits past `len` are zero in bitmaps built here. A slice shares the words and remembers where it starts.

use crate::lane::Lane;
use std::ops::Range;

/// A shared, immutable run of bits.
#[derive(Clone, Debug)]
pub struct Bitmap {
    words: Lane<u64>,
    start: usize,
    len: usize,
}

impl Bitmap {
    /// A bitmap over words, of which the first `len` bits count.
    ///
    /// # Panics
    /// When there are fewer than `len` bits: a caller that reads files checks first.
    pub fn new(words: Lane<u64>, len: usize) -> Bitmap {
        assert!(words.len() * 64 >= len, "a bitmap has a bit for every row");
        Bitmap { words, start: 0, len }
    }

    /// A bitmap of one bit for each item.
    pub fn from_bools(bits: impl ExactSizeIterator<Item = bool>) -> Bitmap {
        let len = bits.len();
        let mut words = vec![0u64; len.div_ceil(64)];
        for (row, bit) in bits.enumerate() {
            words[row / 64] |= u64::from(bit) << (row % 64);
        }
        Bitmap { words: Lane::from_vec(words), start: 0, len }
    }

    /// How many bits.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Is there no bit?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Is bit `row` set? Rows past the end are not.
    #[inline]
    pub fn is_set(&self, row: usize) -> bool {
        let bit = self.start + row;
        row < self.len && self.words.as_slice()[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// The bits in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = bool> + '_ {
        let words = self.words.as_slice();
        (self.start..self.start + self.len).map(move |bit| words[bit / 64] >> (bit % 64) & 1 == 1)
    }

    /// How many bits are set.
    pub fn count(&self) -> usize {
        if self.start == 0 {
            let words = self.words.as_slice();
            let whole: usize = words[..self.len / 64].iter().map(|word| word.count_ones() as usize).sum();
            let rest = self.len % 64;
            let tail = if rest == 0 { 0 } else { (words[self.len / 64] & ((1 << rest) - 1)).count_ones() as usize };
            return whole + tail;
        }
        self.iter().filter(|bit| *bit).count()
    }

    /// Are all bits set?
    pub fn all(&self) -> bool {
        self.count() == self.len
    }

    /// The rows set in both.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn and(&self, other: &Bitmap) -> Bitmap {
        assert_eq!(self.len, other.len, "bitmaps of one batch have one length");
        let words = self.to_words();
        let words: Vec<u64> = words.as_slice().iter().zip(other.to_words().as_slice()).map(|(a, b)| a & b).collect();
        Bitmap { words: Lane::from_vec(words), start: 0, len: self.len }
    }

    /// A range of the bits, shared.
    pub fn slice(&self, rows: Range<usize>) -> Bitmap {
        assert!(rows.end <= self.len, "a slice lies inside its bitmap");
        Bitmap { words: self.words.clone(), start: self.start + rows.start, len: rows.len() }
    }

    /// The words from bit 0 on, copied only when the bitmap does not begin on a word.
    pub fn to_words(&self) -> Lane<u64> {
        if self.start == 0 && self.words.len() == self.len.div_ceil(64) && self.len.is_multiple_of(64) {
            return self.words.clone();
        }
        let (skipped, shift) = (self.start / 64, self.start % 64);
        let from = &self.words.as_slice()[skipped.min(self.words.len())..];
        let mut words: Vec<u64> = (0..self.len.div_ceil(64))
            .map(|i| {
                // A shift by 64 would be no shift at all, so the upper part comes in two steps.
                let above = from.get(i + 1).copied().unwrap_or(0);
                from[i] >> shift | (above << 1) << (63 - shift)
            })
            .collect();
        if !self.len.is_multiple_of(64)
            && let Some(last) = words.last_mut()
        {
            *last &= (1 << (self.len % 64)) - 1;
        }
        Lane::from_vec(words)
    }
}

impl PartialEq for Bitmap {
    fn eq(&self, other: &Bitmap) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_slices_are_shifted_and_cut() {
        let bits: Vec<bool> = (0..300u32).map(|i| i.wrapping_mul(2_654_435_761) >> 30 & 1 == 1).collect();
        let bitmap = Bitmap::from_bools(bits.iter().copied());
        for (from, to) in [(0, 300), (0, 64), (1, 65), (63, 300), (64, 128), (70, 71), (130, 299), (300, 300)] {
            let slice = bitmap.slice(from..to);
            let again = Bitmap::new(slice.to_words(), slice.len());
            assert!(again.iter().eq(bits[from..to].iter().copied()), "{from}..{to}");
            assert_eq!(again.count(), slice.count());
            let both = slice.and(&bitmap.slice(0..to - from));
            assert!(both.iter().eq((0..to - from).map(|i| bits[from + i] && bits[i])), "{from}..{to}");
        }
    }
}
