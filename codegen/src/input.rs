//! What was written between the parentheses of `spectra_sql!`?
//!
//! `[registry:] session, "SQL" [as Row] [, argument]*`, where an argument is `expr` for the next `$n`, or `name = expr` for
//! `:name`; a `?` before the expression says that it is an `Option`.

use proc_macro2::{Ident, Span};
use syn::{
    Token,
    parse::{Parse, ParseStream, discouraged::Speculative as _},
    spanned::Spanned as _,
};

/// The macro's input.
pub struct SqlInput {
    /// The registry's macro, where one is named.
    pub registry: Option<syn::Path>,
    /// The session or database.
    pub session: syn::Expr,
    /// The SQL.
    pub sql: syn::LitStr,
    /// The struct that rows become, where one is named.
    pub row: Option<syn::Path>,
    /// The arguments, in order.
    pub args: Vec<Arg>,
}

/// An argument.
pub struct Arg {
    /// The name, for `:name`.
    pub name: Option<Ident>,
    /// Is it an `Option`?
    pub optional: bool,
    /// The value.
    pub expr: syn::Expr,
}

impl Arg {
    /// Where it stands.
    pub fn span(&self) -> Span {
        self.name.as_ref().map_or_else(|| self.expr.span(), Ident::span)
    }
}

impl Parse for SqlInput {
    fn parse(input: ParseStream<'_>) -> syn::Result<SqlInput> {
        let ahead = input.fork();
        let registry = match ahead.call(syn::Path::parse_mod_style) {
            Ok(path) if ahead.peek(Token![:]) => {
                ahead.parse::<Token![:]>()?;
                input.advance_to(&ahead);
                Some(path)
            }
            Ok(_) | Err(_) => None,
        };
        let session = input.parse()?;
        input.parse::<Token![,]>()?;
        if !input.peek(syn::LitStr) {
            return Err(input.error("expected the SQL as a string literal: it is checked when the program is compiled"));
        }
        let sql = input.parse()?;
        let row = if input.peek(Token![as]) {
            input.parse::<Token![as]>()?;
            Some(input.call(syn::Path::parse_mod_style)?)
        } else {
            None
        };
        let mut args: Vec<Arg> = Vec::new();
        while !input.is_empty() {
            input.parse::<Token![,]>()?;
            if input.is_empty() {
                break;
            }
            let arg = parse_arg(input)?;
            if arg.name.is_none() && args.last().is_some_and(|last| last.name.is_some()) {
                return Err(syn::Error::new(arg.span(), "arguments of $1, $2 ... stand before the named ones"));
            }
            args.push(arg);
        }
        Ok(SqlInput { registry, session, sql, row, args })
    }
}

fn parse_arg(input: ParseStream<'_>) -> syn::Result<Arg> {
    let named = input.peek(syn::Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]);
    let name = if named {
        let name = input.parse()?;
        input.parse::<Token![=]>()?;
        Some(name)
    } else {
        None
    };
    let optional = input.peek(Token![?]);
    if optional {
        input.parse::<Token![?]>()?;
    }
    Ok(Arg { name, optional, expr: input.parse()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read() {
        let read = |text: &str| syn::parse_str::<SqlInput>(text);
        let input = read("bank: &mut self.session, \"SELECT 1\" as model::Row, a + 1, ?b, name = ?c, other = d,")
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(input.registry.is_some() && input.row.is_some());
        let args: Vec<(bool, bool)> = input.args.iter().map(|arg| (arg.name.is_some(), arg.optional)).collect();
        assert_eq!(args, [(false, false), (false, true), (true, true), (true, false)]);
        let input = read("db, \"SELECT 1\", a == b").unwrap_or_else(|error| panic!("{error}"));
        assert!(input.registry.is_none() && input.args[0].name.is_none());
        assert!(read("db, SELECT 1").is_err());
        assert!(read("db, \"SELECT 1\", name = a, b").is_err());
    }
}
