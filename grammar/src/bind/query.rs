//! What does a query give?
//!
//! `WITH` names are put in place where they are used. Arms of a set operation meet in one type a column; UNION is the
//! distinct rows of UNION ALL.

use super::{
    Binder, Cte, Means,
    convert::{Bound, Degree, Open},
    expr::Ctx,
    function, order,
    scope::Scope,
};
use crate::{
    ast::{self, CteBody, SetExpr, SetOp},
    diag::{Diag, code, nearest},
    plan::{Expr, ExprKind, Field, Frame, Node, NodeKind, SortKey, WindowCall, WindowFunction},
    span::Span,
};
use spectradb_kernel::{Type, Value};
use std::{cell::Cell, rc::Rc};

impl Binder<'_> {
    /// A query's rows. `targets` are the types of the columns that they are written to, if they are: open values of a plain
    /// SELECT list take them.
    pub(super) fn query(&mut self, query: &ast::Query, targets: Option<&[Type]>) -> Result<Node, Diag> {
        self.count_block(query.span)?;
        let times = self.block_times(&query.scopes)?;
        let times = std::mem::replace(&mut self.times, times);
        let cte_count = self.ctes.len();
        let node = self.query_within(query, targets);
        self.ctes.truncate(cte_count);
        self.times = times;
        node
    }

    fn query_within(&mut self, query: &ast::Query, targets: Option<&[Type]>) -> Result<Node, Diag> {
        let first_cte = self.ctes.len();
        self.declare(&query.with)?;
        let mut node = match &query.body {
            SetExpr::Select(select) => self.select(select, &query.order_by, targets)?,
            SetExpr::Values { .. } | SetExpr::Query(_) | SetExpr::Summarize { .. } | SetExpr::SetOp { .. } => {
                let node = self.set_expr(&query.body, targets)?;
                let items = super::select::every_item(&query.order_by, node.fields.len(), query.span);
                output_order(node, &items)?
            }
        };
        self.check_unused(first_cte)?;
        let limit = self.count_of(query.limit.as_ref(), &query.body, "LIMIT")?;
        let offset = self.count_of(query.offset.as_ref(), &query.body, "OFFSET")?;
        if query.with_ties
            && let Some(limit) = limit
        {
            return with_ties(node, limit, offset, query.span);
        }
        if limit.is_some() || offset.is_some() {
            let fields = node.fields.clone();
            node = Node { kind: NodeKind::Limit { input: Box::new(node), limit, offset }, fields };
        }
        Ok(node)
    }

    /// Brings `WITH` names into view.
    pub(super) fn declare(&mut self, with: &[ast::Cte]) -> Result<(), Diag> {
        let first_cte = self.ctes.len();
        for cte in self.ordered(with) {
            self.refuse_second(cte, first_cte)?;
            let CteBody::Query(query) = &cte.body else {
                let message = "WITH clause containing a data-modifying statement must be at the top level";
                return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, cte.name.span));
            };
            let means = match self.once(cte, query)? {
                Some(node) => {
                    let columns = (0..node.fields.len()).collect();
                    let fields = node.fields.clone();
                    self.subplans.push(node);
                    let kind = NodeKind::Shared { subplan_idx: self.subplans.len() - 1, columns };
                    let materialized = cte.materialized == Some(true);
                    let (rows, times) = (Node { kind, fields }, self.times.clone());
                    Means::Once(Box::new(super::Once { rows, times, query: query.clone(), materialized }))
                }
                None => Means::Query(query.clone()),
            };
            self.name_cte(cte, means);
        }
        Ok(())
    }

    /// A name that the same WITH has already.
    pub(super) fn refuse_second(&self, cte: &ast::Cte, first_cte: usize) -> Result<(), Diag> {
        if self.ctes[first_cte..].iter().any(|earlier| earlier.name == cte.name.text) {
            let message = format!("WITH query name \"{}\" specified more than once", cte.name.text);
            return Err(Diag::new(code::DUPLICATE_ALIAS, message, cte.name.span));
        }
        Ok(())
    }

    pub(super) fn name_cte(&mut self, cte: &ast::Cte, means: Means) {
        let named = self.named(cte, means);
        self.ctes.push(Rc::new(named));
    }

    /// A name as the next one in view.
    pub(super) fn named(&self, cte: &ast::Cte, means: Means) -> Cte {
        Cte {
            name: cte.name.text.clone(),
            columns: cte.columns.clone(),
            means,
            visible: self.ctes.len(),
            depth: self.outer.len(),
            recursive: cte.recursive,
            used: Cell::new(false),
        }
    }

    /// What nobody uses must still be right; its subplans are not run.
    pub(super) fn check_unused(&mut self, first_cte: usize) -> Result<(), Diag> {
        let is_unused = |cte: &&Rc<Cte>| !cte.used.get() && matches!(cte.means, Means::Query(_));
        let unused: Vec<Rc<Cte>> = self.ctes[first_cte..].iter().filter(is_unused).cloned().collect();
        for cte in unused {
            let subplan_count = self.subplans.len();
            self.cte_node(&cte, self.times.clone())?;
            self.subplans.truncate(subplan_count);
        }
        Ok(())
    }

    /// LIMIT's or OFFSET's number; NULL is none. It is the same for all rows, so it may name columns around the query, not its own.
    fn count_of(
        &mut self,
        count: Option<&ast::Expr>,
        body: &SetExpr,
        clause: &'static str,
    ) -> Result<Option<Expr>, Diag> {
        let Some(count) = count else { return Ok(None) };
        let names = super::temporal::names_columns(count);
        let own = match body {
            // Bound once more, to know which names are its own.
            SetExpr::Select(select) if names && !select.from.is_empty() => {
                let subplan_count = self.subplans.len();
                let (_, scope) = self.from(&select.from)?;
                self.subplans.truncate(subplan_count);
                scope
            }
            _ => Scope::default(),
        };
        let mut ctx = Ctx::plain(&own, clause);
        let bound = match names {
            true => self.expr(count, &mut ctx)?,
            false => self.hiding(0, |binder| binder.expr(count, &mut ctx))?,
        };
        if bound.open.is_none() && bound.expr.has_columns() {
            let message = format!("argument of {clause} must not contain variables");
            return Err(Diag::new(code::INVALID_COLUMN_REFERENCE, message, count.span));
        }
        if bound.open == Some(Open::Null) {
            return Ok(None);
        }
        let expr = self.coerce(bound, Type::Integer, Degree::Assignment)?;
        match super::literal::value(&expr) {
            Some(Value::Integer(..0)) => {
                let state = if clause == "LIMIT" { code::INVALID_LIMIT } else { code::INVALID_OFFSET };
                Err(Diag::new(state, format!("{clause} must not be negative"), count.span))
            }
            _ => Ok(Some(expr)),
        }
    }

    pub(super) fn set_expr(&mut self, body: &SetExpr, targets: Option<&[Type]>) -> Result<Node, Diag> {
        crate::stack::deeper(|| self.set_expr_within(body, targets))
    }

    fn set_expr_within(&mut self, body: &SetExpr, targets: Option<&[Type]>) -> Result<Node, Diag> {
        match body {
            SetExpr::Select(select) => self.select(select, &[], targets),
            SetExpr::Values { rows, span } => self.values(&rows.trees(), *span),
            SetExpr::Query(query) => self.query(query, targets),
            SetExpr::Summarize { query, span } => self.summarize(query, *span),
            SetExpr::SetOp { op, all, left, right, span } => {
                let word = match op {
                    SetOp::Union => "UNION",
                    SetOp::Intersect => "INTERSECT",
                    SetOp::Except => "EXCEPT",
                };
                let left = self.set_expr(left, None)?;
                let right = self.set_expr(right, None)?;
                let intersect = match op {
                    SetOp::Union => {
                        let node = self.union_all(left, right, word, *span)?;
                        return Ok(if *all { node } else { distinct(node) });
                    }
                    SetOp::Intersect => true,
                    SetOp::Except => false,
                };
                let (left, right) = self.alike(left, right, word, *span)?;
                let fields = left.fields.clone();
                let (left, right) = (Box::new(left), Box::new(right));
                Ok(Node { kind: NodeKind::SetOp { intersect, all: *all, left, right }, fields })
            }
        }
    }

    /// Both sides of a set operation with columns of the same types.
    fn alike(&mut self, mut left: Node, mut right: Node, word: &str, span: Span) -> Result<(Node, Node), Diag> {
        if left.fields.len() != right.fields.len() {
            let message = format!("each {word} query must have the same number of columns");
            return Err(Diag::new(code::SYNTAX, message, span).help(format!(
                "the left one has {}, the right one {}",
                left.fields.len(),
                right.fields.len()
            )));
        }
        let mut types = Vec::with_capacity(left.fields.len());
        for column in 0..left.fields.len() {
            let (one, other) = (output(&left, column, span), output(&right, column, span));
            types.push(self.common_type([&one, &other], word)?);
        }
        left = self.retype(left, &types, span)?;
        right = self.retype(right, &types, span)?;
        Ok((left, right))
    }

    pub(super) fn union_all(&mut self, left: Node, right: Node, word: &str, span: Span) -> Result<Node, Diag> {
        let (left, right) = self.alike(left, right, word, span)?;
        let fields = left.fields.iter().zip(&right.fields).map(|(left, right)| Field {
            name: left.name.clone(),
            ty: left.ty,
            nullable: left.nullable || right.nullable,
        });
        let fields = fields.collect();
        let mut inputs = match left.kind {
            NodeKind::UnionAll { inputs } => inputs,
            kind => vec![Node { kind, fields: left.fields }],
        };
        inputs.push(right);
        Ok(Node { kind: NodeKind::UnionAll { inputs }, fields })
    }

    /// The node with its columns of these types.
    pub(super) fn retype(&mut self, mut node: Node, types: &[Type], span: Span) -> Result<Node, Diag> {
        // A CHAR that becomes another type loses its blanks, or is filled up with more of them.
        let is_char = |ty: Type| matches!(ty, Type::Char { .. });
        let fits = |field: &Field, ty: Type| match is_char(field.ty) || is_char(ty) {
            true => field.ty == ty,
            false => crate::plan::check::agrees(field.ty, ty),
        };
        if node.fields.iter().zip(types).all(|(field, ty)| fits(field, *ty)) {
            return Ok(node);
        }
        let rows: &mut [Vec<Expr>] = match &mut node.kind {
            NodeKind::Values { rows } => rows,
            NodeKind::Project { input: _, exprs } => std::slice::from_mut(exprs),
            _ => {
                let mut columns = Vec::with_capacity(types.len());
                for (column, ty) in types.iter().enumerate() {
                    let expr = self.coerce(Bound::known(node.column(column, span)), *ty, Degree::Implicit)?;
                    columns.push((node.fields[column].name.clone(), expr));
                }
                return Ok(node.project(columns));
            }
        };
        for row in rows {
            for (expr, ty) in row.iter_mut().zip(types) {
                let bound = reopened(expr.clone());
                *expr = self.coerce(bound, *ty, Degree::Implicit)?;
            }
        }
        for (field, ty) in node.fields.iter_mut().zip(types) {
            field.ty = *ty;
        }
        Ok(node)
    }

    /// `VALUES` as a query: columns are called column1, column2 ...
    fn values(&mut self, rows: &[Vec<ast::Expr>], span: Span) -> Result<Node, Diag> {
        let scope = Scope::default();
        let width = rows.first().map_or(0, Vec::len);
        let mut columns: Vec<Vec<Bound>> = (0..width).map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            if row.len() != width {
                let at = row.first().map_or(span, |first| first.span);
                return Err(Diag::new(code::SYNTAX, "VALUES lists must all be the same length", at));
            }
            for (column, expr) in columns.iter_mut().zip(row) {
                let mut ctx = Ctx::plain(&scope, "VALUES");
                column.push(self.expr(expr, &mut ctx)?);
            }
        }
        let mut fields = Vec::with_capacity(width);
        let mut bound_rows: Vec<Vec<Expr>> = rows.iter().map(|_| Vec::with_capacity(width)).collect();
        for (number, column) in columns.into_iter().enumerate() {
            let (exprs, ty) = self.common(column, "VALUES")?;
            let nullable = exprs.iter().any(|expr| expr.nullable);
            fields.push(Field { name: format!("column{}", number + 1), ty, nullable });
            for (row, expr) in bound_rows.iter_mut().zip(exprs) {
                row.push(expr);
            }
        }
        Ok(Node { kind: NodeKind::Values { rows: bound_rows }, fields })
    }
}

/// An arm's output column; a constant text or NULL is open again, as it was written.
fn output(node: &Node, column: usize, span: Span) -> Bound {
    match &node.kind {
        NodeKind::Project { input: _, exprs } => reopened(exprs[column].clone()),
        NodeKind::Values { rows } if rows.len() == 1 => reopened(rows[0][column].clone()),
        _ => Bound::known(node.column(column, span)),
    }
}

fn reopened(expr: Expr) -> Bound {
    let open = match (&expr.kind, expr.ty) {
        (ExprKind::Const(Value::Text(_)), ty) if !matches!(ty, Type::Char { .. }) => Some(Open::Text),
        (ExprKind::Const(Value::Null), Type::Text) => Some(Open::Null),
        _ => None,
    };
    Bound { expr, open }
}

/// Each distinct row once.
pub(super) fn distinct(node: Node) -> Node {
    let fields = node.fields.clone();
    Node { kind: NodeKind::Distinct { input: Box::new(node) }, fields }
}

/// The rows in order.
pub(super) fn sorted(node: Node, keys: Vec<SortKey>) -> Node {
    let fields = node.fields.clone();
    Node { kind: NodeKind::Sort { input: Box::new(node), keys }, fields }
}

/// The rows with their number within a partition, of which those that `keep` says are kept; the number stays.
pub(super) fn numbered(node: Node, partition: Vec<Expr>, span: Span, keep: impl FnOnce(Expr) -> Expr) -> Node {
    let width = node.fields.len();
    let call = WindowCall {
        function: WindowFunction::RowNumber,
        partition,
        order: Vec::new(),
        frame: Frame::running(),
        ty: Type::Integer,
        nullable: false,
        span,
    };
    let node = windowed(node, vec![("row_number", call)]);
    let number = node.column(width, span);
    node.filter(keep(number))
}

fn windowed(node: Node, calls: Vec<(&str, WindowCall)>) -> Node {
    let mut fields = node.fields.clone();
    fields.extend(calls.iter().map(|(name, call)| Field {
        name: (*name).to_owned(),
        ty: call.ty,
        nullable: call.nullable,
    }));
    let calls = calls.into_iter().map(|(_, call)| call).collect();
    Node { kind: NodeKind::Window { input: Box::new(node), calls }, fields }
}

/// FETCH .. WITH TIES: the rows of a LIMIT, and those equal to the last of them in the order.
fn with_ties(node: Node, limit: Expr, offset: Option<Expr>, span: Span) -> Result<Node, Diag> {
    let Node { kind, fields } = node;
    match kind {
        // Columns that only the order needs were taken away above it.
        NodeKind::Project { input, exprs } => {
            let input = Box::new(with_ties(*input, limit, offset, span)?);
            Ok(Node { kind: NodeKind::Project { input, exprs }, fields })
        }
        NodeKind::Sort { input, keys } => {
            let width = fields.len();
            let call = |function, order| WindowCall {
                function,
                partition: Vec::new(),
                order,
                frame: Frame::running(),
                ty: Type::Integer,
                nullable: false,
                span,
            };
            let calls = vec![
                ("rank", call(WindowFunction::Rank, keys.clone())),
                ("row_number", call(WindowFunction::RowNumber, Vec::new())),
            ];
            let node = windowed(Node { kind: NodeKind::Sort { input, keys }, fields }, calls);
            let last = match &offset {
                Some(offset) => function::call_named("+", vec![offset.clone(), limit], Type::Integer, span),
                None => limit,
            };
            let mut conditions =
                vec![function::call_named("<=", vec![node.column(width, span), last], Type::Boolean, span)];
            if let Some(offset) = offset {
                let behind = vec![node.column(width + 1, span), offset];
                conditions.push(function::call_named(">", behind, Type::Boolean, span));
            }
            let predicate = Expr::conjunction(conditions).expect("there is one");
            Ok(node.filter(predicate).narrow(width, span))
        }
        _ => Err(Diag::new(code::SYNTAX, "WITH TIES cannot be specified without ORDER BY clause", span)),
    }
}

/// ORDER BY after a set operation or VALUES: names and positions of the output only.
fn output_order(node: Node, items: &[ast::OrderItem]) -> Result<Node, Diag> {
    if items.is_empty() {
        return Ok(node);
    }
    let mut keys = Vec::with_capacity(items.len());
    for item in items {
        order::refuse_constant(&item.expr, "ORDER BY")?;
        let column = if let Some(number) = order::position(&item.expr) {
            position(number, node.fields.len(), "ORDER BY", item.expr.span)?
        } else if let Some(name) = order::bare_name(&item.expr) {
            match node.fields.iter().position(|field| field.name == name.text) {
                Some(column) => column,
                None => {
                    let message = format!("column \"{}\" does not exist in the result", name.text);
                    let diag = Diag::new(code::UNDEFINED_COLUMN, message, name.span);
                    return Err(match nearest(&name.text, node.fields.iter().map(|field| field.name.as_str())) {
                        Some(near) => diag.help(format!("a column named \"{near}\" exists")),
                        None => diag,
                    });
                }
            }
        } else {
            let message = "after a set operation or VALUES, ORDER BY takes only output names and positions";
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, item.expr.span)
                .help("put the whole into a subquery in FROM and order that"));
        };
        keys.push(order::key(item, node.column(column, item.expr.span)));
    }
    Ok(sorted(node, keys))
}

/// The column that a position in the select list means.
pub(super) fn position(number: &str, width: usize, clause: &str, span: Span) -> Result<usize, Diag> {
    if number.contains(['.', 'e', 'E']) {
        return Err(Diag::new(code::SYNTAX, format!("non-integer constant in {clause}"), span));
    }
    match number.parse::<usize>() {
        Ok(number) if (1..=width).contains(&number) => Ok(number - 1),
        _ => {
            let message = format!("{clause} position {number} is not in select list");
            Err(Diag::new(code::INVALID_COLUMN_REFERENCE, message, span).help(format!("the list has {width} columns")))
        }
    }
}
