//! Which arguments do names and `IGNORE NULLS` stand for?
//!
//! `make_interval(days => 10)` gives arguments by name: they are put in their places, and what is left out before them is
//! the function's default. `lag(x) IGNORE NULLS OVER (..)` asks for rows that have a value: the first and the last value of a
//! frame that is not NULL are aggregates, so it becomes one of these over the frame before or behind the row. By more than one row,
//! and for `nth_value`, it is an element of the array of these values.
//!
//! Not here: what a function is (`bind::call`), other calls (`expr`).

use crate::ast::{
    BinaryOp, CallMore, Expr, ExprKind, Frame, FrameBound, FrameExclude, FrameUnit, IsTest, Name, Over, Subscript,
    WindowSpec,
};
use crate::diag::{Diag, code, nearest};
use crate::span::Span;

/// The functions whose arguments have names, and the value of those that may be left out.
const NAMED: &[(&str, &[&str], Option<&str>)] = &[
    ("make_interval", &["years", "months", "weeks", "days", "hours", "mins", "secs"], Some("0")),
    ("make_date", &["year", "month", "day"], None),
    ("make_time", &["hour", "min", "sec"], None),
    ("make_timestamp", &["year", "month", "mday", "hour", "min", "sec"], None),
    ("make_timestamptz", &["year", "month", "mday", "hour", "min", "sec", "timezone"], None),
    ("jsonb_path_exists", &["target", "path", "vars", "silent"], None),
    ("jsonb_path_match", &["target", "path", "vars", "silent"], None),
    ("jsonb_path_query_array", &["target", "path", "vars", "silent"], None),
    ("jsonb_path_query_first", &["target", "path", "vars", "silent"], None),
    ("jsonb_path_query", &["target", "path", "vars", "silent"], None),
    ("regexp_like", &["string", "pattern", "flags"], None),
    ("regexp_count", &["string", "pattern", "start", "flags"], None),
];

/// The arguments in their places.
pub(super) fn placed(function: &Name, mut args: Vec<Expr>, named: Vec<(Name, Expr)>) -> Result<Vec<Expr>, Diag> {
    let Some((_, names, default)) = NAMED.iter().find(|(name, _, _)| *name == function.text) else {
        let message = format!("the arguments of {} have no names", function.text);
        return Err(Diag::new(code::UNDEFINED_FUNCTION, message, named[0].0.span).help("give them in their order"));
    };
    let mut places: Vec<Option<Expr>> = args.drain(..).map(Some).collect();
    for (name, value) in named {
        let Some(at) = names.iter().position(|known| *known == name.text) else {
            let message = format!("{} has no argument named \"{}\"", function.text, name.text);
            let diag = Diag::new(code::UNDEFINED_FUNCTION, message, name.span);
            return Err(match nearest(&name.text, names.iter().copied()) {
                Some(near) => diag.help(format!("there is one named \"{near}\"")),
                None => diag.help(format!("its arguments are {}", names.join(", "))),
            });
        };
        if places.len() <= at {
            places.resize(at + 1, None);
        }
        if places[at].replace(value).is_some() {
            let message = format!("argument name \"{}\" used more than once", name.text);
            return Err(Diag::new(code::SYNTAX, message, name.span));
        }
    }
    let mut placed = Vec::with_capacity(places.len());
    for (place, name) in places.into_iter().zip(*names) {
        placed.push(match (place, default) {
            (Some(value), _) => value,
            (None, Some(default)) => Expr { kind: ExprKind::Number((*default).to_owned()), span: function.span },
            (None, None) if *name == "vars" => Expr { kind: ExprKind::Text("{}".to_owned()), span: function.span },
            (None, None) => {
                let message = format!("{} needs its argument \"{name}\"", function.text);
                return Err(Diag::new(code::UNDEFINED_FUNCTION, message, function.span));
            }
        });
    }
    Ok(placed)
}

/// The window function that a text begins with, of those that are made of others where they ignore NULLs.
pub(super) fn shifting_name(text: &str) -> Option<&'static str> {
    let word = text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    ["lag", "lead", "first_value", "last_value", "nth_value"].into_iter().find(|name| word.eq_ignore_ascii_case(name))
}

/// A window's call that leaves out rows whose value is NULL.
pub(super) fn ignoring_nulls(
    name: Name,
    mut args: Vec<Expr>,
    mut more: CallMore,
    place: Span,
) -> Result<ExprKind, Diag> {
    let refuse =
        |message: String, help: &str| Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, place).help(help.to_owned()));
    let Some(over) = more.over.take() else {
        return Err(Diag::new(code::SYNTAX, "IGNORE NULLS stands before OVER", place));
    };
    let shifts = matches!(name.text.as_str(), "lag" | "lead");
    let function = match name.text.as_str() {
        "first_value" | "lead" => "first",
        "last_value" | "lag" => "last",
        _ => {
            let message = format!("IGNORE NULLS of {} is not supported", name.text);
            return refuse(message, "first_value, last_value, nth_value, lag and lead take it");
        }
    };
    let (mut default, mut count) = (None, None);
    let over = if shifts {
        if args.len() > 2 {
            default = args.pop();
        }
        let by = if args.len() == 2 { args.pop() } else { None };
        match by.as_ref().map(|by| &by.kind) {
            None => {}
            Some(ExprKind::Number(digits)) if digits == "1" => {}
            // The row itself.
            Some(ExprKind::Number(digits)) if digits == "0" => {
                more.over = Some(over);
                args.extend(by);
                return Ok(call(name.text, name.span, args, Some(more)));
            }
            Some(ExprKind::Number(digits)) if digits.bytes().all(|digit| digit.is_ascii_digit()) => count = by,
            Some(_) => {
                let message =
                    format!("IGNORE NULLS of {} by a number that is not written out is not supported", name.text);
                return refuse(message, "write a number from 0 on");
            }
        }
        let mut spec = match over {
            Over::Spec(spec) => spec,
            Over::Name(base) => WindowSpec {
                span: base.span,
                base: Some(base),
                partition_by: Vec::new(),
                order_by: Vec::new(),
                frame: None,
            },
        };
        let one = Box::new(Expr { kind: ExprKind::Number("1".to_owned()), span: place });
        let (start, end) = if name.text == "lag" {
            (FrameBound::UnboundedPreceding, FrameBound::Preceding(one))
        } else {
            (FrameBound::Following(one), FrameBound::UnboundedFollowing)
        };
        spec.frame = Some(Frame { unit: FrameUnit::Rows, start, end, exclude: FrameExclude::NoOthers, span: place });
        Over::Spec(spec)
    } else {
        over
    };
    more.over = Some(over);
    let span = name.span;
    let found = match count {
        None => call(function.to_owned(), span, args, Some(more)),
        Some(count) => nth(span, args, more, count, true, name.text == "lag")?,
    };
    Ok(match default {
        None => found,
        Some(default) => {
            let found = Expr { kind: found, span: span.to(place) };
            call("coalesce".to_owned(), span, vec![found, default], None)
        }
    })
}

/// `nth_value(x, n) [FROM LAST] IGNORE NULLS`
pub(super) fn nth_of(
    name: Name,
    mut args: Vec<Expr>,
    more: CallMore,
    ignores: bool,
    from_last: bool,
) -> Result<ExprKind, Diag> {
    if args.len() != 2 || more.over.is_none() {
        let message = "nth_value takes a value and a number, and an OVER clause";
        return Err(Diag::new(code::SYNTAX, message, name.span));
    }
    let count = args.pop().expect("there are two");
    nth(name.span, args, more, count, ignores, from_last)
}

/// The value of a number among those of a frame: they are made an array.
fn nth(
    span: Span,
    args: Vec<Expr>,
    mut more: CallMore,
    count: Expr,
    ignores: bool,
    from_last: bool,
) -> Result<ExprKind, Diag> {
    let [value] = args.as_slice() else {
        return Err(Diag::new(code::SYNTAX, "the function takes a value first", span));
    };
    if ignores {
        let operand = Box::new(value.clone());
        let kind = ExprKind::Is { operand, test: IsTest::Null, negated: true };
        more.filter = Some(Expr { kind, span });
    }
    let values = Expr { kind: call("array_agg".to_owned(), span, args, Some(more)), span };
    let at = if from_last {
        // NULL where there are fewer: a place before the first.
        let length = call("cardinality".to_owned(), span, vec![values.clone()], None);
        let one = Expr { kind: ExprKind::Number("1".to_owned()), span };
        let behind = binary(BinaryOp::Add, Expr { kind: length, span }, one, span);
        binary(BinaryOp::Sub, behind, count, span)
    } else {
        count
    };
    Ok(ExprKind::Subscript { operand: Box::new(values), subscripts: vec![Subscript::At(at)] })
}

fn binary(op: BinaryOp, left: Expr, right: Expr, span: Span) -> Expr {
    let kind = ExprKind::Binary { op, op_span: span, left: Box::new(left), right: Box::new(right) };
    Expr { kind, span }
}

fn call(name: String, span: Span, args: Vec<Expr>, more: Option<CallMore>) -> ExprKind {
    let name = Name { text: name, span };
    ExprKind::Call { name, args, star: false, distinct: false, more: more.map(Box::new) }
}
