//! Which SQL do we know by name but not offer?
//!
//! Asked only where the grammar has already failed: the token it failed at, with its neighbours, tells what was wanted.
//! Nothing is parsed and then ignored.
//!
//! Not here: what is refused by meaning, such as correlated subqueries (`bind`).

use crate::tokens::{Token, TokenKind};

/// What is wanted, what to do instead, and from which token to which it stands.
pub(super) type Recognised = (String, Option<&'static str>, usize, usize);

/// Words that begin statements of PostgreSQL's that we do not have.
const STATEMENTS: &[&str] = &[
    "grant",
    "revoke",
    "analyze",
    "declare",
    "fetch",
    "close",
    "listen",
    "notify",
    "unlisten",
    "lock",
    "call",
    "do",
    "comment",
    "refresh",
    "backup",
    "restore",
    "kill",
    "reindex",
    "cluster",
    "checkpoint",
    "pragma",
    "attach",
    "detach",
    "use",
    "replace",
    "load",
    "import",
    "move",
    "discard",
    "security",
    "reassign",
];

/// Options of PostgreSQL's EXPLAIN.
const EXPLAIN_OPTIONS: &[&str] = &[
    "analyze",
    "verbose",
    "costs",
    "settings",
    "generic_plan",
    "buffers",
    "serialize",
    "wal",
    "timing",
    "summary",
    "memory",
    "format",
];

const EXPLAIN_HELP: &str = "its options are FORMAT TEXT, FORMAT JSON and ANALYZE";

/// What else may be created and dropped elsewhere.
const OBJECTS: &[&str] = &[
    "view",
    "index",
    "schema",
    "sequence",
    "type",
    "function",
    "procedure",
    "trigger",
    "role",
    "user",
    "database",
    "extension",
    "domain",
    "aggregate",
    "operator",
    "materialized",
    "unique",
    "temp",
    "temporary",
    "unlogged",
    "or",
    "recursive",
    "fts",
    "timeseries",
    "outbox",
    "policy",
    "rule",
    "server",
    "foreign",
    "publication",
    "subscription",
    "statistics",
    "tablespace",
    "cast",
    "collation",
    "language",
    "group",
    "model",
    "projection",
    "virtual",
];

/// Operators of PostgreSQL's that we do not have.
const OPERATORS: &[&str] = &["<->", "==", "<=>", "//"];

/// Looks at the token where the grammar failed, `found_idx` of `all` (comments left out).
pub(super) fn recognised(text: &str, all: &[Token], found_idx: usize) -> Option<Recognised> {
    let word = |token_idx: usize| -> String {
        all.get(token_idx)
            .filter(|token| matches!(token.kind, TokenKind::Word | TokenKind::Sign | TokenKind::Operator))
            .map_or_else(String::new, |token| token.text(text).to_ascii_lowercase())
    };
    let upper = |from: usize, to: usize| (from..=to).map(|idx| word(idx).to_uppercase()).collect::<Vec<_>>().join(" ");
    let is = |what: &str, help: Option<&'static str>, from: usize, to: usize| Some((what.to_owned(), help, from, to));
    // An offset of 0 is the token itself.
    let before = |count: usize| found_idx.checked_sub(count).map(word).unwrap_or_default();
    let (first, found, next) = (word(0), word(found_idx), word(found_idx + 1));

    if found_idx == 0 && STATEMENTS.contains(&first.as_str()) {
        let help = match first.as_str() {
            "replace" => Some("write INSERT ... ON CONFLICT DO UPDATE, or MERGE"),
            _ => None,
        };
        return is(&first.to_uppercase(), help, 0, 0);
    }
    if first == "insert" && found_idx == 1 && found == "or" {
        let help = match next.as_str() {
            "ignore" => "write INSERT INTO .. ON CONFLICT DO NOTHING",
            _ => "write INSERT INTO .. ON CONFLICT DO UPDATE SET ..",
        };
        return is(&upper(0, 2), Some(help), 0, 2);
    }
    if found_idx <= 2 && (first == "create" || first == "drop") && all.len() > 1 {
        let second = word(1);
        if OBJECTS.contains(&second.as_str()) {
            let to = match second.as_str() {
                "or" => 3,
                "unique" | "temp" | "temporary" | "unlogged" | "materialized" | "fts" | "timeseries" | "recursive" => 2,
                _ => 1,
            };
            let to = to.min(all.len() - 1);
            return is(&upper(0, to), None, 0, to);
        }
    }
    if first == "create" && word(1) == "table" {
        if found == "partition" && next == "of" {
            return is("PARTITION OF", None, found_idx, found_idx + 1);
        }
        if matches!(found.as_str(), "deferrable" | "initially") {
            return is(
                &found.to_uppercase(),
                Some("keys are checked at the end of the statement"),
                found_idx,
                found_idx,
            );
        }
        if found == ")" && before(1) == "(" {
            return is("a table without columns", None, found_idx, found_idx);
        }
        if found == "for" && before(1) == "period" {
            let help =
                "every table has both times: INSERT .. VALID FROM a TO b, or the columns _valid_from and _valid_to";
            return is("PERIOD FOR", Some(help), found_idx - 1, found_idx);
        }
        if found == "without" && next == "overlaps" {
            let help = "a key is unique at each instant of valid time: leave the words out";
            return is("WITHOUT OVERLAPS", Some(help), found_idx, found_idx + 1);
        }
        if found == "with" && next == "system" {
            let help = "every table keeps its history: leave the words out";
            return is("WITH SYSTEM VERSIONING", Some(help), found_idx, all.len().min(found_idx + 3) - 1);
        }
        if matches!(
            found.as_str(),
            "unique" | "check" | "references" | "foreign" | "constraint" | "generated" | "exclude" | "like"
        ) {
            return is(&found.to_uppercase(), None, found_idx, found_idx);
        }
        if matches!(found.as_str(), "with" | "partition" | "inherits" | "tablespace" | "using") && before(1) == ")" {
            return is(&format!("{} behind CREATE TABLE", found.to_uppercase()), None, found_idx, found_idx);
        }
    }
    if first == "alter" && !(word(1) == "table" && (found_idx == 2 || word(3) == "set" && word(4) == "retention")) {
        let to = found_idx.min(all.len() - 1);
        return is(
            format!("ALTER {}", word(1).to_uppercase()).trim_end(),
            Some("ALTER TABLE .. SET RETENTION tells how long a table's history is kept"),
            0,
            to,
        );
    }
    if first == "drop" && matches!(found.as_str(), "cascade" | "restrict") {
        return is(&found.to_uppercase(), Some("leave the word out: nothing depends on a table"), found_idx, found_idx);
    }
    match first.as_str() {
        "begin" | "start" | "commit" | "end" | "rollback" | "abort"
            if found_idx > 0 && !found.is_empty() && found != "," =>
        {
            let help = (first == "begin" || first == "start")
                .then_some("every transaction reads one snapshot and writes; say BEGIN alone");
            return is(&upper(0, all.len().min(found_idx + 2) - 1), help, found_idx, all.len() - 1);
        }
        "explain" if word(1) == "(" && found_idx >= 2 && EXPLAIN_OPTIONS.contains(&word(2).as_str()) => {
            return is("EXPLAIN with this option", Some(EXPLAIN_HELP), 0, found_idx.min(all.len() - 1));
        }
        "explain" if found_idx == 1 && matches!(found.as_str(), "verbose" | "ai") => {
            return is(&format!("EXPLAIN {}", found.to_uppercase()), Some(EXPLAIN_HELP), 0, 1);
        }
        "explain" if matches!(found.as_str(), "prepare" | "set" | "show") => {
            return is(
                &format!("EXPLAIN {}", found.to_uppercase()),
                Some("explain the statement itself"),
                found_idx,
                found_idx,
            );
        }
        "copy" => {
            if matches!(found.as_str(), "stdin" | "stdout" | "program") {
                return is(
                    &format!("COPY with {}", found.to_uppercase()),
                    Some("name a file in quotes"),
                    found_idx,
                    found_idx,
                );
            }
        }
        "insert" => match (found.as_str(), next.as_str()) {
            ("on", "constraint") => {
                let help = Some("name the key's columns: a table has one key");
                return is("ON CONFLICT ON CONSTRAINT", help, found_idx, found_idx + 1);
            }
            ("overriding", _) => return is("OVERRIDING", None, found_idx, found_idx),
            ("(", _) if (2..8).any(|count| before(count) == "conflict") => {
                let help = Some("name the key's columns: a table has one key");
                return is("ON CONFLICT by an expression", help, found_idx - 1, found_idx);
            }
            _ => {}
        },
        "update" if found == "." => {
            return is("setting a part of a column", Some("set the whole column"), found_idx, found_idx);
        }
        "update" | "delete" | "merge" if found == "of" && before(1) == "as" || found == "as" && next == "of" => {
            let from = if found == "of" { found_idx - 1 } else { found_idx };
            let help =
                Some("a change is made to the latest state; a subquery may read a past one: WHERE id IN (SELECT ...)");
            return is(&format!("AS OF in {}", first.to_uppercase()), help, from, from + 1);
        }
        "update" | "delete" | "merge" if found == "valid" && next == "at" => {
            let help = Some("behind the table write FOR PORTION OF VALID_TIME FROM ... TO ... or FOR VALID_TIME ALL");
            return is(&format!("VALID AT in {}", first.to_uppercase()), help, found_idx, found_idx + 1);
        }
        "set" if found == "deferrable" || found == "not" && next == "deferrable" => {
            return is("DEFERRABLE", Some("nothing waits: leave the word out"), found_idx, found_idx);
        }
        "set" if word(1) == "session" && word(2) == "characteristics" => {
            let help = Some("say it of each transaction: BEGIN READ ONLY, BEGIN ISOLATION LEVEL SERIALIZABLE");
            return is("SET SESSION CHARACTERISTICS", help, 0, 2.min(all.len() - 1));
        }
        "truncate" if matches!(found.as_str(), "cascade" | "restrict" | "restart" | "continue") => {
            let help = Some("leave the words out: nothing depends on a table, and no key is given by the database");
            return is(&upper(found_idx, all.len() - 1), help, found_idx, all.len() - 1);
        }
        _ => {}
    }
    match (found.as_str(), next.as_str()) {
        ("search", "depth" | "breadth") => {
            return is("SEARCH", Some("carry a path along and order by it"), found_idx, found_idx + 1);
        }
        ("cycle", _) if before(1) == ")" => {
            return is("CYCLE", Some("UNION ends at circles; or carry a path along"), found_idx, found_idx);
        }
        ("varying", _) if before(1) == "bit" => {
            let help = Some("write BLOB, or an INTEGER with & | # << >>");
            return is("a bit string", help, found_idx - 1, found_idx);
        }
        ("tablesample", _) => return is("TABLESAMPLE", None, found_idx, found_idx),
        ("update" | "share", _) if before(1) == "for" => {
            return is(
                "FOR UPDATE",
                Some("a conflicting commit is refused, so no row need be locked"),
                found_idx - 1,
                found_idx,
            );
        }
        ("for", "update" | "share" | "no" | "key") => {
            return is(
                "FOR UPDATE",
                Some("a conflicting commit is refused, so no row need be locked"),
                found_idx,
                found_idx + 1,
            );
        }
        ("collate", _) if first == "create" => {
            return is("COLLATE", Some("text is ordered by its bytes"), found_idx, found_idx);
        }
        ("only", _) => return is("ONLY", None, found_idx, found_idx),
        ("from", "(") if before(1) == "rows" => {
            let help = Some("unnest takes several arrays; other functions stand side by side in a SELECT list");
            return is("ROWS FROM", help, found_idx - 1, found_idx);
        }
        (".", _) if matches!(before(2).as_str(), "from" | "join" | "into" | "update" | "table") => {
            return is(
                "a schema's name before a table",
                Some("a database has one set of tables: leave the schema out"),
                found_idx,
                found_idx,
            );
        }
        _ => {}
    }
    if OPERATORS.contains(&found.as_str()) && all.get(found_idx).is_some_and(|token| token.kind == TokenKind::Operator)
    {
        return is(&format!("the operator {found}"), operator_help(&found), found_idx, found_idx);
    }
    None
}

fn operator_help(operator: &str) -> Option<&'static str> {
    match operator {
        "==" => Some("write ="),
        "<=>" => Some("write IS NOT DISTINCT FROM"),
        "//" => Some("/ divides integers"),
        _ => None,
    }
}
