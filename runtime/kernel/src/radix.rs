//! How are many rows sorted by one number each?
//!
//! They are spread over about as many places as there are rows, each by where its number lies between the least and the greatest,
//! and what falls into one place is sorted in the same way. Numbers that lie evenly are in order after one such step, or two.
//!
//! Holds: rows of equal numbers stay in their order.
//! Not here: which number orders a key (`key`).

/// So few rows are sorted by comparing them.
const FEW: usize = 48;

/// Rows are spread over so many places at most: what they write to is in the cache.
const PLACES_MAX: usize = 1 << 11;

/// Sorts rows, each with the number that orders it.
///
/// ```
/// let mut rows = vec![(7, 0), (3, 1), (7, 2), (0, 3)];
/// spectradb_kernel::radix::sort(&mut rows);
/// assert_eq!(rows, [(0, 3), (3, 1), (7, 0), (7, 2)]);
/// ```
pub fn sort(rows: &mut [(u64, u32)]) {
    let mut room = vec![(0, 0); if rows.len() > FEW { rows.len() } else { 0 }];
    spread(rows, &mut room);
}

fn spread(rows: &mut [(u64, u32)], room: &mut [(u64, u32)]) {
    if rows.len() <= FEW {
        return rows.sort_by_key(|(number, _)| *number);
    }
    let bounds = |(min, max): (u64, u64), (number, _): &(u64, u32)| (min.min(*number), max.max(*number));
    let (min, max) = rows.iter().fold((u64::MAX, 0), bounds);
    let range = max - min;
    let places_wanted = rows.len().next_power_of_two().min(PLACES_MAX);
    let shift = (u64::BITS - range.leading_zeros()).saturating_sub(places_wanted.trailing_zeros());
    let place = |number: u64| ((number - min) >> shift) as usize;
    let mut ends = [0u32; PLACES_MAX];
    let ends = &mut ends[..=place(max)];
    rows.iter().for_each(|(number, _)| ends[place(*number)] += 1);
    let mut start = 0;
    for end in ends.iter_mut() {
        // Where a place begins; it rises to where it ends.
        start += std::mem::replace(end, start);
    }
    for row in rows.iter() {
        let to = &mut ends[place(row.0)];
        room[*to as usize] = *row;
        *to += 1;
    }
    rows.copy_from_slice(room);
    if shift == 0 {
        return;
    }
    let mut start = 0;
    for end in ends.iter().map(|end| *end as usize) {
        if end - start > 1 {
            spread(&mut rows[start..end], &mut room[start..end]);
        }
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_are_sorted_as_few_are() {
        let mut state = 7u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state
        };
        for len in [0, 1, FEW, FEW + 1, 1000, 3 * PLACES_MAX] {
            // The last of them mostly lie close together, and some far away.
            for bits in [0, 1, 9, 33, 64, 65] {
                let mut number = || match bits {
                    65 => (next() >> 40).checked_shr((next() >> 58) as u32).unwrap_or(0) << (next() >> 60),
                    bits => next().checked_shr(64 - bits).unwrap_or(0),
                };
                let mut rows: Vec<(u64, u32)> = (0..len as u32).map(|row| (number(), row)).collect();
                rows.extend([(u64::MAX, 0), (0, 1)].into_iter().filter(|_| bits == 33));
                let mut expected = rows.clone();
                expected.sort_by_key(|(number, _)| *number);
                sort(&mut rows);
                assert_eq!(rows, expected, "{len} rows of {bits} bits");
            }
        }
    }
}
