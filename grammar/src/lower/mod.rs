//! How do pest's pairs become the tree?
//!
//! At once and by one walk: pairs are cheap to visit and dear to keep. Each file lowers the rules of the pest file of its
//! name; [`operators`] gives flat runs of operands their shape.
//!
//! Holds: every node's span runs from its first to its last token, counted in the whole text. Recursion is bounded by the
//! nesting that the survey allows and by [`DEPTH_MAX`].
//! Not here: anything that needs to know tables.

mod arguments;
mod array;
mod ddl;
mod dml;
mod expr;
mod join;
mod json;
mod json_table;
mod literal;
mod merge;
mod operators;
mod query;
mod session;
mod types;
mod variadic;
mod window;

pub(crate) use dml::{set_period, values_query};
pub(crate) use literal::unquote;

use crate::ast::Name;
use crate::diag::{Diag, code};
use crate::parse::Rule;
use crate::span::Span;
pub(crate) use json::ONE_COLUMN;
use std::cell::RefCell;

/// A piece of the text that fits a rule.
pub(crate) type Pair<'i> = pest::iterators::Pair<'i, Rule>;

/// Operators, joins or set operations below one another. AND and OR do not count: their trees are balanced.
pub(crate) const DEPTH_MAX: u32 = 256;

/// Turns pairs of one text into the tree.
pub(crate) struct Lower {
    /// Where the text begins in the whole.
    base: u32,
    /// How many operators lie above what is being lowered.
    depth: u32,
    /// INTO of a SELECT, and where that SELECT begins: only the outermost one may have it.
    into: Option<(Name, u32)>,
    /// The first name whose escapes are none.
    wrong_name: RefCell<Option<Diag>>,
}

impl Lower {
    /// For pairs of a text that begins at `base` in the whole.
    pub(crate) fn new(base: u32) -> Lower {
        Lower { base, depth: 0, into: None, wrong_name: RefCell::default() }
    }

    /// Refuses an INTO that no statement took, and a name that is none.
    pub(crate) fn finish(&self) -> Result<(), Diag> {
        if let Some(diag) = self.wrong_name.borrow_mut().take() {
            return Err(diag);
        }
        match &self.into {
            None => Ok(()),
            Some((name, _)) => Err(Diag::new(code::SYNTAX, "SELECT ... INTO is not allowed here", name.span)
                .help("only a whole statement creates a table")),
        }
    }

    /// From the first to the last token of a pair.
    fn span(&self, pair: &Pair<'_>) -> Span {
        let start = pair.as_span().start();
        let end = last_token_end(pair).unwrap_or(start);
        Span { start: self.base + start as u32, end: self.base + end as u32 }
    }

    /// A name, folded unless it is quoted.
    fn name(&self, pair: &Pair<'_>) -> Name {
        let written = pair.as_str();
        let text = match written.strip_prefix('"') {
            Some(rest) => rest[..rest.len() - 1].replace("\"\"", "\""),
            None if written.contains('"') => literal::unicode_name(written).unwrap_or_else(|message| {
                let diag = Diag::new(code::SYNTAX, message, self.span(pair));
                self.wrong_name.borrow_mut().get_or_insert(diag);
                String::new()
            }),
            None if written.is_ascii() => written.to_ascii_lowercase(),
            None => written.to_lowercase(),
        };
        Name { text, span: self.span(pair) }
    }

    fn name_list(&self, pair: Pair<'_>) -> Vec<Name> {
        pair.into_inner().filter(|part| part.as_rule() == Rule::name).map(|part| self.name(&part)).collect()
    }

    /// Lowers with so many more operators above; an error where they are too many.
    fn deeper<T>(
        &mut self,
        levels: u32,
        place: Span,
        lower: impl FnOnce(&mut Self) -> Result<T, Diag>,
    ) -> Result<T, Diag> {
        self.depth += levels;
        if self.depth > DEPTH_MAX {
            return Err(Diag::new(code::TOO_COMPLEX, "the statement is too complex", place)
                .help(format!("at most {DEPTH_MAX} operators, joins or set operations may stand within each other")));
        }
        let lowered = lower(self);
        self.depth -= levels;
        lowered
    }
}

/// Where the last token within a pair ends: pest's own end may lie behind space that was skipped in vain.
fn last_token_end(pair: &Pair<'_>) -> Option<usize> {
    let mut inner = pair.clone().into_inner();
    if inner.is_empty() {
        let span = pair.as_span();
        return (span.end() > span.start()).then_some(span.end());
    }
    inner.find_map_back(last_token_end)
}

/// `find_map` from the end.
trait FindMapBack: DoubleEndedIterator {
    fn find_map_back<T>(&mut self, find: impl Fn(&Self::Item) -> Option<T>) -> Option<T> {
        while let Some(item) = self.next_back() {
            if let Some(found) = find(&item) {
                return Some(found);
            }
        }
        None
    }
}

impl<I: DoubleEndedIterator> FindMapBack for I {}

/// SQL that is recognised but not offered.
fn unsupported(what: impl std::fmt::Display, place: Span) -> Diag {
    Diag::new(code::FEATURE_NOT_SUPPORTED, format!("{what} is not supported"), place)
}
