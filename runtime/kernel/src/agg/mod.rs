//! Which aggregates are there, and how does each fold rows?
//!
//! Contract. An accumulator holds the state of every group of one aggregate and folds rows in the order they come: a
//! float sum has one defined order, whoever computes it. DISTINCT is not its business: the operator feeds it distinct
//! rows.

use crate::{
    column::Column,
    func::RowFault,
    ty::{NUMERIC_PRECISION_MAX, Type, TypeClass},
};
use std::fmt;

mod array;
mod big_numeric;
mod count;
mod extreme;
mod fold;
mod json;
mod moments;
mod ordered;
mod sketch;
mod span;
mod sum;

use array::Gathered;
use big_numeric::{Measure, Totals};
use count::Count;
use extreme::{Extreme, ExtremeString};
use fold::{Fold, Folding};
use json::{Elements, Fields};
use moments::{Deviations, Exact, Moment, Pairs, Regression, Spread};
use ordered::{Chosen, Joined, Kept, Which};
use sum::{AvgI64, AvgI128, Bits, Combine, Reals, SumI64, SumI128};

/// Folds the rows of many groups.
pub trait Accumulator: Send {
    /// Makes room for groups `0..group_count`; new ones are empty.
    fn resize(&mut self, group_count: usize);

    /// Folds a batch: row `i` belongs to group `groups[i]`. `arg` is absent for `count(*)` and has `groups.len()` rows
    /// otherwise.
    ///
    /// # Errors
    /// The row that passed the result's range.
    fn update(&mut self, groups: &[u32], arg: Option<&Column>) -> Result<(), RowFault>;

    /// Folds a batch whose rows all belong to group 0.
    ///
    /// # Errors
    /// As [`Accumulator::update`].
    fn update_all(&mut self, row_count: usize, arg: Option<&Column>) -> Result<(), RowFault>;

    /// Folds the rows of a column that are named, in that order, all of group 0: what folding a column of just them gives.
    ///
    /// # Errors
    /// As [`Accumulator::update`]; a row counts by its place among those named.
    fn update_selected(&mut self, column: &Column, rows: &[u32]) -> Result<(), RowFault> {
        self.update_all(rows.len(), Some(&column.take(rows)))
    }

    /// Folds a batch of an aggregate with further arguments: row `i` belongs to group `groups[i]`.
    ///
    /// # Errors
    /// As [`Accumulator::update`].
    fn update_more(&mut self, groups: &[u32], args: &[Column]) -> Result<(), RowFault> {
        assert!(args.len() == 1, "an aggregate with further arguments folds them itself");
        self.update(groups, args.first())
    }

    /// Takes rows back that were folded into group 0, as if they had never come; answers whether it can. If it cannot, nothing more may
    /// be asked of it. Only exact folds can.
    fn take_back(&mut self, _row_count: usize, _arg: Option<&Column>) -> bool {
        false
    }

    /// How many bytes its states take that grow with the rows folded; states of one size are not counted.
    fn grown_bytes(&self) -> usize {
        0
    }

    /// The results of groups `0..group_count`, of the aggregate's result type. Nothing is forgotten: more rows may follow,
    /// and it may be asked again (a window does, after each row and its peers).
    ///
    /// # Errors
    /// A result that does not fit its type, with the group as its row.
    fn finish(&mut self) -> Result<Column, RowFault>;
}

/// An aggregate function.
pub struct Aggregate {
    /// The SQL name in lower case.
    pub name: &'static str,
    /// The class of its argument; `None` is `count(*)`.
    pub arg: Option<TypeClass>,
    /// The classes of its further arguments.
    pub more: &'static [TypeClass],
    /// The type of its result for an argument's type (which is ignored by `count`).
    pub ret: fn(Type) -> Type,
    /// Is the result of an empty group NULL (all but `count`)?
    pub null_when_empty: bool,
    /// A fresh accumulator for an argument's type (for `count(*)` any type).
    pub accumulator: fn(Type) -> Box<dyn Accumulator>,
    /// One line for the generated reference.
    pub doc: &'static str,
}

impl PartialEq for Aggregate {
    fn eq(&self, other: &Aggregate) -> bool {
        self.name == other.name && self.arg == other.arg
    }
}

impl fmt::Debug for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.arg {
            Some(arg) => write!(f, "{}({arg})", self.name),
            None => write!(f, "{}(*)", self.name),
        }
    }
}

/// All aggregates.
pub fn all() -> impl Iterator<Item = &'static Aggregate> {
    TABLES.iter().copied().flatten()
}

/// The aggregate of a name for exactly this class of argument; `None` is `count(*)`.
pub fn find(name: &str, arg: Option<TypeClass>) -> Option<&'static Aggregate> {
    all().find(|aggregate| aggregate.name == name && aggregate.arg == arg)
}

fn folding<F: Fold + 'static>(function: &'static str, ret: Type, fold: F) -> Box<dyn Accumulator> {
    Box::new(Folding { function, ret, fold })
}

/// A mean has 16 digits after the point, or more if its argument has.
fn mean(arg: Type) -> Type {
    Type::Numeric { precision: NUMERIC_PRECISION_MAX, scale: arg.scale().max(16) }
}

fn sum(arg: Type) -> Type {
    Type::Numeric { precision: NUMERIC_PRECISION_MAX, scale: arg.scale() }
}

macro_rules! row {
    ($name:literal, $arg:expr, $ret:expr, $accumulator:expr, $doc:literal) => {
        Aggregate {
            name: $name,
            arg: $arg,
            more: &[],
            ret: $ret,
            null_when_empty: true,
            accumulator: $accumulator,
            doc: $doc,
        }
    };
}

macro_rules! count {
    ($arg:expr, $doc:literal) => {
        Aggregate {
            name: "count",
            arg: $arg,
            more: &[],
            ret: |_| Type::Integer,
            null_when_empty: false,
            accumulator: |_| Box::new(Count::default()),
            doc: $doc,
        }
    };
}

macro_rules! extreme {
    ($name:literal, $greatest:literal, $class:ident, $number:ty, $doc:literal) => {
        row!(
            $name,
            Some(TypeClass::$class),
            |arg| arg,
            |arg| folding($name, arg, Extreme::<$number, $greatest>::default()),
            $doc
        )
    };
    ($name:literal, $greatest:literal, $class:ident, $doc:literal) => {
        row!($name, Some(TypeClass::$class), |arg| arg, |arg| Box::new(ExtremeString::<$greatest>::new(arg)), $doc)
    };
}

/// A spread is a decimal as a mean is.
macro_rules! spread {
    ($name:literal, $moment:ident) => {
        [
            row!(
                $name,
                Some(TypeClass::Integer),
                mean,
                |arg| folding($name, mean(arg), Spread::<Exact<false>>::new(Moment::$moment, arg)),
                "How far values lie from their mean."
            ),
            row!(
                $name,
                Some(TypeClass::Numeric),
                mean,
                |arg| folding($name, mean(arg), Spread::<Exact<true>>::new(Moment::$moment, arg)),
                "How far values lie from their mean."
            ),
            row!(
                $name,
                Some(TypeClass::Real),
                |_| Type::Real,
                |_| folding($name, Type::Real, Deviations::new(Moment::$moment)),
                "How far values lie from their mean."
            ),
            row!(
                $name,
                Some(TypeClass::BigNumeric),
                |_| Type::BigNumeric,
                |_| Box::new(Totals::new($name, Measure::Spread(Moment::$moment))),
                "How far values lie from their mean."
            ),
        ]
    };
}

macro_rules! pairs {
    ($name:literal, $regression:ident, $ret:expr, $null_when_empty:literal, $doc:literal) => {
        Aggregate {
            name: $name,
            arg: Some(TypeClass::Real),
            more: &[TypeClass::Real],
            ret: |_| $ret,
            null_when_empty: $null_when_empty,
            accumulator: |_| Box::new(Pairs::new(Regression::$regression)),
            doc: $doc,
        }
    };
}

macro_rules! kept {
    ($name:literal, $last:literal, $doc:literal, $($class:ident),*) => {
        [$(row!($name, Some(TypeClass::$class), |arg| arg, |arg| Box::new(Kept::new(arg, $last)), $doc)),*]
    };
}

macro_rules! mode {
    ($($class:ident),*) => {
        [$(row!(
            "mode",
            Some(TypeClass::$class),
            |arg| arg,
            |arg| Box::new(Chosen::new("mode", arg, Which::Mode)),
            "The most frequent value, the first of several, in WITHIN GROUP."
        )),*]
    };
}

macro_rules! approx_count_distinct {
    ($($class:ident),*) => {
        [$(Aggregate {
            name: "approx_count_distinct",
            arg: Some(TypeClass::$class),
            more: &[],
            ret: |_| Type::Integer,
            null_when_empty: false,
            accumulator: |_| Box::new(sketch::DistinctCount::default()),
            doc: "About how many distinct values there are: a HyperLogLog, with an error of some 1.6 % above 512.",
        }),*]
    };
}

macro_rules! percentile_disc {
    ($($class:ident),*) => {
        [$(Aggregate {
            name: "percentile_disc",
            arg: Some(TypeClass::$class),
            more: &[TypeClass::Real],
            ret: |arg| arg,
            null_when_empty: true,
            accumulator: |arg| Box::new(Chosen::new("percentile_disc", arg, Which::Discrete)),
            doc: "The first value whose position in WITHIN GROUP is not before a fraction of all.",
        }),*]
    };
}

/// Rows for values of every class.
macro_rules! of_every_class {
    ($rows:ident $(, $given:tt)*) => {
        $rows!(
            $($given,)*
            Boolean, Integer, Real, Numeric, Text, Blob, Date, Timestamp, Json, Time, TimestampTz, Interval, Uuid, Array,
            BigNumeric
        )
    };
}

/// The aggregates of all tables.
static TABLES: &[&[Aggregate]] = &[
    TABLE,
    &spread!("stddev", DeviationSample),
    &spread!("stddev_samp", DeviationSample),
    &spread!("stddev_pop", DeviationPopulation),
    &spread!("variance", VarianceSample),
    &spread!("var_samp", VarianceSample),
    &spread!("var_pop", VariancePopulation),
    &of_every_class!(kept, "first", false, "The first value that is not NULL."),
    &of_every_class!(kept, "any_value", false, "Some value that is not NULL: the first."),
    &of_every_class!(kept, "last", true, "The last value that is not NULL."),
    &of_every_class!(mode),
    &of_every_class!(percentile_disc),
    &of_every_class!(approx_count_distinct),
    &[
        Aggregate {
            name: "approx_percentile",
            arg: Some(TypeClass::Real),
            more: &[TypeClass::Real],
            ret: |_| Type::Real,
            null_when_empty: true,
            accumulator: |_| Box::new(sketch::Percentile::default()),
            doc: "About the value at a fraction of all: a t-digest, exact up to 1,023 values.",
        },
        Aggregate {
            name: "percentile_cont",
            arg: Some(TypeClass::Real),
            more: &[TypeClass::Real],
            ret: |_| Type::Real,
            null_when_empty: true,
            accumulator: |arg| Box::new(Chosen::new("percentile_cont", arg, Which::Continuous)),
            doc: "The value at a fraction of all in WITHIN GROUP, between the two nearest if need be.",
        },
        Aggregate {
            name: "percentile_cont",
            arg: Some(TypeClass::Interval),
            more: &[TypeClass::Real],
            ret: |_| Type::Interval,
            null_when_empty: true,
            accumulator: |arg| Box::new(Chosen::new("percentile_cont", arg, Which::Continuous)),
            doc: "The interval at a fraction of all in WITHIN GROUP, between the two nearest if need be.",
        },
        Aggregate {
            name: "string_agg",
            arg: Some(TypeClass::Text),
            more: &[TypeClass::Text],
            ret: |_| Type::Text,
            null_when_empty: true,
            accumulator: |arg| Box::new(Joined::new(arg)),
            doc: "The texts one after another, a separator before each but the first.",
        },
        Aggregate {
            name: "string_agg",
            arg: Some(TypeClass::Blob),
            more: &[TypeClass::Blob],
            ret: |_| Type::Blob,
            null_when_empty: true,
            accumulator: |arg| Box::new(Joined::new(arg)),
            doc: "The bytes one after another, a separator before each but the first.",
        },
        row!(
            "json_agg",
            Some(TypeClass::Json),
            |_| Type::Json,
            |_| Box::new(Elements::default()),
            "An array of all values, NULL as null."
        ),
        row!(
            "jsonb_agg",
            Some(TypeClass::Json),
            |_| Type::Jsonb,
            |_| Box::new(Elements::default()),
            "An array of all values, NULL as null."
        ),
        Aggregate {
            name: "json_object_agg",
            arg: Some(TypeClass::Text),
            more: &[TypeClass::Json],
            ret: |_| Type::Json,
            null_when_empty: true,
            accumulator: |_| Box::new(Fields::new(false)),
            doc: "An object with a field for each row: key, value.",
        },
        Aggregate {
            name: "jsonb_object_agg",
            arg: Some(TypeClass::Text),
            more: &[TypeClass::Json],
            ret: |_| Type::Jsonb,
            null_when_empty: true,
            accumulator: |_| Box::new(Fields::new(true)),
            doc: "An object with a field for each row: key, value.",
        },
        row!(
            "bit_and",
            Some(TypeClass::Integer),
            |_| Type::Integer,
            |_| folding("bit_and", Type::Integer, Bits::new(Combine::And)),
            "The bits that all values have."
        ),
        row!(
            "bit_or",
            Some(TypeClass::Integer),
            |_| Type::Integer,
            |_| folding("bit_or", Type::Integer, Bits::new(Combine::Or)),
            "The bits that any value has."
        ),
        row!(
            "bit_xor",
            Some(TypeClass::Integer),
            |_| Type::Integer,
            |_| folding("bit_xor", Type::Integer, Bits::new(Combine::Xor)),
            "The bits that an odd number of values have."
        ),
        pairs!("corr", Correlation, Type::Real, true, "How far two values vary together, from -1 to 1."),
        pairs!("covar_pop", CovariancePopulation, Type::Real, true, "The covariance of all pairs."),
        pairs!("covar_samp", CovarianceSample, Type::Real, true, "The covariance of a sample of pairs."),
        pairs!("regr_slope", Slope, Type::Real, true, "The slope of the line that fits best."),
        pairs!("regr_intercept", Intercept, Type::Real, true, "Where the line that fits best begins."),
        pairs!("regr_r2", Fit, Type::Real, true, "How well the line fits, from 0 to 1."),
        pairs!("regr_avgx", MeanX, Type::Real, true, "The mean of the second values of pairs."),
        pairs!("regr_avgy", MeanY, Type::Real, true, "The mean of the first values of pairs."),
        pairs!("regr_sxx", SquaresX, Type::Real, true, "The squares of the second values' distances to their mean."),
        pairs!("regr_syy", SquaresY, Type::Real, true, "The squares of the first values' distances to their mean."),
        pairs!("regr_sxy", Products, Type::Real, true, "The products of both values' distances to their means."),
        pairs!("regr_count", Count, Type::Integer, false, "How many pairs have both values."),
    ],
];

static TABLE: &[Aggregate] = &[
    count!(None, "How many rows."),
    count!(Some(TypeClass::Boolean), "How many rows have a value."),
    count!(Some(TypeClass::Integer), "How many rows have a value."),
    count!(Some(TypeClass::Real), "How many rows have a value."),
    count!(Some(TypeClass::Numeric), "How many rows have a value."),
    count!(Some(TypeClass::Text), "How many rows have a value."),
    count!(Some(TypeClass::Blob), "How many rows have a value."),
    count!(Some(TypeClass::Date), "How many rows have a value."),
    count!(Some(TypeClass::Timestamp), "How many rows have a value."),
    count!(Some(TypeClass::Json), "How many rows have a value."),
    count!(Some(TypeClass::Time), "How many rows have a value."),
    count!(Some(TypeClass::TimestampTz), "How many rows have a value."),
    count!(Some(TypeClass::Interval), "How many rows have a value."),
    count!(Some(TypeClass::Uuid), "How many rows have a value."),
    count!(Some(TypeClass::Array), "How many rows have a value."),
    count!(Some(TypeClass::BigNumeric), "How many rows have a value."),
    row!(
        "array_agg",
        Some(TypeClass::Array),
        |arg| arg,
        |arg| Box::new(Gathered::new(arg)),
        "An array of all values, NULLs too."
    ),
    row!(
        "sum",
        Some(TypeClass::Integer),
        |_| Type::Integer,
        |_| folding("sum", Type::Integer, SumI64::default()),
        "The sum."
    ),
    row!(
        "sum",
        Some(TypeClass::Real),
        |_| Type::Real,
        |_| folding("sum", Type::Real, Reals::<false>::default()),
        "The sum, in row order."
    ),
    row!("sum", Some(TypeClass::Numeric), sum, |arg| folding("sum", sum(arg), SumI128::default()), "The exact sum."),
    row!(
        "avg",
        Some(TypeClass::Integer),
        mean,
        |arg| folding("avg", mean(arg), AvgI64::default()),
        "The mean, with 16 digits after the point."
    ),
    row!(
        "avg",
        Some(TypeClass::Real),
        |_| Type::Real,
        |_| folding("avg", Type::Real, Reals::<true>::default()),
        "The mean."
    ),
    row!(
        "avg",
        Some(TypeClass::Numeric),
        mean,
        |arg| folding("avg", mean(arg), AvgI128::new(arg)),
        "The mean, with at least 16 digits after the point."
    ),
    row!(
        "sum",
        Some(TypeClass::BigNumeric),
        |_| Type::BigNumeric,
        |_| Box::new(Totals::new("sum", Measure::Sum)),
        "The exact sum."
    ),
    row!(
        "avg",
        Some(TypeClass::BigNumeric),
        |_| Type::BigNumeric,
        |_| Box::new(Totals::new("avg", Measure::Mean)),
        "The mean, with at least 16 significant digits."
    ),
    row!(
        "sum",
        Some(TypeClass::Interval),
        |_| Type::Interval,
        |_| folding("sum", Type::Interval, span::Spans::<false>::default()),
        "The sum, months, days and time apart."
    ),
    row!(
        "avg",
        Some(TypeClass::Interval),
        |_| Type::Interval,
        |_| folding("avg", Type::Interval, span::Spans::<true>::default()),
        "The mean; what is left of months goes to days, what is left of days to the time."
    ),
    extreme!("min", false, Integer, i64, "The smallest value."),
    extreme!("min", false, Real, f64, "The smallest value."),
    extreme!("min", false, Numeric, i128, "The smallest value."),
    extreme!("min", false, Text, "The smallest value."),
    extreme!("min", false, Blob, "The smallest value."),
    extreme!("min", false, Date, i64, "The smallest value."),
    extreme!("min", false, Timestamp, i64, "The smallest value."),
    extreme!("min", false, Json, "The smallest value."),
    extreme!("min", false, Time, i64, "The smallest value."),
    extreme!("min", false, TimestampTz, i64, "The smallest value."),
    extreme!("min", false, Interval, i128, "The smallest value."),
    extreme!("min", false, Uuid, i128, "The smallest value."),
    extreme!("min", false, Array, "The smallest value."),
    extreme!("min", false, BigNumeric, "The smallest value."),
    extreme!("max", true, Integer, i64, "The greatest value."),
    extreme!("max", true, Real, f64, "The greatest value."),
    extreme!("max", true, Numeric, i128, "The greatest value."),
    extreme!("max", true, Text, "The greatest value."),
    extreme!("max", true, Blob, "The greatest value."),
    extreme!("max", true, Date, i64, "The greatest value."),
    extreme!("max", true, Timestamp, i64, "The greatest value."),
    extreme!("max", true, Json, "The greatest value."),
    extreme!("max", true, Time, i64, "The greatest value."),
    extreme!("max", true, TimestampTz, i64, "The greatest value."),
    extreme!("max", true, Interval, i128, "The greatest value."),
    extreme!("max", true, Uuid, i128, "The greatest value."),
    extreme!("max", true, Array, "The greatest value."),
    extreme!("max", true, BigNumeric, "The greatest value."),
    extreme!("bool_and", false, Boolean, u8, "Are all true?"),
    extreme!("every", false, Boolean, u8, "Are all true?"),
    extreme!("bool_or", true, Boolean, u8, "Is one true?"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        column::{Codes, Data},
        func::Fault,
        value::{Decimal, Value},
    };
    use std::sync::Arc;

    const CENTS: Type = Type::Numeric { precision: 10, scale: 2 };

    /// Folds in two batches, grouped; the second group stays empty.
    fn grouped(name: &str, ty: Type, values: &[Value]) -> Result<Vec<Value>, RowFault> {
        let aggregate = find(name, Some(ty.class())).expect("listed");
        let mut accumulator = (aggregate.accumulator)(ty);
        accumulator.resize(2);
        let (first, second) = values.split_at(values.len() / 2);
        for part in [first, second] {
            accumulator.resize(3);
            let groups: Vec<u32> = (0..part.len() as u32).map(|row| row % 2 * 2).collect();
            accumulator.update(&groups, Some(&Column::from_values(ty, part)))?;
        }
        let result = accumulator.finish()?;
        assert_eq!(result.ty(), (aggregate.ret)(ty), "{aggregate:?}");
        Ok(result.values().collect())
    }

    fn whole(name: &str, ty: Type, values: &[Value]) -> Result<Value, RowFault> {
        let aggregate = find(name, Some(ty.class())).expect("listed");
        let mut accumulator = (aggregate.accumulator)(ty);
        accumulator.resize(1);
        let (first, second) = values.split_at(values.len() / 2);
        for part in [first, second] {
            accumulator.update_all(part.len(), Some(&Column::from_values(ty, part)))?;
        }
        Ok(accumulator.finish()?.value(0))
    }

    fn cents(units: i128) -> Value {
        Value::Numeric(Decimal { units, scale: 2 })
    }

    fn mean_of(units: i128) -> Value {
        Value::Numeric(Decimal { units, scale: 16 })
    }

    #[test]
    fn integers() {
        let values = [5.into(), 3.into(), Value::Null, 4.into(), 1.into(), 2.into()];
        let of = |name| grouped(name, Type::Integer, &values);
        assert_eq!(of("count"), Ok(vec![3.into(), 0.into(), 2.into()]));
        assert_eq!(of("sum"), Ok(vec![11.into(), Value::Null, 4.into()]));
        assert_eq!(of("min"), Ok(vec![2.into(), Value::Null, 1.into()]));
        assert_eq!(of("max"), Ok(vec![5.into(), Value::Null, 3.into()]));
        let third = mean_of(36_666_666_666_666_667);
        assert_eq!(of("avg"), Ok(vec![third, Value::Null, mean_of(2 * 10i128.pow(16))]));
        assert_eq!(whole("sum", Type::Integer, &values), Ok(15.into()));
        assert_eq!(whole("max", Type::Integer, &values), Ok(5.into()));
    }

    #[test]
    fn sums_pass_the_range_only_in_the_end() {
        let values = [i64::MAX.into(), 1.into(), (-2i64).into(), i64::MIN.into(), i64::MAX.into()];
        assert_eq!(whole("sum", Type::Integer, &values), Ok((i64::MAX - 2).into()));
        let fault = whole("sum", Type::Integer, &values[..2]).expect_err("too large");
        assert_eq!((fault.message().as_str(), fault.sqlstate()), ("integer out of range", "22003"));
        let large = Value::Numeric(Decimal { units: 10i128.pow(38) - 1, scale: 2 });
        let ty = Type::Numeric { precision: 38, scale: 2 };
        assert!(whole("sum", ty, &[large.clone(), large.clone()]).is_err());
        assert_eq!(whole("avg", ty, std::slice::from_ref(&large)).map_err(|fault| fault.fault), Err(Fault::OutOfRange));
        let reals = [Value::Real(f64::MAX), Value::Real(f64::MAX), Value::Real(1.0)];
        assert_eq!(
            whole("sum", Type::Real, &reals).map_err(|fault| (fault.fault, fault.row)),
            Err((Fault::OutOfRange, 0))
        );
        assert!(grouped("sum", Type::Real, &[&reals[..], &reals[..]].concat()).is_err());
        let infinite = [Value::Real(f64::INFINITY), Value::Real(1.0), Value::Real(f64::MAX)];
        assert_eq!(whole("sum", Type::Real, &infinite), Ok(Value::Real(f64::INFINITY)));
    }

    #[test]
    fn decimals_and_reals() {
        let values = [cents(100), cents(50), cents(25), Value::Null];
        assert_eq!(whole("sum", CENTS, &values), Ok(Value::Numeric(Decimal { units: 175, scale: 2 })));
        assert_eq!(whole("avg", CENTS, &values), Ok(mean_of(5_833_333_333_333_333)));
        assert_eq!(whole("max", CENTS, &values), Ok(cents(100)));
        let reals = [Value::Real(0.5), Value::Real(f64::NAN), Value::Real(-0.0), Value::Real(1.5)];
        assert_eq!(whole("min", Type::Real, &reals), Ok(Value::Real(0.0)));
        assert!(matches!(whole("max", Type::Real, &reals), Ok(Value::Real(real)) if real.is_nan()));
        assert_eq!(whole("avg", Type::Real, &reals[2..]), Ok(Value::Real(0.75)));
    }

    #[test]
    fn strings_and_booleans() {
        let texts: Vec<Value> = ["b", "", "abc", "b"].map(Value::from).to_vec();
        assert_eq!(whole("min", Type::Text, &texts), Ok("".into()));
        assert_eq!(grouped("max", Type::Text, &texts), Ok(vec!["b".into(), Value::Null, "b".into()]));
        let json: Vec<Value> = ["10", "9", "null", "1e1"].map(|text| Value::Json(text.to_owned())).to_vec();
        assert_eq!(whole("max", Type::Json, &json), Ok(Value::Json("10".to_owned())));
        let truths = [Value::Boolean(true), Value::Null, Value::Boolean(false)];
        assert_eq!(whole("bool_and", Type::Boolean, &truths), Ok(Value::Boolean(false)));
        assert_eq!(whole("bool_or", Type::Boolean, &truths), Ok(Value::Boolean(true)));
        assert_eq!(whole("every", Type::Boolean, &truths[1..2]), Ok(Value::Null));
    }

    #[test]
    fn encoded_columns_fold_like_plain_ones() {
        let frame = Data::FrameOfReference { base: 100, codes: Codes::U8(vec![1, 2, 3].into()) };
        let values = Arc::new(Column::from_i64s(Type::Integer, vec![101, 102, 103]));
        let dictionary = Data::Dictionary { codes: Codes::U16(vec![0, 1, 2].into()), values };
        let columns = [
            (Column::new(Type::Integer, None, frame), 306),
            (Column::new(Type::Integer, None, dictionary), 306),
            (Column::constant(Type::Integer, Value::Integer(7), 3), 21),
        ];
        for (column, sum) in columns {
            for groups in [None, Some([0, 0, 0])] {
                let aggregate = find("sum", Some(TypeClass::Integer)).expect("listed");
                let mut accumulator = (aggregate.accumulator)(Type::Integer);
                accumulator.resize(1);
                match groups {
                    None => accumulator.update_all(3, Some(&column)),
                    Some(groups) => accumulator.update(&groups, Some(&column)),
                }
                .expect("small");
                assert_eq!(accumulator.finish().map(|column| column.value(0)), Ok(Value::Integer(sum)));
            }
        }
    }

    #[test]
    fn rows_that_are_named_fold_like_a_column_of_them() {
        let numbers: Vec<i64> = (0..300).map(|row| (row * 7919 % 251) - 100).collect();
        let codes = |least: i64| numbers.iter().map(move |number| (number - least) as u64);
        let frame = |codes: Codes| Column::new(Type::Integer, None, Data::FrameOfReference { base: -100, codes });
        let some: Vec<Value> =
            numbers.iter().map(|n| if n % 5 == 0 { Value::Null } else { Value::Integer(n << 50) }).collect();
        let columns = [
            frame(Codes::U8(codes(-100).map(|code| code as u8).collect::<Vec<_>>().into())),
            frame(Codes::U16(codes(-100).map(|code| code as u16).collect::<Vec<_>>().into())),
            frame(Codes::U32(codes(-100).map(|code| code as u32).collect::<Vec<_>>().into())),
            Column::from_i64s(Type::Integer, numbers.iter().map(|number| number << 50).collect()),
            Column::from_values(Type::Integer, &some),
            Column::constant(Type::Integer, Value::Integer(-7), 300),
        ];
        let rows: Vec<u32> = (0..300).filter(|row| row % 3 != 1).rev().collect();
        for (name, column) in
            ["sum", "avg", "min", "count"].iter().flat_map(|name| columns.iter().map(move |c| (name, c)))
        {
            let aggregate = find(name, Some(TypeClass::Integer)).expect("listed");
            let fold = |fold: &dyn Fn(&mut dyn Accumulator) -> Result<(), RowFault>| {
                let mut accumulator = (aggregate.accumulator)(Type::Integer);
                accumulator.resize(1);
                for _ in 0..2 {
                    fold(&mut *accumulator)?;
                }
                accumulator.finish()
            };
            let taken = column.take(&rows);
            let expected = fold(&|accumulator| accumulator.update_all(rows.len(), Some(&taken)));
            assert!(fold(&|accumulator| accumulator.update_selected(column, &rows)) == expected, "{name}");
            assert!(
                fold(&|accumulator| accumulator.update_selected(column, &[])) == fold(&|_| Ok(())),
                "{name} of none"
            );
        }
    }

    #[test]
    fn rows_are_counted_with_and_without_values() {
        let mut all = (find("count", None).expect("listed").accumulator)(Type::Integer);
        all.resize(2);
        all.update(&[0, 1, 1], None).expect("counting does not fail");
        all.update_all(5, None).expect("counting does not fail");
        assert_eq!(all.finish(), Ok(Column::from_i64s(Type::Integer, vec![6, 2])));
        let null = Column::constant(Type::Text, Value::Null, 3);
        let mut some = (find("count", Some(TypeClass::Text)).expect("listed").accumulator)(Type::Text);
        some.resize(1);
        some.update_all(3, Some(&null)).expect("counting does not fail");
        assert_eq!(some.finish(), Ok(Column::from_i64s(Type::Integer, vec![0])));
    }
}
