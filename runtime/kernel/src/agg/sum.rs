//! How are sums and means made?
//!
//! Integers and decimals add up exactly in 128 bits, and only the result must fit its type. Reals add up in row order,
//! one by one, so that the sum of the same rows is the same number whoever adds them; a sum of finite numbers that
//! passes the range is an error. A mean is the sum by the count, of a decimal rounded half away from zero.

use super::fold::{Fold, present};
use crate::{
    column::{Codes, Column, Data, Vals},
    func::{
        Fault,
        arith::{div_i128, fit},
    },
    lane::Lane,
    ty::Type,
};

/// How bits of two values meet.
#[derive(Clone, Copy)]
pub(super) enum Combine {
    And,
    Or,
    Xor,
}

/// Integers bit by bit.
pub(super) struct Bits {
    combine: Combine,
    values: Vec<Option<i64>>,
}

impl Bits {
    pub(super) fn new(combine: Combine) -> Bits {
        Bits { combine, values: Vec::new() }
    }
}

impl Fold for Bits {
    type Item = i64;

    fn read(column: &Column) -> Vals<'_, i64> {
        column.i64s()
    }

    fn resize(&mut self, group_count: usize) {
        self.values.resize(group_count, None);
    }

    fn add(&mut self, group: usize, value: i64) -> Fault {
        let slot = &mut self.values[group];
        *slot = Some(match (*slot, self.combine) {
            (None, _) => value,
            (Some(bits), Combine::And) => bits & value,
            (Some(bits), Combine::Or) => bits | value,
            (Some(bits), Combine::Xor) => bits ^ value,
        });
        Fault::Ok
    }

    fn finish(&mut self, ret: Type) -> Result<Column, (Fault, usize)> {
        let values = self.values.iter().map(|value| value.unwrap_or_default()).collect();
        Ok(Column::new(ret, present(self.values.iter().map(Option::is_some)), Data::I64(Lane::from_vec(values))))
    }
}

/// Of integers: exact sums and how many were added.
#[derive(Default)]
pub(super) struct Integers {
    sums: Vec<i128>,
    counts: Vec<u64>,
}

impl Integers {
    fn column(&self, ret: Type, values: Vec<i128>) -> Column {
        Column::new(ret, present(self.counts.iter().map(|count| *count > 0)), Data::I128(Lane::from_vec(values)))
    }

    /// Means, as units of `10^-(scale + shift)` of sums in units of `10^-scale`.
    fn means(&self, ret: Type, shift: u8) -> Result<Column, (Fault, usize)> {
        let groups = self.sums.iter().zip(&self.counts).enumerate();
        let means =
            groups.map(|(group, (sum, count))| match div_i128(*sum, i128::from((*count).max(1)), i64::from(shift)) {
                (mean, Fault::Ok) => Ok(mean),
                (_, fault) => Err((fault, group)),
            });
        Ok(self.column(ret, means.collect::<Result<_, _>>()?))
    }

    fn resize(&mut self, group_count: usize) {
        self.sums.resize(group_count, 0);
        self.counts.resize(group_count, 0);
    }

    #[inline]
    fn add(&mut self, group: usize, value: i128) -> Fault {
        let (sum, is_out) = self.sums[group].overflowing_add(value);
        self.sums[group] = sum;
        self.counts[group] += 1;
        if is_out { Fault::OutOfRange } else { Fault::Ok }
    }

    fn take_back(&mut self, value: i128) -> bool {
        let (sum, is_out) = self.sums[0].overflowing_sub(value);
        self.sums[0] = sum;
        self.counts[0] -= 1;
        !is_out
    }

    /// The sum of 64-bit integers: low and high halves apart, so that the loop has no carry and vectorises.
    fn add_all(&mut self, values: &[i64]) {
        // 2^31 halves of 32 bits are far from passing 64 bits.
        for values in values.chunks(1 << 31) {
            let low: u64 = values.iter().map(|value| *value as u64 & 0xffff_ffff).sum();
            let high: i64 = values.iter().map(|value| *value >> 32).sum();
            self.sums[0] += (i128::from(high) << 32) + i128::from(low);
            self.counts[0] += values.len() as u64;
        }
    }

    /// The same of some rows of a lane of integers as it lies, narrow or not.
    fn add_selected(&mut self, data: &Data, rows: &[u32]) -> bool {
        fn narrow<T: Copy + Into<u64>>(lane: &[T], rows: &[u32]) -> u64 {
            rows.iter().map(|row| lane[*row as usize].into()).sum()
        }
        // As many rows as a batch has, and more, are far from passing 64 bits.
        if rows.len() >= 1 << 31 {
            return false;
        }
        let sum = match data {
            Data::I64(lane) => {
                let lane = lane.as_slice();
                let (mut low, mut high) = (0u64, 0i64);
                for row in rows {
                    let value = lane[*row as usize];
                    low += value as u64 & 0xffff_ffff;
                    high += value >> 32;
                }
                (i128::from(high) << 32) + i128::from(low)
            }
            Data::FrameOfReference { base, codes } => {
                let codes = match codes {
                    Codes::U8(lane) => narrow(lane.as_slice(), rows),
                    Codes::U16(lane) => narrow(lane.as_slice(), rows),
                    Codes::U32(lane) => narrow(lane.as_slice(), rows),
                    Codes::Runs(_) => return false,
                };
                i128::from(*base) * rows.len() as i128 + i128::from(codes)
            }
            Data::Const(_)
            | Data::Bool(_)
            | Data::F64(_)
            | Data::I128(_)
            | Data::Bytes(_)
            | Data::Dictionary { .. } => return false,
        };
        self.sums[0] += sum;
        self.counts[0] += rows.len() as u64;
        true
    }
}

/// `sum(INTEGER)`.
#[derive(Default)]
pub(super) struct SumI64(Integers);

impl Fold for SumI64 {
    type Item = i64;
    fn read(column: &Column) -> Vals<'_, i64> {
        column.i64s()
    }
    fn resize(&mut self, group_count: usize) {
        self.0.resize(group_count);
    }
    #[inline]
    fn add(&mut self, group: usize, value: i64) -> Fault {
        self.0.add(group, i128::from(value))
    }
    fn add_all(&mut self, values: &[i64]) -> Result<(), (Fault, usize)> {
        self.0.add_all(values);
        Ok(())
    }
    fn add_selected(&mut self, data: &Data, rows: &[u32]) -> bool {
        self.0.add_selected(data, rows)
    }
    fn take_back(&mut self, value: i64) -> bool {
        self.0.take_back(i128::from(value))
    }
    fn finish(&mut self, ret: Type) -> Result<Column, (Fault, usize)> {
        let sums = self.0.sums.iter().enumerate();
        let sums = sums.map(|(group, sum)| i64::try_from(*sum).map_err(|_| (Fault::OutOfRange, group)));
        let sums = sums.collect::<Result<Vec<_>, _>>()?;
        Ok(Column::new(ret, present(self.0.counts.iter().map(|count| *count > 0)), Data::I64(Lane::from_vec(sums))))
    }
}

/// `avg(INTEGER)`.
#[derive(Default)]
pub(super) struct AvgI64(Integers);

impl Fold for AvgI64 {
    type Item = i64;
    fn read(column: &Column) -> Vals<'_, i64> {
        column.i64s()
    }
    fn resize(&mut self, group_count: usize) {
        self.0.resize(group_count);
    }
    #[inline]
    fn add(&mut self, group: usize, value: i64) -> Fault {
        self.0.add(group, i128::from(value))
    }
    fn add_all(&mut self, values: &[i64]) -> Result<(), (Fault, usize)> {
        self.0.add_all(values);
        Ok(())
    }
    fn add_selected(&mut self, data: &Data, rows: &[u32]) -> bool {
        self.0.add_selected(data, rows)
    }
    fn take_back(&mut self, value: i64) -> bool {
        self.0.take_back(i128::from(value))
    }
    fn finish(&mut self, ret: Type) -> Result<Column, (Fault, usize)> {
        self.0.means(ret, ret.scale())
    }
}

/// `sum(NUMERIC)`.
#[derive(Default)]
pub(super) struct SumI128(Integers);

impl Fold for SumI128 {
    type Item = i128;
    fn read(column: &Column) -> Vals<'_, i128> {
        column.i128s()
    }
    fn resize(&mut self, group_count: usize) {
        self.0.resize(group_count);
    }
    #[inline]
    fn add(&mut self, group: usize, value: i128) -> Fault {
        self.0.add(group, value)
    }
    fn take_back(&mut self, value: i128) -> bool {
        self.0.take_back(value)
    }
    fn finish(&mut self, ret: Type) -> Result<Column, (Fault, usize)> {
        for (group, sum) in self.0.sums.iter().enumerate() {
            if fit(*sum).1 != Fault::Ok {
                return Err((Fault::OutOfRange, group));
            }
        }
        Ok(self.0.column(ret, self.0.sums.clone()))
    }
}

/// `avg(NUMERIC)`.
pub(super) struct AvgI128 {
    sums: Integers,
    /// The scale of the argument.
    scale: u8,
}

impl AvgI128 {
    pub(super) fn new(arg: Type) -> AvgI128 {
        AvgI128 { sums: Integers::default(), scale: arg.scale() }
    }
}

impl Fold for AvgI128 {
    type Item = i128;
    fn read(column: &Column) -> Vals<'_, i128> {
        column.i128s()
    }
    fn resize(&mut self, group_count: usize) {
        self.sums.resize(group_count);
    }
    #[inline]
    fn add(&mut self, group: usize, value: i128) -> Fault {
        self.sums.add(group, value)
    }
    fn take_back(&mut self, value: i128) -> bool {
        self.sums.take_back(value)
    }
    fn finish(&mut self, ret: Type) -> Result<Column, (Fault, usize)> {
        self.sums.means(ret, ret.scale() - self.scale)
    }
}

/// `sum(REAL)`, and with `MEAN` `avg(REAL)`.
#[derive(Default)]
pub(super) struct Reals<const MEAN: bool> {
    /// The sum of each group and how many were added: side by side, because a row needs both.
    states: Vec<(f64, u64)>,
}

impl<const MEAN: bool> Fold for Reals<MEAN> {
    type Item = f64;
    fn read(column: &Column) -> Vals<'_, f64> {
        column.f64s()
    }
    fn resize(&mut self, group_count: usize) {
        self.states.resize(group_count, (0.0, 0));
    }
    #[inline]
    fn add(&mut self, group: usize, value: f64) -> Fault {
        let (total, count) = &mut self.states[group];
        let old = *total;
        let sum = old + value;
        *total = sum;
        *count += 1;
        if sum.is_infinite() && old.is_finite() && value.is_finite() { Fault::OutOfRange } else { Fault::Ok }
    }
    fn add_all(&mut self, values: &[f64]) -> Result<(), (Fault, usize)> {
        let (total, count) = &mut self.states[0];
        let old = *total;
        *count += values.len() as u64;
        *total = values.iter().fold(old, |sum, value| sum + value);
        if total.is_finite() || !old.is_finite() {
            return Ok(());
        }
        // Which is allowed only where a value was not finite itself, so the rows are looked at once more.
        let mut sum = old;
        for (row, value) in values.iter().enumerate() {
            if !value.is_finite() {
                return Ok(());
            }
            sum += value;
            if sum.is_infinite() {
                return Err((Fault::OutOfRange, row));
            }
        }
        Ok(())
    }
    fn finish(&mut self, ret: Type) -> Result<Column, (Fault, usize)> {
        let groups = self.states.iter();
        let values = groups.map(|(sum, count)| if MEAN { sum / (*count).max(1) as f64 } else { *sum }).collect();
        let present = present(self.states.iter().map(|(_, count)| *count > 0));
        Ok(Column::new(ret, present, Data::F64(Lane::from_vec(values))))
    }
}
