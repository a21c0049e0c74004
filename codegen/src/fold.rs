//! When do filter, arguments and sums of an ungrouped aggregate become one loop?
//!
//! Counting, adding up and comparing numbers needs no column in between: each row's arguments are computed and folded in
//! the loop that filters, without a branch. The folds themselves are the runtime's, and add in row order as the
//! accumulators of the kernel do.
//!
//! Holds: only folds whose result is the same as the accumulator's, bit by bit.
//! Not here: groups, DISTINCT, texts and decimals, which go through the aggregate operator.

use crate::{
    expr::{Body, place},
    pipe::{self, Shared, Step},
    schema::type_tokens,
};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use spectradb_grammar::plan::{AggregateCall, Expr, Field};
use spectradb_kernel::ty::TypeClass;
use std::collections::BTreeSet;

/// A printed fold: its items, and the expression that builds one.
pub struct PrintedFold {
    /// The struct and its implementation.
    pub items: TokenStream,
    /// Statements (with `?`) that answer its questions to subplans.
    pub asks: TokenStream,
    /// The fold itself.
    pub value: TokenStream,
}

/// The runtime's fold of an aggregate, where there is one.
fn folder(call: &AggregateCall) -> Option<&'static str> {
    if call.distinct {
        return None;
    }
    match (call.aggregate.name, call.aggregate.arg) {
        ("count", _) => Some("Count"),
        ("sum", Some(TypeClass::Integer)) => Some("SumInteger"),
        ("sum", Some(TypeClass::Real)) => Some("SumReal"),
        ("avg", Some(TypeClass::Real)) => Some("MeanReal"),
        _ => None,
    }
}

/// Can the steps below an ungrouped aggregate and the aggregate itself be one loop?
pub fn can_fuse(steps: &[Step], aggregates: &[AggregateCall]) -> bool {
    !aggregates.is_empty()
        && steps.iter().all(|step| matches!(step, Step::Filter(_)))
        && aggregates.iter().all(|call| folder(call).is_some())
}

/// Prints the fused loop.
pub fn fold(
    shared: Shared<'_>,
    name: &Ident,
    fields: &[Field],
    steps: &[Step],
    aggregates: &[AggregateCall],
) -> PrintedFold {
    let v1 = shared.v1;
    let mut body = Body::new(v1, fields, shared.params, 0);
    let mut statements = TokenStream::new();
    let mut filters: Vec<Expr> = steps
        .iter()
        .map(|step| match step {
            Step::Filter(expr) => expr.clone(),
            Step::Project(_) | Step::Append(_) => unreachable!("only filters are fused"),
        })
        .collect();
    let keep = match pipe::conjunction(&mut filters) {
        None => quote!(true),
        Some(filter) => {
            let condition = body.condition(&filter, &mut statements);
            statements.extend(quote!(let keep = #condition;));
            quote!(keep)
        }
    };
    let (mut states, mut types, mut finishes, mut adds) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (idx, call) in aggregates.iter().enumerate() {
        let state = format_ident!("a{idx}");
        let ty = format_ident!("{}", folder(call).expect("only such calls are fused"));
        let mut inner = TokenStream::new();
        let datum = call.arg.as_ref().map(|arg| (body.expr(arg, &mut inner), arg));
        // An argument that may fail, or costs much, is computed only for rows that count.
        let is_plain = inner.is_empty() || !body.fallible && body.buffers.is_empty();
        let counts = match datum.as_ref().and_then(|(datum, _)| datum.has.as_ref()) {
            None => quote!(#keep),
            Some(has) => quote!((#keep & #has)),
        };
        let value = match (&datum, call.aggregate.name) {
            (None, _) | (Some(_), "count") => quote!(),
            (Some((datum, _)), _) => {
                let value = &datum.value;
                quote!(#value,)
            }
        };
        adds.push(if is_plain || steps.is_empty() {
            quote!(#inner #state.add(#value #counts);)
        } else {
            quote!(if #keep { #inner #state.add(#value #counts); })
        });
        let at = place(v1, call.span);
        let sql_type = type_tokens(shared.krate, call.ty);
        finishes.push(quote!(self.#state.finish(#sql_type, #at)?));
        states.push(state);
        types.push(ty);
    }
    let loads = pipe::loads(v1, &body, &BTreeSet::new(), fields);
    let buffers = pipe::buffers(&body);
    let params = pipe::read_params(shared, &body.params_read);
    let (names, ask_types): (Vec<_>, Vec<_>) = body.asks.iter().map(|ask| (&ask.name, &ask.ty)).unzip();
    let inits = body.asks.iter().map(|ask| &ask.init);
    let places = aggregates.iter().map(|call| place(v1, call.span));
    let items = quote! {
        struct #name {
            env: ::std::sync::Arc<SpectraEnv>,
            #(#names: #ask_types,)*
            #(#states: #v1::#types,)*
        }
        impl #v1::Fold for #name {
            #[allow(unused_variables, unused_mut, unused_parens, clippy::all)]
            fn run<F: #v1::Faults>(&mut self, batch: &#v1::Batch, faults: &mut F) {
                let env = &*self.env;
                #(let #names = &self.#names;)*
                #params
                let len = batch.len();
                #loads
                #buffers
                #(let mut #states = self.#states.begin();)*
                for row in 0..len {
                    #statements
                    #(#adds)*
                }
                #(self.#states.end(#states, faults, #places);)*
            }
            fn save(&self) -> Self {
                #name {
                    env: ::std::sync::Arc::clone(&self.env),
                    #(#names: ::core::clone::Clone::clone(&self.#names),)*
                    #(#states: ::core::clone::Clone::clone(&self.#states),)*
                }
            }
            fn finish(&mut self) -> ::core::result::Result<::std::vec::Vec<#v1::Column>, #v1::ExecError> {
                ::core::result::Result::Ok(::std::vec![#(#finishes),*])
            }
        }
    };
    let (defaults, inits): (Vec<_>, Vec<_>) =
        (states.iter().map(|state| quote!(#state: ::core::default::Default::default())).collect(), inits.collect());
    let value = quote!(#name { env: ::std::sync::Arc::clone(env), #(#names,)* #(#defaults),* });
    PrintedFold { items, asks: quote!(#(let #names = #inits;)*), value }
}
