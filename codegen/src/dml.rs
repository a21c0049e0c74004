//! What becomes of INSERT, UPDATE and DELETE?
//!
//! They are bound against the schemas like queries, so names, types and parameters are checked when the program is
//! compiled. What is left to do is dominated by looking up and recording facts, so the session runs them from its plan
//! cache; the arguments are typed.

use crate::{input::SqlInput, params::Arguments};
use proc_macro2::TokenStream;
use quote::quote;

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
