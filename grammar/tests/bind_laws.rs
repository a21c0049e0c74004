//! Does every statement bind to a sound plan or to an error of the language?
//!
//! Statements are put together at random from pieces that mostly fit each other. Law: a statement is refused with a code of
//! the language, never with one that says that a plan broke a rule; and it binds without rewrites exactly when it binds with
//! them. The check of every plan does the rest.

mod common;

use spectradb_grammar::{
    bind::{self, BindOptions},
    catalog::StaticCatalog,
    diag::{Diag, code},
    parse,
};

/// Numbers that look random and are the same for the same seed (a linear congruential generator, Knuth's constants).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }

    fn pick<'p>(&mut self, from: &[&'p str]) -> &'p str {
        from[self.roll(from.len())]
    }

    fn number(&mut self, depth: u32) -> String {
        if depth == 0 || self.roll(5) == 0 {
            if self.roll(60) == 0 {
                return self.pick(&["nothing", "i.date", "name", "id"]).to_owned();
            }
            let leaves = [
                "a.id", "balance", "amount", "i.id", "e.doc.n", "1", "0", "-3", "2.50", "1e-3", "1e300", "$1", "NULL",
                "'12'",
            ];
            return self.pick(&leaves).to_owned();
        }
        let d = depth - 1;
        match self.roll(12) {
            0..=3 => format!("({} {} {})", self.number(d), self.pick(&["+", "-", "*", "/"]), self.number(d)),
            4 => format!("{}({})", self.pick(&["abs", "round", "floor", "sqrt"]), self.number(d)),
            5 => format!(
                "{}({}, {})",
                self.pick(&["coalesce", "greatest", "nullif", "least"]),
                self.number(d),
                self.number(d)
            ),
            6 => format!("CASE WHEN {} THEN {} ELSE {} END", self.truth(d), self.number(d), self.number(d)),
            7 => format!("({})::{}", self.number(d), self.pick(&["integer", "real", "numeric(10,2)", "numeric"])),
            8 if depth == 3 => format!(
                "{}({}) OVER (PARTITION BY {} ORDER BY {})",
                self.pick(&["sum", "lag", "count"]),
                self.number(d),
                self.text(d),
                self.number(d)
            ),
            9 => format!("length({})", self.text(d)),
            10 => format!(
                "extract({} FROM {})",
                self.pick(&["year", "second"]),
                self.pick(&["i.date", "now()", "_valid_from"])
            ),
            _ => format!("(SELECT max({}) FROM accounts AS a, invoices AS i)", self.number(d)),
        }
    }

    fn text(&mut self, depth: u32) -> String {
        if depth == 0 || self.roll(4) == 0 {
            return self.pick(&["name", "currency", "e.doc.user", "'x'", "'a%'", "NULL", "$2", "e.pk"]).to_owned();
        }
        let d = depth - 1;
        match self.roll(6) {
            0 => format!("({} || {})", self.text(d), self.number(d)),
            1 => format!("upper({})", self.text(d)),
            2 => format!("concat({}, {}, {})", self.text(d), self.number(d), self.text(d)),
            3 => format!("coalesce({}, {})", self.text(d), self.text(d)),
            4 => format!("({})::text", self.number(d)),
            _ => format!("substr({}, {})", self.text(d), self.number(d)),
        }
    }

    fn truth(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.pick(&["true", "paid", "e.doc.flag", "a.id = 1", "name = 'x'", "NULL"]).to_owned();
        }
        let d = depth - 1;
        match self.roll(9) {
            0 | 1 => format!("({} {} {})", self.number(d), self.pick(&["=", "<>", "<", ">="]), self.number(d)),
            2 => format!("({} {} {})", self.truth(d), self.pick(&["AND", "OR"]), self.truth(d)),
            3 => format!("NOT {}", self.truth(d)),
            4 => format!(
                "{} {}BETWEEN {} AND {}",
                self.number(d),
                self.pick(&["", "NOT "]),
                self.number(d),
                self.number(d)
            ),
            5 => format!("{} IN ({}, {})", self.number(d), self.number(d), self.number(d)),
            6 => format!("{} LIKE {}", self.text(d), self.text(d)),
            7 => format!("({}) IS {}NULL", self.number(d), self.pick(&["", "NOT "])),
            _ => format!("{} IN (SELECT id FROM invoices AS i)", self.number(d)),
        }
    }

    fn query(&mut self) -> String {
        let from = self.pick(&[
            "accounts AS a, invoices AS i, events AS e",
            "events AS e, accounts AS a JOIN invoices AS i ON a.id = i.id",
            "accounts AS a LEFT JOIN invoices AS i ON a.id = i.id LEFT JOIN events AS e ON e.pk = name",
            "accounts AS a FULL JOIN invoices AS i ON a.id = i.id AND balance > 1 CROSS JOIN events AS e",
            "invoices AS i JOIN rates FOR VALID_TIME AS OF i.date AS r USING (currency), accounts AS a, events AS e",
        ]);
        let distinct = self.pick(&["", "", "DISTINCT "]);
        let (x, y) = (self.number(3), self.text(2));
        let filter = if self.roll(2) == 0 { format!(" WHERE {}", self.truth(3)) } else { String::new() };
        let tail = match self.roll(6) {
            0 => " ORDER BY 1, y LIMIT 3".to_owned(),
            1 => {
                return format!(
                    "SELECT {y} AS y, count(*), sum({x}) AS x FROM {from}{filter} GROUP BY {y} HAVING max({x}) > 1"
                );
            }
            2 => format!(" ORDER BY {}", self.number(2)),
            3 => " AS OF 2 VALID AT 5".to_owned(),
            _ => String::new(),
        };
        format!("SELECT {distinct}{x} AS x, {y} AS y FROM {from}{filter}{tail}")
    }

    fn statement(&mut self) -> String {
        match self.roll(10) {
            0 => format!("SELECT * FROM ({}) AS p UNION SELECT * FROM ({}) AS q", self.query(), self.query()),
            1 => format!("INSERT INTO accounts (id, name) {}", self.query()),
            2 => format!("WITH c AS ({}) SELECT x, y || 'z' FROM c WHERE x IS NOT NULL AND y > 'b'", self.query()),
            3 => format!(
                "UPDATE accounts AS a SET balance = {}, name = {} WHERE {}",
                self.number(2),
                self.text(1),
                self.truth(2)
            ),
            4 => format!("DELETE FROM invoices FOR VALID_TIME ALL AS i WHERE {}", self.truth(2)),
            5 => format!(
                "SELECT x, count(*), max(y) FROM ({}) AS s WHERE x IS NOT NULL GROUP BY x ORDER BY 2",
                self.query()
            ),
            _ => self.query(),
        }
    }
}

fn bound(sql: &str, catalog: &StaticCatalog, rewrites: bool) -> Result<(), Diag> {
    let tree = parse::statement(sql)?;
    bind::statement(&tree, sql, catalog, &BindOptions { rewrites, ..BindOptions::default() }).map(|_| ())
}

#[test]
fn statements_bind_soundly_or_are_refused() {
    let catalog = common::catalog();
    let mut accepted = 0;
    let rounds = 400;
    for seed in 0..rounds {
        let sql = Dice(seed * 7_919 + 17).statement();
        let (plain, fast) = (bound(&sql, &catalog, false), bound(&sql, &catalog, true));
        assert_eq!(plain, fast, "seed {seed}: {sql}");
        match plain {
            Ok(()) => accepted += 1,
            Err(diag) => assert_ne!(diag.code, code::INTERNAL, "seed {seed}: {sql}: {}", diag.message),
        }
    }
    // Mostly refused statements would show little.
    assert!(accepted > rounds / 5, "only {accepted} of {rounds} statements were bound");
}

#[test]
fn a_plan_grows_with_its_text_only() {
    let catalog = common::catalog();
    for (select, group) in [("s + s AS s", ""), ("s + s AS s", " GROUP BY s + s")] {
        let mut sql = "SELECT id AS s FROM accounts".to_owned();
        for _ in 0..40 {
            sql = format!("SELECT {select} FROM ({sql}) AS q WHERE s > 0{group}");
        }
        let planned = spectradb_grammar::plan(&sql, &catalog).unwrap_or_else(|diag| panic!("{diag:?}"));
        let mut parts = 0usize;
        planned.statement.for_each_query(&mut |query| {
            query.root.walk(&mut |node| node.for_each_expr(&mut |expr| expr.walk(&mut |_| parts += 1)));
        });
        // Doubling at each of 40 levels, it would not fit into memory.
        assert!(parts < 1_000_000, "{parts} parts{group}");
    }
}
