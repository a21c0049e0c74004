//! Which type does a type's name mean?
//!
//! INTEGER is BIGINT and REAL is DOUBLE PRECISION, as embedded users expect. A name whose promise we would not keep (a
//! smaller range, a length limit on a column, a time zone) is refused rather than taken for something near it.

use crate::{
    ast::TypeName,
    diag::{Diag, code, nearest},
};
use spectradb_kernel::{Type, ty::NUMERIC_PRECISION_MAX};

/// A type as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// A type.
    Full(Type),
    /// NUMERIC without digits: as many as the value has.
    Numeric,
    /// VARCHAR(n): TEXT of at most so many characters.
    Varchar(u32),
}

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
    ("json", Type::Json),
    ("jsonb", Type::Json),
];

/// Names that PostgreSQL has and we refuse, with what to write instead.
const REFUSED: &[(&str, &str)] = &[
    ("smallint", "write INTEGER, which has 64 bits"),
    ("int2", "write INTEGER, which has 64 bits"),
    ("int4", "write INTEGER, which has 64 bits"),
    ("float4", "write REAL, which has 64 bits"),
    ("serial", "write INTEGER and give the numbers"),
    ("bigserial", "write INTEGER and give the numbers"),
    ("char", "write TEXT"),
    ("character", "write TEXT"),
    ("bpchar", "write TEXT"),
    ("timestamptz", "write TIMESTAMP, which counts in UTC"),
    ("timestamp with time zone", "write TIMESTAMP, which counts in UTC"),
    ("time", "write TIMESTAMP or TEXT"),
    ("time without time zone", "write TIMESTAMP or TEXT"),
    ("time with time zone", "write TIMESTAMP or TEXT"),
    ("timetz", "write TIMESTAMP or TEXT"),
    ("interval", "count days in an INTEGER"),
    ("uuid", "write TEXT"),
    ("money", "write NUMERIC(p,s)"),
];

/// Reads a type's name.
///
/// # Errors
/// There is no such type (42704), it is not supported (0A000), or its numbers are out of range (22023).
pub(super) fn written(name: &TypeName) -> Result<Written, Diag> {
    let plain = PLAIN.iter().find(|(plain, _)| *plain == name.name).map(|(_, ty)| *ty);
    match (name.name.as_str(), plain, name.args.as_slice()) {
        ("numeric" | "decimal" | "dec", _, []) => Ok(Written::Numeric),
        ("numeric" | "decimal" | "dec", _, [precision]) => numeric(name, *precision, 0),
        ("numeric" | "decimal" | "dec", _, [precision, scale]) => numeric(name, *precision, *scale),
        ("varchar" | "character varying", _, [0]) => {
            Err(Diag::new(code::INVALID_PARAMETER, "length for type varchar must be at least 1", name.span))
        }
        ("varchar" | "character varying", _, [length]) => Ok(Written::Varchar(*length)),
        ("timestamp" | "timestamp without time zone", Some(ty), [6]) => Ok(Written::Full(ty)),
        ("float", _, [1..=53]) => Ok(Written::Full(Type::Real)),
        (_, Some(ty), []) => Ok(Written::Full(ty)),
        (_, Some(_), _) => Err(Diag::new(
            code::SYNTAX,
            format!(
                "type {} does not take {}",
                name.name,
                if name.args.len() == 1 { "this number" } else { "numbers" }
            ),
            name.span,
        )),
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

fn numeric(name: &TypeName, precision: u32, scale: u32) -> Result<Written, Diag> {
    if precision < 1 || precision > u32::from(NUMERIC_PRECISION_MAX) {
        return Err(Diag::new(
            code::INVALID_PARAMETER,
            format!("NUMERIC precision {precision} must be between 1 and {NUMERIC_PRECISION_MAX}"),
            name.span,
        ));
    }
    if scale > precision {
        return Err(Diag::new(
            code::INVALID_PARAMETER,
            format!("NUMERIC scale {scale} must be between 0 and precision {precision}"),
            name.span,
        ));
    }
    Ok(Written::Full(Type::Numeric { precision: precision as u8, scale: scale as u8 }))
}
