//! What becomes of INSERT, UPDATE, DELETE and MERGE?
//!
//! They are bound against the schemas like queries, so names, types and parameters are checked when the program is
//! compiled. What is left to do is dominated by looking up and recording facts, so the session runs them from its plan
//! cache; the arguments are typed, and so are the rows of RETURNING.

use crate::{input::SqlInput, params::Arguments, rows, schema};
use proc_macro2::TokenStream;
use quote::quote;
use spectradb_grammar::plan::Field;

/// Prints a change that gives rows.
pub fn returning(
    krate: &TokenStream,
    v1: &TokenStream,
    input: &SqlInput,
    fields: &[Field],
    arguments: &Arguments,
) -> TokenStream {
    let Arguments { bind, values, .. } = arguments;
    let (session, sql) = (&input.session, &input.sql);
    let row = rows::row(krate, fields, input.row.as_ref());
    let (items, path, read) = (row.items, row.path, row.read);
    let types = fields.iter().map(|field| {
        let (ty, nullable) = (schema::type_tokens(krate, field.ty), field.nullable);
        quote!((#ty, #nullable))
    });
    quote! {{
        #bind
        let spectra_values = [#(#values),*];
        #[allow(unused_imports, unused_parens, clippy::allow_attributes)]
        let spectra_batches = {
            use #v1::{DatabaseWrites as _, SessionWrites as _};
            (#session).__spectradb_returning(#sql, &spectra_values, &[#(#types),*])
        };
        {
            #items
            #[allow(unused_variables, clippy::all, clippy::allow_attributes)]
            fn spectra_read(batch: &#v1::Batch, rows: &mut ::std::vec::Vec<#path>) {
                #read
            }
            #v1::returned(spectra_batches, spectra_read, #sql)
        }
    }}
}

/// Prints a change.
pub fn change(v1: &TokenStream, input: &SqlInput, arguments: &Arguments) -> TokenStream {
    let Arguments { bind, values, .. } = arguments;
    let (session, sql) = (&input.session, &input.sql);
    quote! {{
        #bind
        let spectra_values = [#(#values),*];
        #[allow(unused_imports, unused_parens, clippy::allow_attributes)]
        let spectra_done = {
            use #v1::{DatabaseWrites as _, SessionWrites as _};
            (#session).__spectradb_execute(#sql, &spectra_values)
        };
        spectra_done
    }}
}
