//! What does a SELECT block give?
//!
//! In the order of the standard: FROM, WHERE, grouping, HAVING, windows, the select list, DISTINCT, ORDER BY. Expressions are
//! bound over the rows of the FROM first; `group` then moves them behind the grouping.

use super::{
    Binder,
    convert::{Bound, Degree},
    expr::{AGGREGATE_BASE, Ctx},
    group::Block,
    grouping, order, query, rows_in_list,
    scope::Scope,
};
use crate::{
    ast::{self, Distinct, GroupBy, GroupItem, Name, SelectItem, StarChanges},
    diag::{Diag, code, nearest},
    plan::{Expr, ExprKind, Node, SortKey},
    span::Span,
};
use spectradb_kernel::{Type, Value};
use std::borrow::Cow;

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
        let (mut node, mut scope) = self.from(&select.from)?;
        let moved = rows_in_list::moved(select, order_by, &scope, self.sql)?;
        if !moved.functions.is_empty() {
            (node, scope) = match select.from.is_empty() {
                true => self.from(&moved.functions)?,
                false => self.beside(node, scope, &moved.functions)?,
            };
        }
        let (select, order_by, late) = (&*moved.select, &*moved.order_by, &moved.late);
        let aliases: Vec<(&Name, &ast::Expr)> = select.items.iter().filter_map(named_item).collect();
        if let Some(filter) = &select.filter {
            let mut ctx = Ctx::plain(&scope, "WHERE");
            ctx.aliases = &aliases;
            node = node.filter(self.condition(filter, &mut ctx)?);
        }
        for (at, (name, _)) in select.windows.iter().enumerate() {
            if select.windows[..at].iter().any(|(earlier, _)| earlier.text == name.text) {
                let message = format!("window \"{}\" is already defined", name.text);
                return Err(Diag::new(code::WINDOWING, message, name.span));
            }
        }
        if grouping::has_sets(&select.group_by) {
            // A set that leaves a key out has NULL in its place, whatever its column holds.
            scope.make_nullable(0..usize::MAX);
        }
        let mut block = Block::new(&scope, &aliases, &select.windows);
        let mut bounds = Vec::with_capacity(select.items.len());
        let mut places = Vec::with_capacity(select.items.len());
        for item in &select.items {
            places.push(bounds.len());
            self.item(item, select, &mut block, &mut bounds)?;
        }
        let late = &late.at_places(&places);
        let mut items = Vec::with_capacity(bounds.len());
        let width = bounds.len();
        let shown = width - moved.hidden_count;
        let targets = targets.filter(|targets| targets.len() >= shown);
        for (at, (name, bound)) in bounds.into_iter().enumerate() {
            let target = targets.and_then(|targets| targets.get(at).copied());
            let expr = match (bound.open, target) {
                (Some(_), Some(target)) => self.coerce(bound, target, Degree::Assignment)?,
                (None, _) | (_, None) => self.settled(bound)?,
            };
            items.push(Item { name, expr });
        }
        for (at, name, expr) in &late.items {
            // It is not known yet, and equal to nothing.
            let (kind, ty) = (ExprKind::Column(usize::MAX - at), Type::Text);
            items[*at] = Item { name: name.clone(), expr: Expr { kind, ty, nullable: true, span: expr.span } };
        }
        let mut parts = Vec::with_capacity(late.parts.len());
        for part in &late.parts {
            let bound = self.expr(part, &mut block.ctx("SELECT", true))?;
            parts.push(self.settled(bound)?);
        }
        let has_groups = self.group_by(&select.group_by, &items, &mut block)?;
        let having = match &select.having {
            Some(having) => Some(self.condition(having, &mut block.ctx("HAVING", false))?),
            None => None,
        };
        let order_by = every_item(order_by, items.len(), select.span);
        let mut orders = Vec::with_capacity(order_by.len());
        for item in order_by.iter() {
            orders.push((item, self.order_by(item, &items, &mut block)?));
        }
        let mut ons = Vec::new();
        if let Distinct::On(exprs) = &select.distinct {
            for expr in exprs {
                let item = ast::OrderItem { expr: expr.clone(), descending: false, nulls_first: None };
                ons.push((expr.span, self.order_by(&item, &items, &mut block)?));
            }
        }
        let is_grouped = has_groups || having.is_some() || !block.aggregates.is_empty() || !block.groupings.is_empty();
        let mut others: Vec<Expr> = Vec::new();
        let mut place = |order: OrderBy| match order {
            OrderBy::Item(column) => column,
            OrderBy::Other(expr) => match others.iter().position(|other| other.same(&expr)) {
                Some(at) => width + at,
                None => {
                    others.push(expr);
                    width + others.len() - 1
                }
            },
        };
        let mut keys: Vec<(&ast::OrderItem, usize)> = Vec::with_capacity(orders.len());
        for (item, order) in orders {
            if select.distinct == Distinct::Yes && matches!(order, OrderBy::Other(_)) {
                let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
                return Err(Diag::new(code::INVALID_COLUMN_REFERENCE, message, item.expr.span));
            }
            keys.push((item, place(order)));
        }
        let mut ons: Vec<(Span, usize)> = ons.into_iter().map(|(span, order)| (span, place(order))).collect();
        // The first of each kind is known only if rows of one kind stand together.
        for (item, column) in keys.iter().take(ons.len()) {
            if !ons.iter().any(|(_, on)| on == column) {
                let message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
                return Err(Diag::new(code::INVALID_COLUMN_REFERENCE, message, item.expr.span));
            }
        }
        let mut exprs: Vec<Expr> = Vec::with_capacity(width + others.len());
        let mut names: Vec<String> = Vec::with_capacity(width + others.len());
        for item in items {
            names.push(item.name);
            exprs.push(item.expr);
        }
        names.extend((1..=others.len()).map(|number| format!("?order{number}?")));
        exprs.extend(others);
        for (at, ..) in &late.items {
            exprs[*at] = Expr::constant(Value::Null, Type::Text, select.span);
        }
        names.extend((0..parts.len()).map(|_| String::new()));
        exprs.extend(parts);
        let (node, exprs) = block.assemble(node, exprs, having, is_grouped, &self.givens)?;
        let mut node = node.project(names.into_iter().zip(exprs).collect());
        if !late.items.is_empty() && !late.is_behind_distinct {
            node = self.late_rows(node, late, targets, select.span)?;
        }
        if select.distinct == Distinct::Yes {
            node = query::distinct(node);
        }
        if !keys.is_empty() {
            let keys: Vec<SortKey> =
                keys.into_iter().map(|(item, column)| order::key(item, node.column(column, item.expr.span))).collect();
            node = query::sorted(node, keys.clone());
            if late.is_behind_distinct {
                node = first_of_each(node, &ons, select.span);
                ons.clear();
                node = query::sorted(self.late_rows(node, late, targets, select.span)?, keys);
            }
        }
        if !ons.is_empty() {
            node = first_of_each(node, &ons, select.span);
        }
        if node.fields.len() > shown {
            let columns =
                (0..shown).map(|column| (node.fields[column].name.clone(), node.column(column, select.span))).collect();
            node = node.project(columns);
        }
        Ok(node)
    }

    /// The keys that a GROUP BY says; is there one?
    fn group_by(&mut self, group_by: &GroupBy, items: &[Item], block: &mut Block<'_>) -> Result<bool, Diag> {
        let (group_items, distinct) = match group_by {
            GroupBy::All(_) => {
                for item in items {
                    let holds_calls = item.expr.columns().iter().any(|column| *column >= AGGREGATE_BASE);
                    if !holds_calls && !block.keys.iter().any(|key| key.same(&item.expr)) {
                        block.keys.push(item.expr.clone());
                        block.settling.extend(as_column(&item.expr));
                    }
                }
                return Ok(true);
            }
            GroupBy::Items { items, distinct } => (items, *distinct),
        };
        if group_items.is_empty() {
            return Ok(false);
        }
        if !grouping::has_sets(group_by) {
            for item in group_items {
                let GroupItem::Expr(expr) = item else { unreachable!("all are expressions") };
                let parts = match &expr.kind {
                    ast::ExprKind::Row(parts) => parts.as_slice(),
                    _ => std::slice::from_ref(expr),
                };
                for part in parts {
                    let key = self.group_key(part, items, block)?;
                    if is_written_as_column(part, block) {
                        block.settling.extend(as_column(&key));
                    }
                    block.keys.push(key);
                }
            }
            return Ok(true);
        }
        let mut keys: Vec<Expr> = Vec::new();
        let mut sets = grouping::sets_of(group_items, &mut |expr| {
            let key = self.group_key(expr, items, block)?;
            if is_written_as_column(expr, block) {
                block.settling.extend(as_column(&key));
            }
            Ok(match keys.iter().position(|known| known.same(&key)) {
                Some(at) => at,
                None => {
                    keys.push(key);
                    keys.len() - 1
                }
            })
        })?;
        if distinct {
            let mut seen: Vec<Vec<usize>> = Vec::new();
            sets.retain(|set| {
                let mut sorted = set.clone();
                sorted.sort_unstable();
                let is_new = !seen.contains(&sorted);
                seen.push(sorted);
                is_new
            });
        }
        block.keys = keys;
        if let [only] = sets.as_slice()
            && only.len() == block.keys.len()
        {
            return Ok(true);
        }
        block.sets = Some(grouping::Sets::new(sets, block.keys.len()));
        Ok(true)
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
            SelectItem::Wildcard(span, changes) => {
                if select.from.is_empty() {
                    return Err(Diag::new(code::SYNTAX, "SELECT * with no tables specified is not valid", *span));
                }
                let columns = block.scope.star(*span);
                self.starred(columns, changes, block, bounds)?;
            }
            SelectItem::QualifiedWildcard(name, changes) => {
                let merged = block.scope.merged_of(&name.text);
                let mut columns: Vec<(String, Expr)> =
                    merged.map(|merged| (merged.name.clone(), merged.expr.clone())).collect();
                if columns.is_empty() {
                    columns = match block.scope.table(&name.text) {
                        Some(table) => {
                            let shown = table.columns.iter().filter(|column| column.shown);
                            shown.map(|column| (column.name.clone(), column.expr(name.span))).collect()
                        }
                        None => self.outer_star(name).ok_or_else(|| no_table(block.scope, name))?,
                    };
                }
                self.starred(columns, changes, block, bounds)?;
            }
            SelectItem::Expr { expr, alias } => {
                let mut ctx = block.ctx("SELECT", true);
                // An item may use the names of those before it.
                let own = ctx.aliases.iter().position(|(_, other)| std::ptr::eq(*other, expr));
                ctx.aliases = &ctx.aliases[..own.unwrap_or_else(|| alias_count(select, item))];
                let bound = self.expr(expr, &mut ctx)?;
                let name = match alias {
                    Some(alias) => alias.text.clone(),
                    None => output_name(expr),
                };
                bounds.push((name, bound));
            }
        }
        Ok(())
    }

    /// The columns of a star, some left out and some replaced.
    fn starred(
        &mut self,
        columns: Vec<(String, Expr)>,
        changes: &StarChanges,
        block: &mut Block<'_>,
        bounds: &mut Vec<(String, Bound)>,
    ) -> Result<(), Diag> {
        for name in changes.exclude.iter().chain(changes.replace.iter().map(|(_, name)| name)) {
            if !columns.iter().any(|(column, _)| *column == name.text) {
                let message = format!("column \"{}\" is not among the columns of *", name.text);
                let diag = Diag::new(code::UNDEFINED_COLUMN, message, name.span);
                return Err(match nearest(&name.text, columns.iter().map(|(column, _)| column.as_str())) {
                    Some(near) => diag.help(format!("a column named \"{near}\" exists")),
                    None => diag,
                });
            }
        }
        let named: Vec<&Name> = changes.exclude.iter().chain(changes.replace.iter().map(|(_, name)| name)).collect();
        if let Some(at) = (1..named.len()).find(|at| named[..*at].iter().any(|before| before.text == named[*at].text)) {
            let message = format!("column \"{}\" is named twice behind *", named[at].text);
            return Err(Diag::new(code::DUPLICATE_COLUMN, message, named[at].span)
                .help("a column is left out by EXCLUDE or computed anew by REPLACE, once"));
        }
        let is_excluded = |name: &String| changes.exclude.iter().any(|excluded| excluded.text == *name);
        if let Some(last) = changes.exclude.last()
            && columns.iter().all(|(name, _)| is_excluded(name))
        {
            return Err(Diag::new(code::SYNTAX, "EXCLUDE leaves no column of *", last.span));
        }
        for (name, expr) in columns {
            if changes.exclude.iter().any(|excluded| excluded.text == name) {
                continue;
            }
            let bound = match changes.replace.iter().find(|(_, replaced)| replaced.text == name) {
                Some((replacement, _)) => self.expr(replacement, &mut block.ctx("SELECT", true))?,
                None => Bound::known(expr),
            };
            bounds.push((name, bound));
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
        order::refuse_constant(expr, "GROUP BY")?;
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
        ctx.aliases = block.aliases;
        let bound = self.expr(expr, &mut ctx)?;
        self.settled(bound)
    }

    /// An ORDER BY item: a position, an output name, or an expression over the input.
    fn order_by(&mut self, item: &ast::OrderItem, items: &[Item], block: &mut Block<'_>) -> Result<OrderBy, Diag> {
        order::refuse_constant(&item.expr, "ORDER BY")?;
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

/// The column that a key is.
fn as_column(key: &Expr) -> Option<usize> {
    if let ExprKind::Column(column) = key.kind { Some(column) } else { None }
}

/// Does an item of GROUP BY name a column, itself or by a name or number of the list?
fn is_written_as_column(expr: &ast::Expr, block: &Block<'_>) -> bool {
    if order::position(expr).is_some() {
        return true;
    }
    let ast::ExprKind::Path(path) = &expr.kind else { return false };
    let [name] = path.as_slice() else { return true };
    let alias = block.aliases.iter().find(|(alias, _)| alias.text == name.text);
    match alias {
        Some((_, meant)) if block.scope.resolve(path).is_err() => matches!(meant.kind, ast::ExprKind::Path(_)),
        Some(_) | None => true,
    }
}

/// An item with its alias.
fn named_item(item: &SelectItem) -> Option<(&Name, &ast::Expr)> {
    match item {
        SelectItem::Expr { expr, alias: Some(alias) } => Some((alias, expr)),
        SelectItem::Expr { alias: None, .. } | SelectItem::Wildcard(..) | SelectItem::QualifiedWildcard(..) => None,
    }
}

/// How many items before this one have a name?
fn alias_count(select: &ast::Select, item: &SelectItem) -> usize {
    let before = select.items.iter().take_while(|other| !std::ptr::eq(*other, item));
    before.filter_map(named_item).count()
}

/// ORDER BY with ALL spelt out.
pub(super) fn every_item(items: &[ast::OrderItem], width: usize, span: Span) -> Cow<'_, [ast::OrderItem]> {
    if !items.iter().any(|item| item.expr.kind == ast::ExprKind::EveryItem) {
        return Cow::Borrowed(items);
    }
    let spelt = items.iter().flat_map(|item| {
        let count = if item.expr.kind == ast::ExprKind::EveryItem { width } else { 1 };
        (1..=count).map(move |number| match count {
            1 if item.expr.kind != ast::ExprKind::EveryItem => item.clone(),
            _ => {
                let kind = ast::ExprKind::Number(number.to_string());
                ast::OrderItem { expr: ast::Expr { kind, span }, ..item.clone() }
            }
        })
    });
    Cow::Owned(spelt.collect())
}

/// The first row of each kind, in the order in which rows come.
fn first_of_each(node: Node, ons: &[(Span, usize)], span: Span) -> Node {
    let width = node.fields.len();
    let partition = ons.iter().map(|(span, column)| node.column(*column, *span)).collect();
    query::numbered(node, partition, span, |number| {
        let one = super::literal::integer(1, span);
        super::function::call_named("=", vec![number, one], Type::Boolean, span)
    })
    .narrow(width, span)
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
        // Forms of ours end with a sign that no name has.
        Ast::Call { name, .. } => strong(name.text.trim_end_matches('!')),
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
        Ast::Row(_) => strong("row"),
        Ast::Array(_) => strong("array"),
        Ast::Subscript { operand, .. } => own_name(operand),
        Ast::Subquery(query) => match &query.body {
            ast::SetExpr::Select(select) => match select.items.first() {
                Some(SelectItem::Expr { alias: Some(alias), .. }) => strong(&alias.text),
                Some(SelectItem::Expr { expr, alias: None }) => own_name(expr),
                Some(SelectItem::Wildcard(..) | SelectItem::QualifiedWildcard(..)) | None => None,
            },
            ast::SetExpr::Values { .. } => strong("column1"),
            ast::SetExpr::Query(_) | ast::SetExpr::Summarize { .. } | ast::SetExpr::SetOp { .. } => None,
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
        | Ast::Quantified { .. }
        | Ast::Period { .. }
        | Ast::EveryItem
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

pub(super) const UNNAMED: &str = "?column?";
