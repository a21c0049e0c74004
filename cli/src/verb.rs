//! Does a statement begin a transaction, or end one?
//!
//! Told from its first words: the shell asks about statements that were refused as well, which nobody could parse.
//!
//! Not here: what the shell makes of it (`shell`).

use spectradb::embed::tokens::{TokenKind, tokens};

/// What a statement does with transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// BEGIN, START TRANSACTION
    Begin,
    /// COMMIT, END
    Commit,
    /// ROLLBACK, ABORT, but not to a savepoint
    Rollback,
    /// Anything else.
    Other,
}

/// What the text of a statement does with transactions.
pub(crate) fn verb(text: &str) -> Verb {
    // A mark of the byte order may stand before the first word.
    let text = text.trim_start_matches('\u{feff}');
    let mut words = tokens(text)
        .filter(|token| !matches!(token.kind, TokenKind::Comment | TokenKind::Unclosed(_)))
        .map(|token| if token.kind == TokenKind::Word { token.text(text).to_ascii_lowercase() } else { String::new() });
    let mut next = || words.next().unwrap_or_default();
    match next().as_str() {
        "begin" => Verb::Begin,
        "start" if next() == "transaction" => Verb::Begin,
        "commit" | "end" => Verb::Commit,
        "rollback" | "abort" => {
            let second = next();
            let behind = if matches!(second.as_str(), "transaction" | "work") { next() } else { second };
            if behind == "to" { Verb::Other } else { Verb::Rollback }
        }
        _ => Verb::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_words_tell_what_a_statement_does_with_transactions() {
        for (text, told) in [
            ("BEGIN", Verb::Begin),
            ("\u{feff}/* a /* b */ é */ -- c\n begin isolation level nonsense", Verb::Begin),
            ("start transaction", Verb::Begin),
            ("START something", Verb::Other),
            ("Commit work", Verb::Commit),
            ("END", Verb::Commit),
            ("rollback", Verb::Rollback),
            ("ROLLBACK TO SAVEPOINT a", Verb::Other),
            ("abort work to a", Verb::Other),
            ("ABORT;", Verb::Rollback),
            ("beginning", Verb::Other),
            ("SELECT 1", Verb::Other),
            ("-- begin", Verb::Other),
            ("/* begin", Verb::Other),
            ("", Verb::Other),
        ] {
            assert_eq!(verb(text), told, "{text}");
        }
    }
}
