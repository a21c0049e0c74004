//! What does a path find in a value?
//!
//! Items are walked one after another through all steps, so what was found before a fault is known. In lax mode, which is
//! the default, an array is looked through where a member is asked of it, a value counts as an array of itself, and what is
//! not there finds nothing; in strict mode each of these is a fault. A predicate never fails: a fault within it makes it
//! unknown.
//!
//! Not here: how a path is written (`read`).

use super::{
    Fault, convert,
    moment::Moment,
    read::{Method, Node, Path, Step},
};
use crate::{
    big_numeric,
    func::{big_numeric as numbers, json_order, json_tree::Tree, regex},
    pause::Pace,
};
use std::{cell::RefCell, cmp::Ordering};

/// Why a walk ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The value is not as the path has it: a predicate is unknown then, and a silent call gives nothing.
    Soft(Fault),
    /// The path itself is wrong.
    Hard(Fault),
}

type Walked = Result<(), Stop>;

/// What is asked of an item, and of another one where there are two.
type Pair<'f, 't> = &'f dyn Fn(&Tree<'t>, Option<&Tree<'t>>) -> Result<Option<bool>, Stop>;

const fn soft<T>(fault: Fault) -> Result<T, Stop> {
    Err(Stop::Soft(fault))
}

/// A search.
pub(super) struct Look<'l, 't> {
    pub(super) path: &'l Path,
    pub(super) root: &'l Tree<'t>,
    /// The object of variables.
    pub(super) variables: &'l Tree<'t>,
    /// The zone of what has none, where one is known.
    pub(super) zone: Option<&'l str>,
    /// How far the search went, which may be long: filters look at all pairs of two lists.
    pub(super) pace: RefCell<Pace>,
}

/// Where in it an expression is asked.
#[derive(Clone, Copy)]
struct Place<'p, 't> {
    here: &'p Tree<'t>,
    last: i64,
    /// Are missing members no faults, for `.**` found what they are asked of?
    loose: bool,
}

pub(super) fn leaf<'t>(text: impl Into<String>) -> Tree<'t> {
    Tree::Leaf(text.into().into())
}

/// The number that an item is, as bytes.
pub(super) fn number_of(tree: &Tree<'_>) -> Option<Vec<u8>> {
    match tree {
        Tree::Leaf(text) if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            let mut number = Vec::new();
            (big_numeric::read(text, &mut number) == Fault::Ok).then_some(number)
        }
        _ => None,
    }
}

pub(super) fn number_leaf<'t>(number: &[u8]) -> Tree<'t> {
    let mut out = String::new();
    big_numeric::write(number, &mut out);
    leaf(out)
}

impl<'t> Look<'_, 't> {
    /// All that the path finds, and what stopped it.
    pub(super) fn all(&self) -> (Vec<Tree<'t>>, Walked) {
        let mut found = Vec::new();
        let walked = self.items(&self.path.node, Place { here: self.root, last: -1, loose: false }, &mut found);
        (found, walked)
    }

    /// Takes a step, unless whoever asks is told to stop.
    fn goes_on(&self) -> Walked {
        if self.pace.borrow_mut().goes_on() { Ok(()) } else { Err(Stop::Hard(Fault::Stopped)) }
    }

    fn lax(&self) -> bool {
        !self.path.strict
    }

    fn items(&self, node: &Node, place: Place<'_, 't>, found: &mut Vec<Tree<'t>>) -> Walked {
        match node {
            Node::Root => found.push(self.root.clone()),
            Node::Here => found.push(place.here.clone()),
            Node::Last => found.push(leaf(place.last.to_string())),
            Node::Literal(text) => found.push(leaf(text.clone())),
            Node::Variable(name) => match self.variables {
                Tree::Object(fields) => match fields.iter().find(|(field, _)| field == name) {
                    Some((_, value)) => found.push(value.clone()),
                    None => return Err(Stop::Hard(Fault::PathVariable)),
                },
                Tree::Leaf(_) | Tree::Array(_) => return Err(Stop::Hard(Fault::PathVariable)),
            },
            Node::Path(start, steps) => {
                let mut starts = Vec::new();
                self.items(start, place, &mut starts)?;
                for start in starts {
                    self.walk(steps, start, place, found)?;
                }
            }
            Node::Sign(minus, operand) => {
                for item in self.opened(operand, place)? {
                    let Some(number) = number_of(&item) else { return soft(Fault::PathNumber) };
                    let mut out = Vec::new();
                    if *minus {
                        numbers::neg(&number, &mut out);
                        found.push(number_leaf(&out));
                    } else {
                        found.push(item);
                    }
                }
            }
            Node::Arith(sign, left, right) => {
                let (left, right) = (self.single(left, place)?, self.single(right, place)?);
                let mut out = Vec::new();
                let fault = match sign {
                    '+' => numbers::add(&left, &right, &mut out),
                    '-' => numbers::sub(&left, &right, &mut out),
                    '*' => numbers::mul(&left, &right, &mut out),
                    '/' => numbers::div(&left, &right, &mut out),
                    _ => numbers::rem(&left, &right, &mut out),
                };
                if fault != Fault::Ok {
                    return soft(fault);
                }
                found.push(number_leaf(&out));
            }
            Node::And(..)
            | Node::Or(..)
            | Node::Not(_)
            | Node::Compare(..)
            | Node::Exists(_)
            | Node::StartsWith(..)
            | Node::LikeRegex(..)
            | Node::IsUnknown(_) => {
                found.push(leaf(match self.test(node, place)? {
                    Some(true) => "true",
                    Some(false) => "false",
                    None => "null",
                }));
            }
        }
        Ok(())
    }

    /// The items; in lax mode those of an array instead of the array.
    fn opened(&self, node: &Node, place: Place<'_, 't>) -> Result<Vec<Tree<'t>>, Stop> {
        let mut found = Vec::new();
        self.items(node, place, &mut found)?;
        if !self.lax() {
            return Ok(found);
        }
        let open = |item| match item {
            Tree::Array(items) => items,
            other => vec![other],
        };
        Ok(found.into_iter().flat_map(open).collect())
    }

    /// The one number that an operand of arithmetic is.
    fn single(&self, node: &Node, place: Place<'_, 't>) -> Result<Vec<u8>, Stop> {
        match self.opened(node, place)?.as_slice() {
            [item] => number_of(item).ok_or(Stop::Soft(Fault::PathSingle)),
            _ => soft(Fault::PathSingle),
        }
    }

    fn walk(&self, steps: &[Step], item: Tree<'t>, place: Place<'_, 't>, found: &mut Vec<Tree<'t>>) -> Walked {
        self.goes_on()?;
        let Some((step, rest)) = steps.split_first() else {
            found.push(item);
            return Ok(());
        };
        let looks_through = self.lax()
            && match step {
                Step::Member(_) | Step::AnyMember | Step::Filter(_) => true,
                Step::Method(method) => !matches!(method, Method::Size | Method::Type),
                Step::Below(..) | Step::Elements(_) | Step::AnyElement => false,
            };
        match item {
            Tree::Array(items) if looks_through => {
                items.into_iter().try_for_each(|item| self.step(step, rest, item, place, found))
            }
            item => self.step(step, rest, item, place, found),
        }
    }

    fn step(
        &self,
        step: &Step,
        rest: &[Step],
        item: Tree<'t>,
        place: Place<'_, 't>,
        found: &mut Vec<Tree<'t>>,
    ) -> Walked {
        let missing = |fault: Fault| if self.lax() || place.loose { Ok(()) } else { soft(fault) };
        match step {
            Step::Member(key) => match item {
                Tree::Object(fields) => match fields.into_iter().find(|(name, _)| name == key) {
                    Some((_, value)) => self.walk(rest, value, place, found),
                    None => missing(Fault::PathMember),
                },
                Tree::Leaf(_) | Tree::Array(_) => missing(Fault::PathMember),
            },
            Step::AnyMember => match item {
                Tree::Object(fields) => {
                    fields.into_iter().try_for_each(|(_, value)| self.walk(rest, value, place, found))
                }
                Tree::Leaf(_) | Tree::Array(_) => missing(Fault::PathObject),
            },
            Step::AnyElement => match item {
                Tree::Array(items) => items.into_iter().try_for_each(|item| self.walk(rest, item, place, found)),
                item if self.lax() => self.walk(rest, item, place, found),
                _ => missing(Fault::PathArray),
            },
            Step::Elements(ranges) => {
                let items = match item {
                    Tree::Array(items) => items,
                    item if self.lax() => vec![item],
                    _ => return missing(Fault::PathArray),
                };
                let len = items.len() as i64;
                for (from, to) in ranges {
                    let within = Place { last: len - 1, ..place };
                    let from = self.subscript(from, within)?;
                    let to = match to {
                        Some(to) => self.subscript(to, within)?,
                        None => from,
                    };
                    if !self.lax() && !place.loose && (from < 0 || from > to || to >= len) {
                        return soft(Fault::PathSubscript);
                    }
                    for at in from.max(0)..=to.min(len - 1) {
                        self.walk(rest, items[at as usize].clone(), place, found)?;
                    }
                }
                Ok(())
            }
            Step::Filter(test) => {
                if self.test(test, Place { here: &item, ..place })? == Some(true) {
                    self.walk(rest, item, place, found)?;
                }
                Ok(())
            }
            Step::Below(from, to) => {
                let place = Place { loose: true, ..place };
                self.below(&item, 0, (*from, *to), rest, place, found)
            }
            Step::Method(method) => self.method(method, rest, item, place, found),
        }
    }

    /// The item and what is below it, on the levels asked for; `None` asks for leaves.
    fn below(
        &self,
        item: &Tree<'t>,
        level: usize,
        levels: (Option<usize>, Option<usize>),
        rest: &[Step],
        place: Place<'_, 't>,
        found: &mut Vec<Tree<'t>>,
    ) -> Walked {
        let is_leaf = match item {
            Tree::Leaf(_) => true,
            Tree::Array(_) | Tree::Object(_) => false,
        };
        let (from, to) = levels;
        let begins = from.map_or(is_leaf, |from| level >= from);
        let ends = to.is_none_or(|to| level <= to);
        if begins && ends {
            self.walk(rest, item.clone(), place, found)?;
        }
        if to.is_some_and(|to| level >= to) {
            return Ok(());
        }
        match item {
            Tree::Leaf(_) => Ok(()),
            Tree::Array(items) => {
                items.iter().try_for_each(|item| self.below(item, level + 1, levels, rest, place, found))
            }
            Tree::Object(fields) => {
                fields.iter().try_for_each(|(_, item)| self.below(item, level + 1, levels, rest, place, found))
            }
        }
    }

    fn subscript(&self, node: &Node, place: Place<'_, 't>) -> Result<i64, Stop> {
        let mut found = Vec::new();
        self.items(node, place, &mut found)?;
        let [item] = found.as_slice() else { return soft(Fault::PathSubscript) };
        let Some(number) = number_of(item) else { return soft(Fault::PathSubscript) };
        let mut whole = Vec::new();
        numbers::trunc(&number, &mut whole);
        match numbers::big_to_i64(&whole) {
            (at, Fault::Ok) if i32::try_from(at).is_ok() => Ok(at),
            _ => soft(Fault::PathSubscript),
        }
    }

    fn method(
        &self,
        method: &Method,
        rest: &[Step],
        item: Tree<'t>,
        place: Place<'_, 't>,
        found: &mut Vec<Tree<'t>>,
    ) -> Walked {
        let number = |of: fn(&[u8], &mut Vec<u8>) -> Fault| match number_of(&item) {
            Some(number) => {
                let mut out = Vec::new();
                of(&number, &mut out);
                Ok(number_leaf(&out))
            }
            None => soft(Fault::PathNoNumber),
        };
        let value = match method {
            Method::Size => match &item {
                Tree::Array(items) => leaf(items.len().to_string()),
                _ if self.lax() => leaf("1"),
                _ if place.loose => return Ok(()),
                _ => return soft(Fault::PathArray),
            },
            Method::Type => {
                let (mut written, mut name) = (String::new(), String::new());
                match Moment::of(&item) {
                    Some(moment) => name.push_str(moment.kind().name()),
                    None => {
                        item.write(&mut written);
                        super::super::json::type_name(&written, &mut name);
                    }
                }
                leaf(format!("\"{name}\""))
            }
            Method::Double => convert::double(&item)?,
            Method::Bigint => convert::whole(&item, i64::MIN..=i64::MAX)?,
            Method::Integer => convert::whole(&item, i64::from(i32::MIN)..=i64::from(i32::MAX))?,
            Method::Boolean => convert::boolean(&item)?,
            Method::String => convert::string(&item)?,
            Method::Number(digits) => convert::number(&item, *digits)?,
            Method::Datetime(template) => Moment::read(&item, template.as_deref())?.item(),
            Method::Moment(kind, digits) => {
                let moment = Moment::read(&item, None)?.to(*kind, self.zone)?;
                digits.map_or(moment, |digits| moment.rounded(digits)).item()
            }
            Method::Abs => number(numbers::abs)?,
            Method::Floor => number(numbers::floor)?,
            Method::Ceiling => number(numbers::ceil)?,
            Method::KeyValue => {
                let Tree::Object(fields) = item else { return soft(Fault::PathObject) };
                for (key, value) in fields {
                    let pair = vec![
                        ("id".into(), leaf("0")),
                        ("key".into(), {
                            let mut key_text = String::new();
                            super::super::json_tree::push_quoted(&key, &mut key_text);
                            leaf(key_text)
                        }),
                        ("value".into(), value),
                    ];
                    self.walk(rest, Tree::Object(pair), place, found)?;
                }
                return Ok(());
            }
        };
        self.walk(rest, value, place, found)
    }

    /// Three-valued. Only what is wrong with the path itself goes through.
    fn test(&self, test: &Node, place: Place<'_, 't>) -> Result<Option<bool>, Stop> {
        Ok(match test {
            Node::And(a, b) => match (self.test(a, place)?, b) {
                (Some(false), _) => Some(false),
                (a, b) => match (a, self.test(b, place)?) {
                    (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                },
            },
            Node::Or(a, b) => match (self.test(a, place)?, b) {
                (Some(true), _) => Some(true),
                (a, b) => match (a, self.test(b, place)?) {
                    (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
            },
            Node::Not(inner) => self.test(inner, place)?.map(|is| !is),
            Node::IsUnknown(inner) => Some(self.test(inner, place)?.is_none()),
            Node::Exists(operand) => {
                let mut found = Vec::new();
                match self.items(operand, place, &mut found) {
                    Err(stop @ Stop::Hard(_)) => return Err(stop),
                    // The first that is found is enough in lax mode.
                    Err(Stop::Soft(_)) if self.lax() && !found.is_empty() => Some(true),
                    Err(Stop::Soft(_)) => None,
                    Ok(()) => Some(!found.is_empty()),
                }
            }
            Node::StartsWith(text, head) => {
                let mut heads = Vec::new();
                self.items(head, place, &mut heads)?;
                let head = heads.first().and_then(Tree::as_string);
                self.any(text, None, place, &|item, _| {
                    Ok(match (item.as_string(), &head) {
                        (Some(text), Some(head)) => Some(text.starts_with(head)),
                        _ => None,
                    })
                })?
            }
            Node::LikeRegex(text, pattern, flags) => {
                self.any(text, None, place, &|item, _| match item.as_string() {
                    None => Ok(None),
                    Some(text) => match regex::regexp_like(&text, pattern, flags) {
                        (found, Fault::Ok) => Ok(Some(found)),
                        (_, fault) => Err(Stop::Hard(fault)),
                    },
                })?
            }
            Node::Compare(sign, left, right) => self.any(left, Some(right), place, &|one, other| match other {
                Some(other) => compare(one, sign, other, self.zone),
                None => Ok(None),
            })?,
            // The reader lets predicates only stand here.
            Node::Root
            | Node::Here
            | Node::Last
            | Node::Variable(_)
            | Node::Literal(_)
            | Node::Path(..)
            | Node::Sign(..)
            | Node::Arith(..) => None,
        })
    }

    /// Does it hold of some pair of items? In strict mode all pairs are asked, and one that is unknown makes it unknown.
    fn any(
        &self,
        left: &Node,
        right: Option<&Node>,
        place: Place<'_, 't>,
        holds: Pair<'_, 't>,
    ) -> Result<Option<bool>, Stop> {
        let items = |node: &Node| match self.opened(node, place) {
            Ok(items) => Ok(Some(items)),
            Err(Stop::Soft(_)) => Ok(None),
            Err(stop @ Stop::Hard(_)) => Err(stop),
        };
        let Some(left) = items(left)? else { return Ok(None) };
        let right: Vec<Option<Tree<'t>>> = match right {
            None => vec![None],
            Some(right) => match items(right)? {
                Some(items) => items.into_iter().map(Some).collect(),
                None => return Ok(None),
            },
        };
        let (mut found, mut unknown) = (false, false);
        for one in &left {
            for other in &right {
                self.goes_on()?;
                match holds(one, other.as_ref())? {
                    None if !self.lax() => return Ok(None),
                    None => unknown = true,
                    Some(true) if self.lax() => return Ok(Some(true)),
                    Some(true) => found = true,
                    Some(false) => {}
                }
            }
        }
        Ok(if found {
            Some(true)
        } else if unknown {
            None
        } else {
            Some(false)
        })
    }
}

/// A number of so few digits that it is compared as it stands.
fn small(tree: &Tree<'_>) -> Option<i64> {
    match tree {
        Tree::Leaf(text) if text.len() <= 18 => text.parse().ok(),
        Tree::Leaf(_) | Tree::Array(_) | Tree::Object(_) => None,
    }
}

fn compare(a: &Tree<'_>, sign: &str, b: &Tree<'_>, zone: Option<&str>) -> Result<Option<bool>, Stop> {
    if let (Some(one), Some(other)) = (small(a), small(b)) {
        return Ok(Some(holds(one.cmp(&other), sign)));
    }
    if let (Some(one), Some(other)) = (Moment::of(a), Moment::of(b)) {
        return Ok(one.compare(other, zone)?.map(|order| holds(order, sign)));
    }
    let kind = |tree: &Tree<'_>| match tree {
        Tree::Leaf(text) => match text.as_bytes().first() {
            Some(b'"') => 1,
            Some(b't' | b'f') => 2,
            Some(b'n') => 3,
            _ if Moment::of(tree).is_some() => 6,
            _ => 4,
        },
        Tree::Array(_) | Tree::Object(_) => 5,
    };
    if kind(a) != kind(b) {
        // null differs from everything else, and that is known.
        return Ok(if kind(a) == 3 || kind(b) == 3 { Some(matches!(sign, "!=" | "<>")) } else { None });
    }
    let (Tree::Leaf(one), Tree::Leaf(other)) = (a, b) else { return Ok(None) };
    Ok(Some(holds(json_order::compare(one, other), sign)))
}

fn holds(order: Ordering, sign: &str) -> bool {
    match sign {
        "==" => order.is_eq(),
        "!=" | "<>" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}
