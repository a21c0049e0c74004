//! What do the constructors and queries of SQL/JSON mean?
//!
//! `lower::json` makes them calls whose names end with `!`; their first argument says in words what was said around. Constructors are
//! pushed together field by field, where a value that may be absent comes as an array of none or one. JSON_EXISTS, JSON_VALUE and
//! JSON_QUERY are one call of the kernel's (`$json_ask`), and a CASE where something else than NULL is given for nothing found or for an
//! error. Whether a found text is a value of the type is tried within that call ([`trial`](super::trial)), so that a wrong one is an error of the
//! question and not of the statement.
//!
//! Not here: paths (`kernel::func::json_path`), JSON_TABLE (a query, `lower::json_table`).

use super::{
    Binder,
    convert::{self, Bound, Degree},
    forms::made,
    function, literal,
    predicate::case_of,
    trial,
};
use crate::{
    diag::{Diag, code},
    plan::Expr,
    span::Span,
};
use spectradb_kernel::{Type, Value, ty::TypeClass};

fn text(text: &str, span: Span) -> Expr {
    Expr::constant(Value::Text(text.to_owned()), Type::Text, span)
}

fn json(text: &str, span: Span) -> Expr {
    Expr::constant(Value::Json(text.to_owned()), Type::Json, span)
}

/// The words that the lowering wrote.
fn words(bound: &Bound) -> String {
    match literal::value(&bound.expr) {
        Some(Value::Text(words)) => words.clone(),
        _ => String::new(),
    }
}

impl Binder<'_> {
    /// A form whose name ends with `!`; `None` for another name.
    pub(super) fn sql_json(&mut self, name: &str, args: &mut Vec<Bound>, span: Span) -> Result<Option<Expr>, Diag> {
        let Some(name) = name.strip_suffix('!') else { return Ok(None) };
        let mut args = std::mem::take(args);
        Ok(Some(match (name, args.len()) {
            ("json_formatted", 1) => self.formatted(args.remove(0))?,
            ("json_serialize", 1) => {
                let value = self.json_context(args.remove(0))?;
                made("$cast", vec![value], span)
            }
            ("json_object", _) => {
                let said = words(&args.remove(0));
                self.object(&said, args, span)?
            }
            ("json_array", _) => {
                let said = words(&args.remove(0));
                let (mut array, is_binary) = (json("[]", span), said.contains("jsonb"));
                for value in args {
                    let value = self.present(value, &said, span)?;
                    array = made("$json_push_all", vec![array, value], span);
                }
                tidied(array, is_binary)?
            }
            ("json_arrayagg" | "json_objectagg", 1) => args.remove(0).expr,
            // The keys are looked at, too.
            ("json_objectagg", 2) => made("$json_checked", args.into_iter().map(|arg| arg.expr).collect(), span),
            ("json_exists" | "json_value" | "json_query", 7) => self.asked(name, args, span)?,
            _ => return Ok(None),
        }))
    }

    /// `json_object(texts)`, `json_object(keys, values)`
    pub(super) fn object_of_texts(&mut self, args: Vec<Bound>, span: Span) -> Result<Expr, Diag> {
        let mut arrays = Vec::with_capacity(2);
        for arg in args {
            arrays.push(self.coerce(arg, super::array::TEXTS, Degree::Implicit)?);
        }
        Ok(function::call_named("$json_object", arrays, Type::Json, span))
    }

    /// `x FORMAT JSON`
    fn formatted(&mut self, value: Bound) -> Result<Expr, Diag> {
        match value.class() {
            Some(TypeClass::Json) => Ok(value.expr),
            Some(TypeClass::Blob) => {
                let span = value.span();
                let written = made("convert_from", vec![value.expr, text("UTF8", span)], span);
                convert::convert(written, Type::Json, Degree::Explicit)
            }
            Some(TypeClass::Text) | None => self.json_context(value),
            Some(_) => Err(Diag::new(
                code::DATATYPE_MISMATCH,
                "cannot use non-string types with explicit FORMAT JSON clause",
                value.span(),
            )),
        }
    }

    /// JSON, or a text that is it.
    fn json_context(&mut self, value: Bound) -> Result<Expr, Diag> {
        let degree = if value.class() == Some(TypeClass::Text) { Degree::Explicit } else { Degree::Implicit };
        self.coerce(value, Type::Json, degree)
    }

    /// A value in an array of its own; where it may be absent, none for NULL.
    fn present(&mut self, value: Bound, said: &str, span: Span) -> Result<Expr, Diag> {
        let is_binary = said.contains("jsonb");
        let one = |value| made("$json_push", vec![json("[]", span), value], span);
        if !said.contains("absent") {
            return Ok(one(self.json_or_null(value, is_binary, span)?));
        }
        let value = self.as_json(value, is_binary, span)?;
        self.coalesce(vec![one(value), json("[]", span)], span)
    }

    fn object(&mut self, said: &str, args: Vec<Bound>, span: Span) -> Result<Expr, Diag> {
        let is_binary = said.contains("jsonb");
        let (mut object, mut keys) = (json("{}", span), json("{}", span));
        let mut rest = args.into_iter();
        while let (Some(key), Some(value)) = (rest.next(), rest.next()) {
            let key = self.object_key(key, false, span)?;
            let value = self.present(value, said, span)?;
            if said.contains("unique") {
                keys = made("$json_push_field", vec![keys, key.clone(), json("null", span)], span);
            }
            object = made("$json_push_field_if", vec![object, key, value], span);
        }
        if said.contains("unique") {
            object = made("$json_checked", vec![object, keys], span);
        }
        tidied(object, is_binary)
    }

    /// `[words, json, path, variables, a NULL of the type, on empty, on error]`
    fn asked(&mut self, kind: &str, args: Vec<Bound>, span: Span) -> Result<Expr, Diag> {
        let mut args = args.into_iter();
        let mut next = || args.next().expect("there are seven");
        let (said, context, path, variables, ty) = (next(), next(), next(), next(), next());
        let (on_empty, on_error) = (next(), next());
        let said = words(&said);
        let [wrapper, quotes, empty, error] = said.split(' ').collect::<Vec<_>>()[..] else {
            unreachable!("the lowering writes four words")
        };
        let ty = ty.expr.ty;
        let kind = kind.trim_start_matches("json_");
        let is_exists = kind == "exists";
        let as_json = ty.class() == TypeClass::Json || is_exists;
        let refused = || {
            let message = format!("returning {ty} from JSON_{} is not supported", kind.to_uppercase());
            Diag::new(code::FEATURE_NOT_SUPPORTED, message, span).help("return text or jsonb and cast it")
        };
        let recipe = if as_json { String::new() } else { trial::recipe(ty, span)?.ok_or_else(refused)? };
        if matches!(ty, Type::Array(_)) {
            return Err(refused());
        }
        let form = if as_json { "json" } else { "text" };
        let spoken = text(&format!("{kind} {wrapper} {quotes} {form} {empty} {error}\n{recipe}"), span);
        let context = self.json_context(context)?;
        let path = self.coerce(path, Type::Text, Degree::Implicit)?;
        let variables = self.coerce(variables, Type::Json, Degree::Implicit)?;
        let zone = super::zone::of_path(&path, span);
        let answer = made("$json_ask", vec![context, path, variables, spoken, zone], span);
        let at =
            |place: &str| function::call_named("$json_get", vec![answer.clone(), text(place, span)], Type::Json, span);
        let value = match as_json {
            true if is_exists => {
                let found = convert::convert(at("0"), Type::Boolean, Degree::Explicit)?;
                self.cast_to(Bound::known(found), ty, span)?
            }
            true => convert::convert(at("0"), ty, Degree::Assignment)?,
            false => {
                let found = made("$json_text", vec![at("0")], span);
                convert::convert(found, ty, Degree::Assignment)?
            }
        };
        if empty != "value" && error != "value" {
            return Ok(value);
        }
        self.count_copies(&answer, 3)?;
        let mut arms = Vec::with_capacity(2);
        for (word, event, otherwise) in [(empty, "empty", on_empty), (error, "error", on_error)] {
            if word == "value" {
                let happened = made("$json_text", vec![at("1")], span);
                let is = function::call_named("=", vec![happened, text(event, span)], Type::Boolean, span);
                let otherwise = match otherwise.class() {
                    Some(TypeClass::Boolean) if is_exists => self.cast_to(otherwise, ty, span)?,
                    _ => self.coerce(otherwise, ty, Degree::Assignment)?,
                };
                arms.push((is, otherwise));
            }
        }
        Ok(case_of(arms, value, span))
    }

    /// `json_scalar(x)`: NULL is NULL.
    pub(super) fn json_scalar(&mut self, value: Bound, span: Span) -> Result<Expr, Diag> {
        self.as_json(value, false, span)
    }
}

fn tidied(value: Expr, is_binary: bool) -> Result<Expr, Diag> {
    if is_binary { convert::convert(value, Type::Jsonb, Degree::Implicit) } else { Ok(value) }
}
