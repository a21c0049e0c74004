//! What holds for every text?
//!
//! Any text gives a tree or an error without panic; spans lie within the text on whole tokens; the scanner of VALUES gives
//! pest's tree; the splitter cuts the same statements however the text is divided.

use proptest::prelude::*;
use spectradb_grammar::parse::{statement, statements};
use spectradb_grammar::split::Splitter;
use spectradb_grammar::tokens::{TokenKind, highlight, tokens};

/// Every span of a tree, found in its debug text.
fn spans(debug: &str) -> Vec<(usize, usize)> {
    debug
        .split("Span { start: ")
        .skip(1)
        .map(|rest| {
            let (start, rest) = rest.split_once(", end: ").unwrap();
            (start.parse().unwrap(), rest.split_once(" }").unwrap().0.parse().unwrap())
        })
        .collect()
}

/// The tree as text without its spans.
fn shape(debug: &str) -> String {
    debug.split("Span { start: ").map(|rest| rest.split_once(" }").map_or(rest, |(_, rest)| rest)).collect()
}

/// Words and signs that SQL is made of, so that random texts come near to statements.
fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "SELECT",
            "FROM",
            "WHERE",
            "GROUP BY",
            "ORDER BY",
            "LIMIT",
            "AS",
            "OF",
            "VALID",
            "AT",
            "VALUES",
            "INSERT INTO",
            "UPDATE",
            "SET",
            "DELETE FROM",
            "CASE",
            "WHEN",
            "THEN",
            "ELSE",
            "END",
            "AND",
            "OR",
            "NOT",
            "IS",
            "NULL",
            "IN",
            "BETWEEN",
            "LIKE",
            "JOIN",
            "LEFT",
            "ON",
            "UNION",
            "ALL",
            "DISTINCT",
            "CAST",
            "EXISTS",
            "OVER",
            "PARTITION BY",
            "FOR",
            "SYSTEM_TIME",
            "VALID_TIME",
            "TO",
            "CREATE TABLE",
            "PRIMARY KEY",
            "DEFAULT",
            "COPY",
            "EXTRACT",
            "TRIM",
            "WITH",
            "EXPLAIN",
            "RETURNING",
            "ROWS",
            "CONFLICT",
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![
            "(", ")", ",", ".", ";", "*", "=", "<", "<=", "<>", "||", "->", "->>", "+", "-", "/", "%", "::", "[", "'",
            "\"", "--", "/*", "*/", "$$", "$1", ":p", "\n", "E'\\'", "?", "^",
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![
            "a", "t", "doc", "\"A b\"", "é", "x1", "date", "int", "count", "12", "1.5e3", ".5", "'it''s'", "X'0f'"
        ])
        .prop_map(str::to_owned),
    ]
}

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec((token(), prop::sample::select(vec![" ", "", "\n"])), 0..40)
        .prop_map(|parts| parts.into_iter().map(|(token, space)| token + space).collect())
}

/// Expressions that are well formed.
fn expr() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a",
        "t.b",
        "doc.x.y",
        "1",
        "2.5",
        "'it''s'",
        "NULL",
        "TRUE",
        "$1",
        ":p",
        "DATE '2020-01-01'",
        "X'00'",
        "now()",
        "count(*)",
        "sum(DISTINCT a)",
        "rank() OVER (PARTITION BY a ORDER BY b DESC)",
        "(SELECT 1)",
        "EXISTS (SELECT a FROM t)",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let infix = prop::sample::select(vec![
            " OR ",
            " AND ",
            "+",
            " - ",
            "*",
            " / ",
            "||",
            "->",
            " ->> ",
            " IS DISTINCT FROM ",
            " = ",
            " /* c */ % ",
        ]);
        let postfix = prop::sample::select(vec![
            " IS NULL",
            " IS NOT TRUE",
            "::text",
            "::numeric(10, 2)",
            " IN (1, 2)",
            " NOT IN (SELECT a FROM t)",
            " BETWEEN 1 AND 2 + 3",
            " NOT LIKE 'a%' ESCAPE '\\'",
        ]);
        prop_oneof![
            (inner.clone(), infix, inner.clone()).prop_map(|(left, op, right)| format!("({left}){op}({right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("{left} + -{right}")),
            (inner.clone(), postfix).prop_map(|(operand, postfix)| format!("{operand}{postfix}")),
            inner.clone().prop_map(|operand| format!("NOT {operand}")),
            inner.clone().prop_map(|operand| format!("coalesce({operand}, 1)")),
            (inner.clone(), inner).prop_map(|(one, two)| format!("CASE WHEN {one} THEN {two} END")),
        ]
    })
}

/// A value of a VALUES row, usual and unusual.
/// A plain literal as a value.
fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i32>().prop_map(|number| number.to_string()),
        "[0-9]{1,4}\\.[0-9]{0,3}(e[+-]?[0-9])?",
        "'([a-z ,();é-]|''){0,8}'",
        prop::sample::select(vec![
            "NULL",
            "true",
            "False",
            "DATE '2020-01-01'",
            "timestamp'x'",
            "DEFAULT",
            "default",
            "- /* c */ 5",
            "+.5",
            "-- c\n7"
        ])
        .prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => literal(),
        1 => prop::sample::select(vec!["$1", ":p", "1 + 2", "(3)", "now()", "E'\\n'", "nulls", "a.b", "'x' || 'y'", "date", "-(1)", "$$;$$"])
            .prop_map(str::to_owned),
    ]
}

fn rows() -> impl Strategy<Value = String> {
    let row = |values: Vec<String>| format!("({})", values.join(", "));
    let few = prop::collection::vec(prop::collection::vec(value(), 1..4).prop_map(row), 1..6);
    // Many rows of literals are kept in another form.
    let many = prop::collection::vec(prop::collection::vec(literal(), 1..3).prop_map(row), 60..70);
    (prop_oneof![4 => few, 1 => many], prop::sample::select(vec![",", " ,\n", "/* , */,", ", -- c\n"]))
        .prop_map(|(rows, comma)| rows.join(comma))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![soup(), "\\PC{0,60}", any::<String>()]) {
        if let Err(diag) = statement(&text) {
            prop_assert_eq!(diag.code.len(), 5);
            prop_assert!(!diag.message.is_empty());
            diag.excerpt(&text);
        }
        let all = statements(&text);
        prop_assert!(all.is_ok() || all.unwrap_err().span.is_some());
        for (span, _) in highlight(&text) {
            prop_assert!(text.get(span.start as usize..span.end as usize).is_some());
        }
    }

    #[test]
    fn spans_cover_whole_tokens(expr in expr(), before in prop::sample::select(vec!["", " ", "/* é */\n", "-- x\n  "])) {
        let sql = format!("{before}SELECT {expr} AS x , {expr} FROM t WHERE {expr}  AS OF 1 ; ");
        // Comparisons without parentheses between them are refused, as in PostgreSQL; pieces may come to stand like that.
        let parsed = match statement(&sql) {
            Err(diag) if diag.message == "comparisons cannot be chained" => return Ok(()),
            parsed => parsed.unwrap(),
        };
        let bounds: Vec<_> = tokens(&sql).filter(|token| token.kind != TokenKind::Comment).collect();
        for (start, end) in spans(&format!("{parsed:?}")) {
            prop_assert!(bounds.iter().any(|token| token.start == start), "{} of {}", start, sql);
            prop_assert!(bounds.iter().any(|token| token.end == end), "{} of {}", end, sql);
        }
        // The statement's own text says the same.
        let own = statement(parsed.span.of(&sql)).unwrap();
        prop_assert_eq!(shape(&format!("{own:?}")), shape(&format!("{parsed:?}")));
    }

    #[test]
    fn fast_rows_are_pests_rows(rows in rows(), head in prop::sample::select(vec![
        "INSERT INTO t VALUES ", "insert into t (a, b) /* VALUES ( */ values", "INSERT INTO values VALUES\n",
        "INSERT INTO t VALID FROM 1 TO (2) VALUES", "INSERT INTO t AS x (a) VALUES",
    ]), tail in prop::sample::select(vec!["", " ;", " VALID FROM DATE '2020-01-01'", " -- end",
        " ON CONFLICT (a) DO UPDATE SET b = excluded.b WHERE true RETURNING a, *", " VALID FROM 1 ON CONFLICT DO NOTHING"])) {
        let sql = format!("{head}{rows}{tail}");
        // EXPLAIN is not for the scanner: what stands behind it is read by pest.
        let slow = statement(&format!("EXPLAIN {sql}"));
        match (statement(&sql), slow) {
            (Ok(fast), Ok(slow)) => {
                let options = "ExplainOptions { json: false, analyze: false }";
                let fast = format!("Explain {{ statement: {fast:?}, options: {options} }}");
                let slow = format!("{:?}", slow.kind);
                prop_assert_eq!(shape(&fast), shape(&slow));
                let moved: Vec<_> = spans(&fast).into_iter().map(|(start, end)| (start + 8, end + 8)).collect();
                prop_assert_eq!(moved, spans(&slow));
            }
            (Err(fast), Err(slow)) => prop_assert_eq!(fast.message, slow.message),
            (fast, slow) => prop_assert!(false, "{:?} {:?}", fast, slow),
        }
    }

    #[test]
    fn a_divided_text_splits_alike(text in prop_oneof![soup(), "[a-e';$\"\\-/* \n\\\\]{0,60}"], cuts in prop::collection::vec(0usize..200, 0..12)) {
        let split = |pieces: &[&str]| {
            let mut splitter = Splitter::new();
            let mut found = Vec::new();
            for piece in pieces {
                splitter.push(piece);
                while let Some(statement) = splitter.next_piece() {
                    found.push(statement.unwrap());
                }
            }
            while let Some(statement) = splitter.finish() {
                found.push(statement.unwrap());
            }
            found
        };
        let whole = split(&[&text]);
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| text.is_char_boundary(*cut)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort();
        let pieces: Vec<&str> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&whole, &split(&pieces));
        // And as the tokens say.
        let mut by_tokens: Vec<String> = Vec::new();
        let mut first: Option<usize> = None;
        for token in tokens(&text) {
            if token.is_sign(&text, ";") {
                by_tokens.extend(first.take().map(|start| text[start..token.start].trim_end().to_owned()));
            } else if token.kind == TokenKind::Comment || first.is_none() && text[token.start..].starts_with("/*") {
                // A comment, closed or not, begins no statement.
            } else {
                first.get_or_insert(token.start);
            }
        }
        by_tokens.extend(first.map(|start| text[start..].trim_end().to_owned()));
        prop_assert_eq!(whole.into_iter().map(|piece| piece.text).collect::<Vec<_>>(), by_tokens);
    }
}
