//! Do all ways of carrying out a query agree?
//!
//! Queries are made up at random over three small tables that hold NULLs, history and valid periods. Each runs with and
//! without rewrites, and with batches of 1, 3 and 8,192 rows; all must give the same rows, in the same order where the query
//! has one, or fail with the same code, however many rows a batch holds. Rewrites may spare a query a fault; they bring one only of
//! a subquery that stands alone, which is then asked nearer to the tables, and where LIMIT or EXISTS need some rows, of which rewrites
//! change the order of work. What the answer should be is the corpus's business (`slt`): a mistake that all ways share is not found here.
//!
//! A failure prints the query and the seed. `SPECTRADB_PARITY_QUERIES` makes a longer run, `SPECTRADB_PARITY_SEED` another.

use spectradb::{Database, Session};
use std::fmt::Write as _;

/// Queries that once were answered differently.
const STORIES: &[&str] = &[
    // NOT of what is false for NULLs is true: the condition keeps the rows without a partner, the join is no inner one.
    "SELECT t1.v FROM a AS t0 RIGHT JOIN p AS t1 ON t0.g = t1.k AND t0.id > 99 \
     WHERE NOT (t0.d IS NOT NULL AND DATE '2020-01-03' < t0.d) ORDER BY 1",
    // A side of a join of which no column is wanted gave those that its own conditions read.
    "SELECT t1.v FROM (SELECT t0.id FROM a AS t0 WHERE t0.x / 1 > 0) AS t2 FULL JOIN p AS t1 ON 1 = 2 ORDER BY 1",
    "SELECT t1.v FROM (SELECT t0.id FROM a AS t0 WHERE t0.x > 0) AS t2 CROSS JOIN p AS t1 ORDER BY 1",
];

/// Faults that rows of a batch met behind the one that was enough; what comes of them.
const ENOUGH: &[(&str, &str)] = &[
    // What EXISTS asks for is there before the row that fails, and here behind it.
    ("SELECT count(*) FROM p WHERE EXISTS (SELECT 1 FROM a WHERE 10 / (id - 3) < 0)", "4"),
    ("SELECT count(*) FROM p WHERE EXISTS (SELECT 1 FROM a WHERE 10 / (id - 1) < 0)", "22012"),
    ("SELECT count(*) FROM a AS o WHERE EXISTS (SELECT 1 FROM a WHERE a.id <> o.id + 9 AND 10 / (a.id - 3) < 0)", "7"),
    (
        "SELECT count(*) FROM a AS o WHERE NOT EXISTS (SELECT 1 FROM a WHERE a.id <> o.id + 9 AND 10 / (a.id - 1) < 0)",
        "22012",
    ),
    ("SELECT sum(q) FROM (SELECT 10 / (n - 5) AS q FROM (VALUES (1), (2), (5), (7)) AS v (n) LIMIT 2) AS t", "-5"),
    ("SELECT sum(q) FROM (SELECT 10 / (n - 5) AS q FROM (VALUES (1), (2), (5), (7)) AS v (n) LIMIT 3) AS t", "22012"),
    (
        "SELECT sum(n) FROM (SELECT n FROM (VALUES (1), (2)) AS v (n) JOIN p ON 10 / (n - 2) + m > -100 LIMIT 4) AS t",
        "4",
    ),
    (
        "SELECT sum(n) FROM (SELECT n FROM (VALUES (1), (2)) AS v (n) LEFT JOIN p ON 10 / (n - 2) + m > 9 LIMIT 1) AS t",
        "1",
    ),
    (
        "SELECT sum(n) FROM (SELECT n FROM (VALUES (1), (2)) AS v (n) LEFT JOIN p ON 10 / (n - 2) + m > 9 LIMIT 2) AS t",
        "22012",
    ),
];

/// Every query's ways: with rewrites?, rows a batch.
const WAYS: [(bool, usize); 5] = [(true, 8192), (true, 1), (true, 3), (false, 8192), (false, 3)];

const QUERIES: u64 = 200;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The tables; the last statements make history.
const SCRIPT: &[&str] = &[
    "CREATE TABLE a (id INTEGER PRIMARY KEY, g TEXT, x INTEGER, n NUMERIC(8,2), d DATE, b BOOLEAN, l INT[])",
    "INSERT INTO a VALUES (1, 'red', 5, 1.50, DATE '2020-01-03', true, '{1,2}'), (2, 'blue', -3, NULL, DATE '2020-02-01', false, '{}'), \
     (3, NULL, 0, 2.25, NULL, NULL, NULL), (4, 'red', NULL, -0.75, DATE '2019-12-31', true, '{1,NULL,5}'), (5, 'green', 5, 10.00, DATE '2020-01-03', NULL, '{5}'), \
     (6, 'blue', 12, 1.50, DATE '2020-03-05', false, '{2,1}'), (7, '', 1, 0.00, DATE '2020-01-10', true, '{{1,2},{3,4}}'), (8, NULL, NULL, NULL, NULL, NULL, '[0:1]={1,2}')",
    "CREATE TABLE p (k TEXT, m INTEGER, v INTEGER, PRIMARY KEY (k, m))",
    "INSERT INTO p VALUES ('red', 1, 10), ('red', 2, 20), ('blue', 1, 30)",
    "INSERT INTO p VALUES ('green', 1, 40) VALID FROM DATE '2020-01-01' TO DATE '2020-02-01'",
    "INSERT INTO p VALUES ('green', 1, 41) VALID FROM DATE '2020-02-01'",
    "INSERT INTO p VALUES ('', 5, NULL) VALID FROM DATE '2019-06-01' TO DATE '2020-01-05'",
    "CREATE TABLE e (pk TEXT PRIMARY KEY)",
    "INSERT INTO e (pk, doc) VALUES ('red', '{\"t\":\"x\",\"v\":1}'), ('blue', '{\"t\":\"y\",\"v\":2.5}'), ('none', '{\"v\":\"1\"}')",
    "UPDATE a SET x = x + 1 WHERE g = 'red'",
    "UPDATE p FOR PORTION OF VALID_TIME FROM DATE '2020-01-10' TO DATE '2020-01-20' SET v = v * 2 WHERE k = 'green'",
    "DELETE FROM a WHERE id = 6",
    "UPDATE p SET v = 31 WHERE k = 'blue'",
];

/// A source of choices that is the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % sides
    }

    fn one<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.roll(choices.len())]
    }
}

/// What an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Int,
    Text,
    Num,
    Day,
    Bool,
    List,
}

/// Columns that may be named, with their kinds.
type Scope = Vec<(String, Kind)>;

struct Writer {
    dice: Dice,
    aliases: usize,
}

impl Writer {
    fn column(&mut self, scope: &Scope, kind: Kind) -> Option<String> {
        let fitting: Vec<&String> = scope.iter().filter(|(_, other)| *other == kind).map(|(name, _)| name).collect();
        if fitting.is_empty() { None } else { Some(fitting[self.dice.roll(fitting.len())].clone()) }
    }

    fn leaf(&mut self, scope: &Scope, kind: Kind) -> String {
        if self.dice.roll(4) > 0
            && let Some(column) = self.column(scope, kind)
        {
            return column;
        }
        let text = match kind {
            Kind::Int => self.dice.one(&["0", "1", "2", "-3", "5", "CAST(NULL AS INTEGER)"]),
            Kind::Text => self.dice.one(&["'red'", "'blue'", "''", "'Green'", "CAST(NULL AS TEXT)"]),
            Kind::Num => self.dice.one(&["1.50", "0.00", "-2.25", "CAST(NULL AS NUMERIC(8,2))"]),
            Kind::Day => self.dice.one(&["DATE '2020-01-03'", "DATE '2020-02-01'", "CAST(NULL AS DATE)"]),
            Kind::Bool => self.dice.one(&["true", "false", "CAST(NULL AS BOOLEAN)"]),
            Kind::List => self.dice.one(&["ARRAY[1, 2]", "'{5,NULL}'::INT[]", "ARRAY[]::INT[]", "CAST(NULL AS INT[])"]),
        };
        text.to_owned()
    }

    fn expr(&mut self, scope: &Scope, kind: Kind, depth: usize) -> String {
        if depth == 0 || self.dice.roll(3) == 0 {
            return self.leaf(scope, kind);
        }
        let deeper = depth - 1;
        if self.dice.roll(6) == 0 {
            let (when, then) = (self.expr(scope, Kind::Bool, deeper), self.expr(scope, kind, deeper));
            let otherwise = self.expr(scope, kind, deeper);
            return match self.dice.roll(3) {
                0 => format!("CASE WHEN {when} THEN {then} ELSE {otherwise} END"),
                1 => format!("CASE WHEN {when} THEN {then} END"),
                _ => format!("coalesce({then}, {otherwise})"),
            };
        }
        let mut again = |kind| self.expr(scope, kind, deeper);
        match kind {
            Kind::Int => {
                let (a, b, text) = (again(Kind::Int), again(Kind::Int), again(Kind::Text));
                match self.dice.roll(10) {
                    8 => format!("({})[{a}]", self.expr(scope, Kind::List, deeper)),
                    9 => format!("cardinality({})", self.expr(scope, Kind::List, deeper)),
                    4 if depth > 1 => {
                        let (from, inner) = self.table();
                        let value = self.expr(&inner, Kind::Int, 1);
                        format!("(SELECT {}({value}) FROM {from})", self.dice.one(&["count", "sum", "min"]))
                    }
                    5 => format!("extract(day FROM {})", self.leaf(scope, Kind::Day)),
                    0 => format!("length({text})"),
                    1 => format!("nullif({a}, {b})"),
                    2 => format!("abs({a})"),
                    3 => format!("({a} / {b})"),
                    _ => format!("({a} {} {b})", self.dice.one(&["+", "-", "*"])),
                }
            }
            Kind::Text => {
                let (a, b, number) = (again(Kind::Text), again(Kind::Text), again(Kind::Int));
                match self.dice.roll(4) {
                    0 => format!("upper({a})"),
                    1 => format!("CAST({number} AS TEXT)"),
                    2 => format!("substr({a}, 2, 2)"),
                    _ => format!("({a} || {b})"),
                }
            }
            Kind::Num => {
                let (a, b) = (again(Kind::Num), again(Kind::Num));
                match self.dice.roll(3) {
                    0 => format!("round({a}, 1)"),
                    _ => format!("({a} {} {b})", self.dice.one(&["+", "-"])),
                }
            }
            Kind::Day => again(Kind::Day),
            Kind::List => {
                let (a, b, number) = (again(Kind::List), again(Kind::List), again(Kind::Int));
                match self.dice.roll(6) {
                    0 => format!("array_append(({a})[:], {number})"),
                    1 => format!("array_remove({a}, {number})"),
                    2 => format!("({a})[{}:2]", self.dice.one(&["", "0", "2"])),
                    3 if depth > 1 => {
                        let (from, inner) = self.table();
                        let value = self.expr(&inner, Kind::Int, 1);
                        format!("ARRAY(SELECT {value} FROM {from} ORDER BY 1)")
                    }
                    4 => format!("ARRAY[{number}, {}]", self.leaf(scope, Kind::Int)),
                    _ => format!("({a} || {b})"),
                }
            }
            Kind::Bool => self.condition(scope, deeper),
        }
    }

    fn condition(&mut self, scope: &Scope, depth: usize) -> String {
        let kind = [Kind::Int, Kind::Text, Kind::Num, Kind::Day, Kind::List][self.dice.roll(5)];
        let (a, b) = (self.expr(scope, kind, depth), self.expr(scope, kind, depth));
        match self.dice.roll(15) {
            12 => {
                let (number, list) = (self.leaf(scope, Kind::Int), self.expr(scope, Kind::List, depth));
                format!("{number} {} ({list})", self.dice.one(&["= ANY", "<> ALL", "< ANY", ">= ALL"]))
            }
            13 => {
                let (one, two) = (self.expr(scope, Kind::List, depth), self.leaf(scope, Kind::List));
                format!("{one} {} {two}", self.dice.one(&["@>", "<@", "&&"]))
            }
            14 => {
                let (from, inner) = self.table();
                let value = self.expr(&inner, Kind::Int, 1);
                format!("{a} IS NULL AND {} = ANY (ARRAY(SELECT {value} FROM {from}))", self.leaf(scope, Kind::Int))
            }
            0 if depth > 0 => {
                format!("({} AND {})", self.condition(scope, depth - 1), self.condition(scope, depth - 1))
            }
            1 if depth > 0 => {
                format!("({} OR {})", self.condition(scope, depth - 1), self.condition(scope, depth - 1))
            }
            2 if depth > 0 => format!("NOT {}", self.condition(scope, depth - 1)),
            3 => format!("{a} IS {}NULL", self.dice.one(&["", "NOT "])),
            4 => format!("{a} {}IN ({b}, {})", self.dice.one(&["", "NOT "]), self.leaf(&Vec::new(), kind)),
            5 => format!("{a} BETWEEN {b} AND {}", self.leaf(scope, kind)),
            6 => format!("{} LIKE {}", self.expr(scope, Kind::Text, depth), self.dice.one(&["'%e%'", "'r_d'", "''"])),
            7 if depth > 0 => {
                let (from, inner) = self.table();
                let value = self.expr(&inner, kind, 1);
                let filter = self.condition(&inner, 1);
                format!("{a} {}IN (SELECT {value} FROM {from} WHERE {filter})", self.dice.one(&["", "NOT "]))
            }
            8 if depth > 0 => {
                let (from, inner) = self.table();
                format!("EXISTS (SELECT 1 FROM {from} WHERE {})", self.condition(&inner, 1))
            }
            9 if depth > 0 => {
                let (from, inner) = self.table();
                let value = self.expr(&inner, Kind::Int, 1);
                let number = self.expr(scope, Kind::Int, depth - 1);
                format!("{number} < (SELECT max({value}) FROM {from})")
            }
            _ => format!("{a} {} {b}", self.dice.one(&["=", "<", "<=", ">", ">=", "<>"])),
        }
    }

    /// A table with a scope on its times, and what may be named of it.
    fn table(&mut self) -> (String, Scope) {
        let alias = format!("t{}", self.aliases);
        self.aliases += 1;
        let system = self.dice.one(&["", "", "", "FOR SYSTEM_TIME AS OF 8", "FOR SYSTEM_TIME ALL"]);
        let valid = self.dice.one(&[
            "",
            "",
            "FOR VALID_TIME ALL",
            "FOR VALID_TIME AS OF DATE '2020-01-15'",
            "FOR VALID_TIME FROM DATE '2020-01-01' TO DATE '2020-01-20'",
        ]);
        let (name, columns): (&str, &[(&str, Kind)]) = match self.dice.roll(5) {
            0 | 1 => (
                "a",
                &[
                    ("id", Kind::Int),
                    ("g", Kind::Text),
                    ("x", Kind::Int),
                    ("n", Kind::Num),
                    ("d", Kind::Day),
                    ("b", Kind::Bool),
                    ("l", Kind::List),
                ],
            ),
            2 | 3 => ("p", &[("k", Kind::Text), ("m", Kind::Int), ("v", Kind::Int)]),
            _ => ("e", &[("pk", Kind::Text)]),
        };
        let mut scope: Scope = columns.iter().map(|(name, kind)| (format!("{alias}.{name}"), *kind)).collect();
        scope.push((format!("{alias}._commit"), Kind::Int));
        if name == "e" {
            scope.push((format!("CAST({alias}.doc.t AS TEXT)"), Kind::Text));
            scope.push((format!("({alias}.doc.v > 1)"), Kind::Bool));
            scope.push((format!("({alias}.doc.t = 'x')"), Kind::Bool));
        }
        (format!("{name} {system} {valid} AS {alias}"), scope)
    }

    /// What stands behind FROM.
    fn from(&mut self, depth: usize) -> (String, Scope) {
        let (mut text, mut scope) = match self.dice.roll(5) {
            0 if depth > 0 => {
                let (query, kinds) = self.select(depth - 1);
                let alias = format!("t{}", self.aliases);
                self.aliases += 1;
                let scope = kinds.iter().enumerate().map(|(i, kind)| (format!("{alias}.c{i}"), *kind)).collect();
                let text = match self.dice.roll(3) {
                    0 => format!("(WITH w AS ({query}) SELECT * FROM w) AS {alias}"),
                    1 => format!("({query} UNION ALL {query}) AS {alias}"),
                    _ => format!("({query}) AS {alias}"),
                };
                (text, scope)
            }
            _ => self.table(),
        };
        for _ in 0..self.dice.roll(3) {
            let (right, inner) = self.table();
            let kind = self.dice.one(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"]);
            write!(text, " {kind} {right}").expect("a String takes all");
            let left = scope.clone();
            scope.extend(inner.clone());
            if kind != "CROSS JOIN" {
                let of = [Kind::Int, Kind::Text, Kind::Int, Kind::List][self.dice.roll(4)];
                let key = format!("{} = {}", self.leaf(&left, of), self.leaf(&inner, of));
                let rest = self.condition(&scope, 1);
                let other = format!("{} = {}", self.leaf(&left, Kind::Int), self.leaf(&inner, Kind::Int));
                match self.dice.roll(5) {
                    0 => write!(text, " ON {rest}"),
                    1 => write!(text, " ON {key} AND {rest}"),
                    2 => write!(text, " ON {key} OR {other}"),
                    3 => write!(text, " ON ({key} AND {rest} OR {other}) AND {}", self.condition(&scope, 0)),
                    _ => write!(text, " ON {key}"),
                }
                .expect("a String takes all");
            }
        }
        (text, scope)
    }

    /// A query block without an order, and the kinds of its columns `c0`, `c1` ...
    fn select(&mut self, depth: usize) -> (String, Vec<Kind>) {
        let (from, scope) = self.from(depth);
        let filter = match self.dice.roll(3) {
            0 => String::new(),
            _ => format!(" WHERE {}", self.condition(&scope, 2)),
        };
        let all = [Kind::Int, Kind::Text, Kind::Num, Kind::Bool, Kind::List];
        let mut kinds: Vec<Kind> = (0..=self.dice.roll(2)).map(|_| all[self.dice.roll(5)]).collect();
        let mut exprs: Vec<String> = kinds.iter().map(|kind| self.expr(&scope, *kind, 2)).collect();
        let mut tail = String::new();
        match self.dice.roll(5) {
            0 => {
                if self.dice.roll(4) > 0 {
                    tail = format!(
                        " GROUP BY {}",
                        (1..=exprs.len()).map(|i| i.to_string()).collect::<Vec<_>>().join(", ")
                    );
                } else {
                    (kinds, exprs) = (Vec::new(), Vec::new());
                }
                for _ in 0..=self.dice.roll(2) {
                    let distinct = self.dice.one(&["", "DISTINCT "]);
                    let number = self.expr(&scope, Kind::Int, 1);
                    let text = self.expr(&scope, Kind::Text, 1);
                    let (expr, kind) = match self.dice.roll(5) {
                        0 => ("count(*)".to_owned(), Kind::Int),
                        1 => (format!("count({distinct}{text})"), Kind::Int),
                        2 => (format!("sum({distinct}{number})"), Kind::Int),
                        3 => (format!("max({text})"), Kind::Text),
                        _ => (format!("min({number})"), Kind::Int),
                    };
                    exprs.push(expr);
                    kinds.push(kind);
                }
                if self.dice.roll(3) == 0 {
                    write!(tail, " HAVING count(*) > {}", self.dice.roll(3)).expect("a String takes all");
                }
            }
            1 => {
                let partition = self.expr(&scope, Kind::Text, 1);
                let names: Vec<&str> = scope.iter().map(|(name, _)| name.as_str()).collect();
                // Ordered by every column there is: what ranks equal is equal.
                let over = format!("OVER (PARTITION BY {partition} ORDER BY {})", names.join(", "));
                let number = self.expr(&scope, Kind::Int, 1);
                exprs.push(match self.dice.roll(4) {
                    0 => format!("rank() {over}"),
                    1 => format!("dense_rank() {over}"),
                    2 => format!("sum({number}) {over}"),
                    _ => format!("count(*) OVER (PARTITION BY {partition})"),
                });
                kinds.push(Kind::Int);
            }
            _ => {}
        }
        let list = exprs.iter().enumerate().map(|(i, expr)| format!("{expr} AS c{i}")).collect::<Vec<_>>().join(", ");
        let distinct = if self.dice.roll(5) == 0 { "DISTINCT " } else { "" };
        (format!("SELECT {distinct}{list} FROM {from}{filter}{tail}"), kinds)
    }

    /// A query, and whether its rows have one order.
    fn query(&mut self) -> (String, bool) {
        let (mut query, kinds) = self.select(1);
        if self.dice.roll(5) == 0 {
            let (from, scope) = self.table();
            let exprs: Vec<String> = kinds.iter().map(|kind| self.expr(&scope, *kind, 1)).collect();
            let union = self.dice.one(&["UNION", "UNION ALL"]);
            query = format!("{query} {union} SELECT {} FROM {from}", exprs.join(", "));
        }
        if self.dice.roll(2) == 0 {
            return (query, false);
        }
        let way = |dice: &mut Dice| dice.one(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
        let keys: Vec<String> = (1..=kinds.len()).map(|i| format!("{i}{}", way(&mut self.dice))).collect();
        write!(query, " ORDER BY {}", keys.join(", ")).expect("a String takes all");
        if self.dice.roll(2) == 0 {
            write!(query, " LIMIT {} OFFSET {}", self.dice.roll(6), self.dice.roll(3)).expect("a String takes all");
        }
        (query, true)
    }
}

/// The rows as text, or the code of the error.
fn answer(session: &mut Session, sql: &str, is_ordered: bool) -> Result<Vec<String>, String> {
    let rows = session.query(sql, ()).and_then(|rows| rows.collect_all());
    let rows = rows.map_err(|error| error.code().to_owned())?;
    let mut texts: Vec<String> = rows.iter().map(|row| format!("{:?}", row.values())).collect();
    if !is_ordered {
        texts.sort();
    }
    Ok(texts)
}

/// The answers of all ways.
fn answers(session: &mut Session, sql: &str, is_ordered: bool) -> [Result<Vec<String>, String>; WAYS.len()] {
    WAYS.map(|(rewrites, batch_rows)| {
        session.set_execution(rewrites, batch_rows);
        answer(session, sql, is_ordered)
    })
}

fn scripted() -> Database {
    let db = Database::open_memory().expect("memory is there");
    for sql in SCRIPT {
        db.sql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    db
}

#[test]
fn old_disagreements_stay_settled() {
    let db = scripted();
    let mut session = db.session();
    for sql in STORIES {
        let answers = answers(&mut session, sql, true);
        assert!(answers.iter().all(|answer| answer.is_ok() && answer == &answers[0]), "{sql}: {answers:?}");
    }
}

#[test]
fn what_is_enough_is_no_matter_of_batches() {
    let db = scripted();
    let mut session = db.session();
    for (sql, wanted) in ENOUGH {
        let answers = answers(&mut session, sql, true);
        // Without rewrites a correlated EXISTS pairs all rows first.
        assert_eq!(answers[3], answers[4], "{sql}");
        for answer in answers.into_iter().take(3) {
            let found = answer.map_or_else(|code| code, |rows| rows[0].clone());
            assert!(found == *wanted || found == format!("[Integer({wanted})]"), "{sql}: {found}");
        }
    }
}

#[test]
fn all_ways_of_carrying_out_a_query_agree() {
    let db = scripted();
    let mut session = db.session();
    let first = setting("SPECTRADB_PARITY_SEED", 1);
    let (mut answered, mut failed) = (0, 0);
    for seed in first..first + setting("SPECTRADB_PARITY_QUERIES", QUERIES) {
        let dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (sql, is_ordered) = Writer { dice, aliases: 0 }.query();
        let answers = answers(&mut session, &sql, is_ordered);
        // As in PostgreSQL, elements of arrays of several dimensions are neither found nor removed.
        let names_elements = sql.contains("array_remove") || sql.contains("array_position");
        let is_of_data = |code: &str| code.starts_with("22") || names_elements && code == "0A000";
        let fails = |answer: &Result<Vec<String>, String>| answer.as_ref().is_err_and(|code| is_of_data(code));
        let plain = &answers[WAYS.len() - 1];
        let may_bring_fault = fails(&answers[0]) && (sql.contains("LIMIT") || sql.contains("(SELECT"));
        for (way, answer) in WAYS.iter().zip(&answers) {
            let is_free = way.0 && (plain.is_err() || may_bring_fault);
            let model = if is_free { &answers[0] } else { plain };
            assert_eq!(model, answer, "seed {seed}, {way:?}: {sql}");
        }
        match &answers[0] {
            Ok(_) => answered += 1,
            // Faults of data are part of the game; a query that is not understood is a mistake of ours here.
            Err(code) if is_of_data(code) => failed += 1,
            Err(code) => panic!(
                "seed {seed}: {code}: {sql}: {}",
                session.query(&sql, ()).err().map_or(String::new(), |error| error.to_string())
            ),
        }
    }
    assert!(answered > failed, "most queries are answered: {answered} were, {failed} failed");
}
