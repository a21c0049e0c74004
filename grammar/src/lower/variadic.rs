//! What does VARIADIC before an array of arguments mean?
//!
//! `concat(VARIADIC ARRAY[a, b])` is `concat(a, b)`: the elements of a written array are the arguments, of one type as elements are. An
//! array that is not written out is joined by `array_to_string` where texts are joined, made JSON where an array of JSON is
//! built, and counted in where NULLs are counted.
//!
//! Not here: what the functions make of their arguments (`bind`).

use crate::ast::{BinaryOp, Expr, ExprKind, Name, Subscript};
use crate::diag::{Diag, code};
use crate::span::Span;

/// Elements that become arguments.
const ELEMENTS_MAX: usize = 100;

/// The functions that take any number of arguments, and how many stand before these.
const SPREAD: [(&str, usize); 12] = [
    ("concat", 0),
    ("concat_ws", 1),
    ("format", 1),
    ("json_build_array", 0),
    ("json_build_object", 0),
    ("jsonb_build_array", 0),
    ("jsonb_build_object", 0),
    ("num_nulls", 0),
    ("num_nonnulls", 0),
    ("json_extract_path", 1),
    ("json_extract_path_text", 1),
    ("jsonb_extract_path", 1),
];

/// The call with the elements of its last argument as arguments.
pub(super) fn spread(name: Name, mut args: Vec<Expr>, place: Span) -> Result<ExprKind, Diag> {
    let last = args.last().expect("VARIADIC has an argument");
    let takes = SPREAD.iter().find(|(known, _)| *known == name.text).map(|(_, before)| *before);
    let takes = takes.or((name.text == "jsonb_extract_path_text").then_some(1));
    if takes.is_none_or(|before| args.len() != before + 1) {
        if matches!(name.text.as_str(), "greatest" | "least" | "coalesce" | "nullif") {
            return Err(Diag::new(code::SYNTAX, format!("{} is no function that takes VARIADIC", name.text), place));
        }
        let message = format!("function {} with a VARIADIC array in this place does not exist", name.text);
        return Err(Diag::new(code::UNDEFINED_FUNCTION, message, name.span));
    }
    match &last.kind {
        ExprKind::Array(elements) if (1..=ELEMENTS_MAX).contains(&elements.len()) => {
            let nested = elements.iter().any(|element| matches!(element.kind, ExprKind::Array(_)));
            let elements = if nested { flat(elements) } else { alike(elements) };
            args.pop();
            args.extend(elements);
            Ok(call(&name.text, args, name.span))
        }
        ExprKind::Number(_) | ExprKind::Text(_) | ExprKind::Boolean(_) => {
            Err(Diag::new(code::DATATYPE_MISMATCH, "VARIADIC argument must be an array", last.span))
        }
        _ => of_array(name, args, place),
    }
}

/// The call of an array that is not written out.
fn of_array(name: Name, mut args: Vec<Expr>, place: Span) -> Result<ExprKind, Diag> {
    let span = name.span;
    let array = args.pop().expect("VARIADIC has an argument");
    let of = |kind: ExprKind| Expr { kind, span };
    let text = |text: &str| Expr { kind: ExprKind::Text(text.to_owned()), span };
    Ok(match name.text.as_str() {
        "concat" => call("array_to_string", vec![array, text("")], span),
        "concat_ws" => {
            let between = args.pop().expect("concat_ws has what stands between");
            call("array_to_string", vec![array, between], span)
        }
        "json_build_array" => call("to_json", vec![array], span),
        "jsonb_build_array" => call("to_jsonb", vec![array], span),
        "num_nulls" | "num_nonnulls" => {
            let all = of(call("cardinality", vec![array.clone()], span));
            let values =
                of(call("cardinality", vec![of(call("array_remove", vec![array, of(ExprKind::Null)], span))], span));
            match name.text.as_str() {
                "num_nonnulls" => values.kind,
                _ => {
                    ExprKind::Binary { op: BinaryOp::Sub, op_span: span, left: Box::new(all), right: Box::new(values) }
                }
            }
        }
        _ => {
            let message = format!("VARIADIC of an array that is not written out is not supported for {}", name.text);
            return Err(
                Diag::new(code::FEATURE_NOT_SUPPORTED, message, place).help("write ARRAY[..] with its elements")
            );
        }
    })
}

/// The elements of arrays in arrays.
fn flat(elements: &[Expr]) -> Vec<Expr> {
    let parts = elements.iter().flat_map(|element| match &element.kind {
        ExprKind::Array(inner) => flat(inner),
        _ => vec![element.clone()],
    });
    parts.collect()
}

/// The elements, each of the type that all have together: where they differ as written, each is taken out of the array.
fn alike(elements: &[Expr]) -> Vec<Expr> {
    let is_plain = |element: &Expr| matches!(element.kind, ExprKind::Text(_) | ExprKind::Null | ExprKind::Number(_));
    let texts = elements.iter().any(|element| matches!(element.kind, ExprKind::Text(_)));
    let numbers = elements.iter().any(|element| matches!(element.kind, ExprKind::Number(_)));
    if elements.iter().all(is_plain) && !(texts && numbers) {
        return elements.to_vec();
    }
    let span = elements[0].span;
    let array = Expr { kind: ExprKind::Array(elements.to_vec()), span };
    let one = |at: usize| Expr {
        kind: ExprKind::Subscript {
            operand: Box::new(array.clone()),
            subscripts: vec![Subscript::At(Expr { kind: ExprKind::Number((at + 1).to_string()), span })],
        },
        span,
    };
    (0..elements.len()).map(one).collect()
}

fn call(name: &str, args: Vec<Expr>, span: Span) -> ExprKind {
    ExprKind::Call { name: Name { text: name.to_owned(), span }, args, star: false, distinct: false, more: None }
}
