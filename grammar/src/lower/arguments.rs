//! Which arguments do names and `IGNORE NULLS` stand for?
//!
//! `make_interval(days => 10)` gives arguments by name: they are put in their places, and what is left out before them is
//! the function's default. `lag(x) IGNORE NULLS OVER (..)` asks for rows that have a value: the first and the last value of a
//! frame that is not NULL are aggregates, so it becomes one of these over the frame before or behind the row.
//!
//! Not here: what a function is (`bind::call`), other calls (`expr`).

use crate::ast::{CallMore, Expr, ExprKind, Frame, FrameBound, FrameExclude, FrameUnit, Name, Over, WindowSpec};
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
            return refuse(message, "first_value, last_value, lag and lead take it");
        }
    };
    let mut default = None;
    let over = if shifts {
        if args.len() > 2 {
            default = args.pop();
        }
        let by = if args.len() == 2 { args.pop() } else { None };
        if by.is_some_and(|by| by.kind != ExprKind::Number("1".to_owned())) {
            let message = format!("IGNORE NULLS of {} by other than one row is not supported", name.text);
            return refuse(message, "leave the number out, or use nth_value over the rows that are not NULL");
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
    let call = ExprKind::Call {
        name: Name { text: function.to_owned(), span },
        args,
        star: false,
        distinct: false,
        more: Some(Box::new(more)),
    };
    Ok(match default {
        None => call,
        Some(default) => ExprKind::Call {
            name: Name { text: "coalesce".to_owned(), span },
            args: vec![Expr { kind: call, span: span.to(place) }, default],
            star: false,
            distinct: false,
            more: None,
        },
    })
}
