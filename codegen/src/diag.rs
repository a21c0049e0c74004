//! How does an error of the SQL become an error of the compiler?
//!
//! The message says what is wrong and draws the line of the SQL with a caret under the spot, because on stable Rust the
//! compiler can only point at the literal as a whole. Where it can point into the literal, it does.

use proc_macro2::{Span, TokenStream};
use spectradb_grammar::{diag::Diag, span};

/// A compile error for an error of the SQL in a literal.
pub fn sql_error(literal: &syn::LitStr, diag: &Diag) -> TokenStream {
    let sql = literal.value();
    let mut message = format!("{} [SQLSTATE {}]", diag.message, diag.code);
    let excerpt = diag.excerpt(&sql);
    if !excerpt.is_empty() {
        message.push('\n');
        message.push_str(excerpt.trim_end());
    }
    syn::Error::new(place(literal, &sql, diag.span), message).into_compile_error()
}

/// The spot in the literal where the compiler can tell it, otherwise the literal.
pub fn place(literal: &syn::LitStr, sql: &str, span: Option<span::Span>) -> Span {
    let token = literal.token();
    let text = token.to_string();
    // Only where the text stands in the source as it is do bytes of the SQL count as bytes of the literal.
    let Some(start) = text.find(sql).filter(|_| !sql.is_empty()) else { return literal.span() };
    span.and_then(|span| token.subspan(start + span.start as usize..start + span.end as usize))
        .unwrap_or_else(|| literal.span())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_drawn() {
        let literal = syn::LitStr::new("SELECT balanse FROM accounts", Span::call_site());
        let diag = Diag::new("42703", "column \"balanse\" does not exist", span::Span { start: 7, end: 14 })
            .help("a column named \"balance\" exists");
        let tokens = sql_error(&literal, &diag).to_string();
        for part in ["compile_error", "[SQLSTATE 42703]", "line 1, column 8", "^^^^^^^", "help: a column"] {
            assert!(tokens.contains(part), "{part}: {tokens}");
        }
    }
}
