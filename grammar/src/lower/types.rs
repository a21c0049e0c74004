//! What do a type's name and its numbers say, and an INTERVAL with its fields?
//!
//! `NUMERIC(10, 2)`, `TIMESTAMP(3) WITH TIME ZONE`, `INTERVAL DAY TO SECOND(2)`; `INTERVAL '1' DAY` gives a number its unit and cuts
//! what is finer.
//!
//! Not here: which type it is (`bind::types`).

use super::{Lower, Pair, expr::plain_call};
use crate::ast::{Expr, ExprKind, TypeName};
use crate::diag::{Diag, code};
use crate::parse::Rule;
use crate::span::Span;

impl Lower {
    /// `interval '..'`, with the fields that it may have.
    pub(super) fn interval(&mut self, pair: Pair<'_>, span: Span) -> Result<ExprKind, Diag> {
        let (mut text, mut fields) = (String::new(), Vec::new());
        let mut ty = TypeName { name: "interval".to_owned(), args: Vec::new(), array: false, span };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::type_args => self.type_part(part, &mut ty)?,
                Rule::plain_text | Rule::escape_text | Rule::dollar_text => text = self.text(&part)?,
                Rule::interval_fields => {
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::interval_field => fields.push(part.as_str().to_lowercase()),
                            Rule::type_args => self.type_part(part, &mut ty)?,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        let trimmed = text.trim();
        let is_number =
            trimmed.trim_start_matches(['+', '-']).bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if let (true, Some(unit)) = (is_number && !trimmed.is_empty(), fields.last()) {
            text = format!("{trimmed} {unit}");
        } else if let (Some((days, clock)), Some("day")) = (trimmed.split_once(' '), fields.first().map(String::as_str))
        {
            // DAY TO HOUR: a number behind the days is hours.
            if fields.last().is_some_and(|last| last == "hour") && clock.bytes().all(|byte| byte.is_ascii_digit()) {
                text = format!("{days} {clock}:00");
            }
        } else if fields == ["minute", "second"] && trimmed.matches(':').count() == 1 {
            // What would be hours and minutes are minutes and seconds.
            let (days, clock) = trimmed.rsplit_once(' ').map_or(("", trimmed), |(days, clock)| (days, clock));
            let unsigned = clock.trim_start_matches(['+', '-']);
            let sign = &clock[..clock.len() - unsigned.len()];
            text = format!("{days} {sign}00:{unsigned}");
        }
        let whole = ExprKind::Typed { ty, text };
        Ok(match fields.pop() {
            Some(finest) if finest != "second" => {
                let unit = Expr { kind: ExprKind::Text(finest), span };
                plain_call("date_trunc", span, vec![unit, Expr { kind: whole, span }])
            }
            Some(_) | None => whole,
        })
    }

    pub(super) fn type_name(&self, pair: Pair<'_>) -> Result<TypeName, Diag> {
        let span = self.span(&pair);
        let mut ty = TypeName { name: String::new(), args: Vec::new(), array: false, span };
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::name => ty.name.push_str(&self.name(&part).text),
                Rule::interval_fields => {
                    for part in part.into_inner() {
                        match part.as_rule() {
                            Rule::type_args => self.type_part(part, &mut ty)?,
                            Rule::kw_to => ty.name.push_str(" to"),
                            _ => {
                                ty.name.push(' ');
                                ty.name.push_str(&part.as_str().to_lowercase());
                            }
                        }
                    }
                }
                Rule::kw_double | Rule::kw_character | Rule::kw_interval => {
                    ty.name.push_str(&part.as_str().to_lowercase())
                }
                Rule::kw_precision | Rule::kw_varying => {
                    ty.name.push(' ');
                    ty.name.push_str(&part.as_str().to_lowercase());
                }
                _ => self.type_part(part, &mut ty)?,
            }
        }
        Ok(ty)
    }

    /// The numbers of a type, and the words about its time zone.
    pub(super) fn type_part(&self, part: Pair<'_>, ty: &mut TypeName) -> Result<(), Diag> {
        match part.as_rule() {
            Rule::type_array => ty.array = true,
            Rule::type_zone => {
                let with = part.into_inner().next().is_some_and(|word| word.as_rule() == Rule::kw_with);
                ty.name.push_str(if with { " with time zone" } else { " without time zone" });
            }
            Rule::type_args => {
                for arg in part.into_inner().filter(|arg| arg.as_rule() == Rule::type_arg) {
                    let number = arg.as_str().parse().map_err(|_| {
                        Diag::new(code::SYNTAX, format!("{} is too large here", arg.as_str()), self.span(&arg))
                    })?;
                    ty.args.push(number);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
