//! How is an expression computed for one row, in typed Rust?
//!
//! An expression becomes `let` statements in the body of a loop over `row`: numbers and booleans as themselves, texts and
//! blobs as borrowed slices, and beside each value that may be NULL a `bool` that says whether it is there. Leaves are
//! called by their path in the kernel. Calls that never fail and cost little run without a branch, so that loops
//! vectorise; everything that may fail runs only for the rows that decide it.
//!
//! Holds: the value of a NULL is some value of its type; a fault counts only where every argument has a value.
//! Not here: the loop itself and what it reads and fills (`pipe`).

use crate::schema::class_ident;
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote};
use spectradb_grammar::{
    plan::{Context, Expr, ExprKind, Field, SubplanAsk},
    span,
};
use spectradb_kernel::{
    Type, Value,
    func::{Function, Shape},
    ty::{LaneKind, TypeClass},
};
use std::collections::BTreeSet;

/// What the generator knows about a parameter.
#[derive(Clone, Debug)]
pub struct ParamSlot {
    /// The type its use demands.
    pub ty: Type,
    /// Is it given as an `Option`?
    pub optional: bool,
}

/// A value in the loop's body.
#[derive(Clone, Debug)]
pub struct Datum {
    /// Tokens that can be repeated: a name or a literal.
    pub value: TokenStream,
    /// Is there a value? `None`: always.
    pub has: Option<TokenStream>,
}

/// A question to a subplan that is answered before the loop.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The field or variable that holds the answer.
    pub name: Ident,
    /// Its type.
    pub ty: TokenStream,
    /// The expression that asks, with `?`.
    pub init: TokenStream,
}

/// Prints the expressions of one loop and remembers what they need from outside it.
pub struct Body<'p> {
    /// The path of the runtime's door for generated code.
    pub v1: &'p TokenStream,
    /// The columns of the input.
    pub fields: &'p [Field],
    /// The statement's parameters.
    pub params: &'p [ParamSlot],
    /// The columns that are read.
    pub columns: BTreeSet<usize>,
    /// The parameters that are read.
    pub params_read: BTreeSet<usize>,
    /// Buffers for texts and blobs: name and type.
    pub buffers: Vec<(Ident, TokenStream)>,
    /// Questions to subplans.
    pub asks: Vec<Ask>,
    /// Can a row fail?
    pub fallible: bool,
    asks_before: usize,
    next: usize,
}

/// Is a value of the class a run of bytes in a loop, not a text?
pub fn is_bytes(class: TypeClass) -> bool {
    matches!(class, TypeClass::Blob | TypeClass::Array | TypeClass::BigNumeric)
}

/// The Rust type of a value in a loop.
pub fn lane_type(class: TypeClass) -> TokenStream {
    match class.lane() {
        LaneKind::Bool => quote!(bool),
        LaneKind::I64 => quote!(i64),
        LaneKind::F64 => quote!(f64),
        LaneKind::I128 => quote!(i128),
        LaneKind::Bytes if is_bytes(class) => quote!(&[u8]),
        LaneKind::Bytes => quote!(&str),
    }
}

/// Some value of a class, for the slots of NULLs.
fn any_value(class: TypeClass) -> TokenStream {
    match class.lane() {
        LaneKind::Bool => quote!(false),
        LaneKind::I64 => quote!(0i64),
        LaneKind::F64 => quote!(0f64),
        LaneKind::I128 => quote!(0i128),
        LaneKind::Bytes if is_bytes(class) => quote!((&[] as &[u8])),
        LaneKind::Bytes => quote!(""),
    }
}

/// A place in the SQL.
pub fn place(v1: &TokenStream, span: span::Span) -> TokenStream {
    let (start, end) = (Literal::u32_unsuffixed(span.start), Literal::u32_unsuffixed(span.end));
    quote!(#v1::Place { start: #start, end: #end })
}

/// Does it cost little, and can it never fail? Then it may run for every row.
fn is_cheap(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Column(_) | ExprKind::Param(_) | ExprKind::Context(_) | ExprKind::Const(_) => {
            expr.ty.lane() != LaneKind::Bytes
        }
        ExprKind::Call { function, args } => match function.shape {
            Shape::Total => function.ret.lane() != LaneKind::Bytes && args.iter().all(is_cheap),
            // Only asks whether there is a value, whatever the value costs to look at.
            Shape::NullAware => args.iter().all(|arg| is_cheap(arg) || matches!(arg.kind, ExprKind::Column(_))),
            Shape::Fallible | Shape::Partial => false,
        },
        ExprKind::And(arms) | ExprKind::Or(arms) => arms.iter().all(is_cheap),
        ExprKind::Case { arms, otherwise } => {
            arms.iter().all(|(condition, value)| is_cheap(condition) && is_cheap(value))
                && otherwise.as_deref().is_none_or(is_cheap)
        }
        ExprKind::Outer(_) => unreachable!("the plan was checked: what was around is a column"),
        ExprKind::Subplan { ask, .. } => match ask {
            SubplanAsk::Any(_) => unreachable!("the plan was checked: ANY is a join"),
            // Its data may have no answer, which is a fault of the rows that ask.
            SubplanAsk::Scalar | SubplanAsk::Exists | SubplanAsk::In(_) => false,
        },
    }
}

impl<'p> Body<'p> {
    /// A body over an input's columns; `asks_before` questions have names already.
    pub fn new(v1: &'p TokenStream, fields: &'p [Field], params: &'p [ParamSlot], asks_before: usize) -> Body<'p> {
        Body {
            v1,
            fields,
            params,
            columns: BTreeSet::new(),
            params_read: BTreeSet::new(),
            buffers: Vec::new(),
            asks: Vec::new(),
            fallible: false,
            asks_before,
            next: 0,
        }
    }

    fn name(&mut self, prefix: &str) -> Ident {
        self.next += 1;
        format_ident!("{prefix}{}", self.next)
    }

    /// Appends the statements that compute an expression.
    pub fn expr(&mut self, expr: &Expr, out: &mut TokenStream) -> Datum {
        let mut datum = self.print(expr, out);
        if !expr.nullable {
            datum.has = None;
        }
        datum
    }

    /// Appends the statements of a condition; its value is whether it is true (NULL is not).
    pub fn condition(&mut self, expr: &Expr, out: &mut TokenStream) -> TokenStream {
        let Datum { value, has } = self.expr(expr, out);
        match has {
            None => value,
            Some(has) => quote!((#value & #has)),
        }
    }

    fn print(&mut self, expr: &Expr, out: &mut TokenStream) -> Datum {
        let v1 = self.v1;
        match &expr.kind {
            ExprKind::Column(idx) => self.column(*idx, expr, out),
            ExprKind::Param(idx) => {
                self.params_read.insert(*idx);
                let (value, has) = (format_ident!("p{idx}"), format_ident!("hp{idx}"));
                let optional = self.params[*idx].optional;
                Datum { value: quote!(#value), has: optional.then(|| quote!(#has)) }
            }
            ExprKind::Context(Context::Now) => Datum { value: quote!(env.now), has: None },
            ExprKind::Context(Context::CurrentCommit) => Datum { value: quote!(env.current_commit), has: None },
            ExprKind::Context(Context::Settings) => Datum { value: quote!(env.settings.as_str()), has: None },
            ExprKind::Const(value) => constant(value, expr.ty),
            ExprKind::Call { function, args } => self.call(function, args, expr, out),
            ExprKind::And(arms) => self.connective(arms, true, out),
            ExprKind::Or(arms) => self.connective(arms, false, out),
            ExprKind::Case { arms, otherwise } => self.case(arms, otherwise.as_deref(), expr, out),
            ExprKind::Outer(_) => unreachable!("the plan was checked: what was around is a column"),
            ExprKind::Subplan { subplan_idx, ask, args: _ } => {
                let answers = format_ident!("q{subplan_idx}");
                let at = place(v1, expr.span);
                match ask {
                    SubplanAsk::Any(_) => unreachable!("the plan was checked: ANY is a join"),
                    SubplanAsk::Scalar => {
                        let name = format_ident!("ask{}", self.asks_before + self.asks.len());
                        let (ty, read) = match expr.ty.lane() {
                            LaneKind::Bytes if is_bytes(expr.ty.class()) => (quote!(::std::vec::Vec<u8>), quote!(blob)),
                            LaneKind::Bytes => (quote!(::std::string::String), quote!(text)),
                            LaneKind::Bool => (quote!(bool), quote!(boolean)),
                            LaneKind::I64 => (quote!(i64), quote!(integer)),
                            LaneKind::F64 => (quote!(f64), quote!(real)),
                            LaneKind::I128 => (quote!(i128), quote!(numeric)),
                        };
                        self.ask(&name, quote!(::core::option::Option<#ty>), quote!(#answers.#read(#at)?), out);
                        let (value, has) = (self.name("v"), self.name("h"));
                        let read = if expr.ty.lane() == LaneKind::Bytes { quote!(as_deref) } else { quote!(as_ref) };
                        let copied = if expr.ty.lane() == LaneKind::Bytes { quote!() } else { quote!(.copied()) };
                        let option = format_ident!("option_{value}");
                        out.extend(quote! {
                            let #option = #name.value().and_then(|value| value.#read())#copied;
                            let #value = #option.unwrap_or_default();
                            let #has = #option.is_some();
                        });
                        Datum { value: quote!(#value), has: Some(quote!(#has)) }
                    }
                    SubplanAsk::Exists => {
                        let name = format_ident!("ask{}", self.asks_before + self.asks.len());
                        self.ask(&name, quote!(bool), quote!(#answers.exists()?), out);
                        Datum { value: quote!((#name.value() == ::core::option::Option::Some(&true))), has: None }
                    }
                    SubplanAsk::In(needle) => {
                        let name = format_ident!("ask{}", self.asks_before + self.asks.len());
                        self.ask(&name, quote!(#v1::AnswerSet), quote!(#answers.set()?), out);
                        let needle_datum = self.expr(needle, out);
                        let option = option_of(&needle_datum);
                        let class = class_ident(needle.ty.class());
                        let found = self.name("v");
                        out.extend(quote! {
                            let #found = #name.value().and_then(|set| set.has(#v1::Needle::#class(#option)));
                        });
                        Datum { value: quote!(#found.unwrap_or_default()), has: Some(quote!(#found.is_some())) }
                    }
                }
            }
        }
    }

    /// A question that is answered before the loop; that it has no answer is a fault of the rows that come here.
    fn ask(&mut self, name: &Ident, answer: TokenStream, init: TokenStream, out: &mut TokenStream) {
        let v1 = self.v1;
        self.fallible = true;
        self.asks.push(Ask { name: name.clone(), ty: quote!(#v1::Asked<#answer>), init });
        out.extend(quote!(#v1::Faults::unanswered(faults, #name.failed());));
    }

    fn column(&mut self, idx: usize, expr: &Expr, out: &mut TokenStream) -> Datum {
        self.columns.insert(idx);
        let (column, present) = (format_ident!("c{idx}"), format_ident!("n{idx}"));
        let value = self.name("v");
        match expr.ty.lane() {
            LaneKind::Bool => out.extend(quote!(let #value = #column[row] != 0;)),
            LaneKind::I64 | LaneKind::F64 | LaneKind::I128 => out.extend(quote!(let #value = #column[row];)),
            LaneKind::Bytes => {
                let v1 = self.v1;
                out.extend(quote!(let #value = #v1::Access::at(#column, row);));
            }
        }
        let has = self.fields[idx].nullable.then(|| quote!(#present[row]));
        Datum { value: quote!(#value), has }
    }

    fn call(&mut self, function: &'static Function, args: &[Expr], expr: &Expr, out: &mut TokenStream) -> Datum {
        let v1 = self.v1;
        let path = leaf(v1, function);
        let data: Vec<Datum> = args.iter().map(|arg| self.expr(arg, out)).collect();
        let values: Vec<&TokenStream> = data.iter().map(|datum| &datum.value).collect();
        let presences: Vec<&TokenStream> = data.iter().filter_map(|datum| datum.has.as_ref()).collect();
        let value = self.name("v");
        if function.shape == Shape::NullAware {
            let options = data.iter().map(option_of);
            out.extend(quote!(let #value = #path(#(#options),*);));
            return Datum { value: quote!(#value), has: None };
        }
        let has = match presences.as_slice() {
            [] => None,
            [one] => Some(quote!(#one)),
            several => {
                let has = self.name("h");
                out.extend(quote!(let #has = #(#several)&*;));
                Some(quote!(#has))
            }
        };
        let counted = has.clone().unwrap_or_else(|| quote!(true));
        let report = self.report(function, args, &values, expr);
        if function.ret.lane() == LaneKind::Bytes {
            let buffer = format_ident!("b{}", self.buffers.len());
            let (ty, read) = match function.ret {
                class if is_bytes(class) => (quote!(::std::vec::Vec<u8>), quote!(as_slice)),
                _ => (quote!(::std::string::String), quote!(as_str)),
            };
            self.buffers.push((buffer.clone(), ty));
            out.extend(quote!(#buffer.clear();));
            let called = quote!(#path(#(#values,)* #buffer));
            let mut has = has;
            match function.shape {
                Shape::Total => out.extend(quote!(if #counted { #called; })),
                Shape::Fallible => {
                    self.fallible = true;
                    let fault = self.name("f");
                    out.extend(quote! {
                        let #fault = if #counted { #called } else { #v1::Fault::Ok };
                        #v1::Faults::raise(faults, #fault, #counted, || #report);
                    });
                }
                Shape::Partial => {
                    let found = self.name("h");
                    out.extend(quote!(let #found = #counted && #called;));
                    out.extend(quote!(if !#found { #buffer.clear(); }));
                    has = Some(quote!(#found));
                }
                Shape::NullAware => unreachable!("no null-aware function gives a text"),
            }
            out.extend(quote!(let #value = #buffer.#read();));
            return Datum { value: quote!(#value), has };
        }
        match function.shape {
            Shape::Total => {
                out.extend(quote!(let #value = #path(#(#values),*);));
                Datum { value: quote!(#value), has }
            }
            Shape::Fallible => {
                self.fallible = true;
                let fault = self.name("f");
                out.extend(quote! {
                    let (#value, #fault) = #path(#(#values),*);
                    #v1::Faults::raise(faults, #fault, #counted, || #report);
                });
                Datum { value: quote!(#value), has }
            }
            Shape::Partial => {
                let (found, present) = (self.name("o"), self.name("h"));
                out.extend(quote! {
                    let #found = if #counted { #path(#(#values),*) } else { ::core::option::Option::None };
                    let #present = #found.is_some();
                    let #value = #found.unwrap_or_default();
                });
                Datum { value: quote!(#value), has: Some(quote!(#present)) }
            }
            Shape::NullAware => unreachable!("handled above"),
        }
    }

    /// The error of a row at a call, built only when it is raised.
    fn report(&self, function: &Function, args: &[Expr], values: &[&TokenStream], expr: &Expr) -> TokenStream {
        let v1 = self.v1;
        let name = function.name;
        let ret = class_ident(function.ret);
        let at = place(v1, expr.span);
        let shown = args.iter().zip(values).map(|(arg, value)| value_tokens(v1, arg.ty, value));
        quote!(#v1::row_error(#name, #v1::kernel::ty::TypeClass::#ret, ::std::vec![#(#shown),*], #at))
    }

    /// AND and OR, three-valued. `stop` is the value that decides: false for AND, true for OR.
    fn connective(&mut self, arms: &[Expr], is_and: bool, out: &mut TokenStream) -> Datum {
        let mut so_far: Option<Datum> = None;
        for arm in arms {
            let next = match &so_far {
                None => self.expr(arm, out),
                Some(_) if is_cheap(arm) => self.expr(arm, out),
                Some(before) => {
                    // Earlier arms leave a row open unless they decide it.
                    let decided = decided(before, is_and);
                    let neutral = quote!(#is_and);
                    let mut inner = TokenStream::new();
                    let datum = self.expr(arm, &mut inner);
                    let value = self.name("v");
                    let inner_value = &datum.value;
                    match &datum.has {
                        None => {
                            out.extend(quote!(let #value = if #decided { #neutral } else { #inner #inner_value };));
                            Datum { value: quote!(#value), has: None }
                        }
                        Some(inner_has) => {
                            let has = self.name("h");
                            out.extend(quote! {
                                let (#value, #has) =
                                    if #decided { (#neutral, true) } else { #inner (#inner_value, #inner_has) };
                            });
                            Datum { value: quote!(#value), has: Some(quote!(#has)) }
                        }
                    }
                }
            };
            so_far = Some(match so_far {
                None => next,
                Some(before) => self.join(&before, &next, is_and, out),
            });
        }
        so_far.unwrap_or(Datum { value: quote!(#is_and), has: None })
    }

    fn join(&mut self, a: &Datum, b: &Datum, is_and: bool, out: &mut TokenStream) -> Datum {
        let (av, bv) = (&a.value, &b.value);
        let value = self.name("v");
        if a.has.is_none() && b.has.is_none() {
            out.extend(if is_and { quote!(let #value = #av & #bv;) } else { quote!(let #value = #av | #bv;) });
            return Datum { value: quote!(#value), has: None };
        }
        let has = self.name("h");
        let is_true = |datum: &Datum| {
            let value = &datum.value;
            match &datum.has {
                None => quote!(#value),
                Some(has) => quote!((#value & #has)),
            }
        };
        let is_false = |datum: &Datum| {
            let value = &datum.value;
            match &datum.has {
                None => quote!(!#value),
                Some(has) => quote!((!#value & #has)),
            }
        };
        let (at, bt, af, bf) = (is_true(a), is_true(b), is_false(a), is_false(b));
        out.extend(if is_and {
            quote!(let #value = #at & #bt; let #has = #value | #af | #bf;)
        } else {
            quote!(let #value = #at | #bt; let #has = #value | (#af & #bf);)
        });
        Datum { value: quote!(#value), has: Some(quote!(#has)) }
    }

    fn case(&mut self, arms: &[(Expr, Expr)], otherwise: Option<&Expr>, expr: &Expr, out: &mut TokenStream) -> Datum {
        let (value, has) = (self.name("v"), self.name("h"));
        let ty = lane_type(expr.ty.class());
        let branches = self.branches(arms, otherwise, expr);
        out.extend(quote!(let (#value, #has): (#ty, bool) = { #branches };));
        Datum { value: quote!(#value), has: Some(quote!(#has)) }
    }

    fn branches(&mut self, arms: &[(Expr, Expr)], otherwise: Option<&Expr>, expr: &Expr) -> TokenStream {
        let pair = |datum: Datum| {
            let value = datum.value;
            let has = datum.has.unwrap_or_else(|| quote!(true));
            quote!((#value, #has))
        };
        let mut inner = TokenStream::new();
        let Some(((condition, arm), rest)) = arms.split_first() else {
            let datum = match otherwise {
                Some(otherwise) => self.expr(otherwise, &mut inner),
                None => Datum { value: any_value(expr.ty.class()), has: Some(quote!(false)) },
            };
            let pair = pair(datum);
            return quote!(#inner #pair);
        };
        let condition = self.condition(condition, &mut inner);
        let mut taken = TokenStream::new();
        let pair = pair(self.expr(arm, &mut taken));
        let rest = self.branches(rest, otherwise, expr);
        quote!(#inner if #condition { #taken #pair } else { #rest })
    }
}

/// Does the datum decide a connective?
fn decided(datum: &Datum, is_and: bool) -> TokenStream {
    let value = &datum.value;
    let decides = if is_and { quote!(!#value) } else { quote!(#value) };
    match &datum.has {
        None => decides,
        Some(has) => quote!((#decides & #has)),
    }
}

/// The datum as an `Option`.
fn option_of(datum: &Datum) -> TokenStream {
    let value = &datum.value;
    match &datum.has {
        None => quote!(::core::option::Option::Some(#value)),
        Some(has) => quote!((#has).then_some(#value)),
    }
}

/// The path of a leaf.
fn leaf(v1: &TokenStream, function: &Function) -> TokenStream {
    let parts = function.path.split("::").map(|part| Ident::new(part, Span::call_site()));
    quote!(#v1::kernel #(::#parts)*)
}

/// A value of the loop as a `Value`.
pub fn value_tokens(v1: &TokenStream, ty: Type, value: &TokenStream) -> TokenStream {
    let class = class_ident(ty.class());
    match ty.plain() {
        Type::Numeric { scale, .. } => {
            quote!(#v1::Value::Numeric(#v1::Decimal { units: #value, scale: #scale }))
        }
        Type::Text | Type::Json => quote!(#v1::Value::#class(::std::string::String::from(#value))),
        Type::Blob => quote!(#v1::Value::Blob(<[u8]>::to_vec(#value))),
        Type::Array(_) => quote!(#v1::Value::Array(#v1::Array::from_bytes(<[u8]>::to_vec(#value)))),
        Type::BigNumeric => quote!(#v1::Value::BigNumeric(#v1::BigNumeric::from_bytes(<[u8]>::to_vec(#value)))),
        Type::Date => quote!(#v1::Value::Date(#v1::date_of(#value))),
        Type::Timestamp => quote!(#v1::Value::Timestamp(#v1::Timestamp(#value))),
        Type::Time | Type::TimestampTz => quote!(#v1::Value::#class(#v1::#class(#value))),
        Type::Interval | Type::Uuid => quote!(#v1::Value::#class(#v1::#class::from_lane(#value))),
        Type::Boolean | Type::Integer | Type::Real => quote!(#v1::Value::#class(#value)),
        Type::Jsonb
        | Type::SmallInt
        | Type::Int4
        | Type::Float4
        | Type::Varchar { .. }
        | Type::Char { .. }
        | Type::WideNumeric { .. }
        | Type::Rounded { .. } => {
            unreachable!("the type was made plain")
        }
    }
}

fn constant(value: &Value, ty: Type) -> Datum {
    let tokens = match value {
        Value::Null => return Datum { value: any_value(ty.class()), has: Some(quote!(false)) },
        Value::Boolean(value) => quote!(#value),
        Value::Integer(value) => signed(i128::from(*value), Literal::i64_suffixed),
        Value::Real(value) => {
            let bits = Literal::u64_suffixed(value.to_bits());
            quote!(f64::from_bits(#bits))
        }
        Value::Numeric(_) | Value::Interval(_) | Value::Uuid(_) => {
            let units = value.lane_i128().expect("it lies in that lane");
            if units >= 0 {
                let units = Literal::i128_suffixed(units);
                quote!(#units)
            } else {
                let bits = Literal::u128_suffixed(units as u128);
                quote!((#bits as i128))
            }
        }
        Value::Text(text) | Value::Json(text) => quote!(#text),
        Value::Blob(bytes) => {
            let bytes = Literal::byte_string(bytes);
            quote!((#bytes as &[u8]))
        }
        Value::Array(array) => {
            let bytes = Literal::byte_string(array.bytes());
            quote!((#bytes as &[u8]))
        }
        Value::BigNumeric(number) => {
            let bytes = Literal::byte_string(number.bytes());
            quote!((#bytes as &[u8]))
        }
        Value::Date(date) => signed(i128::from(date.0), Literal::i64_suffixed),
        Value::Timestamp(_) | Value::Time(_) | Value::TimestampTz(_) => {
            signed(i128::from(value.lane_i64().expect("it lies in that lane")), Literal::i64_suffixed)
        }
    };
    Datum { value: tokens, has: None }
}

/// A 64-bit integer; `i64::MIN` has no literal of its own.
fn signed(value: i128, literal: fn(i64) -> Literal) -> TokenStream {
    let value = i64::try_from(value).expect("the lane holds 64 bits");
    if value == i64::MIN {
        return quote!(i64::MIN);
    }
    if value >= 0 {
        let literal = literal(value);
        return quote!(#literal);
    }
    let magnitude = literal(-value);
    quote!((-#magnitude))
}
