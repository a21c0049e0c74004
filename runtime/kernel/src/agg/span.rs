//! How are intervals added up and averaged?
//!
//! Months, days and microseconds add up apart, each exactly; only the result must be within an interval's limits. A mean
//! is the sum divided as `INTERVAL / n` is: what is left of months goes to days, what is left of days to microseconds.

use super::fold::{Fold, present};
use crate::{
    column::{Column, Data, Vals},
    func::{Fault, interval},
    interval::Interval,
    lane::Lane,
    ty::Type,
};

/// `sum(INTERVAL)`, or with `MEAN` `avg(INTERVAL)`.
#[derive(Default)]
pub(super) struct Spans<const MEAN: bool> {
    sums: Vec<(i128, i128, i128)>,
    counts: Vec<u64>,
}

impl<const MEAN: bool> Fold for Spans<MEAN> {
    type Item = i128;
    fn read(column: &Column) -> Vals<'_, i128> {
        column.i128s()
    }
    fn resize(&mut self, group_count: usize) {
        self.sums.resize(group_count, (0, 0, 0));
        self.counts.resize(group_count, 0);
    }
    fn add(&mut self, group: usize, value: i128) -> Fault {
        let value = Interval::from_lane(value);
        let (months, days, micros) = &mut self.sums[group];
        *months += i128::from(value.months());
        *days += i128::from(value.days());
        *micros += i128::from(value.micros());
        self.counts[group] += 1;
        Fault::Ok
    }
    fn finish(&mut self, ret: Type) -> Result<Column, (Fault, usize)> {
        let mut lanes = Vec::with_capacity(self.sums.len());
        for (group, ((months, days, micros), count)) in self.sums.iter().zip(&self.counts).enumerate() {
            let part = |part: &i128| i64::try_from(*part).map_err(|_| (Fault::DatetimeRange, group));
            let sum = Interval::new(part(months)?, part(days)?, part(micros)?).ok_or((Fault::DatetimeRange, group))?;
            let lane =
                if MEAN && *count > 0 { interval::divide(sum.lane(), *count as f64) } else { (sum.lane(), Fault::Ok) };
            match lane {
                (lane, Fault::Ok) => lanes.push(lane),
                (_, fault) => return Err((fault, group)),
            }
        }
        Ok(Column::new(ret, present(self.counts.iter().map(|count| *count > 0)), Data::I128(Lane::from_vec(lanes))))
    }
}
