//! How are many short messages hashed at once?
//!
//! A processor hashes 4 to 16 messages in about the time of one when they have the same length in whole blocks.
//! `blake3` does this inside one long message; its function for that serves here for messages of their own. Each hash is
//! exactly `blake3::keyed_hash` of the message: the tests hold the two equal, and the crate's version is pinned because
//! the function is not part of its promised surface.
//!
//! Not here: what is hashed (`chain`).

use crate::chain::Hash;
use blake3::{IncrementCounter, platform::Platform};
use std::sync::LazyLock;

/// The hash's block.
const BLOCK_BYTES: usize = 64;

// The hash's own flags for the only chunk of a keyed message.
const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 2;
const ROOT: u8 = 8;
const KEYED: u8 = 16;

static PLATFORM: LazyLock<Platform> = LazyLock::new(Platform::detect);

/// Messages of whole blocks, one after another.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Messages {
    /// Forgets all messages.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// About how many bytes of memory they hold.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<usize>()
    }

    /// The buffer in which the next message is written, behind the others.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends a message, filling it up with zeroes to whole blocks.
    pub(crate) fn end(&mut self) {
        let start = self.ends.last().copied().unwrap_or(0);
        self.bytes.resize(start + (self.bytes.len() - start).next_multiple_of(BLOCK_BYTES), 0);
        self.ends.push(self.bytes.len());
    }

    /// The hash of each message, in order.
    pub(crate) fn hash(&self, hash_key: &Hash, out: &mut Vec<Hash>) {
        out.clear();
        out.resize(self.ends.len(), [0; 32]);
        let first = self.ends.first().copied().unwrap_or(0);
        if self.ends.iter().zip(1..).all(|(end, count)| *end == first * count) {
            // Most rows of a table have messages of one length.
            match first {
                64 => return hash_inputs(hash_key, self.bytes.as_chunks::<64>().0, out),
                128 => return hash_inputs(hash_key, self.bytes.as_chunks::<128>().0, out),
                _ => {}
            }
        }
        self.hash_of_len::<64>(hash_key, out);
        self.hash_of_len::<128>(hash_key, out);
        self.hash_of_len::<192>(hash_key, out);
        self.hash_of_len::<256>(hash_key, out);
        for (message, hash) in self.iter().zip(out) {
            if message.len() > 256 {
                *hash = *blake3::keyed_hash(hash_key, message).as_bytes();
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }

    /// Hashes the messages of one length into their places.
    fn hash_of_len<'a, const N: usize>(&'a self, hash_key: &Hash, out: &mut [Hash]) {
        let input = |message: &'a [u8]| <&'a [u8; N]>::try_from(message).ok();
        let alike = self.iter().enumerate().filter_map(|(place, message)| Some((place, input(message)?)));
        let (places, inputs): (Vec<usize>, Vec<&[u8; N]>) = alike.unzip();
        if places.is_empty() {
            return;
        }
        if places.len() == out.len() {
            return hash_refs(hash_key, &inputs, out);
        }
        let mut hashes = vec![[0; 32]; inputs.len()];
        hash_refs(hash_key, &inputs, &mut hashes);
        places.into_iter().zip(hashes).for_each(|(place, hash)| out[place] = hash);
    }
}

/// So many inputs are named to the hash at a time.
const LOT: usize = 32;

/// The hash of each input.
fn hash_inputs<const N: usize>(hash_key: &Hash, inputs: &[[u8; N]], out: &mut [Hash]) {
    if let ([input], [hash]) = (inputs, &mut *out) {
        *hash = *blake3::keyed_hash(hash_key, input).as_bytes();
        return;
    }
    for (inputs, out) in inputs.chunks(LOT).zip(out.chunks_mut(LOT)) {
        let mut refs = [&inputs[0]; LOT];
        refs.iter_mut().zip(inputs).for_each(|(place, input)| *place = input);
        hash_refs(hash_key, &refs[..inputs.len()], out);
    }
}

/// The same, wherever they lie.
fn hash_refs<const N: usize>(hash_key: &Hash, inputs: &[&[u8; N]], out: &mut [Hash]) {
    let words = hash_key.as_chunks::<4>().0;
    let words = std::array::from_fn(|i| u32::from_le_bytes(words[i]));
    let (start, end) = (CHUNK_START, CHUNK_END | ROOT);
    PLATFORM.hash_many(inputs, &words, 0, IncrementCounter::No, KEYED, start, end, out.as_flattened_mut());
}

/// Appends the hash of each neighbouring pair, in order; there is an even number.
pub(crate) fn hash_pairs(hash_key: &Hash, hashes: &[Hash], out: &mut Vec<Hash>) {
    let (pairs, rest) = hashes.as_flattened().as_chunks::<64>();
    debug_assert!(rest.is_empty(), "hashes come in pairs");
    let first = out.len();
    out.resize(first + pairs.len(), [0; 32]);
    hash_inputs(hash_key, pairs, &mut out[first..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_once_are_the_same_as_one_by_one() {
        let hash_key = *blake3::hash(b"key").as_bytes();
        for count in [0, 1, 2, 3, 7, 16, 17, 64, 100] {
            for len in [1, 63, 64, 65, 128, 130, 200, 256, 257, 700] {
                let mut messages = Messages::default();
                for number in 0..count {
                    messages.buffer().extend(std::iter::repeat_n(number as u8, len));
                    messages.end();
                }
                let mut many = Vec::new();
                messages.hash(&hash_key, &mut many);
                let one_by_one = (0..count).map(|number| {
                    let mut message = vec![number as u8; len];
                    message.resize(len.next_multiple_of(64), 0);
                    *blake3::keyed_hash(&hash_key, &message).as_bytes()
                });
                assert_eq!(many, one_by_one.collect::<Vec<_>>(), "{count} of {len}");
            }
        }
        let mut mixed = Messages::default();
        for len in [1, 100, 64] {
            mixed.buffer().extend(std::iter::repeat_n(5, len));
            mixed.end();
        }
        let mut many = Vec::new();
        mixed.hash(&hash_key, &mut many);
        assert_eq!(many[2], *blake3::keyed_hash(&hash_key, &[5; 64]).as_bytes());
        let pairs = [[1; 32], [2; 32], [3; 32], [4; 32]];
        many.clear();
        hash_pairs(&hash_key, &pairs, &mut many);
        assert_eq!(many[1], *blake3::keyed_hash(&hash_key, pairs[2..].as_flattened()).as_bytes());
    }
}
