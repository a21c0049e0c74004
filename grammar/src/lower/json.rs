//! What do the constructors and queries of SQL/JSON become in the tree?
//!
//! Calls: of functions that are there (`json_agg`), and of forms whose names end with `!`, so that no text can call them; the binder
//! gives these their meaning (`bind::sql_json`). What words say about a form is a text, its first argument. A RETURNING is a
//! cast around the call, but where the type takes part in what the form answers.
//!
//! Not here: JSON_TABLE (`json_table`).

use super::expr::plain_call;
use super::{Lower, Pair, unsupported};
use crate::ast::{
    BinaryOp, CallMore, Distinct, Expr, ExprKind, GroupBy, IsTest, Name, Query, Scopes, Select, SelectItem, SetExpr,
    TableAlias, TableRef, TypeName,
};
use crate::diag::{Diag, code};
use crate::parse::Rule;
use crate::span::Span;

/// What is said behind the arguments.
#[derive(Default)]
struct Said {
    /// `NULL ON NULL`, `ABSENT ON NULL`
    absent: Option<bool>,
    unique: bool,
    returning: Option<TypeName>,
    more: CallMore,
}

impl Said {
    fn is_nothing(&self) -> bool {
        self.absent.is_none() && !self.unique && self.returning.is_none()
    }

    fn is_binary(&self) -> bool {
        self.returning.as_ref().is_some_and(|ty| ty.name == "jsonb")
    }

    fn flags(&self, absent: bool, span: Span) -> Expr {
        let mut words = vec![if self.is_binary() { "jsonb" } else { "json" }];
        words.extend(self.absent.unwrap_or(absent).then_some("absent"));
        words.extend(self.unique.then_some("unique"));
        text(&words.join(" "), span)
    }
}

pub(super) fn text(text: &str, span: Span) -> Expr {
    Expr { kind: ExprKind::Text(text.to_owned()), span }
}

pub(super) fn null(span: Span) -> Expr {
    Expr { kind: ExprKind::Null, span }
}

/// A form of ours.
pub(super) fn form(name: &str, span: Span, args: Vec<Expr>) -> Expr {
    Expr { kind: plain_call(&format!("{name}!"), span, args), span }
}

fn cast(operand: Expr, name: &str) -> Expr {
    let span = operand.span;
    let ty = TypeName { name: name.to_owned(), args: Vec::new(), array: false, span };
    Expr { kind: ExprKind::Cast { operand: Box::new(operand), ty }, span }
}

/// The value as RETURNING has it.
fn returned(value: Expr, returning: Option<TypeName>) -> ExprKind {
    match returning {
        None => value.kind,
        Some(ty) => {
            let value = if matches!(ty.name.as_str(), "bytea" | "blob") { cast(value, "text") } else { value };
            ExprKind::Cast { operand: Box::new(value), ty }
        }
    }
}

impl Lower {
    /// One of the calls.
    pub(super) fn json_call(&mut self, pair: Pair<'_>, span: Span) -> Result<ExprKind, Diag> {
        let call = pair.into_inner().next().expect("it is one of the calls");
        match call.as_rule() {
            Rule::json_object => self.json_object(call, span),
            Rule::json_array => self.json_array(call, span),
            Rule::json_objectagg => self.json_object_aggregate(call, span),
            Rule::json_arrayagg => self.json_array_aggregate(call, span),
            Rule::json_serialize => self.json_serialize(call, span),
            _ => self.json_asked(call, span),
        }
    }

    /// What stands behind the arguments, part by part; `false` for another part.
    fn json_said(&mut self, part: &Pair<'_>, said: &mut Said) -> Result<bool, Diag> {
        let part = part.clone();
        match part.as_rule() {
            Rule::json_nulls => {
                said.absent = Some(part.into_inner().any(|word| word.as_rule() == Rule::json_absent));
            }
            Rule::json_keys => said.unique = part.into_inner().any(|word| word.as_rule() == Rule::kw_with),
            Rule::json_returning => said.returning = self.json_returning(part)?,
            Rule::order_by => said.more.order_by = self.order_by(part)?,
            Rule::filtered => said.more.filter = self.exprs(part)?.pop(),
            Rule::over => said.more.over = Some(self.over(part)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn json_returning(&mut self, pair: Pair<'_>) -> Result<Option<TypeName>, Diag> {
        let mut ty = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::type_name => ty = Some(self.type_name(part)?),
                Rule::json_format => {
                    let bytes = ty.as_ref().is_some_and(|ty: &TypeName| matches!(ty.name.as_str(), "bytea" | "blob"));
                    self.json_encoding(part, bytes)?;
                }
                _ => {}
            }
        }
        Ok(ty)
    }

    /// `FORMAT JSON [ENCODING UTF8]`: texts are UTF-8, and only bytes have an encoding.
    fn json_encoding(&self, pair: Pair<'_>, of_bytes: bool) -> Result<(), Diag> {
        let Some(name) = pair.into_inner().find(|part| part.as_rule() == Rule::name) else { return Ok(()) };
        let name = self.name(&name);
        match name.text.as_str() {
            "utf8" if of_bytes => Ok(()),
            "utf8" => Err(unsupported("an encoding of JSON that is no bytes", name.span).help("leave ENCODING out")),
            "utf16" | "utf32" => Err(unsupported("an encoding of JSON but UTF8", name.span)),
            other => {
                let message = format!("unrecognized JSON encoding: {other}");
                Err(Diag::new(code::INVALID_PARAMETER, message, name.span))
            }
        }
    }

    /// `x [FORMAT JSON]`
    pub(super) fn json_item(&mut self, pair: Pair<'_>) -> Result<Expr, Diag> {
        let (mut value, mut is_json) = (None, false);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => value = Some(self.expr(part)?),
                Rule::json_format => {
                    self.json_encoding(part, true)?;
                    is_json = true;
                }
                _ => {}
            }
        }
        let value = value.expect("an item is an expression");
        let span = value.span;
        Ok(if is_json { form("json_formatted", span, vec![value]) } else { value })
    }

    /// `key: value`; a value alone where nothing says more.
    fn json_member(&mut self, pair: Pair<'_>) -> Result<(Expr, Option<Expr>), Diag> {
        let (mut key, mut value) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::expr => key = Some(self.expr(part)?),
                Rule::json_item => value = Some(self.json_item(part)?),
                _ => {}
            }
        }
        Ok((key.expect("a member has a key"), value))
    }

    fn json_object(&mut self, pair: Pair<'_>, span: Span) -> Result<ExprKind, Diag> {
        let mut said = Said::default();
        let (mut args, mut plain) = (Vec::new(), Vec::new());
        for part in pair.into_inner() {
            if part.as_rule() != Rule::json_member {
                self.json_said(&part, &mut said)?;
                continue;
            }
            match self.json_member(part)? {
                (key, Some(value)) => args.extend([key, value]),
                (arg, None) => plain.push(arg),
            }
        }
        if let Some(arg) = plain.first() {
            if !args.is_empty() || !said.is_nothing() {
                return Err(Diag::new(code::SYNTAX, "a key of JSON_OBJECT has no value", arg.span)
                    .help("write JSON_OBJECT('key': value)"));
            }
            return Ok(plain_call("json_object", span, plain));
        }
        args.insert(0, said.flags(false, span));
        Ok(returned(form("json_object", span, args), said.returning))
    }

    fn json_array(&mut self, pair: Pair<'_>, span: Span) -> Result<ExprKind, Diag> {
        let mut said = Said::default();
        let (mut args, mut query) = (Vec::new(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::query => query = Some(self.query(part)?),
                Rule::json_item => args.push(self.json_item(part)?),
                _ => {
                    self.json_said(&part, &mut said)?;
                }
            }
        }
        if let Some(query) = query {
            return Ok(json_array_of_query(query, said, span));
        }
        args.insert(0, said.flags(true, span));
        Ok(returned(form("json_array", span, args), said.returning))
    }

    fn json_object_aggregate(&mut self, pair: Pair<'_>, span: Span) -> Result<ExprKind, Diag> {
        let (mut said, mut member) = (Said::default(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::json_member => member = Some(self.json_member(part)?),
                _ => {
                    self.json_said(&part, &mut said)?;
                }
            }
        }
        let (key, Some(value)) = member.expect("the aggregate has a member") else {
            return Err(Diag::new(code::SYNTAX, "the key of JSON_OBJECTAGG has no value", span)
                .help("write JSON_OBJECTAGG(key: value)"));
        };
        let function = if said.is_binary() { "jsonb_object_agg" } else { "json_object_agg" };
        Ok(aggregate("json_objectagg", function, vec![key, value], said, false, span))
    }

    fn json_array_aggregate(&mut self, pair: Pair<'_>, span: Span) -> Result<ExprKind, Diag> {
        let (mut said, mut value) = (Said::default(), None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::json_item => value = Some(self.json_item(part)?),
                _ => {
                    self.json_said(&part, &mut said)?;
                }
            }
        }
        let function = if said.is_binary() { "jsonb_agg" } else { "json_agg" };
        let args = vec![value.expect("the aggregate has a value")];
        Ok(aggregate("json_arrayagg", function, args, said, true, span))
    }

    fn json_serialize(&mut self, pair: Pair<'_>, span: Span) -> Result<ExprKind, Diag> {
        let (mut value, mut returning) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::json_item => value = Some(self.json_item(part)?),
                Rule::json_returning => returning = self.json_returning(part)?,
                _ => {}
            }
        }
        let value = value.expect("JSON_SERIALIZE has a value");
        Ok(returned(form("json_serialize", span, vec![value]), returning))
    }

    /// JSON_EXISTS, JSON_VALUE, JSON_QUERY: `[words, json, path, variables, a NULL of the type, on empty, on error]`.
    fn json_asked(&mut self, pair: Pair<'_>, span: Span) -> Result<ExprKind, Diag> {
        let mut asked = Asked::default();
        let mut name = String::new();
        let (mut json, mut path) = (None, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::json_asked_word => name = part.as_str().to_ascii_lowercase(),
                Rule::json_item => json = Some(self.json_item(part)?),
                Rule::expr => path = Some(self.expr(part)?),
                _ => {
                    self.asked_part(part, &mut asked)?;
                }
            }
        }
        let (json, path) = (json.expect("JSON is asked"), path.expect("by a path"));
        Ok(asked.call(&name, json, path, span)?.kind)
    }

    /// What stands behind the path, part by part.
    pub(super) fn asked_part(&mut self, part: Pair<'_>, asked: &mut Asked) -> Result<(), Diag> {
        let place = self.span(&part);
        match part.as_rule() {
            Rule::json_passing => asked.variables = Some(self.json_variables(part)?),
            Rule::json_returning => asked.returning = self.json_returning(part)?,
            Rule::json_wrapper => {
                let rules: Vec<Rule> = part.into_inner().map(|word| word.as_rule()).collect();
                asked.wrapper = match rules.contains(&Rule::kw_with) {
                    false => None,
                    true if rules.contains(&Rule::json_conditional) => Some("conditional"),
                    true => Some("wrapper"),
                };
            }
            Rule::json_quotes => {
                asked.omits = part.as_str().get(..4).is_some_and(|word| word.eq_ignore_ascii_case("omit"));
                asked.quotes = Some(place);
            }
            Rule::json_otherwise => {
                let (what, on_empty) = self.json_otherwise(part)?;
                let slot = if on_empty { &mut asked.empty } else { &mut asked.error };
                if slot.replace(what).is_some() {
                    let message = "ON EMPTY and ON ERROR stand once, in this order";
                    return Err(Diag::new(code::SYNTAX, message, place));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// `PASSING x AS name`: an object of the values.
    pub(super) fn json_variables(&mut self, pair: Pair<'_>) -> Result<Expr, Diag> {
        let span = self.span(&pair);
        let mut args = Vec::new();
        for passed in pair.into_inner().filter(|part| part.as_rule() == Rule::json_passed) {
            let (mut value, mut name) = (None, None);
            for part in passed.into_inner() {
                match part.as_rule() {
                    Rule::json_item => value = Some(self.json_item(part)?),
                    Rule::label => name = Some(self.name(&part)),
                    _ => {}
                }
            }
            let name = name.expect("what is passed has a name");
            args.extend([text(&name.text, name.span), value.expect("what is passed has a value")]);
        }
        Ok(Expr { kind: plain_call("jsonb_build_object", span, args), span })
    }

    /// What is given otherwise, and whether it is for nothing found.
    fn json_otherwise(&mut self, pair: Pair<'_>) -> Result<(Otherwise, bool), Diag> {
        let span = self.span(&pair);
        let (mut what, mut on_empty) = (Otherwise::Error, false);
        let json = |json: &str| Otherwise::Value(cast(text(json, span), "jsonb"));
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::json_default => what = Otherwise::Value(self.exprs(part)?.pop().expect("DEFAULT has a value")),
                Rule::kw_null | Rule::kw_unknown => what = Otherwise::Null,
                Rule::kw_true | Rule::kw_false => {
                    let kind = ExprKind::Boolean(part.as_rule() == Rule::kw_true);
                    what = Otherwise::Value(Expr { kind, span });
                }
                Rule::json_empty => what = json("[]"),
                Rule::json_object_kind => what = json("{}"),
                Rule::json_event => on_empty = part.as_str().eq_ignore_ascii_case("empty"),
                _ => {}
            }
        }
        Ok((what, on_empty))
    }
}

/// What is given where a path finds nothing, or something is wrong.
#[derive(Clone)]
pub(super) enum Otherwise {
    Error,
    Null,
    Value(Expr),
}

/// What is said behind a path.
#[derive(Clone, Default)]
pub(super) struct Asked {
    pub(super) variables: Option<Expr>,
    pub(super) returning: Option<TypeName>,
    pub(super) wrapper: Option<&'static str>,
    pub(super) omits: bool,
    /// Where QUOTES stands.
    pub(super) quotes: Option<Span>,
    pub(super) empty: Option<Otherwise>,
    pub(super) error: Option<Otherwise>,
}

impl Asked {
    /// The form for it.
    pub(super) fn call(self, name: &str, json: Expr, path: Expr, span: Span) -> Result<Expr, Diag> {
        let wrong = |message: String| Err(Diag::new(code::SYNTAX, message, span));
        if name != "json_query" && (self.wrapper.is_some() || self.quotes.is_some()) {
            return wrong(format!("WRAPPER and QUOTES belong to JSON_QUERY, not to {}", name.to_uppercase()));
        }
        if name == "json_exists" && self.empty.is_some() {
            return wrong("JSON_EXISTS has no ON EMPTY: what is not there is false".to_owned());
        }
        if self.wrapper.is_some() && self.quotes.is_some() {
            return wrong("SQL/JSON QUOTES behavior must not be specified when WITH WRAPPER is used".to_owned());
        }
        let mut words = vec![self.wrapper.unwrap_or("bare"), if self.omits { "omit" } else { "keep" }];
        let mut value = |otherwise: Option<Otherwise>| match otherwise {
            None | Some(Otherwise::Null) => {
                words.push("null");
                null(span)
            }
            Some(Otherwise::Error) => {
                words.push("error");
                null(span)
            }
            Some(Otherwise::Value(value)) => {
                words.push("value");
                value
            }
        };
        let default = (name == "json_exists" && self.error.is_none())
            .then_some(Otherwise::Value(Expr { kind: ExprKind::Boolean(false), span }));
        let (empty, error) = (value(self.empty), value(self.error.or(default)));
        let words = text(&words.join(" "), span);
        let ty = self.returning.unwrap_or_else(|| {
            let name = match name {
                "json_exists" => "boolean",
                "json_value" => "text",
                _ => "jsonb",
            };
            TypeName { name: name.to_owned(), args: Vec::new(), array: false, span }
        });
        let kind = ExprKind::Cast { operand: Box::new(null(span)), ty };
        let variables = self.variables.unwrap_or_else(|| cast(text("{}", span), "jsonb"));
        Ok(form(name, span, vec![words, json, path, variables, Expr { kind, span }, empty, error]))
    }
}

/// An aggregate, perhaps of the rows alone that have a value: these give an empty whole where all rows have none.
fn aggregate(form_name: &str, function: &str, args: Vec<Expr>, said: Said, absent: bool, span: Span) -> ExprKind {
    let Said { absent: says, unique, returning, more } = said;
    let is_absent = says.unwrap_or(absent);
    let called = |name: &str, args: Vec<Expr>, star: bool, more: CallMore| {
        let more = (more != CallMore::default()).then(|| Box::new(more));
        let name = Name { text: name.to_owned(), span };
        Expr { kind: ExprKind::Call { name, args, star, distinct: false, more }, span }
    };
    // All keys are looked at, those of values that are left out too.
    let keys = unique.then(|| {
        let yes = Expr { kind: ExprKind::Boolean(true), span };
        called("json_object_agg", vec![args[0].clone(), yes], false, more.clone())
    });
    let whole = if is_absent {
        let value = Box::new(args.last().expect("an aggregate has a value").clone());
        let kind = ExprKind::Is { operand: value, test: IsTest::Null, negated: true };
        let has_value = Expr { kind, span };
        let filter = match more.filter.clone() {
            None => has_value,
            Some(filter) => {
                let (left, right) = (Box::new(filter), Box::new(has_value));
                Expr { kind: ExprKind::Binary { op: BinaryOp::And, op_span: span, left, right }, span }
            }
        };
        let counted = CallMore { order_by: Vec::new(), ..more.clone() };
        let some = called(function, args, false, CallMore { filter: Some(filter), ..more });
        let count = called("count", Vec::new(), true, counted);
        let zero = Expr { kind: ExprKind::Number("0".to_owned()), span };
        let (left, right) = (Box::new(count), Box::new(zero));
        let any = Expr { kind: ExprKind::Binary { op: BinaryOp::Gt, op_span: span, left, right }, span };
        let empty = cast(text(if form_name == "json_arrayagg" { "[]" } else { "{}" }, span), "jsonb");
        let case = ExprKind::Case { operand: None, arms: vec![(any, empty)], otherwise: None };
        Expr { kind: plain_call("coalesce", span, vec![some, Expr { kind: case, span }]), span }
    } else {
        called(function, args, false, more)
    };
    let args = [Some(whole), keys].into_iter().flatten().collect();
    returned(form(form_name, span, args), returning)
}

/// The name of a subquery in FROM that gives one column and no more, which nobody writes.
pub(crate) const ONE_COLUMN: &str = "?one column?";

/// `JSON_ARRAY(query)`: an aggregate of its rows.
fn json_array_of_query(query: Query, said: Said, span: Span) -> ExprKind {
    let name = |text: &str| Name { text: text.to_owned(), span };
    let (table, column) = (name(ONE_COLUMN), name("a"));
    let value = Expr { kind: ExprKind::Path(vec![table.clone(), column.clone()]), span };
    let function = if said.is_binary() { "jsonb_agg" } else { "json_agg" };
    let kind = aggregate("json_arrayagg", function, vec![value], said, true, span);
    let alias = Some(TableAlias { name: table, columns: vec![column] });
    let from = vec![TableRef::Subquery { lateral: false, query: Box::new(query), alias, span }];
    let items = vec![SelectItem::Expr { expr: Expr { kind, span }, alias: Some(name("json_array")) }];
    ExprKind::Subquery(Box::new(block(items, from, span)))
}

/// `SELECT items FROM tables`
pub(super) fn block(items: Vec<SelectItem>, from: Vec<TableRef>, span: Span) -> Query {
    let select = Select {
        distinct: Distinct::No,
        items,
        from,
        filter: None,
        group_by: GroupBy::Items { items: Vec::new(), distinct: false },
        having: None,
        windows: Vec::new(),
        scopes: Scopes::default(),
        span,
    };
    Query::of(SetExpr::Select(Box::new(select)), span)
}
