//! Can a segment hold a key at all?
//!
//! A split-block Bloom filter as the Parquet format defines it (apache/parquet-format, BloomFilter.md) over XXH64 of the
//! encoded key: a key touches one block of 256 bits, and sets one bit in each of its eight words.
//!
//! Holds: a key that was added is always found. Its bytes reach the disk: they do not change.

use spectradb_kernel::lane::Lane;

const SALTS: [u32; 8] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// The filter of a segment, in memory or in the file's pages.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    words: Lane<u32>,
}

fn block_of(hash: u64, blocks: usize) -> usize {
    ((u128::from(hash >> 32) * blocks as u128) >> 32) as usize
}

fn bit_of(hash: u64, word: usize) -> u32 {
    1 << ((hash as u32).wrapping_mul(SALTS[word]) >> 27)
}

impl Filter {
    /// The filter of these hashes, with about so many bits a key.
    pub(crate) fn of(hashes: &[u64], bits_per_key: u32) -> Filter {
        let blocks = (hashes.len() * bits_per_key as usize).div_ceil(256).max(1);
        let mut words = vec![0u32; blocks * 8];
        for hash in hashes {
            let start = block_of(*hash, blocks) * 8;
            for (word, bits) in words[start..start + 8].iter_mut().enumerate() {
                *bits |= bit_of(*hash, word);
            }
        }
        Filter { words: Lane::from_vec(words) }
    }

    /// The filter of keys of which none between the first and the last is missing: nothing is kept from anybody.
    pub(crate) fn all() -> Filter {
        Filter { words: Lane::from_vec(Vec::new()) }
    }

    /// The filter whose words lie in a file; `None` when they are not whole blocks.
    pub(crate) fn over(words: Lane<u32>) -> Option<Filter> {
        (!words.is_empty() && words.len().is_multiple_of(8)).then_some(Filter { words })
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.words.bytes()
    }

    /// May a key of this hash have been added?
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        let words = self.words.as_slice();
        if words.is_empty() {
            return true;
        }
        let start = block_of(hash, words.len() / 8) * 8;
        // All eight words, without a branch: whoever asks for many keys waits for their blocks together.
        let block = words[start..start + 8].iter().enumerate();
        block.fold(0, |missing, (word, bits)| missing | (!bits & bit_of(hash, word))) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::hash_of;

    #[test]
    fn added_keys_are_found_and_few_others() {
        let hashes: Vec<u64> = (0..10_000u64).map(|i| hash_of(&i.to_be_bytes())).collect();
        let filter = Filter::of(&hashes, 10);
        assert!(hashes.iter().all(|hash| filter.may_hold(*hash)));
        let wrong = (10_000..110_000u64).filter(|i| filter.may_hold(hash_of(&i.to_be_bytes()))).count();
        assert!(wrong < 2_500, "{wrong} of 100,000 strangers pass");
    }

    /// The bytes are the format's: one key, one block, worked out by hand from the specification.
    #[test]
    fn golden() {
        let filter = Filter::of(&[hash_of(b"")], 10);
        assert_eq!(hash_of(b""), 0xef46_db37_51d8_e999);
        let expected: Vec<u32> = SALTS.iter().map(|salt| 1 << (0x51d8_e999_u32.wrapping_mul(*salt) >> 27)).collect();
        assert_eq!(filter.words.as_slice(), expected);
    }
}
