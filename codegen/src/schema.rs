//! How does a table's schema travel from a derive to a query, as tokens?
//!
//! A derived table's callback macro hands its schema on as a group of tokens:
//! `{ "accounts" typed ("id" integer required) ("balance" real optional "0") key 0 }`. Here the group is written and read
//! back, and the Rust types of fields are turned into SQL types.
//!
//! Holds: reading what was written gives the same schema (ids are 0: names decide at compile time).
//! Not here: what the derive emits besides (`table`), how callbacks are chained (`chain`).

use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use spectradb_grammar::catalog::Catalog;
use spectradb_kernel::{
    Type,
    schema::{ColumnId, ColumnSchema, TableId, TableKind, TableSchema},
    time::Commit,
    ty::{ElementType, NUMERIC_PRECISION_MAX, TypeClass},
};
use std::sync::Arc;
use syn::{
    parse::{Parse, ParseStream},
    spanned::Spanned as _,
};

/// A schema as it stands in tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenSchema(pub TableSchema);

/// The tables a query names, each under the name that the query uses.
#[derive(Clone, Debug, Default)]
pub struct NamedTables {
    /// Name in the SQL, and the table.
    pub tables: Vec<(String, Arc<TableSchema>)>,
}

impl Catalog for NamedTables {
    fn version(&self) -> u64 {
        0
    }

    fn table(&self, name: &str) -> Option<Arc<TableSchema>> {
        self.tables.iter().find(|(known, _)| known == name).map(|(_, table)| table.clone())
    }

    fn table_names(&self) -> Vec<String> {
        self.tables.iter().map(|(name, _)| name.clone()).collect()
    }

    fn current_commit(&self) -> Option<Commit> {
        None
    }

    fn table_at(&self, name: &str, _commit: Commit) -> Option<Arc<TableSchema>> {
        self.table(name)
    }
}

/// A column of a table under construction.
pub fn column(idx: usize, name: String, ty: Type, nullable: bool, default: Option<String>) -> ColumnSchema {
    let id = ColumnId(u32::try_from(idx).expect("a table has less than 4 billion columns"));
    ColumnSchema { id, name, ty, nullable, default, hidden: false }
}

/// The group of tokens that stands for a schema.
pub fn to_tokens(table: &TableSchema) -> TokenStream {
    let name = &table.name;
    let kind = match table.kind {
        TableKind::Typed => quote!(typed),
        TableKind::Document => quote!(document),
    };
    let columns = table.columns.iter().map(|column| {
        let name = &column.name;
        let (word, numbers) = match column.ty {
            Type::Numeric { precision, scale } => {
                let (precision, scale) = (Literal::u8_unsuffixed(precision), Literal::u8_unsuffixed(scale));
                ("numeric", quote!(#precision #scale))
            }
            Type::SmallInt => ("smallint", TokenStream::new()),
            Type::Int4 => ("int4", TokenStream::new()),
            Type::Float4 => ("float4", TokenStream::new()),
            Type::Jsonb => ("jsonb", TokenStream::new()),
            Type::Varchar { length } => ("varchar", TokenTree::from(Literal::u32_unsuffixed(length)).into()),
            Type::Char { length } => ("character", TokenTree::from(Literal::u32_unsuffixed(length)).into()),
            Type::Array(element) => {
                let code = Literal::i64_unsuffixed(element.code());
                ("array", quote!(#code))
            }
            // The number of an element says all of a type.
            Type::BigNumeric | Type::WideNumeric { .. } | Type::Rounded { .. } => {
                let element = ElementType::of(column.ty).expect("not an array");
                let code = Literal::i64_unsuffixed(element.code());
                ("element", quote!(#code))
            }
            Type::Boolean
            | Type::Integer
            | Type::Real
            | Type::Text
            | Type::Blob
            | Type::Date
            | Type::Timestamp
            | Type::Json
            | Type::Time
            | Type::TimestampTz
            | Type::Interval
            | Type::Uuid => (column.ty.class().name(), TokenStream::new()),
        };
        let class = Ident::new(word, Span::call_site());
        let null = if column.nullable { quote!(optional) } else { quote!(required) };
        let hidden = column.hidden.then(|| quote!(hidden));
        let default = &column.default;
        quote!((#name #class #numbers #null #hidden #default))
    });
    let key = table.key.iter().map(|idx| Literal::usize_unsuffixed(*idx));
    quote!({ #name #kind #(#columns)* key #(#key)* })
}

impl Parse for TokenSchema {
    fn parse(input: ParseStream<'_>) -> syn::Result<TokenSchema> {
        let body;
        syn::braced!(body in input);
        let name = body.parse::<syn::LitStr>()?.value();
        let kind: Ident = body.parse()?;
        let kind = if kind == "document" { TableKind::Document } else { TableKind::Typed };
        let mut columns = Vec::new();
        while body.peek(syn::token::Paren) {
            let parts;
            syn::parenthesized!(parts in body);
            columns.push(parse_column(&parts, columns.len())?);
        }
        let _key_word: Ident = body.parse()?;
        let mut key = Vec::new();
        while !body.is_empty() {
            key.push(body.parse::<syn::LitInt>()?.base10_parse()?);
        }
        Ok(TokenSchema(TableSchema { id: TableId(0), name, version: 0, kind, columns, key }))
    }
}

fn parse_column(parts: ParseStream<'_>, idx: usize) -> syn::Result<ColumnSchema> {
    let name = parts.parse::<syn::LitStr>()?.value();
    let class: Ident = parts.parse()?;
    let ty = match class.to_string().as_str() {
        "boolean" => Type::Boolean,
        "integer" => Type::Integer,
        "real" => Type::Real,
        "numeric" => {
            let precision = parts.parse::<syn::LitInt>()?.base10_parse()?;
            let scale = parts.parse::<syn::LitInt>()?.base10_parse()?;
            Type::Numeric { precision, scale }
        }
        "text" => Type::Text,
        "blob" => Type::Blob,
        "date" => Type::Date,
        "timestamp" => Type::Timestamp,
        "json" => Type::Json,
        "jsonb" => Type::Jsonb,
        "smallint" => Type::SmallInt,
        "int4" => Type::Int4,
        "float4" => Type::Float4,
        "varchar" => Type::Varchar { length: parts.parse::<syn::LitInt>()?.base10_parse()? },
        "character" => Type::Char { length: parts.parse::<syn::LitInt>()?.base10_parse()? },
        "time" => Type::Time,
        "timestamptz" => Type::TimestampTz,
        "interval" => Type::Interval,
        "uuid" => Type::Uuid,
        "array" => {
            let code = parts.parse::<syn::LitInt>()?.base10_parse()?;
            Type::Array(ElementType::from_code(code).expect("we wrote the number"))
        }
        "element" => {
            let code = parts.parse::<syn::LitInt>()?.base10_parse()?;
            ElementType::from_code(code).expect("we wrote the number").ty()
        }
        _ => return Err(syn::Error::new(class.span(), "unknown column type")),
    };
    let null: Ident = parts.parse()?;
    let hidden = parts.peek(syn::Ident);
    if hidden {
        parts.parse::<Ident>()?;
    }
    let default = if parts.is_empty() { None } else { Some(parts.parse::<syn::LitStr>()?.value()) };
    Ok(ColumnSchema { hidden, ..column(idx, name, ty, null == "optional", default) })
}

/// The SQL type of a field's Rust type, and whether it may be NULL.
///
/// # Errors
/// A type that no column has; the error points at it.
pub fn field_type(ty: &syn::Type) -> syn::Result<(Type, bool)> {
    if let Some(inner) = option_of(ty) {
        let (ty, nullable) = field_type(inner)?;
        if nullable {
            return Err(syn::Error::new(inner.span(), "a column is NULL or not: one Option is enough"));
        }
        return Ok((ty, true));
    }
    let unknown = || {
        let what = "no SQL type belongs to this type; columns are i64, i32, i16, f64, f32, bool, String, Vec<u8>, \
                    Date, Time, Timestamp, TimestampTz, Interval, Uuid, Numeric<P, S>, BigNumeric, Json, or an Option of one";
        syn::Error::new(ty.span(), what)
    };
    let syn::Type::Path(path) = ty else { return Err(unknown()) };
    let last = path.path.segments.last().ok_or_else(unknown)?;
    let ty = match last.ident.to_string().as_str() {
        "i64" => Type::Integer,
        "i32" => Type::Int4,
        "i16" => Type::SmallInt,
        "f64" => Type::Real,
        "f32" => Type::Float4,
        "bool" => Type::Boolean,
        "String" => Type::Text,
        "Date" => Type::Date,
        "Timestamp" => Type::Timestamp,
        "Json" => Type::Json,
        "Time" => Type::Time,
        "TimestampTz" => Type::TimestampTz,
        "Interval" => Type::Interval,
        "Uuid" => Type::Uuid,
        "BigNumeric" => Type::BigNumeric,
        "Vec" if matches!(arguments(last).as_slice(), [syn::GenericArgument::Type(item)] if is_named(item, "u8")) => {
            Type::Blob
        }
        "Vec" if let [syn::GenericArgument::Type(item)] = arguments(last).as_slice() => {
            let (item, nullable) = match option_of(item) {
                Some(inner) => (field_type(inner)?.0, true),
                None => (field_type(item)?.0, false),
            };
            match ElementType::of(item) {
                Some(element) if nullable => Type::Array(element),
                Some(_) | None => {
                    let what = "the elements of an array may be NULL: write Vec<Option<T>>";
                    return Err(syn::Error::new(last.span(), what));
                }
            }
        }
        "Numeric" => match arguments(last).as_slice() {
            [precision, scale] => numeric(number(precision)?, number(scale)?, last.span())?,
            _ => return Err(syn::Error::new(last.span(), "give digits and scale, such as Numeric<12, 2>")),
        },
        _ => return Err(unknown()),
    };
    Ok((ty, false))
}

fn numeric(precision: u8, scale: u8, span: Span) -> syn::Result<Type> {
    if precision == 0 || precision > NUMERIC_PRECISION_MAX || scale > precision {
        let what =
            format!("a NUMERIC has 1 to {NUMERIC_PRECISION_MAX} digits, and at most all of them after the point");
        return Err(syn::Error::new(span, what));
    }
    Ok(Type::Numeric { precision, scale })
}

fn arguments(segment: &syn::PathSegment) -> Vec<&syn::GenericArgument> {
    match &segment.arguments {
        syn::PathArguments::AngleBracketed(arguments) => arguments.args.iter().collect(),
        syn::PathArguments::None | syn::PathArguments::Parenthesized(_) => Vec::new(),
    }
}

fn number(argument: &syn::GenericArgument) -> syn::Result<u8> {
    match argument {
        syn::GenericArgument::Const(syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(number), .. })) => {
            number.base10_parse()
        }
        _ => Err(syn::Error::new(argument.span(), "give a number: the schema is known before constants are")),
    }
}

fn is_named(ty: &syn::Type, name: &str) -> bool {
    matches!(ty, syn::Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}

fn option_of(ty: &syn::Type) -> Option<&syn::Type> {
    let syn::Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    match arguments(last).as_slice() {
        [syn::GenericArgument::Type(inner)] => Some(inner),
        _ => None,
    }
}

/// The owned Rust type of a column; `Option` where it may be NULL.
pub fn rust_type(krate: &TokenStream, ty: Type, nullable: bool, span: Span) -> TokenStream {
    let typed = quote_spanned!(span=> #krate::private::v1);
    let plain = match ty {
        Type::Boolean => quote_spanned!(span=> ::core::primitive::bool),
        Type::Integer => quote_spanned!(span=> ::core::primitive::i64),
        Type::Real => quote_spanned!(span=> ::core::primitive::f64),
        Type::Numeric { precision, scale } => quote_spanned!(span=> #typed::Numeric<#precision, #scale>),
        Type::SmallInt => quote_spanned!(span=> ::core::primitive::i16),
        Type::Int4 => quote_spanned!(span=> ::core::primitive::i32),
        Type::Float4 => quote_spanned!(span=> ::core::primitive::f32),
        Type::Text | Type::Varchar { .. } | Type::Char { .. } => quote_spanned!(span=> ::std::string::String),
        Type::Blob => quote_spanned!(span=> ::std::vec::Vec<::core::primitive::u8>),
        Type::Date => quote_spanned!(span=> #typed::Date),
        Type::Timestamp => quote_spanned!(span=> #typed::Timestamp),
        Type::Json | Type::Jsonb => quote_spanned!(span=> #typed::Json),
        Type::Time => quote_spanned!(span=> #typed::Time),
        Type::TimestampTz => quote_spanned!(span=> #typed::TimestampTz),
        Type::Interval => quote_spanned!(span=> #typed::Interval),
        Type::Uuid => quote_spanned!(span=> #typed::Uuid),
        Type::BigNumeric | Type::WideNumeric { .. } => quote_spanned!(span=> #typed::BigNumeric),
        Type::Rounded { class, .. } => return rust_type(krate, class.plain_type(), nullable, span),
        Type::Array(element) => {
            let element = rust_type(krate, element.ty(), true, span);
            quote_spanned!(span=> ::std::vec::Vec<#element>)
        }
    };
    if nullable { quote_spanned!(span=> ::core::option::Option<#plain>) } else { plain }
}

/// The path of a type of the kernel.
pub fn type_tokens(krate: &TokenStream, ty: Type) -> TokenStream {
    let kernel = quote!(#krate::private::v1::kernel);
    match ty {
        Type::Numeric { precision, scale } => {
            quote!(#kernel::Type::Numeric { precision: #precision, scale: #scale })
        }
        Type::SmallInt => quote!(#kernel::Type::SmallInt),
        Type::Int4 => quote!(#kernel::Type::Int4),
        Type::Float4 => quote!(#kernel::Type::Float4),
        Type::Jsonb => quote!(#kernel::Type::Jsonb),
        Type::Varchar { length } => quote!(#kernel::Type::Varchar { length: #length }),
        Type::Char { length } => quote!(#kernel::Type::Char { length: #length }),
        Type::WideNumeric { precision, scale } => {
            quote!(#kernel::Type::WideNumeric { precision: #precision, scale: #scale })
        }
        Type::Rounded { class, digits } => {
            let class = class_ident(class);
            quote!(#kernel::Type::Rounded { class: #kernel::ty::TypeClass::#class, digits: #digits })
        }
        Type::Array(element) => {
            let code = element.code();
            quote!(#krate::private::v1::array_type(#code))
        }
        Type::Boolean
        | Type::Integer
        | Type::Real
        | Type::Text
        | Type::Blob
        | Type::Date
        | Type::Timestamp
        | Type::Json
        | Type::Time
        | Type::TimestampTz
        | Type::Interval
        | Type::Uuid
        | Type::BigNumeric => {
            let name = class_ident(ty.class());
            quote!(#kernel::Type::#name)
        }
    }
}

/// The variant's name of a class.
pub fn class_ident(class: TypeClass) -> Ident {
    let name = match class {
        TypeClass::Boolean => "Boolean",
        TypeClass::Integer => "Integer",
        TypeClass::Real => "Real",
        TypeClass::Numeric => "Numeric",
        TypeClass::Text => "Text",
        TypeClass::Blob => "Blob",
        TypeClass::Date => "Date",
        TypeClass::Timestamp => "Timestamp",
        TypeClass::Json => "Json",
        TypeClass::Time => "Time",
        TypeClass::TimestampTz => "TimestampTz",
        TypeClass::Interval => "Interval",
        TypeClass::Uuid => "Uuid",
        TypeClass::Array => "Array",
        TypeClass::BigNumeric => "BigNumeric",
    };
    Ident::new(name, Span::call_site())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_survive_the_journey() {
        let columns = vec![
            column(0, "id".into(), Type::Integer, false, None),
            column(1, "price".into(), Type::Numeric { precision: 12, scale: 2 }, true, Some("0.5".into())),
            column(2, "odd \" name".into(), Type::Blob, true, None),
        ];
        let table = TableSchema {
            id: TableId(0),
            name: "accounts".into(),
            version: 0,
            kind: TableKind::Typed,
            columns,
            key: vec![1, 0],
        };
        let read: TokenSchema = syn::parse2(to_tokens(&table)).expect("what was written can be read");
        assert_eq!(read.0, table);
    }

    #[test]
    fn field_types_have_sql_types() {
        let sql = |text: &str| {
            let ty: syn::Type = syn::parse_str(text).expect("a type");
            field_type(&ty).map(|(ty, nullable)| format!("{ty}{}", if nullable { "?" } else { "" })).ok()
        };
        assert_eq!(sql("i64").as_deref(), Some("integer"));
        assert_eq!(sql("Option<std::string::String>").as_deref(), Some("text?"));
        assert_eq!(sql("Vec<u8>").as_deref(), Some("blob"));
        assert_eq!(sql("spectradb::Numeric<12, 2>").as_deref(), Some("numeric(12,2)"));
        assert_eq!(sql("Numeric<39, 2>"), None);
        assert_eq!(sql("Vec<i64>"), None);
        assert_eq!(sql("u32"), None);
        assert_eq!(sql("Option<Option<i64>>"), None);
    }
}
