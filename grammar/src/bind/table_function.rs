//! Which rows does a function in FROM give?
//!
//! `generate_series(from, to [, step])` counts; over decimals and instants it counts the steps. The others take something
//! apart: arrays, the elements, fields and keys of JSON, what a path of SQL/JSON finds, the pieces of a text, the matches of
//! an expression. They make an array of it once, count its places, and take the element at each place. A function may name the tables before it: then it is bound like a
//! LATERAL subquery, and `unnest` gives it its arguments.
//!
//! Not here: a function that gives rows in a select list (`rows_in_list`).

use super::{
    Binder,
    convert::{self, Bound, Degree},
    expr::Ctx,
    forms, function, literal,
    predicate::case_of,
    query, record,
    scope::Scope,
};
use crate::{
    ast::{self, BinaryOp, Name, TypeName},
    diag::{Diag, code, nearest},
    plan::{Expr, ExprKind, Field, Node, NodeKind},
    span::Span,
};
use spectradb_kernel::{Type, Value, ty::TypeClass};

/// The functions that give rows.
pub(super) const FUNCTIONS: [&str; 27] = [
    "json_populate_record",
    "jsonb_populate_record",
    "json_populate_recordset",
    "jsonb_populate_recordset",
    "pg_input_error_info",
    "json_to_record",
    "jsonb_to_record",
    "json_to_recordset",
    "jsonb_to_recordset",
    "generate_series",
    "generate_subscripts",
    "unnest",
    "json_array_elements",
    "jsonb_array_elements",
    "json_array_elements_text",
    "jsonb_array_elements_text",
    "json_each",
    "jsonb_each",
    "json_each_text",
    "jsonb_each_text",
    "json_object_keys",
    "jsonb_object_keys",
    "jsonb_path_query",
    "jsonb_path_query_tz",
    "string_to_table",
    "regexp_split_to_table",
    "regexp_matches",
];

/// A call as written.
pub(super) struct Call<'c> {
    pub(super) name: &'c Name,
    pub(super) args: &'c [ast::Expr],
    pub(super) ordinality: bool,
    /// The columns of a record.
    pub(super) columns: &'c [(Name, TypeName)],
    pub(super) span: Span,
}

impl Binder<'_> {
    pub(super) fn table_function(&mut self, call: &Call<'_>) -> Result<Node, Diag> {
        let name = call.name.text.as_str();
        if let Some(relation) = name.strip_prefix(super::INFORMATION_SCHEMA) {
            return self.information(relation, call.name.span);
        }
        let scope = Scope::default();
        let mut args = Vec::with_capacity(call.args.len());
        // What a record has is told apart from its values.
        let is_record = record::gives_records(name);
        for arg in call.args.iter().filter(|_| !is_record) {
            args.push(self.expr(arg, &mut Ctx::plain(&scope, "a function in FROM"))?);
        }
        let gives_records = record::is_defined(name);
        if call.columns.is_empty() == gives_records {
            let message = if gives_records {
                "a column definition list is required for functions returning \"record\""
            } else {
                "a column definition list is only allowed for functions returning \"record\""
            };
            return Err(Diag::new(code::SYNTAX, message, call.span).help("write AS x (a integer, b text)"));
        }
        let node = match (name, args.len()) {
            _ if is_record => self.records(call)?,
            ("pg_input_error_info", 2) => {
                let args = <[Bound; 2]>::try_from(args).expect("two were counted");
                self.input_error(args, call.span)?
            }
            ("generate_series", 2..=3) => self.series(args, call.span)?,
            ("generate_subscripts", 2..=3) => self.subscripts(args, call.span)?,
            ("unnest", 1..) => self.unnest_arrays(args, call.span)?,
            ("json_array_elements" | "jsonb_array_elements", 1) => {
                let array = self.json_argument(name, one(args))?;
                elements(array_from("$json_elements", array), "value", |element| element)
            }
            ("json_array_elements_text" | "jsonb_array_elements_text", 1) => {
                let array = self.json_argument(name, one(args))?;
                elements(array_from("$json_elements", array), "value", text_of)
            }
            ("json_object_keys" | "jsonb_object_keys", 1) => {
                let object = self.json_argument(name, one(args))?;
                elements(array_from("$json_keys", object), name, |key| key)
            }
            ("json_each" | "jsonb_each" | "json_each_text" | "jsonb_each_text", 1) => {
                let object = self.json_argument(name, one(args))?;
                fields(object, name.ends_with("_text"))
            }
            ("jsonb_path_query" | "jsonb_path_query_tz", 2..=4) => {
                let zoned = if name.ends_with("_tz") { "_tz" } else { "" };
                let found = self.json_path(&format!("jsonb_path_query_array{zoned}"), args, call.span)?;
                elements(array_from("$json_elements", found), name, |element| element)
            }
            ("string_to_table" | "regexp_split_to_table", 2..=3) => {
                let maker = if name == "string_to_table" { "string_to_array" } else { "regexp_split_to_array" };
                let pieces = self.array_function(maker, &mut args, call.span)?;
                elements(pieces.expect("it takes two or three texts"), name, |piece| piece)
            }
            ("regexp_matches", 2..=3) => {
                let matches = self.matches(args, call.span)?;
                let length = made("array_length", vec![matches.clone(), literal::integer(1, call.span)]);
                let node = counted(vec![matches], length, call.span);
                let row = vec![node.column(0, call.span), node.column(1, call.span)];
                let row = made_of("$array_row", row, super::array::TEXTS);
                node.project(vec![(name.to_owned(), row)])
            }
            (known, count) if FUNCTIONS.contains(&known) => {
                let message = format!("function {name} with {count} arguments does not exist");
                let diag = Diag::new(code::UNDEFINED_FUNCTION, message, call.name.span);
                return Err(match known {
                    "generate_series" => {
                        diag.help("write generate_series(from, to) or generate_series(from, to, step)")
                    }
                    _ => diag,
                });
            }
            _ => {
                let message = format!("function {name} in FROM does not exist");
                let diag = Diag::new(code::UNDEFINED_FUNCTION, message, call.name.span);
                return Err(match nearest(name, FUNCTIONS) {
                    Some(near) => diag.help(format!("a function named \"{near}\" gives rows")),
                    None => diag.help(format!("the functions that give rows are {}", FUNCTIONS.join(", "))),
                });
            }
        };
        if !call.ordinality {
            return Ok(node);
        }
        let width = node.fields.len();
        let numbered = query::numbered(node, Vec::new(), call.span, |_| {
            Expr::constant(Value::Boolean(true), Type::Boolean, call.span)
        });
        let mut columns: Vec<(String, Expr)> = (0..width)
            .map(|column| (numbered.fields[column].name.clone(), numbered.column(column, call.span)))
            .collect();
        columns.push(("ordinality".to_owned(), numbered.column(width, call.span)));
        Ok(numbered.project(columns))
    }

    /// `unnest(array [, ..])`: the elements side by side, as many as the longest array has.
    fn unnest_arrays(&mut self, args: Vec<Bound>, span: Span) -> Result<Node, Diag> {
        let mut arrays = Vec::with_capacity(args.len());
        let mut lens = Vec::with_capacity(args.len());
        for arg in args {
            if arg.class() != Some(TypeClass::Array) {
                let message = format!("function unnest({}) does not exist", arg.type_name());
                return Err(Diag::new(code::UNDEFINED_FUNCTION, message, arg.span()).help("unnest takes arrays"));
            }
            let len = made("cardinality", vec![arg.expr.clone()]);
            lens.push(self.coalesce(vec![len, literal::integer(0, span)], span)?);
            arrays.push(arg.expr);
        }
        let longest = self.extreme(lens, ">=", span)?;
        let width = arrays.len();
        let node = counted(arrays, longest, span);
        let columns = (0..width)
            .map(|at| {
                let element = super::array::element_at(node.column(at, span), node.column(width, span), span);
                ("unnest".to_owned(), element)
            })
            .collect();
        Ok(node.project(columns))
    }

    /// A value of JSON, as JSONB holds it where the function is of JSONB.
    pub(super) fn json_argument(&mut self, name: &str, arg: Bound) -> Result<Expr, Diag> {
        let ty = if name.starts_with("jsonb") { Type::Jsonb } else { Type::Json };
        self.coerce(arg, ty, Degree::Implicit)
    }

    /// `generate_subscripts(array, dimension [, reverse])`: from the lowest subscript to the highest, or back.
    fn subscripts(&mut self, args: Vec<Bound>, span: Span) -> Result<Node, Diag> {
        let mut args = args.into_iter();
        let array = args.next().expect("there are two");
        if array.class() != Some(TypeClass::Array) {
            let message = format!("function generate_subscripts({}, integer) does not exist", array.type_name());
            return Err(Diag::new(code::UNDEFINED_FUNCTION, message, array.span()).help("it takes an array first"));
        }
        let dimension = args.next().expect("there are two");
        let dimension = self.coerce(dimension, Type::Integer, Degree::Implicit)?;
        let bound = |name: &str| made(name, vec![array.expr.clone(), dimension.clone()]);
        let (lower, upper) = (bound("array_lower"), bound("array_upper"));
        let one = |step| literal::integer(step, span);
        let (from, to, step) = match args.next() {
            None => (lower, upper, one(1)),
            Some(reverse) => {
                let reverse = self.coerce(reverse, Type::Boolean, Degree::Implicit)?;
                self.count_copies(&reverse, 3)?;
                let either = |back: Expr, on: Expr| case_of(vec![(reverse.clone(), back)], on, span);
                (either(upper.clone(), lower.clone()), either(lower, upper), either(one(-1), one(1)))
            }
        };
        let input = Box::new(Node { kind: NodeKind::Values { rows: vec![Vec::new()] }, fields: Vec::new() });
        let field = Field { name: "generate_subscripts".to_owned(), ty: Type::Integer, nullable: false };
        Ok(Node { kind: NodeKind::Series { input, from, to, step }, fields: vec![field] })
    }

    /// `generate_series(from, to [, step])`
    fn series(&mut self, mut args: Vec<Bound>, span: Span) -> Result<Node, Diag> {
        let name = "generate_series";
        let has = |class| args.iter().any(|arg| arg.class() == Some(class));
        let instant = [TypeClass::TimestampTz, TypeClass::Timestamp].into_iter().find(|class| has(*class));
        // Days are counted as instants, as in PostgreSQL.
        let instant = instant.or_else(|| has(TypeClass::Date).then_some(TypeClass::TimestampTz));
        if let Some(class) = instant {
            if args.len() == 2 {
                let message = "generate_series over instants needs a step";
                return Err(Diag::new(code::UNDEFINED_FUNCTION, message, span)
                    .help("write generate_series(from, to, INTERVAL '1 day')"));
            }
            return self.instants(args, class, span);
        }
        let class = if has(TypeClass::BigNumeric) { TypeClass::BigNumeric } else { TypeClass::Numeric };
        if has(class) {
            let numeric = |binder: &mut Self, arg| binder.coerce_class(arg, class, Degree::Implicit);
            let step = match args.len() {
                3 => args.pop().expect("there are three"),
                _ => Bound::known(literal::integer(1, span)),
            };
            let step = numeric(self, step)?;
            refuse_zero(&step)?;
            let to = numeric(self, args.pop().expect("there are two"))?;
            let from = numeric(self, args.pop().expect("there are two"))?;
            let ty = match class {
                TypeClass::BigNumeric => Type::BigNumeric,
                _ => convert::numeric_meet([from.ty, step.ty]),
            };
            let distance = self.arithmetic(BinaryOp::Sub, Bound::known(to), Bound::known(from.clone()), span, span)?;
            let steps =
                self.arithmetic(BinaryOp::Div, Bound::known(distance), Bound::known(step.clone()), span, span)?;
            let whole = match class {
                TypeClass::BigNumeric => function::call_named("floor", vec![steps], Type::BigNumeric, span),
                _ => floor(convert::convert(steps, Type::Real, Degree::Explicit)?),
            };
            let last = convert::convert(whole, Type::Integer, Degree::Explicit)?;
            let counted = counted_to(vec![from, step], last, span);
            let number = Bound::known(counted.column(2, span));
            let gone = self.arithmetic(BinaryOp::Mul, number, Bound::known(counted.column(1, span)), span, span)?;
            let from = counted.column(0, span);
            let value = self.arithmetic(BinaryOp::Add, Bound::known(from.clone()), Bound::known(gone), span, span)?;
            let mut value = convert::convert(value, ty, Degree::Assignment)?;
            if class == TypeClass::BigNumeric {
                // The first number shows the digits that it was given with.
                let (number, zero) = (Bound::known(counted.column(2, span)), Bound::known(literal::integer(0, span)));
                let is_first = self.compare("=", number, zero, span, span)?;
                value = case_of(vec![(is_first, from)], value, span);
            }
            return Ok(counted.project(vec![(name.to_owned(), value)]));
        }
        let mut bounds: Vec<Expr> = Vec::with_capacity(3);
        for arg in args {
            bounds.push(self.coerce(arg, Type::Integer, Degree::Implicit)?);
        }
        let step = if bounds.len() == 3 { bounds.pop() } else { None };
        let step = super::constant::fold(step.unwrap_or_else(|| literal::integer(1, span)));
        refuse_zero(&step)?;
        let to = bounds.pop().expect("there are two");
        let from = bounds.pop().expect("there are two");
        let input = Box::new(Node { kind: NodeKind::Values { rows: vec![Vec::new()] }, fields: Vec::new() });
        let field = Field { name: name.to_owned(), ty: Type::Integer, nullable: false };
        Ok(Node { kind: NodeKind::Series { input, from, to, step }, fields: vec![field] })
    }

    /// Instants a step apart. Where a step is so many microseconds, they are counted; elsewhere each is made of the one before.
    fn instants(&mut self, args: Vec<Bound>, class: TypeClass, span: Span) -> Result<Node, Diag> {
        let mut args = args.into_iter();
        let mut next = || args.next().expect("there are three");
        let from = self.coerce_class(next(), class, Degree::Implicit)?;
        let to = self.coerce_class(next(), class, Degree::Implicit)?;
        let step = super::constant::fold(self.coerce_class(next(), TypeClass::Interval, Degree::Implicit)?);
        if let Some(Value::Interval(value)) = literal::value(&step)
            && *value == Default::default()
        {
            return Err(Diag::new(code::INVALID_PARAMETER, "step size cannot equal zero", step.span));
        }
        let zone = if class == TypeClass::TimestampTz { super::zone::argument(span) } else { None };
        let is_even = match literal::value(&step) {
            Some(Value::Interval(step)) => step.months() == 0 && (step.days() == 0 || zone.is_none()),
            _ => false,
        };
        if !is_even {
            let utc = || Expr::constant(Value::Text("UTC".to_owned()), Type::Text, span);
            let mut args = match class {
                TypeClass::TimestampTz => vec![zone.map_or_else(utc, |zone| zone.expr)],
                _ => Vec::new(),
            };
            args.extend([from, to, step]);
            let all = made_of("$instants", args, super::array::array_of(class.plain_type()));
            return Ok(elements(all, "generate_series", |instant| instant));
        }
        let epoch = Name { text: "epoch".to_owned(), span };
        let distance = made_of("-", vec![to.clone(), from.clone()], Type::Interval);
        let seconds = |binder: &mut Self, interval: Expr| {
            let epoch = binder.extract(&epoch, Bound::known(interval), span)?;
            convert::convert(epoch, Type::Real, Degree::Explicit)
        };
        let (distance, one) = (seconds(self, distance)?, seconds(self, step.clone())?);
        // What lies beyond the end is left out.
        let steps = made_of("/", vec![distance, one], Type::Real);
        let two = Expr::constant(Value::Real(2.0), Type::Real, span);
        let steps = made_of("+", vec![steps, two], Type::Real);
        let last = convert::convert(floor(steps), Type::Integer, Degree::Explicit)?;
        let counted = counted_to(vec![from, step, to], last, span);
        let number = convert::convert(counted.column(3, span), Type::Real, Degree::Implicit)?;
        let gone = made_of("*", vec![counted.column(1, span), number], Type::Interval);
        let ty = class.plain_type();
        let begin = counted.column(0, span);
        let value = made_of("+", vec![begin, gone], ty);
        let columns = vec![
            ("generate_series".to_owned(), value),
            ("from".to_owned(), counted.column(0, span)),
            ("step".to_owned(), counted.column(1, span)),
            ("to".to_owned(), counted.column(2, span)),
        ];
        let all = counted.project(columns);
        let zero = convert::convert(
            Expr::constant(Value::Text("0".to_owned()), Type::Text, span),
            Type::Interval,
            Degree::Explicit,
        )?;
        let test = |sign: &str, at: usize, other: Expr| made_of(sign, vec![all.column(at, span), other], Type::Boolean);
        let both = |parts: Vec<Expr>| Expr::conjunction(parts).expect("there are two");
        let up = both(vec![test(">", 2, zero.clone()), test("<=", 0, all.column(3, span))]);
        let down = both(vec![test("<", 2, zero), test(">=", 0, all.column(3, span))]);
        let nullable = up.nullable || down.nullable;
        let within = Expr { kind: ExprKind::Or(vec![up, down]), ty: Type::Boolean, nullable, span };
        let value = vec![("generate_series".to_owned(), all.column(0, span))];
        Ok(all.filter(within).project(value))
    }
}

/// A row for each element of an array.
pub(super) fn elements(array: Expr, name: &str, value: impl FnOnce(Expr) -> Expr) -> Node {
    let span = array.span;
    let length = made("cardinality", vec![array.clone()]);
    let node = counted(vec![array], length, span);
    let element = super::array::element_at(node.column(0, span), node.column(1, span), span);
    node.project(vec![(name.to_owned(), value(element))])
}

/// A row for each field of an object.
fn fields(object: Expr, as_text: bool) -> Node {
    let span = object.span;
    let keys = array_from("$json_keys", object.clone());
    let values = array_from("$json_values", object);
    let length = made("cardinality", vec![keys.clone()]);
    let node = counted(vec![keys, values], length, span);
    let at = |array| super::array::element_at(node.column(array, span), node.column(2, span), span);
    let (key, value) = (at(0), at(1));
    let value = if as_text { text_of(value) } else { value };
    node.project(vec![("key".to_owned(), key), ("value".to_owned(), value)])
}

/// The array that a leaf makes of JSON.
pub(super) fn array_from(leaf: &str, json: Expr) -> Expr {
    let ty = if leaf == "$json_keys" { super::array::TEXTS } else { super::array::array_of(json.ty) };
    made_of(leaf, vec![json], ty)
}

/// One row of some values, and behind them the numbers of so many places, from 0 on: a row for each.
fn counted(values: Vec<Expr>, length: Expr, span: Span) -> Node {
    let last = made_of("-", vec![length, literal::integer(1, span)], Type::Integer);
    counted_to(values, last, span)
}

/// One row of some values, and behind them the numbers from 0 to the last: a row for each.
fn counted_to(values: Vec<Expr>, last: Expr, span: Span) -> Node {
    let one = Node { kind: NodeKind::Values { rows: vec![Vec::new()] }, fields: Vec::new() };
    let mut columns: Vec<(String, Expr)> =
        values.into_iter().enumerate().map(|(at, value)| (format!("arg{at}"), value)).collect();
    columns.push(("last".to_owned(), last));
    let width = columns.len() - 1;
    let input = one.project(columns);
    let mut fields = input.fields.clone();
    fields.push(Field { name: "place".to_owned(), ty: Type::Integer, nullable: false });
    let (from, step) = (literal::integer(0, span), literal::integer(1, span));
    let to = input.column(width, span);
    let node = Node { kind: NodeKind::Series { input: Box::new(input), from, to, step }, fields };
    let kept = (0..width).chain([width + 1]);
    let columns = kept.map(|at| (node.fields[at].name.clone(), node.column(at, span))).collect();
    node.project(columns)
}

fn one(mut args: Vec<Bound>) -> Bound {
    args.pop().expect("there is one")
}

pub(super) fn text_of(json: Expr) -> Expr {
    made_of("$json_text", vec![json], Type::Text)
}

fn floor(real: Expr) -> Expr {
    made_of("floor", vec![real], Type::Real)
}

fn made(name: &str, args: Vec<Expr>) -> Expr {
    let span = args.first().map_or_else(Span::default, |arg| arg.span);
    forms::made(name, args, span)
}

fn made_of(name: &str, args: Vec<Expr>, ty: Type) -> Expr {
    let span = args.first().map_or_else(Span::default, |arg| arg.span);
    function::call_named(name, args, ty, span)
}

fn refuse_zero(step: &Expr) -> Result<(), Diag> {
    let is_zero = match literal::value(step) {
        Some(Value::Integer(step)) => *step == 0,
        Some(Value::Numeric(step)) => step.units == 0,
        Some(Value::BigNumeric(step)) => step.is_zero(),
        _ => false,
    };
    if is_zero {
        return Err(Diag::new(code::INVALID_PARAMETER, "step size cannot equal zero", step.span));
    }
    Ok(())
}
