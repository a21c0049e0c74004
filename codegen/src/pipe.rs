//! How does a pipeline of filters and computed columns become one typed loop over a batch?
//!
//! Filters and projections between two operators form a stage: a struct that holds what the loop needs from outside, and a
//! `Stage` implementation whose `run` goes through the batch. Consecutive steps become segments: a filter that notes the
//! rows it lets through, then one loop that fills the computed columns of these rows. Columns that only pass are shared.
//!
//! Holds: what a stage gives does not depend on how rows are cut into batches; a step is not run for rows that an earlier
//! one dropped.
//! Not here: the value of an expression for a row (`expr`), operators (`nodes`).

use crate::{
    expr::{Ask, Body, Datum, ParamSlot, is_bytes},
    schema::type_tokens,
};
use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};
use spectradb_grammar::plan::{Expr, ExprKind, Field};
use spectradb_kernel::{
    Type,
    ty::{LaneKind, TypeClass},
};
use std::collections::BTreeSet;

/// One thing a stage does to its rows.
#[derive(Clone, Debug)]
pub enum Step {
    /// Keeps the rows for which it is true.
    Filter(Expr),
    /// Gives these columns instead.
    Project(Vec<Expr>),
    /// Gives these columns besides.
    Append(Vec<Expr>),
}

/// What every stage of a query shares.
#[derive(Clone, Copy)]
pub struct Shared<'p> {
    /// The path of the crate.
    pub krate: &'p TokenStream,
    /// The path of the door.
    pub v1: &'p TokenStream,
    /// The statement's parameters.
    pub params: &'p [ParamSlot],
}

/// A printed stage: its items, and the expression that builds one.
pub struct PrintedStage {
    /// The struct and its implementation.
    pub items: TokenStream,
    /// Statements (with `?`) that answer the stage's questions to subplans.
    pub asks: TokenStream,
    /// The stage itself.
    pub value: TokenStream,
}

/// Prints a stage named `name` over an input's columns.
pub fn stage(shared: Shared<'_>, name: &Ident, fields: &[Field], steps: &[Step]) -> PrintedStage {
    let v1 = shared.v1;
    let mut fields = fields.to_vec();
    let mut asks: Vec<Ask> = Vec::new();
    let mut params_read = BTreeSet::new();
    let mut segments = TokenStream::new();
    let mut fallible = false;
    for (filter, output) in segments_of(steps) {
        let mut printed = Segment { shared, fields: &fields, asks_before: asks.len() }.print(filter.as_ref(), output);
        segments.extend(printed.tokens);
        asks.append(&mut printed.asks);
        params_read.extend(printed.params_read);
        fallible |= printed.fallible;
        fields = printed.fields;
    }
    let params = read_params(shared, &params_read);
    let (names, types): (Vec<_>, Vec<_>) = asks.iter().map(|ask| (&ask.name, &ask.ty)).unzip();
    let inits = asks.iter().map(|ask| &ask.init);
    let ask_params = names.iter().map(|ask| quote!(let #ask = &self.#ask;));
    let items = quote! {
        struct #name {
            env: ::std::sync::Arc<SpectraEnv>,
            #(#names: #types,)*
        }
        impl #v1::Stage for #name {
            const FALLIBLE: bool = #fallible;
            #[allow(unused_variables, unused_mut, unused_parens, clippy::all)]
            fn run<F: #v1::Faults>(&mut self, input: &#v1::Batch, faults: &mut F) -> #v1::Batch {
                let env = &*self.env;
                #(#ask_params)*
                #params
                let batch = ::core::clone::Clone::clone(input);
                #segments
                batch
            }
        }
    };
    PrintedStage {
        items,
        asks: quote!(#(let #names = #inits;)*),
        value: quote!(#name { env: ::std::sync::Arc::clone(env), #(#names,)* }),
    }
}

/// The value of an expression without columns, as an expression of type `Result<Value, ExecError>`.
pub fn constant(shared: Shared<'_>, expr: &Expr) -> TokenStream {
    let v1 = shared.v1;
    if let ExprKind::Const(_) = &expr.kind {
        let value = const_value(v1, expr);
        return quote!(::core::result::Result::Ok::<#v1::Value, #v1::ExecError>(#value));
    }
    let mut body = Body::new(v1, &[], shared.params, 0);
    let mut statements = TokenStream::new();
    let datum = body.expr(expr, &mut statements);
    let value = crate::expr::value_tokens(v1, expr.ty, &datum.value);
    let value = match &datum.has {
        None => value,
        Some(has) => quote!(if #has { #value } else { #v1::Value::Null }),
    };
    let asks = body.asks.iter().map(|Ask { name, init, .. }| quote!(let #name = &#init;));
    let buffers = buffers(&body);
    let params = read_params(shared, &body.params_read);
    quote! {
        (|| -> ::core::result::Result<#v1::Value, #v1::ExecError> {
            #(#asks)*
            #params
            #buffers
            let faults = &mut #v1::First::default();
            #statements
            let value = #value;
            faults.done(value)
        })()
    }
}

/// A constant as a `Value`.
fn const_value(v1: &TokenStream, expr: &Expr) -> TokenStream {
    let mut none = TokenStream::new();
    let datum = Body::new(v1, &[], &[], 0).expr(expr, &mut none);
    let is_null = matches!(&expr.kind, ExprKind::Const(value) if value.is_null());
    if is_null { quote!(#v1::Value::Null) } else { crate::expr::value_tokens(v1, expr.ty, &datum.value) }
}

pub(crate) fn read_params(shared: Shared<'_>, read: &BTreeSet<usize>) -> TokenStream {
    let mut tokens = TokenStream::new();
    for idx in read {
        let slot = &shared.params[*idx];
        let (value, has) = (format_ident!("p{idx}"), format_ident!("hp{idx}"));
        tokens.extend(match slot.ty.lane() {
            LaneKind::Bytes if is_bytes(slot.ty.class()) => quote!(let #value = env.#value.as_slice();),
            LaneKind::Bytes => quote!(let #value = env.#value.as_str();),
            LaneKind::Bool | LaneKind::I64 | LaneKind::F64 | LaneKind::I128 => quote!(let #value = env.#value;),
        });
        if slot.optional {
            tokens.extend(quote!(let #has = env.#has;));
        }
    }
    tokens
}

pub(crate) fn buffers(body: &Body<'_>) -> TokenStream {
    let (names, types): (Vec<_>, Vec<_>) = body.buffers.iter().map(|(name, ty)| (name, ty)).unzip();
    quote!(#(let #names: &mut #types = &mut <#types>::new();)*)
}

/// What a segment gives.
enum Output<'s> {
    Same,
    Project(&'s [Expr]),
    Append(&'s [Expr]),
}

/// Runs of filters with what follows them.
fn segments_of(steps: &[Step]) -> Vec<(Option<Expr>, Output<'_>)> {
    let mut segments = Vec::new();
    let mut filters: Vec<Expr> = Vec::new();
    for step in steps {
        match step {
            Step::Filter(expr) => filters.push(expr.clone()),
            Step::Project(exprs) => segments.push((conjunction(&mut filters), Output::Project(exprs))),
            Step::Append(exprs) => segments.push((conjunction(&mut filters), Output::Append(exprs))),
        }
    }
    if let Some(filter) = conjunction(&mut filters) {
        segments.push((Some(filter), Output::Same));
    }
    segments
}

/// Filters one after another are their conjunction: a row that one drops is not asked further.
pub(crate) fn conjunction(filters: &mut Vec<Expr>) -> Option<Expr> {
    let mut filters = std::mem::take(filters);
    if filters.len() < 2 {
        return filters.pop();
    }
    let span = filters[0].span;
    let nullable = filters.iter().any(|filter| filter.nullable);
    Some(Expr { kind: ExprKind::And(filters), ty: Type::Boolean, nullable, span })
}

struct Segment<'p> {
    shared: Shared<'p>,
    fields: &'p [Field],
    asks_before: usize,
}

struct PrintedSegment {
    tokens: TokenStream,
    asks: Vec<Ask>,
    params_read: BTreeSet<usize>,
    fallible: bool,
    fields: Vec<Field>,
}

/// A computed column under construction.
pub(crate) struct Filled {
    pub(crate) before: TokenStream,
    pub(crate) in_loop: TokenStream,
    pub(crate) after: TokenStream,
}

impl Segment<'_> {
    fn print(&self, filter: Option<&Expr>, output: Output<'_>) -> PrintedSegment {
        let Segment { shared, fields, asks_before } = *self;
        let v1 = shared.v1;
        let mut body = Body::new(v1, fields, shared.params, asks_before);
        let mut filter_body = TokenStream::new();
        let condition = filter.map(|filter| body.condition(filter, &mut filter_body));
        let exprs: &[Expr] = match output {
            Output::Same => &[],
            Output::Project(exprs) | Output::Append(exprs) => exprs,
        };
        let mut gathered = BTreeSet::new();
        let mut loop_body = TokenStream::new();
        let (mut before, mut columns) = (TokenStream::new(), Vec::new());
        let mut computes = false;
        if matches!(output, Output::Append(_)) {
            for idx in 0..fields.len() {
                gathered.insert(idx);
                columns.push(passing(idx, filter.is_some()));
            }
        }
        for (position, expr) in exprs.iter().enumerate() {
            match &expr.kind {
                ExprKind::Column(idx) => {
                    gathered.insert(*idx);
                    let column = passing(*idx, filter.is_some());
                    // Two types of one lane may meet here, such as NUMERICs of two precisions.
                    columns.push(if fields[*idx].ty == expr.ty {
                        column
                    } else {
                        let ty = type_tokens(shared.krate, expr.ty);
                        quote!(#column.with_ty(#ty))
                    });
                }
                ExprKind::Const(_) => {
                    let ty = type_tokens(shared.krate, expr.ty);
                    let value = const_value(v1, expr);
                    columns.push(quote!(#v1::constant_column(#ty, #value, count)));
                }
                ExprKind::Param(_)
                | ExprKind::Context(_)
                | ExprKind::Call { .. }
                | ExprKind::And(_)
                | ExprKind::Or(_)
                | ExprKind::Case { .. }
                | ExprKind::Outer(_)
                | ExprKind::Subplan { .. } => {
                    computes = true;
                    let datum = body.expr(expr, &mut loop_body);
                    let filled = fill(shared, position, expr.ty, &datum);
                    before.extend(filled.before);
                    loop_body.extend(filled.in_loop);
                    columns.push(filled.after);
                }
            }
        }
        let loads = loads(v1, &body, &gathered, fields);
        let buffers = buffers(&body);
        let filtering = condition.map(|condition| {
            quote! {
                let mut rows = ::std::vec![0u32; len];
                let mut kept = 0usize;
                for row in 0..len {
                    #filter_body
                    rows[kept] = row as u32;
                    kept += usize::from(#condition);
                }
                rows.truncate(kept);
            }
        });
        let count = if filter.is_some() { quote!(kept) } else { quote!(len) };
        let row_loop = computes.then(|| {
            if filter.is_some() {
                quote!(for place in 0..count { let row = rows[place] as usize; #loop_body })
            } else {
                quote!(for row in 0..count { let place = row; #loop_body })
            }
        });
        let result = match output {
            Output::Same => quote!(if kept == len { batch } else { batch.select(rows) }),
            Output::Project(_) | Output::Append(_) => {
                quote!(#v1::Batch::new(::std::vec![#(#columns),*], count))
            }
        };
        let tokens = quote! {
            let batch = {
                let len = batch.len();
                #loads
                #buffers
                #filtering
                let count: usize = #count;
                #before
                #row_loop
                #result
            };
        };
        PrintedSegment {
            tokens,
            params_read: body.params_read,
            fallible: body.fallible,
            asks: body.asks,
            fields: fields_after(fields, &output),
        }
    }
}

/// The columns of a batch as slices for a loop.
pub(crate) fn loads(v1: &TokenStream, body: &Body<'_>, gathered: &BTreeSet<usize>, fields: &[Field]) -> TokenStream {
    let mut loads = TokenStream::new();
    for idx in body.columns.union(gathered) {
        let number = Literal::usize_unsuffixed(*idx);
        let column = format_ident!("k{idx}");
        loads.extend(quote!(let #column = batch.column(#number);));
        if !body.columns.contains(idx) {
            continue;
        }
        let (store, slice) = (format_ident!("s{idx}"), format_ident!("c{idx}"));
        loads.extend(match fields[*idx].ty.class() {
            TypeClass::Boolean => quote!(let #store = #v1::bools(&#column); let #slice = &#store[..len];),
            TypeClass::Integer | TypeClass::Date | TypeClass::Timestamp | TypeClass::Time | TypeClass::TimestampTz => {
                quote!(let #store = #v1::i64s(&#column); let #slice = &#store[..len];)
            }
            TypeClass::Real => quote!(let #store = #v1::f64s(&#column); let #slice = &#store[..len];),
            TypeClass::Numeric | TypeClass::Interval | TypeClass::Uuid => {
                quote!(let #store = #v1::i128s(&#column); let #slice = &#store[..len];)
            }
            TypeClass::Text | TypeClass::Json => quote!(let #slice = #v1::texts(&#column);),
            TypeClass::Blob | TypeClass::Array | TypeClass::BigNumeric => {
                quote!(let #slice = #column.byte_vals();)
            }
        });
        if fields[*idx].nullable {
            let (bits, present) = (format_ident!("w{idx}"), format_ident!("n{idx}"));
            loads.extend(quote!(let #bits = #v1::present(&#column); let #present = &#bits[..len];));
        }
    }
    loads
}

/// A column that passes: its rows that the filter let through.
fn passing(idx: usize, filtered: bool) -> TokenStream {
    let column = format_ident!("k{idx}");
    if filtered {
        quote!(if kept == len { #column.clone() } else { #column.take(&rows) })
    } else {
        quote!(#column.clone())
    }
}

/// How a computed column is filled: row `place` of `count`.
fn fill(shared: Shared<'_>, position: usize, ty: Type, datum: &Datum) -> Filled {
    let v1 = shared.v1;
    let (values, mask) = (format_ident!("o{position}"), format_ident!("m{position}"));
    let value = &datum.value;
    let sql_type = type_tokens(shared.krate, ty);
    let (mask_before, mask_in, mask_after) = match &datum.has {
        None => (quote!(), quote!(), quote!(::core::option::Option::None)),
        Some(has) => (
            quote!(let mut #mask = ::std::vec![false; count];),
            quote!(#mask[place] = #has;),
            quote!(::core::option::Option::Some(#mask)),
        ),
    };
    let (before, in_loop) = match ty.lane() {
        LaneKind::Bool => {
            (quote!(let mut #values = ::std::vec![0u8; count];), quote!(#values[place] = u8::from(#value);))
        }
        LaneKind::I64 => (quote!(let mut #values = ::std::vec![0i64; count];), quote!(#values[place] = #value;)),
        LaneKind::F64 => (quote!(let mut #values = ::std::vec![0f64; count];), quote!(#values[place] = #value;)),
        LaneKind::I128 => (quote!(let mut #values = ::std::vec![0i128; count];), quote!(#values[place] = #value;)),
        LaneKind::Bytes => {
            let bytes = if is_bytes(ty.class()) { quote!(#value) } else { quote!(#value.as_bytes()) };
            (quote!(let mut #values = #v1::ByteSink::with_capacity(count, 0);), quote!(#values.push(#bytes);))
        }
    };
    let finish = match ty.lane() {
        LaneKind::Bool => quote!(bool_column),
        LaneKind::I64 => quote!(i64_column),
        LaneKind::F64 => quote!(f64_column),
        LaneKind::I128 => quote!(i128_column),
        LaneKind::Bytes => quote!(bytes_column),
    };
    Filled {
        before: quote!(#before #mask_before),
        in_loop: quote!(#in_loop #mask_in),
        after: quote!(#v1::#finish(#sql_type, #values, #mask_after)),
    }
}

fn field_of(expr: &Expr) -> Field {
    Field { name: String::new(), ty: expr.ty, nullable: expr.nullable }
}

fn fields_after(fields: &[Field], output: &Output<'_>) -> Vec<Field> {
    match output {
        Output::Same => fields.to_vec(),
        Output::Project(exprs) => exprs.iter().map(field_of).collect(),
        Output::Append(exprs) => fields.iter().cloned().chain(exprs.iter().map(field_of)).collect(),
    }
}
