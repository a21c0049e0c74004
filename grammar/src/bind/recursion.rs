//! What does a WITH name stand for, if it may name itself?
//!
//! Its query must be `base UNION [ALL] step`, and only the step names it: there it stands for the rows of the last round. Columns
//! have the base's types. A name that does not name itself is an ordinary query, whether RECURSIVE was said or not.
//!
//! Not here: how rounds are run (`ops::recursion`).

use super::{Binder, Cte, Means};
use crate::{
    ast::{self, SetExpr, SetOp},
    diag::{Diag, code},
    plan::{Field, Node, NodeKind, Recursion, check::agrees},
    span::Span,
};
use spectradb_kernel::{Type, ty::TypeClass};
use std::{cell::Cell, rc::Rc};

impl Binder<'_> {
    /// A WITH name's rows. The names that it sees are in view.
    pub(super) fn recursive(&mut self, cte: &Rc<Cte>) -> Result<Node, Diag> {
        let name = cte.name.as_str();
        let query = match &cte.means {
            Means::Query(query) => query,
            Means::Once(once) => &once.query,
            Means::Rows(_) | Means::Nothing => unreachable!("rows that are there are no recursion"),
        };
        if cte.recursive && query.with.is_empty() {
            refuse_forms(&query.body, name, query.span)?;
        }
        let parts = match &query.body {
            SetExpr::SetOp { op: SetOp::Union, all, left, right, span } if cte.recursive => {
                Some((*all, left, right, *span))
            }
            _ => None,
        };
        let Some((all, left, right, span)) = parts else {
            return self.query(query, None);
        };
        let with_nothing_around = query.order_by.is_empty() && query.limit.is_none() && query.offset.is_none();
        if !query.with.is_empty() {
            // Its own names would have to be in view of both parts.
            if names(&query.body, name) {
                let message = format!("WITH in the recursive query \"{name}\" is not supported");
                return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, span)
                    .help("put its names before the recursive one"));
            }
            return self.query(query, None);
        }
        let first_cte = self.ctes.len();
        let times = self.block_times(&query.scopes)?;
        let times = std::mem::replace(&mut self.times, times);
        let bound = self.rounds(cte, (all, left, right, span));
        self.ctes.truncate(first_cte);
        self.times = times;
        match bound? {
            None => self.query(query, None),
            Some(_) if !with_nothing_around => {
                let message = format!("ORDER BY, LIMIT and OFFSET in the recursive query \"{name}\" are not supported");
                Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, span).help("order the query that names it"))
            }
            Some(node) => Ok(node),
        }
    }

    /// The recursion; `None` where the step does not name it.
    fn rounds(
        &mut self,
        cte: &Rc<Cte>,
        (all, left, right, span): (bool, &SetExpr, &SetExpr, crate::span::Span),
    ) -> Result<Option<Node>, Diag> {
        let id = self.recursion_count;
        self.recursion_count += 1;
        let subplan_count = self.subplans.len();
        let mut base = self.set_expr(left, None)?;
        for round in 0..3 {
            let mut fields: Vec<Field> =
                base.fields.iter().map(|field| Field { nullable: true, ..field.clone() }).collect();
            for (field, name) in fields.iter_mut().zip(&cte.columns) {
                field.name.clone_from(&name.text);
            }
            let base_subplans = self.subplans.len();
            let working = Rc::new(Cte {
                name: cte.name.clone(),
                columns: Vec::new(),
                means: Means::Rows(Node { kind: NodeKind::Working { recursion: id }, fields: fields.clone() }),
                visible: self.ctes.len(),
                depth: self.outer.len(),
                recursive: false,
                used: Cell::new(false),
            });
            self.ctes.push(working.clone());
            let step = self.set_expr(right, None);
            self.ctes.pop();
            let step = step?;
            if !working.used.get() {
                self.subplans.truncate(subplan_count);
                return Ok(None);
            }
            let mut folded = None;
            step.walk(&mut |node| {
                if let NodeKind::Aggregate { input, aggregates, .. } = &node.kind
                    && let Some(call) = aggregates.first()
                {
                    input.walk(&mut |below| {
                        if matches!(&below.kind, NodeKind::Working { recursion } if *recursion == id) {
                            folded = Some(call.span);
                        }
                    });
                }
            });
            if let Some(place) = folded {
                let message = "aggregate functions are not allowed in a recursive query's recursive term";
                return Err(Diag::new(code::INVALID_RECURSION, message, place));
            }
            if step.fields.len() != fields.len() {
                return Err(Diag::new(code::SYNTAX, "each UNION query must have the same number of columns", span));
            }
            let mut types: Vec<Type> = Vec::with_capacity(fields.len());
            for (at, (base, step)) in fields.iter().zip(&step.fields).enumerate() {
                let text_of_nothing = step.ty == Type::Text && base.ty != Type::Text;
                let ty = match (base.ty.class(), step.ty.class()) {
                    (one, other) if one == other && agrees(base.ty, step.ty) => base.ty,
                    (TypeClass::Numeric, TypeClass::Numeric) => super::convert::numeric_meet([base.ty, step.ty]),
                    (TypeClass::Numeric, TypeClass::BigNumeric) => Type::BigNumeric,
                    (TypeClass::BigNumeric, TypeClass::BigNumeric | TypeClass::Numeric | TypeClass::Integer) => {
                        Type::BigNumeric
                    }
                    (TypeClass::Numeric | TypeClass::Real, TypeClass::Integer)
                    | (TypeClass::Real, TypeClass::Numeric | TypeClass::BigNumeric) => base.ty,
                    (_, _) if text_of_nothing => base.ty,
                    (_, _) => {
                        let message = format!(
                            "recursive query \"{}\" column {} has type {} in non-recursive term but type {} overall",
                            cte.name,
                            at + 1,
                            base.ty.class(),
                            step.ty.class()
                        );
                        return Err(Diag::new(code::DATATYPE_MISMATCH, message, span)
                            .help("cast the output of the non-recursive term to the correct type"));
                    }
                };
                types.push(ty);
            }
            let settled = fields.iter().zip(&types).all(|(field, ty)| agrees(field.ty, *ty));
            if settled || round == 2 {
                let types: Vec<Type> = if settled { types } else { fields.iter().map(|field| field.ty).collect() };
                let step = self.retype(step, &types, span)?;
                let recursion = Recursion { id, base, step, distinct: !all, span };
                return Ok(Some(Node { kind: NodeKind::Recursion(Box::new(recursion)), fields }));
            }
            // Digits of decimals may grow with every round: then the base has the digits of a quotient.
            let types: Vec<Type> = types
                .into_iter()
                .map(
                    |ty| if round == 1 && ty.class() == TypeClass::Numeric { super::convert::NUMERIC_WIDE } else { ty },
                )
                .collect();
            self.subplans.truncate(base_subplans);
            base = self.retype(base, &types, span)?;
        }
        unreachable!("the last round returns")
    }
}

/// Forms of a recursion that have no meaning.
fn refuse_forms(body: &SetExpr, name: &str, span: Span) -> Result<(), Diag> {
    if !names(body, name) {
        return Ok(());
    }
    let refuse = |message: String| Err(Diag::new(code::INVALID_RECURSION, message, span));
    let SetExpr::SetOp { op: SetOp::Union, left, right, .. } = body else {
        return refuse(format!(
            "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
        ));
    };
    if names(left, name) {
        return refuse(format!(
            "recursive reference to query \"{name}\" must not appear within its non-recursive term"
        ));
    }
    let mut uses = Uses::default();
    uses.body(right, name, false);
    if uses.count > 1 {
        return refuse(format!("recursive reference to query \"{name}\" must not appear more than once"));
    }
    if uses.optional {
        return refuse(format!("recursive reference to query \"{name}\" must not appear within an outer join"));
    }
    Ok(())
}

/// How often a name is read in FROM, and whether on the side of an outer join that may be missing.
#[derive(Default)]
struct Uses {
    count: usize,
    optional: bool,
}

impl Uses {
    fn body(&mut self, body: &SetExpr, name: &str, optional: bool) {
        match body {
            SetExpr::Select(select) => select.from.iter().for_each(|table| self.table(table, name, optional)),
            SetExpr::Values { .. } => {}
            SetExpr::Query(query) | SetExpr::Summarize { query, .. } => self.body(&query.body, name, optional),
            SetExpr::SetOp { left, right, .. } => {
                self.body(left, name, optional);
                self.body(right, name, optional);
            }
        }
    }

    fn table(&mut self, table: &ast::TableRef, name: &str, optional: bool) {
        match table {
            ast::TableRef::Table { name: other, .. } => {
                if other.text == name {
                    self.count += 1;
                    self.optional |= optional;
                }
            }
            ast::TableRef::Subquery { query, .. } => self.body(&query.body, name, optional),
            ast::TableRef::Function { .. } => {}
            ast::TableRef::Named { table, .. } => self.table(table, name, optional),
            ast::TableRef::Join { kind, left, right, .. } => {
                let (of_left, of_right) = match kind {
                    ast::JoinKind::Inner | ast::JoinKind::Cross => (false, false),
                    ast::JoinKind::Left => (false, true),
                    ast::JoinKind::Right => (true, false),
                    ast::JoinKind::Full => (true, true),
                };
                self.table(left, name, optional || of_left);
                self.table(right, name, optional || of_right);
            }
        }
    }
}

/// Does a body name a table?
fn names(body: &SetExpr, name: &str) -> bool {
    fn in_table(table: &ast::TableRef, name: &str) -> bool {
        match table {
            ast::TableRef::Table { name: other, .. } => other.text == name,
            ast::TableRef::Subquery { query, .. } => names(&query.body, name),
            ast::TableRef::Function { .. } => false,
            ast::TableRef::Named { table, .. } => in_table(table, name),
            ast::TableRef::Join { left, right, .. } => in_table(left, name) || in_table(right, name),
        }
    }
    match body {
        SetExpr::Select(select) => select.from.iter().any(|table| in_table(table, name)),
        SetExpr::Values { .. } => false,
        SetExpr::Query(query) | SetExpr::Summarize { query, .. } => names(&query.body, name),
        SetExpr::SetOp { left, right, .. } => names(left, name) || names(right, name),
    }
}
