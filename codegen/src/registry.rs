//! What does `database!` declare?
//!
//! A macro with one arm for each table, which hands on the table's schema, and one for all other names, which is our own
//! compile error with a suggestion. The schemas come from derived tables, whose callbacks are asked once, when the registry
//! is declared; or from the CREATE TABLE statements of a file.
//!
//! Holds: the registry carries the schemas itself, so it works from any module and crate, whatever is in scope there.

#![expect(clippy::disallowed_methods, reason = "schema.sql is read by the compiler's process, not by the database")]

use crate::{
    names,
    schema::{self, NamedTables, TokenSchema},
};
use proc_macro2::{Ident, TokenStream};
use quote::quote;
use spectradb_grammar::{bind, diag::Diag, parse, plan};
use spectradb_kernel::schema::TableSchema;
use std::sync::Arc;
use syn::{
    Token,
    parse::{Parse, ParseStream},
};

struct Declaration {
    krate: TokenStream,
    vis: syn::Visibility,
    name: Ident,
    source: Source,
}

enum Source {
    Tables(Vec<(Ident, syn::Path)>),
    File(syn::LitStr),
}

impl Parse for Declaration {
    fn parse(input: ParseStream<'_>) -> syn::Result<Declaration> {
        let krate;
        syn::bracketed!(krate in input);
        let krate = krate.parse()?;
        let (vis, name) = (input.parse()?, input.parse()?);
        let source = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Source::File(input.parse()?)
        } else {
            let body;
            syn::braced!(body in input);
            let mut tables = Vec::new();
            while !body.is_empty() {
                let name = body.call(syn::ext::IdentExt::parse_any)?;
                body.parse::<Token![:]>()?;
                tables.push((name, body.call(syn::Path::parse_mod_style)?));
                if body.is_empty() {
                    break;
                }
                body.parse::<Token![,]>()?;
            }
            Source::Tables(tables)
        };
        Ok(Declaration { krate, vis, name, source })
    }
}

/// The first step: asks the tables for their schemas, or reads the file.
pub fn declare(input: TokenStream, site: &str) -> TokenStream {
    let Declaration { krate, vis, name, source } = match syn::parse2(input) {
        Ok(declaration) => declaration,
        Err(error) => return error.into_compile_error(),
    };
    match source {
        Source::File(path) => match tables_of_file(&path) {
            Ok((tables, full_path)) => {
                let arms =
                    tables.iter().map(|table| (names::ident_of(&table.name, name.span()), table.as_ref())).collect();
                let registry = print(&vis, &name, arms, site);
                // Naming the file in the source makes cargo compile again when it changes.
                quote!(#registry const _: &[u8] = ::core::include_bytes!(#full_path);)
            }
            Err(error) => error.into_compile_error(),
        },
        Source::Tables(tables) => {
            let arms = tables.iter().map(|(arm, _)| arm);
            let mut links: Vec<TokenStream> = tables.iter().map(|(_, path)| quote!([{ #path }])).collect();
            links.push(quote!([{ #krate::private::__spectra_registry }]));
            crate::chain::call(&links, quote!((#site) (#vis #name) (#(#arms)*)))
        }
    }
}

/// The last step: all schemas are there.
pub fn finish(input: TokenStream) -> TokenStream {
    struct End {
        site: String,
        vis: syn::Visibility,
        name: Ident,
        arms: Vec<Ident>,
        schemas: Vec<TableSchema>,
    }
    impl Parse for End {
        fn parse(stream: ParseStream<'_>) -> syn::Result<End> {
            stream.parse::<Token![@]>()?;
            stream.parse::<Ident>()?;
            stream.parse::<Token![;]>()?;
            let (site, head, list);
            syn::parenthesized!(site in stream);
            syn::parenthesized!(head in stream);
            syn::parenthesized!(list in stream);
            let mut arms = Vec::new();
            while !list.is_empty() {
                arms.push(list.call(syn::ext::IdentExt::parse_any)?);
            }
            let mut schemas = Vec::new();
            while !stream.is_empty() {
                schemas.push(stream.parse::<TokenSchema>()?.0);
            }
            Ok(End {
                site: site.parse::<syn::LitStr>()?.value(),
                vis: head.parse()?,
                name: head.parse()?,
                arms,
                schemas,
            })
        }
    }
    match syn::parse2::<End>(input) {
        Ok(End { site, vis, name, arms, schemas }) => {
            print(&vis, &name, arms.into_iter().zip(&schemas).collect(), &site)
        }
        Err(error) => error.into_compile_error(),
    }
}

fn print(vis: &syn::Visibility, name: &Ident, arms: Vec<(Ident, &TableSchema)>, site: &str) -> TokenStream {
    let hidden = names::hidden(&name.to_string(), site);
    let known = arms.iter().map(|(arm, _)| arm.to_string());
    let (idents, schemas): (Vec<_>, Vec<_>) = arms.iter().map(|(arm, table)| (arm, schema::to_tokens(table))).unzip();
    let is_public = matches!(vis, syn::Visibility::Public(_));
    let (export, visible) =
        if is_public { (quote!(#[macro_export]), quote!(pub)) } else { (quote!(), quote!(pub(crate))) };
    quote! {
        #[doc(hidden)]
        #export
        macro_rules! #hidden {
            #(
                (@spectradb (#idents) { $($unknown:tt)* } [{ $($path:tt)* } $($first:tt)*] $($rest:tt)*) => {
                    $($path)* ! { @spectradb $($first)* $($rest)* #schemas }
                };
            )*
            (@spectradb ($name:tt) { $($unknown:tt)* } $($rest:tt)*) => {
                $($unknown)* ! { @spectradb ($name) [#(#known)*] $($rest)* }
            };
        }
        #[doc(hidden)]
        #[allow(unused_imports, unreachable_pub, clippy::allow_attributes)]
        #visible use #hidden as #name;
    }
}

/// The tables that a file's CREATE TABLE statements describe, and the file's full path.
fn tables_of_file(path: &syn::LitStr) -> syn::Result<(Vec<Arc<TableSchema>>, String)> {
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let full = std::path::Path::new(&folder).join(path.value());
    let shown = full.display().to_string();
    let error = |message: String| syn::Error::new(path.span(), message);
    let sql = std::fs::read_to_string(&full).map_err(|io| error(format!("cannot read {shown}: {io}")))?;
    Ok((
        tables_of_sql(&sql).map_err(|diag| {
            error(format!("{shown}: {} [SQLSTATE {}]\n{}", diag.message, diag.code, diag.excerpt(&sql).trim_end()))
        })?,
        shown,
    ))
}

/// The tables that CREATE TABLE statements describe; other statements are no part of a schema.
pub fn tables_of_sql(sql: &str) -> Result<Vec<Arc<TableSchema>>, Diag> {
    let mut catalog = NamedTables::default();
    for statement in parse::statements(sql)? {
        let bound = bind::statement(&statement, sql, &catalog, &bind::BindOptions::default())?;
        match &bound.statement {
            plan::Statement::CreateTable { table, exists: false, .. } => {
                catalog.tables.push((table.name.clone(), Arc::new(table.clone())));
            }
            plan::Statement::CreateTable { exists: true, .. } => {}
            _ => {
                let help = "a schema file holds CREATE TABLE statements only";
                return Err(Diag::new("42601", "this statement is no part of a schema", statement.span).help(help));
            }
        }
    }
    Ok(catalog.tables.into_iter().map(|(_, table)| table).collect())
}
