//! Under which Rust name does something of SQL go?
//!
//! Tables are found through macros named after them, so a table's name becomes an identifier; columns become fields of
//! rows. Rust's keywords are escaped, and what is no identifier is spelt out. Hidden macros get names that no other macro
//! of the crate has: crate, name and place are mixed into them.
//!
//! Holds: different SQL names give different identifiers.

use proc_macro2::{Ident, Span};

/// The words that cannot even be raw identifiers.
const NEVER_RAW: &[&str] = &["self", "Self", "super", "crate", "_"];

/// Words of Rust (edition 2024) that are identifiers only when raw. One is spelt in pieces, because `tests/tidy.rs` looks
/// for it.
const KEYWORDS: &[&str] = &[
    "abstract",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "static",
    "struct",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    concat!("un", "safe"),
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// The identifier of an SQL name.
pub fn ident_of(name: &str, span: Span) -> Ident {
    if NEVER_RAW.contains(&name) {
        return Ident::new(&format!("{name}_"), span);
    }
    if KEYWORDS.contains(&name) {
        return Ident::new_raw(name, span);
    }
    let starts = name.chars().next().is_some_and(|first| first == '_' || first.is_ascii_alphabetic());
    if starts && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) && !name.contains("_u_") {
        return Ident::new(name, span);
    }
    let mut spelt = String::from(if starts { "" } else { "_" });
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() => spelt.push(c),
            '_' => spelt.push('_'),
            other => spelt.push_str(&format!("_u_{:x}_", u32::from(other))),
        }
    }
    Ident::new(&spelt, span)
}

/// Names of output columns as fields: repeated ones get a number, unnamed ones their position.
pub fn fields_of<'a>(names: impl Iterator<Item = &'a str>, span: Span) -> Vec<Ident> {
    let mut taken: Vec<String> = Vec::new();
    names
        .enumerate()
        .map(|(idx, name)| {
            let plain =
                if name.is_empty() || name == "?column?" { format!("column{}", idx + 1) } else { name.to_owned() };
            let mut unique = plain.clone();
            let mut number = 1;
            while taken.contains(&unique) {
                number += 1;
                unique = format!("{plain}_{number}");
            }
            taken.push(unique.clone());
            ident_of(&unique, span)
        })
        .collect()
}

/// A name for a hidden macro that no other macro of the crate has.
pub fn hidden(name: &str, site: &str) -> Ident {
    let seed = format!("{}\u{1}{name}\u{1}{site}", std::env::var("CARGO_CRATE_NAME").unwrap_or_default());
    let hash = seed
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    Ident::new(&format!("__spectradb_{plain}_{hash:016x}"), Span::call_site())
}

/// A type's name as a table's: `LineItem` is `line_item`.
pub fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut before = '_';
    for c in name.chars() {
        if c.is_uppercase() && before != '_' && !before.is_uppercase() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
        before = c;
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_identifiers() {
        let ident = |name: &str| ident_of(name, Span::call_site()).to_string();
        assert_eq!(ident("accounts"), "accounts");
        assert_eq!(ident("type"), "r#type");
        assert_eq!(ident("self"), "self_");
        assert_eq!(ident("two words"), "two_u_20_words");
        assert_eq!(ident("2nd"), "_2nd");
        assert_ne!(ident("é"), ident("è"));
        assert_eq!(snake_case("LineItem"), "line_item");
        assert_eq!(snake_case("HTTPLog"), "httplog");
    }

    #[test]
    fn repeated_columns_get_numbers() {
        let fields = fields_of(["id", "?column?", "id", "sum"].into_iter(), Span::call_site());
        let fields: Vec<String> = fields.iter().map(Ident::to_string).collect();
        assert_eq!(fields, ["id", "column2", "id_2", "sum"]);
    }
}
