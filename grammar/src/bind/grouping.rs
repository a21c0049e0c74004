//! What do GROUPING SETS, ROLLUP and CUBE group by?
//!
//! Every row stands once for each set, beside the set's number; it is grouped by that number and by the keys of which those
//! that the set leaves out are NULL. So the input is read once, whatever the number of sets. A set without keys has a row
//! even where there is nothing to group: its number is joined to the groups. `grouping(a, b)` is known from the number.
//!
//! Not here: where aggregates stand in expressions (`group`).

use super::{
    Binder,
    aggregate::is_ordered_set,
    call::{Call, is_not_null},
    expr::{Ctx, GIVEN_BASE, GROUPING_BASE},
    function,
    group::{aggregate_parts, give},
    literal,
    predicate::case_of,
};
use crate::{
    ast::{self, GroupBy, GroupItem, GroupSets},
    diag::{Diag, code},
    plan::{AggregateCall, Expr, ExprKind, Field, Join, JoinKind, Node, NodeKind},
    span::Span,
};
use spectradb_kernel::{Type, Value};

/// So many sets may one GROUP BY make.
const SETS_MAX: usize = 4_096;

/// Arguments of one `grouping()`.
const GROUPING_ARGS_MAX: usize = 31;

/// Does a GROUP BY say GROUPING SETS, ROLLUP or CUBE?
pub(super) fn has_sets(group_by: &GroupBy) -> bool {
    match group_by {
        GroupBy::All(_) => false,
        GroupBy::Items { items, distinct: _ } => items.iter().any(|item| !matches!(item, GroupItem::Expr(_))),
    }
}

/// Sets of keys, by position.
#[derive(Clone, Debug)]
pub(super) struct Sets {
    pub(super) sets: Vec<Vec<usize>>,
    key_count: usize,
}

impl Sets {
    pub(super) fn new(sets: Vec<Vec<usize>>, key_count: usize) -> Sets {
        Sets { sets, key_count }
    }

    /// All keys in one set.
    pub(super) fn of_one(key_count: usize) -> Sets {
        Sets { sets: vec![(0..key_count).collect()], key_count }
    }

    /// The groups of all sets: the set's number, the keys, the aggregates. `fields` are those of keys and aggregates.
    pub(super) fn aggregate(
        &self,
        node: Node,
        keys: &[Expr],
        aggregates: &[AggregateCall],
        givens: &[Expr],
        fields: Vec<Field>,
    ) -> Result<(Node, Vec<Field>), Diag> {
        let span = Span::default();
        let width = node.fields.len();
        let number = Field { name: "set".to_owned(), ty: Type::Integer, nullable: false };
        let numbers = |sets: &mut dyn Iterator<Item = usize>| Node {
            kind: NodeKind::Values { rows: sets.map(|set| vec![literal::integer(set as i64, span)]).collect() },
            fields: vec![number.clone()],
        };
        let right = numbers(&mut (0..self.sets.len()));
        let mut wide = node.fields.clone();
        wide.push(number.clone());
        let beside =
            Node { kind: NodeKind::Join(Box::new(Join::on(JoinKind::Inner, node, right, None))), fields: wide };
        let set = beside.column(width, span);
        let mut group = vec![set.clone()];
        let mut given = vec![number.clone()];
        for (key, (expr, field)) in keys.iter().zip(&fields).enumerate() {
            let holds: Vec<usize> = (0..self.sets.len()).filter(|at| self.sets[*at].contains(&key)).collect();
            if holds.len() == self.sets.len() {
                group.push(expr.clone());
                given.push(field.clone());
                continue;
            }
            let null = Expr::constant(Value::Null, expr.ty, span);
            group.push(match is_one_of(&set, &holds, span) {
                Some(condition) => case_of(vec![(condition, expr.clone())], null, span),
                None => null,
            });
            given.push(Field { nullable: true, ..field.clone() });
        }
        // A set without keys may have no row.
        let empties: Vec<usize> = (0..self.sets.len()).filter(|at| self.sets[*at].is_empty()).collect();
        given.extend(fields[keys.len()..].iter().cloned());
        let mut calls = aggregates.to_vec();
        for call in &mut calls {
            // What is asked of a group knows the keys as the group does.
            if is_ordered_set(call.aggregate.name) {
                call.more.iter_mut().for_each(|arg| in_sets(arg, keys, &group[1..]));
            }
            for part in aggregate_parts(call) {
                give(part, givens, &|given| {
                    let mut given = given.clone();
                    in_sets(&mut given, keys, &group[1..]);
                    given
                });
            }
        }
        let kind = NodeKind::Aggregate { input: Box::new(beside), group, aggregates: calls };
        let node = Node { kind, fields: given.clone() };
        if empties.is_empty() {
            return Ok((node, given));
        }
        let right = numbers(&mut empties.iter().copied());
        let width = given.len();
        let outer = given.iter().map(|field| Field { nullable: true, ..field.clone() });
        let mut wide: Vec<Field> = outer.collect();
        wide.push(Field { nullable: true, ..number });
        let (one, mut other) = (node.column(0, span), right.column(0, span));
        other.map_columns(&mut |column| column + width);
        let same = function::call_named("=", vec![one, other], Type::Boolean, span);
        let join = Join::on(JoinKind::Full, node, right, Some(same));
        let node = Node { kind: NodeKind::Join(Box::new(join)), fields: wide };
        let mut columns = Vec::with_capacity(width);
        for (at, field) in given.iter_mut().enumerate() {
            let value = node.column(at, span);
            let expr = if at == 0 {
                or(value, node.column(width, span), span)
            } else if at > keys.len() && !aggregates[at - 1 - keys.len()].aggregate.null_when_empty {
                or(value, literal::integer(0, span), span)
            } else {
                field.nullable = true;
                value
            };
            columns.push((field.name.clone(), expr));
        }
        // The number is there on one side at least, which types cannot say.
        columns[0].1.nullable = true;
        given[0].nullable = true;
        Ok((node.project(columns), given))
    }

    /// Replaces calls of `grouping()` in an expression over the groups by what they are in each set.
    pub(super) fn number(&self, expr: &mut Expr, groupings: &[Vec<Expr>], keys: &[Expr]) -> Result<(), Diag> {
        let mut failed = Ok(());
        expr.walk_mut(&mut |part| {
            let ExprKind::Column(column) = part.kind else { return };
            if !(GROUPING_BASE..GIVEN_BASE).contains(&column) {
                return;
            }
            let mut places = Vec::new();
            for arg in &groupings[column - GROUPING_BASE] {
                match keys.iter().position(|key| key.same(arg)) {
                    Some(place) => places.push(place),
                    None => {
                        let message =
                            "arguments to GROUPING must be grouping expressions of the associated query level";
                        failed = Err(Diag::new(code::GROUPING, message, arg.span));
                        return;
                    }
                }
            }
            let span = part.span;
            let value = |set: &[usize]| {
                let bits = places.iter().fold(0i64, |bits, place| bits << 1 | i64::from(!set.contains(place)));
                literal::integer(bits, span)
            };
            let (last, before) = self.sets.split_last().expect("there is a set");
            let set = Expr { kind: ExprKind::Column(0), ty: Type::Integer, nullable: true, span };
            let arms = before.iter().enumerate().map(|(at, keys)| {
                let is_it = vec![set.clone(), literal::integer(at as i64, span)];
                (function::call_named("=", is_it, Type::Boolean, span), value(keys))
            });
            let arms: Vec<(Expr, Expr)> = arms.collect();
            *part = if arms.is_empty() { value(last) } else { case_of(arms, value(last), span) };
        });
        debug_assert!(self.key_count == keys.len(), "sets are of these keys");
        failed
    }
}

/// An expression over the keys with what they are in the sets.
fn in_sets(expr: &mut Expr, keys: &[Expr], seen: &[Expr]) {
    match keys.iter().position(|key| key.same(expr)) {
        Some(at) => *expr = seen[at].clone(),
        None => expr.for_each_child_mut(&mut |child| in_sets(child, keys, seen)),
    }
}

fn or(value: Expr, otherwise: Expr, span: Span) -> Expr {
    case_of(vec![(is_not_null(value.clone(), span), value)], otherwise, span)
}

/// Is the number one of these? `None` where there is none.
fn is_one_of(number: &Expr, of: &[usize], span: Span) -> Option<Expr> {
    let mut arms: Vec<Expr> = of
        .iter()
        .map(|at| {
            function::call_named("=", vec![number.clone(), literal::integer(*at as i64, span)], Type::Boolean, span)
        })
        .collect();
    if arms.len() <= 1 {
        return arms.pop();
    }
    Some(Expr { kind: ExprKind::Or(arms), ty: Type::Boolean, nullable: false, span })
}

/// The sets that items say: those of each item combined with those of all others.
pub(super) fn sets_of(
    items: &[GroupItem],
    key: &mut dyn FnMut(&ast::Expr) -> Result<usize, Diag>,
) -> Result<Vec<Vec<usize>>, Diag> {
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    for item in items {
        let more = item_sets(item, key)?;
        if sets.len() * more.len() > SETS_MAX {
            let message = format!("too many grouping sets present (maximum {SETS_MAX})");
            return Err(Diag::new(code::TOO_COMPLEX, message, item_span(item)));
        }
        sets = sets.iter().flat_map(|set| more.iter().map(move |more| union(set, more))).collect();
    }
    Ok(sets)
}

fn union(one: &[usize], other: &[usize]) -> Vec<usize> {
    let mut all = one.to_vec();
    for key in other {
        if !all.contains(key) {
            all.push(*key);
        }
    }
    all
}

fn item_span(item: &GroupItem) -> Span {
    match item {
        GroupItem::Expr(expr) => expr.span,
        GroupItem::Sets { span, .. } | GroupItem::Empty(span) => *span,
    }
}

fn item_sets(
    item: &GroupItem,
    key: &mut dyn FnMut(&ast::Expr) -> Result<usize, Diag>,
) -> Result<Vec<Vec<usize>>, Diag> {
    match item {
        GroupItem::Empty(_) => Ok(vec![Vec::new()]),
        GroupItem::Expr(expr) => Ok(vec![element(expr, key)?]),
        GroupItem::Sets { kind: GroupSets::Sets, items, .. } => {
            let mut sets = Vec::new();
            for item in items {
                sets.extend(item_sets(item, key)?);
            }
            Ok(sets)
        }
        GroupItem::Sets { kind, items, span } => {
            let mut elements = Vec::with_capacity(items.len());
            for item in items {
                match item {
                    GroupItem::Expr(expr) => elements.push(element(expr, key)?),
                    GroupItem::Sets { .. } | GroupItem::Empty(_) => {
                        return Err(Diag::new(code::SYNTAX, "ROLLUP and CUBE list expressions", item_span(item)));
                    }
                }
            }
            if *kind == GroupSets::Rollup {
                let prefix = |len: usize| elements[..len].iter().fold(Vec::new(), |set, keys| union(&set, keys));
                return Ok((0..=elements.len()).rev().map(prefix).collect());
            }
            if elements.len() > SETS_MAX.ilog2() as usize {
                let message = format!("CUBE is limited to {} elements", SETS_MAX.ilog2());
                return Err(Diag::new(code::TOO_COMPLEX, message, *span));
            }
            // All choices, those with the first elements first.
            let count = elements.len();
            let choice = |bits: usize| {
                let chosen = (0..count).filter(|at| bits >> (count - 1 - at) & 1 == 1);
                chosen.fold(Vec::new(), |set, at| union(&set, &elements[at]))
            };
            Ok((0..1usize << count).rev().map(choice).collect())
        }
    }
}

/// The keys of an element: one, or those of a row.
fn element(expr: &ast::Expr, key: &mut dyn FnMut(&ast::Expr) -> Result<usize, Diag>) -> Result<Vec<usize>, Diag> {
    match &expr.kind {
        ast::ExprKind::Row(parts) => {
            let mut keys = Vec::with_capacity(parts.len());
            for part in parts {
                keys.push(key(part)?);
            }
            Ok(union(&[], &keys))
        }
        _ => Ok(vec![key(expr)?]),
    }
}

impl Binder<'_> {
    /// `grouping(a, b)`: which of the keys does the set of a row leave out?
    pub(super) fn grouping(&mut self, call: &Call<'_>, ctx: &mut Ctx<'_>) -> Result<Expr, Diag> {
        if call.args.is_empty() || call.args.len() > GROUPING_ARGS_MAX || call.star || call.more.is_some() {
            let message = format!("GROUPING takes from one to {GROUPING_ARGS_MAX} expressions");
            return Err(Diag::new(code::SYNTAX, message, call.span));
        }
        let not_allowed = |clause: &str| {
            Diag::new(code::GROUPING, format!("grouping operations are not allowed in {clause}"), call.span)
        };
        if ctx.groupings.is_none() && self.outer.is_empty() {
            return Err(not_allowed(ctx.clause));
        }
        let asked_before: Vec<usize> = self.outer.iter().map(|frame| frame.args.len()).collect();
        let mut inner = Ctx::plain(ctx.scope, "GROUPING");
        inner.aliases = ctx.aliases;
        let mut args = Vec::with_capacity(call.args.len());
        for arg in call.args {
            let bound = self.expr(arg, &mut inner)?;
            args.push(self.settled(bound)?);
        }
        // Like an aggregate it belongs to the block whose columns it names.
        let mut at = self.outer.len();
        let is_around = |expr: &Expr| expr.any(&mut |part| matches!(part.kind, ExprKind::Outer(_)));
        while args.iter().any(is_around) && !args.iter().any(Expr::has_columns) {
            at -= 1;
            let asked = self.outer[at].args.clone();
            for arg in &mut args {
                *arg = super::unnest::with_args(arg, &|at| asked[at].clone());
            }
            self.outer[at].args.truncate(asked_before[at]);
        }
        let is_own = at == self.outer.len();
        let (groupings, clause) = match self.outer.get_mut(at) {
            None => (ctx.groupings.as_deref_mut(), ctx.clause),
            Some(frame) => (frame.groupings.as_mut(), frame.clause),
        };
        let Some(groupings) = groupings else { return Err(not_allowed(clause)) };
        groupings.push(args);
        let column = GROUPING_BASE + groupings.len() - 1;
        let number = Expr { kind: ExprKind::Column(column), ty: Type::Integer, nullable: false, span: call.span };
        Ok(if is_own { number } else { self.through(at, number) })
    }
}
