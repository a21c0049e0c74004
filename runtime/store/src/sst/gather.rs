//! How do rows of many runs become one run?
//!
//! The order is given as spans of rows. A column that is constant in every source stays constant; long spans are copied
//! lane by lane, single rows one by one.

use crate::run::{END_OPEN, Run, constant_integer};
use spectradb_kernel::{Column, Type, Value, column::ColumnBuilder};
use std::ops::Range;

/// Rows of one source, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Which source.
    pub(crate) source: usize,
    /// Which of its rows.
    pub(crate) rows: Range<usize>,
}

/// Spans under construction: neighbours grow together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans {
    pub(crate) spans: Vec<Span>,
    pub(crate) rows: usize,
}

impl Spans {
    /// Adds rows of a source.
    pub(crate) fn push(&mut self, source: usize, rows: Range<usize>) {
        self.rows += rows.len();
        match self.spans.last_mut() {
            Some(last) if last.source == source && last.rows.end == rows.start => last.rows.end = rows.end,
            _ => self.spans.push(Span { source, rows }),
        }
    }
}

/// Rows of a span that make copying it as a slice worth while.
const SLICE_ROWS_MIN: usize = 8;

fn gather_column<'a>(spans: &[Span], len: usize, of: impl Fn(usize) -> &'a Column) -> Column {
    let first = of(spans[0].source);
    if let [only] = spans {
        return first.slice(only.rows.clone());
    }
    // Zeroes of both signs are equal, and are two values all the same, NaN too.
    let same = |a: &Value, b: &Value| match (a, b) {
        (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    };
    if let Some(value) = first.as_const()
        && spans.iter().all(|span| of(span.source).as_const().is_some_and(|other| same(other, value)))
    {
        return Column::constant(first.ty(), value.clone(), len);
    }
    let mut builder = ColumnBuilder::new(first.ty());
    for span in spans {
        let column = of(span.source);
        if span.rows.len() >= SLICE_ROWS_MIN {
            builder.extend(&column.slice(span.rows.clone()));
        } else {
            span.rows.clone().for_each(|row| builder.push_from(column, row));
        }
    }
    builder.finish()
}

/// The rows of spans as one run. The sources have one shape.
///
/// # Panics
/// When there is no span.
pub(crate) fn gather(sources: &[&Run], spans: &Spans) -> Run {
    let (spans, len) = (&spans.spans, spans.rows);
    let column = |column_idx| gather_column(spans, len, |source| &sources[source].columns[column_idx]);
    let columns = (0..sources[spans[0].source].columns.len()).map(column).collect();
    let lane = |of: fn(&Run) -> &Column| gather_column(spans, len, |source| of(sources[source]));
    let periods = (lane(|run| &run.valid_from), lane(|run| &run.valid_to));
    Run::new(columns, periods, lane(|run| &run.commit), lane(|run| &run.origin), lane(|run| &run.system_to))
}

/// The same facts, with these ends.
pub(crate) fn with_ends(run: Run, ends: Vec<i64>) -> Run {
    let system_to = if ends.iter().all(|end| *end == END_OPEN) {
        constant_integer(END_OPEN, run.len)
    } else {
        Column::from_i64s(Type::Integer, ends)
    };
    let Run { columns, valid_from, valid_to, commit, origin, .. } = run;
    Run::new(columns, (valid_from, valid_to), commit, origin, system_to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{constant_instant, integers};

    #[test]
    fn spans_are_copied_in_order() {
        let run = |base: i64| {
            let len = 40;
            let lane = |ty| integers(ty, (0..len).map(|i| base + i).collect());
            let texts: Vec<Value> =
                (0..len).map(|i| if i % 5 == 0 { Value::Null } else { Value::Text(format!("{}", base + i)) }).collect();
            let columns = vec![lane(Type::Integer), Column::from_values(Type::Text, &texts)];
            let periods = (lane(Type::Timestamp), constant_instant(i64::MAX, len as usize));
            Run::new(columns, periods, lane(Type::Integer), constant_integer(0, len as usize), lane(Type::Integer))
        };
        let (a, b) = (run(0), run(1000));
        let mut spans = Spans::default();
        spans.push(0, 3..5);
        spans.push(0, 5..20);
        spans.push(1, 39..40);
        spans.push(0, 0..1);
        assert_eq!(spans.spans.len(), 3);
        let gathered = gather(&[&a, &b], &spans);
        let expected: Vec<i64> = (3..20).chain([1039, 0]).collect();
        assert_eq!(gathered.columns[0], Column::from_i64s(Type::Integer, expected.clone()));
        let texts =
            expected.iter().map(|i| if i % 5 == 0 && *i != 1039 { Value::Null } else { Value::Text(i.to_string()) });
        assert!(gathered.columns[1].values().eq(texts));
        assert_eq!(gathered.valid_to.as_const(), a.valid_to.as_const());
        assert_eq!(gathered.bounds.commit_max, 1039);
    }
}
