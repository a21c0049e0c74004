//! What does `#[derive(Table)]` write for a struct?
//!
//! The implementation of `Table` (shape, fingerprint, key type, columns to rows and back without a `Value`), and the
//! hidden callback macro that hands the schema to `spectra_sql!`, in reach under the table's name and the struct's.
//!
//! Holds: the schema in the tokens, the constant shape and the fingerprint say the same.
//! Not here: how the callback is called (`chain`), what the trait's methods do (`spectradb::typed`).

use crate::{
    names,
    schema::{self, class_ident},
};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use spectradb_grammar::catalog::fingerprint;
use spectradb_kernel::{
    Type,
    schema::{TableId, TableKind, TableSchema},
    ty::TypeClass,
};
use syn::spanned::Spanned as _;

struct Options {
    name: Option<String>,
    krate: TokenStream,
    document: bool,
}

struct TableField {
    ident: Ident,
    ty: syn::Type,
    is_key: bool,
}

/// The items that the derive adds beside a struct. `site` names the place in the source, so that hidden names are unique.
pub fn derive(input: TokenStream, site: &str) -> TokenStream {
    expand(input, site).unwrap_or_else(syn::Error::into_compile_error)
}

fn expand(input: TokenStream, site: &str) -> syn::Result<TokenStream> {
    let input: syn::DeriveInput = syn::parse2(input)?;
    let options = options(&input)?;
    let (table, fields) = describe(&input, &options)?;
    let implementation = implementation(&input.ident, &table, &fields, &options.krate);
    let is_public = matches!(input.vis, syn::Visibility::Public(_));
    let callback = callback(&table, &input.ident, is_public, site);
    Ok(quote!(#implementation #callback))
}

fn options(input: &syn::DeriveInput) -> syn::Result<Options> {
    let mut options = Options { name: None, krate: quote!(::spectradb), document: false };
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("table")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("name") {
                options.name = Some(meta.value()?.parse::<syn::LitStr>()?.value());
            } else if meta.path.is_ident("crate") {
                options.krate = meta.value()?.parse::<syn::LitStr>()?.parse::<syn::Path>()?.into_token_stream();
            } else if meta.path.is_ident("document") {
                options.document = true;
            } else {
                return Err(meta.error("expected name = \"...\", crate = \"...\" or document"));
            }
            Ok(())
        })?;
    }
    Ok(options)
}

fn describe(input: &syn::DeriveInput, options: &Options) -> syn::Result<(TableSchema, Vec<TableField>)> {
    let syn::Data::Struct(syn::DataStruct { fields: syn::Fields::Named(named), .. }) = &input.data else {
        return Err(syn::Error::new(input.ident.span(), "a table is a struct with named fields"));
    };
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new(input.generics.span(), "a table has one shape: its struct has no parameters"));
    }
    let (mut columns, mut key, mut fields) = (Vec::new(), Vec::new(), Vec::new());
    for (idx, field) in named.named.iter().enumerate() {
        let ident = field.ident.clone().expect("named fields have names");
        let (mut name, mut default) = (unraw(&ident), None);
        let mut is_key = false;
        for attribute in &field.attrs {
            if attribute.path().is_ident("key") {
                attribute.meta.require_path_only()?;
                is_key = true;
            } else if attribute.path().is_ident("column") {
                attribute.parse_nested_meta(|meta| {
                    if meta.path.is_ident("name") {
                        name = meta.value()?.parse::<syn::LitStr>()?.value();
                    } else if meta.path.is_ident("default") {
                        default = Some(meta.value()?.parse::<syn::LitStr>()?.value());
                    } else {
                        return Err(meta.error("expected name = \"...\" or default = \"...\""));
                    }
                    Ok(())
                })?;
            }
        }
        let (ty, nullable) = schema::field_type(&field.ty)?;
        if is_key && nullable {
            return Err(syn::Error::new(field.ty.span(), "a key column is never NULL: no Option here"));
        }
        if is_key && ty == Type::Json {
            return Err(syn::Error::new(field.ty.span(), "a JSON column cannot be a key"));
        }
        if is_key && matches!(ty, Type::Array(_)) {
            return Err(syn::Error::new(field.ty.span(), "an array column cannot be a key"));
        }
        if columns.iter().any(|column: &spectradb_kernel::schema::ColumnSchema| column.name == name) {
            return Err(syn::Error::new(ident.span(), format!("column \"{name}\" is there twice")));
        }
        if is_key {
            key.push(idx);
        }
        columns.push(schema::column(idx, name, ty, nullable, default));
        fields.push(TableField { ident, ty: field.ty.clone(), is_key });
    }
    if key.is_empty() {
        let what = "a table has a key: put #[key] before its field or fields";
        return Err(syn::Error::new(input.ident.span(), what));
    }
    if options.document {
        let shape: Vec<(&str, Type, bool)> =
            columns.iter().map(|column| (column.name.as_str(), column.ty, column.nullable)).collect();
        if shape != [("pk", Type::Text, false), ("doc", Type::Json, true)] {
            let what = "a document table is { #[key] pk: String, doc: Option<Json> }";
            return Err(syn::Error::new(input.ident.span(), what));
        }
    }
    let kind = if options.document { TableKind::Document } else { TableKind::Typed };
    let name = options.name.clone().unwrap_or_else(|| names::snake_case(&unraw(&input.ident)));
    Ok((TableSchema { id: TableId(0), name, version: 0, kind, columns, key }, fields))
}

fn unraw(ident: &Ident) -> String {
    let text = ident.to_string();
    text.strip_prefix("r#").map_or(text.clone(), str::to_owned)
}

/// `CREATE TABLE` in SQL.
pub fn create_sql(table: &TableSchema) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    if table.kind == TableKind::Document {
        return format!("CREATE TABLE {} (pk TEXT PRIMARY KEY)", quoted(&table.name));
    }
    let mut parts: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let null = if column.nullable { "" } else { " NOT NULL" };
            let default = column.default.as_ref().map(|default| format!(" DEFAULT {default}")).unwrap_or_default();
            format!("{} {}{null}{default}", quoted(&column.name), column.ty)
        })
        .collect();
    let key: Vec<String> = table.key.iter().map(|idx| quoted(&table.columns[*idx].name)).collect();
    parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
    format!("CREATE TABLE {} ({})", quoted(&table.name), parts.join(", "))
}

/// The constant list of a table's columns.
pub fn shape_tokens(krate: &TokenStream, table: &TableSchema) -> TokenStream {
    let v1 = quote!(#krate::private::v1);
    let columns = table.columns.iter().filter(|column| !column.hidden).map(|column| {
        let (name, nullable) = (&column.name, column.nullable);
        let ty = schema::type_tokens(krate, column.ty);
        quote!(#v1::ColumnShape { name: #name, ty: #ty, nullable: #nullable })
    });
    quote!(&[#(#columns),*])
}

fn implementation(ident: &Ident, table: &TableSchema, fields: &[TableField], krate: &TokenStream) -> TokenStream {
    let v1 = quote!(#krate::private::v1);
    let name = &table.name;
    let print = fingerprint(table);
    let create = create_sql(table);
    let shape = shape_tokens(krate, table);
    let key = &table.key;
    let key_types: Vec<TokenStream> = table
        .key
        .iter()
        .zip(fields.iter().filter(|field| field.is_key))
        .map(|(idx, field)| key_type(table.columns[*idx].ty.class(), &field.ty))
        .collect();
    let (key_type, key_values) = match key_types.as_slice() {
        [only] => (quote!(#only), vec![quote!(key)]),
        several => {
            let parts = (0..several.len()).map(syn::Index::from).map(|idx| quote!(key.#idx));
            (quote!((#(#several),*)), parts.collect())
        }
    };
    let (mut writers, mut pushes, mut finishes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut views, mut reads, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (idx, field) in fields.iter().enumerate() {
        let (writer, column, view) = (local("writer", idx), local("column", idx), local("view", idx));
        let (field_ident, ty) = (&field.ident, &field.ty);
        let at = ty.span();
        let sql_type = schema::type_tokens(krate, table.columns[idx].ty);
        writers.push(quote_spanned!(at=> let mut #writer = #v1::ColumnWriter::<#ty>::with_room(room);));
        pushes.push(quote!(#writer.push(&row.#field_ident);));
        finishes.push(quote!(#writer.finish(#sql_type)));
        views.push(quote_spanned!(at=>
            let #column = batch.column(#idx);
            let #view = <#ty as #v1::Field>::view(&#column);
        ));
        reads.push(quote!(#field_ident: <#ty as #v1::Field>::at(&#view, row)));
        values.push(quote!(#field_ident: <#ty as #v1::Field>::of_value(value(#idx))));
    }
    let class_check = fields.iter().enumerate().map(|(idx, field)| {
        let ty = &field.ty;
        let class = class_ident(table.columns[idx].ty.class());
        quote_spanned!(ty.span()=> #v1::assert_class::<#ty>(#v1::kernel::ty::TypeClass::#class);)
    });
    quote! {
        #[automatically_derived]
        impl #krate::Table for #ident {
            type Key<'k> = #key_type;
            const NAME: &'static str = #name;
            const FINGERPRINT: u64 = #print;
            const CREATE: &'static str = #create;
            const COLUMNS: &'static [#v1::ColumnShape] = #shape;
            const KEY: &'static [usize] = &[#(#key),*];

            fn checked() -> &'static #v1::Checked {
                static CHECKED: #v1::Checked = #v1::Checked::new();
                &CHECKED
            }

            fn key_values(key: Self::Key<'_>) -> ::std::vec::Vec<#v1::Value> {
                ::std::vec![#(#v1::Value::from(#key_values)),*]
            }

            fn columns_of<__Row: #krate::AsRow<Table = Self>>(
                rows: impl ::core::iter::Iterator<Item = __Row>,
            ) -> (::std::vec::Vec<#v1::Column>, usize) {
                let room = rows.size_hint().0;
                let mut count = 0;
                #(#writers)*
                for row in rows {
                    let row = #krate::AsRow::as_row(&row);
                    #(#pushes)*
                    count += 1;
                }
                (::std::vec![#(#finishes),*], count)
            }

            fn read(batch: &#v1::Batch, rows: &mut ::std::vec::Vec<Self>) {
                #(#views)*
                for row in 0..batch.len() {
                    rows.push(Self { #(#reads),* });
                }
            }

            fn of_values(value: &mut dyn ::core::ops::FnMut(usize) -> #v1::Value) -> Self {
                Self { #(#values),* }
            }
        }
        #[automatically_derived]
        impl #krate::AsRow for #ident {
            type Table = #ident;
            fn as_row(&self) -> &#ident {
                self
            }
        }
        #[automatically_derived]
        impl #krate::AsRow for &#ident {
            type Table = #ident;
            fn as_row(&self) -> &#ident {
                self
            }
        }
        const _: () = { #(#class_check)* };
    }
}

fn local(what: &str, idx: usize) -> Ident {
    Ident::new(&format!("{what}{idx}"), Span::mixed_site())
}

/// The type of a key's part as a caller gives it: texts and blobs are borrowed.
fn key_type(class: TypeClass, ty: &syn::Type) -> TokenStream {
    match class {
        TypeClass::Text => quote!(&'k ::core::primitive::str),
        TypeClass::Blob => quote!(&'k [::core::primitive::u8]),
        TypeClass::Boolean
        | TypeClass::Integer
        | TypeClass::Real
        | TypeClass::Numeric
        | TypeClass::Date
        | TypeClass::Timestamp
        | TypeClass::Json
        | TypeClass::Time
        | TypeClass::TimestampTz
        | TypeClass::Interval
        | TypeClass::Uuid
        | TypeClass::Array
        | TypeClass::BigNumeric => ty.to_token_stream(),
    }
}

/// The hidden macro with the schema's tokens, and its names.
fn callback(table: &TableSchema, ident: &Ident, is_public: bool, site: &str) -> TokenStream {
    let hidden = names::hidden(&table.name, site);
    let tokens = schema::to_tokens(table);
    let in_sql = names::ident_of(&table.name, Span::call_site());
    let ident = Ident::new(&ident.to_string(), Span::call_site());
    let mut names = vec![in_sql];
    if names[0] != ident {
        names.push(ident);
    }
    let (export, visible) =
        if is_public { (quote!(#[macro_export]), quote!(pub)) } else { (quote!(), quote!(pub(crate))) };
    quote! {
        #[doc(hidden)]
        #export
        macro_rules! #hidden {
            (@spectradb [{ $($path:tt)* } $($first:tt)*] $($rest:tt)*) => {
                $($path)* ! { @spectradb $($first)* $($rest)* #tokens }
            };
        }
        #(
            #[doc(hidden)]
            #[allow(unused_imports, unreachable_pub, clippy::allow_attributes)]
            #visible use #hidden as #names;
        )*
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn derive_text(text: &str) -> String {
        derive(text.parse().expect("Rust tokens"), "here").to_string()
    }

    #[test]
    fn mistakes_are_named() {
        let mistakes = [
            ("struct T { id: i64 }", "put #[key] before"),
            ("struct T { #[key] id: Option<i64> }", "never NULL"),
            ("struct T { #[key] id: u32 }", "no SQL type belongs"),
            ("struct T(i64);", "named fields"),
            ("struct T<'a> { #[key] id: &'a str }", "no parameters"),
            ("#[table(nam = \"t\")] struct T { #[key] id: i64 }", "expected name"),
            ("struct T { #[key] id: i64, #[column(name = \"id\")] x: i64 }", "is there twice"),
            ("#[table(document)] struct T { #[key] pk: String }", "a document table is"),
        ];
        for (text, message) in mistakes {
            let tokens = derive_text(text);
            assert!(tokens.contains("compile_error") && tokens.contains(message), "{text}: {tokens}");
        }
    }

    #[test]
    fn the_table_can_be_created_in_sql() {
        let text = "#[table(name = \"order\")] struct Order { #[key] region: String, #[key] no: i64, \
                    #[column(name = \"Net\", default = \"0\")] net: Option<Numeric<12, 2>> }";
        let input: syn::DeriveInput = syn::parse_str(text).expect("a struct");
        let options = options(&input).expect("good options");
        let (table, _) = describe(&input, &options).expect("a good table");
        assert_eq!(
            create_sql(&table),
            "CREATE TABLE \"order\" (\"region\" text NOT NULL, \"no\" integer NOT NULL, \"Net\" numeric(12,2) DEFAULT 0, \
             PRIMARY KEY (\"region\", \"no\"))"
        );
    }

    #[test]
    fn what_a_small_table_becomes() {
        let tokens = derive_text("pub struct Account { #[key] id: i64, name: Option<String> }");
        let file: syn::File = syn::parse_str(&tokens).expect("items");
        assert_eq!(file.items.len(), 7);
        assert!(tokens.contains("macro_export") && tokens.contains("as account") && tokens.contains("as Account"));
    }
}
