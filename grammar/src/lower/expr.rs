//! How do expressions become trees?
//!
//! Not here: which operator binds which operand ([`operators`](super::operators)).

use super::array::subscripted;
use super::operators::{Level, Op, Yard};
use super::{Lower, Pair};
use crate::ast::{Among, BinaryOp, CallMore, Expr, ExprKind, IsTest, Name, PeriodOp, Query, TypeName, UnaryOp};
use crate::diag::{Diag, code};
use crate::parse::Rule;
use crate::span::Span;
use spectradb_kernel::func::array_set;

/// What a postfix operator makes of the operand before it.
type Wrap = Box<dyn FnOnce(Box<Expr>) -> ExprKind>;

/// What a parenthesis turned out to hold.
enum Paren {
    Query(Box<Query>),
    Exprs(Vec<Expr>),
    /// `(a,)`: a list, or a row, of one.
    One(Expr),
}

impl Lower {
    /// Lowers an `expr` or a `bound`.
    pub(crate) fn expr(&mut self, pair: Pair<'_>) -> Result<Expr, Diag> {
        let levels = levels(&pair);
        let place =
            Span { start: self.base + pair.as_span().start() as u32, end: self.base + pair.as_span().end() as u32 };
        self.deeper(levels, place, |lower| lower.run(pair))
    }

    fn boxed(&mut self, pair: Pair<'_>) -> Result<Box<Expr>, Diag> {
        Ok(Box::new(self.expr(pair)?))
    }

    /// The expressions among a pair's parts.
    pub(super) fn exprs(&mut self, pair: Pair<'_>) -> Result<Vec<Expr>, Diag> {
        pair.into_inner().filter(|part| part.as_rule() == Rule::expr).map(|part| self.expr(part)).collect()
    }

    fn run(&mut self, pair: Pair<'_>) -> Result<Expr, Diag> {
        let mut parts = pair.into_inner();
        // Most runs are one operand.
        if parts.len() == 1 {
            return self.primary(parts.next().expect("a run has an operand"));
        }
        let mut yard = Yard::default();
        while let Some(part) = parts.next() {
            let span = self.span(&part);
            match part.as_rule() {
                Rule::sign => {
                    let op = if part.as_str().starts_with('-') { UnaryOp::Minus } else { UnaryOp::Plus };
                    yard.prefix(op, span);
                }
                Rule::prefix_sign => yard.prefix(UnaryOp::Named(other(part.as_str())), span),
                Rule::kw_not => yard.prefix(UnaryOp::Not, span),
                Rule::infix | Rule::bound_infix => {
                    let op = infix(&part);
                    if let (Op::Infix(op), Some(next)) = (op, parts.peek())
                        && next.as_rule() == Rule::quantified
                    {
                        let next = parts.next().expect("it was peeked at");
                        let end = self.span(&next);
                        let (all, among) = self.quantified(next, op, span)?;
                        yard.infix_tail(Op::Infix(op), span, |operand| {
                            let place = operand.span.to(end);
                            let kind =
                                ExprKind::Quantified { operand: Box::new(operand), op, op_span: span, all, among };
                            Expr { kind, span: place }
                        })?;
                        continue;
                    }
                    yard.infix(op, span)?;
                }
                Rule::cast => {
                    let ty = self.type_name(part.into_inner().next().expect("a cast names a type"))?;
                    yard.postfix(Level::Cast, |operand| cast(operand, ty, span.end));
                }
                Rule::subscript => {
                    let subscript = self.subscript(part)?;
                    yard.postfix(Level::Cast, |operand| subscripted(operand, subscript, span.end));
                }
                Rule::at_zone => {
                    let zone = self.primary(part.into_inner().next_back().expect("AT TIME ZONE names one"))?;
                    yard.postfix(Level::Zone, |operand| {
                        let place = operand.span.to(span);
                        Expr { kind: plain_call("timezone", span, vec![zone, operand]), span: place }
                    });
                }
                Rule::collate => {
                    let name = part.into_inner().find(|part| part.as_rule() == Rule::name);
                    let name = self.name(&name.expect("COLLATE names a collation"));
                    let is_bytes = matches!(name.text.as_str(), "C" | "POSIX" | "default" | "ucs_basic");
                    if !is_bytes {
                        let message = format!("collation \"{}\" does not exist", name.text);
                        return Err(Diag::new(code::UNDEFINED_OBJECT, message, name.span)
                            .help("text is ordered by its bytes, as the collation \"C\" does"));
                    }
                }
                Rule::is_test => {
                    let (mut negated, mut test, mut own_test) = (false, IsTest::Null, None);
                    for word in part.into_inner() {
                        match word.as_rule() {
                            Rule::is_json => own_test = Some(("is_json", json_kind(word))),
                            Rule::is_normalized => {
                                let form = word.into_inner().find(|part| part.as_rule() == Rule::normal_form);
                                let form = form.map_or("NFC".to_owned(), |form| form.as_str().to_uppercase());
                                own_test = Some(("is_normalized", form));
                            }
                            Rule::kw_not | Rule::kw_notnull => negated = true,
                            Rule::kw_true => test = IsTest::True,
                            Rule::kw_false => test = IsTest::False,
                            Rule::kw_unknown => test = IsTest::Unknown,
                            _ => {}
                        }
                    }
                    yard.postfix(Level::Is, |operand| {
                        let place = operand.span.to(span);
                        if let Some((name, kind)) = own_test {
                            let kind = Expr { kind: ExprKind::Text(kind), span };
                            let test = plain_call(name, place, vec![operand, kind]);
                            let test = if negated { not(Expr { kind: test, span: place }) } else { test };
                            return Expr { kind: test, span: place };
                        }
                        Expr { kind: ExprKind::Is { operand: Box::new(operand), test, negated }, span: place }
                    });
                }
                Rule::negatable => {
                    let wrap = self.membership(part)?;
                    yard.postfix(Level::Membership, |operand| {
                        let place = operand.span.to(span);
                        Expr { kind: wrap(Box::new(operand)), span: place }
                    });
                }
                _ => yard.operand(self.primary(part)?),
            }
        }
        Ok(yard.finish())
    }

    /// `[NOT] IN ..`, `[NOT] BETWEEN ..`, `[NOT] LIKE ..`: what they make of the operand before them.
    fn membership(&mut self, pair: Pair<'_>) -> Result<Wrap, Diag> {
        let mut negated = false;
        let mut test = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_not => negated = true,
                _ => test = Some(part),
            }
        }
        let test = test.expect("negatable holds a test");
        let rule = test.as_rule();
        let symmetric =
            rule == Rule::between && test.clone().into_inner().any(|part| part.as_rule() == Rule::kw_symmetric);
        let mut parts =
            test.into_inner().filter(|part| matches!(part.as_rule(), Rule::bound | Rule::paren | Rule::kw_ilike));
        match rule {
            Rule::in_test => {
                let paren = parts.next().expect("IN has a parenthesis");
                match self.paren(paren)? {
                    Paren::Query(query) => Ok(Box::new(move |operand| ExprKind::InQuery { operand, query, negated })),
                    Paren::Exprs(list) => Ok(Box::new(move |operand| ExprKind::InList { operand, list, negated })),
                    Paren::One(value) => {
                        Ok(Box::new(move |operand| ExprKind::InList { operand, list: vec![value], negated }))
                    }
                }
            }
            Rule::between => {
                let low = self.boxed(parts.next().expect("BETWEEN has two bounds"))?;
                let high = self.boxed(parts.next().expect("BETWEEN has two bounds"))?;
                Ok(Box::new(move |operand| ExprKind::Between { operand, low, high, symmetric, negated }))
            }
            Rule::similar => {
                let pattern = self.expr(parts.next().expect("SIMILAR TO has a pattern"))?;
                let escape = parts.next().map(|part| self.expr(part)).transpose()?;
                Ok(Box::new(move |operand| {
                    let span = operand.span.to(pattern.span);
                    let args = [Some(*operand), Some(pattern), escape].into_iter().flatten().collect();
                    let test = plain_call("similar_to", span, args);
                    if negated { not(Expr { kind: test, span }) } else { test }
                }))
            }
            _ => {
                let mut next = parts.next().expect("LIKE has a pattern");
                let case_insensitive = next.as_rule() == Rule::kw_ilike;
                if case_insensitive {
                    next = parts.next().expect("LIKE has a pattern");
                }
                let mut inner = next.clone().into_inner();
                if let (Some(many), None) = (inner.next(), inner.next())
                    && many.as_rule() == Rule::quantified
                {
                    let op_span = self.span(&next);
                    if let Some(escape) = parts.next() {
                        let message = "ESCAPE does not stand behind ANY and ALL";
                        return Err(Diag::new(code::SYNTAX, message, self.span(&escape)));
                    }
                    let op = BinaryOp::Named(match (case_insensitive, negated) {
                        (false, false) => "~~",
                        (false, true) => "!~~",
                        (true, false) => "~~*",
                        (true, true) => "!~~*",
                    });
                    let (all, among) = self.quantified(many, op, op_span)?;
                    return Ok(Box::new(move |operand| ExprKind::Quantified { operand, op, op_span, all, among }));
                }
                let pattern = self.boxed(next)?;
                let escape = parts.next().map(|part| self.boxed(part)).transpose()?;
                Ok(Box::new(move |operand| ExprKind::Like { operand, pattern, escape, case_insensitive, negated }))
            }
        }
    }

    fn primary(&mut self, pair: Pair<'_>) -> Result<Expr, Diag> {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::number => ExprKind::Number(pair.as_str().to_owned()),
            Rule::plain_text | Rule::escape_text | Rule::dollar_text => ExprKind::Text(self.text(&pair)?),
            Rule::unicode => ExprKind::Text(self.unicode(pair)?),
            Rule::double => {
                let text = pair.into_inner().last().expect("a text follows the type");
                let ty = TypeName { name: "double precision".to_owned(), args: Vec::new(), array: false, span };
                ExprKind::Typed { ty, text: self.text(&text)? }
            }
            Rule::blob => self.blob(&pair)?,
            Rule::position_param | Rule::named_param => self.param(&pair)?,
            Rule::kw_null => ExprKind::Null,
            Rule::kw_true => ExprKind::Boolean(true),
            Rule::kw_false => ExprKind::Boolean(false),
            Rule::paren => match self.paren(pair)? {
                Paren::Query(query) => ExprKind::Subquery(query),
                Paren::Exprs(mut exprs) if exprs.len() == 1 => exprs.pop().expect("it holds one").kind,
                Paren::Exprs(exprs) => ExprKind::Row(exprs),
                Paren::One(value) => ExprKind::Row(vec![value]),
            },
            Rule::quantified => {
                let word = pair.into_inner().next().map_or(span, |word| self.span(&word));
                return Err(Diag::new(code::SYNTAX, "ANY and ALL stand behind a comparison", word)
                    .help("write x = ANY (query)"));
            }
            Rule::case => self.case(pair)?,
            Rule::array => self.array(pair, span)?,
            Rule::cast_call => {
                let (mut operand, mut ty) = (None, None);
                for part in pair.into_inner() {
                    match part.as_rule() {
                        Rule::expr => operand = Some(self.boxed(part)?),
                        Rule::type_name => ty = Some(self.type_name(part)?),
                        _ => {}
                    }
                }
                let operand = operand.expect("CAST has an operand");
                ExprKind::Cast { operand, ty: ty.expect("CAST has a type") }
            }
            Rule::exists => {
                let query = pair.into_inner().find(|part| part.as_rule() == Rule::paren_query);
                ExprKind::Exists(Box::new(self.paren_query(query.expect("EXISTS has a query"))?))
            }
            Rule::json_call => self.json_call(pair, span)?,
            Rule::special_call => self.special_call(pair.into_inner().next().expect("it is one of the calls"), span)?,
            Rule::who => {
                let has_parens = pair.as_str().ends_with(')');
                let word = pair.into_inner().next().expect("a word");
                let name = word.as_str().to_ascii_lowercase();
                if has_parens && name != "current_schema" {
                    let message = format!("{name} takes no parentheses");
                    return Err(Diag::new(code::SYNTAX, message, span));
                }
                plain_call(&name, span, Vec::new())
            }
            Rule::clock => {
                let digits = pair.clone().into_inner().find(|part| part.as_rule() == Rule::type_args);
                let mut wanted = TypeName { name: String::new(), args: Vec::new(), array: false, span };
                let has_digits = digits.map(|digits| self.type_part(digits, &mut wanted)).transpose()?.is_some();
                let word = pair.into_inner().next().map(|word| word.as_rule());
                // A column is called as the word says.
                let called = |name: &str| plain_call(name, span, Vec::new());
                let time = |name: &str| {
                    let ty = TypeName { name: "time".to_owned(), args: Vec::new(), array: false, span };
                    ExprKind::Cast { operand: Box::new(Expr { kind: called(name), span }), ty }
                };
                let (said, of) = match word {
                    Some(Rule::kw_current_date) => (called("current_date"), "date"),
                    Some(Rule::kw_current_time) => (time("current_time"), "time"),
                    Some(Rule::kw_localtime) => (time("localtime"), "time"),
                    Some(Rule::kw_localtimestamp) => (called("localtimestamp"), "timestamp"),
                    Some(_) | None => (called("current_timestamp"), "timestamp"),
                };
                match has_digits {
                    false => said,
                    true => {
                        let ty = TypeName { name: of.to_owned(), ..wanted };
                        ExprKind::Cast { operand: Box::new(Expr { kind: said, span }), ty }
                    }
                }
            }
            Rule::interval => self.interval(pair, span)?,
            Rule::named => self.named(pair)?,
            rule => unreachable!("{rule:?} is no operand"),
        };
        Ok(Expr { kind, span })
    }

    /// `ANY (..)`, `ALL (..)` behind a comparison.
    fn quantified(&mut self, pair: Pair<'_>, op: BinaryOp, op_span: Span) -> Result<(bool, Box<Among>), Diag> {
        let compares = match op {
            BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => true,
            BinaryOp::Named(sign) => array_set::matching(sign).is_some(),
            _ => false,
        };
        if !compares {
            return Err(Diag::new(code::SYNTAX, "ANY and ALL stand behind a comparison", op_span));
        }
        let (mut all, mut among) = (false, None);
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::kw_all => all = true,
                Rule::paren => {
                    let span = self.span(&part);
                    among = Some(match self.paren(part)? {
                        Paren::Query(query) => Among::Query(query),
                        Paren::Exprs(mut exprs) if exprs.len() == 1 => Among::Array(exprs.pop().expect("it holds one")),
                        Paren::Exprs(_) | Paren::One(_) => {
                            return Err(Diag::new(code::SYNTAX, "ANY and ALL take a query or an array", span)
                                .help("write IN for a list"));
                        }
                    });
                }
                _ => {}
            }
        }
        Ok((all, Box::new(among.expect("a quantifier has a parenthesis"))))
    }

    /// `date '..'`, `f(..)`, `a.b.c`
    fn named(&mut self, pair: Pair<'_>) -> Result<ExprKind, Diag> {
        let mut parts = pair.into_inner();
        let name = self.name(&parts.next().expect("it begins with a name"));
        let mut ty = TypeName { name: name.text.clone(), args: Vec::new(), array: false, span: name.span };
        let mut second = parts.next();
        while let Some(part) =
            second.take_if(|part| matches!(part.as_rule(), Rule::type_args | Rule::type_zone | Rule::type_array))
        {
            self.type_part(part, &mut ty)?;
            second = parts.next();
        }
        let Some(second) = second else {
            return Ok(ExprKind::Path(vec![name]));
        };
        match second.as_rule() {
            Rule::call => self.call(name, second),
            Rule::whole_row => Ok(ExprKind::Path(vec![name])),
            Rule::label => {
                let mut path = vec![name, self.name(&second)];
                path.extend(parts.map(|part| self.name(&part)));
                Ok(ExprKind::Path(path))
            }
            _ => {
                let text = self.text(&second)?;
                Ok(ExprKind::Typed { ty, text })
            }
        }
    }

    fn call(&mut self, name: Name, pair: Pair<'_>) -> Result<ExprKind, Diag> {
        let (mut args, mut star, mut distinct) = (Vec::new(), false, false);
        let mut more = CallMore::default();
        let (mut named, mut ignored): (Vec<(Name, Expr)>, _) = (Vec::new(), None);
        let (mut arg_name, mut side) = (None, None);
        let mut variadic = None;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::arg_name => {
                    let label = part.into_inner().find(|part| part.as_rule() == Rule::label);
                    arg_name = Some(self.name(&label.expect("a named argument has a name")));
                }
                Rule::expr => {
                    let value = self.expr(part)?;
                    match arg_name.take() {
                        Some(name) => named.push((name, value)),
                        None if named.is_empty() => args.push(value),
                        None => {
                            let message = "positional argument cannot follow named argument";
                            return Err(Diag::new(code::SYNTAX, message, value.span));
                        }
                    }
                }
                Rule::kw_variadic => variadic = Some((args.len(), self.span(&part))),
                Rule::null_rows => {
                    let ignores = part.as_str().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("ignore"));
                    ignored = ignores.then(|| self.span(&part));
                }
                Rule::star => star = true,
                Rule::kw_distinct => distinct = true,
                Rule::order_by => more.order_by = self.order_by(part)?,
                Rule::within => {
                    let order = part.into_inner().find(|part| part.as_rule() == Rule::order_by);
                    more.within = Some(self.order_by(order.expect("WITHIN GROUP has an order"))?);
                }
                Rule::row_side => {
                    let is_last = part.clone().into_inner().any(|word| word.as_rule() == Rule::kw_last);
                    side = Some((is_last, self.span(&part)));
                }
                Rule::filtered => more.filter = self.exprs(part)?.pop(),
                Rule::over => more.over = Some(self.over(part)?),
                _ => {}
            }
        }
        if let Some((at, place)) = variadic {
            if at + 1 != args.len() || !named.is_empty() {
                let message = "VARIADIC stands before the last argument";
                return Err(Diag::new(code::SYNTAX, message, place));
            }
            return super::variadic::spread(name, args, place);
        }
        if !named.is_empty() {
            args = super::arguments::placed(&name, args, named)?;
        }
        if name.text == "nth_value" && (ignored.is_some() || side.is_some_and(|(is_last, _)| is_last)) {
            return super::arguments::nth_of(
                name,
                args,
                more,
                ignored.is_some(),
                side.is_some_and(|(is_last, _)| is_last),
            );
        }
        if let Some((_, place)) = side.filter(|_| name.text != "nth_value") {
            let message = "FROM FIRST and FROM LAST belong to nth_value";
            return Err(Diag::new(code::SYNTAX, message, place));
        }
        if let Some(place) = ignored {
            return super::arguments::ignoring_nulls(name, args, more, place);
        }
        if name.text == "row" && !star && !distinct && more == CallMore::default() {
            return Ok(ExprKind::Row(args));
        }
        let more = (more != CallMore::default()).then(|| Box::new(more));
        Ok(ExprKind::Call { name, args, star, distinct, more })
    }

    fn case(&mut self, pair: Pair<'_>) -> Result<ExprKind, Diag> {
        let (mut operand, mut arms, mut otherwise) = (None, Vec::new(), None);
        for part in pair.into_inner() {
            let rule = part.as_rule();
            let mut exprs = part.into_inner().filter(|part| part.as_rule() == Rule::expr);
            match rule {
                Rule::case_operand => operand = Some(self.boxed(exprs.next().expect("the rule has one"))?),
                Rule::case_arm => {
                    let condition = self.expr(exprs.next().expect("an arm has a condition"))?;
                    arms.push((condition, self.expr(exprs.next().expect("an arm has a value"))?));
                }
                Rule::case_else => otherwise = Some(self.boxed(exprs.next().expect("the rule has one"))?),
                _ => {}
            }
        }
        Ok(ExprKind::Case { operand, arms, otherwise })
    }

    /// The calls whose arguments are separated by words.
    fn special_call(&mut self, pair: Pair<'_>, span: Span) -> Result<ExprKind, Diag> {
        let word = Span {
            start: span.start,
            end: span.start + pair.as_str().bytes().take_while(u8::is_ascii_alphabetic).count() as u32,
        };
        match pair.as_rule() {
            Rule::extract => {
                let (mut field, mut operand) = (None, None);
                for part in pair.into_inner() {
                    match part.as_rule() {
                        Rule::label => {
                            let name = self.name(&part);
                            field = Some(Name { text: name.text.to_lowercase(), span: name.span });
                        }
                        Rule::plain_text => {
                            field = Some(Name { text: self.text(&part)?.to_lowercase(), span: self.span(&part) })
                        }
                        Rule::expr => operand = Some(self.boxed(part)?),
                        _ => {}
                    }
                }
                Ok(ExprKind::Extract {
                    field: field.expect("EXTRACT names a field"),
                    operand: operand.expect("EXTRACT has an operand"),
                })
            }
            Rule::position => {
                let (mut sought, mut within) = (None, None);
                for part in pair.into_inner() {
                    match part.as_rule() {
                        Rule::bound => sought = Some(self.expr(part)?),
                        Rule::expr => within = Some(self.expr(part)?),
                        _ => {}
                    }
                }
                let args =
                    vec![within.expect("POSITION looks within a text"), sought.expect("POSITION looks for a text")];
                Ok(plain_call("position", word, args))
            }
            Rule::substring => {
                let (mut text, mut from, mut length) = (None, None, None);
                let mut similar = Vec::new();
                for part in pair.into_inner() {
                    let rule = part.as_rule();
                    match rule {
                        Rule::expr => text = Some(self.expr(part)?),
                        Rule::substring_similar => similar = self.exprs(part)?,
                        Rule::substring_from => from = self.exprs(part)?.pop(),
                        Rule::substring_for => length = self.exprs(part)?.pop(),
                        _ => {}
                    }
                }
                let text = text.expect("SUBSTRING has a text");
                if !similar.is_empty() {
                    let args = std::iter::once(text).chain(similar).collect();
                    return Ok(plain_call("substring_similar", word, args));
                }
                // FOR alone counts from the first character.
                let from = from.unwrap_or_else(|| Expr {
                    kind: ExprKind::Number("1".to_owned()),
                    span: Span { start: text.span.end, end: text.span.end },
                });
                Ok(plain_call("substring", word, [Some(text), Some(from), length].into_iter().flatten().collect()))
            }
            Rule::normalize => {
                let mut args = Vec::with_capacity(2);
                for part in pair.into_inner() {
                    match part.as_rule() {
                        Rule::expr => args.push(self.expr(part)?),
                        Rule::normal_form => {
                            let span = self.span(&part);
                            args.push(Expr { kind: ExprKind::Text(part.as_str().to_uppercase()), span });
                        }
                        _ => {}
                    }
                }
                Ok(plain_call("normalize", word, args))
            }
            Rule::overlay => {
                let parts = pair.into_inner().filter(|part| part.as_rule() == Rule::expr);
                let args = parts.map(|part| self.expr(part)).collect::<Result<Vec<Expr>, Diag>>()?;
                Ok(plain_call("overlay", word, args))
            }
            Rule::trim => {
                let mut function = "btrim";
                let mut exprs = Vec::new();
                for part in pair.into_inner() {
                    match part.as_rule() {
                        Rule::trim_side => {
                            function = match part.into_inner().next().map(|side| side.as_rule()) {
                                Some(Rule::kw_leading) => "ltrim",
                                Some(Rule::kw_trailing) => "rtrim",
                                Some(_) | None => "btrim",
                            }
                        }
                        Rule::expr => exprs.push(self.expr(part)?),
                        _ => {}
                    }
                }
                // TRIM(characters FROM text), but f(text, characters).
                exprs.reverse();
                Ok(plain_call(function, word, exprs))
            }
            Rule::side => {
                let mut function = "left";
                let mut args = Vec::new();
                for part in pair.into_inner() {
                    match part.as_rule() {
                        Rule::kw_right => function = "right",
                        Rule::expr => args.push(self.expr(part)?),
                        _ => {}
                    }
                }
                Ok(plain_call(function, word, args))
            }
            rule => unreachable!("{rule:?} is no call"),
        }
    }

    fn paren(&mut self, pair: Pair<'_>) -> Result<Paren, Diag> {
        let mut exprs = Vec::new();
        // A list has a tail, though it be empty, unless it ends with a comma.
        let mut has_tail = false;
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::query => return Ok(Paren::Query(Box::new(self.query(part)?))),
                Rule::expr => exprs.push(self.expr(part)?),
                Rule::query_tail => {
                    has_tail = true;
                    let nested = matches!(exprs.as_slice(), [Expr { kind: ExprKind::Subquery(_), .. }]);
                    if part.clone().into_inner().next().is_some() {
                        let place = self.span(&part);
                        let Some(Expr { kind: ExprKind::Subquery(first), .. }) = exprs.pop().filter(|_| nested) else {
                            return Err(self.misplaced_tail(&part, place));
                        };
                        return Ok(Paren::Query(Box::new(self.query_from(first, part)?)));
                    }
                    // ((SELECT ..)) is the query itself.
                    if nested && let Some(Expr { kind: ExprKind::Subquery(query), .. }) = exprs.pop() {
                        return Ok(Paren::Query(query));
                    }
                }
                _ => {}
            }
        }
        Ok(match exprs.pop() {
            Some(one) if exprs.is_empty() && !has_tail => Paren::One(one),
            last => {
                exprs.extend(last);
                Paren::Exprs(exprs)
            }
        })
    }

    /// UNION, ORDER BY and their kin behind what is no query.
    pub(super) fn misplaced_tail(&self, tail: &Pair<'_>, place: Span) -> Diag {
        let word = tail.as_str().split_whitespace().next().unwrap_or("").to_owned();
        let start = Span { start: place.start, end: place.start + word.len() as u32 };
        Diag::new(code::SYNTAX, format!("syntax error at or near \"{word}\""), start)
            .help("what stands before it in the parentheses is no query")
    }
}

pub(super) fn plain_call(function: &str, span: Span, args: Vec<Expr>) -> ExprKind {
    let name = Name { text: function.to_owned(), span };
    ExprKind::Call { name, args, star: false, distinct: false, more: None }
}

fn not(operand: Expr) -> ExprKind {
    ExprKind::Unary { op: UnaryOp::Not, operand: Box::new(operand) }
}

/// Which JSON IS JSON asks for: a kind, and ` unique` behind it where keys must be.
fn json_kind(pair: Pair<'_>) -> String {
    let mut kind = "value".to_owned();
    let mut unique = false;
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::json_kind => kind = part.as_str().to_lowercase(),
            Rule::json_unique => unique = part.into_inner().any(|word| word.as_rule() == Rule::kw_with),
            _ => {}
        }
    }
    if unique { kind + " unique" } else { kind }
}

/// The sign of an operator that has no name of its own in the tree.
fn other(sign: &str) -> &'static str {
    const SIGNS: [&str; 29] = [
        "||/", "|/", "#>>", "#>", "#-", "#", "@>", "@?", "@@", "@", "<@", "<<", ">>", "!~~*", "!~~", "!~*", "!~",
        "~~*", "~~", "~*", "~", "&&", "&", "?|", "?&", "?", "|", "^@", "^",
    ];
    SIGNS.into_iter().find(|known| *known == sign).expect("the rules have no other signs")
}

fn cast(operand: Expr, ty: TypeName, end: u32) -> Expr {
    let span = Span { start: operand.span.start, end };
    Expr { kind: ExprKind::Cast { operand: Box::new(operand), ty }, span }
}

fn infix(pair: &Pair<'_>) -> Op {
    if let Some(word) = pair.clone().into_inner().next() {
        return match word.as_rule() {
            Rule::kw_and => Op::Infix(BinaryOp::And),
            Rule::kw_or => Op::Infix(BinaryOp::Or),
            Rule::period_test => {
                let mut immediately = false;
                let mut op = PeriodOp::Overlaps;
                for word in word.into_inner() {
                    match (word.as_rule(), immediately) {
                        (Rule::kw_immediately, _) => immediately = true,
                        (Rule::kw_contains, _) => op = PeriodOp::Contains,
                        (Rule::kw_equals, _) => op = PeriodOp::Equals,
                        (Rule::kw_precedes, false) => op = PeriodOp::Precedes,
                        (Rule::kw_precedes, true) => op = PeriodOp::ImmediatelyPrecedes,
                        (Rule::kw_succeeds, false) => op = PeriodOp::Succeeds,
                        (Rule::kw_succeeds, true) => op = PeriodOp::ImmediatelySucceeds,
                        (_, _) => {}
                    }
                }
                Op::Period(op)
            }
            _ => Op::IsDistinct { negated: word.into_inner().any(|part| part.as_rule() == Rule::kw_not) },
        };
    }
    Op::Infix(match pair.as_str() {
        "=" => BinaryOp::Eq,
        "<>" | "!=" => BinaryOp::Ne,
        "<" => BinaryOp::Lt,
        "<=" => BinaryOp::Le,
        ">" => BinaryOp::Gt,
        ">=" => BinaryOp::Ge,
        "||" => BinaryOp::Concat,
        "->" => BinaryOp::Arrow,
        "->>" => BinaryOp::ArrowText,
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Sub,
        "*" => BinaryOp::Mul,
        "/" => BinaryOp::Div,
        "%" => BinaryOp::Rem,
        sign => BinaryOp::Named(other(sign)),
    })
}

/// At most how many operators of this run lie above an operand? AND and OR divide the run, and their own trees are
/// balanced.
fn levels(pair: &Pair<'_>) -> u32 {
    let parts = pair.clone().into_inner();
    if parts.len() == 1 {
        return 0;
    }
    let (mut longest, mut current, mut logic) = (0u32, 0u32, 0u32);
    for part in parts {
        match part.as_rule() {
            Rule::infix if is_logic(&part) => {
                logic += 1;
                current = 0;
            }
            Rule::infix
            | Rule::bound_infix
            | Rule::sign
            | Rule::prefix_sign
            | Rule::at_zone
            | Rule::kw_not
            | Rule::cast
            | Rule::subscript
            | Rule::collate
            | Rule::is_test
            | Rule::negatable => {
                current += 1;
                longest = longest.max(current);
            }
            _ => {}
        }
    }
    longest + (u32::BITS - logic.leading_zeros())
}

fn is_logic(infix: &Pair<'_>) -> bool {
    let word = infix.clone().into_inner().next();
    word.is_some_and(|word| matches!(word.as_rule(), Rule::kw_and | Rule::kw_or))
}
