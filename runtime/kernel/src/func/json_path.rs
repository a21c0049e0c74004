//! What does a path expression of SQL/JSON find in a value?
//!
//! `$.items[*] ? (@.price > 10).name`: members, elements, ranges, wildcards, filters with comparisons, AND, OR, NOT,
//! `exists`, `starts with` and `like_regex`, and the methods `size()`, `type()`, `double()`, `abs()`, `floor()` and
//! `ceiling()`. In lax mode, which is the default, an array is looked through where a member is asked of it, and a value
//! counts as an array of itself; in strict mode what is not there finds nothing. `$name` is a field of the object of variables.
//!
//! Holds: a path is read once more for each row, but in one pass; reading and looking nest no deeper than 64 levels.
//! Not here: arithmetic, dates.

use super::{Fault, json_order, json_tree::Tree, lift::functions};

const DEPTH_MAX: usize = 64;

#[derive(Debug)]
enum Step {
    Member(String),
    AnyMember,
    AnyBelow,
    Elements(Vec<(Place, Place)>),
    AnyElement,
    Filter(Test),
    Method(Method),
}

#[derive(Clone, Copy, Debug)]
enum Place {
    At(i64),
    FromLast(i64),
}

#[derive(Clone, Copy, Debug)]
enum Method {
    Size,
    Type,
    Double,
    Abs,
    Floor,
    Ceiling,
}

#[derive(Debug)]
enum Operand {
    /// From `$` or, within a filter, from `@`.
    Path { from_root: bool, steps: Vec<Step> },
    /// A literal, as JSON.
    Literal(String),
    /// A variable, and what is asked of it.
    Variable { name: String, steps: Vec<Step> },
}

#[derive(Debug)]
enum Test {
    And(Box<Test>, Box<Test>),
    Or(Box<Test>, Box<Test>),
    Not(Box<Test>),
    Compare(Operand, &'static str, Operand),
    Exists(Operand),
    StartsWith(Operand, Operand),
    LikeRegex(Operand, String, String),
    IsUnknown(Box<Test>),
}

/// A whole path: what it finds, or a test of the whole value.
#[derive(Debug)]
struct Path {
    strict: bool,
    what: What,
}

#[derive(Debug)]
enum What {
    Items(Operand),
    Test(Test),
}

struct Reader<'p> {
    rest: &'p str,
    depth: usize,
}

type Read<T> = Option<T>;

impl<'p> Reader<'p> {
    fn space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn eat(&mut self, sign: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> Option<&'p str> {
        self.space();
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let len = self.rest.find(|c: char| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(len);
        if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let before = self.rest;
        if self.word() == Some(word) {
            return true;
        }
        self.rest = before;
        false
    }

    fn string(&mut self) -> Option<String> {
        self.space();
        if !self.rest.starts_with('"') {
            return None;
        }
        let mut escaped = false;
        let end = self.rest[1..].find(|c: char| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })? + 2;
        let (string, rest) = self.rest.split_at(end);
        self.rest = rest;
        serde_json::from_str(string).ok()
    }

    fn integer(&mut self) -> Option<i64> {
        self.space();
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        number.parse().ok()
    }

    fn path(mut self) -> Read<Path> {
        let strict = self.eat_word("strict");
        if !strict {
            self.eat_word("lax");
        }
        let before = self.rest;
        let items = self.operand();
        self.space();
        let what = match items {
            Some(items) if self.rest.is_empty() => What::Items(items),
            _ => {
                self.rest = before;
                What::Test(self.either()?)
            }
        };
        self.space();
        self.rest.is_empty().then_some(Path { strict, what })
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.depth += 1;
        let found = if self.depth > DEPTH_MAX { None } else { read(self) };
        self.depth -= 1;
        found
    }

    fn operand(&mut self) -> Read<Operand> {
        self.space();
        let from_root = self.rest.starts_with('$');
        if from_root || self.rest.starts_with('@') {
            self.rest = &self.rest[1..];
            let is_named = self.rest.starts_with(|c: char| c == '"' || c == '_' || c.is_alphabetic());
            if from_root && is_named {
                let name = match self.string() {
                    Some(name) => name,
                    None => self.word()?.to_owned(),
                };
                return Some(Operand::Variable { name, steps: self.steps()? });
            }
            return Some(Operand::Path { from_root, steps: self.steps()? });
        }
        if let Some(string) = self.string() {
            let mut literal = String::new();
            super::json_tree::push_quoted(&string, &mut literal);
            return Some(Operand::Literal(literal));
        }
        if let Some(word) = ["true", "false", "null"].into_iter().find(|word| self.eat_word(word)) {
            return Some(Operand::Literal(word.to_owned()));
        }
        let is_number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let len = self.rest.find(|c: char| !is_number(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(len);
        number.parse::<f64>().ok()?;
        self.rest = rest;
        Some(Operand::Literal(number.trim_start_matches('+').to_owned()))
    }

    fn steps(&mut self) -> Read<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            if self.eat(".**") {
                steps.push(Step::AnyBelow);
            } else if self.eat(".*") {
                steps.push(Step::AnyMember);
            } else if self.eat(".") {
                if let Some(key) = self.string() {
                    steps.push(Step::Member(key));
                    continue;
                }
                let word = self.word()?;
                let method = match word {
                    "size" => Some(Method::Size),
                    "type" => Some(Method::Type),
                    "double" => Some(Method::Double),
                    "abs" => Some(Method::Abs),
                    "floor" => Some(Method::Floor),
                    "ceiling" => Some(Method::Ceiling),
                    _ => None,
                };
                if self.eat("(") {
                    steps.push(Step::Method(method?));
                    if !self.eat(")") {
                        return None;
                    }
                } else {
                    steps.push(Step::Member(word.to_owned()));
                }
            } else if self.eat("[") {
                if self.eat("*") {
                    steps.push(Step::AnyElement);
                } else {
                    let mut ranges = Vec::new();
                    loop {
                        let from = self.place()?;
                        let to = if self.eat_word("to") { self.place()? } else { from };
                        ranges.push((from, to));
                        if !self.eat(",") {
                            break;
                        }
                    }
                    steps.push(Step::Elements(ranges));
                }
                if !self.eat("]") {
                    return None;
                }
            } else if self.eat("?") {
                if !self.eat("(") {
                    return None;
                }
                steps.push(Step::Filter(self.deeper(Self::either)?));
                if !self.eat(")") {
                    return None;
                }
            } else {
                return Some(steps);
            }
        }
    }

    fn place(&mut self) -> Read<Place> {
        if self.eat_word("last") {
            let back = if self.eat("-") { self.integer()? } else { 0 };
            return Some(Place::FromLast(back));
        }
        self.integer().map(Place::At)
    }

    fn either(&mut self) -> Read<Test> {
        let mut test = self.both()?;
        while self.eat("||") {
            test = Test::Or(Box::new(test), Box::new(self.deeper(Self::both)?));
        }
        Some(test)
    }

    fn both(&mut self) -> Read<Test> {
        let mut test = self.one()?;
        while self.eat("&&") {
            test = Test::And(Box::new(test), Box::new(self.deeper(Self::one)?));
        }
        Some(test)
    }

    fn one(&mut self) -> Read<Test> {
        let before = self.rest;
        if self.eat("!") && !self.rest.starts_with('=') {
            return Some(Test::Not(Box::new(self.deeper(Self::one)?)));
        }
        self.rest = before;
        if self.eat("(") {
            let test = self.deeper(Self::either)?;
            if !self.eat(")") {
                return None;
            }
            if self.eat_word("is") {
                return self.eat_word("unknown").then_some(Test::IsUnknown(Box::new(test)));
            }
            return Some(test);
        }
        if self.eat_word("exists") {
            let opened = self.eat("(");
            let operand = self.operand()?;
            return (opened && self.eat(")")).then_some(Test::Exists(operand));
        }
        let left = self.operand()?;
        if self.eat_word("starts") {
            return if self.eat_word("with") { Some(Test::StartsWith(left, self.operand()?)) } else { None };
        }
        if self.eat_word("like_regex") {
            let pattern = self.string()?;
            let flags = if self.eat_word("flag") { self.string()? } else { String::new() };
            return Some(Test::LikeRegex(left, pattern, flags));
        }
        let sign = ["==", "!=", "<>", "<=", ">=", "<", ">"].into_iter().find(|sign| self.eat(sign))?;
        Some(Test::Compare(left, sign, self.operand()?))
    }
}

/// Where a path looks.
struct Look<'l, 't> {
    root: &'l Tree<'t>,
    strict: bool,
    /// The object of variables.
    variables: &'l Tree<'t>,
    /// A variable that is not there.
    missing: std::cell::Cell<bool>,
}

fn leaf<'t>(text: String) -> Tree<'t> {
    Tree::Leaf(text.into())
}

fn number_of(tree: &Tree<'_>) -> Option<f64> {
    match tree {
        Tree::Leaf(text) if !text.starts_with(['"', 't', 'f', 'n']) => text.parse().ok(),
        _ => None,
    }
}

impl<'t> Look<'_, 't> {
    fn items(&self, operand: &Operand, here: &Tree<'t>) -> Vec<Tree<'t>> {
        match operand {
            Operand::Literal(text) => vec![leaf(text.clone())],
            Operand::Path { from_root, steps } => {
                let start = if *from_root { self.root } else { here };
                self.after(steps, start)
            }
            Operand::Variable { name, steps } => match self.variables.child(name) {
                Some(value) => self.after(steps, value),
                None => {
                    self.missing.set(true);
                    Vec::new()
                }
            },
        }
    }

    fn after(&self, steps: &[Step], start: &Tree<'t>) -> Vec<Tree<'t>> {
        steps
            .iter()
            .fold(vec![start.clone()], |items, step| items.into_iter().flat_map(|item| self.step(step, item)).collect())
    }

    fn step(&self, step: &Step, item: Tree<'t>) -> Vec<Tree<'t>> {
        let is_array = matches!(item, Tree::Array(_));
        let through = !self.strict && is_array && matches!(step, Step::Member(_) | Step::AnyMember | Step::Filter(_));
        if through {
            let Tree::Array(items) = item else { unreachable!("it is an array") };
            return items.into_iter().flat_map(|item| self.step_into(step, item)).collect();
        }
        self.step_into(step, item)
    }

    fn step_into(&self, step: &Step, item: Tree<'t>) -> Vec<Tree<'t>> {
        match (step, item) {
            (Step::Member(key), item @ Tree::Object(_)) => item.child(key).cloned().into_iter().collect(),
            (Step::AnyMember, Tree::Object(fields)) => fields.into_iter().map(|(_, value)| value).collect(),
            (Step::Member(_) | Step::AnyMember, _) => Vec::new(),
            (Step::AnyBelow, item) => {
                let mut found = Vec::new();
                below(&item, &mut found);
                found
            }
            (Step::AnyElement, Tree::Array(items)) => items,
            (Step::AnyElement, item) => {
                if self.strict {
                    Vec::new()
                } else {
                    vec![item]
                }
            }
            (Step::Elements(ranges), item) => {
                let items = match item {
                    Tree::Array(items) => items,
                    _ if self.strict => return Vec::new(),
                    other => vec![other],
                };
                let last = items.len() as i64 - 1;
                let at = |place: Place| match place {
                    Place::At(at) => at,
                    Place::FromLast(back) => last - back,
                };
                let places = ranges.iter().flat_map(|(from, to)| at(*from).max(0)..=at(*to).min(last));
                places.filter_map(|at| items.get(usize::try_from(at).ok()?).cloned()).collect()
            }
            (Step::Filter(test), item) => {
                if self.test(test, &item) == Some(true) {
                    vec![item]
                } else {
                    Vec::new()
                }
            }
            (Step::Method(method), item) => self.method(*method, item),
        }
    }

    fn method(&self, method: Method, item: Tree<'t>) -> Vec<Tree<'t>> {
        let number = |of: fn(f64) -> f64| {
            let value = match &item {
                Tree::Leaf(text) if text.starts_with('"') => item.as_string().and_then(|text| text.parse().ok()),
                item => number_of(item),
            };
            let mut text = String::new();
            value.into_iter().for_each(|value| super::cast::f64_to_json(of(value), &mut text));
            if text.is_empty() { Vec::new() } else { vec![leaf(text)] }
        };
        match method {
            Method::Size => match &item {
                Tree::Array(items) => vec![leaf(items.len().to_string())],
                _ if self.strict => Vec::new(),
                _ => vec![leaf("1".to_owned())],
            },
            Method::Type => {
                let mut written = String::new();
                item.write(&mut written);
                let mut name = String::new();
                super::json::type_name(&written, &mut name);
                vec![leaf(format!("\"{name}\""))]
            }
            Method::Double => number(|value| value),
            Method::Abs => number(f64::abs),
            Method::Floor => number(f64::floor),
            Method::Ceiling => number(f64::ceil),
        }
    }

    /// Three-valued: unknown where what is compared is of different kinds.
    fn test(&self, test: &Test, here: &Tree<'t>) -> Option<bool> {
        match test {
            Test::And(a, b) => match (self.test(a, here), self.test(b, here)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Test::Or(a, b) => match (self.test(a, here), self.test(b, here)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Test::Not(inner) => self.test(inner, here).map(|is| !is),
            Test::IsUnknown(inner) => Some(self.test(inner, here).is_none()),
            Test::Exists(operand) => Some(!self.items(operand, here).is_empty()),
            Test::StartsWith(text, head) => {
                let heads = self.items(head, here);
                let head = heads.first()?.as_string()?;
                self.any(text, here, |item| item.as_string().map(|text| text.starts_with(&head)))
            }
            Test::LikeRegex(text, pattern, flags) => {
                self.any(text, here, |item| match super::regex::regexp_like(&item.as_string()?, pattern, flags) {
                    (found, Fault::Ok) => Some(found),
                    _ => None,
                })
            }
            Test::Compare(left, sign, right) => {
                let right = self.loose(right, here);
                self.any(left, here, |one| right.iter().map(|other| compare(one, sign, other)).fold(Some(false), or))
            }
        }
    }

    /// The items; in lax mode those of an array instead of the array.
    fn loose(&self, operand: &Operand, here: &Tree<'t>) -> Vec<Tree<'t>> {
        let items = self.items(operand, here);
        if self.strict {
            return items;
        }
        let open = |item| match item {
            Tree::Array(items) => items,
            other => vec![other],
        };
        items.into_iter().flat_map(open).collect()
    }

    fn any(&self, operand: &Operand, here: &Tree<'t>, holds: impl Fn(&Tree<'t>) -> Option<bool>) -> Option<bool> {
        self.loose(operand, here).iter().map(holds).fold(Some(false), or)
    }
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

fn below<'t>(item: &Tree<'t>, found: &mut Vec<Tree<'t>>) {
    found.push(item.clone());
    match item {
        Tree::Leaf(_) => {}
        Tree::Array(items) => items.iter().for_each(|item| below(item, found)),
        Tree::Object(fields) => fields.iter().for_each(|(_, value)| below(value, found)),
    }
}

fn compare(a: &Tree<'_>, sign: &str, b: &Tree<'_>) -> Option<bool> {
    let (Tree::Leaf(one), Tree::Leaf(other)) = (a, b) else { return None };
    let kind = |text: &str| match text.as_bytes().first() {
        Some(b'"') => 1,
        Some(b't' | b'f') => 2,
        Some(b'n') => 3,
        _ => 4,
    };
    if kind(one) != kind(other) {
        // null differs from everything else, and that is known.
        return if kind(one) == 3 || kind(other) == 3 { Some(matches!(sign, "!=" | "<>")) } else { None };
    }
    let order = json_order::compare(one, other);
    Some(match sign {
        "==" => order.is_eq(),
        "!=" | "<>" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    })
}

fn found(json: &str, path: &str, variables: &str) -> Result<Vec<String>, Fault> {
    let path = Reader { rest: path, depth: 0 }.path().ok_or(Fault::InvalidArgument)?;
    let (root, variables) = (Tree::read(json), Tree::read(variables));
    if !matches!(variables, Tree::Object(_)) {
        return Err(Fault::InvalidArgument);
    }
    let look = Look { root: &root, strict: path.strict, variables: &variables, missing: false.into() };
    let print = |tree: &Tree<'_>| {
        let mut out = String::new();
        tree.write(&mut out);
        out
    };
    let found = match &path.what {
        What::Items(operand) => look.items(operand, &root).iter().map(print).collect(),
        What::Test(test) => vec![look.test(test, &root).map_or("null".to_owned(), |is| is.to_string())],
    };
    if look.missing.get() { Err(Fault::InvalidArgument) } else { Ok(found) }
}

/// Does the path find anything?
pub fn exists(json: &str, path: &str) -> (bool, Fault) {
    exists_with(json, path, "{}")
}

/// Does the path find anything, with an object of variables?
pub fn exists_with(json: &str, path: &str, variables: &str) -> (bool, Fault) {
    match found(json, path, variables) {
        Ok(found) => (!found.is_empty(), Fault::Ok),
        Err(fault) => (false, fault),
    }
}

/// Does the test that the path is hold? Unknown is no.
pub fn matches(json: &str, path: &str) -> (bool, Fault) {
    matches_with(json, path, "{}")
}

/// Does the test that the path is hold, with an object of variables? Unknown is no.
pub fn matches_with(json: &str, path: &str, variables: &str) -> (bool, Fault) {
    match found(json, path, variables) {
        Ok(found) => (found.first().is_some_and(|first| first == "true"), Fault::Ok),
        Err(fault) => (false, fault),
    }
}

/// All that the path finds, as an array.
pub fn query_array(json: &str, path: &str, out: &mut String) -> Fault {
    query_array_with(json, path, "{}", out)
}

/// All that the path finds with an object of variables, as an array.
pub fn query_array_with(json: &str, path: &str, variables: &str, out: &mut String) -> Fault {
    match found(json, path, variables) {
        Ok(found) => {
            out.push('[');
            out.push_str(&found.join(", "));
            out.push(']');
            Fault::Ok
        }
        Err(fault) => fault,
    }
}

functions! { "func::json_path";
    "jsonb_path_exists" (Json, Text) -> Boolean, Fallible, exists, "Does the path of SQL/JSON find anything?";
    "jsonb_path_match" (Json, Text) -> Boolean, Fallible, matches, "Does the test hold that the path of SQL/JSON is?";
    "jsonb_path_query_array" (Json, Text) -> Json, Fallible, query_array, "All that the path of SQL/JSON finds, as an array.";
    "jsonb_path_exists" (Json, Text, Json) -> Boolean, Fallible, exists_with, "Does the path find anything, with the fields of an object as its variables?";
    "jsonb_path_match" (Json, Text, Json) -> Boolean, Fallible, matches_with, "Does the test hold, with the fields of an object as its variables?";
    "jsonb_path_query_array" (Json, Text, Json) -> Json, Fallible, query_array_with, "All that the path finds, with the fields of an object as its variables.";
    "@?" (Json, Text) -> Boolean, Fallible, finds, "Does the path of SQL/JSON find anything?";
    "@@" (Json, Text) -> Boolean, Fallible, holds, "Does the test hold that the path of SQL/JSON is?";
}

/// Does the path find anything?
pub fn finds(json: &str, path: &str) -> (bool, Fault) {
    exists(json, path)
}

/// Does the test that the path is hold?
pub fn holds(json: &str, path: &str) -> (bool, Fault) {
    matches(json, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOC: &str = r#"{"items": [{"name": "tea", "price": 3}, {"name": "cup", "price": 12.5}], "n": null, "k": 2}"#;

    #[test]
    fn paths_find_what_they_name() {
        let expected = [
            ("$.k", "2"),
            ("$.items[*].name", "\"tea\" \"cup\""),
            ("$.items.name", "\"tea\" \"cup\""),
            ("strict $.items.name", ""),
            ("$.items[last].price", "12.5"),
            ("$.items[0 to 1].price", "3 12.5"),
            ("$.items[*] ? (@.price > 10).name", "\"cup\""),
            ("$.items[*] ? (@.name starts with \"t\" || @.price < 1).price", "3"),
            ("$.items[*] ? (@.name like_regex \"^C\" flag \"i\").name", "\"cup\""),
            ("$.items[*] ? (exists(@.price) && !(@.price == 3)).name", "\"cup\""),
            ("$.items.size()", "2"),
            ("$.n.type()", "\"null\""),
            ("$.k > 1", "true"),
            ("$.k > \"x\"", "null"),
            ("$.*[*] ? (@ == 2)", "2"),
            ("$.** ? (@ == 12.50)", "12.5"),
            ("$.x", ""),
        ];
        for (path, items) in expected {
            assert_eq!(found(DOC, path, "{}").map(|found| found.join(" ")).as_deref(), Ok(items), "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for path in ["", "$.", "$[", "$ ? (", "$.a ?? ", "x", "$.a.b()", "$ ? (@ == )"] {
            assert_eq!(found(DOC, path, "{}"), Err(Fault::InvalidArgument), "{path}");
        }
        let deep = format!("$ ? {}@ == 1{}", "(".repeat(1000), ")".repeat(1000));
        assert_eq!(found(DOC, &deep, "{}"), Err(Fault::InvalidArgument));
    }
}
