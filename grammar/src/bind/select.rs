//! What does a SELECT block give?
//!
//! In the order of the standard: FROM, WHERE, grouping, HAVING, windows, the select list, DISTINCT, ORDER BY. Expressions are
//! bound over the rows of the FROM first; `group` then moves them behind the grouping.

use super::{
    Binder,
    convert::{Bound, Degree},
    expr::Ctx,
    group::Block,
    order, query,
    scope::Scope,
};
use crate::{
    ast::{self, Name, SelectItem},
    diag::{Diag, code, nearest},
    plan::{Expr, Node, SortKey},
};
use spectradb_kernel::Type;

/// A bound item of the select list.
pub(super) struct Item {
    pub(super) name: String,
    pub(super) expr: Expr,
}

/// What an ORDER BY item orders by.
enum OrderBy {
    /// A column of the select list.
    Item(usize),
    /// Another expression.
    Other(Expr),
}

impl Binder<'_> {
    pub(super) fn select(
        &mut self,
        select: &ast::Select,
        order_by: &[ast::OrderItem],
        targets: Option<&[Type]>,
    ) -> Result<Node, Diag> {
        self.count_block(select.span)?;
        let times = self.block_times(&select.scopes)?;
        let times = std::mem::replace(&mut self.times, times);
        let node = self.select_within(select, order_by, targets);
        self.times = times;
        node
    }

    fn select_within(
        &mut self,
        select: &ast::Select,
        order_by: &[ast::OrderItem],
        targets: Option<&[Type]>,
    ) -> Result<Node, Diag> {
        let (mut node, scope) = self.from(&select.from)?;
        if let Some(filter) = &select.filter {
            let mut ctx = Ctx::plain(&scope, "WHERE");
            node = node.filter(self.condition(filter, &mut ctx)?);
        }
        let mut block = Block::new(&scope);
        let mut bounds = Vec::with_capacity(select.items.len());
        for item in &select.items {
            self.item(item, select, &mut block, &mut bounds)?;
        }
        let mut items = Vec::with_capacity(bounds.len());
        let width = bounds.len();
        for (at, (name, bound)) in bounds.into_iter().enumerate() {
            let target = targets.filter(|targets| targets.len() == width).map(|targets| targets[at]);
            let expr = match (bound.open, target) {
                (Some(_), Some(target)) => self.coerce(bound, target, Degree::Assignment)?,
                (None, _) | (_, None) => self.settled(bound)?,
            };
            items.push(Item { name, expr });
        }
        for expr in &select.group_by {
            let key = self.group_key(expr, &items, &block)?;
            block.keys.push(key);
        }
        let having = match &select.having {
            Some(having) => Some(self.condition(having, &mut block.ctx("HAVING", false))?),
            None => None,
        };
        let mut orders = Vec::with_capacity(order_by.len());
        for item in order_by {
            orders.push((item, self.order_by(item, &items, &mut block)?));
        }
        let is_grouped = !select.group_by.is_empty() || having.is_some() || !block.aggregates.is_empty();
        let mut others: Vec<Expr> = Vec::new();
        let mut keys: Vec<(&ast::OrderItem, usize)> = Vec::with_capacity(orders.len());
        for (item, order) in orders {
            keys.push(match order {
                OrderBy::Item(column) => (item, column),
                OrderBy::Other(_) if select.distinct => {
                    let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
                    return Err(Diag::new(code::INVALID_COLUMN_REFERENCE, message, item.expr.span));
                }
                OrderBy::Other(expr) => {
                    others.push(expr);
                    (item, width + others.len() - 1)
                }
            });
        }
        let mut exprs: Vec<Expr> = Vec::with_capacity(width + others.len());
        let mut names: Vec<String> = Vec::with_capacity(width + others.len());
        for item in items {
            names.push(item.name);
            exprs.push(item.expr);
        }
        names.extend((1..=others.len()).map(|number| format!("?order{number}?")));
        exprs.extend(others);
        let (node, exprs) = block.assemble(node, exprs, having, is_grouped)?;
        let mut node = node.project(names.into_iter().zip(exprs).collect());
        if select.distinct {
            node = query::distinct(node);
        }
        if !keys.is_empty() {
            let keys: Vec<SortKey> =
                keys.into_iter().map(|(item, column)| order::key(item, node.column(column, item.expr.span))).collect();
            node = query::sorted(node, keys);
        }
        if node.fields.len() > width {
            let columns =
                (0..width).map(|column| (node.fields[column].name.clone(), node.column(column, select.span))).collect();
            node = node.project(columns);
        }
        Ok(node)
    }

    /// Binds an item of the select list; a star is several.
    fn item(
        &mut self,
        item: &SelectItem,
        select: &ast::Select,
        block: &mut Block<'_>,
        bounds: &mut Vec<(String, Bound)>,
    ) -> Result<(), Diag> {
        match item {
            SelectItem::Wildcard(span) => {
                if select.from.is_empty() {
                    return Err(Diag::new(code::SYNTAX, "SELECT * with no tables specified is not valid", *span));
                }
                bounds.extend(block.scope.star(*span).into_iter().map(|(name, expr)| (name, Bound::known(expr))));
            }
            SelectItem::QualifiedWildcard(name) => {
                let Some(table) = block.scope.table(&name.text) else { return Err(no_table(block.scope, name)) };
                let columns = table.columns.iter().filter(|column| column.shown);
                bounds.extend(columns.map(|column| (column.name.clone(), Bound::known(column.expr(name.span)))));
            }
            SelectItem::Expr { expr, alias } => {
                let bound = self.expr(expr, &mut block.ctx("SELECT", true))?;
                let name = match alias {
                    Some(alias) => alias.text.clone(),
                    None => output_name(expr),
                };
                bounds.push((name, bound));
            }
        }
        Ok(())
    }

    /// A GROUP BY item: a position, an input column, an output name, or an expression.
    fn group_key(&mut self, expr: &ast::Expr, items: &[Item], block: &Block<'_>) -> Result<Expr, Diag> {
        let item = |column: usize| -> Result<Expr, Diag> {
            let mut key = items[column].expr.clone();
            block.no_calls(&key, expr.span)?;
            key.span = expr.span;
            Ok(key)
        };
        if let Some(number) = order::position(expr) {
            return item(query::position(number, items.len(), "GROUP BY", expr.span)?);
        }
        if let Some(name) = order::bare_name(expr)
            && block.scope.resolve(std::slice::from_ref(name)).is_err_and(|diag| diag.code == code::UNDEFINED_COLUMN)
            && let Some(column) = items.iter().position(|item| item.name == name.text)
        {
            return item(column);
        }
        let mut ctx = Ctx::plain(block.scope, "GROUP BY");
        let bound = self.expr(expr, &mut ctx)?;
        self.settled(bound)
    }

    /// An ORDER BY item: a position, an output name, or an expression over the input.
    fn order_by(&mut self, item: &ast::OrderItem, items: &[Item], block: &mut Block<'_>) -> Result<OrderBy, Diag> {
        if let Some(number) = order::position(&item.expr) {
            return Ok(OrderBy::Item(query::position(number, items.len(), "ORDER BY", item.expr.span)?));
        }
        if let Some(name) = order::bare_name(&item.expr) {
            let mut found = items.iter().enumerate().filter(|(_, item)| item.name == name.text);
            if let Some((column, first)) = found.next() {
                if found.any(|(_, other)| !other.expr.same(&first.expr)) {
                    let message = format!("ORDER BY \"{}\" is ambiguous", name.text);
                    return Err(Diag::new(code::AMBIGUOUS_COLUMN, message, name.span));
                }
                return Ok(OrderBy::Item(column));
            }
        }
        let bound = self.expr(&item.expr, &mut block.ctx("ORDER BY", true))?;
        let expr = self.settled(bound)?;
        Ok(match items.iter().position(|item| item.expr.same(&expr)) {
            Some(column) => OrderBy::Item(column),
            None => OrderBy::Other(expr),
        })
    }
}

pub(super) fn no_table(scope: &Scope, name: &Name) -> Diag {
    let message = format!("missing FROM-clause entry for table \"{}\"", name.text);
    let diag = Diag::new(code::UNDEFINED_TABLE, message, name.span);
    match nearest(&name.text, scope.tables.iter().filter_map(|table| table.name.as_deref())) {
        Some(near) => diag.help(format!("a table named \"{near}\" is in the FROM clause")),
        None => diag,
    }
}

/// What PostgreSQL calls the column of an expression without an alias.
pub(super) fn output_name(expr: &ast::Expr) -> String {
    own_name(expr).map_or_else(|| UNNAMED.to_owned(), |(name, _)| name)
}

/// The name that an expression suggests, and whether it is a weak one: a type's name gives way to that of a cast around it.
fn own_name(expr: &ast::Expr) -> Option<(String, bool)> {
    use ast::ExprKind as Ast;
    let strong = |name: &str| Some((name.to_owned(), false));
    match &expr.kind {
        Ast::Path(path) => strong(&path.last().expect("a path has names").text),
        Ast::Call { name, .. } => strong(&name.text),
        Ast::Cast { operand, ty } => match own_name(operand) {
            Some((name, false)) => Some((name, false)),
            Some((_, true)) | None => Some((type_word(&ty.name).to_owned(), true)),
        },
        Ast::Typed { ty, .. } => Some((type_word(&ty.name).to_owned(), true)),
        Ast::Case { otherwise, .. } => match otherwise.as_deref().and_then(own_name) {
            Some((name, false)) => Some((name, false)),
            Some((_, true)) | None => Some(("case".to_owned(), true)),
        },
        Ast::Extract { .. } => strong("extract"),
        Ast::Exists(_) => strong("exists"),
        Ast::Subquery(query) => match &query.body {
            ast::SetExpr::Select(select) => match select.items.first() {
                Some(SelectItem::Expr { alias: Some(alias), .. }) => strong(&alias.text),
                Some(SelectItem::Expr { expr, alias: None }) => own_name(expr),
                Some(SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(_)) | None => None,
            },
            ast::SetExpr::Values { .. } => strong("column1"),
            ast::SetExpr::Query(_) | ast::SetExpr::SetOp { .. } => None,
        },
        Ast::Boolean(_) => Some(("bool".to_owned(), true)),
        Ast::Null
        | Ast::Default
        | Ast::Number(_)
        | Ast::Text(_)
        | Ast::Blob(_)
        | Ast::Param(_)
        | Ast::Unary { .. }
        | Ast::Binary { .. }
        | Ast::Is { .. }
        | Ast::IsDistinct { .. }
        | Ast::InList { .. }
        | Ast::InQuery { .. }
        | Ast::Between { .. }
        | Ast::Like { .. } => None,
    }
}

/// What PostgreSQL calls a type whose words were written.
fn type_word(written: &str) -> &str {
    match written {
        "smallint" => "int2",
        "integer" | "int" => "int4",
        "bigint" => "int8",
        "real" => "float4",
        "double precision" | "float" | "double" => "float8",
        "boolean" => "bool",
        "decimal" | "dec" => "numeric",
        "character varying" => "varchar",
        "character" | "char" => "bpchar",
        "timestamp with time zone" => "timestamptz",
        "timestamp without time zone" => "timestamp",
        "time without time zone" => "time",
        other => other,
    }
}

const UNNAMED: &str = "?column?";
