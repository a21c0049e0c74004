//! Which calls are no function of the kernel's table, but are made of some?
//!
//! Calls with any number of arguments (`format`, `jsonb_build_object`), with an argument of any type (`to_jsonb`,
//! `quote_literal`), and those that only their arguments' types answer (`pg_typeof`).
//!
//! Not here: the forms of the standard (COALESCE and its kin: `call`).

use super::{
    Binder,
    call::{Call, is_not_null},
    convert::{self, Bound, Degree},
    function, literal,
    predicate::case_of,
};
use crate::{
    diag::{Diag, code},
    plan::{Context, Expr, ExprKind},
    span::Span,
};
use spectradb_kernel::{Type, Value, func::number_templates, ty::TypeClass};

/// The names of these calls.
pub(super) const NAMES: [&str; 54] = [
    "jsonb_object",
    "json_object",
    "json_scalar",
    "current_setting",
    "set_config",
    "pg_input_is_valid",
    "jsonb_path_exists_tz",
    "jsonb_path_match_tz",
    "jsonb_path_query_array_tz",
    "jsonb_path_query_first_tz",
    "current_database",
    "is_normalized",
    "substring_similar",
    "normalize",
    "setseed",
    "to_number",
    "is_json",
    "regexp_replace",
    "regexp_instr",
    "regexp_substr",
    "jsonb_path_exists",
    "jsonb_path_match",
    "jsonb_path_query_array",
    "jsonb_path_query_first",
    "to_char",
    "format",
    "make_timestamp",
    "make_timestamptz",
    "make_interval",
    "age",
    "date_add",
    "date_subtract",
    "json_build_object",
    "jsonb_build_object",
    "json_build_array",
    "jsonb_build_array",
    "array_to_json",
    "to_json",
    "to_jsonb",
    "json_extract_path",
    "jsonb_extract_path",
    "json_extract_path_text",
    "jsonb_extract_path_text",
    "num_nulls",
    "num_nonnulls",
    "iif",
    "if",
    "pg_typeof",
    "typeof",
    "quote_nullable",
    "quote_literal",
    "pi",
    "clock_timestamp",
    "version",
];

fn text(text: &str, span: Span) -> Expr {
    Expr::constant(Value::Text(text.to_owned()), Type::Text, span)
}

fn json(text: &str, span: Span) -> Expr {
    Expr::constant(Value::Json(text.to_owned()), Type::Json, span)
}

/// A call of the kernel's function of exactly these classes, with the plain type of its result.
pub(super) fn made(name: &str, args: Vec<Expr>, span: Span) -> Expr {
    let classes: Vec<TypeClass> = args.iter().map(|arg| arg.ty.class()).collect();
    let function = function::find(name, &classes).unwrap_or_else(|| panic!("the kernel has {name} of {classes:?}"));
    function::call(function, args, function.ret.plain_type(), span)
}

impl Binder<'_> {
    /// A call that is made of others; `None` where the name or the number of arguments is none of ours.
    pub(super) fn made_of_others(
        &mut self,
        name: &str,
        args: &mut Vec<Bound>,
        call: &Call<'_>,
    ) -> Result<Option<Expr>, Diag> {
        let span = call.span;
        let is_number = |bound: &Bound| {
            let class = bound.class();
            matches!(class, Some(TypeClass::Integer | TypeClass::Real | TypeClass::Numeric | TypeClass::BigNumeric))
        };
        if let Some(expr) = self.sql_json(name, args, span)? {
            return Ok(Some(expr));
        }
        Ok(Some(match (name, args.len()) {
            ("to_char", 2) if is_number(&args[0]) => {
                let [number, template] = two(args);
                let digits = match (number.class(), number.expr.ty) {
                    (Some(TypeClass::Real), Type::Float4) => Some(6),
                    (Some(TypeClass::Real), _) => Some(15),
                    _ => None,
                };
                let number = self.coerce(number, Type::Text, Degree::Assignment)?;
                let template = self.coerce(template, Type::Text, Degree::Implicit)?;
                match digits {
                    Some(digits) => made("$real_to_char", vec![number, template, literal::integer(digits, span)], span),
                    None => made("$number_to_char", vec![number, template], span),
                }
            }
            ("format", 1..) => self.format(std::mem::take(args), span)?,
            // A CHAR's bytes are those of its blanks, too.
            ("octet_length" | "bit_length", 1) if matches!(args[0].expr.ty, Type::Char { .. }) => {
                let value = std::mem::take(args).pop().expect("there is one");
                made(name, vec![self.output(value)?], span)
            }
            ("make_timestamp" | "make_timestamptz", 6) => {
                let at = self.timestamp_of(std::mem::take(args), span)?;
                if name == "make_timestamp" { at } else { super::zone::instant_of(at)? }
            }
            ("make_timestamptz", 7) => {
                let mut args = std::mem::take(args);
                let zone = args.pop().expect("there are seven");
                let zone = self.coerce(zone, Type::Text, Degree::Implicit)?;
                made("$made_instant", vec![zone, self.timestamp_of(args, span)?], span)
            }
            // Without a zone in the template the text says what the session's clocks show.
            ("to_timestamp", 2) if !names_zone(&args[1]) => {
                let [said, template] = two(args);
                let said = self.coerce(said, Type::Text, Degree::Implicit)?;
                let template = self.coerce(template, Type::Text, Degree::Implicit)?;
                let instant = made("to_timestamp", vec![said, template], span);
                super::zone::instant_of(convert::convert(instant, Type::Timestamp, Degree::Explicit)?)?
            }
            ("make_interval", ..=7) => {
                let mut parts = Vec::with_capacity(7);
                for (at, arg) in std::mem::take(args).into_iter().enumerate() {
                    let class = if at == 6 { TypeClass::Real } else { TypeClass::Integer };
                    parts.push(self.coerce_class(arg, class, Degree::Implicit)?);
                }
                while parts.len() < 7 {
                    let zero = literal::integer(0, span);
                    parts.push(if parts.len() == 6 {
                        convert::convert(zero, Type::Real, Degree::Implicit)?
                    } else {
                        zero
                    });
                }
                let clock = parts.split_off(4);
                let days = made("$make_interval", parts, span);
                made("+", vec![days, made("$make_clock", clock, span)], span)
            }
            ("age", 1) => {
                let arg = std::mem::take(args).pop().expect("there is one");
                let class = match arg.class() {
                    Some(class @ (TypeClass::Date | TypeClass::TimestampTz)) => class,
                    _ => TypeClass::Timestamp,
                };
                let arg = self.coerce_class(arg, class, Degree::Implicit)?;
                let now = Expr { kind: ExprKind::Context(Context::Now), ty: Type::Timestamp, nullable: false, span };
                // Counted from today's midnight, which of an instant is that of the zone.
                let (now, arg, class) = if class == TypeClass::TimestampTz {
                    let now = convert::convert(now, Type::TimestampTz, Degree::Explicit)?;
                    let local = convert::convert(super::zone::local(arg), Type::Timestamp, Degree::Explicit)?;
                    (super::zone::local(now), local, TypeClass::Timestamp)
                } else {
                    (now, arg, class)
                };
                let today = convert::convert(now, Type::Date, Degree::Explicit)?;
                made("age", vec![convert::convert(today, class.plain_type(), Degree::Implicit)?, arg], span)
            }
            // Days and months are those of the zone, of the session's without one.
            ("date_add" | "date_subtract", 2 | 3) => {
                let sign = if name == "date_add" { "+" } else { "-" };
                let mut args = std::mem::take(args).into_iter();
                let (instant, more) = (args.next().expect("there are two"), args.next().expect("there are two"));
                let instant = self.coerce_class(instant, TypeClass::TimestampTz, Degree::Implicit)?;
                let more = self.coerce_class(more, TypeClass::Interval, Degree::Implicit)?;
                match args.next() {
                    None => {
                        let local = convert::convert(super::zone::local(instant), Type::Timestamp, Degree::Explicit)?;
                        super::zone::instant_of(made(sign, vec![local, more], span))?
                    }
                    Some(zone) => {
                        let zone = self.coerce(zone, Type::Text, Degree::Implicit)?;
                        self.count_copies(&zone, 1)?;
                        let local =
                            function::call_named("timezone", vec![zone.clone(), instant], Type::Timestamp, span);
                        let local = made(sign, vec![local, more], span);
                        function::call_named("timezone", vec![zone, local], Type::TimestampTz, span)
                    }
                }
            }
            // Decimals of several scales, as with %.
            ("mod", 2)
                if args.iter().any(|arg| arg.class() == Some(TypeClass::Numeric))
                    && args
                        .iter()
                        .all(|arg| matches!(arg.class(), None | Some(TypeClass::Integer | TypeClass::Numeric))) =>
            {
                let [dividend, divisor] = two(args);
                self.arithmetic(crate::ast::BinaryOp::Rem, dividend, divisor, span, span)?
            }
            // Of 32 bits there are eight digits.
            ("to_hex", 1) if matches!(args[0].expr.ty, Type::Int4 | Type::SmallInt) => {
                let number = args.pop().expect("there is one");
                let number = self.coerce(number, Type::Integer, Degree::Implicit)?;
                let low = literal::integer(0xffff_ffff, span);
                let number = function::call_named("&", vec![number, low], Type::Integer, span);
                made("to_hex", vec![number], span)
            }
            // A quoted text beside AT TIME ZONE is an instant.
            ("timezone", 2)
                if args[1].open == Some(convert::Open::Text)
                    && matches!(args[0].class(), None | Some(TypeClass::Text | TypeClass::Interval)) =>
            {
                let [zone, instant] = two(args);
                let instant = self.coerce(instant, Type::TimestampTz, Degree::Implicit)?;
                let class = zone.class().unwrap_or(TypeClass::Text);
                let zone = self.coerce_class(zone, class, Degree::Implicit)?;
                function::call_named("timezone", vec![zone, instant], Type::Timestamp, span)
            }
            ("json_build_object" | "jsonb_build_object", count) => {
                if !count.is_multiple_of(2) {
                    let message = format!("argument list of {name} must have an even number of elements");
                    return Err(Diag::new(code::INVALID_PARAMETER, message, span).help("give a value for each key"));
                }
                let mut object = json("{}", span);
                let mut rest = std::mem::take(args).into_iter();
                while let (Some(key), Some(value)) = (rest.next(), rest.next()) {
                    let key = self.object_key(key, name.starts_with("jsonb"), span)?;
                    let value = self.json_or_null(value, name.starts_with("jsonb"), span)?;
                    object = made("$json_push_field", vec![object, key, value], span);
                }
                object
            }
            ("json_build_array" | "jsonb_build_array", _) => {
                let mut array = json("[]", span);
                for value in std::mem::take(args) {
                    let value = self.json_or_null(value, name.starts_with("jsonb"), span)?;
                    array = made("$json_push", vec![array, value], span);
                }
                array
            }
            ("to_json" | "to_jsonb", 1) => {
                let value = std::mem::take(args).pop().expect("there is one");
                self.as_json(value, name == "to_jsonb", span)?
            }
            ("array_to_json", 1 | 2) if args[0].class() == Some(TypeClass::Array) => {
                let mut args = std::mem::take(args);
                let are_apart = if args.len() == 2 { args.pop() } else { None };
                let value = self.as_json(args.pop().expect("there is one"), false, span)?;
                self.in_lines(value, are_apart, span)?
            }
            (
                "json_extract_path" | "jsonb_extract_path" | "json_extract_path_text" | "jsonb_extract_path_text",
                2..,
            ) => {
                let mut rest = std::mem::take(args).into_iter();
                let value = rest.next().expect("there are two");
                let mut value = self.coerce(value, Type::Json, Degree::Implicit)?;
                for key in rest {
                    let key = self.coerce(key, Type::Text, Degree::Assignment)?;
                    value = function::call_named("$json_get", vec![value, key], Type::Json, span);
                }
                if name.ends_with("_text") { made("$json_text", vec![value], span) } else { value }
            }
            ("to_number", 2) => {
                let [number, template] = two(args);
                let number = self.coerce(number, Type::Text, Degree::Implicit)?;
                let template = super::constant::fold(self.coerce(template, Type::Text, Degree::Implicit)?);
                self.number_by(number, template, span)?
            }
            ("is_json", 2) => {
                let [value, kind] = two(args);
                // A value of JSON is asked about as it is written: a string with its quotes.
                let value = match value.class() {
                    Some(TypeClass::Json) => value.expr,
                    Some(TypeClass::Blob) => made("convert_from", vec![value.expr, text("UTF8", span)], span),
                    Some(TypeClass::Text) | None => self.coerce(value, Type::Text, Degree::Assignment)?,
                    Some(class) => {
                        let message = format!("cannot use type {class} in IS JSON predicate");
                        return Err(Diag::new(code::DATATYPE_MISMATCH, message, span).help("cast it to text"));
                    }
                };
                made("$is_json", vec![value, self.coerce(kind, Type::Text, Degree::Implicit)?], span)
            }
            ("regexp_replace", 4..=6) if args.len() > 4 || args[3].class() == Some(TypeClass::Integer) => {
                let mut all = std::mem::take(args);
                let options = all.split_off(3);
                let options = self.regex_options(options, [Some(0), Some(1), None, None, Some(2)], span)?;
                let mut texts = self.texts(all)?;
                texts.push(options);
                made("$regexp_replace", texts, span)
            }
            ("regexp_instr", 3..=7) => {
                let mut all = std::mem::take(args);
                let options = all.split_off(2);
                let options = self.regex_options(options, [Some(0), Some(1), Some(2), Some(4), Some(3)], span)?;
                let options = super::constant::fold(made("$regexp_options", vec![options], span));
                let mut texts = self.texts(all)?;
                texts.push(options);
                made("$regexp_instr", texts, span)
            }
            ("regexp_substr", 3..=6) => {
                let mut all = std::mem::take(args);
                let options = all.split_off(2);
                let options = self.regex_options(options, [Some(0), Some(1), None, Some(3), Some(2)], span)?;
                let options = super::constant::fold(made("$regexp_options", vec![options], span));
                let mut texts = self.texts(all)?;
                texts.push(options);
                made("$regexp_substr", texts, span)
            }
            ("jsonb_path_exists" | "jsonb_path_match" | "jsonb_path_query_array" | "jsonb_path_query_first", 2..=4) => {
                self.json_path(name, std::mem::take(args), span)?
            }
            (
                "jsonb_path_exists_tz"
                | "jsonb_path_match_tz"
                | "jsonb_path_query_array_tz"
                | "jsonb_path_query_first_tz",
                2..=4,
            ) => self.json_path(name, std::mem::take(args), span)?,
            ("num_nulls" | "num_nonnulls", 1..) => {
                let mut count = literal::integer(0, span);
                for arg in std::mem::take(args) {
                    let arg = self.settled(arg)?;
                    let is = if name == "num_nulls" {
                        function::call_named("$is_null", vec![arg], Type::Boolean, span)
                    } else {
                        is_not_null(arg, span)
                    };
                    let one = convert::convert(is, Type::Integer, Degree::Explicit)?;
                    count = made("+", vec![count, one], span);
                }
                count
            }
            ("iif" | "if", 3) => {
                let mut rest = std::mem::take(args).into_iter();
                let condition = rest.next().expect("there are three");
                let condition = self.truth_of(condition, &name.to_uppercase())?;
                let (mut values, _) = self.common(rest.collect(), "IIF")?;
                let otherwise = values.pop().expect("there are two");
                case_of(vec![(condition, values.pop().expect("there are two"))], otherwise, span)
            }
            ("pg_typeof" | "typeof", 1) => {
                let shown = match (args[0].open, args[0].expr.ty) {
                    (Some(_), _) => "unknown".to_owned(),
                    (None, Type::Numeric { .. } | Type::WideNumeric { .. }) => "numeric".to_owned(),
                    (None, Type::Varchar { .. }) => "varchar".to_owned(),
                    (None, Type::Char { .. }) => "char".to_owned(),
                    (None, Type::Rounded { class, .. }) => class.to_string(),
                    (None, ty) => ty.to_string(),
                };
                text(&shown, span)
            }
            ("quote_nullable", 1) => {
                let value = std::mem::take(args).pop().expect("there is one");
                let value = self.coerce(value, Type::Text, Degree::Assignment)?;
                let quoted = made("quote_literal", vec![value], span);
                self.coalesce(vec![quoted, text("NULL", span)], span)?
            }
            ("quote_literal", 1) if args[0].class().is_some_and(|class| class != TypeClass::Text) => {
                let value = std::mem::take(args).pop().expect("there is one");
                made("quote_literal", vec![self.coerce(value, Type::Text, Degree::Assignment)?], span)
            }
            ("pi", 0) => super::constant::fold(made("$pi", vec![literal::integer(0, span)], span)),
            ("clock_timestamp", 0) => {
                Expr { kind: ExprKind::Context(Context::Now), ty: Type::Timestamp, nullable: false, span }
            }
            ("normalize", 1) => {
                let value = std::mem::take(args).pop().expect("there is one");
                made("normalize", vec![self.coerce(value, Type::Text, Degree::Implicit)?, text("NFC", span)], span)
            }
            ("is_normalized", 2) => made("$is_normalized", self.texts(std::mem::take(args))?, span),
            ("substring_similar", 3) => made("$substring_similar", self.texts(std::mem::take(args))?, span),
            ("current_setting", 1 | 2) => self.current_setting(std::mem::take(args), span)?,
            ("set_config", 3) => return Err(super::trial::refuse_set_config(call.name.span)),
            ("pg_input_is_valid", 2) => self.input_is_valid(two(args), span)?,
            ("json_object" | "jsonb_object", 1 | 2) => self.object_of_texts(std::mem::take(args), span)?,
            ("json_scalar", 1) => {
                let value = std::mem::take(args).pop().expect("there is one");
                self.json_scalar(value, span)?
            }
            ("setseed", 1) => {
                let seed = std::mem::take(args).pop().expect("there is one");
                let seed = self.coerce(seed, Type::Real, Degree::Implicit)?;
                made("$setseed", vec![seed, made("random", Vec::new(), span)], span)
            }
            // There are no users, and one database.
            ("current_user" | "session_user" | "user" | "current_role" | "current_catalog" | "current_database", 0) => {
                text("spectradb", span)
            }
            ("current_schema", 0) => Expr::constant(Value::Text("public".to_owned()), Type::Text, span),
            ("version", 0) => text(concat!("SpectraDB ", env!("CARGO_PKG_VERSION")), span),
            _ => return Ok(None),
        }))
    }

    fn texts(&mut self, args: Vec<Bound>) -> Result<Vec<Expr>, Diag> {
        args.into_iter().map(|arg| self.coerce(arg, Type::Text, Degree::Implicit)).collect()
    }

    /// The options of a function of regular expressions as one text: the character to start at, the match's number, which end
    /// of it, the group, the flags. `places` says which argument each is.
    fn regex_options(&mut self, args: Vec<Bound>, places: [Option<usize>; 5], span: Span) -> Result<Expr, Diag> {
        let mut joined = text("", span);
        for (part, place) in places.into_iter().enumerate() {
            let is_flags = part == 4;
            let given = place.and_then(|place| args.get(place)).cloned();
            let value = match given {
                Some(flags) if is_flags => self.coerce(flags, Type::Text, Degree::Implicit)?,
                Some(number) => {
                    let number = self.coerce(number, Type::Integer, Degree::Implicit)?;
                    convert::convert(number, Type::Text, Degree::Explicit)?
                }
                // From the first character, the first match, where it begins, the whole of it, without flags.
                None => text(["1", "1", "0", "0", ""][part], span),
            };
            joined = made("||", vec![joined, value], span);
            if !is_flags {
                joined = made("||", vec![joined, text(" ", span)], span);
            }
        }
        Ok(super::constant::fold(joined))
    }

    /// `to_number(text, template)`: the template says how many digits the result has.
    fn number_by(&mut self, number: Expr, template: Expr, span: Span) -> Result<Expr, Diag> {
        let digits = match literal::value(&template) {
            Some(Value::Text(template)) => number_templates::template_digits(template),
            _ => None,
        };
        let Some((whole, fraction)) = digits.filter(|(whole, fraction)| whole + fraction <= 38) else {
            let message = "to_number by this template is not supported";
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, template.span)
                .help("give a constant template of at most 38 digits, without RN and EEEE"));
        };
        let ty = Type::Numeric { precision: ((whole + fraction) as u8).max(1), scale: fraction as u8 };
        let scale = literal::integer(fraction as i64, span);
        Ok(function::call_named("$to_number", vec![number, template, scale], ty, span))
    }

    /// Year, month, day, hour, minute and second as an instant.
    fn timestamp_of(&mut self, args: Vec<Bound>, span: Span) -> Result<Expr, Diag> {
        let mut parts = Vec::with_capacity(6);
        for (at, arg) in args.into_iter().enumerate() {
            let class = if at == 5 { TypeClass::Real } else { TypeClass::Integer };
            parts.push(self.coerce_class(arg, class, Degree::Implicit)?);
        }
        let time = parts.split_off(3);
        Ok(made("+", vec![made("make_date", parts, span), made("make_time", time, span)], span))
    }

    /// A value as JSON: a text becomes a string, an array one of JSON, with spaces where it is JSONB.
    pub(super) fn as_json(&mut self, value: Bound, spaced: bool, span: Span) -> Result<Expr, Diag> {
        let class = value.class();
        match class {
            Some(TypeClass::Json) if spaced => convert::convert(value.expr, Type::Jsonb, Degree::Implicit),
            Some(TypeClass::Json) => Ok(value.expr),
            Some(TypeClass::Array) => {
                let array = super::zone::shown(value.expr)?;
                let json = function::call_named("$array_json", vec![array], Type::Json, span);
                let leaf = |json| function::call_named("$json_tidied", vec![json], Type::Json, span);
                Ok(super::constant::fold(if spaced { leaf(json) } else { json }))
            }
            Some(
                TypeClass::Boolean | TypeClass::Integer | TypeClass::Real | TypeClass::Numeric | TypeClass::BigNumeric,
            ) => {
                // A FLOAT4 is written with its own digits.
                let ty = Some(value.expr.ty).filter(|ty| *ty == Type::Float4).unwrap_or(value.expr.ty.plain());
                let plain = self.coerce(value, ty, Degree::Implicit)?;
                convert::convert(plain, Type::Json, Degree::Explicit)
            }
            Some(TypeClass::Time | TypeClass::Interval | TypeClass::Uuid) => {
                convert::convert(value.expr, Type::Json, Degree::Explicit)
            }
            // As ISO 8601 and XML Schema have it.
            Some(TypeClass::Timestamp | TypeClass::TimestampTz) => {
                let written = self.coerce(value, Type::Text, Degree::Assignment)?;
                let with_t = made("replace", vec![written, text(" BC", span), text("~", span)], span);
                let with_t = made("replace", vec![with_t, text(" ", span), text("T", span)], span);
                let with_t = made("replace", vec![with_t, text("~", span), text(" BC", span)], span);
                let full = match class {
                    Some(TypeClass::TimestampTz) => {
                        let args = vec![with_t, text("([+-]\\d\\d)( BC)?$", span), text("\\1:00\\2", span)];
                        made("regexp_replace", args, span)
                    }
                    _ => with_t,
                };
                Ok(made("$json_string", vec![full], span))
            }
            Some(TypeClass::Text) => {
                let text = self.output(value)?;
                Ok(made("$json_string", vec![text], span))
            }
            Some(TypeClass::Blob | TypeClass::Date) | None => {
                let text = self.coerce(value, Type::Text, Degree::Assignment)?;
                Ok(made("$json_string", vec![text], span))
            }
        }
    }

    /// What a path of SQL/JSON finds: `(json, path [, variables [, silent]])`.
    pub(super) fn json_path(&mut self, name: &str, args: Vec<Bound>, span: Span) -> Result<Expr, Diag> {
        let mut exprs = Vec::with_capacity(4);
        for (arg, ty) in args.into_iter().zip([Type::Jsonb, Type::Text, Type::Jsonb, Type::Boolean]) {
            exprs.push(self.coerce(arg, ty, Degree::Implicit)?);
        }
        if exprs.len() == 2 {
            exprs.push(json("{}", span));
        }
        if exprs.len() == 3 {
            exprs.push(Expr::constant(Value::Boolean(false), Type::Boolean, span));
        }
        // Only these know a zone of what has none.
        exprs.push(match name.ends_with("_tz") {
            true => super::zone::of_path(&exprs[1], span),
            false => text("", span),
        });
        let first = |found| function::call_named("$json_get", vec![found, text("0", span)], Type::Json, span);
        match name.trim_end_matches("_tz") {
            "jsonb_path_exists" => {
                convert::convert(first(made("$path_exists", exprs, span)), Type::Boolean, Degree::Explicit)
            }
            "jsonb_path_match" => {
                convert::convert(first(made("$path_match", exprs, span)), Type::Boolean, Degree::Explicit)
            }
            "jsonb_path_query_first" => {
                convert::convert(first(made("$path_query", exprs, span)), Type::Jsonb, Degree::Implicit)
            }
            _ => convert::convert(made("$path_query", exprs, span), Type::Jsonb, Degree::Implicit),
        }
    }

    /// A key of an object of JSON: NULL is a fault.
    pub(super) fn object_key(&mut self, key: Bound, is_binary: bool, span: Span) -> Result<Expr, Diag> {
        if let Some(TypeClass::Array | TypeClass::Json) = key.class() {
            let message = "key value must be scalar, not array, composite, or json";
            return Err(Diag::new(code::INVALID_PARAMETER, message, key.span()));
        }
        let key = self.coerce(key, Type::Text, Degree::Assignment)?;
        let kind = text(if is_binary { "jsonb" } else { "json" }, span);
        self.coalesce(vec![key, made("$json_no_key", vec![kind], span)], span)
    }

    /// A value as JSON, in which NULL is null.
    pub(super) fn json_or_null(&mut self, value: Bound, spaced: bool, span: Span) -> Result<Expr, Diag> {
        let value = self.as_json(value, spaced, span)?;
        self.coalesce(vec![value, json("null", span)], span)
    }

    /// `format(template, ...)`: the template must be known, so that each piece is a call of its own.
    fn format(&mut self, args: Vec<Bound>, span: Span) -> Result<Expr, Diag> {
        let mut rest = args.into_iter();
        let template = rest.next().expect("format has a template");
        let at = template.span();
        let template = super::constant::fold(self.coerce(template, Type::Text, Degree::Implicit)?);
        let template = match literal::value(&template) {
            Some(Value::Text(template)) => template.clone(),
            Some(Value::Null) => return Ok(Expr::constant(Value::Null, Type::Text, span)),
            _ => {
                let message = "the template of format must be a constant";
                return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, at).help("join texts with || instead"));
            }
        };
        let values: Vec<Bound> = rest.collect();
        let invalid = |message: String| Diag::new(code::INVALID_PARAMETER, message, at);
        let mut parts: Vec<Expr> = Vec::new();
        let mut plain = String::new();
        let mut letters = template.chars().peekable();
        let mut next = 0;
        while let Some(letter) = letters.next() {
            if letter != '%' {
                plain.push(letter);
                continue;
            }
            if letters.next_if_eq(&'%').is_some() {
                plain.push('%');
                continue;
            }
            let zero = || invalid("format specifies argument 0, but arguments are numbered from 1".to_owned());
            let digits = |letters: &mut std::iter::Peekable<std::str::Chars<'_>>| {
                let mut number = String::new();
                while let Some(digit) = letters.next_if(char::is_ascii_digit) {
                    number.push(digit);
                }
                number
            };
            // Digits are a place where `$` follows them, otherwise a width.
            let mut number = digits(&mut letters);
            let mut place = None;
            if !number.is_empty() && letters.next_if_eq(&'$').is_some() {
                place = Some(number.parse::<usize>().ok().and_then(|at| at.checked_sub(1)).ok_or_else(zero)?);
                number.clear();
            }
            let mut left = false;
            while number.is_empty() && letters.next_if_eq(&'-').is_some() {
                left = true;
            }
            let mut asked_width = None;
            if number.is_empty() && letters.next_if_eq(&'*').is_some() {
                let at = digits(&mut letters);
                if !at.is_empty() {
                    if letters.next_if_eq(&'$').is_none() {
                        return Err(invalid("width argument position must be ended by \"$\"".to_owned()));
                    }
                    next = at.parse::<usize>().ok().and_then(|at| at.checked_sub(1)).ok_or_else(zero)?;
                }
                asked_width = Some(next);
                next += 1;
            } else if number.is_empty() {
                number = digits(&mut letters);
            }
            next = place.unwrap_or(next);
            let kind = match letters.next() {
                Some(kind @ ('s' | 'I' | 'L')) => kind,
                Some(other) => return Err(invalid(format!("unrecognized format() type specifier \"{other}\""))),
                None => return Err(invalid("unterminated format() type specifier".to_owned())),
            };
            let given =
                |at: usize| values.get(at).cloned().ok_or_else(|| invalid("too few arguments for format()".to_owned()));
            let width = match asked_width {
                None => literal::integer(number.parse::<i64>().unwrap_or(0) * if left { -1 } else { 1 }, span),
                Some(at) => self.format_width(given(at)?, left, span)?,
            };
            let value = given(next)?;
            next += 1;
            let value = self.output(value)?;
            self.count_copies(&value, 2)?;
            self.count_copies(&width, 2)?;
            let piece = |kind: &str, value| made("$format_piece", vec![text(kind, span), value, width.clone()], span);
            let shown = piece(&kind.to_string(), value.clone());
            if !plain.is_empty() {
                parts.push(text(&std::mem::take(&mut plain), span));
            }
            // NULL is nothing as a text, NULL as a literal, and no name.
            let as_name = if kind == 'I' { "no name" } else { "s" };
            let absent = piece(as_name, text(if kind == 'L' { "NULL" } else { "" }, span));
            parts.push(if value.nullable { self.coalesce(vec![shown, absent], span)? } else { shown });
        }
        if !plain.is_empty() || parts.is_empty() {
            parts.push(text(&plain, span));
        }
        let joined = parts.into_iter().reduce(|joined, part| made("||", vec![joined, part], span));
        Ok(joined.expect("there is a part"))
    }
}

impl Binder<'_> {
    /// The width that `*` takes from an argument: NULL is none, and with a sign or below zero the text stands on the left.
    fn format_width(&mut self, width: Bound, left: bool, span: Span) -> Result<Expr, Diag> {
        let is_integer = width.class() == Some(TypeClass::Integer);
        let mut width = match is_integer {
            true => self.coerce(width, Type::Integer, Degree::Implicit)?,
            false => {
                let text = self.coerce(width, Type::Text, Degree::Assignment)?;
                self.coerce(Bound::known(text), Type::Integer, Degree::Explicit)?
            }
        };
        if width.nullable {
            width = self.coalesce(vec![width, literal::integer(0, span)], span)?;
        }
        Ok(match left {
            true => made("-", vec![made("abs", vec![width], span)], span),
            false => width,
        })
    }
}

/// Does a template of `to_timestamp` ask for a zone? One that is not known may.
fn names_zone(template: &Bound) -> bool {
    match literal::value(&template.expr) {
        Some(Value::Text(template)) => {
            let template = template.to_ascii_uppercase();
            ["TZ", "OF"].iter().any(|word| template.contains(word))
        }
        _ => true,
    }
}

fn two(args: &mut Vec<Bound>) -> [Bound; 2] {
    std::mem::take(args).try_into().expect("two arguments were counted")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_form_is_on_the_reference_page() {
        let listed = |name: &str| {
            let begins = |part: &str| part.trim_start().strip_prefix(name).is_some_and(|rest| !rest.starts_with('_'));
            crate::reference::FORMS.iter().any(|(calls, _)| calls.split([',', ' ']).any(begins))
        };
        for name in super::NAMES {
            assert!(listed(name), "{name} has no line in the reference");
        }
    }
}
