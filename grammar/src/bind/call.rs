//! Which function does a call mean?
//!
//! Forms that are not functions of their arguments' values alone come first: COALESCE, NULLIF, GREATEST, LEAST and CONCAT
//! become CASEs and `||`, `now()` and `current_commit()` contexts, decimals' rounding the `$numeric_*` functions with their
//! scales. Then windows and aggregates. All else is looked up in the kernel's table and resolved as in PostgreSQL: exact
//! types first, then the candidate with the most exact arguments, then the one that prefers REAL and TEXT.

use super::{
    Binder,
    convert::{Bound, Degree, allows},
    expr::Ctx,
    function, literal,
    predicate::case_of,
};
use crate::{
    ast::{self, Name},
    diag::{Diag, code, nearest},
    plan::{Context, Expr, ExprKind},
    span::Span,
};
use spectradb_kernel::{Type, Value, agg, func::Function, ty::TypeClass};

/// A call as written.
pub(super) struct Call<'c> {
    pub(super) name: &'c Name,
    pub(super) args: &'c [ast::Expr],
    pub(super) star: bool,
    pub(super) distinct: bool,
    pub(super) more: Option<&'c ast::CallMore>,
    pub(super) span: Span,
}

/// Names of calls that this file knows itself.
const FORMS: [&str; 16] = [
    "coalesce",
    "nvl",
    "ifnull",
    "nullif",
    "greatest",
    "least",
    "concat",
    "concat_ws",
    "now",
    "current_timestamp",
    "transaction_timestamp",
    "statement_timestamp",
    "localtimestamp",
    "current_date",
    "current_commit",
    "date_part",
];

impl Binder<'_> {
    pub(super) fn call(&mut self, call: &Call<'_>, ctx: &mut Ctx<'_>) -> Result<Bound, Diag> {
        // Columns are called as the SQL says; the functions have one name each.
        let name = match call.name.text.as_str() {
            "substring" => "substr",
            "position" => "strpos",
            // What `ARRAY(query)` was lowered to.
            "array" => "coalesce",
            name => name,
        };
        if call.more.is_some_and(|more| more.over.is_some()) {
            return self.window(call, ctx).map(Bound::known);
        }
        if let Some(rewritten) = super::hypothetical::rewritten(call)? {
            return self.expr(&rewritten, ctx);
        }
        if let Some(rewritten) = self.of_whole_rows(call, ctx) {
            return self.expr(&rewritten, ctx);
        }
        if name == super::whole::IN_LINES {
            let row = self.expr(&call.args[0], ctx)?;
            let row = self.as_json(row, false, call.span)?;
            let are_apart = self.expr(&call.args[1], ctx)?;
            return self.in_lines(row, Some(are_apart), call.span).map(Bound::known);
        }
        if name == super::hypothetical::GIVEN {
            return self.given(&call.args[0], ctx);
        }
        if super::window::is_window_only(name) {
            let message = format!("window function {name} requires an OVER clause");
            return Err(Diag::new(code::WRONG_OBJECT_TYPE, message, call.span)
                .help(format!("write {name}(...) OVER (ORDER BY ...)")));
        }
        if agg::all().any(|aggregate| aggregate.name == name) {
            return self.aggregate(call, ctx).map(Bound::known);
        }
        if name == "merge_action" && call.args.is_empty() {
            return self.merge_action(ctx.scope, call.span).map(Bound::known);
        }
        if name == "grouping" {
            return self.grouping(call, ctx).map(Bound::known);
        }
        if super::table_function::FUNCTIONS.contains(&name) {
            let place = match ctx.in_aggregate {
                true => "aggregate function calls",
                false if matches!(ctx.clause, "SELECT" | "ORDER BY") => {
                    "expressions that compute not all of their parts"
                }
                false => ctx.clause,
            };
            let message = format!("set-returning functions are not allowed in {place}");
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, call.span)
                .help(format!("name {name} in FROM, or as an item of the select list")));
        }
        if !is_known(name) && (call.more.is_some() || call.star || call.distinct) {
            let mut args = Vec::with_capacity(call.args.len());
            for arg in call.args {
                args.push(self.expr(arg, ctx)?);
            }
            return Err(self.no_function(name, &args, call));
        }
        if let Some(more) = call.more {
            let word = match more {
                ast::CallMore { filter: Some(_), .. } => "FILTER",
                ast::CallMore { within: Some(_), .. } => "WITHIN GROUP",
                ast::CallMore { .. } => "ORDER BY",
            };
            let message = format!("{word} specified, but {name} is not an aggregate function");
            return Err(Diag::new(code::WRONG_OBJECT_TYPE, message, call.span));
        }
        if call.star || call.distinct {
            let word = if call.star { "*" } else { "DISTINCT" };
            let message = format!("{word} specified, but {name} is not an aggregate function");
            return Err(Diag::new(code::WRONG_OBJECT_TYPE, message, call.span));
        }
        let mut args = Vec::with_capacity(call.args.len());
        for arg in call.args {
            args.push(self.expr(arg, ctx)?);
        }
        // SUBSTRING(text FROM pattern) looks for a regular expression.
        let is_pattern = |arg: &ast::Expr, bound: &Bound| {
            matches!(arg.kind, ast::ExprKind::Text(_)) || bound.class() == Some(TypeClass::Text)
        };
        let name = match (call.name.text.as_str(), call.args, args.as_slice()) {
            ("substring", [_, second], [_, bound]) if is_pattern(second, bound) => "regexp_substring",
            ("substring", [_, second, third], [_, pattern, escape])
                if is_pattern(second, pattern) && is_pattern(third, escape) =>
            {
                "substring_similar"
            }
            _ => name,
        };
        if let Some(expr) = self.form(name, &mut args, call)? {
            return of_jsonb(name, expr).map(Bound::known);
        }
        if let Some(expr) = self.array_function(name, &mut args, call.span)? {
            return Ok(Bound::known(expr));
        }
        // A type's name is a function, too: its cast.
        if let [_] = args.as_slice()
            && !is_known(name)
        {
            let ty = ast::TypeName { name: name.to_owned(), args: Vec::new(), array: false, span: call.name.span };
            if let Ok(ty) = super::types::written(&ty) {
                let arg = args.pop().expect("there is one");
                return self.cast_to(arg, ty, call.span).map(Bound::known);
            }
        }
        let expr = self.function(name, args, call)?;
        of_jsonb(name, expr).map(Bound::known)
    }

    /// The calls that are no plain functions; `None` for the others.
    fn form(&mut self, name: &str, args: &mut Vec<Bound>, call: &Call<'_>) -> Result<Option<Expr>, Diag> {
        let span = call.span;
        let context = |context, ty| Expr { kind: ExprKind::Context(context), ty, nullable: false, span };
        Ok(Some(match (name, args.len()) {
            ("coalesce", 1..) | ("nvl" | "ifnull", 2) => {
                let (exprs, _) = self.common(std::mem::take(args), "COALESCE")?;
                self.coalesce(exprs, span)?
            }
            ("nullif", 2) => {
                let (left, right) = (args[0].clone(), args[1].clone());
                let (value, other) = match (left.class(), right.class()) {
                    (None, Some(_)) => {
                        let ty = self.common_type(args.iter(), "NULLIF")?;
                        (Bound::known(self.coerce(left, ty, Degree::Implicit)?), right)
                    }
                    (None, None) => (Bound::known(self.settled(left)?), right),
                    (Some(_), _) => (left, right),
                };
                self.count_copies(&value.expr, 2)?;
                let same = self.compare("=", value.clone(), other, span, span)?;
                let null = Expr::constant(Value::Null, value.expr.ty, span);
                case_of(vec![(same, null)], value.expr, span)
            }
            ("greatest" | "least", 1..) => {
                let what = if name == "greatest" { "GREATEST" } else { "LEAST" };
                let (exprs, _) = self.common(std::mem::take(args), what)?;
                self.extreme(exprs, if name == "greatest" { ">=" } else { "<=" }, span)?
            }
            ("concat", 1..) => {
                let mut parts = Vec::with_capacity(args.len());
                for arg in std::mem::take(args) {
                    let text = self.output(arg)?;
                    parts.push(if text.nullable { self.coalesce(vec![text, empty_text(span)], span)? } else { text });
                }
                join_texts(parts, span)
            }
            ("concat_ws", 2..) => {
                let mut rest = std::mem::take(args);
                let separator = self.coerce(rest.remove(0), Type::Text, Degree::Implicit)?;
                let mut texts = Vec::with_capacity(rest.len());
                for arg in rest {
                    texts.push(self.output(arg)?);
                }
                let copies = texts.len() * 2;
                self.count_copies(&separator, copies)?;
                for text in &texts {
                    self.count_copies(text, copies)?;
                }
                concat_ws(separator, texts, span)
            }
            (
                "now"
                | "current_timestamp"
                | "transaction_timestamp"
                | "statement_timestamp"
                | "localtimestamp"
                | "current_time"
                | "localtime",
                0,
            ) => context(Context::Now, Type::Timestamp),
            ("current_date", 0) => {
                let now = context(Context::Now, Type::Timestamp);
                super::convert::convert(now, Type::Date, Degree::Explicit)?
            }
            ("current_commit", 0) => context(Context::CurrentCommit, Type::Integer),
            ("date_part", 2) => {
                let Some(Value::Text(field)) = literal::value(&args[0].expr).cloned() else { return Ok(None) };
                let field = Name { text: field.to_lowercase(), span: args[0].span() };
                let operand = args.pop().expect("there are two");
                // Of a day it is asked as of its midnight, which has an hour, too.
                let operand = match operand.class() {
                    Some(TypeClass::Date) => Bound::known(self.coerce(operand, Type::Timestamp, Degree::Implicit)?),
                    _ => operand,
                };
                let part = self.extract(&field, operand, span)?;
                super::convert::convert(part, Type::Real, Degree::Implicit)?
            }
            ("jsonb_set" | "jsonb_insert", 3..) if args[1].class() == Some(TypeClass::Array) => {
                args[1] = Bound::known(self.coerce(args[1].clone(), Type::Text, Degree::Assignment)?);
                return Ok(None);
            }
            ("date_trunc", 2) if args[1].class() == Some(TypeClass::TimestampTz) => {
                args.extend(super::zone::argument(span));
                return self.made_of_others(name, args, call);
            }
            ("to_char", 2) if args[0].class() == Some(TypeClass::TimestampTz) => {
                let Some(zone) = super::zone::argument(span) else { return self.made_of_others(name, args, call) };
                let template = self.coerce(args.remove(1), Type::Text, Degree::Implicit)?;
                let args = vec![zone.expr, args.remove(0).expr, template];
                super::constant::fold(function::call_named("$to_char_in_zone", args, Type::Text, span))
            }
            // A calendar's years, months and days are those of the zone.
            ("age", 2) if args.iter().any(|arg| arg.class() == Some(TypeClass::TimestampTz)) => {
                let mut locals = Vec::with_capacity(2);
                for arg in std::mem::take(args) {
                    let instant = self.coerce_class(arg, TypeClass::TimestampTz, Degree::Implicit)?;
                    locals.push(super::zone::local(instant));
                }
                super::constant::fold(function::call_named("age", locals, Type::Interval, span))
            }
            // A logarithm to any base is one of exact numbers, if they are such.
            ("log", 2) if args.iter().all(|arg| is_exact(arg.class())) => {
                let mut exprs = Vec::with_capacity(2);
                for arg in std::mem::take(args) {
                    exprs.push(self.coerce_class(arg, TypeClass::BigNumeric, Degree::Implicit)?);
                }
                function::call_named("log", exprs, Type::BigNumeric, span)
            }
            ("round" | "trunc" | "floor" | "ceil" | "ceiling", 1 | 2)
                if args[0].class() == Some(TypeClass::Numeric) =>
            {
                return self.round_decimal(name, std::mem::take(args), call).map(Some);
            }
            _ => return self.made_of_others(name, args, call),
        }))
    }

    /// A value as PostgreSQL puts it out, where truth is a letter.
    pub(super) fn output(&mut self, value: Bound) -> Result<Expr, Diag> {
        // A CHAR is shown with its blanks, which a cast takes away.
        if matches!(value.expr.ty, Type::Char { .. }) && value.open.is_none() {
            let span = value.span();
            return Ok(function::call_named("||", vec![value.expr, empty_text(span)], Type::Text, span));
        }
        if value.class() != Some(TypeClass::Boolean) {
            return self.coerce(value, Type::Text, Degree::Assignment);
        }
        let (value, span) = (value.expr.clone(), value.span());
        self.count_copies(&value, 1)?;
        let letter = |letter: &str| Expr::constant(Value::Text(letter.to_owned()), Type::Text, span);
        let null = Expr::constant(Value::Null, Type::Text, span);
        Ok(case_of(vec![(value.clone(), letter("t")), (function::not(value), letter("f"))], null, span))
    }

    /// The first value that is not NULL. What stands behind one that never is NULL is never reached.
    pub(super) fn coalesce(&mut self, values: Vec<Expr>, span: Span) -> Result<Expr, Diag> {
        let end = values.iter().position(|value| !value.nullable).map_or(values.len(), |certain| certain + 1);
        let mut values: Vec<Expr> = values.into_iter().take(end).collect();
        let last = values.pop().expect("COALESCE has values");
        if values.is_empty() {
            return Ok(last);
        }
        for value in &values {
            self.count_copies(value, 2)?;
        }
        let arms = values.into_iter().map(|value| (is_not_null(value.clone(), span), value)).collect();
        Ok(case_of(arms, last, span))
    }

    /// The greatest or least of values that are not NULL: the first that all others that are not NULL yield to.
    pub(super) fn extreme(&mut self, values: Vec<Expr>, op: &str, span: Span) -> Result<Expr, Diag> {
        for value in &values {
            self.count_copies(value, 3 * values.len())?;
        }
        let mut arms = Vec::with_capacity(values.len());
        for (i, value) in values.iter().enumerate() {
            let mut conditions = Vec::new();
            if value.nullable {
                conditions.push(is_not_null(value.clone(), span));
            }
            for (_, other) in values.iter().enumerate().filter(|(j, _)| *j != i) {
                let (one, two) = (Bound::known(value.clone()), Bound::known(other.clone()));
                let wins = self.compare(op, one, two, span, span)?;
                if other.nullable {
                    let null = function::call_named("$is_null", vec![other.clone()], Type::Boolean, span);
                    let nullable = wins.nullable;
                    let kind = ExprKind::Or(vec![null, wins]);
                    conditions.push(Expr { kind, ty: Type::Boolean, nullable, span });
                } else {
                    conditions.push(wins);
                }
            }
            if let Some(condition) = Expr::conjunction(conditions) {
                arms.push((condition, value.clone()));
            }
        }
        let mut values = values;
        let last = match values.iter().position(|value| !value.nullable) {
            // One of the arms holds where a value is not NULL; the last word can be any of that type.
            Some(certain) => values.swap_remove(certain),
            None => Expr::constant(Value::Null, values[0].ty, span),
        };
        Ok(case_of(arms, last, span))
    }

    /// round, trunc, floor and ceil of a decimal; `digits` that are constant become the scale of the result.
    fn round_decimal(&mut self, name: &str, mut args: Vec<Bound>, call: &Call<'_>) -> Result<Expr, Diag> {
        let span = call.span;
        let digits = if args.len() == 2 { args.pop() } else { None };
        let value = self.coerce_class(args.remove(0), TypeClass::Numeric, Degree::Implicit)?;
        let Type::Numeric { precision, scale } = value.ty else { unreachable!("a decimal is rounded") };
        let whole_digits = precision - scale;
        let own_scale = literal::integer(i64::from(scale), span);
        let to_scale = |expr: Expr, wanted: u8| -> Result<Expr, Diag> {
            let precision = (whole_digits + 1 + wanted).min(spectradb_kernel::ty::NUMERIC_PRECISION_MAX);
            super::convert::convert(expr, Type::Numeric { precision, scale: wanted }, Degree::Implicit)
        };
        let function_name = match name {
            "round" => "$numeric_round",
            "trunc" => "$numeric_trunc",
            "floor" => "$numeric_floor",
            _ => "$numeric_ceil",
        };
        if matches!(function_name, "$numeric_floor" | "$numeric_ceil") {
            if digits.is_some() {
                return Err(self.no_function(name, &[Bound::known(value), Bound::known(own_scale)], call));
            }
            let ty = Type::Numeric { precision: (whole_digits + 1).min(38), scale: 0 };
            return Ok(function::call_named(function_name, vec![value, own_scale], ty, span));
        }
        let digits = match digits {
            None => literal::integer(0, span),
            Some(digits) => super::constant::fold(self.coerce_class(digits, TypeClass::Integer, Degree::Implicit)?),
        };
        let wanted = match literal::value(&digits) {
            Some(Value::Integer(wanted)) => Some(*wanted),
            _ => None,
        };
        match wanted {
            // Rounding to fewer digits after the point is what a change of scale does.
            Some(wanted) if name == "round" && (0..=38).contains(&wanted) => {
                to_scale(value, (wanted as u8).min(38 - whole_digits.min(38)))
            }
            Some(wanted) => {
                let rounded_ty = Type::Numeric { precision: (precision + 1).min(38), scale };
                let rounded = function::call_named(function_name, vec![value, own_scale, digits], rounded_ty, span);
                to_scale(rounded, wanted.clamp(0, i64::from(scale)) as u8)
            }
            None => {
                let ty = Type::Numeric { precision: (precision + 1).min(38), scale };
                Ok(function::call_named(function_name, vec![value, own_scale, digits], ty, span))
            }
        }
    }

    fn function(&mut self, name: &str, args: Vec<Bound>, call: &Call<'_>) -> Result<Expr, Diag> {
        let callable = name.starts_with(|first: char| first.is_ascii_alphabetic()) && name != "not";
        let candidates = if callable { function::overloads(name) } else { &[] };
        let Some(function) = resolve(candidates, &args) else {
            return Err(self.no_function(name, &args, call));
        };
        let mut exprs = Vec::with_capacity(args.len());
        for (arg, class) in args.into_iter().zip(function.args) {
            exprs.push(match class {
                TypeClass::Json if is_of_jsonb(name) => self.coerce(arg, Type::Jsonb, Degree::Implicit)?,
                class => self.coerce_class(arg, *class, Degree::Implicit)?,
            });
        }
        let ty = match function.ret {
            // What gives a decimal of a decimal keeps its digits.
            TypeClass::Numeric => exprs
                .iter()
                .map(|arg| arg.ty)
                .find(|ty| ty.class() == TypeClass::Numeric)
                .unwrap_or(TypeClass::Numeric.plain_type()),
            class => class.plain_type(),
        };
        Ok(function::call(function, exprs, ty, call.span))
    }

    fn no_function(&self, name: &str, args: &[Bound], call: &Call<'_>) -> Diag {
        let types: Vec<&str> = args.iter().map(Bound::type_name).collect();
        let message = format!("function {name}({}) does not exist", types.join(", "));
        let diag = Diag::new(code::UNDEFINED_FUNCTION, message, call.name.span);
        let mut forms: Vec<String> = if name.starts_with('$') { &[] } else { function::overloads(name) }
            .iter()
            .map(|function| {
                let args: Vec<&str> = function.args.iter().map(|class| class.name()).collect();
                format!("{name}({})", args.join(", "))
            })
            .collect();
        forms.dedup();
        forms.truncate(4);
        if !forms.is_empty() {
            return diag.help(format!("it takes {}", forms.join(", ")));
        }
        if FORMS.contains(&name) || super::forms::NAMES.contains(&name) {
            return diag.help(format!("{name} takes another number of arguments"));
        }
        let mut names: Vec<&str> = function::names()
            .chain(FORMS)
            .chain(super::forms::NAMES)
            .chain(agg::all().map(|aggregate| aggregate.name))
            .collect();
        names.sort_unstable();
        match nearest(name, names) {
            Some(near) => diag.help(format!("a function named \"{near}\" exists")),
            None => diag,
        }
    }
}

/// Does a function take and give JSONB where others take and give JSON?
fn is_of_jsonb(name: &str) -> bool {
    name.starts_with("jsonb_") || name == "to_jsonb"
}

fn of_jsonb(name: &str, expr: Expr) -> Result<Expr, Diag> {
    match expr.ty.class() {
        TypeClass::Json if is_of_jsonb(name) => super::convert::convert(expr, Type::Jsonb, Degree::Implicit),
        _ => Ok(expr),
    }
}

fn is_exact(class: Option<TypeClass>) -> bool {
    matches!(class, Some(TypeClass::Integer | TypeClass::Numeric | TypeClass::BigNumeric))
}

/// The candidate that fits best, if one does.
pub(super) fn resolve(candidates: &[&'static Function], args: &[Bound]) -> Option<&'static Function> {
    let mut best: Option<(usize, usize, &'static Function)> = None;
    for function in candidates.iter().copied().filter(|function| function.args.len() == args.len()) {
        let (mut exact, mut preferred) = (0, 0);
        let mut fits = true;
        for (arg, class) in args.iter().zip(function.args) {
            match arg.class() {
                Some(own) if own == *class => exact += 1,
                // A decimal is nearest to one of any length.
                Some(TypeClass::Numeric) if *class == TypeClass::BigNumeric => preferred += 3,
                Some(own) => {
                    fits &= allows(own, *class, Degree::Implicit);
                    preferred += usize::from(matches!(class, TypeClass::Real | TypeClass::Timestamp));
                }
                None => {
                    let wanted = if *class == TypeClass::Text { 2 } else { 0 };
                    preferred += wanted + usize::from(matches!(class, TypeClass::Real | TypeClass::Timestamp));
                }
            }
        }
        if fits && best.is_none_or(|(e, p, _)| (exact, preferred) > (e, p)) {
            best = Some((exact, preferred, function));
        }
    }
    best.map(|(_, _, function)| function)
}

fn empty_text(span: Span) -> Expr {
    Expr::constant(Value::Text(String::new()), Type::Text, span)
}

pub(super) fn is_not_null(expr: Expr, span: Span) -> Expr {
    function::call_named("$is_not_null", vec![expr], Type::Boolean, span)
}

/// Texts one after the other.
fn join_texts(parts: Vec<Expr>, span: Span) -> Expr {
    let joined =
        parts.into_iter().reduce(|joined, part| function::call_named("||", vec![joined, part], Type::Text, span));
    joined.expect("CONCAT has arguments")
}

/// Texts that are not NULL, with a separator between each two.
fn concat_ws(separator: Expr, texts: Vec<Expr>, span: Span) -> Expr {
    let mut parts = Vec::with_capacity(texts.len());
    // The separator stands before a text that is not NULL if any text before that one is not NULL.
    let mut before: Vec<Expr> = Vec::new();
    let mut before_is_certain = false;
    for text in texts {
        let with_separator = function::call_named("||", vec![separator.clone(), text.clone()], Type::Text, span);
        let mut part = if before_is_certain {
            with_separator
        } else if before.is_empty() {
            text.clone()
        } else {
            let conditions: Vec<Expr> = before.iter().map(|earlier| is_not_null(earlier.clone(), span)).collect();
            let any = match conditions.len() {
                1 => conditions.into_iter().next().expect("there is one"),
                _ => Expr { kind: ExprKind::Or(conditions), ty: Type::Boolean, nullable: false, span },
            };
            case_of(vec![(any, with_separator)], text.clone(), span)
        };
        if text.nullable {
            part = case_of(vec![(is_not_null(text.clone(), span), part)], empty_text(span), span);
            before.push(text);
        } else {
            before_is_certain = true;
        }
        parts.push(part);
    }
    let joined = join_texts(parts, span);
    // A separator that is NULL makes the whole NULL, even where no text needs it.
    if separator.nullable {
        let null = Expr::constant(Value::Null, Type::Text, span);
        return case_of(vec![(is_not_null(separator, span), joined)], null, span);
    }
    joined
}

/// Is there a function of the name, whatever it takes?
pub(super) fn is_known(name: &str) -> bool {
    !function::overloads(name).is_empty()
        || super::forms::NAMES.contains(&name)
        || matches!(name, "coalesce" | "nvl" | "ifnull" | "nullif" | "greatest" | "least" | "concat" | "concat_ws")
        || matches!(name, "now" | "date_part" | "current_commit" | "transaction_timestamp" | "statement_timestamp")
}
