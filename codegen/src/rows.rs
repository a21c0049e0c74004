//! Which struct are the rows of a query?
//!
//! A field for each column, under its name, an `Option` only where the plan says that it may be NULL; or a struct of the
//! caller's, which then must have these fields. Rows are read from a batch column by column, without a `Value`.

use crate::{names, schema};
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use spectradb_grammar::plan::Field;

/// The row's type and how it is read.
pub struct PrintedRow {
    /// The struct, where it is ours.
    pub items: TokenStream,
    /// Its path.
    pub path: TokenStream,
    /// Statements that push the rows of `batch` to `rows`.
    pub read: TokenStream,
}

/// Prints the row of these columns.
pub fn row(krate: &TokenStream, fields: &[Field], own: Option<&syn::Path>) -> PrintedRow {
    let v1 = quote!(#krate::private::v1);
    let idents = names::fields_of(fields.iter().map(|field| field.name.as_str()), Span::call_site());
    let types: Vec<TokenStream> =
        fields.iter().map(|field| schema::rust_type(krate, field.ty, field.nullable, Span::call_site())).collect();
    let (items, path) = match own {
        Some(path) => (TokenStream::new(), quote!(#path)),
        None => {
            let docs = fields.iter().map(|field| format!("`{}`: {}", field.name, field.ty));
            let items = quote! {
                /// A row of the query.
                #[derive(Clone, Debug, PartialEq)]
                #[allow(dead_code)]
                pub struct Row {
                    #(#[doc = #docs] pub #idents: #types,)*
                }
            };
            (items, quote!(Row))
        }
    };
    let (mut views, mut reads) = (Vec::new(), Vec::new());
    for (idx, (ident, ty)) in idents.iter().zip(&types).enumerate() {
        let (column, view) = (format_ident!("column{idx}"), format_ident!("view{idx}"));
        views.push(quote! {
            let #column = batch.column(#idx);
            let #view = <#ty as #v1::Field>::view(&#column);
        });
        reads.push(quote!(#ident: <#ty as #v1::Field>::at(&#view, row)));
    }
    let read = quote! {
        #(#views)*
        for row in 0..batch.len() {
            rows.push(#path { #(#reads),* });
        }
    };
    PrintedRow { items, path, read }
}
