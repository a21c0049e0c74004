//! Which path expression of SQL/JSON is a text?
//!
//! The text becomes one tree of [`Node`]s. Expressions and predicates share it, for a predicate in parentheses is a value
//! that more can be asked of; the reader keeps them apart: arithmetic and comparisons take expressions, `&&`, `||`, `!` and
//! filters take predicates. `||` binds loosest, then `&&`, comparisons, `+ -`, `* / %`, signs, and what follows a value.
//!
//! Holds: reading nests no deeper than [`DEPTH_MAX`]; `@` stands in a filter and `last` in a subscript.
//! Not here: what a path finds (`look`).

use super::moment::Kind;

/// As deep as paths nest.
const DEPTH_MAX: usize = 64;

/// A path, an expression or a predicate.
#[derive(Debug)]
pub(super) enum Node {
    /// `$`
    Root,
    /// `@`: what a filter asks about.
    Here,
    /// `last`: the last subscript.
    Last,
    /// `$name`
    Variable(String),
    /// A literal, as JSON.
    Literal(String),
    /// What is found behind a value.
    Path(Box<Node>, Vec<Step>),
    /// `-x` (true) and `+x`
    Sign(bool, Box<Node>),
    /// `+ - * / %`
    Arith(char, Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Compare(&'static str, Box<Node>, Box<Node>),
    Exists(Box<Node>),
    StartsWith(Box<Node>, Box<Node>),
    /// With the pattern and the flags of our regular expressions.
    LikeRegex(Box<Node>, String, String),
    IsUnknown(Box<Node>),
}

/// What is asked of a value.
#[derive(Debug)]
pub(super) enum Step {
    Member(String),
    AnyMember,
    /// `.**{from to to}`: the level below which values are found; `None` is the last.
    Below(Option<usize>, Option<usize>),
    Elements(Vec<(Node, Option<Node>)>),
    AnyElement,
    Filter(Node),
    Method(Method),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Method {
    Size,
    Type,
    Double,
    Abs,
    Floor,
    Ceiling,
    KeyValue,
    Bigint,
    Integer,
    Boolean,
    String,
    /// With the precision and the scale of `decimal(p, s)`.
    Number(Option<(i64, i64)>),
    /// `datetime('template')`
    Datetime(Option<String>),
    /// `date()`, `time(p)` and their kin, with the digits of a second.
    Moment(Kind, Option<u32>),
}

/// A whole path.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) strict: bool,
    pub(super) node: Node,
}

impl Node {
    /// Is it a predicate, which is true, false or unknown?
    pub(super) fn is_predicate(&self) -> bool {
        match self {
            Node::And(..)
            | Node::Or(..)
            | Node::Not(_)
            | Node::Compare(..)
            | Node::Exists(_)
            | Node::StartsWith(..)
            | Node::LikeRegex(..)
            | Node::IsUnknown(_) => true,
            Node::Root
            | Node::Here
            | Node::Last
            | Node::Variable(_)
            | Node::Literal(_)
            | Node::Path(..)
            | Node::Sign(..)
            | Node::Arith(..) => false,
        }
    }
}

/// The path that a text is.
pub(super) fn path(text: &str) -> Option<Path> {
    let mut reader = Reader { rest: text, depth: 0, filters: 0, subscripts: 0 };
    let strict = reader.eat_word("strict");
    if !strict {
        reader.eat_word("lax");
    }
    let node = reader.either()?;
    reader.space();
    reader.rest.is_empty().then_some(Path { strict, node })
}

struct Reader<'p> {
    rest: &'p str,
    depth: usize,
    filters: usize,
    subscripts: usize,
}

fn expression(node: Node) -> Option<Box<Node>> {
    (!node.is_predicate()).then(|| Box::new(node))
}

fn predicate(node: Node) -> Option<Box<Node>> {
    node.is_predicate().then(|| Box::new(node))
}

impl<'p> Reader<'p> {
    fn space(&mut self) {
        loop {
            self.rest = self.rest.trim_ascii_start();
            let Some(comment) = self.rest.strip_prefix("/*") else { return };
            let Some(end) = comment.find("*/") else { return };
            self.rest = &comment[end + 2..];
        }
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
        let is_part = |c: char| !c.is_whitespace() && !"?%$.[]{}()|&!=<>@#,*:-+/\"\\".contains(c);
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
        if self.word().is_some_and(|found| found.eq_ignore_ascii_case(word)) {
            return true;
        }
        self.rest = before;
        false
    }

    fn string(&mut self) -> Option<String> {
        self.space();
        let inner = self.rest.strip_prefix('"')?;
        let mut out = String::new();
        let mut chars = inner.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.rest = &inner[at + 1..];
                    return Some(out);
                }
                '\\' => {
                    let (at, escaped) = chars.next()?;
                    match escaped {
                        'b' => out.push('\x08'),
                        'f' => out.push('\x0c'),
                        'n' => out.push('\n'),
                        'r' => out.push('\r'),
                        't' => out.push('\t'),
                        'v' => out.push('\x0b'),
                        'x' | 'u' => {
                            let (char, len) = escaped_char(&inner[at..])?;
                            out.push(char);
                            for _ in 1..len {
                                chars.next();
                            }
                        }
                        other => out.push(other),
                    }
                }
                other => out.push(other),
            }
        }
        None
    }

    /// A number as JSON writes it. Nothing that could go on a word may follow.
    fn number(&mut self) -> Option<String> {
        self.space();
        let bytes = self.rest.as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit() || **b == b'_').count();
        let mut len = match bytes {
            [b'0', b'x' | b'X' | b'o' | b'O' | b'b' | b'B', ..] => {
                2 + bytes[2..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count()
            }
            _ => digits(0),
        };
        let is_whole = len > 2 && bytes[1].is_ascii_alphabetic();
        if !is_whole {
            // A point belongs to the number unless what follows it is a method.
            if bytes.get(len) == Some(&b'.') && (bytes.get(len + 1).is_some_and(u8::is_ascii_digit) || len > 0) {
                let is_step = len > 0 && bytes.get(len + 1).is_some_and(|b| !b.is_ascii_digit() && *b != b'.');
                if !is_step || bytes.get(len + 1).is_some_and(u8::is_ascii_digit) {
                    len += 1 + digits(len + 1);
                }
            }
            if matches!(bytes.get(len), Some(b'e' | b'E')) && len > 0 {
                let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
                let exponent = digits(len + 1 + sign);
                len += if exponent > 0 { 1 + sign + exponent } else { 0 };
            }
        }
        if len == 0 || self.rest[len..].starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let (text, rest) = self.rest.split_at(len);
        let mut number = Vec::new();
        if crate::big_numeric::read(text, &mut number) != super::Fault::Ok {
            return None;
        }
        self.rest = rest;
        let mut out = String::new();
        crate::big_numeric::write(&number, &mut out);
        Some(out)
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        self.depth += 1;
        let found = if self.depth > DEPTH_MAX { None } else { read(self) };
        self.depth -= 1;
        found
    }

    fn either(&mut self) -> Option<Node> {
        let mut node = self.both()?;
        while self.eat("||") {
            let right = self.deeper(Self::both)?;
            node = Node::Or(predicate(node)?, predicate(right)?);
        }
        Some(node)
    }

    fn both(&mut self) -> Option<Node> {
        let mut node = self.comparison()?;
        while self.eat("&&") {
            let right = self.deeper(Self::comparison)?;
            node = Node::And(predicate(node)?, predicate(right)?);
        }
        Some(node)
    }

    fn comparison(&mut self) -> Option<Node> {
        self.space();
        if self.rest.starts_with('!') && !self.rest.starts_with("!=") {
            self.rest = &self.rest[1..];
            // What is denied stands in parentheses, or is EXISTS.
            self.space();
            let is_delimited = self.rest.starts_with('(') || self.rest.starts_with("exists");
            let inner = self.deeper(Self::unary)?;
            return if is_delimited { Some(Node::Not(predicate(inner)?)) } else { None };
        }
        let left = self.sum()?;
        if self.eat_word("starts") {
            let left = expression(left)?;
            if !self.eat_word("with") {
                return None;
            }
            self.space();
            let head = match self.string() {
                Some(string) => Node::Literal(quoted(&string)),
                None if self.eat("$") => Node::Variable(self.variable()?),
                None => return None,
            };
            return Some(Node::StartsWith(left, Box::new(head)));
        }
        if self.eat_word("like_regex") {
            let left = expression(left)?;
            let pattern = self.string()?;
            let flags = if self.eat_word("flag") { self.string()? } else { String::new() };
            return Some(Node::LikeRegex(left, pattern, regex_flags(&flags)?));
        }
        let Some(sign) = ["==", "!=", "<>", "<=", ">=", "<", ">"].into_iter().find(|sign| self.eat(sign)) else {
            return Some(left);
        };
        let right = self.deeper(Self::sum)?;
        Some(Node::Compare(sign, expression(left)?, expression(right)?))
    }

    fn sum(&mut self) -> Option<Node> {
        let mut node = self.product()?;
        loop {
            let sign = if self.eat("+") {
                '+'
            } else if self.eat("-") {
                '-'
            } else {
                return Some(node);
            };
            let right = self.deeper(Self::product)?;
            node = Node::Arith(sign, expression(node)?, expression(right)?);
        }
    }

    fn product(&mut self) -> Option<Node> {
        let mut node = self.unary()?;
        loop {
            let sign = if self.eat("*") {
                '*'
            } else if self.eat("/") {
                '/'
            } else if self.eat("%") {
                '%'
            } else {
                return Some(node);
            };
            let right = self.deeper(Self::unary)?;
            node = Node::Arith(sign, expression(node)?, expression(right)?);
        }
    }

    fn unary(&mut self) -> Option<Node> {
        let minus = self.eat("-");
        if minus || self.eat("+") {
            let operand = self.deeper(Self::unary)?;
            return Some(Node::Sign(minus, expression(operand)?));
        }
        let start = self.primary()?;
        let steps = self.steps()?;
        Some(if steps.is_empty() { start } else { Node::Path(Box::new(start), steps) })
    }

    fn primary(&mut self) -> Option<Node> {
        if self.eat("(") {
            let inner = self.deeper(Self::either)?;
            if !self.eat(")") {
                return None;
            }
            if self.eat_word("is") {
                return if self.eat_word("unknown") { Some(Node::IsUnknown(predicate(inner)?)) } else { None };
            }
            return Some(inner);
        }
        if self.eat("$") {
            let is_named =
                self.rest.starts_with('"') || self.rest.starts_with(|c: char| c == '_' || c.is_alphanumeric());
            return Some(if is_named { Node::Variable(self.variable()?) } else { Node::Root });
        }
        if self.eat("@") {
            return (self.filters > 0).then_some(Node::Here);
        }
        if let Some(string) = self.string() {
            return Some(Node::Literal(quoted(&string)));
        }
        if let Some(number) = self.number() {
            return Some(Node::Literal(number));
        }
        match self.word()? {
            word @ ("true" | "false" | "null") => Some(Node::Literal(word.to_owned())),
            word if word.eq_ignore_ascii_case("last") => (self.subscripts > 0).then_some(Node::Last),
            word if word.eq_ignore_ascii_case("exists") => {
                if !self.eat("(") {
                    return None;
                }
                let inner = self.deeper(Self::either)?;
                if self.eat(")") { Some(Node::Exists(expression(inner)?)) } else { None }
            }
            _ => None,
        }
    }

    fn variable(&mut self) -> Option<String> {
        if self.rest.starts_with('"') {
            return self.string();
        }
        let is_part = |c: char| c == '_' || c.is_alphanumeric();
        let len = self.rest.find(|c: char| !is_part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(len);
        self.rest = rest;
        (len > 0).then(|| name.to_owned())
    }

    fn steps(&mut self) -> Option<Vec<Step>> {
        let mut steps = Vec::new();
        loop {
            if self.eat(".**") {
                steps.push(self.levels()?);
            } else if self.eat(".*") {
                steps.push(Step::AnyMember);
            } else if self.eat(".") {
                steps.push(self.member()?);
            } else if self.eat("[") {
                self.subscripts += 1;
                let step = self.deeper(Self::subscripts);
                self.subscripts -= 1;
                steps.push(step?);
            } else if self.eat("?") {
                if !self.eat("(") {
                    return None;
                }
                self.filters += 1;
                let test = self.deeper(Self::either);
                self.filters -= 1;
                steps.push(Step::Filter(*predicate(test?)?));
                if !self.eat(")") {
                    return None;
                }
            } else {
                return Some(steps);
            }
        }
    }

    /// Behind `.**`: `{1}`, `{1 to last}`
    fn levels(&mut self) -> Option<Step> {
        if !self.eat("{") {
            return Some(Step::Below(Some(0), None));
        }
        let level = |reader: &mut Self| -> Option<Option<usize>> {
            if reader.eat_word("last") {
                return Some(None);
            }
            Some(Some(reader.number()?.parse().ok()?))
        };
        let from = level(self)?;
        let to = if self.eat_word("to") { level(self)? } else { from };
        self.eat("}").then_some(Step::Below(from, to))
    }

    fn member(&mut self) -> Option<Step> {
        if let Some(key) = self.string() {
            return Some(Step::Member(key));
        }
        let word = self.word()?;
        if !self.eat("(") {
            return Some(Step::Member(word.to_owned()));
        }
        let method = match word {
            "size" => Method::Size,
            "type" => Method::Type,
            "double" => Method::Double,
            "abs" => Method::Abs,
            "floor" => Method::Floor,
            "ceiling" => Method::Ceiling,
            "keyvalue" => Method::KeyValue,
            "bigint" => Method::Bigint,
            "integer" => Method::Integer,
            "boolean" => Method::Boolean,
            "string" => Method::String,
            "number" => Method::Number(None),
            "decimal" => Method::Number(self.digits()?),
            "datetime" => Method::Datetime(self.string()),
            "date" => Method::Moment(Kind::Date, None),
            "time" => Method::Moment(Kind::Time, self.second_digits()?),
            "time_tz" => Method::Moment(Kind::TimeTz, self.second_digits()?),
            "timestamp" => Method::Moment(Kind::Timestamp, self.second_digits()?),
            "timestamp_tz" => Method::Moment(Kind::TimestampTz, self.second_digits()?),
            _ => return None,
        };
        self.eat(")").then_some(Step::Method(method))
    }

    fn whole(&mut self) -> Option<i64> {
        let minus = self.eat("-");
        if !minus {
            self.eat("+");
        }
        let number: i64 = self.number()?.parse().ok()?;
        Some(if minus { -number } else { number })
    }

    /// `(p, s)` without its parentheses.
    fn digits(&mut self) -> Option<Option<(i64, i64)>> {
        self.space();
        if self.rest.starts_with(')') {
            return Some(None);
        }
        let precision = self.whole()?;
        let scale = if self.eat(",") { self.whole()? } else { 0 };
        Some(Some((precision, scale)))
    }

    /// How many digits of a second there shall be: at most six.
    fn second_digits(&mut self) -> Option<Option<u32>> {
        self.space();
        if self.rest.starts_with(')') {
            return Some(None);
        }
        let digits: u32 = self.number()?.parse().ok()?;
        Some(Some(digits.min(6)))
    }

    fn subscripts(&mut self) -> Option<Step> {
        if self.eat("*") {
            return self.eat("]").then_some(Step::AnyElement);
        }
        let mut ranges = Vec::new();
        loop {
            let from = *expression(self.sum()?)?;
            let to = if self.eat_word("to") { Some(*expression(self.sum()?)?) } else { None };
            ranges.push((from, to));
            if !self.eat(",") {
                return self.eat("]").then_some(Step::Elements(ranges));
            }
        }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    super::super::json_tree::push_quoted(text, &mut out);
    out
}

/// `x41`, `u0041`, `u{41}`: the character, and how many characters say it.
fn escaped_char(text: &str) -> Option<(char, usize)> {
    let hex = |from: usize, to: usize| u32::from_str_radix(text.get(from..to)?, 16).ok();
    if text.starts_with('x') {
        return Some((char::from_u32(hex(1, 3)?)?, 3));
    }
    if text[1..].starts_with('{') {
        let end = text.find('}')?;
        return Some((char::from_u32(hex(2, end)?)?, end + 1));
    }
    let unit = hex(1, 5)?;
    if (0xd800..0xdc00).contains(&unit) && text.get(5..7) == Some("\\u") {
        let low = hex(7, 11)?.checked_sub(0xdc00)?;
        return Some((char::from_u32(0x10000 + ((unit - 0xd800) << 10) + low)?, 11));
    }
    Some((char::from_u32(unit)?, 5))
}

/// The flags of XQuery as ours: there a dot takes no line break unless `s` says so.
fn regex_flags(flags: &str) -> Option<String> {
    let (mut out, mut dot_all, mut lines) = (String::new(), false, false);
    for flag in flags.chars() {
        match flag {
            'i' | 'q' => out.push(flag),
            's' => dot_all = true,
            'm' => lines = true,
            _ => return None,
        }
    }
    out.push(match (dot_all, lines) {
        (false, false) => 'p',
        (false, true) => 'n',
        (true, false) => 's',
        (true, true) => 'w',
    });
    Some(out)
}
