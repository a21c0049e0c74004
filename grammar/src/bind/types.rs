//! Which type does a type's name mean?
//!
//! INTEGER is BIGINT and REAL is DOUBLE PRECISION, as embedded users expect; SMALLINT, INT4 and FLOAT4 have their own
//! ranges. A name whose promise we would not keep is refused rather than taken for something near it.

use crate::{
    ast::TypeName,
    diag::{Diag, code, nearest},
};
use spectradb_kernel::{
    Type,
    big_numeric::DECLARED_MAX,
    ty::{LENGTH_MAX, NUMERIC_PRECISION_MAX},
};

/// Names that are taken as they stand, without numbers in parentheses.
const PLAIN: &[(&str, Type)] = &[
    ("integer", Type::Integer),
    ("int", Type::Integer),
    ("bigint", Type::Integer),
    ("int8", Type::Integer),
    ("real", Type::Real),
    ("double precision", Type::Real),
    ("double", Type::Real),
    ("float", Type::Real),
    ("float8", Type::Real),
    ("text", Type::Text),
    ("string", Type::Text),
    ("varchar", Type::Text),
    ("character varying", Type::Text),
    ("boolean", Type::Boolean),
    ("bool", Type::Boolean),
    ("blob", Type::Blob),
    ("bytea", Type::Blob),
    ("date", Type::Date),
    ("timestamp", Type::Timestamp),
    ("timestamp without time zone", Type::Timestamp),
    ("timestamptz", Type::TimestampTz),
    ("timestamp with time zone", Type::TimestampTz),
    ("time", Type::Time),
    ("time without time zone", Type::Time),
    ("interval", Type::Interval),
    ("uuid", Type::Uuid),
    ("smallint", Type::SmallInt),
    ("int2", Type::SmallInt),
    ("int4", Type::Int4),
    ("float4", Type::Float4),
    ("char", Type::Char { length: 1 }),
    ("character", Type::Char { length: 1 }),
    ("json", Type::Json),
    ("jsonb", Type::Jsonb),
];

/// Names that PostgreSQL has and we refuse, with what to write instead.
const REFUSED: &[(&str, &str)] = &[
    ("serial", "write INTEGER and give the numbers"),
    ("bigserial", "write INTEGER and give the numbers"),
    ("bpchar", "write CHAR(n) or TEXT"),
    ("time with time zone", "write TIMESTAMPTZ"),
    ("timetz", "write TIMESTAMPTZ"),
    ("money", "write NUMERIC(p,s)"),
];

/// Reads a type's name.
///
/// # Errors
/// There is no such type (42704), it is not supported (0A000), or its numbers are out of range (22023).
pub(super) fn written(name: &TypeName) -> Result<Type, Diag> {
    let element = element(name)?;
    Ok(if name.array { super::array::array_of(element) } else { element })
}

fn element(name: &TypeName) -> Result<Type, Diag> {
    let word = if name.name.starts_with("interval ") { "interval" } else { name.name.as_str() };
    let plain = PLAIN.iter().find(|(plain, _)| *plain == word).map(|(_, ty)| *ty);
    match (name.name.as_str(), plain, name.args.as_slice()) {
        ("numeric" | "decimal" | "dec", _, []) => Ok(Type::BigNumeric),
        ("numeric" | "decimal" | "dec", _, [precision]) => numeric(name, *precision, 0),
        ("numeric" | "decimal" | "dec", _, [precision, scale]) => numeric(name, *precision, *scale),
        ("varchar" | "character varying" | "char" | "character", _, [length]) => {
            let is_char = name.name.starts_with("char") && !name.name.ends_with("varying");
            let word = if is_char { "char" } else { "varchar" };
            let refused =
                |bound| Diag::new(code::INVALID_PARAMETER, format!("length for type {word} {bound}"), name.span);
            if *length < 1 {
                return Err(refused("must be at least 1".to_owned()));
            }
            match u32::try_from(*length) {
                Ok(length) if length <= LENGTH_MAX && is_char => Ok(Type::Char { length }),
                Ok(length) if length <= LENGTH_MAX => Ok(Type::Varchar { length }),
                Ok(_) | Err(_) => Err(refused(format!("cannot exceed {LENGTH_MAX}"))),
            }
        }
        (_, Some(ty @ (Type::Timestamp | Type::TimestampTz | Type::Time | Type::Interval)), [6]) => Ok(ty),
        (_, Some(ty @ (Type::Timestamp | Type::TimestampTz | Type::Time | Type::Interval)), [digits @ 0..=5]) => {
            Ok(Type::Rounded { class: ty.class(), digits: *digits as u8 })
        }
        ("float", _, [1..=53]) => Ok(Type::Real),
        (_, Some(ty), []) => Ok(ty),
        (_, Some(_), _) => Err(Diag::new(
            code::SYNTAX,
            format!(
                "type {} does not take {}",
                name.name,
                if name.args.len() == 1 { "this number" } else { "numbers" }
            ),
            name.span,
        )),
        ("b" | "bit" | "varbit", None, _) => {
            let message = "bit strings are not supported";
            Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, name.span)
                .help("write BLOB, or an INTEGER with & | # << >>"))
        }
        (other, None, _) => Err(match REFUSED.iter().find(|(refused, _)| *refused == other) {
            Some((_, instead)) => {
                Diag::new(code::FEATURE_NOT_SUPPORTED, format!("type {other} is not supported"), name.span)
                    .help(*instead)
            }
            None => {
                let diag = Diag::new(code::UNDEFINED_OBJECT, format!("type \"{other}\" does not exist"), name.span);
                match nearest(other, PLAIN.iter().map(|(plain, _)| *plain).chain(["numeric", "decimal"])) {
                    Some(near) => diag.help(format!("a type named \"{near}\" exists")),
                    None => diag,
                }
            }
        }),
    }
}

/// What finer than the fields of an INTERVAL is cut off: `interval year to month` ends at months.
pub(super) fn finest_field(name: &TypeName) -> Option<&str> {
    let (_, finest) = name.name.strip_prefix("interval ")?.rsplit_once(' ').unwrap_or(("", &name.name[9..]));
    (finest != "second").then_some(finest)
}

/// Refuses an INTERVAL of fields where values are kept as they come.
pub(super) fn refuse_fields(name: &TypeName) -> Result<(), Diag> {
    if finest_field(name).is_none() {
        return Ok(());
    }
    let message = format!("{} is not supported here", name.name);
    Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, name.span)
        .help("write INTERVAL, and cast values to its fields"))
}

/// NUMERIC with digits: of up to 38, all of them after the point at most, in 128 bits; else of any length.
fn numeric(name: &TypeName, precision: i64, scale: i64) -> Result<Type, Diag> {
    let max = i64::from(DECLARED_MAX);
    let refused = |message: String| Err(Diag::new(code::INVALID_PARAMETER, message, name.span));
    if !(1..=max).contains(&precision) {
        return refused(format!("NUMERIC precision {precision} must be between 1 and {max}"));
    }
    if !(-max..=max).contains(&scale) {
        return refused(format!("NUMERIC scale {scale} must be between -{max} and {max}"));
    }
    Ok(if precision <= i64::from(NUMERIC_PRECISION_MAX) && (0..=precision).contains(&scale) {
        Type::Numeric { precision: precision as u8, scale: scale as u8 }
    } else {
        Type::WideNumeric { precision: precision as u16, scale: scale as i16 }
    })
}
