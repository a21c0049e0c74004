//! Which type does an expression get, and which value if it is constant?
//!
//! One line an expression: the type that PostgreSQL's rules give it here, and the constant that it folds to. What cannot be
//! typed is in the golden errors.

mod common;

use spectradb_grammar::plan::{Expr, ExprKind, Node, NodeKind, Statement};

/// The one expression of a SELECT's list.
fn expression(sql: &str) -> Expr {
    let catalog = common::catalog();
    let plan = spectradb_grammar::plan(sql, &catalog).unwrap_or_else(|diag| panic!("{sql}: {}", diag.message));
    let Statement::Query(query) = &plan.statement else { panic!("{sql} is a query") };
    let Node { kind: NodeKind::Project { exprs, .. }, .. } = &query.root else { panic!("{sql} projects") };
    exprs[0].clone()
}

#[track_caller]
fn typed(cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        let sql = format!("SELECT {text}, 0 AS z FROM invoices AS i, accounts AS a, events AS e");
        let expr = expression(&sql);
        let value = match &expr.kind {
            ExprKind::Const(value) => format!("{} {value}", expr.ty),
            _ => expr.ty.to_string(),
        };
        assert_eq!(value.trim_end(), *wanted, "{text}");
    }
}

#[test]
fn literals() {
    typed(&[
        ("1", "integer 1"),
        ("-9223372036854775808", "integer -9223372036854775808"),
        ("9223372036854775808", "numeric(19,0) 9223372036854775808"),
        ("1.50", "numeric(3,2) 1.50"),
        ("0.001", "numeric(3,3) 0.001"),
        (".5", "numeric(1,1) 0.5"),
        ("1e3", "numeric(4,0) 1000"),
        ("1.5e-3", "numeric(4,4) 0.0015"),
        ("1e40", "numeric 10000000000000000000000000000000000000000"),
        ("1e300::real", "real 1e+300"),
        ("'x'", "text x"),
        ("NULL", "text"),
        ("true", "boolean true"),
        ("X'0aff'", "blob \\x0aff"),
        ("DATE '2020-02-29'", "date 2020-02-29"),
        ("TIMESTAMP 'infinity'", "timestamp infinity"),
    ]);
}

#[test]
fn numbers_meet() {
    typed(&[
        ("1 + 1.5", "numeric(3,1) 2.5"),
        ("a.id + 1.5", "numeric(21,1)"),
        ("a.id + a.balance", "real"),
        ("i.amount + a.balance", "real"),
        ("7 / 2", "integer 3"),
        ("-7 / 2", "integer -3"),
        ("7 / 2.0", "numeric(38,16) 3.5000000000000000"),
        ("1.25 * 1.5", "numeric(5,3) 1.875"),
        ("i.amount * i.amount", "numeric(24,4)"),
        ("i.amount + 1", "numeric(13,2)"),
        ("i.amount % 7", "numeric(12,2)"),
        ("-i.amount", "numeric(12,2)"),
        ("'2' + 1", "integer 3"),
        ("'2.5' * 1.0", "numeric(4,2) 2.50"),
        ("1 = 1.0", "boolean true"),
        ("2 > '10'", "boolean false"),
        ("round(1.255, 2)", "numeric(4,2) 1.26"),
        ("round(i.amount)", "numeric(11,0)"),
        ("floor(-2.5)", "numeric(2,0) -3"),
        ("e.doc.amount + 1", "real"),
    ]);
}

#[test]
fn other_types_meet() {
    typed(&[
        ("i.date + 1", "date"),
        ("1 + i.date", "date"),
        ("i.date - i.date", "integer"),
        ("i.date - '2020-01-01'", "integer"),
        ("i.date < now()", "boolean"),
        ("'a' || 1", "text a1"),
        ("1.50 || 'a'", "text 1.50a"),
        ("X'00' || X'01'", "blob \\x0001"),
        ("e.doc.user || 'x'", "text"),
        ("e.doc.user", "json"),
        ("e.doc ->> 'user'", "text"),
        ("coalesce(a.balance, 0)", "real"),
        ("coalesce(i.date, now())", "timestamp"),
        ("coalesce(e.doc.user, 'x')", "text"),
        ("CASE WHEN a.id = 1 THEN 1 ELSE 2.5 END", "numeric(2,1)"),
        ("CASE WHEN a.id = 1 THEN NULL ELSE i.date END", "date"),
        ("greatest(1, 2.5)", "numeric(2,1) 2.5"),
        ("nullif(1, 2)", "integer 1"),
        ("extract(year FROM i.date)", "integer"),
        ("extract(second FROM now())", "numeric(24,6)"),
    ]);
}

#[test]
fn narrower_types_stay_narrow_among_themselves() {
    typed(&[
        ("1::smallint + 2::smallint", "smallint 3"),
        ("1::smallint + 2::int4", "int4 3"),
        ("1::smallint + 2", "integer 3"),
        ("1::float4 / 3::float4", "float4 0.33333334"),
        ("0.1::float4::real", "real 0.10000000149011612"),
        ("1::smallint = 1", "boolean true"),
        ("'abc'::char(5) || 'd'", "text abcd"),
        ("'abc'::char(5) = 'abc'", "boolean true"),
        ("'abcdef'::varchar(3)", "varchar(3) abc"),
        ("coalesce('a'::varchar(3), 'bcd'::varchar(3))", "varchar(3) a"),
        ("coalesce(nullif(1::smallint, 1), 2::int4)", "int4 2"),
        ("coalesce(1::smallint, 2)", "integer 1"),
    ]);
}

#[test]
fn times_and_intervals() {
    typed(&[
        ("now() - INTERVAL '1 day'", "timestamp"),
        ("i.date + INTERVAL '1 month'", "timestamp"),
        ("DATE '2024-01-31' + INTERVAL '1 month'", "timestamp 2024-02-29 00:00:00"),
        ("DATE '2024-01-31' + TIME '10:30'", "timestamp 2024-01-31 10:30:00"),
        ("TIME '23:30' + INTERVAL '1h'", "time 00:30:00"),
        ("TIMESTAMP '2024-03-01' - TIMESTAMP '2024-02-01 12:00'", "interval 28 days 12:00:00"),
        ("TIMESTAMP '2024-03-01' - '1 day'::interval", "timestamp 2024-02-29 00:00:00"),
        ("TIMESTAMP '2024-03-01' + '1 day'", "timestamp 2024-03-02 00:00:00"),
        ("2 * INTERVAL '1 day 01:00'", "interval 2 days 02:00:00"),
        ("INTERVAL '1 day' / 2", "interval 12:00:00"),
        ("-INTERVAL '1 day'", "interval -1 days"),
        ("INTERVAL '1 mon' = INTERVAL '30 days'", "boolean true"),
        ("INTERVAL '1' YEAR", "interval 1 year"),
        ("INTERVAL '1-2' YEAR TO MONTH", "interval 1 year 2 mons"),
        ("INTERVAL '1 day 10:20:30' DAY TO MINUTE", "interval 1 day 10:20:00"),
        ("INTERVAL '10:20' MINUTE TO SECOND", "interval 00:10:20"),
        ("TIMESTAMPTZ '2024-07-01 12:00+02'", "timestamptz 2024-07-01 10:00:00+00"),
        ("TIMESTAMP WITH TIME ZONE '2024-07-01 12:00 Europe/Berlin'", "timestamptz 2024-07-01 10:00:00+00"),
        ("TIMESTAMP '2024-07-01 12:00' AT TIME ZONE 'America/New_York'", "timestamptz 2024-07-01 16:00:00+00"),
        ("TIMESTAMPTZ '2024-07-01 12:00Z' AT TIME ZONE 'Europe/Berlin'", "timestamp 2024-07-01 14:00:00"),
        ("extract(hour FROM TIME '10:30')", "integer 10"),
        ("extract(epoch FROM INTERVAL '1 day')", "numeric(24,6) 86400.000000"),
        ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "uuid a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ]);
}

#[test]
fn casts() {
    typed(&[
        ("'12'::integer", "integer 12"),
        ("2.5::integer", "integer 3"),
        ("-2.5::integer", "integer -3"),
        ("2.5::real::integer", "integer 2"),
        ("'1.239'::numeric(5,2)", "numeric(5,2) 1.24"),
        ("'1.239'::numeric", "numeric 1.239"),
        ("1.50::numeric(50,3)", "numeric(50,3) 1.500"),
        ("i.amount::numeric", "numeric"),
        ("i.amount * 1e40", "numeric"),
        ("a.id + 1::numeric", "numeric"),
        ("a.balance + 1::numeric", "real"),
        ("sqrt(i.amount)", "numeric"),
        ("sqrt(a.id)", "real"),
        ("1::numeric(5,2)", "numeric(5,2) 1.00"),
        ("1::bigint", "integer 1"),
        ("1::double precision", "real 1"),
        ("'t'::bool", "boolean true"),
        ("1::varchar", "text 1"),
        ("12345::varchar(3)", "varchar(3) 123"),
        ("true::integer", "integer 1"),
        ("DATE '2020-01-01'::timestamp", "timestamp 2020-01-01 00:00:00"),
        ("'{\"a\": 1}'::jsonb", "jsonb {\"a\": 1}"),
        ("e.doc.amount::numeric(10,2)", "numeric(10,2)"),
    ]);
}

/// `nullable` is proven or true: generated code makes an Option of it or not.
#[test]
fn what_cannot_be_null_is_known() {
    for (text, nullable) in [
        ("a.id", false),
        ("a.balance", true),
        ("a.id + 1", false),
        ("a.balance + 1", true),
        ("coalesce(a.balance, 0)", false),
        ("coalesce(a.balance, NULL)", true),
        ("a.balance IS NULL", false),
        ("a.balance IS DISTINCT FROM 1", false),
        ("e.doc.user", true),
        ("CASE WHEN a.id = 1 THEN 1 END", true),
        ("CASE WHEN a.id = 1 THEN 1 ELSE 2 END", false),
        ("concat(a.balance, 'x')", false),
        ("greatest(a.balance, 1)", false),
        ("(SELECT 1)", true),
        ("EXISTS (SELECT 1)", false),
        ("$1::integer", true),
    ] {
        let sql = format!("SELECT {text}, 0 AS z FROM invoices AS i, accounts AS a, events AS e");
        assert_eq!(expression(&sql).nullable, nullable, "{text}");
    }
}
