//! How are many rows sorted by one number each?
//!
//! Byte by byte from the lowest, leaving out bytes that all have in common: rows of one table mostly differ in the low ones.
//! Few rows are sorted by comparing.
//!
//! Holds: rows of equal numbers stay in their order.
//! Not here: which number orders a key (`key`).

/// Fewer rows are sorted by comparing them.
const ROWS_MIN: usize = 4096;

/// Sorts rows, each with the number that orders it.
///
/// ```
/// let mut rows = vec![(7, 0), (3, 1), (7, 2), (0, 3)];
/// spectradb_kernel::radix::sort(&mut rows);
/// assert_eq!(rows, [(0, 3), (3, 1), (7, 0), (7, 2)]);
/// ```
pub fn sort(rows: &mut Vec<(u64, u32)>) {
    if rows.len() < ROWS_MIN {
        return rows.sort_by_key(|(number, _)| *number);
    }
    let mut counts = vec![[0u32; 256]; 8];
    for (number, _) in rows.iter() {
        for (byte, count) in number.to_le_bytes().into_iter().zip(&mut counts) {
            count[usize::from(byte)] += 1;
        }
    }
    let mut other = vec![(0, 0); rows.len()];
    for (place, count) in counts.iter().enumerate() {
        if count.iter().any(|count| *count as usize == rows.len()) {
            continue;
        }
        let mut next = [0; 256];
        let mut sum = 0;
        for (next, count) in next.iter_mut().zip(count) {
            *next = sum;
            sum += *count as usize;
        }
        for (number, row) in rows.iter() {
            let to = &mut next[usize::from((number >> (8 * place)) as u8)];
            other[*to] = (*number, *row);
            *to += 1;
        }
        std::mem::swap(rows, &mut other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_are_sorted_as_few_are() {
        let mut state = 7u64;
        for bits in [0, 1, 9, 33, 64] {
            let mut rows: Vec<(u64, u32)> = (0..2 * ROWS_MIN as u32)
                .map(|row| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state.checked_shr(64 - bits).unwrap_or(0), row)
                })
                .collect();
            let mut expected = rows.clone();
            expected.sort_by_key(|(number, _)| *number);
            sort(&mut rows);
            assert_eq!(rows, expected, "{bits} bits");
        }
    }
}
