//! How do rows of many runs become one run?
//!
//! The order is given as spans of rows. A column that is constant in every source stays constant; long spans are copied
//! lane by lane, single rows one by one.

use crate::run::{END_OPEN, Run, constant_integer};
use spectradb_kernel::{
    Column, Type, Value,
    column::{ByteSink, Codes, ColumnBuilder, Data, Vals},
    ty::LaneKind,
};
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

/// So many strings are fetched from memory together.
const TOUCHED_AT_ONCE: usize = 16;

/// The rows of spans one by one, where spans are short.
struct Rows {
    rows: Vec<(u32, u32)>,
    source_count: usize,
}

impl Rows {
    fn of(spans: &[Span], len: usize) -> Option<Rows> {
        if spans.len() < 2 || spans.len() * SLICE_ROWS_MIN < len {
            return None;
        }
        let mut rows = Vec::with_capacity(len);
        for Span { source, rows: some } in spans {
            rows.extend(some.clone().map(|row| (*source as u32, row as u32)));
        }
        let source_count = spans.iter().map(|span| span.source + 1).max().unwrap_or(0);
        Some(Rows { rows, source_count })
    }

    fn lane<T: Copy, S>(&self, sources: &[S], at: impl Fn(&S, usize) -> T) -> Vec<T> {
        self.rows.iter().map(|(source, row)| at(&sources[*source as usize], *row as usize)).collect()
    }

    /// Their values of a column; `None` where one of the sources is not as plain as this takes.
    fn gather<'a>(&self, ty: Type, of: impl Fn(usize) -> &'a Column) -> Option<Column> {
        let sources: Vec<&Column> = (0..self.source_count).map(of).collect();
        if sources.iter().any(|column| column.has_nulls()) {
            return None;
        }
        let data = match ty.lane() {
            LaneKind::I64 => {
                let sources = sources.into_iter().map(Integers::of).collect::<Option<Vec<_>>>()?;
                Data::I64(self.lane(&sources, Integers::at).into())
            }
            LaneKind::F64 => {
                let sources: Vec<_> = sources.into_iter().map(Column::f64s).collect();
                Data::F64(self.lane(&sources, Vals::at).into())
            }
            LaneKind::Bytes => {
                let sources: Vec<_> = sources.into_iter().map(Column::byte_vals).collect();
                let strings: Vec<&[u8]> =
                    self.rows.iter().map(|(source, row)| sources[*source as usize].at(*row as usize)).collect();
                let mut sink = ByteSink::with_capacity(strings.len(), strings.iter().map(|string| string.len()).sum());
                for lot in strings.chunks(TOUCHED_AT_ONCE) {
                    // They lie anywhere: so they are waited for together, and not each when it is copied.
                    let touched = lot.iter().fold(0, |all, string| all ^ string.first().copied().unwrap_or(0));
                    std::hint::black_box(touched);
                    lot.iter().for_each(|string| sink.push(string));
                }
                Data::Bytes(sink.finish())
            }
            LaneKind::Bool | LaneKind::I128 => return None,
        };
        Some(Column::new(ty, None, data))
    }
}

/// Integers as they lie.
enum Integers<'a> {
    One(i64),
    Plain(&'a [i64]),
    Narrow8(i64, &'a [u8]),
    Narrow16(i64, &'a [u16]),
    Narrow32(i64, &'a [u32]),
}

impl<'a> Integers<'a> {
    fn of(column: &'a Column) -> Option<Integers<'a>> {
        Some(match column.data() {
            Data::I64(lane) => Integers::Plain(lane.as_slice()),
            Data::FrameOfReference { base, codes: Codes::U8(lane) } => Integers::Narrow8(*base, lane.as_slice()),
            Data::FrameOfReference { base, codes: Codes::U16(lane) } => Integers::Narrow16(*base, lane.as_slice()),
            Data::FrameOfReference { base, codes: Codes::U32(lane) } => Integers::Narrow32(*base, lane.as_slice()),
            Data::Const(value) => Integers::One(value.lane_i64()?),
            Data::FrameOfReference { codes: Codes::Runs(_), .. }
            | Data::Dictionary { .. }
            | Data::Bool(_)
            | Data::F64(_)
            | Data::I128(_)
            | Data::Bytes(_) => return None,
        })
    }

    fn at(&self, row: usize) -> i64 {
        match self {
            Integers::One(value) => *value,
            Integers::Plain(lane) => lane[row],
            Integers::Narrow8(base, codes) => base.wrapping_add(i64::from(codes[row])),
            Integers::Narrow16(base, codes) => base.wrapping_add(i64::from(codes[row])),
            Integers::Narrow32(base, codes) => base.wrapping_add(i64::from(codes[row])),
        }
    }
}

fn gather_column<'a>(spans: &[Span], rows: Option<&Rows>, len: usize, of: impl Fn(usize) -> &'a Column) -> Column {
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
    if let Some(column) = rows.and_then(|rows| rows.gather(first.ty(), &of)) {
        return column;
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
    let rows = Rows::of(spans, len);
    let rows = rows.as_ref();
    let column = |column_idx| gather_column(spans, rows, len, |source| &sources[source].columns[column_idx]);
    let columns = (0..sources[spans[0].source].columns.len()).map(column).collect();
    let lane = |of: fn(&Run) -> &Column| gather_column(spans, rows, len, |source| of(sources[source]));
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
