//! What does a function that gives rows mean in a select list?
//!
//! `SELECT i, generate_series(1, i) FROM t` gives a row for each value, so the function is moved into FROM, as if it stood
//! there behind LATERAL; its columns are in no `*`. The rows of several such functions go side by side, the shorter ones padded with
//! NULL: they are numbered, and joined by their numbers in a subquery behind LATERAL. A function in another one's arguments
//! gives its rows first.
//!
//! Beside groups and windows there are two places. An item that rows are grouped by is computed before, like all that
//! is grouped. Any other is computed over the groups' rows and their windows (`count(*), generate_series(1, count(*))`): what it is made of
//! is a hidden item of the list, and the functions stand in a FROM behind that. So it is behind DISTINCT ON, where no function is
//! ordered by. A function in ORDER BY that is not in the list is an item that is not shown, or stands in FROM like the others.
//!
//! Not here: which rows a function gives (`table_function`).

use super::{Binder, convert::Degree, expr::Ctx, order, scope, select, table_function};
use crate::{
    ast::{
        Distinct, Expr, ExprKind, GroupBy, GroupItem, JoinCondition, JoinKind, Name, OrderItem, Query, Scopes, Select,
        SelectItem, SetExpr, TableAlias, TableRef,
    },
    diag::{Diag, code},
    plan::{self, Node},
    span::Span,
};
use scope::{Scope, ScopeColumn, ScopeTable};
use spectradb_kernel::{Type, agg, schema::TableKind};
use std::borrow::Cow;

/// What the moved function is called in FROM: no name that can be written.
pub(super) const MOVED: &str = "?rows?";

/// What the items are called that functions behind groups are made of.
const PARTS: &str = "?parts?";

/// A block whose functions that give rows have been moved.
pub(super) struct Moved<'s> {
    pub(super) select: Cow<'s, Select>,
    pub(super) order_by: Cow<'s, [OrderItem]>,
    /// What stands in FROM besides.
    pub(super) functions: Vec<TableRef>,
    /// What is computed behind groups and windows.
    pub(super) late: Late,
    /// So many items at the end of the list are only there to be ordered by.
    pub(super) hidden_count: usize,
}

/// Items over the rows of groups and windows.
#[derive(Clone, Default)]
pub(super) struct Late {
    /// Which items of the list they are, what they are called, and what they are made of.
    pub(super) items: Vec<(usize, String, Expr)>,
    /// What they need of the rows.
    pub(super) parts: Vec<Expr>,
    /// Are they computed for the rows only that DISTINCT ON leaves?
    pub(super) is_behind_distinct: bool,
    functions: Vec<TableRef>,
}

impl Late {
    /// The same with the places of the items, of which a star is several.
    pub(super) fn at_places(&self, places: &[usize]) -> Late {
        let items = self.items.iter().map(|(at, name, expr)| (places[*at], name.clone(), expr.clone()));
        Late { items: items.collect(), ..self.clone() }
    }
}

/// The block with its functions that give rows where they belong.
pub(super) fn moved<'s>(
    select: &'s Select,
    order_by: &'s [OrderItem],
    scope: &Scope,
    sql: &str,
) -> Result<Moved<'s>, Diag> {
    let gives_rows = |item: &SelectItem| matches!(item, SelectItem::Expr { expr, .. } if call_in(expr).is_some());
    let is_asked = select.items.iter().any(gives_rows)
        || order_by
            .iter()
            .map(|item| &item.expr)
            .chain(group_exprs(&select.group_by))
            .chain(on_exprs(&select.distinct))
            .any(|expr| call_in(expr).is_some());
    let mut moved = Moved {
        select: Cow::Borrowed(select),
        order_by: Cow::Borrowed(order_by),
        functions: Vec::new(),
        late: Late::default(),
        hidden_count: 0,
    };
    if !is_asked {
        return Ok(moved);
    }
    let keyed = keyed_items(select, scope, sql);
    let has_stages = has_stages(select, order_by);
    let block = moved.select.to_mut();
    let (mut early, mut late) = (Calls::new(MOVED), Calls::new(MOVED));
    // ORDER BY's own calls are those of the list, or beside them.
    let mut asked: Vec<Expr> = order_by.iter().map(|item| item.expr.clone()).collect();
    asked.extend(on_exprs(&select.distinct).cloned());
    let mut names: Vec<(Expr, Name)> = Vec::new();
    moved.late.is_behind_distinct = matches!(select.distinct, Distinct::On(_))
        && !order_by.is_empty()
        && !asked.iter().any(|expr| call_in(expr).is_some() || names_call(expr, select));
    for expr in asked.iter_mut().filter(|expr| call_in(expr).is_some()) {
        if let Some(number) = place_of(expr, select, sql) {
            expr.kind = ExprKind::Number(number.to_string());
            continue;
        }
        if select.distinct == Distinct::Yes {
            let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
            return Err(Diag::new(code::INVALID_COLUMN_REFERENCE, message, expr.span));
        }
        let name = match names.iter().find(|(known, _)| same_text(known, expr, sql)) {
            Some((_, name)) => name.clone(),
            None => {
                moved.hidden_count += 1;
                let name = Name { text: format!("?ordered{}?", moved.hidden_count), span: expr.span };
                block.items.push(SelectItem::Expr { expr: expr.clone(), alias: Some(name.clone()) });
                names.push((expr.clone(), name.clone()));
                name
            }
        };
        expr.kind = ExprKind::Path(vec![name]);
    }
    let ons = asked.split_off(order_by.len());
    if let Distinct::On(exprs) = &mut block.distinct {
        *exprs = ons;
    }
    for (item, expr) in moved.order_by.to_mut().iter_mut().zip(asked) {
        item.expr = expr;
    }
    let has_stages = has_stages || moved.late.is_behind_distinct;
    for (at, item) in block.items.iter_mut().enumerate() {
        let SelectItem::Expr { expr, alias } = item else { continue };
        if call_in(expr).is_none() {
            continue;
        }
        if has_stages && !keyed.contains(&at) {
            let name = alias.as_ref().map_or_else(|| select::output_name(expr), |alias| alias.text.clone());
            late.split(expr, Some(&mut moved.late.parts))?;
            let span = expr.span;
            let of_item = std::mem::replace(expr, Expr { kind: ExprKind::Null, span });
            moved.late.items.push((at, name, of_item));
            continue;
        }
        let own_name = select::output_name(expr);
        early.split(expr, None)?;
        if own_name != select::UNNAMED {
            alias.get_or_insert(Name { text: own_name, span: expr.span });
        }
    }
    if let GroupBy::Items { items, .. } = &mut block.group_by {
        for expr in items.iter_mut().flat_map(group_exprs_mut).filter(|expr| call_in(expr).is_some()) {
            match place_of(expr, select, sql) {
                Some(number) => expr.kind = ExprKind::Number(number.to_string()),
                None => {
                    early.split(expr, None)?;
                }
            }
        }
    }
    moved.functions = early.tables(select.span);
    moved.late.functions = late.tables(select.span);
    Ok(moved)
}

impl Binder<'_> {
    /// The rows of a list with the items that are computed behind groups and windows. Of the node the last columns
    /// are what the late items are made of.
    pub(super) fn late_rows(
        &mut self,
        node: Node,
        late: &Late,
        targets: Option<&[Type]>,
        span: Span,
    ) -> Result<Node, Diag> {
        let first = node.fields.len() - late.parts.len();
        let columns = node.fields[first..].iter().enumerate().map(|(at, field)| ScopeColumn {
            name: part_name(at),
            column: first + at,
            ty: field.ty,
            nullable: field.nullable,
            shown: false,
            is_merged: false,
        });
        let parts = ScopeTable {
            name: Some(PARTS.to_owned()),
            kind: TableKind::Typed,
            columns: columns.collect(),
            key: Vec::new(),
        };
        let scope = Scope { tables: vec![parts], merged: Vec::new() };
        let (node, scope) = self.beside(node, scope, &late.functions)?;
        let mut columns: Vec<(String, plan::Expr)> =
            (0..first).map(|column| (node.fields[column].name.clone(), node.column(column, span))).collect();
        for (at, name, expr) in &late.items {
            let bound = self.expr(expr, &mut Ctx::plain(&scope, "SELECT"))?;
            let target = targets.and_then(|targets| targets.get(*at)).filter(|_| bound.open.is_some());
            let bound = match target {
                Some(target) => self.coerce(bound, *target, Degree::Assignment)?,
                None => self.settled(bound)?,
            };
            columns[*at] = (name.clone(), bound);
        }
        Ok(node.project(columns))
    }
}

/// Does anything stand between the rows of the FROM and the select list?
fn has_stages(select: &Select, order_by: &[OrderItem]) -> bool {
    let is_grouped = select.having.is_some()
        || match &select.group_by {
            GroupBy::All(_) => true,
            GroupBy::Items { items, .. } => !items.is_empty(),
        };
    let items = select.items.iter().filter_map(|item| match item {
        SelectItem::Expr { expr, .. } => Some(expr),
        SelectItem::Wildcard(..) | SelectItem::QualifiedWildcard(..) => None,
    });
    is_grouped || items.chain(order_by.iter().map(|item| &item.expr)).any(holds_stage)
}

/// Does an expression hold an aggregate or a window function?
fn holds_stage(expr: &Expr) -> bool {
    let is_one = match &expr.kind {
        ExprKind::Call { name, star, more, .. } => *star || more.is_some() || is_aggregate(name),
        _ => false,
    };
    is_one || expr.parts().into_iter().any(holds_stage)
}

fn is_aggregate(name: &Name) -> bool {
    agg::all().any(|aggregate| aggregate.name == name.text)
}

/// Does a name or a number of ORDER BY mean an item that gives rows?
fn names_call(expr: &Expr, select: &Select) -> bool {
    let mut items = select.items.iter().enumerate().filter_map(|(at, item)| match item {
        SelectItem::Expr { expr, alias } => Some((at, expr, alias.as_ref())),
        SelectItem::Wildcard(..) | SelectItem::QualifiedWildcard(..) => None,
    });
    let (number, name) = (order::position(expr), order::bare_name(expr));
    items.any(|(at, item, alias)| {
        let named = alias.map_or_else(|| select::output_name(item), |alias| alias.text.clone());
        let is_meant =
            number.is_some_and(|number| number == (at + 1).to_string()) || name.is_some_and(|name| name.text == named);
        is_meant && call_in(item).is_some()
    })
}

/// The expressions of a DISTINCT ON.
fn on_exprs(distinct: &Distinct) -> impl Iterator<Item = &Expr> {
    match distinct {
        Distinct::On(exprs) => exprs.as_slice(),
        Distinct::Yes | Distinct::No => &[],
    }
    .iter()
}

/// The items that rows are grouped by.
fn keyed_items(select: &Select, scope: &Scope, sql: &str) -> Vec<usize> {
    let items = select.items.iter().enumerate().filter_map(|(at, item)| match item {
        SelectItem::Expr { expr, alias } => Some((at, expr, alias.as_ref())),
        SelectItem::Wildcard(..) | SelectItem::QualifiedWildcard(..) => None,
    });
    if let GroupBy::All(_) = select.group_by {
        return items.filter(|(_, expr, _)| !holds_stage(expr)).map(|(at, ..)| at).collect();
    }
    let keys = group_exprs(&select.group_by);
    let is_star = |item: &SelectItem| !matches!(item, SelectItem::Expr { .. });
    let first_star = select.items.iter().position(is_star).unwrap_or(usize::MAX);
    let is_key = |at: usize, expr: &Expr, alias: Option<&Name>| {
        let named = alias.map_or_else(|| select::output_name(expr), |alias| alias.text.clone());
        keys.iter().any(|key| match (order::position(key), order::bare_name(key)) {
            (Some(number), _) => first_star > at && number == (at + 1).to_string(),
            // A column of the FROM goes before an item of its name.
            (None, Some(name)) => {
                let unknown = |diag: Diag| diag.code == code::UNDEFINED_COLUMN;
                name.text == named && scope.resolve(std::slice::from_ref(name)).is_err_and(unknown)
            }
            (None, None) => same_text(key, expr, sql),
        })
    };
    items.filter(|(at, expr, alias)| is_key(*at, expr, *alias)).map(|(at, ..)| at).collect()
}

/// The place of the item that says the same, from 1.
fn place_of(expr: &Expr, select: &Select, sql: &str) -> Option<usize> {
    if select.items.iter().any(|item| !matches!(item, SelectItem::Expr { .. })) {
        return None;
    }
    let says_same =
        |item: &SelectItem| matches!(item, SelectItem::Expr { expr: other, .. } if same_text(expr, other, sql));
    select.items.iter().position(says_same).map(|at| at + 1)
}

/// Are two expressions written alike?
fn same_text(one: &Expr, other: &Expr, sql: &str) -> bool {
    let words = |expr: &Expr| expr.span.of(sql).split_whitespace().collect::<String>().to_lowercase();
    words(one) == words(other)
}

/// The expressions of a GROUP BY.
fn group_exprs(group_by: &GroupBy) -> Vec<&Expr> {
    fn of_item<'e>(item: &'e GroupItem, all: &mut Vec<&'e Expr>) {
        match item {
            GroupItem::Expr(Expr { kind: ExprKind::Row(parts), .. }) => all.extend(parts),
            GroupItem::Expr(expr) => all.push(expr),
            GroupItem::Sets { items, .. } => items.iter().for_each(|item| of_item(item, all)),
            GroupItem::Empty(_) => {}
        }
    }
    let mut all = Vec::new();
    if let GroupBy::Items { items, .. } = group_by {
        items.iter().for_each(|item| of_item(item, &mut all));
    }
    all
}

/// Those of an item, to be changed.
fn group_exprs_mut(item: &mut GroupItem) -> Vec<&mut Expr> {
    match item {
        GroupItem::Expr(Expr { kind: ExprKind::Row(parts), .. }) => parts.iter_mut().collect(),
        GroupItem::Expr(expr) => vec![expr],
        GroupItem::Sets { items, .. } => items.iter_mut().flat_map(group_exprs_mut).collect(),
        GroupItem::Empty(_) => Vec::new(),
    }
}

/// A function with the name of its column.
type Labelled = (TableRef, Name);

/// The functions of a list, by how deep they stand in one another.
struct Calls {
    table: &'static str,
    levels: Vec<Vec<Labelled>>,
    count: usize,
}

impl Calls {
    fn new(table: &'static str) -> Calls {
        Calls { table, levels: Vec::new(), count: 0 }
    }

    /// What the rows of a level are called.
    fn table_of(&self, level: usize) -> String {
        if level == 0 { self.table.to_owned() } else { format!("{}{level}", self.table) }
    }

    /// Puts columns in the place of calls, and where parts are asked for, in the place of what else names the rows around. How
    /// many levels of calls are in it?
    fn split(&mut self, expr: &mut Expr, mut parts: Option<&mut Vec<Expr>>) -> Result<usize, Diag> {
        let span = expr.span;
        if call_in(expr).is_none() {
            if let Some(parts) = parts
                && !is_fixed(expr)
            {
                let name = Name { text: part_name(parts.len()), span };
                let path = ExprKind::Path(vec![Name { text: PARTS.to_owned(), span }, name]);
                parts.push(Expr { kind: std::mem::replace(&mut expr.kind, path), span });
            }
            return Ok(0);
        }
        let mut level = 0;
        for part in expr.parts_mut() {
            level = level.max(self.split(part, parts.as_deref_mut())?);
        }
        if !is_call(expr) {
            return Ok(level);
        }
        let ExprKind::Call { name, args, .. } = &mut expr.kind else { unreachable!("it is a call") };
        if name.text.contains("_each") {
            let message = "a function that gives several columns stands in FROM";
            return Err(Diag::new(code::FEATURE_NOT_SUPPORTED, message, span).help("write SELECT * FROM it"));
        }
        self.count += 1;
        let label = Name { text: format!("?column{}?", self.count), span };
        let table = Name { text: self.table_of(level), span };
        let function = TableRef::Function {
            name: name.clone(),
            args: std::mem::take(args),
            ordinality: false,
            columns: Vec::new(),
            alias: Some(TableAlias { name: table.clone(), columns: vec![label.clone()] }),
            span,
        };
        expr.kind = ExprKind::Path(vec![table, label.clone()]);
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        self.levels[level].push((function, label));
        Ok(level + 1)
    }

    /// What stands in FROM: one item a level.
    fn tables(self, span: Span) -> Vec<TableRef> {
        let names: Vec<String> = (0..self.levels.len()).map(|level| self.table_of(level)).collect();
        let tables = self.levels.into_iter().zip(names).map(|(mut level, name)| match level.len() {
            1 => level.swap_remove(0).0,
            _ => side_by_side(level, Name { text: name, span }),
        });
        tables.collect()
    }
}

fn part_name(at: usize) -> String {
    format!("?part{at}?")
}

/// `LATERAL (SELECT f.f, g.g FROM f WITH ORDINALITY FULL JOIN g WITH ORDINALITY USING (place))`
fn side_by_side(functions: Vec<Labelled>, table: Name) -> TableRef {
    let span = table.span;
    let place = Name { text: "?place?".to_owned(), span };
    let items = functions.iter().map(|(_, label)| SelectItem::Expr {
        expr: Expr { kind: ExprKind::Path(vec![label.clone(), label.clone()]), span },
        alias: Some(label.clone()),
    });
    let items = items.collect();
    // Each in a subquery of its own, so that it may name the rows around and not the functions beside it.
    let numbered = functions.into_iter().map(|(function, label)| match function {
        TableRef::Function { name, args, columns, span, .. } => {
            let alias = Some(TableAlias { name: label.clone(), columns: vec![label.clone(), place.clone()] });
            let function = TableRef::Function { name, args, ordinality: true, columns, alias, span };
            let items = [label.clone(), place.clone()].map(|name| SelectItem::Expr {
                expr: Expr { kind: ExprKind::Path(vec![label.clone(), name.clone()]), span },
                alias: Some(name),
            });
            let query = Box::new(block(items.into(), vec![function], span));
            let alias = Some(TableAlias { name: label, columns: Vec::new() });
            TableRef::Subquery { lateral: false, query, alias, span }
        }
        other => other,
    });
    let joined = numbered.reduce(|left, right| TableRef::Join {
        kind: JoinKind::Full,
        left: Box::new(left),
        right: Box::new(right),
        condition: JoinCondition::Using(vec![place.clone()], None),
        as_of: false,
        span,
    });
    let query = Box::new(block(items, joined.into_iter().collect(), span));
    let alias = Some(TableAlias { name: table, columns: Vec::new() });
    TableRef::Subquery { lateral: true, query, alias, span }
}

/// `SELECT items FROM tables`
fn block(items: Vec<SelectItem>, from: Vec<TableRef>, span: Span) -> Query {
    let select = Select {
        distinct: Distinct::No,
        items,
        from,
        filter: None,
        group_by: GroupBy::Items { items: Vec::new(), distinct: false },
        having: None,
        windows: Vec::new(),
        scopes: Scopes::default(),
        span,
    };
    Query::of(SetExpr::Select(Box::new(select)), span)
}

/// Is it a call of a function that gives rows?
fn is_call(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call { name, star: false, distinct: false, more: None, .. }
        if table_function::FUNCTIONS.contains(&name.text.as_str()))
}

/// A call of a function that gives rows: the expression itself, or what is computed of it.
fn call_in(expr: &Expr) -> Option<&Expr> {
    if is_call(expr) {
        return Some(expr);
    }
    match &expr.kind {
        // An aggregate sees rows, and these do not compute all of their parts.
        ExprKind::Call { more: Some(_), .. } | ExprKind::Case { .. } => None,
        ExprKind::Call { name, .. }
            if matches!(name.text.as_str(), "coalesce" | "nvl" | "ifnull" | "iif" | "if") || is_aggregate(name) =>
        {
            None
        }
        _ => expr.parts().into_iter().find_map(call_in),
    }
}

/// Does it name nothing of the rows around?
fn is_fixed(expr: &Expr) -> bool {
    !matches!(
        &expr.kind,
        ExprKind::Path(_)
            | ExprKind::Exists(_)
            | ExprKind::Subquery(_)
            | ExprKind::InQuery { .. }
            | ExprKind::Quantified { .. }
            | ExprKind::Period { .. }
    ) && !holds_stage(expr)
        && expr.parts().into_iter().all(is_fixed)
}
