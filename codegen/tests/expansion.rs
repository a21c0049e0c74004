//! What does `spectra_sql!` write?
//!
//! The expansion of some statements, one of each kind, as text: so a change of what is generated is seen as a difference of these
//! files and not only in what programs do. A snapshot says the statement first, then the code, a line for each statement and
//! each brace. `INSTA_UPDATE=always cargo test -p spectradb-codegen --test expansion` writes them anew.
//!
//! Not here: whether the code compiles and what it answers (`tests/compiled`, `runtime/tests/typed`).

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::quote;
use spectradb_codegen::{chain, schema};
use spectradb_grammar::{bind, catalog::StaticCatalog, parse, plan::Statement};
use spectradb_kernel::schema::TableSchema;

const TABLES: [&str; 3] = [
    "CREATE TABLE accounts (id INTEGER PRIMARY KEY, name TEXT NOT NULL, balance NUMERIC(12,2))",
    "CREATE TABLE prices (item TEXT PRIMARY KEY, price REAL)",
    "CREATE TABLE events (pk TEXT PRIMARY KEY)",
];

fn table(name: &str) -> TableSchema {
    let named = format!("CREATE TABLE {name} ");
    let sql = TABLES.into_iter().find(|sql| sql.starts_with(&named)).expect("the table is declared above");
    let statement = parse::statement(sql).expect("it is SQL");
    let plan = bind::statement(&statement, sql, &StaticCatalog::default(), &bind::BindOptions::default());
    match &plan.expect("it binds").statement {
        Statement::CreateTable { table, .. } => table.clone(),
        other => panic!("{other:?} creates no table"),
    }
}

/// What a statement over some tables becomes; `rest` is what stands behind it in the macro.
fn expanded(tables: &[&str], sql: &str, rest: TokenStream) -> String {
    let schemas = tables.iter().map(|name| schema::to_tokens(&table(name)));
    let code = chain::finish(quote!(@spectradb ; (#(#tables)*) { [::spectradb] db, #sql #rest } #(#schemas)*));
    let mut out = Printer::default();
    out.stream(code, Delimiter::None);
    // The ways to the runtime, to the kernel and to the standard library are the same everywhere.
    let ways = [("::spectradb::private::v1::", "v1::"), ("v1::kernel::", ""), ("::core::", ""), ("::std::", "")];
    let text = ways.iter().fold(out.text, |text, (way, short)| text.replace(way, short));
    format!("-- {sql}\n\n{}\n", text.trim())
}

/// Tokens as lines: what ends with a semicolon or stands before a brace is one.
#[derive(Default)]
struct Printer {
    text: String,
    depth: usize,
}

impl Printer {
    fn line(&mut self) {
        self.text.truncate(self.text.trim_end().len());
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n("    ", self.depth));
    }

    fn last_line(&self) -> &str {
        self.text.rsplit('\n').next().unwrap_or_default()
    }

    /// Is the last line within `<..>`?
    fn is_in_angles(&self) -> bool {
        let line = self.last_line().replace("->", "").replace("=>", "");
        line.matches('<').count() > line.matches('>').count()
    }

    fn space(&mut self) {
        let leans = self.text.ends_with(['(', '[', '.', '&', '!', ' ', '\n', '\'', '#', '<', '|', '*']);
        if !leans && !self.text.ends_with("::") && !self.text.is_empty() {
            self.text.push(' ');
        }
    }

    fn stream(&mut self, tokens: TokenStream, within: Delimiter) {
        let mut glued = false;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => {
                    let (open, close) = match group.delimiter() {
                        Delimiter::Brace => ("{", "}"),
                        Delimiter::Parenthesis => ("(", ")"),
                        Delimiter::Bracket => ("[", "]"),
                        Delimiter::None => ("", ""),
                    };
                    if group.delimiter() == Delimiter::Brace {
                        self.space();
                        self.text.push_str(open);
                        self.depth += 1;
                        self.line();
                        self.stream(group.stream(), Delimiter::Brace);
                        self.depth -= 1;
                        self.line();
                        self.text.push_str(close);
                        let goes_on = match tokens.peek() {
                            None => true,
                            Some(TokenTree::Punct(next)) => ",;.?".contains(next.as_char()),
                            Some(TokenTree::Ident(next)) => next == "else",
                            Some(TokenTree::Group(_) | TokenTree::Literal(_)) => false,
                        };
                        if !goes_on {
                            self.line();
                        }
                    } else {
                        if self.text.ends_with(['=', ',', '>']) && !self.text.ends_with("->") {
                            self.space();
                        }
                        let is_attribute = self.text.ends_with('#');
                        self.text.push_str(open);
                        self.stream(group.stream(), group.delimiter());
                        self.text.truncate(self.text.trim_end().len());
                        self.text.push_str(close);
                        if is_attribute {
                            self.line();
                        }
                    }
                    glued = false;
                }
                TokenTree::Punct(punct) => {
                    let sign = punct.as_char();
                    let leans = glued || ",;.?:!><|".contains(sign) || self.text.ends_with(['(', '[', '\n', '<']);
                    // A path from the root stands apart from what is before it, but for a bracket.
                    let begins_path = sign == ':' && punct.spacing() == Spacing::Joint && !glued && {
                        let is_word = |before: char| before.is_alphanumeric() || before == '_' || before == '>';
                        let words = ["use", "impl", "mut", "as", "in", "'static", "->", "=>"];
                        let last = self.last_line().rsplit([' ', '&', '(']).next().unwrap_or_default();
                        !self.text.ends_with(is_word) || words.contains(&last)
                    };
                    if !leans || begins_path {
                        self.space();
                    }
                    self.text.push(sign);
                    glued = punct.spacing() == Spacing::Joint && sign != '\'';
                    match sign {
                        ';' if tokens.peek().is_some() && within == Delimiter::Brace => self.line(),
                        ',' if tokens.peek().is_some() && within == Delimiter::Brace && !self.is_in_angles() => {
                            self.line()
                        }
                        ',' => self.text.push(' '),
                        _ => {}
                    }
                }
                TokenTree::Ident(_) | TokenTree::Literal(_) => {
                    if !glued {
                        self.space();
                    }
                    self.text.push_str(&token.to_string());
                    glued = false;
                }
            }
        }
    }
}

macro_rules! expansions {
    ($($name:ident: $tables:expr, $sql:literal $(, $rest:tt)*;)*) => {$(
        #[test]
        fn $name() {
            let shown = expanded(&$tables, $sql, quote!($(, $rest)*));
            insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(stringify!($name), shown);
            });
        }
    )*};
}

expansions! {
    a_fact_by_its_key: ["accounts"], "SELECT name, balance FROM accounts WHERE id = $1", id;
    a_filter_and_a_sum: ["accounts"], "SELECT sum(balance) AS total FROM accounts WHERE balance > 10 AND name LIKE 'a%'";
    groups: ["accounts"], "SELECT name, count(*) AS n FROM accounts GROUP BY name HAVING count(*) > 1";
    a_join_in_valid_time: ["accounts", "prices"],
        "SELECT a.id, p.price FROM accounts a JOIN prices FOR VALID_TIME AS OF $1 p ON p.item = a.name", day;
    an_order_and_a_limit: ["prices"], "SELECT item FROM prices ORDER BY price DESC, item LIMIT 3";
    a_window: ["prices"], "SELECT item, rank() OVER (ORDER BY price) AS place FROM prices";
    both_times: ["prices"], "SELECT price FROM prices WHERE item = 'tea' VALID AT $1 AS OF $2", day, commit;
    a_case_that_may_fail: ["accounts"], "SELECT CASE WHEN id > 0 THEN 100 / id END AS share FROM accounts";
    a_subquery: ["accounts"], "SELECT id FROM accounts WHERE balance > (SELECT avg(balance) FROM accounts)";
    a_field_of_a_document: ["events"], "SELECT doc.amount FROM events WHERE doc.type = 'sale'";
    no_table: [""; 0], "SELECT now() AS at, current_setting('time_zone') AS zone";
    a_change_with_rows: ["accounts"], "UPDATE accounts SET balance = balance + $2 WHERE id = $1 RETURNING balance", id, more;
    an_insert: ["prices"], "INSERT INTO prices VALUES ($1, $2) VALID FROM $3", item, price, day;
    an_error: ["prices"], "SELECT prise FROM prices";
}
